package integration

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// TestDDLHoldsOffWriters: what DDL in an open transaction has found of a table's rows, or has made of them, holds at
// COMMIT: others' writes to the table wait until then, and find the table as it is by then.
func TestDDLHoldsOffWriters(t *testing.T) {
	c := start(t, "dc1")
	a, b, see := c.conn(0), c.conn(0), c.conn(0)
	for _, tc := range []struct{ ddl, write, code string }{
		{"ALTER TABLE d ADD CONSTRAINT ck CHECK (v < 1000)", "INSERT INTO d VALUES (100, 5000)", "23514"},
		{"ALTER TABLE d ALTER v SET NOT NULL", "INSERT INTO d VALUES (101, NULL)", "23502"},
		{"ALTER TABLE d ALTER v SET NOT NULL", "UPDATE d SET v = NULL WHERE id = 1", "23502"},
		{"ALTER TABLE d ADD CONSTRAINT fk FOREIGN KEY (v) REFERENCES p", "INSERT INTO d VALUES (103, 77)", "23503"},
		{"ALTER TABLE d ADD CONSTRAINT fk FOREIGN KEY (v) REFERENCES p", "DELETE FROM p WHERE id = 4", "23503"},
		{"ALTER TABLE d ALTER v TYPE smallint", "INSERT INTO d VALUES (104, 100000)", "22003"},
		{"ALTER TABLE d DROP COLUMN v", "INSERT INTO d (id, v) VALUES (50, 50)", "42703"},
		{"CREATE UNIQUE INDEX ON d (v)", "INSERT INTO d VALUES (105, 3)", "23505"},
		{"ALTER TABLE d ADD COLUMN z int DEFAULT 7", "INSERT INTO d VALUES (106, 3)", ""},
		{"COMMENT ON TABLE d IS 'free'", "INSERT INTO d VALUES (107, 3)", "free"},
	} {
		exec(t, see, "DROP TABLE IF EXISTS d, p")
		exec(t, see, "CREATE TABLE p (id int PRIMARY KEY)")
		exec(t, see, "INSERT INTO p SELECT generate_series(1, 4)")
		exec(t, see, "CREATE TABLE d (id int PRIMARY KEY, v int)")
		exec(t, see, "INSERT INTO d SELECT g, g FROM generate_series(1, 4) g")
		exec(t, a, "BEGIN")
		exec(t, a, tc.ddl)
		if tc.code == "free" {
			exec(t, b, tc.write)
			exec(t, a, "COMMIT")
			continue
		}
		done := later(b, tc.write)
		blocked(t, see, b)
		exec(t, a, "COMMIT")
		if got := sqlstate(result(t, done)); got != tc.code {
			t.Errorf("%s, %s: got %q, want %q", tc.ddl, tc.write, got, tc.code)
		}
	}
}

// TestKeysThatAreBeingFreed: a key that an open transaction takes from its row is neither free nor taken: who wants it
// waits.
func TestKeysThatAreBeingFreed(t *testing.T) {
	c := start(t, "dc1")
	a, b, see := c.conn(0), c.conn(0), c.conn(0)
	for _, free := range []string{"DELETE FROM k WHERE id = 3", "UPDATE k SET id = 30, u = 30, e = 'thirty' WHERE id = 3"} {
		for _, take := range []string{"INSERT INTO k VALUES (3, 0, 'x')", "INSERT INTO k VALUES (9, 3, 'x')", "INSERT INTO k VALUES (9, 0, 'THREE')", "UPDATE k SET u = 3 WHERE id = 1"} {
			for end, code := range map[string]string{"COMMIT": "", "ROLLBACK": "23505"} {
				for _, begin := range []string{"", "BEGIN"} {
					exec(t, see, "DROP TABLE IF EXISTS k")
					exec(t, see, "CREATE TABLE k (id int PRIMARY KEY, u int UNIQUE, e text)")
					exec(t, see, "CREATE UNIQUE INDEX ON k (lower(e))")
					exec(t, see, "INSERT INTO k VALUES (1, 1, 'one'), (3, 3, 'three')")
					exec(t, a, "BEGIN")
					exec(t, a, free)
					if begin != "" {
						exec(t, b, begin)
					}
					done := later(b, take)
					blocked(t, see, b)
					exec(t, a, end)
					if got := sqlstate(result(t, done)); got != code {
						t.Errorf("%s, %s %s, %s: got %q, want %q", free, begin, take, end, got, code)
					}
					if begin != "" {
						exec(t, b, "COMMIT")
					}
				}
			}
		}
	}
	// Its own transaction may take it at once.
	exec(t, a, "BEGIN")
	exec(t, a, "DELETE FROM k")
	exec(t, a, "INSERT INTO k VALUES (3, 3, 'three')")
	exec(t, a, "COMMIT")
	wantOne(t, see, "1", "SELECT count(*) FROM k")

	// Many at once are reserved with their table.
	exec(t, see, "INSERT INTO k SELECT g, g, g::text FROM generate_series(100, 1099) g")
	exec(t, b, "SET lock_timeout = '50ms'")
	for below, code := range map[int]string{300: "", 1000: "55P03"} { // each has a row and three keys
		exec(t, a, "BEGIN")
		exec(t, a, "DELETE FROM k WHERE id BETWEEN 100 AND $1", below)
		_, err := b.Exec(context.Background(), "INSERT INTO k VALUES (1, 1, 'one')")
		if got := sqlstate(err); got != code {
			t.Errorf("beside the DELETE of those below %d: got %q, want %q", below, got, code)
		}
		exec(t, a, "ROLLBACK")
		exec(t, b, "DELETE FROM k WHERE id = 1")
	}
}

// TestSerializableReadsOfChanges: what INSERT … SELECT, UPDATE and DELETE read counts as read.
func TestSerializableReadsOfChanges(t *testing.T) {
	c := start(t, "dc1")
	a, b, see := c.conn(0), c.conn(0), c.conn(0)
	for _, tc := range []struct{ a, b, code string }{
		{"UPDATE s SET n = n - 100 WHERE id = 1 AND (SELECT sum(n) FROM s) >= 200", "UPDATE s SET n = n - 100 WHERE id = 2 AND (SELECT sum(n) FROM s) >= 200", "40001"},
		{"INSERT INTO o SELECT 1, 1 WHERE NOT EXISTS (SELECT FROM o WHERE n = 1)", "INSERT INTO o SELECT 2, 1 WHERE NOT EXISTS (SELECT FROM o WHERE n = 1)", "40001"},
		{"UPDATE s SET n = 1 WHERE n = 100", "UPDATE s SET n = 100 WHERE n = 1", "40001"},
		{"WITH w AS (INSERT INTO o SELECT 3, sum(n) FROM s RETURNING id) SELECT * FROM w", "INSERT INTO s SELECT 4, sum(n) FROM o", "40001"},
		{"UPDATE s SET n = n - 1 WHERE id = 1", "UPDATE s SET n = n - 1 WHERE id = 2", ""},
		{"INSERT INTO o VALUES (7, 7)", "INSERT INTO o VALUES (8, 8)", ""},
	} {
		exec(t, see, "DROP TABLE IF EXISTS s, o")
		exec(t, see, "CREATE TABLE s (id int PRIMARY KEY, n int)")
		exec(t, see, "CREATE TABLE o (id int PRIMARY KEY, n int)")
		exec(t, see, "INSERT INTO s VALUES (1, 100), (2, 100), (3, 1)")
		for _, conn := range []*pgx.Conn{a, b} {
			exec(t, conn, "BEGIN ISOLATION LEVEL SERIALIZABLE")
			exec(t, conn, "SELECT 1")
		}
		exec(t, a, tc.a)
		exec(t, b, tc.b)
		exec(t, a, "COMMIT")
		_, err := b.Exec(context.Background(), "COMMIT")
		if got := sqlstate(err); got != tc.code {
			t.Errorf("%s, %s: got %q, want %q", tc.a, tc.b, got, tc.code)
		}
	}
	// A conflict with what the snapshot does not show is no duplicate key.
	exec(t, a, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	exec(t, a, "SELECT id FROM s WHERE false")
	exec(t, b, "INSERT INTO s VALUES (31, 1)")
	exec(t, a, "INSERT INTO s VALUES (31, 2) ON CONFLICT (id) DO NOTHING")
	fails(t, a, "40001", "COMMIT")
}

// TestNotifyAtCommit: notifications go out at COMMIT, whether the transaction has written or not, and not what was rolled back.
func TestNotifyAtCommit(t *testing.T) {
	c := start(t, "dc1")
	a, b := c.conn(0), c.conn(0)
	exec(t, b, "LISTEN ch")
	for _, sql := range []string{"BEGIN", "NOTIFY ch, 'one'", "SAVEPOINT s", "NOTIFY ch, 'two'", "ROLLBACK TO s", "SELECT pg_notify('ch', 'three')"} {
		exec(t, a, sql)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	if n, err := b.WaitForNotification(ctx); err == nil {
		t.Errorf("%s before COMMIT", n.Payload)
	}
	cancel()
	exec(t, a, "COMMIT")
	for _, want := range []string{"one", "three"} {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		n, err := b.WaitForNotification(ctx)
		cancel()
		if err != nil || n.Payload != want {
			t.Fatalf("got %v, %v, want %s", n, err, want)
		}
	}
}

package integration

import (
	"context"
	"testing"
)

// TestWithMeetsInOneRow: data-modifying WITH queries and the main query all see the rows as they were; of those that would
// change one row the first to run does, the others leave it alone. The main query comes first, after what it reads, and what
// nobody reads runs at the end, the last one first. Results and states are PostgreSQL's.
func TestWithMeetsInOneRow(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE w (id int PRIMARY KEY, g int UNIQUE, v int)")
	const counts = " SELECT (SELECT count(*) FROM x) || ' ' || (SELECT count(*) FROM y)"
	const flipped = " SELECT (SELECT count(*) FROM y) || ' ' || (SELECT count(*) FROM x)"
	for _, tc := range []struct{ sql, want, state string }{
		// What reads what another part removed finds it gone.
		{"WITH d AS (DELETE FROM w WHERE id = 1 RETURNING id), u AS (UPDATE w SET v = 0 WHERE id IN (SELECT id FROM d)) SELECT 1",
			"1", "2:2:2 3:3:3"},
		{"WITH u AS (UPDATE w SET id = id + 100 WHERE id = 2 RETURNING *)" +
			" UPDATE w SET v = 0 FROM u WHERE w.id = u.id - 100 RETURNING 'x'",
			"", "1:1:1 3:3:3 102:2:2"},
		// Two deletes, two updates, and one of each.
		{"WITH x AS (DELETE FROM w WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id < 3 RETURNING 1)" + counts,
			"1 1", "3:3:3"},
		{"WITH x AS (DELETE FROM w WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id < 3 RETURNING 1)" + flipped,
			"2 0", "3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (UPDATE w SET g = 9 WHERE id = 1 RETURNING 1)" + counts,
			"1 0", "1:1:8 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (UPDATE w SET g = 9 WHERE id = 1 RETURNING 1)" + flipped,
			"1 0", "1:9:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id = 1 RETURNING 1)" + counts,
			"1 0", "1:1:8 2:2:2 3:3:3"},
		{"WITH x AS (DELETE FROM w WHERE id = 1 RETURNING 1), y AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1)" + counts,
			"1 0", "2:2:2 3:3:3"},
		// Who comes first.
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING *) UPDATE w SET g = 9 WHERE id = 1 RETURNING id || ' ' || v",
			"1 1", "1:9:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING *) DELETE FROM w USING x WHERE w.id = x.id RETURNING 'x'",
			"", "1:1:8 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1), y AS (UPDATE w SET v = 9 WHERE id = 1) SELECT 'ok'",
			"ok", "1:1:9 2:2:2 3:3:3"},
		// FROM is read before what is selected or set.
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id = 1 RETURNING 1)" +
			" SELECT count(*) || ' ' || (SELECT count(*) FROM x) FROM y", "1 0", "2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id = 1 RETURNING 1)" +
			" UPDATE w SET v = (SELECT count(*) FROM y) WHERE id = 2 AND EXISTS (SELECT FROM x) RETURNING v",
			"0", "1:1:8 2:2:0 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1), y AS (DELETE FROM w WHERE id = 1 RETURNING 1)," +
			" z AS (SELECT * FROM y) SELECT (SELECT count(*) FROM x) || ' ' || (SELECT count(*) FROM z)",
			"1 0", "1:1:8 2:2:2 3:3:3"},
		// Keys that another part gives or takes away.
		{"WITH x AS (INSERT INTO w VALUES (5, 5, 1) RETURNING 1)," +
			" y AS (INSERT INTO w VALUES (5, 6, 2) ON CONFLICT DO NOTHING RETURNING 1)" + counts,
			"1 0", "1:1:1 2:2:2 3:3:3 5:5:1"},
		{"WITH x AS (INSERT INTO w VALUES (5, 5, 1) RETURNING 1)," +
			" y AS (INSERT INTO w VALUES (5, 6, 2) ON CONFLICT DO NOTHING RETURNING 1)" + flipped,
			"23505", "1:1:1 2:2:2 3:3:3"},
		{"WITH x AS (INSERT INTO w VALUES (5, 5, 1) RETURNING 1)," +
			" y AS (INSERT INTO w VALUES (5, 6, 2) ON CONFLICT (id) DO UPDATE SET v = 7 RETURNING 1)" + counts,
			"21000", "1:1:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1)," +
			" y AS (INSERT INTO w VALUES (1, 6, 2) ON CONFLICT (id) DO UPDATE SET v = 7 RETURNING 1)" + counts,
			"21000", "1:1:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET v = 8 WHERE id = 1 RETURNING 1)," +
			" y AS (INSERT INTO w VALUES (1, 6, 2) ON CONFLICT (id) DO UPDATE SET v = 7 RETURNING 1)" + flipped,
			"1 0", "1:1:7 2:2:2 3:3:3"},
		{"WITH x AS (DELETE FROM w WHERE id = 1 RETURNING *)" +
			" INSERT INTO w SELECT id, g, 7 FROM x ON CONFLICT (id) DO UPDATE SET v = 0 RETURNING 'x'",
			"x", "1:1:7 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET g = 9 WHERE g = 1 RETURNING *)" +
			" INSERT INTO w SELECT 5, 1, 7 FROM x ON CONFLICT DO NOTHING RETURNING 'x'",
			"x", "1:9:1 2:2:2 3:3:3 5:1:7"},
		{"WITH x AS (UPDATE w SET g = 9 WHERE g = 1 RETURNING *)" +
			" INSERT INTO w SELECT 5, 9, 7 FROM x ON CONFLICT DO NOTHING RETURNING 'x'",
			"", "1:9:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET id = id + 100 WHERE id = 1 RETURNING *) INSERT INTO w VALUES (1, 5, 0) RETURNING 'x'",
			"23505", "1:1:1 2:2:2 3:3:3"},
		{"WITH x AS (UPDATE w SET id = id + 100 WHERE id = 1 RETURNING *) INSERT INTO w SELECT 1, 5, 0 FROM x RETURNING 'x'",
			"x", "1:5:0 2:2:2 3:3:3 101:1:1"},
	} {
		for _, wrap := range []bool{false, true} {
			exec(t, conn, "TRUNCATE w")
			if wrap { // over rows that the transaction itself has changed or inserted
				exec(t, conn, "INSERT INTO w VALUES (1, 1, 9), (2, 2, 9)")
				exec(t, conn, "BEGIN")
				exec(t, conn, "UPDATE w SET v = g")
				exec(t, conn, "INSERT INTO w VALUES (3, 3, 3)")
				exec(t, conn, "SAVEPOINT s")
			} else {
				exec(t, conn, "INSERT INTO w VALUES (1, 1, 1), (2, 2, 2), (3, 3, 3)")
			}
			var got string
			rows, err := tryQuery(context.Background(), conn, tc.sql)
			switch {
			case err != nil:
				got = sqlstate(err)
			case len(rows) > 0:
				got = rows[0][0]
			}
			if wrap && err != nil {
				exec(t, conn, "ROLLBACK TO s")
			}
			if wrap {
				exec(t, conn, "COMMIT")
			}
			state := one(t, conn, "SELECT string_agg(id || ':' || g || ':' || v, ' ' ORDER BY id) FROM w")
			if got != tc.want || state != tc.state {
				t.Errorf("%s: got %q and %q, want %q and %q (in a transaction: %v)", tc.sql, got, state, tc.want, tc.state, wrap)
			}
		}
	}
}

// TestWithInReturning: RETURNING and ON CONFLICT of an INSERT read WITH queries.
func TestWithInReturning(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE w (id int PRIMARY KEY, v int)")
	exec(t, conn, "CREATE SEQUENCE s")
	for _, tc := range [][2]string{
		{"WITH a(x) AS (VALUES (7)) INSERT INTO w VALUES (1, 1) RETURNING (SELECT x FROM a) || '/' || v", "7/1"},
		{"WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a WHERE x < 3) INSERT INTO w VALUES (2, 1) RETURNING (SELECT max(x) FROM a)", "3"},
		{"WITH a(x) AS (VALUES (7)), b(y) AS (SELECT x + '1'::int FROM a) INSERT INTO w VALUES (1, 1)" +
			" ON CONFLICT (id) DO UPDATE SET v = (SELECT y FROM b) WHERE w.v < (SELECT x FROM a) RETURNING v || '/' || (SELECT x FROM a)", "8/7"},
		{"WITH a(x) AS (SELECT v FROM w WHERE id = 1) INSERT INTO w SELECT 3, x FROM a RETURNING (SELECT x FROM a) + v", "16"},
	} {
		if got := one(t, conn, tc[0]); got != tc[1] {
			t.Errorf("%s: got %s, want %s", tc[0], got, tc[1])
		}
	}
	fails(t, conn, "0A000", "WITH a(x) AS (SELECT nextval('s')) INSERT INTO w VALUES (9, 1) RETURNING (SELECT x FROM a)")
}

package integration

import "testing"

// TestManyKeysOfOneTransaction: a statement that takes more unique keys than it reserves one by one still knows them, and so do
// those after it in the same transaction.
func TestManyKeysOfOneTransaction(t *testing.T) {
	conn := start(t, "dc1").conn(0)
	exec(t, conn, "CREATE TABLE k (id int PRIMARY KEY, k int UNIQUE)")
	tag := func(want, sql string) {
		t.Helper()
		if got := exec(t, conn, sql).String(); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
	}

	exec(t, conn, "BEGIN")
	exec(t, conn, "INSERT INTO k SELECT i, i FROM generate_series(1, 3000) i")
	wantOne(t, conn, "-1", "INSERT INTO k VALUES (2990, 2990) ON CONFLICT (id) DO UPDATE SET k = -1 RETURNING k")
	tag("INSERT 0 0", "INSERT INTO k VALUES (2991, -2) ON CONFLICT DO NOTHING")
	exec(t, conn, "SAVEPOINT a")
	fails(t, conn, "23505", "INSERT INTO k VALUES (2992, -2)")
	exec(t, conn, "ROLLBACK TO a")
	exec(t, conn, "INSERT INTO k SELECT i, i FROM generate_series(4001, 6500) i")
	tag("INSERT 0 0", "INSERT INTO k SELECT i, i FROM generate_series(4001, 6500) i ON CONFLICT DO NOTHING")
	exec(t, conn, "ROLLBACK TO a")
	tag("INSERT 0 1", "INSERT INTO k VALUES (6500, 6500)") // given back
	tag("INSERT 0 0", "INSERT INTO k VALUES (2993, -2) ON CONFLICT DO NOTHING")
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "3001", "SELECT count(*) FROM k")

	exec(t, conn, "BEGIN")
	exec(t, conn, "UPDATE k SET k = k + 10000")
	fails(t, conn, "23505", "UPDATE k SET k = 12999 WHERE id = 1")
	exec(t, conn, "ROLLBACK")

	// A change of primary keys is worked out on the writer.
	exec(t, conn, "BEGIN")
	exec(t, conn, "UPDATE k SET id = id + 10000")
	tag("INSERT 0 0", "INSERT INTO k VALUES (12999, -3) ON CONFLICT DO NOTHING")
	tag("INSERT 0 1", "INSERT INTO k VALUES (2999, -3) ON CONFLICT DO NOTHING")
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "3002", "SELECT count(*) FROM k")
}

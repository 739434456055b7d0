package integration

import "testing"

// TestRecursionInSteps: recursive terms that SQLite does not take (window functions, GROUP BY, set operations, the
// reference in a subquery) give PostgreSQL's rows wherever the query stands.
func TestRecursionInSteps(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE e (id int PRIMARY KEY, up int)")
	exec(t, conn, "INSERT INTO e VALUES (1, 0), (2, 1), (3, 1), (4, 2), (5, 3), (6, 1)")
	const five = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT * FROM (SELECT n + 1 FROM r WHERE n < 5) x) "
	const rows = " SELECT string_agg(r::text, ' ') FROM r"
	exec(t, conn, "CREATE VIEW v AS "+five+"SELECT * FROM r")
	for _, tc := range [][2]string{
		{five + "SELECT sum(n) FROM r", "15"},
		{"SELECT sum(n) FROM (" + five + "SELECT n FROM r) q", "15"},
		{"SELECT (" + five + "SELECT sum(n) FROM r)", "15"},
		{"SELECT sum(a.n + b.n) FROM v a, v b WHERE a.n = b.n", "30"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5 GROUP BY n)" + rows, "(1) (2) (3) (4) (5)"},
		{"WITH RECURSIVE r(id, k) AS (SELECT id, 1::bigint FROM e WHERE up = 0 UNION ALL SELECT e.id, row_number() OVER (ORDER BY e.id DESC) FROM r JOIN e ON e.up = r.id)" +
			" SELECT string_agg(r::text, ' ' ORDER BY id) FROM r", "(1,1) (2,3) (3,2) (4,2) (5,1) (6,1)"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL (SELECT n + 1 FROM r WHERE n < 3 UNION ALL SELECT 7 WHERE false))" + rows, "(1) (2) (3)"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION (SELECT n FROM r INTERSECT SELECT 1))" + rows, "(1)"},
		// What is equal is one row, however it is written.
		{"WITH RECURSIVE r(n) AS (SELECT 1.0 UNION SELECT * FROM (SELECT 1.00 FROM r) x)" + rows, "(1.0)"},
		{`WITH RECURSIVE r(n) AS (SELECT '{"a": 1}'::jsonb UNION SELECT * FROM (SELECT '{"a": 1.0}'::jsonb FROM r) x) SELECT count(*) FROM r`, "1"},
		{"WITH RECURSIVE r(n) AS (SELECT NULL::int UNION SELECT * FROM (SELECT NULL::int FROM r) x) SELECT count(*) FROM r", "1"},
		// One reads another.
		{"WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT * FROM (SELECT n + 1 FROM a WHERE n < 3) x)," +
			" r(n) AS (SELECT n FROM a UNION ALL SELECT * FROM (SELECT r.n + 10 FROM r JOIN a ON a.n = r.n % 10 WHERE r.n < 20) y) SELECT string_agg(n::text, ' ' ORDER BY n) FROM r",
			"1 2 3 11 12 13 21 22 23"},
		// Beside changes.
		{"WITH RECURSIVE r(n) AS (SELECT 20 UNION ALL SELECT * FROM (SELECT n + 1 FROM r WHERE n < 22) x), i AS (INSERT INTO e SELECT n, 1 FROM r RETURNING id) SELECT sum(id) FROM i", "63"},
		{"WITH RECURSIVE d AS (DELETE FROM e WHERE id >= 20 RETURNING id), r(n) AS (SELECT min(id) FROM d UNION ALL SELECT * FROM (SELECT n + 1 FROM r JOIN d ON d.id = r.n) x)" + rows, "(20) (21) (22) (23)"},
		{"WITH RECURSIVE d AS (DELETE FROM e WHERE id >= 20 RETURNING id), r(n) AS (SELECT 1 UNION ALL SELECT * FROM (SELECT n + 1 FROM r WHERE n < (SELECT 3 + count(*) FROM d)) x)" +
			" INSERT INTO e VALUES (30, 1) RETURNING (SELECT max(n) FROM r)", "3"},
	} {
		if got := one(t, conn, tc[0]); got != tc[1] {
			t.Errorf("%s: got %s, want %s", tc[0], got, tc[1])
		}
	}
	for _, n := range []int{2, 4} {
		if got := one(t, conn, "WITH RECURSIVE r(n) AS (SELECT $1::int UNION ALL SELECT * FROM (SELECT n + 1 FROM r WHERE n < $1 + 2) x) SELECT sum(n)::int FROM r", n); got != []string{2: "9", 4: "15"}[n] {
			t.Errorf("from %d: got %s", n, got)
		}
	}
	// In a transaction it sees what that has changed.
	exec(t, conn, "BEGIN")
	exec(t, conn, "UPDATE e SET up = 100 WHERE id = 1")
	if got := one(t, conn, "WITH RECURSIVE r(n) AS (SELECT up FROM e WHERE id = 1 UNION ALL SELECT * FROM (SELECT n + 1 FROM r WHERE n < 102) x) SELECT sum(n) FROM r"); got != "303" {
		t.Errorf("in a transaction: got %s", got)
	}
	exec(t, conn, "ROLLBACK")
	// What never ends can be ended.
	exec(t, conn, "SET statement_timeout = '200ms'")
	fails(t, conn, "57014", "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT * FROM (SELECT n FROM r) x) SELECT count(*) FROM r")
	exec(t, conn, "RESET statement_timeout")
	if got := one(t, conn, "SELECT count(*) FROM e"); got != "7" {
		t.Errorf("%s rows are left", got)
	}
}

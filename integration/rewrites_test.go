package integration

import "testing"

// TestRewrites: what statements are made of for SQLite gives what PostgreSQL gives, where the form of an index, a predicate or
// a condition could mislead.
func TestRewrites(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, `CREATE TABLE u (id int, n int, status text); INSERT INTO u VALUES (1, 1, 'open'), (2, 2, 'closed'), (3, 3, 'x');
		CREATE UNIQUE INDEX ui ON u (id) WHERE status IN ('open', 'closed');
		CREATE TABLE l (a int, b int); INSERT INTO l VALUES (NULL, 1), (1, 1), (5, NULL), (2, 3), (7, NULL);
		CREATE TABLE r (a int, b int); INSERT INTO r VALUES (1, 1), (NULL, 1), (2, NULL), (5, 9), (NULL, 2);
		CREATE TABLE x (n int, k text); INSERT INTO x VALUES (1, 'a'), (2, NULL); CREATE TABLE y (n int, k text); INSERT INTO y VALUES (1, 'a'), (2, 'b')`)

	// A predicate with OR holds for the row that is looked for, and is not an alternative to its key.
	for _, sql := range []string{"UPDATE u SET status = 'open' WHERE id = 3", "INSERT INTO u VALUES (9, 1, 'open')", "INSERT INTO u VALUES (8, 1, 'closed'), (1, 1, 'x')"} {
		exec(t, conn, "BEGIN")
		exec(t, conn, sql)
		exec(t, conn, "ROLLBACK")
	}
	exec(t, conn, "BEGIN")
	fails(t, conn, "23505", "INSERT INTO u VALUES (1, 1, 'closed')")
	exec(t, conn, "ROLLBACK")

	// ON CONFLICT knows an index by its predicate, however that is written.
	wantOne(t, conn, "7", "INSERT INTO u VALUES (1, 2, 'open') ON CONFLICT (id) WHERE status IN ('open', 'closed') DO UPDATE SET n = 7 RETURNING n")
	wantOne(t, conn, "8", "INSERT INTO u VALUES (1, 2, 'open') ON CONFLICT (id) WHERE status = ANY (ARRAY['open', 'closed']) DO UPDATE SET n = 8 RETURNING n")
	fails(t, conn, "42P10", "INSERT INTO u VALUES (1, 2, 'open') ON CONFLICT (id) WHERE status IN ('open', 'x') DO NOTHING")
	exec(t, conn, "CREATE UNIQUE INDEX ub ON u ((n + 1)) WHERE n BETWEEN 1 AND 10")
	wantOne(t, conn, "99", "INSERT INTO u VALUES (55, 8, 'x') ON CONFLICT ((n + 1)) WHERE n BETWEEN 1 AND 10 DO UPDATE SET id = 99 RETURNING id")
	fails(t, conn, "42P10", "INSERT INTO u VALUES (1, 7, 'x') ON CONFLICT ((n + 1)) WHERE n DO NOTHING")

	// SQLite looks rows up in an index; NULLs count whatever its order.
	const in = "SELECT string_agg(concat_ws(' ', coalesce(a::text, '-'), coalesce(b::text, '-'), coalesce(((a, b) IN (SELECT a, b FROM r))::text, '-'), coalesce(((a, b) NOT IN (SELECT a, b FROM r))::text, '-')), ', ' ORDER BY a, b) FROM l"
	const answer = "1 1 true false, 2 3 - -, 5 - - -, 7 - - -, - 1 - -"
	wantOne(t, conn, answer, in)
	for _, index := range []string{"b DESC, a", "a DESC, b DESC", "b DESC, a DESC", "a, b"} {
		exec(t, conn, "CREATE INDEX i ON r ("+index+")")
		wantOne(t, conn, answer, in)
		wantOne(t, conn, "0", "SELECT count(*) FROM l WHERE (a, b) NOT IN (SELECT a, b FROM r)")
		wantOne(t, conn, "1", "SELECT count(*) FROM l WHERE (a, b) IN (SELECT a, b FROM r)")
		exec(t, conn, "DROP INDEX i")
	}

	// FULL JOIN by rows.
	for _, cond := range []string{"(x.n, x.k) = (y.n, y.k)", "(x.n, lower(x.k)) = (y.n, y.k) AND x.n > 0", "x.n = y.n AND (x.k, 1) = (y.k, y.n)"} {
		wantOne(t, conn, "1 a 1 a, 2 - - -, - - 2 b", "SELECT string_agg(concat_ws(' ', coalesce(x.n::text, '-'), coalesce(x.k, '-'), coalesce(y.n::text, '-'), coalesce(y.k, '-')), ', ' ORDER BY x.n, y.n) FROM x FULL JOIN y ON "+cond)
	}
	fails(t, conn, "0A000", "SELECT generate_series(1, unnest(ARRAY[1, 2]))")

	// What an outer join leaves out is NULL as a whole, and no row of NULLs.
	for _, tt := range []struct{ want, sql string }{
		{"0 2", "SELECT count(s) || ' ' || count(*) FROM x LEFT JOIN (SELECT n, k FROM y WHERE n = 9) s ON s.n = x.n"},
		{"[null, null]", "SELECT json_agg(s) FROM x LEFT JOIN (SELECT n, k FROM y WHERE n = 9) s ON s.n = x.n"},
		{"1 2", "WITH s AS (SELECT n, k FROM y WHERE n = 1) SELECT count(s) || ' ' || count(*) FROM s RIGHT JOIN x ON s.n = x.n"},
		{"2 3", "SELECT count(s) || ' ' || count(*) FROM x FULL JOIN (SELECT k, count(*) AS c FROM y GROUP BY k) s ON s.k = x.k"},
		{"0 2", "SELECT count(v) || ' ' || count(*) FROM x LEFT JOIN (VALUES (9, 1)) v (a, b) ON a = n"},
		{"0 2", "SELECT count(v) || ' ' || count(*) FROM x LEFT JOIN LATERAL (SELECT n WHERE false) v ON true"},
		{"1 2", "SELECT count(v) || ' ' || count(*) FROM x LEFT JOIN LATERAL unnest(ARRAY[n], ARRAY[k]) v (a, b) ON a = 1"},
		{"2 2", "SELECT count(v) || ' ' || count(*) FROM x LEFT JOIN (SELECT NULL::int, NULL::text) v ON true"},
	} {
		wantOne(t, conn, tt.want, tt.sql)
	}
}

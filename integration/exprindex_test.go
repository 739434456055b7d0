package integration

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestIndexExpressionFails: where an index's expression fails for a row, a statement is refused, as in PostgreSQL; but what
// another node has written before it heard of the index is taken, found, changed and deleted.
func TestIndexExpressionFails(t *testing.T) {
	c := three(t)
	conn, other := c.conn(0, "consistency=none"), c.conn(1, "consistency=one")
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE q (id int PRIMARY KEY, n int, x text, j jsonb)")
	exec(t, c.conn(0, "consistency=all"), "INSERT INTO q VALUES (1, 1, '7', '{\"a\": 1}')")
	c.net.split([]int{0}, []int{1, 2})
	exec(t, conn, "CREATE INDEX q_n ON q ((10 / n))")
	exec(t, conn, "CREATE UNIQUE INDEX q_x ON q ((x::int))")
	exec(t, conn, "CREATE INDEX q_some ON q (id) WHERE (j ->> 'a')::int > 0")
	exec(t, other, "INSERT INTO q VALUES (2, 0, 'b', '{\"a\": \"x\"}'), (3, 5, 'c', '{\"a\": 2}')")
	exec(t, other, "UPDATE q SET n = 0 WHERE id = 1")
	c.net.heal()
	for i := range 3 {
		eventually(t, c.conn(i), "3", "SELECT count(*) FROM q")
		eventually(t, c.conn(i), "2", "SELECT count(*) FROM q WHERE n = 0")
		eventually(t, c.conn(i), "3", "SELECT count(*) FROM pg_indexes WHERE tablename = 'q' AND indexname <> 'q_pkey'")
	}
	for i := range 3 {
		conn := c.conn(i, "consistency=quorum")
		eventually(t, conn, "3", "SELECT count(*) FROM q") // it can reach the others again
		// What this node's own statements write is held against the expressions.
		for _, tt := range []struct{ code, sql string }{
			{"22012", "INSERT INTO q VALUES (9, 0, '9')"},
			{"22P02", "INSERT INTO q VALUES (8, 1, '8'), (9, 1, 'z')"},
			{"22P02", "INSERT INTO q SELECT 9, 1, '9', '{\"a\": []}'"},
			{"22012", "INSERT INTO q VALUES (3, 1, '9') ON CONFLICT (id) DO UPDATE SET n = 0"},
			{"22012", "UPDATE q SET n = 0 WHERE id = 3"},
			{"22P02", "UPDATE q SET x = 'y' WHERE id = 1"},
			{"22P02", "UPDATE q SET j = '{\"a\": \"\"}' WHERE id = 3"},
		} {
			fails(t, conn, tt.code, tt.sql)
		}
		copyFails(t, conn, "22012", "COPY q (id, n) FROM STDIN", "8\t1\n9\t0\n")
		exec(t, conn, "BEGIN")
		exec(t, conn, "INSERT INTO q VALUES (8, 1, '8')")
		fails(t, conn, "22012", "INSERT INTO q VALUES (9, 0, '9')")
		exec(t, conn, "ROLLBACK")
		wantOne(t, conn, "3", "SELECT count(*) FROM q")
		for _, sql := range []string{"DELETE FROM q WHERE id = 2", "DELETE FROM q", "UPDATE q SET n = 1, x = '5', j = NULL WHERE id = 2"} {
			exec(t, conn, "BEGIN")
			exec(t, conn, sql)
			exec(t, conn, "ROLLBACK")
		}
		// A column that the expressions do not name can be changed, and so can what is at fault.
		exec(t, conn, "UPDATE q SET j = '{}' WHERE id = 2")
		exec(t, conn, "UPDATE q SET j = '{\"a\": \"0\"}' WHERE id = 2")
	}
	all := c.conn(2, "consistency=all")
	eventually(t, all, "3", "SELECT count(*) FROM q")
	exec(t, all, "UPDATE q SET n = 2 WHERE id = 1")
	exec(t, all, "DELETE FROM q WHERE id = 2")
	for i := range 3 {
		conn := c.conn(i)
		wantOne(t, conn, "1", "SELECT id FROM q WHERE 10 / n = 5")
		wantOne(t, conn, "3", "SELECT id FROM q WHERE 10 / n = 2")
		wantOne(t, conn, "2", "SELECT count(*) FROM q")
	}
	// Where rows fail that are there already, the statement that wants the index is refused.
	exec(t, all, "CREATE TABLE r (n int)")
	exec(t, all, "INSERT INTO r VALUES (0)")
	fails(t, all, "22012", "CREATE INDEX ON r ((1 / n))")
}

// TestIndexWithoutItsColumns: an index whose expressions no longer fit the table's columns, since one of them was dropped or
// changed on another node meanwhile, is there in the catalog alone: it holds nobody up, and can be dropped.
func TestIndexWithoutItsColumns(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	conn, other := c.conn(0, "consistency=none"), c.conn(1, "consistency=one")
	cases := []struct{ table, index, change string }{
		{"a", "CREATE INDEX i_a ON a ((n + m))", "ALTER TABLE a DROP COLUMN m"},
		{"b", "CREATE INDEX i_b ON b ((n + 1))", "ALTER TABLE b ALTER n TYPE text"},
		{"c", "CREATE INDEX i_c ON c (id) WHERE n > m", "ALTER TABLE c ALTER n TYPE jsonb USING to_jsonb(n)"},
		{"d", "CREATE UNIQUE INDEX i_d ON d ((n + m), x)", "ALTER TABLE d ALTER n TYPE timestamptz USING now()"},
		{"e", "CREATE INDEX i_e ON e (lower(x))", "ALTER TABLE e ALTER x TYPE int USING x::int"},
	}
	for _, tt := range cases {
		exec(t, all, "CREATE TABLE "+tt.table+" (id int PRIMARY KEY, n int, m int, x text)")
		exec(t, all, "INSERT INTO "+tt.table+" VALUES (1, 1, 1, '7')")
	}
	c.net.split([]int{0}, []int{1, 2})
	for _, tt := range cases {
		exec(t, conn, tt.index)
		exec(t, other, tt.change)
		exec(t, conn, "INSERT INTO "+tt.table+" (id, x) VALUES (2, '8')")
		exec(t, other, "INSERT INTO "+tt.table+" (id, x) VALUES (3, '9')")
	}
	c.net.heal()
	for i := range 3 {
		for _, tt := range cases {
			conn := c.conn(i, "consistency=quorum")
			eventually(t, conn, "3", "SELECT count(*) FROM "+tt.table+" WHERE id < 10")
			eventually(t, conn, "1", "SELECT count(*) FROM pg_indexes WHERE indexname = 'i_"+tt.table+"'")
			exec(t, conn, fmt.Sprintf("INSERT INTO %s (id, x) VALUES (%d, '5')", tt.table, 10+i))
			exec(t, conn, "UPDATE "+tt.table+" SET x = '6' WHERE id = 3")
			exec(t, conn, fmt.Sprintf("DELETE FROM %s WHERE id = %d", tt.table, 10+i))
		}
	}
	eventually(t, all, "3", "SELECT count(*) FROM a")
	for _, tt := range cases {
		exec(t, all, "DROP INDEX i_"+tt.table)
	}
	wantOne(t, all, "0", "SELECT count(*) FROM layercake.verify() WHERE NOT ok")
}

// TestIndexOnAList: IN and ANY of a list may be in an index, which SQLite builds without a query.
func TestIndexOnAList(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE aa (a int, b int, t text, v varchar(10), ar int[])")
	exec(t, conn, "INSERT INTO aa SELECT i, i % 3, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'z' END, 'x' || i, ARRAY[i] FROM generate_series(1, 20) i")
	for _, sql := range []string{
		"CREATE INDEX ON aa (a) WHERE a IN (1, 2)", "CREATE INDEX ON aa (a) WHERE NOT (t IN ('a', 'b'))",
		"CREATE UNIQUE INDEX oo ON aa (a) WHERE t NOT IN ('a', 'b')", "CREATE INDEX ON aa ((a IN (1, 2)))",
		"CREATE INDEX ON aa ((CASE WHEN a IN (1, 2) THEN 1 END))", "CREATE INDEX ON aa (a) WHERE v IN ('x1', 'x2')",
		"CREATE INDEX ON aa ((t LIKE ANY (ARRAY['a%', 'b%'])))", "CREATE INDEX ON aa (a) WHERE a IN (1, 2, b)",
	} {
		exec(t, conn, sql)
	}
	fails(t, conn, "0A000", "CREATE INDEX ON aa ((a = ANY (ar)))")
	exec(t, conn, "INSERT INTO aa (a, t, v) VALUES (1, 'z', 'x1')")
	fails(t, conn, "23505", "INSERT INTO aa (a, t, v) VALUES (5, 'z', 'x1')")
	exec(t, conn, "INSERT INTO aa (a, t, v) VALUES (5, 'a', 'x1')")
	wantOne(t, conn, "8", "SELECT count(*) FROM aa WHERE t NOT IN ('a', 'b')")
	wantOne(t, conn, "3", "SELECT count(*) FROM aa WHERE a IN (1, 2)")
	exec(t, conn, "DELETE FROM aa WHERE a IN (1, 5, 6)")
	wantOne(t, conn, "17", "SELECT count(*) FROM aa")
}

// TestIndexesAreUsed: queries find an index on an expression with constants in it, and its predicate, and get what they get
// without it.
func TestIndexesAreUsed(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY, n int, s text, j jsonb, d timestamp, m numeric, b boolean, a int[])")
	exec(t, conn, `INSERT INTO p SELECT i, CASE WHEN i % 7 > 0 THEN i % 40 END, CASE i % 50 WHEN 0 THEN 'it''s ?1' ELSE 's' || i % 9 END,
		jsonb_build_object('a', 'v' || i % 30, 'b', i % 60, 'c?1', jsonb_build_object('d', i % 25)), timestamp '2024-01-01' + i * interval '7 hours',
		i / 8.0, i % 3 = 0, ARRAY[i % 11, i % 13] FROM generate_series(1, 400) i`)
	exec(t, conn, "INSERT INTO p VALUES (0)")
	exec(t, conn, "CREATE TABLE plain AS TABLE p")
	cases := []struct{ key, where, cond string }{
		{"(j ->> 'a')", "", "j ->> 'a' = 'v17'"},
		{"(j ->> 'a')", "", "j ->> 'a' IN ('v1', 'v2', 'a')"},
		{"(j ->> 'a')", "", "(j ->> 'a') >= 'v20' AND j ->> 'a' < 'v25'"},
		{"(j -> 'c?1' ->> 'd')", "", "j -> 'c?1' ->> 'd' = '7'"},
		{"((j ->> 'b')::int)", "", "(j ->> 'b')::int BETWEEN 10 AND 12"},
		{"((j ->> 'b')::int)", "", "(j ->> 'b')::int = ANY (ARRAY[3, 4])"},
		{"(j #>> '{c?1,d}')", "", "j #>> '{c?1,d}' = '9'"},
		{"(date_trunc('day', d))", "", "date_trunc('day', d) = '2024-02-01'"},
		{"(extract(year FROM d))", "", "extract(year FROM d) = 2024"},
		{"(extract(month FROM d)), n", "", "extract(month FROM d) = 3 AND n = 21"},
		{"(d::date)", "", "d::date = '2024-03-03'"},
		{"(coalesce(n, -1))", "", "coalesce(n, -1) = -1"},
		{"(coalesce(n, 0) + 1)", "", "coalesce(n, 0) + 1 = 1"},
		{"(n % 10)", "", "n % 10 = 10 - 7"},
		{"(n % 10) DESC", "", "n % 10 = 3"},
		{"(m * 1.5)", "", "m * 1.5 = 75.0"},
		{"(round(m, 1))", "", "round(m, 1) > 49.9"},
		{"(s || '?2')", "", "s || '?2' = 'it''s ?1?2'"},
		{"(substr(s, 1, 2)), n", "", "substr(s, 1, 2) = 's3' AND n > 30"},
		{"(substring(s from 2 for 1))", "", "substring(s from 2 for 1) = 't'"},
		{"(replace(s, '''', ''))", "", "replace(s, '''', '') = 'its ?1'"},
		{"(lower(s || 'X'))", "", "lower(s || 'X') = 's4x'"},
		{"(a[1])", "", "a[1] = 5"},
		{"(CASE WHEN n < 5 THEN 'low' ELSE 'high' END)", "", "CASE WHEN n < 5 THEN 'low' ELSE 'high' END = 'low'"},
		{"(nullif(s, 's1'))", "", "nullif(s, 's1') = 's2'"},
		{"(split_part(s, ' ', 2))", "", "split_part(s, ' ', 2) = '?1'"},
		{"s", "", "s LIKE 's3%'"},
		{"s DESC, n", "", "s LIKE 'it''s _1'"},
		{"s text_pattern_ops", "", "s ~ '^it'"},
		{"s", "", "s ^@ 'it'"},
		{"s", "", "s LIKE (SELECT 'it%')"},
		{"(lower(s))", "", "lower(s) LIKE 'it%?1'"},
		{"(j ->> 'a')", "", "j ->> 'a' LIKE 'v1_'"},
		{"n", "s = 's1'", "s = 's1' AND n = 12"},
		{"n", "s = 'it''s ?1'", "s = 'it''s ?1' AND n > 0"},
		{"n", "id > 390", "id > 390 AND n = 35"},
		{"n", "j ->> 'a' = 'v3'", "j ->> 'a' = 'v3' AND n = 3"},
		{"d", "b AND n < 10", "b AND n < 10 AND d < '2024-02-01'"},
		{"n", "m > 40.5", "m > 40.5 AND n = 9"},
	}
	const ids = "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), 'none') FROM "
	used := func(conn *pgx.Conn, cond string) bool {
		return strings.Contains(fmt.Sprint(query(t, conn, "EXPLAIN SELECT * FROM p WHERE "+cond)), "using here")
	}
	for _, tt := range cases {
		t.Run(tt.cond+" "+tt.where, func(t *testing.T) {
			sql := "CREATE INDEX here ON p (" + tt.key + ")"
			if tt.where != "" {
				sql += " WHERE " + tt.where
			}
			exec(t, conn, sql)
			defer exec(t, conn, "DROP INDEX here")
			if !used(conn, tt.cond) {
				t.Errorf("not used: %v", query(t, conn, "EXPLAIN SELECT * FROM p WHERE "+tt.cond))
			}
			want := one(t, conn, ids+"plain WHERE "+tt.cond)
			if want == "none" {
				t.Error("the condition selects nothing")
			}
			wantOne(t, conn, want, ids+"p WHERE "+tt.cond)
			wantOne(t, conn, want, ids+"p WHERE "+tt.cond+" AND id >= $1", 0)
			wantOne(t, conn, want, "WITH q AS ("+ids+"p WHERE "+tt.cond+") SELECT * FROM q")
			wantOne(t, conn, want, strings.Replace(ids, "id", "x.id", 2)+"p x WHERE EXISTS (SELECT FROM p WHERE "+tt.cond+" AND p.id = x.id)")
			// What a transaction has not committed is found too.
			exec(t, conn, "BEGIN")
			defer exec(t, conn, "ROLLBACK")
			exec(t, conn, "DELETE FROM p WHERE "+tt.cond+" AND id % 2 = 0")
			exec(t, conn, "INSERT INTO p SELECT -1 - id, n, s, j, d, m, b, a FROM plain WHERE "+tt.cond+" AND id <= 390 AND id % 2 = 0")
			got := one(t, conn, ids+"p WHERE "+tt.cond)
			exec(t, conn, "DROP INDEX here")
			wantOne(t, conn, got, ids+"p WHERE "+tt.cond)
			exec(t, conn, "ROLLBACK")
		})
	}
	// EXPLAIN shows the index's expressions.
	exec(t, conn, "CREATE INDEX two ON p ((j ->> 'a'), n, (n % 10))")
	plan := fmt.Sprint(query(t, conn, "EXPLAIN SELECT * FROM p WHERE j ->> 'a' = 'v3' AND n = 3 AND n % 10 > 3 AND n % 10 < 8"))
	if want := "Index Cond: ((j ->> 'a'::text) = ? AND n = ? AND (n % 10) > ? AND (n % 10) < ?)"; !strings.Contains(plan, want) {
		t.Errorf("plan %s, want %s", plan, want)
	}
	exec(t, conn, "DROP INDEX two")
	// An index that this transaction has made.
	exec(t, conn, "BEGIN")
	exec(t, conn, "CREATE INDEX here ON p ((j ->> 'a'))")
	if !used(conn, "j ->> 'a' = 'v1'") {
		t.Error("an index of the same transaction is not used")
	}
	exec(t, conn, "CREATE TABLE own (n int)")
	wantOne(t, conn, "Seq Scan on own", "EXPLAIN SELECT * FROM own")
	exec(t, conn, "ROLLBACK")
	// One that a prepared statement is older than.
	ask := "SELECT count(*) FROM p WHERE j ->> 'a' = $1"
	wantOne(t, conn, "13", ask, "v17")
	exec(t, conn, "CREATE INDEX here ON p ((j ->> 'a'))")
	wantOne(t, conn, "13", ask, "v17")
	if sql := one(t, conn, "EXPLAIN (FORMAT json) UPDATE p SET n = 1 WHERE j ->> 'a' = 'v17'"); !strings.Contains(sql, "here") {
		t.Errorf("UPDATE does not use the index: %s", sql)
	}
	exec(t, conn, "DELETE FROM p WHERE j ->> 'a' = 'v17'")
	wantOne(t, conn, "0", ask, "v17")
}

// TestRowLists: a list of rows is kept as PostgreSQL keeps it, as comparisons of the rows' parts, and holds.
func TestRowLists(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, `CREATE TABLE r (a int, b text, CHECK ((a, b) IN ((1, 'x'), (2, 'y'), (9, 'z'))), CHECK ((a, b) NOT IN ((9, 'z'), (8, 'z'))))`)
	exec(t, conn, "CREATE INDEX i ON r (b) WHERE (a, b) IN ((1, 'x'))")
	wantOne(t, conn, "CHECK (((((a = 1) AND (b = 'x'::text)) OR ((a = 2) AND (b = 'y'::text))) OR ((a = 9) AND (b = 'z'::text))))"+
		" CHECK ((((a <> 9) OR (b <> 'z'::text)) AND ((a <> 8) OR (b <> 'z'::text))))",
		"SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname) FROM pg_constraint WHERE conrelid = 'r'::regclass")
	wantOne(t, conn, "CREATE INDEX i ON public.r USING btree (b) WHERE ((a = 1) AND (b = 'x'::text))", "SELECT pg_get_indexdef('i'::regclass)")
	exec(t, conn, "INSERT INTO r VALUES (1, 'x'), (2, 'y'), (1, NULL)")
	for _, row := range []string{"(1, 'y')", "(3, 'x')", "(9, 'z')", "(3, NULL)"} {
		fails(t, conn, "23514", "INSERT INTO r VALUES "+row)
	}
}

package integration

import (
	"fmt"
	"testing"
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

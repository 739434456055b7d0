package integration

import (
	"fmt"
	"strings"
	"testing"
)

// TestStatistics: which of several indexes a query uses depends on the rows: by ANALYZE, and soon by itself.
func TestStatistics(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	create := func(table string) {
		t.Helper()
		exec(t, conn, "CREATE TABLE "+table+" (id int PRIMARY KEY, a int, b int)")
		exec(t, conn, "INSERT INTO "+table+" SELECT i, i % 5000, i % 2 FROM generate_series(1, 20000) i")
		exec(t, conn, "CREATE INDEX "+table+"_good ON "+table+" (a)")
		exec(t, conn, "CREATE INDEX "+table+"_bad ON "+table+" (b)")
	}
	good := func(table string) bool {
		return strings.Contains(fmt.Sprint(query(t, conn, "EXPLAIN SELECT * FROM "+table+" WHERE a = 3 AND b = 1")), table+"_good")
	}
	create("t")
	if good("t") {
		t.Log("the index made first is used without statistics: the test sees less than it is to")
	}
	exec(t, conn, "ANALYZE t")
	if !good("t") {
		t.Error("after ANALYZE the worse index is used")
	}
	// Statements that were prepared before are planned anew, on all connections; and a restart forgets nothing.
	wantOne(t, c.conn(0), "4", "SELECT count(*) FROM t WHERE a = 3 AND b = 1")
	c.stop(0)
	c.boot(0)
	conn = c.conn(0)
	if !good("t") {
		t.Error("after a restart the worse index is used")
	}
	exec(t, conn, "PREPARE p (int) AS SELECT * FROM t WHERE a = $1 AND b = 1")
	if plan := fmt.Sprint(query(t, conn, "EXPLAIN EXECUTE p (3)")); !strings.Contains(plan, "t_good") {
		t.Errorf("the plan of a prepared statement is %s", plan)
	}
	if plan := fmt.Sprint(query(t, conn, "EXPLAIN ANALYZE EXECUTE p (3)")); !strings.Contains(plan, "actual rows=4 ") {
		t.Errorf("a prepared statement runs as %s", plan)
	}
	fails(t, conn, "42601", "EXPLAIN EXECUTE p")
	fails(t, conn, "26000", "EXPLAIN EXECUTE nosuch (1)")
	for _, sql := range []string{"ANALYZE", "ANALYZE VERBOSE t (a, b)", "VACUUM ANALYZE t", "VACUUM (ANALYZE) t", "VACUUM (ANALYZE off) t", "BEGIN; ANALYZE t; COMMIT", "ANALYZE pg_class"} {
		exec(t, conn, sql)
	}
	fails(t, conn, "42P01", "ANALYZE nosuch")
	fails(t, conn, "42703", "ANALYZE t (nosuch)")
	fails(t, conn, "25001", "BEGIN; VACUUM ANALYZE t; COMMIT")
	exec(t, conn, "ROLLBACK")
	create("u")
	for i := 0; !good("u"); i++ {
		if i > 300 {
			t.Fatal("statistics were not gathered by themselves")
		}
		exec(t, conn, "SELECT pg_sleep(0.1)")
	}
	// A table of the transaction's own has none yet.
	exec(t, conn, "BEGIN")
	create("v")
	exec(t, conn, "ANALYZE v")
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "0", "SELECT count(*) FROM layercake.verify() WHERE NOT ok")
}

package integration

import "testing"

// TestTransactionModes: a transaction's modes are settled by its first query.
func TestTransactionModes(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	const before, within = "SET TRANSACTION ISOLATION LEVEL must be called before any query",
		"SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction"
	for _, tc := range []struct {
		work []string
		last string
		want string // the error's message
	}{
		{[]string{"SELECT 1"}, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", before},
		{[]string{"SELECT 1"}, "SET LOCAL transaction_isolation = 'serializable'", before},
		{[]string{"SELECT 1"}, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", ""},
		{[]string{"SHOW work_mem", "SET LOCAL work_mem = '1MB'"}, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ""},
		{[]string{"SAVEPOINT s"}, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", within},
		{[]string{"SAVEPOINT s"}, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", ""},
		{[]string{"SET TRANSACTION READ ONLY", "SELECT 1"}, "SET TRANSACTION READ WRITE", "transaction read-write mode must be set before any query"},
		{[]string{"SELECT 1"}, "SET TRANSACTION READ ONLY", ""},
	} {
		exec(t, conn, "BEGIN")
		for _, sql := range tc.work {
			exec(t, conn, sql)
		}
		if tc.want == "" {
			exec(t, conn, tc.last)
		} else if e := fails(t, conn, "25001", tc.last); e.Message != tc.want {
			t.Errorf("%v, %s: %s", tc.work, tc.last, e.Message)
		}
		exec(t, conn, "ROLLBACK")
	}
}

// TestConcurrentlyAlone: an index is not made or dropped CONCURRENTLY within a transaction block.
func TestConcurrentlyAlone(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE t (id int)")
	exec(t, conn, "CREATE INDEX CONCURRENTLY i ON t (id)")
	for _, sql := range []string{"CREATE INDEX CONCURRENTLY j ON t (id)", "DROP INDEX CONCURRENTLY i"} {
		exec(t, conn, "BEGIN")
		fails(t, conn, "25001", sql)
		exec(t, conn, "ROLLBACK")
	}
	exec(t, conn, "DROP INDEX CONCURRENTLY i")
}

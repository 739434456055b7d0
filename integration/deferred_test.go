package integration

import "testing"

// TestDeferredHoldsFinalRows: a deferred FOREIGN KEY is held against what the transaction's rows are at the end, not against
// what they were meanwhile.
func TestDeferredHoldsFinalRows(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY)")
	exec(t, conn, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED, note text)")
	for _, tc := range []struct {
		work []string
		want string // SQLSTATE of COMMIT, or c's rows
	}{
		{[]string{"INSERT INTO c VALUES (1, 9)", "UPDATE c SET p = 1 WHERE id = 1"}, "1:1 7:1"},
		{[]string{"INSERT INTO c VALUES (1, 9)", "DELETE FROM c WHERE id = 1"}, "7:1"},
		{[]string{"INSERT INTO c VALUES (1, 9)", "UPDATE c SET id = 2, p = 1 WHERE id = 1"}, "2:1 7:1"},
		{[]string{"UPDATE c SET p = 9", "UPDATE c SET p = 2"}, "7:2"},
		{[]string{"UPDATE c SET p = 9", "DELETE FROM c"}, "NULL"},
		{[]string{"UPDATE c SET p = 9", "UPDATE c SET id = 8, p = 2"}, "8:2"},
		{[]string{"UPDATE c SET p = 9", "INSERT INTO p VALUES (9)"}, "7:9"},
		{[]string{"UPDATE c SET p = 9", "UPDATE c SET note = 'x'"}, "23503"},
		{[]string{"UPDATE c SET p = 2", "UPDATE c SET p = 9"}, "23503"},
		{[]string{"UPDATE c SET p = 9", "SAVEPOINT s", "UPDATE c SET p = 1", "ROLLBACK TO s"}, "23503"},
		{[]string{"INSERT INTO c VALUES (1, 9)", "UPDATE c SET note = 'x'"}, "23503"},
		{[]string{"DELETE FROM p WHERE id = 1", "UPDATE c SET p = 2"}, "7:2"},
		{[]string{"DELETE FROM p WHERE id = 1", "INSERT INTO p VALUES (1)"}, "7:1"},
		{[]string{"DELETE FROM p WHERE id = 1"}, "23503"},
	} {
		exec(t, conn, "DELETE FROM c")
		exec(t, conn, "DELETE FROM p")
		exec(t, conn, "INSERT INTO p VALUES (1), (2)")
		exec(t, conn, "INSERT INTO c VALUES (7, 1)")
		exec(t, conn, "BEGIN")
		for _, sql := range tc.work {
			exec(t, conn, sql)
		}
		if tc.want == "23503" {
			fails(t, conn, tc.want, "COMMIT")
			continue
		}
		exec(t, conn, "COMMIT")
		if got := one(t, conn, "SELECT string_agg(id || ':' || p, ' ' ORDER BY id) FROM c"); got != tc.want {
			t.Errorf("%v: got %s, want %s", tc.work, got, tc.want)
		}
	}
}

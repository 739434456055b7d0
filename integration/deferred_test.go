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
		{[]string{"INSERT INTO c VALUES (1, 9)", "UPDATE c SET id = 2 WHERE id = 1"}, "23503"},
		{[]string{"INSERT INTO c VALUES (1, 9)", "UPDATE c SET id = 2 WHERE id = 1", "UPDATE c SET p = 2 WHERE id = 2"}, "2:2 7:1"},
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

// TestSetConstraintsImmediate: SET CONSTRAINTS … IMMEDIATE looks at what the transaction did before it, at once.
func TestSetConstraintsImmediate(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY)")
	exec(t, conn, "CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT one REFERENCES p DEFERRABLE INITIALLY DEFERRED,"+
		" q int CONSTRAINT two REFERENCES p DEFERRABLE)")
	exec(t, conn, "INSERT INTO p VALUES (1), (2)")
	exec(t, conn, "INSERT INTO c VALUES (7, 1, 1)")
	for _, tc := range []struct {
		work []string
		last string
		ok   bool
	}{
		{[]string{"INSERT INTO c VALUES (1, 9, 1)"}, "SET CONSTRAINTS ALL IMMEDIATE", false},
		{[]string{"INSERT INTO c VALUES (1, 9, 1)"}, "SET CONSTRAINTS one IMMEDIATE", false},
		{[]string{"INSERT INTO c VALUES (1, 9, 1)"}, "SET CONSTRAINTS two IMMEDIATE", true},
		{[]string{"SET CONSTRAINTS ALL DEFERRED", "INSERT INTO c VALUES (1, 1, 9)"}, "SET CONSTRAINTS one IMMEDIATE", true},
		{[]string{"SET CONSTRAINTS ALL DEFERRED", "INSERT INTO c VALUES (1, 1, 9)"}, "SET CONSTRAINTS one, two IMMEDIATE", false},
		{[]string{"INSERT INTO c VALUES (1, 9, 1)", "UPDATE c SET p = 2"}, "SET CONSTRAINTS ALL IMMEDIATE", true},
		{[]string{"INSERT INTO c VALUES (1, 9, 1)", "INSERT INTO p VALUES (9)"}, "SET CONSTRAINTS ALL IMMEDIATE", true},
		{[]string{"UPDATE c SET q = 2", "DELETE FROM p WHERE id = 1"}, "SET CONSTRAINTS one IMMEDIATE", false},
		{[]string{"UPDATE c SET q = 2, p = 9", "DELETE FROM p WHERE id = 1", "UPDATE c SET p = 2"},
			"SET CONSTRAINTS one IMMEDIATE", true},
		{[]string{"UPDATE c SET q = 2", "DELETE FROM p WHERE id = 1", "INSERT INTO p VALUES (1)"},
			"SET CONSTRAINTS ALL IMMEDIATE", true},
		// Statements that follow are held at once, unless the SET is rolled back.
		{[]string{"SET CONSTRAINTS ALL IMMEDIATE"}, "INSERT INTO c VALUES (1, 9, 1)", false},
		{[]string{"SET CONSTRAINTS one IMMEDIATE"}, "UPDATE c SET p = 9", false},
		{[]string{"SAVEPOINT s", "SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK TO s"}, "INSERT INTO c VALUES (1, 9, 1)", true},
		{[]string{"SET CONSTRAINTS one IMMEDIATE", "SAVEPOINT s", "SET CONSTRAINTS one DEFERRED", "ROLLBACK TO s"},
			"INSERT INTO c VALUES (1, 9, 1)", false},
	} {
		for _, level := range []string{"READ COMMITTED", "REPEATABLE READ"} {
			exec(t, conn, "BEGIN ISOLATION LEVEL "+level)
			for _, sql := range tc.work {
				exec(t, conn, sql)
			}
			if tc.ok {
				exec(t, conn, tc.last)
			} else {
				fails(t, conn, "23503", tc.last)
			}
			exec(t, conn, "ROLLBACK")
		}
	}
	// After an error the transaction can go on from a savepoint, as it was there.
	exec(t, conn, "BEGIN")
	exec(t, conn, "INSERT INTO c VALUES (1, 9, 1)")
	exec(t, conn, "SAVEPOINT s")
	fails(t, conn, "23503", "SET CONSTRAINTS ALL IMMEDIATE")
	exec(t, conn, "ROLLBACK TO s")
	exec(t, conn, "INSERT INTO c VALUES (2, 9, 1)")
	exec(t, conn, "INSERT INTO p VALUES (9)")
	exec(t, conn, "SET CONSTRAINTS ALL IMMEDIATE")
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "2", "SELECT count(*) FROM c WHERE p = 9")
}

// TestRestrictIsNotDeferred: RESTRICT is looked at when the statement is done, whatever the constraint's timing.
func TestRestrictIsNotDeferred(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY)")
	exec(t, conn, "CREATE TABLE c (id int REFERENCES p ON DELETE RESTRICT ON UPDATE RESTRICT DEFERRABLE INITIALLY DEFERRED)")
	exec(t, conn, "INSERT INTO p VALUES (1)")
	exec(t, conn, "INSERT INTO c VALUES (1)")
	for _, sql := range []string{"DELETE FROM p WHERE id = 1", "UPDATE p SET id = 2"} {
		exec(t, conn, "BEGIN")
		fails(t, conn, "23503", sql)
		exec(t, conn, "ROLLBACK")
	}
	exec(t, conn, "BEGIN")
	exec(t, conn, "INSERT INTO c VALUES (5)") // the other side is deferred
	exec(t, conn, "INSERT INTO p VALUES (5)")
	exec(t, conn, "DELETE FROM c WHERE id = 1")
	exec(t, conn, "DELETE FROM p WHERE id = 1")
	exec(t, conn, "INSERT INTO p VALUES (1)")
	exec(t, conn, "COMMIT")
}

package integration

import (
	"strings"
	"testing"
)

// TestRulesAddedMeanwhile: what an open transaction has written does not slip past a constraint that somebody else adds
// before its COMMIT, and a table of another form is 40001, whatever the transaction does then.
func TestRulesAddedMeanwhile(t *testing.T) {
	c := start(t, "dc1", "dc1")
	const table = "CREATE TABLE dt (id int PRIMARY KEY, a int, b int)"
	for _, test := range []struct {
		name, table, write, change string
		then                       string // what the transaction does next; "": COMMIT
	}{
		{"NOT NULL", table, "INSERT INTO dt (id, b) VALUES (3, 3)", "ALTER TABLE dt ALTER a SET NOT NULL", ""},
		{"CHECK", table, "INSERT INTO dt VALUES (3, 3, 33)", "ALTER TABLE dt ADD CHECK (b < 10)", ""},
		{"FOREIGN KEY", table, "INSERT INTO dt VALUES (3, 77, 3)", "ALTER TABLE dt ADD FOREIGN KEY (a) REFERENCES dp", ""},
		{"another PRIMARY KEY", table, "INSERT INTO dt (id, b) VALUES (3, 3), (4, 4)", "ALTER TABLE dt DROP CONSTRAINT dt_pkey; ALTER TABLE dt ADD PRIMARY KEY (a)", ""},
		{"a first PRIMARY KEY", "CREATE TABLE dt (id int, a int, b int)", "UPDATE dt SET id = id + 10 WHERE id = 8", "ALTER TABLE dt ADD PRIMARY KEY (id)", "SELECT * FROM dt"},
		{"another column of the name", table, "INSERT INTO dt (id, a) VALUES (3, 3)", "ALTER TABLE dt DROP COLUMN b; ALTER TABLE dt ADD COLUMN b int", "UPDATE dt SET a = id"},
		{"CHECK and UPDATE", table, "UPDATE dt SET b = 33", "ALTER TABLE dt ADD CHECK (b < 10)", ""},
	} {
		for at := range 2 {
			one, other := c.conn(0), c.conn(at, "consistency=all")
			exec(t, one, "DROP TABLE IF EXISTS dt, dp; CREATE TABLE dp (p int PRIMARY KEY); INSERT INTO dp VALUES (1), (2); "+
				test.table+"; INSERT INTO dt VALUES (8, 1, 1), (9, 2, 1)")
			eventually(t, other, "2", "SELECT count(*) FROM dt")
			exec(t, one, "BEGIN")
			exec(t, one, test.write)
			for change := range strings.SplitSeq(test.change, "; ") {
				exec(t, other, change) // one by one: in one transaction they would wait for the other
			}
			then := test.then
			if then == "" {
				then = "COMMIT"
			}
			fails(t, one, "40001", then)
			if test.then != "" {
				exec(t, one, "ROLLBACK")
			}
			eventually(t, one, "2", "SELECT count(*) FROM dt WHERE id IN (8, 9)")
			if t.Failed() {
				t.Fatalf("%s, node %d", test.name, at+1)
			}
		}
	}
	// A transaction's own changes are no reason.
	one := c.conn(0)
	exec(t, one, "DROP TABLE dt; "+table)
	exec(t, one, "BEGIN; INSERT INTO dt VALUES (1, 1, 1); ALTER TABLE dt ADD CHECK (b < 10), ALTER a SET NOT NULL; INSERT INTO dt VALUES (2, 2, 2); UPDATE dt SET b = b + 1; COMMIT")
	eventually(t, one, "5", "SELECT sum(b) FROM dt")
}

// TestOtherColumnsAtQuorum: a plain SELECT shows the columns that the table has by now, also when they were changed on
// another node a moment ago.
func TestOtherColumnsAtQuorum(t *testing.T) {
	c := start(t, "dc1", "dc1", "dc1")
	one, two := c.conn(0, "consistency=quorum"), c.conn(1, "consistency=quorum")
	exec(t, one, "CREATE TABLE cp (a int, b int); INSERT INTO cp VALUES (1, 2)")
	for i := range 40 {
		change, want := "ALTER TABLE cp DROP COLUMN b", 1
		if i%2 == 1 {
			change, want = "ALTER TABLE cp ADD COLUMN b int", 2
		}
		exec(t, one, change)
		results, err := two.PgConn().Exec(t.Context(), "SELECT * FROM cp").ReadAll()
		if err != nil {
			t.Fatalf("after %s: %v", change, err)
		}
		if got := len(results[0].FieldDescriptions); got != want {
			t.Fatalf("after %s there are %d columns", change, got)
		}
	}
}

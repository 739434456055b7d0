package integration

import "testing"

// TestRestartInATransaction: a sequence that a transaction has begin anew does so when it commits, and not if it is rolled
// back; what the transaction itself cannot have is refused.
func TestRestartInATransaction(t *testing.T) {
	c := three(t)
	conn, other := c.conn(0, "consistency=all"), c.conn(1, "consistency=all")
	exec(t, conn, "CREATE TABLE n (id serial, v text)")
	exec(t, conn, "CREATE SEQUENCE s")
	insert := "INSERT INTO n (v) VALUES ('x') RETURNING id"
	wantOne(t, conn, "1", insert)
	wantOne(t, conn, "2", insert)
	wantOne(t, conn, "1", "SELECT nextval('s')")

	exec(t, conn, "BEGIN")
	exec(t, conn, "ALTER SEQUENCE s RESTART WITH 50")
	fails(t, conn, "0A000", "SELECT nextval('s')")
	exec(t, conn, "ROLLBACK")
	wantOne(t, conn, "2", "SELECT nextval('s')")
	exec(t, conn, "BEGIN")
	exec(t, conn, "ALTER SEQUENCE s RESTART WITH 50")
	wantOne(t, conn, "3", insert)
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "50", "SELECT nextval('s')")

	exec(t, conn, "BEGIN")
	exec(t, conn, "SAVEPOINT p")
	exec(t, conn, "TRUNCATE n RESTART IDENTITY")
	fails(t, conn, "0A000", insert)
	exec(t, conn, "ROLLBACK TO p")
	wantOne(t, conn, "4", insert)
	exec(t, conn, "TRUNCATE n RESTART IDENTITY")
	exec(t, conn, "COMMIT")
	wantOne(t, other, "0", "SELECT count(*) FROM n")
	wantOne(t, conn, "1", insert)
}

// TestIncrementIsChanged: the next value is the last one and the new increment, and never one that another node may have.
func TestIncrementIsChanged(t *testing.T) {
	c := three(t)
	conn, other := c.conn(0, "consistency=all"), c.conn(1, "consistency=all")
	exec(t, conn, "CREATE SEQUENCE s START 10 INCREMENT 10")
	wantOne(t, conn, "10", "SELECT nextval('s')")
	exec(t, conn, "ALTER SEQUENCE s INCREMENT 7")
	wantOne(t, conn, "17", "SELECT nextval('s')")
	exec(t, conn, "ALTER SEQUENCE s INCREMENT 1000000")
	first, second := one(t, conn, "SELECT nextval('s')"), one(t, other, "SELECT nextval('s')")
	if first == second || len(first) < 3 || len(second) < 3 {
		t.Errorf("%s and %s", first, second)
	}
	exec(t, conn, "CREATE SEQUENCE down INCREMENT -1 MAXVALUE 100 START 100")
	wantOne(t, conn, "100", "SELECT nextval('down')")
	exec(t, conn, "ALTER SEQUENCE down INCREMENT -5")
	wantOne(t, conn, "95", "SELECT nextval('down')")
	wantOne(t, conn, "90", "SELECT nextval('down')")
}

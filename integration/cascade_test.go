package integration

import "testing"

// TestNoActionAtTheEnd: what CASCADE does counts before NO ACTION is held, whichever row comes first.
func TestNoActionAtTheEnd(t *testing.T) {
	conn := start(t, "dc1").conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY)")
	exec(t, conn, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, s int REFERENCES c)")
	rows := func() {
		exec(t, conn, "INSERT INTO p VALUES (1), (2), (3)")
		exec(t, conn, "INSERT INTO c VALUES (1, 1, NULL), (2, 2, 1), (3, 3, 1)")
	}
	rows()
	exec(t, conn, "DELETE FROM p")
	wantOne(t, conn, "0", "SELECT count(*) FROM c")
	rows()
	fails(t, conn, "23503", "DELETE FROM p WHERE id < 3")
	wantOne(t, conn, "3", "SELECT count(*) FROM c")

	exec(t, conn, "CREATE TABLE u (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE)")
	exec(t, conn, "CREATE TABLE d (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, u int REFERENCES u)")
	exec(t, conn, "INSERT INTO p VALUES (4)")
	exec(t, conn, "INSERT INTO u VALUES (1, 4)")
	exec(t, conn, "INSERT INTO d VALUES (1, 4, 1)")
	exec(t, conn, "DELETE FROM p WHERE id = 4")
	wantOne(t, conn, "0", "SELECT count(*) FROM d")

	exec(t, conn, "CREATE TABLE r (id int PRIMARY KEY, p int REFERENCES p ON DELETE RESTRICT, q int REFERENCES p ON DELETE CASCADE)")
	exec(t, conn, "INSERT INTO p VALUES (5), (6)")
	exec(t, conn, "INSERT INTO r VALUES (1, 5, 6)")
	fails(t, conn, "23503", "DELETE FROM p WHERE id IN (5, 6)") // RESTRICT does not wait
}

// TestKeysThatReferToThemselves: a row is held to its parent as both have become.
func TestKeysThatReferToThemselves(t *testing.T) {
	conn := start(t, "dc1").conn(0)
	exec(t, conn, "CREATE TABLE s (id int PRIMARY KEY, par int REFERENCES s ON UPDATE CASCADE, v int)")
	exec(t, conn, "INSERT INTO s VALUES (1, NULL), (2, 1), (3, 2), (4, 4)")
	list := "SELECT string_agg(id || ' ' || coalesce(par::text, '-'), ',' ORDER BY id) FROM s"
	exec(t, conn, "UPDATE s SET id = id + 100")
	wantOne(t, conn, "101 -,102 101,103 102,104 104", list)
	exec(t, conn, "BEGIN")
	exec(t, conn, "UPDATE s SET id = id + 100 WHERE id > 101")
	wantOne(t, conn, "101 -,202 101,203 202,204 204", list)
	exec(t, conn, "INSERT INTO s VALUES (1, 203)")
	exec(t, conn, "SAVEPOINT a")
	fails(t, conn, "23503", "INSERT INTO s VALUES (2, 102)")
	exec(t, conn, "ROLLBACK TO a")
	exec(t, conn, "COMMIT")
	fails(t, conn, "23503", "UPDATE s SET id = 5, par = 999 WHERE id = 204")
	fails(t, conn, "23503", "DELETE FROM s WHERE id = 101")
	wantOne(t, conn, "1 203,101 -,202 101,203 202,204 204", list)
}

// TestDeferredIsNoConflict: what a deferred FOREIGN KEY forbids at COMMIT is no reason to try again, though another one of the
// table has an action.
func TestDeferredIsNoConflict(t *testing.T) {
	conn := start(t, "dc1").conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY, k int UNIQUE)")
	exec(t, conn, "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED, k int REFERENCES p (k) ON DELETE CASCADE)")
	exec(t, conn, "INSERT INTO p VALUES (1, 1), (2, 2)")
	exec(t, conn, "INSERT INTO c VALUES (1, 2, 1)")
	exec(t, conn, "BEGIN")
	exec(t, conn, "DELETE FROM p WHERE id = 2")
	if e := fails(t, conn, "23503", "COMMIT"); e.ConstraintName != "c_p_fkey" {
		t.Errorf("it names %q", e.ConstraintName)
	}
}

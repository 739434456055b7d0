package integration

import (
	"fmt"
	"testing"
)

// listed checks that every node lists the same conflicts, and that they are those wanted: relation, constraint, kind,
// key, other key, origins, and whether both stamps are there.
func listed(t *testing.T, c *cluster, want string) {
	t.Helper()
	var first string
	for n := range c.nodes {
		conn := c.conn(n)
		got := query(t, conn, `SELECT relation, constraint_name, kind, key, other_key, origin, other_origin,
			stamp IS NOT NULL AND other_stamp IS NOT NULL FROM layercake.conflicts ORDER BY relation, kind, key, other_key`)
		if fmt.Sprint(got) != want {
			t.Errorf("node %d lists %v, want %s", n+1, got, want)
		}
		all := fmt.Sprint(query(t, conn, "SELECT * FROM layercake.conflicts ORDER BY relation, kind, key, other_key"))
		if n == 0 {
			first = all
		} else if all != first {
			t.Errorf("node %d lists %s, node 1 %s", n+1, all, first)
		}
	}
}

// TestOrphansAreKept: rows that refer to a row which another node deleted meanwhile stay, are listed on every node alike,
// and are gone from the list when settled, one way or the other.
func TestOrphansAreKept(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	exec(t, all, `CREATE TABLE boss (id int PRIMARY KEY, name text);
		CREATE TABLE team (a int, b text, PRIMARY KEY (b, a));
		CREATE TABLE worker (id int PRIMARY KEY, boss int REFERENCES boss, ta int, tb text, FOREIGN KEY (ta, tb) REFERENCES team (a, b));
		INSERT INTO boss VALUES (1, 'one'), (2, 'two'), (3, 'three');
		INSERT INTO team VALUES (1, 'x'), (2, 'x');
		INSERT INTO worker VALUES (30, NULL, NULL, NULL)`)
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "DELETE FROM boss WHERE id = 1")
	exec(t, a, "DELETE FROM boss WHERE id = 2")
	exec(t, a, "DELETE FROM team WHERE a = 2")
	exec(t, b, "INSERT INTO worker VALUES (10, 1, 1, 'x'), (20, 3, NULL, 'x')")
	exec(t, b, "UPDATE worker SET boss = 2 WHERE id = 30")
	exec(t, b, "UPDATE worker SET ta = 2 WHERE id = 20")
	fails(t, b, "23503", "INSERT INTO worker VALUES (40, 4)")
	fails(t, a, "23503", "INSERT INTO worker VALUES (40, 1)")
	c.net.heal()
	c.settle()
	c.verify()
	for n := range c.nodes {
		if got := one(t, c.conn(n), "SELECT string_agg(id || '-' || boss, ' ' ORDER BY id) FROM worker"); got != "10-1 20-3 30-2" {
			t.Errorf("node %d shows %s", n+1, got)
		}
	}
	boss1 := "[public.worker worker_boss_fkey foreign key (id)=(10) (id)=(1) n3 n1 t]"
	team2 := "[public.worker worker_ta_tb_fkey foreign key (id)=(20) (a, b)=(2, x) n3 n1 t]"
	boss2 := "[public.worker worker_boss_fkey foreign key (id)=(30) (id)=(2) n3 n1 t]"
	listed(t, c, "["+boss1+" "+team2+" "+boss2+"]")
	// Settled by another parent, by deleting the child, and by bringing the parent back.
	exec(t, c.conn(1, "consistency=all"), "UPDATE worker SET boss = 3 WHERE id = 10")
	listed(t, c, "["+team2+" "+boss2+"]")
	exec(t, c.conn(2, "consistency=all"), "DELETE FROM worker WHERE id = 20")
	listed(t, c, "["+boss2+"]")
	exec(t, c.conn(0, "consistency=all"), "INSERT INTO boss VALUES (2, 'again')")
	listed(t, c, "[]")
	// TRUNCATE ends rows too.
	a, b = c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	exec(t, all, "UPDATE worker SET ta = NULL, tb = NULL")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "TRUNCATE team, worker")
	eventually(t, b, "t", "SELECT clock_timestamp() > $1::timestamptz + interval '2 ms'", one(t, a, "SELECT clock_timestamp()"))
	exec(t, b, "INSERT INTO worker VALUES (50, 3, 1, 'x')")
	c.net.heal()
	c.settle()
	c.verify()
	listed(t, c, "[[public.worker worker_ta_tb_fkey foreign key (id)=(50) (a, b)=(1, x) n3 n1 t]]")
}

// TestActionsReplicate: what CASCADE, SET NULL and SET DEFAULT do at the origin arrives as it was done there; RESTRICT
// refuses there.
func TestActionsReplicate(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	exec(t, all, `CREATE TABLE p (id int PRIMARY KEY);
		CREATE TABLE cascades (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
		CREATE TABLE deeper (id int PRIMARY KEY, c int REFERENCES cascades ON DELETE CASCADE);
		CREATE TABLE nulls (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
		CREATE TABLE defaults (id int PRIMARY KEY, p int DEFAULT 9 REFERENCES p ON DELETE SET DEFAULT);
		CREATE TABLE restricts (id int PRIMARY KEY, p int REFERENCES p ON DELETE RESTRICT);
		INSERT INTO p VALUES (1), (2), (3), (9);
		INSERT INTO cascades VALUES (1, 1), (2, 2);
		INSERT INTO deeper VALUES (1, 1), (2, 2);
		INSERT INTO nulls VALUES (1, 1), (2, 2);
		INSERT INTO defaults VALUES (1, 1), (2, 2);
		INSERT INTO restricts VALUES (3, 3)`)
	n2 := c.conn(1, "consistency=all")
	exec(t, n2, "DELETE FROM p WHERE id = 1")
	exec(t, n2, "UPDATE nulls SET p = NULL WHERE p = 2")
	exec(t, n2, "UPDATE defaults SET p = 9 WHERE p = 2")
	exec(t, n2, "UPDATE p SET id = 5 WHERE id = 2")
	fails(t, n2, "23503", "DELETE FROM p WHERE id = 3")
	for n := range c.nodes {
		got := one(t, c.conn(n), `SELECT concat_ws(' ', (SELECT string_agg(id || '-' || p, ',') FROM cascades), (SELECT string_agg(id || '-' || c, ',') FROM deeper),
			(SELECT string_agg(id || '-' || coalesce(p::text, 'null'), ',' ORDER BY id) FROM nulls), (SELECT string_agg(id || '-' || p, ',' ORDER BY id) FROM defaults),
			(SELECT string_agg(id || '-' || p, ',') FROM restricts), (SELECT string_agg(id::text, ',' ORDER BY id) FROM p))`)
		if want := "2-5 2-2 1-null,2-null 1-9,2-9 3-3 3,5,9"; got != want {
			t.Errorf("node %d shows %q, want %q", n+1, got, want)
		}
	}
	listed(t, c, "[]")
	c.verify()
}

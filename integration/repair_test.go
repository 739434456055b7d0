package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestRepair: what was changed behind one node's back is put right from the others, on every node, while all write.
func TestRepair(t *testing.T) {
	for _, table := range []string{
		"CREATE TABLE kept (id int PRIMARY KEY, v text, w int)",
		"CREATE TABLE kept (id int, v text, w int)",
		"CREATE TABLE kept (id int PRIMARY KEY, v text UNIQUE, w int)",
	} {
		t.Run(strings.TrimPrefix(table, "CREATE TABLE "), func(t *testing.T) {
			c := three(t)
			all := c.conn(0, "consistency=all")
			exec(t, all, sharedTables)
			exec(t, all, table)
			exec(t, all, "INSERT INTO kept SELECT i, 'v' || i, i FROM generate_series(1, 2000) i")
			exec(t, all, "UPDATE kept SET w = -w WHERE id % 7 = 0")
			exec(t, all, "DELETE FROM kept WHERE id > 1990")
			want := one(t, all, "SELECT string_agg(id || v || w, ',' ORDER BY id) FROM kept")
			hidden := ""
			if strings.Contains(table, "(id int,") {
				hidden = "_k, "
			}
			c.tamper(1,
				"UPDATE $t SET c2 = 'flipped' WHERE c1 = 5",
				"UPDATE $t SET c3 = 0 WHERE c1 = 7", // set by an UPDATE
				"UPDATE $t SET _h = 1, _o = 99 WHERE c1 = 11",
				"UPDATE $t SET _c = x'ff' WHERE c1 = 14",
				"DELETE FROM $t WHERE c1 = 77",
				fmt.Sprintf("INSERT INTO $t(%[1]s_h, _o, c1, c2, c3) SELECT %[2]s_h, _o, 4000, 'forged', 0 FROM $t WHERE c1 = 1",
					hidden, strings.ReplaceAll(hidden, "_k", "x'00'")),
				"INSERT INTO $t(c1, c2, c3) VALUES (4001, 'made up', 0)")
			stop := writeSteadily(t, c)
			// What is written meanwhile stays, on rows that are wrong too.
			if tag := exec(t, c.conn(0, "consistency=all"), "UPDATE kept SET w = 55 WHERE id = 5"); tag.RowsAffected() != 1 {
				t.Errorf("UPDATE of the flipped row: %s", tag)
			}
			want = strings.Replace(want, "5v55,", "5v555,", 1)
			// A row whose clocks make no sense holds nobody up.
			if tag := exec(t, c.conn(0, "consistency=all"), "UPDATE kept SET w = 66 WHERE id IN (11, 14)"); tag.RowsAffected() != 2 {
				t.Errorf("UPDATE of the damaged rows: %s", tag)
			}
			want = strings.Replace(strings.Replace(want, "11v1111,", "11v1166,", 1), "14v14-14,", "14v1466,", 1)
			if n := one(t, c.conn(2), "SELECT layercake.repair('kept')"); n != "7" {
				t.Errorf("%s rows were put right, want 7", n)
			}
			for i := range 3 {
				conn := c.conn(i)
				for _, r := range query(t, conn, "SELECT node, relation, rows, digest, detail FROM layercake.verify() WHERE NOT ok") {
					t.Errorf("asked on node %d, verify still says %v", i+1, r)
				}
				if got := one(t, conn, "SELECT string_agg(id || v || w, ',' ORDER BY id) FROM kept"); got != want {
					t.Errorf("node %d has not what was written", i+1)
				}
			}
			stop()
			c.verify()
			if n := one(t, c.conn(0), "SELECT layercake.repair('kept')"); n != "0" {
				t.Errorf("%s rows of an equal table were put right", n)
			}
			// The node goes on as the others do.
			exec(t, c.conn(1, "consistency=all"), "DELETE FROM kept WHERE id IN (5, 11, 77)")
			exec(t, c.conn(1, "consistency=all"), "INSERT INTO kept VALUES (77, 'again', 1)")
			c.verify()
			if got := query(t, c.conn(2), "SELECT node, detail FROM layercake.verify() WHERE NOT ok"); len(got) != 0 {
				t.Errorf("after more writes verify says %v", got)
			}
		})
	}
}

// TestRepairRefuses: what cannot be repaired is refused, and changes nothing.
func TestRepairRefuses(t *testing.T) {
	c := start(t, "dc1", "dc1")
	conn := c.conn(0, "consistency=all")
	exec(t, conn, "CREATE TABLE kept (id int PRIMARY KEY, v text)")
	exec(t, conn, "CREATE VIEW seen AS SELECT * FROM kept")
	exec(t, conn, "INSERT INTO kept VALUES (1, 'a')")
	fails(t, conn, "42P01", "SELECT layercake.repair('nosuch')")
	fails(t, conn, "42809", "SELECT layercake.repair('seen')")
	exec(t, conn, "CREATE ROLE guest LOGIN")
	fails(t, c.connAs(0, "guest"), "42501", "SELECT layercake.repair('kept')")
	c.stop(1)
	conn = c.conn(0)
	eventually(t, conn, "1", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
	if e := fails(t, conn, "53000", "SELECT layercake.repair('kept')"); !strings.Contains(e.Message, "n2") {
		t.Errorf("the error does not name the member that is away: %s", e.Message)
	}
	got := query(t, conn, "SELECT node, relation, ok FROM layercake.verify() WHERE relation IN ('', 'public.kept') ORDER BY node")
	if len(got) != 2 || !slices.Equal(got[0], []string{"n1", "public.kept", "t"}) || got[1][0] != "n2" || got[1][1] != "" {
		t.Errorf("with a member away verify says %v", got)
	}
}

// TestRepairOfTwo: where two members differ the log says which of them is right.
func TestRepairOfTwo(t *testing.T) {
	layercake(t)
	c := start(t, "dc1", "dc1")
	all := c.conn(0, "consistency=all")
	exec(t, all, "CREATE TABLE kept (id int PRIMARY KEY, v text)")
	exec(t, all, "INSERT INTO kept SELECT i, 'v' || i FROM generate_series(1, 100) i")
	exec(t, all, "UPDATE kept SET v = 'w' WHERE id = 4")
	want := one(t, all, "SELECT string_agg(id || v, ',' ORDER BY id) FROM kept")
	statements := []string{"DELETE FROM $t WHERE c1 = 50", "UPDATE $t SET c2 = 'x' WHERE c1 = 4",
		"INSERT INTO $t(_h, _o, c1, c2) SELECT _h, _o, 101, 'forged' FROM $t WHERE c1 = 1"}
	for i := range 8 {
		statements = append(statements, fmt.Sprintf("UPDATE $t SET c2 = 'flipped%d' WHERE c1 = %d", i, 60+i))
	}
	c.tamper(1, statements...)
	out, code := run(t, nil, "repair", "kept", "--url", c.url(0))
	if code != 0 || !strings.Contains(out, "11 row(s)") {
		t.Errorf("exit code %d: %s", code, out)
	}
	for i := range 2 {
		if got := one(t, c.conn(i), "SELECT string_agg(id || v, ',' ORDER BY id) FROM kept"); got != want {
			t.Errorf("node %d has not what was written: %s", i+1, got)
		}
	}
	out, code = run(t, nil, "verify", "--url", c.url(1))
	if code != 0 || !strings.Contains(out, "equal: ") {
		t.Errorf("verify: exit code %d: %s", code, out)
	}
	c.tamper(0, "UPDATE $t SET c2 = 'flipped' WHERE c1 = 60")
	out, code = run(t, nil, "verify", "--url", c.url(1))
	if code != 1 || !strings.Contains(out, "DIFFERENT: public.kept") || !strings.Contains(out, "(id)=(60)") {
		t.Errorf("verify of what differs: exit code %d: %s", code, out)
	}
	if _, code := run(t, nil, "repair"); code != 2 {
		t.Errorf("repair of nothing: exit code %d, want 2", code)
	}
}

// TestRepairTwiceAtOnce: repairs from two members do not undo each other.
func TestRepairTwiceAtOnce(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	exec(t, all, "CREATE TABLE kept (id int PRIMARY KEY, v text)")
	exec(t, all, "INSERT INTO kept SELECT i, 'v' || i FROM generate_series(1, 3000) i")
	want := one(t, all, "SELECT string_agg(id || v, ',' ORDER BY id) FROM kept")
	for round := range 3 {
		c.tamper(1, "UPDATE $t SET c2 = 'flipped' WHERE c1 = 60", "DELETE FROM $t WHERE c1 = 61")
		var wg sync.WaitGroup
		for i := range 3 {
			conn := c.conn(i)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 4*wait)
				defer cancel()
				if _, err := conn.Exec(ctx, "SELECT layercake.repair('kept')"); err != nil {
					t.Errorf("round %d, node %d: %v", round, i+1, err)
				}
			})
		}
		wg.Wait()
		for _, r := range query(t, c.conn(round), "SELECT * FROM layercake.verify() WHERE NOT ok") {
			t.Errorf("round %d: %v", round, r)
		}
		c.everywhere("[["+want+"]]", "SELECT string_agg(id || v, ',' ORDER BY id) FROM kept")
		c.verify()
	}
}

package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"layercake/server"
)

// TestRemoveAndReplace: a node that will not return is removed, quorums count the rest, and another takes its name.
func TestRemoveAndReplace(t *testing.T) {
	c := three(t)
	a := c.conn(0, "consistency=quorum")
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE t (id int PRIMARY KEY, v text)")
	exec(t, c.conn(2, "consistency=all"), "INSERT INTO t VALUES (1, 'from n3')")
	c.stop(2)
	exec(t, a, "INSERT INTO t VALUES (2, 'without n3')")
	exec(t, c.conn(0, "consistency=none"), "CREATE ROLE nobody LOGIN")
	fails(t, c.connAs(0, "nobody", "consistency=none"), "42501", "SELECT layercake.remove_node('n3')")
	fails(t, a, "42704", "SELECT layercake.remove_node('n9')")
	if got := one(t, a, "SELECT layercake.remove_node('n3')"); got != "n3 is removed" {
		t.Errorf("got %q", got)
	}
	if got := one(t, a, "SELECT string_agg(name, ',' ORDER BY name) FROM layercake.nodes"); got != "n1,n2" {
		t.Errorf("members %s", got)
	}
	exec(t, c.conn(1, "consistency=all"), "INSERT INTO t VALUES (3, 'of two')")

	// The old folder stays out: a node that learns of its removal serves nobody, and starts no more.
	n, err := server.New(c.cfgs[2])
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	err = n.Start(ctx)
	for end := time.Now().Add(wait); err == nil && !n.Removed() && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond) // a poll of a real node
	}
	if err == nil && !n.Removed() {
		t.Error("n3 has not learned of its removal")
	}
	if err := n.Close(ctx); err != nil {
		t.Error(err)
	}
	if n, err = server.New(c.cfgs[2]); err != nil {
		t.Fatal(err)
	}
	if err := n.Start(ctx); err == nil || !strings.Contains(err.Error(), "was removed from its cluster") {
		t.Errorf("a removed node starts: %v", err)
	}
	if err := n.Close(ctx); err != nil {
		t.Error(err)
	}

	c.cfgs[2].Dir += "-new"
	c.boot(2)
	if got := one(t, c.conn(2, "consistency=all"), "SELECT count(*) FROM t"); got != "3" {
		t.Errorf("the new n3 has %s rows", got)
	}
	c.verify()
}

// TestAQuietClusterHoldsNothing: rows that were inserted and deleted leave neither tombstones nor log behind, and the
// files stop growing; a node that joins then takes a snapshot while others write.
func TestAQuietClusterHoldsNothing(t *testing.T) {
	c := three(t)
	conn := c.conn(0, "consistency=quorum")
	exec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	exec(t, conn, "CREATE TABLE kept (id serial PRIMARY KEY, v text UNIQUE)")
	exec(t, conn, "INSERT INTO kept (v) SELECT 'kept ' || g FROM generate_series(1, 500) g")
	var sizes [3]int64 // the first round's rows may still be in the WAL when it is measured
	for round := range sizes {
		exec(t, conn, "INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g")
		exec(t, conn, "DELETE FROM t")
		for i := range c.nodes {
			n := c.conn(i)
			eventually(t, n, "0", "SELECT coalesce(sum(count), 0) FROM layercake.tombstones")
			c.eventuallyLog(i, 20)
		}
		sizes[round] = fileSize(t, filepath.Join(c.cfgs[1].Dir, "layercake.db"))
	}
	if sizes[2] > sizes[1]+sizes[1]/4 {
		t.Errorf("the file grew from %d to %d bytes", sizes[1], sizes[2])
	}

	writing, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		n := 0
		for ; writing.Err() == nil; n++ {
			if _, err := conn.Exec(context.Background(), "INSERT INTO kept (v) VALUES ($1)", fmt.Sprint("while it joins ", n)); err != nil {
				t.Error(err)
				break
			}
		}
		done <- n
	}()
	i := c.add("dc2")
	stop()
	written := <-done
	if got := one(t, c.conn(i, "consistency=all"), "SELECT count(*) FROM kept"); got != fmt.Sprint(500+written) {
		t.Errorf("the joiner has %s rows, want %d", got, 500+written)
	}
	exec(t, c.conn(i, "consistency=all"), "INSERT INTO kept (v) VALUES ('from the joiner')")
	fails(t, c.conn(i, "consistency=all"), "23505", "INSERT INTO kept (v) VALUES ('kept 7')")
	c.verify()
	c.stop(i)
	c.boot(i)
	c.verify()
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// eventuallyLog waits until a node's log holds no more than some entries.
func (c *cluster) eventuallyLog(i, entries int) {
	c.t.Helper()
	for end := time.Now().Add(wait); c.nodes[i].LogEntries() > entries; {
		if time.Now().After(end) {
			c.t.Fatalf("node %d still has a log of %d entries", i+1, c.nodes[i].LogEntries())
		}
		time.Sleep(10 * time.Millisecond) // a poll of a real node
	}
}

// TestRestoreOfAnOldFolder: a folder put back from a copy of before writes that the others have, and purged, brings
// nothing back and loses nothing.
func TestRestoreOfAnOldFolder(t *testing.T) {
	c := three(t)
	conn := c.conn(0, "consistency=all")
	exec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	exec(t, conn, "INSERT INTO t SELECT g, 'old' FROM generate_series(1, 20) g")
	c.stop(2)
	backup := filepath.Join(c.dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(c.cfgs[2].Dir)); err != nil {
		t.Fatal(err)
	}
	c.boot(2)
	exec(t, c.conn(0, "consistency=all"), "DELETE FROM t WHERE id <= 10")
	exec(t, c.conn(2, "consistency=all"), "UPDATE t SET v = 'new' WHERE id > 15")
	for i := range c.nodes {
		eventually(t, c.conn(i), "0", "SELECT coalesce(sum(count), 0) FROM layercake.tombstones")
		c.eventuallyLog(i, 20)
	}
	c.stop(2)
	if err := os.RemoveAll(c.cfgs[2].Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, c.cfgs[2].Dir); err != nil {
		t.Fatal(err)
	}
	c.bootOnly(2)
	for end := time.Now().Add(wait); c.nodes[2].LogEntries() == 0 || !c.tryWrite(2, "INSERT INTO t VALUES (100, 'after the restore')"); {
		if time.Now().After(end) {
			t.Fatal("the restored node does not come back")
		}
		time.Sleep(10 * time.Millisecond) // a poll of a real node
	}
	for i := range c.nodes {
		if got := one(t, c.conn(i, "consistency=quorum"), "SELECT count(*) || ' ' || count(*) FILTER (WHERE v = 'new') FROM t"); got != "11 5" {
			t.Errorf("node %d has %s rows, of which new", i+1, got)
		}
	}
	c.verify()
}

// tryWrite says whether a statement at level all was taken.
func (c *cluster) tryWrite(i int, sql string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.url(i))
	if err != nil {
		return false
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SET consistency = 'all'"); err != nil {
		return false
	}
	_, err = conn.Exec(ctx, sql)
	return err == nil
}

// TestLeaving: a node hands over what only it has, refuses statements from then on, and the others go on without it.
func TestLeaving(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE t (id int PRIMARY KEY)")
	conn := c.conn(2, "consistency=none")
	exec(t, conn, "INSERT INTO t SELECT generate_series(1, 2000)")
	if got := one(t, conn, "SELECT layercake.leave()"); !strings.HasPrefix(got, "n3 has left") {
		t.Errorf("got %q", got)
	}
	if e := fails(t, conn, "57P03", "INSERT INTO t VALUES (0)"); !strings.Contains(e.Message, "removed") || strings.Contains(e.Message, "transactions") {
		t.Errorf("the node that left says %q", e.Message)
	}
	all := c.conn(0, "consistency=all")
	if got := one(t, all, "SELECT count(*) FROM t"); got != "2000" {
		t.Errorf("%s rows were handed over", got)
	}
	if got := one(t, all, "SELECT count(*) FROM layercake.nodes"); got != "2" {
		t.Errorf("%s members", got)
	}
	exec(t, all, "DELETE FROM t")
}

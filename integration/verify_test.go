package integration

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // plain SQLite, to write behind the database's back
)

// writeSteadily has every node insert, update and delete rows of a table of its own and of one that all share, until
// the function returned is called, which returns how many statements there were.
func writeSteadily(t *testing.T, c *cluster) (stop func() int64) {
	t.Helper()
	done := make(chan struct{})
	var wg sync.WaitGroup
	var count atomic.Int64
	for i := range c.nodes {
		conn := c.conn(i)
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 4*wait)
			defer cancel()
			for k := 0; ; k++ {
				select {
				case <-done:
					return
				default:
				}
				for _, s := range []string{
					fmt.Sprintf("INSERT INTO shared VALUES (%d, 'n%d') ON CONFLICT (id) DO UPDATE SET v = excluded.v", k%97, i),
					fmt.Sprintf("DELETE FROM shared WHERE id = %d", (k+31)%97),
					fmt.Sprintf("INSERT INTO own VALUES (%d, %d, 0)", i, k),
					fmt.Sprintf("UPDATE own SET n = n + 1 WHERE node = %d", i),
				} {
					if _, err := conn.Exec(ctx, s); err != nil {
						t.Errorf("node %d: %s: %v", i+1, s, err)
						return
					}
					count.Add(1)
				}
				if k%50 == 49 {
					if _, err := conn.Exec(ctx, fmt.Sprintf("DELETE FROM own WHERE node = %d", i)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	return func() int64 {
		close(done)
		wg.Wait()
		return count.Load()
	}
}

const sharedTables = `CREATE TABLE shared (id int PRIMARY KEY, v text);
	CREATE TABLE own (node int, k int, n int)`

// TestDigestsWhileAllWrite: digests and verify are of one state on all members, though none ever stops writing.
func TestDigestsWhileAllWrite(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), sharedTables)
	stop := writeSteadily(t, c)
	for i := range c.nodes { // what never held a row has no digest
		eventually(t, c.conn(i), "t", "SELECT count(DISTINCT node) = 3 FROM own")
	}
	for round := range 5 {
		conn := c.conn(round % 3)
		rows := query(t, conn, "SELECT relation, count(*), count(DISTINCT digest), count(DISTINCT rows) FROM layercake.digests GROUP BY relation")
		if len(rows) < 3 {
			t.Errorf("digests of %v, want those of the tables and the schema", rows)
		}
		for _, r := range rows {
			if !slices.Equal(r[1:], []string{"3", "1", "1"}) {
				t.Errorf("digests: %s has %s rows, %s digests and %s counts, want 3, 1 and 1", r[0], r[1], r[2], r[3])
			}
		}
		for _, r := range query(t, conn, "SELECT node, relation, rows, digest, detail FROM layercake.verify() WHERE NOT ok") {
			t.Errorf("verify: %v", r)
		}
	}
	if n := stop(); n < 100 {
		t.Errorf("only %d statements ran meanwhile", n)
	}
	c.verify()
}

// tamper stops a node, changes its file with plain SQLite, and starts it again. $t stands for the table last created.
func (c *cluster) tamper(i int, statements ...string) {
	c.t.Helper()
	c.stop(i)
	db, err := sql.Open("sqlite3", filepath.Join(c.cfgs[i].Dir, "layercake.db"))
	if err != nil {
		c.t.Fatal(err)
	}
	var table string
	if err := db.QueryRow("SELECT 't' || max(num) FROM lc_objects WHERE kind = 'table'").Scan(&table); err != nil {
		c.t.Fatal(err)
	}
	for _, s := range statements {
		res, err := db.Exec(strings.ReplaceAll(s, "$t", table))
		if err != nil {
			c.t.Fatalf("%s: %v", s, err)
		}
		if n, _ := res.RowsAffected(); n != 1 {
			c.t.Fatalf("%s: %d rows, want 1", s, n)
		}
	}
	if err := db.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.boot(i)
}

// TestVerifyNamesWhatDiffers: rows that were changed behind the database's back are found and named, while all write.
func TestVerifyNamesWhatDiffers(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	exec(t, all, sharedTables)
	exec(t, all, "CREATE TABLE kept (id int PRIMARY KEY, v text, w int)")
	exec(t, all, "INSERT INTO kept SELECT i, 'v' || i, i FROM generate_series(1, 3000) i")
	c.tamper(1,
		"UPDATE $t SET c2 = 'flipped' WHERE c1 = 5",
		"DELETE FROM $t WHERE c1 = 77",
		"INSERT INTO $t(_h, _o, c1, c2, c3) SELECT _h, _o, 4000, 'forged', 0 FROM $t WHERE c1 = 1")
	stop := writeSteadily(t, c)
	for i := range 3 {
		conn := c.conn(i)
		got := query(t, conn, "SELECT node, relation, rows, detail FROM layercake.verify() WHERE NOT ok AND detail <> '' ORDER BY node")
		want := "other than elsewhere: (id)=(5); missing: (id)=(77); nowhere else: (id)=(4000); the rows changed without a write: 3000 rows, 3000 are recorded"
		if len(got) != 1 || got[0][0] != "n2" || got[0][1] != "public.kept" || got[0][3] != want {
			t.Errorf("asked on node %d, verify says %v, want n2, public.kept, %s", i+1, got, want)
		}
		// The digests that are kept with the writes cannot see it.
		if n := one(t, conn, "SELECT count(DISTINCT digest) FROM layercake.digests WHERE relation = 'public.kept'"); n != "1" {
			t.Errorf("%s digests are kept of public.kept", n)
		}
	}
	stop()
}

// figure reads one of a node's metrics.
func (c *cluster) figure(i int, name string) string {
	c.t.Helper()
	resp, err := http.Get("http://" + c.nodes[i].HTTPAddr() + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(body)
	if m == nil {
		c.t.Fatalf("node %d has no metric %s:\n%s", i+1, name, body)
	}
	return string(m[1])
}

// comes waits for something that no statement tells.
func comes(t *testing.T, what string, ok func() bool) {
	t.Helper()
	until(t, what, func() error {
		if !ok() {
			return errors.New("not in time")
		}
		return nil
	})
}

// TestDifferencesAreNoticed: without anybody's asking, digests are compared and rows are read, and what differs shows in
// the metrics.
func TestDifferencesAreNoticed(t *testing.T) {
	c := three(t)
	all := c.conn(0, "consistency=all")
	exec(t, all, "CREATE TABLE kept (id int PRIMARY KEY, v text)")
	exec(t, all, "INSERT INTO kept VALUES (1, 'a'), (2, 'b')")
	c.verify()
	for i := range c.nodes {
		c.cfgs[i].HTTPAddr, c.cfgs[i].VerifyInterval = "127.0.0.1:0", 50*time.Millisecond
	}
	c.tamper(0, "UPDATE $t SET c2 = 'flipped' WHERE c1 = 1")
	c.tamper(1)
	c.tamper(2)
	comes(t, "node 1 notices that its rows changed", func() bool { return c.figure(0, "layercake_changed_relations") == "1" })
	comes(t, "the others have read their rows", func() bool {
		return c.figure(1, "layercake_scan_passes_total") != "0" && c.figure(2, "layercake_scan_passes_total") != "0"
	})
	comparer := -1
	comes(t, "somebody compares the digests", func() bool {
		comparer = slices.IndexFunc([]int{0, 1, 2}, func(i int) bool { return c.figure(i, "layercake_digest_comparisons_total") != "0" })
		return comparer >= 0
	})
	for i := range c.nodes {
		if got := c.figure(i, "layercake_differing_relations"); got != "0" {
			t.Errorf("node %d: %s relations differ by their digests, want none", i+1, got)
		}
		if got := c.figure(i, "layercake_changed_relations"); (got == "1") != (i == 0) {
			t.Errorf("node %d: the rows of %s relations changed", i+1, got)
		}
	}
	c.tamper(1, "UPDATE lc_spaces SET rows = rows + 1 WHERE id = (SELECT id FROM lc_objects WHERE kind = 'table' ORDER BY num DESC LIMIT 1)")
	comes(t, "the difference shows", func() bool {
		return slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return c.figure(i, "layercake_differing_relations") == "1" })
	})
}

package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestFaultKillInSnapshot kills a node while it takes a snapshot in the place of an old copy of its folder, as it arrives
// and as it is put in place, while the others write. The next start goes on from what is left, and brings nothing back
// and loses nothing.
func TestFaultKillInSnapshot(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	nodes := processes(t, 3)
	loadTables(t, nodes[0])
	conn := dialNode(t, nodes[0], "consistency=all")
	exec(t, conn, "CREATE TABLE bulk (id int PRIMARY KEY, v text)")
	exec(t, conn, fmt.Sprintf("INSERT INTO bulk SELECT g, repeat('old', 100) FROM generate_series(1, %d) g", either(20_000, 200_000)))
	last := nodes[2]
	last.kill()
	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.CopyFS(backup, os.DirFS(last.folder())); err != nil {
		t.Fatal(err)
	}
	last.boot(t)
	well(t, nodes...)
	// What the copy lacks, and what is no longer in it.
	exec(t, conn, "UPDATE bulk SET v = repeat('new', 100) WHERE id % 2 = 0")
	exec(t, conn, "DELETE FROM bulk WHERE id % 10 = 0")
	for _, n := range nodes {
		quiet := dialNode(t, n, "")
		eventually(t, quiet, "0", "SELECT coalesce(sum(count), 0) FROM layercake.tombstones")
	}
	l := newLoad(t)
	l.everywhere(nodes[:2], 1, levels...)
	arriving, placing, placed := 0, 0, 0
	for round := range either(2, 40) {
		// It writes the snapshot into a folder of its own. Then the file moves twice, and has its old name again.
		there := func(name string) bool {
			got, err := filepath.Glob(filepath.Join(last.folder(), name))
			return err == nil && len(got) > 0
		}
		// As long as the others have the log that the copy lacks, no snapshot is needed: then once more, a little later.
		for try := 0; ; try++ {
			last.kill()
			if err := os.RemoveAll(last.folder()); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(last.folder(), os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
			if try == 0 {
				l.start()
			}
			last.spawn(t)
			if await(t, last, 5*time.Second, func() bool { return there("incoming-*") }) {
				break
			}
			if try == 5 {
				t.Fatalf("%s takes no snapshot:\n%s", last.name(), last.out)
			}
		}
		if round%2 == 0 {
			passes(t, time.Duration(rnd.IntN(either(60, 500)))*time.Millisecond) // the moment of the fault
		} else {
			if !await(t, last, wait, func() bool { return there("layercake.db.next") || !there("incoming-*") }) {
				t.Fatalf("%s does not end its snapshot:\n%s", last.name(), last.out)
			}
			passes(t, time.Duration(rnd.IntN(2000))*time.Microsecond)
		}
		last.kill()
		switch {
		case there("layercake.db.next"):
			placing++
		case there("incoming-*"):
			arriving++
		default:
			placed++
		}
		last.boot(t)
		l.more(at(nodes[0], "all"), 5)
		l.settled(nodes...)
	}
	t.Logf("%d kills while it arrived, %d while it was put in place, %d after that", arriving, placing, placed)
	if arriving+placing == 0 {
		t.Error("no kill met the snapshot")
	}
	for _, n := range nodes {
		if got := one(t, dialNode(t, n, "consistency=quorum"), "SELECT count(*) FILTER (WHERE id % 10 = 0) || ' ' || count(*) FILTER (WHERE (v LIKE 'new%') <> (id % 2 = 0)) || ' ' || count(*) FROM bulk"); got != fmt.Sprint("0 0 ", either(18_000, 180_000)) {
			t.Errorf("%s has %s", n.name(), got)
		}
	}
}

// await polls the folder of a running node for so long, and says whether what is waited for came.
func await(t *testing.T, n *node, limit time.Duration, is func() bool) bool {
	t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(100 * time.Microsecond) {
		select {
		case <-n.done:
			t.Fatalf("%s ended by itself: %v\n%s", n.name(), n.err, n.out)
		default:
		}
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

package integration

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// TestFaultKillAtStart kills nodes at random moments of their start: while they make their database, join, and come
// back. The next start goes on from whatever the last one has left.
func TestFaultKillAtStart(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	stillborn := func(n *node) {
		n.spawn(t)
		select {
		case <-time.After(time.Duration(rnd.IntN(either(250, 600))) * time.Millisecond): // the moment of the fault
		case <-n.done:
			t.Fatalf("it ended by itself: %v\n%s", n.err, n.out)
		}
		n.kill()
	}
	// One that creates its cluster, each time in a new folder.
	var first *node
	for i := range either(3, 40) {
		first = &node{args: []string{"--name", "n1", "--data", filepath.Join(dir, fmt.Sprint("first", i)), "--insecure"}}
		stillborn(first)
		first.boot(t)
		exec(t, dialNode(t, first, ""), "CREATE TABLE probe (k int PRIMARY KEY)")
		first.kill()
	}
	first.boot(t)
	loadTables(t, first)
	nodes := []*node{first}
	// Joiners. A second node that was registered counts from then on, joined or not.
	for _, name := range []string{"n2", "n3"} {
		n := &node{args: []string{"--name", name, "--data", filepath.Join(dir, name), "--insecure", "--join", first.gossip}}
		for range either(3, 30) {
			stillborn(n)
		}
		n.boot(t)
		nodes = append(nodes, n)
		well(t, nodes...)
	}
	// Members that come back, while clients write.
	l := newLoad(t)
	l.everywhere(nodes, 1, levels...)
	l.start()
	for range either(2, 30) {
		n := nodes[rnd.IntN(3)]
		sigkill(n)
		stillborn(n)
		n.boot(t)
		l.more(at(n, ""), 20)
	}
	l.settled(nodes...)
}

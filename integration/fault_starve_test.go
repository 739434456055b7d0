package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// walLimit is the --max-wal of the nodes in TestFaultStarve, in bytes.
const walLimit = 16 << 20

// TestFaultStarve: a client that sits in a writing transaction, a REPEATABLE READ transaction that does nothing, a query
// that takes for ever and a peer that stands still: none keeps other clients from writing or entries from being
// applied, and neither memory nor the WAL grows without bounds.
func TestFaultStarve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var nodes []*node
	for i := range 3 {
		name := fmt.Sprintf("n%d", i+1)
		n := &node{args: []string{"--name", name, "--data", filepath.Join(dir, name), "--insecure", "--max-wal", fmt.Sprint(walLimit >> 20)}}
		if i > 0 {
			n.args = append(n.args, "--join", nodes[0].gossip)
		}
		n.boot(t)
		nodes = append(nodes, n)
	}
	loadTables(t, nodes[0])
	exec(t, dialNode(t, nodes[0], "consistency=all"), "CREATE TABLE hot (k int PRIMARY KEY, n int)")
	exec(t, dialNode(t, nodes[0], "consistency=all"), "INSERT INTO hot VALUES (1, 0), (2, 0)")
	l := newLoad(t)
	l.everywhere(nodes, either(1, 2), levels...)
	l.value(strings.Repeat("x", 4000))
	l.start()
	l.more(at(nodes[2], "all"), 5)

	// All of it at once, on n1. The transaction that wrote keeps its row for itself, here, and nothing else.
	idle, repeatable := dialNode(t, nodes[0], ""), dialNode(t, nodes[0], "")
	exec(t, idle, "BEGIN")
	exec(t, idle, "UPDATE hot SET n = 1 WHERE k = 1")
	exec(t, repeatable, "BEGIN ISOLATION LEVEL REPEATABLE READ")
	exec(t, repeatable, "SELECT count(*) FROM hot")
	endless := make(chan error, 1)
	reader := dialNode(t, nodes[0], "")
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := reader.Exec(ctx, "SELECT count(*) FROM kv a, kv b, kv c, kv d, kv e")
		endless <- err
	}()
	began := time.Now()
	sizes := peaks(t, nodes...)
	exec(t, dialNode(t, nodes[1], "consistency=one"), "UPDATE hot SET n = 2 WHERE k = 2")
	exec(t, dialNode(t, nodes[0], ""), "UPDATE hot SET n = 3 WHERE k = 2")
	fails(t, dialNode(t, nodes[0], "lock_timeout=100ms"), "55P03", "UPDATE hot SET n = 3 WHERE k = 1")

	// A peer that does not read any more, while the rest goes on.
	l.more(at(nil, "quorum"), 50)
	freeze(t, nodes[2])
	slow := time.Now()
	l.more(at(nodes[0], "quorum"), either(200, 4000))
	l.more(at(nodes[1], "quorum"), either(200, 4000))
	passes(t, either(time.Second, 30*time.Second)-time.Since(slow))
	if err := nodes[2].cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}

	// The endless query and the snapshot end when the WAL has grown to its limit, and say why.
	if err := <-endless; sqlstate(err) != "40001" || !strings.Contains(err.Error(), "write-ahead log") {
		t.Errorf("the endless query ended with %v, want 40001 for its snapshot", err)
	}
	ended := time.Since(began)
	until(t, "the idle snapshot has ended", func() error {
		if !strings.Contains(nodes[0].out.String(), "a snapshot is ended") {
			return fmt.Errorf("nothing of it in the log")
		}
		return nil
	})
	fails(t, repeatable, "40001", "SELECT count(*) FROM hot")
	// With them gone the WAL starts anew, while the transaction that wrote is still open.
	l.more(at(nodes[0], ""), either(500, 4000))
	exec(t, idle, "COMMIT")
	wantOne(t, dialNode(t, nodes[0], ""), "1/3", "SELECT string_agg(n::text, '/' ORDER BY k) FROM hot")
	memory, wal := sizes()
	t.Logf("the query and the snapshot were ended after %v; %s", ended.Round(time.Millisecond), l)
	for i, n := range nodes {
		t.Logf("%s: at most %d MiB of memory, %d MiB of WAL", n.name(), memory[i]>>20, wal[i]>>20)
		// At twice the limit every snapshot ends; the rest is what is written until its query has noticed.
		if limit := int64(4 * walLimit); wal[i] > limit {
			t.Errorf("%s: its WAL grew to %d MiB, which is more than %d", n.name(), wal[i]>>20, limit>>20)
		}
		if memory[i] > 400<<20 {
			t.Errorf("%s: it took %d MiB of memory", n.name(), memory[i]>>20)
		}
	}
	l.settled(nodes...)
}

// peaks follows how large nodes' memory and WAL become, until the function that it returns tells.
func peaks(t *testing.T, nodes ...*node) func() (memory, wal []int64) {
	t.Helper()
	memory, wal := make([]int64, len(nodes)), make([]int64, len(nodes))
	over, done := make(chan struct{}), make(chan struct{})
	look := func() {
		for i, n := range nodes {
			memory[i] = max(memory[i], resident(t, n))
			wal[i] = max(wal[i], n.fileSize("layercake.db-wal"))
		}
	}
	look()
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				look()
			case <-over:
				return
			}
		}
	}()
	end := sync.OnceFunc(func() { close(over); <-done })
	t.Cleanup(end)
	return func() ([]int64, []int64) {
		end()
		return memory, wal
	}
}

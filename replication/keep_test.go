package replication_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
)

// keeping starts a cluster whose log is looked after often, and purged soon.
func keeping(t *testing.T, tweak func(*replication.Config), dcs ...string) (*network, []*node) {
	t.Helper()
	nw := newNetwork()
	var ns []*node
	for i, dc := range dcs {
		n := newNode(t, nw, fmt.Sprintf("n%d", i+1), dc, crdt.NodeID(i+1))
		n.tweak = func(c *replication.Config) {
			c.MarkEvery, c.MaxClockOffset = 50*time.Millisecond, 100*time.Millisecond
			if tweak != nil {
				tweak(c)
			}
		}
		n.start()
		if i == 0 {
			if err := n.Bootstrap(within(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
		} else if err := n.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
	for _, n := range ns {
		linked(t, n, replication.All)
	}
	return nw, ns
}

// tidy waits until a node holds no tombstone, and no log but for a few markers.
func (n *node) tidy(log int) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("%s is tidy", n.name), func() bool { return n.store.Tombstones() == 0 && n.store.LogLen() <= log })
}

// at is where an entry stands.
type at struct {
	origin crdt.Origin
	seq    uint64
}

func (n *node) remove(key string, level replication.Level) at {
	n.t.Helper()
	o, seq, err := n.store.Delete(key)
	n.store.Sync()
	if err == nil {
		err = n.Confirm(within(n.t, time.Minute), level, o, seq, time.Minute)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	return at{o, seq}
}

// TestAQuietClusterIsTidy: what was inserted and deleted leaves nothing behind, and markers do not answer each other. A
// joiner then takes a snapshot, and a member that was away keeps the others from purging until it is removed.
func TestAQuietClusterIsTidy(t *testing.T) {
	nw, ns := keeping(t, nil, "dc1", "dc1", "dc1")
	for i := range 60 {
		ns[i%3].mustPut(fmt.Sprint("k", i%7), fmt.Sprint(i), replication.Quorum)
	}
	for i := range 6 {
		ns[i%3].remove(fmt.Sprint("k", i), replication.Quorum)
	}
	for _, n := range ns {
		n.tidy(9)
	}
	settled := ns[0].store.Vector()
	for same := 0; same < 20; { // nothing more is written
		time.Sleep(20 * time.Millisecond) // what must not happen needs time not to happen in
		if v := ns[0].store.Vector(); v.Equal(settled) {
			same++
		} else {
			settled, same = v, 0
		}
	}

	joiner := newNode(t, nw, "n4", "dc1", 4)
	joiner.tweak = ns[0].tweak
	joiner.start()
	if err := joiner.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); err != nil {
		t.Fatal(err)
	}
	if got := joiner.get("k6"); got != "55" || len(joiner.store.Trimmed()) == 0 {
		t.Errorf("the joiner has %q, trimmed %v: not by a snapshot", got, joiner.store.Trimmed())
	}
	linked(t, joiner, replication.All)
	joiner.mustPut("k0", "back", replication.All)

	nw.Cut("n4", "n1", "n2", "n3")
	eventually(t, "n4 is away", func() bool { return ns[0].Check(replication.All, replication.Read) != nil })
	deleted := ns[0].remove("k0", replication.Quorum)
	ns[1].mustPut("x", "y", replication.Quorum)
	marked := func() bool {
		ms, _ := ns[0].store.Markers()
		return ms[2].At(deleted.origin) >= deleted.seq && ms[3].At(deleted.origin) >= deleted.seq
	}
	eventually(t, "the others have marked it", marked)
	if ns[0].store.Tombstones() != 1 || ns[0].store.LogLen() < 2 {
		t.Errorf("%d tombstones and a log of %d while n4 still needs them", ns[0].store.Tombstones(), ns[0].store.LogLen())
	}
	if _, err := ns[0].Remove(within(t, 20*time.Second), "n4"); err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		n.tidy(9)
	}
}

// cutReader breaks off after a while.
type cutReader struct {
	io.ReadCloser
	left int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.ReadCloser.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// brokenDonor is a store whose copies break off half-way, as long as broken is set.
type brokenDonor struct {
	replication.Store
	broken *atomic.Bool
}

func (b *brokenDonor) Copy(ctx context.Context) (io.ReadCloser, int64, error) {
	c, size, err := b.Store.Copy(ctx)
	if b.broken.CompareAndSwap(true, false) {
		return &cutReader{c, int(size / 2)}, size, err
	}
	return c, size, err
}

// TestAbsentBeyondTheCap: the others do not keep their logs for ever; the member that was away takes a snapshot when it
// comes back, from another donor if the first one fails, and what only it had written survives.
func TestAbsentBeyondTheCap(t *testing.T) {
	var broken atomic.Bool
	nw, ns := keeping(t, func(c *replication.Config) {
		c.LogCapBytes = 2000
		c.Store = &brokenDonor{c.Store, &broken}
	}, "dc1", "dc1", "dc1")
	ns[2].mustPut("mine", "before", replication.All)
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is away", func() bool { return ns[0].Check(replication.All, replication.Read) != nil })
	ns[2].mustPut("mine", "while away", replication.None)
	gone := ns[2].store.Vector()
	for i := range 100 {
		ns[i%2].mustPut(fmt.Sprint("k", i), fmt.Sprint("while n3 was away ", i), replication.Quorum)
	}
	for _, n := range ns[:2] {
		eventually(t, n.name+" trims without it", func() bool { return !gone.Covers(n.store.Trimmed()) })
	}
	broken.Store(true)
	nw.Heal("n3", "n1", "n2")
	eventually(t, "n3 has caught up", func() bool { return ns[2].get("k99") != "" && ns[2].Fenced() == nil })
	if broken.Load() {
		t.Error("no donor failed")
	}
	for _, n := range ns {
		eventually(t, n.name+" has what n3 wrote while away", func() bool { return n.get("mine") == "while away" })
	}
	linked(t, ns[2], replication.All)
	ns[2].mustPut("mine", "after", replication.All)
	eventually(t, "all are equal", func() bool {
		return ns[0].store.Vector().Equal(ns[2].store.Vector()) && ns[1].store.Vector().Equal(ns[2].store.Vector())
	})
}

// TestAnOldCopy: a node put back from an old copy of its folder is told so by the others, serves nobody until it has caught
// up with enough of them, loses nothing that they hold and nothing that it writes afterwards.
func TestAnOldCopy(t *testing.T) {
	nw, ns := keeping(t, nil, "dc1", "dc1", "dc1")
	ns[1].mustPut("a", "before", replication.All)
	old := ns[1].store.Backup()
	ns[1].mustPut("a", "after the copy", replication.All)
	ns[0].mustPut("b", "acknowledged by it", replication.All)
	ns[1].Close()
	nw.Cut("n2", "n3") // one of the two that it needs
	ns[1].store = old
	ns[1].start()
	eventually(t, "n2 knows", func() bool { return ns[1].Fenced() != nil })
	wantCode(t, ns[1].Fenced(), pgerror.CannotConnectNow, "old copy")
	eventually(t, "n2 takes what n1 has", func() bool { return ns[1].get("b") != "" && ns[1].get("a") == "after the copy" })
	wantCode(t, ns[1].Fenced(), pgerror.CannotConnectNow, "old copy")
	state := func(at *node) string { return at.Members()[1].State }
	if a, b := state(ns[0]), state(ns[1]); a != "recovering" || b != a {
		t.Errorf("n2 is shown as %s and, by itself, %s", a, b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	o, seq, _ := ns[0].store.Commit("c", "while n2 does not count")
	if err := ns[0].Confirm(ctx, replication.All, o, seq, time.Minute); err == nil {
		t.Error("a node that was rolled back counts")
	}
	nw.Heal("n2", "n3")
	eventually(t, "n2 serves", func() bool { return ns[1].Fenced() == nil })
	for _, n := range ns {
		linked(t, n, replication.All)
	}
	eventually(t, "it is shown", func() bool { return state(ns[0]) == "alive" && state(ns[1]) == "alive" })
	ns[1].mustPut("a", "after all", replication.All)
	for _, n := range ns {
		if n.get("a") != "after all" || n.get("b") == "" || n.get("c") == "" {
			t.Errorf("%s has %q %q %q", n.name, n.get("a"), n.get("b"), n.get("c"))
		}
	}
}

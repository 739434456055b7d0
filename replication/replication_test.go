package replication_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
	"layercake/replication/memstore"
)

func wantCode(t *testing.T, err error, code string, words ...string) {
	t.Helper()
	if pgerror.Code(err) != code {
		t.Fatalf("got %v, want SQLSTATE %s", err, code)
	}
	text := err.Error() + pgerror.From(err).Detail + pgerror.From(err).Hint
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
}

func TestEveryLevelOfThreeNodes(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc2")
	for _, level := range []replication.Level{replication.None, replication.One, replication.Two, replication.Quorum,
		replication.LocalQuorum, replication.EachQuorum, replication.All} {
		for _, n := range ns {
			n.mustPut("k-"+level.String(), n.name, level)
			if err := n.Barrier(within(t, time.Minute), level, time.Minute); err != nil {
				t.Errorf("%s: barrier at %s: %v", n.name, level, err)
			}
			if err := n.WriteBack(within(t, time.Minute), level, n.store.Vector(), time.Minute); err != nil {
				t.Errorf("%s: write-back at %s: %v", n.name, level, err)
			}
		}
	}
	ns[0].mustPut("everywhere", "yes", replication.All)
	for _, n := range ns {
		if got := n.get("everywhere"); got != "yes" {
			t.Errorf("%s has %q after a write at all", n.name, got)
		}
	}
	wantCode(t, ns[0].Check(replication.Three, replication.Write), pgerror.InsufficientResources, "three", "3 of 2 other members")
}

func TestAQuorumReadSeesWhatAQuorumWrote(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc1")
	for i := range 50 {
		w, r := ns[i%3], ns[(i+1)%3]
		value := time.Duration(i).String()
		w.mustPut("k", value, replication.Quorum)
		if err := r.Barrier(within(t, time.Minute), replication.Quorum, time.Minute); err != nil {
			t.Fatal(err)
		}
		if got := r.get("k"); got != value {
			t.Fatalf("write %d: read %q, want %q", i, got, value)
		}
	}
}

func TestOneNodeDown(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc2")
	ns[2].Close()
	eventually(t, "n1 notices", func() bool { return ns[0].Check(replication.All, replication.Write) != nil })
	ns[0].mustPut("k", "v", replication.Quorum)
	ns[0].mustPut("k", "v", replication.LocalQuorum)
	wantCode(t, ns[0].Check(replication.All, replication.Write), pgerror.InsufficientResources,
		"write consistency level all", "3 of 3 members", "2 can be reached", "not n3", "nothing was written", "retry")
	wantCode(t, ns[0].Check(replication.EachQuorum, replication.Read), pgerror.InsufficientResources, "each_quorum", "n3")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	o, seq, _ := ns[0].store.Commit("late", "v")
	wantCode(t, ns[0].Confirm(ctx, replication.All, o, seq, time.Minute), pgerror.StatementCompletionUnknown,
		"all", "2 of 3 acks", "kept", replication.TransactionID(o, seq), "n3")
	// The node comes back with what it had, at another address, and catches up from the log.
	ns[2].store = ns[2].store.Crash()
	ns[2].start()
	eventually(t, "n3 catches up", func() bool { return ns[2].get("late") == "v" })
	if err := ns[2].Settle(within(t, 20*time.Second), replication.All); err != nil {
		t.Error(err)
	}
	linked(t, ns[0], replication.All)
	ns[1].mustPut("k2", "v2", replication.All)
	for _, m := range ns[0].Members() {
		if m.Name == "n3" && m.RPCAddr != ns[2].Addr() {
			eventually(t, "n3's new address is in the list", func() bool {
				for _, m := range ns[0].Members() {
					if m.Name == "n3" {
						return m.RPCAddr == ns[2].Addr()
					}
				}
				return false
			})
		}
	}
}

func TestAMinorityIsRefusedAndHeals(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is alone", func() bool { return ns[2].Check(replication.One, replication.Write) != nil })
	wantCode(t, ns[2].Check(replication.Quorum, replication.Write), pgerror.InsufficientResources, "n1", "n2")
	ns[2].mustPut("alone", "n3", replication.None)
	ns[0].mustPut("together", "n1", replication.Quorum)
	if got := ns[2].get("together"); got != "" {
		t.Errorf("n3 has %q across a partition", got)
	}
	began := time.Now()
	wantCode(t, ns[2].Barrier(within(t, time.Minute), replication.Quorum, time.Minute), pgerror.InsufficientResources, "read consistency level quorum",
		"not n1, n2", "nothing was written")
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	wantCode(t, ns[2].Settle(within(t, 10*time.Millisecond), replication.Quorum), pgerror.InsufficientResources)
	nw.Heal("n3", "n1", "n2")
	eventually(t, "both sides have both", func() bool {
		return ns[2].get("together") == "n1" && ns[0].get("alone") == "n3" && ns[1].get("alone") == "n3"
	})
}

func TestARelayStandsIn(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	nw.Cut("n1", "n3")
	eventually(t, "the link is down", func() bool { return ns[0].Check(replication.All, replication.Write) != nil })
	ns[0].mustPut("k", "over n2", replication.Quorum)
	eventually(t, "n3 has it by n2", func() bool { return ns[2].get("k") == "over n2" })
	// The write that n3 acknowledged reaches n1 in n2's words too: by its link to n2, not to n1.
	ns[2].mustPut("back", "over n2", replication.Quorum)
	eventually(t, "n1 has it by n2", func() bool { return ns[0].get("back") == "over n2" })
	nw.Heal("n1", "n3")
	linked(t, ns[0], replication.All)
	ns[0].mustPut("k", "direct", replication.All)
}

func TestALateJoinerCatchesUp(t *testing.T) {
	nw, ns := newCluster(t, "dc1")
	for i := range 500 {
		ns[0].mustPut("k"+time.Duration(i).String(), "v", replication.Quorum)
	}
	late := newNode(t, nw, "late", "dc1", 77)
	late.start()
	if late.IsMember() {
		t.Fatal("a member before joining")
	}
	wantCode(t, late.Check(replication.One, replication.Read), pgerror.CannotConnectNow)
	if err := late.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); err != nil {
		t.Fatal(err)
	}
	if got, want := len(late.store.Rows()), 500; got != want {
		t.Errorf("%d rows when Join returned, want %d", got, want)
	}
}

func TestRefusedJoiners(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1")
	twin := newNode(t, nw, "n2", "dc1", 99)
	twin.start()
	err := twin.Join(within(t, 20*time.Second), []string{ns[0].Addr()})
	wantCode(t, err, pgerror.InvalidParameterValue, `"n2" belongs to another member`)
	if !errors.Is(err, replication.ErrNameTaken) {
		t.Errorf("%v is no ErrNameTaken", err)
	}
	other := newNode(t, nw, "other", "dc1", 98)
	other.start()
	if err := other.Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if len(ns[0].Members()) != 2 {
		t.Errorf("members: %v", ns[0].Members())
	}
}

func TestBlocksOfNumbersAreGivenOnce(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc1")
	type block struct {
		start int64
		err   error
	}
	out := make(chan block)
	for i := range 30 {
		go func() {
			start, err := ns[i%3].Grant(within(t, 30*time.Second), "seq", -5, 10)
			out <- block{start, err}
		}()
	}
	seen := map[int64]bool{}
	for range 30 {
		b := <-out
		if b.err != nil {
			t.Fatal(b.err)
		}
		if seen[b.start] || (b.start+5)%10 != 0 {
			t.Errorf("block %d twice or unaligned", b.start)
		}
		seen[b.start] = true
	}
	if err := ns[1].ResetRegister(context.Background(), "seq", 7000); err != nil {
		t.Fatal(err)
	}
	if start, err := ns[2].Grant(context.Background(), "seq", -5, 1); err != nil || start != 7000 {
		t.Errorf("got %d, %v after a reset to 7000", start, err)
	}
}

func TestANodeAheadOfTheOthersFencesItself(t *testing.T) {
	nw := newNetwork()
	var ns []*node
	for i, name := range []string{"n1", "n2", "n3"} {
		n := newNode(t, nw, name, "dc1", crdt.NodeID(i+1))
		if name == "n3" {
			n.tweak = func(c *replication.Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } }
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
	eventually(t, "n3 is fenced", func() bool { return ns[2].Fenced() != nil })
	wantCode(t, ns[2].Fenced(), pgerror.CannotConnectNow, "ahead")
	if err := ns[0].Fenced(); err != nil {
		t.Errorf("n1 is fenced: %v", err)
	}
}

// TestAnEntryFromTheFutureWaits has a node whose store stamps an hour ahead: the others hold its entries back, say so,
// and go on with everybody else's.
func TestAnEntryFromTheFutureWaits(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1")
	ahead := memstore.New(memstore.Config{Self: 1, Now: func() time.Time { return time.Now().Add(time.Hour) }})
	o, seq, _ := ahead.Commit("k", "from the future")
	entries, _ := ahead.Entries(context.Background(), o, seq, 1<<20)
	ns[0].store.Inject(entries)
	eventually(t, "n2 says that it waits", func() bool {
		for _, s := range ns[1].Streams() {
			if s.PeerName == "n1" && strings.HasPrefix(s.State, "waiting: ") && strings.Contains(s.State, "max_clock_offset") {
				return true
			}
		}
		return false
	})
	if got := ns[1].get("k"); got != "" {
		t.Errorf("n2 applied %q", got)
	}
	ns[1].mustPut("other", "w", replication.None)
	eventually(t, "n2's own writes pass", func() bool { return ns[0].get("other") == "w" })
}

// TestAMemberStaysInItsDataCentre: local_quorum counts it there.
func TestAMemberStaysInItsDataCentre(t *testing.T) {
	_, ns := newCluster(t, "dc1")
	ns[0].Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := replication.New(replication.Config{Store: ns[0].store.Crash(), Name: "n1", DC: "dc2", Listener: l})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Start(context.Background()); err == nil || !strings.Contains(err.Error(), `"dc1"`) {
		t.Errorf("started in another data centre: %v", err)
	}
}

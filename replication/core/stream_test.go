package core_test

import (
	"errors"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// entry makes an entry by hand.
func entry(o crdt.Origin, seq uint64, deps crdt.Vector) crdt.Entry {
	return crdt.Entry{Origin: o, Seq: seq, HLC: crdt.MakeHLC(simEpoch), Deps: deps, Bytes: make([]byte, 100)}
}

func origin(node crdt.NodeID, epoch crdt.HLC) crdt.Origin {
	return crdt.Origin{Node: node, Epoch: crdt.Epoch{First: epoch}}
}

// subscriptions takes the messages for a peer and returns what it is asked for.
func subscriptions(n *core.Node, id crdt.NodeID) []core.Subscribe {
	var out []core.Subscribe
	for {
		m, ok := n.NextMessage(id)
		if !ok {
			return out
		}
		if s, ok := m.(core.Subscribe); ok {
			out = append(out, s)
		}
	}
}

func seqs(entries []crdt.Entry) []uint64 {
	var out []uint64
	for _, e := range entries {
		out = append(out, e.Seq)
	}
	return out
}

// TestEntriesAreHeldBack until what they depend on is applied, and then go in one batch.
func TestEntriesAreHeldBack(t *testing.T) {
	a, b := origin(2, 1), origin(3, 1)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: a, List: []crdt.Entry{entry(a, 1, nil), entry(a, 2, crdt.Vector{b: 1}), entry(a, 3, nil)}})
	batch := n.NextBatch(simEpoch)
	if got := seqs(batch); len(got) != 1 || got[0] != 1 {
		t.Fatalf("may apply %v, want entry 1 alone", got)
	}
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: b, List: []crdt.Entry{entry(b, 1, nil)}})
	if got := n.NextBatch(simEpoch); got != nil {
		t.Fatalf("a second batch while one is being applied: %v", seqs(got))
	}
	n.Applied(simEpoch, crdt.Vector{a: 1}, nil)
	batch = n.NextBatch(simEpoch)
	if len(batch) != 3 || batch[0].Origin != b || batch[1].Seq != 2 || batch[2].Seq != 3 {
		t.Fatalf("got %d entries, want b1, a2, a3", len(batch))
	}
	// Acks speak of it only now (rule E1).
	for {
		m, ok := n.NextMessage(2)
		if !ok {
			break
		}
		if h, ok := m.(core.Have); ok && (h.Delta[a] > 1 || h.Delta[b] > 0) {
			t.Errorf("%v is acknowledged before it is durable", h.Delta)
		}
	}
	n.Applied(simEpoch, crdt.Vector{a: 3, b: 1}, nil)
	m, ok := n.NextMessage(2)
	if h, is := m.(core.Have); !ok || !is || h.Delta[a] != 3 || h.Delta[b] != 1 {
		t.Errorf("after the sync: %T %v, want an ack of a3 and b1", m, m)
	}
}

// TestAFailingEntryHoldsUpItsOriginOnly: after an error entries are tried one by one.
func TestAFailingEntryHoldsUpItsOriginOnly(t *testing.T) {
	a, b := origin(2, 1), origin(3, 1)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: a, List: []crdt.Entry{entry(a, 1, nil)}})
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: b, List: []crdt.Entry{entry(b, 1, nil)}})
	bad := errors.New("hash of the previous entry differs")
	v := crdt.Vector{}
	for range 4 {
		batch := n.NextBatch(simEpoch)
		failed := false
		for _, e := range batch {
			failed = failed || e.Origin == a
		}
		if failed {
			n.Applied(simEpoch, v, bad)
			continue
		}
		for _, e := range batch {
			v[e.Origin] = e.Seq
		}
		n.Applied(simEpoch, v, nil)
	}
	if v[b] != 1 {
		t.Error("b1 was held up by a1")
	}
	said := false
	for _, s := range n.Streams(simEpoch) {
		said = said || s.Origin == a && s.State == "waiting: "+bad.Error()
	}
	if !said {
		t.Errorf("the streams do not say why a waits: %+v", n.Streams(simEpoch))
	}
	if got := n.NextBatch(simEpoch.Add(time.Second)); len(got) != 1 || got[0].Origin != a {
		t.Errorf("a1 is not tried again: %v", seqs(got))
	}
}

// TestE3 has a node learn of a newer epoch while an entry of the old one is held back: it is dropped, and asked for
// anew, from a log.
func TestE3(t *testing.T) {
	old, newer, dep := origin(2, 1), origin(2, 9), origin(3, 1)
	for _, without := range []bool{false, true} {
		n, list := testNode("aaa", core.Knobs{KeepHeld: without})
		up(n, list, simEpoch, nil, 2, 3)
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: old, List: []crdt.Entry{entry(old, 1, crdt.Vector{dep: 1})}})
		n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{newer: 1, old: 1}})
		n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: dep, List: []crdt.Entry{entry(dep, 1, nil)}})
		applies := false
		for _, e := range n.NextBatch(simEpoch) {
			applies = applies || e.Origin == old
		}
		if applies != without {
			t.Errorf("rule out: %v; the held entry of the ended epoch is applied: %v", without, applies)
		}
		if without {
			continue
		}
		n.Applied(simEpoch, crdt.Vector{dep: 1}, nil)
		// What still comes in the old way is not taken either.
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: old, List: []crdt.Entry{entry(old, 1, nil)}})
		if got := n.NextBatch(simEpoch); got != nil {
			t.Error("an unasked entry of an ended epoch is applied")
		}
		n.Tick(simEpoch)
		var sub core.Subscribe
		from := crdt.NodeID(0)
		for _, id := range []crdt.NodeID{2, 3} {
			for _, s := range subscriptions(n, id) {
				if s.Origin == old && s.From > 0 {
					sub, from = s, id
				}
			}
		}
		if from == 0 || sub.From != 1 {
			t.Fatalf("the ended epoch is not subscribed to: %+v", sub)
		}
		n.Receive(simEpoch, from, core.Entries{Version: 1, Origin: old, Sub: sub.Sub, List: []crdt.Entry{entry(old, 1, nil)}})
		if got := n.NextBatch(simEpoch); len(got) != 1 {
			t.Error("the entry that was asked for is not applied")
		}
	}
}

// TestE3AfterAFailedBatch: what was being applied when its epoch ended, and could not be, is dropped like what is held back.
func TestE3AfterAFailedBatch(t *testing.T) {
	old, newer := origin(2, 1), origin(2, 9)
	for _, without := range []bool{false, true} {
		n, list := testNode("aaa", core.Knobs{KeepHeld: without})
		up(n, list, simEpoch, nil, 2, 3)
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: old, List: []crdt.Entry{entry(old, 1, nil)}})
		if len(n.NextBatch(simEpoch)) != 1 {
			t.Fatal("nothing is applied")
		}
		n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{newer: 1}})
		n.Applied(simEpoch, crdt.Vector{}, errors.New("the disk is full"))
		if again := len(n.NextBatch(simEpoch.Add(time.Second))) == 1; again != without {
			t.Errorf("rule out: %v; the entry of the ended epoch is tried again: %v", without, again)
		}
	}
}

// TestARelayIsAskedAndDismissed: an origin that is not linked is subscribed to at who has it, and when that one dies at
// another; when the origin is back, it sends itself.
func TestARelayIsAskedAndDismissed(t *testing.T) {
	a := origin(2, 1)
	n, list := testNode("aaaa", core.Knobs{})
	up(n, list, simEpoch, nil, 3, 4)
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{a: 2}})
	subs := subscriptions(n, 3)
	if len(subs) != 1 || subs[0].Origin != a || subs[0].From != 1 {
		t.Fatalf("subscriptions at 3: %+v", subs)
	}
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: a, Sub: subs[0].Sub, List: []crdt.Entry{entry(a, 1, nil)}})
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: a, Sub: subs[0].Sub + 1, List: []crdt.Entry{entry(a, 2, nil)}})
	batch := n.NextBatch(simEpoch)
	if len(batch) != 1 {
		t.Fatalf("%d entries, want the one of the right subscription", len(batch))
	}
	n.Receive(simEpoch, 4, core.Have{Version: 1, Delta: crdt.Vector{a: 2}})
	n.Down(simEpoch, 3)
	if subs = subscriptions(n, 4); len(subs) != 1 || subs[0].From != 2 {
		t.Fatalf("subscriptions at 4 after 3 died: %+v", subs)
	}
	n.Applied(simEpoch, crdt.Vector{a: 1}, nil)
	up(n, list, simEpoch, crdt.Vector{a: 2}, 2)
	n.Tick(simEpoch)
	if subs = subscriptions(n, 4); len(subs) != 0 {
		t.Errorf("before the origin itself sent anything: %+v", subs)
	}
	n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: a, List: []crdt.Entry{entry(a, 2, nil)}})
	if subs = subscriptions(n, 4); len(subs) != 1 || subs[0].From != 0 {
		t.Errorf("4 is still to relay: %+v", subs)
	}
	if got := n.NextBatch(simEpoch); len(got) != 1 {
		t.Error("what the origin sends itself is not taken")
	}
}

// TestASilentOriginIsAskedOfAnother: it is linked, and yet nothing comes of what another has.
func TestASilentOriginIsAskedOfAnother(t *testing.T) {
	a := origin(2, 1)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{a: 1}})
	n.Tick(simEpoch)
	if subs := subscriptions(n, 3); len(subs) != 0 {
		t.Fatalf("asked at once: %+v", subs)
	}
	now := simEpoch
	for range 50 {
		now = now.Add(50 * time.Millisecond)
		n.Receive(now, 2, core.Ping{})
		n.Receive(now, 3, core.Ping{})
		n.Tick(now)
	}
	if subs := subscriptions(n, 3); len(subs) != 1 || subs[0].From != 1 {
		t.Errorf("after 2.5 s of silence: %+v, want one subscription", subs)
	}
}

// TestTheWindow: no more is sent than the peer acknowledges, and reading goes round the origins.
func TestTheWindow(t *testing.T) {
	own, other := origin(1, 1), origin(3, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}}}
	n := core.New(core.Config{Self: list.Members[0], Window: 1000, MaxRead: 400}, core.State{List: list}, simEpoch)
	n.Advance(simEpoch, crdt.Vector{own: 100, other: 100})
	up(n, list, simEpoch, nil, 2)
	n.Receive(simEpoch, 2, core.Subscribe{Origin: other, From: 11, Sub: 5})
	sent := map[crdt.Origin]uint64{}
	var turns []crdt.Origin
	for {
		r, ok := n.NextRead(2)
		if !ok {
			break
		}
		if want := max(sent[r.Origin], map[crdt.Origin]uint64{other: 10}[r.Origin]) + 1; r.From != want {
			t.Errorf("reads %v from %d, want %d", r.Origin, r.From, want)
		}
		k := uint64(r.MaxBytes / 100)
		if !n.Sent(simEpoch, r, repeat(100, int(k))) {
			t.Fatal("what was read is not wanted")
		}
		sent[r.Origin] = r.From + k - 1
		turns = append(turns, r.Origin)
	}
	if sent[own] != 10 || sent[other] != 20 {
		t.Errorf("sent %v unacknowledged, want 1,000 bytes of each", sent)
	}
	if turns[0] == turns[1] {
		t.Errorf("one origin twice in a row: %v", turns)
	}
	n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: 7}})
	if r, ok := n.NextRead(2); !ok || r.Origin != own || r.From != 11 || r.MaxBytes != 400 {
		t.Errorf("after acks of 7: %+v, %v", r, ok)
	}
}

func repeat(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// TestAnEntryLargerThanTheWindow is sent all the same.
func TestAnEntryLargerThanTheWindow(t *testing.T) {
	own := origin(1, 1)
	n, list := testNode("aa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{own: 2})
	up(n, list, simEpoch, nil, 2)
	r, ok := n.NextRead(2)
	if !ok || !n.Sent(simEpoch, r, []int{1 << 30}) {
		t.Fatal("not sent")
	}
	if _, ok := n.NextRead(2); ok {
		t.Error("another one before the first is acknowledged")
	}
	n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: 1}})
	if _, ok := n.NextRead(2); !ok {
		t.Error("nothing after the ack")
	}
}

// TestASilentPeerIsCutOff, also one that is half-open: it takes what is sent and says nothing.
func TestASilentPeerIsCutOff(t *testing.T) {
	n, list := testNode("aa", core.Knobs{})
	up(n, list, simEpoch, nil, 2)
	var cut time.Duration
	for d := time.Duration(0); d < 10*time.Second && cut == 0; d += 50 * time.Millisecond {
		n.Tick(simEpoch.Add(d))
		if len(n.Closes()) > 0 {
			cut = d
		}
	}
	if cut < 2*time.Second || cut > 3*time.Second {
		t.Errorf("cut off after %v, want 2.5 s", cut)
	}
}

// TestWhatIsHeldBackIsOneChain: entries that wait for what nobody has any more, since their origin and the writer of that
// were rolled back together, are dropped once others come that do not follow them (seed 200579).
func TestWhatIsHeldBackIsOneChain(t *testing.T) {
	o, gone := origin(3, 1), origin(2, 1)
	n, list := testNode("aaa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{o: 1})
	up(n, list, simEpoch, crdt.Vector{o: 1}, 2, 3)
	chain := func(seq uint64, deps crdt.Vector, prev, hash byte) crdt.Entry {
		e := entry(o, seq, deps)
		e.Prev, e.Hash = [32]byte{prev}, [32]byte{hash}
		return e
	}
	old := []crdt.Entry{chain(2, crdt.Vector{gone: 7}, 1, 2), chain(3, nil, 2, 3)}
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: o, List: old})
	if got := n.NextBatch(simEpoch); got != nil {
		t.Fatalf("%v is applied before what it depends on", seqs(got))
	}
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: o, List: []crdt.Entry{chain(4, nil, 30, 40)}})
	for now := simEpoch; now.Before(simEpoch.Add(5 * time.Second)); now = now.Add(100 * time.Millisecond) {
		n.Tick(now)
		for _, id := range []crdt.NodeID{2, 3} {
			n.Receive(now, id, core.Pong{})
			for m, ok := n.NextMessage(id); ok; m, ok = n.NextMessage(id) {
				if s, is := m.(core.Subscribe); is && s.Origin == o && s.From == 2 {
					return
				}
			}
		}
	}
	t.Error("the entries from 2 on are not asked for again")
}

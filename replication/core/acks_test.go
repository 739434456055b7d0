package core_test

import (
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// acked takes the small messages for a peer and returns what they say is durable here, and the subscriptions.
func acked(n *core.Node, id crdt.NodeID) (crdt.Vector, []core.Subscribe) {
	v, subs := crdt.Vector{}, []core.Subscribe(nil)
	for {
		m, ok := n.NextMessage(id)
		if !ok {
			return v, subs
		}
		switch m := m.(type) {
		case core.Have:
			v.Merge(m.Delta)
		case core.Subscribe:
			subs = append(subs, m)
		}
	}
}

// TestAnAckBeforeTheCommitIsTold: a peer acknowledges an own entry that was read from the log before Advance told of it.
// Nobody is to be asked for it.
func TestAnAckBeforeTheCommitIsTold(t *testing.T) {
	own := origin(1, 5)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Advance(simEpoch, crdt.Vector{own: 1})
	r, ok := n.NextRead(3)
	if !ok || !n.Sent(simEpoch, r, []int{100, 100}) { // the log has two by now
		t.Fatal("nothing is sent")
	}
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{own: 2}})
	for d := time.Duration(0); d < 10*time.Second; d += 50 * time.Millisecond {
		n.Heard(simEpoch.Add(d), 2)
		n.Heard(simEpoch.Add(d), 3)
		n.Tick(simEpoch.Add(d))
	}
	if _, subs := acked(n, 3); len(subs) > 0 {
		t.Errorf("it subscribes to what it writes itself: %+v", subs)
	}
	if _, done := n.Confirm(simEpoch, core.One, own, 2); !done {
		t.Error("the early ack does not count")
	}
	n.Advance(simEpoch, crdt.Vector{own: 2})
	if v, _ := acked(n, 3); v[own] > 0 {
		t.Error("3 is told of what the entries have told")
	}
	if r, ok := n.NextRead(3); ok {
		t.Errorf("entry 2 is sent twice: %+v", r)
	}
	if r, ok := n.NextRead(2); !ok || r.From != 1 {
		t.Errorf("2 is sent %+v, %v, want entries from 1 on", r, ok)
	}
}

// TestAnEarlierEpochOfItsOwnIsAskedFor: a folder was restored from an old copy, and others have more of what this node
// wrote in an earlier life.
func TestAnEarlierEpochOfItsOwnIsAskedFor(t *testing.T) {
	past, own := origin(1, 5), origin(1, 9)
	for _, written := range []bool{false, true} {
		_, list := testNode("aaa", core.Knobs{})
		n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, Vector: crdt.Vector{past: 5}}, simEpoch)
		if written {
			n.Advance(simEpoch, crdt.Vector{past: 5, own: 1})
		}
		up(n, list, simEpoch, crdt.Vector{past: 7}, 2)
		if _, subs := acked(n, 2); len(subs) != 1 || subs[0].Origin != past || subs[0].From != 6 {
			t.Errorf("written: %v; subscriptions %+v, want one from 6 on", written, subs)
		}
	}
}

// TestAcksOfASubscribedOrigin: a peer is acknowledged what it has already, although it subscribed to it here: no entries
// will tell.
func TestAcksOfASubscribedOrigin(t *testing.T) {
	theirs, third := origin(2, 1), origin(3, 1)
	t.Run("its own", func(t *testing.T) {
		n, list := testNode("aaa", core.Knobs{})
		n.Advance(simEpoch, crdt.Vector{theirs: 1})
		up(n, list, simEpoch, crdt.Vector{theirs: 1}, 2)
		n.Receive(simEpoch, 2, core.Subscribe{Origin: theirs, From: 2, Sub: 1})
		for seq := uint64(2); seq < 5; seq++ {
			n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: theirs, List: []crdt.Entry{entry(theirs, seq, nil)}})
			n.NextBatch(simEpoch)
			n.Applied(simEpoch, crdt.Vector{theirs: seq}, nil)
			if v, _ := acked(n, 2); v[theirs] != seq {
				t.Errorf("entry %d is not acknowledged: %v", seq, v)
			}
		}
	})
	t.Run("another's, ack after", func(t *testing.T) { // it is to be sent, and then turns out to be there
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2)
		n.Receive(simEpoch, 2, core.Subscribe{Origin: third, From: 1, Sub: 1})
		n.Advance(simEpoch, crdt.Vector{third: 3})
		n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{third: 3}})
		if v, _ := acked(n, 2); v[third] != 3 {
			t.Errorf("acknowledged: %v, want 3", v)
		}
	})
	t.Run("this node's own", func(t *testing.T) { // relayed by a third before it was read here
		own := origin(1, 1)
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2)
		n.Advance(simEpoch, crdt.Vector{own: 1})
		n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: 1}})
		if v, _ := acked(n, 2); v[own] != 1 {
			t.Errorf("told: %v, want 1", v)
		}
	})
	t.Run("kept back", func(t *testing.T) { // nothing is read for a while
		own := origin(1, 1)
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2)
		n.Advance(simEpoch, crdt.Vector{own: 1})
		if v, _ := acked(n, 2); len(v) != 0 {
			t.Errorf("told %v beside the entries", v)
		}
		r, _ := n.NextRead(2)
		n.Sent(simEpoch, r, nil)
		if v, _ := acked(n, 2); v[own] != 1 {
			t.Errorf("told: %v, want 1", v)
		}
	})
}

// TestEntriesAreTheirSendersAck, also those that are here already and those that nobody asked for.
func TestEntriesAreTheirSendersAck(t *testing.T) {
	a := origin(2, 1)
	for name, sub := range map[string]uint64{"pushed": 0, "of an old subscription": 9} {
		n, list := testNode("aaa", core.Knobs{})
		n.Advance(simEpoch, crdt.Vector{a: 2})
		up(n, list, simEpoch, nil, 2, 3)
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: a, Sub: sub, List: []crdt.Entry{entry(a, 1, nil), entry(a, 2, nil)}})
		if have := n.Peer(2).Have[a]; have != 2 {
			t.Errorf("%s: the sender is known to have %d, want 2", name, have)
		}
	}
}

// TestTwoNodesAcknowledgeForEver runs two nodes by turns. The second subscribes to what it writes itself, as it did when
// an ack overtook its own commit, and it must go on to hear of all that the first applies.
func TestTwoNodesAcknowledgeForEver(t *testing.T) {
	_, list := testNode("aa", core.Knobs{})
	var ns [2]*core.Node
	for i := range ns {
		ns[i] = core.New(core.Config{Self: list.Members[i], Instance: 1}, core.State{List: list}, simEpoch)
	}
	h := [2]core.Hello{ns[0].Hello(), ns[1].Hello()}
	ns[0].Up(simEpoch, h[1], h[0])
	ns[1].Up(simEpoch, h[0], h[1])
	var durable [2]crdt.Vector
	durable[0], durable[1] = crdt.Vector{}, crdt.Vector{}
	settle := func() {
		for moved := true; moved; {
			moved = false
			for i, n := range ns {
				other, id := ns[1-i], list.Members[1-i].ID
				for m, ok := n.NextMessage(id); ok; m, ok = n.NextMessage(id) {
					other.Receive(simEpoch, list.Members[i].ID, m)
					moved = true
				}
				for r, ok := n.NextRead(id); ok; r, ok = n.NextRead(id) {
					var es []crdt.Entry
					var sizes []int
					for seq := r.From; seq <= durable[i][r.Origin]; seq++ {
						es, sizes = append(es, entry(r.Origin, seq, nil)), append(sizes, 100)
					}
					if n.Sent(simEpoch, r, sizes) {
						other.Receive(simEpoch, list.Members[i].ID, core.Entries{Version: 1, Origin: r.Origin, Sub: r.Sub, List: es})
					}
					moved = true
				}
				if batch := n.NextBatch(simEpoch); batch != nil {
					for _, e := range batch {
						durable[i][e.Origin] = e.Seq
					}
					n.Applied(simEpoch, durable[i], nil)
					moved = true
				}
			}
		}
	}
	own := origin(2, 1)
	for seq := uint64(1); seq < 10; seq++ {
		durable[1][own] = seq
		ns[1].Advance(simEpoch, durable[1])
		settle()
		if ns[0].Vector()[own] != seq || ns[1].Peer(1).Have[own] != seq {
			t.Fatalf("entry %d: applied up to %d, acknowledged up to %d", seq, ns[0].Vector()[own], ns[1].Peer(1).Have[own])
		}
		if seq == 3 {
			ns[0].Receive(simEpoch, 2, core.Subscribe{Origin: own, From: 4, Sub: 1})
		}
	}
}

// TestAWriteCountsHereOnlyOnceTold: before Advance this node would answer a question without the entry, so it must not
// be counted among those that have it, even if others acknowledged already.
func TestAWriteCountsHereOnlyOnceTold(t *testing.T) {
	own := origin(1, 1)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Advance(simEpoch, crdt.Vector{own: 1})
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{own: 2}})
	c, done := n.Confirm(simEpoch, core.Quorum, own, 2)
	w, too := n.WriteBack(simEpoch, core.Quorum, crdt.Vector{own: 2})
	if done || too || len(n.Decisions()) > 0 {
		t.Fatal("this node is counted before it would say so itself")
	}
	n.Advance(simEpoch, crdt.Vector{own: 2})
	if d := n.Decisions(); len(d) != 2 || d[0].Ticket != c || d[1].Ticket != w {
		t.Errorf("decided after Advance: %+v", d)
	}
}

// TestQ3 has one member of five acknowledge, and promise, again and again: it is one all the same.
func TestQ3(t *testing.T) {
	own := origin(1, 1)
	for _, without := range []bool{false, true} {
		n, list := testNode("aaaaa", core.Knobs{CountMessages: without})
		n.Advance(simEpoch, crdt.Vector{own: 3})
		up(n, list, simEpoch, nil, 2, 3, 4, 5)
		ticket, _ := n.Confirm(simEpoch, core.Quorum, own, 3)
		for seq := uint64(1); seq <= 3; seq++ {
			n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: seq}})
		}
		if got := decided(n)[ticket]; got != without {
			t.Errorf("rule out: %v; the acks of one other member are a majority of five: %v", without, got)
		}
		n.Propose(simEpoch, "seq", core.NextNumber(1, 5))
		for _, p := range n.Puts() {
			n.PutDone(simEpoch, p)
		}
		var ballot core.Ballot
		accepts := false
		look := func() {
			for m, ok := n.NextMessage(2); ok; m, ok = n.NextMessage(2) {
				switch m := m.(type) {
				case core.Prepare:
					ballot = m.Ballot
				case core.Accept:
					accepts = true
				}
			}
		}
		look()
		for range 3 {
			n.Receive(simEpoch, 2, core.Promise{Version: 1, Register: "seq", Ballot: ballot, OK: true})
		}
		if look(); accepts != without {
			t.Errorf("rule out: %v; the promises of one other member are a majority of five: %v", without, accepts)
		}
	}
}

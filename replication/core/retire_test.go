package core_test

import (
	"testing"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// TestARemovedMemberLearnsOfIt at its next handshake, takes no part from then on, and knows what goes with it (rule C4).
func TestARemovedMemberLearnsOfIt(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	own := origin(3, 5)
	c.nodes[3].Advance(c.now, crdt.Vector{own: 4})
	c.settle()
	c.nodes[1].Receive(c.now, 3, core.Have{Version: 1, Delta: crdt.Vector{own: 4}})
	for id := range crdt.NodeID(2) {
		c.nodes[3].Receive(c.now, id+1, core.Have{Version: 1, Delta: crdt.Vector{own: 3}})
		c.nodes[3].Down(c.now, id+1)
		c.nodes[id+1].Down(c.now, 3)
	}
	c.nodes[1].ChangeList(c.now, core.WithoutMember(3))
	c.settle()
	l := c.nodes[1].List()
	if l.Version != 2 || l.Has(3) || !l.IsRetired(3) || len(l.Before) != 3 {
		t.Fatalf("list %+v", l)
	}
	if d := c.done[1]; len(d) != 1 || d[0].Err != nil {
		t.Fatalf("decisions %+v", d)
	}
	if err := c.nodes[1].Vet(c.now, c.nodes[3].Hello()); err == nil {
		t.Error("a link to a removed member would come about")
	}
	if !c.nodes[3].IsMember() {
		t.Fatal("it knew before it was told")
	}
	if err := c.nodes[3].Vet(c.now, c.nodes[1].Hello()); err == nil {
		t.Error("a removed member would keep its link")
	}
	for _, p := range c.nodes[3].Puts() {
		c.nodes[3].PutDone(c.now, p)
	}
	if c.nodes[3].IsMember() || !c.nodes[3].IsRetired() || len(c.nodes[3].Targets()) > 0 {
		t.Errorf("it has not learned of it: %+v, targets %v", c.nodes[3].List(), c.nodes[3].Targets())
	}
	if got := c.nodes[3].Unshared(); got != 1 {
		t.Errorf("%d of its own entries reached nobody, want 1", got)
	}
	// Its id is gone for good, its name is free.
	if _, err := core.WithMember(core.Member{ID: 3, Name: "n3"})(l); pgerror.Code(err) != pgerror.ObjectNotInPrerequisiteState {
		t.Errorf("a retired id: %v", err)
	}
	moved := l.Members[0]
	moved.DC = "elsewhere"
	if _, err := core.WithMember(moved)(l); pgerror.Code(err) != pgerror.ObjectNotInPrerequisiteState {
		t.Errorf("a member in another data centre: %v", err)
	}
	if next, err := core.WithMember(core.Member{ID: 4, Name: "n3"})(l); err != nil || !next.IsRetired(3) {
		t.Errorf("a new node under the old name: %+v, %v", next, err)
	}
	b := core.AppendList(nil, l)
	if back, err := core.DecodeList(b); err != nil || string(core.AppendList(nil, back)) != string(b) || !back.IsRetired(3) {
		t.Errorf("the list does not come back: %+v, %v", back, err)
	}
}

// TestTheLastButOneCanGo: the change that left one of two is complete although the other never answers again, so that
// others may join.
func TestTheLastButOneCanGo(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	for _, gone := range []crdt.NodeID{3, 2} {
		c.nodes[gone].ChangeList(c.now, core.WithoutMember(gone)) // it leaves
		c.pass(2 * time.Second)
	}
	c.drop = func(from, to crdt.NodeID, _ core.Message) bool { return from != to }
	n := c.nodes[1]
	if l := n.List(); len(l.Members) != 1 {
		t.Fatalf("list %+v", l)
	}
	n.ChangeList(c.now, core.WithMember(core.Member{ID: 9, Name: "n9"}))
	c.pass(2 * time.Second)
	if l := n.List(); !l.Has(9) {
		t.Errorf("nobody can join any more: %+v", l)
	}
}

// TestHeldBackOfARemovedMember: what waits of a removed member's entries is dropped; the rest comes from members' logs
// (rule E3).
func TestHeldBackOfARemovedMember(t *testing.T) {
	a, b := origin(2, 1), origin(3, 1)
	for _, knob := range []bool{false, true} {
		n, list := testNode("aaa", core.Knobs{KeepHeld: knob})
		up(n, list, simEpoch, nil, 2, 3)
		n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: b, List: []crdt.Entry{entry(b, 1, crdt.Vector{a: 1})}})
		next := &core.List{Cluster: 7, Version: 2, Members: list.Members[:2], Before: []crdt.NodeID{1, 2, 3}, Retired: []core.Retired{{ID: 3}}}
		n.Adopt(simEpoch, next)
		for _, p := range n.Puts() {
			n.PutDone(simEpoch, p)
		}
		n.Down(simEpoch, 3)
		n.Receive(simEpoch, 2, core.Entries{Version: 2, Origin: a, List: []crdt.Entry{entry(a, 1, nil)}})
		batch := n.NextBatch(simEpoch)
		if held := len(batch) == 2; held != knob {
			t.Fatalf("KeepHeld %v: a batch of %d", knob, len(batch))
		}
		if knob {
			continue
		}
		n.Applied(simEpoch, crdt.Vector{a: 1}, nil)
		n.Receive(simEpoch, 2, core.Have{Version: 2, Delta: crdt.Vector{b: 1}})
		if subs := subscriptions(n, 2); len(subs) != 1 || subs[0].Origin != b || subs[0].From != 1 {
			t.Errorf("what a member has of a removed one is asked for as %+v", subs)
		}
	}
}

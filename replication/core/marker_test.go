package core_test

import (
	"fmt"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// scripted is a cluster of the simulator in which only that happens which a test does: three members, all linked.
func scripted(t *testing.T, knobs core.Knobs) *sim {
	t.Helper()
	s := newSim(1, knobs)
	for range 3 {
		n := s.addNode("dc1")
		n.skew = 0
		n.start()
	}
	first := s.nodes[0]
	first.core.Adopt(first.time(), core.FirstList(7, first.member))
	first.caught = true
	first.pump()
	s.until(t, "all are members", func() bool {
		for _, n := range s.nodes {
			n.join()
		}
		for _, n := range s.nodes {
			if !n.core.IsMember() || !n.caught || n.core.List().Version != 3 {
				return false
			}
		}
		return true
	})
	return s
}

// until lets time pass, a little at a time, until ok.
func (s *sim) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := s.now + 20*time.Second; !ok(); {
		if s.now > end || len(s.faults) > 0 {
			t.Fatalf("not within 20 s: %s %v", what, s.faults)
		}
		s.run(s.now + 50*time.Microsecond)
	}
}

func (s *sim) cut(a, b int, cut bool) {
	l := s.link(a, b)
	l.cut = cut
	if cut && l.up {
		s.break_(s.nodes[a], s.nodes[b])
	}
}

// put and remove commit at one node, whatever the others do.
func (n *simNode) put(key, value string) {
	n.mem().Write(key, value)
	n.sync(func() {})
	n.s.run(n.s.now + 5*time.Millisecond)
}

func (n *simNode) remove(key string) {
	n.mem().Delete(key)
	n.sync(func() {})
	n.s.run(n.s.now + 5*time.Millisecond)
}

func (n *simNode) shows(key string) bool {
	_, there := n.mem().Get(key)
	return there
}

// TestS1AfterARemoval: n2, on the old list, has marked the DELETE; n3 is removed, which n2 does not know yet; n1 must not
// purge on that marker, since n2 still takes n3's older INSERT and passes it on.
func TestS1AfterARemoval(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{AnyMarker: without})
		a, b, c := s.nodes[0], s.nodes[1], s.nodes[2]
		a.put("k", "first")
		s.run(s.now + time.Second)
		s.cut(0, 2, true)
		s.cut(1, 2, true)
		c.put("k", "older than the DELETE")
		a.remove("k")
		s.run(s.now + time.Second) // n1 and n2 mark it under list 3
		a.core.ChangeList(a.time(), core.WithoutMember(c.member.ID))
		a.pump()
		s.until(t, "n1 has the list without n3", func() bool { return a.core.List().Version == 4 })
		s.cut(0, 1, true)
		if b.core.List().Version != 3 {
			t.Fatal("n2 has heard of the removal")
		}
		s.cut(1, 2, false)
		s.run(s.now + 2*time.Second)
		if b.store.Vector()[c.origin()] == 0 {
			t.Fatal("n2 has not taken n3's INSERT")
		}
		s.cut(0, 1, false)
		s.run(s.now + 4*time.Second)
		if a.store.Vector()[c.origin()] == 0 {
			t.Fatal("n1 has not got n3's INSERT from n2")
		}
		if lives := a.shows("k") || b.shows("k"); lives != without {
			t.Errorf("without the rule %v: the deleted row lives at n1 %v, at n2 %v", without, a.shows("k"), b.shows("k"))
		}
	}
}

// TestS1AfterAJoin: n4 joins, which n1, whose disk is slow, does not know yet. n2 and n3 mark n1's DELETE under the new
// list; n1 must not purge on that, since n4, which took its state before, has written the row again with a lesser stamp.
func TestS1AfterAJoin(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{AnyMarker: without})
		a, b := s.nodes[0], s.nodes[1]
		a.put("k", "first")
		s.run(s.now + time.Second)
		a.lastPut = s.now + time.Hour // it makes no list durable
		d := s.addNode("dc1")
		d.skew = 0
		d.start()
		s.cut(0, 3, true)
		b.core.ChangeList(b.time(), core.WithMember(d.member))
		b.pump()
		s.until(t, "n2 has the list with n4", func() bool { return b.core.List().Version == 4 })
		d.core.Adopt(d.time(), b.core.List())
		d.pump()
		d.catchUp(d.life)
		s.until(t, "n4 has caught up", func() bool { return d.caught && d.shows("k") })
		s.cut(1, 3, true)
		s.cut(2, 3, true)
		d.put("k", "older than the DELETE")
		seq := d.store.Vector()[d.origin()]
		a.remove("k")
		s.run(s.now + 4*time.Second) // n2 and n3 mark it under list 4
		if a.core.List().Version != 3 {
			t.Fatal("n1 has the list with n4")
		}
		if purged := a.store.Tombstones() == 0; purged != without {
			t.Errorf("without the rule %v: purged at n1: %v", without, purged)
		}
		s.cut(1, 3, false)
		s.until(t, "n1 has got n4's INSERT from n2", func() bool { return a.store.Vector()[d.origin()] >= seq })
		if a.shows("k") != without || b.shows("k") {
			t.Errorf("without the rule %v: the deleted row lives at n1 %v, at n2 %v", without, a.shows("k"), b.shows("k"))
		}
	}
}

// origin is where a node of a scripted cluster writes in its only life.
func (n *simNode) origin() crdt.Origin {
	for o := range n.store.Vector() {
		if o.Node == n.member.ID {
			return o
		}
	}
	return crdt.Origin{}
}

// TestN1 restores an old copy, of before a DELETE that the others have purged and trimmed, at a node that then writes.
// The snapshot that it needs replaces its state; merged into it, the deleted row would live again.
func TestN1(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{})
		a, c := s.nodes[0], s.nodes[2]
		a.put("k", "to be deleted")
		s.run(s.now + time.Second)
		old := c.store.Backup()
		a.remove("k")
		s.until(t, "the DELETE is purged and trimmed everywhere", func() bool {
			for _, n := range s.nodes {
				if n.store.Tombstones() > 0 || n.store.LogLen() > 9 {
					return false
				}
			}
			return true
		})
		c.crash()
		c.store = old
		if without {
			c.store = memStore{old.(memStore).WithoutN1(), c}
		}
		c.start()
		if !c.shows("k") {
			t.Fatal("the old copy lacks the row")
		}
		c.put("own", "written after the restore")
		s.run(s.now + 5*time.Second)
		for _, n := range s.nodes {
			if !n.shows("own") {
				t.Errorf("%s lacks what was written after the restore", n.member.Name)
			}
		}
		if lives := c.shows("k"); lives != without {
			t.Errorf("without the rule %v: the deleted row lives: %v", without, lives)
		}
	}
}

// TestAnAckIsNoMarker: an ack may overtake entries that its sender wrote before it had what it acknowledges. Only the
// marker, which stands after them in the same stream, says that they are here (rule S1).
func TestAnAckIsNoMarker(t *testing.T) {
	a, b := origin(1, 1), origin(2, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	said := crdt.Marker{List: 1, Vector: crdt.Vector{a: 4, b: 1}}
	n := core.New(core.Config{Self: list.Members[0], Knobs: core.Knobs{ForgetForks: true}}, core.State{List: list,
		Vector: crdt.Vector{a: 6, b: 2}, Markers: map[crdt.NodeID]crdt.Marked{
			1: {Marker: crdt.Marker{List: 1, Vector: crdt.Vector{a: 5, b: 2}}, Origin: a, Seq: 6},
			2: {Marker: said, Origin: b, Seq: 2}}}, simEpoch)
	up(n, list, simEpoch, crdt.Vector{a: 6, b: 9}, 2)
	if v, _, ok := n.PurgeDue(simEpoch); !ok || v[a] != 4 {
		t.Errorf("it purges up to %d (%v), want 4", v[a], ok)
	}
	if v, ok := n.TrimDue(simEpoch, false); !ok || v[a] != 4 {
		t.Errorf("it trims up to %d (%v), want 4", v[a], ok)
	}
}

// TestN1IsNotTakenFromAnybody: a member that lacks what is trimmed here cannot give a snapshot, however much else it has.
func TestN1IsNotTakenFromAnybody(t *testing.T) {
	a, b, c := origin(1, 1), origin(2, 1), origin(3, 1)
	n, list := testNode("aaa", core.Knobs{ForgetForks: true})
	n.Advance(simEpoch, crdt.Vector{a: 5, c: 5})
	n.Trimmed(simEpoch, crdt.Vector{c: 5})
	for _, test := range []struct {
		donor crdt.NodeID
		have  crdt.Vector
		want  bool
	}{{2, crdt.Vector{a: 5, b: 9, c: 4}, false}, {3, crdt.Vector{a: 5, b: 8, c: 5}, true}} {
		m, _ := list.Member(test.donor)
		h := core.Hello{Cluster: 7, Member: m, Instance: 1, List: list, Vector: test.have, Trimmed: crdt.Vector{b: 8}}
		n.Up(simEpoch, h, n.Hello())
		if from, ok := n.SnapshotDue(simEpoch); ok != test.want || ok && from.ID != test.donor {
			t.Errorf("with n%d linked: from %v, %v", test.donor, from, ok)
		}
	}
}

// TestASnapshotBringsSomething that this node lacks: from a member without it, it would be taken again and again.
func TestASnapshotBringsSomething(t *testing.T) {
	a, b, c := origin(1, 1), origin(2, 1), origin(3, 1)
	n, list := testNode("aaaa", core.Knobs{ForgetForks: true})
	n.Advance(simEpoch, crdt.Vector{a: 5, b: 3, c: 5})
	n.Trimmed(simEpoch, crdt.Vector{c: 5})
	for _, test := range []struct {
		donor crdt.NodeID
		have  crdt.Vector
		want  bool
	}{
		{2, crdt.Vector{a: 5, b: 8, c: 4}, false}, // it lacks what is trimmed here
		{3, crdt.Vector{a: 9, b: 3, c: 9}, false}, // it lacks what this node does
		{4, crdt.Vector{a: 5, b: 4, c: 5}, true},
	} {
		m, _ := list.Member(test.donor)
		h := core.Hello{Cluster: 7, Member: m, Instance: 1, List: list, Vector: test.have, Trimmed: crdt.Vector{b: test.have[b]}}
		n.Up(simEpoch, h, n.Hello())
		if !n.NeedsSnapshot() {
			t.Fatal("it needs no snapshot")
		}
		if from, ok := n.SnapshotDue(simEpoch); ok != test.want || ok && from.ID != test.donor {
			t.Errorf("with n%d linked: from %v, %v", test.donor, from, ok)
		}
	}
}

// TestPurgeNeedsMarkersThatKnow each member's newest epoch and are of the list in force (rule S1), and tombstones older
// than the clocks' offset.
func TestPurgeNeedsMarkersThatKnow(t *testing.T) {
	a, b, b2 := origin(1, 1), origin(2, 1), origin(2, 9)
	mark := func(o crdt.Origin, seq, list uint64, v crdt.Vector) crdt.Marked {
		return crdt.Marked{Origin: o, Seq: seq, Marker: crdt.Marker{List: list, Vector: v}}
	}
	know := crdt.Vector{a: 5, b: 5, b2: 1}
	for name, test := range map[string]struct {
		own, other crdt.Marked
		want       bool
		knobs      core.Knobs
	}{
		"all know":                   {mark(a, 6, 1, know), mark(b2, 2, 1, know), true, core.Knobs{}},
		"none from the other":        {mark(a, 6, 1, know), crdt.Marked{}, false, core.Knobs{}},
		"of an older list":           {mark(a, 6, 1, know), mark(b2, 2, 0, know), false, core.Knobs{}},
		"of a newer list":            {mark(a, 6, 1, know), mark(b2, 2, 2, know), false, core.Knobs{}},
		"of an older list, no rule":  {mark(a, 6, 1, know), mark(b2, 2, 0, know), true, core.Knobs{AnyMarker: true}},
		"the other's of an old life": {mark(a, 6, 1, know), mark(b, 6, 1, crdt.Vector{a: 5}), false, core.Knobs{}},
		"own does not know the life": {mark(a, 6, 1, crdt.Vector{a: 5, b: 5}), mark(b2, 2, 1, know), false, core.Knobs{}},
		"the same, no rule":          {mark(a, 6, 1, crdt.Vector{a: 5, b: 5}), mark(b2, 2, 1, know), true, core.Knobs{AnyEpoch: true}},
	} {
		list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
		st := core.State{List: list, Vector: crdt.Vector{a: 6, b: 6, b2: 2}, Markers: map[crdt.NodeID]crdt.Marked{1: test.own}}
		if test.other.Seq > 0 {
			st.Markers[2] = test.other
		}
		test.knobs.ForgetForks = true // nobody is there to compare chains with
		n := core.New(core.Config{Self: list.Members[0], Knobs: test.knobs}, st, simEpoch)
		v, before, ok := n.PurgeDue(simEpoch)
		if ok != test.want {
			t.Errorf("%s: purge is due: %v", name, ok)
		}
		if ok && (v[a] != 5 || v[b] != 5 || !before.Time().Equal(simEpoch.Add(-500*time.Millisecond))) {
			t.Errorf("%s: up to %v, before %v", name, v, before.Time())
		}
	}
}

// TestS3 cuts n3 off for so long that all logs outgrow their cap. Were n3 to trim what only it has, nobody could give the
// others what they lack of it, nor n3 what it lacks of them, without losing something: they would be stuck for ever.
func TestS3(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{TrimAlone: without})
		a, c := s.nodes[0], s.nodes[2]
		s.cut(0, 2, true)
		s.cut(1, 2, true)
		for i := range simCap + 20 {
			a.put(fmt.Sprint("a", i), "of the majority")
			c.put(fmt.Sprint("c", i), "of n3 alone")
		}
		s.run(s.now + 2*time.Second)
		if len(a.store.Trimmed()) == 0 {
			t.Fatal("the majority has trimmed nothing without n3")
		}
		s.cut(0, 2, false)
		s.cut(1, 2, false)
		s.run(s.now + 5*time.Second)
		if together := s.equal(map[string]string{"a0": "of the majority", "c0": "of n3 alone"}); together == without {
			t.Errorf("without the rule %v: all have all: %v", without, together)
		}
	}
}

// TestTrimLeavesMarkersAtTheEnd: a log beyond its cap keeps the markers after its last content. Others' markers cover that
// content, and no more if nobody writes: had its entry's successors gone too, the store would not know by which clock to purge.
func TestTrimLeavesMarkersAtTheEnd(t *testing.T) {
	s := scripted(t, core.Knobs{})
	a := s.nodes[0]
	s.cut(0, 2, true)
	s.cut(1, 2, true)
	a.put("k", "content")
	o := a.origin()
	content := a.store.Vector()[o]
	s.run(s.now + time.Second)
	if last := a.store.Vector()[o]; last <= content {
		t.Fatal("n1 has written no marker")
	}
	v, ok := a.core.TrimDue(a.time(), true)
	if !ok || v[o] != content {
		t.Errorf("n1 is to trim its own log up to %d (%v), want %d", v[o], ok, content)
	}
}

// TestManyMarkersAreAnswered: markers that gathered while this node was away are covered by one of its own, though
// nobody has written anything; a few are not, or markers would answer each other for ever.
func TestManyMarkersAreAnswered(t *testing.T) {
	a, b := origin(1, 1), origin(2, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	mark := func(o crdt.Origin, seq uint64, v crdt.Vector) crdt.Marked {
		return crdt.Marked{Marker: crdt.Marker{List: 1, Vector: v}, Origin: o, Seq: seq}
	}
	n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, Vector: crdt.Vector{a: 1, b: 1}, Markers: map[crdt.NodeID]crdt.Marked{
		1: mark(a, 1, crdt.Vector{b: 1}), 2: mark(b, 1, nil)}}, simEpoch)
	up(n, list, simEpoch, nil, 2)
	for seq := uint64(2); seq <= 6; seq++ {
		e := entry(b, seq, nil)
		e.Marker = true
		crdt.EncodeEntry(&e, crdt.AppendMarker(nil, crdt.Marker{List: 1, Vector: crdt.Vector{a: 1, b: seq - 1}}))
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: b, List: []crdt.Entry{e}})
		if len(n.NextBatch(simEpoch)) != 1 {
			t.Fatalf("marker %d is not to be applied", seq)
		}
		n.Applied(simEpoch, crdt.Vector{a: 1, b: seq}, nil)
		m, due := n.MarkerDue(simEpoch.Add(time.Hour))
		if due != (seq > 4) {
			t.Fatalf("after markers 2 to %d a marker is due: %v", seq, due)
		}
		if due {
			if m.Vector[b] != seq {
				t.Errorf("it covers %d of %d", m.Vector[b], seq)
			}
			break
		}
	}
}

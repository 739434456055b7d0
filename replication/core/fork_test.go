package core_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// equal says whether all that are left have the same vectors and rows, and each key of want its value.
func (s *sim) equal(want map[string]string) bool {
	var first *simNode
	for _, n := range s.nodes {
		if n.gone {
			continue
		}
		if first == nil {
			first = n
		}
		if !n.store.Vector().Equal(first.store.Vector()) {
			return false
		}
		rows := n.mem().Rows()
		for key, value := range want {
			if rows[key].Value != value {
				return false
			}
		}
	}
	return true
}

// TestAnOriginMeetsItsFork: n1 is rolled back while it runs, cut off from those who have what it wrote since, and writes
// under the same numbers. Then vectors are equal and rows are not; with rule E5 nothing is lost.
func TestAnOriginMeetsItsFork(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{ForgetForks: without})
		a := s.nodes[0]
		a.put("before", "1")
		s.run(s.now + time.Second)
		o := a.mem().Own()
		then := a.photograph()
		a.put("first life", "2")
		s.until(t, "the others have it", func() bool { return s.nodes[1].shows("first life") && s.nodes[2].shows("first life") })
		s.cut(0, 1, true)
		s.cut(0, 2, true)
		a.rewind(then)
		s.until(t, "it runs", func() bool { return a.core != nil })
		if a.shows("first life") || a.mem().Own() != o {
			t.Fatal("it was not rolled back, or begins a new life")
		}
		a.put("second life", "3")
		s.cut(0, 1, false)
		s.cut(0, 2, false)
		s.run(s.now + 5*time.Second)
		want := map[string]string{"before": "1", "first life": "2", "second life": "3"}
		if got := s.equal(want); got == without {
			t.Errorf("without the rule %v: all have all: %v", without, got)
		}
		if without {
			continue
		}
		if a.core.RolledBack() || a.mem().Own() == o {
			t.Errorf("rolled back %v, still writes under %v: %v", a.core.RolledBack(), o, a.mem().Own() == o)
		}
		a.put("after", "4")
		want["after"] = "4"
		s.until(t, "what it writes now comes through", func() bool { return s.equal(want) })
		s.quiet = true
		s.run(s.now + 10*time.Second)
		s.checkQuiet(3)
		if len(s.faults) > 0 {
			t.Error(s.faults)
		}
	}
}

// TestHoldersDifferOnAnOriginThatIsGone: one branch of n1's entries went to n2 alone, the other, longer, to n3, which has
// built on it under the name that it had. n1 is gone when these two meet.
func TestHoldersDifferOnAnOriginThatIsGone(t *testing.T) {
	moved := map[bool]bool{} // whether it was the longer branch
	for i := range 10 {
		without := i == 0
		s := scripted(t, core.Knobs{ForgetForks: without})
		a, b, c := s.nodes[0], s.nodes[1], s.nodes[2]
		a.put("before", "1")
		s.run(s.now + time.Second)
		o := a.mem().Own()
		then := a.photograph()
		s.cut(0, 2, true)
		s.cut(1, 2, true)
		first := fmt.Sprint("2-", i) // its hash decides which branch is moved
		a.put("first life", first)
		s.until(t, "n2 has it", func() bool { return b.shows("first life") })
		s.cut(0, 1, true)
		a.rewind(then)
		s.until(t, "it runs", func() bool { return a.core != nil })
		s.cut(0, 2, false)
		s.until(t, "n1 is linked to n3", func() bool { return s.link(0, 2).up })
		for i, key := range []string{"second life", "x", "y"} {
			a.put(key, "3")
			s.until(t, "n3 has it", func() bool { return c.shows(key) })
			c.put("built on "+key, string(rune('4'+i)))
		}
		if k := c.store.Vector()[o]; k <= b.store.Vector()[o] {
			t.Fatalf("n3's branch is not longer: %d", k)
		}
		long := c.store.Vector()[o]
		a.crash()
		a.gone = true
		s.cut(1, 2, false)
		s.run(s.now + 5*time.Second)
		want := map[string]string{"before": "1", "first life": first, "second life": "3", "y": "3", "built on second life": "4", "built on y": "6"}
		if got := s.equal(want); got == without {
			t.Errorf("without the rule %v: both have all: %v", without, got)
		}
		if without {
			continue
		}
		c.put("after", "7")
		want["after"] = "7"
		s.until(t, "the streams go on", func() bool { return s.equal(want) })
		forks, _ := b.store.Forks()
		if len(forks) != 1 {
			t.Fatalf("forks %v", forks)
		}
		moved[b.store.Vector()[o] < long] = true
	}
	if len(moved) < 2 {
		t.Errorf("it was always the same branch that was moved: %v", moved)
	}
}

// TestAForkBehindTheLog: the others have trimmed what n1 forgot, and it writes under the same numbers.
func TestAForkBehindTheLog(t *testing.T) {
	s := scripted(t, core.Knobs{})
	a, b := s.nodes[0], s.nodes[1]
	a.put("before", "1")
	s.run(s.now + time.Second)
	o := a.mem().Own()
	then := a.photograph()
	for _, key := range []string{"k", "l", "m"} {
		a.put(key, "2")
	}
	s.until(t, "the log is trimmed", func() bool { return b.store.Trimmed()[o] > then.store.Vector()[o]+2 })
	s.cut(0, 1, true)
	s.cut(0, 2, true)
	a.rewind(then)
	s.until(t, "it runs", func() bool { return a.core != nil })
	a.put("second life", "3")
	a.put("l", "4")
	s.cut(0, 1, false)
	s.cut(0, 2, false)
	want := map[string]string{"before": "1", "k": "2", "l": "4", "m": "2", "second life": "3"}
	s.until(t, "all have all", func() bool { return s.equal(want) })
	s.quiet = true
	s.run(s.now + 10*time.Second)
	s.checkQuiet(3)
	if len(s.faults) > 0 {
		t.Error(s.faults)
	}
}

// TestATrimmedBranchKeepsItsLog: n1 and n2 are rolled back one after the other, to before what everybody has trimmed. The
// end of n1's first branch is at n3 alone, that of n2's at n1 alone: each must still be in a log when all meet, whichever
// branch is moved, since neither n1 nor n3 has all that the other one has trimmed.
func TestATrimmedBranchKeepsItsLog(t *testing.T) {
	moved := map[bool]bool{} // whether it was a trimmed branch
	for i := range 16 {      // the hashes of the branches differ each time
		s := scripted(t, core.Knobs{})
		a, b, c := s.nodes[0], s.nodes[1], s.nodes[2]
		a.put("n1's", "1")
		b.put("n2's", "2")
		s.run(s.now + time.Second)
		thenA, thenB := a.photograph(), b.photograph()
		x, y := a.mem().Own(), b.mem().Own()
		for _, key := range []string{"k", "l", "m"} {
			a.put(key, fmt.Sprint("3-", i))
			b.put("other "+key, fmt.Sprint("4-", i))
		}
		s.until(t, "all have trimmed what is to be forgotten", func() bool {
			return !slices.ContainsFunc(s.nodes, func(n *simNode) bool {
				v := n.store.Trimmed()
				return v[x] <= thenA.store.Vector()[x]+1 || v[y] <= thenB.store.Vector()[y]+1
			})
		})
		s.cut(0, 1, true)
		s.cut(1, 2, true)
		a.put("end of n1's", "5")
		s.until(t, "n3 has it", func() bool { return c.shows("end of n1's") })
		s.cut(0, 2, true)
		a.rewind(thenA)
		s.until(t, "n1 runs", func() bool { return a.core != nil })
		a.put("second life of n1", "6")
		b.put("end of n2's", "7")
		s.cut(0, 1, false)
		s.until(t, "n1 has it", func() bool { return a.shows("end of n2's") })
		s.run(s.now + time.Second)
		s.cut(0, 1, true)
		b.rewind(thenB)
		s.until(t, "n2 runs", func() bool { return b.core != nil })
		b.put("second life of n2", "8")
		for _, l := range s.links {
			l.cut = false
		}
		s.run(s.now + 8*time.Second)
		if !s.equal(map[string]string{"n1's": "1", "n2's": "2", "k": fmt.Sprint("3-", i), "other m": fmt.Sprint("4-", i),
			"end of n1's": "5", "end of n2's": "7", "second life of n1": "6", "second life of n2": "8"}) {
			t.Fatalf("run %d: not all have all", i)
		}
		if len(s.faults) > 0 {
			t.Error(s.faults)
		}
		forks, _ := c.store.Forks()
		for _, f := range forks {
			moved[c.store.Vector()[f.Branch()] > 2] = true // of a second life there is little
		}
	}
	if len(moved) < 2 {
		t.Errorf("trimmed branches were moved always, or never: %v", moved)
	}
}

// TestWhichBranchIsMoved: the one with the greater hash, whatever is trimmed where.
func TestWhichBranchIsMoved(t *testing.T) {
	o := origin(3, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}}}
	const lesser, greater = 1 << 32, 2 << 32
	for _, test := range []struct {
		mine, theirs       uint64 // the first hash after entry 2
		trimmed, trimmedOf uint64 // here, and there
	}{
		{lesser, greater, 0, 0}, {greater, lesser, 0, 0}, {lesser, greater, 2, 2}, {lesser, greater, 2, 3}, {greater, lesser, 2, 3},
		{lesser, greater, 3, 2}, {greater, lesser, 3, 2}, {lesser, greater, 3, 4}, {greater, lesser, 4, 3},
	} {
		n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, Vector: crdt.Vector{o: 5},
			Trimmed: crdt.Vector{o: test.trimmed}}, simEpoch)
		h := core.Hello{Cluster: 7, Member: list.Members[1], Instance: 2, List: list, Vector: crdt.Vector{o: 5}, Trimmed: crdt.Vector{o: test.trimmedOf}}
		n.Up(simEpoch, h, n.Hello())
		n.Looks()
		n.Receive(simEpoch, 2, core.Chain{Origin: o, Low: 1, From: 1, Hashes: []uint64{7, 8, test.theirs, 9, 10}})
		for _, l := range n.Looks() {
			n.Looked(simEpoch, l, []core.Hashes{{Low: 1, First: 1, List: []uint64{7, 8, test.mine, 11, 12}}})
		}
		f, move, ok := n.ForkDue(simEpoch)
		if want := (crdt.Fork{Origin: o, After: 2, Hash: greater}); !ok || !move || f != want {
			t.Errorf("%+v: %+v is due %v, to be moved %v", test, f, ok, move)
		}
	}
}

// TestANewEpochAboveAForgottenOne: a node that writes under an epoch below that of a life that it has forgotten begins
// another one.
func TestANewEpochAboveAForgottenOne(t *testing.T) {
	for _, without := range []bool{false, true} {
		n, list := testNode("aaa", core.Knobs{ForgetForks: without})
		up(n, list, simEpoch, nil, 2, 3)
		n.Advance(simEpoch, crdt.Vector{origin(1, 5): 1})
		if _, ok := n.RenewDue(simEpoch); ok {
			t.Error("a new epoch for nothing")
		}
		n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{origin(1, 9): 1}})
		if after, ok := n.RenewDue(simEpoch); ok == without || ok && after != origin(1, 9).Epoch.First {
			t.Errorf("without the rule %v: a new epoch is due: %v, after %d", without, ok, after)
		}
	}
}

// TestAForgottenLifeIsTold: who has heard of a later epoch of a node than the node itself says so when they meet, though it
// holds nothing of it: else it would wait for markers of that epoch for ever (seed 201483).
func TestAForgottenLifeIsTold(t *testing.T) {
	n, list := testNode("aaa", core.Knobs{})
	lost := origin(3, 9)
	up(n, list, simEpoch, nil, 2, 3)
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: lost, List: []crdt.Entry{entry(lost, 1, crdt.Vector{origin(2, 5): 7})}})
	n.Down(simEpoch, 3)
	up(n, list, simEpoch, crdt.Vector{origin(3, 5): 1}, 3)
	for m, ok := n.NextMessage(3); ok; m, ok = n.NextMessage(3) {
		if h, is := m.(core.Have); is {
			if _, told := h.Delta[lost]; told {
				return
			}
		}
	}
	t.Error("it is not told")
}

// TestAForkWaitsForTheBatch: a branch is moved only once what is being applied of it is done, so that no entry is put back
// that follows nothing any more (seed 43955).
func TestAForkWaitsForTheBatch(t *testing.T) {
	o := origin(3, 1)
	n, list := testNode("aaa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{o: 2})
	up(n, list, simEpoch, crdt.Vector{o: 2}, 2, 3)
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: o, List: []crdt.Entry{entry(o, 3, nil)}})
	if got := seqs(n.NextBatch(simEpoch)); len(got) != 1 {
		t.Fatalf("the batch has %v", got)
	}
	f := crdt.Fork{Origin: o, After: 1, Hash: 77 << 32}
	n.Receive(simEpoch, 2, core.Forks{crdt.Forks{f}})
	if _, _, ok := n.ForkDue(simEpoch); ok {
		t.Fatal("the branch is to be moved while an entry of it is being applied")
	}
	n.Applied(simEpoch, crdt.Vector{o: 3}, nil)
	if got, move, ok := n.ForkDue(simEpoch); !ok || !move || got != f {
		t.Fatalf("%v, %v, %v is to be moved", got, move, ok)
	}
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: o, List: []crdt.Entry{entry(o, 4, nil)}})
	if got := n.NextBatch(simEpoch); got != nil {
		t.Fatalf("%v is applied while the branch is moved", seqs(got))
	}
}

// TestARunningMachineFindsOut at a handshake that it was rolled back, if it has less of what this very life wrote than a
// peer: it writes nothing more under those numbers, and does not count until it has caught up (rules E5, Q5).
func TestARunningMachineFindsOut(t *testing.T) {
	own := origin(1, 5)
	for _, test := range []struct {
		theirs  uint64
		without bool
		want    bool
	}{{3, false, false}, {4, false, true}, {4, true, false}} {
		n, list := testNode("aaa", core.Knobs{ForgetForks: test.without})
		n.Advance(simEpoch, crdt.Vector{own: 3})
		up(n, list, simEpoch, crdt.Vector{own: test.theirs}, 2)
		if _, renew := n.RenewDue(simEpoch); renew != test.want || n.RolledBack() != test.want {
			t.Errorf("%+v: a new epoch is due %v, rolled back %v", test, renew, n.RolledBack())
		}
	}
}

// TestE5UntilChainsAreEqual nothing is forgotten: what a member says to have may be of another branch. Of an origin whose
// chains differ neither acks count nor entries are taken.
func TestE5UntilChainsAreEqual(t *testing.T) {
	own, other := origin(1, 1), origin(2, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}}}
	mark := func(o crdt.Origin) crdt.Marked {
		return crdt.Marked{Marker: crdt.Marker{List: 1, Vector: crdt.Vector{own: 5, other: 5}}, Origin: o, Seq: 6}
	}
	const here = 7 // the short hash of every entry here
	for name, test := range map[string]struct {
		own, other uint64 // the other member's, 0: it has not said
		due        bool
	}{
		"it says nothing":               {0, 0, false},
		"equal":                         {here, here, true},
		"of this node's it has another": {8, here, false},
		"of its own it has another":     {here, 8, false},
	} {
		n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, Vector: crdt.Vector{own: 6, other: 6},
			Markers: map[crdt.NodeID]crdt.Marked{1: mark(own), 2: mark(other)}}, simEpoch)
		up(n, list, simEpoch, crdt.Vector{own: 6, other: 6}, 2)
		if test.own > 0 {
			n.Receive(simEpoch, 2, core.Heads{List: []core.Head{{Origin: own, Seq: 6, Hash: test.own},
				{Origin: other, Seq: 6, Hash: test.other}}})
		}
		for looks := n.Looks(); len(looks) > 0; looks = n.Looks() {
			for _, l := range looks {
				got := make([]core.Hashes, len(l.Wants))
				for i, w := range l.Wants {
					got[i] = core.Hashes{Low: 1, First: w.From, List: slices.Repeat([]uint64{here}, int(w.To-w.From+1))}
				}
				n.Looked(simEpoch, l, got)
			}
		}
		v, _, purge := n.PurgeDue(simEpoch)
		w, trim := n.TrimDue(simEpoch, true)
		if purge != test.due || trim != test.due || test.due && (v[own] != 5 || v[other] != 5 || w[own] < 5) {
			t.Errorf("%s: purge is due %v, up to %v; trim %v, up to %v", name, purge, v, trim, w)
		}
		ticket, done := n.Confirm(simEpoch, core.Quorum, own, 6)
		n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: 6}})
		if counts := done || decided(n)[ticket]; counts == (test.own == 8) {
			t.Errorf("%s: its acks count: %v", name, counts)
		}
		n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: other, List: []crdt.Entry{entry(other, 7, nil)}})
		if taken := len(n.NextBatch(simEpoch)) == 1; taken == (test.other == 8) {
			t.Errorf("%s: its entries are taken: %v", name, taken)
		}
	}
}

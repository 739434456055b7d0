package core_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// TestQ5 writes at n1, acknowledged by n2, and puts n2 back from a copy of before. n2 and n3 are a majority, and a read
// there must not miss the write: n2 answers nobody until it has caught up with both others.
func TestQ5(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{ForgetRollback: without})
		a, b, c := s.nodes[0], s.nodes[1], s.nodes[2]
		a.put("k", "before")
		s.run(s.now + time.Second)
		old := b.store.Backup()
		s.cut(0, 2, true) // n3 hears of the write from nobody
		s.cut(1, 2, true)
		a.put("k", "acknowledged by n1 and n2")
		o := a.origin()
		seq := a.store.Vector()[o]
		s.until(t, "n2 has it", func() bool { return b.store.Vector()[o] >= seq })
		s.until(t, "n1 has heard so", func() bool { return a.core.Peer(2).Have[o] >= seq })
		b.crash()
		b.store = old.Backup()
		s.until(t, "n1 lost its link", func() bool { return !s.link(0, 1).up })
		b.start()
		s.until(t, "n2 is linked to n1", func() bool { return s.link(0, 1).up })
		s.run(s.now + 60*time.Millisecond) // n1 tells it
		if got := b.core.RolledBack(); got == without {
			t.Fatalf("without the rule %v: n2 says it was rolled back: %v", without, got)
		}
		s.cut(0, 1, true) // before it has caught up with n3 too
		s.cut(1, 2, false)
		if without {
			b.crash() // what n1 sent meanwhile is lost again
			b.store = old.Backup()
			b.start()
		}
		s.until(t, "n2 is linked to n3", func() bool { return s.link(1, 2).up })
		passed := false
		n, done := c.core.Barrier(c.time(), core.Quorum)
		if done {
			t.Fatal("a barrier of one")
		}
		c.wait(n, simTimeout, func(core.Done) { passed = true }, func() {})
		s.run(s.now + 3*time.Second)
		stale := passed && c.store.Vector()[o] < seq
		if stale != without {
			t.Errorf("without the rule %v: a quorum read at n3 passed %v, with entry %d of %d", without, passed, c.store.Vector()[o], seq)
		}
		s.cut(0, 1, false)
		s.cut(0, 2, false)
		s.until(t, "n2 counts again", func() bool { return !b.core.RolledBack() })
		s.run(s.now + time.Second)
		for _, n := range s.nodes {
			if n.store.Vector()[o] < seq {
				t.Errorf("%s lacks the write", n.member.Name)
			}
		}
	}
}

// TestQ5Registers has n1 and n2 accept a block of numbers and a member list, which n3 does not hear of, and puts n2 back
// from a copy of before. Once n2 counts again, n2 and n3 must neither grant the block again nor decide on another list.
func TestQ5Registers(t *testing.T) {
	for _, without := range []bool{false, true} {
		c := newTrio(t, core.Knobs{ForgetRollback: without})
		c.drop = func(from, to crdt.NodeID, m core.Message) bool {
			_, accept := m.(core.Accept)
			answer, accepted := m.(core.Accepted)
			return accept && to == 3 || accepted && to == 1 && answer.Register == core.MembersRegister
		}
		c.nodes[1].Propose(c.now, "seq", core.NextNumber(1, 5))
		c.settle()
		c.nodes[1].ChangeList(c.now, core.WithMember(core.Member{ID: 4, Name: "n4"}))
		c.settle()
		if d := c.done[1]; len(d) != 1 || core.Number(d[0].Value) != 1 {
			t.Fatalf("n1 was granted %+v", d)
		}
		c.nodes[2] = core.New(core.Config{Self: c.list.Members[1], Instance: 2, Rand: rand.New(rand.NewPCG(2, 2)),
			Knobs: core.Knobs{ForgetRollback: without}}, core.State{List: c.list, RolledBack: true}, c.now)
		for _, id := range []crdt.NodeID{1, 3} {
			n, back := c.nodes[id], c.nodes[2]
			h, hb := n.Hello(), back.Hello()
			n.Down(c.now, 2)
			n.Up(c.now, hb, h)
			back.Up(c.now, h, hb)
		}
		c.drop = func(from, _ crdt.NodeID, m core.Message) bool { // n1 answers, and does not go on with its list
			switch m.(type) {
			case core.Prepare, core.Accept:
				return from == 1
			}
			return false
		}
		c.pass(2 * time.Second)
		if c.nodes[2].RolledBack() {
			t.Fatal("n2 does not come back")
		}
		c.drop = func(from, to crdt.NodeID, _ core.Message) bool { return from == 1 || to == 1 }
		c.nodes[3].Propose(c.now, "seq", core.NextNumber(1, 5))
		c.pass(time.Second)
		if d := c.done[3]; len(d) != 1 || core.Number(d[0].Value) == 1 != without {
			t.Errorf("without the rule %v: n3 was granted %+v", without, d)
		}
		c.nodes[3].ChangeList(c.now, core.WithMember(core.Member{ID: 5, Name: "n5"}))
		c.pass(3 * time.Second)
		if l := c.nodes[3].List(); l.Version != 2 || l.Has(4) == without || l.Has(5) != without {
			t.Errorf("without the rule %v: version %d, n4 %v, n5 %v", without, l.Version, l.Has(4), l.Has(5))
		}
	}
}

// TestQ5InItsDataCentre: one of two members of data centre a was put back. What it promised there may be known to the other
// one alone, so that a majority of all members, without that one, does not suffice.
func TestQ5InItsDataCentre(t *testing.T) {
	_, list := testNode("aabbb", core.Knobs{})
	n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, RolledBack: true}, simEpoch)
	n.Tick(simEpoch)
	learns := false // the registers, once it has all that enough others have
	answer := func(id crdt.NodeID) {
		up(n, list, simEpoch, nil, id)
		for m, ok := n.NextMessage(id); ok; m, ok = n.NextMessage(id) {
			switch m := m.(type) {
			case core.Ask:
				n.Receive(simEpoch, id, core.Reply{Version: 1, Round: m.Round})
			case core.Prepare:
				learns = true
			}
		}
	}
	for id := crdt.NodeID(3); id <= 5; id++ {
		answer(id)
	}
	if learns {
		t.Error("it has caught up with the other data centre alone")
	}
	if answer(2); !learns {
		t.Error("it has not caught up, though all have answered")
	}
}

// TestQ5ItsAcks do not count: neither what a node that was put back acknowledges, nor what it did before, until it says
// that it has caught up.
func TestQ5ItsAcks(t *testing.T) {
	own := origin(1, 1)
	n, list := testNode("aaa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{own: 2})
	h := core.Hello{Cluster: 7, Member: list.Members[1], Instance: 1, List: list, Vector: crdt.Vector{own: 1}, RolledBack: true}
	n.Up(simEpoch, h, n.Hello())
	n.Receive(simEpoch, 2, core.Have{Version: 1, Delta: crdt.Vector{own: 2}, RolledBack: true})
	ticket, done := n.Confirm(simEpoch, core.Quorum, own, 2)
	if done || decided(n)[ticket] {
		t.Fatal("the ack of a node that was put back counts")
	}
	n.Receive(simEpoch, 2, core.Have{Version: 1})
	if !decided(n)[ticket] {
		t.Error("its ack does not count once it has caught up")
	}
}

// TestAQuestionGoesWithItsLink: what was asked of a node that had just started, and is answered a moment later, is not
// answered on another link: who asks there may have begun to count its rounds anew.
func TestAQuestionGoesWithItsLink(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}}
	for _, without := range []bool{false, true} {
		for _, again := range []bool{false, true} {
			n := core.New(core.Config{Self: list.Members[0], Grace: time.Second, Knobs: core.Knobs{AnswerOldLinks: without}},
				core.State{List: list, Vector: crdt.Vector{origin(1, 1): 3}}, simEpoch)
			up(n, list, simEpoch, nil, 2)
			n.Receive(simEpoch, 2, core.Ask{Version: 1, Round: 4})
			if again {
				n.Down(simEpoch, 2)
				up(n, list, simEpoch, nil, 2)
			}
			up(n, list, simEpoch, nil, 3)
			n.Receive(simEpoch, 2, core.Have{Version: 1})
			n.Receive(simEpoch, 3, core.Have{Version: 1})
			answered := false
			for m, ok := n.NextMessage(2); ok; m, ok = n.NextMessage(2) {
				_, is := m.(core.Reply)
				answered = answered || is
			}
			if answered != (!again || without) {
				t.Errorf("without the rule %v, another link %v: answered %v", without, again, answered)
			}
		}
	}
}

// TestALonelyNodeIsNotSure: the only member of a data centre reads at local_quorum by itself, but not before the others
// could tell it that it was put back from an old copy, and not what it read before.
func TestALonelyNodeIsNotSure(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1", DC: "a"}, {ID: 2, Name: "n2", DC: "b"}, {ID: 3, Name: "n3", DC: "b"}}}
	own := origin(1, 1)
	start := func() *core.Node {
		return core.New(core.Config{Self: list.Members[0], Grace: time.Second}, core.State{List: list, Vector: crdt.Vector{own: 3}}, simEpoch)
	}
	passed := func(n *core.Node) (fresh, ok bool) {
		for _, d := range n.Decisions() {
			fresh, ok = d.Fresh, true
		}
		return fresh, ok
	}
	n := start()
	if _, done := n.Barrier(simEpoch, core.LocalQuorum); done {
		t.Error("it is sure at once")
	}
	up(n, list, simEpoch, crdt.Vector{own: 3}, 2, 3)
	n.Receive(simEpoch, 2, core.Have{Version: 1})
	n.Receive(simEpoch, 3, core.Have{Version: 1})
	if fresh, ok := passed(n); !ok || fresh {
		t.Errorf("when all have spoken: passed %v, fresh %v", ok, fresh)
	}
	if _, done := n.Barrier(simEpoch, core.LocalQuorum); !done {
		t.Error("it is not sure when all have spoken")
	}
	n = start()
	n.Barrier(simEpoch, core.LocalQuorum)
	up(n, list, simEpoch, crdt.Vector{own: 4}, 2, 3)
	n.Receive(simEpoch, 2, core.Have{Version: 1})
	n.Receive(simEpoch, 3, core.Have{Version: 1})
	if _, ok := passed(n); ok || !n.RolledBack() {
		t.Errorf("others hold more of it: passed %v, rolled back %v", ok, n.RolledBack())
	}
	n = start()
	n.Barrier(simEpoch, core.LocalQuorum)
	n.Tick(simEpoch.Add(2 * time.Second))
	if _, ok := passed(n); !ok {
		t.Error("it waits for ever for others")
	}
}

// TestWhatWasReadBeforeAChangeIsNotFresh: a statement that waits, not asked for yet, while the member list changes or this
// node finds out that it was put back from an old copy and catches up: what it has read before is not good, though the one
// that is asked then has no more than this node had when the statement began.
func TestWhatWasReadBeforeAChangeIsNotFresh(t *testing.T) {
	own := origin(1, 1)
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}}
	for _, changes := range []bool{false, true} {
		n := core.New(core.Config{Self: list.Members[0], Grace: time.Second}, core.State{List: list, Vector: crdt.Vector{own: 3}}, simEpoch)
		ticket, _ := n.Barrier(simEpoch, core.Quorum)
		if changes {
			next := *list
			next.Version = 2
			n.Adopt(simEpoch, &next)
			for _, p := range n.Puts() {
				n.PutDone(simEpoch, p)
			}
		}
		up(n, list, simEpoch, crdt.Vector{own: 3}, 2, 3)
		n.Receive(simEpoch, 2, core.Have{Version: 1})
		n.Receive(simEpoch, 3, core.Have{Version: 1})
		for id := crdt.NodeID(2); id <= 3; id++ {
			for m, ok := n.NextMessage(id); ok; m, ok = n.NextMessage(id) {
				if ask, is := m.(core.Ask); is {
					n.Receive(simEpoch, id, core.Reply{Version: ask.Version, Round: ask.Round})
				}
			}
		}
		ds := n.Decisions()
		if len(ds) != 1 || ds[0].Ticket != ticket || ds[0].Fresh == changes {
			t.Errorf("the list changes %v: decided %v", changes, ds)
		}
	}
}

// TestARolledBackNodeFindsOut by what others hold of its own, or remember, stays so over a restart, and answers neither
// questions nor ballots.
func TestARolledBackNodeFindsOut(t *testing.T) {
	own := origin(1, 1)
	for name, test := range map[string]struct {
		have crdt.Vector
		told bool
		want bool
	}{
		"nothing is missing":         {crdt.Vector{own: 3}, false, false},
		"others hold more of it":     {crdt.Vector{own: 4}, false, true},
		"of a life that it lost":     {crdt.Vector{origin(1, 9): 1}, false, true},
		"others remember its acks":   {nil, true, true},
		"more of others: it is late": {crdt.Vector{origin(2, 1): 9}, false, false},
	} {
		list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}}
		n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, Vector: crdt.Vector{own: 3}}, simEpoch)
		up(n, list, simEpoch, test.have, 2, 3)
		if test.told {
			n.Receive(simEpoch, 2, core.Remember{Vector: crdt.Vector{origin(2, 1): 5}})
		}
		if n.RolledBack() != test.want {
			t.Errorf("%s: rolled back %v", name, n.RolledBack())
			continue
		}
		noted := false
		for _, p := range n.Puts() {
			noted = noted || p.Key == core.RollbackKey && len(p.Val) > 0
		}
		n.Receive(simEpoch, 2, core.Ask{Version: 1, Round: 4})
		n.Receive(simEpoch, 3, core.Prepare{Version: 1, Register: "r", Ballot: core.Ballot{N: 1, Node: 3}})
		for _, p := range n.Puts() {
			n.PutDone(simEpoch, p)
		}
		answers := 0
		for id := crdt.NodeID(2); id <= 3; id++ {
			for {
				m, ok := n.NextMessage(id)
				if !ok {
					break
				}
				switch m.(type) {
				case core.Reply, core.Promise:
					answers++
				}
			}
		}
		if noted != test.want || answers > 0 == test.want {
			t.Errorf("%s: noted durably %v, %d answers", name, noted, answers)
		}
	}
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	if n := core.New(core.Config{Self: list.Members[0]}, core.State{List: list, RolledBack: true}, simEpoch); !n.RolledBack() {
		t.Error("it forgets over a restart")
	}
}

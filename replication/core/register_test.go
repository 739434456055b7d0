package core_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// trio is three members whose messages a test carries by hand.
type trio struct {
	t     *testing.T
	nodes map[crdt.NodeID]*core.Node
	list  *core.List
	now   time.Time
	done  map[crdt.NodeID][]core.Done
	drop  func(from, to crdt.NodeID, m core.Message) bool // what is lost
	saved map[crdt.NodeID]map[string][]byte
}

func newTrio(t *testing.T, knobs core.Knobs) *trio {
	c := &trio{t: t, nodes: map[crdt.NodeID]*core.Node{}, now: simEpoch, done: map[crdt.NodeID][]core.Done{},
		saved: map[crdt.NodeID]map[string][]byte{}, list: &core.List{Cluster: 7, Version: 1, Members: []core.Member{
			{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}}}
	for id := crdt.NodeID(1); id <= 3; id++ {
		c.nodes[id] = core.New(core.Config{Self: c.list.Members[id-1], Rand: rand.New(rand.NewPCG(1, uint64(id))), Knobs: knobs},
			core.State{List: c.list}, c.now)
		c.saved[id] = map[string][]byte{}
	}
	for id, n := range c.nodes {
		for other := range c.nodes {
			if other != id {
				up(n, c.list, c.now, nil, other)
			}
		}
	}
	return c
}

// settle carries messages and puts until nothing moves.
func (c *trio) settle() {
	for moved := true; moved; {
		moved = false
		for id := crdt.NodeID(1); id <= 3; id++ {
			n := c.nodes[id]
			for _, p := range n.Puts() {
				c.saved[id][p.Key] = p.Val
				n.PutDone(c.now, p)
				moved = true
			}
			for to, m := range c.nodes {
				for {
					msg, ok := n.NextMessage(to)
					if !ok {
						break
					}
					moved = true
					if c.drop == nil || !c.drop(id, to, msg) {
						m.Receive(c.now, id, msg)
					}
				}
			}
			c.done[id] = append(c.done[id], n.Decisions()...)
		}
	}
}

// pass lets time go by, with messages carried all the while.
func (c *trio) pass(d time.Duration) {
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(20 * time.Millisecond)
		for id, n := range c.nodes {
			for other := range c.nodes {
				n.Heard(c.now, other)
			}
			_ = id
			n.Tick(c.now)
		}
		c.settle()
	}
}

func TestBlocksFollowEachOther(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	for i := range 10 {
		id := crdt.NodeID(i%3 + 1)
		c.nodes[id].Propose(c.now, "seq", core.NextNumber(100, 5))
		c.settle()
		if d := c.done[id]; len(d) != i/3+1 || core.Number(d[i/3].Value) != 100+5*int64(i) {
			t.Fatalf("block %d: %+v", i, d)
		}
	}
	// One asks for many at once: they queue.
	for range 20 {
		c.nodes[2].Propose(c.now, "seq", core.NextNumber(100, -1))
	}
	c.pass(time.Second)
	if d := c.done[2]; core.Number(d[len(d)-1].Value) != 150-19 {
		t.Errorf("the last of 20 is %d, want 131", core.Number(d[len(d)-1].Value))
	}
}

// TestPromisesAreDurable: what a restarted acceptor remembers keeps an older ballot out.
func TestPromisesAreDurable(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	c.nodes[1].Propose(c.now, "seq", core.NextNumber(1, 5))
	c.settle()
	// All restart with what they had made durable.
	for id := range c.nodes {
		st := core.State{List: c.list, Registers: map[string][]byte{"seq": c.saved[id][core.RegisterKey("seq")]}}
		names, err := core.DecodeNames(c.saved[id][core.RegistersKey])
		if err != nil || len(names) != 1 || names[0] != "seq" {
			t.Fatalf("names %q, %v", names, err)
		}
		c.nodes[id] = core.New(core.Config{Self: c.list.Members[id-1]}, st, c.now)
	}
	for id, n := range c.nodes {
		for other := range c.nodes {
			if other != id {
				up(n, c.list, c.now, nil, other)
			}
		}
	}
	c.nodes[3].Propose(c.now, "seq", core.NextNumber(1, 5))
	c.settle()
	if d := c.done[3]; len(d) != 1 || core.Number(d[0].Value) != 6 {
		t.Errorf("after a restart of all: %+v, want 6", d)
	}
}

// TestAnswersAreDurable: a promise, and what is accepted, are on disk before anybody hears of them (rule E1).
func TestAnswersAreDurable(t *testing.T) {
	for _, ask := range []core.Message{core.Prepare{Version: 1, Register: "seq", Ballot: core.Ballot{N: 1, Node: 2}},
		core.Accept{Version: 1, Register: "seq", Ballot: core.Ballot{N: 1, Node: 2}, Value: []byte("v")}} {
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2)
		answered := func() (yes bool) {
			for m, ok := n.NextMessage(2); ok; m, ok = n.NextMessage(2) {
				switch m.(type) {
				case core.Promise, core.Accepted:
					yes = true
				}
			}
			return yes
		}
		n.Receive(simEpoch, 2, ask)
		puts := n.Puts()
		if answered() {
			t.Errorf("%T is answered before the answer is durable", ask)
		}
		for _, p := range puts {
			n.PutDone(simEpoch, p)
		}
		if !answered() {
			t.Errorf("%T is not answered", ask)
		}
	}
}

// TestC1 has n1 die with its new list accepted by itself and n2, which is decided, though nobody knows: n3, which wants
// another one, completes it first. If it was accepted by n1 alone, n3 decides its own.
func TestC1(t *testing.T) {
	for _, test := range []struct {
		name    string
		reached bool // n2 accepted n1's list
		without bool // the rule is taken out
		four    bool // n4, whom n1 registered, is in version 2
	}{
		{"accepted by n1 alone", false, false, false},
		{"accepted by a majority", true, false, true},
		{"accepted by a majority, without the rule", true, true, false},
	} {
		c := newTrio(t, core.Knobs{ForgetUndecided: test.without})
		c.drop = func(from, to crdt.NodeID, m core.Message) bool {
			if a, ok := m.(core.Accept); ok && from == 1 && a.Register == "members" {
				return to == 3 || !test.reached
			}
			_, ok := m.(core.Accepted)
			return ok && to == 1
		}
		c.nodes[1].ChangeList(c.now, core.WithMember(core.Member{ID: 4, Name: "n4"}))
		c.settle()
		for _, id := range []crdt.NodeID{2, 3} {
			c.nodes[id].Down(c.now, 1)
		}
		c.drop = func(from, to crdt.NodeID, m core.Message) bool { return from == 1 || to == 1 }
		c.nodes[3].ChangeList(c.now, core.WithMember(core.Member{ID: 5, Name: "n5"}))
		c.pass(3 * time.Second)
		// Where n4 is in, n5 has to wait: the change is complete when three of the four have all.
		l := c.nodes[3].List()
		if l.Version != 2 || l.Has(4) != test.four || l.Has(5) == test.four || len(c.done[3]) > 0 == test.four {
			t.Errorf("%s: version %d, n4 %v, n5 %v, decided %+v", test.name, l.Version, l.Has(4), l.Has(5), c.done[3])
		}
	}
}

// TestAnAcceptedListIsCompleted: a list is accepted by all, and its proposer is gone before it has told anybody that it is
// decided. Nobody wants another change; the others find out all the same.
func TestAnAcceptedListIsCompleted(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	c.drop = func(_, to crdt.NodeID, m core.Message) bool {
		_, ok := m.(core.Accepted)
		return ok && to == 1
	}
	c.nodes[1].ChangeList(c.now, core.WithMember(core.Member{ID: 4, Name: "n4"}))
	c.settle()
	for _, id := range []crdt.NodeID{2, 3} {
		c.nodes[id].Down(c.now, 1)
	}
	c.drop = func(from, to crdt.NodeID, m core.Message) bool { return from == 1 || to == 1 }
	c.pass(5 * time.Second)
	for _, id := range []crdt.NodeID{2, 3} {
		if l := c.nodes[id].List(); l.Version != 2 || !l.Has(4) {
			t.Errorf("n%d has version %d", id, l.Version)
		}
	}
}

// TestC2 asks a node, which has been told of list 2, for the completion check of that list: it answers under list 2 only
// once that is durable. Else it would, after a crash, count in majorities of list 1 again, which are to be over by then.
func TestC2(t *testing.T) {
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2)
	next := *list
	next.Version, next.Before = 2, []crdt.NodeID{1, 2, 3}
	replied := func() (under uint64) {
		n.Receive(simEpoch, 2, core.Ask{Version: 2, Round: 1, Full: true})
		for m, ok := n.NextMessage(2); ok; m, ok = n.NextMessage(2) {
			if r, is := m.(core.Reply); is {
				under = r.Version
			}
		}
		return under
	}
	n.Receive(simEpoch, 2, core.News{List: &next})
	if got := replied(); got != 1 || n.List().Version != 1 {
		t.Errorf("before list 2 is durable it answers under list %d, and has list %d", got, n.List().Version)
	}
	for _, p := range n.Puts() {
		n.PutDone(simEpoch, p)
	}
	if got := replied(); got != 2 {
		t.Errorf("then it answers under list %d", got)
	}
}

// TestC2OfAnotherList: what a member says under a newer list, be it an ack or a ballot, does not count before this node has
// that list too; a ballot under an older one never does.
func TestC2OfAnotherList(t *testing.T) {
	own := origin(1, 1)
	n, list := testNode("aaa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{own: 1})
	up(n, list, simEpoch, nil, 2, 3)
	ticket, _ := n.Confirm(simEpoch, core.Quorum, own, 1)
	promises := func() (to []crdt.NodeID) {
		for puts := n.Puts(); len(puts) > 0; puts = n.Puts() {
			for _, p := range puts {
				n.PutDone(simEpoch, p)
			}
		}
		for id := crdt.NodeID(2); id <= 3; id++ {
			for m, ok := n.NextMessage(id); ok; m, ok = n.NextMessage(id) {
				if _, is := m.(core.Promise); is {
					to = append(to, id)
				}
			}
		}
		return to
	}
	n.Receive(simEpoch, 2, core.Have{Version: 2, Delta: crdt.Vector{own: 1}})
	n.Receive(simEpoch, 2, core.Prepare{Version: 2, Register: "seq", Ballot: core.Ballot{N: 1, Node: 2}})
	n.Receive(simEpoch, 3, core.Prepare{Version: 0, Register: "seq", Ballot: core.Ballot{N: 2, Node: 3}})
	if to, acked := promises(), decided(n)[ticket]; len(to) > 0 || acked {
		t.Errorf("under list 1: promised to %v, acknowledged %v", to, acked)
	}
	next := *list
	next.Version, next.Before = 2, []crdt.NodeID{1, 2, 3}
	n.Adopt(simEpoch, &next)
	if to, acked := promises(), decided(n)[ticket]; len(to) != 1 || to[0] != 2 || !acked {
		t.Errorf("under list 2: promised to %v, acknowledged %v", to, acked)
	}
}

// TestC3SpreadsRegisters has n1 and n2, of three, accept a block of numbers; n4 and n5 join. n3, n4 and n5 are then a
// majority none of which was there, and must not grant the block again.
func TestC3SpreadsRegisters(t *testing.T) {
	for _, without := range []bool{false, true} {
		s := scripted(t, core.Knobs{ChangeEarly: without})
		a, c := s.nodes[0], s.nodes[2]
		s.cut(0, 2, true)
		s.cut(1, 2, true)
		a.grant()
		s.until(t, "n1 has a block", func() bool { return len(s.granted) == 1 })
		s.cut(0, 2, false)
		s.cut(1, 2, false)
		for range 2 {
			n := s.addNode("dc1")
			n.skew = 0
			n.start()
			s.until(t, n.member.Name+" has joined", func() bool {
				n.join()
				return n.core.IsMember() && n.caught
			})
		}
		s.until(t, "n3 has the last list", func() bool { return c.core.List().Version == 5 })
		s.nodes[0].crash()
		s.nodes[1].crash()
		c.grant()
		s.run(s.now + 2*time.Second)
		if twice := len(s.faults) > 0; twice != without || !twice && len(s.granted) != 2 {
			t.Errorf("without the rule %v: blocks %v, %v", without, s.granted, s.faults)
		}
	}
}

// TestC3 has n1 want a change while the last one, of a member in data centre b, is not complete: it does not begin
// before a majority of all, and of b, have what a majority of those before had.
func TestC3(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 2, Before: []crdt.NodeID{1, 2, 3}, Members: []core.Member{
		{ID: 1, Name: "n1", DC: "a"}, {ID: 2, Name: "n2", DC: "a"}, {ID: 3, Name: "n3", DC: "b"}, {ID: 4, Name: "n4", DC: "b"}}}
	o := origin(3, 1)
	for _, test := range []struct {
		knobs core.Knobs
		begun int // after which step the change begins
	}{
		{core.Knobs{}, 4}, {core.Knobs{ForgetCentres: true}, 1}, {core.Knobs{ChangeEarly: true}, 0},
	} {
		n := core.New(core.Config{Self: list.Members[0], Rand: rand.New(rand.NewPCG(1, 1)), Knobs: test.knobs}, core.State{List: list}, simEpoch)
		up(n, list, simEpoch, nil, 2, 3, 4)
		begun := -1
		var round uint64
		look := func(step int) {
			for id := crdt.NodeID(2); id <= 4; id++ {
				for {
					m, ok := n.NextMessage(id)
					if !ok {
						break
					}
					switch m := m.(type) {
					case core.Ask:
						round = m.Round
					case core.Prepare:
						if begun < 0 && m.Register == "members" {
							begun = step
						}
					}
				}
			}
		}
		n.ChangeList(simEpoch, core.WithMember(core.Member{ID: 5, Name: "n5", DC: "a"}))
		look(0)
		n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: round})
		look(0) // what n2 said before it had list 2 does not count (rule C2)
		n.Receive(simEpoch, 2, core.Reply{Version: 2, Round: round})
		look(1) // n1 and n2 are a majority of those before, and have all that they have
		n.Receive(simEpoch, 3, core.Reply{Version: 2, Round: round, Delta: crdt.Vector{o: 9}})
		look(2) // n3 is a majority of b before; n4 does not have its entries
		n.Advance(simEpoch, crdt.Vector{o: 9})
		n.Receive(simEpoch, 2, core.Have{Version: 2, Delta: crdt.Vector{o: 9}})
		look(3) // a majority of all has them, but not of b
		n.Receive(simEpoch, 4, core.Have{Version: 2, Delta: crdt.Vector{o: 9}})
		look(4)
		if begun != test.begun {
			t.Errorf("%+v: begun after step %d, want %d", test.knobs, begun, test.begun)
		}
	}
}

func TestNamesAreNotGivenTwice(t *testing.T) {
	c := newTrio(t, core.Knobs{})
	c.nodes[1].ChangeList(c.now, core.WithMember(core.Member{ID: 9, Name: "n2"}))
	c.settle()
	if d := c.done[1]; len(d) != 1 || d[0].Err == nil {
		t.Errorf("got %+v, want a refusal", d)
	}
	if c.nodes[1].List().Version != 1 {
		t.Error("a refused change made a version")
	}
	// The same record once more changes nothing.
	c.nodes[1].ChangeList(c.now, core.WithMember(c.list.Members[1]))
	c.settle()
	if d := c.done[1]; len(d) != 2 || d[1].Err != nil || c.nodes[1].List().Version != 1 {
		t.Errorf("the same record: %+v", d)
	}
}

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

func newTrio(t *testing.T) *trio {
	c := &trio{t: t, nodes: map[crdt.NodeID]*core.Node{}, now: simEpoch, done: map[crdt.NodeID][]core.Done{},
		saved: map[crdt.NodeID]map[string][]byte{}, list: &core.List{Cluster: 7, Version: 1, Members: []core.Member{
			{ID: 1, Name: "n1"}, {ID: 2, Name: "n2"}, {ID: 3, Name: "n3"}}}}
	for id := crdt.NodeID(1); id <= 3; id++ {
		c.nodes[id] = core.New(core.Config{Self: c.list.Members[id-1], Rand: rand.New(rand.NewPCG(1, uint64(id)))},
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
	c := newTrio(t)
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
	c := newTrio(t)
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

// TestC1 has n1's new list accepted by n1 alone when it dies: n3, which wants another one, finds it through nobody, and
// decides its own; then the other way: n2 has accepted it, and n3 completes it before its own.
func TestC1(t *testing.T) {
	for _, reached := range []bool{false, true} {
		c := newTrio(t)
		c.drop = func(from, to crdt.NodeID, m core.Message) bool {
			if a, ok := m.(core.Accept); ok && from == 1 && a.Register == "members" {
				return to == 3 || !reached
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
		l := c.nodes[3].List()
		if reached && (l.Version != 2 || !l.Has(4) || l.Has(5)) {
			// n5 has to wait: list 2 has four members, and its change is complete when three of them have all.
			t.Errorf("n4's registration was not completed first: version %d, n4 %v, n5 %v", l.Version, l.Has(4), l.Has(5))
		}
		if !reached && (l.Version != 2 || l.Has(4) || !l.Has(5)) {
			t.Errorf("version %d, n4 %v, n5 %v; want n5 in version 2", l.Version, l.Has(4), l.Has(5))
		}
	}
}

func TestNamesAreNotGivenTwice(t *testing.T) {
	c := newTrio(t)
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

package core_test

import (
	"context"
	"errors"
	"maps"
	"math"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
	"layercake/replication/memstore"
)

// content is what an entry says, whatever it is called.
type content struct {
	key  string
	cell memstore.Cell
}

// past is a machine as it was at some time, its process included.
type past struct {
	store    simStore
	instance uint64
	holds    map[content]struct{}
}

// keepForks does what the core wants done about forks.
func (n *simNode) keepForks() {
	s, life := n.s, n.life
	for _, l := range n.core.Looks() {
		s.after(s.between(0, time.Millisecond), func() {
			if n.core == nil || n.life != life {
				return
			}
			got := make([]core.Hashes, len(l.Wants))
			for i, w := range l.Wants {
				got[i].Low, got[i].First, got[i].List, _ = n.store.Chain(context.Background(), w.Origin, w.From, w.To)
			}
			n.core.Looked(n.time(), l, got)
			n.pump()
		})
	}
	if after, ok := n.core.RenewDue(n.time()); ok {
		n.core.Renewed(n.time(), n.store.Renew(context.Background(), after))
		s.log("%s begins a new epoch", n.member.Name)
	}
	if f, move, ok := n.core.ForkDue(n.time()); ok {
		s.after(s.between(0, 5*time.Millisecond), func() {
			if n.core == nil || n.life != life {
				return
			}
			moved, err := n.store.Refile(context.Background(), f, move)
			s.log("%s learns of a fork after entry %d of %v, branch %x: moved %v, %v", n.member.Name, f.After, f.Origin, f.Hash, moved, err)
			if err != nil {
				s.violated("%s cannot mend a fork: %v", n.member.Name, err)
				return
			}
			if moved {
				s.moves++
			}
			n.core.Refiled(n.time(), f, moved, n.state(), nil)
			n.pump()
		})
	}
}

// took notes what a node holds durably.
func (n *simNode) took(batch []crdt.Entry) {
	if n.s.sql != nil {
		return
	}
	v := n.store.Vector()
	for i := range batch {
		e := &batch[i]
		if e.Seq > v[e.Origin] || e.Marker || e.Empty() {
			continue
		}
		if _, first, h, _ := n.store.Chain(context.Background(), e.Origin, e.Seq, e.Seq); first > 0 && h[0] != crdt.Short(e.Hash) {
			continue // another one of this number is here
		}
		key, c := memstore.Body(e)
		n.holds[content{key, c}] = struct{}{}
	}
}

// tookLog notes all that the log of a node that starts holds: a commit may have become durable together with another, and
// nobody have been told before the crash.
func (n *simNode) tookLog() {
	if n.s.sql != nil {
		return
	}
	trimmed := n.store.Trimmed()
	for o := range n.store.Vector() {
		list, _ := n.store.Entries(context.Background(), o, trimmed[o]+1, math.MaxInt)
		n.took(list)
	}
}

// rewind rolls a machine back while it runs: its process goes on, with what it had then in memory and on disk.
func (n *simNode) rewind(p *past) {
	s := n.s
	s.rewinds++
	n.rewound = true
	n.crash()
	n.store, n.holds = p.store, p.holds
	o := n.mem().Own()
	s.log("%s is rolled back while it runs, to %d of what it has written", n.member.Name, n.store.Vector()[o])
	s.after(s.between(0, 30*time.Millisecond), func() { n.run(p.instance, o) })
}

// photograph keeps a machine as it is now.
func (n *simNode) photograph() *past {
	n.s.log("%s is photographed", n.member.Name)
	return &past{memStore{n.mem().Rewind(), n}, n.instance, maps.Clone(n.holds)}
}

// rewinder rolls machines back while they run. Nobody is told, whoever may know of it: what was promised before is not
// looked at any more, but all are to be equal in the end, and nothing that any of them holds is to be lost.
func (s *sim) rewinder(busy time.Duration) {
	last := time.Duration(0)
	var next func()
	next = func() {
		if s.now > busy-500*time.Millisecond {
			return
		}
		n := s.nodes[s.rng.IntN(len(s.nodes))]
		switch {
		case n.core == nil || !n.core.IsMember() || !n.caught || n.core.RolledBack() || len(n.core.List().Members) < len(s.nodes):
		case n.past == nil || s.chance(10):
			n.past = n.photograph()
		case s.rewinds < 3 && s.now > last+800*time.Millisecond && s.chance(40):
			last = s.now
			p := n.past
			n.past = nil
			n.rewind(p)
		}
		s.after(s.between(10*time.Millisecond, 100*time.Millisecond), next)
	}
	s.after(s.between(500*time.Millisecond, 2*time.Second), next)
}

// loseRewound has those never come back that were rolled back, if they are a minority: who is left may differ on what they
// wrote. Were it others, too few of those that remember would be left.
func (s *sim) loseRewound() {
	var lost []*simNode
	for _, n := range s.nodes {
		if n.rewound {
			lost = append(lost, n)
		}
	}
	if len(lost) <= len(s.nodes)/2 && s.chance(50) {
		for _, n := range lost {
			n.gone = true
		}
	}
}

// checkHolds holds the rows of all nodes against what any of them that is left holds, or held and was not rolled back
// since.
func (s *sim) checkHolds() {
	if s.sql != nil {
		return // no machine is rolled back while it runs there
	}
	want := map[string]memstore.Cell{}
	for _, n := range s.nodes {
		if n.gone {
			continue
		}
		for c := range n.holds {
			if old, there := want[c.key]; !there || c.cell.After(old) {
				want[c.key] = c.cell
			}
		}
	}
	for _, n := range s.nodes {
		if n.gone {
			continue
		}
		rows := n.mem().Rows()
		for key, c := range want {
			if got, there := rows[key]; there == c.Deleted || there && got != c {
				s.violated("%s shows %s=%q of %v, a member held %q of %v (deleted: %v)", n.member.Name, key, got.Value, got.Stamp, c.Value, c.Stamp, c.Deleted)
				return
			}
		}
	}
}

// tolerable says whether an entry may be refused for this: it is of another branch than the one here.
func tolerable(err error) bool { return errors.Is(err, memstore.ErrFork) }

package core_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
	"layercake/replication/memstore"
	"layercake/sqlstore"
)

// simCap is how many entries a log may hold before absent members are not waited for any more.
const simCap = 150

// state is what the store remembers, but for lists and registers.
func (n *simNode) state() core.State {
	marks, _ := n.store.Markers()
	forks, _ := n.store.Forks()
	return core.State{Vector: n.store.Vector(), Trimmed: n.store.Trimmed(), Markers: marks, Forks: forks, Retired: n.store.Retired()}
}

// keep writes markers, purges, trims and takes snapshots when they are due.
func (n *simNode) keep() {
	s, life := n.s, n.life
	later := func(min, max time.Duration, do func()) {
		s.after(s.between(min, max), func() {
			if n.core != nil && n.life == life {
				do()
				n.pump()
			}
		})
	}
	if m, ok := n.core.MarkerDue(n.time()); ok {
		c := n.store.mark(m)
		s.markers++
		s.lastMarker = s.now
		n.sync(func() {
			s.log("%s has marked %d: %d", n.member.Name, c.seq, m.List)
			n.core.Marked(n.time(), m, c.origin, c.seq, c.err)
		})
	}
	if v, before, ok := n.core.PurgeDue(n.time()); ok {
		later(0, 5*time.Millisecond, func() {
			purged, young, _ := n.store.Purge(context.Background(), v, before)
			s.purges += int(purged)
			s.log("%s purges %d", n.member.Name, purged)
			n.core.Purged(n.time(), young)
		})
	}
	if v, ok := n.core.TrimDue(n.time(), n.store.LogLen() > simCap); ok {
		later(0, 5*time.Millisecond, func() {
			was := n.store.LogLen()
			n.store.Trim(context.Background(), v)
			s.trims += was - n.store.LogLen()
			s.log("%s trims %d", n.member.Name, was-n.store.LogLen())
			n.core.Trimmed(n.time(), n.store.Trimmed())
		})
	}
	if from, ok := n.core.SnapshotDue(n.time()); ok {
		donor := s.nodes[from.ID-1]
		var image io.ReadCloser
		if donor.core != nil {
			image, _, _ = donor.store.Copy(context.Background())
		}
		donorLife, holds := donor.life, maps.Clone(donor.holds)
		later(5*time.Millisecond, 80*time.Millisecond, func() {
			if image == nil || donor.core == nil || donor.life != donorLife || !s.link(n.i, donor.i).up {
				s.log("%s gets no snapshot from %s", n.member.Name, donor.member.Name)
				n.core.Installed(n.time(), core.State{}, errors.New("the donor is gone"))
				return
			}
			err := n.store.Install(context.Background(), image)
			s.log("%s installs a snapshot from %s: %v", n.member.Name, donor.member.Name, err)
			if err != nil && !errors.Is(err, memstore.ErrUncovered) && !errors.Is(err, sqlstore.ErrUncovered) && !errors.Is(err, crdt.ErrAhead) && !errors.Is(err, memstore.ErrUnmended) {
				s.violated("%s cannot install a snapshot: %v", n.member.Name, err)
			}
			if err == nil {
				s.snapshots++
				maps.Copy(n.holds, holds)
			}
			n.core.Installed(n.time(), n.state(), err)
		})
	}
}

// checkQuiet holds once all members are there and nobody has written for long: no tombstone and no log beyond a small
// tail is left, ended epochs are retired, and no marker answers markers.
func (s *sim) checkQuiet(members int) {
	for _, n := range s.nodes {
		if n.gone {
			continue
		}
		if k := n.store.Tombstones(); k > 0 {
			s.violated("%s still has %d tombstones", n.member.Name, k)
			return
		}
		if k := n.store.LogLen(); k > 4*members {
			s.violated("%s still has a log of %d entries", n.member.Name, k)
			return
		}
		if os := n.named(); len(os) > 0 {
			s.violated("%s still names %v", n.member.Name, os)
			return
		}
	}
	if s.lastMarker > s.now-5*time.Second {
		s.violated("a marker was written at %v, though nobody has written anything for long", s.lastMarker)
	}
}

// named lists the ended epochs that are not retired, but for those that forked.
func (n *simNode) named() (os []crdt.Origin) {
	v, retired := n.store.Vector(), n.store.Retired()
	forks, _ := n.store.Forks()
	list := n.s.latest()
	newest := map[crdt.NodeID]crdt.Origin{}
	for o := range v {
		if list.Has(o.Node) && newest[o.Node].Compare(o) < 0 {
			newest[o.Node] = o
		}
	}
	for o, seq := range v {
		switch {
		case retired[o] == seq:
			n.s.retired++
		case o != newest[o.Node] && !forks.Forked(o) && !forks.IsBranch(o):
			os = append(os, o)
		}
	}
	return os
}

// restorer copies folders, and puts nodes back from such old copies: one at a time, since each is a loss until it has
// caught up. Nobody else crashes meanwhile: what peers remember of the lost part is in memory, but for markers.
func (s *sim) restorer(busy time.Duration) {
	var next func()
	next = func() {
		if s.now > busy-1500*time.Millisecond {
			return
		}
		n := s.nodes[s.rng.IntN(len(s.nodes))]
		switch {
		case n.core == nil || !n.core.IsMember() || !n.caught || n.core.RolledBack():
		case len(n.core.List().Members) == 1: // such a copy does not know that there are others
		case n.copied == nil || s.chance(10):
			n.copied, n.heldThen = n.store.Backup(), maps.Clone(n.holds)
			s.log("%s is copied", n.member.Name)
		case s.restored == nil && s.restores < 3 && s.allUp():
			s.restores++
			s.restored = n
			n.crash()
			n.store, n.copied, n.holds = n.copied, nil, n.heldThen
			// What it alone had in its data centre is gone: also what it promised while it was alone there, if the next
			// one does not have that yet.
			for _, m := range s.nodes {
				if m != n && m.member.DC == n.member.DC && m.caught && m.store.Vector().Covers(m.owes) {
					break
				}
				if m == s.nodes[len(s.nodes)-1] {
					delete(s.floors, n.member.DC)
					s.lost[n.member.DC] = s.now
				}
			}
			s.log("%s is put back from an old copy", n.member.Name)
			s.after(s.between(5*time.Millisecond, 300*time.Millisecond), func() {
				n.start()
				s.whenBack(n)
			})
		}
		s.after(s.between(10*time.Millisecond, 100*time.Millisecond), next)
	}
	s.after(s.between(500*time.Millisecond, 2*time.Second), next)
}

// allUp says whether all run and reach each other: what one of them loses by being put back, others remember, and can
// say so. Without them nobody can know.
func (s *sim) allUp() bool {
	for i, n := range s.nodes {
		if n.core == nil || !n.core.IsMember() || n.core.RolledBack() {
			return false
		}
		for j := range i {
			if l := s.link(j, i); !l.up || l.cut || l.mute != [2]bool{} {
				return false
			}
		}
	}
	return true
}

// whenBack ends the state of exception once the node has been told what it lacks, if anything, and has caught up.
func (s *sim) whenBack(n *simNode) {
	s.after(100*time.Millisecond, func() {
		linked := 0
		for j := range s.nodes {
			if j != n.i && s.link(n.i, j).up {
				linked++
			}
		}
		if n.core == nil || n.core.RolledBack() || linked < len(s.nodes)-1 {
			s.whenBack(n)
			return
		}
		s.log("%s has caught up after it was put back", n.member.Name)
		s.restored = nil
	})
}

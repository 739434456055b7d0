package core_test

import (
	"maps"
	"slices"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

const simTimeout = 2 * time.Second

// write runs a statement that writes: the read level's barrier, the commit, the write level.
func (n *simNode) write(level core.Level) {
	s := n.s
	op := &simOp{node: n.i, level: level, start: s.now}
	life := n.life
	commit := func() {
		if n.core == nil || n.life != life {
			return
		}
		c := n.store.statement(op)
		if s.only != nil {
			s.statements = append(s.statements, op)
		}
		if c.err != nil {
			return
		}
		id := entryID{c.origin, c.seq}
		said := content{s.keys[id], s.all[id]} // by then it may be overwritten, if numbers are used twice
		n.sync(func() {
			if c.none {
				return
			}
			o, seq := c.origin, c.seq
			op.origin, op.seq = o, seq
			s.writes = append(s.writes, op)
			if s.sql == nil {
				n.holds[said] = struct{}{}
			}
			t, done := n.core.Confirm(n.time(), level, o, seq)
			acked := func(core.Done) {
				op.end = s.now
				s.promise(n, level, crdt.Vector{o: seq})
				s.log("%s write %d acked at %s by %v", n.member.Name, seq, level, n.core.Acks(level, o, seq).Reachable)
			}
			if done {
				acked(core.Done{})
			} else {
				n.wait(t, simTimeout, acked, func() {})
			}
		})
	}
	n.barrier(level, func(core.Done) { commit() })
}

// barrier calls then once this node has caught up as level asks.
func (n *simNode) barrier(level core.Level, then func(core.Done)) {
	t, done := n.core.Barrier(n.time(), level)
	if done {
		then(core.Done{})
		return
	}
	n.wait(t, simTimeout, then, func() {})
}

// read runs a statement that reads: barrier, snapshot, write-back. The snapshot is taken while the barrier is under way,
// and anew after it if the first was too early.
func (n *simNode) read(level core.Level) {
	s := n.s
	op := &simOp{node: n.i, level: level, start: s.now, floor: s.floor(n, level)}
	look := func() (crdt.Vector, string) {
		return n.store.Vector(), n.store.show(op.key)
	}
	if s.only != nil {
		op.key = linearKey(s)
	}
	early, value := look()
	n.barrier(level, func(d core.Done) {
		if n.core == nil {
			return
		}
		if op.vector, op.value = early, value; !d.Fresh {
			op.vector, op.value = look()
		}
		s.log("%s reads at %s after a barrier since %v", n.member.Name, level, op.start)
		t, done := n.core.WriteBack(n.time(), level, op.vector)
		answered := func(core.Done) {
			op.end = s.now
			s.checkRead(op)
			s.promise(n, level, op.vector)
			s.reads++
			if s.only != nil {
				op.read = true
				s.statements = append(s.statements, op)
			}
		}
		if done {
			answered(core.Done{})
		} else {
			n.wait(t, simTimeout, answered, func() {})
		}
	})
}

// grant takes a block of numbers.
func (n *simNode) grant() {
	t := n.core.Propose(n.time(), "seq", core.NextNumber(1, 10))
	n.wait(t, simTimeout, func(d core.Done) {
		start := core.Number(d.Value)
		n.s.log("%s is granted %d", n.member.Name, start)
		if n.s.granted[start] && n.s.rewinds == 0 {
			n.s.violated("block %d was granted twice", start)
		}
		n.s.granted[start] = true
	}, func() {})
}

// join asks a random member to register n.
func (n *simNode) join() {
	s := n.s
	if n.core == nil || n.core.IsMember() || n.core.IsRetired() || n.asking || n.refused {
		return
	}
	m := s.nodes[s.rng.IntN(len(s.nodes))]
	if m.core == nil || !m.core.IsMember() {
		return
	}
	n.asking = true
	life := n.life
	t := m.core.ChangeList(m.time(), core.WithMember(n.member))
	m.wait(t, simTimeout, func(d core.Done) {
		s.after(time.Millisecond, func() {
			if n.core == nil || n.life != life {
				return
			}
			l, err := core.DecodeList(d.Value)
			if pgerror.Code(d.Err) == pgerror.ObjectNotInPrerequisiteState {
				n.refused = true
				return
			}
			if pgerror.Code(d.Err) == pgerror.DuplicateObject && s.removals > 0 {
				return // whom it asked has not heard yet that the name is free
			}
			if d.Err != nil || err != nil {
				s.violated("join of %s: %v %v", n.member.Name, d.Err, err)
				return
			}
			s.log("%s joins in version %d", n.member.Name, l.Version)
			n.core.Adopt(n.time(), l)
			n.pump()
			n.catchUp(life)
		})
	}, func() {})
	s.after(simTimeout+100*time.Millisecond, func() { n.asking = false }) // the answer may have been lost
}

// remove has a random member retire another, up or down, and starts a node that takes its name.
func (s *sim) remove() {
	m := s.nodes[s.rng.IntN(len(s.nodes))]
	if m.core == nil || !m.core.IsMember() || !m.caught || len(m.core.List().Members) < 3 {
		return
	}
	victim := m.core.List().Members[s.rng.IntN(len(m.core.List().Members))]
	if victim.ID == m.member.ID {
		return
	}
	s.removals++
	s.log("%s removes n%d", m.member.Name, victim.ID)
	t := m.core.ChangeList(m.time(), core.WithoutMember(victim.ID))
	m.wait(t, simTimeout, func(d core.Done) {
		if d.Err != nil {
			s.violated("removal of n%d: %v", victim.ID, d.Err)
			return
		}
		s.log("n%d is removed", victim.ID)
		for _, n := range s.nodes {
			if n.member.Name == victim.Name && n.member.ID > victim.ID {
				return // another one removed it too, and has begun to replace it
			}
		}
		n := s.addNode(victim.DC)
		n.member.Name = victim.Name
		n.start()
		s.clients(n)
	}, func() {})
}

// latest is the newest member list that any running node has.
func (s *sim) latest() *core.List {
	l := &core.List{}
	for _, n := range s.nodes {
		if n.core != nil && n.core.List().Version > l.Version {
			l = n.core.List()
		}
	}
	return l
}

// catchUp lets a node serve once it has all that a majority had after it had joined.
func (n *simNode) catchUp(life int) {
	if n.core == nil || n.life != life || n.caught || n.core.IsRetired() {
		return
	}
	if !n.core.IsMember() {
		n.s.after(5*time.Millisecond, func() { n.catchUp(life) })
		return
	}
	t, done := n.core.Barrier(n.time(), core.Quorum)
	if done {
		n.caught = true
		return
	}
	n.wait(t, simTimeout, func(core.Done) {
		n.caught = true
		n.s.log("%s has caught up", n.member.Name)
	}, func() { n.catchUp(life) })
}

// promise notes what later statements must see: entries acknowledged, and what reads showed. Each data centre has a
// floor of its own for local_quorum, "" is that of quorum.
func (s *sim) promise(n *simNode, level core.Level, v crdt.Vector) {
	l := s.latest()
	if l.IsRetired(n.member.ID) && level == core.LocalQuorum {
		return // it has not learned yet that it is alone
	}
	to := map[core.Level][]string{core.Quorum: {""}, core.LocalQuorum: {n.member.DC}, core.EachQuorum: {"dc1", "dc2", "dc3"},
		core.All: {"", "dc1", "dc2", "dc3"}}
	for _, floor := range to[level] {
		if floor != "" && !slices.Contains(l.DCs(), floor) {
			continue
		}
		if s.floors[floor] == nil {
			s.floors[floor] = crdt.Vector{}
		}
		s.floors[floor].Merge(v)
		for _, m := range s.nodes {
			if m.member.DC == floor && !n.core.List().Has(m.member.ID) {
				m.owes.Merge(v)
			}
		}
	}
}

// floor is what a read at level that begins now must see.
func (s *sim) floor(n *simNode, level core.Level) map[string]crdt.Vector {
	v := map[string]crdt.Vector{}
	for dc, f := range s.floors {
		local := dc == n.member.DC && level == core.LocalQuorum
		// A majority of every data centre is one of all.
		if dc == "" && level == core.Quorum || local || level == core.EachQuorum || level == core.All {
			v[dc] = f.Clone()
		}
	}
	return v
}

// checkRead holds a read against all that had been promised when it began.
func (s *sim) checkRead(r *simOp) {
	if s.rewinds > 0 {
		return
	}
	for _, dc := range slices.Sorted(maps.Keys(r.floor)) {
		if r.level == core.LocalQuorum && s.latest().IsRetired(s.nodes[r.node].member.ID) {
			return
		}
		if lost, ok := s.lost[dc]; ok && r.start <= lost {
			continue
		}
		for o, seq := range r.floor[dc] {
			if r.vector[o] < seq {
				s.violated("stale read: n%d at %s, which began at %v, showed n%d's entries up to %d; %d had been promised",
					r.node+1, r.level, r.start, o.Node, r.vector[o], seq)
				return
			}
		}
	}
}

// checkHash holds that no (origin, seq) ever has two contents.
func (n *simNode) checkHash(e *crdt.Entry) {
	if n.s.rewinds > 0 {
		return
	}
	hs := n.s.hashes[e.Origin]
	switch i := int(e.Seq) - 1; {
	case i < len(hs) && hs[i] != ([32]byte{}):
		if hs[i] != e.Hash {
			n.s.violated("entry %d of n%d has two contents", e.Seq, e.Origin.Node)
		}
	default:
		for len(hs) <= i {
			hs = append(hs, [32]byte{})
		}
		hs[i] = e.Hash
		n.s.hashes[e.Origin] = hs
	}
}

// checkList holds that there is one list of each version.
func (n *simNode) checkList() {
	l := n.core.List()
	if l.Version == 0 {
		return
	}
	text := string(core.AppendList(nil, l))
	if n.version != l.Version {
		n.version = l.Version
		n.s.log("%s has list %d", n.member.Name, l.Version)
	}
	if old, ok := n.s.lists[l.Version]; ok && old != text {
		n.s.violated("two member lists of version %d", l.Version)
	}
	n.s.lists[l.Version] = text
	for _, dc := range []string{"dc1", "dc2", "dc3"} {
		if n.s.floors[dc] != nil && !slices.Contains(l.DCs(), dc) { // what it alone promised goes with its last member (rule C4)
			delete(n.s.floors, dc)
			n.s.lost[dc] = n.s.now
		}
	}
}

// checkEnd holds after everything healed: equal vectors and rows on all that are left, and every acknowledged write
// there: all of them if nobody is gone, else those of a level that survives it. And everyone has heard what the others
// have: no ack is owed for ever.
func (s *sim) checkEnd() {
	var first *simNode
	gone := 0
	final := s.latest()
	for _, n := range s.nodes {
		if final.IsRetired(n.member.ID) {
			gone++
			if n.core.IsMember() {
				s.violated("n%d was removed and has not learned of it", n.member.ID)
			}
			n.gone = true
		}
		if n.gone {
			if !final.IsRetired(n.member.ID) {
				gone++
			}
			continue
		}
		if !n.core.IsMember() {
			s.violated("%s never became a member", n.member.Name)
			return
		}
		if first == nil {
			first = n
			continue
		}
		if v, w := n.store.Vector(), first.store.Vector(); !v.Equal(w) {
			s.violated("%s and %s are not equal: %v and %v", n.member.Name, first.member.Name, v, w)
			return
		}
		n.store.check()
		if err := n.store.differs(first.store); err != nil {
			s.violated("%s and %s: %v", n.member.Name, first.member.Name, err)
		}
	}
	for _, n := range s.nodes {
		for _, m := range s.nodes {
			if n == m || n.gone || m.gone {
				continue
			}
			have := n.core.Peer(m.member.ID).Have
			for o, seq := range m.store.Vector() {
				if have[o] < seq {
					s.violated("an ack is missing: %s has entry %d of n%d, %s heard of %d", m.member.Name, seq, o.Node, n.member.Name, have[o])
					return
				}
			}
		}
	}
	if gone == len(final.Retired) {
		s.checkQuiet(len(final.Members))
	}
	s.checkHolds()
	if s.rewinds > 0 || len(s.faults) > 0 {
		return // a rolled back machine forgot what it had acknowledged before it told anybody
	}
	gone += s.restores
	v := first.store.Vector()
	for _, w := range s.writes {
		survives := gone == 0 || w.level == core.Quorum || w.level == core.All || w.level == core.Two && gone <= 2 ||
			w.level == core.One && gone <= 1
		if w.end > 0 && survives && v[w.origin] < w.seq {
			s.violated("lost: entry %d of n%d, acknowledged at %s at %v", w.seq, w.origin.Node, w.level, w.end)
			return
		}
	}
}

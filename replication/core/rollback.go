package core

import (
	"slices"

	"layercake/crdt"
)

// A node of which its peers remember more than it holds was put back from an old copy (rule Q5): of its own entries, of
// what it said in markers, of what it acknowledged. What it promised is forgotten with the rest. Until it has caught up
// with as many others as meet every majority that it may have been part of, it answers no barrier and no ballot, and
// counts for nobody.

// rollback is that node's way back.
type rollback struct {
	on        bool
	round     *round          // asks all for vectors and the names of registers
	registers map[string]bool // whose state is still to be learned; nil: too few others have answered, or are covered
}

// RollbackKey is the Put key of the note that this node was rolled back and has not caught up: nil when it has.
const RollbackKey = "replication/rollback"

// RolledBack says whether this node was put back from an old copy and has not caught up yet. It may serve nobody.
func (n *Node) RolledBack() bool { return n.back.on }

// fresh says whether this node has just started and some member has not spoken to it yet. It may tell, with the first
// message after its Hello, that this node was rolled back; until then, or until Config.Grace is over, no question and no
// ballot is answered.
func (n *Node) fresh() bool {
	if !n.grace || n.now.Sub(n.born) >= n.cfg.Grace {
		return false
	}
	return slices.ContainsFunc(n.list.Members, func(m Member) bool {
		p := n.peers[m.ID]
		return m.ID != n.self && (p == nil || !p.spoke)
	})
}

// endGrace answers what came while this node was fresh.
func (n *Node) endGrace() {
	if !n.grace || n.fresh() {
		return
	}
	n.grace = false
	early := n.early
	n.early = nil
	for _, d := range early {
		// What came over an earlier link is asked anew, and perhaps by another life, which counts its rounds from 1 again: it
		// would take the answer for one to a question that it asked later (rule Q1).
		p := n.peers[d.from]
		if d.from == n.self || p != nil && p.linked && p.link == d.link || n.cfg.Knobs.AnswerOldLinks {
			n.Receive(n.now, d.from, d.msg)
		}
	}
	n.startBarrier()
}

// tooEarly keeps a message for the end of grace, and says so.
func (n *Node) tooEarly(from crdt.NodeID, m Message) bool {
	if !n.grace || !n.fresh() {
		return false
	}
	if len(n.early) < 1024 {
		d := deferred{from: from, msg: m}
		if p := n.peers[from]; p != nil {
			d.link = p.link
		}
		n.early = append(n.early, d)
	}
	return true
}

// rolledBack begins it: durable, since the peers may not remember for long.
func (n *Node) rolledBack() {
	if n.back.on || n.cfg.Knobs.ForgetRollback {
		return
	}
	n.back = rollback{on: true}
	n.puts = append(n.puts, Put{Key: RollbackKey, Val: []byte{1}})
	n.tellRollback()
	n.tickRollback()
}

// tellRollback tells the peers that this node counts no more, or again.
func (n *Node) tellRollback() {
	for _, p := range n.linked() {
		p.poke = true
		n.rouse(p)
	}
}

// remember compares what a peer says that it holds with what it said in an earlier life, and tells it. Its markers need
// no look: they are entries of its own, which it misses by itself (othersHold).
func (n *Node) remember(p *peer, held crdt.Vector, h Hello, newLife bool) {
	known := crdt.Vector{}
	if newLife || n.knowsForks() { // else Hello may be older than what came over the link before: then it will say so
		known.Merge(held)
	}
	known.Merge(p.remembered)
	switch {
	case h.RolledBack:
		p.away = awayKnows
	case !n.fork.known.Covers(h.Vector, known):
		p.away = awayTold
		p.remembered = known
		n.send(p.id, Remember{known})
	default:
		p.away, p.remembered = awayNot, nil
	}
}

// How a peer that was rolled back stands with this node.
const (
	awayNot   = iota
	awayTold  // it may not know yet
	awayKnows // it said so, and will say when it is over
)

// saidRollback takes what a peer says of itself.
func (n *Node) saidRollback(p *peer, on bool) {
	switch {
	case on:
		p.away = awayKnows
	case p.away == awayKnows:
		p.away, p.remembered = awayNot, nil
		n.checkAllConfirms()
		n.checkWriteBacks()
		n.askBarriers(p)
	}
}

// othersHold says whether peers hold more of this node's own entries than it does itself. Those of this life are left
// out: the log may be ahead of the core.
func (n *Node) othersHold(v crdt.Vector) bool {
	for o, seq := range v {
		if o.Node == n.self && o != n.own && !n.fork.known.Met(o, seq, n.at) {
			return true
		}
	}
	return false
}

func (n *Node) at(o crdt.Origin) uint64 { return n.vec[o] }

// backGroups are the conditions of having caught up: others that meet every majority of all members, and every one of
// this data centre's, that this node may have been part of.
func (n *Node) backGroups() []group {
	others := func(ids []crdt.NodeID) group {
		need := len(ids) - (len(ids)/2 + 1) + 1
		rest := slices.DeleteFunc(slices.Clone(ids), func(id crdt.NodeID) bool { return id == n.self })
		return group{ids: rest, need: min(need, len(rest))}
	}
	return []group{others(n.list.ids()), others(n.list.inDC(n.list.dcOf(n.self)))}
}

// nobodyElse says whether from was rolled back, as this node was, and so were too many others: then all members there are
// catch up with each other, since what none of them remembers cannot come back.
func (n *Node) nobodyElse(from crdt.NodeID) bool {
	p := n.peers[from]
	return p != nil && p.away == awayKnows && n.tooManyBack()
}

// tooManyBack says whether all members are there, and too few of them were not rolled back for those that were.
func (n *Node) tooManyBack() bool {
	if !n.back.on || !n.knowsForks() {
		return false
	}
	for _, m := range n.list.Members {
		if p := n.peers[m.ID]; m.ID != n.self && (p == nil || !p.linked || p.away == awayTold) {
			return false
		}
	}
	return !met(n.backGroups(), func(id crdt.NodeID) bool { return n.peers[id].away == awayNot })
}

// caughtUp says whether those others for which has is true suffice: all of them, if too many were rolled back.
func (n *Node) caughtUp(has func(crdt.NodeID) bool) bool {
	if n.tooManyBack() {
		others := n.list.others(n.self)
		return met([]group{{ids: others, need: len(others)}}, has)
	}
	return met(n.backGroups(), has)
}

// tickRollback asks, and goes on when enough others have answered and this node has all that they hold.
func (n *Node) tickRollback() {
	b := &n.back
	if !b.on || !n.IsMember() {
		return
	}
	if b.round == nil {
		b.round = n.newRound()
		b.round.full, b.round.vectors, b.round.names = true, map[crdt.NodeID]crdt.Vector{}, map[crdt.NodeID][]string{}
		b.registers = nil
		n.ask(b.round)
	}
	if b.registers == nil {
		covered := func(id crdt.NodeID) bool {
			v := b.round.vectors[id]
			return v != nil && n.fork.known.Covers(n.vec, v)
		}
		if !n.caughtUp(covered) {
			return
		}
		b.registers = map[string]bool{MembersRegister: true}
		for _, name := range n.registerNames() {
			b.registers[name] = true
		}
		for _, names := range b.round.names {
			for _, name := range names {
				b.registers[name] = true
			}
		}
		for _, name := range sortedKeys(b.registers) {
			n.learn(name)
		}
	}
	if len(b.registers) > 0 {
		return
	}
	delete(n.barriers.rounds, b.round.id)
	n.back = rollback{}
	n.puts = append(n.puts, Put{Key: RollbackKey})
	n.tellRollback()
	n.renewBarriers()
	n.startBarrier()
	for _, name := range sortedKeys(n.props.queues) {
		if q := n.props.queues[name]; q[0].phase == idle {
			n.begin(q[0])
		}
	}
}

// forgetAnswer asks a peer anew that holds less than it once answered, since it was rolled back itself: perhaps nobody
// holds any more what this node waits for.
func (n *Node) forgetAnswer(p *peer) {
	lost := func(r *round) bool { return r != nil && !n.fork.known.Covers(p.have, r.vectors[p.id]) }
	if !n.knowsForks() {
		return
	}
	if b := &n.back; b.registers == nil && lost(b.round) {
		delete(b.round.vectors, p.id)
		delete(b.round.replies, p.id)
		delete(b.round.asked, p.id)
	}
	if c := n.props.check; c != nil && lost(c.round) {
		n.listProposalsChanged()
		n.restartRollback()
	}
}

// restartRollback begins anew under another list.
func (n *Node) restartRollback() {
	if n.back.round != nil {
		delete(n.barriers.rounds, n.back.round.id)
	}
	n.back.round, n.back.registers = nil, nil
	n.tickRollback()
}

// learn asks for a register's state, before anything else that is to be proposed for it.
func (n *Node) learn(name string) {
	p := &proposal{register: name, learn: true}
	q := n.props.queues[name]
	if len(q) > 0 {
		q[0].phase, q[0].at = idle, n.now // a ballot begun in ignorance is void
	}
	n.props.queues[name] = append([]*proposal{p}, q...)
	n.begin(p)
}

// learned takes the state of a register that enough others have promised for: no ballot that this node may have been
// part of before can be decided without one of them, and they have all promised a greater one.
func (n *Node) learned(p *proposal) {
	if !n.caughtUp(func(id crdt.NodeID) bool { _, ok := p.promises[id]; return ok }) {
		return
	}
	g := n.acceptor(p.register)
	g.promised = p.ballot
	for _, q := range p.promises {
		if g.accepted.Less(q.Accepted) {
			g.accepted, g.value = q.Accepted, q.Value
		}
	}
	n.puts = append(n.puts, Put{Key: RegisterKey(p.register), Val: g.encode()})
	n.drop(p)
	delete(n.back.registers, p.register)
	n.tickRollback()
}

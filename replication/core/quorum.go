package core

import (
	"time"

	"layercake/crdt"
)

// confirm is a write that waits until its entry is durable on enough members.
type confirm struct {
	ticket Ticket
	level  Level
	origin crdt.Origin
	seq    uint64
	acks   map[crdt.NodeID]int // only with Knobs.CountMessages
}

// counts says whether what p says may count towards a quorum of this node's list: a peer with a newer list may not,
// until this node has that list too, and neither may one that was rolled back (rule Q5).
func (n *Node) counts(p *peer) bool {
	return p != nil && p.version <= n.list.Version && p.away == awayNot
}

// hasEntry says whether a member durably has an entry, as far as is known here. This node itself counts only once Advance
// has told: what is asked about was committed or read here, but a question answered before would not show it, and a
// barrier that counts the answer would miss what this node was counted for.
func (n *Node) hasEntry(id crdt.NodeID, o crdt.Origin, seq uint64) bool {
	if id == n.self {
		return n.vec[o] >= seq
	}
	p := n.peers[id]
	return n.counts(p) && p.have[o] >= seq
}

// Confirm begins to wait until entry (o, seq), which is durable here, is durable on the members that level asks for. If
// it already is, done is true and there is no ticket.
func (n *Node) Confirm(now time.Time, level Level, o crdt.Origin, seq uint64) (t Ticket, done bool) {
	n.now = now
	c := confirm{level: level, origin: o, seq: seq}
	if n.confirmed(&c) {
		return 0, true
	}
	c.ticket = n.ticket()
	n.confirms[o] = append(n.confirms[o], c)
	return c.ticket, false
}

func (n *Node) confirmed(c *confirm) bool {
	if n.cfg.Knobs.CountMessages && c.acks != nil {
		total := 1
		for _, k := range c.acks {
			total += k
		}
		for _, g := range n.groups[c.level] {
			if total < g.need {
				return false
			}
		}
		return true
	}
	return met(n.groups[c.level], func(id crdt.NodeID) bool { return n.hasEntry(id, c.origin, c.seq) })
}

// checkConfirms decides what waits for o, after from acknowledged more of it (nil: this node itself).
func (n *Node) checkConfirms(o crdt.Origin, from *peer) {
	waiting := n.confirms[o]
	if len(waiting) == 0 {
		return
	}
	kept := waiting[:0]
	for i := range waiting {
		c := &waiting[i]
		if n.cfg.Knobs.CountMessages && from != nil {
			if c.acks == nil {
				c.acks = map[crdt.NodeID]int{}
			}
			c.acks[from.id]++
		}
		if n.confirmed(c) {
			n.decide(c.ticket, nil, nil)
		} else {
			kept = append(kept, *c)
		}
	}
	clear(waiting[len(kept):])
	if len(kept) == 0 {
		delete(n.confirms, o)
	} else {
		n.confirms[o] = kept
	}
}

func (n *Node) checkAllConfirms() {
	for _, o := range sortedOrigins(n.confirms) {
		n.checkConfirms(o, nil)
	}
}

// writeBack is a read that waits until what it showed is durable on enough members.
type writeBack struct {
	ticket Ticket
	groups func() []group // by the list in force
	left   crdt.Vector    // what is not yet known to be
}

// WriteBack begins to wait until enough members have durably applied v, which is durable here. Each entry needs its own
// majority, not all of them the same: a later barrier hears of each from whichever majority it asks.
func (n *Node) WriteBack(now time.Time, level Level, v crdt.Vector) (t Ticket, done bool) {
	n.now = now
	if level == None {
		return 0, true
	}
	return n.writeBack(func() []group { return n.groups[level] }, v)
}

func (n *Node) writeBack(groups func() []group, v crdt.Vector) (t Ticket, done bool) {
	b := &writeBack{groups: groups}
	gs := groups()
	for o, seq := range v {
		if !n.settled(gs, o, seq) {
			if b.left == nil {
				b.left = crdt.Vector{}
			}
			b.left[o] = seq
		}
	}
	if b.left == nil {
		return 0, true
	}
	b.ticket = n.ticket()
	n.backs[b.ticket] = b
	return b.ticket, false
}

// settled says whether enough members have (o, seq).
func (n *Node) settled(gs []group, o crdt.Origin, seq uint64) bool {
	return met(gs, func(id crdt.NodeID) bool { return n.hasEntry(id, o, seq) })
}

func (n *Node) checkWriteBacks() {
	for _, t := range sortedKeys(n.backs) {
		b := n.backs[t]
		gs := b.groups()
		for o, seq := range b.left {
			if n.settled(gs, o, seq) {
				delete(b.left, o)
			}
		}
		if len(b.left) == 0 {
			delete(n.backs, t)
			n.decide(t, nil, nil)
		}
	}
}

// Reachable says whom a statement at level could reach now.
func (n *Node) Reachable(level Level) Tally {
	return tally(level, n.list, n.self, func(id crdt.NodeID) bool {
		if id == n.self {
			return true
		}
		p := n.peers[id]
		return p != nil && p.linked
	})
}

// Met says whether a level could be reached now; it is Reachable without the names.
func (n *Node) Met(level Level) bool {
	return met(n.groups[level], func(id crdt.NodeID) bool {
		if id == n.self {
			return true
		}
		p := n.peers[id]
		return p != nil && p.linked
	})
}

// Acks says who durably has an entry, which is durable here.
func (n *Node) Acks(level Level, o crdt.Origin, seq uint64) Tally {
	return tally(level, n.list, n.self, func(id crdt.NodeID) bool { return id == n.self || n.hasEntry(id, o, seq) })
}

// Cancel forgets a ticket: nobody waits for it any more. One that was decided is not there any more.
func (n *Node) Cancel(t Ticket) {
	delete(n.backs, t)
	n.cancelBarrier(t)
	n.cancelProposal(t)
	for o, waiting := range n.confirms {
		for i, c := range waiting {
			if c.ticket == t {
				n.confirms[o] = append(waiting[:i:i], waiting[i+1:]...)
				if len(n.confirms[o]) == 0 {
					delete(n.confirms, o)
				}
				return
			}
		}
	}
}

package core

import (
	"time"

	"layercake/crdt"
)

// A node that lacks what the others have trimmed takes a snapshot: all of a member's state instead of its own, after
// which what its own log has beyond that is applied again (rule N1).

// snapshot is the one under way, and whom to ask next.
type snapshot struct {
	under  bool
	from   crdt.NodeID
	failed map[crdt.NodeID]time.Time // donors that let us down, and when
	retry  time.Time
}

// cut notes what a peer has trimmed, and looks for another one to send it.
func (n *Node) cut(p *peer, v crdt.Vector) {
	p.trimmed.Merge(v)
	for o := range v {
		if r := n.recvs[o]; r != nil && r.src == p.id && p.trimmed[o] >= r.next() {
			n.unsubscribe(r)
		}
	}
	n.reviewAll()
}

// lacking lists the origins of which linked members have more than is here, and none can send the next entry: which it is.
func (n *Node) lacking() crdt.Vector {
	out := crdt.Vector{}
	for _, p := range n.linked() {
		for o, seq := range p.have {
			next := n.vec[o] + 1
			if r := n.recvs[o]; r != nil {
				next = max(next, r.next())
			}
			if seq >= next && p.trimmed[o] >= next && o != n.own && n.source(o, next, false) == nil {
				out[o] = next
			}
		}
	}
	return out
}

// NeedsSnapshot says whether this node cannot catch up from logs.
func (n *Node) NeedsSnapshot() bool { return n.snap.under || len(n.lacking()) > 0 }

// SnapshotDue returns the member to take a snapshot from, if one is needed. Installed must follow.
func (n *Node) SnapshotDue(now time.Time) (from Member, ok bool) {
	n.now = now
	s := &n.snap
	if s.under || now.Before(s.retry) || !n.IsMember() || len(n.fork.queue) > 0 {
		return Member{}, false
	}
	lacking := n.lacking()
	if len(lacking) == 0 {
		return Member{}, false
	}
	var best *peer
	gives := func(p *peer) (origins int) {
		for o, next := range lacking {
			if p.have[o] >= next {
				origins++
			}
		}
		return origins
	}
	rank := func(p *peer) int {
		k := 4 * gives(p)
		if n.list.dcOf(p.id) == n.list.dcOf(n.self) {
			k++
		}
		if at, ok := s.failed[p.id]; ok && now.Sub(at) < 20*n.cfg.Retry {
			k -= 1 << 20
		}
		return k
	}
	for _, p := range n.linked() {
		if !n.list.Has(p.id) || p.joining || p.away != awayNot || len(p.chains.split) > 0 || !p.have.Covers(n.stab.trimmed) {
			continue
		}
		if gives(p) == 0 {
			continue // nothing would be other than before, and it would be asked again
		}
		if best == nil || rank(p) > rank(best) {
			best = p
		}
	}
	if best == nil {
		return Member{}, false
	}
	s.under, s.from = true, best.id
	m, _ := n.list.Member(best.id)
	return m, true
}

// Installed says that the snapshot is durable here, with the store's state since, or why it is not.
func (n *Node) Installed(now time.Time, st State, err error) {
	n.now = now
	s := &n.snap
	s.under = false
	if err != nil {
		if s.failed == nil {
			s.failed = map[crdt.NodeID]time.Time{}
		}
		s.failed[s.from] = now
		s.retry = now.Add(n.cfg.Retry)
		return
	}
	delete(s.failed, s.from)
	n.Reread(now, st)
	for o := range st.Vector {
		if o.Node == n.self && n.vec[o] == 0 && n.heardOf(o) > 0 {
			n.recv(o) // a lost life of this node came back with the snapshot: it is not the present one
		}
	}
	n.Advance(now, st.Vector)
	n.Trimmed(now, st.Trimmed)
	n.reviewAll()
}

package core

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"layercake/crdt"
)

// What a member that leaves, or is removed, means to the others and to itself.

// dropRetired ends what comes from members that were removed: what is held back of theirs is dropped, the rest is taken
// from members' logs only (rule E3), and the links to them are cut. A node that was removed itself cuts none: it may be
// the one that tells the others.
func (n *Node) dropRetired() {
	for _, o := range sortedOrigins(n.recvs) {
		if r := n.recvs[o]; n.list.IsRetired(o.Node) && !n.cfg.Knobs.KeepHeld {
			n.unsubscribe(r)
			r.pending = nil
			delete(n.errs, o)
			n.dropIfIdle(r)
		}
	}
	for _, p := range n.linked() {
		if n.list.IsRetired(p.id) && !n.IsRetired() {
			n.closes = append(n.closes, p.id)
		}
	}
}

// IsRetired says whether this node was removed from its cluster.
func (n *Node) IsRetired() bool { return n.list.IsRetired(n.self) }

// ErrNotYet is what Vet answers while this node is not a member of a cluster.
var ErrNotYet = errors.New("this node is not a member of a cluster yet")

// Vet says whether a link to the sender of h may come into force. A sender that was removed learns it from this node's
// Hello, and this node from the sender's.
func (n *Node) Vet(now time.Time, h Hello) error {
	n.now = now
	own, id := n.list, h.Member.ID
	newer := h.List != nil && h.List.Version > own.Version
	switch {
	case own.Version == 0:
		return ErrNotYet
	case h.Cluster != own.Cluster:
		return fmt.Errorf("%s belongs to cluster %016x, this node to %016x", h.Member.Name, uint64(h.Cluster), uint64(own.Cluster))
	case id == n.self:
		return fmt.Errorf("node %s runs twice: its data folder was copied, or a backup restored, while it runs", h.Member.Name)
	case n.IsRetired() || newer && h.List.IsRetired(n.self):
		n.Adopt(now, h.List)
		return errors.New("this node was removed from its cluster")
	case own.IsRetired(id):
		return fmt.Errorf("%s (id %016x) was removed from this cluster", h.Member.Name, uint64(id))
	case !own.Has(id) && !(newer && h.List.Has(id)):
		return fmt.Errorf("%s (id %016x) is not a member of this cluster", h.Member.Name, uint64(id))
	}
	return nil
}

// Unshared counts the entries of this node's own that no other member is known to have, markers left out: what goes with
// it when it is removed (rule C4).
func (n *Node) Unshared() uint64 {
	var count uint64
	for o, seq := range n.vec {
		if o.Node == n.self {
			count += seq - min(seq, n.heardOf(o))
		}
	}
	for _, k := range n.stab.unheard {
		if k.Seq > n.heardOf(k.Origin) {
			count--
		}
	}
	return count
}

// heardOf is how much of o some other member is known to have.
func (n *Node) heardOf(o crdt.Origin) (most uint64) {
	for _, p := range n.peers {
		if !n.list.IsRetired(p.id) {
			most = max(most, p.have[o])
		}
	}
	return most
}

// HandOver begins to wait until all that is durable here is durable on a majority of the other members.
func (n *Node) HandOver(now time.Time) (t Ticket, done bool) {
	n.now = now
	others := slices.DeleteFunc(n.list.ids(), func(id crdt.NodeID) bool { return id == n.self })
	return n.writeBack(func() []group {
		ids := slices.DeleteFunc(slices.Clone(others), func(id crdt.NodeID) bool { return !n.list.Has(id) })
		return []group{majorityOf(ids)}
	}, n.vec.Clone())
}

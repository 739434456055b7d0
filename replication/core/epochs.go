package core

import (
	"slices"

	"layercake/crdt"
)

// Each start of a process begins an epoch. Once an ended one is known whole to every member, a marker retires it: markers,
// dependencies and tokens that are written after that marker leave it out, so that they do not grow with the number of
// starts (rule S2). Being an entry, the marker says so at the same place of history to everyone: it depends on the epoch's
// last entry, and all that leaves the epoch out depends on the marker. Whoever has applied it reads a vector that does not
// name the epoch as one that has all of it. What nodes tell each other when a link comes up names retired epochs too: one
// that was put back from an old copy may lack a part of them, and takes a snapshot.

// left says whether o was retired, and ends where it ended then: a machine that is rolled back while it runs may go on with
// an epoch that had long ended.
func (n *Node) left(o crdt.Origin) bool {
	last := n.stab.retired[o]
	return last > 0 && last == n.vec[o]
}

// saysOf is how much of o a marker says that its writer had.
func (n *Node) saysOf(k crdt.Marked, o crdt.Origin) uint64 {
	seq := k.At(o)
	if seq == 0 && (n.left(o) && !n.cfg.Knobs.AbsentIsNone || n.ended(o) && n.cfg.Knobs.AbsentIsAll) {
		return n.vec[o]
	}
	return seq
}

// retireDue lists the epochs that this node's next marker is to retire: under the list in force here each member's last
// marker knows the successor, if the node is still a member, and names the same last entry.
func (n *Node) retireDue() crdt.Vector {
	marks := n.memberMarkers()
	if marks == nil || n.mending() {
		return nil
	}
	var out crdt.Vector
	for o, last := range n.vec {
		if o == n.own || n.left(o) || !n.ended(o) || n.isBranch(o) || n.fork.known.Forked(o) || !n.succeeded(o, marks) {
			continue
		}
		if slices.ContainsFunc(marks, func(k crdt.Marked) bool { return k.At(o) != last && !n.hasLeft(k, o) }) ||
			n.agreed(o, func(*peer) bool { return true }) < last {
			continue
		}
		if out == nil {
			out = crdt.Vector{}
		}
		out[o] = last
	}
	return out
}

// hasLeft says whether the writer of a marker has retired o, which was not retired here: it leaves o out, and yet holds all
// of it. The marker that retired it was moved to a branch of a fork, where markers say nothing, before this node had it.
func (n *Node) hasLeft(k crdt.Marked, o crdt.Origin) bool {
	p := n.peers[k.Origin.Node]
	return p != nil && k.At(o) == 0 && p.have[o] == n.vec[o]
}

// succeeded says whether all markers know the epoch that followed o, and its node has marked under it.
func (n *Node) succeeded(o crdt.Origin, marks []crdt.Marked) bool {
	if n.list.IsRetired(o.Node) {
		return true
	}
	next := crdt.Origin{Node: o.Node, Epoch: n.newest[o.Node]}
	return n.stab.markers[o.Node].Origin == next && !slices.ContainsFunc(marks, func(k crdt.Marked) bool { return k.At(next) == 0 })
}

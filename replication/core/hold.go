package core

import "layercake/crdt"

// Hold keeps entries back: NextBatch gives none until HoldAt or Resume. A batch that is being applied already goes on.
func (n *Node) Hold() { n.held, n.limit = true, nil }

// HoldAt lets the entries pass that v covers, and keeps what is beyond it back. It does nothing unless Hold came before.
func (n *Node) HoldAt(v crdt.Vector) { n.limit = v }

// Resume ends Hold.
func (n *Node) Resume() { n.held, n.limit = false, nil }

// Applying says whether a batch is being applied.
func (n *Node) Applying() bool { return len(n.batch) > 0 }

// heldBack says whether e waits because of Hold.
func (n *Node) heldBack(e *crdt.Entry) bool { return n.held && n.limit[e.Origin] < e.Seq }

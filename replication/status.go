package replication

import (
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// Member is a row of the view layercake.nodes.
type Member struct {
	core.Member
	State       string // alive, suspect, dead, joining, recovering (put back from an old copy, serves nobody yet) or left
	Self        bool
	RTT         time.Duration // to this member, smoothed; 0 when unknown or self
	ClockOffset time.Duration // its clock less this node's; 0 when unknown or self
	Applied     crdt.Vector   // what it is known to have durably applied; shared, not to be changed
}

// Stream is a row of the view layercake.replication: how far a peer is with an origin that this node sends it.
type Stream struct {
	Peer       crdt.NodeID
	PeerName   string
	Origin     crdt.Origin // zero: a snapshot that this node takes from the peer
	Sent       uint64
	Acked      uint64
	LagEntries uint64        // entries that this node has and the peer has not acknowledged
	Lag        time.Duration // how long the oldest of them has waited; 0 when there is none
	State      string        // streaming, relayed (by another member of its data centre), relaying, idle, catching up, unreachable, waiting: …, snapshot: …
}

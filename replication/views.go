package replication

import (
	"layercake/cluster"
	"layercake/crdt"
)

// Members lists the member list for the view layercake.nodes, in the order of the list.
func (r *Replicator) Members() []Member {
	gossip := map[crdt.NodeID]cluster.Node{}
	for _, g := range r.gossiped() {
		gossip[crdt.NodeID(g.ID)] = g
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return nil
	}
	var out []Member
	for _, m := range r.core.List().Members {
		row := Member{Member: m, State: "alive"}
		if m.ID == r.self {
			row.Self = true
			row.Applied = r.core.Vector().Clone()
			switch {
			case r.core.Joining():
				row.State = "joining"
			case r.core.RolledBack():
				row.State = "recovering"
			}
			out = append(out, row)
			continue
		}
		p := r.core.Peer(m.ID)
		row.RTT, row.ClockOffset, row.Applied = p.RTT, p.ClockOffset, p.Have
		g, seen := gossip[m.ID]
		switch {
		case p.Linked && p.Joining:
			row.State = "joining"
		case p.Linked && p.RolledBack:
			row.State = "recovering"
		case p.Linked:
		case seen && g.State == cluster.Left:
			row.State = "left"
		case seen && g.State != cluster.Dead: // gossip hears of it, this node has no link
			row.State = "suspect"
		default:
			row.State = "dead"
		}
		out = append(out, row)
	}
	return out
}

// Streams lists what is sent to whom for the view layercake.replication.
func (r *Replicator) Streams() []Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return nil
	}
	var out []Stream
	if f := r.fetch; f != nil {
		out = append(out, Stream{Peer: f.from.ID, PeerName: f.from.Name, State: f.state(r.cfg.Now())})
	}
	for _, s := range r.core.Streams(r.cfg.Now()) {
		m, _ := r.core.List().Member(s.Peer)
		out = append(out, Stream{Peer: s.Peer, PeerName: m.Name, Origin: s.Origin, Sent: s.Sent, Acked: s.Acked,
			LagEntries: s.Head - min(s.Acked, s.Head), Lag: s.Lag, State: s.State})
	}
	return out
}

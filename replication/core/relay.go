package core

import (
	"maps"
	"slices"
	"time"

	"layercake/crdt"
)

// Between data centres an entry travels once: in each data centre one member, the relay, takes an origin's stream from
// outside, and the others take it from the relay. Every member works out by itself who that is, from the member list,
// its links, and what the others of its data centre say that they reach (Reach): so all come to the same answer as soon
// as they have heard the same. Where they have not, an entry crosses twice or comes a little later; it is never lost, as
// each receiver resumes from what it has.

// reaching is whose entries this node, as a relay, can pass on at once.
type reaching struct {
	nodes map[crdt.NodeID]bool
	slow  map[crdt.NodeID]time.Time // held up here: not reached until then
}

// remote says whether id is a member of another data centre than this node's.
func (n *Node) remote(id crdt.NodeID) bool {
	m, ok := n.list.Member(id)
	return ok && m.DC != n.list.dcOf(n.self)
}

// local says whether p is a member of this node's data centre.
func (n *Node) local(p *peer) bool { return n.list.Has(p.id) && !n.remote(p.id) }

// pushesTo says whether this node's own entries go to p unasked: within the data centre. Another data centre subscribes.
func (n *Node) pushesTo(p *peer) bool { return n.local(p) || n.cfg.Knobs.CrossEach }

// relayed says whether o is taken by way of this data centre's relay for as long as it is written: the newest epoch of
// a member of another data centre.
func (n *Node) relayed(o crdt.Origin) bool {
	return n.remote(o.Node) && n.newest[o.Node] == o.Epoch && !n.cfg.Knobs.CrossEach
}

// updateReach works out what this node reaches. It tells its data centre, and returns true, if it is something else than
// before.
func (n *Node) updateReach() bool {
	if n.list.alone(n.self) {
		n.reach.nodes = nil
		return false
	}
	nodes := map[crdt.NodeID]bool{}
	for _, p := range n.linked() {
		if n.list.Has(p.id) && !n.now.Before(n.reach.slow[p.id]) {
			nodes[p.id] = true
		}
	}
	if maps.Equal(nodes, n.reach.nodes) {
		return false
	}
	n.reach.nodes = nodes
	for _, p := range n.linked() {
		n.tellReach(p)
	}
	return true
}

func (n *Node) tellReach(p *peer) {
	if n.local(p) && !n.list.alone(n.self) {
		n.send(p.id, Reach{slices.Sorted(maps.Keys(n.reach.nodes))})
	}
}

// reached takes what a peer says that it reaches.
func (n *Node) reached(p *peer, m Reach) {
	p.reach = map[crdt.NodeID]bool{}
	for _, id := range m.Nodes {
		p.reach[id] = true
	}
	n.reviewAll()
}

// relay picks who takes r's origin into this data centre, this node perhaps; 0 is nobody. The members' order begins
// with another one for each origin, so that they share the work, and the next one takes over from one that does not
// reach the origin, has fallen behind, or stands still. If nobody reaches the origin, it is who reaches a member that
// has more of it.
func (n *Node) relay(r *recv) crdt.NodeID {
	o := r.origin
	if o.Node == n.self {
		return n.self
	}
	order := n.list.relays(n.list.dcOf(n.self), o.Node)
	holders := []crdt.NodeID{o.Node}
	for range 2 {
		for _, id := range order {
			reach := n.reach.nodes
			if id != n.self {
				p := n.peers[id]
				if !n.mayRelay(r, p) {
					continue
				}
				reach = p.reach
			}
			if slices.ContainsFunc(holders, func(h crdt.NodeID) bool { return reach[h] }) {
				return id
			}
		}
		holders = holders[:0]
		for _, p := range n.linked() {
			if !n.local(p) && p.have[o] >= r.next() {
				holders = append(holders, p.id)
			}
		}
	}
	return 0
}

// mayRelay says whether p, of this data centre, can be asked for r's origin: it is there, not behind this node by more
// than a moment, has not stood still lately, and does not take the origin from this node.
func (n *Node) mayRelay(r *recv, p *peer) bool {
	if p == nil || !p.linked || p.chains.split[r.origin] || p.have[r.origin] < r.older.came || p.trimmed[r.origin] >= r.next() {
		return false
	}
	if r.letDown(p.id, n.now.Add(-5*n.cfg.Stall)) {
		return false
	}
	s := p.sends[r.origin]
	return s == nil || s.sub == 0
}

// feed says from whom r is to be taken now: nil is nobody yet. stalled says that what should come does not.
func (n *Node) feed(r *recv, stalled bool) *peer {
	o, next := r.origin, r.next()
	if n.list.alone(n.self) || n.cfg.Knobs.CrossEach {
		return n.source(o, next, false)
	}
	relay, relayed := n.relay(r), n.relayed(o)
	if relayed && relay != 0 && relay != n.self {
		return n.peers[relay]
	}
	if relay != n.self || !relayed || n.catchesUp(r) {
		if p := n.peers[r.src]; p != nil && n.local(p) && p.have[o] >= next && !stalled {
			return p
		}
		if p := n.source(o, next, true); p != nil { // it has crossed already
			return p
		}
	}
	if relay != n.self && !stalled && (relay != 0 || relayed) {
		return nil // the relay fetches it
	}
	// What is not relayed this node fetches itself if nobody seems to reach who has it: perhaps only because what it
	// reaches there is held up here, by the very entries that are missing.
	node := n.peers[o.Node]
	if relayed && node != nil && node.linked && !node.chains.split[o] && node.trimmed[o] < next && !r.letDown(o.Node, n.now.Add(-5*n.cfg.Stall)) {
		return node
	}
	if p := n.peers[r.src]; p != nil && p.have[o] >= next && !stalled {
		return p
	}
	return n.source(o, next, false)
}

// ahead is how much of o others of this data centre have.
func (n *Node) ahead(o crdt.Origin) (most uint64) {
	for _, p := range n.linked() {
		if n.local(p) {
			most = max(most, p.have[o])
		}
	}
	return most
}

// catchesUp says whether this node, being the relay of r, takes first from its own data centre what it lacks: while it
// was away others did its work. It goes on until it is level with them, but does not begin for a few entries.
func (n *Node) catchesUp(r *recv) bool {
	switch p := n.peers[r.src]; {
	case p == nil:
		return r.next() <= n.ahead(r.origin)
	case n.local(p):
		return r.next() <= r.ahead
	}
	return r.next() <= r.older.ahead
}

// stock is how an origin stood at some time.
type stock struct {
	came  uint64 // here, applied or not
	ahead uint64 // at others of this data centre
}

// look takes stock of r at each tick: how far it is, and whether it is held up here.
func (n *Node) look(r *recv) {
	o := r.origin
	r.ahead = n.ahead(o)
	if p := n.peers[n.feeder(r)]; p != nil && p.part.After(r.part) {
		r.part, r.hops = p.part, 0
	}
	allowed := time.Duration(n.batchBytes) * time.Second / (8 << 20) // a large entry takes its time to be applied
	if r.applying > 0 && n.now.Sub(n.batchAt) < n.cfg.Stall+allowed {
		r.part, r.hops = n.now, 0
	}
	if n.now.Sub(r.looked) >= n.cfg.Stall/2+allowed {
		r.older, r.newer, r.looked = r.newer, stock{r.next() - 1, r.ahead}, n.now
	}
	if n.relayed(o) && r.applied < r.older.came { // what came a while ago is still not durable
		n.reach.slow[o.Node] = n.now.Add(5 * n.cfg.Stall)
	}
	if r.part.After(r.told) && r.hops < maxHops && n.now.Sub(r.told) >= n.cfg.Ping {
		r.told = n.now
		for _, p := range n.linked() {
			if s := p.sends[o]; s != nil && s.sub != 0 {
				n.send(p.id, Progress{o, r.hops})
			}
		}
	}
}

// maxHops is by way of how many nodes word of progress goes.
const maxHops = 3

// feeder is who sends r, 0: nobody.
func (n *Node) feeder(r *recv) crdt.NodeID {
	if r.src == 0 && n.pushed(r) {
		return r.origin.Node
	}
	return r.src
}

// pushed says whether r's node sends it unasked.
func (n *Node) pushed(r *recv) bool {
	p := n.peers[r.origin.Node]
	return p != nil && p.linked && !n.ended(r.origin) && !p.chains.split[r.origin] && p.trimmed[r.origin] < r.next() && n.pushesTo(p)
}

// progressed notes that p, whom this node takes an origin from, is getting more of it.
func (n *Node) progressed(p *peer, m Progress) {
	if r := n.recvs[m.Origin]; r != nil && r.src == p.id {
		r.part, r.hops = n.now, m.Hops+1
	}
}

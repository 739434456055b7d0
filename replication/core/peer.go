package core

import (
	"cmp"
	"slices"
	"time"

	"layercake/crdt"
)

// peer is what is known of another node.
type peer struct {
	id       crdt.NodeID
	linked   bool
	link     uint64 // counts the links
	member   Member
	instance uint64
	version  uint64 // of its member list
	joining  bool
	have     crdt.Vector // durable there, as it said itself or as follows from what it sent
	trimmed  crdt.Vector // what of its log is gone
	heard    time.Time
	part     time.Time            // when a part of a long message came last
	reach    map[crdt.NodeID]bool // whose entries it can pass on, as it said; of members of this data centre

	chains     peerChains
	spoke      bool        // since this node started
	away       int         // it was rolled back, or may have been: it does not count
	remembered crdt.Vector // what it said to hold before, while it may not know

	outbox []Message
	dirty  map[crdt.Origin]struct{} // rose here since the last Have
	owed   map[crdt.Origin]struct{} // of these, what no entries have told either
	poke   bool                     // a Have is to go out even if none is owed
	roused bool                     // there may be something to send
	sends  map[crdt.Origin]*send
	turn   crdt.Origin // the origin that was sent last, for fairness

	pingID   uint64
	pinged   time.Time
	rtt      time.Duration
	asked    time.Time // since when a barrier's question is unanswered; zero: none is
	offset   time.Duration
	messages map[Ticket]int // acks by message; only with Knobs.CountMessages
}

func (n *Node) tellList(p *peer) {
	if p.linked && p.version < n.list.Version {
		n.send(p.id, News{n.list})
		p.version = n.list.Version // told; what it says next carries its true version
	}
}

// Hello is what this node says first on a link.
func (n *Node) Hello() Hello {
	l := n.list
	if l.Version == 0 {
		l = nil
	}
	return Hello{Cluster: n.list.Cluster, Member: n.cfg.Self, Instance: n.cfg.Instance, Joining: n.joining, RolledBack: n.back.on, List: l,
		Vector: n.vec.Clone(), Trimmed: n.stab.trimmed.Clone()}
}

// Up says that a link to the sender of h has come up; said is what this node's Hello on it said. A link that was up
// before is replaced.
func (n *Node) Up(now time.Time, h Hello, said Hello) {
	n.now = now
	id := h.Member.ID
	p := n.peers[id]
	if p == nil {
		p = &peer{id: id}
		n.peers[id] = p
	}
	p.link++
	newLife := p.instance != h.Instance
	p.linked, p.member, p.instance, p.joining, p.heard = true, h.Member, h.Instance, h.Joining, now
	n.relink()
	held := p.have
	p.have = h.Vector.Clone()
	if p.have == nil {
		p.have = crdt.Vector{}
	}
	p.trimmed = h.Trimmed.Clone()
	if p.trimmed == nil {
		p.trimmed = crdt.Vector{}
	}
	p.version = 0
	if h.List != nil {
		p.version = h.List.Version
		n.Adopt(now, h.List)
	}
	p.outbox, p.sends, p.poke, p.pingID, p.reach = nil, map[crdt.Origin]*send{}, false, 0, nil
	p.dirty, p.owed = map[crdt.Origin]struct{}{}, map[crdt.Origin]struct{}{}
	n.remember(p, held, h, newLife)
	n.upChains(p)
	n.upOwn(h)
	if n.othersHold(h.Vector) {
		n.rolledBack()
	}
	if !said.Trimmed.Covers(n.stab.trimmed) { // since Hello was made
		n.send(id, Cut{n.stab.trimmed.Clone()})
	}
	for o, seq := range n.vec { // what rose since Hello was made
		if said.Vector[o] < seq {
			p.dirty[o] = struct{}{}
			p.poke = true
		}
	}
	if n.list.IsRetired(id) || !n.vec.Covers(said.Vector) { // or a branch was moved since: all is said anew
		n.closes = append(n.closes, id)
	}
	n.learnEpochs(h.Vector)
	if o := (crdt.Origin{Node: id, Epoch: n.newest[id]}); o.Epoch != (crdt.Epoch{}) && h.Vector[o] == 0 {
		p.dirty[o] = struct{}{} // of a life that it may have forgotten, though nothing of it is here
		p.poke = true
	}
	n.pushOwn(p)
	if !n.updateReach() {
		n.tellReach(p)
	}
	n.tellList(p)
	n.forgetAnswer(p)
	n.checkAllConfirms()
	n.checkWriteBacks()
	n.askBarriers(p)
	n.nudgeProposals(p)
	n.reviewAll()
	n.rouse(p)
}

// Down says that the link to id is gone. What it was known to have stays known.
func (n *Node) Down(now time.Time, id crdt.NodeID) {
	n.now = now
	p := n.peers[id]
	if p == nil || !p.linked {
		return
	}
	p.linked = false
	n.relink()
	p.outbox, p.sends, p.dirty, p.owed, p.poke = nil, nil, nil, nil, false
	for _, r := range n.recvs {
		if r.src == id {
			r.src, r.sub = 0, 0
		}
	}
	p.asked = time.Time{}
	n.updateReach()
	n.reviewAll()
	n.lostBarriers(id)
	n.checkBarriers()
}

// Heard says that a part of a message came from id.
func (n *Node) Heard(now time.Time, id crdt.NodeID) {
	if p := n.peers[id]; p != nil {
		p.heard, p.part = now, now
	}
}

// Receive takes a message that came over the link from id.
func (n *Node) Receive(now time.Time, from crdt.NodeID, m Message) {
	n.now = now
	if from == n.self { // to itself, once durable: only registers do that
		n.receiveRegister(from, m)
		return
	}
	p := n.peers[from]
	if p == nil || !p.linked {
		return
	}
	p.heard = now
	if !p.spoke {
		p.spoke = true
		if _, ok := m.(Remember); !ok {
			n.endGrace()
		}
	}
	switch m := m.(type) {
	case Have:
		p.joining = m.Joining
		n.saidRollback(p, m.RolledBack)
		n.sawVersion(p, m.Version)
		n.raise(p, m.Delta)
	case Ask:
		n.sawVersion(p, m.Version)
		if n.back.on && !(m.Full && n.nobodyElse(from)) || n.tooEarly(from, m) {
			return // rule Q5; the question is repeated
		}
		r := Reply{Version: n.list.Version, Round: m.Round, Delta: n.takeDirty(p)}
		if m.Full {
			r.Registers = n.registerNames()
		}
		n.send(from, r)
	case Reply:
		n.sawVersion(p, m.Version)
		n.raise(p, m.Delta)
		n.replied(p, m)
	case Subscribe:
		n.subscribed(p, m)
	case Remember:
		if n.knowsForks() && n.fork.known.Covers(n.vec, m.Vector) {
			p.poke = true // said before all that was said on an earlier link had come
			n.rouse(p)
			break
		}
		n.rolledBack()
	case Heads:
		n.heardHeads(p, m)
	case Chain:
		n.heardChain(p, m)
	case Forks:
		n.heardForks(p, m)
	case Cut:
		n.cut(p, m.Trimmed)
	case Reach:
		n.reached(p, m)
	case Progress:
		n.progressed(p, m)
	case Entries:
		n.receiveEntries(p, m)
	case News:
		if m.List != nil {
			p.version = max(p.version, m.List.Version)
			n.Adopt(now, m.List)
		}
	case Ping:
		n.send(from, Pong{ID: m.ID, Nanos: now.UnixNano()})
	case Pong:
		n.ponged(p, m)
	case Prepare, Promise, Accept, Accepted:
		n.receiveRegister(from, m)
	}
}

// sawVersion notes the version of a peer's list and tells it ours if it is older.
func (n *Node) sawVersion(p *peer, version uint64) {
	if version < n.list.Version && p.version >= n.list.Version {
		return // it has been told already; this was said before
	}
	p.version = version
	n.tellList(p)
}

// raise notes that p has durably applied more.
func (n *Node) raise(p *peer, delta crdt.Vector) {
	rose := false
	for _, o := range sortedOrigins(delta) {
		rose = n.raiseOne(p, o, delta[o]) || rose
	}
	if rose {
		n.checkRaised()
	}
}

// raiseOne is raise of one origin. If it returns true, checkRaised must follow.
func (n *Node) raiseOne(p *peer, o crdt.Origin, seq uint64) (rose bool) {
	if o.Node == n.self {
		n.learnEpoch(o) // even if the peer has nothing of it
	}
	if p.have[o] >= seq || p.chains.split[o] {
		return false
	}
	p.have[o] = seq
	if s := p.sends[o]; s != nil {
		s.acked(seq)
		n.rouse(p)
	}
	n.learnEpoch(o)
	if o.Node == n.self && p.linked && p.sends[o] == nil && n.newest[n.self] == o.Epoch {
		n.pushOwn(p) // it could not be sent before: what it lacked was trimmed
	}
	n.checkConfirms(o, p)
	if n.vec[o] < seq {
		n.review(o)
	}
	return true
}

// checkRaised looks at what waits for peers to have more, besides confirms.
func (n *Node) checkRaised() {
	n.checkWriteBacks()
	n.checkCompletion()
}

func (n *Node) ponged(p *peer, m Pong) {
	if m.ID != p.pingID {
		return
	}
	rtt := n.now.Sub(p.pinged)
	offset := time.Unix(0, m.Nanos).Sub(p.pinged.Add(rtt / 2))
	if p.rtt == 0 {
		p.rtt, p.offset = rtt, offset
	} else {
		p.rtt += (rtt - p.rtt) / 4
		p.offset += (offset - p.offset) / 4
	}
}

// linked lists the linked peers, in order, so that a seed replays. The slice must not be changed.
func (n *Node) linked() []*peer { return n.links }

// relink works out anew what linked lists.
func (n *Node) relink() {
	ps := make([]*peer, 0, len(n.peers))
	for _, p := range n.peers {
		if p.linked {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	n.links = ps
}

// send queues m for id; for this node itself it is taken at once.
func (n *Node) send(id crdt.NodeID, m Message) {
	if id == n.self {
		n.Receive(n.now, id, m)
		return
	}
	p := n.peers[id]
	if p == nil || !p.linked {
		return
	}
	if len(p.outbox) >= maxOutbox { // it reads nothing: the link is as good as dead
		n.closes = append(n.closes, id)
		return
	}
	p.outbox = append(p.outbox, m)
	n.rouse(p)
}

// maxOutbox bounds the small messages that wait for one peer.
const maxOutbox = 16384

// takeDirty gives what rose here since p was last told.
func (n *Node) takeDirty(p *peer) crdt.Vector {
	p.poke = false
	clear(p.owed)
	if len(p.dirty) == 0 {
		return nil
	}
	d := make(crdt.Vector, len(p.dirty))
	for o := range p.dirty {
		d[o] = n.vec[o]
	}
	clear(p.dirty)
	return d
}

// mustTell says whether a Have must go to p now: something is owed that no entries will tell. Entries do only if they
// are about to go out: not those that p turned out to have, nor those that a full window or a failed read keeps back. It
// is asked anew each time and not remembered, so that no change of a stream can leave an ack unsaid.
func (n *Node) mustTell(p *peer) bool {
	if p.poke {
		return true
	}
	for o := range p.owed {
		s := p.sends[o]
		if s == nil || p.have[o] >= n.vec[o] || !s.reading && !n.mayRead(s) {
			return true
		}
	}
	return false
}

// NextMessage returns the next small message for a peer.
func (n *Node) NextMessage(id crdt.NodeID) (Message, bool) {
	p := n.peers[id]
	if p == nil || !p.linked {
		return nil, false
	}
	if len(p.outbox) > 0 {
		m := p.outbox[0]
		p.outbox[0] = nil
		p.outbox = p.outbox[1:]
		if len(p.outbox) == 0 {
			p.outbox = nil
		}
		return m, true
	}
	if n.mustTell(p) {
		return Have{Version: n.list.Version, Delta: n.takeDirty(p), Joining: n.joining, RolledBack: n.back.on}, true
	}
	return nil, false
}

// Targets lists the members that have no link, for whoever dials.
func (n *Node) Targets() []Member {
	if !n.IsMember() {
		return nil
	}
	var ms []Member
	for _, m := range n.list.Members {
		if m.ID == n.self {
			continue
		}
		if p := n.peers[m.ID]; p == nil || !p.linked {
			ms = append(ms, m)
		}
	}
	return ms
}

// Post queues a message between runtimes. It returns false if there is no link.
func (n *Node) Post(now time.Time, id crdt.NodeID, m App) bool {
	n.now = now
	if p := n.peers[id]; p == nil || !p.linked {
		return false
	}
	n.send(id, m)
	return true
}

// PeerState is what is known of a member.
type PeerState struct {
	Linked      bool
	Joining     bool
	RolledBack  bool // it was put back from an old copy and has not caught up: it serves nobody
	RTT         time.Duration
	ClockOffset time.Duration
	Have        crdt.Vector
}

// Peer says what is known of a member other than this node.
func (n *Node) Peer(id crdt.NodeID) PeerState {
	p := n.peers[id]
	if p == nil {
		return PeerState{}
	}
	return PeerState{Linked: p.linked, Joining: p.joining, RolledBack: p.away != awayNot, RTT: p.rtt, ClockOffset: p.offset, Have: p.have.Clone()}
}

// AheadOfMajority says by how much this node's clock is ahead of the clocks of a majority of the members, each by more
// than the maximum offset even if the whole round trip was spent one way; 0 if it is not.
func (n *Node) AheadOfMajority() time.Duration {
	count, least := 0, time.Duration(0)
	for _, m := range n.list.Members {
		p := n.peers[m.ID]
		if p == nil || !p.linked {
			continue
		}
		if ahead := -p.offset - p.rtt/2; ahead > n.cfg.MaxClockOffset {
			count++
			if least == 0 || ahead < least {
				least = ahead
			}
		}
	}
	if count < len(n.list.Members)/2+1 {
		return 0
	}
	return least
}

package core

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"layercake/crdt"
)

// Config is what a Node is made with. The zero values of the durations and sizes mean their defaults.
type Config struct {
	Self     Member // this node, with the addresses it has now
	Instance uint64 // random, new at each start of the process
	Rand     *rand.Rand

	Ping           time.Duration // between pings; a peer silent for five times as long is cut off
	Stall          time.Duration // an origin that is known to be ahead and sends nothing for so long is asked of another
	Retry          time.Duration // before a proposal that got no answer, or an unanswered question, is repeated
	MaxClockOffset time.Duration
	Window         int // bytes of entries of one origin sent to one peer and not yet acknowledged
	MaxRead        int // bytes read from the log at once
	MaxBatch       int // bytes applied at once

	Knobs Knobs
}

// Knobs take rules out, so that tests can see what breaks. All false is the only right setting.
type Knobs struct {
	JoinRunningBarrier bool // without Q1: a statement joins a barrier that has been asked already
	MergeReplies       bool // without Q2: a barrier waits for the union of the first replies, and asks no further
	CountMessages      bool // without Q3: acks and replies are counted by message, not by member
	AckEarly           bool // without E1: what is being applied is spoken of before it is durable
	KeepHeld           bool // without E3: what is held back of an ended epoch stays held
	KeepReplies        bool // a barrier counts replies given under an older member list
	ForgetUndecided    bool // without C1: a member list found undecided is not completed first
	ChangeEarly        bool // without C3: a member change begins before the last one is complete
}

func (c *Config) setDefaults() {
	c.Ping = cmp.Or(c.Ping, 500*time.Millisecond)
	c.Stall = cmp.Or(c.Stall, 2*time.Second)
	c.Retry = cmp.Or(c.Retry, 500*time.Millisecond)
	c.MaxClockOffset = cmp.Or(c.MaxClockOffset, 500*time.Millisecond)
	c.Window = cmp.Or(c.Window, 16<<20)
	c.MaxRead = cmp.Or(c.MaxRead, 512<<10)
	c.MaxBatch = cmp.Or(c.MaxBatch, 4<<20)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(uint64(c.Self.ID), c.Instance))
	}
}

// State is what a node remembers from its last life.
type State struct {
	Vector    crdt.Vector       // the store's
	List      *List             // nil: not a member of any cluster
	Registers map[string][]byte // what Puts with these names wrote last; see RegisterKey
}

// Ticket names something that was begun and will be decided.
type Ticket uint64

// Done is a decision: what Ticket stands for has come about, or cannot.
type Done struct {
	Ticket Ticket
	Err    error
	Value  []byte // of a register
}

// Put is a value to be made durable, in the order given; PutDone says that it is.
type Put struct {
	Key string
	Val []byte

	adopt *List
	to    crdt.NodeID
	msg   Message
}

// Keys of Puts.
const (
	ListKey       = "replication/members"
	RegistersKey  = "replication/registers" // the names of all registers
	registerStart = "replication/register/"
)

// RegisterKey is the Put key of a register's state.
func RegisterKey(name string) string { return registerStart + name }

// Node is the state machine of one node.
type Node struct {
	cfg  Config
	self crdt.NodeID
	now  time.Time

	list    *List // never nil; version 0 while not a member
	groups  [All + 1][]group
	joining bool

	vec    crdt.Vector                // durable here
	newest map[crdt.NodeID]crdt.Epoch // the newest epoch known of each node
	peers  map[crdt.NodeID]*peer      // everyone that was ever linked
	recvs  map[crdt.Origin]*recv      // what is coming in
	marks  []mark                     // when own entries became durable
	errs   map[crdt.Origin]blocked    // origins that cannot be applied, and why
	batch  []crdt.Entry               // being applied
	single int                        // so many batches more are of one entry: a batch failed
	subs   uint64                     // the last subscription's number

	tickets  Ticket
	confirms map[crdt.Origin][]*confirm
	backs    map[Ticket]*writeBack
	barriers barriers
	props    proposals

	puts   []Put
	done   []Done
	wake   map[crdt.NodeID]struct{}
	closes []crdt.NodeID
}

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
	heard    time.Time

	outbox []Message
	dirty  map[crdt.Origin]struct{} // rose here since the last Have
	poke   bool                     // and it is worth a message of its own
	sends  map[crdt.Origin]*send
	turn   crdt.Origin // the origin that was sent last, for fairness

	pingID   uint64
	pinged   time.Time
	rtt      time.Duration
	offset   time.Duration
	messages map[Ticket]int // acks by message; only with Knobs.CountMessages
}

// mark says when an own entry became durable.
type mark struct {
	origin crdt.Origin
	seq    uint64
	at     time.Time
}

// New makes a node of what it remembers.
func New(cfg Config, st State, now time.Time) *Node {
	cfg.setDefaults()
	n := &Node{
		cfg: cfg, self: cfg.Self.ID, now: now,
		list: &List{}, vec: crdt.Vector{},
		newest: map[crdt.NodeID]crdt.Epoch{}, peers: map[crdt.NodeID]*peer{}, recvs: map[crdt.Origin]*recv{},
		errs:     map[crdt.Origin]blocked{},
		confirms: map[crdt.Origin][]*confirm{}, backs: map[Ticket]*writeBack{},
		wake: map[crdt.NodeID]struct{}{},
	}
	n.barriers.init()
	n.props.init(st.Registers)
	if st.List != nil {
		n.setList(st.List)
	}
	n.Advance(now, st.Vector)
	n.marks = nil
	return n
}

// List is the member list; version 0 while this node is not a member.
func (n *Node) List() *List { return n.list }

// IsMember says whether this node is in its member list.
func (n *Node) IsMember() bool { return n.list.Has(n.self) }

// Vector is what is durable here, as last told. It must not be changed.
func (n *Node) Vector() crdt.Vector { return n.vec }

// SetJoining says whether this node still has to catch up before it serves; peers are told.
func (n *Node) SetJoining(now time.Time, joining bool) {
	n.now = now
	n.joining = joining
	for _, p := range n.linked() {
		p.poke = true
		n.rouse(p.id)
	}
}

func (n *Node) setList(l *List) {
	n.list = l
	for level := None; level <= All; level++ {
		n.groups[level] = level.groups(l, n.self)
	}
}

// Adopt takes a decided list: durable first (rule C2), then in force and told to all who have an older one.
func (n *Node) Adopt(now time.Time, l *List) {
	n.now = now
	if l == nil || l.Version <= n.list.Version || (n.list.Version > 0 && l.Cluster != n.list.Cluster) {
		return
	}
	for _, p := range n.puts {
		if p.adopt != nil && p.adopt.Version >= l.Version {
			return
		}
	}
	n.puts = append(n.puts, Put{Key: ListKey, Val: AppendList(nil, l), adopt: l})
}

// PutDone says that a Put is durable: what waited for it goes on.
func (n *Node) PutDone(now time.Time, p Put) {
	n.now = now
	if p.adopt != nil && p.adopt.Version > n.list.Version {
		n.setList(p.adopt)
		for _, q := range n.linked() {
			n.tellList(q)
		}
		n.listChanged()
	}
	if p.msg != nil {
		n.send(p.to, p.msg)
	}
}

// listChanged re-examines what is counted by the list.
func (n *Node) listChanged() {
	n.checkAllConfirms()
	n.checkWriteBacks()
	n.renewBarriers()
	n.listProposalsChanged()
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
	return Hello{Cluster: n.list.Cluster, Member: n.cfg.Self, Instance: n.cfg.Instance, Joining: n.joining, List: l,
		Vector: n.vec.Clone()}
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
	p.linked, p.member, p.instance, p.joining, p.heard = true, h.Member, h.Instance, h.Joining, now
	p.have = h.Vector.Clone()
	if p.have == nil {
		p.have = crdt.Vector{}
	}
	p.version = 0
	if h.List != nil {
		p.version = h.List.Version
		n.Adopt(now, h.List)
	}
	p.outbox, p.sends, p.poke, p.pingID = nil, map[crdt.Origin]*send{}, false, 0
	p.dirty = map[crdt.Origin]struct{}{}
	for o, seq := range n.vec { // what rose since Hello was made
		if said.Vector[o] < seq {
			p.dirty[o] = struct{}{}
			p.poke = true
		}
	}
	n.learnEpochs(h.Vector)
	n.pushOwn(p)
	n.tellList(p)
	n.checkAllConfirms()
	n.checkWriteBacks()
	n.askBarriers(p)
	n.nudgeProposals(p)
	n.reviewAll()
	n.rouse(id)
}

// Down says that the link to id is gone. What it was known to have stays known.
func (n *Node) Down(now time.Time, id crdt.NodeID) {
	n.now = now
	p := n.peers[id]
	if p == nil || !p.linked {
		return
	}
	p.linked = false
	p.outbox, p.sends, p.dirty, p.poke = nil, nil, nil, false
	for _, r := range n.recvs {
		if r.src == id {
			r.src, r.sub = 0, 0
		}
	}
	n.reviewAll()
	n.checkBarriers()
}

// Heard says that something came from id, if only a part of a message.
func (n *Node) Heard(now time.Time, id crdt.NodeID) {
	if p := n.peers[id]; p != nil {
		p.heard = now
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
	switch m := m.(type) {
	case Have:
		p.joining = m.Joining
		n.sawVersion(p, m.Version)
		n.raise(p, m.Delta)
	case Ask:
		n.sawVersion(p, m.Version)
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
		seq := delta[o]
		if p.have[o] >= seq {
			continue
		}
		rose = true
		p.have[o] = seq
		if s := p.sends[o]; s != nil {
			s.acked(seq)
			n.rouse(p.id)
		}
		n.learnEpoch(o)
		n.checkConfirms(o, p)
		if n.vec[o] < seq {
			n.review(o)
		}
	}
	if rose {
		n.checkWriteBacks()
		n.checkCompletion()
	}
}

// Advance says what is durable here now: own commits and applied entries.
func (n *Node) Advance(now time.Time, v crdt.Vector) {
	n.now = now
	var risen []crdt.Origin
	for o, seq := range v {
		if n.vec[o] < seq {
			risen = append(risen, o)
		}
	}
	if len(risen) == 0 {
		return
	}
	slices.SortFunc(risen, crdt.Origin.Compare)
	linked := n.linked()
	for _, o := range risen {
		seq := v[o]
		n.vec[o] = seq
		if n.learnEpoch(o) && o.Node == n.self {
			for _, p := range linked {
				n.pushOwn(p)
			}
		}
		if o.Node == n.self {
			n.addMark(o, seq)
		}
		if r := n.recvs[o]; r != nil {
			r.advanced(seq)
			n.dropIfIdle(r)
		}
		for _, p := range linked {
			p.dirty[o] = struct{}{}
			if p.sends[o] == nil { // else the entries themselves will tell
				p.poke = true
			}
			n.rouse(p.id)
		}
		n.checkConfirms(o, nil)
	}
	n.advanceBarriers()
	n.checkWriteBacks()
	n.checkCompletion()
}

// Tick lets time pass: pings, dead links, questions and proposals to repeat, origins to ask of another.
func (n *Node) Tick(now time.Time) {
	n.now = now
	for _, p := range n.linked() {
		if now.Sub(p.heard) > 5*n.cfg.Ping {
			n.closes = append(n.closes, p.id)
			continue
		}
		if now.Sub(p.pinged) >= n.cfg.Ping {
			p.pingID++
			p.pinged = now
			n.send(p.id, Ping{ID: p.pingID})
		}
	}
	n.reviewAll()
	n.reaskBarriers()
	n.startBarrier()
	n.tickProposals()
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

// linked lists the linked peers, in order, so that a seed replays.
func (n *Node) linked() []*peer {
	ps := make([]*peer, 0, len(n.peers))
	for _, p := range n.peers {
		if p.linked {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	return ps
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
	n.rouse(id)
}

// maxOutbox bounds the small messages that wait for one peer.
const maxOutbox = 16384

func (n *Node) rouse(id crdt.NodeID) { n.wake[id] = struct{}{} }

// takeDirty gives what rose here since p was last told.
func (n *Node) takeDirty(p *peer) crdt.Vector {
	if len(p.dirty) == 0 {
		p.poke = false
		return nil
	}
	d := make(crdt.Vector, len(p.dirty))
	for o := range p.dirty {
		d[o] = n.vec[o]
	}
	clear(p.dirty)
	p.poke = false
	return d
}

// Roused returns the peers for which there may be something to send, and forgets them.
func (n *Node) Roused() []crdt.NodeID {
	if len(n.wake) == 0 {
		return nil
	}
	ids := make([]crdt.NodeID, 0, len(n.wake))
	for id := range n.wake {
		ids = append(ids, id)
	}
	clear(n.wake)
	slices.Sort(ids)
	return ids
}

// Puts returns the values to make durable, in order, and forgets them.
func (n *Node) Puts() []Put {
	p := n.puts
	n.puts = nil
	return p
}

// Decisions returns what was decided, and forgets it.
func (n *Node) Decisions() []Done {
	d := n.done
	n.done = nil
	return d
}

// Closes returns the peers whose links are to be cut, and forgets them.
func (n *Node) Closes() []crdt.NodeID {
	c := n.closes
	n.closes = nil
	return c
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
	if p.poke {
		return Have{Version: n.list.Version, Delta: n.takeDirty(p), Joining: n.joining}, true
	}
	return nil, false
}

// Targets lists the members that have no link, for whoever dials.
func (n *Node) Targets() []Member {
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

func (n *Node) ticket() Ticket {
	n.tickets++
	return n.tickets
}

func (n *Node) decide(t Ticket, err error, value []byte) {
	n.done = append(n.done, Done{t, err, value})
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

// Ready says whether NextBatch may have something to give.
func (n *Node) Ready() bool {
	if len(n.batch) > 0 {
		return false
	}
	for _, r := range n.recvs {
		if len(r.pending) > 0 {
			return true
		}
	}
	return false
}

// PeerState is what is known of a member.
type PeerState struct {
	Linked      bool
	Joining     bool
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
	return PeerState{Linked: p.linked, Joining: p.joining, RTT: p.rtt, ClockOffset: p.offset, Have: p.have.Clone()}
}

// Joining says whether this node still has to catch up before it serves.
func (n *Node) Joining() bool { return n.joining }

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

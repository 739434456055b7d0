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
	Grace          time.Duration // after a start, while members have not spoken: one may be about to tell that this node was rolled back
	MarkEvery      time.Duration // between this node's markers at the least, and between purges and trims
	Window         int           // bytes of entries of one origin sent to one peer and not yet acknowledged
	MaxRead        int           // bytes read from the log at once
	MaxBatch       int           // bytes applied at once

	Knobs Knobs
}

// Knobs take rules out, so that tests can see what breaks. All false is the only right setting.
type Knobs struct {
	AlwaysFresh        bool // what was read while a barrier was asked is taken for good, whatever the replies
	JoinRunningBarrier bool // without Q1: a statement joins a barrier that has been asked already
	MergeReplies       bool // without Q2: a barrier waits for the union of the first replies, and asks no further
	CountMessages      bool // without Q3: acks and replies are counted by message, not by member
	AckEarly           bool // without E1: what is being applied is spoken of before it is durable
	KeepHeld           bool // without E3: what is held back of an ended epoch stays held
	KeepReplies        bool // a barrier counts replies given under an older member list
	ForgetUndecided    bool // without C1: a member list found undecided is not completed first
	ForgetCentres      bool // without C3 for each data centre: local_quorum is not kept over a change
	ChangeEarly        bool // without C3: a member change begins before the last one is complete
	AnyMarker          bool // without S1's first part: markers count under whatever member list they were written
	AnyEpoch           bool // without S1's second part: purge does not ask that all know each member's newest epoch
	ForgetRollback     bool // without Q5: a node that was rolled back goes on as if nothing had happened
	CrossEach          bool // without relays: each member of another data centre takes an origin's entries from the origin
	AnswerOldLinks     bool // without Q1: a question that came before the link broke is answered on the next one
	ForgetForks        bool // without E5: chains are not compared, and a machine that is rolled back while it runs is not found
	AbsentIsNone       bool // without S2's table: of an epoch that a marker leaves out its writer is taken to have nothing
	AbsentIsAll        bool // without S2's table: of an ended epoch that a marker leaves out its writer is taken to have all
	TrimAlone          bool // without S3: a log beyond its cap is trimmed though no majority is heard
}

func (c *Config) setDefaults() {
	c.Ping = cmp.Or(c.Ping, 500*time.Millisecond)
	c.Stall = cmp.Or(c.Stall, 2*time.Second)
	c.Retry = cmp.Or(c.Retry, 500*time.Millisecond)
	c.MaxClockOffset = cmp.Or(c.MaxClockOffset, 500*time.Millisecond)
	c.MarkEvery = cmp.Or(c.MarkEvery, time.Second)
	c.Window = cmp.Or(c.Window, 16<<20)
	c.MaxRead = cmp.Or(c.MaxRead, 512<<10)
	c.MaxBatch = cmp.Or(c.MaxBatch, 4<<20)
	if c.Rand == nil {
		c.Rand = rand.New(rand.NewPCG(uint64(c.Self.ID), c.Instance))
	}
}

// State is what a node remembers from its last life.
type State struct {
	Vector     crdt.Vector                 // the store's
	Trimmed    crdt.Vector                 // what of its log is gone
	Markers    map[crdt.NodeID]crdt.Marked // the last of each node that is durable
	List       *List                       // nil: not a member of any cluster
	Forks      crdt.Forks                  // the store's
	Retired    crdt.Vector                 // ended epochs that markers have retired, and their last entries
	RolledBack bool                        // RollbackKey is set
	Registers  map[string][]byte           // what Puts with these names wrote last; see RegisterKey
	Own        crdt.Origin                 // what this life has written under; set by tests that roll a running machine back
}

// Ticket names something that was begun and will be decided.
type Ticket uint64

// Done is a decision: what Ticket stands for has come about, or cannot.
type Done struct {
	Ticket Ticket
	Err    error
	Value  []byte // of a register
	Fresh  bool   // of a barrier: all that it asked for was durable here when it began
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

	vec        crdt.Vector                // durable here
	lent       bool                       // vec is referred to elsewhere: it is copied before it changes
	newest     map[crdt.NodeID]crdt.Epoch // the newest epoch known of each node
	own        crdt.Origin                // what this process writes under (rule E2), zero before it wrote
	peers      map[crdt.NodeID]*peer      // everyone that was ever linked
	links      []*peer                    // those that are, in order; never changed in place
	recvs      map[crdt.Origin]*recv      // what is coming in
	marks      []mark                     // when own entries became durable
	errs       map[crdt.Origin]blocked    // origins that cannot be applied, and why
	batch      []crdt.Entry               // being applied
	batchAt    time.Time                  // since when
	batchBytes int                        // how many
	reach      reaching
	single     int         // so many batches more are of one entry: a batch failed
	held       bool        // see Hold
	limit      crdt.Vector // what may be applied while held
	subs       uint64      // the last subscription's number

	tickets  Ticket
	confirms map[crdt.Origin][]confirm
	backs    map[Ticket]*writeBack
	barriers barriers
	props    proposals
	stab     stability
	snap     snapshot
	back     rollback
	fork     forking
	grace    bool // see fresh
	born     time.Time
	early    []deferred // questions and ballots that came meanwhile

	puts   []Put
	done   []Done
	roused []crdt.NodeID // what Roused returned last
	closes []crdt.NodeID
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
		confirms: map[crdt.Origin][]confirm{}, backs: map[Ticket]*writeBack{},
		reach: reaching{slow: map[crdt.NodeID]time.Time{}},
	}
	n.barriers.init()
	n.props.init(st.Registers)
	n.stab.init(st)
	n.grace = cfg.Grace > 0 && st.List != nil && !cfg.Knobs.ForgetRollback
	n.born = now
	n.back.on = st.RolledBack && !cfg.Knobs.ForgetRollback
	if st.List != nil {
		n.setList(st.List)
	}
	n.fork.known = st.Forks
	n.Advance(now, st.Vector)
	n.marks, n.own = nil, st.Own // an earlier life wrote the rest
	n.fork.renew = false
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
		n.rouse(p)
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
		n.dropRetired()
		n.listChanged()
	}
	if p.msg != nil {
		n.send(p.to, p.msg)
	}
}

// listChanged re-examines what is counted by the list.
func (n *Node) listChanged() {
	told := n.updateReach()
	for _, p := range n.linked() { // members may be of another data centre now
		n.pushOwn(p)
		if !told {
			n.tellReach(p)
		}
	}
	n.reviewAll()
	n.checkAllConfirms()
	n.checkWriteBacks()
	n.renewBarriers()
	n.listProposalsChanged()
	n.restartRollback()
}

// Advance says what is durable here now: own commits and applied entries.
func (n *Node) Advance(now time.Time, v crdt.Vector) {
	n.now = now
	var room [4]crdt.Origin
	risen := room[:0]
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
		if o.Node == n.self && n.vec[o] == 0 && n.recvs[o] == nil && !n.isBranch(o) { // it did not come from others
			n.own = o
		}
		if n.lent {
			n.vec, n.lent = n.vec.Clone(), false
		}
		n.vec[o] = seq
		if n.learnEpoch(o) && o.Node == n.self {
			for _, p := range linked {
				n.pushOwn(p)
			}
		}
		if o == n.own {
			n.overtaken()
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
			if s := p.sends[o]; s == nil || s.carried < seq { // else the entries themselves have told: the log was ahead
				p.owed[o] = struct{}{}
			}
			n.rouse(p)
		}
		n.checkConfirms(o, nil)
	}
	n.advanceBarriers()
	n.checkWriteBacks()
	n.checkCompletion()
	n.tickRollback()
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
	n.endGrace()
	n.tickChains()
	for _, o := range sortedOrigins(n.recvs) {
		n.look(n.recvs[o])
	}
	n.updateReach()
	n.reviewAll()
	n.reaskBarriers()
	n.startBarrier()
	n.tickProposals()
	n.tickRollback()
}

func (n *Node) rouse(p *peer) { p.roused = true }

// Roused returns the linked peers for which there may be something to send, and forgets them. The slice is good until the
// next call.
func (n *Node) Roused() []crdt.NodeID {
	n.roused = n.roused[:0]
	for _, p := range n.linked() {
		if p.roused {
			p.roused = false
			n.roused = append(n.roused, p.id)
		}
	}
	return n.roused
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

func (n *Node) ticket() Ticket {
	n.tickets++
	return n.tickets
}

func (n *Node) decide(t Ticket, err error, value []byte) {
	n.done = append(n.done, Done{Ticket: t, Err: err, Value: value})
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

// Joining says whether this node still has to catch up before it serves.
func (n *Node) Joining() bool { return n.joining }

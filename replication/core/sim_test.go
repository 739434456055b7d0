package core_test

import (
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
	"layercake/replication/memstore"
)

// sim runs a cluster of cores over stores of one kind in virtual time. Everything that happens comes from one seed.
type sim struct {
	seed   uint64
	rng    *rand.Rand
	now    time.Duration
	shift  time.Duration // that has passed for all nodes while nothing happened
	queue  events
	serial int
	nodes  []*simNode
	links  map[[2]int]*simLink
	knobs  core.Knobs
	quiet  bool      // no more faults: everything heals
	sql    *sqlModel // of a cluster of sqlStores; nil: of memStores

	trace                              []string // the last things that happened
	sum                                uint64   // of all that happened: equal when a seed replays
	faults                             []string // violated invariants
	writes                             []*simOp
	only                               *core.Level               // of every statement, nil: all levels
	statements                         []*simOp                  // of a run with one level: writes, acknowledged or not, and reads that were answered
	all                                map[entryID]memstore.Cell // what each entry says, of its key
	keys                               map[entryID]string
	markers                            int
	retired                            int // epochs, counted at each node at the end
	lastMarker                         time.Duration
	purges, trims, snapshots, restores int
	rewinds, moves                     int
	jumps                              int      // of clocks
	restored                           *simNode // was put back from an old copy and has not caught up
	reads                              int
	floors                             map[string]crdt.Vector   // what has been promised
	lost                               map[string]time.Duration // data centres that lost their last member, and when
	granted                            map[int64]bool
	removals                           int
	lists                              map[uint64]string
	hashes                             map[crdt.Origin][][32]byte
	crossings                          map[crossing]int // how often each entry was sent into each other data centre
}

// crossing is an entry on its way from one data centre to another.
type crossing struct {
	entry entryID
	to    string
}

// entryID names an entry.
type entryID struct {
	origin crdt.Origin
	seq    uint64
}

type event struct {
	at     time.Duration
	serial int
	do     func()
}

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].serial < q[j].serial
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	e := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return e
}

// simEpoch is when virtual time begins.
var simEpoch = time.UnixMilli(1_700_000_000_000)

// simLink joins two nodes: messages keep their order in each direction, and are lost when it breaks.
type simLink struct {
	up   bool
	gen  int
	cut  bool             // nothing can be linked
	mute [2]bool          // half-open: what is sent in this direction is lost, and nobody is told
	last [2]time.Duration // when the last message arrives, in each direction
}

// simNode is a machine: its store's synced part survives a crash, the core does not.
type simNode struct {
	s        *sim
	i        int
	member   core.Member
	skew     time.Duration
	jump     time.Duration // how wrong the clock is that the store stamps with
	store    simStore
	core     *core.Node // nil while down
	life     int
	instance uint64
	holds    map[content]struct{} // what it says durably
	past     *past
	rewound  bool
	heldThen map[content]struct{} // of copied
	syncing  bool
	waits    map[core.Ticket]func(core.Done)
	gone     bool     // never comes back
	copied   simStore // an old copy of the folder
	refused  bool     // as a joiner, since its id is retired
	asking   bool     // a join is under way
	version  uint64
	caught   bool        // has caught up since it joined; survives a crash
	owes     crdt.Vector // promised in its data centre by members that did not know it as one yet
	lastPut  time.Duration
	slow     time.Duration // so much longer it takes to make anything durable
}

// simOp is a statement and what came of it.
type simOp struct {
	node       int
	level      core.Level
	start, end time.Duration // end 0: never acknowledged
	origin     crdt.Origin
	seq        uint64
	vector     crdt.Vector // of a read
	read       bool
	key, value string                 // what it wrote, "" being a deletion, or what it read, if the run has one level
	floor      map[string]crdt.Vector // promised when it began
}

func newSim(seed uint64, knobs core.Knobs) *sim {
	return &sim{seed: seed, rng: rand.New(rand.NewPCG(seed, 42)), links: map[[2]int]*simLink{}, knobs: knobs, floors: map[string]crdt.Vector{}, lost: map[string]time.Duration{}, all: map[entryID]memstore.Cell{}, keys: map[entryID]string{},
		granted: map[int64]bool{}, lists: map[uint64]string{}, hashes: map[crdt.Origin][][32]byte{}, crossings: map[crossing]int{}}
}

func (s *sim) after(d time.Duration, do func()) {
	s.serial++
	heap.Push(&s.queue, event{s.now + d, s.serial, do})
}

// run executes events until virtual time t.
func (s *sim) run(t time.Duration) {
	for len(s.queue) > 0 && s.queue[0].at <= t && len(s.faults) == 0 {
		e := heap.Pop(&s.queue).(event)
		s.now = e.at
		e.do()
	}
	s.now = t
}

func (s *sim) log(format string, args ...any) {
	line := fmt.Sprintf("%10v  ", s.now) + fmt.Sprintf(format, args...)
	h := fnv.New64a()
	fmt.Fprintf(h, "%x %s", s.sum, line)
	s.sum = h.Sum64()
	if s.trace = append(s.trace, line); len(s.trace) > *traced {
		s.trace = s.trace[*traced/2:]
	}
}

func (s *sim) violated(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func (s *sim) history() string {
	return fmt.Sprintf("seed %d: %s\nlast events:\n%s", s.seed, strings.Join(s.faults, "; "), strings.Join(s.trace, "\n"))
}

// between gives a random duration.
func (s *sim) between(min, max time.Duration) time.Duration {
	return min + time.Duration(s.rng.Int64N(int64(max-min)+1))
}

func (s *sim) chance(percent int) bool { return s.rng.IntN(100) < percent }

func (s *sim) addNode(dc string) *simNode {
	i := len(s.nodes)
	n := &simNode{s: s, i: i, owes: crdt.Vector{}, skew: s.between(-100*time.Millisecond, 100*time.Millisecond),
		member: core.Member{ID: crdt.NodeID(i + 1), Name: fmt.Sprintf("n%d", i+1), DC: dc}}
	if s.sql != nil {
		n.store = newSQLStore(n)
	} else {
		n.store = memStore{memstore.New(memstore.Config{Self: n.member.ID, Now: n.wall, Rand: rand.New(rand.NewPCG(s.seed, uint64(i)))}), n}
	}
	n.holds = map[content]struct{}{}
	for j := range s.nodes {
		s.links[[2]int{j, i}] = &simLink{}
	}
	s.nodes = append(s.nodes, n)
	return n
}

func (n *simNode) time() time.Time { return simEpoch.Add(n.s.now + n.skew + n.s.shift) }

// wall is what the node's clock says that may be set: stamps come from it. Time-outs do not.
func (n *simNode) wall() time.Time { return n.time().Add(n.jump) }

func (s *sim) link(a, b int) *simLink {
	if a > b {
		a, b = b, a
	}
	return s.links[[2]int{a, b}]
}

// start begins a life of a node's process.
func (n *simNode) start() { n.run(uint64(n.life)+1, crdt.Origin{}) }

// run lets a process run: a new one, or one that was rolled back with its machine and had written under own.
func (n *simNode) run(instance uint64, own crdt.Origin) {
	if n.core != nil {
		return
	}
	st := n.state()
	st.Own = own
	st.Registers = map[string][]byte{}
	if b, _ := n.store.GetLocal(core.ListKey); b != nil {
		st.List, _ = core.DecodeList(b)
	}
	rolledBack, _ := n.store.GetLocal(core.RollbackKey)
	st.RolledBack = len(rolledBack) > 0
	b, _ := n.store.GetLocal(core.RegistersKey)
	names, _ := core.DecodeNames(b)
	for _, name := range names {
		if b, _ := n.store.GetLocal(core.RegisterKey(name)); b != nil {
			st.Registers[name] = b
		}
	}
	n.life++
	n.syncing = false
	n.waits = map[core.Ticket]func(core.Done){}
	n.instance = instance
	grace := time.Second
	if instance < uint64(n.life) {
		grace = 0
	}
	cfg := core.Config{Self: n.member, Instance: instance, Rand: rand.New(rand.NewPCG(n.s.seed, uint64(n.i*1000+n.life))),
		Knobs: n.s.knobs, MarkEvery: 200 * time.Millisecond, Grace: grace}
	n.s.window(&cfg)
	n.core = core.New(cfg, st, n.time())
	n.s.log("%s starts, life %d", n.member.Name, n.life)
	n.tookLog()
	n.tick(n.life)
	if n.core.IsMember() {
		n.catchUp(n.life)
	}
}

func (n *simNode) tick(life int) {
	if n.core == nil || n.life != life {
		return
	}
	n.core.Tick(n.time())
	n.keep()
	n.pump()
	for j := range n.s.nodes {
		n.s.connect(n.i, j)
	}
	n.s.after(50*time.Millisecond, func() { n.tick(life) })
}

// crash ends the process and loses what was not synced.
func (n *simNode) crash() {
	n.s.log("%s crashes", n.member.Name)
	n.core = nil
	n.asking = false
	n.store = n.store.Crash()
	for j, m := range n.s.nodes {
		if j != n.i && n.s.link(n.i, j).up {
			n.s.break_(n, m)
		}
	}
}

// connect links two nodes that are members, up and not cut off from each other.
func (s *sim) connect(a, b int) {
	if a == b {
		return
	}
	l, n, m := s.link(a, b), s.nodes[a], s.nodes[b]
	if l.up || l.cut || n.core == nil || m.core == nil || !n.core.IsMember() || !m.core.IsMember() {
		return
	}
	if !n.core.List().Has(m.member.ID) && !m.core.List().Has(n.member.ID) {
		return
	}
	n.core.Advance(n.time(), n.store.Vector()) // as the runtime does
	m.core.Advance(m.time(), m.store.Vector())
	hn, hm := n.core.Hello(), m.core.Hello()
	if n.core.Vet(n.time(), hm) != nil || m.core.Vet(m.time(), hn) != nil {
		n.pump() // one of them learns that it was removed
		m.pump()
		return
	}
	l.up = true
	l.gen++
	l.last, l.mute = [2]time.Duration{}, [2]bool{}
	s.log("link %s-%s", n.member.Name, m.member.Name)
	up := func(n *simNode, h, said core.Hello) func() {
		return func() {
			n.core.Advance(n.time(), n.store.Vector())
			n.core.Up(n.time(), h, said)
		}
	}
	s.deliver(m, n, up(n, hm, hn))
	s.deliver(n, m, up(m, hn, hm))
}

// deliver runs do at node to after everything that was sent to it on the same link before, unless the link breaks.
func (s *sim) deliver(from, to *simNode, do func()) {
	l := s.link(from.i, to.i)
	dir := 0
	if from.i > to.i {
		dir = 1
	}
	if l.mute[dir] {
		return
	}
	at := max(l.last[dir], s.now+s.between(100*time.Microsecond, 2*time.Millisecond))
	if s.chance(3) {
		at += s.between(0, 40*time.Millisecond)
	}
	l.last[dir] = at
	gen, life := l.gen, to.life
	s.after(at-s.now, func() {
		if l.gen == gen && l.up && to.core != nil && to.life == life {
			do()
			to.pump()
		}
	})
}

// break_ loses a link and what is under way on it; each side notices in its own time.
func (s *sim) break_(a, b *simNode) {
	l := s.link(a.i, b.i)
	l.up = false
	l.gen++
	s.log("link %s-%s breaks", a.member.Name, b.member.Name)
	for _, e := range [][2]*simNode{{a, b}, {b, a}} {
		n, other, life := e[0], e[1], e[0].life
		gen := l.gen
		s.after(s.between(0, 30*time.Millisecond), func() {
			if n.core != nil && n.life == life && l.gen == gen {
				n.core.Down(n.time(), other.member.ID)
				n.pump()
			}
		})
	}
}

// pump does what the core wants done.
func (n *simNode) pump() {
	s := n.s
	if n.core == nil {
		return
	}
	life := n.life
	for _, p := range n.core.Puts() { // in the order given
		n.lastPut = max(n.lastPut, s.now+s.between(100*time.Microsecond, time.Millisecond))
		s.after(n.lastPut-s.now, func() {
			if n.core != nil && n.life == life {
				n.store.PutLocal(p.Key, p.Val)
				n.core.PutDone(n.time(), p)
				n.checkList()
				n.pump()
			}
		})
	}
	if batch := n.core.NextBatch(n.time()); len(batch) > 0 {
		err := n.store.apply(batch)
		s.log("%s merges %d", n.member.Name, len(batch))
		n.sync(func() {
			n.took(batch)
			n.core.Applied(n.time(), n.store.Vector(), err)
			if err != nil {
				n.core.Reread(n.time(), n.state())
			}
		})
	}
	n.keepForks()
	for _, d := range n.core.Decisions() {
		if f := n.waits[d.Ticket]; f != nil {
			delete(n.waits, d.Ticket)
			f(d)
		}
	}
	n.core.Roused()
	for _, m := range s.nodes {
		if m == n {
			continue
		}
		for {
			msg, ok := n.core.NextMessage(m.member.ID)
			if !ok {
				break
			}
			n.transmit(m, msg)
		}
		for range 4 {
			r, ok := n.core.NextRead(m.member.ID)
			if !ok {
				break
			}
			entries, _ := n.store.Entries(nil, r.Origin, r.From, r.MaxBytes)
			sizes := make([]int, len(entries))
			for i := range entries {
				sizes[i] = len(entries[i].Bytes)
				n.checkHash(&entries[i])
			}
			if n.core.Sent(n.time(), r, sizes) {
				n.transmit(m, core.Entries{Version: n.core.List().Version, Origin: r.Origin, Sub: r.Sub, List: entries})
			}
		}
	}
	for _, id := range n.core.Closes() {
		if m := s.nodes[id-1]; s.link(n.i, m.i).up {
			s.break_(n, m)
		}
	}
}

func (n *simNode) transmit(m *simNode, msg core.Message) {
	if !n.s.link(n.i, m.i).up {
		return
	}
	if e, ok := msg.(core.Entries); ok && n.member.DC != m.member.DC {
		for _, entry := range e.List {
			n.s.crossings[crossing{entryID{entry.Origin, entry.Seq}, m.member.DC}]++
		}
	}
	n.s.deliver(n, m, func() {
		n.s.log("%s -> %s %T", n.member.Name, m.member.Name, msg)
		m.core.Receive(m.time(), n.member.ID, msg)
	})
}

// sync makes durable what was written and merged, a while later, and then calls done.
func (n *simNode) sync(done func()) {
	life := n.life
	n.s.after(n.slow+n.s.between(200*time.Microsecond, 3*time.Millisecond), func() {
		if n.core == nil || n.life != life {
			return
		}
		n.store.Sync()
		advance := func() {
			if n.core != nil && n.life == life {
				n.core.Advance(n.time(), n.store.Vector())
				n.pump()
			}
		}
		if n.s.seed%2 == 1 && n.s.chance(20) { // others may read the log, and acknowledge, before the core is told
			n.s.after(n.s.between(0, 10*time.Millisecond), advance)
		} else {
			advance()
		}
		done()
		n.pump()
	})
}

// wait registers what happens when a ticket is decided, and what if it is not in time.
func (n *simNode) wait(t core.Ticket, limit time.Duration, then func(core.Done), late func()) {
	life := n.life
	n.waits[t] = then
	n.s.after(limit, func() {
		if n.core != nil && n.life == life && n.waits[t] != nil {
			delete(n.waits, t)
			n.core.Cancel(t)
			late()
		}
	})
	n.pump()
}

package replication

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// Replicator is a running node of a cluster. Its methods are safe for concurrent use.
type Replicator struct {
	cfg      Config
	self     crdt.NodeID
	instance uint64
	member   core.Member // this node, with the addresses it has now; set by Start

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // every goroutine but those of gRPC and memberlist, which their own Stop joins
	server *grpc.Server
	gossip *cluster.Gossip

	fenced atomic.Pointer[pgerror.Error] // why this node may serve nobody, nil: it may

	moved    atomic.Uint64           // grows with r.mu held when anything but a read may have changed the core
	settled  atomic.Pointer[settled] // what WriteBack found last
	barriers atomic.Int32            // statements between BeginBarrier and the end of Wait
	joins    sync.Mutex              // protects the following
	cohort   *cohort                 // to which statements may still come; nil: none

	applyWake  chan struct{} // there may be entries to apply
	putWake    chan struct{} // there are values to make durable
	mendWake   chan struct{} // there are hashes to read, or a new epoch is to be begun
	dialWake   chan struct{} // there may be somebody to dial
	mingleWake chan struct{} // there are new seeds
	handlers   chan struct{} // bounds the requests of peers that are being answered
	copies     chan struct{} // bounds the snapshots that are being sent

	mu      sync.Mutex // protects following fields
	core    *core.Node
	links   map[crdt.NodeID]*link
	dials   map[crdt.NodeID]*dialing
	waits   map[core.Ticket]waiting
	calls   map[uint64]chan core.App
	lastID  uint64
	puts    []core.Put
	holding *holding        // see Agree; nil: none
	applied chan struct{}   // closed when a batch has been applied; nil: nobody waits for that
	told    <-chan struct{} // Store.Changed as of when the core was told last what is durable
	adopted chan struct{}   // closed when another member list is in force
	linked  chan struct{}   // closed when a link has come up or gone
	version uint64          // of the list in force
	seeds   []string        // gossip addresses to try besides those of the members
	looks   []core.Look     // at hashes, to be done
	leaving bool            // Leave is under way
	fetch   *fetch          // the snapshot that is coming in, if one is
	started bool
	closed  bool
}

// New prepares a node. Nothing runs until Start.
func New(cfg Config) (*Replicator, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &Replicator{
		cfg: cfg, self: cfg.Store.Self(), instance: randomID(), ctx: ctx, cancel: cancel,
		applyWake: make(chan struct{}, 1), putWake: make(chan struct{}, 1), mendWake: make(chan struct{}, 1), dialWake: make(chan struct{}, 1),
		mingleWake: make(chan struct{}, 1), seeds: slices.Clone(cfg.Seeds),
		handlers: make(chan struct{}, maxHandlers), copies: make(chan struct{}, 1),
		links: map[crdt.NodeID]*link{}, dials: map[crdt.NodeID]*dialing{},
		waits: map[core.Ticket]waiting{}, calls: map[uint64]chan core.App{}, adopted: make(chan struct{}), linked: make(chan struct{}),
	}, nil
}

// randomID gives a random number that is not 0.
func randomID() uint64 {
	var b [8]byte
	for {
		crand.Read(b[:]) // never fails
		if id := binary.BigEndian.Uint64(b[:]); id != 0 {
			return id
		}
	}
}

// Start listens and, if the store remembers a cluster, connects to its members. ctx bounds only the start.
func (r *Replicator) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.closed {
		return errors.New("replication: Start after Start or Close")
	}
	st, err := r.load()
	if err != nil {
		return err
	}
	if st.List != nil {
		if m, ok := st.List.Member(r.self); ok && m.DC != r.cfg.DC {
			return fmt.Errorf("replication: this node joined in data centre %q and cannot move to %q: remove it and let it join anew", m.DC, r.cfg.DC)
		}
	}
	joining, err := r.cfg.Store.GetLocal(joiningKey)
	if err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	listener := r.cfg.Listener
	if listener == nil {
		var lc net.ListenConfig
		if listener, err = lc.Listen(ctx, "tcp", r.cfg.RPCBind); err != nil {
			return fmt.Errorf("replication: %w", err)
		}
	}
	r.member = core.Member{ID: r.self, Name: r.cfg.Name, DC: r.cfg.DC, RPCAddr: r.cfg.RPCAddr, PGAddr: r.cfg.PGAddr}
	if r.member.RPCAddr == "" {
		r.member.RPCAddr = listener.Addr().String()
	}
	if r.cfg.Gossip != nil {
		gc := *r.cfg.Gossip
		gc.Self = cluster.Node{ID: uint64(r.self), Name: r.cfg.Name, DC: r.cfg.DC, RPCAddr: r.member.RPCAddr, PGAddr: r.cfg.PGAddr}
		if st.List != nil {
			gc.Self.Cluster = uint64(st.List.Cluster)
		}
		if gc.Logger == nil {
			gc.Logger = r.cfg.Logger
		}
		gc.OnChange = func() { poke(r.dialWake) }
		if r.gossip, err = cluster.Open(gc); err != nil {
			listener.Close()
			return err
		}
		r.member.GossipAddr = r.gossip.Self().Addr
	}
	r.core = core.New(core.Config{
		Self: r.member, Instance: r.instance, Ping: r.cfg.Ping, MarkEvery: r.cfg.MarkEvery, Grace: time.Second, MaxClockOffset: r.cfg.MaxClockOffset,
		Rand: rand.New(rand.NewPCG(r.instance, uint64(r.self))),
	}, st, r.cfg.Now())
	r.started = true
	r.version = r.core.List().Version
	r.server = r.newServer()
	r.goDo(func() {
		if err := r.server.Serve(listener); err != nil && r.ctx.Err() == nil {
			r.cfg.Logger.Error("replication stopped serving", "err", err)
		}
	})
	for _, loop := range []func(){r.tick, r.watch, r.apply, r.put, r.mend, r.dial, r.mingle, r.keep} {
		r.goDo(loop)
	}
	if l := r.core.List(); l.Has(r.self) {
		r.updateRecord(l)
		if len(joining) > 0 { // it stopped half-way: it goes on by itself, and serves nobody until then
			r.core.SetJoining(r.cfg.Now(), true)
			r.updateFence()
			r.goDo(func() {
				if err := r.catchUp(r.ctx); err != nil && r.ctx.Err() == nil {
					r.cfg.Logger.Error("could not catch up", "err", err)
				}
			})
		}
	}
	r.flush()
	return nil
}

// updateRecord has the members note this node's new addresses, if they changed. The proposal stays under way until a
// majority is there; nothing waits for it.
func (r *Replicator) updateRecord(l *core.List) {
	if m, _ := l.Member(r.self); m == r.member {
		return
	}
	t := r.core.ChangeList(r.cfg.Now(), core.WithMember(r.member))
	done := make(chan core.Done, 1)
	r.waits[t] = waiting{done: done}
	r.goDo(func() {
		select {
		case d := <-done:
			if d.Err != nil {
				r.cfg.Logger.Error("the members did not take this node's new name or addresses", "err", d.Err)
			}
		case <-r.ctx.Done():
		}
	})
}

// load reads what this node remembers.
func (r *Replicator) load() (core.State, error) {
	st, err := r.stored()
	if err != nil {
		return st, err
	}
	st.Registers = map[string][]byte{}
	rolledBack, err := r.cfg.Store.GetLocal(core.RollbackKey)
	if err != nil {
		return st, fmt.Errorf("replication: %w", err)
	}
	st.RolledBack = len(rolledBack) > 0
	b, err := r.cfg.Store.GetLocal(core.ListKey)
	if err != nil {
		return st, fmt.Errorf("replication: read the member list: %w", err)
	}
	if b != nil {
		if st.List, err = core.DecodeList(b); err != nil {
			return st, fmt.Errorf("replication: the stored member list: %w", err)
		}
	}
	if b, err = r.cfg.Store.GetLocal(core.RegistersKey); err != nil {
		return st, fmt.Errorf("replication: read the registers: %w", err)
	}
	names, err := core.DecodeNames(b)
	if err != nil {
		return st, fmt.Errorf("replication: the stored registers: %w", err)
	}
	for _, name := range names {
		b, err := r.cfg.Store.GetLocal(core.RegisterKey(name))
		if err != nil {
			return st, fmt.Errorf("replication: read register %s: %w", name, err)
		}
		if b != nil {
			st.Registers[name] = b
		}
	}
	return st, nil
}

// Close stops everything and waits for it. A second Close is harmless. Whoever waits is told that the node stops.
func (r *Replicator) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.moved.Add(1)
	started := r.started
	r.cancel()
	for _, l := range r.links {
		l.close(errStopping)
	}
	r.mu.Unlock()
	if !started {
		if r.cfg.Listener != nil {
			return r.cfg.Listener.Close()
		}
		return nil
	}
	r.server.Stop() // closes the listener and waits for the handlers
	r.wg.Wait()
	if r.gossip != nil {
		return r.gossip.Close()
	}
	return nil
}

// goDo runs f in a goroutine that Close joins.
func (r *Replicator) goDo(f func()) {
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		f()
	}()
}

// do runs f on the core and hands out what comes of it.
func (r *Replicator) do(f func(n *core.Node, now time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(r.core, r.cfg.Now())
	r.flush()
}

// flush hands out what the core wants done. r.mu is held, so nothing here blocks.
func (r *Replicator) flush() {
	r.moved.Add(1)
	for _, id := range r.handOut() {
		if l := r.links[id]; l != nil {
			poke(l.wake)
		}
	}
}

// unlock is flush and the unlocking of r.mu, but small messages are sent right here if they can be.
func (r *Replicator) unlock() {
	r.moved.Add(1)
	r.unlockRead()
}

// unlockRead is unlock after something that takes nothing from what is known to be on enough members, and leaves what is
// durable here as it is: all that reads do to the core.
func (r *Replicator) unlockRead() {
	if r.core == nil {
		r.mu.Unlock()
		return
	}
	var room [8]*link
	links := room[:0]
	for _, id := range r.handOut() {
		if l := r.links[id]; l != nil {
			links = append(links, l)
		}
	}
	r.mu.Unlock()
	for _, l := range links {
		r.express(l)
	}
}

// handOut is flush, but for the peers that it returns, for which there is something to send.
func (r *Replicator) handOut() []crdt.NodeID {
	n := r.core
	if puts := n.Puts(); len(puts) > 0 {
		r.puts = append(r.puts, puts...)
		poke(r.putWake)
	}
	if looks := n.Looks(); len(looks) > 0 || n.RenewWaits() {
		r.looks = append(r.looks, looks...)
		poke(r.mendWake)
	}
	for _, d := range n.Decisions() {
		if w, ok := r.waits[d.Ticket]; ok {
			delete(r.waits, d.Ticket)
			w.decide(d)
		}
	}
	for _, id := range n.Closes() {
		if l := r.links[id]; l != nil {
			l.close(errSilent)
		}
	}
	roused := n.Roused()
	if n.Ready() {
		poke(r.applyWake)
	}
	if v := n.List().Version; v != r.version {
		r.version = v
		r.moved.Add(1)
		close(r.adopted)
		r.adopted = make(chan struct{})
		r.announceLink() // what a level needs may have changed too
		poke(r.dialWake)
		r.updateFence()
		r.cfg.Logger.Info("member list in force", "version", v, "members", len(n.List().Members))
	}
	return roused
}

// poke wakes a loop that has a channel with room for one.
func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

var (
	errStopping = errors.New("replication: the node is stopping")
	errSilent   = errors.New("replication: nothing was heard for too long")
)

// IsMember says whether this node belongs to a cluster: if not, Bootstrap or Join comes next.
func (r *Replicator) IsMember() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core != nil && r.core.IsMember()
}

// Cluster is the cluster's id, 0 before this node is a member.
func (r *Replicator) Cluster() core.ClusterID {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.core == nil {
		return 0
	}
	return r.core.List().Cluster
}

// Addr is the address that others dial for replication, empty before Start.
func (r *Replicator) Addr() string { return r.member.RPCAddr }

// GossipAddr is the address that others give to Join, empty without gossip.
func (r *Replicator) GossipAddr() string { return r.member.GossipAddr }

func notRunning() error {
	return pgerror.New(pgerror.CannotConnectNow, "this node's replication is not running")
}

// Errors of Join, to be told by errors.Is.
var (
	ErrNameTaken = errors.New("replication: another member has this node's name")
	ErrRemoved   = errors.New("replication: this node was removed from its cluster; it can come back only as a new one, with an empty data folder")
)

// Fenced says why this node may run no statement (57P03), nil if it may: its clock is ahead of a majority's by more than
// Config.MaxClockOffset, so that nobody would take its writes, it has joined and not caught up yet, or it is no member any
// more. It costs nothing to ask.
func (r *Replicator) Fenced() error {
	if e := r.fenced.Load(); e != nil {
		return e
	}
	return nil
}

// updateFence works out Fenced anew. r.mu is held.
func (r *Replicator) updateFence() {
	var why *pgerror.Error
	if r.core.IsRetired() {
		why = r.retiredError()
	} else if r.leaving {
		why = pgerror.New(pgerror.CannotConnectNow, "this node is leaving its cluster")
	} else if r.core.Joining() {
		why = pgerror.New(pgerror.CannotConnectNow, "this node is starting: it has joined its cluster and not caught up yet")
	} else if r.core.RolledBack() {
		why = pgerror.New(pgerror.CannotConnectNow,
			"this node was put back from an old copy, or rolled back while it ran: it serves again when it has caught up with enough of the other members")
	} else if r.core.NeedsSnapshot() {
		why = pgerror.New(pgerror.CannotConnectNow, "this node is catching up by a snapshot: the others no longer have the log that it lacks")
	} else if ahead := r.core.AheadOfMajority(); ahead > 0 {
		why = pgerror.New(pgerror.CannotConnectNow,
			"this node is fenced: its clock is %v ahead of the clocks of a majority of the members, more than max_clock_offset (%v)",
			ahead.Round(time.Millisecond), r.cfg.MaxClockOffset)
	}
	if was := r.fenced.Swap(why); (was == nil) != (why == nil) || was != nil && was.Message != why.Message {
		if why != nil {
			r.cfg.Logger.Warn("no statement is served", "err", why)
		} else {
			r.cfg.Logger.Info("statements are served")
		}
	}
}

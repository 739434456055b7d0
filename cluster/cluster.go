// Package cluster says who seems to be alive: gossip membership over hashicorp/memberlist, with each node's id, name,
// data centre, cluster and addresses. It never decides anything: no quorum counts what it says. Its goroutines are
// memberlist's own and are gone when Close returns.
package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// Config says who this node is and where it gossips.
type Config struct {
	Self   Node         // Addr is filled in by Open
	Bind   string       // host:port to listen on, TCP and UDP; port 0 picks one
	Host   string       // host that others reach this node by; the bound one when empty
	Key    []byte       // encrypts all gossip: 16, 24 or 32 bytes; none when empty
	Logger *slog.Logger // slog.Default when nil
	// Fast makes failures show within about a second rather than within about five, at the price of more packets: for
	// clusters on one machine and for tests.
	Fast bool
	// OnChange, when set, is called after a node appeared, changed or went. It must not block.
	OnChange func()
}

// Node is what gossip knows of a node.
type Node struct {
	ID      uint64
	Name    string
	DC      string
	Cluster uint64 // 0: not a member of any cluster yet
	RPCAddr string
	PGAddr  string
	Addr    string // host:port of its gossip
	State   State
}

// State is what gossip thinks of a node.
type State uint8

// The states.
const (
	Alive State = iota
	Dead
	Left // on purpose
)

// String gives the state as the view layercake.nodes shows it.
func (s State) String() string { return [...]string{"alive", "dead", "left", "invalid"}[s&3] }

// ErrOtherCluster is wrapped by the errors of Join when a seed belongs to another cluster.
var ErrOtherCluster = errors.New("the node belongs to another cluster")

// Gossip is a running membership. Its methods are safe for concurrent use.
type Gossip struct {
	cfg  Config
	log  *slog.Logger
	list *memberlist.Memberlist

	mu      sync.Mutex // protects following fields
	self    Node
	nodes   map[uint64]Node // every other node seen; copies, since memberlist changes its own under its own lock
	refused error           // why the last node was refused, for Join's error
	closed  bool

	joins sync.WaitGroup // calls of memberlist's Join, which knows no context
}

// Open starts to listen and to gossip. The node knows only itself until Join.
func Open(cfg Config) (*Gossip, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Self.ID == 0 || cfg.Self.Name == "" {
		return nil, errors.New("cluster: Self needs an ID and a Name")
	}
	host, port, err := splitHostPort(cfg.Bind)
	if err != nil {
		return nil, fmt.Errorf("cluster: gossip address: %w", err)
	}
	g := &Gossip{cfg: cfg, log: cfg.Logger, self: cfg.Self, nodes: map[uint64]Node{}}
	g.self.State = Alive

	mc := memberlist.DefaultLANConfig()
	if cfg.Fast {
		mc = memberlist.DefaultLocalConfig()
		mc.ProbeInterval = 300 * time.Millisecond
		mc.SuspicionMult = 2
	}
	mc.Name = strconv.FormatUint(cfg.Self.ID, 16) // ids are unique, names are for people
	mc.BindAddr, mc.BindPort = host, port
	mc.AdvertisePort = port
	mc.TCPTimeout = 3 * time.Second      // what Close may have to wait for
	mc.DeadNodeReclaimTime = time.Second // a node that died may come back with another address
	mc.SecretKey = cfg.Key
	mc.Logger, mc.LogOutput = nil, logWriter{cfg.Logger}
	mc.Delegate, mc.Events, mc.Merge, mc.Alive, mc.Conflict = delegate{g}, delegate{g}, delegate{g}, delegate{g}, delegate{g}
	if cfg.Host != "" {
		ip, err := resolve(cfg.Host)
		if err != nil {
			return nil, fmt.Errorf("cluster: advertised host: %w", err)
		}
		mc.AdvertiseAddr = ip
	}
	list, err := memberlist.Create(mc)
	if err != nil {
		return nil, fmt.Errorf("cluster: listen for gossip on %s: %w", cfg.Bind, err)
	}
	g.list = list
	// With port 0 memberlist chose one, and wrote it into its config.
	advertised := host
	if cfg.Host != "" {
		advertised = cfg.Host
	} else if ip := list.LocalNode().Addr; host == "" || net.ParseIP(host).IsUnspecified() {
		advertised = ip.String()
	}
	g.mu.Lock()
	g.self.Addr = net.JoinHostPort(advertised, strconv.Itoa(int(list.LocalNode().Port)))
	g.mu.Unlock()
	if err := list.UpdateNode(0); err != nil {
		list.Shutdown()
		return nil, fmt.Errorf("cluster: announce this node: %w", err)
	}
	return g, nil
}

// Self returns this node as it announces itself.
func (g *Gossip) Self() Node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.self
}

// Announce changes what this node says of itself: its cluster once it has joined, its addresses.
func (g *Gossip) Announce(change func(*Node)) error {
	g.mu.Lock()
	change(&g.self)
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return errors.New("cluster: closed")
	}
	return g.list.UpdateNode(time.Second)
}

// Join contacts the seeds (host:port) and returns how many answered. No seed answering is an error; a seed of another
// cluster is ErrOtherCluster. It may be called again at any time, for instance to find a cluster that was cut off.
func (g *Gossip) Join(ctx context.Context, seeds []string) (int, error) {
	g.mu.Lock()
	g.refused = nil
	closed := g.closed
	if !closed {
		g.joins.Add(1)
	}
	g.mu.Unlock()
	if closed {
		return 0, errors.New("cluster: closed")
	}
	type answer struct {
		n   int
		err error
	}
	done := make(chan answer, 1)
	go func() { // Close joins it; memberlist's own TCP time-outs end it
		defer g.joins.Done()
		n, err := g.list.Join(seeds)
		done <- answer{n, err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.n == 0 && g.refused != nil {
		return 0, g.refused
	}
	if a.err != nil && a.n == 0 {
		return 0, fmt.Errorf("cluster: no seed of %v answers: %w", seeds, a.err)
	}
	return a.n, nil
}

// Nodes lists every node of this cluster that was seen since Open, this one first, the others by name.
func (g *Gossip) Nodes() []Node {
	g.mu.Lock()
	nodes := slices.Collect(maps.Values(g.nodes))
	self := g.self
	g.mu.Unlock()
	slices.SortFunc(nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return append([]Node{self}, nodes...)
}

// Leave tells the others that this node goes on purpose.
func (g *Gossip) Leave(timeout time.Duration) error {
	if err := g.Announce(func(n *Node) { n.State = Left }); err != nil { // memberlist does not tell others why a node went
		return err
	}
	// What is gossiped may be lost on the way, and there is no second chance: each is told directly too.
	goodbye := binary.BigEndian.AppendUint64(nil, g.cfg.Self.ID)
	for _, m := range g.list.Members() {
		if m.Name != g.list.LocalNode().Name {
			if err := g.list.SendReliable(m, goodbye); err != nil {
				g.log.Debug("could not say goodbye", "node", m.Name, "err", err)
			}
		}
	}
	return g.list.Leave(timeout)
}

// goodbye bounds what Close waits for its last message.
const goodbye = 500 * time.Millisecond

// Close says that this node stops, so that it may come back at once with another address, and ends all gossip. A second
// Close is harmless.
func (g *Gossip) Close() error {
	g.mu.Lock()
	closed := g.closed
	g.closed = true
	g.mu.Unlock()
	if closed {
		return nil
	}
	if err := g.list.Leave(goodbye); err != nil { // Dead to the others: it has not said Left
		g.log.Debug("could not say that this node stops", "err", err)
	}
	err := g.list.Shutdown()
	g.joins.Wait()
	return err
}

func (g *Gossip) changed() {
	if g.cfg.OnChange != nil {
		g.cfg.OnChange()
	}
}

func splitHostPort(addr string) (string, int, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %s: bad port", addr)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	if net.ParseIP(host) == nil {
		ip, err := resolve(host)
		if err != nil {
			return "", 0, err
		}
		host = ip
	}
	return host, int(port), nil
}

// resolve gives an address of host; memberlist wants addresses, not names.
func resolve(host string) (string, error) {
	if net.ParseIP(host) != nil {
		return host, nil
	}
	ips, err := net.LookupIP(host)
	if err != nil {
		return "", err
	}
	for _, ip := range ips {
		if ip.To4() != nil {
			return ip.String(), nil
		}
	}
	return ips[0].String(), nil
}

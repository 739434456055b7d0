package replication_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/replication"
	"layercake/replication/memstore"
)

// network is what the nodes of a test dial through: links between two nodes can be cut and healed.
type network struct {
	mu    sync.Mutex
	names map[string]string // address → node
	cut   map[[2]string]bool
	conns map[*conn]struct{}
}

type conn struct {
	net.Conn
	net  *network
	ends [2]string
}

func (c *conn) Close() error {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
	return c.Conn.Close()
}

func newNetwork() *network {
	return &network{names: map[string]string{}, cut: map[[2]string]bool{}, conns: map[*conn]struct{}{}}
}

func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func (n *network) dialer(from string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		n.mu.Lock()
		ends := pair(from, n.names[addr])
		cut := n.cut[ends]
		n.mu.Unlock()
		if cut {
			return nil, errors.New("cut by the test")
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		w := &conn{Conn: c, net: n, ends: ends}
		n.mu.Lock()
		n.conns[w] = struct{}{}
		n.mu.Unlock()
		return w, nil
	}
}

// Cut breaks all links between a and each of bs, and keeps them from coming back.
func (n *network) Cut(a string, bs ...string) {
	var broken []*conn
	n.mu.Lock()
	for _, b := range bs {
		n.cut[pair(a, b)] = true
		for c := range n.conns {
			if c.ends == pair(a, b) {
				broken = append(broken, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range broken {
		c.Close()
	}
}

// Heal lets a and each of bs dial each other again.
func (n *network) Heal(a string, bs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range bs {
		delete(n.cut, pair(a, b))
	}
}

// node is one node of a test: it survives its replicator.
type node struct {
	*replication.Replicator
	t      testing.TB
	net    *network
	name   string
	dc     string
	store  *memstore.Store
	gossip bool
	tweak  func(*replication.Config)
}

func newNode(t testing.TB, nw *network, name, dc string, id crdt.NodeID) *node {
	return &node{t: t, net: nw, name: name, dc: dc, store: memstore.New(memstore.Config{Self: id})}
}

func (n *node) start() {
	n.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.net.mu.Lock()
	n.net.names[l.Addr().String()] = n.name
	n.net.mu.Unlock()
	level := slog.LevelError
	if os.Getenv("REPLICATION_LOG") != "" {
		level = slog.LevelDebug
	}
	cfg := replication.Config{
		Store: n.store, Name: n.name, DC: n.dc, Listener: l, PGAddr: n.name + ":5432", Dial: n.net.dialer(n.name),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})).With("node", n.name),
		Ping:   100 * time.Millisecond,
	}
	if n.gossip {
		cfg.Gossip = &cluster.Config{Bind: "127.0.0.1:0", Fast: true}
	}
	if n.tweak != nil {
		n.tweak(&cfg)
	}
	r, err := replication.New(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		n.t.Fatal(err)
	}
	n.Replicator = r
	n.t.Cleanup(func() { r.Close() })
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// newCluster starts as many nodes as dcs names, n1 … , all linked.
func newCluster(t *testing.T, dcs ...string) (*network, []*node) {
	t.Helper()
	nw := newNetwork()
	var nodes []*node
	for i, dc := range dcs {
		n := newNode(t, nw, fmt.Sprintf("n%d", i+1), dc, crdt.NodeID(i+1))
		n.start()
		if i == 0 {
			if err := n.Bootstrap(within(t, 5*time.Second)); err != nil {
				t.Fatal(err)
			}
		} else if err := n.Join(within(t, 20*time.Second), []string{nodes[0].Addr()}); err != nil {
			t.Fatalf("%s joins: %v", n.name, err)
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		linked(t, n, replication.All)
	}
	return nw, nodes
}

// eventually waits until ok, looking often.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // a poll of real sockets, not a wait for a guess
	}
}

func linked(t testing.TB, n *node, level replication.Level) {
	t.Helper()
	eventually(t, n.name+" can reach "+level.String(), func() bool { return n.Check(level, replication.Read) == nil })
}

func (n *node) put(key, value string, level replication.Level) error {
	o, seq, err := n.store.Commit(key, value)
	if err != nil {
		return err
	}
	// Long: what a test puts is to arrive, however busy the machine.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return n.Confirm(ctx, level, o, seq, time.Minute)
}

func (n *node) mustPut(key, value string, level replication.Level) {
	n.t.Helper()
	if err := n.put(key, value, level); err != nil {
		n.t.Fatalf("%s puts %s at %s: %v", n.name, key, level, err)
	}
}

func (n *node) get(key string) string {
	c, _ := n.store.Get(key)
	return c.Value
}

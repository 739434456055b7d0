package replication_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
	"layercake/replication/core"
	"layercake/replication/memstore"
)

// TestALargeEntry is cut into frames, and small messages pass between them.
func TestALargeEntry(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	big := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB
	ns[0].mustPut("big", big, replication.All)
	for _, n := range ns {
		if n.get("big") != big {
			t.Errorf("%s has another value of %d bytes", n.name, len(n.get("big")))
		}
	}
	// By a relay too.
	nw.Cut("n1", "n3")
	ns[0].mustPut("big", big[1:], replication.Quorum)
	eventually(t, "n3 has it by n2", func() bool { return ns[2].get("big") == big[1:] })
}

// slowLog is a store whose long entries take their time to be read.
type slowLog struct {
	*memstore.Store
	takes time.Duration
}

const slowFrom = 1 << 20

func (s slowLog) Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	es, err := s.Store.Entries(ctx, o, from, maxBytes)
	for i, e := range es {
		if len(e.Bytes) >= slowFrom {
			if i == 0 {
				return nil, crdt.ErrLong
			}
			return es[:i], nil
		}
	}
	return es, err
}

func (s slowLog) LongEntry(ctx context.Context, o crdt.Origin, seq uint64) (*os.File, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	es, err := s.Store.Entries(ctx, o, seq, 1)
	if err != nil || len(es) == 0 {
		return nil, err
	}
	f, err := s.TempFile()
	if err == nil {
		_, err = f.Write(es[0].Bytes)
	}
	return f, err
}

// TestALongEntryTakesItsTime: while it is read, for longer than a peer may be silent, small messages pass and no link ends.
func TestALongEntryTakesItsTime(t *testing.T) {
	nw := newNetwork()
	var ns []*node
	for i, name := range []string{"n1", "n2"} {
		n := newNode(t, nw, name, "dc1", crdt.NodeID(i+1))
		n.tweak = func(c *replication.Config) {
			c.Store, c.Ping = slowLog{n.store, 4 * time.Second}, replication.DefaultPing
		}
		n.start()
		ns = append(ns, n)
	}
	if err := ns[0].Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := ns[1].Join(within(t, 10*time.Second), []string{ns[0].Addr()}); err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		linked(t, n, replication.All)
	}
	big := strings.Repeat("0123456789abcdef", 5<<16) // 5 MiB
	ns[0].mustPut("big", big, replication.None)
	for start := time.Now(); ns[1].get("big") != big; time.Sleep(20 * time.Millisecond) {
		for _, n := range ns {
			if err := n.Check(replication.All, replication.Write); err != nil {
				t.Fatalf("%s after %v: %v", n.name, time.Since(start), err)
			}
		}
		if time.Since(start) > 20*time.Second {
			t.Fatal("the entry does not arrive")
		}
	}
	ns[1].mustPut("small", "v", replication.All)
}

func TestAMessageOverTheLimitEndsTheLink(t *testing.T) {
	nw := newNetwork()
	a, b := newNode(t, nw, "n1", "dc1", 1), newNode(t, nw, "n2", "dc1", 2)
	b.tweak = func(c *replication.Config) { c.MaxEntry = 2 << 20 }
	a.start()
	b.start()
	if err := a.Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := b.Join(within(t, 10*time.Second), []string{a.Addr()}); err != nil {
		t.Fatal(err)
	}
	a.mustPut("big", strings.Repeat("x", 3<<20), replication.None)
	eventually(t, "the link ends", func() bool { return a.Check(replication.All, replication.Write) != nil })
	if b.get("big") != "" {
		t.Error("an entry over the limit was applied")
	}
}

// hole is a connection that can be turned into a black hole: nothing is lost at once, nothing arrives.
type hole struct {
	net.Conn
	open *atomic.Bool
	once sync.Once
	done chan struct{}
}

func (h *hole) Read(b []byte) (int, error) {
	for {
		n, err := h.Conn.Read(b)
		if !h.open.Load() || err != nil {
			return n, err
		}
		select { // what comes in is swallowed
		case <-h.done:
			return 0, net.ErrClosed
		default:
		}
	}
}

func (h *hole) Write(b []byte) (int, error) {
	if h.open.Load() {
		return len(b), nil
	}
	return h.Conn.Write(b)
}

func (h *hole) Close() error {
	h.once.Do(func() { close(h.done) })
	return h.Conn.Close()
}

// TestAHalfOpenPeer is noticed by its silence, and the link comes back by itself.
func TestAHalfOpenPeer(t *testing.T) {
	nw := newNetwork()
	var open atomic.Bool
	a, b := newNode(t, nw, "n1", "dc1", 1), newNode(t, nw, "n2", "dc1", 2)
	for _, n := range []*node{a, b} {
		dial := nw.dialer(n.name)
		n.tweak = func(c *replication.Config) {
			c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
				conn, err := dial(ctx, addr)
				if err != nil {
					return nil, err
				}
				return &hole{Conn: conn, open: &open, done: make(chan struct{})}, nil
			}
		}
		n.start()
	}
	if err := a.Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := b.Join(within(t, 10*time.Second), []string{a.Addr()}); err != nil {
		t.Fatal(err)
	}
	linked(t, a, replication.All)
	open.Store(true)
	began := time.Now()
	eventually(t, "both notice", func() bool {
		return a.Check(replication.All, replication.Read) != nil && b.Check(replication.All, replication.Read) != nil
	})
	t.Logf("noticed after %v (pings every 100 ms)", time.Since(began))
	a.mustPut("k", "v", replication.None)
	open.Store(false)
	eventually(t, "b has what was written meanwhile", func() bool { return b.get("k") == "v" })
}

// TestGarbage at the replication port ends that connection alone.
func TestGarbage(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1")
	var wg sync.WaitGroup
	for _, b := range [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte{0xff}, 100_000),
		[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" + strings.Repeat("\xff", 64))} {
		wg.Go(func() {
			c, err := net.Dial("tcp", ns[0].Addr())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			c.Write(b)
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			for buf := make([]byte, 1024); err == nil; {
				_, err = c.Read(buf)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the connection that sent %.20q is still open", b)
			}
		})
	}
	wg.Wait()
	ns[0].mustPut("k", "v", replication.All)
}

// TestAnotherCluster's node is refused, by gossip already.
func TestAnotherCluster(t *testing.T) {
	nw := newNetwork()
	var ns []*node
	for i, name := range []string{"n1", "n2"} {
		n := newNode(t, nw, name, "dc1", crdt.NodeID(i+1))
		n.gossip = true
		n.start()
		if err := n.Bootstrap(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
	if err := ns[1].Join(within(t, 10*time.Second), []string{ns[0].GossipAddr()}); !errors.Is(err, cluster.ErrOtherCluster) {
		t.Errorf("a member of another cluster joins: %v", err)
	}
	if len(ns[0].Members()) != 1 || len(ns[1].Members()) != 1 || ns[0].Cluster() == ns[1].Cluster() {
		t.Error("two clusters have become one")
	}
}

// TestACopiedFolder is a second node with the same id: it is refused, and the first goes on.
func TestACopiedFolder(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1")
	twin := newNode(t, nw, "n2", "dc1", 2)
	twin.store = ns[1].store
	twin.start()
	ns[0].mustPut("k", "v", replication.All)
	eventually(t, "n1 and one n2 are linked", func() bool { return ns[0].Check(replication.All, replication.Write) == nil })
}

func TestCloseLeavesNothing(t *testing.T) {
	settle := func() int {
		n := 0
		for range 100 {
			runtime.GC()
			if m := runtime.NumGoroutine(); m == n {
				return n
			} else {
				n = m
			}
			time.Sleep(10 * time.Millisecond)
		}
		return n
	}
	before := settle()
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	nw.Cut("n1", "n2")
	waiting := make(chan error, 3)
	o, seq, _ := ns[0].store.Commit("k", "v")
	go func() { waiting <- ns[0].Confirm(within(t, time.Minute), replication.All, o, seq, time.Minute) }()
	go func() { waiting <- ns[0].Barrier(within(t, time.Minute), replication.All, time.Minute) }()
	late := newNode(t, nw, "late", "dc1", 50)
	late.start()
	go func() { waiting <- late.Join(within(t, time.Minute), []string{"127.0.0.1:1"}) }()
	eventually(t, "they wait", func() bool { return ns[0].Check(replication.All, replication.Read) != nil })
	for _, n := range append(ns, late) {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	}
	for range 3 {
		if err := <-waiting; err == nil {
			t.Error("a wait ended well at Close")
		}
	}
	wantCode(t, ns[0].Check(replication.One, replication.Read), pgerror.CannotConnectNow)
	if after := settle(); after > before {
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after:\n%s", before, after, buf[:runtime.Stack(buf, true)])
	}
}

// TestTLS has nodes that trust one certificate, and one that has none.
func TestTLS(t *testing.T) {
	cert, pool := certificate(t)
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert, ServerName: "layercake"}
	nw := newNetwork()
	var ns []*node
	for i, name := range []string{"n1", "n2"} {
		n := newNode(t, nw, name, "dc1", crdt.NodeID(i+1))
		n.tweak = func(c *replication.Config) { c.TLS = conf }
		n.start()
		ns = append(ns, n)
	}
	if err := ns[0].Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := ns[1].Join(within(t, 10*time.Second), []string{ns[0].Addr()}); err != nil {
		t.Fatal(err)
	}
	ns[1].mustPut("k", "v", replication.All)
	plain := newNode(t, nw, "plain", "dc1", 3)
	plain.start()
	if err := plain.Join(within(t, time.Second), []string{ns[0].Addr()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a node without a certificate: %v", err)
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"layercake"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// deaf is a store whose node never gets to know that it is a member: it stops when it would note that.
type deaf struct {
	replication.Store
	heard func()
	until <-chan struct{}
}

func (s deaf) PutLocal(key string, value []byte) error {
	if key == core.ListKey {
		s.heard()
		<-s.until
		return errors.New("stopped")
	}
	return s.Store.PutLocal(key, value)
}

// TestJoinerStopsOnceRegistered: a node that is registered, and stops before it has noted that, joins when it comes back,
// at other addresses, where no change of the list finds a majority without it.
func TestJoinerStopsOnceRegistered(t *testing.T) {
	nw, nodes := newCluster(t, "a")
	first := nodes[0]
	n := newNode(t, nw, "n2", "a", 2)
	heard, until := make(chan struct{}), make(chan struct{})
	n.tweak = func(c *replication.Config) {
		c.Store = deaf{c.Store, sync.OnceFunc(func() { close(heard) }), until}
	}
	n.start()
	ctx, cancel := context.WithCancel(context.Background())
	joined := make(chan error, 1)
	go func() { joined <- n.Join(ctx, []string{first.Addr()}) }()
	<-heard
	cancel()
	old := n.Addr()
	close(until)
	n.Close()
	if err := <-joined; err == nil {
		t.Fatal("it has joined")
	}
	n.tweak = nil
	n.start()
	if n.Addr() == old {
		t.Fatal("the address is the same")
	}
	if err := n.Join(within(t, 8*time.Second), []string{first.Addr()}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*node{first, n} {
		linked(t, m, replication.All)
		eventually(t, m.name+" knows the new address", func() bool {
			for _, x := range m.Members() {
				if x.Name == "n2" {
					return x.RPCAddr == n.Addr()
				}
			}
			return false
		})
	}
}

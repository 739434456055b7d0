package integration

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// slowPath passes on what comes to one address to another, in both directions, so much later and so fast: TCP, and UDP
// one way (gossip answers to the address that a node tells of, not to where a packet came from).
type slowPath struct {
	delay time.Duration
	rate  int // bytes a second for one direction of one connection, 0: any
	to    string

	mu    sync.Mutex // protects the following fields
	open  []interface{ Close() error }
	ended bool
	wg    sync.WaitGroup
}

// late is what was read at a time.
type late struct {
	due  time.Time
	data []byte
}

// newSlowPath listens on an address, whose port is free at the other address too, and passes on to the other from then.
func newSlowPath(t *testing.T, host, to string, delay time.Duration, rate int) (s *slowPath, port string) {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Skipf("the loopback network has no %s here: %v", host, err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		u, err := net.ListenPacket("udp", net.JoinHostPort(host, port))
		if err != nil {
			l.Close()
			continue
		}
		free, err := net.Listen("tcp", net.JoinHostPort(to, port))
		if err != nil {
			l.Close()
			u.Close()
			continue
		}
		free.Close()
		s = &slowPath{delay: delay, rate: rate, to: net.JoinHostPort(to, port), open: []interface{ Close() error }{l, u}}
		s.wg.Go(func() { s.accept(l) })
		s.wg.Go(func() { s.packets(u) })
		t.Cleanup(s.close)
		return s, port
	}
	t.Fatal("no port is free at two addresses")
	return nil, ""
}

// keep notes what close has to close, and says whether it is not too late.
func (s *slowPath) keep(c interface{ Close() error }) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		c.Close()
		return false
	}
	s.open = append(s.open, c)
	return true
}

func (s *slowPath) close() {
	s.mu.Lock()
	s.ended = true
	for _, c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *slowPath) accept(l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", s.to)
		if err != nil {
			in.Close()
			continue
		}
		if s.keep(in) && s.keep(out) {
			s.wg.Go(func() { s.pass(in, out) })
			s.wg.Go(func() { s.pass(out, in) })
		}
	}
}

// pass copies one direction. A queue bounds what is on the way: 1,024 reads, or a few where the rate is what bounds it.
func (s *slowPath) pass(from, to net.Conn) {
	queue := make(chan late, 1024)
	if s.rate > 0 {
		queue = make(chan late, 4)
	}
	s.wg.Go(func() {
		var last time.Time // when the last piece was through
		for m := range queue {
			if s.rate > 0 {
				m.due = m.due.Add(time.Duration(len(m.data)) * time.Second / time.Duration(s.rate))
				if next := last.Add(time.Duration(len(m.data)) * time.Second / time.Duration(s.rate)); next.After(m.due) {
					m.due = next
				}
				last = m.due
			}
			<-time.After(time.Until(m.due)) // the fault itself
			if _, err := to.Write(m.data); err != nil {
				from.Close()
			}
		}
		to.Close()
	})
	defer close(queue)
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			queue <- late{time.Now().Add(s.delay), b[:n]}
		}
		if err != nil {
			return
		}
	}
}

func (s *slowPath) packets(u net.PacketConn) {
	out, err := net.Dial("udp", s.to)
	if err != nil || !s.keep(out) {
		return
	}
	queue := make(chan late, 1024)
	s.wg.Go(func() {
		for m := range queue {
			<-time.After(time.Until(m.due)) // the fault itself
			_, _ = out.Write(m.data)        // UDP may lose it
		}
	})
	defer close(queue)
	for {
		b := make([]byte, 64<<10)
		n, _, err := u.ReadFrom(b)
		if n > 0 {
			queue <- late{time.Now().Add(s.delay), b[:n]}
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

// slowProcesses starts three nodes that reach each other only by slow paths, under addresses of the loopback network.
func slowProcesses(t *testing.T, network string, delay time.Duration, rate int) []*node {
	t.Helper()
	dir := t.TempDir()
	var nodes []*node
	for i := range 3 {
		name, host := fmt.Sprintf("n%d", i+1), fmt.Sprintf("%s.%d", network, i+1)
		_, rpc := newSlowPath(t, host, "127.0.0.1", delay, rate)
		_, gossip := newSlowPath(t, host, "127.0.0.1", delay, 0)
		n := &node{pg: "127.0.0.1:0", rpc: "127.0.0.1:" + rpc, gossip: "127.0.0.1:" + gossip, health: "127.0.0.1:0",
			args: []string{"--name", name, "--data", filepath.Join(dir, name), "--insecure", "--advertise", host}}
		if i > 0 {
			n.args = append(n.args, "--join", nodes[0].gossip)
		}
		n.boot(t)
		nodes = append(nodes, n)
	}
	return nodes
}

// TestFaultDelay: every packet between nodes takes 200 ms. Writes above none take the round trip and are not refused,
// no link is taken for dead, and the replicas are equal.
func TestFaultDelay(t *testing.T) {
	t.Parallel()
	const delay = 200 * time.Millisecond
	nodes := slowProcesses(t, "127.0.77", delay, 0)
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.timeout = "20s" // no answer may be late because this machine is busy
	l.everywhere(nodes, 1, levels...)
	l.start()
	l.more(at(nil, "quorum"), either(20, 1000))
	l.more(at(nil, "all"), either(6, 300))
	conn := dialNode(t, nodes[0], "write_consistency=quorum")
	began := time.Now()
	exec(t, conn, "INSERT INTO kv VALUES (-2, '')")
	took := time.Since(began)
	if took < 2*delay {
		t.Errorf("a write at quorum took %v: the delay of %v each way is not there", took, delay)
	}
	exec(t, conn, "DELETE FROM kv WHERE k = -2")
	// A busy machine may well be silent for longer than a link bears; the delay alone never is.
	if n := l.code(at(nil, ""), "53000") + l.code(at(nil, ""), "40003"); n > 0 && long {
		t.Errorf("%d writes were refused or not confirmed: %s", n, l)
	}
	rtt := query(t, conn, "SELECT name, round(rtt_ms::numeric), round(clock_offset_ms::numeric) FROM layercake.nodes WHERE NOT is_self ORDER BY name")
	t.Logf("a write at quorum took %v; round trips and clock offsets: %v", took.Round(time.Millisecond), rtt)
	l.settled(nodes...)
}

// TestFaultThrottle: the links between nodes carry 200 kB a second, and one node writes far more at once than they carry
// within the time after which a silent link is cut. A link that is busy is not silent: everything arrives, at that rate.
func TestFaultThrottle(t *testing.T) {
	t.Parallel()
	const rate = 200 << 10
	rows := either(250, 500)
	nodes := slowProcesses(t, "127.0.78", 0, rate)
	loadTables(t, nodes[0])
	conn := dialNode(t, nodes[0], "consistency=none")
	value := strings.Repeat("x", 4<<10)
	// One entry that takes five seconds or ten, then many small ones.
	exec(t, conn, "INSERT INTO kv SELECT g, $1 FROM generate_series(1, $2) g", value, rows)
	for i := range either(1, 10) * rows / 5 {
		exec(t, conn, "INSERT INTO kv VALUES ($1, $2)", rows+1+i, value)
	}
	began := time.Now()
	sizes := peaks(t, nodes...)
	equal(t, nodes...)
	took := time.Since(began)
	memory, _ := sizes()
	if n := strings.Count(nodes[0].out.String(), `"msg":"link lost"`); n > 0 {
		t.Errorf("links were lost %d times", n)
	}
	t.Logf("%d KiB over links of %d KiB/s: equal digests after %v; %d MiB of memory", (rows+either(1, 10)*rows/5)*4, rate>>10, took.Round(time.Millisecond), memory[0]>>20)
	well(t, nodes...)
}

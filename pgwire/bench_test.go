package pgwire_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"layercake/catalog"
	"layercake/pgwire"
)

// constant is a session that answers everything with one row of one int4, as cheaply as can be.
type constant struct{ session }

var (
	oneColumn = []pgwire.Column{intColumn}
	oneRow    = []catalog.Value{catalog.Int(1)}
	output    = &catalog.OutputSettings{}
)

func (*constant) SimpleQuery(_ context.Context, _ string, w pgwire.ResultWriter) error {
	w.Columns(oneColumn)
	w.Row(oneRow)
	return w.Complete("SELECT 1")
}
func (*constant) Parse(context.Context, string, string, []uint32) error { return nil }
func (*constant) Bind(context.Context, string, string, []int16, [][]byte, []int16) error {
	return nil
}
func (*constant) DescribePortal(context.Context, string) ([]pgwire.Column, error) {
	return oneColumn, nil
}
func (*constant) Execute(_ context.Context, _ string, n int, w pgwire.ResultWriter) error {
	for range max(n, 1) {
		w.Row(oneRow)
	}
	return w.Complete("SELECT 1")
}
func (*constant) Sync(context.Context, bool) error { return nil }
func (*constant) Output() *catalog.OutputSettings  { return output }
func (*constant) Close()                           {}

type constantBackend struct{}

func (constantBackend) Verifier(context.Context, string) (string, bool, error) { return "", false, nil }
func (constantBackend) Open(context.Context, pgwire.ConnInfo, map[string]string) (pgwire.Session, error) {
	return &constant{session{status: 'I'}}, nil
}

func serveConstant(b testing.TB) string {
	srv, err := pgwire.New(pgwire.Config{Backend: constantBackend{}, Insecure: true, MaxConnections: 10000})
	if err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go srv.Serve(context.Background(), l)
	b.Cleanup(func() { srv.Close() })
	return l.Addr().String()
}

// roundTrips has clients that send request and read an answer of its length, over and over.
func roundTrips(b *testing.B, clients int, request string, perRequest int) {
	addr := serveConstant(b)
	var conns []*client
	for range clients {
		conns = append(conns, connect(b, addr))
	}
	// The first answer tells how long they are.
	conns[0].raw(request)
	buf := make([]byte, 1<<20)
	length := 0
	for n := 0; n < perRequest; {
		k, err := conns[0].nc.Read(buf[length:])
		if err != nil {
			b.Fatal(err)
		}
		length += k
		n = countReady(b, buf[:length])
	}
	b.ResetTimer()
	b.ReportAllocs()
	var wg sync.WaitGroup
	for i, c := range conns {
		rounds := b.N / clients
		if i < b.N%clients {
			rounds++
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			answer := make([]byte, length)
			r := bufio.NewReaderSize(c.nc, length)
			for range rounds {
				if _, err := io.WriteString(c.nc, request); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(r, answer); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	b.ReportMetric(float64(b.N*perRequest)/b.Elapsed().Seconds(), "queries/s")
}

// countReady counts the ReadyForQuery messages among complete ones.
func countReady(b *testing.B, p []byte) (n int) {
	for len(p) >= 5 {
		length := 1 + int(uint32(p[1])<<24|uint32(p[2])<<16|uint32(p[3])<<8|uint32(p[4]))
		if len(p) < length {
			break
		}
		if p[0] == 'Z' {
			n++
		}
		p = p[length:]
	}
	return n
}

var preparedRequest = message('B', "\x00s\x00\x00\x00\x00\x01\x00\x00\x00\x0242\x00\x01\x00\x01") + message('D', "P\x00") + message('E', "\x00\x00\x00\x00\x00") + message('S', "")

func BenchmarkSimple1(b *testing.B)  { roundTrips(b, 1, message('Q', "select 1\x00"), 1) }
func BenchmarkSimple32(b *testing.B) { roundTrips(b, 32, message('Q', "select 1\x00"), 1) }

// Bind, Describe, Execute, Sync: what drivers send for a prepared statement.
func BenchmarkPrepared32(b *testing.B) { roundTrips(b, 32, preparedRequest, 1) }

// BenchmarkRows measures a DataRow of one value.
func BenchmarkRows(b *testing.B) {
	c := connect(b, serveConstant(b))
	go io.Copy(io.Discard, c.nc)
	b.ReportAllocs()
	b.ResetTimer()
	n := uint32(b.N)
	c.raw(message('B', "\x00\x00\x00\x00\x00\x00\x00\x00") + message('E', "\x00"+string([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})) + message('S', "") + message('X', ""))
	io.Copy(io.Discard, c.nc)
}

// TestIdleMemory holds what a session costs while nothing happens, after it has done something big.
func TestIdleMemory(t *testing.T) {
	const sessions, limit = 200, 60 << 10
	addr := serveConstant(t)
	big := message('Q', "select '"+strings.Repeat("x", 300_000)+"'\x00")
	bound := message('B', "\x00\x00\x00\x00\x00\x01\x00\x04\x93\xe0"+strings.Repeat("x", 300_000)+"\x00\x00") + message('S', "")
	var conns []*client
	measure := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before := measure()
	for range sessions {
		c := connect(t, addr)
		c.raw(big)
		c.until("ReadyForQuery")
		c.raw(bound)
		c.until("ReadyForQuery")
		c.query("select 1") // the next message finds the big one's buffer gone
		c.until("ReadyForQuery")
		c.Frontend = nil
		conns = append(conns, c)
	}
	if each := (int64(measure()) - int64(before)) / sessions; each > limit {
		t.Errorf("an idle session takes %d bytes, want at most %d", each, limit)
	} else {
		t.Logf("an idle session takes %d bytes, the test's client among them", each)
	}
	runtime.KeepAlive(conns)
}

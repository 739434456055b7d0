package integration

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// counted counts what crosses from one data centre to another on a connection.
type counted struct {
	net.Conn
	out, in *atomic.Int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.out.Add(int64(n))
	return n, err
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.in.Add(int64(n))
	return n, err
}

// TestEntriesCrossBetweenDataCentresOnce counts the bytes between two data centres of three nodes. What is written in one
// crosses to the other about once, not once for each node there; also after the one that takes it in is cut off, and
// after it is back.
func TestEntriesCrossBetweenDataCentresOnce(t *testing.T) {
	c := &cluster{t: t, dir: t.TempDir(), net: newNetwork()}
	t.Cleanup(c.close)
	dcs := []string{"dc1", "dc2", "dc1", "dc2", "dc1", "dc2"}
	var crossed [2]atomic.Int64 // into dc1 and into dc2
	c.net.wrap = func(from, to int, conn net.Conn) net.Conn {
		if dcs[from] == dcs[to] {
			return conn
		}
		return &counted{conn, &crossed[to%2], &crossed[from%2]}
	}
	for _, dc := range dcs {
		c.add(dc)
	}
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE big (k int PRIMARY KEY, v bytea)")
	conns := make([]func(string) string, len(dcs))
	for i := range dcs {
		conn := c.conn(i)
		conns[i] = func(sql string) string { return one(t, conn, sql) }
	}

	const rows, size = 64, 32 << 10 // 2 MiB
	next := 0
	// write has a node write the rows, waits until those of nodes have them, and says how many times their bytes
	// crossed into each data centre.
	write := func(node int, level string, nodes ...int) (into [2]float64) {
		t.Helper()
		conn := c.conn(node, "write_consistency="+level)
		before := [2]int64{crossed[0].Load(), crossed[1].Load()}
		v := make([]byte, size)
		for range rows {
			rand.Read(v)
			exec(t, conn, "INSERT INTO big VALUES ($1, $2)", next, v)
			next++
		}
		for _, i := range nodes {
			eventually(t, c.conn(i), fmt.Sprint(next), "SELECT count(*) FROM big")
		}
		for i := range into {
			into[i] = float64(crossed[i].Load()-before[i]) / (rows * size)
		}
		return into
	}
	once := func(what string, into [2]float64, from int) {
		t.Helper()
		t.Logf("%s: %.2f times into dc1, %.2f times into dc2", what, into[0], into[1])
		if got := into[1-from]; got < 1 || got > 1.3 {
			t.Errorf("%s: the bytes written crossed %.2f times, want once", what, got)
		}
		if got := into[from]; got > 0.3 { // acknowledgements
			t.Errorf("%s: %.2f times the bytes written came back", what, got)
		}
	}
	everyone := []int{0, 1, 2, 3, 4, 5}
	// A node that has just joined takes what it lacks and then its part of the work: that is over soon.
	relays := func() string {
		return conns[0](`SELECT coalesce(string_agg(DISTINCT r.peer, ','), '') FROM layercake.replication r JOIN layercake.nodes n ON n.name = r.peer
			WHERE n.dc = 'dc2' AND r.state = 'streaming' AND r.origin LIKE 'n1/%'`)
	}
	settled := func() string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for same, last := 0, ""; ; {
			name := relays()
			if len(name) == 2 && name == last {
				same++
			} else {
				same = 0
			}
			if last = name; same == 25 {
				return name
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("the relays of n1 in dc2 are %q, want one", name)
			}
		}
	}
	relay := settled()
	once("from dc1 at all", write(0, "all", everyone...), 0)
	once("from dc2 at each_quorum", write(1, "each_quorum", everyone...), 1)

	for _, name := range []string{"n1", "n2"} { // the views say where everybody is, and how far
		if got := conns[2]("SELECT dc || (rtt_ms > 0)::text FROM layercake.nodes WHERE name = '" + name + "'"); got != map[string]string{"n1": "dc1true", "n2": "dc2true"}[name] {
			t.Errorf("layercake.nodes of %s: %s", name, got)
		}
	}

	lost := int(relay[1] - '1')
	var rest []int
	for _, i := range everyone {
		if i != lost {
			rest = append(rest, i)
		}
	}
	c.net.split([]int{lost}, rest)
	began := time.Now()
	into := write(0, "each_quorum", rest...)
	t.Logf("with %s cut off, 2 MiB reach the rest within %v", relay, time.Since(began).Round(time.Millisecond))
	once("without "+relay, into, 0)

	c.net.heal()
	c.settle()
	c.verify()
	if back := settled(); back != relay {
		t.Errorf("%s takes n1's entries into dc2, want %s again", back, relay)
	}
	once("with "+relay+" back", write(0, "all", everyone...), 0)
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// mover is a client that writes and reads at quorum through one node, and goes on with another when it loses its
// connection. It repeats the statement that it got no answer to, and takes no other error.
type mover struct {
	t     *testing.T
	id    int
	urls  []*atomic.Pointer[string] // of the nodes; they change with the nodes' addresses
	at    int
	conn  *pgx.Conn
	acked int // writes, all of whose keys from 0 on are there
	moves int
	slow  time.Duration // the longest that a statement took, its repetitions included
	count atomic.Int64
}

func (m *mover) run(ctx context.Context) {
	defer func() {
		if m.conn != nil {
			_ = m.conn.Close(context.Background())
		}
	}()
	for ctx.Err() == nil {
		key := int64(m.id)<<32 | int64(m.acked)
		began := time.Now()
		// A statement without an answer may have been executed.
		if !m.try(func(ctx context.Context) error {
			const insert = "INSERT INTO kept VALUES ($1, $2) ON CONFLICT DO NOTHING"
			if m.acked%8 != 0 {
				_, err := m.conn.Exec(ctx, insert, key, m.id)
				return err
			}
			return pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, insert, key, m.id); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "INSERT INTO often VALUES ($1) ON CONFLICT DO NOTHING", key)
				return err
			})
		}) {
			return
		}
		m.acked++
		m.count.Add(1)
		var n int
		if !m.try(func(ctx context.Context) error {
			return m.conn.QueryRow(ctx, "SELECT count(*) FROM kept WHERE k = $1", key).Scan(&n)
		}) {
			return
		}
		if n != 1 {
			m.t.Errorf("client %d does not see its own row %d, acknowledged at quorum", m.id, key)
			return
		}
		m.slow = max(m.slow, time.Since(began))
	}
}

// try runs a statement until it has an answer, and says whether that is a good one.
func (m *mover) try(statement func(context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if m.conn == nil || m.conn.IsClosed() {
			if err := m.connect(ctx); err != nil {
				m.t.Errorf("client %d finds no node: %v", m.id, err)
				return false
			}
		}
		err := statement(ctx)
		if err == nil {
			return true
		}
		var e *pgconn.PgError
		if ctx.Err() != nil || errors.As(err, &e) && e.Code != "57P01" {
			m.t.Errorf("client %d on node %d: %v", m.id, m.at%len(m.urls)+1, err)
			return false
		}
		_ = m.conn.Close(ctx)
		m.at++
		m.moves++
	}
}

func (m *mover) connect(ctx context.Context) (err error) {
	for ctx.Err() == nil {
		if m.conn, err = pgx.Connect(ctx, *m.urls[m.at%len(m.urls)].Load()+"&consistency=quorum"); err == nil {
			return nil
		}
		if m.at++; m.at%len(m.urls) == 0 {
			pause(ctx)
		}
	}
	return err
}

// TestRollingRestart restarts every node in turn under load, each as soon as the one before is ready: once as they were,
// once with other addresses. Clients at quorum that go to another node when they lose their connection get no error.
func TestRollingRestart(t *testing.T) {
	nodes := processes(t, 3)
	conn := dialNode(t, nodes[0], "consistency=all")
	eventually(t, conn, "3", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
	exec(t, conn, "CREATE TABLE kept (k bigint PRIMARY KEY, client int)")
	exec(t, conn, "CREATE TABLE often (k bigint PRIMARY KEY)")
	urls := make([]*atomic.Pointer[string], len(nodes))
	tell := func(i int) {
		url := nodes[i].url()
		urls[i].Store(&url)
	}
	for i := range nodes {
		urls[i] = &atomic.Pointer[string]{}
		tell(i)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	var clients []*mover
	for i := range 6 {
		m := &mover{t: t, id: i + 1, urls: urls, at: i}
		clients = append(clients, m)
		wg.Go(func() { m.run(ctx) })
	}
	writes := func() (n int64) {
		for _, m := range clients {
			n += m.count.Load()
		}
		return n
	}
	more := func(n int64) {
		t.Helper()
		want := writes() + n
		until(t, "the clients go on", func() error {
			if have := writes(); have < want && !t.Failed() {
				return fmt.Errorf("%d writes of %d", have, want)
			}
			return nil
		})
	}
	more(100)
	for round := range either(2, 10) {
		for i, n := range nodes {
			if code, took := n.stop(syscall.SIGTERM); code != 0 || took > 5*time.Second {
				t.Errorf("%s ended after %v with exit code %d:\n%s", n.name(), took, code, n.out)
			}
			if round%2 == 1 {
				n.pg, n.rpc, n.gossip, n.health = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
			}
			n.boot(t)
			tell(i)
			if t.Failed() {
				for _, n := range nodes {
					t.Logf("%s:\n%s", n.name(), n.out)
				}
				t.Fatalf("round %d, after the restart of %s", round+1, n.name())
			}
			if round%2 == 1 { // somebody must know where it is now before the next one moves
				one := dialNode(t, n, "consistency=none")
				eventually(t, one, "3", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
				one.Close(ctx)
			}
		}
		more(100)
	}
	cancel()
	wg.Wait()
	moves, slow := 0, time.Duration(0)
	for _, m := range clients {
		moves += m.moves
		slow = max(slow, m.slow)
	}
	equal(t, nodes...)
	for _, n := range nodes {
		conn := dialNode(t, n, "consistency=quorum")
		for _, m := range clients {
			wantOne(t, conn, fmt.Sprint(m.acked), fmt.Sprintf("SELECT count(*) FROM kept WHERE client = %d AND k & 4294967295 < %d", m.id, m.acked))
		}
		wantOne(t, conn, "0", "SELECT count(*) FROM often LEFT JOIN kept USING (k) WHERE kept.k IS NULL")
	}
	if moves < 2*len(nodes) {
		t.Errorf("the clients have moved only %d times", moves)
	}
	t.Logf("%d writes acknowledged and read back, %d moves of clients, at most %v for a write and its reading", writes(), moves, slow.Round(time.Millisecond))
}

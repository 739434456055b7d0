// Package integration runs clusters of real nodes: in one process with links that can be cut, as processes that can be
// killed, and as containers; with real PostgreSQL clients.
package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"layercake/server"
)

// wait bounds everything that a test waits for.
const wait = 30 * time.Second

// network is the set of links between the nodes of a cluster in this process. Gossip is not cut with them: it decides
// nothing.
type network struct {
	mu    sync.Mutex // protects following fields
	nodes map[string]int
	cut   map[[2]int]bool
	conns map[net.Conn][2]int
	wrap  func(from, to int, c net.Conn) net.Conn // what nodes get of a connection between them, when set
}

func newNetwork() *network {
	return &network{nodes: map[string]int{}, cut: map[[2]int]bool{}, conns: map[net.Conn][2]int{}}
}

func link(a, b int) [2]int { return [2]int{min(a, b), max(a, b)} }

// dial is what node from dials with.
func (nw *network) dial(from int) server.DialFunc {
	return func(ctx context.Context, addr string) (net.Conn, error) {
		nw.mu.Lock()
		to, known := nw.nodes[addr]
		refused := known && nw.cut[link(from, to)]
		nw.mu.Unlock()
		if refused {
			return nil, errors.New("the link is cut")
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		nw.mu.Lock()
		defer nw.mu.Unlock()
		if known && nw.cut[link(from, to)] {
			return nil, errors.Join(errors.New("the link is cut"), c.Close())
		}
		if known && nw.wrap != nil {
			c = nw.wrap(from, to, c)
		}
		if known {
			nw.conns[c] = link(from, to)
		}
		return c, nil
	}
}

func (nw *network) split(groups ...[]int) {
	nw.mu.Lock()
	defer nw.mu.Unlock()
	for i, g := range groups {
		for _, h := range groups[i+1:] {
			for _, a := range g {
				for _, b := range h {
					nw.cut[link(a, b)] = true
				}
			}
		}
	}
	for c, l := range nw.conns {
		if nw.cut[l] {
			c.Close()
			delete(nw.conns, c)
		}
	}
}

func (nw *network) heal() {
	nw.mu.Lock()
	defer nw.mu.Unlock()
	clear(nw.cut)
}

// cluster is a cluster of nodes in this process.
type cluster struct {
	t     *testing.T
	dir   string
	net   *network
	nodes []*server.Node // nil: stopped
	cfgs  []server.Config

	password string // of the superuser; "" for a cluster that lets everybody in
	limit    int    // bytes of one transaction; 0 is the default
	http     bool   // nodes serve HTTP
}

// dcs gives each node's data centre; its length is the number of nodes.
func start(t *testing.T, dcs ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), net: newNetwork()}
	t.Cleanup(c.close)
	for _, dc := range dcs {
		c.add(dc)
	}
	return c
}

// settle waits until the running nodes see each other, but for cut links: a node is ready once it reaches a quorum, and
// its other links come up a little later.
func (c *cluster) settle() {
	c.t.Helper()
	for i, n := range c.nodes {
		if n == nil {
			continue
		}
		seen := []string{"''"}
		for j, m := range c.nodes {
			c.net.mu.Lock()
			cut := c.net.cut[link(i, j)]
			c.net.mu.Unlock()
			if m != nil && !cut {
				seen = append(seen, "'"+c.cfgs[j].Name+"'")
			}
		}
		conn := c.conn(i)
		eventually(c.t, conn, fmt.Sprint(len(seen)-1),
			"SELECT count(*) FROM layercake.nodes WHERE state = 'alive' AND name IN ("+strings.Join(seen, ", ")+")")
		if err := conn.Close(context.Background()); err != nil {
			c.t.Error(err)
		}
	}
}

func three(t *testing.T) *cluster { return start(t, "dc1", "dc1", "dc2") }

func (c *cluster) logger() *slog.Logger {
	w := io.Discard
	if testing.Verbose() && os.Getenv("LAYERCAKE_TEST_LOG") != "" {
		w = os.Stderr
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// add starts one more node, which joins through the first.
func (c *cluster) add(dc string) int {
	c.t.Helper()
	i := len(c.nodes)
	cfg := server.Config{Name: fmt.Sprintf("n%d", i+1), DC: dc, Dir: filepath.Join(c.dir, fmt.Sprintf("n%d", i+1)),
		PGAddr: "127.0.0.1:0", RPCAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0", Insecure: c.password == "", Password: c.password, FastGossip: true,
		MaxTransaction: c.limit, Logger: c.logger(), Dial: c.net.dial(i)}
	if c.http {
		cfg.HTTPAddr = "127.0.0.1:0"
	}
	for j := range c.nodes {
		if c.nodes[j] != nil {
			cfg.Join = append(cfg.Join, c.nodes[j].GossipAddr())
			break
		}
	}
	c.nodes, c.cfgs = append(c.nodes, nil), append(c.cfgs, cfg)
	c.boot(i)
	return i
}

func (c *cluster) boot(i int) {
	c.t.Helper()
	c.bootOnly(i)
	c.settle()
}

// bootOnly starts a node that may not serve yet.
func (c *cluster) bootOnly(i int) {
	c.t.Helper()
	n, err := server.New(c.cfgs[i])
	if err != nil {
		c.t.Fatalf("node %d: %v", i+1, err)
	}
	c.net.mu.Lock()
	c.net.nodes[n.RPCAddr()] = i
	c.net.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		c.t.Fatalf("node %d: %v", i+1, errors.Join(err, n.Close(ctx)))
	}
	c.nodes[i] = n
	// The same addresses after a restart.
	c.cfgs[i].PGAddr, c.cfgs[i].RPCAddr, c.cfgs[i].GossipAddr = n.PGAddr(), n.RPCAddr(), n.GossipAddr()
}

func (c *cluster) stop(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := c.nodes[i].Close(ctx); err != nil {
		c.t.Errorf("stop node %d: %v", i+1, err)
	}
	c.nodes[i] = nil
}

func (c *cluster) close() {
	for i := len(c.nodes) - 1; i >= 0; i-- {
		if c.nodes[i] != nil {
			c.stop(i)
		}
	}
}

func (c *cluster) url(i int) string {
	return "postgres://postgres@" + c.nodes[i].PGAddr() + "/postgres?sslmode=disable"
}

// conn opens a session on a node, with settings such as "consistency=quorum".
func (c *cluster) conn(i int, settings ...string) *pgx.Conn {
	c.t.Helper()
	return c.connAs(i, "postgres", settings...)
}

// connAs is conn for another user.
func (c *cluster) connAs(i int, user string, settings ...string) *pgx.Conn {
	c.t.Helper()
	cfg, err := pgx.ParseConfig(c.url(i))
	if err != nil {
		c.t.Fatal(err)
	}
	cfg.User = user
	if user == "postgres" {
		cfg.Password = c.password
	}
	for _, s := range settings {
		for j := range s {
			if s[j] == '=' {
				cfg.RuntimeParams[s[:j]] = s[j+1:]
				break
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		c.t.Fatalf("connect to node %d: %v", i+1, err)
	}
	c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// exec runs a statement that must succeed.
func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) pgconn.CommandTag {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	tag, err := conn.Exec(ctx, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return tag
}

// fails runs a statement that must fail with a SQLSTATE, and returns the error.
func fails(t *testing.T, conn *pgx.Conn, code, sql string, args ...any) *pgconn.PgError {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	_, err := conn.Exec(ctx, sql, args...)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%s: got %v, want SQLSTATE %s", sql, err, code)
	}
	return e
}

// query returns a statement's rows as text.
func query(t *testing.T, conn *pgx.Conn, sql string, args ...any) [][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	out, err := tryQuery(ctx, conn, sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func tryQuery(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([][]string, error) {
	args = append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for rows.Next() {
		var row []string
		for _, v := range rows.RawValues() {
			if v == nil {
				row = append(row, "NULL")
			} else {
				row = append(row, string(v))
			}
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// one returns the only value of the only row.
func one(t *testing.T, conn *pgx.Conn, sql string, args ...any) string {
	t.Helper()
	rows := query(t, conn, sql, args...)
	if len(rows) != 1 || len(rows[0]) != 1 {
		t.Fatalf("%s: got %d rows %v, want one value", sql, len(rows), rows)
	}
	return rows[0][0]
}

// eventually asks until a statement gives the value wanted.
func eventually(t *testing.T, conn *pgx.Conn, want, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var last any
	for {
		rows, err := tryQuery(ctx, conn, sql, args...)
		last = rows
		if err != nil {
			last = err
		} else if len(rows) == 1 && len(rows[0]) == 1 && rows[0][0] == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: got %v, want %s", sql, last, want)
		}
	}
}

// verify waits until all members answer with equal digests for every relation.
func (c *cluster) verify() {
	c.t.Helper()
	i := 0
	for c.nodes[i] == nil {
		i++
	}
	conn := c.conn(i)
	const differing = `SELECT count(*) FROM (SELECT relation FROM layercake.digests GROUP BY relation
		HAVING count(DISTINCT digest) > 1 OR count(DISTINCT rows) > 1 OR relation = '' OR count(*) <> (SELECT count(*) FROM layercake.nodes)) d`
	eventually(c.t, conn, "0", differing)
}

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// node is a layercake process.
type node struct {
	name, dir          string
	pg, rpc, gossip    string
	args               []string
	cmd                *exec.Cmd
	spawned, answering time.Time
}

// nodes are a cluster of n processes, with their folders.
type nodes []*node

func (r *run) cluster(n int) (nodes, error) {
	dir, err := os.MkdirTemp(r.dir, "cluster-")
	if err != nil {
		return nil, err
	}
	var c nodes
	for i := range n {
		var ports [3]string
		for j := range ports {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			ports[j] = l.Addr().String()
			defer l.Close()
		}
		name := fmt.Sprintf("n%d", i+1)
		d := &node{name: name, dir: filepath.Join(dir, name), pg: ports[0], rpc: ports[1], gossip: ports[2]}
		if i > 0 {
			d.args = []string{"--join", c[0].gossip}
		}
		c = append(c, d)
	}
	return c, nil
}

// boot starts a node and waits for the first answer to a query.
func (r *run) boot(n *node) error {
	args := append([]string{"start", "--name", n.name, "--data", n.dir, "--pg-addr", n.pg, "--rpc-addr", n.rpc, "--gossip-addr", n.gossip,
		"--http-addr", "none", "--insecure", "--log-level", "error"}, n.args...)
	n.cmd = exec.Command(r.bin, args...)
	n.cmd.Stderr = os.Stderr
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	n.spawned = time.Now()
	if err := n.cmd.Start(); err != nil {
		return err
	}
	return r.poll(n.name+" answers", func() (bool, error) {
		conn, err := pgx.Connect(r.ctx, n.url(""))
		if err != nil {
			return false, nil
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(r.ctx, "SELECT 1")
		n.answering = time.Now()
		return err == nil, nil
	})
}

func (r *run) bootAll(c nodes) error {
	for _, n := range c {
		if err := r.boot(n); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) url(settings string) string {
	u := "postgres://postgres@" + n.pg + "/postgres?sslmode=disable"
	if settings != "" {
		u += "&" + settings
	}
	return u
}

// stop ends a node; a node that was not started is left alone.
func (n *node) stop() error {
	if n.cmd == nil || n.cmd.Process == nil {
		return nil
	}
	err := n.cmd.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, n.cmd.Wait())
	n.cmd = nil
	return err
}

// end stops a cluster and deletes its folders.
func (c nodes) end() error {
	var errs []error
	for _, n := range c {
		errs = append(errs, n.stop(), os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}

func (r *run) connect(n *node, settings string) (*pgx.Conn, error) {
	return pgx.Connect(r.ctx, n.url(settings))
}

// poll asks until the answer is yes.
func (r *run) poll(what string, ask func() (bool, error)) error {
	for end := time.Now().Add(10 * time.Minute); ; {
		ok, err := ask()
		if ok || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within ten minutes", what)
		}
		select {
		case <-time.After(2 * time.Millisecond):
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// count is what a query gives, a number.
func (r *run) count(conn *pgx.Conn, sql string, args ...any) (n int64, err error) {
	err = conn.QueryRow(r.ctx, sql, args...).Scan(&n)
	return n, err
}

// rowsOf makes rows of COPY's text format: a number and 100 random letters, until limit bytes or count rows are made.
type rowsOf struct {
	next, count int
	limit       int
	made        int
	buf         bytes.Buffer
	random      *rand.ChaCha8
}

const rowBytes = 100

func (g *rowsOf) Read(p []byte) (int, error) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
	if g.random == nil {
		g.random = rand.NewChaCha8([32]byte{1})
	}
	for g.buf.Len() < len(p) && g.count > 0 && (g.limit == 0 || g.made < g.limit) {
		from := g.buf.Len()
		g.buf.WriteString(strconv.Itoa(g.next))
		g.buf.WriteByte('\t')
		var row [rowBytes]byte
		g.random.Read(row[:])
		for i := range row {
			row[i] = letters[row[i]%64]
		}
		g.buf.Write(row[:])
		g.buf.WriteByte('\n')
		g.made += g.buf.Len() - from
		g.next++
		g.count--
	}
	if g.buf.Len() == 0 {
		return 0, io.EOF
	}
	return g.buf.Read(p)
}

// load copies rows into a table t, in transactions of each rows.
func (r *run) load(conn *pgx.Conn, table string, from, rows, each int) error {
	for rows > 0 {
		n := min(rows, each)
		if _, err := conn.PgConn().CopyFrom(r.ctx, &rowsOf{next: from, count: n}, "COPY "+table+" FROM STDIN"); err != nil {
			return err
		}
		from, rows = from+n, rows-n
	}
	return nil
}

// sent is how many bytes the nodes have sent to each other over TCP connections of replication that are still open.
func (r *run) sent(c nodes) (int64, error) {
	out, err := exec.CommandContext(r.ctx, "ss", "-tnipH", "state", "established").Output()
	if err != nil {
		return 0, fmt.Errorf("ss (of iproute2): %w", err)
	}
	var sum int64
	lines := bytes.Split(out, []byte("\n"))
	for i, l := range lines {
		for _, n := range c {
			if i+1 < len(lines) && bytes.Contains(l, []byte(n.rpc+" ")) {
				if m := bytesSent.FindSubmatch(lines[i+1]); m != nil {
					k, err := strconv.ParseInt(string(m[1]), 10, 64)
					if err != nil {
						return 0, err
					}
					sum += k
				}
				break
			}
		}
	}
	return sum, nil
}

var bytesSent = regexp.MustCompile(`bytes_sent:([0-9]+)`)

// size is that of a node's file in bytes, 0 if there is none.
func (n *node) size(name string) int64 {
	st, err := os.Stat(filepath.Join(n.dir, name))
	if err != nil {
		return 0
	}
	return st.Size()
}

// status is a figure of the process's memory in MiB, as the kernel names it: VmHWM is the most that it has held.
func (n *node) status(name string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(fields[0], 10, 64)
	return kb >> 10
}

// client is a connection that loads.
type client struct {
	run *run
	*pgx.Conn
}

func (c *client) load(table string, from, rows, each int) error {
	return c.run.load(c.Conn, table, from, rows, each)
}

// reaches waits until a node has what this connection has seen.
func (c *client) reaches(n *node) error {
	var token string
	if err := c.QueryRow(c.run.ctx, "SELECT layercake.session_token()").Scan(&token); err != nil {
		return err
	}
	there, err := c.run.connect(n, "consistency_timeout=5min")
	if err != nil {
		return err
	}
	defer there.Close(context.Background())
	_, err = there.Exec(c.run.ctx, "SELECT layercake.wait_for($1)", token)
	return err
}

// free is how many bytes of a node's database are pages that nothing is on: the header has their number
// (https://www.sqlite.org/fileformat.html, 1.3). What is in the WAL is not seen.
func (n *node) free() (int64, error) {
	f, err := os.Open(filepath.Join(n.dir, "layercake.db"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var head [100]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return 0, err
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 1 << 16
	}
	return page * int64(binary.BigEndian.Uint32(head[36:])), nil
}

// Package nodes starts layercake processes to be measured, and makes rows for them.
package nodes

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Host is where processes run: what they are started from, and where their folders go.
type Host struct {
	Ctx context.Context
	Bin string
	Dir string
	// Profiled nodes have an HTTP address, where Go's profiler answers; it looks at one allocation in 64 KiB, not in 512.
	Profiled bool
}

// Open makes the folder for the data, in parent, and compiles the program unless it is there already. Close removes the
// folder.
func (h *Host) Open(parent, name string) (err error) {
	if h.Dir, err = os.MkdirTemp(parent, "layercake-"+name+"-"); err != nil || h.Bin != "" {
		return err
	}
	h.Bin = filepath.Join(h.Dir, "layercake")
	if out, err := exec.CommandContext(h.Ctx, "go", "build", "-o", h.Bin, "layercake/cmd/layercake").CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("build: %w\n%s", err, out), h.Close())
	}
	return nil
}

// Close removes the folder. Nodes must be stopped before.
func (h *Host) Close() error { return os.RemoveAll(h.Dir) }

// Node is a layercake process.
type Node struct {
	Name, Dir          string
	PG, RPC, Gossip    string
	HTTP               string // none when empty
	Args               []string
	Cmd                *exec.Cmd
	Spawned, Answering time.Time
}

// Cluster is processes that know each other, with their folders.
type Cluster []*Node

// Cluster makes n nodes that are not started yet.
func (h *Host) Cluster(n int) (Cluster, error) {
	dir, err := os.MkdirTemp(h.Dir, "cluster-")
	if err != nil {
		return nil, err
	}
	var c Cluster
	for i := range n {
		var ports [4]string
		for j := range ports {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			ports[j] = l.Addr().String()
			defer l.Close()
		}
		name := fmt.Sprintf("n%d", i+1)
		d := &Node{Name: name, Dir: filepath.Join(dir, name), PG: ports[0], RPC: ports[1], Gossip: ports[2]}
		if h.Profiled {
			d.HTTP = ports[3]
		}
		if i > 0 {
			d.Args = []string{"--join", c[0].Gossip}
		}
		c = append(c, d)
	}
	return c, nil
}

// Boot starts a node and waits for the first answer to a query.
func (h *Host) Boot(n *Node) error {
	args := append([]string{"start", "--name", n.Name, "--data", n.Dir, "--pg-addr", n.PG, "--rpc-addr", n.RPC, "--gossip-addr", n.Gossip,
		"--http-addr", cmp.Or(n.HTTP, "none"), "--insecure", "--log-level", "error"}, n.Args...)
	n.Cmd = exec.Command(h.Bin, args...)
	n.Cmd.Stderr = os.Stderr
	if h.Profiled {
		n.Cmd.Env = append(os.Environ(), "GODEBUG=memprofilerate=65536")
	}
	n.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	n.Spawned = time.Now()
	if err := n.Cmd.Start(); err != nil {
		return err
	}
	return h.Poll(n.Name+" answers", func() (bool, error) {
		conn, err := pgx.Connect(h.Ctx, n.URL(""))
		if err != nil {
			return false, nil
		}
		defer conn.Close(context.Background())
		_, err = conn.Exec(h.Ctx, "SELECT 1")
		n.Answering = time.Now()
		return err == nil, nil
	})
}

// BootAll starts a cluster, one node after the other.
func (h *Host) BootAll(c Cluster) error {
	for _, n := range c {
		if err := h.Boot(n); err != nil {
			return err
		}
	}
	return nil
}

// URL is where the node answers, with settings of the session.
func (n *Node) URL(settings string) string {
	u := "postgres://postgres@" + n.PG + "/postgres?sslmode=disable"
	if settings != "" {
		u += "&" + settings
	}
	return u
}

// Stop ends a node; a node that was not started is left alone.
func (n *Node) Stop() error {
	if n.Cmd == nil || n.Cmd.Process == nil {
		return nil
	}
	err := n.Cmd.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, n.Cmd.Wait())
	n.Cmd = nil
	return err
}

// End stops a cluster and deletes its folders.
func (c Cluster) End() error {
	var errs []error
	for _, n := range c {
		errs = append(errs, n.Stop(), os.RemoveAll(n.Dir))
	}
	return errors.Join(errs...)
}

// Connect opens a session on a node.
func (h *Host) Connect(n *Node, settings string) (*pgx.Conn, error) {
	return pgx.Connect(h.Ctx, n.URL(settings))
}

// Poll asks until the answer is yes.
func (h *Host) Poll(what string, ask func() (bool, error)) error {
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
		case <-h.Ctx.Done():
			return context.Cause(h.Ctx)
		}
	}
}

// Size is that of a node's file in bytes, 0 if there is none.
func (n *Node) Size(name string) int64 {
	st, err := os.Stat(filepath.Join(n.Dir, name))
	if err != nil {
		return 0
	}
	return st.Size()
}

// Status is a figure of the process's memory in MiB, as the kernel names it: VmHWM is the most that it has held.
func (n *Node) Status(name string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Cmd.Process.Pid))
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

// Processor is the processor time that the nodes' processes have taken so far.
func (c Cluster) Processor() (time.Duration, error) {
	var sum time.Duration
	for _, n := range c {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.Cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		// The name, in parentheses, may hold anything; utime and stime are the 14th and 15th field (proc(5)).
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		if len(fields) < 13 {
			return 0, fmt.Errorf("%s has no times", n.Name)
		}
		for _, f := range fields[11:13] {
			ticks, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(ticks) * time.Second / 100
		}
	}
	return sum, nil
}

// Free is how many bytes of a node's database are pages that nothing is on: the header has their number
// (https://www.sqlite.org/fileformat.html, 1.3). What is in the WAL is not seen.
func (n *Node) Free() (int64, error) {
	f, err := os.Open(filepath.Join(n.Dir, "layercake.db"))
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

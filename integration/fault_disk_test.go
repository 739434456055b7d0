package integration

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"layercake/pgsql"
	"layercake/sqlstore"
)

// smallDisk mounts a file system of so many bytes, or skips the test where that can't be.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own (tmpfs) needs root")
	}
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := osexec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a disk of its own (tmpfs) can't be mounted: %v: %s", err, bytes.TrimSpace(out))
	}
	t.Cleanup(func() {
		if out, err := osexec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestFaultDiskFull fills the disk of one node under load. It says 53100 and goes on reading, the others go on writing,
// a start with a full disk is refused or works, and when there is room again it takes writes and has everything.
func TestFaultDiskFull(t *testing.T) {
	t.Parallel()
	layercake(t)
	disk := smallDisk(t, either(48, 128)<<20)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, either(24, 48)<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var nodes []*node
	for i, folder := range []string{filepath.Join(dir, "n1"), filepath.Join(dir, "n2"), filepath.Join(disk, "n3")} {
		n := &node{args: []string{"--name", fmt.Sprintf("n%d", i+1), "--data", folder, "--insecure"}}
		if i > 0 {
			n.args = append(n.args, "--join", nodes[0].gossip)
		}
		n.boot(t)
		nodes = append(nodes, n)
	}
	full := nodes[2]
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.everywhere(nodes, 1, levels...)
	l.value(strings.Repeat("x", 8000))
	l.start()
	l.codes(at(full, ""), "53100", 1)
	l.value("x") // what the others write from now on must find room in the ballast's place
	l.codes(at(full, ""), "53100", 10)
	// Reads go on here, at the levels that need nobody's write to arrive, and writes elsewhere.
	reader := dialNode(t, full, "consistency=none")
	for range 100 {
		if one(t, reader, "SELECT count(*) > 0 FROM kv") != "t" {
			t.Error("nothing can be read on the full disk")
		}
	}
	l.more(at(nil, "quorum"), 20)
	if e := fails(t, reader, "53100", "INSERT INTO kv VALUES (-2, $1)", strings.Repeat("x", 1<<20)); !strings.Contains(e.Message, "space") {
		t.Errorf("the message does not say what is wrong: %q", e.Message)
	}

	// Killed with a full disk: it may start or say why it does not; nothing is lost either way.
	sigkill(full)
	full.spawn(t)
	select {
	case <-full.done:
		if out := full.out.String(); !strings.Contains(out, "space") && !strings.Contains(out, "full") {
			t.Errorf("a start on a full disk does not say what is wrong:\n%s", out)
		}
		t.Log("with a full disk it does not start, and says so")
	case <-full.saidReady(t):
		t.Log("with a full disk it starts")
		full.kill()
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	full.boot(t)
	l.more(at(nil, "all"), 5)
	l.more(at(full, ""), 20)
	l.settled(nodes...)
}

// saidReady is closed when the node has said that it is ready.
func (n *node) saidReady(t *testing.T) <-chan struct{} {
	ready := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	p := n.process
	go func() {
		for ctx.Err() == nil {
			p.out.mu.Lock()
			said, changed := bytes.Contains(p.out.buf.Bytes(), []byte(`"msg":"ready"`)), p.out.changed
			p.out.mu.Unlock()
			if said {
				close(ready)
				return
			}
			select {
			case <-changed:
			case <-p.done:
				return
			case <-ctx.Done():
			}
		}
	}()
	return ready
}

// TestFaultFsync makes the fsyncs of one node fail, by strace, under load. What is on disk is then unknown: the process
// must end at once and answer nobody, and when it is started again it has all that was acknowledged.
func TestFaultFsync(t *testing.T) {
	t.Parallel()
	if _, err := osexec.LookPath("strace"); err != nil {
		t.Skipf("fsync errors need strace: %v", err)
	}
	nodes := processes(t, 3)
	bad := nodes[2]
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.everywhere(nodes, 1, levels...)
	for round := range either(2, 10) {
		l.start()
		l.more(at(nil, ""), 100)
		l.more(at(nil, "all"), 5)
		// The first ones go through: the error meets commits and checkpoints at whatever they are about.
		inject := fmt.Sprintf("inject=fdatasync,fsync:error=EIO:when=%d+", 1+7*round)
		trace := osexec.Command("strace", "-f", "-q", "-p", fmt.Sprint(bad.cmd.Process.Pid), "-e", "trace=fdatasync,fsync", "-e", inject, "-o", "/dev/null")
		var said bytes.Buffer
		trace.Stderr = &said
		if err := trace.Start(); err != nil {
			t.Fatal(err)
		}
		traced := make(chan error, 1)
		go func() { traced <- trace.Wait() }()
		select {
		case <-bad.done:
			<-traced
		case err := <-traced:
			select {
			case <-bad.done:
			case <-time.After(5 * time.Second): // strace has ended, and not because the process has
				t.Skipf("strace can't be used: %v: %s", err, said.String())
			}
		case <-time.After(patience):
			_ = trace.Process.Signal(syscall.SIGTERM)
			<-traced
			t.Fatalf("the process goes on though its fsyncs fail: %s\n%s", l, bad.out)
		}
		if code := bad.cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(bad.out.String(), "fsync failed") {
			t.Errorf("it ended with code %d:\n%s", code, bad.out)
		}
		l.more(at(nil, "quorum"), 20)
		reboot(t, bad)
		l.settled(nodes...)
	}
}

// damage changes a file of a node that is stopped, and leaves a copy.
func damage(t *testing.T, n *node, change func(f *os.File, size int64) error) (restore func()) {
	t.Helper()
	path := filepath.Join(n.folder(), "layercake.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(f, int64(len(b))), f.Close()); err != nil {
		t.Fatal(err)
	}
	return func() {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaultDamage truncates and flips bits in the database file of a stopped node. The node refuses to start, or a
// statement fails, and the message names the file; or the answers are those from before; or the check of every row
// against its keyspace's digest says what differs. An answer is never wrong without anything that tells.
func TestFaultDamage(t *testing.T) {
	t.Parallel()
	n := &node{args: []string{"--name", "n1", "--data", filepath.Join(t.TempDir(), "n1"), "--insecure"}}
	n.boot(t)
	conn := dialNode(t, n, "")
	exec(t, conn, "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	exec(t, conn, "CREATE INDEX ON kv (v)")
	exec(t, conn, "INSERT INTO kv SELECT i, md5(i::text) || repeat('y', 60) FROM generate_series(1, 3000) i")
	exec(t, conn, "INSERT INTO kv VALUES (0, '')") // the last entry of the log is read at the start: not the one with the rows
	answers := func(conn *pgx.Conn) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		var all []string
		for _, sql := range []string{"SELECT count(*), sum(k), md5(string_agg(v, ',' ORDER BY k)) FROM kv",
			"SELECT count(*) FROM kv WHERE v > '8'", "SELECT v FROM kv WHERE k = 1234", "SELECT name FROM layercake.nodes"} {
			rows, err := tryQuery(ctx, conn, sql)
			if err != nil {
				return "", err
			}
			all = append(all, fmt.Sprint(rows))
		}
		return strings.Join(all, " "), nil
	}
	want, err := answers(conn)
	if err != nil {
		t.Fatal(err)
	}
	if code, _ := n.stop(syscall.SIGTERM); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, n.out)
	}
	path := filepath.Join(n.folder(), "layercake.db")
	outcomes := map[string]int{}
	// tell starts the damaged node and says what came of it.
	tell := func(what string) string {
		n.spawn(t)
		select {
		case <-n.done:
			if out := n.out.String(); !strings.Contains(out, path) || strings.Contains(out, "goroutine ") || n.cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("%s: it does not start, code %d, and does not name the file:\n%s", what, n.cmd.ProcessState.ExitCode(), out)
			}
			return "refused to start"
		case <-n.saidReady(t):
		}
		defer n.kill()
		got, err := answers(dialNode(t, n, ""))
		switch {
		case err != nil:
			if sqlstate(err) != "XX001" && sqlstate(err) != "58030" || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v, want XX001 that names the file", what, err)
			}
			return "error"
		case got == want:
			return "nothing read was damaged"
		}
		n.kill()
		if err := scan(t, n.folder()); err == nil {
			t.Errorf("%s: wrong answers, and the scan of all rows finds nothing: %s", what, got)
		}
		return "found by a scan"
	}
	for _, keep := range either([]int64{0, 5000, -4096}, []int64{0, 1, 50, 512, 4096, 5000, -1, -4096, -20 * 4096}) {
		restore := damage(t, n, func(f *os.File, size int64) error {
			if keep < 0 {
				return f.Truncate(size + keep)
			}
			return f.Truncate(keep)
		})
		what := fmt.Sprintf("cut to %d bytes (below 0: by)", keep)
		// A single byte less is as a byte that changed.
		if out := tell(what); out != "refused to start" && keep != -1 {
			t.Errorf("%s: %s, want that it is refused", what, out)
		}
		restore()
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range either(4, 200) {
		var at int64
		restore := damage(t, n, func(f *os.File, size int64) error {
			at = rnd.Int64N(size)
			b := make([]byte, 1)
			if _, err := f.ReadAt(b, at); err != nil {
				return err
			}
			b[0] ^= 1 << rnd.IntN(8)
			_, err := f.WriteAt(b, at)
			return err
		})
		outcomes[tell(fmt.Sprintf("a bit of byte %d flipped", at))]++
		restore()
	}
	// A cell's own bytes, in the table, the index and the log: nothing in SQLite notices. Then the kind of its pages, so
	// that there is no telling what they hold.
	sum := md5.Sum([]byte("1234"))
	cell := []byte(hex.EncodeToString(sum[:]) + strings.Repeat("y", 60))
	for what, c := range map[string]struct {
		at   func(i int64) int64
		byte byte
		want string
	}{
		"a cell changed":  {func(i int64) int64 { return i }, cell[0] ^ 1, "found by a scan"},
		"a page's header": {func(i int64) int64 { return i &^ 4095 }, 0xff, "error"},
	} {
		restore := damage(t, n, func(f *os.File, size int64) error {
			b := make([]byte, size)
			if _, err := f.ReadAt(b, 0); err != nil {
				return err
			}
			for i := 0; ; i++ {
				j := bytes.Index(b[i:], cell)
				if j < 0 {
					return nil
				}
				i += j
				if _, err := f.WriteAt([]byte{c.byte}, c.at(int64(i))); err != nil {
					return err
				}
			}
		})
		if out := tell(what); out != c.want {
			t.Errorf("%s: %s, want: %s", what, out, c.want)
		}
		restore()
	}
	if out := tell("nothing"); out != "nothing read was damaged" {
		t.Errorf("the file as it was: %s", out)
	}
	t.Logf("flipped bits: %v", outcomes)
}

// scan works out every keyspace's digest from its rows, in the folder of a stopped node.
func scan(t *testing.T, dir string) error {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler), CompileIndex: pgsql.CompileIndex,
		Fatal: func(error) {}})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Verify(context.Background())
}

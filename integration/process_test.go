package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// command builds the command once for all tests of the package.
var command = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "layercake-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "layercake")
	out, err := osexec.Command("go", "build", "-o", path, "layercake/cmd/layercake").CombinedOutput()
	if err != nil {
		return "", errors.Join(err, errors.New(string(out)), os.RemoveAll(dir))
	}
	built = dir
	return path, nil
})

var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

func layercake(t *testing.T) string {
	t.Helper()
	if _, err := osexec.LookPath("go"); err != nil {
		t.Skipf("the binary can't be built: %v", err)
	}
	path, err := command()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// environ is the test's environment without settings of ours or libpq's.
func environ(extra ...string) []string {
	var out []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LAYERCAKE_") && !strings.HasPrefix(e, "PG") {
			out = append(out, e)
		}
	}
	return append(out, extra...)
}

// run runs a command to its end and returns what it printed and its exit code.
func run(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	cmd := osexec.CommandContext(ctx, layercake(t), args...)
	cmd.Env = environ(env...)
	out, err := cmd.CombinedOutput()
	var exit *osexec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("layercake %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// output keeps what a process prints and lets a test wait for a line of it.
type output struct {
	mu      sync.Mutex // protects the following fields
	buf     bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// find waits until the output matches, and returns the first group.
func (o *output) find(t *testing.T, p *process, re string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for {
		o.mu.Lock()
		m := regexp.MustCompile(re).FindStringSubmatch(o.buf.String())
		changed := o.changed
		o.mu.Unlock()
		if m != nil {
			return m[len(m)-1]
		}
		select {
		case <-changed:
		case <-p.done:
			if regexp.MustCompile(re).MatchString(o.String()) {
				continue
			}
			t.Fatalf("the process ended (%v) without saying %q:\n%s", p.err, re, o)
		case <-ctx.Done():
			t.Fatalf("the process does not say %q:\n%s", re, o)
		}
	}
}

// process is a running layercake.
type process struct {
	t    *testing.T
	cmd  *osexec.Cmd
	out  *output
	done chan struct{} // closed when it has ended
	err  error
}

func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return launchIn(t, nil, env, args...)
}

// launchIn is launch through another command, such as one that enters a network namespace and becomes ours.
func launchIn(t *testing.T, through, env []string, args ...string) *process {
	t.Helper()
	line := append(append(append([]string{}, through...), layercake(t)), args...)
	p := &process{t: t, cmd: osexec.Command(line[0], line[1:]...), out: newOutput(), done: make(chan struct{})}
	p.cmd.Env = environ(env...)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// kill ends the process without warning.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop sends a signal and returns the exit code and how long the end took.
func (p *process) stop(sig os.Signal) (int, time.Duration) {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(wait):
		p.t.Fatalf("the process does not end:\n%s", p.out)
	}
	return p.cmd.ProcessState.ExitCode(), time.Since(began)
}

// node is a node of a cluster of processes.
type node struct {
	*process
	args                    []string
	env                     []string
	through                 []string // see launchIn
	pg, rpc, gossip, health string
}

func (n *node) url() string {
	return "postgres://postgres@" + n.pg + "/postgres?sslmode=disable&connect_timeout=10"
}

// boot starts the node, or starts it again at the addresses it had, and waits until it is ready.
func (n *node) boot(t *testing.T) {
	t.Helper()
	n.spawn(t)
	n.ready(t)
}

// spawn starts the node's process.
func (n *node) spawn(t *testing.T) {
	t.Helper()
	if n.pg == "" {
		n.pg, n.rpc, n.gossip, n.health = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	}
	n.process = launchIn(t, n.through, n.env, append([]string{"start", "--pg-addr", n.pg, "--rpc-addr", n.rpc, "--gossip-addr", n.gossip, "--http-addr", n.health}, n.args...)...)
}

// ready waits until the node takes statements, and notes its addresses.
func (n *node) ready(t *testing.T) {
	t.Helper()
	ready := n.out.find(t, n.process, `("msg":"ready".*)\n`)
	for key, to := range map[string]*string{"pg": &n.pg, "rpc": &n.rpc, "gossip": &n.gossip, "http": &n.health} {
		m := regexp.MustCompile(`"` + key + `":"([^"]+)"`).FindStringSubmatch(ready)
		if m == nil {
			t.Fatalf("the node does not say its %s address: %s", key, ready)
		}
		if *to != m[1] { // after the first start it is as it was, and clients may be reading it
			*to = m[1]
		}
	}
}

// processes starts a cluster of processes.
func processes(t *testing.T, count int) []*node {
	t.Helper()
	dir := t.TempDir()
	var nodes []*node
	for i := range count {
		name := fmt.Sprintf("n%d", i+1)
		n := &node{args: []string{"--name", name, "--data", filepath.Join(dir, name), "--insecure"}}
		if i > 0 {
			n.args = append(n.args, "--join", nodes[0].gossip)
		}
		n.boot(t)
		nodes = append(nodes, n)
	}
	return nodes
}

func dialNode(t *testing.T, n *node, settings string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	url := n.url()
	if settings != "" {
		url += "&" + settings
	}
	conn, err := pgx.Connect(ctx, url)
	for sqlstate(err) == "57P03" && ctx.Err() == nil { // not now: as clients do, it tries again
		time.Sleep(50 * time.Millisecond) // a poll of a real node
		conn, err = pgx.Connect(ctx, url)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, n.out)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// TestStartRefuses: what a node will not start with is said in a sentence, and the exit code is not 0.
func TestStartRefuses(t *testing.T) {
	layercake(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	running := &node{args: []string{"--name", "n1", "--data", filepath.Join(dir, "n1"), "--insecure"}}
	running.boot(t)
	taken, _, _ := strings.Cut(running.pg, "\n")
	free := []string{"--pg-addr", "127.0.0.1:0", "--rpc-addr", "127.0.0.1:0", "--gossip-addr", "127.0.0.1:0", "--http-addr", "none"}
	for _, tc := range []struct {
		name string
		args []string
		env  []string
		code int
		want []string
	}{
		{"no name", []string{"--data", dir + "/x"}, nil, 2, []string{"--name"}},
		{"no data folder", []string{"--name", "x"}, nil, 2, []string{"--data"}},
		{"bad name", []string{"--name", "a b", "--data", dir + "/x", "--insecure"}, nil, 1, []string{"--name", "a b"}},
		{"no password", []string{"--name", "x", "--data", dir + "/nopw"}, nil, 1, []string{"--password-file", "LAYERCAKE_PASSWORD", "--insecure"}},
		{"empty password file", []string{"--name", "x", "--data", dir + "/nopw", "--password-file", file("empty", "\n")}, nil, 1, []string{"--password-file", "empty"}},
		{"no such password file", []string{"--name", "x", "--data", dir + "/nopw", "--password-file", dir + "/nowhere"}, nil, 1, []string{"--password-file", "nowhere"}},
		{"unknown flag", []string{"--name", "x", "--color", "blue"}, nil, 2, []string{"color"}},
		{"stray argument", []string{"--name", "x", "stray"}, nil, 2, []string{"stray"}},
		{"bad address", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--pg-addr", "here"}, nil, 1, []string{"--pg-addr", "here"}},
		{"bad level", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--consistency", "most"}, nil, 1, []string{"consistency", "most", "each_quorum"}},
		{"bad level in the environment", []string{"--name", "x", "--data", dir + "/x", "--insecure"}, []string{"LAYERCAKE_CONSISTENCY=most"}, 1, []string{"consistency", "most"}},
		{"bad number", []string{"--name", "x", "--data", dir + "/x", "--max-connections", "many"}, nil, 2, []string{"--max-connections", "many"}},
		{"half a number", []string{"--name", "x", "--data", dir + "/x", "--max-connections", "10x"}, nil, 2, []string{"--max-connections", "10x"}},
		{"bad duration", []string{"--name", "x", "--data", dir + "/x", "--max-clock-offset", "soon"}, nil, 2, []string{"--max-clock-offset", "soon"}},
		{"bad size", []string{"--name", "x", "--data", dir + "/x", "--max-wal", "0"}, nil, 2, []string{"--max-wal", "0"}},
		{"too great a transaction", []string{"--name", "x", "--data", dir + "/x", "--max-transaction", "1025"}, nil, 2, []string{"--max-transaction", "1024"}},
		{"bad boolean", []string{"--name", "x", "--data", dir + "/x"}, []string{"LAYERCAKE_INSECURE=maybe"}, 2, []string{"insecure", "maybe"}},
		{"bad log level", []string{"--name", "x", "--data", dir + "/x", "--log-level", "loud"}, nil, 2, []string{"--log-level", "loud"}},
		{"half of TLS", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--cluster-ca", "x"}, nil, 2, []string{"--cluster-cert"}},
		{"no certificate", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--tls-cert", dir + "/nowhere", "--tls-key", dir + "/nowhere"}, nil, 1, []string{"--tls-cert", "nowhere"}},
		{"short gossip key", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--gossip-key-file", file("key", "short")}, nil, 1, []string{"gossip key"}},
		{"no config file", []string{"--config", dir + "/nowhere.toml"}, nil, 1, []string{"nowhere.toml"}},
		{"config file that is no TOML", []string{"--config", file("bad.toml", "name = \n")}, nil, 1, []string{"bad.toml", "line 1"}},
		{"unknown key in the config file", []string{"--config", file("key.toml", "name = 'x'\ncolour = 'blue'\n")}, nil, 1, []string{"key.toml", "colour"}},
		{"unknown setting in the config file", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--config", file("set.toml", "[settings]\nnonsense = 1\n")}, nil, 1, []string{"nonsense"}},
		{"bad setting in the config file", []string{"--name", "x", "--data", dir + "/x", "--insecure", "--config", file("set2.toml", "[settings]\nread_consistency = 'most'\n")}, nil, 1, []string{"read_consistency", "most"}},
		{"folder in use", []string{"--name", "n1", "--data", dir + "/n1", "--insecure"}, nil, 1, []string{"n1", "in use"}},
		{"port in use", []string{"--name", "x", "--data", dir + "/port", "--insecure", "--pg-addr", taken}, nil, 1, []string{taken, "in use"}},
		{"name taken", []string{"--name", "n1", "--data", dir + "/again", "--insecure", "--join", running.gossip}, nil, 1, []string{"n1", "name"}},
		{"data folder is a file", []string{"--name", "x", "--data", file("plain", ""), "--insecure"}, nil, 1, []string{"plain"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, code := run(t, tc.env, append(append([]string{"start"}, free...), tc.args...)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			for _, w := range tc.want {
				if !strings.Contains(out, w) {
					t.Errorf("the message does not name %q:\n%s", w, out)
				}
			}
			if strings.Contains(out, "panic") || strings.Contains(out, "goroutine ") {
				t.Errorf("a panic:\n%s", out)
			}
		})
	}
	// The node that was in the way is as before.
	wantOne(t, dialNode(t, running, ""), "1", "SELECT count(*) FROM layercake.nodes")
	if _, err := os.Stat(filepath.Join(dir, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a start that was refused for its flags has made a data folder: %v", err)
	}
}

// TestConfiguration: flags go before the environment, the environment before the file.
func TestConfiguration(t *testing.T) {
	layercake(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "node.toml")
	text := `
name = "from-file"
data = "` + filepath.Join(dir, "data") + `"
dc = "dc-file"
pg-addr = "127.0.0.1:0"
rpc-addr = "127.0.0.1:0"
gossip-addr = "127.0.0.1:0"
http-addr = "none"
max-connections = 7

[settings]
read_consistency = "local_quorum"
statement_timeout = "1min"
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, []string{"LAYERCAKE_NAME=from-env", "LAYERCAKE_DC=dc-env", "LAYERCAKE_PASSWORD=ignored"},
		"start", "--config", config, "--dc", "dc-flag", "--password-file", password)
	addr := p.out.find(t, p, `"msg":"ready".*"pg":"([^"]+)"`)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if _, err := pgx.Connect(ctx, "postgres://postgres:ignored@"+addr+"/postgres?sslmode=disable"); sqlstate(err) != "28P01" {
		t.Errorf("the environment's password: %v, want 28P01", err)
	}
	conn, err := pgx.Connect(ctx, "postgres://postgres:from%20the%20file@"+addr+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	wantOne(t, conn, "from-env dc-flag", "SELECT name || ' ' || dc FROM layercake.nodes")
	wantOne(t, conn, "local_quorum", "SHOW read_consistency")
	wantOne(t, conn, "1min", "SHOW statement_timeout")
	wantOne(t, conn, "configuration file", "SELECT source FROM layercake.settings WHERE name = 'read_consistency'")
	for i := 0; i < 6; i++ {
		other, err := pgx.Connect(ctx, "postgres://postgres:from%20the%20file@"+addr+"/postgres?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close(ctx)
	}
	if _, err := pgx.Connect(ctx, "postgres://postgres:from%20the%20file@"+addr+"/postgres?sslmode=disable"); sqlstate(err) != "53300" {
		t.Errorf("an eighth connection: %v, want 53300", err)
	}
	for _, secret := range []string{"from the file", "ignored"} {
		if strings.Contains(p.out.String(), secret) {
			t.Error("a password is in the log")
		}
	}
	// A folder with data remembers its cluster: no password is needed to start it again.
	if code, _ := p.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.out)
	}
	p = launch(t, []string{"LAYERCAKE_NAME=from-env"}, "start", "--config", config)
	select {
	case <-p.done:
	case <-time.After(wait):
		t.Fatalf("the process does not end:\n%s", p.out)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.out.String(), "cannot move") {
		t.Errorf("in another data centre than the one it joined in: exit code %d:\n%s", code, p.out)
	}
	p = launch(t, []string{"LAYERCAKE_NAME=from-env"}, "start", "--config", config, "--dc", "dc-flag")
	addr = p.out.find(t, p, `"msg":"ready".*"pg":"([^"]+)"`)
	conn, err = pgx.Connect(ctx, "postgres://postgres:from%20the%20file@"+addr+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(ctx)
}

// TestSIGTERM: sessions are told 57P01, a commit under way is finished, and the process ends with 0 within 5 seconds.
func TestSIGTERM(t *testing.T) {
	n := processes(t, 1)[0]
	idle, busy, open := dialNode(t, n, ""), dialNode(t, n, ""), dialNode(t, n, "")
	exec(t, idle, "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	exec(t, open, "BEGIN")
	exec(t, open, "INSERT INTO kv VALUES (-1, 'never committed')")
	// A statement that takes a while: it is under way when the signal comes, and its commit is still made.
	done := later(busy, "INSERT INTO kv SELECT i, repeat('x', 100) FROM generate_series(1, 50000) i")
	eventually(t, idle, "1", "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'INSERT INTO kv SELECT%'")
	code, took := n.stop(syscall.SIGTERM)
	if code != 0 || took > 5*time.Second {
		t.Errorf("exit code %d after %v, want 0 within 5 s\n%s", code, took, n.out)
	}
	err := result(t, done)
	for name, conn := range map[string]*pgx.Conn{"idle": idle, "in a transaction": open} {
		if _, err := conn.Exec(context.Background(), "SELECT 1"); sqlstate(err) != "57P01" {
			t.Errorf("the session that was %s got %v, want 57P01", name, err)
		}
	}
	if strings.Contains(n.out.String(), `"level":"ERROR"`) {
		t.Errorf("errors in the log:\n%s", n.out)
	}
	n.boot(t)
	conn := dialNode(t, n, "")
	if err != nil {
		t.Errorf("the statement under way: %v", err)
	} else {
		wantOne(t, conn, "50000", "SELECT count(*) FROM kv")
	}
	wantOne(t, conn, "0", "SELECT count(*) FROM kv WHERE k < 0")
	if code, _ := n.stop(os.Interrupt); code != 0 {
		t.Errorf("SIGINT: exit code %d", code)
	}
}

// TestCommands: what status, node list, verify, health and version print, and their exit codes.
func TestCommands(t *testing.T) {
	nodes := processes(t, 2)
	exec(t, dialNode(t, nodes[0], "consistency=all"), "CREATE TABLE cakes (id int PRIMARY KEY)")
	exec(t, dialNode(t, nodes[0], "consistency=all"), "INSERT INTO cakes VALUES (1), (2)")
	url := []string{"--url", nodes[0].url()}
	host, port, _ := net.SplitHostPort(nodes[1].pg)
	check := func(name string, env []string, code int, want []string, args ...string) {
		t.Helper()
		out, got := run(t, env, args...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d\n%s", name, got, code, out)
		}
		for _, w := range want {
			if !regexp.MustCompile(w).MatchString(out) {
				t.Errorf("%s: no %q in:\n%s", name, w, out)
			}
		}
	}
	check("version", nil, 0, []string{`^layercake \d+\.\d+\.\d+`}, "version")
	check("help", nil, 0, []string{"start", "demo", "verify"}, "help")
	check("nothing", nil, 2, []string{"usage"})
	check("unknown", nil, 2, []string{`unknown command "bake"`}, "bake")
	check("node remove nobody", nil, 2, []string{"node remove NAME"}, "node", "remove")
	check("node remove of a stranger", nil, 1, []string{`no member .* "n7"`}, append([]string{"node", "remove", "n7"}, url...)...)
	check("node what", nil, 2, []string{"node list"}, "node", "bake")
	check("start --help", nil, 0, []string{"--gossip-addr", "LAYERCAKE_PG_ADDR"}, "start", "--help")

	list := []string{`NAME +ID +DC +STATE`, `n1 \* +[0-9a-f]{16} +dc1 +alive +127\.0\.0\.1:\d+`, `n2 +[0-9a-f]{16} +dc1 +alive`}
	check("node list", nil, 0, list, append([]string{"node", "list"}, url...)...)
	check("node list, LAYERCAKE_URL", []string{"LAYERCAKE_URL=" + nodes[0].url()}, 0, list, "node", "list")
	check("node list, PG variables", []string{"PGHOST=" + host, "PGPORT=" + port, "PGUSER=postgres", "PGDATABASE=postgres", "PGSSLMODE=disable"}, 0,
		[]string{`n1 +[0-9a-f]{16}`, `n2 \* +[0-9a-f]{16}`}, "node", "list")
	check("status", nil, 0, append(list, "read none, write quorum", `PEER +ORIGIN +SENT`), append([]string{"status"}, url...)...)
	check("verify", nil, 0, []string{`public\.cakes +n1 +2 +[0-9a-f]+`, `public\.cakes +n2 +2 +[0-9a-f]+`, `equal: \d+ relation\(s\) on 2 node\(s\)`}, append([]string{"verify"}, url...)...)
	check("health", nil, 0, nil, "health", "--http-addr", nodes[0].health)

	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/debug/pprof/cmdline": 200, "/nowhere": 404} {
		resp, err := http.Get("http://" + nodes[0].health + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d: %s", path, resp.StatusCode, want, body)
		}
	}

	// One of two is gone: something is not well, or can't be told. That the node's default level can't be met is no
	// reason to say nothing.
	exec(t, dialNode(t, nodes[0], "consistency=all"), "ALTER ROLE postgres SET consistency = 'all'")
	nodes[1].kill()
	conn := dialNode(t, nodes[0], "")
	exec(t, conn, "SET read_consistency = 'none'")
	eventually(t, conn, "1", "SELECT count(*) FROM layercake.nodes WHERE state <> 'alive'")
	exec(t, conn, "RESET read_consistency")
	fails(t, conn, "53000", "SELECT * FROM cakes")
	check("node list with one down", nil, 1, []string{`n2 .*(suspect|dead)`, "1 member"}, append([]string{"node", "list"}, url...)...)
	check("status with one down", nil, 1, []string{`n2 .*(suspect|dead)`}, append([]string{"status"}, url...)...)
	check("verify with one down", nil, 2, []string{"could not be told"}, append([]string{"verify"}, url...)...)
	check("status of nobody", nil, 2, nil, "status", "--url", nodes[1].url())
	check("health of nobody", nil, 1, nil, "health", "--http-addr", nodes[1].health)
	check("node remove without a majority", nil, 1, []string{"cannot be met"}, append([]string{"node", "remove", "n2"}, url...)...)
	check("leave without a majority", nil, 1, []string{"cannot be met"}, append([]string{"leave"}, url...)...)
	check("bad URL", nil, 2, nil, "status", "--url", "postgres://a:b:c:d/")
	check("bad timeout", nil, 2, []string{"--timeout"}, "status", "--timeout", "soon")
}

// TestDemo: the demo names the ports it takes, prints a psql line for each node, works, and leaves nothing behind.
func TestDemo(t *testing.T) {
	layercake(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	tmp := t.TempDir()
	p := launch(t, []string{"TMPDIR=" + tmp}, "demo", "--nodes", "2", "--pg-port", port)
	p.out.find(t, p, "(Port "+port+" is in use; node n1 takes port [0-9]+)")
	dir := p.out.find(t, p, "The data is in ([^ ]+) and goes")
	if !strings.HasPrefix(dir, tmp) {
		t.Errorf("the data is in %s, not under TMPDIR", dir)
	}
	lines := regexp.MustCompile(`(?m)^ +n\d \((dc\d)\) +psql -h 127\.0\.0\.1 -p (\d+) -U postgres$`).FindAllStringSubmatch(p.out.String(), -1)
	if len(lines) != 2 || lines[0][1] != "dc1" || lines[1][1] != "dc2" {
		t.Fatalf("psql lines: %v\n%s", lines, p.out)
	}
	// The example that it prints works as it stands.
	examples := regexp.MustCompile(`(?m)^ +psql (-h .*)$`).FindAllStringSubmatch(p.out.String(), -1)
	if len(examples) < 3 {
		t.Errorf("no example:\n%s", p.out)
	}
	if psql, err := osexec.LookPath("psql"); err == nil {
		for _, ex := range examples {
			out, err := osexec.Command("sh", "-c", psql+" -X "+ex[1]).CombinedOutput()
			if err != nil {
				t.Errorf("psql %s: %v\n%s", ex[1], err, out)
			}
			if strings.Contains(ex[1], "SELECT * FROM cakes") && !strings.Contains(string(out), "mille-feuille") {
				t.Errorf("psql %s:\n%s", ex[1], out)
			}
		}
	}
	code, took := p.stop(os.Interrupt)
	if code != 0 || took > 5*time.Second {
		t.Errorf("SIGINT: exit code %d after %v\n%s", code, took, p.out)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for _, l := range lines {
		if c, err := net.Dial("tcp", "127.0.0.1:"+l[2]); err == nil {
			c.Close()
			t.Errorf("somebody still listens on port %s", l[2])
		}
	}
	if out, code := run(t, nil, "demo", "--nodes", "0"); code != 2 || !strings.Contains(out, "--nodes") {
		t.Errorf("demo --nodes 0: exit code %d\n%s", code, out)
	}
	if out, code := run(t, nil, "demo", "--pg-port", strconv.Itoa(1<<16)); code != 2 || !strings.Contains(out, "--pg-port") {
		t.Errorf("demo --pg-port 65536: exit code %d\n%s", code, out)
	}
}

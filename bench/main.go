// Command bench runs layercake and PostgreSQL side by side on one machine and prints what it measured as Markdown.
//
// It starts PostgreSQL 15 by itself and as a primary with two synchronous standbys (ANY 1), and layercake as one node and
// as three, all on one disk with fsync before every acknowledgement. Both are loaded alike; then each workload runs
// against them in turn, A B A B, and medians are compared. Only two systems that are compared run at one time.
//
// It ends, by process id, only what it started, and removes its temporary folder.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/pgbench"
)

// config is what the flags say.
type config struct {
	rounds  int
	seconds int
	loads   int
	scale   int
	clients []int
	parts   []string
	samples int
	dir     string
	binary  string
	pgbin   string
	out     string
}

// The parts of a run, in order.
var allParts = []string{"start", "single", "cluster"}

func parseFlags(args []string, stderr io.Writer) (*config, error) {
	c := &config{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.IntVar(&c.rounds, "rounds", 3, "rounds of each workload")
	fs.IntVar(&c.seconds, "seconds", 5, "seconds of each round")
	fs.IntVar(&c.loads, "loads", 3, "times that the data is loaded, and a file copied")
	fs.IntVar(&c.scale, "scale", 10, "pgbench scale; one is 100,000 rows")
	clients := fs.String("clients", "1,8,32", "numbers of clients")
	parts := fs.String("parts", strings.Join(allParts, ","), "what to run")
	fs.IntVar(&c.samples, "samples", 2000, "samples of the replication lag")
	fs.StringVar(&c.dir, "dir", "", "folder for the temporary data; the system's when empty")
	fs.StringVar(&c.binary, "layercake", "", "the binary to measure; built from this module when empty")
	fs.StringVar(&c.pgbin, "pgbin", "/usr/lib/postgresql/15/bin", "folder of PostgreSQL's programs")
	fs.StringVar(&c.out, "out", "", "file for the result besides standard output")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	for _, s := range strings.Split(*clients, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-clients: %q is not a number above 0", s)
		}
		c.clients = append(c.clients, n)
	}
	for _, p := range strings.Split(*parts, ",") {
		if !slices.Contains(allParts, p) {
			return nil, fmt.Errorf("-parts: %q is none of %s", p, strings.Join(allParts, ", "))
		}
		c.parts = append(c.parts, p)
	}
	if c.rounds < 1 || c.seconds < 1 || c.loads < 1 || c.scale < 1 || c.samples < 1 {
		return nil, errors.New("-rounds, -seconds, -loads, -scale and -samples must be above 0")
	}
	return c, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		stop()
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	*config
	ctx    context.Context
	log    io.Writer
	tmp    string
	env    []string
	report report
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	cfg, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	b := &bench{config: cfg, ctx: ctx, log: stderr, env: pgbench.CleanEnv(os.Environ())}
	if b.tmp, err = os.MkdirTemp(cfg.dir, "layercake-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.tmp)) }()
	// PostgreSQL runs as a user of its own and must get through.
	if err := os.Chmod(b.tmp, 0o755); err != nil {
		return err
	}
	if err := b.prepare(); err != nil {
		return err
	}
	b.report.facts = b.facts()
	steps := map[string]func() error{"start": b.startTimes, "single": b.single, "cluster": b.cluster}
	var failed error
	for _, p := range cfg.parts {
		if failed = steps[p](); failed != nil {
			failed = fmt.Errorf("%s: %w", p, failed)
			break
		}
	}
	// What was measured before something failed is worth seeing.
	text := b.report.markdown()
	fmt.Fprint(stdout, text)
	if cfg.out != "" {
		failed = errors.Join(failed, os.WriteFile(cfg.out, []byte(text), 0o644))
	}
	if failed == nil && b.report.failed > 0 {
		failed = fmt.Errorf("%d transactions failed", b.report.failed)
	}
	return failed
}

// prepare finds the programs and builds the binary.
func (b *bench) prepare() error {
	for _, p := range []string{"postgres", "initdb", "pg_basebackup", "pgbench", "psql"} {
		if _, err := os.Stat(filepath.Join(b.pgbin, p)); err != nil {
			return fmt.Errorf("PostgreSQL 15 is needed (packages postgresql-15 and postgresql-contrib; -pgbin says where it is): %w", err)
		}
	}
	if b.binary != "" {
		return nil
	}
	b.binary = filepath.Join(b.tmp, "layercake")
	b.say("building")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", b.binary, "layercake/cmd/layercake")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.log, "%s %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// facts says what was measured where.
func (b *bench) facts() []string {
	var out []string
	if commit := figures.Commit(); commit != "" {
		out = append(out, "commit "+commit)
	}
	if v, err := exec.Command(filepath.Join(b.pgbin, "postgres"), "--version").Output(); err == nil {
		out = append(out, strings.TrimSpace(string(v)))
	}
	out = append(out, figures.Machine()...)
	return append(out, fmt.Sprintf("pgbench scale %d, %d rounds of %d s", b.scale, b.rounds, b.seconds))
}

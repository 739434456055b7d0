// Command profiles says where the processor time of layercake nodes goes, for each of the benchmarks' workloads: it starts
// nodes of its own, drives them with pgbench, asks Go's profiler in them meanwhile, and writes what is dearest, what
// allocates, and what statements wait for.
//
//	go run ./bench/profiles [-bin layercake] [-seconds 5] [-clients 8] [-out docs/profiles.md] [PART…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/nodes"
	"layercake/bench/internal/pgbench"
)

// run is what the parts share.
type run struct {
	nodes.Host
	env     []string
	seconds int
	clients int
	scale   int
}

// part is workloads on one cluster.
type part struct {
	name      string
	nodes     int
	workloads func(*run) []workload
}

// parts are what is profiled, in order.
var parts = []part{{"single", 1, (*run).single}, {"cluster", 3, (*run).cluster}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := profileAll(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "profiles:", err)
		}
		stop()
		os.Exit(1)
	}
}

func profileAll(ctx context.Context, args []string) (err error) {
	r := &run{Host: nodes.Host{Ctx: ctx, Profiled: true}, env: pgbench.CleanEnv(os.Environ())}
	fs := flag.NewFlagSet("profiles", flag.ContinueOnError)
	fs.StringVar(&r.Bin, "bin", "", "layercake binary; built when empty")
	fs.IntVar(&r.seconds, "seconds", 5, "seconds of each profile")
	fs.IntVar(&r.clients, "clients", 8, "clients of all workloads but COPY and the SELECTs over all rows, which have one")
	fs.IntVar(&r.scale, "scale", 10, "pgbench scale; one is 100,000 rows")
	folder := fs.String("dir", "", "folder for data, on the disk to be measured; the system's for temporary files when empty")
	out := fs.String("out", filepath.Join("docs", "profiles.md"), "file for the result besides standard output")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if r.seconds < 1 || r.clients < 1 || r.scale < 1 {
		return errors.New("-seconds, -clients and -scale must be above 0")
	}
	for _, a := range fs.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == a }) {
			return fmt.Errorf("no part %q", a)
		}
	}
	if _, err := exec.LookPath("pgbench"); err != nil {
		return fmt.Errorf("pgbench is needed (package postgresql): %w", err)
	}
	if err := r.Open(*folder, "profiles"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	facts := append([]string{"commit " + figures.Commit(), time.Now().UTC().Format(time.DateOnly)}, figures.Machine()...)
	facts = append(facts, fmt.Sprintf("pgbench scale %d, profiles of %d s", r.scale, r.seconds))
	var all []outcome
	for _, p := range parts {
		if fs.NArg() > 0 && !slices.Contains(fs.Args(), p.name) {
			continue
		}
		done, err := r.part(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		all = append(all, done...)
	}
	text := page(facts, all)
	fmt.Print(text)
	return os.WriteFile(*out, []byte(text), 0o644)
}

// part profiles one cluster's workloads.
func (r *run) part(p part) (all []outcome, err error) {
	c, err := r.Cluster(p.nodes)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := r.BootAll(c); err != nil {
		return nil, err
	}
	for _, w := range p.workloads(r) {
		if w.before != nil {
			if err := w.before(r, c); err != nil {
				return nil, fmt.Errorf("before %s: %w", w.Name, err)
			}
		}
		o, err := r.profile(c, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		fmt.Fprintf(os.Stderr, "%s %-80s %12s a second\n", time.Now().Format(time.TimeOnly), w.Name, figures.Number(o.rate))
		all = append(all, o)
	}
	return all, nil
}

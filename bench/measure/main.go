// Command measure takes the figures of docs/benchmarks.md that are not a comparison with PostgreSQL: how fast a node
// catches up, how far replicas lag, what a row costs on the wire and on disk, what a great COPY does to the others, what
// is left of deleted rows. It starts layercake nodes of its own, and prints one Markdown table.
//
//	go run ./bench/measure [-bin layercake] [-rows 1000000] [-copy-mb 1000] [PART…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"layercake/bench/internal/nodes"
)

// run is what the parts share.
type run struct {
	nodes.Host
	rows   int // of the tables of most parts
	great  int // of the table that a node starts with
	copyMB int
	lines  []string
}

// parts are the measurements, in the order that they run in.
var parts = []struct {
	name string
	run  func(*run) error
}{
	{"catchup", (*run).catchUp}, {"lag", (*run).lag}, {"wire", (*run).wire}, {"disk", (*run).disk}, {"copy", (*run).greatCopy},
	{"quiet", (*run).quiet}, {"addcolumn", (*run).addColumn}, {"start", (*run).start},
}

// figure adds a line to the table, and shows it at once.
func (r *run) figure(what, format string, args ...any) {
	line := fmt.Sprintf("| %s | %s |", what, fmt.Sprintf(format, args...))
	fmt.Fprintln(os.Stderr, line)
	r.lines = append(r.lines, line)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "measure:", err)
		}
		os.Exit(1)
	}
}

func measure(ctx context.Context, args []string) (err error) {
	r := &run{Host: nodes.Host{Ctx: ctx}}
	fs := flag.NewFlagSet("measure", flag.ContinueOnError)
	fs.StringVar(&r.Bin, "bin", "", "layercake binary; built when empty")
	fs.IntVar(&r.rows, "rows", 1_000_000, "rows of a table")
	fs.IntVar(&r.great, "great", 10_000_000, "rows that a node is started with")
	fs.IntVar(&r.copyMB, "copy-mb", 1000, "megabytes of the great COPY")
	folder := fs.String("dir", "", "folder for data, on the disk to be measured; the system's for temporary files when empty")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, a := range fs.Args() {
		if !slices.ContainsFunc(parts, func(p struct {
			name string
			run  func(*run) error
		}) bool {
			return p.name == a
		}) {
			return fmt.Errorf("no part %q", a)
		}
	}
	if err := r.Open(*folder, "measure"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	for _, p := range parts {
		if fs.NArg() > 0 && !slices.Contains(fs.Args(), p.name) {
			continue
		}
		began := time.Now()
		if err := p.run(r); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s took %.0f s\n", p.name, time.Since(began).Seconds())
	}
	fmt.Printf("Load average at the start: %s.\n\n| what | figure |\n|---|---|\n%s\n", strings.Join(strings.Fields(string(load))[:3], ", "), strings.Join(r.lines, "\n"))
	return nil
}

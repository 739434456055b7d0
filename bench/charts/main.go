// Command charts draws how the cost of an operation grows: with clients, with rows, with the size of a row, with nodes,
// and with the rows of a transaction. It starts layercake nodes of its own, each with its defaults, and writes a picture
// for each chart and a README.md with the figures.
//
//	go run ./bench/charts [-bin layercake] [-seconds 2] [-rounds 1] [-out docs/charts] [CHART…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/nodes"
)

// run is what the charts share.
type run struct {
	nodes.Host
	seconds float64
	rounds  int
	rows    int // the most rows of a table
}

// part is a chart and how it is measured.
type part struct {
	name    string
	measure func(*run) (*chart, error)
}

// parts are what is drawn, in order.
var parts = []part{
	{"clients", (*run).clients}, {"rows", (*run).growingTable}, {"size", (*run).rowSize}, {"nodes", (*run).moreNodes}, {"batch", (*run).batches},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := drawAll(ctx, os.Args[1:]); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "charts:", err)
		}
		stop()
		os.Exit(1)
	}
}

func drawAll(ctx context.Context, args []string) (err error) {
	r := &run{Host: nodes.Host{Ctx: ctx}}
	fs := flag.NewFlagSet("charts", flag.ContinueOnError)
	fs.StringVar(&r.Bin, "bin", "", "layercake binary; built when empty")
	fs.Float64Var(&r.seconds, "seconds", 2, "seconds of each point, after a quarter of that to warm up")
	fs.IntVar(&r.rounds, "rounds", 1, "times that each point is measured; the median counts")
	fs.IntVar(&r.rows, "rows", 10_000_000, "most rows of a table, from 10,000 in steps of ten times")
	folder := fs.String("dir", "", "folder for data, on the disk to be measured; the system's for temporary files when empty")
	out := fs.String("out", filepath.Join("docs", "charts"), "folder for the pictures and README.md, which is of this run's charts only")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if r.seconds <= 0 || r.rounds < 1 || r.rows < leastRows*10 {
		return fmt.Errorf("-seconds and -rounds must be above 0, -rows at least %d", leastRows*10)
	}
	for _, a := range fs.Args() {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == a }) {
			return fmt.Errorf("no chart %q", a)
		}
	}
	if err := r.Open(*folder, "charts"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	page := heading(r)
	for _, p := range parts {
		if fs.NArg() > 0 && !slices.Contains(fs.Args(), p.name) {
			continue
		}
		began := time.Now()
		c, err := p.measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		c.name = p.name
		picture, err := c.png()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(*out, c.name+".png"), picture, 0o644); err != nil {
			return err
		}
		page += "\n" + c.markdown()
		fmt.Printf("%s\n", c.markdown())
		fmt.Fprintf(os.Stderr, "%s took %.0f s\n", c.name, time.Since(began).Seconds())
	}
	return os.WriteFile(filepath.Join(*out, "README.md"), []byte(page), 0o644)
}

// heading says what was measured where, and how to do it again.
func heading(r *run) string {
	facts := append([]string{"commit " + figures.Commit(), time.Now().UTC().Format(time.DateOnly)}, figures.Machine()...)
	facts = append(facts, fmt.Sprintf("%d round(s) of %g s at each point", r.rounds, r.seconds))
	return "# How cost grows\n\n" + "- " + strings.Join(facts, "\n- ") + `

Repeat it with ` + "`make charts`" + ` (` + "`CHARTS=\"-rounds 3 -seconds 5\"`" + ` takes longer and spreads less; ` + "`CHARTS=-help`" + ` lists the flags).
It starts nodes of its own on one disk, each with its defaults: fsync before a write is acknowledged, write level quorum,
read level none. Clients are sessions with prepared statements on the first node; they and all nodes share the machine's
processors. Statements are of one row, in transactions of their own. INSERTs go anywhere between the rows that are there,
unless something else is said; those of the chart of sizes, and COPY, add to the end.

The cost of an operation is taken twice: the time of the whole system (a second by the operations of a second), which
other work on the machine makes longer, and the processor time of all nodes' processes. Either is held against the logarithm
of the quantity, log(1 + last) by log(1 + first), from the first step to the last, and from the cheapest step to the dearest
after it.
`
}

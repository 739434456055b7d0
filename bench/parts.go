package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/pgbench"
)

const mib = 1 << 20

// stopping joins the error of ending a system to what went before.
func stopping(sys *system, err *error) {
	*err = errors.Join(*err, sys.stop())
}

// startTimes measures how long it takes until a first query is answered.
func (b *bench) startTimes() error {
	tab := b.report.table("From start to the first answer, seconds", "what", "layercake")
	demo := tab.row("`layercake demo`: first node answers")
	all := tab.row("`layercake demo`: all three nodes answer")
	made := tab.row("`make demo`, already built: first node answers")
	for range b.rounds {
		first, last, err := b.demo(b.binary, "demo", "--pg-port")
		if err != nil {
			return err
		}
		demo.values[0], all.values[0] = append(demo.values[0], first), append(all.values[0], last)
	}
	if _, err := os.Stat("Makefile"); err != nil {
		return nil
	}
	if out, err := exec.CommandContext(b.ctx, "make", "build").CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, out)
	}
	for range b.rounds {
		first, _, err := b.demo("make", "demo", "DEMO=--pg-port")
		if err != nil {
			return err
		}
		made.values[0] = append(made.values[0], first)
	}
	return nil
}

// demo starts a demo cluster and returns the seconds until its first and until its last node answered. The last
// argument takes the port.
func (b *bench) demo(name string, args ...string) (first, last float64, err error) {
	port, err := freeRow(3)
	if err != nil {
		return 0, 0, err
	}
	if name == "make" {
		args[len(args)-1] += " " + strconv.Itoa(port)
	} else {
		args = append(args, strconv.Itoa(port))
	}
	cwd, err := os.Getwd()
	if err != nil {
		return 0, 0, err
	}
	at := time.Now()
	p, err := spawnIn(cwd, b.env, nil, filepath.Join(b.tmp, "demo.log"), name, args...)
	if err != nil {
		return 0, 0, err
	}
	// make passes no signal on: its whole group, which is ours, gets it.
	defer func() { err = errors.Join(err, p.stopGroup(syscall.SIGINT)) }()
	for i := range 3 {
		if err := firstQuery(b.ctx, p, port+i); err != nil {
			return 0, 0, fmt.Errorf("demo: %w", err)
		}
		if i == 0 {
			first = time.Since(at).Seconds()
		}
	}
	last = time.Since(at).Seconds()
	b.say("%s demo: %.2f s, all nodes %.2f s", filepath.Base(name), first, last)
	return first, last, nil
}

// single compares one node with one PostgreSQL.
func (b *bench) single() (err error) {
	pg, err := b.startPostgres("PostgreSQL", 0)
	if err != nil {
		return err
	}
	defer stopping(pg, &err)
	lc, err := b.startLayercake("layercake one node", 1)
	if err != nil {
		return err
	}
	defer stopping(lc, &err)
	targets := []target{{pg, "PostgreSQL", ""}, {lc, "layercake, one node", ""}}
	names := []string{targets[0].column, targets[1].column}

	start := b.report.table("One node: start to the first answer, seconds", "what", names...)
	empty := start.row("empty")
	for i, t := range targets {
		empty.values[i] = figures.Samples{t.servers[0].ran.Seconds()}
	}
	mem := b.report.table("One node: resident memory, MiB (shared pages counted once)", "when", names...)
	measure := func(what string, i int, row *tableRow) error {
		n, err := memory(targets[i].servers[0].pid())
		if err == nil {
			row.values[i] = append(row.values[i], float64(n)/mib)
			b.say("memory %s, %s: %d MiB", what, targets[i].column, n/mib)
		}
		return err
	}
	// The runtime of Go gives memory back after some seconds.
	const settle = 10 * time.Second
	idle := mem.row("idle, empty")
	loaded := mem.row(fmt.Sprintf("%s rows loaded, %s later", figures.Number(float64(b.scale)*100000), settle))
	peak := mem.row("most while loading (layercake only)")
	time.Sleep(time.Second)
	for i := range targets {
		if err := measure("idle", i, idle); err != nil {
			return err
		}
	}
	copies := b.report.table("One node: COPY, rows/s", "what", names...)
	err = b.load(copies, targets, func(round, i int, _ time.Time) error {
		if round > 0 {
			return nil
		}
		if targets[i].layercake {
			n, err := peakMemory(targets[i].servers[0].pid())
			if err != nil {
				return err
			}
			peak.values[i] = figures.Samples{float64(n) / mib}
		}
		time.Sleep(settle)
		return measure("loaded", i, loaded)
	})
	if err != nil {
		return err
	}
	if err := b.copyFile(copies, targets); err != nil {
		return err
	}
	tab := b.report.table("One node: transactions/s, median (least–greatest)", "workload, clients", names...)
	for _, w := range []pgbench.Workload{pgbench.Selects, pgbench.SelectsSimple, pgbench.TPCB} {
		if err := b.turns(tab, w, b.clients, targets); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if err := b.books(t.system, false); err != nil {
			return err
		}
	}
	if err := b.turns(tab, pgbench.Updates, b.clients, targets); err != nil {
		return err
	}
	for _, t := range targets {
		if err := b.books(t.system, true); err != nil {
			return err
		}
	}
	if err := b.writes(tab, targets); err != nil {
		return err
	}
	read := b.report.table(fmt.Sprintf("One node: SELECTs over %s rows, one client, a second", figures.Number(float64(b.scale)*100000)), "statement", names...)
	for _, w := range pgbench.Analytic {
		if err := b.turns(read, w, []int{1}, targets); err != nil {
			return err
		}
	}
	if err := b.verify(lc); err != nil {
		return err
	}
	return b.restarts(start, mem, lc)
}

// restarts measures a layercake node that starts with data.
func (b *bench) restarts(start, mem *table, lc *system) error {
	s := lc.servers[0]
	if err := s.stop(s.sig); err != nil {
		return err
	}
	again, _, err := b.startNode(s.name, s.dir, "")
	if err != nil {
		return err
	}
	lc.servers[0] = again
	row := start.row(fmt.Sprintf("with %s rows and their log", figures.Number(float64(b.scale)*100000)))
	row.values[1] = figures.Samples{again.ran.Seconds()}
	n, err := memory(again.pid())
	if err != nil {
		return err
	}
	mem.row("started anew with these rows").values[1] = figures.Samples{float64(n) / mib}
	return nil
}

// cluster compares three nodes with PostgreSQL and two synchronous standbys.
func (b *bench) cluster() (err error) {
	pg, err := b.startPostgres("synchronous PostgreSQL", 2)
	if err != nil {
		return err
	}
	defer stopping(pg, &err)
	lc, err := b.startLayercake("layercake three nodes", 3)
	if err != nil {
		return err
	}
	defer stopping(lc, &err)
	loads := []target{{pg, "PostgreSQL, two synchronous standbys", ""}, {lc, "layercake, three nodes", ""}}
	copies := b.report.table("Three nodes: COPY, rows/s", "what", loads[0].column, loads[1].column)
	applied := figures.Samples{}
	err = b.load(copies, loads, func(round, i int, began time.Time) error {
		if !loads[i].layercake {
			return nil
		}
		if err := b.everywhere(lc); err != nil {
			return err
		}
		applied = append(applied, float64(b.scale)*100000/time.Since(began).Seconds())
		return nil
	})
	if err != nil {
		return err
	}
	copies.row("the same, until readable on every node, primary key included").values[1] = applied
	if err := b.copyFile(copies, loads); err != nil {
		return err
	}
	targets := []target{loads[0], {lc, "layercake, consistency=quorum", "-c consistency=quorum"}, {lc, "layercake, defaults (write quorum, read none)", ""}}
	tab := b.report.table("Three nodes: transactions/s, median (least–greatest)", "workload, clients", targets[0].column, targets[1].column, targets[2].column)
	for _, w := range []pgbench.Workload{pgbench.Selects, pgbench.TPCB} {
		if err := b.turns(tab, w, b.clients, targets); err != nil {
			return err
		}
	}
	for _, sys := range []*system{pg, lc} {
		if err := b.books(sys, false); err != nil {
			return err
		}
	}
	if err := b.turns(tab, pgbench.Updates, b.clients, targets); err != nil {
		return err
	}
	for _, sys := range []*system{pg, lc} {
		if err := b.books(sys, true); err != nil {
			return err
		}
	}
	if err := b.writes(tab, targets); err != nil {
		return err
	}
	s, err := b.lag(lc)
	if err != nil {
		return err
	}
	lag := b.report.table(fmt.Sprintf("Commit on one node to readable by a client of another, milliseconds, %s rows", figures.Number(float64(len(s)))), "percentile", "layercake")
	for _, p := range []float64{50, 90, 99, 100} {
		lag.row(fmt.Sprintf("p%g", p)).values[0] = figures.Samples{s.Percentile(p)}
	}
	return b.verify(lc)
}

package main

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/nodes"
	"layercake/bench/internal/pgbench"
)

// workload is what clients of the first node do.
type workload struct {
	pgbench.Workload
	clients int
	options string // PGOPTIONS
	unit    string // what is counted
	before  func(*run, nodes.Cluster) error
	drive   func(*run, nodes.Cluster, workload) (done, rate float64, err error)
}

func (r *run) with(w pgbench.Workload, clients int, options string) workload {
	return workload{Workload: w, clients: clients, options: options, unit: "transaction", drive: (*run).script}
}

// single are the workloads of one node. The COPY of the first makes the rows of the others.
func (r *run) single() []workload {
	rows := fmt.Sprintf("COPY of %s rows in one transaction (`pgbench -i`)", figures.Number(float64(r.scale)*100_000))
	load := workload{Workload: pgbench.Workload{Name: rows}, clients: 1, unit: "row", drive: (*run).copies}
	reads := r.with(pgbench.Selects, r.clients, "")
	reads.before = (*run).finishLoad
	inserts := r.with(pgbench.Inserts, r.clients, "")
	inserts.before = (*run).writeTables
	all := []workload{load, reads, r.with(pgbench.SelectsSimple, r.clients, ""), r.with(pgbench.TPCB, r.clients, ""),
		r.with(pgbench.Updates, r.clients, ""), inserts, r.with(pgbench.Upserts, r.clients, "")}
	for _, w := range pgbench.Analytic {
		all = append(all, r.with(w, 1, ""))
	}
	return all
}

// cluster are the workloads of three nodes.
func (r *run) cluster() []workload {
	const quorum = "-c consistency=quorum"
	reads, updates := r.with(pgbench.Selects, r.clients, quorum), r.with(pgbench.Updates, r.clients, quorum)
	reads.Name += ", at `consistency=quorum`"
	reads.before = (*run).load
	updates.Name += ", at `consistency=quorum`"
	inserts := r.with(pgbench.Inserts, r.clients, "")
	inserts.before = (*run).writeTables
	return []workload{reads, updates, inserts}
}

// program runs one of PostgreSQL's client programs against the first node.
func (r *run) program(c nodes.Cluster, options, name string, args ...string) (string, error) {
	_, port, err := net.SplitHostPort(c[0].PG)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(r.Ctx, name, args...)
	cmd.Env, cmd.Dir = slices.Concat(r.env, pgbench.Session(port, options)), r.Dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// settle is the time that a load has to be checkpointed in, and its memory given back.
const settle = 3 * time.Second

func (r *run) initialize(c nodes.Cluster, steps string) error {
	_, err := r.program(c, "", "pgbench", "-i", "-q", "-I", steps, "-s", strconv.Itoa(r.scale))
	if err == nil {
		time.Sleep(settle)
	}
	return err
}

// load makes pgbench's tables; finishLoad gives those of the last COPY what pgbench gives them after it.
func (r *run) load(c nodes.Cluster) error       { return r.initialize(c, "dtgvp") }
func (r *run) finishLoad(c nodes.Cluster) error { return r.initialize(c, "vp") }

func (r *run) writeTables(c nodes.Cluster) error {
	conn, err := r.Connect(c[0], "")
	if err != nil {
		return err
	}
	defer conn.Close(r.Ctx)
	for _, sql := range pgbench.WriteTables {
		if _, err := conn.Exec(r.Ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// warm is how long a workload runs before it is profiled, and after.
const warm = time.Second

// whole is how long a workload runs.
func (r *run) whole() time.Duration { return time.Duration(r.seconds)*time.Second + 2*warm }

// script runs a workload in pgbench.
func (r *run) script(c nodes.Cluster, w workload) (done, rate float64, err error) {
	from, err := w.Args(r.Dir)
	if err != nil {
		return 0, 0, err
	}
	out, err := r.program(c, w.options, "pgbench", append(from, "-n", "-M", w.Mode, "-c", strconv.Itoa(w.clients),
		"-j", strconv.Itoa(min(w.clients, 2)), "-T", strconv.Itoa(int(r.whole().Seconds())))...)
	if err != nil {
		return 0, 0, err
	}
	res, err := pgbench.Parse(out)
	if err == nil && res.Failed > 0 {
		err = fmt.Errorf("%d transactions failed:\n%s", res.Failed, out)
	}
	return float64(res.Processed), res.TPS, err
}

// copies loads pgbench's tables again and again.
func (r *run) copies(c nodes.Cluster, _ workload) (done, rate float64, err error) {
	var took time.Duration
	for began := time.Now(); time.Since(began) < r.whole(); {
		out, err := r.program(c, "", "pgbench", "-i", "-q", "-I", "dtg", "-s", strconv.Itoa(r.scale))
		if err != nil {
			return 0, 0, err
		}
		t, err := pgbench.ParseLoad(out)
		if err != nil {
			return 0, 0, err
		}
		took += t
		done += float64(r.scale) * 100_000
	}
	return done, done / took.Seconds(), nil
}

// profile runs a workload, and profiles the node that its clients are on, and of the others that which does most.
func (r *run) profile(c nodes.Cluster, w workload) (outcome, error) {
	o := outcome{workload: w, of: len(c)}
	before, err := processors(c)
	if err != nil {
		return o, err
	}
	var done float64
	var failed error
	var driving sync.WaitGroup
	driving.Go(func() { done, o.rate, failed = w.drive(r, c, w) })
	time.Sleep(warm)
	taken, err := r.fetch(c)
	driving.Wait()
	after, perr := processors(c)
	if err := errors.Join(failed, err, perr); err != nil {
		return o, err
	}
	if done == 0 {
		return o, errors.New("nothing was done")
	}
	for i := range c {
		o.processor += micros(after[i]-before[i]) / done
	}
	look := func(i, waiting int) {
		seconds := time.Duration(r.seconds) * time.Second
		p := evaluate(taken[i], o.rate, seconds*time.Duration(waiting))
		p.name, p.processor = c[i].Name, micros(after[i]-before[i])/done
		o.nodes = append(o.nodes, p)
	}
	look(0, w.clients)
	if len(c) > 1 {
		most := 1
		for i := range c[1:] {
			if taken[i+1].processor > taken[most].processor {
				most = i + 1
			}
		}
		look(most, 1)
	}
	return o, nil
}

// processors is each node's processor time so far.
func processors(c nodes.Cluster) ([]time.Duration, error) {
	var out []time.Duration
	for _, n := range c {
		d, err := nodes.Cluster{n}.Processor()
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func micros(d time.Duration) float64 { return float64(d) / 1000 }

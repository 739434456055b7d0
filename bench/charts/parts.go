package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"layercake/bench/internal/figures"
	"layercake/bench/internal/nodes"
)

const (
	someClients = 8
	someRows    = 100_000 // of the tables whose number of rows is not what is looked at
	leastRows   = 10_000
	someLetters = 100
	loadEach    = 500_000
	apart       = 1 << 20 // the distance of two loaded keys: rows are inserted between them
	settle      = 3 * time.Second
)

// with starts a cluster of n nodes, and stops it when the work is done.
func (r *run) with(n int, work func(nodes.Cluster, *pgx.Conn) error) (err error) {
	c, err := r.Cluster(n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.End()) }()
	if err := r.BootAll(c); err != nil {
		return err
	}
	conn, err := r.Connect(c[0], "")
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	return work(c, conn)
}

// table creates a table with so many rows, and gives what they cost the node a moment to go by.
func (r *run) table(conn *pgx.Conn, name string, rows, letters int) error {
	if _, err := conn.Exec(r.Ctx, "CREATE TABLE "+name+" (id int8 PRIMARY KEY, v text NOT NULL)"); err != nil || rows == 0 {
		return err
	}
	if err := r.Load(conn, name, &nodes.Rows{Count: rows, Step: apart, Letters: letters}, loadEach); err != nil {
		return err
	}
	return r.pause(settle)
}

func (r *run) pause(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-r.Ctx.Done():
		return context.Cause(r.Ctx)
	}
}

// operation is a prepared statement, and what a client does with it again and again.
type operation struct {
	sql string
	do  func(ctx context.Context, conn *pgx.Conn) error
}

const prepared = "operation"

// selects reads a row by its key.
func selects(table string, key func() int64) operation {
	return operation{"SELECT v FROM " + table + " WHERE id = $1", func(ctx context.Context, conn *pgx.Conn) error {
		var v string
		return conn.QueryRow(ctx, prepared, key()).Scan(&v)
	}}
}

// updates writes to a row by its key.
func updates(table string, key func() int64, v func() string) operation {
	return operation{"UPDATE " + table + " SET v = $2 WHERE id = $1", func(ctx context.Context, conn *pgx.Conn) error {
		return one(conn.Exec(ctx, prepared, key(), v()))
	}}
}

// inserts adds a row.
func inserts(table string, key func() int64, v func() string) operation {
	return operation{"INSERT INTO " + table + " VALUES ($1, $2)", func(ctx context.Context, conn *pgx.Conn) error {
		return one(conn.Exec(ctx, prepared, key(), v()))
	}}
}

// one is the error of a statement that must touch one row.
func one(tag interface{ RowsAffected() int64 }, err error) error {
	if err == nil && tag.RowsAffected() != 1 {
		return fmt.Errorf("%d rows instead of one", tag.RowsAffected())
	}
	return err
}

// loaded is a key of a table's first rows.
func loaded(rows int) func() int64 { return func() int64 { return rand.Int64N(int64(rows)) * apart } }

// fresh is a key that no row has, anywhere between those loaded.
func fresh(rows int) func() int64 {
	var n atomic.Int64
	return func() int64 { return rand.Int64N(int64(rows))*apart + 1 + n.Add(1)%(apart-1) }
}

// random makes values of so many letters that cannot be packed.
func random(letters int) func() string {
	some := make([]byte, letters+1<<16)
	for i := range some {
		some[i] = byte('a' + rand.IntN(26))
	}
	all := string(some)
	return func() string {
		from := rand.IntN(1 << 16)
		return all[from : from+letters]
	}
}

// measure is a point: the medians of the rounds.
func (r *run) measure(all nodes.Cluster, x float64, clients int, op operation) (point, error) {
	var rates, p99s, cpus figures.Samples
	for range r.rounds {
		took, cpu, err := r.drive(all, clients, op)
		if err == nil && len(took) == 0 {
			err = fmt.Errorf("nothing was done within %g s", r.seconds)
		}
		if err != nil {
			return point{}, fmt.Errorf("%s, %d clients: %w", op.sql, clients, err)
		}
		n := float64(len(took))
		rates, p99s, cpus = append(rates, n/r.seconds), append(p99s, took.Percentile(99)), append(cpus, ms(cpu)*1000/n)
	}
	return point{x, rates.Median(), p99s.Median(), cpus.Median()}, nil
}

// drive has clients of the first node repeat an operation. It gives how long each took in milliseconds, and the processor
// time of all nodes, the warm-up left out.
func (r *run) drive(all nodes.Cluster, clients int, op operation) (done figures.Samples, cpu time.Duration, err error) {
	conns := make([]*pgx.Conn, clients)
	for i := range conns {
		conn, err := r.Connect(all[0], "")
		if err != nil {
			return nil, 0, err
		}
		defer conn.Close(context.Background())
		if _, err := conn.Prepare(r.Ctx, prepared, op.sql); err != nil {
			return nil, 0, err
		}
		conns[i] = conn
	}
	ctx, fail := context.WithCancelCause(r.Ctx)
	defer fail(nil)
	took := make([]figures.Samples, clients)
	seconds := time.Duration(r.seconds * float64(time.Second))
	warm := time.Now().Add(seconds / 4)
	end := warm.Add(seconds)
	var after time.Duration
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			for began := time.Now(); began.Before(end); {
				if err := op.do(ctx, conn); err != nil {
					fail(err)
					return
				}
				now := time.Now()
				if began.After(warm) && now.Before(end) {
					took[i] = append(took[i], ms(now.Sub(began)))
				}
				began = now
			}
		})
	}
	time.Sleep(time.Until(warm))
	before, err := all.Processor()
	wg.Wait()
	if err == nil {
		after, err = all.Processor()
	}
	for _, t := range took {
		done = append(done, t...)
	}
	return done, after - before, errors.Join(err, context.Cause(ctx))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// line is a series with what it is measured by.
type line struct {
	*series
	operation
}

// add measures a point of each line, one after the other.
func (r *run) add(all nodes.Cluster, x, clients int, lines ...line) error {
	for _, l := range lines {
		p, err := r.measure(all, float64(x), clients, l.operation)
		if err != nil {
			return err
		}
		l.points = append(l.points, p)
	}
	return nil
}

// The panels that most charts have.
var (
	rate    = panel{"operations/s", func(p point) float64 { return p.rate }}
	latency = panel{"p99, ms", func(p point) float64 { return p.p99 }}
)

func (r *run) clients() (*chart, error) {
	c := &chart{title: "Clients: rows by key in a table of 100,000", quantity: "clients", step: plain, panels: []panel{rate, latency}, of: "an operation"}
	for _, n := range []struct {
		nodes int
		name  string
	}{{1, "one node"}, {3, "three nodes"}} {
		read := &series{name: "SELECT, " + n.name, hue: 0, dashed: n.nodes > 1}
		write := &series{name: "INSERT, " + n.name, hue: 1, dashed: n.nodes > 1}
		c.series = append(c.series, read, write)
		if err := r.with(n.nodes, func(all nodes.Cluster, conn *pgx.Conn) error {
			if err := r.table(conn, "t", someRows, someLetters); err != nil {
				return err
			}
			next := fresh(someRows)
			for clients := 1; clients <= 256; clients *= 2 {
				if err := r.add(all, clients, clients, line{read, selects("t", loaded(someRows))},
					line{write, inserts("t", next, random(someLetters))}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *run) growingTable() (*chart, error) {
	read, update := &series{name: "SELECT", hue: 0}, &series{name: "UPDATE", hue: 2}
	anywhere, end := &series{name: "INSERT anywhere", hue: 1}, &series{name: "INSERT at the end", hue: 1, dashed: true}
	c := &chart{title: "Rows: by key, one node, 8 clients", quantity: "rows in the table", step: plain,
		panels: []panel{rate, latency}, of: "an operation", series: []*series{read, update, anywhere, end}}
	return c, r.with(1, func(all nodes.Cluster, conn *pgx.Conn) error {
		for rows := leastRows; rows <= r.rows; rows *= 10 {
			t := fmt.Sprintf("t%d", rows)
			if err := r.table(conn, t, rows, 10); err != nil {
				return err
			}
			var last atomic.Int64
			last.Store(int64(rows) * apart)
			// INSERTs come last: they make the table longer.
			if err := r.add(all, rows, someClients, line{read, selects(t, loaded(rows))}, line{update, updates(t, loaded(rows), random(10))},
				line{anywhere, inserts(t, fresh(rows), random(10))},
				line{end, inserts(t, func() int64 { return last.Add(1) }, random(10))}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *run) rowSize() (*chart, error) {
	read, write := &series{name: "SELECT", hue: 0}, &series{name: "INSERT", hue: 1}
	c := &chart{title: "Size of a row: by key, one node, 8 clients", quantity: "bytes of a row's text", step: size,
		panels: []panel{{"rows/s", rate.value}, {"MB/s", func(p point) float64 { return p.rate * p.x / 1e6 }}, latency},
		of:     "a row", series: []*series{read, write}}
	return c, r.with(1, func(all nodes.Cluster, conn *pgx.Conn) error {
		for bytes := 10; bytes <= 100_000; bytes *= 10 {
			t := fmt.Sprintf("t%d", bytes)
			if err := r.table(conn, t, 0, 0); err != nil {
				return err
			}
			var next atomic.Int64
			if err := r.add(all, bytes, someClients, line{write, inserts(t, func() int64 { return next.Add(1) }, random(bytes))}); err != nil {
				return err
			}
			if err := r.pause(settle); err != nil {
				return err
			}
			if err := r.add(all, bytes, someClients, line{read, selects(t, func() int64 { return 1 + rand.Int64N(next.Load()) })}); err != nil {
				return err
			}
		}
		return nil
	})
}

// size prints bytes with their unit.
func size(bytes float64) string {
	if bytes >= 1000 {
		return plain(bytes/1000) + " kB"
	}
	return plain(bytes) + " B"
}

func (r *run) moreNodes() (*chart, error) {
	read, write := &series{name: "SELECT", hue: 0}, &series{name: "INSERT", hue: 1}
	c := &chart{title: "Nodes: rows by key in a table of 100,000, 8 clients of the first node", quantity: "nodes", step: plain, linear: true,
		panels: []panel{rate, latency}, of: "an operation", series: []*series{read, write}}
	for _, n := range []int{1, 3, 5} {
		if err := r.with(n, func(all nodes.Cluster, conn *pgx.Conn) error {
			if err := r.table(conn, "t", someRows, someLetters); err != nil {
				return err
			}
			return r.add(all, n, someClients, line{read, selects("t", loaded(someRows))},
				line{write, inserts("t", fresh(someRows), random(someLetters))})
		}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *run) batches() (*chart, error) {
	s := &series{name: "COPY", hue: 0}
	c := &chart{title: "Rows of a transaction: COPY by 8 clients of one node of three, until another shows the rows", quantity: "rows of a transaction", step: plain,
		panels: []panel{{"rows/s readable on a peer", rate.value}, {"p99 until readable on a peer, ms", latency.value}},
		of:     "a row", series: []*series{s}}
	return c, r.with(3, func(all nodes.Cluster, conn *pgx.Conn) error {
		if err := r.table(conn, "t", 0, 0); err != nil {
			return err
		}
		var next atomic.Int64
		for batch := 1; batch <= 100_000; batch *= 10 {
			var rates, p99s, cpus figures.Samples
			if _, _, _, err := r.apply(all, batch, r.seconds/4, &next); err != nil { // warms up
				return err
			}
			for range r.rounds {
				rate, seen, cpu, err := r.apply(all, batch, r.seconds, &next)
				if err != nil {
					return err
				}
				rates, p99s, cpus = append(rates, rate), append(p99s, seen.Percentile(99)), append(cpus, cpu)
			}
			s.points = append(s.points, point{float64(batch), rates.Median(), p99s.Median(), cpus.Median()})
		}
		return nil
	})
}

// apply has clients of the first node copy transactions of batch rows. It gives how many rows a second the second node
// came to show, how many milliseconds passed between the beginning of a COPY and that, of every transaction or of every
// sixteenth row where transactions are small, so that asking is not what is measured, and the processor time of all nodes
// for a row in microseconds.
func (r *run) apply(all nodes.Cluster, batch int, seconds float64, next *atomic.Int64) (rate float64, seen figures.Samples, cpu float64, err error) {
	ctx, fail := context.WithCancelCause(r.Ctx)
	defer fail(nil)
	look := max(1, 16/batch)
	var rows atomic.Int64
	took := make([]figures.Samples, someClients)
	conns := make([][2]*pgx.Conn, someClients)
	for i := range conns {
		for j := range conns[i] {
			conn, err := r.Connect(all[j], "consistency_timeout=5min")
			if err != nil {
				return 0, nil, 0, err
			}
			defer conn.Close(context.Background())
			conns[i][j] = conn
		}
	}
	before, err := all.Processor()
	if err != nil {
		return 0, nil, 0, err
	}
	start := time.Now()
	end := start.Add(time.Duration(seconds * float64(time.Second)))
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			for n, more := 1, true; more; n++ {
				began := time.Now()
				last := next.Add(int64(batch)) - 1
				data := &nodes.Rows{Next: int(last) - batch + 1, Count: batch, Letters: someLetters}
				if _, err := conn[0].PgConn().CopyFrom(ctx, data, "COPY t FROM STDIN"); err != nil {
					fail(err)
					return
				}
				rows.Add(int64(batch))
				more = time.Now().Before(end)
				if more && n%look != 0 {
					continue
				}
				if err := shows(ctx, conn[0], conn[1], last); err != nil {
					fail(err)
					return
				}
				took[i] = append(took[i], ms(time.Since(began)))
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start).Seconds()
	for _, t := range took {
		seen = append(seen, t...)
	}
	after, err := all.Processor()
	n := float64(rows.Load())
	return n / elapsed, seen, ms(after-before) * 1000 / n, errors.Join(err, context.Cause(ctx))
}

// shows waits until the other node has what the session did, and reads a row of it there.
func shows(ctx context.Context, session, other *pgx.Conn, id int64) error {
	var token string
	if err := session.QueryRow(ctx, "SELECT layercake.session_token()").Scan(&token); err != nil {
		return err
	}
	if _, err := other.Exec(ctx, "SELECT layercake.wait_for($1)", token); err != nil {
		return err
	}
	var v string
	return other.QueryRow(ctx, "SELECT v FROM t WHERE id = $1", id).Scan(&v)
}

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var benchOptions = []option{
	{name: "url", many: true, help: "postgres://user@host:port/database of a node; given more than once, the clients are spread over the nodes"},
	{name: "clients", def: "8", help: "connections, each with one statement at a time"},
	{name: "seconds", def: "10", help: "how long to run"},
	{name: "consistency", help: "level of the statements; the node's own default when not given"},
	{name: "reads", def: "50", help: "percentage of statements that read"},
	{name: "rows", def: "10000", help: "rows of the table"},
}

// benchGrace is how long statements under way may take to their end when the time is over, and the table's removal.
const benchGrace = 10 * time.Second

// benchBytes is the length of each row's text.
const benchBytes = 100

// bench is a load of single-row statements on a table of its own.
type bench struct {
	urls        []string
	clients     int
	seconds     int
	reads       int // per cent
	rows        int
	consistency string
	table       string
	token       string // what every client must see first
}

// runBench measures how many single-row SELECTs and UPDATEs a second clients get, and how long each takes.
func runBench(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	o, err := parseOptions("bench", benchOptions, args, getenv, stdout)
	if err != nil {
		return err
	}
	b := &bench{urls: o.list("url"), consistency: o.get("consistency"), table: fmt.Sprintf("layercake_bench_%08x", rand.Uint32())}
	if len(b.urls) == 0 {
		b.urls = []string{""} // libpq's variables
	}
	for _, f := range []struct {
		name       string
		to         *int
		least, top int
	}{{"clients", &b.clients, 1, 10000}, {"seconds", &b.seconds, 1, 86400}, {"reads", &b.reads, 0, 100}, {"rows", &b.rows, 1, 10_000_000}} {
		if *f.to, err = strconv.Atoi(o.get(f.name)); err != nil || *f.to < f.least || *f.to > f.top {
			return usageError(fmt.Sprintf("--%s: %q is not a number from %d to %d", f.name, o.get(f.name), f.least, f.top))
		}
	}
	return b.run(ctx, stdout)
}

func (b *bench) run(ctx context.Context, stdout io.Writer) (err error) {
	conn, err := b.connect(ctx, 0)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	defer func() { err = errors.Join(err, b.drop(conn)) }()
	if err := b.load(ctx, conn); err != nil {
		return err
	}
	conns := make([]*client, b.clients)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close(context.Background())
			}
		}
	}()
	for i := range conns {
		if conns[i], err = b.connect(ctx, i); err != nil {
			return err
		}
	}
	level, err := conns[0].one(ctx, "SELECT current_setting('read_consistency') || '/' || current_setting('write_consistency')")
	if err != nil {
		return err
	}

	work, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop, over := context.WithTimeout(ctx, time.Duration(b.seconds)*time.Second)
	defer over()
	context.AfterFunc(stop, func() { time.AfterFunc(benchGrace, cancel) })
	tallies := make([]tally, b.clients)
	var wg sync.WaitGroup
	began := time.Now()
	for i := range tallies {
		wg.Go(func() { conns[i] = b.client(stop, work, i, conns[i], &tallies[i]) })
	}
	wg.Wait()
	took := time.Since(began)
	sum := &tallies[0]
	for i := range tallies[1:] {
		sum.add(&tallies[i+1])
	}
	if err := b.report(stdout, sum, took, string(level[0])); err != nil {
		return err
	}
	if len(sum.errors) > 0 {
		return exitCode(1)
	}
	return nil
}

func (b *bench) connect(ctx context.Context, client int) (*client, error) {
	conn, err := connect(ctx, b.urls[client%len(b.urls)], func(c *pgconn.Config) { c.RuntimeParams["application_name"] = "layercake bench" })
	if err != nil {
		return nil, err
	}
	if b.consistency != "" {
		_, err = conn.query(ctx, "SELECT set_config('consistency', $1, false)", b.consistency)
	}
	if err == nil && b.token != "" {
		_, err = conn.query(ctx, "SELECT layercake.wait_for($1)", b.token)
	}
	if err != nil {
		conn.Close(context.Background())
		return nil, err
	}
	return conn, nil
}

// load makes the table.
func (b *bench) load(ctx context.Context, conn *client) error {
	if _, err := conn.query(ctx, "CREATE TABLE "+b.table+" (id int PRIMARY KEY, v text NOT NULL)"); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		buf := bufio.NewWriter(w)
		for i := range b.rows {
			fmt.Fprintf(buf, "%d\t%s\n", i+1, b.text())
		}
		w.CloseWithError(buf.Flush()) // nil is io.EOF
	}()
	_, err := conn.CopyFrom(ctx, r, "COPY "+b.table+" FROM STDIN")
	r.Close()
	if err != nil {
		return err
	}
	token, err := conn.one(ctx, "SELECT layercake.session_token()")
	if err != nil {
		return err
	}
	b.token = string(token[0])
	return nil
}

func (b *bench) text() string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	var s strings.Builder
	for range benchBytes {
		s.WriteByte(letters[rand.IntN(len(letters))])
	}
	return s.String()
}

// drop removes the table, also after Ctrl-C and through another connection when the first is gone.
func (b *bench) drop(conn *client) error {
	ctx, cancel := context.WithTimeout(context.Background(), benchGrace)
	defer cancel()
	var errs []error
	for i := -1; i < len(b.urls); i++ {
		c, err := conn, error(nil)
		if i >= 0 {
			if c, err = connect(ctx, b.urls[i], nil); err != nil {
				errs = append(errs, err)
				continue
			}
			defer c.Close(context.Background())
		}
		if _, err = c.query(ctx, "DROP TABLE IF EXISTS "+b.table); err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("the table %s could not be dropped: %w", b.table, errors.Join(errs...))
}

// client runs statements until stop ends; those under way are given up when work ends. It returns its connection, nil
// when it has none.
func (b *bench) client(stop, work context.Context, i int, conn *client, t *tally) *client {
	t.errors = map[string]int{}
	text := []byte(b.text())
	read, write := "SELECT v FROM "+b.table+" WHERE id = $1", "UPDATE "+b.table+" SET v = $2 WHERE id = $1"
	prepare := func(err error) error {
		for _, s := range []struct{ name, sql string }{{"read", read}, {"write", write}} {
			if err == nil {
				_, err = conn.Prepare(stop, s.name, s.sql, nil)
			}
		}
		return err
	}
	for ready := false; stop.Err() == nil; {
		if !ready || conn.IsClosed() {
			var err error
			if conn == nil || conn.IsClosed() {
				conn, err = b.connect(stop, i)
			}
			if err = prepare(err); err != nil {
				if conn != nil {
					conn.Close(context.Background())
				}
				if stop.Err() == nil {
					t.fail(err)
					select {
					case <-time.After(100 * time.Millisecond):
					case <-stop.Done():
					}
				}
				continue
			}
			ready = true
		}
		id := strconv.AppendInt(nil, int64(rand.IntN(b.rows)+1), 10)
		began := time.Now()
		var r *pgconn.Result
		to := &t.reads
		if rand.IntN(100) < b.reads {
			r = conn.ExecPrepared(work, "read", [][]byte{id}, nil, nil).Read()
		} else {
			to = &t.writes
			r = conn.ExecPrepared(work, "write", [][]byte{id, text}, nil, nil).Read()
		}
		if r.Err != nil {
			t.fail(r.Err)
			continue
		}
		if to == &t.reads && len(r.Rows) != 1 {
			t.errors[fmt.Sprintf("%d rows have one id", len(r.Rows))]++
			continue
		}
		to.add(time.Since(began))
	}
	return conn
}

// tally is what one client, or all together, have seen.
type tally struct {
	reads, writes latencies
	errors        map[string]int // by SQLSTATE and message
}

func (t *tally) fail(err error) {
	what := "no answer"
	var e *pgconn.PgError
	if errors.As(err, &e) {
		what = e.Code + " " + e.Message
	}
	t.errors[what]++
}

func (t *tally) add(o *tally) {
	t.reads.merge(&o.reads)
	t.writes.merge(&o.writes)
	for what, n := range o.errors {
		t.errors[what] += n
	}
}

// latencies is a histogram whose buckets are 2% wide.
type latencies struct {
	buckets [1200]int // from a microsecond to some hours
	n       int
	top     time.Duration
}

const latencyStep = 1.02

func (l *latencies) add(d time.Duration) {
	i := int(math.Log(max(float64(d)/float64(time.Microsecond), 1)) / math.Log(latencyStep))
	l.buckets[min(i, len(l.buckets)-1)]++
	l.n++
	l.top = max(l.top, d)
}

func (l *latencies) merge(o *latencies) {
	for i, n := range o.buckets {
		l.buckets[i] += n
	}
	l.n += o.n
	l.top = max(l.top, o.top)
}

// percentile is the upper bound of the bucket in which the statement is that at least p per cent were not slower than.
func (l *latencies) percentile(p float64) time.Duration {
	want, seen := int(math.Ceil(p/100*float64(l.n))), 0
	for i, n := range l.buckets {
		if seen += n; seen >= want && n > 0 {
			return min(time.Duration(math.Pow(latencyStep, float64(i+1))*float64(time.Microsecond)), l.top)
		}
	}
	return 0
}

func (b *bench) report(stdout io.Writer, t *tally, took time.Duration, level string) error {
	fmt.Fprintf(stdout, "%d client(s) on %d node(s), %.1f s, read/write consistency %s, %d rows of %d bytes\n\n", b.clients, len(b.urls), took.Seconds(), level, b.rows, benchBytes)
	tw := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tstatements\tper second\tp50 ms\tp95 ms\tp99 ms\tp99.9 ms\tmax ms\t")
	for _, r := range []struct {
		what string
		l    *latencies
	}{{"reads", &t.reads}, {"writes", &t.writes}} {
		fmt.Fprintf(tw, "%s\t%d\t%.0f\t", r.what, r.l.n, float64(r.l.n)/took.Seconds())
		for _, p := range []float64{50, 95, 99, 99.9, 100} {
			fmt.Fprintf(tw, "%.2f\t", float64(r.l.percentile(p).Microseconds())/1000)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, what := range slices.Sorted(maps.Keys(t.errors)) {
		fmt.Fprintf(stdout, "%d failed: %s\n", t.errors[what], what)
	}
	return nil
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// long says that the faults are to run in their long form (`make faults`).
var long = os.Getenv("LAYERCAKE_FAULTS") == "long"

// either picks the short or the long form of a figure.
func either[T any](short, longer T) T {
	if long {
		return longer
	}
	return short
}

// fate is what a client was told of one write.
type fate uint8

const (
	unknown fate = iota // no answer, or one that does not say: it may be there or not, but never by half
	acked               // its level was reached
	kept                // 40003: it is written where it was made, and spreads
	refused             // an error that promises that nothing was written
)

// fates are the answers that a write may get, by SQLSTATE. Any other is a fault of its own.
var fates = map[string]fate{
	"40003": kept,
	"53000": refused, // too few members reachable
	"53100": refused, // disk full
	"57P03": refused, // starting or stopping
	"57P01": unknown, // the session was ended
}

// loader is one client that inserts a row at a time at one level, and remembers what it was told of each.
type loader struct {
	load  *load
	id    int
	level string
	nodes []*node // where it connects; on a lost connection it goes on with the next

	fates []fate // by number of the write
	conn  *pgx.Conn
	at    int

	acks    atomic.Int64
	told    atomic.Int64 // the key of the last write that was acknowledged
	lastAck time.Time
	gap     time.Duration // longest time between two acknowledgements since the last call of resetGap
	mu      sync.Mutex    // protects lastAck, gap and codes
	codes   map[string]int
}

// load is a set of clients that write for as long as it runs.
type load struct {
	t        *testing.T
	timeout  string // consistency_timeout
	row      atomic.Pointer[string]
	loaders  []*loader
	watchers []*watcher
	stopped  context.CancelFunc
	wg       sync.WaitGroup
}

// pairEvery: every such write is a transaction of two statements, whose rows must be there both or not at all.
const pairEvery = 8

// loadTables makes the tables that a load writes to.
func loadTables(t *testing.T, n *node) {
	t.Helper()
	conn := dialNode(t, n, "consistency=all")
	eventually(t, conn, "t", "SELECT count(*) = count(*) FILTER (WHERE state = 'alive') FROM layercake.nodes")
	exec(t, conn, "CREATE TABLE kv (k bigint PRIMARY KEY, v text)")
	exec(t, conn, "CREATE TABLE pair (k bigint PRIMARY KEY)")
}

// newLoad prepares a load. Its clients are added by client, and write from start to stop.
func newLoad(t *testing.T) *load {
	l := &load{t: t, timeout: "1s"}
	l.value("x")
	return l
}

// value sets what the rows hold from now on.
func (l *load) value(v string) { l.row.Store(&v) }

// client adds a client that writes at a level through the first of the nodes that answers.
func (l *load) client(level string, nodes ...*node) *loader {
	c := &loader{load: l, id: len(l.loaders) + 1, level: level, nodes: nodes, codes: map[string]int{}}
	l.loaders = append(l.loaders, c)
	return c
}

// everywhere adds clients at each of the levels on each of the nodes.
func (l *load) everywhere(nodes []*node, each int, levels ...string) {
	for _, n := range nodes {
		for _, level := range levels {
			for range each {
				l.client(level, n)
			}
		}
	}
}

func (l *load) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stopped = cancel
	l.t.Cleanup(l.stop)
	for _, c := range l.loaders {
		l.wg.Go(func() { c.run(ctx) })
	}
	for _, w := range l.watchers {
		l.wg.Go(func() { w.run(ctx) })
	}
}

// stop ends the clients, each after the answer to its last write. It may start again.
func (l *load) stop() {
	l.stopped()
	l.wg.Wait()
}

// count is how many writes of some of the clients were acknowledged.
func (l *load) count(of func(*loader) bool) int {
	n := 0
	for _, c := range l.loaders {
		if of(c) {
			n += int(c.acks.Load())
		}
	}
	return n
}

// more waits until n more writes of some of the clients are acknowledged.
func (l *load) more(of func(*loader) bool, n int) {
	l.t.Helper()
	want := l.count(of) + n
	until(l.t, fmt.Sprintf("%d more writes", n), func() error {
		if have := l.count(of); have < want {
			return fmt.Errorf("%d of %d; %s", have, want, l)
		}
		return nil
	})
}

// until asks until there is no error, for as long as a test waits for anything.
func until(t *testing.T, what string, try func() error) time.Duration {
	t.Helper()
	began := time.Now()
	for {
		err := try()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > patience {
			t.Fatalf("%s: %v", what, err)
		}
		<-time.After(5 * time.Millisecond) // between two looks, not for anything to happen
	}
}

// passes lets a fault last for a while.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// patience bounds what a fault test waits for: a machine may be busy with much else.
var patience = either(2*wait, 10*wait)

func (c *loader) run(ctx context.Context) {
	defer func() {
		if c.conn != nil {
			_ = c.conn.Close(context.Background())
			c.conn = nil
		}
	}()
	for ctx.Err() == nil {
		if c.conn == nil || c.conn.IsClosed() {
			if !c.connect(ctx) {
				continue
			}
		}
		i := len(c.fates)
		c.fates = append(c.fates, unknown)
		key := int64(c.id)<<40 | int64(i)
		c.fates[i] = c.learn(c.write(key, i%pairEvery == 0))
		switch c.fates[i] {
		case acked:
			c.told.Store(key)
		case refused:
			pause(ctx)
		}
	}
}

func (c *loader) connect(ctx context.Context) bool {
	dial, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(dial, c.nodes[c.at%len(c.nodes)].url()+"&write_consistency="+c.level+"&consistency_timeout="+c.load.timeout)
	if err == nil {
		c.conn = conn
		return true
	}
	if c.at++; c.at%len(c.nodes) == 0 {
		pause(ctx)
	}
	return false
}

// pause is what a client waits before it tries again, so that refusals do not take the processors from the others.
func pause(ctx context.Context) {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-ctx.Done():
	}
}

// write makes one write. Who stops the load waits for its answer.
func (c *loader) write(key int64, pair bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !pair {
		_, err := c.conn.Exec(ctx, "INSERT INTO kv VALUES ($1, $2)", key, *c.load.row.Load())
		return err
	}
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO kv VALUES ($1, $2)", key, *c.load.row.Load()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO pair VALUES ($1)", key)
		return err
	})
}

// learn makes a fate of an answer.
func (c *loader) learn(err error) fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		now := time.Now()
		if !c.lastAck.IsZero() {
			c.gap = max(c.gap, now.Sub(c.lastAck))
		}
		c.lastAck = now
		c.acks.Add(1)
		return acked
	}
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		c.at++
		c.codes["no answer"]++
		return unknown
	}
	if f, ok := fates[e.Code]; ok {
		c.codes[e.Code]++
		return f
	}
	c.codes["unexpected: "+e.Error()]++
	return unknown
}

// at chooses the clients that write through a node (nil: any) at a level ("": any).
func at(n *node, level string) func(*loader) bool {
	return func(c *loader) bool { return (n == nil || n == c.nodes[0]) && (level == "" || level == c.level) }
}

// code is how often some of the clients got an SQLSTATE.
func (l *load) code(of func(*loader) bool, code string) int {
	n := 0
	for _, c := range l.loaders {
		if of(c) {
			c.mu.Lock()
			n += c.codes[code]
			c.mu.Unlock()
		}
	}
	return n
}

// codes waits until some of the clients have got an SQLSTATE n more times.
func (l *load) codes(of func(*loader) bool, code string, n int) {
	l.t.Helper()
	want := l.code(of, code) + n
	until(l.t, fmt.Sprintf("%d more %s", n, code), func() error {
		if have := l.code(of, code); have < want {
			return fmt.Errorf("%d of %d; %s", have, want, l)
		}
		return nil
	})
}

// resetGap begins a measurement of the longest time between two acknowledgements.
func (c *loader) resetGap() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gap = 0
}

// longestGap is the longest time between two acknowledgements, until now, since resetGap.
func (c *loader) longestGap() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.gap, time.Since(c.lastAck))
}

// String says what the clients were told, by level.
func (l *load) String() string {
	sums := map[string]map[string]int{}
	for _, c := range l.loaders {
		if sums[c.level] == nil {
			sums[c.level] = map[string]int{}
		}
		sums[c.level]["acknowledged"] += int(c.acks.Load())
		c.mu.Lock()
		for code, n := range c.codes {
			sums[c.level][code] += n
		}
		c.mu.Unlock()
	}
	var b strings.Builder
	for _, level := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&b, "%s:", level)
		for _, code := range slices.Sorted(maps.Keys(sums[level])) {
			fmt.Fprintf(&b, " %d %s", sums[level][code], code)
		}
		b.WriteString("; ")
	}
	return b.String()
}

// everything that was acknowledged or is said to be kept must be there: what holds once all nodes are back.
func everything(*loader, fate) bool { return true }

// check compares what a node holds with what the clients were told. promised says which of the writes that were
// acknowledged or kept must be there; one that was refused never may be. It returns how many of those that were not
// promised are not there.
func (l *load) check(n *node, promised func(*loader, fate) bool) (absent int) {
	l.t.Helper()
	for _, c := range l.loaders {
		for code, k := range c.codes {
			if strings.HasPrefix(code, "unexpected") {
				l.t.Errorf("%d writes at %s got an answer that they should not: %s", k, c.level, code)
			}
		}
	}
	have := make([][]bool, len(l.loaders))
	for i, c := range l.loaders {
		have[i] = make([]bool, len(c.fates))
	}
	conn := dialNode(l.t, n, "consistency=none")
	defer conn.Close(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	rows, err := conn.Query(ctx, "SELECT k FROM kv")
	if err != nil {
		l.t.Fatal(err)
	}
	var k int64
	if _, err := pgx.ForEachRow(rows, []any{&k}, func() error {
		c, i := k>>40-1, k&(1<<40-1)
		if c < 0 || int(c) >= len(have) || int(i) >= len(have[c]) {
			return fmt.Errorf("row %d, which nobody wrote", k)
		}
		have[c][i] = true
		return nil
	}); err != nil {
		l.t.Fatalf("%s: %v", n.name(), err)
	}
	lost, invented := map[string]int{}, map[string]int{}
	for i, c := range l.loaders {
		for j, f := range c.fates {
			switch {
			case (f == acked || f == kept) && !have[i][j] && promised(c, f):
				lost[fmt.Sprintf("%s, %s, written through %s", []string{acked: "acknowledged", kept: "kept"}[f], c.level, c.nodes[0].name())]++
			case (f == acked || f == kept) && !have[i][j]:
				absent++
			case f == refused && have[i][j]:
				invented[c.level]++
			}
		}
	}
	for what, k := range lost {
		l.t.Errorf("%s lacks %d writes: %s", n.name(), k, what)
	}
	for level, k := range invented {
		l.t.Errorf("%s holds %d writes at %s whose clients were told that nothing was written", n.name(), k, level)
	}
	got := query(l.t, conn, fmt.Sprintf(`SELECT count(*) FROM (SELECT k FROM kv WHERE (k & %d) %% %d = 0) a
		FULL JOIN pair ON a.k = pair.k WHERE a.k IS NULL OR pair.k IS NULL`, int64(1)<<40-1, pairEvery))
	if got[0][0] != "0" {
		l.t.Errorf("%s shows %s transactions by half", n.name(), got[0][0])
	}
	return absent
}

// survives says what the others must have of the writes of a node that is gone, and all of their own.
func survives(gone *node) func(*loader, fate) bool {
	return func(c *loader, f fate) bool { return c.nodes[0] != gone || f == acked && c.level != "none" }
}

// name is the node's name.
func (n *node) name() string { return n.args[slices.Index(n.args, "--name")+1] }

// equal waits until the given nodes, and no others, answer with equal digests, and returns how long that took.
func equal(t *testing.T, nodes ...*node) time.Duration {
	t.Helper()
	conn := dialNode(t, nodes[0], "consistency=none")
	defer conn.Close(context.Background())
	sql := fmt.Sprintf(`SELECT count(*) FROM (SELECT relation FROM layercake.digests WHERE relation <> '' GROUP BY relation
		HAVING count(DISTINCT digest) > 1 OR count(DISTINCT rows) > 1 OR count(*) <> %d) d`, len(nodes))
	return until(t, "equal digests", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		rows, err := tryQuery(ctx, conn, sql)
		if err != nil {
			return err
		}
		if rows[0][0] != "0" {
			all, err := tryQuery(ctx, conn, "SELECT * FROM layercake.digests")
			return fmt.Errorf("%s relations differ: %v %v", rows[0][0], all, err)
		}
		return nil
	})
}

// well waits until every node takes a write at all: it has its links, and nobody is stuck.
func well(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		conn := dialNode(t, n, "consistency=all")
		until(t, n.name()+" takes a write at all", func() error {
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			_, err := conn.Exec(ctx, "INSERT INTO kv VALUES (-1, '') ON CONFLICT (k) DO UPDATE SET v = ''")
			if err == nil {
				_, err = conn.Exec(ctx, "DELETE FROM kv WHERE k = -1")
			}
			return err
		})
		if err := conn.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// settled stops a load and checks that, with all nodes back, everything holds that its clients were told.
func (l *load) settled(nodes ...*node) {
	l.t.Helper()
	l.stop()
	well(l.t, nodes...)
	equal(l.t, nodes...)
	for _, n := range nodes {
		l.check(n, everything)
	}
	l.t.Logf("%s", l)
	if len(l.watchers) > 0 {
		l.t.Logf("%d reads at quorum saw the last acknowledged write", l.report())
	}
}

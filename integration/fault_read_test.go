package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// watcher is a client of a load that reads, at quorum, the last write that another client was told of at quorum or all,
// through whatever node: it must see it (rule Q1).
type watcher struct {
	load *load
	node *node

	mu    sync.Mutex // protects the following fields
	seen  int
	stale []string
	other map[string]int // answers that a read should not get
}

// watch adds a reader at each of the nodes.
func (l *load) watch(nodes ...*node) {
	for _, n := range nodes {
		l.watchers = append(l.watchers, &watcher{load: l, node: n, other: map[string]int{}})
	}
}

func (w *watcher) run(ctx context.Context) {
	var of []*loader
	for _, c := range w.load.loaders {
		if c.level == "quorum" || c.level == "all" {
			of = append(of, c)
		}
	}
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.Background())
		}
	}()
	for ctx.Err() == nil {
		if conn == nil || conn.IsClosed() {
			dial, cancel := context.WithTimeout(ctx, 5*time.Second)
			c, err := pgx.Connect(dial, w.node.url()+"&read_consistency=quorum&consistency_timeout="+w.load.timeout)
			cancel()
			if conn = c; err != nil {
				pause(ctx)
				continue
			}
		}
		c := of[rand.IntN(len(of))]
		key := c.told.Load() // before the read begins
		if key == 0 {
			pause(ctx)
			continue
		}
		do, cancel := context.WithTimeout(context.Background(), patience)
		var n int
		err := conn.QueryRow(do, "SELECT count(*) FROM kv WHERE k = $1", key).Scan(&n)
		cancel()
		w.learn(key, n, c, err)
		pause(ctx) // it is not to take the processors from those that write
	}
}

func (w *watcher) learn(key int64, n int, c *loader, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var e *pgconn.PgError
	switch {
	case err == nil && n == 1:
		w.seen++
	case err == nil:
		w.stale = append(w.stale, fmt.Sprintf("a quorum read through %s does not see write %d of a client of %s, acknowledged at %s before",
			w.node.name(), key&(1<<40-1), c.nodes[0].name(), c.level))
	case errors.As(err, &e) && e.Code != "53000" && e.Code != "57P01" && e.Code != "57P03":
		w.other[e.Error()]++
	}
}

// report checks what the readers saw, and returns how many reads there were.
func (l *load) report() (reads int) {
	l.t.Helper()
	for _, w := range l.watchers {
		for i, s := range w.stale {
			if i < 3 {
				l.t.Error(s)
			}
		}
		if len(w.stale) > 3 {
			l.t.Errorf("and %d more such reads", len(w.stale)-3)
		}
		for e, n := range w.other {
			l.t.Errorf("%d reads through %s got an answer that they should not: %s", n, w.node.name(), e)
		}
		if w.seen == 0 {
			l.t.Errorf("no read at quorum through %s was answered", w.node.name())
		}
		reads += w.seen
	}
	return reads
}

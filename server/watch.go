package server

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"layercake/catalog"
	"layercake/sqlstore"
)

// divergence looks for replicas that differ, always: the member with the least id of those alive compares the digests
// that all keep with their writes, and each member reads its own rows, slowly, and compares them with its digests, which
// cannot see what changed without a write.
type divergence struct {
	n      *Node
	cancel context.CancelFunc
	loops  sync.WaitGroup

	differing atomic.Int64 // relations whose digests differed when they were last compared
	compared  atomic.Int64 // comparisons made

	mu      sync.Mutex          // protects the following
	changed map[catalog.ID]bool // relations whose rows here are not what was written
	passes  int64               // times that all relations have been read
}

// Of a reader of rows: for each second that it reads it rests so many, and never starts anew at once.
const (
	scanRest   = 20
	scanPause  = 100 * time.Millisecond
	scanRounds = 10 // a pass begins when the digests have been compared so often
)

func (d *divergence) start(n *Node) {
	ctx, cancel := context.WithCancel(context.Background())
	d.n, d.cancel, d.changed = n, cancel, map[catalog.ID]bool{}
	d.loop(ctx, n.cfg.VerifyInterval, d.compare)
	if n.cfg.Dir != "" { // in memory a snapshot is a copy of everything
		d.loop(ctx, scanRounds*n.cfg.VerifyInterval, d.scan)
	}
}

// loop calls f again and again, every time so long after it has returned.
func (d *divergence) loop(ctx context.Context, every time.Duration, f func(context.Context)) {
	d.loops.Go(func() {
		t := time.NewTimer(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
			f(ctx)
			t.Reset(every)
		}
	})
}

func (d *divergence) close() {
	if d.cancel != nil {
		d.cancel()
		d.loops.Wait()
	}
}

// compare compares the digests, if that is this node's turn.
func (d *divergence) compare(ctx context.Context) {
	for _, m := range d.n.repl.Members() {
		if m.State == "alive" && !m.Self && m.ID < d.n.store.Self() {
			d.differing.Store(0)
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rows, err := d.n.digests(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.n.log.Warn("the members' digests could not be compared", "err", err)
		}
		return
	}
	differing := map[string]bool{}
	for _, r := range rows {
		if r.Relation != "" && !r.OK {
			differing[r.Relation] = true
			d.n.log.Error("replicas differ: see layercake verify, and layercake repair", "relation", r.Relation, "peer", r.Node, "rows", r.Rows, "digest", r.Digest)
		}
	}
	d.differing.Store(int64(len(differing)))
	d.compared.Add(1)
}

// scan reads the rows of every relation once.
func (d *divergence) scan(ctx context.Context) {
	ids := d.n.store.Keyspaces()
	for _, id := range ids {
		began := time.Now()
		s, err := d.n.scan(ctx, id)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.n.log.Warn("a relation could not be read", "relation", relationName(d.n.store.Schema(), id), "err", err)
		default:
			d.found(id, s)
		}
		rest := time.NewTimer(max(scanPause, scanRest*time.Since(began)))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.passes++
	for id := range d.changed {
		if !slices.Contains(ids, id) {
			delete(d.changed, id) // dropped
		}
	}
}

func (d *divergence) found(id catalog.ID, s sqlstore.Scan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.Wrong() {
		delete(d.changed, id)
		return
	}
	d.changed[id] = true
	d.n.log.Error("rows changed without a write: see layercake verify, and layercake repair", "relation", relationName(d.n.store.Schema(), id),
		"rows", s.Rows, "recorded", s.KeptRows, "digest", s.Digest.String(), "kept", s.Kept.String())
}

// figures are what the metrics show.
func (d *divergence) figures() (differing, changed, compared, passes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.differing.Load(), int64(len(d.changed)), d.compared.Load(), d.passes
}

// scan reads a relation's rows on a snapshot. One that has been dropped is as it should be.
func (n *Node) scan(ctx context.Context, id catalog.ID) (sqlstore.Scan, error) {
	r, err := n.store.Snapshot(ctx)
	if err != nil {
		return sqlstore.Scan{}, err
	}
	defer r.Close()
	if !slices.Contains(r.Keyspaces(), id) {
		return sqlstore.Scan{}, nil
	}
	return r.Scan(ctx, id, 1)
}

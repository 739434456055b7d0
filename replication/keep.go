package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"layercake/crdt"
	"layercake/replication/core"
)

// keepEvery is the grain of markers, purge, trim and snapshots.
const keepEvery = 100 * time.Millisecond

// keep writes markers, purges tombstones, trims the log, takes snapshots and mends forks when they are due: one after the other, so
// that none finds the store changed under it.
func (r *Replicator) keep() {
	t := time.NewTicker(keepEvery)
	defer t.Stop()
	var k keeper
	for {
		select {
		case <-t.C:
		case <-r.ctx.Done():
			return
		}
		for _, do := range []func(context.Context) error{r.mark, r.purge, k.trim(r), r.takeSnapshot, r.refile} {
			if err := do(r.ctx); err != nil && r.ctx.Err() == nil && (err.Error() != k.said || r.cfg.Now().Sub(k.when) > time.Minute) {
				k.said, k.when = err.Error(), r.cfg.Now()
				level := slog.LevelError
				switch status.Code(err) {
				case codes.FailedPrecondition, codes.ResourceExhausted, codes.Unavailable: // of a donor: another is asked, or it again
					level = slog.LevelInfo
				}
				r.cfg.Logger.Log(r.ctx, level, "housekeeping of the log", "err", err)
			}
		}
	}
}

// keeper is what keep remembers.
type keeper struct {
	said   string // the last failure logged, and when
	when   time.Time
	looked time.Time // at the size of the log
	full   bool
}

// stored reads what the store knows of stability.
func (r *Replicator) stored() (core.State, error) {
	marks, err := r.cfg.Store.Markers()
	if err != nil {
		return core.State{}, fmt.Errorf("replication: read the markers: %w", err)
	}
	forks, err := r.cfg.Store.Forks()
	if err != nil {
		return core.State{}, fmt.Errorf("replication: read the forks: %w", err)
	}
	return core.State{Vector: r.cfg.Store.Vector(), Trimmed: r.cfg.Store.Trimmed(), Markers: marks, Forks: forks, Retired: r.cfg.Store.Retired()}, nil
}

func (r *Replicator) mark(ctx context.Context) error {
	var m crdt.Marker
	var due bool
	r.do(func(n *core.Node, now time.Time) { m, due = n.MarkerDue(now) })
	if !due {
		return nil
	}
	o, seq, err := r.cfg.Store.Mark(ctx, m)
	r.do(func(n *core.Node, now time.Time) { n.Marked(now, m, o, seq, err) })
	return err
}

func (r *Replicator) purge(ctx context.Context) error {
	var v crdt.Vector
	var before crdt.HLC
	var due bool
	r.do(func(n *core.Node, now time.Time) { v, before, due = n.PurgeDue(now) })
	if !due {
		return nil
	}
	purged, young, err := r.cfg.Store.Purge(ctx, v, before)
	r.do(func(n *core.Node, now time.Time) { n.Purged(now, young || err != nil) })
	if purged > 0 {
		r.cfg.Logger.Debug("purged tombstones", "count", purged)
	}
	return err
}

// trim trims what is due. Whether the log has outgrown its cap matters, and is looked at, only while members are absent.
func (k *keeper) trim(r *Replicator) func(context.Context) error {
	return func(ctx context.Context) error {
		r.mu.Lock()
		absent := len(r.core.Targets()) > 0
		now := r.cfg.Now()
		r.mu.Unlock()
		if !absent {
			k.full = false
		} else if now.Sub(k.looked) >= capEvery {
			k.looked = now
			size, oldest, err := r.cfg.Store.LogSpan(ctx)
			if err != nil {
				return err
			}
			k.full = size > r.cfg.LogCapBytes || oldest != 0 && now.Sub(oldest.Time()) > r.cfg.LogCapAge
		}
		var v crdt.Vector
		var due bool
		r.do(func(n *core.Node, now time.Time) { v, due = n.TrimDue(now, k.full) })
		if !due {
			return nil
		}
		err := r.cfg.Store.Trim(ctx, v)
		trimmed := r.cfg.Store.Trimmed()
		r.do(func(n *core.Node, now time.Time) { n.Trimmed(now, trimmed) })
		return err
	}
}

// capEvery is how often the log's size is looked at.
const capEvery = 2 * time.Second

// takeSnapshot takes one from the member that the core names, when the logs of the others begin too late.
func (r *Replicator) takeSnapshot(ctx context.Context) error {
	var from core.Member
	var due bool
	r.do(func(n *core.Node, now time.Time) { from, due = n.SnapshotDue(now) })
	if !due {
		return nil
	}
	err := r.fetchSnapshot(ctx, from)
	st := core.State{}
	if err == nil {
		st, err = r.stored()
	}
	r.do(func(n *core.Node, now time.Time) {
		n.Installed(now, st, err)
		r.updateFence()
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("snapshot from %s: %w", from.Name, err)
	}
	return nil
}

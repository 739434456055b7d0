package replication

import (
	"context"
	"errors"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// mend reads the hashes that the core wants to compare, and begins a new epoch where it asks for one (rule E5).
func (r *Replicator) mend() {
	for {
		select {
		case <-r.mendWake:
		case <-r.ctx.Done():
			return
		}
		for r.ctx.Err() == nil {
			r.mu.Lock()
			looks := r.looks
			r.looks = nil
			after, renew := r.core.RenewDue(r.cfg.Now())
			r.mu.Unlock()
			if renew {
				err := r.cfg.Store.Renew(r.ctx, after)
				r.do(func(n *core.Node, now time.Time) { n.Renewed(now, err) })
				if err == nil {
					r.cfg.Logger.Warn("a new epoch begins: this node was rolled back, or its clock went back", "node", r.cfg.Name)
				} else if r.ctx.Err() == nil {
					r.cfg.Logger.Error("could not begin a new epoch", "err", err)
				}
			}
			for _, l := range looks {
				got := r.chains(l)
				r.do(func(n *core.Node, now time.Time) { n.Looked(now, l, got) })
			}
			if len(looks) == 0 && !renew {
				break
			}
		}
	}
}

// chains reads what a Look asks for. What cannot be read counts as not known: it is asked for again.
func (r *Replicator) chains(l core.Look) []core.Hashes {
	got := make([]core.Hashes, len(l.Wants))
	for i, w := range l.Wants {
		low, first, list, err := r.cfg.Store.Chain(r.ctx, w.Origin, w.From, w.To)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				r.cfg.Logger.Error("could not read hashes", "origin", TransactionID(w.Origin, w.From), "err", err)
			}
			continue
		}
		got[i] = core.Hashes{Low: low, First: first, List: list}
	}
	return got
}

// refile notes a fork, and moves its branch if that is here.
func (r *Replicator) refile(ctx context.Context) error {
	for {
		var f crdt.Fork
		var move, due bool
		r.do(func(n *core.Node, now time.Time) { f, move, due = n.ForkDue(now) })
		if !due {
			return nil
		}
		moved, err := r.cfg.Store.Refile(ctx, f, move)
		var st core.State
		if err == nil {
			st, err = r.stored()
		}
		r.do(func(n *core.Node, now time.Time) {
			if err == nil {
				st.Vector = r.cfg.Store.Vector()
			}
			n.Refiled(now, f, moved, st, err)
			r.updateFence()
		})
		if err != nil {
			return err
		}
		r.cfg.Logger.Warn("a machine was rolled back while it ran, and used sequence numbers twice: one of the branches has another name now",
			"node", r.cfg.Name, "origin", TransactionID(f.Origin, f.After), "branch", TransactionID(f.Branch(), 1), "was_here", moved)
	}
}

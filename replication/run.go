package replication

import (
	"context"
	"errors"
	"time"

	"layercake/replication/core"
)

// tickEvery is the grain of everything that the core does by time.
const tickEvery = 50 * time.Millisecond

// tick lets the core's time pass.
func (r *Replicator) tick() {
	t := time.NewTicker(tickEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			r.do(func(n *core.Node, now time.Time) {
				n.Tick(now)
				r.expire(now)
				r.updateFence()
			})
			poke(r.dialWake)
		case <-r.ctx.Done():
			return
		}
	}
}

// watch tells the core what has become durable: own commits above all.
func (r *Replicator) watch() {
	for {
		changed := r.cfg.Store.Changed() // before Vector: nothing falls between
		// The vector is read under the lock: one of before a branch was moved must not be told after that (rule E5).
		r.do(func(n *core.Node, now time.Time) { n.Advance(now, r.cfg.Store.Vector()) })
		select {
		case <-changed:
		case <-r.ctx.Done():
			return
		}
	}
}

// apply hands the store what may be applied, batch by batch.
func (r *Replicator) apply() {
	var said string // the last failure logged, and when: what cannot be applied is tried twice a second
	var when time.Time
	for {
		select {
		case <-r.applyWake:
		case <-r.ctx.Done():
			return
		}
		for r.ctx.Err() == nil {
			r.mu.Lock()
			batch := r.core.NextBatch(r.cfg.Now())
			r.flush()
			r.mu.Unlock()
			if len(batch) == 0 {
				break
			}
			err := r.cfg.Store.Apply(r.ctx, batch)
			if err == nil {
				said = ""
			} else if r.ctx.Err() == nil && !errors.Is(err, context.Canceled) && (err.Error() != said || r.cfg.Now().Sub(when) > time.Minute) {
				said, when = err.Error(), r.cfg.Now()
				r.cfg.Logger.Error("could not apply entries; their origin waits", "node", r.cfg.Name, "err", err,
					"origin", TransactionID(batch[0].Origin, batch[0].Seq), "entries", len(batch))
			}
			st, reread := core.State{}, err != nil
			if reread {
				var unread error
				if st, unread = r.stored(); unread != nil {
					r.cfg.Logger.Error("after a failed apply", "node", r.cfg.Name, "err", unread)
					reread = false
				}
			}
			r.mu.Lock()
			r.core.Applied(r.cfg.Now(), r.cfg.Store.Vector(), err)
			if reread {
				r.core.Reread(r.cfg.Now(), st)
			}
			close(r.applied)
			r.applied = make(chan struct{})
			r.unlock() // the acks
		}
	}
}

// put makes promises durable, in order, before what depends on them is sent.
func (r *Replicator) put() {
	for {
		select {
		case <-r.putWake:
		case <-r.ctx.Done():
			return
		}
		for {
			r.mu.Lock()
			var p core.Put
			some := len(r.puts) > 0
			if some {
				p = r.puts[0]
				r.puts = r.puts[1:]
			}
			r.mu.Unlock()
			if !some {
				break
			}
			if err := r.cfg.Store.PutLocal(p.Key, p.Val); err != nil {
				// What waits for it is never said: to the others it is as if the question had been lost.
				r.cfg.Logger.Error("could not make a promise durable", "key", p.Key, "err", err)
				continue
			}
			r.do(func(n *core.Node, now time.Time) { n.PutDone(now, p) })
		}
	}
}

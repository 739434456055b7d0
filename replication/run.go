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
		r.mu.Lock()
		news := r.advance(r.cfg.Now())
		changed := r.told
		if news {
			r.unlock()
		} else {
			r.mu.Unlock()
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return
		}
	}
}

// advance tells the core what has become durable, unless it has been told. r.mu is held: a vector of before a branch was
// moved must not be told after that (rule E5).
func (r *Replicator) advance(now time.Time) (news bool) {
	changed := r.cfg.Store.Changed() // before Vector: nothing falls between
	if changed == r.told {
		return false
	}
	r.core.Advance(now, r.cfg.Store.Vector())
	r.told = changed
	return true
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
			r.told = r.cfg.Store.Changed() // before Vector, as in advance
			r.core.Applied(r.cfg.Now(), r.cfg.Store.Vector(), err)
			if reread {
				r.core.Reread(r.cfg.Now(), st)
			}
			if r.applied != nil {
				close(r.applied)
				r.applied = nil
			}
			r.unlock() // the acks
		}
	}
}

// put makes promises durable, in order, before what depends on them is sent.
func (r *Replicator) put() {
	failing := false
	for {
		select {
		case <-r.putWake:
		case <-r.ctx.Done():
			return
		}
		for {
			p, some := r.nextPut()
			if !some {
				break
			}
			err := r.cfg.Store.PutLocal(p.Key, p.Val)
			if err == nil {
				failing = false
				r.do(func(n *core.Node, now time.Time) { n.PutDone(now, p) })
				continue
			}
			// What waits for it is not said: to the others it is as if the question had been lost, and they ask again. But it is
			// not given up: nobody tells this node a list twice, and of a register whose name was not kept all would be forgotten.
			if !failing {
				r.cfg.Logger.Error("could not make a promise durable", "key", p.Key, "err", err)
			}
			failing = true
			r.putAgain(p)
			select {
			case <-time.After(putRetry):
			case <-r.ctx.Done():
				return
			}
		}
	}
}

// putRetry is how long a store that could not make a value durable is left alone.
const putRetry = 100 * time.Millisecond

func (r *Replicator) nextPut() (p core.Put, some bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.puts) == 0 {
		return core.Put{}, false
	}
	p, r.puts = r.puts[0], r.puts[1:]
	return p, true
}

// putAgain puts p back before what came after it. Of each key only the last value is kept, in the place of the first: a
// register's name stays before its state, and while nothing can be made durable no more waits than there are keys.
func (r *Replicator) putAgain(p core.Put) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := map[string]int{}
	var puts []core.Put
	for _, p := range append([]core.Put{p}, r.puts...) {
		if i, there := at[p.Key]; there {
			puts[i] = p
			continue
		}
		at[p.Key] = len(puts)
		puts = append(puts, p)
	}
	r.puts = puts
}

package sqlstore

import (
	"context"
	"sync"
	"time"

	"layercake/sqlstore/sqlite"
)

// watch interrupts a connection's queries from the time their context ends until it is told to end itself. It never
// interrupts a transaction's change: SQLite would then roll back the whole group, with everybody else's transactions in
// it.
type watch struct {
	mu    sync.Mutex // held during a change
	stop  func() bool
	ended error // an interrupt may be pending: no change may be made any more
	done  bool
}

// interruptEvery is the time between two interrupts of a query that goes on. SQLite forgets one that comes while no
// statement runs, as it is the moment before a query's first step.
const interruptEvery = 2 * time.Millisecond

func (w *watch) start(ctx context.Context, c *sqlite.Conn) {
	if w.stop != nil {
		return
	}
	w.stop = context.AfterFunc(ctx, func() {
		for w.interrupt(context.Cause(ctx), c) {
			time.Sleep(interruptEvery)
		}
	})
}

func (w *watch) interrupt(cause error, c *sqlite.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return false
	}
	w.ended = cause
	c.Interrupt()
	return true
}

// enter begins a change, unless the context has ended.
func (w *watch) enter() error {
	if w.stop == nil {
		return nil
	}
	w.mu.Lock()
	if w.ended != nil {
		defer w.mu.Unlock()
		return w.ended
	}
	return nil
}

func (w *watch) leave() {
	if w.stop != nil {
		w.mu.Unlock()
	}
}

// end stops watching, once the function is done with its queries.
func (w *watch) end() {
	if w.stop == nil {
		return
	}
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done = true
}

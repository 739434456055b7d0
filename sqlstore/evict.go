package sqlstore

import (
	"errors"
	"time"

	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

// The WAL starts anew only when no snapshot needs it. A query of ten minutes, or a REPEATABLE READ transaction whose
// client has gone for lunch, would let it grow until the disk is full and nobody writes any more: from Config.MaxWAL on
// the snapshots that are older than Config.SnapshotAge are ended, and from twice that on all. A query is interrupted; an idle snapshot is let go at once, and
// its next use told so. Nothing of a reader is lost that a new snapshot does not give.

// errEvicted is what the user of a snapshot that was ended is told.
func errEvicted() error {
	return pgerror.New(pgerror.SerializationFailure, "the snapshot is too old: it kept the write-ahead log from being reused").
		WithHint("Nothing was written. Retry; read less at a time if it happens again.")
}

// hold notes that a reader may have a snapshot from now on.
func (p *readers) hold(r *Reader) {
	now := time.Now() // monotonic: the wall clock may jump
	p.mu.Lock()
	defer p.mu.Unlock()
	r.since = now
	p.held[r] = struct{}{}
}

// drop forgets a reader: once it is back nobody interrupts its connection.
func (p *readers) drop(r *Reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, r)
}

// evict ends the snapshots that were taken before a time.
func (p *readers) evict(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for r := range p.held {
		if r.since.After(before) {
			continue
		}
		if !r.evicted.Swap(true) {
			p.s.config.Logger.Warn("a snapshot is ended: it keeps the WAL from being reused", "since", r.since)
		}
		if r.parked {
			r.letGo()
		} else {
			r.conn.Interrupt()
		}
	}
}

// Use runs fn with a Snapshot's Reader. Between two calls the snapshot lies idle, so that it can be ended then too: the
// Reader must not be used outside of fn once Use has been called. If the snapshot was ended, before or while fn ran, the
// error is 40001.
func (r *Reader) Use(fn func(*Reader) error) error {
	p := r.s.readers
	p.mu.Lock()
	r.parked = false
	p.mu.Unlock()
	if r.evicted.Load() {
		return errEvicted()
	}
	err := r.outcome(fn(r))
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.parked = true; r.evicted.Load() {
		r.letGo()
	}
	return err
}

// letGo ends the snapshot of a Reader that nobody uses.
func (r *Reader) letGo() {
	if r.conn.InTransaction() {
		r.conn.StoreExec("ROLLBACK") // of a reader: nothing depends on it
	}
}

// outcome makes 40001 of the interrupt that ended the snapshot.
func (r *Reader) outcome(err error) error {
	if err == nil || !r.evicted.Load() {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code == sqlite.CodeInterrupt {
		return errEvicted()
	}
	return err
}

package sqlstore

import (
	"errors"
	"fmt"
	"time"

	"layercake/sqlstore/sqlite"
)

// The WAL is copied into the database by a connection of its own, while the writer goes on. That alone never gets to
// the end of the WAL under load, and the WAL would grow for ever; so once little is left, the writer copies the rest
// between two groups. Its next write then starts the WAL from the beginning, unless a snapshot still needs it.
const (
	// WAL size that starts a checkpoint. SQLite's index of a WAL has a hash table for each 4,062 frames, and who reads
	// looks into each: this is still one. A page that is changed often is copied once in that time.
	checkpointPages = 4000
	finishPages     = 200 // what the writer itself is ready to copy
	// From this size on it copies whatever a pass of the checkpointer has left: a commit that takes some milliseconds is
	// better than a WAL without bounds.
	finishAnyway = 2 * checkpointPages
	// From this size on the writer waits for the pass under way, which a busy disk can make a long one, and then copies
	// the rest. It tries again only once the WAL has grown by retryPages: a snapshot may be what holds it. From
	// Config.MaxWAL on such a snapshot is ended.
	waitPages  = 3 * checkpointPages
	retryPages = 1000
	pageSize   = 4096
)

// watchWAL wakes the checkpointer when the WAL has grown.
func (w *writer) watchWAL() {
	if w.s.memory {
		return
	}
	pages := int64(w.conn.WALPages())
	if pages < w.s.walPages.Swap(pages) { // the WAL has begun anew
		w.s.passAt.Store(0)
		w.waitedAt = 0
	}
	if pages < max(checkpointPages, w.s.passAt.Load()) || w.s.finishWAL.Load() {
		return
	}
	select {
	case w.s.checkpoints <- struct{}{}:
	default:
	}
}

// restartWAL does the last step of a checkpoint.
func (w *writer) restartWAL() {
	pages := w.conn.WALPages()
	most := w.s.config.MaxWAL / pageSize
	if !w.s.memory && int64(pages) >= max(min(waitPages, most), int64(w.waitedAt+retryPages)) {
		w.waitedAt = pages
		if int64(pages) >= most {
			before := time.Now()
			if int64(pages) < 2*most {
				before = before.Add(-w.s.config.SnapshotAge)
			}
			w.s.readers.evict(before)
		}
		w.s.pass.Lock()
		defer w.s.pass.Unlock()
		w.s.finishWAL.Store(true)
	}
	if w.s.finishWAL.CompareAndSwap(true, false) {
		w.s.checkpoint(w.conn)
		w.s.passAt.Store(int64(pages) + checkpointPages) // if a snapshot keeps the WAL from beginning anew
	}
	if w.s.shrinkWAL.CompareAndSwap(true, false) {
		w.truncateWAL()
	}
}

func (s *Store) checkpointLoop() {
	before := 0
	for {
		select {
		case <-s.checkpoints:
		case <-s.closing:
			return
		}
		s.pass.Lock()
		wal, copied := s.checkpoint(s.checkpointer)
		s.pass.Unlock()
		switch left := int(s.walPages.Load()) - copied; { // wal is its size when the pass began
		case left >= 0 && left <= finishPages, wal >= finishAnyway:
			s.finishWAL.Store(true)
		case left > 0 && copied == before: // a snapshot needs the rest
			s.passAt.Store(int64(wal) + checkpointPages)
		}
		before = copied
	}
}

// checkpoint copies what can be copied without waiting for anybody. A failure is not the end: the WAL has everything.
func (s *Store) checkpoint(c *sqlite.Conn) (wal, copied int) {
	wal, copied, err := c.Checkpoint(sqlite.CheckpointPassive)
	var e *sqlite.Error
	switch {
	case err == nil:
	case errors.As(err, &e) && e.Code == sqlite.CodeBusy: // another pass is under way
	case isFsync(err):
		s.config.Fatal(fmt.Errorf("sqlstore: fsync failed in a checkpoint: %w", err))
	default:
		s.config.Logger.Warn("checkpoint", "err", err)
	}
	return wal, copied
}

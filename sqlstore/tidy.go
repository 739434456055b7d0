package sqlstore

import (
	"context"
	"runtime/debug"
	"time"

	"layercake/sqlstore/sqlite"
)

// A bulk load leaves much behind that nothing needs any more: pages in SQLite's caches, freed memory that malloc and Go
// keep, and a WAL of the load's size. Once no further load has come for tidyAfter, all of it is given back.

const (
	tidyAfter = 2 * time.Second
	// bulky is how many rows a group of transactions must change to be worth it.
	bulky = 50_000
)

// watchBulk wakes the tidier after a group that changed many rows, or the schema: the building of an index takes memory
// by the row.
func (w *writer) watchBulk() {
	changes := w.conn.TotalChanges()
	many := changes-w.changes >= bulky
	w.s.statistics.modify(w.touched, changes-w.changes)
	w.changes = changes
	if w.s.memory || !many && !w.ddl {
		return
	}
	select {
	case w.s.loads <- struct{}{}:
	default:
	}
}

func (s *Store) tidyLoop() {
	for {
		select {
		case <-s.loads:
		case <-s.closing:
			return
		}
		for t := time.NewTimer(tidyAfter); t != nil; {
			select {
			case <-s.loads:
				t.Reset(tidyAfter)
			case <-t.C:
				t = nil
			case <-s.closing:
				t.Stop()
				return
			}
		}
		s.tidy()
	}
}

func (s *Store) tidy() {
	// The greater part of the WAL is copied beside the writer, which then has little to do before it can be cut off.
	s.pass.Lock()
	s.checkpoint(s.checkpointer)
	s.checkpointer.ReleaseMemory()
	s.pass.Unlock()
	s.shrinkWAL.Store(true)
	err := s.Try(context.Background(), func(tx *Tx) error {
		tx.w.conn.ReleaseMemory()
		return nil
	})
	if err != nil {
		return // the store is closing
	}
	s.readers.releaseMemory()
	sqlite.TrimMemory()
	debug.FreeOSMemory()
}

// releaseMemory empties the caches of the idle readers.
func (p *readers) releaseMemory() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		c.ReleaseMemory()
	}
}

// truncateWAL cuts the WAL off if all of it has been copied and no snapshot needs it. It waits for nobody.
func (w *writer) truncateWAL() {
	w.conn.SetBusyTimeout(0)
	defer w.conn.SetBusyTimeout(busyTimeout)
	_, _, err := w.conn.Checkpoint(sqlite.CheckpointTruncate)
	if isFsync(err) {
		w.s.config.Fatal(err)
	}
	// Busy, or anything else: the WAL is as good as before.
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"layercake/catalog"
	"layercake/crdt"
)

// SQLite's planner chooses indexes and the order of joins by statistics (https://www.sqlite.org/lang_analyze.html); without
// them it takes all indexes for equally good. They are gathered for each table that has changed much, as PostgreSQL's
// autovacuum does, and are this node's own.

const (
	// analyzePeriod is how often tables that have changed are looked for.
	analyzePeriod = 5 * time.Second
	// analyzeLimit is how many entries of an index are looked at for each of its columns, about.
	analyzeLimit = 1000
	// analyzeTables is how many tables' statistics are gathered in one transaction.
	analyzeTables = 16
	// analyzePause passes at least between two times that a table's statistics are gathered, unless it has grown much.
	analyzePause = time.Minute
)

// statistics is what is known of the tables' statistics.
type statistics struct {
	mu       sync.Mutex
	modified map[crdt.ID]int64 // rows changed since, about
	gathered map[crdt.ID]gathered
}

type gathered struct {
	rows    int64  // that the table had
	indexes string // and its indexes
	at      time.Time
}

// modify counts rows that a group of transactions has changed, in whichever of the tables.
func (st *statistics) modify(tables map[crdt.ID]bool, rows int64) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for id := range tables {
		st.modified[id] += rows
	}
}

// due says whether a table's statistics are to be gathered, by PostgreSQL's defaults of autovacuum: when 50 rows and a tenth
// of the table have changed since.
func (st *statistics) due(sp *space, rows int64, now time.Time) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	g, known := st.gathered[sp.id]
	n := st.modified[sp.id]
	switch {
	case !known || g.indexes != indexNames(sp):
		return rows > 0
	case n > 1000+2*g.rows:
		return true
	}
	return n > 50+g.rows/10 && now.Sub(g.at) >= analyzePause
}

// keep forgets the tables that are gone.
func (st *statistics) keep(spaces map[crdt.ID]*space) {
	st.mu.Lock()
	defer st.mu.Unlock()
	gone := func(id crdt.ID) bool { return spaces[id] == nil }
	maps.DeleteFunc(st.modified, func(id crdt.ID, _ int64) bool { return gone(id) })
	maps.DeleteFunc(st.gathered, func(id crdt.ID, _ gathered) bool { return gone(id) })
}

// forget notes that SQLite has none of a table, which was built anew.
func (st *statistics) forget(id crdt.ID) {
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.gathered, id)
}

func indexNames(sp *space) string { return strings.Join(slices.Sorted(maps.Keys(sp.indexes)), " ") }

// loadStatistics finds out which tables have statistics.
func (w *writer) loadStatistics() error {
	st := &w.s.statistics
	st.mu.Lock()
	defer st.mu.Unlock()
	st.modified, st.gathered = map[crdt.ID]int64{}, map[crdt.ID]gathered{}
	there, err := one(w.conn, "SELECT 1 FROM sqlite_schema WHERE name='sqlite_stat1'")
	if err != nil || there.IsNull() {
		return err
	}
	rows := map[string]int64{}
	err = each(w.conn, "SELECT tbl,max(CAST(stat AS INTEGER)) FROM sqlite_stat1 GROUP BY tbl", nil, func(v []catalog.Value) error {
		rows[string(v[0].Bytes)] = v[1].Int()
		return nil
	})
	for id, sp := range w.layout.spaces {
		if n, known := rows[sp.phys]; known {
			st.gathered[id] = gathered{rows: n, indexes: indexNames(sp)}
		}
	}
	return err
}

// Analyze gathers statistics of tables for the planner. It returns when that is durable.
func (s *Store) Analyze(ctx context.Context, tables []catalog.ID) error {
	for part := range slices.Chunk(tables, analyzeTables) {
		_, err := s.Write(ctx, func(tx *Tx) error {
			for _, id := range part {
				if err := tx.analyze(crdt.ID(id)); err != nil {
					return err
				}
			}
			return tx.renewStatements()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) analyze(id crdt.ID) error {
	sp := tx.w.layout.spaces[id]
	if sp == nil || sp.table == nil || sp.table.System {
		return nil
	}
	if err := tx.w.conn.StoreExec(fmt.Sprintf("PRAGMA analysis_limit=%d;ANALYZE %s", analyzeLimit, sp.phys)); err != nil {
		return err
	}
	st := &tx.w.s.statistics
	st.mu.Lock()
	defer st.mu.Unlock()
	delete(st.modified, id)
	st.gathered[id] = gathered{tx.w.states[id].rows, indexNames(sp), time.Now()}
	return nil
}

// renewStatements has all connections read the schema anew, and with it the statistics, before they run another statement.
func (tx *Tx) renewStatements() error {
	tx.dirty = true
	v, err := one(tx.w.conn, "PRAGMA schema_version")
	if err != nil {
		return err
	}
	return tx.w.conn.StoreExec(fmt.Sprintf("PRAGMA schema_version=%d", int32(v.Int()+1)))
}

// analyzeDue gathers the statistics that are due.
func (s *Store) analyzeDue(ctx context.Context) error {
	var tables []catalog.ID
	now := time.Now()
	l := s.layout.Load()
	s.statistics.keep(l.spaces)
	s.mu.RLock()
	for id, sp := range l.spaces {
		if sp.table != nil && !sp.table.System && s.statistics.due(sp, s.states[id].rows, now) {
			tables = append(tables, catalog.ID(id))
		}
	}
	s.mu.RUnlock()
	return s.Analyze(ctx, tables)
}

func (s *Store) analyzeLoop() {
	t := time.NewTicker(analyzePeriod)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-s.closing:
			return
		}
		if err := s.analyzeDue(context.Background()); err != nil && !errors.Is(err, ErrClosed) {
			s.config.Logger.Warn("statistics for the planner could not be gathered", "err", err)
		}
	}
}

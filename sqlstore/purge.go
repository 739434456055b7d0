package sqlstore

import (
	"context"

	"layercake/catalog"
	"layercake/crdt"
)

// Purge forgets the tombstones with a clock below before and returns how many there were. The caller must know that
// every member has applied all that has a lesser stamp (rule S1): an older INSERT that arrived later would live again.
func (s *Store) Purge(ctx context.Context, before crdt.HLC) (purged int64, err error) {
	_, err = s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		tx.remote = true // it is this node's own business, and not logged
		purged = 0
		for _, sp := range tx.w.layout.sortedSpaces() {
			st, err := tx.w.conn.StoreStmt("DELETE FROM lc_tombstones WHERE t=? AND h<?")
			if err != nil {
				return err
			}
			n, err := st.Exec([]catalog.Value{catalog.Int(sp.num), catalog.Int(int64(before))})
			if err != nil {
				return err
			}
			if n > 0 {
				tx.dirty = true
				tx.touch(sp).st.tombs -= n
				purged += n
			}
		}
		return nil
	}})
	return purged, err
}

// TombstoneCount is how many deleted rows a keyspace remembers.
type TombstoneCount struct {
	Table  catalog.ID
	Count  int64
	Oldest crdt.HLC
}

// Tombstones counts the tombstones of the keyspaces that have some.
func (s *Store) Tombstones() (out []TombstoneCount) {
	err := s.Read(context.Background(), func(r *Reader) error {
		out = nil
		if err := r.pin(); err != nil {
			return err
		}
		table := make(map[int64]catalog.ID, len(r.layout.spaces))
		for id, sp := range r.layout.spaces {
			table[sp.num] = catalog.ID(id)
		}
		return each(r.conn, "SELECT t,count(*),min(h) FROM lc_tombstones GROUP BY t", nil, func(v []catalog.Value) error {
			out = append(out, TombstoneCount{table[v[0].Int()], v[1].Int(), crdt.HLC(v[2].Int())})
			return nil
		})
	})
	if err != nil {
		s.config.Logger.Error("tombstones cannot be counted", "err", err)
	}
	return out
}

package sqlstore

import (
	"fmt"

	"layercake/catalog"
)

// InsertMany inserts rows as Insert does, one after the other, and returns their rowids; with an error, those of the rows
// before the one at fault. next gives some rows, whole ones and best a megabyte or so: for each the values of all of
// t.Columns in catalog's row encoding; n is 0 after the last. The bytes are InsertMany's until it returns.
func (tx *Tx) InsertMany(t *catalog.Table, next func() (rows []byte, n int, err error)) (ids RowIDs, err error) {
	if err := tx.watch.enter(); err != nil {
		return RowIDs{}, err
	}
	ts, err := tx.open(t)
	tx.watch.leave()
	if err != nil {
		return RowIDs{}, err
	}
	sp := ts.sp
	if len(t.Columns) != sp.live {
		return RowIDs{}, fmt.Errorf("sqlstore: %d columns for the %d of %s", len(t.Columns), sp.live, t.Name)
	}
	// A row may bring a deleted one back, or have no bytes at all.
	if sp.live == 0 || sp.key != nil && (ts.st.tombs > 0 || len(ts.log.del) > 0) {
		return tx.insertEach(t, next)
	}
	cols := make([]int, sp.live)
	for i := range cols {
		cols[i] = i
	}
	b := tx.newBulk(ts, cols, sp.key == nil, true)
	defer func() {
		if e := b.finish(); err == nil {
			err = e
		}
		l := &ts.log.bulk
		for i := range ids.Len() {
			l.ids.Add(ids.At(i))
			delete(l.gone, ids.At(i)) // a rowid may be used again
		}
	}()
	for size := ts.log.bulk.raw; ; {
		rows, n, err := next()
		if err != nil || n == 0 {
			return ids, err
		}
		if size += len(rows); size > tx.w.s.config.MaxEntry {
			return ids, tooBig(size, tx.w.s.config.MaxEntry)
		}
		var first []byte
		if sp.key == nil {
			first = newHiddenKey(nil, tx.stamp, tx.hidden)
		}
		if err := tx.watch.enter(); err != nil {
			return ids, err
		}
		done, used, err := b.insert(rows, n, first)
		tx.watch.leave()
		if first != nil {
			tx.hidden += uint32(done)
		}
		for _, id := range b.ids {
			ids.Add(id)
		}
		if err != nil {
			return ids, tx.refused(sp, err, rows[used:])
		}
	}
}

// refused makes a UniqueError of SQLite's, for the row at the front of rows.
func (tx *Tx) refused(sp *space, err error, rows []byte) error {
	e, ok := isUnique(err)
	if !ok {
		return err
	}
	vals := make([]catalog.Value, sp.live)
	if _, err := catalog.DecodeRow(vals, rows); err != nil {
		return err
	}
	return tx.uniqueError(sp, e, vals, nil)
}

func (tx *Tx) insertEach(t *catalog.Table, next func() ([]byte, int, error)) (ids RowIDs, err error) {
	vals := make([]catalog.Value, len(t.Columns))
	for {
		rows, n, err := next()
		if err != nil || n == 0 {
			return ids, err
		}
		for range n {
			if rows, err = catalog.DecodeRow(vals, rows); err != nil {
				return ids, err
			}
			id, err := tx.Insert(t, vals)
			if err != nil {
				return ids, err
			}
			ids.Add(id)
		}
	}
}

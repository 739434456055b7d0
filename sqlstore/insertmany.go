package sqlstore

import (
	"fmt"

	"layercake/catalog"
	"layercake/crdt"
)

// insertBatch is how many rows InsertMany hands to its goroutine at once.
const insertBatch = 256

// inserts are rows that SQLite has, and the digest and the log have not yet.
type inserts struct {
	rows []row
	vals []catalog.Value // of the rows, one after the other
}

// InsertMany inserts rows as Insert does, one after the other, and returns their rowids; with an error, those of the rows
// before the one at fault. next gives the values of one row, ok false after the last; the slice may be used again at its
// next call, the bytes that it points to must not change before InsertMany returns.
//
// What the digest and the log need of a row is worked out beside SQLite's own work, on a goroutine that has ended when
// InsertMany returns: a bulk load keeps two processors busy.
func (tx *Tx) InsertMany(t *catalog.Table, next func() (vals []catalog.Value, ok bool, err error)) (ids []int64, err error) {
	if err := tx.watch.enter(); err != nil {
		return nil, err
	}
	ts, err := tx.open(t)
	tx.watch.leave()
	if err != nil {
		return nil, err
	}
	sp := ts.sp
	if sp.key != nil && (ts.st.tombs > 0 || len(ts.log.del) > 0) {
		return tx.insertEach(t, next) // a row may bring a deleted one back
	}
	const batches = 4
	work, free := make(chan *inserts, batches), make(chan *inserts, batches)
	for range batches {
		free <- &inserts{}
	}
	done := make(chan error, 1)
	go func() { done <- tx.note(ts, work, free) }()
	defer func() {
		close(work)
		if e := <-done; err == nil {
			err = e
		}
	}()
	b := <-free
	// A row at fault has not reached SQLite; those before it have, and count.
	defer func() { work <- b }()
	for {
		vals, ok, err := next()
		if err != nil || !ok {
			return ids, err
		}
		if err := tx.watch.enter(); err != nil {
			return ids, err
		}
		r, err := tx.insertRow(sp, t, vals)
		tx.watch.leave()
		if err != nil {
			return ids, err
		}
		from := len(b.vals)
		b.vals = append(b.vals, sp.withDropped(vals)...)
		r.vals = b.vals[from:len(b.vals):len(b.vals)]
		b.rows = append(b.rows, r)
		ids = append(ids, r.rowid)
		if len(b.rows) == insertBatch {
			work <- b
			b = <-free
			b.rows, b.vals = b.rows[:0], b.vals[:0]
		}
	}
}

func (tx *Tx) insertEach(t *catalog.Table, next func() ([]catalog.Value, bool, error)) (ids []int64, err error) {
	for {
		vals, ok, err := next()
		if err != nil || !ok {
			return ids, err
		}
		id, err := tx.Insert(t, vals)
		if err != nil {
			return ids, err
		}
		ids = append(ids, id)
	}
}

// insertRow gives SQLite a new row, within a watched change. The caller owes it to the digest and the log; vals of the
// result are not set.
func (tx *Tx) insertRow(sp *space, t *catalog.Table, vals []catalog.Value) (row, error) {
	if len(vals) != sp.live {
		return row{}, fmt.Errorf("sqlstore: %d values for the %d columns of %s", len(vals), sp.live, t.Name)
	}
	args := append(tx.args[:0], catalog.Int(int64(tx.stamp.HLC)), catalog.Int(tx.num))
	var hidden []byte
	if sp.hidden {
		k := catalog.Value{}
		if sp.key == nil {
			hidden = newHiddenKey(make([]byte, 0, hiddenKeySize), tx.stamp, tx.hidden)
			tx.hidden++
			k = catalog.BlobBytes(hidden)
		}
		args = append(args, k)
	}
	args = append(args, vals...)
	tx.args = args
	rowid, err := tx.insert(sp, sp.insertSQL, args)
	if err != nil {
		if e, ok := isUnique(err); ok {
			return row{}, tx.uniqueError(sp, e, vals)
		}
		return row{}, err
	}
	return row{rowid: rowid, h: int64(tx.stamp.HLC), o: tx.num, hidden: hidden}, nil
}

// note adds inserted rows to the digest and the log, in order. It takes all batches even after a failure, so that who
// sends them need not ask.
func (tx *Tx) note(ts *txSpace, work <-chan *inserts, free chan<- *inserts) (err error) {
	var hasher crdt.RowHasher
	for b := range work {
		if err == nil {
			err = tx.noteBatch(ts, &hasher, b)
		}
		free <- b
	}
	return err
}

func (tx *Tx) noteBatch(ts *txSpace, hasher *crdt.RowHasher, b *inserts) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlstore: panic in a bulk load: %v", p)
		}
	}()
	for i := range b.rows {
		h, err := ts.sp.hash(hasher, &tx.w.origins, &b.rows[i])
		if err != nil {
			return err
		}
		ts.st.digest.Add(h)
		ts.st.rows++
		ts.log.inserted(ts.sp, &b.rows[i])
	}
	return nil
}

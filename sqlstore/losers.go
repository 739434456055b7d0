package sqlstore

import (
	"encoding/binary"
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// A row is known for ever by the key that it was inserted under, its identity: a hidden key, or the primary key that
// the table had then. What merges is the state of each identity; a table whose primary key came later only shows, for
// each primary key, the row with the greatest INSERT. The others (losers) wait in lc_losers: entries still find and
// change them there, and when the row that is shown goes, the next takes its place. So it does not matter whether an
// entry comes before or after the ADD PRIMARY KEY. Losers count in the digest, and not as rows.

// identity is the key that a row is known by, in canonical form.
func (sp *space) identity(dst []byte, r *row) []byte { return sp.rowKey(dst, r.vals, r.hidden) }

// shownKey is a row's primary key in canonical form, nil if the table has none or a part of it is NULL: the row is then
// shown whatever others there are.
func (sp *space) shownKey(r *row) []byte {
	if sp.key == nil {
		return nil
	}
	for _, k := range sp.key {
		if r.vals[k].IsNull() {
			return nil
		}
	}
	return sp.canonicalKey(nil, func(i int) catalog.Value { return r.vals[sp.key[i]] })
}

func (tx *Tx) addLoser(sp *space, r *row) error {
	tx.w.hasLosers = true // stays set if the transaction is rolled back: it only costs a look
	var cells []byte
	for i, c := range sp.cols {
		cells = binary.AppendUvarint(cells, uint64(c.num))
		cells = catalog.AppendValue(cells, r.vals[i])
	}
	return run(tx.w.conn, "INSERT INTO lc_losers VALUES(?,?,?,?,?,?,?)", catalog.Int(sp.num), catalog.BlobBytes(sp.identity(nil, r)),
		catalog.BlobBytes(sp.shownKey(r)), catalog.Int(r.h), catalog.Int(r.o), blobOrNull(r.clocks), catalog.BlobBytes(cells))
}

func (tx *Tx) dropLoser(sp *space, identity []byte) error {
	return run(tx.w.conn, "DELETE FROM lc_losers WHERE t=? AND k=?", catalog.Int(sp.num), catalog.BlobBytes(identity))
}

// losers reads the losers of a space that cond picks.
func (sp *space) losers(c *sqlite.Conn, cond string, args ...catalog.Value) (out []row, err error) {
	args = append([]catalog.Value{catalog.Int(sp.num)}, args...)
	err = each(c, "SELECT k,h,o,c,cells FROM lc_losers WHERE t=?1"+cond, args, func(v []catalog.Value) error {
		r := row{h: v[1].Int(), o: v[2].Int(), clocks: v[3].Bytes, vals: make([]catalog.Value, len(sp.cols))}
		if id := v[0].Bytes; len(id) > 0 && id[0] == keyHidden {
			r.hidden = id[1:]
		}
		for i, col := range sp.cols {
			r.vals[i] = col.missing
		}
		for b := v[4].Bytes; len(b) > 0; {
			num, n := binary.Uvarint(b)
			if n <= 0 {
				return errors.New("sqlstore: lc_losers is damaged")
			}
			v, rest, err := catalog.DecodeValue(b[n:])
			if err != nil {
				return err
			}
			b = rest
			if i := slices.IndexFunc(sp.cols, func(c column) bool { return c.num == int64(num) }); i >= 0 {
				r.vals[i] = v
			}
		}
		out = append(out, r)
		return nil
	})
	return out, err
}

// greater says whether a is shown rather than b: by INSERT, in one transaction by identity.
func (tx *Tx) greater(sp *space, a, b *row) bool {
	s, t := tx.w.origins.merged(crdt.HLC(a.h), a.o), tx.w.origins.merged(crdt.HLC(b.h), b.o)
	if c := s.Compare(t); c != 0 {
		return c > 0
	}
	return string(sp.identity(nil, a)) > string(sp.identity(nil, b))
}

// place puts a row into its table, or among the losers if a greater one is shown under its primary key.
func (tx *Tx) place(ts *txSpace, r *row) error {
	sp := ts.sp
	err := tx.insertMerged(sp, r, nil)
	if err == nil {
		ts.st.rows++
		return nil
	}
	if _, taken := isUnique(err); !taken {
		return err
	}
	if sp.key != nil {
		args := make([]catalog.Value, len(sp.key))
		for i, k := range sp.key {
			args[i] = r.vals[k]
		}
		var holder row
		there, err := readRow(tx.w.conn, sp.byKeySQL, args, &holder)
		if err != nil {
			return err
		}
		if there {
			if !tx.greater(sp, r, &holder) {
				return tx.addLoser(sp, r)
			}
			if err := tx.deleteRow(sp, &holder); err != nil {
				return err
			}
			ts.st.rows--
			if err := tx.addLoser(sp, &holder); err != nil {
				return err
			}
		}
	}
	ts.st.rows++
	return tx.put(sp, r)
}

// promote shows the greatest of the losers that waited for a primary key.
func (tx *Tx) promote(ts *txSpace, gone *row) error {
	if !tx.w.hasLosers {
		return nil
	}
	key := ts.sp.shownKey(gone)
	if key == nil {
		return nil
	}
	waiting, err := ts.sp.losers(tx.w.conn, " AND p=?2", catalog.BlobBytes(key))
	if err != nil || len(waiting) == 0 {
		return err
	}
	best := &waiting[0]
	for i := range waiting[1:] {
		if tx.greater(ts.sp, &waiting[1+i], best) {
			best = &waiting[1+i]
		}
	}
	if err := tx.dropLoser(ts.sp, ts.sp.identity(nil, best)); err != nil {
		return err
	}
	return tx.place(ts, best)
}

// deleteLosers deletes, for a statement that deletes the row shown, those that wait for its primary key: it would be
// odd to see them come up.
func (tx *Tx) deleteLosers(ts *txSpace, gone *row) error {
	if !tx.w.hasLosers {
		return nil
	}
	key := ts.sp.shownKey(gone)
	if key == nil {
		return nil
	}
	waiting, err := ts.sp.losers(tx.w.conn, " AND p=?2", catalog.BlobBytes(key))
	if err != nil {
		return err
	}
	for i := range waiting {
		r := &waiting[i]
		h, err := ts.sp.hash(&tx.hasher, &tx.w.origins, r)
		if err != nil {
			return err
		}
		ts.st.digest.Sub(h)
		id := ts.sp.identity(nil, r)
		if err := tx.dropLoser(ts.sp, id); err != nil {
			return err
		}
		ts.log.deleted(ts.sp, id, r)
		if err := tx.putTombstone(ts, id, tx.stamp.HLC, tx.num); err != nil {
			return err
		}
	}
	return nil
}

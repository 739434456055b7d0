package sqlstore

import (
	"strings"

	"layercake/catalog"
)

// rekey gives a table another primary key, or takes its primary key away, from the DDL entry alone: stamps and
// identities stay (see losers.go), and every node comes to the same rows whenever it meets the entry.
//
//   - A row that was known by a hidden key keeps it in _k.
//   - A row that was known by a primary key which the table loses gets a hidden key derived from it, and so does such a
//     row that arrives later.
//   - Of rows that turn out to have one primary key the greatest INSERT is shown. A statement is refused instead.
//
// old is the table's form before the DDL, sp its form after it but for the key.
func (tx *Tx) rekey(l *layout, t *catalog.Table, old, sp *space, local bool) (*space, error) {
	o := l.objects[sp.id]
	ts := tx.touch(sp)
	losers, err := tx.takeLosers(sp)
	if err != nil {
		return nil, err
	}
	recount := len(losers) > 0
	if len(o.info.Key) > 0 {
		if err := tx.leavePrimaryKey(l, ts, sp, old); err != nil {
			return nil, err
		}
		for i := range losers {
			if r := &losers[i]; r.hidden == nil {
				r.hidden = derivedKey(old.keyID, sp.identity(nil, r)) // its cells are in the order of sp
			}
		}
		o.info.Hidden, o.info.Alias = true, nil
		recount = true
	}
	_, o.info.KeyID, o.info.Key = primaryKey(t)
	if err := tx.save(l, sp.id, o); err != nil {
		return nil, err
	}
	sp = l.space(t, o)
	ts.sp = sp
	if err := tx.dropIndexes(l, sp, old); err != nil {
		return nil, err
	}
	// What this very transaction inserted goes out under the new key: nobody ever hears of its hidden key.
	if sp.key != nil && !tx.remote && ts.log.hasInserts() {
		if err := run(tx.w.conn, "UPDATE "+sp.phys+" SET _k=NULL WHERE _h=? AND _o=?", catalog.Int(int64(tx.stamp.HLC)),
			catalog.Int(tx.num)); err != nil {
			return nil, err
		}
		recount = true
	}
	// The new key has no index yet, so that every loser finds its place.
	for i := range losers {
		if err := tx.put(sp, &losers[i]); err != nil {
			return nil, err
		}
	}
	if sp.key != nil && !local {
		n, err := tx.hideDuplicates(sp)
		if err != nil {
			return nil, err
		}
		recount = recount || n > 0
	}
	if recount {
		return sp, tx.recount(ts)
	}
	return sp, nil
}

func (tx *Tx) takeLosers(sp *space) ([]row, error) {
	if !tx.w.hasLosers {
		return nil, nil
	}
	losers, err := sp.losers(tx.w.conn, "")
	if err != nil {
		return nil, err
	}
	return losers, run(tx.w.conn, "DELETE FROM lc_losers WHERE t=?", catalog.Int(sp.num))
}

// leavePrimaryKey gives every row a hidden key derived from its primary key, and likewise every tombstone.
func (tx *Tx) leavePrimaryKey(l *layout, ts *txSpace, sp, old *space) error {
	c := tx.w.conn
	switch {
	case old.alias >= 0:
		// The column must be able to hold a value twice: it can no longer be the rowid.
		next := *sp
		next.alias, next.hidden = -1, true
		if err := tx.rebuild(l, old, &next); err != nil {
			return err
		}
	case !old.hidden:
		if err := c.StoreExec("ALTER TABLE " + sp.phys + " ADD COLUMN _k BLOB"); err != nil {
			return err
		}
	}

	type derived struct {
		rowid int64
		key   []byte
	}
	var rows []derived
	var cols []string
	for _, k := range old.key {
		cols = append(cols, old.cols[k].phys)
	}
	err := each(c, "SELECT rowid,"+strings.Join(cols, ",")+" FROM "+sp.phys+" WHERE _k IS NULL", nil, func(v []catalog.Value) error {
		id := old.canonicalKey(nil, func(i int) catalog.Value { return v[1+i] })
		rows = append(rows, derived{v[0].Int(), derivedKey(old.keyID, id)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := run(c, "UPDATE "+sp.phys+" SET _k=? WHERE rowid=?", catalog.BlobBytes(r.key), catalog.Int(r.rowid)); err != nil {
			return err
		}
	}
	if ts.st.tombs == 0 {
		return nil
	}
	var tombs [][]byte
	err = each(c, "SELECT k FROM lc_tombstones WHERE t=?", []catalog.Value{catalog.Int(sp.num)}, func(v []catalog.Value) error {
		if len(v[0].Bytes) > 0 && v[0].Bytes[0] == keyPrimary {
			tombs = append(tombs, v[0].Bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range tombs {
		hidden := append([]byte{keyHidden}, derivedKey(old.keyID, k)...)
		if err := run(c, "UPDATE OR REPLACE lc_tombstones SET k=? WHERE t=? AND k=?", catalog.BlobBytes(hidden), catalog.Int(sp.num),
			catalog.BlobBytes(k)); err != nil {
			return err
		}
	}
	return nil
}

// hideDuplicates makes losers of the rows whose new primary key a row with a greater INSERT has too.
func (tx *Tx) hideDuplicates(sp *space) (int, error) {
	// A row without a hidden key has an identity that begins with keyPrimary, which is the greater.
	rows, err := tx.duplicates(sp, "_h DESC, lc_origins.origin DESC, _k IS NULL DESC, _k DESC", "")
	if err != nil {
		return 0, err
	}
	for _, id := range rows {
		var r row
		if _, err := readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(id)}, &r); err != nil {
			return 0, err
		}
		if err := tx.deleteRow(sp, &r); err != nil {
			return 0, err
		}
		if err := tx.addLoser(sp, &r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// duplicates returns the rows that others of their primary key precede in an order, of those that cond picks ("": all).
func (tx *Tx) duplicates(sp *space, order, cond string) (rows []int64, err error) {
	var terms, conds []string
	for _, k := range sp.key {
		terms = append(terms, sp.cols[k].term())
		conds = append(conds, sp.cols[k].phys+" IS NOT NULL")
	}
	if cond != "" {
		conds = append(conds, cond)
	}
	err = each(tx.w.conn, "SELECT r FROM (SELECT t.rowid AS r, row_number() OVER (PARTITION BY "+strings.Join(terms, ",")+
		" ORDER BY "+order+") AS n FROM "+sp.phys+" AS t JOIN lc_origins ON num=_o WHERE "+strings.Join(conds, " AND ")+
		") WHERE n>1", nil, func(v []catalog.Value) error {
		rows = append(rows, v[0].Int())
		return nil
	})
	return rows, err
}

// recount works out a keyspace's digest from its rows.
func (tx *Tx) recount(ts *txSpace) (err error) {
	ts.st.digest, ts.st.rows, err = ts.sp.scan(tx.w.conn, &tx.w.origins)
	return err
}

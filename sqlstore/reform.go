package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// reform makes again what an older version of this program made otherwise in the folder that has been opened: indexes whose
// SQL has changed since, and rows' identities where the columns of a primary key are compared in another way. Nothing of it
// is logged, since every node does it; digests stay but where two keys of a table have become one.
func (s *Store) reform(ctx context.Context) error {
	if !s.layout.Load().outdated() {
		return nil
	}
	s.config.Logger.Info("making indexes of an older version again")
	_, err := s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		tx.remote, tx.dirty = true, true
		l := tx.w.layout.clone()
		var ids []crdt.ID
		for id, sp := range l.spaces {
			if sp.table != nil && l.outdatedSpace(sp) {
				ids = append(ids, id)
			}
		}
		slices.SortFunc(ids, crdt.ID.Compare)
		for _, id := range ids {
			if err := tx.reformSpace(l, l.spaces[id]); err != nil {
				return err
			}
		}
		tx.w.layout = l
		if err := tx.reconcile(false); err != nil {
			return err
		}
		for _, ts := range tx.order { // of the tables whose rows have other identities
			if err := tx.reformTombstones(ts); err != nil {
				return err
			}
		}
		return nil
	}})
	return err
}

func (l *layout) outdated() bool {
	for _, sp := range l.spaces {
		if sp.table != nil && l.outdatedSpace(sp) {
			return true
		}
	}
	return false
}

func (l *layout) outdatedSpace(sp *space) bool {
	for i, c := range sp.table.Columns {
		if sp.cols[i].comparison != catalog.Comparison(c.Type) {
			return true
		}
	}
	return len(l.outdatedIndexes(l.space(sp.table, l.objects[sp.id]))) > 0
}

// outdatedIndexes are those that SQLite has in another form than sp wants.
func (l *layout) outdatedIndexes(sp *space) (names []string) {
	for _, ix := range sp.table.Indexes {
		o := l.objects[crdt.ID(ix.ID)]
		name := physIndex(o.num)
		if sql, wanted := sp.indexes[name]; wanted && o.info.SQL != "" && o.info.SQL != sql {
			names = append(names, name)
		}
	}
	return names
}

// reformSpace drops a table's outdated indexes, which reconcile makes again, and merges the rows that have got one primary
// key.
func (tx *Tx) reformSpace(l *layout, old *space) error {
	rekeyed := slices.ContainsFunc(old.key, func(k int) bool {
		return k < old.live && old.cols[k].comparison != catalog.Comparison(old.table.Columns[k].Type)
	})
	if err := tx.retype(l, old.table, old); err != nil {
		return err
	}
	sp := l.space(old.table, l.objects[old.id])
	for _, name := range l.outdatedIndexes(sp) {
		if err := tx.w.conn.StoreExec("DROP INDEX IF EXISTS " + name); err != nil {
			return err
		}
		if err := tx.forgetIndex(l, sp, name); err != nil {
			return err
		}
	}
	l.spaces[old.id] = sp
	if !rekeyed {
		return nil
	}
	ts := tx.touch(old)
	ts.sp = sp
	losers, err := tx.takeLosers(sp)
	if err != nil {
		return err
	}
	for i := range losers {
		if err := tx.put(sp, &losers[i]); err != nil {
			return err
		}
	}
	// Rows without a hidden key are known by their primary key: of those that are one row now the greatest INSERT stays, of
	// one transaction's the greatest text, as every node sees it.
	order, known := "_h DESC, lc_origins.origin DESC", ""
	for _, k := range sp.key {
		order += ", " + sp.cols[k].phys + " DESC"
	}
	if sp.hidden {
		known = "_k IS NULL"
	}
	twins, err := tx.duplicates(sp, order, known)
	if err != nil {
		return err
	}
	for _, id := range twins {
		var r row
		if _, err := readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(id)}, &r); err != nil {
			return err
		}
		if err := tx.deleteRow(sp, &r); err != nil {
			return err
		}
	}
	if sp.hidden {
		if _, err := tx.hideDuplicates(sp); err != nil {
			return err
		}
	}
	return tx.recount(ts)
}

// reformTombstones gives a table's tombstones the identities that their rows would have now. Of two that have become one the
// greater stays, and none where a row is.
func (tx *Tx) reformTombstones(ts *txSpace) error {
	type tombstone struct {
		key  []byte
		h, o int64
	}
	if ts.st.tombs == 0 || ts.sp.key == nil {
		return nil
	}
	sp, c := ts.sp, tx.w.conn
	var tombs []tombstone
	of := []catalog.Value{catalog.Int(sp.num)}
	err := each(c, "SELECT k,h,o FROM lc_tombstones WHERE t=?", of, func(v []catalog.Value) error {
		if len(v[0].Bytes) > 0 && v[0].Bytes[0] == keyPrimary {
			tombs = append(tombs, tombstone{slices.Clone(v[0].Bytes), v[1].Int(), v[2].Int()})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range tombs {
		vals := make([]catalog.Value, len(sp.key))
		if rest, err := catalog.DecodeRow(vals, t.key[1:]); err != nil || len(rest) > 0 {
			return errors.Join(errors.New("sqlstore: malformed key of a tombstone"), err)
		}
		key := sp.canonicalKey(nil, func(i int) catalog.Value { return vals[i] })
		if bytes.Equal(key, t.key) {
			continue
		}
		if err := tx.dropTombstone(ts, t.key); err != nil {
			return err
		}
		stamp, err := tx.w.origins.stamp(crdt.HLC(t.h), t.o)
		if err != nil {
			return err
		}
		other, err := sp.grave(c, &tx.w.origins, key)
		if err != nil {
			return err
		}
		var r row
		if there, err := readRow(c, sp.byKeySQL, vals, &r); err != nil {
			return err
		} else if there || stamp.Compare(other) <= 0 {
			continue
		}
		if err := tx.dropTombstone(ts, key); err != nil {
			return err
		}
		if err := tx.putTombstone(ts, key, crdt.HLC(t.h), t.o); err != nil {
			return err
		}
	}
	return nil
}

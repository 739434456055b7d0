package sqlstore

import (
	"context"
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
		return tx.reconcile(false)
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

package sqlstore

import (
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// Orphan is a row whose FOREIGN KEY refers to a row that there is not.
type Orphan struct {
	Row   []catalog.Value // values of the table's columns
	Stamp crdt.Stamp      // of what made it refer: its INSERT, or the UPDATE of a column that does
	Gone  crdt.Stamp      // of the end of the row that it refers to; zero if that is not known (any more)
}

// Orphan tells of a row that refers by columns to a row of parent by its columns of; found is false if there is no such
// row.
func (r *Reader) Orphan(t *catalog.Table, rowid int64, columns []catalog.ID, parent *catalog.Table, of []catalog.ID) (o Orphan, found bool, err error) {
	sp, err := r.space(t.ID)
	if err != nil {
		return o, false, err
	}
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	var one row
	if found, err = readRow(r.conn, sp.selectSQL, []catalog.Value{catalog.Int(rowid)}, &one); err != nil || !found {
		return o, false, err
	}
	o.Row = cloneValues(one.vals[:sp.live])
	if o.Stamp, err = org.stamp(crdt.HLC(one.h), one.o); err != nil {
		return o, false, err
	}
	clocks, err := decodeClocks(one.clocks)
	if err != nil {
		return o, false, err
	}
	refers := make([]catalog.Value, len(columns))
	for i, id := range columns {
		c, ok := sp.byID[crdt.ID(id)]
		if !ok {
			return o, false, nil
		}
		refers[i] = one.vals[c]
		if cl, own := clockOf(clocks, sp.cols[c].num); own {
			s, err := org.stamp(cl.hlc, cl.origin)
			if err != nil {
				return o, false, err
			}
			if s.Compare(o.Stamp) > 0 {
				o.Stamp = s
			}
		}
	}
	o.Gone, err = r.ended(parent, of, refers, &org)
	return o, true, err
}

// ended is the stamp of the tombstone of the row of t that has vals in columns, if these are its primary key, or of the
// table's last TRUNCATE.
func (r *Reader) ended(t *catalog.Table, columns []catalog.ID, vals []catalog.Value, org *origins) (s crdt.Stamp, err error) {
	sp, err := r.space(t.ID)
	if err != nil {
		return s, err
	}
	if len(sp.key) == len(columns) {
		whole := true
		key := sp.canonicalKey(nil, func(i int) catalog.Value {
			at := slices.Index(columns, catalog.ID(sp.cols[sp.key[i]].id))
			if at < 0 {
				whole = false
				return catalog.Value{}
			}
			return vals[at]
		})
		if whole {
			if s, err = sp.grave(r.conn, org, key); err != nil {
				return s, err
			}
		}
	}
	cleared, err := r.Truncated(t.ID)
	if err == nil && cleared.Compare(s) > 0 {
		s = cleared
	}
	return s, err
}

package crdt

import "bytes"

// RowState is all that is known of one row: the state that merges (rules M1 to M3). The zero RowState knows nothing.
//
// At most one of Insert and Delete is set: the greater of the two has won, and the lesser can never matter again. Equal
// stamps are one transaction's, in which an INSERT comes after the DELETE or TRUNCATE.
type RowState struct {
	Insert Stamp       // the greatest INSERT, zero when there is none or it was deleted
	Delete Stamp       // the tombstone, zero when there is none or an INSERT beat it
	Cells  map[ID]Cell // of the live row
}

// Cell is one column's value in a live row. The value is opaque bytes.
type Cell struct {
	Stamp Stamp // of the INSERT, or of the UPDATE that set it
	Value []byte
}

// Live says whether there is a row.
func (r *RowState) Live() bool { return !r.Insert.IsZero() }

// ApplyInsert merges an INSERT with the stamp s and tells whether the state changed. Values that are equal to what an
// earlier row had count as new ones (rule M3).
func (r *RowState) ApplyInsert(s Stamp, values map[ID][]byte) bool {
	if s.Compare(r.Delete) < 0 || s.Compare(r.Insert) < 0 {
		return false
	}
	if s == r.Insert {
		changed := false
		for id, v := range values {
			changed = r.raise(id, Cell{Stamp: s, Value: v}) || changed
		}
		return changed
	}
	r.Insert, r.Delete = s, Stamp{}
	r.Cells = make(map[ID]Cell, len(values))
	for id, v := range values {
		r.Cells[id] = Cell{Stamp: s, Value: v}
	}
	return true
}

// ApplyUpdate merges an UPDATE with the stamp s that saw the row of the INSERT seen, and tells whether the state
// changed. One that names another INSERT than the row has counts for nothing.
func (r *RowState) ApplyUpdate(s, seen Stamp, values map[ID][]byte) bool {
	if seen.IsZero() || seen != r.Insert {
		return false
	}
	changed := false
	for id, v := range values {
		changed = r.raise(id, Cell{Stamp: s, Value: v}) || changed
	}
	return changed
}

// ApplyDelete merges a DELETE, or a TRUNCATE of the row's keyspace, with the stamp s, and tells whether the state
// changed.
func (r *RowState) ApplyDelete(s Stamp) bool {
	if s.Compare(r.Insert) <= 0 || s.Compare(r.Delete) <= 0 {
		return false
	}
	*r = RowState{Delete: s}
	return true
}

// Merge merges what another replica knows of the row, and tells whether the state changed. o stays as it is.
func (r *RowState) Merge(o *RowState) bool {
	if !o.Delete.IsZero() {
		return r.ApplyDelete(o.Delete)
	}
	if o.Insert.IsZero() {
		return false
	}
	if o.Insert.Compare(r.Delete) < 0 || o.Insert.Compare(r.Insert) < 0 {
		return false
	}
	changed := false
	if o.Insert != r.Insert {
		*r = RowState{Insert: o.Insert, Cells: make(map[ID]Cell, len(o.Cells))}
		changed = true
	}
	for id, c := range o.Cells {
		changed = r.raise(id, c) || changed
	}
	return changed
}

// raise sets a cell if c is greater than what is there: by stamp, equal stamps by value (rule M2).
func (r *RowState) raise(id ID, c Cell) bool {
	old, ok := r.Cells[id]
	if ok && !c.After(old) {
		return false
	}
	if r.Cells == nil {
		r.Cells = make(map[ID]Cell)
	}
	r.Cells[id] = c
	return true
}

// After says whether c wins over d.
func (c Cell) After(d Cell) bool {
	if n := c.Stamp.Compare(d.Stamp); n != 0 {
		return n > 0
	}
	return bytes.Compare(c.Value, d.Value) > 0
}

package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Repair works below the log: it gives a row back the state that its stamps stand for, on the nodes that lost it, and
// writes nothing new that would travel. Vectors stay as they are, digests become equal.

// RowCopy is all that a node holds of one row, in a form that every node understands.
type RowCopy struct {
	Key     []byte // identity
	Hash    crdt.Digest
	RowID   int64 // this node's
	Loser   bool  // another row of its primary key hides it; it has no RowID
	Damaged bool  // its clocks make no sense: it says nothing
	Insert  crdt.Stamp
	Hidden  []byte
	Cells   []CellCopy // of every column that there ever was, ascending by column
}

// CellCopy is one cell of a RowCopy.
type CellCopy struct {
	Column crdt.ID
	Value  []byte      // encoded
	Own    *crdt.Stamp // of the UPDATE that set it; nil: it bears the INSERT's
}

// Grave is a tombstone.
type Grave struct {
	Key   []byte
	Stamp crdt.Stamp
}

// Copies returns what the snapshot holds of the rows with the given identities, and their tombstones. Of one identity
// there may be several rows where somebody wrote behind the store's back.
func (r *Reader) Copies(ctx context.Context, table catalog.ID, keys [][]byte) (rows []RowCopy, graves []Grave, err error) {
	sp, err := r.space(table)
	if err != nil {
		return nil, nil, err
	}
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[string(k)] = true
	}
	err = r.eachRow(ctx, sp, func(row *row, key []byte, h crdt.Digest, damaged, shown bool) error {
		if !wanted[string(key)] {
			return nil
		}
		c := RowCopy{Key: slices.Clone(key), Hash: h, RowID: row.rowid, Loser: !shown, Damaged: damaged}
		if !damaged {
			if err := sp.describe(&c, &org, row); err != nil {
				return err
			}
		}
		rows = append(rows, c)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for k := range wanted {
		g := Grave{Key: []byte(k)}
		if g.Stamp, err = sp.grave(r.conn, &org, g.Key); err != nil {
			return nil, nil, err
		}
		if !g.Stamp.IsZero() {
			graves = append(graves, g)
		}
	}
	return rows, graves, nil
}

// Truncated is the stamp of the last TRUNCATE of a keyspace, zero if there was none.
func (r *Reader) Truncated(table catalog.ID) (s crdt.Stamp, err error) {
	if _, err := r.space(table); err != nil {
		return s, err
	}
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	err = each(r.conn, "SELECT trunc_h,trunc_o FROM lc_spaces WHERE id=? AND trunc_h<>0", []catalog.Value{table.Value()},
		func(v []catalog.Value) (err error) {
			s, err = org.stamp(crdt.HLC(v[0].Int()), v[1].Int())
			return err
		})
	return s, err
}

// grave is the stamp of a tombstone, zero if there is none.
func (sp *space) grave(c *sqlite.Conn, org *origins, key []byte) (s crdt.Stamp, err error) {
	err = each(c, "SELECT h,o FROM lc_tombstones WHERE t=? AND k=?", []catalog.Value{catalog.Int(sp.num), catalog.BlobBytes(key)},
		func(v []catalog.Value) (err error) {
			s, err = org.stamp(crdt.HLC(v[0].Int()), v[1].Int())
			return err
		})
	return s, err
}

// describe fills in a sound row's stamps and cells.
func (sp *space) describe(c *RowCopy, org *origins, r *row) (err error) {
	if c.Insert, err = org.stamp(crdt.HLC(r.h), r.o); err != nil {
		return err
	}
	c.Hidden = slices.Clone(r.hidden)
	clocks, err := decodeClocks(r.clocks)
	if err != nil {
		return err
	}
	for _, i := range sp.order {
		cell := CellCopy{Column: sp.cols[i].id, Value: catalog.AppendValue(nil, r.vals[i])}
		if cl, own := clockOf(clocks, sp.cols[i].num); own {
			s, err := org.stamp(cl.hlc, cl.origin)
			if err != nil {
				return err
			}
			cell.Own = &s
		}
		c.Cells = append(c.Cells, cell)
	}
	return nil
}

// Logged is what the log says of a row. What has been trimmed off it says nothing.
type Logged struct {
	Insert  bool   // an entry with the stamp of the row's INSERT inserts it
	Cells   []bool // by cell: an entry with its stamp writes just this value into just this row
	Deleted bool   // an entry with the tombstone's stamp deletes the row
	Refuted bool   // an entry with one of the row's stamps is there, and does not write what the row holds
}

// Logged looks a row, and the stamp of its end if it is not zero, up in the log.
func (r *Reader) Logged(ctx context.Context, table catalog.ID, c *RowCopy, end crdt.Stamp) (l Logged, err error) {
	sp, err := r.space(table)
	if err != nil {
		return l, err
	}
	l.Cells = make([]bool, len(c.Cells))
	stamps := map[crdt.Stamp]bool{c.Insert: false, end: false} // whether the entry is there
	for i := range c.Cells {
		if o := c.Cells[i].Own; o != nil {
			stamps[*o] = false
		}
	}
	delete(stamps, crdt.Stamp{})
	for s := range stamps {
		groups, there, err := r.entryAt(ctx, s)
		if err != nil {
			return l, err
		}
		stamps[s] = there
		for i := range groups {
			switch g := &groups[i]; {
			case g.Keyspace != sp.id:
			case g.Op == crdt.Truncate:
				l.Deleted = l.Deleted || s == end
			default:
				if err := l.look(sp, g, c, s, end); err != nil {
					return l, err
				}
			}
		}
	}
	l.Refuted = stamps[c.Insert] && !l.Insert
	for i := range c.Cells {
		l.Refuted = l.Refuted || !l.Cells[i] && stamps[c.StampOf(i)]
	}
	return l, nil
}

// StampOf is the stamp of a cell.
func (c *RowCopy) StampOf(cell int) crdt.Stamp {
	if o := c.Cells[cell].Own; o != nil {
		return *o
	}
	return c.Insert
}

// look looks for c in one group of the entry with the stamp s.
func (l *Logged) look(sp *space, g *crdt.Group, c *RowCopy, s, end crdt.Stamp) error {
	m := merger{sp: sp, g: g, foreign: g.KeyID != sp.keyID}
	if err := m.prepare(); err != nil {
		return nil // it goes by a key that the table never had: Apply would not have taken it
	}
	return g.Each(func(r crdt.Row) error {
		if err := m.decode(r); err != nil {
			return err
		}
		if !bytes.Equal(m.id, c.Key) {
			return nil
		}
		says := func(column crdt.ID, v catalog.Value) {
			for i := range c.Cells {
				cell := &c.Cells[i]
				mine := cell.Own == nil && g.Op == crdt.Insert && s == c.Insert || cell.Own != nil && *cell.Own == s
				if cell.Column == column && mine && bytes.Equal(cell.Value, catalog.AppendValue(nil, v)) {
					l.Cells[i] = true
				}
			}
		}
		switch {
		case g.Op == crdt.Delete:
			l.Deleted = l.Deleted || s == end
			return nil
		case g.Op == crdt.Insert && s == c.Insert:
			l.Insert = true
			for i := range m.sp.cols { // what the INSERT does not name holds what its column holds by default
				if !slices.Contains(m.keyAt, i) && !slices.Contains(m.colAt, i) {
					says(sp.cols[i].id, sp.cols[i].missing)
				}
			}
		case g.Op == crdt.Update && r.Seen != c.Insert:
			return nil
		}
		if g.Op == crdt.Insert {
			for i, id := range g.Key {
				says(id, m.keyVals[i])
			}
		}
		for i, id := range g.Columns {
			says(id, m.vals[i])
		}
		return nil
	})
}

// entryAt finds the entry with a stamp, if it is still in the log.
func (r *Reader) entryAt(ctx context.Context, s crdt.Stamp) (groups []crdt.Group, there bool, err error) {
	r.s.mu.RLock()
	num := int64(slices.Index(r.s.origins.byNum, s.Origin))
	r.s.mu.RUnlock()
	if num <= 0 {
		return nil, false, nil
	}
	bound := func(order string) (int64, error) {
		v, err := one(r.conn, "SELECT id FROM lc_log WHERE id>=?1 AND id<?2 ORDER BY id "+order+" LIMIT 1",
			catalog.Int(num<<seqBits), catalog.Int((num+1)<<seqBits))
		return v.Int(), err
	}
	low, err := bound("ASC")
	if err != nil || low == 0 {
		return nil, false, err
	}
	high, err := bound("DESC")
	if err != nil {
		return nil, false, err
	}
	// Stamps of an origin rise with its numbers.
	for low <= high {
		if err := ctx.Err(); err != nil {
			return nil, false, context.Cause(ctx)
		}
		mid := (low + high) / 2
		v, err := one(r.conn, "SELECT "+entryHead+" FROM lc_log WHERE id=?", catalog.Int(mid))
		if err != nil || v.IsNull() {
			return nil, false, err
		}
		e, err := crdt.HeadOf(v.Bytes)
		if err != nil {
			return nil, false, err
		}
		switch {
		case e.HLC == s.HLC:
			err := each(r.conn, "SELECT "+shortEntry+" FROM lc_log WHERE id=?", []catalog.Value{catalog.Int(mid)}, func(v []catalog.Value) error {
				v[0].Bytes = slices.Clone(v[0].Bytes)
				e, err := getEntry(r.conn, mid, v[0])
				if err == nil {
					groups, err = e.Groups()
				}
				return err
			})
			return groups, groups != nil, err
		case e.HLC < s.HLC:
			low = mid + 1
		default:
			high = mid - 1
		}
	}
	return nil, false, nil
}

// Fix is one row to be put right: what the node is known to hold of it now, and what it is to hold.
type Fix struct {
	Key  []byte
	Was  []RowCopy  // Hash, RowID and Loser of each row with this identity
	Dead crdt.Stamp // of its tombstone, zero for none
	Row  *RowCopy   // what is to be there; nil: no row
	Bury crdt.Stamp // the tombstone that is to be there if Row is nil, zero for none
}

// Mend puts rows right, and adds what was found missing to the kept digest and row count (a Scan's less what it says is
// kept). A row that has changed since it was looked at is passed over. It returns how many rows were put right.
func (s *Store) Mend(ctx context.Context, table catalog.ID, digest crdt.Digest, rows int64, fixes []Fix) (mended int, err error) {
	_, err = s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		mended = 0
		tx.remote, tx.dirty = true, true // nothing of it is logged
		sp := tx.w.layout.spaces[crdt.ID(table)]
		if sp == nil {
			return ErrSchemaChanged
		}
		ts := tx.touch(sp)
		ts.st.digest.Add(digest)
		ts.st.rows += rows
		for i := range fixes {
			done, err := tx.fix(ts, &fixes[i])
			if err != nil {
				return fmt.Errorf("sqlstore: repair a row of %s: %w", sp.table.Name, err)
			}
			if done {
				mended++
			}
		}
		return nil
	}})
	return mended, err
}

// fix puts one row right unless it has changed since.
func (tx *Tx) fix(ts *txSpace, f *Fix) (done bool, err error) {
	sp := ts.sp
	was := make([]row, len(f.Was))
	for i := range f.Was {
		var there bool
		if was[i], there, err = tx.found(sp, &f.Was[i], f.Key); err != nil || !there {
			return false, err
		}
		if h, _ := sp.hashAny(&tx.hasher, &tx.w.origins, &was[i]); h != f.Was[i].Hash {
			return false, nil
		}
	}
	if dead, err := sp.grave(tx.w.conn, &tx.w.origins, f.Key); err != nil || dead != f.Dead {
		return false, err
	}
	var next row
	if f.Row != nil {
		if next, err = tx.rowOf(sp, f.Row); err != nil {
			return false, err
		}
		if len(f.Was) == 0 {
			if taken, err := tx.taken(sp, f.Key, &next); err != nil || taken {
				return false, err
			}
		}
		if ts.st.trunc.Compare(f.Row.Insert) > 0 {
			return false, nil
		}
	}
	for i := range was {
		r := &was[i]
		h, _ := sp.hashAny(&tx.hasher, &tx.w.origins, r)
		ts.st.digest.Sub(h)
		if f.Was[i].Loser {
			err = tx.dropLoser(sp, f.Key)
		} else {
			ts.st.rows--
			if err = tx.deleteRow(sp, r); err == nil && i == len(was)-1 {
				err = tx.promote(ts, r)
			}
		}
		if err != nil {
			return false, err
		}
	}
	if f.Row == nil {
		return true, tx.bury(ts, f)
	}
	if err := tx.dropTombstone(ts, f.Key); err != nil {
		return false, err
	}
	m := merger{tx: tx, ts: ts, sp: sp}
	return true, m.add(&next)
}

// bury sets a row's tombstone to what it is to be.
func (tx *Tx) bury(ts *txSpace, f *Fix) error {
	if f.Bury == f.Dead || f.Bury.IsZero() || ts.st.trunc.Compare(f.Bury) >= 0 {
		return nil
	}
	num, err := tx.w.number(f.Bury.Origin)
	if err != nil {
		return err
	}
	if !f.Dead.IsZero() {
		ts.st.tombs--
	}
	return tx.putTombstone(ts, f.Key, f.Bury.HLC, num)
}

// found reads a row of an identity again.
func (tx *Tx) found(sp *space, c *RowCopy, key []byte) (r row, there bool, err error) {
	if !c.Loser {
		there, err = readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(c.RowID)}, &r)
		r.vals = cloneValues(r.vals)
		return r, there && bytes.Equal(sp.identity(nil, &r), key), err
	}
	losers, err := sp.losers(tx.w.conn, " AND k=?2", catalog.BlobBytes(key))
	if err != nil || len(losers) == 0 {
		return r, false, err
	}
	return losers[0], true, nil
}

// taken says whether there is a row of this identity after all.
func (tx *Tx) taken(sp *space, key []byte, next *row) (bool, error) {
	var r row
	var there bool
	var err error
	if next.hidden != nil {
		there, err = readRow(tx.w.conn, sp.byHiddenSQL, []catalog.Value{catalog.BlobBytes(next.hidden)}, &r)
	} else {
		vals := make([]catalog.Value, len(sp.key))
		for i, k := range sp.key {
			vals[i] = next.vals[k]
		}
		there, err = readRow(tx.w.conn, sp.byKeySQL, vals, &r)
		there = there && bytes.Equal(sp.identity(nil, &r), key)
	}
	if err != nil || there {
		return there, err
	}
	losers, err := sp.losers(tx.w.conn, " AND k=?2", catalog.BlobBytes(key))
	return len(losers) > 0, err
}

// rowOf makes a row of what another node told of it.
func (tx *Tx) rowOf(sp *space, c *RowCopy) (r row, err error) {
	if r.o, err = tx.w.number(c.Insert.Origin); err != nil {
		return r, err
	}
	r.h, r.hidden = int64(c.Insert.HLC), c.Hidden
	if r.hidden != nil && !sp.hidden || r.hidden == nil && sp.key == nil {
		return r, fmt.Errorf("%w: a row that goes by a key that the table never had", crdt.ErrMalformed)
	}
	r.vals = make([]catalog.Value, len(sp.cols))
	for i := range sp.cols {
		r.vals[i] = sp.cols[i].missing
	}
	var clocks []cellClock
	for i := range c.Cells {
		cell := &c.Cells[i]
		at, ok := sp.byID[cell.Column]
		if !ok {
			return r, ErrSchemaChanged
		}
		v, rest, err := catalog.DecodeValue(cell.Value)
		if err != nil || len(rest) > 0 {
			return r, fmt.Errorf("%w: a cell's value", crdt.ErrMalformed)
		}
		r.vals[at] = v
		if cell.Own != nil {
			num, err := tx.w.number(cell.Own.Origin)
			if err != nil {
				return r, err
			}
			clocks = setClock(clocks, cellClock{sp.cols[at].num, cell.Own.HLC, num})
		}
	}
	r.clocks = encodeClocks(clocks)
	if !bytes.Equal(sp.identity(nil, &r), c.Key) {
		return r, fmt.Errorf("%w: a row whose key is not its own", crdt.ErrMalformed)
	}
	return r, nil
}

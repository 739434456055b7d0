package server

import (
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// statement is one Modify being worked out.
type statement struct {
	*worker
	m   *pgsql.Modify
	in  rowArgs
	out outcome
	ops []op

	keys    *smallSet[string] // unique keys that this statement has given to rows
	shared  *sharedTable      // the table, if other parts of the same command change it too; only on the writer
	touched smallSet[int64]   // rows that ON CONFLICT has updated
	upsert  *pgsql.Modify     // m as the plan of ON CONFLICT's updates; m itself where nobody refers to its keys
}

// check holds a new row against NOT NULL and CHECK; checks are the results that came with it.
func (s *statement) check(row, checks []catalog.Value) error {
	for _, i := range s.m.NotNull {
		if row[i].IsNull() {
			c := s.m.Table.Columns[i]
			return pgerror.New(pgerror.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint", c.Name, s.m.Table.Name).
				WithDetail("Failing row contains (%s).", rowText(s.s.Output(), s.m.Table, row)).
				WithTable(s.m.Table.Schema, s.m.Table.Name).WithColumn(c.Name)
		}
	}
	for i, c := range s.m.Checks {
		if v := checks[i]; !v.IsNull() && v.Int() == 0 {
			return pgerror.New(pgerror.CheckViolation, "new row for relation \"%s\" violates check constraint \"%s\"", s.m.Table.Name, c.Name).
				WithDetail("Failing row contains (%s).", rowText(s.s.Output(), s.m.Table, row)).
				WithTable(s.m.Table.Schema, s.m.Table.Name).WithConstraint(c.Name)
		}
	}
	return nil
}

// insert works out a row that an INSERT proposes: v is the row and the results of its checks. lasts says that v is valid
// beyond the call.
func (s *statement) insert(v []catalog.Value, lasts bool) error {
	n := len(s.m.Table.Columns)
	row := v[:n]
	if err := s.check(row, v[n:]); err != nil {
		return s.earlier(err)
	}
	if s.m.OnConflict != nil {
		done, err := s.conflict(row)
		if done || err != nil {
			return err
		}
	}
	if err := s.claimKeys(row, nil, nil); err != nil {
		return err
	}
	s.addInsert(row, lasts)
	s.out.count++
	return s.returnRow(row)
}

// earlier returns the error that ends the statement where a new row is refused with err: the writer finds duplicate keys
// when it inserts, so that of a row before this one may still be due.
func (s *statement) earlier(err error) error {
	if s.tx == nil || len(s.ops) == 0 {
		return err
	}
	var blocked *blockedError
	if e := s.effect(s.ops); pgerror.Code(e) == pgerror.UniqueViolation || errors.As(e, &blocked) {
		return e
	}
	return err
}

// addInsert adds an inserted row to the statement's ops. lasts says that it is valid beyond the call.
func (s *statement) addInsert(row []catalog.Value, lasts bool) {
	if k := len(s.ops); k > 0 && s.ops[k-1].kind == opInsert {
		o := &s.ops[k-1]
		if o.rows == nil {
			o.rows = &rowBuffer{cols: len(row)}
			o.rows.add(o.new)
			o.new = nil
		}
		o.rows.add(row)
		return
	}
	if !lasts {
		row = cloneRow(row)
	}
	s.ops = append(s.ops, op{kind: opInsert, plan: s.m, table: s.m.Table, new: row})
}

// claimKeys reserves the unique keys of a new row and, on a reader, looks for who has them already (the writer finds
// out by itself). For an UPDATE, set says which columns changed, and self is the rowid of a committed row.
func (s *statement) claimKeys(row []catalog.Value, set []int, self *int64) error {
	if s.tx != nil && s.m.OnConflict == nil && s.keys == nil && s.many(s.m.Table.ID) {
		return nil
	}
	for i := range s.m.Uniques {
		u := &s.m.Uniques[i]
		if set != nil && !touches(u, set) {
			continue
		}
		var buf keyBytes
		key, err := s.uniqueKeyOf(buf[:], u, row)
		if err != nil {
			return err
		}
		if key == nil {
			continue
		}
		lk := uniqueKey(s.m.Table.ID, u.Index.OID, key)
		s.wantRow(s.m.Table.ID, lk)
		if s.m.OnConflict != nil || s.tx != nil && s.keys != nil {
			if s.keys == nil {
				s.keys = new(smallSet[string])
			}
			s.keys.add(lk.key)
		}
		if s.tx != nil {
			continue
		}
		if s.tran.keys.has(lk) {
			return errNeedsWriter
		}
		if s.keys == nil {
			s.keys = new(smallSet[string])
		} else if s.m.OnConflict == nil && s.keys.has(lk.key) {
			return duplicateKey(u.Constraint, u.Detail, s.m.Table, s.keyValues(s.m.Table, u, row))
		}
		s.keys.add(lk.key)
		if s.tran.emptied.has(s.m.Table.ID) {
			continue
		}
		rowid, found, err := s.lookup(u, &rowArgs{new: row})
		if err != nil {
			return err
		}
		if found && (self == nil || rowid != *self) {
			if s.tran.touched.has(rowRef{s.m.Table.ID, rowid}) {
				return errNeedsWriter
			}
			if !s.s.node.locks.free(s.s.owner, lk) { // its holder has freed the key, if that counts in the end
				return &blockedError{lk, true}
			}
			return duplicateKey(u.Constraint, u.Detail, s.m.Table, s.keyValues(s.m.Table, u, row))
		}
	}
	return nil
}

// freeKeys reserves the unique keys that a row had and that an open transaction takes from it: whoever wants them waits
// for the end. set says which columns changed, nil: all.
func (s *statement) freeKeys(old []catalog.Value, set []int) error {
	if s.tran == nil || s.many(s.m.Table.ID) {
		return nil
	}
	for i := range s.m.Uniques {
		u := &s.m.Uniques[i]
		if set != nil && !touches(u, set) {
			continue
		}
		var buf keyBytes
		key, err := s.uniqueKeyOf(buf[:], u, old)
		if err != nil && !pgerror.OfStatement(err) { // else a row that another node wrote: an expression that fails for it is NULL
			return err
		}
		if err == nil && key != nil {
			s.wantRow(s.m.Table.ID, uniqueKey(s.m.Table.ID, u.Index.OID, key))
		}
	}
	return nil
}

// claimRow reserves the row that o changes, unless the transaction itself has inserted it.
func (s *statement) claimRow(o *op, parent bool) {
	if s.tran != nil {
		o.own = s.tran.ownAt(o.table.ID, o.seen)
	}
	if o.own != nil || s.many(o.table.ID) { // or the whole table is reserved
		return
	}
	s.wantRow(o.table.ID, rowKey(o.table.ID, o.rowid))
	if parent {
		s.wantRow(o.table.ID, parentKey(o.table.ID, o.rowid))
	}
}

// touches says whether an UPDATE of the columns in set may change u's key.
func touches(u *pgsql.UniqueCheck, set []int) bool {
	if u.Keys != nil {
		return true
	}
	for _, c := range u.Columns {
		if c < 0 || slices.Contains(set, c) {
			return true
		}
	}
	return false
}

// conflict deals with a proposed row whose key is taken, per ON CONFLICT; done says that the row needs no insert.
func (s *statement) conflict(row []catalog.Value) (done bool, err error) {
	oc := s.m.OnConflict
	in := s.in
	in.new = row
	for _, i := range oc.Arbiters {
		u := &s.m.Uniques[i]
		var buf keyBytes
		key, err := s.uniqueKeyOf(buf[:], u, row)
		if err != nil {
			return false, err
		}
		if key == nil {
			continue
		}
		lk := uniqueKey(s.m.Table.ID, u.Index.OID, key)
		if s.keys != nil && s.keys.has(lk.key) {
			if oc.Action == nil {
				return true, nil
			}
			return false, errTwice()
		}
		if s.tx == nil && (s.tran.keys.has(lk) || s.tran.emptied.has(s.m.Table.ID)) {
			return false, errNeedsWriter
		}
		rowid, found, err := s.lookup(u, &in)
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		if s.tx == nil && s.tran.touched.has(rowRef{s.m.Table.ID, rowid}) {
			return false, errNeedsWriter
		}
		s.wantRow(s.m.Table.ID, rowKey(s.m.Table.ID, rowid))
		twice := s.touched.has(rowid)
		if s.shared.changed(rowid) {
			if twice, err = s.keeps(u, key, rowid); err != nil {
				return false, err
			}
			if !twice {
				continue // there is no such row any more
			}
		}
		if oc.Action == nil {
			return true, nil
		}
		if twice {
			return false, errTwice()
		}
		s.touched.add(rowid)
		in.rowid = rowid
		v, err := s.first(oc.Action, &in)
		if err != nil || v == nil {
			return true, err
		}
		n := len(s.m.Table.Columns)
		id, seen := version(v)
		v = v[versionColumns:]
		updated, old, checks := v[:n], v[n:2*n], v[2*n:]
		if err := s.check(updated, checks); err != nil {
			return false, err
		}
		if s.upsert == nil {
			s.upsert = s.m
			if len(oc.Referenced) > 0 {
				plan := *s.m
				plan.Op, plan.Referenced = pgsql.Update, oc.Referenced
				s.upsert = &plan
			}
		}
		if err := s.change(s.upsert, id, seen, updated, old, oc.SetColumns, oc.KeyChange); err != nil {
			return false, err
		}
		s.out.count++
		return true, s.returnRow(updated)
	}
	return false, nil
}

func errTwice() error {
	return pgerror.New(pgerror.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
		WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
}

// change adds the update of one row: of its cells or, where its primary key gets another value, as DELETE and INSERT.
func (s *statement) change(plan *pgsql.Modify, rowid int64, seen sqlstore.Version, row, old []catalog.Value, set []int, keyChange bool) error {
	t := s.m.Table
	o := op{plan: plan, table: t, rowid: rowid, seen: seen, new: row, old: old}
	s.claimRow(&o, len(plan.Referenced) > 0)
	s.shared.change(rowid, row)
	self := &rowid
	if o.own != nil {
		self = nil // among committed rows it is not to be found
	}
	if err := s.claimKeys(row, set, self); err != nil {
		return err
	}
	if old != nil {
		if err := s.freeKeys(old, set); err != nil {
			return err
		}
	}
	if keyChange && s.keyDiffers(row, old) {
		o.kind = opDelete
		s.ops = append(s.ops, o)
		s.ops = append(s.ops, op{kind: opInsert, plan: s.m, table: t, new: row})
		return nil
	}
	if keyChange {
		set = s.withoutKey(set)
	}
	o.kind, o.cols = opUpdate, set
	s.ops = append(s.ops, o)
	return nil
}

// withoutKey leaves the primary key's columns out of a list of cells: their values stay.
func (s *statement) withoutKey(set []int) []int {
	pk := s.m.Table.PrimaryKey()
	if pk == nil {
		return set
	}
	var out []int
	for _, c := range set {
		if !slices.Contains(pk.Columns, s.m.Table.Columns[c].ID) {
			out = append(out, c)
		}
	}
	return out
}

// keyDiffers says whether the primary key's values differ between two states of a row.
func (s *statement) keyDiffers(row, old []catalog.Value) bool {
	for i := range s.m.Uniques {
		u := &s.m.Uniques[i]
		if !u.Index.Primary {
			continue
		}
		for _, c := range u.Columns {
			if !row[c].Equal(old[c]) {
				return true
			}
		}
	}
	return false
}

// update works out an UPDATE's rows.
func (s *statement) update(source *rowBuffer) error {
	n := len(s.m.Table.Columns)
	s.ops = slices.Grow(s.ops, source.n)
	err := source.each(func(_ int, v []catalog.Value) error {
		rowid, seen := version(v)
		rest := v[versionColumns:]
		if source.n > 1 {
			rest = cloneRow(rest)
		}
		row := rest[:n]
		rest = rest[n:]
		var old []catalog.Value
		if s.m.NeedOld {
			old, rest = rest[:n], rest[n:]
		}
		if err := s.check(row, rest); err != nil {
			return err
		}
		if s.shared.changed(rowid) {
			return nil
		}
		if err := s.change(s.m, rowid, seen, row, old, s.m.SetColumns, s.m.KeyChange); err != nil {
			return err
		}
		s.out.count++
		if s.out.returned != nil {
			s.out.returned.add(v[s.m.ReturnAt : s.m.ReturnAt+len(s.m.Returning)])
		}
		return nil
	})
	if s.m.KeyChange {
		s.deletesFirst()
	}
	return err
}

// deletesFirst moves the DELETE halves of key changes before the INSERT halves, so that keys may move along a chain.
func (s *statement) deletesFirst() {
	var del, rest []op
	for _, o := range s.ops {
		if o.kind == opDelete {
			del = append(del, o)
		} else {
			rest = append(rest, o)
		}
	}
	s.ops = append(del, rest...)
}

// delete works out a DELETE's rows.
func (s *statement) delete(source *rowBuffer) error {
	n := len(s.m.Table.Columns)
	s.ops = slices.Grow(s.ops, source.n)
	return source.each(func(_ int, v []catalog.Value) error {
		rowid, seen := version(v)
		if s.shared.changed(rowid) {
			return nil
		}
		s.shared.change(rowid, nil)
		t := s.m.Table
		o := op{kind: opDelete, plan: s.m, table: t, rowid: rowid, seen: seen}
		s.claimRow(&o, len(s.m.Referenced) > 0)
		if err := s.freeKeys(v[versionColumns:versionColumns+n], nil); err != nil {
			return err
		}
		if len(s.m.Referenced) > 0 {
			if o.old = v[versionColumns : versionColumns+n]; source.n > 1 {
				o.old = cloneRow(o.old)
			}
		}
		s.ops = append(s.ops, o)
		s.out.count++
		if s.out.returned != nil {
			s.out.returned.add(v[s.m.ReturnAt : s.m.ReturnAt+len(s.m.Returning)])
		}
		return nil
	})
}

// returnRow adds INSERT's RETURNING for one row.
func (s *statement) returnRow(row []catalog.Value) error {
	switch {
	case s.m.Returning == nil:
		return nil
	case s.m.ReturnQuery == nil:
		out := make([]catalog.Value, len(s.m.ReturnCols))
		for i, c := range s.m.ReturnCols {
			out[i] = row[c]
		}
		s.out.returned.add(out)
		return nil
	}
	in := s.in
	in.new = row
	v, err := s.first(s.m.ReturnQuery, &in)
	if err != nil {
		return err
	}
	if v != nil {
		s.out.returned.add(v[:len(s.m.Returning)])
	}
	return nil
}

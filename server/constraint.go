package server

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// appendComparable appends the bytes of a value by which its type compares.
func appendComparable(dst []byte, typ uint32, v catalog.Value) []byte {
	return catalog.AppendValue(dst, catalog.Canonical(v, catalog.Comparison(typ)))
}

// keyBytes is memory for a unique key; few are longer.
type keyBytes [64]byte

// uniqueKeyOf encodes the key that row has in u's index into buf, which must not be nil; nil when a key column is NULL or the
// index leaves it out.
func (s *statement) uniqueKeyOf(buf []byte, u *pgsql.UniqueCheck, row []catalog.Value) ([]byte, error) {
	key := buf[:0]
	if u.Keys != nil {
		v, err := s.first(u.Keys, &rowArgs{new: row})
		if err != nil || v == nil {
			return nil, err
		}
		for i, c := range u.Keys.Columns {
			if v[i].IsNull() {
				return nil, nil
			}
			key = appendComparable(key, c.Type, v[i])
		}
		return key, nil
	}
	for _, c := range u.Columns {
		if row[c].IsNull() {
			return nil, nil
		}
		key = appendComparable(key, s.m.Table.Columns[c].Type, row[c])
	}
	return key, nil
}

// keyValues shows the key that row has in u's index as text, for an error's detail.
func (w *worker) keyValues(t *catalog.Table, u *pgsql.UniqueCheck, row []catalog.Value) string {
	if u.Keys == nil {
		return columnsText(w.s.Output(), t, u.Columns, row)
	}
	v, err := w.first(u.Keys, &rowArgs{new: row})
	if err != nil || v == nil {
		return "…"
	}
	out := make([]string, len(v))
	for i, c := range u.Keys.Columns {
		out[i] = valueText(w.s.Output(), c.Type, c.Typmod, v[i])
	}
	return strings.Join(out, ", ")
}

func columnsText(set *catalog.OutputSettings, t *catalog.Table, cols []int, row []catalog.Value) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = valueText(set, t.Columns[c].Type, t.Columns[c].Typmod, row[c])
	}
	return strings.Join(out, ", ")
}

func columnNames(t *catalog.Table, cols []int) string {
	out := make([]string, len(cols))
	for i, c := range cols {
		out[i] = t.Columns[c].Name
	}
	return strings.Join(out, ", ")
}

// valueText shows a value as a client with these settings would see it; nil: those of a new session.
func valueText(set *catalog.OutputSettings, typ uint32, typmod int32, v catalog.Value) string {
	if v.IsNull() {
		return "null"
	}
	return string(catalog.AppendText(nil, typ, typmod, v, set))
}

// rowText shows a row as "Failing row contains (…)" does, long values cut at 64 bytes.
func rowText(set *catalog.OutputSettings, t *catalog.Table, row []catalog.Value) string {
	out := make([]string, len(row))
	for i, v := range row {
		w := valueText(set, t.Columns[i].Type, t.Columns[i].Typmod, v)
		if len(w) > 64 {
			w = strings.ToValidUTF8(w[:64], "") + "..."
		}
		out[i] = w
	}
	return strings.Join(out, ", ")
}

func duplicateKey(constraint, columns string, t *catalog.Table, values string) error {
	return pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", constraint).
		WithDetail("Key (%s)=(%s) already exists.", columns, values).
		WithTable(t.Schema, t.Name).WithConstraint(constraint)
}

// uniqueError turns the store's UniqueError into 23505 and leaves other errors alone.
func (r *replayState) uniqueError(tx *sqlstore.Tx, err error, m *pgsql.Modify, t *catalog.Table, row []catalog.Value) error {
	var u *sqlstore.UniqueError
	if !errors.As(err, &u) {
		return err
	}
	if m != nil {
		for i := range m.Uniques {
			c := &m.Uniques[i]
			if c.Index.ID != u.Index.ID {
				continue
			}
			w := &worker{ctx: context.Background(), s: r.s, q: tx, tx: tx}
			return duplicateKey(c.Constraint, c.Detail, t, w.keyValues(t, c, row))
		}
	}
	return pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint \"%s\"", u.Index.Name).
		WithTable(t.Schema, t.Name).WithConstraint(u.Index.Name)
}

// checkReferences holds FOREIGN KEYs for rows that have just been changed: their parents exist, and nobody refers to
// what went; CASCADE, SET NULL and SET DEFAULT are carried out.
func (w *worker) checkReferences(ops []op) error {
	if w.nested++; w.nested == 1 {
		w.acts, w.late = mayAct(ops), nil
	}
	err := w.checkEach(ops)
	w.nested--
	if err != nil || w.nested > 0 {
		return err
	}
	if len(w.late) > 0 {
		w.last = lastChanges(nil, w.ops)
	}
	for _, check := range w.late {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// mayAct says whether a change of a row may have to be followed by one of its children.
func mayAct(ops []op) bool {
	for i := range ops {
		o := &ops[i]
		if o.old != nil && slices.ContainsFunc(o.plan.Referenced, func(r pgsql.ReferencedCheck) bool { return o.action(&r) != nil }) {
			return true
		}
	}
	return false
}

// action is what a FOREIGN KEY asks for when o takes the parent away, or its key; nil: that nobody refers to it.
func (o *op) action(r *pgsql.ReferencedCheck) func() (*pgsql.Modify, error) {
	if o.new != nil {
		return r.OnUpdate
	}
	return r.OnDelete
}

func (w *worker) checkEach(ops []op) error {
	base := w.base + len(w.ops) - len(ops)
	for i := range ops {
		o := &ops[i]
		if o.plan == nil || o.kind != opInsert && o.kind != opUpdate || len(o.plan.References) == 0 {
			continue
		}
		if w.acts && refersToItself(o.plan) { // its parent's key may be changing with it
			w.late = append(w.late, func() error { return w.checkRows(base+i, o, w.last) })
		} else if err := w.checkRows(base+i, o, finals{}); err != nil {
			return err
		}
	}
	for i := range ops {
		o := &ops[i]
		if o.plan != nil && (o.kind == opUpdate || o.kind == opDelete) && o.old != nil {
			if err := w.checkChildren(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func refersToItself(m *pgsql.Modify) bool {
	return slices.ContainsFunc(m.References, func(r pgsql.ReferenceCheck) bool { return r.Parent.ID == m.Table.ID })
}

// checkRows looks for the parents of the rows of op number i, as they have become.
func (w *worker) checkRows(i int, o *op, last finals) error {
	if o.kind == opUpdate {
		if row := last.row(i, o, o.own, o.new); row != nil {
			return w.checkParents(o.plan, row, o.cols)
		}
		return nil
	}
	return o.each(func(j int, row []catalog.Value) error {
		if row = last.row(i, o, &ownRow{i, j}, row); row == nil {
			return nil
		}
		return w.checkParents(o.plan, row, nil)
	})
}

// checkParents looks for the parents of a row. With set, only for the FOREIGN KEYs over one of these columns.
func (w *worker) checkParents(m *pgsql.Modify, row []catalog.Value, set []int) error {
	for i := range m.References {
		r := &m.References[i]
		if set != nil && !overlap(set, r.Columns) || w.deferred(r.Constraint) {
			continue
		}
		nulls := 0
		for _, c := range r.Columns {
			if row[c].IsNull() {
				nulls++
			}
		}
		if nulls > 0 {
			if r.Constraint.Match == 'f' && nulls < len(r.Columns) {
				return pgerror.New(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"", m.Table.Name, r.Constraint.Name).
					WithDetail("MATCH FULL does not allow mixing of null and nonnull key values.").
					WithTable(m.Table.Schema, m.Table.Name).WithConstraint(r.Constraint.Name)
			}
			continue
		}
		parent, err := w.first(r.Lookup, &rowArgs{new: row})
		if err != nil {
			return err
		}
		if parent == nil {
			return pgerror.New(pgerror.ForeignKeyViolation, "insert or update on table \"%s\" violates foreign key constraint \"%s\"", m.Table.Name, r.Constraint.Name).
				WithDetail("Key (%s)=(%s) is not present in table \"%s\".", columnNames(m.Table, r.Columns), columnsText(w.s.Output(), m.Table, r.Columns, row), r.Parent.Name).
				WithTable(m.Table.Schema, m.Table.Name).WithConstraint(r.Constraint.Name)
		}
		if _, seen := version(parent); seen.O != ownOrigin && len(w.share) < bulkRows {
			w.share = append(w.share, parentKey(r.Parent.ID, parent[0].Int()))
		}
	}
	return nil
}

func overlap(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

// checkChildren deals with the rows that refer to a row that was deleted or had its key changed.
func (w *worker) checkChildren(o *op) error {
	m := o.plan
	for i := range m.Referenced {
		r := &m.Referenced[i]
		gone, null := o.new == nil, false
		for _, c := range r.Columns {
			if o.old[c].IsNull() {
				null = true
			}
			t := m.Table.Columns[c].Type
			if o.new != nil && !bytes.Equal(appendComparable(nil, t, o.old[c]), appendComparable(nil, t, o.new[c])) {
				gone = true
			}
		}
		if !gone || null {
			continue
		}
		ra := &rowArgs{old: o.old, new: o.new}
		if action := o.action(r); action != nil {
			child, err := action()
			if err != nil {
				return err
			}
			if _, err := w.modify(child, ra); err != nil {
				return err
			}
			continue
		}
		rule := r.Constraint.OnDelete
		if o.new != nil {
			rule = r.Constraint.OnUpdate
		}
		// RESTRICT is never deferred: PostgreSQL looks at the end of the statement.
		if w.deferred(r.Constraint) && (rule != 'r' || w.settles) {
			continue
		}
		check := func() error { return w.checkNobodyRefers(m, r, ra) }
		if w.nested > 0 && w.acts && rule != 'r' {
			w.late = append(w.late, check)
			continue
		}
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// checkNobodyRefers makes sure that no child of a row that is gone is left.
func (w *worker) checkNobodyRefers(m *pgsql.Modify, r *pgsql.ReferencedCheck, ra *rowArgs) error {
	found, err := w.first(r.Find, ra)
	if err != nil {
		return err
	}
	if found != nil && w.atCommit {
		back, err := w.stillThere(m, r.Columns, ra.old)
		if err != nil {
			return err
		}
		if back {
			return nil
		}
	}
	if found != nil {
		return pgerror.New(pgerror.ForeignKeyViolation, "update or delete on table \"%s\" violates foreign key constraint \"%s\" on table \"%s\"", m.Table.Name, r.Constraint.Name, r.Child.Name).
			WithDetail("Key (%s)=(%s) is still referenced from table \"%s\".", columnNames(m.Table, r.Columns), columnsText(w.s.Output(), m.Table, r.Columns, ra.old), r.Child.Name).
			WithTable(r.Child.Schema, r.Child.Name).WithConstraint(r.Constraint.Name)
	}
	return nil
}

// deferred says whether a FOREIGN KEY waits for COMMIT: there everything is looked at once more anyway.
func (w *worker) deferred(c *catalog.Constraint) bool {
	return w.tran != nil && w.tran.defers(c) || w.settles && !c.Deferrable
}

// stillThere says whether a row with the old row's values in the referenced columns exists after all: the transaction
// may have put another in its place.
func (w *worker) stillThere(m *pgsql.Modify, columns []int, old []catalog.Value) (bool, error) {
	for i := range m.Uniques {
		u := &m.Uniques[i]
		if len(u.Columns) != len(columns) || !subset(columns, u.Columns) {
			continue
		}
		_, found, err := w.lookup(u, &rowArgs{new: old})
		return found, err
	}
	return false, nil
}

func subset(a, b []int) bool {
	for _, x := range a {
		if !slices.Contains(b, x) {
			return false
		}
	}
	return true
}

// plainReferences says whether the FOREIGN KEYs around m can be checked on a reader: none refers to m's own table, and
// none has an action to carry out.
func plainReferences(m *pgsql.Modify) bool {
	for i := range m.References {
		if m.References[i].Parent.ID == m.Table.ID {
			return false
		}
	}
	for i := range m.Referenced {
		r := &m.Referenced[i]
		if r.Child.ID == m.Table.ID || m.Op == pgsql.Delete && r.OnDelete != nil || m.Op == pgsql.Update && r.OnUpdate != nil {
			return false
		}
	}
	return true
}

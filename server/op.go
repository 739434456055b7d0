package server

import (
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// opKind is what an op does.
type opKind uint8

const (
	opInsert   opKind = iota + 1 // whole rows
	opUpdate                     // cells of one row
	opDelete                     // one row
	opTruncate                   // a table
	opDDL                        // changes of object rows
)

// op is one effect of a statement, worked out and ready to be applied on the writer, at once or at COMMIT. An open
// transaction is its list of ops. Ops name committed rows by rowid and the version that was seen, and rows of the same
// transaction by the op that inserted them, since rowids are given anew at each replay.
type op struct {
	kind  opKind
	plan  *pgsql.Modify // whose constraints hold for the row; nil for opTruncate, opDDL
	table *catalog.Table

	rows  *rowBuffer // opInsert; nil: new is the only row
	lines *copyLines // of COPY's rows

	rowid int64            // opUpdate, opDelete
	seen  sqlstore.Version // the version that the statement saw
	own   *ownRow          // the row was inserted by this transaction; rowid and seen do not count
	cols  []int            // opUpdate: indexes into table.Columns
	old   []catalog.Value  // the old row, where referential checks need it
	new   []catalog.Value  // opInsert, opUpdate: the whole new row

	ddl *pgsql.DDL
}

// each calls fn for every row that an opInsert inserts; the values are valid during the call only.
func (o *op) each(fn func(i int, row []catalog.Value) error) error {
	if o.rows == nil {
		return fn(0, o.new)
	}
	return o.rows.each(fn)
}

// bytes is how many bytes the rows take that the op inserts.
func (o *op) bytes() int64 {
	switch {
	case o.kind != opInsert:
		return 0
	case o.rows == nil:
		return int64(catalog.RowSize(o.new))
	}
	return o.rows.bytes()
}

// ownRow names a row by the op that inserted it and its place in the op's rows.
type ownRow struct{ op, row int }

func cloneRow(row []catalog.Value) []catalog.Value {
	out := make([]catalog.Value, len(row))
	size := 0
	for _, v := range row {
		size += len(v.Bytes)
	}
	arena := make([]byte, 0, size)
	for i, v := range row {
		if v.Bytes != nil {
			n := len(arena)
			arena = append(arena, v.Bytes...)
			v.Bytes = arena[n:len(arena):len(arena)]
		}
		out[i] = v
	}
	return out
}

// version reads rowid, _h, _o and _c from the start of a row that a Source returned.
func version(row []catalog.Value) (rowid int64, v sqlstore.Version) {
	v = sqlstore.Version{H: row[1].Int(), O: row[2].Int()}
	if !row[3].IsNull() {
		v.C = append([]byte{}, row[3].Bytes...)
	}
	return row[0].Int(), v
}

// versionColumns is how many columns version reads.
const versionColumns = 4

// errSerialization is 40001: somebody else, here or on another node, has changed a row that the transaction wrote.
func errSerialization() error {
	return pgerror.New(pgerror.SerializationFailure, "could not serialize access due to concurrent update").
		WithHint("Nothing was written. Retry the transaction.")
}

// errChanged says that a row no longer has the version that a statement saw.
var errChanged = errors.New("server: the row has changed")

func errSchemaChanged() error {
	return pgerror.New(pgerror.SerializationFailure, "the schema was changed while the transaction was open").
		WithHint("Nothing was written. Retry the transaction.")
}

// replayState is what one run over a transaction's ops keeps: the rowids of the rows it inserted, and which rows it has
// touched. Inserted rows get into own and touched only when somebody asks for one: nobody does after a COPY.
type replayState struct {
	s        *session
	inserted []insertedRows // ascending by op
	indexed  int            // how many of them are in own and touched
	own      map[rowRef]ownRow
	touched  smallSet[rowRef]
	vals     []catalog.Value // memory for apply
}

// insertedRows are the rows that op number op inserted.
type insertedRows struct {
	op    int
	table catalog.ID
	ids   sqlstore.RowIDs
}

type rowRef struct {
	table catalog.ID
	rowid int64
}

// insertedBy gives the rowids of the rows that op number i inserted.
func (r *replayState) insertedBy(i int) (ids sqlstore.RowIDs) {
	k, found := slices.BinarySearchFunc(r.inserted, i, func(in insertedRows, i int) int { return in.op - i })
	if found {
		ids = r.inserted[k].ids
	}
	return ids
}

// index brings own and touched up to date. It must run before anything is looked up in them or taken out.
func (r *replayState) index() {
	if r.own == nil && len(r.inserted) > 0 {
		r.own = map[rowRef]ownRow{}
	}
	for _, in := range r.inserted[r.indexed:] {
		for j := range in.ids.Len() {
			ref := rowRef{in.table, in.ids.At(j)}
			r.own[ref] = ownRow{in.op, j}
			r.touched.add(ref)
		}
	}
	r.indexed = len(r.inserted)
}

// ownRowOf finds the row of this transaction that has a rowid.
func (r *replayState) ownRowOf(ref rowRef) (ownRow, bool) {
	r.index()
	own, ok := r.own[ref]
	return own, ok
}

// apply runs op number i on the writer. A committed row must still be there and, with check, have the version that was
// seen: else errChanged.
func (r *replayState) apply(tx *sqlstore.Tx, i int, o *op, check bool) error {
	t := o.table
	if t != nil {
		now := tx.Schema().RelationByID(t.ID)
		if now == nil || !sameShape(now, t) || !sameRules(now, t) {
			return errSchemaChanged()
		}
		t = now
	}
	switch o.kind {
	case opInsert:
		if o.rows != nil && o.rows.n >= manyRows {
			return r.insertMany(tx, i, o, t)
		}
		var ids sqlstore.RowIDs
		err := o.each(func(i int, row []catalog.Value) error {
			id, err := tx.Insert(t, row)
			if err != nil {
				return o.lines.at(r.uniqueError(tx, err, o.plan, t, row), i)
			}
			ids.Add(id)
			return nil
		})
		r.inserted = append(r.inserted, insertedRows{i, t.ID, ids})
		return err
	case opUpdate, opDelete:
		r.index()
		id := o.rowid
		if o.own != nil {
			ids := r.insertedBy(o.own.op)
			id = ids.At(o.own.row)
		}
		ref := rowRef{t.ID, id}
		first := o.own == nil && !r.touched.has(ref)
		if first && check {
			v, found, err := tx.Version(t, id)
			if err != nil {
				return err
			}
			if !found || !v.Equal(o.seen) {
				return errChanged
			}
		}
		r.touched.add(ref)
		err := r.change(tx, id, ref, o, t)
		if first && errors.Is(err, sqlstore.ErrNoRow) {
			return errChanged
		}
		return err
	case opTruncate:
		return tx.Truncate(t)
	case opDDL:
		return tx.Alter(o.ddl.Changes)
	}
	return nil
}

// change carries out an UPDATE or DELETE of the row that now has this rowid.
func (r *replayState) change(tx *sqlstore.Tx, id int64, ref rowRef, o *op, t *catalog.Table) error {
	if o.kind == opDelete {
		delete(r.own, ref)
		return tx.Delete(t, id)
	}
	if len(o.cols) == 0 {
		return nil // only key columns were set, to what they were
	}
	r.vals = r.vals[:0]
	for _, c := range o.cols {
		r.vals = append(r.vals, o.new[c])
	}
	if err := tx.Update(t, id, o.cols, r.vals); err != nil {
		return r.uniqueError(tx, err, o.plan, t, o.new)
	}
	return nil
}

// manyRows is how many rows of one op are worth the store's bulk load.
const manyRows = 1000

// insertMany inserts the many rows of op number i.
func (r *replayState) insertMany(tx *sqlstore.Tx, i int, o *op, t *catalog.Table) error {
	chunk := -1
	ids, err := tx.InsertMany(t, func() ([]byte, int, error) {
		chunk++
		return o.rows.chunk(chunk)
	})
	r.inserted = append(r.inserted, insertedRows{i, t.ID, ids})
	var u *sqlstore.UniqueError
	if !errors.As(err, &u) {
		return err
	}
	c := o.rows.cursor()
	for range ids.Len() {
		if _, _, err := c.next(); err != nil {
			return err
		}
	}
	row, _, e := c.next() // the one at fault
	if e != nil {
		return e
	}
	return o.lines.at(r.uniqueError(tx, err, o.plan, t, row), ids.Len())
}

// sameShape says whether rows and statements made for one table fit the other.
func sameShape(a, b *catalog.Table) bool {
	if a == b {
		return true
	}
	if a.Phys != b.Phys || len(a.Columns) != len(b.Columns) {
		return false
	}
	for i, c := range a.Columns {
		if d := b.Columns[i]; c.ID != d.ID || c.Phys != d.Phys || c.Type != d.Type || c.Typmod != d.Typmod {
			return false
		}
	}
	return true
}

// sameRules says whether a row that was checked for b, which has the same shape, holds all that a asks of its rows.
func sameRules(a, b *catalog.Table) bool {
	if a == b {
		return true
	}
	for i, c := range a.Columns {
		if c.NotNull && !b.Columns[i].NotNull || c.Generated != b.Columns[i].Generated {
			return false
		}
	}
	for _, c := range a.Constraints {
		if !slices.ContainsFunc(b.Constraints, func(d *catalog.Constraint) bool { return c.ID == d.ID }) {
			return false
		}
	}
	return true
}

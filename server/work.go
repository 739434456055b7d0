package server

import (
	"context"
	"errors"
	"slices"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlite"
)

// querier is where a plan's queries run: a reader with its snapshot, or the writer's transaction.
type querier interface {
	Query(ctx context.Context, sql string, args []catalog.Value) (*sqlite.Rows, error)
	Conn() *sqlite.Conn
	Schema() *catalog.Schema
}

// worker works out statements: it finds which rows they change and how, as ops. With a writer's transaction it applies
// them at once; on a reader it only collects them, for COMMIT.
type worker struct {
	ctx    context.Context
	s      *session
	q      querier
	tx     *sqlstore.Tx // nil on a reader
	replay *replayState // with tx
	params []catalog.Value

	tran *transaction // the open transaction; nil when the statement is a transaction of its own
	ops  []op         // collected, for tran
	base int          // number of ops before them

	want  []lockKey // rows and keys to reserve before the effects count
	share []lockKey // parents that must not go
	bulk  map[catalog.ID]int

	reserved []lockKey // what reserve has taken
	took     bool      // a row was reserved while the rows were looked for: it may have changed before that
	atCommit bool      // looks at a whole transaction's references once more
}

// bulkRows is how many rows of a table one statement reserves one by one; beyond, it reserves the table.
const bulkRows = 1000

// errNeedsWriter says that a statement can't be worked out on a reader, since it meets rows of its own transaction.
var errNeedsWriter = errors.New("server: the statement must be worked out on the writer")

// blockedError says that a row or key is reserved by another transaction: wait for it off the writer, then try again.
type blockedError struct {
	key       lockKey
	exclusive bool
}

func (*blockedError) Error() string { return "server: blocked by another transaction" }

// rowArgs are the rows at hand that a query's parameters may come from.
type rowArgs struct {
	new, old []catalog.Value
	rowid    int64
	ctes     []*rowBuffer
}

// query runs q with its parameters bound. On a reader it sees what the open transaction has changed so far, too.
func (w *worker) query(q *pgsql.Query, ra *rowArgs) (*sqlite.Rows, error) {
	if w.tx == nil && w.tran != nil {
		var err error
		if q, err = w.tran.overlaid(q, w.q.Schema()); err != nil {
			return nil, err
		}
	}
	return w.committed(q, ra)
}

// committed is query that, on a reader, sees committed rows only.
func (w *worker) committed(q *pgsql.Query, ra *rowArgs) (*sqlite.Rows, error) {
	args, err := w.s.bind(w.ctx, q.Args, w.params, ra)
	if err != nil {
		return nil, err
	}
	return w.q.Query(w.ctx, q.SQL, args)
}

// collect runs q to its end.
func (w *worker) collect(q *pgsql.Query, ra *rowArgs) (*rowBuffer, error) {
	rows, err := w.query(q, ra)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	buf := &rowBuffer{}
	for rows.Next() {
		v := rows.Values()
		buf.cols = len(v)
		buf.add(v)
		if buf.n%4096 == 0 && w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
	}
	return buf, rows.Err()
}

// first runs q and returns a copy of its first row, nil if there is none.
func (w *worker) first(q *pgsql.Query, ra *rowArgs) ([]catalog.Value, error) {
	return firstOf(w.query(q, ra))
}

// lookup finds who holds a unique key. On a reader, rows of the open transaction do not count.
func (w *worker) lookup(u *pgsql.UniqueCheck, row []catalog.Value) ([]catalog.Value, error) {
	return firstOf(w.committed(u.Lookup, &rowArgs{new: row}))
}

func firstOf(rows *sqlite.Rows, err error) ([]catalog.Value, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	return cloneRow(rows.Values()), nil
}

// outcome is what a statement tells its client.
type outcome struct {
	count    int64
	returned *rowBuffer
}

// modify runs one INSERT, UPDATE or DELETE whole.
func (w *worker) modify(m *pgsql.Modify, ra *rowArgs) (*outcome, error) {
	ops, out, err := w.workOut(m, ra)
	if err != nil {
		return nil, err
	}
	return out, w.effect(ops)
}

// selectWith runs a query with data-modifying WITH queries: all are worked out on the same state, then take effect.
func (w *worker) selectWith(q *pgsql.Query) (*rowBuffer, error) {
	ops, ctes, err := w.workOutWith(q, nil)
	if err != nil {
		return nil, err
	}
	buf, err := w.collect(q, &rowArgs{ctes: ctes})
	if err != nil {
		return nil, err
	}
	return buf, w.effect(ops)
}

func (w *worker) workOutWith(q *pgsql.Query, ra *rowArgs) (ops []op, ctes []*rowBuffer, err error) {
	for _, m := range q.With {
		var in rowArgs
		if ra != nil {
			in = *ra
		}
		in.ctes = ctes
		more, out, err := w.workOut(m, &in)
		if err != nil {
			return nil, nil, err
		}
		ops = append(ops, more...)
		if out.returned == nil {
			out.returned = &rowBuffer{}
		}
		ctes = append(ctes, out.returned)
	}
	return ops, ctes, nil
}

// workOut finds what m does, without doing it.
func (w *worker) workOut(m *pgsql.Modify, ra *rowArgs) ([]op, *outcome, error) {
	in := rowArgs{}
	if ra != nil {
		in = *ra
	}
	ops, ctes, err := w.workOutWith(m.Source, ra)
	if err != nil {
		return nil, nil, err
	}
	if len(m.Source.With) > 0 {
		in.ctes = ctes
	}
	var source *rowBuffer
	if m.Values != nil && len(m.Checks) == 0 {
		source, err = w.values(m, &in)
	} else {
		source, err = w.collect(m.Source, &in)
	}
	if err != nil {
		return nil, nil, err
	}
	s := &statement{worker: w, m: m, in: &in, out: &outcome{}}
	if m.Returning != nil {
		s.out.returned = &rowBuffer{cols: len(m.Returning)}
	}
	switch m.Op {
	case pgsql.Insert:
		err = s.insert(source)
	case pgsql.Update:
		err = s.update(source)
	case pgsql.Delete:
		err = s.delete(source)
	}
	return append(ops, s.ops...), s.out, err
}

// values makes an INSERT's rows of constants and parameters, without SQLite.
func (w *worker) values(m *pgsql.Modify, ra *rowArgs) (*rowBuffer, error) {
	buf := &rowBuffer{cols: len(m.Table.Columns)}
	for _, args := range m.Values {
		row, err := w.s.bind(w.ctx, args, w.params, ra)
		if err != nil {
			return nil, err
		}
		buf.add(row)
	}
	return buf, nil
}

// effect reserves what the ops touch and, on the writer, applies them and then checks references. On a reader the
// caller reserves (it may have to wait) and the ops are kept for COMMIT.
func (w *worker) effect(ops []op) error {
	if w.tx == nil {
		if err := w.checkReferences(ops); err != nil {
			return err
		}
		w.ops = append(w.ops, ops...)
		return nil
	}
	if err := w.reserve(); err != nil {
		return err
	}
	base := w.base + len(w.ops)
	for i := range ops {
		o := &ops[i]
		if o.kind == opUpdate || o.kind == opDelete {
			if own, ok := w.replay.ownRowOf(rowRef{o.table.ID, o.rowid}); ok {
				o.own = &own
			}
		}
		if err := w.replay.apply(w.tx, base+i, o, false); err != nil {
			return err
		}
	}
	w.ops = append(w.ops, ops...)
	if err := w.checkReferences(ops); err != nil {
		return err
	}
	return w.reserve() // the parents
}

// reserve takes the wanted locks without waiting.
func (w *worker) reserve() error {
	owner := w.s.owner
	if k := w.s.node.locks.try(owner, w.want, true); k != nil {
		return &blockedError{*k, true}
	}
	if k := w.s.node.locks.try(owner, w.share, false); k != nil {
		return &blockedError{*k, false}
	}
	w.reserved = append(w.reserved, w.want...)
	w.want, w.share = w.want[:0], w.share[:0]
	return nil
}

// wantRow asks for a row, or for its whole table when the statement has many.
func (w *worker) wantRow(table catalog.ID, k lockKey) {
	if w.bulk == nil {
		w.bulk = map[catalog.ID]int{}
	}
	n := w.bulk[table] + 1
	w.bulk[table] = n
	switch {
	case n <= bulkRows:
		w.want = append(w.want, k)
	case n == bulkRows+1:
		w.want = append(w.want, tableKey(table))
	}
}

// statement is one Modify being worked out.
type statement struct {
	*worker
	m   *pgsql.Modify
	in  *rowArgs
	out *outcome
	ops []op

	keys    map[string]bool // unique keys that this statement has given to rows
	touched map[int64]bool  // rows that ON CONFLICT has updated
	upsert  *pgsql.Modify   // m as the plan of ON CONFLICT's updates
}

// check holds a new row against NOT NULL and CHECK; checks are the results that came with it.
func (s *statement) check(row, checks []catalog.Value) error {
	for _, i := range s.m.NotNull {
		if row[i].IsNull() {
			c := s.m.Table.Columns[i]
			return pgerror.New(pgerror.NotNullViolation, "null value in column \"%s\" of relation \"%s\" violates not-null constraint", c.Name, s.m.Table.Name).
				WithDetail("Failing row contains (%s).", rowText(s.m.Table, row)).
				WithTable(s.m.Table.Schema, s.m.Table.Name).WithColumn(c.Name)
		}
	}
	for i, c := range s.m.Checks {
		if v := checks[i]; !v.IsNull() && v.Int() == 0 {
			return pgerror.New(pgerror.CheckViolation, "new row for relation \"%s\" violates check constraint \"%s\"", s.m.Table.Name, c.Name).
				WithDetail("Failing row contains (%s).", rowText(s.m.Table, row)).
				WithTable(s.m.Table.Schema, s.m.Table.Name).WithConstraint(c.Name)
		}
	}
	return nil
}

// insert works out the rows that an INSERT proposes.
func (s *statement) insert(source *rowBuffer) error {
	n := len(s.m.Table.Columns)
	return source.each(func(_ int, v []catalog.Value) error {
		row := v[:n]
		if err := s.check(row, v[n:]); err != nil {
			return err
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
		s.addInsert(row)
		s.out.count++
		return s.returnRow(row)
	})
}

// addInsert adds an inserted row to the statement's ops.
func (s *statement) addInsert(row []catalog.Value) {
	if k := len(s.ops); k > 0 && s.ops[k-1].kind == opInsert {
		s.ops[k-1].rows.add(row)
		return
	}
	o := op{kind: opInsert, plan: s.m, table: s.m.Table, rows: rowBuffer{cols: len(row)}}
	o.rows.add(row)
	s.ops = append(s.ops, o)
}

// claimKeys reserves the unique keys of a new row and, on a reader, looks for who has them already (the writer finds
// out by itself). For an UPDATE, set says which columns changed, and self is the rowid of a committed row.
func (s *statement) claimKeys(row []catalog.Value, set map[int]bool, self *int64) error {
	if s.tx != nil && s.m.OnConflict == nil && s.bulk[s.m.Table.ID] > bulkRows {
		return nil
	}
	for i := range s.m.Uniques {
		u := &s.m.Uniques[i]
		if set != nil && !touches(u, set) {
			continue
		}
		key, err := s.uniqueKeyOf(u, row)
		if err != nil {
			return err
		}
		if key == nil {
			continue
		}
		lk := uniqueKey(s.m.Table.ID, u.Index.OID, key)
		s.wantRow(s.m.Table.ID, lk)
		if s.m.OnConflict != nil {
			if s.keys == nil {
				s.keys = map[string]bool{}
			}
			s.keys[lk.key] = true
		}
		if s.tx != nil {
			continue
		}
		if s.tran.keys[lk] {
			return errNeedsWriter
		}
		if s.keys == nil {
			s.keys = map[string]bool{}
		} else if s.m.OnConflict == nil && s.keys[lk.key] {
			return duplicateKey(u.Constraint, u.Detail, s.m.Table, s.keyValues(u, row))
		}
		s.keys[lk.key] = true
		if s.tran.emptied[s.m.Table.ID] {
			continue
		}
		found, err := s.lookup(u, row)
		if err != nil {
			return err
		}
		if found != nil && (self == nil || found[0].Int() != *self) {
			if s.tran.touched[rowRef{s.m.Table.ID, found[0].Int()}] {
				return errNeedsWriter
			}
			return duplicateKey(u.Constraint, u.Detail, s.m.Table, s.keyValues(u, row))
		}
	}
	return nil
}

// claimRow reserves the row that o changes, unless the transaction itself has inserted it.
func (s *statement) claimRow(o *op, parent bool) {
	if s.tran != nil {
		o.own = s.tran.ownAt(o.table.ID, o.seen)
	}
	if o.own != nil {
		return
	}
	s.wantRow(o.table.ID, rowKey(o.table.ID, o.rowid))
	if parent {
		s.wantRow(o.table.ID, parentKey(o.table.ID, o.rowid))
	}
}

// touches says whether an UPDATE of the columns in set may change u's key.
func touches(u *pgsql.UniqueCheck, set map[int]bool) bool {
	if u.Keys != nil {
		return true
	}
	for _, c := range u.Columns {
		if c < 0 || set[c] {
			return true
		}
	}
	return false
}

// conflict deals with a proposed row whose key is taken, per ON CONFLICT; done says that the row needs no insert.
func (s *statement) conflict(row []catalog.Value) (done bool, err error) {
	oc := s.m.OnConflict
	for _, i := range oc.Arbiters {
		u := &s.m.Uniques[i]
		key, err := s.uniqueKeyOf(u, row)
		if err != nil {
			return false, err
		}
		if key == nil {
			continue
		}
		lk := uniqueKey(s.m.Table.ID, u.Index.OID, key)
		if s.keys[lk.key] {
			if oc.Action == nil {
				return true, nil
			}
			return false, errTwice()
		}
		if s.tx == nil && (s.tran.keys[lk] || s.tran.emptied[s.m.Table.ID]) {
			return false, errNeedsWriter
		}
		found, err := s.lookup(u, row)
		if err != nil {
			return false, err
		}
		if found == nil {
			continue
		}
		rowid := found[0].Int()
		if s.tx == nil && s.tran.touched[rowRef{s.m.Table.ID, rowid}] {
			return false, errNeedsWriter
		}
		s.wantRow(s.m.Table.ID, rowKey(s.m.Table.ID, rowid))
		if oc.Action == nil {
			return true, nil
		}
		if s.touched[rowid] {
			return false, errTwice()
		}
		if s.touched == nil {
			s.touched = map[int64]bool{}
		}
		s.touched[rowid] = true
		in := *s.in
		in.new, in.rowid = row, rowid
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
			plan := *s.m
			plan.Op, plan.Referenced = pgsql.Update, oc.Referenced
			s.upsert = &plan
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
	inSet := make(map[int]bool, len(set))
	for _, c := range set {
		inSet[c] = true
	}
	self := &rowid
	if o.own != nil {
		self = nil // among committed rows it is not to be found
	}
	if err := s.claimKeys(row, inSet, self); err != nil {
		return err
	}
	if keyChange && s.keyDiffers(row, old) {
		o.kind = opDelete
		s.ops = append(s.ops, o)
		ins := op{kind: opInsert, plan: s.m, table: t, rows: rowBuffer{cols: len(row)}}
		ins.rows.add(row)
		s.ops = append(s.ops, ins)
		return nil
	}
	if keyChange {
		set = s.withoutKey(set)
	}
	o.kind, o.cols, o.vals = opUpdate, set, make([]catalog.Value, len(set))
	for i, c := range set {
		o.vals[i] = row[c]
	}
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
	err := source.each(func(_ int, v []catalog.Value) error {
		rowid, seen := version(v)
		rest := cloneRow(v[versionColumns:])
		row := rest[:n]
		rest = rest[n:]
		var old []catalog.Value
		if s.m.NeedOld {
			old, rest = rest[:n], rest[n:]
		}
		if err := s.check(row, rest); err != nil {
			return err
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
	return source.each(func(_ int, v []catalog.Value) error {
		rowid, seen := version(v)
		t := s.m.Table
		o := op{kind: opDelete, plan: s.m, table: t, rowid: rowid, seen: seen}
		s.claimRow(&o, len(s.m.Referenced) > 0)
		if len(s.m.Referenced) > 0 {
			o.old = cloneRow(v[versionColumns : versionColumns+n])
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
	in := *s.in
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

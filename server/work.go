package server

import (
	"context"
	"errors"
	"slices"

	"layercake/catalog"
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

	want  []lockKey    // rows and keys to reserve before the effects count
	share []lockKey    // parents that must not go
	bulk  []tableCount // how many were asked for
	loose []lockKey    // unique keys that are reserved with their table only; on a reader

	reserved []lockKey // what reserve has taken, for tran
	took     bool      // a row was reserved while the rows were looked for: it may have changed before that
	atCommit bool      // looks at a whole transaction's references once more
	settles  bool      // … at those only that are deferrable, and not deferred

	nested int            // how many checkReferences are under way: of the statement, and of what CASCADE does
	acts   bool           // … and whether something may be done that CASCADE, SET NULL or SET DEFAULT asks for
	last   finals         // what became of rows; of late alone
	late   []func() error // NO ACTION is held at the statement's end, when all of that is done
}

// bulkRows is how many rows and keys of a table one statement reserves one by one; beyond, it reserves the table.
const bulkRows = 2000

// tableCount is a number of rows and keys of a table.
type tableCount struct {
	table catalog.ID
	n     int
}

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
	loops    map[*pgsql.Loop]catalog.Value
	work     catalog.Value
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
	ra, err := w.loops(q.Args, ra)
	if err != nil {
		return nil, err
	}
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
	rows, err := w.query(q, ra)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	return cloneRow(rows.Values()), nil
}

// lookup finds the rowid of the row that holds the unique key of ra.new. On a reader, rows of the open transaction do not
// count.
func (w *worker) lookup(u *pgsql.UniqueCheck, ra *rowArgs) (rowid int64, found bool, err error) {
	rows, err := w.committed(u.Lookup, ra)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return 0, false, rows.Err()
	}
	return rows.Values()[0].Int(), true, nil
}

// outcome is what a statement tells its client.
type outcome struct {
	count    int64
	returned *rowBuffer
}

// modify runs one INSERT, UPDATE or DELETE whole.
func (w *worker) modify(m *pgsql.Modify, ra *rowArgs) (*outcome, error) {
	if len(m.Source.With) == 0 {
		ops, out, err := w.workOut(m, ra, nil)
		if err != nil {
			return nil, err
		}
		return out, w.effect(ops)
	}
	c := w.command(m.Source.With, m, ra)
	out, err := c.part(m)
	if err != nil {
		return nil, err
	}
	if err := c.rest(); err != nil {
		return nil, err
	}
	return out, w.effect(c.ops)
}

// selectWith runs a query with data-modifying WITH queries: all are worked out on the same state, then take effect.
func (w *worker) selectWith(q *pgsql.Query) (*rowBuffer, error) {
	c := w.command(q.With, nil, nil)
	if err := c.reads(q); err != nil {
		return nil, err
	}
	buf, err := w.collect(q, &c.in)
	if err != nil {
		return nil, err
	}
	if err := c.rest(); err != nil {
		return nil, err
	}
	return buf, w.effect(c.ops)
}

// workOut finds what m does, without doing it. shared is its table if other parts of the statement change it too.
func (w *worker) workOut(m *pgsql.Modify, ra *rowArgs, shared *sharedTable) ([]op, *outcome, error) {
	s := &statement{worker: w, m: m, shared: shared}
	if ra != nil {
		s.in = *ra
	}
	if shared != nil {
		s.keys = shared.keys
	}
	if m.Returning != nil {
		s.out.returned = &rowBuffer{cols: len(m.Returning)}
	}
	if m.Values != nil && len(m.Checks) == 0 {
		rows, err := w.values(m, &s.in)
		if err != nil {
			return nil, nil, err
		}
		for _, row := range rows {
			if err := s.insert(row, true); err != nil {
				return nil, nil, err
			}
		}
		return s.ops, &s.out, nil
	}
	source, err := w.collect(m.Source, &s.in)
	if err != nil {
		return nil, nil, err
	}
	switch m.Op {
	case pgsql.Insert:
		err = source.each(func(_ int, v []catalog.Value) error { return s.insert(v, source.n == 1) })
	case pgsql.Update:
		err = s.update(source)
	case pgsql.Delete:
		err = s.delete(source)
	}
	return s.ops, &s.out, err
}

// values makes an INSERT's rows without SQLite. Like a query, it draws from sequences through functions, and may have to
// be run again.
func (w *worker) values(m *pgsql.Modify, ra *rowArgs) ([][]catalog.Value, error) {
	rows := make([][]catalog.Value, len(m.Values))
	for i, args := range m.Values {
		var err error
		if rows[i], err = w.s.bind(w.ctx, args, w.params, ra); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// effect reserves what the ops touch and, on the writer, applies them and then checks references. On a reader the
// caller reserves (it may have to wait) and the ops are kept for COMMIT.
func (w *worker) effect(ops []op) error {
	if w.tx == nil {
		if err := w.checkReferences(ops); err != nil {
			return err
		}
		w.keep(ops)
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
	w.keep(ops)
	if err := w.checkReferences(ops); err != nil {
		return err
	}
	return w.reserve() // the parents
}

// keep adds ops, which nobody changes any more, to those collected.
func (w *worker) keep(ops []op) {
	if len(w.ops) == 0 {
		w.ops = slices.Clip(ops)
	} else {
		w.ops = append(w.ops, ops...)
	}
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
	if w.tran != nil {
		w.reserved = append(w.reserved, w.want...)
	}
	w.want, w.share = w.want[:0], w.share[:0]
	return nil
}

// wantRow asks for a row, or for its whole table when the statement has many.
func (w *worker) wantRow(table catalog.ID, k lockKey) {
	i := slices.IndexFunc(w.bulk, func(c tableCount) bool { return c.table == table })
	if i < 0 {
		i = len(w.bulk)
		w.bulk = append(w.bulk, tableCount{table: table})
	}
	c := &w.bulk[i]
	c.n++
	switch {
	case c.n <= bulkRows:
		w.want = append(w.want, k)
		return
	case c.n == bulkRows+1:
		w.want = append(w.want, tableKey(table))
	}
	if w.tx == nil && k.key[0] == 'k' {
		w.loose = append(w.loose, k)
	}
}

// many says whether so many rows and keys of a table were asked for that all of it is reserved.
func (w *worker) many(table catalog.ID) bool {
	return slices.ContainsFunc(w.bulk, func(c tableCount) bool { return c.table == table && c.n > bulkRows })
}

package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
	"layercake/replication"
	"layercake/sqlstore"
)

// sink takes the rows of a statement.
type sink interface {
	columns(cols []pgsql.Column) error
	row(v []catalog.Value) error
}

// wireSink sends rows to the client as they come.
type wireSink struct {
	w      pgwire.ResultWriter
	header bool // the simple protocol describes each result
	binary bool // … which is text but for a BINARY cursor's
}

func (o *wireSink) columns(cols []pgsql.Column) error {
	if !o.header {
		return nil
	}
	if o.binary {
		return o.w.Columns(wireColumns(cols, []int16{1}))
	}
	return o.w.Columns(wireColumns(cols, nil))
}
func (o *wireSink) row(v []catalog.Value) error { return o.w.Row(v) }

// bufferSink keeps rows.
type bufferSink struct{ buf *rowBuffer }

func (o *bufferSink) columns(cols []pgsql.Column) error { o.buf.cols = len(cols); return nil }
func (o *bufferSink) row(v []catalog.Value) error       { o.buf.add(v); return nil }

// errStale says that the schema is no longer the one that the plan was made for.
var errStale = errors.New("server: the plan is out of date")

// execute runs a compiled statement, as a transaction of its own when none is open, and returns its command tag.
func (s *session) execute(ctx context.Context, c *compiled, st *pgsql.Statement, params []catalog.Value, out sink) (string, error) {
	return s.executeText(ctx, c, st, params, "", out)
}

// executeText is execute; text is, if not "", the query that st was made of by taking literals for parameters: what they are
// then depends on the schema.
func (s *session) executeText(ctx context.Context, c *compiled, st *pgsql.Statement, params []catalog.Value, text string, out sink) (string, error) {
	if err := s.checkActive(c.plan); err != nil {
		return "", err
	}
	if err := s.takes(); err != nil {
		return "", err
	}
	if s.tran != nil && s.tran.explicit && !withoutSnapshot(c.plan) {
		s.tran.queried = true
	}
	for try := 0; ; try++ {
		tag, err := s.executeOnce(ctx, c, st, params, out)
		if !errors.Is(err, errStale) {
			return tag, err
		}
		if try == 10 {
			return "", pgerror.New(pgerror.SerializationFailure, "the schema keeps changing; try again")
		}
		types := c.params
		if text != "" {
			list, err := s.node.plans.parse(text)
			if err != nil {
				return "", err
			}
			st, params, types, text = list[0], nil, nil, ""
		}
		next, err := s.compile(st, types)
		if err != nil {
			return "", err
		}
		if w, simple := out.(*wireSink); !(simple && w.header) && !sameColumns(c.cols, next.cols) { // else nobody was told of them
			return "", pgerror.New(pgerror.FeatureNotSupported, "cached plan must not change result type")
		}
		c = next
	}
}

// withoutSnapshot says whether a statement takes no snapshot in PostgreSQL: a transaction's modes may be set after it.
func withoutSnapshot(p pgsql.Plan) bool {
	switch p.(type) {
	case *pgsql.Transaction, *pgsql.Set, *pgsql.Show, *pgsql.SetConstraints, *pgsql.LockTable:
		return true
	}
	return false
}

func sameColumns(a, b []pgsql.Column) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type != b[i].Type || a[i].Name != b[i].Name {
			return false
		}
	}
	return true
}

func (s *session) executeOnce(ctx context.Context, c *compiled, st *pgsql.Statement, params []catalog.Value, out sink) (string, error) {
	switch p := c.plan.(type) {
	case *pgsql.Query:
		n, err := s.runQuery(ctx, c, p, params, out)
		return p.Tag + " " + strconv.FormatInt(n, 10), err
	case *pgsql.Modify:
		n, err := s.runModify(ctx, c, p, params, out)
		return p.Tag + " " + strconv.FormatInt(n, 10), err
	case *pgsql.DDL:
		return s.runDDL(ctx, st)
	case *pgsql.Copy:
		return s.runCopy(ctx, c, p, out)
	}
	return s.runUtility(ctx, c, st, out)
}

// current checks that a connection shows the schema that c was compiled for.
func (s *session) current(q querier, c *compiled) error {
	if s.tran != nil && s.tran.schema != nil {
		return nil // a schema of the transaction's own: transaction.run looks after it
	}
	if q.Schema().Version != c.schema.Version {
		return errStale
	}
	return nil
}

func idSet(lists ...[]catalog.ID) map[catalog.ID]bool {
	m := map[catalog.ID]bool{}
	for _, l := range lists {
		for _, id := range l {
			m[id] = true
		}
	}
	return m
}

// runQuery runs a SELECT and sends its rows.
func (s *session) runQuery(ctx context.Context, c *compiled, q *pgsql.Query, params []catalog.Value, out sink) (int64, error) {
	t := s.tran
	reads := len(q.Reads) > 0 || q.System
	if reads && s.early(c, q) {
		b, err := s.node.repl.BeginBarrier(s.settings.read, s.settings.timeout)
		if err != nil {
			return 0, err
		}
		return s.queryOnReader(ctx, c, q, params, out, &b)
	}
	if err := s.barrier(ctx, reads); err != nil {
		return 0, err
	}
	if len(q.With) > 0 {
		return s.runModifying(ctx, c, params, out, q.Columns, func(w *worker) (*outcome, error) {
			buf, err := w.selectWith(q)
			if err != nil {
				return nil, err
			}
			return &outcome{count: int64(buf.n), returned: buf}, nil
		}, nil)
	}
	if t != nil {
		t.show(nil)
	}
	if t != nil && t.isolation == "serializable" {
		t.hasRead(q)
	}
	if len(q.Locks) > 0 {
		return s.runLocking(ctx, c, q, params, out)
	}
	if t == nil || t.sees(q) {
		n, err := s.queryOnReader(ctx, c, q, params, out, nil)
		if !errors.Is(err, errNeedsWriter) {
			return n, err
		}
	}
	var buf *rowBuffer
	_, err := s.try(ctx, t, params, t.only(idSet(q.Reads)), func(w *worker) error {
		if err := s.current(w.q, c); err != nil {
			return err
		}
		var err error
		buf, err = w.collect(q, nil)
		return err
	})
	if err != nil {
		return 0, err
	}
	return int64(buf.n), s.emit(buf, q.Columns, out)
}

// early says whether a SELECT is run while its barrier is under way, since it is soon run again if that was too early. It
// must do nothing but read committed rows, on a snapshot of its own.
func (s *session) early(c *compiled, q *pgsql.Query) bool {
	return s.settings.read != replication.None && c.quick.Load() && s.tran == nil &&
		!q.Volatile && len(q.With) == 0 && len(q.Locks) == 0
}

// queryOnReader runs a SELECT on a reader and sends its rows. If a barrier is under way, it ends it.
func (s *session) queryOnReader(ctx context.Context, c *compiled, q *pgsql.Query, params []catalog.Value, out sink,
	barrier *replication.Barrier) (int64, error) {
	t := s.tran
	var n int64
	asks := s.settings.read != replication.None
	for {
		var start time.Time
		if asks {
			start = time.Now()
		}
		// Rows are kept back where the statement may yet have to be run again, or other nodes have to be asked first.
		var buf, rest *rowBuffer
		var seen crdt.Vector
		err := s.withReader(ctx, t, func(r *sqlstore.Reader) error {
			if err := s.current(r, c); err != nil {
				return err
			}
			w := &worker{ctx: ctx, s: s, q: r, params: params, tran: t}
			defer s.attach(r.Conn(), w)()
			if q.Volatile || asks {
				var err error
				if buf, err = w.collect(q, nil); err != nil {
					return err
				}
				seen, err = r.Vector()
				return err
			}
			rows, err := w.query(q, nil)
			if err != nil {
				return err
			}
			defer rows.Close()
			if err := out.columns(q.Columns); err != nil {
				return err
			}
			sent := 0
			for rows.Next() {
				v := rows.Values()
				n++
				if n%1024 == 0 && ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if sent > directBytes {
					// A slow client must not hold the snapshot: the rest is kept, and sent without it.
					if rest == nil {
						rest = &rowBuffer{cols: len(v)}
					}
					rest.add(v)
					continue
				}
				if err := out.row(v); err != nil {
					return err
				}
				for i := range v {
					sent += 8 + len(v[i].Bytes)
				}
			}
			return rows.Err()
		})
		if asks {
			c.quick.Store(time.Since(start) < quickWithin)
		}
		if barrier != nil {
			fresh, err := barrier.Wait(ctx)
			if err != nil {
				return 0, err
			}
			if barrier = nil; !fresh {
				continue // whatever came of it, an error too
			}
		}
		if again, err := s.waitAndRetry(ctx, err); err != nil {
			return n, err
		} else if again {
			continue
		}
		if buf != nil {
			if err := s.writeBack(ctx, seen, len(q.Reads) > 0); err != nil {
				return 0, err
			}
			if err := s.funcs.finish(ctx); err != nil {
				return 0, err
			}
			return int64(buf.n), s.emit(buf, q.Columns, out)
		}
		if rest != nil {
			err := rest.each(func(_ int, v []catalog.Value) error { return out.row(v[:len(q.Columns)]) })
			if err != nil {
				return n, err
			}
		}
		return n, s.funcs.finish(ctx)
	}
}

// directBytes is how much of a result is sent while its snapshot is held.
const directBytes = 64 << 10

// emit sends kept rows.
func (s *session) emit(buf *rowBuffer, cols []pgsql.Column, out sink) error {
	if err := out.columns(cols); err != nil {
		return err
	}
	if buf == nil {
		return nil
	}
	return buf.each(func(_ int, row []catalog.Value) error { return out.row(row[:len(cols)]) })
}

// runModify runs INSERT, UPDATE or DELETE.
func (s *session) runModify(ctx context.Context, c *compiled, m *pgsql.Modify, params []catalog.Value, out sink) (int64, error) {
	if err := s.barrier(ctx, true); err != nil {
		return 0, err
	}
	return s.runModifying(ctx, c, params, out, m.Returning, func(w *worker) (*outcome, error) { return w.modify(m, nil) }, m)
}

// runModifying runs a statement that changes rows, in the open transaction or as one of its own, and sends what it
// returns once it counts. m is nil for a SELECT with data-modifying WITH queries.
func (s *session) runModifying(ctx context.Context, c *compiled, params []catalog.Value, out sink, cols []pgsql.Column, work func(*worker) (*outcome, error), m *pgsql.Modify) (int64, error) {
	if s.readOnly() {
		verb, _, _ := strings.Cut(planTag(c.plan), " ")
		return 0, pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", verb)
	}
	if t := s.tran; t != nil && t.isolation == "serializable" {
		t.hasRead(c.plan)
	}
	var o *outcome
	var err error
	if s.tran == nil {
		o, err = s.modifyAlone(ctx, c, params, work)
	} else {
		o, err = s.modifyInTransaction(ctx, c, params, work, m)
	}
	if err != nil {
		return 0, err
	}
	if err := s.funcs.finish(ctx); err != nil {
		return 0, err
	}
	if cols != nil {
		err = s.emit(o.returned, cols, out)
	}
	return o.count, err
}

func (s *session) readOnly() bool {
	if s.tran != nil {
		return s.tran.readOnly
	}
	return s.settings.must("default_transaction_read_only") == "on"
}

func planTag(p pgsql.Plan) string {
	switch p := p.(type) {
	case *pgsql.Query:
		return p.Tag
	case *pgsql.Modify:
		return p.Tag
	case *pgsql.DDL:
		return p.Tag
	}
	return ""
}

// modifyAlone runs a statement as a transaction of its own: on the writer, on the newest rows, at once.
func (s *session) modifyAlone(ctx context.Context, c *compiled, params []catalog.Value, work func(*worker) (*outcome, error)) (*outcome, error) {
	if err := s.checkWrite(); err != nil {
		return nil, err
	}
	for {
		var o *outcome
		commit, err := s.node.store.Write(ctx, func(tx *sqlstore.Tx) error {
			if err := s.current(tx, c); err != nil {
				return err
			}
			w := &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: &replayState{s: s}, params: params}
			defer s.attach(tx.Conn(), w)()
			var err error
			o, err = work(w)
			return err
		})
		again, err := s.waitAndRetry(ctx, err)
		if !again {
			s.node.locks.releaseFrom(s.owner, 0)
		}
		if err != nil {
			return nil, err
		}
		if again {
			continue
		}
		s.flushNotifications()
		return o, s.confirm(ctx, commit)
	}
}

// modifyInTransaction works a statement out within the open transaction; COMMIT applies it.
func (s *session) modifyInTransaction(ctx context.Context, c *compiled, params []catalog.Value, work func(*worker) (*outcome, error), m *pgsql.Modify) (*outcome, error) {
	t := s.tran
	var o *outcome
	if m != nil && !t.modifyNeedsWriter(m) {
		for {
			again, w, err := s.workOnReader(ctx, c, t, params, func(w *worker) (err error) {
				o, err = work(w)
				return err
			})
			if errors.Is(err, errNeedsWriter) {
				break
			}
			if err != nil {
				return nil, err
			}
			if !again {
				t.add(rerunnable(m), params, w.ops, append(w.want, w.loose...), true)
				t.show(o)
				return o, nil
			}
		}
	}
	w, err := s.try(ctx, t, params, nil, func(w *worker) (err error) {
		if err := s.current(w.q, c); err != nil {
			return err
		}
		o, err = work(w)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.add(rerunnable(m), params, w.ops, w.reserved, false)
	t.show(o)
	return o, nil
}

// rerunnable returns m if it can be worked out again: COPY's rows came from the client and are gone.
func rerunnable(m *pgsql.Modify) *pgsql.Modify {
	if m == nil || m.Source.SQL == "" && m.Values == nil {
		return nil
	}
	return m
}

// show notes that the client has seen rows: what was done before must not come out otherwise.
func (t *transaction) show(o *outcome) {
	if o == nil || o.returned != nil {
		t.shown = len(t.ops)
	}
}

// workOnReader works something out on a reader and reserves what it touches. again says that the reservation took time,
// in which rows may have changed: work it out anew, now that they can't.
func (s *session) workOnReader(ctx context.Context, c *compiled, t *transaction, params []catalog.Value, fn func(*worker) error) (again bool, _ *worker, err error) {
	var w *worker
	index := s.node.store.Index() // at most the snapshot's
	err = s.withReader(ctx, t, func(r *sqlstore.Reader) error {
		if err := s.current(r, c); err != nil {
			return err
		}
		w = &worker{ctx: ctx, s: s, q: r, params: params, tran: t}
		defer s.attach(r.Conn(), w)()
		return fn(w)
	})
	if again, err = s.waitAndRetry(ctx, err); err != nil || again {
		return again, w, err
	}
	fresh, waited := w.took, false
	lock := func(keys []lockKey, exclusive bool) error {
		for _, k := range keys {
			if h, held := s.owner.held[k]; !held || exclusive && !h.exclusive {
				fresh = true
				wait, err := s.node.locks.acquire(ctx, s.owner, k, exclusive, s.settings.duration("lock_timeout"))
				if err != nil {
					return err
				}
				waited = waited || wait
			}
		}
		return nil
	}
	if err := lock(w.want, true); err != nil {
		return false, nil, err
	}
	if err := lock(w.share, false); err != nil {
		return false, nil, err
	}
	if t.snapshotIsolated() {
		return false, w, nil // COMMIT finds out, and answers 40001
	}
	if again = waited || fresh && s.node.store.Index() != index; again {
		s.funcs.giveBack()
	}
	return again, w, nil
}

package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// transaction is an open transaction: what it has worked out so far, to be applied by the writer at COMMIT. The writer
// is never held while a client thinks.
type transaction struct {
	explicit  bool // BEGIN was seen; else it is the implicit one of a message
	failed    bool
	queried   bool // a statement has been run: the modes are settled
	isolation string
	readOnly  bool
	start     time.Time

	ops        []op
	written    smallSet[catalog.ID]    // tables with ops
	touched    smallSet[rowRef]        // committed rows with ops
	keys       smallSet[lockKey]       // unique keys of rows it made
	whole      smallSet[catalog.ID]    // tables of whose unique keys it has taken more than are in keys
	emptied    smallSet[catalog.ID]    // tables that it truncated: no committed row counts
	overlays   map[catalog.ID]*overlay // written tables that a reader has been asked for
	savepoints []savepoint
	statements []worked // in order; their ops follow one another
	shown      int      // ops before this one had been made when the client was last shown rows
	rerun      int      // at COMMIT, statements from this one on are worked out anew; len(statements): none
	begins     bool     // some op has a sequence begin anew

	// After DDL: the schema as the transaction sees it, and the store's version that it stands on.
	schema *catalog.Schema
	base   uint64

	snapshot  *sqlstore.Reader    // REPEATABLE READ and SERIALIZABLE
	snapIndex uint64              // the last commit that snapshot shows
	reads     map[catalog.ID]bool // SERIALIZABLE: tables read
	settings  savedSettings       // as at the start, for ROLLBACK

	deferAll *bool               // SET CONSTRAINTS ALL
	deferOne map[catalog.ID]bool // SET CONSTRAINTS name
}

// worked is a statement that was worked out: what it takes to do it again.
type worked struct {
	plan   *pgsql.Modify // nil: it can't be, its ops are all there is (COPY, DDL)
	params []catalog.Value
	from   int // its first op
}

func (s *session) newTransaction(explicit bool) *transaction {
	t := &transaction{
		explicit:  explicit,
		isolation: s.settings.must("default_transaction_isolation"),
		readOnly:  s.settings.must("default_transaction_read_only") == "on",
		start:     s.node.now(),
	}
	t.settings.values, t.settings.local = s.settings.snapshot()
	return t
}

// index makes what ops are looked up in anew.
func (t *transaction) index() {
	t.written, t.emptied, t.overlays = smallSet[catalog.ID]{}, smallSet[catalog.ID]{}, nil
	t.touched, t.keys, t.whole = smallSet[rowRef]{}, smallSet[lockKey]{}, smallSet[catalog.ID]{}
	for i := range t.ops {
		t.note(&t.ops[i])
	}
}

func (t *transaction) note(o *op) {
	if o.table == nil {
		return
	}
	id := o.table.ID
	t.written.add(id)
	if o.own == nil && (o.kind == opUpdate || o.kind == opDelete) {
		t.touched.add(rowRef{id, o.rowid})
	}
	if o.kind == opTruncate {
		t.emptied.add(id)
	}
}

// defers says whether a constraint is to be checked at COMMIT.
func (t *transaction) defers(c *catalog.Constraint) bool {
	if !c.Deferrable {
		return false
	}
	if d, ok := t.deferOne[c.ID]; ok {
		return d
	}
	if t.deferAll != nil {
		return *t.deferAll
	}
	return c.InitiallyDeferred
}

// setConstraints is SET CONSTRAINTS. What is made immediate is looked at for what went before, too.
func (s *session) setConstraints(ctx context.Context, p *pgsql.SetConstraints) error {
	t := s.tran
	if p.Constraints == nil {
		t.deferAll, t.deferOne = &p.Deferred, nil
	} else {
		if t.deferOne = maps.Clone(t.deferOne); t.deferOne == nil { // a savepoint may have the old one
			t.deferOne = map[catalog.ID]bool{}
		}
		for _, id := range p.Constraints {
			t.deferOne[id] = p.Deferred
		}
	}
	if p.Deferred || !slices.ContainsFunc(t.ops, func(o op) bool { return o.plan != nil && mayDefer(o.plan) }) {
		return nil
	}
	_, err := s.try(ctx, t, nil, nil, func(w *worker) error {
		w.atCommit, w.settles = true, true
		if err := s.recheck(w, t.ops, w.replay); err != nil {
			return err
		}
		return w.reserve()
	})
	if err == nil {
		t.shown = len(t.ops) // worked out anew one by one, the statements might not pass
	}
	return err
}

// mayDefer says whether one of the FOREIGN KEYs around m can be checked later than at once.
func mayDefer(m *pgsql.Modify) bool {
	return slices.ContainsFunc(m.References, func(r pgsql.ReferenceCheck) bool { return r.Constraint.Deferrable }) ||
		slices.ContainsFunc(m.Referenced, func(r pgsql.ReferencedCheck) bool { return r.Constraint.Deferrable })
}

func (t *transaction) snapshotIsolated() bool {
	return t.isolation == "repeatable read" || t.isolation == "serializable"
}

// modifyNeedsWriter says whether a Modify must be worked out on the writer, after the transaction's own ops. On a reader,
// unique keys are looked up among committed rows: it notices itself when it meets one that its own transaction has changed.
func (t *transaction) modifyNeedsWriter(m *pgsql.Modify) bool {
	return t.schema != nil || t.whole.has(m.Table.ID) || !plainReferences(m) || len(m.Source.With) > 0 || m.KeyChange || !t.sees(m.Source)
}

// fewStatements is how many statements that change a row a transaction has memory for at first.
const fewStatements = 4

// add keeps what a statement has worked out. With all, each unique key that it gave to a row is among keys, though its table
// be reserved as a whole.
func (t *transaction) add(plan *pgsql.Modify, params []catalog.Value, ops []op, keys []lockKey, all bool) {
	if t.statements == nil {
		t.statements, t.ops = make([]worked, 0, fewStatements), make([]op, 0, max(fewStatements, len(ops)))
	}
	t.statements = append(t.statements, worked{plan: plan, params: params, from: len(t.ops)})
	for i := range ops {
		t.note(&ops[i])
		t.begins = t.begins || ops[i].kind == opDDL && len(ops[i].ddl.Restart) > 0
	}
	t.ops = append(t.ops, ops...)
	for _, k := range keys {
		switch {
		case k.key == "":
			if !all {
				t.whole.add(k.object)
			}
		case k.key[0] == 'k':
			t.keys.add(k)
		}
	}
}

// restarts says whether the transaction has a sequence begin anew when it commits.
func (t *transaction) restarts(sequence catalog.ID) bool {
	return t.begins && slices.ContainsFunc(t.ops, func(o op) bool {
		return o.kind == opDDL && slices.ContainsFunc(o.ddl.Restart, func(r pgsql.SequenceRestart) bool { return r.Sequence == sequence })
	})
}

// only narrows a run to the ops on some tables; after DDL all are needed.
func (t *transaction) only(tables map[catalog.ID]bool) map[catalog.ID]bool {
	if t.schema != nil {
		return nil
	}
	return tables
}

// run applies the transaction's ops on the writer. With check, rows must still have the versions that were seen. Only
// the ops on the given tables are run where only is not nil (enough for a statement that reads no other).
func (t *transaction) run(s *session, tx *sqlstore.Tx, check bool, only map[catalog.ID]bool, ops []op) (*replayState, error) {
	if t.schema != nil && tx.Schema().Version != t.base {
		return nil, errSchemaChanged()
	}
	r := &replayState{s: s}
	for i := range ops {
		o := &ops[i]
		if only != nil && o.table != nil && !only[o.table.ID] {
			continue
		}
		err := r.apply(tx, i, o, check)
		switch {
		case errors.Is(err, errChanged) && check:
			return nil, t.mayRerun(i)
		case errors.Is(err, errChanged):
			return nil, errSerialization()
		}
		if err != nil && t.snapshotIsolated() && o.plan != nil && o.plan.OnConflict != nil && pgerror.Code(err) == pgerror.UniqueViolation {
			return nil, errSerialization() // its snapshot did not show the row that it conflicts with
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// errRerun says that a row is not what a statement saw, and that the statement may be worked out again.
var errRerun = errors.New("server: statements must be worked out anew")

// mayRerun decides what to do about op i, whose row somebody else (another node) has changed: under READ COMMITTED,
// statements since the client was last shown rows are run again on the newest rows; else it is 40001.
func (t *transaction) mayRerun(i int) error {
	if t.snapshotIsolated() || t.schema != nil || i < t.shown {
		return errSerialization()
	}
	k := len(t.statements) - 1
	for k > 0 && t.statements[k].from > i {
		k--
	}
	if t.statements[k].plan == nil {
		return errSerialization()
	}
	for _, st := range t.statements[k:] {
		if st.plan == nil {
			continue
		}
		for i := range st.plan.References {
			if t.defers(st.plan.References[i].Constraint) {
				return errSerialization() // its parents may come later: it can't be checked statement by statement
			}
		}
	}
	t.rerun = k
	return errRerun
}

// commitOps runs the transaction on the writer and makes it durable here.
func (s *session) commitOps(ctx context.Context, t *transaction) (sqlstore.Commit, error) {
	t.rerun = len(t.statements)
	for {
		c, err := s.node.store.Write(ctx, func(tx *sqlstore.Tx) error {
			if t.isolation == "serializable" {
				for id := range t.reads {
					if tx.ChangedSince(id, t.snapIndex) {
						return pgerror.New(pgerror.SerializationFailure, "could not serialize access due to read/write dependencies among transactions").
							WithHint("The transaction might succeed if retried.")
					}
				}
			}
			return s.commitOn(ctx, tx, t)
		})
		if errors.Is(err, errRerun) {
			continue
		}
		if again, err := s.waitAndRetry(ctx, err); err != nil || !again {
			return c, err
		}
	}
}

// commitOn applies the transaction's ops, works out anew what has to be, and looks at all references once more.
func (s *session) commitOn(ctx context.Context, tx *sqlstore.Tx, t *transaction) error {
	keep := len(t.ops)
	if t.rerun < len(t.statements) {
		keep = t.statements[t.rerun].from
	}
	r, err := t.run(s, tx, true, nil, t.ops[:keep])
	if err != nil {
		return err
	}
	w := &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: r, base: keep}
	defer s.attach(tx.Conn(), w)()
	for k := t.rerun; k < len(t.statements); k++ {
		st := &t.statements[k]
		if st.plan != nil {
			w.params = st.params
			if _, err := w.modify(st.plan, nil); err != nil {
				return err
			}
			continue
		}
		end := len(t.ops)
		if k+1 < len(t.statements) {
			end = t.statements[k+1].from
		}
		// The rows of a COPY: they refer to no op before them.
		ops := append([]op(nil), t.ops[st.from:end]...)
		if err := w.effect(ops); err != nil {
			return err
		}
	}
	w.atCommit = true
	return s.recheck(w, t.ops[:keep], r)
}

// begin opens a transaction, or turns the implicit one of the message into an explicit one.
func (s *session) begin(p *pgsql.Transaction) error {
	if s.tran != nil && s.tran.explicit {
		s.notice(pgerror.Warning(pgerror.ActiveSQLTransaction, "there is already a transaction in progress"))
		return s.setTransaction(p)
	}
	if s.tran == nil {
		s.tran = s.newTransaction(true)
	}
	s.tran.explicit = true
	return s.setTransaction(p)
}

// setTransaction applies a transaction's modes.
func (s *session) setTransaction(p *pgsql.Transaction) error {
	t := s.tran
	if p.Isolation != "" {
		if p.Isolation != t.isolation {
			if t.queried {
				return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must be called before any query")
			}
			if len(t.savepoints) > 0 {
				return pgerror.New(pgerror.ActiveSQLTransaction, "SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction")
			}
		}
		t.isolation = p.Isolation
	}
	if p.ReadOnly != nil {
		if !*p.ReadOnly && t.readOnly {
			if len(t.savepoints) > 0 {
				return pgerror.New(pgerror.ActiveSQLTransaction, "cannot set transaction read-write mode inside a read-only transaction")
			}
			if t.queried {
				return pgerror.New(pgerror.ActiveSQLTransaction, "transaction read-write mode must be set before any query")
			}
		}
		t.readOnly = *p.ReadOnly
	}
	return nil
}

// commit ends the transaction: its effects are durable here and, as far as the write level asks, elsewhere.
func (s *session) commit(ctx context.Context) (err error) {
	t := s.tran
	s.tran = nil
	if t == nil {
		return nil
	}
	defer s.endTransaction(t)
	if t.failed {
		s.settings.restore(t.settings.values, t.settings.local)
		s.pendingNotify = nil
		return nil
	}
	if len(t.ops) == 0 {
		s.flushNotifications()
		return nil
	}
	if err := s.takes(); err != nil {
		s.settings.restore(t.settings.values, t.settings.local)
		return err
	}
	if err := s.checkWrite(); err != nil {
		s.settings.restore(t.settings.values, t.settings.local)
		return err
	}
	c, err := s.commitOps(ctx, t)
	if err != nil {
		s.settings.restore(t.settings.values, t.settings.local)
		return s.storeError(err)
	}
	// Others may have the rows; only this client still waits for other nodes, as the transaction's own settings say.
	level, timeout := s.settings.write, s.settings.timeout
	s.endTransaction(t)
	for i := range t.ops {
		if t.ops[i].kind == opDDL {
			if err := s.restartSequences(ctx, t.ops[i].ddl.Restart); err != nil {
				return err
			}
		}
	}
	s.flushNotifications()
	return s.confirmAt(ctx, c, level, timeout)
}

// rollback ends the transaction without effect.
func (s *session) rollback() {
	t := s.tran
	s.tran = nil
	if t == nil {
		return
	}
	s.settings.restore(t.settings.values, t.settings.local)
	s.pendingNotify = nil
	s.endTransaction(t)
}

// abort notes that the transaction has failed. Others need not wait until the client says ROLLBACK: what it holds, but for
// what was locked before the last savepoint, is given back at once.
func (s *session) abort() {
	t := s.tran
	t.failed = true
	locks := 0
	if n := len(t.savepoints); n > 0 {
		locks = t.savepoints[n-1].locks
	} else if t.snapshot != nil {
		t.snapshot.Close()
		t.snapshot = nil
	}
	s.node.locks.releaseFrom(s.owner, locks)
}

// endTransaction gives back what the transaction holds. A second call is harmless.
func (s *session) endTransaction(t *transaction) {
	if t.snapshot != nil {
		t.snapshot.Close()
		t.snapshot = nil
	}
	s.node.locks.releaseFrom(s.owner, 0)
	if s.settings.local != nil {
		s.settings.local = nil
		if err := s.settings.derive(); err != nil {
			s.log.Error("settings", "err", err)
		}
		s.reportSettings()
	}
	s.dropPortals()
}

// dropPortals forgets the portals that end with their transaction.
func (s *session) dropPortals() {
	for name, p := range s.portals {
		if !p.hold {
			delete(s.portals, name)
		}
	}
}

// withReader gives a statement of the transaction a reader: its snapshot, or a fresh one.
func (s *session) withReader(ctx context.Context, t *transaction, fn func(*sqlstore.Reader) error) error {
	if t == nil || !t.snapshotIsolated() {
		return s.node.store.Read(ctx, fn)
	}
	if t.snapshot == nil {
		r, err := s.node.store.Snapshot(ctx)
		if err != nil {
			return err
		}
		if t.snapIndex, err = r.Index(); err != nil {
			return errors.Join(err, r.Close())
		}
		t.snapshot = r
	}
	return t.snapshot.Use(fn)
}

// try works something out on the writer after the transaction's ops, and takes it back.
func (s *session) try(ctx context.Context, t *transaction, params []catalog.Value, only map[catalog.ID]bool, fn func(*worker) error) (*worker, error) {
	s.node.count.tried.Add(1)
	for {
		var w *worker
		err := s.node.store.Try(ctx, func(tx *sqlstore.Tx) error {
			if t.snapshotIsolated() {
				if t.snapshot == nil {
					return errNeedsSnapshot
				}
				for id := range only {
					if tx.ChangedSince(id, t.snapIndex) {
						return errSerialization()
					}
				}
			}
			r, err := t.run(s, tx, false, only, t.ops)
			if err != nil {
				return err
			}
			w = &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: r, params: params, tran: t, base: len(t.ops)}
			defer s.attach(tx.Conn(), w)()
			return fn(w)
		})
		if errors.Is(err, errNeedsSnapshot) {
			if err := s.withReader(ctx, t, func(*sqlstore.Reader) error { return nil }); err != nil {
				return nil, err
			}
			continue
		}
		if again, err := s.waitAndRetry(ctx, err); err != nil {
			return nil, err
		} else if again {
			continue
		}
		return w, nil
	}
}

var errNeedsSnapshot = errors.New("server: the transaction has no snapshot yet")

// waitAndRetry deals with errors that mean "not now": a row reserved by another transaction, a sequence whose block is
// used up. It waits for what is missing, off the writer.
func (s *session) waitAndRetry(ctx context.Context, err error) (again bool, _ error) {
	if err == nil {
		return false, nil
	}
	if wait := s.funcs.takeWait(); wait != nil {
		err := wait(ctx)
		return err == nil, err
	}
	var b *blockedError
	if errors.As(err, &b) {
		_, err := s.node.locks.acquire(ctx, s.owner, b.key, b.exclusive, s.settings.duration("lock_timeout"))
		return err == nil, err
	}
	return false, s.storeError(err)
}

// hasRead notes the tables that a statement of a serializable transaction reads. A row that it finds by its primary key, and
// changes, is compared at COMMIT anyway.
func (t *transaction) hasRead(plan pgsql.Plan) {
	if t.reads == nil {
		t.reads = map[catalog.ID]bool{}
	}
	query := func(q *pgsql.Query, changed *catalog.Table) {
		if q == nil {
			return
		}
		for _, id := range q.Reads {
			if changed == nil || id != changed.ID || !q.Point {
				t.reads[id] = true
			}
		}
	}
	switch p := plan.(type) {
	case *pgsql.Query:
		query(p, nil)
		for _, m := range p.With {
			t.hasRead(m)
		}
	case *pgsql.Modify:
		if p.Source != nil {
			query(p.Source, p.Table)
			for _, m := range p.Source.With {
				if m != p {
					t.hasRead(m)
				}
			}
		}
		query(p.ReturnQuery, p.Table)
	}
}

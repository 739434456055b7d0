package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
)

// functions is what SQL functions see of the session (sqlfunc.Session). SQLite calls it in the middle of a statement,
// possibly on the writer: nothing here waits for the network or for another session. What must, is noted in wait; the
// statement then fails with errAgain, and the session waits and runs it again. What can be done afterwards is in later.
type functions struct {
	s       *session
	ctx     context.Context
	q       querier // what the statement under way runs on; nil: there is none
	wait    func(context.Context) error
	later   []func(context.Context) error
	granted *lockKey         // an advisory lock that wait has taken for the call that asked
	fetched map[string]any   // what fetch has got for the statement
	seq     map[uint32]int64 // currval
	taken   []taken          // by sequence: values taken since the statement was last begun
	last    *int64
}

var _ sqlfunc.Session = (*functions)(nil)

// errAgain stops a statement that has to be run again after a wait. No client sees it.
var errAgain = pgerror.New(pgerror.InternalError, "the statement has to be run again")

// registerFunctions adds the SQL functions that need more of the session than sqlfunc.Session has.
func registerFunctions() {
	sqlfunc.Register()
	// lc_unlocked(table, rowid): whether no other transaction holds the row, for SKIP LOCKED.
	sqlite.RegisterFunc("lc_unlocked", 2, false, func(c *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		f, ok := c.Session().(*functions)
		id, valid := catalog.IDFromBytes(args[0].Bytes)
		if !ok || !valid {
			return catalog.Value{}, pgerror.New(pgerror.InternalError, "lc_unlocked: no session or table")
		}
		return catalog.Bool(f.s.node.locks.free(f.s.owner, rowKey(id, args[1].Int()))), nil
	})
}

func (f *functions) takeWait() func(context.Context) error {
	w := f.wait
	f.wait = nil
	if w != nil {
		f.later = nil
	}
	return w
}

// finish does what the statement's functions left to be done.
func (f *functions) finish(ctx context.Context) error {
	later := f.later
	f.later = nil
	for _, fn := range later {
		if err := fn(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (f *functions) forgetSequences() { f.seq, f.last = nil, nil }

func (f *functions) sequence(oid uint32) (*catalog.Table, error) {
	sch := f.s.schema
	if f.q != nil {
		sch = f.q.Schema
	}
	t := sch().RelationByOID(oid)
	if t == nil {
		return nil, pgerror.New(pgerror.UndefinedTable, "relation with OID %d does not exist", oid)
	}
	if t.Kind != catalog.KindSequence {
		return nil, pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a sequence", t.Name)
	}
	return t, nil
}

// mayUse says whether the current user may use a sequence. That of an identity column is its table's own affair.
func (f *functions) mayUse(t *catalog.Table, privs ...byte) bool {
	if f.s.may(t, privs...) {
		return true
	}
	if owner := f.s.schema().RelationByID(t.Sequence.OwnerTable); owner != nil {
		for _, c := range owner.Columns {
			if c.ID == t.Sequence.OwnerColumn && c.Identity != 0 {
				return true
			}
		}
	}
	return false
}

func deniedSequence(t *catalog.Table) error {
	return pgerror.New(pgerror.InsufficientPrivilege, "permission denied for sequence %s", t.Name)
}

// NextVal implements sqlfunc.Sequences.
func (f *functions) NextVal(oid uint32) (int64, error) {
	t, err := f.sequence(oid)
	if err != nil {
		return 0, err
	}
	if !f.mayUse(t, catalog.PrivUsage, catalog.PrivUpdate) {
		return 0, deniedSequence(t)
	}
	if tran := f.s.tran; tran != nil && tran.restarts(t.ID) {
		return 0, pgerror.New(pgerror.FeatureNotSupported, "sequence \"%s\" begins anew when this transaction ends, and cannot be used before", t.Name).
			WithHint("COMMIT after RESTART, or use setval.")
	}
	v, from, err := f.s.node.sequences.nextVal(t)
	if err != nil {
		return 0, err
	}
	if from == nil {
		// The statement starts over with the new block: it must hold at least what was taken this time, and more. What it
		// has taken of other sequences it takes again.
		all := slices.Clone(f.taken)
		f.wait = func(ctx context.Context) error {
			var had taken
			for _, values := range all {
				if values.sequence.OID == oid {
					had = values
				} else {
					f.s.node.sequences.giveBack(values)
				}
			}
			return f.s.node.sequences.refill(ctx, t, had, f.s.settings.timeout)
		}
		return 0, errAgain
	}
	if f.seq == nil {
		f.seq = map[uint32]int64{}
	}
	f.seq[oid] = v
	f.last = &v
	i := slices.IndexFunc(f.taken, func(had taken) bool { return had.sequence.OID == oid })
	if i < 0 {
		i = len(f.taken)
		f.taken = append(f.taken, taken{first: v})
	}
	had := &f.taken[i]
	had.sequence, had.from = t, from
	had.count++
	return v, nil
}

// giveBack undoes what a statement has taken of sequences that will run anew.
func (f *functions) giveBack() {
	for _, values := range f.taken {
		f.s.node.sequences.giveBack(values)
	}
	f.taken = f.taken[:0]
}

// CurrVal implements sqlfunc.Sequences.
func (f *functions) CurrVal(oid uint32) (int64, error) {
	t, err := f.sequence(oid)
	if err != nil {
		return 0, err
	}
	if !f.mayUse(t, catalog.PrivUsage, catalog.PrivSelect) {
		return 0, deniedSequence(t)
	}
	v, ok := f.seq[oid]
	if !ok {
		return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "currval of sequence \"%s\" is not yet defined in this session", t.Name)
	}
	return v, nil
}

// LastVal implements sqlfunc.Sequences.
func (f *functions) LastVal() (int64, error) {
	if f.last == nil {
		return 0, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "lastval is not yet defined in this session")
	}
	return *f.last, nil
}

// SetVal implements sqlfunc.Sequences. The members decide it, once a statement, before it can run on.
func (f *functions) SetVal(oid uint32, value int64, called bool) error {
	t, err := f.sequence(oid)
	if err != nil {
		return err
	}
	if !f.s.may(t, catalog.PrivUpdate) {
		return deniedSequence(t)
	}
	d := &t.Sequence
	if value < d.Min || value > d.Max {
		return pgerror.New(pgerror.NumericValueOutOfRange, "setval: value %d is out of bounds for sequence \"%s\" (%d..%d)", value, t.Name, d.Min, d.Max)
	}
	next := value
	if called {
		next += d.Increment
		if f.seq == nil {
			f.seq = map[uint32]int64{}
		}
		f.seq[oid] = value
	}
	done := fmt.Sprintf("setval %d %d", oid, next)
	_, err = fetch(f, done, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, f.s.settings.timeout)
		defer cancel()
		return true, f.s.node.sequences.restart(ctx, t, next)
	})
	return err
}

// SequenceLastValue implements sqlfunc.Sequences: the last value that this node gave or, when it holds no block, the
// last that any node may have given.
func (f *functions) SequenceLastValue(oid uint32) (int64, bool, error) {
	t, err := f.sequence(oid)
	if err != nil {
		return 0, false, err
	}
	q, d := f.s.node.sequences, &t.Sequence
	q.mu.Lock()
	b := q.blocks[t.ID]
	var at int64
	if b != nil {
		at = b.next
	}
	q.mu.Unlock()
	first := d.Start
	if d.Increment < 0 {
		first = -first
	}
	if b == nil {
		at, err = fetch(f, fmt.Sprintf("register %d", oid), func(ctx context.Context) (int64, error) {
			ctx, cancel := context.WithTimeout(ctx, f.s.settings.timeout)
			defer cancel()
			return f.s.node.repl.Grant(ctx, registerName(t.ID), first, 0)
		})
		if err != nil {
			return 0, false, err
		}
	}
	switch {
	case at == first:
		return 0, false, nil
	case d.Increment < 0:
		return -(at + d.Increment), true, nil
	}
	return at - d.Increment, true, nil
}

// Setting implements sqlfunc.Settings.
func (f *functions) Setting(name string) (string, bool) { return f.s.showSetting(name) }

// SetConfig implements sqlfunc.Settings.
func (f *functions) SetConfig(name, value string, local bool) (string, error) {
	if strings.EqualFold(name, causalToken) {
		if err := f.WaitFor(value); err != nil {
			return "", err
		}
	}
	if err := f.s.setSetting(name, &value, local); err != nil {
		return "", err
	}
	f.later = append(f.later, func(context.Context) error { f.s.reportSettings(); return nil })
	v, _ := f.s.showSetting(name)
	return v, nil
}

func (k advisory) lockKey() lockKey {
	if k.Two {
		lk := advisoryKey(k.Key<<32 | int64(uint32(k.Key2)))
		lk.key = "A" + lk.key[1:]
		return lk
	}
	return advisoryKey(k.Key)
}

type advisory sqlfunc.LockKey

// AdvisoryLock implements sqlfunc.AdvisoryLocks.
func (f *functions) AdvisoryLock(k sqlfunc.LockKey, wait bool) (bool, error) {
	owner := f.s.advisory
	if k.Transactional {
		owner = f.s.owner
	}
	lk := advisory(k).lockKey()
	if f.granted != nil && *f.granted == lk {
		f.granted = nil
		return true, nil
	}
	if f.s.node.locks.try(owner, []lockKey{lk}, !k.Shared) == nil {
		return true, nil
	}
	if !wait {
		return false, nil
	}
	f.wait = func(ctx context.Context) error {
		_, err := f.s.node.locks.acquire(ctx, owner, lk, !k.Shared, f.s.settings.duration("lock_timeout"))
		if err == nil {
			f.granted = &lk
		}
		return err
	}
	return false, errAgain
}

// AdvisoryUnlock implements sqlfunc.AdvisoryLocks.
func (f *functions) AdvisoryUnlock(k sqlfunc.LockKey) (bool, error) {
	ok := f.s.node.locks.unlock(f.s.advisory, advisory(k).lockKey())
	if !ok {
		f.s.notice(pgerror.Warning("01000", "you don't own a lock of type ExclusiveLock"))
	}
	return ok, nil
}

// AdvisoryUnlockAll implements sqlfunc.AdvisoryLocks.
func (f *functions) AdvisoryUnlockAll() error {
	f.s.node.locks.releaseFrom(f.s.advisory, 0)
	return nil
}

// PID implements sqlfunc.Backend.
func (f *functions) PID() uint32 { return f.s.info.PID }

// Signal implements sqlfunc.Backend.
func (f *functions) Signal(pid uint32, terminate bool) (bool, error) {
	return f.s.node.wire.Signal(pid, terminate), nil
}

// Notify implements sqlfunc.Backend.
func (f *functions) Notify(channel, payload string) error {
	f.s.notify(&pgsql.Notify{Channel: channel, Payload: payload})
	return nil
}

// Listening implements sqlfunc.Backend.
func (f *functions) Listening() []string {
	var out []string
	for c := range f.s.listening {
		out = append(out, c)
	}
	return out
}

// Sleep implements sqlfunc.Backend.
func (f *functions) Sleep(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

// TransactionID implements sqlfunc.Transactions.
func (f *functions) TransactionID(assign bool) (int64, error) {
	if f.s.tran == nil && !assign {
		return 0, nil
	}
	return int64(f.s.node.store.Index()) + 1, nil
}

// Remember implements sqlfunc.Transactions. Statements are worked out once and kept as rows, so that nothing made here
// is ever made twice.
func (f *functions) Remember(make func() (catalog.Value, error)) (catalog.Value, error) {
	return make()
}

// NodeName implements sqlfunc.Cluster.
func (f *functions) NodeName() string { return f.s.node.cfg.Name }

// StartTime implements sqlfunc.Cluster.
func (f *functions) StartTime() int64 { return micros(f.s.node.started) }

// UniqueID implements sqlfunc.Cluster.
func (f *functions) UniqueID() (int64, error) { return f.s.node.uniqueID() }

// SessionToken implements sqlfunc.Cluster.
func (f *functions) SessionToken() (string, error) {
	store := f.s.node.store
	retired := store.Retired() // before: what is retired meanwhile is in both
	return encodeToken(store.Vector().Without(retired)), nil
}

// WaitFor implements sqlfunc.Cluster.
func (f *functions) WaitFor(token string) error {
	wait, err := f.s.node.behind(token, f.s.settings.timeout)
	if err != nil || wait == nil {
		return err
	}
	f.wait = wait
	return errAgain
}

// TransactionStatus implements sqlfunc.Cluster.
func (f *functions) TransactionStatus(id string) (string, error) {
	return f.s.node.transactionStatus(id)
}

// Verify implements sqlfunc.Cluster.
func (f *functions) Verify() ([]sqlfunc.VerifyRow, error) { return fetch(f, "verify", f.s.node.verify) }

// fetch gets what a statement needs from other nodes, or from the store, before it can run: the first time it makes the
// statement wait and run again, then it has the answer.
func fetch[T any](f *functions, name string, get func(context.Context) (T, error)) (T, error) {
	if v, ok := f.fetched[name].(T); ok {
		return v, nil
	}
	f.wait = func(ctx context.Context) error {
		v, err := get(ctx)
		if err != nil {
			return err
		}
		if f.fetched == nil {
			f.fetched = map[string]any{}
		}
		f.fetched[name] = v
		return nil
	}
	var none T
	return none, errAgain
}

// Repair implements sqlfunc.Cluster.
func (f *functions) Repair(oid uint32) (int64, error) {
	t := f.s.schema().RelationByOID(oid)
	switch {
	case t == nil:
		return 0, pgerror.New(pgerror.UndefinedTable, "relation with OID %d does not exist", oid)
	case t.Kind != catalog.KindTable || t.System:
		return 0, pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a table", t.Name)
	case !f.s.owns(t.Owner):
		return 0, pgerror.New(pgerror.InsufficientPrivilege, "must be owner of table %s", t.Name)
	}
	return fetch(f, fmt.Sprint("repair ", oid), func(ctx context.Context) (int64, error) { return f.s.node.repair(ctx, t.ID) })
}

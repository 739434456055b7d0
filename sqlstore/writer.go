package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// request is one function to run on the writer.
type request struct {
	ctx  context.Context
	fn   func(*Tx) error
	try  bool // to be rolled back
	done chan struct{}

	commit Commit
	err    error
}

// Commit tells where a transaction stands in this node's log. It is Empty if the transaction changed nothing that is
// logged; then only Index is set.
type Commit struct {
	Origin crdt.Origin
	Seq    uint64
	HLC    crdt.HLC
	Index  uint64
	Empty  bool
	Bytes  int // the entry's size, unpacked: what who applies it has to do
	Group  int // the same of all that became durable at once
}

// Write runs fn on the writer, and returns when what it did is durable. fn's error rolls back what fn did, and nothing
// else. fn must not block on anything but the CPU and SQLite: everybody waits for it. It is not called if ctx ends
// while it waits for its turn; once it has run, Write does not return before the outcome is known.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) (Commit, error) {
	if err := s.enter(ctx); err != nil {
		return Commit{}, err
	}
	defer s.leave()
	return s.submit(&request{ctx: ctx, fn: fn})
}

// Try runs fn as Write does and rolls it back. It returns when the commits that fn may have seen are durable.
func (s *Store) Try(ctx context.Context, fn func(*Tx) error) error {
	_, err := s.submit(&request{ctx: ctx, fn: fn, try: true})
	return err
}

func (s *Store) submit(r *request) (Commit, error) {
	r.done = make(chan struct{})
	select {
	case <-s.closing:
		return Commit{}, ErrClosed
	default:
	}
	select {
	case s.requests <- r:
	case <-r.ctx.Done():
		return Commit{}, context.Cause(r.ctx)
	case <-s.closing:
		return Commit{}, ErrClosed
	}
	<-r.done
	return r.commit, r.err
}

// writer is the one connection that changes the database, and the state that goes with it. Its fields belong to the
// writer's goroutine. They run ahead of the durable state within a group; when a group cannot be committed, they are
// read again from the database.
type writer struct {
	s    *Store
	conn *sqlite.Conn

	layout    *layout
	origins   origins
	heads     map[crdt.Origin]head
	forks     crdt.Forks
	retired   crdt.Vector // ended epochs that markers have retired; never changed in place
	states    map[crdt.ID]spaceState
	index     uint64 // of the group under way
	hasFlags  bool   // some row's "_u…" is, or was, not 0
	hasLosers bool   // lc_losers has, or had, a row

	hiddenIndexes map[int64]bool // tables (their local numbers) whose hidden key has an index; never changed in place

	changes     int64                  // rows changed on the connection before the group under way
	waitedAt    int                    // WAL size, in pages, at which the writer last waited for the checkpointer
	systemStale bool                   // the system tables do not show the layout's schema yet
	systemFixed map[*catalog.Table]int // of each system table, the number of rows that no schema changes

	self     crdt.Origin // zero Node until the first write (rule E2)
	lastDeps crdt.Vector // dependencies of self's last entry
	depsNew  bool        // something has been applied since

	group   []*request
	writes  []*request       // memory for runGroup
	spare   txMemory         // the next transaction's
	held    []*request       // to be tried at the start of the next group
	touched map[crdt.ID]bool // keyspaces whose state is another, and whether statements can see that
	grown   map[crdt.Origin]bool
	ddl     bool
	txState bool // the group has changed something

	keeping bool         // what this process writes is to be kept in Store.recent
	written []crdt.Entry // the group's, if so; without Bytes one that is too long
}

// loop runs requests in groups. All that arrive while a group commits are the next group, so that under load one fsync
// serves many.
func (w *writer) loop() {
	for {
		if len(w.held) > 0 {
			w.runGroup(nil)
			continue
		}
		var r *request
		select {
		case r = <-w.s.requests:
		case r := <-w.s.swaps:
			w.swap(r)
			continue
		case <-w.s.closing:
			w.refuse()
			return
		}
		w.runGroup(r)
	}
}

// refuse answers what still came while the store was closing.
func (w *writer) refuse() {
	for {
		select {
		case r := <-w.s.requests:
			r.err = ErrClosed
			close(r.done)
		default:
			return
		}
	}
}

func (w *writer) runGroup(r *request) {
	if w.s.memory {
		w.s.memMu.Lock()
		defer w.s.memMu.Unlock()
	}
	w.restartWAL()
	w.group = w.group[:0]
	// What is only tried goes first: as long as nothing has been written it sees committed state alone, and can be
	// answered without waiting for the group's fsync. What comes later begins the next group.
	held := w.held
	w.held = nil
	if r == nil {
		r = w.next(len(held))
	}
	for _, h := range held {
		w.tryAlone(h)
	}
	writes := w.writes[:0]
	for n := len(held) + 1; r != nil; n++ {
		if r.try {
			w.tryAlone(r)
		} else {
			writes = append(writes, r)
		}
		r = w.next(n)
	}
	for _, r := range writes {
		w.runRequest(r)
	}
	n := len(writes)
	clear(writes)
	w.writes = writes
	for n > 0 {
		if r = w.next(n); r == nil {
			break
		}
		if r.try {
			w.held = append(w.held, r)
		} else {
			w.runRequest(r)
		}
		n++
	}
	w.commit()
}

// next is the next request if one waits and a group of n may grow.
func (w *writer) next(n int) *request {
	if n >= w.s.config.GroupLimit {
		return nil
	}
	select {
	case r := <-w.s.requests:
		return r
	default:
		return nil
	}
}

// tryAlone runs a request that is to be rolled back, before the group has written anything, and answers it.
func (w *writer) tryAlone(r *request) {
	w.runRequest(r)
	w.group = w.group[:len(w.group)-1]
	if r.err == nil {
		r.commit.Index = w.s.index
	}
	close(r.done)
}

// runRequest runs one request inside the group. The first needs no savepoint: if it fails, so does the group that it
// would have begun.
func (w *writer) runRequest(r *request) {
	w.group = append(w.group, r)
	if err := r.ctx.Err(); err != nil {
		r.err = context.Cause(r.ctx)
		return
	}
	if len(w.group) == 1 || !w.conn.InTransaction() {
		if w.txState { // SQLite rolled the group back by itself
			w.fail(errors.New("sqlstore: the transaction group was rolled back"))
		}
		if err := run(w.conn, "BEGIN IMMEDIATE"); err != nil {
			r.err = err
			return
		}
		w.index = w.s.index + 1
		w.touched, w.grown = emptied(w.touched), emptied(w.grown)
		w.ddl = false
	}
	alone := !w.txState
	if !alone {
		if err := run(w.conn, "SAVEPOINT q"); err != nil {
			r.err = err
			return
		}
	}
	tx := &Tx{w: w, txMemory: w.spare, ctx: r.ctx, before: w.layout, keysBefore: w.hiddenIndexes, nOrigins: len(w.origins.byNum), selfBefore: w.self, forked: w.forks, retired: w.retired, wasStale: w.systemStale}
	defer func() { w.spare = tx.spare() }()
	r.err = w.call(tx, r.fn)
	if r.err == nil && !r.try {
		r.commit, r.err = tx.finish()
	}
	if r.err == nil && !r.try {
		if alone {
			w.txState = tx.dirty
			return
		}
		if err := run(w.conn, "RELEASE q"); err != nil {
			w.fail(err)
		}
		return
	}
	tx.rollback()
	if !w.conn.InTransaction() {
		// An error such as a full disk made SQLite roll everything back.
		w.fail(r.err)
		return
	}
	undo := "ROLLBACK"
	if !alone {
		undo = "ROLLBACK TO q; RELEASE q"
	}
	if err := w.conn.StoreExec(undo); err != nil {
		w.fail(err)
	}
}

// call runs fn, and makes an error of a panic: one client's statement must not end the others'.
func (w *writer) call(tx *Tx, fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.s.config.Logger.Error("panic in a transaction", "err", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("sqlstore: panic in a transaction: %v", p)
		}
	}()
	defer tx.watch.end()
	return fn(tx)
}

// commit ends the group: one fsync for all, then the answers.
func (w *writer) commit() {
	defer func() {
		bytes := 0
		for _, r := range w.group {
			bytes += r.commit.Bytes
		}
		for i, r := range w.group {
			if r.err == nil {
				r.commit.Index, r.commit.Group = w.s.index, bytes // the index is written by this goroutine alone
			}
			close(r.done)
			w.group[i] = nil
		}
	}()
	if !w.conn.InTransaction() {
		if w.txState {
			w.fail(errors.New("sqlstore: the transaction group was rolled back"))
		}
		return
	}
	if !w.txState {
		if err := run(w.conn, "ROLLBACK"); err != nil {
			w.fail(err)
		}
		return
	}
	err := w.flush()
	w.s.committing.Add(1)
	defer w.s.committing.Add(1)
	if err == nil {
		if w.ddl {
			w.s.ddlGen.Add(1)
		}
		if err = run(w.conn, "COMMIT"); err != nil && w.ddl {
			w.s.ddlGen.Add(1)
		}
	}
	if err != nil {
		w.fail(err)
		return
	}
	w.txState = false
	w.publish()
	w.watchWAL()
	w.watchBulk()
	w.watchCarries()
}

// flush writes what is kept once a group.
func (w *writer) flush() error {
	if w.systemStale {
		if err := w.fillSystem(false); err != nil {
			return err
		}
	}
	for id := range w.touched {
		st, there := w.states[id]
		if !there {
			if err := run(w.conn, "DELETE FROM lc_spaces WHERE id=?", catalog.ID(id).Value()); err != nil {
				return err
			}
			continue
		}
		o := int64(0)
		if !st.trunc.IsZero() {
			var err error
			if o, err = w.number(st.trunc.Origin); err != nil {
				return err
			}
		}
		if err := run(w.conn, "INSERT OR REPLACE INTO lc_spaces VALUES(?,?,?,?,?,?)", catalog.ID(id).Value(),
			catalog.BlobBytes(st.digest.Bytes()), catalog.Int(st.rows), catalog.Int(st.tombs),
			catalog.Int(int64(st.trunc.HLC)), catalog.Int(o)); err != nil {
			return err
		}
	}
	return run(w.conn, "UPDATE lc_state SET hlc=?,idx=?", catalog.Int(int64(w.s.clock.Last())), catalog.Int(int64(w.index)))
}

// publish makes the group's state the durable one.
func (w *writer) publish() {
	s := w.s
	s.mu.Lock()
	s.index, s.retired = w.index, w.retired
	for o := range w.grown {
		if h, there := w.heads[o]; there {
			s.heads[o] = h
		} else {
			delete(s.heads, o)
		}
	}
	for id, seen := range w.touched {
		if st, there := w.states[id]; there {
			s.states[id] = st
		} else {
			delete(s.states, id)
		}
		if seen {
			s.changes[id] = w.index
		}
	}
	s.origins.byNum = w.origins.byNum // append-only: readers keep their shorter view
	w.keepWritten()
	if len(w.grown) > 0 {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	if w.ddl {
		s.layout.Store(w.layout)
		s.ddlGen.Add(1)
	}
	s.mu.Unlock()
}

// fail answers the whole group with an error: nothing of it is on disk. After an fsync error that is not known, and the
// process must end.
func (w *writer) fail(cause error) {
	if isFsync(cause) {
		w.s.config.Fatal(fmt.Errorf("sqlstore: fsync failed: %w", cause))
	}
	w.s.config.Logger.Error("a group of transactions was rolled back", "err", cause)
	for _, r := range w.group {
		if r.err == nil {
			r.err, r.commit = cause, Commit{}
		}
	}
	if w.conn.InTransaction() {
		run(w.conn, "ROLLBACK") // its error would be the same as the cause's
	}
	w.txState = false
	w.forgetWritten()
	if err := w.load(); err != nil {
		w.s.config.Logger.Error("the database cannot be read after a failed commit", "err", err)
		w.s.config.Fatal(fmt.Errorf("sqlstore: state lost after a failed commit: %w", err))
	}
}

// load reads the writer's state from the database, at the start and after a commit that failed.
func (w *writer) load() error {
	s := w.s
	w.origins = origins{byNum: make([]crdt.Origin, 1), num: make(map[crdt.Origin]int64)}
	w.heads = make(map[crdt.Origin]head)
	w.states = make(map[crdt.ID]spaceState)
	if err := w.loadState(); err != nil {
		return err
	}
	if err := w.loadOrigins(); err != nil {
		return err
	}
	if err := w.loadSpaces(); err != nil {
		return err
	}
	n, err := one(w.conn, "SELECT EXISTS(SELECT 1 FROM lc_collisions)")
	if err != nil {
		return err
	}
	w.hasFlags = n.Bool()
	if n, err = one(w.conn, "SELECT EXISTS(SELECT 1 FROM lc_losers)"); err != nil {
		return err
	}
	w.hasLosers = n.Bool()
	if w.hiddenIndexes, err = loadHiddenIndexes(w.conn); err != nil {
		return err
	}
	// A schema that is as it was keeps its version: else every plan would be stale after each failed commit, and while the
	// disk is full that is all the time.
	if w.layout == nil || w.ddl {
		if w.layout, err = s.loadLayout(w.conn); err != nil {
			return err
		}
		if err := w.loadStatistics(); err != nil {
			return err
		}
	}
	if _, known := w.origins.num[w.self]; !known {
		w.self = crdt.Origin{} // taken in a transaction that was lost: a new one then
	}
	if w.forks, err = loadForks(w.conn); err != nil {
		return err
	}
	if w.retired, err = loadRetired(w.conn); err != nil {
		return err
	}
	w.lastDeps, w.depsNew = make(crdt.Vector), true
	w.systemStale = false

	s.mu.Lock()
	defer s.mu.Unlock()
	s.index, s.retired = w.index, w.retired
	s.heads = make(map[crdt.Origin]head, len(w.heads))
	for o, h := range w.heads {
		s.heads[o] = h
	}
	s.states = make(map[crdt.ID]spaceState, len(w.states))
	for id, st := range w.states {
		s.states[id] = st
	}
	s.origins.byNum = w.origins.byNum
	s.layout.Store(w.layout)
	return nil
}

func (w *writer) loadState() error {
	return each(w.conn, "SELECT node,hlc,idx FROM lc_state", nil, func(v []catalog.Value) error {
		w.s.node = crdt.NodeID(v[0].Int())
		w.s.clock.Resume(crdt.HLC(v[1].Int()))
		w.index = uint64(v[2].Int())
		return nil
	})
}

func (w *writer) loadOrigins() error {
	trimmed := make(crdt.Vector)
	err := each(w.conn, "SELECT num,origin,seq,hash FROM lc_origins ORDER BY num", nil, func(v []catalog.Value) error {
		o, _, err := crdt.DecodeOrigin(v[1].Bytes)
		if err != nil || v[0].Int() != int64(len(w.origins.byNum)) {
			return errors.Join(err, errors.New("lc_origins is damaged"))
		}
		w.origins.byNum = append(w.origins.byNum, o)
		w.origins.num[o] = v[0].Int()
		if v[2].Int() > 0 {
			h := head{seq: uint64(v[2].Int())}
			copy(h.hash[:], v[3].Bytes)
			w.heads[o] = h
			trimmed[o] = h.seq
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.s.mu.Lock()
	w.s.trimmed = trimmed
	w.s.mu.Unlock()
	for num, o := range w.origins.byNum[1:] {
		last := catalog.Int(int64(num+2) << seqBits)
		first := catalog.Int(int64(num+1) << seqBits)
		err := each(w.conn, "SELECT "+shortEntry+",id FROM lc_log WHERE id>=?1 AND id<?2 ORDER BY id DESC LIMIT 1",
			[]catalog.Value{first, last}, func(v []catalog.Value) error {
				e, err := getHead(w.conn, v[1].Int(), v[0])
				if err != nil {
					return err
				}
				w.heads[o] = head{e.Seq, e.Hash}
				w.s.clock.Resume(e.HLC)
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) loadSpaces() error {
	return each(w.conn, "SELECT id,digest,rows,tombs,trunc_h,trunc_o FROM lc_spaces", nil, func(v []catalog.Value) error {
		id, ok := catalog.IDFromBytes(v[0].Bytes)
		d, ok2 := crdt.DigestFromBytes(v[1].Bytes)
		if !ok || !ok2 {
			return errors.New("lc_spaces is damaged")
		}
		st := spaceState{digest: d, rows: v[2].Int(), tombs: v[3].Int()}
		if h := v[4].Int(); h != 0 {
			var err error
			if st.trunc, err = w.origins.stamp(crdt.HLC(h), v[5].Int()); err != nil {
				return err
			}
		}
		w.states[crdt.ID(id)] = st
		return nil
	})
}

// number returns an origin's local number and gives it one if it has none.
func (w *writer) number(o crdt.Origin) (int64, error) {
	if n, ok := w.origins.num[o]; ok {
		return n, nil
	}
	n := int64(len(w.origins.byNum))
	if err := run(w.conn, "INSERT INTO lc_origins VALUES(?,?,0,NULL,0,NULL)", catalog.Int(n),
		catalog.BlobBytes(crdt.AppendOrigin(nil, o))); err != nil {
		return 0, err
	}
	w.origins.byNum = append(w.origins.byNum, o)
	w.origins.num[o] = n
	return n, nil
}

// forgetOrigins undoes number after a rollback.
func (w *writer) forgetOrigins(n int) {
	for _, o := range w.origins.byNum[n:] {
		delete(w.origins.num, o)
	}
	// Clipped, so that the next one does not overwrite what readers of a published slice may hold.
	w.origins.byNum = slices.Clip(w.origins.byNum[:n])
}

// takeEpoch begins this process's epoch (rule E2): at the first write, so that the stamp in its name is greater than
// any that the node had seen by then.
func (w *writer) takeEpoch() error {
	if w.self.Node != 0 {
		return nil
	}
	random, err := randomEpoch(w.s.config.Rand)
	if err != nil {
		return err
	}
	w.self = crdt.Origin{Node: w.s.node, Epoch: crdt.Epoch{First: w.s.clock.Tick(w.s.config.Now()), Random: random}}
	w.lastDeps, w.depsNew = make(crdt.Vector), true
	return nil
}

package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Tx is a transaction on the writer. It is valid only within the function that it was given to.
type Tx struct {
	w      *writer
	ctx    context.Context
	stamp  crdt.Stamp // zero until the first change
	num    int64      // local number of stamp's origin
	hidden uint32     // hidden keys made so far
	dirty  bool       // something is to be committed
	ddl    bool
	remote bool         // applies entries: what it does is in the log already
	marker *crdt.Marker // to be written as the transaction's entry

	txMemory
	room []byte // what packed rows are unpacked into
	old  row

	// What rollback restores.
	before     *layout
	keysBefore map[int64]bool
	nOrigins   int
	forked     crdt.Forks
	retired    crdt.Vector
	unseen     bool // it changes nothing that a statement can see
	selfBefore crdt.Origin
	wasStale   bool

	watch watch
}

// txSpace is a keyspace that the transaction has touched.
type txSpace struct {
	sp  *space
	st  spaceState
	log txLog
}

// ErrNoRow reports a rowid that names no row.
var ErrNoRow = errors.New("sqlstore: no such row")

// Schema is the schema as the transaction sees it.
func (tx *Tx) Schema() *catalog.Schema { return tx.w.layout.schema }

// Conn is the writer's connection, for its Session. Statements go through Query.
func (tx *Tx) Conn() *sqlite.Conn { return tx.w.conn }

// ChangedSince says whether what is seen of the table was changed after the commit with the given index, by transactions of the group
// under way too.
func (tx *Tx) ChangedSince(table catalog.ID, index uint64) bool {
	if tx.w.touched[crdt.ID(table)] {
		return true
	}
	return tx.w.s.ChangedSince(table, index)
}

// Stamp is the stamp that the transaction's changes bear, once it has made one.
func (tx *Tx) Stamp() crdt.Stamp { return tx.stamp }

// begin gives the transaction its stamp, before its first change.
func (tx *Tx) begin() error {
	tx.dirty = true
	if !tx.stamp.IsZero() {
		return nil
	}
	w := tx.w
	if err := w.takeEpoch(); err != nil {
		return err
	}
	num, err := w.number(w.self)
	if err != nil {
		return err
	}
	tx.num = num
	tx.stamp = crdt.Stamp{HLC: w.s.clock.Tick(w.s.config.Now()), Origin: w.self}
	return nil
}

// touch returns the transaction's picture of a keyspace.
func (tx *Tx) touch(sp *space) *txSpace {
	if ts := tx.spaces[sp.id]; ts != nil {
		return ts
	}
	ts := &txSpace{sp: sp, st: tx.w.states[sp.id]}
	if tx.spaces == nil {
		tx.spaces = make(map[crdt.ID]*txSpace)
	}
	tx.spaces[sp.id] = ts
	tx.order = append(tx.order, ts)
	return ts
}

// open finds the keyspace of a table as a statement knows it, for a change.
func (tx *Tx) open(t *catalog.Table) (*txSpace, error) {
	sp := tx.w.layout.spaces[crdt.ID(t.ID)]
	if sp == nil || sp.table == nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, ErrSchemaChanged)
	}
	if t != sp.table && !sameShape(t, sp.table) {
		return nil, fmt.Errorf("table %s: %w", t.Name, ErrSchemaChanged)
	}
	if err := tx.begin(); err != nil {
		return nil, err
	}
	return tx.touch(sp), nil
}

// sameShape says whether two forms of one table agree in what a plan relies on.
func sameShape(a, b *catalog.Table) bool {
	return slices.EqualFunc(a.Columns, b.Columns, func(x, y *catalog.Column) bool {
		return x.ID == y.ID && x.Type == y.Type && x.Typmod == y.Typmod && x.NotNull == y.NotNull
	}) && slices.EqualFunc(a.Constraints, b.Constraints, func(x, y *catalog.Constraint) bool { return x.ID == y.ID }) &&
		slices.EqualFunc(a.Indexes, b.Indexes, func(x, y *catalog.Index) bool { return x.ID == y.ID })
}

// Insert adds a row and returns its rowid. vals are the values of all of t.Columns, in order; they are the caller's
// again afterwards. If the primary key or another unique key is taken, nothing happens and the error is a *UniqueError.
func (tx *Tx) Insert(t *catalog.Table, vals []catalog.Value) (int64, error) {
	if err := tx.watch.enter(); err != nil {
		return 0, err
	}
	defer tx.watch.leave()
	ts, err := tx.open(t)
	if err != nil {
		return 0, err
	}
	sp := ts.sp
	r, err := tx.insertRow(sp, t, vals)
	if err != nil {
		return 0, err
	}
	r.vals = sp.withDropped(vals)
	h, err := sp.hash(&tx.hasher, &tx.w.origins, &r)
	if err != nil {
		return 0, err
	}
	ts.st.digest.Add(h)
	ts.st.rows++
	if sp.key != nil && (ts.st.tombs > 0 || len(ts.log.del) > 0) {
		tx.key = sp.rowKey(tx.key[:0], r.vals, r.hidden)
		if err := tx.dropTombstone(ts, tx.key); err != nil {
			return 0, err
		}
		ts.log.undeleted(tx.key)
	}
	ts.log.inserted(sp, &r)
	return r.rowid, nil
}

// insertRow gives SQLite a new row, within a watched change. The caller owes it to the digest and the log; vals of the
// result are not set.
func (tx *Tx) insertRow(sp *space, t *catalog.Table, vals []catalog.Value) (row, error) {
	if len(vals) != sp.live {
		return row{}, fmt.Errorf("sqlstore: %d values for the %d columns of %s", len(vals), sp.live, t.Name)
	}
	args := append(slices.Grow(tx.args[:0], 3+len(vals)), catalog.Int(int64(tx.stamp.HLC)), catalog.Int(tx.num))
	var hidden []byte
	if sp.hidden {
		k := catalog.Value{}
		if sp.key == nil {
			hidden = newHiddenKey(make([]byte, 0, hiddenKeySize), tx.stamp, tx.hidden)
			tx.hidden++
			k = catalog.BlobBytes(hidden)
		}
		args = append(args, k)
	}
	args = append(args, vals...)
	tx.args = args
	rowid, err := tx.insert(sp, sp.insertSQL, args)
	if err != nil {
		if e, ok := isUnique(err); ok {
			return row{}, tx.uniqueError(sp, e, vals, nil)
		}
		return row{}, err
	}
	return row{rowid: rowid, h: int64(tx.stamp.HLC), o: tx.num, hidden: hidden}, nil
}

// withDropped appends what a new row holds in the columns that were dropped.
func (sp *space) withDropped(vals []catalog.Value) []catalog.Value {
	if len(sp.cols) == sp.live {
		return vals
	}
	out := append(make([]catalog.Value, 0, len(sp.cols)), vals...)
	for _, c := range sp.cols[sp.live:] {
		out = append(out, c.missing)
	}
	return out
}

func (tx *Tx) insert(sp *space, sql string, args []catalog.Value) (int64, error) {
	st, err := tx.w.conn.StoreStmt(sql)
	if err != nil {
		return 0, err
	}
	if _, err := st.Exec(args); err != nil {
		return 0, err
	}
	return tx.w.conn.LastInsertRowID(), nil
}

// read reads a row that the caller says is there, for a change.
func (tx *Tx) read(sp *space, rowid int64) (*row, crdt.Digest, error) {
	found, err := readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(rowid)}, &tx.old)
	if err == nil && !found {
		err = ErrNoRow
	}
	if err != nil {
		return nil, crdt.Digest{}, err
	}
	h, _ := sp.hashAny(&tx.hasher, &tx.w.origins, &tx.old) // a damaged row may be deleted
	return &tx.old, h, nil
}

// own says whether the transaction itself inserted the row.
func (tx *Tx) own(r *row) bool { return r.h == int64(tx.stamp.HLC) && r.o == tx.num }

// Update sets cells of a row: cols are indexes into t.Columns, ascending and not of the primary key (a change of the
// key is Delete and Insert). Cells are written even when their value is equal (rule M3). If a unique key is taken,
// nothing happens and the error is a *UniqueError.
func (tx *Tx) Update(t *catalog.Table, rowid int64, cols []int, vals []catalog.Value) error {
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	ts, err := tx.open(t)
	if err != nil {
		return err
	}
	sp := ts.sp
	for _, c := range cols {
		if c < 0 || c >= sp.live || slices.Contains(sp.key, c) {
			return fmt.Errorf("sqlstore: column %d of %s cannot be updated in place", c, t.Name)
		}
	}
	if len(cols) != len(vals) || len(cols) == 0 {
		return fmt.Errorf("sqlstore: %d values for %d cells of %s", len(vals), len(cols), t.Name)
	}
	r, h, err := tx.read(sp, rowid)
	if err != nil {
		return err
	}
	clocks := r.clocks
	if !tx.own(r) {
		list, err := decodeClocks(r.clocks)
		if err != nil {
			return err
		}
		for _, c := range cols {
			list = setClock(list, cellClock{sp.cols[c].num, tx.stamp.HLC, tx.num})
		}
		clocks = encodeClocks(list)
	}
	flags := tx.flagsTouched(sp, cols)
	args := append(tx.args[:0], vals...)
	args = append(args, blobOrNull(clocks), catalog.Int(rowid))
	tx.args = args
	if err := run(tx.w.conn, tx.w.updateSQL(sp, cols, flags), args...); err != nil {
		if e, ok := isUnique(err); ok {
			for i, c := range cols {
				r.vals[c] = vals[i]
			}
			return tx.uniqueError(sp, e, r.vals, &rowid)
		}
		return err
	}
	if len(flags) > 0 {
		if err := tx.leave(sp, r, flags); err != nil {
			return err
		}
	}
	ts.st.digest.Sub(h)
	r.clocks = clocks
	for i, c := range cols {
		r.vals[c] = vals[i]
	}
	if h, err = sp.hash(&tx.hasher, &tx.w.origins, r); err != nil {
		return err
	}
	ts.st.digest.Add(h)
	if tx.own(r) {
		ts.log.rewritten(sp, r)
		return nil
	}
	return ts.log.updated(tx, sp, r, cols)
}

func blobOrNull(b []byte) catalog.Value {
	if len(b) == 0 {
		return catalog.Value{}
	}
	return catalog.BlobBytes(b)
}

// updateSQL is the UPDATE that sets the cells cols, takes the given flags back, and sets the clocks, by rowid.
func (w *writer) updateSQL(sp *space, cols []int, flags []int) string {
	b := make([]byte, 0, 128)
	b = append(append(append(b, "UPDATE "...), sp.phys...), " SET "...)
	for _, c := range cols {
		b = append(append(b, sp.cols[c].phys...), "=?,"...)
	}
	for _, f := range flags {
		b = append(append(b, sp.uniques[f].flag...), "=0,"...)
	}
	return string(append(b, "_c=? WHERE rowid=?"...))
}

// Delete deletes a row.
func (tx *Tx) Delete(t *catalog.Table, rowid int64) error {
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	ts, err := tx.open(t)
	if err != nil {
		return err
	}
	sp := ts.sp
	r, h, err := tx.read(sp, rowid)
	if err != nil {
		return err
	}
	if err := tx.deleteRow(sp, r); err != nil {
		return err
	}
	ts.st.digest.Sub(h)
	ts.st.rows--
	if tx.own(r) {
		ts.log.removed(r.rowid)
		if sp.key == nil {
			return nil // nobody else ever sees its key
		}
	} else {
		ts.log.forget(r.rowid)
	}
	tx.key = sp.identity(tx.key[:0], r)
	ts.log.deleted(sp, tx.key, r)
	if err := tx.putTombstone(ts, tx.key, tx.stamp.HLC, tx.num); err != nil {
		return err
	}
	return tx.deleteLosers(ts, r)
}

// deleteRow takes a row out of its table.
func (tx *Tx) deleteRow(sp *space, r *row) error {
	if err := run(tx.w.conn, sp.deleteSQL, catalog.Int(r.rowid)); err != nil {
		return err
	}
	if tx.w.hasFlags && len(sp.uniques) > 0 {
		return tx.leave(sp, r, allFlags(sp))
	}
	return nil
}

func (tx *Tx) putTombstone(ts *txSpace, key []byte, h crdt.HLC, o int64) error {
	ts.st.tombs++
	return run(tx.w.conn, "INSERT OR REPLACE INTO lc_tombstones VALUES(?,?,?,?)", catalog.Int(ts.sp.num),
		catalog.BlobBytes(key), catalog.Int(int64(h)), catalog.Int(o))
}

func (tx *Tx) dropTombstone(ts *txSpace, key []byte) error {
	if ts.st.tombs == 0 {
		return nil
	}
	st, err := tx.w.conn.StoreStmt("DELETE FROM lc_tombstones WHERE t=? AND k=?")
	if err != nil {
		return err
	}
	n, err := st.Exec([]catalog.Value{catalog.Int(ts.sp.num), catalog.BlobBytes(key)})
	ts.st.tombs -= n
	return err
}

// Truncate deletes every row of a table, with one stamp for all of them.
func (tx *Tx) Truncate(t *catalog.Table) error {
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	ts, err := tx.open(t)
	if err != nil {
		return err
	}
	if err := tx.clear(ts); err != nil {
		return err
	}
	ts.st.trunc = tx.stamp
	ts.log = txLog{truncated: true}
	return nil
}

// clear empties a keyspace physically.
func (tx *Tx) clear(ts *txSpace) error {
	if err := tx.dropHiddenIndex(ts.sp); err != nil {
		return err
	}
	if err := run(tx.w.conn, "DELETE FROM "+ts.sp.phys); err != nil {
		return err
	}
	if ts.st.tombs > 0 {
		if err := run(tx.w.conn, "DELETE FROM lc_tombstones WHERE t=?", catalog.Int(ts.sp.num)); err != nil {
			return err
		}
	}
	if tx.w.hasFlags {
		if err := run(tx.w.conn, "DELETE FROM lc_collisions WHERE t=?", catalog.Int(ts.sp.num)); err != nil {
			return err
		}
	}
	if tx.w.hasLosers {
		if err := run(tx.w.conn, "DELETE FROM lc_losers WHERE t=?", catalog.Int(ts.sp.num)); err != nil {
			return err
		}
	}
	ts.st.digest, ts.st.rows, ts.st.tombs = crdt.Digest{}, 0, 0
	return nil
}

// Version reads a row's version.
func (tx *Tx) Version(t *catalog.Table, rowid int64) (v Version, found bool, err error) {
	err = each(tx.w.conn, "SELECT _h,_o,_c FROM "+t.Phys+" WHERE rowid=?", []catalog.Value{catalog.Int(rowid)},
		func(row []catalog.Value) error {
			v, found = Version{row[0].Int(), row[1].Int(), row[2].Bytes}, true
			return nil
		})
	return v, found, err
}

// Query runs a statement that reads, with the transaction's own changes visible. It ends early when ctx does.
func (tx *Tx) Query(ctx context.Context, sql string, args []catalog.Value) (*sqlite.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := tx.freshSystem(sql); err != nil {
		return nil, err
	}
	st, err := tx.w.conn.Stmt(sql)
	if err != nil {
		return nil, err
	}
	if ctx.Done() != nil {
		tx.watch.start(ctx, tx.w.conn)
	}
	return st.Query(args)
}

// GetLocal reads one of this node's own notes; nil if there is none.
func (tx *Tx) GetLocal(key string) ([]byte, error) {
	v, err := one(tx.w.conn, "SELECT val FROM lc_local WHERE key=?", catalog.Str(key))
	return v.Bytes, err
}

// PutLocal sets one of this node's own notes, which are not replicated; nil deletes it.
func (tx *Tx) PutLocal(key string, val []byte) error {
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	return tx.putLocal(key, val)
}

// putLocal is PutLocal within a watched change.
func (tx *Tx) putLocal(key string, val []byte) error {
	tx.dirty = true
	if val == nil {
		return run(tx.w.conn, "DELETE FROM lc_local WHERE key=?", catalog.Str(key))
	}
	return run(tx.w.conn, "INSERT OR REPLACE INTO lc_local VALUES(?,?)", catalog.Str(key), catalog.BlobBytes(val))
}

// finish writes the transaction's entry and hands its state to the writer.
func (tx *Tx) finish() (Commit, error) {
	w := tx.w
	c := Commit{Empty: true}
	switch {
	case tx.marker != nil:
		var err error
		if c, err = tx.appendMarker(); err != nil {
			return Commit{}, err
		}
	case !tx.remote && len(tx.order) > 0:
		body, err := tx.body()
		if err != nil {
			return Commit{}, err
		}
		if body != nil {
			if c, err = tx.append(body); err != nil {
				return Commit{}, err
			}
		}
	}
	// From here on nothing may fail but SQLite itself, after which the writer's state is read again.
	for _, ts := range tx.order {
		w.touched[ts.sp.id] = w.touched[ts.sp.id] || !tx.unseen
		if _, there := w.layout.spaces[ts.sp.id]; there {
			w.states[ts.sp.id] = ts.st
		} else {
			delete(w.states, ts.sp.id)
		}
	}
	for o, h := range tx.heads {
		if w.heads[o] = h; h.seq == 0 { // all of it was moved to another origin
			delete(w.heads, o)
		}
		w.grown[o] = true
	}
	w.depsNew = w.depsNew || tx.remote
	w.ddl = w.ddl || tx.ddl
	return c, nil
}

// append writes the entry.
func (tx *Tx) append(body *crdt.Body) (Commit, error) {
	size, limit := body.Size(), tx.w.s.config.MaxEntry
	groups, unpacked := tx.bulks()
	for _, g := range groups {
		size += g.size()
	}
	if size > maxBody {
		return Commit{}, tooBig(size, maxBody)
	}
	if size += unpacked; size > limit {
		return Commit{}, tooBig(size, limit)
	}
	e := tx.nextEntry()
	crdt.EncodeEntryOf(&e, body)
	c, err := tx.appended(&e, groups...)
	c.Bytes = size
	return c, err
}

// nextEntry is the head of this node's next entry.
func (tx *Tx) nextEntry() crdt.Entry {
	w := tx.w
	last := w.heads[tx.stamp.Origin]
	e := crdt.Entry{Origin: tx.stamp.Origin, Seq: last.seq + 1, HLC: tx.stamp.HLC, Prev: last.hash}
	if w.depsNew {
		e.Deps = make(crdt.Vector)
		for o, h := range w.heads {
			if o != e.Origin && h.seq > w.lastDeps[o] && w.retired[o] != h.seq {
				e.Deps[o] = h.seq
			}
		}
	}
	return e
}

// appended puts this node's next entry into the log, with groups at its end.
func (tx *Tx) appended(e *crdt.Entry, groups ...*spool) (Commit, error) {
	size := len(e.Bytes)
	for _, g := range groups {
		size += g.size()
	}
	if err := tx.logEntry(e, tx.num, groups...); err != nil {
		return Commit{}, err
	}
	tx.w.wrote(e, size)
	for o, n := range e.Deps {
		tx.w.lastDeps[o] = n
	}
	tx.w.depsNew = false
	return Commit{Origin: e.Origin, Seq: e.Seq, HLC: e.HLC, Bytes: len(e.Bytes)}, nil
}

// logEntry puts an entry into the log. Groups are not part of its Bytes and Hash before.
func (tx *Tx) logEntry(e *crdt.Entry, num int64, groups ...*spool) error {
	if err := putLog(tx.w.conn, num<<seqBits|int64(e.Seq), e, groups); err != nil {
		return err
	}
	if tx.heads == nil {
		tx.heads = make(map[crdt.Origin]head)
	}
	tx.heads[e.Origin] = head{e.Seq, e.Hash}
	return nil
}

// rollback takes back what the transaction did to the writer's state.
func (tx *Tx) rollback() {
	tx.w.layout, tx.w.hiddenIndexes = tx.before, tx.keysBefore
	tx.w.forgetOrigins(tx.nOrigins)
	tx.w.self, tx.w.forks, tx.w.retired = tx.selfBefore, tx.forked, tx.retired
	tx.w.systemStale = tx.wasStale
}

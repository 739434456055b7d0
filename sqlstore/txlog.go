package sqlstore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
)

// txLog collects what a transaction's entry is to say of one keyspace: the last state of each row, once. Rows that the
// transaction inserted are encoded as they come; only when one of them is touched again is it looked for.
type txLog struct {
	truncated bool
	reread    bool // the table's form has changed since: the rows are read again at the end

	buf  []byte   // encoded INSERTs
	ins  []insRow // where each of them ends
	at   map[int64]int
	redo map[int][]byte // INSERTs that were rewritten; nil: gone
	bulk bulkLog        // rows that InsertMany inserted

	upd     []updRow      // rows from before the transaction, in the order of their first UPDATE
	updAt   map[int64]int // where each of them stands; nil while they are few
	arena   []byte        // memory for what upd holds
	scratch []byte
	del     map[string]int // where a deleted row's identity stands in dels
	dels    []delRow       // in the order of the DELETEs: equal transactions make equal entries
}

type insRow struct {
	rowid int64
	end   int
}

type updRow struct {
	rowid  int64
	gone   bool
	seen   crdt.Stamp
	hidden bool // key is the hidden key
	key    []byte
	cells  []updCell // ascending by column
}

type updCell struct {
	col   int // index into space.cols
	id    crdt.ID
	value []byte
}

type delRow struct {
	form delForm
	key  []byte // nil: the row was inserted again
}

// delForm is what deleted rows must agree in to stand in one group.
type delForm struct {
	sp     *space
	hidden bool
}

// keyOf is the key that a row goes by: none for a hidden key.
func (sp *space) keyOf(hidden bool) (id crdt.ID, columns []crdt.ID) {
	if hidden {
		return crdt.ID{}, nil
	}
	return sp.keyID, sp.keyIDs
}

// appendKey appends a row's key as entries carry it.
func (sp *space) appendKey(dst []byte, r *row) []byte {
	if r.hidden != nil || sp.key == nil {
		return catalog.AppendValue(dst, catalog.BlobBytes(r.hidden))
	}
	for _, k := range sp.key {
		dst = catalog.AppendValue(dst, r.vals[k])
	}
	return dst
}

func (sp *space) appendInsert(dst []byte, r *row) []byte {
	dst = sp.appendKey(dst, r)
	for _, i := range sp.rest {
		dst = catalog.AppendValue(dst, r.vals[i])
	}
	return dst
}

// inserted notes a row that the transaction inserted.
func (l *txLog) inserted(sp *space, r *row) {
	if n := len(l.buf); n > 64<<10 && cap(l.buf)-n < 4<<10 {
		l.buf = slices.Grow(l.buf, n) // append would copy many rows ten times over
	}
	l.buf = sp.appendInsert(l.buf, r)
	if l.at != nil {
		l.at[r.rowid] = len(l.ins)
	}
	l.ins = append(l.ins, insRow{r.rowid, len(l.buf)})
}

// find returns the number of the INSERT of a row that the transaction inserted. A rowid may have been used more than
// once: the last is meant.
func (l *txLog) find(rowid int64) (int, bool) {
	if l.at == nil {
		l.at = make(map[int64]int, len(l.ins))
		l.redo = make(map[int][]byte)
		for i, r := range l.ins {
			l.at[r.rowid] = i
		}
	}
	i, ok := l.at[rowid]
	return i, ok
}

// rewritten notes that a row which the transaction inserted has changed.
func (l *txLog) rewritten(sp *space, r *row) {
	if i, ok := l.find(r.rowid); ok {
		l.redo[i] = sp.appendInsert(nil, r)
	} else if l.bulk.ids.Len() > 0 {
		l.reread = true
	}
}

// removed notes that a row which the transaction inserted is gone.
func (l *txLog) removed(rowid int64) {
	if i, ok := l.find(rowid); ok {
		l.redo[i] = nil
		delete(l.at, rowid)
	} else if l.bulk.ids.Len() > 0 {
		if l.bulk.gone == nil {
			l.bulk.gone = make(map[int64]bool)
		}
		l.bulk.gone[rowid], l.reread = true, true
	}
}

// fewUpdates is how many rows of upd are looked through for one.
const fewUpdates = 8

// findUpdated returns what is noted of a row from before the transaction, nil if nothing is. It is valid until the next row
// is noted.
func (l *txLog) findUpdated(rowid int64) *updRow {
	if l.updAt != nil {
		if i, ok := l.updAt[rowid]; ok {
			return &l.upd[i]
		}
		return nil
	}
	for i := range l.upd {
		if u := &l.upd[i]; u.rowid == rowid && !u.gone {
			return u
		}
	}
	return nil
}

// addUpdated adds a row to upd.
func (l *txLog) addUpdated(u updRow) *updRow {
	if l.updAt == nil && len(l.upd) == fewUpdates {
		l.updAt = make(map[int64]int)
		for i := range l.upd {
			if !l.upd[i].gone {
				l.updAt[l.upd[i].rowid] = i
			}
		}
	}
	if l.updAt != nil {
		l.updAt[u.rowid] = len(l.upd)
	}
	l.upd = append(l.upd, u)
	return &l.upd[len(l.upd)-1]
}

// updated notes that cells of a row from before the transaction have changed. r is the row as it is now.
func (l *txLog) updated(tx *Tx, sp *space, r *row, cols []int) error {
	u := l.findUpdated(r.rowid)
	if u == nil {
		seen, err := tx.w.origins.stamp(crdt.HLC(r.h), r.o)
		if err != nil {
			return err
		}
		l.scratch = sp.appendKey(l.scratch[:0], r)
		u = l.addUpdated(updRow{rowid: r.rowid, seen: seen, hidden: r.hidden != nil, key: l.keep(l.scratch),
			cells: make([]updCell, 0, len(cols))})
	}
	for _, c := range cols {
		l.scratch = catalog.AppendValue(l.scratch[:0], r.vals[c])
		u.set(c, sp.cols[c].id, l.keep(l.scratch))
	}
	return nil
}

// keep copies b to memory that many share.
func (l *txLog) keep(b []byte) []byte {
	if cap(l.arena)-len(l.arena) < len(b) {
		l.arena = make([]byte, 0, max(len(b), min(2*cap(l.arena), 64<<10)))
	}
	n := len(l.arena)
	l.arena = append(l.arena, b...)
	return l.arena[n:len(l.arena):len(l.arena)]
}

func (u *updRow) set(col int, id crdt.ID, value []byte) {
	i, found := slices.BinarySearchFunc(u.cells, col, func(c updCell, col int) int { return c.col - col })
	if found {
		u.cells[i].value = value
		return
	}
	u.cells = slices.Insert(u.cells, i, updCell{col, id, value})
}

// forget notes that a row from before the transaction is gone.
func (l *txLog) forget(rowid int64) {
	if u := l.findUpdated(rowid); u != nil {
		u.gone = true
		delete(l.updAt, rowid)
	}
}

// deleted notes a DELETE. key is the row's identity.
func (l *txLog) deleted(sp *space, key []byte, r *row) {
	if l.del == nil {
		l.del = make(map[string]int)
	}
	d := delRow{delForm{sp, r.hidden != nil}, sp.appendKey(nil, r)}
	if i, twice := l.del[string(key)]; twice {
		l.dels[i] = d
		return
	}
	l.del[string(key)] = len(l.dels)
	l.dels = append(l.dels, d)
}

// undeleted takes back that a row was deleted: it was inserted again.
func (l *txLog) undeleted(key []byte) {
	if i, there := l.del[string(key)]; there {
		l.dels[i].key = nil
		delete(l.del, string(key))
	}
}

// changed notes that the table has a new form: columns or key are others.
func (l *txLog) changed() {
	if l.hasInserts() || len(l.upd) > 0 {
		l.reread = true
	}
}

func (l *txLog) hasInserts() bool { return len(l.ins) > 0 || l.bulk.ids.Len() > 0 }

// body gathers the transaction's mutations: nil if there are none.
func (tx *Tx) body() (*crdt.Body, error) {
	b := new(crdt.Body)
	some := false
	// The schema comes first: the rows that follow may be of tables that it makes.
	slices.SortStableFunc(tx.order, func(x, y *txSpace) int {
		return boolCompare(y.sp.id == crdt.ID(catalog.ObjectKeyspace), x.sp.id == crdt.ID(catalog.ObjectKeyspace))
	})
	for _, ts := range tx.order {
		sp := tx.w.layout.spaces[ts.sp.id]
		if sp == nil {
			continue // dropped
		}
		if ts.log.reread {
			if err := ts.log.readAgain(tx, sp); err != nil {
				return nil, err
			}
		}
		any, err := ts.log.encode(b, sp)
		if err != nil {
			return nil, err
		}
		some = some || any
	}
	if !some {
		return nil, nil
	}
	return b, nil
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (l *txLog) encode(b *crdt.Body, sp *space) (some bool, err error) {
	if l.truncated {
		b.Group(crdt.Truncate, sp.id, crdt.ID{}, nil, nil)
		some = true
	}
	some = l.encodeDeletes(b) || some
	some = l.encodeUpdates(b, sp) || some
	some = some || l.bulk.groups.size() > 0
	if len(l.ins) == 0 {
		return some, nil
	}
	if len(l.buf) > crdt.MaxEntrySize {
		return false, tooBig(len(l.buf), crdt.MaxEntrySize)
	}
	cols := make([]crdt.ID, len(sp.rest))
	for i, c := range sp.rest {
		cols[i] = sp.cols[c].id
	}
	g := b.Group(crdt.Insert, sp.id, sp.keyID, sp.keyIDs, cols)
	if len(l.redo) == 0 {
		g.InsertEncoded(len(l.ins), l.buf)
		return true, nil
	}
	start, n := 0, 0
	for i, r := range l.ins {
		enc, again := l.redo[i]
		if !again {
			enc = l.buf[start:r.end]
		}
		if start = r.end; enc != nil {
			g.InsertEncoded(1, enc)
			n++
		}
	}
	return some || n > 0, nil
}

func (l *txLog) encodeDeletes(b *crdt.Body) bool {
	groups := make(map[delForm]*crdt.GroupWriter, 1)
	for _, d := range l.dels {
		if d.key == nil {
			continue
		}
		g := groups[d.form]
		if g == nil {
			keyID, key := d.form.sp.keyOf(d.form.hidden)
			g = b.Group(crdt.Delete, d.form.sp.id, keyID, key, nil)
			groups[d.form] = g
		}
		g.Delete(d.key)
	}
	return len(l.del) > 0
}

func (l *txLog) encodeUpdates(b *crdt.Body, sp *space) bool {
	groups := make(map[string]*crdt.GroupWriter, 1)
	var sig, vals []byte
	some := false
	for i := range l.upd {
		u := &l.upd[i]
		if u.gone {
			continue
		}
		some = true
		sig, vals = sig[:0], vals[:0]
		if u.hidden {
			sig = append(sig, 0xff)
		}
		for _, c := range u.cells {
			sig = binary.AppendUvarint(sig, uint64(c.col))
			vals = append(vals, c.value...)
		}
		g := groups[string(sig)]
		if g == nil {
			cols := make([]crdt.ID, len(u.cells))
			for i, c := range u.cells {
				cols[i] = c.id
			}
			keyID, key := sp.keyOf(u.hidden)
			g = b.Group(crdt.Update, sp.id, keyID, key, cols)
			groups[string(sig)] = g
		}
		g.Update(u.seen, u.key, vals)
	}
	return some
}

// readAgain encodes what was collected once more, after the table has got another form, or a row of a bulk load was touched
// again.
func (l *txLog) readAgain(tx *Tx, sp *space) error {
	last := make(map[int64]bool, len(l.ins))
	var rows []int64
	for i := len(l.ins) - 1; i >= 0; i-- {
		if enc, again := l.redo[i]; again && enc == nil || last[l.ins[i].rowid] {
			continue
		}
		last[l.ins[i].rowid] = true
		rows = append(rows, l.ins[i].rowid)
	}
	slices.Reverse(rows)
	for i := range l.bulk.ids.Len() {
		if id := l.bulk.ids.At(i); !l.bulk.gone[id] && !last[id] {
			last[id] = true
			rows = append(rows, id)
		}
	}
	l.buf, l.ins, l.at, l.redo, l.bulk = nil, nil, nil, nil, bulkLog{}
	for _, id := range rows {
		r, err := tx.forgetDropped(sp, id, func(int) bool { return true })
		if err != nil {
			return fmt.Errorf("sqlstore: read an inserted row again: %w", err)
		}
		l.inserted(sp, r)
	}
	for i := range l.upd {
		u := &l.upd[i]
		if u.gone {
			continue
		}
		r, err := tx.forgetDropped(sp, u.rowid, func(c int) bool { return tx.passing(sp, c) })
		if err != nil {
			return fmt.Errorf("sqlstore: read an updated row again: %w", err)
		}
		u.hidden, u.key = r.hidden != nil, sp.appendKey(nil, r)
		cells := u.cells
		u.cells = nil
		for _, c := range cells {
			if i, ok := sp.byID[c.id]; ok && !tx.passing(sp, i) {
				u.set(i, c.id, c.value)
			}
		}
		if len(u.cells) == 0 {
			l.forget(u.rowid)
		}
	}
	return nil
}

// passing says whether the transaction both made a column and dropped it: nobody else ever hears of it.
func (tx *Tx) passing(sp *space, c int) bool {
	_, before := tx.before.objects[sp.cols[c].id]
	return c >= sp.live && !before
}

// forgetDropped reads a row again, and takes away what the transaction wrote into columns that it has dropped since, as far
// as its entry does not say it: who applies that has nothing there.
func (tx *Tx) forgetDropped(sp *space, rowid int64, which func(c int) bool) (*row, error) {
	r, was, err := tx.read(sp, rowid)
	if err != nil {
		return nil, err
	}
	clocks, err := decodeClocks(r.clocks)
	if err != nil {
		return nil, err
	}
	var cols []int
	for c := sp.live; c < len(sp.cols); c++ {
		if !which(c) {
			continue
		}
		n := len(clocks)
		clocks = slices.DeleteFunc(clocks, func(cl cellClock) bool { return cl.col == sp.cols[c].num })
		missing := sp.cols[c].missing
		if n == len(clocks) && string(catalog.AppendValue(nil, r.vals[c])) == string(catalog.AppendValue(nil, missing)) {
			continue
		}
		cols = append(cols, c)
		r.vals[c] = missing
	}
	if len(cols) == 0 {
		return r, nil
	}
	r.clocks = encodeClocks(clocks)
	var args []catalog.Value
	for _, c := range cols {
		args = append(args, r.vals[c])
	}
	if err := run(tx.w.conn, tx.w.updateSQL(sp, cols, nil), append(args, blobOrNull(r.clocks), catalog.Int(rowid))...); err != nil {
		return nil, err
	}
	h, err := sp.hash(&tx.hasher, &tx.w.origins, r)
	if err != nil {
		return nil, err
	}
	st := &tx.touch(sp).st
	st.digest.Sub(was)
	st.digest.Add(h)
	return r, nil
}

func tooBig(size, limit int) error {
	return pgerror.New(pgerror.ProgramLimitExceeded, "transaction of %d bytes is too big to replicate (the limit is %d)", size, limit).
		WithHint("Split it into smaller transactions.")
}

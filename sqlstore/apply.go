package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// Apply merges other nodes' entries, in the order given, and returns when they are durable. Entries that are here
// already are passed over. It stops at the first entry that cannot be applied (ErrGap, ErrDeps, ErrFork,
// crdt.ErrAhead, crdt.ErrMalformed); those before it are applied all the same. A constraint never makes it fail.
func (s *Store) Apply(ctx context.Context, entries []crdt.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	defer runtime.KeepAlive(entries) // see crdt.Entry.Keep
	var stopped error
	_, err := s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		stopped = nil
		tx.remote = true
		m := merger{tx: tx}
		for i := range entries {
			groups, err := tx.check(&entries[i])
			if errors.Is(err, errSeen) {
				continue
			}
			if err != nil {
				stopped = entryError(err, &entries[i])
				return nil
			}
			if err := m.apply(&entries[i], groups); err != nil {
				return entryError(err, &entries[i])
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	return stopped
}

// errSeen: the entry has been applied before.
var errSeen = errors.New("seen")

func (tx *Tx) head(o crdt.Origin) head {
	if h, ok := tx.heads[o]; ok {
		return h
	}
	return tx.w.heads[o]
}

// check says whether an entry is the next of its origin, and may be applied now. It changes nothing, so that the entries
// before it can stay.
func (tx *Tx) check(e *crdt.Entry) ([]crdt.Group, error) {
	w := tx.w
	h := tx.head(e.Origin)
	if e.Seq <= h.seq {
		return nil, tx.checkSame(e)
	}
	if e.Origin == w.self {
		return nil, ErrSelf
	}
	if e.Seq > h.seq+1 {
		return nil, fmt.Errorf("%w: the last one here is %d", ErrGap, h.seq)
	}
	if !h.is(e.Prev) {
		return nil, fmt.Errorf("%w: it does not follow entry %d as it is here", ErrFork, h.seq)
	}
	for _, f := range w.forks {
		if f.Begins(e) {
			return nil, fmt.Errorf("%w: entry %d is kept under another epoch", ErrFork, e.Seq)
		}
	}
	for o, n := range e.Deps {
		if got := tx.head(o).seq; got < n && !w.forks.Met(o, n, func(o crdt.Origin) uint64 { return tx.head(o).seq }) {
			return nil, fmt.Errorf("%w: entry %d of node %016x, of which %d are here", ErrDeps, n, uint64(o.Node), got)
		}
	}
	groups, err := e.Groups()
	if err != nil {
		return nil, err
	}
	return groups, w.s.clock.Observe(e.HLC, w.s.config.Now())
}

// checkSame makes sure that an entry known by number is the one that is here: nothing is silently taken for a
// duplicate.
func (tx *Tx) checkSame(e *crdt.Entry) error {
	h := tx.head(e.Origin)
	if e.Seq == h.seq {
		if !h.is(e.Hash) {
			return ErrFork
		}
		return errSeen
	}
	id, same := tx.w.origins.num[e.Origin]<<seqBits|int64(e.Seq), true // if it was trimmed, everybody had it
	err := each(tx.w.conn, "SELECT "+shortEntry+" FROM lc_log WHERE id=?", []catalog.Value{catalog.Int(id)}, func(v []catalog.Value) error {
		here, err := getHead(tx.w.conn, id, v[0])
		same = here.Hash == e.Hash
		return err
	})
	if err != nil {
		return err
	}
	if !same {
		return ErrFork
	}
	return errSeen
}

// apply merges one entry that passed check.
func (m *merger) apply(e *crdt.Entry, groups []crdt.Group) (err error) {
	tx := m.tx
	tx.dirty = true
	num, err := tx.w.number(e.Origin)
	if err != nil {
		return err
	}
	tx.stamp = e.Stamp()
	if tx.num, err = tx.w.number(tx.stamp.Origin); err != nil {
		return err
	}
	if err := tx.logEntry(e, num); err != nil {
		return err
	}
	if e.Marker {
		return tx.keepMarker(e)
	}
	schema := false
	for i := range groups {
		g := &groups[i]
		objects := g.Keyspace == crdt.ID(catalog.ObjectKeyspace)
		if schema && !objects {
			if err := tx.reconcile(false); err != nil {
				return err
			}
			schema = false
		}
		sp := tx.w.layout.spaces[g.Keyspace]
		if sp == nil {
			continue // the table was dropped
		}
		if objects && g.Op == crdt.Delete && tx.w.s.config.Knobs.ForgetDrops {
			continue
		}
		if err := m.applyGroup(sp, g); err != nil {
			return err
		}
		schema = schema || objects
	}
	if schema {
		return tx.reconcile(false)
	}
	return nil
}

func (m *merger) applyGroup(sp *space, g *crdt.Group) error {
	tx := m.tx
	ts := tx.touch(sp)
	if g.Op == crdt.Truncate {
		return tx.applyTruncate(ts)
	}
	m.ts, m.sp, m.g, m.foreign = ts, sp, g, g.KeyID != sp.keyID
	if err := m.prepare(); err != nil {
		return err
	}
	if fits, err := m.fitsAlias(); err != nil {
		return err
	} else if !fits {
		if err := tx.dropAlias(ts); err != nil {
			return err
		}
		m.sp = ts.sp
	}
	if cols := m.bulkColumns(); cols != nil {
		return m.insertBulk(cols)
	}
	return g.Each(func(r crdt.Row) error {
		if err := m.decode(r); err != nil {
			return err
		}
		switch g.Op {
		case crdt.Insert:
			return m.insert()
		case crdt.Update:
			return m.update(r.Seen)
		}
		return m.delete()
	})
}

// merger merges the rows of groups, one group at a time. Its memory serves from group to group.
type merger struct {
	tx      *Tx
	ts      *txSpace
	sp      *space
	g       *crdt.Group
	foreign bool // the group knows rows by another key than the table has now

	keyAt []int // where the group's key columns stand among sp.cols (-1: nowhere)
	colAt []int // the same for its columns

	keyVals []catalog.Value
	vals    []catalog.Value
	full    []catalog.Value
	id      []byte // identity of the row at hand, in the group's own terms
	hidden  []byte // the row's hidden key, if it has one here
	found   row
	lost    bool // found is among the losers
}

func (m *merger) prepare() error {
	at := func(out []int, ids []crdt.ID) []int {
		out = slices.Grow(out[:0], len(ids))
		for _, id := range ids {
			c, ok := m.sp.byID[id]
			if !ok {
				c = -1
			}
			out = append(out, c)
		}
		return out
	}
	room := func(vals []catalog.Value, n int) []catalog.Value { return slices.Grow(vals[:0], n)[:n] }
	m.keyAt, m.colAt = at(m.keyAt, m.g.Key), at(m.colAt, m.g.Columns)
	m.keyVals = room(m.keyVals, m.g.KeyLen())
	m.vals = room(m.vals, len(m.g.Columns))
	m.full = room(m.full, len(m.sp.cols))
	if m.foreign && !m.sp.hidden {
		return fmt.Errorf("%w: rows of %s go by a key that the table never had", crdt.ErrMalformed, m.sp.phys)
	}
	return nil
}

// decode takes a row's values and works out its identity.
func (m *merger) decode(r crdt.Row) error {
	if _, err := catalog.DecodeRow(m.keyVals, r.Key); err != nil {
		return err
	}
	if m.g.Op != crdt.Delete {
		if _, err := catalog.DecodeRow(m.vals, r.Values); err != nil {
			return err
		}
	}
	m.hidden = nil
	if len(m.g.Key) == 0 {
		m.hidden = m.keyVals[0].Bytes
		m.id = append(append(m.id[:0], keyHidden), m.hidden...)
		return nil
	}
	m.id = append(m.id[:0], keyPrimary)
	for i, v := range m.keyVals {
		comparison := ""
		if c := m.keyAt[i]; c >= 0 {
			comparison = m.sp.cols[c].comparison
		}
		m.id = catalog.AppendValue(m.id, canonical(v, comparison))
	}
	if m.foreign {
		m.hidden = derivedKey(m.g.KeyID, m.id)
		m.id = append(append(m.id[:0], keyHidden), m.hidden...)
	}
	return nil
}

// find reads the row that the mutation is about, in its table or among the losers.
func (m *merger) find() (found bool, err error) {
	c := m.tx.w.conn
	m.lost = false
	if m.hidden != nil {
		if err := m.tx.indexHidden(m.sp); err != nil {
			return false, err
		}
		found, err = readRow(c, m.sp.byHiddenSQL, []catalog.Value{catalog.BlobBytes(m.hidden)}, &m.found)
	} else {
		found, err = readRow(c, m.sp.byKeySQL, m.keyVals, &m.found)
		found = found && m.found.hidden == nil // else it is another row, which hides this one
	}
	if err != nil || found || !m.tx.w.hasLosers {
		return found, err
	}
	losers, err := m.sp.losers(c, " AND k=?2", catalog.BlobBytes(m.id))
	if err != nil || len(losers) == 0 {
		return false, err
	}
	m.found, m.lost = losers[0], true
	return true, nil
}

func (m *merger) foundStamp() crdt.Stamp {
	return m.tx.w.origins.merged(crdt.HLC(m.found.h), m.found.o)
}

// remove takes the found row away, and its hash out of the digest.
func (m *merger) remove() error {
	h, _ := m.sp.hashAny(&m.tx.hasher, &m.tx.w.origins, &m.found)
	m.ts.st.digest.Sub(h)
	if m.lost {
		return m.tx.dropLoser(m.sp, m.sp.identity(nil, &m.found))
	}
	m.ts.st.rows--
	if err := m.tx.deleteRow(m.sp, &m.found); err != nil {
		return err
	}
	return m.tx.promote(m.ts, &m.found)
}

// add places a row, and adds its hash to the digest.
func (m *merger) add(r *row) error {
	if err := m.tx.place(m.ts, r); err != nil {
		return err
	}
	m.count(r)
	return nil
}

// count adds a row's hash to the digest.
func (m *merger) count(r *row) {
	h, _ := m.sp.hashAny(&m.tx.hasher, &m.tx.w.origins, r) // of a row updated on top of a damaged cell, say
	m.ts.st.digest.Add(h)
}

func (m *merger) insert() error {
	tx, sp := m.tx, m.sp
	if dead, err := m.dead(m.id, tx.stamp); err != nil || dead {
		return err
	}
	for i, c := range sp.cols {
		m.full[i] = c.missing
	}
	for i, c := range m.keyAt {
		if c >= 0 {
			m.full[c] = m.keyVals[i]
		}
	}
	for i, c := range m.colAt {
		if c >= 0 {
			m.full[c] = m.vals[i]
		}
	}
	r := row{h: int64(tx.stamp.HLC), o: tx.num, hidden: m.hidden, vals: m.full}
	if m.hidden != nil && !tx.freshKey(m.hidden) {
		if err := tx.indexHidden(sp); err != nil {
			return err
		}
	}
	if !tx.w.hasLosers {
		// Most rows are new: SQLite itself finds out when one is not.
		err := tx.insertMerged(sp, &r, nil)
		if err == nil {
			m.ts.st.rows++
			m.count(&r)
			return nil
		}
		if _, taken := isUnique(err); !taken {
			return err
		}
	}
	there, err := m.find()
	if err != nil {
		return err
	}
	if there {
		switch k := tx.stamp.Compare(m.foundStamp()); {
		case k < 0:
			return nil
		case k == 0:
			return m.tie()
		}
		if err := m.remove(); err != nil {
			return err
		}
	}
	return m.add(&r)
}

// tie merges an INSERT into a row that another one with the very same stamp has made: only two branches of a fork have such
// (rule E5). Values decide, cell by cell (rule M2).
func (m *merger) tie() error {
	clocks, err := decodeClocks(m.found.clocks)
	if err != nil {
		return nil // as in update
	}
	next := m.found
	next.vals = slices.Clone(m.found.vals)
	var cols []int
	for i, c := range m.colAt {
		if c < 0 {
			continue
		}
		if _, own := clockOf(clocks, m.sp.cols[c].num); own {
			continue // an UPDATE has set it since
		}
		if bytes.Compare(catalog.AppendValue(nil, m.vals[i]), catalog.AppendValue(nil, m.found.vals[c])) > 0 {
			next.vals[c] = m.vals[i]
			cols = append(cols, c)
		}
	}
	if len(cols) == 0 {
		return nil
	}
	slices.Sort(cols)
	return m.replace(&next, cols)
}

// dead says whether a tombstone or TRUNCATE is greater than an INSERT. A lesser tombstone goes.
func (m *merger) dead(id []byte, insert crdt.Stamp) (bool, error) {
	ts := m.ts
	if ts.st.trunc.Compare(insert) > 0 {
		return true, nil
	}
	if ts.st.tombs == 0 {
		return false, nil
	}
	ids := [][]byte{id}
	if m.sp.hidden && id[0] == keyPrimary { // the table may have had another key when the row was deleted
		ids = append(ids, append([]byte{keyHidden}, derivedKey(m.sp.keyID, id)...))
	}
	for _, id := range ids {
		t, err := m.sp.grave(m.tx.w.conn, &m.tx.w.origins, id)
		if err != nil {
			return false, err
		}
		if t.Compare(insert) > 0 {
			return true, nil
		}
		if t.IsZero() {
			continue
		}
		if err := m.tx.dropTombstone(ts, id); err != nil {
			return false, err
		}
	}
	return false, nil
}

func (m *merger) update(seen crdt.Stamp) error {
	tx, sp := m.tx, m.sp
	there, err := m.find()
	if err != nil || !there {
		return err
	}
	if m.foundStamp() != seen {
		return nil // it names another INSERT (rule M1)
	}
	clocks, err := decodeClocks(m.found.clocks)
	if err != nil {
		return nil // written behind the store's back: what the cells are worth is for a repair to find out
	}
	var cols []int
	for i, c := range m.colAt {
		if c < 0 {
			continue
		}
		if m.cellWins(clocks, c, m.vals[i]) {
			cols = append(cols, c)
			m.full[c] = m.vals[i]
			clocks = setClock(clocks, cellClock{sp.cols[c].num, tx.stamp.HLC, tx.num})
		}
	}
	if len(cols) == 0 {
		return nil
	}
	slices.Sort(cols)
	next := m.found
	next.vals = slices.Clone(m.found.vals)
	next.clocks = encodeClocks(clocks)
	for _, c := range cols {
		next.vals[c] = m.full[c]
	}
	return m.replace(&next, cols)
}

// cellWins says whether the UPDATE at hand wins a cell of the found row: by stamp, equal stamps by value (rule M2).
func (m *merger) cellWins(clocks []cellClock, c int, v catalog.Value) bool {
	cl, own := clockOf(clocks, m.sp.cols[c].num)
	if !own {
		cl.hlc, cl.origin = crdt.HLC(m.found.h), m.found.o
	}
	s := m.tx.w.origins.merged(cl.hlc, cl.origin)
	mine := crdt.Cell{Stamp: m.tx.stamp, Value: catalog.AppendValue(nil, v)}
	return mine.After(crdt.Cell{Stamp: s, Value: catalog.AppendValue(nil, m.found.vals[c])})
}

// replace writes the found row's new state.
func (m *merger) replace(next *row, cols []int) error {
	tx, sp := m.tx, m.sp
	moved := slices.ContainsFunc(cols, func(c int) bool { return slices.Contains(sp.key, c) })
	flags := tx.flagsTouched(sp, cols)
	if !moved && !m.lost {
		args := make([]catalog.Value, 0, len(cols)+2)
		for _, c := range cols {
			args = append(args, next.vals[c])
		}
		args = append(args, blobOrNull(next.clocks), catalog.Int(next.rowid))
		err := run(tx.w.conn, tx.w.updateSQL(sp, cols, flags), args...)
		if err == nil {
			if err := tx.leave(sp, &m.found, flags); err != nil {
				return err
			}
			h, _ := sp.hashAny(&tx.hasher, &tx.w.origins, &m.found)
			m.ts.st.digest.Sub(h)
			m.count(next)
			return nil
		}
		if _, taken := isUnique(err); !taken {
			return err
		}
	}
	if err := m.remove(); err != nil {
		return err
	}
	return m.add(next)
}

func (m *merger) delete() error {
	tx, ts, sp := m.tx, m.ts, m.sp
	there, err := m.find()
	if err != nil {
		return err
	}
	if there {
		if tx.stamp.Compare(m.foundStamp()) <= 0 {
			return nil // a greater INSERT has brought the row back
		}
		if err := m.remove(); err != nil {
			return err
		}
	}
	if ts.st.trunc.Compare(tx.stamp) >= 0 {
		return nil // TRUNCATE says it already
	}
	if t, err := sp.grave(tx.w.conn, &tx.w.origins, m.id); err != nil || t.Compare(tx.stamp) >= 0 {
		return err
	} else if !t.IsZero() {
		ts.st.tombs--
	}
	return tx.putTombstone(ts, m.id, tx.stamp.HLC, tx.num)
}

// applyTruncate deletes what is older than the entry.
func (tx *Tx) applyTruncate(ts *txSpace) error {
	sp := ts.sp
	if ts.st.trunc.Compare(tx.stamp) >= 0 {
		return nil
	}
	ts.st.trunc = tx.stamp
	// What a greater stamp wrote stays.
	younger, err := one(tx.w.conn, "SELECT EXISTS(SELECT 1 FROM "+sp.phys+" WHERE _h>=?1) OR EXISTS(SELECT 1 FROM lc_tombstones WHERE t=?2 AND h>=?1)",
		catalog.Int(int64(tx.stamp.HLC)), catalog.Int(sp.num))
	if err != nil {
		return err
	}
	if !younger.Bool() {
		return tx.clear(ts)
	}
	m := merger{tx: tx, ts: ts, sp: sp}
	if err := m.truncateLosers(); err != nil {
		return err
	}
	var rows []int64
	err = each(tx.w.conn, "SELECT rowid,_h,_o FROM "+sp.phys+" WHERE _h<=?", []catalog.Value{catalog.Int(int64(tx.stamp.HLC))},
		func(v []catalog.Value) error {
			if tx.w.origins.merged(crdt.HLC(v[1].Int()), v[2].Int()).Compare(tx.stamp) < 0 {
				rows = append(rows, v[0].Int())
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, id := range rows {
		if _, err := readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(id)}, &m.found); err != nil {
			return err
		}
		if err := m.remove(); err != nil {
			return err
		}
	}
	st, err := tx.w.conn.StoreStmt("DELETE FROM lc_tombstones WHERE t=? AND h<?")
	if err != nil {
		return err
	}
	n, err := st.Exec([]catalog.Value{catalog.Int(sp.num), catalog.Int(int64(tx.stamp.HLC))})
	ts.st.tombs -= n
	return err
}

func (m *merger) truncateLosers() error {
	if !m.tx.w.hasLosers {
		return nil
	}
	losers, err := m.sp.losers(m.tx.w.conn, "")
	if err != nil {
		return err
	}
	for i := range losers {
		m.found, m.lost = losers[i], true
		if m.foundStamp().Compare(m.tx.stamp) < 0 {
			if err := m.remove(); err != nil {
				return err
			}
		}
	}
	m.lost = false
	return nil
}

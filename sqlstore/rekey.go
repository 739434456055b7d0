package sqlstore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
)

// rekey gives a table another primary key, or takes its primary key away, from the DDL entry alone: stamps and
// identities stay (see losers.go), and every node comes to the same rows whenever it meets the entry.
//
//   - A row that was known by a hidden key keeps it in _k.
//   - A row that was known by a primary key which the table loses gets a hidden key derived from it, and so does such a
//     row that arrives later.
//   - A row whose hidden key was derived from the very primary key that the table gets, and has it still, is known by that key
//     again: elsewhere the table may have had it all the time.
//   - Of rows that turn out to have one primary key the greatest INSERT is shown. A statement is refused instead, unless
//     such rows wait from before.
//   - A key of one integer column becomes the rowid, if it can (see takeAlias): SQLite then finds a row in one tree, not two.
//
// old is the table's form before the DDL, sp its form after it but for the key.
func (tx *Tx) rekey(l *layout, t *catalog.Table, old, sp *space, local bool) (*space, error) {
	o := l.objects[sp.id]
	untouched := tx.remote || tx.spaces[sp.id] == nil
	ts := tx.touch(sp)
	losers, err := tx.takeLosers(sp)
	if err != nil {
		return nil, err
	}
	recount := len(losers) > 0
	if len(o.info.Key) > 0 {
		if err := tx.leavePrimaryKey(l, ts, sp, old); err != nil {
			return nil, err
		}
		for i := range losers {
			if r := &losers[i]; r.hidden == nil {
				r.hidden = derivedKey(old.keyID, sp.identity(nil, r)) // its cells are in the order of sp
			}
		}
		o.info.Hidden, o.info.Alias = true, nil
		recount = true
	}
	_, o.info.KeyID, o.info.Key = primaryKey(t)
	if err := tx.save(l, sp.id, o); err != nil {
		return nil, err
	}
	sp = l.space(t, o)
	ts.sp = sp
	if err := tx.dropIndexes(l, sp, old); err != nil {
		return nil, err
	}
	// What this very transaction inserted goes out under the new key: nobody ever hears of its hidden key.
	if sp.key != nil && !tx.remote && ts.log.hasInserts() {
		if err := run(tx.w.conn, "UPDATE "+sp.phys+" SET _k=NULL WHERE _h=? AND _o=?", catalog.Int(int64(tx.stamp.HLC)),
			catalog.Int(tx.num)); err != nil {
			return nil, err
		}
		recount = true
	}
	home, err := tx.comeBack(sp, losers)
	if err != nil {
		return nil, err
	}
	recount = recount || home
	// The new key has no index yet, so that every loser finds its place.
	for i := range losers {
		if err := tx.put(sp, &losers[i]); err != nil {
			return nil, err
		}
	}
	if sp.key != nil && (!local || len(losers) > 0) {
		n, err := tx.hideDuplicates(sp)
		if err != nil {
			return nil, err
		}
		recount = recount || n > 0
	}
	if recount {
		if err := tx.recount(ts); err != nil {
			return nil, err
		}
	}
	if !untouched { // what it has changed it knows by rowid, and so do the statements that follow
		return sp, nil
	}
	return tx.takeAlias(l, ts, local)
}

// aliasRows is how many rows are given other rowids for the sake of a primary key. For more the writer would be held too
// long: their key gets an index, unless all have the right rowids already.
const aliasRows = 1_000_000

// takeAlias makes a new primary key the rowid, if it is one integer column with an integer in every row.
func (tx *Tx) takeAlias(l *layout, ts *txSpace, local bool) (*space, error) {
	sp, c := ts.sp, tx.w.conn
	if len(sp.key) != 1 || !sp.cols[sp.key[0]].integer {
		return sp, nil
	}
	col := &sp.cols[sp.key[0]]
	flagged, err := one(c, "SELECT EXISTS(SELECT 1 FROM lc_collisions WHERE t=?)", catalog.Int(sp.num)) // they go by rowid
	if err != nil || flagged.Bool() {
		return sp, err
	}
	var unfit, other bool
	err = each(c, "SELECT max(typeof("+col.phys+")<>'integer'),max(rowid IS NOT "+col.phys+") FROM "+sp.phys, nil,
		func(v []catalog.Value) error {
			unfit, other = v[0].Bool(), v[1].Bool()
			return nil
		})
	if err != nil || unfit || other && ts.st.rows > aliasRows {
		return sp, err
	}
	o := l.objects[sp.id]
	id := catalog.ID(col.id)
	o.info.Alias = &id
	if err := tx.save(l, sp.id, o); err != nil {
		return nil, err
	}
	next := l.space(sp.table, o)
	done := false
	if !other {
		done, err = tx.declareAlias(next)
	}
	if err == nil && !done {
		if err = tx.rebuild(l, sp, next); err != nil {
			if _, twice := isUnique(err); twice && local {
				ix, _, _ := primaryKey(sp.table)
				err = notUnique(ix)
			}
		}
	}
	ts.sp = next
	return next, err
}

// declareAlias declares a table whose rows all have the right rowid to be what space says, without touching the rows: a
// value that stands in a column which is the rowid is not looked at. It returns false if it does not know the declaration.
func (tx *Tx) declareAlias(sp *space) (bool, error) {
	c := tx.w.conn
	v, err := one(c, "SELECT sql FROM sqlite_schema WHERE type='table' AND name=?", catalog.Str(sp.phys))
	if err != nil {
		return false, err
	}
	sql := string(v.Bytes)
	end := declarationEnd(sql, sp.cols[sp.alias].declaration())
	if end < 0 {
		return false, nil
	}
	version, err := one(c, "PRAGMA schema_version")
	if err != nil {
		return false, err
	}
	declare := catalog.Str(sql[:end] + " PRIMARY KEY" + sql[end:])
	return true, c.StoreExec("PRAGMA writable_schema=ON;UPDATE sqlite_schema SET sql=" + literal(declare) +
		" WHERE type='table' AND name='" + sp.phys + "';PRAGMA writable_schema=RESET;" +
		fmt.Sprintf("PRAGMA schema_version=%d", version.Int()+1)) // so that every connection reads it again
}

// declarationEnd finds where a column's declaration ends in a CREATE TABLE statement, -1 if it is not there.
func declarationEnd(sql, declaration string) int {
	begin := strings.IndexByte(sql, '(') + 1
	quoted := false
	for i := begin; i < len(sql); i++ {
		switch c := sql[i]; {
		case c == '\'':
			quoted = !quoted
		case !quoted && (c == ',' || c == ')'):
			if strings.TrimSpace(sql[begin:i]) == declaration { // ADD COLUMN writes a space before it
				return i
			}
			begin = i + 1
		}
	}
	return -1
}

// dropAlias gives a table's primary key an index in place of the rowid: a row with another value than an integer is to come.
func (tx *Tx) dropAlias(ts *txSpace) error {
	l, sp := tx.w.layout.clone(), ts.sp
	o := l.objects[sp.id]
	o.info.Alias = nil
	if err := tx.save(l, sp.id, o); err != nil {
		return err
	}
	next := l.space(sp.table, o)
	if err := tx.rebuild(l, sp, next); err != nil {
		return err
	}
	if err := tx.buildIndexes(l, next, nil, false); err != nil {
		return err
	}
	l.spaces[sp.id], ts.sp = next, next
	tx.w.layout, tx.ddl = l, true
	return nil
}

// comeBack makes rows, in the table and among its losers, known by the table's primary key again if it was theirs before.
func (tx *Tx) comeBack(sp *space, losers []row) (some bool, err error) {
	if sp.key == nil || !sp.hidden {
		return false, nil
	}
	derived := func(key func(i int) catalog.Value, hidden []byte) bool {
		return bytes.Equal(hidden, derivedKey(sp.keyID, sp.canonicalKey(nil, key)))
	}
	for i := range losers {
		r := &losers[i]
		if r.hidden != nil && derived(func(i int) catalog.Value { return r.vals[sp.key[i]] }, r.hidden) {
			r.hidden, some = nil, true
		}
	}
	cols := ""
	for _, k := range sp.key {
		cols += "," + sp.cols[k].phys
	}
	var rows []int64
	err = each(tx.w.conn, "SELECT rowid,_k"+cols+" FROM "+sp.phys+" WHERE substr(_k,1,8)=?", []catalog.Value{catalog.BlobBytes([]byte(derivedPrefix))},
		func(v []catalog.Value) error {
			if derived(func(i int) catalog.Value { return v[2+i] }, v[1].Bytes) {
				rows = append(rows, v[0].Int())
			}
			return nil
		})
	for _, id := range rows {
		if err == nil {
			err = run(tx.w.conn, "UPDATE "+sp.phys+" SET _k=NULL WHERE rowid=?", catalog.Int(id))
		}
	}
	return some || len(rows) > 0, err
}

func (tx *Tx) takeLosers(sp *space) ([]row, error) {
	if !tx.w.hasLosers {
		return nil, nil
	}
	losers, err := sp.losers(tx.w.conn, "")
	if err != nil {
		return nil, err
	}
	return losers, run(tx.w.conn, "DELETE FROM lc_losers WHERE t=?", catalog.Int(sp.num))
}

// leavePrimaryKey gives every row a hidden key derived from its primary key, and likewise every tombstone.
func (tx *Tx) leavePrimaryKey(l *layout, ts *txSpace, sp, old *space) error {
	c := tx.w.conn
	switch {
	case old.alias >= 0:
		// The column must be able to hold a value twice: it can no longer be the rowid.
		next := *sp
		next.alias, next.hidden = -1, true
		if err := tx.rebuild(l, old, &next); err != nil {
			return err
		}
	case !old.hidden:
		if err := c.StoreExec("ALTER TABLE " + sp.phys + " ADD COLUMN _k BLOB"); err != nil {
			return err
		}
	}

	type derived struct {
		rowid int64
		key   []byte
	}
	var rows []derived
	var cols []string
	for _, k := range old.key {
		cols = append(cols, old.cols[k].phys)
	}
	err := each(c, "SELECT rowid,"+strings.Join(cols, ",")+" FROM "+sp.phys+" WHERE _k IS NULL", nil, func(v []catalog.Value) error {
		id := old.canonicalKey(nil, func(i int) catalog.Value { return v[1+i] })
		rows = append(rows, derived{v[0].Int(), derivedKey(old.keyID, id)})
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := run(c, "UPDATE "+sp.phys+" SET _k=? WHERE rowid=?", catalog.BlobBytes(r.key), catalog.Int(r.rowid)); err != nil {
			return err
		}
	}
	if ts.st.tombs == 0 {
		return nil
	}
	var tombs [][]byte
	err = each(c, "SELECT k FROM lc_tombstones WHERE t=?", []catalog.Value{catalog.Int(sp.num)}, func(v []catalog.Value) error {
		if len(v[0].Bytes) > 0 && v[0].Bytes[0] == keyPrimary {
			tombs = append(tombs, v[0].Bytes)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, k := range tombs {
		hidden := append([]byte{keyHidden}, derivedKey(old.keyID, k)...)
		if err := run(c, "UPDATE OR REPLACE lc_tombstones SET k=? WHERE t=? AND k=?", catalog.BlobBytes(hidden), catalog.Int(sp.num),
			catalog.BlobBytes(k)); err != nil {
			return err
		}
	}
	return nil
}

// hideDuplicates makes losers of the rows whose new primary key a row with a greater INSERT has too.
func (tx *Tx) hideDuplicates(sp *space) (int, error) {
	// A row without a hidden key has an identity that begins with keyPrimary, which is the greater.
	rows, err := tx.duplicates(sp, "_h DESC, lc_origins.origin DESC, _k IS NULL DESC, _k DESC", "")
	if err != nil {
		return 0, err
	}
	for _, id := range rows {
		var r row
		if _, err := readRow(tx.w.conn, sp.selectSQL, []catalog.Value{catalog.Int(id)}, &r); err != nil {
			return 0, err
		}
		if err := tx.deleteRow(sp, &r); err != nil {
			return 0, err
		}
		if err := tx.addLoser(sp, &r); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// duplicates returns the rows that others of their primary key precede in an order, of those that cond picks ("": all).
func (tx *Tx) duplicates(sp *space, order, cond string) (rows []int64, err error) {
	var terms, conds []string
	for _, k := range sp.key {
		terms = append(terms, sp.cols[k].term())
		conds = append(conds, sp.cols[k].phys+" IS NOT NULL")
	}
	if cond != "" {
		conds = append(conds, cond)
	}
	err = each(tx.w.conn, "SELECT r FROM (SELECT t.rowid AS r, row_number() OVER (PARTITION BY "+strings.Join(terms, ",")+
		" ORDER BY "+order+") AS n FROM "+sp.phys+" AS t JOIN lc_origins ON num=_o WHERE "+strings.Join(conds, " AND ")+
		") WHERE n>1", nil, func(v []catalog.Value) error {
		rows = append(rows, v[0].Int())
		return nil
	})
	return rows, err
}

// recount works out a keyspace's digest from its rows.
func (tx *Tx) recount(ts *txSpace) (err error) {
	ts.st.digest, ts.st.rows, err = ts.sp.scan(tx.w.conn, &tx.w.origins)
	return err
}

// fitsAlias says whether the group leaves an integer in the column that is the rowid, if one is. A node that did not know of
// the primary key yet may have written something else there.
func (m *merger) fitsAlias() (fits bool, err error) {
	alias := m.sp.alias
	if alias < 0 || m.g.Op == crdt.Delete || slices.Contains(m.keyAt, alias) {
		return true, nil
	}
	at := slices.Index(m.colAt, alias)
	if at < 0 {
		return m.g.Op == crdt.Update || m.sp.cols[alias].missing.Kind == catalog.Integer, nil
	}
	fits = true
	err = m.g.Each(func(r crdt.Row) error {
		_, err := catalog.DecodeRow(m.vals, r.Values)
		fits = fits && err == nil && m.vals[at].Kind == catalog.Integer
		return err
	})
	return fits, err
}

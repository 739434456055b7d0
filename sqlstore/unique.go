package sqlstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// A unique index ends in a hidden column, its flag: 0 in the row that holds the key by right, another number in rows
// that a merge found colliding with it. SQLite thus refuses a statement's second row of one key, and never a merge's.
// lc_collisions lists the rows with a flag other than 0. The holder is the row with the least INSERT stamp, so that
// nodes agree; when it goes, the next takes its place.

// uniqueError tells which key SQLite has refused, and which row has it: of several that of the oldest index, as in
// PostgreSQL; SQLite looks in an order of its own. self is the row that an UPDATE changes.
func (tx *Tx) uniqueError(sp *space, e *sqlite.Error, vals []catalog.Value, self *int64) error {
	for _, ix := range sp.table.Indexes {
		if !ix.Unique {
			continue
		}
		holder, err := tx.holder(sp, ix, vals)
		if err != nil {
			return err
		}
		if len(holder) > 0 && (self == nil || *self != holder[0][0].Int()) {
			return &UniqueError{Index: ix, RowID: holder[0][0].Int()}
		}
	}
	return e
}

// holder selects the rowid of the row that holds the key of vals in a unique index.
func (tx *Tx) holder(sp *space, ix *catalog.Index, vals []catalog.Value) (out [][]catalog.Value, err error) {
	if !ix.Primary {
		i := slices.IndexFunc(sp.uniques, func(u uniqueIndex) bool { return u.index.ID == ix.ID })
		if i < 0 {
			return nil, nil
		}
		return sp.match(tx.w.conn, i, vals, "rowid", "=0 LIMIT 1")
	}
	if len(sp.key) == 0 {
		return nil, nil
	}
	args := make([]catalog.Value, len(sp.key))
	for i, k := range sp.key {
		args[i] = vals[k]
	}
	err = each(tx.w.conn, "SELECT rowid FROM "+sp.phys+" WHERE "+sp.keyCondition(), args, func(v []catalog.Value) error {
		out = append(out, slices.Clone(v))
		return nil
	})
	return out, err
}

// violated reads SQLite's message: "UNIQUE constraint failed: t1.c2, t1._ui3", or "… failed: index 'i3'".
func (sp *space) violated(message string) (unique int, primary bool) {
	for i, u := range sp.uniques {
		name := u.flag[len("_u"):]
		if strings.HasSuffix(message, "."+u.flag) || strings.HasSuffix(message, "index '"+name+"'") {
			return i, false
		}
	}
	return -1, len(sp.key) > 0 && !strings.HasSuffix(message, "._k")
}

// match selects from the rows that have the key of vals in a unique index; rest goes on after the flag's name.
func (sp *space) match(c *sqlite.Conn, unique int, vals []catalog.Value, what, rest string) ([][]catalog.Value, error) {
	u := &sp.uniques[unique]
	var with []string
	var args []catalog.Value
	for i := range sp.live {
		if u.columns == nil || slices.Contains(u.columns, sp.cols[i].id) {
			args = append(args, vals[i])
			with = append(with, "?"+strconv.Itoa(len(args))+" AS "+sp.cols[i].phys)
		}
	}
	sql := "WITH n AS (SELECT " + strings.Join(with, ",") + ") SELECT " + what + " FROM " + sp.phys + " WHERE "
	for _, t := range u.terms {
		sql += t + "=(SELECT " + t + " FROM n) AND "
	}
	if u.where != "" {
		sql += "(" + u.where + ") AND (SELECT " + u.where + " FROM n) AND "
	}
	var out [][]catalog.Value
	err := each(c, sql+u.flag+rest, args, func(v []catalog.Value) error {
		out = append(out, slices.Clone(v))
		return nil
	})
	return out, err
}

// flagsTouched returns the unique indexes whose key a change of cols may change, if flags matter at all.
func (tx *Tx) flagsTouched(sp *space, cols []int) []int {
	if !tx.w.hasFlags {
		return nil
	}
	var out []int
	for i, u := range sp.uniques {
		if u.columns == nil || slices.ContainsFunc(cols, func(c int) bool { return slices.Contains(u.columns, sp.cols[c].id) }) {
			out = append(out, i)
		}
	}
	return out
}

func allFlags(sp *space) []int {
	out := make([]int, len(sp.uniques))
	for i := range out {
		out[i] = i
	}
	return out
}

// leave gives the keys of a row that has gone, or changed them, to the rows that have waited for them. r is the row as
// it was.
func (tx *Tx) leave(sp *space, r *row, flags []int) error {
	if !tx.w.hasFlags {
		return nil
	}
	for _, i := range flags {
		u := &sp.uniques[i]
		st, err := tx.w.conn.StoreStmt("DELETE FROM lc_collisions WHERE i=? AND r=?")
		if err != nil {
			return err
		}
		n, err := st.Exec([]catalog.Value{catalog.Int(u.num), catalog.Int(r.rowid)})
		if err != nil {
			return err
		}
		if n > 0 {
			continue // it did not hold the key
		}
		waiting, err := sp.match(tx.w.conn, i, r.vals, "rowid,_h,_o,"+u.flag, ">=0")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(waiting, func(v []catalog.Value) bool { return v[3].Int() == 0 }) {
			continue // it was set to what it was
		}
		next := tx.least(waiting)
		if next < 0 {
			continue
		}
		if err := tx.setFlag(sp, u, waiting[next][0].Int(), 0); err != nil {
			return err
		}
	}
	return nil
}

// least returns which of the rows (rowid, _h, _o) has the least INSERT stamp, -1 if there are none.
func (tx *Tx) least(rows [][]catalog.Value) int {
	best := -1
	var least crdt.Stamp
	for i, v := range rows {
		s := tx.w.origins.merged(crdt.HLC(v[1].Int()), v[2].Int())
		if best < 0 || s.Compare(least) < 0 {
			best, least = i, s
		}
	}
	return best
}

// setFlag sets a row's flag and keeps the list of collisions.
func (tx *Tx) setFlag(sp *space, u *uniqueIndex, rowid, flag int64) error {
	if err := run(tx.w.conn, "UPDATE "+sp.phys+" SET "+u.flag+"=? WHERE rowid=?", catalog.Int(flag), catalog.Int(rowid)); err != nil {
		return err
	}
	if flag == 0 {
		return run(tx.w.conn, "DELETE FROM lc_collisions WHERE i=? AND r=?", catalog.Int(u.num), catalog.Int(rowid))
	}
	return tx.noteCollision(sp, u, rowid)
}

func (tx *Tx) noteCollision(sp *space, u *uniqueIndex, rowid int64) error {
	tx.w.hasFlags = true // stays set if the transaction is rolled back: it only costs a look
	return run(tx.w.conn, "INSERT OR REPLACE INTO lc_collisions VALUES(?,?,?)", catalog.Int(u.num), catalog.Int(rowid), catalog.Int(sp.num))
}

// put writes a merged row that is not in its table. It never fails because of a unique key: the row, or the one that
// holds the key, then gets a flag. A primary key that is taken is the caller's mistake.
func (tx *Tx) put(sp *space, r *row) error {
	flags := make(map[int]int64)
	for {
		err := tx.insertMerged(sp, r, flags)
		if err == nil {
			break
		}
		e, ok := isUnique(err)
		if !ok {
			return err
		}
		i, primary := sp.violated(e.Message)
		if primary || i < 0 || flags[i] != 0 {
			return err
		}
		if flags[i], err = tx.freeFlag(sp, i, r.vals); err != nil {
			return err
		}
	}
	r.rowid = tx.w.conn.LastInsertRowID()
	for i := range sp.uniques {
		if flags[i] == 0 {
			continue
		}
		if err := tx.noteCollision(sp, &sp.uniques[i], r.rowid); err != nil {
			return err
		}
		if err := tx.settle(sp, i, r); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertMerged(sp *space, r *row, flags map[int]int64) error {
	if sp.alias >= 0 && r.vals[sp.alias].Kind != catalog.Integer { // SQLite would make a number up
		return fmt.Errorf("sqlstore: a row of %s has no integer in its primary key", sp.phys)
	}
	args := append(tx.args[:0], catalog.Int(r.h), catalog.Int(r.o), blobOrNull(r.clocks))
	if sp.hidden {
		args = append(args, blobOrNull(r.hidden))
	}
	var named []string
	if len(flags) > 0 {
		for i := range sp.uniques {
			if f := flags[i]; f != 0 {
				named = append(named, sp.uniques[i].flag)
				args = append(args, catalog.Int(f))
			}
		}
	}
	args = append(args, r.vals...)
	tx.args = args
	sql := sp.mergeSQL
	if named != nil {
		sql = sp.mergedSQL(named)
	}
	return run(tx.w.conn, sql, args...)
}

func (tx *Tx) freeFlag(sp *space, unique int, vals []catalog.Value) (int64, error) {
	rows, err := sp.match(tx.w.conn, unique, vals, "coalesce(max("+sp.uniques[unique].flag+"),0)+1", ">=0")
	if err != nil || len(rows) == 0 {
		return 1, err
	}
	return rows[0][0].Int(), nil
}

// settle makes a colliding row the holder if its INSERT is older than the holder's.
func (tx *Tx) settle(sp *space, unique int, r *row) error {
	u := &sp.uniques[unique]
	holder, err := sp.match(tx.w.conn, unique, r.vals, "rowid,_h,_o", "=0")
	if err != nil || len(holder) == 0 {
		return err
	}
	both := append(holder, []catalog.Value{catalog.Int(r.rowid), catalog.Int(r.h), catalog.Int(r.o)})
	if tx.least(both) < len(holder) {
		return nil
	}
	free, err := tx.freeFlag(sp, unique, r.vals)
	if err != nil {
		return err
	}
	if err := tx.setFlag(sp, u, holder[0][0].Int(), free); err != nil {
		return err
	}
	return tx.setFlag(sp, u, r.rowid, 0)
}

// flagAll flags all but the first row of each key of a unique index that is about to be made.
func (tx *Tx) flagAll(sp *space, num int64) error {
	i := slices.IndexFunc(sp.uniques, func(u uniqueIndex) bool { return u.num == num })
	if i < 0 {
		return nil
	}
	u := &sp.uniques[i]
	var where []string
	for _, t := range u.terms {
		where = append(where, "("+t+") IS NOT NULL")
	}
	if u.where != "" {
		where = append(where, "("+u.where+")")
	}
	sql := "SELECT r,n FROM (SELECT t.rowid AS r, row_number() OVER (PARTITION BY " + strings.Join(u.terms, ",") +
		" ORDER BY _h, lc_origins.origin) AS n FROM " + sp.phys + " AS t JOIN lc_origins ON num=_o WHERE " +
		strings.Join(where, " AND ") + ") WHERE n>1"
	var rows [][]catalog.Value
	err := each(tx.w.conn, sql, nil, func(v []catalog.Value) error {
		rows = append(rows, slices.Clone(v))
		return nil
	})
	if err != nil {
		return err
	}
	for _, v := range rows {
		if err := tx.setFlag(sp, u, v[0].Int(), v[1].Int()-1); err != nil {
			return err
		}
	}
	return nil
}

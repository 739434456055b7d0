package pgsql_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// executor carries out data-modifying plans the plain way: one statement at a time, on one connection, without clocks.
// It is what a plan promises, written down as short as can be.
type executor struct {
	*db
	seqs map[uint32]int64
	made []catalog.Value     // what the statement's Source has made afresh
	ctes [][][]catalog.Value // rows of the WITH queries of the statement at hand
}

func newExecutor(d *db) *executor {
	x := &executor{db: d, seqs: map[uint32]int64{}}
	d.conn.Session = x
	return x
}

// Sequences, as the functions of the connection ask for them.

func (x *executor) NextVal(oid uint32) (int64, error) {
	s := x.env.Schema.RelationByOID(oid).Sequence
	if v, ok := x.seqs[oid]; ok {
		x.seqs[oid] = v + s.Increment
	} else {
		x.seqs[oid] = s.Start
	}
	return x.seqs[oid], nil
}
func (x *executor) CurrVal(oid uint32) (int64, error)             { return x.seqs[oid], nil }
func (x *executor) LastVal() (int64, error)                       { return 0, nil }
func (x *executor) SetVal(oid uint32, v int64, called bool) error { x.seqs[oid] = v; return nil }
func (x *executor) SequenceLastValue(oid uint32) (int64, bool, error) {
	v, ok := x.seqs[oid]
	return v, ok, nil
}
func (x *executor) TransactionID(assign bool) (int64, error) { return 1, nil }
func (x *executor) Remember(make func() (catalog.Value, error)) (catalog.Value, error) {
	v, err := make()
	x.made = append(x.made, v)
	return v, err
}

// at is what the arguments of a plan's queries may refer to.
type at struct {
	params   []catalog.Value
	now, old []catalog.Value // ArgNew, ArgOld
	rowid    int64
}

func (x *executor) queryAt(q *pgsql.Query, a at) [][]catalog.Value {
	args := make([]catalog.Value, len(q.Args))
	for i, arg := range q.Args {
		args[i] = x.argAt(arg, a)
	}
	st, err := x.conn.Stmt(q.SQL)
	if err != nil {
		panic(fmt.Errorf("%s: %w", q.SQL, err))
	}
	rows, err := st.Query(args)
	if err != nil {
		panic(err)
	}
	defer rows.Close()
	var out [][]catalog.Value
	for rows.Next() {
		row := slices.Clone(rows.Values())
		for i := range row {
			row[i] = row[i].Clone()
		}
		out = append(out, row)
	}
	if rows.Err() != nil {
		panic(rows.Err())
	}
	return out
}

func (x *executor) argAt(arg pgsql.Arg, a at) catalog.Value {
	switch arg.Kind {
	case pgsql.ArgNew:
		return a.now[arg.Index]
	case pgsql.ArgOld:
		return a.old[arg.Index]
	case pgsql.ArgRowID:
		return catalog.Int(a.rowid)
	case pgsql.ArgCTE:
		var blob []byte
		for _, row := range x.ctes[arg.Index] {
			blob = catalog.AppendRow(blob, row)
		}
		return catalog.BlobBytes(blob)
	case pgsql.ArgPack:
		var blob []byte
		for _, p := range arg.Pack {
			blob = catalog.AppendValue(blob, x.argAt(p, a))
		}
		return catalog.BlobBytes(blob)
	}
	return x.arg(arg, a.params)
}

// direct is one of a Modify's Values.
func (x *executor) direct(arg pgsql.Arg, a at) catalog.Value {
	switch arg.Kind {
	case pgsql.ArgNextVal:
		v, _ := x.NextVal(uint32(arg.Index))
		return catalog.Int(v)
	case pgsql.ArgUUID:
		if len(x.made) == 0 {
			panic(fmt.Errorf("Source makes fewer UUIDs than Values"))
		}
		v := x.made[0]
		x.made = x.made[1:]
		return v
	}
	return x.argAt(arg, a)
}

// must runs a statement that changes tables.
func (x *executor) must(sql string, args ...catalog.Value) {
	st, err := x.conn.Stmt(sql)
	if err == nil {
		_, err = st.Exec(args)
	}
	if err != nil {
		panic(fmt.Errorf("%s: %w", sql, err))
	}
}

// statement runs one statement and shows what it answers, as psql does.
func (x *executor) statement(st *pgsql.Statement, params ...catalog.Value) (out string) {
	x.must("SAVEPOINT s")
	defer func() {
		if r := recover(); r != nil {
			err, ok := r.(error)
			if !ok {
				panic(r)
			}
			x.must("ROLLBACK TO s")
			out = errorLines("ERROR", pgerror.From(err), st)
			if pgerror.Code(err) == pgerror.InternalError {
				out += "  " + err.Error() + "\n"
			}
		}
		x.must("RELEASE s")
	}()
	plan, err := pgsql.Compile(st, x.env, nil)
	if err != nil {
		panic(err)
	}
	switch p := plan.(type) {
	case *pgsql.DDL:
		x.apply(p.Changes)
		x.columns()
		return ""
	case *pgsql.Query:
		x.with(p.With, at{params: params})
		return x.table(p.Columns, x.queryAt(p, at{params: params}))
	case *pgsql.Modify:
		x.with(p.Source.With, at{params: params})
		count, rows := x.modify(p, at{params: params})
		text := fmt.Sprintf("%s %d\n", p.Tag, count)
		if p.Returning != nil {
			text = x.table(p.Returning, rows) + text
		}
		return text
	}
	panic(fmt.Errorf("plan %T", plan))
}

// with runs data-modifying WITH queries.
func (x *executor) with(list []*pgsql.Modify, a at) {
	x.ctes = nil
	for _, m := range list {
		_, rows := x.modify(m, a)
		x.ctes = append(x.ctes, rows)
	}
}

func (x *executor) table(cols []pgsql.Column, rows [][]catalog.Value) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString("|")
		}
		b.WriteString(c.Name)
	}
	b.WriteString("\n")
	var lines []string
	for _, row := range rows {
		var vals []string
		for i, c := range cols {
			if row[i].IsNull() {
				vals = append(vals, "NULL")
				continue
			}
			vals = append(vals, string(catalog.AppendText(nil, c.Type, c.Typmod, row[i], x.env.Output)))
		}
		lines = append(lines, strings.Join(vals, "|")+"\n")
	}
	slices.Sort(lines) // the order in which rows are changed is nobody's business
	return b.String() + strings.Join(lines, "")
}

// columns gives the SQLite tables the columns that the schema has and they lack.
func (x *executor) columns() {
	for _, t := range x.env.Schema.Relations {
		if t.Kind != catalog.KindTable || t.System {
			continue
		}
		have := map[string]bool{}
		st, err := x.conn.StoreStmt("SELECT name FROM pragma_table_info('" + t.Phys + "')")
		if err != nil {
			panic(err)
		}
		rows, err := st.Query(nil)
		if err != nil {
			panic(err)
		}
		for rows.Next() {
			have[string(rows.Values()[0].Bytes)] = true
		}
		rows.Close()
		for _, i := range t.Indexes {
			if u := "_u" + i.Phys; i.Unique && !i.Primary && !have[u] {
				x.exec("ALTER TABLE \"" + t.Phys + "\" ADD COLUMN \"" + u + "\" INTEGER DEFAULT 0")
			}
		}
	}
}

// modify carries out a plan: all rows are worked out first, then changed, then held against the foreign keys.
func (x *executor) modify(m *pgsql.Modify, a at) (count int, returned [][]catalog.Value) {
	source := m.Source
	before := maps.Clone(x.seqs)
	x.made = nil
	rows := x.queryAt(source, a)
	if m.Values != nil {
		x.seqs = before // both draw the same numbers
		direct := make([][]catalog.Value, len(m.Values))
		for i, vals := range m.Values {
			for _, v := range vals {
				direct[i] = append(direct[i], x.direct(v, a))
			}
		}
		if fmt.Sprint(direct) != fmt.Sprint(rows) {
			panic(fmt.Errorf("Values %v are not what Source gives: %v", direct, rows))
		}
	}
	n := len(m.Table.Columns)
	var after []func()
	touched := map[int64]bool{}
	for _, row := range rows {
		switch m.Op {
		case pgsql.Insert:
			if fresh, ok := x.insertRow(m, row[:n], row[n:], touched, &after); ok {
				count++
				returned = append(returned, x.returning(m, fresh))
			}
			continue
		case pgsql.Delete:
			old := row[4 : 4+n]
			x.must("DELETE FROM \""+m.Table.Phys+"\" WHERE rowid = ?1", row[0])
			after = append(after, func() { x.referenced(m.Table, m.Referenced, old, nil) })
		case pgsql.Update:
			fresh, rest := row[4:4+n], row[4+n:]
			var old []catalog.Value
			if m.NeedOld {
				old, rest = rest[:n], rest[n:]
			}
			x.updateRow(m, row[0].Int(), fresh, old, m.SetColumns, m.NotNull, rest, m.Referenced, &after)
		}
		count++
		if m.Returning != nil {
			returned = append(returned, row[m.ReturnAt:m.ReturnAt+len(m.Returning)])
		}
	}
	for _, f := range after {
		f()
	}
	return count, returned
}

func (x *executor) returning(m *pgsql.Modify, row []catalog.Value) []catalog.Value {
	if m.ReturnQuery != nil {
		return x.queryAt(m.ReturnQuery, at{now: row})[0]
	}
	var out []catalog.Value
	for _, c := range m.ReturnCols {
		out = append(out, row[c])
	}
	return out
}

// check holds a new row against NOT NULL and CHECK.
func (x *executor) check(m *pgsql.Modify, row []catalog.Value, notNull []int, checks []catalog.Value) {
	for _, i := range notNull {
		if row[i].IsNull() {
			panic(pgerror.New(pgerror.NotNullViolation, "null value in column %q of relation %q violates not-null constraint", m.Table.Columns[i].Name, m.Table.Name))
		}
	}
	for i, c := range m.Checks {
		if !checks[i].IsNull() && !checks[i].Bool() {
			panic(pgerror.New(pgerror.CheckViolation, "new row for relation %q violates check constraint %q", m.Table.Name, c.Name))
		}
	}
}

// holder finds the row that has the new row's key, -1 if none has.
func (x *executor) holder(u *pgsql.UniqueCheck, row []catalog.Value) int64 {
	if found := x.queryAt(u.Lookup, at{now: row}); len(found) > 0 {
		return found[0][0].Int()
	}
	return -1
}

func (x *executor) taken(m *pgsql.Modify, u *pgsql.UniqueCheck, row []catalog.Value) {
	e := pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint %q", u.Constraint)
	var vals []string
	keys := row
	if u.Keys != nil {
		keys = x.queryAt(u.Keys, at{now: row})[0]
	}
	for i, c := range u.Columns {
		v, typ := catalog.Value{}, uint32(catalog.TextOID)
		if u.Keys != nil {
			v = keys[i]
		} else {
			v = row[c]
		}
		if c >= 0 {
			typ = m.Table.Columns[c].Type
		}
		vals = append(vals, string(catalog.AppendText(nil, typ, -1, v, x.env.Output)))
	}
	panic(e.WithDetail("Key (%s)=(%s) already exists.", u.Detail, strings.Join(vals, ", ")))
}

func (x *executor) insertRow(m *pgsql.Modify, row, checks []catalog.Value, touched map[int64]bool, after *[]func()) ([]catalog.Value, bool) {
	x.check(m, row, m.NotNull, checks)
	for i := range m.Uniques {
		u := &m.Uniques[i]
		id := x.holder(u, row)
		if id < 0 {
			continue
		}
		if m.OnConflict == nil || !slices.Contains(m.OnConflict.Arbiters, i) {
			x.taken(m, u, row)
		}
		if m.OnConflict.Action == nil {
			return nil, false
		}
		if touched[id] {
			panic(pgerror.New(pgerror.CardinalityViolation, "ON CONFLICT DO UPDATE command cannot affect row a second time").
				WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values."))
		}
		got := x.queryAt(m.OnConflict.Action, at{now: row, rowid: id})
		if len(got) == 0 {
			return nil, false
		}
		n := len(m.Table.Columns)
		fresh, old := got[0][4:4+n], got[0][4+n:4+2*n]
		x.updateRow(m, id, fresh, old, m.OnConflict.SetColumns, m.OnConflict.NotNull, got[0][4+2*n:], m.OnConflict.Referenced, after)
		touched[id] = true
		return fresh, true
	}
	var names, marks []string
	for i, c := range m.Table.Columns {
		names, marks = append(names, `"`+c.Phys+`"`), append(marks, fmt.Sprintf("?%d", i+1))
	}
	x.must("INSERT INTO \""+m.Table.Phys+"\" ("+strings.Join(names, ", ")+", _h, _o) VALUES ("+strings.Join(marks, ", ")+", 1, 1)", row...)
	touched[x.conn.LastInsertRowID()] = true
	*after = append(*after, func() { x.references(m, row) })
	return row, true
}

func (x *executor) updateRow(m *pgsql.Modify, id int64, row, old []catalog.Value, set, notNull []int, checks []catalog.Value, refs []pgsql.ReferencedCheck, after *[]func()) {
	x.check(m, row, notNull, checks)
	for i := range m.Uniques {
		if other := x.holder(&m.Uniques[i], row); other >= 0 && other != id {
			x.taken(m, &m.Uniques[i], row)
		}
	}
	var sets []string
	var args []catalog.Value
	for _, i := range set {
		args = append(args, row[i])
		sets = append(sets, fmt.Sprintf("\"%s\" = ?%d", m.Table.Columns[i].Phys, len(args)))
	}
	x.must("UPDATE \""+m.Table.Phys+"\" SET "+strings.Join(sets, ", ")+fmt.Sprintf(" WHERE rowid = %d", id), args...)
	*after = append(*after, func() {
		x.references(m, row)
		x.referenced(m.Table, refs, old, row)
	})
}

// references looks for the parents of a new row.
func (x *executor) references(m *pgsql.Modify, row []catalog.Value) {
	for _, r := range m.References {
		null := slices.ContainsFunc(r.Columns, func(c int) bool { return row[c].IsNull() })
		if !null && len(x.queryAt(r.Lookup, at{now: row})) == 0 {
			panic(pgerror.New(pgerror.ForeignKeyViolation, "insert or update on table %q violates foreign key constraint %q", m.Table.Name, r.Constraint.Name))
		}
	}
}

// referenced looks after the children of a row that is gone (row nil) or has another key.
func (x *executor) referenced(t *catalog.Table, list []pgsql.ReferencedCheck, old, row []catalog.Value) {
	for _, r := range list {
		if row != nil && !slices.ContainsFunc(r.Columns, func(c int) bool { return !bytes.Equal(row[c].Bytes, old[c].Bytes) || !row[c].Equal(old[c]) }) {
			continue
		}
		action := r.OnUpdate
		if row == nil {
			action = r.OnDelete
		}
		if action != nil {
			m, err := action()
			if err != nil {
				panic(err)
			}
			x.modify(m, at{old: old, now: row})
			continue
		}
		if len(x.queryAt(r.Find, at{old: old})) > 0 {
			panic(pgerror.New(pgerror.ForeignKeyViolation, "update or delete on table %q violates foreign key constraint %q on table %q", t.Name, r.Constraint.Name, r.Child.Name))
		}
	}
}

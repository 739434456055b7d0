package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// insert compiles INSERT.
func (c *compiler) insert(n *pg.InsertStmt, outer *scope) *Modify {
	s := c.modifyScope(n.GetWithClause(), outer)
	t := c.modifiedTable(n.GetRelation(), "INSERT into")
	c.need(t, catalog.PrivInsert)
	if len(n.GetReturningList()) > 0 {
		c.need(t, catalog.PrivSelect)
	}
	m := &Modify{Op: Insert, Table: t, Tag: "INSERT 0", NotNull: notNulls(t, nil)}
	in := &inserting{compiler: c, m: m, t: t, n: n, s: s, cols: c.insertColumns(t, n)}
	in.source()
	m.Uniques = c.uniques(t, nil)
	m.References = c.references(t, nil)
	if n.GetOnConflictClause() != nil {
		c.onConflict(m, n, s)
	}
	in.returned()
	return m
}

// inserting is an INSERT under way.
type inserting struct {
	*compiler
	m    *Modify
	t    *catalog.Table
	n    *pg.InsertStmt
	s    *scope
	cols []int // indexes into t.Columns of the columns given
}

// insertColumns resolves the column list; without one it is all columns.
func (c *compiler) insertColumns(t *catalog.Table, n *pg.InsertStmt) []int {
	var out []int
	if len(n.GetCols()) == 0 {
		for i := range t.Columns {
			out = append(out, i)
		}
		return out
	}
	for _, r := range n.GetCols() {
		rt := r.GetResTarget()
		if len(rt.GetIndirection()) > 0 {
			c.unsupported(rt.GetLocation(), "INSERT into a part of a column")
		}
		i := c.targetColumn(t, rt)
		if slices.Contains(out, i) {
			c.failAt(rt.GetLocation(), pgerror.DuplicateColumn, "column \"%s\" specified more than once", rt.GetName())
		}
		out = append(out, i)
	}
	return out
}

// targetColumn finds a column that is given a value.
func (c *compiler) targetColumn(t *catalog.Table, rt *pg.ResTarget) int {
	i := columnIndex(t, rt.GetName())
	if i < 0 {
		if systemColumns[rt.GetName()] {
			c.failAt(rt.GetLocation(), pgerror.FeatureNotSupported, "cannot assign to system column \"%s\"", rt.GetName())
		}
		c.failAt(rt.GetLocation(), pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", rt.GetName(), t.Name)
	}
	return i
}

// source compiles where the rows come from.
func (in *inserting) source() {
	sel := in.n.GetSelectStmt().GetSelectStmt()
	switch {
	case sel == nil:
		in.cols = nil
		in.emit(in.complete(nil, nil), "")
	case len(sel.GetValuesLists()) > 0 && len(sel.GetSortClause()) == 0 && sel.GetLimitCount() == nil && sel.GetLimitOffset() == nil && sel.GetWithClause() == nil:
		in.values(sel)
	default:
		in.query(sel)
	}
}

// checkCount compares the number of values with that of columns.
func (in *inserting) checkCount(values int, loc func(i int) int32) {
	explicit := len(in.n.GetCols()) > 0
	if values > len(in.cols) {
		in.failAt(loc(len(in.cols)), pgerror.SyntaxError, "INSERT has more expressions than target columns")
	}
	if values < len(in.cols) {
		if explicit {
			in.failAt(in.n.GetCols()[values].GetResTarget().GetLocation(), pgerror.SyntaxError, "INSERT has more target columns than expressions")
		}
		in.cols = in.cols[:values]
	}
}

// isDefault says whether the node is DEFAULT.
func isDefault(n *pg.Node) bool { return n.GetSetToDefault() != nil }

// checkGiven refuses values for columns that generate their own; it says whether the value is to be ignored.
func (in *inserting) checkGiven(i int, isDefault bool) (ignore bool) {
	col := in.t.Columns[i]
	if isDefault {
		return true
	}
	switch {
	case col.Generated:
		in.fail(pgerror.New(generatedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", col.Name).
			WithDetail("Column \"%s\" is a generated column.", col.Name))
	case col.Identity != 0 && in.n.GetOverride() == pg.OverridingKind_OVERRIDING_USER_VALUE:
		return true
	case col.Identity == 'a' && in.n.GetOverride() != pg.OverridingKind_OVERRIDING_SYSTEM_VALUE:
		in.fail(pgerror.New(generatedAlways, "cannot insert a non-DEFAULT value into column \"%s\"", col.Name).
			WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", col.Name).
			WithHint("Use OVERRIDING SYSTEM VALUE to override."))
	}
	return false
}

// values compiles INSERT … VALUES.
func (in *inserting) values(sel *pg.SelectStmt) {
	lists := sel.GetValuesLists()
	first := lists[0].GetList().GetItems()
	for _, l := range lists {
		items := l.GetList().GetItems()
		if len(items) != len(first) {
			in.failAt(nodeLocation(items), pgerror.SyntaxError, "VALUES lists must all be the same length")
		}
	}
	in.checkCount(len(first), func(i int) int32 { return nodeLocation(first[i:]) })
	in.s.ctx = ctxInsert
	rows := make([][]*expr, len(lists))
	for r, l := range lists {
		row := make([]*expr, len(in.cols))
		for k, item := range l.GetList().GetItems() {
			col := in.t.Columns[in.cols[k]]
			if in.checkGiven(in.cols[k], isDefault(item)) {
				if !isDefault(item) {
					in.expr(item, in.s) // its errors and parameters count all the same
				}
				row[k] = in.defaultValue(in.t, col)
				continue
			}
			row[k] = in.coerceAssign(in.expr(item, in.s), col.Type, -1, col.Name)
		}
		rows[r] = row
	}
	if len(rows) == 1 {
		for k, i := range in.cols {
			rows[0][k] = in.length(rows[0][k], in.t.Columns[i])
		}
		in.emit(in.complete(in.cols, rows[0]), "")
		return
	}
	in.manyRows(rows)
}

// length applies a column's typmod.
func (in *inserting) length(e *expr, col *catalog.Column) *expr {
	return in.coerceAssign(e, col.Type, col.Typmod, col.Name)
}

// manyRows compiles several rows of VALUES: a row set if every value is an argument, else SQLite's VALUES. A row set's
// values are worked out before its rows are read: those that are fresh for each row can't be among them.
func (in *inserting) manyRows(rows [][]*expr) {
	width := len(in.cols)
	alias := in.alias()
	exprs := make([]*expr, width)
	column := func(k int, name string) *expr {
		col := in.t.Columns[in.cols[k]]
		// Every row's value already has the column's type; its length is still to be checked.
		e := &expr{kind: exprColumn, sql: alias + "." + name, typ: col.Type, typmod: -1, loc: -1, atomic: true, depth: 1}
		return in.length(e, col)
	}
	pack, direct := in.pack(rows)
	if direct && width <= 128 && !slices.ContainsFunc(pack, func(a Arg) bool { return a.fresh() }) {
		in.args = append(in.args, Arg{Kind: ArgPack, Pack: pack})
		from := "lc_rows(?" + itoa(len(in.args)) + ", " + itoa(width) + ") AS " + alias
		for k := range exprs {
			exprs[k] = column(k, rowsColumn(k))
		}
		in.emit(in.complete(in.cols, exprs), from)
		in.rowValues(rows)
		return
	}
	var b strings.Builder
	b.WriteString("(VALUES ")
	for r, row := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + strings.Join(in.rowText(row), ", ") + ")")
	}
	b.WriteString(") AS " + alias)
	for k := range exprs {
		exprs[k] = column(k, "column"+itoa(k+1))
	}
	in.emit(in.complete(in.cols, exprs), b.String())
	if direct {
		in.rowValues(rows)
	}
}

// pack returns the arguments of all values in order, false if a value is not one (see valueOf).
func (in *inserting) pack(rows [][]*expr) ([]Arg, bool) {
	out := make([]Arg, 0, len(rows)*len(in.cols))
	for _, row := range rows {
		for _, e := range row {
			a, ok := in.valueOf(e)
			if !ok {
				return nil, false
			}
			out = append(out, a)
		}
	}
	return out, true
}

// argOf is the argument that an expression is, if it is just that.
func (c *compiler) argOf(e *expr) (Arg, bool) {
	switch e.kind {
	case exprConst, exprUnknown:
		return Arg{Kind: ArgConst, Value: e.val}, true
	case exprParam:
		return Arg{Kind: ArgParam, Index: e.num}, true
	case exprPlain:
		return c.placed(e.sql)
	}
	return Arg{}, false
}

// valueOf is argOf for one of Modify.Values, which may also be a call that gives a fresh value.
func (c *compiler) valueOf(e *expr) (Arg, bool) {
	a, ok := c.argOf(e)
	if ok || e.kind != exprPlain {
		return a, ok
	}
	if e.sql == "lc_gen_random_uuid()" {
		return Arg{Kind: ArgUUID}, true
	}
	if of, call := strings.CutPrefix(e.sql, "lc_nextval("); call {
		a, ok = c.placed(strings.TrimSuffix(of, ")"))
	}
	return Arg{Kind: ArgNextVal, Index: int(a.Value.Int())}, ok && a.Kind == ArgConst && a.Value.Kind == catalog.Integer
}

// placed is the argument that arg has given the SQL for, if it is just that.
func (c *compiler) placed(sql string) (Arg, bool) {
	if len(sql) < 2 || sql[0] != '?' {
		return Arg{}, false
	}
	n := 0
	for _, d := range sql[1:] {
		if d < '0' || d > '9' || n > len(c.args) {
			return Arg{}, false
		}
		n = n*10 + int(d-'0')
	}
	if n < 1 || n > len(c.args) {
		return Arg{}, false
	}
	return c.args[n-1], true
}

// rowValues sets Modify.Values where every value of every whole row is an argument (see valueOf).
func (in *inserting) rowValues(rows [][]*expr) {
	if hasChecks(in.t) {
		return
	}
	vals := make([][]Arg, len(rows))
	fixed, drawn := make([]Arg, len(in.t.Columns)), 0
	for i, col := range in.t.Columns {
		if slices.Contains(in.cols, i) {
			continue
		}
		if col.Generated {
			return
		}
		a, ok := in.valueOf(in.defaultValue(in.t, col))
		if !ok {
			return
		}
		if a.Kind == ArgNextVal {
			drawn++
		}
		fixed[i] = a
	}
	for r, row := range rows {
		vals[r] = slices.Clone(fixed)
		given := 0
		for k, i := range in.cols {
			a, ok := in.valueOf(in.length(row[k], in.t.Columns[i]))
			if !ok {
				return
			}
			if a.Kind == ArgNextVal {
				given++
			}
			vals[r][i] = a
		}
		if given > 0 && given+drawn > 1 {
			return // Source draws those given first, in the order of the column list
		}
	}
	in.m.Values = vals
}

// query compiles INSERT … SELECT.
func (in *inserting) query(sel *pg.SelectStmt) {
	r := in.compiler.query(sel, in.s)
	in.checkCount(len(r.cols), func(i int) int32 { return r.cols[i].loc })
	cols := make([]*catalog.Column, len(in.cols))
	ignore := make([]bool, len(in.cols))
	for k, i := range in.cols {
		cols[k] = in.t.Columns[i]
		ignore[k] = in.checkGiven(i, false)
	}
	in.coerceRel(r, cols)
	alias := in.alias()
	from := "(" + in.relSQL(r) + ") AS " + alias
	exprs := make([]*expr, len(in.cols))
	for k, col := range cols {
		exprs[k] = &expr{kind: exprColumn, sql: alias + ".c" + itoa(k+1), typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true, depth: 1}
		if ignore[k] {
			exprs[k] = in.defaultValue(in.t, col)
		}
	}
	in.emit(in.complete(in.cols, exprs), from)
}

// complete makes a whole row of the values given for cols: defaults elsewhere, NULL for what is generated.
func (in *inserting) complete(cols []int, given []*expr) []*expr {
	row := make([]*expr, len(in.t.Columns))
	for k, i := range cols {
		row[i] = given[k]
	}
	for i, col := range in.t.Columns {
		switch {
		case col.Generated:
			row[i] = &expr{kind: exprConst, typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true}
		case row[i] == nil:
			row[i] = in.defaultValue(in.t, col)
		}
	}
	return row
}

// emit makes Source of a row's expressions and where they come from.
func (in *inserting) emit(row []*expr, from string) {
	c, t := in.compiler, in.t
	generated := slices.ContainsFunc(t.Columns, func(col *catalog.Column) bool { return col.Generated })
	direct := false // the row is nothing but arguments that may be asked for again
	if from == "" {
		vals, ok := make([]Arg, len(row)), true
		direct = true
		for i := 0; i < len(row) && ok; i++ {
			vals[i], ok = c.valueOf(row[i])
			direct = direct && ok && !vals[i].fresh()
		}
		if ok && !generated && !hasChecks(t) {
			in.m.Values = [][]Arg{vals}
		}
	}
	list := c.rowText(row)
	if from != "" {
		from = " FROM " + from
	}
	if !generated && !hasChecks(t) {
		in.m.Source = c.finish(c.withSQL(in.s)+"SELECT "+strings.Join(list, ", ")+from, nil, in.m.Tag)
		return
	}
	if direct {
		c.generate(t, row)
		cons, checks := c.checks(t, row, nil)
		in.m.Checks = cons
		in.m.Source = c.finish(c.withSQL(in.s)+"SELECT "+strings.Join(append(c.rowText(row), checks...), ", "), nil, in.m.Tag)
		return
	}
	alias := c.alias()
	outer := make([]*expr, len(row))
	for i, col := range t.Columns {
		name := "c" + itoa(i+1)
		list[i] += " AS " + name
		outer[i] = &expr{kind: exprColumn, sql: alias + "." + name, typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true, depth: 1}
	}
	inner := "SELECT " + strings.Join(list, ", ") + from
	if c.volatile || c.unstable {
		inner += fence
	}
	c.generate(t, outer)
	cons, checks := c.checks(t, outer, nil)
	in.m.Checks = cons
	sql := "SELECT " + strings.Join(append(c.rowText(outer), checks...), ", ") + " FROM (" + inner + ") AS " + alias
	in.m.Source = c.finish(c.withSQL(in.s)+sql, nil, in.m.Tag)
}

// returned compiles RETURNING: plain columns are taken from the new row, anything else is a query over it.
func (in *inserting) returned() {
	list := in.n.GetReturningList()
	if len(list) == 0 {
		return
	}
	c := in.compiler.beside(in.s)
	s := newScope(nil)
	name, _ := aliasOf(in.n.GetRelation().GetAlias())
	s.items = append(s.items, c.argItem(in.t, name, ArgNew))
	s.ctes = in.s.ctes
	cols, sql, targets := c.returning(list, s)
	in.m.Returning = cols
	plainCols := make([]int, 0, len(targets))
	for k, t := range targets {
		if i := columnIndex(in.t, t.e.name); t.e.kind == exprColumn && i >= 0 && in.t.Columns[i].Num == t.e.attNum && sql[k] == c.text(t.e) {
			plainCols = append(plainCols, i)
		}
	}
	if len(plainCols) == len(targets) {
		in.m.ReturnCols = plainCols
		return
	}
	in.m.ReturnQuery = c.finish(c.withRead(s, "SELECT "+strings.Join(sql, ", ")), cols, "")
	in.volatile = in.volatile || c.volatile
}

// nodeLocation is where the first of some nodes stands, as far as its kind tells.
func nodeLocation(nodes []*pg.Node) int32 {
	if len(nodes) == 0 {
		return -1
	}
	return exprLocation(nodes[0])
}

// exprLocation is where an expression begins, -1 if its node does not say.
func exprLocation(n *pg.Node) int32 {
	loc := int32(-1)
	walk(n, func(m proto.Message) bool {
		if loc >= 0 {
			return false
		}
		if l, ok := m.(interface{ GetLocation() int32 }); ok && m != proto.Message(n) {
			if _, list := m.(*pg.List); !list {
				loc = l.GetLocation()
			}
		}
		return loc < 0
	})
	return loc
}

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// setting is one cell of SET.
type setting struct {
	col  int
	e    *expr
	once bool // must not be worked out twice
}

// settings compiles SET for the columns of t in scope s, in which values may name what FROM has. Generated columns that
// are set to DEFAULT are returned apart: they get what they would get anyway.
func (c *compiler) settings(t *catalog.Table, list []*pg.Node, s *scope) (out []setting, generated []int) {
	seen := map[int]bool{}
	for k, n := range list {
		rt := n.GetResTarget()
		if len(rt.GetIndirection()) > 0 {
			c.unsupported(rt.GetLocation(), "UPDATE of a part of a column")
		}
		i := c.targetColumn(t, rt)
		if seen[i] {
			c.fail(pgerror.New(pgerror.SyntaxError, "multiple assignments to same column \"%s\"", rt.GetName()))
		}
		seen[i] = true
		col := t.Columns[i]
		value := c.assignedValue(list, k)
		if !isDefault(value) {
			if col.Generated {
				c.fail(pgerror.New(generatedAlways, "column \"%s\" can only be updated to DEFAULT", col.Name).
					WithDetail("Column \"%s\" is a generated column.", col.Name))
			}
			if col.Identity == 'a' {
				c.fail(pgerror.New(generatedAlways, "column \"%s\" can only be updated to DEFAULT", col.Name).
					WithDetail("Column \"%s\" is an identity column defined as GENERATED ALWAYS.", col.Name))
			}
		} else if col.Generated {
			generated = append(generated, i)
			continue
		}
		st := setting{col: i}
		st.once = c.watch(func() {
			if isDefault(value) {
				st.e = c.defaultValue(t, col)
				return
			}
			st.e = c.coerceAssign(c.exprIn(ctxUpdate, value, s), col.Type, col.Typmod, col.Name)
		})
		st.once = st.once || strings.Contains(st.e.sql, "SELECT ")
		out = append(out, st)
	}
	return out, generated
}

// assignedValue is the value of the k-th entry of SET: of (a, b) = (…) the part that is its own.
func (c *compiler) assignedValue(list []*pg.Node, k int) *pg.Node {
	rt := list[k].GetResTarget()
	m := rt.GetVal().GetMultiAssignRef()
	if m == nil {
		return rt.GetVal()
	}
	part, count := int(m.GetColno()), int(m.GetNcolumns())
	src := m.GetSource()
	if src == nil {
		// Only the first of the columns may carry the source.
		for j := k; j >= 0 && src == nil; j-- {
			src = list[j].GetResTarget().GetVal().GetMultiAssignRef().GetSource()
		}
	}
	if row := src.GetRowExpr(); row != nil {
		if len(row.GetArgs()) != count {
			c.failAt(row.GetLocation(), pgerror.SyntaxError, "number of columns does not match number of values")
		}
		return row.GetArgs()[part-1]
	}
	sub := src.GetSubLink()
	if sub == nil || sub.GetSubselect().GetSelectStmt() == nil {
		c.failAt(exprLocation(src), pgerror.FeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression")
	}
	if leftmostWidth(sub.GetSubselect().GetSelectStmt()) != count && leftmostWidth(sub.GetSubselect().GetSelectStmt()) >= 0 {
		c.failAt(sub.GetLocation(), pgerror.SyntaxError, "number of columns does not match number of values")
	}
	return partOfSubquery(sub, part, count)
}

// leftmostWidth is the number of entries of a query's SELECT list, -1 if a star hides it.
func leftmostWidth(sel *pg.SelectStmt) int {
	sel = leftmostSelect(sel)
	if v := sel.GetValuesLists(); len(v) > 0 {
		return len(v[0].GetList().GetItems())
	}
	for _, t := range sel.GetTargetList() {
		f := t.GetResTarget().GetVal().GetColumnRef().GetFields()
		if len(f) > 0 && f[len(f)-1].GetAStar() != nil || t.GetResTarget().GetVal().GetAIndirection() != nil {
			return -1
		}
	}
	return len(sel.GetTargetList())
}

// partOfSubquery is (SELECT cK FROM (sub) AS s(c1, …)).
func partOfSubquery(sub *pg.SubLink, part, count int) *pg.Node {
	names := make([]*pg.Node, count)
	for i := range names {
		names[i] = pg.MakeStrNode("c" + itoa(i+1))
	}
	const alias = "set"
	from := &pg.RangeSubselect{
		Subquery: proto.Clone(sub.GetSubselect()).(*pg.Node),
		Alias:    &pg.Alias{Aliasname: alias, Colnames: names},
		Lateral:  true, // what it could name where it stood it can name here
	}
	ref := &pg.ColumnRef{Fields: []*pg.Node{pg.MakeStrNode(alias), pg.MakeStrNode("c" + itoa(part))}, Location: sub.GetLocation()}
	sel := &pg.SelectStmt{
		TargetList:  []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: ref}}, Location: -1}}}},
		FromClause:  []*pg.Node{{Node: &pg.Node_RangeSubselect{RangeSubselect: from}}},
		Op:          pg.SetOperation_SETOP_NONE,
		LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
	}
	return &pg.Node{Node: &pg.Node_SubLink{SubLink: &pg.SubLink{
		SubLinkType: pg.SubLinkType_EXPR_SUBLINK, Location: sub.GetLocation(),
		Subselect: &pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel}},
	}}}
}

// update compiles UPDATE.
func (c *compiler) update(n *pg.UpdateStmt, outer *scope) *Modify {
	s := c.modifyScope(n.GetWithClause(), outer)
	t := c.modifiedTable(n.GetRelation(), "UPDATE of")
	c.need(t, catalog.PrivUpdate)
	m := &Modify{Op: Update, Table: t, Tag: "UPDATE"}
	if n.GetWhereClause().GetCurrentOfExpr() != nil {
		c.unsupported(-1, "WHERE CURRENT OF")
	}
	r := &rowChange{compiler: c, m: m, t: t, s: s}
	r.target(n.GetRelation(), n.GetFromClause(), n.GetWhereClause())
	r.where(n.GetWhereClause(), n.GetTargetList()...)
	r.sets, r.again = c.settings(t, n.GetTargetList(), s)
	r.update(n.GetReturningList())
	return m
}

// rowChange is an UPDATE or DELETE under way.
type rowChange struct {
	*compiler
	m     *Modify
	t     *catalog.Table
	s     *scope
	it    *rangeItem // the table changed
	from  string
	join  bool // other tables are in from
	cond  string
	sets  []setting
	again []int    // generated columns to be worked out anew
	after []string // appended to Source after the row and before RETURNING
}

// target puts the table and what FROM or USING names into the scope. where is the statement's.
func (r *rowChange) target(rv *pg.RangeVar, others []*pg.Node, where *pg.Node) {
	name, names := aliasOf(rv.GetAlias())
	r.it = r.addTable(r.s, r.t, name)
	r.it.loc, r.it.changed = rv.GetLocation(), true
	if len(names) > 0 {
		r.unsupported(rv.GetLocation(), "a column list of the target's alias")
	}
	r.read(r.t)
	r.from = quoteIdent(r.t.Phys) + " AS " + r.it.alias
	if r.join = len(others) > 0; r.join {
		r.it.relHidden, r.it.colsHidden = true, true // FROM does not see the table
		r.s.condition = where
		r.from += " JOIN " + r.compiler.from(others, r.s)
		r.s.condition = nil
		r.it.relHidden, r.it.colsHidden = false, false
		r.checkConflicts(r.s.items[:1], r.s.items[1:])
	}
}

// where compiles WHERE; sets are SET's entries.
func (r *rowChange) where(n *pg.Node, sets ...*pg.Node) {
	r.cond = r.compiler.where(n, r.s)
	r.m.Source = &Query{}
	if !r.join {
		r.m.Source.Overlay = r.t.ID
		r.m.Source.Point = r.pinned(n) && !slices.ContainsFunc(append(sets, n), hasSubLink)
	}
}

// hasSubLink says whether an expression has a query in it.
func hasSubLink(n *pg.Node) bool {
	found := false
	walk(n, func(m proto.Message) bool {
		if _, ok := m.(*pg.SubLink); ok {
			found = true
		}
		return !found
	})
	return found
}

// pinned says whether the condition fixes every primary key column by a constant or parameter.
func (r *rowChange) pinned(n *pg.Node) bool {
	pk := primaryKey(r.t)
	if pk == nil || n == nil {
		return false
	}
	fixed := map[string]bool{}
	pinnedColumns(n, fixed)
	return !slices.ContainsFunc(namesOfColumns(r.t, pk.Columns), func(name string) bool { return !fixed[name] })
}

// pinnedColumns gathers the columns that an AND of equalities compares with a constant or parameter.
func pinnedColumns(n *pg.Node, out map[string]bool) {
	if b := n.GetBoolExpr(); b != nil && b.GetBoolop() == pg.BoolExprType_AND_EXPR {
		for _, a := range b.GetArgs() {
			pinnedColumns(a, out)
		}
		return
	}
	e := n.GetAExpr()
	if e == nil || e.GetKind() != pg.A_Expr_Kind_AEXPR_OP || len(e.GetName()) != 1 || e.GetName()[0].GetString_().GetSval() != "=" {
		return
	}
	l, r := e.GetLexpr(), e.GetRexpr()
	if l.GetColumnRef() == nil {
		l, r = r, l
	}
	for r.GetTypeCast() != nil {
		r = r.GetTypeCast().GetArg()
	}
	if f := l.GetColumnRef().GetFields(); len(f) > 0 && (r.GetAConst() != nil || r.GetParamRef() != nil) {
		out[f[len(f)-1].GetString_().GetSval()] = true
	}
}

// update makes the plan once SET and WHERE are compiled.
func (r *rowChange) update(list []*pg.Node) {
	m, t := r.m, r.t
	changed := slices.Clone(r.again)
	for _, st := range r.sets {
		changed = append(changed, st.col)
	}
	for i, col := range t.Columns {
		if col.Generated && !slices.Contains(changed, i) && r.generatedFrom(col, changed) {
			changed = append(changed, i)
		}
	}
	slices.Sort(changed)
	m.SetColumns = changed
	if pk := primaryKey(t); pk != nil {
		m.KeyChange = touches(t, pk.Columns, changed)
	}
	m.NotNull = notNulls(t, changed)
	m.Uniques = r.uniques(t, changed)
	if m.References = r.references(t, changed); m.KeyChange {
		m.References = r.references(t, nil) // with another key the row is a new one, with all that it still owes
	}
	m.Referenced = r.referenced(t, changed)
	m.NeedOld = len(m.Referenced) > 0 || len(m.Uniques) > 0 || m.KeyChange
	old := r.columnExprs(r.it)
	if len(changed) > len(r.sets) || hasChecks(t) || len(list) > 0 {
		old = r.onceOnly(old)
	}
	row := slices.Clone(old)
	for _, st := range r.sets {
		row[st.col] = st.e
	}
	r.generate(t, row)
	out := []string{version(r.it.alias)}
	out = append(out, r.rowText(row)...)
	if m.NeedOld {
		out = append(out, r.rowText(old)...)
	}
	cons, checks := r.checks(t, row, changed)
	m.Checks = cons
	out = append(out, checks...)
	r.finishSource(out, list, row)
}

// generatedFrom says whether a generated column reads any of the columns.
func (r *rowChange) generatedFrom(col *catalog.Column, changed []int) bool {
	return slices.ContainsFunc(changed, func(i int) bool { return namesColumn(col.Default, r.t.Columns[i].Name) })
}

// onceOnly puts the statement's FROM and WHERE into a subquery that works out what must be worked out only once for a
// row. What used the tables' columns then uses the subquery's. It returns the old row.
func (r *rowChange) onceOnly(old []*expr) []*expr {
	if !slices.ContainsFunc(r.sets, func(st setting) bool { return st.once }) {
		return old
	}
	alias := r.alias()
	list := []string{r.it.alias + ".rowid AS rowid", r.it.alias + "._h AS _h", r.it.alias + "._o AS _o", r.it.alias + "._c AS _c"}
	add := func(sql string) string {
		name := "k" + itoa(len(list))
		list = append(list, sql+" AS "+name)
		return alias + "." + name
	}
	for k := range r.sets {
		st := &r.sets[k]
		if st.once {
			f := *st.e
			f.sql, f.kind, f.atomic, f.depth = add(r.text(st.e)), exprPlain, true, 1
			st.e = &f
		}
	}
	done := map[string]string{}
	for _, it := range r.s.items {
		for i := range it.cols {
			col := &it.cols[i]
			if col.lit != nil {
				f := *col.lit
				f.sql, f.atomic = add(r.text(col.lit)), true
				col.lit = &f
				continue
			}
			if col.sql == "" {
				continue
			}
			if done[col.sql] == "" {
				done[col.sql] = add(col.sql)
			}
			col.sql = done[col.sql]
		}
	}
	// A cell that is worked out in place reads the tables' columns: it has to move too.
	for k := range r.sets {
		st := &r.sets[k]
		if !st.once {
			f := *st.e
			if f.kind == exprConst || f.kind == exprUnknown || f.kind == exprParam {
				continue
			}
			f.sql, f.kind, f.atomic, f.depth = add(r.text(st.e)), exprPlain, true, 1
			st.e = &f
		}
	}
	inner := "SELECT " + strings.Join(list, ", ") + " FROM " + r.from
	if r.cond != "" {
		inner += " WHERE " + r.cond
	}
	if r.join {
		inner += " GROUP BY " + r.it.alias + ".rowid"
	}
	r.from, r.cond, r.join = "("+inner+fence+") AS "+alias, "", false
	r.it.alias = alias
	return r.columnExprs(r.it)
}

// finishSource adds RETURNING and makes Source. row is what RETURNING sees of the table, nil for its columns as read.
func (r *rowChange) finishSource(out []string, list []*pg.Node, row []*expr) {
	m := r.m
	if len(list) > 0 {
		s := newScope(nil)
		s.ctes = r.s.ctes
		for _, it := range r.s.items {
			if it == r.it && row != nil {
				seen := r.rowItem(r.t, it.name, row)
				seen.schema = it.schema
				it = seen
			}
			s.items = append(s.items, it)
		}
		cols, sql, _ := r.returning(list, s)
		m.Returning = cols
		m.ReturnAt = len(out) + 3 // version is four columns in one text
		out = append(out, sql...)
	}
	sql := r.withSQL(r.s) + "SELECT " + strings.Join(out, ", ") + " FROM " + r.from
	if r.cond != "" {
		sql += " WHERE " + r.cond
	}
	if r.join {
		sql += " GROUP BY " + r.it.alias + ".rowid" // a row found several times is changed once
	}
	source := r.finish(sql, nil, m.Tag)
	if m.Source != nil {
		source.Point, source.Overlay = m.Source.Point, m.Source.Overlay
	}
	m.Source = source
}

// delete compiles DELETE.
func (c *compiler) delete(n *pg.DeleteStmt, outer *scope) *Modify {
	s := c.modifyScope(n.GetWithClause(), outer)
	t := c.modifiedTable(n.GetRelation(), "DELETE from")
	c.need(t, catalog.PrivDelete)
	m := &Modify{Op: Delete, Table: t, Tag: "DELETE", Uniques: c.uniques(t, nil), Referenced: c.referenced(t, nil)}
	if n.GetWhereClause().GetCurrentOfExpr() != nil {
		c.unsupported(-1, "WHERE CURRENT OF")
	}
	r := &rowChange{compiler: c, m: m, t: t, s: s}
	r.target(n.GetRelation(), n.GetUsingClause(), n.GetWhereClause())
	r.where(n.GetWhereClause())
	out := append([]string{version(r.it.alias)}, r.rowText(r.columnExprs(r.it))...)
	r.finishSource(out, n.GetReturningList(), nil)
	return m
}

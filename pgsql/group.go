package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// grouping is a GROUP BY while what follows it is compiled.
type grouping struct {
	terms []groupTerm
	nodes map[*pg.Node]*expr // the nodes that were grouped by
}

type groupTerm struct {
	e    *expr
	text string
	off  bool // of GROUPING SETS: not in the set at hand, so NULL
}

// groupBy compiles GROUP BY.
func (q *selecting) groupBy(list []*pg.Node) {
	g := &grouping{nodes: map[*pg.Node]*expr{}}
	for _, n := range list {
		q.groupItem(g, n)
	}
	q.setGroups(g)
}

// setGroups puts a grouping into force.
func (q *selecting) setGroups(g *grouping) {
	q.groups = g
	q.group = nil
	for i := range g.terms {
		if !g.terms[i].off {
			q.group = append(q.group, q.c.sortKey(g.terms[i].e))
		}
	}
}

// groupItem adds an item of GROUP BY: a column of FROM, else an output column by name or number, else an expression
// (findTargetlistEntrySQL92).
func (q *selecting) groupItem(g *grouping, n *pg.Node) *expr {
	c, s := q.c, q.scope
	node := n
	if ref := n.GetColumnRef(); ref != nil && len(ref.Fields) == 1 && ref.Fields[0].GetString_() != nil {
		name := ref.Fields[0].GetString_().GetSval()
		if !s.hasColumn(name) {
			if t := q.targetNamed(name, ref.Location); t != nil {
				node = t
			}
		}
	} else if k := n.GetAConst(); k != nil && !k.Isnull {
		i, ok := intNode(k)
		if !ok {
			c.failAt(k.Location, pgerror.SyntaxError, "non-integer constant in GROUP BY")
		}
		e, t := q.targetAt(i, k.Location)
		if t == nil {
			return q.addGroup(g, n, e)
		}
		node = t
	}
	if list := node.GetRowExpr(); list != nil && list.RowFormat == pg.CoercionForm_COERCE_IMPLICIT_CAST {
		var last *expr
		for _, a := range list.Args {
			last = q.groupItem(g, a)
		}
		return last
	}
	if e := g.nodes[node]; e != nil {
		return e
	}
	return q.addGroup(g, node, c.exprIn(ctxGroup, node, s))
}

func (q *selecting) addGroup(g *grouping, n *pg.Node, e *expr) *expr {
	c := q.c
	if e.kind == exprRow {
		for _, x := range e.row {
			q.addGroup(g, nil, x)
		}
		return e
	}
	e = c.resolveUnknown(e)
	c.hashable(e)
	if n != nil {
		g.nodes[n] = e
	}
	text := c.text(e)
	for i := range g.terms {
		if g.terms[i].text == text {
			return e
		}
	}
	g.terms = append(g.terms, groupTerm{e: e, text: text})
	return e
}

// hasColumn says whether FROM has a column of that name.
func (s *scope) hasColumn(name string) bool {
	for _, it := range s.items {
		if it.colsHidden {
			continue
		}
		for i := range it.cols {
			if it.cols[i].name == name {
				return true
			}
		}
	}
	return false
}

// targetNamed finds an entry of the SELECT list by its output name.
func (q *selecting) targetNamed(name string, loc int32) *pg.Node {
	var found *pg.Node
	for _, n := range q.node.TargetList {
		t := n.GetResTarget()
		have := t.GetName()
		if have == "" {
			have = figureName(t.GetVal())
		}
		if have != name {
			continue
		}
		if found != nil {
			q.c.failAt(loc, pgerror.AmbiguousColumn, "GROUP BY \"%s\" is ambiguous", name)
		}
		found = t.GetVal()
	}
	return found
}

// targetAt finds the i-th entry (from 1) of the SELECT list: its node, or the column that a star makes of it.
func (q *selecting) targetAt(i int, loc int32) (*expr, *pg.Node) {
	at := 0
	for _, n := range q.node.TargetList {
		val := n.GetResTarget().GetVal()
		if ref := val.GetColumnRef(); ref != nil && ref.Fields[len(ref.Fields)-1].GetAStar() != nil {
			saved := q.ctx
			q.ctx = ctxGroup
			list := q.c.star(nil, ref, q.scope)
			q.ctx = saved
			if i >= 1 && i <= at+len(list) {
				return list[i-at-1].e, nil
			}
			at += len(list)
			continue
		}
		if at++; at == i {
			return nil, val
		}
	}
	q.c.failAt(loc, pgerror.InvalidColumnReference, "GROUP BY position %d is not in select list", i)
	return nil, nil
}

// grouped returns the grouped expression that a node is, nil if it is none.
func (s *scope) groupedNode(n *pg.Node) *expr {
	if s.groups == nil || s.aggDepth > 0 {
		return nil
	}
	e := s.groups.nodes[n]
	if e == nil {
		return nil
	}
	for i := range s.groups.terms {
		if t := &s.groups.terms[i]; t.off && t.e == e {
			return null(e.typ, e.loc)
		}
	}
	return e
}

// matchGroup looks whether e is grouped by: the columns used in it are then accounted for.
func (c *compiler) matchGroup(s *scope, e *expr, mark int) *expr {
	if s.aggDepth > 0 || e.kind == exprRow || e.kind == exprConst || e.isUnknown() {
		return e
	}
	text := c.text(e)
	for i := range s.groups.terms {
		t := &s.groups.terms[i]
		if t.text != text {
			continue
		}
		if mark < len(s.bare) {
			s.bare = s.bare[:mark]
		}
		if t.off {
			f := *null(e.typ, e.loc)
			f.typmod = e.typmod
			return &f
		}
		return e
	}
	return e
}

// checkGrouped refuses columns that are neither grouped by, nor in an aggregate, nor determined by a grouped primary
// key.
func (c *compiler) checkGrouped(s *scope) {
	for _, u := range s.bare {
		sql := c.colSQL(u.item, u.col)
		if s.groupsSQL(sql) || s.determined(sql) {
			continue
		}
		name := u.name
		if u.item.name != "" && !strings.Contains(name, ".") {
			name = u.item.name + "." + name
		} else if owner := s.owner(sql); u.item.name == "" && owner != nil {
			name = owner.name + "." + name
		}
		if u.inner {
			c.failAt(u.loc, pgerror.GroupingError, "subquery uses ungrouped column \"%s\" from outer query", name)
		}
		c.failAt(u.loc, pgerror.GroupingError, "column \"%s\" must appear in the GROUP BY clause or be used in an aggregate function", name)
	}
}

func (s *scope) groupsSQL(sql string) bool {
	if s.groups != nil {
		for i := range s.groups.terms {
			if s.groups.terms[i].text == sql {
				return true
			}
		}
	}
	return false
}

// owner finds the table that a column's SQL belongs to.
func (s *scope) owner(sql string) *rangeItem {
	for _, it := range s.items {
		if it.parts == nil && slices.ContainsFunc(it.cols, func(col rangeCol) bool { return col.sql == sql }) {
			return it
		}
	}
	return nil
}

// determined says whether the primary key of the column's table is grouped by.
func (s *scope) determined(sql string) bool {
	it := s.owner(sql)
	if it == nil || it.table == nil || it.table.Kind != catalog.KindTable || s.groups == nil {
		return false
	}
	for _, con := range it.table.Constraints {
		if con.Kind != catalog.PrimaryKey {
			continue
		}
		for _, id := range con.Columns {
			found := false
			for i, col := range it.table.Columns {
				if col.ID == id {
					found = s.groupsSQL(it.cols[i].sql)
				}
			}
			if !found {
				return false
			}
		}
		return true
	}
	return false
}

// hasGroupingSets says whether GROUP BY holds GROUPING SETS, ROLLUP or CUBE.
func hasGroupingSets(list []*pg.Node) bool {
	for _, n := range list {
		if n.GetGroupingSet() != nil {
			return true
		}
	}
	return false
}

// groupingSets compiles GROUP BY GROUPING SETS: one query for each set, united.
func (c *compiler) groupingSets(sel *pg.SelectStmt, s *scope, q *selecting) *rel {
	g := &grouping{nodes: map[*pg.Node]*expr{}}
	sets := [][]string{nil}
	for _, n := range sel.GroupClause {
		sets = crossSets(sets, q.setsOf(g, n))
		if len(sets) > 128 {
			c.unsupported(-1, "GROUP BY with more than 128 grouping sets")
		}
	}
	if sel.GroupDistinct {
		c.unsupported(-1, "GROUP BY DISTINCT")
	}
	if len(sel.DistinctClause) > 0 || len(sel.LockingClause) > 0 {
		c.unsupported(-1, "GROUPING SETS with DISTINCT")
	}
	var arms []*selecting
	for _, set := range sets {
		arm := &selecting{scope: s, c: c, node: sel, from: q.from, where: q.where}
		for i := range g.terms {
			g.terms[i].off = true
			for _, text := range set {
				if g.terms[i].text == text {
					g.terms[i].off = false
				}
			}
		}
		s.bare, s.hasAgg, s.windows = nil, false, nil
		c.namedWindows(sel.WindowClause, s)
		arm.setGroups(g)
		s.ctx = ctxSelect
		arm.targets = c.targetList(sel.TargetList, s)
		arm.having = "count(*) >= 0"
		if sel.HavingClause != nil {
			arm.having += " AND (" + c.condition(sel.HavingClause, s, ctxHaving, "HAVING") + ")"
		}
		if len(arm.group) > 0 {
			arm.having = strings.TrimPrefix(strings.TrimPrefix(arm.having, "count(*) >= 0"), " AND ")
		}
		for _, sc := range sel.SortClause {
			e, _ := arm.outputItem(sc.GetSortBy().Node, ctxOrder, "ORDER BY")
			arm.order = append(arm.order, sortTerm{e: c.sortable(e, sc.GetSortBy().Location)})
		}
		c.checkGrouped(s)
		if s.hasWindow || len(s.srfs) > 0 {
			c.unsupported(-1, "GROUPING SETS with window or set-returning functions")
		}
		arm.grouped = true
		arms = append(arms, arm)
	}
	s.groups = nil
	s.ctx = ctxLimit
	limit, offset, ties := c.limitClause(sel, s)
	if ties {
		c.unsupported(-1, "GROUPING SETS with WITH TIES")
	}
	first := arms[0]
	r := &rel{cols: relCols(first.targets), terms: 1}
	for i := range r.cols {
		for _, arm := range arms {
			arm.targets[i].e = c.resolveUnknown(arm.targets[i].e)
		}
		r.cols[i].typ, r.cols[i].typmod, r.cols[i].notNull = first.targets[i].e.typ, first.targets[i].e.typmod, false
	}
	r.build = func() string {
		var b strings.Builder
		b.WriteString("SELECT " + columnNames(len(r.cols)) + " FROM (")
		for i, arm := range arms {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			exprs := make([]*expr, len(arm.targets))
			for j, t := range arm.targets {
				exprs[j] = t.e
			}
			b.WriteString("SELECT " + c.selectList(exprs) + ", count(*) AS lc_n")
			for j, o := range arm.order {
				b.WriteString(", " + c.text(o.e) + " AS o" + itoa(j+1))
			}
			arm.body(&b)
		}
		b.WriteString(")")
		if len(first.order) > 0 {
			terms := make([]sortTerm, len(first.order))
			for j, o := range first.order {
				f := &expr{sql: "o" + itoa(j+1), typ: o.e.typ, atomic: true}
				terms[j] = sortTerm{sql: c.keyed(f), order: c.sortOrder(sel.SortClause[j].GetSortBy(), false)}
			}
			b.WriteString(" ORDER BY " + sortText(terms))
		}
		(&selecting{limit: limit, offset: offset}).limitText(&b)
		return b.String()
	}
	return r
}

// setsOf lists the grouping sets of one item of GROUP BY, each as the texts of its expressions.
func (q *selecting) setsOf(g *grouping, n *pg.Node) [][]string {
	gs := n.GetGroupingSet()
	if gs == nil {
		return [][]string{q.setTexts(g, n)}
	}
	switch gs.Kind {
	case pg.GroupingSetKind_GROUPING_SET_EMPTY:
		return [][]string{nil}
	case pg.GroupingSetKind_GROUPING_SET_SETS:
		var out [][]string
		for _, m := range gs.Content {
			out = append(out, q.setsOf(g, m)...)
		}
		return out
	}
	var parts [][]string
	for _, m := range gs.Content {
		parts = append(parts, q.setTexts(g, m))
	}
	var out [][]string
	if gs.Kind == pg.GroupingSetKind_GROUPING_SET_ROLLUP {
		for k := len(parts); k >= 0; k-- {
			var set []string
			for _, p := range parts[:k] {
				set = append(set, p...)
			}
			out = append(out, set)
		}
		return out
	}
	if len(parts) > 7 {
		q.c.unsupported(gs.Location, "CUBE of more than 7 elements")
	}
	for mask := 1<<len(parts) - 1; mask >= 0; mask-- {
		var set []string
		for i, p := range parts {
			if mask&(1<<(len(parts)-1-i)) != 0 {
				set = append(set, p...)
			}
		}
		out = append(out, set)
	}
	return out
}

// setTexts compiles an element of a grouping set: an expression, or several in parentheses.
func (q *selecting) setTexts(g *grouping, n *pg.Node) []string {
	if row := n.GetRowExpr(); row != nil {
		var out []string
		for _, a := range row.Args {
			out = append(out, q.setTexts(g, a)...)
		}
		return out
	}
	return []string{q.c.text(q.groupItem(g, n))}
}

func crossSets(a, b [][]string) [][]string {
	var out [][]string
	for _, x := range a {
		for _, y := range b {
			out = append(out, append(append([]string(nil), x...), y...))
		}
	}
	return out
}

// groupingFunc compiles GROUPING(…): a bit for each argument, 1 where it is not grouped by in the set at hand.
func (c *compiler) groupingFunc(n *pg.GroupingFunc, s *scope) *expr {
	if s.groups == nil {
		c.failAt(n.Location, pgerror.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level")
	}
	bits := int64(0)
	for _, a := range n.Args {
		saved := s.groups
		s.groups = nil
		e := c.exprIn(ctxGroup, a, s)
		s.groups = saved
		text, found := c.text(e), false
		bits <<= 1
		for i := range s.groups.terms {
			if t := &s.groups.terms[i]; t.text == text {
				found = true
				if t.off {
					bits |= 1
				}
			}
		}
		if !found {
			c.failAt(e.loc, pgerror.GroupingError, "arguments to GROUPING must be grouping expressions of the associated query level")
		}
	}
	return plain(itoa(int(bits)), catalog.Int4OID, true, n.Location)
}

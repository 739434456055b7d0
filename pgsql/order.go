package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// sortTerm is a term of ORDER BY.
type sortTerm struct {
	e     *expr
	sql   string // with COLLATE
	order string // " DESC NULLS LAST" …
	col   int    // the output column that it is, -1 for another expression
}

func sortText(terms []sortTerm) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = t.sql + t.order
	}
	return strings.Join(parts, ", ")
}

// sortOrder is the direction of a term: PostgreSQL takes NULL for greater than anything, SQLite for less.
func (c *compiler) sortOrder(n *pg.SortBy, notNull bool) string {
	desc := false
	switch n.SortbyDir {
	case pg.SortByDir_SORTBY_DESC:
		desc = true
	case pg.SortByDir_SORTBY_USING:
		switch op := n.UseOp[len(n.UseOp)-1].GetString_().GetSval(); op {
		case "<":
		case ">":
			desc = true
		default:
			c.unsupported(n.Location, "ORDER BY USING %s", op)
		}
	}
	first := desc
	switch n.SortbyNulls {
	case pg.SortByNulls_SORTBY_NULLS_FIRST:
		first = true
	case pg.SortByNulls_SORTBY_NULLS_LAST:
		first = false
	}
	s := ""
	if desc {
		s = " DESC"
	}
	switch {
	case notNull:
	case first && desc:
		s += " NULLS FIRST"
	case !first && !desc:
		s += " NULLS LAST"
	}
	return s
}

// sortable refuses what has no order.
func (c *compiler) sortable(e *expr, loc int32) *expr {
	e = c.resolveUnknown(e)
	switch e.typ {
	case catalog.JSONOID, catalog.XMLOID, catalog.PointOID:
		err := pgerror.New(pgerror.UndefinedFunction, "could not identify an ordering operator for type %s", typeDisplay(e.typ))
		c.fail(err.WithHint("Use an explicit ordering operator or modify the query.").At(c.position(e.loc)))
	}
	return e
}

// sortTerms makes a term of an expression; a row sorts by its fields.
func (c *compiler) sortTerms(out []sortTerm, e *expr, n *pg.SortBy, col int) []sortTerm {
	if e.kind == exprRow && len(e.row) > 0 {
		for _, x := range e.row {
			out = c.sortTerms(out, x, n, -1)
		}
		return out
	}
	e = c.sortable(e, n.Location)
	if e.kind == exprConst || e.kind == exprUnknown {
		return out // a constant does not order
	}
	return append(out, sortTerm{e: e, sql: c.sortKey(e), order: c.sortOrder(n, e.notNull), col: col})
}

// sortClause compiles ORDER BY.
func (q *selecting) sortClause(list []*pg.Node) {
	for _, n := range list {
		sb := n.GetSortBy()
		e, col := q.outputItem(sb.Node, ctxOrder, "ORDER BY")
		q.order = q.c.sortTerms(q.order, e, sb, col)
	}
}

// outputItem finds what an item of ORDER BY or DISTINCT ON means: an output column by name or number, else an expression
// (findTargetlistEntrySQL92).
func (q *selecting) outputItem(n *pg.Node, ctx exprContext, what string) (*expr, int) {
	c := q.c
	if ref := n.GetColumnRef(); ref != nil && len(ref.Fields) == 1 {
		if name := ref.Fields[0].GetString_().GetSval(); name != "" {
			if i := q.outputNamed(name, ref.Location, what); i >= 0 {
				return q.output(i), i
			}
		}
	}
	if k := n.GetAConst(); k != nil && !k.Isnull {
		i, ok := intNode(k)
		if !ok {
			c.failAt(k.Location, pgerror.SyntaxError, "non-integer constant in %s", what)
		}
		if i < 1 || i > len(q.targets) {
			c.failAt(k.Location, pgerror.InvalidColumnReference, "%s position %d is not in select list", what, i)
		}
		return q.output(i - 1), i - 1
	}
	e := c.exprIn(ctx, n, q.scope)
	text := ""
	if e.kind != exprRow {
		text = c.text(c.resolveUnknown(e))
	}
	for i, t := range q.targets {
		if text != "" && t.e.kind != exprRow && argType(t.e) == argType(e) && c.text(t.e) == text {
			return e, i
		}
	}
	return e, -1
}

// output is an output column, its type settled, since something sorts or groups by it.
func (q *selecting) output(i int) *expr {
	t := q.targets[i]
	t.e = q.c.resolveUnknown(t.e)
	return t.e
}

// outputNamed finds an output column by name, -1 if there is none; two that differ are ambiguous.
func (q *selecting) outputNamed(name string, loc int32, what string) int {
	found := -1
	for i, t := range q.targets {
		if t.name != name {
			continue
		}
		if found >= 0 && q.c.text(t.e) != q.c.text(q.targets[found].e) {
			q.c.failAt(loc, pgerror.AmbiguousColumn, "%s \"%s\" is ambiguous", what, name)
		}
		if found < 0 {
			found = i
		}
	}
	return found
}

// intNode is the value of an integer constant.
func intNode(k *pg.A_Const) (int, bool) {
	switch v := k.Val.(type) {
	case *pg.A_Const_Ival:
		return int(v.Ival.GetIval()), true
	case nil:
		return 0, true
	}
	return 0, false
}

// distinctClause compiles DISTINCT and DISTINCT ON.
func (q *selecting) distinctClause(list []*pg.Node) {
	c := q.c
	if len(list) == 0 {
		return
	}
	if list[0].GetNode() == nil { // plain DISTINCT
		q.distinct = true
		for _, t := range q.targets {
			t.e = c.resolveUnknown(t.e)
			c.hashable(t.e)
		}
		for _, o := range q.order {
			if o.col < 0 {
				c.failAt(o.e.loc, pgerror.InvalidColumnReference, "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
			}
		}
		return
	}
	q.distinctOn = []*expr{}
	keys := map[string]bool{}
	for _, n := range list {
		e, _ := q.outputItem(n, ctxDistinctOn, "DISTINCT ON")
		e = c.resolveUnknown(e)
		q.distinctOn = append(q.distinctOn, e)
		keys[c.sortKey(e)] = true
	}
	for _, o := range q.order {
		if len(keys) == 0 {
			break
		}
		if !keys[o.sql] {
			for _, e := range q.distinctOn {
				if keys[c.sortKey(e)] {
					c.failAt(e.loc, pgerror.InvalidColumnReference, "SELECT DISTINCT ON expressions must match initial ORDER BY expressions")
				}
			}
		}
		delete(keys, o.sql)
	}
}

// needsKeys says whether a function must give what the columns are compared by: SQLite's DISTINCT and set operations then
// become GROUP BY.
func (c *compiler) needsKeys(exprs []*expr) bool {
	return slices.ContainsFunc(exprs, func(e *expr) bool { return catalog.KeyFunction(e.typ) != "" })
}

// distinctText writes SELECT DISTINCT as GROUP BY.
func (q *selecting) distinctText(exprs []*expr) string {
	c := q.c
	var b strings.Builder
	b.WriteString("SELECT " + columnNames(len(exprs)) + " FROM (SELECT " + c.selectList(exprs))
	q.body(&b)
	cols := make([]*expr, len(exprs))
	keys := make([]string, len(exprs))
	for i, e := range exprs {
		cols[i] = &expr{kind: exprColumn, sql: "c" + itoa(i+1), typ: e.typ, typmod: -1, loc: -1, atomic: true}
		keys[i] = c.sortKey(cols[i])
	}
	b.WriteString(") GROUP BY " + strings.Join(keys, ", "))
	order := make([]sortTerm, len(q.order))
	for i, o := range q.order {
		order[i] = sortTerm{sql: c.sortKey(cols[o.col]), order: o.order}
	}
	if len(order) > 0 {
		b.WriteString(" ORDER BY " + sortText(order))
	}
	q.limitText(&b)
	return b.String()
}

// hashable refuses what has no equality.
func (c *compiler) hashable(e *expr) {
	switch e.typ {
	case catalog.JSONOID, catalog.XMLOID:
		c.failAt(e.loc, pgerror.UndefinedFunction, "could not identify an equality operator for type %s", typeDisplay(e.typ))
	}
}

// distinctOnText writes SELECT DISTINCT ON: the first row of each group by row_number.
func (q *selecting) distinctOnText(exprs []*expr) string {
	c := q.c
	var b strings.Builder
	b.WriteString("SELECT " + columnNames(len(exprs)) + " FROM (SELECT " + c.selectList(exprs) + ", row_number() OVER (PARTITION BY ")
	for i, e := range q.distinctOn {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.sortKey(e))
	}
	if len(q.order) > 0 {
		b.WriteString(" ORDER BY " + sortText(q.order))
	}
	b.WriteString(") AS lc_first")
	order := make([]sortTerm, len(q.order))
	for i, o := range q.order {
		b.WriteString(", " + c.text(o.e) + " AS o" + itoa(i+1))
		f := *o.e
		f.kind, f.sql, f.atomic = exprPlain, "o"+itoa(i+1), true
		order[i] = sortTerm{sql: c.keyed(&f), order: o.order}
	}
	q.body(&b)
	b.WriteString(") WHERE lc_first = 1")
	if len(order) > 0 {
		b.WriteString(" ORDER BY " + sortText(order))
	}
	q.limitText(&b)
	return b.String()
}

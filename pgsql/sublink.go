package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// subLink compiles a subquery in an expression.
func (c *compiler) subLink(n *pg.SubLink, s *scope) *expr {
	filter := s.filter
	s.filter = false
	sel := n.Subselect.GetSelectStmt()
	if sel == nil {
		c.unsupported(n.Location, "subquery of this kind")
	}
	switch n.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return c.exists(sel, s, filter, n.Location)
	case pg.SubLinkType_EXPR_SUBLINK:
		outside := c.deepest
		c.deepest = 0
		r := c.nested(func() *rel { return c.selectQuery(sel, s) })
		if len(r.cols) != 1 {
			c.failAt(n.Location, pgerror.SyntaxError, "subquery must return only one column")
		}
		e := c.scalarSubquery(r, n.Location)
		e.depth = max(e.depth, c.deepest+20) // a level of SELECT takes some of SQLite's
		c.deepest = outside
		return e
	case pg.SubLinkType_ARRAY_SUBLINK:
		return c.arraySubquery(sel, s, n.Location)
	case pg.SubLinkType_ANY_SUBLINK, pg.SubLinkType_ALL_SUBLINK:
		name := "="
		if len(n.OperName) > 0 {
			name = c.operatorName(n.OperName, n.Location)
		}
		l := c.expr(n.Testexpr, s)
		return c.quantified(name, l, c.nested(func() *rel { return c.query(sel, s) }), n.SubLinkType == pg.SubLinkType_ALL_SUBLINK, filter, n.Location)
	}
	c.unsupported(n.Location, "subquery of this kind")
	return nil
}

// nested compiles a query in an expression. Where such queries are nested deep it goes into a FROM clause, for SQLite
// counts the depths of all expressions around one together, and in them the queries' own.
func (c *compiler) nested(compile func() *rel) *rel {
	beside := c.queries
	c.queries = 0
	r := compile()
	if c.queries++; c.queries > maxQueries && !r.rows {
		build, n := r.build, len(r.cols)
		r.build = func() string { return "SELECT " + columnNames(n) + " FROM (" + build() + ")" }
		c.deepest = 0
	}
	c.queries = max(c.queries, beside)
	return r
}

// scalarSubquery is a subquery as a value. SQLite takes the first of several rows; PostgreSQL says 21000.
func (c *compiler) scalarSubquery(r *rel, loc int32) *expr {
	col := &r.cols[0]
	r.single = r.bare && !r.one
	sql := "(" + r.sql() + ")"
	if !r.one && !r.single {
		sql = "(SELECT lc_one(c1) FROM " + sql + ")"
	}
	return &expr{sql: sql, typ: col.typ, typmod: col.typmod, loc: loc, atomic: true, depth: 3}
}

// arraySubquery compiles ARRAY(SELECT …).
func (c *compiler) arraySubquery(sel *pg.SelectStmt, s *scope, loc int32) *expr {
	r := c.selectQuery(sel, s)
	if len(r.cols) != 1 {
		c.failAt(loc, pgerror.SyntaxError, "subquery must return only one column")
	}
	t := r.cols[0].typ
	fn, arr := "lc_array_agg", catalog.ArrayOf(t)
	if elem := catalog.ElemOf(t); elem != 0 {
		fn, arr = "lc_array_agga", t
		t = elem
	}
	if arr == 0 {
		c.failAt(loc, pgerror.UndefinedObject, "could not find array type for data type %s", typeDisplay(t))
	}
	oid := itoa(int(t))
	sql := "(SELECT coalesce(" + fn + "(c1, " + oid + "), lc_array(" + oid + ")) FROM (" + r.sql() + "))"
	return &expr{sql: sql, typ: arr, typmod: r.cols[0].typmod, loc: loc, atomic: true, depth: 4}
}

// quantified compiles x op ANY (SELECT …) and ALL, IN and NOT IN among them.
func (c *compiler) quantified(name string, l *expr, r *rel, all, filter bool, loc int32) *expr {
	left := []*expr{l}
	if l.kind == exprRow {
		left = l.row
	}
	if len(left) < len(r.cols) {
		c.failAt(loc, pgerror.SyntaxError, "subquery has too many columns")
	}
	if len(left) > len(r.cols) {
		c.failAt(loc, pgerror.SyntaxError, "subquery has too few columns")
	}
	in := name == "=" && !all || name == "<>" && all
	depth := 2
	ls, rs := make([]string, len(left)), make([]string, len(left))
	same := true
	alias := c.alias()
	right := &expr{kind: exprRow, typ: catalog.RecordOID, typmod: -1, loc: loc, atomic: true}
	for i, x := range left {
		have := r.column(i)
		y := have
		if r.cols[i].typ == catalog.UnknownOID && !x.isUnknown() {
			c.coerceColumn(r, i, x.typ, -1, implicitCast)
			y = r.column(i)
		} else if r.cols[i].typ == catalog.UnknownOID {
			c.coerceColumn(r, i, catalog.TextOID, -1, implicitCast)
			y = r.column(i)
		}
		outer := &expr{kind: exprColumn, sql: alias + ".c" + itoa(i+1), typ: y.typ, typmod: y.typmod, loc: y.loc, atomic: true}
		a, b := c.comparable(name, x, outer, loc)
		ls[i], rs[i] = c.collated(a), c.text(b)
		same = same && b == outer
		depth = max(depth, a.depth+1)
		right.row = append(right.row, outer)
	}
	inner := r.sql()
	if in {
		op := " IN ("
		if all {
			op = " NOT IN ("
		}
		lhs := ls[0]
		if len(ls) > 1 {
			lhs = "(" + strings.Join(ls, ", ") + ")"
		}
		if !same {
			inner = "SELECT " + strings.Join(rs, ", ") + " FROM (" + inner + ") AS " + alias
		}
		return &expr{sql: lhs + op + inner + ")", typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth}
	}
	var cmp *expr
	if len(left) > 1 {
		cmp = c.rowComparison(name, l, right, loc)
	} else {
		cmp = c.binary(name, left[0], right.row[0], loc)
	}
	hit, miss := "1", "0"
	if all {
		hit, miss = "0", "1"
	}
	sql := "(SELECT CASE WHEN max(r = " + hit + ") = 1 THEN " + hit + " WHEN count(*) > count(r) THEN NULL ELSE " + miss +
		" END FROM (SELECT (" + c.text(cmp) + ") AS r FROM (" + inner + ") AS " + alias + "))"
	return &expr{sql: sql, typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, depth: depth + 4}
}

// rowSubquery compiles (a, b) op (SELECT x, y …).
func (c *compiler) rowSubquery(name string, row *pg.RowExpr, sub *pg.SubLink, s *scope, loc int32) *expr {
	l := c.rowExpr(row, s)
	r := c.selectQuery(sub.Subselect.GetSelectStmt(), s)
	if len(l.row) != len(r.cols) {
		c.failAt(loc, pgerror.SyntaxError, "subquery has too %s columns", map[bool]string{true: "many", false: "few"}[len(r.cols) > len(l.row)])
	}
	right := &expr{kind: exprRow, typ: catalog.RecordOID, typmod: -1, loc: loc, atomic: true}
	alias := c.alias()
	for i := range r.cols {
		right.row = append(right.row, &expr{kind: exprColumn, sql: alias + ".c" + itoa(i+1), typ: r.cols[i].typ, typmod: -1, loc: loc, atomic: true})
	}
	cmp := c.rowComparison(name, l, right, loc)
	inner := "SELECT " + c.text(cmp) + " AS c1 FROM (" + r.sql() + ") AS " + alias
	one := &rel{cols: []relCol{{typ: catalog.BoolOID, typmod: -1}}, one: r.one, build: func() string { return inner }}
	return c.scalarSubquery(one, loc)
}

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
		volatiles := c.volatiles
		l := c.expr(n.Testexpr, s)
		fixed := c.volatiles == volatiles
		r, once := c.independent(s, func() *rel { return c.nested(func() *rel { return c.query(sel, s) }) })
		return c.quantified(&quantifier{
			name: name, l: l, r: r, all: n.SubLinkType == pg.SubLinkType_ALL_SUBLINK, filter: filter, once: once && fixed, loc: n.Location,
		})
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

// independent says of a query in s whether it gives the same each time: it names nothing that is around it and calls no
// volatile function.
func (c *compiler) independent(s *scope, compile func() *rel) (r *rel, is bool) {
	volatiles := c.volatiles
	c.uses = &uses{outer: s, around: c.uses}
	r = compile()
	is = !c.uses.others && c.volatiles == volatiles
	c.uses = c.uses.around
	return r, is
}

// quantifier is x op ANY (SELECT …) or ALL, IN and NOT IN among them.
type quantifier struct {
	name   string
	l      *expr
	r      *rel
	all    bool
	filter bool // FALSE and NULL are the same
	once   bool // r is independent, and l calls no volatile function
	loc    int32
}

// maxRepeated is the length of a query's text that may be written more than once.
const maxRepeated = 4000

// quantified compiles a quantifier.
func (c *compiler) quantified(q *quantifier) *expr {
	name, l, r, all, loc := q.name, q.l, q.r, q.all, q.loc
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
		if !in {
			rs[i] = c.collated(b)
		}
		same = same && b == outer
		depth = max(depth, a.depth+1)
		right.row = append(right.row, outer)
	}
	inner := r.sql()
	repeatable := q.once && len(inner) < maxRepeated
	if in {
		if len(ls) > 1 && (all || !q.filter) {
			// SQLite looks rows up in an index of these columns, if there is one; but of one that begins with a descending
			// column it does not see NULLs.
			same = false
			for i := range rs {
				rs[i] = "+" + rs[i]
			}
		}
		if !same {
			for i := range rs {
				rs[i] += " AS c" + itoa(i+1)
			}
			inner = "SELECT " + strings.Join(rs, ", ") + " FROM (" + inner + ") AS " + alias
		}
		op := " IN ("
		if all {
			op = " NOT IN ("
		}
		lhs := ls[0]
		if len(ls) > 1 {
			lhs = "(" + strings.Join(ls, ", ") + ")"
			if repeatable && (all || !q.filter) && !strings.Contains(lhs, "SELECT ") {
				return &expr{sql: rowIn(ls, inner, all), typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, depth: depth + 3}
			}
		}
		return &expr{sql: lhs + op + inner + ")", typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth}
	}
	if x := extremes[name]; x.fn != "" && len(ls) == 1 && repeatable {
		y, from := rs[0], " FROM ("+inner+") AS "+alias
		if q.filter && !all {
			return &expr{sql: ls[0] + " " + name + " (SELECT " + x.fn + "(" + y + ")" + from + ")", typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 4}
		}
		hit, miss := "1", "0"
		if all {
			x = extremes[x.not]
			hit, miss, name = "0", "1", extremes[name].not
		}
		sql := "CASE " + ls[0] + " " + name + " (SELECT " + x.fn + "(" + y + ")" + from + ") WHEN 1 THEN " + hit +
			" WHEN 0 THEN CASE WHEN EXISTS (SELECT 1" + from + " WHERE " + y + " IS NULL) THEN NULL ELSE " + miss +
			" END ELSE CASE WHEN EXISTS (" + inner + ") THEN NULL ELSE " + miss + " END END"
		return &expr{sql: sql, typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, depth: depth + 6}
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

// extremes says by which value of a set x op ANY (set) is decided, and what is not op.
var extremes = map[string]struct{ fn, not string }{
	"<": {"max", ">="}, "<=": {"max", ">"}, ">": {"min", "<="}, ">=": {"min", "<"},
}

// rowIn is (x, y) IN (query) or NOT IN where NULL and FALSE differ. SQLite then goes through the whole list for each row that
// it does not find in it, in search of NULLs. Only those of its rows that have some need be gone through, unless x or y is NULL.
func rowIn(left []string, query string, not bool) string {
	lhs, op, hit := "("+strings.Join(left, ", ")+")", " IN (", "1"
	if not {
		op, hit = " NOT IN (", "0"
	}
	known, unknown := make([]string, len(left)), make([]string, len(left))
	for i, x := range left {
		known[i], unknown[i] = x+" IS NOT NULL", "c"+itoa(i+1)+" IS NULL"
	}
	return "CASE WHEN " + lhs + " IN (" + query + ") THEN " + hit + " WHEN " + strings.Join(known, " AND ") + " THEN " + lhs + op +
		"SELECT " + columnNames(len(left)) + " FROM (" + query + ") WHERE " + strings.Join(unknown, " OR ") + ") ELSE " + lhs + op + query + ") END"
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

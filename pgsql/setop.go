package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// setOperation compiles UNION, INTERSECT and EXCEPT with their ORDER BY and LIMIT.
func (c *compiler) setOperation(sel *pg.SelectStmt, s *scope) *rel {
	if len(sel.LockingClause) > 0 {
		c.failAt(-1, pgerror.FeatureNotSupported, "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT")
	}
	r := c.setTree(sel, s, true)
	if len(sel.SortClause) == 0 && sel.LimitCount == nil && sel.LimitOffset == nil {
		return r
	}
	c.resolve(r)
	return c.ordered(r, sel, s)
}

// ordered puts ORDER BY and LIMIT around a query, which may name its output columns only.
func (c *compiler) ordered(r *rel, sel *pg.SelectStmt, s *scope) *rel {
	alias := c.alias()
	it := &rangeItem{alias: alias, cols: relColumns(r, alias), relHidden: true}
	out := &rel{cols: r.cols, terms: 1, one: r.one}
	out.exprs = make([]*expr, len(r.cols))
	targets := make([]*target, len(r.cols))
	for i := range r.cols {
		out.exprs[i] = c.itemColumn(it, i)
		out.exprs[i].loc = r.cols[i].loc
		targets[i] = &target{name: r.cols[i].name, e: out.exprs[i]}
	}
	inner := newScope(s.outer)
	inner.items = []*rangeItem{it}
	inner.ctes = s.ctes
	q := &selecting{scope: inner, c: c, node: &pg.SelectStmt{}, targets: targets}
	for _, n := range sel.SortClause {
		sb := n.GetSortBy()
		e, col := q.outputItem(sb.Node, ctxOrder, "ORDER BY")
		if col < 0 {
			err := pgerror.New(pgerror.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
			err.Detail = "Only result column names can be used, not expressions or functions."
			err.Hint = "Add the expression/function to every SELECT, or move the UNION into a FROM clause."
			c.fail(err.At(c.position(e.loc)))
		}
		q.order = c.sortTerms(q.order, e, sb, col)
	}
	var ties bool
	q.limit, q.offset, ties = c.limitClause(sel, inner)
	if ties {
		c.unsupported(-1, "WITH TIES here")
	}
	out.one = out.one || q.limit == "1"
	out.build = func() string {
		var b strings.Builder
		b.WriteString("SELECT " + c.selectList(out.exprs) + " FROM (" + r.sql() + ") AS " + alias)
		q.tail(&b)
		return b.String()
	}
	return out
}

// setArm is one operand of a chain of set operations.
type setArm struct {
	rel *rel
	op  string // before it: " UNION ALL " …; "" for the first
}

// setTree compiles a tree of set operations without the topmost ORDER BY. A left-deep chain is walked without
// recursion, since such chains may be thousands long.
func (c *compiler) setTree(sel *pg.SelectStmt, s *scope, top bool) *rel {
	var chain []*pg.SelectStmt
	n := sel
	for n.Op != pg.SetOperation_SETOP_NONE && (n == sel && top || isBareSetOp(n)) {
		chain = append(chain, n)
		n = n.Larg
	}
	recursions := len(c.recursions)
	left := c.setLeaf(n, s)
	for i := len(chain) - 1; i >= 0; i-- {
		op, leftOnly := chain[i].Op, len(c.recursions)
		right := c.setLeaf(chain[i].Rarg, s)
		switch {
		case op == pg.SetOperation_SETOP_EXCEPT && chain[i].All:
			c.refuseRecursion(recursions, "EXCEPT")
		case op == pg.SetOperation_SETOP_EXCEPT:
			c.refuseRecursion(leftOnly, "EXCEPT")
		case op == pg.SetOperation_SETOP_INTERSECT && chain[i].All:
			c.refuseRecursion(recursions, "INTERSECT")
		}
		left = c.combine(chain[i], left, right)
	}
	return left
}

// isBareSetOp says whether a set operation has no clauses of its own.
func isBareSetOp(n *pg.SelectStmt) bool {
	return n.Op != pg.SetOperation_SETOP_NONE && len(n.SortClause) == 0 && n.LimitCount == nil && n.LimitOffset == nil &&
		n.WithClause == nil && len(n.LockingClause) == 0
}

func (c *compiler) setLeaf(n *pg.SelectStmt, s *scope) *rel {
	if isBareSetOp(n) {
		return c.setTree(n, s, false)
	}
	return c.query(n, &scope{outer: s.outer, ctes: s.ctes, ctx: ctxFrom})
}

// combine makes one operation of two operands, their columns converted to common types.
func (c *compiler) combine(n *pg.SelectStmt, l, r *rel) *rel {
	word := strings.TrimPrefix(n.Op.String(), "SETOP_")
	if len(l.cols) != len(r.cols) {
		loc := int32(-1)
		if len(r.cols) > 0 {
			loc = r.cols[0].loc
		}
		c.failAt(loc, pgerror.SyntaxError, "each %s query must have the same number of columns", word)
	}
	out := &rel{cols: make([]relCol, len(l.cols)), plain: true}
	for i := range l.cols {
		pair := []*expr{l.column(i), r.column(i)}
		typ := c.commonType(word, pair)
		for j, x := range []*rel{l, r} {
			if !c.coerceColumn(x, i, typ, -1, implicitCast) {
				c.failAt(x.cols[i].loc, pgerror.CannotCoerce, "%s could not convert type %s to %s", word, typeDisplay(pair[j].typ), typeDisplay(typ))
			}
		}
		typmod := l.cols[i].typmod
		if r.cols[i].typmod != typmod {
			typmod = -1
		}
		if !(n.Op == pg.SetOperation_SETOP_UNION && n.All) {
			c.hashable(&expr{typ: typ, loc: l.cols[i].loc})
		}
		out.cols[i] = relCol{name: l.cols[i].name, typ: typ, typmod: typmod, loc: l.cols[i].loc, notNull: l.cols[i].notNull && r.cols[i].notNull}
	}
	out.build = func() string { return c.setText(n, l, r, out) }
	return out
}

// maxTerms is how many SELECTs go into one chain; SQLite refuses 500.
const maxTerms = 250

// setText writes one operation.
func (c *compiler) setText(n *pg.SelectStmt, l, r, out *rel) string {
	keyed := func(col relCol) bool { return catalog.KeyFunction(col.typ) != "" }
	if !(n.All && n.Op == pg.SetOperation_SETOP_UNION) && slices.ContainsFunc(l.cols, keyed) {
		out.plain = false
		return c.setGroups(n, l, r)
	}
	if n.All && n.Op != pg.SetOperation_SETOP_UNION {
		return c.setAll(n, l, r)
	}
	op := " UNION "
	switch {
	case n.Op == pg.SetOperation_SETOP_INTERSECT:
		op = " INTERSECT "
	case n.Op == pg.SetOperation_SETOP_EXCEPT:
		op = " EXCEPT "
	case n.All:
		op = " UNION ALL "
	}
	names := columnNames(len(l.cols))
	ltext := l.sql()
	lterms := max(l.terms, 1)
	// the leftmost SELECT's collations decide
	if !l.plain || lterms >= maxTerms || op != " UNION ALL " && needsCollation(l) {
		ltext = "SELECT " + c.collatedNames(l, op != " UNION ALL ") + " FROM (" + ltext + ")"
		lterms = 1
	}
	rtext := r.sql()
	if !r.plain || r.terms > 1 {
		rtext = "SELECT " + names + " FROM (" + rtext + ")"
	}
	out.terms = lterms + 1
	return ltext + op + rtext
}

// setGroups writes a set operation as GROUP BY, for columns that are compared by a function: lc_side is the operand that a
// row comes from, lc_n counts equal rows of an operand where ALL tells them apart.
func (c *compiler) setGroups(n *pg.SelectStmt, l, r *rel) string {
	keys := make([]string, len(l.cols))
	for i := range keys {
		keys[i] = catalog.Compared("c"+itoa(i+1), catalog.Comparison(l.cols[i].typ))
	}
	names, by := columnNames(len(l.cols)), strings.Join(keys, ", ")
	arm := func(x *rel, side string) string {
		text := "SELECT " + names + ", " + side + " AS lc_side"
		if n.All {
			text += ", row_number() OVER (PARTITION BY " + by + ") AS lc_n"
		}
		return text + " FROM (" + x.sql() + ")"
	}
	text := "SELECT " + names + " FROM (" + arm(l, "0") + " UNION ALL " + arm(r, "1") + ") GROUP BY " + by
	if n.All {
		text += ", lc_n"
	}
	switch n.Op {
	case pg.SetOperation_SETOP_INTERSECT:
		text += " HAVING min(lc_side) = 0 AND sum(lc_side) > 0"
	case pg.SetOperation_SETOP_EXCEPT:
		text += " HAVING sum(lc_side) = 0"
	}
	return text
}

func needsCollation(r *rel) bool {
	for i := range r.cols {
		if catalog.Collation(r.cols[i].typ) != "" {
			return true
		}
	}
	return false
}

// collatedNames is "c1, c2 COLLATE RTRIM AS c2, …".
func (c *compiler) collatedNames(r *rel, on bool) string {
	if !on || !needsCollation(r) {
		return columnNames(len(r.cols))
	}
	names := make([]string, len(r.cols))
	for i := range names {
		names[i] = "c" + itoa(i+1)
		if coll := catalog.Collation(r.cols[i].typ); coll != "" {
			names[i] += " COLLATE " + coll + " AS " + names[i]
		}
	}
	return strings.Join(names, ", ")
}

// setAll writes INTERSECT ALL and EXCEPT ALL: equal rows are numbered, and the operation goes by row and number.
func (c *compiler) setAll(n *pg.SelectStmt, l, r *rel) string {
	op := " INTERSECT "
	if n.Op == pg.SetOperation_SETOP_EXCEPT {
		op = " EXCEPT "
	}
	keys := make([]string, len(l.cols))
	for i := range keys {
		keys[i] = "c" + itoa(i+1)
		if coll := catalog.Collation(l.cols[i].typ); coll != "" {
			keys[i] += " COLLATE " + coll
		}
	}
	over := "row_number() OVER ()"
	if len(keys) > 0 {
		over = "row_number() OVER (PARTITION BY " + strings.Join(keys, ", ") + ")"
	}
	arm := func(x *rel) string {
		return "SELECT " + c.collatedNames(x, true) + ", " + over + " AS lc_n FROM (" + x.sql() + ")"
	}
	return "SELECT " + columnNames(len(l.cols)) + " FROM (" + arm(l) + op + arm(r) + ")"
}

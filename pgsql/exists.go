package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// uses tells whose columns an expression within a query names.
type uses struct {
	outer  *scope // the level around the query
	around *uses

	own     bool // of the query, or of queries in it
	others  bool // of levels around it …
	settled bool // … some of which are arguments: the row at hand
}

// note notes the use of a column of a level.
func (u *uses) note(level *scope, argument bool) {
	for ; u != nil; u = u.around {
		s := u.outer
		for s != nil && s != level {
			s = s.outer
		}
		if s == nil {
			u.own = true
		} else {
			u.others, u.settled = true, u.settled || argument
		}
	}
}

// conjunct is one of the conditions that AND connects in the WHERE of EXISTS.
type conjunct struct {
	e            *expr
	correlated   bool
	inner, outer *expr // of an equality of the query's own with what is around it: the sides; else nil
}

// exists compiles EXISTS (SELECT …). SQLite runs such a query anew for each row around it, and makes no index for it. Where
// only equalities connect the two, and no index of the query's tables serves them, it becomes IN, whose list SQLite makes
// once and looks up by key.
func (c *compiler) exists(sel *pg.SelectStmt, s *scope, filter bool, loc int32) *expr {
	var left []*expr
	r := c.nested(func() (r *rel) {
		if !mayBeList(sel) {
			return c.selectQuery(sel, s)
		}
		r, left = c.semijoin(sel, s)
		return r
	})
	if left == nil {
		return &expr{sql: "EXISTS (" + r.sql() + ")", typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, depth: 2}
	}
	keys, depth := make([]string, len(left)), 0
	for i, e := range left {
		keys[i], depth = c.collated(e), max(depth, e.depth)
	}
	in := strings.Join(keys, ", ")
	if len(keys) > 1 {
		in = "(" + in + ")"
	}
	in += " IN (" + r.sql() + ")"
	if filter {
		return &expr{sql: in, typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 2}
	}
	// It is never NULL. SQLite tells NULL and FALSE apart by a walk through a list of rows, but not in a WHEN.
	return &expr{sql: "CASE WHEN " + in + " THEN 1 ELSE 0 END", typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, depth: depth + 3}
}

// mayBeList says whether the query of an EXISTS has rows where its FROM and WHERE have, by its syntax.
func mayBeList(sel *pg.SelectStmt) bool {
	if sel.LimitCount != nil { // Django writes LIMIT 1
		k := sel.LimitCount.GetAConst()
		if k == nil || k.GetIval().GetIval() < 1 || sel.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES {
			return false
		}
	}
	return sel.Op == pg.SetOperation_SETOP_NONE && len(sel.FromClause) > 0 && sel.WhereClause != nil && sel.LimitOffset == nil &&
		len(sel.GroupClause) == 0 && sel.HavingClause == nil && len(sel.DistinctClause) == 0 && len(sel.WindowClause) == 0 &&
		len(sel.LockingClause) == 0 && sel.WithClause == nil && sel.IntoClause == nil
}

// semijoin compiles the query of an EXISTS: into what left is to be looked up in, or, where left is nil, as it stands.
func (c *compiler) semijoin(sel *pg.SelectStmt, outer *scope) (r *rel, left []*expr) {
	q := &selecting{scope: newScope(outer), c: c, node: sel}
	s, volatiles := q.scope, c.volatiles
	c.uses = &uses{outer: outer, around: c.uses}
	s.condition = sel.WhereClause
	q.from = c.from(sel.FromClause, s)
	s.condition = nil
	fits := !c.uses.others
	s.ctx, s.filter = ctxWhere, true
	list := c.conjuncts(nil, sel.WhereClause, s, "WHERE")
	s.ctx, s.filter = ctxNone, false
	c.uses = c.uses.around

	var whole, own []string
	var right []*expr
	for _, x := range list {
		text := c.operand(x.e)
		whole = append(whole, text)
		switch {
		case x.inner != nil:
			fits = fits && !c.hasIndex(x.inner, s)
			left, right = append(left, x.outer), append(right, x.inner)
			if !x.inner.notNull {
				own = append(own, c.operand(x.inner)+" IS NOT NULL")
			}
		case x.correlated:
			fits = false
		default:
			own = append(own, text)
		}
	}
	q.where = balance(whole, " AND ")
	if len(list) == 1 {
		q.where = c.text(list[0].e)
	}
	q.run()
	c.resolve(q.rel)
	if !fits || right == nil || !c.readsOne(right, s) || q.grouped || s.hasWindow || len(s.srfs) > 0 || c.volatiles > volatiles {
		return q.rel, nil
	}
	q.where, q.order, q.limit = balance(own, " AND "), nil, ""
	q.rel = &rel{exprs: right, cols: make([]relCol, len(right)), build: q.text, terms: 1, plain: true}
	for i, e := range right {
		q.rel.cols[i] = relCol{typ: e.typ, typmod: e.typmod, loc: e.loc}
	}
	return q.rel, left
}

// conjuncts compiles what AND connects in a condition and appends it to list.
func (c *compiler) conjuncts(list []conjunct, n *pg.Node, s *scope, what string) []conjunct {
	if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
		for _, a := range b.Args {
			list = c.conjuncts(list, a, s, "AND")
		}
		return list
	}
	side := func(n *pg.Node) (*expr, uses) {
		c.uses.own, c.uses.others, c.uses.settled = false, false, false
		e := c.expr(n, s)
		return e, *c.uses
	}
	x := n.GetAExpr()
	if x == nil || x.Kind != pg.A_Expr_Kind_AEXPR_OP || x.Lexpr == nil || c.operatorName(x.Name, x.Location) != "=" || x.Rexpr.GetSubLink() != nil {
		e, use := side(n)
		return append(list, conjunct{e: c.coerceBool(e, what), correlated: use.others})
	}
	filter := s.filter
	s.filter = false
	l, lu := side(x.Lexpr)
	r, ru := side(x.Rexpr)
	s.filter = filter
	j := conjunct{e: c.operation("=", l, r, x.Location), correlated: lu.others || ru.others}
	apart := lu.own && !lu.others && ru.others && !ru.own || ru.own && !ru.others && lu.others && !lu.own
	if apart && !lu.settled && !ru.settled && c.splits("=", l, r) {
		j.inner, j.outer = c.comparable("=", l, r, x.Location)
		if ru.own {
			j.inner, j.outer = j.outer, j.inner
		}
	}
	return append(list, j)
}

// readsOne says whether expressions read one and the same table of s. Equalities with several may be all that connects
// these: without them the rows would be all combinations.
func (c *compiler) readsOne(list []*expr, s *scope) bool {
	n := 0
	for _, it := range s.items {
		if it.alias != "" && slices.ContainsFunc(list, func(e *expr) bool { return strings.Contains(c.text(e), it.alias+".") }) {
			n++
		}
	}
	return n == 1
}

// hasIndex says whether SQLite may find rows of s's tables by an index on e, which reads nothing else.
func (c *compiler) hasIndex(e *expr, s *scope) bool {
	text := c.text(e)
	for _, it := range s.items {
		for i := range it.cols {
			if it.cols[i].sql != text {
				continue
			}
			t := c.env.Schema.RelationByOID(it.cols[i].tableOID)
			if t == nil {
				return it.derived // of a UNION, into which SQLite puts conditions
			}
			return t.System || t.Kind != catalog.KindTable || beginsIndex(t, it.cols[i].attNum) // whose a view's column is isn't known
		}
	}
	for _, it := range s.items {
		if it.table != nil && beginsIndex(it.table, 0) {
			return true
		}
	}
	return false
}

// beginsIndex says whether an index of t has a column (0: an expression) as its first key.
func beginsIndex(t *catalog.Table, num int16) bool {
	var id catalog.ID
	for _, col := range t.Columns {
		if col.Num == num {
			id = col.ID
		}
	}
	for _, i := range t.Indexes {
		if len(i.Keys) > 0 && i.Keys[0].Column == id {
			return true
		}
	}
	return false
}

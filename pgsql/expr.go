package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// exprKind tells apart the expressions that a context may still give a type, and those that it looks through.
type exprKind uint8

const (
	exprPlain   exprKind = iota
	exprUnknown          // a string constant (or NULL) of type unknown: val is its text
	exprParam            // parameter num, of type unknown
	exprConst            // a typed constant: val is its stored form
	exprColumn           // a plain column of a range item: tableOID, attNum
	exprRow              // ROW(…), or a whole-row reference: row
)

// expr is a typed expression: SQLite SQL and what PostgreSQL knows of its value. It is immutable; what changes it makes
// a new one.
type expr struct {
	kind    exprKind
	atomic  bool // the SQL needs no parentheses as an operand
	isParam bool // a typed parameter

	typ    uint32
	typmod int32
	loc    int32 // byte offset, -1: none
	depth  int   // of SQLite's expression tree, about
	nest   int   // of parentheses in the SQL, about

	sql string // "" for exprUnknown, exprConst, exprRow: see text
	val catalog.Value
	num int    // exprParam; exprConst of numeric type: see lit
	lit string // the digits of a numeric constant

	tableOID uint32
	attNum   int16
	notNull  bool
	name     string // exprColumn: its name

	row      []*expr
	rowNames []string
	presence string   // of a whole-row reference: what is NULL-extended away is no row
	concat   []string // operands of a chain of ||
	coll     string   // explicit COLLATE: "C", "default" …
}

// null is the SQL NULL of a type.
func null(typ uint32, loc int32) *expr {
	return &expr{kind: exprConst, typ: typ, typmod: -1, loc: loc, atomic: true}
}

// text returns the expression's SQL, without COLLATE.
func (c *compiler) text(e *expr) string {
	switch e.kind {
	case exprUnknown, exprConst:
		return c.konst(e.val)
	case exprParam:
		return c.arg(Arg{Kind: ArgParam, Index: e.num})
	case exprRow:
		if e.sql == "" {
			return c.recordText(e)
		}
	}
	return e.sql
}

// operand returns the SQL as an operand: parenthesised unless atomic.
func (c *compiler) operand(e *expr) string {
	s := c.text(e)
	switch e.kind {
	case exprUnknown, exprConst, exprParam, exprColumn:
		return s
	}
	if e.atomic {
		return s
	}
	return "(" + s + ")"
}

// collated returns the SQL of an operand of a comparison, with COLLATE where the type's stored form needs it.
func (c *compiler) collated(e *expr) string {
	s := c.operand(e)
	if coll := catalog.Collation(e.typ); coll != "" {
		return s + " COLLATE " + coll
	}
	return s
}

// sortKey returns the SQL of a term of ORDER BY, GROUP BY, DISTINCT or PARTITION BY. A constant is wrapped, since SQLite
// would take it for a column's ordinal.
func (c *compiler) sortKey(e *expr) string {
	if e.kind == exprConst || e.kind == exprUnknown || e.kind == exprParam {
		return "(SELECT " + c.text(e) + ")"
	}
	return c.keyed(e)
}

// keyed returns the SQL of what sorting and grouping compare: what collated gives or, where only a function can, the key.
func (c *compiler) keyed(e *expr) string {
	if fn := catalog.KeyFunction(e.typ); fn != "" {
		return fn + "(" + c.text(e) + ")"
	}
	return c.collated(e)
}

// plain makes an expression of SQL text.
func plain(sql string, typ uint32, atomic bool, loc int32, args ...*expr) *expr {
	d, n := 0, 0
	for _, a := range args {
		d, n = max(d, a.depth), max(n, a.nest)
	}
	return &expr{sql: sql, typ: typ, typmod: -1, atomic: atomic, loc: loc, depth: d + 1, nest: n + 1}
}

// isUnknown says whether the context may still choose the expression's type.
func (e *expr) isUnknown() bool { return e.kind == exprUnknown || e.kind == exprParam }

// isNullConst says whether the expression is the constant NULL.
func (e *expr) isNullConst() bool {
	return (e.kind == exprUnknown || e.kind == exprConst) && e.val.IsNull()
}

// expr compiles an expression in s.
func (c *compiler) expr(n *pg.Node, s *scope) *expr {
	if e := s.groupedNode(n); e != nil {
		return e
	}
	if e := c.madeBefore(n, s); e != nil {
		return e
	}
	mark, names, srfs := len(s.bare), c.rels, len(s.srfs)
	filter := s.filter
	s.filter = filter && keepsFilter(n)
	e := c.exprNode(n, s)
	s.filter = filter
	if c.rels > names && len(s.srfs) == srfs && s.findsAgain() {
		s.made = append(s.made, made{n, e, c.agg})
	}
	if e.nest > maxNest {
		c.fail(pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
			WithDetail("An expression is nested more than %d deep.", maxNest))
	}
	if e.depth > maxDepth {
		e = c.flatten(e)
	}
	c.deepest = max(c.deepest, e.depth)
	if s.groups != nil {
		e = c.matchGroup(s, e, mark)
	}
	return e
}

// keepsFilter says whether FALSE and NULL are still the same within n when they are for n.
func keepsFilter(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_BoolExpr:
		return x.BoolExpr.Boolop != pg.BoolExprType_NOT_EXPR
	case *pg.Node_AExpr:
		return x.AExpr.Kind == pg.A_Expr_Kind_AEXPR_OP_ANY || x.AExpr.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL
	case *pg.Node_SubLink:
		return true
	}
	return false
}

// maxDepth is the depth of expression from which parts are moved out of line: SQLite refuses 1,000.
const maxDepth = 400

// maxNest is how deep an expression may nest before SQLite's parser gives up.
const maxNest = 800

// flatten hides an expression's depth from SQLite, which does not count what stands in a FROM clause.
func (c *compiler) flatten(e *expr) *expr {
	f := *e
	f.sql = "(SELECT v FROM (SELECT " + c.text(e) + " AS v))"
	f.atomic, f.depth, f.kind = true, 2, exprPlain
	return &f
}

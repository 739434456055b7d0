package pgsql

import (
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
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
		s.made = append(s.made, made{n, c.syntaxSum(n), e, c.agg})
	}
	if e.depth > maxDepth || e.nest > maxNest {
		e = c.flatten(e, s)
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

// maxNest is how deep an expression nests before parts are moved out of line: SQLite's parser has a stack of 2,500 symbols,
// of which a call or CASE takes some five.
const maxNest = 150

// flat is a part of an expression that was moved out of line.
type flat struct {
	scope *scope
	name  string
	sql   string   // what stands in its place
	with  []string // the common table expressions that sql has: the part's own, and before it those that it reads
}

// flatten moves an expression out of line, into a common table expression: SQLite counts the depth of what stands in FROM
// apart. Those that were moved out of the expression before go beside it, so that the text does not nest either. An
// expression of which parts may not be worked out reads them by subqueries, and SQLite then counts the depth of all. One
// with count(*) or a window function in it stays where it is.
func (c *compiler) flatten(e *expr, s *scope) *expr {
	sql := c.text(e)
	if slices.ContainsFunc(s.bound, func(agg string) bool { return strings.Contains(sql, agg) }) {
		return e // elsewhere it would be of the one row there
	}
	lazy := slices.ContainsFunc([]string{"CASE ", "coalesce(", " AND ", " OR "}, func(word string) bool { return strings.Contains(sql, word) })
	n := flat{scope: s}
	var from []string
	for _, in := range c.flats {
		if in.scope != s || !strings.Contains(sql, in.sql) {
			continue
		}
		if lazy {
			sql = strings.ReplaceAll(sql, in.sql, "(SELECT v FROM "+in.name+")")
		} else {
			sql = strings.ReplaceAll(sql, in.sql, in.name+".v")
			from = append(from, in.name)
		}
		for _, w := range in.with {
			if !slices.Contains(n.with, w) {
				n.with = append(n.with, w)
			}
		}
	}
	h := fnv.New64a()
	h.Write([]byte(sql))
	n.name = "f" + strconv.FormatUint(h.Sum64(), 36) // what is compiled twice has to look alike, for GROUP BY
	part := n.name + "(v) AS (SELECT " + sql
	if len(from) > 0 {
		part += " FROM " + strings.Join(from, ", ")
	}
	n.with = append(n.with, part+")")
	n.sql = "(WITH " + strings.Join(n.with, ", ") + " SELECT v FROM " + n.name + ")"
	if !slices.ContainsFunc(c.flats, func(in flat) bool { return in.scope == s && in.name == n.name }) {
		c.flats = append(c.flats, n)
	}
	f := *e
	f.sql, f.atomic, f.depth, f.nest, f.kind = n.sql, true, 2, 2, exprPlain
	return &f
}

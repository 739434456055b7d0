package pgsql

import (
	"fmt"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// exprNode compiles one node of an expression.
func (c *compiler) exprNode(n *pg.Node, s *scope) *expr {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return c.columnRef(x.ColumnRef, s)
	case *pg.Node_AConst:
		return c.constant(x.AConst)
	case *pg.Node_ParamRef:
		return c.paramRef(x.ParamRef)
	case *pg.Node_AExpr:
		return c.aExpr(x.AExpr, s)
	case *pg.Node_BoolExpr:
		return c.boolExpr(x.BoolExpr, s)
	case *pg.Node_FuncCall:
		return c.funcCall(x.FuncCall, s)
	case *pg.Node_TypeCast:
		return c.typeCast(x.TypeCast, s)
	case *pg.Node_NullTest:
		return c.nullTest(x.NullTest, s)
	case *pg.Node_BooleanTest:
		return c.booleanTest(x.BooleanTest, s)
	case *pg.Node_CaseExpr:
		return c.caseExpr(x.CaseExpr, s)
	case *pg.Node_CoalesceExpr:
		return c.coalesce(x.CoalesceExpr, s)
	case *pg.Node_MinMaxExpr:
		return c.minMax(x.MinMaxExpr, s)
	case *pg.Node_SqlvalueFunction:
		return c.sqlValueFunction(x.SqlvalueFunction)
	case *pg.Node_SubLink:
		return c.subLink(x.SubLink, s)
	case *pg.Node_AArrayExpr:
		return c.arrayExpr(x.AArrayExpr, s, 0)
	case *pg.Node_RowExpr:
		return c.rowExpr(x.RowExpr, s)
	case *pg.Node_AIndirection:
		return c.indirection(x.AIndirection, s)
	case *pg.Node_CollateClause:
		return c.collate(x.CollateClause, s)
	case *pg.Node_GroupingFunc:
		return c.groupingFunc(x.GroupingFunc, s)
	case *pg.Node_SetToDefault:
		c.failAt(x.SetToDefault.Location, pgerror.SyntaxError, "DEFAULT is not allowed in this context")
	case *pg.Node_CurrentOfExpr:
		c.unsupported(-1, "WHERE CURRENT OF")
	case *pg.Node_NamedArgExpr:
		c.unsupported(x.NamedArgExpr.Location, "named argument notation")
	case *pg.Node_MultiAssignRef:
		c.unsupported(-1, "multiple assignment here")
	case *pg.Node_XmlExpr:
		c.unsupported(x.XmlExpr.Location, "XML expression")
	case *pg.Node_XmlSerialize:
		c.unsupported(x.XmlSerialize.Location, "XMLSERIALIZE")
	case *pg.Node_JsonObjectConstructor:
		c.unsupported(x.JsonObjectConstructor.Location, "JSON_OBJECT")
	case *pg.Node_JsonArrayConstructor:
		c.unsupported(x.JsonArrayConstructor.Location, "JSON_ARRAY")
	case *pg.Node_JsonFuncExpr:
		c.unsupported(x.JsonFuncExpr.Location, "SQL/JSON function")
	case *pg.Node_JsonIsPredicate:
		c.unsupported(x.JsonIsPredicate.Location, "IS JSON")
	case nil:
		c.unsupported(-1, "empty expression")
	}
	c.unsupported(-1, "%s", strings.TrimPrefix(fmt.Sprintf("%T", n.GetNode()), "*pg_query.Node_"))
	return nil
}

// constant compiles a literal.
func (c *compiler) constant(n *pg.A_Const) *expr {
	loc := n.Location
	if n.Isnull {
		return &expr{kind: exprUnknown, typ: catalog.UnknownOID, typmod: -1, loc: loc, atomic: true}
	}
	switch v := n.Val.(type) {
	case *pg.A_Const_Ival:
		return intConst(int64(v.Ival.GetIval()), loc)
	case *pg.A_Const_Fval:
		return c.numericConst(v.Fval.GetFval(), loc)
	case *pg.A_Const_Boolval:
		return &expr{kind: exprConst, typ: catalog.BoolOID, typmod: -1, loc: loc, atomic: true, val: catalog.Bool(v.Boolval.GetBoolval())}
	case *pg.A_Const_Sval:
		return unknownText(v.Sval.GetSval(), loc)
	case *pg.A_Const_Bsval:
		c.unsupported(loc, "bit string constant")
	}
	return intConst(0, loc) // protobuf leaves out an empty Integer
}

func unknownText(s string, loc int32) *expr {
	return &expr{kind: exprUnknown, typ: catalog.UnknownOID, typmod: -1, loc: loc, atomic: true, val: catalog.Str(s)}
}

// intConst is an integer constant: int4 where it fits, else int8.
func intConst(i int64, loc int32) *expr {
	typ := catalog.Int4OID
	if i != int64(int32(i)) {
		typ = catalog.Int8OID
	}
	return &expr{kind: exprConst, typ: typ, typmod: -1, loc: loc, atomic: true, val: catalog.Int(i)}
}

// numericConst is a constant that is too big for int4, or has a fraction or an exponent.
func (c *compiler) numericConst(digits string, loc int32) *expr {
	if i, err := strconv.ParseInt(strings.ReplaceAll(digits, "_", ""), 0, 64); err == nil && !strings.HasPrefix(digits, "0") {
		return intConst(i, loc)
	}
	if d, negative := strings.CutPrefix(digits, "-"); negative {
		digits = minus(d)
	}
	v, err := catalog.DecodeText(catalog.NumericOID, -1, []byte(digits), c.env.Output)
	c.check(err, loc)
	return &expr{kind: exprConst, typ: catalog.NumericOID, typmod: -1, loc: loc, atomic: true, val: v, lit: digits}
}

// paramRef compiles $n.
func (c *compiler) paramRef(n *pg.ParamRef) *expr {
	if len(c.macro) > 0 {
		return c.macroArg(n)
	}
	num := int(n.Number) - 1
	if num < 0 || num >= 65535 {
		c.failAt(n.Location, pgerror.UndefinedParameter, "there is no parameter $%d", n.Number)
	}
	if num >= len(c.params) {
		c.setParam(num, 0)
	}
	return c.param(num, n.Location)
}

// aExpr compiles an operator expression.
func (c *compiler) aExpr(n *pg.A_Expr, s *scope) *expr {
	loc := n.Location
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return c.opExpr(n, s)
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		return c.scalarArray(n, s, n.Kind == pg.A_Expr_Kind_AEXPR_OP_ALL)
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return c.distinctFrom(n, s)
	case pg.A_Expr_Kind_AEXPR_NULLIF:
		l, r := c.expr(n.Lexpr, s), c.expr(n.Rexpr, s)
		eq := c.binary("=", l, r, loc)
		if l.isUnknown() {
			l = c.resolveUnknown(l)
		}
		if l.kind != exprRow {
			if a, b := c.comparable("=", l, r, loc); a == l {
				e := plain("nullif("+c.collated(a)+", "+c.text(b)+")", l.typ, true, loc, a, b)
				e.typmod = l.typmod
				return e
			}
			l = c.leftOperand("=", l, r)
		}
		e := plain("CASE WHEN "+c.text(eq)+" THEN NULL ELSE "+c.text(l)+" END", l.typ, false, loc, eq, l)
		e.typmod = l.typmod
		return e
	case pg.A_Expr_Kind_AEXPR_IN:
		return c.inList(n, s)
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
		return c.opExpr(n, s)
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN,
		pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
		return c.between(n, s)
	}
	c.unsupported(loc, "%s", n.Kind)
	return nil
}

// opExpr compiles a prefix or binary operator. Long left-deep chains are walked without recursion.
func (c *compiler) opExpr(n *pg.A_Expr, s *scope) *expr {
	name := c.operatorName(n.Name, n.Location)
	if n.Lexpr == nil {
		if name == "-" {
			if k := n.Rexpr.GetAConst(); k != nil {
				if e := c.negated(k); e != nil {
					return e
				}
			}
		}
		return c.binary(name, nil, c.expr(n.Rexpr, s), n.Location)
	}
	if sub := n.Rexpr.GetSubLink(); sub != nil && sub.SubLinkType == pg.SubLinkType_EXPR_SUBLINK {
		if row := n.Lexpr.GetRowExpr(); row != nil {
			return c.rowSubquery(name, row, sub, s, n.Location)
		}
	}
	l := c.expr(n.Lexpr, s)
	r := c.expr(n.Rexpr, s)
	return c.operation(name, l, r, n.Location)
}

// operation applies a binary operator to operands as they were written.
func (c *compiler) operation(name string, l, r *expr, loc int32) *expr {
	if name != "||" && (l.kind == exprRow) != (r.kind == exprRow) {
		c.unsupported(loc, "comparison of a row with a value of type %s", typeDisplay(argType(r)))
	}
	return c.binary(name, l, r, loc)
}

// negated folds the sign of a numeric literal, as PostgreSQL's grammar does.
func (c *compiler) negated(k *pg.A_Const) *expr {
	switch v := k.Val.(type) {
	case *pg.A_Const_Ival:
		return intConst(-int64(v.Ival.GetIval()), k.Location)
	case *pg.A_Const_Fval:
		d := v.Fval.GetFval()
		if strings.HasPrefix(d, "-") {
			return c.numericConst(d[1:], k.Location)
		}
		return c.numericConst("-"+d, k.Location)
	}
	return nil
}

// minus is a literal of numeric with its sign: its 0 has none, also where a float is made of it.
func minus(literal string) string {
	digits, _, _ := strings.Cut(strings.ToLower(literal), "e")
	if strings.Trim(digits, "0._") == "" {
		return literal
	}
	return "-" + literal
}

// distinctFrom compiles IS [NOT] DISTINCT FROM.
func (c *compiler) distinctFrom(n *pg.A_Expr, s *scope) *expr {
	op := "IS NOT"
	if n.Kind == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT {
		op = "IS"
	}
	l, r := c.expr(n.Lexpr, s), c.expr(n.Rexpr, s)
	if l.kind == exprRow && r.kind == exprRow {
		if len(l.row) != len(r.row) {
			c.failAt(n.Location, pgerror.SyntaxError, "unequal number of entries in row expressions")
		}
		parts := make([]string, len(l.row))
		for i := range l.row {
			a, b := c.comparable("=", l.row[i], r.row[i], n.Location)
			parts[i] = c.collated(a) + " " + op + " " + c.collated(b)
		}
		join := " OR "
		if op == "IS" {
			join = " AND "
		}
		return plain("("+strings.Join(parts, join)+")", catalog.BoolOID, true, n.Location)
	}
	if l.isNullConst() || r.isNullConst() {
		if l.isNullConst() {
			l = r
		}
		return plain(c.operand(c.resolveUnknown(l))+" "+op+" NULL", catalog.BoolOID, false, n.Location, l)
	}
	a, b := c.comparable("=", l, r, n.Location)
	return plain(c.collated(a)+" "+op+" "+c.collated(b), catalog.BoolOID, false, n.Location, a, b)
}

// between compiles [NOT] BETWEEN [SYMMETRIC] as PostgreSQL's grammar defines it.
func (c *compiler) between(n *pg.A_Expr, s *scope) *expr {
	list := n.Rexpr.GetList().GetItems()
	if len(list) != 2 {
		c.unsupported(n.Location, "BETWEEN")
	}
	x, lo := c.expr(n.Lexpr, s), c.expr(list[0], s)
	if x.kind != exprRow && lo.kind != exprRow {
		c.comparable(">=", x, lo, n.Location) // it gives parameters their types, before the second bound is read
		if x.isUnknown() {
			x = c.expr(n.Lexpr, s)
		}
		if lo.isUnknown() {
			lo = c.expr(list[0], s)
		}
	}
	hi := c.expr(list[1], s)
	pair := func(lo, hi *expr) *expr {
		if x.kind != exprRow && lo.kind != exprRow && hi.kind != exprRow {
			x1, a := c.comparable(">=", x, lo, n.Location)
			x2, b := c.comparable("<=", x, hi, n.Location)
			if x1.typ == x2.typ && c.text(x1) == c.text(x2) && !c.narrows(x, lo) && !c.narrows(x, hi) {
				return plain("("+c.collated(x1)+" BETWEEN "+c.operand(a)+" AND "+c.operand(b)+")", catalog.BoolOID, true, n.Location, x1, a, b)
			}
		}
		a, b := c.binary(">=", x, lo, n.Location), c.binary("<=", x, hi, n.Location)
		return plain("("+c.text(a)+" AND "+c.text(b)+")", catalog.BoolOID, true, n.Location, a, b)
	}
	var e *expr
	switch n.Kind {
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		e = pair(lo, hi)
	default:
		a, b := pair(lo, hi), pair(hi, lo)
		e = plain("("+a.sql+" OR "+b.sql+")", catalog.BoolOID, true, n.Location, a, b)
	}
	if n.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN || n.Kind == pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM {
		e = plain("NOT "+e.sql, catalog.BoolOID, false, n.Location, e)
	}
	return e
}

// boolExpr compiles AND, OR and NOT.
func (c *compiler) boolExpr(n *pg.BoolExpr, s *scope) *expr {
	if n.Boolop == pg.BoolExprType_NOT_EXPR {
		e := c.coerceBool(c.expr(n.Args[0], s), "NOT")
		return plain("NOT "+c.operand(e), catalog.BoolOID, false, n.Location, e)
	}
	word, op := "AND", " AND "
	if n.Boolop == pg.BoolExprType_OR_EXPR {
		word, op = "OR", " OR "
	}
	parts := make([]string, len(n.Args))
	depth, loc := 0, n.Location
	for i, a := range n.Args {
		e := c.coerceBool(c.expr(a, s), word)
		parts[i] = c.operand(e)
		depth = max(depth, e.depth)
		loc = startOf(loc, e.loc)
	}
	for m := len(parts); m > 1; m /= 2 {
		depth++
	}
	return &expr{sql: balance(parts, op), typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 8}
}

// typeCast compiles CAST and ::.
func (c *compiler) typeCast(n *pg.TypeCast, s *scope) *expr {
	typ, typmod := c.typeName(n.TypeName)
	loc := n.Location
	var e *expr
	if arr := n.Arg.GetAArrayExpr(); arr != nil && catalog.ElemOf(typ) != 0 {
		e = c.arrayExpr(arr, s, typ)
	} else {
		e = c.expr(n.Arg, s)
	}
	if loc < 0 {
		loc = e.loc
	}
	return c.cast(e, typ, typmod, loc)
}

// nullTest compiles IS [NOT] NULL.
func (c *compiler) nullTest(n *pg.NullTest, s *scope) *expr {
	e := c.expr(n.Arg, s)
	op := " IS NULL"
	if n.Nulltesttype == pg.NullTestType_IS_NOT_NULL {
		op = " IS NOT NULL"
	}
	if e.kind == exprRow {
		parts := make([]string, 0, len(e.row))
		for _, x := range e.row {
			parts = append(parts, c.operand(c.resolveUnknown(x))+op)
		}
		if e.sql != "" { // a whole-row reference
			parts = nil
			for _, x := range e.row {
				parts = append(parts, c.operand(x)+op)
			}
		}
		if len(parts) == 0 {
			parts = []string{"1"}
		}
		return plain("("+balance(parts, " AND ")+")", catalog.BoolOID, true, n.Location)
	}
	if e.kind != exprParam { // which stays without a type, as in PostgreSQL
		e = c.resolveUnknown(e)
	}
	return plain(c.operand(e)+op, catalog.BoolOID, false, startOf(n.Location, e.loc), e)
}

// booleanTest compiles IS [NOT] TRUE, FALSE and UNKNOWN.
func (c *compiler) booleanTest(n *pg.BooleanTest, s *scope) *expr {
	var op, word string
	switch n.Booltesttype {
	case pg.BoolTestType_IS_TRUE:
		op, word = " IS 1", "IS TRUE"
	case pg.BoolTestType_IS_NOT_TRUE:
		op, word = " IS NOT 1", "IS NOT TRUE"
	case pg.BoolTestType_IS_FALSE:
		op, word = " IS 0", "IS FALSE"
	case pg.BoolTestType_IS_NOT_FALSE:
		op, word = " IS NOT 0", "IS NOT FALSE"
	case pg.BoolTestType_IS_UNKNOWN:
		op, word = " IS NULL", "IS UNKNOWN"
	default:
		op, word = " IS NOT NULL", "IS NOT UNKNOWN"
	}
	e := c.coerceBool(c.expr(n.Arg, s), word)
	return plain(c.operand(e)+op, catalog.BoolOID, false, n.Location, e)
}

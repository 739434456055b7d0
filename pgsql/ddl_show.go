package pgsql

import (
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// PostgreSQL shows a stored expression from its analysed tree: operators in parentheses, constants with their types,
// conversions that it put in itself written out where they stand inside, and left out at the top (ruleutils.c). Clients
// compare such texts with what they expect, so they are made the same way here, out of the parser's tree and the types
// that the compiler finds.

// shown is an expression as text. Inside of others it is text; at the top, where a conversion that PostgreSQL put in is
// not shown, it is bare.
type shown struct {
	text, bare string
	typ        uint32
	typmod     int32
	literal    *string // a string constant of unknown type
	constant   bool    // text is a constant of typ without a label or with it
	label      string  // the constant without its label
}

// shower writes the expressions over one table (nil: none).
type shower struct {
	*compiler
	s *scope
}

// showDefault is the text of a default, as pg_get_expr shows it.
func (x *command) showDefault(n *pg.Node, col *catalog.Column) string {
	w := &shower{x.sub(), newScope(nil)}
	e := w.show(n)
	if e.literal != nil {
		e = w.convert(e, col.Type)
	}
	return e.bare
}

// showExpr is the text of an expression over t.
func (x *command) showExpr(n *pg.Node, t *catalog.Table, outer bool) string {
	return (&shower{x.sub(), x.tableScope(t)}).stored(n)
}

// stored writes an expression as it is kept with a table or an index.
func (w *shower) stored(n *pg.Node) string {
	e := w.show(n)
	if e.literal != nil {
		e = w.convert(e, catalog.TextOID)
	}
	return e.bare
}

// simpleQuote quotes a string as standard_conforming_strings reads it, never as E”.
func simpleQuote(s string) string { return quoteText(s) }

// typeOf compiles a node just to know its type.
func (w *shower) typeOf(n *pg.Node) *expr { return w.sub().expr(n, w.s) }

// other makes a shown expression that is neither constant nor conversion.
func other(text string, typ uint32) shown { return shown{text: text, bare: text, typ: typ, typmod: -1} }

// show writes one expression.
func (w *shower) show(n *pg.Node) shown {
	switch e := n.GetNode().(type) {
	case *pg.Node_AConst:
		return w.constant(e.AConst, n)
	case *pg.Node_ColumnRef:
		f := e.ColumnRef.GetFields()
		x := w.typeOf(n)
		s := other(catalog.QuoteIdent(f[len(f)-1].GetString_().GetSval()), x.typ)
		s.typmod = x.typmod
		return s
	case *pg.Node_TypeCast:
		return w.cast(e.TypeCast)
	case *pg.Node_AExpr:
		return w.operator(e.AExpr, n)
	case *pg.Node_BoolExpr:
		return w.boolean(e.BoolExpr)
	case *pg.Node_NullTest:
		op := " IS NULL)"
		if e.NullTest.GetNulltesttype() == pg.NullTestType_IS_NOT_NULL {
			op = " IS NOT NULL)"
		}
		return other("("+w.known(e.NullTest.GetArg()).text+op, catalog.BoolOID)
	case *pg.Node_BooleanTest:
		op := map[pg.BoolTestType]string{pg.BoolTestType_IS_TRUE: "TRUE", pg.BoolTestType_IS_NOT_TRUE: "NOT TRUE", pg.BoolTestType_IS_FALSE: "FALSE",
			pg.BoolTestType_IS_NOT_FALSE: "NOT FALSE", pg.BoolTestType_IS_UNKNOWN: "UNKNOWN", pg.BoolTestType_IS_NOT_UNKNOWN: "NOT UNKNOWN"}[e.BooleanTest.GetBooltesttype()]
		return other("("+w.as(e.BooleanTest.GetArg(), catalog.BoolOID)+" IS "+op+")", catalog.BoolOID)
	case *pg.Node_FuncCall:
		return w.call(e.FuncCall, n)
	case *pg.Node_CoalesceExpr:
		args, typ := w.common(e.CoalesceExpr.GetArgs())
		return other("COALESCE("+strings.Join(args, ", ")+")", typ)
	case *pg.Node_MinMaxExpr:
		args, typ := w.common(e.MinMaxExpr.GetArgs())
		name := "GREATEST("
		if e.MinMaxExpr.GetOp() == pg.MinMaxOp_IS_LEAST {
			name = "LEAST("
		}
		return other(name+strings.Join(args, ", ")+")", typ)
	case *pg.Node_CaseExpr:
		return w.cases(e.CaseExpr, n)
	case *pg.Node_AArrayExpr:
		return w.array(e.AArrayExpr.GetElements(), w.typeOf(n).typ)
	case *pg.Node_SqlvalueFunction:
		text := strings.TrimPrefix(e.SqlvalueFunction.GetOp().String(), "SVFOP_")
		if p, ok := strings.CutSuffix(text, "_N"); ok {
			text = p + "(" + strconv.Itoa(int(e.SqlvalueFunction.GetTypmod())) + ")"
		}
		return other(text, w.typeOf(n).typ)
	case *pg.Node_CollateClause:
		names := stringList(e.CollateClause.GetCollname())
		x := w.known(e.CollateClause.GetArg())
		return other("("+x.text+" COLLATE "+catalog.QuoteIdent(names[len(names)-1])+")", x.typ)
	case *pg.Node_AIndirection:
		return w.subscript(e.AIndirection, n)
	}
	return w.rest(n)
}

// rest writes what has no rule of its own as the parser's deparser does.
func (w *shower) rest(n *pg.Node) shown {
	text, err := deparseExpr(bareColumns(n))
	if err != nil {
		w.fail(pgerror.New(pgerror.FeatureNotSupported, "this expression cannot be stored"))
	}
	return other(text, w.typeOf(n).typ)
}

// constant writes a literal. A string's type is for its surroundings to say.
func (w *shower) constant(c *pg.A_Const, n *pg.Node) shown {
	if c.GetIsnull() {
		return shown{text: "NULL::text", bare: "NULL::text", typ: catalog.UnknownOID, typmod: -1, literal: nil, constant: true, label: "NULL"}
	}
	if s, ok := c.GetVal().(*pg.A_Const_Sval); ok {
		text := s.Sval.GetSval()
		return shown{typ: catalog.UnknownOID, typmod: -1, literal: &text}
	}
	x := w.typeOf(n)
	return w.value(x.val, x.typ)
}

// value writes a constant of a type with the label that get_const_expr gives it.
func (w *shower) value(v catalog.Value, typ uint32) shown {
	s := shown{typ: typ, typmod: -1, constant: true}
	if v.IsNull() {
		s.label = "NULL"
		s.text = "NULL::" + catalog.FormatType(typ, -1)
		s.bare = s.text
		return s
	}
	text := string(catalog.AppendText(nil, typ, -1, v, w.env.Output))
	s.label = simpleQuote(text)
	label := true
	switch typ {
	case catalog.Int4OID:
		if text[0] != '-' {
			s.label, label = text, false
		}
	case catalog.NumericOID:
		if text[0] >= '0' && text[0] <= '9' && strings.ContainsAny(text, ".eE") {
			s.label, label = text, false
		}
	case catalog.BoolOID:
		s.label, label = "true", false
		if !v.Bool() {
			s.label = "false"
		}
	}
	s.text = s.label
	if label {
		s.text += "::" + catalog.FormatType(typ, -1)
	}
	s.bare = s.text
	return s
}

// convert is an implicit conversion.
func (w *shower) convert(e shown, typ uint32) shown {
	switch {
	case e.literal != nil:
		c := w.sub()
		if catalog.IsReg(typ) {
			return other(simpleQuote(w.regName(*e.literal, typ))+"::"+catalog.FormatType(typ, -1), typ)
		}
		v := c.coerce(&expr{kind: exprUnknown, val: catalog.Str(*e.literal), typ: catalog.UnknownOID, typmod: -1, loc: -1, atomic: true}, typ, -1, implicitCast)
		if v == nil || v.kind != exprConst {
			// A value that only the session can tell ('now'): as it was written.
			text := simpleQuote(*e.literal) + "::" + catalog.FormatType(typ, -1)
			return other(text, typ)
		}
		return w.value(v.val, typ)
	case e.constant && e.label == "NULL":
		return w.value(catalog.Value{}, typ)
	case e.typ == typ || typ == catalog.AnyOID || isPolymorphic(typ):
		return e
	}
	return shown{text: "(" + e.bare + ")::" + catalog.FormatType(typ, -1), bare: e.bare, typ: typ, typmod: -1}
}

// as writes a node as an operand of a type.
func (w *shower) as(n *pg.Node, typ uint32) string { return w.convert(w.show(n), typ).text }

// known writes a node, a string constant as text.
func (w *shower) known(n *pg.Node) shown {
	e := w.show(n)
	if e.literal != nil {
		return w.convert(e, catalog.TextOID)
	}
	return e
}

// cast writes an explicit conversion.
func (w *shower) cast(n *pg.TypeCast) shown {
	typ, typmod := w.typeName(n.GetTypeName())
	if arr := n.GetArg().GetAArrayExpr(); arr != nil && catalog.ElemOf(typ) != 0 {
		return w.array(arr.GetElements(), typ)
	}
	arg := w.show(n.GetArg())
	if arg.literal != nil || arg.constant && arg.label == "NULL" {
		arg = w.convert(arg, typ)
	}
	if arg.typ == typ && (typmod < 0 || typmod == arg.typmod) {
		return arg
	}
	label := "::" + catalog.FormatType(typ, typmod)
	if arg.constant && arg.typ == typ {
		return shown{text: arg.label + label, bare: arg.label + label, typ: typ, typmod: typmod}
	}
	text := "(" + arg.bare + ")" + label
	return shown{text: text, bare: text, typ: typ, typmod: typmod}
}

// regName is the name in a ::regclass constant as stored expressions have it.
func (w *shower) regName(name string, typ uint32) string {
	if typ != catalog.RegclassOID || strings.ContainsRune(name, '"') {
		return name
	}
	schema, rel, qualified := strings.Cut(strings.ToLower(name), ".")
	if !qualified {
		schema, rel = "", schema
	}
	if t := w.findTable(schema, rel); t != nil {
		return catalog.StoredName(t.Schema, t.Name)
	}
	return name
}

// operand returns a node as text and its type for the choice of an operator.
func (w *shower) operand(n *pg.Node) (shown, uint32) {
	e := w.show(n)
	if e.literal != nil || e.constant && e.label == "NULL" {
		return e, catalog.UnknownOID
	}
	return e, e.typ
}

// binaryText writes l op r with the conversions that the operator asks for.
func (w *shower) binaryText(name string, l, r shown, lt, rt uint32) shown {
	op, _ := findOperator(name, lt, rt)
	if op == nil {
		return other("("+w.convert(l, catalog.TextOID).text+" "+name+" "+w.convert(r, catalog.TextOID).text+")", catalog.BoolOID)
	}
	left, right := op.Left, op.Right
	if isPolymorphic(left) && lt == catalog.UnknownOID {
		left = rt
	}
	if isPolymorphic(right) && rt == catalog.UnknownOID {
		right = lt
	}
	return other("("+w.convert(l, left).text+" "+name+" "+w.convert(r, right).text+")", op.Ret)
}

// operator writes the forms of A_Expr.
func (w *shower) operator(n *pg.A_Expr, node *pg.Node) shown {
	names := stringList(n.GetName())
	name := ""
	if len(names) > 0 {
		name = names[len(names)-1]
	}
	switch n.GetKind() {
	case pg.A_Expr_Kind_AEXPR_OP:
		if l, r := n.GetLexpr().GetRowExpr(), n.GetRexpr().GetRowExpr(); l != nil && r != nil && len(l.GetArgs()) == len(r.GetArgs()) && (name == "=" || name == "<>") {
			return w.rows(name, l, r)
		}
		r, rt := w.operand(n.GetRexpr())
		if n.GetLexpr() == nil {
			op, _ := findOperator(name, 0, rt)
			if op == nil {
				return w.rest(node)
			}
			return other("("+name+" "+w.convert(r, op.Right).text+")", w.typeOf(node).typ)
		}
		l, lt := w.operand(n.GetLexpr())
		out := w.binaryText(name, l, r, lt, rt)
		out.typ = w.typeOf(node).typ
		return out
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE, pg.A_Expr_Kind_AEXPR_SIMILAR:
		l, lt := w.operand(n.GetLexpr())
		r, rt := w.operand(n.GetRexpr())
		return w.binaryText(name, l, r, lt, rt)
	case pg.A_Expr_Kind_AEXPR_IN:
		return w.in(n, name)
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN:
		return w.between(n)
	case pg.A_Expr_Kind_AEXPR_DISTINCT, pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		l, lt := w.operand(n.GetLexpr())
		r, rt := w.operand(n.GetRexpr())
		e := w.binaryText("=", l, r, lt, rt)
		text := strings.Replace(e.text, " = ", " IS DISTINCT FROM ", 1)
		if n.GetKind() == pg.A_Expr_Kind_AEXPR_NOT_DISTINCT {
			text = "(NOT " + text + ")"
		}
		return other(text, catalog.BoolOID)
	case pg.A_Expr_Kind_AEXPR_NULLIF:
		l, lt := w.operand(n.GetLexpr())
		r, rt := w.operand(n.GetRexpr())
		if op, _ := findOperator("=", lt, rt); op != nil {
			return other("NULLIF("+w.convert(l, op.Left).text+", "+w.convert(r, op.Right).text+")", w.typeOf(node).typ)
		}
	case pg.A_Expr_Kind_AEXPR_OP_ANY, pg.A_Expr_Kind_AEXPR_OP_ALL:
		word := "ANY"
		if n.GetKind() == pg.A_Expr_Kind_AEXPR_OP_ALL {
			word = "ALL"
		}
		l, r := w.known(n.GetLexpr()), w.show(n.GetRexpr())
		if r.literal != nil {
			r = w.convert(r, catalog.ArrayOf(l.typ))
		}
		return w.anyText(l, name, word, r)
	}
	return w.rest(node)
}

// rows writes an equality of rows, column by column.
func (w *shower) rows(name string, l, r *pg.RowExpr) shown {
	parts := make([]string, len(l.GetArgs()))
	for i := range parts {
		a, at := w.operand(l.GetArgs()[i])
		b, bt := w.operand(r.GetArgs()[i])
		parts[i] = w.binaryText(name, a, b, at, bt).text
	}
	word := " AND "
	if name == "<>" {
		word = " OR "
	}
	return other("("+strings.Join(parts, word)+")", catalog.BoolOID)
}

// anyText writes l op ANY (array), both as the operator wants them.
func (w *shower) anyText(l shown, name, word string, array shown) shown {
	elem := catalog.ElemOf(array.typ)
	if op, _ := findOperator(name, l.typ, elem); op != nil {
		l = w.convert(l, op.Left)
		if op.Right != elem && !isPolymorphic(op.Right) {
			array = w.convert(array, catalog.ArrayOf(op.Right))
		}
	}
	return other("("+l.text+" "+name+" "+word+" ("+array.text+"))", catalog.BoolOID)
}

// in writes x IN (list): as = ANY over an array where PostgreSQL makes one.
func (w *shower) in(n *pg.A_Expr, name string) shown {
	items := n.GetRexpr().GetList().GetItems()
	l, lt := w.operand(n.GetLexpr())
	row := n.GetLexpr().GetRowExpr()
	plainItems := len(items) > 1 && row == nil
	for _, it := range items {
		plainItems = plainItems && len(columnNamesIn(it)) == 0
	}
	if plainItems {
		c := w.sub()
		list := make([]*expr, len(items))
		for i, it := range items {
			list[i] = c.expr(it, w.s)
		}
		if typ := c.inType(c.expr(n.GetLexpr(), w.s), list); typ != 0 && catalog.ArrayOf(typ) != 0 {
			word := "ANY"
			if name == "<>" {
				word = "ALL"
			}
			if lt == catalog.UnknownOID {
				l = w.convert(l, typ)
			}
			return w.anyText(l, name, word, w.array(items, catalog.ArrayOf(typ)))
		}
	}
	parts := make([]string, len(items))
	for i, it := range items {
		if of := it.GetRowExpr(); row != nil && of != nil {
			parts[i] = w.rows(name, row, of).text
			continue
		}
		r, rt := w.operand(it)
		parts[i] = w.binaryText(name, l, r, lt, rt).text
	}
	word := " OR "
	if name == "<>" {
		word = " AND "
	}
	text := parts[0]
	for _, p := range parts[1:] { // two by two, as transformAExprIn in src/backend/parser/parse_expr.c
		text = "(" + text + word + p + ")"
	}
	return other(text, catalog.BoolOID)
}

func (w *shower) between(n *pg.A_Expr) shown {
	items := n.GetRexpr().GetList().GetItems()
	l, lt := w.operand(n.GetLexpr())
	lo, lot := w.operand(items[0])
	hi, hit := w.operand(items[1])
	if n.GetKind() == pg.A_Expr_Kind_AEXPR_BETWEEN {
		return other("("+w.binaryText(">=", l, lo, lt, lot).text+" AND "+w.binaryText("<=", l, hi, lt, hit).text+")", catalog.BoolOID)
	}
	return other("("+w.binaryText("<", l, lo, lt, lot).text+" OR "+w.binaryText(">", l, hi, lt, hit).text+")", catalog.BoolOID)
}

func (w *shower) boolean(n *pg.BoolExpr) shown {
	parts := make([]string, len(n.GetArgs()))
	for i, a := range n.GetArgs() {
		parts[i] = w.as(a, catalog.BoolOID)
	}
	switch n.GetBoolop() {
	case pg.BoolExprType_NOT_EXPR:
		return other("(NOT "+parts[0]+")", catalog.BoolOID)
	case pg.BoolExprType_OR_EXPR:
		return other("("+strings.Join(parts, " OR ")+")", catalog.BoolOID)
	}
	return other("("+strings.Join(parts, " AND ")+")", catalog.BoolOID)
}

// common writes expressions converted to their common type.
func (w *shower) common(nodes []*pg.Node) ([]string, uint32) {
	c := w.sub()
	list := make([]*expr, len(nodes))
	for i, n := range nodes {
		list[i] = c.expr(n, w.s)
	}
	typ, _ := c.unify("CASE", list)
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = w.as(n, typ)
	}
	return out, typ
}

// array writes ARRAY[…] as an array type.
func (w *shower) array(items []*pg.Node, typ uint32) shown {
	elem := catalog.ElemOf(typ)
	parts := make([]string, len(items))
	for i, it := range items {
		if a := it.GetAArrayExpr(); a != nil {
			parts[i] = w.array(a.GetElements(), typ).text
			continue
		}
		parts[i] = w.as(it, elem)
	}
	text := "ARRAY[" + strings.Join(parts, ", ") + "]"
	if len(items) == 0 {
		text += "::" + catalog.FormatType(typ, -1)
	}
	return other(text, typ)
}

package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// call writes a function call.
func (w *shower) call(n *pg.FuncCall, node *pg.Node) shown {
	c := w.sub()
	schema, name := c.funcName(n.GetFuncname(), n.GetLocation())
	x := c.resolveCall(n, schema, name, c.callArgs(n, w.s), w.s)
	if x.fn == nil {
		return w.convert(w.show(n.GetArgs()[0]), x.ret)
	}
	typ := w.typeOf(node).typ
	args := make([]string, len(n.GetArgs()))
	for i, a := range n.GetArgs() {
		e := w.show(a)
		want := uint32(catalog.AnyOID)
		if i < len(x.fn.Args) && !(x.fn.Variadic && i >= len(x.fn.Args)-1) {
			want = x.fn.Args[i]
		} else if x.fn.Variadic {
			if want = x.fn.Args[len(x.fn.Args)-1]; want != catalog.AnyOID {
				want = catalog.ElemOf(want)
			}
		}
		declared := want
		if (e.literal != nil || e.constant && e.label == "NULL") && (want == 0 || want == catalog.AnyOID || isPolymorphic(want)) {
			want = catalog.TextOID
			if i < len(x.args) && x.args[i] != nil && x.args[i].typ != 0 && x.args[i].typ != catalog.UnknownOID {
				want = x.args[i].typ
			}
		}
		if want == 0 {
			want = e.typ
		}
		if e.literal != nil && declared == catalog.AnyOID {
			args[i] = simpleQuote(*e.literal) // stays of type unknown
			continue
		}
		args[i] = w.convert(e, want).text
	}
	if n.GetFuncformat() == pg.CoercionForm_COERCE_SQL_SYNTAX {
		switch {
		case name == "extract" && len(args) == 2:
			field, _ := nodeText(n.GetArgs()[0])
			return other("EXTRACT("+field+" FROM "+args[1]+")", typ)
		case name == "timezone" && len(args) == 2:
			return other("("+args[1]+" AT TIME ZONE "+args[0]+")", typ)
		case name == "substring" && len(args) >= 2:
			text := "SUBSTRING(" + args[0] + " FROM " + args[1]
			if len(args) > 2 {
				text += " FOR " + args[2]
			}
			return other(text+")", typ)
		case name == "position" && len(args) == 2:
			return other("POSITION(("+args[1]+") IN ("+args[0]+"))", typ)
		}
		if word := map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[name]; word != "" {
			text := "TRIM(" + word
			if len(args) > 1 {
				text += " " + args[1]
			}
			return other(text+" FROM "+args[0]+")", typ)
		}
	}
	fn := quoteFunction(name)
	if x.fn.Schema != "pg_catalog" {
		fn = catalog.QuoteIdent(x.fn.Schema) + "." + fn
	}
	return other(fn+"("+strings.Join(args, ", ")+")", typ)
}

// quoteFunction quotes a function's name; keywords that may be columns or functions are quoted too.
func quoteFunction(name string) string { return catalog.QuoteIdent(name) }

func (w *shower) cases(n *pg.CaseExpr, node *pg.Node) shown {
	typ := w.typeOf(node).typ
	var b strings.Builder
	b.WriteString("\nCASE")
	var arg shown
	if n.GetArg() != nil {
		arg = w.known(n.GetArg())
		b.WriteString(" " + arg.text)
	}
	for _, item := range n.GetArgs() {
		when := item.GetCaseWhen()
		cond := ""
		if n.GetArg() != nil {
			r, rt := w.operand(when.GetExpr())
			right := arg.typ
			if op, _ := findOperator("=", arg.typ, rt); op != nil {
				right = op.Right
			}
			cond = w.convert(r, right).text
		} else {
			cond = w.convert(w.show(when.GetExpr()), catalog.BoolOID).bare
		}
		b.WriteString("\n    WHEN " + cond + " THEN " + w.as(when.GetResult(), typ))
	}
	if n.GetDefresult() != nil {
		b.WriteString("\n    ELSE " + w.as(n.GetDefresult(), typ))
	} else {
		b.WriteString("\n    ELSE " + w.value(catalog.Value{}, typ).text)
	}
	b.WriteString("\nEND")
	return other(b.String(), typ)
}

// subscript writes a[1].
func (w *shower) subscript(n *pg.A_Indirection, node *pg.Node) shown {
	arg := w.known(n.GetArg())
	text := arg.text
	if n.GetArg().GetColumnRef() == nil {
		text = "(" + text + ")"
	}
	for _, i := range n.GetIndirection() {
		ix := i.GetAIndices()
		if ix == nil || ix.GetIsSlice() {
			return w.rest(node)
		}
		sub := catalog.Int4OID
		if arg.typ == catalog.JSONBOID {
			sub = catalog.TextOID
		}
		text += "[" + w.as(ix.GetUidx(), uint32(sub)) + "]"
	}
	return other(text, w.typeOf(node).typ)
}

// columnNamesIn are the names of the columns that an expression uses.
func columnNamesIn(n *pg.Node) []string {
	var out []string
	walkColumns(n, func(ref *pg.ColumnRef) {
		f := ref.GetFields()
		out = append(out, f[len(f)-1].GetString_().GetSval())
	})
	return out
}

package pgsql

import (
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// caseExpr compiles both forms of CASE.
func (c *compiler) caseExpr(n *pg.CaseExpr, s *scope) *expr {
	var arg *expr
	if n.Arg != nil {
		arg = c.expr(n.Arg, s)
		if arg.isUnknown() {
			arg = c.resolveUnknown(arg)
		}
	}
	conds := make([]string, len(n.Args))
	// the ELSE result stands first when the common type is looked for, as in transformCaseExpr
	results := make([]*expr, 1, len(n.Args)+1)
	depth, nest := 0, 0
	simple := arg != nil && arg.kind != exprRow // CASE x WHEN y as it is
	values := make([]string, len(n.Args))
	for i, a := range n.Args {
		w := a.GetCaseWhen()
		cond := c.expr(w.Expr, s)
		if arg != nil {
			v := cond
			cond = c.binary("=", arg, v, w.Location)
			if simple = simple && v.kind != exprRow; simple {
				x, y := c.comparable("=", arg, v, w.Location)
				simple = x == arg
				values[i] = c.operand(y)
			}
		} else {
			cond = c.coerceBool(cond, "CASE/WHEN")
		}
		conds[i] = c.text(cond)
		depth, nest = max(depth, cond.depth), max(nest, cond.nest)
		results = append(results, c.expr(w.Result, s))
	}
	if n.Defresult != nil {
		results[0] = c.expr(n.Defresult, s)
	} else {
		results[0] = &expr{kind: exprUnknown, typ: catalog.UnknownOID, typmod: -1, loc: n.Location, atomic: true}
	}
	typ, typmod := c.unify("CASE", results)
	var b strings.Builder
	b.WriteString("CASE")
	if simple {
		b.WriteString(" " + c.collated(arg))
		conds = values
	}
	for i, cond := range conds {
		b.WriteString(" WHEN ")
		b.WriteString(cond)
		b.WriteString(" THEN ")
		b.WriteString(c.text(results[i+1]))
	}
	if n.Defresult != nil {
		b.WriteString(" ELSE ")
		b.WriteString(c.text(results[0]))
	}
	b.WriteString(" END")
	e := plain(b.String(), typ, true, n.Location, results...)
	e.depth, e.nest = max(e.depth, depth+1), max(e.nest, nest+1)+1
	e.typmod = typmod
	return e
}

// coalesce compiles COALESCE.
func (c *compiler) coalesce(n *pg.CoalesceExpr, s *scope) *expr {
	list := make([]*expr, len(n.Args))
	for i, a := range n.Args {
		list[i] = c.expr(a, s)
	}
	typ, typmod := c.unify("COALESCE", list)
	var e *expr
	for len(list) > 1 {
		k := min(len(list), maxArgs)
		e = plain("coalesce("+c.texts(list[:k])+")", typ, true, n.Location, list[:k]...)
		e.typmod = typmod
		list = append([]*expr{e}, list[k:]...)
	}
	return list[0]
}

// texts joins the SQL of several expressions with commas.
func (c *compiler) texts(list []*expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = c.text(e)
	}
	return strings.Join(parts, ", ")
}

// minMax compiles GREATEST and LEAST, which pass over NULLs: of two, CASE; of more, nested.
func (c *compiler) minMax(n *pg.MinMaxExpr, s *scope) *expr {
	what, op := "GREATEST", ">="
	if n.Op == pg.MinMaxOp_IS_LEAST {
		what, op = "LEAST", "<="
	}
	list := make([]*expr, len(n.Args))
	for i, a := range n.Args {
		list[i] = c.expr(a, s)
	}
	typ, typmod := c.unify(what, list)
	if len(list) > 1 {
		c.comparable(op, list[0], list[1], n.Location)
	}
	for len(list) > 1 {
		k := min(len(list), maxTerms)
		e := c.minMaxOf(what, list[:k], typ, n.Location)
		e.typmod = typmod
		list = append([]*expr{e}, list[k:]...)
	}
	return list[0]
}

// minMaxOf makes one call of at most maxTerms arguments.
func (c *compiler) minMaxOf(what string, list []*expr, typ uint32, loc int32) *expr {
	keyed := catalog.KeyFunction(typ) != ""
	if len(list) == 2 && !keyed && list[0].depth+list[1].depth == 0 { // else the operands' text would double
		fn := "max("
		if what == "LEAST" {
			fn = "min("
		}
		l, r := c.text(list[0]), c.text(list[1])
		return plain("coalesce("+fn+c.collated(list[0])+", "+c.collated(list[1])+"), "+l+", "+r+")", typ, true, loc, list...)
	}
	// This evaluates each argument once.
	var b strings.Builder
	b.WriteString("(SELECT x FROM (")
	for i, e := range list {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		b.WriteString("SELECT ")
		b.WriteString(c.text(e))
		if i == 0 {
			b.WriteString(" AS x")
		}
	}
	b.WriteString(") WHERE x IS NOT NULL ORDER BY " + catalog.Compared("x", catalog.Comparison(typ)))
	if what == "GREATEST" {
		b.WriteString(" DESC")
	}
	b.WriteString(" LIMIT 1)")
	return plain(b.String(), typ, true, loc, list...)
}

// sqlValueFunction compiles CURRENT_DATE and its kin.
func (c *compiler) sqlValueFunction(n *pg.SQLValueFunction) *expr {
	loc, typmod := n.Location, n.Typmod
	if typmod == 0 && n.Op != pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N && n.Op != pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N &&
		n.Op != pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N && n.Op != pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N {
		typmod = -1
	}
	now := c.now(loc)
	as := func(typ uint32) *expr {
		e := c.coerceTypmod(c.coerceType(now, typ, explicitCast), typmod, explicitCast)
		e.loc = loc
		return e
	}
	name := func(arg string) *expr { return plain(c.session(arg), catalog.NameOID, true, loc) }
	switch n.Op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		return as(catalog.DateOID)
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		return as(catalog.TimetzOID)
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		return as(catalog.TimestamptzOID)
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIME, pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		return as(catalog.TimeOID)
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		return as(catalog.TimestampOID)
	case pg.SQLValueFunctionOp_SVFOP_SESSION_USER:
		return name("session_user")
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
		return name("database")
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
		return c.currentSchema(loc)
	}
	return name("user")
}

// arrayExpr compiles ARRAY[…]. typ is the array type of a cast around it, 0 for none.
func (c *compiler) arrayExpr(n *pg.A_ArrayExpr, s *scope, typ uint32) *expr {
	if len(n.Elements) == 0 {
		if typ == 0 {
			e := pgerror.New(pgerror.IndeterminateDatatype, "cannot determine type of empty array")
			c.fail(e.WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].").At(c.position(n.Location)))
		}
		return c.arrayOf(nil, catalog.ElemOf(typ), n.Location)
	}
	list := make([]*expr, len(n.Elements))
	nested := false
	for i, el := range n.Elements {
		if sub := el.GetAArrayExpr(); sub != nil {
			list[i] = c.arrayExpr(sub, s, typ)
			nested = true
		} else {
			list[i] = c.expr(el, s)
		}
	}
	var elem uint32
	typmod := int32(-1)
	if typ != 0 {
		elem = catalog.ElemOf(typ)
		want := elem
		if nested {
			want = typ
		}
		for i, e := range list {
			f := c.coerceType(e, want, explicitCast)
			if f == nil {
				c.failAt(e.loc, pgerror.CannotCoerce, "cannot cast type %s to %s", typeDisplay(e.typ), typeDisplay(want))
			}
			list[i] = f
		}
	} else {
		var t uint32
		t, typmod = c.unify("ARRAY", list)
		elem = t
		if inner := catalog.ElemOf(t); inner != 0 {
			nested, elem = true, inner
		} else if catalog.ArrayOf(t) == 0 {
			c.failAt(n.Location, pgerror.UndefinedObject, "could not find array type for data type %s", typeDisplay(t))
		}
	}
	if nested {
		t := template{impl: "lc_array_nest($re, $args)", args: list, ret: catalog.ArrayOf(elem), typmod: -1}
		e := c.emit(&t, n.Location)
		e.typmod = typmod
		return e
	}
	e := c.arrayOf(list, elem, n.Location)
	e.typmod = typmod
	return e
}

// rowExpr compiles ROW(…) and (a, b).
func (c *compiler) rowExpr(n *pg.RowExpr, s *scope) *expr {
	e := &expr{kind: exprRow, typ: catalog.RecordOID, typmod: -1, loc: n.Location, atomic: true}
	for _, t := range c.expandStars(n.Args, s) {
		e.row = append(e.row, t.e)
		e.rowNames = append(e.rowNames, fmt.Sprintf("f%d", len(e.row)))
		e.depth = max(e.depth, t.e.depth+1)
	}
	return e
}

// recordText is a row as a value: a record, with its columns' names where it is a table's or a subquery's.
func (c *compiler) recordText(e *expr) string {
	var b strings.Builder
	named := false
	for i, name := range e.rowNames {
		named = named || name != "f"+itoa(i+1)
	}
	b.WriteString("lc_record(")
	if named {
		b.Reset()
		names := make([]catalog.Value, len(e.rowNames))
		for i, name := range e.rowNames {
			names[i] = catalog.Str(name)
		}
		fmt.Fprintf(&b, "lc_named_record(x'%x'", catalog.AppendRow(nil, names))
	}
	for i, x := range e.row {
		x = c.resolveUnknown(x)
		if i > 0 || named {
			b.WriteString(", ")
		}
		b.WriteString(fmt.Sprint(x.typ))
		b.WriteString(", ")
		b.WriteString(c.text(x))
	}
	b.WriteByte(')')
	if e.presence != "" {
		return "CASE WHEN " + e.presence + " THEN " + b.String() + " END"
	}
	return b.String()
}

// indirection compiles subscripts and field selection.
func (c *compiler) indirection(n *pg.A_Indirection, s *scope) *expr {
	var e *expr
	if ref := n.Arg.GetColumnRef(); ref != nil {
		e = c.columnRef(ref, s)
	} else {
		e = c.expr(n.Arg, s)
	}
	for i := 0; i < len(n.Indirection); {
		switch x := n.Indirection[i].GetNode().(type) {
		case *pg.Node_String_:
			e = c.field(e, x.String_.GetSval())
			i++
		case *pg.Node_AIndices:
			j := i
			for j < len(n.Indirection) && n.Indirection[j].GetAIndices() != nil {
				j++
			}
			e = c.subscript(e, n.Indirection[i:j], s)
			i = j
		default:
			c.unsupported(e.loc, "row expansion via \"*\" here")
		}
	}
	return e
}

// field selects a field of a row.
func (c *compiler) field(e *expr, name string) *expr {
	if len(e.rowNames) > 0 {
		for i, f := range e.rowNames {
			if f == name {
				return e.row[i]
			}
		}
		c.failAt(e.loc, pgerror.UndefinedColumn, "could not identify column \"%s\" in record data type", name)
	}
	c.failAt(e.loc, pgerror.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", name, typeDisplay(e.typ))
	return nil
}

// nameByte is a character of a name, counted from 0, as pg_dump asks for the first of a type's.
func (c *compiler) nameByte(e, at *expr) *expr {
	i := c.coerceType(at, catalog.Int4OID, assignmentCast)
	if i == nil {
		c.failAt(at.loc, pgerror.DatatypeMismatch, "array subscript must have type integer")
	}
	n := c.operand(i)
	return plain("CASE WHEN "+n+" BETWEEN 0 AND 63 THEN substr("+c.text(e)+", "+n+" + 1, 1) END", catalog.CharOID, false, e.loc, e, i)
}

// subscript compiles a[i], a[i][j], a[i:j] and jsonb['key'].
func (c *compiler) subscript(e *expr, list []*pg.Node, s *scope) *expr {
	if e.typ == catalog.JSONBOID {
		for _, n := range list {
			ix := n.GetAIndices()
			if ix.IsSlice {
				c.failAt(e.loc, pgerror.DatatypeMismatch, "jsonb subscript does not support slices")
			}
			k := c.expr(ix.Uidx, s)
			if k.isUnknown() {
				k = c.coerceType(k, catalog.TextOID, implicitCast)
			}
			e = c.binary("->", e, k, e.loc)
		}
		return e
	}
	if ix := list[0].GetAIndices(); e.typ == catalog.NameOID && len(list) == 1 && !ix.IsSlice {
		return c.nameByte(e, c.expr(ix.Uidx, s))
	}
	elem := catalog.ElemOf(e.typ)
	if elem == 0 {
		c.failAt(e.loc, pgerror.DatatypeMismatch, "cannot subscript type %s because it does not support subscripting", typeDisplay(e.typ))
	}
	slice := false
	for _, n := range list {
		slice = slice || n.GetAIndices().IsSlice
	}
	args := []*expr{e}
	bound := func(n *pg.Node) {
		if n == nil {
			args = append(args, null(catalog.Int4OID, e.loc))
			return
		}
		x := c.expr(n, s)
		f := c.coerceType(x, catalog.Int4OID, assignmentCast)
		if f == nil {
			c.failAt(x.loc, pgerror.DatatypeMismatch, "array subscript must have type integer")
		}
		args = append(args, f)
	}
	for _, n := range list {
		ix := n.GetAIndices()
		if slice {
			if !ix.IsSlice {
				args = append(args, intConst(1, e.loc))
				bound(ix.Uidx)
				continue
			}
			bound(ix.Lidx)
		}
		bound(ix.Uidx)
	}
	t := template{impl: "lc_array_get($args)", args: args, ret: elem, typmod: -1}
	if slice {
		t.impl, t.ret = "lc_array_slice($1, $re, $args2)", e.typ
	}
	f := c.emit(&t, e.loc)
	f.typmod = e.typmod
	return f
}

// collate compiles COLLATE: every collation that is accepted orders by code point, as the database's own does.
func (c *compiler) collate(n *pg.CollateClause, s *scope) *expr {
	e := c.expr(n.Arg, s)
	name := n.Collname[len(n.Collname)-1].GetString_().GetSval()
	if len(n.Collname) > 2 || len(n.Collname) == 2 && n.Collname[0].GetString_().GetSval() != "pg_catalog" {
		name = ""
	}
	switch name {
	case "C", "POSIX", "default", "ucs_basic":
	default:
		if name != "" && catalog.TypeByName(name) == nil && !knownCollation(name) {
			c.failAt(n.Location, pgerror.UndefinedObject, "collation \"%s\" for encoding \"UTF8\" does not exist", name)
		}
		c.unsupported(n.Location, "collation \"%s\"", name)
	}
	if e.isUnknown() {
		e = c.resolveUnknown(e)
	} else if !catalog.IsCollatable(e.typ) {
		c.failAt(n.Location, pgerror.DatatypeMismatch, "collations are not supported by type %s", typeDisplay(e.typ))
	}
	f := *e
	f.coll = name
	return &f
}

// knownCollation says whether PostgreSQL would have a collation of that name.
func knownCollation(name string) bool {
	return strings.HasSuffix(name, "-x-icu") || strings.HasPrefix(name, "en_") || strings.HasPrefix(name, "de_") || strings.HasPrefix(name, "C.")
}

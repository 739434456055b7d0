package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// inList compiles x IN (list) and NOT IN.
func (c *compiler) inList(n *pg.A_Expr, s *scope) *expr {
	not := n.Name[0].GetString_().GetSval() == "<>"
	l := c.expr(n.Lexpr, s)
	items := n.Rexpr.GetList().GetItems()
	list := make([]*expr, len(items))
	rows := l.kind == exprRow
	for i, it := range items {
		list[i] = c.expr(it, s)
		rows = rows || list[i].kind == exprRow
	}
	if rows {
		return c.inRows(l, list, not, n.Location)
	}
	// PostgreSQL makes an array of two and more values that read no column, of the type that they and x have in common where
	// there is one, and compares x with each of the others by itself (transformAExprIn).
	var values, others []*expr
	same := true // one type for all: then it makes no difference
	for i, e := range list {
		same = same && argType(e) == argType(l) && argType(e) != catalog.UnknownOID
		if readsColumn(items[i]) {
			others = append(others, e)
		} else {
			values = append(values, e)
		}
	}
	if same {
		values, others = list, nil
	}
	var parts []string
	depth := 0
	typ := uint32(0)
	if same || len(values) > 1 {
		typ = c.inType(l, values)
	}
	if typ == 0 {
		others = list
	} else {
		in := make([]*expr, len(values))
		var left *expr
		for i, e := range values {
			left, in[i] = c.comparable("=", l, c.coerceCommon("IN", e, typ), n.Location)
		}
		e := c.inValues(left, in, not, n.Location)
		if len(others) == 0 {
			return e
		}
		parts, depth = append(parts, c.operand(e)), e.depth
	}
	for _, r := range others {
		e := c.binary(n.Name[0].GetString_().GetSval(), l, r, n.Location)
		parts = append(parts, c.operand(e))
		depth = max(depth, e.depth)
	}
	op := " OR "
	if not {
		op = " AND "
	}
	return &expr{sql: balance(parts, op), typ: catalog.BoolOID, typmod: -1, loc: n.Location, depth: depth + 12}
}

// readsColumn says whether an expression names a column.
func readsColumn(n *pg.Node) (reads bool) {
	walkColumns(n, func(*pg.ColumnRef) { reads = true })
	return reads
}

// inType is the common type of an IN's operands, 0 if they have none.
func (c *compiler) inType(l *expr, list []*expr) uint32 {
	t := uint32(0)
	for _, e := range append([]*expr{l}, list...) {
		typ := argType(e)
		switch {
		case typ == catalog.UnknownOID || typ == t:
		case t == 0:
			t = typ
		case category(typ) != category(t):
			return 0
		case !preferred(t) && canCoerce(t, typ, implicitCast) && !canCoerce(typ, t, implicitCast):
			t = typ
		case !canCoerce(typ, t, implicitCast):
			return 0
		}
	}
	if t == 0 {
		return catalog.TextOID
	}
	return t
}

// inValues emits x IN (…). Long lists of constants become a row set, so that one text serves them all.
func (c *compiler) inValues(l *expr, list []*expr, not bool, loc int32) *expr {
	op := " IN ("
	if not {
		op = " NOT IN ("
	}
	depth := l.depth
	pack := len(list) > 100
	for _, e := range list {
		depth = max(depth, e.depth)
		pack = pack && e.kind == exprConst
	}
	var inner string
	if pack {
		var blob []byte
		for _, e := range list {
			blob = catalog.AppendValue(blob, e.val)
		}
		inner = "SELECT c0 FROM lc_rows(" + c.konst(catalog.BlobBytes(blob)) + ", 1)"
	} else {
		inner = c.texts(list)
	}
	return &expr{sql: c.collated(l) + op + inner + ")", typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 2}
}

// inRows compiles (a, b) IN ((1, 2), (3, 4)).
func (c *compiler) inRows(l *expr, list []*expr, not bool, loc int32) *expr {
	parts := make([]string, len(list))
	name, op := "=", " OR "
	if not {
		name, op = "<>", " AND "
	}
	depth := 0
	for i, r := range list {
		if l.kind != exprRow || r.kind != exprRow {
			c.unsupported(loc, "comparison of a row with a scalar")
		}
		e := c.rowComparison(name, l, r, loc)
		parts[i] = c.operand(e)
		depth = max(depth, e.depth)
	}
	return &expr{sql: balance(parts, op), typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 16}
}

// scalarArray compiles x op ANY (array) and ALL.
func (c *compiler) scalarArray(n *pg.A_Expr, s *scope, all bool) *expr {
	filter := s.filter
	s.filter = false
	name := c.operatorName(n.Name, n.Location)
	l, r := c.expr(n.Lexpr, s), c.expr(n.Rexpr, s)
	s.filter = filter
	lt := argType(l)
	if r.isUnknown() {
		// the array's type follows from the operator
		t := lt
		if t == catalog.UnknownOID {
			t = catalog.TextOID
		} else if op, _ := findOperator(name, lt, catalog.UnknownOID); op != nil && catalog.ArrayOf(op.Right) != 0 {
			t = op.Right
		}
		arr := catalog.ArrayOf(t)
		if arr == 0 {
			c.failAt(n.Location, pgerror.UndefinedObject, "could not find array type for data type %s", typeDisplay(t))
		}
		r = c.coerceType(r, arr, implicitCast)
	}
	elem := catalog.ElemOf(r.typ)
	if elem == 0 {
		c.failAt(n.Location, pgerror.WrongObjectType, "op ANY/ALL (array) requires array on right side")
	}
	if list := arrayElements(n.Rexpr); list != nil && (s.ctx == ctxIndexExpr || s.ctx == ctxIndexPredicate) {
		return c.eachElement(name, l, list, elem, all, s, n.Location)
	}
	// ARRAY[…] under an implicit conversion, and the elements one by one otherwise
	a := c.alias()
	item := &expr{sql: a + ".value", typ: elem, typmod: -1, loc: r.loc, atomic: true}
	cmp := c.binary(name, l, item, n.Location)
	if cmp.typ != catalog.BoolOID {
		c.failAt(n.Location, pgerror.WrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	arr := c.text(r)
	if name == "=" && !all || name == "<>" && all {
		x, y := c.comparable("=", l, item, n.Location)
		in := " IN (SELECT "
		if all {
			in = " NOT IN (SELECT "
		}
		sql := c.collated(x) + in + c.text(y) + " FROM lc_unnest(" + arr + ") AS " + a + ")"
		e := plain(sql, catalog.BoolOID, false, n.Location, x, r)
		e.depth++
		if filter && !all || r.kind == exprConst && !r.val.IsNull() {
			return e
		}
		// a NULL array makes NULL
		return plain("CASE WHEN "+c.operand(r)+" IS NOT NULL THEN "+sql+" END", catalog.BoolOID, true, n.Location, e)
	}
	hit, miss := "1", "0"
	if all {
		hit, miss = "0", "1"
	}
	sql := "CASE WHEN " + c.operand(r) + " IS NOT NULL THEN (SELECT CASE WHEN max(r = " + hit + ") = 1 THEN " + hit +
		" WHEN count(*) > count(r) THEN NULL ELSE " + miss + " END FROM (SELECT (" + c.text(cmp) + ") AS r FROM lc_unnest(" + arr + ") AS " + a + ")) END"
	e := plain(sql, catalog.BoolOID, true, n.Location, cmp, r)
	e.depth += 4
	return e
}

// arrayElements are the elements of ARRAY[…], under a cast or not; nil for another expression.
func arrayElements(n *pg.Node) []*pg.Node {
	if cast := n.GetTypeCast(); cast != nil {
		n = cast.GetArg()
	}
	list := n.GetAArrayExpr().GetElements()
	for _, e := range list {
		if e.GetAArrayExpr() != nil {
			return nil
		}
	}
	return list
}

// eachElement compiles x op ANY (ARRAY[…]) and ALL without a query, which SQLite does not take in an index.
func (c *compiler) eachElement(name string, l *expr, list []*pg.Node, elem uint32, all bool, s *scope, loc int32) *expr {
	op := " OR "
	if all {
		op = " AND "
	}
	parts, depth := make([]string, len(list)), 0
	for i, n := range list {
		r := c.coerceType(c.expr(n, s), elem, explicitCast)
		if r == nil {
			c.unsupported(loc, "ANY and ALL of this array in an index")
		}
		e := c.binary(name, l, r, loc)
		parts[i], depth = c.operand(e), max(depth, e.depth)
	}
	return &expr{sql: balance(parts, op), typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 12}
}

package pgsql

import (
	"slices"
	"strconv"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

func itoa(i int) string { return strconv.Itoa(i) }

// rangeFunction compiles a function in FROM.
func (c *compiler) rangeFunction(n *pg.RangeFunction, s *scope) *fromItem {
	if len(n.Functions) != 1 {
		c.unsupported(-1, "ROWS FROM with several functions")
	}
	name, names := aliasOf(n.Alias)
	pair := n.Functions[0].GetList().GetItems()
	node := pair[0]
	defs := n.Coldeflist
	if len(pair) > 1 && pair[1].GetList() != nil {
		defs = pair[1].GetList().GetItems()
	}
	s.lateralUse = false
	saved := s.ctx
	s.ctx = ctxFrom
	f := c.functionItem(node, s, name, defs, n.Ordinality)
	s.ctx = saved
	c.renameColumns(f.top, names, -1)
	if len(names) > 0 {
		f.top.record = false
	}
	return f
}

// functionItem compiles one function of FROM.
func (c *compiler) functionItem(node *pg.Node, s *scope, name string, defs []*pg.Node, ordinality bool) *fromItem {
	fc := node.GetFuncCall()
	var x *call
	fname := figureName(node)
	if fc != nil {
		schema, fn := c.funcName(fc.Funcname, fc.Location)
		fname = fn
		if fc.Over != nil || c.isAggregate(schema, fn) {
			c.failAt(fc.Location, pgerror.GroupingError, "aggregate functions are not allowed in functions in FROM")
		}
		if len(defs) > 0 || isRecordFunction(fn) {
			return c.recordFunction(fc, fn, s, name, defs)
		}
		if c.syntaxCall(fc, schema, fn, s) == nil {
			args := c.callArgs(fc, s)
			if fn == "unnest" && len(args) > 1 {
				return c.unnestMany(args, name, ordinality)
			}
			r := c.resolveCall(fc, schema, fn, args, s)
			if r.fn != nil && r.fn.RetSet {
				x = r
			}
		}
	}
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias}
	if name == "" {
		it.name = fname
	}
	col := it.name
	if x == nil {
		// an ordinary expression: one row
		e := c.resolveUnknown(c.expr(node, s))
		if e.kind == exprRow {
			c.unsupported(e.loc, "function returning record in FROM")
		}
		it.cols = []rangeCol{{name: col, typ: e.typ, typmod: e.typmod, sql: alias + ".value"}}
		it.record = true
		sql := "(SELECT " + c.text(e) + " AS value) AS " + alias
		if s.lateralUse {
			it.cols[0].sql = alias + ".c0"
			sql = "lc_rows((SELECT lc_pack(" + c.text(e) + ")), 1) AS " + alias
		}
		if ordinality {
			it.cols = append(it.cols, rangeCol{name: "ordinality", typ: catalog.Int8OID, typmod: -1, sql: "1"})
		}
		return &fromItem{sql: sql, items: []*rangeItem{it}, top: it, count: 1}
	}
	sql := c.setFunction(x, it, col)
	if ordinality {
		ord := alias + ".ordinality"
		if !strings.HasPrefix(sql, "lc_unnest(") {
			sql, ord = c.numbered(sql, it, s)
		}
		it.record = false
		it.cols = append(it.cols, rangeCol{name: "ordinality", typ: catalog.Int8OID, typmod: -1, sql: ord})
	}
	return &fromItem{sql: sql + " AS " + alias, items: []*rangeItem{it}, top: it, count: 1}
}

// setFunction emits a set-returning function as a table-valued one and fills the item's columns.
func (c *compiler) setFunction(x *call, it *rangeItem, col string) string {
	f := x.fn
	if f.Volatility == 'v' {
		c.volatile = true
	} else if f.Volatility == 's' {
		c.unstable = true
	}
	if f.Impl == "" {
		c.unsupported(x.loc, "function %s", f.Name)
	}
	var sql string
	if strings.HasPrefix(f.Impl, "@") {
		x.name = f.Impl[1:]
		sql = c.text(c.special(x))
	} else {
		sql = c.text(c.emitCall(x))
	}
	if len(f.OutTypes) > 1 {
		for i, t := range f.OutTypes {
			actual := t
			if isPolymorphic(t) && len(x.args) > 0 {
				actual = settled(t, catalog.ElemOf(x.args[0].typ), catalog.TextOID)
			}
			it.cols = append(it.cols, rangeCol{name: f.OutNames[i], typ: actual, typmod: -1, sql: it.alias + "." + rowsColumn(i)})
		}
		return "lc_rows(" + sql + ", " + itoa(len(f.OutTypes)) + ")"
	}
	if len(f.OutNames) == 1 {
		col = f.OutNames[0]
	}
	it.record = true
	it.cols = []rangeCol{{name: col, typ: x.ret, typmod: -1, sql: it.alias + ".value"}}
	if strings.HasPrefix(sql, "lc_series(") || strings.HasPrefix(sql, "lc_unnest(") {
		return sql
	}
	return "lc_unnest(" + sql + ")"
}

// numbered adds WITH ORDINALITY to a table-valued function that has no such column.
func (c *compiler) numbered(sql string, it *rangeItem, s *scope) (string, string) {
	inner := c.alias()
	n := len(it.cols)
	cols := make([]string, n, n+1)
	for i := range it.cols {
		cols[i] = inner + strings.TrimPrefix(it.cols[i].sql, it.alias)
		it.cols[i].sql = it.alias + "." + rowsColumn(i)
	}
	cols = append(cols, inner+".o")
	out := "lc_rows((SELECT lc_pack(" + strings.Join(cols, ", ") + ") FROM (SELECT *, row_number() OVER () AS o FROM " + sql + ") AS " + inner + "), " + itoa(n+1) + ")"
	return out, it.alias + "." + rowsColumn(n)
}

// unnestMany compiles unnest of several arrays.
func (c *compiler) unnestMany(args []*expr, name string, ordinality bool) *fromItem {
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias}
	if name == "" {
		it.name = "unnest"
	}
	n := len(args)
	sets := make([]string, n)
	for i, a := range args {
		elem := catalog.ElemOf(a.typ)
		if elem == 0 {
			c.failAt(a.loc, pgerror.UndefinedFunction, "function unnest(%s) does not exist", typeDisplay(argType(a)))
		}
		sets[i] = "lc_unnest(" + c.text(a) + ")"
		it.cols = append(it.cols, rangeCol{name: "unnest", typ: elem, typmod: -1, sql: alias + "." + rowsColumn(i)})
	}
	if ordinality {
		it.cols = append(it.cols, rangeCol{name: "ordinality", typ: catalog.Int8OID, typmod: -1, sql: alias + "." + rowsColumn(n)})
	}
	return &fromItem{sql: sideBySide(sets, slices.Repeat([]int{1}, n)) + " AS " + alias, items: []*rangeItem{it}, top: it, count: 1}
}

// sideBySide puts the rows of table-valued functions side by side, the shorter ones filled up with NULL, and at last their
// number. widths says how many columns they have. Such a function's rowid counts its rows.
func sideBySide(sets []string, widths []int) string {
	n := 0
	for _, w := range widths {
		n += w
	}
	names, maxima := make([]string, n+1), make([]string, n+1)
	for i := range names {
		names[i] = rowsColumn(i)
		maxima[i] = "max(" + names[i] + ") AS " + names[i] // of one value: in the others' rows it is NULL
	}
	maxima[n] = names[n]
	var all strings.Builder
	base := 0
	for i, set := range sets {
		cols := make([]string, n+1)
		for j := range cols {
			cols[j] = "NULL AS " + names[j]
		}
		cols[n] = "rowid AS " + names[n]
		for j := range widths[i] {
			cols[base+j] = rowsColumn(j) + " AS " + names[base+j]
			if strings.HasPrefix(set, "lc_series(") || strings.HasPrefix(set, "lc_unnest(") {
				cols[base+j] = "value AS " + names[base+j]
			}
		}
		base += widths[i]
		if i > 0 {
			all.WriteString(" UNION ALL ")
		}
		all.WriteString("SELECT " + strings.Join(cols, ", ") + " FROM " + set)
	}
	return "lc_rows((SELECT lc_pack(" + strings.Join(names, ", ") + ") FROM (SELECT " + strings.Join(maxima, ", ") + " FROM (" + all.String() +
		") GROUP BY " + names[n] + " ORDER BY " + names[n] + ")), " + itoa(n+1) + ")"
}

// isRecordFunction tells the functions whose columns the call describes.
func isRecordFunction(name string) bool {
	switch name {
	case "json_to_record", "jsonb_to_record", "json_to_recordset", "jsonb_to_recordset":
		return true
	}
	return false
}

// recordFunction compiles json_to_recordset(…) AS x(a int, …) and its kin.
func (c *compiler) recordFunction(n *pg.FuncCall, fn string, s *scope, name string, defs []*pg.Node) *fromItem {
	if !isRecordFunction(fn) {
		c.unsupported(n.Location, "column definition list for function %s", fn)
	}
	if len(defs) == 0 {
		e := pgerror.New(pgerror.SyntaxError, "a column definition list is required for functions returning \"record\"")
		c.fail(e.At(c.position(n.Location)))
	}
	args := c.callArgs(n, s)
	if len(args) != 1 {
		c.failAt(n.Location, pgerror.UndefinedFunction, "function %s does not exist", fn)
	}
	typ, get := catalog.JSONOID, "lc_json_get_text"
	if strings.HasPrefix(fn, "jsonb") {
		typ, get = catalog.JSONBOID, "lc_jsonb_get_text"
	}
	arg := c.coerceType(args[0], typ, implicitCast)
	if arg == nil {
		c.failAt(n.Location, pgerror.UndefinedFunction, "function %s(%s) does not exist", fn, typeDisplay(argType(args[0])))
	}
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias}
	if name == "" {
		it.name = fn
	}
	rows := "lc_array(" + itoa(int(typ)) + ", " + c.text(arg) + ")"
	if strings.HasSuffix(fn, "set") {
		rows = get[:len(get)-len("_get_text")] + "_array_elements(" + c.text(arg) + ")"
	}
	for _, d := range defs {
		def := d.GetColumnDef()
		t, typmod := c.typeName(def.TypeName)
		value := get + "(" + alias + ".value, " + quoteText(def.Colname) + ")"
		if catalog.ElemOf(t) != 0 {
			value = "lc_json_array_text(" + strings.Replace(value, "_text(", "(", 1) + ", " + quoteText(def.Colname) + ")"
		}
		field := plain(value, catalog.TextOID, true, -1)
		e := c.cast(field, t, typmod, n.Location)
		it.cols = append(it.cols, rangeCol{name: def.Colname, typ: t, typmod: typmod, sql: c.operand(e), lit: e})
	}
	return &fromItem{sql: "lc_unnest(" + rows + ") AS " + alias, items: []*rangeItem{it}, top: it, count: 1}
}

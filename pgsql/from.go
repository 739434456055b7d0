package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// fromItem is one compiled item of a FROM clause.
type fromItem struct {
	sql   string
	items []*rangeItem // what it adds to the namespace
	top   *rangeItem   // the item itself: of a join, its result
	alias string       // of a join that was made a subquery
	join  bool         // sql is a join without parentheses
	outer bool         // … with FULL in it
	count int          // tables joined in it
}

// from compiles a FROM clause into s and returns its text without the word FROM, "" for none. An item that is in s before
// is the table of an UPDATE or DELETE, to which the caller joins the text.
func (c *compiler) from(nodes []*pg.Node, s *scope) string {
	var b strings.Builder
	inFrom := s.inFrom
	s.inFrom, s.reduced = true, c.reduceJoins(nodes, s)
	first := len(s.items)
	count := first
	for i, n := range nodes {
		f := c.fromItem(n, s)
		c.checkConflicts(s.items, f.items)
		c.ranged(f.items)
		if count += f.count; count > maxTables && i > 0 {
			left := &fromItem{sql: b.String(), items: s.items[first:]}
			s.items = s.items[:first]
			c.encloseNarrowed(left, s)
			s.items = append(s.items, left.items...)
			b.Reset()
			b.WriteString(left.sql)
			count = first + 1 + f.count
		}
		s.items = append(s.items, f.items...)
		if i > 0 {
			b.WriteString(" JOIN ")
		}
		if first+i > 0 && f.outer {
			b.WriteString("(" + f.sql + ")")
		} else {
			b.WriteString(f.sql)
		}
	}
	s.inFrom, s.joins = inFrom, count
	return b.String()
}

// ranged notes what the aliases of items stand for.
func (c *compiler) ranged(items []*rangeItem) {
	for _, it := range items {
		if it.alias != "" {
			c.ranges = append(c.ranges, Range{it.alias, it.name, it.table})
		}
		c.ranged(it.parts)
	}
}

// checkConflicts refuses two items of one name.
func (c *compiler) checkConflicts(have, more []*rangeItem) {
	for _, a := range more {
		if a.relHidden || a.name == "" {
			continue
		}
		for _, b := range have {
			if b.relHidden || b.name != a.name {
				continue
			}
			if a.schema != "" && b.schema != "" && a.schema != b.schema {
				continue
			}
			c.fail(pgerror.New(pgerror.DuplicateAlias, "table name \"%s\" specified more than once", a.name))
		}
	}
}

// fromItem compiles one item of FROM.
func (c *compiler) fromItem(n *pg.Node, s *scope) *fromItem {
	switch x := n.GetNode().(type) {
	case *pg.Node_RangeVar:
		return c.rangeVarItem(x.RangeVar, s)
	case *pg.Node_RangeSubselect:
		return c.rangeSubselect(x.RangeSubselect, s)
	case *pg.Node_JoinExpr:
		return c.joinItem(x.JoinExpr, s)
	case *pg.Node_RangeFunction:
		return c.rangeFunction(x.RangeFunction, s)
	case *pg.Node_RangeTableSample:
		c.unsupported(x.RangeTableSample.Location, "TABLESAMPLE")
	case *pg.Node_RangeTableFunc:
		c.unsupported(x.RangeTableFunc.Location, "XMLTABLE")
	case *pg.Node_JsonTable:
		c.unsupported(x.JsonTable.Location, "JSON_TABLE")
	}
	c.unsupported(-1, "this FROM item")
	return nil
}

// lookupTable finds a relation by its RangeVar: search path, pg_catalog first; 42P01 if missing.
func (c *compiler) lookupTable(rv *pg.RangeVar) *catalog.Table {
	if rv.Catalogname != "" && rv.Catalogname != c.env.Database {
		c.failAt(rv.Location, pgerror.FeatureNotSupported, "cross-database references are not implemented: \"%s.%s.%s\"", rv.Catalogname, rv.Schemaname, rv.Relname)
	}
	t := c.findTable(rv.Schemaname, rv.Relname)
	if t == nil {
		c.failAt(rv.Location, pgerror.UndefinedTable, "relation \"%s\" does not exist", relationName(rv))
	}
	return t
}

// findTable is lookupTable that returns nil where there is none.
func (c *compiler) findTable(schema, name string) *catalog.Table {
	if schema != "" {
		if schema == "pg_temp" {
			return nil
		}
		return c.env.Schema.Relation(schema, name)
	}
	path := c.env.SearchPath
	if !slices.Contains(path, "pg_catalog") {
		if t := c.env.Schema.Relation("pg_catalog", name); t != nil {
			return t
		}
	}
	for _, sch := range path {
		if t := c.env.Schema.Relation(sch, name); t != nil {
			return t
		}
	}
	return nil
}

// read notes that the plan reads a relation.
func (c *compiler) read(t *catalog.Table) {
	if t.System {
		c.system = true
		return
	}
	if t.Kind == catalog.KindTable && !slices.Contains(c.reads, t.ID) {
		c.reads = append(c.reads, t.ID)
	}
}

// rangeVarItem compiles a table, view, sequence or CTE in FROM.
func (c *compiler) rangeVarItem(rv *pg.RangeVar, s *scope) *fromItem {
	name, names := aliasOf(rv.Alias)
	if rv.Schemaname == "" && rv.Catalogname == "" {
		if q := s.findCTE(rv.Relname); q != nil {
			return c.cteItem(q, rv, name, names, s)
		}
	}
	t := c.lookupTable(rv)
	c.read(t)
	c.need(t, catalog.PrivSelect)
	var f *fromItem
	switch t.Kind {
	case catalog.KindView:
		f = c.viewItem(t, name)
	case catalog.KindProvided:
		alias := c.alias()
		it := c.tableItem(t, name, alias)
		for i := range it.cols {
			it.cols[i].sql = alias + "." + rowsColumn(i)
		}
		c.unstable = true
		sql := "lc_rows(" + c.arg(Arg{Kind: ArgProvided, Name: t.Name}) + ", " + itoa(len(t.Columns)) + ") AS " + alias
		f = &fromItem{sql: sql, items: []*rangeItem{it}, top: it, count: 1}
	case catalog.KindSequence:
		f = c.sequenceItem(t, name)
	default:
		alias := c.alias()
		it := c.tableItem(t, name, alias)
		f = &fromItem{sql: quoteIdent(t.Phys) + " AS " + alias, items: []*rangeItem{it}, top: it, count: 1}
	}
	f.top.loc = rv.Location
	c.renameColumns(f.top, names, rv.Location)
	return f
}

// rowsColumn is the name of the i-th column of lc_rows.
func rowsColumn(i int) string { return "c" + itoa(i) }

// sequenceItem is a sequence read as a relation.
func (c *compiler) sequenceItem(t *catalog.Table, name string) *fromItem {
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias, table: t}
	if name == "" {
		it.name, it.schema = t.Name, t.Schema
	}
	it.cols = []rangeCol{
		{name: "last_value", typ: catalog.Int8OID, typmod: -1, sql: alias + ".c0", tableOID: t.OID, attNum: 1},
		{name: "log_cnt", typ: catalog.Int8OID, typmod: -1, sql: alias + ".c1", tableOID: t.OID, attNum: 2},
		{name: "is_called", typ: catalog.BoolOID, typmod: -1, sql: alias + ".c2", tableOID: t.OID, attNum: 3},
	}
	c.unstable = true
	sql := "lc_rows(" + c.arg(Arg{Kind: ArgProvided, Name: "sequence:" + itoa(int(t.OID))}) + ", 3) AS " + alias
	return &fromItem{sql: sql, items: []*rangeItem{it}, top: it, count: 1}
}

// viewItem expands a view.
func (c *compiler) viewItem(t *catalog.Table, name string) *fromItem {
	if slices.Contains(c.views, t.OID) {
		c.fail(pgerror.New(pgerror.InvalidObjectDefinition, "infinite recursion detected in rules for relation \"%s\"", t.Name))
	}
	if len(c.views) >= maxViews {
		c.fail(pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
			WithDetail("Views are nested more than %d deep.", maxViews))
	}
	sel, err := parseQuery(t.View)
	c.check(err, -1)
	src := c.src
	c.src = ""
	c.views = append(c.views, t.OID)
	as := c.as
	if c.as = t.Owner; t.System {
		c.as = systemOwner
	}
	before := c.volatiles
	r := c.selectQuery(sel, nil)
	r.once = c.volatiles > before
	c.views, c.as = c.views[:len(c.views)-1], as
	c.src = src
	f := c.relItem(r, name)
	f.top.table = t
	if name == "" {
		f.top.name, f.top.schema, f.top.relHidden = t.Name, t.Schema, false
	}
	for i := range f.top.cols {
		if i < len(t.Columns) {
			f.top.cols[i].name = t.Columns[i].Name
			f.top.cols[i].tableOID, f.top.cols[i].attNum = t.OID, t.Columns[i].Num
		}
	}
	return f
}

// relItem puts a compiled query into FROM.
func (c *compiler) relItem(r *rel, name string) *fromItem {
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias, relHidden: name == "", derived: true}
	it.cols = relColumns(r, alias)
	for i := range it.cols {
		if it.cols[i].notNull {
			it.key = it.cols[i].sql
			break
		}
	}
	if r.rows {
		r.fields = true
		for i, col := range r.cols {
			for j, f := range col.row {
				it.cols[i].row = append(it.cols[i].row, &expr{
					kind: exprColumn, sql: alias + ".c" + itoa(i+1) + "_" + itoa(j+1), typ: c.resolveUnknown(f).typ, typmod: f.typmod, loc: -1, atomic: true,
				})
			}
			it.cols[i].rowNames = col.rowNames
		}
	}
	c.affine(r)
	sql := r.sql()
	if r.once {
		// SQLite leaves out the columns of a subquery that nobody reads, but not those of a common table expression.
		w := c.alias()
		sql = "WITH " + w + " AS MATERIALIZED (" + sql + ") SELECT * FROM " + w + fence
	}
	count := max(r.joins, 1)
	if r.once {
		count = 1
	}
	return &fromItem{sql: "(" + sql + ") AS " + alias, items: []*rangeItem{it}, top: it, count: count}
}

func relColumns(r *rel, alias string) []rangeCol {
	cols := make([]rangeCol, len(r.cols))
	for i, col := range r.cols {
		cols[i] = rangeCol{
			name: col.name, typ: col.typ, typmod: col.typmod, sql: alias + ".c" + itoa(i+1), notNull: col.notNull,
			tableOID: col.tableOID, attNum: col.attNum,
		}
	}
	return cols
}

// aliasOf takes an Alias apart.
func aliasOf(a *pg.Alias) (name string, cols []string) {
	if a == nil {
		return "", nil
	}
	return a.Aliasname, stringList(a.Colnames)
}

// renameColumns applies the column names of an alias.
func (c *compiler) renameColumns(it *rangeItem, names []string, loc int32) {
	if len(names) > len(it.cols) {
		c.failAt(-1, pgerror.InvalidColumnReference, "table \"%s\" has %d columns available but %d columns specified", it.name, len(it.cols), len(names))
	}
	for i, n := range names {
		it.cols[i].name = n
	}
}

// rangeSubselect compiles (SELECT …) AS alias, LATERAL or not.
func (c *compiler) rangeSubselect(n *pg.RangeSubselect, s *scope) *fromItem {
	name, names := aliasOf(n.Alias)
	outer := s.outerForFrom()
	if n.Lateral {
		outer = s
		s.lateralUse = false
	}
	before := c.volatiles
	r := c.selectQuery(n.Subquery.GetSelectStmt(), outer)
	r.once = c.volatiles > before
	var f *fromItem
	if n.Lateral && s.lateralUse {
		f = c.packedItem(r, name)
	} else {
		f = c.relItem(r, name)
	}
	c.renameColumns(f.top, names, -1)
	return f
}

// packedItem is a LATERAL query in FROM: SQLite has none, but a table-valued function's arguments may name what stands
// to its left, and a subquery may stand among them.
func (c *compiler) packedItem(r *rel, name string) *fromItem {
	alias := c.alias()
	inner := c.alias()
	it := &rangeItem{name: name, alias: alias, relHidden: name == ""}
	cols := make([]string, len(r.cols))
	it.cols = relColumns(r, alias)
	for i := range it.cols {
		cols[i] = inner + ".c" + itoa(i+1)
		it.cols[i].sql = alias + "." + rowsColumn(i)
	}
	if len(cols) == 0 {
		cols = []string{"0"}
	}
	sql := "lc_rows((SELECT lc_pack(" + strings.Join(cols, ", ") + ") FROM (" + r.sql() + ") AS " + inner + "), " + itoa(len(cols)) + ") AS " + alias
	return &fromItem{sql: sql, items: []*rangeItem{it}, top: it, count: 1}
}

// outerForFrom is the scope that a subquery in FROM which is not LATERAL sees: what this query sees from outside, and
// this query's CTEs.
func (s *scope) outerForFrom() *scope {
	return &scope{outer: s.outer, ctes: s.ctes, ctx: ctxFrom, sibling: s}
}

// joinItem compiles a JOIN.
func (c *compiler) joinItem(n *pg.JoinExpr, s *scope) *fromItem {
	nullL := n.Jointype == pg.JoinType_JOIN_RIGHT || n.Jointype == pg.JoinType_JOIN_FULL
	nullR := n.Jointype == pg.JoinType_JOIN_LEFT || n.Jointype == pg.JoinType_JOIN_FULL
	nullable := s.nullable
	recursions, volatiles := len(c.recursions), c.volatiles
	doubled := c.doubled
	defer func() { c.doubled = max(c.doubled, doubled) }()
	c.doubled = 0
	s.nullable = nullable || nullL
	l := c.fromItem(n.Larg, s)
	if s.nullable {
		c.present(l)
	}
	if nullL {
		c.refuseRecursion(recursions, "an outer join")
	}
	recursions = len(c.recursions)
	saved := s.items
	s.items = append(saved[:len(saved):len(saved)], l.items...)
	if nullL {
		setIllegal(l.items, true)
	}
	s.nullable = nullable || nullR
	r := c.fromItem(n.Rarg, s)
	if s.nullable {
		c.present(r)
	}
	s.nullable = nullable
	if nullR {
		c.refuseRecursion(recursions, "an outer join")
	}
	setIllegal(l.items, false)
	s.items = saved
	kind := n.Jointype
	if reduced, ok := s.reduced[n]; ok {
		kind = reduced
		nullL = kind == pg.JoinType_JOIN_RIGHT || kind == pg.JoinType_JOIN_FULL
		nullR = kind == pg.JoinType_JOIN_LEFT || kind == pg.JoinType_JOIN_FULL
	}
	c.checkConflicts(l.items, r.items)
	if l.count+r.count > maxTables {
		for i, f := range []*fromItem{l, r} {
			switch {
			case f.count == 1:
			case nullable || []bool{nullL, nullR}[i]:
				c.enclose(f)
			default:
				c.encloseNarrowed(f, s)
			}
		}
	}

	var full *fullJoin
	switch {
	case kind == pg.JoinType_JOIN_RIGHT:
		c.nest(l)
	case kind != pg.JoinType_JOIN_FULL:
		c.nest(r)
	case c.volatiles == volatiles && c.doubled < maxDoubled && !mentions(l.sql+r.sql, saved):
		full = &fullJoin{l: c.fullOperand(l), r: c.fullOperand(r)}
	default:
		c.nest(r)
	}
	var using []string
	if n.IsNatural {
		for i := range l.top.cols {
			for j := range r.top.cols {
				if name := l.top.cols[i].name; name != "" && name == r.top.cols[j].name && !slices.Contains(using, name) {
					using = append(using, name)
				}
			}
		}
	} else {
		using = stringList(n.UsingClause)
	}
	f := &fromItem{join: true, outer: l.outer || r.outer, count: l.count + r.count}
	var conds []string
	var merged []rangeCol
	var lskip, rskip []bool
	if len(using) > 0 {
		conds, merged, lskip, rskip = c.usingColumns(using, l.top, r.top, n.Jointype)
	} else if n.Quals != nil {
		s.items = append(append([]*rangeItem(nil), l.items...), r.items...)
		conds = c.joinConditions(n.Quals, s, full != nil)
		s.items = saved
	}
	if nullL {
		setNullable(l.items)
	}
	if nullR {
		setNullable(r.items)
	}
	switch on := strings.Join(conds, " AND "); kind {
	case pg.JoinType_JOIN_RIGHT: // which SQLite makes no index for
		f.sql = joinText(r, " LEFT JOIN ", l, on)
	case pg.JoinType_JOIN_LEFT:
		f.sql = joinText(l, " LEFT JOIN ", r, on)
	case pg.JoinType_JOIN_FULL:
		f.sql, f.outer = joinText(l, " FULL JOIN ", r, on), true
	default:
		f.sql = joinText(l, " JOIN ", r, on)
	}
	f.top = c.joinResult(n, l, r, merged, lskip, rskip, nullL, nullR)
	for _, it := range append(l.items, r.items...) {
		it.colsHidden = true
		if n.Alias != nil {
			it.relHidden = true
		}
	}
	f.items = append(append([]*rangeItem{}, l.items...), r.items...)
	f.items = append(f.items, f.top)
	if n.JoinUsingAlias != nil {
		f.items = append(f.items, &rangeItem{name: n.JoinUsingAlias.Aliasname, cols: merged, colsHidden: true})
	}
	if full != nil && c.volatiles == volatiles {
		c.uniteFull(f, full, conds)
	}
	return f
}

// joinResult is the range item of a join: merged columns, then the left's others, then the right's.
func (c *compiler) joinResult(n *pg.JoinExpr, l, r *fromItem, merged []rangeCol, lskip, rskip []bool, lnull, rnull bool) *rangeItem {
	it := &rangeItem{relHidden: true, parts: []*rangeItem{l.top, r.top}}
	it.cols = append(it.cols, merged...)
	add := func(from *rangeItem, skip []bool, null bool) {
		for i, col := range from.cols {
			if skip != nil && skip[i] {
				continue
			}
			col.notNull = col.notNull && !null && !from.nullable
			it.cols = append(it.cols, col)
		}
	}
	add(l.top, lskip, lnull)
	add(r.top, rskip, rnull)
	if name, names := aliasOf(n.Alias); name != "" {
		it.name, it.relHidden = name, false
		c.renameColumns(it, names, -1)
	}
	return it
}

// usingColumns makes the conditions and the merged columns of USING.
func (c *compiler) usingColumns(using []string, l, r *rangeItem, kind pg.JoinType) (conds []string, merged []rangeCol, lskip, rskip []bool) {
	lskip, rskip = make([]bool, len(l.cols)), make([]bool, len(r.cols))
	for _, name := range using {
		li, ri := c.usingColumn(l, name, "left"), c.usingColumn(r, name, "right")
		lskip[li], rskip[ri] = true, true
		le, re := c.itemColumn(l, li), c.itemColumn(r, ri)
		list := []*expr{le, re}
		conds = append(conds, c.text(c.binary("=", le, re, -1)))
		typ, typmod := c.unify("JOIN/USING", list)
		var m rangeCol
		switch {
		case kind == pg.JoinType_JOIN_FULL:
			e := plain("coalesce("+c.texts(list)+")", typ, true, -1, list...)
			m = rangeCol{sql: e.sql, lit: e}
		case kind == pg.JoinType_JOIN_RIGHT:
			m = r.cols[ri]
			if list[1].typ != re.typ || list[1] != re {
				m = rangeCol{sql: c.operand(list[1]), lit: list[1]}
			}
		default:
			m = l.cols[li]
			if list[0] != le {
				m = rangeCol{sql: c.operand(list[0]), lit: list[0]}
			}
		}
		m.name, m.typ, m.typmod = name, typ, typmod
		if m.lit != nil {
			m.lit.typmod = typmod
		}
		merged = append(merged, m)
	}
	return conds, merged, lskip, rskip
}

func (c *compiler) usingColumn(it *rangeItem, name, side string) int {
	found := -1
	for i := range it.cols {
		if it.cols[i].name == name {
			if found >= 0 {
				c.failAt(-1, pgerror.AmbiguousColumn, "common column name \"%s\" appears more than once in %s table", name, side)
			}
			found = i
		}
	}
	if found < 0 {
		c.failAt(-1, pgerror.UndefinedColumn, "column \"%s\" specified in USING clause does not exist in %s table", name, side)
	}
	return found
}

// itemColumn is a column as an expression, outside of any check.
func (c *compiler) itemColumn(it *rangeItem, i int) *expr {
	return c.columnExpr(it, i, &scope{ctx: ctxNone}, it.cols[i].name, -1)
}

func setNullable(items []*rangeItem) {
	for _, it := range items {
		it.nullable = true
		for i := range it.cols {
			it.cols[i].notNull = false
		}
	}
}

func setIllegal(items []*rangeItem, on bool) {
	for _, it := range items {
		it.illegal = on
	}
}

// condition compiles a boolean clause.
func (c *compiler) condition(n *pg.Node, s *scope, ctx exprContext, what string) string {
	filter := s.filter
	s.filter = true
	e := c.exprIn(ctx, n, s)
	s.filter = filter
	return c.text(c.coerceBool(e, what))
}

// where compiles a condition (WHERE; nil: "") in s.
func (c *compiler) where(n *pg.Node, s *scope) string {
	if n == nil {
		return ""
	}
	return c.condition(n, s, ctxWhere, "WHERE")
}

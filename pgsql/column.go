package pgsql

import (
	"fmt"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// columnRef resolves a name: column, table.column, schema.table.column, or a whole row.
func (c *compiler) columnRef(n *pg.ColumnRef, s *scope) *expr {
	names := make([]string, 0, 3)
	for i, f := range n.Fields {
		if f.GetAStar() != nil {
			if i > 0 { // t.* in an expression is the whole row
				schema := ""
				if i > 1 {
					schema = names[i-2]
				}
				if it, level := c.findItem(s, schema, names[i-1], n.Location); it != nil {
					return c.wholeRow(it, level, n.Location)
				}
				c.failAt(n.Location, pgerror.UndefinedTable, "missing FROM-clause entry for table \"%s\"", names[i-1])
			}
			c.failAt(n.Location, pgerror.SyntaxError, "row expansion via \"*\" is not supported here")
		}
		names = append(names, f.GetString_().GetSval())
	}
	switch len(names) {
	case 1:
		if e := c.findColumn(s, names[0], n.Location); e != nil {
			return e
		}
		if it, level := c.findItem(s, "", names[0], n.Location); it != nil {
			return c.wholeRow(it, level, n.Location)
		}
		c.undefinedColumn(s, "", names[0], n.Location)
	case 2:
		return c.qualifiedColumn(s, "", names[0], names[1], n.Location)
	case 3:
		return c.qualifiedColumn(s, names[0], names[1], names[2], n.Location)
	case 4:
		if names[0] != c.env.Database {
			c.failAt(n.Location, pgerror.FeatureNotSupported, "cross-database references are not implemented: %s", strings.Join(names, "."))
		}
		return c.qualifiedColumn(s, names[1], names[2], names[3], n.Location)
	}
	c.failAt(n.Location, pgerror.SyntaxError, "improper qualified name (too many dotted names): %s", strings.Join(names, "."))
	return nil
}

// findColumn looks an unqualified name up, from the inside out. nil: there is none.
func (c *compiler) findColumn(s *scope, name string, loc int32) *expr {
	for level := s; level != nil; level = level.outer {
		var item *rangeItem
		col := -1
		for _, it := range level.items {
			if it.colsHidden {
				continue
			}
			for i := range it.cols {
				if it.cols[i].name != name {
					continue
				}
				if col >= 0 {
					c.failAt(loc, pgerror.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
				}
				item, col = it, i
			}
		}
		if item != nil {
			c.checkLateral(item, level, name, loc)
			return c.useColumn(s, item, col, level, name, loc)
		}
		var e *expr
		for _, it := range level.items {
			if it.colsHidden || it.table == nil || it.noSystem {
				continue
			}
			if f := c.systemColumn(it, name, loc); f != nil {
				if e != nil {
					c.failAt(loc, pgerror.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
				}
				e = f
			}
		}
		if e != nil {
			return e
		}
	}
	return nil
}

// checkLateral refuses what stands in FROM but may not be named here.
func (c *compiler) checkLateral(it *rangeItem, s *scope, name string, loc int32) {
	if it.illegal {
		e := pgerror.New(pgerror.InvalidColumnReference, "invalid reference to FROM-clause entry for table \"%s\"", it.name)
		e.Detail = "The combining JOIN type must be INNER or LEFT for a LATERAL reference."
		c.fail(e.At(c.position(loc)))
	}
}

// findItem finds a range item by name, from the inside out.
func (c *compiler) findItem(s *scope, schema, name string, loc int32) (*rangeItem, *scope) {
	for level := s; level != nil; level = level.outer {
		var found *rangeItem
		for _, it := range level.items {
			if it.relHidden || it.name != name || schema != "" && it.schema != schema {
				continue
			}
			if found != nil {
				c.failAt(loc, pgerror.AmbiguousColumn, "table reference \"%s\" is ambiguous", name)
			}
			found = it
		}
		if found != nil {
			c.checkLateral(found, level, name, loc)
			return found, level
		}
	}
	return nil, nil
}

// qualifiedColumn resolves table.column.
func (c *compiler) qualifiedColumn(s *scope, schema, table, name string, loc int32) *expr {
	it, level := c.findItem(s, schema, table, loc)
	if it == nil {
		if schema == "" {
			// (composite column).field
			if e := c.findColumn(s, table, loc); e != nil && e.kind == exprRow {
				return c.field(e, name)
			}
		}
		c.missingItem(s, schema, table, loc)
	}
	col := -1
	for i := range it.cols {
		if it.cols[i].name == name {
			if col >= 0 {
				c.failAt(loc, pgerror.AmbiguousColumn, "column reference \"%s\" is ambiguous", name)
			}
			col = i
		}
	}
	if col < 0 {
		if it.table != nil {
			if e := c.systemColumn(it, name, loc); e != nil {
				return e
			}
		}
		c.undefinedColumn(s, table, name, loc)
	}
	return c.useColumn(s, it, col, level, table+"."+name, loc)
}

// useColumn is columnExpr of an expression that stands in s.
func (c *compiler) useColumn(s *scope, it *rangeItem, i int, level *scope, name string, loc int32) *expr {
	e := c.columnExpr(it, i, level, name, loc)
	if n := len(level.bare); level != s && n > 0 && level.bare[n-1].loc == loc {
		level.bare[n-1].inner = true
	}
	return e
}

// missingItem reports a table name that FROM does not have.
func (c *compiler) missingItem(s *scope, schema, table string, loc int32) {
	shown := table
	if schema != "" {
		shown = schema + "." + table
	}
	for level := s; level != nil; level = level.outer {
		if len(level.items) > 0 && level.items[0].changed && level.items[0].relHidden && level.items[0].name == table {
			c.outOfReach(shown, table, loc) // from the FROM of an UPDATE
		}
		for _, it := range level.items {
			if it.table != nil && it.table.Name == table && it.name != table && !it.relHidden {
				e := pgerror.New(pgerror.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", shown)
				e.Hint = fmt.Sprintf("Perhaps you meant to reference the table alias \"%s\".", it.name)
				c.fail(e.At(c.position(loc)))
			}
		}
	}
	for level := s; level != nil; level = level.outer {
		if level.sibling == nil {
			continue
		}
		for _, it := range level.sibling.items {
			if it.name == table && !it.relHidden {
				c.outOfReach(shown, table, loc)
			}
		}
	}
	c.failAt(loc, pgerror.UndefinedTable, "missing FROM-clause entry for table \"%s\"", shown)
}

// outOfReach reports a table that is there but may not be named here.
func (c *compiler) outOfReach(shown, table string, loc int32) {
	e := pgerror.New(pgerror.UndefinedTable, "invalid reference to FROM-clause entry for table \"%s\"", shown)
	e.Hint = fmt.Sprintf("There is an entry for table \"%s\", but it cannot be referenced from this part of the query.", table)
	c.fail(e.At(c.position(loc)))
}

// undefinedColumn reports a column that does not exist, with the nearest name there is.
func (c *compiler) undefinedColumn(s *scope, table, name string, loc int32) {
	var e *pgerror.Error
	if table != "" {
		e = pgerror.New(pgerror.UndefinedColumn, "column %s.%s does not exist", table, name)
	} else {
		e = pgerror.New(pgerror.UndefinedColumn, "column \"%s\" does not exist", name)
	}
	best, bestAt := 4, ""
	for level := s; level != nil; level = level.outer {
		for _, it := range level.items {
			if it.relHidden || it.name == "" || table != "" && it.name != table {
				continue
			}
			for i := range it.cols {
				if it.cols[i].name == "" {
					continue
				}
				if d := distance(name, it.cols[i].name, best); d < best && d <= len(name)/2 {
					best, bestAt = d, it.name+"."+it.cols[i].name
				}
			}
		}
	}
	if bestAt != "" {
		e.Hint = fmt.Sprintf("Perhaps you meant to reference the column \"%s\".", bestAt)
	}
	c.fail(e.At(c.position(loc)))
}

// distance is the Levenshtein distance of two names, limit when it is not less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit || len(a) > 63 || len(b) > 63 {
		return limit
	}
	var row [65]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return min(row[len(b)], limit)
}

// columnExpr is the use of a column of a range item of level.
func (c *compiler) columnExpr(it *rangeItem, i int, level *scope, name string, loc int32) *expr {
	if it.changed {
		c.need(it.table, catalog.PrivSelect)
	}
	col := &it.cols[i]
	level.lateralUse = level.lateralUse || level.inFrom
	c.uses.note(level, col.arg != nil)
	if c.agg != nil {
		c.agg.note(level)
	}
	if col.lit != nil {
		f := *col.lit
		f.loc = loc
		if !level.unchecked() {
			level.bare = append(level.bare, bareUse{item: it, col: i, loc: loc, name: name})
		}
		return &f
	}
	if !level.unchecked() {
		level.bare = append(level.bare, bareUse{item: it, col: i, loc: loc, name: name})
	}
	return &expr{
		kind: exprColumn, sql: c.colSQL(it, i), typ: col.typ, typmod: col.typmod, loc: loc, atomic: true,
		tableOID: col.tableOID, attNum: col.attNum, notNull: col.notNull && !it.nullable, name: col.name, row: col.row, rowNames: col.rowNames,
	}
}

// unchecked says whether columns used now need not be grouped.
func (s *scope) unchecked() bool {
	if s.aggDepth > 0 {
		return true
	}
	switch s.ctx {
	case ctxSelect, ctxHaving, ctxOrder, ctxDistinctOn, ctxWindowPartition, ctxWindowOrder, ctxWindowFrame:
		return false
	}
	return true
}

// firstViewOID is where OIDs begin that PostgreSQL does not assign by hand.
const firstViewOID = 10000

// systemColumn resolves tableoid and refuses PostgreSQL's other system columns.
func (c *compiler) systemColumn(it *rangeItem, name string, loc int32) *expr {
	switch name {
	case "tableoid":
		present := it.system("rowid")
		if it.derived {
			// A few of PostgreSQL's tables are views here. Its own views have OIDs above all of its tables.
			if !it.table.System || it.table.OID >= firstViewOID {
				return nil
			}
			present = it.cols[0].sql // the oid
		}
		e := plain(fmt.Sprint(it.table.OID), catalog.OidOID, true, loc)
		if it.nullable {
			e = plain("CASE WHEN "+present+" IS NOT NULL THEN "+e.sql+" END", catalog.OidOID, true, loc)
		}
		return e
	case "ctid", "xmin", "xmax", "cmin", "cmax":
		if it.table.System {
			return nil
		}
		c.unsupported(loc, "system column %s", name)
	}
	return nil
}

// wholeRow is a table's name used as a value: its row.
func (c *compiler) wholeRow(it *rangeItem, level *scope, loc int32) *expr {
	if it.record && len(it.cols) == 1 {
		return c.columnExpr(it, 0, level, it.name, loc)
	}
	e := &expr{kind: exprRow, typ: catalog.RecordOID, typmod: -1, loc: loc, atomic: true, depth: 2}
	for i := range it.cols {
		if it.cols[i].name == "" {
			continue
		}
		e.row = append(e.row, c.columnExpr(it, i, level, it.name+".*", loc))
		e.rowNames = append(e.rowNames, it.cols[i].name)
	}
	if it.nullable && it.stored() {
		e.presence = it.system("rowid") + " IS NOT NULL"
	}
	if it.nullable && it.key != "" {
		e.presence = it.key + " IS NOT NULL"
	}
	return e
}

// expandStars compiles a list of expressions in which * and t.* may stand.
func (c *compiler) expandStars(list []*pg.Node, s *scope) []*target {
	out := make([]*target, 0, len(list))
	for _, n := range list {
		out = c.appendTarget(out, n, "", s)
	}
	return out
}

// appendTarget compiles one entry of a list, a star into all that it stands for.
func (c *compiler) appendTarget(out []*target, n *pg.Node, name string, s *scope) []*target {
	if ref := n.GetColumnRef(); ref != nil {
		if last := ref.Fields[len(ref.Fields)-1]; last.GetAStar() != nil {
			return c.star(out, ref, s)
		}
	}
	if ind := n.GetAIndirection(); ind != nil && len(ind.Indirection) > 0 && ind.Indirection[len(ind.Indirection)-1].GetAStar() != nil {
		short := &pg.A_Indirection{Arg: ind.Arg, Indirection: ind.Indirection[:len(ind.Indirection)-1]}
		e := c.indirection(short, s)
		if e.kind != exprRow {
			c.unsupported(e.loc, "row expansion of a value of type %s", typeDisplay(e.typ))
		}
		for i, x := range e.row {
			out = append(out, &target{name: e.rowNames[i], e: x})
		}
		return out
	}
	if name == "" {
		name = figureName(n)
	}
	return append(out, &target{name: name, e: c.expr(n, s), node: n})
}

// star expands * and t.*.
func (c *compiler) star(out []*target, ref *pg.ColumnRef, s *scope) []*target {
	loc := ref.Location
	if len(ref.Fields) == 1 {
		found := false
		for _, it := range s.items {
			if it.colsHidden {
				continue
			}
			found = true
			out = c.itemColumns(out, it, s, loc)
		}
		if !found {
			c.failAt(loc, pgerror.SyntaxError, "SELECT * with no tables specified is not valid")
		}
		return out
	}
	schema, table := "", ""
	switch len(ref.Fields) {
	case 2:
		table = ref.Fields[0].GetString_().GetSval()
	case 3:
		schema, table = ref.Fields[0].GetString_().GetSval(), ref.Fields[1].GetString_().GetSval()
	default:
		c.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names)")
	}
	it, level := c.findItem(s, schema, table, loc)
	if it == nil {
		c.missingItem(s, schema, table, loc)
	}
	return c.itemColumns(out, it, level, loc)
}

func (c *compiler) itemColumns(out []*target, it *rangeItem, level *scope, loc int32) []*target {
	for i := range it.cols {
		if it.cols[i].name == "" {
			continue
		}
		name := it.cols[i].name
		if it.name != "" {
			name = it.name + "." + name
		}
		out = append(out, &target{name: it.cols[i].name, e: c.columnExpr(it, i, level, name, loc)})
	}
	return out
}

// figureName is the name that PostgreSQL gives an unnamed result column (FigureColname).
func figureName(n *pg.Node) string {
	if name, _ := figure(n); name != "" {
		return name
	}
	return "?column?"
}

func figure(n *pg.Node) (name string, strength int) {
	last := func(list []*pg.Node) string {
		for i := len(list) - 1; i >= 0; i-- {
			if s := list[i].GetString_(); s != nil {
				return s.GetSval()
			}
		}
		return ""
	}
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		if s := last(x.ColumnRef.Fields); s != "" {
			return s, 2
		}
	case *pg.Node_AIndirection:
		if s := last(x.AIndirection.Indirection); s != "" {
			return s, 2
		}
		return figure(x.AIndirection.Arg)
	case *pg.Node_FuncCall:
		return last(x.FuncCall.Funcname), 2
	case *pg.Node_AExpr:
		if x.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg.Node_TypeCast:
		if s, k := figure(x.TypeCast.Arg); k > 1 {
			return s, k
		}
		if s := last(x.TypeCast.TypeName.GetNames()); s != "" {
			return s, 1
		}
	case *pg.Node_CollateClause:
		return figure(x.CollateClause.Arg)
	case *pg.Node_GroupingFunc:
		return "grouping", 2
	case *pg.Node_SubLink:
		switch x.SubLink.SubLinkType {
		case pg.SubLinkType_EXISTS_SUBLINK:
			return "exists", 2
		case pg.SubLinkType_ARRAY_SUBLINK:
			return "array", 2
		case pg.SubLinkType_EXPR_SUBLINK:
			if sel := x.SubLink.Subselect.GetSelectStmt(); sel != nil {
				for sel.Op != pg.SetOperation_SETOP_NONE && sel.Larg != nil {
					sel = sel.Larg
				}
				if len(sel.TargetList) > 0 {
					t := sel.TargetList[0].GetResTarget()
					if t.GetName() != "" {
						return t.GetName(), 2
					}
					return figure(t.GetVal())
				}
				if len(sel.ValuesLists) > 0 {
					return "column1", 2
				}
			}
		}
	case *pg.Node_CaseExpr:
		if s, k := figure(x.CaseExpr.Defresult); k > 1 {
			return s, k
		}
		return "case", 1
	case *pg.Node_AArrayExpr:
		return "array", 2
	case *pg.Node_RowExpr:
		return "row", 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg.Node_MinMaxExpr:
		if x.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg.Node_SqlvalueFunction:
		op := x.SqlvalueFunction.Op.String()
		op = strings.TrimPrefix(op, "SVFOP_")
		return strings.ToLower(strings.TrimSuffix(op, "_N")), 2
	case *pg.Node_XmlSerialize:
		return "xmlserialize", 2
	}
	return "", 0
}

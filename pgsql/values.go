package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// values compiles VALUES with its ORDER BY and LIMIT.
func (c *compiler) values(sel *pg.SelectStmt, s *scope) *rel {
	rows := make([][]*expr, len(sel.ValuesLists))
	s.ctx = ctxValues
	for i, n := range sel.ValuesLists {
		items := n.GetList().GetItems()
		rows[i] = make([]*expr, 0, len(items))
		for _, t := range c.expandStars(items, s) {
			rows[i] = append(rows[i], t.e)
		}
		if len(rows[i]) != len(rows[0]) {
			loc := int32(-1)
			if len(rows[i]) > 0 {
				loc = rows[i][0].loc
			}
			c.failAt(loc, pgerror.SyntaxError, "VALUES lists must all be the same length")
		}
	}
	r := c.valuesRel(rows)
	if len(sel.SortClause) == 0 && sel.LimitCount == nil && sel.LimitOffset == nil {
		return r
	}
	c.resolve(r)
	return c.ordered(r, sel, s)
}

// valuesRel makes a query of rows of expressions.
func (c *compiler) valuesRel(rows [][]*expr) *rel {
	n := len(rows[0])
	r := &rel{cols: make([]relCol, n), plain: true, terms: 1, one: len(rows) == 1}
	for j := range n {
		col := make([]*expr, len(rows))
		known := false
		for i := range rows {
			col[i] = rows[i][j]
			known = known || !col[i].isUnknown()
		}
		r.cols[j] = relCol{name: "column" + itoa(j+1), typ: catalog.UnknownOID, typmod: -1, loc: col[0].loc}
		if !known && len(rows) == 1 {
			continue
		}
		typ, typmod := c.unify("VALUES", col)
		for i := range rows {
			rows[i][j] = col[i]
		}
		r.cols[j].typ, r.cols[j].typmod = typ, typmod
	}
	if len(rows) == 1 {
		r.exprs = rows[0]
		r.build = func() string { return "SELECT " + c.selectList(r.exprs) }
		return r
	}
	r.build = func() string {
		return "SELECT " + valuesNames(n) + " FROM (" + c.valuesText(rows) + ")"
	}
	return r
}

// valuesNames renames the columns of a VALUES.
func valuesNames(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "column" + itoa(i+1) + " AS c" + itoa(i+1)
	}
	return strings.Join(names, ", ")
}

// valuesText writes VALUES; many rows of constants become one row set, so that the text does not grow with them.
func (c *compiler) valuesText(rows [][]*expr) string {
	n := len(rows[0])
	constant := len(rows) > 4 && n > 0 && n <= 128
	for _, row := range rows {
		for _, e := range row {
			constant = constant && e.kind == exprConst
		}
	}
	var b strings.Builder
	if constant {
		var blob []byte
		for _, row := range rows {
			for _, e := range row {
				blob = catalog.AppendValue(blob, e.val)
			}
		}
		b.WriteString("SELECT ")
		for i := range n {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(rowsColumn(i) + " AS column" + itoa(i+1))
		}
		b.WriteString(" FROM lc_rows(" + c.konst(catalog.BlobBytes(blob)) + ", " + itoa(n) + ")")
		return b.String()
	}
	if len(rows) <= maxTerms && computed(rows) { // SQLite's VALUES cannot name columns from outside
		for i, row := range rows {
			if i > 0 {
				b.WriteString(" UNION ALL ")
			}
			b.WriteString("SELECT ")
			for j, e := range row {
				if j > 0 {
					b.WriteString(", ")
				}
				b.WriteString(c.text(e) + " AS column" + itoa(j+1))
			}
		}
		return b.String()
	}
	b.WriteString("VALUES ")
	for i, row := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		b.WriteString(c.texts(row))
		b.WriteByte(')')
	}
	return b.String()
}

// computed says whether some cell is neither a constant nor a parameter.
func computed(rows [][]*expr) bool {
	for _, row := range rows {
		for _, e := range row {
			if e.kind != exprConst && e.kind != exprUnknown && !e.isParam {
				return true
			}
		}
	}
	return false
}

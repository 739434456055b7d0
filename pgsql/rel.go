package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// rel is a compiled query: what its result looks like, and its SQL once nothing more is to be converted.
type rel struct {
	cols  []relCol
	exprs []*expr // of a simple query: its columns, convertible until sql is called; nil: wrap
	build func() string
	locks []*lockedItem
	one   bool       // at most one row
	joins int        // tables that it brings into a join when SQLite merges it into the query around it; 0: one
	once  bool       // calls volatile functions: SQLite must not merge it into the query around it, and call them anew at each use
	point bool       // see Query.Point
	over  catalog.ID // see Query.Overlay
	terms int        // SELECTs that the text is a chain of
	plain bool       // the text may stand in a chain of set operations as it is

	bare   bool // neither grouped nor distinct, no windows, ORDER BY or LIMIT, one column:
	single bool // lc_one is to be put around that column

	apart bool     // grouped into several rows, or with windows: SQLite does not merge it into the query around it
	group []string // what it is grouped by

	rows   bool // some columns are rows, whose fields can be had as columns of their own:
	fields bool // c1_1, c1_2 … are to follow
}

// relCol is a column of a rel.
type relCol struct {
	name     string
	typ      uint32 // 705 until resolve where nothing has chosen the type yet
	typmod   int32
	tableOID uint32
	attNum   int16
	notNull  bool
	loc      int32
	row      []*expr // of a row: its fields
	rowNames []string
}

// target is an entry of a SELECT or RETURNING list.
type target struct {
	name string
	e    *expr
	node *pg.Node // nil for what a star stands for
}

// sql returns the SELECT, its columns named c1, c2 ….
func (r *rel) sql() string { return r.build() }

// relSQL is r.sql for callers outside of SELECT.
func (c *compiler) relSQL(r *rel) string {
	c.resolve(r)
	return r.build()
}

// resolve makes text of the columns whose type nothing chose.
func (c *compiler) resolve(r *rel) {
	for i := range r.cols {
		if r.cols[i].typ == catalog.UnknownOID {
			c.coerceColumn(r, i, catalog.TextOID, -1, implicitCast)
		}
	}
}

// columnExprOf is a column of a rel as an expression, to find conversions by.
func (r *rel) column(i int) *expr {
	if r.exprs != nil {
		return r.exprs[i]
	}
	col := &r.cols[i]
	return &expr{kind: exprColumn, sql: "c" + itoa(i+1), typ: col.typ, typmod: col.typmod, loc: col.loc, atomic: true, notNull: col.notNull}
}

// affine gives the integers that a query in FROM makes by aggregates and window functions the affinity that those of tables
// have: SQLite makes no index of a column without it to look up one with it.
func (c *compiler) affine(r *rel) {
	if !r.apart || r.exprs == nil {
		return
	}
	for i, e := range r.exprs {
		switch e.typ {
		case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
			sql := c.text(e)
			if e.kind == exprColumn || slices.Contains(r.group, sql) { // conditions on those may go into it, and find an index
				continue
			}
			f := *e
			f.sql, f.kind, f.atomic = "CAST("+sql+" AS INTEGER)", exprPlain, true
			r.exprs[i] = &f
		}
	}
}

// setColumn replaces a column by what it was converted to.
func (c *compiler) setColumn(r *rel, i int, e *expr) {
	if r.exprs == nil {
		inner, n := r.build, len(r.cols)
		exprs := make([]*expr, n)
		a := c.alias()
		for j := range exprs {
			exprs[j] = &expr{kind: exprColumn, sql: a + ".c" + itoa(j+1), typ: r.cols[j].typ, typmod: r.cols[j].typmod, loc: r.cols[j].loc, atomic: true}
		}
		r.exprs = exprs
		r.build = func() string {
			return "SELECT " + c.selectList(r.exprs) + " FROM (" + inner() + ") AS " + a
		}
		r.plain, r.terms = true, 1
		return
	}
	r.exprs[i] = e
	col := &r.cols[i]
	if e.typ != col.typ || e.kind != exprColumn {
		col.tableOID, col.attNum = 0, 0
	}
	col.typ, col.typmod = e.typ, e.typmod
}

// coerceColumn converts a column of r; false if there is no such conversion.
func (c *compiler) coerceColumn(r *rel, i int, typ uint32, typmod int32, context byte) bool {
	col := &r.cols[i]
	if col.typ == typ && (typmod < 0 || col.typmod == typmod) {
		return true
	}
	if r.exprs == nil {
		if !canCoerce(col.typ, typ, context) {
			return false
		}
		c.setColumn(r, i, nil)
	}
	e := c.coerce(r.exprs[i], typ, typmod, context)
	if e == nil {
		return false
	}
	c.setColumn(r, i, e)
	return true
}

// coerceRel converts the columns of r as an assignment to cols (INSERT … SELECT).
func (c *compiler) coerceRel(r *rel, cols []*catalog.Column) {
	for i, col := range cols {
		if i >= len(r.cols) {
			break
		}
		if !c.coerceColumn(r, i, col.Type, col.Typmod, assignmentCast) {
			e := pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s",
				col.Name, typeDisplay(col.Type), typeDisplay(r.cols[i].typ))
			c.fail(e.WithHint("You will need to rewrite or cast the expression.").At(c.position(r.cols[i].loc)))
		}
	}
}

// selectList is a list of result columns named c1, c2 ….
func (c *compiler) selectList(exprs []*expr) string {
	if len(exprs) == 0 {
		return "NULL AS c0"
	}
	var b strings.Builder
	for i, e := range exprs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.text(e))
		b.WriteString(" AS c")
		b.WriteString(itoa(i + 1))
	}
	return b.String()
}

// asRel makes a rel's columns of targets.
func relCols(targets []*target) []relCol {
	cols := make([]relCol, len(targets))
	for i, t := range targets {
		cols[i] = relCol{name: t.name, typ: argType(t.e), typmod: t.e.typmod, loc: t.e.loc, notNull: t.e.notNull}
		if t.e.kind == exprColumn {
			cols[i].tableOID, cols[i].attNum = t.e.tableOID, t.e.attNum
		}
		if t.e.kind == exprRow {
			cols[i].row, cols[i].rowNames = t.e.row, t.e.rowNames
		}
	}
	return cols
}

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// cte is a WITH query.
type cte struct {
	name     string
	sqlName  string // unique within the statement
	cols     []relCol
	rel      *rel
	doubled  int
	hint     string // " MATERIALIZED", " NOT MATERIALIZED"
	used     bool
	volatile bool  // calls volatile functions
	asked    []int // data-modifying ones that it reads

	modify *Modify // a data-modifying one: index in With
	index  int

	loc       int32
	pending   bool // it is being compiled: a reference is recursive
	first     bool // … and its non-recursive term is
	recursive bool
	term      *scope // where the recursive term's outermost queries stand
	user      *scope // the query that names it recursively
	below     bool   // … which is a subquery in FROM
	own       *scope // the level of its WITH
	listed    bool   // already in own.ctes
}

// findCTE finds a WITH query by name, from the inside out.
func (s *scope) findCTE(name string) *cte {
	for level := s; level != nil; level = level.outer {
		for i := len(level.ctes) - 1; i >= 0; i-- {
			if level.ctes[i].name == name {
				return level.ctes[i]
			}
		}
	}
	return nil
}

// withClause compiles a WITH clause into s (data-modifying queries through c.modify).
func (c *compiler) withClause(w *pg.WithClause, s *scope) {
	if w == nil {
		return
	}
	defer func(was bool) { c.innerLocks = was }(c.innerLocks)
	c.innerLocks = c.innerLocks || modifiesInWith(w)
	list := w.Ctes
	if w.Recursive {
		list = c.inReadingOrder(list)
	}
	for _, n := range list {
		x := n.GetCommonTableExpr()
		for _, have := range s.ctes {
			if have.name == x.Ctename && have.own == s {
				c.failAt(x.Location, pgerror.DuplicateAlias, "WITH query name \"%s\" specified more than once", x.Ctename)
			}
		}
		if x.SearchClause != nil || x.CycleClause != nil {
			c.unsupported(x.Location, "SEARCH or CYCLE clause")
		}
		q := &cte{name: x.Ctename, sqlName: "w" + c.alias(), own: s, loc: x.Location}
		c.ranges = append(c.ranges, Range{q.sqlName, x.Ctename, nil})
		switch x.Ctematerialized {
		case pg.CTEMaterialize_CTEMaterializeAlways:
			q.hint = " MATERIALIZED"
		case pg.CTEMaterialize_CTEMaterializeNever:
			q.hint = " NOT MATERIALIZED"
		}
		names := stringList(x.Aliascolnames)
		sel := x.Ctequery.GetSelectStmt()
		asked, doubled := c.asked, c.doubled
		c.asked, c.doubled = nil, 0
		switch {
		case sel == nil:
			c.modifyingCTE(q, x, s)
		case w.Recursive && sel.Op == pg.SetOperation_SETOP_UNION:
			c.recursiveCTE(q, sel, names, s)
		default:
			before := c.volatiles
			if w.Recursive {
				q.pending, q.listed = true, true
				s.ctes = append(s.ctes, q)
			}
			q.rel = c.selectQuery(sel, s)
			c.affine(q.rel)
			q.cols = q.rel.cols
			if q.volatile = c.volatiles > before; q.volatile {
				q.hint = " MATERIALIZED" // whatever was asked for: PostgreSQL too works it out once
			}
		}
		q.doubled, c.doubled = c.doubled, max(c.doubled, doubled)
		q.asked, c.asked = append(q.asked, c.asked...), asked
		q.cols = append([]relCol(nil), q.cols...)
		if len(names) > len(q.cols) {
			c.failAt(x.Location, pgerror.InvalidColumnReference, "WITH query \"%s\" has %d columns available but %d columns specified", x.Ctename, len(q.cols), len(names))
		}
		for i, name := range names {
			q.cols[i].name = name
		}
		q.pending = false
		if !q.listed {
			s.ctes = append(s.ctes, q)
		}
	}
}

// modifiesInWith says whether a WITH query at the top of a statement modifies data. Deeper down none may, which is found
// elsewhere.
func modifiesInWith(w *pg.WithClause) bool {
	return slices.ContainsFunc(w.GetCtes(), func(n *pg.Node) bool {
		return n.GetCommonTableExpr().GetCtequery().GetSelectStmt() == nil
	})
}

// modifyingCTE compiles INSERT, UPDATE or DELETE in WITH.
func (c *compiler) modifyingCTE(q *cte, x *pg.CommonTableExpr, s *scope) {
	if s.outer != nil && s.outer.outer != nil || s.outer != nil && !s.outer.top {
		c.failAt(x.Location, pgerror.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level")
	}
	m := c.modify(x.Ctequery, s)
	q.modify, q.index, q.asked = m, len(c.with), []int{len(c.with)}
	c.with = append(c.with, m)
	for _, col := range m.Returning {
		q.cols = append(q.cols, relCol{name: col.Name, typ: col.Type, typmod: col.Typmod, loc: -1})
	}
}

// recursiveCTE compiles a query of WITH RECURSIVE that may name itself.
func (c *compiler) recursiveCTE(q *cte, sel *pg.SelectStmt, names []string, s *scope) {
	refuse := func(what string, n *pg.Node) {
		if n != nil {
			c.failAt(exprLocation(n), pgerror.FeatureNotSupported, "%s in a recursive query is not implemented", what)
		}
	}
	for _, by := range sel.SortClause {
		refuse("ORDER BY", by.GetSortBy().GetNode())
	}
	refuse("OFFSET", sel.LimitOffset)
	refuse("LIMIT", sel.LimitCount)
	inner := &scope{outer: s, ctx: ctxFrom}
	c.withClause(sel.WithClause, inner)
	q.pending, q.first, q.listed = true, true, true
	s.ctes = append(s.ctes, q)
	left := c.query(sel.Larg, inner)
	c.resolve(left)
	q.cols = append([]relCol(nil), left.cols...)
	for i := range q.cols {
		q.cols[i].notNull = false
		q.cols[i].tableOID, q.cols[i].attNum = 0, 0
		if i < len(names) {
			q.cols[i].name = names[i]
		}
	}
	q.first, q.term = false, inner
	right := c.query(sel.Rarg, inner)
	q.pending = false
	loop := c.checkRecursion(q)
	if len(left.cols) != len(right.cols) {
		c.failAt(-1, pgerror.SyntaxError, "each UNION query must have the same number of columns")
	}
	for i := range left.cols {
		pair := []*expr{left.column(i), right.column(i)}
		typ := c.commonType("UNION", pair)
		if q.recursive && typ != left.cols[i].typ {
			e := pgerror.New(pgerror.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall",
				q.name, i+1, catalog.FormatType(left.cols[i].typ, left.cols[i].typmod), typeDisplay(typ))
			c.fail(e.WithHint("Cast the output of the non-recursive term to the correct type.").At(c.position(left.cols[i].loc)))
		}
		if !c.coerceColumn(left, i, typ, -1, implicitCast) || !c.coerceColumn(right, i, typ, -1, implicitCast) {
			c.failAt(right.cols[i].loc, pgerror.CannotCoerce, "UNION could not convert type %s to %s", typeDisplay(pair[1].typ), typeDisplay(typ))
		}
		q.cols[i].typ = typ
		if right.cols[i].typmod != left.cols[i].typmod {
			if q.recursive && left.cols[i].typmod >= 0 {
				e := pgerror.New(pgerror.DatatypeMismatch, "recursive query \"%s\" column %d has type %s in non-recursive term but type %s overall",
					q.name, i+1, catalog.FormatType(left.cols[i].typ, left.cols[i].typmod), catalog.FormatType(typ, -1))
				c.fail(e.WithHint("Cast the output of the non-recursive term to the correct type.").At(c.position(left.cols[i].loc)))
			}
			q.cols[i].typmod = -1
		}
	}
	if q.recursive && (loop || !right.plain || right.terms > 1) {
		c.loop(q, left, right, inner, sel.All)
		return
	}
	q.rel = &rel{cols: q.cols, build: func() string {
		op := " UNION "
		if sel.All {
			op = " UNION ALL "
		}
		l := left.sql()
		if !left.plain || !sel.All && needsCollation(left) {
			l = "SELECT " + c.collatedNames(left, !sel.All) + " FROM (" + l + ")"
		}
		r := right.sql()
		if !q.recursive && (!right.plain || right.terms > 1) {
			r = "SELECT " + columnNames(len(q.cols)) + " FROM (" + r + ")"
		}
		text := l + op + r
		if len(inner.ctes) > 0 {
			text = c.withSQL(inner) + text
		}
		return text
	}}
}

// loop makes a recursive query one that is run in steps. Whoever runs the plan does so before the query that reads it, so
// it may read neither the rows of a query around it nor those of another recursive query.
func (c *compiler) loop(q *cte, left, right *rel, inner *scope, all bool) {
	var with []string
	for level := inner; level != nil; level = level.outer {
		if len(level.items) > 0 || slices.ContainsFunc(level.ctes, func(x *cte) bool { return x != q && x.pending }) {
			c.unsupported(q.loc, "a recursive term with window functions, GROUP BY, set operations or a recursive reference in a subquery, within another query")
		}
		with = append(c.withParts(level), with...)
	}
	l := &Loop{All: all, Types: make([]uint32, len(q.cols))}
	for i, col := range q.cols {
		l.Types[i] = col.typ
	}
	l.First = c.finish(withText(with)+left.sql(), nil, "")
	work := q.sqlName + "(" + columnNames(len(q.cols)) + ") AS (" + c.rowSet(Arg{Kind: ArgWork}, len(q.cols)) + ")"
	l.Step = c.finish(withText(append(with, work))+right.sql(), nil, "")
	l.First.With, l.Step.With = nil, nil // those that they read are run before
	c.looped++
	rows := c.rowSet(Arg{Kind: ArgLoop, Index: c.looped, Loop: l}, len(q.cols))
	q.rel = &rel{cols: q.cols, build: func() string { return rows }}
}

// rowSet selects a row set's columns as c1, c2 ….
func (c *compiler) rowSet(a Arg, cols int) string {
	list := make([]string, max(cols, 1))
	for i := range list {
		list[i] = rowsColumn(i) + " AS c" + itoa(i+1)
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM lc_rows(" + c.arg(a) + ", " + itoa(cols) + ")"
}

// checkRecursion refuses what may not be done with the recursive reference, and says whether SQLite lacks the form: it
// takes the rows one by one, and only as a table of the outermost FROM.
func (c *compiler) checkRecursion(q *cte) (loop bool) {
	if !q.recursive {
		return false
	}
	if q.user.hasAgg {
		c.failAt(-1, pgerror.InvalidRecursion, "aggregate functions are not allowed in a recursive query's recursive term")
	}
	return q.user.hasWindow || q.user.hasGroup || q.below
}

// inReadingOrder sorts the queries of a WITH RECURSIVE so that each comes after those that it reads.
func (c *compiler) inReadingOrder(list []*pg.Node) []*pg.Node {
	names := map[string]bool{}
	for _, n := range list {
		names[n.GetCommonTableExpr().Ctename] = true
	}
	reads := make([]map[string]bool, len(list))
	for i, n := range list {
		reads[i] = map[string]bool{}
		walk(n.GetCommonTableExpr().Ctequery, func(m proto.Message) bool {
			if rv, ok := m.(*pg.RangeVar); ok && rv.Schemaname == "" && names[rv.Relname] && rv.Relname != n.GetCommonTableExpr().Ctename {
				reads[i][rv.Relname] = true
			}
			return true
		})
	}
	var out []*pg.Node
	for done := make([]bool, len(list)); len(out) < len(list); {
		next := -1
		for i := range list {
			if !done[i] && len(reads[i]) == 0 {
				next = i
				break
			}
		}
		if next < 0 {
			i := slices.Index(done, false)
			c.failAt(list[i].GetCommonTableExpr().Location, pgerror.FeatureNotSupported, "mutual recursion between WITH items is not implemented")
		}
		done[next] = true
		out = append(out, list[next])
		for i := range reads {
			delete(reads[i], list[next].GetCommonTableExpr().Ctename)
		}
	}
	return out
}

// recursion is a recursive reference.
type recursion struct {
	q   *cte
	loc int32
}

// refuseRecursion refuses the recursive references from the n-th on, which stand where they may not.
func (c *compiler) refuseRecursion(n int, where string) {
	if n < len(c.recursions) {
		r := c.recursions[n]
		c.failAt(r.loc, pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear within %s", r.q.name, where)
	}
}

// recursiveUse notes where s names q recursively: subqueries in expressions may not.
func (c *compiler) recursiveUse(q *cte, s *scope, loc int32) {
	q.recursive, q.user = true, s
	c.recursions = append(c.recursions, recursion{q, loc})
	for level := s.outer; level != nil && level != q.term; level = level.outer {
		q.below = true
		if level.sibling == nil && level.ctx != ctxFrom && !level.inFrom {
			c.failAt(loc, pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear within a subquery", q.name)
		}
	}
	if s.outer != q.term {
		q.below = true
	}
}

// cteItem puts a WITH query into FROM.
func (c *compiler) cteItem(q *cte, rv *pg.RangeVar, name string, names []string, s *scope) *fromItem {
	alias := c.alias()
	it := &rangeItem{name: name, alias: alias, loc: rv.Location}
	if name == "" {
		it.name = q.name
	}
	if q.pending {
		switch {
		case q.first:
			c.failAt(rv.Location, pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear within its non-recursive term", q.name)
		case q.term == nil:
			c.failAt(q.loc, pgerror.InvalidRecursion, "recursive query \"%s\" does not have the form non-recursive-term UNION [ALL] recursive-term", q.name)
		}
		if q.recursive {
			c.failAt(rv.Location, pgerror.InvalidRecursion, "recursive reference to query \"%s\" must not appear more than once", q.name)
		}
		c.recursiveUse(q, s, rv.Location)
	}
	q.used = true
	c.doubled = max(c.doubled, q.doubled)
	c.asked = append(c.asked, q.asked...)
	sql := q.sqlName + " AS " + alias
	it.cols = relColumns(&rel{cols: q.cols}, alias)
	if q.modify != nil {
		if q.modify.Returning == nil {
			c.failAt(rv.Location, pgerror.FeatureNotSupported, "WITH query \"%s\" does not have a RETURNING clause", q.name)
		}
		for i := range it.cols {
			it.cols[i].sql = alias + "." + rowsColumn(i)
		}
		c.unstable = true
		sql = "lc_rows(" + c.arg(Arg{Kind: ArgCTE, Index: q.index}) + ", " + itoa(len(q.cols)) + ") AS " + alias
	}
	c.renameColumns(it, names, rv.Location)
	count := 1
	if q.rel != nil && q.hint != " MATERIALIZED" {
		count = max(q.rel.joins, 1)
	}
	return &fromItem{sql: sql, items: []*rangeItem{it}, top: it, count: count}
}

// withSQL is the "WITH … " text of s's common table expressions, "" for none.
func (c *compiler) withSQL(s *scope) string {
	return withText(c.withParts(s))
}

// withRead is sql, of a query that is run for each row, after those of s's common table expressions that it reads.
func (c *compiler) withRead(s *scope, sql string) string {
	reads := false
	for _, q := range s.ctes {
		if q.modify != nil || !strings.Contains(sql, q.sqlName+" AS ") {
			continue
		}
		if reads = true; q.volatile {
			c.unsupported(q.loc, "a WITH query that calls volatile functions, in RETURNING or ON CONFLICT of an INSERT")
		}
	}
	if reads {
		return c.withSQL(s) + sql
	}
	return sql
}

func withText(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return "WITH RECURSIVE " + strings.Join(parts, ", ") + " "
}

// withParts is the text of each of s's common table expressions that is used.
func (c *compiler) withParts(s *scope) []string {
	var parts []string
	for _, q := range s.ctes {
		if q.modify != nil || q.rel == nil || !q.used {
			continue
		}
		cols := make([]string, len(q.cols))
		for i := range cols {
			cols[i] = "c" + itoa(i+1)
		}
		if len(cols) == 0 {
			cols = []string{"c0"}
		}
		parts = append(parts, q.sqlName+"("+strings.Join(cols, ", ")+") AS"+q.hint+" ("+q.rel.sql()+")")
	}
	return parts
}

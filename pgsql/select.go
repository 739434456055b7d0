package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// selectQuery compiles a query within outer (nil: none).
func (c *compiler) selectQuery(sel *pg.SelectStmt, outer *scope) *rel {
	r := c.query(sel, outer)
	c.resolve(r)
	return r
}

// query is selectQuery that leaves columns of unknown type for the context to choose.
func (c *compiler) query(sel *pg.SelectStmt, outer *scope) *rel {
	if sel.IntoClause != nil {
		c.failAt(sel.IntoClause.GetRel().GetLocation(), pgerror.SyntaxError, "SELECT ... INTO is not allowed here")
	}
	s := newScope(outer)
	c.withClause(sel.WithClause, s)
	var r *rel
	switch {
	case sel.Op != pg.SetOperation_SETOP_NONE:
		r = c.setOperation(sel, s)
	case len(sel.ValuesLists) > 0:
		r = c.values(sel, s)
	default:
		r = c.simpleSelect(sel, s)
	}
	if len(s.ctes) > 0 {
		inner := r.build
		r.build = func() string {
			text := inner()
			return c.withSQL(s) + text
		}
		r.plain = false
	}
	return r
}

// selecting is a simple SELECT under way.
type selecting struct {
	*scope
	c       *compiler
	node    *pg.SelectStmt
	targets []*target
	from    string
	where   string
	group   []string
	having  string
	order   []sortTerm
	limit   string
	offset  string
	rel     *rel

	distinct   bool
	distinctOn []*expr
	ties       bool
	locks      []*lockedItem
	grouped    bool
	counted    bool // count(*) is to be among the result columns
}

// simpleSelect compiles SELECT … FROM … without set operations.
func (c *compiler) simpleSelect(sel *pg.SelectStmt, s *scope) *rel {
	q := &selecting{scope: s, c: c, node: sel}
	s.condition = sel.WhereClause
	q.from = c.from(sel.FromClause, s)
	s.condition = nil
	q.where = c.where(sel.WhereClause, s)
	c.joinKeys(q)
	if len(sel.GroupClause) > 0 && hasGroupingSets(sel.GroupClause) {
		return c.groupingSets(sel, s, q)
	}
	q.run()
	if !q.grouped && !q.distinct && !s.hasAgg && !s.hasWindow && sel.LimitCount == nil {
		q.rel.joins = s.joins
	}
	return q.rel
}

// run compiles what follows FROM and WHERE.
func (q *selecting) run() {
	c, s, sel := q.c, q.scope, q.node
	s.windows = nil
	c.namedWindows(sel.WindowClause, s)
	// GROUP BY may name output columns: it is compiled first all the same, looking into the tree of the target list
	if len(sel.GroupClause) > 0 {
		s.hasGroup = true
		q.groupBy(sel.GroupClause)
	}
	s.ctx = ctxSelect
	q.targets = c.targetList(sel.TargetList, s)
	if len(s.srfs) > 1 { // they share an alias: the list is compiled again to name it
		s.srfs, s.srfMany, s.bare = nil, c.alias(), nil
		q.targets = c.targetList(sel.TargetList, s)
	}
	listAgg := s.hasAgg
	if sel.HavingClause != nil {
		q.having = c.condition(sel.HavingClause, s, ctxHaving, "HAVING")
	}
	q.sortClause(sel.SortClause)
	q.distinctClause(sel.DistinctClause)
	s.ctx = ctxLimit
	q.limits()
	q.grouped = s.hasAgg || s.groups != nil || sel.HavingClause != nil
	if q.grouped {
		c.checkGrouped(s)
	}
	// SQLite wants an aggregate in the result where there is HAVING without GROUP BY
	q.counted = q.grouped && (!listAgg || s.folded) && len(q.group) == 0
	q.locking(sel.LockingClause)
	r := &rel{cols: relCols(q.targets), plain: len(q.order) == 0 && q.limit == "" && q.offset == "", terms: 1, locks: q.locks}
	r.exprs = make([]*expr, len(q.targets))
	for i, t := range q.targets {
		r.exprs[i] = t.e
	}
	r.one = q.grouped && len(q.group) == 0 && len(s.srfs) == 0 || q.limit == "1" || len(sel.FromClause) == 0 && len(s.srfs) == 0
	q.point(r)
	q.rel = r
	r.apart, r.group = len(q.group) > 0 || s.hasWindow, q.group
	r.bare = r.plain && len(q.targets) == 1 && !q.grouped && !q.distinct && q.distinctOn == nil && !s.hasWindow && len(s.srfs) == 0
	if q.distinct || q.distinctOn != nil {
		c.resolve(r)
	}
	r.build = q.text
	for _, t := range q.targets {
		r.rows = r.rows || t.e.kind == exprRow && !q.distinct && q.distinctOn == nil && !q.ties && !q.counted && !q.grouped
	}
	if q.distinct || q.distinctOn != nil || len(s.srfs) > 0 && (q.grouped || s.hasWindow) {
		c.resolve(r)
		exprs := r.exprs
		r.exprs = nil // a conversion must come after DISTINCT
		r.build = func() string { return q.textOf(exprs) }
	}
	s.groups = nil
}

// text writes the SELECT.
func (q *selecting) text() string { return q.textOf(q.rel.exprs) }

func (q *selecting) textOf(exprs []*expr) string {
	c, s := q.c, q.scope
	if q.distinctOn != nil {
		return q.distinctOnText(exprs)
	}
	if q.ties {
		return q.tiesText(exprs)
	}
	if len(s.srfs) > 0 && (q.grouped || s.hasWindow) {
		return q.srfText(exprs)
	}
	var b strings.Builder
	if q.counted {
		b.WriteString("SELECT " + columnNames(len(exprs)) + " FROM (SELECT " + c.selectList(exprs) + ", count(*) AS lc_n")
		q.body(&b)
		b.WriteString(")")
		q.limitText(&b)
		return b.String()
	}
	if q.distinct && c.needsKeys(exprs) {
		return q.distinctText(exprs)
	}
	b.WriteString("SELECT ")
	if q.distinct {
		b.WriteString("DISTINCT ")
		exprs = c.collatedAll(exprs)
	}
	if q.rel.single {
		b.WriteString("lc_one(" + c.text(exprs[0]) + ") AS c1")
		q.body(&b)
		return b.String()
	}
	b.WriteString(c.selectList(exprs))
	if q.rel.fields {
		for i, e := range exprs {
			for j, f := range e.row {
				if e.kind == exprRow {
					b.WriteString(", " + c.text(c.resolveUnknown(f)) + " AS c" + itoa(i+1) + "_" + itoa(j+1))
				}
			}
		}
	}
	for _, l := range q.locks {
		b.WriteString(l.columns())
	}
	q.body(&b)
	q.tail(&b)
	return b.String()
}

// collatedAll adds COLLATE to the columns that need it, for DISTINCT and set operations.
func (c *compiler) collatedAll(exprs []*expr) []*expr {
	var out []*expr
	for i, e := range exprs {
		if catalog.Collation(e.typ) == "" {
			continue
		}
		if out == nil {
			out = append(out, exprs...)
		}
		f := *e
		f.sql, f.kind, f.atomic = c.collated(e), exprPlain, false
		out[i] = &f
	}
	if out == nil {
		return exprs
	}
	return out
}

// body writes FROM to WINDOW.
func (q *selecting) body(b *strings.Builder) {
	from := q.from
	if len(q.srfs) > 0 && !q.grouped && !q.hasWindow {
		srf := q.c.srfFrom(q.scope)
		if from == "" {
			from = srf
		} else {
			from += " JOIN " + srf
		}
	}
	if from != "" {
		b.WriteString(" FROM ")
		b.WriteString(from)
	}
	if q.where != "" {
		b.WriteString(" WHERE ")
		b.WriteString(q.where)
	}
	if len(q.group) > 0 {
		b.WriteString(" GROUP BY ")
		b.WriteString(strings.Join(q.group, ", "))
	}
	if q.having != "" {
		b.WriteString(" HAVING ")
		b.WriteString(q.having)
	}
}

// tail writes ORDER BY and LIMIT.
func (q *selecting) tail(b *strings.Builder) {
	if len(q.order) > 0 {
		b.WriteString(" ORDER BY ")
		b.WriteString(sortText(q.order))
	}
	q.limitText(b)
}

func (q *selecting) limitText(b *strings.Builder) {
	if q.limit != "" {
		b.WriteString(" LIMIT ")
		b.WriteString(q.limit)
	} else if q.offset != "" {
		b.WriteString(" LIMIT -1")
	}
	if q.offset != "" {
		b.WriteString(" OFFSET ")
		b.WriteString(q.offset)
	}
}

// targetList compiles the SELECT list.
func (c *compiler) targetList(list []*pg.Node, s *scope) []*target {
	out := make([]*target, 0, len(list))
	for _, n := range list {
		rt := n.GetResTarget()
		if rt == nil {
			c.unsupported(-1, "this target list entry")
		}
		out = c.appendTarget(out, rt.Val, rt.Name, s)
	}
	if len(out) > 1664 {
		c.fail(pgerror.New(pgerror.TooManyColumns, "target lists can have at most 1664 entries"))
	}
	return out
}

// targets compiles a RETURNING list, stars expanded, unknowns resolved to text.
func (c *compiler) targetsIn(list []*pg.Node, s *scope, ctx exprContext) []*target {
	saved := s.ctx
	s.ctx = ctx
	out := c.targetList(list, s)
	for _, t := range out {
		t.e = c.resolveUnknown(t.e)
	}
	s.ctx = saved
	return out
}

// targets is targetsIn by the name that DML calls it.
func (c *compiler) targets(list []*pg.Node, s *scope, ctx exprContext) []*target {
	return c.targetsIn(list, s, ctx)
}

// limits compiles LIMIT and OFFSET.
func (q *selecting) limits() {
	c, sel := q.c, q.node
	q.limit, q.offset, q.ties = c.limitClause(sel, q.scope)
	if q.ties && len(q.order) == 0 {
		c.failAt(-1, pgerror.SyntaxError, "WITH TIES cannot be specified without ORDER BY clause")
	}
}

// limitClause compiles LIMIT and OFFSET of any query.
func (c *compiler) limitClause(sel *pg.SelectStmt, s *scope) (limit, offset string, ties bool) {
	if sel.LimitCount != nil && !isNullNode(sel.LimitCount) {
		limit = c.limitExpr(sel.LimitCount, s, ctxLimit, "LIMIT", pgerror.InvalidRowCountInLimitClause, "-1")
		ties = sel.LimitOption == pg.LimitOption_LIMIT_OPTION_WITH_TIES
	}
	if sel.LimitOffset != nil && !isNullNode(sel.LimitOffset) {
		offset = c.limitExpr(sel.LimitOffset, s, ctxOffset, "OFFSET", pgerror.InvalidRowCountInOffsetClause, "0")
	}
	return limit, offset, ties
}

func isNullNode(n *pg.Node) bool { return n.GetAConst().GetIsnull() }

func (c *compiler) limitExpr(n *pg.Node, s *scope, ctx exprContext, what, code, none string) string {
	// the columns of this query are not to be seen
	bare := &scope{outer: s.outer, ctes: s.ctes, ctx: ctx}
	if len(s.items) > 0 {
		if ref := n.GetColumnRef(); ref != nil && c.findColumn(s, figureName(n), ref.Location) != nil {
			c.failAt(ref.Location, pgerror.InvalidColumnReference, "argument of %s must not contain variables", what)
		}
	}
	e := c.coerceTo(c.expr(n, bare), catalog.Int8OID, what)
	if e.kind == exprConst && !e.val.IsNull() {
		if e.val.Int() < 0 {
			c.fail(pgerror.New(code, "%s must not be negative", what))
		}
		if e.val.Int() == 1 && what == "LIMIT" {
			return "1"
		}
		return c.text(e)
	}
	t := c.operand(e)
	return "CASE WHEN " + t + " < 0 THEN lc_raise('" + code + "', '" + what + " must not be negative') ELSE coalesce(" + t + ", " + none + ") END"
}

// tiesText writes FETCH FIRST … WITH TIES.
func (q *selecting) tiesText(exprs []*expr) string {
	if q.distinct || q.offset != "" {
		q.c.unsupported(-1, "WITH TIES with DISTINCT or OFFSET")
	}
	var b strings.Builder
	order := sortText(q.order)
	b.WriteString("SELECT " + columnNames(len(exprs)) + " FROM (SELECT " + q.c.selectList(exprs) +
		", rank() OVER (ORDER BY " + order + ") AS lc_rank, row_number() OVER (ORDER BY " + order + ") AS lc_row")
	q.body(&b)
	b.WriteString(") WHERE lc_rank <= (" + q.limit + ") ORDER BY lc_row")
	return b.String()
}

// columnNames is "c1, c2, …".
func columnNames(n int) string {
	if n == 0 {
		return "NULL AS c0"
	}
	names := make([]string, n)
	for i := range names {
		names[i] = "c" + itoa(i+1)
	}
	return strings.Join(names, ", ")
}

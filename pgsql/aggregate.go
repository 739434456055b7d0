package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// isAggregate says whether a name is that of aggregates or window functions.
func (c *compiler) isAggregate(schema, name string) bool {
	for _, f := range catalog.FunctionsNamed(name) {
		if f.Kind != 'f' && c.visible(f, schema) {
			return true
		}
	}
	return false
}

// aggregateCall compiles a call of an aggregate or window function, with all that only they may have.
func (c *compiler) aggregateCall(n *pg.FuncCall, schema, name string, s *scope) *expr {
	loc := n.Location
	if !c.isAggregate(schema, name) {
		c.notAggregate(n, schema, name, s)
	}
	windowed := n.Over != nil
	if windowed || s.ctx == ctxAggArg {
		c.aggregateAllowed(s, s.ctx, windowed, loc)
	}
	if windowed && n.AggDistinct {
		c.failAt(loc, pgerror.FeatureNotSupported, "DISTINCT is not implemented for window functions")
	}
	if windowed && len(n.AggOrder) > 0 {
		c.failAt(loc, pgerror.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions")
	}
	if !windowed {
		s.aggDepth++
	}
	mark, savedCtx := len(s.bare), s.ctx
	vars := &aggArgs{scope: s, outer: c.agg}
	if !windowed {
		s.ctx = ctxAggArg
		for level := s.outer; level != nil; level = level.outer {
			vars.marks = append(vars.marks, len(level.bare))
		}
		c.agg = vars
	}
	inWindow := s.inWindow
	s.inWindow = inWindow || windowed
	args := c.callArgs(n, s)
	s.inWindow = inWindow
	var order []sortTerm
	for _, o := range n.AggOrder {
		sb := o.GetSortBy()
		e := c.expr(sb.Node, s)
		if n.AggWithinGroup {
			args = append(args, e)
			continue
		}
		order = c.sortTerms(order, e, sb, -1)
	}
	filter := ""
	if n.AggFilter != nil {
		filter = c.text(c.coerceBool(c.expr(n.AggFilter, s), "FILTER"))
	}
	s.ctx = savedCtx
	if !windowed {
		s.aggDepth--
		if mark < len(s.bare) {
			s.bare = s.bare[:mark]
		}
		c.agg = vars.outer
		owner := vars.owner()
		owner.hasAgg = true
		c.aggregateAllowed(owner, owner.ctx, false, loc)
	} else {
		s.hasWindow = true
	}
	if n.AggWithinGroup {
		switch name {
		case "rank", "dense_rank", "percent_rank", "cume_dist":
			c.unsupported(loc, "%s WITHIN GROUP", name)
		case "percentile_cont", "percentile_disc":
			if len(args) > 0 && catalog.ElemOf(argType(args[0])) != 0 {
				c.unsupported(loc, "%s of several fractions", name)
			}
		}
	}
	x := c.resolveCall(n, schema, name, args, s)
	if x.fn == nil || x.fn.Kind == 'f' {
		c.notAggregate(n, schema, name, s)
	}
	if x.fn.Kind == 'w' && !windowed {
		c.failAt(loc, pgerror.WrongObjectType, "window function %s requires an OVER clause", name)
	}
	if x.fn.Volatility == 's' {
		c.unstable = true
	}
	a := &aggCall{call: x, distinct: n.AggDistinct, order: order, filter: filter, star: n.AggStar, bound: windowed || vars.at == nil}
	if n.AggWithinGroup && len(n.AggOrder) == 1 {
		a.desc = n.AggOrder[0].GetSortBy().SortbyDir == pg.SortByDir_SORTBY_DESC
	}
	if windowed {
		a.over = " OVER " + c.overClause(n.Over, s)
	}
	return c.emitAggregate(a)
}

// unknownFunction refuses a schema that does not exist, and a function that PostgreSQL has and we lack.
func (c *compiler) unknownFunction(schema, name string, loc int32) {
	if schema != "" && !isSystemSchema(schema) && c.env.Schema.Namespace(schema) == nil {
		c.failAt(loc, pgerror.InvalidSchemaName, "schema \"%s\" does not exist", schema)
	}
	if (schema == "" || schema == "pg_catalog") && catalog.FunctionKnown(name) {
		c.unsupported(loc, "function %s", name)
	}
}

// notAggregate reports aggregate syntax on what is none.
func (c *compiler) notAggregate(n *pg.FuncCall, schema, name string, s *scope) {
	saved := n
	types := []uint32{}
	for _, a := range n.Args {
		types = append(types, argType(c.expr(a, s)))
	}
	known := len(matching(c.candidates(schema, name, len(types), false), types)) > 0
	what := ""
	switch {
	case saved.AggStar:
		what = "%s(*) specified, but %s is not an aggregate function"
	case saved.AggDistinct:
		what = "DISTINCT specified, but %s is not an aggregate function"
	case saved.AggWithinGroup:
		what = "WITHIN GROUP specified, but %s is not an aggregate function"
	case saved.AggOrder != nil:
		what = "ORDER BY specified, but %s is not an aggregate function"
	case saved.AggFilter != nil:
		what = "FILTER specified, but %s is not an aggregate function"
	case saved.Over != nil:
		what = "OVER specified, but %s is not a window function nor an aggregate function"
	}
	if !known || what == "" {
		c.unknownFunction(schema, name, n.Location)
		e := pgerror.New(pgerror.UndefinedFunction, "function %s does not exist", c.signature(schema, name, types))
		c.fail(e.WithHint("No function matches the given name and argument types. You might need to add explicit type casts.").At(c.position(n.Location)))
	}
	c.failAt(n.Location, pgerror.WrongObjectType, "%s", strings.ReplaceAll(what, "%s", name))
}

// aggregateAllowed refuses aggregates and window functions where they may not stand.
func (c *compiler) aggregateAllowed(s *scope, ctx exprContext, windowed bool, loc int32) {
	if windowed {
		switch ctx {
		case ctxSelect, ctxOrder, ctxDistinctOn:
			if s.inWindow { // in a window function's arguments or definition
				c.failAt(loc, pgerror.WindowingError, "window function calls cannot be nested")
			}
			return
		case ctxAggArg:
			c.failAt(loc, pgerror.GroupingError, "aggregate function calls cannot contain window function calls")
		}
		c.failAt(loc, pgerror.WindowingError, "window functions are not allowed in %s", ctx)
	}
	switch ctx {
	case ctxSelect, ctxHaving, ctxOrder, ctxDistinctOn, ctxWindowPartition, ctxWindowOrder, ctxWindowFrame:
		return
	case ctxAggArg:
		c.failAt(loc, pgerror.GroupingError, "aggregate function calls cannot be nested")
	}
	c.failAt(loc, pgerror.GroupingError, "aggregate functions are not allowed in %s", ctx)
}

// aggCall is a resolved aggregate call with its modifiers.
type aggCall struct {
	*call
	distinct bool
	star     bool
	desc     bool
	order    []sortTerm
	filter   string
	over     string
	bound    bool // only where it stands SQLite knows of which query's rows it is
}

// emitAggregate writes the call: DISTINCT, ORDER BY, FILTER and OVER belong to the outermost call of the Impl's first
// part, the second part is made of its result.
func (c *compiler) emitAggregate(a *aggCall) *expr {
	f := a.fn
	impl := f.Impl
	if a.distinct && f.Distinct != "" {
		impl = f.Distinct
	}
	if impl == "" || strings.HasPrefix(impl, "@") {
		c.unsupported(a.loc, "aggregate function %s", f.Name)
	}
	inner, final, hasFinal := strings.Cut(impl, " => ")
	suffix := ""
	if a.distinct && len(a.args) > 0 {
		if f.Name == "array_agg" && f.Distinct == "" {
			c.unsupported(a.loc, "array_agg(DISTINCT) of arrays")
		}
		c.distinctOrder(a)
	}
	if len(a.order) > 0 {
		suffix = " ORDER BY " + sortText(a.order)
	}
	prefix := ""
	if a.distinct {
		prefix = "DISTINCT "
	}
	args := a.args
	var sql string
	depth := 0
	for _, x := range args {
		depth = max(depth, x.depth)
	}
	if a.star {
		sql = inner + "(*)"
	} else {
		t := &template{impl: inner, args: args, ret: a.ret, typmod: -1, desc: a.desc}
		var b strings.Builder
		if strings.Contains(inner, "$") {
			open := strings.IndexByte(inner, '(')
			b.WriteString(inner[:open+1])
			b.WriteString(prefix)
			t.impl = inner[open : len(inner)-1]
			var body strings.Builder
			if a.distinct && t.impl == "($1" && f.Name == "count" {
				body.WriteString("(" + c.keyed(args[0]))
			} else if a.distinct && t.impl == "($1" && catalog.Collation(args[0].typ) != "" {
				body.WriteString("(" + c.collated(args[0]))
			} else {
				c.expand(&body, t)
				if a.distinct && args[0].typ == catalog.JSONBOID {
					body.WriteString(" COLLATE " + catalog.Collation(catalog.JSONBOID))
				}
			}
			b.WriteString(body.String()[1:])
		} else {
			b.WriteString(inner)
			b.WriteByte('(')
			b.WriteString(prefix)
			for i, x := range args {
				if i > 0 {
					b.WriteString(", ")
				}
				if a.distinct && f.Name == "count" {
					b.WriteString(c.keyed(x))
				} else if a.distinct {
					b.WriteString(c.collated(x))
				} else {
					b.WriteString(c.text(x))
				}
			}
		}
		b.WriteString(suffix)
		b.WriteByte(')')
		sql = b.String()
	}
	if a.filter != "" {
		sql += " FILTER (WHERE " + a.filter + ")"
	}
	sql += a.over
	if a.bound {
		a.scope.bound = append(a.scope.bound, sql)
	}
	e := plain(sql, a.ret, a.over == "" && a.filter == "", a.loc)
	e.depth = depth + 2
	if hasFinal {
		rest := args
		if f.Kind != 'w' { // of an aggregate the first argument is no value of the group's
			rest = args[min(1, len(args)):]
		}
		t := &template{impl: final, args: append([]*expr{e}, rest...), ret: a.ret, typmod: -1}
		e = c.emit(t, a.loc)
	}
	return e
}

// distinctOrder sorts the input of an aggregate with DISTINCT, as PostgreSQL does by sorting to find duplicates.
func (c *compiler) distinctOrder(a *aggCall) {
	c.hashable(a.args[0])
	if len(a.order) > 0 {
		if a.order[0].sql != c.sortKey(a.args[0]) {
			c.failAt(a.order[0].e.loc, pgerror.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
		}
		return
	}
	switch a.fn.Name {
	case "array_agg", "string_agg", "json_agg", "jsonb_agg":
		e := a.args[0]
		a.order = append(a.order, sortTerm{e: e, sql: c.sortKey(e), order: " NULLS LAST"})
	}
}

// aggArgs notes which levels the arguments of an aggregate name columns of: an aggregate belongs to the innermost of
// them, which may be a query outside (SQLite sees it the same way).
type aggArgs struct {
	scope *scope
	outer *aggArgs // the aggregate around this one
	marks []int    // of each outer level: how many columns were in bare before
	at    *scope   // the innermost level named
}

// note notes the use of a column of a level.
func (a *aggArgs) note(level *scope) {
	if a.outer != nil {
		a.outer.note(level)
	}
	for s := a.scope; s != nil && s != a.at; s = s.outer {
		if s == level {
			a.at = s
			return
		}
	}
}

// owner is the level that the aggregate belongs to; what it names there is then within an aggregate.
func (a *aggArgs) owner() *scope {
	if a.at == nil || a.at == a.scope {
		return a.scope
	}
	i := 0
	for level := a.scope.outer; level != nil; level = level.outer {
		if level == a.at {
			if a.marks[i] < len(level.bare) {
				level.bare = level.bare[:a.marks[i]]
			}
			return level
		}
		i++
	}
	return a.scope
}

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// onConflict compiles ON CONFLICT.
func (c *compiler) onConflict(m *Modify, n *pg.InsertStmt, outer *scope) {
	oc := n.GetOnConflictClause()
	out := &OnConflict{}
	m.OnConflict = out
	doUpdate := oc.GetAction() == pg.OnConflictAction_ONCONFLICT_UPDATE
	if oc.GetInfer() == nil {
		if doUpdate {
			c.fail(pgerror.New(pgerror.SyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
				WithHint("For example, ON CONFLICT (column_name).").At(c.position(oc.GetLocation())))
		}
		for i := range m.Uniques {
			out.Arbiters = append(out.Arbiters, i)
		}
	} else {
		out.Arbiters = c.arbiters(m, oc.GetInfer(), n.GetRelation())
	}
	if oc.GetInfer() != nil {
		c.need(m.Table, catalog.PrivSelect)
	}
	if !doUpdate {
		return
	}
	c.need(m.Table, catalog.PrivUpdate)
	sub := c.beside(outer)
	s := newScope(nil)
	s.ctes = outer.ctes
	r := &rowChange{compiler: sub, m: &Modify{Op: Update, Table: m.Table}, t: m.Table, s: s}
	name, _ := aliasOf(n.GetRelation().GetAlias())
	r.it = sub.addTable(s, m.Table, name)
	r.from = quoteIdent(m.Table.Phys) + " AS " + r.it.alias
	excluded := sub.argItem(m.Table, "excluded", ArgNew)
	s.items = append(s.items, excluded)
	excluded.noSystem = true
	r.sets, r.again = sub.settings(m.Table, oc.GetTargetList(), s)
	r.cond = r.it.alias + ".rowid = " + sub.arg(Arg{Kind: ArgRowID})
	if w := sub.where(oc.GetWhereClause(), s); w != "" {
		r.cond += " AND (" + w + ")"
	}
	sub.conflictAction(m, r)
	c.volatile = c.volatile || sub.volatile
}

// conflictAction makes OnConflict.Action: as an UPDATE's Source, always with the old row.
func (c *compiler) conflictAction(m *Modify, r *rowChange) {
	t, out := m.Table, m.OnConflict
	changed := slices.Clone(r.again)
	for _, st := range r.sets {
		changed = append(changed, st.col)
	}
	for i, col := range t.Columns {
		if col.Generated && !slices.Contains(changed, i) && r.generatedFrom(col, changed) {
			changed = append(changed, i)
		}
	}
	slices.Sort(changed)
	out.SetColumns = changed
	if pk := primaryKey(t); pk != nil {
		out.KeyChange = touches(t, pk.Columns, changed)
	}
	out.NotNull = notNulls(t, changed)
	out.Referenced = c.referenced(t, changed)
	old := c.columnExprs(r.it)
	if len(changed) > len(r.sets) || hasChecks(t) {
		old = r.onceOnly(old)
	}
	row := slices.Clone(old)
	for _, st := range r.sets {
		row[st.col] = st.e
	}
	c.generate(t, row)
	list := append([]string{version(r.it.alias)}, c.rowText(row)...)
	list = append(list, c.rowText(old)...)
	_, checks := c.checks(t, row, nil) // all of them: the plan's Checks serve both
	list = append(list, checks...)
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + r.from
	if r.cond != "" {
		sql += " WHERE " + r.cond
	}
	out.Action = c.finish(c.withRead(r.s, sql), nil, "")
	out.Action.Point = true
}

// arbiters finds the unique indexes that ON CONFLICT (…) or ON CONSTRAINT means (infer_arbiter_indexes).
func (c *compiler) arbiters(m *Modify, inf *pg.InferClause, rv *pg.RangeVar) []int {
	t := m.Table
	if name := inf.GetConname(); name != "" {
		con := findConstraint(t, name)
		if con == nil {
			c.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", name, t.Name))
		}
		for i, u := range m.Uniques {
			if con.Index != nil && u.Index.ID == con.Index.ID {
				return []int{i}
			}
		}
		c.fail(pgerror.New(pgerror.WrongObjectType, "constraint in ON CONFLICT clause has no associated index"))
	}
	var cols []catalog.ID
	var exprs []string
	s := newScope(nil)
	alias, _ := aliasOf(rv.GetAlias())
	item := c.bareItem(t)
	if alias != "" {
		item.name, item.schema = alias, ""
	}
	s.items = append(s.items, item)
	for _, n := range inf.GetIndexElems() {
		e := n.GetIndexElem()
		if e.GetOrdering() > pg.SortByDir_SORTBY_DEFAULT {
			c.failAt(inf.GetLocation(), pgerror.InvalidColumnReference, "ASC/DESC is not allowed in ON CONFLICT clause")
		}
		if e.GetNullsOrdering() > pg.SortByNulls_SORTBY_NULLS_DEFAULT {
			c.failAt(inf.GetLocation(), pgerror.InvalidColumnReference, "NULLS FIRST/LAST is not allowed in ON CONFLICT clause")
		}
		name := e.GetName()
		if ref := e.GetExpr().GetColumnRef(); ref != nil {
			name = ref.GetFields()[len(ref.GetFields())-1].GetString_().GetSval()
		}
		if name != "" {
			col := findColumn(t, name)
			if col == nil {
				c.failAt(inf.GetLocation(), pgerror.UndefinedColumn, "column \"%s\" does not exist", name)
			}
			if !slices.Contains(cols, col.ID) {
				cols = append(cols, col.ID)
			}
			continue
		}
		if sql := c.asStored(t, e.GetExpr(), ctxIndexExpr, s); !slices.Contains(exprs, sql) {
			exprs = append(exprs, sql)
		}
	}
	where := ""
	if w := inf.GetWhereClause(); w != nil {
		where = c.asStored(t, w, ctxIndexPredicate, s)
	}
	var out []int
	for i, u := range m.Uniques {
		if c.infers(t, u.Index, cols, exprs, where) {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		c.fail(pgerror.New(pgerror.InvalidColumnReference, "there is no unique or exclusion constraint matching the ON CONFLICT specification"))
	}
	return out
}

// infers says whether an index has exactly these columns and expressions as keys, and its predicate is the one given.
func (c *compiler) infers(t *catalog.Table, idx *catalog.Index, cols []catalog.ID, exprs []string, where string) bool {
	haveCols, haveExprs := map[catalog.ID]bool{}, map[string]bool{}
	for _, k := range idx.Keys {
		if k.Expr == "" {
			haveCols[k.Column] = true
			if !slices.Contains(cols, k.Column) {
				return false
			}
			continue
		}
		sql := c.storedText(t, k.Expr, ctxIndexExpr)
		haveExprs[sql] = true
		if !slices.Contains(exprs, sql) {
			return false
		}
	}
	if len(haveCols) != len(cols) || len(haveExprs) != len(exprs) {
		return false
	}
	return idx.Where == "" || where != "" && impliedBy(c.storedText(t, idx.Where, ctxIndexPredicate), where)
}

// storedText is the SQL of an index's expression or predicate.
func (c *compiler) storedText(t *catalog.Table, stored string, ctx exprContext) string {
	sub, s := c.sub(), newScope(nil)
	s.items = append(s.items, sub.bareItem(t))
	return sub.inlined(sub.text(sub.storedExpr(stored, ctx, s)))
}

// asStored is the SQL of an expression over t, in s, if it were an index's.
func (c *compiler) asStored(t *catalog.Table, n *pg.Node, ctx exprContext, s *scope) string {
	c.sub().exprIn(ctx, n, s) // for errors with their positions
	return c.storedText(t, (&shower{c.sub(), s}).stored(n), ctx)
}

// impliedBy says whether a predicate is one of the terms of an AND, or all of it.
func impliedBy(predicate, where string) bool {
	return predicate == where || slices.Contains(strings.Split(where, " AND "), predicate) ||
		slices.Contains(strings.Split(where, " AND "), "("+predicate+")")
}

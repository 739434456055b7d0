package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// selectStatement compiles a SELECT that is a statement.
func (c *compiler) selectStatement(sel *pg.SelectStmt) Plan {
	q := c.topQuery(sel)
	c.checkParams()
	q.Params = c.params
	return q
}

// topQuery compiles a query whose rows go to the client.
func (c *compiler) topQuery(sel *pg.SelectStmt) *Query {
	outer := &scope{top: true}
	r := c.query(sel, outer)
	c.resolve(r)
	if len(r.cols) == 0 {
		c.unsupported(-1, "a query without result columns")
	}
	cols := make([]Column, len(r.cols))
	wrap := false
	for i := range r.cols {
		col := &r.cols[i]
		cols[i] = Column{Name: col.name, TableOID: col.tableOID, AttNum: col.attNum, Type: col.typ, Typmod: col.typmod}
		wrap = wrap || hasRegs(col.typ)
	}
	if wrap && r.exprs != nil {
		for i, e := range r.exprs {
			if hasRegs(e.typ) {
				r.exprs[i] = plain(c.resultSQL(e), e.typ, true, e.loc, e)
			}
		}
		wrap = false
	}
	sql := r.sql()
	if wrap {
		exprs := make([]*expr, len(r.cols))
		alias := c.alias()
		for i := range exprs {
			e := &expr{kind: exprColumn, sql: alias + ".c" + itoa(i+1), typ: r.cols[i].typ, typmod: -1, loc: -1, atomic: true}
			exprs[i] = e
			if hasRegs(e.typ) {
				exprs[i] = plain(c.resultSQL(e), e.typ, true, -1, e)
			}
		}
		sql = "SELECT " + c.selectList(exprs) + " FROM (" + sql + ") AS " + alias
	}
	q := c.finish(sql, cols, "SELECT")
	q.Point, q.Overlay = r.point, r.over
	at := max(len(cols), 1)
	if len(cols) == 0 {
		at = 1
	}
	for _, l := range r.locks {
		lock := l.lock
		lock.Column = at
		q.Locks = append(q.Locks, lock)
		at += 4
	}
	return q
}

// resultColumn describes a target as a result column.
func (c *compiler) resultColumn(t *target) Column {
	col := Column{Name: t.name, Type: t.e.typ, Typmod: t.e.typmod}
	if t.e.kind == exprColumn {
		col.TableOID, col.AttNum = t.e.tableOID, t.e.attNum
	}
	return col
}

// resultSQL is the SQL of an expression whose value goes to the client: a reg… type takes its name along.
func (c *compiler) resultSQL(e *expr) string {
	if hasRegs(e.typ) && !c.within {
		return c.regResult(e)
	}
	return c.text(e)
}

// hasRegs says whether values of a type are OIDs that clients see by name.
func hasRegs(typ uint32) bool { return catalog.IsReg(typ) || catalog.IsReg(catalog.ElemOf(typ)) }

// lockedItem is a table of FROM that FOR UPDATE or SHARE locks.
type lockedItem struct {
	item *rangeItem
	lock RowLock
}

func (l *lockedItem) columns() string {
	it := l.item
	return ", " + it.system("rowid") + ", " + it.system("_h") + ", " + it.system("_o") + ", " + it.system("_c")
}

// locking compiles FOR UPDATE and its kin.
func (q *selecting) locking(list []*pg.Node) {
	c, s := q.c, q.scope
	for _, n := range list {
		lc := n.GetLockingClause()
		word := map[pg.LockClauseStrength]string{
			pg.LockClauseStrength_LCS_FORKEYSHARE: "FOR KEY SHARE", pg.LockClauseStrength_LCS_FORSHARE: "FOR SHARE",
			pg.LockClauseStrength_LCS_FORNOKEYUPDATE: "FOR NO KEY UPDATE", pg.LockClauseStrength_LCS_FORUPDATE: "FOR UPDATE",
		}[lc.Strength]
		for what, bad := range map[string]bool{
			"DISTINCT clause": q.distinct || q.distinctOn != nil, "GROUP BY clause": len(q.node.GroupClause) > 0,
			"HAVING clause": q.node.HavingClause != nil, "aggregate functions": s.hasAgg, "window functions": s.hasWindow,
			"set-returning functions in the target list": len(s.srfs) > 0,
		} {
			if bad {
				verb := "with "
				c.fail(pgerror.New(pgerror.FeatureNotSupported, "%s is not allowed %s%s", word, verb, what))
			}
		}
		lock := RowLock{
			Share:  lc.Strength == pg.LockClauseStrength_LCS_FORKEYSHARE || lc.Strength == pg.LockClauseStrength_LCS_FORSHARE,
			NoWait: lc.WaitPolicy == pg.LockWaitPolicy_LockWaitError, SkipLocked: lc.WaitPolicy == pg.LockWaitPolicy_LockWaitSkip,
		}
		if len(lc.LockedRels) == 0 {
			for _, it := range s.items {
				switch {
				case it.table != nil && it.physical:
					q.addLock(it, lock)
				case it.derived:
					c.unsupported(-1, "%s of a view or subquery", word)
				}
			}
			continue
		}
		for _, rn := range lc.LockedRels {
			rv := rn.GetRangeVar()
			var found *rangeItem
			for _, it := range s.items {
				if !it.relHidden && it.name == rv.Relname {
					found = it
				}
			}
			if found == nil {
				c.failAt(rv.Location, pgerror.UndefinedTable, "relation \"%s\" in %s clause not found in FROM clause", rv.Relname, word)
			}
			if found.table == nil || !found.physical {
				c.unsupported(rv.Location, "%s of what is not a table", word)
			}
			q.addLock(found, lock)
		}
	}
	for _, l := range q.locks {
		if l.lock.SkipLocked { // before LIMIT counts: SQLite asks who holds the row
			cond := "lc_unlocked(" + c.konst(l.lock.Table.ID.Value()) + ", " + l.item.system("rowid") + ")"
			if l.item.nullable {
				cond = "(" + l.item.system("rowid") + " IS NULL OR " + cond + ")"
			}
			if q.where != "" {
				cond = "(" + q.where + ") AND " + cond
			}
			q.where = cond
			c.unstable = true
		}
	}
	if len(q.locks) > 0 && !(s.outer != nil && s.outer.top) {
		// the rows that an inner query locks are those that the statement around it changes, which are checked when the
		// changes are made; elsewhere nobody would see the lock
		if !c.innerLocks {
			c.unsupported(-1, "FOR UPDATE/SHARE in a subquery")
		}
		q.locks = nil
	}
}

func (q *selecting) addLock(it *rangeItem, lock RowLock) {
	for _, l := range q.locks {
		if l.item == it {
			l.lock.Share = l.lock.Share && lock.Share
			l.lock.NoWait = l.lock.NoWait || lock.NoWait
			l.lock.SkipLocked = l.lock.SkipLocked || lock.SkipLocked
			return
		}
	}
	lock.Table = it.table
	q.c.need(it.table, catalog.PrivUpdate)
	q.locks = append(q.locks, &lockedItem{item: it, lock: lock})
}

// point notes a query that finds one row by its primary key (see Query.Point), or rows of one table by one of its indexes
// (see Query.Overlay).
func (q *selecting) point(r *rel) {
	list := q.node.FromClause
	if len(list) != 1 || list[0].GetRangeVar() == nil || len(q.items) != 1 || q.node.WhereClause == nil {
		return
	}
	it := q.items[0]
	if it.table == nil || !it.physical || it.table.Kind != catalog.KindTable {
		return
	}
	fixed := fixedColumns(q.node.WhereClause, it)
	if fixesIndex(it.table, fixed) {
		r.over = it.table.ID
	}
	if !q.grouped && fixesKey(it.table, fixed) {
		r.point, r.one = true, true
	}
}

// fixedColumns are the columns that a condition compares for equality with a constant or parameter.
func fixedColumns(where *pg.Node, it *rangeItem) map[catalog.ID]bool {
	var eqs []string
	var walk func(n *pg.Node)
	walk = func(n *pg.Node) {
		if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
			for _, a := range b.Args {
				walk(a)
			}
			return
		}
		x := n.GetAExpr()
		if x == nil || x.Kind != pg.A_Expr_Kind_AEXPR_OP || x.Lexpr == nil || x.Name[len(x.Name)-1].GetString_().GetSval() != "=" {
			return
		}
		for _, pair := range [2][2]*pg.Node{{x.Lexpr, x.Rexpr}, {x.Rexpr, x.Lexpr}} {
			ref := pair[0].GetColumnRef()
			if ref != nil && isConstantNode(pair[1]) {
				eqs = append(eqs, ref.Fields[len(ref.Fields)-1].GetString_().GetSval())
			}
		}
	}
	walk(where)
	fixed := make(map[catalog.ID]bool, len(eqs))
	for i, col := range it.table.Columns {
		if i < len(it.cols) && slices.Contains(eqs, it.cols[i].name) {
			fixed[col.ID] = true
		}
	}
	return fixed
}

// fixesKey says whether every primary key column is fixed.
func fixesKey(t *catalog.Table, fixed map[catalog.ID]bool) bool {
	pk := primaryKey(t)
	return pk != nil && len(pk.Columns) > 0 && !slices.ContainsFunc(pk.Columns, func(id catalog.ID) bool { return !fixed[id] })
}

// fixesIndex says whether the first key of a whole index is fixed.
func fixesIndex(t *catalog.Table, fixed map[catalog.ID]bool) bool {
	return slices.ContainsFunc(t.Indexes, func(i *catalog.Index) bool { return i.Where == "" && fixed[i.Keys[0].Column] })
}

func isConstantNode(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_AConst, *pg.Node_ParamRef:
		return true
	case *pg.Node_TypeCast:
		return isConstantNode(x.TypeCast.Arg)
	}
	return false
}

// setReturning compiles a set-returning function outside of FROM: in a SELECT list it multiplies the rows.
func (c *compiler) setReturning(x *call) *expr {
	s := x.scope
	if s.ctx != ctxSelect || s.aggDepth > 0 || s.noSRF {
		c.failAt(x.loc, pgerror.FeatureNotSupported, "set-returning functions are not allowed in %s", s.ctx)
	}
	it := &rangeItem{alias: c.alias()}
	f := &srfCall{sql: c.setFunction(x, it, ""), alias: it.alias, n: len(it.cols)}
	if s.srfMany != "" && strings.Contains(f.sql, s.srfMany+".") {
		c.unsupported(x.loc, "a set-returning function among the arguments of another one")
	}
	for _, g := range s.srfs {
		f.base += g.n
	}
	s.srfs = append(s.srfs, f)
	if s.srfMany != "" {
		for i := range it.cols {
			it.cols[i].sql = s.srfMany + "." + rowsColumn(f.base+i)
		}
	}
	if len(it.cols) == 1 {
		return plain(it.cols[0].sql, x.ret, true, x.loc)
	}
	e := &expr{kind: exprRow, typ: catalog.RecordOID, typmod: -1, loc: x.loc, atomic: true, depth: 2}
	for _, col := range it.cols {
		e.row = append(e.row, plain(col.sql, col.typ, true, x.loc))
		e.rowNames = append(e.rowNames, col.name)
	}
	return e
}

// srfCall is a set-returning function of a SELECT list.
type srfCall struct {
	sql   string // table-valued
	alias string
	base  int // its first column among those of all
	n     int // its columns
}

// srfFrom joins the set-returning functions of a SELECT list: several run side by side, as long as the longest.
func (c *compiler) srfFrom(s *scope) string {
	list := s.srfs
	if len(list) == 1 {
		return list[0].sql + " AS " + list[0].alias
	}
	sets, widths := make([]string, len(list)), make([]int, len(list))
	for i, f := range list {
		sets[i], widths[i] = f.sql, f.n
	}
	return sideBySide(sets, widths) + " AS " + s.srfMany
}

// srfText writes a SELECT with aggregates and a set-returning function over them: the aggregation inside, the function
// outside.
func (q *selecting) srfText(exprs []*expr) string {
	c := q.c
	if len(q.srfs) != 1 || len(q.order) > 0 {
		c.unsupported(-1, "set-returning function with aggregates and ORDER BY")
	}
	f := q.srfs[0]
	open := strings.IndexByte(f.sql, '(')
	inner := c.alias()
	var in, out strings.Builder
	in.WriteString("SELECT " + f.sql[open+1:len(f.sql)-1] + " AS s1")
	if strings.HasPrefix(f.sql, "lc_series(") {
		c.unsupported(-1, "generate_series over aggregates in SELECT")
	}
	for i, e := range exprs {
		if i > 0 {
			out.WriteString(", ")
		}
		t := c.text(e)
		switch {
		case t == f.alias+".value":
			out.WriteString(t)
		case strings.Contains(t, f.alias+"."):
			c.unsupported(e.loc, "expression over a set-returning function with aggregates")
		default:
			in.WriteString(", " + t + " AS c" + itoa(i+1))
			out.WriteString(inner + ".c" + itoa(i+1))
		}
		out.WriteString(" AS c" + itoa(i+1))
	}
	q.body(&in)
	var b strings.Builder
	b.WriteString("SELECT " + out.String() + " FROM (" + in.String() + ") AS " + inner + " JOIN " + f.sql[:open] + "(" + inner + ".s1) AS " + f.alias)
	q.limitText(&b)
	return b.String()
}

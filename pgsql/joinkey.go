package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// SQLite makes automatic indexes for joins, but on bare columns alone. Where an equality compares an expression over a table
// that nothing else would find rows of, the table becomes a subquery which has that expression as a column.

// joinTerm is an equality in a query's WHERE or ON.
type joinTerm struct {
	n    *pg.A_Expr
	left bool   // of a LEFT JOIN …
	arm  string // … and this is the table in its right arm, "" if that is no table
}

// joinKeys makes columns of the expressions that q's tables are joined by.
func (c *compiler) joinKeys(q *selecting) {
	s := q.scope
	if len(s.items) < 2 || len(q.node.LockingClause) > 0 {
		return
	}
	terms := joinTerms(nil, q.node.WhereClause, joinTerm{})
	for _, n := range q.node.FromClause {
		terms = joinTermsOf(terms, n)
	}
	for i := range terms {
		t := &terms[i]
		if !t.left && t.n.Lexpr.GetColumnRef() != nil && t.n.Rexpr.GetColumnRef() != nil {
			continue // SQLite makes indexes of those itself
		}
		if !s.knows(t.n.Lexpr) || !s.knows(t.n.Rexpr) {
			continue
		}
		ctx, volatiles := s.ctx, c.volatiles
		s.ctx = ctxWhere
		l, r := c.expr(t.n.Lexpr, s), c.expr(t.n.Rexpr, s)
		s.ctx = ctx
		if c.volatiles == volatiles && l.kind != exprRow && r.kind != exprRow {
			c.joinKey(q, t, l, r)
		}
	}
}

// joinTerms appends the equalities that AND connects in a condition.
func joinTerms(list []joinTerm, n *pg.Node, like joinTerm) []joinTerm {
	if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
		for _, a := range b.Args {
			list = joinTerms(list, a, like)
		}
		return list
	}
	if x := n.GetAExpr(); x != nil && x.Kind == pg.A_Expr_Kind_AEXPR_OP && x.Lexpr != nil && operatorName(x) == "=" {
		like.n = x
		list = append(list, like)
	}
	return list
}

// joinTermsOf appends the equalities of a join.
func joinTermsOf(list []joinTerm, n *pg.Node) []joinTerm {
	j := n.GetJoinExpr()
	if j == nil || j.Jointype != pg.JoinType_JOIN_INNER && j.Jointype != pg.JoinType_JOIN_LEFT {
		return list
	}
	list = joinTermsOf(joinTermsOf(list, j.Larg), j.Rarg)
	if j.Jointype == pg.JoinType_JOIN_INNER {
		return joinTerms(list, j.Quals, joinTerm{})
	}
	return joinTerms(list, j.Quals, joinTerm{left: true, arm: tableName(j.Rarg)})
}

// tableName is the name by which a table in FROM is known, "" where n is none.
func tableName(n *pg.Node) string {
	rv := n.GetRangeVar()
	if name, _ := aliasOf(rv.GetAlias()); name != "" {
		return name
	}
	return rv.GetRelname()
}

// knows says whether all columns that an expression names, each with its table, are those of s's items.
func (s *scope) knows(n *pg.Node) bool {
	all := !hasSubLink(n)
	walkColumns(n, func(ref *pg.ColumnRef) {
		if len(ref.Fields) != 2 || ref.Fields[1].GetString_() == nil {
			all = false
			return
		}
		items, cols := 0, 0
		for _, it := range s.items {
			if it.relHidden || it.name != ref.Fields[0].GetString_().GetSval() {
				continue
			}
			items++
			for i := range it.cols {
				if it.cols[i].name == ref.Fields[1].GetString_().GetSval() {
					cols++
				}
			}
		}
		all = all && items == 1 && cols == 1
	})
	return all
}

// joinKey makes a column of one side of an equality.
func (c *compiler) joinKey(q *selecting, t *joinTerm, l, r *expr) {
	op, _ := findOperator("=", argType(l), argType(r))
	if op == nil || op.Left != op.Right || !isComparison(op.Impl) {
		return
	}
	term := c.text(c.binary("=", l, r, -1))
	l, r = c.comparable("=", l, r, -1)
	left, right := c.joinedItem(l, q.scope), c.joinedItem(r, q.scope)
	if left == nil || right == nil || left == right || !t.left && (c.isColumn(l, left) || c.isColumn(r, right)) {
		return
	}
	sides := []joinSide{{r, right}, {l, left}}
	if slices.Index(q.items, left) > slices.Index(q.items, right) {
		slices.Reverse(sides)
	}
	if it := sides[0].item; it.table != nil && strings.Contains(q.from, tableText(it)+fence) {
		return // one will do
	}
	for _, side := range sides {
		if !c.mayBeKey(q, t, term, side) {
			continue
		}
		key := &expr{kind: exprColumn, sql: side.item.alias + ".key", typ: side.e.typ, typmod: -1, loc: -1, atomic: true}
		a, b := "+"+c.collated(l), c.collated(key) // an automatic index has no affinity: neither may what is looked up in it
		if side.e == l {
			a, b = b, "+"+c.collated(r)
		}
		from, inFrom := replaceTerm(q.from, term, a+" = "+b)
		where, inWhere := replaceTerm(q.where, term, a+" = "+b)
		if inFrom != inWhere {
			table := tableText(side.item)
			sub := "(SELECT rowid AS rowid, *, " + c.text(side.e) + " AS key FROM " + table + fence + ") AS " + side.item.alias
			q.from, q.where = strings.Replace(from, table, sub, 1), where
		}
		return
	}
}

// joinSide is a side of an equality and the item that it reads.
type joinSide struct {
	e    *expr
	item *rangeItem
}

// mayBeKey says whether a side of the equality t, term in SQL, may become a column of its table, and nothing else finds the
// table's rows.
func (c *compiler) mayBeKey(q *selecting, t *joinTerm, term string, side joinSide) bool {
	it := side.item
	if own := t.left && t.arm == it.name; t.left && !own || it.nullable && !own {
		return false // of a row that an outer join makes up, the expression need not be NULL
	}
	if it.table == nil || !it.physical || it.table.Kind != catalog.KindTable || c.isColumn(side.e, it) || beginsIndex(it.table, 0) {
		return false
	}
	table := tableText(it)
	if strings.Count(q.from, table) != 1 || strings.Contains(q.from, table+fence) {
		return false
	}
	rest := strings.ReplaceAll(q.from+" "+q.where, term, "")
	if strings.Contains(rest, it.alias+".") && !neverFails(c.text(side.e)) {
		return false // it may fail for rows that another condition leaves out
	}
	return !c.findsRows(it, rest)
}

// neverFails says of an expression's SQL, without looking far, whether it has a value for every row.
func neverFails(sql string) bool {
	return !strings.ContainsAny(sql, "+-*/%") && !slices.ContainsFunc(called.FindAllStringSubmatch(sql, -1), func(m []string) bool {
		switch m[1] {
		case "lc_upper", "lc_lower", "lc_btrim", "lc_ltrim", "lc_rtrim", "lc_length", "length", "lc_md5", "coalesce", "nullif", "lc_i2n", "lc_fabs", "CAST":
			return false
		}
		return true
	})
}

// tableText is a table as FROM has it.
func tableText(it *rangeItem) string { return quoteIdent(it.table.Phys) + " AS " + it.alias }

// findsRows says whether conditions name a column of it that an index begins with.
func (c *compiler) findsRows(it *rangeItem, conditions string) bool {
	for i := range it.cols {
		if strings.Contains(conditions, it.cols[i].sql) && beginsIndex(it.table, it.cols[i].attNum) {
			return true
		}
	}
	return false
}

// joinedItem is the item that an expression reads columns of, nil if it is none or several.
func (c *compiler) joinedItem(e *expr, s *scope) (found *rangeItem) {
	text := c.text(e)
	for _, it := range s.items {
		if it.alias == "" || !strings.Contains(text, it.alias+".") {
			continue
		}
		if found != nil {
			return nil
		}
		found = it
	}
	return found
}

// isColumn says whether e is a bare column of it.
func (c *compiler) isColumn(e *expr, it *rangeItem) bool {
	text := c.text(e)
	return slices.ContainsFunc(it.cols, func(col rangeCol) bool { return col.sql == text })
}

// replaceTerm replaces an operand, or all, of a chain of ANDs.
func replaceTerm(sql, old, by string) (string, bool) {
	at := strings.Index(sql, old)
	if at < 0 || strings.Count(sql, old) > 1 {
		return sql, false
	}
	end := at + len(old)
	if at > 0 && sql[at-1] != ' ' && sql[at-1] != '(' || end < len(sql) && sql[end] != ' ' && sql[end] != ')' {
		return sql, false
	}
	return sql[:at] + by + sql[end:], true
}

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
)

// Outer joins become inner ones, as reduce_outer_joins in PostgreSQL's prepjointree.c has them: where a condition above a join
// rejects the rows of which one side is NULL, they need not be made; and the condition of the join that has become an inner
// one then rejects rows of the joins below it. SQLite takes the first step only, and an outer join ties it to the order of
// the tables.

// leaf is what a FROM clause joins: a table, a subquery or a function.
type leaf struct {
	name string
	cols []string // nil: not known
}

// outerJoins is a FROM clause whose outer joins are looked at.
type outerJoins struct {
	leaves map[*pg.Node]*leaf
	using  []string // columns that are merged: their name alone is of no one table
	bare   bool     // a column's name alone may tell its table
	kinds  map[*pg.JoinExpr]pg.JoinType
}

// reduceJoins is what becomes of the outer joins of a FROM clause of s.
func (c *compiler) reduceJoins(nodes []*pg.Node, s *scope) map[*pg.JoinExpr]pg.JoinType {
	if !slices.ContainsFunc(nodes, hasOuterJoin) {
		return nil
	}
	o := &outerJoins{leaves: map[*pg.Node]*leaf{}, bare: true, kinds: map[*pg.JoinExpr]pg.JoinType{}}
	for _, n := range nodes {
		if !c.gather(n, s, o) {
			return nil
		}
	}
	var all []*leaf
	for _, n := range nodes {
		all = append(all, o.under(n)...)
	}
	upper := o.rejected(s.condition, all)
	for _, n := range nodes {
		o.reduce(n, upper)
	}
	return o.kinds
}

// hasOuterJoin says whether an item of FROM is or has in it an outer join.
func hasOuterJoin(n *pg.Node) bool {
	j := n.GetJoinExpr()
	return j != nil && (j.Jointype != pg.JoinType_JOIN_INNER || hasOuterJoin(j.Larg) || hasOuterJoin(j.Rarg))
}

// gather collects the leaves of an item of FROM; false: there is a join whose alias hides them.
func (c *compiler) gather(n *pg.Node, s *scope, o *outerJoins) bool {
	l := &leaf{}
	switch x := n.GetNode().(type) {
	case *pg.Node_JoinExpr:
		j := x.JoinExpr
		o.using = append(o.using, stringList(j.UsingClause)...)
		o.bare = o.bare && !j.IsNatural
		return j.Alias == nil && c.gather(j.Larg, s, o) && c.gather(j.Rarg, s, o)
	case *pg.Node_RangeVar:
		rv := x.RangeVar
		l.name = rv.Relname
		if rv.Alias != nil {
			l.name = rv.Alias.Aliasname
		}
		if rv.Catalogname != "" || len(rv.Alias.GetColnames()) > 0 || rv.Schemaname == "" && s.findCTE(rv.Relname) != nil {
			break
		}
		if t := c.findTable(rv.Schemaname, rv.Relname); t != nil {
			l.cols = []string{}
			for _, col := range t.Columns {
				l.cols = append(l.cols, col.Name)
			}
		}
	case *pg.Node_RangeSubselect:
		l.name = x.RangeSubselect.Alias.GetAliasname()
	case *pg.Node_RangeFunction:
		l.name = x.RangeFunction.Alias.GetAliasname()
	}
	o.leaves[n] = l
	return true
}

// under returns the leaves of an item.
func (o *outerJoins) under(n *pg.Node) []*leaf {
	if j := n.GetJoinExpr(); j != nil {
		return append(o.under(j.Larg), o.under(j.Rarg)...)
	}
	return []*leaf{o.leaves[n]}
}

// reduce looks at the joins of an item. No row of the result may have a leaf of upper all NULL.
func (o *outerJoins) reduce(n *pg.Node, upper []*leaf) {
	j := n.GetJoinExpr()
	if j == nil {
		return
	}
	left, right := o.under(j.Larg), o.under(j.Rarg)
	needs := func(side []*leaf) bool {
		return slices.ContainsFunc(side, func(l *leaf) bool { return slices.Contains(upper, l) })
	}
	// which side may be missing, and must not
	nullL := j.Jointype == pg.JoinType_JOIN_RIGHT || j.Jointype == pg.JoinType_JOIN_FULL
	nullR := j.Jointype == pg.JoinType_JOIN_LEFT || j.Jointype == pg.JoinType_JOIN_FULL
	nullL, nullR = nullL && !needs(left), nullR && !needs(right)
	kind := joinKind(nullL, nullR)
	if kind != j.Jointype {
		o.kinds[j] = kind
	}
	own := o.rejected(j.Quals, slices.Concat(left, right))
	for _, name := range stringList(j.UsingClause) {
		own = append(own, merged(name, left)...)
		own = append(own, merged(name, right)...)
	}
	switch kind {
	case pg.JoinType_JOIN_INNER:
		own = append(own, upper...)
		o.reduce(j.Larg, own)
		o.reduce(j.Rarg, own)
	case pg.JoinType_JOIN_LEFT:
		o.reduce(j.Larg, upper)
		o.reduce(j.Rarg, own)
	case pg.JoinType_JOIN_RIGHT:
		o.reduce(j.Larg, own)
		o.reduce(j.Rarg, upper)
	default:
		o.reduce(j.Larg, nil)
		o.reduce(j.Rarg, nil)
	}
}

// joinKind is the join of which one side or the other may be missing.
func joinKind(nullL, nullR bool) pg.JoinType {
	switch {
	case nullL && nullR:
		return pg.JoinType_JOIN_FULL
	case nullL:
		return pg.JoinType_JOIN_RIGHT
	case nullR:
		return pg.JoinType_JOIN_LEFT
	}
	return pg.JoinType_JOIN_INNER
}

// merged is the leaf of one side of a join that has the column of USING, if that is certain.
func merged(name string, side []*leaf) []*leaf {
	var found []*leaf
	for _, l := range side {
		if l.cols == nil {
			return nil
		}
		if slices.Contains(l.cols, name) {
			found = append(found, l)
		}
	}
	if len(found) > 1 {
		return nil
	}
	return found
}

// rejected returns those of the leaves for which a condition is not true if all of their columns are NULL.
func (o *outerJoins) rejected(n *pg.Node, visible []*leaf) []*leaf {
	var out []*leaf
	column := func(n *pg.Node) {
		if l := o.leafOf(n.GetColumnRef()); l != nil && slices.Contains(visible, l) {
			out = append(out, l)
		}
	}
	// null: it is not enough that the condition is not true, it has to be NULL
	var visit func(n *pg.Node, null bool)
	visit = func(n *pg.Node, null bool) {
		switch x := n.GetNode().(type) {
		case *pg.Node_ColumnRef:
			column(n)
		case *pg.Node_BoolExpr:
			switch x.BoolExpr.Boolop {
			case pg.BoolExprType_AND_EXPR:
				for _, a := range x.BoolExpr.Args {
					if !null {
						visit(a, false)
					}
				}
			case pg.BoolExprType_NOT_EXPR:
				visit(x.BoolExpr.Args[0], true)
			}
		case *pg.Node_NullTest:
			if x.NullTest.Nulltesttype == pg.NullTestType_IS_NOT_NULL && !null {
				column(x.NullTest.Arg)
			}
		case *pg.Node_BooleanTest:
			switch x.BooleanTest.Booltesttype {
			case pg.BoolTestType_IS_TRUE, pg.BoolTestType_IS_FALSE, pg.BoolTestType_IS_NOT_UNKNOWN:
				if !null {
					visit(x.BooleanTest.Arg, true)
				}
			}
		case *pg.Node_AExpr:
			e := x.AExpr
			switch e.Kind {
			case pg.A_Expr_Kind_AEXPR_OP, pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
				if strictOperator(e) {
					column(e.Lexpr)
					column(e.Rexpr)
				}
			case pg.A_Expr_Kind_AEXPR_OP_ANY: // of no elements it is false
				if strictOperator(e) && !null {
					column(e.Lexpr)
				}
			case pg.A_Expr_Kind_AEXPR_IN, pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN,
				pg.A_Expr_Kind_AEXPR_BETWEEN_SYM, pg.A_Expr_Kind_AEXPR_NOT_BETWEEN_SYM:
				column(e.Lexpr)
			}
		}
	}
	visit(n, false)
	return out
}

// strictOperator says whether an operator is a comparison, which is NULL if one side is.
func strictOperator(e *pg.A_Expr) bool {
	switch e.Name[len(e.Name)-1].GetString_().GetSval() {
	case "=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~", "~*", "!~*":
		return e.Lexpr != nil
	}
	return false
}

// leafOf is the leaf that a column is of, nil where that is not certain.
func (o *outerJoins) leafOf(ref *pg.ColumnRef) *leaf {
	fields := ref.GetFields()
	if len(fields) == 0 || len(fields) > 2 || fields[len(fields)-1].GetString_() == nil {
		return nil
	}
	name := fields[0].GetString_().GetSval()
	if len(fields) == 1 && (!o.bare || slices.Contains(o.using, name)) {
		return nil
	}
	var found *leaf
	for _, l := range o.leaves {
		if len(fields) == 2 && l.name == name || len(fields) == 1 && slices.Contains(l.cols, name) {
			if found != nil {
				return nil
			}
			found = l
		}
	}
	return found
}

// joinText joins two items.
func joinText(l *fromItem, word string, r *fromItem, on string) string {
	sql := l.sql + word + r.sql
	if on != "" {
		sql += " ON " + on
	}
	return sql
}

// present gives what an outer join may leave out, and of which no column is known to be never NULL, one that is not: else its
// row as a whole could not be told from a row of NULLs.
func (c *compiler) present(f *fromItem) {
	it := f.top
	switch {
	case it.parts != nil || it.alias == "" || it.key != "" || it.stored():
	case strings.HasPrefix(f.sql, "lc_"):
		it.key = it.alias + ".rowid"
	default:
		f.sql = "(SELECT *, 1 AS m FROM " + f.sql + ") AS " + it.alias
		it.key = it.alias + ".m"
	}
}

// joinConditions compiles the condition of a join; apart, what is joined in it by AND.
func (c *compiler) joinConditions(n *pg.Node, s *scope, apart bool) []string {
	b := n.GetBoolExpr()
	if !apart || b == nil || b.Boolop != pg.BoolExprType_AND_EXPR {
		return []string{c.condition(n, s, ctxJoin, "JOIN/ON")}
	}
	conds := make([]string, len(b.Args))
	for i, a := range b.Args {
		conds[i] = c.condition(a, s, ctxJoin, "AND")
	}
	return conds
}

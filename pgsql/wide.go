package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxTables is how many tables go into one join; SQLite refuses 65.
const maxTables = 60

// maxQueries is how deep queries in expressions nest before they are moved into FROM.
const maxQueries = 8

// maxArgs is how many arguments a call gets; SQLite refuses more than 1,000, lc_array has one of its own.
const maxArgs = 900

// maxViews is how deep views may stand in views.
const maxViews = 300

// enclose makes a subquery of a join that has grown too wide for SQLite. LIMIT keeps SQLite from taking it apart again.
func (c *compiler) enclose(f *fromItem) {
	alias := c.alias()
	var list []string
	names := map[string]string{}
	for _, it := range f.items {
		for i := range it.cols {
			sql := c.colSQL(it, i)
			if it.cols[i].lit != nil {
				sql = c.text(it.cols[i].lit)
				it.cols[i].lit = nil
			}
			name, ok := names[sql]
			if !ok {
				name = "x" + itoa(len(names)+1)
				names[sql] = name
				list = append(list, sql+" AS "+name)
			}
			it.cols[i].sql, it.cols[i].arg = alias+"."+name, nil
		}
		it.physical = false
		it.alias = ""
	}
	if len(list) == 0 {
		list = []string{"1"}
	}
	f.sql = "(SELECT " + strings.Join(list, ", ") + " FROM " + f.sql + " LIMIT -1) AS " + alias
	f.join, f.outer, f.count = false, false, 1
}

// takenApart takes inner joins of more tables than SQLite joins apart: the tables then stand in FROM one by one, where
// what WHERE says of the first of them narrows these, and the conditions in WHERE. Other queries are returned as they are.
func takenApart(sel *pg.SelectStmt) *pg.SelectStmt {
	var from, conds []*pg.Node
	var visit func(n *pg.Node)
	visit = func(n *pg.Node) {
		j := n.GetJoinExpr()
		if j == nil || j.Jointype != pg.JoinType_JOIN_INNER || j.IsNatural || len(j.UsingClause) > 0 || j.Alias != nil {
			from = append(from, n)
			return
		}
		visit(j.Larg)
		visit(j.Rarg)
		if j.Quals != nil {
			conds = append(conds, j.Quals)
		}
	}
	for _, n := range sel.FromClause {
		visit(n)
	}
	if len(from) <= maxTables || len(from) == len(sel.FromClause) {
		return sel
	}
	if sel.WhereClause != nil {
		conds = append(conds, sel.WhereClause)
	}
	sel = proto.Clone(sel).(*pg.SelectStmt)
	sel.FromClause, sel.WhereClause = from, nil
	if len(conds) > 0 {
		sel.WhereClause = &pg.Node{Node: &pg.Node_BoolExpr{BoolExpr: &pg.BoolExpr{Boolop: pg.BoolExprType_AND_EXPR, Args: conds, Location: -1}}}
	}
	return sel
}

// narrowing is what s's WHERE says of the items alone: without it a subquery of many tables would be all their
// combinations. WHERE says it again of the whole.
func (c *compiler) narrowing(items []*rangeItem, s *scope) string {
	var parts []string
	var visit func(n *pg.Node)
	visit = func(n *pg.Node) {
		if b := n.GetBoolExpr(); b != nil && b.Boolop == pg.BoolExprType_AND_EXPR {
			for _, a := range b.Args {
				visit(a)
			}
			return
		}
		if n != nil && speaksOnlyOf(items, n.ProtoReflect()) {
			parts = append(parts, c.operand(c.coerceBool(c.exprIn(ctxWhere, n, s), "WHERE")))
		}
	}
	visit(s.condition)
	return balance(parts, " AND ")
}

// speaksOnlyOf says whether an expression names no columns but those of items, each with its table, and calls nothing.
func speaksOnlyOf(items []*rangeItem, m protoreflect.Message) bool {
	switch x := m.Interface().(type) {
	case *pg.SubLink, *pg.FuncCall, *pg.SQLValueFunction:
		return false
	case *pg.ColumnRef:
		if len(x.Fields) != 2 || x.Fields[1].GetString_() == nil {
			return false
		}
		name := x.Fields[0].GetString_().GetSval()
		return slices.ContainsFunc(items, func(it *rangeItem) bool { return it.name == name && !it.relHidden })
	}
	only := true
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				only = only && speaksOnlyOf(items, v.List().Get(i).Message())
			}
		default:
			only = speaksOnlyOf(items, v.Message())
		}
		return only
	})
	return only
}

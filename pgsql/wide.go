package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
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

// enclose makes a subquery of a join. LIMIT keeps SQLite from taking it apart again.
func (c *compiler) enclose(f *fromItem) {
	f.alias = c.alias()
	f.sql = "(SELECT " + c.project(f.items, f.alias) + " FROM " + f.sql + " LIMIT -1) AS " + f.alias
	f.join, f.outer, f.count = false, false, 1
}

// nest makes a join the right operand of another. Parentheses would do, but for the rowids of tables further in.
func (c *compiler) nest(f *fromItem) {
	if f.join {
		f.alias = c.alias()
		f.sql = "(SELECT " + c.project(f.items, f.alias) + " FROM " + f.sql + ") AS " + f.alias
		f.join, f.outer = false, false
	}
}

// project is the list of all that a query may read of items, for a subquery called alias, in which the items are then
// to be found. SQLite leaves out what nobody reads.
func (c *compiler) project(items []*rangeItem, alias string) string {
	c.ranged(items)
	var list []string
	names := map[string]string{}
	add := func(sql string) string {
		name, ok := names[sql]
		if !ok {
			name = "x" + itoa(len(names)+1)
			names[sql] = name
			list = append(list, sql+" AS "+name)
		}
		return alias + "." + name
	}
	for _, it := range items {
		for i := range it.cols {
			col := &it.cols[i]
			sql := c.colSQL(it, i)
			if col.lit != nil {
				sql = c.text(col.lit)
				col.lit = nil
			}
			col.sql, col.arg = add(sql), nil
			fields := make([]*expr, len(col.row))
			for j, field := range col.row {
				e := *field
				e.sql = add(c.text(field))
				fields[j] = &e
			}
			col.row = fields
		}
		if it.key != "" {
			it.key = add(it.key)
		}
		if it.stored() {
			within := map[string]string{"rowid": add(it.system("rowid"))}
			if it.physical {
				for _, name := range []string{"_h", "_o", "_c"} {
					within[name] = add(it.system(name))
				}
			}
			it.within = within
		}
		it.alias = ""
	}
	if len(list) == 0 {
		return "1"
	}
	return strings.Join(list, ", ")
}

// encloseNarrowed is enclose of what only the conditions of joins and s's WHERE narrow: WHERE's part for f goes with it.
// Without it a subquery of many tables would be all their combinations. WHERE says it again of the whole.
func (c *compiler) encloseNarrowed(f *fromItem, s *scope) {
	saved := s.items
	s.items = append(saved[:len(saved):len(saved)], f.items...)
	if where := c.narrowing(f.items, s); where != "" {
		f.sql += " WHERE " + where
	}
	s.items = saved
	c.enclose(f)
}

// narrowing is what s's WHERE says of the items alone.
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

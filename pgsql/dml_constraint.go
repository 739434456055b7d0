package pgsql

import (
	"slices"
	"strings"
	"sync"

	"layercake/catalog"
	"layercake/pgerror"
)

// uniques makes the look-ups of the table's unique indexes, the primary key's first. set, if not nil, are the columns
// that change: an index that they do not touch needs none.
func (c *compiler) uniques(t *catalog.Table, set []int) []UniqueCheck {
	var out []UniqueCheck
	for _, i := range t.Indexes {
		if i.Unique && (set == nil || indexTouched(t, i, set)) && c.usable(t, i) {
			out = append(out, c.sub().unique(t, i))
		}
	}
	return out
}

// usable says whether an index exists but in the catalog: not where its expressions do not fit the table's columns, of which
// one was dropped or given another type on another node at the same time.
func (c *compiler) usable(t *catalog.Table, i *catalog.Index) bool {
	if i.Where == "" && !slices.ContainsFunc(i.Keys, func(k catalog.IndexKey) bool { return k.Expr != "" }) {
		return true
	}
	_, _, err := CompileIndex(c.env.Schema, t, i)
	return err == nil
}

// indexTouched says whether a change of columns may change an index's entries.
func indexTouched(t *catalog.Table, i *catalog.Index, set []int) bool {
	for _, k := range set {
		col := t.Columns[k]
		if namesColumn(i.Where, col.Name) {
			return true
		}
		for _, key := range i.Keys {
			if key.Column == col.ID || key.Expr != "" && namesColumn(key.Expr, col.Name) {
				return true
			}
		}
	}
	return false
}

// unique makes one UniqueCheck. The predicate and expressions stand in the SQL as they stand in the index, with
// constants written out, so that SQLite finds the index.
func (c *compiler) unique(t *catalog.Table, i *catalog.Index) UniqueCheck {
	u := UniqueCheck{Index: i, Constraint: i.Name}
	table, row := newScope(nil), newScope(nil)
	table.items = append(table.items, c.bareItem(t))
	row.items = append(row.items, c.argItem(t, "", ArgNew))
	var conds, keys, names []string
	var cols []Column
	bare := i.Where == ""
	eq := " = "
	if i.NullsNotDistinct {
		eq = " IS "
	}
	for _, k := range i.Keys {
		at := columnIndexByID(t, k.Column)
		u.Columns, names = append(u.Columns, at), append(names, catalog.KeyText(t, &k, true))
		if at >= 0 {
			col := t.Columns[at]
			key := c.arg(Arg{Kind: ArgNew, Index: at})
			keys = append(keys, key)
			cols = append(cols, Column{Name: col.Name, Type: col.Type, Typmod: col.Typmod})
			conds = append(conds, equated(quoteIdent(col.Phys), eq, key, col.Type))
			continue
		}
		bare = false
		e := c.storedExpr(k.Expr, ctxIndexExpr, row)
		keys = append(keys, c.text(e))
		cols = append(cols, Column{Name: "expr", Type: e.typ, Typmod: e.typmod})
		conds = append(conds, equated(c.inlined(c.operand(c.storedExpr(k.Expr, ctxIndexExpr, table))), eq, c.operand(e), e.typ))
	}
	u.Detail = strings.Join(names, ", ")
	keyQuery := "SELECT " + strings.Join(keys, ", ")
	if i.Where != "" {
		conds = append(conds, c.inlined(c.operand(c.coerceBool(c.storedExpr(i.Where, ctxIndexPredicate, table), "WHERE"))))
		holds := c.operand(c.coerceBool(c.storedExpr(i.Where, ctxIndexPredicate, row), "WHERE"))
		conds = append(conds, holds)
		keyQuery += " WHERE " + holds
	}
	if !i.Primary {
		conds = append(conds, quoteIdent("_u"+i.Phys)+" = 0")
	}
	if !bare {
		u.Keys = c.finish(keyQuery, cols, "")
	}
	u.Lookup = c.finish("SELECT rowid, _h, _o, _c FROM "+quoteIdent(t.Phys)+" WHERE "+strings.Join(conds, " AND ")+" LIMIT 1", nil, "")
	u.Lookup.Reads = []catalog.ID{t.ID}
	u.Lookup.Stable = false
	return u
}

// equated compares two operands of a type by = or IS, the left one as it stands in an index.
func equated(l, eq, r string, typ uint32) string {
	return catalog.Compared(l, catalog.Comparison(typ)) + eq + catalog.Compared(r, catalog.KeyFunction(typ))
}

// inlined writes the constants of a piece of SQL into its text.
func (c *compiler) inlined(sql string) string {
	return substituteConsts(sql, c.args)
}

// references makes the look-ups of the parents of a new row. set as for uniques.
func (c *compiler) references(t *catalog.Table, set []int) []ReferenceCheck {
	var out []ReferenceCheck
	for _, con := range t.Constraints {
		if con.Kind != catalog.ForeignKey || set != nil && !touches(t, con.Columns, set) {
			continue
		}
		parent := tableIn(c.env.Schema, con.RefTable)
		if parent == nil {
			continue // dropped elsewhere at the same time: nothing to refer to
		}
		r := ReferenceCheck{Constraint: con, Parent: parent}
		sub := c.sub()
		cond, cols, ok := sub.keyCondition(parent, con.RefColumns, t, con.Columns, ArgNew)
		if !ok {
			continue
		}
		r.Columns = cols
		r.Lookup = sub.finish("SELECT rowid, _h, _o, _c FROM "+quoteIdent(parent.Phys)+" WHERE "+cond+" LIMIT 1", nil, "")
		r.Lookup.Reads, r.Lookup.Overlay = []catalog.ID{parent.ID}, parent.ID
		r.Lookup.Stable = false
		out = append(out, r)
	}
	return out
}

// keyCondition compares columns of a table with columns of the row at hand, a row of another table; it also gives the
// latter's indexes. ok is false if a column is no more.
func (c *compiler) keyCondition(t *catalog.Table, cols []catalog.ID, other *catalog.Table, otherCols []catalog.ID, kind ArgKind) (cond string, at []int, ok bool) {
	it, row := c.bareItem(t), c.argItem(other, "", kind)
	left, right := c.columnExprs(it), c.columnExprs(row)
	var conds []string
	for k := range cols {
		i, j := columnIndexByID(t, cols[k]), columnIndexByID(other, otherCols[k])
		if i < 0 || j < 0 {
			return "", nil, false
		}
		at = append(at, j)
		conds = append(conds, c.text(c.binary("=", left[i], right[j], -1)))
	}
	return strings.Join(conds, " AND "), at, true
}

// referenced makes the look-ups of the children of a row of t that goes (set nil), or changes in the columns of set.
func (c *compiler) referenced(t *catalog.Table, set []int) []ReferencedCheck {
	var out []ReferencedCheck
	for _, child := range c.env.Schema.Relations {
		if child.Kind != catalog.KindTable || child.System {
			continue
		}
		for _, con := range child.Constraints {
			if con.Kind != catalog.ForeignKey || con.RefTable != t.ID || set != nil && !touches(t, con.RefColumns, set) {
				continue
			}
			sub := c.sub()
			cond, cols, ok := sub.keyCondition(child, con.Columns, t, con.RefColumns, ArgOld)
			if !ok {
				continue
			}
			r := ReferencedCheck{Constraint: con, Child: child, Columns: cols}
			r.Find = sub.finish("SELECT 1 FROM "+quoteIdent(child.Phys)+" WHERE "+cond+" LIMIT 1", nil, "")
			r.Find.Reads, r.Find.Overlay = []catalog.ID{child.ID}, child.ID
			r.Find.Stable = false
			r.OnDelete = c.referentialAction(t, child, con, con.OnDelete, false)
			r.OnUpdate = c.referentialAction(t, child, con, con.OnUpdate, true)
			out = append(out, r)
		}
	}
	return out
}

// referentialAction returns what compiles the statement that carries an action out on the children of a row (ArgOld,
// and ArgNew when it was updated); nil when there is nothing to carry out. It is compiled when it is needed, since
// tables may refer to each other in circles.
func (c *compiler) referentialAction(t, child *catalog.Table, con *catalog.Constraint, action byte, update bool) func() (*Modify, error) {
	switch action {
	case 'c', 'n', 'd':
	default:
		return nil
	}
	env := c.env
	return sync.OnceValues(func() (m *Modify, err error) {
		c := newCompiler(env, "", nil)
		defer c.rescue(&err)
		return c.action(t, child, con, action, update), nil
	})
}

// action compiles CASCADE, SET NULL and SET DEFAULT.
func (c *compiler) action(t, child *catalog.Table, con *catalog.Constraint, action byte, update bool) *Modify {
	m := &Modify{Op: Update, Table: child, Tag: "UPDATE"}
	if action == 'c' && !update {
		m.Op, m.Tag = Delete, "DELETE"
	}
	r := &rowChange{compiler: c, m: m, t: child, s: newScope(nil)}
	r.it = r.addTable(r.s, child, "")
	r.from = quoteIdent(child.Phys) + " AS " + r.it.alias
	r.read(child)
	left, old, fresh := c.columnExprs(r.it), c.columnExprs(c.argItem(t, "", ArgOld)), c.columnExprs(c.argItem(t, "", ArgNew))
	var conds []string
	for k := range con.Columns {
		i, j := columnIndexByID(child, con.Columns[k]), columnIndexByID(t, con.RefColumns[k])
		if i < 0 || j < 0 {
			c.fail(pgerror.New(pgerror.UndefinedColumn, "a column of constraint \"%s\" does not exist", con.Name))
		}
		conds = append(conds, c.text(c.binary("=", left[i], old[j], -1)))
		col := child.Columns[i]
		var e *expr
		switch action {
		case 'c':
			if update {
				e = c.coerceAssign(fresh[j], col.Type, col.Typmod, col.Name)
			}
		case 'n':
			e = &expr{kind: exprConst, typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true}
		case 'd':
			e = c.defaultValue(child, col)
		}
		r.sets = append(r.sets, setting{col: i, e: e})
	}
	r.cond = strings.Join(conds, " AND ")
	if m.Op == Delete {
		m.Uniques, m.Referenced = c.uniques(child, nil), c.referenced(child, nil)
		r.finishSource(append([]string{version(r.it.alias)}, r.rowText(left)...), nil, nil)
		return m
	}
	r.update(nil)
	return m
}

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// object is something that can be dropped: a relation, or a part of one (column, constraint, index), or a schema.
type object struct {
	table     *catalog.Table
	column    *catalog.Column
	con       *catalog.Constraint
	index     *catalog.Index
	namespace *catalog.Namespace
	isDefault bool // the default of column
}

// id identifies the object among those of one statement.
func (o object) id() catalog.ID {
	switch {
	case o.column != nil && o.isDefault:
		id := o.column.ID
		id.Node ^= 1 << 63 // a default has no row of its own
		return id
	case o.column != nil:
		return o.column.ID
	case o.con != nil:
		return o.con.ID
	case o.index != nil:
		return o.index.ID
	case o.namespace != nil:
		return o.namespace.ID
	}
	return o.table.ID
}

// describe names the object as messages do (getObjectDescription).
func (x *command) describe(o object) string {
	switch {
	case o.column != nil && o.isDefault:
		return "default value for column " + catalog.QuoteIdent(o.column.Name) + " of table " + x.visibleName(o.table)
	case o.column != nil:
		return "column " + catalog.QuoteIdent(o.column.Name) + " of " + kindNoun(o.table.Kind) + " " + x.visibleName(o.table)
	case o.con != nil:
		return "constraint " + catalog.QuoteIdent(o.con.Name) + " on table " + x.visibleName(o.table)
	case o.index != nil:
		return "index " + x.shownName(o.table.Schema, o.index.Name)
	case o.namespace != nil:
		return "schema " + catalog.QuoteIdent(o.namespace.Name)
	}
	return kindNoun(o.table.Kind) + " " + x.visibleName(o.table)
}

// dependent is an object that cannot do without another. A silent one goes with it unasked.
type dependent struct {
	object
	silent bool
}

// dependents are what stands on an object directly.
func (x *command) dependents(o object) []dependent {
	var out []dependent
	add := func(silent bool, d object) { out = append(out, dependent{d, silent}) }
	switch {
	case o.namespace != nil:
		for _, t := range x.all() {
			if t.Schema == o.namespace.Name && !t.System {
				if t.Kind == catalog.KindSequence && !t.Sequence.OwnerTable.IsZero() {
					if owner := x.relationWithID(t.Sequence.OwnerTable); owner != nil && owner.Schema == t.Schema {
						continue // goes with its table
					}
				}
				add(false, object{table: t})
			}
		}
	case o.con != nil:
		if o.con.Index != nil {
			add(true, object{table: o.table, index: o.con.Index})
			x.foreignKeysOn(o.table, o.con.Columns, true, add)
		}
	case o.index != nil:
		var keys []catalog.ID
		for _, k := range o.index.Keys {
			keys = append(keys, k.Column)
		}
		if o.index.Unique && o.index.Where == "" {
			x.foreignKeysOn(o.table, keys, true, add)
		}
	case o.column != nil && o.isDefault:
	case o.column != nil:
		x.columnDependents(o.table, o.column, add)
	default:
		x.relationDependents(o.table, add)
	}
	return out
}

func (x *command) columnDependents(t *catalog.Table, col *catalog.Column, add func(bool, object)) {
	for _, c := range t.Constraints {
		if slices.Contains(c.Columns, col.ID) {
			add(true, object{table: t, con: c})
		}
	}
	for _, i := range t.Indexes {
		if i.Primary || x.constraintOf(t, i) != nil {
			continue
		}
		if slices.ContainsFunc(i.Keys, func(k catalog.IndexKey) bool { return k.Column == col.ID || namesColumn(k.Expr, col.Name) }) ||
			slices.Contains(i.Include, col.ID) || namesColumn(i.Where, col.Name) {
			add(true, object{table: t, index: i})
		}
	}
	for _, other := range t.Columns {
		if other.Generated && other.ID != col.ID && namesColumn(other.Default, col.Name) {
			add(false, object{table: t, column: other})
		}
	}
	x.foreignKeysOn(t, []catalog.ID{col.ID}, false, add)
	for _, s := range x.all() {
		if s.Kind == catalog.KindSequence && s.Sequence.OwnerColumn == col.ID {
			add(true, object{table: s})
		}
	}
	for _, v := range x.all() {
		if v.Kind == catalog.KindView && !v.System && viewNames(v, t, col.Name) {
			add(false, object{table: v})
		}
	}
}

func (x *command) relationDependents(t *catalog.Table, add func(bool, object)) {
	if t.Kind == catalog.KindSequence {
		for _, o := range x.all() {
			for _, c := range o.Columns {
				if c.Default != "" && (c.Sequence == t.ID || usesSequence(c.Default, t)) {
					add(false, object{table: o, column: c, isDefault: true})
				}
			}
		}
		return
	}
	for _, s := range x.all() {
		if s.Kind == catalog.KindSequence && s.Sequence.OwnerTable == t.ID {
			add(true, object{table: s})
		}
	}
	for _, o := range x.all() {
		for _, c := range o.Constraints {
			if c.Kind == catalog.ForeignKey && c.RefTable == t.ID && o.ID != t.ID {
				add(false, object{table: o, con: c})
			}
		}
	}
	for _, v := range x.all() {
		if v.Kind == catalog.KindView && !v.System && v.ID != t.ID && viewNames(v, t, "") {
			add(false, object{table: v})
		}
	}
}

// foreignKeysOn are the foreign keys that refer to columns of t: to exactly these (whole), or to any of them.
func (x *command) foreignKeysOn(t *catalog.Table, cols []catalog.ID, whole bool, add func(bool, object)) {
	for _, o := range x.all() {
		for _, c := range o.Constraints {
			if c.Kind != catalog.ForeignKey || c.RefTable != t.ID {
				continue
			}
			n := 0
			for _, r := range c.RefColumns {
				if slices.Contains(cols, r) {
					n++
				}
			}
			if n == 0 || whole && (n != len(c.RefColumns) || n != len(cols)) {
				continue
			}
			add(false, object{table: o, con: c})
		}
	}
}

// constraintOf is the constraint that an index belongs to, or nil.
func (x *command) constraintOf(t *catalog.Table, i *catalog.Index) *catalog.Constraint {
	for _, c := range t.Constraints {
		if c.Index != nil && c.Index.ID == i.ID {
			return c
		}
	}
	return nil
}

// namesColumn says whether a stored expression names a column.
func namesColumn(text, col string) bool {
	if text == "" {
		return false
	}
	n, err := parseExpr(text)
	if err != nil {
		return false
	}
	found := false
	walk(n, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			f := ref.GetFields()
			found = found || f[len(f)-1].GetString_().GetSval() == col || f[len(f)-1].GetAStar() != nil
		}
		return !found
	})
	return found
}

// usesSequence says whether a default names the sequence in a ::regclass constant.
func usesSequence(text string, seq *catalog.Table) bool {
	if !strings.Contains(text, "regclass") {
		return false
	}
	n, err := parseExpr(text)
	if err != nil {
		return false
	}
	want := catalog.StoredName(seq.Schema, seq.Name)
	found := false
	walk(n, func(m proto.Message) bool {
		if tc, ok := m.(*pg.TypeCast); ok {
			s, _ := nodeText(tc.GetArg())
			found = found || s == want || s == catalog.QuoteQualified(seq.Schema, seq.Name)
		}
		return !found
	})
	return found
}

// viewNames says whether a view's query names a relation, and, unless col is "", that column of it.
func viewNames(v, t *catalog.Table, col string) bool {
	if !strings.Contains(v.View, t.Name) {
		return false
	}
	sel, err := parseQuery(v.View)
	if err != nil {
		return false
	}
	relation, column := false, col == ""
	walk(sel, func(m proto.Message) bool {
		switch n := m.(type) {
		case *pg.RangeVar:
			if n.GetRelname() == t.Name && (n.GetSchemaname() == t.Schema || n.GetSchemaname() == "") {
				relation = true
			}
		case *pg.ColumnRef:
			f := n.GetFields()
			if f[len(f)-1].GetString_().GetSval() == col || f[len(f)-1].GetAStar() != nil {
				column = true
			}
		}
		return true
	})
	return relation && column
}

// dropAll drops objects and what depends on them, or raises 2BP01 under RESTRICT (performMultipleDeletions). what names
// the objects in that error when there are several.
func (x *command) dropAll(objs []object, cascade bool) {
	type reason struct{ o, on object }
	listed := map[catalog.ID]bool{}
	for _, o := range objs {
		listed[o.id()] = true
	}
	seen := map[catalog.ID]bool{}
	var order []object
	var blocked []reason
	var visit func(o object, silent bool)
	visit = func(o object, silent bool) {
		if seen[o.id()] {
			return
		}
		seen[o.id()] = true
		for _, d := range x.dependents(o) {
			if seen[d.id()] {
				continue
			}
			if seen[d.table.ID] || d.isDefault && seen[d.column.ID] {
				continue // a part of what goes anyway
			}
			if !d.silent && !listed[d.id()] && !x.within(d.object, objs) {
				blocked = append(blocked, reason{d.object, o})
			}
			visit(d.object, d.silent)
		}
		order = append(order, o)
	}
	for _, o := range objs {
		visit(o, false)
	}
	if len(blocked) > 0 && !cascade {
		lines := make([]string, len(blocked))
		for i, r := range blocked {
			lines[i] = x.describe(r.o) + " depends on " + x.describe(r.on)
		}
		message := "cannot drop " + x.describe(objs[0]) + " because other objects depend on it"
		if len(objs) > 1 {
			message = "cannot drop desired object(s) because other objects depend on them"
		}
		e := pgerror.New(pgerror.DependentObjectsStillExist, "%s", message)
		e.Detail = strings.Join(lines, "\n")
		e.Hint = "Use DROP ... CASCADE to drop the dependent objects too."
		x.fail(e)
	}
	switch len(blocked) {
	case 0:
	case 1:
		x.notice(pgerror.Notice("drop cascades to %s", x.describe(blocked[0].o)))
	default:
		lines := make([]string, len(blocked))
		for i, r := range blocked {
			lines[i] = "drop cascades to " + x.describe(r.o)
		}
		n := pgerror.Notice("drop cascades to %d other objects", len(blocked))
		n.Detail = strings.Join(lines, "\n")
		x.notice(n)
	}
	for _, o := range order {
		x.dropObject(o)
	}
}

// within says whether an object is a part of one of those that are dropped anyway.
func (x *command) within(o object, objs []object) bool {
	if o.column == nil && o.con == nil && o.index == nil {
		return false
	}
	return slices.ContainsFunc(objs, func(p object) bool {
		return p.namespace == nil && p.column == nil && p.con == nil && p.index == nil && p.table.ID == o.table.ID
	})
}

// dropObject drops the object rows of one object and its parts.
func (x *command) dropObject(o object) {
	switch {
	case o.column != nil && o.isDefault:
		t := x.edit(o.table)
		if col := columnByID(t, o.column.ID); col != nil && !x.dropped[t.ID] && !x.dropped[col.ID] {
			x.setDefault(col, "")
		}
	case o.column != nil:
		t := x.edit(o.table)
		t.Columns = slices.DeleteFunc(t.Columns, func(c *catalog.Column) bool { return c.ID == o.column.ID })
		x.drop(o.column.ID)
	case o.con != nil:
		t := x.edit(o.table)
		t.Constraints = slices.DeleteFunc(t.Constraints, func(c *catalog.Constraint) bool { return c.ID == o.con.ID })
		x.drop(o.con.ID)
	case o.index != nil:
		t := x.edit(o.table)
		t.Indexes = slices.DeleteFunc(t.Indexes, func(i *catalog.Index) bool { return i.ID == o.index.ID })
		x.drop(o.index.ID)
	case o.namespace != nil && o.namespace.ID == catalog.PublicID:
		x.set(catalog.PublicID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(catalog.NamespaceDef{Dropped: true})})
		x.dropped[catalog.PublicID] = true
	case o.namespace != nil:
		x.drop(o.namespace.ID)
	default:
		x.dropRelation(o.table)
	}
}

func (x *command) dropRelation(t *catalog.Table) {
	if t.Kind == catalog.KindTable {
		x.plan.Truncate = append(x.plan.Truncate, t)
	}
	for _, c := range t.Constraints {
		x.drop(c.ID)
	}
	for _, i := range t.Indexes {
		x.drop(i.ID)
	}
	for _, c := range t.Columns {
		x.drop(c.ID)
	}
	x.drop(t.ID)
}

package catalog

import "slices"

// columnsExist says whether t has all the columns.
func (t *Table) columnsExist(ids []ID) bool {
	return !slices.ContainsFunc(ids, func(id ID) bool { return t.ColumnIndexByID(id) < 0 })
}

func (b *builder) index(o *Object) {
	name := o.text(AttrName)
	t := b.tables[o.parent()]
	if t == nil || t.Kind != KindTable {
		b.moot(ObjectIndex, o.ID, o.parent(), name, "left out: its table was dropped")
		return
	}
	var d IndexDef
	if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil || len(d.Keys) == 0 {
		b.conflict(ObjectIndex, o.ID, t.ID, name, "left out: its definition is malformed")
		return
	}
	ix := &Index{
		ID: o.ID, Table: t.ID, Unique: d.Unique || d.Primary, Primary: d.Primary, NullsNotDistinct: d.NullsNotDistinct,
		Include: d.Include, Where: d.Where, Method: d.Method, Comment: o.text(AttrComment),
	}
	if ix.Method == "" {
		ix.Method = "btree"
	}
	for _, k := range d.Keys {
		if k.Expr == "" && t.ColumnIndexByID(k.Column) < 0 {
			b.moot(ObjectIndex, o.ID, k.Column, name, "left out: a column of it was dropped")
			return
		}
		ix.Keys = append(ix.Keys, IndexKey(k))
	}
	if !t.columnsExist(ix.Include) {
		b.moot(ObjectIndex, o.ID, ID{}, name, "left out: a column of it was dropped")
		return
	}
	ix.Name = b.take(ObjectIndex, o.ID, t.Schema, name)
	ix.OID = b.oid(o.ID)
	if b.options.Phys != nil {
		ix.Phys = b.options.Phys(ObjectIndex, o.ID)
	}
	t.Indexes = append(t.Indexes, ix)
}

func (b *builder) constraint(o *Object) {
	name := o.text(AttrName)
	t := b.tables[o.parent()]
	if t == nil || t.Kind != KindTable {
		b.moot(ObjectConstraint, o.ID, o.parent(), name, "left out: its table was dropped")
		return
	}
	var d ConstraintDef
	if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil || len(d.Kind) != 1 {
		b.conflict(ObjectConstraint, o.ID, t.ID, name, "left out: its definition is malformed")
		return
	}
	letter := func(s string, or byte) byte {
		if s == "" {
			return or
		}
		return s[0]
	}
	c := &Constraint{
		ID: o.ID, Name: name, Kind: ConstraintKind(d.Kind[0]), Columns: d.Columns, Expr: d.Expr, Comment: o.text(AttrComment),
		RefTable: d.RefTable, RefColumns: d.RefColumns, OnUpdate: letter(d.OnUpdate, 'a'), OnDelete: letter(d.OnDelete, 'a'),
		Match: letter(d.Match, 's'), Deferrable: d.Deferrable, InitiallyDeferred: d.InitiallyDeferred, NotValid: d.NotValid,
	}
	if !t.columnsExist(c.Columns) {
		b.moot(ObjectConstraint, o.ID, t.ID, name, "left out: a column of it was dropped")
		return
	}
	switch c.Kind {
	case PrimaryKey, Unique:
		if c.Index = t.IndexByID(d.Index); c.Index == nil {
			b.moot(ObjectConstraint, o.ID, d.Index, name, "left out: its index is gone")
			return
		}
		for _, k := range c.Index.Keys {
			if k.Expr != "" {
				b.conflict(ObjectConstraint, o.ID, d.Index, name, "left out: its index is not over columns")
				return
			}
		}
	case ForeignKey:
		parent := b.tables[c.RefTable]
		if parent == nil || parent.Kind != KindTable || !parent.columnsExist(c.RefColumns) || len(c.RefColumns) != len(c.Columns) || len(c.Columns) == 0 {
			b.moot(ObjectConstraint, o.ID, c.RefTable, name, "left out: the table or a column that it refers to was dropped")
			return
		}
	case Check:
		if c.Expr == "" {
			b.conflict(ObjectConstraint, o.ID, t.ID, name, "left out: its definition is malformed")
			return
		}
	default:
		b.conflict(ObjectConstraint, o.ID, t.ID, name, "left out: unknown kind of constraint")
		return
	}
	if other := t.Constraint(name); other != nil || name == "" {
		otherID := ID{}
		if other != nil {
			otherID = other.ID
		}
		c.Name = otherName(name, o.ID, func(s string) bool { return t.Constraint(s) != nil })
		b.conflict(ObjectConstraint, o.ID, otherID, name, "constraint %q of relation %q exists twice; this one is shown as %q", name, t.Name, c.Name)
	}
	c.OID = b.oid(o.ID)
	t.Constraints = append(t.Constraints, c)
}

// settleKeys leaves a table one primary key, and marks its index and columns as the primary key's.
func (b *builder) settleKeys(t *Table) {
	if t.Kind != KindTable {
		return
	}
	var primary *Constraint
	for _, c := range t.Constraints {
		if c.Kind != PrimaryKey {
			continue
		}
		if primary != nil {
			c.Kind = Unique
			b.conflict(ObjectConstraint, c.ID, primary.ID, c.Name, "table %q has another primary key; this one is kept as a unique constraint", t.Name)
			continue
		}
		primary = c
	}
	for _, ix := range t.Indexes {
		ix.Primary = primary != nil && primary.Index == ix
	}
	if primary == nil {
		return
	}
	primary.Index.Unique = true
	for _, id := range primary.Columns {
		if c := t.ColumnByID(id); c != nil {
			c.NotNull = true
		}
	}
}

package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// makeForeignKey makes a FOREIGN KEY (ATAddForeignKeyConstraint).
func (x *command) makeForeignKey(t *catalog.Table, n *pg.Constraint) *catalog.Constraint {
	loc := n.GetLocation()
	c := &catalog.Constraint{
		ID: x.env.NewID(), Kind: catalog.ForeignKey, Name: truncateName(n.GetConname()),
		OnUpdate: actionLetter(n.GetFkUpdAction()), OnDelete: actionLetter(n.GetFkDelAction()), Match: 's',
		Deferrable: n.GetDeferrable() || n.GetInitdeferred(), InitiallyDeferred: n.GetInitdeferred(),
		NotValid: n.GetSkipValidation() && !n.GetInitiallyValid(),
	}
	switch n.GetFkMatchtype() {
	case "f":
		c.Match = 'f'
	case "p":
		x.failAt(loc, pgerror.FeatureNotSupported, "MATCH PARTIAL not yet implemented")
	}
	if len(n.GetFkDelSetCols()) > 0 {
		x.unsupported(loc, "ON DELETE SET with a column list")
	}
	ref := x.relation(n.GetPktable())
	if ref.Kind != catalog.KindTable || ref.System {
		x.fail(pgerror.New(pgerror.WrongObjectType, "referenced relation \"%s\" is not a table", ref.Name))
	}
	c.RefTable = ref.ID
	if x.view(ref) == ref { // not one that this very statement makes
		x.need(ref, catalog.PrivReferences)
	}
	names := stringList(n.GetFkAttrs())
	for _, name := range names {
		col := findColumn(t, name)
		if col == nil {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" referenced in foreign key constraint does not exist", name))
		}
		if col.Generated && (c.OnUpdate != 'a' && c.OnUpdate != 'r' || c.OnDelete == 'n' || c.OnDelete == 'd') {
			x.failAt(loc, pgerror.SyntaxError, "invalid referential action for foreign key constraint containing generated column")
		}
		c.Columns = append(c.Columns, col.ID)
	}
	x.referencedColumns(c, ref, stringList(n.GetPkAttrs()))
	if len(c.Columns) != len(c.RefColumns) {
		x.fail(pgerror.New(pgerror.InvalidForeignKey, "number of referencing and referenced columns for foreign key disagree"))
	}
	if c.Name == "" {
		c.Name = x.chooseConstraintName(t.Schema, t.Name, joinedColumns(names), "fkey", nil)
	} else if findConstraint(t, c.Name) != nil {
		x.fail(pgerror.New(pgerror.DuplicateObject, "constraint \"%s\" for relation \"%s\" already exists", c.Name, t.Name))
	}
	for i := range c.Columns {
		x.checkKeyTypes(c, columnByID(t, c.Columns[i]), columnByID(ref, c.RefColumns[i]))
	}
	x.createConstraint(t, c)
	return c
}

func actionLetter(s string) byte {
	if s == "" {
		return 'a'
	}
	return s[0]
}

// referencedColumns finds the columns referred to: those named, which must be a key, or the primary key.
func (x *command) referencedColumns(c *catalog.Constraint, ref *catalog.Table, names []string) {
	if len(names) == 0 {
		pk := primaryKey(ref)
		if pk == nil {
			x.fail(pgerror.New(pgerror.UndefinedObject, "there is no primary key for referenced table \"%s\"", ref.Name))
		}
		c.RefColumns = slices.Clone(pk.Columns)
		return
	}
	for _, name := range names {
		col := findColumn(ref, name)
		if col == nil {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" referenced in foreign key constraint does not exist", name))
		}
		if slices.Contains(c.RefColumns, col.ID) {
			x.fail(pgerror.New(pgerror.InvalidForeignKey, "foreign key referenced-columns list must not contain duplicates"))
		}
		c.RefColumns = append(c.RefColumns, col.ID)
	}
	if referencedIndex(ref, c.RefColumns) == nil {
		x.fail(pgerror.New(pgerror.InvalidForeignKey, "there is no unique constraint matching given keys for referenced table \"%s\"", ref.Name))
	}
}

// referencedIndex is the unique index of ref over exactly these columns, in any order, whole and without expressions.
func referencedIndex(ref *catalog.Table, cols []catalog.ID) *catalog.Index {
	for _, i := range ref.Indexes {
		if !i.Unique || i.Where != "" || len(i.Keys) != len(cols) {
			continue
		}
		if !slices.ContainsFunc(i.Keys, func(k catalog.IndexKey) bool { return !slices.Contains(cols, k.Column) }) {
			return i
		}
	}
	return nil
}

// checkKeyTypes refuses a foreign key whose columns cannot be compared for equality.
func (x *command) checkKeyTypes(c *catalog.Constraint, a, b *catalog.Column) {
	if x.comparable(a.Type, b.Type) {
		return
	}
	x.fail(pgerror.New(pgerror.DatatypeMismatch, "foreign key constraint \"%s\" cannot be implemented", c.Name).
		WithDetail("Key columns \"%s\" and \"%s\" are of incompatible types: %s and %s.", a.Name, b.Name,
			catalog.FormatType(a.Type, a.Typmod), catalog.FormatType(b.Type, b.Typmod)))
}

// comparable says whether a foreign key may go from one type to the other: the same type, or of one family whose stored
// forms compare alike.
func (x *command) comparable(fk, pk uint32) bool {
	return fk == pk || keyFamily(fk) != 0 && keyFamily(fk) == keyFamily(pk) ||
		keyFamily(pk) == 'n' && (keyFamily(fk) == 'i' || keyFamily(fk) == 'f') || keyFamily(pk) == 'f' && keyFamily(fk) == 'i'
}

// keyFamily groups types whose values a btree compares across types.
func keyFamily(oid uint32) byte {
	switch oid {
	case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
		return 'i'
	case catalog.Float4OID, catalog.Float8OID:
		return 'f'
	case catalog.NumericOID:
		return 'n'
	case catalog.TextOID, catalog.VarcharOID, catalog.NameOID:
		return 't'
	case catalog.DateOID, catalog.TimestampOID, catalog.TimestamptzOID:
		return 'd'
	}
	return 0
}

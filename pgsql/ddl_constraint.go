package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// addTableConstraint puts a constraint by until all columns are known. column is set if it stood at a column.
func (x *command) addTableConstraint(cr *creation, n *pg.Constraint, column string) {
	switch n.GetContype() {
	case pg.ConstrType_CONSTR_CHECK:
		cr.checks = append(cr.checks, n)
	case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE:
		if n.GetContype() == pg.ConstrType_CONSTR_PRIMARY {
			for _, k := range cr.keys {
				if k.con.GetContype() == pg.ConstrType_CONSTR_PRIMARY {
					x.failAt(n.GetLocation(), pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", cr.t.Name)
				}
			}
		}
		cr.keys = append(cr.keys, keyConstraint{n, column})
	case pg.ConstrType_CONSTR_FOREIGN:
		if column != "" {
			n.FkAttrs = []*pg.Node{pg.MakeStrNode(column)}
		}
		cr.foreign = append(cr.foreign, n)
	case pg.ConstrType_CONSTR_EXCLUSION:
		x.unsupported(n.GetLocation(), "EXCLUDE")
	default:
		x.unsupported(n.GetLocation(), "this table constraint")
	}
}

// finishConstraints makes the constraints, in the order that decides PostgreSQL's generated names: generated columns
// and CHECKs with the table, then keys, then foreign keys.
func (x *command) finishConstraints(cr *creation) {
	for _, d := range cr.gen {
		x.makeGenerated(cr.t, d)
	}
	for _, n := range cr.checks {
		x.makeCheck(cr.t, n, cr.isNew)
	}
	// The primary key's columns are NOT NULL before its index comes; it goes first.
	for _, k := range cr.keys {
		if k.con.GetContype() == pg.ConstrType_CONSTR_PRIMARY {
			x.makeKey(cr.t, k, cr.isNew)
		}
	}
	for _, k := range cr.keys {
		if k.con.GetContype() == pg.ConstrType_CONSTR_UNIQUE {
			x.makeKey(cr.t, k, cr.isNew)
		}
	}
	for _, n := range cr.foreign {
		x.makeForeignKey(cr.t, n)
	}
}

// createConstraint adds a constraint to the table and makes its object row.
func (x *command) createConstraint(t *catalog.Table, c *catalog.Constraint) {
	t.Constraints = append(t.Constraints, c)
	x.create(c.ID, catalog.ObjectConstraint, map[catalog.Attr]catalog.Value{
		catalog.AttrParent: t.ID.Value(),
		catalog.AttrName:   catalog.Str(c.Name),
		catalog.AttrDef:    constraintDef(c),
	})
}

// setConstraintDef writes a constraint's AttrDef again after its fields were changed.
func (x *command) setConstraintDef(c *catalog.Constraint) {
	x.set(c.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: constraintDef(c)})
}

func constraintDef(c *catalog.Constraint) catalog.Value {
	def := catalog.ConstraintDef{
		Kind: string(rune(c.Kind)), Columns: c.Columns, Expr: c.Expr, RefTable: c.RefTable, RefColumns: c.RefColumns,
		Deferrable: c.Deferrable, InitiallyDeferred: c.InitiallyDeferred, NotValid: c.NotValid,
	}
	if c.Index != nil {
		def.Index = c.Index.ID
	}
	if c.Kind == catalog.ForeignKey {
		def.OnUpdate, def.OnDelete, def.Match = letter(c.OnUpdate, 'a'), letter(c.OnDelete, 'a'), letter(c.Match, 's')
	}
	return catalog.EncodeDef(def)
}

// letter is b as text, "" if it is what absence means.
func letter(b, normal byte) string {
	if b == 0 || b == normal {
		return ""
	}
	return string(rune(b))
}

// makeCheck makes a CHECK constraint. It returns nil if NOT VALID or a name clash left nothing to do.
func (x *command) makeCheck(t *catalog.Table, n *pg.Constraint, isNew bool) *catalog.Constraint {
	if n.GetIsNoInherit() {
		x.unsupported(n.GetLocation(), "NO INHERIT")
	}
	c := &catalog.Constraint{ID: x.env.NewID(), Kind: catalog.Check, Name: truncateName(n.GetConname()), NotValid: n.GetSkipValidation() && !n.GetInitiallyValid()}
	cols := columnsOf(t, n.GetRawExpr())
	c.Expr = x.storedCondition(t, n.GetRawExpr(), ctxCheck, "check constraint")
	for _, col := range cols {
		c.Columns = append(c.Columns, col.ID)
	}
	if c.Name == "" {
		middle := ""
		if len(cols) == 1 {
			middle = cols[0].Name
		}
		c.Name = x.chooseConstraintName(t.Schema, t.Name, middle, "check", nil)
	} else if findConstraint(t, c.Name) != nil {
		if isNew {
			x.fail(pgerror.New(pgerror.DuplicateObject, "check constraint \"%s\" already exists", c.Name))
		}
		x.fail(pgerror.New(pgerror.DuplicateObject, "constraint \"%s\" for relation \"%s\" already exists", c.Name, t.Name))
	}
	x.createConstraint(t, c)
	return c
}

// makeKey makes a PRIMARY KEY or UNIQUE constraint and its index.
func (x *command) makeKey(t *catalog.Table, k keyConstraint, isNew bool) *catalog.Constraint {
	n, primary := k.con, k.con.GetContype() == pg.ConstrType_CONSTR_PRIMARY
	if n.GetDeferrable() || n.GetInitdeferred() {
		x.unsupported(n.GetLocation(), "a deferrable unique constraint")
	}
	if n.GetNullsNotDistinct() {
		x.unsupported(n.GetLocation(), "NULLS NOT DISTINCT")
	}
	if n.GetIndexname() != "" {
		return x.keyFromIndex(t, n)
	}
	if primary && primaryKey(t) != nil {
		x.failAt(n.GetLocation(), pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", t.Name)
	}
	what := "unique"
	if primary {
		what = "primary key"
	}
	names := stringList(n.GetKeys())
	if k.column != "" {
		names = []string{k.column}
	}
	idx := &catalog.Index{ID: x.env.NewID(), Table: t.ID, Unique: true, Primary: primary, NullsNotDistinct: n.GetNullsNotDistinct(), Method: "btree"}
	con := &catalog.Constraint{ID: x.env.NewID(), Kind: catalog.Unique, Name: truncateName(n.GetConname())}
	if primary {
		con.Kind = catalog.PrimaryKey
	}
	seen := map[string]bool{}
	for _, name := range names {
		col := findColumn(t, name)
		if col == nil {
			x.failAt(n.GetLocation(), pgerror.UndefinedColumn, "column \"%s\" named in key does not exist", name)
		}
		if seen[name] {
			x.failAt(n.GetLocation(), pgerror.DuplicateColumn, "column \"%s\" appears twice in %s constraint", name, what)
		}
		seen[name] = true
		x.checkIndexable(col.Type, "btree", "")
		con.Columns = append(con.Columns, col.ID)
		idx.Keys = append(idx.Keys, catalog.IndexKey{Column: col.ID})
		if primary && !col.NotNull {
			if !isNew {
				x.validateNotNull(t, col)
			}
			x.setNotNull(col, true)
		}
	}
	shown := names
	for _, name := range stringList(n.GetIncluding()) {
		col := findColumn(t, name)
		if col == nil {
			x.failAt(n.GetLocation(), pgerror.UndefinedColumn, "column \"%s\" named in key does not exist", name)
		}
		idx.Include = append(idx.Include, col.ID)
		shown = append(shown[:len(shown):len(shown)], name)
	}
	switch {
	case con.Name == "" && primary:
		con.Name = x.chooseRelationName(t.Schema, t.Name, "", "pkey", true)
	case con.Name == "":
		con.Name = x.chooseRelationName(t.Schema, t.Name, joinedColumns(shown), "key", true)
	case findConstraint(t, con.Name) != nil:
		x.fail(pgerror.New(pgerror.DuplicateObject, "constraint \"%s\" for relation \"%s\" already exists", con.Name, t.Name))
	case x.nameTaken(t.Schema, con.Name):
		x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", con.Name))
	}
	idx.Name = con.Name
	x.storageOptions(n.GetOptions())
	con.Index = idx
	x.createIndexRow(t, idx)
	x.createConstraint(t, con)
	if !isNew {
		x.validateUnique(t, idx)
	}
	return con
}

// keyFromIndex makes a constraint of an index that exists (ADD CONSTRAINT … USING INDEX).
func (x *command) keyFromIndex(t *catalog.Table, n *pg.Constraint) *catalog.Constraint {
	primary := n.GetContype() == pg.ConstrType_CONSTR_PRIMARY
	if primary && primaryKey(t) != nil {
		x.failAt(n.GetLocation(), pgerror.InvalidTableDefinition, "multiple primary keys for table \"%s\" are not allowed", t.Name)
	}
	idx := findIndex(t, n.GetIndexname())
	if idx == nil {
		x.failAt(n.GetLocation(), pgerror.UndefinedObject, "index \"%s\" does not exist", n.GetIndexname())
	}
	for _, c := range t.Constraints {
		if c.Index != nil && c.Index.ID == idx.ID {
			x.failAt(n.GetLocation(), pgerror.ObjectNotInPrerequisiteState, "index \"%s\" is already associated with a constraint", idx.Name)
		}
	}
	if !idx.Unique {
		x.failAt(n.GetLocation(), pgerror.WrongObjectType, "\"%s\" is not a unique index", idx.Name)
	}
	if idx.Where != "" {
		x.failAt(n.GetLocation(), pgerror.WrongObjectType, "\"%s\" is a partial index", idx.Name)
	}
	con := &catalog.Constraint{ID: x.env.NewID(), Kind: catalog.Unique, Name: truncateName(n.GetConname()), Index: idx}
	if primary {
		con.Kind, idx.Primary = catalog.PrimaryKey, true
	}
	for _, k := range idx.Keys {
		if k.Column.IsZero() {
			x.failAt(n.GetLocation(), pgerror.WrongObjectType, "index \"%s\" contains expressions", idx.Name)
		}
		con.Columns = append(con.Columns, k.Column)
		if col := columnByID(t, k.Column); primary && col != nil && !col.NotNull {
			x.validateNotNull(t, col)
			x.setNotNull(col, true)
		}
	}
	if con.Name == "" {
		con.Name = idx.Name
	}
	if con.Name != idx.Name {
		x.notice(pgerror.Notice("ALTER TABLE / ADD CONSTRAINT USING INDEX will rename index \"%s\" to \"%s\"", idx.Name, con.Name))
		x.renameIndex(t, idx, con.Name)
	}
	if primary {
		x.setIndexDef(idx)
	}
	x.createConstraint(t, con)
	return con
}

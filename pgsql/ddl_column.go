package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// maxColumns is PostgreSQL's limit of columns of a table.
const maxColumns = 1600

// columnDraft is what a column definition says, gathered before it is made.
type columnDraft struct {
	col      *catalog.Column
	defNode  *pg.Node // DEFAULT
	genNode  *pg.Node // GENERATED ALWAYS AS (…) STORED
	identity *pg.Constraint
	serial   uint32
	null     bool // NULL was said
	notNull  bool // NOT NULL was said
	missing  catalog.Value
	fill     bool // existing rows must be given their value by an UPDATE
	loc      int32
}

var serialTypes = map[string]uint32{
	"smallserial": catalog.Int2OID, "serial2": catalog.Int2OID, "serial": catalog.Int4OID, "serial4": catalog.Int4OID,
	"bigserial": catalog.Int8OID, "serial8": catalog.Int8OID,
}

var systemColumns = map[string]bool{"tableoid": true, "cmax": true, "xmax": true, "cmin": true, "xmin": true, "ctid": true}

// addColumnDef adds a column to the table in the making, and puts its constraints by.
func (x *command) addColumnDef(cr *creation, n *pg.ColumnDef) *columnDraft {
	t := cr.t
	name := truncateName(n.GetColname())
	x.checkNewColumn(t, name)
	if len(n.GetFdwoptions()) > 0 {
		x.unsupported(n.GetLocation(), "column OPTIONS")
	}
	d := &columnDraft{loc: n.GetLocation()}
	d.col = &catalog.Column{ID: x.env.NewID(), Num: nextNum(t), Name: name, Typmod: -1}
	d.col.Phys = "new" + name
	d.col.Type, d.col.Typmod, d.serial = x.columnType(name, n.GetTypeName())
	x.checkCollation(n.GetCollClause(), d.col.Type)
	if n.GetIsNotNull() {
		d.notNull = true
	}
	for i, c := range n.GetConstraints() {
		x.columnConstraint(cr, d, c.GetConstraint(), n.GetConstraints()[:i])
	}
	if d.serial != 0 || d.identity != nil {
		d.notNull = true
	}
	d.col.NotNull = d.notNull
	t.Columns = append(t.Columns, d.col)
	x.makeColumn(cr, d)
	return d
}

// nextNum is the attnum for the next column: above all that are, which leaves the gaps of dropped ones behind.
func nextNum(t *catalog.Table) int16 {
	var n int16
	for _, c := range t.Columns {
		n = max(n, c.Num)
	}
	return n + 1
}

func (x *command) checkNewColumn(t *catalog.Table, name string) {
	if systemColumns[name] {
		x.fail(pgerror.New(pgerror.DuplicateColumn, "column name \"%s\" conflicts with a system column name", name))
	}
	if findColumn(t, name) != nil {
		x.fail(pgerror.New(pgerror.DuplicateColumn, "column \"%s\" specified more than once", name))
	}
	if len(t.Columns) >= maxColumns {
		x.fail(pgerror.New(pgerror.TooManyColumns, "tables can have at most %d columns", maxColumns))
	}
}

// columnType resolves a column's type; serial is the integer type behind serial, else 0.
func (x *command) columnType(col string, tn *pg.TypeName) (typ uint32, typmod int32, serial uint32) {
	names := stringList(tn.GetNames())
	if len(names) == 1 && !tn.GetPctType() {
		if oid, ok := serialTypes[names[0]]; ok {
			if len(tn.GetArrayBounds()) > 0 {
				x.failAt(tn.GetLocation(), pgerror.FeatureNotSupported, "array of serial is not implemented")
			}
			return oid, -1, oid
		}
	}
	if tn.GetSetof() {
		x.failAt(tn.GetLocation(), pgerror.InvalidTableDefinition, "column \"%s\" cannot be declared SETOF", col)
	}
	if tn.GetPctType() {
		typ, typmod = x.typeOfColumn(names, tn.GetLocation())
		return typ, typmod, 0
	}
	typ, typmod = x.typeName(tn)
	if t := catalog.TypeByOID(typ); t == nil || t.Kind == 'p' {
		x.fail(pgerror.New(pgerror.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", col, catalog.FormatTypeName(typ)))
	}
	x.check(catalog.CheckSupported(typ), tn.GetLocation())
	return typ, typmod, 0
}

// typeOfColumn resolves table.column%TYPE.
func (x *command) typeOfColumn(names []string, loc int32) (uint32, int32) {
	if len(names) < 2 {
		x.failAt(loc, pgerror.SyntaxError, "improper %%TYPE reference (too few dotted names)")
	}
	rv := rangeVar(names[:len(names)-1])
	rv.Location = loc
	t := x.relation(rv)
	c := findColumn(t, names[len(names)-1])
	if c == nil {
		x.failAt(loc, pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", names[len(names)-1], t.Name)
	}
	return c.Type, c.Typmod
}

// checkCollation accepts the collations that are the binary order which all text has.
func (x *command) checkCollation(c *pg.CollateClause, typ uint32) {
	if c == nil {
		return
	}
	if !catalog.IsCollatable(typ) {
		x.failAt(c.GetLocation(), pgerror.DatatypeMismatch, "collations are not supported by type %s", catalog.FormatTypeName(typ))
	}
	x.collationName(stringList(c.GetCollname()), c.GetLocation())
}

// collationName checks the name of a collation and returns it.
func (x *command) collationName(names []string, loc int32) string {
	if len(names) == 0 {
		return ""
	}
	switch name := names[len(names)-1]; name {
	case "C", "POSIX", "default", "ucs_basic", "C.UTF-8", "C.utf8":
		return name
	default:
		x.unsupported(loc, "collation \"%s\"", name)
		return ""
	}
}

// columnConstraint takes one constraint of a column definition.
func (x *command) columnConstraint(cr *creation, d *columnDraft, n *pg.Constraint, before []*pg.Node) {
	col, loc := d.col.Name, n.GetLocation()
	switch n.GetContype() {
	case pg.ConstrType_CONSTR_NULL:
		if d.notNull {
			x.failAt(loc, pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		d.null = true
	case pg.ConstrType_CONSTR_NOTNULL:
		if d.null {
			x.failAt(loc, pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		d.notNull = true
	case pg.ConstrType_CONSTR_DEFAULT:
		if d.serial != 0 {
			loc = -1
		}
		if d.defNode != nil || d.serial != 0 {
			x.failAt(loc, pgerror.SyntaxError, "multiple default values specified for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		d.defNode = n.GetRawExpr()
	case pg.ConstrType_CONSTR_IDENTITY:
		if d.identity != nil {
			x.failAt(loc, pgerror.SyntaxError, "multiple identity specifications for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		if d.null {
			x.failAt(loc, pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		d.identity = n
	case pg.ConstrType_CONSTR_GENERATED:
		if d.genNode != nil {
			x.failAt(loc, pgerror.SyntaxError, "multiple generation clauses specified for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		d.genNode = n.GetRawExpr()
	case pg.ConstrType_CONSTR_CHECK:
		cr.checks = append(cr.checks, n)
	case pg.ConstrType_CONSTR_PRIMARY:
		if d.null {
			x.failAt(loc, pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", col, cr.t.Name)
		}
		x.addTableConstraint(cr, n, col)
	case pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_FOREIGN:
		x.addTableConstraint(cr, n, col)
	case pg.ConstrType_CONSTR_ATTR_DEFERRABLE, pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE,
		pg.ConstrType_CONSTR_ATTR_DEFERRED, pg.ConstrType_CONSTR_ATTR_IMMEDIATE:
		x.constraintAttribute(n, before)
	default:
		x.unsupported(loc, "this column constraint")
	}
	x.checkColumnDraft(cr.t, d, loc)
}

// constraintAttribute applies DEFERRABLE and the like to the constraint that it follows.
func (x *command) constraintAttribute(n *pg.Constraint, before []*pg.Node) {
	var last *pg.Constraint
	for i := len(before) - 1; i >= 0 && last == nil; i-- {
		switch c := before[i].GetConstraint(); c.GetContype() {
		case pg.ConstrType_CONSTR_ATTR_DEFERRABLE, pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE,
			pg.ConstrType_CONSTR_ATTR_DEFERRED, pg.ConstrType_CONSTR_ATTR_IMMEDIATE:
		default:
			last = c
		}
	}
	word := map[pg.ConstrType]string{
		pg.ConstrType_CONSTR_ATTR_DEFERRABLE: "DEFERRABLE", pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE: "NOT DEFERRABLE",
		pg.ConstrType_CONSTR_ATTR_DEFERRED: "INITIALLY DEFERRED", pg.ConstrType_CONSTR_ATTR_IMMEDIATE: "INITIALLY IMMEDIATE",
	}[n.GetContype()]
	switch last.GetContype() {
	case pg.ConstrType_CONSTR_PRIMARY, pg.ConstrType_CONSTR_UNIQUE, pg.ConstrType_CONSTR_FOREIGN, pg.ConstrType_CONSTR_EXCLUSION:
	default:
		x.failAt(n.GetLocation(), pgerror.SyntaxError, "misplaced %s clause", word)
	}
	switch n.GetContype() {
	case pg.ConstrType_CONSTR_ATTR_DEFERRABLE:
		last.Deferrable = true
	case pg.ConstrType_CONSTR_ATTR_DEFERRED:
		last.Deferrable, last.Initdeferred = true, true
	case pg.ConstrType_CONSTR_ATTR_NOT_DEFERRABLE:
		if last.Initdeferred {
			x.failAt(n.GetLocation(), pgerror.SyntaxError, "constraint declared INITIALLY DEFERRED must be DEFERRABLE")
		}
	}
}

// checkColumnDraft refuses what contradicts itself.
func (x *command) checkColumnDraft(t *catalog.Table, d *columnDraft, loc int32) {
	both := func(a, b string) {
		x.failAt(loc, pgerror.SyntaxError, "both %s and %s specified for column \"%s\" of table \"%s\"", a, b, d.col.Name, t.Name)
	}
	hasDefault := d.defNode != nil || d.serial != 0
	switch {
	case hasDefault && d.identity != nil:
		both("default", "identity")
	case hasDefault && d.genNode != nil:
		both("default", "generation expression")
	case d.identity != nil && d.genNode != nil:
		both("identity", "generation expression")
	}
	if d.serial != 0 && d.null {
		x.failAt(loc, pgerror.SyntaxError, "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"", d.col.Name, t.Name)
	}
	if d.identity != nil && !isIntegerType(d.col.Type) {
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint"))
	}
}

func isIntegerType(oid uint32) bool {
	return oid == catalog.Int2OID || oid == catalog.Int4OID || oid == catalog.Int8OID
}

// makeColumn makes the object row of a column, and the sequence that serial and identity bring.
func (x *command) makeColumn(cr *creation, d *columnDraft) {
	t, col := cr.t, d.col
	switch {
	case d.serial != 0:
		seq := x.ownedSequence(t, col, nil)
		col.Sequence = seq.ID
		col.Default = nextvalText(seq)
		d.fill = true
	case d.identity != nil:
		seq := x.ownedSequence(t, col, d.identity.GetOptions())
		col.Sequence = seq.ID
		col.Identity = d.identity.GetGeneratedWhen()[0]
		d.fill = true
	case d.defNode != nil:
		if isNullConstant(d.defNode) {
			break // as if there were none
		}
		col.Default, d.missing, d.fill = x.defaultExpr(col, d.defNode)
	}
	x.createColumnRow(t, col, d.missing)
}

// nextvalText is the default of a serial column, as PostgreSQL shows it.
func nextvalText(seq *catalog.Table) string {
	return "nextval(" + catalog.QuoteLiteral(catalog.StoredName(seq.Schema, seq.Name)) + "::regclass)"
}

// createColumnRow makes a column's object row.
func (x *command) createColumnRow(t *catalog.Table, col *catalog.Column, missing catalog.Value) {
	col.Missing = missing
	x.create(col.ID, catalog.ObjectColumn, map[catalog.Attr]catalog.Value{
		catalog.AttrParent:  t.ID.Value(),
		catalog.AttrName:    catalog.Str(col.Name),
		catalog.AttrOrder:   catalog.Int(int64(col.Num)),
		catalog.AttrType:    catalog.Int(int64(col.Type)),
		catalog.AttrTypmod:  catalog.Int(int64(col.Typmod)),
		catalog.AttrNotNull: catalog.Bool(col.NotNull),
		catalog.AttrDefault: textOrNull(col.Default),
		catalog.AttrDef:     columnDef(col),
	})
}

// columnDef is a column's AttrDef, NULL where there is nothing to say.
func columnDef(col *catalog.Column) catalog.Value {
	def := catalog.ColumnDef{Generated: col.Generated, Sequence: col.Sequence, Retyped: col.Retyped}
	if col.Identity != 0 {
		def.Identity = string(rune(col.Identity))
	}
	if !col.Missing.IsNull() {
		def.Missing = catalog.AppendValue(nil, col.Missing)
	}
	if def.Identity == "" && !def.Generated && def.Sequence.IsZero() && def.Missing == nil && def.Retyped == nil {
		return catalog.Value{}
	}
	return catalog.EncodeDef(def)
}

func textOrNull(s string) catalog.Value {
	if s == "" {
		return catalog.Value{}
	}
	return catalog.Str(s)
}

// setNotNull changes a column's NOT NULL.
func (x *command) setNotNull(col *catalog.Column, on bool) {
	col.NotNull = on
	x.set(col.ID, map[catalog.Attr]catalog.Value{catalog.AttrNotNull: catalog.Bool(on)})
}

// setDefault changes a column's default expression.
func (x *command) setDefault(col *catalog.Column, text string) {
	col.Default = text
	x.set(col.ID, map[catalog.Attr]catalog.Value{catalog.AttrDefault: textOrNull(text)})
}

// setColumnDef writes a column's AttrDef again after its fields were changed.
func (x *command) setColumnDef(col *catalog.Column) {
	x.set(col.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: columnDef(col)})
}

package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// makeGenerated settles GENERATED ALWAYS AS (…) STORED once all the table's columns are known.
func (x *command) makeGenerated(t *catalog.Table, d *columnDraft) {
	x.noSubquery(d.genNode, "column generation expression")
	for _, other := range columnsOf(t, d.genNode) {
		if other.ID == d.col.ID || other.Generated {
			e := pgerror.New(pgerror.InvalidObjectDefinition, "cannot use generated column \"%s\" in column generation expression", other.Name)
			x.fail(e.WithDetail("A generated column cannot reference another generated column.").At(x.position(refLocation(d.genNode, other.Name))))
		}
	}
	x.immutable(t, d.genNode, ctxGenerated, "generation expression is not immutable")
	c := x.sub()
	e := c.exprIn(ctxGenerated, d.genNode, x.tableScope(t))
	if c.coerceDefault(e, d.col) == nil {
		x.fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but default expression is of type %s", d.col.Name,
			catalog.FormatTypeName(d.col.Type), catalog.FormatTypeName(e.typ)).
			WithHint("You will need to rewrite or cast the expression."))
	}
	d.col.Generated = true
	x.setDefault(d.col, x.showExpr(d.genNode, t, true))
	x.setColumnDef(d.col)
}

// refLocation is where an expression names a column.
func refLocation(n *pg.Node, name string) int32 {
	loc := int32(-1)
	walk(n, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok && loc < 0 {
			f := ref.GetFields()
			if f[len(f)-1].GetString_().GetSval() == name {
				loc = ref.GetLocation()
			}
		}
		return true
	})
	return loc
}

func (x *command) alterAddIdentity(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	con := n.GetDef().GetConstraint()
	switch {
	case !isIntegerType(col.Type):
		x.fail(pgerror.New(pgerror.InvalidParameterValue, "identity column type must be smallint, integer, or bigint"))
	case !col.NotNull:
		x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" must be declared NOT NULL before identity can be added", col.Name, t.Name))
	case col.Identity != 0:
		x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is already an identity column", col.Name, t.Name))
	case col.Default != "":
		x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" already has a default value", col.Name, t.Name))
	}
	seq := x.ownedSequence(t, col, con.GetOptions())
	col.Sequence, col.Identity = seq.ID, 'd'
	if con.GetGeneratedWhen() == "a" {
		col.Identity = 'a'
	}
	x.setColumnDef(col)
}

func (x *command) alterSetIdentity(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	if col.Identity == 0 {
		x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not an identity column", col.Name, t.Name))
	}
	var rest []*pg.Node
	for _, o := range n.GetDef().GetList().GetItems() {
		if d := o.GetDefElem(); d.GetDefname() == "generated" {
			col.Identity = 'd'
			if d.GetArg().GetInteger().GetIval() == 'a' {
				col.Identity = 'a'
			}
			x.setColumnDef(col)
			continue
		}
		rest = append(rest, o)
	}
	if len(rest) > 0 {
		if seq := x.relationWithID(col.Sequence); seq != nil {
			x.changeSequence(x.edit(seq), rest, true)
		}
	}
}

func (x *command) alterDropIdentity(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	if col.Identity == 0 {
		if !n.GetMissingOk() {
			x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not an identity column", col.Name, t.Name))
		}
		x.notice(pgerror.Notice("column \"%s\" of relation \"%s\" is not an identity column, skipping", col.Name, t.Name))
		return
	}
	if seq := x.relationWithID(col.Sequence); seq != nil {
		x.dropRelation(seq)
	}
	col.Identity, col.Sequence = 0, catalog.ID{}
	x.setColumnDef(col)
}

func (x *command) alterDropExpression(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	if !col.Generated {
		if !n.GetMissingOk() {
			x.fail(pgerror.New(pgerror.ObjectNotInPrerequisiteState, "column \"%s\" of relation \"%s\" is not a stored generated column", col.Name, t.Name))
		}
		x.notice(pgerror.Notice("column \"%s\" of relation \"%s\" is not a stored generated column, skipping", col.Name, t.Name))
		return
	}
	col.Generated = false
	x.setDefault(col, "")
	x.setColumnDef(col)
}

// sameStorage says whether values of one type are stored as those of another are, so that a column may change its type
// without a rewrite.
func sameStorage(from, to uint32) bool {
	text := func(o uint32) bool { return o == catalog.TextOID || o == catalog.VarcharOID }
	switch {
	case from == to, text(from) && text(to):
		return true
	case from == catalog.Int2OID:
		return to == catalog.Int4OID || to == catalog.Int8OID
	case from == catalog.Int4OID:
		return to == catalog.Int8OID
	case from == catalog.Float4OID:
		return to == catalog.Float8OID
	}
	return false
}

// widens says whether every value of a type fits a typmod of it as it is.
func widens(typ uint32, from, to int32) bool {
	if to == -1 || from == to {
		return true
	}
	if from == -1 {
		return false
	}
	switch typ {
	case catalog.VarcharOID, catalog.TextOID, catalog.BpcharOID:
		return to >= from
	case catalog.NumericOID:
		fp, fs, _ := catalog.NumericTypmod(from)
		tp, ts, _ := catalog.NumericTypmod(to)
		return fs == ts && tp >= fp
	}
	return false
}

// alterType is ALTER COLUMN … TYPE. Where old values are stored as they will be, the column's type just changes;
// otherwise a new column takes the old one's place.
func (x *command) alterType(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	if x.retyped[col.ID] != nil {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of column \"%s\" twice", col.Name))
	}
	def := n.GetDef().GetColumnDef()
	typ, typmod, serial := x.columnType(col.Name, def.GetTypeName())
	if serial != 0 {
		x.failAt(def.GetTypeName().GetLocation(), pgerror.UndefinedObject, "type \"%s\" does not exist", stringList(def.GetTypeName().GetNames())[0])
	}
	x.checkCollation(def.GetCollClause(), typ)
	x.checkTypeUses(t, col)
	using := def.GetRawDefault()
	plainUse := using == nil || isColumn(using, col.Name)
	if plainUse && sameStorage(col.Type, typ) && widens(typ, col.Typmod, typmod) {
		x.checkDefaultType(col, typ, typmod)
		x.setType(col, typ, typmod)
		x.noteRetyped(col, false)
		x.retypeSequence(col, typ)
		return
	}
	x.rewriteType(t, col, typ, typmod, using)
}

func (x *command) setType(col *catalog.Column, typ uint32, typmod int32) {
	col.Type, col.Typmod = typ, typmod
	x.set(col.ID, map[catalog.Attr]catalog.Value{catalog.AttrType: catalog.Int(int64(typ)), catalog.AttrTypmod: catalog.Int(int64(typmod))})
}

func isColumn(n *pg.Node, name string) bool {
	f := n.GetColumnRef().GetFields()
	return len(f) > 0 && f[len(f)-1].GetString_().GetSval() == name
}

// retypeSequence gives an identity column's sequence the column's type.
func (x *command) retypeSequence(col *catalog.Column, typ uint32) {
	if col.Identity == 0 || !isIntegerType(typ) {
		return
	}
	if seq := x.relationWithID(col.Sequence); seq != nil {
		seq = x.edit(seq)
		_, oldMax := sequenceLimits(seq.Sequence.Type)
		if _, hi := sequenceLimits(typ); seq.Sequence.Max == oldMax {
			seq.Sequence.Max = hi
		}
		seq.Sequence.Type = typ
		x.set(seq.ID, map[catalog.Attr]catalog.Value{catalog.AttrType: catalog.Int(int64(typ)), catalog.AttrDef: sequenceDef(seq.Sequence)})
	}
}

// checkTypeUses refuses to change the type of a column that something else is computed from.
func (x *command) checkTypeUses(t *catalog.Table, col *catalog.Column) {
	if col.Generated {
		x.unsupported(-1, "ALTER COLUMN TYPE of a generated column")
	}
	for _, other := range t.Columns {
		if other.Generated && namesColumn(other.Default, col.Name) {
			x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a generated column").
				WithDetail("Column \"%s\" is used by generated column \"%s\".", col.Name, other.Name))
		}
	}
	for _, v := range x.all() {
		if v.Kind == catalog.KindView && !v.System && viewNames(v, t, col.Name) {
			x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot alter type of a column used by a view or rule").
				WithDetail("rule _RETURN on view %s depends on column \"%s\"", x.visibleName(v), col.Name))
		}
	}
}

// checkDefaultType makes sure that the default suits the new type.
func (x *command) checkDefaultType(col *catalog.Column, typ uint32, typmod int32) {
	if col.Default == "" || !col.Sequence.IsZero() {
		return
	}
	c := x.sub()
	e := c.storedExpr(col.Default, ctxDefault, newScope(nil))
	if c.coerce(e, typ, typmod, 'a') == nil {
		x.fail(pgerror.New(pgerror.DatatypeMismatch, "default for column \"%s\" cannot be cast automatically to type %s", col.Name, catalog.FormatTypeName(typ)))
	}
}

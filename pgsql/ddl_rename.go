package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// rename is ALTER … RENAME.
func (x *command) rename(n *pg.RenameStmt) Plan {
	tag := utilityTag(&pg.Node{Node: &pg.Node_RenameStmt{RenameStmt: n}})
	to := truncateName(n.GetNewname())
	switch n.GetRenameType() {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_SEQUENCE:
		x.renameRelation(n, to)
	case pg.ObjectType_OBJECT_INDEX:
		x.renameIndexStatement(n, to)
	case pg.ObjectType_OBJECT_COLUMN:
		x.renameColumn(n, to)
	case pg.ObjectType_OBJECT_TABCONSTRAINT:
		x.renameConstraint(n, to)
	case pg.ObjectType_OBJECT_SCHEMA:
		x.renameSchema(n.GetSubname(), to)
	case pg.ObjectType_OBJECT_ROLE:
		x.renameRole(n.GetSubname(), to)
	default:
		x.unsupported(-1, "%s RENAME", tag)
	}
	return x.ddlPlan(tag)
}

func nameAttr(name string) map[catalog.Attr]catalog.Value {
	return map[catalog.Attr]catalog.Value{catalog.AttrName: catalog.Str(name)}
}

func (x *command) renameRelation(n *pg.RenameStmt, to string) {
	t := x.find(n.GetRelation())
	if t == nil {
		if i, _ := x.findIndexVar(n.GetRelation()); i != nil {
			x.renameIndexStatement(n, to) // ALTER TABLE may rename an index
			return
		}
		if n.GetMissingOk() {
			x.skipMissing("relation", n.GetRelation().GetRelname())
			return
		}
		x.relation(n.GetRelation())
	}
	x.modifiable(t)
	if o := n.GetRenameType(); o != pg.ObjectType_OBJECT_TABLE {
		x.checkAlterKind(t, o)
	}
	if x.nameTaken(t.Schema, to) {
		x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", to))
	}
	t = x.edit(t)
	from := *t
	t.Name = to
	x.set(t.ID, nameAttr(to))
	x.relationMoved(&from, t)
	x.settleNames(t)
}

// settleNames lets the indexes and sequences of two tables that were made under one name, of which t is one, keep the names
// that they are shown under: so one RENAME of either table leaves no conflict behind.
func (x *command) settleNames(t *catalog.Table) {
	bent := x.env.Schema.Bent
	if t.Kind != catalog.KindTable || len(bent) == 0 {
		return
	}
	owned := map[catalog.ID]bool{}
	for _, o := range x.all() {
		if o.Kind == catalog.KindSequence && o.Sequence.OwnerTable == t.ID {
			owned[o.ID] = true
		}
	}
	for _, i := range t.Indexes {
		owned[i.ID] = true
	}
	for _, o := range x.all() {
		if other, ok := bent[o.ID]; ok && o.Kind == catalog.KindSequence && (owned[o.ID] || owned[other]) {
			x.settleSequence(x.edit(o))
		}
		for _, i := range o.Indexes {
			if other, ok := bent[i.ID]; ok && (owned[i.ID] || owned[other]) {
				e := x.edit(o)
				i = findIndex(e, i.Name)
				x.renameIndex(e, i, i.Name)
				if c := x.constraintOf(e, i); c != nil {
					c.Name = i.Name
					x.set(c.ID, nameAttr(i.Name))
				}
			}
		}
	}
}

// settleSequence gives a sequence the name that it is shown under, also in the default of its column.
func (x *command) settleSequence(seq *catalog.Table) {
	x.set(seq.ID, nameAttr(seq.Name))
	if owner := x.relationWithID(seq.Sequence.OwnerTable); owner != nil {
		owner = x.edit(owner)
		if c := columnByID(owner, seq.Sequence.OwnerColumn); c != nil && c.Default != "" {
			x.setDefault(c, c.Default)
		}
	}
}

// relationMoved writes anew what names a relation that has got another name or schema: views, and defaults that take
// from a sequence.
func (x *command) relationMoved(from, to *catalog.Table) {
	for _, o := range x.all() {
		if o.System {
			continue
		}
		if o.Kind == catalog.KindView && viewNames(o, from, "") {
			x.rewriteView(o, func(rv *pg.RangeVar) {
				if rv.GetRelname() == from.Name && rv.GetSchemaname() == from.Schema {
					if rv.Alias == nil {
						rv.Alias = &pg.Alias{Aliasname: from.Name}
					}
					rv.Relname, rv.Schemaname = to.Name, to.Schema
				}
			}, nil)
		}
		if from.Kind != catalog.KindSequence {
			continue
		}
		for _, c := range o.Columns {
			if c.Default != "" && usesSequence(c.Default, from) {
				o = x.edit(o)
				col := columnByID(o, c.ID)
				x.setDefault(col, strings.ReplaceAll(c.Default, catalog.QuoteLiteral(catalog.StoredName(from.Schema, from.Name)),
					catalog.QuoteLiteral(catalog.StoredName(to.Schema, to.Name))))
			}
		}
	}
}

// rewriteView changes the tables and columns that a view's query names.
func (x *command) rewriteView(v *catalog.Table, table func(*pg.RangeVar), column func(*pg.ColumnRef)) {
	sel, err := parseQuery(v.View)
	if err != nil {
		return
	}
	walk(sel, func(m proto.Message) bool {
		switch n := m.(type) {
		case *pg.RangeVar:
			if table != nil {
				table(n)
			}
		case *pg.ColumnRef:
			if column != nil {
				column(n)
			}
		}
		return true
	})
	text, err := deparseNode(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel}})
	if err != nil {
		return
	}
	v = x.edit(v)
	v.View = text
	x.set(v.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(catalog.ViewDef{Query: text, Options: v.Options})})
}

func (x *command) renameIndexStatement(n *pg.RenameStmt, to string) {
	if n.GetMissingOk() {
		if i, _ := x.findIndexVar(n.GetRelation()); i == nil {
			x.skipMissing("relation", n.GetRelation().GetRelname())
			return
		}
	}
	i, t := x.index(n.GetRelation())
	x.modifiable(t)
	if x.nameTaken(t.Schema, to) {
		x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", to))
	}
	t = x.edit(t)
	i = findIndex(t, i.Name)
	x.renameIndex(t, i, to)
	if c := x.constraintOf(t, i); c != nil {
		c.Name = to
		x.set(c.ID, nameAttr(to))
	}
}

func (x *command) renameIndex(t *catalog.Table, i *catalog.Index, to string) {
	i.Name = to
	x.set(i.ID, nameAttr(to))
}

func (x *command) renameConstraint(n *pg.RenameStmt, to string) {
	if n.GetMissingOk() && x.find(n.GetRelation()) == nil {
		x.skipMissing("relation", n.GetRelation().GetRelname())
		return
	}
	t := x.edit(x.table(n.GetRelation()))
	c := findConstraint(t, n.GetSubname())
	if c == nil {
		x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" for table \"%s\" does not exist", n.GetSubname(), t.Name))
	}
	if findConstraint(t, to) != nil {
		x.fail(pgerror.New(pgerror.DuplicateObject, "constraint \"%s\" for relation \"%s\" already exists", to, t.Name))
	}
	if c.Index != nil {
		if x.nameTaken(t.Schema, to) {
			x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", to))
		}
		x.renameIndex(t, c.Index, to)
	}
	c.Name = to
	x.set(c.ID, nameAttr(to))
}

func (x *command) renameColumn(n *pg.RenameStmt, to string) {
	if n.GetMissingOk() && x.find(n.GetRelation()) == nil {
		x.skipMissing("relation", n.GetRelation().GetRelname())
		return
	}
	t := x.relation(n.GetRelation())
	x.modifiable(t)
	t = x.edit(t)
	if systemColumns[n.GetSubname()] {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot rename system column \"%s\"", n.GetSubname()))
	}
	col := findColumn(t, n.GetSubname())
	if col == nil {
		x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" does not exist", n.GetSubname()))
	}
	if systemColumns[to] {
		x.fail(pgerror.New(pgerror.DuplicateColumn, "column name \"%s\" conflicts with a system column name", to))
	}
	if findColumn(t, to) != nil {
		x.fail(pgerror.New(pgerror.DuplicateColumn, "column \"%s\" of relation \"%s\" already exists", to, t.Name))
	}
	from := col.Name
	x.renameInViews(t, from, to)
	col.Name = to
	x.set(col.ID, nameAttr(to))
	x.renameInExpressions(t, from, to)
}

// renameInExpressions writes anew the table's stored expressions that name a column.
func (x *command) renameInExpressions(t *catalog.Table, from, to string) {
	again := func(text string) (string, bool) {
		if !namesColumn(text, from) {
			return text, false
		}
		n, err := parseExpr(text)
		if err != nil {
			return text, false
		}
		walk(n, func(m proto.Message) bool {
			if ref, ok := m.(*pg.ColumnRef); ok {
				f := ref.GetFields()
				if s := f[len(f)-1].GetString_(); s.GetSval() == from {
					s.Sval = to
				}
			}
			return true
		})
		return x.showExpr(n, t, true), true
	}
	for _, c := range t.Constraints {
		if s, ok := again(c.Expr); ok {
			c.Expr = s
			x.setConstraintDef(c)
		}
	}
	for _, c := range t.Columns {
		if !c.Generated {
			continue
		}
		if s, ok := again(c.Default); ok {
			x.setDefault(c, s)
		}
	}
	for _, i := range t.Indexes {
		changed := false
		for k := range i.Keys {
			s, ok := again(i.Keys[k].Expr)
			i.Keys[k].Expr, changed = s, changed || ok
		}
		s, ok := again(i.Where)
		i.Where = s
		if changed || ok {
			x.setIndexDef(i)
		}
	}
}

// renameInViews writes anew the views that name a column of t.
func (x *command) renameInViews(t *catalog.Table, from, to string) {
	for _, v := range x.all() {
		if v.Kind != catalog.KindView || v.System || !viewNames(v, t, from) {
			continue
		}
		names := map[string]bool{}
		bare := false
		walkView(v.View, func(m proto.Message) {
			if rv, ok := m.(*pg.RangeVar); ok {
				if rv.GetRelname() == t.Name && rv.GetSchemaname() == t.Schema {
					if a := rv.GetAlias().GetAliasname(); a != "" {
						names[a] = true
					} else {
						names[rv.GetRelname()] = true
					}
				}
			}
			if ref, ok := m.(*pg.ColumnRef); ok && len(ref.GetFields()) == 1 && ref.GetFields()[0].GetString_().GetSval() == from {
				bare = true
			}
		})
		if bare {
			x.unsupported(-1, "renaming column \"%s\" while view \"%s\" names it without its table", from, v.Name)
		}
		x.rewriteView(v, nil, func(ref *pg.ColumnRef) {
			f := ref.GetFields()
			if len(f) >= 2 && f[len(f)-1].GetString_().GetSval() == from && names[f[len(f)-2].GetString_().GetSval()] {
				f[len(f)-1].GetString_().Sval = to
			}
		})
	}
}

func walkView(text string, visit func(proto.Message)) {
	sel, err := parseQuery(text)
	if err != nil {
		return
	}
	walk(sel, func(m proto.Message) bool { visit(m); return true })
}

// setSchema is ALTER … SET SCHEMA.
func (x *command) setSchema(n *pg.AlterObjectSchemaStmt) Plan {
	tag := "ALTER " + objectWords[n.GetObjectType()]
	switch n.GetObjectType() {
	case pg.ObjectType_OBJECT_TABLE, pg.ObjectType_OBJECT_VIEW, pg.ObjectType_OBJECT_SEQUENCE:
	default:
		x.unsupported(-1, "%s SET SCHEMA", tag)
	}
	if n.GetMissingOk() && x.find(n.GetRelation()) == nil {
		x.skipMissing("relation", n.GetRelation().GetRelname())
		return x.ddlPlan(tag)
	}
	t := x.relation(n.GetRelation())
	x.modifiable(t)
	if n.GetObjectType() != pg.ObjectType_OBJECT_TABLE {
		x.checkAlterKind(t, n.GetObjectType())
	}
	ns := x.namespace(n.GetNewschema())
	if ns == nil {
		if isSystemSchema(n.GetNewschema()) {
			x.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied for schema %s", n.GetNewschema()))
		}
		x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", n.GetNewschema()))
	}
	if t.Kind == catalog.KindSequence && !t.Sequence.OwnerTable.IsZero() {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot move an owned sequence into another schema").
			WithDetail("Sequence \"%s\" is linked to table \"%s\".", t.Name, x.relationWithID(t.Sequence.OwnerTable).Name))
	}
	x.move(t, ns)
	return x.ddlPlan(tag)
}

// move puts a relation into a schema, with the sequences that it owns.
func (x *command) move(t *catalog.Table, ns *catalog.Namespace) {
	if t.Schema == ns.Name {
		return
	}
	t = x.edit(t)
	if x.nameTaken(ns.Name, t.Name) {
		x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists in schema \"%s\"", t.Name, ns.Name))
	}
	for _, i := range t.Indexes {
		if x.nameTaken(ns.Name, i.Name) {
			x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists in schema \"%s\"", i.Name, ns.Name))
		}
	}
	from := *t
	t.Schema = ns.Name
	x.set(t.ID, map[catalog.Attr]catalog.Value{catalog.AttrParent: ns.ID.Value()})
	x.relationMoved(&from, t)
	for _, s := range x.all() {
		if s.Kind == catalog.KindSequence && s.Sequence.OwnerTable == t.ID {
			x.move(s, ns)
		}
	}
}

// alterOwner is ALTER … OWNER TO.
func (x *command) alterOwner(n *pg.AlterOwnerStmt) Plan {
	tag := "ALTER " + objectWords[n.GetObjectType()]
	switch n.GetObjectType() {
	case pg.ObjectType_OBJECT_SCHEMA:
		name := n.GetObject().GetString_().GetSval()
		ns := x.namespace(name)
		if ns == nil {
			x.fail(pgerror.New(pgerror.InvalidSchemaName, "schema \"%s\" does not exist", name))
		}
		x.set(ns.ID, map[catalog.Attr]catalog.Value{catalog.AttrOwner: catalog.Str(x.roleName(n.GetNewowner()))})
	default:
		x.unsupported(-1, "%s OWNER TO", tag)
	}
	return x.ddlPlan(tag)
}

// setOwner is OWNER TO for a relation, and the sequences that it owns.
func (x *command) setOwner(t *catalog.Table, r *pg.RoleSpec) {
	owner := x.roleName(r)
	t.Owner = owner
	x.set(t.ID, map[catalog.Attr]catalog.Value{catalog.AttrOwner: catalog.Str(owner)})
	for _, s := range x.all() {
		if s.Kind == catalog.KindSequence && s.Sequence.OwnerTable == t.ID {
			x.edit(s).Owner = owner
			x.set(s.ID, map[catalog.Attr]catalog.Value{catalog.AttrOwner: catalog.Str(owner)})
		}
	}
}

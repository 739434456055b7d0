package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// alterTable is ALTER TABLE, and what ALTER VIEW, SEQUENCE and INDEX share with it.
func (x *command) alterTable(n *pg.AlterTableStmt) Plan {
	tag := "ALTER " + objectWords[orTable(n.GetObjtype())]
	if n.GetObjtype() == pg.ObjectType_OBJECT_INDEX {
		return x.alterIndex(n, tag)
	}
	if n.GetMissingOk() && x.find(n.GetRelation()) == nil {
		x.skipMissing("relation", n.GetRelation().GetRelname())
		return x.ddlPlan(tag)
	}
	t := x.relation(n.GetRelation())
	x.modifiable(t)
	x.checkAlterKind(t, n.GetObjtype())
	t = x.edit(t)
	cr := &creation{t: t}
	x.src = "" // PostgreSQL's errors have no positions here
	// PostgreSQL runs the sub-commands in passes: what drops goes first, then types, then columns, then constraints.
	cmds := make([]*pg.AlterTableCmd, 0, len(n.GetCmds()))
	for _, c := range n.GetCmds() {
		cmds = append(cmds, c.GetAlterTableCmd())
	}
	slices.SortStableFunc(cmds, func(a, b *pg.AlterTableCmd) int { return alterPass(a) - alterPass(b) })
	for i, c := range cmds {
		x.alterCommand(cr, c)
		if alterPass(c) == passType && (i+1 == len(cmds) || alterPass(cmds[i+1]) > passType) {
			x.recompile(t)
		}
		if alterPass(c) <= passAdd && (i+1 == len(cmds) || alterPass(cmds[i+1]) > passAdd) {
			x.finishRetyped()
		}
	}
	return x.ddlPlan(tag)
}

// The passes of ALTER TABLE after which something has to be done.
const (
	passType = 1 // ALTER COLUMN TYPE
	passAdd  = 2 // ADD COLUMN
)

// alterPass is the pass in which PostgreSQL runs a sub-command.
func alterPass(c *pg.AlterTableCmd) int {
	switch c.GetSubtype() {
	case pg.AlterTableType_AT_DropColumn, pg.AlterTableType_AT_DropConstraint, pg.AlterTableType_AT_DropNotNull,
		pg.AlterTableType_AT_DropExpression, pg.AlterTableType_AT_DropIdentity:
		return 0
	case pg.AlterTableType_AT_AlterColumnType:
		return passType
	case pg.AlterTableType_AT_AddColumn:
		return passAdd
	case pg.AlterTableType_AT_AddConstraint:
		if k := c.GetDef().GetConstraint().GetContype(); k == pg.ConstrType_CONSTR_FOREIGN {
			return 6
		} else if k == pg.ConstrType_CONSTR_CHECK {
			return 5
		}
		return 4
	case pg.AlterTableType_AT_SetNotNull, pg.AlterTableType_AT_SetIdentity:
		return 3
	case pg.AlterTableType_AT_ColumnDefault:
		if c.GetDef() == nil {
			return 0
		}
		return 5
	case pg.AlterTableType_AT_AddIdentity:
		return 5
	}
	return 7
}

// checkAlterKind refuses ALTER of one kind for a relation of another.
func (x *command) checkAlterKind(t *catalog.Table, o pg.ObjectType) {
	switch {
	case o == pg.ObjectType_OBJECT_VIEW && t.Kind != catalog.KindView:
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a view", t.Name))
	case o == pg.ObjectType_OBJECT_SEQUENCE && t.Kind != catalog.KindSequence:
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a sequence", t.Name))
	case o == pg.ObjectType_OBJECT_MATVIEW:
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a materialized view", t.Name))
	case o == pg.ObjectType_OBJECT_FOREIGN_TABLE:
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a foreign table", t.Name))
	}
}

// alterCommand runs one sub-command.
func (x *command) alterCommand(cr *creation, n *pg.AlterTableCmd) {
	t := cr.t
	switch n.GetSubtype() {
	case pg.AlterTableType_AT_ChangeOwner:
		x.setOwner(t, n.GetNewowner())
		return
	case pg.AlterTableType_AT_SetRelOptions, pg.AlterTableType_AT_ResetRelOptions, pg.AlterTableType_AT_ReplaceRelOptions:
		x.alterOptions(t, n)
		return
	case pg.AlterTableType_AT_ColumnDefault:
		x.alterDefault(t, n)
		return
	}
	if t.Kind != catalog.KindTable {
		x.fail(pgerror.New(pgerror.WrongObjectType, "ALTER action %s cannot be performed on relation \"%s\"", alterWords(n), t.Name).
			WithDetail("This operation is not supported for %ss.", kindNoun(t.Kind)))
	}
	switch n.GetSubtype() {
	case pg.AlterTableType_AT_AddColumn:
		x.alterAddColumn(cr, n)
	case pg.AlterTableType_AT_DropColumn:
		x.alterDropColumn(t, n)
	case pg.AlterTableType_AT_AddConstraint:
		x.alterAddConstraint(t, n.GetDef().GetConstraint())
	case pg.AlterTableType_AT_DropConstraint:
		x.alterDropConstraint(t, n)
	case pg.AlterTableType_AT_ValidateConstraint:
		x.alterValidate(t, n.GetName())
	case pg.AlterTableType_AT_AlterConstraint:
		x.alterConstraint(t, n.GetDef().GetConstraint())
	case pg.AlterTableType_AT_SetNotNull:
		if col := x.alteredColumn(t, n.GetName()); !col.NotNull {
			x.setNotNull(col, true)
			x.validateNotNull(t, col)
		}
	case pg.AlterTableType_AT_DropNotNull:
		x.alterDropNotNull(t, n.GetName())
	case pg.AlterTableType_AT_AddIdentity:
		x.alterAddIdentity(t, n)
	case pg.AlterTableType_AT_SetIdentity:
		x.alterSetIdentity(t, n)
	case pg.AlterTableType_AT_DropIdentity:
		x.alterDropIdentity(t, n)
	case pg.AlterTableType_AT_DropExpression:
		x.alterDropExpression(t, n)
	case pg.AlterTableType_AT_AlterColumnType:
		x.alterType(t, n)
	case pg.AlterTableType_AT_SetStatistics, pg.AlterTableType_AT_SetStorage, pg.AlterTableType_AT_SetOptions,
		pg.AlterTableType_AT_ResetOptions, pg.AlterTableType_AT_SetCompression:
		if n.GetName() != "" {
			x.alteredColumn(t, n.GetName()) // how PostgreSQL keeps or plans for a column means nothing here
		}
	case pg.AlterTableType_AT_ClusterOn, pg.AlterTableType_AT_DropCluster, pg.AlterTableType_AT_DropOids,
		pg.AlterTableType_AT_SetLogged:
	case pg.AlterTableType_AT_ReplicaIdentity:
	case pg.AlterTableType_AT_SetTableSpace:
		if n.GetName() != "pg_default" {
			x.unsupported(-1, "SET TABLESPACE")
		}
	default:
		x.unsupported(-1, "ALTER TABLE %s", alterWords(n))
	}
}

// alterWords names a sub-command as PostgreSQL's errors do.
func alterWords(n *pg.AlterTableCmd) string {
	words := map[pg.AlterTableType]string{
		pg.AlterTableType_AT_AddColumn: "ADD COLUMN", pg.AlterTableType_AT_DropColumn: "DROP COLUMN",
		pg.AlterTableType_AT_AddConstraint: "ADD CONSTRAINT", pg.AlterTableType_AT_DropConstraint: "DROP CONSTRAINT",
		pg.AlterTableType_AT_SetNotNull: "ALTER COLUMN ... SET NOT NULL", pg.AlterTableType_AT_DropNotNull: "ALTER COLUMN ... DROP NOT NULL",
		pg.AlterTableType_AT_AlterColumnType: "ALTER COLUMN ... SET DATA TYPE", pg.AlterTableType_AT_SetUnLogged: "SET UNLOGGED",
		pg.AlterTableType_AT_AddInherit: "INHERIT", pg.AlterTableType_AT_DropInherit: "NO INHERIT",
		pg.AlterTableType_AT_AttachPartition: "ATTACH PARTITION", pg.AlterTableType_AT_DetachPartition: "DETACH PARTITION",
		pg.AlterTableType_AT_EnableRowSecurity: "ENABLE ROW SECURITY", pg.AlterTableType_AT_DisableRowSecurity: "DISABLE ROW SECURITY",
		pg.AlterTableType_AT_ForceRowSecurity: "FORCE ROW SECURITY", pg.AlterTableType_AT_NoForceRowSecurity: "NO FORCE ROW SECURITY",
		pg.AlterTableType_AT_EnableTrig: "ENABLE TRIGGER", pg.AlterTableType_AT_DisableTrig: "DISABLE TRIGGER",
		pg.AlterTableType_AT_EnableTrigAll: "ENABLE TRIGGER ALL", pg.AlterTableType_AT_DisableTrigAll: "DISABLE TRIGGER ALL",
		pg.AlterTableType_AT_EnableTrigUser: "ENABLE TRIGGER USER", pg.AlterTableType_AT_DisableTrigUser: "DISABLE TRIGGER USER",
		pg.AlterTableType_AT_EnableRule: "ENABLE RULE", pg.AlterTableType_AT_DisableRule: "DISABLE RULE",
		pg.AlterTableType_AT_AddOf: "OF", pg.AlterTableType_AT_DropOf: "NOT OF", pg.AlterTableType_AT_SetExpression: "ALTER COLUMN ... SET EXPRESSION",
		pg.AlterTableType_AT_SetAccessMethod: "SET ACCESS METHOD",
	}
	if w, ok := words[n.GetSubtype()]; ok {
		return w
	}
	return strings.ToUpper(strings.TrimPrefix(n.GetSubtype().String(), "AT_"))
}

// alteredColumn finds a column that ALTER COLUMN names.
func (x *command) alteredColumn(t *catalog.Table, name string) *catalog.Column {
	if systemColumns[name] {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot alter system column \"%s\"", name))
	}
	col := findColumn(t, name)
	if col == nil {
		x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, t.Name))
	}
	return col
}

func (x *command) alterAddColumn(cr *creation, n *pg.AlterTableCmd) {
	t, def := cr.t, n.GetDef().GetColumnDef()
	name := truncateName(def.GetColname())
	if findColumn(t, name) != nil {
		e := pgerror.New(pgerror.DuplicateColumn, "column \"%s\" of relation \"%s\" already exists", name, t.Name)
		if !n.GetMissingOk() {
			x.fail(e)
		}
		e.Severity, e.Message = "NOTICE", e.Message+", skipping"
		x.notice(e)
		return
	}
	one := &creation{t: t}
	d := x.addColumnDef(one, def)
	if d.genNode != nil {
		x.makeGenerated(t, d)
		d.fill = true
	}
	if d.fill {
		set := "DEFAULT"
		x.plan.Then = append(x.plan.Then, "UPDATE "+qualified(t)+" SET "+catalog.QuoteIdent(d.col.Name)+" = "+set)
	}
	if d.col.NotNull && d.missing.IsNull() {
		x.validateNotNull(t, d.col)
	}
	x.addConstraints(one)
}

// addConstraints makes the constraints gathered for a table that has rows, and has the rows checked.
func (x *command) addConstraints(cr *creation) {
	t := cr.t
	for _, n := range cr.checks {
		if c := x.makeCheck(t, n, false); !c.NotValid {
			x.validateCheck(t, c)
		}
	}
	for _, k := range cr.keys {
		x.makeKey(t, k, false)
	}
	for _, n := range cr.foreign {
		if c := x.makeForeignKey(t, n); !c.NotValid {
			x.validateForeignKey(t, c)
		}
	}
}

func (x *command) alterAddConstraint(t *catalog.Table, n *pg.Constraint) {
	cr := &creation{t: t}
	x.addTableConstraint(cr, n, "")
	x.addConstraints(cr)
}

func (x *command) alterDropColumn(t *catalog.Table, n *pg.AlterTableCmd) {
	col := findColumn(t, n.GetName())
	if col == nil {
		if systemColumns[n.GetName()] {
			x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot drop system column \"%s\"", n.GetName()))
		}
		if !n.GetMissingOk() {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", n.GetName(), t.Name))
		}
		x.notice(pgerror.Notice("column \"%s\" of relation \"%s\" does not exist, skipping", n.GetName(), t.Name))
		return
	}
	x.dropAll([]object{{table: t, column: col}}, n.GetBehavior() == pg.DropBehavior_DROP_CASCADE)
}

func (x *command) alterDropConstraint(t *catalog.Table, n *pg.AlterTableCmd) {
	c := findConstraint(t, n.GetName())
	if c == nil {
		if !n.GetMissingOk() {
			x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", n.GetName(), t.Name))
		}
		x.notice(pgerror.Notice("constraint \"%s\" of relation \"%s\" does not exist, skipping", n.GetName(), t.Name))
		return
	}
	x.dropAll([]object{{table: t, con: c}}, n.GetBehavior() == pg.DropBehavior_DROP_CASCADE)
}

func (x *command) alterValidate(t *catalog.Table, name string) {
	c := findConstraint(t, name)
	if c == nil {
		x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", name, t.Name))
	}
	switch c.Kind {
	case catalog.Check:
		x.validateCheck(t, c)
	case catalog.ForeignKey:
		x.validateForeignKey(t, c)
	default:
		x.fail(pgerror.New(pgerror.WrongObjectType, "constraint \"%s\" of relation \"%s\" is not a foreign key or check constraint", name, t.Name))
	}
	if c.NotValid {
		c.NotValid = false
		x.setConstraintDef(c)
	}
}

// alterConstraint changes a foreign key's deferrability.
func (x *command) alterConstraint(t *catalog.Table, n *pg.Constraint) {
	c := findConstraint(t, n.GetConname())
	if c == nil {
		x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" of relation \"%s\" does not exist", n.GetConname(), t.Name))
	}
	if c.Kind != catalog.ForeignKey {
		x.fail(pgerror.New(pgerror.WrongObjectType, "constraint \"%s\" of relation \"%s\" is not a foreign key constraint", c.Name, t.Name))
	}
	c.Deferrable, c.InitiallyDeferred = n.GetDeferrable() || n.GetInitdeferred(), n.GetInitdeferred()
	x.setConstraintDef(c)
}

func (x *command) alterDropNotNull(t *catalog.Table, name string) {
	col := x.alteredColumn(t, name)
	if col.Identity != 0 {
		x.fail(pgerror.New(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is an identity column", name, t.Name))
	}
	if pk := primaryKey(t); pk != nil && slices.Contains(pk.Columns, col.ID) {
		x.fail(pgerror.New(pgerror.InvalidTableDefinition, "column \"%s\" is in a primary key", name))
	}
	if col.NotNull {
		x.setNotNull(col, false)
	}
}

func (x *command) alterDefault(t *catalog.Table, n *pg.AlterTableCmd) {
	col := x.alteredColumn(t, n.GetName())
	if t.Kind == catalog.KindView {
		x.unsupported(-1, "a default for a view's column")
	}
	if col.Identity != 0 {
		e := pgerror.New(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is an identity column", col.Name, t.Name)
		if n.GetDef() == nil {
			e.Hint = "Use ALTER TABLE ... ALTER COLUMN ... DROP IDENTITY instead."
		}
		x.fail(e)
	}
	if col.Generated {
		e := pgerror.New(pgerror.SyntaxError, "column \"%s\" of relation \"%s\" is a generated column", col.Name, t.Name)
		if n.GetDef() == nil {
			e.Hint = "Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION instead."
		}
		x.fail(e)
	}
	if n.GetDef() == nil || isNullConstant(n.GetDef()) {
		x.setDefault(col, "")
		return
	}
	text, _, _ := x.defaultExpr(col, n.GetDef())
	x.setDefault(col, text)
}

// alterOptions changes storage parameters, which are kept for display.
func (x *command) alterOptions(t *catalog.Table, n *pg.AlterTableCmd) {
	given := x.storageOptions(n.GetDef().GetList().GetItems())
	name := func(s string) string { s, _, _ = strings.Cut(s, "="); return s }
	reset := n.GetSubtype() == pg.AlterTableType_AT_ResetRelOptions
	for _, g := range given {
		t.Options = slices.DeleteFunc(t.Options, func(o string) bool { return name(o) == name(g) })
		if !reset {
			t.Options = append(t.Options, g)
		}
	}
	def := catalog.Value{}
	switch {
	case t.Kind == catalog.KindView:
		def = catalog.EncodeDef(catalog.ViewDef{Query: t.View, Options: t.Options})
	case t.Kind != catalog.KindTable:
		return
	case len(t.Options) > 0:
		def = catalog.EncodeDef(catalog.TableDef{Options: t.Options})
	}
	x.set(t.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: def})
}

// alterIndex is ALTER INDEX … SET and the like: nothing that matters here.
func (x *command) alterIndex(n *pg.AlterTableStmt, tag string) Plan {
	i, _ := x.findIndexVar(n.GetRelation())
	if i == nil && n.GetMissingOk() {
		x.skipMissing("relation", n.GetRelation().GetRelname())
		return x.ddlPlan(tag)
	}
	x.index(n.GetRelation())
	for _, c := range n.GetCmds() {
		cmd := c.GetAlterTableCmd()
		switch cmd.GetSubtype() {
		case pg.AlterTableType_AT_SetRelOptions, pg.AlterTableType_AT_ResetRelOptions:
			x.storageOptions(cmd.GetDef().GetList().GetItems())
		case pg.AlterTableType_AT_SetStatistics:
		default:
			x.unsupported(-1, "ALTER INDEX %s", alterWords(cmd))
		}
	}
	return x.ddlPlan(tag)
}

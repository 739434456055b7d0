package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// creation is a table in the making, by CREATE TABLE or ALTER TABLE … ADD COLUMN: constraints are gathered while the
// columns are read, and made once all are there, in PostgreSQL's order, which decides the names they get.
type creation struct {
	t       *catalog.Table
	isNew   bool
	gen     []*columnDraft // generated columns
	checks  []*pg.Constraint
	keys    []keyConstraint
	foreign []*pg.Constraint
	like    []likeClause
}

// keyConstraint is a PRIMARY KEY or UNIQUE constraint; column is set if it stands at a column.
type keyConstraint struct {
	con    *pg.Constraint
	column string
}

type likeClause struct {
	source  *catalog.Table
	options uint32
}

func (x *command) createTable(n *pg.CreateStmt) Plan {
	rv := n.GetRelation()
	ns := x.creationSchema(rv)
	loc := rv.GetLocation()
	switch {
	case n.GetPartspec() != nil || n.GetPartbound() != nil:
		x.unsupported(loc, "a partitioned table")
	case len(n.GetInhRelations()) > 0:
		x.unsupported(loc, "INHERITS")
	case n.GetOfTypename() != nil:
		x.unsupported(loc, "CREATE TABLE OF")
	case n.GetTablespacename() != "" && n.GetTablespacename() != "pg_default":
		x.unsupported(loc, "TABLESPACE")
	case n.GetAccessMethod() != "" && n.GetAccessMethod() != "heap":
		x.unsupported(loc, "table access method \"%s\"", n.GetAccessMethod())
	case n.GetOncommit() > pg.OnCommitAction_ONCOMMIT_NOOP:
		x.fail(pgerror.New(pgerror.InvalidTableDefinition, "ON COMMIT can only be used on temporary tables"))
	}
	name := truncateName(rv.GetRelname())
	if x.nameTaken(ns.Name, name) {
		x.existing(n.GetIfNotExists(), "relation \"%s\" already exists", name, pgerror.DuplicateTable)
		return x.ddlPlan("CREATE TABLE")
	}
	t := x.newTable(ns, name)
	t.Options = x.storageOptions(n.GetOptions())
	cr := &creation{t: t, isNew: true}
	x.tables[t.ID] = t
	x.created = append(x.created, t)
	for _, e := range n.GetTableElts() {
		switch el := e.GetNode().(type) {
		case *pg.Node_ColumnDef:
			if d := x.addColumnDef(cr, el.ColumnDef); d.genNode != nil {
				d.col.Generated = true // other generated columns must not use it
				cr.gen = append(cr.gen, d)
			}
		case *pg.Node_Constraint:
			x.addTableConstraint(cr, el.Constraint, "")
		case *pg.Node_TableLikeClause:
			x.addLike(cr, el.TableLikeClause)
		default:
			x.unsupported(loc, "this element of CREATE TABLE")
		}
	}
	for _, c := range n.GetConstraints() {
		x.addTableConstraint(cr, c.GetConstraint(), "")
	}
	x.finishTable(cr)
	return x.ddlPlan("CREATE TABLE")
}

// existing answers IF NOT EXISTS with a notice, otherwise with the error.
func (x *command) existing(ifNotExists bool, format, name, code string) {
	if !ifNotExists {
		x.fail(pgerror.New(code, format, name))
	}
	n := pgerror.Notice(format+", skipping", name)
	n.Code = code
	x.notice(n)
}

// newTable starts a table; its object row is made by emitTable once its name and options are settled.
func (x *command) newTable(ns *catalog.Namespace, name string) *catalog.Table {
	return &catalog.Table{ID: x.env.NewID(), Schema: ns.Name, Name: name, Kind: catalog.KindTable, Owner: x.env.User}
}

// finishTable makes the object rows of a new table.
func (x *command) finishTable(cr *creation) {
	t := cr.t
	def := catalog.Value{}
	if len(t.Options) > 0 {
		def = catalog.EncodeDef(catalog.TableDef{Options: t.Options})
	}
	// The table's row goes first, so that whoever reads the changes in order meets parents before children.
	head := &draft{at: map[catalog.ID]int{}}
	head.create(t.ID, catalog.ObjectTable, map[catalog.Attr]catalog.Value{
		catalog.AttrParent: x.namespaceID(t.Schema).Value(), catalog.AttrName: catalog.Str(t.Name),
		catalog.AttrOwner: catalog.Str(t.Owner), catalog.AttrDef: def,
	})
	x.prepend(head.changes[0])
	x.finishConstraints(cr)
	for _, l := range cr.like {
		x.finishLike(cr, l)
	}
}

// prepend puts a change before all others.
func (d *draft) prepend(ch catalog.Change) {
	d.changes = append([]catalog.Change{ch}, d.changes...)
	for id := range d.at {
		d.at[id]++
	}
	d.at[ch.ID] = 0
}

// knownOptions are the storage parameters of tables and indexes (reloptions.c).
var knownOptions = map[string]bool{"fillfactor": true, "user_catalog_table": true, "parallel_workers": true,
	"vacuum_index_cleanup": true, "vacuum_truncate": true, "toast_tuple_target": true, "log_autovacuum_min_duration": true,
	"deduplicate_items": true, "buffering": true, "fastupdate": true, "gin_pending_list_limit": true,
	"pages_per_range": true, "autosummarize": true}

// storageOptions keeps WITH (…) for display.
func (x *command) storageOptions(list []*pg.Node) []string {
	var out []string
	for _, o := range list {
		d := o.GetDefElem()
		if d == nil {
			continue
		}
		name := d.GetDefname()
		if d.GetDefnamespace() != "" && d.GetDefnamespace() != "toast" {
			x.failAt(d.GetLocation(), pgerror.InvalidParameterValue, "unrecognized parameter namespace \"%s\"", d.GetDefnamespace())
		}
		value, has := optionText(d.GetArg())
		if !has {
			value = "true"
		}
		if name == "oids" {
			if on := strings.ToLower(value); on == "true" || on == "on" || on == "1" {
				x.fail(pgerror.New(pgerror.FeatureNotSupported, "tables declared WITH OIDS are not supported"))
			}
			continue
		}
		if !knownOptions[name] && !strings.HasPrefix(name, "autovacuum_") {
			x.failAt(-1, pgerror.InvalidParameterValue, "unrecognized parameter \"%s\"", name)
		}
		if d.GetDefnamespace() != "" {
			name = d.GetDefnamespace() + "." + name
		}
		out = append(out, name+"="+value)
	}
	return out
}

// optionText reads an option's value, which may also be a bare word (parsed as a type name).
func optionText(n *pg.Node) (string, bool) {
	if n == nil {
		return "", false
	}
	if tn := n.GetTypeName(); tn != nil {
		names := stringList(tn.GetNames())
		if len(names) > 0 {
			return names[len(names)-1], true
		}
	}
	if b := n.GetBoolean(); b != nil {
		if b.GetBoolval() {
			return "true", true
		}
		return "false", true
	}
	return nodeText(n)
}

package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// draft is a schema in the making: the tables that the statement has made or changed so far, as they will be, and the
// changes of object rows that lead there.
type draft struct {
	schema  *catalog.Schema
	changes []catalog.Change
	at      map[catalog.ID]int            // where an object's change stands in changes
	tables  map[catalog.ID]*catalog.Table // working copies, by ID
	created []*catalog.Table
	dropped map[catalog.ID]bool // objects of any kind
	plan    *DDL
	retyped map[catalog.ID]*retyped // columns whose type ALTER TABLE has changed, by the ID that they now have
	first   []catalog.Change        // the changes that come before plan.Then, where what is in changes belongs after it
}

func newDraft(s *catalog.Schema) *draft {
	return &draft{schema: s, at: map[catalog.ID]int{}, tables: map[catalog.ID]*catalog.Table{}, dropped: map[catalog.ID]bool{}, plan: &DDL{}}
}

// ddlPlan returns the plan with the changes made.
func (d *draft) ddlPlan(tag string) *DDL {
	d.plan.Tag, d.plan.Changes = tag, d.changes
	if d.first != nil {
		d.plan.Changes = d.first
		swap, rest := d.plan.Finish, d.changes
		d.plan.Finish = func(s *catalog.Schema) []catalog.Change { return mergeChanges(s, swap(s), rest) }
	}
	return d.plan
}

func (d *draft) notice(e *pgerror.Error) { d.plan.Notices = append(d.plan.Notices, e) }

// create adds an object row.
func (d *draft) create(id catalog.ID, kind catalog.ObjectKind, attrs map[catalog.Attr]catalog.Value) {
	attrs[catalog.AttrKind] = catalog.Str(string(kind))
	d.at[id] = len(d.changes)
	d.changes = append(d.changes, catalog.Change{Op: catalog.Create, ID: id, Attrs: attrs})
}

// set changes attributes of an object row: of its creation, if that is part of the statement.
func (d *draft) set(id catalog.ID, attrs map[catalog.Attr]catalog.Value) {
	if i, ok := d.at[id]; ok {
		for a, v := range attrs {
			d.changes[i].Attrs[a] = v
		}
		return
	}
	ch := catalog.Change{Op: catalog.Alter, ID: id, Attrs: attrs}
	if ns := d.schema.Namespace("public"); id == catalog.PublicID && ns != nil && ns.Owner == "pg_database_owner" && ns.Comment == "standard public schema" {
		// The schema public is there without a row of its own until something about it changes.
		ch.Op = catalog.Create
		for a, v := range map[catalog.Attr]catalog.Value{catalog.AttrKind: catalog.Str(string(catalog.ObjectNamespace)),
			catalog.AttrName: catalog.Str(ns.Name), catalog.AttrOwner: catalog.Str(ns.Owner), catalog.AttrComment: catalog.Str(ns.Comment)} {
			if _, given := attrs[a]; !given {
				attrs[a] = v
			}
		}
	}
	d.at[id] = len(d.changes)
	d.changes = append(d.changes, ch)
}

// drop removes an object row.
func (d *draft) drop(id catalog.ID) {
	if d.dropped[id] {
		return
	}
	d.dropped[id] = true
	for _, g := range d.schema.Grants[id] {
		d.drop(g.ID)
	}
	if i, ok := d.at[id]; ok {
		created := d.changes[i].Op == catalog.Create
		d.changes = slices.Delete(d.changes, i, i+1)
		delete(d.at, id)
		for k, j := range d.at {
			if j > i {
				d.at[k] = j - 1
			}
		}
		if created {
			return
		}
	}
	d.changes = append(d.changes, catalog.Change{Op: catalog.Drop, ID: id})
}

// edit returns the working copy of a table.
func (d *draft) edit(t *catalog.Table) *catalog.Table {
	if w, ok := d.tables[t.ID]; ok {
		return w
	}
	w := cloneTable(t)
	d.tables[t.ID] = w
	return w
}

// view returns the table as it now is: the working copy if there is one, nil if it was dropped.
func (d *draft) view(t *catalog.Table) *catalog.Table {
	if t == nil || d.dropped[t.ID] {
		return nil
	}
	if w, ok := d.tables[t.ID]; ok {
		return w
	}
	return t
}

// all are the relations as they now are.
func (d *draft) all() []*catalog.Table {
	out := make([]*catalog.Table, 0, len(d.schema.Relations)+len(d.created))
	for _, t := range d.schema.Relations {
		if t := d.view(t); t != nil {
			out = append(out, t)
		}
	}
	for _, t := range d.created {
		if !d.dropped[t.ID] {
			out = append(out, t)
		}
	}
	return out
}

// relationWithID finds a relation as it now is.
func (d *draft) relationWithID(id catalog.ID) *catalog.Table {
	for _, t := range d.all() {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// relationNamed finds a relation as it now is.
func (d *draft) relationNamed(schema, name string) *catalog.Table {
	for _, t := range d.all() {
		if t.Name == name && t.Schema == schema {
			return t
		}
	}
	return nil
}

// indexNamed finds an index of a schema, and its table.
func (d *draft) indexNamed(schema, name string) (*catalog.Index, *catalog.Table) {
	for _, t := range d.all() {
		if t.Schema != schema {
			continue
		}
		if i := findIndex(t, name); i != nil {
			return i, t
		}
	}
	return nil, nil
}

// nameTaken says whether a relation or index of the schema has the name.
func (d *draft) nameTaken(schema, name string) bool {
	if d.relationNamed(schema, name) != nil {
		return true
	}
	i, _ := d.indexNamed(schema, name)
	return i != nil
}

// constraintTaken says whether a constraint of a table of the schema has the name.
func (d *draft) constraintTaken(schema, name string) bool {
	for _, t := range d.all() {
		if t.Schema == schema && findConstraint(t, name) != nil {
			return true
		}
	}
	return false
}

// cloneTable copies a table as far as the draft changes it.
func cloneTable(t *catalog.Table) *catalog.Table {
	w := *t
	w.Columns = make([]*catalog.Column, len(t.Columns))
	for i, c := range t.Columns {
		cc := *c
		w.Columns[i] = &cc
	}
	w.Indexes = make([]*catalog.Index, len(t.Indexes))
	byID := make(map[*catalog.Index]*catalog.Index, len(t.Indexes))
	for i, x := range t.Indexes {
		xx := *x
		xx.Keys = slices.Clone(x.Keys)
		w.Indexes[i] = &xx
		byID[x] = &xx
	}
	w.Constraints = make([]*catalog.Constraint, len(t.Constraints))
	for i, c := range t.Constraints {
		cc := *c
		if c.Index != nil {
			if x := byID[c.Index]; x != nil {
				cc.Index = x
			}
		}
		w.Constraints[i] = &cc
	}
	w.Options = slices.Clone(t.Options)
	return &w
}

func findIndex(t *catalog.Table, name string) *catalog.Index {
	for _, i := range t.Indexes {
		if i.Name == name {
			return i
		}
	}
	return nil
}

func findConstraint(t *catalog.Table, name string) *catalog.Constraint {
	for _, c := range t.Constraints {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func findColumn(t *catalog.Table, name string) *catalog.Column {
	if i := columnIndex(t, name); i >= 0 {
		return t.Columns[i]
	}
	return nil
}

func columnByID(t *catalog.Table, id catalog.ID) *catalog.Column {
	if i := columnIndexByID(t, id); i >= 0 {
		return t.Columns[i]
	}
	return nil
}

// columnIndex is where the column stands in t.Columns, -1 if there is none.
func columnIndex(t *catalog.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c *catalog.Column) bool { return c.Name == name })
}

func columnIndexByID(t *catalog.Table, id catalog.ID) int {
	return slices.IndexFunc(t.Columns, func(c *catalog.Column) bool { return c.ID == id })
}

// primaryKey returns the primary key, or nil.
func primaryKey(t *catalog.Table) *catalog.Constraint {
	for _, c := range t.Constraints {
		if c.Kind == catalog.PrimaryKey {
			return c
		}
	}
	return nil
}

// namesOfColumns are the names of columns given by ID.
func namesOfColumns(t *catalog.Table, ids []catalog.ID) []string {
	out := make([]string, 0, len(ids))
	for _, id := range ids {
		if c := columnByID(t, id); c != nil {
			out = append(out, c.Name)
		}
	}
	return out
}

// Lookups by name, as PostgreSQL words their errors.

// searchPath is the path on which objects are looked for, pg_catalog first as is implied.
func (x *command) searchPath() []string {
	if slices.Contains(x.env.SearchPath, "pg_catalog") {
		return x.env.SearchPath
	}
	return append([]string{"pg_catalog"}, x.env.SearchPath...)
}

func (x *command) namespace(name string) *catalog.Namespace {
	for _, ns := range x.schema.Namespaces {
		if ns.Name == name && !ns.ID.IsZero() && !x.dropped[ns.ID] {
			return ns
		}
	}
	return nil
}

func (x *command) namespaceExists(name string) bool {
	return x.namespace(name) != nil || isSystemSchema(name)
}

func isSystemSchema(name string) bool {
	return name == "pg_catalog" || name == "information_schema" || name == "layercake" || name == "pg_toast"
}

// checkCatalogName refuses names of other databases.
func (x *command) checkCatalogName(rv *pg.RangeVar) {
	if rv.GetCatalogname() != "" && rv.GetCatalogname() != x.env.Database {
		x.failAt(rv.GetLocation(), pgerror.FeatureNotSupported, "cross-database references are not implemented: \"%s\"", relationName(rv))
	}
}

// find returns the relation of a name, or nil.
func (x *command) find(rv *pg.RangeVar) *catalog.Table {
	x.checkCatalogName(rv)
	if s := rv.GetSchemaname(); s != "" {
		return x.relationNamed(s, rv.GetRelname())
	}
	for _, s := range x.searchPath() {
		if t := x.relationNamed(s, rv.GetRelname()); t != nil {
			return t
		}
	}
	return nil
}

// findIndexVar returns the index of a name and its table, or nil.
func (x *command) findIndexVar(rv *pg.RangeVar) (*catalog.Index, *catalog.Table) {
	x.checkCatalogName(rv)
	if s := rv.GetSchemaname(); s != "" {
		return x.indexNamed(s, rv.GetRelname())
	}
	for _, s := range x.searchPath() {
		if i, t := x.indexNamed(s, rv.GetRelname()); i != nil {
			return i, t
		}
	}
	return nil, nil
}

// relation finds a relation of any kind; an index is not one that can be named here.
func (x *command) relation(rv *pg.RangeVar) *catalog.Table {
	if t := x.find(rv); t != nil {
		return t
	}
	if i, _ := x.findIndexVar(rv); i != nil {
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a table", rv.GetRelname()))
	}
	x.fail(pgerror.New(pgerror.UndefinedTable, "relation \"%s\" does not exist", relationName(rv)))
	return nil
}

// table finds a table that DDL may change.
func (x *command) table(rv *pg.RangeVar) *catalog.Table {
	t := x.relation(rv)
	x.modifiable(t)
	if t.Kind != catalog.KindTable {
		x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a table", t.Name))
	}
	return t
}

// modifiable refuses system relations.
func (x *command) modifiable(t *catalog.Table) {
	if t.System {
		x.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied: \"%s\" is a system catalog", t.Name))
	}
}

// index finds an index.
func (x *command) index(rv *pg.RangeVar) (*catalog.Index, *catalog.Table) {
	i, t := x.findIndexVar(rv)
	if i == nil {
		if x.find(rv) != nil {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not an index", rv.GetRelname()))
		}
		x.fail(pgerror.New(pgerror.UndefinedTable, "relation \"%s\" does not exist", relationName(rv)))
	}
	return i, t
}

// constraintNamed finds a constraint by its own name (SET CONSTRAINTS).
func (x *command) constraintNamed(rv *pg.RangeVar) *catalog.Constraint {
	x.checkCatalogName(rv)
	path := x.searchPath()
	if s := rv.GetSchemaname(); s != "" {
		path = []string{s}
	}
	for _, s := range path {
		for _, t := range x.all() {
			if t.Schema == s {
				if c := findConstraint(t, rv.GetRelname()); c != nil {
					return c
				}
			}
		}
	}
	x.fail(pgerror.New(pgerror.UndefinedObject, "constraint \"%s\" does not exist", rv.GetRelname()))
	return nil
}

// creationSchema is the schema in which a new object goes.
func (x *command) creationSchema(rv *pg.RangeVar) *catalog.Namespace {
	x.checkCatalogName(rv)
	if rv.GetRelpersistence() == "t" {
		x.unsupported(rv.GetLocation(), "a temporary table, view or sequence")
	}
	if rv.GetRelpersistence() == "u" {
		x.unsupported(rv.GetLocation(), "UNLOGGED")
	}
	if s := rv.GetSchemaname(); s != "" {
		if isSystemSchema(s) {
			x.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied to create \"%s\"", relationName(rv)).
				WithDetail("System catalog modifications are currently disallowed."))
		}
		if s == "pg_temp" {
			x.unsupported(rv.GetLocation(), "a temporary table, view or sequence")
		}
		ns := x.namespace(s)
		if ns == nil {
			x.failAt(rv.GetLocation(), pgerror.InvalidSchemaName, "schema \"%s\" does not exist", s)
		}
		return ns
	}
	for _, s := range x.env.SearchPath {
		if ns := x.namespace(s); ns != nil {
			return ns
		}
	}
	x.failAt(rv.GetLocation(), pgerror.InvalidSchemaName, "no schema has been selected to create in")
	return nil
}

// namespaceID is the parent of relations of a schema.
func (x *command) namespaceID(name string) catalog.ID {
	if ns := x.namespace(name); ns != nil {
		return ns.ID
	}
	return catalog.PublicID
}

// visibleName is a relation's name, qualified unless the search path finds it.
func (x *command) visibleName(t *catalog.Table) string {
	return x.shownName(t.Schema, t.Name)
}

func (x *command) shownName(schema, name string) string {
	for _, s := range x.searchPath() {
		if s == schema {
			return catalog.QuoteIdent(name)
		}
		if x.nameTaken(s, name) {
			break
		}
	}
	return catalog.QuoteQualified(schema, name)
}

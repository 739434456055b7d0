package core_test

import (
	"context"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/sqlstore/storetest"
)

// alterAll is a transaction of DDL: mostly one statement, or some, with changes of rows among them.
func (t *sqlTx) alterAll() error {
	for {
		if err := t.alter(); err != nil || t.chance(75) {
			return err
		}
		if t.chance(30) {
			if err := t.change(); err != nil {
				return err
			}
		}
	}
}

// alter is one statement of DDL on what the transaction sees, as pgsql compiles it: what stands on a dropped object goes
// with it. Nodes choose from few names, so that they meet.
func (t *sqlTx) alter() error {
	var list []*catalog.Table
	for _, u := range userTables(t.Schema()) {
		if !t.model.banks[u.ID] {
			list = append(list, u)
		}
	}
	if len(list) < min(2, t.model.maxTables) || len(list) < t.model.maxTables && t.chance(15) {
		return t.createTable()
	}
	u := list[t.n(len(list))]
	rest := u.Columns[1:] // the first one is the key, or may become it
	switch k := t.n(100); {
	case k < 24:
		return t.addColumn(u)
	case k < 38:
		if len(rest) > 1 {
			c := rest[t.n(len(rest))]
			t.says("drop column: %s.%s", u.Name, c.Name)
			return t.Alter(dropColumn(u, c))
		}
		return t.addColumn(u)
	case k < 46:
		c := u.Columns[t.n(len(u.Columns))]
		name := t.columnName(u)
		t.says("rename column: %s.%s to %s", u.Name, c.Name, name)
		return t.rename(c.ID, name)
	case k < 52:
		if name, ok := t.tableName(); ok {
			t.says("rename table: %s to %s", u.Name, name)
			return t.rename(u.ID, name)
		}
		return nil
	case k < 62:
		return t.createIndex(u, false)
	case k < 72:
		return t.createIndex(u, true)
	case k < 78:
		return t.dropIndex(u)
	case k < 82:
		return t.constrain(list, u)
	case k < 91:
		return t.rekey(list)
	case k < 93:
		return t.retype(u)
	default:
		t.says("drop table: %s", u.Name)
		return t.Alter(dropTable(list, u))
	}
}

func (t *sqlTx) newID() catalog.ID { return t.st.db().NewID() }

// tableName is one that no relation here has.
func (t *sqlTx) tableName() (string, bool) {
	name := fmt.Sprintf("t%d", t.n(2*t.model.maxTables))
	return name, t.Schema().Relation("public", name) == nil && t.Schema().Index("public", name) == nil
}

func (t *sqlTx) columnName(u *catalog.Table) string {
	for {
		if name := fmt.Sprintf("c%d", t.n(2*sqlColumns)); u.Column(name) == nil {
			return name
		}
	}
}

func (t *sqlTx) indexName() string {
	for {
		if name := fmt.Sprintf("i%d", t.n(40)); t.Schema().Index("public", name) == nil {
			return name
		}
	}
}

// createTable makes a table, with a primary key or without, and perhaps its first rows in the same transaction.
func (t *sqlTx) createTable() error {
	name, ok := t.tableName()
	if !ok {
		return nil
	}
	spec := storetest.TableSpec{Name: name, Columns: []storetest.Column{{Name: "k", Type: catalog.Int4OID},
		{Name: "c0", Type: catalog.TextOID}, {Name: "c1", Type: catalog.Int4OID}}}
	if t.chance(40) {
		spec.Columns[0].Type = []uint32{catalog.NumericOID, catalog.IntervalOID}[t.n(2)]
	}
	keyed := t.chance(60)
	if keyed {
		spec.Key = []string{"k"}
	}
	if t.chance(40) {
		spec.Unique = [][]string{{"c0"}}
	}
	id, changes := storetest.CreateTable(t.newID, spec)
	t.says("create table: %s", name)
	if err := t.Alter(changes); err != nil {
		return err
	}
	if !keyed {
		return nil
	}
	if u := t.created(id); t.chance(50) {
		return t.changeRows(u)
	}
	return nil
}

// addColumn adds a column, mostly with a default, and perhaps fills it here and there in the same transaction.
func (t *sqlTx) addColumn(u *catalog.Table) error {
	if len(u.Columns) >= sqlColumns {
		return nil
	}
	c := storetest.Column{Name: t.columnName(u), Type: []uint32{catalog.TextOID, catalog.Int4OID, catalog.NumericOID, catalog.IntervalOID}[t.n(4)]}
	if t.chance(70) {
		c.Missing = t.value(c.Type)
	}
	t.says("add column: %s.%s", u.Name, c.Name)
	change := storetest.AddColumn(t.newID(), u.ID, int(u.Columns[len(u.Columns)-1].Num)+1, c)
	if !c.Missing.IsNull() {
		change.Attrs[catalog.AttrDefault] = catalog.Str(catalog.QuoteLiteral(storetest.Show(c.Missing)))
	}
	if err := t.Alter([]catalog.Change{change}); err != nil {
		return err
	}
	if t.chance(30) {
		return t.changeRows(storetest.Table(t.Schema(), u.ID))
	}
	return nil
}

func (t *sqlTx) rename(id catalog.ID, name string) error {
	return t.Alter([]catalog.Change{{Op: catalog.Alter, ID: id, Attrs: map[catalog.Attr]catalog.Value{catalog.AttrName: catalog.Str(name)}}})
}

// createIndex makes an index of one or two columns; a unique one with its constraint or without.
func (t *sqlTx) createIndex(u *catalog.Table, unique bool) error {
	var cols []catalog.ID
	for _, i := range t.model.s.rng.Perm(len(u.Columns))[:min(1+t.n(2), len(u.Columns))] {
		cols = append(cols, u.Columns[i].ID)
	}
	name := t.indexName()
	if unique && t.chance(60) {
		t.says("add unique constraint: %s on %s", name, u.Name)
		return t.Alter(storetest.AddIndex(t.newID, u.ID, name, false, cols...))
	}
	def := catalog.IndexDef{Unique: unique}
	for _, c := range cols {
		def.Keys = append(def.Keys, catalog.IndexKeyDef{Column: c})
	}
	if t.says("create index: %s on %s (unique %v)", name, u.Name, unique); unique {
		t.model.ddl["create unique index"]++
	}
	return t.Alter([]catalog.Change{storetest.Object(catalog.ObjectIndex, t.newID(), u.ID, name,
		map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})})
}

// dropIndex drops an index, or the constraint that it belongs to.
func (t *sqlTx) dropIndex(u *catalog.Table) error {
	var others []*catalog.Index
	for _, ix := range u.Indexes {
		if !ix.Primary {
			others = append(others, ix)
		}
	}
	if len(others) == 0 {
		return t.createIndex(u, true)
	}
	ix := others[t.n(len(others))]
	t.says("drop index: %s", ix.Name)
	return t.Alter(dropIndex(u, ix))
}

// constrain adds a constraint that only statements look at, and which merges: CHECK, NOT NULL or FOREIGN KEY; or drops one.
func (t *sqlTx) constrain(list []*catalog.Table, u *catalog.Table) error {
	c := u.Columns[t.n(len(u.Columns))]
	add := func(def catalog.ConstraintDef) error {
		return t.Alter([]catalog.Change{storetest.Object(catalog.ObjectConstraint, t.newID(), u.ID, fmt.Sprintf("r%d", t.n(20)),
			map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})})
	}
	switch t.n(4) {
	case 0:
		t.says("add check: on %s", u.Name)
		return add(catalog.ConstraintDef{Kind: string(rune(catalog.Check)), Columns: []catalog.ID{c.ID},
			Expr: catalog.QuoteIdent(c.Name) + " IS NOT NULL"})
	case 1:
		t.says("set not null: %s.%s", u.Name, c.Name)
		return t.Alter([]catalog.Change{{Op: catalog.Alter, ID: c.ID, Attrs: map[catalog.Attr]catalog.Value{catalog.AttrNotNull: catalog.Int(int64(t.n(2)))}}})
	case 2:
		to := list[t.n(len(list))]
		t.says("add foreign key: %s to %s", u.Name, to.Name)
		return add(catalog.ConstraintDef{Kind: string(rune(catalog.ForeignKey)), Columns: []catalog.ID{c.ID}, RefTable: to.ID,
			RefColumns: []catalog.ID{to.Columns[0].ID}})
	}
	for _, r := range u.Constraints {
		if r.Index == nil {
			t.says("drop constraint: %s of %s", r.Name, u.Name)
			return t.Alter([]catalog.Change{{Op: catalog.Drop, ID: r.ID}})
		}
	}
	return nil
}

// rekey gives a primary key to a table that was made without one, or takes it away again.
func (t *sqlTx) rekey(list []*catalog.Table) error {
	list = slices.DeleteFunc(slices.Clone(list), t.known)
	if len(list) == 0 {
		return nil
	}
	u := list[t.n(len(list))]
	for _, c := range u.Constraints {
		if c.Kind == catalog.PrimaryKey {
			t.says("drop primary key: of %s", u.Name)
			return t.Alter(dropIndex(u, c.Index))
		}
	}
	var key []catalog.ID
	for _, i := range t.model.s.rng.Perm(len(u.Columns))[:min(1+t.n(2), len(u.Columns))] {
		null, err := t.hasNull(u, u.Columns[i])
		if err != nil {
			return err
		}
		if !null { // here: others may have some, or be inserting some
			key = append(key, u.Columns[i].ID)
		}
	}
	if len(key) == 0 {
		return nil
	}
	t.says("add primary key: to %s (%d columns)", u.Name, len(key))
	return t.Alter(storetest.AddIndex(t.newID, u.ID, t.indexName(), true, key...))
}

func (t *sqlTx) hasNull(u *catalog.Table, c *catalog.Column) (bool, error) {
	rows, err := t.Query(context.Background(), "SELECT 1 FROM "+u.Phys+" WHERE "+c.Phys+" IS NULL LIMIT 1", nil)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	return rows.Next(), rows.Err()
}

// retype makes a text, or a numeric, of an integer column, and rewrites its cells, as ALTER COLUMN TYPE does.
func (t *sqlTx) retype(u *catalog.Table) error {
	if t.touched(u) {
		return nil
	}
	for i, c := range u.Columns {
		if i == 0 || c.Type != catalog.Int4OID {
			continue
		}
		for _, ix := range u.Indexes {
			if ix.Primary && slices.ContainsFunc(ix.Keys, func(k catalog.IndexKey) bool { return k.Column == c.ID }) {
				return nil
			}
		}
		t.says("alter column type: %s.%s", u.Name, c.Name)
		typ := []uint32{catalog.TextOID, catalog.NumericOID}[t.n(2)]
		err := t.Alter([]catalog.Change{{Op: catalog.Alter, ID: c.ID, Attrs: map[catalog.Attr]catalog.Value{catalog.AttrType: catalog.Int(int64(typ))}}})
		if err != nil {
			return err
		}
		u = storetest.Table(t.Schema(), u.ID)
		for key := range int64(sqlKeys) {
			if t.once[rowKey{u.ID, key}] {
				continue
			}
			if err := t.update(u, key, []int{i}, []catalog.Value{t.value(typ)}); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// dropIndex drops an index, its constraint, and nothing else: no foreign key here needs a certain index.
func dropIndex(u *catalog.Table, ix *catalog.Index) []catalog.Change {
	var out []catalog.Change
	for _, c := range u.Constraints {
		if c.Index != nil && c.Index.ID == ix.ID {
			out = append(out, catalog.Change{Op: catalog.Drop, ID: c.ID})
		}
	}
	return append(out, catalog.Change{Op: catalog.Drop, ID: ix.ID})
}

// dropColumn drops a column with the constraints and indexes that it stands in.
func dropColumn(u *catalog.Table, col *catalog.Column) []catalog.Change {
	var out []catalog.Change
	for _, c := range u.Constraints {
		if c.Index == nil && slices.Contains(c.Columns, col.ID) {
			out = append(out, catalog.Change{Op: catalog.Drop, ID: c.ID})
		}
	}
	for _, ix := range u.Indexes {
		if slices.ContainsFunc(ix.Keys, func(k catalog.IndexKey) bool { return k.Column == col.ID }) {
			out = append(out, dropIndex(u, ix)...)
		}
	}
	return append(out, catalog.Change{Op: catalog.Drop, ID: col.ID})
}

// dropTable drops a table with all that is its own, and the foreign keys that lead to it.
func dropTable(list []*catalog.Table, u *catalog.Table) []catalog.Change {
	var out []catalog.Change
	for _, v := range list {
		for _, c := range v.Constraints {
			if v.ID == u.ID || c.RefTable == u.ID {
				out = append(out, catalog.Change{Op: catalog.Drop, ID: c.ID})
			}
		}
	}
	for _, ix := range u.Indexes {
		out = append(out, catalog.Change{Op: catalog.Drop, ID: ix.ID})
	}
	for _, c := range u.Columns {
		out = append(out, catalog.Change{Op: catalog.Drop, ID: c.ID})
	}
	return append(out, catalog.Change{Op: catalog.Drop, ID: u.ID})
}

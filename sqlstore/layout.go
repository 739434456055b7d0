package sqlstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// A layout is one state of the schema and the physical form that goes with it. It is immutable: a transaction that runs
// DDL makes a new one, and a rolled-back transaction leaves the old one standing.
type layout struct {
	schema    *catalog.Schema
	conflicts []catalog.Conflict
	spaces    map[crdt.ID]*space // of every table that is not dropped
	objects   map[crdt.ID]object // every table, column and index that there ever was
	compiled  map[crdt.ID]compiledIndex
}

// object is what lc_objects keeps of a schema object.
type object struct {
	kind   catalog.ObjectKind
	parent crdt.ID
	num    int64
	gone   bool
	info   objectInfo
}

// objectInfo is the rest of it, as JSON.
type objectInfo struct {
	// Columns: what rows from before ADD COLUMN hold (an encoded value), its catalog.Comparison, and whether the column is
	// declared INTEGER.
	Missing    []byte `json:"missing,omitempty"`
	Comparison string `json:"collation,omitempty"`
	Integer    bool   `json:"integer,omitempty"`
	// Tables: the column that is the rowid; whether there is a column for hidden keys; the primary key (its index) and
	// its columns.
	Alias  *catalog.ID  `json:"alias,omitempty"`
	Hidden bool         `json:"hidden,omitempty"`
	KeyID  catalog.ID   `json:"keyID,omitzero"`
	Key    []catalog.ID `json:"key,omitempty"`
	// Indexes: the CREATE INDEX statement, once run; whether the table has its flag column.
	SQL  string `json:"sql,omitempty"`
	Flag bool   `json:"flag,omitempty"`
}

// compiledIndex is what Config.CompileIndex said, and for what.
type compiledIndex struct {
	of    string
	keys  []string
	where string
}

// readObjects reads the live object rows, ascending by ID.
func readObjects(c *sqlite.Conn) ([]catalog.Object, error) {
	var out []catalog.Object
	sp := objectSpace()
	cols := make([]string, len(sp.cols))
	for i := range sp.cols {
		cols[i] = sp.cols[i].phys
	}
	err := each(c, "SELECT "+strings.Join(cols, ",")+" FROM lc_schema ORDER BY c0", nil, func(row []catalog.Value) error {
		id, ok := catalog.IDFromBytes(row[0].Bytes)
		if !ok {
			return fmt.Errorf("object row with a key of %d bytes", len(row[0].Bytes))
		}
		o := catalog.Object{ID: id}
		copy(o.Attrs[:], row[1:])
		out = append(out, o)
		return nil
	})
	return out, err
}

// loadObjects reads lc_objects.
func loadObjects(c *sqlite.Conn) (map[crdt.ID]object, error) {
	out := make(map[crdt.ID]object)
	err := each(c, "SELECT id,kind,parent,num,gone,info FROM lc_objects", nil, func(row []catalog.Value) error {
		id, ok := catalog.IDFromBytes(row[0].Bytes)
		if !ok {
			return fmt.Errorf("lc_objects: malformed id")
		}
		parent, _ := catalog.IDFromBytes(row[2].Bytes)
		o := object{kind: catalog.ObjectKind(row[1].Bytes), parent: crdt.ID(parent), num: row[3].Int(), gone: row[4].Bool()}
		if err := json.Unmarshal(row[5].Bytes, &o.info); err != nil {
			return fmt.Errorf("lc_objects: %w", err)
		}
		out[crdt.ID(id)] = o
		return nil
	})
	return out, err
}

func saveObject(c *sqlite.Conn, id crdt.ID, o object) error {
	info, err := json.Marshal(o.info)
	if err != nil {
		return err
	}
	parent := catalog.Value{}
	if o.parent != (crdt.ID{}) {
		parent = catalog.ID(o.parent).Value()
	}
	return run(c, "INSERT OR REPLACE INTO lc_objects VALUES(?,?,?,?,?,?)", catalog.ID(id).Value(), catalog.Str(string(o.kind)),
		parent, catalog.Int(o.num), catalog.Bool(o.gone), catalog.TextBytes(info))
}

// buildSchema makes the Schema of the object rows and gives its indexes their SQLite form. It returns the indexes that
// cannot have one.
func (s *Store) buildSchema(objs []catalog.Object, l *layout) (*catalog.Schema, []catalog.Conflict, map[crdt.ID]error) {
	schema, conflicts := catalog.BuildSchema(s.schemaVersion.Add(1), objs, catalog.BuildOptions{
		Phys: func(kind catalog.ObjectKind, id catalog.ID) string {
			o, ok := l.objects[crdt.ID(id)]
			switch {
			case !ok:
				return ""
			case kind == catalog.ObjectTable:
				return physTable(o.num)
			case kind == catalog.ObjectColumn:
				return physColumn(o.num)
			}
			return physIndex(o.num)
		},
	})
	compiled := make(map[crdt.ID]compiledIndex)
	failed := make(map[crdt.ID]error)
	for _, t := range schema.Relations {
		if t.System || t.Kind != catalog.KindTable {
			continue
		}
		for _, ix := range t.Indexes {
			c, err := s.compileIndex(schema, t, ix, l.compiled[crdt.ID(ix.ID)])
			if err != nil {
				failed[crdt.ID(ix.ID)] = fmt.Errorf("index %q: %w", ix.Name, err)
				continue
			}
			compiled[crdt.ID(ix.ID)] = c
			ix.PhysKeys, ix.PhysWhere = c.keys, c.where
		}
	}
	l.compiled = compiled
	return schema, conflicts, failed
}

// compileIndex gives an index its SQLite form, from the last time if nothing that it depends on has changed.
func (s *Store) compileIndex(schema *catalog.Schema, t *catalog.Table, ix *catalog.Index, last compiledIndex) (compiledIndex, error) {
	var of strings.Builder
	fmt.Fprint(&of, ix.Keys, ix.Where, ix.NullsNotDistinct)
	for _, c := range t.Columns {
		fmt.Fprint(&of, c.ID, c.Type, c.Name)
	}
	c := compiledIndex{of: of.String()}
	if c.of == last.of {
		return last, nil
	}
	if s.config.CompileIndex != nil {
		var err error
		c.keys, c.where, err = s.config.CompileIndex(schema, t, ix)
		return c, err
	}
	if ix.Where != "" {
		return c, fmt.Errorf("a predicate needs Config.CompileIndex")
	}
	for _, k := range ix.Keys {
		i := slices.IndexFunc(t.Columns, func(c *catalog.Column) bool { return c.ID == k.Column })
		if k.Expr != "" || i < 0 {
			return c, fmt.Errorf("an expression needs Config.CompileIndex")
		}
		col := column{phys: t.Columns[i].Phys, comparison: catalog.Comparison(t.Columns[i].Type)}
		term := col.term()
		if k.Desc {
			term += " DESC"
		}
		c.keys = append(c.keys, term)
	}
	return c, nil
}

// space builds the physical form of a table as it is to be. info is its lc_objects row.
func (l *layout) space(t *catalog.Table, o object) *space {
	sp := &space{id: crdt.ID(t.ID), num: o.num, phys: physTable(o.num), table: t, alias: -1, indexes: make(map[string]string)}
	for _, c := range t.Columns {
		sp.cols = append(sp.cols, l.column(crdt.ID(c.ID)))
	}
	sp.live = len(sp.cols)
	var dropped []crdt.ID
	for id, oc := range l.objects {
		if oc.parent == sp.id && oc.kind == catalog.ObjectColumn &&
			!slices.ContainsFunc(t.Columns, func(c *catalog.Column) bool { return crdt.ID(c.ID) == id }) {
			dropped = append(dropped, id)
		}
	}
	slices.SortFunc(dropped, crdt.ID.Compare)
	for _, id := range dropped {
		sp.cols = append(sp.cols, l.column(id))
	}
	sp.hidden, sp.keyID = o.info.Hidden, crdt.ID(o.info.KeyID)
	for _, id := range o.info.Key {
		i := slices.IndexFunc(sp.cols, func(c column) bool { return c.id == crdt.ID(id) })
		sp.key = append(sp.key, i)
	}
	if o.info.Alias != nil {
		sp.alias = slices.IndexFunc(sp.cols, func(c column) bool { return c.id == crdt.ID(*o.info.Alias) })
	}
	for _, ix := range t.Indexes {
		oi, ok := l.objects[crdt.ID(ix.ID)]
		if !ok || len(ix.PhysKeys) == 0 || ix.Primary && sp.alias >= 0 {
			continue
		}
		sp.addIndex(ix, oi)
	}
	sp.finish()
	return sp
}

func (l *layout) column(id crdt.ID) column {
	o := l.objects[id]
	c := column{id: id, num: o.num, phys: physColumn(o.num), comparison: o.info.Comparison, integer: o.info.Integer}
	if len(o.info.Missing) > 0 {
		c.missing, _, _ = catalog.DecodeValue(o.info.Missing) // written by us: malformed is NULL
	}
	return c
}

// addIndex works out the CREATE INDEX statement of an index.
func (sp *space) addIndex(ix *catalog.Index, o object) {
	name := physIndex(o.num)
	terms := slices.Clone(ix.PhysKeys)
	unique := ""
	if ix.Unique {
		unique = "UNIQUE "
		if !ix.Primary {
			u := uniqueIndex{num: o.num, flag: "_u" + name, index: ix, where: ix.PhysWhere}
			for _, t := range ix.PhysKeys {
				t = strings.TrimSuffix(strings.TrimSuffix(t, " DESC"), " ASC")
				u.terms = append(u.terms, t)
			}
			plain := ix.Where == ""
			for _, k := range ix.Keys {
				plain = plain && k.Expr == ""
				u.columns = append(u.columns, crdt.ID(k.Column))
			}
			if !plain {
				u.columns = nil
			}
			sp.uniques = append(sp.uniques, u)
			terms = append(terms, u.flag)
		}
	}
	sql := "CREATE " + unique + "INDEX " + name + " ON " + sp.phys + "(" + strings.Join(terms, ",") + ")"
	if ix.PhysWhere != "" {
		sql += " WHERE " + ix.PhysWhere
	}
	sp.indexes[name] = sql
}

// loadLayout makes the layout of what the database holds, without changing it.
func (s *Store) loadLayout(c *sqlite.Conn) (*layout, error) {
	objs, err := readObjects(c)
	if err != nil {
		return nil, err
	}
	l := &layout{spaces: make(map[crdt.ID]*space)}
	if l.objects, err = loadObjects(c); err != nil {
		return nil, err
	}
	schema, conflicts, failed := s.buildSchema(objs, l)
	for _, err := range failed {
		s.config.Logger.Warn("an index cannot be used", "err", err)
	}
	l.schema, l.conflicts = schema, conflicts
	l.spaces[crdt.ID(catalog.ObjectKeyspace)] = objectSpace()
	for _, t := range schema.Relations {
		o, ok := l.objects[crdt.ID(t.ID)]
		if !ok || t.System || t.Kind != catalog.KindTable {
			continue
		}
		sp := l.space(t, o)
		sp.keepBuilt(l)
		l.spaces[sp.id] = sp
	}
	return l, nil
}

// keepBuilt drops the indexes that SQLite does not have (a build may have been impossible).
func (sp *space) keepBuilt(l *layout) {
	for _, ix := range sp.table.Indexes {
		o := l.objects[crdt.ID(ix.ID)]
		name := physIndex(o.num)
		if sql, ok := sp.indexes[name]; ok && o.info.SQL != sql {
			delete(sp.indexes, name)
			sp.uniques = slices.DeleteFunc(sp.uniques, func(u uniqueIndex) bool { return u.num == o.num })
		}
	}
}

func (l *layout) clone() *layout {
	c := *l
	c.spaces = maps.Clone(l.spaces)
	c.objects = maps.Clone(l.objects)
	return &c
}

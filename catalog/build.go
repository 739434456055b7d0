package catalog

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// BuildOptions says what BuildSchema cannot know of the objects themselves.
type BuildOptions struct {
	// Phys returns the SQLite name of a table (ObjectTable), a column (ObjectColumn) or an index (ObjectIndex).
	Phys func(kind ObjectKind, id ID) string
}

// Conflict is an object that could not be made as its row says: made under another name, made as something less, or
// left out. It is what concurrent DDL on several nodes leaves behind.
type Conflict struct {
	Kind    ObjectKind
	ID      ID
	Other   ID // the object it collided with, or missed; zero: none
	Name    string
	Message string
	// Moot says that it was left out because what it belongs to, or needs, was dropped: that has won, as if it had come
	// later, and nothing is left to settle.
	Moot bool
}

// BuildSchema makes the Schema of object rows, which come sorted by ID. It never fails: whatever nodes that did not
// know of each other have done, every node makes the same of the same rows, and Conflicts say what was bent. Of two
// objects of one name the older (smaller ID) keeps it, the other is shown under name_xxxxxxxx; of two primary keys
// of a table the older holds, the other becomes a UNIQUE constraint; what refers to a column or table that is gone is
// left out.
func BuildSchema(version uint64, objects []Object, o BuildOptions) (*Schema, []Conflict) {
	b := builder{
		options: o,
		schema:  &Schema{Version: version},
		spaces:  make(map[ID]*Namespace),
		tables:  make(map[ID]*Table),
		names:   make(map[relName]ID),
		bent:    make(map[ID]string),
		oids:    make(map[uint32]bool),
	}
	b.build(objects)
	return b.schema, b.conflicts
}

type builder struct {
	options   BuildOptions
	schema    *Schema
	conflicts []Conflict
	spaces    map[ID]*Namespace
	tables    map[ID]*Table
	names     map[relName]ID // of relations and indexes
	bent      map[ID]string  // the own names of those in Schema.Bent
	oids      map[uint32]bool
}

func (b *builder) conflict(kind ObjectKind, id, other ID, name, format string, args ...any) {
	b.conflicts = append(b.conflicts, Conflict{Kind: kind, ID: id, Other: other, Name: name, Message: fmt.Sprintf(format, args...)})
}

// moot notes an object that is left out because of a DROP.
func (b *builder) moot(kind ObjectKind, id, other ID, name, message string) {
	b.conflicts = append(b.conflicts, Conflict{Kind: kind, ID: id, Other: other, Name: name, Message: message, Moot: true})
}

// hashID is a hash of an ID that every node computes alike.
func hashID(id ID) uint32 {
	h := fnv.New32a()
	h.Write(id.Bytes())
	return h.Sum32()
}

// oid gives an object its OID: a hash of its ID above PostgreSQL's own, the next free one if it is taken.
func (b *builder) oid(id ID) uint32 {
	oid := FirstNormalOID + hashID(id)%(1<<31-FirstNormalOID)
	for b.oids[oid] {
		if oid++; oid >= 1<<31 {
			oid = FirstNormalOID
		}
	}
	b.oids[oid] = true
	return oid
}

// otherName is the name under which an object appears whose own is taken.
func otherName(name string, id ID, taken func(string) bool) string {
	base := string(clipName([]byte(name)))
	if len(base) > maxNameLen-9 {
		base = string(clipTo([]byte(base), maxNameLen-9))
	}
	for h := hashID(id); ; h++ {
		if n := fmt.Sprintf("%s_%08x", base, h); !taken(n) {
			return n
		}
	}
}

// text returns a TEXT attribute, "" for NULL.
func (o *Object) text(a Attr) string {
	if v := o.Attrs[a]; v.Kind == Text {
		return string(v.Bytes)
	}
	return ""
}

func (o *Object) parent() ID {
	id, _ := IDFromBytes(o.Attrs[AttrParent].Bytes)
	return id
}

func (o *Object) kind() ObjectKind { return ObjectKind(o.text(AttrKind)) }

func (b *builder) build(objects []Object) {
	b.namespaces(objects)
	b.roles(objects)
	b.grants(objects)
	b.relations(objects)
	for i := range objects {
		if objects[i].kind() == ObjectColumn {
			b.column(&objects[i])
		}
	}
	for _, t := range b.schema.Relations {
		b.settleColumns(t)
	}
	for i := range objects {
		if objects[i].kind() == ObjectIndex {
			b.index(&objects[i])
		}
	}
	for i := range objects {
		if objects[i].kind() == ObjectConstraint {
			b.constraint(&objects[i])
		}
	}
	for _, t := range b.schema.Relations {
		b.settleKeys(t)
	}
	b.schema.Relations = append(b.schema.Relations, SystemRelations()...)
	b.schema.finish()
}

// finish makes the look-up tables.
func (s *Schema) finish() {
	s.relByName = make(map[relName]*Table, len(s.Relations))
	s.relByOID = make(map[uint32]*Table, len(s.Relations))
	s.relByID = make(map[ID]*Table, len(s.Relations))
	s.idxByName = make(map[relName]*Index)
	s.idxByOID = make(map[uint32]*Index)
	s.nsByName = make(map[string]*Namespace, len(s.Namespaces))
	s.roles = make(map[string]*Role, len(s.Roles))
	s.parents = make(map[ID]bool)
	for _, t := range s.Relations {
		for _, c := range t.Constraints {
			if c.Kind == ForeignKey {
				s.parents[c.RefTable] = true
			}
		}
		s.relByName[relName{t.Schema, t.Name}] = t
		s.relByOID[t.OID] = t
		if !t.ID.IsZero() {
			s.relByID[t.ID] = t
		}
		if t.System {
			continue
		}
		for _, ix := range t.Indexes {
			s.idxByName[relName{t.Schema, ix.Name}] = ix
			s.idxByOID[ix.OID] = ix
		}
	}
	for _, n := range s.Namespaces {
		s.nsByName[n.Name] = n
	}
	for _, r := range s.Roles {
		s.roles[r.Name] = r
	}
}

// fixedNamespaces are the schemas that are always there, public the last.
func fixedNamespaces() []*Namespace {
	return []*Namespace{
		{OID: PgCatalogOID, Name: "pg_catalog", Owner: superuserName, Comment: "system catalog schema"},
		{OID: PgToastOID, Name: "pg_toast", Owner: superuserName, Comment: "reserved schema for TOAST tables"},
		{OID: InfoSchemaOID, Name: "information_schema", Owner: superuserName},
		{OID: LayercakeOID, Name: "layercake", Owner: superuserName, Comment: "the cluster: members, replication, conflicts"},
		{ID: PublicID, OID: PublicOID, Name: "public", Owner: "pg_database_owner", Comment: "standard public schema"},
	}
}

func (b *builder) namespaces(objects []Object) {
	s := b.schema
	s.Namespaces = fixedNamespaces()
	public := s.Namespaces[len(s.Namespaces)-1]
	b.spaces[PublicID] = public
	names := make(map[string]ID)
	for _, n := range s.Namespaces {
		names[n.Name] = n.ID
	}
	for i := range objects {
		o := &objects[i]
		if o.kind() != ObjectNamespace {
			continue
		}
		n := public
		if o.ID != PublicID {
			n = &Namespace{ID: o.ID, OID: b.oid(o.ID)}
			s.Namespaces = append(s.Namespaces, n)
			b.spaces[o.ID] = n
		} else {
			delete(names, public.Name)
			var def NamespaceDef
			if DecodeDef(o.Attrs[AttrDef], &def) == nil && def.Dropped {
				s.Namespaces = slices.DeleteFunc(s.Namespaces, func(n *Namespace) bool { return n == public })
				continue
			}
		}
		n.Name, n.Owner, n.Comment = o.text(AttrName), o.text(AttrOwner), o.text(AttrComment)
		if other, taken := names[n.Name]; taken || n.Name == "" {
			own := n.Name
			n.Name = otherName(own, o.ID, func(s string) bool { _, t := names[s]; return t })
			b.conflict(ObjectNamespace, o.ID, other, own, "schema %q exists twice; this one is shown as %q", own, n.Name)
		}
		names[n.Name] = o.ID
	}
}

func (b *builder) roles(objects []Object) {
	names := make(map[string]ID)
	for i := range objects {
		o := &objects[i]
		switch o.kind() {
		case ObjectSetting:
			var d SettingDef
			if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil {
				b.conflict(ObjectSetting, o.ID, ID{}, o.text(AttrName), "left out: %v", err)
				continue
			}
			b.schema.Settings = append(b.schema.Settings, &RoleSetting{ID: o.ID, Role: d.Role, Database: d.Database, Name: o.text(AttrName), Value: d.Value})
		case ObjectRole:
			var d RoleDef
			if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil {
				b.conflict(ObjectRole, o.ID, ID{}, o.text(AttrName), "left out: %v", err)
				continue
			}
			r := &Role{
				ID: o.ID, Name: o.text(AttrName), Superuser: d.Superuser, Login: d.Login, CreateDB: d.CreateDB,
				CreateRole: d.CreateRole, Inherit: !d.NoInherit, Replication: d.Replication, BypassRLS: d.BypassRLS,
				ConnLimit: -1, Verifier: d.Verifier, ValidUntil: d.ValidUntil, MemberOf: d.MemberOf, Comment: o.text(AttrComment),
			}
			if d.ConnLimit != nil {
				r.ConnLimit = *d.ConnLimit
			}
			if other, taken := names[r.Name]; taken {
				own := r.Name
				r.Name = otherName(own, o.ID, func(s string) bool { _, t := names[s]; return t })
				b.conflict(ObjectRole, o.ID, other, own, "role %q exists twice; this one is shown as %q", own, r.Name)
			}
			names[r.Name] = o.ID
			if r.Name == superuserName && !b.oids[superuserOID] {
				r.OID = superuserOID
				b.oids[superuserOID] = true
			} else {
				r.OID = b.oid(o.ID)
			}
			b.schema.Roles = append(b.schema.Roles, r)
		}
	}
}

// take gives a relation or index its name in its schema.
func (b *builder) take(kind ObjectKind, id ID, schema, name string) string {
	if other, taken := b.names[relName{schema, name}]; taken || name == "" {
		shown := otherName(name, id, func(s string) bool { _, t := b.names[relName{schema, s}]; return t })
		b.conflict(kind, id, other, name, "relation %q exists twice in schema %q; this one is shown as %q", name, schema, shown)
		own := name
		name = shown
		if b.schema.Bent == nil {
			b.schema.Bent = make(map[ID]ID)
		}
		b.schema.Bent[id] = other
		b.bent[id] = own
	}
	b.names[relName{schema, name}] = id
	return name
}

func (b *builder) relations(objects []Object) {
	for i := range objects {
		o := &objects[i]
		kind := o.kind()
		t := &Table{ID: o.ID, Owner: o.text(AttrOwner), Comment: o.text(AttrComment)}
		var err error
		switch kind {
		case ObjectTable:
			var d TableDef
			err = DecodeDef(o.Attrs[AttrDef], &d)
			t.Kind, t.Options = KindTable, d.Options
		case ObjectView:
			var d ViewDef
			err = DecodeDef(o.Attrs[AttrDef], &d)
			t.Kind, t.View, t.Options = KindView, d.Query, d.Options
		case ObjectSequence:
			d := SequenceDef{Start: 1, Increment: 1, Min: 1, Max: 1<<63 - 1, Cache: 1}
			err = DecodeDef(o.Attrs[AttrDef], &d)
			t.Kind = KindSequence
			t.Sequence = SeqDef{
				Type: uint32(o.Attrs[AttrType].Int()), Start: d.Start, Increment: d.Increment, Min: d.Min, Max: d.Max,
				Cache: d.Cache, Cycle: d.Cycle, OwnerTable: d.OwnerTable, OwnerColumn: d.OwnerColumn,
			}
			if t.Sequence.Type == 0 {
				t.Sequence.Type = Int8OID
			}
		case ObjectNamespace, ObjectRole, ObjectSetting, ObjectGrant, ObjectColumn, ObjectConstraint, ObjectIndex:
			continue
		default:
			b.conflict(kind, o.ID, ID{}, o.text(AttrName), "left out: unknown kind of object")
			continue
		}
		if err != nil && kind == ObjectView {
			b.conflict(kind, o.ID, ID{}, o.text(AttrName), "left out: %v", err)
			continue
		}
		if err != nil { // its rows stay reachable
			b.conflict(kind, o.ID, ID{}, o.text(AttrName), "its definition is taken as empty: %v", err)
		}
		space := b.spaces[o.parent()]
		if space == nil {
			space = b.spaces[PublicID]
			b.conflict(kind, o.ID, o.parent(), o.text(AttrName), "its schema was dropped; it is shown in %q", space.Name)
		}
		t.Schema = space.Name
		t.Name = b.take(kind, o.ID, t.Schema, o.text(AttrName))
		t.OID = b.oid(o.ID)
		if t.Kind == KindTable && b.options.Phys != nil {
			t.Phys = b.options.Phys(ObjectTable, o.ID)
		}
		b.tables[o.ID] = t
		b.schema.Relations = append(b.schema.Relations, t)
	}
}

func (b *builder) column(o *Object) {
	name := o.text(AttrName)
	t := b.tables[o.parent()]
	if t == nil {
		b.moot(ObjectColumn, o.ID, o.parent(), name, "left out: its table was dropped")
		return
	}
	var d ColumnDef
	if err := DecodeDef(o.Attrs[AttrDef], &d); err != nil {
		b.conflict(ObjectColumn, o.ID, t.ID, name, "its definition is taken as empty: %v", err)
	}
	c := &Column{
		ID: o.ID, Name: name, Type: uint32(o.Attrs[AttrType].Int()), Typmod: -1, NotNull: o.Attrs[AttrNotNull].Bool(),
		Default: o.text(AttrDefault), Generated: d.Generated, Sequence: d.Sequence, Comment: o.text(AttrComment), Retyped: d.Retyped,
		Num: int16(min(max(o.Attrs[AttrOrder].Int(), 1), 30000)),
	}
	if own, bent := b.bent[d.Sequence]; bent { // its default means its own sequence, not the one that has the name
		seq := b.tables[d.Sequence]
		c.Default = strings.ReplaceAll(c.Default, QuoteLiteral(StoredName(seq.Schema, own)), QuoteLiteral(StoredName(seq.Schema, seq.Name)))
	}
	if v := o.Attrs[AttrTypmod]; v.Kind == Integer {
		c.Typmod = int32(v.Int())
	}
	if TypeByOID(c.Type) == nil {
		b.conflict(ObjectColumn, o.ID, t.ID, name, "its type with OID %d is unknown; it is shown as text", c.Type)
		c.Type, c.Typmod = TextOID, -1
	}
	if d.Identity == "a" || d.Identity == "d" {
		c.Identity = d.Identity[0]
	}
	if len(d.Missing) > 0 {
		v, rest, err := DecodeValue(d.Missing)
		if err != nil || len(rest) != 0 {
			b.conflict(ObjectColumn, o.ID, t.ID, name, "the value of rows older than it is taken as NULL: malformed")
		} else {
			c.Missing = v
		}
	}
	if t.Kind == KindTable && b.options.Phys != nil {
		c.Phys = b.options.Phys(ObjectColumn, o.ID)
	}
	t.Columns = append(t.Columns, c)
}

// settleColumns gives every column a number of its own, near the one it asked for, and a name of its own.
func (b *builder) settleColumns(t *Table) {
	byAge := slices.Clone(t.Columns) // as the objects came: by ID
	slices.SortStableFunc(t.Columns, func(x, y *Column) int {
		return cmp.Compare(x.Num, y.Num)
	})
	last := int16(0)
	for _, c := range t.Columns {
		if c.Num <= last {
			c.Num = last + 1
		}
		last = c.Num
	}
	names := make(map[string]ID)
	for _, c := range byAge {
		if other, taken := names[c.Name]; taken || c.Name == "" {
			own := c.Name
			c.Name = otherName(own, c.ID, func(s string) bool { return t.Column(s) != nil })
			b.conflict(ObjectColumn, c.ID, other, own, "column %q of relation %q exists twice; this one is shown as %q", own, t.Name, c.Name)
		}
		names[c.Name] = c.ID
	}
}

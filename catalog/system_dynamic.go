package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// dynamicRows make the rows of the tables that show what CREATE made.
var dynamicRows = map[string]func(*Schema, *rowsOf){
	"pg_namespace":       namespaceRows,
	"pg_class":           classRows,
	"pg_attribute":       attributeRows,
	"pg_attrdef":         attrdefRows,
	"pg_index":           indexRows,
	"pg_constraint":      constraintRows,
	"pg_description":     descriptionRows,
	"pg_depend":          dependRows,
	"pg_extension":       extensionRows,
	"pg_sequence":        sequenceRows,
	"pg_rewrite":         rewriteRows,
	"pg_authid":          authidRows,
	"pg_auth_members":    memberRows,
	"pg_db_role_setting": settingRows,
	"_definition":        definitionRows,
}

// derivedOID gives what has no object row of its own (a default, a view's rule) an OID made of its owner's.
func derivedOID(id ID, what string) uint32 {
	h := hashID(id)
	for _, c := range []byte(what) {
		h = (h ^ uint32(c)) * 16777619
	}
	return FirstNormalOID + h%(1<<31-FirstNormalOID)
}

func (s *Schema) namespaceOID(name string) uint32 {
	if n := s.nsByName[name]; n != nil {
		return n.OID
	}
	return PgCatalogOID
}

// predefinedRoles are PostgreSQL's own, which psql and others look for.
var predefinedRoles = []struct {
	oid  uint32
	name string
}{
	{6171, "pg_database_owner"}, {6181, "pg_read_all_data"}, {6182, "pg_write_all_data"}, {3373, "pg_monitor"},
	{3374, "pg_read_all_settings"}, {3375, "pg_read_all_stats"}, {3377, "pg_stat_scan_tables"},
	{4569, "pg_read_server_files"}, {4570, "pg_write_server_files"}, {4571, "pg_execute_server_program"},
	{4200, "pg_signal_backend"}, {4544, "pg_checkpoint"},
}

func (s *Schema) roleOID(name string) uint32 {
	if r := s.roles[name]; r != nil {
		return r.OID
	}
	for _, r := range predefinedRoles {
		if r.name == name {
			return r.oid
		}
	}
	return superuserOID
}

func namespaceRows(s *Schema, b *rowsOf) {
	for _, n := range s.Namespaces {
		b.add("oid", n.OID, "nspname", n.Name, "nspowner", s.roleOID(n.Owner), "nspacl", s.acl(n.ID, n.Owner, SchemaPrivileges))
	}
}

// relkind is the letter that pg_class shows for t.
func relkind(t *Table) byte {
	if t.System {
		if k, ok := system().kinds[t.OID]; ok {
			return k
		}
	}
	if t.Kind == KindProvided {
		return 'v'
	}
	return byte(t.Kind)
}

func classRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if !t.System {
			classRow(s, b, t)
		}
	}
}

// classRow adds t and its indexes.
func classRow(s *Schema, b *rowsOf, t *Table) {
	kind := relkind(t)
	checks, triggers := 0, !t.System && s.parents[t.ID]
	for _, c := range t.Constraints {
		switch c.Kind {
		case Check:
			checks++
		case ForeignKey:
			triggers = true
		}
	}
	access, identity := uint32(0), "n"
	if kind == 'r' {
		access = 2 // heap
		if !t.System {
			identity = "d"
		}
	}
	if kind == 'S' {
		access = 0
	}
	tuples := -1.0
	if kind != 'r' {
		tuples = 0
	}
	if kind == 'S' {
		tuples = 1
	}
	var options Value
	if len(t.Options) > 0 {
		options = textArray(TextOID, t.Options)
	}
	natts := len(t.Columns)
	if n := len(t.Columns); n > 0 {
		natts = int(t.Columns[n-1].Num)
	}
	if kind == 'S' {
		natts = 3
	}
	b.add("oid", t.OID, "relname", t.Name, "relnamespace", s.namespaceOID(t.Schema), "relowner", s.roleOID(t.Owner),
		"relam", access, "relfilenode", map[bool]uint32{true: t.OID}[kind == 'r' || kind == 'S'], "reltuples", Float(tuples),
		"relhasindex", len(t.Indexes) > 0, "relpersistence", "p", "relkind", kind, "relnatts", natts, "relchecks", checks,
		"relhasrules", kind == 'v', "relhastriggers", triggers, "relispopulated", true, "relreplident", identity,
		"relfrozenxid", map[bool]int{true: 3}[kind == 'r'], "relminmxid", map[bool]int{true: 1}[kind == 'r'], "reloptions", options,
		"relacl", s.acl(t.ID, t.Owner, map[bool]string{true: SequencePrivileges, false: TablePrivileges}[kind == 'S']))
	if t.System {
		return
	}
	for _, ix := range t.Indexes {
		b.add("oid", ix.OID, "relname", ix.Name, "relnamespace", s.namespaceOID(t.Schema), "relowner", s.roleOID(t.Owner),
			"relam", AccessMethods[ix.Method], "relfilenode", ix.OID, "relpersistence", "p", "relkind", "i",
			"relnatts", len(ix.Keys)+len(ix.Include), "relispopulated", true, "relreplident", "n")
	}
}

// AccessMethods are the OIDs of pg_am's index methods. All are built as btree.
var AccessMethods = map[string]int{"btree": 403, "hash": 405, "gist": 783, "gin": 2742, "brin": 3580, "spgist": 4000}

// attribute adds a pg_attribute row.
func attribute(b *rowsOf, rel uint32, num int16, name string, oid uint32, typmod int32, more ...any) {
	t := TypeByOID(oid)
	if t == nil {
		t = TypeByOID(TextOID)
	}
	dims := 0
	if t.IsArray() && t.Storage != 'p' {
		dims = 1
	}
	b.add(append([]any{"attrelid", rel, "attname", name, "atttypid", oid, "attstattarget", -1, "attlen", t.Len, "attnum", num,
		"attndims", dims, "attcacheoff", -1, "atttypmod", typmod, "attbyval", t.ByVal, "attalign", t.Align, "attstorage", t.Storage,
		"attislocal", true, "attcollation", t.Collation}, more...)...)
}

func attributeRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if !t.System {
			attributesOf(s, b, t)
		}
	}
}

// attributesOf adds the columns of t and of its indexes.
func attributesOf(_ *Schema, b *rowsOf, t *Table) {
	next := int16(1)
	for _, c := range t.Columns {
		for ; next < c.Num; next++ { // pg_dump wants to see a row for each number
			attribute(b, t.OID, next, fmt.Sprintf("........pg.dropped.%d........", next), 0, -1, "attisdropped", true)
		}
		next = c.Num + 1
		generated := byte(0)
		if c.Generated {
			generated = 's'
		}
		collation := uint32(0)
		if ct := TypeByOID(c.Type); ct != nil {
			collation = ct.Collation
		}
		if t.System && collation == DefaultCollationOID {
			collation = CCollationOID // text of the system's own relations
		}
		attribute(b, t.OID, c.Num, c.Name, c.Type, c.Typmod, "attcollation", collation, "attnotnull", c.NotNull, "atthasdef", hasDefault(c),
			"atthasmissing", c.Missing.Kind != Null, "attidentity", c.Identity, "attgenerated", generated)
	}
	if t.Kind == KindSequence {
		attribute(b, t.OID, 1, "last_value", Int8OID, -1, "attnotnull", true)
		attribute(b, t.OID, 2, "log_cnt", Int8OID, -1, "attnotnull", true)
		attribute(b, t.OID, 3, "is_called", BoolOID, -1, "attnotnull", true)
	}
	if t.System {
		return
	}
	for _, ix := range t.Indexes {
		for i, k := range ix.Keys {
			if c := t.ColumnByID(k.Column); c != nil && k.Expr == "" {
				attribute(b, ix.OID, int16(i+1), c.Name, c.Type, c.Typmod)
			} else {
				attribute(b, ix.OID, int16(i+1), expressionName(ix, i), k.exprType(), -1)
			}
		}
		for i, id := range ix.Include {
			if c := t.ColumnByID(id); c != nil {
				attribute(b, ix.OID, int16(len(ix.Keys)+i+1), c.Name, c.Type, c.Typmod)
			}
		}
	}
}

// expressionName is the name of an index's column over an expression: that of the function called, else "expr", with a
// number behind it where that is taken.
func expressionName(ix *Index, at int) string {
	name := func(i int) string {
		if f, _, ok := strings.Cut(ix.Keys[i].Expr, "("); ok && f != "" && isCall(ix.Keys[i].Expr) {
			return f
		}
		return "expr"
	}
	n := 0
	for i := range at {
		if ix.Keys[i].Expr != "" && name(i) == name(at) {
			n++
		}
	}
	if n == 0 {
		return name(at)
	}
	return name(at) + string(appendInt(nil, int64(n)))
}

// hasDefault says whether c has a row in pg_attrdef: an identity column's nextval has none.
func hasDefault(c *Column) bool { return c.Default != "" && c.Identity == 0 }

func attrdefRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		for _, c := range t.Columns {
			if hasDefault(c) {
				b.add("oid", derivedOID(c.ID, "default"), "adrelid", t.OID, "adnum", c.Num, "adbin", c.Default)
			}
		}
	}
}

func descriptionRows(s *Schema, b *rowsOf) {
	add := func(oid, class uint32, sub int16, text string) {
		if text != "" {
			b.add("objoid", oid, "classoid", class, "objsubid", sub, "description", text)
		}
	}
	for _, n := range s.Namespaces {
		add(n.OID, PgNamespaceRelOID, 0, n.Comment)
	}
	for _, t := range s.Relations {
		add(t.OID, PgClassRelOID, 0, t.Comment)
		for _, c := range t.Columns {
			add(t.OID, PgClassRelOID, c.Num, c.Comment)
		}
		if t.System {
			continue
		}
		for _, c := range t.Constraints {
			add(c.OID, PgConstraintRelOID, 0, c.Comment)
		}
		for _, ix := range t.Indexes {
			add(ix.OID, PgClassRelOID, 0, ix.Comment)
		}
	}
}

// dependRows tell what tools ask for: which column owns a sequence, which constraint an index.
func dependRows(s *Schema, b *rowsOf) {
	add := func(class, obj, refClass, ref uint32, sub int16, kind string) {
		b.add("classid", class, "objid", obj, "refclassid", refClass, "refobjid", ref, "refobjsubid", sub, "deptype", kind)
	}
	sequences := make(map[string]*Table)
	for _, t := range s.Relations {
		if t.Kind == KindSequence {
			sequences[relationName(t)] = t
			sequences[QuoteQualified(t.Schema, t.Name)] = t // as ALTER … SET DEFAULT may have written it
		}
	}
	extensionMembers(s, func(class, oid uint32) { add(class, oid, pgExtensionRelOID, extensionOID, 0, "e") })
	for _, t := range s.Relations {
		if t.System {
			continue
		}
		add(PgClassRelOID, t.OID, PgNamespaceRelOID, s.namespaceOID(t.Schema), 0, "n")
		if owner := s.relByID[t.Sequence.OwnerTable]; t.Kind == KindSequence && owner != nil {
			if c := owner.ColumnByID(t.Sequence.OwnerColumn); c != nil {
				kind := "a"
				if c.Identity != 0 {
					kind = "i"
				}
				add(PgClassRelOID, t.OID, PgClassRelOID, owner.OID, c.Num, kind)
			}
		}
		for _, c := range t.Columns {
			if !hasDefault(c) {
				continue
			}
			add(PgAttrdefRelOID, derivedOID(c.ID, "default"), PgClassRelOID, t.OID, c.Num, "a")
			seq := s.relByID[c.Sequence]
			if seq == nil || c.Sequence.IsZero() {
				seq = sequences[nextvalArgument(c.Default)]
			}
			if seq != nil {
				add(PgAttrdefRelOID, derivedOID(c.ID, "default"), PgClassRelOID, seq.OID, 0, "n")
			}
		}
		for _, c := range t.Constraints {
			for _, id := range c.Columns {
				if col := t.ColumnByID(id); col != nil {
					add(PgConstraintRelOID, c.OID, PgClassRelOID, t.OID, col.Num, "a")
				}
			}
			if parent := s.relByID[c.RefTable]; c.Kind == ForeignKey && parent != nil {
				for _, id := range c.RefColumns {
					if col := parent.ColumnByID(id); col != nil {
						add(PgConstraintRelOID, c.OID, PgClassRelOID, parent.OID, col.Num, "n")
					}
				}
			}
			if c.Index != nil {
				add(PgClassRelOID, c.Index.OID, PgConstraintRelOID, c.OID, 0, "i")
			}
		}
		for _, ix := range t.Indexes {
			if slices.ContainsFunc(t.Constraints, func(c *Constraint) bool { return c.Index == ix }) {
				continue
			}
			for _, k := range ix.Keys {
				if col := t.ColumnByID(k.Column); col != nil && k.Expr == "" {
					add(PgClassRelOID, ix.OID, PgClassRelOID, t.OID, col.Num, "a")
				}
			}
		}
		if t.Kind == KindView {
			rule := derivedOID(t.ID, "rule")
			add(pgRewriteRelOID, rule, PgClassRelOID, t.OID, 0, "i")
			viewSources(s, t, func(read *Table) { add(pgRewriteRelOID, rule, PgClassRelOID, read.OID, 0, "n") })
		}
	}
}

const pgRewriteRelOID uint32 = 2618

func sequenceRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if q := &t.Sequence; t.Kind == KindSequence {
			b.add("seqrelid", t.OID, "seqtypid", q.Type, "seqstart", q.Start, "seqincrement", q.Increment, "seqmax", q.Max,
				"seqmin", q.Min, "seqcache", q.Cache, "seqcycle", q.Cycle)
		}
	}
}

func rewriteRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if t.Kind == KindView && !t.System {
			b.add("oid", derivedOID(t.ID, "rule"), "rulename", "_RETURN", "ev_class", t.OID, "ev_type", "1", "ev_enabled", "O", "is_instead", true)
		}
	}
}

func authidRows(s *Schema, b *rowsOf) {
	for _, r := range s.Roles {
		var password, until Value
		if r.Verifier != "" {
			password = Str("********") // every user may read this table
		}
		if r.ValidUntil != "" {
			if v, err := DecodeText(TimestamptzOID, -1, []byte(r.ValidUntil), nil); err == nil {
				until = v
			}
		}
		b.add("oid", r.OID, "rolname", r.Name, "rolsuper", r.Superuser, "rolinherit", r.Inherit, "rolcreaterole", r.CreateRole,
			"rolcreatedb", r.CreateDB, "rolcanlogin", r.Login, "rolreplication", r.Replication, "rolbypassrls", r.BypassRLS,
			"rolconnlimit", r.ConnLimit, "rolpassword", password, "rolvaliduntil", until)
	}
	if s.roles[superuserName] == nil { // who owns the system's own objects, should no such role exist
		b.add("oid", superuserOID, "rolname", superuserName, "rolsuper", true, "rolinherit", true, "rolcreaterole", true,
			"rolcreatedb", true, "rolcanlogin", true, "rolreplication", true, "rolbypassrls", true, "rolconnlimit", -1)
	}
	for _, r := range predefinedRoles {
		if s.roles[r.name] == nil {
			b.add("oid", r.oid, "rolname", r.name, "rolinherit", true, "rolconnlimit", -1)
		}
	}
}

func memberRows(s *Schema, b *rowsOf) {
	for _, r := range s.Roles {
		for _, id := range r.MemberOf {
			if of := s.RoleByID(id); of != nil {
				b.add("roleid", of.OID, "member", r.OID, "grantor", superuserOID)
			}
		}
	}
}

func settingRows(s *Schema, b *rowsOf) {
	type key struct{ database, role uint32 }
	configs := make(map[key][]string)
	var order []key
	for _, r := range s.Settings {
		k := key{}
		if r.Role != "" {
			k.role = s.roleOID(r.Role)
		}
		if r.Database != "" || r.Role == "" {
			k.database = databaseOID
		}
		if configs[k] == nil {
			order = append(order, k)
		}
		configs[k] = append(configs[k], r.Name+"="+r.Value)
	}
	for _, k := range order {
		b.add("setdatabase", k.database, "setrole", k.role, "setconfig", textArray(TextOID, configs[k]))
	}
}

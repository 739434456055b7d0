package catalog_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"layercake/catalog"
)

// objects makes object rows, each newer than the last.
type objects struct {
	rows []catalog.Object
	last uint64
}

func (o *objects) add(kind catalog.ObjectKind, parent catalog.ID, name string, def any, attrs map[catalog.Attr]catalog.Value) catalog.ID {
	o.last++
	row := catalog.Object{ID: catalog.ID{HLC: 1000 + o.last, Node: 7}}
	row.Attrs[catalog.AttrKind] = catalog.Str(string(kind))
	row.Attrs[catalog.AttrName] = catalog.Str(name)
	row.Attrs[catalog.AttrOwner] = catalog.Str("postgres")
	if !parent.IsZero() {
		row.Attrs[catalog.AttrParent] = parent.Value()
	}
	if def != nil {
		row.Attrs[catalog.AttrDef] = catalog.EncodeDef(def)
	}
	for a, v := range attrs {
		row.Attrs[a] = v
	}
	o.rows = append(o.rows, row)
	return row.ID
}

// column adds a column of a type as SQL spells it.
func (o *objects) column(table catalog.ID, num int, name, typ string, notNull bool, def string, d any) catalog.ID {
	oid, typmod, err := catalog.LookupType(typ)
	if err != nil {
		panic(err)
	}
	attrs := map[catalog.Attr]catalog.Value{
		catalog.AttrOrder: catalog.Int(int64(num)), catalog.AttrType: catalog.Int(int64(oid)),
		catalog.AttrTypmod: catalog.Int(int64(typmod)), catalog.AttrNotNull: catalog.Bool(notNull),
	}
	if def != "" {
		attrs[catalog.AttrDefault] = catalog.Str(def)
	}
	return o.add(catalog.ObjectColumn, table, name, d, attrs)
}

func (o *objects) build() (*catalog.Schema, []catalog.Conflict) {
	rows := slices.Clone(o.rows)
	slices.SortFunc(rows, func(a, b catalog.Object) int { return strings.Compare(string(a.ID.Bytes()), string(b.ID.Bytes())) })
	return catalog.BuildSchema(1, rows, catalog.BuildOptions{Phys: func(kind catalog.ObjectKind, id catalog.ID) string {
		return fmt.Sprintf("%c%d", kind[0], id.HLC)
	}})
}

// sample is what DDL makes of
//
//	CREATE TABLE smp.parent (id serial PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', email text UNIQUE,
//	    price numeric(10,2), flag boolean, CONSTRAINT price_pos CHECK (price > 0),
//	    CHECK (name <> '' AND (price < 10 OR flag)));
//	CREATE TABLE smp.child (a int, b bigint GENERATED ALWAYS AS IDENTITY,
//	    pid int REFERENCES smp.parent ON DELETE CASCADE ON UPDATE SET NULL,
//	    e text REFERENCES smp.parent (email) DEFERRABLE INITIALLY DEFERRED,
//	    g int GENERATED ALWAYS AS (a*2) STORED, PRIMARY KEY (b, a), UNIQUE (a, pid));
//	CREATE INDEX child_lower ON smp.child (lower(e), a DESC);
//	CREATE UNIQUE INDEX ON smp.child (a DESC NULLS LAST, (a+1)) INCLUDE (pid) WHERE a > 5 AND e IS NOT NULL;
//	CREATE INDEX ON smp.child (e text_pattern_ops NULLS FIRST, g);
//	CREATE VIEW smp.v AS SELECT id, name FROM smp.parent WHERE id > 1;
func sample() *objects {
	o := &objects{}
	smp := o.add(catalog.ObjectNamespace, catalog.ID{}, "smp", nil, nil)
	o.add(catalog.ObjectRole, catalog.ID{}, "postgres", catalog.RoleDef{Superuser: true, Login: true}, nil)
	parent := o.add(catalog.ObjectTable, smp, "parent", catalog.TableDef{}, map[catalog.Attr]catalog.Value{catalog.AttrComment: catalog.Str("the parent")})
	idCol := catalog.ID{HLC: 5000, Node: 7}
	seq := o.add(catalog.ObjectSequence, smp, "parent_id_seq", catalog.SequenceDef{Start: 1, Increment: 1, Min: 1, Max: 2147483647, Cache: 1, OwnerTable: parent, OwnerColumn: idCol},
		map[catalog.Attr]catalog.Value{catalog.AttrType: catalog.Int(int64(catalog.Int4OID))})
	o.column(parent, 1, "id", "integer", true, "nextval('smp.parent_id_seq'::regclass)", catalog.ColumnDef{Sequence: seq})
	o.rows[len(o.rows)-1].ID = idCol
	name := o.column(parent, 2, "name", "varchar(20)", true, "'x'::character varying", nil)
	email := o.column(parent, 3, "email", "text", false, "", nil)
	price := o.column(parent, 4, "price", "numeric(10,2)", false, "", nil)
	flag := o.column(parent, 8, "flag", "boolean", false, "true", nil)
	key := func(table catalog.ID, kind, name string, cols ...catalog.ID) {
		var keys []catalog.IndexKeyDef
		for _, c := range cols {
			keys = append(keys, catalog.IndexKeyDef{Column: c})
		}
		ix := o.add(catalog.ObjectIndex, table, name, catalog.IndexDef{Unique: true, Primary: kind == "p", Keys: keys}, nil)
		o.add(catalog.ObjectConstraint, table, name, catalog.ConstraintDef{Kind: kind, Columns: cols, Index: ix}, nil)
	}
	key(parent, "p", "parent_pkey", idCol)
	key(parent, "u", "parent_email_key", email)
	o.add(catalog.ObjectConstraint, parent, "price_pos", catalog.ConstraintDef{Kind: "c", Columns: []catalog.ID{price}, Expr: "(price > (0)::numeric)"}, nil)
	o.add(catalog.ObjectConstraint, parent, "parent_check", catalog.ConstraintDef{Kind: "c", Columns: []catalog.ID{name, price, flag},
		Expr: "(((name)::text <> ''::text) AND ((price < (10)::numeric) OR flag))"}, nil)

	child := o.add(catalog.ObjectTable, smp, "child", nil, nil)
	a := o.column(child, 1, "a", "int", false, "", nil)
	b := o.column(child, 2, "b", "bigint", true, "", catalog.ColumnDef{Identity: "a"})
	pid := o.column(child, 3, "pid", "int", false, "", nil)
	e := o.column(child, 4, "e", "text", false, "", nil)
	g := o.column(child, 5, "g", "int", false, "(a * 2)", catalog.ColumnDef{Generated: true})
	key(child, "p", "child_pkey", b, a)
	key(child, "u", "child_a_pid_key", a, pid)
	o.add(catalog.ObjectConstraint, child, "child_pid_fkey", catalog.ConstraintDef{Kind: "f", Columns: []catalog.ID{pid}, RefTable: parent, RefColumns: []catalog.ID{idCol}, OnUpdate: "n", OnDelete: "c"}, nil)
	o.add(catalog.ObjectConstraint, child, "child_e_fkey", catalog.ConstraintDef{Kind: "f", Columns: []catalog.ID{e}, RefTable: parent, RefColumns: []catalog.ID{email}, Deferrable: true, InitiallyDeferred: true}, nil)
	o.add(catalog.ObjectIndex, child, "child_lower", catalog.IndexDef{Keys: []catalog.IndexKeyDef{{Expr: "lower(e)"}, {Column: a, Desc: true, NullsFirst: true}}}, nil)
	o.add(catalog.ObjectIndex, child, "child_a_expr_pid_idx", catalog.IndexDef{Unique: true, Keys: []catalog.IndexKeyDef{{Column: a, Desc: true}, {Expr: "(a + 1)", Type: catalog.Int4OID}},
		Include: []catalog.ID{pid}, Where: "((a > 5) AND (e IS NOT NULL))"}, nil)
	o.add(catalog.ObjectIndex, child, "child_e_g_idx", catalog.IndexDef{Keys: []catalog.IndexKeyDef{{Column: e, OpClass: "text_pattern_ops", NullsFirst: true}, {Column: g}}}, nil)
	view := o.add(catalog.ObjectView, smp, "v", catalog.ViewDef{Query: "SELECT id, name FROM smp.parent WHERE id > 1"}, nil)
	o.column(view, 1, "id", "integer", false, "", nil)
	o.column(view, 2, "name", "varchar(20)", false, "", nil)
	return o
}

// TestDefinitionsAsPostgresShowsThem compares with what PostgreSQL 15 said of the same DDL.
func TestDefinitionsAsPostgresShowsThem(t *testing.T) {
	s, conflicts := sample().build()
	if len(conflicts) != 0 {
		t.Fatalf("conflicts: %v", conflicts)
	}
	var got []string
	for _, name := range []string{"child", "parent"} {
		tab := s.Relation("smp", name)
		for _, ix := range tab.Indexes {
			got = append(got, catalog.IndexDefinition(tab, ix, false), catalog.IndexDefinition(tab, ix, true))
		}
		for _, c := range tab.Constraints {
			got = append(got, c.Name+" "+catalog.ConstraintDefinition(s, tab, c, false), c.Name+" "+catalog.ConstraintDefinition(s, tab, c, true))
		}
	}
	want := `CREATE INDEX child_e_g_idx ON smp.child USING btree (e text_pattern_ops NULLS FIRST, g)
CREATE INDEX child_e_g_idx ON smp.child USING btree (e text_pattern_ops NULLS FIRST, g)
CREATE INDEX child_lower ON smp.child USING btree (lower(e), a DESC)
CREATE INDEX child_lower ON smp.child USING btree (lower(e), a DESC)
CREATE UNIQUE INDEX child_a_expr_pid_idx ON smp.child USING btree (a DESC NULLS LAST, ((a + 1))) INCLUDE (pid) WHERE ((a > 5) AND (e IS NOT NULL))
CREATE UNIQUE INDEX child_a_expr_pid_idx ON smp.child USING btree (a DESC NULLS LAST, (a + 1)) INCLUDE (pid) WHERE a > 5 AND e IS NOT NULL
CREATE UNIQUE INDEX child_a_pid_key ON smp.child USING btree (a, pid)
CREATE UNIQUE INDEX child_a_pid_key ON smp.child USING btree (a, pid)
CREATE UNIQUE INDEX child_pkey ON smp.child USING btree (b, a)
CREATE UNIQUE INDEX child_pkey ON smp.child USING btree (b, a)
CREATE UNIQUE INDEX parent_email_key ON smp.parent USING btree (email)
CREATE UNIQUE INDEX parent_email_key ON smp.parent USING btree (email)
CREATE UNIQUE INDEX parent_pkey ON smp.parent USING btree (id)
CREATE UNIQUE INDEX parent_pkey ON smp.parent USING btree (id)
child_a_pid_key UNIQUE (a, pid)
child_a_pid_key UNIQUE (a, pid)
child_e_fkey FOREIGN KEY (e) REFERENCES smp.parent(email) DEFERRABLE INITIALLY DEFERRED
child_e_fkey FOREIGN KEY (e) REFERENCES smp.parent(email) DEFERRABLE INITIALLY DEFERRED
child_pid_fkey FOREIGN KEY (pid) REFERENCES smp.parent(id) ON UPDATE SET NULL ON DELETE CASCADE
child_pid_fkey FOREIGN KEY (pid) REFERENCES smp.parent(id) ON UPDATE SET NULL ON DELETE CASCADE
child_pkey PRIMARY KEY (b, a)
child_pkey PRIMARY KEY (b, a)
parent_check CHECK ((((name)::text <> ''::text) AND ((price < (10)::numeric) OR flag)))
parent_check CHECK (name::text <> ''::text AND (price < 10::numeric OR flag))
parent_email_key UNIQUE (email)
parent_email_key UNIQUE (email)
parent_pkey PRIMARY KEY (id)
parent_pkey PRIMARY KEY (id)
price_pos CHECK ((price > (0)::numeric))
price_pos CHECK (price > 0::numeric)`
	slices.Sort(got)
	lines := strings.Split(want, "\n")
	slices.Sort(lines)
	for i := range max(len(got), len(lines)) {
		if i >= len(got) || i >= len(lines) || got[i] != lines[i] {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
		}
	}
}

// query shows some columns of the rows of a system table that a condition picks, as psql -A does.
func query(s *catalog.Schema, table string, where func(get func(string) string) bool, columns ...string) []string {
	rel := s.Relation("pg_catalog", table)
	var out []string
	for _, row := range append(catalog.SystemFixedRows(rel), catalog.SystemRows(s, rel)...) {
		get := func(c string) string {
			i := rel.ColumnIndex(c)
			return string(catalog.AppendText(nil, rel.Columns[i].Type, -1, row[i], nil))
		}
		if !where(get) {
			continue
		}
		var f []string
		for _, c := range columns {
			f = append(f, get(c))
		}
		out = append(out, strings.Join(f, "|"))
	}
	slices.Sort(out)
	return out
}

func sameLines(t *testing.T, what string, got []string, want string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(want), "\n")
	slices.Sort(lines)
	if !slices.Equal(got, lines) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
}

// TestSystemRowsAsPostgresHasThem compares rows of the catalogs with those that PostgreSQL 15 has for the same DDL.
func TestSystemRowsAsPostgresHasThem(t *testing.T) {
	s, _ := sample().build()
	smp := fmt.Sprint(s.Namespace("smp").OID)
	sameLines(t, "pg_class", query(s, "pg_class", func(get func(string) string) bool { return get("relnamespace") == smp },
		"relname", "relam", "relkind", "relnatts", "relchecks", "relhasrules", "relhastriggers", "relhasindex", "relreplident", "reltuples"), `
child|2|r|5|0|f|t|t|d|-1
child_a_expr_pid_idx|403|i|3|0|f|f|f|n|0
child_a_pid_key|403|i|2|0|f|f|f|n|0
child_e_g_idx|403|i|2|0|f|f|f|n|0
child_lower|403|i|2|0|f|f|f|n|0
child_pkey|403|i|2|0|f|f|f|n|0
parent|2|r|8|2|f|t|t|d|-1
parent_email_key|403|i|1|0|f|f|f|n|0
parent_id_seq|0|S|3|0|f|f|f|n|1
parent_pkey|403|i|1|0|f|f|f|n|0
v|0|v|2|0|t|f|f|n|0`)
	child, parent := s.Relation("smp", "child"), s.Relation("smp", "parent")
	of := func(rel *catalog.Table, column string) func(func(string) string) bool {
		return func(get func(string) string) bool { return get(column) == fmt.Sprint(rel.OID) }
	}
	sameLines(t, "pg_attribute", query(s, "pg_attribute", of(parent, "attrelid"),
		"attname", "attnum", "attlen", "attndims", "atttypmod", "attbyval", "attalign", "attstorage", "attnotnull", "atthasdef", "attidentity", "attgenerated", "attcollation"), `
id|1|4|0|-1|t|i|p|t|t|||0
name|2|-1|0|24|f|i|x|t|t|||100
........pg.dropped.5........|5|-1|0|-1|f|i|x|f|f|||100
........pg.dropped.6........|6|-1|0|-1|f|i|x|f|f|||100
........pg.dropped.7........|7|-1|0|-1|f|i|x|f|f|||100
email|3|-1|0|-1|f|i|x|f|f|||100
price|4|-1|0|655366|f|i|m|f|f|||0
flag|8|1|0|-1|t|c|p|f|t|||0`)
	sameLines(t, "pg_attribute of child", query(s, "pg_attribute", of(child, "attrelid"), "attname", "attnotnull", "atthasdef", "attidentity", "attgenerated"), `
a|t|f||
b|t|f|a|
pid|f|f||
e|f|f||
g|f|t||s`)
	sameLines(t, "pg_index", query(s, "pg_index", of(child, "indrelid"), "indisunique", "indisprimary", "indnatts", "indnkeyatts", "indkey", "indoption", "indclass", "indexprs", "indpred"), `
f|f|2|2|4 5|2 0|4217 1978||
f|f|2|2|0 1|0 3|3126 1978|lower(e)|
t|f|3|2|1 0 3|1 0|1978 1978|(a + 1)|((a > 5) AND (e IS NOT NULL))
t|f|2|2|1 3|0 0|1978 1978||
t|t|2|2|2 1|0 0|3124 1978||`)
	sameLines(t, "pg_constraint", query(s, "pg_constraint", func(get func(string) string) bool { return get("connamespace") == smp },
		"conname", "contype", "conkey", "confkey", "confupdtype", "confdeltype", "confmatchtype", "connoinherit", "condeferrable", "condeferred"), `
child_a_pid_key|u|{1,3}|| | | |t|f|f
child_e_fkey|f|{4}|{3}|a|a|s|t|t|t
child_pid_fkey|f|{3}|{1}|n|c|s|t|f|f
child_pkey|p|{2,1}|| | | |t|f|f
parent_check|c|{2,4,8}|| | | |f|f|f
parent_email_key|u|{3}|| | | |t|f|f
parent_pkey|p|{1}|| | | |t|f|f
price_pos|c|{4}|| | | |f|f|f`)
	sameLines(t, "pg_attrdef", query(s, "pg_attrdef", of(child, "adrelid"), "adnum", "adbin"), `5|(a * 2)`)
	seq := s.Relation("smp", "parent_id_seq")
	sameLines(t, "pg_depend", query(s, "pg_depend", func(get func(string) string) bool {
		return get("objid") == fmt.Sprint(seq.OID) && get("refclassid") == "1259"
	}, "refobjid", "refobjsubid", "deptype"), fmt.Sprintf("%d|1|a", parent.OID))
	sameLines(t, "pg_description", query(s, "pg_description", of(parent, "objoid"), "classoid", "objsubid", "description"), "1259|0|the parent")
}

// TestConcurrentDDL builds schemas of rows that no single node would have written.
func TestConcurrentDDL(t *testing.T) {
	o := &objects{}
	t1 := o.add(catalog.ObjectTable, catalog.PublicID, "t", nil, nil)
	c1 := o.column(t1, 1, "a", "int", false, "", nil)
	c2 := o.column(t1, 2, "b", "int", false, "", nil)
	c3 := o.column(t1, 2, "b", "text", false, "", nil) // another node's ADD COLUMN b
	c4 := o.column(t1, 2, "c", "text", false, "", nil) // and a third's
	o.add(catalog.ObjectTable, catalog.PublicID, "t", nil, nil)
	gone := catalog.ID{HLC: 1, Node: 99}
	o.add(catalog.ObjectColumn, gone, "x", nil, nil)
	lost := o.add(catalog.ObjectTable, gone, "lost", nil, nil)
	pk := func(name string, col catalog.ID) catalog.ID {
		ix := o.add(catalog.ObjectIndex, t1, name, catalog.IndexDef{Unique: true, Primary: true, Keys: []catalog.IndexKeyDef{{Column: col}}}, nil)
		return o.add(catalog.ObjectConstraint, t1, name, catalog.ConstraintDef{Kind: "p", Columns: []catalog.ID{col}, Index: ix}, nil)
	}
	first, second := pk("t_pkey", c1), pk("t_pkey", c2)
	o.add(catalog.ObjectIndex, t1, "over_gone", catalog.IndexDef{Keys: []catalog.IndexKeyDef{{Column: gone}}}, nil)
	o.add(catalog.ObjectConstraint, t1, "fk", catalog.ConstraintDef{Kind: "f", Columns: []catalog.ID{c1}, RefTable: gone, RefColumns: []catalog.ID{c1}}, nil)
	o.add("teapot", t1, "odd", nil, nil)
	bad := o.add(catalog.ObjectRole, catalog.ID{}, "r", nil, nil)
	o.rows[len(o.rows)-1].Attrs[catalog.AttrDef] = catalog.Str("{")
	s, conflicts := o.build()

	tab := s.Relation("public", "t")
	if tab == nil || tab.ID != t1 {
		t.Fatalf("the older table lost its name: %+v", tab)
	}
	if got := s.RelationByID(lost); got == nil || got.Schema != "public" {
		t.Errorf("table of a dropped schema: %+v", got)
	}
	var nums []int16
	var names []string
	for _, c := range tab.Columns {
		nums, names = append(nums, c.Num), append(names, c.Name)
	}
	if !slices.Equal(nums, []int16{1, 2, 3, 4}) || names[0] != "a" || names[1] != "b" || !strings.HasPrefix(names[2], "b_") || names[3] != "c" {
		t.Errorf("columns %v %v", nums, names)
	}
	if tab.ColumnByID(c3).Type != catalog.TextOID || tab.Column("c").ID != c4 {
		t.Errorf("columns mixed up")
	}
	if p := tab.PrimaryKey(); p == nil || p.ID != first || !p.Index.Primary || !tab.ColumnByID(c1).NotNull {
		t.Errorf("primary key %+v", p)
	}
	if u := tab.ConstraintByID(second); u == nil || u.Kind != catalog.Unique || u.Index.Primary || u.Name == "t_pkey" {
		t.Errorf("second primary key %+v", u)
	}
	if s.Index("public", "over_gone") != nil || tab.Constraint("fk") != nil || s.Role("r") != nil {
		t.Errorf("objects without their parts were made: %v", bad)
	}
	other := 0
	for _, r := range s.Relations {
		if strings.HasPrefix(r.Name, "t_") && r.Schema == "public" {
			other++
		}
	}
	if other != 1 || len(conflicts) < 9 {
		t.Errorf("%d other tables, conflicts %v", other, conflicts)
	}
	for _, c := range conflicts {
		if dropped := strings.HasPrefix(c.Message, "left out: ") && (strings.HasSuffix(c.Message, "dropped") || strings.HasSuffix(c.Message, "gone")); c.Moot != dropped {
			t.Errorf("%s: %q is to be settled: %v", c.Name, c.Message, !c.Moot)
		}
	}
	again, _ := o.build()
	if again.Relation("public", "t").OID != tab.OID || tab.OID < catalog.FirstNormalOID {
		t.Errorf("OIDs differ from one build to the next")
	}
}

// TestPrettyExpr compares with what PostgreSQL 15 gives for pg_get_expr(conbin, conrelid) and with true as third argument,
// of CHECK constraints, most of them made at random.
func TestPrettyExpr(t *testing.T) {
	b, err := os.ReadFile("testdata/pretty.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		if got := catalog.PrettyExpr(c[0]); got != c[1] {
			t.Errorf("%s\ngot  %s\nwant %s", c[0], got, c[1])
		}
	}
	// What is not a stored expression stays as it is.
	for _, s := range []string{"", "(", "(a", "a b", "f(a", "CASE", "CASE WHEN", "(a + b + c)", "'a", `"a`, "a::", "a[", "a IS", "NOT", "a +", "1 BETWEEN 2 AND 3", strings.Repeat("(", 5000) + "a" + strings.Repeat(")", 5000)} {
		if got := catalog.PrettyExpr(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// TestExtensionMembers holds that all of layercake's own schema belongs to an extension that PostgreSQL's pg_dump takes for
// built in, so that no dump has it.
func TestExtensionMembers(t *testing.T) {
	s, _ := catalog.BuildSchema(1, nil, catalog.BuildOptions{})
	sameLines(t, "pg_extension", query(s, "pg_extension", func(get func(string) string) bool { return get("oid") < "16384" }, "extname"), "layercake")
	members := map[string]bool{}
	for _, id := range query(s, "pg_depend", func(get func(string) string) bool {
		return get("deptype") == "e" && get("refclassid") == "3079"
	}, "objid") {
		members[id] = true
	}
	n := 0
	for _, r := range s.Relations {
		if r.Schema == "layercake" {
			n++
			if !members[fmt.Sprint(r.OID)] {
				t.Errorf("%s is no member", r.Name)
			}
		}
	}
	for _, f := range catalog.Functions() {
		if f.Schema == "layercake" {
			n++
			if !members[fmt.Sprint(f.OID)] {
				t.Errorf("%s() is no member", f.Name)
			}
		}
	}
	if n < 10 || !members[fmt.Sprint(catalog.LayercakeOID)] {
		t.Errorf("%d members, schema: %v", n, members[fmt.Sprint(catalog.LayercakeOID)])
	}
}

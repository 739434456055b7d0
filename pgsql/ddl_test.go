package pgsql_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/tools/txtar"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// goldenURL rewrites the golden files of DDL with what a real PostgreSQL does.
var goldenURL = flag.String("postgres", "", "URL of a PostgreSQL 15 whose answers become the golden files of DDL")

// objects is a schema kept as object rows, changed by compiled DDL: no tables behind it.
type objects struct {
	rows []catalog.Object
	last uint64
	env  *pgsql.Env
}

func newObjects(t testing.TB) *objects {
	o := &objects{last: 1000}
	o.env = &pgsql.Env{SearchPath: []string{"public"}, User: "postgres", Database: "postgres", Output: catalog.DefaultOutput(),
		NewID: func() catalog.ID { o.last++; return catalog.ID{HLC: o.last, Node: 1} }}
	o.build(t)
	return o
}

func (o *objects) build(t testing.TB) {
	t.Helper()
	s, conflicts := catalog.BuildSchema(o.last, o.rows, catalog.BuildOptions{Phys: func(kind catalog.ObjectKind, id catalog.ID) string {
		return fmt.Sprintf("%c%d", kind[0], id.HLC)
	}})
	for _, c := range conflicts {
		t.Errorf("conflict: %+v", c)
	}
	o.env.Schema = s
}

func (o *objects) apply(t testing.TB, changes []catalog.Change) {
	t.Helper()
	for _, ch := range changes {
		i := slices.IndexFunc(o.rows, func(r catalog.Object) bool { return r.ID == ch.ID })
		switch ch.Op {
		case catalog.Create:
			if i >= 0 {
				t.Errorf("object %v made twice", ch.ID)
			}
			i = len(o.rows)
			o.rows = append(o.rows, catalog.Object{ID: ch.ID})
		case catalog.Drop:
			o.rows = slices.DeleteFunc(o.rows, func(r catalog.Object) bool { return r.ID == ch.ID })
			continue
		}
		if i < 0 && ch.ID == catalog.PublicID {
			i = len(o.rows)
			o.rows = append(o.rows, catalog.Object{ID: ch.ID})
		}
		if i < 0 {
			t.Errorf("object %v changed but not there", ch.ID)
			continue
		}
		for a, v := range ch.Attrs {
			o.rows[i].Attrs[a] = v
		}
	}
	slices.SortFunc(o.rows, func(a, b catalog.Object) int { return int(int64(a.ID.HLC) - int64(b.ID.HLC)) })
	o.build(t)
}

// run compiles and applies a statement and returns its notices and error as text.
func (o *objects) run(t testing.TB, st *pgsql.Statement) string {
	t.Helper()
	plan, err := pgsql.Compile(st, o.env, nil)
	if err != nil {
		return errorLines("ERROR", pgerror.From(err), st)
	}
	d, ok := plan.(*pgsql.DDL)
	if !ok {
		return ""
	}
	var b strings.Builder
	for _, n := range d.Notices {
		b.WriteString(errorLines(n.Severity, n, nil))
	}
	o.apply(t, d.Changes)
	for _, text := range d.Then {
		list, err := pgsql.Parse(text)
		if err != nil {
			t.Fatalf("%s: then %s: %v", st.Text, text, err)
		}
		p, err := pgsql.Compile(list[0], o.env, nil)
		if err != nil {
			t.Errorf("%s: then %s: %v", st.Text, text, err)
		}
		if d, ok := p.(*pgsql.DDL); ok {
			o.apply(t, d.Changes)
		}
	}
	if d.Finish != nil {
		o.apply(t, d.Finish(o.env.Schema))
	}
	for _, v := range d.Validate {
		if _, err := v.Compile(o.env.Schema); err != nil {
			t.Errorf("%s: validation: %v", st.Text, err)
		}
	}
	return b.String()
}

func errorLines(severity string, e *pgerror.Error, st *pgsql.Statement) string {
	s := fmt.Sprintf("%s %s: %s", severity, e.Code, e.Message)
	if e.Position > 0 && st != nil {
		s += fmt.Sprintf(" @%d", e.Position-st.Pos)
	}
	s += "\n"
	if e.Detail != "" {
		s += "  detail: " + strings.ReplaceAll(e.Detail, "\n", "\n  detail: ") + "\n"
	}
	if e.Hint != "" {
		s += "  hint: " + e.Hint + "\n"
	}
	return s
}

// dump shows a schema: columns, constraints, indexes.
func (o *objects) dump() string {
	var b strings.Builder
	s := o.env.Schema
	rels := slices.Clone(s.Relations)
	slices.SortFunc(rels, func(a, b *catalog.Table) int { return strings.Compare(a.Schema+"."+a.Name, b.Schema+"."+b.Name) })
	for _, r := range rels {
		if r.System {
			continue
		}
		fmt.Fprintf(&b, "%c %s.%s", r.Kind, r.Schema, r.Name)
		if len(r.Options) > 0 {
			fmt.Fprintf(&b, " with %s", strings.Join(r.Options, ","))
		}
		if r.Kind == catalog.KindSequence {
			q := r.Sequence
			fmt.Fprintf(&b, " %s start %d inc %d min %d max %d cache %d cycle %t", catalog.FormatTypeName(q.Type), q.Start, q.Increment, q.Min, q.Max, q.Cache, q.Cycle)
			if owner := s.RelationByID(q.OwnerTable); owner != nil {
				fmt.Fprintf(&b, " owned by %s.%s", owner.Name, owner.ColumnByID(q.OwnerColumn).Name)
			}
		}
		comment(&b, r.Comment)
		for _, c := range r.Columns {
			fmt.Fprintf(&b, "  %s %s", c.Name, catalog.FormatType(c.Type, c.Typmod))
			if c.NotNull {
				b.WriteString(" not null")
			}
			switch {
			case c.Identity != 0:
				fmt.Fprintf(&b, " identity %c", c.Identity)
			case c.Generated:
				b.WriteString(" generated " + c.Default)
			case c.Default != "":
				b.WriteString(" default " + c.Default)
			}
			comment(&b, c.Comment)
		}
		var lines []string
		for _, c := range r.Constraints {
			lines = append(lines, fmt.Sprintf("  constraint %s %s", c.Name, constraintText(s, r, c)))
		}
		for _, i := range r.Indexes {
			lines = append(lines, "  index "+indexText(r, i))
		}
		slices.Sort(lines)
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	return b.String()
}

func comment(b *strings.Builder, text string) {
	if text != "" {
		b.WriteString(" -- " + text)
	}
	b.WriteString("\n")
}

func names(t *catalog.Table, ids []catalog.ID) string {
	var out []string
	for _, id := range ids {
		out = append(out, catalog.QuoteIdent(t.ColumnByID(id).Name))
	}
	return "(" + strings.Join(out, ", ") + ")"
}

func constraintText(s *catalog.Schema, t *catalog.Table, c *catalog.Constraint) string {
	var text string
	switch c.Kind {
	case catalog.PrimaryKey:
		text = "PRIMARY KEY " + names(t, c.Columns)
	case catalog.Unique:
		text = "UNIQUE " + names(t, c.Columns)
	case catalog.Check:
		text = "CHECK (" + c.Expr + ")"
	case catalog.ForeignKey:
		ref := s.RelationByID(c.RefTable)
		name := catalog.QuoteIdent(ref.Name)
		if ref.Schema != "public" {
			name = catalog.QuoteQualified(ref.Schema, ref.Name)
		}
		text = "FOREIGN KEY " + names(t, c.Columns) + " REFERENCES " + name + names(ref, c.RefColumns)
		if c.Match == 'f' {
			text += " MATCH FULL"
		}
		word := map[byte]string{'r': "RESTRICT", 'c': "CASCADE", 'n': "SET NULL", 'd': "SET DEFAULT"}
		if w := word[c.OnUpdate]; w != "" {
			text += " ON UPDATE " + w
		}
		if w := word[c.OnDelete]; w != "" {
			text += " ON DELETE " + w
		}
	}
	if c.Index != nil && len(c.Index.Include) > 0 {
		text += " INCLUDE " + names(t, c.Index.Include)
	}
	if c.Deferrable {
		text += " DEFERRABLE"
	}
	if c.InitiallyDeferred {
		text += " INITIALLY DEFERRED"
	}
	if c.NotValid {
		text += " NOT VALID"
	}
	return text
}

func indexText(t *catalog.Table, i *catalog.Index) string {
	text := i.Name
	if i.Unique {
		text += " unique"
	}
	var keys []string
	for _, k := range i.Keys {
		key := k.Expr
		if strings.HasPrefix(key, "(") {
			key = "(" + key + ")" // as pg_get_indexdef has it for what is no function call
		}
		if c := t.ColumnByID(k.Column); c != nil {
			key = catalog.QuoteIdent(c.Name)
		}
		if k.Desc {
			key += " DESC"
		}
		if k.NullsFirst {
			key += " NULLS FIRST"
		}
		keys = append(keys, key)
	}
	text += " (" + strings.Join(keys, ", ") + ")"
	if len(i.Include) > 0 {
		text += " include " + names(t, i.Include)
	}
	if i.Where != "" {
		text += " where " + i.Where
	}
	return text
}

// TestDDL runs scripts of DDL and compares what they say and what schema they leave with golden files that a PostgreSQL
// 15 wrote (-postgres URL).
func TestDDL(t *testing.T) {
	files, err := filepath.Glob("testdata/ddl/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *goldenURL != "" {
				rewriteFromPostgres(t, ar)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for i := 0; i+1 < len(ar.Files); i += 2 {
				in, want := ar.Files[i], ar.Files[i+1]
				t.Run(in.Name, func(t *testing.T) {
					if got := runDDL(t, string(in.Data)); got != string(want.Data) {
						t.Errorf("%s\n--- got\n%s--- want\n%s", in.Data, got, want.Data)
					}
				})
			}
		})
	}
}

// runDDL runs a script statement by statement, and shows messages and the schema that is left.
func runDDL(t *testing.T, script string) string {
	o := newObjects(t)
	list, err := pgsql.Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, st := range list {
		b.WriteString(o.run(t, st))
	}
	return b.String() + o.dump()
}

// rewriteFromPostgres replaces the expected answers by PostgreSQL's.
func rewriteFromPostgres(t *testing.T, ar *txtar.Archive) {
	ctx := context.Background()
	for i := 0; i+1 < len(ar.Files); i += 2 {
		if strings.Contains(ar.Files[i+1].Name, "ours") {
			continue // where layercake differs on purpose
		}
		var b strings.Builder
		cfg, err := pgx.ParseConfig(*goldenURL)
		if err != nil {
			t.Fatal(err)
		}
		cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
			b.WriteString(errorLines(n.Severity, &pgerror.Error{Code: n.Code, Message: n.Message, Detail: n.Detail, Hint: n.Hint}, nil))
		}
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, "SET client_min_messages=error; DROP SCHEMA IF EXISTS public, s1, s2 CASCADE; CREATE SCHEMA public; SET client_min_messages=notice"); err != nil {
			t.Fatal(err)
		}
		list, err := pgsql.Parse(string(ar.Files[i].Data))
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range list {
			_, err := conn.Exec(ctx, st.Text)
			var e *pgconn.PgError
			if errors.As(err, &e) {
				b.WriteString(errorLines("ERROR", &pgerror.Error{Code: e.Code, Message: e.Message, Detail: e.Detail, Hint: e.Hint, Position: int(e.Position)}, &pgsql.Statement{}))
			} else if err != nil {
				t.Fatal(err)
			}
		}
		b.WriteString(dumpPostgres(t, conn))
		conn.Close(ctx)
		ar.Files[i+1].Data = []byte(b.String())
	}
}

// dumpPostgres is dump of a real database.
func dumpPostgres(t *testing.T, conn *pgx.Conn) string {
	rows, err := conn.Query(context.Background(), `
WITH rels AS (
  SELECT c.oid, c.relkind, n.nspname, c.relname, c.reloptions FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r','v','S') AND n.nspname !~ '^(pg_|information_schema)'
), lines AS (
SELECT nspname || '.' || relname AS k, 0 AS part, 0 AS ord, '' AS sub, relkind::text || ' ' || nspname || '.' || relname
  || coalesce(' with ' || array_to_string(reloptions, ','), '')
  || coalesce((SELECT ' ' || format_type(seqtypid, NULL) || ' start ' || seqstart || ' inc ' || seqincrement || ' min ' || seqmin || ' max ' || seqmax || ' cache ' || seqcache || ' cycle ' || seqcycle
        || coalesce((SELECT ' owned by ' || o.relname || '.' || a.attname FROM pg_depend d JOIN pg_class o ON o.oid = d.refobjid JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum = d.refobjsubid
                     WHERE d.objid = r.oid AND d.deptype IN ('a','i') AND d.classid = 'pg_class'::regclass), '')
       FROM pg_sequence WHERE seqrelid = r.oid), '')
  || coalesce(' -- ' || obj_description(r.oid, 'pg_class'), '') AS line FROM rels r
UNION ALL
SELECT nspname || '.' || relname, 1, a.attnum, '', '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
  || CASE WHEN a.attidentity <> '' THEN ' identity ' || a.attidentity::text
          WHEN a.attgenerated <> '' THEN ' generated ' || pg_get_expr(d.adbin, d.adrelid)
          WHEN d.adbin IS NOT NULL THEN ' default ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END
  || coalesce(' -- ' || col_description(r.oid, a.attnum), '')
  FROM rels r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind <> 'S'
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT nspname || '.' || relname, 2, 0, '', '  constraint ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
  FROM rels r JOIN pg_constraint c ON c.conrelid = r.oid
UNION ALL
SELECT nspname || '.' || r.relname, 2, 0, '', '  index ' || ic.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || ' (' ||
   (SELECT string_agg(pg_get_indexdef(i.indexrelid, k, false)
      || CASE WHEN i.indoption[k-1]::int & 1 = 1 THEN ' DESC' ELSE '' END || CASE WHEN i.indoption[k-1]::int & 2 = 2 THEN ' NULLS FIRST' ELSE '' END, ', ' ORDER BY k) FROM generate_series(1, i.indnkeyatts) k) || ')'
   || coalesce((SELECT ' include (' || string_agg(pg_get_indexdef(i.indexrelid, k, false), ', ' ORDER BY k) || ')' FROM generate_series(i.indnkeyatts + 1, i.indnatts) k), '')
   || coalesce(' where ' || pg_get_expr(i.indpred, i.indrelid), '')
  FROM rels r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class ic ON ic.oid = i.indexrelid
) SELECT line FROM lines ORDER BY k COLLATE "C", part, ord, line COLLATE "C"`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		b.WriteString(s + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestRenameTags holds the command tags of ALTER … RENAME.
func TestRenameTags(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE a (id int PRIMARY KEY, n int, CONSTRAINT pos CHECK (n > 0)); CREATE VIEW v AS SELECT id FROM a; CREATE SEQUENCE s; CREATE INDEX i ON a (n); CREATE SCHEMA c")
	for _, x := range []struct{ sql, want string }{
		{"ALTER TABLE a RENAME CONSTRAINT pos TO positive", "ALTER TABLE"},
		{"ALTER TABLE a RENAME n TO m", "ALTER TABLE"},
		{"ALTER TABLE a RENAME TO b", "ALTER TABLE"},
		{"ALTER VIEW v RENAME id TO x", "ALTER VIEW"},
		{"ALTER VIEW v RENAME TO w", "ALTER VIEW"},
		{"ALTER SEQUENCE s RENAME TO s2", "ALTER SEQUENCE"},
		{"ALTER INDEX i RENAME TO i2", "ALTER INDEX"},
		{"ALTER TABLE i RENAME TO i2", "ALTER TABLE"},
		{"ALTER SCHEMA c RENAME TO c2", "ALTER SCHEMA"},
	} {
		p, err := d.compile(x.sql)
		if err != nil {
			t.Errorf("%s: %v", x.sql, err)
		} else if got := p.(*pgsql.DDL).Tag; got != x.want {
			t.Errorf("%s: %s, want %s", x.sql, got, x.want)
		}
	}
}

package integration

import (
	"context"
	"encoding/binary"
	"testing"
)

// TestRegTypesInBinary: values of reg… types go to and fro as OIDs in binary, as names in text.
func TestRegTypesInBinary(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE r (a regclass, b regtype, c regclass[])")
	const class, typ = 1259, 1247 // of pg_class and pg_type
	oid := func(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }
	array := func(vs ...uint32) []byte {
		b := append(append(oid(1), oid(0)...), oid(2205)...)
		b = append(append(b, oid(uint32(len(vs)))...), oid(1)...)
		for _, v := range vs {
			b = append(append(b, oid(4)...), oid(v)...)
		}
		return b
	}
	for _, tc := range []struct {
		sql    string
		params [][]byte
		text   string
		binary []byte
	}{
		{"SELECT 'pg_class'::regclass", nil, "pg_class", oid(class)},
		{"SELECT oid::regclass FROM pg_class WHERE relname = 'pg_class'", nil, "pg_class", oid(class)},
		{"SELECT max(oid::int8)::regclass FROM pg_class WHERE relname = 'pg_class'", nil, "pg_class", oid(class)},
		{"SELECT 'pg_class'::regclass UNION SELECT 1259", nil, "pg_class", oid(class)},
		{"SELECT 'int4'::regtype", nil, "integer", oid(23)},
		{"SELECT 'pg_catalog'::regnamespace", nil, "pg_catalog", oid(11)},
		{"SELECT 'postgres'::regrole", nil, "postgres", oid(10)},
		{"SELECT 'now'::regproc", nil, "now", oid(1299)},
		{"SELECT 'now()'::regprocedure", nil, "now()", oid(1299)},
		{"SELECT '+(int4,int4)'::regoperator", nil, "+(integer,integer)", oid(551)},
		{`SELECT '"C"'::regcollation`, nil, `"C"`, oid(950)},
		{"SELECT 0::regclass", nil, "-", oid(0)},
		{"SELECT 999999::regclass", nil, "999999", oid(999999)},
		{"SELECT NULL::regclass", nil, "", nil},
		{"SELECT '{pg_class,pg_type}'::regclass[]", nil, "{pg_class,pg_type}", array(class, typ)},
		{"SELECT array_agg(oid::regclass) FROM pg_class WHERE relname = 'pg_type'", nil, "{pg_type}", array(typ)},
		{"SELECT $1::regclass", [][]byte{oid(class)}, "pg_class", oid(class)},
		{"SELECT $1::regclass[]", [][]byte{array(class, typ)}, "{pg_class,pg_type}", array(class, typ)},
		{"SELECT relname::text FROM pg_class WHERE oid = $1::regclass", [][]byte{oid(class)}, "pg_class", []byte("pg_class")},
		{"INSERT INTO r VALUES ($1, $2, $3) RETURNING a", [][]byte{oid(class), oid(23), array(typ)}, "pg_class", oid(class)},
		{"INSERT INTO r VALUES ($1) RETURNING coalesce(a, a)", [][]byte{oid(typ)}, "pg_type", oid(typ)},
		{"SELECT c FROM r WHERE a = $1 LIMIT 1", [][]byte{oid(class)}, "{pg_type}", array(typ)},
		{"UPDATE r SET b = 'bool' WHERE a = $1 RETURNING b", [][]byte{oid(typ)}, "boolean", oid(16)},
		{"WITH u AS (UPDATE r SET b = 'int8' WHERE a = $1 RETURNING a) SELECT a::oid::regclass FROM u LIMIT 1",
			[][]byte{oid(typ)}, "pg_type", oid(typ)},
	} {
		formats := []int16{1}
		if tc.params == nil {
			formats = nil
		}
		for f, want := range [][]byte{[]byte(tc.text), tc.binary} {
			r := conn.PgConn().ExecParams(context.Background(), tc.sql, tc.params, nil, formats, []int16{int16(f)}).Read()
			if r.Err != nil || len(r.Rows) == 0 || string(r.Rows[0][0]) != string(want) {
				t.Errorf("%s in format %d: got %q, %v, want %q", tc.sql, f, r.Rows, r.Err, want)
			}
		}
	}
}

// TestRegTypesInText: functions that make text or JSON of any value show reg… types by name.
func TestRegTypesInText(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE r (a regclass, n int)")
	exec(t, conn, "INSERT INTO r VALUES ('r', 1)")
	for _, tc := range [][2]string{
		{"to_json(a)", `"r"`},
		{"to_json('pg_class'::regclass)", `"pg_class"`},
		{"json_build_object('a', a, 'b', 'int4'::regtype)", `{"a" : "r", "b" : "integer"}`},
		{"jsonb_build_array(a, NULL::regclass)", `["r", null]`},
		{"row_to_json(r)", `{"a":"r","n":1}`},
		{"json_agg(a)", `["r"]`},
		{"jsonb_agg(DISTINCT a)", `["r"]`},
		{"format('%s %I', a, a)", "r r"},
		{"concat(a, '/', 'now'::regproc)", "r/now"},
		{"concat_ws(',', a, n)", "r,1"},
		{"quote_literal(a)", "'r'"},
	} {
		if got := one(t, conn, "SELECT "+tc[0]+" FROM r"); got != tc[1] {
			t.Errorf("%s: got %s, want %s", tc[0], got, tc[1])
		}
	}
}

// TestNamesReadAtRunTime: text that becomes a reg… value while a statement runs is read as a literal is: folded, quoted
// though it need not be, qualified. Code generators and ORMs make such names of catalog columns.
func TestNamesReadAtRunTime(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	for _, sql := range []string{"CREATE SCHEMA jt", "CREATE TABLE jt.a (id serial PRIMARY KEY, b text)", "COMMENT ON COLUMN jt.a.b IS 'hello'",
		"CREATE TABLE qq (id serial)", `CREATE TABLE "Mixed" (id serial)`, `CREATE TABLE "ünï" (id int)`, `CREATE INDEX "I x" ON qq (id)`} {
		exec(t, conn, sql)
	}
	for _, tt := range []struct{ expr, texts, want string }{
		{"to_regclass(x)::text", `qq "qq" QQ public."qq" "public"."Mixed" "Mixed" mixed jt.a "jt"."a" JT.A a pg_catalog.pg_class "pg_catalog"."pg_class" nope 16 -`,
			`qq qq qq qq "Mixed" "Mixed" NULL jt.a jt.a jt.a NULL pg_class pg_class NULL NULL NULL`},
		{"to_regtype(x)::text", `INT int4 varchar(20) "text" decimal pg_catalog.int4 int[] nope`, `integer integer character+varying text numeric integer integer[] NULL`},
		{"x::regclass::text", `"jt"."a" JT.A 0`, `jt.a jt.a -`},
		{"to_regclass(x)::text", `ünï ÜNÏ Pg_Class`, `"ünï" NULL pg_class`}, // only ASCII letters are folded
		{"x::regproc::text", `"now" pg_catalog.now`, `now now`},
		{"x::regnamespace::text", `"jt" PUBLIC`, `jt public`},
		{"pg_get_serial_sequence(x, 'id')", `"qq" public."qq" QQ "public"."Mixed"`, `public.qq_id_seq public.qq_id_seq public.qq_id_seq public."Mixed_id_seq"`},
	} {
		wantOne(t, conn, tt.want, "SELECT string_agg(replace(coalesce("+tt.expr+", 'NULL'), ' ', '+'), ' ' ORDER BY n) FROM unnest(string_to_array('"+tt.texts+"', ' ')) WITH ORDINALITY u(x, n)")
	}
	wantOne(t, conn, "hello", `SELECT col_description(('"' || s || '"."' || t || '"')::regclass::oid, 2) FROM (VALUES ('jt', 'a')) v(s, t)`)
	fails(t, conn, "42P01", "SELECT x::regclass FROM unnest(ARRAY['nope']) x")
	fails(t, conn, "42602", "SELECT x::regclass FROM unnest(ARRAY['a..b']) x")
	fails(t, conn, "42704", "SELECT x::regtype FROM unnest(ARRAY['nope']) x")
}

// TestIndexProperties: what migration tools ask of an index before they decide whether it is the one that they want.
func TestIndexProperties(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE di (a int, b text, j jsonb)")
	exec(t, conn, "CREATE INDEX di1 ON di (a DESC); CREATE INDEX di2 ON di USING gin (j); CREATE INDEX di3 ON di (a DESC NULLS LAST, b NULLS FIRST) INCLUDE (j)")
	for _, tt := range []struct{ index, method, properties string }{
		{"di1", "btree", "f t t f t t"},
		{"di2", "gin", "f f f f f f"},
		{"di3", "btree", "f t f t t t, t f t f t t, - - - - f t"},
	} {
		wantOne(t, conn, tt.method, "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname = '"+tt.index+"'")
		wantOne(t, conn, tt.properties, "SELECT string_agg(v, ', ' ORDER BY n) FROM (SELECT n, string_agg(coalesce(left(pg_index_column_has_property('"+tt.index+"'::regclass, n, p)::text, 1), '-'), ' ' ORDER BY i) AS v"+
			" FROM generate_series(1, (SELECT indnatts::int FROM pg_index WHERE indexrelid = '"+tt.index+"'::regclass)) n,"+
			" unnest(ARRAY['asc', 'desc', 'nulls_first', 'nulls_last', 'orderable', 'returnable']) WITH ORDINALITY u(p, i) GROUP BY n) x")
	}
	other := c.conn(0, "application_name=other")
	wantOne(t, conn, "1", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'other'")
	exec(t, other, "SET application_name = 'another'")
	wantOne(t, conn, "1", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'another'")
}

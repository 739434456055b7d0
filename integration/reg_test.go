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

package integration

import (
	"fmt"
	"testing"
)

// TestParametersOfIN: the types that PostgreSQL 15 gives to the parameters of IN, ANY and BETWEEN, which drivers and ORMs ask for
// before they run a statement.
func TestParametersOfIN(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, `CREATE TABLE t1 (id int, i8 bigint, v varchar(20), email varchar, t text, c char(4), n numeric, ts timestamptz, j jsonb, e float8, u uuid, b bool, a int[])`)
	exec(t, conn, `INSERT INTO t1 VALUES (1, 1, 'a', 'b', 'c', 'ab', 2, '2020-01-01', '1', 1.5, NULL, true, '{1}'),
		(2, 3, 'x', 'x', 'x', 'a', 2, now(), '{}', NULL, gen_random_uuid(), false, NULL)`)
	for i, tt := range []struct{ where, types string }{
		{"v in ($1,$2)", `{"character varying","character varying"}`},
		{"v in ($1)", `{text}`},
		{"v in ($1,'x')", `{"character varying"}`},
		{"email not in ($1,$2)", `{"character varying","character varying"}`},
		{"v in ($1::varchar,$2)", `{"character varying","character varying"}`},
		{"v in ($1::text,$2)", `{text,"character varying"}`},
		{"$1 in (v,email)", `{text}`},
		{"v in (t,$1,$2)", `{"character varying","character varying"}`},
		{"v in ($1,$2) and t=$1", `{"character varying","character varying"}`},
		{"t in ($1,$2)", `{text,text}`},
		{"id in ($1,$2)", `{integer,integer}`},
		{"id in (1.5,$1)", `{numeric}`},
		{"id in ($1, 2::bigint)", `{bigint}`},
		{"c in ($1,$2)", `{character,character}`},
		{"lower(v) in ($1,$2)", `{text,text}`},
		{"n in ($1,2)", `{numeric}`},
		{"id in (n, $1)", `{integer}`},
		{"id in (n,$1,$2)", `{integer,integer}`},
		{"$1 in (1,2)", `{integer}`},
		{"$1 in ($2,$3)", `{text,text,text}`},
		{"v not in ('a','b')", `{}`},
		{"v in ('a')", `{}`},
		{"c in ('a','ab ')", `{}`},
		{"v in (c, 'x', 'y')", `{}`},
		{"id in (id, n)", `{}`},
		{"v in (null, $1)", `{"character varying"}`},
		{"j in ($1,$2)", `{jsonb,jsonb}`},
		{"ts in ($1,$2)", `{"timestamp with time zone","timestamp with time zone"}`},
		{"ts in ($1, now())", `{"timestamp with time zone"}`},
		{"(id, v) in (($1,$2),(3,'x'))", `{integer,text}`},
		{"id in (select id from t1)", `{}`},
		{"v = any($1)", `{text[]}`},
		{"id not in ($1, id+1, $2)", `{integer,integer}`},
		{"v in (select v from t1) and v in ($1,$2)", `{"character varying","character varying"}`},
		{"e in ($1,$2)", `{"double precision","double precision"}`},
		{"u in ($1,$2)", `{uuid,uuid}`},
		{"b in ($1, true)", `{boolean}`},
		{"ts between $1 and $1 + interval '1 day'", `{"timestamp with time zone"}`},
		{"n between $1 and $1 * 2", `{numeric}`},
		{"id between $1 and $1 + $2", `{integer,integer}`},
		{"$1 between id and n", `{integer}`},
		{"id between symmetric $1 and $2", `{integer,integer}`},
		{"v not between $1 and $2", `{text,text}`},
		{"a in ($1,$2)", `{integer[],integer[]}`},
	} {
		exec(t, conn, fmt.Sprintf("PREPARE p%d AS SELECT count(*) FROM t1 WHERE %s", i, tt.where))
		if got := one(t, conn, fmt.Sprintf("SELECT parameter_types FROM pg_prepared_statements WHERE name = 'p%d'", i)); got != tt.types {
			t.Errorf("%s: %s, want %s", tt.where, got, tt.types)
		}
	}
	for sql, want := range map[string]string{
		"v IN ('a', 'zz')": "1", "v NOT IN ('a', 'zz')": "1", "c IN ('ab', 'zz')": "1", "c NOT IN ('ab  ', 'q')": "1",
		"id IN (1.0, 2.5)": "1", "v IN (email, 'a', 'b')": "2", "id IN (i8, 7, 8)": "1", "'x' IN (v, email)": "1",
		"v IN ('a', NULL)": "1", "v NOT IN ('a', NULL)": "0", "v NOT IN (email, 'a', 'b')": "0", "id NOT IN (i8, 7, 8)": "1",
	} {
		wantOne(t, conn, want, "SELECT count(*) FROM t1 WHERE "+sql)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM t1 WHERE v IN ($1, $2) AND t = $2", "a", "c").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestParametersOfUpdate: WHERE is read before SET.
func TestParametersOfUpdate(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE t1 (id int, v varchar(20), t text, ts timestamptz, d date)")
	exec(t, conn, "INSERT INTO t1 VALUES (1, 'a', 'c', '2020-01-01', '2020-01-01')")
	for i, tt := range []struct{ sql, types string }{
		{"UPDATE t1 SET t = $1 WHERE id = $1", "{integer}"},
		{"UPDATE t1 SET ts = $1 WHERE d = $1", "{date}"},
		{"UPDATE t1 SET t = $2, id = $1 WHERE id = $1 AND t = $2", "{integer,text}"},
		{"UPDATE t1 SET (id, t) = ($1, $2) WHERE v = $2", "{integer,text}"},
	} {
		exec(t, conn, fmt.Sprintf("PREPARE p%d AS %s", i, tt.sql))
		if got := one(t, conn, fmt.Sprintf("SELECT parameter_types FROM pg_prepared_statements WHERE name = 'p%d'", i)); got != tt.types {
			t.Errorf("%s: %s, want %s", tt.sql, got, tt.types)
		}
	}
	exec(t, conn, "EXECUTE p1('2020-01-01')")
	wantOne(t, conn, "1", "SELECT count(*) FROM t1 WHERE ts = d")
	fails(t, conn, "42703", "UPDATE t1 SET nope = 1 WHERE nope2 = 2")
}

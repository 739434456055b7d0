package pgsql_test

import (
	"testing"

	"layercake/catalog"
	"layercake/pgsql"
)

// TestModifyingCTE looks at the plan of data-modifying WITH queries: run first, their RETURNING rows read as a row set.
func TestModifyingCTE(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id int PRIMARY KEY, note text)")
	plan, err := d.compile("WITH gone AS (DELETE FROM t WHERE id < $1 RETURNING id, v) SELECT id + 1, v FROM gone WHERE v <> $2")
	if err != nil {
		t.Fatal(showError(err))
	}
	q := plan.(*pgsql.Query)
	if len(q.With) != 1 || q.With[0].Op != pgsql.Delete || q.With[0].Table.Name != "t" {
		t.Fatalf("With = %+v", q.With)
	}
	if len(q.Params) != 2 || q.Params[0] != catalog.Int4OID || q.Params[1] != catalog.TextOID {
		t.Errorf("Params = %v", q.Params)
	}
	found := false
	for _, a := range q.Args {
		found = found || a.Kind == pgsql.ArgCTE && a.Index == 0
	}
	if !found {
		t.Errorf("no ArgCTE in %v", q.Args)
	}
	if _, err := d.compile("WITH x AS (INSERT INTO t VALUES (1, 'a')) SELECT * FROM x"); showError(err) != "ERROR: 0A000 WITH query \"x\" does not have a RETURNING clause at 57\n" {
		t.Error(showError(err))
	}
	if _, err := d.compile("SELECT * FROM (WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x) q"); err == nil {
		t.Error("a data-modifying WITH query below the top level is accepted")
	}
}

// TestFlags checks what a plan says of itself.
func TestFlags(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE two (a int, b int, PRIMARY KEY (a, b)); CREATE VIEW w AS SELECT * FROM t")
	for _, c := range []struct {
		sql                             string
		reads                           int
		system, volatile, stable, point bool
	}{
		{"SELECT 1", 0, false, false, true, false},
		{"SELECT now()", 0, false, false, false, false},
		{"SELECT * FROM t", 1, false, false, false, false},
		{"SELECT * FROM t WHERE id = 1", 1, false, false, false, true},
		{"SELECT * FROM t WHERE id = $1 AND v = 'x'", 1, false, false, false, true},
		{"SELECT * FROM t WHERE id = $1 OR v = 'x'", 1, false, false, false, false},
		{"SELECT * FROM t WHERE id > 1", 1, false, false, false, false},
		{"SELECT count(*) FROM t WHERE id = 1", 1, false, false, false, false},
		{"SELECT * FROM two WHERE a = 1", 1, false, false, false, false},
		{"SELECT * FROM two WHERE a = 1 AND b = $1", 1, false, false, false, true},
		{"SELECT * FROM w WHERE id = 1", 1, false, false, false, false},
		{"SELECT * FROM t a, t b, two", 2, false, false, false, false},
		{"SELECT relname FROM pg_class", 0, true, false, false, false},
		{"SELECT nextval('t_id_seq')", 0, false, true, false, false},
	} {
		plan, err := d.compile(c.sql)
		if err != nil {
			if c.volatile {
				continue
			}
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		q := plan.(*pgsql.Query)
		if len(q.Reads) != c.reads || q.System != c.system || q.Volatile != c.volatile || q.Stable != c.stable || q.Point != c.point {
			t.Errorf("%s: reads %d system %v volatile %v stable %v point %v", c.sql, len(q.Reads), q.System, q.Volatile, q.Stable, q.Point)
		}
	}
}

// TestParamTypes checks the types that parameters get from what is around them.
func TestParamTypes(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE t (i2 int2, i4 int4 PRIMARY KEY, i8 int8, n numeric(10,2), f float8, s text, v varchar(5), d date, ts timestamptz, b bool, j jsonb, a int[])")
	for _, c := range []struct {
		sql  string
		want string
	}{
		{"SELECT * FROM t WHERE i2 = $1 AND i8 > $2", "smallint, bigint"},
		{"SELECT $1 + 1, 1.5 * $2, $3 || 'x'", "integer, numeric, text"},
		{"SELECT * FROM t WHERE s LIKE $1 AND v = $2", "text, text"},
		{"SELECT * FROM t WHERE i4 IN ($1, $2) OR i4 = ANY($3)", "integer, integer, integer[]"},
		{"SELECT * FROM t WHERE d BETWEEN $1 AND $2 AND ts < $3", "date, date, timestamp with time zone"},
		{"SELECT coalesce($1, 5), CASE WHEN $2 THEN $3 ELSE 1.5 END", "integer, boolean, numeric"},
		{"SELECT $1::int, $1 + 1", "integer"},
		{"SELECT d + $1 FROM t", ""},
		{"SELECT ts - $1 FROM t", "timestamp with time zone"},
		{"SELECT * FROM t LIMIT $1 OFFSET $2", "bigint, bigint"},
		{"SELECT $1, $2 UNION SELECT i4, s FROM t", "integer, text"},
		{"SELECT $1", "text"},
		{"SELECT * FROM t WHERE (i4, s) = ($1, $2)", "integer, text"},
		{"SELECT j -> $1, j @> $2, j ->> $3 FROM t", "text, jsonb, text"},
		{"SELECT * FROM t WHERE f = $1 AND n = $2 AND b = $3 AND NOT $4", "double precision, numeric, boolean, boolean"},
		{"SELECT upper($1), length($2), round($3, 2), date_trunc('day', $4)", ""},
		{"SELECT upper($1), length($2), round($3, 2)", "text, text, numeric"},
		{"SELECT ARRAY[$1, 2], a || $2 FROM t", "integer, integer[]"},
		{"SELECT * FROM (VALUES ($1, 1), (2, $2)) v", "integer, integer"},
		{"SELECT * FROM generate_series($1, 10)", "integer"},
		{"SELECT * FROM t WHERE i4 = (SELECT max(i4) FROM t WHERE s = $1)", "text"},
		{"SELECT $2::text", ""},
		{"SELECT $1 IS NULL", ""},
	} {
		plan, err := d.compile(c.sql)
		got := ""
		if err == nil {
			for i, p := range plan.(*pgsql.Query).Params {
				if i > 0 {
					got += ", "
				}
				got += catalog.FormatTypeName(p)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s (%v), want %s", c.sql, got, err, c.want)
		}
	}
}

package pgsql_test

import (
	"fmt"
	"testing"

	"layercake/catalog"
	"layercake/pgsql"
)

func TestCopyPlans(t *testing.T) {
	x := prepared(t, `CREATE TABLE t (id serial PRIMARY KEY, a int CHECK (a > 0), b text DEFAULT 'dd', c timestamptz DEFAULT now(), g int GENERATED ALWAYS AS (a * 2) STORED);
		CREATE TABLE u (a int, b text DEFAULT 'x')`)
	plan := func(sql string) *pgsql.Copy {
		t.Helper()
		p, err := x.compile(sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return p.(*pgsql.Copy)
	}
	p := plan("COPY u FROM STDIN WITH CSV HEADER QUOTE '''' NULL 'n' FORCE NOT NULL b")
	if got, want := fmt.Sprint(p.Format, p.Header, string(p.Delimiter), string(p.Quote), string(p.Escape), p.Null, p.ForceNotNull, p.Columns, p.Fill, p.Computed == nil, p.Stdin), "csvtrue,''n[1] [0 1] [0 1] true true"; got != want {
		t.Errorf("old syntax: got %s, want %s", got, want)
	}
	p = plan("COPY u (a) FROM STDIN (FREEZE)")
	if p.Computed != nil || p.Fill[1] != -1 || string(p.Defaults[1].Bytes) != "x" || p.Delimiter != '\t' || p.Null != `\N` {
		t.Errorf("defaults: %+v", p)
	}
	p = plan("COPY t (a, b) FROM STDIN")
	if p.Computed == nil || len(p.Insert.Checks) != 1 || len(p.Insert.Uniques) != 1 || fmt.Sprint(p.Insert.NotNull) != "[0]" {
		t.Fatalf("computed: %+v", p.Insert)
	}
	row := make([]catalog.Value, 5)
	row[1], row[2] = catalog.Int(4), catalog.Str("given")
	got := x.queryAt(p.Computed, at{now: row})[0]
	if got[0].Int() != 1 || got[1].Int() != 4 || string(got[2].Bytes) != "given" || got[3].IsNull() || got[4].Int() != 8 || !got[5].Bool() {
		t.Errorf("computed row: %v", got)
	}
	row[1] = catalog.Int(-4)
	if got := x.queryAt(p.Computed, at{now: row})[0]; got[0].Int() != 2 || got[5].Bool() || got[5].IsNull() {
		t.Errorf("a row that fails the check: %v", got)
	}
	p = plan("COPY (SELECT a, b FROM u ORDER BY a) TO STDOUT (FORMAT csv, FORCE_QUOTE (b), DELIMITER ';')")
	if p.Query == nil || len(p.Query.Columns) != 2 || fmt.Sprint(p.ForceQuote) != "[1]" || p.Delimiter != ';' || !p.Stdout {
		t.Errorf("query: %+v", p)
	}
	p = plan("COPY t TO STDOUT")
	if fmt.Sprint(p.Columns) != "[0 1 2 3]" || len(p.Query.Columns) != 4 {
		t.Errorf("table: %+v", p)
	}
}

package catalog_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"layercake/catalog"
)

// TestTablesAgreeWithPostgreSQL holds the tables of functions, operators and casts against what PostgreSQL 15's
// pg_proc, pg_operator and pg_cast say of the same OIDs.
func TestTablesAgreeWithPostgreSQL(t *testing.T) {
	b, err := os.ReadFile("testdata/pg15_tables.tsv")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{} // kind and key → rest
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSuffix(line, "\n")
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 && f[0] == "c" {
			target, context, _ := strings.Cut(f[2], "\t")
			want["c"+f[1]+">"+target] = context
		} else if len(f) == 3 {
			want[f[0]+f[1]] = f[2]
		}
	}
	check := func(key, got string) {
		t.Helper()
		w, ok := want[key]
		if !ok {
			t.Errorf("%s (%s) is not PostgreSQL's, or stands here twice", key, got)
		} else if w != got {
			t.Errorf("%s:\n got  %s\n want %s", key, got, w)
		}
		delete(want, key)
	}
	tf := map[bool]string{true: "t", false: "f"}
	for _, f := range catalog.Functions() {
		if f.Schema != "pg_catalog" {
			continue
		}
		var args []string
		for _, a := range f.Args {
			args = append(args, fmt.Sprint(a))
		}
		check(fmt.Sprintf("f%d", f.OID), fmt.Sprintf("%s\t%s\t%d\t%s\t%c\t%s\t%c\t%d\t%s", f.Name, strings.Join(args, ","), f.Ret,
			tf[f.RetSet], f.Kind, tf[f.Strict], f.Volatility, f.Defaults, tf[f.Variadic]))
	}
	for _, o := range catalog.Operators() {
		check(fmt.Sprintf("o%d", o.OID), fmt.Sprintf("%s\t%d\t%d\t%d\t%s\t%s", o.Name, o.Left, o.Right, o.Ret, o.Commutator, o.Negator))
	}
	for _, c := range catalog.Casts() {
		check(fmt.Sprintf("c%d>%d", c.Source, c.Target), string(c.Context))
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
}

func TestFunctionsOfLayercake(t *testing.T) {
	seen := map[uint32]bool{}
	for _, f := range catalog.Functions() {
		if seen[f.OID] {
			t.Errorf("OID %d is used twice", f.OID)
		}
		seen[f.OID] = true
		if f.Schema == "layercake" && (f.OID < 8000 || f.OID >= 10000) {
			t.Errorf("%s has the OID %d", f.Name, f.OID)
		}
		if len(f.ArgDefaults) != f.Defaults || len(f.OutNames) != len(f.OutTypes) {
			t.Errorf("%s: defaults %v of %d, columns %v of types %v", f.Name, f.ArgDefaults, f.Defaults, f.OutNames, f.OutTypes)
		}
	}
}

func TestFindCast(t *testing.T) {
	for _, test := range []struct {
		src, dst uint32
		context  string // "" for no cast
		impl     string
	}{
		{catalog.Int4OID, catalog.Int8OID, "i", ""},
		{catalog.Int8OID, catalog.Int4OID, "a", "lc_to4($1)"},
		{catalog.Int4OID, catalog.TextOID, "a", "CAST($1 AS TEXT)"},
		{catalog.TextOID, catalog.Int4OID, "e", "lc_in($1, $rt, $m, NULL)"},
		{catalog.TextOID, catalog.DateOID, "e", "lc_in($1, $rt, $m, $env)"},
		{catalog.IntervalOID, catalog.TextOID, "a", "lc_out($1, $t1, $m1, $env)"},
		{catalog.UUIDOID, catalog.VarcharOID, "a", "lc_out($1, $t1, $m1, NULL)"},
		{catalog.BoolOID, catalog.TextOID, "a", "CASE $1 WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"},
		{catalog.VarcharOID, catalog.VarcharOID, "i", "lc_varchar_typmod($1, $m, $x)"},
		{catalog.Int4ArrayOID, catalog.Int8ArrayOID, "i", ""},
		{catalog.Int8ArrayOID, catalog.Int4ArrayOID, "a", "lc_array_cast($1, $t1, $rt, $env)"},
		{catalog.TextOID, catalog.RegclassOID, "i", "@reg_in"},
		{catalog.RegclassOID, catalog.TextOID, "a", "@reg_out"},
		{catalog.TimestamptzOID, catalog.DateOID, "a", "lc_ts_date(lc_tstz_ts($1, $tz))"},
		{catalog.BoolOID, catalog.Int8OID, "", ""},
		{catalog.DateOID, catalog.Int4OID, "", ""},
		{catalog.Int4OID, catalog.Int4OID, "", ""},
		{catalog.Int4ArrayOID, catalog.Int4OID, "", ""},
		{catalog.TextOID, catalog.PointOID, "", ""},
	} {
		c, ok := catalog.FindCast(test.src, test.dst)
		name := catalog.FormatTypeName(test.src) + " to " + catalog.FormatTypeName(test.dst)
		if ok != (test.context != "") {
			t.Errorf("%s: found %v", name, ok)
		} else if ok && (string(c.Context) != test.context || c.Impl != test.impl) {
			t.Errorf("%s: got %c %q, want %s %q", name, c.Context, c.Impl, test.context, test.impl)
		}
	}
}

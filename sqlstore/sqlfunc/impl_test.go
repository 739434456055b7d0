package sqlfunc_test

import (
	"regexp"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore/sqlfunc"
)

var anyVariable = regexp.MustCompile(`\$[a-z]*[0-9]*`)

// fill makes SQL of a template whose variables all stand for something.
func fill(impl string, nargs int) string {
	if regexp.MustCompile(`^[a-z_][a-z0-9_]*$`).MatchString(impl) {
		return impl + "(" + strings.TrimSuffix(strings.Repeat("NULL, ", nargs), ", ") + ")"
	}
	args := strings.TrimSuffix(strings.Repeat("NULL, ", max(nargs, 1)), ", ")
	impl = strings.ReplaceAll(impl, "$args", args)
	impl = strings.ReplaceAll(impl, "$targs2", "25, -1, NULL, 25, -1, NULL")
	impl = strings.ReplaceAll(impl, "$targs", "25, -1, NULL, 25, -1, NULL")
	return anyVariable.ReplaceAllString(impl, "NULL")
}

// TestImplsCompile prepares every Impl: each names functions that exist, with as many arguments as they take.
func TestImplsCompile(t *testing.T) {
	c := open(t)
	check := func(what, sql string) {
		t.Helper()
		if _, err := c.Stmt(sql); err != nil {
			t.Errorf("%s: %s: %v", what, sql, err)
		}
	}
	for _, f := range catalog.Functions() {
		if strings.HasPrefix(f.Impl, "@") {
			continue
		}
		call, final, _ := strings.Cut(f.Impl, " => ")
		expr := fill(call, len(f.Args))
		if f.Name == "count" && len(f.Args) == 0 {
			expr = "count(*)"
		}
		switch {
		case strings.HasPrefix(f.Impl, "lc_series(") || strings.HasPrefix(f.Impl, "lc_unnest("):
			check(f.Name, "SELECT * FROM "+expr)
			continue
		case f.Kind == 'w':
			check(f.Name, "SELECT "+expr+" OVER (ORDER BY x) FROM (SELECT 1 AS x)")
			continue
		case f.Kind == 'a' && (f.Name == "percentile_cont" || f.Name == "percentile_disc" || f.Name == "mode"):
		case f.Kind == 'a':
			check(f.Name, "SELECT "+expr+" OVER (ORDER BY x) FROM (SELECT 1 AS x)")
		}
		if final != "" {
			expr = strings.ReplaceAll(final, "$1", "("+expr+")")
			expr = fill(expr, 1)
		}
		check(f.Name, "SELECT "+expr)
		if f.Distinct != "" {
			call, final, _ := strings.Cut(f.Distinct, " => ")
			name, rest, _ := strings.Cut(fill(call, 1), "(")
			expr := name + "(DISTINCT " + rest
			check(f.Name, "SELECT "+fill(strings.ReplaceAll(final, "$1", "("+expr+")"), 1))
		}
	}
	for _, o := range catalog.Operators() {
		check("operator "+o.Name, "SELECT "+fill(o.Impl, 2))
	}
	for _, k := range catalog.Casts() {
		if !strings.HasPrefix(k.Impl, "@") && k.Impl != "" {
			check("cast", "SELECT "+fill(k.Impl, 1))
		}
	}
}

// TestEveryFunctionIsUsed holds that no function is registered that nothing names.
func TestEveryFunctionIsUsed(t *testing.T) {
	used := map[string]bool{}
	text := ""
	for _, f := range catalog.Functions() {
		text += f.Impl + " " + f.Distinct + " "
	}
	for _, o := range catalog.Operators() {
		text += o.Impl + " "
	}
	for _, k := range catalog.Casts() {
		text += k.Impl + " "
	}
	text += "lc_in lc_out lc_array_cast lc_json_row lc_to_json_null lc_text lc_record lc_record_out" +
		" lc_format_type lc_array_typmod lc_json_array_text" +
		" lc_reg_name lc_reg_text lc_reg_result lc_reg_results lc_record_array_key lc_named_record lc_jsonb_array_key lc_record_key lc_jsonb_cmp lc_ts_days lc_tstz_first lc_tstz_last lc_tstz_near" // what FindCast and pgsql emit
	for _, n := range regexp.MustCompile(`lc_[a-z0-9_]+`).FindAllString(text, -1) {
		used[n] = true
	}
	for _, n := range sqlfunc.Names() {
		if !used[n] {
			t.Errorf("%s is registered and used nowhere", n)
		}
	}
}

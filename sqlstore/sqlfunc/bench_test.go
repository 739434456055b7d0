package sqlfunc_test

import (
	"testing"

	"layercake/catalog"
)

// BenchmarkFunctions times calls per row, SQLite's own work included.
func BenchmarkFunctions(b *testing.B) {
	c := open(b)
	env := "'" + catalog.DefaultOutput().String() + "'"
	for _, f := range []struct{ name, expr string }{
		{"none", "value"},
		{"c", "lc_add4(value, 1)"},
		{"out", "lc_out(value, 1114, -1, " + env + ")"},
		{"in", "lc_in('2024-01-' || (10 + value % 10), 1114, -1, " + env + ")"},
		{"tz", "lc_tstz_ts(value, 'Europe/Berlin')"},
		{"at", "lc_tstz_at(value, 'Europe/Berlin')"},
		{"trunc", "lc_date_trunc('day', value)"},
		{"extract", "lc_extract('year', value, 1114, 'UTC')"},
		{"to_char", "lc_to_char_ts(value, 'YYYY-MM-DD HH24:MI:SS')"},
		{"regex", "lc_regex(value, '^[0-9]+5$', '')"},
		{"json", `lc_jsonb_get_text('{"a": ' || value || ', "b": {"c": 2}}', 'b')`},
		{"contains", `lc_jsonb_contains('{"a": ' || value || ', "b": {"c": 2}}', '{"a": 1}')`},
		{"replace", "lc_replace(value, '1', 'x')"},
		{"array", "lc_array_to_string(x'010001000000', ',', NULL, 1007, " + env + ")"},
	} {
		b.Run(f.name, func(b *testing.B) {
			stmt, err := c.Stmt("SELECT count(" + f.expr + ") FROM lc_series(1, 1000)")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				rows, err := stmt.Query(nil)
				if err != nil {
					b.Fatal(err)
				}
				for rows.Next() {
				}
				if err := rows.Err(); err != nil {
					b.Fatal(err)
				}
				rows.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}

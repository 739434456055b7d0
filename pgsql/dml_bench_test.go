package pgsql_test

import (
	"fmt"
	"strings"
	"testing"

	"layercake/pgsql"
)

// BenchmarkCompileModify compiles statements that benchmarks and drivers send, from text to plan.
func BenchmarkCompileModify(b *testing.B) {
	var many strings.Builder
	many.WriteString("INSERT INTO t (id, a, b) VALUES ")
	for i := range 1000 {
		if i > 0 {
			many.WriteString(", ")
		}
		fmt.Fprintf(&many, "(%d, %d, 'row %d')", i, i, i)
	}
	for _, c := range []struct{ name, sql string }{
		{"update", "UPDATE t SET a = a + $1 WHERE id = $2"},
		{"insert", "INSERT INTO t (id, a, b) VALUES ($1, $2, $3)"},
		{"upsert", "INSERT INTO t (id, a, b) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET a = t.a + excluded.a RETURNING *"},
		{"delete", "DELETE FROM t WHERE id = $1"},
		{"insert1000", many.String()},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := prepared(b, "CREATE TABLE t (id int PRIMARY KEY, a int, b text UNIQUE, c timestamptz DEFAULT now())")
			for b.Loop() {
				list, err := pgsql.Parse(c.sql)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := pgsql.Compile(list[0], x.env, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package pgsql_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"layercake/catalog"
	"layercake/pgsql"
)

func itoa(i int) string { return strconv.Itoa(i) }

// querySQL is the SQLite SQL of a plan.
func querySQL(p pgsql.Plan) string {
	switch p := p.(type) {
	case *pgsql.Query:
		return p.SQL
	case *pgsql.Modify:
		return p.Source.SQL
	}
	return fmt.Sprintf("%T", p)
}

// TestSQL compares the SQL that queries become with testdata/sql/*.txtar (-update rewrites them).
func TestSQL(t *testing.T) {
	files, err := filepath.Glob("testdata/sql/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := newDB(t)
			d.run(string(ar.Comment))
			for i := range ar.Files {
				f := &ar.Files[i]
				sql, want, _ := strings.Cut(string(f.Data), "----\n")
				got := d.describe(sql)
				if *update {
					f.Data = []byte(strings.TrimSpace(sql) + "\n----\n" + got)
					continue
				}
				if got != want {
					t.Errorf("%s: %s\ngot:\n%s\nwant:\n%s", f.Name, sql, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// describe shows what a query compiles to.
func (d *db) describe(sql string) string {
	plan, err := d.compile(sql)
	if err != nil {
		return showError(err)
	}
	q, ok := plan.(*pgsql.Query)
	if !ok {
		return querySQL(plan) + "\n"
	}
	var b strings.Builder
	b.WriteString(q.SQL + "\n")
	for i, a := range q.Args {
		fmt.Fprintf(&b, "?%d: ", i+1)
		switch a.Kind {
		case pgsql.ArgConst:
			if a.Value.Kind == catalog.Integer {
				fmt.Fprintf(&b, "%d\n", a.Value.Int())
			} else {
				fmt.Fprintf(&b, "%q\n", a.Value.Bytes)
			}
		case pgsql.ArgParam:
			fmt.Fprintf(&b, "$%d\n", a.Index+1)
		default:
			fmt.Fprintf(&b, "%d %s\n", a.Kind, a.Name)
		}
	}
	for i, p := range q.Params {
		fmt.Fprintf(&b, "$%d: %s\n", i+1, catalog.FormatTypeName(p))
	}
	for _, c := range q.Columns {
		fmt.Fprintf(&b, "%s: %s\n", c.Name, catalog.FormatType(c.Type, c.Typmod))
	}
	return b.String()
}

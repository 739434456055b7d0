package pgsql_test

import (
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"layercake/pgsql"
)

// TestPsqlQueries runs the queries that psql's backslash commands send: each must compile and run. 99999 in them stands
// for the OID of table a.
func TestPsqlQueries(t *testing.T) { runQueries(t, "testdata/psql.txtar") }

// TestDriverQueries runs what drivers, object mappers and tools ask of the catalogs.
func TestDriverQueries(t *testing.T) { runQueries(t, "testdata/drivers.txtar") }

func runQueries(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := newDB(t)
	d.run(string(ar.Comment))
	d.refreshSystem()
	oid := d.env.Schema.Relation("public", "a").OID
	for _, f := range ar.Files {
		t.Run(f.Name, func(t *testing.T) {
			sql := strings.ReplaceAll(string(f.Data), "99999", itoa(int(oid)))
			plan, err := d.compile(sql)
			if err != nil {
				t.Fatalf("%s\n%s", sql, showError(err))
			}
			q := plan.(*pgsql.Query)
			rows, err := d.query(q, nil)
			if err != nil {
				t.Fatalf("%s\n%s\n%s", sql, err, q.SQL)
			}
			t.Logf("%d rows", len(rows))
		})
	}
}

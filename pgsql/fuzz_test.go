package pgsql_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"layercake/pgsql"
)

// FuzzCompile checks that no text makes Parse or Compile panic, and that what compiles is SQL that SQLite takes.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.txtar")
	more, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range txtar.Parse(data).Files {
			sql, _, _ := strings.Cut(string(x.Data), "----\n")
			f.Add(sql)
		}
	}
	for _, sql := range []string{
		"INSERT INTO emp (id, name) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *",
		"UPDATE emp SET salary = salary + 1 FROM dept WHERE dept = code RETURNING emp.*", "DELETE FROM emp USING dept WHERE code = dept",
		"CREATE TABLE x (a int DEFAULT 1, CHECK (a > 0))", "CREATE VIEW v AS SELECT * FROM emp", "COPY emp FROM STDIN",
	} {
		f.Add(sql)
	}
	d := newDB(f)
	d.run(`CREATE TABLE emp (id int PRIMARY KEY, name text NOT NULL, dept text, salary numeric(10,2), hired date, boss int, active boolean, x float8);
		CREATE TABLE dept (code text PRIMARY KEY, title text, size int);
		CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL, n numeric(10,2), d date, b boolean, big int8)`)
	f.Fuzz(func(t *testing.T, sql string) {
		list, err := pgsql.Parse(sql)
		if err != nil {
			return
		}
		for _, st := range list {
			plan, err := pgsql.Compile(st, d.env, nil)
			if err != nil {
				continue
			}
			q, ok := plan.(*pgsql.Query)
			if !ok {
				continue
			}
			if _, err := d.conn.StoreStmt(q.SQL); err != nil && !strings.Contains(err.Error(), "no such function") {
				t.Errorf("%s\n%s\n%v", st.Text, q.SQL, err)
			}
		}
	})
}

package pgsql_test

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/tools/txtar"

	"layercake/pgerror"
	"layercake/pgsql"
)

// FuzzStatements compiles anything that parses, over a schema with a bit of everything: no input may panic, and every
// error is one that a client may see.
func FuzzStatements(f *testing.F) {
	for _, pattern := range []string{"testdata/ddl/*.txtar", "testdata/dml/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				f.Fatal(err)
			}
			for i := 0; i+1 < len(ar.Files); i += 2 {
				list, err := pgsql.Parse(string(ar.Files[i].Data))
				if err != nil {
					f.Fatal(err)
				}
				for _, st := range list {
					f.Add(st.Text)
				}
			}
		}
	}
	for _, s := range []string{
		"COPY t FROM STDIN WITH CSV HEADER", "COPY t (a, b) TO STDOUT (FORMAT csv, FORCE_QUOTE *)", "COPY (SELECT * FROM t) TO STDOUT BINARY",
		"PREPARE p (int) AS SELECT $1", "EXECUTE p (1, 'x')", "DECLARE c CURSOR FOR SELECT * FROM t", "FETCH ALL FROM c", "EXPLAIN (ANALYZE, FORMAT json) DELETE FROM t",
		"SET search_path TO a, b", "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY", "LOCK TABLE t IN SHARE MODE",
		"VACUUM (FULL, ANALYZE) t (a)", "CREATE ROLE r LOGIN PASSWORD 'x' VALID UNTIL '2030-01-01' IN ROLE postgres", "GRANT postgres TO postgres", "ALTER ROLE postgres SET work_mem = '1MB'",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		o := newObjects(t)
		setup, err := pgsql.Parse(`CREATE TABLE p (id serial PRIMARY KEY, x text UNIQUE); CREATE VIEW v AS SELECT * FROM p; CREATE SEQUENCE s;
			CREATE TABLE t (a int GENERATED ALWAYS AS IDENTITY, b text DEFAULT 'x' CHECK (b <> ''), c numeric(10,2), d int REFERENCES p ON DELETE CASCADE,
			e int GENERATED ALWAYS AS (d * 2) STORED, PRIMARY KEY (a, b)); CREATE INDEX ON t (lower(b)) WHERE c > 0`)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range setup {
			if out := o.run(t, st); out != "" {
				t.Fatal(out)
			}
		}
		list, err := pgsql.Parse(sql)
		if err != nil {
			return
		}
		for _, st := range list {
			p, err := pgsql.Compile(st, o.env, nil)
			var e *pgerror.Error
			if err != nil && (!errors.As(err, &e) || len(e.Code) != 5) {
				t.Fatalf("%s: %v", st.Text, err)
			}
			if x, ok := p.(*pgsql.Execute); ok {
				_, _ = x.Bind(make([]uint32, x.NArgs))
			}
		}
	})
}

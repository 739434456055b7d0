package pgsql_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"layercake/pgerror"
	"layercake/pgsql"
)

// seedStatements are the statements of the golden files and some more.
func seedStatements(t testing.TB) []string {
	out := []string{
		"COPY t FROM STDIN WITH CSV HEADER", "COPY t (a, b) TO STDOUT (FORMAT csv, FORCE_QUOTE *)", "COPY (SELECT * FROM t) TO STDOUT BINARY",
		"PREPARE p (int) AS SELECT $1", "EXECUTE p (1, 'x')", "DECLARE c CURSOR FOR SELECT * FROM t", "FETCH ALL FROM c", "EXPLAIN (ANALYZE, FORMAT json) DELETE FROM t",
		"SET search_path TO a, b", "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY", "LOCK TABLE t IN SHARE MODE",
		"VACUUM (FULL, ANALYZE) t (a)", "CREATE ROLE r LOGIN PASSWORD 'x' VALID UNTIL '2030-01-01' IN ROLE postgres", "GRANT postgres TO postgres", "ALTER ROLE postgres SET work_mem = '1MB'",
		"WITH x AS (INSERT INTO p (x) VALUES ('a') RETURNING *) UPDATE t SET (b, c) = (SELECT x, 1.5 FROM x) FROM p WHERE p.id = t.d RETURNING t.*, p.x",
		"INSERT INTO t (b, d) SELECT x, id FROM p ON CONFLICT (a, b) DO UPDATE SET c = excluded.c + t.c WHERE t.b <> 'y' RETURNING a, e + 1",
	}
	for _, pattern := range []string{"testdata/ddl/*.txtar", "testdata/dml/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(ar.Files); i += 2 {
				list, err := pgsql.Parse(string(ar.Files[i].Data))
				if err != nil {
					t.Fatal(err)
				}
				for _, st := range list {
					out = append(out, st.Text)
				}
			}
		}
	}
	return out
}

// someOfAll is a schema with a bit of everything.
func someOfAll(t testing.TB) *objects {
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
	return o
}

// compileAny compiles anything: no input may panic, and every error is one that a client may see.
func compileAny(t testing.TB, o *objects, sql string) (parsed int) {
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("%s\npanic: %v\n%s", sql, r, debug.Stack())
		}
	}()
	list, err := pgsql.Parse(sql)
	if err != nil {
		return 0
	}
	for _, st := range list {
		parsed++
		p, err := pgsql.Compile(st, o.env, nil)
		var e *pgerror.Error
		if err != nil && (!errors.As(err, &e) || len(e.Code) != 5 || e.Code == pgerror.InternalError) {
			t.Errorf("%s: %v", st.Text, err)
		}
		if x, ok := p.(*pgsql.Execute); ok {
			_, _ = x.Bind(make([]uint32, x.NArgs))
		}
	}
	return parsed
}

func FuzzStatements(f *testing.F) {
	for _, s := range seedStatements(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) { compileAny(t, someOfAll(t), sql) })
}

// TestSplicedStatements compiles statements with words exchanged, left out and doubled: what a fuzzer would try, but
// with a good part of it still parsing.
func TestSplicedStatements(t *testing.T) {
	seeds := seedStatements(t)
	words := make([][]string, len(seeds))
	for i, s := range seeds {
		words[i] = strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ", ",", " , ").Replace(s))
	}
	rng := rand.New(rand.NewPCG(7, uint64(*splices)))
	o := someOfAll(t)
	names := strings.Fields("t p v s a b c d e id x public t_pkey p_pkey 1 'x' NULL DEFAULT * int text")
	parsed := 0
	for range *splices {
		w := slices.Clone(words[rng.IntN(len(words))])
		for range 1 + rng.IntN(3) {
			i := rng.IntN(len(w))
			other := words[rng.IntN(len(words))]
			if rng.IntN(3) == 0 {
				other = names
			}
			switch rng.IntN(4) {
			case 0:
				w[i] = other[rng.IntN(len(other))]
			case 1:
				w = slices.Insert(w, i, other[rng.IntN(len(other))])
			case 2:
				if len(w) > 1 {
					w = slices.Delete(w, i, i+1)
				}
			case 3:
				w[i] = w[rng.IntN(len(w))]
			}
		}
		parsed += compileAny(t, o, strings.Join(w, " "))
	}
	if parsed < *splices/50 {
		t.Errorf("only %d of %d statements parsed: the test tries too little", parsed, *splices)
	}
}

var splices = flag.Int("splices", 3000, "statements that TestSplicedStatements tries")

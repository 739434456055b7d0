package pgsql_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	pg "github.com/pganalyze/pg_query_go/v6"
	"golang.org/x/tools/txtar"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// shapeOf is the text that a query shares with those that differ in literals, and the literals' values there.
func shapeOf(d *db, sql string) string {
	_, literals, ok := pgsql.Literals(sql, nil, nil)
	if !ok {
		return "no literals"
	}
	list, err := pgsql.Parse(sql)
	if err != nil {
		return err.Error()
	}
	sh := pgsql.Parameterize(sql, literals, list)
	if sh == nil {
		return "no shape"
	}
	plan, err := pgsql.Compile(sh.Statement, d.env, sh.Types)
	if err != nil {
		return err.Error()
	}
	types := paramsOf(plan)
	if !sh.Suits(types) {
		return "does not suit"
	}
	vals, ok := sh.Values(sql, literals, types, d.env.Output)
	if !ok {
		return "no values"
	}
	out := strings.Join(strings.Fields(sh.Statement.Text), " ")
	for i, v := range vals {
		out += fmt.Sprintf("; %s %s", catalog.TypeByOID(types[i]).Name, catalog.AppendText(nil, types[i], -1, v, d.env.Output))
	}
	return out
}

func paramsOf(plan pgsql.Plan) []uint32 {
	switch p := plan.(type) {
	case *pgsql.Query:
		return p.Params
	case *pgsql.Modify:
		return p.Params
	}
	return nil
}

func literalDB(t testing.TB) *db {
	d := newDB(t)
	d.run(`CREATE TABLE t (id int PRIMARY KEY, name varchar(20), n numeric(10,2), f float8, ts timestamp, big int8, b boolean);
		CREATE TABLE u (k text PRIMARY KEY, iv interval, c char(5))`)
	for i := range 6 {
		d.values(fmt.Sprintf("INSERT INTO t VALUES (%d, 'n%d', %d.50, %d.25, '2024-01-0%d 00:00:00', %d, %v)", i, i, i, i, i+1, int64(i)<<40, i%2 == 0))
	}
	d.values("INSERT INTO u VALUES ('a', '1 day', 'x'), ('it''s', NULL, 'yy')")
	return d
}

func TestShapes(t *testing.T) {
	d := literalDB(t)
	for _, c := range []struct{ sql, want string }{
		{"SELECT n FROM t WHERE id = 12;", "SELECT n FROM t WHERE id = $1; int4 12"},
		{"SELECT n FROM t WHERE id=-12 AND 3000000000<big", "SELECT n FROM t WHERE id= $1 AND $2 <big; int4 -12; int8 3000000000"},
		{"SELECT n FROM t WHERE n <> - 1.50 OR NOT f >= 1e3", "SELECT n FROM t WHERE n <> $1 OR NOT f >= $2; numeric -1.50; numeric 1000"},
		{"SELECT n FROM t WHERE name = 'it''s' AND ts < '2024-01-01'", "SELECT n FROM t WHERE name = $1 AND ts < $2; text it's; timestamp 2024-01-01 00:00:00"},
		{"SELECT n FROM t WHERE id BETWEEN 1 AND 3 ORDER BY 1 LIMIT 5", "SELECT n FROM t WHERE id BETWEEN $1 AND $2 ORDER BY 1 LIMIT 5; int4 1; int4 3"},
		{"UPDATE t SET n = n + -5, name = 'x', big = 7 WHERE id = 1", "UPDATE t SET n = n + $1 , name = $2 , big = $3 WHERE id = $4; int4 -5; varchar x; int4 7; int4 1"},
		{"INSERT INTO t (id, n, b) VALUES (1, 2.5, true), (-2, 1, 't')", "INSERT INTO t (id, n, b) VALUES ( $1 , $2 , true), ( $3 , $4 , $5 ); int4 1; numeric 2.5; int4 -2; int4 1; bool t"},
		{"DELETE FROM t WHERE id = 1 AND name LIKE 'a%' AND n = '1'::numeric", "DELETE FROM t WHERE id = $1 AND name LIKE 'a%' AND n = '1'::numeric; int4 1"},
		{`SELECT n AS "1" FROM t t1 WHERE "id" = 5 AND id - 5 = 2`, `SELECT n AS "1" FROM t t1 WHERE "id" = $1 AND id - 5 = 2; int4 5`},
		{"SELECT 5, 'x' FROM t WHERE id = (SELECT 3) OR b", "no shape"},
		{"SELECT n FROM t WHERE id = 1; SELECT 2", "no literals"},
		{"SELECT n FROM t WHERE id = $1 AND n = 5", "no literals"},
		{"SELECT n FROM t WHERE name = E'a' AND id = 1", "no literals"},
		{"SELECT n FROM t WHERE name = U&'a' AND id = 1", "no literals"},
		{"SELECT n FROM t WHERE name = $$a$$ AND id = 1", "no literals"},
		{"SELECT n FROM t WHERE name = 'a'\n'b' AND id = 1", "no literals"},
		{"SELECT n FROM t WHERE id = 1 -- one", "no literals"},
		{"SELECT n FROM t WHERE id /* ' */ = 1", "no literals"},
		{"SELECT n FROM t WHERE id = 0x10", "no literals"},
		{"SELECT n FROM t WHERE id = 1_000", "no literals"},
		{"SELECT n FROM t WHERE id = -2147483648", "no literals"},
		{"SELECT n FROM t WHERE name = 'a", "no literals"},
		{"SELECT n FROM t WHERE id = 'x'", "no values"},
		{"SELECT n FROM t WHERE ts < 'now'", "no values"},
		{"SELECT k FROM u WHERE iv = '1 day'", "does not suit"},
		{"SELECT k FROM u WHERE c = 'x  '", "SELECT k FROM u WHERE c = $1; bpchar x"},
	} {
		if got := shapeOf(d, c.sql); got != c.want {
			t.Errorf("%s\n got  %s\n want %s", c.sql, got, c.want)
		}
	}
}

// FuzzShapes holds the scan for literals against PostgreSQL's scanner, and what a statement does with parameters in the
// place of literals against what it does as it stands: with its own literals, and with others of the same classes.
func FuzzShapes(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.txtar")
	more, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range append(files, more...) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, x := range txtar.Parse(data).Files {
			sql, _, _ := strings.Cut(string(x.Data), "----\n")
			f.Add(sql, uint64(len(sql)))
		}
	}
	for _, sql := range []string{
		"SELECT * FROM t WHERE id = 3", "SELECT * FROM t WHERE big <= -3 AND name <> 'n1'", "SELECT count(*), 5 FROM t WHERE n > 1.5 OR f < 2e0",
		"SELECT id FROM t WHERE ts BETWEEN '2024-01-02' AND '2024-01-04' ORDER BY 1 LIMIT 3", "SELECT * FROM u WHERE k = 'it''s'",
		"SELECT a.id FROM t a, t b WHERE a.id = b.id AND a.id=2 AND b.n-1=2", "SELECT id FROM t WHERE id = '3' AND n = '1.5' AND b = 't'",
		"SELECT name FROM t WHERE name IN ('a', 'n2') AND 2<id GROUP BY name HAVING count(*) > 0",
	} {
		f.Add(sql, uint64(7))
	}
	d := literalDB(f)
	f.Fuzz(func(t *testing.T, sql string, pick uint64) { checkShape(t, d, sql, pick) })
}

// TestRandomShapes is FuzzShapes on random conditions.
func TestRandomShapes(t *testing.T) {
	d := literalDB(t)
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	literal := func() string {
		return pick("", "", "-", "- ", "+") + pick("0", "3", "4", "12.50", "1e2", ".5", "3.", "2147483647", "2147483648", "3000000000", "9223372036854775808",
			"'n1'", "'3'", "'it''s'", "'2024-01-03'", "'t'", "''", "NULL", "true", "'3'::int", "date '2024-01-02'")
	}
	column := func() string { return pick("id", "name", "n", "f", "ts", "big", "b", "t.id", `"id"`) }
	var cond func(depth int) string
	cond = func(depth int) string {
		switch k := r.IntN(9); {
		case k == 0 && depth < 4:
			return pick("", "NOT ") + "(" + cond(depth+1) + pick(" AND ", " OR ") + cond(depth+1) + ")"
		case k == 1:
			return column() + " BETWEEN " + literal() + " AND " + literal()
		case k == 2:
			return column() + pick(" IN (", " NOT IN (") + literal() + ", " + literal() + ")"
		case k == 3:
			return column() + pick("-", " + ", "*") + literal() + pick("=", " < ") + literal()
		case k == 4:
			return literal() + pick("=", " <= ", "<>") + column()
		}
		return column() + pick("=", " <", "!=", ">= ", " > ", "<=", "=-") + literal()
	}
	for range 3000 {
		sql := "SELECT " + pick("*", "id, 5", "count(*)") + " FROM t WHERE " + cond(0) + pick("", "", ";", " ORDER BY 1", " LIMIT 2", " GROUP BY id, name, n, f, ts, big, b")
		checkShape(t, d, sql, r.Uint64())
	}
}

// checkShape is one step of FuzzShapes.
func checkShape(t *testing.T, d *db, sql string, pick uint64) {
	t.Helper()
	key, literals, ok := pgsql.Literals(sql, nil, nil)
	if !ok {
		return
	}
	if res, err := pg.Scan(sql); err == nil {
		var got, want []string
		for _, l := range literals {
			got = append(got, fmt.Sprint(l.At, l.End))
		}
		for _, k := range res.Tokens {
			switch k.Token {
			case pg.Token_ICONST, pg.Token_FCONST, pg.Token_SCONST:
				want = append(want, fmt.Sprint(k.Start, k.End))
			case pg.Token_PARAM, pg.Token_BCONST, pg.Token_XCONST, pg.Token_USCONST, pg.Token_SQL_COMMENT, pg.Token_C_COMMENT:
				t.Fatalf("%q: a token %v", sql, k.Token)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q: literals %v, PostgreSQL's are %v", sql, got, want)
		}
	}
	list, err := pgsql.Parse(sql)
	if err != nil {
		return
	}
	sh := pgsql.Parameterize(sql, literals, list)
	if sh == nil {
		return
	}
	plan, err := pgsql.Compile(sh.Statement, d.env, sh.Types)
	if err != nil || !sh.Suits(paramsOf(plan)) {
		return
	}
	other, kept := otherLiterals(sql, literals, pick), string(sh.Kept(nil, sql, literals))
	for _, sql := range []string{sql, other} {
		key2, literals, ok := pgsql.Literals(sql, nil, nil)
		if !ok || string(key2) != string(key) || string(sh.Kept(nil, sql, literals)) != kept {
			continue // a text that the shape is not used for
		}
		vals, ok := sh.Values(sql, literals, paramsOf(plan), d.env.Output)
		if !ok {
			continue
		}
		list, err := pgsql.Parse(sql)
		if err != nil || len(list) != 1 {
			t.Fatalf("%q parses, %q does not: %v", other, sql, err)
		}
		own, err := pgsql.Compile(list[0], d.env, nil)
		if err != nil {
			if code := pgerror.Code(err); code[:2] == "22" || code == "54001" {
				continue // the value; found when it runs otherwise
			}
			t.Fatalf("%q compiles, %q does not: %v", sh.Statement.Text, sql, err)
		}
		q, isQuery := plan.(*pgsql.Query)
		p, _ := own.(*pgsql.Query)
		if !isQuery || p == nil || q.Volatile {
			continue
		}
		if fmt.Sprint(q.Columns) != fmt.Sprint(p.Columns) {
			t.Fatalf("%q: columns %v, with parameters %v", sql, p.Columns, q.Columns)
		}
		want, wantErr := d.query(p, nil)
		got, gotErr := d.query(q, vals)
		if pgerror.Code(gotErr) != pgerror.Code(wantErr) || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%q: got %v (%v), with parameters %v (%v)", sql, want, wantErr, got, gotErr)
		}
	}
}

// otherLiterals gives the literals of a text other values of the same classes.
func otherLiterals(sql string, literals []pgsql.Literal, pick uint64) string {
	var b strings.Builder
	at := 0
	for i, l := range literals {
		n := (pick >> (i % 50)) % 7
		with := sql[l.At:l.End]
		switch {
		case pick>>(i%61)&1 == 0:
		case l.Class == pgsql.Int4Literal:
			with = fmt.Sprint(n)
		case l.Class == pgsql.Int8Literal:
			with = fmt.Sprint(n << 40)
		case l.Class == pgsql.NumericLiteral:
			with = fmt.Sprintf("%d.50", n)
		case l.Class == pgsql.StringLiteral:
			with = []string{"'n1'", "'3'", "'2024-01-03'", "'t'", "''", "'it''s'", "'1.5'"}[n]
		}
		b.WriteString(sql[at:l.At] + with)
		at = l.End
	}
	return b.String() + sql[at:]
}

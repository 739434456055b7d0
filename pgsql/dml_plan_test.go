package pgsql_test

import (
	"fmt"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/pgsql"
)

// prepared makes an executor over a table of several types.
func prepared(t testing.TB, script string) *executor {
	t.Helper()
	x := newExecutor(newDB(t))
	list, err := pgsql.Parse(script)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range list {
		if out := x.statement(st); out != "" && !strings.HasPrefix(out, "INSERT") {
			t.Fatal(st.Text, out)
		}
	}
	return x
}

func modify(t testing.TB, x *executor, sql string) *pgsql.Modify {
	t.Helper()
	p, err := x.compile(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return p.(*pgsql.Modify)
}

func TestInsertParameterTypes(t *testing.T) {
	x := prepared(t, "CREATE TABLE t (a int, b bigint, c text, d timestamptz, e numeric, f varchar(3))")
	tests := []struct {
		sql    string
		types  string
		values bool
	}{
		{"INSERT INTO t (a, b, c, d) VALUES ($1, $2, $3, $4)", "[23 20 25 1184]", true},
		{"INSERT INTO t (a, b) VALUES ($1, $1)", "[23]", true},
		{"INSERT INTO t (a) VALUES ($1 + 1)", "[23]", false},
		{"INSERT INTO t (c, d) VALUES ('x', now())", "[]", true},
		{"INSERT INTO t (a, c) VALUES ($1, 'x'), ($2, $3)", "[23 23 25]", true},
		{"INSERT INTO t (e, f) VALUES ($1, $2)", "[1700 1043]", false}, // the length has to be checked
		{"INSERT INTO t (a) SELECT $1", "[23]", false},
		{"UPDATE t SET a = a + $1 WHERE b = $2", "[23 20]", false},
		{"UPDATE t SET c = $1 WHERE a = $2", "[25 23]", false},
		{"DELETE FROM t WHERE a = $1 AND c = $2", "[23 25]", false},
		{"INSERT INTO t (a) VALUES ($1) ON CONFLICT DO NOTHING RETURNING a + $2", "[23 23]", true},
	}
	for _, c := range tests {
		m := modify(t, x, c.sql)
		if got := fmt.Sprint(m.Params); got != c.types {
			t.Errorf("%s: parameter types %s, want %s", c.sql, got, c.types)
		}
		if got := m.Values != nil; got != c.values {
			t.Errorf("%s: Values given: %t, want %t (%s)", c.sql, got, c.values, m.Source.SQL)
		}
	}
}

// TestFreshValues: numbers of sequences and UUIDs need no query where each comes out as the query's would, in its order.
func TestFreshValues(t *testing.T) {
	x := prepared(t, `CREATE SEQUENCE s;
		CREATE TABLE t (id bigserial, n text); CREATE TABLE three (a serial, b smallserial, c int GENERATED ALWAYS AS IDENTITY, u uuid DEFAULT gen_random_uuid());
		CREATE TABLE two (a bigint DEFAULT nextval('s'), b bigint DEFAULT nextval('s'), n text);
		CREATE TABLE narrow (a int DEFAULT nextval('s'), b text); CREATE TABLE num (a numeric DEFAULT nextval('s'), b text);
		CREATE TABLE wide (a serial, b text); ALTER SEQUENCE wide_a_seq AS bigint;
		CREATE TABLE doubled (a bigserial, b bigint GENERATED ALWAYS AS (a * 2) STORED); CREATE TABLE checked (a bigserial CHECK (a < 3));
		CREATE TABLE u (n int, u uuid); CREATE TABLE flag (f bool)`)
	for _, c := range []struct {
		sql    string
		values bool
		want   string
	}{
		{"INSERT INTO t (n) VALUES ('x') RETURNING id", true, "id\n1\nINSERT 0 1\n"},
		{"INSERT INTO t (n) VALUES ('x'), ('y') RETURNING id", true, "id\n2\n3\nINSERT 0 2\n"},
		{"INSERT INTO t DEFAULT VALUES RETURNING id", true, "id\n4\nINSERT 0 1\n"},
		{"INSERT INTO t VALUES (DEFAULT, 'x') RETURNING id", true, "id\n5\nINSERT 0 1\n"},
		{"INSERT INTO t VALUES (DEFAULT, 'x'), (100, 'y'), (DEFAULT, 'z') RETURNING id", true, "id\n100\n6\n7\nINSERT 0 3\n"},
		{"INSERT INTO t VALUES (nextval('t_id_seq'::regclass)) RETURNING id", true, "id\n8\nINSERT 0 1\n"},
		{"INSERT INTO t VALUES (nextval('public.t_id_seq') + 1) RETURNING id", false, "id\n10\nINSERT 0 1\n"},
		{"INSERT INTO flag VALUES (nextval('t_id_seq') > 10) RETURNING f", false, "f\nf\nINSERT 0 1\n"},
		{"INSERT INTO t (n) VALUES (lower('X')) RETURNING id", false, "id\n11\nINSERT 0 1\n"},
		{"INSERT INTO t (n) SELECT 'x' RETURNING id", false, "id\n12\nINSERT 0 1\n"},
		{"INSERT INTO three DEFAULT VALUES RETURNING a, b, c", true, "a|b|c\n1|1|1\nINSERT 0 1\n"},
		{"INSERT INTO three (a) VALUES (7), (8) RETURNING a, b, c", true, "a|b|c\n7|2|2\n8|3|3\nINSERT 0 2\n"},
		{"INSERT INTO three (c) OVERRIDING USER VALUE VALUES (7) RETURNING a, b, c", true, "a|b|c\n2|4|4\nINSERT 0 1\n"},
		{"INSERT INTO u VALUES (1, gen_random_uuid()), (2, gen_random_uuid())", true, "INSERT 0 2\n"},
		{"INSERT INTO u VALUES (1, gen_random_uuid()), (2, NULL), (abs(3), NULL)", false, "INSERT 0 3\n"},
		// One sequence twice: in the order of the table, but for what stands in VALUES of several rows.
		{"INSERT INTO two (n) VALUES ('x'), ('y') RETURNING a, b", true, "a|b\n1|2\n3|4\nINSERT 0 2\n"},
		{"INSERT INTO two (b, a) VALUES (DEFAULT, DEFAULT) RETURNING a, b", true, "a|b\n5|6\nINSERT 0 1\n"},
		{"INSERT INTO two (b, a) VALUES (DEFAULT, DEFAULT), (DEFAULT, DEFAULT) RETURNING a, b", false, "a|b\n10|9\n8|7\nINSERT 0 2\n"},
		{"INSERT INTO two (b) VALUES (DEFAULT), (DEFAULT) RETURNING a, b", false, "a|b\n12|11\n14|13\nINSERT 0 2\n"},
		// What may not fit has to be checked.
		{"INSERT INTO narrow (b) VALUES ('x') RETURNING a", false, "a\n15\nINSERT 0 1\n"},
		{"INSERT INTO num (b) VALUES ('x') RETURNING a", false, "a\n16\nINSERT 0 1\n"},
		{"INSERT INTO wide (b) VALUES ('x') RETURNING a", false, "a\n1\nINSERT 0 1\n"},
		// What other columns and CHECKs ask for is drawn once.
		{"INSERT INTO doubled DEFAULT VALUES RETURNING a, b", false, "a|b\n1|2\nINSERT 0 1\n"},
		{"INSERT INTO checked VALUES (DEFAULT) RETURNING a", false, "a\n1\nINSERT 0 1\n"},
		{"INSERT INTO checked VALUES (DEFAULT), (DEFAULT) RETURNING a", false,
			"ERROR 23514: new row for relation \"checked\" violates check constraint \"checked_a_check\"\n"},
	} {
		m := modify(t, x, c.sql)
		if got := m.Values != nil; got != c.values {
			t.Errorf("%s: Values given: %t, want %t (%s)", c.sql, got, c.values, m.Source.SQL)
		}
		list, err := pgsql.Parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.statement(list[0]); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}

// TestManyValues inserts more parameters than SQLite can bind.
func TestManyValues(t *testing.T) {
	x := prepared(t, "CREATE TABLE t (a int, b text, c varchar(5), d int DEFAULT 7)")
	const rows = 20000
	var b strings.Builder
	b.WriteString("INSERT INTO t (a, b, c) VALUES ")
	params := make([]catalog.Value, 0, 3*rows)
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $%d, $%d)", 3*i+1, 3*i+2, 3*i+3)
		params = append(params, catalog.Int(int64(i)), catalog.Str(fmt.Sprint("row ", i)), catalog.Str("abc"))
	}
	list, err := pgsql.Parse(b.String())
	if err != nil {
		t.Fatal(err)
	}
	if got := x.statement(list[0], params...); got != "INSERT 0 20000\n" {
		t.Fatal(got)
	}
	list, _ = pgsql.Parse("SELECT count(*), sum(a), max(b), min(c), min(d) FROM t")
	if got, want := x.statement(list[0]), "count|sum|max|min|min\n20000|199990000|row 9999|abc|7\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	params[3*777+2] = catalog.Str("too long")
	list, _ = pgsql.Parse(b.String())
	if got, want := x.statement(list[0], params...), "ERROR 22001: value too long for type character varying(5)\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPointPlans checks that statements that name one row by its key find it by a look-up.
func TestPointPlans(t *testing.T) {
	x := prepared(t, `CREATE TABLE t (id int PRIMARY KEY, a int, b text UNIQUE, c int, d int CHECK (d > 0));
		CREATE TABLE u (x text, y numeric, v int, PRIMARY KEY (x, y)); CREATE TABLE w (id int REFERENCES t)`)
	x.indexes()
	tests := []struct {
		sql   string
		point bool
		plan  string
	}{
		{"UPDATE t SET a = a + $1 WHERE id = $2", true, "SEARCH t1 USING INTEGER PRIMARY KEY (rowid=?)"},
		{"UPDATE t SET a = 1, d = d + 1 WHERE id = 5 RETURNING *", true, "SEARCH t1 USING INTEGER PRIMARY KEY (rowid=?)"},
		{"DELETE FROM t WHERE id = $1", true, "SEARCH t1 USING INTEGER PRIMARY KEY (rowid=?)"},
		{"UPDATE t SET a = 1 WHERE b = $1", false, "SEARCH t1 USING INDEX"},
		{"UPDATE u SET v = 1 WHERE y = $1 AND x = $2", true, "SEARCH t1 USING INDEX"},
		{"DELETE FROM u WHERE x = $1", false, "SEARCH t1 USING INDEX"},
		{"DELETE FROM t WHERE id = $1 OR a = 1", false, "SCAN t1"},
		{"INSERT INTO t (id, a) VALUES ($1, $2)", false, "SCAN CONSTANT ROW"},
	}
	for _, c := range tests {
		m := modify(t, x, c.sql)
		if m.Source.Point != c.point {
			t.Errorf("%s: Point %t, want %t", c.sql, m.Source.Point, c.point)
		}
		if plan := x.explain(m.Source.SQL); !strings.Contains(plan, c.plan) || strings.Count(plan, "\n") > 1 {
			t.Errorf("%s: %s\nplan %s want %s", c.sql, m.Source.SQL, plan, c.plan)
		}
	}
	m := modify(t, x, "INSERT INTO t (id, b) VALUES (1, 'x') ON CONFLICT (b) DO UPDATE SET a = excluded.a")
	for _, u := range m.Uniques {
		if plan := x.explain(u.Lookup.SQL); !strings.Contains(plan, "SEARCH") {
			t.Errorf("look-up %s: %s", u.Lookup.SQL, plan)
		}
	}
	if plan := x.explain(m.OnConflict.Action.SQL); !strings.Contains(plan, "USING INTEGER PRIMARY KEY") {
		t.Errorf("action: %s", plan)
	}
}

// indexes makes the SQLite indexes of all tables, as CompileIndex says.
func (x *executor) indexes() {
	for _, t := range x.env.Schema.Relations {
		if t.System {
			continue
		}
		for _, i := range t.Indexes {
			keys, where, err := pgsql.CompileIndex(x.env.Schema, t, i)
			if err != nil {
				x.t.Fatal(err)
			}
			unique := ""
			if i.Unique {
				unique = "UNIQUE "
				if !i.Primary {
					keys = append(keys, "\"_u"+i.Phys+"\"")
				}
			}
			sql := "CREATE " + unique + "INDEX \"" + i.Phys + "\" ON \"" + t.Phys + "\" (" + strings.Join(keys, ", ") + ")"
			if where != "" {
				sql += " WHERE " + where
			}
			x.exec(sql)
		}
	}
}

func (x *executor) explain(sql string) string {
	st, err := x.conn.StoreStmt("EXPLAIN QUERY PLAN " + sql)
	if err != nil {
		x.t.Fatalf("%s: %v", sql, err)
	}
	rows, err := st.Query(make([]catalog.Value, st.ParamCount()))
	if err != nil {
		x.t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		b.WriteString(string(rows.Values()[3].Bytes) + "\n")
	}
	return b.String()
}

// TestUniqueLookups checks that partial and expression indexes serve the look-ups made for them.
func TestUniqueLookups(t *testing.T) {
	x := prepared(t, `CREATE TABLE t (id int PRIMARY KEY, a text, b int, n numeric);
		CREATE UNIQUE INDEX e ON t (lower(a)); CREATE UNIQUE INDEX p ON t (a, b) WHERE b > 10 AND a <> 'x'; CREATE UNIQUE INDEX n ON t (n)`)
	x.indexes()
	m := modify(t, x, "INSERT INTO t VALUES (1, 'A', 20, 1.5)")
	if len(m.Uniques) != 4 {
		t.Fatalf("%d unique checks", len(m.Uniques))
	}
	for _, u := range m.Uniques {
		plan := x.explain(u.Lookup.SQL)
		want := "USING INDEX " + u.Index.Phys
		if u.Index.Primary {
			want = "INTEGER PRIMARY KEY"
		}
		if !strings.Contains(plan, want) {
			t.Errorf("%s: %s\nplan %s", u.Index.Name, u.Lookup.SQL, plan)
		}
	}
	for _, c := range []struct{ sql, want string }{
		{"INSERT INTO t VALUES (1, 'A', 20, 1.5)", "INSERT 0 1\n"},
		{"INSERT INTO t VALUES (2, 'a', 1, 2)", "ERROR 23505: duplicate key value violates unique constraint \"e\"\n  detail: Key (lower(a))=(a) already exists.\n"},
		{"INSERT INTO t VALUES (2, 'b', 1, 1.50)", "ERROR 23505: duplicate key value violates unique constraint \"n\"\n  detail: Key (n)=(1.50) already exists.\n"},
		{"INSERT INTO t VALUES (2, 'b', 1, NULL), (3, 'c', 1, NULL)", "INSERT 0 2\n"},
		{"INSERT INTO t VALUES (4, 'A', 20) ON CONFLICT (a, b) WHERE b > 10 AND a <> 'x' DO NOTHING", "ERROR 23505: duplicate key value violates unique constraint \"e\"\n  detail: Key (lower(a))=(a) already exists.\n"},
		{"INSERT INTO t VALUES (4, 'A', 20) ON CONFLICT (lower(a)) DO UPDATE SET b = t.b + excluded.b RETURNING b", "b\n40\nINSERT 0 1\n"},
	} {
		list, err := pgsql.Parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.statement(list[0]); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}

// TestOnceOnly checks that a value which is new each time is worked out once for a row, however often it is used.
func TestOnceOnly(t *testing.T) {
	x := prepared(t, `CREATE SEQUENCE s; CREATE TABLE t (id int, a bigint DEFAULT nextval('s') CHECK (a > 0), g bigint GENERATED ALWAYS AS (a * 10) STORED)`)
	for _, c := range []struct{ sql, want string }{
		{"INSERT INTO t (id) VALUES (1), (2) RETURNING a, g", "a|g\n1|10\n2|20\nINSERT 0 2\n"},
		{"INSERT INTO t (id) SELECT 3 RETURNING a, g", "a|g\n3|30\nINSERT 0 1\n"},
		{"UPDATE t SET a = nextval('s') WHERE id = 1 RETURNING a, g, a + 1 AS more", "a|g|more\n4|40|5\nUPDATE 1\n"},
		{"UPDATE t SET a = nextval('s') FROM (VALUES (2), (2)) v(k) WHERE id = k RETURNING a, g, k", "a|g|k\n5|50|2\nUPDATE 1\n"},
		{"SELECT * FROM t", "id|a|g\n1|4|40\n2|5|50\n3|3|30\n"},
	} {
		list, err := pgsql.Parse(c.sql)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.statement(list[0]); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}

package pgsql_test

import (
	"errors"
	"testing"

	"layercake/pgerror"
)

// TestRefused holds that what PostgreSQL refuses and what is not supported is told apart, and neither is left to SQLite.
func TestRefused(t *testing.T) {
	d := newDB(t)
	d.run("CREATE TABLE a (id int PRIMARY KEY, name text)")
	for _, x := range []struct{ sql, code, message string }{
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT count(*)::int FROM r) SELECT * FROM r", "42P19", "aggregate functions are not allowed in a recursive query's recursive term"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT max(n) + 1 FROM r WHERE n < 5) SELECT * FROM r", "42P19", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT id FROM a WHERE id IN (SELECT n FROM r)) SELECT * FROM r", "42P19", `recursive reference to query "r" must not appear within a subquery`},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT (SELECT n + 1 FROM r)) SELECT * FROM r", "42P19", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM (SELECT n FROM r) x WHERE n < 3) SELECT * FROM r", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1::bigint UNION ALL SELECT row_number() OVER () FROM r WHERE n < 3) SELECT * FROM r", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3 GROUP BY n) SELECT * FROM r", "", ""},
		{"SELECT (WITH RECURSIVE r(n) AS (SELECT a.id UNION ALL SELECT n + 1 FROM r WHERE n < 3 GROUP BY n) SELECT max(n) FROM r) FROM a", "0A000", ""},
		{"SELECT (WITH RECURSIVE r(n) AS (SELECT a.id UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT max(n) FROM r) FROM a", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION (SELECT 2 EXCEPT SELECT n FROM r)) SELECT * FROM r", "42P19", `recursive reference to query "r" must not appear within EXCEPT`},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION (SELECT n FROM r EXCEPT ALL SELECT 1)) SELECT * FROM r", "42P19", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION (SELECT n FROM r INTERSECT ALL SELECT 1)) SELECT * FROM r", "42P19", `recursive reference to query "r" must not appear within INTERSECT`},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION (SELECT n FROM r INTERSECT SELECT 1)) SELECT * FROM r", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < (SELECT max(id) FROM a)) SELECT * FROM r", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT x.id FROM r, LATERAL (SELECT id FROM a WHERE id > r.n) x) SELECT sum(n) FROM r GROUP BY n", "", ""},
		{"WITH RECURSIVE r(n) AS (SELECT n FROM r UNION ALL SELECT 1) SELECT * FROM r", "42P19", `recursive reference to query "r" must not appear within its non-recursive term`},
		{"WITH RECURSIVE r(n) AS (SELECT n FROM r) SELECT * FROM r", "42P19", `recursive query "r" does not have the form non-recursive-term UNION [ALL] recursive-term`},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r ORDER BY 1) SELECT * FROM r", "0A000", "ORDER BY in a recursive query is not implemented"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 3) SELECT * FROM r", "0A000", "LIMIT in a recursive query is not implemented"},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM a LEFT JOIN r x ON true) SELECT * FROM r", "42P19", `recursive reference to query "r" must not appear within an outer join`},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM r x FULL JOIN a ON true) SELECT * FROM r", "42P19", ""},
		{"WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT x.n + 1 FROM r x LEFT JOIN a ON true) SELECT * FROM r", "", ""},
		{"WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM y), y(n) AS (SELECT n FROM x) SELECT * FROM y", "0A000", "mutual recursion between WITH items is not implemented"},
		{"WITH RECURSIVE x(n) AS (SELECT n FROM y), y(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM y WHERE n < 3) SELECT * FROM x", "", ""},
		{"WITH x(n) AS (SELECT n FROM y), y(n) AS (SELECT 1) SELECT * FROM x", "42P01", ""},

		{"SELECT nope.abs(1)", "3F000", `schema "nope" does not exist`},
		{"SELECT array_agg(DISTINCT x) FROM (VALUES (ARRAY[1])) v(x)", "0A000", "array_agg(DISTINCT) of arrays is not supported"},
		{"UPDATE a SET name = x.name FROM LATERAL (SELECT a.name) x", "42P01", `invalid reference to FROM-clause entry for table "a"`},

		{"SELECT", "0A000", ""},
		{"SELECT FROM a", "0A000", ""},
		{"SELECT UNION SELECT", "0A000", ""},
		{"SELECT * FROM (SELECT) x", "0A000", ""},
		{"SELECT INTO zz FROM a", "0A000", ""},
		{"CREATE TABLE zz AS SELECT FROM a", "0A000", ""},
		{"SELECT EXISTS (SELECT FROM a)", "", ""},

		{"SELECT jsonb_path_query('{}', '$')", "0A000", "function jsonb_path_query is not supported"},
		{"SELECT * FROM pg_catalog.to_tsvector('a')", "0A000", ""},
		{"SELECT xmlagg('a')", "0A000", ""},
		{"SELECT '{}'::jsonb @? '$.a'", "0A000", "jsonb @? jsonpath is not supported"},
		{"SELECT '{}'::jsonb @@ '$.a == 1'", "0A000", "jsonb @@ jsonpath is not supported"},
		{"SELECT '{}'::jsonb @@ 1", "42883", ""},
		{"SELECT public.to_tsvector('a')", "42883", ""},
		{"SELECT nosuch(1)", "42883", ""},

		{"DELETE FROM a WHERE CURRENT OF c", "0A000", ""},
		{"WITH j AS (DELETE FROM a WHERE id IN (SELECT id FROM a ORDER BY id LIMIT 3 FOR UPDATE SKIP LOCKED) RETURNING id) SELECT id FROM j", "", ""},
		{"WITH c AS (SELECT id FROM a LIMIT 1 FOR UPDATE SKIP LOCKED), j AS (UPDATE a SET name = 'x' FROM c WHERE a.id = c.id RETURNING a.id) TABLE j", "", ""},
		{"DELETE FROM a WHERE id IN (SELECT id FROM a LIMIT 3 FOR UPDATE SKIP LOCKED)", "", ""},
		{"SELECT * FROM (SELECT id FROM a FOR UPDATE) x", "0A000", ""},

		{"CREATE VIEW v AS WITH i AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM i",
			"0A000", "views must not contain data-modifying statements in WITH"},
		{"CREATE VIEW v AS WITH s AS (SELECT 1), i AS (DELETE FROM a) SELECT 1",
			"0A000", "views must not contain data-modifying statements in WITH"},
		{"CREATE VIEW v AS WITH i AS (INSERT INTO nosuch VALUES (1) RETURNING *) SELECT * FROM i", "42P01", ""},
		{"CREATE VIEW v AS SELECT * FROM (WITH i AS (DELETE FROM a RETURNING *) SELECT * FROM i) x",
			"0A000", "WITH clause containing a data-modifying statement must be at the top level"},
		{"CREATE VIEW v AS WITH s AS (SELECT 1) SELECT * FROM s", "", ""},
		{"DECLARE c CURSOR FOR WITH i AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM i",
			"0A000", "DECLARE CURSOR must not contain data-modifying statements in WITH"},
		{"DECLARE c CURSOR FOR WITH s AS (SELECT 1) SELECT * FROM s", "", ""},

		{"INSERT INTO a VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = name || 'y'", "42702", `column reference "name" is ambiguous`},
		{"INSERT INTO a VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'y' WHERE id > 0", "42702", `column reference "id" is ambiguous`},
		{"INSERT INTO a VALUES (1, 'x') ON CONFLICT (id) WHERE id > 0 DO UPDATE SET name = 'y' WHERE a.id > 0 RETURNING name", "", ""},
		{"INSERT INTO a VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = (SELECT max(name) FROM a) RETURNING id", "", ""},
	} {
		_, err := d.compile(x.sql)
		var e *pgerror.Error
		switch {
		case x.code == "":
			if err != nil {
				t.Errorf("%s: %v", x.sql, err)
			}
		case !errors.As(err, &e) || e.Code != x.code || x.message != "" && e.Message != x.message:
			t.Errorf("%s: %v, want %s %s", x.sql, err, x.code, x.message)
		}
	}
}

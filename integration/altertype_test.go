package integration

import (
	"fmt"
	"testing"
)

// TestAlterTypePasses: one ALTER TABLE runs its parts in PostgreSQL's order: what drops, then types, then the rest, which
// is for the column as it then is.
func TestAlterTypePasses(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	for i, tc := range []struct{ create, alter, insert, want string }{
		{"id int PRIMARY KEY, v text DEFAULT 'd'", "ALTER v TYPE varchar(5), ALTER v SET DEFAULT 'q'", "(id) VALUES (1)", "q"},
		{"id int, v text DEFAULT 'd'", "ALTER v SET DEFAULT 'q', ALTER v TYPE varchar(5)", "(id) VALUES (1)", "q"},
		{"id int, v text", "ALTER v TYPE varchar(5), ALTER v SET DEFAULT 'q'", "(id) VALUES (1)", "q"},
		{"id int, v int DEFAULT 1", "ALTER v TYPE text, ALTER v SET DEFAULT 'q'", "(id) VALUES (1)", "q"},
		{"id int, v varchar(3) DEFAULT 'd'", "ALTER v TYPE text, ALTER v SET DEFAULT 'long'", "(id) VALUES (1)", "long"},
		{"id int, v text DEFAULT 'd'", "ALTER v TYPE varchar(5), ALTER v DROP DEFAULT", "(id) VALUES (1)", "NULL"},
		{"id int, v bool DEFAULT true", "ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int, ALTER v SET DEFAULT 0", "(id) VALUES (1)", "0"},
		{"id int, v bool DEFAULT true", "ALTER v TYPE int USING v::int, ALTER v SET DEFAULT 0", "", "42804"},
		{"id int, v text", "ALTER v TYPE int USING v::int, ALTER v TYPE bigint", "", "0A000"},
		{"id int, v text", "ALTER v TYPE int USING v::int, ALTER v SET NOT NULL", "VALUES (1, NULL)", "23502"},
		{"id int, v text", "ALTER v TYPE int USING v::int, ADD CHECK (v > 4), ADD UNIQUE (v)", "VALUES (1, 3)", "23514"},
	} {
		table := fmt.Sprintf("t%d", i)
		exec(t, conn, "CREATE TABLE "+table+" ("+tc.create+")")
		if tc.insert == "" {
			fails(t, conn, tc.want, "ALTER TABLE "+table+" "+tc.alter)
			continue
		}
		exec(t, conn, "ALTER TABLE "+table+" "+tc.alter)
		if len(tc.want) == 5 {
			fails(t, conn, tc.want, "INSERT INTO "+table+" "+tc.insert)
		} else if got := one(t, conn, "INSERT INTO "+table+" "+tc.insert+" RETURNING v"); got != tc.want {
			t.Errorf("%s; %s: got %s, want %s", tc.create, tc.alter, got, tc.want)
		}
	}
}

// TestAlterTypeUses: what is computed from a column is compiled again with the column's new type, and CHECKs hold for the
// new values.
func TestAlterTypeUses(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE t (id int, c int CHECK (c > 0), d int, e int)")
	exec(t, conn, "CREATE INDEX ON t ((d + 1))")
	exec(t, conn, "CREATE INDEX ON t (id) WHERE e > 1")
	exec(t, conn, "INSERT INTO t VALUES (1, 1, 1, 1)")
	for _, tc := range []struct{ alter, code string }{
		{"ALTER c TYPE text", "42883"},
		{"ALTER d TYPE text", "42883"},
		{"ALTER e TYPE date USING now()", "42883"},
		{"ALTER c TYPE numeric USING -c", "23514"},
	} {
		fails(t, conn, tc.code, "ALTER TABLE t "+tc.alter)
	}
	if got := one(t, conn, "SELECT string_agg(data_type, ' ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = 't'"); got != "integer integer integer integer" {
		t.Errorf("after what was refused: %s", got)
	}
	exec(t, conn, "ALTER TABLE t ALTER c TYPE numeric, ALTER d TYPE bigint")
	fails(t, conn, "23514", "INSERT INTO t VALUES (1, 0, 1, 1)")
	exec(t, conn, "INSERT INTO t VALUES (1, 1.5, 1, 1)")
}

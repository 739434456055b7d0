package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// catalogSQL is the catalog as clients see it, in one text.
const catalogSQL = `SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
	SELECT concat_ws(' ', 'column', table_name, ordinal_position, column_name, data_type, is_nullable, column_default) AS line
		FROM information_schema.columns WHERE table_schema = 'public'
	UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
	UNION ALL SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'public'
	UNION ALL SELECT concat_ws(' ', 'conflict', relation, kind, key, other_key, stamp, origin, other_stamp, other_origin)
		FROM layercake.conflicts) lines`

// partitioned runs statements on both sides of a partition, heals it, and checks that all nodes come to one catalog and
// equal rows, and that nothing is held up. It returns the catalog.
func (c *cluster) partitioned(left, right []string) string {
	c.t.Helper()
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	for i, side := range [][]string{left, right} {
		conn := []*pgx.Conn{a, b}[i]
		for _, s := range side {
			exec(c.t, conn, s)
		}
	}
	c.net.heal()
	return c.converged()
}

// converged checks that all nodes agree in everything, and that each takes writes that all others apply.
func (c *cluster) converged() string {
	c.t.Helper()
	c.settle()
	c.verify()
	var first string
	for n := range c.nodes {
		conn := c.conn(n, "consistency=all")
		exec(c.t, conn, fmt.Sprintf("CREATE TABLE IF NOT EXISTS alive%d (k int)", n))
		exec(c.t, conn, fmt.Sprintf("INSERT INTO alive%d VALUES (1)", n))
		exec(c.t, conn, fmt.Sprintf("DROP TABLE alive%d", n))
	}
	for n := range c.nodes {
		conn := c.conn(n)
		got := one(c.t, conn, catalogSQL)
		if n == 0 {
			first = got
		} else if got != first {
			c.t.Errorf("node %d has another catalog than node 1:\n%s\n\n%s", n+1, got, first)
		}
		if held := query(c.t, conn, "SELECT * FROM layercake.replication WHERE state LIKE 'waiting%'"); len(held) > 0 {
			c.t.Errorf("node %d is held up: %v", n+1, held)
		}
	}
	for _, r := range query(c.t, c.conn(1), "SELECT * FROM layercake.verify() WHERE NOT ok") {
		c.t.Errorf("verify: %v", r)
	}
	return first
}

// everywhere checks what a query gives on every node.
func (c *cluster) everywhere(want, sql string) {
	c.t.Helper()
	for n := range c.nodes {
		if got := fmt.Sprint(query(c.t, c.conn(n), sql)); got != want {
			c.t.Errorf("node %d: %s gives %s, want %s", n+1, sql, got, want)
		}
	}
}

// TestConcurrentDDL: DDL on both sides of a partition converges to one catalog, holds nothing up, and loses no row.
func TestConcurrentDDL(t *testing.T) {
	c := three(t)
	reset := func() {
		t.Helper()
		exec(t, c.conn(0, "consistency=all"), `DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, a text, b int); INSERT INTO t VALUES (1, 'one', 1)`)
	}
	t.Run("create and create", func(t *testing.T) {
		got := c.partitioned(
			[]string{"CREATE TABLE twice (id int PRIMARY KEY, a text)", "INSERT INTO twice VALUES (1, 'left')"},
			[]string{"CREATE TABLE twice (id int PRIMARY KEY, b int, c int)", "INSERT INTO twice VALUES (1, 2, 3)"})
		if !strings.Contains(got, "conflict twice schema: relation") {
			t.Errorf("the younger table is not listed:\n%s", got)
		}
		c.everywhere("[[2]]", "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'twice%'")
		// Both are whole: settle it.
		conn := c.conn(1, "consistency=all")
		for _, r := range query(t, conn, "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'twice%'") {
			if n := one(t, conn, "SELECT count(*) FROM "+r[0]); n != "1" {
				t.Errorf("%s has %s rows", r[0], n)
			}
		}
		other := one(t, conn, "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'twice\\_%'")
		exec(t, conn, "ALTER TABLE "+other+" RENAME TO second")
		listed(t, c, "[]")
		exec(t, conn, "DROP TABLE twice, second")
		exec(t, conn, "CREATE TABLE twice (id int PRIMARY KEY)") // the name is free for good
		exec(t, conn, "DROP TABLE twice")
	})
	// One statement settles it, whichever of the two tables it renames or drops. Both have an index and a sequence of one
	// name each too.
	for _, settle := range []string{"ALTER TABLE same RENAME TO kept", "ALTER TABLE %s RENAME TO kept", "DROP TABLE same", "DROP TABLE %s"} {
		t.Run("create and create, then "+settle, func(t *testing.T) {
			c.partitioned(
				[]string{"CREATE TABLE same (id serial PRIMARY KEY, a text UNIQUE)", "INSERT INTO same (a) VALUES ('left')"},
				[]string{"CREATE TABLE same (id serial PRIMARY KEY, a text UNIQUE)", "INSERT INTO same VALUES (1000, 'right')"})
			conn := c.conn(1, "consistency=all")
			other := one(t, conn, "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'same\\_%'")
			if got := query(t, conn, "SELECT 1 FROM layercake.conflicts WHERE relation = 'same' AND kind LIKE '%shown as \"'||$1||'\"%'", other); len(got) != 1 {
				t.Errorf("the list does not say that the other table is shown as %s: %v", other, query(t, conn, "SELECT * FROM layercake.conflicts"))
			}
			exec(t, conn, strings.Replace(settle, "%s", other, 1))
			listed(t, c, "[]")
			for _, r := range query(t, conn, "SELECT table_name FROM information_schema.tables WHERE table_name IN ('same', 'kept', $1)", other) {
				for n := range c.nodes {
					exec(t, c.conn(n, "consistency=all"), "INSERT INTO "+r[0]+" (a) VALUES ($1)", "from "+c.cfgs[n].Name)
				}
				if got := one(t, conn, "SELECT count(*) FROM "+r[0]); got != "4" {
					t.Errorf("%s has %s rows", r[0], got)
				}
				exec(t, conn, "DROP TABLE "+r[0])
			}
			listed(t, c, "[]")
		})
	}
	t.Run("add and add", func(t *testing.T) {
		reset()
		c.partitioned(
			[]string{"ALTER TABLE t ADD COLUMN x int DEFAULT 5", "INSERT INTO t (id, a, x) VALUES (2, 'left', 7)"},
			[]string{"ALTER TABLE t ADD COLUMN y text DEFAULT 'why'", "INSERT INTO t (id, a, y) VALUES (3, 'right', 'z')"})
		c.everywhere("[[1 one 1 5 why] [2 left NULL 7 why] [3 right NULL 5 z]]", "SELECT id, a, b, x, y FROM t ORDER BY id")
	})
	t.Run("add and add of one name", func(t *testing.T) {
		reset()
		got := c.partitioned(
			[]string{"ALTER TABLE t ADD COLUMN x int DEFAULT 5", "UPDATE t SET x = 6"},
			[]string{"ALTER TABLE t ADD COLUMN x text DEFAULT 'five'", "INSERT INTO t (id, x) VALUES (3, 'three')"})
		if !strings.Contains(got, "conflict x schema: column") {
			t.Errorf("the younger column is not listed:\n%s", got)
		}
		c.everywhere("[[2]]", "SELECT count(*) FROM information_schema.columns WHERE table_name = 't' AND column_name LIKE 'x%'")
		c.everywhere("[[1 6] [3 5]]", "SELECT id, x FROM t ORDER BY id")
		other := one(t, c.conn(0), "SELECT column_name FROM information_schema.columns WHERE table_name = 't' AND column_name LIKE 'x\\_%'")
		c.everywhere("[[five] [three]]", "SELECT "+other+" FROM t ORDER BY id")
		exec(t, c.conn(2, "consistency=all"), "ALTER TABLE t DROP COLUMN "+other)
		listed(t, c, "[]")
	})
	t.Run("add and drop", func(t *testing.T) {
		reset()
		c.partitioned(
			[]string{"ALTER TABLE t ADD COLUMN x int", "INSERT INTO t VALUES (2, 'left', 2, 2)", "UPDATE t SET b = 9 WHERE id = 1"},
			[]string{"ALTER TABLE t DROP COLUMN b", "INSERT INTO t VALUES (3, 'right')"})
		c.everywhere("[[1 one NULL] [2 left 2] [3 right NULL]]", "SELECT * FROM t ORDER BY id")
	})
	t.Run("add and drop of the table", func(t *testing.T) {
		reset()
		c.partitioned(
			[]string{"ALTER TABLE t ADD COLUMN x int", "ALTER TABLE t ADD CONSTRAINT ux UNIQUE (x)", "CREATE INDEX ON t (a)"},
			[]string{"DROP TABLE t"})
		c.everywhere("[[NULL]]", "SELECT to_regclass('t')")
	})
	t.Run("drop against insert", func(t *testing.T) {
		reset()
		c.partitioned(
			[]string{"DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY, other int)", "INSERT INTO t VALUES (1, 10)"},
			[]string{"INSERT INTO t VALUES (2, 'right', 2)", "UPDATE t SET a = 'changed' WHERE id = 1", "DELETE FROM t WHERE id = 2"})
		c.everywhere("[[1 10]]", "SELECT * FROM t")
	})
	t.Run("rename and rename", func(t *testing.T) {
		reset()
		got := c.partitioned(
			[]string{"ALTER TABLE t RENAME COLUMN a TO left_a", "ALTER TABLE t RENAME TO t_left", "INSERT INTO t_left VALUES (2, 'left', 2)"},
			[]string{"ALTER TABLE t RENAME COLUMN a TO right_a", "ALTER TABLE t RENAME TO t_right", "INSERT INTO t_right VALUES (3, 'right', 3)"})
		if n := strings.Count(got, "column t_"); n != 3 {
			t.Errorf("there are %d columns, want those of one table:\n%s", n, got)
		}
		name := one(t, c.conn(0), "SELECT table_name FROM information_schema.tables WHERE table_name IN ('t_left', 't_right')")
		c.everywhere("[[1 one 1] [2 left 2] [3 right 3]]", "SELECT * FROM "+name+" ORDER BY id")
		exec(t, c.conn(0, "consistency=all"), "DROP TABLE "+name)
	})
	t.Run("rename onto one name", func(t *testing.T) {
		reset()
		exec(t, c.conn(0, "consistency=all"), "CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (7)")
		got := c.partitioned([]string{"ALTER TABLE t RENAME TO both_"}, []string{"ALTER TABLE u RENAME TO both_"})
		if !strings.Contains(got, "conflict both_ schema: relation") {
			t.Errorf("the younger table is not listed:\n%s", got)
		}
		exec(t, c.conn(1, "consistency=all"), "DROP TABLE both_")
		listed(t, c, "[]")
		c.everywhere("[[1]]", "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'both\\_%'")
		exec(t, c.conn(1, "consistency=all"), "DROP TABLE both_")
	})
	t.Run("constraints over rows that break them", func(t *testing.T) {
		reset()
		c.partitioned(
			[]string{"ALTER TABLE t ADD CONSTRAINT one UNIQUE (b)", "ALTER TABLE t ALTER COLUMN a SET NOT NULL", "ALTER TABLE t ADD CHECK (b < 10)"},
			[]string{"INSERT INTO t VALUES (2, NULL, 1), (3, 'three', 99)"})
		c.everywhere("[[1 one 1] [2 NULL 1] [3 three 99]]", "SELECT * FROM t ORDER BY id")
		listed(t, c, "[[public.t one unique (id)=(2) (id)=(1) n3 n1 t]]")
		fails(t, c.conn(1), "23505", "INSERT INTO t VALUES (4, 'four', 1)")
		fails(t, c.conn(1), "23514", "INSERT INTO t VALUES (4, 'four', 44)")
		fails(t, c.conn(1), "23502", "INSERT INTO t VALUES (4, NULL, 4)")
	})
	t.Run("type and value", func(t *testing.T) {
		reset()
		c.partitioned([]string{"ALTER TABLE t ALTER COLUMN b TYPE text"}, []string{"INSERT INTO t VALUES (2, 'two', 2)", "UPDATE t SET b = 11 WHERE id = 1"})
		c.everywhere("[[2]]", "SELECT count(*) FROM t")
	})
	c.converged()
}

// TestRandomDDL: whatever two sides do to the schema without knowing of each other, they come to one catalog.
func TestRandomDDL(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			c := three(t)
			rnd := rand.New(rand.NewPCG(seed, 7))
			pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
			table := func() string { return pick("t", "u", "v") }
			column := func() string { return pick("a", "b", "c", "d") }
			typ := func() string { return pick("int", "text", "numeric") }
			step := func() string {
				switch rnd.IntN(14) {
				case 0:
					return fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY, %s %s)", table(), column(), typ())
				case 1:
					return fmt.Sprintf("CREATE TABLE %s (id int, %s %s, UNIQUE (id))", table(), column(), typ())
				case 2:
					return fmt.Sprintf("DROP TABLE %s CASCADE", table())
				case 3, 4:
					return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table(), column(), typ())
				case 5:
					return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s int DEFAULT %d", table(), column(), rnd.IntN(9))
				case 6:
					return fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s CASCADE", table(), column())
				case 7:
					return fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", table(), column(), column())
				case 8:
					return fmt.Sprintf("ALTER TABLE %s RENAME TO %s", table(), table())
				case 9:
					return fmt.Sprintf("CREATE INDEX ON %s (%s)", table(), column())
				case 10:
					return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT k%d UNIQUE (%s)", table(), rnd.IntN(3), column())
				case 11:
					return fmt.Sprintf("ALTER TABLE %s ADD PRIMARY KEY (id)", table())
				case 12:
					return fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT f%d FOREIGN KEY (id) REFERENCES %s (id)", table(), rnd.IntN(3), table())
				}
				return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET NOT NULL", table(), column())
			}
			ran := 0
			for range 3 {
				a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
				c.net.split([]int{0, 1}, []int{2})
				for range 30 {
					for _, conn := range []*pgx.Conn{a, b} {
						for _, s := range []string{step(), fmt.Sprintf("INSERT INTO %s (id) VALUES (%d)", table(), rnd.IntN(40))} {
							ctx, cancel := context.WithTimeout(context.Background(), wait)
							_, err := conn.Exec(ctx, s)
							cancel()
							var e *pgconn.PgError
							switch {
							case err == nil:
								ran++
							case !errors.As(err, &e) || !strings.HasPrefix(e.Code, "42") && !strings.HasPrefix(e.Code, "23") && e.Code != "0A000" && e.Code != "2BP01":
								t.Fatalf("%s: %v", s, err)
							}
						}
					}
				}
				c.net.heal()
				c.converged()
			}
			if ran < 60 {
				t.Errorf("only %d statements worked", ran)
			}
		})
	}
}

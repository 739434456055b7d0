package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
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

// TestAlterTypeCarriesOver: what nodes write into a column whose type another node changes meanwhile is in the new column
// in the end, but for what was written into the new column itself.
func TestAlterTypeCarriesOver(t *testing.T) {
	const create = `DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT '0', w int);
		INSERT INTO t SELECT i, i::text, i FROM generate_series(1, 8) i`
	const values = "SELECT string_agg(id || '=' || coalesce(v::text, 'NULL'), ' ' ORDER BY id) FROM t"
	for name, tc := range map[string]struct {
		here, there []string
		want        string
	}{
		"cells and rows": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int, ALTER v SET DEFAULT 7", "UPDATE t SET v = 500 WHERE id = 5", "DELETE FROM t WHERE id = 6", "INSERT INTO t (id) VALUES (300)"},
			[]string{"UPDATE t SET v = '22' WHERE id = 2", "UPDATE t SET w = 33 WHERE id = 3", "UPDATE t SET v = NULL WHERE id = 4", "UPDATE t SET v = '55' WHERE id = 5",
				"UPDATE t SET v = '66' WHERE id = 6", "DELETE FROM t WHERE id = 7", "UPDATE t SET v = 'eight' WHERE id = 8",
				"INSERT INTO t VALUES (100, '100'), (101, NULL)", "INSERT INTO t (id) VALUES (102)", "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, '11')"},
			"1=11 2=22 3=3 4=NULL 5=500 8=8 100=100 101=NULL 102=0 300=7",
		},
		"without USING": {
			[]string{"ALTER TABLE t ALTER w TYPE text", "ALTER TABLE t RENAME w TO x", "ALTER TABLE t DROP v", "ALTER TABLE t RENAME x TO v"},
			[]string{"UPDATE t SET w = 10 * id WHERE id > 6", "INSERT INTO t VALUES (9, 'v', 9)"},
			"1=1 2=2 3=3 4=4 5=5 6=6 7=70 8=80 9=9",
		},
		"twice": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int * 2", "UPDATE t SET v = 500 WHERE id = 5", "UPDATE t SET v = 600 WHERE id = 6",
				"ALTER TABLE t ALTER v TYPE numeric(10,1) USING v / 10.0", "UPDATE t SET v = 6.5 WHERE id = 6", "INSERT INTO t VALUES (300, 3.5)"},
			[]string{"UPDATE t SET v = id || '0' WHERE id IN (2, 5, 6)", "INSERT INTO t VALUES (100, '100'), (101, NULL)"},
			"1=0.2 2=4.0 3=0.6 4=0.8 5=50.0 6=6.5 7=1.4 8=1.6 100=20.0 101=NULL 300=3.5",
		},
		"on both sides": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int", "UPDATE t SET v = 500 WHERE id = 5"},
			[]string{"ALTER TABLE t ALTER w TYPE text", "UPDATE t SET v = id || '0' WHERE id IN (2, 5)"},
			"1=1 2=20 3=3 4=4 5=500 6=6 7=7 8=8",
		},
		"a unique key": {
			[]string{"CREATE UNIQUE INDEX u ON t (v)", "ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int", "UPDATE t SET v = 50 WHERE id = 5", "DELETE FROM t WHERE id > 5"},
			[]string{"UPDATE t SET v = '50' WHERE id = 4", "INSERT INTO t VALUES (10, '2')"},
			"1=1 2=2 3=3 4=50 5=50 10=2",
		},
		"a session's time zone": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE timestamp USING '2024-01-01'::timestamp + v::int * interval '1 day'",
				"SET timezone = 'Asia/Tokyo'", "ALTER TABLE t ALTER v TYPE timestamptz", "ALTER TABLE t ALTER v TYPE text", "SET timezone = 'UTC'", "DELETE FROM t WHERE id > 2"},
			[]string{"UPDATE t SET v = '9' WHERE id = 2", "UPDATE t SET w = 1"},
			"1=2024-01-02 00:00:00+09 2=2024-01-10 00:00:00+09",
		},
		"volatile": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int + (random() * 0)::int", "DELETE FROM t WHERE id > 3"},
			[]string{"UPDATE t SET v = '9' WHERE id = 2"},
			"1=1 2=2 3=3",
		},
		"other columns": {
			[]string{"ALTER TABLE t ALTER v DROP DEFAULT, ALTER v TYPE int USING v::int + w", "DELETE FROM t WHERE id > 3"},
			[]string{"UPDATE t SET v = '9' WHERE id = 2", "UPDATE t SET w = 9 WHERE id = 3"},
			"1=2 2=4 3=6",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := three(t)
			exec(t, c.conn(0, "consistency=all"), create)
			c.net.split([]int{0, 1}, []int{2})
			here, there := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
			for _, sql := range tc.here {
				exec(t, here, sql)
			}
			for _, sql := range tc.there {
				exec(t, there, sql)
			}
			c.net.heal()
			for i := range c.nodes {
				eventually(t, c.conn(i), tc.want, values)
			}
			c.converged()
			c.everywhere("[["+tc.want+"]]", values) // it is not only so for a moment
			// Nothing is carried over once more.
			exec(t, c.conn(2, "consistency=all"), "UPDATE t SET v = NULL")
			for i := range c.nodes {
				c.stop(i)
				c.boot(i)
			}
			c.converged()
			c.everywhere("[[0]]", "SELECT count(v) FROM t")
		})
	}
}

// TestAlterTypeUnderWrites: no write is lost while a column's type is changed again and again under it.
func TestAlterTypeUnderWrites(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE t (id int PRIMARY KEY, v int)")
	stop := make(chan struct{})
	counts := make([]int, len(c.nodes))
	var writers sync.WaitGroup
	for i := range c.nodes {
		conn := c.conn(i)
		writers.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				// The column is an int or a text: '…' is right for both. A statement that the change has overtaken is repeated.
				for _, sql := range []string{"INSERT INTO t VALUES (%d, '%d')", "UPDATE t SET v = '%[2]d1' WHERE id = %[1]d"} {
					for {
						_, err := conn.Exec(context.Background(), fmt.Sprintf(sql, 1000000*i+n, n))
						if err == nil {
							break
						}
						var pg *pgconn.PgError
						if !errors.As(err, &pg) || pg.Code != "40001" {
							t.Error(err)
							return
						}
					}
				}
				counts[i] = n
			}
		})
	}
	for k := range 6 {
		time.Sleep(150 * time.Millisecond) // of writes with the column as it is
		to := []string{"text", "int USING v::int"}[k%2]
		conn := c.conn(k%3, "consistency=quorum")
		for {
			_, err := conn.Exec(context.Background(), "ALTER TABLE t ALTER v TYPE "+to)
			if err == nil {
				break
			}
			t.Logf("ALTER TABLE: %v", err)
		}
		for i := range c.nodes {
			eventually(t, c.conn(i), strings.Fields(to)[0][:3], "SELECT left(data_type, 3) FROM information_schema.columns WHERE table_name = 't' AND column_name = 'v'")
		}
	}
	close(stop)
	writers.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	for i := range c.nodes {
		eventually(t, c.conn(i), fmt.Sprintf("%d 0", total), "SELECT count(*) || ' ' || count(*) FILTER (WHERE v::text IS DISTINCT FROM (id % 1000000) || '1') FROM t")
	}
	c.converged()
}

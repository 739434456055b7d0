package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// copyIn runs COPY FROM STDIN.
func copyIn(t *testing.T, conn *pgx.Conn, sql string, data io.Reader) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	_, err := conn.PgConn().CopyFrom(ctx, data, sql)
	return err
}

// copyFails runs a COPY that must fail with a SQLSTATE.
func copyFails(t *testing.T, conn *pgx.Conn, code, sql string, data string) *pgconn.PgError {
	t.Helper()
	err := copyIn(t, conn, sql, strings.NewReader(data))
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%s: got %v, want SQLSTATE %s", sql, err, code)
	}
	return e
}

// lines are n lines of COPY data.
func lines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// TestCopyTooBig: more than a transaction may have is refused, in one COPY or in several of one transaction, and leaves
// nothing behind.
func TestCopyTooBig(t *testing.T) {
	c := start(t)
	c.t = t
	c.limit = 1 << 20
	c.add("dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	part := func(from int) string {
		return lines(600, func(i int) string { return fmt.Sprintf("%d\t%s", from+i, strings.Repeat("x", 1000)) })
	}
	copyFails(t, conn, "54000", "COPY t FROM STDIN", part(0)+part(600))
	exec(t, conn, "BEGIN")
	if err := copyIn(t, conn, "COPY t FROM STDIN", strings.NewReader(part(0))); err != nil {
		t.Fatal(err)
	}
	copyFails(t, conn, "54000", "COPY t FROM STDIN", part(600))
	exec(t, conn, "ROLLBACK")
	// Without a client's data, the store itself keeps to the limit.
	fails(t, conn, "54000", "INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 3000) i")
	if got := one(t, conn, "SELECT count(*) FROM t"); got != "0" {
		t.Errorf("%s rows are left", got)
	}
	// Data that packs well counts as what it is unpacked; what is allowed is allowed.
	if err := copyIn(t, conn, "COPY t FROM STDIN", strings.NewReader(part(0))); err != nil {
		t.Fatal(err)
	}
	if got := one(t, conn, "SELECT count(*) FROM t"); got != "600" {
		t.Errorf("%s rows, want 600", got)
	}
}

// TestCopyRefused: a load of many rows with one at fault near its end names it, and leaves nothing behind.
func TestCopyRefused(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE parent (id int PRIMARY KEY)")
	exec(t, conn, "INSERT INTO parent SELECT generate_series(0, 2999)")
	exec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, u int UNIQUE)")
	exec(t, conn, "CREATE TABLE checked (id int CHECK (id >= 0), v text, d int DEFAULT 7)")
	exec(t, conn, "CREATE TABLE child (id int REFERENCES parent, v text)")
	for _, tt := range []struct {
		name, sql, bad, code, where, detail string
	}{
		{"key", "COPY t FROM STDIN", "17\tx\t-1", "23505", "COPY t, line 2501", "Key (id)=(17) already exists."},
		{"unique", "COPY t FROM STDIN", "-1\tx\t17", "23505", "COPY t, line 2501", "Key (u)=(17) already exists."},
		{"null", "COPY t FROM STDIN", `-1	\N	-1`, "23502", `COPY t, line 2501: "-1	\N	-1"`, `Failing row contains (-1, null, -1).`},
		{"type", "COPY t FROM STDIN", "one\tx\t1", "22P02", `COPY t, line 2501, column id: "one"`, ""},
		{"columns", "COPY t FROM STDIN", "-1\tx", "22P04", `COPY t, line 2501: "-1	x"`, ""},
		{"range", "COPY t FROM STDIN", "3000000000\tx\t1", "22003", `COPY t, line 2501, column id: "3000000000"`, ""},
		{"check", "COPY checked (id, v) FROM STDIN", "-1\tx", "23514", "COPY checked, line 2501", "Failing row contains (-1, x, 7)."},
		{"parent", "COPY child FROM STDIN", "-1\tx", "23503", "", `Key (id)=(-1) is not present in table "parent".`},
	} {
		for _, in := range []string{"alone", "in a transaction"} {
			t.Run(tt.name+" "+in, func(t *testing.T) {
				three := strings.Contains(tt.sql, "COPY t ")
				line := func(i int) string {
					if three {
						return fmt.Sprintf("%d\tv\t%d", i, i)
					}
					return fmt.Sprintf("%d\tv", i)
				}
				data := lines(2500, line) + tt.bad + "\n" + lines(100, func(i int) string { return line(2600 + i) })
				if in != "alone" {
					exec(t, conn, "BEGIN")
				}
				e := copyFails(t, conn, tt.code, tt.sql, data)
				if e.Where != tt.where || e.Detail != tt.detail {
					t.Errorf("where %q, detail %q; want %q, %q", e.Where, e.Detail, tt.where, tt.detail)
				}
				if in != "alone" {
					fails(t, conn, "25P02", "SELECT 1")
					exec(t, conn, "ROLLBACK")
				}
				for _, table := range []string{"t", "checked", "child"} {
					if got := one(t, conn, "SELECT count(*) FROM "+table); got != "0" {
						t.Errorf("%s rows are left in %s", got, table)
					}
				}
			})
		}
	}
	// Few rows are inserted in another way; a header and values of several lines count.
	for _, in := range []string{"alone", "in a transaction"} {
		if in != "alone" {
			exec(t, conn, "BEGIN")
		}
		e := copyFails(t, conn, "23505", "COPY t (id, v) FROM STDIN (FORMAT csv, HEADER)", "id,v\n1,x\n2,\"x\ny\nz\"\n3,\"x\ny\"\n4,x\n2,x\n5,x\n")
		if want := "COPY t, line 9"; e.Where != want {
			t.Errorf("%s: where %q, want %q", in, e.Where, want)
		}
		if in != "alone" {
			exec(t, conn, "ROLLBACK")
		}
	}
}

// TestCopySpills: a load beyond what is kept in memory comes to the same rows on every node, as does one in another order
// of columns, and what the same transaction changes in it.
func TestCopySpills(t *testing.T) {
	c := three(t)
	conn := c.conn(0, "consistency=all")
	exec(t, conn, "CREATE TABLE big (a int, f float8, t text, n numeric, k text PRIMARY KEY)")
	exec(t, conn, "CREATE TABLE notes (t text, at timestamptz DEFAULT now())")
	const rows = 20_000
	exec(t, conn, "BEGIN")
	err := copyIn(t, conn, "COPY big (k, n, t, f, a) FROM STDIN", strings.NewReader(lines(rows, func(i int) string {
		f := fmt.Sprint(float64(i) / 8)
		if i%1000 == 3 {
			f = "NaN"
		}
		return fmt.Sprintf("key %d\t%d.50\t%s\t%s\t%d", i, i, strings.Repeat(fmt.Sprint(i%10), 1000), f, i)
	})))
	if err != nil {
		t.Fatal(err)
	}
	exec(t, conn, "DELETE FROM big WHERE a = 5")
	exec(t, conn, "UPDATE big SET t = 'short' WHERE a = 6")
	exec(t, conn, "COMMIT")
	if err := copyIn(t, conn, "COPY notes (t) FROM STDIN (FORMAT csv)", bytes.NewReader([]byte(lines(3000, func(i int) string { return fmt.Sprintf("\"note\n%d\"", i) })))); err != nil {
		t.Fatal(err)
	}
	for i := range c.nodes {
		got := query(t, c.conn(i), "SELECT count(*), sum(a), sum(n), count(*) FILTER (WHERE f = 'NaN'), min(length(t)), count(DISTINCT k) FROM big")
		want := [][]string{{"19999", "199989995", "199999994.50", "20", "5", "19999"}}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("node %d: got %v, want %v", i+1, got, want)
		}
		if got := one(t, c.conn(i), "SELECT count(*) FROM notes WHERE at IS NOT NULL AND t LIKE E'note\\n%'"); got != "3000" {
			t.Errorf("node %d: %s notes", i+1, got)
		}
	}
	// Rows of the load are changed from elsewhere, by whatever key they have.
	other := c.conn(1, "consistency=all")
	exec(t, other, "UPDATE notes SET t = 'changed' WHERE t = E'note\\n7'")
	exec(t, other, "DELETE FROM big WHERE k = 'key 9'")
	for i := range c.nodes {
		if got := one(t, c.conn(i), "SELECT (SELECT count(*) FROM notes WHERE t = 'changed') + (SELECT count(*) FROM big)"); got != "19999" {
			t.Errorf("node %d: got %s", i+1, got)
		}
	}
	digests := query(t, conn, "SELECT relation, count(DISTINCT digest), count(*) FROM layercake.digests GROUP BY relation")
	for _, d := range digests {
		if d[1] != "1" || d[2] != "3" {
			t.Errorf("%s has %s digests of %s nodes", d[0], d[1], d[2])
		}
	}
	if len(digests) < 2 {
		t.Errorf("digests: %v", digests)
	}
}

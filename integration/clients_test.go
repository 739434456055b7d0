package integration

import (
	"context"
	"net"
	"os"
	osexec "os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// client runs a PostgreSQL client program against a node and returns what it printed. It skips the test where the
// program is missing: `make test` installs it.
func (c *cluster) client(i int, env []string, name string, args ...string) string {
	c.t.Helper()
	path, err := osexec.LookPath(name)
	if err != nil {
		c.t.Skipf("%s is not installed: %v", name, err)
	}
	host, port, err := net.SplitHostPort(c.nodes[i].PGAddr())
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := osexec.Command(path, args...)
	cmd.Env = append(append(os.Environ(), "PGHOST="+host, "PGPORT="+port, "PGUSER=postgres", "PGDATABASE=postgres", "PGCONNECT_TIMEOUT=10"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestPgbench runs pgbench unmodified against one node of three at quorum, in every mode, and checks its books on each.
func TestPgbench(t *testing.T) {
	c := three(t)
	// Slow machines with the race detector take their time for the peers to apply 100,000 rows at once.
	quorum := []string{"PGOPTIONS=-c consistency=quorum -c consistency_timeout=60s"}
	c.client(0, quorum, "pgbench", "-i", "-q", "-s", "1")
	for _, mode := range []string{"simple", "extended", "prepared"} {
		for _, script := range []string{"tpcb-like", "simple-update", "select-only"} {
			out := c.client(0, quorum, "pgbench", "-n", "-M", mode, "-b", script, "-c", "4", "-t", "25")
			if !strings.Contains(out, "number of transactions actually processed: 100/100") {
				t.Errorf("%s %s: not all transactions were processed:\n%s", mode, script, out)
			}
			if strings.Contains(out, "number of failed transactions:") && !strings.Contains(out, "number of failed transactions: 0 ") {
				t.Errorf("%s %s: transactions failed:\n%s", mode, script, out)
			}
		}
	}
	c.verify()
	for n := range c.nodes {
		conn := c.conn(n, "consistency=quorum")
		// simple-update moves no teller and no branch: accounts and history agree, tellers and branches do.
		rows := query(t, conn, `SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history),
			(SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches),
			(SELECT count(*) FROM pgbench_history), (SELECT count(*) FROM pgbench_accounts)`)
		if got := strings.Join(rows[0], " "); got != "t t 600 100000" {
			t.Errorf("node %d: books: got %q, want \"t t 600 100000\"", n+1, got)
		}
	}
}

const unicodeData = "/usr/share/unicode/UnicodeData.txt"

// TestCopyUnicodeData loads a real file of 34,000 lines through psql on one node and reads it on another.
func TestCopyUnicodeData(t *testing.T) {
	data, err := os.ReadFile(unicodeData)
	if err != nil {
		t.Skipf("the package unicode-data is not installed: %v", err)
	}
	lines := strings.Count(string(data), "\n")
	c := three(t)
	columns := "code text PRIMARY KEY, name text, category text, class int, bidi text, decomposition text, decimal text, digit text, numeric text, mirrored text, old_name text, comment text, upper text, lower text, title text"
	c.client(0, nil, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "CREATE TABLE unicode ("+columns+")",
		"-c", `\copy unicode FROM '`+unicodeData+`' WITH (FORMAT csv, DELIMITER ';', QUOTE E'\x01')`)
	conn := c.conn(2, "consistency=quorum")
	var n int
	if err := conn.QueryRow(context.Background(), "SELECT count(*) FROM unicode").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if n != lines {
		t.Errorf("node 3 has %d rows, want %d", n, lines)
	}
	var name string
	if err := conn.QueryRow(context.Background(), "SELECT name FROM unicode WHERE code = $1", "00E9").Scan(&name); err != nil || name != "LATIN SMALL LETTER E WITH ACUTE" {
		t.Errorf("code 00E9: got %q, %v", name, err)
	}
	// What comes out is what went in.
	out := c.client(2, nil, "psql", "-X", "-q", "-c", `\copy (SELECT * FROM unicode ORDER BY length(code), code) TO STDOUT WITH (FORMAT csv, DELIMITER ';', QUOTE E'\x01')`)
	if got := strings.Count(out, "\n"); got != lines {
		t.Errorf("copied out %d lines, want %d", got, lines)
	}
	for _, l := range strings.SplitAfter(out, "\n")[:100] {
		if !strings.Contains(string(data), l) {
			t.Errorf("a line that did not go in: %q", l)
		}
	}
	c.verify()
	got := c.client(2, nil, "psql", "-X", "-c", `\d unicode`)
	for _, want := range []string{`Table "public.unicode"`, "code          | text    |           | not null |", "class         | integer |", `"unicode_pkey" PRIMARY KEY, btree (code)`} {
		if !strings.Contains(got, want) {
			t.Errorf("\\d unicode lacks %q:\n%s", want, got)
		}
	}
}

// TestPgxBatch: statements sent in one go without BEGIN are one transaction.
func TestPgxBatch(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE b (id int PRIMARY KEY)")
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO b VALUES (1)")
	batch.Queue("INSERT INTO b VALUES (2)")
	batch.Queue("INSERT INTO b VALUES (1)")
	if err := conn.SendBatch(context.Background(), batch).Close(); err == nil {
		t.Error("a duplicate key in a batch gave no error")
	}
	if got := one(t, conn, "SELECT count(*) FROM b"); got != "0" {
		t.Errorf("a failed batch left %s rows", got)
	}
}

// TestPgDump: what pg_dump writes can be read back, sequences included.
func TestPgDump(t *testing.T) {
	if out, err := osexec.Command("pg_dump", "--version").Output(); err != nil || !strings.Contains(string(out), " 15.") {
		t.Skipf("pg_dump 15, the version that the server says it is, is not installed: %q, %v", out, err)
	}
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE parent (id serial PRIMARY KEY, name text NOT NULL UNIQUE)")
	exec(t, conn, "CREATE TABLE child (id int GENERATED ALWAYS AS IDENTITY, gone int, p int REFERENCES parent ON DELETE CASCADE, n numeric(8,2) CHECK (n > 0), j jsonb)")
	exec(t, conn, "ALTER TABLE child DROP COLUMN gone")
	exec(t, conn, "CREATE VIEW totals AS SELECT p, sum(n) AS total FROM child GROUP BY p")
	exec(t, conn, "INSERT INTO parent (name) VALUES ('a'), ('tab\there')")
	exec(t, conn, `INSERT INTO child (p, n, j) VALUES (1, 1.50, '{"k": [1, null]}'), (2, 2, NULL)`)
	dump := c.client(0, nil, "pg_dump")
	exec(t, conn, "DROP TABLE parent, child CASCADE")
	file := c.dir + "/dump.sql"
	if err := os.WriteFile(file, []byte(dump), 0o600); err != nil {
		t.Fatal(err)
	}
	c.client(0, nil, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file)
	fresh := c.conn(0)
	if got := query(t, fresh, "SELECT * FROM totals JOIN parent ON p = id ORDER BY p"); len(got) != 2 || strings.Join(got[1], "|") != "2|2.00|2|tab\there" {
		t.Errorf("the view shows %q", got)
	}
	if got := one(t, fresh, "INSERT INTO parent (name) VALUES ('c') RETURNING id"); got != "3" {
		t.Errorf("the sequence goes on at %s, want 3", got)
	}
	fails(t, fresh, "23503", "INSERT INTO child (p) VALUES (99)")
	fails(t, fresh, "23514", "INSERT INTO child (n) VALUES (0)")
}

package integration

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	transactions = flag.Int("transactions", 80, "transactions that TestOwnChanges runs")
	seed         = flag.Uint64("seed", 0, "seed of TestOwnChanges; 0: a new one")
	postgres     = flag.String("postgres", "", "URL of a PostgreSQL server that TestOwnChanges compares with, too")
)

// said is what a client sees of a statement: its tag and rows (in no order), or its SQLSTATE.
func said(conn *pgx.Conn, sql string) string {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeExec)
	var out []string
	for err == nil && rows.Next() {
		var row []string
		for _, v := range rows.RawValues() {
			row = append(row, string(v))
		}
		out = append(out, strings.Join(row, "|"))
	}
	if err == nil {
		err = rows.Err()
	}
	if err != nil {
		var e *pgconn.PgError
		if errors.As(err, &e) {
			return e.Code
		}
		return err.Error()
	}
	slices.Sort(out)
	return rows.CommandTag().String() + " " + strings.Join(out, " ")
}

// tried is how many statements of open transactions a node had to work out on its writer.
func (c *cluster) tried(i int) int {
	c.t.Helper()
	resp, err := http.Get("http://" + c.nodes[i].HTTPAddr() + "/metrics")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^layercake_statements_tried_total (\S+)$`).FindSubmatch(b)
	if m == nil {
		c.t.Fatalf("no such metric:\n%s", b)
	}
	f, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return int(f)
}

const ownSchema = `
	CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE, n bigint NOT NULL DEFAULT 7, d numeric(8,2), r float8, twice bigint GENERATED ALWAYS AS (n * 2) STORED, CHECK (n > -1000));
	CREATE TABLE child (id text PRIMARY KEY, parent int REFERENCES parent, qty int, note varchar(20));
	CREATE INDEX ON child (parent);
	CREATE TABLE loose (a int, b text, c timestamp);
	CREATE INDEX ON loose (a);
	INSERT INTO parent (id, name, n, d, r) SELECT i, 'p' || i, i, i + 0.50, i / 2.0 FROM generate_series(1, 8) i;
	INSERT INTO child SELECT 'c' || i, i % 4 + 1, i, 'made' FROM generate_series(1, 8) i;
	INSERT INTO loose SELECT i % 4, 'b' || i, '2024-01-01' FROM generate_series(1, 8) i`

// ownStatement makes a statement about few rows, often those of number hot, so that a transaction meets its own again and
// again.
func ownStatement(r *rand.Rand, hot int) string {
	id := func() int {
		if r.IntN(2) == 0 {
			return hot
		}
		return r.IntN(12)
	}
	name := func() string { return fmt.Sprintf("'p%d'", id()) }
	child := func() string { return fmt.Sprintf("'c%d'", id()) }
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	switch r.IntN(30) {
	case 0, 1:
		return fmt.Sprintf("SELECT * FROM parent WHERE id = %d", id())
	case 2:
		return fmt.Sprintf("SELECT id, n + 1, upper(name), twice FROM parent WHERE name = %s AND n < 1000", name())
	case 3:
		return fmt.Sprintf("SELECT count(*), sum(qty), min(note) FROM child WHERE parent = %d", id())
	case 4:
		return "SELECT * FROM parent"
	case 5:
		return fmt.Sprintf("SELECT * FROM loose WHERE a = %d", r.IntN(5))
	case 6:
		return fmt.Sprintf("SELECT * FROM parent WHERE id = %d FOR UPDATE", id())
	case 7:
		return fmt.Sprintf("SELECT p.id, c.id, c.qty FROM parent p LEFT JOIN child c ON c.parent = p.id WHERE p.id = %d", id())
	case 8:
		return fmt.Sprintf("SELECT id, d, r FROM parent WHERE id = %d.0 OR name = %s", id(), name())
	case 9, 10:
		return fmt.Sprintf("UPDATE parent SET n = n + %d WHERE id = %d%s", r.IntN(9), id(), pick("", " RETURNING *", " RETURNING n, twice"))
	case 11:
		return fmt.Sprintf("UPDATE parent SET name = %s, d = d * 2 WHERE id = %d RETURNING name, d", name(), id())
	case 12:
		return fmt.Sprintf("UPDATE parent SET r = r + 1 WHERE name = %s", name())
	case 13:
		return fmt.Sprintf("UPDATE parent SET n = n - 300 WHERE id < %d", id())
	case 14:
		return fmt.Sprintf("UPDATE parent SET id = %d WHERE id = %d", id(), id())
	case 15, 16:
		return fmt.Sprintf("INSERT INTO parent (id, name, d) VALUES (%d, %s, %d.25)%s", id(), pick(name(), "NULL"), id(), pick("", " RETURNING *"))
	case 17:
		return fmt.Sprintf("INSERT INTO parent (id, name) VALUES (%d, %s) ON CONFLICT (id) DO UPDATE SET n = parent.n + 10, name = EXCLUDED.name RETURNING *", id(), name())
	case 18:
		return fmt.Sprintf("INSERT INTO parent (id, name) VALUES (%d, %s), (%d, NULL) ON CONFLICT DO NOTHING", id(), name(), 20+id())
	case 19, 20:
		return fmt.Sprintf("INSERT INTO child VALUES (%s, %d, %d, 'new')", child(), id(), id())
	case 21:
		return fmt.Sprintf("UPDATE child SET parent = %d, qty = qty + 1 WHERE id = %s RETURNING *", id(), child())
	case 22:
		return fmt.Sprintf("DELETE FROM child WHERE id = %s RETURNING qty", child())
	case 23:
		return fmt.Sprintf("DELETE FROM child WHERE parent = %d", id())
	case 24, 25:
		return fmt.Sprintf("DELETE FROM parent WHERE id = %d RETURNING *", id())
	case 26:
		return fmt.Sprintf("INSERT INTO loose VALUES (%d, 'x%d', '2025-02-03 04:05:06')", r.IntN(5), id())
	case 27:
		return fmt.Sprintf("UPDATE loose SET b = b || '+' WHERE a = %d RETURNING b", r.IntN(5))
	case 28:
		return fmt.Sprintf("DELETE FROM loose WHERE a = %d AND b > 'c' RETURNING *", r.IntN(5))
	}
	return fmt.Sprintf("UPDATE parent SET n = (SELECT coalesce(sum(qty), 0) FROM child WHERE parent = %d) WHERE id = %d RETURNING n", id(), id())
}

// TestOwnRowsOnReader: statements that find a transaction's own rows by key are not worked out on the writer, and cost no
// more the more came before them.
func TestOwnRowsOnReader(t *testing.T) {
	c := start(t)
	c.http = true
	c.add("dc1")
	conn := c.conn(0)
	if _, err := conn.PgConn().Exec(context.Background(), ownSchema).ReadAll(); err != nil {
		t.Fatal(err)
	}
	before := c.tried(0)
	exec(t, conn, "BEGIN")
	for i := 100; i < 130; i++ {
		exec(t, conn, "INSERT INTO parent (id, name) VALUES ($1, $2)", i, fmt.Sprint("p", i))
		exec(t, conn, "INSERT INTO child VALUES ($1, $2, 1)", fmt.Sprint("c", i), i)
		exec(t, conn, "UPDATE parent SET n = n + 1 WHERE id = $1", i)
		wantOne(t, conn, "8", "SELECT n FROM parent WHERE name = $1", fmt.Sprint("p", i))
		wantOne(t, conn, "16", "UPDATE parent SET r = 1 WHERE id = $1 RETURNING twice", i)
		wantOne(t, conn, "1", "SELECT sum(qty) FROM child WHERE parent = $1", i)
		wantOne(t, conn, "1", "UPDATE child SET qty = qty + 1 WHERE parent = $1 RETURNING qty - 1", i)
		exec(t, conn, "SELECT * FROM parent WHERE id = $1 FOR UPDATE", i)
		exec(t, conn, "UPDATE parent SET n = 0 WHERE id = 1")
		exec(t, conn, "DELETE FROM child WHERE id = $1", fmt.Sprint("c", i-1))
	}
	if n := c.tried(0) - before; n != 0 {
		t.Errorf("%d statements were worked out on the writer, want none", n)
	}
	exec(t, conn, "COMMIT")
	wantOne(t, conn, "30 240 1", "SELECT count(*) || ' ' || sum(n) || ' ' || (SELECT count(*) FROM child WHERE parent >= 100) FROM parent WHERE id >= 100")
}

// TestOwnRowChangedElsewhere: another node changes a row that a transaction has written. Once the client has been shown
// rows since, COMMIT must not go on.
func TestOwnRowChangedElsewhere(t *testing.T) {
	c := start(t, "dc1", "dc1")
	here, there := c.conn(0, "consistency=all"), c.conn(1, "consistency=all")
	see := c.conn(0)
	exec(t, here, "CREATE TABLE kv (k int PRIMARY KEY, v int, w int)")
	exec(t, here, "INSERT INTO kv VALUES (1, 0, 0)")
	for i, sql := range []string{"UPDATE kv SET w = $1 WHERE k = 1", "DELETE FROM kv WHERE k = $1"} {
		exec(t, here, "BEGIN")
		exec(t, here, "UPDATE kv SET v = v + 1 WHERE k = 1")
		exec(t, there, sql, 1)
		eventually(t, see, []string{"1", "NULL"}[i], "SELECT (SELECT w FROM kv WHERE k = 1)")
		wantOne(t, here, "1", "SELECT v FROM kv WHERE k = 1") // the row that it has reserved is its own
		fails(t, here, "40001", "COMMIT")
	}
	wantOne(t, see, "0", "SELECT count(*) FROM kv")
}

// TestOwnChanges runs the same random transactions on two nodes, whose clients must see the same. One works out what
// meets a transaction's own rows on a reader wherever it can; on the other each transaction begins with DDL, after which
// everything goes through the writer. With -postgres it compares with PostgreSQL, too.
func TestOwnChanges(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("-seed %d", *seed)
	r := rand.New(rand.NewPCG(*seed, 1))
	reader, writer := start(t), start(t)
	conns := map[string]*pgx.Conn{}
	for name, c := range map[string]*cluster{"reader": reader, "writer": writer} {
		c.http = true
		c.add("dc1")
		conns[name] = c.conn(0)
	}
	if *postgres != "" {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		conn, err := pgx.Connect(ctx, *postgres)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		exec(t, conn, "DROP TABLE IF EXISTS child, parent, loose")
		conns["postgres"] = conn
	}
	for _, conn := range conns {
		if _, err := conn.PgConn().Exec(context.Background(), ownSchema).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	var history []string
	both := func(sql string) string {
		t.Helper()
		history = append(history, sql)
		want := said(conns["reader"], sql)
		for name, conn := range conns {
			if name == "reader" {
				continue
			}
			if got := said(conn, sql); got != want {
				t.Fatalf("%s\non the reader: %s\n%s: %s", strings.Join(history, ";\n"), want, name, got)
			}
		}
		return want
	}
	total := 0
	for range *transactions {
		history = nil
		both("BEGIN" + []string{"", "", " ISOLATION LEVEL REPEATABLE READ"}[r.IntN(3)])
		exec(t, conns["writer"], "CREATE TABLE scratch (x int)")
		exec(t, conns["writer"], "DROP TABLE scratch")
		saved, hot := 0, r.IntN(12)
		for range 1 + r.IntN(14) {
			if r.IntN(3) == 0 {
				saved++
				both(fmt.Sprintf("SAVEPOINT s%d", saved))
			}
			answer := both(ownStatement(r, hot))
			total++
			failed := len(answer) == 5 && !strings.Contains(answer, " ")
			switch {
			case failed && saved == 0:
			case failed || saved > 0 && r.IntN(6) == 0:
				saved = 1 + r.IntN(saved)
				both(fmt.Sprintf("ROLLBACK TO s%d", saved))
			case saved > 0 && r.IntN(6) == 0:
				both(fmt.Sprintf("RELEASE s%d", saved))
				saved--
			}
			if failed && saved == 0 {
				break
			}
		}
		both([]string{"COMMIT", "COMMIT", "ROLLBACK"}[r.IntN(3)])
		for _, table := range []string{"parent", "child", "loose"} {
			both("SELECT * FROM " + table)
		}
	}
	if n := reader.tried(0); n > total/2 {
		t.Errorf("%d of %d statements went through the writer: the test shows little", n, total)
	}
	if n := writer.tried(0); n < total/2 {
		t.Errorf("only %d of %d statements went through the writer: the test shows little", n, total)
	}
	reader.verify()
	writer.verify()
}

package integration

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"layercake/server"
)

// TestKeysMayChangePlaces: an UPDATE that permutes primary keys, some of which stay what they were.
func TestKeysMayChangePlaces(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE p (id int PRIMARY KEY, was int)")
	exec(t, conn, "INSERT INTO p SELECT g, g FROM generate_series(1, 5) g")
	for _, wrap := range []bool{false, true} {
		if wrap {
			exec(t, conn, "BEGIN")
		}
		exec(t, conn, "UPDATE p SET id = 6 - id")
		if wrap {
			exec(t, conn, "COMMIT")
		}
	}
	if got := one(t, conn, "SELECT string_agg(id || ':' || was, ' ' ORDER BY id) FROM p"); got != "1:1 2:2 3:3 4:4 5:5" {
		t.Errorf("after turning the keys round twice: %s", got)
	}
	exec(t, conn, "UPDATE p SET id = 6 - id WHERE id <> 1 AND id <> 5")
	if got := one(t, conn, "SELECT string_agg(id || ':' || was, ' ' ORDER BY id) FROM p"); got != "1:1 2:4 3:3 4:2 5:5" {
		t.Errorf("after turning the middle round: %s", got)
	}
}

// TestSerialOnLoadedTable: a sequence that a statement makes itself has to be waited for, in the same statement.
func TestSerialOnLoadedTable(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE q (a int)")
	exec(t, conn, "INSERT INTO q VALUES (1), (2), (3)")
	exec(t, conn, "ALTER TABLE q ADD COLUMN id serial PRIMARY KEY")
	exec(t, conn, "BEGIN")
	exec(t, conn, "ALTER TABLE q ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY")
	exec(t, conn, "COMMIT")
	if got := one(t, conn, "SELECT count(DISTINCT id) || ' ' || count(DISTINCT n) || ' ' || max(id) FROM q"); got != "3 3 3" {
		t.Errorf("got %s, want 3 3 3", got)
	}
	// More values than the greatest block that is granted ahead of need.
	exec(t, conn, "INSERT INTO q (a) SELECT g FROM generate_series(1, 20000) g")
	if got := one(t, conn, "SELECT count(*) - count(DISTINCT id) FROM q"); got != "0" {
		t.Errorf("%s values were given twice", got)
	}
}

// TestOneDatabase: a database that does not exist is no other name for the one that does.
func TestOneDatabase(t *testing.T) {
	c := start(t, "dc1")
	_, err := pgx.Connect(context.Background(), strings.Replace(c.url(0), "/postgres?", "/other?", 1))
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "3D000" {
		t.Errorf("got %v, want 3D000", err)
	}
}

// TestFolderKeepsItsName: a slip of --name must not rename a member.
func TestFolderKeepsItsName(t *testing.T) {
	c := start(t, "dc1")
	c.stop(0)
	cfg := c.cfgs[0]
	cfg.Name = "other"
	if n, err := server.New(cfg); err == nil || !strings.Contains(err.Error(), `belongs to node "n1"`) {
		if n != nil {
			_ = n.Close(context.Background())
		}
		t.Errorf("got %v, want a refusal that names n1", err)
	}
	c.boot(0)
}

// TestBulkInsertTakesTheFirstNumbers: a statement that needs more sequence values than a block holds starts over with a
// greater one, and its rows get the small numbers that people expect all the same.
func TestBulkInsertTakesTheFirstNumbers(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE s (id serial PRIMARY KEY, x int)")
	exec(t, conn, "INSERT INTO s (x) SELECT i FROM generate_series(1, 1000) i")
	if got := one(t, conn, "SELECT min(id) || ' ' || max(id) || ' ' || count(*) FROM s"); got != "1 1000 1000" {
		t.Errorf("ids: got %s, want 1 1000 1000", got)
	}
	exec(t, conn, "CREATE SEQUENCE down INCREMENT -3 START -5")
	if got := one(t, conn, "SELECT max(n) || ' ' || min(n) || ' ' || count(DISTINCT n) FROM (SELECT nextval('down') n FROM generate_series(1, 200)) q"); got != "-5 -602 200" {
		t.Errorf("a descending sequence: got %s, want -5 -602 200", got)
	}
	// A volatile function in a subquery is called once a row, however often its value is used.
	for _, from := range []string{"(SELECT random() AS r FROM generate_series(1, 100)) q", "rnd q"} {
		sql := "SELECT count(*) FROM " + from + " WHERE r = r AND r - r = 0 AND r BETWEEN 0 AND 1"
		if from == "rnd q" {
			sql = "WITH rnd AS (SELECT random() AS r FROM generate_series(1, 100)) " + sql
		}
		if got := one(t, conn, sql); got != "100" {
			t.Errorf("%s: got %s, want 100", sql, got)
		}
	}
	// Several sessions at once never get one number twice.
	exec(t, conn, "CREATE TABLE many (id serial, x int)")
	var wg sync.WaitGroup
	for range 4 {
		w := c.conn(0)
		wg.Go(func() {
			for range 5 {
				if _, err := w.Exec(context.Background(), "INSERT INTO many (x) SELECT i FROM generate_series(1, 300) i"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := one(t, conn, "SELECT count(*) || ' ' || count(DISTINCT id) FROM many"); got != "6000 6000" {
		t.Errorf("rows and different ids: got %s, want 6000 6000", got)
	}
}

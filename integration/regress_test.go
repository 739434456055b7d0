package integration

import (
	"context"
	"errors"
	"strings"
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

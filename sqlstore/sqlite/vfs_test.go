package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"layercake/sqlstore/sqlite"
)

// TestLogIsWrittenInTime: frames of the write-ahead log that are collected reach the file before anybody needs them there:
// the writer itself, when its transaction has spilled; other connections, and a copy of the files, once it is committed.
func TestLogIsWrittenInTime(t *testing.T) {
	dir := t.TempDir()
	connect := func(path string) *sqlite.Conn {
		t.Helper()
		c, err := sqlite.Open(path, sqlite.Options{Exclusive: true})
		if err == nil {
			err = c.StoreExec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=10")
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	exec := func(c *sqlite.Conn, sql string) {
		t.Helper()
		if err := c.StoreExec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	want := func(who string, c *sqlite.Conn, rows int64) {
		t.Helper()
		got := query(t, c, "SELECT count(*), coalesce(sum(length(v)), 0) FROM t")[0]
		if got[0].Int() != rows || got[1].Int() != 900*rows {
			t.Errorf("%s sees %d rows of %d bytes, want %d of %d", who, got[0].Int(), got[1].Int(), rows, 900*rows)
		}
	}
	path := filepath.Join(dir, "a.db")
	w := connect(path)
	defer w.Close()
	exec(w, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
	r := connect(path)
	defer r.Close()
	const fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) " +
		"INSERT INTO t(v) SELECT randomblob(900) FROM n"
	exec(w, "BEGIN IMMEDIATE; "+fill)
	want("the writer, of what has spilled,", w, 3000)
	want("another connection, of what is not committed,", r, 0)
	exec(w, "DELETE FROM t WHERE id > 2000")
	want("the writer, of what it has written twice,", w, 2000)
	exec(w, "COMMIT")
	want("another connection", r, 2000)
	for range 3 {
		exec(w, "INSERT INTO t(v) VALUES (randomblob(900))")
	}
	want("another connection, after small commits,", r, 2003)
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	c := connect(filepath.Join(copied, "a.db"))
	defer c.Close()
	want("a copy of the files", c, 2003)
	exec(w, "BEGIN IMMEDIATE; "+fill+"; ROLLBACK")
	want("the writer, of what it has taken back,", w, 2003)
	exec(w, "INSERT INTO t(v) VALUES (randomblob(900))")
	want("another connection, after that,", r, 2004)
}

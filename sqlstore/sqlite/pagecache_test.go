package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"layercake/sqlstore/sqlite"
)

// TestPagesOfBefore: no connection shows a page as it was, while a database's trees are balanced and it shrinks and grows.
func TestPagesOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var c, reader *sqlite.Conn
	for _, at := range []**sqlite.Conn{&c, &reader} {
		var err error
		if *at, err = sqlite.Open(path, sqlite.Options{Exclusive: true}); err != nil {
			t.Fatal(err)
		}
		defer (*at).Close()
	}
	exec := func(sql string) {
		t.Helper()
		if err := c.StoreExec(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec("PRAGMA auto_vacuum=FULL; PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL; PRAGMA cache_size=-65536; CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB) WITHOUT ROWID")
	random := rand.New(rand.NewPCG(1, 2))
	model := map[int]int{} // key to length
	pages := func() int64 { return query(t, c, "PRAGMA page_count")[0][0].Int() }
	most, shrunk := int64(0), 0
	for round := range 400 {
		exec("BEGIN IMMEDIATE")
		if round%40 == 39 { // the greater part goes, and with it the end of the file
			exec("DELETE FROM t WHERE k % 16 <> 0")
			for k := range model {
				if k%16 != 0 {
					delete(model, k)
				}
			}
		}
		for range 30 {
			k, n := random.IntN(4096), random.IntN(2000)
			exec(fmt.Sprintf("INSERT OR REPLACE INTO t VALUES(%d, zeroblob(%d))", k, n))
			model[k] = n
		}
		if round%7 == 3 {
			exec("SAVEPOINT s; DELETE FROM t WHERE k % 3 = 0; INSERT OR REPLACE INTO t SELECT k+1, randomblob(3000) FROM t; ROLLBACK TO s")
		}
		exec("COMMIT")
		keys, bytes := 0, 0
		for k, n := range model {
			keys += k
			bytes += n
		}
		if sum := query(t, reader, "SELECT sum(k), sum(length(v)) FROM t")[0]; sum[0].Int() != int64(keys) || sum[1].Int() != int64(bytes) {
			t.Fatalf("round %d: another connection sees keys of %d and %d bytes, want %d and %d", round, sum[0].Int(), sum[1].Int(), keys, bytes)
		}
		if n := pages(); n > most {
			most = n
		} else if n < most/2 {
			shrunk++
		}
	}
	if shrunk == 0 {
		t.Error("the file never got smaller")
	}
	if got := query(t, c, "PRAGMA integrity_check")[0][0]; string(got.Bytes) != "ok" {
		t.Errorf("integrity_check: %s", got.Bytes)
	}
	rows := query(t, c, "SELECT k, length(v), hex(v) GLOB '*[^0]*' FROM t")
	if len(rows) != len(model) {
		t.Errorf("%d rows, want %d", len(rows), len(model))
	}
	for _, r := range rows {
		if n, there := model[int(r[0].Int())]; !there || int64(n) != r[1].Int() || r[2].Bool() {
			t.Errorf("key %d: length %d, want %d; random bytes %v", r[0].Int(), r[1].Int(), n, r[2].Bool())
		}
	}
}

// TestCacheIsNotSearched: what balances trees makes no connection look through its whole cache at the end of a transaction;
// that another connection has committed does.
func TestCacheIsNotSearched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	c, err := sqlite.Open(path, sqlite.Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StoreExec("PRAGMA synchronous=FULL; PRAGMA journal_mode=WAL; CREATE TABLE t(k TEXT PRIMARY KEY) WITHOUT ROWID"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	before := sqlite.CacheSearches()
	for range 1000 {
		if err := c.StoreExec(fmt.Sprintf("INSERT INTO t VALUES('%x%x%0100d')", random.Uint64(), random.Uint64(), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if n := sqlite.CacheSearches() - before; n != 0 {
		t.Errorf("the cache was searched %d times in 1,000 transactions", n)
	}
	if n := query(t, c, "SELECT count(*) FROM t")[0][0].Int(); n != 1000 {
		t.Errorf("%d rows, want 1000", n)
	}

	reader, err := sqlite.Open(path, sqlite.Options{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	query(t, reader, "SELECT count(*) FROM t")
	if err := c.StoreExec("DELETE FROM t WHERE k < '8'"); err != nil {
		t.Fatal(err)
	}
	before = sqlite.CacheSearches()
	query(t, reader, "SELECT count(*) FROM t")
	if n := sqlite.CacheSearches() - before; n != 1 {
		t.Errorf("a reader's cache was emptied %d times after a commit, want once", n)
	}
}

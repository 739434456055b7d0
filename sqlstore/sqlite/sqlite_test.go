package sqlite_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

func open(t testing.TB, o sqlite.Options) *sqlite.Conn {
	t.Helper()
	c, err := sqlite.Open(t.TempDir()+"/db", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func query(t testing.TB, c *sqlite.Conn, sql string, args ...catalog.Value) [][]catalog.Value {
	t.Helper()
	s, err := c.Stmt(sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	r, err := s.Query(args)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer r.Close()
	var out [][]catalog.Value
	for r.Next() {
		out = append(out, append([]catalog.Value(nil), r.Values()...))
	}
	if err := r.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return out
}

func TestValuesSurvive(t *testing.T) {
	c := open(t, sqlite.Options{})
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * 7)
	}
	want := []catalog.Value{
		{}, catalog.Int(0), catalog.Int(math.MinInt64), catalog.Int(math.MaxInt64), catalog.Float(math.Copysign(0, -1)),
		catalog.Float(math.Inf(1)), catalog.Float(math.Inf(-1)), catalog.Float(math.NaN()), catalog.Float(math.SmallestNonzeroFloat64),
		catalog.Str(""), catalog.Str("häß\x00lich"), catalog.BlobBytes([]byte{}), catalog.BlobBytes([]byte{0, 1, 255}), catalog.BlobBytes(big),
	}
	if err := c.Exec("CREATE TABLE t(i INTEGER PRIMARY KEY, v)"); err != nil {
		t.Fatal(err)
	}
	ins, err := c.Stmt("INSERT INTO t VALUES (?,?)")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want {
		if n, err := ins.Exec([]catalog.Value{catalog.Int(int64(i)), v}); err != nil || n != 1 {
			t.Fatalf("insert: %d, %v", n, err)
		}
	}
	for i, v := range want {
		got := query(t, c, "SELECT v, ?2 FROM t WHERE i = ?1", catalog.Int(int64(i)), v)
		for j := range 2 {
			if g := got[0][j]; !g.Equal(v) || math.Signbit(g.Float()) != math.Signbit(v.Float()) {
				t.Errorf("value %d/%d came back as kind %d", i, j, g.Kind)
			}
		}
	}
}

func TestBatchesAndNesting(t *testing.T) {
	c := open(t, sqlite.Options{StmtCache: 2})
	const sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) SELECT i, 'row ' || i FROM n"
	s, err := c.Stmt(sql)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := s.Query([]catalog.Value{catalog.Int(3000)})
	if err != nil {
		t.Fatal(err)
	}
	var kept []catalog.Value
	for i := int64(1); outer.Next(); i++ {
		v := outer.Values()
		if v[0].Int() != i || string(v[1].Bytes) != fmt.Sprintf("row %d", i) {
			t.Fatalf("row %d is %v", i, v)
		}
		kept = append(kept, v[1])
		if i%500 == 0 { // the same statement runs meanwhile, and others push it out of the cache
			inner, err := s.Query([]catalog.Value{catalog.Int(5)})
			if err != nil {
				t.Fatal(err)
			}
			inner.Next()
			inner.Close()
			for j := range 4 {
				query(t, c, fmt.Sprintf("SELECT %d, %d", i, j))
			}
		}
	}
	if err := outer.Err(); err != nil || len(kept) != 3000 {
		t.Fatalf("%d rows, %v", len(kept), err)
	}
	for i, v := range kept {
		if string(v.Bytes) != fmt.Sprintf("row %d", i+1) {
			t.Fatalf("kept bytes of row %d changed", i+1)
		}
	}
	outer.Close()
	outer.Close()
}

func TestErrors(t *testing.T) {
	c := open(t, sqlite.Options{})
	sqliteErr := func(sql string, code int) {
		t.Helper()
		s, err := c.Stmt(sql)
		if err == nil {
			_, err = s.Exec(nil)
		}
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Extended != code {
			t.Errorf("%s: got %v, want code %d", sql, err, code)
		}
	}
	if err := c.Exec("CREATE TABLE t(a UNIQUE); INSERT INTO t VALUES (1); -- end"); err != nil {
		t.Fatal(err)
	}
	sqliteErr("INSERT INTO t VALUES (1)", sqlite.ConstraintUnique)
	sqliteErr("SELECT nosuch", 1)
	sqliteErr(`SELECT "nosuch"`, 1)
	sqliteErr("SELECT 1; SELECT 2", 21)
	sqliteErr("SELECT ?", 21) // no argument given

	// An error after some rows comes after these rows.
	s, err := c.Stmt("SELECT lc_test_fail(value) FROM json_each('[1,2,3]')")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Query(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r.Next() {
		n++
	}
	if n != 2 || pgerror.Code(r.Err()) != "22012" {
		t.Errorf("%d rows, then %v", n, r.Err())
	}
	var e *pgerror.Error
	if !errors.As(r.Err(), &e) || e.Detail != "three" {
		t.Errorf("detail lost: %+v", e)
	}
}

func init() {
	sqlite.RegisterFunc("lc_test_fail", 1, true, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		if args[0].Int() == 3 {
			return catalog.Value{}, pgerror.New("22012", "division by zero").WithDetail("three")
		}
		return args[0], nil
	})
	sqlite.RegisterFunc("lc_test_session", -1, false, func(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		s, err := ctx.Conn().StoreStmt("SELECT count(*), lc_test_fail(7) FROM sqlite_schema")
		if err != nil {
			return catalog.Value{}, err
		}
		r, err := s.Query(nil)
		if err != nil {
			return catalog.Value{}, err
		}
		defer r.Close()
		r.Next()
		out := fmt.Sprint(ctx.Session(), " ", len(args), " ", r.Values()[1].Int())
		for _, a := range args {
			out += string(a.Bytes)
		}
		return catalog.Str(out), nil
	})
	sqlite.RegisterFunc("lc_test_panic", 0, false, func(*sqlite.Context, []catalog.Value) (catalog.Value, error) { panic("boom") })
}

func TestGoFunctions(t *testing.T) {
	c := open(t, sqlite.Options{Authorizer: true})
	c.Session = "me"
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 'x'
	}
	got := query(t, c, "SELECT lc_test_session('a', ?1), lc_test_session(1,2,3,4,5,6,7,8,9)", catalog.TextBytes(long))
	if w := "me 2 7a" + string(long); string(got[0][0].Bytes) != w {
		t.Errorf("got %.20q…", got[0][0].Bytes)
	}
	if w := "me 9 7"; string(got[0][1].Bytes) != w {
		t.Errorf("got %q", got[0][1].Bytes)
	}
	s, _ := c.Stmt("SELECT lc_test_panic()")
	if _, err := s.Query(nil); pgerror.Code(err) != "XX000" {
		t.Errorf("panic gave %v", err)
	}
}

// TestStoreStatementsTakeNULL: a function that fails gives NULL in the store's own statements, and nowhere else; and an index
// over an expression that fails can be written, found and deleted from.
func TestStoreStatementsTakeNULL(t *testing.T) {
	c := open(t, sqlite.Options{})
	for _, expr := range []string{"lc_test_fail(3)", "lc_div4(1, 0)"} {
		strict, err := c.Stmt("SELECT " + expr + ", count(*) FROM sqlite_schema")
		if err != nil {
			t.Fatal(err)
		}
		lenient, err := c.StoreStmt(strict.SQL())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // one after the other: neither changes how the other runs
			if _, err := strict.Exec(nil); pgerror.Code(err) != "22012" {
				t.Errorf("%s: %v", expr, err)
			}
			r, err := lenient.Query(nil)
			if err != nil || !r.Next() || !r.Values()[0].IsNull() {
				t.Fatalf("%s: %v", expr, err)
			}
			r.Close()
		}
	}
	if s, err := c.StoreStmt("SELECT lc_test_panic()"); err != nil {
		t.Fatal(err)
	} else if _, err := s.Exec(nil); pgerror.Code(err) != "XX000" {
		t.Errorf("an internal error gave %v", err)
	}
	if _, err := c.Stmt("SELECT nothing"); err == nil || pgerror.Code(err) == "22012" {
		t.Errorf("an error of before came again: %v", err)
	}

	if err := c.StoreExec("CREATE TABLE t(n INTEGER); CREATE INDEX i ON t(lc_div4(10, n)); INSERT INTO t VALUES (0), (5), (0)"); err != nil {
		t.Fatal(err)
	}
	st, err := c.StoreStmt("INSERT INTO t VALUES (?1)")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := st.ExecRows(nil, nil, catalog.AppendRow(catalog.AppendRow(nil, []catalog.Value{catalog.Int(0)}), []catalog.Value{catalog.Int(2)}), make([]int64, 2)); err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("INSERT INTO t VALUES (0)"); pgerror.Code(err) != "22012" {
		t.Errorf("a strict statement: %v", err)
	}
	if err := c.StoreExec("UPDATE t SET n = 0 WHERE n = 5; DELETE FROM t WHERE rowid = 1"); err != nil {
		t.Fatal(err)
	}
	if got := query(t, c, "SELECT count(*) FROM t INDEXED BY i WHERE lc_div4(10, n) = 5"); got[0][0].Int() != 1 {
		t.Errorf("%d rows by the index", got[0][0].Int())
	}
	check, err := c.StoreStmt("PRAGMA integrity_check")
	if err != nil {
		t.Fatal(err)
	}
	r, err := check.Query(nil)
	if err != nil || !r.Next() || string(r.Values()[0].Bytes) != "ok" {
		t.Errorf("integrity_check: %v %s", err, r.Values()[0].Bytes)
	}
	r.Close()
	if err := c.StoreExecStrict("CREATE INDEX j ON t(lc_div4(20, n))"); pgerror.Code(err) != "22012" {
		t.Errorf("a strict index: %v", err)
	}
}

func TestAuthorizer(t *testing.T) {
	c := open(t, sqlite.Options{Authorizer: true})
	if err := c.StoreExec("CREATE TABLE t1(c1 UNIQUE); CREATE TABLE lc_log(a); INSERT INTO t1 VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		"ATTACH ':memory:' AS x", "DETACH x", "PRAGMA user_version", "SELECT * FROM pragma_table_info('t1')",
		"SELECT load_extension('x')", "SELECT * FROM lc_log", "INSERT INTO lc_log VALUES (1)", "SELECT * FROM LC_LOG",
		"SELECT (SELECT a FROM lc_log)", "DELETE FROM lc_log", "UPDATE lc_log SET a = 1", "SELECT * FROM sqlite_schema", "SELECT * FROM sqlite_master",
		"CREATE TABLE x(a)", "CREATE VIRTUAL TABLE x USING fts3(a)", "DROP TABLE t1", "BEGIN", "COMMIT", "SAVEPOINT s", "REINDEX", "ANALYZE",
		"CREATE TEMP TABLE x(a)", "ALTER TABLE t1 ADD COLUMN c2", "SELECT * FROM json_tree('[]')", "SELECT * FROM fts3tokenize('simple','a')", "VACUUM",
	} {
		s, err := c.Stmt(sql)
		if err == nil {
			_, err = s.Exec(nil)
		}
		if err == nil {
			t.Errorf("%s was let through", sql)
		}
	}
	for _, sql := range []string{"SELECT count(*) FROM t1", "UPDATE t1 SET c1 = 2", "SELECT value FROM json_each('[1]')",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 3) SELECT upper(i) FROM n"} {
		s, err := c.Stmt(sql)
		if err == nil {
			_, err = s.Exec(nil)
		}
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// A statement of the store stays free when SQLite compiles it again after a change of the schema.
	s, err := c.StoreStmt("SELECT count(*) FROM lc_log")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.StoreExec("CREATE TABLE t2(c1)"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exec(nil); err != nil {
		t.Errorf("after recompilation: %v", err)
	}
}

func TestInterrupt(t *testing.T) {
	c := open(t, sqlite.Options{})
	c2 := c
	sqliteInterrupt = c2.Interrupt
	s, err := c.Stmt("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(lc_test_interrupt(i)) FROM n")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Query(nil)
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code != sqlite.CodeInterrupt || pgerror.Code(err) != "57014" {
		t.Errorf("got %v", err)
	}
	query(t, c, "SELECT 1")
	c.Close()
	c.Interrupt()
}

var sqliteInterrupt func()

func init() {
	sqlite.RegisterFunc("lc_test_interrupt", 1, false, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		if args[0].Int() == 1000 {
			done := make(chan struct{})
			go func() { defer close(done); sqliteInterrupt() }()
			<-done
		}
		return args[0], nil
	})
}

func TestMemoryIsShared(t *testing.T) {
	a, err := sqlite.Open("x?y", sqlite.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Exec("CREATE TABLE t(a); INSERT INTO t VALUES (5)"); err != nil {
		t.Fatal(err)
	}
	b, err := sqlite.Open("x?y", sqlite.Options{Memory: true, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got := query(t, b, "SELECT a FROM t"); len(got) != 1 || got[0][0].Int() != 5 {
		t.Errorf("got %v", got)
	}
	if err := b.Exec("INSERT INTO t VALUES (6)"); err == nil {
		t.Error("a read-only connection wrote")
	}
}

func TestCloseEndsOpenRows(t *testing.T) {
	path := t.TempDir() + "/db"
	c, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Exec("CREATE TABLE t(a); INSERT INTO t SELECT value FROM lc_series(1, 1000)"); err != nil {
		t.Fatal(err)
	}
	s, err := c.Stmt("SELECT a FROM t")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Query(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	n := 0
	for r.Next() {
		n++
	}
	if r.Err() == nil || n >= 1000 {
		t.Errorf("%d rows of a closed connection, error %v", n, r.Err())
	}
	r.Close()
	if _, err := s.Query(nil); err == nil {
		t.Error("a statement of a closed connection ran")
	}
	// Nobody holds a lock on the file any more.
	d, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Exec("BEGIN EXCLUSIVE; DELETE FROM t; COMMIT"); err != nil {
		t.Error(err)
	}
}

func TestCheckpoint(t *testing.T) {
	c := open(t, sqlite.Options{})
	if err := c.Exec("PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(100000))"); err != nil {
		t.Fatal(err)
	}
	if c.WALPages() < 20 {
		t.Errorf("WAL has %d pages", c.WALPages())
	}
	wal, done, err := c.Checkpoint(sqlite.CheckpointTruncate)
	if err != nil || wal != 0 || done != 0 {
		t.Errorf("checkpoint: %d, %d, %v", wal, done, err)
	}
}

func BenchmarkPointRead(b *testing.B) {
	c := open(b, sqlite.Options{Authorizer: true})
	if err := c.StoreExec("CREATE TABLE t(c1 INTEGER PRIMARY KEY, c2, c3)"); err != nil {
		b.Fatal(err)
	}
	if err := c.StoreExec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<10000) INSERT INTO t SELECT i, i*2, 'some text' FROM n"); err != nil {
		b.Fatal(err)
	}
	args := []catalog.Value{catalog.Int(0)}
	for i := 0; b.Loop(); i++ {
		args[0] = catalog.Int(int64(i%10000 + 1))
		s, err := c.Stmt("SELECT c2, c3 FROM t WHERE c1 = ?1")
		if err != nil {
			b.Fatal(err)
		}
		r, err := s.Query(args)
		if err != nil || !r.Next() {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkFunctions runs each expression over 100,000 rows; the time is per row.
func BenchmarkFunctions(b *testing.B) {
	c := open(b, sqlite.Options{})
	if err := c.Exec("CREATE TABLE t(i, f, n, s, a); WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM k WHERE i<100000) " +
		"INSERT INTO t SELECT i, i/7.0, lc_nround(lc_ndiv(i, 7), 2), 'some text ' || i, lc_array(23, i, i+1, i+2) FROM k"); err != nil {
		b.Fatal(err)
	}
	for _, e := range []string{"count(i)", "sum(lc_add4(i,1))", "sum(lc_fadd(f,f))", "sum(i)", "lc_sumi(i)", "lc_sumf(f)", "lc_sumn(n)", "lc_avgn(n)", "max(lc_nadd(n,n))", "max(lc_nmul(n,n))",
		"max(lc_ndiv(n,i))", "sum(lc_like(s,'%xt 9%'))", "sum(lc_length(s))", "max(lc_array_get(a,2))", "max(lc_upper(s))"} {
		b.Run(e, func(b *testing.B) {
			s, err := c.Stmt("SELECT " + e + " FROM t")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, err := s.Exec(nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100000, "ns/row")
		})
	}
}

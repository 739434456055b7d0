package sqlite_test

import (
	"errors"
	"fmt"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

func TestExecRows(t *testing.T) {
	c := open(t, sqlite.Options{})
	if err := c.StoreExec("CREATE TABLE t(h,o,k BLOB,a INTEGER UNIQUE,b,r,n,z BLOB)"); err != nil {
		t.Fatal(err)
	}
	st, err := c.StoreStmt("INSERT INTO t VALUES(?,?,?,?,?,?,?,?)")
	if err != nil {
		t.Fatal(err)
	}
	head := []catalog.Value{catalog.Int(77), catalog.Str("o")}
	row := func(i int) []catalog.Value {
		return []catalog.Value{catalog.Int(int64(i)), catalog.Str(fmt.Sprint("text ", i)), catalog.Float(float64(i) / 2), {}, catalog.BlobBytes([]byte{byte(i)})}
	}
	rows := func(numbers ...int) (b []byte) {
		for _, i := range numbers {
			b = catalog.AppendRow(b, row(i))
		}
		return b
	}
	ids := make([]int64, 3)
	in := rows(1, 2, 3)
	// The key counts over a byte, and is not changed itself.
	key := []byte("key\x00\x00\x01\xff")
	if done, used, err := st.ExecRows(head, key, in, ids); err != nil || done != 3 || used != len(in) || fmt.Sprint(ids) != "[1 2 3]" {
		t.Fatalf("%d rows, %d of %d bytes, %v, rowids %v", done, used, len(in), err, ids)
	}
	if string(key) != "key\x00\x00\x01\xff" {
		t.Errorf("the key is now %q", key)
	}
	got := query(t, c, "SELECT h,o,k,a,b,r,n,z FROM t ORDER BY a")
	for i, v := range got {
		k := []byte{'k', 'e', 'y', 0, 0, 1, 0xff}
		if i > 0 {
			k = []byte{'k', 'e', 'y', 0, 0, 2, byte(i - 1)}
		}
		want := append(append(head, catalog.BlobBytes(k)), row(i+1)...)
		for j := range want {
			if !v[j].Equal(want[j]) {
				t.Errorf("row %d column %d is %v, want %v", i, j, v[j], want[j])
			}
		}
	}
	// A row that fails: those before it are in, and those after it are not.
	var e *sqlite.Error
	done, used, err := st.ExecRows(head, key, rows(4, 2, 5), ids)
	if !errors.As(err, &e) || done != 1 || used != len(rows(4)) {
		t.Errorf("%d rows, %d bytes, %v", done, used, err)
	}
	if n := query(t, c, "SELECT count(*) FROM t"); n[0][0].Int() != 4 {
		t.Errorf("%d rows", n[0][0].Int())
	}
	// Bytes that are no rows, and keys that cannot count, are errors.
	if done, _, err := st.ExecRows(head, key, rows(5, 6)[:len(rows(5))+3], ids[:2]); err == nil || done != 1 {
		t.Errorf("cut rows: %d rows, %v", done, err)
	}
	for _, k := range [][]byte{[]byte("abc"), make([]byte, 65)} {
		if _, _, err := st.ExecRows(head, k, rows(9), ids[:1]); err == nil {
			t.Errorf("a key of %d bytes was taken", len(k))
		}
	}
	// The statement serves as before.
	if n, err := st.Exec(append(append(head, catalog.BlobBytes(key)), row(20)...)); err != nil || n != 1 {
		t.Errorf("%d, %v", n, err)
	}
}

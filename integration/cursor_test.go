package integration

import (
	"context"
	"testing"
)

// TestBinaryCursor: the simple protocol's FETCH from a BINARY cursor sends binary values; the extended one's sends what Bind
// asked for.
func TestBinaryCursor(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "BEGIN")
	exec(t, conn, "DECLARE b BINARY CURSOR FOR SELECT g::int4, 'x' || g, NULL::int8 FROM generate_series(1, 3) g")
	exec(t, conn, "DECLARE p CURSOR FOR SELECT 7::int4, 'y', NULL::int8")
	results, err := conn.PgConn().Exec(context.Background(), "FETCH 1 FROM b; FETCH 1 FROM p; FETCH 1 FROM b").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		format    int16
		number, s string
	}{{1, "\x00\x00\x00\x01", "x1"}, {0, "7", "y"}, {1, "\x00\x00\x00\x02", "x2"}}
	for i, w := range want {
		r := results[i]
		if r.Err != nil || len(r.Rows) != 1 {
			t.Fatalf("FETCH %d: %d rows, %v", i, len(r.Rows), r.Err)
		}
		for _, f := range r.FieldDescriptions {
			if f.Format != w.format {
				t.Errorf("FETCH %d: %s has format %d, want %d", i, f.Name, f.Format, w.format)
			}
		}
		if row := r.Rows[0]; string(row[0]) != w.number || string(row[1]) != w.s || row[2] != nil {
			t.Errorf("FETCH %d: got %q, want %q, %q and NULL", i, row, w.number, w.s)
		}
	}
	for format, w := range []string{"3", "\x00\x00\x00\x03"} {
		exec(t, conn, "MOVE ABSOLUTE 2 FROM b")
		r := conn.PgConn().ExecParams(context.Background(), "FETCH 1 FROM b", nil, nil, nil, []int16{int16(format)}).Read()
		if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != w {
			t.Errorf("FETCH with result format %d: got %q, %v, want %q", format, r.Rows, r.Err, w)
		}
	}
	exec(t, conn, "ROLLBACK")
}

package nodes

import (
	"bytes"
	"io"
	"strconv"
	"testing"
)

// TestRows: the rows made for COPY are whole, numbered, and as many or as long as asked for.
func TestRows(t *testing.T) {
	data, err := io.ReadAll(&Rows{Next: 7, Count: 3, Letters: 10})
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(lines) != 3 {
		t.Fatalf("%d rows, want 3", len(lines))
	}
	for i, l := range lines {
		id, v, ok := bytes.Cut(l, []byte("\t"))
		if !ok || string(id) != strconv.Itoa(7+i) || len(v) != 10 {
			t.Errorf("row %d is %q", i, l)
		}
	}
	g := &Rows{Count: 1 << 40, Limit: 10_000}
	if data, err = io.ReadAll(g); err != nil || len(data) < 10_000 || len(data) > 10_200 || len(data) != g.Made {
		t.Errorf("%d bytes, made %d, want 10000 to the end of the row: %v", len(data), g.Made, err)
	}
}

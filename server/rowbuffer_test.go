package server

import (
	"bytes"
	"fmt"
	"testing"

	"layercake/catalog"
)

// TestRowBufferSpills: rows come back the same, in order, whether they fit in memory or not, and more than once.
func TestRowBufferSpills(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 300_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := &rowBuffer{cols: 3}
			pad := bytes.Repeat([]byte("x"), 200)
			for i := range n {
				b.add([]catalog.Value{catalog.Int(int64(i)), {}, catalog.TextBytes(pad[:i%200])})
			}
			if spilled := b.file != nil; spilled != (n == 300_000) {
				t.Errorf("%d rows of %d bytes: in a file: %v", n, b.bytes(), spilled)
			}
			for range 2 {
				seen := 0
				err := b.each(func(i int, v []catalog.Value) error {
					if i != seen || v[0].Int() != int64(i) || !v[1].IsNull() || len(v[2].Bytes) != i%200 {
						t.Fatalf("row %d came back as %v", i, v)
					}
					seen++
					return nil
				})
				if err != nil || seen != n {
					t.Fatalf("%d rows of %d came back: %v", seen, n, err)
				}
			}
			whole, err := b.whole()
			if err != nil {
				t.Fatal(err)
			}
			row := make([]catalog.Value, 3)
			for i := range n {
				if whole, err = catalog.DecodeRow(row, whole); err != nil || row[0].Int() != int64(i) {
					t.Fatalf("row %d of the whole: %v, %v", i, row, err)
				}
			}
			if len(whole) != 0 {
				t.Errorf("%d bytes too many", len(whole))
			}
		})
	}
}

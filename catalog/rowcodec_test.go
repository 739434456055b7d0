package catalog_test

import (
	"math"
	"testing"

	"layercake/catalog"
)

// TestRowSize: RowSize is what AppendRow appends.
func TestRowSize(t *testing.T) {
	for _, row := range [][]catalog.Value{
		nil,
		{{}},
		{catalog.Int(1), {}, catalog.Float(1.5), catalog.Float(math.NaN())},
		{catalog.Str(""), catalog.Str("a text"), catalog.BlobBytes([]byte{1, 2, 3})},
	} {
		if got, want := catalog.RowSize(row), len(catalog.AppendRow(nil, row)); got != want {
			t.Errorf("RowSize(%v) = %d, want %d", row, got, want)
		}
	}
}

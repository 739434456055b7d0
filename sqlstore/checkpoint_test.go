package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestWALStaysSmall writes many times what the WAL may hold, without a pause in which a checkpoint would catch up: in
// transactions of many pages, and in those of one row, of which some commit while a pass of the checkpointer is under way.
func TestWALStaysSmall(t *testing.T) {
	for _, w := range []struct {
		name       string
		rows, size int
		most       int64 // bytes
	}{
		{"great rows", 1200, 50_000, 80 << 20},
		{"small rows", 10_000, 10, 24 << 20},
	} {
		t.Run(w.name, func(t *testing.T) {
			dir := t.TempDir()
			n := openDir(t, dir)
			p := n.MustCreate(people)
			tab := storetest.Table(n.Schema(), p)
			blob := catalog.BlobBytes(make([]byte, w.size))
			for i := range w.rows {
				if _, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
					_, err := tx.Insert(tab, vals(integer(int64(i)), blob, null))
					return err
				}); err != nil {
					t.Fatal(err)
				}
			}
			wal, err := os.Stat(filepath.Join(dir, "layercake.db-wal"))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the WAL has %d KiB", wal.Size()>>10)
			if wal.Size() > w.most {
				t.Errorf("the WAL has %d MB", wal.Size()>>20)
			}
		})
	}
}

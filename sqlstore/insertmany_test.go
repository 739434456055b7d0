package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// rowsOf gives InsertMany n rows, in one slice that it uses again.
func rowsOf(n int, row func(i int) []catalog.Value) func() ([]catalog.Value, bool, error) {
	i, buf := 0, []catalog.Value(nil)
	return func() ([]catalog.Value, bool, error) {
		if i == n {
			return nil, false, nil
		}
		i++
		buf = append(buf[:0], row(i-1)...)
		return buf, true, nil
	}
}

func person(i int) []catalog.Value {
	return vals(integer(int64(i)), text(fmt.Sprint("name ", i)), text(fmt.Sprint(i, "@x")))
}

// TestInsertMany: rows that went in at once are the same, for the digest and for other nodes, as rows that went in one by
// one; also where a row was deleted before, where the table has no key, and where the load stops half-way.
func TestInsertMany(t *testing.T) {
	keyless := storetest.TableSpec{Name: "notes", Columns: []storetest.Column{{Name: "a", Type: catalog.Int4OID}, {Name: "b", Type: catalog.TextOID}}}
	for _, tt := range []struct {
		name    string
		table   storetest.TableSpec
		deleted bool
		taken   int // the row that finds its key taken
		rows    int
	}{
		{name: "key", table: people, taken: -1, rows: 1500},
		{name: "no key", table: keyless, taken: -1, rows: 1500},
		{name: "deleted before", table: people, deleted: true, taken: -1, rows: 600},
		{name: "key taken", table: people, taken: 700, rows: 1500},
		{name: "none", table: people, taken: -1, rows: 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			n, other := open(t), open(t)
			p := n.MustCreate(tt.table)
			row := person
			if tt.table.Name == "notes" {
				row = func(i int) []catalog.Value { return vals(integer(int64(i)), text(fmt.Sprint("note ", i))) }
			}
			if tt.deleted {
				n.Insert(p, row(5)...)
				n.Delete(p, integer(5))
			}
			want := tt.rows
			if tt.taken >= 0 {
				n.Insert(p, row(tt.taken)...)
				want = tt.taken + 1
			}
			_, err := n.Write(ctx, func(tx *sqlstore.Tx) error {
				ids, err := tx.InsertMany(storetest.Table(tx.Schema(), p), rowsOf(tt.rows, row))
				if tt.taken < 0 {
					if len(ids) != tt.rows {
						t.Errorf("got %d rowids, want %d", len(ids), tt.rows)
					}
					return err
				}
				var u *sqlstore.UniqueError
				if !errors.As(err, &u) || len(ids) != tt.taken {
					t.Errorf("got %d rowids and %v, want %d and a UniqueError", len(ids), err, tt.taken)
				}
				return nil // what went in before stays
			})
			if err != nil {
				t.Fatal(err)
			}
			if d := n.Digest(p); d.Rows != int64(want) || d.Tombstones != 0 {
				t.Errorf("digest is %+v, want %d rows", d, want)
			}
			if err := n.Verify(ctx); err != nil {
				t.Error(err)
			}
			other.Pull(n)
			storetest.Same(t, n, other)
			if err := other.Verify(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
	"layercake/sqlstore/storetest"
)

// TestOldComparison: in a folder of format 4 a column was compared as it is stored. When it is opened, its unique index is
// made again, and rows whose primary keys are equal now are one row.
func TestOldComparison(t *testing.T) {
	t.Run("jsonb", func(t *testing.T) {
		oldComparison(t, catalog.JSONBOID, func(v string) catalog.Value { return catalog.Str(v) })
	})
	t.Run("numeric[]", func(t *testing.T) {
		oldComparison(t, catalog.NumericArrayOID, func(v string) catalog.Value {
			n, err := catalog.DecodeText(catalog.NumericArrayOID, -1, []byte("{"+v+"}"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return n
		})
	})
}

func oldComparison(t *testing.T, typ uint32, value func(string) catalog.Value) {
	sqlfunc.Register()
	spec := storetest.TableSpec{Name: "marked",
		Columns: []storetest.Column{{Name: "id", Type: catalog.Int4OID}, {Name: "v", Type: typ}},
		Key:     []string{"id"}, Unique: [][]string{{"v"}}}
	keyed := storetest.TableSpec{Name: "keyed",
		Columns: []storetest.Column{{Name: "v", Type: typ}, {Name: "n", Type: catalog.Int4OID}},
		Key:     []string{"v"}}
	dir := t.TempDir()
	a := openDir(t, dir)
	marked, table := a.MustCreate(spec), a.MustCreate(keyed)
	for i, v := range []string{"1.5", "2.5", "3"} {
		a.Insert(marked, catalog.Int(int64(i)), value(v))
		a.Insert(table, value(v), catalog.Int(int64(i)))
	}
	a.Insert(table, value("7.5"), catalog.Int(9))
	if !a.Delete(table, value("7.5")) {
		t.Fatal("no row to delete")
	}
	untouched := a.Digest(marked).Rows
	var undo []string
	for _, id := range []catalog.ID{marked, table} {
		tab := storetest.Table(a.Schema(), id)
		v := tab.Columns[slices.IndexFunc(tab.Columns, func(c *catalog.Column) bool { return c.Name == "v" })].Phys
		for _, ix := range tab.Indexes {
			if len(ix.PhysKeys) == 0 || ix.PhysKeys[0] != catalog.Compared(v, catalog.Comparison(typ)) {
				continue
			}
			keys := v
			if !ix.Primary {
				keys += ",_u" + ix.Phys
			}
			sql := "CREATE UNIQUE INDEX " + ix.Phys + " ON " + tab.Phys + "(" + keys + ")"
			undo = append(undo, "DROP INDEX "+ix.Phys,
				"UPDATE "+tab.Phys+" SET "+v+"="+literal(value("1.50"))+" WHERE "+v+"="+literal(value("2.5")), sql,
				"UPDATE lc_objects SET info=json_set(info,'$.sql','"+sql+"') WHERE info->>'$.sql' LIKE '%INDEX "+ix.Phys+" %'")
		}
	}
	if len(undo) != 8 {
		t.Fatal(undo)
	}
	grave := func(v catalog.Value) string { return fmt.Sprintf("x'70%x'", catalog.AppendValue(nil, v)) }
	undo = append(undo, "UPDATE lc_tombstones SET k="+grave(value("7.50"))+" WHERE k>x'70' AND k<x'71'",
		"UPDATE lc_objects SET info=json_remove(info,'$.collation')", "PRAGMA user_version=4")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.Open(filepath.Join(dir, "layercake.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range undo {
		if err := c.StoreExec(sql); err != nil {
			t.Fatal(sql, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a = openDir(t, dir)
		if got := a.Digest(marked).Rows; got != untouched {
			t.Errorf("%d rows, want %d", got, untouched)
		}
		if got := a.Digest(table).Rows; got != 2 {
			t.Errorf("%d rows, want 2", got)
		}
		for _, v := range []string{"1.50", "3"} {
			a.MustWrite(func(tx *sqlstore.Tx) error {
				id, err := storetest.Find(tx, storetest.Table(tx.Schema(), table), 0, value(v))
				if id < 0 {
					t.Errorf("no row with %s", v)
				}
				return err
			})
		}
		l, err := a.Collisions(context.Background())
		if err != nil || len(l) != 1 || !slices.Equal(l[0].Row[1].Bytes, value("1.50").Bytes) {
			t.Errorf("collisions: %v, %v", l, err)
		}
		for id, row := range map[catalog.ID][]catalog.Value{
			marked: {catalog.Int(9), value("3.00")}, table: {value("3.00"), catalog.Int(9)},
		} {
			var taken *sqlstore.UniqueError
			_, err := a.Write(context.Background(), func(tx *sqlstore.Tx) error {
				_, err := tx.Insert(storetest.Table(tx.Schema(), id), row)
				return err
			})
			if !errors.As(err, &taken) {
				t.Errorf("3.00: %v", err)
			}
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if c, err = sqlite.Open(filepath.Join(dir, "layercake.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, err := c.StoreStmt("SELECT count(*), sum(k=" + grave(catalog.Canonical(value("7.5"), catalog.Comparison(typ))) +
		") FROM lc_tombstones WHERE k>x'70' AND k<x'71'")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.Query(nil)
	if err != nil || !rows.Next() {
		t.Fatal(err)
	}
	if v := rows.Values(); v[0].Int() != 1 || v[1].Int() != 1 {
		t.Errorf("%d tombstones, %d under the new key", v[0].Int(), v[1].Int())
	}
	rows.Close()
}

func literal(v catalog.Value) string {
	if v.Kind == catalog.Blob {
		return fmt.Sprintf("x'%x'", v.Bytes)
	}
	return "'" + string(v.Bytes) + "'"
}

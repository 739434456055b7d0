package sqlstore_test

import (
	"context"
	"fmt"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

func openMemory(t *testing.T) *storetest.Node {
	t.Helper()
	n := storetest.OpenNode(t, sqlstore.Config{})
	t.Cleanup(func() { n.Close() })
	return n
}

var three = storetest.TableSpec{Name: "three", Key: []string{"k"}, Columns: []storetest.Column{
	{Name: "k", Type: catalog.Int4OID}, {Name: "a", Type: catalog.TextOID}, {Name: "b", Type: catalog.TextOID}}}

// TestDropAfterInsert: a transaction that drops a column after it has written to it says nothing of that column's cells,
// whichever it is, and no node keeps any.
func TestDropAfterInsert(t *testing.T) {
	str := catalog.Str
	for drop := 1; drop <= 2; drop++ {
		for _, made := range []bool{false, true} { // in the same transaction: the table, or the column
			t.Run(fmt.Sprint(drop, made), func(t *testing.T) {
				n, m := openMemory(t), openMemory(t)
				id, changes := storetest.CreateTable(n.NewID, three)
				if !made {
					n.MustAlter(changes...)
					n.Insert(id, catalog.Int(1), str("x"), str("y"))
				}
				n.MustWrite(func(tx *sqlstore.Tx) error {
					if made {
						if err := tx.Alter(changes); err != nil {
							return err
						}
					}
					table := storetest.Table(tx.Schema(), id)
					if _, err := tx.Insert(table, []catalog.Value{catalog.Int(2), str("left"), str("right")}); err != nil {
						return err
					}
					if !made {
						row, err := storetest.Find(tx, table, 0, catalog.Int(1))
						if err != nil {
							return err
						}
						if err := tx.Update(table, row, []int{1, 2}, []catalog.Value{str("X"), str("Y")}); err != nil {
							return err
						}
					}
					return tx.Alter([]catalog.Change{{Op: catalog.Drop, ID: table.Columns[drop].ID}})
				})
				n.Insert(id, catalog.Int(3), str("later"))
				m.Pull(n)
				storetest.Same(t, n, m)
				rows := []string{"2 left", "3 later"}
				if drop == 1 {
					rows[0] = "2 right"
				}
				if !made {
					rows = append([]string{map[int]string{1: "1 Y", 2: "1 X"}[drop]}, rows...)
				}
				m.Want(id, rows...)
			})
		}
	}
}

// TestAddWriteDrop: a column that comes and goes within one transaction leaves no trace in rows from before it.
func TestAddWriteDrop(t *testing.T) {
	n, m := openMemory(t), openMemory(t)
	id := n.MustCreate(three)
	n.Insert(id, catalog.Int(1), catalog.Str("x"), catalog.Str("y"))
	n.Insert(id, catalog.Int(2), catalog.Str("x"), catalog.Str("y"))
	col := n.NewID()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		if err := tx.Alter([]catalog.Change{storetest.AddColumn(col, id, 4, storetest.Column{Name: "c", Type: catalog.TextOID})}); err != nil {
			return err
		}
		table := storetest.Table(tx.Schema(), id)
		for key, cols := range map[int64][]int{1: {3}, 2: {1, 3}} {
			row, err := storetest.Find(tx, table, 0, catalog.Int(key))
			if err != nil {
				return err
			}
			if err := tx.Update(table, row, cols, []catalog.Value{catalog.Str("one"), catalog.Str("two")}[:len(cols)]); err != nil {
				return err
			}
		}
		return tx.Alter([]catalog.Change{{Op: catalog.Drop, ID: col}})
	})
	m.Pull(n)
	m.Want(id, "1 x y", "2 one y")
	storetest.Same(t, n, m)
}

// TestEqualEntries: equal transactions make equal entries, also with many DELETEs, some taken back.
func TestEqualEntries(t *testing.T) {
	var first string
	for range 5 {
		n := openMemory(t)
		id := n.MustCreate(three)
		for i := range 20 {
			n.Insert(id, catalog.Int(int64(i)), catalog.Value{}, catalog.Value{})
		}
		c := n.MustWrite(func(tx *sqlstore.Tx) error {
			table := storetest.Table(tx.Schema(), id)
			for i := range 20 {
				row, err := storetest.Find(tx, table, 0, catalog.Int(int64(i)))
				if err != nil {
					return err
				}
				if err := tx.Delete(table, row); err != nil {
					return err
				}
				if i%5 == 0 {
					if _, err := tx.Insert(table, []catalog.Value{catalog.Int(int64(i)), catalog.Str("again"), catalog.Value{}}); err != nil {
						return err
					}
				}
			}
			return nil
		})
		es, err := n.Entries(context.Background(), c.Origin, c.Seq, 1<<20)
		if err != nil || len(es) != 1 {
			t.Fatal(len(es), err)
		}
		groups, err := es[0].Groups()
		if err != nil {
			t.Fatal(err)
		}
		var said string
		for i := range groups {
			err := groups[i].Each(func(r crdt.Row) error {
				said += fmt.Sprintf("%v %x %x\n", groups[i].Op, r.Key, r.Values)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if first == "" {
			first = said
		}
		if said != first {
			t.Fatalf("one time it is\n%sand one time\n%s", first, said)
		}
	}
}

// TestInstallInMemory: a store in memory takes a snapshot like any other.
func TestInstallInMemory(t *testing.T) {
	n, m := openMemory(t), openMemory(t)
	id := n.MustCreate(three)
	n.Insert(id, catalog.Int(1), catalog.Str("x"), catalog.Str("y"))
	m.Clock.T = n.Clock.T
	copied, _, err := n.Copy(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if err := m.Install(context.Background(), copied); err != nil {
		t.Fatal(err)
	}
	m.Want(id, "1 x y")
	m.Insert(id, catalog.Int(2), catalog.Str("x"), catalog.Str("z"))
	n.Pull(m)
	storetest.Same(t, n, m)
}

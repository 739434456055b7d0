package sqlstore_test

import (
	"context"
	"encoding/hex"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// upperCase stands for an ALTER COLUMN TYPE … USING upper(v).
func upperCase(s *catalog.Schema, t *catalog.Table, c *catalog.Column, phys func(catalog.ID) string) (exprs []string, err error) {
	for _, r := range c.Retyped {
		exprs = append(exprs, "upper("+phys(r.From)+")")
	}
	return exprs, nil
}

// retype puts a new column in the place of the table's second, as ALTER COLUMN TYPE does.
func retype(n *storetest.Node, table catalog.ID, more ...func(*sqlstore.Tx, *catalog.Table) error) {
	n.Helper()
	id := n.NewID()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		old := tx.Schema().RelationByID(table).Columns[1]
		if err := tx.Alter([]catalog.Change{storetest.AddColumn(id, table, 9, storetest.Column{Name: "new", Type: catalog.TextOID})}); err != nil {
			return err
		}
		t := tx.Schema().RelationByID(table)
		rows, err := tx.Query(context.Background(), "SELECT rowid,upper("+old.Phys+") FROM "+t.Phys, nil)
		if err != nil {
			return err
		}
		values := map[int64]catalog.Value{}
		for rows.Next() {
			values[rows.Values()[0].Int()] = rows.Values()[1].Clone()
		}
		if err := rows.Close(); err != nil {
			return err
		}
		for rowid, v := range values {
			if err := tx.Update(t, rowid, []int{2}, []catalog.Value{v}); err != nil {
				return err
			}
		}
		steps := append(old.Retyped, catalog.Retype{From: old.ID, Name: old.Name, Type: old.Type, Typmod: old.Typmod})
		err = tx.Alter([]catalog.Change{{Op: catalog.Drop, ID: old.ID}, {Op: catalog.Alter, ID: id, Attrs: map[catalog.Attr]catalog.Value{
			catalog.AttrName: catalog.Str(old.Name), catalog.AttrOrder: catalog.Int(2), catalog.AttrDef: catalog.EncodeDef(catalog.ColumnDef{Retyped: steps})}}})
		for _, f := range more {
			if err == nil {
				err = f(tx, tx.Schema().RelationByID(table))
			}
		}
		return err
	})
}

func carry(n *storetest.Node) {
	n.Helper()
	select {
	case <-n.Carries():
	default:
		n.Error("nothing says that there is something to carry over")
	}
	if err := n.Carry(context.Background()); err != nil {
		n.Fatal(err)
	}
}

var words = storetest.TableSpec{Name: "w", Key: []string{"k"}, Columns: []storetest.Column{{Name: "k", Type: catalog.Int4OID}, {Name: "v", Type: catalog.TextOID}}}

// TestCarry: what a node had written into a column comes into the one that another node has put in its place: when it
// hears of it by an entry or by a snapshot, after a restart too, and through several changes.
func TestCarry(t *testing.T) {
	for name, hear := range map[string]func(to, from *storetest.Node){
		"by entries":  func(to, from *storetest.Node) { to.Pull(from) },
		"by snapshot": func(to, from *storetest.Node) { install(t, to, from) },
	} {
		for _, twice := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				str, num := catalog.Str, func(i int64) catalog.Value { return catalog.Int(i) }
				a, dir := open(t), t.TempDir()
				b := openDir(t, dir)
				table := a.MustCreate(words)
				for i := range int64(5) {
					a.Insert(table, num(i), str("a"))
				}
				b.Pull(a)
				b.Insert(table, num(5), str("b")) // a hears of it
				a.Pull(b)
				b.Update(table, num(1), map[int]catalog.Value{1: str("b")})
				b.Update(table, num(2), map[int]catalog.Value{1: str("b")})
				b.Insert(table, num(6), str("b"))
				b.Insert(table, num(7), catalog.Value{})
				b.Delete(table, num(3))
				retype(a, table)
				if twice {
					a.Update(table, num(5), map[int]catalog.Value{1: str("between")})
					retype(a, table)
				}
				a.Update(table, num(2), map[int]catalog.Value{1: str("new")})
				hear(b, a)
				b.Insert(table, num(8), str("later"))
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
				b = openDir(t, dir)
				carry(b)
				a.Pull(b)
				b.Pull(a)
				want := []string{"0 A", "1 B", "2 new", "4 A", "5 B", "6 B", "7 -", "8 later"}
				if twice {
					want[4] = "5 BETWEEN"
				}
				if twice && name == "by snapshot" {
					// It does not tell who has set the cells of a column that has come and gone.
					want[1], want[5] = "1 A", "6 -"
				}
				for _, n := range []*storetest.Node{a, b} {
					n.Want(table, want...)
				}
				storetest.Same(t, a, b)
				// It is done once, and by the node that wrote.
				for _, n := range []*storetest.Node{a, b} {
					at := n.Vector()
					if err := n.Carry(context.Background()); err != nil {
						t.Fatal(err)
					}
					if !at.Equal(n.Vector()) {
						t.Error("something was carried over again")
					}
				}
			})
		}
	}
}

// TestCarryBeforeOwnChange: a node that changes the type itself before it has carried over what it had written loses nothing.
func TestCarryBeforeOwnChange(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(words)
	a.Insert(table, catalog.Int(1), catalog.Str("a"))
	b.Pull(a)
	b.Update(table, catalog.Int(1), map[int]catalog.Value{1: catalog.Str("b")})
	b.Insert(table, catalog.Int(2), catalog.Str("b"))
	retype(a, table)
	b.Pull(a)
	retype(b, table, func(tx *sqlstore.Tx, t *catalog.Table) error {
		_, err := tx.Insert(t, []catalog.Value{catalog.Int(4), catalog.Str("with it")})
		return err
	})
	b.Insert(table, catalog.Int(3), catalog.Str("after"))
	carry(b)
	a.Pull(b)
	for _, n := range []*storetest.Node{a, b} {
		n.Want(table, "1 B", "2 B", "3 after", "4 with it")
	}
	storetest.Same(t, a, b)
}

// TestCarryOthers: what a third node wrote is left to it.
func TestCarryOthers(t *testing.T) {
	a, b, z := open(t), open(t), open(t)
	table := a.MustCreate(words)
	a.Insert(table, catalog.Int(1), catalog.Str("a"))
	z.Pull(a)
	z.Update(table, catalog.Int(1), map[int]catalog.Value{1: catalog.Str("z")})
	z.Insert(table, catalog.Int(2), catalog.Str("z"))
	b.Pull(a)
	b.Pull(z)
	retype(a, table)
	b.Pull(a)
	at := b.Vector()
	carry(b)
	if !at.Equal(b.Vector()) {
		t.Error("what another node wrote was carried over")
	}
	z.Pull(a)
	carry(z)
	for _, n := range []*storetest.Node{a, b} {
		n.Pull(z)
		n.Want(table, "1 Z", "2 Z")
	}
	storetest.Same(t, a, b)
}

// TestCarryDropped: a note of a column that is gone is forgotten.
func TestCarryDropped(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(words)
	b.Pull(a)
	b.Insert(table, catalog.Int(1), catalog.Str("b"))
	retype(a, table)
	gone := a.Schema().RelationByID(table).Columns[1].ID
	a.MustAlter(catalog.Change{Op: catalog.Drop, ID: gone})
	b.Pull(a)
	key := "carry/" + hex.EncodeToString(gone.Bytes())
	if note, err := b.GetLocal(key); err != nil || note == nil {
		t.Fatalf("the note is %q, %v", note, err)
	}
	carry(b)
	if note, err := b.GetLocal(key); err != nil || note != nil {
		t.Errorf("the note stays: %q, %v", note, err)
	}
	a.Pull(b)
	storetest.Same(t, a, b)
	b.Want(table, "1")
}

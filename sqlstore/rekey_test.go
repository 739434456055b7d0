package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

var loose = storetest.TableSpec{
	Name:    "loose",
	Columns: []storetest.Column{{Name: "k", Type: catalog.Int4OID}, {Name: "v", Type: catalog.TextOID}},
}

func addKey(n *storetest.Node, table catalog.ID, column int) []catalog.Change {
	t := storetest.Table(n.Schema(), table)
	return storetest.AddIndex(n.NewID, table, t.Name+"_pkey", true, t.Columns[column].ID)
}

func TestAddPrimaryKey(t *testing.T) {
	a, b := open(t), open(t)
	p := a.MustCreate(loose)
	for i := range 5 {
		a.Insert(p, integer(int64(i)), text("v"))
	}
	b.Pull(a)
	// While a adds the key, b inserts, updates and deletes by hidden key; one of its rows collides with one of a's.
	b.Insert(p, integer(10), text("late"))
	b.Update(p, integer(1), map[int]catalog.Value{1: text("late update")})
	b.Update(p, integer(2), map[int]catalog.Value{0: integer(20)})
	b.Delete(p, integer(3))
	a.MustAlter(addKey(a, p, 0)...)
	a.Insert(p, integer(11), text("keyed"))
	b.Insert(p, integer(11), text("late and greater"))
	a.Update(p, integer(1), map[int]catalog.Value{1: text("greater update")})
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
	a.Want(p, "0 v", "1 greater update", "10 late", "11 late and greater", "20 v", "4 v")
	// The key holds for statements now.
	_, err := b.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), []catalog.Value{integer(20), null})
		return err
	})
	var u *sqlstore.UniqueError
	if !errors.As(err, &u) || !u.Index.Primary {
		t.Errorf("got %v", err)
	}
	c := open(t)
	c.Pull(a)
	storetest.Same(t, a, b, c)
}

func TestAddPrimaryKeyOverDuplicates(t *testing.T) {
	n := open(t)
	p := n.MustCreate(loose)
	n.Insert(p, integer(1), text("a"))
	n.Insert(p, integer(1), text("b"))
	before := n.Schema()
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(addKey(n, p, 0)) })
	if pgerror.Code(err) != pgerror.UniqueViolation {
		t.Errorf("got %v", err)
	}
	if n.Schema() != before {
		t.Error("the schema changed")
	}
	n.Want(p, "1 a", "1 b")
	n.Insert(p, integer(1), text("c"))
	storetest.Same(t, n)
}

func TestAddPrimaryKeyInTheTransactionThatFillsTheTable(t *testing.T) {
	a, b := open(t), open(t)
	id, changes := storetest.CreateTable(a.NewID, loose)
	a.MustWrite(func(tx *sqlstore.Tx) error {
		if err := tx.Alter(changes); err != nil {
			return err
		}
		for i := range 3 {
			if _, err := tx.Insert(storetest.Table(tx.Schema(), id), []catalog.Value{integer(int64(i)), text("v")}); err != nil {
				return err
			}
		}
		tab := storetest.Table(tx.Schema(), id)
		if err := tx.Alter(storetest.AddIndex(a.NewID, id, "loose_pkey", true, tab.Columns[0].ID)); err != nil {
			return err
		}
		tab = storetest.Table(tx.Schema(), id)
		row, err := storetest.Find(tx, tab, 0, integer(1))
		if err != nil {
			return err
		}
		if err := tx.Update(tab, row, []int{1}, []catalog.Value{text("changed")}); err != nil {
			return err
		}
		if row, err = storetest.Find(tx, tab, 0, integer(2)); err != nil {
			return err
		}
		if err := tx.Delete(tab, row); err != nil {
			return err
		}
		return tx.Alter([]catalog.Change{storetest.AddColumn(a.NewID(), id, 3, storetest.Column{Name: "c", Type: catalog.Int4OID, Missing: integer(9)})})
	})
	a.Want(id, "0 v 9", "1 changed 9")
	b.Pull(a)
	storetest.Same(t, a, b)
	b.Update(id, integer(0), map[int]catalog.Value{2: integer(8)})
	a.Pull(b)
	storetest.Same(t, a, b)
	a.Want(id, "0 v 8", "1 changed 9")
}

func dropKey(n *storetest.Node, table catalog.ID) (drop []catalog.Change) {
	for _, c := range storetest.Table(n.Schema(), table).Constraints {
		if c.Kind == catalog.PrimaryKey {
			drop = append(drop, catalog.Change{Op: catalog.Drop, ID: c.ID}, catalog.Change{Op: catalog.Drop, ID: c.Index.ID})
		}
	}
	return drop
}

// TestInsertsOfADroppedKeyMeet: two nodes insert one key that a third has dropped meanwhile. The rows are still one, there
// as elsewhere.
func TestInsertsOfADroppedKeyMeet(t *testing.T) {
	a, b, c := open(t), open(t), open(t)
	p := a.MustCreate(people)
	b.Pull(a)
	c.Pull(a)
	c.MustAlter(dropKey(c, p)...)
	a.Insert(p, integer(5), text("lesser"), null)
	b.Clock.T = a.Clock.T
	b.Insert(p, integer(5), text("greater"), null)
	c.Pull(a)
	c.Pull(b)
	c.Want(p, "5 greater -")
	a.Pull(b, c)
	b.Pull(a)
	storetest.Same(t, a, b, c)
}

func TestDropPrimaryKey(t *testing.T) {
	for _, typ := range []uint32{catalog.Int4OID, catalog.TextOID} {
		a, b := open(t), open(t)
		spec := people
		spec.Columns = append([]storetest.Column{{Name: "id", Type: typ}}, people.Columns[1:]...)
		key := func(i int64) catalog.Value {
			if typ == catalog.TextOID {
				return text(string(rune('a' + i)))
			}
			return integer(i)
		}
		p := a.MustCreate(spec)
		for i := range int64(4) {
			a.Insert(p, key(i), text("n"), null)
		}
		a.Delete(p, key(3))
		b.Pull(a)
		b.Update(p, key(0), map[int]catalog.Value{1: text("by the old key")})
		b.Delete(p, key(1))
		b.Insert(p, key(5), text("by the old key"), text("m@x"))
		a.MustAlter(dropKey(a, p)...)
		a.Insert(p, key(0), text("again"), null)
		a.Pull(b)
		b.Pull(a)
		storetest.Same(t, a, b)
		if d := a.Digest(p); d.Rows != 4 {
			t.Errorf("%d rows: %q", d.Rows, a.Rows(p))
		}
		// The other unique index has survived.
		err := a.Try(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(key(9), null, text("m@x")))
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) {
			t.Errorf("got %v", err)
		}
		c := open(t)
		c.Pull(a)
		storetest.Same(t, a, b, c)
	}
}

// TestChangeColumnType: a column declared INTEGER must not make numbers of texts once its type is another.
func TestChangeColumnType(t *testing.T) {
	a, b := open(t), open(t)
	spec := people
	spec.Unique = [][]string{{"mail"}}
	p := a.MustCreate(spec)
	a.Insert(p, integer(1), text("x"), text("m"))
	b.Pull(a)
	b.Insert(p, integer(2), text("y"), text("n"))
	tab := storetest.Table(a.Schema(), p)
	textual := func(col int) catalog.Change {
		return catalog.Change{Op: catalog.Alter, ID: tab.Columns[col].ID, Attrs: map[catalog.Attr]catalog.Value{catalog.AttrType: integer(int64(catalog.TextOID))}}
	}
	a.MustAlter(textual(0), storetest.AddColumn(a.NewID(), p, 4, storetest.Column{Name: "n", Type: catalog.Int4OID, Missing: integer(7)}))
	a.Insert(p, text("007"), text("z"), text("o"), null)
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
	a.Want(p, "007 z o -", "1 x m 7", "2 y n 7")
	for _, key := range []catalog.Value{text("007"), integer(1)} {
		err := a.Try(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(key, null, null, null))
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) || !u.Index.Primary {
			t.Errorf("got %v", err)
		}
	}
	err := a.Try(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(text("new"), null, text("m"), null))
		return err
	})
	var u *sqlstore.UniqueError
	if !errors.As(err, &u) || u.Index.Primary {
		t.Errorf("got %v", err)
	}
}

// TestLosers: of rows that turn out to have one primary key the youngest is shown, entries still find the others, and
// when it goes the next comes up, unless a statement that knows of them deletes it.
func TestLosers(t *testing.T) {
	a, b, c := open(t), open(t), open(t)
	p := a.MustCreate(loose)
	a.Insert(p, integer(1), text("oldest"))
	b.Pull(a)
	c.Pull(a)
	a.MustAlter(addKey(a, p, 0)...)
	b.Insert(p, integer(1), text("middle"))
	c.Clock.T = b.Clock.T
	c.Insert(p, integer(1), text("youngest"))
	young := c.Vector()
	a.Pull(b)
	a.Want(p, "1 middle")
	a.Pull(c)
	a.Want(p, "1 youngest")

	// c, which has not heard of the key, deletes what it wrote, and changes the oldest.
	c.MustWrite(func(tx *sqlstore.Tx) error {
		tab := storetest.Table(tx.Schema(), p)
		row, err := storetest.Find(tx, tab, 1, text("youngest"))
		if err != nil {
			return err
		}
		if err := tx.Delete(tab, row); err != nil {
			return err
		}
		if row, err = storetest.Find(tx, tab, 1, text("oldest")); err != nil {
			return err
		}
		return tx.Update(tab, row, []int{1}, vals(text("changed unseen")))
	})
	if c.Vector().Equal(young) {
		t.Fatal("nothing was written")
	}
	a.Pull(c)
	a.Want(p, "1 middle")
	if d := a.Digest(p); d.Rows != 1 {
		t.Errorf("%d rows", d.Rows)
	}
	late := open(t)
	late.Pull(a)
	b.Pull(a)
	c.Pull(a)
	storetest.Same(t, a, b, c, late)

	// Another key for the oldest: it is its own row again.
	x := open(t)
	x.Pull(a)
	x.Delete(p, integer(1))
	x.Want(p)
	a.Pull(x)
	a.Want(p)
	storetest.Same(t, a, x)
}

// TestDropOneOfTwoPrimaryKeys: where two nodes have added a primary key at the same time, a statement may drop the one that
// is shown, though rows wait that have the other's keys, too.
func TestDropOneOfTwoPrimaryKeys(t *testing.T) {
	a, b := open(t), open(t)
	p := a.MustCreate(loose)
	a.Insert(p, integer(1), text("old"))
	b.Pull(a)
	a.MustAlter(addKey(a, p, 0)...)
	b.MustAlter(addKey(b, p, 0)...)
	a.Insert(p, integer(30), text("lesser"))
	b.Clock.T = a.Clock.T.Add(time.Millisecond)
	b.Insert(p, integer(30), text("greater"))
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
	a.Want(p, "1 old", "30 greater")
	a.MustAlter(dropKey(a, p)...)
	a.Want(p, "1 old", "30 greater")
	b.Pull(a)
	storetest.Same(t, a, b)
	a.MustAlter(dropKey(a, p)...)
	a.Want(p, "1 old", "30 greater", "30 lesser")
	b.Pull(a)
	storetest.Same(t, a, b)
}

// TestPrimaryKeyComesBack: a table's key gives way to one that another node has made, and dropped again, and is then the key
// once more. Its rows are known as where it has been the key all the time.
func TestPrimaryKeyComesBack(t *testing.T) {
	a, b, c := open(t), open(t), open(t)
	p := a.MustCreate(loose)
	a.Insert(p, integer(1), text("old"))
	b.Pull(a)
	c.Pull(a)
	c.MustAlter(addKey(c, p, 0)...)
	between := open(t)
	between.Pull(c)
	c.MustAlter(dropKey(c, p)...)
	a.Clock.T = c.Clock.T.Add(time.Millisecond)
	a.MustAlter(addKey(a, p, 0)...)
	for i := range int64(4) {
		a.Insert(p, integer(50+i), text("new"))
	}
	b.Clock.T = a.Clock.T.Add(time.Millisecond)
	b.Insert(p, integer(53), text("greater")) // without a key: it hides one of a's
	a.Delete(p, integer(52))
	a.Pull(b)
	a.Pull(between)
	a.Update(p, integer(1), map[int]catalog.Value{1: text("changed")})
	a.Pull(c)
	b.Pull(a)
	c.Pull(a)
	late := open(t)
	late.Pull(c)
	storetest.Same(t, a, b, c, late)
	c.Update(p, integer(50), map[int]catalog.Value{1: text("by c")})
	c.Delete(p, integer(51))
	c.Delete(p, integer(53))
	a.Pull(c)
	a.Insert(p, integer(51), text("again"))
	for _, n := range []*storetest.Node{b, c, late} {
		n.Pull(a)
	}
	storetest.Same(t, a, b, c, late)
	a.Want(p, "1 changed", "50 by c", "51 again")
}

// TestDeletedUnderAKeyThatComesBack: a row that was deleted before its table's key gave way and came back does not rise from
// an INSERT that is older.
func TestDeletedUnderAKeyThatComesBack(t *testing.T) {
	a, c, d := open(t), open(t), open(t)
	p := a.MustCreate(loose)
	c.Pull(a)
	c.MustAlter(addKey(c, p, 0)...)
	between := open(t)
	between.Pull(c)
	c.MustAlter(dropKey(c, p)...)
	a.Clock.T = c.Clock.T.Add(time.Millisecond)
	a.MustAlter(addKey(a, p, 0)...)
	d.Pull(a)
	d.Insert(p, integer(60), text("older"))
	a.Clock.T = d.Clock.T.Add(time.Millisecond)
	a.Insert(p, integer(60), text("deleted"))
	a.Delete(p, integer(60))
	a.Pull(between)
	a.Pull(c)
	a.Pull(d)
	a.Want(p)
	for _, n := range []*storetest.Node{c, d} {
		n.Pull(a, d)
	}
	storetest.Same(t, a, c, d)
}

// TestUnusableIndex: an index that this node cannot make refuses the statement that wants it, not the entry that brings
// it, and no later DDL.
func TestUnusableIndex(t *testing.T) {
	compile := func(_ *catalog.Schema, _ *catalog.Table, ix *catalog.Index) ([]string, string, error) {
		return []string{"c2"}, "", nil
	}
	a := storetest.OpenNode(t, sqlstore.Config{CompileIndex: compile})
	defer a.Close()
	b := open(t)
	p := a.MustCreate(people)
	b.Pull(a)
	expr := func(n *storetest.Node) catalog.Change {
		def := catalog.IndexDef{Keys: []catalog.IndexKeyDef{{Expr: "lower(name)"}}}
		return storetest.Object(catalog.ObjectIndex, n.NewID(), p, "people_lower", map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)})
	}
	if _, err := b.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter([]catalog.Change{expr(b)}) }); err == nil {
		t.Error("an index that cannot be made was made")
	}
	a.MustAlter(expr(a))
	b.Pull(a)
	b.Insert(p, integer(1), text("x"), null)
	b.MustCreate(loose)
	a.Pull(b)
	storetest.Same(t, a, b)
}

// TestDropKeyColumnOfLoser: a row that another one hides gets its hidden key from the primary key that the table loses, though
// the dropped column stands elsewhere among the table's columns by then.
func TestDropKeyColumnOfLoser(t *testing.T) {
	n, m, p := openMemory(t), openMemory(t), openMemory(t)
	spec := three
	spec.Key = nil
	id := n.MustCreate(spec)
	m.Pull(n)
	p.Pull(n)
	a := storetest.Table(n.Schema(), id).Columns[1].ID
	key := storetest.AddIndex(n.NewID, id, "three_key", true, a)
	n.MustAlter(key...)
	m.Pull(n)
	n.Insert(id, catalog.Int(1), catalog.Str("x"), catalog.Str("hidden"))
	p.Clock.T = n.Clock.T.Add(time.Millisecond)
	p.Insert(id, catalog.Int(2), catalog.Str("x"), catalog.Str("shown")) // it does not know of the key
	n.Pull(p)
	n.Want(id, "2 x shown")
	m.MustAlter(catalog.Change{Op: catalog.Drop, ID: key[1].ID}, catalog.Change{Op: catalog.Drop, ID: key[0].ID}, catalog.Change{Op: catalog.Drop, ID: a})
	n.Pull(m)
	m.Pull(n, p) // the rows come after the key has gone
	p.Pull(n, m)
	for _, node := range []*storetest.Node{n, m, p} {
		node.Want(id, "1 hidden", "2 shown")
	}
	storetest.Same(t, n, m, p)
}

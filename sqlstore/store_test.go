package sqlstore_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

var (
	integer = catalog.Int
	text    = catalog.Str
	null    = catalog.Value{}
)

func vals(v ...catalog.Value) []catalog.Value { return v }

// open opens a store on disk whose clock the test moves.
func open(t testing.TB) *storetest.Node {
	t.Helper()
	return openDir(t, t.TempDir())
}

func openDir(t testing.TB, dir string) *storetest.Node {
	t.Helper()
	clock := storetest.NewClock()
	s, err := sqlstore.Open(context.Background(), sqlstore.Config{
		Dir: dir, Now: clock.Now, Logger: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { t.Errorf("fatal: %v", err) }, CompileCarry: upperCase,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return &storetest.Node{TB: t, Store: s, Clock: clock}
}

var people = storetest.TableSpec{
	Name:    "people",
	Columns: []storetest.Column{{Name: "id", Type: catalog.Int4OID}, {Name: "name", Type: catalog.TextOID}, {Name: "mail", Type: catalog.TextOID}},
	Key:     []string{"id"},
	Unique:  [][]string{{"mail"}},
}

func TestRowsOfOneNode(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	c := n.Insert(p, integer(1), text("ann"), text("a@x"))
	if c.Empty || c.Seq != 2 || c.Index != 2 {
		t.Errorf("commit is %+v", c)
	}
	n.Insert(p, integer(2), text("bob"), null)
	n.Update(p, integer(1), map[int]catalog.Value{1: text("anna")})
	n.Want(p, "1 anna a@x", "2 bob -")
	n.Delete(p, integer(2))
	n.Want(p, "1 anna a@x")
	if d := n.Digest(p); d.Rows != 1 || d.Tombstones != 1 {
		t.Errorf("digest is %+v", d)
	}
	if err := n.Verify(context.Background()); err != nil {
		t.Error(err)
	}

	for _, row := range [][]catalog.Value{
		{integer(1), null, null},
		{integer(3), null, text("a@x")},
	} {
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), row)
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) || u.RowID != 1 || u.Index.Primary != (row[0].Int() == 1) {
			t.Errorf("insert %v: got %v", row[0].Int(), err)
		}
	}
	n.Want(p, "1 anna a@x")
}

func TestTryLeavesNothing(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	index := n.Index()
	err := n.Try(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), p), []catalog.Value{integer(1), null, null})
		return err
	})
	if err != nil || n.Index() != index {
		t.Errorf("try: %v, index %d, want %d", err, n.Index(), index)
	}
	n.Want(p)
}

func TestTwoNodes(t *testing.T) {
	a, b := open(t), open(t)
	p := a.MustCreate(people)
	a.Insert(p, integer(1), text("ann"), text("a@x"))
	b.Pull(a)
	b.Want(p, "1 ann a@x")
	a.Update(p, integer(1), map[int]catalog.Value{1: text("anna")})
	b.Update(p, integer(1), map[int]catalog.Value{2: text("b@x")})
	b.Insert(p, integer(2), text("bob"), text("c@x"))
	a.Insert(p, integer(3), text("cid"), text("c@x"))
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
	a.Want(p, "1 anna b@x", "2 bob c@x", "3 cid c@x")
}

// TestRolledBackState: what a transaction that fails, or is only tried, did to the writer's own state is taken back.
func TestRolledBackState(t *testing.T) {
	dir := t.TempDir()
	n := storetest.OpenNode(t, sqlstore.Config{Dir: dir})
	id, changes := storetest.CreateTable(n.NewID, people)
	// The very first write takes the epoch; this one is lost with it.
	if err := n.Try(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(changes) }); err != nil {
		t.Fatal(err)
	}
	n.MustAlter(changes...)
	add := storetest.AddColumn(n.NewID(), id, 4, storetest.Column{Name: "x", Type: catalog.Int4OID})
	if err := n.Try(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter([]catalog.Change{add}) }); err != nil {
		t.Fatal(err)
	}
	n.Insert(id, integer(1), null, null)
	n.Want(id, "1 - -")

	// Rule E4 holds for stamps that no entry has: an object's id, say.
	last := n.NewID()
	if err := n.PutLocal("note", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	m := storetest.OpenNode(t, sqlstore.Config{Dir: dir})
	defer m.Close()
	m.Want(id, "1 - -")
	if again := m.NewID(); again.HLC <= last.HLC {
		t.Errorf("id %x after %x", again.HLC, last.HLC)
	}
	storetest.Same(t, m)
}

// TestE2 puts a folder back from an old copy, and does it again: each life writes under an epoch of its own, though all of
// them begin at the same moment by their clocks. Under the same epoch one number would have two contents.
func TestE2(t *testing.T) {
	old := t.TempDir()
	n := storetest.OpenNode(t, sqlstore.Config{Dir: old})
	p := n.MustCreate(people)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	all := open(t)
	all.Pull(openCopy(t, old))
	for i := range 3 {
		life := openCopy(t, old)
		c := life.Insert(p, integer(int64(i)), null, null)
		if c.Seq != 1 || all.Vector()[c.Origin] > 0 {
			t.Errorf("life %d writes entry %d of %v", i, c.Seq, c.Origin)
		}
		all.Pull(life)
	}
	all.Want(p, "0 - -", "1 - -", "2 - -")
}

package sqlstore_test

import (
	"context"
	"errors"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// hiddenIndexed says whether a table's hidden key has an index.
func hiddenIndexed(n *storetest.Node, table catalog.ID) (found bool) {
	n.Helper()
	err := n.Try(context.Background(), func(tx *sqlstore.Tx) error {
		name := "k" + storetest.Table(tx.Schema(), table).Phys[1:]
		st, err := tx.Conn().StoreStmt("SELECT 1 FROM sqlite_schema WHERE type='index' AND name=?1")
		if err != nil {
			return err
		}
		rows, err := st.Query([]catalog.Value{catalog.Str(name)})
		if err != nil {
			return err
		}
		defer rows.Close()
		found = rows.Next()
		return rows.Err()
	})
	if err != nil {
		n.Fatal(err)
	}
	return found
}

// TestHiddenIndex: the hidden key has an index once an entry asks for a row by it, and not before; also in a store that
// was opened anew, and after a transaction that made or dropped it was rolled back.
func TestHiddenIndex(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t), openDir(t, dir)
	p := a.MustCreate(loose)
	for i := range 4 {
		a.Insert(p, integer(int64(i)), text("v"))
	}
	b.Pull(a)
	a.Update(p, integer(0), map[int]catalog.Value{1: text("w")})
	if hiddenIndexed(a, p) || hiddenIndexed(b, p) {
		t.Error("there is an index that nobody needs")
	}
	b.Pull(a)
	if !hiddenIndexed(b, p) {
		t.Error("another node's UPDATE made no index")
	}
	a.Delete(p, integer(1))
	b.Pull(a)
	storetest.Same(t, a, b)
	if hiddenIndexed(a, p) {
		t.Error("a node's own statements made an index")
	}

	// Emptied and rolled back: the index is there, and goes on being used.
	failed := errors.New("changed my mind")
	_, err := b.Write(context.Background(), func(tx *sqlstore.Tx) error {
		if err := tx.Truncate(storetest.Table(tx.Schema(), p)); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) || !hiddenIndexed(b, p) {
		t.Errorf("rolled back with %v; an index: %v", err, hiddenIndexed(b, p))
	}
	a.Delete(p, integer(3))
	b.Pull(a)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openDir(t, dir)
	a.Delete(p, integer(2))
	b.Pull(a)
	storetest.Same(t, a, b)

	// Emptied for good: the next load does without.
	a.MustWrite(func(tx *sqlstore.Tx) error { return tx.Truncate(storetest.Table(tx.Schema(), p)) })
	b.Pull(a)
	if hiddenIndexed(b, p) {
		t.Error("an emptied table kept the index")
	}
	a.Insert(p, integer(7), text("new"))
	a.Update(p, integer(7), map[int]catalog.Value{1: text("newer")})
	b.Pull(a)
	storetest.Same(t, a, b)
	b.Want(p, "7 newer")
}

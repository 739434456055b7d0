package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// declared gives a table's declaration in SQLite and how many indexes it has, and fails unless SQLite finds the database sound.
func declared(t *testing.T, n *storetest.Node, table catalog.ID) (sql string, indexes int64) {
	t.Helper()
	phys := storetest.Table(n.Schema(), table).Phys
	n.MustWrite(func(tx *sqlstore.Tx) error {
		row := func(sql string) (v catalog.Value) {
			st, err := tx.Conn().StoreStmt(sql)
			if err != nil {
				t.Error(err)
				return v
			}
			rows, err := st.Query(nil)
			if err != nil {
				t.Error(err)
				return v
			}
			defer rows.Close()
			if !rows.Next() {
				t.Error(sql, rows.Err())
				return v
			}
			v = rows.Values()[0]
			v.Bytes = slices.Clone(v.Bytes)
			return v
		}
		sql = string(row("SELECT sql FROM sqlite_schema WHERE name='" + phys + "'").Bytes)
		indexes = row("SELECT count(*) FROM sqlite_schema WHERE type='index' AND tbl_name='" + phys + "'").Int()
		if sound := string(row("PRAGMA integrity_check").Bytes); sound != "ok" {
			t.Errorf("integrity_check: %s", sound)
		}
		return nil
	})
	return sql, indexes
}

func wantAlias(t *testing.T, n *storetest.Node, table catalog.ID, want bool) {
	t.Helper()
	sql, indexes := declared(t, n, table)
	if got := strings.Contains(sql, " PRIMARY KEY"); got != want || (indexes == 0) != want {
		t.Errorf("%s with %d indexes", sql, indexes)
	}
}

// TestAddedKeyIsRowid: a primary key that a table gets later is found without an index, whether the rows have the right
// rowids or are given them, here and where the entry comes.
func TestAddedKeyIsRowid(t *testing.T) {
	for name, keys := range map[string][]int64{"no rows": {}, "right": {1, 2, 3, 4}, "others": {7, -3, 1 << 40, 2}} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t), open(t)
			p := a.MustCreate(loose)
			for _, k := range keys {
				a.Insert(p, integer(k), text(fmt.Sprint("v", k)))
			}
			b.Pull(a)
			// A snapshot that is older than the key goes on to see the rows as they were.
			old, err := a.Snapshot(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer old.Close()
			before := a.Rows(p)
			a.MustAlter(addKey(a, p, 0)...)
			if now, err := storetest.Select(old, storetest.Table(old.Schema(), p)); err != nil || strings.Join(now, ";") != strings.Join(before, ";") {
				t.Errorf("the old snapshot shows %q, %v", now, err)
			}
			b.Pull(a)
			for i, n := range []*storetest.Node{a, b} {
				wantAlias(t, n, p, true)
				n.Insert(p, integer(int64(100+i)), text("new"))
				_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
					_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(int64(100+i)), null))
					return err
				})
				var u *sqlstore.UniqueError
				if !errors.As(err, &u) || !u.Index.Primary {
					t.Errorf("got %v", err)
				}
				if len(keys) > 0 {
					n.Update(p, integer(keys[i]), map[int]catalog.Value{1: text("changed")})
					n.Delete(p, integer(keys[2+i]))
				}
			}
			a.Pull(b)
			b.Pull(a)
			storetest.Same(t, a, b)
			want := len(keys)/2 + 2
			if d := a.Digest(p); d.Rows != int64(want) || len(a.Rows(p)) != want {
				t.Errorf("%d rows, %q", d.Rows, a.Rows(p))
			}
			c := open(t)
			c.Pull(b)
			storetest.Same(t, a, c)
			a.MustAlter(dropKey(a, p)...)
			b.Pull(a)
			for _, n := range []*storetest.Node{a, b} {
				if sql, _ := declared(t, n, p); strings.Contains(sql, " PRIMARY KEY") {
					t.Errorf("after DROP: %s", sql)
				}
			}
			storetest.Same(t, a, b)
		})
	}
}

// TestAddedKeyThatIsNoRowid: what cannot be the rowid, or is known by rowid, gets an index.
func TestAddedKeyThatIsNoRowid(t *testing.T) {
	n := open(t)
	words := n.MustCreate(loose)
	n.Insert(words, integer(1), text("v"))
	n.MustAlter(addKey(n, words, 1)...)
	wantAlias(t, n, words, false)

	spec := loose
	spec.Name = "touched"
	touched := n.MustCreate(spec)
	n.Insert(touched, integer(5), text("a"))
	n.MustWrite(func(tx *sqlstore.Tx) error {
		tab := storetest.Table(tx.Schema(), touched)
		row, err := storetest.Find(tx, tab, 0, integer(5))
		if err != nil {
			return err
		}
		if err := tx.Update(tab, row, []int{1}, vals(text("b"))); err != nil {
			return err
		}
		if err := tx.Alter(addKey(n, touched, 0)); err != nil {
			return err
		}
		return tx.Update(storetest.Table(tx.Schema(), touched), row, []int{1}, vals(text("c")))
	})
	wantAlias(t, n, touched, false)
	n.Want(touched, "5 c")
}

// TestDeclaredKeyIsFound: the declaration of the key's column is changed, and not what looks like it in another's default.
func TestDeclaredKeyIsFound(t *testing.T) {
	n := open(t)
	p := n.MustCreate(loose)
	n.Insert(p, null, text("it's"))
	like := text("',c4 INTEGER DEFAULT 1,c4 INTEGER DEFAULT 1)")
	n.MustAlter(storetest.AddColumn(n.NewID(), p, 3, storetest.Column{Name: "w", Type: catalog.TextOID, Missing: like}),
		storetest.AddColumn(n.NewID(), p, 4, storetest.Column{Name: "n", Type: catalog.Int4OID, Missing: integer(1)}))
	n.MustAlter(addKey(n, p, 3)...)
	wantAlias(t, n, p, true)
	if sql, _ := declared(t, n, p); !strings.HasSuffix(sql, ", c4 INTEGER DEFAULT 1 PRIMARY KEY)") || strings.Count(sql, " PRIMARY KEY") != 1 {
		t.Error(sql)
	}
	n.Want(p, "- it's "+string(like.Bytes)+" 1")
}

// TestKeyAddedInVain: a key that is refused, or rolled back, leaves the table as it was, on every connection.
func TestKeyAddedInVain(t *testing.T) {
	n := open(t)
	p := n.MustCreate(loose)
	n.Insert(p, integer(3), text("a"))
	n.Insert(p, integer(3), text("b"))
	_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(addKey(n, p, 0)) })
	if pgerror.Code(err) != pgerror.UniqueViolation {
		t.Errorf("got %v", err)
	}
	n.Want(p, "3 a", "3 b")
	spec := loose
	spec.Name = "right"
	right := n.MustCreate(spec)
	n.Insert(right, integer(1), text("a"))
	for range 2 {
		if err := n.Try(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(addKey(n, right, 0)) }); err != nil {
			t.Fatal(err)
		}
		// Had the rowid stayed the key, the second row would be refused, or the first be shown with another key.
		n.Insert(right, integer(1), text("b"))
		n.Delete(right, integer(1))
		n.Want(right, "1 b")
		n.Delete(right, integer(1))
		n.Insert(right, integer(1), text("a"))
		sql, _ := declared(t, n, right)
		if strings.Contains(sql, " PRIMARY KEY") {
			t.Error(sql)
		}
	}
}

// TestNullUnderARowid: a node that has not heard of the key writes what no rowid can be. Nothing is made up for it.
func TestNullUnderARowid(t *testing.T) {
	for name, write := range map[string]func(n *storetest.Node, p catalog.ID){
		"INSERT": func(n *storetest.Node, p catalog.ID) { n.Insert(p, null, text("late")) },
		"UPDATE": func(n *storetest.Node, p catalog.ID) { n.Update(p, integer(2), map[int]catalog.Value{0: null}) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b, c := open(t), open(t), open(t)
			p := a.MustCreate(loose)
			for i := range int64(3) {
				a.Insert(p, integer(i+1), text("v"))
			}
			b.Pull(a)
			write(b, p)
			b.Insert(p, integer(9), text("w"))
			a.Clock.T = b.Clock.T.Add(time.Millisecond)
			a.MustAlter(addKey(a, p, 0)...)
			a.Insert(p, integer(4), text("new"))
			wantAlias(t, a, p, true)
			a.Pull(b)
			b.Pull(a)
			c.Pull(b)
			for _, n := range []*storetest.Node{a, b, c} {
				wantAlias(t, n, p, false)
			}
			storetest.Same(t, a, b, c)
			rows := strings.Join(a.Rows(p), ";")
			if strings.Count(rows, "-") != 1 || len(a.Rows(p)) != map[string]int{"INSERT": 6, "UPDATE": 5}[name] {
				t.Errorf("%q", rows)
			}
			_, err := a.Write(context.Background(), func(tx *sqlstore.Tx) error {
				_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(4), null))
				return err
			})
			var u *sqlstore.UniqueError
			if !errors.As(err, &u) || !u.Index.Primary {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAddedKeyKeepsOtherIndexes: unique indexes and those over expressions find the rows under their new rowids.
func TestAddedKeyKeepsOtherIndexes(t *testing.T) {
	a, b := open(t), open(t)
	spec := people
	spec.Key = nil
	p := a.MustCreate(spec)
	for i := range int64(4) {
		a.Insert(p, integer(40-i), text("n"), text(fmt.Sprint("m", i)))
	}
	b.Pull(a)
	a.MustAlter(addKey(a, p, 0)...)
	b.Pull(a)
	for _, n := range []*storetest.Node{a, b} {
		err := n.Try(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), p), vals(integer(1), null, text("m2")))
			return err
		})
		var u *sqlstore.UniqueError
		if !errors.As(err, &u) || u.Index.Primary {
			t.Errorf("got %v", err)
		}
		if sql, indexes := declared(t, n, p); !strings.Contains(sql, " PRIMARY KEY") || indexes != 1 {
			t.Errorf("%s with %d indexes", sql, indexes)
		}
	}
	// A collision of another node's row finds the one that is here.
	b.Insert(p, integer(5), text("first"), text("same"))
	a.Insert(p, integer(6), text("second"), text("same"))
	a.Pull(b)
	b.Pull(a)
	storetest.Same(t, a, b)
}

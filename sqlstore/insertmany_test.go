package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// rowsOf gives InsertMany n rows, some hundred at a time.
func rowsOf(n int, row func(i int) []catalog.Value) func() ([]byte, int, error) {
	i := 0
	return func() (rows []byte, k int, err error) {
		for ; i < n && k < 400; i, k = i+1, k+1 {
			rows = catalog.AppendRow(rows, row(i))
		}
		return rows, k, nil
	}
}

func person(i int) []catalog.Value {
	return vals(integer(int64(i)), text(fmt.Sprint("name ", i)), text(fmt.Sprint(i, "@x")))
}

// TestInsertMany: rows that went in at once are the same, for the digest and for other nodes, as rows that went in one by
// one; also where a row was deleted before, where the table has no key, and where the load stops half-way.
func TestInsertMany(t *testing.T) {
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
					if ids.Len() != tt.rows {
						t.Errorf("got %d rowids, want %d", ids.Len(), tt.rows)
					}
					return err
				}
				var u *sqlstore.UniqueError
				if !errors.As(err, &u) || ids.Len() != tt.taken {
					t.Errorf("got %d rowids and %v, want %d and a UniqueError", ids.Len(), err, tt.taken)
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

// loadMany inserts rows in bulk, in a transaction of their own.
func loadMany(n *storetest.Node, table catalog.ID, rows int, row func(i int) []catalog.Value) {
	n.Helper()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		_, err := tx.InsertMany(storetest.Table(tx.Schema(), table), rowsOf(rows, row))
		return err
	})
}

var keyless = storetest.TableSpec{Name: "notes", Columns: []storetest.Column{{Name: "a", Type: catalog.Int4OID}, {Name: "b", Type: catalog.TextOID}}}

func note(i int) []catalog.Value { return vals(integer(int64(i)), text(fmt.Sprint("note ", i))) }

// TestInsertManyThenMore: what the same transaction does to rows that it has loaded, and to their table, reaches other
// nodes too.
func TestInsertManyThenMore(t *testing.T) {
	touch := func(tx *sqlstore.Tx, table catalog.ID, key int64, fn func(t *catalog.Table, id int64) error) error {
		tab := storetest.Table(tx.Schema(), table)
		id, err := storetest.Find(tx, tab, 0, integer(key))
		if err != nil {
			return err
		}
		return fn(tab, id)
	}
	for _, spec := range []storetest.TableSpec{keyless, {Name: "keyed", Columns: keyless.Columns, Key: []string{"a"}}, {Name: "texts", Columns: keyless.Columns, Key: []string{"b"}}} {
		for name, more := range map[string]func(n *storetest.Node, tx *sqlstore.Tx, p catalog.ID) error{
			"nothing": func(*storetest.Node, *sqlstore.Tx, catalog.ID) error { return nil },
			"update": func(_ *storetest.Node, tx *sqlstore.Tx, p catalog.ID) error {
				col := 1
				if spec.Name == "texts" {
					col = 0
				}
				return touch(tx, p, 3, func(tab *catalog.Table, id int64) error {
					return tx.Update(tab, id, []int{col}, vals(integer(-3)))
				})
			},
			"delete, and insert under the rowid that is free": func(_ *storetest.Node, tx *sqlstore.Tx, p catalog.ID) error {
				for _, key := range []int64{5, 999, 998} {
					if err := touch(tx, p, key, tx.Delete); err != nil {
						return err
					}
				}
				if _, err := tx.Insert(storetest.Table(tx.Schema(), p), note(5)); err != nil {
					return err
				}
				if err := touch(tx, p, 5, tx.Delete); err != nil {
					return err
				}
				_, err := tx.InsertMany(storetest.Table(tx.Schema(), p), rowsOf(2, func(i int) []catalog.Value { return note(998 + i) }))
				return err
			},
			"another column": func(n *storetest.Node, tx *sqlstore.Tx, p catalog.ID) error {
				return tx.Alter([]catalog.Change{storetest.AddColumn(n.NewID(), p, 3, storetest.Column{Name: "c", Type: catalog.Int4OID, Missing: integer(9)})})
			},
			"truncate, and load again": func(_ *storetest.Node, tx *sqlstore.Tx, p catalog.ID) error {
				tab := storetest.Table(tx.Schema(), p)
				if err := tx.Truncate(tab); err != nil {
					return err
				}
				_, err := tx.InsertMany(tab, rowsOf(70, note))
				return err
			},
		} {
			t.Run(spec.Name+": "+name, func(t *testing.T) {
				a, b := open(t), open(t)
				p := a.MustCreate(spec)
				a.Insert(p, integer(-1), text("before"))
				b.Pull(a)
				a.MustWrite(func(tx *sqlstore.Tx) error {
					if _, err := tx.InsertMany(storetest.Table(tx.Schema(), p), rowsOf(1000, note)); err != nil {
						return err
					}
					return more(a, tx, p)
				})
				b.Pull(a)
				storetest.Same(t, a, b)
				if got, want := fmt.Sprint(b.Rows(p)), fmt.Sprint(a.Rows(p)); got != want {
					t.Errorf("rows are %.200s, want %.200s", got, want)
				}
				// Rows are still known by the keys that the entry named.
				b.Update(p, integer(60), map[int]catalog.Value{map[bool]int{true: 0, false: 1}[spec.Name == "texts"]: integer(-60)})
				b.Delete(p, integer(61))
				a.Pull(b)
				storetest.Same(t, a, b)
			})
		}
	}
	t.Run("a primary key", func(t *testing.T) {
		a, b := open(t), open(t)
		p := a.MustCreate(keyless)
		b.Pull(a)
		a.MustWrite(func(tx *sqlstore.Tx) error {
			if _, err := tx.InsertMany(storetest.Table(tx.Schema(), p), rowsOf(1000, note)); err != nil {
				return err
			}
			return tx.Alter(addKey(a, p, 0))
		})
		b.Insert(p, note(7)...) // by a hidden key: it meets the loaded row
		b.Pull(a)
		a.Pull(b)
		storetest.Same(t, a, b)
		if d := a.Digest(p); d.Rows != 1000 {
			t.Errorf("%d rows", d.Rows)
		}
	})
}

// TestLoadsMeet: loads of the same keys on two nodes, and whatever a third holds under these keys, merge alike everywhere,
// though each node finds other rows in its way.
func TestLoadsMeet(t *testing.T) {
	a, b, c := open(t), open(t), open(t)
	p := a.MustCreate(people)
	r := a.MustCreate(storetest.TableSpec{Name: "late_key", Columns: []storetest.Column{{Name: "v", Type: catalog.Float8OID}, {Name: "k", Type: catalog.TextOID}, {Name: "w", Type: catalog.TextOID}}, Key: []string{"k"}})
	b.Pull(a)
	c.Pull(a)
	number := func(i int) []catalog.Value {
		v := catalog.Float(float64(i) / 4)
		if i%100 == 7 {
			v = catalog.Value{Kind: catalog.Text, Bytes: []byte("NaN")}
		}
		return vals(v, text(fmt.Sprint("key ", i)), null)
	}
	c.Insert(p, integer(450), text("c"), text("450@x")) // key and mail taken
	c.Insert(p, integer(-1), text("c"), text("460@x"))  // mail taken
	c.Insert(r, catalog.Float(1), text("key 3"), text("c"))
	loadMany(a, p, 1000, person)
	loadMany(a, r, 1000, number)
	loadMany(b, p, 1500, func(i int) []catalog.Value { return person(i + 500) })
	loadMany(b, r, 300, func(i int) []catalog.Value { return number(i + 900) })
	c.Delete(p, integer(450))
	b.Delete(p, integer(700))
	nodes := []*storetest.Node{a, b, c}
	c.Pull(b, a)
	a.Pull(b, c)
	b.Pull(c, a)
	storetest.Same(t, nodes...)
	d := open(t)
	d.Pull(b)
	storetest.Same(t, append(nodes, d)...)
	if got := len(d.Rows(r)); got != 1200 {
		t.Errorf("%d rows, want 1200", got)
	}
}

// TestLoadOfAnOlderForm: a load whose table has got another form meanwhile, on the node that it reaches, comes to the same
// rows there.
func TestLoadOfAnOlderForm(t *testing.T) {
	for name, alter := range map[string]func(n *storetest.Node, p catalog.ID) []catalog.Change{
		"a column more": func(n *storetest.Node, p catalog.ID) []catalog.Change {
			return []catalog.Change{storetest.AddColumn(n.NewID(), p, 3, storetest.Column{Name: "c", Type: catalog.Int4OID, Missing: integer(9)})}
		},
		"a column less": func(n *storetest.Node, p catalog.ID) []catalog.Change {
			return []catalog.Change{{Op: catalog.Drop, ID: storetest.Table(n.Schema(), p).Columns[0].ID}}
		},
		"a primary key":   func(n *storetest.Node, p catalog.ID) []catalog.Change { return addKey(n, p, 0) },
		"no key any more": dropKey,
		"no table": func(_ *storetest.Node, p catalog.ID) []catalog.Change {
			return []catalog.Change{{Op: catalog.Drop, ID: p}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t), open(t)
			spec := keyless
			if name == "no key any more" {
				spec.Key = []string{"b"}
			}
			p := a.MustCreate(spec)
			b.Pull(a)
			loadMany(a, p, 500, note)
			b.MustAlter(alter(b, p)...)
			b.Pull(a)
			a.Pull(b)
			storetest.Same(t, a, b)
			if name == "no table" {
				return
			}
			// And a load of the new form, over rows that were deleted, where there is a key.
			b.Delete(p, integer(3))
			row := func(i int) []catalog.Value {
				out := note(i + 1000)
				for len(out) < len(storetest.Table(b.Schema(), p).Columns) {
					out = append(out, integer(1))
				}
				return out[:len(storetest.Table(b.Schema(), p).Columns)]
			}
			loadMany(b, p, 500, row)
			a.Pull(b)
			storetest.Same(t, a, b)
		})
	}
}

// TestTruncateAfterLoad: a greater TRUNCATE that a node knows already takes a load away, all of it.
func TestTruncateAfterLoad(t *testing.T) {
	for _, spec := range []storetest.TableSpec{keyless, people} {
		a, b := open(t), open(t)
		p := a.MustCreate(spec)
		b.Pull(a)
		row := person
		if spec.Name == keyless.Name {
			row = note
		}
		loadMany(a, p, 500, row)
		b.Clock.T = a.Clock.T.Add(time.Second)
		b.MustWrite(func(tx *sqlstore.Tx) error { return tx.Truncate(storetest.Table(tx.Schema(), p)) })
		b.Pull(a)
		a.Pull(b)
		storetest.Same(t, a, b)
		if d := b.Digest(p); d.Rows != 0 {
			t.Errorf("%s: %d rows", spec.Name, d.Rows)
		}
	}
}

func TestRowIDs(t *testing.T) {
	var r sqlstore.RowIDs
	want := []int64{7, 8, 9, 3, 4, 4, 1 << 40, 1<<40 + 1, 0}
	for _, id := range want {
		r.Add(id)
	}
	if r.Len() != len(want) {
		t.Errorf("%d rowids", r.Len())
	}
	for i := range want {
		if got := r.At(i); got != want[i] {
			t.Errorf("row %d has %d, want %d", i, got, want[i])
		}
	}
}

// TestLoadWithNaN: a NaN that an entry has as a number is the text that SQLite keeps, for the digest too.
func TestLoadWithNaN(t *testing.T) {
	a, b := open(t), open(t)
	p := a.MustCreate(storetest.TableSpec{Name: "f", Columns: []storetest.Column{{Name: "v", Type: catalog.Float8OID}}})
	b.Pull(a)
	nan := append([]byte{byte(catalog.Real)}, 1, 0, 0, 0, 0, 0, 0xf8, 0x7f)
	a.MustWrite(func(tx *sqlstore.Tx) error {
		k := 0
		_, err := tx.InsertMany(storetest.Table(tx.Schema(), p), func() ([]byte, int, error) {
			k++
			return bytes.Repeat(nan, 100), 100 * (k % 2), nil
		})
		return err
	})
	b.Pull(a)
	storetest.Same(t, a, b)
	if got := b.Rows(p)[99]; got != "NaN" {
		t.Errorf("got %q", got)
	}
}

// TestLoadIsCountedUnpacked: how long others are waited for, and what a transaction may have, goes by what there is to do.
func TestLoadIsCountedUnpacked(t *testing.T) {
	n := open(t)
	p := n.MustCreate(keyless)
	row := func(int) []catalog.Value { return vals(integer(1), text("all the same")) }
	c := n.MustWrite(func(tx *sqlstore.Tx) error {
		_, err := tx.InsertMany(storetest.Table(tx.Schema(), p), rowsOf(5000, row))
		return err
	})
	if want := 5000 * len(catalog.AppendRow(nil, row(0))); c.Bytes < want {
		t.Errorf("the load counts as %d bytes, and has %d", c.Bytes, want)
	}
	es, err := n.Entries(context.Background(), c.Origin, c.Seq, 1)
	if err != nil || len(es) != 1 || len(es[0].Bytes) > c.Bytes/5 {
		t.Errorf("%d entries, %v; the load is not packed", len(es), err)
	}
}

// TestLongEntry: an entry that is read and written in pieces arrives whole, and is found again by who starts anew.
func TestLongEntry(t *testing.T) {
	dir := t.TempDir()
	a, b := openDir(t, dir), open(t)
	p := a.MustCreate(keyless)
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	a.MustWrite(func(tx *sqlstore.Tx) error {
		i := 0
		_, err := tx.InsertMany(storetest.Table(tx.Schema(), p), func() ([]byte, int, error) {
			if i++; i > 20 {
				return nil, 0, nil
			}
			return catalog.AppendRow(nil, vals(integer(int64(i)), catalog.BlobBytes(noise[i:]))), 1, nil
		})
		return err
	})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	a.Insert(p, integer(21), text("more"))
	b.Pull(a)
	if !b.Vector().Equal(a.Vector()) || b.Digest(p) != a.Digest(p) || b.Digest(p).Rows != 21 {
		t.Errorf("%+v became %+v", a.Digest(p), b.Digest(p))
	}
	if err := b.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	es := storetest.Log(t, a.Store)
	long := slices.IndexFunc(es, func(e crdt.Entry) bool { return len(e.Bytes) >= 16<<20 })
	if long < 0 {
		t.Fatal("no entry is long")
	}
	if err := b.Apply(context.Background(), es[long:long+1]); err != nil {
		t.Errorf("a long entry comes again: %v", err)
	}
	fork := es[long]
	fork.Bytes = slices.Clone(fork.Bytes)
	fork.Bytes[len(fork.Bytes)-1]++
	fork.Seal()
	if err := b.Apply(context.Background(), []crdt.Entry{fork}); !errors.Is(err, sqlstore.ErrFork) {
		t.Errorf("another long entry comes: %v", err)
	}
	if es, err := a.Entries(context.Background(), es[long].Origin, es[long].Seq-1, 100<<20); err != nil || len(es) != 1 {
		t.Errorf("%d entries before the long one, %v", len(es), err)
	}
	if size, _, err := a.LogSpan(context.Background()); err != nil || size < 20<<20 {
		t.Errorf("the log has %d bytes, %v", size, err)
	}
	for o, n := range b.Vector() {
		for seq := uint64(1); seq <= n; seq++ {
			x, err := storetest.Entries(a.Store, o, seq, 1)
			y, err2 := storetest.Entries(b.Store, o, seq, 1)
			if err != nil || err2 != nil || len(x) != 1 || len(y) != 1 || !bytes.Equal(x[0].Bytes, y[0].Bytes) || x[0].Hash != y[0].Hash {
				t.Errorf("entry %d differs, %v, %v", seq, err, err2)
			}
		}
	}
	// Moved to another origin it keeps its hash, which nobody works out anew.
	f := crdt.Fork{Origin: es[long].Origin, After: es[long].Seq - 1, Hash: crdt.Short(es[long].Hash)}
	if moved, err := b.Refile(context.Background(), f, true); !moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	c := open(t)
	if moved, err := c.Refile(context.Background(), f, true); moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	c.Pull(b)
	storetest.Same(t, b, c)
	for _, n := range []*storetest.Node{b, c} {
		x, err := storetest.Entries(n.Store, f.Branch(), 1, 1)
		if err != nil || len(x) != 1 || x[0].Hash != es[long].Hash || len(x[0].Bytes) < 16<<20 {
			t.Errorf("%d moved entries, %v", len(x), err)
		}
		if _, _, h, err := n.Chain(context.Background(), f.Branch(), 1, 9); err != nil || len(h) != 1 || h[0] != f.Hash {
			t.Errorf("the moved chain is %x, %v", h, err)
		}
		if err := n.Trim(context.Background(), crdt.Vector{f.Branch(): 1}); err != nil {
			t.Error(err)
		}
		if _, _, h, err := n.Chain(context.Background(), f.Branch(), 1, 9); err != nil || len(h) != 1 || h[0] != f.Hash {
			t.Errorf("trimmed, the moved chain is %x, %v", h, err)
		}
	}
	if err := a.Trim(context.Background(), a.Vector()); err != nil {
		t.Error(err)
	}
	if f, err := a.LongEntry(context.Background(), es[long].Origin, es[long].Seq); err != nil || f != nil {
		t.Errorf("a trimmed entry is there, %v", err)
	}
}

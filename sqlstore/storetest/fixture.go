// Package storetest is the conformance suite that any store must pass, and the fixtures that its tests are written
// with.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
)

// Clock is a wall clock that stands still until it is told to move.
type Clock struct{ T time.Time }

// Now reads the clock.
func (c *Clock) Now() time.Time { return c.T }

// NewClock starts at a fixed instant.
func NewClock() *Clock { return &Clock{T: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// Column describes a column of a table to be made. Missing is its constant default when it is added to a table.
type Column struct {
	Name    string
	Type    uint32
	Missing catalog.Value
}

// TableSpec describes a table to be made.
type TableSpec struct {
	Name    string
	Columns []Column
	Key     []string   // primary key; none: rows get hidden keys
	Unique  [][]string // further unique indexes
}

// Object returns a Change that creates an object.
func Object(kind catalog.ObjectKind, id, parent catalog.ID, name string, attrs map[catalog.Attr]catalog.Value) catalog.Change {
	if attrs == nil {
		attrs = make(map[catalog.Attr]catalog.Value)
	}
	attrs[catalog.AttrKind] = catalog.Str(string(kind))
	attrs[catalog.AttrName] = catalog.Str(name)
	attrs[catalog.AttrOwner] = catalog.Str("postgres")
	if !parent.IsZero() {
		attrs[catalog.AttrParent] = parent.Value()
	}
	return catalog.Change{Op: catalog.Create, ID: id, Attrs: attrs}
}

// AddColumn is ALTER TABLE … ADD COLUMN.
func AddColumn(id, table catalog.ID, num int, c Column) catalog.Change {
	def := catalog.ColumnDef{}
	if !c.Missing.IsNull() {
		def.Missing = catalog.AppendValue(nil, c.Missing)
	}
	return Object(catalog.ObjectColumn, id, table, c.Name, map[catalog.Attr]catalog.Value{
		catalog.AttrOrder:   catalog.Int(int64(num)),
		catalog.AttrType:    catalog.Int(int64(c.Type)),
		catalog.AttrTypmod:  catalog.Int(-1),
		catalog.AttrNotNull: catalog.Int(0),
		catalog.AttrDef:     catalog.EncodeDef(def),
	})
}

// AddIndex creates a unique index and, if primary, the constraint of a primary key.
func AddIndex(newID func() catalog.ID, table catalog.ID, name string, primary bool, columns ...catalog.ID) []catalog.Change {
	ix := newID()
	def := catalog.IndexDef{Unique: true, Primary: primary}
	for _, c := range columns {
		def.Keys = append(def.Keys, catalog.IndexKeyDef{Column: c})
	}
	kind := catalog.Unique
	if primary {
		kind = catalog.PrimaryKey
	}
	return []catalog.Change{
		Object(catalog.ObjectIndex, ix, table, name, map[catalog.Attr]catalog.Value{catalog.AttrDef: catalog.EncodeDef(def)}),
		Object(catalog.ObjectConstraint, newID(), table, name, map[catalog.Attr]catalog.Value{
			catalog.AttrDef: catalog.EncodeDef(catalog.ConstraintDef{Kind: string(rune(kind)), Columns: columns, Index: ix}),
		}),
	}
}

// CreateTable returns the changes that make a table, and its ID.
func CreateTable(newID func() catalog.ID, spec TableSpec) (catalog.ID, []catalog.Change) {
	id := newID()
	changes := []catalog.Change{Object(catalog.ObjectTable, id, catalog.PublicID, spec.Name, nil)}
	byName := make(map[string]catalog.ID)
	for i, c := range spec.Columns {
		col := newID()
		byName[c.Name] = col
		changes = append(changes, AddColumn(col, id, i+1, c))
	}
	named := func(names []string) (out []catalog.ID) {
		for _, n := range names {
			out = append(out, byName[n])
		}
		return out
	}
	if len(spec.Key) > 0 {
		changes = append(changes, AddIndex(newID, id, spec.Name+"_pkey", true, named(spec.Key)...)...)
	}
	for i, u := range spec.Unique {
		changes = append(changes, AddIndex(newID, id, fmt.Sprintf("%s_%s_key%d", spec.Name, strings.Join(u, "_"), i), false, named(u)...)...)
	}
	return id, changes
}

// Node is a store under test, with what a test wants to do to it in one line each.
type Node struct {
	testing.TB
	*sqlstore.Store
	Clock *Clock
}

// MustAlter runs DDL.
func (n *Node) MustAlter(changes ...catalog.Change) sqlstore.Commit {
	n.Helper()
	return n.MustWrite(func(tx *sqlstore.Tx) error { return tx.Alter(changes) })
}

// MustCreate makes a table.
func (n *Node) MustCreate(spec TableSpec) catalog.ID {
	n.Helper()
	id, changes := CreateTable(n.NewID, spec)
	n.MustAlter(changes...)
	return id
}

// MustWrite runs a transaction.
func (n *Node) MustWrite(fn func(*sqlstore.Tx) error) sqlstore.Commit {
	n.Helper()
	n.tick()
	c, err := n.Write(context.Background(), fn)
	if err != nil {
		n.Fatalf("write: %v", err)
	}
	return c
}

func (n *Node) tick() {
	if n.Clock != nil {
		n.Clock.T = n.Clock.T.Add(time.Millisecond)
	}
}

// Table finds a table by ID in a schema.
func Table(s *catalog.Schema, id catalog.ID) *catalog.Table {
	for _, t := range s.Relations {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Insert adds a row in a transaction of its own.
func (n *Node) Insert(table catalog.ID, vals ...catalog.Value) sqlstore.Commit {
	n.Helper()
	return n.MustWrite(func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(Table(tx.Schema(), table), vals)
		return err
	})
}

// Find returns the rowid of the first row whose column has a value, -1 if there is none.
func Find(tx *sqlstore.Tx, t *catalog.Table, col int, v catalog.Value) (int64, error) {
	rows, err := tx.Query(context.Background(), "SELECT rowid FROM "+t.Phys+" WHERE "+t.Columns[col].Phys+"=?1 ORDER BY rowid", []catalog.Value{v})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		return -1, rows.Err()
	}
	return rows.Values()[0].Int(), nil
}

// Update sets cells of the row whose first column is key; false if there is none.
func (n *Node) Update(table catalog.ID, key catalog.Value, set map[int]catalog.Value) (found bool) {
	n.Helper()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		t := Table(tx.Schema(), table)
		id, err := Find(tx, t, 0, key)
		if err != nil || id < 0 {
			return err
		}
		found = true
		var cols []int
		for c := range set {
			cols = append(cols, c)
		}
		sort.Ints(cols)
		var vals []catalog.Value
		for _, c := range cols {
			vals = append(vals, set[c])
		}
		return tx.Update(t, id, cols, vals)
	})
	return found
}

// Delete deletes the row whose first column is key; false if there is none.
func (n *Node) Delete(table catalog.ID, key catalog.Value) (found bool) {
	n.Helper()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		t := Table(tx.Schema(), table)
		id, err := Find(tx, t, 0, key)
		if err != nil || id < 0 {
			return err
		}
		found = true
		return tx.Delete(t, id)
	})
	return found
}

// Rows reads a table as text, one line a row, sorted.
func (n *Node) Rows(table catalog.ID) []string {
	n.Helper()
	var out []string
	err := n.Read(context.Background(), func(r *sqlstore.Reader) error {
		out = nil
		t := Table(r.Schema(), table)
		if t == nil {
			return fmt.Errorf("no table %v", table)
		}
		var err error
		out, err = Select(r, t)
		return err
	})
	if err != nil {
		n.Fatalf("read: %v", err)
	}
	return out
}

// Select reads a table as text, one line a row, sorted.
func Select(r *sqlstore.Reader, t *catalog.Table) ([]string, error) {
	var cols []string
	for _, c := range t.Columns {
		cols = append(cols, c.Phys)
	}
	rows, err := r.Query(context.Background(), "SELECT "+strings.Join(cols, ",")+" FROM "+t.Phys, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var f []string
		for _, v := range rows.Values() {
			f = append(f, Show(v))
		}
		out = append(out, strings.Join(f, " "))
	}
	sort.Strings(out)
	return out, rows.Err()
}

// Show writes a value for a test's eyes.
func Show(v catalog.Value) string {
	switch v.Kind {
	case catalog.Integer:
		return fmt.Sprint(v.Int())
	case catalog.Real:
		return fmt.Sprintf("%gr", v.Float())
	case catalog.Text:
		return string(v.Bytes)
	case catalog.Blob:
		return fmt.Sprintf("x%x", v.Bytes)
	}
	return "-"
}

// Want compares a table's rows.
func (n *Node) Want(table catalog.ID, want ...string) {
	n.Helper()
	got := n.Rows(table)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		n.Errorf("rows are %q, want %q", got, want)
	}
}

// Log reads every entry of a store, in an order in which another can apply them.
func Log(t testing.TB, s *sqlstore.Store) []crdt.Entry {
	t.Helper()
	return logAfter(t, s, nil)
}

func logAfter(t testing.TB, s *sqlstore.Store, have crdt.Vector) []crdt.Entry {
	t.Helper()
	var all []crdt.Entry
	for o, n := range s.Vector() {
		for from := have[o] + 1; from <= n; {
			es, err := Entries(s, o, from, 1<<20)
			if err != nil || len(es) == 0 {
				t.Fatalf("entries of %v from %d: %d, %v", o, from, len(es), err)
			}
			all = append(all, es...)
			from += uint64(len(es))
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Stamp().Compare(all[j].Stamp()) < 0 })
	return all
}

// Entries is the store's Entries, with long entries among them.
func Entries(s *sqlstore.Store, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	es, err := s.Entries(context.Background(), o, from, maxBytes)
	if !errors.Is(err, crdt.ErrLong) {
		return es, err
	}
	f, err := s.LongEntry(context.Background(), o, from)
	if f == nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	e, err := crdt.DecodeHead(b)
	return []crdt.Entry{e}, err
}

// Pull applies to n what others have and n lacks.
func (n *Node) Pull(others ...*Node) {
	n.Helper()
	for _, o := range others {
		missing := logAfter(n, o.Store, n.Vector())
		if n.Clock != nil && o.Clock != nil && o.Clock.T.After(n.Clock.T) {
			n.Clock.T = o.Clock.T
		}
		if err := n.Apply(context.Background(), missing); err != nil {
			n.Fatalf("apply: %v", err)
		}
	}
}

// Same checks that stores agree in vector, digests and rows.
func Same(t testing.TB, nodes ...*Node) {
	t.Helper()
	first := nodes[0]
	for _, n := range nodes {
		if !n.Vector().Equal(first.Vector()) {
			t.Errorf("vectors differ: %v and %v", n.Vector(), first.Vector())
		}
		for _, rel := range first.Schema().Relations {
			if rel.System || rel.Kind != catalog.KindTable {
				continue
			}
			a, b := first.Digest(rel.ID), n.Digest(rel.ID)
			if a.Digest != b.Digest || a.Rows != b.Rows {
				t.Errorf("%s: digests differ: %v %d and %v %d\n%q\n%q", rel.Name, a.Digest, a.Rows, b.Digest, b.Rows, first.Rows(rel.ID), n.Rows(rel.ID))
			}
		}
		if a, b := first.Digest(catalog.ObjectKeyspace), n.Digest(catalog.ObjectKeyspace); a.Digest != b.Digest {
			t.Errorf("schemas differ: %v and %v", a, b)
		}
		if err := n.Verify(context.Background()); err != nil {
			t.Errorf("verify: %v", err)
		}
	}
}

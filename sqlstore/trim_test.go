package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlite"
	"layercake/sqlstore/storetest"
)

var numbers = storetest.TableSpec{Name: "n", Columns: []storetest.Column{{Name: "id", Type: catalog.Int4OID}, {Name: "v", Type: catalog.TextOID}},
	Key: []string{"id"}, Unique: [][]string{{"v"}}}

// rows writes rows from … to-1, each in an entry of its own.
func rows(n *storetest.Node, table catalog.ID, from, to int) {
	for i := from; i < to; i++ {
		n.Insert(table, catalog.Int(int64(i)), catalog.Str(fmt.Sprint("row ", i)))
	}
}

// TestMarkers: a marker is an entry, travels as one, and the last of each node is known, after the log is trimmed and
// the store opened again, too.
func TestMarkers(t *testing.T) {
	dir := t.TempDir()
	a, b := openDir(t, dir), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 3)
	said := crdt.Marker{List: 7, Vector: a.Vector()}
	o, seq, err := a.Mark(context.Background(), said)
	if err != nil || a.Vector()[o] != seq {
		t.Fatalf("%v, %d of %v", err, seq, a.Vector())
	}
	b.Pull(a)
	if _, _, err := b.Mark(context.Background(), crdt.Marker{List: 8, Vector: b.Vector()}); err != nil {
		t.Fatal(err)
	}
	a.Pull(b)
	if err := a.Trim(context.Background(), a.Vector()); err != nil {
		t.Fatal(err)
	}
	heads := a.Vector()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	if !a.Vector().Equal(heads) || !a.Trimmed().Equal(heads) {
		t.Errorf("opened again: %v, trimmed %v; want %v", a.Vector(), a.Trimmed(), heads)
	}
	for _, n := range []*storetest.Node{a, b} {
		ms, err := n.Markers()
		if err != nil {
			t.Fatal(err)
		}
		m := ms[o.Node]
		if len(ms) != 2 || m.List != 7 || m.Origin != o || m.Seq != seq || !m.Vector.Equal(said.Vector) || ms[b.Self()].List != 8 {
			t.Errorf("markers %+v", ms)
		}
	}
	rows(a, table, 3, 5) // the chain goes on over what is gone
	b.Pull(a)
	storetest.Same(t, a, b)
}

// TestRetired: what a marker retires is left out of what later entries depend on, and kept over a restart and in snapshots;
// nobody applies such a marker without all of the epoch.
func TestRetired(t *testing.T) {
	dir := t.TempDir()
	a, b, c := openDir(t, dir), open(t), open(t)
	table := b.MustCreate(numbers)
	rows(b, table, 0, 3)
	var ended crdt.Origin
	for ended = range b.Vector() {
	}
	a.Pull(b)
	want := crdt.Vector{ended: a.Vector()[ended]}
	o, seq, err := a.Mark(context.Background(), crdt.Marker{List: 7, Vector: a.Vector(), Retired: want})
	if err != nil || !a.Retired().Equal(want) {
		t.Fatalf("%v, retired %v", err, a.Retired())
	}
	marker, err := a.Entries(context.Background(), o, seq, 1<<20)
	if err != nil || len(marker) != 1 || marker[0].Deps[ended] != want[ended] {
		t.Fatalf("the marker: %v, %v", marker, err)
	}
	if err := c.Apply(context.Background(), marker); !errors.Is(err, sqlstore.ErrDeps) || len(c.Retired()) > 0 {
		t.Errorf("without the epoch: %v, retired %v", err, c.Retired())
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	if !a.Retired().Equal(want) || a.Vector()[ended] != want[ended] {
		t.Errorf("opened again: retired %v of %v", a.Retired(), a.Vector())
	}
	rows(a, table, 3, 4)
	for now := range a.Vector() {
		if now.Node != a.Self() || now == o {
			continue
		}
		es, err := a.Entries(context.Background(), now, 1, 1<<20)
		if _, named := es[0].Deps[ended]; err != nil || named || es[0].Deps[o] != seq {
			t.Errorf("the next life's first entry depends on %v, %v", es[0].Deps, err)
		}
	}
	c.Pull(b)
	c.Pull(a)
	if !c.Retired().Equal(want) {
		t.Errorf("applied: retired %v", c.Retired())
	}
	d := open(t)
	install(t, d, a)
	if !d.Retired().Equal(want) {
		t.Errorf("by a snapshot: retired %v", d.Retired())
	}
	rows(b, table, 4, 5) // the epoch goes on: it counts again
	a.Pull(b)
	a.Mark(context.Background(), crdt.Marker{List: 7, Vector: a.Vector()})
	c.Pull(a)
	b.Pull(a)
	storetest.Same(t, a, b, c)
}

// TestPurgeIsNoChange: a REPEATABLE READ transaction under way asks whether a table that it has read was changed; that
// tombstones were forgotten meanwhile is none of its business.
func TestPurgeIsNoChange(t *testing.T) {
	a := open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 3)
	a.Delete(table, catalog.Int(1))
	index := a.Index()
	purged, _, err := a.Purge(context.Background(), a.Vector(), a.Store.Clock()+1)
	if err != nil || purged != 1 {
		t.Fatalf("%d purged, %v", purged, err)
	}
	if a.ChangedSince(table, index) {
		t.Error("the table counts as changed")
	}
	rows(a, table, 5, 6)
	if !a.ChangedSince(table, index) {
		t.Error("after an INSERT it does not count as changed")
	}
}

// TestFormat3 is read: it lacks the table of retired epochs.
func TestFormat3(t *testing.T) {
	dir := t.TempDir()
	a := openDir(t, dir)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 3)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := sqlite.Open(filepath.Join(dir, "layercake.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.StoreExec("DROP TABLE lc_retired; PRAGMA user_version=3"), c.Close()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a = openDir(t, dir)
		if got := a.Digest(table).Rows; got != 3 || len(a.Retired()) > 0 {
			t.Errorf("%d rows, retired %v", got, a.Retired())
		}
		if _, _, err := a.Mark(context.Background(), crdt.Marker{List: 7, Vector: a.Vector(), Retired: crdt.Vector{}}); err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrim: what is trimmed is not given out, and nothing after a gap; the rest is as before.
func TestTrim(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 20)
	var o crdt.Origin
	for o = range a.Vector() {
	}
	if err := a.Trim(context.Background(), crdt.Vector{o: 10}); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[uint64]int{1: 0, 10: 0, 11: 11, 21: 1} {
		if es, err := a.Entries(context.Background(), o, from, 1<<20); err != nil || len(es) != want {
			t.Errorf("from %d: %d entries, %v; want %d", from, len(es), err, want)
		}
	}
	size, oldest, err := a.LogSpan(context.Background())
	if err != nil || size == 0 || oldest == 0 {
		t.Errorf("the log is %d bytes, oldest %d, %v", size, oldest, err)
	}
	if err := a.Trim(context.Background(), crdt.Vector{o: 1 << 30, {Node: 99}: 5}); err != nil {
		t.Fatal(err)
	}
	if size, oldest, err := a.LogSpan(context.Background()); err != nil || size != 0 || oldest != 0 {
		t.Errorf("the log is %d bytes, oldest %d, %v", size, oldest, err)
	}
	if !a.Trimmed().Equal(a.Vector()) {
		t.Errorf("trimmed %v of %v", a.Trimmed(), a.Vector())
	}
	if err := b.Apply(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	rows(a, table, 20, 21)
	es, err := a.Entries(context.Background(), o, 22, 1<<20)
	if err != nil || len(es) != 1 {
		t.Fatalf("%d entries, %v", len(es), err)
	}
	if err := b.Apply(context.Background(), es); !errors.Is(err, sqlstore.ErrGap) {
		t.Errorf("a node without the others takes it: %v", err)
	}
}

// TestPurgeByVector: only what is covered goes, and a trimmed log does not make more of it.
func TestPurgeByVector(t *testing.T) {
	a, b := open(t), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 10)
	b.Pull(a)
	for i := range 4 {
		a.Delete(table, catalog.Int(int64(i)))
	}
	for i := 4; i < 8; i++ {
		b.Delete(table, catalog.Int(int64(i)))
	}
	var oa, ob crdt.Origin
	for o := range a.Vector() {
		oa = o
	}
	for o := range b.Vector() {
		if o != oa {
			ob = o
		}
	}
	a.Pull(b)
	last := a.Vector()[oa]
	late := a.Clock0() + 1
	purge := func(v crdt.Vector, before crdt.HLC, want int64) {
		t.Helper()
		if got, _, err := a.Purge(context.Background(), v, before); err != nil || got != want {
			t.Errorf("purge up to %v: %d, %v; want %d", v, got, err, want)
		}
	}
	purge(crdt.Vector{oa: last - 2}, 1, 0) // all too young
	purge(crdt.Vector{oa: last - 2}, late, 2)
	purge(crdt.Vector{ob: 1}, late, 1)
	b.Pull(a)
	if err := a.Trim(context.Background(), a.Vector()); err != nil {
		t.Fatal(err)
	}
	purge(crdt.Vector{oa: last - 1, ob: 2}, late, 0) // their clocks are gone with the log: rather too few than too many
	purge(a.Vector(), late, 5)
	if d := a.Digest(table); d.Tombstones != 0 || d.Rows != 2 {
		t.Errorf("%+v", d)
	}
	storetest.Same(t, a, b)
}

// TestPurgeManyTombstones goes over several steps, while others write.
func TestPurgeManyTombstones(t *testing.T) {
	n := open(t)
	table := n.MustCreate(numbers)
	const many = 9000
	n.MustWrite(func(tx *sqlstore.Tx) error {
		for i := range many {
			if _, err := tx.Insert(storetest.Table(tx.Schema(), table), []catalog.Value{catalog.Int(int64(i)), catalog.Str(fmt.Sprint(i))}); err != nil {
				return err
			}
		}
		return nil
	})
	n.MustWrite(func(tx *sqlstore.Tx) error {
		for i := range many {
			if err := tx.Delete(storetest.Table(tx.Schema(), table), int64(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if got, young, err := n.Purge(context.Background(), n.Vector(), n.Clock0()+1); err != nil || got != many || young {
		t.Errorf("purged %d, %v, %v", got, young, err)
	}
	storetest.Same(t, n)
}

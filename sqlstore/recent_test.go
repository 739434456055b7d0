package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// wantLog makes sure that Entries gives what the log has, of every origin, and that Recent is from first to last.
func wantLog(t *testing.T, n *storetest.Node, first, last uint64) {
	t.Helper()
	if f, end, _ := n.Recent(); f != first || end != last+1 {
		t.Errorf("kept are %d … %d, want %d … %d", f, int64(end)-1, first, last)
	}
	for o, head := range n.Vector() {
		sameAsLog(t, n, o, head)
	}
}

// sameAsLog compares what Entries gives up to an entry, and beyond it, with the log.
func sameAsLog(t *testing.T, n *storetest.Node, o crdt.Origin, last uint64) {
	t.Helper()
	type answer struct {
		entries []crdt.Entry
		err     error
	}
	ask := func(from uint64, maxBytes int) (a answer) {
		a.entries, a.err = n.Entries(context.Background(), o, from, maxBytes)
		for i := range a.entries {
			if e := &a.entries[i]; len(e.Deps) == 0 {
				e.Deps = nil
			}
		}
		return a
	}
	for from := uint64(0); from < last+3; from += 1 + last/40 {
		for _, maxBytes := range []int{0, 700, 1 << 20} {
			got := ask(from, maxBytes)
			n.WithoutRecent(func() {
				want := ask(from, maxBytes)
				if !errors.Is(got.err, want.err) || !reflect.DeepEqual(got.entries, want.entries) {
					t.Errorf("%d bytes from %d on of %v: %d entries, %v; the log has %d, %v",
						maxBytes, from, o, len(got.entries), got.err, len(want.entries), want.err)
				}
			})
		}
	}
}

// ask makes the store keep what it writes, from its next commit but one on.
func ask(t *testing.T, n *storetest.Node) {
	t.Helper()
	for o := range n.Vector() {
		if _, err := n.Entries(context.Background(), o, 1, 1); err != nil && !errors.Is(err, crdt.ErrLong) {
			t.Fatal(err)
		}
	}
}

// asked opens a node with a table, whose entries from the third on are kept.
func asked(t *testing.T) (*storetest.Node, catalog.ID) {
	t.Helper()
	n := open(t)
	table := n.MustCreate(numbers)
	ask(t, n)
	rows(n, table, 1, 2)
	return n, table
}

func origin(t *testing.T, n *storetest.Node) crdt.Origin {
	t.Helper()
	for o := range n.Vector() {
		if o.Node == n.Self() {
			return o
		}
	}
	t.Fatal("it has written nothing")
	return crdt.Origin{}
}

// TestRecentEntries: what Entries gives from memory is what the log would give.
func TestRecentEntries(t *testing.T) {
	n, other := open(t), open(t)
	table := n.MustCreate(numbers)
	loads := n.MustCreate(keyless)
	rows(n, table, 0, 2)
	if first, end, _ := n.Recent(); end > 0 {
		t.Errorf("nobody has asked, and %d … %d are kept", first, end-1)
	}
	other.Pull(n) // which asks
	rows(n, table, 2, 10)
	wantLog(t, n, 6, 12)

	rows(other, table, 100, 112) // as many as n has
	n.Pull(other)
	wantLog(t, n, 6, 12)
	rows(n, table, 10, 11) // depends on other's
	n.Update(table, catalog.Int(3), map[int]catalog.Value{1: text("changed")})
	n.Delete(table, catalog.Int(4))
	if _, _, err := n.Mark(context.Background(), crdt.Marker{List: 7, Vector: n.Vector()}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
		_, err := tx.Insert(storetest.Table(tx.Schema(), table), vals(integer(1000), null))
		return errors.Join(err, errMine)
	}); !errors.Is(err, errMine) {
		t.Fatal(err)
	}
	loadMany(n, loads, 3, note)
	rows(n, table, 11, 12)
	wantLog(t, n, 6, 18)

	n.Insert(loads, integer(1), text(strings.Repeat("a long entry", 1000)))
	wantLog(t, n, 0, ^uint64(0))
	rows(n, table, 12, 14)
	wantLog(t, n, 20, 21)
	loadMany(n, loads, 3000, func(i int) []catalog.Value { return vals(integer(int64(i)), text(fmt.Sprint(i*i*i))) })
	wantLog(t, n, 0, ^uint64(0))
	rows(n, table, 14, 15)
	wantLog(t, n, 23, 23)
	other.Pull(n)
	storetest.Same(t, n, other)
}

// TestRecentIsBounded in number and in bytes, and is let go when nobody asks any more.
func TestRecentIsBounded(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 300)
	wantLog(t, n, 45, 300)
	wide := n.MustCreate(keyless)
	for i := range 100 {
		n.Insert(wide, integer(int64(i)), text(strings.Repeat("x", 6000)))
	}
	if _, end, bytes := n.Recent(); end != 402 || bytes > 128<<10 || bytes < 120<<10 {
		t.Errorf("kept are %d bytes up to entry %d", bytes, end-1)
	}
	o := origin(t, n)
	sameAsLog(t, n, o, 401)
	rows(n, table, 300, 1400)
	wantLog(t, n, 0, ^uint64(0))
}

// TestRecentIsTrimmed: what is trimmed of the log is not given any more.
func TestRecentIsTrimmed(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 10)
	o := origin(t, n)
	if err := n.Trim(context.Background(), crdt.Vector{o: 7}); err != nil {
		t.Fatal(err)
	}
	wantLog(t, n, 3, 10)
	if es, err := n.Entries(context.Background(), o, 7, 1<<20); err != nil || len(es) > 0 {
		t.Errorf("%d entries are given that are trimmed, %v", len(es), err)
	}
	if err := n.Trim(context.Background(), n.Vector()); err != nil {
		t.Fatal(err)
	}
	wantLog(t, n, 3, 10)
	rows(n, table, 10, 11)
	wantLog(t, n, 3, 11)
}

// TestRecentIsCommitted: nothing of a group that failed is given, nor stands in the way of what comes next.
func TestRecentIsCommitted(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 5)
	n.MustWrite(func(tx *sqlstore.Tx) error { // a table by which a COMMIT can be made to fail
		return tx.Conn().StoreExec("COMMIT; PRAGMA foreign_keys=ON; BEGIN; CREATE TABLE parent (id INTEGER PRIMARY KEY);" +
			"CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED); COMMIT; BEGIN")
	})
	for range 2 {
		if _, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			_, err := tx.Insert(storetest.Table(tx.Schema(), table), vals(integer(100), null))
			return errors.Join(err, tx.Conn().StoreExec("INSERT INTO child VALUES (1)"))
		}); err == nil {
			t.Fatal("the COMMIT did not fail")
		}
		wantLog(t, n, 3, 5)
	}
	rows(n, table, 5, 7)
	wantLog(t, n, 3, 7)
}

// TestRecentBranch: what was moved to a branch is not given under its old name, nor mixed with what follows under that name
// or a new epoch.
func TestRecentBranch(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 8)
	o := origin(t, n)
	_, _, hashes, err := n.Chain(context.Background(), o, 5, 5)
	if err != nil {
		t.Fatal(err)
	}
	f := crdt.Fork{Origin: o, After: 4, Hash: hashes[0]}
	if moved, err := n.Refile(context.Background(), f, true); !moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	wantLog(t, n, 3, 8)
	sameAsLog(t, n, o, 8)
	var e crdt.Entry // then comes the other branch, as long as the first was
	if e.Seq, e.Hash = n.Head(o); e.Seq != 4 {
		t.Fatalf("%d entries keep the old name", e.Seq)
	}
	for e.Seq < 8 {
		e = crdt.Entry{Origin: o, Seq: e.Seq + 1, HLC: n.Store.Clock() + 1, Prev: e.Hash}
		crdt.EncodeEntryOf(&e, new(crdt.Body))
		if err := n.Apply(context.Background(), []crdt.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	wantLog(t, n, 3, 8)
	rows(n, table, 8, 11)
	wantLog(t, n, 1, 3)
	if err := n.Renew(context.Background(), n.Store.Clock()); err != nil {
		t.Fatal(err)
	}
	rows(n, table, 11, 16)
	wantLog(t, n, 1, 5)
}

// TestRecentBranchOfAll: a branch of all entries has the number and the hash of the last one that was kept under the old name.
func TestRecentBranchOfAll(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 8)
	o := origin(t, n)
	_, _, hashes, err := n.Chain(context.Background(), o, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := crdt.Fork{Origin: o, Hash: hashes[0]}
	if moved, err := n.Refile(context.Background(), f, true); !moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	if seq, _ := n.Head(f.Branch()); seq != 8 {
		t.Errorf("the branch has %d entries", seq)
	}
	wantLog(t, n, 3, 8)
	sameAsLog(t, n, o, 8)
}

// TestRecentAndSnapshots: a snapshot puts another log in the place of the one whose end is kept.
func TestRecentAndSnapshots(t *testing.T) {
	n, table := asked(t)
	rows(n, table, 2, 8)
	other := open(t)
	other.Pull(n)
	rows(other, table, 20, 22)
	if err := other.Trim(context.Background(), other.Vector()); err != nil {
		t.Fatal(err)
	}
	install(t, n, other)
	if !n.Trimmed().Equal(other.Trimmed()) {
		t.Errorf("trimmed %v, want %v", n.Trimmed(), other.Trimmed())
	}
	wantLog(t, n, 3, 8)
	rows(n, table, 8, 10)
	for o, head := range n.Vector() {
		sameAsLog(t, n, o, head)
	}
	o := origin(t, n)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Entries(context.Background(), o, 9, 1); !errors.Is(err, sqlstore.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

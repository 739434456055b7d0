package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/sqlite"
	"layercake/sqlstore/storetest"
)

// behind changes a store's file behind its back.
func behind(t *testing.T, dir, script string) {
	t.Helper()
	c, err := sqlite.Open(filepath.Join(dir, "layercake.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StoreExec(script); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

// snapshot gives the store's state to fn.
func snapshot(t *testing.T, n *storetest.Node, fn func(*sqlstore.Reader)) {
	t.Helper()
	r, err := n.SnapshotAt(context.Background(), n.Vector())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fn(r)
}

// rowOf is the copy of a row of people that n holds, and what the log says of it.
func rowOf(t *testing.T, n *storetest.Node, p catalog.ID, id int64) (c sqlstore.RowCopy, l sqlstore.Logged) {
	t.Helper()
	snapshot(t, n, func(r *sqlstore.Reader) {
		hashes, _, err := r.RowsOf(context.Background(), p, 1, []int{0}, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hashes {
			if h.Values[0].Int() != id {
				continue
			}
			rows, _, err := r.Copies(context.Background(), p, [][]byte{h.Key})
			if err != nil || len(rows) != 1 {
				t.Fatalf("copies %+v, %v", rows, err)
			}
			c = rows[0]
			if l, err = r.Logged(context.Background(), p, &c, crdt.Stamp{}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if c.Key == nil {
		t.Fatalf("no row %d", id)
	}
	return c, l
}

// TestScanSeesWhatNoWriteDid: a scan differs from the kept digest once a row was changed behind the store's back, in the
// bucket of that row.
func TestScanSeesWhatNoWriteDid(t *testing.T) {
	dir := t.TempDir()
	n := openDir(t, dir)
	p := n.MustCreate(people)
	for i := range 50 {
		n.Insert(p, integer(int64(i)), text("name"), null)
	}
	var before sqlstore.Scan
	snapshot(t, n, func(r *sqlstore.Reader) {
		var err error
		if before, err = r.Scan(context.Background(), p, 64); err != nil || before.Wrong() || before.Rows != 50 {
			t.Fatalf("scan %+v, %v", before, err)
		}
	})
	behind(t, dir, "UPDATE t1 SET c2 = 'other' WHERE c1 = 7; UPDATE t1 SET _o = 1000 WHERE c1 = 8")
	snapshot(t, n, func(r *sqlstore.Reader) {
		s, err := r.Scan(context.Background(), p, 64)
		if err != nil || !s.Wrong() || s.Kept != before.Kept || s.Damaged != 1 {
			t.Errorf("scan %+v, %v", s, err)
		}
		changed := 0
		var sum crdt.Digest
		for i := range s.Buckets {
			sum.Add(s.Buckets[i])
			if s.Buckets[i] != before.Buckets[i] {
				changed++
			}
		}
		if changed < 1 || changed > 2 || sum != s.Digest {
			t.Errorf("%d buckets changed, their sum is %v of %v", changed, sum, s.Digest)
		}
	})
	if err := n.Verify(context.Background()); err == nil {
		t.Error("Verify sees nothing")
	}
}

// TestSnapshotAt: a snapshot is of the vector asked for, or there is none.
func TestSnapshotAt(t *testing.T) {
	n := open(t)
	p := n.MustCreate(people)
	old := n.Vector()
	n.Insert(p, integer(1), null, null)
	if _, err := n.SnapshotAt(context.Background(), old); !errors.Is(err, sqlstore.ErrMoved) {
		t.Errorf("a snapshot of what is gone: %v", err)
	}
	snapshot(t, n, func(r *sqlstore.Reader) {
		n.Insert(p, integer(2), null, null)
		if s, err := r.Scan(context.Background(), p, 1); err != nil || s.Rows != 1 || s.Wrong() {
			t.Errorf("the snapshot moved: %+v, %v", s, err)
		}
	})
}

// TestLogged: the log vouches for what was written, and refutes what was not.
func TestLogged(t *testing.T) {
	dir := t.TempDir()
	n := openDir(t, dir)
	p := n.MustCreate(people)
	n.Insert(p, integer(1), text("one"), null)
	n.Insert(p, integer(2), text("two"), text("two@x"))
	n.Update(p, integer(2), map[int]catalog.Value{1: text("deux")})
	t2 := storetest.Table(n.Schema(), p)
	n.MustAlter(storetest.AddColumn(n.NewID(), t2.ID, 4, storetest.Column{Name: "late", Type: catalog.TextOID, Missing: text("dflt")}))
	for id := range int64(2) {
		c, l := rowOf(t, n, p, id+1)
		if !l.Insert || l.Refuted || slices.Contains(l.Cells, false) {
			t.Errorf("row %d: the log says %+v of %+v", id+1, l, c)
		}
	}
	behind(t, dir, "UPDATE t1 SET c2 = 'uno' WHERE c1 = 1; UPDATE t1 SET c2 = 'zwei' WHERE c1 = 2; INSERT INTO t1(_h, _o, c1) SELECT _h, _o, 3 FROM t1 WHERE c1 = 1")
	for id, insert := range map[int64]bool{1: true, 2: true, 3: false} {
		if _, l := rowOf(t, n, p, id); !l.Refuted || l.Insert != insert {
			t.Errorf("row %d, changed: the log says %+v", id, l)
		}
	}
}

// TestMend: rows go back to what another node holds, with the kept digest, and nothing of it is logged. A row that has
// changed since it was looked at is left alone.
func TestMend(t *testing.T) {
	dir := t.TempDir()
	n, other := openDir(t, dir), open(t)
	p := n.MustCreate(people)
	for i := range 5 {
		n.Insert(p, integer(int64(i)), text("name"), text(string(rune('a'+i))))
	}
	n.Update(p, integer(2), map[int]catalog.Value{1: text("updated")})
	other.Pull(n)
	behind(t, dir, "UPDATE t1 SET c2 = 'flipped' WHERE c1 = 1; UPDATE t1 SET c2 = 'too' WHERE c1 = 2; DELETE FROM t1 WHERE c1 = 3; INSERT INTO t1(c1, c2) VALUES (9, 'made up')")
	v := n.Vector()
	var scan sqlstore.Scan
	snapshot(t, n, func(r *sqlstore.Reader) {
		var err error
		if scan, err = r.Scan(context.Background(), p, 1); err != nil {
			t.Fatal(err)
		}
	})
	var fixes []sqlstore.Fix
	for _, id := range []int64{1, 2, 3} {
		right, _ := rowOf(t, other, p, id)
		f := sqlstore.Fix{Key: right.Key, Row: &right}
		if id != 3 {
			was, _ := rowOf(t, n, p, id)
			f.Was = []sqlstore.RowCopy{was}
		}
		fixes = append(fixes, f)
	}
	made, _ := rowOf(t, n, p, 9)
	fixes = append(fixes, sqlstore.Fix{Key: made.Key, Was: []sqlstore.RowCopy{made}})
	// Row 2 changes in between, on top of what is wrong.
	n.Update(p, integer(2), map[int]catalog.Value{2: text("new")})
	other.Pull(n)
	digest := scan.Digest
	digest.Sub(scan.Kept)
	mended, err := n.Mend(context.Background(), p, digest, scan.Rows-scan.KeptRows, fixes)
	if err != nil || mended != 3 {
		t.Fatalf("mended %d, %v, want 3", mended, err)
	}
	n.Want(p, "0 name a", "1 name b", "2 too new", "3 name d", "4 name e")
	if err := n.Verify(context.Background()); err != nil {
		t.Errorf("after it: %v", err)
	}
	was, _ := rowOf(t, n, p, 2)
	right, _ := rowOf(t, other, p, 2)
	if mended, err = n.Mend(context.Background(), p, crdt.Digest{}, 0, []sqlstore.Fix{{Key: right.Key, Was: []sqlstore.RowCopy{was}, Row: &right}}); err != nil || mended != 1 {
		t.Fatalf("mended %d, %v, want 1", mended, err)
	}
	storetest.Same(t, n, other)
	for o, seq := range n.Vector() {
		if seq > v[o]+1 {
			t.Errorf("origin %v went from %d to %d: a repair is not logged", o, v[o], seq)
		}
	}
	// It is a row like any other afterwards.
	n.Delete(p, integer(3))
	n.Update(p, integer(1), map[int]catalog.Value{1: text("again")})
	other.Pull(n)
	storetest.Same(t, n, other)
	// What makes no sense is refused.
	right.Cells[0].Value = []byte{0xff}
	if _, err := n.Mend(context.Background(), p, crdt.Digest{}, 0, []sqlstore.Fix{{Key: []byte("p?"), Row: &right}}); err == nil {
		t.Error("a malformed row was put in")
	}
}

// TestMendTombstones: a row that is to be gone stays so, and one that is to be there loses its tombstone.
func TestMendTombstones(t *testing.T) {
	dir := t.TempDir()
	n, other := openDir(t, dir), open(t)
	p := n.MustCreate(people)
	n.Insert(p, integer(1), text("stays"), null)
	n.Insert(p, integer(2), text("goes"), null)
	right, _ := rowOf(t, n, p, 1)
	gone, _ := rowOf(t, n, p, 2)
	n.Delete(p, integer(2))
	other.Pull(n)
	buried := func() map[string]crdt.Stamp {
		out := map[string]crdt.Stamp{}
		snapshot(t, n, func(r *sqlstore.Reader) {
			_, graves, err := r.Copies(context.Background(), p, [][]byte{right.Key, gone.Key})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range graves {
				out[string(g.Key)] = g.Stamp
			}
		})
		return out
	}
	end := buried()[string(gone.Key)]
	if end.IsZero() {
		t.Fatal("no tombstone")
	}
	// The tombstone is put on the other row, which goes.
	behind(t, dir, fmt.Sprintf("UPDATE lc_tombstones SET k = x'%x'; DELETE FROM t1 WHERE c1 = 1", right.Key))
	var scan sqlstore.Scan
	snapshot(t, n, func(r *sqlstore.Reader) {
		var err error
		if scan, err = r.Scan(context.Background(), p, 1); err != nil {
			t.Fatal(err)
		}
	})
	digest := scan.Digest
	digest.Sub(scan.Kept)
	fixes := []sqlstore.Fix{{Key: right.Key, Dead: end, Row: &right}, {Key: gone.Key, Bury: end}}
	if mended, err := n.Mend(context.Background(), p, digest, scan.Rows-scan.KeptRows, fixes); err != nil || mended != 2 {
		t.Fatalf("mended %d, %v", mended, err)
	}
	if got := buried(); len(got) != 1 || got[string(gone.Key)] != end {
		t.Errorf("tombstones %v, want %v", got, end)
	}
	storetest.Same(t, n, other)
	if d := n.Digest(p); d.Rows != 1 || d.Tombstones != 1 {
		t.Errorf("%d rows and %d tombstones are counted, want 1 and 1", d.Rows, d.Tombstones)
	}
}

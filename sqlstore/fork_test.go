package sqlstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// TestRefileOwn moves the end of what this process writes itself: it goes on under a new epoch, and all of it is there
// after the store is opened again.
func TestRefileOwn(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	a, b := openDir(t, dir), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 5)
	last := a.Insert(table, catalog.Int(7), catalog.Str("seven"))
	o := last.Origin
	_, _, h, err := a.Chain(ctx, o, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	f := crdt.Fork{Origin: o, After: 3, Hash: h[0]}
	if moved, err := a.Refile(ctx, f, true); !moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	want := a.Rows(table)
	next := a.Insert(table, catalog.Int(8), catalog.Str("eight"))
	if next.Origin == o || next.Origin == f.Branch() || next.Seq != 1 {
		t.Errorf("it goes on under %+v", next)
	}
	vector := a.Vector()
	if vector[o] != 3 || vector[f.Branch()] != last.Seq-3 {
		t.Errorf("the vector is %v", vector)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	forks, err := a.Forks()
	if err != nil || len(forks) != 1 || forks[0] != f || !a.Vector().Equal(vector) {
		t.Errorf("opened again: %v, %v, %v", forks, a.Vector(), err)
	}
	a.Want(table, append(want, "8 eight")...)
	if _, err := b.Refile(ctx, f, true); err != nil {
		t.Fatal(err)
	}
	b.Pull(a)
	storetest.Same(t, a, b)
}

// TestAForkBehindTheLog is found by the hashes of what was trimmed, and moved: without those of its entries, which others have.
func TestAForkBehindTheLog(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	a, b := openDir(t, dir), open(t)
	table := a.MustCreate(numbers)
	rows(a, table, 0, 8)
	b.Pull(a)
	var o crdt.Origin
	for o = range a.Vector() {
	}
	last := a.Vector()[o]
	_, _, all, err := a.Chain(ctx, o, 1, last)
	if err != nil || uint64(len(all)) != last {
		t.Fatalf("%d hashes, %v", len(all), err)
	}
	if err := a.Trim(ctx, crdt.Vector{o: last - 2}); err != nil {
		t.Fatal(err)
	}
	if low, first, h, err := a.Chain(ctx, o, 1, last); err != nil || low != 1 || first != 1 || len(h) != len(all) || h[1] != all[1] || h[last-1] != all[last-1] {
		t.Errorf("trimmed, the chain is %d %d %x, want %x, %v", low, first, h, all, err)
	}
	f := crdt.Fork{Origin: o, After: 3, Hash: all[3]}
	for _, n := range []*storetest.Node{a, b} {
		if moved, err := n.Refile(ctx, f, true); !moved || err != nil {
			t.Fatalf("moved %v, %v", moved, err)
		}
	}
	branch := f.Branch()
	check := func() {
		t.Helper()
		storetest.Same(t, a, b)
		if v, g := a.Vector(), a.Trimmed(); v[o] != 3 || v[branch] != last-3 || g[o] != 3 || g[branch] != last-5 {
			t.Errorf("%v, trimmed %v", v, g)
		}
		if low, first, h, err := a.Chain(ctx, o, 1, 9); err != nil || low != 1 || first != 1 || len(h) != 3 || h[2] != all[2] {
			t.Errorf("the chain is %d %d %x, %v", low, first, h, err)
		}
		for _, n := range []*storetest.Node{a, b} {
			if low, first, h, err := n.Chain(ctx, branch, 1, last); err != nil || low != 1 || first != 1 || !slices.Equal(h, all[3:]) {
				t.Errorf("the branch's chain is %d %d %x, %v", low, first, h, err)
			}
		}
		if es, err := a.Entries(ctx, branch, last-4, 1<<20); err != nil || len(es) != 2 {
			t.Errorf("%d entries of the branch, %v", len(es), err)
		}
		if es, err := a.Entries(ctx, branch, last-5, 1<<20); err != nil || len(es) != 0 {
			t.Errorf("%d entries of the branch that were trimmed, %v", len(es), err)
		}
	}
	check()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = openDir(t, dir)
	check()
	// A snapshot of who has another branch, or does not know of the fork, is refused; of who is level it is taken.
	c := open(t)
	c.Pull(b)
	copied, _, err := c.Copy(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Install(ctx, copied); !errors.Is(err, sqlstore.ErrUnmended) {
		t.Errorf("a snapshot of one who does not know of the fork: %v", err)
	}
	copied.Close()
	if copied, _, err = b.Copy(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.Install(ctx, copied); err != nil {
		t.Error(err)
	}
	copied.Close()
	storetest.Same(t, a, b)
	if a.Trimmed()[branch] != 0 {
		t.Errorf("trimmed %v", a.Trimmed())
	}
}

// TestRenew: what comes next stands under an epoch later than a given one.
func TestRenew(t *testing.T) {
	a := open(t)
	table := a.MustCreate(numbers)
	was := a.Insert(table, catalog.Int(1), catalog.Str("one"))
	after := was.HLC + 1<<20
	if err := a.Renew(context.Background(), after); err != nil {
		t.Fatal(err)
	}
	next := a.Insert(table, catalog.Int(2), catalog.Str("two"))
	if next.Origin == was.Origin || next.Origin.Epoch.First <= after || next.Seq != 1 {
		t.Errorf("%+v after %+v", next, was)
	}
}

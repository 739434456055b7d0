package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
)

// forks: two stores hold different entries of one origin under the same numbers. Once the one branch is moved they can take
// each other's log, and are equal (rule E5).
func (s suite) forks(t *testing.T) {
	ctx := context.Background()
	n, m := s.open(t), s.open(t)
	table := n.MustCreate(pair)
	m.Pull(n)
	p := pairGroups{Table(n.Schema(), table)}
	a := fake(1)
	first := a.Entry(n.at(1), p.insert(1, "a"))
	n.mustApply(first)
	m.mustApply(first)
	b := *a // the machine is rolled back
	a2, a3 := a.Entry(n.at(2), p.insert(2, "first life")), a.Entry(n.at(4), p.update(first.Stamp(), 1, "first life"))
	b2 := b.Entry(n.at(3), p.insert(3, "second life"))
	b3, b4 := b.Entry(n.at(5), p.update(b2.Stamp(), 3, "updated")), b.Entry(n.at(6), p.delete(9))
	// The clock went back too: two INSERTs of one key have the very same stamp.
	a4, b5 := a.Entry(n.at(7), p.insert(7, "tie a")), b.Entry(n.at(7), p.insert(7, "tie b"))
	n.mustApply(a2, a3, a4)
	m.mustApply(b2, b3, b4, b5)
	m.Insert(table, num(4), str("built on it")) // it depends on entry 4 by its old name
	o := a.Origin
	if low, first, h, err := n.Chain(ctx, o, 1, 9); err != nil || low != 1 || first != 1 || len(h) != 4 || h[1] != crdt.Short(a2.Hash) || h[3] != crdt.Short(a4.Hash) {
		t.Fatalf("the chain is %d %d %x, %v", low, first, h, err)
	}
	f := crdt.Fork{Origin: o, After: 1, Hash: max(crdt.Short(a2.Hash), crdt.Short(b2.Hash))}
	mover, keeper, moved, kept := n, m, uint64(3), uint64(4)
	if f.Hash == crdt.Short(b2.Hash) {
		mover, keeper, moved, kept = m, n, 4, 3
	}
	before := mover.Rows(table)
	if ok, err := mover.Refile(ctx, f, true); !ok || err != nil {
		t.Fatalf("moved %v, %v", ok, err)
	}
	if ok, err := keeper.Refile(ctx, f, true); ok || err != nil {
		t.Fatalf("what is not there was moved %v, %v", ok, err)
	}
	if v := mover.Vector(); v[o] != 1 || v[f.Branch()] != moved {
		t.Errorf("the vector is %v", v)
	}
	mover.Want(table, before...)
	refused := a2
	if mover == m {
		refused = b2
	}
	for _, k := range []*Node{n, m} {
		if k.Vector()[o] > 1 {
			continue
		}
		if err := k.Apply(ctx, []crdt.Entry{refused}); !errors.Is(err, sqlstore.ErrFork) {
			t.Errorf("the branch comes back under its old name: %v", err)
		}
	}
	n.Pull(m)
	m.Pull(n)
	Same(t, n, m)
	n.Want(table, "1 first life", "2 first life", "3 updated", "4 built on it", "7 tie b")
	if v := n.Vector(); v[o] != 1+kept || v[f.Branch()] != moved {
		t.Errorf("the vector is %v", v)
	}
	_, _, x, _ := n.Chain(ctx, f.Branch(), 1, moved)
	_, _, y, _ := m.Chain(ctx, f.Branch(), 1, moved)
	if len(x) != int(moved) || x[moved-1] != y[moved-1] {
		t.Errorf("both name it so, and it is not the same: %x and %x", x, y)
	}
	if ok, err := mover.Refile(ctx, f, true); ok || err != nil {
		t.Errorf("moved again: %v, %v", ok, err)
	}
	n.Insert(table, num(5), str("after"))
	m.Pull(n)
	Same(t, n, m)
}

// branched is a branch of an origin of which two stores hold entries that a third one lacks.
type branched struct {
	table   catalog.ID
	f       crdt.Fork
	common  crdt.Entry
	entries []crdt.Entry // of the branch, under the old name
	other   []crdt.Entry // what keeps the name
}

// branch makes one of five entries, after one that all of nodes have and that stays.
func (s suite) branch(t *testing.T, nodes ...*Node) branched {
	t.Helper()
	b := branched{table: nodes[0].MustCreate(pair)}
	for _, n := range nodes[1:] {
		n.Pull(nodes[0])
	}
	n := nodes[0]
	p := pairGroups{Table(n.Schema(), b.table)}
	a := fake(1)
	b.common = a.Entry(n.at(1), p.insert(1, "common"))
	second := *a
	for k := range 5 {
		b.entries = append(b.entries, a.Entry(n.at(2+2*k), p.insert(int64(10+k), "branch")))
		b.other = append(b.other, second.Entry(n.at(3+2*k), p.insert(int64(20+k), "stays")))
	}
	b.f = crdt.Fork{Origin: a.Origin, After: 1, Hash: crdt.Short(b.entries[0].Hash)}
	for _, n := range nodes {
		n.mustApply(b.common)
	}
	return b
}

func (b *branched) hashes() (h []uint64) {
	for _, e := range b.entries {
		h = append(h, crdt.Short(e.Hash))
	}
	return h
}

// trimmedBranch: a branch whose first entries are trimmed is moved with the rest of its log, which another store, that has
// what is trimmed, takes.
func (s suite) trimmedBranch(t *testing.T) {
	ctx := context.Background()
	n, m, k := s.open(t), s.open(t), s.open(t)
	b := s.branch(t, n, m, k)
	o, branch := b.f.Origin, b.f.Branch()
	n.mustApply(b.entries...)
	m.mustApply(b.entries[:3]...)
	k.mustApply(b.other...)
	if err := n.Trim(ctx, crdt.Vector{o: 4}); err != nil { // the common one, and three of the branch
		t.Fatal(err)
	}
	rows := n.Rows(b.table)
	for _, x := range []*Node{n, m, k} {
		if moved, err := x.Refile(ctx, b.f, true); moved == (x == k) || err != nil {
			t.Fatalf("moved %v, %v", moved, err)
		}
	}
	n.Want(b.table, rows...)
	check := func() {
		t.Helper()
		if v, g := n.Vector(), n.Trimmed(); v[o] != 1 || v[branch] != 5 || g[o] != 1 || g[branch] != 3 {
			t.Errorf("the vector is %v, trimmed %v", v, g)
		}
		if low, first, h, err := n.Chain(ctx, branch, 1, 9); err != nil || low != 1 || first != 1 || !slices.Equal(h, b.hashes()) {
			t.Errorf("the branch's chain is %d %d %x, want %x, %v", low, first, h, b.hashes(), err)
		}
		if low, first, h, err := n.Chain(ctx, o, 1, 1); err != nil || low != 1 || first != 1 || len(h) != 1 || h[0] != crdt.Short(b.common.Hash) {
			t.Errorf("what is left is %d %d %x, %v", low, first, h, err)
		}
	}
	check()
	tail, err := n.Entries(ctx, branch, 4, 1<<20)
	if err != nil || len(tail) != 2 || tail[0].Hash != b.entries[3].Hash || tail[1].Prev != b.entries[3].Hash {
		t.Fatalf("%d entries are left, %v", len(tail), err)
	}
	m.mustApply(tail...)
	k.Pull(m)
	// Of the entry that is left of the old name only the short hash is known.
	wrong := b.other[0]
	wrong.Prev[0]++
	if err := n.Apply(ctx, []crdt.Entry{wrong}); !errors.Is(err, sqlstore.ErrFork) {
		t.Errorf("what follows another entry is taken: %v", err)
	}
	for _, x := range []*Node{n, m} {
		x.mustApply(b.other...)
	}
	Same(t, n, m, k)
	if len(n.Rows(b.table)) != 11 {
		t.Errorf("rows are %q", n.Rows(b.table))
	}
	// What is trimmed next goes on with the hashes that came along.
	if err := n.Trim(ctx, crdt.Vector{branch: 4}); err != nil {
		t.Fatal(err)
	}
	if low, first, h, err := n.Chain(ctx, branch, 1, 9); err != nil || low != 1 || first != 1 || !slices.Equal(h, b.hashes()) {
		t.Errorf("trimmed further, the branch's chain is %d %d %x, want %x, %v", low, first, h, b.hashes(), err)
	}
}

// branchHere: of a branch that a store has already, from another one, it moves what is lacking there. If that ends before
// what was trimmed, it is replaced.
func (s suite) branchHere(t *testing.T) {
	ctx := context.Background()
	for _, test := range []struct{ here, trimmed, want uint64 }{
		{2, 0, 0}, {2, 1, 0}, {2, 2, 0}, {2, 3, 3}, {1, 4, 4}, {5, 3, 0}, {5, 5, 0}, {4, 5, 5},
	} {
		n, m := s.open(t), s.open(t)
		b := s.branch(t, n, m)
		o, branch := b.f.Origin, b.f.Branch()
		m.mustApply(b.entries[:test.here]...)
		n.mustApply(b.entries...)
		rows := n.Rows(b.table)
		if err := n.Trim(ctx, crdt.Vector{o: 1 + test.trimmed}); err != nil {
			t.Fatal(err)
		}
		if moved, err := m.Refile(ctx, b.f, true); !moved || err != nil {
			t.Fatalf("moved %v, %v", moved, err)
		}
		part, err := m.Entries(ctx, branch, 1, 1<<20)
		if err != nil || uint64(len(part)) != test.here {
			t.Fatalf("%d entries, %v", len(part), err)
		}
		n.mustApply(part...)
		if moved, err := n.Refile(ctx, b.f, true); !moved || err != nil {
			t.Fatalf("%+v: moved %v, %v", test, moved, err)
		}
		if v, g := n.Vector(), n.Trimmed(); v[o] != 1 || v[branch] != 5 || g[branch] != test.want {
			t.Errorf("%+v: the vector is %v, trimmed %v", test, v, g)
		}
		if low, first, h, err := n.Chain(ctx, branch, 1, 9); err != nil || low != 1 || first != 1 || !slices.Equal(h, b.hashes()) {
			t.Errorf("%+v: the branch's chain is %d %d %x, want %x, %v", test, low, first, h, b.hashes(), err)
		}
		es, err := n.Entries(ctx, branch, test.want+1, 1<<20)
		if err != nil || uint64(len(es)) != 5-test.want {
			t.Errorf("%+v: %d entries are left, %v", test, len(es), err)
		}
		n.Want(b.table, rows...)
	}
	// Is it here, but not the same, it forked itself: nothing is moved.
	n, m := s.open(t), s.open(t)
	b := s.branch(t, n, m)
	p := pairGroups{Table(n.Schema(), b.table)}
	third := Fake{b.f.Origin, 2, b.entries[0].Hash}
	m.mustApply(b.entries[0], third.Entry(n.at(30), p.insert(30, "forked")))
	n.mustApply(b.entries...)
	if moved, err := m.Refile(ctx, b.f, true); !moved || err != nil {
		t.Fatalf("moved %v, %v", moved, err)
	}
	part, err := m.Entries(ctx, b.f.Branch(), 1, 1<<20)
	if err != nil || len(part) != 2 {
		t.Fatalf("%d entries, %v", len(part), err)
	}
	n.mustApply(part...)
	if moved, err := n.Refile(ctx, b.f, true); moved || err != nil {
		t.Errorf("what does not follow is moved %v, %v", moved, err)
	}
	if v := n.Vector(); v[b.f.Origin] != 6 || v[b.f.Branch()] != 2 {
		t.Errorf("the vector is %v", v)
	}
}

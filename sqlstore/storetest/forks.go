package storetest

import (
	"context"
	"errors"
	"testing"

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

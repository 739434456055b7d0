package crdt_test

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"layercake/crdt"

	"pgregory.net/rapid"
)

// mutation is one change of one row, as an entry would carry it.
type mutation struct {
	op     crdt.Op
	stamp  crdt.Stamp
	seen   crdt.Stamp
	values map[crdt.ID][]byte
}

func (m mutation) apply(r *crdt.RowState) bool {
	switch m.op {
	case crdt.Insert:
		return r.ApplyInsert(m.stamp, m.values)
	case crdt.Update:
		return r.ApplyUpdate(m.stamp, m.seen, m.values)
	}
	return r.ApplyDelete(m.stamp)
}

// history draws mutations of one row by three nodes. An UPDATE names an INSERT of the history with a lesser stamp, and
// stands after it.
func history(t *rapid.T) []mutation {
	n := rapid.IntRange(1, 12).Draw(t, "mutations")
	var out []mutation
	var inserts []crdt.Stamp
	for i := range n {
		m := mutation{stamp: crdt.Stamp{
			HLC:    crdt.HLC(rapid.IntRange(1, 15).Draw(t, "clock")),
			Origin: crdt.Origin{Node: crdt.NodeID(rapid.IntRange(1, 3).Draw(t, "node")), Epoch: crdt.Epoch{First: crdt.HLC(i + 1)}},
		}}
		m.op = rapid.SampledFrom([]crdt.Op{crdt.Insert, crdt.Update, crdt.Update, crdt.Delete}).Draw(t, "op")
		var older []crdt.Stamp
		for _, s := range inserts {
			if s.Compare(m.stamp) < 0 {
				older = append(older, s)
			}
		}
		if m.op == crdt.Update && len(older) == 0 {
			m.op = crdt.Insert
		}
		value := func() []byte { return []byte{3, byte(rapid.IntRange(0, 3).Draw(t, "value")), 0, 0, 0} }
		switch m.op {
		case crdt.Insert:
			m.values = map[crdt.ID][]byte{{HLC: 1}: value(), {HLC: 2}: value()}
			inserts = append(inserts, m.stamp)
		case crdt.Update:
			m.seen = rapid.SampledFrom(older).Draw(t, "seen")
			m.values = map[crdt.ID][]byte{{HLC: uint64(rapid.IntRange(1, 3).Draw(t, "column"))}: value()}
		}
		out = append(out, m)
	}
	return out
}

// causal draws an order in which every UPDATE stands after the INSERT that it names.
func causal(t *rapid.T, h []mutation) []mutation {
	left := slices.Clone(h)
	var out []mutation
	done := make(map[crdt.Stamp]bool)
	for len(left) > 0 {
		var ready []int
		for i, m := range left {
			if m.op != crdt.Update || done[m.seen] {
				ready = append(ready, i)
			}
		}
		i := rapid.SampledFrom(ready).Draw(t, "next")
		if left[i].op == crdt.Insert {
			done[left[i].stamp] = true
		}
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out
}

func fold(ms []mutation) *crdt.RowState {
	r := new(crdt.RowState)
	for _, m := range ms {
		m.apply(r)
	}
	return r
}

func clone(r *crdt.RowState) *crdt.RowState {
	c := *r
	c.Cells = maps.Clone(r.Cells)
	return &c
}

func same(a, b *crdt.RowState) bool {
	return a.Insert == b.Insert && a.Delete == b.Delete && len(a.Cells) == len(b.Cells) &&
		(len(a.Cells) == 0 || reflect.DeepEqual(a.Cells, b.Cells)) && a.Digest(nil) == b.Digest(nil)
}

func TestAnyOrderGivesTheSameRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history(t)
		a, b := fold(causal(t, h)), fold(causal(t, h))
		if !same(a, b) {
			t.Fatalf("%+v\n%+v", a, b)
		}
		for _, m := range h {
			if m.apply(a) {
				t.Fatalf("%+v a second time changed the row to %+v", m, a)
			}
		}
	})
}

// states draws two or more states that replicas with parts of one history may have.
func states(t *rapid.T, n int) (out []*crdt.RowState) {
	h := history(t)
	for range n {
		order := causal(t, h)
		out = append(out, fold(order[:rapid.IntRange(0, len(order)).Draw(t, "known")]))
	}
	return out
}

func TestMergeIsASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := states(t, 3)
		merged := func(a *crdt.RowState, more ...*crdt.RowState) *crdt.RowState {
			a = clone(a)
			for _, b := range more {
				a.Merge(b)
			}
			return a
		}
		if a, b := merged(s[0], s[1]), merged(s[1], s[0]); !same(a, b) {
			t.Fatalf("not commutative: %+v, %+v", a, b)
		}
		if a, b := merged(merged(s[0], s[1]), s[2]), merged(s[0], merged(s[1], s[2])); !same(a, b) {
			t.Fatalf("not associative: %+v, %+v", a, b)
		}
		if a := merged(s[0], s[0]); !same(a, s[0]) {
			t.Fatalf("not idempotent: %+v", a)
		}
	})
}

func TestMergeAgreesWithMutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := history(t)
		order := causal(t, h)
		whole := fold(order)
		cut := rapid.IntRange(0, len(order)).Draw(t, "cut")
		other := fold(causal(t, h))
		part := fold(order[:cut])
		if part.Merge(other); !same(part, whole) {
			t.Fatalf("%+v\n%+v", part, whole)
		}
	})
}

func stamp(h int, node int) crdt.Stamp {
	return crdt.Stamp{HLC: crdt.HLC(h), Origin: crdt.Origin{Node: crdt.NodeID(node)}}
}

func values(v string) map[crdt.ID][]byte { return map[crdt.ID][]byte{{HLC: 1}: []byte(v)} }

// TestRuleM1 is the schedule that breaks when an UPDATE need not name its INSERT: n1, whose clock is ahead, updates; n2
// deletes; n3 inserts again with a lesser stamp than the UPDATE's.
func TestRuleM1(t *testing.T) {
	var r crdt.RowState
	r.ApplyInsert(stamp(1, 1), values("1"))
	r.ApplyDelete(stamp(5, 2))
	r.ApplyInsert(stamp(6, 3), values("7"))
	if r.ApplyUpdate(stamp(9, 1), stamp(1, 1), values("5")) {
		t.Error("an update of the deleted row changed the new one")
	}
	if got := r.Cells[crdt.ID{HLC: 1}].Value; !bytes.Equal(got, []byte("7")) {
		t.Errorf("the row shows %s", got)
	}
}

// TestRuleM1OfTwoInserts: the greater of two concurrent INSERTs brings all its cells, also where an UPDATE of the lesser one
// has a greater stamp than either.
func TestRuleM1OfTwoInserts(t *testing.T) {
	lesser := mutation{op: crdt.Insert, stamp: stamp(2, 1), values: values("lesser")}
	update := mutation{op: crdt.Update, stamp: stamp(9, 1), seen: stamp(2, 1), values: values("updated")}
	greater := mutation{op: crdt.Insert, stamp: stamp(3, 2), values: values("greater")}
	for _, h := range [][]mutation{{greater, lesser, update}, {lesser, greater, update}, {lesser, update, greater}} {
		r := fold(h)
		if got := r.Cells[crdt.ID{HLC: 1}].Value; string(got) != "greater" || r.Insert != greater.stamp {
			t.Errorf("%+v: the row shows %s", h, got)
		}
	}
}

// TestRuleM2: equal clocks are decided by node, then by epoch, as when a clock stands and the process was restarted within
// its millisecond; equal stamps are decided by value. In any order.
func TestRuleM2(t *testing.T) {
	later := stamp(3, 2)
	later.Origin.Epoch = crdt.Epoch{First: 3}
	random := later
	random.Origin.Epoch.Random = 7
	for name, c := range map[string]struct{ less, greater crdt.Stamp }{
		"by clock":           {stamp(3, 2), stamp(4, 1)},
		"by node":            {stamp(3, 2), stamp(3, 3)},
		"by epoch":           {stamp(3, 2), later},
		"by its random part": {later, random},
		"by value":           {stamp(3, 2), stamp(3, 2)},
	} {
		want := "a"
		if c.less == c.greater {
			want = "b"
		}
		for _, order := range [][2]int{{0, 1}, {1, 0}} {
			var r crdt.RowState
			r.ApplyInsert(stamp(1, 1), values("0"))
			updates := []mutation{
				{op: crdt.Update, stamp: c.less, seen: stamp(1, 1), values: values("b")},
				{op: crdt.Update, stamp: c.greater, seen: stamp(1, 1), values: values("a")},
			}
			updates[order[0]].apply(&r)
			updates[order[1]].apply(&r)
			if got := r.Cells[crdt.ID{HLC: 1}].Value; string(got) != want {
				t.Errorf("%s, order %v: the row shows %s", name, order, got)
			}
		}
	}
}

// TestRuleM3: a cell that is set to what it was takes the new stamp, and beats an older change that arrives later.
func TestRuleM3(t *testing.T) {
	var r crdt.RowState
	r.ApplyInsert(stamp(1, 1), values("x"))
	if !r.ApplyUpdate(stamp(5, 2), stamp(1, 1), values("x")) {
		t.Error("an equal value was not written")
	}
	r.ApplyUpdate(stamp(3, 3), stamp(1, 1), values("y"))
	if got := r.Cells[crdt.ID{HLC: 1}].Value; string(got) != "x" {
		t.Errorf("the row shows %s", got)
	}
}

func TestTruncateAndInsertOfOneTransaction(t *testing.T) {
	var a, b crdt.RowState
	a.ApplyDelete(stamp(2, 1))
	a.ApplyInsert(stamp(2, 1), values("x"))
	b.ApplyInsert(stamp(2, 1), values("x"))
	b.ApplyDelete(stamp(2, 1))
	if !a.Live() || !same(&a, &b) {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestDigestLeavesDefaultsOut(t *testing.T) {
	missing := func(id crdt.ID) []byte { return []byte("d") }
	old := crdt.RowState{Insert: stamp(1, 1), Cells: map[crdt.ID]crdt.Cell{{HLC: 1}: {stamp(1, 1), []byte("v")}}}
	added := clone(&old)
	added.Cells[crdt.ID{HLC: 2}] = crdt.Cell{Stamp: stamp(1, 1), Value: []byte("d")}
	if old.Digest(missing) != added.Digest(missing) {
		t.Error("ADD COLUMN changes the digest")
	}
	added.Cells[crdt.ID{HLC: 2}] = crdt.Cell{Stamp: stamp(2, 1), Value: []byte("d")}
	if old.Digest(missing) == added.Digest(missing) {
		t.Error("a default that was set leaves the digest as it was")
	}
	var d crdt.Digest
	d.Add(old.Digest(nil))
	d.Add(added.Digest(nil))
	d.Sub(old.Digest(nil))
	if d != added.Digest(nil) {
		t.Error("what was added and taken away is still there")
	}
}

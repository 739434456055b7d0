package server

import (
	"slices"
	"testing"

	"layercake/crdt"
	"layercake/sqlstore"
)

func stampAt(n uint64) crdt.Stamp {
	return crdt.Stamp{HLC: crdt.HLC(n), Origin: crdt.Origin{Node: 1, Epoch: crdt.Epoch{First: 1}}}
}

// liveRow is a row of two cells, the second set by an UPDATE if at is not 0.
func liveRow(insert uint64, a, b string, at uint64) heldRow {
	r := sqlstore.RowCopy{Key: []byte("k"), Insert: stampAt(insert), Hash: crdt.Digest{Hi: insert, Lo: at}}
	for i, v := range []string{a, b} {
		r.Hash.Lo = r.Hash.Lo*1000 + uint64(v[0])
		r.Cells = append(r.Cells, sqlstore.CellCopy{Column: crdt.ID{HLC: uint64(i + 1)}, Value: []byte(v)})
	}
	if at != 0 {
		s := stampAt(at)
		r.Cells[1].Own = &s
	}
	return heldRow{rows: []sqlstore.RowCopy{r}}
}

// TestChoose: which of the states that members hold is the right one.
func TestChoose(t *testing.T) {
	gone := heldRow{}
	damaged := heldRow{rows: []sqlstore.RowCopy{{Key: []byte("k"), Damaged: true}}}
	twice := liveRow(5, "a", "b", 0)
	twice.rows = append(twice.rows, twice.rows[0])
	buried := func(at uint64) heldRow { return heldRow{grave: stampAt(at)} }
	cleared := func(at uint64) heldRow { return heldRow{cleared: stampAt(at)} }
	both := liveRow(5, "x", "y", 9)
	first := stampAt(8)
	both.rows[0].Cells[0].Own = &first
	left := liveRow(5, "x", "b", 0)
	left.rows[0].Cells[0].Own = &first
	left.rows[0].Hash.Lo++
	for _, test := range []struct {
		name   string
		states []heldRow
		logged []int // members whose log vouches for all that they hold
		want   heldRow

		refuted []int
	}{
		{name: "flipped at most", states: []heldRow{liveRow(5, "a", "z", 0), liveRow(5, "a", "b", 0), liveRow(5, "a", "z", 0)}, refuted: []int{0, 2}, want: liveRow(5, "a", "b", 0)},
		{name: "added at one of two", states: []heldRow{gone, liveRow(5, "a", "b", 0)}, refuted: []int{1}, want: gone},
		{name: "refuted everywhere", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(5, "a", "z", 0), liveRow(5, "a", "b", 0)}, refuted: []int{0, 1, 2}, want: liveRow(5, "a", "b", 0)},
		{name: "flipped", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(5, "a", "z", 0), liveRow(5, "a", "b", 0)}, want: liveRow(5, "a", "b", 0)},
		{name: "removed", states: []heldRow{gone, liveRow(5, "a", "b", 0), liveRow(5, "a", "b", 0)}, want: liveRow(5, "a", "b", 0)},
		{name: "added", states: []heldRow{gone, liveRow(5, "a", "b", 0), gone}, want: gone},
		{name: "applied by one alone", states: []heldRow{gone, liveRow(5, "a", "b", 0), gone}, logged: []int{1}, want: liveRow(5, "a", "b", 0)},
		{name: "deleted", states: []heldRow{buried(7), liveRow(5, "a", "b", 0), buried(7)}, logged: []int{1}, want: buried(7)},
		{name: "truncated", states: []heldRow{cleared(7), liveRow(5, "a", "b", 0), cleared(7)}, logged: []int{1}, want: cleared(7)},
		{name: "deleted as one alone knows", states: []heldRow{liveRow(5, "a", "b", 0), buried(7), liveRow(5, "a", "b", 0)}, logged: []int{1}, want: buried(7)},
		{name: "a tombstone made up", states: []heldRow{liveRow(5, "a", "b", 0), buried(7), liveRow(5, "a", "b", 0)}, want: liveRow(5, "a", "b", 0)},
		{name: "an update that one alone has", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(5, "a", "c", 9), liveRow(5, "a", "b", 0)}, logged: []int{1}, want: liveRow(5, "a", "c", 9)},
		{name: "an update made up", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(5, "a", "c", 9), liveRow(5, "a", "b", 0)}, want: liveRow(5, "a", "b", 0)},
		{name: "an update that most have", states: []heldRow{liveRow(5, "a", "c", 9), liveRow(5, "a", "b", 0), liveRow(5, "a", "c", 9)}, logged: []int{1}, want: liveRow(5, "a", "c", 9)},
		{name: "two updates, each at one", states: []heldRow{liveRow(5, "a", "y", 9), left, liveRow(5, "a", "b", 0)}, logged: []int{0, 1, 2}, want: both},
		{name: "a later INSERT at one", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(6, "c", "d", 0), liveRow(5, "a", "b", 0)}, logged: []int{1}, want: liveRow(6, "c", "d", 0)},
		{name: "two members, flipped", states: []heldRow{liveRow(5, "a", "z", 0), liveRow(5, "a", "b", 0)}, logged: []int{1}, want: liveRow(5, "a", "b", 0)},
		{name: "two members, trimmed", states: []heldRow{liveRow(5, "a", "b", 0), liveRow(6, "a", "z", 0)}, want: liveRow(6, "a", "z", 0)},
		{name: "two members, removed", states: []heldRow{gone, liveRow(5, "a", "b", 0)}, want: liveRow(5, "a", "b", 0)},
		{name: "damaged", states: []heldRow{damaged, liveRow(5, "a", "b", 0), damaged}, want: liveRow(5, "a", "b", 0)},
		{name: "there twice", states: []heldRow{twice, liveRow(5, "a", "b", 0), twice}, want: liveRow(5, "a", "b", 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			vouch := func(i int) (sqlstore.Logged, error) {
				ok := slices.Contains(test.logged, i)
				l := sqlstore.Logged{Insert: ok, Deleted: ok, Refuted: slices.Contains(test.refuted, i)}
				if r := test.states[i].row(); r != nil {
					l.Cells = slices.Repeat([]bool{ok}, len(r.Cells))
				}
				return l, nil
			}
			for range test.states { // whoever is asked first
				got, err := choose(test.states, vouch)
				if err != nil {
					t.Fatal(err)
				}
				r, want := got.row(), test.want.row()
				if (r == nil) != (want == nil) || r != nil && (r.Insert != want.Insert || !sameCells(r, want)) || r == nil && got.end() != test.want.end() {
					t.Errorf("it chose a row %v since %v, want %v since %v", r != nil, got.since().HLC, want != nil, test.want.since().HLC)
				}
				test.states = append(test.states[1:], test.states[0])
				for _, which := range [][]int{test.logged, test.refuted} {
					for i := range which {
						which[i] = (which[i] + len(test.states) - 1) % len(test.states)
					}
				}
			}
		})
	}
	if _, err := choose([]heldRow{damaged, twice}, nil); err == nil {
		t.Error("a state was chosen where nobody has one")
	}
}

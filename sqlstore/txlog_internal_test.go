package sqlstore

import "testing"

// TestFindUpdated: rows that a transaction updated are found, and those forgotten are not, be they few or many.
func TestFindUpdated(t *testing.T) {
	for _, n := range []int64{0, 1, fewUpdates, fewUpdates + 1, 100} {
		var l txLog
		for id := range n {
			l.addUpdated(updRow{rowid: id})
			if id%3 == 1 {
				l.forget(id - 1)
			}
		}
		forgotten := func(id int64) bool { return id%3 == 0 && id+1 < n }
		for id := range n + 1 {
			u := l.findUpdated(id)
			if want := id < n && !forgotten(id); (u != nil) != want || want && u.rowid != id {
				t.Errorf("row %d of %d: %+v", id, n, u)
			}
		}
		if n > 1 {
			l.addUpdated(updRow{rowid: 0})
			if u := l.findUpdated(0); u == nil || u.gone {
				t.Errorf("of %d rows, the first is not found again: %+v", n, u)
			}
		}
	}
}

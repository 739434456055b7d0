package crdt

import "maps"

// Vector is a version vector: for each origin the highest sequence number applied without a gap, from 1. An absent
// origin counts as 0.
type Vector map[Origin]uint64

// Covers says whether v has everything that w has.
func (v Vector) Covers(w Vector) bool {
	for o, n := range w {
		if v[o] < n {
			return false
		}
	}
	return true
}

// Merge raises v to the maximum of v and w, in place.
func (v Vector) Merge(w Vector) {
	for o, n := range w {
		if v[o] < n {
			v[o] = n
		}
	}
}

// Without returns v but for the origins of which w names the same last entry.
func (v Vector) Without(w Vector) Vector {
	out := make(Vector, len(v))
	for o, n := range v {
		if w[o] != n {
			out[o] = n
		}
	}
	return out
}

// Clone returns a copy.
func (v Vector) Clone() Vector { return maps.Clone(v) }

// Equal says whether v and w name the same entries.
func (v Vector) Equal(w Vector) bool { return v.Covers(w) && w.Covers(v) }

package server

import (
	"slices"
	"testing"
)

// TestSmallSet: a set is the same below and above the number of elements that it keeps in a list.
func TestSmallSet(t *testing.T) {
	for _, n := range []int{0, 1, fewElements, fewElements + 1, 100} {
		var s smallSet[int]
		for range 2 {
			for i := range n {
				s.add(i)
			}
		}
		got := slices.Sorted(s.each())
		if s.len() != n || len(got) != n || s.has(n) || s.has(-1) {
			t.Errorf("of %d elements: %d, %v", n, s.len(), got)
		}
		for i := range n {
			if !s.has(i) || got[i] != i {
				t.Errorf("of %d elements, number %d is missing: %v", n, i, got)
			}
		}
	}
}

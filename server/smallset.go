package server

import (
	"iter"
	"maps"
	"slices"
)

// smallSet is a set that makes no map while it has few elements, as most statements and transactions do. Its zero value is empty.
type smallSet[K comparable] struct {
	few []K
	all map[K]struct{} // once there are more
}

// fewElements is how many a smallSet keeps in a list.
const fewElements = 8

func (s *smallSet[K]) has(k K) bool {
	if s.all != nil {
		_, ok := s.all[k]
		return ok
	}
	return slices.Contains(s.few, k)
}

func (s *smallSet[K]) add(k K) {
	switch {
	case s.has(k):
	case s.all != nil:
		s.all[k] = struct{}{}
	case len(s.few) < fewElements:
		s.few = append(s.few, k)
	default:
		s.all = map[K]struct{}{k: {}}
		for _, had := range s.few {
			s.all[had] = struct{}{}
		}
		s.few = nil
	}
}

func (s *smallSet[K]) len() int { return len(s.few) + len(s.all) }

// each goes through the elements, in no particular order.
func (s *smallSet[K]) each() iter.Seq[K] {
	if s.all != nil {
		return maps.Keys(s.all)
	}
	return slices.Values(s.few)
}

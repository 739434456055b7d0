package memstore

import (
	"context"
	"fmt"
	"slices"

	"layercake/crdt"
)

func (s *Store) last(o crdt.Origin) uint64 {
	if l := s.logs[o]; l != nil {
		return l.last()
	}
	return 0
}

// Rewind returns what the machine holds when it is rolled back while it runs, to now: all that is synced, under the
// epoch of this life.
func (s *Store) Rewind() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rewound()
}

func (s *Store) rewound() *Store {
	t := s.durable()
	t.local = map[string][]byte{}
	for k, v := range s.local {
		t.local[k] = v
	}
	if o := (crdt.Origin{Node: s.cfg.Self, Epoch: s.epoch}); t.logs[o] != nil {
		t.epoch, t.deps = s.epoch, crdt.Vector{}
	}
	return t
}

// Own is the origin that this life writes under, zero if it has not written.
func (s *Store) Own() crdt.Origin {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == (crdt.Epoch{}) {
		return crdt.Origin{}
	}
	return crdt.Origin{Node: s.cfg.Self, Epoch: s.epoch}
}

// Chain gives the short hashes of o's entries from from to to, as far as they are known here: first is the first of them, 0
// if there are none, and low as far back as any is known.
func (s *Store) Chain(_ context.Context, o crdt.Origin, from, to uint64) (low, first uint64, hashes []uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.logs[o]
	if l == nil {
		return 0, 0, nil, nil
	}
	from = max(from, l.low())
	for seq := from; seq <= min(to, s.synced[o]); seq++ {
		h, _ := l.short(seq)
		hashes = append(hashes, h)
	}
	if len(hashes) == 0 {
		return l.low(), 0, nil, nil
	}
	return l.low(), from, hashes, nil
}

// Forks returns all forks that are known.
func (s *Store) Forks() (crdt.Forks, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.forks, nil
}

// Refile notes a fork, and with move, if the branch that it names is here, moves it. All is synced.
func (s *Store) Refile(_ context.Context, f crdt.Fork, move bool) (moved bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return false, ErrCrashed
	}
	s.sync()
	if !s.forks.Has(f) {
		s.forks = s.forks.With(f)
	}
	s.deps = crdt.Vector{} // what had the old name has to be said anew
	if f.Origin.Node == s.cfg.Self && f.Origin.Epoch == s.epoch {
		s.epoch = crdt.Epoch{}
	}
	l := s.logs[f.Origin]
	if !move || l == nil {
		return false, nil
	}
	if h, _ := l.short(f.After + 1); h != f.Hash {
		return false, nil
	}
	b := s.log(f.Branch())
	if at := min(b.last(), l.last()-f.After); at > 0 {
		mine, known := b.short(at)
		if h, there := l.short(f.After + at); known && there && h != mine {
			return false, nil // the branch is here already, and forked itself
		}
	}
	// What was trimmed cannot be written anew: the branch begins after it.
	if base := max(l.base, f.After) - f.After; base > b.last() {
		*b = log{base: base, hash: l.hash, old: slices.Clone(l.old[f.After+1-l.low():])}
	}
	for seq := f.After + b.last() + 1; seq <= l.last(); seq++ {
		e, err := f.Refile(l.entries[seq-l.base-1])
		if err != nil {
			return false, fmt.Errorf("memstore: %w", err)
		}
		b.entries = append(b.entries, e)
	}
	if l.base > f.After {
		*l = log{base: f.After, old: l.old[:f.After+1-l.low()]}
	} else {
		l.entries = l.entries[: f.After-l.base : f.After-l.base]
	}
	if l.last() == 0 {
		delete(s.logs, f.Origin)
		delete(s.synced, f.Origin)
	}
	s.sync()
	return true, nil
}

// Renew makes the next entry that is written the first of a new epoch, later than after.
func (s *Store) Renew(_ context.Context, after crdt.HLC) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = crdt.Epoch{}
	s.clock.Resume(after)
	s.greatest = max(s.greatest, after)
	return nil
}

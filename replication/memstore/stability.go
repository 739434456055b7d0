package memstore

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"layercake/crdt"
)

// Markers returns the last synced marker of each node.
func (s *Store) Markers() (map[crdt.NodeID]crdt.Marked, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.marked), nil
}

// Retired returns the epochs that synced markers have retired, and their last entries.
func (s *Store) Retired() crdt.Vector {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.left.Clone()
}

// Trimmed says how much of each log is gone.
func (s *Store) Trimmed() crdt.Vector {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := crdt.Vector{}
	for o, l := range s.logs {
		if l.base > 0 {
			v[o] = l.base
		}
	}
	return v
}

// LogLen counts the entries that are there.
func (s *Store) LogLen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, l := range s.logs {
		n += len(l.entries)
	}
	return n
}

// LogSpan tells the size of the entries that are there, and the clock of the oldest.
func (s *Store) LogSpan(context.Context) (size int64, oldest crdt.HLC, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.logs {
		for i := range l.entries {
			size += int64(len(l.entries[i].Bytes))
			if h := l.entries[i].HLC; oldest == 0 || h < oldest {
				oldest = h
			}
		}
	}
	return size, oldest, nil
}

// Trim forgets synced entries up to v.
func (s *Store) Trim(_ context.Context, v crdt.Vector) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o, seq := range v {
		l := s.logs[o]
		if l == nil {
			continue
		}
		if seq = min(seq, s.synced[o]); seq > l.base {
			old := slices.Clone(l.old)
			for k := l.base + 1; k <= seq; k++ {
				old = append(old, crdt.Short(l.hashOf(k)))
			}
			l.old = old[max(0, len(old)-maxOld):]
			l.hash = l.hashOf(seq)
			l.entries = slices.Clone(l.entries[seq-l.base:])
			l.base = seq
		}
	}
	return nil
}

// maxOld is how many hashes of trimmed entries are kept.
const maxOld = 4096

// Purge forgets the tombstones of entries up to v whose clock is below before; young says whether some were not.
func (s *Store) Purge(_ context.Context, v crdt.Vector, before crdt.HLC) (purged int64, young bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, c := range s.rows {
		if !c.Deleted || !s.covered(c, v) || s.undoOf(key) {
			continue
		}
		if c.Stamp.HLC >= before {
			young = true
			continue
		}
		delete(s.rows, key)
		purged++
	}
	return purged, young, nil
}

// covered says whether v covers the entry that wrote c, in whatever branch it is.
func (s *Store) covered(c Cell, v crdt.Vector) bool {
	return s.forks.MetAll(c.Stamp.Origin, c.Seq, func(o crdt.Origin) uint64 { return v[o] }, s.last)
}

// undoOf says whether a key has changed since the last sync: its tombstone is not durable.
func (s *Store) undoOf(key string) bool { _, ok := s.undo[key]; return ok }

// image is what a snapshot holds.
type image struct {
	Logs     map[crdt.Origin]imageLog
	Rows     map[string]Cell
	Markers  map[crdt.NodeID]crdt.Marked
	Retired  crdt.Vector
	Forks    crdt.Forks
	Greatest crdt.HLC
}

type imageLog struct {
	Base    uint64
	Hash    [32]byte
	Old     []uint64
	Entries [][]byte
}

// Copy returns a copy of all that is synced.
func (s *Store) Copy(context.Context) (io.ReadCloser, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, 0, ErrCrashed
	}
	d := s.durable()
	im := image{Logs: map[crdt.Origin]imageLog{}, Rows: d.rows, Markers: d.marked, Retired: d.left, Forks: d.forks, Greatest: d.greatest}
	for o, l := range d.logs {
		il := imageLog{Base: l.base, Hash: l.hash, Old: l.old}
		for i := range l.entries {
			il.Entries = append(il.Entries, l.entries[i].Bytes)
		}
		im.Logs[o] = il
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(im); err != nil {
		return nil, 0, err
	}
	return io.NopCloser(&b), int64(b.Len()), nil
}

// ErrUncovered is what Install answers to a snapshot that lacks what this store has trimmed.
var ErrUncovered = errors.New("memstore: the snapshot lacks what was trimmed here")

// ErrUnmended is what Install answers to a snapshot of a donor whose log is another branch of a fork.
var ErrUnmended = errors.New("memstore: a fork is not mended yet")

// Install replaces the state by a snapshot, and applies again what the log here has beyond it (rule N1).
func (s *Store) Install(_ context.Context, r io.Reader) error {
	var im image
	if err := gob.NewDecoder(r).Decode(&im); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return ErrCrashed
	}
	if s.fail != nil {
		return s.fail
	}
	if ahead := im.Greatest.Time().Sub(s.cfg.Now()); ahead > s.offset() { // rule N2
		return fmt.Errorf("%w: a snapshot, by %v", crdt.ErrAhead, ahead)
	}
	logs := map[crdt.Origin]*log{}
	for o, il := range im.Logs {
		l := &log{base: il.Base, hash: il.Hash, old: il.Old}
		for _, b := range il.Entries {
			e, err := crdt.DecodeHead(b)
			if err != nil {
				return err
			}
			l.entries = append(l.entries, e)
		}
		logs[o] = l
	}
	for o, l := range s.logs {
		if l.base > 0 && (logs[o] == nil || logs[o].last() < l.base) {
			return ErrUncovered
		}
	}
	if !im.Forks.Equal(s.forks) {
		return ErrUnmended
	}
	for o, l := range s.logs { // what is beyond the snapshot must follow it, and what is not must be in it
		other := logs[o]
		if other == nil {
			continue
		}
		at := min(l.last(), other.last())
		h, known := l.short(at)
		if g, there := other.short(at); known && there && g != h {
			return ErrUnmended
		}
	}
	own, rows := s.logs, s.rows
	s.logs, s.rows, s.markers = logs, im.Rows, im.Markers
	s.retired, s.left = crdt.Vector{}, crdt.Vector{}
	s.retired.Merge(im.Retired)
	clear(s.undo)
	if s.cfg.KeepRows {
		maps.Copy(rows, im.Rows)
		s.rows = rows
	}
	s.greatest = max(s.greatest, im.Greatest)
	s.clock.Resume(s.greatest)
	if s.rows == nil {
		s.rows = map[string]Cell{}
	}
	if s.markers == nil {
		s.markers = map[crdt.NodeID]crdt.Marked{}
	}
	for progress := true; progress; {
		progress = false
		for o, l := range own {
			for next := s.log(o).last() + 1; next <= l.last(); next++ {
				e := &l.entries[next-l.base-1]
				if slices.ContainsFunc(slices.Collect(maps.Keys(e.Deps)), func(d crdt.Origin) bool {
					return !s.forks.MetAll(d, e.Deps[d], s.last, func(b crdt.Origin) uint64 {
						if l := own[b]; l != nil {
							return l.last()
						}
						return 0
					})
				}) || s.mergeOne(e) != nil {
					break // it waits for another origin's
				}
				progress = true
			}
		}
	}
	for o, l := range own {
		if s.log(o).last() < l.last() {
			return fmt.Errorf("memstore: entry %d of %v cannot be applied after a snapshot", s.log(o).last()+1, o)
		}
	}
	s.sync()
	return nil
}

func (s *Store) offset() time.Duration {
	if s.cfg.MaxClockOffset > 0 {
		return s.cfg.MaxClockOffset
	}
	return crdt.DefaultMaxOffset
}

// WithoutN1 returns the store with Config.KeepRows set.
func (s *Store) WithoutN1() *Store {
	t := s.Backup()
	t.cfg.KeepRows = true
	return t
}

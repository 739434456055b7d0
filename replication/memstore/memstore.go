// Package memstore is a log in memory that satisfies replication.Store: for tests and the simulator. It holds one
// table of keys and values, of which the greatest stamp wins. It knows what has been synced: Crash loses the rest, as a
// machine that loses its power does. It starts no goroutine.
package memstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"layercake/crdt"
)

// Config makes a Store.
type Config struct {
	Self           crdt.NodeID
	Now            func() time.Time // time.Now when nil
	Rand           *rand.Rand       // seeded from Self when nil
	MaxClockOffset time.Duration
}

// Store is the log. Its methods are safe for concurrent use.
type Store struct {
	cfg Config

	mu       sync.Mutex // protects following fields
	epoch    crdt.Epoch // of this life, zero before the first commit (rule E2)
	clock    crdt.Clock
	deps     crdt.Vector // full dependencies of this life's last entry
	logs     map[crdt.Origin][]crdt.Entry
	synced   map[crdt.Origin]uint64
	rows     map[string]Cell
	local    map[string][]byte
	changed  chan struct{}
	greatest crdt.HLC // ever seen, synced (rule E4)
	fail     error
	dead     bool
}

// Cell is a value with its stamp.
type Cell struct {
	Value string
	Stamp crdt.Stamp
}

// ErrCrashed is what a store answers after Crash.
var ErrCrashed = errors.New("memstore: crashed")

// New returns an empty store.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.New(rand.NewPCG(uint64(cfg.Self), 1))
	}
	s := &Store{cfg: cfg, logs: map[crdt.Origin][]crdt.Entry{}, synced: map[crdt.Origin]uint64{}, rows: map[string]Cell{},
		local: map[string][]byte{}, changed: make(chan struct{})}
	s.clock.MaxOffset = cfg.MaxClockOffset
	return s
}

// Crash ends this store and returns what a restart finds: all that was synced.
func (s *Store) Crash() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	t := New(s.cfg)
	for o, log := range s.logs {
		if n := s.synced[o]; n > 0 {
			t.logs[o] = log[:n:n]
			t.synced[o] = n
			for i := range log[:n] {
				t.merge(&log[i])
			}
		}
	}
	t.local = maps.Clone(s.local)
	t.greatest = s.greatest
	t.clock.Resume(s.greatest)
	close(s.changed)
	s.changed = make(chan struct{})
	return t
}

// Fail makes every Apply return err until it is nil again.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// Self is the node's id.
func (s *Store) Self() crdt.NodeID { return s.cfg.Self }

// Vector says what is synced.
func (s *Store) Vector() crdt.Vector {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.synced)
}

// Seen says what readers here see, synced or not.
func (s *Store) Seen() crdt.Vector {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen()
}

func (s *Store) seen() crdt.Vector {
	v := crdt.Vector{}
	for o, log := range s.logs {
		v[o] = uint64(len(log))
	}
	return v
}

// Entries returns synced entries of o from from on.
func (s *Store) Entries(_ context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, ErrCrashed
	}
	if from == 0 || from > s.synced[o] {
		return nil, nil
	}
	log := s.logs[o][from-1 : s.synced[o]]
	n, bytes := 0, 0
	for n < len(log) && (n == 0 || bytes+len(log[n].Bytes) <= maxBytes) {
		bytes += len(log[n].Bytes)
		n++
	}
	return log[:n:n], nil
}

// Write commits a value and does not sync it.
func (s *Store) Write(key, value string) (crdt.Origin, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return crdt.Origin{}, 0, ErrCrashed
	}
	h := s.clock.Tick(s.cfg.Now())
	if s.epoch == (crdt.Epoch{}) {
		s.epoch = crdt.Epoch{First: h, Random: s.cfg.Rand.Uint32()}
		s.deps = crdt.Vector{}
	}
	o := crdt.Origin{Node: s.cfg.Self, Epoch: s.epoch}
	e := crdt.Entry{Origin: o, Seq: uint64(len(s.logs[o])) + 1, HLC: h, Deps: crdt.Vector{}}
	for p, n := range s.seen() {
		if p != o && s.deps[p] < n {
			e.Deps[p] = n
			s.deps[p] = n
		}
	}
	if e.Seq > 1 {
		e.Prev = s.logs[o][e.Seq-2].Hash
	}
	body := binary.AppendUvarint(nil, uint64(len(key)))
	body = append(append(body, key...), value...)
	crdt.EncodeEntry(&e, body)
	s.logs[o] = append(s.logs[o], e)
	s.merge(&e)
	return o, e.Seq, nil
}

// Commit is Write and Sync.
func (s *Store) Commit(key, value string) (crdt.Origin, uint64, error) {
	o, seq, err := s.Write(key, value)
	s.Sync()
	return o, seq, err
}

// Inject puts entries into the log and syncs them, whatever their stamps: as if this node's clock had been wrong.
func (s *Store) Inject(entries []crdt.Entry) {
	s.mu.Lock()
	for _, e := range entries {
		s.logs[e.Origin] = append(s.logs[e.Origin], e)
		s.merge(&e)
	}
	s.mu.Unlock()
	s.Sync()
}

// Merge applies entries and does not sync them.
func (s *Store) Merge(entries []crdt.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return ErrCrashed
	}
	if s.fail != nil {
		return s.fail
	}
	for _, e := range entries {
		log := s.logs[e.Origin]
		at := uint64(len(log))
		switch {
		case e.Seq <= at && log[e.Seq-1].Hash != e.Hash:
			return fmt.Errorf("memstore: %v has two entries %d", e.Origin, e.Seq)
		case e.Seq <= at:
			continue
		case e.Seq != at+1:
			return fmt.Errorf("memstore: gap before entry %d of %v", e.Seq, e.Origin)
		case at > 0 && e.Prev != log[at-1].Hash:
			return fmt.Errorf("memstore: entry %d of %v does not follow what is here", e.Seq, e.Origin)
		}
		for o, n := range e.Deps {
			if uint64(len(s.logs[o])) < n {
				return fmt.Errorf("memstore: entry %d of %v depends on entry %d of %v", e.Seq, e.Origin, n, o)
			}
		}
		if err := s.clock.Observe(e.HLC, s.cfg.Now()); err != nil {
			return err
		}
		s.logs[e.Origin] = append(log, e)
		s.merge(&e)
	}
	return nil
}

// Apply is Merge and Sync.
func (s *Store) Apply(_ context.Context, entries []crdt.Entry) error {
	err := s.Merge(entries)
	s.Sync()
	return err
}

// Sync makes durable all that was written and merged.
func (s *Store) Sync() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return
	}
	for o, log := range s.logs {
		s.synced[o] = uint64(len(log))
	}
	s.greatest = max(s.greatest, s.clock.Last())
	close(s.changed)
	s.changed = make(chan struct{})
}

// Changed returns a channel that is closed at the next sync.
func (s *Store) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// GetLocal returns a value of this node.
func (s *Store) GetLocal(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.local[key], nil
}

// PutLocal sets one, synced.
func (s *Store) PutLocal(key string, val []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return ErrCrashed
	}
	s.local[key] = append([]byte{}, val...)
	return nil
}

// Get returns a key's value.
func (s *Store) Get(key string) (Cell, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.rows[key]
	return c, ok
}

// Rows returns all keys and values.
func (s *Store) Rows() map[string]Cell {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.rows)
}

// merge keeps the greater stamp of a key. An entry's bytes end in its body: key length, key, value.
func (s *Store) merge(e *crdt.Entry) {
	key, value := body(e)
	stamp := e.Stamp()
	if c, ok := s.rows[key]; !ok || c.Stamp.Compare(stamp) < 0 {
		s.rows[key] = Cell{value, stamp}
	}
}

// body finds what EncodeEntry was given, at the end of the bytes.
func body(e *crdt.Entry) (key, value string) {
	head := crdt.Entry{Origin: e.Origin, Seq: e.Seq, HLC: e.HLC, Schema: e.Schema, Deps: e.Deps, Prev: e.Prev}
	crdt.EncodeEntry(&head, nil)
	b := e.Bytes[len(head.Bytes):]
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", ""
	}
	return string(b[k : k+int(n)]), string(b[k+int(n):])
}

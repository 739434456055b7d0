// Package memstore is a log in memory that satisfies replication.Store: for tests and the simulator. It holds one
// table of keys and values, of which the greatest stamp wins; a deleted key leaves a tombstone until Purge. It knows what
// has been synced: Crash loses the rest, as a machine that loses its power does. It starts no goroutine.
package memstore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
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
	KeepRows       bool // without N1: a snapshot leaves the rows here that it lacks; for tests only
}

// Store is the log. Its methods are safe for concurrent use.
type Store struct {
	cfg Config

	mu       sync.Mutex // protects following fields
	epoch    crdt.Epoch // of this life, zero before the first commit (rule E2)
	clock    crdt.Clock
	deps     crdt.Vector // full dependencies of this life's last entry
	logs     map[crdt.Origin]*log
	synced   crdt.Vector
	rows     map[string]Cell
	undo     map[string]*Cell            // what keys held when it was synced last, of those that changed since; nil: nothing
	markers  map[crdt.NodeID]crdt.Marked // the last of each node
	marked   map[crdt.NodeID]crdt.Marked // of these, what is synced
	retired  crdt.Vector                 // ended epochs that markers have retired (rule S2)
	left     crdt.Vector                 // of these, what is synced
	forks    crdt.Forks
	local    map[string][]byte
	changed  chan struct{}
	greatest crdt.HLC // ever seen, synced (rule E4)
	fail     error
	dead     bool
}

// log is an origin's entries after those that were trimmed.
type log struct {
	base    uint64   // the last entry that was trimmed
	hash    [32]byte // its hash, zeros if only the short one is known (see Refile)
	old     []uint64 // the short hashes of the last that were trimmed
	entries []crdt.Entry
}

func (l *log) last() uint64 { return l.base + uint64(len(l.entries)) }

// short is the short hash of an entry; there says whether it is known.
func (l *log) short(seq uint64) (h uint64, there bool) {
	switch low := l.low(); {
	case seq < low || seq > l.last():
		return 0, false
	case seq <= l.base:
		return l.old[seq-low], true
	}
	return crdt.Short(l.entries[seq-l.base-1].Hash), true
}

// low is as far back as hashes are known.
func (l *log) low() uint64 { return l.base - uint64(len(l.old)) + 1 }

// same says whether hash may be that of entry seq.
func (l *log) same(seq uint64, hash [32]byte) bool {
	if seq == l.base && l.hash != ([32]byte{}) {
		return l.hash == hash
	}
	h, there := l.short(seq)
	return !there || h == crdt.Short(hash)
}

// hashOf is the hash of an entry that is there, or of the last that was trimmed.
func (l *log) hashOf(seq uint64) [32]byte {
	if seq <= l.base {
		return l.hash
	}
	return l.entries[seq-l.base-1].Hash
}

// Cell is a value with its stamp, or a tombstone.
type Cell struct {
	Value   string
	Stamp   crdt.Stamp
	Seq     uint64 // of the entry
	Deleted bool
}

// After says whether c wins over d: by stamp, equal stamps by value.
func (c Cell) After(d Cell) bool {
	if k := c.Stamp.Compare(d.Stamp); k != 0 {
		return k > 0
	}
	return cmp.Or(cmp.Compare(c.Value, d.Value), cmp.Compare(c.Seq, d.Seq)) > 0
}

// ErrFork reports an entry that is another one than the one here, or does not follow it.
var ErrFork = errors.New("memstore: fork")

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
	s := &Store{cfg: cfg, logs: map[crdt.Origin]*log{}, synced: crdt.Vector{}, rows: map[string]Cell{}, undo: map[string]*Cell{},
		markers: map[crdt.NodeID]crdt.Marked{}, marked: map[crdt.NodeID]crdt.Marked{}, local: map[string][]byte{},
		retired: crdt.Vector{}, left: crdt.Vector{},
		changed: make(chan struct{})}
	s.clock.MaxOffset = cfg.MaxClockOffset
	return s
}

// Crash ends this store and returns what a restart finds: all that was synced.
func (s *Store) Crash() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = true
	t := s.durable()
	t.local = maps.Clone(s.local)
	close(s.changed)
	s.changed = make(chan struct{})
	return t
}

// Backup returns a copy of what is synced: that of the folder.
func (s *Store) Backup() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.durable()
	t.local = maps.Clone(s.local)
	return t
}

// durable makes a store of what is synced.
func (s *Store) durable() *Store {
	t := New(s.cfg)
	for o, l := range s.logs {
		if n := s.synced[o]; n > 0 {
			k := n - l.base
			t.logs[o] = &log{l.base, l.hash, l.old, l.entries[:k:k]}
			t.synced[o] = n
		}
	}
	t.rows = maps.Clone(s.rows)
	for key, old := range s.undo {
		if old == nil {
			delete(t.rows, key)
		} else {
			t.rows[key] = *old
		}
	}
	t.markers, t.marked = maps.Clone(s.marked), maps.Clone(s.marked)
	t.retired, t.left = s.left.Clone(), s.left.Clone()
	t.forks = s.forks
	t.greatest = s.greatest
	t.clock.Resume(s.greatest)
	return t
}

// Fail makes every Apply and every Install return err until it is nil again.
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
	for o, l := range s.logs {
		v[o] = l.last()
	}
	return v
}

// TempFile makes a file without a name.
func (s *Store) TempFile() (*os.File, error) {
	f, err := os.CreateTemp("", "memstore-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// LongEntry is never called: no entry is long.
func (s *Store) LongEntry(context.Context, crdt.Origin, uint64) (*os.File, error) {
	return nil, errors.ErrUnsupported
}

// Entries returns synced entries of o from from on.
func (s *Store) Entries(_ context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return nil, ErrCrashed
	}
	l := s.logs[o]
	if from == 0 || from > s.synced[o] || from <= l.base {
		return nil, nil
	}
	list := l.entries[from-l.base-1 : s.synced[o]-l.base]
	n, bytes := 0, 0
	for n < len(list) && (n == 0 || bytes+len(list[n].Bytes) <= maxBytes) {
		bytes += len(list[n].Bytes)
		n++
	}
	return list[:n:n], nil
}

// Write commits a value and does not sync it.
func (s *Store) Write(key, value string) (crdt.Origin, uint64, error) {
	return s.append(encode(opInsert, key, value), false)
}

// Delete commits a DELETE and does not sync it.
func (s *Store) Delete(key string) (crdt.Origin, uint64, error) {
	return s.append(encode(opDelete, key, ""), false)
}

// WriteMarker commits a marker and does not sync it.
func (s *Store) WriteMarker(m crdt.Marker) (crdt.Origin, uint64, error) {
	return s.append(crdt.AppendMarker(nil, m), true)
}

// Mark is WriteMarker and Sync.
func (s *Store) Mark(_ context.Context, m crdt.Marker) (crdt.Origin, uint64, error) {
	o, seq, err := s.WriteMarker(m)
	s.Sync()
	return o, seq, err
}

func (s *Store) append(body []byte, marker bool) (crdt.Origin, uint64, error) {
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
	l := s.log(o)
	e := crdt.Entry{Origin: o, Seq: l.last() + 1, HLC: h, Deps: crdt.Vector{}, Marker: marker}
	for p, n := range s.seen() {
		if p != o && s.deps[p] < n && s.retired[p] != n {
			e.Deps[p] = n
			s.deps[p] = n
		}
	}
	if e.Seq > 1 {
		e.Prev = l.hashOf(e.Seq - 1)
	}
	crdt.EncodeEntry(&e, body)
	l.entries = append(l.entries, e)
	s.merge(&e)
	return o, e.Seq, nil
}

func (s *Store) log(o crdt.Origin) *log {
	l := s.logs[o]
	if l == nil {
		l = &log{}
		s.logs[o] = l
	}
	return l
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
		l := s.log(e.Origin)
		l.entries = append(l.entries, e)
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
		if err := s.mergeOne(&e); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) mergeOne(e *crdt.Entry) error {
	l := s.log(e.Origin)
	at := l.last()
	switch {
	case e.Seq <= at && !l.same(e.Seq, e.Hash):
		return fmt.Errorf("%w: %v has two entries %d", ErrFork, e.Origin, e.Seq)
	case e.Seq <= at:
		return nil
	case e.Seq != at+1:
		return fmt.Errorf("memstore: gap before entry %d of %v", e.Seq, e.Origin)
	case at > 0 && !l.same(at, e.Prev):
		return fmt.Errorf("%w: entry %d of %v does not follow what is here", ErrFork, e.Seq, e.Origin)
	}
	for _, f := range s.forks {
		if f.Begins(e) {
			return fmt.Errorf("%w: entry %d of %v is kept under another name", ErrFork, e.Seq, e.Origin)
		}
	}
	for o, n := range e.Deps {
		if !s.forks.Met(o, n, s.last) {
			return fmt.Errorf("memstore: entry %d of %v depends on entry %d of %v", e.Seq, e.Origin, n, o)
		}
	}
	if err := s.clock.Observe(e.HLC, s.cfg.Now()); err != nil {
		return err
	}
	l.entries = append(l.entries, *e)
	s.merge(e)
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
	if !s.dead {
		s.sync()
	}
}

func (s *Store) sync() {
	for o, l := range s.logs {
		s.synced[o] = l.last()
	}
	clear(s.undo)
	maps.Copy(s.marked, s.markers)
	s.left.Merge(s.retired)
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
	if c.Deleted {
		return Cell{}, false
	}
	return c, ok
}

// Last returns what is kept of a key, be it a tombstone.
func (s *Store) Last(key string) Cell {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows[key]
}

// Synced returns what a key held when it was synced last.
func (s *Store) Synced(key string) (Cell, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.rows[key]
	if old, changed := s.undo[key]; changed {
		if c, ok = (Cell{}), old != nil; ok {
			c = *old
		}
	}
	if c.Deleted {
		return Cell{}, false
	}
	return c, ok
}

// Rows returns all keys and values.
func (s *Store) Rows() map[string]Cell {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]Cell{}
	for key, c := range s.rows {
		if !c.Deleted {
			out[key] = c
		}
	}
	return out
}

// Tombstones counts the deleted keys that are remembered.
func (s *Store) Tombstones() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.rows {
		if c.Deleted {
			n++
		}
	}
	return n
}

// An entry's bytes end in its body: operation, key length, key, value.
const (
	opInsert = 'i'
	opDelete = 'd'
)

func encode(op byte, key, value string) []byte {
	b := binary.AppendUvarint([]byte{op}, uint64(len(key)))
	return append(append(b, key...), value...)
}

// merge keeps the greater stamp of a key, and the last marker of a node.
func (s *Store) merge(e *crdt.Entry) {
	if e.Marker {
		if m, err := e.MarkerBody(); err == nil {
			s.keepMarker(crdt.Marked{Marker: m, Origin: e.Origin, Seq: e.Seq})
			s.retired.Merge(m.Retired)
		}
		return
	}
	if e.Empty() {
		return
	}
	key, c := Body(e)
	if old, ok := s.rows[key]; !ok || c.After(old) {
		s.touch(key)
		s.rows[key] = c
	}
}

func (s *Store) keepMarker(m crdt.Marked) {
	if old, ok := s.markers[m.Origin.Node]; !ok || m.After(old) {
		s.markers[m.Origin.Node] = m
	}
}

// touch notes what a key held when it was synced.
func (s *Store) touch(key string) {
	if _, noted := s.undo[key]; noted {
		return
	}
	if c, ok := s.rows[key]; ok {
		s.undo[key] = &c
	} else {
		s.undo[key] = nil
	}
}

// Body reads what an entry says of which key.
func Body(e *crdt.Entry) (key string, c Cell) {
	head := crdt.Entry{Origin: e.Origin, Seq: e.Seq, HLC: e.HLC, Schema: e.Schema, Deps: e.Deps, Prev: e.Prev, Marker: e.Marker, Was: e.Was, WasSeq: e.WasSeq}
	crdt.EncodeEntry(&head, nil)
	if c.Stamp, c.Seq = e.Stamp(), e.Seq; e.WasSeq > 0 {
		c.Seq = e.WasSeq
	}
	b := e.Bytes[min(len(head.Bytes), len(e.Bytes)):]
	if len(b) == 0 {
		return "", c
	}
	c.Deleted = b[0] == opDelete
	b = b[1:]
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", c
	}
	c.Value = string(b[k+int(n):])
	return string(b[k : k+int(n)]), c
}

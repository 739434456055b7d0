package core_test

import (
	"context"
	"errors"
	"fmt"
	"io"

	"layercake/crdt"
	"layercake/replication/core"
	"layercake/replication/memstore"
)

// simStore is a node's store as the simulator drives it, and what it knows of the store's own promises. What a statement,
// a marker or others' entries do is there for nobody else, and is lost by Crash, until Sync. There are two: memStore, a map
// of keys, and sqlStore, the real one with tables and DDL.
type simStore interface {
	Vector() crdt.Vector
	Trimmed() crdt.Vector
	Retired() crdt.Vector
	Markers() (map[crdt.NodeID]crdt.Marked, error)
	GetLocal(key string) ([]byte, error)
	PutLocal(key string, val []byte) error
	Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error)
	Purge(ctx context.Context, v crdt.Vector, before crdt.HLC) (purged int64, young bool, err error)
	Trim(ctx context.Context, v crdt.Vector) error
	Copy(ctx context.Context) (io.ReadCloser, int64, error)
	Install(ctx context.Context, image io.Reader) error
	Forks() (crdt.Forks, error)
	Chain(ctx context.Context, o crdt.Origin, from, to uint64) (low, first uint64, hashes []uint64, err error)
	Refile(ctx context.Context, f crdt.Fork, move bool) (moved bool, err error)
	Renew(ctx context.Context, after crdt.HLC) error
	LogLen() int
	Tombstones() int
	Sync()

	Crash() simStore  // what a restart finds; this one is of no use any more
	Backup() simStore // a copy of the folder
	Close()

	statement(op *simOp) *simCommit // one that writes
	mark(m crdt.Marker) *simCommit
	apply(batch []crdt.Entry) error // what the core wants applied; an error that is not tolerable is a fault of the run
	show(key string) string         // what a reader sees of a key

	check()                       // holds what is synced against all that was ever written
	differs(other simStore) error // of two nodes with equal vectors
}

// simCommit is what became of a transaction; known once it is synced.
type simCommit struct {
	origin crdt.Origin
	seq    uint64
	err    error
	none   bool // it changed nothing
}

// memStore is a map of keys, of which each entry writes one.
type memStore struct {
	*memstore.Store
	n *simNode
}

func (st memStore) Crash() simStore { return memStore{st.Store.Crash(), st.n} }

func (st memStore) Backup() simStore { return memStore{st.Store.Backup(), st.n} }

func (st memStore) Close() {}

func (st memStore) statement(op *simOp) *simCommit {
	s, c := st.n.s, &simCommit{}
	key, deletions := fmt.Sprintf("k%d", s.rng.IntN(8)), 30
	if s.only != nil {
		key, deletions = linearKey(s), 5
	}
	if s.chance(deletions) {
		c.origin, c.seq, c.err = st.Delete(key)
	} else {
		op.value = fmt.Sprintf("%s-%d", st.n.member.Name, s.serial)
		c.origin, c.seq, c.err = st.Write(key, op.value)
	}
	op.key = key
	if c.err == nil {
		s.all[entryID{c.origin, c.seq}], s.keys[entryID{c.origin, c.seq}] = st.Last(key), key
	}
	return c
}

func (st memStore) mark(m crdt.Marker) *simCommit {
	o, seq, err := st.WriteMarker(m)
	return &simCommit{origin: o, seq: seq, err: err}
}

func (st memStore) apply(batch []crdt.Entry) error {
	err := st.Merge(batch)
	behind := errors.Is(err, crdt.ErrAhead) && st.n.s.jumps > 0 // its clock: they are tried again
	if err != nil && !behind && !(tolerable(err) && st.n.s.rewinds > 0) {
		st.n.s.violated("%s was made to apply what it cannot: %v", st.n.member.Name, err)
	}
	return err
}

func (st memStore) show(key string) string {
	c, _ := st.Synced(key)
	return c.Value
}

// check holds the rows against all entries that the node has: the greatest stamp of a key wins, and a deleted key stays
// deleted.
func (st memStore) check() {
	s, v := st.n.s, st.Vector()
	if s.rewinds > 0 {
		return // numbers were used twice: see checkHolds
	}
	want := map[string]memstore.Cell{}
	for id, c := range s.all {
		if key := s.keys[id]; v[id.origin] >= id.seq && want[key].Stamp.Compare(c.Stamp) < 0 {
			want[key] = c
		}
	}
	rows := st.Rows()
	for key, c := range want {
		got, there := rows[key]
		switch {
		case c.Deleted && there:
			s.violated("%s shows %s=%q, which was deleted", st.n.member.Name, key, got.Value)
			return
		case !c.Deleted && got.Stamp != c.Stamp:
			s.violated("%s shows %s=%q, want %q", st.n.member.Name, key, got.Value, c.Value)
			return
		}
	}
}

func (st memStore) differs(other simStore) error {
	b := other.(memStore).Rows()
	for k, c := range st.Rows() {
		if b[k] != c {
			return fmt.Errorf("they differ at %s", k)
		}
	}
	return nil
}

// mem is the store of a node of a cluster of memStores.
func (n *simNode) mem() *memstore.Store { return n.store.(memStore).Store }

// window is how much of an origin may be under way, how much is read and applied at once: little, so that there is much to
// wait for. Entries with tables are longer.
func (s *sim) window(cfg *core.Config) {
	cfg.Window, cfg.MaxRead, cfg.MaxBatch = 400, 200, 400
	if s.sql != nil {
		cfg.Window, cfg.MaxRead, cfg.MaxBatch = 4000, 2000, 4000
	}
}

package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// busyTimeout is how long a connection waits for another's lock. In WAL mode nobody waits but for the short locks of
// checkpoints and recovery.
const busyTimeout = 5 * time.Second

// Store is one node's database. Its methods may be called from any goroutine, except that a function given to Read,
// Write or Try must not call methods of the Store that read or write the database (NewID, Schema, Vector and the like
// are fine): it has its Reader or Tx.
type Store struct {
	config Config
	path   string
	memory bool
	lock   *os.File // the folder's lock
	node   crdt.NodeID
	clock  crdt.Clock

	schemaVersion atomic.Uint64
	requests      chan *request
	hold          hold
	swaps         chan *swap
	closing       chan struct{}
	closeOnce     sync.Once
	closeErr      error
	done          sync.WaitGroup
	w             *writer
	readers       *readers
	file          sync.RWMutex // held while the database file and its WAL are replaced
	checkpoints   chan struct{}
	walPages      atomic.Int64 // WAL size after the writer's last commit
	passAt        atomic.Int64 // WAL size from which the next pass of the checkpointer is due, if greater than checkpointPages
	finishWAL     atomic.Bool  // the writer is to copy the rest
	pass          sync.Mutex   // held during a pass of the checkpointer
	checkpointer  *sqlite.Conn // protected by pass
	loads         chan struct{}
	carries       chan struct{} // see Carries
	statistics    statistics
	shrinkWAL     atomic.Bool

	// memMu stands in for SQLite's snapshots in memory, where a reader would keep the writer from committing.
	memMu sync.RWMutex
	// ddlGen is odd while a commit that changes the schema is under way: what a reader that started meanwhile sees is
	// then not known. It is written under mu.
	ddlGen atomic.Uint64
	// committing is odd from before readers can see a commit until it is published.
	committing atomic.Uint64

	layout atomic.Pointer[layout] // the committed one

	mu      sync.RWMutex // protects the following, which speak only of what is durable
	index   uint64
	heads   map[crdt.Origin]head
	trimmed crdt.Vector // of each log, what is gone
	retired crdt.Vector // ended epochs that markers have retired; never changed in place
	states  map[crdt.ID]spaceState
	origins origins
	changes map[crdt.ID]uint64 // keyspace → index of the last commit that changed what is seen of it, since the start
	changed chan struct{}
	recent  recent

	asked atomic.Bool // Entries has been called since the last commit
}

// head is the end of an origin's log. Of an entry that was trimmed together with the first ones of a branch that was then moved
// (see Refile) only the short hash is known, and zeros stand for the rest; or nothing is, if hashes do not reach back to it.
type head struct {
	seq  uint64
	hash [32]byte
}

// unknown says whether nothing is known of the hash.
func (h head) unknown() bool { return h.seq > 0 && h.hash == [32]byte{} }

// is says whether the entry's hash may be this.
func (h head) is(hash [32]byte) bool {
	short := h.seq > 0 && [24]byte(h.hash[8:]) == [24]byte{}
	return h.hash == hash || short && (h.unknown() || crdt.Short(h.hash) == crdt.Short(hash))
}

// spaceState is what is kept of a keyspace beside its rows.
type spaceState struct {
	digest crdt.Digest
	rows   int64
	tombs  int64
	trunc  crdt.Stamp // the last TRUNCATE
}

// Open opens the store, and makes it if the folder has none.
func Open(ctx context.Context, config Config) (*Store, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &Store{
		config:      config,
		memory:      config.Dir == "",
		requests:    make(chan *request, 4*config.GroupLimit),
		swaps:       make(chan *swap),
		closing:     make(chan struct{}),
		checkpoints: make(chan struct{}, 1),
		loads:       make(chan struct{}, 1),
		carries:     make(chan struct{}, 1),
		changed:     make(chan struct{}),
		changes:     make(map[crdt.ID]uint64),
	}
	s.clock.MaxOffset = config.MaxClockOffset
	if s.memory {
		s.path = fmt.Sprintf("layercake-%d", memoryNames.Add(1))
	} else {
		if err := os.MkdirAll(config.Dir, 0o700); err != nil {
			return nil, fmt.Errorf("sqlstore: %w", err)
		}
		var err error
		if s.lock, err = lockFolder(config.Dir); err != nil {
			return nil, err
		}
		s.path = filepath.Join(config.Dir, "layercake.db")
		if err := errors.Join(s.placeNext(), removeSnapshots(config.Dir)); err != nil {
			s.lock.Close()
			return nil, fmt.Errorf("sqlstore: %w", err)
		}
	}
	if err := s.open(ctx); err != nil {
		s.release()
		return nil, fmt.Errorf("sqlstore: open %s: %w", s.path, err)
	}
	s.wakeCarry() // there may be notes
	s.start()
	if err := s.reform(ctx); err != nil {
		return nil, fmt.Errorf("sqlstore: open %s: %w", s.path, errors.Join(err, s.Close()))
	}
	return s, nil
}

// memoryNames tells databases in memory apart: the connections of one store share theirs by name.
var memoryNames atomic.Uint64

func (s *Store) open(ctx context.Context) error {
	c, err := s.openConn(false)
	if err != nil {
		return err
	}
	s.w = &writer{s: s, conn: c, systemFixed: make(map[*catalog.Table]int)}
	if s.config.Image != nil {
		if err := c.Backup(ctx, s.config.Image); err != nil {
			return err
		}
	}
	if err := s.prepareFile(c); err != nil {
		return err
	}
	if err := s.w.load(); err != nil {
		return err
	}
	if err := s.claim(); err != nil {
		return err
	}
	if err := s.w.prepareSystem(); err != nil {
		return err
	}
	if !s.memory {
		if s.checkpointer, err = s.openConn(false); err != nil {
			return err
		}
	}
	s.readers = newReaders(s)
	// One reader now, so that a failure shows here.
	r, err := s.openConn(true)
	if err != nil {
		return err
	}
	s.readers.put(r, 0)
	return nil
}

func (s *Store) start() {
	s.done.Add(1)
	go func() { defer s.done.Done(); s.w.loop() }()
	if !s.memory {
		s.done.Add(3)
		go func() { defer s.done.Done(); s.checkpointLoop() }()
		go func() { defer s.done.Done(); s.tidyLoop() }()
		go func() { defer s.done.Done(); s.analyzeLoop() }()
	}
}

// Close ends the store: requests under way are finished, later ones get ErrClosed. Readers must be closed before. A
// second Close is harmless.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		s.done.Wait()
		s.closeErr = s.release()
	})
	return s.closeErr
}

func (s *Store) release() error {
	s.mu.Lock()
	s.recent = recent{}
	s.mu.Unlock()
	var errs []error
	if s.readers != nil {
		s.readers.close()
	}
	if s.checkpointer != nil {
		errs = append(errs, s.checkpointer.Close())
	}
	if s.w != nil {
		errs = append(errs, s.w.conn.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func randomNode(r io.Reader) (crdt.NodeID, error) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return 0, err
		}
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return crdt.NodeID(n), nil
		}
	}
}

func randomEpoch(r io.Reader) (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(r, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}

// Self is this node's id, given when its folder was made.
func (s *Store) Self() crdt.NodeID { return s.node }

// NewID returns an ID for a new schema object.
func (s *Store) NewID() catalog.ID {
	return catalog.ID{HLC: uint64(s.clock.Tick(s.config.Now())), Node: uint64(s.node)}
}

// Schema returns the committed schema.
func (s *Store) Schema() *catalog.Schema { return s.layout.Load().schema }

// Conflicts returns what could not be as the object rows say (two tables of one name, …).
func (s *Store) Conflicts() []catalog.Conflict { return s.layout.Load().conflicts }

// Index returns the number of the last commit, local or remote.
func (s *Store) Index() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index
}

// ChangedSince says whether a commit after the given one changed what statements see of the table.
func (s *Store) ChangedSince(table catalog.ID, index uint64) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changes[crdt.ID(table)] > index
}

// Vector returns what has been applied here durably, this node's own entries included.
func (s *Store) Vector() crdt.Vector {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := make(crdt.Vector, len(s.heads))
	for o, h := range s.heads {
		v[o] = h.seq
	}
	return v
}

// Head returns an origin's last durable entry here: number and hash, zeros if there is none.
func (s *Store) Head(o crdt.Origin) (seq uint64, hash [32]byte) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.heads[o]
	return h.seq, h.hash
}

// Changed returns a channel that is closed at the next durable change of the log.
func (s *Store) Changed() <-chan struct{} {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.changed
}

// Clock returns the greatest stamp given or seen.
func (s *Store) Clock() crdt.HLC { return s.clock.Last() }

// KeyspaceDigest is the state of one keyspace.
type KeyspaceDigest struct {
	Table      catalog.ID
	Rows       int64
	Tombstones int64
	Digest     crdt.Digest
}

// Digests returns the digest of every keyspace that ever held a row, and the vector that they belong to.
func (s *Store) Digests() (crdt.Vector, []KeyspaceDigest) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := make(crdt.Vector, len(s.heads))
	for o, h := range s.heads {
		v[o] = h.seq
	}
	out := make([]KeyspaceDigest, 0, len(s.states))
	for id, st := range s.states {
		out = append(out, KeyspaceDigest{catalog.ID(id), st.rows, st.tombs, st.digest})
	}
	return v, out
}

// Digest returns the state of one keyspace.
func (s *Store) Digest(table catalog.ID) KeyspaceDigest {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := s.states[crdt.ID(table)]
	return KeyspaceDigest{table, st.rows, st.tombs, st.digest}
}

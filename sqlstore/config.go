package sqlstore

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Config says how Open opens a store. Its zero value is a store in memory.
type Config struct {
	// Dir is the data folder, made if need be. "" keeps everything in memory, for as long as the store is open.
	Dir string
	// Now reads the wall clock; nil is time.Now.
	Now func() time.Time
	// MaxClockOffset is how far ahead of Now a remote entry's stamp may be; 0 is crdt.DefaultMaxOffset.
	MaxClockOffset time.Duration
	// Readers is the number of connections that read at once; 0 is twice the number of CPUs, at least 4.
	Readers int
	// Logger is told of what nobody is waiting to hear; nil is slog.Default.
	Logger *slog.Logger
	// CompileIndex turns an index's keys and predicate into SQLite SQL over the Phys names (see catalog.Index). nil, or
	// for an index that it need not see: plain columns only.
	CompileIndex func(*catalog.Schema, *catalog.Table, *catalog.Index) (keys []string, where string, err error)
	// CompileCarry turns the values of the columns that one has come from (catalog.Retype), whose physical names phys gives,
	// into SQLite expressions: each as it is in the column now. nil: nothing is carried over (Carry).
	CompileCarry func(s *catalog.Schema, t *catalog.Table, c *catalog.Column, phys func(catalog.ID) string) ([]string, error)
	// Fatal is called when fsync failed: what is on disk is then unknown, and the process must end. nil panics.
	Fatal func(error)
	// MaxEntry is the longest entry that a transaction may make, in bytes; 0 is DefaultMaxEntry. Bulk loads are counted
	// unpacked; packed, no entry may be longer than crdt.MaxEntrySize.
	MaxEntry int
	// GroupLimit is how many transactions may share one fsync; 0 is DefaultGroupLimit.
	GroupLimit int
	// MaxSnapshots is how many pinned snapshots (Store.Snapshot) may be open at once; 0 is DefaultMaxSnapshots.
	MaxSnapshots int
	// MaxWAL is how many bytes the WAL may grow to before the snapshots older than SnapshotAge that keep it from starting
	// anew are ended, and at twice that all of them: whoever reads from one gets 40001. 0 is DefaultMaxWAL.
	MaxWAL int64
	// SnapshotAge: see MaxWAL. 0 is DefaultSnapshotAge.
	SnapshotAge time.Duration
	// Image is what a store in memory begins with: a copy of such a store's database (sqlite.Conn.Backup), read by Open
	// alone. nil: with nothing.
	Image *sqlite.Conn
	// Rand gives the random part of an epoch's name, and the id of a new node; nil is crypto/rand.
	Rand io.Reader
	// Knobs are set by tests only.
	Knobs Knobs
}

// Knobs take rules out, so that tests can see what breaks. All false is the only right setting.
type Knobs struct {
	ForgetDrops bool // a DROP of another node's leaves the object rows here as they are
}

// maxBody is how long an entry's body can be: some room is left for the head.
const maxBody = crdt.MaxEntrySize - 1<<16

// Defaults of Config.
const (
	DefaultMaxEntry     = 512 << 20
	DefaultGroupLimit   = 256
	DefaultMaxSnapshots = 512
	DefaultMaxWAL       = 1 << 30
	DefaultSnapshotAge  = 5 * time.Second
)

func (c *Config) validate() error {
	if c.MaxClockOffset < 0 || c.Readers < 0 || c.MaxEntry < 0 || c.GroupLimit < 0 || c.MaxSnapshots < 0 || c.MaxWAL < 0 || c.SnapshotAge < 0 {
		return errors.New("sqlstore: negative setting")
	}
	if c.MaxEntry > crdt.MaxEntrySize {
		return errors.New("sqlstore: MaxEntry is greater than an entry may be")
	}
	if c.Image != nil && c.Dir != "" {
		return errors.New("sqlstore: Image is for a store in memory")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Readers == 0 {
		c.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Fatal == nil {
		c.Fatal = func(err error) { panic(err) }
	}
	if c.MaxEntry == 0 {
		c.MaxEntry = DefaultMaxEntry
	}
	if c.GroupLimit == 0 {
		c.GroupLimit = DefaultGroupLimit
	}
	if c.MaxSnapshots == 0 {
		c.MaxSnapshots = DefaultMaxSnapshots
	}
	if c.MaxWAL == 0 {
		c.MaxWAL = DefaultMaxWAL
	}
	if c.SnapshotAge == 0 {
		c.SnapshotAge = DefaultSnapshotAge
	}
	return nil
}

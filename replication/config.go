package replication

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/replication/core"
)

// Store is the log that replication serves and fills. sqlstore.Store satisfies it.
type Store interface {
	// Self is this node's id.
	Self() crdt.NodeID
	// Vector says what is applied and durable (rule E1). The caller owns the result.
	Vector() crdt.Vector
	// Entries returns the entries of o from sequence number from, in order, without a gap: at least one if there is
	// one, and no more than make maxBytes together. Only durable entries are returned. They are never changed.
	// crdt.ErrLong says that the entry at from is too long for that: LongEntry gives a copy of it in a file without a
	// name, which the caller must close, or nil if the entry is not there any more.
	Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error)
	LongEntry(ctx context.Context, o crdt.Origin, seq uint64) (*os.File, error)
	// TempFile makes a file without a name, for entries on their way in.
	TempFile() (*os.File, error)
	// Apply merges entries, each after its predecessor and its dependencies, and returns when all are durable. Entries
	// applied before are skipped. On an error none or some are applied; Vector tells.
	Apply(ctx context.Context, entries []crdt.Entry) error
	// Changed returns a channel that is closed at the next durable change.
	Changed() <-chan struct{}
	// Mark writes a marker as this node's next entry and returns when it is durable; Markers returns the last one of each
	// node.
	Mark(ctx context.Context, m crdt.Marker) (crdt.Origin, uint64, error)
	Markers() (map[crdt.NodeID]crdt.Marked, error)
	// Purge forgets tombstones of entries up to covered with a clock below before; young says whether some were covered
	// and too young.
	Purge(ctx context.Context, covered crdt.Vector, before crdt.HLC) (purged int64, young bool, err error)
	// Trim forgets entries up to v. Trimmed says how much of each log is gone, LogSpan how many bytes are left and the
	// clock of the oldest entry.
	Trim(ctx context.Context, v crdt.Vector) error
	Trimmed() crdt.Vector
	// Retired returns the epochs that durable markers have retired, and their last entries (crdt.Marker). The store leaves
	// those that still end there out of what its own entries depend on.
	Retired() crdt.Vector
	LogSpan(ctx context.Context) (bytes int64, oldest crdt.HLC, err error)
	// Chain gives the short hashes of o's entries from from to to, as far as they are known, 0 for one that is not: first
	// is the first of them, 0 if there are none, low as far back as any is known (of the last entry alone it may be that). Forks are those that Refile noted; with
	// move it moves the branch that the fork names, if that is here (crdt.Fork). Renew has the next own entry begin a new
	// epoch, later than after.
	Chain(ctx context.Context, o crdt.Origin, from, to uint64) (low, first uint64, hashes []uint64, err error)
	Forks() (crdt.Forks, error)
	Refile(ctx context.Context, f crdt.Fork, move bool) (moved bool, err error)
	Renew(ctx context.Context, after crdt.HLC) error
	// Copy returns a copy of everything durable but for what PutLocal put. Install replaces the state by such a copy and
	// applies again what the log here has beyond it; on an error nothing has changed.
	Copy(ctx context.Context) (copied io.ReadCloser, size int64, err error)
	Install(ctx context.Context, copied io.Reader) error
	// GetLocal and PutLocal keep values of this node alone: nil is returned for what was never put. A put value is
	// durable on return.
	GetLocal(key string) ([]byte, error)
	PutLocal(key string, val []byte) error
}

// Defaults of Config.
const (
	DefaultConsistencyTimeout = 5 * time.Second
	DefaultMaxClockOffset     = 500 * time.Millisecond
	DefaultPing               = 500 * time.Millisecond
	DefaultMaxEntry           = 1<<30 + 1<<20
	DefaultLogCapBytes        = 4 << 30
	DefaultLogCapAge          = 24 * time.Hour
)

// Config says who this node is and how it reaches the others. Store, Name and a listener or an address are needed.
type Config struct {
	Store Store
	Name  string // unique in the cluster
	DC    string // data centre; "dc1" when empty

	Listener net.Listener // where replication listens; Close closes it. When nil, one is opened at RPCBind
	RPCBind  string       // host:port, port 0 picks one
	RPCAddr  string       // what others dial; the listener's address when empty
	PGAddr   string       // shown in the views

	// Gossip, when set, is opened by Start with this node's id, name, data centre and addresses filled in, and closed by
	// Close. Without it Join takes replication addresses, and a node whose address changed finds the others by itself.
	Gossip *cluster.Config

	Seeds []string // gossip addresses to try besides those of the members, should all have moved

	TLS *tls.Config // both for serving and dialing (cluster certificates, both sides verify); plain TCP when nil
	// Dial replaces net.Dialer: for tests that cut links.
	Dial func(ctx context.Context, addr string) (net.Conn, error)

	ConsistencyTimeout time.Duration // for waits whose caller gives no time
	MaxClockOffset     time.Duration // an entry stamped further ahead waits
	Ping               time.Duration // how often peers are pinged; one silent for five times as long is unreachable
	MaxEntry           int64         // bytes; a peer that sends more is cut off
	MarkEvery          time.Duration // between this node's markers at the least; a second when 0
	LogCapBytes        int64         // a log that is greater, or older, is trimmed though members are absent
	LogCapAge          time.Duration

	Now    func() time.Time // time.Now when nil
	Logger *slog.Logger     // slog.Default when nil

	// Witness says what this node's database is at an agreed vector; without one Agree fails.
	Witness Witness
}

func (c *Config) setDefaults() {
	if c.DC == "" {
		c.DC = "dc1"
	}
	if c.ConsistencyTimeout == 0 {
		c.ConsistencyTimeout = DefaultConsistencyTimeout
	}
	if c.MaxClockOffset == 0 {
		c.MaxClockOffset = DefaultMaxClockOffset
	}
	if c.Ping == 0 {
		c.Ping = DefaultPing
	}
	if c.MaxEntry == 0 {
		c.MaxEntry = DefaultMaxEntry
	}
	if c.LogCapBytes == 0 {
		c.LogCapBytes = DefaultLogCapBytes
	}
	if c.LogCapAge == 0 {
		c.LogCapAge = DefaultLogCapAge
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Dial == nil {
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}
	}
}

func (c *Config) validate() error {
	switch {
	case c.Store == nil:
		return errors.New("replication: Config.Store is needed")
	case c.Name == "":
		return errors.New("replication: Config.Name is needed")
	case c.Listener == nil && c.RPCBind == "":
		return errors.New("replication: Config.Listener or Config.RPCBind is needed")
	}
	return nil
}

// Level is how many members a statement waits for.
type Level = core.Level

// The levels, from the weakest.
const (
	None        = core.None
	One         = core.One
	Two         = core.Two
	Three       = core.Three
	Quorum      = core.Quorum
	LocalQuorum = core.LocalQuorum
	EachQuorum  = core.EachQuorum
	All         = core.All
)

// ParseLevel reads a level as users write it; anything else is 22023 and lists the valid ones.
func ParseLevel(s string) (Level, error) { return core.ParseLevel(s) }

// LevelNames lists the levels as users write them.
func LevelNames() []string { return core.LevelNames() }

// Direction is what a level is asked for.
type Direction uint8

// The directions.
const (
	Read Direction = iota
	Write
)

func (d Direction) String() string {
	if d == Read {
		return "read"
	}
	return "write"
}

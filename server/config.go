package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore"
)

// MostTransaction is the greatest Config.MaxTransaction, in bytes.
const MostTransaction = crdt.MaxEntrySize

// Defaults of Config.
const (
	DefaultPGAddr         = "127.0.0.1:5432"
	DefaultRPCAddr        = "127.0.0.1:7400"
	DefaultGossipAddr     = "127.0.0.1:7946"
	DefaultDC             = "dc1"
	DefaultMaxConnections = 1000
	DefaultMaxTransaction = 1 << 30
	DefaultMaxClockOffset = 500 * time.Millisecond
	DefaultVerifyInterval = time.Minute
	DefaultDatabase       = "postgres"
)

// Config says what a node is and where it listens.
type Config struct {
	// Name is the node's name, unique in its cluster. Required.
	Name string
	// Dir is the data folder; "" keeps everything in memory (for tests: an in-memory node loses all when it stops).
	Dir string
	// DC names the node's data centre.
	DC string

	PGAddr     string // where clients connect, host:port; port 0 picks a free one
	RPCAddr    string // replication
	GossipAddr string // membership
	HTTPAddr   string // health, metrics, pprof; "" for none
	Advertise  string // host that other nodes reach this one by; the bound one when empty

	// Join lists gossip addresses of members. Without it an empty data folder creates a cluster; a folder with data
	// remembers its cluster.
	Join []string

	// Insecure lets every client in without a password, and other nodes without certificates.
	Insecure bool
	// Password is that of the superuser postgres, which the node that creates a cluster makes. Required there unless
	// Insecure.
	Password string

	TLS        *tls.Config // offered to clients
	ClusterTLS *tls.Config // between nodes, both sides verified
	GossipKey  []byte      // 16, 24 or 32 bytes; encrypts gossip

	// Settings are defaults of session settings on this node ("consistency": "quorum").
	Settings map[string]string

	MaxConnections int
	MaxTransaction int // bytes of one transaction
	MaxClockOffset time.Duration
	// VerifyInterval is how often the members' digests are compared; negative for never.
	VerifyInterval time.Duration
	// MaxWAL is how many bytes the write-ahead log may grow to before the snapshots that keep it from being reused are
	// ended (40001).
	MaxWAL int64
	// LogCapBytes and LogCapAge bound the replication log while members are absent: one that is greater, or reaches
	// further back, is trimmed all the same (while a majority is there), and they take a snapshot when they come back.
	// 0 means the defaults of package replication.
	LogCapBytes int64
	LogCapAge   time.Duration
	// FastGossip notices failures within a second or two: for clusters on one machine.
	FastGossip bool

	Logger *slog.Logger     // slog.Default when nil
	Now    func() time.Time // time.Now when nil
	// Fatal is called when the disk has failed an fsync: the process must end. nil panics.
	Fatal func(error)
	// Dial replaces net.Dialer between nodes: for tests that cut links.
	Dial DialFunc
}

func (c *Config) validate() error {
	set := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	set(&c.PGAddr, DefaultPGAddr)
	set(&c.RPCAddr, DefaultRPCAddr)
	set(&c.GossipAddr, DefaultGossipAddr)
	set(&c.DC, DefaultDC)
	if c.MaxConnections == 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.MaxTransaction == 0 {
		c.MaxTransaction = DefaultMaxTransaction
	}
	if c.MaxWAL == 0 {
		c.MaxWAL = sqlstore.DefaultMaxWAL
	}
	if c.MaxClockOffset == 0 {
		c.MaxClockOffset = DefaultMaxClockOffset
	}
	if c.VerifyInterval == 0 {
		c.VerifyInterval = DefaultVerifyInterval
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Name == "" {
		return errors.New("a node needs a name (--name)")
	}
	if err := validName("name", c.Name); err != nil {
		return err
	}
	if err := validName("dc", c.DC); err != nil {
		return err
	}
	for _, a := range []struct{ flag, addr string }{{"pg-addr", c.PGAddr}, {"rpc-addr", c.RPCAddr}, {"gossip-addr", c.GossipAddr}, {"http-addr", c.HTTPAddr}} {
		if a.addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			return fmt.Errorf("--%s: %q is not host:port", a.flag, a.addr)
		}
	}
	for _, j := range c.Join {
		if _, _, err := net.SplitHostPort(j); err != nil {
			return fmt.Errorf("--join: %q is not host:port", j)
		}
	}
	if n := len(c.GossipKey); n != 0 && n != 16 && n != 24 && n != 32 {
		return errors.New("the gossip key must have 16, 24 or 32 bytes")
	}
	st := newSettings()
	for k, v := range c.Settings {
		if err := st.setDefault(k, v, "configuration file"); err != nil {
			if e := pgerror.From(err); e.Hint != "" {
				return fmt.Errorf("setting %s: %w: %s", k, err, e.Hint)
			}
			return fmt.Errorf("setting %s: %w", k, err)
		}
	}
	return nil
}

func validName(flag, v string) error {
	if len(v) > 63 || strings.ContainsFunc(v, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	}) {
		return fmt.Errorf("--%s: %q: up to 63 letters, digits, '-', '_' and '.' are allowed", flag, v)
	}
	return nil
}

package replication

import (
	"context"
	"errors"

	"layercake/crdt"
	"layercake/replication/core"
)

// Replicator is a running node of a cluster. Its methods are safe for concurrent use.
type Replicator struct {
	cfg Config
}

var errNotRunning = errors.New("replication: not running")

// New prepares a node. Nothing runs until Start.
func New(cfg Config) (*Replicator, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Replicator{cfg: cfg}, nil
}

// Start listens and, if the store remembers a cluster, connects to its members. ctx bounds only the start.
func (r *Replicator) Start(ctx context.Context) error { return errNotRunning }

// IsMember says whether this node belongs to a cluster: if not, Bootstrap or Join comes next.
func (r *Replicator) IsMember() bool { return false }

// Bootstrap creates a cluster of this node alone.
func (r *Replicator) Bootstrap(ctx context.Context) error { return errNotRunning }

// Join makes this node a member through any of addrs (gossip addresses when Config.Gossip is set, else replication
// addresses), and returns when it has caught up with a majority. A name in use, or another cluster, is an error.
func (r *Replicator) Join(ctx context.Context, addrs []string) error { return errNotRunning }

// Close stops everything and waits for it. A second Close is harmless.
func (r *Replicator) Close() error { return nil }

// Check refuses at once (53000) when too few members are reachable for a level.
func (r *Replicator) Check(level Level, dir Direction) error { return errNotRunning }

// Barrier returns when this node has applied all that enough members had when it was called. A time-out is 53000.
func (r *Replicator) Barrier(ctx context.Context, level Level) error { return errNotRunning }

// WriteBack returns when enough members have durably applied v, the vector of the snapshot that a statement read.
func (r *Replicator) WriteBack(ctx context.Context, level Level, v crdt.Vector) error {
	return errNotRunning
}

// Confirm returns when the entry is durable on enough members. A time-out is 40003.
func (r *Replicator) Confirm(ctx context.Context, level Level, o crdt.Origin, seq uint64) error {
	return errNotRunning
}

// Members lists the member list for the view layercake.nodes.
func (r *Replicator) Members() []Member { return nil }

// Streams lists what is sent to whom for the view layercake.replication.
func (r *Replicator) Streams() []Stream { return nil }

// Digests collects the digests of all members at equal vectors.
func (r *Replicator) Digests(ctx context.Context) ([]NodeDigests, error) { return nil, errNotRunning }

// Grant takes a block of n numbers from a register and returns the first; a majority must be reachable.
func (r *Replicator) Grant(ctx context.Context, register string, n int64) (int64, error) {
	return 0, errNotRunning
}

// ResetRegister sets the next number that Grant gives.
func (r *Replicator) ResetRegister(ctx context.Context, register string, value int64) error {
	return errNotRunning
}

// Cluster is the cluster's id, 0 before this node is a member.
func (r *Replicator) Cluster() core.ClusterID { return 0 }

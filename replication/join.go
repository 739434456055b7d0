package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// Bootstrap creates a cluster of this node alone.
func (r *Replicator) Bootstrap(ctx context.Context) error {
	if r.IsMember() {
		return errors.New("replication: this node is a member already")
	}
	if r.Removed() {
		return ErrRemoved
	}
	return r.adopt(ctx, core.FirstList(core.ClusterID(randomID()), r.member))
}

// adopt puts a decided list in force and returns when it is.
func (r *Replicator) adopt(ctx context.Context, l *core.List) error {
	r.mu.Lock()
	if !r.started || r.closed {
		r.mu.Unlock()
		return notRunning()
	}
	r.core.Adopt(r.cfg.Now(), l)
	r.flush()
	r.mu.Unlock()
	if err := r.inForce(ctx, l.Version); err != nil {
		return err
	}
	if r.gossip != nil {
		if err := r.gossip.Announce(func(n *cluster.Node) { n.Cluster = uint64(l.Cluster) }); err != nil {
			r.cfg.Logger.Warn("could not announce the cluster by gossip", "err", err)
		}
	}
	return nil
}

// inForce waits until a list of at least this version is.
func (r *Replicator) inForce(ctx context.Context, version uint64) error {
	for {
		r.mu.Lock()
		adopted, now := r.adopted, r.core.List().Version
		r.mu.Unlock()
		if now >= version {
			return nil
		}
		select {
		case <-adopted:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ctx.Done():
			return errStopping
		}
	}
}

// Join makes this node a member through any of addrs (gossip addresses when Config.Gossip is set, else replication
// addresses), and returns when it has caught up with a majority. Until ctx ends it tries again whatever may pass; a name
// in use (ErrNameTaken), or another cluster, is an error at once. A node that is a member already only catches up: addrs help it to
// find the others if all have moved.
func (r *Replicator) Join(ctx context.Context, addrs []string) error {
	r.mu.Lock()
	if !r.started || r.closed {
		r.mu.Unlock()
		return notRunning()
	}
	member := r.core.IsMember()
	if r.core.IsRetired() {
		r.mu.Unlock()
		return ErrRemoved
	}
	r.seeds = append(r.seeds, addrs...)
	r.core.SetJoining(r.cfg.Now(), true)
	r.updateFence()
	r.mu.Unlock()
	// Durable before this node can be a member: one that stops half-way still has to catch up before it serves, since it
	// may be alone in its data centre, where it would be a majority.
	if err := r.cfg.Store.PutLocal(joiningKey, []byte{1}); err != nil {
		return fmt.Errorf("replication: join: %w", err)
	}
	poke(r.mingleWake)
	if member && r.gossip != nil {
		if _, err := r.gossip.Join(ctx, addrs); errors.Is(err, cluster.ErrOtherCluster) {
			return err
		}
	}
	var last error
	for wait := 100 * time.Millisecond; !member; wait = min(2*wait, 2*time.Second) {
		l, err := r.askToJoin(ctx, addrs)
		if err == nil {
			if err := r.adopt(ctx, l); err != nil {
				return err
			}
			r.mu.Lock()
			r.updateRecord(r.core.List())
			r.flush()
			r.mu.Unlock()
			break
		}
		if text, ok := refused(err); ok {
			why := pgerror.New(pgerror.InvalidParameterValue, "the cluster refused this node: %s", text)
			if status.Code(err) == codes.AlreadyExists {
				return fmt.Errorf("%w: %w", ErrNameTaken, why)
			}
			return why
		}
		if errors.Is(err, cluster.ErrOtherCluster) {
			return err
		}
		if last == nil || err.Error() != last.Error() {
			r.cfg.Logger.Info("waiting to join", "seeds", addrs, "err", err)
		}
		last = err
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("replication: join: %w (last: %v)", ctx.Err(), last)
		case <-r.ctx.Done():
			return errStopping
		}
	}
	return r.catchUp(ctx)
}

// joiningKey is where the store remembers that this node has joined and not caught up yet.
const joiningKey = "replication/joining"

// catchUp returns when this node has applied all that a majority had when it began; it serves from then on. A snapshot that
// was begun before somebody turned out to have the log comes to its end first: it would keep the node from serving then.
func (r *Replicator) catchUp(ctx context.Context) error {
	_, ok, err := r.wait(ctx, func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.Barrier(now, Quorum) }, nil)
	if !ok {
		return err
	}
	for {
		r.mu.Lock()
		needs := r.core.NeedsSnapshot()
		r.mu.Unlock()
		if !needs {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ctx.Done():
			return errStopping
		}
	}
	if err := r.cfg.Store.PutLocal(joiningKey, nil); err != nil {
		return fmt.Errorf("replication: join: %w", err)
	}
	r.do(func(n *core.Node, now time.Time) {
		n.SetJoining(now, false)
		r.updateFence()
	})
	return nil
}

// askToJoin asks one member after the other to register this node.
func (r *Replicator) askToJoin(ctx context.Context, addrs []string) (*core.List, error) {
	if r.gossip != nil {
		if _, err := r.gossip.Join(ctx, addrs); err != nil {
			return nil, err
		}
		addrs = nil
		for _, g := range r.gossip.Nodes() {
			if g.Cluster != 0 && g.RPCAddr != "" && g.ID != uint64(r.self) && g.State == cluster.Alive {
				addrs = append(addrs, g.RPCAddr)
			}
		}
	}
	err := errors.New("no member of a cluster is there yet")
	for _, addr := range addrs {
		var l *core.List
		if l, err = r.askOneToJoin(ctx, addr); err == nil {
			return l, nil
		}
		if _, ok := refused(err); ok {
			return nil, err
		}
	}
	return nil, err
}

func (r *Replicator) askOneToJoin(ctx context.Context, addr string) (*core.List, error) {
	conn, err := r.connect(addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel)
	defer stop()
	var answer frame
	ask := binary.BigEndian.AppendUint64(nil, uint64(r.Cluster()))
	if err := conn.Invoke(ctx, joinMethod, &frame{parts: [][]byte{core.AppendMember(ask, r.member)}}, &answer); err != nil {
		return nil, err
	}
	l, err := core.DecodeList(answer.bytes)
	if err != nil {
		return nil, err
	}
	if l == nil || !l.Has(r.self) {
		return nil, errors.New("replication: the answer to a join does not name this node")
	}
	return l, nil
}

// joinWithin bounds one question to one member; a change that has begun goes on, and is found at the next question.
const joinWithin = 10 * time.Second

// serveJoin registers a node: it proposes the member list with it to a majority of the members.
func (r *Replicator) serveJoin(ctx context.Context, b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, status.Error(codes.InvalidArgument, "malformed")
	}
	id := core.ClusterID(binary.BigEndian.Uint64(b))
	m, rest, err := core.DecodeMember(b[8:])
	if err != nil || len(rest) > 0 || m.ID == 0 || m.Name == "" {
		return nil, status.Error(codes.InvalidArgument, "malformed")
	}
	r.mu.Lock()
	own := r.core.List()
	r.mu.Unlock()
	switch {
	case !own.Has(r.self):
		return nil, status.Error(codes.Unavailable, "this node is not a member of a cluster yet")
	case id != 0 && id != own.Cluster:
		return nil, refusal("%s belongs to cluster %016x, this one is %016x", m.Name, uint64(id), uint64(own.Cluster))
	case m.ID == r.self:
		return nil, refusal("its node id is that of %s: its data folder was copied, or a backup restored, while it runs", r.cfg.Name)
	}
	// What is refused is refused at once, without the others.
	if _, err := core.WithMember(m)(own); err != nil {
		return nil, joinRefusal(err)
	}
	if own.Has(m.ID) {
		// It was registered, and stopped before it heard of that. It must be told even where no majority is left without
		// it, as only members answer each other; other addresses it has noted itself.
		return core.AppendList(nil, own), nil
	}
	d, _, err := r.wait(ctx, func(n *core.Node, now time.Time) (core.Ticket, bool) {
		return n.ChangeList(now, core.WithMember(m)), false
	}, nil)
	if err != nil {
		return nil, status.Error(codes.Unavailable, "a majority of the members did not register it in time")
	}
	if d.Err != nil {
		return nil, joinRefusal(d.Err)
	}
	r.cfg.Logger.Info("registered a member", "peer", m.Name, "addr", m.RPCAddr)
	return d.Value, nil
}

// mingle keeps gossip in touch with members that it does not see: after a partition, or a restart.
func (r *Replicator) mingle() {
	if r.gossip == nil {
		return
	}
	t := time.NewTicker(mingleEvery)
	defer t.Stop()
	for {
		r.mu.Lock()
		own, more := r.core.List(), r.seeds
		r.mu.Unlock()
		alive := map[crdt.NodeID]bool{}
		for _, g := range r.gossip.Nodes() {
			alive[crdt.NodeID(g.ID)] = g.State != cluster.Dead && g.State != cluster.Left
		}
		var seeds []string
		for _, m := range own.Members {
			if m.ID != r.self && !alive[m.ID] && m.GossipAddr != "" {
				seeds = append(seeds, m.GossipAddr)
			}
		}
		if len(seeds) > 0 {
			seeds = append(seeds, more...)
			slices.Sort(seeds)
			seeds = slices.Compact(seeds)
			if _, err := r.gossip.Join(r.ctx, seeds); err != nil && r.ctx.Err() == nil {
				r.cfg.Logger.Debug("gossip does not reach members", "seeds", seeds, "err", err)
			}
		}
		select {
		case <-t.C:
		case <-r.mingleWake:
		case <-r.ctx.Done():
			return
		}
	}
}

// mingleEvery is how often gossip is tried with members that it does not see.
const mingleEvery = 3 * time.Second

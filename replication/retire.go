package replication

import (
	"context"
	"fmt"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// Remove takes a member out of the list for good: one that will not return. What only it held goes with it (rule C4).
// It tells whether the member was linked, and so could have left by itself. Too few members to decide it, or a change
// before it that is not complete, is 53000; the outcome may then still come about, and a second call finds it done.
func (r *Replicator) Remove(ctx context.Context, name string) (wasUp bool, err error) {
	r.mu.Lock()
	if !r.started || r.closed {
		r.mu.Unlock()
		return false, notRunning()
	}
	m, ok := r.core.List().ByName(name)
	wasUp = r.core.Peer(m.ID).Linked
	r.mu.Unlock()
	switch {
	case !ok:
		return false, pgerror.New(pgerror.UndefinedObject, "no member of this cluster has the name %q", name).
			WithHint("SELECT name, state FROM layercake.nodes lists them.")
	case m.ID == r.self:
		return false, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "a node does not remove itself").
			WithHint("layercake leave hands over what only this node has, and goes.")
	}
	if err := r.retire(ctx, m.ID); err != nil {
		return wasUp, err
	}
	r.cfg.Logger.Info("removed a member", "peer", name)
	return wasUp, nil
}

// Leave makes this node no member any more: it refuses statements from now on, hands over what only it has to a majority
// of the others, and has them retire its id. If that does not come about before ctx ends it goes on as a member.
func (r *Replicator) Leave(ctx context.Context) error {
	if err := r.Check(Quorum, Write); err != nil {
		return err
	}
	r.mu.Lock()
	alone := len(r.core.List().Members) == 1
	r.mu.Unlock()
	if alone {
		return pgerror.New(pgerror.ObjectNotInPrerequisiteState, "this node is the last member of its cluster")
	}
	r.setLeaving(true)
	defer r.setLeaving(false)
	for handed := (crdt.Vector)(nil); ; { // again, as long as statements that had begun before still wrote
		v := r.cfg.Store.Vector()
		if handed != nil && handed.Covers(ownOf(v, r.self)) {
			break
		}
		handed = v
		r.do(func(n *core.Node, now time.Time) { n.Advance(now, r.cfg.Store.Vector()) })
		_, ok, err := r.wait(ctx, func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.HandOver(now) }, nil)
		if !ok {
			if why := interrupted(ctx, err); why != nil {
				return why
			}
			return pgerror.New(pgerror.InsufficientResources,
				"this node has not left: too few of the other members took what only it has in time; safe to retry")
		}
	}
	if err := r.retire(ctx, r.self); err != nil {
		return err
	}
	r.dismissed()
	if r.gossip != nil {
		if err := r.gossip.Leave(time.Second); err != nil {
			r.cfg.Logger.Warn("could not say goodbye by gossip", "err", err)
		}
	}
	return nil
}

// dismissed waits a little until the others have cut their links, which says that they know: this node may be the only
// one that has heard the decision. Should they not hear it now, the next change finds and completes it (rule C1).
func (r *Replicator) dismissed() {
	timeout := time.NewTimer(2 * time.Second)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		left, changed := len(r.links), r.linked
		r.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			return
		case <-r.ctx.Done():
			return
		}
	}
}

func ownOf(v crdt.Vector, self crdt.NodeID) crdt.Vector {
	own := crdt.Vector{}
	for o, seq := range v {
		if o.Node == self {
			own[o] = seq
		}
	}
	return own
}

func (r *Replicator) setLeaving(leaving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaving = leaving
	r.updateFence()
}

// retire has the members decide on a list without id, and returns when it is in force here.
func (r *Replicator) retire(ctx context.Context, id crdt.NodeID) error {
	if err := r.Check(Quorum, Write); err != nil {
		return err
	}
	d, ok, err := r.wait(ctx, func(n *core.Node, now time.Time) (core.Ticket, bool) {
		return n.ChangeList(now, core.WithoutMember(id)), false
	}, nil)
	if !ok {
		if isNotRunning(err) {
			return err
		}
		if why := interrupted(ctx, err); why != nil {
			return why
		}
		return pgerror.New(pgerror.InsufficientResources,
			"a majority of the members did not decide in time; the change may still come about").
			WithHint("SELECT * FROM layercake.nodes tells. A change waits until the one before it is complete: until a majority has caught up.")
	}
	if d.Err != nil {
		return d.Err
	}
	l, err := core.DecodeList(d.Value)
	if err != nil {
		return fmt.Errorf("replication: %w", err)
	}
	return r.inForce(ctx, l.Version)
}

// Removed says whether this node was removed from its cluster, or has left it.
func (r *Replicator) Removed() bool { return r.isRetired(r.self) }

func (r *Replicator) isRetired(id crdt.NodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.core != nil && r.core.List().IsRetired(id)
}

// retiredError is why a node that was removed, or left, serves nobody (rule C4). r.mu is held.
func (r *Replicator) retiredError() *pgerror.Error {
	e := pgerror.New(pgerror.CannotConnectNow, "this node was removed from its cluster")
	if k := r.core.Unshared(); k > 0 {
		e.Message += fmt.Sprintf("; since it was started, no other member has said that it has the last %d of its own transactions", k)
	}
	return e.WithHint("It can come back only as a new node, with an empty data folder.")
}

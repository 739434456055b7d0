package replication

import (
	"context"
	"fmt"
	"strings"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// wait begins something on the core and waits until it is decided or ctx ends. Without a deadline of its own it waits
// for Config.ConsistencyTimeout. When it was not decided, late (if set) sees the core before the ticket is forgotten.
func (r *Replicator) wait(ctx context.Context, begin func(*core.Node, time.Time) (core.Ticket, bool),
	late func(*core.Node, core.Ticket)) (core.Done, bool, error) {
	r.mu.Lock()
	if !r.started || r.closed {
		r.mu.Unlock()
		return core.Done{}, false, notRunning()
	}
	t, done := begin(r.core, r.cfg.Now())
	if done {
		r.flush()
		r.mu.Unlock()
		return core.Done{}, true, nil
	}
	ch := make(chan core.Done, 1)
	r.waits[t] = ch
	r.flush()
	r.mu.Unlock()

	var err error
	select {
	case d := <-ch:
		return d, true, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.ctx.Done():
		err = errStopping
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waits, t)
	select {
	case d := <-ch: // decided meanwhile
		return d, true, nil
	default:
	}
	if late != nil {
		late(r.core, t)
	}
	r.core.Cancel(t)
	return core.Done{}, false, err
}

// bounded gives ctx the time-out of Config if it has no deadline.
func (r *Replicator) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.cfg.ConsistencyTimeout)
}

// Check refuses at once (53000) when too few members are reachable for a level.
func (r *Replicator) Check(level Level, dir Direction) error {
	if level == None {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.started || r.closed:
		return notRunning()
	case !r.core.IsMember():
		return pgerror.New(pgerror.CannotConnectNow, "this node is starting: it has not joined its cluster yet")
	case r.core.Met(level):
		return nil
	}
	return unreachable(r.core.Reachable(level), dir)
}

// Settle waits until level can be met, as after a start, when the links to the others are still being made. It returns
// Check's error when ctx ends before.
func (r *Replicator) Settle(ctx context.Context, level Level) error {
	for {
		r.mu.Lock()
		changed := r.linked
		r.mu.Unlock()
		err := r.Check(level, Read)
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return err
		case <-r.ctx.Done():
			return notRunning()
		}
	}
}

// unreachable is the error for a level that cannot be met now.
func unreachable(t core.Tally, dir Direction) error {
	return pgerror.New(pgerror.InsufficientResources,
		"%s consistency level %s cannot be met: it needs %s, %d can be reached%s; nothing was written, safe to retry",
		dir, t.Level, needs(t), t.Have, unless(t.Missing)).
		WithDetail("Reachable: %s. Not reachable: %s.", names(t.Reachable), names(t.Missing)).
		WithHint("Retry when the members are back, or choose a weaker level: SET consistency = '…'.")
}

// needs says how many members a level asks for, among how many.
func needs(t core.Tally) string {
	what := "members"
	switch t.Level {
	case One, Two, Three:
		what = "other members"
	case LocalQuorum:
		what = "members of this data centre"
	case EachQuorum:
		what = "members, a majority in every data centre"
	}
	return fmt.Sprintf("%d of %d %s", t.Needed, t.Of, what)
}

func unless(missing []string) string {
	if len(missing) == 0 {
		return ""
	}
	return " (not " + strings.Join(missing, ", ") + ")"
}

func names(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// Barrier returns when this node has applied all that enough members had when it was called (rule Q1). If too few can be
// reached it is 53000 at once; so it is after the time of ctx, or of Config.ConsistencyTimeout. Nothing was written.
func (r *Replicator) Barrier(ctx context.Context, level Level) error {
	if level == None {
		return nil
	}
	if err := r.Check(level, Read); err != nil {
		return err
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var tally core.Tally
	var unanswered, ahead int
	_, ok, err := r.wait(ctx,
		func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.Barrier(now, level) },
		func(n *core.Node, t core.Ticket) {
			tally = n.Reachable(level)
			unanswered, ahead = n.Behind(t)
		})
	if ok || isNotRunning(err) {
		return err
	}
	if why := interrupted(ctx, err); why != nil {
		return why
	}
	if !tally.Met() {
		return unreachable(tally, Read)
	}
	return pgerror.New(pgerror.InsufficientResources,
		"read consistency level %s was not reached in time: this node did not catch up with %s; nothing was written, safe to retry",
		level, needs(tally)).
		WithDetail("%d of the other members have not answered; %d have entries that this node has not applied yet.", unanswered, ahead)
}

// WriteBack returns when enough members have durably applied v, the vector of the snapshot that a statement read. A
// time-out is 53000: what the statement itself wrote, if anything, is not decided here.
func (r *Replicator) WriteBack(ctx context.Context, level Level, v crdt.Vector) error {
	if level == None {
		return nil
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var tally core.Tally
	_, ok, err := r.wait(ctx,
		func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.WriteBack(now, level, v) },
		func(n *core.Node, _ core.Ticket) { tally = n.Reachable(level) })
	if ok || isNotRunning(err) {
		return err
	}
	if why := interrupted(ctx, err); why != nil {
		return why
	}
	if !tally.Met() {
		return unreachable(tally, Read)
	}
	return pgerror.New(pgerror.InsufficientResources,
		"read consistency level %s was not reached in time: what was read is not known to be on %s; nothing was written, safe to retry",
		level, needs(tally))
}

// Confirm returns when the entry, which is durable here, is durable on enough members. When it is not in time, the error
// is 40003: the write is kept, still spreads, and is looked up by its transaction id.
func (r *Replicator) Confirm(ctx context.Context, level Level, o crdt.Origin, seq uint64) error {
	if level == None {
		return nil
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	var tally core.Tally
	_, ok, err := r.wait(ctx,
		func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.Confirm(now, level, o, seq) },
		func(n *core.Node, _ core.Ticket) { tally = n.Acks(level, o, seq) })
	if ok {
		return nil
	}
	id := TransactionID(o, seq)
	reason := "in time"
	if err == errStopping || isNotRunning(err) {
		reason = "before this node stopped"
	} else if ctx.Err() == context.Canceled {
		reason = "before the wait was cancelled"
	}
	return pgerror.New(pgerror.StatementCompletionUnknown,
		"write consistency level %s was not reached %s: %d of %d acks; the write is kept and still spreads (transaction %s)",
		level, reason, tally.Have, tally.Needed, id).
		WithDetail("The level needs %s. Acknowledged: %s. Not yet: %s.", needs(tally), names(tally.Reachable), names(tally.Missing)).
		WithHint("Do not retry blindly: SELECT layercake.transaction_status('%s') tells how far it has spread.", id)
}

// interrupted gives the error of a wait that ended for another reason than its time-out.
func interrupted(ctx context.Context, err error) error {
	if err == errStopping {
		return pgerror.New(pgerror.CannotConnectNow, "this node is stopping")
	}
	if ctx.Err() == context.Canceled {
		return context.Canceled
	}
	return nil
}

func isNotRunning(err error) bool { return pgerror.Code(err) == pgerror.CannotConnectNow }

// TransactionID names the entry (o, seq) for users: node id, epoch and sequence number.
func TransactionID(o crdt.Origin, seq uint64) string {
	return fmt.Sprintf("%x-%x.%x-%d", uint64(o.Node), uint64(o.Epoch.First), o.Epoch.Random, seq)
}

// ParseTransactionID reads what TransactionID wrote; anything else is 22023.
func ParseTransactionID(s string) (o crdt.Origin, seq uint64, err error) {
	n, err := fmt.Sscanf(s, "%x-%x.%x-%d", &o.Node, &o.Epoch.First, &o.Epoch.Random, &seq)
	if err != nil || n != 4 || TransactionID(o, seq) != s {
		return crdt.Origin{}, 0, pgerror.New(pgerror.InvalidParameterValue, "invalid transaction id: %q", s)
	}
	return o, seq, nil
}

// Acks says which members are known to have an entry durably: for transaction_status.
func (r *Replicator) Acks(o crdt.Origin, seq uint64) (have, missing []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.started {
		return nil, nil
	}
	t := r.core.Acks(All, o, seq)
	return t.Reachable, t.Missing
}

// Grant takes a block of n numbers from a register and returns the first; they are start … start+n-1 and nobody else
// gets them. A register never used begins at first. A majority must be reachable, else the error is 53000.
func (r *Replicator) Grant(ctx context.Context, register string, first, n int64) (start int64, err error) {
	return r.number(ctx, register, core.NextNumber(first, n))
}

// ResetRegister sets the next number that Grant gives.
func (r *Replicator) ResetRegister(ctx context.Context, register string, value int64) error {
	_, err := r.number(ctx, register, core.SetNumber(value))
	return err
}

func (r *Replicator) number(ctx context.Context, register string, change core.Change) (int64, error) {
	if err := r.Check(Quorum, Write); err != nil {
		return 0, err
	}
	ctx, cancel := r.bounded(ctx)
	defer cancel()
	d, ok, err := r.wait(ctx, func(n *core.Node, now time.Time) (core.Ticket, bool) {
		return n.Propose(now, "number/"+register, change), false
	}, nil)
	if !ok {
		if isNotRunning(err) {
			return 0, err
		}
		if why := interrupted(ctx, err); why != nil {
			return 0, why
		}
		return 0, pgerror.New(pgerror.InsufficientResources,
			"a majority of the members did not decide in time on the next numbers of %q; safe to retry", register)
	}
	if d.Err != nil {
		return 0, d.Err
	}
	return core.Number(d.Value), nil
}

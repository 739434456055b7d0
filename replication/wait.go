package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

// waiting is what waits for a decision of the core.
type waiting struct {
	done   chan core.Done // has room for one; closed without one when until has passed
	cohort *cohort        // in place of done
	until  time.Time      // zero: for ever
}

// decide and expire end the wait. Replicator.mu is held.
func (w waiting) decide(d core.Done) {
	if w.cohort == nil {
		w.done <- d
		return
	}
	w.cohort.fresh = d.Fresh
	close(w.cohort.done)
}

func (w waiting) expire() {
	if w.cohort == nil {
		close(w.done)
		return
	}
	w.cohort.late = true
	close(w.cohort.done)
}

// pending is something that was begun on the core. Its zero value was decided at once.
type pending struct {
	ticket core.Ticket
	done   chan core.Done
}

// begin begins something on the core, to be decided within the given time, 0: whenever it is.
func (r *Replicator) begin(within time.Duration, f func(*core.Node, time.Time) (core.Ticket, bool)) (pending, error) {
	r.mu.Lock()
	defer r.unlock()
	return r.beginLocked(within, f)
}

// beginLocked is begin while r.mu is held.
func (r *Replicator) beginLocked(within time.Duration, f func(*core.Node, time.Time) (core.Ticket, bool)) (pending, error) {
	if !r.started || r.closed {
		return pending{}, notRunning()
	}
	now := r.cfg.Now()
	t, done := f(r.core, now)
	if done {
		return pending{}, nil
	}
	w := waiting{done: make(chan core.Done, 1)}
	if within > 0 {
		w.until = now.Add(within)
	}
	r.waits[t] = w
	return pending{t, w.done}, nil
}

// await waits until what was begun is decided, its time is over (errLate), or ctx ends. When it was not decided, late (if
// set) sees the core before the ticket is forgotten.
func (r *Replicator) await(ctx context.Context, p pending, late func(*core.Node, core.Ticket)) (core.Done, bool, error) {
	if p.done == nil {
		return core.Done{}, true, nil
	}
	var err error
	select {
	case d, ok := <-p.done:
		if ok {
			return d, true, nil
		}
		err = errLate
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.ctx.Done():
		err = errStopping
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.waits, p.ticket)
	select {
	case d, ok := <-p.done: // decided meanwhile
		if ok {
			return d, true, nil
		}
	default:
	}
	if late != nil {
		late(r.core, p.ticket)
	}
	r.core.Cancel(p.ticket)
	return core.Done{}, false, err
}

// wait begins something on the core and waits until it is decided or ctx ends.
func (r *Replicator) wait(ctx context.Context, f func(*core.Node, time.Time) (core.Ticket, bool),
	late func(*core.Node, core.Ticket)) (core.Done, bool, error) {
	p, err := r.begin(0, f)
	if err != nil {
		return core.Done{}, false, err
	}
	return r.await(ctx, p, late)
}

// expire ends the waits whose time is over. r.mu is held.
func (r *Replicator) expire(now time.Time) {
	for t, w := range r.waits {
		if !w.until.IsZero() && now.After(w.until) {
			delete(r.waits, t)
			w.expire()
		}
	}
}

// errLate is the end of a wait that took too long.
var errLate = errors.New("replication: not in time")

// Check refuses at once (53000) when too few members are reachable for a level.
func (r *Replicator) Check(level Level, dir Direction) error {
	if level == None {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.check(level, dir)
}

// check is Check while r.mu is held.
func (r *Replicator) check(level Level, dir Direction) error {
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
// reached it is 53000 at once; so it is after the given time (see Config.ConsistencyTimeout for 0). Nothing was written.
func (r *Replicator) Barrier(ctx context.Context, level Level, within time.Duration) error {
	b, err := r.BeginBarrier(level, within)
	if err != nil {
		return err
	}
	_, err = b.Wait(ctx)
	return err
}

// Barrier is a barrier under way. Wait ends it, and must be called.
type Barrier struct {
	r      *Replicator
	cohort *cohort
	moved  uint64 // Replicator.moved when the statement came
}

// cohort is the statements that share a barrier: one ticket of the core, one question and one answer for all of them.
type cohort struct {
	level  Level
	within time.Duration
	size   int           // protected by Replicator.joins until it has begun
	done   chan struct{} // closed once it is decided: the following are set

	moved uint64 // Replicator.moved when it began
	err   error  // why there is nothing to wait for
	late  bool   // it took too long
	fresh bool   // what was read since it began is good

	begun  bool        // the core has the ticket; this and the following are protected by Replicator.mu
	ticket core.Ticket // of the core
	leaves int         // statements that gave up
}

// BeginBarrier begins what Replicator.Barrier does; Wait is the rest of it. While others wait for a barrier, those that
// are about to want one are let in on it.
func (r *Replicator) BeginBarrier(level Level, within time.Duration) (Barrier, error) {
	if level == None {
		return Barrier{}, nil
	}
	within = r.within(within)
	b := Barrier{r: r, moved: r.moved.Load()}
	crowd := r.barriers.Add(1) > 1
	r.joins.Lock()
	if c := r.cohort; c != nil && c.level == level && c.within == within {
		c.size++
		r.joins.Unlock()
		b.cohort = c
		return b, nil
	}
	c := &cohort{level: level, within: within, size: 1, done: make(chan struct{})}
	b.cohort = c
	open := crowd && r.cohort == nil
	if open {
		r.cohort = c
	}
	r.joins.Unlock()
	if open {
		runtime.Gosched()
		r.joins.Lock()
		r.cohort = nil
		r.joins.Unlock()
	}
	if r.beginCohort(c); c.err != nil {
		r.barriers.Add(-1)
		return Barrier{}, c.err
	}
	return b, nil
}

// beginCohort begins the barrier of those who came.
func (r *Replicator) beginCohort(c *cohort) {
	r.mu.Lock()
	defer r.unlockRead()
	c.moved = r.moved.Load()
	if c.err = r.check(c.level, Read); c.err != nil {
		close(c.done)
		return
	}
	now := r.cfg.Now()
	t, done := r.core.Barrier(now, c.level)
	if done { // nobody had to be asked
		c.fresh = true
		close(c.done)
		return
	}
	c.ticket, c.begun = t, true
	r.waits[t] = waiting{cohort: c, until: now.Add(c.within)}
}

// within is the time that a wait may take, if its caller said 0.
func (r *Replicator) within(d time.Duration) time.Duration {
	return cmp.Or(d, r.cfg.ConsistencyTimeout)
}

// Wait waits until the barrier has passed. fresh says that what was read from this node since BeginBarrier is good;
// otherwise it may have come too early and must be read again.
func (b Barrier) Wait(ctx context.Context) (fresh bool, err error) {
	c := b.cohort
	if c == nil {
		return true, nil // no level
	}
	r := b.r
	defer r.barriers.Add(-1)
	select {
	case <-c.done:
		if c.err != nil {
			return false, c.err
		}
		if !c.late {
			return b.fresh(), nil
		}
		err = errLate
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-r.ctx.Done():
		err = errStopping
	}
	var tally core.Tally
	var unanswered, ahead int
	r.mu.Lock()
	c.leaves++
	if c.begun {
		tally = r.core.Reachable(c.level)
		unanswered, ahead = r.core.Behind(c.ticket)
		if c.leaves == c.size {
			delete(r.waits, c.ticket)
			r.core.Cancel(c.ticket)
		}
	}
	r.mu.Unlock()
	return false, r.behind(ctx, err, c.level, tally, unanswered, ahead)
}

// fresh says whether what this statement read since it came is good, now that the barrier has passed: the core speaks of
// what was read since the cohort began, so nothing may have become durable here between the two.
func (b Barrier) fresh() bool { return b.cohort.fresh && b.moved == b.cohort.moved }

// behind is the error of a barrier that did not pass.
func (r *Replicator) behind(ctx context.Context, err error, level Level, tally core.Tally, unanswered, ahead int) error {
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

// settled is a vector all of which is on as many members as a level asks, for as long as Replicator.moved stays the same.
type settled struct {
	level  Level
	vector crdt.Vector
	moved  uint64
}

// WriteBack returns when enough members have durably applied v, the vector of the snapshot that a statement read. A
// time-out is 53000: what the statement itself wrote, if anything, is not decided here.
func (r *Replicator) WriteBack(ctx context.Context, level Level, v crdt.Vector, within time.Duration) error {
	if level == None {
		return nil
	}
	if s := r.settled.Load(); s != nil && s.level == level && s.vector.Covers(v) && s.moved == r.moved.Load() {
		return nil // the core would say so again
	}
	r.mu.Lock()
	p, err := r.beginLocked(r.within(within), func(n *core.Node, now time.Time) (core.Ticket, bool) { return n.WriteBack(now, level, v) })
	if err == nil && p.done == nil {
		r.settled.Store(&settled{level, v, r.moved.Load()})
	}
	r.unlockRead()
	if err != nil {
		return err
	}
	var tally core.Tally
	_, ok, err := r.await(ctx, p, func(n *core.Node, _ core.Ticket) { tally = n.Reachable(level) })
	if ok {
		return nil
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
func (r *Replicator) Confirm(ctx context.Context, level Level, o crdt.Origin, seq uint64, within time.Duration) error {
	if level == None {
		return nil
	}
	var tally core.Tally
	p, err := r.begin(r.within(within), func(n *core.Node, now time.Time) (core.Ticket, bool) {
		if n.Vector()[o] < seq { // watch has not been woken yet: nobody need wait for that
			r.advance(now)
		}
		return n.Confirm(now, level, o, seq)
	})
	if err == nil {
		var ok bool
		_, ok, err = r.await(ctx, p, func(n *core.Node, _ core.Ticket) { tally = n.Acks(level, o, seq) })
		if ok {
			return nil
		}
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
	var timeout *pgerror.Error
	if errors.As(context.Cause(ctx), &timeout) && timeout.Code == pgerror.QueryCanceled { // the statement's own time is over
		return timeout
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
	b, err := r.propose(ctx, register, change)
	if err != nil {
		return 0, err
	}
	return core.Number(b), nil
}

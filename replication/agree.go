package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// Agreement: every member notes what its database is at one and the same vector, while all of them go on writing.
//
// Who asks makes sure that all answer quickly, then has each member hold back what would move its vector (its own commits, and others' entries) and say where it
// stands. The least vector that covers all of these is the one agreed on; told to everybody, each lets in the entries
// that it still lacks of it, notes, and goes on at once. So a member waits for about one round trip, and none waits for
// another's scan. Should somebody not answer, or lack too much, each goes on by itself after a short while, and the whole
// is tried again: a hold never outlasts its limit, whoever dies.

// Limits of a hold. It starts short, so that a member that answers late costs the others little, and doubles with each
// try, so that slow machines come to an agreement too.
const (
	minHold   = 250 * time.Millisecond
	maxHold   = 2 * time.Second
	agreeTime = 20 * time.Second // for all tries together, if the context sets no deadline
	maxBehind = 10_000           // a member that lacks more entries is waited for before anybody holds
)

// Witness says what this node's database is at a vector that the members agree on.
type Witness interface {
	// Hold keeps this node's own commits back until release is called, and returns when none is under way.
	Hold(ctx context.Context) (release func(), err error)
	// Note answers ask for the state at exactly v; it is called while nothing moves the store's vector, and must be
	// quick. It fails if the vector is another. round names the agreement, for later questions about that state.
	Note(ctx context.Context, round uint64, v crdt.Vector, ask []byte) ([]byte, error)
	// Answer answers a question that a member asks at any time. ask comes from outside.
	Answer(ctx context.Context, ask []byte) ([]byte, error)
}

// Testimony is one member's part in an agreement.
type Testimony struct {
	Node crdt.NodeID
	Name string
	Body []byte // what its Witness noted
	Err  error  // why it did not
}

// holding is a hold of this node's that is under way.
type holding struct {
	round   uint64
	over    chan struct{}
	release func() // of the Witness; nil while its Hold is being waited for
}

// ready says whether this node could hold soon: not while a transaction is long under way. The others would hold for
// nothing meanwhile.
func (r *Replicator) ready(ctx context.Context, limit time.Duration) error {
	r.mu.Lock()
	busy := r.holding != nil
	r.mu.Unlock()
	if busy {
		return errBusy
	}
	ctx, cancel := context.WithTimeout(ctx, limit/2)
	defer cancel()
	release, err := r.cfg.Witness.Hold(ctx)
	if err != nil {
		return errBusy
	}
	release()
	return nil
}

// hold holds everything back that would move this node's vector, for limit at most, and returns the vector.
func (r *Replicator) hold(ctx context.Context, round uint64, limit time.Duration) (crdt.Vector, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	h := &holding{round: round, over: make(chan struct{})}
	r.mu.Lock()
	if r.holding != nil {
		r.mu.Unlock()
		return nil, errBusy
	}
	if r.closed {
		r.mu.Unlock()
		return nil, errStopping
	}
	r.holding = h
	r.core.Hold()
	r.wg.Add(1) // closed is false: Close has not begun to wait
	r.mu.Unlock()
	go func() {
		defer r.wg.Done()
		t := time.NewTimer(limit)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.ctx.Done():
		case <-h.over:
			return
		}
		r.resume(round)
	}()
	soon, giveUp := context.WithTimeout(ctx, limit/2)
	release, err := r.cfg.Witness.Hold(soon)
	giveUp()
	if err != nil {
		r.resume(round)
		return nil, errBusy
	}
	r.mu.Lock()
	if r.holding != h { // it took too long
		r.mu.Unlock()
		release()
		return nil, errBusy
	}
	h.release = release
	for r.core.Applying() {
		if r.applied == nil {
			r.applied = make(chan struct{})
		}
		applied := r.applied
		r.mu.Unlock()
		select {
		case <-applied:
		case <-h.over:
			return nil, errBusy
		}
		r.mu.Lock()
	}
	r.mu.Unlock()
	return r.cfg.Store.Vector(), nil
}

// resume ends a hold. It does nothing if it has ended already.
func (r *Replicator) resume(round uint64) {
	r.mu.Lock()
	h := r.holding
	if h == nil || h.round != round {
		r.mu.Unlock()
		return
	}
	r.holding = nil
	close(h.over)
	r.core.Resume()
	r.flush()
	release := h.release
	r.mu.Unlock()
	if release != nil {
		release()
	}
}

// note lets in what v covers, has the Witness note, and ends the hold.
func (r *Replicator) note(ctx context.Context, round uint64, v crdt.Vector, ask []byte) ([]byte, error) {
	r.mu.Lock()
	h := r.holding
	if h == nil || h.round != round {
		r.mu.Unlock()
		return nil, errBusy
	}
	r.core.HoldAt(v)
	r.flush()
	r.mu.Unlock()
	defer r.resume(round)
	for {
		changed := r.cfg.Store.Changed()
		have := r.cfg.Store.Vector()
		if have.Equal(v) {
			return r.cfg.Witness.Note(ctx, round, v, ask)
		}
		if !v.Covers(have) {
			return nil, errors.New("it went beyond the agreed vector")
		}
		select {
		case <-changed:
		case <-h.over:
			return nil, errors.New("it did not reach the agreed vector in time")
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Agree has every member that can be reached answer ask at one vector, this node first and the others in the order of
// the list. Members that did not take part have an Err. It takes about three round trips, and is tried again, for as long
// as ctx lets it, while somebody is not in time.
func (r *Replicator) Agree(ctx context.Context, ask []byte) (round uint64, v crdt.Vector, out []Testimony, err error) {
	if r.cfg.Witness == nil {
		return 0, nil, nil, errors.New("replication: Config.Witness is not set")
	}
	if !r.IsMember() {
		return 0, nil, nil, notRunning()
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, agreeTime)
		defer cancel()
	}
	a := agreement{r: r, ask: ask, hold: minHold, failed: map[crdt.NodeID]int{}}
	for {
		again := a.gather()
		if !again {
			if again, err = a.try(ctx); err != nil {
				return 0, nil, nil, err
			}
			if !again {
				return a.round, a.v, a.members, nil
			}
		}
		a.tries++
		// Not all who collide may come again at one time.
		pause := time.NewTimer(time.Duration(20+randomID()%(40*uint64(min(a.tries, 8)))) * time.Millisecond)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return 0, nil, nil, fmt.Errorf("replication: the members did not come to an agreement in time: %w", a.why)
		case <-r.ctx.Done():
			pause.Stop()
			return 0, nil, nil, errStopping
		}
	}
}

// agreement is an Agree under way.
type agreement struct {
	r       *Replicator
	ask     []byte
	round   uint64
	v       crdt.Vector
	hold    time.Duration
	tries   int
	failed  map[crdt.NodeID]int // how often a member let the others wait for nothing
	why     error               // the last failure
	members []Testimony
}

// patience is how many tries may fail for one member before the others agree without it.
const patience = 8

// gather lists the members anew, and leaves out those that cannot be waited for. wait says that one is to catch up first.
func (a *agreement) gather() (wait bool) {
	r := a.r
	r.mu.Lock()
	defer r.mu.Unlock()
	a.members = []Testimony{{Node: r.self, Name: r.cfg.Name}}
	all := r.core.Vector().Clone()
	for _, m := range r.core.List().Members {
		if m.ID != r.self {
			all.Merge(r.core.Peer(m.ID).Have)
		}
	}
	for _, m := range r.core.List().Members {
		if m.ID == r.self {
			continue
		}
		t := Testimony{Node: m.ID, Name: m.Name}
		p := r.core.Peer(m.ID)
		behind := uint64(0)
		for o, n := range all {
			behind += n - min(n, p.Have[o])
		}
		switch {
		case !p.Linked:
			t.Err = errors.New("it cannot be reached")
		case p.Joining:
			t.Err = errors.New("it has joined and not caught up yet")
		case a.failed[m.ID] >= patience:
			t.Err = fmt.Errorf("it was not in time: %w", a.why)
		case behind > maxBehind:
			a.why = fmt.Errorf("%s is %d entries behind", m.Name, behind)
			a.failed[m.ID]++
			wait = true
		}
		a.members = append(a.members, t)
	}
	return wait
}

// try is one attempt; again says that somebody was not in time.
func (a *agreement) try(ctx context.Context) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	a.round, a.v = randomID(), crdt.Vector{}
	var mu sync.Mutex                                       // protects a.v
	head := slices.Clip(binary.AppendUvarint(nil, a.round)) // clipped: what is sent must not change
	limit := binary.AppendUvarint(head, uint64(a.hold))
	defer func() {
		if again {
			a.hold = min(2*a.hold, maxHold)
		}
	}()
	// One that hangs, or has a long transaction under way, is found before anybody holds.
	ok := a.each(ctx, func(ctx context.Context, t *Testimony) (err error) {
		if t.Node == a.r.self {
			return a.r.ready(ctx, a.hold)
		}
		_, err = a.r.call(ctx, t.Node, askReady, limit)
		return err
	})
	if !ok {
		return true, nil
	}
	defer func() {
		if again {
			a.abandon()
		}
	}()
	ok = a.each(ctx, func(ctx context.Context, t *Testimony) (err error) {
		var v crdt.Vector
		if t.Node == a.r.self {
			v, err = a.r.hold(ctx, a.round, a.hold)
		} else {
			var b []byte
			if b, err = a.r.call(ctx, t.Node, askHold, limit); err == nil {
				v, _, err = crdt.DecodeVector(b)
			}
		}
		if err == nil {
			mu.Lock()
			a.v.Merge(v)
			mu.Unlock()
		}
		return err
	})
	if !ok {
		return true, nil
	}
	body := append(crdt.AppendVector(head, a.v), a.ask...)
	ok = a.each(ctx, func(ctx context.Context, t *Testimony) (err error) {
		if t.Node == a.r.self {
			t.Body, err = a.r.note(ctx, a.round, a.v, a.ask)
		} else {
			t.Body, err = a.r.call(ctx, t.Node, askNote, body)
		}
		return err
	})
	return !ok, nil
}

// each asks all that take part at a time, and says whether all answered.
func (a *agreement) each(ctx context.Context, ask func(context.Context, *Testimony) error) bool {
	ctx, cancel := context.WithTimeoutCause(ctx, a.hold+100*time.Millisecond, errors.New("no answer in time"))
	defer cancel()
	errs := make([]error, len(a.members))
	var wg sync.WaitGroup
	for i := range a.members {
		if t := &a.members[i]; t.Err == nil {
			wg.Go(func() {
				if errs[i] = ask(ctx, t); errs[i] != nil && !errors.Is(errs[i], errBusy) {
					cancel() // nobody need wait for the others
				}
			})
		}
	}
	wg.Wait()
	ok := true
	for i, err := range errs {
		if err == nil {
			continue
		}
		ok = false
		if t := &a.members[i]; !errors.Is(err, context.Canceled) {
			a.why = fmt.Errorf("%s: %w", t.Name, err)
			if t.Node != a.r.self && !errors.Is(err, errBusy) {
				a.failed[t.Node]++
			}
		}
	}
	return ok
}

// abandon lets everybody go on.
func (a *agreement) abandon() {
	a.r.resume(a.round)
	head := binary.AppendUvarint(nil, a.round)
	a.r.do(func(n *core.Node, now time.Time) {
		for i := range a.members {
			if t := &a.members[i]; t.Node != a.r.self && t.Err == nil {
				n.Post(now, t.Node, core.App{What: askResume, Body: head})
			}
		}
	})
}

// Ask puts a question to the Witness of a member, this node's own included.
func (r *Replicator) Ask(ctx context.Context, member crdt.NodeID, ask []byte) ([]byte, error) {
	switch {
	case r.cfg.Witness == nil:
		return nil, errors.New("replication: Config.Witness is not set")
	case member == r.self:
		return r.cfg.Witness.Answer(ctx, ask)
	}
	return r.call(ctx, member, askLater, ask)
}

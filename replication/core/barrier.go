package core

import (
	"cmp"
	"slices"
	"time"

	"layercake/crdt"
)

// barriers are the rounds of questions under way, and the statements that wait for the next.
type barriers struct {
	last   uint64
	rounds map[uint64]*round
	next   []waiter    // arrived after the rounds under way had been asked: they wait for a later one (rule Q1)
	base   crdt.Vector // what was durable here when the first of next arrived
	old    bool        // under another list than the one in force
}

// round is one asking of the members for their vectors, shared by the statements that waited for it.
type round struct {
	id      uint64
	started time.Time
	full    bool                        // for the completion check of a member change
	scope   func(id crdt.NodeID) bool   // whom it asks, nil: all members
	asked   map[crdt.NodeID]time.Time   // when last
	replies map[crdt.NodeID]crdt.Vector // what of each reply is not applied here yet
	names   map[crdt.NodeID][]string    // registers, with full
	vectors map[crdt.NodeID]crdt.Vector // whole replies, with full
	waiters []waiter
	base    crdt.Vector // what was durable here when the first waiter arrived
	ahead   bool        // a member that replied had more than base
}

type waiter struct {
	ticket Ticket
	level  Level
}

const (
	maxAsking = 2                    // rounds that wait for replies at a time; more share the next
	askingFor = 5 * time.Millisecond // a round that waits longer for replies does not keep the next from starting
	maxRounds = 256
)

func (b *barriers) init() { b.rounds = map[uint64]*round{} }

// Barrier begins to wait until this node has durably applied all that enough members had when asked, which is after now.
// If nobody needs to be asked, done is true and there is no ticket. If the decision says Fresh, the same was durable here
// already when Barrier was called: what was read since then is good, too.
func (n *Node) Barrier(now time.Time, level Level) (t Ticket, done bool) {
	n.now = now
	if n.alone(level) && n.sure() {
		return 0, true
	}
	w := waiter{n.ticket(), level}
	if n.cfg.Knobs.JoinRunningBarrier {
		for _, id := range sortedKeys(n.barriers.rounds) {
			r := n.barriers.rounds[id]
			r.waiters = append(r.waiters, w)
			n.checkRound(r)
			return w.ticket, false
		}
	}
	if len(n.barriers.next) == 0 {
		n.barriers.base, n.lent = n.vec, true
	}
	n.barriers.next = append(n.barriers.next, w)
	n.startBarrier()
	return w.ticket, false
}

// alone says whether this node is enough for a level by itself.
func (n *Node) alone(level Level) bool {
	return met(n.groups[level], func(id crdt.NodeID) bool { return id == n.self })
}

// sure says whether this node may count itself: not while it was rolled back, or might have been (rule Q5).
func (n *Node) sure() bool { return !n.back.on && !(n.grace && n.fresh()) }

// startBarrier asks for those who wait for the next round, unless enough rounds are being asked.
func (n *Node) startBarrier() {
	b := &n.barriers
	if len(b.next) == 0 || len(b.rounds) >= maxRounds || !n.sure() {
		return
	}
	asking := 0
	for _, r := range b.rounds {
		if !r.full && n.now.Sub(r.started) < askingFor && !n.roundMet(r, func(id crdt.NodeID) bool { return r.replies[id] != nil }) {
			asking++
		}
	}
	if asking >= maxAsking {
		return
	}
	r := n.newRound()
	r.waiters, b.next, r.base = b.next, nil, b.base
	r.ahead, b.old = b.old, false
	local := !slices.ContainsFunc(r.waiters, func(w waiter) bool { return w.level != LocalQuorum })
	if local { // no question crosses to another data centre for nothing
		dc := n.list.dcOf(n.self)
		r.scope = func(id crdt.NodeID) bool { return n.list.dcOf(id) == dc }
	}
	if slices.ContainsFunc(r.waiters, func(w waiter) bool { return n.alone(w.level) }) { // it has waited to be sure
		r.ahead = true
	}
	n.ask(r)
	n.checkRound(r)
}

func (n *Node) newRound() *round {
	b := &n.barriers
	b.last++
	r := &round{id: b.last, started: n.now, asked: map[crdt.NodeID]time.Time{},
		replies: map[crdt.NodeID]crdt.Vector{}}
	b.rounds[r.id] = r
	return r
}

// roundMet says whether the members for which has is true are enough for every waiter of r.
func (n *Node) roundMet(r *round, has func(crdt.NodeID) bool) bool {
	for _, w := range r.waiters {
		if !met(n.groups[w.level], func(id crdt.NodeID) bool { return id == n.self || has(id) }) {
			return false
		}
	}
	return true
}

// ask asks as many members as r's waiters need, if they answer: first those that answer soonest. Each question costs both
// sides more than the statement that waits for it. Once it shows that an answer does not suffice, or does not come, all
// others are asked too (askRest).
func (n *Node) ask(r *round) {
	if r.full {
		n.askRest(r)
		return
	}
	asked := func(id crdt.NodeID) bool { _, ok := r.asked[id]; return ok }
	for _, p := range n.soonest() {
		if n.roundMet(r, asked) {
			return
		}
		if r.wants(n, p.id, asked) {
			n.askOne(r, p)
		}
	}
}

// askRest asks all that r may ask, can reach, and that have not been asked yet.
func (n *Node) askRest(r *round) {
	for _, p := range n.linked() {
		if _, ok := r.asked[p.id]; !ok {
			n.askOne(r, p)
		}
	}
}

// wants says whether an answer of id would bring a waiter nearer to what it needs, besides answers of those in has.
func (r *round) wants(n *Node, id crdt.NodeID, has func(crdt.NodeID) bool) bool {
	for _, w := range r.waiters {
		for _, g := range n.groups[w.level] {
			if slices.Contains(g.ids, id) && !met([]group{g}, func(id crdt.NodeID) bool { return id == n.self || has(id) }) {
				return true
			}
		}
	}
	return false
}

// soonest lists the linked peers, those first from which an answer can be expected soonest: of this data centre before
// others, whose round trip may not be known yet.
func (n *Node) soonest() []*peer {
	ps := slices.Clone(n.linked())
	late := func(p *peer) int {
		if !p.asked.IsZero() && n.now.Sub(p.asked) > askingFor {
			return 1
		}
		return 0
	}
	far := func(p *peer) int {
		if n.local(p) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(ps, func(a, b *peer) int {
		return cmp.Or(late(a)-late(b), far(a)-far(b), cmp.Compare(a.rtt, b.rtt))
	})
	return ps
}

func (n *Node) askOne(r *round, p *peer) {
	if r.replies[p.id] != nil || !n.list.Has(p.id) || r.scope != nil && !r.scope(p.id) {
		return
	}
	if n.cfg.Knobs.MergeReplies && len(r.asked) >= len(n.list.Members)/2 {
		return
	}
	r.asked[p.id] = n.now
	if p.asked.IsZero() {
		p.asked = n.now
	}
	n.send(p.id, Ask{Version: n.list.Version, Round: r.id, Full: r.full})
}

// askBarriers asks p, whose link has just come up, for all rounds under way (rule Q2).
func (n *Node) askBarriers(p *peer) {
	for _, id := range sortedKeys(n.barriers.rounds) {
		n.askOne(n.barriers.rounds[id], p)
	}
}

// lostBarriers asks others in the place of id, whose link has gone (rule Q2).
func (n *Node) lostBarriers(id crdt.NodeID) {
	for _, k := range sortedKeys(n.barriers.rounds) {
		r := n.barriers.rounds[k]
		if _, ok := r.asked[id]; ok && r.replies[id] == nil {
			n.askRest(r)
		}
	}
}

// reaskBarriers repeats questions without an answer, and asks who has not been asked yet (rule Q2).
func (n *Node) reaskBarriers() {
	for _, id := range sortedKeys(n.barriers.rounds) {
		r := n.barriers.rounds[id]
		for _, p := range n.linked() {
			if at, ok := r.asked[p.id]; !ok || n.now.Sub(at) >= n.cfg.Retry {
				n.askOne(r, p)
			}
		}
	}
}

// renewBarriers asks anew under another list. Replies under the old one do not count under the new: a member may have
// given its vector before the change was complete, so that a majority of the new list can be found none of which had
// what a majority of the old one had.
func (n *Node) renewBarriers() {
	// This node counts for what it has now. What it had when a statement began may not do under this list: a member that
	// has just joined answers with little, since the change before it was complete with what this node has got since.
	n.barriers.old = len(n.barriers.next) > 0
	for _, id := range sortedKeys(n.barriers.rounds) {
		r := n.barriers.rounds[id]
		r.ahead = true
		if !n.cfg.Knobs.KeepReplies {
			clear(r.replies)
			clear(r.asked)
		}
		n.ask(r)
		n.checkRound(r)
	}
}

// replied takes the answer to a question. Only one from a member with the very list that counts here does count; after
// an older one the question is repeated.
func (n *Node) replied(p *peer, m Reply) {
	p.asked = time.Time{}
	r := n.barriers.rounds[m.Round]
	if r == nil || r.replies[p.id] != nil || !n.list.Has(p.id) || p.away != awayNot && !(r == n.back.round && n.nobodyElse(p.id)) {
		return
	}
	if m.Version != n.list.Version {
		r.asked[p.id] = n.now.Add(50*time.Millisecond - n.cfg.Retry)
		n.askRest(r)
		return
	}
	left := crdt.Vector{}
	for o, seq := range p.have {
		if n.vec[o] < seq {
			left[o] = seq
		}
		if r.base[o] < seq && (o != n.own || n.vec[o] < seq) { // a statement need not see what was written here after it began
			r.ahead = true
		}
	}
	r.replies[p.id] = left
	if r.full {
		r.vectors[p.id] = p.have.Clone()
		r.names[p.id] = m.Registers
		if r == n.back.round {
			n.tickRollback()
			return
		}
		n.checkCompletion()
		return
	}
	if len(left) > 0 {
		n.askRest(r)
	}
	n.checkRound(r)
	n.startBarrier()
}

// advanceBarriers is called when more is durable here.
func (n *Node) advanceBarriers() {
	for _, id := range sortedKeys(n.barriers.rounds) {
		r := n.barriers.rounds[id]
		changed := false
		for _, left := range r.replies {
			for o, seq := range left {
				if n.vec[o] >= seq {
					delete(left, o)
					changed = true
				}
			}
		}
		if changed {
			n.checkRound(r)
		}
	}
}

// checkRound lets the waiters pass for which enough replies, each by itself, are covered by what is durable here. A
// reply that waits for something that died with its sender keeps nobody who has enough others (rule Q2).
func (n *Node) checkRound(r *round) {
	if r.full || n.back.on {
		return
	}
	covered := func(id crdt.NodeID) bool {
		if id == n.self {
			return true
		}
		left, ok := r.replies[id]
		return ok && len(left) == 0
	}
	if n.cfg.Knobs.MergeReplies {
		for _, left := range r.replies {
			if len(left) > 0 {
				return
			}
		}
	}
	r.waiters = slices.DeleteFunc(r.waiters, func(w waiter) bool {
		if !met(n.groups[w.level], covered) {
			return false
		}
		n.done = append(n.done, Done{Ticket: w.ticket, Fresh: !r.ahead || n.cfg.Knobs.AlwaysFresh})
		return true
	})
	if len(r.waiters) == 0 {
		delete(n.barriers.rounds, r.id)
	}
}

func (n *Node) checkBarriers() {
	for _, id := range sortedKeys(n.barriers.rounds) {
		n.checkRound(n.barriers.rounds[id])
	}
}

func (n *Node) cancelBarrier(t Ticket) {
	is := func(w waiter) bool { return w.ticket == t }
	n.barriers.next = slices.DeleteFunc(n.barriers.next, is)
	for id, r := range n.barriers.rounds {
		if r.full {
			continue
		}
		r.waiters = slices.DeleteFunc(r.waiters, is)
		if len(r.waiters) == 0 {
			delete(n.barriers.rounds, id)
		}
	}
}

// Behind says what a barrier at level that has not passed waits for: how many members have not answered, and how many
// of those that did have entries that are not applied here yet.
func (n *Node) Behind(t Ticket) (unanswered, ahead int) {
	for _, r := range n.barriers.rounds {
		if !slices.ContainsFunc(r.waiters, func(w waiter) bool { return w.ticket == t }) {
			continue
		}
		for _, m := range n.list.Members {
			if m.ID == n.self {
				continue
			}
			if left, ok := r.replies[m.ID]; !ok {
				unanswered++
			} else if len(left) > 0 {
				ahead++
			}
		}
	}
	return unanswered, ahead
}

func sortedOrigins[V any](m map[crdt.Origin]V) []crdt.Origin {
	return sortedFunc(m, crdt.Origin.Compare)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return sortedFunc(m, cmp.Compare[K]) }

// sortedFunc gives a map's keys in order. Most of the maps that are asked so often are empty.
func sortedFunc[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	if len(m) == 0 {
		return nil
	}
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}

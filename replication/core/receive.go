package core

import (
	"fmt"
	"slices"
	"time"

	"layercake/crdt"
)

// recv is an origin whose entries come in: those that wait to be applied, and who was asked for more.
type recv struct {
	origin   crdt.Origin
	pending  []crdt.Entry // in order, without a gap; the first follows what is applied or being applied
	applying uint64       // the last entry that is being applied, 0: none
	applied  uint64       // durable
	taken    int          // of pending, for the batch that is being put together

	src   crdt.NodeID // whom this node subscribed to, 0: nobody
	sub   uint64
	since time.Time // of the last arrival, or of the subscription
	part  time.Time // of the last sign that more is on its way, though not all of an entry is here yet
	hops  uint64    // by way of how many nodes that was heard
	told  time.Time // when subscribers were last told that

	stood        map[crdt.NodeID]time.Time // who let this node down, and when
	ahead        uint64                    // what others of this data centre had at the last tick
	older, newer stock                     // how it stood a while ago
	looked       time.Time
}

// letDown says whether nothing came of r from id that should have, since a time.
func (r *recv) letDown(id crdt.NodeID, since time.Time) bool {
	return r != nil && r.stood[id].After(since)
}

// next is the sequence number that is to arrive next.
func (r *recv) next() uint64 {
	if k := len(r.pending); k > 0 {
		return r.pending[k-1].Seq + 1
	}
	return max(r.applied, r.applying) + 1
}

// advanced forgets what has become durable.
func (r *recv) advanced(seq uint64) {
	r.applied = max(r.applied, seq)
	i := 0
	for i < len(r.pending) && r.pending[i].Seq <= r.applied {
		i++
	}
	r.pending = r.pending[i:]
	if len(r.pending) == 0 {
		r.pending = nil
	}
}

// blocked says why an origin's next entry cannot be applied.
type blocked struct {
	seq   uint64
	why   string
	since time.Time
	until time.Time // not tried before
}

func (n *Node) recv(o crdt.Origin) *recv {
	r := n.recvs[o]
	if r == nil {
		r = &recv{origin: o, applied: n.vec[o], since: n.now, ahead: n.ahead(o)}
		r.newer = stock{came: n.vec[o]}
		r.older = r.newer
		n.recvs[o] = r
	}
	return r
}

// dropIfIdle forgets an ended epoch that nothing more is known of, so that old epochs cost nothing.
func (n *Node) dropIfIdle(r *recv) {
	if len(r.pending) == 0 && r.applying == 0 && r.src == 0 && n.ended(r.origin) {
		delete(n.recvs, r.origin)
	}
}

// ended says whether no more of o comes from its node: a newer epoch of it is known, or it was removed.
func (n *Node) ended(o crdt.Origin) bool {
	if n.list.IsRetired(o.Node) {
		return true
	}
	e, ok := n.newest[o.Node]
	return ok && o.Compare(crdt.Origin{Node: o.Node, Epoch: e}) < 0
}

// learnEpoch notes that o exists. It returns true if it is a newer epoch of its node: then what is held back from older
// ones is dropped, and the rest of them is taken from members' logs only, by new subscriptions (rule E3).
func (n *Node) learnEpoch(o crdt.Origin) bool {
	e, ok := n.newest[o.Node]
	if ok && o.Compare(crdt.Origin{Node: o.Node, Epoch: e}) <= 0 {
		return false
	}
	n.newest[o.Node] = o.Epoch
	if o.Node == n.self {
		n.overtaken()
	}
	if !ok || n.cfg.Knobs.KeepHeld {
		return true
	}
	for _, old := range sortedOrigins(n.recvs) {
		if r := n.recvs[old]; old.Node == o.Node && old != o {
			n.forget(r)
			n.dropIfIdle(r)
		}
	}
	return true
}

func (n *Node) learnEpochs(v crdt.Vector) {
	for o := range v {
		n.learnEpoch(o)
	}
}

// receiveEntries takes entries off a link. What was not asked for in this way is dropped: it comes again if needed.
func (n *Node) receiveEntries(p *peer, m Entries) {
	n.sawVersion(p, m.Version)
	if p.chains.split[m.Origin] {
		return
	}
	n.learnEpoch(m.Origin)
	r := n.recv(m.Origin)
	if m.Sub == 0 {
		if p.id != m.Origin.Node || n.ended(m.Origin) {
			n.dropIfIdle(r)
			n.tookFrom(p, m)
			return
		}
		if r.src != p.id { // the origin sends itself: whoever stood in may stop
			n.unsubscribe(r)
		}
	} else if r.src != p.id || r.sub != m.Sub {
		n.dropIfIdle(r)
		n.tookFrom(p, m)
		return
	}
	for i := range m.List {
		e := &m.List[i]
		if e.Origin != m.Origin {
			n.block(m.Origin, r.next(), fmt.Sprintf("node %x sent what is no entry of it", p.id))
			return
		}
		if e.Seq > r.next() {
			break // after a drop: the review asks again
		}
		if e.Seq < r.next() {
			continue
		}
		if k := len(r.pending); k > 0 && e.Prev != r.pending[k-1].Hash {
			// What is held back is of another branch than this: perhaps of one that its origin has forgotten, with all that
			// it depends on. It is asked for anew, and whoever has applied some of it will find the fork.
			n.forget(r)
			break
		}
		if n.refuses(e) {
			n.split(p, m.Origin)
			n.send(p.id, Forks{n.fork.known})
			return
		}
		r.pending = append(slices.Grow(r.pending, len(m.List)-i), *e)
		r.since = n.now
	}
	n.tookFrom(p, m)
}

// forget drops what is held back of an origin. The review asks for it again.
func (n *Node) forget(r *recv) {
	n.unsubscribe(r)
	r.pending = nil
	delete(n.errs, r.origin)
}

// tookFrom counts entries as their sender's ack of them: it has them durably, else it could not have sent them (rule
// E1). So do entries that are here already and those that are dropped: the sender will not say it again.
func (n *Node) tookFrom(p *peer, m Entries) {
	if k := len(m.List); k > 0 && m.List[k-1].Origin == m.Origin && n.raiseOne(p, m.Origin, m.List[k-1].Seq) {
		n.checkRaised()
	}
}

func (n *Node) block(o crdt.Origin, seq uint64, why string) {
	b, ok := n.errs[o]
	if !ok || b.seq != seq {
		b = blocked{seq: seq, since: n.now}
	}
	b.why = why
	b.until = n.now.Add(n.cfg.Retry)
	n.errs[o] = b
}

// NextBatch returns entries that may be applied now, each after its predecessor and all it depends on, and all at once
// to share an fsync. There is one batch at a time: Applied must follow.
func (n *Node) NextBatch(now time.Time) []crdt.Entry {
	n.now = now
	if len(n.batch) > 0 || len(n.fork.queue) > 0 {
		return nil
	}
	waiting, entries := n.waiting()
	if entries == 0 {
		return nil
	}
	at := func(o crdt.Origin) uint64 { // with what the batch adds
		if r := n.recvs[o]; r != nil && r.taken > 0 {
			return r.pending[r.taken-1].Seq
		}
		return n.vec[o]
	}
	if n.single > 0 {
		entries = 1
	}
	limit, bytes := n.cfg.MaxBatch, 0
	batch := make([]crdt.Entry, 0, min(entries, maxBatchEntries))
	for progress := true; progress; {
		progress = false
		for _, r := range waiting {
			for r.taken < len(r.pending) {
				e := &r.pending[r.taken]
				if len(batch) > 0 && (bytes+len(e.Bytes) > limit || n.single > 0 || len(batch) >= maxBatchEntries) {
					progress = false
					break
				}
				if !n.ripe(e, at) {
					break
				}
				batch = append(batch, *e)
				bytes += len(e.Bytes)
				r.taken++
				progress = true
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	for _, r := range waiting {
		if k := r.taken; k > 0 {
			r.applying = r.pending[k-1].Seq
			r.pending, r.taken = r.pending[k:], 0
		}
	}
	n.batch, n.batchAt, n.batchBytes = batch, now, bytes
	if n.cfg.Knobs.AckEarly {
		ahead := crdt.Vector{}
		for _, r := range waiting {
			ahead[r.origin] = r.applying
		}
		n.Advance(now, ahead)
	}
	return batch
}

// maxBatchEntries bounds how long one batch keeps the store's writer.
const maxBatchEntries = 4096

// waiting lists the origins that have entries pending, in order, and says how many these are.
func (n *Node) waiting() (rs []*recv, entries int) {
	for _, r := range n.recvs {
		if len(r.pending) > 0 {
			rs = append(rs, r)
			entries += len(r.pending)
		}
	}
	slices.SortFunc(rs, func(a, b *recv) int { return a.origin.Compare(b.origin) })
	return rs, entries
}

// ripe says whether e may be applied when at tells what is: its predecessor and dependencies are there, and its stamp is
// not too far ahead of the clock. An entry that is too far ahead waits, with all that follows it.
func (n *Node) ripe(e *crdt.Entry, at func(crdt.Origin) uint64) bool {
	if at(e.Origin)+1 != e.Seq || n.heldBack(e) {
		return false
	}
	if b, ok := n.errs[e.Origin]; ok && n.now.Before(b.until) {
		return false
	}
	for o, seq := range e.Deps {
		if o != e.Origin && !n.dependsOn(o, seq, at) {
			return false
		}
	}
	if ahead := time.UnixMilli(int64(e.HLC >> 16)).Sub(n.now); ahead > n.cfg.MaxClockOffset {
		n.block(e.Origin, e.Seq, fmt.Sprintf("entry %d is stamped %v ahead of this node's clock, more than max_clock_offset",
			e.Seq, ahead.Round(time.Millisecond)))
		return false
	}
	return true
}

// Applied says how the last batch went: v is what is durable now. After an error what is missing is tried again, entry
// by entry, so that one that cannot be applied holds up its own origin only; Reread must follow then.
func (n *Node) Applied(now time.Time, v crdt.Vector, err error) {
	n.now = now
	batch := n.batch
	n.batch, n.batchBytes = nil, 0
	if n.single > 0 {
		n.single--
	}
	if err != nil {
		if len(batch) > 1 {
			n.single = len(batch)
		} else if len(batch) == 1 {
			n.block(batch[0].Origin, batch[0].Seq, err.Error())
		}
	}
	var back map[crdt.Origin][]crdt.Entry
	for i := range batch {
		e := &batch[i]
		if e.Seq > v[e.Origin] {
			if back == nil {
				back = map[crdt.Origin][]crdt.Entry{}
			}
			back[e.Origin] = append(back[e.Origin], *e)
		} else if b, ok := n.errs[e.Origin]; ok && b.seq <= e.Seq {
			delete(n.errs, e.Origin)
		}
	}
	for i := range batch {
		e := &batch[i]
		r := n.recvs[e.Origin]
		if r == nil {
			continue
		}
		r.applying = 0
		if b := back[e.Origin]; b != nil {
			if !n.ended(e.Origin) || n.cfg.Knobs.KeepHeld {
				r.pending = append(slices.Clone(b), r.pending...)
			} else {
				r.pending = nil
			}
			delete(back, e.Origin)
		}
	}
	if err == nil {
		n.appliedMarkers(batch, v)
	}
	n.Advance(now, v)
	for i := range batch {
		if r := n.recvs[batch[i].Origin]; r != nil {
			n.dropIfIdle(r)
		}
	}
}

// reviewAll looks at every origin that some linked peer has more of, and at those that relays are to send.
func (n *Node) reviewAll() {
	known := map[crdt.Origin]struct{}{}
	for _, p := range n.linked() {
		for o, seq := range p.have {
			if n.vec[o] < seq && (n.recvs[o] == nil || n.recvs[o].next() <= seq) {
				known[o] = struct{}{}
			}
		}
	}
	for o, r := range n.recvs {
		if _, ok := known[o]; !ok {
			r.since = n.now // nobody has more: nothing is missing
		}
		known[o] = struct{}{}
	}
	for _, m := range n.list.Members {
		if o := (crdt.Origin{Node: m.ID, Epoch: n.newest[m.ID]}); o.Epoch != (crdt.Epoch{}) && n.relayed(o) {
			known[o] = struct{}{}
		}
	}
	for _, o := range sortedOrigins(known) {
		if o == n.own {
			continue
		}
		if r := n.recv(o); n.relayed(o) {
			n.follow(r)
		} else {
			n.review(o)
		}
	}
}

// review decides who is to send o, of which some peer has more. Its node does unasked, if it is linked, of this data
// centre, and this is its newest epoch. Everything else is subscribed to at a peer that has it, or will (feed): what
// other data centres write, the entries of an unreachable origin, ended epochs, and what stopped coming.
// What this process writes comes from nobody: if a peer has more of it than is known here, it has read the log, and
// Advance is about to say so. Earlier epochs of this node may well be missing, after an old copy was restored.
func (n *Node) review(o crdt.Origin) {
	if o == n.own {
		return
	}
	r := n.recv(o)
	if r.src == 0 && !n.pushed(r) || n.stalled(r) {
		n.follow(r)
	}
	n.dropIfIdle(r)
}

// stalled says whether nothing more comes of r.
func (n *Node) stalled(r *recv) bool {
	last := r.since
	if r.part.After(last) {
		last = r.part
	}
	return len(r.pending) == 0 && r.applying == 0 && n.now.Sub(last) >= n.cfg.Stall
}

// follow subscribes to r at whom it is to be taken from now, if that is another one, or the last one let this node down.
func (n *Node) follow(r *recv) {
	stalled := n.stalled(r)
	if from := n.feeder(r); stalled && from != 0 {
		if r.stood == nil {
			r.stood = map[crdt.NodeID]time.Time{}
		}
		r.stood[from] = n.now
	}
	p := n.feed(r, stalled)
	if p == nil || p.id == r.src && !stalled {
		return
	}
	n.unsubscribe(r)
	n.subs++
	r.src, r.sub, r.since = p.id, n.subs, n.now
	n.send(p.id, Subscribe{Origin: r.origin, From: r.next(), Sub: r.sub})
}

// source picks the linked peer to ask for o from next on, of those that have it: this data centre before others (with
// local set no others), the origin's own node before others, then who has most, and not one that let us down.
func (n *Node) source(o crdt.Origin, next uint64, local bool) *peer {
	var best *peer
	rank := func(p *peer) int {
		k := 0
		if n.local(p) {
			k += 4
		}
		if p.id == o.Node {
			k += 2
		}
		if n.recvs[o].letDown(p.id, n.now.Add(-5*n.cfg.Stall)) {
			k -= 8
		}
		return k
	}
	for _, p := range n.linked() {
		if p.have[o] < next || p.trimmed[o] >= next || local && !n.local(p) {
			continue
		}
		if best == nil || rank(p) > rank(best) || rank(p) == rank(best) && p.have[o] > best.have[o] {
			best = p
		}
	}
	return best
}

func (n *Node) unsubscribe(r *recv) {
	if r.src != 0 {
		n.send(r.src, Subscribe{Origin: r.origin, From: 0, Sub: r.sub})
		r.src, r.sub = 0, 0
	}
}

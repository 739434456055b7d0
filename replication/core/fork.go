package core

import (
	"fmt"
	"math"
	"slices"
	"time"

	"layercake/crdt"
)

// A machine that is rolled back while it runs goes on writing under the epoch that it had, and so uses sequence numbers
// twice. Peers compare the hashes of their chains, at each handshake and about once a second while something changes. Where
// they differ the last common entry is looked for, and one of the two branches, that with the greater first hash, is moved to
// an origin of its own, by all who hold it (rule E5, crdt.Fork). Until that is done nothing of the origin passes between them.

// forking is what is known of forks, and what is to be done.
type forking struct {
	known crdt.Forks // durable here
	queue []crdt.Fork
	move  map[crdt.Fork]bool // whether one of queue is to be moved if it is here
	under bool
	retry time.Time
	looks []Look

	renew    bool     // a new epoch is to be begun
	renewing bool     // it is being begun
	after    crdt.HLC // later than this
}

// maxChain is how many hashes are sent at a time to find the last common entry.
const maxChain = 256

// Look is a wish to read hashes out of the log. Looked must follow.
type Look struct {
	Wants []Want
	then  func([]Hashes)
}

// Want is a part of a chain.
type Want struct {
	Origin   crdt.Origin
	From, To uint64
}

// Hashes are the short hashes of those of the entries that are known here, of trimmed ones too: First is the first's
// sequence number, 0 if there are none, and Low as far back as any is known. A hash of 0 is not known, which that of the last
// trimmed entry may be: it is taken for equal.
type Hashes struct {
	Low   uint64
	First uint64
	List  []uint64
}

func alike(a, b uint64) bool { return a == b || a == 0 || b == 0 }

func (h Hashes) last() uint64 { return h.First + uint64(len(h.List)) - 1 }

func (h Hashes) at(seq uint64) (uint64, bool) {
	if h.First == 0 || seq < h.First || seq > h.last() {
		return 0, false
	}
	return h.List[seq-h.First], true
}

// peerChains is how a peer's chains compare with those here, since its link came up.
type peerChains struct {
	split    map[crdt.Origin]bool // they differ, and it is not mended yet
	splitAt  time.Time
	compared crdt.Vector          // up to here they are the same
	heads    map[crdt.Origin]Head // what it said, not compared yet: the oldest of it, so that one that is here comes
	later    map[crdt.Origin]Head // what it said since
	said     crdt.Vector          // what it was told
	saidAt   time.Time
}

func (n *Node) knowsForks() bool { return !n.cfg.Knobs.ForgetForks }

// upChains begins the comparison on a link that has come up.
func (n *Node) upChains(p *peer) {
	p.chains = peerChains{split: map[crdt.Origin]bool{}, compared: crdt.Vector{}, heads: map[crdt.Origin]Head{}, later: map[crdt.Origin]Head{}, said: crdt.Vector{}}
	if !n.knowsForks() {
		return
	}
	if len(n.fork.known) > 0 { // before any entry: what depends on a branch is read by it
		n.send(p.id, Forks{n.fork.known})
	}
	n.sayHeads(p)
}

// lookUp asks for hashes and goes on with them, if the link is still the same.
func (n *Node) lookUp(p *peer, wants []Want, then func([]Hashes)) {
	link := p.link
	n.fork.looks = append(n.fork.looks, Look{wants, func(h []Hashes) {
		if p.linked && p.link == link {
			then(h)
		}
	}})
}

// Looks returns what is to be read, and forgets it.
func (n *Node) Looks() []Look {
	l := n.fork.looks
	n.fork.looks = nil
	return l
}

// Looked says what a Look yielded, Hashes{} for what could not be read.
func (n *Node) Looked(now time.Time, l Look, got []Hashes) {
	n.now = now
	l.then(got)
}

// sayHeads tells p the hashes of what rose here since it was told last.
func (n *Node) sayHeads(p *peer) {
	c := &p.chains
	c.saidAt = n.now
	var wants []Want
	for _, o := range sortedOrigins(n.vec) {
		if seq := n.vec[o]; seq > c.said[o] && !c.split[o] {
			wants = append(wants, Want{o, seq, seq})
			c.said[o] = seq
		}
	}
	if len(wants) == 0 {
		return
	}
	n.lookUp(p, wants, func(got []Hashes) {
		var m Heads
		for i, w := range wants {
			if h, ok := got[i].at(w.To); ok {
				m.List = append(m.List, Head{w.Origin, w.To, h})
			}
		}
		if len(m.List) > 0 {
			n.send(p.id, m)
		}
	})
}

// heardHeads notes a peer's heads; compareHeads looks at those that are not beyond what is here.
func (n *Node) heardHeads(p *peer, m Heads) {
	if !n.knowsForks() {
		return
	}
	for _, h := range m.List {
		if _, waits := p.chains.heads[h.Origin]; waits {
			p.chains.later[h.Origin] = h
		} else if h.Seq > 0 {
			p.chains.heads[h.Origin] = h
		}
	}
	n.compareHeads(p)
}

func (n *Node) compareHeads(p *peer) {
	c := &p.chains
	var wants []Want
	var heads []Head
	for _, o := range sortedOrigins(c.heads) {
		if h := c.heads[o]; h.Seq <= n.vec[o] {
			delete(c.heads, o)
			if l, ok := c.later[o]; ok {
				c.heads[o] = l
				delete(c.later, o)
			}
			wants, heads = append(wants, Want{o, h.Seq, h.Seq}), append(heads, h)
		}
	}
	if len(wants) == 0 {
		return
	}
	n.lookUp(p, wants, func(got []Hashes) {
		for i, h := range heads {
			mine, there := got[i].at(h.Seq)
			switch {
			case c.split[h.Origin] || !there: // trimmed: it is taken for the same
			case alike(mine, h.Hash):
				c.compared[h.Origin] = max(c.compared[h.Origin], h.Seq)
			default:
				n.split(p, h.Origin)
				n.sendChain(p, h.Origin, h.Seq)
			}
		}
	})
}

// split ends all exchange of an origin with a peer until its fork is mended.
func (n *Node) split(p *peer, o crdt.Origin) {
	c := &p.chains
	if c.split[o] {
		return
	}
	c.split[o] = true
	if c.splitAt.IsZero() {
		c.splitAt = n.now
	}
	delete(p.have, o)
	delete(c.compared, o)
	delete(c.heads, o)
	delete(c.later, o)
	delete(p.sends, o)
	if r := n.recvs[o]; r != nil {
		if r.src == p.id {
			n.unsubscribe(r)
		}
		r.pending = nil
	}
	n.reviewAll()
}

// sendChain sends p the hashes of the entries up to to.
func (n *Node) sendChain(p *peer, o crdt.Origin, to uint64) {
	from := uint64(1)
	if to > maxChain {
		from = to - maxChain + 1
	}
	n.lookUp(p, []Want{{o, from, to}}, func(got []Hashes) {
		if got[0].First > 0 {
			n.send(p.id, Chain{Origin: o, Low: got[0].Low, From: got[0].First, Hashes: got[0].List})
		}
	})
}

// heardChain looks for the last common entry in a part of a peer's chain, and has the one or the other branch moved.
func (n *Node) heardChain(p *peer, m Chain) {
	if !n.knowsForks() || n.vec[m.Origin] == 0 {
		return
	}
	n.split(p, m.Origin)
	o, theirs := m.Origin, Hashes{m.Low, m.From, m.Hashes}
	if len(m.Hashes) == 0 { // it cannot go back
		n.moveRest(p, o)
		return
	}
	// One more than theirs, so that how far back hashes reach is told.
	n.lookUp(p, []Want{{o, max(m.From, 2) - 1, theirs.last()}}, func(got []Hashes) {
		mine := got[0]
		if mine.First == 0 || mine.last() < m.From {
			if n.vec[o] < m.From {
				n.sendChain(p, o, n.vec[o])
			} else {
				n.send(p.id, Chain{Origin: o, Low: mine.Low})
			}
			return
		}
		low, top := max(mine.First, theirs.First), min(mine.last(), theirs.last())
		after := low - 1
		for seq := top; seq >= low; seq-- {
			a, _ := mine.at(seq)
			if b, _ := theirs.at(seq); alike(a, b) {
				if seq == top {
					return // no fork, or one that is mended already
				}
				after = seq
				break
			}
		}
		a, _ := mine.at(after + 1)
		b, _ := theirs.at(after + 1)
		switch {
		case after >= low || after == 0:
			f := crdt.Fork{Origin: o, After: after, Hash: max(a, b)} // p picks alike
			n.send(p.id, Forks{crdt.Forks{f}})
			n.learnFork(f, true)
		case mine.Low < low && m.Low < low:
			n.sendChain(p, o, low)
		case mine.Low > m.Low || mine.Low == m.Low && a < b:
			n.send(p.id, Chain{Origin: o, Low: mine.Low})
		default:
			n.moveRest(p, o)
		}
	})
}

// moveRest moves all that is left in the log of an origin, since where the fork is cannot be found out any more: the log
// that reaches less far back keeps the name.
func (n *Node) moveRest(p *peer, o crdt.Origin) {
	base := n.stab.trimmed[o]
	if base >= n.vec[o] {
		n.block(o, base, fmt.Sprintf("node %x has other entries of it, and both have trimmed them", p.id))
		return
	}
	n.lookUp(p, []Want{{o, base + 1, base + 1}}, func(got []Hashes) {
		if h, ok := got[0].at(base + 1); ok {
			n.learnFork(crdt.Fork{Origin: o, After: base, Hash: h, Loose: true}, true)
		}
	})
}

// heardForks takes what a peer knows of forks.
func (n *Node) heardForks(p *peer, m Forks) {
	if !n.knowsForks() {
		return
	}
	for _, f := range m.List {
		if !n.fork.known.Has(f) || p.chains.split[f.Origin] && !f.Loose {
			n.learnFork(f, !f.Loose)
		}
	}
}

// learnFork has a fork made durable, and its branch moved if it is here. What this node writes it writes under a new epoch
// if it is the one that was rolled back.
func (n *Node) learnFork(f crdt.Fork, move bool) {
	if slices.Contains(n.fork.queue, f) {
		n.fork.move[f] = n.fork.move[f] || move
		return
	}
	if n.fork.move == nil {
		n.fork.move = map[crdt.Fork]bool{}
	}
	n.fork.queue = append(n.fork.queue, f)
	n.fork.move[f] = move
	if f.Origin == n.own {
		n.beginEpoch(f.Origin.Epoch.First)
		n.rolledBack()
	}
}

// ForkDue returns a fork to be noted durably and, with move, whose branch is to be moved if it is here. Refiled must
// follow. It waits for the batch that is being applied, which may be of the branch, and no other begins before Refiled.
func (n *Node) ForkDue(now time.Time) (f crdt.Fork, move, ok bool) {
	n.now = now
	k := &n.fork
	if k.under || len(k.queue) == 0 || len(n.batch) > 0 || now.Before(k.retry) {
		return crdt.Fork{}, false, false
	}
	k.under = true
	return k.queue[0], k.move[k.queue[0]], true
}

// Refiled says that it is done, with the store's state since, and whether anything was moved; or why it is not.
func (n *Node) Refiled(now time.Time, f crdt.Fork, moved bool, st State, err error) {
	n.now = now
	k := &n.fork
	k.under = false
	if err != nil {
		k.retry = now.Add(n.cfg.Retry)
		return
	}
	k.queue = slices.DeleteFunc(k.queue, func(g crdt.Fork) bool { return g == f })
	delete(k.move, f)
	k.known = st.Forks
	n.stab.rereadRetired(st)
	for _, p := range n.linked() {
		n.send(p.id, Forks{k.known})
	}
	for _, o := range []crdt.Origin{f.Origin, f.Branch()} { // what is held back may be of the branch that was moved
		if r := n.recvs[o]; r != nil {
			n.unsubscribe(r)
		}
		delete(n.recvs, o)
		delete(n.errs, o)
	}
	if moved {
		n.vec, n.lent = n.vec.Clone(), false
		for _, o := range []crdt.Origin{f.Origin, f.Branch()} {
			if n.vec[o] = st.Vector[o]; n.vec[o] == 0 {
				delete(n.vec, o)
			}
		}
		n.stab.trimmed = st.Trimmed.Clone()
		if n.stab.trimmed == nil {
			n.stab.trimmed = crdt.Vector{}
		}
		n.stab.content = nil
		n.stab.learn(n.vec)
		n.learnEpochs(n.vec)
		n.Advance(now, st.Vector)
		for _, p := range n.linked() { // all is said anew
			n.closes = append(n.closes, p.id)
		}
	}
	// What is waited for may have another name now.
	n.renewBarriers()
	n.listProposalsChanged()
	n.restartRollback()
	n.reviewAll()
}

// beginEpoch has what this node writes from now on stand under a new epoch.
func (n *Node) beginEpoch(after crdt.HLC) {
	n.own = crdt.Origin{}
	n.fork.renew, n.fork.after = true, max(n.fork.after, after)
}

// RenewDue says that a new epoch is to be begun, later than after. Renewed must follow.
func (n *Node) RenewDue(now time.Time) (after crdt.HLC, ok bool) {
	k := &n.fork
	if !k.renew || k.renewing || now.Before(k.retry) {
		return 0, false
	}
	k.renew, k.renewing = false, true
	return k.after, true
}

// Renewed says that what is written from now on stands under a new epoch, or why not.
func (n *Node) Renewed(now time.Time, err error) {
	n.now = now
	k := &n.fork
	if k.renewing = false; err != nil {
		k.renew, k.retry = true, now.Add(n.cfg.Retry)
	}
}

// RenewWaits says whether RenewDue has something to be done, now or soon.
func (n *Node) RenewWaits() bool { return n.fork.renew && !n.fork.renewing }

// overtaken begins a new epoch if a later one of this node is known than the one that it writes under: a life that it has
// forgotten. Nobody would take the present one for its newest.
func (n *Node) overtaken() {
	if e := n.newest[n.self]; n.own != (crdt.Origin{}) && n.own.Compare(crdt.Origin{Node: n.self, Epoch: e}) < 0 && n.knowsForks() {
		n.beginEpoch(e.First)
	}
}

// upOwn looks whether a peer whose link has come up holds more than this node of what this life wrote. All that is durable
// here has been told by Advance, and the peer spoke before: then this machine was rolled back while it ran.
func (n *Node) upOwn(h Hello) {
	o := n.own
	if o == (crdt.Origin{}) || h.Vector[o] <= n.vec[o] || !n.knowsForks() {
		return
	}
	n.beginEpoch(o.Epoch.First)
	n.rolledBack()
}

// isBranch says whether o is not what a process writes under.
func (n *Node) isBranch(o crdt.Origin) bool {
	return n.fork.known.IsBranch(o) || crdt.Forks(n.fork.queue).IsBranch(o)
}

// mending says whether a fork, or what a rollback lost, is being mended: nothing is forgotten meanwhile.
func (n *Node) mending() bool {
	if !n.knowsForks() {
		return false
	}
	if n.back.on || len(n.fork.queue) > 0 || n.fork.renew || n.fork.renewing {
		return true
	}
	for _, p := range n.peers {
		if n.list.Has(p.id) && p.away != awayNot || p.linked && len(p.chains.split) > 0 {
			return true
		}
	}
	return false
}

// agreed is up to where the chain of o is known to be the same here and at all members for which ask is true: what a
// member says to have may be of another branch.
func (n *Node) agreed(o crdt.Origin, ask func(*peer) bool) uint64 {
	least := uint64(math.MaxUint64)
	if !n.knowsForks() {
		return least
	}
	for _, m := range n.list.Members {
		if m.ID == n.self {
			continue
		}
		if p := n.peers[m.ID]; ask(p) {
			if p == nil {
				return 0
			}
			least = min(least, p.chains.compared[o])
		}
	}
	return least
}

// refuses says whether e begins a branch that was moved.
func (n *Node) refuses(e *crdt.Entry) bool {
	return slices.ContainsFunc(n.fork.known, func(f crdt.Fork) bool { return f.Begins(e) })
}

// dependsOn says whether what e depends on of an origin is there: of one that was forked all that any linked peer has of
// each branch, as it may mean either.
func (n *Node) dependsOn(o crdt.Origin, seq uint64, at func(crdt.Origin) uint64) bool {
	if !n.fork.known.Forked(o) {
		return at(o) >= seq
	}
	return n.fork.known.MetAll(o, seq, at, func(b crdt.Origin) (most uint64) {
		for _, p := range n.peers {
			if p.linked {
				most = max(most, p.have[b])
			}
		}
		return most
	})
}

// tickChains repeats what had no answer.
func (n *Node) tickChains() {
	if !n.knowsForks() {
		return
	}
	for _, p := range n.linked() {
		n.compareHeads(p)
		if n.now.Sub(p.chains.saidAt) >= n.cfg.MarkEvery {
			n.sayHeads(p)
		}
		if len(p.chains.split) > 0 && n.now.Sub(p.chains.splitAt) > n.cfg.Stall {
			n.closes = append(n.closes, p.id)
		}
		if p.away == awayTold && n.fork.known.Covers(p.have, p.remembered) {
			p.away, p.remembered = awayNot, nil
			n.checkAllConfirms()
			n.checkWriteBacks()
			n.askBarriers(p)
		}
	}
}

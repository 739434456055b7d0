package core

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"layercake/crdt"
)

// Registers are CASPaxos (Rystsov, "CASPaxos: Replicated State Machines without logs", 2018): each is a value that a
// majority of the members agrees on, changed by a function of what it was. The member list is one of them, blocks of
// sequence numbers are others.

// MembersRegister is the name of the register that holds the member list.
const MembersRegister = "members"

// Change works out a register's next value from what it is (nil: never set). A next of nil leaves it as it is. result
// is what the proposer is told. An error refuses the change.
type Change func(cur []byte) (next, result []byte, err error)

// register is what this node has promised and accepted. It is durable before any answer speaks of it (rule E1).
type register struct {
	promised Ballot
	accepted Ballot
	value    []byte
}

func (r *register) encode() []byte {
	var w writer
	w.ballot(r.promised)
	w.ballot(r.accepted)
	w.bytes(r.value)
	return w.b
}

func decodeRegister(b []byte) (*register, error) {
	r := reader{b: b}
	g := &register{promised: r.ballot(), accepted: r.ballot(), value: bytes.Clone(r.bytes())}
	if r.bad || len(r.b) > 0 {
		return nil, ErrMalformed
	}
	return g, nil
}

// AppendNames encodes the names of registers, as the Put of RegistersKey has them.
func AppendNames(dst []byte, names []string) []byte {
	w := writer{dst}
	for _, name := range names {
		w.string(name)
	}
	return w.b
}

// DecodeNames reads what AppendNames wrote.
func DecodeNames(b []byte) ([]string, error) {
	r := reader{b: b}
	var names []string
	for len(r.b) > 0 {
		names = append(names, r.string())
	}
	if r.bad {
		return nil, ErrMalformed
	}
	return names, nil
}

// proposals are the changes under way: of each register one at a time, the others queue.
type proposals struct {
	registers map[string]*register
	queues    map[string][]*proposal
	maxN      uint64 // the greatest ballot number seen
	deferred  []deferred
	complete  uint64 // the list version whose change is known to be complete (rule C3)
	check     *completion

	looked    Ballot    // of the list that was accepted here last
	newest    uint64    // its version
	undecided time.Time // since when it has been known to be newer than the one in force; zero: it is not
}

// deferred is a message kept for later.
type deferred struct {
	from crdt.NodeID
	link uint64 // the link to from that it came over; not of register messages
	msg  Message
}

type phase uint8

const (
	idle phase = iota // begins at proposal.at
	preparing
	accepting
)

type proposal struct {
	ticket   Ticket // 0: of the completion check
	register string
	change   Change
	changeTo func(*List) (*List, error) // of the member list, instead of change

	phase    phase
	at       time.Time // of the phase's beginning; idle: when to begin
	tries    int
	ballot   Ballot
	promises map[crdt.NodeID]Promise
	accepts  map[crdt.NodeID]bool
	value    []byte
	result   []byte
	learn    bool // only what the others hold is asked for, after a rollback
	again    bool // value is one found undecided: once it is decided, the own change begins (rule C1)
}

func (ps *proposals) init(saved map[string][]byte) {
	ps.registers, ps.queues = map[string]*register{}, map[string][]*proposal{}
	for name, b := range saved {
		if g, err := decodeRegister(b); err == nil {
			ps.registers[name] = g
			ps.maxN = max(ps.maxN, g.promised.N, g.accepted.N)
		}
	}
}

// Propose begins to change a register. The decision carries Change's result, or its error.
func (n *Node) Propose(now time.Time, register string, change Change) Ticket {
	n.now = now
	p := &proposal{ticket: n.ticket(), register: register, change: change}
	n.enqueue(p)
	return p.ticket
}

// ChangeList begins to change the member list; to returns the next one, or the one it was given if nothing is to
// change. The decision carries the list in force, encoded.
func (n *Node) ChangeList(now time.Time, to func(*List) (*List, error)) Ticket {
	n.now = now
	p := &proposal{ticket: n.ticket(), register: MembersRegister, changeTo: to}
	if next, err := to(n.list); n.IsMember() && (err != nil || next == n.list) {
		// The list in force is decided: a node that is in it already must be told so even where no majority is left
		// without it, since it may be the one that is missing.
		n.decide(p.ticket, err, AppendList(nil, n.list))
		return p.ticket
	}
	n.enqueue(p)
	return p.ticket
}

func (n *Node) enqueue(p *proposal) {
	q := append(n.props.queues[p.register], p)
	n.props.queues[p.register] = q
	p.at = n.now
	if len(q) == 1 {
		n.begin(p)
	}
}

// begin opens a ballot, unless a member change has to wait until the last one is complete (rule C3).
func (n *Node) begin(p *proposal) {
	p.phase, p.at, p.again = idle, n.now.Add(n.cfg.Retry), false
	if !n.IsMember() || n.back.on && !p.learn {
		return
	}
	if p.changeTo != nil && !n.listComplete() {
		return
	}
	n.props.maxN++
	p.phase, p.at = preparing, n.now
	p.ballot = Ballot{n.props.maxN, n.self}
	p.promises, p.accepts = map[crdt.NodeID]Promise{}, map[crdt.NodeID]bool{}
	n.toMembers(Prepare{Version: n.list.Version, Register: p.register, Ballot: p.ballot})
}

// toMembers sends to all members that are linked, then to this node itself.
func (n *Node) toMembers(m Message) {
	for _, p := range n.linked() {
		if n.list.Has(p.id) {
			n.send(p.id, m)
		}
	}
	n.send(n.self, m)
}

// restart begins p again after a while that grows, with chance in it, so that two proposers do not chase each other.
func (n *Node) restart(p *proposal) {
	p.tries++
	wait := time.Duration(1+n.cfg.Rand.IntN(10*min(p.tries, 20))) * time.Millisecond
	p.phase, p.at = idle, n.now.Add(wait)
}

// receiveRegister takes the four messages of registers.
func (n *Node) receiveRegister(from crdt.NodeID, m Message) {
	var version uint64
	switch m := m.(type) {
	case Prepare:
		version = m.Version
	case Promise:
		version = m.Version
	case Accept:
		version = m.Version
	case Accepted:
		version = m.Version
	default:
		return
	}
	if p := n.peers[from]; p != nil {
		n.sawVersion(p, version)
	}
	if p := n.peers[from]; p != nil && p.away != awayNot {
		_, asks := m.(Prepare)
		_, answers := m.(Promise)
		if (!asks || p.away != awayKnows) && !(answers && n.nobodyElse(from)) { // it may ask what the others hold
			return
		}
	}
	if version != n.list.Version {
		if version > n.list.Version && len(n.props.deferred) < 1024 {
			n.props.deferred = append(n.props.deferred, deferred{from: from, msg: m})
		}
		return // whoever is behind is told the newer list, and repeats
	}
	if _, ok := m.(Prepare); n.back.on && !(ok && n.nobodyElse(from)) { // rule Q5: no ballot is answered, not even its own
		if m, ok := m.(Promise); ok {
			n.promised(from, m)
		}
		return
	}
	switch m.(type) {
	case Prepare, Accept:
		if n.tooEarly(from, m) {
			return
		}
	}
	switch m := m.(type) {
	case Prepare:
		n.prepare(from, m)
	case Promise:
		n.promised(from, m)
	case Accept:
		n.accept(from, m)
	case Accepted:
		n.accepted(from, m)
	}
}

// acceptor returns this node's state of a register; a new one's name is made durable before its state is.
func (n *Node) acceptor(name string) *register {
	g := n.props.registers[name]
	if g == nil {
		g = &register{}
		n.props.registers[name] = g
		n.puts = append(n.puts, Put{Key: RegistersKey, Val: AppendNames(nil, n.registerNames())})
	}
	return g
}

func (n *Node) registerNames() []string { return slices.Sorted(maps.Keys(n.props.registers)) }

func (n *Node) prepare(from crdt.NodeID, m Prepare) {
	g := n.acceptor(m.Register)
	n.props.maxN = max(n.props.maxN, m.Ballot.N)
	answer := Promise{Version: m.Version, Register: m.Register, Ballot: m.Ballot}
	if m.Ballot.Less(g.promised) {
		answer.Promised = g.promised
		n.send(from, answer)
		return
	}
	g.promised = m.Ballot
	answer.OK, answer.Accepted, answer.Value = true, g.accepted, g.value
	n.puts = append(n.puts, Put{Key: RegisterKey(m.Register), Val: g.encode(), to: from, msg: answer})
}

func (n *Node) accept(from crdt.NodeID, m Accept) {
	g := n.acceptor(m.Register)
	n.props.maxN = max(n.props.maxN, m.Ballot.N)
	answer := Accepted{Version: m.Version, Register: m.Register, Ballot: m.Ballot}
	if m.Ballot.Less(g.promised) {
		answer.Promised = g.promised
		n.send(from, answer)
		return
	}
	g.promised, g.accepted, g.value = m.Ballot, m.Ballot, bytes.Clone(m.Value)
	answer.OK = true
	n.puts = append(n.puts, Put{Key: RegisterKey(m.Register), Val: g.encode(), to: from, msg: answer})
}

// active returns the proposal that an answer belongs to.
func (n *Node) active(name string, b Ballot, ph phase) *proposal {
	if q := n.props.queues[name]; len(q) > 0 && q[0].phase == ph && q[0].ballot == b {
		return q[0]
	}
	return nil
}

// majority says whether the members for which has is true are one, each counted once (rule Q3).
func (n *Node) majority(has func(crdt.NodeID) bool) bool { return met(n.groups[Quorum], has) }

func (n *Node) promised(from crdt.NodeID, m Promise) {
	p := n.active(m.Register, m.Ballot, preparing)
	if p == nil {
		return
	}
	if !m.OK {
		n.props.maxN = max(n.props.maxN, m.Promised.N)
		n.restart(p)
		return
	}
	p.promises[from] = m
	if p.learn {
		n.learned(p)
		return
	}
	has := func(id crdt.NodeID) bool { _, ok := p.promises[id]; return ok }
	if n.cfg.Knobs.CountMessages { // a promise repeated is a promise counted
		p.tries++
		if p.tries <= len(n.list.Members)/2 {
			return
		}
	} else if !n.majority(has) {
		return
	}
	var top Promise
	decided := true
	for _, q := range p.promises {
		if top.Accepted.Less(q.Accepted) {
			top = q
		}
	}
	for _, q := range p.promises {
		decided = decided && q.Accepted == top.Accepted
	}
	if p.changeTo != nil {
		n.proposeList(p, top.Value)
		return
	}
	if p.change == nil || (!decided && top.Value != nil) { // rule C1; and what the completion check spreads
		p.value, p.again = top.Value, p.change != nil
		if top.Value == nil {
			n.finish(p, nil, nil)
			return
		}
		n.propose(p)
		return
	}
	next, result, err := p.change(top.Value)
	if err != nil || next == nil {
		n.finish(p, err, result)
		return
	}
	p.value, p.result = next, result
	n.propose(p)
}

func (n *Node) propose(p *proposal) {
	p.phase, p.at = accepting, n.now
	n.toMembers(Accept{Version: n.list.Version, Register: p.register, Ballot: p.ballot, Value: p.value})
}

// proposeList goes on with a member change once a majority has promised. A list one version newer than the one in force
// may or may not be decided: it is completed first (rule C1).
func (n *Node) proposeList(p *proposal, found []byte) {
	if found != nil && !n.cfg.Knobs.ForgetUndecided {
		l, err := DecodeList(found)
		if err != nil || l == nil || l.Version > n.list.Version+1 {
			n.restart(p) // a newer list is on its way to this node
			return
		}
		if l.Version == n.list.Version+1 {
			p.value, p.again = found, true
			n.propose(p)
			return
		}
	}
	next, err := p.changeTo(n.list)
	if err != nil || next == n.list {
		n.finish(p, err, AppendList(nil, n.list))
		return
	}
	p.value = AppendList(nil, next)
	p.result = p.value
	n.propose(p)
}

func (n *Node) accepted(from crdt.NodeID, m Accepted) {
	p := n.active(m.Register, m.Ballot, accepting)
	if p == nil {
		return
	}
	if !m.OK {
		n.props.maxN = max(n.props.maxN, m.Promised.N)
		n.restart(p)
		return
	}
	p.accepts[from] = true
	if !n.majority(func(id crdt.NodeID) bool { return p.accepts[id] }) {
		return
	}
	if p.changeTo != nil {
		if l, err := DecodeList(p.value); err == nil {
			n.Adopt(n.now, l)
		}
	}
	if p.again {
		p.phase, p.at, p.again = idle, n.now, false // the own change follows
		if p.changeTo != nil {
			p.at = n.now.Add(n.cfg.Retry) // or as soon as the list is adopted
		} else {
			n.begin(p)
		}
		return
	}
	n.finish(p, nil, p.result)
}

// finish decides a proposal and begins the next of its register.
func (n *Node) finish(p *proposal, err error, result []byte) {
	if p.ticket != 0 {
		n.decide(p.ticket, err, result)
	}
	n.drop(p)
	if c := n.props.check; c != nil && p.ticket == 0 {
		delete(c.spreading, p.register)
		n.checkCompletion()
	}
}

func (n *Node) drop(p *proposal) {
	q := slices.DeleteFunc(n.props.queues[p.register], func(o *proposal) bool { return o == p })
	if len(q) == 0 {
		delete(n.props.queues, p.register)
		return
	}
	n.props.queues[p.register] = q
	if q[0].phase == idle {
		n.begin(q[0])
	}
}

func (n *Node) cancelProposal(t Ticket) {
	for _, q := range n.props.queues {
		for _, p := range q {
			if p.ticket == t {
				n.drop(p)
				return
			}
		}
	}
}

// completeList finds out about a list that was accepted here and of whose decision nobody has told: the proposer may have
// crashed, and a removal that its user was told of would never come into force, since nobody proposes another change. The
// members try one after the other.
func (n *Node) completeList() {
	ps := &n.props
	g := ps.registers[MembersRegister]
	if g == nil || g.value == nil || !n.IsMember() || n.back.on || len(ps.queues[MembersRegister]) > 0 {
		ps.undecided = time.Time{}
		return
	}
	if g.accepted != ps.looked {
		ps.looked, ps.newest = g.accepted, 0
		if l, err := DecodeList(g.value); err == nil && l != nil {
			ps.newest = l.Version
		}
	}
	turn := slices.IndexFunc(n.list.Members, func(m Member) bool { return m.ID == n.self })
	switch {
	case ps.newest <= n.list.Version:
		ps.undecided = time.Time{}
	case ps.undecided.IsZero():
		ps.undecided = n.now
	case n.now.Sub(ps.undecided) >= time.Duration(4+turn)*n.cfg.Retry:
		ps.undecided = time.Time{}
		n.enqueue(&proposal{ticket: n.ticket(), register: MembersRegister, changeTo: func(l *List) (*List, error) { return l, nil }})
	}
}

// tickProposals begins what is due and repeats what got no answer.
func (n *Node) tickProposals() {
	n.completeList()
	for _, name := range slices.Sorted(maps.Keys(n.props.queues)) {
		p := n.props.queues[name][0]
		switch {
		case p.phase == idle && !n.now.Before(p.at):
			n.begin(p)
		case p.phase != idle && n.now.Sub(p.at) >= n.cfg.Retry:
			n.restart(p)
		}
	}
}

// nudgeProposals tells a peer that has just come up what is being asked.
func (n *Node) nudgeProposals(p *peer) {
	if !n.list.Has(p.id) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(n.props.queues)) {
		switch q := n.props.queues[name][0]; q.phase {
		case preparing:
			n.send(p.id, Prepare{Version: n.list.Version, Register: name, Ballot: q.ballot})
		case accepting:
			n.send(p.id, Accept{Version: n.list.Version, Register: name, Ballot: q.ballot, Value: q.value})
		}
	}
}

// listProposalsChanged is called when a new list is in force: ballots under the old one are void.
func (n *Node) listProposalsChanged() {
	n.props.check = nil
	for id, r := range n.barriers.rounds {
		if r.full {
			delete(n.barriers.rounds, id)
		}
	}
	waiting := n.props.deferred
	n.props.deferred = nil
	for _, name := range slices.Sorted(maps.Keys(n.props.queues)) {
		q := slices.DeleteFunc(n.props.queues[name], func(p *proposal) bool { return p.ticket == 0 })
		if len(q) == 0 {
			delete(n.props.queues, name)
			continue
		}
		n.props.queues[name] = q
	}
	for _, name := range slices.Sorted(maps.Keys(n.props.queues)) { // which may begin another completion check, with proposals of its own
		if q := n.props.queues[name]; len(q) > 0 {
			n.begin(q[0])
		}
	}
	for _, d := range waiting {
		n.receiveRegister(d.from, d.msg)
	}
}

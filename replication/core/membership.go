package core

import (
	"slices"

	"layercake/crdt"
	"layercake/pgerror"
)

// completion is the check that the last member change is complete (rule C3): a majority of the members has durably
// applied all that a majority of the members before had, once these had adopted the list (rule C2), and every register's
// accepted state has been accepted again by a majority. In a data centre whose members changed the same holds for its
// own majorities, so that local_quorum and each_quorum keep their promise over changes too. What a majority of the
// members before had is known from as many as meet each of their majorities: half of them, since one that was removed
// may never answer.
type completion struct {
	round     *round
	target    crdt.Vector // nil until a majority of the members before has answered
	spreading map[string]bool
}

// listComplete says whether the change that led to the list in force is complete, and begins to find out.
func (n *Node) listComplete() bool {
	ps := &n.props
	if ps.complete >= n.list.Version || len(n.list.Before) == 0 || n.cfg.Knobs.ChangeEarly {
		return true
	}
	if ps.check == nil {
		r := n.newRound()
		r.full, r.vectors, r.names = true, map[crdt.NodeID]crdt.Vector{}, map[crdt.NodeID][]string{}
		ps.check = &completion{round: r}
		n.ask(r)
		n.checkCompletion()
	}
	return ps.complete >= n.list.Version
}

func (n *Node) checkCompletion() {
	ps := &n.props
	c := ps.check
	if c == nil {
		return
	}
	if c.target == nil {
		before, _ := n.changeGroups()
		answered := func(id crdt.NodeID) bool { return id == n.self || c.round.vectors[id] != nil }
		if !met(before, answered) {
			return
		}
		c.target = n.vec.Clone()
		c.spreading = map[string]bool{}
		for _, name := range n.registerNames() {
			c.spreading[name] = true
		}
		for id, v := range c.round.vectors {
			c.target.Merge(v)
			for _, name := range c.round.names[id] {
				c.spreading[name] = true
			}
		}
		delete(c.spreading, MembersRegister) // the adopted list itself stands for it
		for _, name := range sortedKeys(c.spreading) {
			n.enqueue(&proposal{register: name})
		}
		if ps.check != c {
			return
		}
	}
	_, after := n.changeGroups()
	if len(c.spreading) > 0 || !met(after, func(id crdt.NodeID) bool {
		if id == n.self {
			return n.fork.known.Covers(n.vec, c.target)
		}
		p := n.peers[id]
		return p != nil && p.version == n.list.Version && n.fork.known.Covers(p.have, c.target)
	}) {
		return
	}
	ps.complete, ps.check = n.list.Version, nil
	delete(n.barriers.rounds, c.round.id)
	if q := ps.queues[MembersRegister]; len(q) > 0 && q[0].phase == idle {
		n.begin(q[0])
	}
}

// changeGroups gives the conditions of completion: whose answers are needed, and who must have what they say.
func (n *Node) changeGroups() (before, after []group) {
	l := n.list
	before = []group{meetingMajorities(l.Before)}
	after = slices.Clone(n.groups[Quorum])
	if n.cfg.Knobs.ForgetCentres {
		return before, after
	}
	for _, dc := range l.DCs() {
		now := l.inDC(dc)
		then := slices.DeleteFunc(slices.Clone(now), func(id crdt.NodeID) bool { return !slices.Contains(l.Before, id) })
		same := len(then) == len(now)
		for _, r := range l.Retired {
			if r.DC == dc && slices.Contains(l.Before, r.ID) {
				then, same = append(then, r.ID), false
			}
		}
		if len(then) > 0 && !same {
			before = append(before, meetingMajorities(then))
			after = append(after, majorityOf(now))
		}
	}
	return before, after
}

func majorityOf(ids []crdt.NodeID) group { return group{ids: ids, need: len(ids)/2 + 1} }

// meetingMajorities is the condition of having at least one member of each majority of ids.
func meetingMajorities(ids []crdt.NodeID) group { return group{ids: ids, need: (len(ids) + 1) / 2} }

// WithMember is a change for ChangeList: m is a member, with these addresses. A name that another id has is refused, and so
// is another data centre than the one that it joined in.
func WithMember(m Member) func(*List) (*List, error) {
	return func(l *List) (*List, error) {
		if l.IsRetired(m.ID) {
			return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState,
				"the node id %016x was removed from this cluster and is retired for good", uint64(m.ID)).
				WithHint("It can come back only as a new node, with an empty data folder.")
		}
		if o, ok := l.ByName(m.Name); ok && o.ID != m.ID {
			return nil, pgerror.New(pgerror.DuplicateObject,
				"the name %q belongs to another member of this cluster (id %016x, at %s)", m.Name, uint64(o.ID), o.RPCAddr).
				WithHint("Choose another name. Names are not given twice, even if their node is down.")
		}
		o, ok := l.Member(m.ID)
		switch {
		case ok && o == m:
			return l, nil
		case ok && o.DC != m.DC: // it would count in majorities of a data centre that has not completed a change with it
			return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "%s is a member in data centre %q and cannot move to %q", m.Name, o.DC, m.DC).
				WithHint("Remove it and let it join anew, with an empty data folder.")
		}
		return l.with(m), nil
	}
}

// WithoutMember is a change for ChangeList: the member is removed and its id retired. A cluster keeps its last member.
func WithoutMember(id crdt.NodeID) func(*List) (*List, error) {
	return func(l *List) (*List, error) {
		m, ok := l.Member(id)
		switch {
		case !ok && l.IsRetired(id):
			return l, nil
		case !ok:
			return nil, pgerror.New(pgerror.UndefinedObject, "the node %016x is not a member of this cluster", uint64(id))
		case len(l.Members) == 1:
			return nil, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "%s is the last member of its cluster", m.Name)
		}
		return l.without(m), nil
	}
}

// FirstList is the list of a new cluster, of one member.
func FirstList(id ClusterID, m Member) *List {
	return &List{Cluster: id, Version: 1, Members: []Member{m}}
}

package core

import (
	"cmp"
	"slices"

	"layercake/crdt"
)

// ClusterID names a cluster for ever: random, given when its first node creates it. 0 is none.
type ClusterID uint64

// Member is one row of the member list: a node that counts in the denominators of levels, up or down.
type Member struct {
	ID         crdt.NodeID
	Name       string // unique within the cluster
	DC         string // data centre
	RPCAddr    string // host:port of replication
	PGAddr     string // host:port of the PostgreSQL protocol, for the views
	GossipAddr string // host:port of memberlist
}

// List is the member list: a value with a version, decided by a majority of the members of the version before it. A
// List is never changed once made.
type List struct {
	Cluster ClusterID
	Version uint64 // from 1; 0 is no list
	Members []Member
	// Before are the members of the version before: a majority of them held what must reach a majority of these before
	// the next change may begin (rule C3).
	Before []crdt.NodeID
	// Retired are the members that were removed. Their ids are never given again.
	Retired []Retired
}

// Retired is a member that was removed, or left.
type Retired struct {
	ID   crdt.NodeID
	Name string
	DC   string
}

// IsRetired says whether id was a member once and is none any more.
func (l *List) IsRetired(id crdt.NodeID) bool {
	return slices.ContainsFunc(l.Retired, func(r Retired) bool { return r.ID == id })
}

// Member returns the member with this id.
func (l *List) Member(id crdt.NodeID) (Member, bool) {
	for _, m := range l.Members {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// ByName returns the member with this name.
func (l *List) ByName(name string) (Member, bool) {
	for _, m := range l.Members {
		if m.Name == name {
			return m, true
		}
	}
	return Member{}, false
}

// Has says whether id is a member.
func (l *List) Has(id crdt.NodeID) bool {
	_, ok := l.Member(id)
	return ok
}

// DCs lists the data centres, sorted.
func (l *List) DCs() []string {
	var dcs []string
	for _, m := range l.Members {
		dcs = append(dcs, m.DC)
	}
	slices.Sort(dcs)
	return slices.Compact(dcs)
}

func (l *List) ids() []crdt.NodeID {
	ids := make([]crdt.NodeID, len(l.Members))
	for i, m := range l.Members {
		ids[i] = m.ID
	}
	return ids
}

func (l *List) others(self crdt.NodeID) []crdt.NodeID {
	return slices.DeleteFunc(l.ids(), func(id crdt.NodeID) bool { return id == self })
}

func (l *List) dcOf(id crdt.NodeID) string {
	m, _ := l.Member(id)
	return m.DC
}

// alone says whether all members are of id's data centre.
func (l *List) alone(id crdt.NodeID) bool {
	dc := l.dcOf(id)
	return !slices.ContainsFunc(l.Members, func(m Member) bool { return m.DC != dc })
}

// relays lists the members of a data centre in the order in which they are to relay a node's entries: by id, from
// another one for each node outside, so that they share the work.
func (l *List) relays(dc string, node crdt.NodeID) []crdt.NodeID {
	ids := l.inDC(dc)
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	first := 0
	for _, m := range l.Members {
		if m.DC != dc && m.ID < node {
			first++
		}
	}
	first %= len(ids)
	return append(ids[first:len(ids):len(ids)], ids[:first]...)
}

func (l *List) inDC(dc string) []crdt.NodeID {
	var ids []crdt.NodeID
	for _, m := range l.Members {
		if m.DC == dc {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// with returns the next version of l in which m stands under its id, added or replaced.
func (l *List) with(m Member) *List {
	next := &List{Cluster: l.Cluster, Version: l.Version + 1, Before: l.ids(), Retired: l.Retired}
	for _, o := range l.Members {
		if o.ID != m.ID {
			next.Members = append(next.Members, o)
		}
	}
	next.Members = append(next.Members, m)
	slices.SortFunc(next.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return next
}

// without returns the next version of l, in which m is no member any more.
func (l *List) without(m Member) *List {
	next := &List{Cluster: l.Cluster, Version: l.Version + 1, Before: l.ids()}
	next.Members = slices.DeleteFunc(slices.Clone(l.Members), func(o Member) bool { return o.ID == m.ID })
	next.Retired = append(slices.Clone(l.Retired), Retired{m.ID, m.Name, m.DC})
	return next
}

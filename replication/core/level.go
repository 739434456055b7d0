package core

import (
	"strings"

	"layercake/crdt"
	"layercake/pgerror"
)

// Level is how many members a statement waits for.
type Level uint8

// The levels, from the weakest. Their denominators are always the configured members, never those that seem alive.
const (
	None        Level = iota // this node
	One                      // this node and one other
	Two                      // this node and two others
	Three                    // this node and three others
	Quorum                   // a majority of the members, this node counted
	LocalQuorum              // a majority of this data centre's members
	EachQuorum               // a majority in every data centre
	All                      // every member
)

var levelNames = [...]string{"none", "one", "two", "three", "quorum", "local_quorum", "each_quorum", "all"}

// LevelNames lists the levels as users write them, the weakest first.
func LevelNames() []string { return append([]string(nil), levelNames[:]...) }

// String gives the level as users write it.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "invalid"
}

// ParseLevel reads a level as users write it, in any case; local is another word for none. Anything else is 22023.
func ParseLevel(s string) (Level, error) {
	w := strings.ToLower(strings.TrimSpace(s))
	if w == "local" {
		return None, nil
	}
	for i, name := range levelNames {
		if w == name {
			return Level(i), nil
		}
	}
	return None, pgerror.New(pgerror.InvalidParameterValue, "invalid consistency level: %q", s).
		WithHint("Valid levels are %s.", strings.Join(levelNames[:], ", "))
}

// group is one condition of a level: at least need of the members in ids.
type group struct {
	dc   string // set for a data centre's group
	ids  []crdt.NodeID
	need int
}

// groups gives the conditions that level l means for self under list. None has none.
func (l Level) groups(list *List, self crdt.NodeID) []group {
	majority := func(ids []crdt.NodeID) int { return len(ids)/2 + 1 }
	switch l {
	case One, Two, Three:
		return []group{{ids: list.others(self), need: int(l)}}
	case Quorum:
		ids := list.ids()
		return []group{{ids: ids, need: majority(ids)}}
	case All:
		ids := list.ids()
		return []group{{ids: ids, need: len(ids)}}
	case LocalQuorum:
		dc := list.dcOf(self)
		ids := list.inDC(dc)
		return []group{{dc: dc, ids: ids, need: majority(ids)}}
	case EachQuorum:
		var gs []group
		for _, dc := range list.DCs() {
			ids := list.inDC(dc)
			gs = append(gs, group{dc: dc, ids: ids, need: majority(ids)})
		}
		return gs
	}
	return nil
}

// met says whether the members for which has is true satisfy every group. Each member counts once, whatever it sent and
// how often (rule Q3).
func met(gs []group, has func(crdt.NodeID) bool) bool {
	for _, g := range gs {
		n := 0
		for _, id := range g.ids {
			if has(id) {
				n++
			}
		}
		if n < g.need {
			return false
		}
	}
	return true
}

// Tally is how far a level is from being met.
type Tally struct {
	Level     Level
	Needed    int      // members needed, this node counted where the level counts it
	Have      int      // members that count, never more than Needed for a group
	Of        int      // members that the level asks among
	DC        string   // the first data centre that lacks members, for local_quorum and each_quorum
	Reachable []string // names of members that count
	Missing   []string // names of members that do not
}

// Met says whether the level is reached.
func (t Tally) Met() bool { return t.Have >= t.Needed }

// tally counts members for which has is true, for messages to people.
func tally(l Level, list *List, self crdt.NodeID, has func(crdt.NodeID) bool) Tally {
	t := Tally{Level: l}
	for _, g := range l.groups(list, self) {
		n := 0
		for _, id := range g.ids {
			m, _ := list.Member(id)
			if has(id) {
				n++
				t.Reachable = append(t.Reachable, m.Name)
			} else {
				t.Missing = append(t.Missing, m.Name)
			}
		}
		if n < g.need && t.DC == "" {
			t.DC = g.dc
		}
		t.Needed += g.need
		t.Of += len(g.ids)
		t.Have += min(n, g.need)
	}
	return t
}

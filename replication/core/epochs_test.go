package core_test

import (
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// Two nodes, of which the second has had an earlier life, ended after entry 5, when this node wrote its last marker.
var (
	here     = origin(1, 1)
	ended    = origin(2, 1)
	newLife  = origin(2, 9)
	stranger = origin(3, 1)
)

func epochsNode(list *core.List, st core.State, knobs core.Knobs) *core.Node {
	knobs.ForgetForks = true // nobody is there to compare chains with
	st.List = list
	return core.New(core.Config{Self: list.Members[0], Knobs: knobs}, st, simEpoch)
}

// TestS2EpochsAreRetired once all markers of the list in force know what followed, and name the same last entry.
func TestS2EpochsAreRetired(t *testing.T) {
	mark := func(o crdt.Origin, seq, list uint64, v crdt.Vector) crdt.Marked {
		return crdt.Marked{Marker: crdt.Marker{List: list, Vector: v}, Origin: o, Seq: seq}
	}
	all := crdt.Vector{here: 5, ended: 5, newLife: 1}
	full := crdt.Vector{here: 6, ended: 5, newLife: 2}
	for name, test := range map[string]struct {
		vector     crdt.Vector
		own, other crdt.Marked
		forks      crdt.Forks
		gone       bool // the other node was removed
		want       bool
	}{
		"all know all":                  {vector: full, own: mark(here, 6, 1, all), other: mark(newLife, 2, 1, all), want: true},
		"this node has said less":       {vector: full, own: mark(here, 6, 1, crdt.Vector{here: 5, ended: 4, newLife: 1}), other: mark(newLife, 2, 1, all)},
		"the other has said less":       {vector: full, own: mark(here, 6, 1, all), other: mark(newLife, 2, 1, crdt.Vector{here: 5, ended: 4, newLife: 1})},
		"the other has said more":       {vector: full, own: mark(here, 6, 1, all), other: mark(newLife, 2, 1, crdt.Vector{here: 5, ended: 6, newLife: 1})},
		"this node has more by now":     {vector: crdt.Vector{here: 6, ended: 6, newLife: 2}, own: mark(here, 6, 1, all), other: mark(newLife, 2, 1, all)},
		"under another list":            {vector: full, own: mark(here, 6, 1, all), other: mark(newLife, 2, 0, all)},
		"the other's of its old life":   {vector: full, own: mark(here, 6, 1, all), other: mark(ended, 5, 1, crdt.Vector{here: 5})},
		"own does not know the new one": {vector: full, own: mark(here, 6, 1, crdt.Vector{here: 5, ended: 5}), other: mark(newLife, 2, 1, all)},
		"it forked": {vector: full, own: mark(here, 6, 1, all), other: mark(newLife, 2, 1, all),
			forks: crdt.Forks{{Origin: ended, After: 2, Hash: 1 << 40}}},
		"of a node that was removed":          {vector: crdt.Vector{here: 6, ended: 5}, own: mark(here, 6, 1, crdt.Vector{here: 5, ended: 5}), gone: true, want: true},
		"of one that was removed, said less":  {vector: crdt.Vector{here: 6, ended: 5}, own: mark(here, 6, 1, crdt.Vector{here: 5, ended: 4}), gone: true},
		"nobody has anything of it any more":  {vector: crdt.Vector{here: 6, newLife: 2}, own: mark(here, 6, 1, crdt.Vector{here: 5, newLife: 1}), other: mark(newLife, 2, 1, all)},
		"own marker is of this node's past":   {vector: crdt.Vector{origin(1, 0): 3, ended: 5, newLife: 2}, own: mark(origin(1, 0), 3, 1, crdt.Vector{ended: 5, newLife: 1}), other: mark(newLife, 2, 1, crdt.Vector{origin(1, 0): 3, ended: 5}), want: true},
		"the other has not heard of this one": {vector: full, own: mark(here, 6, 1, all), other: crdt.Marked{}},
	} {
		list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
		if test.gone {
			list.Members, list.Retired = list.Members[:1], []core.Retired{{ID: 2}}
		}
		st := core.State{Vector: test.vector, Forks: test.forks, Markers: map[crdt.NodeID]crdt.Marked{1: test.own}}
		if test.other.Seq > 0 {
			st.Markers[2] = test.other
		}
		m, _ := epochsNode(list, st, core.Knobs{}).MarkerDue(simEpoch)
		if last := m.Retired[ended]; (last > 0) != test.want || last > 0 && (last != 5 || m.Vector[ended] != 5) {
			t.Errorf("%s: retired %v, the marker names %v", name, m.Retired, m.Vector)
		}
	}
}

// TestS2ARetiredEpochIsLeftOut of markers, and read as had where a marker leaves it out; but not where more of it is known:
// its machine was rolled back as it ran.
func TestS2ARetiredEpochIsLeftOut(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	for name, test := range map[string]struct {
		last  uint64 // of the ended epoch here
		knobs core.Knobs
		out   bool // left out of the next marker
		trim  uint64
	}{
		"retired":                    {5, core.Knobs{}, true, 5},
		"it went on":                 {6, core.Knobs{}, false, 0},
		"without S2, absent is none": {5, core.Knobs{AbsentIsNone: true}, true, 0},
		"without S2, absent is all":  {6, core.Knobs{AbsentIsAll: true}, false, 6},
	} {
		without := crdt.Vector{here: 5, newLife: 1}
		n := epochsNode(list, core.State{Vector: crdt.Vector{here: 6, ended: test.last, newLife: 2, stranger: 1}, Retired: crdt.Vector{ended: 5},
			Markers: map[crdt.NodeID]crdt.Marked{
				1: {Marker: crdt.Marker{List: 1, Vector: without}, Origin: here, Seq: 6},
				2: {Marker: crdt.Marker{List: 1, Vector: without}, Origin: newLife, Seq: 2}}}, test.knobs)
		m, due := n.MarkerDue(simEpoch) // the stranger's entry is not marked yet
		if _, named := m.Vector[ended]; !due || named == test.out || m.Vector[stranger] != 1 || len(m.Retired) > 0 {
			t.Errorf("%s: marker %v, due %v", name, m, due)
		}
		v, _ := n.TrimDue(simEpoch, false)
		if v[ended] != test.trim {
			t.Errorf("%s: trims %d", name, v[ended])
		}
	}
}

// TestS2IsSaidAgain by a node that has not been told, as the marker that retired the epoch was moved to a branch, where
// markers say nothing: another's marker leaves out what it holds.
func TestS2IsSaidAgain(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	for _, test := range []struct {
		names, holds uint64 // of the epoch: the other's marker, and the other itself
		want         bool
	}{{0, 5, true}, {0, 4, false}, {0, 0, false}, {4, 5, false}, {5, 5, true}} {
		n := epochsNode(list, core.State{Vector: crdt.Vector{here: 6, ended: 5, newLife: 2},
			Markers: map[crdt.NodeID]crdt.Marked{
				1: {Marker: crdt.Marker{List: 1, Vector: crdt.Vector{here: 5, ended: 5, newLife: 1}}, Origin: here, Seq: 6},
				2: {Marker: crdt.Marker{List: 1, Vector: crdt.Vector{here: 6, ended: test.names}}, Origin: newLife, Seq: 2}}}, core.Knobs{})
		up(n, list, simEpoch, crdt.Vector{here: 6, ended: test.holds, newLife: 2}, 2)
		m, _ := n.MarkerDue(simEpoch.Add(time.Second))
		if m.Retired[ended] == 5 != test.want {
			t.Errorf("it names %d and holds %d: %v", test.names, test.holds, m)
		}
	}
}

// TestS2ASnapshotRetires what its donor knew to be retired: the vectors that come with it leave that out.
func TestS2ASnapshotRetires(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	without := crdt.Vector{here: 5, newLife: 1}
	st := core.State{Vector: crdt.Vector{here: 6, ended: 5, newLife: 2, stranger: 1}, Retired: crdt.Vector{ended: 5},
		Markers: map[crdt.NodeID]crdt.Marked{
			2: {Marker: crdt.Marker{List: 1, Vector: without}, Origin: newLife, Seq: 2}}}
	n := epochsNode(list, core.State{Vector: crdt.Vector{here: 6}, Markers: map[crdt.NodeID]crdt.Marked{
		1: {Marker: crdt.Marker{List: 1, Vector: without}, Origin: here, Seq: 6}}}, core.Knobs{})
	n.Installed(simEpoch, st, nil)
	if m, due := n.MarkerDue(simEpoch); !due || m.Vector[ended] != 0 || m.Vector[stranger] != 1 {
		t.Errorf("the next marker names %v, due %v", m.Vector, due)
	}
	if v, _ := n.TrimDue(simEpoch, false); v[ended] != 5 {
		t.Errorf("it trims %d of the ended epoch, want 5", v[ended])
	}
}

// TestS2APartOfARetiredEpoch: who was put back from an old copy and lacks a part of an epoch that the others have retired
// and trimmed is told so, and takes a snapshot.
func TestS2APartOfARetiredEpoch(t *testing.T) {
	list := &core.List{Cluster: 7, Version: 1, Members: []core.Member{{ID: 1}, {ID: 2}}}
	gone := crdt.Vector{ended: 5}
	donor := core.New(core.Config{Self: list.Members[1]}, core.State{List: list,
		Vector: crdt.Vector{here: 5, ended: 5, newLife: 2}, Retired: gone, Trimmed: gone}, simEpoch)
	for have, want := range map[uint64]bool{5: false, 3: true} {
		n := epochsNode(list, core.State{Vector: crdt.Vector{here: 5, ended: have, newLife: 2}}, core.Knobs{})
		n.Up(simEpoch, donor.Hello(), n.Hello())
		if from, ok := n.SnapshotDue(simEpoch); ok != want || ok && from.ID != 2 {
			t.Errorf("with %d entries of it: a snapshot from %v, due %v", have, from.ID, ok)
		}
	}
}

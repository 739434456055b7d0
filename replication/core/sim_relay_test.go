package core_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// newCentres starts a cluster of as many nodes as dcs has, without faults, and returns once all are linked and quiet.
func newCentres(t *testing.T, seed uint64, knobs core.Knobs, dcs ...string) *sim {
	t.Helper()
	s := newSim(seed, knobs)
	for _, dc := range dcs {
		s.addNode(dc)
	}
	s.begin()
	s.within(t, 60*time.Second, "all have joined", func() bool {
		for _, n := range s.nodes {
			n.join()
		}
		for _, n := range s.nodes {
			if !n.caught || len(n.core.List().Members) < len(dcs) || !s.linked(n) {
				return false
			}
		}
		return true
	})
	s.writeFor(2 * time.Second) // so that everybody's epoch is known
	s.run(s.now + 5*time.Second)
	clear(s.crossings)
	return s
}

func (s *sim) linked(n *simNode) bool {
	for j := range s.nodes {
		if j != n.i && !s.link(n.i, j).up {
			return false
		}
	}
	return true
}

// within runs the cluster until ok, and returns how long that took; it fails after limit.
func (s *sim) within(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	began := s.now
	for !ok() {
		if s.now-began > limit {
			t.Fatalf("not within %v: %s\n%s", limit, what, s.history())
		}
		s.run(s.now + 10*time.Millisecond)
		if len(s.faults) > 0 {
			t.Fatal(s.history())
		}
	}
	return s.now - began
}

// writeFor has every running node write every 20 ms.
func (s *sim) writeFor(d time.Duration) {
	for end := s.now + d; s.now < end; s.run(s.now + 20*time.Millisecond) {
		for _, n := range s.nodes {
			if n.core != nil && n.caught {
				n.write(core.None)
			}
		}
	}
}

// level says whether all running nodes have what any of them has.
func (s *sim) level() bool {
	all := crdt.Vector{}
	for _, n := range s.nodes {
		if n.core != nil {
			all.Merge(n.store.Vector())
		}
	}
	for _, n := range s.nodes {
		if n.core != nil && !n.store.Vector().Covers(all) {
			return false
		}
	}
	return true
}

// relaysOf lists the members of dc that a node's entries were sent to from outside.
func (s *sim) relaysOf(o *simNode, dc string) []*simNode {
	var out []*simNode
	for _, n := range s.nodes {
		if n.member.DC != dc {
			continue
		}
		for _, st := range o.core.Streams(o.time()) {
			if st.Peer == n.member.ID && st.Origin.Node == o.member.ID && st.State == "streaming" {
				out = append(out, n)
			}
		}
	}
	return out
}

// TestEntriesCrossOnce: in healthy clusters each entry goes once to each other data centre, whoever wrote it, and no
// member is the relay of all. Without relays it goes to every member there.
func TestEntriesCrossOnce(t *testing.T) {
	for _, dcs := range [][]string{
		{"dc1", "dc2", "dc1", "dc2", "dc1", "dc2"}, {"dc1", "dc1", "dc1", "dc2", "dc2", "dc2"},
		{"dc1", "dc1", "dc2", "dc2", "dc3", "dc3"}, {"dc1", "dc1", "dc1", "dc2"}, {"dc1", "dc2", "dc3"},
	} {
		for _, knobs := range []core.Knobs{{}, {CrossEach: true}} {
			t.Run(fmt.Sprint(dcs, knobs.CrossEach), func(t *testing.T) {
				s := newCentres(t, 3, knobs, dcs...)
				first := len(s.writes)
				s.writeFor(5 * time.Second)
				s.within(t, 5*time.Second, "all have all", s.level)
				written := s.writes[first:]
				if len(written) < 200*len(dcs) {
					t.Fatalf("%d writes, want 250 from each node", len(written))
				}
				for _, w := range written {
					for _, dc := range slices.Compact(slices.Sorted(slices.Values(dcs))) {
						members := 0
						for _, d := range dcs {
							if d == dc {
								members++
							}
						}
						want := 1
						if knobs.CrossEach {
							want = members
						}
						if dc == dcs[w.node] {
							want = 0
						}
						if got := s.crossings[crossing{entryID{w.origin, w.seq}, dc}]; got != want {
							t.Fatalf("entry %d of n%d went to %s %d times, want %d", w.seq, w.node+1, dc, got, want)
						}
					}
				}
				if knobs.CrossEach {
					return
				}
				carried := map[*simNode]int{}
				for _, o := range s.nodes {
					for _, dc := range slices.Compact(slices.Sorted(slices.Values(dcs))) {
						if dc == o.member.DC {
							continue
						}
						relays := s.relaysOf(o, dc)
						if len(relays) != 1 {
							t.Fatalf("%s is taken from outside by %d members of %s, want 1", o.member.Name, len(relays), dc)
						}
						carried[relays[0]]++
					}
				}
				for _, n := range s.nodes {
					here, outside := 0, 0
					for _, d := range dcs {
						if d == n.member.DC {
							here++
						} else {
							outside++
						}
					}
					if most := (outside + here - 1) / here; carried[n] > most {
						t.Errorf("%s is the relay of %d nodes, want no more than %d", n.member.Name, carried[n], most)
					}
				}
			})
		}
	}
}

// TestRelayFails has the relay of a node's entries die, stand still or lose the node half-way through its writes. The
// rest of its data centre goes on soon after, with nothing lost, and all is equal once everything is back.
func TestRelayFails(t *testing.T) {
	mute := func(s *sim, a, b *simNode) {
		if l := s.link(a.i, b.i); a.i < b.i {
			l.mute[0] = true
		} else {
			l.mute[1] = true
		}
	}
	for _, test := range []struct {
		name  string
		limit time.Duration // within which another has taken over
		fail  func(s *sim, o, relay *simNode)
	}{
		{"dies", 300 * time.Millisecond, func(_ *sim, _, relay *simNode) { relay.crash() }},
		{"stands still", 2500 * time.Millisecond, func(s *sim, _, relay *simNode) {
			for _, n := range s.nodes {
				if n != relay {
					mute(s, relay, n)
					mute(s, n, relay)
					s.link(relay.i, n.i).cut = true // once it is noticed
				}
			}
		}},
		{"loses the link", 300 * time.Millisecond, func(s *sim, o, relay *simNode) {
			s.link(o.i, relay.i).cut = true
			s.break_(o, relay)
		}},
		{"hears nothing", 2500 * time.Millisecond, func(s *sim, o, relay *simNode) {
			mute(s, o, relay)
			s.link(o.i, relay.i).cut = true
		}},
		{"is not heard", 2500 * time.Millisecond, func(s *sim, o, relay *simNode) {
			mute(s, relay, o)
			s.link(o.i, relay.i).cut = true
		}},
		{"has a slow disk", 3500 * time.Millisecond, func(_ *sim, _, relay *simNode) { relay.slow = 20 * time.Second }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newCentres(t, 5, core.Knobs{}, "dc1", "dc2", "dc1", "dc2", "dc1", "dc2")
			o := s.nodes[0]
			relay := s.relaysOf(o, "dc2")[0]
			var others []*simNode
			for _, n := range s.nodes {
				if n.member.DC == "dc2" && n != relay {
					others = append(others, n)
				}
			}
			s.writeFor(time.Second)
			test.fail(s, o, relay)
			s.writeFor(100 * time.Millisecond) // under way when it happens, and after
			head := o.store.Vector()
			took := s.within(t, test.limit, "the others of its data centre have what "+o.member.Name+" wrote", func() bool {
				for _, n := range others {
					for at, seq := range head {
						if at.Node == o.member.ID && n.store.Vector()[at] < seq {
							return false
						}
					}
				}
				return true
			})
			t.Logf("another took over after %v", took)
			s.writeFor(3 * time.Second)
			s.run(s.now + time.Second)
			clear(s.crossings)
			first := len(s.writes)
			s.writeFor(time.Second)
			for _, w := range s.writes[first:] { // it is shared again, though one is missing
				if got := s.crossings[crossing{entryID{w.origin, w.seq}, "dc2"}]; w.node == o.i && got > 2 {
					t.Fatalf("entry %d of %s crossed %d times", w.seq, o.member.Name, got)
				}
			}
			for _, l := range s.links {
				l.cut = false
			}
			relay.slow = 0
			if relay.core == nil {
				relay.start()
			}
			s.writeFor(time.Second)
			s.within(t, 15*time.Second, "all have all", s.level)
			s.run(s.now + 15*time.Second)
			s.checkEnd()
			if len(s.faults) > 0 {
				t.Fatal(s.history())
			}
			clear(s.crossings)
			first = len(s.writes)
			s.writeFor(2 * time.Second)
			s.within(t, 5*time.Second, "all have all", s.level)
			for _, w := range s.writes[first:] {
				if got := s.crossings[crossing{entryID{w.origin, w.seq}, "dc2"}]; s.nodes[w.node].member.DC == "dc1" && got != 1 {
					t.Fatalf("after everything is back entry %d of n%d crossed %d times, want 1", w.seq, w.node+1, got)
				}
			}
			if now := s.relaysOf(o, "dc2"); len(now) != 1 || now[0] != relay {
				t.Errorf("%s is not the relay again", relay.member.Name)
			}
		})
	}
}

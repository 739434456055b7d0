package core_test

import (
	"flag"
	"testing"
	"time"

	"layercake/replication/core"
)

var (
	seeds  = flag.Int("seeds", 200, "how many seeds the simulator runs over the store of a map")
	from   = flag.Uint64("from", 1, "the first of them")
	traced = flag.Int("lines", 400, "how many of the last events a failing seed prints")
	seed   = flag.Uint64("seed", 0, "run this seed alone and print its history")
)

// simulate runs one seed: a cluster of 3, 5 or 7 that begins with 1 to 3 members, clients on all nodes, crashes, cuts and
// broken links; then everything heals, but perhaps for a minority that is gone for ever.
func simulate(seed uint64, knobs core.Knobs) *sim { return newSim(seed, knobs).whole() }

// begin starts all nodes, and has the first, which it returns, found the cluster.
func (s *sim) begin() *simNode {
	for _, n := range s.nodes {
		n.start()
	}
	n0 := s.nodes[0]
	n0.core.Adopt(n0.time(), core.FirstList(7, n0.member))
	n0.caught = true
	n0.pump()
	return n0
}

// whole runs the whole of a seed.
func (s *sim) whole() *sim {
	size := 3 + 2*s.rng.IntN(2)
	if s.seed%16 == 9 {
		size = 7
	}
	dcs := 1 + s.rng.IntN(3)
	for i := range size {
		s.addNode([]string{"dc1", "dc2", "dc3"}[i%dcs])
	}
	n0 := s.begin()
	const busy = 6 * time.Second
	if s.seed%10 == 6 && s.only == nil {
		s.jumper()
	}
	for _, n := range s.nodes {
		s.clients(n)
	}
	var joiner func()
	joiner = func() {
		if n0.core != nil && s.latest().Version == 0 { // it crashed before it had founded the cluster
			n0.core.Adopt(n0.time(), core.FirstList(7, n0.member))
			n0.pump()
		}
		for _, n := range s.nodes {
			n.join()
		}
		s.after(s.between(20*time.Millisecond, 300*time.Millisecond), joiner)
	}
	s.after(0, joiner)
	if s.seed%4 == 3 && s.only == nil && s.sql == nil {
		s.rewinder(busy)
	} else if s.chance(50) {
		s.restorer(busy)
	} else if s.chance(70) {
		var remover func()
		remover = func() {
			if s.now < busy-time.Second && s.removals < 3 {
				s.remove()
				s.after(s.between(100*time.Millisecond, 2*time.Second), remover)
			}
		}
		s.after(s.between(500*time.Millisecond, 3*time.Second), remover)
	}
	var chaos func()
	chaos = func() {
		if s.quiet {
			return
		}
		if s.restored != nil { // one loss at a time, and those who remember it are there
			s.after(s.between(10*time.Millisecond, 250*time.Millisecond), chaos)
			return
		}
		size := len(s.nodes)
		a, b := s.rng.IntN(size), s.rng.IntN(size)
		switch k := s.rng.IntN(100); {
		case k < 25:
			if n := s.nodes[a]; n.core != nil {
				n.crash()
				s.after(s.between(5*time.Millisecond, 600*time.Millisecond), func() {
					if n.core == nil {
						n.start()
					}
				})
			}
		case k < 40:
			if a != b && s.link(a, b).up {
				s.break_(s.nodes[a], s.nodes[b])
			}
		case k < 46: // in one direction or both
			if a != b && s.link(a, b).up {
				s.log("link %s-%s is half-open", s.nodes[a].member.Name, s.nodes[b].member.Name)
				l := s.link(a, b) // what is mute stays so until the link breaks: no link loses messages in the middle
				l.mute = [2]bool{s.chance(60) || l.mute[0], s.chance(60) || l.mute[1]}
			}
		case k < 50:
			s.nodes[a].skew = s.between(-100*time.Millisecond, 100*time.Millisecond)
		case k < 90:
			if a != b {
				l := s.link(a, b)
				l.cut = true
				if l.up {
					s.break_(s.nodes[a], s.nodes[b])
				}
				s.after(s.between(50*time.Millisecond, time.Second), func() { l.cut = false })
			}
		default: // a is cut off from everybody
			for j := range size {
				if j == a {
					continue
				}
				l := s.link(a, j)
				l.cut = true
				if l.up {
					s.break_(s.nodes[a], s.nodes[j])
				}
				s.after(s.between(50*time.Millisecond, time.Second), func() { l.cut = false })
			}
		}
		s.after(s.between(10*time.Millisecond, 250*time.Millisecond), chaos)
	}
	s.after(s.between(0, 200*time.Millisecond), chaos)
	if s.sql != nil {
		s.splitter()
	}
	s.run(busy)

	s.quiet = true
	if s.jumps > 0 { // the clocks are right again, and what was stamped by one that was fast is of the past
		for _, n := range s.nodes {
			n.jump = 0
		}
		s.shift = jump + time.Second
	}
	minority := 0
	if s.rewinds > 0 {
		s.loseRewound()
	} else if s.chance(40) && n0.core != nil && len(n0.core.List().Members) == size && s.removals+s.restores == 0 {
		minority = s.rng.IntN(size/2 + 1)
	}
	for i, n := range s.nodes {
		if n.gone = n.gone || i < minority; n.gone {
			if n.core != nil {
				n.crash()
			}
		}
	}
	s.run(busy + time.Second)
	for _, n := range s.nodes {
		if n.core == nil && !n.gone {
			n.start()
		}
	}
	for _, l := range s.links {
		l.cut = false
	}
	s.run(busy + 12*time.Second)
	if len(s.faults) == 0 {
		s.checkEnd()
	}
	return s
}

// jump is how far clocks are set wrong.
const jump = time.Hour

// jumper sets clocks wrong, now and then, and right again. What a node stamps that is an hour fast waits everywhere else,
// and what comes after it; it acknowledges nothing that others must have.
func (s *sim) jumper() {
	var next func()
	next = func() {
		if s.quiet {
			return
		}
		n := s.nodes[s.rng.IntN(len(s.nodes))]
		switch {
		case n.jump != 0:
			n.jump = 0
		case s.sql == nil && s.chance(50): // the model of SQL does not know of batches that are refused
			n.jump = -jump
		default:
			n.jump = jump
		}
		s.jumps++
		s.log("the clock of %s is wrong by %v", n.member.Name, n.jump)
		s.after(s.between(300*time.Millisecond, 3*time.Second), next)
	}
	s.after(s.between(500*time.Millisecond, 3*time.Second), next)
}

// clients starts the two clients of a node.
func (s *sim) clients(n *simNode) {
	levels := []core.Level{core.None, core.One, core.Two, core.Quorum, core.Quorum, core.Quorum, core.LocalQuorum, core.EachQuorum, core.All}
	pause := 30 * time.Millisecond
	if s.only != nil {
		levels, pause = []core.Level{*s.only}, 120*time.Millisecond
	}
	if s.sql != nil { // what each side of a partition does alone is to be merged
		levels = append(levels, core.None, core.None, core.None, core.None, core.None)
	}
	var client func()
	client = func() {
		if s.quiet {
			return
		}
		if n.core != nil && n.core.IsMember() && n.caught && !n.core.RolledBack() {
			switch k := s.rng.IntN(100); {
			case k < 45:
				n.write(levels[s.rng.IntN(len(levels))])
			case k < 95:
				n.read(levels[s.rng.IntN(len(levels))])
			default:
				n.grant()
			}
		}
		s.after(s.between(0, pause), client)
	}
	for range 2 {
		s.after(s.between(0, 50*time.Millisecond), client)
	}
}

func TestSimulation(t *testing.T) {
	if *seed != 0 {
		s := simulate(*seed, core.Knobs{})
		t.Logf("%d writes, %d reads, %d blocks", len(s.writes), s.reads, len(s.granted))
		if len(s.faults) > 0 {
			t.Fatal(s.history())
		}
		return
	}
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	writes, acked, reads, blocks, removed := 0, 0, 0, 0, 0
	markers, purges, trims, snapshots, restores, rewinds, moves, retired := 0, 0, 0, 0, 0, 0, 0, 0
	for i := range n {
		s := simulate(*from+uint64(i), core.Knobs{})
		if len(s.faults) > 0 {
			t.Fatal(s.history())
		}
		for _, w := range s.writes {
			writes++
			if w.end > 0 {
				acked++
			}
		}
		reads += s.reads
		markers, purges, trims, snapshots, restores = markers+s.markers, purges+s.purges, trims+s.trims, snapshots+s.snapshots, restores+s.restores
		rewinds, moves, retired = rewinds+s.rewinds, moves+s.moves, retired+s.retired
		removed += len(s.latest().Retired)
		blocks += len(s.granted)
	}
	t.Logf("%d seeds over memstore: %d writes, %d acknowledged, %d reads, %d blocks of numbers, %d members removed", n, writes, acked, reads, blocks, removed)
	t.Logf("%d markers, %d tombstones purged, %d entries trimmed, %d snapshots, %d old copies restored, %d machines rolled back as they ran, %d branches moved, %d epochs retired", markers, purges, trims, snapshots, restores, rewinds, moves, retired)
	if purges < 3*n || trims < 100*n || snapshots < n/4 || restores < n/5 || rewinds < n/5 || moves < n/10 || retired < n {
		t.Errorf("hardly anything is purged, trimmed, copied or restored")
	}
	if acked < 50*n || reads < 50*n || removed < n/10 {
		t.Errorf("the simulation hardly does anything")
	}
}

func TestASeedReplays(t *testing.T) {
	for i := range uint64(5) {
		if a, b := simulate(1000+i, core.Knobs{}), simulate(1000+i, core.Knobs{}); a.sum != b.sum {
			t.Fatalf("seed %d ran differently the second time", 1000+i)
		}
	}
}

// TestRulesAreNeeded takes one rule out at a time: the simulator must see a promise broken. That replies count under
// the list they were given under is too rare for it: TestRepliesUnderAnotherList takes that one out.
func TestRulesAreNeeded(t *testing.T) {
	for name, test := range map[string]struct {
		knobs core.Knobs
		from  uint64 // a seed known to show it, or one soon after
	}{
		"Fresh": {core.Knobs{AlwaysFresh: true}, 1},
		"Q1":    {core.Knobs{JoinRunningBarrier: true}, 1},
		"Q3":    {core.Knobs{CountMessages: true}, 1},
		"E1":    {core.Knobs{AckEarly: true}, 1},
		"C3":    {core.Knobs{ChangeEarly: true}, 29},
		"S2":    {core.Knobs{AbsentIsNone: true}, 1},
		"S3":    {core.Knobs{TrimAlone: true}, 10},
		"E5":    {core.Knobs{ForgetForks: true}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range uint64(400) {
				if s := simulate(test.from+i, test.knobs); len(s.faults) > 0 {
					t.Logf("seed %d: %s", test.from+i, s.faults[0])
					return
				}
			}
			t.Errorf("400 seeds without rule %s broke nothing", name)
		})
	}
}

package core_test

import (
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// asks takes the messages for a peer and returns the rounds that it is asked in.
func asks(n *core.Node, id crdt.NodeID) []uint64 {
	var rounds []uint64
	for {
		m, ok := n.NextMessage(id)
		if !ok {
			return rounds
		}
		if a, ok := m.(core.Ask); ok {
			rounds = append(rounds, a.Round)
		}
	}
}

func decided(n *core.Node) map[core.Ticket]bool {
	out := map[core.Ticket]bool{}
	for _, d := range n.Decisions() {
		out[d.Ticket] = true
	}
	return out
}

// TestQ1 has a statement arrive while a barrier is being asked: what answers that barrier must not let it pass.
func TestQ1(t *testing.T) {
	for _, without := range []bool{false, true} {
		n, list := testNode("aaa", core.Knobs{JoinRunningBarrier: without})
		up(n, list, simEpoch, nil, 2, 3)
		first, _ := n.Barrier(simEpoch, core.Quorum)
		rounds := asks(n, 2)
		second, _ := n.Barrier(simEpoch, core.Quorum)
		n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: rounds[0]})
		got := decided(n)
		if !got[first] || got[second] != without {
			t.Errorf("rule out: %v; first passed %v, second passed %v", without, got[first], got[second])
		}
	}
}

// TestFresh has statements read while they wait: what they read is good unless a reply tells of entries of others that
// were not durable here when they began.
func TestFresh(t *testing.T) {
	other := crdt.Origin{Node: 2, Epoch: crdt.Epoch{First: 1}}
	for name, c := range map[string]struct {
		before, during, reply crdt.Vector
		fresh                 bool
	}{
		"nothing new":         {nil, nil, nil, true},
		"had it before":       {crdt.Vector{other: 1}, nil, crdt.Vector{other: 1}, true},
		"came while it asked": {nil, crdt.Vector{other: 1}, crdt.Vector{other: 1}, false},
		"came, but not there": {nil, crdt.Vector{other: 1}, nil, true},
	} {
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2, 3)
		n.Advance(simEpoch, c.before)
		ticket, _ := n.Barrier(simEpoch, core.Quorum)
		n.Advance(simEpoch, c.during)
		n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: asks(n, 2)[0], Delta: c.reply})
		ds := n.Decisions()
		if len(ds) != 1 || ds[0].Ticket != ticket || ds[0].Fresh != c.fresh {
			t.Errorf("%s: decided %+v, want fresh %v", name, ds, c.fresh)
		}
	}
}

// TestQ2 has a member die after it answered with an entry that nobody else has: with the other replies the barrier
// passes.
func TestQ2(t *testing.T) {
	only := crdt.Origin{Node: 2, Epoch: crdt.Epoch{First: 1}}
	for _, without := range []bool{false, true} {
		n, list := testNode("aaaaa", core.Knobs{MergeReplies: without})
		up(n, list, simEpoch, nil, 2, 3, 4, 5)
		ticket, _ := n.Barrier(simEpoch, core.Quorum)
		round := asks(n, 2)[0]
		n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: round, Delta: crdt.Vector{only: 1}})
		n.Receive(simEpoch, 3, core.Reply{Version: 1, Round: round})
		if decided(n)[ticket] {
			t.Fatal("passed with one other covered: a majority of five needs two")
		}
		n.Down(simEpoch, 2)
		n.Tick(simEpoch.Add(time.Second))
		asked := len(asks(n, 4)) > 0
		n.Receive(simEpoch, 4, core.Reply{Version: 1, Round: round})
		if got := decided(n)[ticket]; got == without || asked == without {
			t.Errorf("rule out: %v; asked another %v, passed %v", without, asked, got)
		}
	}
}

// TestARoundIsShared has many statements wait: those that arrive while others are being asked share the next round.
func TestARoundIsShared(t *testing.T) {
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	var tickets []core.Ticket
	for range 100 {
		tk, done := n.Barrier(simEpoch, core.Quorum)
		if done {
			t.Fatal("done without asking")
		}
		tickets = append(tickets, tk)
	}
	total := 0
	for rounds := asks(n, 2); len(rounds) > 0; rounds = asks(n, 2) {
		total += len(rounds)
		for _, r := range rounds {
			n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: r})
		}
	}
	if total != 3 {
		t.Errorf("100 statements took %d rounds, want 3: two at once, then one for all the others", total)
	}
	got := decided(n)
	for _, tk := range tickets {
		if !got[tk] {
			t.Fatalf("ticket %d never passed", tk)
		}
	}
}

// TestABarrierAsksNoMoreThanNeeded has a barrier of three members ask one of the two others, and the last one only when
// that one's answer does not suffice, its link goes, or it keeps silent; a silent one is not asked first again.
func TestABarrierAsksNoMoreThanNeeded(t *testing.T) {
	o := crdt.Origin{Node: 2, Epoch: crdt.Epoch{First: 1}}
	for _, tc := range []struct {
		name string
		do   func(n *core.Node, round uint64)
		rest bool
	}{
		{"nothing", func(*core.Node, uint64) {}, false},
		{"covered", func(n *core.Node, r uint64) { n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: r}) }, false},
		{"not covered", func(n *core.Node, r uint64) {
			n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: r, Delta: crdt.Vector{o: 3}})
		}, true},
		{"another list", func(n *core.Node, r uint64) { n.Receive(simEpoch, 2, core.Reply{Version: 0, Round: r}) }, true},
		{"link lost", func(n *core.Node, _ uint64) { n.Down(simEpoch, 2) }, true},
		{"silent", func(n *core.Node, _ uint64) { n.Tick(simEpoch.Add(50 * time.Millisecond)) }, true},
	} {
		n, list := testNode("aaa", core.Knobs{})
		up(n, list, simEpoch, nil, 2, 3)
		ticket, _ := n.Barrier(simEpoch, core.Quorum)
		first := asks(n, 2)
		if len(first) != 1 || len(asks(n, 3)) != 0 {
			t.Fatal("a lone barrier did not ask just the one member that it needs")
		}
		tc.do(n, first[0])
		if got := len(asks(n, 3)) > 0; got != tc.rest {
			t.Errorf("%s: the other member asked: %v, want %v", tc.name, got, tc.rest)
		}
		if tc.rest {
			n.Receive(simEpoch, 3, core.Reply{Version: 1, Round: first[0]})
			if !decided(n)[ticket] {
				t.Errorf("%s: did not pass with the other member's answer", tc.name)
			}
		}
		if tc.name == "silent" {
			asks(n, 2)
			n.Barrier(simEpoch.Add(60*time.Millisecond), core.Quorum)
			if len(asks(n, 2)) != 0 || len(asks(n, 3)) != 1 {
				t.Error("the next barrier asked the silent member first")
			}
		}
	}
	// Each data centre's majority is asked, and no more.
	n, list := testNode("aaabbb", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3, 4, 5, 6)
	n.Barrier(simEpoch, core.EachQuorum)
	asked := ""
	for id := crdt.NodeID(2); id <= 6; id++ {
		asked += map[bool]string{true: "x", false: "-"}[len(asks(n, id)) > 0]
	}
	if asked != "x-xx-" {
		t.Errorf("each_quorum over aaa and bbb asked %s of members 2 to 6, want x-xx-", asked)
	}
	// This data centre is asked first.
	n, list = testNode("abbaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3, 4, 5)
	n.Barrier(simEpoch, core.Quorum)
	for id := crdt.NodeID(2); id <= 5; id++ {
		if got := len(asks(n, id)) > 0; got != (id > 3) {
			t.Errorf("quorum over abbaa: member %d asked: %v", id, got)
		}
	}
}

// TestABarrierWaitsForWhatItHeard has a reply name entries that are not applied here.
func TestABarrierWaitsForWhatItHeard(t *testing.T) {
	o := crdt.Origin{Node: 2, Epoch: crdt.Epoch{First: 1}}
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2)
	ticket, _ := n.Barrier(simEpoch, core.Quorum)
	n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: asks(n, 2)[0], Delta: crdt.Vector{o: 3}})
	n.Advance(simEpoch, crdt.Vector{o: 2})
	if decided(n)[ticket] {
		t.Error("passed before entry 3 was applied")
	}
	if unanswered, ahead := n.Behind(ticket); unanswered != 1 || ahead != 1 {
		t.Errorf("behind: %d unanswered, %d ahead; want 1, 1", unanswered, ahead)
	}
	n.Advance(simEpoch, crdt.Vector{o: 3})
	if !decided(n)[ticket] {
		t.Error("did not pass when all was applied")
	}
}

// TestRepliesUnderAnotherList do not count: what a member said before it had this list is asked again.
func TestRepliesUnderAnotherList(t *testing.T) {
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	ticket, _ := n.Barrier(simEpoch, core.Quorum)
	round := asks(n, 2)[0]
	n.Receive(simEpoch, 2, core.Reply{Version: 0, Round: round})
	if decided(n)[ticket] {
		t.Error("a reply under an older list counted")
	}
	for _, without := range []bool{false, true} {
		repliesOverAChange(t, without)
	}
}

// repliesOverAChange has one of five members answer under list 1; then list 2 comes into force. Too few members would be
// asked under list 2 without the rule.
func repliesOverAChange(t *testing.T, without bool) {
	n, list := testNode("aaaaa", core.Knobs{KeepReplies: without})
	up(n, list, simEpoch, nil, 2, 3, 4, 5)
	ticket, _ := n.Barrier(simEpoch, core.Quorum)
	round := asks(n, 2)[0]
	n.Receive(simEpoch, 2, core.Reply{Version: 1, Round: round})
	next := *list
	next.Version, next.Before = 2, []crdt.NodeID{1, 2, 3, 4, 5}
	n.Adopt(simEpoch, &next)
	for _, p := range n.Puts() {
		n.PutDone(simEpoch, p)
	}
	n.Receive(simEpoch, 3, core.Reply{Version: 2, Round: round})
	if got := decided(n)[ticket]; got != without {
		t.Errorf("rule out: %v; passed on a reply under list 1 and one under list 2: %v", without, got)
	}
	if without {
		return
	}
	if again := asks(n, 2); len(again) == 0 {
		t.Error("member 2 was not asked again under list 2")
	}
	n.Receive(simEpoch, 2, core.Reply{Version: 2, Round: round})
	if !decided(n)[ticket] {
		t.Error("did not pass with two replies under list 2")
	}
}

// TestWriteBack waits until others have what was read.
func TestWriteBack(t *testing.T) {
	o := crdt.Origin{Node: 2, Epoch: crdt.Epoch{First: 1}}
	n, list := testNode("aaaaa", core.Knobs{})
	n.Advance(simEpoch, crdt.Vector{o: 5})
	up(n, list, simEpoch, crdt.Vector{o: 4}, 2, 3, 4, 5)
	if _, done := n.WriteBack(simEpoch, core.Quorum, crdt.Vector{o: 4}); !done {
		t.Error("entry 4 is on all members, and yet waited for")
	}
	ticket, done := n.WriteBack(simEpoch, core.Quorum, crdt.Vector{o: 5})
	if done {
		t.Fatal("entry 5 is on nobody else")
	}
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{o: 5}})
	n.Receive(simEpoch, 3, core.Have{Version: 1, Delta: crdt.Vector{o: 5}})
	if decided(n)[ticket] {
		t.Error("two of five are no majority")
	}
	n.Receive(simEpoch, 4, core.Have{Version: 1, Delta: crdt.Vector{o: 5}})
	if !decided(n)[ticket] {
		t.Error("three of five are a majority")
	}
}

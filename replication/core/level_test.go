package core_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication/core"
)

func TestParseLevel(t *testing.T) {
	for _, name := range core.LevelNames() {
		l, err := core.ParseLevel(strings.ToUpper(name) + " ")
		if err != nil || l.String() != name {
			t.Errorf("ParseLevel(%q) = %v, %v", name, l, err)
		}
	}
	if l, err := core.ParseLevel("local"); err != nil || l != core.None {
		t.Errorf("local is %v, %v; want none", l, err)
	}
	_, err := core.ParseLevel("most")
	if pgerror.Code(err) != pgerror.InvalidParameterValue || !strings.Contains(pgerror.From(err).Hint, "each_quorum") {
		t.Errorf("an unknown level gives %v", err)
	}
}

// testNode is node 1 of a cluster whose members' data centres are given by a string, a letter each.
func testNode(dcs string, knobs core.Knobs) (*core.Node, *core.List) {
	list := &core.List{Cluster: 7, Version: 1}
	for i, dc := range dcs {
		list.Members = append(list.Members, core.Member{ID: crdt.NodeID(i + 1), Name: fmt.Sprintf("n%d", i+1), DC: string(dc)})
	}
	n := core.New(core.Config{Self: list.Members[0], Instance: 1, Rand: rand.New(rand.NewPCG(1, 1)), Knobs: knobs},
		core.State{List: list}, simEpoch)
	return n, list
}

func up(n *core.Node, list *core.List, now time.Time, have crdt.Vector, ids ...crdt.NodeID) {
	for _, id := range ids {
		m, _ := list.Member(id)
		n.Up(now, core.Hello{Cluster: 7, Member: m, Instance: 1, List: list, Vector: have}, n.Hello())
	}
}

// TestLevels holds for every level and many clusters: whether it can be met with some members reachable, and that a
// write is confirmed by exactly the acks that the level asks for.
func TestLevels(t *testing.T) {
	for _, test := range []struct {
		dcs  string // data centre of each member, this node first
		up   string // which members are there: 1 this node
		want string // the levels that can be met
	}{
		{"a", "1", "none quorum local_quorum each_quorum all"},
		{"aa", "1", "none"},
		{"aa", "12", "none one quorum local_quorum each_quorum all"},
		{"aaa", "1", "none"},
		{"aaa", "12", "none one quorum local_quorum each_quorum"},
		{"aaa", "123", "none one two quorum local_quorum each_quorum all"},
		{"aaaa", "12", "none one"},
		{"aaaa", "123", "none one two quorum local_quorum each_quorum"},
		{"aaaa", "1234", "none one two three quorum local_quorum each_quorum all"},
		{"aaaaa", "123", "none one two quorum local_quorum each_quorum"},
		{"ab", "1", "none local_quorum"},
		{"ab", "12", "none one quorum local_quorum each_quorum all"},
		{"aab", "1", "none"},
		{"aab", "12", "none one quorum local_quorum"},
		{"aab", "13", "none one quorum"},
		{"aab", "123", "none one two quorum local_quorum each_quorum all"},
		{"baa", "1", "none local_quorum"},
		{"baa", "12", "none one quorum local_quorum"},
		{"aabb", "12", "none one local_quorum"},
		{"aabb", "123", "none one two quorum local_quorum"},
		{"aaabb", "123", "none one two quorum local_quorum"},
		{"aaabb", "1245", "none one two three quorum local_quorum each_quorum"},
		{"abc", "12", "none one quorum local_quorum"},
		{"abc", "123", "none one two quorum local_quorum each_quorum all"},
		{"aaabbbccc", "124578", "none one two three quorum local_quorum each_quorum"},
		{"aaabbbccc", "123456", "none one two three quorum local_quorum"},
		{"aaabbbccc", "14578", "none one two three quorum"},
	} {
		n, list := testNode(test.dcs, core.Knobs{})
		now := simEpoch
		for _, c := range test.up[1:] {
			up(n, list, now, nil, crdt.NodeID(c-'0'))
		}
		o := crdt.Origin{Node: 1, Epoch: crdt.Epoch{First: 1}}
		n.Advance(now, crdt.Vector{o: 1})
		var can, acked []string
		for l := core.None; l <= core.All; l++ {
			if n.Met(l) {
				can = append(can, l.String())
			}
			if n.Met(l) != n.Reachable(l).Met() {
				t.Errorf("%s up %s: Met and Reachable differ at %s", test.dcs, test.up, l)
			}
		}
		if got := strings.Join(can, " "); got != test.want {
			t.Errorf("%s with %s up: can meet %q, want %q", test.dcs, test.up, got, test.want)
		}
		// The same members acknowledge, one by one: the same levels are confirmed, and none before.
		tickets := map[core.Ticket]core.Level{}
		for l := core.None; l <= core.All; l++ {
			if tk, done := n.Confirm(now, l, o, 1); done {
				acked = append(acked, l.String())
			} else {
				tickets[tk] = l
			}
		}
		for _, c := range test.up[1:] {
			for range 3 { // however often it says so (rule Q3)
				n.Receive(now, crdt.NodeID(c-'0'), core.Have{Version: 1, Delta: crdt.Vector{o: 1}})
			}
		}
		for _, d := range n.Decisions() {
			acked = append(acked, tickets[d.Ticket].String())
		}
		slices.SortFunc(acked, func(a, b string) int {
			return slices.Index(core.LevelNames(), a) - slices.Index(core.LevelNames(), b)
		})
		if got := strings.Join(acked, " "); got != test.want {
			t.Errorf("%s with acks of %s: confirmed %q, want %q", test.dcs, test.up, got, test.want)
		}
	}
}

func TestTallyNamesWhoIsMissing(t *testing.T) {
	n, list := testNode("aabb", core.Knobs{})
	up(n, list, simEpoch, nil, 2)
	tally := n.Reachable(core.EachQuorum)
	if tally.Met() || tally.Needed != 4 || tally.Have != 2 || tally.DC != "b" || !slices.Equal(tally.Missing, []string{"n3", "n4"}) {
		t.Errorf("each_quorum without data centre b: %+v", tally)
	}
	tally = n.Reachable(core.Three)
	if tally.Met() || tally.Needed != 3 || tally.Have != 1 || tally.Of != 3 {
		t.Errorf("three with one other: %+v", tally)
	}
}

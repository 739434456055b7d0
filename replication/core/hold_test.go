package core_test

import (
	"testing"

	"layercake/crdt"
	"layercake/replication/core"
)

// TestHold: while a node holds, nothing is applied but what the agreed vector covers, and nothing is lost.
func TestHold(t *testing.T) {
	a, b := origin(2, 1), origin(3, 1)
	n, list := testNode("aaa", core.Knobs{})
	up(n, list, simEpoch, nil, 2, 3)
	n.Hold()
	n.Receive(simEpoch, 2, core.Entries{Version: 1, Origin: a, List: []crdt.Entry{entry(a, 1, nil), entry(a, 2, nil)}})
	n.Receive(simEpoch, 3, core.Entries{Version: 1, Origin: b, List: []crdt.Entry{entry(b, 1, nil)}})
	if got := n.NextBatch(simEpoch); len(got) != 0 {
		t.Fatalf("held, and applies %v", seqs(got))
	}
	n.HoldAt(crdt.Vector{a: 1})
	got := n.NextBatch(simEpoch)
	if len(got) != 1 || got[0].Origin != a || got[0].Seq != 1 {
		t.Fatalf("held at a1, and applies %v", seqs(got))
	}
	if !n.Applying() {
		t.Error("a batch is under way, and is not told of")
	}
	n.Applied(simEpoch, crdt.Vector{a: 1}, nil)
	if got := n.NextBatch(simEpoch); len(got) != 0 || n.Applying() {
		t.Fatalf("held at a1, and goes on to %v", seqs(got))
	}
	n.Resume()
	if got := n.NextBatch(simEpoch); len(got) != 2 {
		t.Fatalf("resumed, and applies %v, want a2 and b1", seqs(got))
	}
}

package core_test

import (
	"bytes"
	"reflect"
	"testing"

	"layercake/crdt"
	"layercake/replication/core"
)

func someMessages() []core.Message {
	o := origin(5, 77)
	list := &core.List{Cluster: 9, Version: 3, Before: []crdt.NodeID{1, 2}, Members: []core.Member{
		{ID: 1, Name: "n1", DC: "dc1", RPCAddr: "h:1", PGAddr: "h:2", GossipAddr: "h:3"}, {ID: 2, Name: "n2", DC: "dc2"}}}
	e := crdt.Entry{Origin: o, Seq: 1, HLC: 99, Deps: crdt.Vector{origin(6, 1): 4}}
	crdt.EncodeEntry(&e, []byte("body"))
	e, _ = crdt.DecodeHead(e.Bytes)
	return []core.Message{
		core.Hello{Cluster: 9, Member: list.Members[0], Instance: 4, Joining: true, RolledBack: true, List: list, Vector: crdt.Vector{o: 3}, Trimmed: crdt.Vector{o: 2}},
		core.Hello{Cluster: 9, Vector: crdt.Vector{}, Trimmed: crdt.Vector{}},
		core.Have{Version: 3, Delta: crdt.Vector{o: 1 << 39}, Joining: true},
		core.Ask{Version: 1, Round: 1 << 60, Full: true},
		core.Reply{Version: 1, Round: 2, Delta: crdt.Vector{o: 7}, Registers: []string{"a", ""}},
		core.Subscribe{Origin: o, From: 1, Sub: 300},
		core.Cut{Trimmed: crdt.Vector{o: 9}},
		core.Remember{Vector: crdt.Vector{o: 9}},
		core.Reach{Nodes: []crdt.NodeID{1, 1 << 63}},
		core.Progress{Origin: o, Hops: 2},
		core.Heads{List: []core.Head{{Origin: o, Seq: 300, Hash: 1 << 63}}},
		core.Chain{Origin: o, Low: 1, From: 200, Hashes: []uint64{1, 0, 1 << 60}},
		core.Chain{Origin: o, Low: 7},
		core.Forks{List: crdt.Forks{{Origin: o, After: 4, Hash: 9}, {Origin: o, Hash: 1 << 62, Loose: true}}},
		core.Entries{Version: 3, Origin: o, Sub: 2, List: []crdt.Entry{e, e}},
		core.News{List: list},
		core.Ping{ID: 1}, core.Pong{ID: 1, Nanos: -5},
		core.Prepare{Version: 1, Register: "r", Ballot: core.Ballot{N: 4, Node: 1 << 63}},
		core.Promise{Version: 1, Register: "r", Ballot: core.Ballot{N: 4, Node: 5}, OK: true, Accepted: core.Ballot{N: 1, Node: 2}, Value: []byte("v")},
		core.Accept{Version: 1, Register: "r", Ballot: core.Ballot{N: 4, Node: 5}, Value: []byte{}},
		core.Accepted{Version: 1, Register: "r", Ballot: core.Ballot{N: 4, Node: 5}, Promised: core.Ballot{N: 9, Node: 9}},
		core.App{What: 1, Answer: true, ID: 5, Body: []byte("x")},
	}
}

func TestMessagesSurviveTheWire(t *testing.T) {
	for _, m := range someMessages() {
		b := core.Append(nil, m)
		got, err := core.Decode(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%T: got %+v, %v; want %+v", m, got, err, m)
		}
		for i := range b { // no prefix of a message is one
			if _, err := core.Decode(b[:i]); err == nil {
				t.Errorf("%T: the first %d of %d bytes pass for a message", m, i, len(b))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range someMessages() {
		f.Add(core.Append(nil, m))
	}
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := core.Decode(b)
		if err != nil {
			return
		}
		again, err := core.Decode(core.Append(nil, m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%T does not survive: %v", m, err)
		}
	})
}

func FuzzDecodeList(f *testing.F) {
	f.Add(core.AppendList(nil, &core.List{Version: 1, Members: []core.Member{{ID: 1, Name: "n"}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := core.DecodeList(b)
		if err != nil {
			return
		}
		if again, err := core.DecodeList(core.AppendList(nil, l)); err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("%+v does not survive", l)
		}
	})
}

func TestNamesSurvive(t *testing.T) {
	want := []string{"members", "number/x", ""}
	got, err := core.DecodeNames(core.AppendNames(nil, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := core.DecodeNames(bytes.Repeat([]byte{0xff}, 3)); err == nil {
		t.Error("garbage passes for names")
	}
}

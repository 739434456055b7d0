package crdt_test

import (
	"bytes"
	"errors"
	"testing"

	"layercake/crdt"
)

// chainOf makes entries of an origin, each with its own body.
func chainOf(o crdt.Origin, prev []crdt.Entry, bodies ...string) []crdt.Entry {
	for _, body := range bodies {
		e := crdt.Entry{Origin: o, Seq: uint64(len(prev)) + 1, HLC: crdt.HLC(100 + len(prev)), Deps: crdt.Vector{origin(9): uint64(len(prev)) + 1}}
		if len(prev) > 0 {
			e.Prev = prev[len(prev)-1].Hash
		}
		crdt.EncodeEntry(&e, append([]byte{0}, body...))
		prev = append(prev[:len(prev):len(prev)], e)
	}
	return prev
}

// TestRefile: the entries of a branch stay a chain, by the hashes that they had, which all who have them make alike, under
// stamps that stay. So nobody needs the first of them to move the last.
func TestRefile(t *testing.T) {
	o := origin(3)
	log := chainOf(o, nil, "a", "b", "c", "d")
	f := crdt.Fork{Origin: o, After: 2, Hash: crdt.Short(log[2].Hash)}
	if !f.Begins(&log[2]) || f.Begins(&log[1]) || f.Branch() == o || f.Branch().Node != o.Node {
		t.Errorf("the branch is %v", f.Branch())
	}
	var prev [32]byte
	for i, old := range log[2:] {
		e, err := f.Refile(old)
		if err != nil {
			t.Fatal(err)
		}
		got, err := crdt.DecodeHead(e.Bytes)
		if err != nil || got.Hash != e.Hash || got.Hash != old.Hash || bytes.Equal(e.Bytes, old.Bytes) {
			t.Fatalf("it does not decode, or to another hash: %x, was %x, %v", got.Hash, old.Hash, err)
		}
		if head, err := crdt.HeadOf(e.Bytes); err != nil || head.Hash != old.Hash || head.WasSeq != old.Seq {
			t.Errorf("its head is %+v, %v", head, err)
		}
		for k := range e.Bytes {
			b := bytes.Clone(e.Bytes)
			b[k] ^= 4
			if _, err := crdt.DecodeHead(b); !errors.Is(err, crdt.ErrMalformed) {
				t.Errorf("with another byte %d it passes: %v", k, err)
			}
		}
		for k := range e.Bytes {
			if _, err := crdt.DecodeHead(e.Bytes[:k]); !errors.Is(err, crdt.ErrMalformed) {
				t.Errorf("cut to %d bytes it passes: %v", k, err)
			}
		}
		if got.Origin != f.Branch() || got.Seq != uint64(i)+1 || got.Prev != prev || got.Stamp() != old.Stamp() || got.WasSeq != old.Seq {
			t.Errorf("%+v", got)
		}
		if first := i == 0; first != (got.Deps[o] == 2) || got.Deps[origin(9)] != old.Deps[origin(9)] {
			t.Errorf("entry %d depends on %v", i+1, got.Deps)
		}
		again := crdt.Fork{Origin: f.Branch(), After: uint64(i), Hash: crdt.Short(e.Hash)}
		n, err := again.Refile(e)
		if err != nil {
			t.Fatal(err)
		}
		n, err = crdt.DecodeHead(n.Bytes)
		if err != nil || n.Stamp() != old.Stamp() || n.WasSeq != old.Seq || n.Hash != old.Hash || n.Prev != [32]byte{} || n.Origin != again.Branch() {
			t.Errorf("moved twice: %+v, %v", n, err)
		}
		prev = e.Hash
	}
	m := marker()
	if e, err := (crdt.Fork{Origin: m.Origin, After: m.Seq - 1}).Refile(m); err != nil || e.Marker || !e.Empty() {
		t.Errorf("a marker became %+v, %v", e, err)
	} else if g, err := e.Groups(); err != nil || len(g) > 0 {
		t.Errorf("and says %v, %v", g, err)
	}
}

// TestForksCover: what was said of an entry under its old name may mean either branch.
func TestForksCover(t *testing.T) {
	o := origin(3)
	f := crdt.Fork{Origin: o, After: 5, Hash: 1 << 40}
	var fs crdt.Forks
	fs = fs.With(f)
	b := f.Branch()
	for _, test := range []struct {
		v        crdt.Vector
		seq      uint64
		met, all bool
	}{
		{crdt.Vector{o: 7}, 5, true, true}, // both have it
		{crdt.Vector{o: 7}, 7, true, false},
		{crdt.Vector{o: 5, b: 2}, 7, true, false},
		{crdt.Vector{o: 6, b: 2}, 7, true, true}, // the one that keeps the name ends at 6
		{crdt.Vector{o: 6, b: 1}, 7, false, false},
	} {
		at := func(p crdt.Origin) uint64 { return test.v[p] }
		most := func(p crdt.Origin) uint64 { return crdt.Vector{o: 6, b: 3}[p] }
		if met, all := fs.Met(o, test.seq, at), fs.MetAll(o, test.seq, at, most); met != test.met || all != test.all {
			t.Errorf("%v has %d: %v, in all branches: %v", test.v, test.seq, met, all)
		}
		if got := fs.Covers(test.v, crdt.Vector{o: test.seq}); got != test.met {
			t.Errorf("%v covers %d: %v", test.v, test.seq, got)
		}
	}
	if !fs.Has(f) || !fs.Forked(o) || fs.Forked(b) || !fs.IsBranch(b) || fs.IsBranch(o) || !fs.Equal(crdt.Forks{f}) || fs.Equal(nil) {
		t.Error("the fork is not known")
	}
	enc := crdt.AppendFork(nil, f)
	if got, rest, err := crdt.DecodeFork(append(enc, 9)); err != nil || got != f || len(rest) != 1 {
		t.Errorf("%+v became %+v, %v", f, got, err)
	}
	for i := range enc {
		if _, _, err := crdt.DecodeFork(enc[:i]); err == nil {
			t.Errorf("%d bytes pass for a fork", i)
		}
	}
}

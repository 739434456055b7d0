package crdt_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"layercake/crdt"

	"pgregory.net/rapid"
)

func value(b byte) []byte { return []byte{3, 1, 0, 0, 0, b} }

func origin(n int) crdt.Origin {
	return crdt.Origin{Node: crdt.NodeID(n), Epoch: crdt.Epoch{First: crdt.HLC(n * 10), Random: uint32(n * 100)}}
}

func sample() crdt.Entry {
	var b crdt.Body
	b.Group(crdt.Truncate, crdt.ID{HLC: 9}, crdt.ID{}, nil, nil)
	b.Group(crdt.Delete, crdt.ID{HLC: 9}, crdt.ID{HLC: 55}, []crdt.ID{{HLC: 10}}, nil).Delete(value('d'))
	u := b.Group(crdt.Update, crdt.ID{HLC: 9}, crdt.ID{HLC: 55}, []crdt.ID{{HLC: 10}}, []crdt.ID{{HLC: 11}})
	u.Update(crdt.Stamp{HLC: 77, Origin: origin(2)}, value('k'), value('u'))
	u.Update(crdt.Stamp{HLC: 78, Origin: origin(3)}, value('l'), []byte{0})
	i := b.Group(crdt.Insert, crdt.ID{HLC: 8}, crdt.ID{}, nil, []crdt.ID{{HLC: 12}, {HLC: 13, Node: 1}})
	i.Insert(value('h'), append(value('1'), 1, 1, 2, 3, 4, 5, 6, 7, 8))
	i.InsertEncoded(1, append(append(value('g'), value('2')...), 0))
	b.Group(crdt.Insert, crdt.ID{HLC: 8}, crdt.ID{}, nil, nil) // without rows: left out
	e := crdt.Entry{Origin: origin(1), Seq: 5, HLC: 99, Schema: 3, Deps: crdt.Vector{origin(2): 7, origin(3): 1 << 39}, Prev: [32]byte{1, 2}}
	crdt.EncodeEntry(&e, b.Encode())
	same := e
	if crdt.EncodeEntryOf(&same, &b); same.Hash != e.Hash {
		panic("EncodeEntryOf and EncodeEntry differ")
	}
	return e
}

func marker() crdt.Entry {
	e := crdt.Entry{Origin: origin(1), Seq: 2, HLC: 5 << 16, Deps: crdt.Vector{origin(2): 3}, Prev: [32]byte{1}, Marker: true}
	crdt.EncodeEntry(&e, crdt.AppendMarker(nil, crdt.Marker{List: 7, Vector: crdt.Vector{origin(1): 1, origin(2): 3}}))
	return e
}

func TestMarkerThatRetires(t *testing.T) {
	want := crdt.Marker{List: 7, Vector: crdt.Vector{origin(1): 1, origin(2): 3}, Retired: crdt.Vector{origin(2): 3}}
	b := crdt.AppendMarker(nil, want)
	got, err := crdt.DecodeMarker(b)
	if err != nil || got.List != 7 || !got.Vector.Equal(want.Vector) || !got.Retired.Equal(want.Retired) {
		t.Errorf("got %+v, %v", got, err)
	}
	plain := len(crdt.AppendMarker(nil, crdt.Marker{List: 7, Vector: want.Vector}))
	for cut := range b {
		if _, err := crdt.DecodeMarker(b[:cut]); cut != plain && !errors.Is(err, crdt.ErrMalformed) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
	if v := got.Vector.Without(got.Retired); !v.Equal(crdt.Vector{origin(1): 1}) {
		t.Errorf("without what is retired: %v", v)
	}
}

func TestMarkerRoundTrip(t *testing.T) {
	e := marker()
	got, err := crdt.DecodeHead(e.Bytes)
	if err != nil || !got.Marker || got.Hash != e.Hash || got.Seq != 2 {
		t.Fatalf("got %+v, %v", got, err)
	}
	m, err := got.MarkerBody()
	if err != nil || m.List != 7 || !m.Vector.Equal(crdt.Vector{origin(1): 1, origin(2): 3}) {
		t.Errorf("got %+v, %v", m, err)
	}
	if groups, err := got.Groups(); err != nil || len(groups) > 0 {
		t.Errorf("a marker has mutations: %v, %v", groups, err)
	}
	plain := sample()
	if _, err := plain.MarkerBody(); !errors.Is(err, crdt.ErrMalformed) {
		t.Errorf("an entry without a marker: %v", err)
	}
	for cut := range e.Bytes {
		got := crdt.Entry{Bytes: e.Bytes[:cut]}
		if _, err := got.Groups(); !errors.Is(err, crdt.ErrMalformed) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	want := sample()
	got, err := crdt.DecodeHead(want.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	groups, err := got.Groups()
	if err != nil || len(groups) != 4 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	if groups[1].KeyID != (crdt.ID{HLC: 55}) || len(groups[1].Key) != 1 || groups[3].KeyID != (crdt.ID{}) {
		t.Errorf("keys are %+v", groups)
	}
	var rows []crdt.Row
	for _, g := range groups {
		if err := g.Each(func(r crdt.Row) error { rows = append(rows, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if len(rows) != 5 || rows[1].Seen != (crdt.Stamp{HLC: 77, Origin: origin(2)}) || !bytes.Equal(rows[2].Values, []byte{0}) ||
		!bytes.Equal(rows[4].Key, value('g')) || !bytes.Equal(rows[4].Values, append(value('2'), 0)) {
		t.Errorf("rows are %+v", rows)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	e := sample()
	for n := range len(e.Bytes) {
		cut := crdt.Entry{Bytes: e.Bytes[:n:n]}
		if _, err := cut.Groups(); !errors.Is(err, crdt.ErrMalformed) {
			// A cut between groups leaves a well-formed entry of fewer groups; the hash tells it from the whole.
			if err == nil {
				if head, err := crdt.DecodeHead(cut.Bytes); err == nil && head.Hash != e.Hash {
					continue
				}
			}
			t.Errorf("%d of %d bytes: %v", n, len(e.Bytes), err)
		}
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(sample().Bytes)
	f.Add([]byte{1})
	f.Add(bulk(nil, 400, func(i int) string { return "packed" }).Bytes)
	f.Add(bulk([]byte("hidden"), 400, func(i int) string { return "numbered" }).Bytes)
	f.Add(marker().Bytes)
	branch := sample()
	branch.Was, branch.WasSeq = origin(7), 300
	crdt.EncodeEntry(&branch, []byte{0})
	f.Add(branch.Bytes)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := crdt.DecodeHead(b)
		if err != nil {
			if !errors.Is(err, crdt.ErrMalformed) {
				t.Errorf("got %v", err)
			}
			return
		}
		groups, err := e.Groups()
		if err != nil {
			if !errors.Is(err, crdt.ErrMalformed) {
				t.Errorf("got %v", err)
			}
			return
		}
		for _, g := range groups {
			n := 0
			if err := g.Each(func(crdt.Row) error { n++; return nil }); err != nil || n != g.Rows {
				t.Errorf("%d of %d rows, %v", n, g.Rows, err)
			}
		}
	})
}

func FuzzVector(f *testing.F) {
	f.Add(crdt.AppendVector(nil, crdt.Vector{origin(1): 1, origin(2): 300}))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, err := crdt.DecodeVector(b)
		if err != nil {
			return
		}
		w, _, err := crdt.DecodeVector(crdt.AppendVector(nil, v))
		if err != nil || !w.Equal(v) || len(rest) > len(b) {
			t.Errorf("%v became %v, %v", v, w, err)
		}
	})
}

func TestVectorRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := make(crdt.Vector)
		for range rapid.IntRange(0, 6).Draw(t, "origins") {
			v[origin(rapid.IntRange(1, 9).Draw(t, "origin"))] = rapid.Uint64Range(1, crdt.MaxSeq).Draw(t, "seq")
		}
		b := crdt.AppendVector([]byte("x"), v)
		got, rest, err := crdt.DecodeVector(append(b, "rest"...)[1:])
		if err != nil || !got.Equal(v) || string(rest) != "rest" {
			t.Fatalf("%v became %v, %q, %v", v, got, rest, err)
		}
	})
}

// TestEncodedOrder: encoded stamps and origins order as they do, which SQL relies on.
func TestEncodedOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) crdt.Stamp {
			return crdt.Stamp{HLC: crdt.HLC(rapid.Uint64Range(1, 3).Draw(t, name)), Origin: crdt.Origin{
				Node:  crdt.NodeID(rapid.SampledFrom([]uint64{1, 2, 1 << 63}).Draw(t, name)),
				Epoch: crdt.Epoch{First: crdt.HLC(rapid.Uint64Range(1, 2).Draw(t, name)), Random: uint32(rapid.IntRange(0, 2).Draw(t, name))},
			}}
		}
		a, b := draw("a"), draw("b")
		if got, want := bytes.Compare(crdt.AppendStamp(nil, a), crdt.AppendStamp(nil, b)), a.Compare(b); got != want {
			t.Fatalf("%v, %v: bytes say %d, want %d", a, b, got, want)
		}
	})
}

func TestClock(t *testing.T) {
	var c crdt.Clock
	now := time.UnixMilli(1_000_000)
	a := c.Tick(now)
	if b := c.Tick(now.Add(-time.Hour)); b <= a {
		t.Errorf("the clock went back: %x after %x", b, a)
	}
	near := crdt.MakeHLC(now.Add(400 * time.Millisecond))
	if err := c.Observe(near, now); err != nil || c.Tick(now) <= near {
		t.Errorf("observed stamp is not behind: %v", err)
	}
	far := crdt.MakeHLC(now.Add(time.Minute))
	if err := c.Observe(far, now); !errors.Is(err, crdt.ErrAhead) || c.Last() >= far {
		t.Errorf("a stamp too far ahead: %v, clock %x", err, c.Last())
	}
	c.Resume(far)
	if b := c.Tick(now); b <= far {
		t.Errorf("rule E4: %x after %x", b, far)
	}
	if got := crdt.MakeHLC(now).Time(); !got.Equal(now) {
		t.Errorf("time of a reading is %v", got)
	}
	// 65,536 readings in a millisecond run into the next.
	for range 1 << 17 {
		c.Tick(now)
	}
	if c.Last() < far+1<<17 {
		t.Error("the counter stood still")
	}
}

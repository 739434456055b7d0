package crdt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"layercake/crdt"
)

// text is the encoded form of a text.
func text(s string) []byte {
	return append(binary.LittleEndian.AppendUint32([]byte{3}, uint32(len(s))), s...)
}

func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// bulk is an entry of a group of n INSERTs with a text each.
func bulk(first []byte, n int, row func(i int) string) crdt.Entry {
	var rows []byte
	for i := range n {
		if first == nil {
			rows = append(rows, text(fmt.Sprint("key ", i))...)
		}
		rows = append(rows, text(row(i))...)
	}
	var key []crdt.ID
	if first == nil {
		key = []crdt.ID{{HLC: 10}}
	}
	var b crdt.Body
	b.Group(crdt.Delete, crdt.ID{HLC: 9}, crdt.ID{}, nil, nil).Delete(value('d'))
	group := crdt.EncodeInserts(crdt.ID{HLC: 9}, crdt.ID{HLC: 55}, key, []crdt.ID{{HLC: 11}}, first, n, rows)
	e := crdt.Entry{Origin: origin(1), Seq: 1, HLC: 99, Deps: crdt.Vector{}}
	crdt.EncodeEntryOf(&e, &b)
	e.Bytes = append(e.Bytes, group...)
	e.Seal()
	return e
}

func TestEncodeInserts(t *testing.T) {
	first := append([]byte("hidden"), 0, 0, 0, 250)
	for _, tt := range []struct {
		name   string
		first  []byte
		n      int
		row    func(i int) string
		packed bool
	}{
		{"few", nil, 3, func(i int) string { return fmt.Sprint(i) }, false},
		{"many", nil, 3000, func(i int) string { return fmt.Sprint("text ", i) }, true},
		{"numbered", first, 3, func(i int) string { return fmt.Sprint(i) }, false},
		{"numbered and many", first, 3000, func(i int) string { return fmt.Sprint("text ", i) }, true},
		{"what packing does not help", first, 3, func(i int) string { return noise(30000)[10000*i:][:10000] }, false},
		{"one long row", first, 1, func(int) string { return strings.Repeat(noise(1<<10), 1<<10) }, true},
		{"so long that its length would have to be believed", first, 1, func(int) string { return strings.Repeat("x", 8<<20) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := bulk(tt.first, tt.n, tt.row)
			if again, err := crdt.DecodeHead(e.Bytes); err != nil || again.Hash != e.Hash {
				t.Errorf("the hash is not that of the bytes (%v)", err)
			}
			groups, err := e.Groups()
			if err != nil {
				t.Fatal(err)
			}
			if len(groups) != 2 || groups[0].Op != crdt.Delete || groups[1].Op != crdt.Insert || groups[1].Rows != tt.n {
				t.Fatalf("groups are %+v", groups)
			}
			g, i, size := &groups[1], 0, 0
			err = g.Each(func(r crdt.Row) error {
				key := text(fmt.Sprint("key ", i))
				if tt.first != nil {
					key = append([]byte{4, 10, 0, 0, 0}, "hidden"...)
					key = binary.BigEndian.AppendUint32(key, uint32(250+i))
				}
				if want := text(tt.row(i)); !bytes.Equal(r.Values, want) || !bytes.Equal(r.Key, key) {
					t.Errorf("row %d is %q, %.20q", i, r.Key, r.Values)
				}
				i++
				size += len(r.Values)
				return nil
			})
			if err != nil || i != tt.n {
				t.Errorf("%d rows, %v", i, err)
			}
			if packed := len(e.Bytes) < size; packed != tt.packed {
				t.Errorf("%d bytes for %d bytes of rows", len(e.Bytes), size)
			}
		})
	}
}

// TestPackedBytesAreChecked: whatever byte of a packed group is another, nothing worse comes of it than ErrMalformed or
// other rows (of which the hash tells).
func TestPackedBytesAreChecked(t *testing.T) {
	e := bulk(append([]byte("hidden"), 0xff, 0xff, 0, 0), 3000, func(i int) string { return fmt.Sprint("text ", i) })
	refused := 0
	for i := range min(len(e.Bytes), 400) {
		for _, flip := range []byte{1, 0x40, 0x80, 0xff} {
			b := bytes.Clone(e.Bytes)
			b[i] ^= flip
			bad := crdt.Entry{Bytes: b}
			groups, err := bad.Groups()
			if err != nil {
				if !errors.Is(err, crdt.ErrMalformed) {
					t.Errorf("byte %d: %v", i, err)
				}
				refused++
				continue
			}
			for _, g := range groups {
				n := 0
				if err := g.Each(func(crdt.Row) error { n++; return nil }); err != nil || n != g.Rows {
					t.Errorf("byte %d: %d of %d rows, %v", i, n, g.Rows, err)
				}
			}
		}
	}
	if refused < 300 {
		t.Errorf("only %d refused", refused)
	}
	// Keys must not count past their four bytes.
	over := bulk(append([]byte("hidden"), 0xff, 0xff, 0xff, 0xfe), 3, func(int) string { return "" })
	if _, err := over.Groups(); !errors.Is(err, crdt.ErrMalformed) {
		t.Errorf("numbers that overflow: %v", err)
	}
}

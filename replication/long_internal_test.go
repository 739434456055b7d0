package replication

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// sentFrames is a stream that keeps what is sent on it.
type sentFrames struct{ list [][]byte }

func (s *sentFrames) SendMsg(m any) error {
	s.list = append(s.list, bytes.Join(m.(*frame).parts, nil))
	return nil
}

func (s *sentFrames) RecvMsg(any) error { return nil }

// TestParts: a message around the length of a frame is cut into what a receiver takes.
func TestParts(t *testing.T) {
	for size := maxFrame - 20; size < maxFrame+20; size++ {
		s := &sentFrames{}
		if err := (&Replicator{}).sendParts(&link{stream: s}, &long{parts: [][]byte{make([]byte, size)}}); err != nil {
			t.Fatal(err)
		}
		var got int
		for i, f := range s.list {
			want := byte(framePart)
			switch {
			case len(s.list) == 1:
				want = frameWhole
			case i == 0:
				want = frameFirst
			case i == len(s.list)-1:
				want = frameLast
			}
			if f[0] != want || len(f) > maxFrame {
				t.Fatalf("%d bytes: frame %d of %d is of kind %d and has %d bytes", size, i, len(s.list), f[0], len(f))
			}
			got += len(f) - 1
			if f[0] == frameFirst {
				got -= 8
				if n := binary.BigEndian.Uint64(f[1:]); n != uint64(size) {
					t.Fatalf("%d bytes are said to be %d", size, n)
				}
			}
		}
		if got != size {
			t.Fatalf("%d bytes become %d", size, got)
		}
	}
}

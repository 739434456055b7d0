package crdt

import "cmp"

// HLC is a hybrid logical clock reading: 48 bits of Unix milliseconds, then a counter of 16 bits
// (Kulkarni et al., "Logical Physical Clocks", 2014). It fits a signed 64-bit integer until the year 6429.
type HLC uint64

// NodeID names a node for ever: random, given when its data folder is made, never used again.
type NodeID uint64

// Epoch names one life of a node's process: its first stamp and a random part (rule E2).
type Epoch struct {
	First  HLC
	Random uint32
}

// Origin is who wrote an entry: a node in one of its epochs.
type Origin struct {
	Node  NodeID
	Epoch Epoch
}

// Stamp orders writes: by clock, then node, then epoch (rule M2). Writes with equal stamps are decided by value.
type Stamp struct {
	HLC    HLC
	Origin Origin
}

// Compare orders stamps: -1, 0 or +1.
func (s Stamp) Compare(t Stamp) int {
	if c := cmp.Compare(s.HLC, t.HLC); c != 0 {
		return c
	}
	return s.Origin.Compare(t.Origin)
}

// IsZero says whether s is no stamp at all: less than every stamp.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Compare orders origins by node, then epoch.
func (o Origin) Compare(p Origin) int {
	if c := cmp.Compare(o.Node, p.Node); c != 0 {
		return c
	}
	if c := cmp.Compare(o.Epoch.First, p.Epoch.First); c != 0 {
		return c
	}
	return cmp.Compare(o.Epoch.Random, p.Epoch.Random)
}

package sqlstore

import (
	"layercake/catalog"
	"layercake/crdt"
)

// txMemory is what a transaction works with that the next one can use again.
type txMemory struct {
	spaces map[crdt.ID]*txSpace
	order  []*txSpace // those of spaces
	heads  map[crdt.Origin]head
	hasher crdt.RowHasher
	args   []catalog.Value
	key    []byte
}

// What a transaction leaves to the next one at the most.
const (
	spareKeys  = 16
	spareArgs  = 64
	spareBytes = 4 << 10
)

// spare is the memory for the next transaction: emptied, and without what has grown large.
func (m *txMemory) spare() (next txMemory) {
	next.spaces, next.heads = emptied(m.spaces), emptied(m.heads)
	if cap(m.order) <= spareKeys {
		clear(m.order)
		next.order = m.order[:0]
	}
	if cap(m.hasher.Buffer()) <= spareBytes {
		next.hasher = m.hasher
	}
	if args := m.args[:cap(m.args)]; len(args) <= spareArgs {
		clear(args)
		next.args = args[:0]
	}
	if cap(m.key) <= spareBytes {
		next.key = m.key[:0]
	}
	return next
}

// emptied gives an empty map: the same one, unless it has grown large.
func emptied[K comparable, V any](m map[K]V) map[K]V {
	if m == nil || len(m) > spareKeys {
		return make(map[K]V)
	}
	clear(m)
	return m
}

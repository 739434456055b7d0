package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"

	"layercake/catalog"
	"layercake/crdt"
)

// A row's identity is its key's canonical form: keys that SQLite's index takes for equal have equal bytes, however they
// are shown (numeric 1.0 and 1.00). It begins with a byte for the kind of key, so that a hidden key and a primary key
// never look alike in the table of tombstones.
const (
	keyPrimary = 'p'
	keyHidden  = 'h'
)

// hiddenKeySize is the length of a hidden key that an INSERT makes: clock 8, node 8, epoch's random part 4, number of
// the row in its transaction 4.
const hiddenKeySize = 24

func newHiddenKey(dst []byte, s crdt.Stamp, n uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.HLC))
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Origin.Node))
	dst = binary.BigEndian.AppendUint32(dst, s.Origin.Epoch.Random)
	return binary.BigEndian.AppendUint32(dst, n)
}

// canonical returns v as the key of a column with the given catalog.Comparison compares it.
func canonical(v catalog.Value, comparison string) catalog.Value {
	if v.Kind == catalog.Real {
		// SQLite takes 1 and 1.0 for equal, and 0 and -0.
		if f := v.Float(); f == float64(int64(f)) && f >= -1<<53 && f <= 1<<53 {
			return catalog.Int(int64(f))
		}
	}
	return catalog.Canonical(v, comparison)
}

func (sp *space) canonicalKey(dst []byte, key func(i int) catalog.Value) []byte {
	dst = append(dst, keyPrimary)
	for i, c := range sp.key {
		dst = catalog.AppendValue(dst, canonical(key(i), sp.cols[c].comparison))
	}
	return dst
}

// rowKey returns the identity of a row given as all of the space's columns and its hidden key. A row that has a hidden
// key goes by it even if the table has got a primary key since.
func (sp *space) rowKey(dst []byte, vals []catalog.Value, hidden []byte) []byte {
	if hidden != nil || sp.key == nil {
		return append(append(dst, keyHidden), hidden...)
	}
	return sp.canonicalKey(dst, func(i int) catalog.Value { return vals[sp.key[i]] })
}

// derivedKey is the hidden key of a row that was known by a primary key that its table no longer has: the same on every
// node, whenever the row arrives.
func derivedKey(key crdt.ID, canonicalKey []byte) []byte {
	h := sha256.New()
	h.Write(catalog.ID(key).Bytes())
	h.Write(canonicalKey)
	return append([]byte(derivedPrefix), h.Sum(nil)[:16]...)
}

const derivedPrefix = "derived:"

package crdt

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"slices"
)

// Digest is the order-independent digest of a set of rows: the sum of their hashes modulo 2^128, so that a row is added
// and taken away in constant time. The zero Digest is that of no rows.
type Digest struct{ Hi, Lo uint64 }

// Add adds a row or another digest.
func (d *Digest) Add(e Digest) {
	var carry uint64
	d.Lo, carry = bits.Add64(d.Lo, e.Lo, 0)
	d.Hi, _ = bits.Add64(d.Hi, e.Hi, carry)
}

// Sub takes a row or another digest away.
func (d *Digest) Sub(e Digest) {
	var borrow uint64
	d.Lo, borrow = bits.Sub64(d.Lo, e.Lo, 0)
	d.Hi, _ = bits.Sub64(d.Hi, e.Hi, borrow)
}

// String is the digest in 32 hex digits.
func (d Digest) String() string { return hex.EncodeToString(d.Bytes()) }

// Bytes is the digest in 16 bytes, big-endian.
func (d Digest) Bytes() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), d.Hi)
	return binary.BigEndian.AppendUint64(b, d.Lo)
}

// DigestFromBytes reads what Bytes wrote.
func DigestFromBytes(b []byte) (Digest, bool) {
	if len(b) != 16 {
		return Digest{}, false
	}
	return Digest{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}, true
}

// RowHasher works out the hash of one row from what every replica knows of it alike: its hidden key if it has one, its
// INSERT's stamp, and its cells in the order of their columns' IDs. A cell that has no clock of its own and holds what
// the column holds when nobody says otherwise must be left out: ADD COLUMN then changes no digest. It may be used again
// after Sum.
type RowHasher struct{ buf []byte }

// Begin starts a row.
func (h *RowHasher) Begin(insert Stamp, hiddenKey []byte) {
	h.buf = AppendStamp(h.buf[:0], insert)
	h.buf = binary.AppendUvarint(h.buf, uint64(len(hiddenKey)))
	h.buf = append(h.buf, hiddenKey...)
}

// Cell adds a cell. The value is in its encoded form; own is the stamp of the UPDATE that set it, nil if it bears the
// INSERT's. The caller must give cells in ascending order of their columns.
func (h *RowHasher) Cell(column ID, value []byte, own *Stamp) {
	h.buf = binary.BigEndian.AppendUint64(h.buf, column.HLC)
	h.buf = binary.BigEndian.AppendUint64(h.buf, column.Node)
	if own == nil {
		h.buf = append(h.buf, 0)
	} else {
		h.buf = AppendStamp(append(h.buf, 1), *own)
	}
	h.buf = append(h.buf, value...)
}

// Buffer lends the hasher's buffer to a caller that encodes a cell's value in place: append to it what Cell would have
// written for column and own, then the value, and hand it back with SetBuffer.
func (h *RowHasher) Buffer() []byte { return h.buf }

// SetBuffer takes back what Buffer lent.
func (h *RowHasher) SetBuffer(b []byte) { h.buf = b }

// Sum ends the row.
func (h *RowHasher) Sum() Digest {
	sum := sha256.Sum256(h.buf)
	return Digest{Hi: binary.BigEndian.Uint64(sum[:]), Lo: binary.BigEndian.Uint64(sum[8:])}
}

// Digest is the digest of a row without a hidden key: zero unless it is live. missing gives a column's value in rows
// that do not say (nil: an absent cell and any present one differ).
func (r *RowState) Digest(missing func(ID) []byte) Digest {
	if !r.Live() {
		return Digest{}
	}
	ids := make([]ID, 0, len(r.Cells))
	for id := range r.Cells {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, ID.Compare)
	var h RowHasher
	h.Begin(r.Insert, nil)
	for _, id := range ids {
		c := r.Cells[id]
		if c.Stamp != r.Insert {
			h.Cell(id, c.Value, &c.Stamp)
		} else if missing == nil || !bytes.Equal(c.Value, missing(id)) {
			h.Cell(id, c.Value, nil)
		}
	}
	return h.Sum()
}

// Compare orders IDs by creation.
func (id ID) Compare(other ID) int {
	if c := cmp.Compare(id.HLC, other.HLC); c != 0 {
		return c
	}
	return cmp.Compare(id.Node, other.Node)
}

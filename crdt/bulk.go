package crdt

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/klauspost/compress/s2"
)

// Two bits of a group's first byte change its form. They go with INSERT alone.
const (
	// formNumbered: after the columns stands the first row's hidden key (uvarint length, bytes); rows have no key of
	// their own. Each row's key is the one before with its last four bytes, a big-endian number, greater by one. There
	// must be at least one column, so that a row has bytes.
	formNumbered = 0x40
	// formPacked: before the length stands the length of the rows once unpacked (uvarint); the rows are one S2 block.
	formPacked = 0x80
)

// EncodeInserts encodes a whole group of n INSERTs, whose rows (key, then columns) are encoded already, one after the
// other. With first, the hidden key of the first row, rows have no key and are numbered from it. Where it saves enough,
// the rows are packed: a bulk load is written to the log, hashed, sent and stored by every node.
//
// One group should be a part of a bulk load (a megabyte, say): who reads the entry unpacks one group at a time.
func EncodeInserts(keyspace, keyID ID, key, columns []ID, first []byte, n int, rows []byte) []byte {
	form := byte(Insert)
	if first != nil {
		form |= formNumbered
	}
	var packed []byte
	if len(rows) >= worthPacking && len(rows) <= math.MaxInt32 {
		packed = s2.Encode(nil, rows)
	}
	if packed != nil && len(packed) < len(rows)-len(rows)/8 && unpackable(uint64(len(rows)), uint64(len(packed))) {
		form |= formPacked
	} else {
		packed = rows
	}
	out := appendGroupHead(make([]byte, 0, 64+idSize*(3+len(key)+len(columns))+len(packed)), form, keyspace, keyID, key, columns)
	if first != nil {
		out = binary.AppendUvarint(out, uint64(len(first)))
		out = append(out, first...)
	}
	out = binary.AppendUvarint(out, uint64(n))
	if form&formPacked != 0 {
		out = binary.AppendUvarint(out, uint64(len(rows)))
	}
	out = binary.AppendUvarint(out, uint64(len(packed)))
	return append(out, packed...)
}

// worthPacking is the length from which on rows are tried to be packed.
const worthPacking = 4 << 10

// unpackable says whether a group may unpack n bytes from so few: a lie about the length must not take much memory.
func unpackable(n, packed uint64) bool { return n <= 4<<20 || n/64 <= packed }

// Seal works out the hash of an entry that groups made by EncodeInserts were appended to.
func (e *Entry) Seal() { e.Hash = sha256.Sum256(e.Bytes) }

// Encoded returns the group's rows in their encoded form: for each, key values (unless First is set), then column values;
// for UPDATE, what Body says of it. Packed rows are unpacked into room, if they fit; others alias the entry's bytes.
func (g *Group) Encoded(room []byte) ([]byte, error) {
	if g.packed == 0 {
		return g.data, nil
	}
	if cap(room) < g.packed {
		room = make([]byte, g.packed)
	}
	out, err := s2.Decode(room[:g.packed], g.data)
	if err != nil || len(out) != g.packed {
		return nil, malformed("packed rows")
	}
	return out, nil
}

// Packed says whether the rows have to be unpacked.
func (g *Group) Packed() bool { return g.packed > 0 }

// numberedKey is the encoded hidden key of row i of a group with numbered keys.
func (g *Group) numberedKey(i int) []byte {
	n := len(g.First)
	key := append(make([]byte, 0, 5+n), 4)
	key = binary.LittleEndian.AppendUint32(key, uint32(n))
	key = append(key, g.First...)
	number := key[5+n-4:]
	binary.BigEndian.PutUint32(number, binary.BigEndian.Uint32(number)+uint32(i))
	return key
}

func (g *Group) decodeFirst(b []byte) (rest []byte, err error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if n < 4 || n > uint64(len(b)) || len(g.Key) > 0 || len(g.Columns) == 0 {
		return nil, malformed("numbered keys")
	}
	g.First = b[:n:n]
	return b[n:], nil
}

// decodePacked reads the length of packed rows once unpacked.
func (g *Group) decodePacked(b []byte, room *unpackRoom) (rest []byte, err error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	size, data, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > MaxEntrySize-room.total || size > uint64(len(data)) || !unpackable(n, size) {
		return nil, malformed("length of packed rows")
	}
	if m, err := s2.DecodedLen(data[:size]); err != nil || uint64(m) != n {
		return nil, malformed("length of packed rows")
	}
	room.total += n
	g.packed = int(n)
	return b, nil
}

// unpackRoom is memory that an entry's groups are unpacked into, one after the other, while they are checked.
type unpackRoom struct {
	buf   []byte
	total uint64
}

func (r *unpackRoom) take(n int) []byte {
	if n == 0 {
		return nil
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, n)
	}
	return r.buf[:n]
}

package crdt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrMalformed reports bytes that are no entry, mutation, vector or stamp.
var ErrMalformed = errors.New("malformed replication data")

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// OriginSize is the length of an encoded Origin.
const OriginSize = 8 + 8 + 4

// AppendOrigin appends the encoding of o: big-endian node, epoch's first stamp, epoch's random part. The bytes order as
// Compare does.
func AppendOrigin(dst []byte, o Origin) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.Node))
	dst = binary.BigEndian.AppendUint64(dst, uint64(o.Epoch.First))
	return binary.BigEndian.AppendUint32(dst, o.Epoch.Random)
}

// DecodeOrigin decodes an origin from the front of b and returns what follows.
func DecodeOrigin(b []byte) (Origin, []byte, error) {
	if len(b) < OriginSize {
		return Origin{}, nil, malformed("origin")
	}
	return Origin{
		Node: NodeID(binary.BigEndian.Uint64(b)),
		Epoch: Epoch{
			First:  HLC(binary.BigEndian.Uint64(b[8:])),
			Random: binary.BigEndian.Uint32(b[16:]),
		},
	}, b[OriginSize:], nil
}

// AppendStamp appends the encoding of s: big-endian clock, then the origin. The bytes order as Compare does.
func AppendStamp(dst []byte, s Stamp) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.HLC))
	return AppendOrigin(dst, s.Origin)
}

// AppendVector appends the encoding of v: a count, then origin and number of each, ordered by origin.
func AppendVector(dst []byte, v Vector) []byte {
	origins := make([]Origin, 0, len(v))
	for o := range v {
		origins = append(origins, o)
	}
	slices.SortFunc(origins, Origin.Compare)
	dst = binary.AppendUvarint(dst, uint64(len(origins)))
	for _, o := range origins {
		dst = AppendOrigin(dst, o)
		dst = binary.AppendUvarint(dst, v[o])
	}
	return dst
}

// DecodeVector decodes a vector from the front of b and returns what follows. Only what AppendVector writes is taken:
// origins ascending.
func DecodeVector(b []byte) (Vector, []byte, error) {
	n, b, err := uvarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(b)/(OriginSize+1)) {
		return nil, nil, malformed("vector is longer than its bytes")
	}
	v := make(Vector, n)
	var last Origin
	for i := range n {
		var o Origin
		if o, b, err = DecodeOrigin(b); err != nil {
			return nil, nil, err
		}
		if i > 0 && last.Compare(o) >= 0 {
			return nil, nil, malformed("vector is out of order")
		}
		last = o
		var seq uint64
		if seq, b, err = uvarint(b); err != nil {
			return nil, nil, err
		}
		v[o] = seq
	}
	return v, b, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, malformed("number")
	}
	return v, b[n:], nil
}

// ValueSize returns the length of the encoded value at the front of b. Values are in catalog's row encoding (a tag 0 to
// 4; 8 bytes after 1 and 2; a 4-byte little-endian length and as many bytes after 3 and 4): this package looks at their
// bytes and never at what they mean.
func ValueSize(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, malformed("value")
	}
	n := uint64(1)
	switch b[0] {
	case 0:
	case 1, 2:
		n += 8
	case 3, 4:
		if len(b) < 5 {
			return 0, malformed("value")
		}
		n += 4 + uint64(binary.LittleEndian.Uint32(b[1:]))
	default:
		return 0, malformed("value tag")
	}
	if n > uint64(len(b)) {
		return 0, malformed("value")
	}
	return int(n), nil
}

// valuesSize returns the length of n encoded values at the front of b.
func valuesSize(b []byte, n int) (int, error) {
	size := 0
	for range n {
		s, err := ValueSize(b[size:])
		if err != nil {
			return 0, err
		}
		size += s
	}
	return size, nil
}

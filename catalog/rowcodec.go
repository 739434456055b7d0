package catalog

import (
	"encoding/binary"
	"errors"
	"math"
)

// The row encoding: how values travel between SQLite's C side and Go, in row-set arguments, and inside log entries.
// One value is a tag byte, then
//
//	0 NULL     nothing
//	1 INTEGER  8 bytes, little-endian two's complement
//	2 REAL     8 bytes, little-endian IEEE 754
//	3 TEXT     4 bytes little-endian length, then the bytes
//	4 BLOB     4 bytes little-endian length, then the bytes
//
// The tags are the values of Kind. A row is its values one after the other; the count is known from outside.

// ErrTruncated reports an encoded row that ends too early or has an unknown tag.
var ErrTruncated = errors.New("catalog: malformed encoded value")

// AppendValue appends the encoding of v to dst.
func AppendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case Integer, Real:
		dst = binary.LittleEndian.AppendUint64(dst, v.bits)
	case Text, Blob:
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(v.Bytes)))
		dst = append(dst, v.Bytes...)
	}
	return dst
}

// AppendRow appends the encodings of row's values to dst.
func AppendRow(dst []byte, row []Value) []byte {
	for _, v := range row {
		dst = AppendValue(dst, v)
	}
	return dst
}

// RowSize is how many bytes AppendRow appends.
func RowSize(row []Value) int {
	size := len(row)
	for i := range row {
		switch row[i].Kind {
		case Integer, Real:
			size += 8
		case Text, Blob:
			size += 4 + len(row[i].Bytes)
		}
	}
	return size
}

// DecodeValue decodes one value from the front of b and returns what follows it. The value's Bytes alias b.
func DecodeValue(b []byte) (Value, []byte, error) {
	if len(b) == 0 {
		return Value{}, nil, ErrTruncated
	}
	k := Kind(b[0])
	b = b[1:]
	switch k {
	case Null:
		return Value{}, b, nil
	case Integer, Real:
		if len(b) < 8 {
			return Value{}, nil, ErrTruncated
		}
		v := Value{Kind: k, bits: binary.LittleEndian.Uint64(b)}
		if k == Real && math.IsNaN(math.Float64frombits(v.bits)) {
			return Str("NaN"), b[8:], nil
		}
		return v, b[8:], nil
	case Text, Blob:
		if len(b) < 4 {
			return Value{}, nil, ErrTruncated
		}
		n := uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if uint64(len(b)) < n {
			return Value{}, nil, ErrTruncated
		}
		return Value{Kind: k, Bytes: b[:n:n]}, b[n:], nil
	}
	return Value{}, nil, ErrTruncated
}

// DecodeRow decodes len(row) values from the front of b into row and returns what follows.
func DecodeRow(row []Value, b []byte) ([]byte, error) {
	for i := range row {
		var err error
		if row[i], b, err = DecodeValue(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

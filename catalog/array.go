package catalog

import (
	"encoding/binary"
	"errors"
	"math"

	"layercake/pgerror"
)

// ArrayDim is one dimension of an array: how many elements, and the subscript of the first.
type ArrayDim struct{ Len, Lower int32 }

// maxArrayDims is PostgreSQL's MAXDIM, maxArrayLen its MaxArraySize.
const (
	maxArrayDims = 6
	maxArrayLen  = (1<<30 - 1) / 8
)

var errArrayForm = errors.New("catalog: malformed array")

// Vector returns the dimensions of a plain array of n elements.
func Vector(n int) []ArrayDim {
	if n == 0 {
		return nil
	}
	return []ArrayDim{{Len: int32(n), Lower: 1}}
}

// EncodeArray returns the stored form of an array with elements of type elem (STORAGE.md): keys that compare bytewise
// as PostgreSQL compares the arrays, then a tail that has dims and elems as they are. An array without elements has no
// dimensions; dims nil stands for one dimension, from 1.
func EncodeArray(elem uint32, dims []ArrayDim, elems []Value) Value {
	if len(elems) == 0 {
		dims = nil
	} else if dims == nil {
		dims = Vector(len(elems))
	}
	b := make([]byte, 0, 16+24*len(elems))
	for _, v := range elems {
		b = appendElementKey(b, elem, v)
	}
	b = append(b, 1)
	tail := len(b)
	b = append(b, byte(len(dims)))
	for _, d := range dims {
		b = binary.LittleEndian.AppendUint32(b, uint32(d.Len))
		b = binary.LittleEndian.AppendUint32(b, uint32(d.Lower))
	}
	b = AppendRow(b, elems)
	return BlobBytes(binary.LittleEndian.AppendUint32(b, uint32(tail)))
}

// appendElementKey writes an element's key: 3 for NULL, which sorts last, or 2 and bytes that sort as the element does.
func appendElementKey(b []byte, elem uint32, v Value) []byte {
	if v.Kind == Null {
		return append(b, 3)
	}
	b = append(b, 2)
	if elem == Float4OID || elem == Float8OID {
		return binary.BigEndian.AppendUint64(b, floatKey(v.Float()))
	}
	switch v.Kind {
	case Integer:
		return binary.BigEndian.AppendUint64(b, uint64(v.Int())^1<<63)
	case Real:
		return binary.BigEndian.AppendUint64(b, floatKey(v.Float()))
	}
	key := v.Bytes
	if elem != JSONBOID { // see JSONBArrayKey
		key = Canonical(v, Collation(elem)).Bytes
	}
	for _, c := range key {
		if b = append(b, c); c == 0 {
			b = append(b, 0xFF)
		}
	}
	return append(b, 0, 0)
}

// floatKey maps a number to bits that compare as it does, NaN above all, −0 equal to 0.
func floatKey(f float64) uint64 {
	if math.IsNaN(f) {
		return 0xFFF8 << 48
	}
	bits := math.Float64bits(f + 0)
	if f == 0 {
		bits = 0
	}
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

// DecodeArray takes an array's stored form apart. The elements' bytes alias b.
func DecodeArray(b []byte) (dims []ArrayDim, elems []Value, err error) {
	if len(b) < 6 {
		return nil, nil, errArrayForm
	}
	tail := int64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	b = b[:len(b)-4]
	if tail >= int64(len(b)) {
		return nil, nil, errArrayForm
	}
	b = b[tail:]
	ndim := int(b[0])
	b = b[1:]
	if ndim == 0 {
		if len(b) != 0 {
			return nil, nil, errArrayForm
		}
		return nil, nil, nil
	}
	if ndim > maxArrayDims || len(b) < 8*ndim {
		return nil, nil, errArrayForm
	}
	n := int64(1)
	for range ndim {
		d := ArrayDim{Len: int32(binary.LittleEndian.Uint32(b)), Lower: int32(binary.LittleEndian.Uint32(b[4:]))}
		b = b[8:]
		if n *= int64(d.Len); d.Len < 1 || n > int64(len(b)) { // an element takes a byte at least: checked at each step
			return nil, nil, errArrayForm
		}
		dims = append(dims, d)
	}
	elems = make([]Value, n)
	if b, err = DecodeRow(elems, b); err != nil || len(b) != 0 {
		return nil, nil, errArrayForm
	}
	return dims, elems, nil
}

// checkArrayBounds returns an error for dimensions that no array may have.
func checkArrayBounds(dims []ArrayDim) error {
	n := int64(1)
	for _, d := range dims {
		if n *= int64(d.Len); n > maxArrayLen {
			return pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayLen)
		}
		if int64(d.Lower)+int64(d.Len) > math.MaxInt32 {
			return pgerror.New(pgerror.ProgramLimitExceeded, "array lower bound is too large: %d", d.Lower)
		}
	}
	return nil
}

func decodeArrayBinary(t *Type, typmod int32, src []byte) (Value, error) {
	if len(src) < 12 {
		return Value{}, errBinaryLength
	}
	ndim := int32(binary.BigEndian.Uint32(src))
	flags := binary.BigEndian.Uint32(src[4:])
	elem := binary.BigEndian.Uint32(src[8:])
	src = src[12:]
	if ndim < 0 {
		return Value{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid number of dimensions: %d", ndim)
	}
	if ndim > maxArrayDims {
		return Value{}, pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", ndim, maxArrayDims)
	}
	if flags > 1 {
		return Value{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "invalid array flags")
	}
	if elem != t.Elem {
		return Value{}, pgerror.New(pgerror.DatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			elem, FormatTypeName(elem), t.Elem, FormatTypeName(t.Elem))
	}
	if len(src) < 8*int(ndim) {
		return Value{}, errBinaryLength
	}
	dims := make([]ArrayDim, ndim)
	n := int64(1)
	for i := range dims {
		dims[i] = ArrayDim{Len: int32(binary.BigEndian.Uint32(src)), Lower: int32(binary.BigEndian.Uint32(src[4:]))}
		src = src[8:]
		if dims[i].Len < 0 {
			return Value{}, errBinaryLength
		}
		if err := checkArrayBounds(dims[:i+1]); err != nil {
			return Value{}, err
		}
		n *= int64(dims[i].Len)
	}
	if ndim == 0 || n == 0 {
		return EncodeArray(elem, nil, nil), nil
	}
	if n > int64(len(src))/4 {
		return Value{}, errBinaryLength
	}
	elems := make([]Value, n)
	for i := range elems {
		field, rest, null, err := takeField(src)
		if err != nil {
			return Value{}, err
		}
		src = rest
		if null {
			continue
		}
		if elems[i], err = DecodeBinary(elem, typmod, field); err != nil {
			return Value{}, err
		}
	}
	if len(src) != 0 {
		return Value{}, errBinaryLength
	}
	return EncodeArray(elem, dims, elems), nil
}

// takeField reads a length (-1: NULL) and that many bytes.
func takeField(b []byte) (field, rest []byte, null bool, err error) {
	if len(b) < 4 {
		return nil, nil, false, errBinaryLength
	}
	n := int32(binary.BigEndian.Uint32(b))
	b = b[4:]
	if n == -1 {
		return nil, b, true, nil
	}
	if n < 0 || int64(n) > int64(len(b)) {
		return nil, nil, false, pgerror.New(pgerror.InvalidBinaryRepresentation, "insufficient data left in message")
	}
	return b[:n], b[n:], false, nil
}

// appendField writes v with its length in front.
func appendField(dst []byte, oid uint32, typmod int32, v Value) ([]byte, error) {
	if v.Kind == Null {
		return append(dst, 0xFF, 0xFF, 0xFF, 0xFF), nil
	}
	at := len(dst)
	dst, err := AppendBinary(append(dst, 0, 0, 0, 0), oid, typmod, v)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

func appendArrayBinary(dst []byte, t *Type, typmod int32, v Value) ([]byte, error) {
	if v.Kind != Blob {
		return nil, misstored(t.OID, v)
	}
	dims, elems, err := DecodeArray(v.Bytes)
	if err != nil {
		return nil, misstored(t.OID, v)
	}
	if len(dims) == 0 && t.Category == 'A' && t.Storage == 'p' { // int2vector, oidvector
		dims = []ArrayDim{{}}
	}
	flags := uint32(0)
	for _, e := range elems {
		if e.Kind == Null {
			flags = 1
		}
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(dims)))
	dst = binary.BigEndian.AppendUint32(dst, flags)
	dst = binary.BigEndian.AppendUint32(dst, t.Elem)
	for _, d := range dims {
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Len))
		dst = binary.BigEndian.AppendUint32(dst, uint32(d.Lower))
	}
	for _, e := range elems {
		if dst, err = appendField(dst, t.Elem, typmod, e); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

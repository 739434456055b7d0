package catalog

import (
	"encoding/binary"
	"errors"

	"layercake/pgerror"
)

var errRecordForm = errors.New("catalog: malformed record")

// EncodeRecord returns the stored form of a row (STORAGE.md). It has 255 columns at most. Their names may be appended, as
// AppendRow writes them: nothing but JSON shows them.
func EncodeRecord(oids []uint32, values []Value) Value {
	b := append(make([]byte, 0, 1+len(oids)*16), byte(len(oids)))
	for _, o := range oids {
		b = binary.LittleEndian.AppendUint32(b, o)
	}
	return BlobBytes(AppendRow(b, values))
}

// DecodeRecord takes a row's stored form apart. The values' bytes alias b.
func DecodeRecord(b []byte) (oids []uint32, values []Value, err error) {
	oids, values, _, err = DecodeNamedRecord(b)
	return oids, values, err
}

// DecodeNamedRecord also returns the columns' names, nil if they have none.
func DecodeNamedRecord(b []byte) (oids []uint32, values, names []Value, err error) {
	if len(b) == 0 || len(b) < 1+4*int(b[0]) {
		return nil, nil, nil, errRecordForm
	}
	n := int(b[0])
	b = b[1:]
	for range n {
		oids = append(oids, binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	values = make([]Value, n)
	if b, err = DecodeRow(values, b); err != nil {
		return nil, nil, nil, errRecordForm
	}
	if len(b) > 0 {
		names = make([]Value, n)
		if b, err = DecodeRow(names, b); err != nil || len(b) != 0 {
			return nil, nil, nil, errRecordForm
		}
	}
	return oids, values, names, nil
}

// appendRecordText writes a row as record_out does: (a,"b c",).
func appendRecordText(dst, stored []byte, s *OutputSettings) []byte {
	oids, values, err := DecodeRecord(stored)
	if err != nil {
		return append(dst, "()"...)
	}
	dst = append(dst, '(')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v.Kind == Null {
			continue
		}
		at := len(dst)
		dst = AppendText(dst, oids[i], -1, v, s)
		quote := len(dst) == at
		for _, c := range dst[at:] {
			quote = quote || c == '"' || c == '\\' || c == '(' || c == ')' || c == ',' || isSpace(c)
		}
		if !quote {
			continue
		}
		plain := append([]byte(nil), dst[at:]...)
		dst = append(dst[:at], '"')
		for _, c := range plain {
			if c == '"' || c == '\\' {
				dst = append(dst, c)
			}
			dst = append(dst, c)
		}
		dst = append(dst, '"')
	}
	return append(dst, ')')
}

func appendRecordBinary(dst []byte, v Value) ([]byte, error) {
	if v.Kind != Blob {
		return nil, misstored(RecordOID, v)
	}
	oids, values, err := DecodeRecord(v.Bytes)
	if err != nil {
		return nil, misstored(RecordOID, v)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(oids)))
	for i, f := range values {
		dst = binary.BigEndian.AppendUint32(dst, oids[i])
		if dst, err = appendField(dst, oids[i], -1, f); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func decodeRecordBinary(src []byte) (Value, error) {
	if len(src) < 4 {
		return Value{}, errBinaryLength
	}
	n := binary.BigEndian.Uint32(src)
	src = src[4:]
	if n > 255 || int64(n) > int64(len(src))/8 {
		return Value{}, pgerror.New(pgerror.InvalidBinaryRepresentation, "wrong number of columns: %d", n)
	}
	oids, values := make([]uint32, n), make([]Value, n)
	for i := range values {
		if len(src) < 4 {
			return Value{}, errBinaryLength
		}
		oids[i] = binary.BigEndian.Uint32(src)
		field, rest, null, err := takeField(src[4:])
		if err != nil {
			return Value{}, err
		}
		src = rest
		if null {
			continue
		}
		if oids[i] == RecordOID { // nesting is bounded by the length alone
			return Value{}, pgerror.New(pgerror.FeatureNotSupported, "a row inside a row in binary format is not supported")
		}
		if values[i], err = DecodeBinary(oids[i], -1, field); err != nil {
			return Value{}, err
		}
	}
	if len(src) != 0 {
		return Value{}, errBinaryLength
	}
	return EncodeRecord(oids, values), nil
}

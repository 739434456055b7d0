package catalog

import (
	"encoding/binary"
	"math"

	"layercake/pgerror"
)

var errBinaryLength = pgerror.New(pgerror.InvalidBinaryRepresentation, "incorrect binary data format")

// DecodeBinary reads src as the type's receive function does, with typmod applied; -1 is no typmod. The Value does not
// alias src.
func DecodeBinary(oid uint32, typmod int32, src []byte) (Value, error) {
	switch oid {
	case BoolOID:
		if len(src) != 1 {
			return Value{}, errBinaryLength
		}
		return Bool(src[0] != 0), nil
	case Int2OID:
		if len(src) != 2 {
			return Value{}, errBinaryLength
		}
		return Int(int64(int16(binary.BigEndian.Uint16(src)))), nil
	case Int4OID:
		if len(src) != 4 {
			return Value{}, errBinaryLength
		}
		return Int(int64(int32(binary.BigEndian.Uint32(src)))), nil
	case OidOID, XidOID, CidOID:
		if len(src) != 4 {
			return Value{}, errBinaryLength
		}
		return Int(int64(binary.BigEndian.Uint32(src))), nil
	case Int8OID, Xid8OID:
		if len(src) != 8 {
			return Value{}, errBinaryLength
		}
		return Int(int64(binary.BigEndian.Uint64(src))), nil
	case Float4OID:
		if len(src) != 4 {
			return Value{}, errBinaryLength
		}
		return Float(float64(math.Float32frombits(binary.BigEndian.Uint32(src)))), nil
	case Float8OID:
		if len(src) != 8 {
			return Value{}, errBinaryLength
		}
		return Float(math.Float64frombits(binary.BigEndian.Uint64(src))), nil
	case NumericOID:
		n, err := decodeNumericBinary(src)
		if err != nil {
			return Value{}, err
		}
		if err := n.ApplyTypmod(typmod); err != nil {
			return Value{}, err
		}
		return n.Value(), nil
	case TextOID, UnknownOID, VarcharOID, BpcharOID, NameOID, PgNodeTreeOID:
		return decodeString(oid, typmod, src)
	case CharOID:
		if len(src) != 1 {
			return Value{}, errBinaryLength
		}
		return charValue(src[0]), nil
	case ByteaOID:
		return BlobBytes(append([]byte{}, src...)), nil
	case UUIDOID:
		if len(src) != 16 {
			return Value{}, errBinaryLength
		}
		return BlobBytes(append([]byte{}, src...)), nil
	case JSONOID:
		return decodeText(JSONOID, -1, src, defaultOutput)
	case JSONBOID:
		if len(src) == 0 || src[0] != 1 {
			v := 0
			if len(src) > 0 {
				v = int(src[0])
			}
			return Value{}, pgerror.New(pgerror.InternalError, "unsupported jsonb version number %d", v)
		}
		return decodeText(JSONBOID, -1, src[1:], defaultOutput)
	case DateOID, TimeOID, TimetzOID, TimestampOID, TimestamptzOID, IntervalOID:
		return decodeDatetimeBinary(oid, typmod, src)
	case VoidOID:
		return Str(""), nil
	case RecordOID:
		return decodeRecordBinary(src)
	}
	if IsReg(oid) {
		if len(src) != 4 {
			return Value{}, errBinaryLength
		}
		return Int(int64(binary.BigEndian.Uint32(src))), nil
	}
	if t := typesByOID[oid]; t != nil && t.IsArray() && t.Supported {
		return decodeArrayBinary(t, typmod, src)
	}
	return Value{}, noCodec(oid)
}

// AppendBinary appends v, the stored form of a value of type oid, in its binary form, as the type's send function
// does. NULL appends nothing.
func AppendBinary(dst []byte, oid uint32, typmod int32, v Value) ([]byte, error) {
	if v.Kind == Null {
		return dst, nil
	}
	switch oid {
	case BoolOID:
		if v.Int() != 0 {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case Int2OID:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())), nil
	case Int4OID, OidOID, XidOID, CidOID:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), nil
	case Int8OID, Xid8OID:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
	case Float4OID:
		if v.Kind == Text { // NaN: the one that PostgreSQL sends
			return append(dst, 0x7F, 0xC0, 0, 0), nil
		}
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
	case Float8OID:
		if v.Kind == Text {
			return append(dst, 0x7F, 0xF8, 0, 0, 0, 0, 0, 0), nil
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
	case NumericOID:
		if v.Kind != Text {
			return nil, misstored(oid, v)
		}
		n, err := DecodeNumeric(v.Bytes)
		if err != nil {
			return nil, misstored(oid, v)
		}
		return appendNumericBinary(dst, &n), nil
	case BpcharOID, TextOID, UnknownOID, VarcharOID, NameOID, JSONOID, PgNodeTreeOID, VoidOID:
		return AppendText(dst, oid, typmod, v, nil), nil
	case CharOID:
		return appendCharBinary(dst, v), nil
	case JSONBOID:
		return AppendText(append(dst, 1), oid, typmod, v, nil), nil
	case ByteaOID, UUIDOID:
		if v.Kind != Blob {
			return nil, misstored(oid, v)
		}
		return append(dst, v.Bytes...), nil
	case DateOID:
		return binary.BigEndian.AppendUint32(dst, uint32(int32(v.Int()))), nil
	case TimeOID, TimestampOID, TimestamptzOID:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
	case TimetzOID:
		micros, zone, err := DecodeTimetz(v.Bytes)
		if err != nil {
			return nil, misstored(oid, v)
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
		return binary.BigEndian.AppendUint32(dst, uint32(zone)), nil
	case IntervalOID:
		iv, err := DecodeInterval(v.Bytes)
		if err != nil {
			return nil, misstored(oid, v)
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(iv.Micros))
		dst = binary.BigEndian.AppendUint32(dst, uint32(iv.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(iv.Months)), nil
	case RecordOID:
		return appendRecordBinary(dst, v)
	}
	if IsReg(oid) {
		return appendRegBinary(dst, oid, v)
	}
	if t := typesByOID[oid]; t != nil && t.IsArray() && t.Supported {
		return appendArrayBinary(dst, t, typmod, v)
	}
	return nil, noCodec(oid)
}

func appendCharBinary(dst []byte, v Value) []byte {
	b := v.Bytes
	if o, ok := octalChar(b); ok {
		return append(dst, o)
	}
	if len(b) == 0 {
		return append(dst, 0)
	}
	return append(dst, b[0])
}

func appendRegBinary(dst []byte, oid uint32, v Value) ([]byte, error) {
	switch v.Kind {
	case Blob:
		r, _, err := namedOID(v.Bytes)
		if err != nil {
			return nil, misstored(oid, v)
		}
		v = r
	case Text:
		r, err := decodeReg(oid, v.Bytes)
		if err != nil {
			return nil, err
		}
		if r.Kind != Integer {
			return nil, pgerror.New(pgerror.FeatureNotSupported, "a name of type %s in binary format is not supported", FormatType(oid, -1))
		}
		v = r
	}
	return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), nil
}

// misstored reports a value whose stored form is not its type's: a bug, or a damaged file.
func misstored(oid uint32, v Value) error {
	return pgerror.New(pgerror.DataCorrupted, "stored value is not of type %s (storage class %d)", FormatType(oid, -1), v.Kind)
}

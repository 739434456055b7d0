package catalog

import (
	"unicode/utf8"

	"layercake/pgerror"
)

// The codecs turn PostgreSQL's external forms, text and binary, into the stored forms of STORAGE.md and back. They
// accept what PostgreSQL 15's input functions accept and fail with the same SQLSTATE and message.

// DecodeText reads src as the type's input function does, with typmod applied as there (varchar(n) too long is 22001,
// numeric is rounded); -1 is no typmod. s nil stands for DefaultOutput. The Value does not alias src.
func DecodeText(oid uint32, typmod int32, src []byte, s *OutputSettings) (Value, error) {
	if s == nil {
		s = defaultOutput
	}
	v, err := decodeText(oid, typmod, src, s)
	if err != nil {
		// A message that quotes src must not carry broken UTF-8 to the client.
		if bad := CheckUTF8(src); bad != nil {
			return Value{}, bad
		}
		return Value{}, err
	}
	return v, nil
}

func decodeText(oid uint32, typmod int32, src []byte, s *OutputSettings) (Value, error) {
	switch oid {
	case BoolOID:
		return decodeBool(src)
	case Int2OID:
		return decodeInt(src, 16, "smallint")
	case Int4OID:
		return decodeInt(src, 32, "integer")
	case Int8OID:
		return decodeInt(src, 64, "bigint")
	case OidOID, XidOID, CidOID:
		return decodeOid(src, typesByOID[oid].Name, 32)
	case Xid8OID:
		return decodeOid(src, "xid8", 64)
	case Float4OID:
		return decodeFloat(src, 32)
	case Float8OID:
		return decodeFloat(src, 64)
	case NumericOID:
		n, err := ParseNumeric(src)
		if err != nil {
			return Value{}, err
		}
		if err := n.ApplyTypmod(typmod); err != nil {
			return Value{}, err
		}
		return n.Value(), nil
	case TextOID, UnknownOID, VarcharOID, BpcharOID, NameOID, AclitemOID, PgNodeTreeOID:
		return decodeString(oid, typmod, src)
	case CharOID:
		return decodeChar(src), nil
	case ByteaOID:
		return decodeBytea(src)
	case UUIDOID:
		return decodeUUID(src)
	case DateOID:
		return decodeDate(src, s)
	case TimeOID:
		return decodeTime(src, typmod, s)
	case TimetzOID:
		return decodeTimetz(src, typmod, s)
	case TimestampOID:
		return decodeTimestamp(src, typmod, s)
	case TimestamptzOID:
		return decodeTimestamptz(src, typmod, s)
	case IntervalOID:
		iv, err := ParseInterval(string(src), typmod, s)
		if err != nil {
			return Value{}, err
		}
		return iv.Value(), nil
	case JSONOID:
		if err := CheckUTF8(src); err != nil {
			return Value{}, err
		}
		if err := ValidateJSON(src); err != nil {
			return Value{}, err
		}
		return textCopy(src), nil
	case JSONBOID:
		if err := CheckUTF8(src); err != nil {
			return Value{}, err
		}
		b, err := CanonicalJSONB(src)
		if err != nil {
			return Value{}, err
		}
		return TextBytes(b), nil
	case Int2vectorOID, OidvectorOID:
		return decodeVector(oid, src)
	case VoidOID:
		return Str(""), nil
	case RecordOID:
		return Value{}, pgerror.New(pgerror.FeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	if IsReg(oid) {
		return decodeReg(oid, src)
	}
	t := typesByOID[oid]
	if t != nil && t.IsArray() && t.Supported {
		return decodeArrayText(t, typmod, src, s)
	}
	if t != nil && t.Kind == 'p' {
		return Value{}, pgerror.New(pgerror.FeatureNotSupported, "cannot accept a value of type %s", t.Name)
	}
	return Value{}, noCodec(oid)
}

// AppendText appends v, the stored form of a value of type oid, in its text form, as the type's output function
// does. NULL appends nothing. s nil stands for DefaultOutput.
func AppendText(dst []byte, oid uint32, typmod int32, v Value, s *OutputSettings) []byte {
	if s == nil {
		s = defaultOutput
	}
	switch v.Kind {
	case Null:
		return dst
	case Text:
		return appendTextStored(dst, oid, typmod, v.Bytes, s)
	case Integer:
		return appendIntegerStored(dst, oid, v.Int(), s)
	case Real:
		if oid == Float4OID {
			return appendFloat(dst, v.Float(), 32, s.ExtraFloatDigits)
		}
		return appendFloat(dst, v.Float(), 64, s.ExtraFloatDigits)
	}
	return appendBlobStored(dst, oid, typmod, v.Bytes, s)
}

func appendTextStored(dst []byte, oid uint32, typmod int32, b []byte, s *OutputSettings) []byte {
	switch oid {
	case BpcharOID:
		dst = append(dst, b...)
		if n := CharTypmod(typmod); n > 0 {
			for have := utf8.RuneCount(b); have < n; have++ {
				dst = append(dst, ' ')
			}
		}
		return dst
	case NumericOID:
		return appendNumericText(dst, b)
	case IntervalOID:
		iv, err := DecodeInterval(b)
		if err != nil {
			return append(dst, b...)
		}
		return iv.AppendText(dst, s)
	case TimetzOID:
		micros, zone, err := DecodeTimetz(b)
		if err != nil {
			return append(dst, b...)
		}
		return appendTimetz(dst, micros, zone)
	}
	return append(dst, b...)
}

func appendIntegerStored(dst []byte, oid uint32, i int64, s *OutputSettings) []byte {
	switch oid {
	case BoolOID:
		if i != 0 {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case OidOID, XidOID, CidOID:
		return appendUint(dst, uint64(uint32(i)))
	case Xid8OID:
		return appendUint(dst, uint64(i))
	case DateOID:
		return AppendDate(dst, i, s)
	case TimeOID:
		return appendTimeOfDay(dst, i)
	case TimestampOID:
		return AppendTimestamp(dst, i, s)
	case TimestamptzOID:
		return AppendTimestamptz(dst, i, s)
	case Float4OID, Float8OID:
		return appendFloat(dst, float64(i), 64, s.ExtraFloatDigits)
	}
	if IsReg(oid) {
		return appendReg(dst, oid, uint32(i))
	}
	return appendInt(dst, i)
}

func appendBlobStored(dst []byte, oid uint32, typmod int32, b []byte, s *OutputSettings) []byte {
	switch oid {
	case ByteaOID:
		return appendBytea(dst, b, s.ByteaOutput)
	case UUIDOID:
		return appendUUID(dst, b)
	case RecordOID:
		return appendRecordText(dst, b, s)
	case Int2vectorOID, OidvectorOID:
		return appendVector(dst, b)
	}
	if t := typesByOID[oid]; t != nil && t.IsArray() {
		return appendArrayText(dst, t, typmod, b, s)
	}
	if IsReg(oid) {
		if _, name, err := namedOID(b); err == nil {
			return append(dst, name.Bytes...)
		}
	}
	return appendBytea(dst, b, s.ByteaOutput)
}

// CheckUTF8 returns 22021 unless b is valid UTF-8 without a zero byte, which is what PostgreSQL takes as text.
func CheckUTF8(b []byte) error {
	ok := utf8.Valid(b)
	if ok {
		for _, c := range b {
			if c == 0 {
				ok = false
				break
			}
		}
		if ok {
			return nil
		}
	}
	for i := 0; i < len(b); {
		if b[i] == 0 {
			return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": %s", hexBytes(b[i:], utf8Len(b[i])))
		}
		i += n
	}
	return nil
}

// utf8Len is how many bytes the sequence that starts with lead claims to have.
func utf8Len(lead byte) int {
	switch {
	case lead&0xe0 == 0xc0:
		return 2
	case lead&0xf0 == 0xe0:
		return 3
	case lead&0xf8 == 0xf0:
		return 4
	}
	return 1
}

// hexBytes shows up to n bytes of b as "0xc3 0x28".
func hexBytes(b []byte, n int) string {
	const digits = "0123456789abcdef"
	var out []byte
	for i := 0; i < n && i < len(b); i++ {
		if i > 0 {
			out = append(out, ' ')
		}
		out = append(out, '0', 'x', digits[b[i]>>4], digits[b[i]&15])
	}
	return string(out)
}

func noCodec(oid uint32) error {
	if err := CheckSupported(oid); err != nil {
		return err
	}
	return pgerror.New(pgerror.FeatureNotSupported, "values of type %s cannot be read", FormatType(oid, -1))
}

func textCopy(src []byte) Value { return TextBytes(append(make([]byte, 0, len(src)), src...)) }

// invalidSyntax is PostgreSQL's complaint of a type's input function.
func invalidSyntax(typ string, src []byte) *pgerror.Error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type %s: \"%s\"", typ, src)
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// trimSpace cuts the white space that isspace() knows from both ends.
func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

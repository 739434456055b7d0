package catalog

import (
	"unicode/utf8"

	"layercake/pgerror"
)

const maxNameLen = 63

// decodeString reads the types that are plain text.
func decodeString(oid uint32, typmod int32, src []byte) (Value, error) {
	if err := CheckUTF8(src); err != nil {
		return Value{}, err
	}
	switch oid {
	case NameOID:
		return textCopy(clipName(src)), nil
	case VarcharOID, BpcharOID:
		b, err := fitChars(oid, typmod, src)
		if err != nil {
			return Value{}, err
		}
		return textCopy(b), nil
	}
	return textCopy(src), nil
}

// clipName cuts b to the 63 bytes of a name, at a character's edge.
func clipName(b []byte) []byte { return clipTo(b, maxNameLen) }

func clipTo(b []byte, n int) []byte {
	if len(b) <= n {
		return b
	}
	for n > 0 && !utf8.RuneStart(b[n]) {
		n--
	}
	return b[:n]
}

// fitChars cuts b to the length of varchar(n) or char(n): only blanks may be lost. bpchar's trailing blanks go.
func fitChars(oid uint32, typmod int32, b []byte) ([]byte, error) {
	if n := CharTypmod(typmod); n > 0 && len(b) > n {
		at, chars := 0, 0
		for at < len(b) && chars < n {
			_, w := utf8.DecodeRune(b[at:])
			at += w
			chars++
		}
		for _, c := range b[at:] {
			if c != ' ' {
				name := "character varying"
				if oid == BpcharOID {
					name = "character"
				}
				return nil, pgerror.New(pgerror.StringDataRightTruncation, "value too long for type %s(%d)", name, n)
			}
		}
		b = b[:at]
	}
	if oid == BpcharOID {
		for len(b) > 0 && b[len(b)-1] == ' ' {
			b = b[:len(b)-1]
		}
	}
	return b, nil
}

// decodeChar reads a "char": one byte. Bytes from 0x80, which no text may end in, are kept as \ooo.
func decodeChar(src []byte) Value {
	if len(src) == 0 {
		return Str("")
	}
	if b, ok := octalChar(src); ok {
		return charValue(b)
	}
	return charValue(src[0])
}

func octalChar(b []byte) (byte, bool) {
	if len(b) != 4 || b[0] != '\\' {
		return 0, false
	}
	n := 0
	for _, c := range b[1:] {
		if c < '0' || c > '7' {
			return 0, false
		}
		n = n*8 + int(c-'0')
	}
	return byte(n), n < 256
}

func charValue(b byte) Value {
	switch {
	case b == 0:
		return Str("")
	case b < 0x80:
		return TextBytes([]byte{b})
	}
	return TextBytes([]byte{'\\', '0' + b>>6, '0' + b>>3&7, '0' + b&7})
}

// decodeUUID reads 32 hex digits, with hyphens after any group of four, and braces around.
func decodeUUID(src []byte) (Value, error) {
	b := src
	brace := len(b) > 0 && b[0] == '{'
	if brace {
		b = b[1:]
	}
	out := make([]byte, 16)
	for i := range out {
		if len(b) < 2 {
			return Value{}, invalidSyntax("uuid", src)
		}
		hi, lo := hexDigit(b[0]), hexDigit(b[1])
		if hi < 0 || lo < 0 {
			return Value{}, invalidSyntax("uuid", src)
		}
		out[i] = byte(hi<<4 | lo)
		b = b[2:]
		if i%2 == 1 && i < 15 && len(b) > 0 && b[0] == '-' {
			b = b[1:]
		}
	}
	if brace {
		if len(b) == 0 || b[0] != '}' {
			return Value{}, invalidSyntax("uuid", src)
		}
		b = b[1:]
	}
	if len(b) != 0 {
		return Value{}, invalidSyntax("uuid", src)
	}
	return BlobBytes(out), nil
}

func appendUUID(dst, b []byte) []byte {
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decodeBytea reads both forms: \x and hex digits, or text with \\ and \ooo.
func decodeBytea(src []byte) (Value, error) {
	if len(src) >= 2 && src[0] == '\\' && src[1] == 'x' {
		return decodeByteaHex(src[2:])
	}
	out := make([]byte, 0, len(src))
	for i := 0; i < len(src); i++ {
		c := src[i]
		switch {
		case c != '\\':
			out = append(out, c)
		case i+3 < len(src) && src[i+1] >= '0' && src[i+1] <= '3':
			o, ok := octalChar(src[i : i+4])
			if !ok {
				return Value{}, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bytea")
			}
			out = append(out, o)
			i += 3
		case i+1 < len(src) && src[i+1] == '\\':
			out = append(out, '\\')
			i++
		default:
			return Value{}, pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type bytea")
		}
	}
	return BlobBytes(out), nil
}

func decodeByteaHex(b []byte) (Value, error) {
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); {
		if c := b[i]; c == ' ' || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		hi := hexDigit(b[i])
		if hi < 0 {
			return Value{}, badHexDigit(b[i:])
		}
		if i+1 >= len(b) {
			return Value{}, pgerror.New(pgerror.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo := hexDigit(b[i+1])
		if lo < 0 {
			return Value{}, badHexDigit(b[i+1:])
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return BlobBytes(out), nil
}

func badHexDigit(b []byte) error {
	_, n := utf8.DecodeRune(b)
	return pgerror.New(pgerror.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", b[:n])
}

// appendBytea writes b in the form that bytea_output names.
func appendBytea(dst, b []byte, output string) []byte {
	if output != "escape" {
		dst = append(dst, '\\', 'x')
		for _, c := range b {
			dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
		}
		return dst
	}
	for _, c := range b {
		switch {
		case c == '\\':
			dst = append(dst, '\\', '\\')
		case c < 0x20 || c > 0x7e:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// decodeReg reads an OID, "-" (0), or a name. A type's name is resolved here; other names are left as TEXT for the
// caller, who knows the schema.
func decodeReg(oid uint32, src []byte) (Value, error) {
	b := trimSpace(src)
	if len(b) == 1 && b[0] == '-' {
		return Int(0), nil
	}
	if len(b) > 0 && b[0] >= '0' && b[0] <= '9' {
		if v, err := decodeOid(b, "oid", 32); err == nil {
			return v, nil
		}
	}
	if err := CheckUTF8(src); err != nil {
		return Value{}, err
	}
	if oid == RegtypeOID {
		t, _, err := LookupType(string(src))
		if err != nil {
			return Value{}, err
		}
		return Int(int64(t)), nil
	}
	return textCopy(src), nil
}

// NamedOID is a value of a reg… type on its way to a client, who may want it as text or in binary: name is what the schema
// at hand calls the OID. No row is stored in this form.
func NamedOID(oid uint32, name []byte) Value {
	return BlobBytes(AppendRow(nil, []Value{Int(int64(oid)), TextBytes(name)}))
}

// namedOID takes apart what NamedOID made.
func namedOID(b []byte) (oid, name Value, err error) {
	if oid, b, err = DecodeValue(b); err == nil {
		name, _, err = DecodeValue(b)
	}
	return oid, name, err
}

func appendReg(dst []byte, oid, v uint32) []byte {
	if v == 0 {
		return append(dst, '-')
	}
	switch oid {
	case RegtypeOID:
		if typesByOID[v] != nil {
			return append(dst, FormatTypeName(v)...)
		}
	case RegprocOID:
		if name := FunctionName(v); name != "" {
			return append(dst, name...)
		}
	}
	return appendUint(dst, uint64(v))
}

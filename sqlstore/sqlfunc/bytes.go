package sqlfunc

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var bytesFuncs = []def{
	strict("lc_md5", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Str(fmt.Sprintf("%x", md5.Sum(args[0].Bytes))), nil
	}),
	strict("lc_sha224", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		h := sha256.Sum224(args[0].Bytes)
		return catalog.BlobBytes(h[:]), nil
	}),
	strict("lc_sha256", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		h := sha256.Sum256(args[0].Bytes)
		return catalog.BlobBytes(h[:]), nil
	}),
	strict("lc_sha384", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		h := sha512.Sum384(args[0].Bytes)
		return catalog.BlobBytes(h[:]), nil
	}),
	strict("lc_sha512", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		h := sha512.Sum512(args[0].Bytes)
		return catalog.BlobBytes(h[:]), nil
	}),
	strict("lc_encode", 2, encode),
	strict("lc_decode", 2, decode),
	strict("lc_to_hex", 1, toHex),
	strict("lc_get_byte", 2, getByte),
	strict("lc_set_byte", 3, setByte),
	strict("lc_get_bit", 2, getBit),
	strict("lc_set_bit", 3, setBit),
	strict("lc_bit_count", 1, bitCount),
	strict("lc_convert_from", 2, convertFrom),
	strict("lc_convert_to", 2, convertTo),
	strict("lc_convert", 3, convert),
	strict("lc_normalize", 1, normalize),
	strict("lc_normalize", 2, normalize),
	strict("lc_is_normalized", 1, isNormalized),
	strict("lc_is_normalized", 2, isNormalized),
	strict("lc_unistr", 1, unistr),
}

func encode(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b := args[0].Bytes
	switch strings.ToLower(text(args[1])) {
	case "hex":
		return catalog.Str(hex.EncodeToString(b)), nil
	case "base64":
		s := base64.StdEncoding.EncodeToString(b)
		var out strings.Builder
		for len(s) > 76 { // lines as MIME has them
			out.WriteString(s[:76])
			out.WriteByte('\n')
			s = s[76:]
		}
		out.WriteString(s)
		return catalog.Str(out.String()), nil
	case "escape":
		var out []byte
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				out = append(out, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				out = append(out, '\\', '\\')
			default:
				out = append(out, c)
			}
		}
		return catalog.TextBytes(out), nil
	}
	return null, errf("22023", "unrecognized encoding: \"%s\"", text(args[1]))
}

func decode(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b := args[0].Bytes
	switch strings.ToLower(text(args[1])) {
	case "hex":
		return catalog.DecodeText(catalog.ByteaOID, -1, append([]byte(`\x`), b...), nil)
	case "base64":
		return decodeBase64(b)
	case "escape":
		if strings.HasPrefix(string(b), `\x`) { // not the hex form here
			return null, errf("22P02", "invalid input syntax for type bytea")
		}
		return catalog.DecodeText(catalog.ByteaOID, -1, b, nil)
	}
	return null, errf("22023", "unrecognized encoding: \"%s\"", text(args[1]))
}

func decodeBase64(b []byte) (catalog.Value, error) {
	digits := make([]byte, 0, len(b))
	pad := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		case c == '=':
			if pad == 0 && len(digits)%4 < 2 {
				return null, errf("22023", "unexpected \"=\" while decoding base64 sequence")
			}
			pad++
		case pad == 0 && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'):
			digits = append(digits, c)
		default:
			r, _ := utf8.DecodeRune(b[i:])
			return null, errf("22023", "invalid symbol \"%c\" found while decoding base64 sequence", r)
		}
	}
	if (len(digits)+pad)%4 != 0 {
		return null, withHint(errf("22023", "invalid base64 end sequence"), "Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
	n, err := base64.RawStdEncoding.Decode(out, digits)
	if err != nil {
		return null, withHint(errf("22023", "invalid base64 end sequence"), "Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return catalog.BlobBytes(out[:n]), nil
}

func toHex(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.Str(strconv.FormatUint(uint64(args[0].Int()), 16)), nil
}

func getByte(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b, n := args[0].Bytes, args[1].Int()
	if n < 0 || n >= int64(len(b)) {
		return null, errf("2202E", "index %d out of valid range, 0..%d", n, len(b)-1)
	}
	return catalog.Int(int64(b[n])), nil
}

func setByte(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	v, n := args[0].Clone(), args[1].Int()
	if n < 0 || n >= int64(len(v.Bytes)) {
		return null, errf("2202E", "index %d out of valid range, 0..%d", n, len(v.Bytes)-1)
	}
	v.Bytes[n] = byte(args[2].Int())
	return v, nil
}

func getBit(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b, n := args[0].Bytes, args[1].Int()
	if n < 0 || n >= 8*int64(len(b)) {
		return null, errf("2202E", "index %d out of valid range, 0..%d", n, 8*len(b)-1)
	}
	return catalog.Int(int64(b[n/8] >> (n % 8) & 1)), nil
}

func setBit(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	v, n, bit := args[0].Clone(), args[1].Int(), args[2].Int()
	if n < 0 || n >= 8*int64(len(v.Bytes)) {
		return null, errf("2202E", "index %d out of valid range, 0..%d", n, 8*len(v.Bytes)-1)
	}
	switch bit {
	case 0:
		v.Bytes[n/8] &^= 1 << (n % 8)
	case 1:
		v.Bytes[n/8] |= 1 << (n % 8)
	default:
		return null, errf("22023", "new bit must be 0 or 1")
	}
	return v, nil
}

func bitCount(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	n := 0
	for _, c := range args[0].Bytes {
		n += bits.OnesCount8(c)
	}
	return catalog.Int(int64(n)), nil
}

// encodingName folds the spellings of an encoding's name.
func encodingName(s string) string {
	return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
}

// toUTF8 reads b, text in the named encoding.
func toUTF8(b []byte, encoding string) ([]byte, error) {
	switch encodingName(encoding) {
	case "utf8", "unicode":
		return b, catalog.CheckUTF8(b)
	case "sqlascii":
		return b, catalog.CheckUTF8(b)
	case "latin1", "iso88591":
		out := make([]byte, 0, len(b))
		for _, c := range b {
			if c == 0 {
				return nil, errf("22021", "invalid byte sequence for encoding \"LATIN1\": 0x00")
			}
			out = utf8.AppendRune(out, rune(c))
		}
		return out, nil
	}
	return nil, unknownEncoding("source", encoding)
}

// fromUTF8 writes UTF-8 text in the named encoding.
func fromUTF8(b []byte, encoding string) ([]byte, error) {
	switch encodingName(encoding) {
	case "utf8", "unicode", "sqlascii":
		return b, nil
	case "latin1", "iso88591":
		out := make([]byte, 0, len(b))
		for i := 0; i < len(b); {
			r, n := utf8.DecodeRune(b[i:])
			if r > 0xff {
				return nil, errf("22P05", "character with byte sequence 0x% x in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"", b[i:i+n])
			}
			out = append(out, byte(r))
			i += n
		}
		return out, nil
	}
	return nil, unknownEncoding("destination", encoding)
}

func unknownEncoding(which, name string) error {
	return errf("22023", "invalid %s encoding name \"%s\"", which, name)
}

func convertFrom(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b, err := toUTF8(args[0].Bytes, text(args[1]))
	if err != nil {
		return null, err
	}
	return catalog.TextBytes(b), nil
}

func convertTo(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b, err := fromUTF8(args[0].Bytes, text(args[1]))
	if err != nil {
		return null, err
	}
	return catalog.BlobBytes(b), nil
}

func convert(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b, err := toUTF8(args[0].Bytes, text(args[1]))
	if err == nil {
		b, err = fromUTF8(b, text(args[2]))
	}
	if err != nil {
		return null, err
	}
	return catalog.BlobBytes(b), nil
}

func normalForm(args []catalog.Value) (norm.Form, error) {
	if len(args) < 2 {
		return norm.NFC, nil
	}
	switch strings.ToUpper(text(args[1])) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, errf("22023", "invalid normalization form: %s", text(args[1]))
}

func normalize(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	f, err := normalForm(args)
	if err != nil {
		return null, err
	}
	return catalog.TextBytes(f.Bytes(args[0].Bytes)), nil
}

func isNormalized(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	f, err := normalForm(args)
	if err != nil {
		return null, err
	}
	return catalog.Bool(f.IsNormal(args[0].Bytes)), nil
}

// unistr reads \XXXX, \+XXXXXX, \uXXXX, \UXXXXXXXX and \\.
func unistr(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s := text(args[0])
	var out strings.Builder
	high := rune(0)
	for s != "" {
		if s[0] != '\\' || strings.HasPrefix(s, `\\`) {
			if high != 0 {
				return null, errf("42601", "invalid Unicode surrogate pair")
			}
			if s[0] == '\\' {
				s = s[1:]
			}
			out.WriteByte(s[0])
			s = s[1:]
			continue
		}
		skip, n := 1, 4
		switch {
		case strings.HasPrefix(s, `\+`):
			skip, n = 2, 6
		case strings.HasPrefix(s, `\u`):
			skip = 2
		case strings.HasPrefix(s, `\U`):
			skip, n = 2, 8
		}
		if len(s) < skip+n {
			return null, badUnistr()
		}
		v, err := strconv.ParseUint(s[skip:skip+n], 16, 32)
		if err != nil {
			return null, badUnistr()
		}
		s = s[skip+n:]
		r := rune(v)
		switch {
		case v == 0 || v > utf8.MaxRune:
			return null, errf("22023", "invalid Unicode code point: %04X", v)
		case high != 0:
			if r = utf16.DecodeRune(high, r); r == utf8.RuneError {
				return null, errf("42601", "invalid Unicode surrogate pair")
			}
			high = 0
		case r >= 0xd800 && r < 0xdc00:
			high = r
			continue
		case r >= 0xdc00 && r < 0xe000:
			return null, errf("42601", "invalid Unicode surrogate pair")
		}
		out.WriteRune(r)
	}
	if high != 0 {
		return null, errf("42601", "invalid Unicode surrogate pair")
	}
	return catalog.Str(out.String()), nil
}

func badUnistr() error {
	return withHint(errf("42601", "invalid Unicode escape"), "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
}

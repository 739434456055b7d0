package catalog

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"

	"layercake/pgerror"
)

func appendInt(dst []byte, i int64) []byte   { return strconv.AppendInt(dst, i, 10) }
func appendUint(dst []byte, i uint64) []byte { return strconv.AppendUint(dst, i, 10) }

// decodeInt reads a decimal integer of the given number of bits, white space around it allowed.
func decodeInt(src []byte, bits uint, typ string) (Value, error) {
	b := trimSpace(src)
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return Value{}, invalidSyntax(typ, src)
	}
	limit := uint64(1) << (bits - 1) // magnitude of the least value
	var n uint64
	over := false
	for _, c := range b {
		if c < '0' || c > '9' {
			return Value{}, invalidSyntax(typ, src)
		}
		if n > (limit-uint64(c-'0'))/10 {
			over = true
			continue
		}
		n = n*10 + uint64(c-'0')
	}
	if over || n == limit && !neg {
		return Value{}, pgerror.New(pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", src, typ)
	}
	if neg {
		return Int(-int64(n)), nil
	}
	return Int(int64(n)), nil
}

// decodeOid reads an unsigned integer as oidin does: by strtoul, so a minus sign wraps around.
func decodeOid(src []byte, typ string, bits int) (Value, error) {
	b := trimSpace(src)
	neg := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return Value{}, invalidSyntax(typ, src)
	}
	n, err := strconv.ParseUint(string(b), 10, bits)
	if err != nil {
		if errors.Is(err, strconv.ErrRange) {
			return Value{}, pgerror.New(pgerror.NumericValueOutOfRange, "value \"%s\" is out of range for type %s", src, typ)
		}
		return Value{}, invalidSyntax(typ, src)
	}
	if neg {
		n = -n
	}
	if bits == 32 {
		n = uint64(uint32(n))
	}
	return Int(int64(n)), nil
}

func floatTypeName(bits int) string {
	if bits == 32 {
		return "real"
	}
	return "double precision"
}

// decodeFloat reads a number as strtod does, and the words NaN, Infinity and inf.
func decodeFloat(src []byte, bits int) (Value, error) {
	b := trimSpace(src)
	if len(b) == 0 {
		return Value{}, invalidSyntax(floatTypeName(bits), src)
	}
	switch asciiLower(string(b)) {
	case "nan", "+nan", "-nan":
		return Float(math.NaN()), nil
	case "infinity", "+infinity", "inf", "+inf":
		return Float(math.Inf(1)), nil
	case "-infinity", "-inf":
		return Float(math.Inf(-1)), nil
	}
	digit, nonzero, hex, hexExp := false, false, false, false
scan:
	for i, c := range b { // what ParseFloat would take beyond strtod: underscores, words
		switch {
		case c >= '0' && c <= '9':
			digit = true
			nonzero = nonzero || c != '0'
		case c == '+' || c == '-' || c == '.':
		case c == 'x' || c == 'X':
			hex = true
		case hex && (c == 'p' || c == 'P'):
			hexExp = true
			break scan
		case hex && (c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'):
			nonzero = true
		case (c == 'e' || c == 'E') && i > 0:
			break scan
		default:
			return Value{}, invalidSyntax(floatTypeName(bits), src)
		}
	}
	if !digit && !hex {
		return Value{}, invalidSyntax(floatTypeName(bits), src)
	}
	text := string(b)
	if hex && !hexExp {
		text += "p0"
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Value{}, invalidSyntax(floatTypeName(bits), src)
	}
	for _, c := range b {
		if c == '_' {
			return Value{}, invalidSyntax(floatTypeName(bits), src)
		}
	}
	if err != nil || f == 0 && nonzero {
		return Value{}, pgerror.New(pgerror.NumericValueOutOfRange, "\"%s\" is out of range for type %s", src, floatTypeName(bits))
	}
	return Float(f), nil
}

// appendFloat writes f as float8out and float4out do. extra is extra_float_digits.
func appendFloat(dst []byte, f float64, bits, extra int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	digits, least, limit := 15, 1e-4, 1e15
	if bits == 32 {
		digits, least, limit = 6, float64(float32(1e-4)), 1e6
	}
	if extra <= 0 {
		return strconv.AppendFloat(dst, f, 'g', max(digits+extra, 1), 64)
	}
	// The shortest form that reads back the same; PostgreSQL turns to exponents below 1e-4 and from 1e15 (1e6).
	format, a := byte('f'), math.Abs(f)
	if a != 0 && (a < least || a >= limit) {
		format = 'e'
	}
	at := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, bits)
	if a < 1<<21 || a > 1e41 || bits == 64 && a < 1<<51 || !halfway(dst[at:], f, bits) {
		return dst
	}
	// The shortest form lies exactly between f and its neighbour. It reads back as f, but PostgreSQL does not use it.
	for prec := 1; ; prec++ {
		text := strconv.AppendFloat(nil, f, 'e', prec, bits)
		if back, _ := strconv.ParseFloat(string(text), bits); back == f && !halfway(text, f, bits) {
			if format == 'f' {
				text = strconv.AppendFloat(nil, back, 'f', max(prec-exponentOf(text), 0), bits)
			}
			return append(dst[:at], text...)
		}
	}
}

// exponentOf reads the decimal exponent of text in the form d.ddde±dd.
func exponentOf(text []byte) int {
	_, exp, _ := strings.Cut(string(text), "e")
	n, _ := strconv.Atoi(exp)
	return n
}

// halfway says whether the decimal number text lies exactly between f and one of the numbers next to it.
func halfway(text []byte, f float64, bits int) bool {
	d, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return false
	}
	d.Abs(d)
	a := math.Abs(f)
	for _, up := range []bool{false, true} {
		to := 0.0
		if up {
			to = math.Inf(1)
		}
		next := math.Nextafter(a, to)
		if bits == 32 {
			next = float64(math.Nextafter32(float32(a), float32(to)))
		}
		mid := new(big.Rat).SetFloat64(a)
		other := new(big.Rat).SetFloat64(next)
		if other == nil {
			continue
		}
		if mid.Add(mid, other).Quo(mid, big.NewRat(2, 1)).Cmp(d) == 0 {
			return true
		}
	}
	return false
}

// decodeBool reads a unique prefix of true, false, yes, no, on, off, or 1 or 0.
func decodeBool(src []byte) (Value, error) {
	b := asciiLower(string(trimSpace(src)))
	prefix := func(word string, least int) bool {
		return len(b) >= least && len(b) <= len(word) && word[:len(b)] == b
	}
	switch {
	case prefix("true", 1), prefix("yes", 1), b == "on", b == "1":
		return Bool(true), nil
	case prefix("false", 1), prefix("no", 1), prefix("off", 2), b == "0":
		return Bool(false), nil
	}
	return Value{}, invalidSyntax("boolean", src)
}

package catalog

import (
	"bytes"
	"errors"
	"math/big"
	"strings"

	"layercake/pgerror"
)

// Numeric is a numeric taken apart: an exact decimal number with a display scale, NaN, or an infinity.
type Numeric struct {
	Class  NumericClass
	Neg    bool
	Digits []byte // decimal digits '0'-'9', the first and the last not '0'; empty for zero
	Exp    int    // the value is 0.d1d2… × 10^Exp
	Scale  int    // digits shown behind the point
}

// NumericClass is a Numeric's kind of number.
type NumericClass uint8

// The classes. Finite's zero value is zero.
const (
	NumericFinite NumericClass = iota
	NumericNaN
	NumericInf // Neg tells which
)

// PostgreSQL's limits: digits before the point, and behind it.
const (
	maxNumericIntDigits = 131072
	maxNumericScale     = 16383
)

var (
	errNumericForm     = errors.New("catalog: malformed numeric")
	errNumericOverflow = pgerror.New(pgerror.NumericValueOutOfRange, "value overflows numeric format")
)

// ParseNumeric reads a decimal number as numeric_in does.
func ParseNumeric(src []byte) (Numeric, error) {
	b := trimSpace(src)
	switch strings.ToLower(string(b)) {
	case "nan":
		return Numeric{Class: NumericNaN}, nil
	case "infinity", "+infinity", "inf", "+inf":
		return Numeric{Class: NumericInf}, nil
	case "-infinity", "-inf":
		return Numeric{Class: NumericInf, Neg: true}, nil
	}
	var n Numeric
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		n.Neg = b[0] == '-'
		b = b[1:]
	}
	digits := make([]byte, 0, len(b))
	intDigits, point, seen := 0, false, false
	i := 0
	for ; i < len(b); i++ {
		c := b[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		seen = true
		digits = append(digits, c)
		if point {
			n.Scale++
		} else {
			intDigits++
		}
	}
	if !seen {
		return Numeric{}, invalidSyntax("numeric", src)
	}
	if i < len(b) {
		exp, ok := parseExponent(b[i:])
		if !ok {
			return Numeric{}, invalidSyntax("numeric", src)
		}
		intDigits += exp
		n.Scale = max(n.Scale-exp, 0)
	}
	n.setDigits(digits, intDigits)
	if err := n.check(); err != nil {
		return Numeric{}, err
	}
	return n, nil
}

// parseExponent reads e[+-]digits up to the end of b.
func parseExponent(b []byte) (int, bool) {
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b = b[1:]
	neg := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 {
		return 0, false
	}
	e := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if e = e*10 + int(c-'0'); e >= 1<<30 {
			return 0, false
		}
	}
	if neg {
		e = -e
	}
	return e, true
}

// setDigits sets n to 0.digits × 10^exp without leading and trailing zeros.
func (n *Numeric) setDigits(digits []byte, exp int) {
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
		exp--
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		exp, n.Neg = 0, false
	}
	n.Digits, n.Exp = digits, exp
}

func (n *Numeric) check() error {
	if n.Exp > maxNumericIntDigits || n.Scale > maxNumericScale {
		return errNumericOverflow
	}
	return nil
}

// IsZero says whether n is zero.
func (n *Numeric) IsZero() bool { return n.Class == NumericFinite && len(n.Digits) == 0 }

// Sign returns -1, 0 or 1; NaN counts as 1, as it sorts above all.
func (n *Numeric) Sign() int {
	switch {
	case n.Neg:
		return -1
	case n.IsZero():
		return 0
	}
	return 1
}

// naturalScale is the least scale that shows every digit.
func (n *Numeric) naturalScale() int { return max(len(n.Digits)-n.Exp, 0) }

// Round rounds n half away from zero to scale digits behind the point, and sets its display scale to it (0 if
// negative).
func (n *Numeric) Round(scale int) {
	if n.Class != NumericFinite {
		return
	}
	if keep := n.Exp + scale; keep < len(n.Digits) { // digits kept
		up := keep >= 0 && n.Digits[keep] >= '5'
		kept := append([]byte{'0'}, n.Digits[:max(keep, 0)]...)
		exp := n.Exp + 1
		if keep < 0 {
			kept = kept[:0]
		} else if up {
			i := len(kept) - 1
			for kept[i] == '9' {
				kept[i] = '0'
				i--
			}
			kept[i]++
		}
		n.setDigits(kept, exp)
	}
	n.Scale = max(scale, 0)
}

// ApplyTypmod rounds n to numeric(p,s)'s scale and checks its precision (22003). Typmod -1 leaves n alone.
func (n *Numeric) ApplyTypmod(typmod int32) error {
	precision, scale, ok := NumericTypmod(typmod)
	if !ok || n.Class == NumericNaN {
		return nil
	}
	overflow := func(detail string, args ...any) error {
		return pgerror.New(pgerror.NumericValueOutOfRange, "numeric field overflow").WithDetail(detail, args...)
	}
	if n.Class == NumericInf {
		return overflow("A field with precision %d, scale %d cannot hold an infinite value.", precision, scale)
	}
	n.Round(scale)
	if limit := precision - scale; n.Exp > limit && len(n.Digits) > 0 {
		if limit == 0 {
			return overflow("A field with precision %d, scale %d must round to an absolute value less than 1.", precision, scale)
		}
		return overflow("A field with precision %d, scale %d must round to an absolute value less than 10^%d.", precision, scale, limit)
	}
	return nil
}

// Big returns the coefficient c and scale s of a finite n: n = c / 10^s, s at least the display scale (and 0).
func (n *Numeric) Big() (c *big.Int, s int) {
	s = max(n.Scale, n.naturalScale())
	c = new(big.Int)
	if len(n.Digits) == 0 {
		return c, s
	}
	c.SetString(string(n.Digits), 10)
	if shift := n.Exp - len(n.Digits) + s; shift > 0 {
		c.Mul(c, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil))
	}
	if n.Neg {
		c.Neg(c)
	}
	return c, s
}

// NumericFromBig returns c / 10^s with display scale s (s ≥ 0).
func NumericFromBig(c *big.Int, s int) Numeric {
	n := Numeric{Neg: c.Sign() < 0, Scale: s}
	digits := new(big.Int).Abs(c).Append(nil, 10)
	n.setDigits(digits, len(digits)-s)
	return n
}

// NumericFromInt returns i as a numeric of scale 0.
func NumericFromInt(i int64) Numeric { return NumericFromBig(big.NewInt(i), 0) }

// Value returns n in its stored form.
func (n *Numeric) Value() Value {
	return TextBytes(n.AppendStored(make([]byte, 0, len(n.Digits)+16)))
}

// AppendStored appends the order-preserving stored form of n (STORAGE.md).
func (n *Numeric) AppendStored(dst []byte) []byte {
	switch {
	case n.Class == NumericNaN:
		return append(dst, '5')
	case n.Class == NumericInf && n.Neg:
		return append(dst, '0')
	case n.Class == NumericInf:
		return append(dst, '4')
	case len(n.Digits) == 0:
		dst = append(dst, '2')
	case n.Neg:
		dst = append(dst, '1')
		switch {
		case n.Exp > 40:
			dst = appendPadded(append(dst, '!'), 999999-n.Exp, 6)
		case n.Exp < -40:
			dst = appendPadded(append(dst, '~'), 999999-(n.Exp+20000), 6)
		default:
			dst = append(dst, byte(0x4F-n.Exp))
		}
		for _, d := range n.Digits {
			dst = append(dst, '9'-d+'0')
		}
		dst = append(dst, '~')
	default:
		dst = append(dst, '3')
		switch {
		case n.Exp > 40:
			dst = appendPadded(append(dst, '~'), n.Exp, 6)
		case n.Exp < -40:
			dst = appendPadded(append(dst, '!'), n.Exp+20000, 6)
		default:
			dst = append(dst, byte(0x4F+n.Exp))
		}
		dst = append(dst, n.Digits...)
	}
	for i := n.naturalScale(); i < n.Scale; i++ {
		dst = append(dst, ' ')
	}
	return dst
}

// appendPadded appends v with leading zeros to the given width.
func appendPadded(dst []byte, v, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at && v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	if v > 0 { // wider than asked for
		tail := append([]byte(nil), dst[at:]...)
		dst = append(appendInt(dst[:at], int64(v)), tail...)
	}
	return dst
}

// storedNumeric is the stored form split into its parts, without copying.
type storedNumeric struct {
	class  byte
	exp    int
	digits []byte // complemented when class is '1'
	extra  int    // zeros of display scale beyond the natural one
}

func splitNumeric(b []byte) (storedNumeric, error) {
	var p storedNumeric
	if len(b) == 0 || b[0] < '0' || b[0] > '5' {
		return p, errNumericForm
	}
	p.class = b[0]
	b = b[1:]
	end := len(b)
	for end > 0 && b[end-1] == ' ' {
		end--
	}
	p.extra = len(b) - end
	b = b[:end]
	if p.class != '1' && p.class != '3' {
		if len(b) != 0 {
			return p, errNumericForm
		}
		return p, nil
	}
	if len(b) < 2 {
		return p, errNumericForm
	}
	mark := b[0]
	b = b[1:]
	if mark == '!' || mark == '~' {
		if len(b) < 7 {
			return p, errNumericForm
		}
		for _, c := range b[:6] {
			if c < '0' || c > '9' {
				return p, errNumericForm
			}
			p.exp = p.exp*10 + int(c-'0')
		}
		b = b[6:]
		if p.class == '1' {
			p.exp = 999999 - p.exp
		}
		if (mark == '!') == (p.class == '3') {
			p.exp -= 20000
		}
	} else {
		p.exp = int(mark) - 0x4F
		if p.class == '1' {
			p.exp = -p.exp
		}
	}
	if p.class == '1' {
		if len(b) < 2 || b[len(b)-1] != '~' {
			return p, errNumericForm
		}
		b = b[:len(b)-1]
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return p, errNumericForm
		}
	}
	p.digits = b
	return p, nil
}

// DecodeNumeric takes the stored form apart.
func DecodeNumeric(b []byte) (Numeric, error) {
	p, err := splitNumeric(b)
	if err != nil {
		return Numeric{}, err
	}
	n := Numeric{Neg: p.class == '0' || p.class == '1', Exp: p.exp}
	switch p.class {
	case '5':
		n.Class = NumericNaN
	case '0', '4':
		n.Class = NumericInf
	default:
		n.Digits = append([]byte(nil), p.digits...)
		if p.class == '1' {
			for i, c := range n.Digits {
				n.Digits[i] = '9' - c + '0'
			}
		}
		n.Scale = n.naturalScale() + p.extra
	}
	return n, nil
}

// appendNumericText writes a stored numeric as decimal text. A form that is none is written as it is.
func appendNumericText(dst, stored []byte) []byte {
	p, err := splitNumeric(stored)
	if err != nil {
		return append(dst, stored...)
	}
	switch p.class {
	case '0':
		return append(dst, "-Infinity"...)
	case '4':
		return append(dst, "Infinity"...)
	case '5':
		return append(dst, "NaN"...)
	case '2':
		dst = append(dst, '0')
		if p.extra > 0 {
			dst = appendZeros(append(dst, '.'), p.extra)
		}
		return dst
	case '1':
		dst = append(dst, '-')
	}
	digit := func(c byte) byte {
		if p.class == '1' {
			return '9' - c + '0'
		}
		return c
	}
	at := 0
	if p.exp <= 0 {
		dst = append(dst, '0')
	}
	for ; at < p.exp; at++ {
		if at < len(p.digits) {
			dst = append(dst, digit(p.digits[at]))
		} else {
			dst = append(dst, '0')
		}
	}
	if at >= len(p.digits) && p.extra == 0 {
		return dst
	}
	dst = append(dst, '.')
	if p.exp < 0 {
		dst = appendZeros(dst, -p.exp)
	}
	for ; at < len(p.digits); at++ {
		dst = append(dst, digit(p.digits[at]))
	}
	return appendZeros(dst, p.extra)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}

// String returns n as decimal text.
func (n *Numeric) String() string { return string(appendNumericText(nil, n.AppendStored(nil))) }

// CompareNumeric orders two stored numerics: -1, 0, 1.
func CompareNumeric(a, b []byte) int {
	return bytes.Compare(bytes.TrimRight(a, " "), bytes.TrimRight(b, " "))
}

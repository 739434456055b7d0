package sqlfunc

import (
	"math"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// numberFormat is what a template of numbers asks for (NUMDesc in adt/formatting.c).
type numberFormat struct {
	pre, post int // digits before and behind the point
	multi     int // digits behind V

	decimal, fill, blank, zero  bool
	lsign, minus, plus, bracket bool
	roman, multiply, exponent   bool
	signBehind                  bool // S stands behind the digits
	signAt                      int  // digits before S
	zeroStart, zeroEnd          int
	nodes                       []node
}

func badTemplate(s string) error { return errf("42601", "%s", s) }

func parseNumberFormat(format string) (*numberFormat, error) {
	f := &numberFormat{nodes: template(format, false)}
	for _, n := range f.nodes {
		if n.typ == nodeAction {
			if err := f.prepare(strings.ToUpper(n.key)); err != nil {
				return nil, err
			}
		}
	}
	return f, nil
}

// prepare notes a pattern (NUMDesc_prepare).
func (f *numberFormat) prepare(key string) error {
	if f.exponent && key != "EEEE" {
		return badTemplate(`"EEEE" must be the last pattern used`)
	}
	switch key {
	case "9":
		switch {
		case f.bracket:
			return badTemplate(`"9" must be ahead of "PR"`)
		case f.multiply:
			f.multi++
		case f.decimal:
			f.post++
		default:
			f.pre++
		}
	case "0":
		if f.bracket {
			return badTemplate(`"0" must be ahead of "PR"`)
		}
		if !f.zero && !f.decimal {
			f.zero, f.zeroStart = true, f.pre+1
		}
		if f.decimal {
			f.post++
		} else {
			f.pre++
		}
		f.zeroEnd = f.pre + f.post
	case "B":
		f.blank = f.blank || f.pre == 0 && f.post == 0 && !f.zero
	case "D", ".":
		switch {
		case f.decimal:
			return badTemplate("multiple decimal points")
		case f.multiply:
			return badTemplate(`cannot use "V" and decimal point together`)
		}
		f.decimal = true
	case "FM":
		f.fill = true
	case "S":
		switch {
		case f.lsign:
			return badTemplate(`cannot use "S" twice`)
		case f.plus || f.minus || f.bracket:
			return badTemplate(`cannot use "S" and "PL"/"MI"/"SG"/"PR" together`)
		}
		f.lsign, f.signBehind, f.signAt = true, f.decimal, f.pre
	case "MI", "PL", "SG":
		if f.lsign {
			return badTemplate(`cannot use "S" and "` + key + `" together`)
		}
		f.minus = f.minus || key != "PL"
		f.plus = f.plus || key != "MI"
	case "PR":
		if f.lsign || f.plus || f.minus {
			return badTemplate(`cannot use "PR" and "S"/"PL"/"MI"/"SG" together`)
		}
		f.bracket = true
	case "RN":
		f.roman = true
	case "V":
		if f.decimal {
			return badTemplate(`cannot use "V" and decimal point together`)
		}
		f.multiply = true
	case "EEEE":
		switch {
		case f.exponent:
			return badTemplate(`cannot use "EEEE" twice`)
		case f.blank || f.fill || f.lsign || f.bracket || f.minus || f.plus || f.roman || f.multiply:
			return withDetail(badTemplate(`"EEEE" is incompatible with other formats`),
				`"EEEE" may only be used together with digit and decimal point patterns.`)
		}
		f.exponent = true
	}
	return nil
}

// numberToChar has the number, the template and the significant digits of a float (0: exact).
func numberToChar(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	f, err := parseNumberFormat(text(args[1]))
	if err != nil {
		return null, err
	}
	digits := int(args[2].Int())
	var num string
	if digits > 0 {
		num = f.floatDigits(args[0].Float(), digits)
	} else {
		n := catalog.NumericFromInt(args[0].Int())
		if args[0].Kind == catalog.Text {
			if n, err = catalog.DecodeNumeric(args[0].Bytes); err != nil {
				return null, badArgs("to_char", err)
			}
		}
		num = f.numericDigits(n)
	}
	return catalog.Str(f.render(num)), nil
}

// special is how a number that has no digits is shown under EEEE.
func (f *numberFormat) special() string {
	b := []byte(" " + strings.Repeat("#", f.pre+f.post+6))
	b[f.pre+1] = '.'
	return string(b)
}

// numericDigits writes n, rounded as the template asks: with a sign only if it is negative.
func (f *numberFormat) numericDigits(n catalog.Numeric) string {
	switch {
	case f.roman:
		n.Round(0)
		c, _ := n.Big()
		if n.Class != catalog.NumericFinite || !c.IsInt64() {
			return toRoman(0)
		}
		return toRoman(c.Int64())
	case f.exponent:
		if n.Class != catalog.NumericFinite {
			return f.special()
		}
		return scientific(n, f.post)
	}
	if f.multiply {
		n.Exp += f.multi
		n.Scale = max(n.Scale-f.multi, 0)
		f.pre += f.multi
	}
	if n.Class != catalog.NumericFinite {
		return n.String()
	}
	n.Round(f.post)
	n.Scale = f.post
	return n.String()
}

// scientific writes d.ddde+xx.
func scientific(n catalog.Numeric, scale int) string {
	exp := 0
	mantissa := n
	if len(n.Digits) > 0 {
		exp = n.Exp - 1
		mantissa.Exp = 1
		mantissa.Scale = max(len(n.Digits)-1, 0)
		mantissa.Digits = append([]byte(nil), n.Digits...)
		mantissa.Round(scale) // as PostgreSQL, 9.99 may become 10.0
	}
	mantissa.Scale = scale
	s := mantissa.String()
	if !strings.HasPrefix(s, "-") {
		s = " " + s
	}
	sign := "+"
	if exp < 0 {
		sign, exp = "-", -exp
	}
	e := strconv.Itoa(exp)
	if len(e) < 2 {
		e = "0" + e
	}
	return s + "e" + sign + e
}

func (f *numberFormat) floatDigits(v float64, digits int) string {
	switch {
	case f.roman:
		if math.IsNaN(v) || math.Abs(v) > 1e9 {
			return toRoman(0)
		}
		return toRoman(int64(math.RoundToEven(v)))
	case f.exponent:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return f.special()
		}
		s := strconv.FormatFloat(v, 'e', f.post, 64)
		if !strings.HasPrefix(s, "-") {
			s = " " + s
		}
		return s
	}
	if f.multiply {
		v *= math.Pow(10, float64(f.multi))
		f.pre += f.multi
	}
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	whole := len(strconv.FormatFloat(math.Abs(v), 'f', 0, 64))
	if whole >= digits {
		f.post = 0
	} else if whole+f.post > digits {
		f.post = digits - whole
	}
	return strconv.FormatFloat(v, 'f', f.post, 64)
}

// toRoman writes a Roman numeral, or number signs for what has none.
func toRoman(n int64) string {
	if n < 1 || n > 3999 {
		return strings.Repeat("#", 15)
	}
	var b strings.Builder
	for _, r := range []struct {
		v int64
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= r.v; n -= r.v {
			b.WriteString(r.s)
		}
	}
	return b.String()
}

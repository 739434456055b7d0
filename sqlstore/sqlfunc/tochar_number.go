package sqlfunc

import (
	"math"
	"math/big"
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

func parseNumberFormat(template string) (*numberFormat, error) {
	f := &numberFormat{nodes: parseTemplate(template, numberKeys, false)}
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

// renderer walks through a template with the digits of a number (NUMProc, NUM_processor).
type renderer struct {
	*numberFormat
	out       strings.Builder
	number    string // digits and point
	at        int    // in number
	sign      byte
	signDone  bool
	inDigits  bool
	column    int // digits positions passed
	count     int
	preSpaces int
	last      int // in number: the last digit that FM shows, -1: all
}

// render writes a number, given as its digits, by the template.
func (f *numberFormat) render(num string) string {
	if f.exponent {
		return num
	}
	r := &renderer{numberFormat: f, number: num, sign: '+', last: -1}
	if strings.HasPrefix(num, "-") {
		r.sign, r.number = '-', num[1:]
	}
	if !f.roman {
		r.fit()
	}
	if r.zeroStart > 0 {
		r.zeroStart--
	}
	r.planSign()
	r.count = r.post + r.pre - 1
	if r.fill && r.decimal {
		r.findLast()
	}
	if !r.signDone && r.preSpaces == 0 {
		r.count++
	}
	for _, n := range r.nodes {
		if n.typ != nodeAction {
			r.out.WriteString(n.text)
			continue
		}
		r.pattern(n)
	}
	return r.out.String()
}

// fit finds the blanks before the number, or turns it to number signs if it is too long.
func (r *renderer) fit() {
	whole := strings.IndexByte(r.number, '.')
	if whole < 0 {
		whole = len(r.number)
	}
	switch {
	case whole < r.pre:
		r.preSpaces = r.pre - whole
	case whole > r.pre:
		b := []byte(strings.Repeat("#", r.pre+r.post+1))
		b[r.pre] = '.'
		r.number = string(b)
	}
}

func (r *renderer) planSign() {
	if r.plus || r.minus {
		r.signDone = !r.plus || r.minus
		return
	}
	if r.sign != '-' && r.bracket && r.fill {
		r.bracket = false
	}
	r.signDone = r.sign == '+' && r.fill && !r.lsign
	if r.lsign && !r.signBehind && r.pre == r.signAt {
		r.signBehind = true
	}
}

// findLast finds what FM cuts off.
func (r *renderer) findLast() {
	point := strings.IndexByte(r.number, '.')
	if point < 0 {
		return
	}
	r.last = point
	for i := point + 1; i < len(r.number); i++ {
		if r.number[i] != '0' {
			r.last = i
		}
	}
	if r.zeroEnd > r.preSpaces {
		r.last = max(r.last, min(len(r.number)-1, r.zeroEnd-r.preSpaces))
	}
}

func (r *renderer) pattern(n node) {
	switch key := strings.ToUpper(n.key); key {
	case "9", "0", ".", "D":
		r.digit(key)
	case ",", "G":
		switch {
		case r.inDigits:
			r.out.WriteByte(',')
		case !r.fill:
			r.out.WriteByte(' ')
		}
	case "L":
		r.out.WriteByte(' ') // the C locale has no currency
	case "RN":
		s := r.number
		if n.key == "rn" {
			s = strings.ToLower(s)
		}
		if !r.fill {
			s = strings.Repeat(" ", max(0, 15-len(s))) + s
		}
		r.out.WriteString(s)
	case "TH":
		if !r.roman && !strings.HasPrefix(r.number, "#") && r.sign != '-' && !r.decimal {
			r.out.WriteString(ordinalSuffix(r.number, n.key == "TH"))
		}
	case "MI", "PL":
		want := byte('-')
		if key == "PL" {
			want = '+'
		}
		switch {
		case r.sign == want:
			r.out.WriteByte(want)
		case !r.fill:
			r.out.WriteByte(' ')
		}
	case "SG":
		r.out.WriteByte(r.sign)
	}
}

// blankZero says that the number's only whole digit is a 0 that "9.9" leaves blank.
func (r *renderer) blankZero() bool {
	return !r.zero && r.at == 0 && strings.HasPrefix(r.number, "0") && r.post != 0
}

func (r *renderer) lastIsPoint() bool { return r.last >= 0 && r.number[r.last] == '.' }

// digit writes what stands at one digit or point of the template (NUM_numpart_to_char).
func (r *renderer) digit(key string) {
	if r.roman {
		return
	}
	r.inDigits = false
	if !r.signDone && (r.column >= r.preSpaces || r.zero && r.zeroStart == r.column) && (!r.blankZero() || r.lastIsPoint()) {
		r.writeSign()
	}
	switch {
	case r.column < r.preSpaces && (r.zeroStart > r.column || !r.zero):
		r.blankUnlessFill()
	case r.zero && r.column < r.preSpaces && r.zeroStart <= r.column:
		r.out.WriteByte('0')
		r.inDigits = true
	default:
		r.writeDigit(key)
	}
	end := r.count
	if r.preSpaces > 0 {
		end++
	}
	if r.decimal {
		end++
	}
	if r.last >= 0 && r.last == r.at {
		end = r.column
	}
	if r.column+1 == end {
		switch {
		case r.signDone && r.bracket:
			r.out.WriteByte(map[byte]byte{'+': ' ', '-': '>'}[r.sign])
		case r.lsign && r.signBehind:
			r.out.WriteByte(r.sign)
		}
	}
	r.column++
}

func (r *renderer) blankUnlessFill() {
	if !r.fill {
		r.out.WriteByte(' ')
	}
}

func (r *renderer) writeSign() {
	switch {
	case r.lsign:
		if r.signBehind {
			return
		}
		r.out.WriteByte(r.sign)
	case r.bracket:
		r.out.WriteByte(map[byte]byte{'+': ' ', '-': '<'}[r.sign])
	case r.sign == '+':
		r.blankUnlessFill()
	default:
		r.out.WriteByte('-')
	}
	r.signDone = true
}

func (r *renderer) writeDigit(key string) {
	if r.at >= len(r.number) {
		return
	}
	switch c := r.number[r.at]; {
	case c == '.':
		if !r.lastIsPoint() || r.fill {
			r.out.WriteByte('.')
		}
	case r.last >= 0 && r.at > r.last && key != "0":
	case r.blankZero():
		if !r.fill {
			r.out.WriteByte(' ')
		} else if r.lastIsPoint() {
			r.out.WriteByte('0')
		}
	default:
		r.out.WriteByte(c)
		r.inDigits = true
	}
	r.at++
}

// toNumber reads a number by a template.
func toNumber(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	f, err := parseNumberFormat(text(args[1]))
	if err != nil {
		return null, err
	}
	switch {
	case len(args[1].Bytes) == 0:
		return null, nil
	case f.exponent:
		return null, errf("0A000", "\"EEEE\" not supported for input")
	case f.roman:
		return null, errf("0A000", "\"RN\" not supported for input")
	}
	r := &numberReader{numberFormat: f, in: text(args[0]), sign: ' '}
	r.read()
	s := string(r.sign) + strings.TrimSuffix(r.digits.String(), ".")
	n, err := catalog.ParseNumeric([]byte(s))
	if err != nil {
		return null, err
	}
	n.Round(r.readPost)
	n.Scale = r.readPost
	if f.multiply {
		c, scale := n.Big()
		n = catalog.NumericFromBig(new(big.Int).Set(c), scale+f.multi)
		n.Scale = max(n.Scale, 16+r.readPost) // the scale of a power of ten
	}
	return n.Value(), nil
}

// numberReader is to_number's walk (NUM_processor, NUM_numpart_from_char).
type numberReader struct {
	*numberFormat
	in                string
	at                int
	sign              byte
	digits            strings.Builder
	readPre, readPost int
	readPoint         bool
}

func (r *numberReader) done() bool { return r.at >= len(r.in) }

func (r *numberReader) read() {
	for _, n := range r.nodes {
		if r.done() {
			return
		}
		if n.typ != nodeAction {
			r.at = nextRune(r.in, r.at)
			continue
		}
		switch key := strings.ToUpper(n.key); key {
		case "9", "0", ".", "D":
			r.part(key)
			r.at++
		case ",", "G":
			if r.fill { // as PostgreSQL: with FM a separator is no separator
				continue
			}
			if !r.done() && r.in[r.at] == ',' {
				r.at++
			}
		case "L":
			r.skip(1)
		case "TH":
			if !r.decimal {
				r.skip(2)
			}
		case "MI", "PL", "SG":
			c := r.in[r.at]
			if c == '-' && key != "PL" || c == '+' && key != "MI" {
				r.sign = c
				r.at++
			} else {
				r.skip(1)
			}
		}
	}
}

// skip passes over up to n characters that are no part of a number.
func (r *numberReader) skip(n int) {
	for ; n > 0 && !r.done() && strings.IndexByte("0123456789.,+-", r.in[r.at]) < 0; n-- {
		r.at = nextRune(r.in, r.at)
	}
}

func (r *numberReader) part(key string) {
	if r.in[r.at] == ' ' {
		if r.at++; r.done() {
			return
		}
	}
	if r.sign == ' ' && (key == "0" || key == "9") && r.readPre+r.readPost == 0 {
		c := r.in[r.at]
		switch {
		case r.lsign && r.signBehind:
		case c == '-' || c == '<' && r.bracket:
			r.sign = '-'
			r.at++
		case c == '+':
			r.sign = '+'
			r.at++
		}
		if r.done() {
			return
		}
	}
	got := false
	switch c := r.in[r.at]; {
	case isDigit(c):
		if r.readPoint && r.readPost == r.post {
			return
		}
		r.digits.WriteByte(c)
		if r.readPoint {
			r.readPost++
		} else {
			r.readPre++
		}
		got = true
	case r.decimal && !r.readPoint && c == '.':
		r.digits.WriteByte('.')
		r.readPoint, got = true, true
	}
	if r.sign != ' ' || r.readPre+r.readPost == 0 {
		return
	}
	switch {
	case r.lsign && got && r.at+1 < len(r.in) && !isDigit(r.in[r.at+1]):
		if c := r.in[r.at+1]; c == '-' || c == '+' {
			r.sign = c
			r.at++
		}
	case !got && !r.lsign && !r.plus && !r.minus && (r.in[r.at] == '-' || r.in[r.at] == '+'):
		r.sign = r.in[r.at]
	}
}

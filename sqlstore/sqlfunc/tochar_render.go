package sqlfunc

import (
	"strings"
)

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

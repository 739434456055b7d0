package sqlfunc

import (
	"math/big"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

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

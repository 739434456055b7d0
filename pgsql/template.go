package pgsql

import (
	"strconv"
	"strings"

	"layercake/catalog"
)

// template is a call of an Impl (see catalog.Function).
type template struct {
	impl     string
	args     []*expr
	ret      uint32
	typmod   int32  // $m
	explicit bool   // $x
	prefix   string // before the arguments of an aggregate: "DISTINCT "
	suffix   string // after them: " ORDER BY …"
	desc     bool   // $desc
	collate  bool   // arguments with COLLATE: comparisons, aggregates over an order
}

// atomicImpl says whether the text of an Impl needs no parentheses as an operand.
func atomicImpl(impl string) bool {
	if !strings.HasSuffix(impl, ")") {
		return !strings.ContainsAny(impl, " (")
	}
	i := strings.IndexByte(impl, '(')
	if i < 0 {
		return false
	}
	for j := 0; j < i; j++ {
		if b := impl[j]; b != '_' && (b < 'a' || b > 'z') && (b < '0' || b > '9') && (b < 'A' || b > 'Z') {
			return false
		}
	}
	depth := 0
	for j := i; j < len(impl); j++ {
		switch impl[j] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 && j < len(impl)-1 {
				return false
			}
		}
	}
	return true
}

// emit writes a call.
func (c *compiler) emit(t *template, loc int32) *expr {
	var b strings.Builder
	impl := t.impl
	isName := !strings.ContainsAny(impl, "$( ")
	write := c.text
	if t.collate {
		write = c.collated
	}
	if isName {
		b.WriteString(impl)
		b.WriteByte('(')
		b.WriteString(t.prefix)
		for i, a := range t.args {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(write(a))
		}
		b.WriteString(t.suffix)
		b.WriteByte(')')
		return plain(b.String(), t.ret, true, loc, t.args...)
	}
	c.expand(&b, t)
	return plain(b.String(), t.ret, atomicImpl(impl), loc, t.args...)
}

// expand writes an Impl with its variables replaced.
func (c *compiler) expand(b *strings.Builder, t *template) {
	impl := t.impl
	for i := 0; i < len(impl); i++ {
		if impl[i] != '$' {
			b.WriteByte(impl[i])
			continue
		}
		j := i + 1
		for j < len(impl) && impl[j] >= 'a' && impl[j] <= 'z' {
			j++
		}
		word := impl[i+1 : j]
		n := 0
		k := j
		for k < len(impl) && impl[k] >= '0' && impl[k] <= '9' {
			n = n*10 + int(impl[k]-'0')
			k++
		}
		var a *expr
		if n > 0 && n <= len(t.args) {
			a = t.args[n-1]
		}
		switch word {
		case "":
			if a == nil {
				b.WriteString("NULL")
			} else if t.collate {
				b.WriteString(c.collated(a))
			} else if argPosition(impl, i, k) {
				b.WriteString(c.text(a))
			} else {
				b.WriteString(c.operand(a))
			}
		case "t":
			oid := uint32(0)
			if a != nil {
				oid = a.typ
			}
			b.WriteString(strconv.FormatUint(uint64(oid), 10))
		case "m":
			if n == 0 {
				b.WriteString(strconv.Itoa(int(t.typmod)))
			} else if a != nil {
				b.WriteString(strconv.Itoa(int(a.typmod)))
			} else {
				b.WriteString("-1")
			}
		case "x":
			if t.explicit {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		case "rt":
			b.WriteString(strconv.FormatUint(uint64(t.ret), 10))
		case "re":
			b.WriteString(strconv.FormatUint(uint64(catalog.ElemOf(t.ret)), 10))
		case "tz":
			b.WriteString(c.session("TimeZone"))
		case "env":
			b.WriteString(c.session("env"))
		case "now":
			b.WriteString(c.session("now"))
		case "snow":
			b.WriteString(c.session("statement_now"))
		case "desc":
			if t.desc {
				b.WriteByte('1')
			} else {
				b.WriteByte('0')
			}
		case "targs":
			if n == 0 {
				n = 1
			}
			for m := n - 1; m < len(t.args); m++ {
				if m > n-1 {
					b.WriteString(", ")
				}
				x := t.args[m]
				b.WriteString(strconv.FormatUint(uint64(x.typ), 10) + ", " + strconv.Itoa(int(x.typmod)) + ", " + c.text(x))
			}
		case "args":
			if n == 0 {
				n = 1
			}
			for m := n - 1; m < len(t.args); m++ {
				if m > n-1 {
					b.WriteString(", ")
				}
				b.WriteString(c.text(t.args[m]))
			}
		default:
			b.WriteString(impl[i:k])
		}
		i = k - 1
	}
}

// argPosition says whether the variable impl[i:k] stands alone as a function's argument, where it needs no parentheses.
func argPosition(impl string, i, k int) bool {
	for i > 0 && impl[i-1] == ' ' {
		i--
	}
	for k < len(impl) && impl[k] == ' ' {
		k++
	}
	if i == 0 || k == len(impl) {
		return false
	}
	before, after := impl[i-1], impl[k]
	if after != ',' && after != ')' || before != ',' && before != '(' {
		return false
	}
	return true
}

package regex

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// atom takes an atom or a constraint; only atoms may be quantified.
func (p *parser) atom() (n *node, quantifiable bool) {
	switch c := p.src[0]; c {
	case '(':
		return p.group()
	case '[':
		if word, ok := map[string]assertion{"[[:<:]]": wordStart, "[[:>:]]": wordEnd}[p.src[:min(7, len(p.src))]]; ok {
			p.src = p.src[7:]
			return &node{kind: nodeAssert, assert: word}, false
		}
		return p.bracket(), true
	case '.':
		p.src = p.src[1:]
		s := &charSet{negated: true}
		if p.flags.newlineStops {
			s.add('\n', '\n')
		}
		return &node{kind: nodeSet, set: s}, true
	case '^', '$':
		p.src = p.src[1:]
		a := map[byte]assertion{'^': textStart, '$': textEnd}[c]
		if p.flags.newlineAnchors {
			a += lineStart - textStart
		}
		return &node{kind: nodeAssert, assert: a}, false
	case '\\':
		return p.escape()
	case '*', '+', '?':
		bad(errQuant)
	case '{':
		if len(p.src) > 1 && p.src[1] >= '0' && p.src[1] <= '9' {
			bad(errQuant)
		}
	}
	r, size := utf8.DecodeRuneInString(p.src)
	p.src = p.src[size:]
	return p.char(r), true
}

func (p *parser) group() (*node, bool) {
	p.src = p.src[1:]
	n := &node{kind: nodeGroup}
	look := false
	switch {
	case strings.HasPrefix(p.src, "?:"):
		p.src = p.src[2:]
	case strings.HasPrefix(p.src, "?=") || strings.HasPrefix(p.src, "?!"):
		n.kind, n.negative, look = nodeLook, p.src[1] == '!', true
		p.src = p.src[2:]
	case strings.HasPrefix(p.src, "?<=") || strings.HasPrefix(p.src, "?<!"):
		n.kind, n.negative, n.behind, look = nodeLook, p.src[2] == '!', true, true
		p.src = p.src[3:]
	case strings.HasPrefix(p.src, "?"):
		bad(errQuant)
	case p.inLook == 0: // within a lookaround constraint parentheses only group
		p.groups++
		n.index = p.groups
	}
	if look {
		p.inLook++
	}
	n.subs = []*node{p.alternatives(true)}
	if look {
		p.inLook--
	}
	if !strings.HasPrefix(p.src, ")") {
		bad(errParens)
	}
	p.src = p.src[1:]
	if n.index > 0 {
		p.closed[n.index] = true
	}
	return n, !look
}

// escape takes \ and what follows, outside brackets.
func (p *parser) escape() (*node, bool) {
	if len(p.src) < 2 {
		bad(errEscape)
	}
	c := p.src[1]
	if asserts := map[byte]assertion{'A': textStart, 'Z': textEnd, 'm': wordStart, 'M': wordEnd, 'y': wordEdge, 'Y': notWordEdge}; true {
		if a, ok := asserts[c]; ok {
			p.src = p.src[2:]
			return &node{kind: nodeAssert, assert: a}, false
		}
	}
	if set := classEscape(c); set != nil {
		p.src = p.src[2:]
		if set.negated && p.flags.newlineStops && (c == 'D' || c == 'W') {
			set.add('\n', '\n')
		}
		return &node{kind: nodeSet, set: set}, true
	}
	if c >= '1' && c <= '9' {
		n, size := int(c-'0'), 2
		for size < len(p.src) && p.src[size] >= '0' && p.src[size] <= '9' && n*10+int(p.src[size]-'0') <= p.groups {
			n = n*10 + int(p.src[size]-'0')
			size++
		}
		// Several digits that name no group are an octal character.
		if n < 10 && size < len(p.src) && p.src[size] >= '0' && p.src[size] <= '7' && n > p.groups {
			r := p.charEscape()
			return p.char(r), true
		}
		if !p.closed[n] || p.inLook > 0 {
			bad(errBackref)
		}
		p.src, p.hasBackref = p.src[size:], true
		return &node{kind: nodeBackref, index: n}, true
	}
	return p.char(p.charEscape()), true
}

// charEscape takes an escape that stands for one character.
func (p *parser) charEscape() rune {
	if len(p.src) < 2 {
		bad(errEscape)
	}
	r, size := utf8.DecodeRuneInString(p.src[1:])
	rest := p.src[1+size:]
	simple := map[rune]rune{'a': 7, 'b': 8, 'B': '\\', 'e': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11}
	if s, ok := simple[r]; ok {
		p.src = rest
		return s
	}
	hex := func(least, most int) rune {
		n, v := 0, rune(0)
		for n < len(rest) && n < most {
			d := hexValue(rest[n])
			if d < 0 {
				break
			}
			v = v<<4 | d
			if v > unicode.MaxRune {
				bad(errEscape)
			}
			n++
		}
		if n < least {
			bad(errEscape)
		}
		p.src = rest[n:]
		return v
	}
	switch {
	case r == 'c':
		if rest == "" {
			bad(errEscape)
		}
		x, n := utf8.DecodeRuneInString(rest)
		p.src = rest[n:]
		return x & 037
	case r == 'u':
		return hex(4, 4)
	case r == 'U':
		return hex(8, 8)
	case r == 'x':
		return hex(1, 255)
	case r >= '0' && r <= '7':
		v, n := r-'0', 0
		for n < 2 && n < len(rest) && rest[n] >= '0' && rest[n] <= '7' {
			v = v<<3 | rune(rest[n]-'0')
			n++
		}
		p.src = rest[n:]
		return v
	case unicode.IsLetter(r) || unicode.IsDigit(r):
		bad(errEscape)
	}
	p.src = rest
	return r
}

func hexValue(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// bracket takes a bracket expression.
func (p *parser) bracket() *node {
	p.src = p.src[1:]
	s := &charSet{}
	if strings.HasPrefix(p.src, "^") {
		s.negated, p.src = true, p.src[1:]
	}
	for first := true; ; first = false {
		if p.src == "" {
			bad(errBrackets)
		}
		if p.src[0] == ']' && !first {
			p.src = p.src[1:]
			break
		}
		lo, class := p.bracketItem(s)
		if class {
			continue
		}
		hi := lo
		if len(p.src) > 1 && p.src[0] == '-' && p.src[1] != ']' {
			p.src = p.src[1:]
			if hi, class = p.bracketItem(s); class || hi < lo {
				bad(errRange)
			}
		}
		s.add(lo, hi)
	}
	if p.flags.fold {
		s.foldCases()
	}
	if s.negated && p.flags.newlineStops {
		s.add('\n', '\n')
	}
	return &node{kind: nodeSet, set: s}
}

// bracketItem takes one character, or a class, which it adds to s.
func (p *parser) bracketItem(s *charSet) (r rune, class bool) {
	if p.src == "" {
		bad(errBrackets)
	}
	if len(p.src) > 1 && p.src[0] == '[' && strings.IndexByte(".:=", p.src[1]) >= 0 {
		kind := p.src[1]
		name, rest, ok := strings.Cut(p.src[2:], string([]byte{kind, ']'}))
		if !ok {
			bad(errBrackets)
		}
		p.src = rest
		if kind == ':' {
			c, ok := namedClasses[name]
			if !ok {
				bad(errClass)
			}
			s.classes = append(s.classes, c)
			return 0, true
		}
		if utf8.RuneCountInString(name) != 1 {
			if c, ok := collatingNames[name]; ok {
				return c, false
			}
			bad(errCollate)
		}
		r, _ = utf8.DecodeRuneInString(name)
		return r, false
	}
	if p.src[0] == '\\' {
		if len(p.src) < 2 {
			bad(errEscape)
		}
		if c := classEscape(p.src[1]); c != nil {
			p.src = p.src[2:]
			s.addSet(c)
			return 0, true
		}
		return p.charEscape(), false
	}
	r, n := utf8.DecodeRuneInString(p.src)
	p.src = p.src[n:]
	return r, false
}

var collatingNames = map[string]rune{"hyphen": '-', "period": '.', "left-square-bracket": '[', "right-square-bracket": ']',
	"NUL": 0, "tab": '\t', "newline": '\n', "space": ' ', "comma": ',', "hyphen-minus": '-', "full-stop": '.', "slash": '/',
	"backslash": '\\', "circumflex": '^', "underscore": '_', "low-line": '_', "dollar-sign": '$'}

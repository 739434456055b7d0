package regex

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// nodeKind says what a node of the syntax tree is.
type nodeKind uint8

const (
	nodeEmpty nodeKind = iota
	nodeSet
	nodeCat
	nodeAlt
	nodeRepeat
	nodeGroup // capturing if index > 0
	nodeAssert
	nodeLook
	nodeBackref
)

// node is a node of the syntax tree.
type node struct {
	kind     nodeKind
	set      *charSet
	subs     []*node
	min, max int // nodeRepeat; max -1: no limit
	lazy     bool
	fixed    bool // nodeRepeat: {m}
	index    int  // group number
	assert   assertion
	negative bool // nodeLook
	behind   bool // nodeLook
}

type assertion uint8

const (
	textStart assertion = iota
	textEnd
	lineStart // after a newline too
	lineEnd
	wordStart
	wordEnd
	wordEdge
	notWordEdge
)

// flags are the options of an expression.
type flags struct {
	fold           bool // i
	expanded       bool // x
	literal        bool // q
	newlineStops   bool // n, p: . and [^…] do not match a newline
	newlineAnchors bool // n, w: ^ and $ match at lines
}

// Error is a malformed expression. Its text is what PostgreSQL puts behind "invalid regular expression: ".
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// Unsupported is an expression that is right but beyond this package.
type Unsupported struct{ What string }

func (e *Unsupported) Error() string { return e.What + " in regular expressions" }

func bad(text string) { panic(&Error{text}) }

const (
	errBrackets = "brackets [] not balanced"
	errParens   = "parentheses () not balanced"
	errBraces   = "braces {} not balanced"
	errRepeat   = "invalid repetition count(s)"
	errRange    = "invalid character range"
	errClass    = "invalid character class"
	errCollate  = "invalid collating element"
	errEscape   = "invalid escape \\ sequence"
	errQuant    = "quantifier operand invalid"
	errBackref  = "invalid backreference number"
	errOption   = "invalid embedded option"
	errTooBig   = "regular expression is too complex"
)

const maxRepeat = 255

type parser struct {
	src    string
	flags  flags
	groups int
	closed map[int]bool
	depth  int

	hasBackref bool
}

// ApplyOptions reads the letters of an option string ("gi" without the g) into the flags.
func (f *flags) apply(opts string) error {
	for _, c := range opts {
		switch c {
		case 'i':
			f.fold = true
		case 'c':
			f.fold = false
		case 'm', 'n':
			f.newlineStops, f.newlineAnchors = true, true
		case 'p':
			f.newlineStops, f.newlineAnchors = true, false
		case 'w':
			f.newlineStops, f.newlineAnchors = false, true
		case 's':
			f.newlineStops, f.newlineAnchors = false, false
		case 'x':
			f.expanded = true
		case 't':
			f.expanded = false
		case 'q':
			f.literal = true
		case 'e', 'b':
			if c == 'b' {
				return &Unsupported{"basic regular expressions"}
			}
		default:
			return &Error{errOption}
		}
	}
	return nil
}

func parse(src string, f flags) (p *parser, root *node, err error) {
	p = &parser{src: src, flags: f, closed: map[int]bool{}}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			err = r
		case *Unsupported:
			err = r
		default:
			panic(r)
		}
	}()
	switch {
	case strings.HasPrefix(p.src, "***="):
		p.src, p.flags.literal = p.src[4:], true
	case strings.HasPrefix(p.src, "***:"):
		p.src = p.src[4:]
	case strings.HasPrefix(p.src, "***"):
		bad(errQuant)
	}
	if !p.flags.literal && len(p.src) > 2 && strings.HasPrefix(p.src, "(?") && unicode.IsLetter(rune(p.src[2])) {
		end := strings.IndexByte(p.src, ')')
		if end < 0 {
			bad(errOption)
		}
		if err := p.flags.apply(p.src[2:end]); err != nil {
			return nil, nil, err
		}
		p.src = p.src[end+1:]
	}
	if p.flags.literal {
		root = &node{kind: nodeCat}
		for _, r := range p.src {
			root.subs = append(root.subs, p.char(r))
		}
		return p, root, nil
	}
	root = p.alternatives(false)
	if p.src != "" {
		bad(errParens)
	}
	return p, root, nil
}

// char is one character, or its cases.
func (p *parser) char(r rune) *node {
	s := &charSet{}
	s.add(r, r)
	if p.flags.fold {
		s.foldCases()
	}
	return &node{kind: nodeSet, set: s}
}

func (p *parser) alternatives(inGroup bool) *node {
	if p.depth++; p.depth > 500 {
		bad(errTooBig)
	}
	defer func() { p.depth-- }()
	alt := &node{kind: nodeAlt}
	for {
		alt.subs = append(alt.subs, p.branch(inGroup))
		if !strings.HasPrefix(p.src, "|") {
			break
		}
		p.src = p.src[1:]
	}
	if len(alt.subs) == 1 {
		return alt.subs[0]
	}
	return alt
}

// skipExpanded passes over white space and comments.
func (p *parser) skipExpanded() {
	for {
		if strings.HasPrefix(p.src, "(?#") {
			end := strings.IndexByte(p.src, ')')
			if end < 0 {
				p.src = ""
				return
			}
			p.src = p.src[end+1:]
			continue
		}
		if !p.flags.expanded || p.src == "" {
			return
		}
		switch c := p.src[0]; {
		case c == ' ' || c >= '\t' && c <= '\r':
			p.src = p.src[1:]
		case c == '#':
			_, rest, _ := strings.Cut(p.src, "\n")
			p.src = rest
		default:
			return
		}
	}
}

func (p *parser) branch(inGroup bool) *node {
	cat := &node{kind: nodeCat}
	for {
		p.skipExpanded()
		if p.src == "" || p.src[0] == '|' || p.src[0] == ')' && inGroup {
			return cat
		}
		if p.src[0] == ')' {
			bad(errParens)
		}
		atom, quantifiable := p.atom()
		p.skipExpanded()
		cat.subs = append(cat.subs, p.quantify(atom, quantifiable))
	}
}

func (p *parser) quantify(atom *node, ok bool) *node {
	if p.src == "" {
		return atom
	}
	lo, hi, fixed := 0, -1, false
	switch c := p.src[0]; {
	case c == '*':
		p.src = p.src[1:]
	case c == '+':
		lo = 1
		p.src = p.src[1:]
	case c == '?':
		hi = 1
		p.src = p.src[1:]
	case c == '{' && len(p.src) > 1 && p.src[1] >= '0' && p.src[1] <= '9':
		lo, hi, fixed = p.bounds()
	default:
		return atom
	}
	if !ok {
		bad(errQuant)
	}
	lazy := false
	if strings.HasPrefix(p.src, "?") {
		lazy, p.src = true, p.src[1:]
	}
	if p.src != "" && (p.src[0] == '*' || p.src[0] == '+' || p.src[0] == '?') {
		bad(errQuant)
	}
	return &node{kind: nodeRepeat, subs: []*node{atom}, min: lo, max: hi, lazy: lazy, fixed: fixed}
}

// bounds takes {m}, {m,} or {m,n}; fixed says that it is the first, which prefers nothing of its own.
func (p *parser) bounds() (lo, hi int, fixed bool) {
	end := strings.IndexByte(p.src, '}')
	if end < 0 {
		bad(errBraces)
	}
	first, second, comma := strings.Cut(p.src[1:end], ",")
	p.src = p.src[end+1:]
	number := func(s string) int {
		n := 0
		if s == "" {
			bad(errRepeat)
		}
		for _, c := range s {
			if c < '0' || c > '9' {
				bad(errRepeat)
			}
			if n = n*10 + int(c-'0'); n > maxRepeat {
				bad(errRepeat)
			}
		}
		return n
	}
	lo = number(first)
	switch {
	case !comma:
		return lo, lo, true
	case second == "":
		return lo, -1, false
	}
	if hi = number(second); hi < lo {
		bad(errRepeat)
	}
	return lo, hi, false
}

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
	default:
		p.groups++
		n.index = p.groups
	}
	n.subs = []*node{p.alternatives(true)}
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
		if !p.closed[n] {
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

// greed is what an expression prefers: short or long matches.
type greed uint8

const (
	noGreed greed = iota
	greedy
	lazy
)

// greed gives the preference of the whole of n, by the rules of the manual's section 9.7.3.5.
func (n *node) greed() greed {
	switch n.kind {
	case nodeAlt:
		return greedy
	case nodeGroup:
		return n.subs[0].greed()
	case nodeCat:
		for _, s := range n.subs {
			if g := s.greed(); g != noGreed {
				return g
			}
		}
	case nodeRepeat:
		switch {
		case n.fixed:
			return n.subs[0].greed()
		case n.lazy:
			return lazy
		}
		return greedy
	}
	return noGreed
}

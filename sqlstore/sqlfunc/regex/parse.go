package regex

import (
	"strings"
	"unicode"
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
	inLook int // lookaround constraints that are open

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

package catalog

import (
	"errors"
	"strings"
)

// PrettyExpr is a stored expression as the pretty forms of pg_get_expr, pg_get_indexdef and pg_get_constraintdef show it,
// without needless parentheses: ((a > 0) AND (b > 0)) is a > 0 AND b > 0, lower((x)::text) is lower(x::text). Which are
// needless follows isSimpleNode in PostgreSQL's ruleutils.c. What is not of the form that expressions are stored in stays
// as it is.
func PrettyExpr(expr string) string {
	p := prettyParser{s: expr}
	n, err := p.expr()
	if err != nil || strings.TrimSpace(p.s[p.at:]) != "" {
		return expr
	}
	return n.text
}

// prettyKind says what a part of an expression is, as far as it matters for the parentheses around it.
type prettyKind byte

const (
	prettySimple prettyKind = iota // a name, a constant, a call, CASE … END: never in parentheses
	prettyBinary                   // a op b
	prettyTest                     // a IS NULL, a IS DISTINCT FROM b: as an operator within AND, OR and NOT
	prettyAnd
	prettyOr
	prettyNot
	prettyComplex // op a, a op ANY (b), a COLLATE b: in parentheses in every operator
)

type prettyNode struct {
	text string
	kind prettyKind
	op   string // of prettyBinary
}

var errNotStored = errors.New("catalog: not an expression as they are stored")

// below is n as an operand of a parent of the given kind; op: the parent's, if it is prettyBinary; first: n is on its left.
func (n prettyNode) below(parent prettyKind, op string, first bool) string {
	logical := parent == prettyAnd || parent == prettyOr || parent == prettyNot
	bare := false
	switch n.kind {
	case prettySimple:
		bare = true
	case prettyBinary:
		const high, low = "*/%", "+-"
		is := func(o, set string) bool { return len(o) == 1 && strings.Contains(set, o) }
		switch {
		case logical:
			bare = true
		case parent == prettyBinary:
			bare = is(n.op, high) && (is(op, low) || first && is(op, high)) || first && is(n.op, low) && is(op, low)
		}
	case prettyTest:
		bare = logical
	case prettyAnd, prettyNot:
		bare = parent == prettyAnd || parent == prettyOr
	case prettyOr:
		bare = parent == prettyOr
	}
	if bare {
		return n.text
	}
	return "(" + n.text + ")"
}

// behind is text behind a gap, which ends where the text begins with a line break as CASE does.
func behind(gap, text string) string {
	if strings.HasPrefix(text, "\n") {
		gap = strings.TrimRight(gap, " ")
	}
	return gap + text
}

func spaced(text string) string { return behind(" ", text) }

type prettyParser struct {
	s     string
	at    int
	depth int
}

func (p *prettyParser) space() string {
	from := p.at
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\n') {
		p.at++
	}
	return p.s[from:p.at]
}

// word takes the given keywords if they come next, and what is before them.
func (p *prettyParser) word(words string) bool {
	at := p.at
	for _, w := range strings.Fields(words) {
		p.space()
		if !strings.HasPrefix(p.s[p.at:], w) || p.at+len(w) < len(p.s) && isNamePart(p.s[p.at+len(w)]) {
			p.at = at
			return false
		}
		p.at += len(w)
	}
	return true
}

// oneOf takes the first of the given keywords that comes next.
func (p *prettyParser) oneOf(words ...string) string {
	for _, w := range words {
		if p.word(w) {
			return w
		}
	}
	return ""
}

func (p *prettyParser) byte(c byte) bool {
	if p.at < len(p.s) && p.s[p.at] == c {
		p.at++
		return true
	}
	return false
}

func isNamePart(c byte) bool {
	return isAlnum(c) || c == '_' || c == '$' || c == '.' || c == '"' || c >= 0x80
}

// operator takes an operator.
func (p *prettyParser) operator() string {
	from := p.at
	for p.at < len(p.s) && strings.IndexByte("+-*/<>=~!@#%^&|`?", p.s[p.at]) >= 0 {
		p.at++
	}
	return p.s[from:p.at]
}

// expr takes all that parentheses can be around.
func (p *prettyParser) expr() (prettyNode, error) {
	if p.depth++; p.depth > 1000 {
		return prettyNode{}, errNotStored
	}
	defer func() { p.depth-- }()
	lead := p.space()
	n, err := p.bare()
	n.text = strings.TrimPrefix(lead, " ") + n.text // the line break before CASE
	return n, err
}

func (p *prettyParser) bare() (prettyNode, error) {
	if p.word("NOT") {
		n, err := p.operand()
		return prettyNode{text: "NOT" + spaced(n.below(prettyNot, "", false)), kind: prettyNot}, err
	}
	if op := p.operator(); op != "" {
		n, err := p.operand()
		return prettyNode{text: op + spaced(n.below(prettyComplex, "", false)), kind: prettyComplex}, err
	}
	n, err := p.operand()
	if err != nil {
		return n, err
	}
	at := p.at
	if connective := p.oneOf("AND", "OR"); connective != "" {
		kind := prettyAnd
		if connective == "OR" {
			kind = prettyOr
		}
		var b strings.Builder
		b.WriteString(n.below(kind, "", true))
		for more := true; more; more = p.word(connective) {
			if n, err = p.operand(); err != nil {
				return n, err
			}
			b.WriteString(" " + connective + spaced(n.below(kind, "", false)))
		}
		return prettyNode{text: b.String(), kind: kind}, nil
	}
	if p.word("IS") {
		test := p.oneOf("NOT NULL", "NULL", "NOT TRUE", "TRUE", "NOT FALSE", "FALSE", "NOT UNKNOWN", "UNKNOWN", "NOT DISTINCT FROM", "DISTINCT FROM")
		text := n.below(prettyComplex, "", true) + " IS " + test
		if strings.HasSuffix(test, "FROM") {
			n, err = p.operand()
			text += spaced(n.below(prettyComplex, "", false))
		} else if test == "" {
			err = errNotStored
		}
		return prettyNode{text: text, kind: prettyTest}, err
	}
	if p.word("AT TIME ZONE") { // a call to PostgreSQL, which has parentheses of its own
		zone, err := p.operand()
		return prettyNode{text: "(" + n.below(prettyComplex, "", true) + " AT TIME ZONE " + zone.below(prettyComplex, "", false) + ")"}, err
	}
	if p.word("COLLATE") {
		p.space()
		name, err := p.primary()
		return prettyNode{text: n.below(prettyComplex, "", true) + " COLLATE " + name.text, kind: prettyComplex}, err
	}
	p.space()
	op := p.operator()
	if op == "" {
		p.at = at
		return n, nil
	}
	if some := p.oneOf("ANY", "ALL"); some != "" {
		p.space()
		list, err := p.primary()
		return prettyNode{text: n.below(prettyComplex, "", true) + " " + op + " " + some + " (" + list.below(prettyComplex, "", false) + ")", kind: prettyComplex}, err
	}
	right, err := p.operand()
	return prettyNode{text: n.below(prettyBinary, op, true) + " " + op + spaced(right.below(prettyBinary, op, false)), kind: prettyBinary, op: op}, err
}

// operand takes an atom, or an expression in parentheses, and the casts, subscripts and fields behind it.
func (p *prettyParser) operand() (prettyNode, error) {
	lead := strings.TrimPrefix(p.space(), " ")
	n, err := p.primary()
	for err == nil && p.at < len(p.s) {
		switch {
		case strings.HasPrefix(p.s[p.at:], "::"):
			p.at += 2
			typ := p.typeName()
			if typ == "" {
				return n, errNotStored
			}
			text := n.below(prettyComplex, "", true) + "::" + typ
			if n.kind != prettySimple && (strings.HasSuffix(typ, "]") || typ == "text" || typ == "name" || strings.HasPrefix(typ, "json")) {
				n.kind = prettyComplex // no function makes this cast, but input and output or nothing at all
			} else {
				n.kind = prettySimple
			}
			n.text = text
		case p.s[p.at] == '[':
			list, err := p.list('[', ']')
			if err != nil {
				return n, err
			}
			if strings.Contains(n.text, "::") || n.kind != prettySimple {
				n.text = "(" + n.text + ")"
			}
			n = prettyNode{text: n.text + list}
		case p.s[p.at] == '.' && p.s[p.at-1] == ')':
			from := p.at
			for p.at++; p.at < len(p.s) && isNamePart(p.s[p.at]); p.at++ {
			}
			n = prettyNode{text: "(" + n.text + ")" + p.s[from:p.at]}
		default:
			n.text = lead + n.text
			return n, nil
		}
	}
	n.text = lead + n.text
	return n, err
}

func (p *prettyParser) primary() (prettyNode, error) {
	from := p.at
	if p.byte('(') {
		n, err := p.expr()
		if p.space(); err == nil && !p.byte(')') {
			err = errNotStored
		}
		return n, err
	}
	if p.word("CASE") {
		return p.cases()
	}
	for p.at < len(p.s) {
		switch c := p.s[p.at]; {
		case c == '\'' || c == '"':
			escaped := c == '\'' && p.at > from && (p.s[p.at-1] == 'E' || p.s[p.at-1] == 'e')
			for p.at++; p.at < len(p.s) && p.s[p.at] != c; p.at++ {
				if escaped && p.s[p.at] == '\\' {
					p.at++
				}
			}
			if p.at >= len(p.s) {
				return prettyNode{}, errNotStored
			}
			p.at++
			continue
		case isNamePart(c):
			p.at++
			continue
		}
		break
	}
	name := p.s[from:p.at]
	if name == "" {
		return prettyNode{}, errNotStored
	}
	if p.at < len(p.s) && p.s[p.at] == '(' {
		list, err := p.list('(', ')')
		return prettyNode{text: name + list}, err
	}
	if name == "ARRAY" && p.at < len(p.s) && p.s[p.at] == '[' {
		list, err := p.list('[', ']')
		return prettyNode{text: name + list}, err
	}
	return prettyNode{text: name}, nil
}

// list takes what is in brackets: expressions between commas, colons, and the keywords of calls as EXTRACT(year FROM d),
// where blanks alone separate expressions.
func (p *prettyParser) list(open, end byte) (string, error) {
	position := strings.HasSuffix(p.s[:p.at], "POSITION") // its form has parentheses around both arguments
	p.byte(open)
	var b strings.Builder
	b.WriteByte(open)
	for {
		gap := p.space()
		switch {
		case p.byte(end):
			b.WriteByte(end)
			return b.String(), nil
		case p.byte(','):
			b.WriteByte(',')
		case p.byte('*'):
			b.WriteByte('*')
		case end == ']' && p.byte(':'):
			b.WriteByte(':')
		default:
			inner := position && p.at < len(p.s) && p.s[p.at] == '('
			n, err := p.expr()
			if err != nil {
				return "", err
			}
			if inner {
				n.text = "(" + n.text + ")"
			}
			b.WriteString(behind(gap, n.text))
		}
	}
}

// cases takes a CASE after its first word; its parts need no parentheses.
func (p *prettyParser) cases() (prettyNode, error) {
	var b strings.Builder
	b.WriteString("CASE")
	for {
		gap := p.space()
		w := p.oneOf("WHEN", "THEN", "ELSE", "END")
		if w == "" {
			n, err := p.expr()
			if err != nil {
				return n, err
			}
			w = n.text
		}
		b.WriteString(behind(gap, w))
		if w == "END" {
			return prettyNode{text: b.String()}, nil
		}
	}
}

// typeName takes the name of a type as format_type writes it.
func (p *prettyParser) typeName() string {
	from := p.at
	if p.word("timestamp") || p.word("time") {
		p.modifier()
		p.word("with time zone")
		p.word("without time zone")
	} else if !p.word("double precision") && !p.word("character varying") && !p.word("bit varying") {
		for p.at < len(p.s) && isNamePart(p.s[p.at]) {
			p.at++
		}
	}
	p.modifier()
	for strings.HasPrefix(p.s[p.at:], "[]") {
		p.at += 2
	}
	return p.s[from:p.at]
}

// modifier takes the modifier of a type, as (10,2).
func (p *prettyParser) modifier() {
	at := p.at
	if !p.byte('(') {
		return
	}
	for p.at < len(p.s) && (p.s[p.at] >= '0' && p.s[p.at] <= '9' || p.s[p.at] == ',') {
		p.at++
	}
	if !p.byte(')') {
		p.at = at
	}
}

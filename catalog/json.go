package catalog

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"

	"layercake/pgerror"
)

// JSONKind is what a JSON value is.
type JSONKind byte

// The kinds of JSON value.
const (
	JSONNull   JSONKind = 'z'
	JSONTrue   JSONKind = 't'
	JSONFalse  JSONKind = 'f'
	JSONNumber JSONKind = 'n'
	JSONString JSONKind = 's'
	JSONArray  JSONKind = 'a'
	JSONObject JSONKind = 'o'
)

// JSONValue is a JSON value taken apart.
type JSONValue struct {
	Kind  JSONKind
	Text  []byte      // a number as jsonb shows it, a string without quotes and escapes
	Elems []JSONValue // of an array; the values of an object
	Keys  [][]byte    // of an object, in jsonb's order: by length, then bytewise; each once
}

// maxJSONDepth bounds the nesting, as PostgreSQL's stack does.
const maxJSONDepth = 6000

// ValidateJSON returns 22P02 unless src is JSON as json_in takes it.
func ValidateJSON(src []byte) error {
	p := jsonParser{src: src}
	return p.document(nil)
}

// ParseJSONB reads src as jsonb_in does: strings unescaped, numbers normalised, keys sorted, the last of equal keys
// kept.
func ParseJSONB(src []byte) (JSONValue, error) {
	p := jsonParser{src: src, build: true}
	var v JSONValue
	err := p.document(&v)
	return v, err
}

// CanonicalJSONB returns the text of src as a jsonb.
func CanonicalJSONB(src []byte) ([]byte, error) {
	v, err := ParseJSONB(src)
	if err != nil {
		return nil, err
	}
	return v.Append(make([]byte, 0, len(src)+8)), nil
}

// jsonToken is a kind of token; the literals and punctuation are their first byte.
type jsonToken byte

const (
	jsonEnd jsonToken = 0
	jsonNum jsonToken = 'n'
	jsonStr jsonToken = '"'
	jsonNul jsonToken = 'z'
	jsonBad jsonToken = '?'
)

// jsonParser reads JSON with PostgreSQL's complaints.
type jsonParser struct {
	src   []byte
	build bool // make JSONValues; check escapes as needed for that

	tok        jsonToken
	start, end int    // of the token
	text       []byte // of a string, unescaped, when build
	line       int    // of the token, from 0
	lineStart  int
	depth      int
}

func (p *jsonParser) document(v *JSONValue) error {
	if err := p.next(); err != nil {
		return err
	}
	if err := p.value(v); err != nil {
		return err
	}
	if p.tok != jsonEnd {
		return p.unexpected("Expected end of input, but found \"%s\".")
	}
	return nil
}

func jsonWord(c byte) bool { return isAlnum(c) || c == '_' || c >= 0x80 }

// next reads a token.
func (p *jsonParser) next() error {
	i := p.end
	for i < len(p.src) {
		c := p.src[i]
		if c == '\n' {
			p.line++
			p.lineStart = i + 1
		} else if c != ' ' && c != '\t' && c != '\r' {
			break
		}
		i++
	}
	p.start, p.end = i, i
	if i == len(p.src) {
		p.tok = jsonEnd
		return nil
	}
	p.tok = jsonBad
	switch c := p.src[i]; {
	case c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':':
		p.tok, p.end = jsonToken(c), i+1
		return nil
	case c == '"':
		p.tok = jsonStr
		return p.string()
	case c == '-' || isDigit(c):
		p.tok = jsonNum
		return p.number()
	default:
		for p.end < len(p.src) && jsonWord(p.src[p.end]) {
			p.end++
		}
		switch string(p.src[i:p.end]) {
		case "true":
			p.tok = 't'
		case "false":
			p.tok = 'f'
		case "null":
			p.tok = jsonNul
		case "":
			p.end = i + 1
			return p.invalidToken()
		default:
			return p.invalidToken()
		}
		return nil
	}
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (p *jsonParser) number() error {
	i, ok := p.start, true
	digits := func() bool {
		from := i
		for i < len(p.src) && isDigit(p.src[i]) {
			i++
		}
		return i > from
	}
	at := func(c ...byte) bool { return i < len(p.src) && bytes.IndexByte(c, p.src[i]) >= 0 }
	if at('-') {
		i++
	}
	if at('0') {
		i++
	} else {
		ok = digits()
	}
	if ok && at('.') {
		i++
		ok = digits()
	}
	if ok && at('e', 'E') {
		i++
		if at('+', '-') {
			i++
		}
		ok = digits()
	}
	for ; i < len(p.src) && jsonWord(p.src[i]); i++ {
		ok = false
	}
	p.end = i
	if !ok {
		return p.invalidToken()
	}
	return nil
}

func (p *jsonParser) string() error {
	if p.build {
		p.text = []byte{}
	}
	high := rune(0) // a high surrogate that waits for its low one
	for i := p.start + 1; ; {
		if i >= len(p.src) {
			p.end = len(p.src)
			return p.invalidToken()
		}
		c := p.src[i]
		if high != 0 && c != '\\' {
			_, n := utf8.DecodeRune(p.src[i:])
			return p.badEscape(i+n, "Unicode low surrogate must follow a high surrogate.")
		}
		switch {
		case c == '"':
			p.end = i + 1
			return nil
		case c < 0x20:
			p.end = i
			return p.fail("Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			from := i
			for i < len(p.src) && p.src[i] != '"' && p.src[i] != '\\' && p.src[i] >= 0x20 {
				i++
			}
			if p.build {
				p.text = append(p.text, p.src[from:i]...)
			}
			continue
		}
		if i++; i >= len(p.src) {
			p.end = len(p.src)
			return p.invalidToken()
		}
		c = p.src[i]
		if c == 'u' {
			r, n, err := p.unicodeEscape(i)
			if err != nil {
				return err
			}
			i = n
			if p.build {
				if high, err = p.surrogate(high, r, i); err != nil {
					return err
				}
			}
			continue
		}
		at := bytes.IndexByte([]byte(`"\/bfnrt`), c)
		if high != 0 {
			return p.badEscape(i+1, "Unicode low surrogate must follow a high surrogate.")
		}
		if at < 0 {
			_, n := utf8.DecodeRune(p.src[i:])
			p.start, p.end = i, i+n
			return p.fail("Escape sequence \"\\%s\" is invalid.", p.src[i:i+n])
		}
		if p.build {
			p.text = append(p.text, "\"\\/\b\f\n\r\t"[at])
		}
		i++
	}
}

// unicodeEscape reads the four digits behind the 'u' at i and returns where they end.
func (p *jsonParser) unicodeEscape(i int) (rune, int, error) {
	r := rune(0)
	for k := 1; k <= 4; k++ {
		if i+k >= len(p.src) {
			p.end = len(p.src)
			return 0, 0, p.invalidToken()
		}
		d := hexDigit(p.src[i+k])
		if d < 0 {
			_, n := utf8.DecodeRune(p.src[i+k:])
			p.end = i + k + n
			return 0, 0, p.fail("\"\\u\" must be followed by four hexadecimal digits.")
		}
		r = r<<4 | rune(d)
	}
	return r, i + 5, nil
}

// surrogate adds the escaped r to the text; it returns the high surrogate that waits, if any. i is behind the escape.
func (p *jsonParser) surrogate(high, r rune, i int) (rune, error) {
	switch {
	case r >= 0xD800 && r < 0xDC00:
		if high != 0 {
			return 0, p.badEscape(i, "Unicode high surrogate must not follow a high surrogate.")
		}
		return r, nil
	case r >= 0xDC00 && r < 0xE000:
		if high == 0 {
			return 0, p.badEscape(i, "Unicode low surrogate must follow a high surrogate.")
		}
		p.text = utf8.AppendRune(p.text, utf16.DecodeRune(high, r))
		return 0, nil
	case high != 0:
		return 0, p.badEscape(i, "Unicode low surrogate must follow a high surrogate.")
	case r == 0:
		p.end = i
		e := pgerror.New("22P05", "unsupported Unicode escape sequence").WithDetail("\\u0000 cannot be converted to text.")
		e.Where = p.where()
		return 0, e
	}
	p.text = utf8.AppendRune(p.text, r)
	return 0, nil
}

func (p *jsonParser) badEscape(end int, detail string) error {
	p.end = min(end, len(p.src))
	return p.fail("%s", detail)
}

// value reads the value that starts with the token at hand, and the token behind it.
func (p *jsonParser) value(v *JSONValue) error {
	if p.depth++; p.depth > maxJSONDepth {
		return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded")
	}
	defer func() { p.depth-- }()
	var sink JSONValue
	if v == nil {
		v = &sink
	}
	switch p.tok {
	case '{':
		return p.object(v)
	case '[':
		return p.array(v)
	case jsonStr:
		v.Kind, v.Text = JSONString, p.text
	case jsonNum:
		v.Kind = JSONNumber
		if p.build {
			n, err := ParseNumeric(p.src[p.start:p.end])
			if err != nil {
				return err
			}
			v.Text = appendNumericText(nil, n.AppendStored(nil))
		}
	case 't':
		v.Kind = JSONTrue
	case 'f':
		v.Kind = JSONFalse
	case jsonNul:
		v.Kind = JSONNull
	default:
		return p.unexpected("Expected JSON value, but found \"%s\".")
	}
	return p.next()
}

func (p *jsonParser) array(v *JSONValue) error {
	v.Kind = JSONArray
	if err := p.next(); err != nil {
		return err
	}
	for first := true; p.tok != ']'; first = false {
		if !first {
			if p.tok != ',' {
				return p.unexpected("Expected \",\" or \"]\", but found \"%s\".")
			}
			if err := p.next(); err != nil {
				return err
			}
		}
		var e JSONValue
		if err := p.value(&e); err != nil {
			return err
		}
		if p.build {
			v.Elems = append(v.Elems, e)
		}
	}
	return p.next()
}

func (p *jsonParser) object(v *JSONValue) error {
	v.Kind = JSONObject
	if err := p.next(); err != nil {
		return err
	}
	for first := true; p.tok != '}'; first = false {
		if first {
			if p.tok != jsonStr {
				return p.unexpected("Expected string or \"}\", but found \"%s\".")
			}
		} else {
			if p.tok != ',' {
				return p.unexpected("Expected \",\" or \"}\", but found \"%s\".")
			}
			if err := p.next(); err != nil {
				return err
			}
			if p.tok != jsonStr {
				return p.unexpected("Expected string, but found \"%s\".")
			}
		}
		key := p.text
		if err := p.next(); err != nil {
			return err
		}
		if p.tok != ':' {
			return p.unexpected("Expected \":\", but found \"%s\".")
		}
		if err := p.next(); err != nil {
			return err
		}
		var e JSONValue
		if err := p.value(&e); err != nil {
			return err
		}
		if p.build {
			v.Keys, v.Elems = append(v.Keys, key), append(v.Elems, e)
		}
	}
	v.SortKeys()
	return p.next()
}

func (p *jsonParser) unexpected(detail string) error {
	if p.tok == jsonEnd {
		return p.fail("The input string ended unexpectedly.")
	}
	return p.fail(detail, p.src[p.start:p.end])
}

func (p *jsonParser) invalidToken() error {
	return p.fail("Token \"%s\" is invalid.", p.src[p.start:p.end])
}

func (p *jsonParser) fail(detail string, args ...any) error {
	e := pgerror.New(pgerror.InvalidTextRepresentation, "invalid input syntax for type json").WithDetail(detail, args...)
	e.Where = p.where()
	return e
}

// where shows the line up to and with the token at hand, at most some fifty bytes of it.
func (p *jsonParser) where() string {
	from, to := p.lineStart, p.end
	for to-from >= 50 {
		_, n := utf8.DecodeRune(p.src[from:])
		from += n
	}
	prefix, suffix := "", ""
	if from-p.lineStart <= 3 {
		from = p.lineStart
	} else {
		prefix = "..."
	}
	if p.tok != jsonEnd && to < len(p.src) && p.src[to] != '\n' && p.src[to] != '\r' {
		suffix = "..."
	}
	return "JSON data, line " + string(appendInt(nil, int64(p.line+1))) + ": " + prefix + string(p.src[from:to]) + suffix
}

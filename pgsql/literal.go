package pgsql

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"layercake/catalog"
)

// Literal is a literal in a query string.
type Literal struct {
	At, End int // byte offsets
	Class   LiteralClass
}

// LiteralClass is what PostgreSQL's scanner and the choice of a type make of a literal.
type LiteralClass byte

// The classes of literals.
const (
	Int4Literal    LiteralClass = 'i' // digits, fits int4
	Int8Literal    LiteralClass = 'l' // digits, fits int8
	NumericLiteral LiteralClass = 'n' // with a point or an exponent
	StringLiteral  LiteralClass = 's' // '…'
)

// Literals finds the literals of a query string by a scan that follows scan.l, and appends to key the text with their
// classes in their places: texts of equal keys differ in nothing but these literals, so they parse alike. ok is false
// for what the scan leaves to the parser: several statements, parameters, strings in other forms than '…' (E”, U&”,
// $$…$$, continued ones), numbers in unusual forms, and what is malformed.
func Literals(sql string, key []byte, list []Literal) (_ []byte, _ []Literal, ok bool) {
	if strings.IndexByte(sql, 0) >= 0 {
		return key, list, false // it marks literals in keys
	}
	start := 0 // of what is not in key yet
	put := func(at, end int, class LiteralClass) {
		key = append(append(key, sql[start:at]...), 0, byte(class))
		list = append(list, Literal{at, end, class})
		start = end
	}
	for i := 0; i < len(sql); {
		switch b := sql[i]; {
		case b == '\'':
			end := stringEnd(sql, i)
			if end < 0 {
				return key, list, false
			}
			put(i, end, StringLiteral)
			i = end
		case b >= '0' && b <= '9' || b == '.' && i+1 < len(sql) && sql[i+1] >= '0' && sql[i+1] <= '9':
			end, class := numberEnd(sql, i)
			if end < 0 {
				return key, list, false
			}
			put(i, end, class)
			i = end
		case isIdentStart(b):
			i++
			for i < len(sql) && (isIdentStart(sql[i]) || sql[i] >= '0' && sql[i] <= '9' || sql[i] == '$') {
				i++
			}
			if i < len(sql) && (sql[i] == '\'' || sql[i] == '&') {
				return key, list, false // E'…', B'…', U&'…', U&"…"
			}
		case b == '"':
			n := strings.IndexByte(sql[i+1:], '"')
			if n < 0 {
				return key, list, false
			}
			i += n + 2 // "" within it reads as two names, which makes no difference
		case b == '-' && strings.HasPrefix(sql[i:], "--"), b == '/' && strings.HasPrefix(sql[i:], "/*"),
			b == '$', b < ' ' && !isSpace(b):
			return key, list, false
		case b == ';':
			if strings.Trim(sql[i:], "; \t\n\r\f\v") != "" {
				return key, list, false
			}
			i++
		default:
			i++
		}
	}
	return append(key, sql[start:]...), list, true
}

func isIdentStart(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b == '_' || b >= 0x80
}

// stringEnd is where the string that begins at i ends; -1 if it is none, or goes on after a line break.
func stringEnd(sql string, i int) int {
	for i++; ; i++ {
		n := strings.IndexByte(sql[i:], '\'')
		if n < 0 {
			return -1
		}
		i += n + 1
		if i == len(sql) || sql[i] != '\'' {
			break
		}
	}
	rest := strings.TrimLeft(sql[i:], " \t\n\r\f\v")
	if strings.HasPrefix(rest, "'") {
		return -1
	}
	return i
}

// numberEnd is where the number that begins at i ends; -1 if it is not a plain decimal one.
func numberEnd(sql string, i int) (end int, class LiteralClass) {
	start := i
	digits := func() {
		for i < len(sql) && sql[i] >= '0' && sql[i] <= '9' {
			i++
		}
	}
	digits()
	whole := sql[start:i]
	class = Int4Literal
	if i < len(sql) && sql[i] == '.' {
		i++
		digits()
		class = NumericLiteral
	}
	if i < len(sql) && (sql[i] == 'e' || sql[i] == 'E') {
		i++
		if i < len(sql) && (sql[i] == '+' || sql[i] == '-') {
			i++
		}
		from := i
		if digits(); i == from {
			return -1, 0
		}
		class = NumericLiteral
	}
	if i < len(sql) && (isIdentStart(sql[i]) || sql[i] == '.' || sql[i] == '$') {
		return -1, 0
	}
	if class == Int4Literal {
		// The greatest magnitudes have another type after a minus: they are left to the parser.
		n, err := strconv.ParseInt(whole, 10, 64)
		switch {
		case err != nil || n == -math.MinInt32:
			return -1, 0
		case n > math.MaxInt32:
			class = Int8Literal
		}
	}
	return i, class
}

// typ is the type that PostgreSQL gives the literal; 0: its context chooses it.
func (l *Literal) typ() uint32 {
	switch l.Class {
	case Int4Literal:
		return catalog.Int4OID
	case Int8Literal:
		return catalog.Int8OID
	case NumericLiteral:
		return catalog.NumericOID
	}
	return 0
}

// value is the literal as a parameter of type typ; negative for one after a minus. ok is false where only the literal
// itself may stand: its text is no such value, or means another one whenever it is read ('now').
func (l *Literal) value(sql string, typ uint32, negative bool, out *catalog.OutputSettings) (_ catalog.Value, ok bool) {
	text := sql[l.At:l.End]
	if l.Class == Int4Literal || l.Class == Int8Literal {
		n, err := strconv.ParseInt(text, 10, 64)
		if negative {
			n = -n
		}
		return catalog.Int(n), err == nil
	}
	if l.Class == NumericLiteral {
		if negative {
			text = minus(text)
		}
	} else {
		text = strings.ReplaceAll(text[1:len(text)-1], "''", "'")
		if !literalType(typ, text) || !utf8.ValidString(text) {
			return catalog.Value{}, false
		}
	}
	v, err := catalog.DecodeText(typ, -1, []byte(text), out)
	return v, err == nil
}

// literalType says whether a string may be given as a parameter of a type.
func literalType(typ uint32, text string) bool {
	switch typ {
	case catalog.TextOID, catalog.VarcharOID, catalog.BpcharOID, catalog.Int2OID, catalog.Int4OID, catalog.Int8OID, catalog.NumericOID,
		catalog.Float4OID, catalog.Float8OID, catalog.BoolOID, catalog.UUIDOID, catalog.ByteaOID, catalog.JSONOID, catalog.JSONBOID:
		return true
	case catalog.DateOID, catalog.TimestampOID, catalog.TimestamptzOID:
		return text != "" && text[0] >= '0' && text[0] <= '9' // not 'today'
	}
	return false
}

package sqlfunc

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// nodeType says what a node of a to_char template is.
type nodeType uint8

const (
	nodeAction    nodeType = iota // a pattern
	nodeChar                      // text
	nodeSeparator                 // punctuation, in templates of dates
	nodeSpace
)

// node is a part of a to_char template (FormatNode in adt/formatting.c).
type node struct {
	typ      nodeType
	key      string // of a pattern, as it was written
	text     string // of anything else
	fill     bool   // FM before it
	ordinal  string // TH or th behind it
	translat bool   // TM before it
}

// dateKeys are the patterns of dates. Of those with one first letter, the first that fits is taken.
var dateKeys = strings.Fields(`A.D. A.M. AD AM B.C. BC CC DAY DDD DD DY Day Dy D FF1 FF2 FF3 FF4 FF5 FF6 FX HH24 HH12 HH
	IDDD ID IW IYYY IYY IY I J MI MM MONTH MON MS Month Mon OF P.M. PM Q RM SSSSS SSSS SS TZH TZM TZ US WW W Y,YYY YYYY YYY
	YY Y a.d. a.m. ad am b.c. bc cc day ddd dd dy d ff1 ff2 ff3 ff4 ff5 ff6 fx hh24 hh12 hh iddd id iw iyyy iyy iy i j mi mm
	month mon ms of p.m. pm q rm sssss ssss ss tzh tzm tz us ww w y,yyy yyyy yyy yy y`)

// numberKeys are the patterns of numbers.
var numberKeys = strings.Fields(`, . 0 9 B C D EEEE FM G L MI PL PR RN SG SP S TH V b c d eeee fm g l mi pl pr rn sg sp s th v`)

func keyAt(s string, keys []string) string {
	for _, k := range keys {
		if strings.HasPrefix(s, k) {
			return k
		}
	}
	return ""
}

// templates holds the templates used last, taken apart; it is emptied when it is full.
var templates = struct {
	sync.RWMutex
	m map[templateKey][]node
}{m: map[templateKey][]node{}}

type templateKey struct {
	text  string
	dates bool
}

const maxTemplates = 500

// template takes a template apart, or finds it taken apart already. The nodes are shared and read-only.
func template(s string, dates bool) []node {
	key := templateKey{s, dates}
	templates.RLock()
	nodes, ok := templates.m[key]
	templates.RUnlock()
	if ok {
		return nodes
	}
	keys := numberKeys
	if dates {
		keys = dateKeys
	}
	nodes = parseTemplate(s, keys, dates)
	templates.Lock()
	defer templates.Unlock()
	if len(templates.m) >= maxTemplates {
		clear(templates.m)
	}
	templates.m[key] = nodes
	return nodes
}

// parseTemplate takes a template apart.
func parseTemplate(s string, keys []string, dates bool) []node {
	var out []node
	for s != "" {
		n := node{}
		if dates {
			switch {
			case strings.HasPrefix(s, "FM") || strings.HasPrefix(s, "fm"):
				n.fill, s = true, s[2:]
			case strings.HasPrefix(s, "TM") || strings.HasPrefix(s, "tm"):
				n.translat, s = true, s[2:]
			}
			if s == "" {
				break
			}
		}
		if k := keyAt(s, keys); k != "" {
			n.key, s = k, s[len(k):]
			if dates {
				switch {
				case strings.HasPrefix(s, "TH") || strings.HasPrefix(s, "th"):
					n.ordinal, s = s[:2], s[2:]
				case strings.HasPrefix(s, "SP"):
					s = s[2:]
				}
			}
			out = append(out, n)
			continue
		}
		if s[0] == '"' {
			for s = s[1:]; s != ""; {
				if s[0] == '"' {
					s = s[1:]
					break
				}
				if s[0] == '\\' && len(s) > 1 {
					s = s[1:]
				}
				_, size := utf8.DecodeRuneInString(s)
				out = append(out, node{typ: nodeChar, text: s[:size]})
				s = s[size:]
			}
			continue
		}
		if strings.HasPrefix(s, `\"`) {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		c := node{typ: nodeChar, text: s[:size]}
		switch {
		case dates && isSeparator(s[0]):
			c.typ = nodeSeparator
		case s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r':
			c.typ = nodeSpace
		}
		out = append(out, c)
		s = s[size:]
	}
	return out
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func isSeparator(c byte) bool { return c > ' ' && c < 0x7f && !isLetter(c) && !isDigit(c) }
func isBlank(c byte) bool     { return c == ' ' || c >= '\t' && c <= '\r' }

// ordinalSuffix gives st, nd, rd or th for a number.
func ordinalSuffix(num string, upper bool) string {
	num = strings.TrimSpace(num)
	th := "th"
	if num != "" && !(len(num) > 1 && num[len(num)-2] == '1') {
		switch num[len(num)-1] {
		case '1':
			th = "st"
		case '2':
			th = "nd"
		case '3':
			th = "rd"
		}
	}
	if upper {
		return strings.ToUpper(th)
	}
	return th
}

var (
	monthNames = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	dayNames   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	romanMonth = []string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
)

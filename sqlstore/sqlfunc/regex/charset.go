package regex

import (
	"slices"
	"unicode"
)

// charSet is a set of characters: ranges and classes, perhaps negated.
type charSet struct {
	ranges  [][2]rune
	classes []func(rune) bool
	negated bool
}

func (s *charSet) add(lo, hi rune) { s.ranges = append(s.ranges, [2]rune{lo, hi}) }

// addSet adds a class.
func (s *charSet) addSet(c *charSet) { s.classes = append(s.classes, c.has) }

func (s *charSet) has(r rune) bool {
	for _, x := range s.ranges {
		if r >= x[0] && r <= x[1] {
			return !s.negated
		}
	}
	for _, c := range s.classes {
		if c(r) {
			return !s.negated
		}
	}
	return s.negated
}

// foldCases makes the set blind to case.
func (s *charSet) foldCases() {
	for _, x := range slices.Clone(s.ranges) {
		if x[1]-x[0] > 0x2000 { // wide ranges have both cases already
			continue
		}
		for r := x[0]; r <= x[1]; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				s.add(f, f)
			}
		}
	}
	for i, c := range s.classes {
		s.classes[i] = func(r rune) bool { return c(r) || c(unicode.ToLower(r)) || c(unicode.ToUpper(r)) }
	}
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r)
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// classEscape returns the set that \d and its kin stand for, nil if c is none of them.
func classEscape(c byte) *charSet {
	var f func(rune) bool
	switch c {
	case 'd', 'D':
		f = unicode.IsDigit
	case 's', 'S':
		f = isSpace
	case 'w', 'W':
		f = isWord
	default:
		return nil
	}
	return &charSet{classes: []func(rune) bool{f}, negated: c < 'a'}
}

var namedClasses = map[string]func(rune) bool{
	"alpha":  unicode.IsLetter,
	"upper":  unicode.IsUpper,
	"lower":  unicode.IsLower,
	"digit":  unicode.IsDigit,
	"alnum":  func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) },
	"word":   isWord,
	"space":  isSpace,
	"blank":  func(r rune) bool { return r == ' ' || r == '\t' },
	"punct":  func(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) },
	"cntrl":  unicode.IsControl,
	"graph":  func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) },
	"print":  func(r rune) bool { return unicode.IsPrint(r) },
	"ascii":  func(r rune) bool { return r < 0x80 },
	"xdigit": func(r rune) bool { return r < 0x80 && hexValue(byte(r)) >= 0 },
}

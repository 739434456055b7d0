package sqlfunc

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"layercake/catalog"
	"layercake/sqlstore/sqlfunc/regex"
	"layercake/sqlstore/sqlite"
)

var regexpFuncs = slices.Concat(
	[]def{strict("lc_regex", 3, regexMatch), strict("lc_substring_regex", 2, substringRegex), strict("lc_similar_escape", 2, similarEscape)},
	strictUpTo("lc_regexp_like", 2, 3, regexpLike),
	strictUpTo("lc_regexp_match", 2, 3, regexpMatch),
	strictUpTo("lc_regexp_matches", 2, 3, regexpMatches),
	strictUpTo("lc_regexp_replace", 3, 6, regexpReplace),
	strictUpTo("lc_regexp_count", 2, 4, regexpCount),
	strictUpTo("lc_regexp_instr", 2, 7, regexpInstr),
	strictUpTo("lc_regexp_substr", 2, 6, regexpSubstr),
	strictUpTo("lc_regexp_split", 2, 3, regexpSplit),
)

type regexKey struct{ pattern, options string }

// compiled holds the expressions used last; it is emptied when it is full.
var compiled = struct {
	sync.RWMutex
	m map[regexKey]*regex.Regexp
}{m: map[regexKey]*regex.Regexp{}}

const maxCompiled = 500

// lastCompiled is the expression asked for last: a statement asks for the same once a row.
var lastCompiled atomic.Pointer[struct {
	regexKey
	re *regex.Regexp
}]

// compileRegex returns the compiled expression, with errors as PostgreSQL has them.
func compileRegex(pattern, options []byte) (re *regex.Regexp, err error) {
	if last := lastCompiled.Load(); last != nil && last.pattern == string(pattern) && last.options == string(options) {
		return last.re, nil
	}
	defer func() {
		if err == nil {
			lastCompiled.Store(&struct {
				regexKey
				re *regex.Regexp
			}{regexKey{string(pattern), string(options)}, re})
		}
	}()
	compiled.RLock()
	re = compiled.m[regexKey{string(pattern), string(options)}]
	compiled.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err = regex.Compile(string(pattern), string(options))
	var bad *regex.Error
	var unsupported *regex.Unsupported
	switch {
	case errors.As(err, &bad):
		return nil, errf("2201B", "invalid regular expression: %s", bad.Text)
	case errors.As(err, &unsupported):
		return nil, errf("0A000", "%s are not supported", unsupported.What)
	case err != nil:
		return nil, err
	}
	compiled.Lock()
	defer compiled.Unlock()
	if len(compiled.m) >= maxCompiled {
		clear(compiled.m)
	}
	compiled.m[regexKey{string(pattern), string(options)}] = re
	return re, nil
}

func find(re *regex.Regexp, s string, from int) ([]int, error) {
	loc, err := re.Find(s, from)
	if err != nil {
		return nil, errf("54001", "regular expression failed: %s", err)
	}
	return loc, nil
}

// regexMatch is the operators ~ and ~*: text, pattern, options.
func regexMatch(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, err := compileRegex(args[1].Bytes, args[2].Bytes)
	if err != nil {
		return null, err
	}
	ok, err := re.Match(text(args[0]))
	if err != nil {
		return null, errf("54001", "regular expression failed: %s", err)
	}
	return catalog.Bool(ok), nil
}

// regexFlags takes the g out of a function's flags. function is the one that refuses g, "" for one that takes it.
func regexFlags(flags, function string) (options []byte, global bool, err error) {
	for _, c := range flags {
		switch {
		case c == 'g':
			global = true
		case strings.ContainsRune("icmnpwsxtqeb", c):
			options = append(options, byte(c))
		default:
			return nil, false, errf("22023", "invalid regular expression option: \"%c\"", c)
		}
	}
	if global && function != "" {
		err := errf("22023", "%s() does not support the \"global\" option", function)
		if function == "regexp_match" {
			err = withHint(err, "Use the regexp_matches function instead.")
		}
		return nil, false, err
	}
	return options, global, nil
}

// prepare compiles args[1] with the flags that are args[at], if there are as many.
func prepare(args []catalog.Value, at int, function string) (re *regex.Regexp, global bool, err error) {
	flags := ""
	if at < len(args) {
		flags = text(args[at])
	}
	options, global, err := regexFlags(flags, function)
	if err != nil {
		return nil, false, err
	}
	re, err = compileRegex(args[1].Bytes, options)
	return re, global, err
}

func regexpLike(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, _, err := prepare(args, 2, "regexp_like")
	if err != nil {
		return null, err
	}
	ok, err := re.Match(text(args[0]))
	if err != nil {
		return null, errf("54001", "regular expression failed: %s", err)
	}
	return catalog.Bool(ok), nil
}

// substringRegex gives what the first group took, or the whole match where there is no group.
func substringRegex(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, err := compileRegex(args[1].Bytes, nil)
	if err != nil {
		return null, err
	}
	s := text(args[0])
	loc, err := find(re, s, 0)
	if err != nil || loc == nil {
		return null, err
	}
	return piece(s, loc, min(1, re.Groups())), nil
}

// piece is what group n took, NULL if it took no part.
func piece(s string, loc []int, n int) catalog.Value {
	if loc[2*n] < 0 {
		return null
	}
	return catalog.Str(s[loc[2*n]:loc[2*n+1]])
}

// pieces is the array that regexp_match gives: the groups, or the whole match where there is none.
func pieces(s string, loc []int) catalog.Value {
	var elems []catalog.Value
	if len(loc) == 2 {
		elems = []catalog.Value{piece(s, loc, 0)}
	}
	for i := 1; i < len(loc)/2; i++ {
		elems = append(elems, piece(s, loc, i))
	}
	return catalog.EncodeArray(catalog.TextOID, catalog.Vector(len(elems)), elems)
}

func regexpMatch(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, _, err := prepare(args, 2, "regexp_match")
	if err != nil {
		return null, err
	}
	s := text(args[0])
	loc, err := find(re, s, 0)
	if err != nil || loc == nil {
		return null, err
	}
	return pieces(s, loc), nil
}

// eachMatch calls f for the matches from an offset on, while it returns true. degenerate says whether empty matches at
// the end or next to the match before count.
func eachMatch(re *regex.Regexp, s string, from int, degenerate bool, f func(loc []int) bool) error {
	for last := 0; from <= len(s); {
		loc, err := find(re, s, from)
		if err != nil || loc == nil {
			return err
		}
		if degenerate || loc[0] < len(s) && loc[1] > last {
			if !f(loc) {
				return nil
			}
		}
		last, from = loc[1], loc[1]
		if loc[0] == loc[1] {
			from = nextRune(s, from)
		}
	}
	return nil
}

// nextRune is the offset behind the character at an offset; beyond the end at the end.
func nextRune(s string, at int) int {
	if at >= len(s) {
		return len(s) + 1
	}
	_, n := utf8.DecodeRuneInString(s[at:])
	return at + n
}

func regexpMatches(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, global, err := prepare(args, 2, "")
	if err != nil {
		return null, err
	}
	s := text(args[0])
	var rows []catalog.Value
	err = eachMatch(re, s, 0, true, func(loc []int) bool {
		rows = append(rows, pieces(s, loc))
		return global
	})
	if err != nil {
		return null, err
	}
	return catalog.EncodeArray(catalog.TextArrayOID, catalog.Vector(len(rows)), rows), nil
}

// regexpReplace has text, pattern, replacement, then [flags] or [start [, n [, flags]]].
func regexpReplace(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, with := text(args[0]), text(args[2])
	start, n, flags := int64(1), int64(1), 3
	if len(args) > 3 && args[3].Kind == catalog.Integer {
		start, flags = args[3].Int(), 5
		if start <= 0 {
			return null, badParameter("start", start)
		}
		if len(args) > 4 {
			if n = args[4].Int(); n < 0 {
				return null, badParameter("n", n)
			}
		}
	} else if len(args) > 3 && len(args[3].Bytes) > 0 && args[3].Bytes[0] >= '0' && args[3].Bytes[0] <= '9' {
		err := errf("22023", "invalid regular expression option: \"%c\"", args[3].Bytes[0])
		return null, withHint(err, "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
	}
	re, global, err := prepare(args, flags, "")
	if err != nil {
		return null, err
	}
	if global && len(args) <= 4 {
		n = 0
	}
	from := runeOffset(s, start-1)
	var out strings.Builder
	done, seen := 0, int64(0)
	for from <= len(s) {
		loc, err := find(re, s, from)
		if err != nil {
			return null, err
		}
		if loc == nil {
			break
		}
		from = loc[1]
		if loc[0] == loc[1] {
			from = nextRune(s, from)
		}
		if seen++; n > 0 && seen < n {
			continue
		}
		out.WriteString(s[done:loc[0]])
		expandReplacement(&out, with, s, loc)
		if done = loc[1]; n > 0 {
			break
		}
	}
	out.WriteString(s[done:])
	return catalog.Str(out.String()), nil
}

func badParameter(name string, v int64) error {
	return errf("22023", "invalid value for parameter \"%s\": %d", name, v)
}

// runeOffset is the byte offset of character n of s, from 0; beyond the end for too many.
func runeOffset(s string, n int64) int {
	at := 0
	for ; n > 0 && at <= len(s); n-- {
		at = nextRune(s, at)
	}
	return at
}

// expandReplacement writes a replacement: \1 to \9 are groups, \& the match, \\ a backslash.
func expandReplacement(out *strings.Builder, with, s string, loc []int) {
	for i := 0; i < len(with); i++ {
		if with[i] != '\\' || i+1 == len(with) {
			out.WriteByte(with[i])
			continue
		}
		group := -1
		switch c := with[i+1]; {
		case c >= '1' && c <= '9':
			group = int(c - '0')
		case c == '&':
			group = 0
		case c == '\\':
			out.WriteByte('\\')
			i++
			continue
		default:
			out.WriteByte('\\')
			continue
		}
		i++
		if group < len(loc)/2 && loc[2*group] >= 0 {
			out.WriteString(s[loc[2*group]:loc[2*group+1]])
		}
	}
}

// intArg returns args[i], def if there is none; below least is an error.
func intArg(args []catalog.Value, i int, name string, def, least int64) (int64, error) {
	if i >= len(args) {
		return def, nil
	}
	if v := args[i].Int(); v < least {
		return 0, badParameter(name, v)
	}
	return args[i].Int(), nil
}

// regexpCount has text, pattern, start, flags.
func regexpCount(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	start, err := intArg(args, 2, "start", 1, 1)
	if err != nil {
		return null, err
	}
	re, _, err := prepare(args, 3, "regexp_count")
	if err != nil {
		return null, err
	}
	s, n := text(args[0]), int64(0)
	err = eachMatch(re, s, runeOffset(s, start-1), true, func([]int) bool { n++; return true })
	return intResult(n, err)
}

// nth finds match number n.
func nth(re *regex.Regexp, s string, start, n int64) (found []int, err error) {
	err = eachMatch(re, s, runeOffset(s, start-1), true, func(loc []int) bool {
		if n--; n == 0 {
			found = loc
		}
		return n > 0
	})
	return found, err
}

// regexpInstr has text, pattern, start, n, whether the end is wanted, flags, group.
func regexpInstr(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	start, err1 := intArg(args, 2, "start", 1, 1)
	n, err2 := intArg(args, 3, "n", 1, 1)
	end, err3 := intArg(args, 4, "endoption", 0, 0)
	group, err4 := intArg(args, 6, "subexpr", 0, 0)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return null, err
	}
	if end > 1 {
		return null, badParameter("endoption", end)
	}
	re, _, err := prepare(args, 5, "regexp_instr")
	if err != nil {
		return null, err
	}
	s := text(args[0])
	loc, err := nth(re, s, start, n)
	if err != nil {
		return null, err
	}
	if loc == nil || group >= int64(len(loc)/2) || loc[2*group] < 0 {
		return catalog.Int(0), nil
	}
	return catalog.Int(int64(utf8.RuneCountInString(s[:loc[2*group+end]])) + 1), nil
}

// regexpSubstr has text, pattern, start, n, flags, group.
func regexpSubstr(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	start, err1 := intArg(args, 2, "start", 1, 1)
	n, err2 := intArg(args, 3, "n", 1, 1)
	group, err3 := intArg(args, 5, "subexpr", 0, 0)
	if err := errors.Join(err1, err2, err3); err != nil {
		return null, err
	}
	re, _, err := prepare(args, 4, "regexp_substr")
	if err != nil {
		return null, err
	}
	s := text(args[0])
	loc, err := nth(re, s, start, n)
	if err != nil || loc == nil || group >= int64(len(loc)/2) {
		return null, err
	}
	return piece(s, loc, int(group)), nil
}

func regexpSplit(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	re, _, err := prepare(args, 2, "regexp_split_to_array")
	if err != nil {
		return null, err
	}
	s, done := text(args[0]), 0
	var parts []string
	err = eachMatch(re, s, 0, false, func(loc []int) bool {
		parts = append(parts, s[done:loc[0]])
		done = loc[1]
		return true
	})
	if err != nil {
		return null, err
	}
	return textArray(append(parts, s[done:])), nil
}

// similarEscape turns a SIMILAR TO pattern with its escape character into a regular expression
// (similar_escape_internal in adt/regexp.c).
func similarEscape(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	pattern, esc := text(args[0]), text(args[1])
	e := rune(-1)
	if esc != "" {
		var n int
		if e, n = utf8.DecodeRuneInString(esc); n != len(esc) {
			return null, withHint(errf("22025", "invalid escape string"), "Escape string must be empty or one character.")
		}
	}
	var out strings.Builder
	out.WriteString("^(?:")
	after, bracket, quotes := false, 0, 0 // bracket: 1 at its start, 2 behind a leading ^, 3 beyond
	for _, r := range pattern {
		switch {
		case after:
			after = false
			if r == '"' && bracket == 0 { // the parts of SUBSTRING … FROM pattern FOR escape
				switch quotes {
				case 0:
					out.WriteString("){1,1}?(")
				case 1:
					out.WriteString("){1,1}(?:")
				default:
					return null, errf("2200C", "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				quotes++
				continue
			}
			out.WriteByte('\\')
			out.WriteRune(r)
			bracket = min(bracket*3, 3)
		case r == e:
			after = true
		case bracket > 0:
			switch {
			case r == '\\':
				out.WriteString(`\\`)
			default:
				out.WriteRune(r)
			}
			switch {
			case r == ']' && bracket == 3:
				bracket = 0
			case r == '^' && bracket == 1:
				bracket = 2
			default:
				bracket = 3
			}
		case r == '[':
			out.WriteRune(r)
			bracket = 1
		case r == '%':
			out.WriteString(".*")
		case r == '_':
			out.WriteByte('.')
		case r == '(':
			out.WriteString("(?:")
		case strings.ContainsRune(`\.^$`, r):
			out.WriteByte('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteString(")$")
	return catalog.Str(out.String()), nil
}

package sqlfunc

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var textFuncs = []def{
	strict("lc_initcap", 1, initcap),
	strict("lc_overlay", 3, overlay),
	strict("lc_overlay", 4, overlay),
	strict("lc_boverlay", 3, byteaOverlay),
	strict("lc_boverlay", 4, byteaOverlay),
	strict("lc_bbtrim", 2, byteaTrim(true, true)),
	strict("lc_bltrim", 2, byteaTrim(true, false)),
	strict("lc_brtrim", 2, byteaTrim(false, true)),
	strict("lc_lpad", 2, pad(true)),
	strict("lc_lpad", 3, pad(true)),
	strict("lc_rpad", 2, pad(false)),
	strict("lc_rpad", 3, pad(false)),
	strict("lc_replace", 3, replace),
	strict("lc_translate", 3, translate),
	strict("lc_split_part", 3, splitPart),
	strict("lc_ascii", 1, ascii),
	strict("lc_chr", 1, chr),
	strict("lc_char", 1, toChar1),
	strict("lc_char2i", 1, char1ToInt),
	strict("lc_i2char", 1, intToChar1),
	strict("lc_quote_ident", 1, quoteIdent),
	strict("lc_quote_literal", 1, quoteLiteral),
	pure("lc_quote_nullable", 1, quoteNullable),
	strict("lc_parse_ident", 1, parseIdent),
	strict("lc_parse_ident", 2, parseIdent),
	strict("lc_like_escape", 2, likeEscape),
	strict("lc_reg_text", 3, regText),
	strict("lc_pretty_expr", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Str(catalog.PrettyExpr(text(args[0]))), nil
	}),
	pure("lc_num_nulls", -1, countNulls(true)),
	pure("lc_num_nonnulls", -1, countNulls(false)),
}

// maxText is the size beyond which PostgreSQL refuses to make a value.
const maxText = 1<<30 - 1

func text(v catalog.Value) string { return string(v.Bytes) }

func initcap(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	inWord := false
	out := strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, text(args[0]))
	return catalog.Str(out), nil
}

// overlay replaces count characters (by default as many as the replacement has) from start, from 1.
func overlay(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, with := []rune(text(args[0])), []rune(text(args[1]))
	start, count := args[2].Int(), int64(len(with))
	if len(args) > 3 {
		count = args[3].Int()
	}
	head, tail, err := overlayBounds(start, count, int64(len(s)))
	if err != nil {
		return null, err
	}
	return catalog.Str(string(s[:head]) + string(with) + string(s[tail:])), nil
}

func byteaOverlay(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, with := args[0].Bytes, args[1].Bytes
	start, count := args[2].Int(), int64(len(with))
	if len(args) > 3 {
		count = args[3].Int()
	}
	head, tail, err := overlayBounds(start, count, int64(len(s)))
	if err != nil {
		return null, err
	}
	return catalog.BlobBytes(bytes.Join([][]byte{s[:head], with, s[tail:]}, nil)), nil
}

// overlayBounds says where the part before the replacement ends and the part after it begins, of n units.
func overlayBounds(start, count, n int64) (head, tail int64, err error) {
	if start <= 0 {
		return 0, 0, errf("22011", "negative substring length not allowed")
	}
	end := start + count
	if end > 1<<31-1 {
		return 0, 0, errf("22003", "integer out of range")
	}
	return min(start-1, n), min(max(end-1, 0), n), nil
}

func byteaTrim(left, right bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		b, set := args[0].Bytes, args[1].Bytes
		for left && len(b) > 0 && bytes.IndexByte(set, b[0]) >= 0 {
			b = b[1:]
		}
		for right && len(b) > 0 && bytes.IndexByte(set, b[len(b)-1]) >= 0 {
			b = b[:len(b)-1]
		}
		return catalog.BlobBytes(b), nil
	}
}

func pad(left bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		s, want, fill := text(args[0]), args[1].Int(), " "
		if len(args) > 2 {
			fill = text(args[2])
		}
		if want <= 0 {
			return catalog.Str(""), nil
		}
		if want > maxText/4 {
			return null, errf("54000", "requested length too large")
		}
		have := int64(utf8.RuneCountInString(s))
		if have >= want {
			return catalog.Str(firstRunes(s, int(want))), nil
		}
		if fill == "" {
			return catalog.Str(s), nil
		}
		need := int(want - have)
		n := utf8.RuneCountInString(fill)
		padding := strings.Repeat(fill, need/n) + firstRunes(fill, need%n)
		if left {
			return catalog.Str(padding + s), nil
		}
		return catalog.Str(s + padding), nil
	}
}

// firstRunes returns the first n characters of s.
func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

func replace(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, from, to := args[0].Bytes, args[1].Bytes, args[2].Bytes
	if len(from) == 0 {
		return args[0], nil
	}
	if n := bytes.Count(s, from); len(s)+n*(len(to)-len(from)) > maxText {
		return null, errf("54000", "requested length too large")
	}
	return catalog.TextBytes(bytes.ReplaceAll(s, from, to)), nil
}

func translate(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	from, to := []rune(text(args[1])), []rune(text(args[2]))
	out := strings.Map(func(r rune) rune {
		for i, f := range from {
			if f == r {
				if i < len(to) {
					return to[i]
				}
				return -1
			}
		}
		return r
	}, text(args[0]))
	return catalog.Str(out), nil
}

func splitPart(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s, sep, n := text(args[0]), text(args[1]), args[2].Int()
	if n == 0 {
		return null, errf("22023", "field position must not be zero")
	}
	parts := []string{s}
	switch {
	case s == "":
		return catalog.Str(""), nil
	case sep != "":
		parts = strings.Split(s, sep)
	}
	if n < 0 {
		n += int64(len(parts)) + 1
	}
	if n < 1 || n > int64(len(parts)) {
		return catalog.Str(""), nil
	}
	return catalog.Str(parts[n-1]), nil
}

func ascii(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args[0].Bytes) == 0 {
		return catalog.Int(0), nil
	}
	r, _ := utf8.DecodeRune(args[0].Bytes)
	return catalog.Int(int64(r)), nil
}

func chr(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	n := args[0].Int()
	switch {
	case n < 0:
		return null, errf("22023", "character number must be positive")
	case n == 0:
		return null, errf("54000", "null character not permitted")
	case n > unicode.MaxRune:
		return null, errf("54000", "requested character too large for encoding: %d", n)
	case n >= 0xd800 && n < 0xe000:
		return null, errf("54000", "requested character not valid for encoding: %d", n)
	}
	return catalog.Str(string(rune(n))), nil
}

// The type "char" is one byte, kept as text; from 0x80 on as \ooo (see catalog's codec).

func toChar1(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.DecodeText(catalog.CharOID, -1, args[0].Bytes, nil)
}

func char1ToInt(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	b := args[0].Bytes
	switch len(b) {
	case 0:
		return catalog.Int(0), nil
	case 4:
		return catalog.Int(int64(int8((b[1]-'0')<<6 | (b[2]-'0')<<3 | (b[3] - '0')))), nil
	}
	return catalog.Int(int64(int8(b[0]))), nil
}

func intToChar1(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	n := args[0].Int()
	switch {
	case n < -128 || n > 127:
		return null, errf("22003", "\"char\" out of range")
	case n == 0:
		return catalog.Str(""), nil
	case n > 0:
		return catalog.TextBytes([]byte{byte(n)}), nil
	}
	b := byte(n)
	return catalog.TextBytes([]byte{'\\', '0' + b>>6, '0' + b>>3&7, '0' + b&7}), nil
}

func quoteIdent(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.Str(catalog.QuoteIdent(text(args[0]))), nil
}

func quoteLiteral(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.Str(catalog.QuoteLiteral(text(args[0]))), nil
}

func quoteNullable(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return catalog.Str("NULL"), nil
	}
	return catalog.Str(catalog.QuoteLiteral(text(args[0]))), nil
}

// regText is a text that names an object of a reg… type in the form in which these are shown: folded, and quoted where it
// must be. A type that there is comes as its OID. The third argument says whether the text may be a number.
func regText(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].Kind == catalog.Integer { // an OID that came in binary
		return catalog.Str(strconv.FormatInt(args[0].Int(), 10)), nil
	}
	t := strings.TrimSpace(text(args[0]))
	_, err := strconv.ParseUint(t, 10, 32)
	switch numbers := args[2].Bool(); {
	case (err == nil || t == "-") && !numbers:
		return null, nil
	case err == nil:
		return catalog.Str(t), nil
	case t == "-":
		return catalog.Str("0"), nil
	}
	switch typ := uint32(args[1].Int()); typ {
	case catalog.RegtypeOID:
		if oid, _, err := catalog.LookupType(t); err == nil && oid != 0 {
			t = strconv.FormatUint(uint64(oid), 10)
		}
	case catalog.RegclassOID, catalog.RegnamespaceOID, catalog.RegroleOID, catalog.RegprocOID:
		names, ok := catalog.SplitNames(t)
		if !ok {
			return null, errf("42602", "invalid name syntax")
		}
		if typ == catalog.RegprocOID && len(names) == 2 && names[0] == "pg_catalog" {
			names = names[1:]
		}
		for i := range names {
			names[i] = catalog.QuoteIdent(names[i])
		}
		t = strings.Join(names, ".")
	}
	return catalog.Str(t), nil
}

// parseIdent splits a qualified identifier into its parts; strict (the default) refuses anything after it.
func parseIdent(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	whole := text(args[0])
	strict := len(args) < 2 || args[1].Bool()
	bad := func(detail string) error {
		e := errf("22023", "string is not a valid identifier: %s", "\""+whole+"\"")
		if detail != "" {
			return withDetail(e, detail)
		}
		return e
	}
	isSpace := func(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }
	rest := strings.TrimLeftFunc(whole, isSpace)
	var parts []string
	for afterDot := false; ; afterDot = true {
		var part string
		switch {
		case strings.HasPrefix(rest, `"`):
			end := 1
			for {
				i := strings.IndexByte(rest[end:], '"')
				if i < 0 {
					return null, bad("String has unclosed double quotes.")
				}
				end += i
				if !strings.HasPrefix(rest[end+1:], `"`) {
					break
				}
				end += 2
			}
			part = strings.ReplaceAll(rest[1:end], `""`, `"`)
			if part == "" {
				return null, bad("Quoted identifier must not be empty.")
			}
			rest = rest[end+1:]
		default:
			n := 0
			for n < len(rest) && identByte(rest[n], n == 0) {
				n++
			}
			if n == 0 {
				switch {
				case strings.HasPrefix(rest, "."):
					return null, bad("No valid identifier before \".\".")
				case afterDot:
					return null, bad("No valid identifier after \".\".")
				}
				return null, bad("")
			}
			part = strings.Map(func(r rune) rune {
				if r < 0x80 {
					return unicode.ToLower(r)
				}
				return r
			}, rest[:n])
			rest = rest[n:]
		}
		parts = append(parts, part)
		rest = strings.TrimLeftFunc(rest, isSpace)
		if !strings.HasPrefix(rest, ".") {
			break
		}
		rest = strings.TrimLeftFunc(rest[1:], isSpace)
	}
	if rest != "" && strict {
		return null, bad("")
	}
	return textArray(parts), nil
}

func identByte(c byte, first bool) bool {
	return c == '_' || c >= 0x80 || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || !first && (c == '$' || c >= '0' && c <= '9')
}

// likeEscape rewrites a LIKE pattern to have a backslash where it has the escape character.
func likeEscape(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	pattern, esc := text(args[0]), text(args[1])
	if esc == "" { // no escape character: a backslash stands for itself
		return catalog.Str(strings.ReplaceAll(pattern, `\`, `\\`)), nil
	}
	e, n := utf8.DecodeRuneInString(esc)
	if n != len(esc) {
		return null, withHint(errf("22025", "invalid escape string"), "Escape string must be empty or one character.")
	}
	if e == '\\' {
		return args[0], nil
	}
	var b strings.Builder
	after := false
	for _, r := range pattern {
		switch {
		case r == e && !after:
			b.WriteByte('\\')
			after = true
			continue
		case r == '\\' && !after:
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
		after = false
	}
	return catalog.Str(b.String()), nil
}

func countNulls(nulls bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		n := int64(0)
		for _, a := range args {
			if a.IsNull() == nulls {
				n++
			}
		}
		return catalog.Int(n), nil
	}
}

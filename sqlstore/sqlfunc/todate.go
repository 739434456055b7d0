package sqlfunc

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

func toDate(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	r, err := readByTemplate(text(args[0]), text(args[1]))
	if err != nil {
		return null, err
	}
	c, err := r.resolve()
	if err != nil {
		return null, err
	}
	days := catalog.DateFromYMD(c.Year, c.Month, c.Day)
	if !catalog.ValidDate(days) {
		return null, errf("22008", "date out of range: \"%s\"", text(args[0]))
	}
	return catalog.Int(days), nil
}

// toTimestamp reads a timestamptz by a template: in the session's zone unless the text has an offset.
func toTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	r, err := readByTemplate(text(args[0]), text(args[1]))
	if err != nil {
		return null, err
	}
	c, err := r.resolve()
	if err != nil {
		return null, err
	}
	wall, ok := c.Timestamp()
	if !ok {
		return null, errTimestampRange()
	}
	if r.zoneSign != 0 {
		if r.zoneHour < 0 || r.zoneHour > 15 || r.zoneMinute < 0 || r.zoneMinute > 59 {
			return null, errf("22009", "time zone displacement out of range: \"%s\"", text(args[0]))
		}
		return intResult(toUTC(time.FixedZone("", r.zoneSign*(r.zoneHour*3600+r.zoneMinute*60)), wall))
	}
	loc, err := sessionZone(args[2])
	if err != nil {
		return null, err
	}
	return intResult(toUTC(loc, wall))
}

// dateReader reads a text by a template (TmFromChar, DCH_from_char and do_to_timestamp in adt/formatting.c). Fields are
// 0 until they are seen.
type dateReader struct {
	whole, s string
	nodes    []node
	exact    bool // FX
	skipped  int  // more characters of the text passed over than the template has

	mode                                               byte // 'g' Gregorian, 'i' ISO week date
	hh, pm, mi, ss, ssss, d, dd, ddd, mm, ms, year, bc int
	ww, w, cc, j, us, yearSize, ff                     int
	hour12                                             bool
	zoneSign, zoneHour, zoneMinute                     int
}

func readByTemplate(s, format string) (*dateReader, error) {
	r := &dateReader{whole: s, s: s, nodes: template(format, true)}
	for i, n := range r.nodes {
		if r.s == "" {
			break
		}
		if !r.exact && (n.typ != nodeChar || i == 0) {
			r.skipBlanks()
		}
		if n.typ == nodeSeparator || n.typ == nodeSpace {
			if r.exact {
				r.skipRune()
				continue
			}
			if r.skipped--; r.s != "" && (isBlank(r.s[0]) || isSeparator(r.s[0])) {
				r.s = r.s[1:]
				r.skipped++
			}
			continue
		}
		if n.typ == nodeChar {
			if !r.exact && r.skipped > 0 {
				r.skipped--
			} else {
				r.skipRune()
			}
			continue
		}
		if err := r.field(i); err != nil {
			return nil, err
		}
		if !r.exact {
			r.skipped = 0
			r.skipBlanks()
		}
	}
	return r, nil
}

func (r *dateReader) skipBlanks() {
	for r.s != "" && isBlank(r.s[0]) {
		r.s = r.s[1:]
		r.skipped++
	}
}

func (r *dateReader) skipRune() {
	_, n := utf8.DecodeRuneInString(r.s)
	r.s = r.s[n:]
}

// nextIsDigit says whether what follows node i in the template may begin with a digit.
func (r *dateReader) nextIsDigit(i int) bool {
	if r.nodes[i].ordinal != "" || i+1 == len(r.nodes) {
		return false
	}
	n := r.nodes[i+1]
	if n.typ != nodeAction {
		return len(n.text) == 1 && isDigit(n.text[0])
	}
	switch strings.ToUpper(n.key) {
	case "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "P.M.", "PM", "DAY", "DY", "MONTH", "MON", "RM", "TZ", "OF", "FX", "TZM":
		return false
	}
	return true
}

// number takes a field of width characters, or, before a non-digit, of as many digits as there are. It returns how
// many characters it took.
func (r *dateReader) number(i int, dest *int, width int) (int, error) {
	n := r.nodes[i]
	start := r.s
	trimmed := strings.TrimLeft(r.s, " \t\n\v\f\r")
	digits := func(s string) int {
		k := 0
		if k < len(s) && (s[k] == '-' || s[k] == '+') {
			k++
		}
		from := k
		for k < len(s) && isDigit(s[k]) {
			k++
		}
		if k == from {
			return 0
		}
		return k
	}
	var lit string
	if n.fill || !r.nextIsDigit(i) {
		lit = trimmed[:digits(trimmed)]
		if lit != "" {
			r.s = trimmed[len(lit):]
		}
	} else {
		if len(trimmed) < width {
			return 0, withHint(withDetail(errf("22007", "source string too short for \"%s\" formatting field", n.key),
				"Field requires "+strconv.Itoa(width)+" characters, but only "+strconv.Itoa(len(trimmed))+" remain."),
				"If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		lit = trimmed[:digits(trimmed[:width])]
		if lit != "" && len(lit) < width {
			return 0, withHint(withDetail(errf("22007", "invalid value \"%s\" for \"%s\"", trimmed[:width], n.key),
				"Field requires "+strconv.Itoa(width)+" characters, but only "+strconv.Itoa(len(lit))+" could be parsed."),
				"If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		if lit != "" {
			r.s = trimmed[len(lit):]
		}
	}
	if lit == "" {
		shown := trimmed[:min(width, len(trimmed))]
		return 0, withDetail(errf("22007", "invalid value \"%s\" for \"%s\"", shown, n.key), "Value must be an integer.")
	}
	v, err := strconv.ParseInt(lit, 10, 32)
	if err != nil {
		return 0, withDetail(errf("22008", "value for \"%s\" in source string is out of range", n.key),
			"Value must be in the range -2147483648 to 2147483647.")
	}
	return len(start) - len(r.s), r.set(i, dest, int(v))
}

func (r *dateReader) set(i int, dest *int, v int) error {
	if dest == nil {
		return nil
	}
	if *dest != 0 && *dest != v {
		return withDetail(errf("22007", "conflicting values for \"%s\" field in formatting string", r.nodes[i].key),
			"This value contradicts a previous setting for the same field type.")
	}
	*dest = v
	return nil
}

// name takes one of some words, in any case, and returns which.
func (r *dateReader) name(i int, words []string) (int, error) {
	for k, w := range words {
		if len(r.s) >= len(w) && strings.EqualFold(r.s[:len(w)], w) {
			r.s = r.s[len(w):]
			return k, nil
		}
	}
	shown := r.s
	if at := strings.IndexAny(shown, " \t\n\r\f\v"); at >= 0 {
		shown = shown[:at]
	}
	return 0, withDetail(errf("22007", "invalid value \"%s\" for \"%s\"", shown, r.nodes[i].key),
		"The given value did not match any of the allowed values for this field.")
}

func (r *dateReader) setMode(key string) error {
	var m byte
	switch key {
	case "IYYY", "IYY", "IY", "I", "IW", "ID", "IDDD":
		m = 'i'
	case "YYYY", "YYY", "YY", "Y", "Y,YYY", "MONTH", "MON", "MM", "DAY", "DY", "DDD", "DD", "D", "WW", "W", "CC", "RM", "Q":
		if key == "DAY" || key == "DY" {
			return nil
		}
		m = 'g'
	default:
		return nil
	}
	if r.mode != 0 && r.mode != m {
		return withHint(errf("22007", "invalid combination of date conventions"),
			"Do not mix Gregorian and ISO week date conventions in a formatting template.")
	}
	r.mode = m
	return nil
}

func abbreviations(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = n[:3]
	}
	return out
}

func (r *dateReader) field(i int) (err error) {
	key := strings.ToUpper(r.nodes[i].key)
	if err := r.setMode(key); err != nil {
		return err
	}
	num := func(dest *int, width int) {
		if err == nil {
			_, err = r.number(i, dest, width)
		}
	}
	word := func(dest *int, words []string, f func(int) int) {
		var k int
		if k, err = r.name(i, words); err == nil {
			err = r.set(i, dest, f(k))
		}
	}
	switch key {
	case "FX":
		r.exact = true
	case "A.M.", "P.M.":
		r.hour12 = true
		word(&r.pm, []string{"a.m.", "p.m."}, func(k int) int { return k })
	case "AM", "PM":
		r.hour12 = true
		word(&r.pm, []string{"am", "pm"}, func(k int) int { return k })
	case "A.D.", "B.C.":
		word(&r.bc, []string{"a.d.", "b.c."}, func(k int) int { return k })
	case "AD", "BC":
		word(&r.bc, []string{"ad", "bc"}, func(k int) int { return k })
	case "HH", "HH12":
		r.hour12 = true
		num(&r.hh, 2)
	case "HH24":
		num(&r.hh, 2)
	case "MI":
		num(&r.mi, 2)
	case "SS":
		num(&r.ss, 2)
	case "MS":
		return r.fraction(i, &r.ms, 3)
	case "US":
		return r.fraction(i, &r.us, 6)
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		return r.subsecond(i, int(key[2]-'0'))
	case "SSSS", "SSSSS":
		num(&r.ssss, len(key))
	case "TZ", "OF":
		return errf("0A000", "formatting field \"%s\" is only supported in to_char", r.nodes[i].key)
	case "TZH":
		r.readZoneSign()
		num(&r.zoneHour, 2)
	case "TZM":
		if r.zoneSign == 0 {
			r.zoneSign = 1
		}
		num(&r.zoneMinute, 2)
	case "MONTH":
		word(&r.mm, monthNames, func(k int) int { return k + 1 })
	case "MON":
		word(&r.mm, abbreviations(monthNames), func(k int) int { return k + 1 })
	case "RM":
		word(&r.mm, []string{"XII", "XI", "X", "IX", "VIII", "VII", "VI", "V", "IV", "III", "II", "I"}, func(k int) int { return 12 - k })
	case "MM":
		num(&r.mm, 2)
	case "DAY":
		word(&r.d, dayNames, func(k int) int { return k + 1 })
	case "DY":
		word(&r.d, abbreviations(dayNames), func(k int) int { return k + 1 })
	case "DDD":
		num(&r.ddd, 3)
	case "IDDD":
		num(&r.ddd, 3)
	case "DD":
		num(&r.dd, 2)
	case "D":
		num(&r.d, 1)
	case "ID":
		if num(&r.d, 1); err == nil {
			if r.d++; r.d > 7 { // Sunday comes first here
				r.d = 1
			}
		}
	case "WW", "IW":
		num(&r.ww, 2)
	case "Q":
		num(nil, 1)
	case "CC":
		num(&r.cc, 2)
	case "W":
		num(&r.w, 1)
	case "J":
		num(&r.j, 1)
	default:
		return r.yearField(i, key)
	}
	if err == nil {
		r.skipOrdinal(i)
	}
	return err
}

// skipOrdinal passes over what stands for TH.
func (r *dateReader) skipOrdinal(i int) {
	if r.nodes[i].ordinal != "" && len(r.s) >= 2 {
		r.s = r.s[2:]
	}
}

func (r *dateReader) readZoneSign() {
	switch {
	case r.s != "" && strings.IndexByte("+- ", r.s[0]) >= 0:
		if r.zoneSign = 1; r.s[0] == '-' {
			r.zoneSign = -1
		}
		r.s = r.s[1:]
	case r.skipped > 0 && strings.HasSuffix(r.whole[:len(r.whole)-len(r.s)], "-"):
		r.zoneSign = -1 // the sign was taken for a separator
	default:
		r.zoneSign = 1
	}
}

// fraction takes a fraction of a second: fewer digits than width are its first.
func (r *dateReader) fraction(i int, dest *int, width int) error {
	var v int
	n, err := r.number(i, &v, width)
	if err != nil {
		return err
	}
	for ; n < width; n++ {
		v *= 10
	}
	if err := r.set(i, dest, v); err != nil {
		return err
	}
	r.skipOrdinal(i)
	return nil
}

func (r *dateReader) subsecond(i, width int) error {
	r.ff = width
	var v int
	n, err := r.number(i, &v, width)
	if err != nil {
		return err
	}
	for ; n < 6; n++ {
		v *= 10
	}
	r.skipOrdinal(i)
	return r.set(i, &r.us, v)
}

func (r *dateReader) yearField(i int, key string) error {
	if key == "Y,YYY" {
		head, rest, ok := strings.Cut(r.s, ",")
		n := 0
		for n < len(rest) && n < 3 && isDigit(rest[n]) {
			n++
		}
		thousands, err := strconv.ParseInt(strings.TrimSpace(head), 10, 32)
		if !ok || n == 0 || err != nil {
			return errf("22007", "invalid input string for \"Y,YYY\"")
		}
		years, _ := strconv.Atoi(rest[:n])
		r.s, r.yearSize = rest[n:], 4
		r.skipOrdinal(i)
		return r.set(i, &r.year, int(thousands)*1000+years)
	}
	width := len(key)
	var v int
	n, err := r.number(i, &v, width)
	if err != nil {
		return err
	}
	if width < 4 && n < 4 {
		v = yearNear2020(v)
	}
	r.yearSize = width
	r.skipOrdinal(i)
	return r.set(i, &r.year, v)
}

// yearNear2020 completes a year of fewer than four digits to the one nearest to 2020.
func yearNear2020(y int) int {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

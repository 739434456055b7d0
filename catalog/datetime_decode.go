package catalog

import (
	"strings"
	"time"
)

// Which parts of a date and time have been seen. A value may be given once only.
const (
	hasMonth = 1 << iota
	hasYear
	hasDay
	hasZone
	hasDSTZone
	hasDynZone
	hasAMPM
	hasHour
	hasMinute
	hasSecond
	hasMillisec
	hasMicrosec
	hasDOY
	hasDOW
	hasADBC
	hasDSTMod
	hasWeek
	hasDecade
	hasCentury
	hasMillennium
	hasSpecial // infinity, epoch

	hasDate    = hasYear | hasMonth | hasDay
	hasAllSecs = hasSecond | hasMillisec | hasMicrosec
	hasTime    = hasHour | hasMinute | hasAllSecs
)

// reader is the state of reading one date and time out of its fields.
type reader struct {
	*datetimeParser
	mask, now  int // seen so far, and in the field at hand
	prefix     unit
	meridian   int
	textMonth  bool
	julian     bool
	twoDigits  bool
	bc         bool
	namedZone  *time.Location
	dynZone    *time.Location
	dynAbbrev  string
	timeOnly   bool
	dateSeen   bool // timeOnly: a special word that gives no date was read
	fracSecond int
}

// parseDatetime reads text as a date, with or without a time and a zone (DecodeDateTime).
func (p *datetimeParser) parseDatetime(text string) dtCode {
	if code := p.split(text); code != dtOK {
		return code
	}
	return p.decode(false)
}

// parseTime reads text as a time of day (DecodeTimeOnly).
func (p *datetimeParser) parseTime(text string) dtCode {
	if code := p.split(text); code != dtOK {
		return code
	}
	if len(p.fields) == 0 {
		return dtBadFormat
	}
	return p.decode(true)
}

func (p *datetimeParser) decode(timeOnly bool) dtCode {
	r := reader{datetimeParser: p, timeOnly: timeOnly}
	for i := range p.fields {
		r.now = 0
		var code dtCode
		skip := false
		switch p.looks[i] {
		case lookDate:
			code = r.dateField(i)
		case lookTime:
			code = r.timeField(p.fields[i])
		case lookZone:
			p.zone, code = decodeZone(p.fields[i])
			r.now = hasZone
		case lookNumber:
			code = r.numberField(i)
		default:
			skip, code = r.wordField(i)
		}
		if code != dtOK {
			return code
		}
		if skip {
			continue
		}
		if r.now&r.mask != 0 {
			return dtBadFormat
		}
		r.mask |= r.now
	}
	return r.finish()
}

// dateField reads a field that looks like a date: one with separators inside.
func (r *reader) dateField(i int) dtCode {
	field := r.fields[i]
	if r.timeOnly {
		if i == 0 && len(r.fields) >= 2 && (r.looks[len(r.looks)-1] == lookDate || r.looks[1] == lookTime) {
			return r.date(field)
		}
		if isDigit(field[0]) {
			return r.timeAndZone(field)
		}
		return r.zoneByName(field)
	}
	if r.prefix == unitJulian { // a whole Julian day with a zone
		v, rest, over := leadingInt(field)
		if over || v < 0 {
			return dtFieldOverflow
		}
		r.clock.Year, r.clock.Month, r.clock.Day = JulianToDate(v)
		r.julian = true
		zone, code := decodeZone(rest)
		if code != dtOK {
			return code
		}
		r.zone = zone
		r.now = hasDate | hasTime | hasZone
		r.prefix = unitNone
		return dtOK
	}
	// With a month and a day at hand it is a zone ("America/New_York") or a run-together time with a zone (hhmmss-zz).
	if r.prefix != unitNone || r.mask&(hasMonth|hasDay) == hasMonth|hasDay {
		if !isDigit(field[0]) && r.prefix == unitNone {
			return r.zoneByName(field)
		}
		if r.prefix != unitNone && r.prefix != unitTime {
			return dtBadFormat
		}
		r.prefix = unitNone
		return r.timeAndZone(field)
	}
	return r.date(field)
}

// timeAndZone reads hhmmss-zz.
func (r *reader) timeAndZone(field string) dtCode {
	if r.mask&hasTime == hasTime {
		return dtBadFormat
	}
	at := strings.IndexByte(field, '-')
	if at < 0 {
		return dtBadFormat
	}
	zone, code := decodeZone(field[at:])
	if code != dtOK {
		return code
	}
	r.zone = zone
	mask := r.mask
	if r.timeOnly {
		mask |= hasDate
	}
	if code := r.concatenated(field[:at], mask); code != dtOK {
		return code
	}
	r.now |= hasZone
	return dtOK
}

func (r *reader) zoneByName(field string) dtCode {
	if r.namedZone, _ = LookupZone(field); r.namedZone == nil {
		r.zoneName = field
		return dtBadZone
	}
	r.now = hasZone
	return dtOK
}

// date reads a date with separators (DecodeDate).
func (r *reader) date(field string) dtCode {
	var parts []string
	for rest := field; rest != "" && len(parts) < maxDatetimeFields; {
		for rest != "" && !isAlnum(rest[0]) {
			rest = rest[1:]
		}
		if rest == "" {
			return dtBadFormat
		}
		n, is := 0, isAlpha
		if isDigit(rest[0]) {
			is = isDigit
		}
		for n < len(rest) && is(rest[n]) {
			n++
		}
		parts = append(parts, rest[:n])
		rest = rest[n:]
		if rest != "" {
			rest = rest[1:] // a separator, whatever it is
		}
	}
	mask, text, seen := r.mask, false, 0
	for i, part := range parts { // a month's name is unambiguous: first
		if !isAlpha(part[0]) {
			continue
		}
		t, _ := datetimeToken(part)
		if t.typ == tokIgnore {
			continue
		}
		if t.typ != tokMonth || mask&hasMonth != 0 {
			return dtBadFormat
		}
		r.clock.Month = t.val
		text = true
		mask |= hasMonth
		seen |= hasMonth
		parts[i] = ""
	}
	for _, part := range parts {
		if part == "" || isAlpha(part[0]) && part != "" {
			if part != "" {
				return dtBadFormat
			}
			continue
		}
		r.now = 0
		if code := r.number(part, text, mask); code != dtOK {
			return code
		}
		if mask&r.now != 0 {
			return dtBadFormat
		}
		mask |= r.now
		seen |= r.now
	}
	if mask&^(hasDOY|hasZone) != hasDate {
		return dtBadFormat
	}
	r.now = seen
	return dtOK
}

// timeField reads hh:mm[:ss[.ffffff]] (DecodeTime).
func (r *reader) timeField(field string) dtCode {
	if r.prefix != unitNone && !r.timeOnly {
		if r.prefix != unitTime {
			return dtBadFormat
		}
		r.prefix = unitNone
	}
	if r.prefix == unitTime {
		r.prefix = unitNone
	}
	t, code := decodeClock(field, intervalFullRange)
	if code != dtOK {
		return code
	}
	if t.hour > 1<<30 {
		return dtFieldOverflow
	}
	r.clock.Hour, r.clock.Minute, r.clock.Second, r.clock.Microsec = int(t.hour), t.minute, t.second, t.micro
	r.now = hasTime
	if !r.timeOnly && r.timeOverflows() {
		return dtFieldOverflow
	}
	return dtOK
}

// timeOverflows says whether the time is past 24:00.
func (r *reader) timeOverflows() bool {
	c := &r.clock
	return c.Hour < 0 || c.Hour > 24 || c.Minute < 0 || c.Minute > 59 || c.Second < 0 || c.Second > 60 ||
		c.Microsec < 0 || c.Microsec > 1000000 || c.timeOfDay() > usecPerDay
}

// numberField reads a field of digits, perhaps with a decimal point.
func (r *reader) numberField(i int) dtCode {
	field := r.fields[i]
	if r.prefix != unitNone {
		return r.prefixedNumber(field)
	}
	point := strings.IndexByte(field, '.')
	if r.timeOnly {
		switch {
		case point >= 0 && i == 0 && len(r.fields) >= 2 && r.looks[len(r.looks)-1] == lookDate:
			return r.date(field)
		case point > 2, point < 0 && len(field) > 4:
			return r.concatenated(field, r.mask|hasDate)
		case point >= 0:
			return dtBadFormat
		}
		return r.number(field, false, r.mask|hasDate)
	}
	switch {
	case point >= 0 && r.mask&hasDate == 0:
		return r.date(field)
	case point > 2:
		return r.concatenated(field, r.mask)
	case len(field) >= 6 && (r.mask&hasDate == 0 || r.mask&hasTime == 0):
		return r.concatenated(field, r.mask)
	}
	return r.number(field, r.textMonth, r.mask)
}

// prefixedNumber reads the number behind "J" or "T".
func (r *reader) prefixedNumber(field string) dtCode {
	v, rest, over := leadingInt(field)
	if over {
		return dtFieldOverflow
	}
	if rest != "" && rest[0] != '.' {
		return dtBadFormat
	}
	prefix := r.prefix
	r.prefix = unitNone
	switch prefix {
	case unitJulian:
		if v < 0 {
			return dtFieldOverflow
		}
		r.now = hasDate
		r.clock.Year, r.clock.Month, r.clock.Day = JulianToDate(v)
		r.julian = true
		if rest != "" {
			f, ok := fraction(rest)
			if !ok {
				return dtBadFormat
			}
			r.clock.setTime(int64(f * float64(usecPerDay)))
			r.now |= hasTime
		}
		return dtOK
	case unitTime:
		if code := r.concatenated(field, r.mask|hasDate); code != dtOK {
			return code
		}
		if r.now != hasTime {
			return dtBadFormat
		}
		return dtOK
	}
	return dtBadFormat
}

// concatenated reads yyyymmdd, yymmdd, hhmmss or hhmm (DecodeNumberField).
func (r *reader) concatenated(s string, mask int) dtCode {
	if point := strings.IndexByte(s, '.'); point >= 0 {
		micro, ok := fractionMicros(s[point:])
		if !ok {
			return dtBadFormat
		}
		r.clock.Microsec = micro
		s = s[:point]
	} else if mask&hasDate != hasDate && len(s) >= 6 {
		n := len(s)
		r.now = hasDate
		r.clock.Day, r.clock.Month, r.clock.Year = atoi(s[n-2:]), atoi(s[n-4:n-2]), atoi(s[:n-4])
		if n-4 == 2 {
			r.twoDigits = true
		}
		return dtOK
	}
	if mask&hasTime != hasTime {
		switch len(s) {
		case 6:
			r.now = hasTime
			r.clock.Hour, r.clock.Minute, r.clock.Second = atoi(s[:2]), atoi(s[2:4]), atoi(s[4:])
			return dtOK
		case 4:
			r.now = hasTime
			r.clock.Hour, r.clock.Minute, r.clock.Second = atoi(s[:2]), atoi(s[2:]), 0
			return dtOK
		}
	}
	return dtBadFormat
}

// number reads one part of a date by what has been seen before it and DateOrder (DecodeNumber).
func (r *reader) number(s string, textMonth bool, mask int) dtCode {
	r.now = 0
	v, rest, over := leadingInt(s)
	if over {
		return dtFieldOverflow
	}
	if len(rest) == len(s) {
		return dtBadFormat
	}
	if rest != "" {
		if rest[0] != '.' {
			return dtBadFormat
		}
		if len(s)-len(rest) > 2 {
			return r.concatenated(s, mask|hasDate)
		}
		micro, ok := fractionMicros(rest)
		if !ok {
			return dtBadFormat
		}
		r.clock.Microsec = micro
	}
	if len(s) == 3 && mask&hasDate == hasYear && v >= 1 && v <= 366 {
		r.now = hasDOY | hasMonth | hasDay
		r.yday = v
		return dtOK
	}
	c := &r.clock
	switch mask & hasDate {
	case 0:
		switch {
		case len(s) >= 3 || r.order == "YMD":
			r.now, c.Year = hasYear, v
		case r.order == "DMY":
			r.now, c.Day = hasDay, v
		default:
			r.now, c.Month = hasMonth, v
		}
	case hasYear:
		r.now, c.Month = hasMonth, v
	case hasMonth:
		if textMonth && (len(s) >= 3 || r.order == "YMD") {
			r.now, c.Year = hasYear, v
		} else {
			r.now, c.Day = hasDay, v
		}
	case hasYear | hasMonth:
		r.now = hasDay
		if textMonth && len(s) >= 3 && r.twoDigits { // the first number was the day after all
			c.Day, c.Year = c.Year, v
			r.twoDigits = false
		} else {
			c.Day = v
		}
	case hasDay:
		r.now, c.Month = hasMonth, v
	case hasMonth | hasDay:
		r.now, c.Year = hasYear, v
	case hasDate:
		return r.concatenated(s, mask)
	default:
		return dtBadFormat
	}
	if r.now == hasYear {
		r.twoDigits = len(s) <= 2
	}
	return dtOK
}

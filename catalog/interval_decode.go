package catalog

import (
	"math"
	"strconv"
	"strings"
)

// interval reads the fields of an interval from right to left, so that a unit comes before its number
// (DecodeInterval).
func (p *datetimeParser) interval(sum *intervalSum, fields int) dtCode {
	allNegative := false
	if p.settings.IntervalStyle == "sql_standard" && len(p.fields) > 0 && p.fields[0][0] == '-' {
		// The standard's one sign in front stands for all parts, unless another is written.
		allNegative = true
		for _, f := range p.fields[1:] {
			if f[0] == '-' || f[0] == '+' {
				allNegative = false
			}
		}
	}
	what, pending, ago, seen := unitNone, false, false, 0
	for i := len(p.fields) - 1; i >= 0; i-- {
		field, now := p.fields[i], 0
		look := p.looks[i]
		if look == lookZone && strings.IndexByte(field[1:], ':') >= 0 {
			if t, code := decodeClock(field[1:], fields); code == dtOK {
				if code := setClock(sum, t); code != dtOK {
					return code
				}
				if field[0] == '-' || allNegative && sum.micros > 0 {
					sum.micros = -sum.micros
				}
				now, what, pending = hasTime, unitDay, false
				if now&seen != 0 {
					return dtBadFormat
				}
				seen |= now
				continue
			}
		}
		switch look {
		case lookTime:
			t, code := decodeClock(field, fields)
			if code != dtOK {
				return code
			}
			if code := setClock(sum, t); code != dtOK {
				return code
			}
			if allNegative && sum.micros > 0 {
				sum.micros = -sum.micros
			}
			now, what, pending = hasTime, unitDay, false
		case lookZone, lookDate, lookNumber:
			if what == unitNone {
				what = rightmostUnit(fields)
			}
			var code dtCode
			if now, code = p.intervalNumber(sum, field, &what, allNegative); code != dtOK {
				return code
			}
			pending = false
		default:
			if pending {
				return dtBadFormat
			}
			word := clipToken(field)
			u, ok := intervalUnits[word]
			switch {
			case ok:
				what, pending = u, true
			case word == "ago":
				ago, what = true, unitOther
			default:
				return dtBadFormat
			}
		}
		if now&seen != 0 {
			return dtBadFormat
		}
		seen |= now
	}
	if seen == 0 || pending {
		return dtBadFormat
	}
	if ago {
		if sum.micros == math.MinInt64 || sum.days == math.MinInt32 || sum.months == math.MinInt32 || sum.yrs == math.MinInt32 {
			return dtFieldOverflow
		}
		*sum = intervalSum{micros: -sum.micros, days: -sum.days, months: -sum.months, yrs: -sum.yrs}
	}
	return dtOK
}

// setClock sets the time: fractions of units that stand behind it are lost, as in PostgreSQL.
func setClock(sum *intervalSum, t clockTime) dtCode {
	sum.micros = 0
	if !sum.units(t.hour, 0, usecPerHour) || !sum.units(int64(t.minute), 0, usecPerMin) ||
		!sum.units(int64(t.second), 0, usecPerSec) || !sum.addMicros(int64(t.micro)) {
		return dtFieldOverflow
	}
	return dtOK
}

// rightmostUnit is what a last number without a unit counts: the last field of the typmod, else seconds.
func rightmostUnit(fields int) unit {
	if fields == intervalFullRange {
		return unitSecond
	}
	switch {
	case fields&intervalSecond != 0:
		return unitSecond
	case fields&intervalMinute != 0:
		return unitMinute
	case fields&intervalHour != 0:
		return unitHour
	case fields&intervalDay != 0:
		return unitDay
	case fields&intervalMonth != 0:
		return unitMonth
	case fields&intervalYear != 0:
		return unitYear
	}
	return unitSecond
}

// intervalNumber adds the number in field, of the unit *what.
func (p *datetimeParser) intervalNumber(sum *intervalSum, field string, what *unit, allNegative bool) (seen int, code dtCode) {
	v, rest, over := leadingInt64(field)
	if over {
		return 0, dtFieldOverflow
	}
	frac := 0.0
	minus := field[0] == '-'
	switch {
	case rest != "" && rest[0] == '-': // the standard's years-months
		months, tail, over := leadingInt(rest[1:])
		if over || months < 0 || months >= 12 {
			return 0, dtFieldOverflow
		}
		if tail != "" {
			return 0, dtBadFormat
		}
		*what = unitMonth
		if minus {
			months = -months
		}
		if v > math.MaxInt64/12-12 || v < math.MinInt64/12+12 {
			return 0, dtFieldOverflow
		}
		v = v*12 + int64(months)
	case rest != "" && (rest[0] == '.' || (rest[0] == '+' || minus) && len(rest) > 1 && rest[1] == '.'):
		if rest[0] != '.' {
			rest = rest[1:] // "-.5": a sign without digits
		}
		var ok bool
		if frac, ok = fraction(rest); !ok {
			return 0, dtBadFormat
		}
		if minus {
			frac = -frac
		}
	case rest != "":
		return 0, dtBadFormat
	}
	if allNegative {
		v, frac = -abs64(v), -math.Abs(frac)
	}
	ok := false
	switch *what {
	case unitMicrosec:
		ok, seen = sum.units(v, frac, 1), hasMicrosec
	case unitMillisec:
		ok, seen = sum.units(v, frac, 1000), hasMillisec
	case unitSecond:
		ok, seen = sum.units(v, frac, usecPerSec), hasSecond
		if frac != 0 {
			seen = hasAllSecs
		}
	case unitMinute:
		ok, seen = sum.units(v, frac, usecPerMin), hasMinute
	case unitHour:
		ok, seen = sum.units(v, frac, usecPerHour), hasHour
		*what = unitDay
	case unitDay:
		ok, seen = addInt32(&sum.days, v, 1) && sum.fracMicros(frac, usecPerDay), hasDay
	case unitWeek:
		ok, seen = sum.addDays(v, frac, 7), hasWeek
	case unitMonth:
		ok, seen = sum.addMonths(v, frac), hasMonth
	case unitYear:
		ok, seen = sum.addYears(v, frac, 1), hasYear
	case unitDecade:
		ok, seen = sum.addYears(v, frac, 10), hasDecade
	case unitCentury:
		ok, seen = sum.addYears(v, frac, 100), hasCentury
	case unitMillennium:
		ok, seen = sum.addYears(v, frac, 1000), hasMillennium
	default:
		return 0, dtBadFormat
	}
	if !ok {
		return 0, dtFieldOverflow
	}
	return seen, dtOK
}

// isoNumber reads a number in front of s, and how many digits its whole part has.
func isoNumber(s string) (v int64, frac float64, width int, rest string, code dtCode) {
	if s == "" || !isDigit(s[0]) && s[0] != '-' && s[0] != '.' {
		return 0, 0, 0, s, dtBadFormat
	}
	i := 0
	if s[i] == '-' {
		i++
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	width = i - start
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && isDigit(s[i]); i++ {
		}
	}
	f, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, 0, 0, s, dtBadFormat
	}
	if f < -1e15 || f > 1e15 {
		return 0, 0, 0, s, dtFieldOverflow
	}
	whole := math.Trunc(f)
	return int64(whole), f - whole, width, s[i:], dtOK
}

// parseISOInterval reads ISO 8601's two forms: P1Y2M3DT4H5M6S and P0001-02-03T04:05:06 (DecodeISO8601Interval).
func parseISOInterval(s string, sum *intervalSum) dtCode {
	if len(s) < 2 || s[0] != 'P' {
		return dtBadFormat
	}
	s = s[1:]
	dates, haveField := true, false
	for s != "" {
		if s[0] == 'T' {
			dates, haveField = false, false
			s = s[1:]
			continue
		}
		v, frac, width, rest, code := isoNumber(s)
		if code != dtOK {
			return code
		}
		var u byte
		if s = rest; s != "" {
			u = s[0]
			s = s[1:]
		}
		ok, done := true, false
		if dates {
			switch u {
			case 'Y':
				ok = sum.addYears(v, frac, 1)
			case 'M':
				ok = sum.addMonths(v, frac)
			case 'W':
				ok = sum.addDays(v, frac, 7)
			case 'D':
				ok = addInt32(&sum.days, v, 1) && sum.fracMicros(frac, usecPerDay)
			case 'T', 0, '-':
				if u != '-' && width == 8 && !haveField {
					ok = sum.addYears(v/10000, 0, 1) && sum.addMonths(v/100%100, 0) && addInt32(&sum.days, v%100, 1) && sum.fracMicros(frac, usecPerDay)
					if u == 'T' {
						dates, haveField = false, false
						if !ok {
							return dtFieldOverflow
						}
						continue
					}
					done = true
					break
				}
				if haveField {
					return dtBadFormat
				}
				if s, code = isoExtendedDate(s, u, v, frac, sum); code != dtOK {
					return code
				}
				if s == "" {
					return dtOK
				}
				dates, haveField = false, false
				continue
			default:
				return dtBadFormat
			}
		} else {
			switch u {
			case 'H':
				ok = sum.units(v, frac, usecPerHour)
			case 'M':
				ok = sum.units(v, frac, usecPerMin)
			case 'S':
				ok = sum.units(v, frac, usecPerSec)
			case 0, ':':
				if u == 0 && width == 6 && !haveField {
					ok = sum.units(v/10000, 0, usecPerHour) && sum.units(v/100%100, 0, usecPerMin) && sum.units(v%100, frac, usecPerSec)
					done = true
					break
				}
				if haveField {
					return dtBadFormat
				}
				return isoExtendedTime(s, u, v, frac, sum)
			default:
				return dtBadFormat
			}
		}
		if !ok {
			return dtFieldOverflow
		}
		if done {
			return dtOK
		}
		haveField = true
	}
	return dtOK
}

// isoExtendedDate reads the rest of yyyy-mm-dd, whose year is v; u is what followed it. What it returns starts behind
// the T, or is empty at the end.
func isoExtendedDate(s string, u byte, v int64, frac float64, sum *intervalSum) (string, dtCode) {
	if !sum.addYears(v, frac, 1) {
		return s, dtFieldOverflow
	}
	if u != '-' {
		return s, dtOK
	}
	for i := range 2 {
		v, frac, _, rest, code := isoNumber(s)
		if code != dtOK {
			return s, code
		}
		s = rest
		ok := false
		if i == 0 {
			ok = sum.addMonths(v, frac)
		} else {
			ok = addInt32(&sum.days, v, 1) && sum.fracMicros(frac, usecPerDay)
		}
		switch {
		case !ok:
			return s, dtFieldOverflow
		case s == "":
			return s, dtOK
		case s[0] == 'T':
			return s[1:], dtOK
		case i == 1 || s[0] != '-':
			return s, dtBadFormat
		}
		s = s[1:]
	}
	return s, dtOK
}

// isoExtendedTime reads the rest of hh:mm:ss, whose hours are v.
func isoExtendedTime(s string, u byte, v int64, frac float64, sum *intervalSum) dtCode {
	if !sum.units(v, frac, usecPerHour) {
		return dtFieldOverflow
	}
	if u == 0 {
		return dtOK
	}
	for _, scale := range [...]int64{usecPerMin, usecPerSec} {
		v, frac, _, rest, code := isoNumber(s)
		if code != dtOK {
			return code
		}
		if !sum.units(v, frac, scale) {
			return dtFieldOverflow
		}
		switch s = rest; {
		case s == "":
			return dtOK
		case scale == usecPerSec || s[0] != ':':
			return dtBadFormat
		}
		s = s[1:]
	}
	return dtOK
}

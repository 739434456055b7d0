package catalog

import "time"

func append2(dst []byte, v int) []byte {
	if v > 99 {
		return appendInt(dst, int64(v))
	}
	return append(dst, byte('0'+v/10), byte('0'+v%10))
}

// appendYear writes a year of the calendar (not astronomical) with at least four digits.
func appendYear(dst []byte, astronomical int) []byte {
	y := astronomical
	if y <= 0 {
		y = 1 - y
	}
	if y > 9999 {
		return appendInt(dst, int64(y))
	}
	return append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10))
}

func appendBC(dst []byte, year int) []byte {
	if year <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

// appendMicros writes ".ffffff" without trailing zeros, nothing for 0.
func appendMicros(dst []byte, micros int) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+micros/100000), byte('0'+micros/10000%10), byte('0'+micros/1000%10),
		byte('0'+micros/100%10), byte('0'+micros/10%10), byte('0'+micros%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

func appendClockTime(dst []byte, c *Clock) []byte {
	dst = append(append2(dst, c.Hour), ':')
	dst = append(append2(dst, c.Minute), ':')
	return appendMicros(append2(dst, c.Second), c.Microsec)
}

// appendZone writes a zone given in seconds west of UTC as ±hh[:mm[:ss]].
func appendZone(dst []byte, west int) []byte {
	sign, sec := byte('+'), -west
	if west > 0 {
		sign, sec = '-', west
	}
	dst = append2(append(dst, sign), sec/3600)
	if sec%3600 != 0 {
		dst = append2(append(dst, ':'), sec/60%60)
		if sec%60 != 0 {
			dst = append2(append(dst, ':'), sec%60)
		}
	}
	return dst
}

// AppendDate writes a date, days since 2000-01-01, in the session's DateStyle.
func AppendDate(dst []byte, days int64, s *OutputSettings) []byte {
	switch days {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateMinusInfinity:
		return append(dst, "-infinity"...)
	}
	if days < minDate || days >= endDate {
		return appendInt(dst, days)
	}
	y, m, d := JulianToDate(int(days) + epochJulian)
	return appendBC(appendDateStyle(dst, y, m, d, s), y)
}

func appendDateStyle(dst []byte, y, m, d int, s *OutputSettings) []byte {
	first, second := m, d
	if s.DateOrder == "DMY" {
		first, second = d, m
	}
	switch s.DateStyle {
	case "SQL":
		dst = append(append2(dst, first), '/')
		return appendYear(append(append2(dst, second), '/'), y)
	case "German":
		dst = append(append2(dst, d), '.')
		return appendYear(append(append2(dst, m), '.'), y)
	case "Postgres":
		dst = append(append2(dst, first), '-')
		return appendYear(append(append2(dst, second), '-'), y)
	}
	dst = append(appendYear(dst, y), '-')
	return append2(append(append2(dst, m), '-'), d)
}

// AppendTimestamp writes a timestamp without time zone, µs since 2000-01-01, in the session's DateStyle.
func AppendTimestamp(dst []byte, usec int64, s *OutputSettings) []byte {
	return appendStamp(dst, usec, s, false, 0, "")
}

// AppendTimestamptz writes a timestamp with time zone, µs since 2000-01-01 UTC, in the session's TimeZone and DateStyle.
func AppendTimestamptz(dst []byte, usec int64, s *OutputSettings) []byte {
	if usec == TimestampInfinity || usec == TimestampMinInfinity || !ValidTimestamp(usec) {
		return appendStamp(dst, usec, s, false, 0, "")
	}
	off, abbrev := 0, "UTC"
	if s.TimeZone != nil && s.TimeZone != time.UTC {
		abbrev, off = time.Unix(floorDiv64(usec, usecPerSec)+epochUnix, 0).In(s.TimeZone).Zone()
	}
	return appendStamp(dst, usec+int64(off)*usecPerSec, s, true, -off, abbrev)
}

func appendStamp(dst []byte, usec int64, s *OutputSettings, zoned bool, west int, abbrev string) []byte {
	switch usec {
	case TimestampInfinity:
		return append(dst, "infinity"...)
	case TimestampMinInfinity:
		return append(dst, "-infinity"...)
	}
	c := ClockOf(usec)
	switch s.DateStyle {
	case "Postgres":
		jd := DateToJulian(c.Year, c.Month, c.Day)
		dst = append(append(dst, dayNames[((jd+1)%7+7)%7]...), ' ')
		if s.DateOrder == "DMY" {
			dst = append(append2(dst, c.Day), ' ')
			dst = append(dst, monthNames[c.Month-1]...)
		} else {
			dst = append(append(dst, monthNames[c.Month-1]...), ' ')
			dst = append2(dst, c.Day)
		}
		dst = appendClockTime(append(dst, ' '), &c)
		dst = appendYear(append(dst, ' '), c.Year)
		if zoned {
			dst = append(dst, ' ')
			if alphabetic(abbrev) {
				dst = append(dst, abbrev...)
			} else {
				dst = appendZone(dst, west)
			}
		}
	case "SQL", "German":
		dst = appendDateStyle(dst, c.Year, c.Month, c.Day, s)
		dst = appendClockTime(append(dst, ' '), &c)
		if zoned {
			if alphabetic(abbrev) {
				dst = append(append(dst, ' '), abbrev...)
			} else {
				dst = appendZone(append(dst, ' '), west)
			}
		}
	default:
		dst = appendDateStyle(dst, c.Year, c.Month, c.Day, s)
		dst = appendClockTime(append(dst, ' '), &c)
		if zoned {
			dst = appendZone(dst, west)
		}
	}
	return appendBC(dst, c.Year)
}

func appendTimeOfDay(dst []byte, usec int64) []byte {
	if usec < 0 || usec > usecPerDay {
		return appendInt(dst, usec)
	}
	var c Clock
	c.setTime(usec)
	return appendClockTime(dst, &c)
}

func appendTimetz(dst []byte, usec int64, west int) []byte {
	return appendZone(appendTimeOfDay(dst, usec), west)
}

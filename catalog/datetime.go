package catalog

import (
	"encoding/binary"
	"math"
	"time"

	"layercake/pgerror"
)

// Dates are days and timestamps microseconds since 2000-01-01, as PostgreSQL counts them. Years are astronomical:
// 0 is 1 BC.

const (
	usecPerSec  = int64(1000000)
	usecPerMin  = 60 * usecPerSec
	usecPerHour = 60 * usecPerMin
	usecPerDay  = 24 * usecPerHour
	secPerDay   = 86400

	epochJulian = 2451545   // 2000-01-01 as a Julian day
	unixJulian  = 2440588   // 1970-01-01 as a Julian day
	epochUnix   = 946684800 // 2000-01-01 00:00 UTC as a Unix time

	minTimestamp = int64(-211813488000000000) // 4713-11-24 BC
	endTimestamp = int64(9223371331200000000) // 294277-01-01, the first beyond
	minDate      = -2451545 + 0               // Julian day 0
	endDate      = 2147483494 - epochJulian   // 5874898-01-01, the first beyond
)

// The infinities of date, timestamp and timestamptz.
const (
	DateInfinity         = int64(math.MaxInt32)
	DateMinusInfinity    = int64(math.MinInt32)
	TimestampInfinity    = int64(math.MaxInt64)
	TimestampMinInfinity = int64(math.MinInt64)
)

// Clock is a moment taken apart: what stands on a calendar and a clock.
type Clock struct {
	Year             int // astronomical: 0 is 1 BC
	Month, Day       int
	Hour, Minute     int
	Second, Microsec int
}

// DateToJulian returns the Julian day of a date of the Gregorian calendar.
func DateToJulian(year, month, day int) int {
	y, m := int64(year), int64(month)
	if m > 2 {
		m++
		y += 4800
	} else {
		m += 13
		y += 4799
	}
	century := y / 100
	julian := y*365 - 32167
	julian += y/4 - century + century/4
	julian += 7834*m/256 + int64(day)
	return int(julian)
}

// JulianToDate is the inverse of DateToJulian.
func JulianToDate(jd int) (year, month, day int) {
	julian := uint32(jd) + 32044
	quad := julian / 146097
	extra := (julian-quad*146097)*4 + 3
	julian += 60 + quad*3 + extra/146097
	quad = julian / 1461
	julian -= quad * 1461
	y := int64(julian * 4 / 1461)
	if y != 0 {
		julian = (julian + 305) % 365
	} else {
		julian = (julian + 306) % 366
	}
	julian += 123
	y += int64(quad) * 4
	year = int(y - 4800)
	quad = julian * 2141 / 65536
	day = int(julian - 7834*quad/256)
	month = int((quad+10)%12) + 1
	return year, month, day
}

// DateFromYMD returns the days since 2000-01-01 of a date.
func DateFromYMD(year, month, day int) int64 {
	return int64(DateToJulian(year, month, day) - epochJulian)
}

// ValidDate says whether days is a date that PostgreSQL can hold, infinities not counted.
func ValidDate(days int64) bool { return days >= minDate && days < endDate }

// ValidTimestamp says whether usec is a timestamp that PostgreSQL can hold, infinities not counted.
func ValidTimestamp(usec int64) bool { return usec >= minTimestamp && usec < endTimestamp }

// ClockOf takes apart a timestamp, µs since 2000-01-01, without regard to zones.
func ClockOf(usec int64) Clock {
	days := floorDiv64(usec, usecPerDay)
	rest := usec - days*usecPerDay
	var c Clock
	c.Year, c.Month, c.Day = JulianToDate(int(days) + epochJulian)
	c.setTime(rest)
	return c
}

func (c *Clock) setTime(usec int64) {
	c.Hour = int(usec / usecPerHour)
	usec %= usecPerHour
	c.Minute = int(usec / usecPerMin)
	usec %= usecPerMin
	c.Second = int(usec / usecPerSec)
	c.Microsec = int(usec % usecPerSec)
}

// timeOfDay is c's time in µs since midnight.
func (c *Clock) timeOfDay() int64 {
	return int64(c.Hour)*usecPerHour + int64(c.Minute)*usecPerMin + int64(c.Second)*usecPerSec + int64(c.Microsec)
}

// Timestamp puts c together, as µs since 2000-01-01; false when it is beyond what PostgreSQL can hold.
func (c *Clock) Timestamp() (int64, bool) {
	if c.Year < -4713 || c.Year > 294277 {
		return 0, false
	}
	t := DateFromYMD(c.Year, c.Month, c.Day)*usecPerDay + c.timeOfDay()
	return t, ValidTimestamp(t)
}

// wall is c in seconds since 1970, as if it were UTC.
func (c *Clock) wall() int64 {
	return int64(DateToJulian(c.Year, c.Month, c.Day)-unixJulian)*secPerDay + int64(c.Hour)*3600 + int64(c.Minute)*60 + int64(c.Second)
}

// TimestampToLocal returns the wall-clock timestamp in loc at the timestamptz usec. Infinities stay.
func TimestampToLocal(usec int64, loc *time.Location) int64 {
	if usec == TimestampInfinity || usec == TimestampMinInfinity {
		return usec
	}
	return usec + int64(offsetAt(loc, floorDiv64(usec, usecPerSec)+epochUnix))*usecPerSec
}

// LocalToTimestamp returns the timestamptz that a clock in loc means by the wall-clock timestamp usec. Infinities stay.
func LocalToTimestamp(usec int64, loc *time.Location) int64 {
	if usec == TimestampInfinity || usec == TimestampMinInfinity {
		return usec
	}
	return usec - int64(localOffset(loc, floorDiv64(usec, usecPerSec)+epochUnix))*usecPerSec
}

// TimestampFromTime returns t as µs since 2000-01-01 UTC.
func TimestampFromTime(t time.Time) int64 { return t.UnixMicro() - epochUnix*usecPerSec }

// TimeFromTimestamp returns the moment of a finite timestamptz.
func TimeFromTimestamp(usec int64) time.Time {
	return time.UnixMicro(usec + epochUnix*usecPerSec).UTC()
}

// RoundMicros rounds usec to the fractional digits of a time's or timestamp's typmod, half away from zero; infinities
// and typmod -1 leave it alone.
func RoundMicros(usec int64, typmod int32) int64 {
	if typmod < 0 || typmod >= 6 || usec == TimestampInfinity || usec == TimestampMinInfinity {
		return usec
	}
	scale := int64(1)
	for i := typmod; i < 6; i++ {
		scale *= 10
	}
	if usec >= 0 {
		return (usec + scale/2) / scale * scale
	}
	return -((-usec + scale/2) / scale * scale)
}

func floorDiv64(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

var monthDays = [12]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// DaysInMonth returns how many days a month of an astronomical year has.
func DaysInMonth(year, month int) int {
	if month == 2 && isLeap(year) {
		return 29
	}
	return monthDays[month-1]
}

// now is the moment that 'now' and 'today' stand for.
func (s *OutputSettings) now() int64 {
	if s.Now != 0 {
		return s.Now
	}
	return TimestampFromTime(time.Now())
}

func decodeDate(src []byte, s *OutputSettings) (Value, error) {
	if d, ok := fastDate(src); ok {
		return Int(d), nil
	}
	text := string(src)
	p := datetimeParser{settings: s, order: s.DateOrder}
	if code := p.parseDatetime(text); code != dtOK {
		return Value{}, p.error(code, text, "date")
	}
	switch p.kind {
	case dtInfinity:
		return Int(DateInfinity), nil
	case dtMinusInfinity:
		return Int(DateMinusInfinity), nil
	case dtEpoch:
		return Int(DateFromYMD(1970, 1, 1)), nil
	}
	if p.clock.Year < -4713 || p.clock.Year > 5874897 {
		return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: \"%s\"", text)
	}
	d := DateFromYMD(p.clock.Year, p.clock.Month, p.clock.Day)
	if !ValidDate(d) {
		return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range: \"%s\"", text)
	}
	return Int(d), nil
}

func decodeTimestamp(src []byte, typmod int32, s *OutputSettings) (Value, error) {
	if t, ok := fastTimestamp(src); ok {
		return Int(RoundMicros(t, typmod)), nil
	}
	return decodeAnyTimestamp(src, typmod, s, "timestamp")
}

func decodeTimestamptz(src []byte, typmod int32, s *OutputSettings) (Value, error) {
	if t, ok := fastTimestamp(src); ok {
		t = LocalToTimestamp(t, s.TimeZone)
		if ValidTimestamp(t) {
			return Int(RoundMicros(t, typmod)), nil
		}
	}
	return decodeAnyTimestamp(src, typmod, s, "timestamp with time zone")
}

func decodeAnyTimestamp(src []byte, typmod int32, s *OutputSettings, typ string) (Value, error) {
	text := string(src)
	p := datetimeParser{settings: s, order: s.DateOrder}
	if code := p.parseDatetime(text); code != dtOK {
		return Value{}, p.error(code, text, typ)
	}
	switch p.kind {
	case dtInfinity:
		return Int(TimestampInfinity), nil
	case dtMinusInfinity:
		return Int(TimestampMinInfinity), nil
	case dtEpoch:
		return Int(-epochUnix * usecPerSec), nil
	}
	if p.clock.Year < -4713 || p.clock.Year > 294277 { // further away, µs overflow
		return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", text)
	}
	t, _ := p.clock.Timestamp() // its zone may yet bring it into range
	if typ != "timestamp" {
		t += int64(p.zone) * usecPerSec
	}
	if !ValidTimestamp(t) {
		return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range: \"%s\"", text)
	}
	return Int(RoundMicros(t, typmod)), nil
}

func decodeTime(src []byte, typmod int32, s *OutputSettings) (Value, error) {
	text := string(src)
	p := datetimeParser{settings: s, order: s.DateOrder}
	if code := p.parseTime(text); code != dtOK {
		return Value{}, p.error(code, text, "time")
	}
	return Int(RoundMicros(p.clock.timeOfDay(), typmod)), nil
}

func decodeTimetz(src []byte, typmod int32, s *OutputSettings) (Value, error) {
	text := string(src)
	p := datetimeParser{settings: s, order: s.DateOrder}
	if code := p.parseTime(text); code != dtOK {
		return Value{}, p.error(code, text, "time with time zone")
	}
	return TimetzValue(RoundMicros(p.clock.timeOfDay(), typmod), p.zone), nil
}

func decodeDatetimeBinary(oid uint32, typmod int32, src []byte) (Value, error) {
	size := map[uint32]int{DateOID: 4, TimeOID: 8, TimetzOID: 12, TimestampOID: 8, TimestamptzOID: 8, IntervalOID: 16}[oid]
	if len(src) != size {
		return Value{}, errBinaryLength
	}
	if oid == DateOID {
		d := int64(int32(binary.BigEndian.Uint32(src)))
		if d != DateInfinity && d != DateMinusInfinity && !ValidDate(d) {
			return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "date out of range")
		}
		return Int(d), nil
	}
	t := int64(binary.BigEndian.Uint64(src))
	switch oid {
	case TimeOID, TimetzOID:
		if t < 0 || t > usecPerDay {
			return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "time out of range")
		}
		t = RoundMicros(t, typmod)
		if oid == TimeOID {
			return Int(t), nil
		}
		zone := int32(binary.BigEndian.Uint32(src[8:]))
		if zone <= -16*3600 || zone >= 16*3600 {
			return Value{}, pgerror.New("22009", "time zone displacement out of range")
		}
		return TimetzValue(t, int(zone)), nil
	case IntervalOID:
		iv := Interval{Micros: t, Days: int32(binary.BigEndian.Uint32(src[8:])), Months: int32(binary.BigEndian.Uint32(src[12:]))}
		return iv.ApplyTypmod(typmod).Value(), nil
	}
	if t != TimestampInfinity && t != TimestampMinInfinity && !ValidTimestamp(t) {
		return Value{}, pgerror.New(pgerror.DatetimeFieldOverflow, "timestamp out of range")
	}
	return Int(RoundMicros(t, typmod)), nil
}

// fastDate reads YYYY-MM-DD, the usual form, and leaves everything else to the full parser.
func fastDate(b []byte) (int64, bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	y, ok1 := fastDigits(b[0:4])
	m, ok2 := fastDigits(b[5:7])
	d, ok3 := fastDigits(b[8:10])
	if !ok1 || !ok2 || !ok3 || y < 1 || m < 1 || m > 12 || d < 1 || d > DaysInMonth(y, m) {
		return 0, false
	}
	return DateFromYMD(y, m, d), true
}

// fastTimestamp reads YYYY-MM-DD HH:MM:SS[.ffffff] without a zone, likewise.
func fastTimestamp(b []byte) (int64, bool) {
	if len(b) < 19 || b[10] != ' ' && b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	days, ok := fastDate(b[:10])
	h, ok1 := fastDigits(b[11:13])
	m, ok2 := fastDigits(b[14:16])
	s, ok3 := fastDigits(b[17:19])
	if !ok || !ok1 || !ok2 || !ok3 || h > 23 || m > 59 || s > 59 {
		return 0, false
	}
	frac := 0
	if len(b) > 19 {
		if b[19] != '.' || len(b) > 26 || len(b) == 20 {
			return 0, false
		}
		var ok bool
		if frac, ok = fastDigits(b[20:]); !ok {
			return 0, false
		}
		for i := len(b) - 20; i < 6; i++ {
			frac *= 10
		}
	}
	return days*usecPerDay + int64(h)*usecPerHour + int64(m)*usecPerMin + int64(s)*usecPerSec + int64(frac), true
}

func fastDigits(b []byte) (int, bool) {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

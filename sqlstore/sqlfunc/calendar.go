package sqlfunc

import (
	"time"

	"layercake/catalog"
)

// Microseconds and days, as PostgreSQL's datatype/timestamp.h has them.
const (
	usecSecond = 1_000_000
	usecMinute = 60 * usecSecond
	usecHour   = 60 * usecMinute
	usecDay    = 24 * usecHour

	julianEpoch = 2451545 // 2000-01-01 as a Julian day

	dateMin, dateEnd = -2451545, 2147483494 - 2451545 // finite dates lie in [dateMin, dateEnd)
	tsMin, tsEnd     = -211813488000000000, 9223371331200000000
	dateInf, dateNeg = catalog.DateInfinity, catalog.DateMinusInfinity
	tsInf, tsNeg     = catalog.TimestampInfinity, catalog.TimestampMinInfinity
)

func errTimestampRange() error { return errf("22008", "timestamp out of range") }
func errDateRange() error      { return errf("22008", "date out of range") }
func errIntervalRange() error  { return errf("22008", "interval out of range") }

func tsFinite(t int64) bool   { return t != tsInf && t != tsNeg }
func dateFinite(d int64) bool { return d != dateInf && d != dateNeg }
func tsValid(t int64) bool    { return t >= tsMin && t < tsEnd }

// floorDiv divides rounding down.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// timeMicros is the time of day of c in µs.
func timeMicros(c catalog.Clock) int64 {
	return int64(c.Hour)*usecHour + int64(c.Minute)*usecMinute + int64(c.Second)*usecSecond + int64(c.Microsec)
}

func dayOfWeek(julian int) int { return ((julian+1)%7 + 7) % 7 }

// isoWeekStart gives the Julian day of the Monday of an ISO week.
func isoWeekStart(year, week int) int {
	day4 := catalog.DateToJulian(year, 1, 4)
	day0 := (dayOfWeek(day4) + 6) % 7
	return (week-1)*7 + day4 - day0
}

// isoWeek gives the ISO week of a date and the ISO year that it belongs to.
func isoWeek(y, m, d int) (year, week int) {
	n := catalog.DateToJulian(y, m, d)
	year = y
	start := isoWeekStart(y, 1)
	if n < start {
		year--
		start = isoWeekStart(year, 1)
	} else if next := isoWeekStart(y+1, 1); n >= next {
		year, start = y+1, next
	}
	return year, (n-start)/7 + 1
}

// zoneOffset is loc's offset in seconds east of UTC at a moment.
func zoneOffset(loc *time.Location, ts int64) int64 {
	_, off := time.Unix(floorDiv(ts+pgEpoch, usecSecond), 0).In(loc).Zone()
	return int64(off)
}

// toUTC turns a local time into a moment.
func toUTC(loc *time.Location, wall int64) (int64, error) {
	if !tsFinite(wall) {
		return wall, nil
	}
	ts := catalog.LocalToTimestamp(wall, loc)
	if !tsValid(ts) {
		return 0, errTimestampRange()
	}
	return ts, nil
}

// toLocal turns a moment into the time that a clock in loc shows.
func toLocal(loc *time.Location, ts int64) (int64, error) {
	if !tsFinite(ts) {
		return ts, nil
	}
	wall := catalog.TimestampToLocal(ts, loc)
	if !tsValid(wall) {
		return 0, errTimestampRange()
	}
	return wall, nil
}

// sessionZone is the zone of a TimeZone setting.
func sessionZone(v catalog.Value) (*time.Location, error) {
	if loc, _ := catalog.LookupZone(string(v.Bytes)); loc != nil {
		return loc, nil
	}
	return nil, errf("22023", "time zone \"%s\" not recognized", v.Bytes)
}

// addTimestamp adds an interval, times sign, to a local timestamp.
func addTimestamp(ts int64, iv catalog.Interval, sign int64) (int64, error) {
	if !tsFinite(ts) {
		return ts, nil
	}
	ts, err := addDays(ts, int64(iv.Months)*sign, int64(iv.Days)*sign)
	if err != nil {
		return 0, err
	}
	return addMicros(ts, iv.Micros, sign)
}

// addDays moves a local timestamp by months, the day cut to the month's length, then by days.
func addDays(ts, months, days int64) (int64, error) {
	if months != 0 {
		c := catalog.ClockOf(ts)
		m := int64(c.Month) - 1 + months
		c.Year += int(floorDiv(m, 12))
		c.Month = int(m-floorDiv(m, 12)*12) + 1
		c.Day = min(c.Day, catalog.DaysInMonth(c.Year, c.Month))
		var ok bool
		if ts, ok = c.Timestamp(); !ok {
			return 0, errTimestampRange()
		}
	}
	if days != 0 {
		day := floorDiv(ts, usecDay)
		rest := ts - day*usecDay
		if day += days; day < dateMin || day > tsEnd/usecDay {
			return 0, errTimestampRange()
		}
		ts = day*usecDay + rest
		if !tsValid(ts) {
			return 0, errTimestampRange()
		}
	}
	return ts, nil
}

func addMicros(ts, micros, sign int64) (int64, error) {
	if sign < 0 {
		if micros == -1<<63 {
			return 0, errTimestampRange()
		}
		micros = -micros
	}
	sum := ts + micros
	if micros > 0 && sum < ts || micros < 0 && sum > ts || !tsValid(sum) {
		return 0, errTimestampRange()
	}
	return sum, nil
}

// addTimestamptz adds an interval to a moment: months and days as a clock in loc counts them.
func addTimestamptz(ts int64, iv catalog.Interval, sign int64, loc *time.Location) (int64, error) {
	if !tsFinite(ts) {
		return ts, nil
	}
	for _, part := range [2][2]int64{{int64(iv.Months) * sign, 0}, {0, int64(iv.Days) * sign}} {
		if part == [2]int64{} {
			continue
		}
		wall, err := toLocal(loc, ts)
		if err == nil {
			wall, err = addDays(wall, part[0], part[1])
		}
		if err == nil {
			ts, err = toUTC(loc, wall)
		}
		if err != nil {
			return 0, err
		}
	}
	return addMicros(ts, iv.Micros, sign)
}

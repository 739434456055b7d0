package sqlfunc

import (
	"math/big"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var extractFuncs = []def{
	strict("lc_extract", 4, extract),
}

// decimal gives n / 10^scale as a numeric that shows scale digits.
func decimal(n int64, scale int) catalog.Value {
	num := catalog.NumericFromBig(big.NewInt(n), scale)
	return num.Value()
}

func numericInf(neg bool) catalog.Value {
	n := catalog.Numeric{Class: catalog.NumericInf, Neg: neg}
	return n.Value()
}

// extract has the unit's name, the value, its type's OID and the session's time zone.
func extract(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	name := strings.ToLower(text(args[0]))
	u := unitNamed(name)
	typ := uint32(args[2].Int())
	var v catalog.Value
	var ok bool
	var err error
	switch {
	case u == unitNone:
	case typ == catalog.TimeOID:
		v, ok = extractTime(u, args[1].Int())
	case typ == catalog.TimetzOID:
		v, ok, err = extractTimetz(u, args[1].Bytes)
	case typ == catalog.IntervalOID:
		v, ok, err = extractInterval(u, args[1])
	case typ == catalog.DateOID:
		v, ok = extractDate(u, args[1].Int())
	case typ == catalog.TimestampOID:
		v, ok = extractTimestamp(u, args[1].Int())
	case typ == catalog.TimestamptzOID:
		v, ok, err = extractTimestamptz(u, args[1].Int(), args[3])
	}
	switch {
	case err != nil:
		return null, err
	case ok:
		return v, nil
	case u == unitNone:
		return null, errf("22023", "unit \"%s\" not recognized for type %s", name, catalog.FormatTypeName(typ))
	}
	return null, errf("0A000", "unit \"%s\" not supported for type %s", name, catalog.FormatTypeName(typ))
}

// extractClock gives the units of a time of day; us is the microseconds within the day.
func extractClock(u unit, us int64) (catalog.Value, bool) {
	switch u {
	case unitMicrosecond:
		return decimal(us%usecMinute, 0), true
	case unitMillisecond:
		return decimal(us%usecMinute, 3), true
	case unitSecond:
		return decimal(us%usecMinute, 6), true
	case unitMinute:
		return decimal(us/usecMinute%60, 0), true
	case unitHour:
		return decimal(us/usecHour, 0), true
	}
	return null, false
}

func extractTime(u unit, us int64) (catalog.Value, bool) {
	if u == unitEpoch {
		return decimal(us, 6), true
	}
	return extractClock(u, us)
}

func extractTimetz(u unit, stored []byte) (catalog.Value, bool, error) {
	us, west, err := catalog.DecodeTimetz(stored)
	if err != nil {
		return null, false, badArgs("lc_extract", err)
	}
	if u == unitEpoch {
		return decimal(us+int64(west)*usecSecond, 6), true, nil
	}
	if v, ok := extractZone(u, int64(-west)); ok {
		return v, true, nil
	}
	v, ok := extractClock(u, us)
	return v, ok, nil
}

// extractZone gives the parts of an offset in seconds east.
func extractZone(u unit, east int64) (catalog.Value, bool) {
	switch u {
	case unitZone:
		return decimal(east, 0), true
	case unitZoneHour:
		return decimal(east/3600, 0), true
	case unitZoneMinute:
		return decimal(east/60%60, 0), true
	}
	return null, false
}

// extractInfinite says what the units of an infinite date or timestamp are: infinite where they only grow, else NULL.
func extractInfinite(u unit, neg bool, zoned bool) (catalog.Value, bool) {
	switch u {
	case unitYear, unitDecade, unitCentury, unitMillennium, unitJulian, unitISOYear, unitEpoch:
		return numericInf(neg), true
	case unitNone:
		return null, false
	case unitZone, unitZoneHour, unitZoneMinute:
		return null, zoned
	}
	return null, true
}

// extractDay gives the units of a date that is taken apart.
func extractDay(u unit, c catalog.Clock) (catalog.Value, bool) {
	y := int64(c.Year)
	shown := y // there is no year 0
	if y <= 0 {
		shown = y - 1
	}
	isoYear, week := 0, 0
	if u == unitWeek || u == unitISOYear {
		isoYear, week = isoWeek(c.Year, c.Month, c.Day)
	}
	var n int64
	switch u {
	case unitDay:
		n = int64(c.Day)
	case unitMonth:
		n = int64(c.Month)
	case unitQuarter:
		n = int64(c.Month-1)/3 + 1
	case unitWeek:
		n = int64(week)
	case unitYear:
		n = shown
	case unitDecade:
		n = floorDiv(y, 10)
	case unitCentury:
		n = ordinalOf(y, 100)
	case unitMillennium:
		n = ordinalOf(y, 1000)
	case unitISOYear:
		if n = int64(isoYear); n <= 0 {
			n--
		}
	case unitDOW:
		n = int64(dayOfWeek(catalog.DateToJulian(c.Year, c.Month, c.Day)))
	case unitISODOW:
		if n = int64(dayOfWeek(catalog.DateToJulian(c.Year, c.Month, c.Day))); n == 0 {
			n = 7
		}
	case unitDOY:
		n = int64(catalog.DateToJulian(c.Year, c.Month, c.Day) - catalog.DateToJulian(c.Year, 1, 1) + 1)
	default:
		return null, false
	}
	return decimal(n, 0), true
}

// ordinalOf numbers the centuries or millennia: 1 began with the year 1, -1 ended with 1 BC.
func ordinalOf(y, span int64) int64 {
	if y > 0 {
		return (y + span - 1) / span
	}
	return -((span - 1 - (y - 1)) / span)
}

func extractDate(u unit, d int64) (catalog.Value, bool) {
	switch u {
	case unitMicrosecond, unitMillisecond, unitSecond, unitMinute, unitHour, unitZone, unitZoneHour, unitZoneMinute:
		return null, false
	}
	if !dateFinite(d) {
		return extractInfinite(u, d < 0, false)
	}
	switch u {
	case unitEpoch:
		return decimal((d+julianEpoch-2440588)*86400, 0), true
	case unitJulian:
		return decimal(d+julianEpoch, 0), true
	}
	var c catalog.Clock
	c.Year, c.Month, c.Day = catalog.JulianToDate(int(d) + julianEpoch)
	return extractDay(u, c)
}

func extractTimestamp(u unit, ts int64) (catalog.Value, bool) {
	if !tsFinite(ts) {
		return extractInfinite(u, ts < 0, false)
	}
	switch u {
	case unitEpoch:
		return epochOf(ts), true
	case unitJulian:
		return julianOf(ts), true
	}
	day := floorDiv(ts, usecDay)
	if v, ok := extractClock(u, ts-day*usecDay); ok {
		return v, true
	}
	return extractDay(u, catalog.ClockOf(ts))
}

// epochOf gives the seconds since 1970, in big arithmetic, since late timestamps overflow.
func epochOf(ts int64) catalog.Value {
	n := catalog.NumericFromBig(new(big.Int).Add(big.NewInt(ts), big.NewInt(pgEpoch)), 6)
	return n.Value()
}

// julianOf gives the Julian day with the time as its fraction, with as many digits as PostgreSQL's division gives.
func julianOf(ts int64) catalog.Value {
	day := floorDiv(ts, usecDay)
	us := ts - day*usecDay
	scale := divisionScale(us, usecDay)
	q := new(big.Int).Mul(big.NewInt(us), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale+1)), nil))
	q.Div(q, big.NewInt(usecDay))
	q.Add(q, big.NewInt(5)).Div(q, big.NewInt(10))
	whole := new(big.Int).Mul(big.NewInt(day+julianEpoch), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
	n := catalog.NumericFromBig(q.Add(q, whole), scale)
	return n.Value()
}

// divisionScale is numeric.c's select_div_scale for two integers: at least 16 significant digits of the quotient.
func divisionScale(a, b int64) int {
	weight := func(n int64) (weight int, first int64) {
		for n >= 10000 {
			n /= 10000
			weight++
		}
		return weight, n
	}
	w1, f1 := weight(a)
	w2, f2 := weight(b)
	q := w1 - w2
	if f1 <= f2 {
		q--
	}
	return max(16-q*4, 0)
}

func extractTimestamptz(u unit, ts int64, zone catalog.Value) (catalog.Value, bool, error) {
	if !tsFinite(ts) {
		v, ok := extractInfinite(u, ts < 0, true)
		return v, ok, nil
	}
	if u == unitEpoch {
		return epochOf(ts), true, nil
	}
	loc, err := sessionZone(zone)
	if err != nil {
		return null, false, err
	}
	if v, ok := extractZone(u, zoneOffset(loc, ts)); ok {
		return v, true, nil
	}
	v, ok := extractTimestamp(u, catalog.TimestampToLocal(ts, loc))
	return v, ok, nil
}

func extractInterval(u unit, stored catalog.Value) (catalog.Value, bool, error) {
	iv, err := interval(stored)
	if err != nil {
		return null, false, err
	}
	years, months := int64(iv.Months/12), int64(iv.Months%12)
	var n int64
	switch u {
	case unitEpoch:
		// A year counts 365.25 days, a month beyond years 30.
		secs := new(big.Int).SetInt64(years*31557600 + (months*30+int64(iv.Days))*86400)
		secs.Mul(secs, big.NewInt(usecSecond)).Add(secs, big.NewInt(iv.Micros))
		num := catalog.NumericFromBig(secs, 6)
		return num.Value(), true, nil
	case unitDay:
		n = int64(iv.Days)
	case unitMonth:
		n = months
	case unitQuarter:
		n = months/3 + 1
	case unitYear:
		n = years
	case unitDecade:
		n = years / 10
	case unitCentury:
		n = years / 100
	case unitMillennium:
		n = years / 1000
	default:
		v, ok := extractClock(u, iv.Micros)
		return v, ok, nil
	}
	return decimal(n, 0), true, nil
}

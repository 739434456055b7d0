package sqlfunc

import (
	"strings"
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var truncFuncs = []def{
	strict("lc_date_trunc", 2, truncTimestamp),
	strict("lc_date_trunc_tz", 3, truncTimestamptz),
	strict("lc_date_trunc_at", 3, truncTimestamptzAt),
	strict("lc_date_trunc_iv", 2, truncInterval),
	strict("lc_date_bin", 3, dateBin),
}

func truncTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[1].Int()
	if !tsFinite(ts) {
		return args[1], nil
	}
	wall, _, err := truncWall(text(args[0]), ts, catalog.TimestampOID)
	return intResult(wall, err)
}

// truncWall cuts a local timestamp. kept says that the time of day was kept down to hours at least, so that the
// offset from UTC is the same as before.
func truncWall(name string, ts int64, typ uint32) (wall int64, kept bool, err error) {
	name = strings.ToLower(name)
	c := catalog.ClockOf(ts)
	midnight := func() { c.Hour, c.Minute, c.Second, c.Microsec = 0, 0, 0, 0 }
	switch u := unitNamed(name); u {
	case unitMicrosecond:
		kept = true
	case unitMillisecond:
		c.Microsec = c.Microsec / 1000 * 1000
		kept = true
	case unitSecond:
		c.Microsec = 0
		kept = true
	case unitMinute:
		c.Second, c.Microsec = 0, 0
		kept = true
	case unitHour:
		c.Minute, c.Second, c.Microsec = 0, 0, 0
		kept = true
	case unitDay:
		midnight()
	case unitWeek:
		y, w := isoWeek(c.Year, c.Month, c.Day)
		c.Year, c.Month, c.Day = catalog.JulianToDate(isoWeekStart(y, w))
		midnight()
	case unitMonth:
		c.Day = 1
		midnight()
	case unitQuarter:
		c.Month, c.Day = (c.Month-1)/3*3+1, 1
		midnight()
	case unitYear:
		c.Month, c.Day = 1, 1
		midnight()
	case unitDecade:
		c.Year, c.Month, c.Day = int(floorDiv(int64(c.Year), 10)*10), 1, 1
		midnight()
	case unitCentury:
		c.Year, c.Month, c.Day = spanStart(c.Year, 100), 1, 1
		midnight()
	case unitMillennium:
		c.Year, c.Month, c.Day = spanStart(c.Year, 1000), 1, 1
		midnight()
	case unitNone, unitDOW, unitDOY, unitISODOW, unitISOYear, unitEpoch, unitJulian: // no lengths of time
		return 0, false, errf("22023", "unit \"%s\" not recognized for type %s", name, catalog.FormatTypeName(typ))
	default:
		return 0, false, errf("0A000", "unit \"%s\" not supported for type %s", name, catalog.FormatTypeName(typ))
	}
	wall, ok := c.Timestamp()
	if !ok {
		return 0, false, errTimestampRange()
	}
	return wall, kept, nil
}

// spanStart gives the first year of a year's century or millennium.
func spanStart(y, span int) int {
	if y > 0 {
		return (y+span-1)/span*span - (span - 1)
	}
	return -((span-1-(y-1))/span)*span + 1
}

func truncTimestamptz(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[2])
	if err != nil {
		return null, err
	}
	return truncIn(loc, args)
}

func truncTimestamptzAt(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := catalog.ZoneForInput(text(args[2]), args[1].Int())
	if err != nil {
		return null, err
	}
	return truncIn(loc, args)
}

func truncIn(loc *time.Location, args []catalog.Value) (catalog.Value, error) {
	ts := args[1].Int()
	if !tsFinite(ts) {
		return args[1], nil
	}
	local := catalog.TimestampToLocal(ts, loc)
	wall, kept, err := truncWall(text(args[0]), local, catalog.TimestamptzOID)
	if err != nil {
		return null, err
	}
	if kept { // the same offset, though the local time may stand for two moments
		return intResult(wall-(local-ts), nil)
	}
	return intResult(toUTC(loc, wall))
}

func truncInterval(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[1])
	if err != nil {
		return null, err
	}
	name := strings.ToLower(text(args[0]))
	u := unitNamed(name)
	cutMonths := func(n int32) { iv.Months, iv.Days, iv.Micros = iv.Months/n*n, 0, 0 }
	cutMicros := func(n int64) { iv.Micros = iv.Micros / n * n }
	switch u {
	case unitMicrosecond:
	case unitMillisecond:
		cutMicros(1000)
	case unitSecond:
		cutMicros(usecSecond)
	case unitMinute:
		cutMicros(usecMinute)
	case unitHour:
		cutMicros(usecHour)
	case unitDay:
		iv.Micros = 0
	case unitMonth:
		cutMonths(1)
	case unitQuarter:
		cutMonths(3)
	case unitYear:
		cutMonths(12)
	case unitDecade:
		cutMonths(120)
	case unitCentury:
		cutMonths(1200)
	case unitMillennium:
		cutMonths(12000)
	case unitNone, unitDOW, unitDOY, unitISODOW, unitISOYear, unitEpoch, unitJulian:
		return null, errf("22023", "unit \"%s\" not recognized for type interval", name)
	case unitWeek:
		return null, withDetail(errf("0A000", "unit \"week\" not supported for type interval"), "Months usually have fractional weeks.")
	default:
		return null, errf("0A000", "unit \"%s\" not supported for type interval", name)
	}
	return iv.Value(), nil
}

// dateBin has the stride, the timestamp and the origin.
func dateBin(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	ts, origin := args[1].Int(), args[2].Int()
	switch {
	case !tsFinite(ts):
		return args[1], nil
	case !tsFinite(origin):
		return null, errf("22008", "origin out of range")
	case iv.Months != 0:
		return null, errf("0A000", "timestamps cannot be binned into intervals containing months or years")
	}
	if abs := int64(iv.Days); abs > tsEnd/usecDay || abs < -tsEnd/usecDay {
		return null, errIntervalRange()
	}
	stride := int64(iv.Days)*usecDay + iv.Micros
	if stride <= 0 {
		return null, errf("22008", "stride must be greater than zero")
	}
	diff := ts - origin
	if (diff < 0) != (ts < origin) {
		return null, errIntervalRange()
	}
	out := origin + floorDiv(diff, stride)*stride
	if !tsValid(out) {
		return null, errTimestampRange()
	}
	return catalog.Int(out), nil
}

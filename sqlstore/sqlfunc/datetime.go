package sqlfunc

import (
	"math"
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var datetimeFuncs = []def{
	strict("lc_date_ts", 1, dateToTimestamp),
	strict("lc_ts_date", 1, timestampToDate),
	strict("lc_ts_time", 1, timestampToTime),
	strict("lc_ts_tstz", 2, timestampToTimestamptz),
	strict("lc_tstz_ts", 2, timestamptzToTimestamp),
	strict("lc_ts_at", 2, timestampAt),
	strict("lc_tstz_at", 2, timestamptzAt),
	strict("lc_zone_iv", 1, zoneOfInterval),
	strict("lc_ts_typmod", 2, timestampTypmod),
	strict("lc_time_typmod", 2, timeTypmod),
	strict("lc_date_add", 2, dateAdd),
	strict("lc_date_diff", 2, dateDiff),
	strict("lc_date_time", 2, dateTime),
	strict("lc_date_timetz", 2, dateTimetz),
	strict("lc_ts_add", 3, timestampAdd),
	strict("lc_tstz_add", 4, timestamptzAdd),
	strict("lc_ts_diff", 2, timestampDiff),
	strict("lc_time_add", 3, timeAdd),
	strict("lc_time_timetz", 3, timeToTimetz),
	strict("lc_tstz_timetz", 2, timestamptzToTimetz),
	strict("lc_timetz_time", 1, timetzToTime),
	strict("lc_timetz_add", 3, timetzAdd),
	strict("lc_timetz_zone", 3, timetzAt),
	strict("lc_timetz_typmod", 2, timetzTypmod),
	strict("lc_isfinite_date", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Bool(dateFinite(args[0].Int())), nil
	}),
	strict("lc_isfinite_ts", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Bool(tsFinite(args[0].Int())), nil
	}),
	strict("lc_make_date", 3, makeDate),
	strict("lc_make_time", 3, makeTime),
	strict("lc_make_timestamp", 6, makeTimestamp),
	strict("lc_to_timestamp_float", 1, floatToTimestamp),
	pure("lc_overlaps", 4, overlaps),
	volatile("lc_timeofday", 1, timeOfDay),
}

func dateToTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts, err := dateMicros(args[0].Int())
	return intResult(ts, err)
}

func dateMicros(d int64) (int64, error) {
	switch {
	case d == dateInf:
		return tsInf, nil
	case d == dateNeg:
		return tsNeg, nil
	case d >= tsEnd/usecDay:
		return 0, errf("22008", "date out of range for timestamp")
	}
	return d * usecDay, nil
}

func timestampToDate(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	switch ts := args[0].Int(); ts {
	case tsInf:
		return catalog.Int(dateInf), nil
	case tsNeg:
		return catalog.Int(dateNeg), nil
	default:
		return catalog.Int(floorDiv(ts, usecDay)), nil
	}
}

func timestampToTime(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[0].Int()
	if !tsFinite(ts) {
		return null, nil
	}
	return catalog.Int(ts - floorDiv(ts, usecDay)*usecDay), nil
}

func timestampToTimestamptz(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	return intResult(toUTC(loc, args[0].Int()))
}

func timestamptzToTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	return intResult(toLocal(loc, args[0].Int()))
}

// timestampAt is timestamp AT TIME ZONE, whose zone may be an abbreviation too.
func timestampAt(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := catalog.ZoneForInput(text(args[1]), args[0].Int())
	if err != nil {
		return null, err
	}
	return intResult(toUTC(loc, args[0].Int()))
}

func timestamptzAt(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := catalog.ZoneForInput(text(args[1]), args[0].Int())
	if err != nil {
		return null, err
	}
	return intResult(toLocal(loc, args[0].Int()))
}

// zoneOfInterval names the zone that AT TIME ZONE interval '…' means.
func zoneOfInterval(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	if iv.Months != 0 || iv.Days != 0 {
		return null, errf("22023", "interval time zone \"%s\" must not include months or days", iv.AppendText(nil, catalog.DefaultOutput()))
	}
	_, name := catalog.FixedZone(int(iv.Micros / usecSecond))
	return catalog.Str(name), nil
}

func timestampTypmod(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[0].Int()
	if !tsFinite(ts) {
		return args[0], nil
	}
	return catalog.Int(catalog.RoundMicros(ts, int32(args[1].Int()))), nil
}

func timeTypmod(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.Int(catalog.RoundMicros(args[0].Int(), int32(args[1].Int()))), nil
}

func dateAdd(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	d, n := args[0].Int(), args[1].Int()
	if !dateFinite(d) {
		return args[0], nil
	}
	if d += n; d < dateMin || d >= dateEnd {
		return null, errDateRange()
	}
	return catalog.Int(d), nil
}

func dateDiff(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	a, b := args[0].Int(), args[1].Int()
	if !dateFinite(a) || !dateFinite(b) {
		return null, errf("22008", "cannot subtract infinite dates")
	}
	return catalog.Int(a - b), nil
}

func dateTime(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts, err := dateMicros(args[0].Int())
	if err != nil || !tsFinite(ts) {
		return intResult(ts, err)
	}
	return intResult(addMicros(ts, args[1].Int(), 1))
}

func dateTimetz(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts, err := dateMicros(args[0].Int())
	if err != nil || !tsFinite(ts) {
		return intResult(ts, err)
	}
	us, west, err := catalog.DecodeTimetz(args[1].Bytes)
	if err != nil {
		return null, badArgs("lc_date_timetz", err)
	}
	return intResult(addMicros(ts, us+int64(west)*usecSecond, 1))
}

func timestampAdd(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[1])
	if err != nil {
		return null, err
	}
	return intResult(addTimestamp(args[0].Int(), iv, args[2].Int()))
}

func timestamptzAdd(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[1])
	if err != nil {
		return null, err
	}
	loc, err := sessionZone(args[3])
	if err != nil {
		return null, err
	}
	return intResult(addTimestamptz(args[0].Int(), iv, args[2].Int(), loc))
}

func timestampDiff(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	a, b := args[0].Int(), args[1].Int()
	if !tsFinite(a) || !tsFinite(b) {
		return null, errf("22008", "cannot subtract infinite timestamps")
	}
	d := a - b
	if (d < 0) != (a < b) {
		return null, errIntervalRange()
	}
	return catalog.Interval{Days: int32(d / usecDay), Micros: d % usecDay}.Value(), nil
}

func timeAdd(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[1])
	if err != nil {
		return null, err
	}
	return catalog.Int(inDay(args[0].Int() + iv.Micros%usecDay*args[2].Int())), nil
}

// inDay brings a time of day into [0, 24h).
func inDay(us int64) int64 { return us - floorDiv(us, usecDay)*usecDay }

func timeToTimetz(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	return catalog.TimetzValue(args[0].Int(), int(-zoneOffset(loc, args[2].Int()))), nil
}

func timestamptzToTimetz(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[0].Int()
	if !tsFinite(ts) {
		return null, nil
	}
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	off := zoneOffset(loc, ts)
	return catalog.TimetzValue(inDay(ts+off*usecSecond), int(-off)), nil
}

func timetzToTime(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	us, _, err := catalog.DecodeTimetz(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_timetz_time", err)
	}
	return catalog.Int(us), nil
}

func timetzAdd(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	us, west, err := catalog.DecodeTimetz(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_timetz_add", err)
	}
	iv, err := interval(args[1])
	if err != nil {
		return null, err
	}
	return catalog.TimetzValue(inDay(us+iv.Micros%usecDay*args[2].Int()), west), nil
}

// timetzAt is timetz AT TIME ZONE: the zone's offset is that of now.
func timetzAt(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	us, west, err := catalog.DecodeTimetz(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_timetz_zone", err)
	}
	loc, err := catalog.ZoneForInput(text(args[1]), args[2].Int())
	if err != nil {
		return null, err
	}
	off := zoneOffset(loc, args[2].Int())
	return catalog.TimetzValue(inDay(us+(int64(west)+off)*usecSecond), int(-off)), nil
}

func timetzTypmod(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	us, west, err := catalog.DecodeTimetz(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_timetz_typmod", err)
	}
	return catalog.TimetzValue(catalog.RoundMicros(us, int32(args[1].Int())), west), nil
}

func makeDate(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	y, m, d := args[0].Int(), args[1].Int(), args[2].Int()
	days, ok := dateOf(y, m, d)
	if !ok {
		return null, errf("22008", "date field value out of range: %d-%02d-%02d", y, m, d)
	}
	return catalog.Int(days), nil
}

// dateOf checks a date whose year is negative for BC; there is no year 0.
func dateOf(y, m, d int64) (days int64, ok bool) {
	if y == 0 || y < -4713 || y > 5874897 || m < 1 || m > 12 {
		return 0, false
	}
	if y < 0 {
		y++
	}
	if d < 1 || d > int64(catalog.DaysInMonth(int(y), int(m))) {
		return 0, false
	}
	days = int64(catalog.DateToJulian(int(y), int(m), int(d)) - julianEpoch)
	return days, days >= dateMin && days < dateEnd
}

func makeTime(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	h, m, s := args[0].Int(), args[1].Int(), args[2].Float()
	us, ok := timeOf(h, m, s)
	if !ok {
		return null, errf("22008", "time field value out of range: %d:%02d:%02g", h, m, s)
	}
	return catalog.Int(us), nil
}

func timeOf(h, m int64, s float64) (int64, bool) {
	us := math.RoundToEven(s * usecSecond)
	if h < 0 || h > 24 || m < 0 || m > 59 || math.IsNaN(s) || us < 0 || us > 60*usecSecond {
		return 0, false
	}
	t := h*usecHour + m*usecMinute + int64(us)
	return t, t <= usecDay
}

func makeTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	y, mo, d := args[0].Int(), args[1].Int(), args[2].Int()
	days, ok := dateOf(y, mo, d)
	if !ok {
		return null, errf("22008", "date field value out of range: %d-%02d-%02d", y, mo, d)
	}
	us, ok := timeOf(args[3].Int(), args[4].Int(), args[5].Float())
	if !ok {
		return null, errf("22008", "time field value out of range: %d:%02d:%02g", args[3].Int(), args[4].Int(), args[5].Float())
	}
	if days >= tsEnd/usecDay || !tsValid(days*usecDay+us) {
		return null, errf("22008", "timestamp out of range: %d-%02d-%02d %d:%02d:%02g", y, mo, d, args[3].Int(), args[4].Int(), args[5].Float())
	}
	return catalog.Int(days*usecDay + us), nil
}

// floatToTimestamp is to_timestamp(seconds since 1970).
func floatToTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s := args[0].Float()
	switch {
	case math.IsNaN(s):
		return null, errf("22008", "timestamp cannot be NaN")
	case math.IsInf(s, 1):
		return catalog.Int(tsInf), nil
	case math.IsInf(s, -1):
		return catalog.Int(tsNeg), nil
	}
	us := math.RoundToEven((s - pgEpoch/usecSecond) * usecSecond)
	if us < tsMin || us >= tsEnd {
		return null, errf("22008", "timestamp out of range: \"%g\"", s)
	}
	return catalog.Int(int64(us)), nil
}

// overlaps is OVERLAPS with SQL's rules for NULLs and swapped ends.
func overlaps(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	s1, e1, ok1 := period(args[0], args[1])
	s2, e2, ok2 := period(args[2], args[3])
	if !ok1 || !ok2 {
		return null, nil
	}
	// An end may be unknown, never a start.
	switch c := compareTimes(s1, s2); {
	case c > 0:
		s1, e1, s2, e2 = s2, e2, s1, e1
		fallthrough
	case c < 0:
		if e1.IsNull() {
			return null, nil
		}
		if compareTimes(s2, e1) < 0 {
			return catalog.Bool(true), nil
		}
		if e2.IsNull() {
			return null, nil
		}
		return catalog.Bool(false), nil
	}
	if e1.IsNull() || e2.IsNull() {
		return null, nil
	}
	return catalog.Bool(true), nil
}

// period orders the ends of a period; an unknown end comes last. ok false: both are unknown.
func period(a, b catalog.Value) (start, end catalog.Value, ok bool) {
	switch {
	case a.IsNull():
		return b, a, !b.IsNull()
	case !b.IsNull() && compareTimes(a, b) > 0:
		return b, a, true
	}
	return a, b, true
}

// compareTimes orders times, timestamps (INTEGER) or timetz (keyed TEXT).
func compareTimes(a, b catalog.Value) int {
	if a.Kind == catalog.Text {
		return compareKeyed(a.Bytes, b.Bytes)
	}
	switch x, y := a.Int(), b.Int(); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func timeOfDay(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[0])
	if err != nil {
		return null, err
	}
	return catalog.Str(time.Now().In(loc).Format("Mon Jan 02 15:04:05.000000 2006 MST")), nil
}

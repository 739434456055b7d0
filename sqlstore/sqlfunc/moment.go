package sqlfunc

import (
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// Comparisons of date, timestamp and timestamptz with each other. None of them fails: a date that no timestamp can hold is
// greater than all that are finite.
var momentFuncs = []def{
	strict("lc_cmp_date", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Int(dateMoment(args[0].Int())), nil
	}),
	strict("lc_cmp_ts", 2, timestampMoment),
	strict("lc_ts_days", 1, timestampDays),
	strict("lc_tstz_first", 2, firstDay),
	strict("lc_tstz_last", 2, lastDay),
	strict("lc_tstz_near", 3, nearTimestamp),
}

// dateMoment is a date as a timestamp that compares with others as the date does.
func dateMoment(d int64) int64 {
	switch {
	case d == dateInf:
		return tsInf
	case d == dateNeg:
		return tsNeg
	case d >= tsEnd/usecDay:
		return tsEnd + 4*usecDay // so that a zone's offset does not change anything
	}
	return d * usecDay
}

// timestampMoment is a timestamp as a timestamptz, be it one that PostgreSQL can hold or not.
func timestampMoment(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	return catalog.Int(catalog.LocalToTimestamp(args[0].Int(), loc)), nil
}

// timestampDays is a number that compares with dates as a timestamp does: a time within a day lies between two of them.
func timestampDays(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	switch ts := args[0].Int(); {
	case ts == tsInf:
		return catalog.Int(dateInf), nil
	case ts == tsNeg:
		return catalog.Int(dateNeg), nil
	case ts%usecDay == 0:
		return catalog.Int(ts / usecDay), nil
	default:
		return catalog.Float(float64(floorDiv(ts, usecDay)) + 0.5), nil
	}
}

// firstDay is the first date that is not before a timestamptz.
func firstDay(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	x := args[0].Int()
	return dayOf(x, args[1], func(midnight int64) bool { return midnight >= x }, 0)
}

// lastDay is the last date that is not after a timestamptz.
func lastDay(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	x := args[0].Int()
	return dayOf(x, args[1], func(midnight int64) bool { return midnight > x }, 1)
}

// dayOf is the first date near x whose midnight passes, less some days. Midnights never go back, but where the date line
// was moved two of them may be one moment.
func dayOf(x int64, zone catalog.Value, passes func(midnight int64) bool, less int64) (catalog.Value, error) {
	switch x {
	case tsInf:
		return catalog.Int(dateInf), nil
	case tsNeg:
		return catalog.Int(dateNeg), nil
	}
	loc, err := sessionZone(zone)
	if err != nil {
		return null, err
	}
	d := floorDiv(x, usecDay) - 2 // offsets are less than a day
	for !passes(midnight(d, loc)) {
		d++
	}
	return catalog.Int(d - less), nil
}

func midnight(d int64, loc *time.Location) int64 { return catalog.LocalToTimestamp(d*usecDay, loc) }

// nearTimestamp is two days before (-1) or after (1) a timestamptz, on the session's clock: timestamps beyond compare with it
// as with this, whatever their zone's offset is.
func nearTimestamp(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	x, dir := args[0].Int(), args[2].Int()
	switch {
	case x == tsInf && dir > 0 || x == tsNeg && dir < 0:
		return catalog.Float(float64(dir) * 1e19), nil
	case !tsFinite(x):
		return catalog.Int(x + dir), nil
	}
	loc, err := sessionZone(args[1])
	if err != nil {
		return null, err
	}
	return catalog.Int(catalog.TimestampToLocal(x, loc) + dir*2*usecDay), nil
}

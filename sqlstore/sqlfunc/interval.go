package sqlfunc

import (
	"bytes"
	"math"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var intervalFuncs = []def{
	strict("lc_micros_iv", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.Interval{Micros: args[0].Int()}.Value(), nil
	}),
	strict("lc_iv_time", 1, intervalToTime),
	strict("lc_iv_typmod", 2, intervalTypmod),
	strict("lc_iv_add", 2, intervalSum(1)),
	strict("lc_iv_sub", 2, intervalSum(-1)),
	strict("lc_iv_neg", 1, intervalNegate),
	strict("lc_iv_mul", 2, intervalMultiply),
	strict("lc_iv_div", 2, intervalDivide),
	strict("lc_justify_days", 1, justify(justifyDays)),
	strict("lc_justify_hours", 1, justify(justifyHours)),
	strict("lc_justify_interval", 1, justify(justifyInterval)),
	strict("lc_make_interval", 7, makeInterval),
	strict("lc_age", 2, age),
	strict("lc_avg_packed_iv", 1, averageInterval),
	strict("lc_sum_packed_iv", 1, sumInterval),
}

// interval takes a stored interval apart.
func interval(v catalog.Value) (catalog.Interval, error) {
	iv, err := catalog.DecodeInterval(v.Bytes)
	if err != nil {
		return iv, badArgs("interval", err)
	}
	return iv, nil
}

// compareKeyed orders keyed values (interval, timetz) by their keys.
func compareKeyed(a, b []byte) int {
	a, _, _ = bytes.Cut(a, []byte{'|'})
	b, _, _ = bytes.Cut(b, []byte{'|'})
	return bytes.Compare(a, b)
}

func intervalToTime(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	return catalog.Int(inDay(iv.Micros)), nil
}

func intervalTypmod(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	return iv.ApplyTypmod(int32(args[1].Int())).Value(), nil
}

// addIntervals gives a + sign·b.
func addIntervals(a, b catalog.Interval, sign int64) (catalog.Interval, error) {
	months, days := int64(a.Months)+sign*int64(b.Months), int64(a.Days)+sign*int64(b.Days)
	bm := b.Micros
	if sign < 0 {
		if bm == math.MinInt64 {
			return a, errIntervalRange()
		}
		bm = -bm
	}
	micros := a.Micros + bm
	if months != int64(int32(months)) || days != int64(int32(days)) || (bm > 0 && micros < a.Micros) || (bm < 0 && micros > a.Micros) {
		return a, errIntervalRange()
	}
	return catalog.Interval{Months: int32(months), Days: int32(days), Micros: micros}, nil
}

func intervalSum(sign int64) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		a, err := interval(args[0])
		if err != nil {
			return null, err
		}
		b, err := interval(args[1])
		if err != nil {
			return null, err
		}
		sum, err := addIntervals(a, b, sign)
		if err != nil {
			return null, err
		}
		return sum.Value(), nil
	}
}

func intervalNegate(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	if iv.Months == math.MinInt32 || iv.Days == math.MinInt32 || iv.Micros == math.MinInt64 {
		return null, errIntervalRange()
	}
	return catalog.Interval{Months: -iv.Months, Days: -iv.Days, Micros: -iv.Micros}.Value(), nil
}

// roundTime rounds to a millionth, as TSROUND does.
func roundTime(f float64) float64 { return math.RoundToEven(f*1e6) / 1e6 }

// scaleInterval multiplies the parts of iv through by, and carries the fractions of months and days downwards, never
// upwards (interval_mul and interval_div).
func scaleInterval(iv catalog.Interval, by func(float64) float64) (catalog.Interval, error) {
	fits32 := func(f float64) bool { return f >= math.MinInt32 && f <= math.MaxInt32 }
	m, d := by(float64(iv.Months)), by(float64(iv.Days))
	if !fits32(m) || !fits32(d) {
		return iv, errIntervalRange()
	}
	r := catalog.Interval{Months: int32(m), Days: int32(d)}
	monthDays := roundTime((m - float64(r.Months)) * 30)
	secs := roundTime((d - float64(r.Days) + monthDays - math.Trunc(monthDays)) * 86400)
	if math.Abs(secs) >= 86400 {
		r.Days += int32(secs / 86400)
		secs -= math.Trunc(secs/86400) * 86400
	}
	r.Days += int32(monthDays)
	us := math.RoundToEven(by(float64(iv.Micros)) + secs*1e6)
	if math.IsNaN(us) || us < -(1<<63) || us >= 1<<63 {
		return iv, errIntervalRange()
	}
	r.Micros = int64(us)
	return r, nil
}

func intervalMultiply(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	f := args[1].Float()
	iv, err = scaleInterval(iv, func(x float64) float64 { return x * f })
	if err != nil {
		return null, err
	}
	return iv.Value(), nil
}

func intervalDivide(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil {
		return null, err
	}
	f := args[1].Float()
	if f == 0 {
		return null, errf("22012", "division by zero")
	}
	iv, err = scaleInterval(iv, func(x float64) float64 { return x / f })
	if err != nil {
		return null, err
	}
	return iv.Value(), nil
}

func justify(f func(catalog.Interval) (catalog.Interval, error)) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		iv, err := interval(args[0])
		if err == nil {
			iv, err = f(iv)
		}
		if err != nil {
			return null, err
		}
		return iv.Value(), nil
	}
}

// justifyHours carries 24 hours into a day and makes both of one sign.
func justifyHours(iv catalog.Interval) (catalog.Interval, error) {
	days := int64(iv.Days) + iv.Micros/usecDay
	us := iv.Micros % usecDay
	switch {
	case days > 0 && us < 0:
		us += usecDay
		days--
	case days < 0 && us > 0:
		us -= usecDay
		days++
	}
	if days != int64(int32(days)) {
		return iv, errIntervalRange()
	}
	return catalog.Interval{Months: iv.Months, Days: int32(days), Micros: us}, nil
}

// justifyDays carries 30 days into a month and makes both of one sign.
func justifyDays(iv catalog.Interval) (catalog.Interval, error) {
	months, days := int64(iv.Months)+int64(iv.Days)/30, int64(iv.Days)%30
	switch {
	case months > 0 && days < 0:
		days += 30
		months--
	case months < 0 && days > 0:
		days -= 30
		months++
	}
	if months != int64(int32(months)) {
		return iv, errIntervalRange()
	}
	return catalog.Interval{Months: int32(months), Days: int32(days), Micros: iv.Micros}, nil
}

// justifyInterval does both and makes all three parts of one sign.
func justifyInterval(iv catalog.Interval) (catalog.Interval, error) {
	months, days, us := int64(iv.Months), int64(iv.Days), iv.Micros
	days += us / usecDay
	us %= usecDay
	months += days / 30
	days %= 30
	switch {
	case months > 0 && (days < 0 || days == 0 && us < 0):
		days += 30
		months--
	case months < 0 && (days > 0 || days == 0 && us > 0):
		days -= 30
		months++
	}
	switch {
	case days > 0 && us < 0:
		us += usecDay
		days--
	case days < 0 && us > 0:
		us -= usecDay
		days++
	}
	if months != int64(int32(months)) {
		return iv, errIntervalRange()
	}
	return catalog.Interval{Months: int32(months), Days: int32(days), Micros: us}, nil
}

// makeInterval has years, months, weeks, days, hours, minutes and seconds.
func makeInterval(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	secs := args[6].Float()
	if math.IsNaN(secs) || math.IsInf(secs, 0) {
		return null, errIntervalRange()
	}
	months, days := args[0].Int()*12+args[1].Int(), args[2].Int()*7+args[3].Int()
	us := float64(args[4].Int()*usecHour) + float64(args[5].Int()*usecMinute) + math.RoundToEven(secs*usecSecond)
	if months != int64(int32(months)) || days != int64(int32(days)) || us < -(1<<63) || us >= 1<<63 {
		return null, errIntervalRange()
	}
	total := args[4].Int()*usecHour + args[5].Int()*usecMinute + int64(math.RoundToEven(secs*usecSecond))
	return catalog.Interval{Months: int32(months), Days: int32(days), Micros: total}.Value(), nil
}

// age subtracts local timestamps field by field (timestamp_age).
func age(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	t1, t2 := args[0].Int(), args[1].Int()
	if !tsFinite(t1) || !tsFinite(t2) {
		return null, errTimestampRange()
	}
	sign := 1
	a, b := catalog.ClockOf(t1), catalog.ClockOf(t2)
	if t1 < t2 {
		sign, a, b = -1, b, a
	}
	us := timeMicros(a) - timeMicros(b)
	years, months, days := a.Year-b.Year, a.Month-b.Month, a.Day-b.Day
	if us < 0 {
		us += usecDay
		days--
	}
	// Days are borrowed from the earlier timestamp's month.
	for days < 0 {
		days += catalog.DaysInMonth(b.Year, b.Month)
		months--
	}
	for months < 0 {
		months += 12
		years--
	}
	return catalog.Interval{Months: int32(sign * (years*12 + months)), Days: int32(sign * days), Micros: int64(sign) * us}.Value(), nil
}

// sumInterval and averageInterval are the aggregates' ends over a packed column (lc_pack).

func foldIntervals(packed []byte) (sum catalog.Interval, n int, err error) {
	for len(packed) > 0 {
		var v catalog.Value
		if v, packed, err = catalog.DecodeValue(packed); err != nil {
			return sum, n, badArgs("lc_sum_packed_iv", err)
		}
		if v.IsNull() {
			continue
		}
		iv, err := interval(v)
		if err == nil {
			sum, err = addIntervals(sum, iv, 1)
		}
		if err != nil {
			return sum, n, err
		}
		n++
	}
	return sum, n, nil
}

func sumInterval(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	sum, n, err := foldIntervals(args[0].Bytes)
	if err != nil || n == 0 {
		return null, err
	}
	return sum.Value(), nil
}

func averageInterval(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	sum, n, err := foldIntervals(args[0].Bytes)
	if err != nil || n == 0 {
		return null, err
	}
	avg, err := scaleInterval(sum, func(x float64) float64 { return x / float64(n) })
	if err != nil {
		return null, err
	}
	return avg.Value(), nil
}

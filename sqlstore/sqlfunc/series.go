package sqlfunc

import (
	"time"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var seriesFuncs = []def{
	strict("lc_ts_series", 3, timestampSeries),
	strict("lc_tstz_series", 4, timestamptzSeries),
	strict("lc_timezone_names", 1, timezoneNames),
	pure("lc_timezone_abbrevs", 0, timezoneAbbrevs),
}

// timestampSeries is generate_series of timestamps: start, stop, step.
func timestampSeries(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return series(catalog.TimestampOID, args, func(ts int64, iv catalog.Interval) (int64, error) {
		return addTimestamp(ts, iv, 1)
	})
}

func timestamptzSeries(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	loc, err := sessionZone(args[3])
	if err != nil {
		return null, err
	}
	return series(catalog.TimestamptzOID, args, func(ts int64, iv catalog.Interval) (int64, error) {
		return addTimestamptz(ts, iv, 1, loc)
	})
}

func series(typ uint32, args []catalog.Value, add func(int64, catalog.Interval) (int64, error)) (catalog.Value, error) {
	ts, stop := args[0].Int(), args[1].Int()
	step, err := interval(args[2])
	if err != nil {
		return null, err
	}
	sign := step.Compare(catalog.Interval{})
	if sign == 0 {
		return null, errf("22023", "step size cannot equal zero")
	}
	var elems []catalog.Value
	for sign > 0 && ts <= stop || sign < 0 && ts >= stop {
		if len(elems) >= maxSeries || !tsFinite(ts) {
			return null, errSeries()
		}
		elems = append(elems, catalog.Int(ts))
		if ts, err = add(ts, step); err != nil {
			return null, err
		}
	}
	return catalog.EncodeArray(typ, catalog.Vector(len(elems)), elems), nil
}

// timezoneNames gives a row set of name, abbreviation, offset and whether summer time is kept, at a moment.
func timezoneNames(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	at := time.UnixMicro(args[0].Int() + pgEpoch)
	var rows []byte
	for _, name := range catalog.ZoneNames() {
		loc, _ := catalog.LookupZone(name)
		if loc == nil {
			continue
		}
		abbrev, off := at.In(loc).Zone()
		rows = catalog.AppendRow(rows, []catalog.Value{catalog.Str(name), catalog.Str(abbrev),
			catalog.Interval{Micros: int64(off) * usecSecond}.Value(), catalog.Bool(at.In(loc).IsDST())})
	}
	return catalog.BlobBytes(rows), nil
}

func timezoneAbbrevs(*sqlite.Context, []catalog.Value) (catalog.Value, error) {
	var rows []byte
	catalog.ZoneAbbreviations(func(abbrev string, off int, dst bool) {
		rows = catalog.AppendRow(rows, []catalog.Value{catalog.Str(abbrev), catalog.Interval{Micros: int64(off) * usecSecond}.Value(),
			catalog.Bool(dst)})
	})
	return catalog.BlobBytes(rows), nil
}

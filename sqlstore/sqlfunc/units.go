package sqlfunc

import "strings"

// unit is a field of extract, date_part and date_trunc.
type unit uint8

const (
	unitNone unit = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitQuarter
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitJulian
	unitISOYear
	unitDOW
	unitISODOW
	unitDOY
	unitEpoch
	unitZone
	unitZoneHour
	unitZoneMinute
)

// unitNames are PostgreSQL's units with their abbreviations (deltatktbl and datetktbl in adt/datetime.c).
var unitNames = map[string]unit{
	"microsecond": unitMicrosecond, "microsecon": unitMicrosecond, "us": unitMicrosecond, "usec": unitMicrosecond, "usecs": unitMicrosecond, "useconds": unitMicrosecond, "usecond": unitMicrosecond,
	"millisecon": unitMillisecond, "ms": unitMillisecond, "msec": unitMillisecond, "msecs": unitMillisecond, "mseconds": unitMillisecond, "msecond": unitMillisecond,
	"s": unitSecond, "sec": unitSecond, "second": unitSecond, "seconds": unitSecond, "secs": unitSecond,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"h": unitHour, "hour": unitHour, "hours": unitHour, "hr": unitHour, "hrs": unitHour,
	"d": unitDay, "day": unitDay, "days": unitDay,
	"w": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"mon": unitMonth, "mons": unitMonth, "month": unitMonth, "months": unitMonth,
	"qtr": unitQuarter, "quarter": unitQuarter,
	"y": unitYear, "year": unitYear, "years": unitYear, "yr": unitYear, "yrs": unitYear,
	"dec": unitDecade, "decade": unitDecade, "decades": unitDecade, "decs": unitDecade,
	"c": unitCentury, "cent": unitCentury, "century": unitCentury, "centuries": unitCentury,
	"mil": unitMillennium, "mils": unitMillennium, "millennia": unitMillennium, "millennium": unitMillennium,
	"j": unitJulian, "jd": unitJulian, "julian": unitJulian,
	"isoyear": unitISOYear, "dow": unitDOW, "isodow": unitISODOW, "doy": unitDOY, "epoch": unitEpoch,
	"timezone": unitZone, "timezone_h": unitZoneHour, "timezone_m": unitZoneMinute,
}

// unitNamed returns the unit that name stands for, unitNone if there is none. As in PostgreSQL, only the first ten
// characters count.
func unitNamed(name string) unit {
	name = strings.ToLower(name)
	if len(name) > 10 {
		name = name[:10]
	}
	return unitNames[name]
}

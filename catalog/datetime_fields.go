package catalog

import (
	"math"
	"strconv"

	"layercake/pgerror"
)

// The reading of dates, times and intervals follows PostgreSQL's datetime.c step by step: the text is cut into fields
// by their look (splitDatetime), then each field is taken for what it can be in the light of those before it.

// fieldLook is what a field looks like.
type fieldLook uint8

const (
	lookNumber fieldLook = iota
	lookString
	lookDate
	lookTime
	lookZone    // a sign and a digit: a numeric zone, or a signed number of an interval
	lookSpecial // a sign and letters
)

// dtCode is the outcome of reading: dtOK or a kind of complaint.
type dtCode int

const (
	dtOK dtCode = iota
	dtBadFormat
	dtFieldOverflow
	dtMonthDayOverflow // perhaps month and day are the other way round
	dtIntervalOverflow
	dtZoneOverflow
	dtBadZone // zoneName holds it
)

// dtKind is what was read: a date with what belongs to it, or a special value.
type dtKind uint8

const (
	dtDate dtKind = iota
	dtInfinity
	dtMinusInfinity
	dtEpoch
)

// maxDatetimeFields is PostgreSQL's limit on the fields of one value.
const maxDatetimeFields = 25

// datetimeParser reads one value.
type datetimeParser struct {
	settings *OutputSettings
	order    string

	fields []string
	looks  []fieldLook

	kind     dtKind
	clock    Clock
	yday     int
	zone     int // seconds WEST of UTC, as PostgreSQL counts
	zoneName string
}

// error returns the complaint for code about text as a value of type typ.
func (p *datetimeParser) error(code dtCode, text, typ string) error {
	switch code {
	case dtFieldOverflow:
		return pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text)
	case dtMonthDayOverflow:
		return pgerror.New(pgerror.DatetimeFieldOverflow, "date/time field value out of range: \"%s\"", text).
			WithHint("Perhaps you need a different \"datestyle\" setting.")
	case dtIntervalOverflow:
		return pgerror.New("22015", "interval field value out of range: \"%s\"", text)
	case dtZoneOverflow:
		return pgerror.New("22009", "time zone displacement out of range: \"%s\"", text)
	case dtBadZone:
		return pgerror.New(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", p.zoneName)
	}
	return pgerror.New(pgerror.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", typ, text)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isAlnum(c byte) bool { return isDigit(c) || isAlpha(c) }
func isPunct(c byte) bool { return c > ' ' && c < 0x7f && !isAlnum(c) }

// split cuts text into fields (ParseDateTime).
func (p *datetimeParser) split(text string) dtCode {
	at := func(i int) byte {
		if i < len(text) {
			return text[i]
		}
		return 0
	}
	i := 0
	for i < len(text) {
		c := text[i]
		if isSpace(c) {
			i++
			continue
		}
		if len(p.fields) >= maxDatetimeFields {
			return dtBadFormat
		}
		start, look := i, lookNumber
		field := ""
		switch {
		case isDigit(c):
			for isDigit(at(i)) {
				i++
			}
			switch d := at(i); {
			case d == ':':
				look = lookTime
				for i++; isDigit(at(i)) || at(i) == ':' || at(i) == '.'; i++ {
				}
			case d == '-' || d == '/' || d == '.':
				look = lookDate
				i++
				if isDigit(at(i)) {
					if d == '.' {
						look = lookNumber
					}
					for isDigit(at(i)) {
						i++
					}
					if at(i) == d {
						look = lookDate
						for i++; isDigit(at(i)) || at(i) == d; i++ {
						}
					}
				} else {
					for isAlnum(at(i)) || at(i) == d {
						i++
					}
				}
			}
			field = asciiLower(text[start:i])
		case c == '.':
			for i++; isDigit(at(i)); i++ {
			}
			field = text[start:i]
		case isAlpha(c):
			look = lookString
			for isAlpha(at(i)) {
				i++
			}
			isDate := false
			switch d := at(i); {
			case d == '-' || d == '/' || d == '.':
				isDate = true
			case d == '+' || isDigit(d):
				_, known := datetimeToken(asciiLower(text[start:i]))
				isDate = !known
			}
			if isDate {
				look = lookDate
				for i++; i < len(text); i++ {
					if d := at(i); d != '+' && d != '-' && d != '/' && d != '_' && d != '.' && d != ':' && !isAlnum(d) {
						break
					}
				}
			}
			field = asciiLower(text[start:i])
		case c == '+' || c == '-':
			for i++; isSpace(at(i)); i++ {
			}
			rest := i
			switch {
			case isDigit(at(i)):
				look = lookZone
				for i++; isDigit(at(i)) || at(i) == ':' || at(i) == '.' || at(i) == '-'; i++ {
				}
			case isAlpha(at(i)):
				look = lookSpecial
				for i++; isAlpha(at(i)); i++ {
				}
			default:
				return dtBadFormat
			}
			field = string(c) + asciiLower(text[rest:i])
		case isPunct(c):
			i++
			continue
		default:
			return dtBadFormat
		}
		p.fields = append(p.fields, field)
		p.looks = append(p.looks, look)
	}
	return dtOK
}

// leadingInt reads the integer at the front of s as strtol does; rest is what follows. over: it needs more than 32 bits.
func leadingInt(s string) (v int, rest string, over bool) {
	v64, rest, over := leadingInt64(s)
	if v64 > math.MaxInt32 || v64 < math.MinInt32 {
		over = true
	}
	return int(v64), rest, over
}

func leadingInt64(s string) (v int64, rest string, over bool) {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	if i == digits {
		return 0, s, false
	}
	v, err := strconv.ParseInt(s[:i], 10, 64)
	return v, s[i:], err != nil
}

// atoi reads the integer at the front of s, 0 if there is none.
func atoi(s string) int {
	v, _, over := leadingInt(s)
	if over {
		return math.MaxInt32
	}
	return v
}

// fraction reads ".digits" (or "." alone) to the end of s.
func fraction(s string) (float64, bool) {
	if s == "." {
		return 0, true
	}
	for _, c := range []byte(s[1:]) {
		if !isDigit(c) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// fractionMicros is fraction in microseconds, rounded.
func fractionMicros(s string) (int, bool) {
	f, ok := fraction(s)
	return int(math.RoundToEven(f * 1e6)), ok
}

// datetimeTokenLen is how much of a word counts.
const datetimeTokenLen = 10

func clipToken(s string) string {
	if len(s) > datetimeTokenLen {
		return s[:datetimeTokenLen]
	}
	return s
}

// tokenType is what a word means.
type tokenType uint8

const (
	tokUnknown tokenType = iota
	tokReserved
	tokMonth
	tokZone    // value: seconds east
	tokDSTZone // the same, daylight saving time
	tokDynZone // an abbreviation whose offset its zone's history tells
	tokDSTMod  // "DST" behind a zone: value seconds
	tokIgnore
	tokAMPM
	tokDOW
	tokUnits
	tokADBC
	tokAgo
	tokISOTime
)

// The values of tokReserved, tokAMPM and tokADBC.
const (
	resNow = iota
	resToday
	resTomorrow
	resYesterday
	resEpoch
	resInfinity
	resMinusInfinity
	resZulu

	valAM = 1
	valPM = 2
	valAD = 1
	valBC = 2
)

// unit is a field of a date or an interval by name.
type unit int

const (
	unitNone unit = iota
	unitMicrosec
	unitMillisec
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
	unitTime // the "t" of ISO 8601
	unitOther
)

type token struct {
	typ tokenType
	val int
}

// datetimeToken looks a word (in lower case) up among those of dates.
func datetimeToken(word string) (token, bool) {
	t, ok := datetimeTokens[clipToken(word)]
	return t, ok
}

var datetimeTokens = map[string]token{
	"-infinity": {tokReserved, resMinusInfinity}, "infinity": {tokReserved, resInfinity}, "epoch": {tokReserved, resEpoch},
	"now": {tokReserved, resNow}, "today": {tokReserved, resToday}, "tomorrow": {tokReserved, resTomorrow},
	"yesterday": {tokReserved, resYesterday}, "allballs": {tokReserved, resZulu},
	"ad": {tokADBC, valAD}, "bc": {tokADBC, valBC}, "am": {tokAMPM, valAM}, "pm": {tokAMPM, valPM},
	"at": {tokIgnore, 0}, "on": {tokIgnore, 0}, "dst": {tokDSTMod, 3600}, "t": {tokISOTime, int(unitTime)},
	"jan": {tokMonth, 1}, "january": {tokMonth, 1}, "feb": {tokMonth, 2}, "february": {tokMonth, 2},
	"mar": {tokMonth, 3}, "march": {tokMonth, 3}, "apr": {tokMonth, 4}, "april": {tokMonth, 4}, "may": {tokMonth, 5},
	"jun": {tokMonth, 6}, "june": {tokMonth, 6}, "jul": {tokMonth, 7}, "july": {tokMonth, 7},
	"aug": {tokMonth, 8}, "august": {tokMonth, 8}, "sep": {tokMonth, 9}, "sept": {tokMonth, 9}, "september": {tokMonth, 9},
	"oct": {tokMonth, 10}, "october": {tokMonth, 10}, "nov": {tokMonth, 11}, "november": {tokMonth, 11},
	"dec": {tokMonth, 12}, "december": {tokMonth, 12},
	"sun": {tokDOW, 0}, "sunday": {tokDOW, 0}, "mon": {tokDOW, 1}, "monday": {tokDOW, 1},
	"tue": {tokDOW, 2}, "tues": {tokDOW, 2}, "tuesday": {tokDOW, 2},
	"wed": {tokDOW, 3}, "wednesday": {tokDOW, 3}, "weds": {tokDOW, 3},
	"thu": {tokDOW, 4}, "thur": {tokDOW, 4}, "thurs": {tokDOW, 4}, "thursday": {tokDOW, 4},
	"fri": {tokDOW, 5}, "friday": {tokDOW, 5}, "sat": {tokDOW, 6}, "saturday": {tokDOW, 6},
	"j": {tokUnits, int(unitJulian)}, "jd": {tokUnits, int(unitJulian)}, "julian": {tokUnits, int(unitJulian)},
	"d": {tokUnits, int(unitDay)}, "h": {tokUnits, int(unitHour)}, "m": {tokUnits, int(unitMonth)},
	"mm": {tokUnits, int(unitMinute)}, "s": {tokUnits, int(unitSecond)}, "y": {tokUnits, int(unitYear)},
	"dow": {tokUnits, int(unitOther)}, "doy": {tokUnits, int(unitOther)}, "isodow": {tokUnits, int(unitOther)},
	"isoyear": {tokUnits, int(unitOther)},
}

// intervalUnits are the words for units in intervals, at most ten letters of each.
var intervalUnits = map[string]unit{
	"c": unitCentury, "cent": unitCentury, "centuries": unitCentury, "century": unitCentury,
	"d": unitDay, "day": unitDay, "days": unitDay,
	"dec": unitDecade, "decade": unitDecade, "decades": unitDecade, "decs": unitDecade,
	"h": unitHour, "hour": unitHour, "hours": unitHour, "hr": unitHour, "hrs": unitHour,
	"m": unitMinute, "min": unitMinute, "mins": unitMinute, "minute": unitMinute, "minutes": unitMinute,
	"microsecon": unitMicrosec, "us": unitMicrosec, "usec": unitMicrosec, "usecond": unitMicrosec,
	"useconds": unitMicrosec, "usecs": unitMicrosec,
	"mil": unitMillennium, "millennia": unitMillennium, "millennium": unitMillennium, "mils": unitMillennium,
	"millisecon": unitMillisec, "ms": unitMillisec, "msec": unitMillisec, "msecond": unitMillisec,
	"mseconds": unitMillisec, "msecs": unitMillisec,
	"mon": unitMonth, "mons": unitMonth, "month": unitMonth, "months": unitMonth,
	"qtr": unitQuarter, "quarter": unitQuarter,
	"s": unitSecond, "sec": unitSecond, "second": unitSecond, "seconds": unitSecond, "secs": unitSecond,
	"timezone": unitOther, "timezone_h": unitOther, "timezone_m": unitOther,
	"w": unitWeek, "week": unitWeek, "weeks": unitWeek,
	"y": unitYear, "year": unitYear, "years": unitYear, "yr": unitYear, "yrs": unitYear,
}

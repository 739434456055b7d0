package sqlfunc

import (
	"fmt"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var toCharFuncs = []def{
	strict("lc_to_char_ts", 2, timestampToChar),
	strict("lc_to_char_tstz", 3, timestamptzToChar),
	strict("lc_to_char_iv", 2, intervalToChar),
	strict("lc_to_char_num", 3, numberToChar),
	strict("lc_to_number", 2, toNumber),
	strict("lc_to_date", 2, toDate),
	strict("lc_to_timestamp", 3, toTimestamp),
}

// moment is what to_char shows of a timestamp or interval.
type moment struct {
	catalog.Clock
	interval bool
	yearDay  int
	weekDay  int
	zone     string // abbreviation, "" for none
	east     int    // offset in seconds
}

func timestampToChar(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[0].Int()
	if !tsFinite(ts) || len(args[1].Bytes) == 0 {
		return null, nil
	}
	return strResult(momentOf(ts).format(text(args[1])))
}

func momentOf(wall int64) *moment {
	m := &moment{Clock: catalog.ClockOf(wall)}
	jd := catalog.DateToJulian(m.Year, m.Month, m.Day)
	m.yearDay = jd - catalog.DateToJulian(m.Year, 1, 1) + 1
	m.weekDay = dayOfWeek(jd)
	return m
}

func timestamptzToChar(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	ts := args[0].Int()
	if !tsFinite(ts) || len(args[1].Bytes) == 0 {
		return null, nil
	}
	loc, err := sessionZone(args[2])
	if err != nil {
		return null, err
	}
	m := momentOf(catalog.TimestampToLocal(ts, loc))
	m.zone, m.east = catalog.TimeFromTimestamp(ts).In(loc).Zone()
	return strResult(m.format(text(args[1])))
}

func intervalToChar(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	iv, err := interval(args[0])
	if err != nil || len(args[1].Bytes) == 0 {
		return null, err
	}
	m := &moment{interval: true}
	m.Year, m.Month, m.Day = int(iv.Months/12), int(iv.Months%12), int(iv.Days)
	m.Hour, m.Minute = int(iv.Micros/usecHour), int(iv.Micros/usecMinute%60)
	m.Second, m.Microsec = int(iv.Micros/usecSecond%60), int(iv.Micros%usecSecond)
	m.yearDay = int(iv.Months)*30 + int(iv.Days)
	return strResult(m.format(text(args[1])))
}

func (m *moment) format(format string) (string, error) {
	var out strings.Builder
	for _, n := range template(format, true) {
		if n.typ != nodeAction {
			out.WriteString(n.text)
			continue
		}
		s, err := m.field(n)
		if err != nil {
			return "", err
		}
		out.WriteString(s)
		if n.ordinal != "" && s != "" && isDigit(s[len(s)-1]) {
			out.WriteString(ordinalSuffix(s, n.ordinal == "TH"))
		}
	}
	return out.String(), nil
}

// number writes v with leading zeros, a sign taking one more place; FM leaves them out.
func (n node) number(v, width int) string {
	if n.fill {
		width = 0
	} else if v < 0 {
		width++
	}
	return fmt.Sprintf("%0*d", width, v)
}

// word writes a name padded to width, in the case of the pattern.
func (n node) word(s string, width int) string {
	switch {
	case n.key == strings.ToUpper(n.key):
		s = strings.ToUpper(s)
	case n.key == strings.ToLower(n.key):
		s = strings.ToLower(s)
	}
	if n.fill || n.translat {
		width = 0
	}
	return fmt.Sprintf("%-*s", width, s)
}

// shownYear is the year as AD or BC counts it.
func (m *moment) shownYear() int {
	if !m.interval && m.Year <= 0 {
		return 1 - m.Year
	}
	return m.Year
}

func (m *moment) isoShownYear() int {
	if m.interval {
		return m.Year
	}
	y, _ := isoWeek(m.Year, m.Month, m.Day)
	if y <= 0 {
		return 1 - y
	}
	return y
}

func (m *moment) field(n node) (string, error) {
	key := strings.ToUpper(n.key)
	if m.interval {
		switch key {
		case "A.D.", "AD", "B.C.", "BC", "TZ", "TZH", "TZM", "OF", "MONTH", "MON", "DAY", "DY", "D", "ID", "IW", "W":
			return "", withHint(errf("22007", "invalid format specification for an interval value"),
				"Intervals are not tied to specific calendar dates.")
		}
	}
	if s, ok := m.clockField(n, key); ok {
		return s, nil
	}
	if s, ok := m.yearField(n, key); ok {
		return s, nil
	}
	return m.dayField(n, key), nil
}

func (m *moment) clockField(n node, key string) (string, bool) {
	hour12 := m.Hour % 12
	if hour12 == 0 {
		hour12 = 12
	}
	switch key {
	case "A.M.", "P.M.", "AM", "PM":
		half := "am"
		if m.Hour%24 >= 12 {
			half = "pm"
		}
		if strings.Contains(key, ".") {
			half = half[:1] + ".m."
		}
		n.fill = true
		return n.word(half, 0), true
	case "HH", "HH12":
		return n.number(hour12, 2), true
	case "HH24":
		return n.number(m.Hour, 2), true
	case "MI":
		return n.number(m.Minute, 2), true
	case "SS":
		return n.number(m.Second, 2), true
	case "MS":
		return fmt.Sprintf("%03d", m.Microsec/1000), true
	case "US":
		return fmt.Sprintf("%06d", m.Microsec), true
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		digits := int(key[2] - '0')
		return fmt.Sprintf("%06d", m.Microsec)[:digits], true
	case "SSSS", "SSSSS":
		return fmt.Sprint(m.Hour*3600 + m.Minute*60 + m.Second), true
	case "TZ":
		if n.key == "tz" {
			return strings.ToLower(m.zone), true
		}
		return m.zone, true
	case "TZH", "OF":
		sign, east := '+', m.east
		if east < 0 {
			sign, east = '-', -east
		}
		s := fmt.Sprintf("%c%02d", sign, east/3600)
		if n.fill && key == "OF" {
			s = fmt.Sprintf("%c%d", sign, east/3600)
		}
		if key == "OF" && east%3600 != 0 {
			s += fmt.Sprintf(":%02d", east%3600/60)
		}
		return s, true
	case "TZM":
		return fmt.Sprintf("%02d", max(m.east, -m.east)%3600/60), true
	}
	return "", false
}

func (m *moment) yearField(n node, key string) (string, bool) {
	year := m.shownYear()
	if key[0] == 'I' {
		year = m.isoShownYear()
	}
	switch key {
	case "A.D.", "B.C.", "AD", "BC":
		era := "ad"
		if m.Year <= 0 {
			era = "bc"
		}
		if strings.Contains(key, ".") {
			era = era[:1] + "." + era[1:] + "."
		}
		n.fill = true
		return n.word(era, 0), true
	case "CC":
		century := m.Year / 100
		if !m.interval {
			if century = (m.Year-1)/100 + 1; m.Year <= 0 {
				century = m.Year/100 - 1
			}
		}
		if century > 99 || century < -99 {
			return fmt.Sprint(century), true
		}
		return n.number(century, 2), true
	case "Y,YYY":
		return fmt.Sprintf("%d,%03d", year/1000, year%1000), true
	case "YYYY", "IYYY":
		return n.number(year, 4), true
	case "YYY", "IYY":
		return n.number(year%1000, 3), true
	case "YY", "IY":
		return n.number(year%100, 2), true
	case "Y", "I":
		return n.number(year%10, 1), true
	}
	return "", false
}

func (m *moment) dayField(n node, key string) string {
	switch key {
	case "MONTH":
		return n.word(monthNames[m.Month-1], 9)
	case "MON":
		return n.word(monthNames[m.Month-1][:3], 3)
	case "MM":
		return n.number(m.Month, 2)
	case "DAY":
		return n.word(dayNames[m.weekDay], 9)
	case "DY":
		return n.word(dayNames[m.weekDay][:3], 3)
	case "DDD":
		return n.number(m.yearDay, 3)
	case "IDDD":
		y, _ := isoWeek(m.Year, m.Month, m.Day)
		return n.number(catalog.DateToJulian(m.Year, m.Month, m.Day)-isoWeekStart(y, 1)+1, 3)
	case "DD":
		if n.fill {
			return fmt.Sprint(m.Day)
		}
		return fmt.Sprintf("%02d", m.Day)
	case "D":
		return fmt.Sprint(m.weekDay + 1)
	case "ID":
		return fmt.Sprint((m.weekDay+6)%7 + 1)
	case "WW":
		return n.number((m.yearDay-1)/7+1, 2)
	case "IW":
		_, w := isoWeek(m.Year, m.Month, m.Day)
		return n.number(w, 2)
	case "Q":
		if m.Month == 0 {
			return ""
		}
		return fmt.Sprint((m.Month-1)/3 + 1)
	case "W":
		return fmt.Sprint((m.Day-1)/7 + 1)
	case "RM":
		return m.roman(n)
	case "J":
		return fmt.Sprint(catalog.DateToJulian(m.Year, m.Month, m.Day))
	}
	return "" // FX
}

// roman writes the month in Roman numerals. An interval's may be 0 (the twelfth of the years before) or negative.
func (m *moment) roman(n node) string {
	month := m.Month
	switch {
	case month == 0 && m.Year == 0:
		return ""
	case month == 0 && m.Year > 0:
		month = 12
	case month == 0:
		month = 1
	case month < 0:
		month += 13
	}
	return n.word(romanMonth[month-1], 4)
}

package catalog

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/bits"
	"strconv"

	"layercake/pgerror"
)

// Interval is an interval as PostgreSQL keeps it: three parts that do not carry into each other.
type Interval struct {
	Months, Days int32
	Micros       int64
}

var errKeyedForm = errors.New("catalog: malformed keyed value")

// Value returns iv's stored form: the key, '|', and the three parts (STORAGE.md).
func (iv Interval) Value() Value {
	b := make([]byte, 0, 48)
	b = iv.appendKey(b)
	b = append(b, '|')
	b = append(appendInt(b, int64(iv.Months)), ' ')
	b = append(appendInt(b, int64(iv.Days)), ' ')
	return TextBytes(appendInt(b, iv.Micros))
}

// appendKey writes the total of µs (months of 30 days, days of 24 hours) as 96 bits, sign flipped, in hex.
func (iv Interval) appendKey(dst []byte) []byte {
	hi, lo := iv.total()
	var raw [12]byte
	binary.BigEndian.PutUint32(raw[:], uint32(hi)^1<<31)
	binary.BigEndian.PutUint64(raw[4:], lo)
	return hex.AppendEncode(dst, raw[:])
}

// total is the length in µs as a two's complement 128-bit number.
func (iv Interval) total() (hi, lo uint64) {
	days := int64(iv.Months)*30 + int64(iv.Days)
	abs := uint64(days)
	if days < 0 {
		abs = -abs
	}
	hi, lo = bits.Mul64(abs, uint64(usecPerDay))
	if days < 0 {
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	var carry uint64
	lo, carry = bits.Add64(lo, uint64(iv.Micros), 0)
	hi += carry
	if iv.Micros < 0 {
		hi--
	}
	return hi, lo
}

// Compare orders two intervals by their length: -1, 0 or 1.
func (iv Interval) Compare(o Interval) int {
	var a, b [24]byte
	return bytes.Compare(iv.appendKey(a[:0]), o.appendKey(b[:0]))
}

// DecodeInterval takes an interval's stored form apart.
func DecodeInterval(b []byte) (Interval, error) {
	bar := bytes.IndexByte(b, '|')
	if bar < 0 {
		return Interval{}, errKeyedForm
	}
	parts := bytes.Split(b[bar+1:], []byte{' '})
	if len(parts) != 3 {
		return Interval{}, errKeyedForm
	}
	var iv Interval
	mon, err1 := strconv.ParseInt(string(parts[0]), 10, 32)
	day, err2 := strconv.ParseInt(string(parts[1]), 10, 32)
	usec, err3 := strconv.ParseInt(string(parts[2]), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil {
		return Interval{}, errKeyedForm
	}
	iv.Months, iv.Days, iv.Micros = int32(mon), int32(day), usec
	return iv, nil
}

// TimetzValue returns the stored form of a time with time zone: µs since midnight, seconds west of UTC.
func TimetzValue(micros int64, west int) Value {
	b := make([]byte, 0, 48)
	b = appendPadded(b, int(micros+int64(west)*usecPerSec+100000000000000), 15)
	b = appendPadded(b, west+100000, 6)
	b = append(b, '|')
	b = append(appendInt(b, micros), ' ')
	return TextBytes(appendInt(b, int64(west)))
}

// DecodeTimetz takes a time with time zone's stored form apart.
func DecodeTimetz(b []byte) (micros int64, west int, err error) {
	bar := bytes.IndexByte(b, '|')
	if bar < 0 {
		return 0, 0, errKeyedForm
	}
	first, second, ok := bytes.Cut(b[bar+1:], []byte{' '})
	micros, err1 := strconv.ParseInt(string(first), 10, 64)
	west, err2 := strconv.Atoi(string(second))
	if !ok || err1 != nil || err2 != nil || west <= -100000 || west >= 100000 {
		return 0, 0, errKeyedForm
	}
	return micros, west, nil
}

// ApplyTypmod cuts iv to the fields of its typmod and rounds it to its precision.
func (iv Interval) ApplyTypmod(typmod int32) Interval {
	if typmod < 0 {
		return iv
	}
	fields, precision := IntervalTypmod(typmod)
	if fields != intervalFullRange {
		if fields&^(intervalYear|intervalMonth) == 0 {
			iv.Days, iv.Micros = 0, 0
			if fields == intervalYear {
				iv.Months = iv.Months / 12 * 12
			}
		} else {
			switch {
			case fields&intervalSecond != 0:
			case fields&intervalMinute != 0:
				iv.Micros = iv.Micros / usecPerMin * usecPerMin
			case fields&intervalHour != 0:
				iv.Micros = iv.Micros / usecPerHour * usecPerHour
			default:
				iv.Micros = 0
			}
		}
	}
	if precision < 6 {
		iv.Micros = RoundMicros(iv.Micros, int32(precision))
	}
	return iv
}

// AppendText writes iv in the session's IntervalStyle.
func (iv Interval) AppendText(dst []byte, s *OutputSettings) []byte {
	p := iv.parts()
	switch s.IntervalStyle {
	case "iso_8601":
		return p.appendISO(dst)
	case "sql_standard":
		return p.appendSQL(dst)
	case "postgres_verbose":
		return p.appendVerbose(dst)
	}
	return p.appendPostgres(dst)
}

// intervalParts is an interval as it is shown.
type intervalParts struct {
	year, mon, day, hour, min, sec, micro int64
}

func (iv Interval) parts() intervalParts {
	var p intervalParts
	p.year, p.mon = int64(iv.Months)/12, int64(iv.Months)%12
	p.day = int64(iv.Days)
	t := iv.Micros
	p.hour = t / usecPerHour
	t -= p.hour * usecPerHour
	p.min = t / usecPerMin
	t -= p.min * usecPerMin
	p.sec = t / usecPerSec
	p.micro = t - p.sec*usecPerSec
	return p
}

func abs64(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}

// appendSeconds writes seconds and their fraction without sign; fill makes it two digits.
func (p *intervalParts) appendSeconds(dst []byte, fill bool) []byte {
	if fill {
		dst = append2(dst, int(abs64(p.sec)))
	} else {
		dst = appendInt(dst, abs64(p.sec))
	}
	return appendMicros(dst, int(abs64(p.micro)))
}

func appendHour(dst []byte, h int64) []byte {
	if h > 99 {
		return appendUint(dst, uint64(h))
	}
	return append2(dst, int(h))
}

func (p *intervalParts) appendPostgres(dst []byte) []byte {
	zero, before := true, false
	part := func(v int64, name string) {
		if v == 0 {
			return
		}
		if !zero {
			dst = append(dst, ' ')
		}
		if before && v > 0 {
			dst = append(dst, '+')
		}
		dst = append(append(appendInt(dst, v), ' '), name...)
		if v != 1 {
			dst = append(dst, 's')
		}
		before, zero = v < 0, false
	}
	part(p.year, "year")
	part(p.mon, "mon")
	part(p.day, "day")
	if zero || p.hour != 0 || p.min != 0 || p.sec != 0 || p.micro != 0 {
		if !zero {
			dst = append(dst, ' ')
		}
		switch {
		case p.hour < 0 || p.min < 0 || p.sec < 0 || p.micro < 0:
			dst = append(dst, '-')
		case before:
			dst = append(dst, '+')
		}
		dst = append(appendHour(dst, abs64(p.hour)), ':')
		dst = append(append2(dst, int(abs64(p.min))), ':')
		dst = p.appendSeconds(dst, true)
	}
	return dst
}

func (p *intervalParts) appendISO(dst []byte) []byte {
	if *p == (intervalParts{}) {
		return append(dst, "PT0S"...)
	}
	part := func(v int64, c byte) {
		if v != 0 {
			dst = append(appendInt(dst, v), c)
		}
	}
	dst = append(dst, 'P')
	part(p.year, 'Y')
	part(p.mon, 'M')
	part(p.day, 'D')
	if p.hour != 0 || p.min != 0 || p.sec != 0 || p.micro != 0 {
		dst = append(dst, 'T')
	}
	part(p.hour, 'H')
	part(p.min, 'M')
	if p.sec != 0 || p.micro != 0 {
		if p.sec < 0 || p.micro < 0 {
			dst = append(dst, '-')
		}
		dst = append(p.appendSeconds(dst, false), 'S')
	}
	return dst
}

func (p *intervalParts) appendSQL(dst []byte) []byte {
	neg := p.year < 0 || p.mon < 0 || p.day < 0 || p.hour < 0 || p.min < 0 || p.sec < 0 || p.micro < 0
	pos := p.year > 0 || p.mon > 0 || p.day > 0 || p.hour > 0 || p.min > 0 || p.sec > 0 || p.micro > 0
	months := p.year != 0 || p.mon != 0
	times := p.hour != 0 || p.min != 0 || p.sec != 0 || p.micro != 0
	standard := !(neg && pos) && !(months && (times || p.day != 0))
	sign := func(minus bool) byte {
		if minus {
			return '-'
		}
		return '+'
	}
	clock := func() {
		dst = append(appendUint(dst, uint64(abs64(p.hour))), ':')
		dst = append(append2(dst, int(abs64(p.min))), ':')
		dst = p.appendSeconds(dst, true)
	}
	if neg && standard {
		dst = append(dst, '-')
	}
	switch {
	case !neg && !pos:
		return append(dst, '0')
	case !standard:
		dst = append(dst, sign(p.year < 0 || p.mon < 0))
		dst = append(appendInt(dst, abs64(p.year)), '-')
		dst = append(appendInt(dst, abs64(p.mon)), ' ', sign(p.day < 0))
		dst = append(appendInt(dst, abs64(p.day)), ' ', sign(p.hour < 0 || p.min < 0 || p.sec < 0 || p.micro < 0))
		clock()
	case months:
		dst = append(appendInt(dst, abs64(p.year)), '-')
		dst = appendInt(dst, abs64(p.mon))
	default:
		if p.day != 0 {
			dst = append(appendInt(dst, abs64(p.day)), ' ')
		}
		clock()
	}
	return dst
}

func (p *intervalParts) appendVerbose(dst []byte) []byte {
	dst = append(dst, '@')
	zero, before := true, false
	part := func(v int64, name string) {
		if v == 0 {
			return
		}
		if zero {
			before = v < 0
			v = abs64(v)
		} else if before {
			v = -v
		}
		dst = append(append(appendInt(append(dst, ' '), v), ' '), name...)
		if v != 1 {
			dst = append(dst, 's')
		}
		zero = false
	}
	part(p.year, "year")
	part(p.mon, "mon")
	part(p.day, "day")
	part(p.hour, "hour")
	part(p.min, "min")
	if p.sec != 0 || p.micro != 0 {
		dst = append(dst, ' ')
		if p.sec < 0 || p.sec == 0 && p.micro < 0 {
			if zero {
				before = true
			} else if !before {
				dst = append(dst, '-')
			}
		} else if before {
			dst = append(dst, '-')
		}
		dst = append(p.appendSeconds(dst, false), " sec"...)
		if abs64(p.sec) != 1 || p.micro != 0 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if zero {
		dst = append(dst, " 0"...)
	}
	if before {
		dst = append(dst, " ago"...)
	}
	return dst
}

// intervalSum gathers the parts of an interval as it is read; every add reports overflow.
type intervalSum struct {
	micros            int64
	days, months, yrs int64 // each within int32
}

func (a *intervalSum) addMicros(v int64) bool {
	sum := a.micros + v
	if (v > 0 && sum < a.micros) || (v < 0 && sum > a.micros) {
		return false
	}
	a.micros = sum
	return true
}

// units adds v and a fraction of it, in units of scale µs.
func (a *intervalSum) units(v int64, frac float64, scale int64) bool {
	hi, lo := bits.Mul64(uint64(max(v, -v)), uint64(scale))
	if v == math.MinInt64 || hi != 0 || lo > math.MaxInt64 {
		return false
	}
	n := int64(lo)
	if v < 0 {
		n = -n
	}
	return a.addMicros(n) && a.fracMicros(frac, scale)
}

func (a *intervalSum) fracMicros(frac float64, scale int64) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	n := int64(frac)
	if rest := frac - float64(n); rest > 0.5 {
		n++
	} else if rest < -0.5 {
		n--
	}
	return a.addMicros(n)
}

func addInt32(to *int64, v, scale int64) bool {
	if v > math.MaxInt32 || v < math.MinInt32 {
		return false
	}
	sum := *to + v*scale
	if sum > math.MaxInt32 || sum < math.MinInt32 || v*scale > math.MaxInt32 || v*scale < math.MinInt32 {
		return false
	}
	*to = sum
	return true
}

// addDays adds v and a fraction of it, in units of scale days.
func (a *intervalSum) addDays(v int64, frac float64, scale int64) bool {
	return addInt32(&a.days, v, scale) && a.fracDays(frac, scale)
}

func (a *intervalSum) fracDays(frac float64, scale int64) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	n := int64(frac)
	return addInt32(&a.days, n, 1) && a.fracMicros(frac-float64(n), usecPerDay)
}

func (a *intervalSum) addMonths(v int64, frac float64) bool {
	return addInt32(&a.months, v, 1) && a.fracDays(frac, 30)
}

func (a *intervalSum) addYears(v int64, frac float64, scale int64) bool {
	return addInt32(&a.yrs, v, scale) && addInt32(&a.months, int64(math.RoundToEven(frac*float64(scale)*12)), 1)
}

func (a *intervalSum) interval() (Interval, bool) {
	months := a.yrs*12 + a.months
	if months > math.MaxInt32 || months < math.MinInt32 {
		return Interval{}, false
	}
	return Interval{Months: int32(months), Days: int32(a.days), Micros: a.micros}, true
}

// ParseInterval reads an interval in any of the forms that interval_in takes.
func ParseInterval(text string, typmod int32, s *OutputSettings) (Interval, error) {
	if s == nil {
		s = defaultOutput
	}
	fields := intervalFullRange
	if typmod >= 0 {
		fields, _ = IntervalTypmod(typmod)
	}
	p := datetimeParser{settings: s}
	var sum intervalSum
	code := p.split(text)
	if code == dtOK {
		code = p.interval(&sum, fields)
	}
	if code == dtBadFormat {
		sum = intervalSum{}
		code = parseISOInterval(text, &sum)
	}
	if code != dtOK {
		if code == dtFieldOverflow {
			code = dtIntervalOverflow
		}
		return Interval{}, p.error(code, text, "interval")
	}
	iv, ok := sum.interval()
	if !ok {
		return Interval{}, pgerror.New(pgerror.DatetimeFieldOverflow, "interval out of range")
	}
	return iv.ApplyTypmod(typmod), nil
}

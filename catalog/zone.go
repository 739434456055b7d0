package catalog

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the image has no zone files

	"layercake/pgerror"
)

// zoneAbbrev is what a zone abbreviation stands for.
type zoneAbbrev struct {
	offset int    // seconds east of UTC
	dst    bool   // daylight saving time
	zone   string // set: look the abbreviation up in this zone's history
}

var zoneByLowerName = sync.OnceValue(func() map[string]string {
	m := make(map[string]string, len(zoneNames))
	for _, n := range zoneNames {
		m[strings.ToLower(n)] = n
	}
	return m
})

var zoneCache sync.Map // canonical name → *time.Location; bounded by zoneNames

// ZoneNames returns the names of all time zones. The slice is shared and read-only.
func ZoneNames() []string { return zoneNames }

// ZoneAbbreviations calls f for every zone abbreviation of fixed meaning, with its offset in seconds east of UTC.
func ZoneAbbreviations(f func(abbrev string, offset int, dst bool)) {
	for a, z := range zoneAbbrevs {
		if z.zone == "" {
			f(strings.ToUpper(a), z.offset, z.dst)
		}
	}
}

// LookupZone returns the time zone called name, in any case, and its name's right spelling: a name of the IANA
// database, or a POSIX specification of a fixed offset such as "UTC+3", "<-03>3" or "+3" (west positive). nil: no such zone.
func LookupZone(name string) (*time.Location, string) {
	if canon, ok := zoneByLowerName()[strings.ToLower(name)]; ok {
		if l, ok := zoneCache.Load(canon); ok {
			return l.(*time.Location), canon
		}
		l, err := time.LoadLocation(canon)
		if err != nil {
			return nil, ""
		}
		zoneCache.Store(canon, l)
		return l, canon
	}
	return posixZone(name)
}

// posixZone reads a POSIX zone specification without daylight saving time.
func posixZone(name string) (*time.Location, string) {
	rest, abbrev := name, ""
	if strings.HasPrefix(rest, "<") {
		end := strings.IndexByte(rest, '>')
		if end < 0 {
			return nil, ""
		}
		abbrev, rest = rest[1:end], rest[end+1:]
	} else {
		n := 0
		for n < len(rest) && (rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z') {
			n++
		}
		if n == 0 && (rest == "" || !strings.ContainsRune("+-0123456789", rune(rest[0]))) {
			return nil, "" // an offset alone is a zone without an abbreviation
		}
		abbrev, rest = strings.ToUpper(rest[:n]), rest[n:]
	}
	if rest == "" {
		return nil, ""
	}
	west, sign := 0, 1
	switch rest[0] {
	case '-':
		sign = -1
		rest = rest[1:]
	case '+':
		rest = rest[1:]
	}
	unit := 3600
	for part := range strings.SplitSeq(rest, ":") {
		if part == "" || len(part) > 3 || unit == 0 {
			return nil, ""
		}
		v := 0
		for _, c := range []byte(part) {
			if c < '0' || c > '9' {
				return nil, ""
			}
			v = v*10 + int(c-'0')
		}
		if unit == 3600 && v > 167 || unit < 3600 && v > 59 {
			return nil, ""
		}
		west += v * unit
		unit /= 60
	}
	return time.FixedZone(abbrev, -sign*west), name
}

// FixedZone returns the zone of a fixed offset in seconds east of UTC and its name as SET TIME ZONE with a number or an
// interval gives it: "<+03>-03".
func FixedZone(east int) (*time.Location, string) {
	abbrev := string(appendZone(nil, -east))
	posix := string(appendZone(nil, east))
	name := "<" + abbrev + ">" + posix
	return time.FixedZone(abbrev, east), name
}

// ZoneForInput returns the zone that AT TIME ZONE's text argument names, 22023 if there is none: an abbreviation
// (with its offset at the given moment, µs since 2000-01-01 UTC, where its zone's history decides), a zone name, or a
// POSIX specification.
func ZoneForInput(name string, at int64) (*time.Location, error) {
	if a, ok := zoneAbbrevs[strings.ToLower(name)]; ok {
		if a.zone == "" {
			return time.FixedZone(strings.ToUpper(name), a.offset), nil
		}
		if loc, _ := LookupZone(a.zone); loc != nil {
			if off, ok := abbrevOffset(loc, name, floorDiv64(at, usecPerSec)+epochUnix); ok {
				return time.FixedZone(strings.ToUpper(name), off), nil
			}
			return loc, nil
		}
	}
	if loc, _ := LookupZone(name); loc != nil {
		return loc, nil
	}
	return nil, pgerror.New(pgerror.InvalidParameterValue, "time zone \"%s\" not recognized", name)
}

// abbrevOffset finds the offset for which loc uses the abbreviation, in the use nearest before the Unix time at, else
// the first after it.
func abbrevOffset(loc *time.Location, abbrev string, at int64) (int, bool) {
	abbrev = strings.ToUpper(abbrev)
	t := time.Unix(at, 0).In(loc)
	for back := t; ; {
		if n, off := back.Zone(); n == abbrev {
			return off, true
		}
		start, _ := back.ZoneBounds()
		if start.IsZero() {
			break
		}
		back = start.Add(-time.Second)
	}
	for fwd, n := t, 0; n < 200; n++ {
		_, end := fwd.ZoneBounds()
		if end.IsZero() {
			break
		}
		if name, off := end.Zone(); name == abbrev {
			return off, true
		}
		fwd = end
	}
	return 0, false
}

// offsetAt returns loc's offset, in seconds east, at a Unix time.
func offsetAt(loc *time.Location, unix int64) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	_, off := time.Unix(unix, 0).In(loc).Zone()
	return off
}

// localOffset returns the offset, in seconds east, that a clock in loc means by the local time wall (seconds since 1970
// as if it were UTC). A time that does not exist is read by the offset before the change, one that exists twice by the
// offset after it, as PostgreSQL does.
func localOffset(loc *time.Location, wall int64) int {
	if loc == nil || loc == time.UTC {
		return 0
	}
	const day = 86400
	before := time.Unix(wall-day, 0).In(loc)
	_, offBefore := before.Zone()
	for range 4 {
		_, end := before.ZoneBounds()
		if end.IsZero() || end.Unix() > wall+2*day {
			return offBefore
		}
		boundary := end.Unix()
		_, offAfter := end.In(loc).Zone()
		tb, ta := wall-int64(offBefore), wall-int64(offAfter)
		switch {
		case tb < boundary && ta < boundary:
			return offBefore
		case tb >= boundary && ta >= boundary: // past this change; perhaps another follows
			before, offBefore = end.In(loc), offAfter
			continue
		case tb > ta: // the clock was put forward
			return offBefore
		}
		return offAfter
	}
	return offBefore
}

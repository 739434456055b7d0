package catalog

import (
	"sort"
	"strings"
	"time"
)

// ZoneRows returns the rows of pg_timezone_names or pg_timezone_abbrevs (by the relation's name) at the moment now, µs
// since 2000-01-01 UTC, each with a value for every column; nil for another name.
func ZoneRows(name string, now int64) [][]Value {
	at := TimeFromTimestamp(now)
	interval := func(sec int) Value { return Interval{Micros: int64(sec) * usecPerSec}.Value() }
	var rows [][]Value
	switch name {
	case "pg_timezone_names":
		for _, n := range zoneNames {
			loc, _ := LookupZone(n)
			if loc == nil {
				continue
			}
			t := at.In(loc)
			abbrev, offset := t.Zone()
			rows = append(rows, []Value{Str(n), Str(abbrev), interval(offset), Bool(t.IsDST())})
		}
	case "pg_timezone_abbrevs":
		for a, z := range zoneAbbrevs {
			offset, dst := z.offset, z.dst
			if z.zone != "" {
				loc, _ := LookupZone(z.zone)
				if loc == nil {
					continue
				}
				t := at.In(loc)
				if off, ok := abbrevOffset(loc, a, at.Unix()); ok {
					offset = off
					dst = dstOffset(loc, t, off)
				} else {
					_, offset = t.Zone()
					dst = t.IsDST()
				}
			}
			rows = append(rows, []Value{Str(strings.ToUpper(a)), interval(offset), Bool(dst)})
		}
		sort.Slice(rows, func(i, j int) bool { return string(rows[i][0].Bytes) < string(rows[j][0].Bytes) })
	}
	return rows
}

// dstOffset says whether off is loc's daylight saving time around t.
func dstOffset(loc *time.Location, t time.Time, off int) bool {
	for month := range 12 {
		at := time.Date(t.Year(), time.Month(month+1), 15, 0, 0, 0, 0, loc)
		if _, o := at.Zone(); o == off && at.IsDST() {
			return true
		}
	}
	return false
}

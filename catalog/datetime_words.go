package catalog

import "strings"

// wordField reads a field of letters. skip: it means nothing.
func (r *reader) wordField(i int) (skip bool, code dtCode) {
	word := r.fields[i]
	t, zone := lookupZoneToken(word)
	if t.typ == tokUnknown {
		t, _ = datetimeToken(word)
	}
	switch t.typ {
	case tokIgnore:
		return true, dtOK
	case tokReserved:
		return false, r.reserved(t.val)
	case tokMonth:
		c := &r.clock
		r.now = hasMonth
		// A number taken for the month was the day, then.
		if r.mask&hasMonth != 0 && !r.textMonth && r.mask&hasDay == 0 && c.Month >= 1 && c.Month <= 31 && !r.timeOnly {
			c.Day = c.Month
			r.now = hasDay
		}
		r.textMonth = true
		c.Month = t.val
	case tokDSTMod:
		r.now = hasDSTZone | hasDSTMod
		r.zone -= t.val
	case tokDSTZone:
		r.now = hasZone | hasDSTZone
		r.zone = -t.val
	case tokZone:
		r.now = hasZone
		r.zone = -t.val
	case tokDynZone:
		r.now = hasZone | hasDynZone
		r.dynAbbrev = word
		if r.dynZone, _ = LookupZone(zone); r.dynZone == nil {
			return false, dtBadFormat
		}
	case tokAMPM:
		r.now = hasAMPM
		r.meridian = t.val
	case tokADBC:
		r.now = hasADBC
		r.bc = t.val == valBC
	case tokDOW:
		if r.timeOnly {
			return false, dtBadFormat
		}
		r.now = hasDOW
	case tokUnits:
		r.prefix = unit(t.val)
	case tokISOTime:
		if !r.timeOnly && r.mask&hasDate != hasDate {
			return false, dtBadFormat
		}
		if i >= len(r.fields)-1 || r.looks[i+1] != lookNumber && r.looks[i+1] != lookTime && r.looks[i+1] != lookDate {
			return false, dtBadFormat
		}
		r.prefix = unit(t.val)
	case tokUnknown:
		if r.namedZone, _ = LookupZone(word); r.namedZone == nil {
			return false, dtBadFormat
		}
		r.now = hasZone
	default:
		return false, dtBadFormat
	}
	return false, dtOK
}

// lookupZoneToken looks word up among the zone abbreviations; zone is set for one that depends on a zone's history.
func lookupZoneToken(word string) (t token, zone string) {
	a, ok := zoneAbbrevs[word]
	switch {
	case !ok:
		return token{}, ""
	case a.zone != "":
		return token{tokDynZone, 0}, a.zone
	case a.dst:
		return token{tokDSTZone, a.offset}, ""
	}
	return token{tokZone, a.offset}, ""
}

// reserved reads now, today, epoch and their like.
func (r *reader) reserved(word int) dtCode {
	if r.timeOnly && word != resNow && word != resZulu {
		return dtBadFormat
	}
	now := r.settings.now()
	local := ClockOf(TimestampToLocal(now, r.settings.TimeZone))
	switch word {
	case resNow:
		r.now = hasDate | hasTime | hasZone
		if r.timeOnly {
			r.now = hasTime
			r.clock.setTime(local.timeOfDay())
			return dtOK
		}
		r.clock = local
		r.zone = -offsetAt(r.settings.TimeZone, floorDiv64(now, usecPerSec)+epochUnix)
	case resToday, resTomorrow, resYesterday:
		r.now = hasDate
		jd := DateToJulian(local.Year, local.Month, local.Day)
		switch word {
		case resTomorrow:
			jd++
		case resYesterday:
			jd--
		}
		r.clock.Year, r.clock.Month, r.clock.Day = JulianToDate(jd)
		r.julian = true // the year is as it should be
	case resZulu:
		r.now = hasTime | hasZone
		r.clock.setTime(0)
		r.zone = 0
	case resEpoch:
		r.now, r.kind = hasSpecial, dtEpoch
	case resInfinity:
		r.now, r.kind = hasSpecial, dtInfinity
	case resMinusInfinity:
		r.now, r.kind = hasSpecial, dtMinusInfinity
	}
	if word == resNow {
		r.julian = true
	}
	return dtOK
}

// finish checks the parts against each other and works out the zone.
func (r *reader) finish() dtCode {
	if code := r.validateDate(); code != dtOK {
		return code
	}
	c := &r.clock
	if r.meridian != 0 {
		switch {
		case c.Hour > 12:
			return dtFieldOverflow
		case r.meridian == valAM && c.Hour == 12:
			c.Hour = 0
		case r.meridian == valPM && c.Hour != 12:
			c.Hour += 12
		}
	}
	if r.timeOnly {
		if r.timeOverflows() {
			return dtFieldOverflow
		}
		if r.mask&hasTime != hasTime {
			return dtBadFormat
		}
		return r.timeZone()
	}
	if r.kind != dtDate {
		return dtOK // whatever else was written: as PostgreSQL 15
	}
	if r.mask&hasDate != hasDate {
		return dtBadFormat
	}
	if c.Year < -4713 || c.Year > 5874897 {
		return dtOK // out of range, which the caller says
	}
	if r.namedZone == nil && r.dynZone == nil && r.mask&hasZone != 0 {
		return dtOK
	}
	if r.mask&hasDSTMod != 0 {
		return dtBadFormat
	}
	switch {
	case r.namedZone != nil:
		r.zone = -localOffset(r.namedZone, c.wall())
	case r.dynZone != nil:
		r.zone = -r.dynamicOffset(c.wall())
	default:
		r.zone = -localOffset(r.settings.TimeZone, c.wall())
	}
	return dtOK
}

// dynamicOffset is the offset, in seconds east, that the abbreviation stands for near the local time wall.
func (r *reader) dynamicOffset(wall int64) int {
	guess := localOffset(r.dynZone, wall)
	if off, ok := abbrevOffset(r.dynZone, r.dynAbbrev, wall-int64(guess)); ok {
		return off
	}
	return guess
}

// timeZone works out the zone of a time of day: by the date it came with, else by today.
func (r *reader) timeZone() dtCode {
	if r.mask&hasZone != 0 && r.namedZone == nil && r.dynZone == nil {
		return dtOK
	}
	if r.mask&hasDSTMod != 0 {
		return dtBadFormat
	}
	at := r.clock
	if r.mask&hasDate == 0 {
		today := ClockOf(TimestampToLocal(r.settings.now(), r.settings.TimeZone))
		at.Year, at.Month, at.Day = today.Year, today.Month, today.Day
		if r.namedZone != nil && !fixedOffset(r.namedZone.String()) {
			return dtBadFormat // which offset depends on the date
		}
	} else if r.mask&hasDate != hasDate {
		return dtBadFormat
	}
	switch {
	case r.namedZone != nil:
		r.zone = -localOffset(r.namedZone, at.wall())
	case r.dynZone != nil:
		r.zone = -r.dynamicOffset(at.wall())
	default:
		r.zone = -localOffset(r.settings.TimeZone, at.wall())
	}
	return dtOK
}

// fixedOffset says whether the named zone has had one offset for ever.
func fixedOffset(name string) bool {
	loc, _ := LookupZone(name)
	if loc == nil {
		return true // a POSIX specification
	}
	start, end := TimeFromTimestamp(0).In(loc).ZoneBounds()
	return start.IsZero() && end.IsZero()
}

// validateDate checks year, month and day, and settles years of two digits, BC and days of the year (ValidateDate).
func (r *reader) validateDate() dtCode {
	c := &r.clock
	if r.mask&hasYear != 0 && !r.julian {
		switch {
		case r.bc:
			if c.Year <= 0 {
				return dtFieldOverflow
			}
			c.Year = -(c.Year - 1)
		case r.twoDigits:
			switch {
			case c.Year < 0:
				return dtFieldOverflow
			case c.Year < 70:
				c.Year += 2000
			case c.Year < 100:
				c.Year += 1900
			}
		case c.Year <= 0:
			return dtFieldOverflow
		}
	}
	if r.mask&hasDOY != 0 {
		if c.Year > 5874897 {
			return dtFieldOverflow
		}
		c.Year, c.Month, c.Day = JulianToDate(DateToJulian(c.Year, 1, 1) + r.yday - 1)
	}
	if r.mask&hasMonth != 0 && (c.Month < 1 || c.Month > 12) || r.mask&hasDay != 0 && (c.Day < 1 || c.Day > 31) {
		return dtMonthDayOverflow
	}
	if r.mask&hasDate == hasDate && c.Day > DaysInMonth(c.Year, c.Month) {
		return dtFieldOverflow
	}
	return dtOK
}

var monthNames = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
var dayNames = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// alphabetic says whether a zone's abbreviation is one of letters rather than a made-up "+03".
func alphabetic(s string) bool { return s != "" && !strings.ContainsAny(s, "+-0123456789") }

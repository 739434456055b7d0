package catalog

type clockTime struct {
	hour           int64
	minute, second int
	micro          int
}

// decodeClock reads hours, minutes and seconds parted by colons.
func decodeClock(s string, fields int) (t clockTime, code dtCode) {
	var over bool
	if t.hour, s, over = leadingInt64(s); over {
		return t, dtFieldOverflow
	}
	if s == "" || s[0] != ':' {
		return t, dtBadFormat
	}
	if t.minute, s, over = leadingInt(s[1:]); over {
		return t, dtFieldOverflow
	}
	ok := true
	switch {
	case s == "":
		if fields == intervalMinute|intervalSecond { // mm:ss
			t = clockTime{minute: int(min(t.hour, 1<<30)), second: t.minute}
		}
	case s[0] == '.': // mm:ss.fff
		if t.micro, ok = fractionMicros(s); !ok {
			return t, dtBadFormat
		}
		t = clockTime{minute: int(min(t.hour, 1<<30)), second: t.minute, micro: t.micro}
	case s[0] == ':':
		if t.second, s, over = leadingInt(s[1:]); over {
			return t, dtFieldOverflow
		}
		if s != "" {
			if s[0] != '.' {
				return t, dtBadFormat
			}
			if t.micro, ok = fractionMicros(s); !ok {
				return t, dtBadFormat
			}
		}
	default:
		return t, dtBadFormat
	}
	if t.hour < 0 || t.minute < 0 || t.minute > 59 || t.second < 0 || t.second > 60 || t.micro < 0 || t.micro > 1000000 {
		return t, dtFieldOverflow
	}
	return t, dtOK
}

// decodeZone reads ±hh[:mm[:ss]] or ±hhmm and returns seconds WEST of UTC (DecodeTimezone).
func decodeZone(s string) (int, dtCode) {
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, dtBadFormat
	}
	hr, rest, over := leadingInt(s[1:])
	if over {
		return 0, dtZoneOverflow
	}
	mi, sec := 0, 0
	switch {
	case rest != "" && rest[0] == ':':
		if mi, rest, over = leadingInt(rest[1:]); over {
			return 0, dtZoneOverflow
		}
		if rest != "" && rest[0] == ':' {
			if sec, rest, over = leadingInt(rest[1:]); over {
				return 0, dtZoneOverflow
			}
		}
	case rest == "" && len(s) > 3:
		mi, hr = hr%100, hr/100
	}
	if hr < 0 || hr > 15 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
		return 0, dtZoneOverflow
	}
	if rest != "" {
		return 0, dtBadFormat
	}
	west := -((hr*60+mi)*60 + sec)
	if s[0] == '-' {
		west = -west
	}
	return west, dtOK
}

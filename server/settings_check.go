package server

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
)

func parseBool(v string) (string, bool) {
	v = strings.ToLower(strings.TrimSpace(v))
	switch v {
	case "1", "on":
		return "on", true
	case "0", "off":
		return "off", true
	case "":
		return "", false
	}
	for _, w := range []string{"true", "yes"} {
		if strings.HasPrefix(w, v) {
			return "on", true
		}
	}
	for _, w := range []string{"false", "no"} {
		if strings.HasPrefix(w, v) {
			return "off", true
		}
	}
	return "", false
}

func mustBe(want string) func(string) (string, error) {
	return func(v string) (string, error) {
		if b, ok := parseBool(v); ok && b == want {
			return b, nil
		}
		return "", pgerror.New(pgerror.FeatureNotSupported, "only the value \"%s\" is supported", want)
	}
}

func checkIntRange(lo, hi int) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil {
			return "", fmt.Errorf("an integer is required")
		}
		if n < lo || n > hi {
			return "", fmt.Errorf("valid range: %d .. %d", lo, hi)
		}
		return strconv.Itoa(n), nil
	}
}

func checkConsistency(v string) (string, error) {
	if v == "" {
		return "", nil
	}
	return isLevel(v)
}

func checkEncoding(v string) (string, error) {
	name := strings.Map(func(r rune) rune { // as PostgreSQL reads names of encodings: "'utf-8'" is UTF8
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(v))
	switch strings.ToUpper(name) {
	case "UTF8", "UNICODE":
		return "UTF8", nil
	case "SQLASCII":
		return "SQL_ASCII", nil
	}
	for _, known := range strings.Fields(otherEncodings) {
		if name == known {
			return "", pgerror.New(pgerror.FeatureNotSupported, "client encoding \"%s\" is not supported: the server speaks UTF8", v)
		}
	}
	return "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", "client_encoding", v)
}

// otherEncodings are the encodings that PostgreSQL knows besides UTF8, as it compares their names.
const otherEncodings = `abc alt big5 euccn eucjis2004 eucjp euckr euctw gb18030 gbk iso88591 iso885910 iso885913 iso885914
	iso885915 iso885916 iso88592 iso88593 iso88594 iso88595 iso88596 iso88597 iso88598 iso88599 johab koi8 koi8r koi8u latin1
	latin10 latin2 latin3 latin4 latin5 latin6 latin7 latin8 latin9 mskanji muleinternal shiftjis shiftjis2004 sjis tcvn tcvn5712
	uhc vscii win win1250 win1251 win1252 win1253 win1254 win1255 win1256 win1257 win1258 win866 win874 win932 win936 win949
	win950 windows1250 windows1251 windows1252 windows1253 windows1254 windows1255 windows1256 windows1257 windows1258 windows866
	windows874 windows932 windows936 windows949 windows950`

// checkSynchronous takes PostgreSQL's values: none makes a commit less than durable.
func checkSynchronous(v string) (string, error) {
	switch w := strings.ToLower(v); w {
	case "local", "remote_write", "remote_apply":
		return w, nil
	}
	if strings.TrimSpace(v) == v {
		switch strings.ToLower(v) {
		case "on", "true", "yes", "1":
			return "on", nil
		case "off", "false", "no", "0":
			return "off", nil
		}
	}
	return "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", "synchronous_commit", v).
		WithHint("Available values: local, remote_write, remote_apply, on, off.")
}

// parseDuration reads a time setting: a number of milliseconds, or a number with a unit (us, ms, s, min, h, d).
func parseDuration(v string) (time.Duration, error) {
	v = strings.TrimSpace(v)
	i := strings.IndexFunc(v, func(r rune) bool { return (r < '0' || r > '9') && r != '.' && r != '-' && r != '+' })
	num, unit := v, ""
	if i >= 0 {
		num, unit = v[:i], strings.TrimSpace(v[i:])
	}
	f, err := strconv.ParseFloat(num, 64)
	if err != nil {
		return 0, fmt.Errorf("a number with a unit is required")
	}
	u, ok := map[string]time.Duration{"": time.Millisecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	if !ok {
		return 0, fmt.Errorf(`valid units for this parameter are "us", "ms", "s", "min", "h", and "d"`)
	}
	if f < 0 || f*float64(u) > float64(1<<31)*float64(time.Millisecond) {
		return 0, fmt.Errorf("%s is outside the valid range (0 .. 2147483647 ms)", v)
	}
	return time.Duration(f * float64(u)), nil
}

func checkDuration(v string) (string, error) {
	d, err := parseDuration(v)
	if err != nil {
		return "", err
	}
	ms := d.Milliseconds()
	switch {
	case ms == 0:
		return "0", nil
	case ms%3600000 == 0:
		return strconv.FormatInt(ms/3600000, 10) + "h", nil
	case ms%60000 == 0:
		return strconv.FormatInt(ms/60000, 10) + "min", nil
	case ms%1000 == 0:
		return strconv.FormatInt(ms/1000, 10) + "s", nil
	}
	return strconv.FormatInt(ms, 10) + "ms", nil
}

func checkTimeZone(v string) (string, error) {
	name, _, err := loadZone(v)
	return name, err
}

// loadZone finds a zone by name, or as a fixed offset from UTC in hours.
func loadZone(v string) (string, *time.Location, error) {
	v = strings.TrimSpace(v)
	if strings.EqualFold(v, "default") || strings.EqualFold(v, "local") {
		v = "UTC"
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil && f > -16 && f < 16 {
		east, sign := int(f*3600), [2]byte{'+', '-'}
		if east < 0 {
			sign = [2]byte{'-', '+'}
		}
		abs := max(east, -east)
		at := fmt.Sprintf("%02d", abs/3600)
		if abs%3600 != 0 {
			at += fmt.Sprintf(":%02d", abs%3600/60)
		}
		v = fmt.Sprintf("<%c%s>%c%s", sign[0], at, sign[1], at)
	}
	loc, name := catalog.LookupZone(v)
	if loc == nil {
		return "", nil, pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", "TimeZone", v)
	}
	return name, loc, nil
}

func checkDateStyle(v string) (string, error) {
	style, order, err := parseDateStyle(v)
	if err != nil {
		return "", err
	}
	return style + ", " + order, nil
}

func parseDateStyle(v string) (style, order string, err error) {
	style, order = "ISO", "MDY"
	for _, w := range strings.Split(v, ",") {
		switch w = strings.ToLower(strings.TrimSpace(w)); {
		case w == "iso":
			style = "ISO"
		case w == "sql":
			style = "SQL"
		case strings.HasPrefix(w, "postgres"):
			style = "Postgres"
		case w == "german":
			style, order = "German", "DMY"
		case w == "ymd":
			order = "YMD"
		case w == "dmy" || strings.HasPrefix(w, "euro"):
			order = "DMY"
		case w == "mdy" || w == "us" || strings.HasPrefix(w, "noneuro"):
			order = "MDY"
		case w == "default":
		default:
			return "", "", pgerror.New(pgerror.InvalidParameterValue, "invalid value for parameter \"%s\": \"%s\"", "DateStyle", v).
				WithDetail("Unrecognized key word: \"%s\".", w)
		}
	}
	return style, order, nil
}

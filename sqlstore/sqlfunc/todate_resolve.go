package sqlfunc

import (
	"layercake/catalog"
)

func (r *dateReader) rangeError() error {
	return errf("22008", "date/time field value out of range: \"%s\"", r.whole)
}

// resolve puts the fields together.
func (r *dateReader) resolve() (catalog.Clock, error) {
	c := catalog.Clock{Month: 1, Day: 1, Hour: r.hh, Minute: r.mi, Second: r.ss}
	if r.ssss != 0 {
		c.Hour, c.Minute, c.Second = r.ssss/3600, r.ssss/60%60, r.ssss%60
		if r.hh != 0 {
			c.Hour = r.hh
		}
		if r.mi != 0 {
			c.Minute = r.mi
		}
		if r.ss != 0 {
			c.Second = r.ss
		}
	}
	if r.hour12 {
		if c.Hour < 1 || c.Hour > 12 {
			return c, withHint(errf("22007", "hour \"%d\" is invalid for the 12-hour clock", c.Hour),
				"Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if c.Hour %= 12; r.pm != 0 {
			c.Hour += 12
		}
	}
	r.resolveYear(&c)
	if err := r.resolveDay(&c); err != nil {
		return c, err
	}
	c.Microsec = r.ms*1000 + r.us
	if c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > catalog.DaysInMonth(c.Year, c.Month) ||
		c.Hour < 0 || c.Hour >= 24 || c.Minute < 0 || c.Minute >= 60 || c.Second < 0 || c.Second >= 60 ||
		c.Microsec < 0 || c.Microsec >= usecSecond {
		return c, r.rangeError()
	}
	return c, nil
}

func (r *dateReader) resolveYear(c *catalog.Clock) {
	switch {
	case r.year != 0 && r.cc != 0 && r.yearSize <= 2: // the last two digits of a year in the century
		if r.bc != 0 {
			r.cc = -r.cc
		}
		if c.Year = r.year % 100; c.Year != 0 {
			if r.cc < 0 {
				c.Year += (r.cc + 1) * 100
			} else {
				c.Year += (r.cc - 1) * 100
			}
		} else if c.Year = r.cc * 100; r.cc < 0 {
			c.Year++
		}
	case r.year != 0:
		if c.Year = r.year; r.bc != 0 {
			c.Year = -c.Year
		}
		if c.Year < 0 {
			c.Year++
		}
	case r.cc != 0:
		if r.bc != 0 {
			r.cc = -r.cc
		}
		if c.Year = r.cc*100 + 1; r.cc >= 0 {
			c.Year = (r.cc-1)*100 + 1
		}
	}
}

func (r *dateReader) resolveDay(c *catalog.Clock) error {
	if r.j != 0 {
		c.Year, c.Month, c.Day = catalog.JulianToDate(r.j)
	}
	if r.ww != 0 {
		if r.mode == 'i' {
			jd := isoWeekStart(c.Year, r.ww)
			if r.d > 1 {
				jd += r.d - 2
			} else if r.d == 1 { // Sunday ends the week
				jd += 6
			}
			c.Year, c.Month, c.Day = catalog.JulianToDate(jd)
		} else {
			r.ddd = (r.ww-1)*7 + 1
		}
	}
	if r.w != 0 {
		r.dd = (r.w-1)*7 + 1
	}
	if r.dd != 0 {
		c.Day = r.dd
	}
	if r.mm != 0 {
		c.Month = r.mm
	}
	if r.ddd != 0 && (c.Month <= 1 || c.Day <= 1) {
		if c.Year == 0 && r.bc == 0 {
			return errf("22007", "cannot calculate day of year without year information")
		}
		first := catalog.DateToJulian(c.Year, 1, 1)
		length := 365
		if catalog.DaysInMonth(c.Year, 2) == 29 {
			length = 366
		}
		if r.mode == 'i' {
			first, length = isoWeekStart(c.Year, 1), 371
		}
		if r.ddd < 1 || r.ddd > length {
			return r.rangeError()
		}
		c.Year, c.Month, c.Day = catalog.JulianToDate(first + r.ddd - 1)
	}
	return nil
}

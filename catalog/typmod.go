package catalog

import (
	"strconv"

	"layercake/pgerror"
)

// Type modifiers, as PostgreSQL packs them into pg_attribute.atttypmod: varchar(n) and char(n) as n+4; numeric(p,s) as
// (p<<16 | s&0x7ff)+4; time and timestamp as the number of fractional digits; interval as fields<<16 | digits; bit(n)
// as n. -1 is none.

const (
	varhdr = 4

	maxAttrSize         = 10485760 // MaxAttrSize: the longest n of varchar(n)
	maxNumericPrecision = 1000
	maxTimePrecision    = 6

	// Field masks of interval's typmod: 1 << the field's number in datetime.h.
	intervalMonth     = 1 << 1
	intervalYear      = 1 << 2
	intervalDay       = 1 << 3
	intervalHour      = 1 << 10
	intervalMinute    = 1 << 11
	intervalSecond    = 1 << 12
	intervalFullRange = 0x7FFF
	intervalFullPrec  = 0xFFFF
)

// EncodeTypmod packs the modifiers written in parentheses after a type's name, as the type's typmodin function does.
// For interval mods[0] is the mask of fields (as the grammar gives it) and mods[1] the precision.
func EncodeTypmod(oid uint32, mods []int64) (int32, error) {
	if len(mods) == 0 {
		return -1, nil
	}
	base := oid
	if e := ElemOf(oid); e != 0 {
		base = e
	}
	switch base {
	case VarcharOID, BpcharOID, BitOID, VarbitOID:
		name := map[uint32]string{VarcharOID: "varchar", BpcharOID: "char", BitOID: "bit", VarbitOID: "varbit"}[base]
		if len(mods) != 1 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "invalid type modifier")
		}
		limit := int64(maxAttrSize)
		if base == BitOID || base == VarbitOID {
			limit *= 8
		}
		if mods[0] < 1 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "length for type %s must be at least 1", name)
		}
		if mods[0] > limit {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "length for type %s cannot exceed %d", name, limit)
		}
		if base == BitOID || base == VarbitOID {
			return int32(mods[0]), nil
		}
		return int32(mods[0]) + varhdr, nil
	case NumericOID:
		if len(mods) > 2 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "invalid NUMERIC type modifier")
		}
		if mods[0] < 1 || mods[0] > maxNumericPrecision {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "NUMERIC precision %d must be between 1 and 1000", mods[0])
		}
		scale := int64(0)
		if len(mods) == 2 {
			scale = mods[1]
		}
		if scale < -1000 || scale > 1000 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "NUMERIC scale %d must be between -1000 and 1000", scale)
		}
		return int32(mods[0]<<16|scale&0x7ff) + varhdr, nil
	case TimeOID, TimetzOID, TimestampOID, TimestamptzOID:
		name, tz := "TIME", ""
		if base == TimestampOID || base == TimestamptzOID {
			name = "TIMESTAMP"
		}
		if base == TimetzOID || base == TimestamptzOID {
			tz = " WITH TIME ZONE"
		}
		if len(mods) != 1 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "invalid type modifier")
		}
		if mods[0] < 0 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "%s(%d)%s precision must not be negative", name, mods[0], tz)
		}
		return int32(min(mods[0], maxTimePrecision)), nil // PostgreSQL reduces it too, with a warning
	case IntervalOID:
		if len(mods) > 2 || mods[0] < 0 || mods[0] > intervalFullRange {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "invalid INTERVAL type modifier")
		}
		if len(mods) == 1 {
			if mods[0] == intervalFullRange {
				return -1, nil
			}
			return int32(mods[0]<<16 | intervalFullPrec), nil
		}
		if mods[1] < 0 {
			return 0, pgerror.New(pgerror.InvalidParameterValue, "INTERVAL(%d) precision must not be negative", mods[1])
		}
		return int32(mods[0]<<16 | min(mods[1], maxTimePrecision)), nil
	}
	name := "?"
	if t := typesByOID[oid]; t != nil {
		name = t.Name
	}
	return 0, pgerror.New(pgerror.SyntaxError, "type modifier is not allowed for type \"%s\"", name)
}

// CharTypmod returns n of varchar(n) or char(n), -1 for none.
func CharTypmod(typmod int32) int {
	if typmod < varhdr {
		return -1
	}
	return int(typmod) - varhdr
}

// NumericTypmod returns the precision and scale of numeric(p,s); ok is false for plain numeric.
func NumericTypmod(typmod int32) (precision, scale int, ok bool) {
	if typmod < varhdr {
		return 0, 0, false
	}
	m := int(typmod) - varhdr
	return m >> 16 & 0xffff, (m&0x7ff ^ 1024) - 1024, true
}

// IntervalTypmod returns the mask of fields (1<<2 year, 1<<1 month, 1<<3 day, 1<<10 hour, 1<<11 minute, 1<<12 second;
// 0x7FFF all) and the number of fractional digits (0xFFFF: any) of interval's typmod.
func IntervalTypmod(typmod int32) (fields, precision int) {
	if typmod < 0 {
		return intervalFullRange, intervalFullPrec
	}
	return int(typmod>>16) & 0x7FFF, int(typmod) & 0xFFFF
}

// formatNames are the SQL names that format_type shows; with a modifier it stands at the '%', else at the end.
var formatNames = map[uint32]string{
	BitOID:         "bit",
	BoolOID:        "boolean",
	BpcharOID:      "character",
	Float4OID:      "real",
	Float8OID:      "double precision",
	Int2OID:        "smallint",
	Int4OID:        "integer",
	Int8OID:        "bigint",
	NumericOID:     "numeric",
	IntervalOID:    "interval",
	TimeOID:        "time% without time zone",
	TimetzOID:      "time% with time zone",
	TimestampOID:   "timestamp% without time zone",
	TimestamptzOID: "timestamp% with time zone",
	VarbitOID:      "bit varying",
	VarcharOID:     "character varying",
}

// FormatType returns the type's SQL name with its modifier, as format_type(oid, typmod) does; typmod -1 is a given
// "none", for which char and bit have other names.
func FormatType(oid uint32, typmod int32) string { return formatType(oid, typmod, true) }

// FormatTypeName returns the type's SQL name without a modifier, as format_type(oid, NULL) does.
func FormatTypeName(oid uint32) string { return formatType(oid, -1, false) }

func formatType(oid uint32, typmod int32, given bool) string {
	if oid == 0 {
		return "-"
	}
	t := typesByOID[oid]
	if t == nil {
		return "???"
	}
	if t.IsArray() && t.Storage != 'p' {
		return formatType(t.Elem, typmod, given) + "[]"
	}
	name, ok := formatNames[oid]
	if !ok || given && typmod < 0 && (oid == BpcharOID || oid == BitOID) {
		name = QuoteIdent(t.Name)
		if typmod >= 0 {
			name += "(" + strconv.Itoa(int(typmod)) + ")"
		}
		return name
	}
	return insertTypmod(name, formatTypmod(oid, typmod))
}

// insertTypmod puts mod at name's '%', else behind it.
func insertTypmod(name, mod string) string {
	for i := 0; i < len(name); i++ {
		if name[i] == '%' {
			return name[:i] + mod + name[i+1:]
		}
	}
	return name + mod
}

// formatTypmod writes typmod as the type's typmodout function does.
func formatTypmod(oid uint32, typmod int32) string {
	if typmod < 0 {
		return ""
	}
	switch oid {
	case VarcharOID, BpcharOID:
		if typmod > varhdr {
			return "(" + strconv.Itoa(int(typmod)-varhdr) + ")"
		}
	case NumericOID:
		if p, s, ok := NumericTypmod(typmod); ok {
			return "(" + strconv.Itoa(p) + "," + strconv.Itoa(s) + ")"
		}
	case TimeOID, TimetzOID, TimestampOID, TimestamptzOID, BitOID, VarbitOID:
		return "(" + strconv.Itoa(int(typmod)) + ")"
	case IntervalOID:
		fields, prec := IntervalTypmod(typmod)
		s := intervalFieldNames[fields]
		if prec != intervalFullPrec {
			s += "(" + strconv.Itoa(prec) + ")"
		}
		return s
	}
	return ""
}

var intervalFieldNames = map[int]string{
	intervalYear:                  " year",
	intervalMonth:                 " month",
	intervalDay:                   " day",
	intervalHour:                  " hour",
	intervalMinute:                " minute",
	intervalSecond:                " second",
	intervalYear | intervalMonth:  " year to month",
	intervalDay | intervalHour:    " day to hour",
	intervalHour | intervalMinute: " hour to minute",
	intervalDay | intervalHour | intervalMinute:                  " day to minute",
	intervalDay | intervalHour | intervalMinute | intervalSecond: " day to second",
	intervalHour | intervalMinute | intervalSecond:               " hour to second",
	intervalMinute | intervalSecond:                              " minute to second",
}

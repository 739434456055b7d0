package pgsql

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"layercake/catalog"
)

// literal writes a value as an SQLite literal.
func literal(v catalog.Value) string {
	switch v.Kind {
	case catalog.Integer:
		return strconv.FormatInt(v.Int(), 10)
	case catalog.Real:
		f := v.Float()
		switch {
		case math.IsInf(f, 1):
			return "9e999"
		case math.IsInf(f, -1):
			return "-9e999"
		}
		s := strconv.FormatFloat(f, 'g', 17, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case catalog.Text:
		return quoteText(string(v.Bytes))
	case catalog.Blob:
		return "x'" + hex.EncodeToString(v.Bytes) + "'"
	}
	return "NULL"
}

package sqlfunc

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var numberFuncs = []def{
	strict("lc_width_bucket_array", 3, widthBucketArray),
	strict("lc_nseries", 3, numericSeries),
	strict("lc_subscripts", 3, subscripts),
	strict("lc_size_pretty", 1, sizePretty),
	strict("lc_size_bytes", 1, sizeBytes),
}

var errCount = errors.New("wrong number of arguments")

func compareFloats(a, b float64) int {
	switch an, bn := math.IsNaN(a), math.IsNaN(b); {
	case an && bn:
		return 0
	case an:
		return 1
	case bn:
		return -1
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

var intTypes = map[uint32]struct {
	bits uint
	name string
}{catalog.Int2OID: {16, "smallint"}, catalog.Int4OID: {32, "integer"}, catalog.Int8OID: {64, "bigint"}}

// roundToInt casts a numeric or float to an integer type, as their casts round.
func roundToInt(v catalog.Value, from, to uint32) (catalog.Value, error) {
	t := intTypes[to]
	if from != catalog.NumericOID {
		f := math.RoundToEven(v.Float())
		limit := math.Ldexp(1, int(t.bits-1))
		if math.IsNaN(f) || f < -limit || f >= limit {
			return null, errf("22003", "%s out of range", t.name)
		}
		return catalog.Int(int64(f)), nil
	}
	n, err := catalog.DecodeNumeric(v.Bytes)
	if err != nil {
		return null, badArgs("numeric", err)
	}
	switch n.Class {
	case catalog.NumericNaN:
		return null, errf("0A000", "cannot convert NaN to %s", t.name)
	case catalog.NumericInf:
		return null, errf("0A000", "cannot convert infinity to %s", t.name)
	}
	n.Round(0)
	c, _ := n.Big()
	if !c.IsInt64() || c.Int64() != c.Int64()<<(64-t.bits)>>(64-t.bits) {
		return null, errf("22003", "%s out of range", t.name)
	}
	return catalog.Int(c.Int64()), nil
}

// widthBucketArray finds the bucket of a value among ascending lower bounds: value, bounds, the bounds' array type.
func widthBucketArray(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	dims, elems, err := catalog.DecodeArray(args[1].Bytes)
	if err != nil {
		return null, badArgs("lc_width_bucket_array", err)
	}
	if len(dims) > 1 {
		return null, errf("2202E", "thresholds must be one-dimensional array")
	}
	typ := elemType(uint32(args[2].Int()))
	lo, hi := 0, len(elems)
	for lo < hi {
		mid := (lo + hi) / 2
		if elems[mid].IsNull() {
			return null, errf("22004", "thresholds array must not contain NULLs")
		}
		if compareStored(typ, args[0], elems[mid]) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return catalog.Int(int64(lo)), nil
}

// maxSeries bounds the series that are made whole.
const maxSeries = 10_000_000

func errSeries() error {
	return errf("54000", "generate_series of this type may have %d rows at most", maxSeries)
}

// numericSeries is generate_series of numeric: start, stop, step.
func numericSeries(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	var num [3]catalog.Numeric
	for i, what := range [3]string{"start value", "stop value", "step size"} {
		n, err := catalog.DecodeNumeric(args[i].Bytes)
		if err != nil {
			return null, badArgs("lc_nseries", err)
		}
		switch n.Class {
		case catalog.NumericNaN:
			return null, errf("22023", "%s cannot be NaN", what)
		case catalog.NumericInf:
			return null, errf("22023", "%s cannot be infinity", what)
		}
		num[i] = n
	}
	if num[2].IsZero() {
		return null, errf("22023", "step size cannot equal zero")
	}
	// All three as integers of one scale; a term shows the greater of start's and step's digits, the first start's own.
	scale := max(num[0].Scale, num[1].Scale, num[2].Scale)
	var c [3]*big.Int
	for i := range num {
		v, s := num[i].Big()
		c[i] = new(big.Int).Mul(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-s)), nil))
	}
	shown := num[0].Scale
	var elems []catalog.Value
	for x := c[0]; ; {
		if d := x.Cmp(c[1]); d*c[2].Sign() > 0 {
			break
		}
		if len(elems) >= maxSeries {
			return null, errSeries()
		}
		n := catalog.NumericFromBig(new(big.Int).Set(x), scale)
		n.Round(shown)
		elems = append(elems, n.Value())
		x = new(big.Int).Add(x, c[2])
		shown = max(shown, num[2].Scale)
	}
	return catalog.EncodeArray(catalog.NumericOID, catalog.Vector(len(elems)), elems), nil
}

// subscripts is generate_subscripts: array, dimension, whether from the last to the first.
func subscripts(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	dims, _, err := catalog.DecodeArray(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_subscripts", err)
	}
	var elems []catalog.Value
	if d := args[1].Int(); d >= 1 && d <= int64(len(dims)) {
		dim := dims[d-1]
		for i := range dim.Len {
			at := dim.Lower + i
			if args[2].Bool() {
				at = dim.Lower + dim.Len - 1 - i
			}
			elems = append(elems, catalog.Int(int64(at)))
		}
	}
	return catalog.EncodeArray(catalog.Int4OID, catalog.Vector(len(elems)), elems), nil
}

var sizeUnits = []string{"bytes", "kB", "MB", "GB", "TB", "PB"}

// sizePretty is pg_size_pretty: from 10 kB on in the unit above, halves rounded up.
func sizePretty(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	n := args[0].Int()
	abs := func(n int64) uint64 {
		if n < 0 {
			return -uint64(n)
		}
		return uint64(n)
	}
	if abs(n) < 10*1024 {
		return catalog.Str(strconv.FormatInt(n, 10) + " bytes"), nil
	}
	n /= 1 << 9 // one bit is kept for rounding
	for i := 1; ; i++ {
		if abs(n) < 20*1024-1 || i == len(sizeUnits)-1 {
			if n < 0 {
				n--
			} else {
				n++
			}
			return catalog.Str(strconv.FormatInt(n/2, 10) + " " + sizeUnits[i]), nil
		}
		n /= 1 << 10
	}
}

// sizeBytes is pg_size_bytes: a number and a unit.
func sizeBytes(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	whole := text(args[0])
	s := strings.TrimSpace(whole)
	n := 0
	for n < len(s) && (strings.IndexByte("+-.0123456789", s[n]) >= 0 ||
		(s[n] == 'e' || s[n] == 'E') && n+1 < len(s) && strings.IndexByte("+-0123456789", s[n+1]) >= 0) {
		n++
	}
	num, ok := new(big.Rat).SetString(s[:n])
	if !ok || n == 0 {
		return null, errf("22023", "invalid size: \"%s\"", whole)
	}
	unit := strings.TrimSpace(s[n:])
	if unit != "" {
		at := slices.IndexFunc(sizeUnits, func(u string) bool { return strings.EqualFold(u, unit) })
		if at < 0 {
			err := withDetail(errf("22023", "invalid size: \"%s\"", whole), "Invalid size unit: \""+unit+"\".")
			return null, withHint(err, "Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
		}
		num.Mul(num, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(10*at))))
	}
	out, ok := new(big.Int).SetString(num.FloatString(0), 10)
	if !ok || !out.IsInt64() {
		return null, errf("22003", "bigint out of range")
	}
	return catalog.Int(out.Int64()), nil
}

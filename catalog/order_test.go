package catalog_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"layercake/catalog"
)

// decimalText draws a decimal number in PostgreSQL's syntax, with exponents far apart now and then.
func decimalText(t *rapid.T, label string) string {
	s := rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{0,12})?`).Draw(t, label)
	if rapid.IntRange(0, 3).Draw(t, label+" exponent?") == 0 {
		s += fmt.Sprintf("e%d", rapid.IntRange(-400, 400).Draw(t, label+" exponent"))
	}
	return s
}

func mustNumeric(t *rapid.T, text string) catalog.Numeric {
	n, err := catalog.ParseNumeric([]byte(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return n
}

// rtrim compares as SQLite's RTRIM collation does.
func rtrim(a, b []byte) int { return bytes.Compare(bytes.TrimRight(a, " "), bytes.TrimRight(b, " ")) }

func TestNumericStoredOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := decimalText(t, "x"), decimalText(t, "y")
		if rapid.IntRange(0, 4).Draw(t, "near?") == 0 {
			y = x + "0" // the same value, or one digit apart
			if !strings.ContainsAny(x, ".e") {
				y = x + ".0"
			}
			if strings.Contains(x, "e") {
				y = x
			}
		}
		a, b := mustNumeric(t, x), mustNumeric(t, y)
		ra, _ := new(big.Rat).SetString(x)
		rb, _ := new(big.Rat).SetString(y)
		va, vb := a.Value(), b.Value()
		if got, want := rtrim(va.Bytes, vb.Bytes), ra.Cmp(rb); got != want {
			t.Fatalf("%s (%q) against %s (%q): stored forms compare %d, numbers %d", x, va.Bytes, y, vb.Bytes, got, want)
		}
		back, err := catalog.DecodeNumeric(va.Bytes)
		if err != nil || back.String() != a.String() || back.Scale != a.Scale {
			t.Fatalf("%s stored as %q came back as %s, %v", x, va.Bytes, back.String(), err)
		}
		c, s := a.Big()
		if from := catalog.NumericFromBig(c, s); !from.Value().Equal(va) {
			t.Fatalf("%s: through big.Int %s", x, from.String())
		}
	})
}

func TestNumericSpecialOrder(t *testing.T) {
	order := []string{"-Infinity", "-1e131071", "-10", "-1.5", "-1e-16383", "0", "1e-16383", "0.1", "0.15", "0.2", "1", "9.99", "10", "1e40", "1e41", "1e131071", "Infinity", "NaN"}
	for i, x := range order {
		for j, y := range order {
			a, err1 := catalog.ParseNumeric([]byte(x))
			b, err2 := catalog.ParseNumeric([]byte(y))
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if got, want := rtrim(a.AppendStored(nil), b.AppendStored(nil)), cmp.Compare(i, j); got != want {
				t.Errorf("%s against %s: %d, want %d", x, y, got, want)
			}
		}
	}
}

// TestNumericStoredForm pins the form that C and Go share.
func TestNumericStoredForm(t *testing.T) {
	for text, want := range map[string]string{
		"1.50": "3P15 ", "0": "2", "0.00": "2  ", "-1.5": "1N84~", "-1.50": "1N84~ ", "100": "3R1", "0.001": "3M1",
		"1e41": "3~0000421", "1e-42": "3!0199591", "-1e41": "1!9999578~", "-1e-42": "1~9800408~", "NaN": "5", "Infinity": "4", "-Infinity": "0",
	} {
		n, err := catalog.ParseNumeric([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(n.AppendStored(nil)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func lckey(v catalog.Value) string {
	key, _, _ := strings.Cut(string(v.Bytes), "|")
	return key
}

func TestIntervalStoredOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (catalog.Interval, *big.Int) {
			iv := catalog.Interval{
				Months: rapid.Int32().Draw(t, label+" months"), Days: rapid.Int32().Draw(t, label+" days"), Micros: rapid.Int64().Draw(t, label+" µs"),
			}
			days := new(big.Int).Add(big.NewInt(int64(iv.Months)*30), big.NewInt(int64(iv.Days)))
			return iv, days.Mul(days, big.NewInt(86400000000)).Add(days, big.NewInt(iv.Micros))
		}
		a, na := draw("a")
		b, nb := draw("b")
		if got, want := strings.Compare(lckey(a.Value()), lckey(b.Value())), na.Cmp(nb); got != want || a.Compare(b) != want {
			t.Fatalf("%v against %v: keys compare %d, lengths %d", a, b, got, want)
		}
		if back, err := catalog.DecodeInterval(a.Value().Bytes); err != nil || back != a {
			t.Fatalf("%v came back as %v, %v", a, back, err)
		}
	})
}

func TestTimetzStoredOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ta, tb := rapid.Int64Range(0, 86400000000).Draw(t, "ta"), rapid.Int64Range(0, 86400000000).Draw(t, "tb")
		za, zb := rapid.IntRange(-57599, 57599).Draw(t, "za"), rapid.IntRange(-57599, 57599).Draw(t, "zb")
		if rapid.Bool().Draw(t, "same moment") {
			tb = ta + int64(za-zb)*1000000
			if tb < 0 || tb > 86400000000 {
				t.Skip("no time of day: another case is drawn")
			}
		}
		want := cmp.Or(cmp.Compare(ta+int64(za)*1000000, tb+int64(zb)*1000000), cmp.Compare(za, zb))
		if got := strings.Compare(lckey(catalog.TimetzValue(ta, za)), lckey(catalog.TimetzValue(tb, zb))); got != want {
			t.Fatalf("%d %d against %d %d: got %d, want %d", ta, za, tb, zb, got, want)
		}
	})
}

// compareElements orders two elements as PostgreSQL's array comparison does: NULL last.
func compareElements(a, b catalog.Value, elem uint32) int {
	if a.IsNull() || b.IsNull() {
		return cmp.Compare(map[bool]int{true: 1}[a.IsNull()], map[bool]int{true: 1}[b.IsNull()])
	}
	switch elem {
	case catalog.Int8OID:
		return cmp.Compare(a.Int(), b.Int())
	case catalog.Float8OID:
		x, y := a.Float(), b.Float()
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(map[bool]int{true: 1}[math.IsNaN(x)], map[bool]int{true: 1}[math.IsNaN(y)])
		}
		return cmp.Compare(x, y)
	case catalog.NumericOID:
		return rtrim(a.Bytes, b.Bytes)
	}
	return bytes.Compare(a.Bytes, b.Bytes)
}

func TestArrayStoredOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elem := rapid.SampledFrom([]uint32{catalog.Int8OID, catalog.Float8OID, catalog.TextOID, catalog.NumericOID, catalog.ByteaOID}).Draw(t, "type")
		draw := func(label string) []catalog.Value {
			var vs []catalog.Value
			for range rapid.IntRange(0, 4).Draw(t, label+" length") {
				v := catalog.Value{}
				switch {
				case rapid.IntRange(0, 5).Draw(t, "null?") == 0:
				case elem == catalog.Int8OID:
					v = catalog.Int(rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 255, 256, math.MaxInt64}).Draw(t, label))
				case elem == catalog.Float8OID:
					v = catalog.Float(rapid.SampledFrom([]float64{math.NaN(), math.Inf(-1), -1.5, 0, 1e-300, 2, math.Inf(1)}).Draw(t, label))
				case elem == catalog.NumericOID:
					n := mustNumeric(t, decimalText(t, label))
					v = n.Value()
				case elem == catalog.TextOID:
					v = catalog.Str(rapid.StringMatching(`[a-c]{0,3}`).Draw(t, label))
				default:
					v = catalog.BlobBytes(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 3, 0xFF}), 0, 3).Draw(t, label))
				}
				vs = append(vs, v)
			}
			return vs
		}
		a, b := draw("a"), draw("b")
		want := cmp.Compare(len(a), len(b))
		for i := range min(len(a), len(b)) {
			if c := compareElements(a[i], b[i], elem); c != 0 {
				want = c
				break
			}
		}
		va, vb := catalog.EncodeArray(elem, nil, a), catalog.EncodeArray(elem, nil, b)
		got := bytes.Compare(va.Bytes, vb.Bytes)
		if want != 0 && got != want {
			t.Fatalf("%v against %v: stored forms compare %d, want %d", a, b, got, want)
		}
		dims, elems, err := catalog.DecodeArray(va.Bytes)
		if err != nil || len(elems) != len(a) || len(a) > 0 && (len(dims) != 1 || dims[0] != catalog.ArrayDim{Len: int32(len(a)), Lower: 1}) {
			t.Fatalf("%v came back as %v %v, %v", a, dims, elems, err)
		}
		for i := range elems {
			if !elems[i].Equal(a[i]) {
				t.Fatalf("%v came back as %v", a, elems)
			}
		}
	})
}

// TestAppendTextDoesNotAllocate covers the types that most results are made of.
func TestAppendTextDoesNotAllocate(t *testing.T) {
	s := catalog.DefaultOutput()
	s.TimeZone, s.TimeZoneName = catalog.LookupZone("Europe/Berlin")
	num := mustParse(t, "12345.670")
	dst := make([]byte, 0, 256)
	for _, c := range []struct {
		oid uint32
		v   catalog.Value
	}{
		{catalog.Int4OID, catalog.Int(-1234567)}, {catalog.Int8OID, catalog.Int(1 << 60)}, {catalog.TextOID, catalog.Str("some text")},
		{catalog.BoolOID, catalog.Bool(true)}, {catalog.Float8OID, catalog.Float(3.14159)}, {catalog.NumericOID, num},
		{catalog.DateOID, catalog.Int(9000)}, {catalog.TimestampOID, catalog.Int(777777777777777)},
		{catalog.TimestamptzOID, catalog.Int(777777777777777)}, {catalog.UUIDOID, catalog.BlobBytes(make([]byte, 16))},
		{catalog.ByteaOID, catalog.BlobBytes(make([]byte, 40))}, {catalog.BpcharOID, catalog.Str("ab")},
	} {
		if n := testing.AllocsPerRun(100, func() { catalog.AppendText(dst, c.oid, 9, c.v, s) }); n != 0 {
			t.Errorf("%s: %v allocations", catalog.FormatType(c.oid, -1), n)
		}
	}
}

func mustParse(t testing.TB, text string) catalog.Value {
	n, err := catalog.ParseNumeric([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return n.Value()
}

func BenchmarkAppendText(b *testing.B) {
	s := catalog.DefaultOutput()
	dst := make([]byte, 0, 256)
	for _, c := range []struct {
		oid uint32
		v   catalog.Value
	}{
		{catalog.Int4OID, catalog.Int(-1234567)}, {catalog.NumericOID, mustParse(b, "12345.670")}, {catalog.TimestamptzOID, catalog.Int(777777777777777)},
		{catalog.Float8OID, catalog.Float(3.14159)},
	} {
		b.Run(catalog.FormatType(c.oid, -1), func(b *testing.B) {
			for b.Loop() {
				catalog.AppendText(dst, c.oid, -1, c.v, s)
			}
		})
	}
}

func BenchmarkDecodeText(b *testing.B) {
	s := catalog.DefaultOutput()
	for _, c := range []struct {
		oid uint32
		in  string
	}{
		{catalog.Int4OID, "-1234567"}, {catalog.NumericOID, "12345.670"}, {catalog.TimestamptzOID, "2024-01-15 12:34:56.789"},
		{catalog.TimestamptzOID, "2024-01-15 12:34:56.789+02"}, {catalog.JSONBOID, `{"b": [1, 2.50], "a": "x"}`}, {catalog.Int4ArrayOID, "{1,2,3}"},
	} {
		b.Run(c.in, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := catalog.DecodeText(c.oid, -1, []byte(c.in), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestArrayStoredOrderOfZeroBytes pins the order where the end of an element and its bytes look alike.
func TestArrayStoredOrderOfZeroBytes(t *testing.T) {
	b := func(elems ...string) catalog.Value {
		vs := make([]catalog.Value, len(elems))
		for i, e := range elems {
			vs[i] = catalog.BlobBytes([]byte(e))
		}
		return catalog.EncodeArray(catalog.ByteaOID, nil, vs)
	}
	order := []catalog.Value{
		b(), b(""), b("", ""), b("", "\x00"), b("\x00"), b("\x00", ""), b("\x00\x00"), b("\x00\x01"), b("\x00\xff"), b("\x01"), b("\x01\x00"), b("\xff"),
		catalog.EncodeArray(catalog.ByteaOID, nil, []catalog.Value{{}}),
	}
	for i := range order {
		for j := range order {
			if got, want := bytes.Compare(order[i].Bytes, order[j].Bytes), cmp.Compare(i, j); got != want {
				t.Errorf("%d against %d: got %d, want %d", i, j, got, want)
			}
		}
	}
}

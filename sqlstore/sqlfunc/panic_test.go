package sqlfunc_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/sqlstore/sqlfunc"
)

// TestNoPanic calls every function with arguments of all kinds, right and wrong: errors are fine, panics are not.
func TestNoPanic(t *testing.T) {
	c := open(t)
	c.Session = &fakeSession{}
	stored := func(typ uint32, s string) catalog.Value {
		v, err := catalog.DecodeText(typ, -1, []byte(s), nil)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	pool := []catalog.Value{{}, catalog.Int(0), catalog.Int(1), catalog.Int(-1), catalog.Int(3), catalog.Int(23), catalog.Int(25),
		catalog.Int(1114), catalog.Int(1007), catalog.Int(2249), catalog.Int(1 << 31), catalog.Int(-1 << 63), catalog.Int(1<<63 - 1),
		catalog.Float(0), catalog.Float(-1.5), catalog.Float(1e300), catalog.Str("NaN"), catalog.Str(""), catalog.Str("x"),
		catalog.Str("é%_\\"), catalog.Str("year"), catalog.Str("UTC"), catalog.Str("YYYY-MM-DD HH:MI:SS PM TZH"), catalog.Str("2024-13-99 -"),
		catalog.Str("FM9,9D9PR"), catalog.Str("S9V9"), catalog.Str("[1, {\"a\": [null, \"x\\u00e9\"]}, 2]"), catalog.Str(`{"a": 1, "b": {}}`),
		catalog.Str("(a|b)*?\\1"), catalog.Str(catalog.DefaultOutput().String()), catalog.Str("{,\"[:"), catalog.Str("12|1 2"),
		catalog.BlobBytes([]byte{0, 255, 1}), catalog.BlobBytes(nil), stored(catalog.IntervalOID, "1 mon -3 days 04:05:06.7"),
		stored(catalog.TimetzOID, "10:20:30+02"), stored(catalog.NumericOID, "-12.340"), stored(catalog.NumericOID, "Infinity"),
		stored(catalog.NumericOID, "1e300"), stored(catalog.Int4ArrayOID, "{{1,2},{NULL,4}}"), stored(catalog.TextArrayOID, "{a,NULL,0}"),
		stored(catalog.TextArrayOID, "{}"), catalog.EncodeRecord([]uint32{23, 25}, []catalog.Value{catalog.Int(1), catalog.Str("a")}),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range sqlfunc.Names() {
		for range 300 {
			n := r.IntN(8)
			if strings.Contains(name, "concat") || strings.Contains(name, "build") {
				n = 3*r.IntN(3) + 1
			}
			var args []catalog.Value
			for range n {
				args = append(args, pool[r.IntN(len(pool))])
			}
			marks := strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
			stmt, err := c.Stmt("SELECT " + name + "(" + marks + ")")
			if err != nil {
				continue // not so many arguments
			}
			rows, err := stmt.Query(args)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Err()
				rows.Close()
			}
			if err != nil && strings.Contains(err.Error(), "panicked") {
				t.Errorf("%s(%v): %v", name, args, err)
				break
			}
		}
	}
}

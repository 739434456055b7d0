package sqlfunc_test

import (
	"cmp"
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"

	"layercake/catalog"
)

// randomJSON makes a jsonb of few atoms, so that pairs of them share much.
func randomJSON(r *rand.Rand, depth int) any {
	atoms := []any{nil, true, false, json.Number("1"), json.Number("1.0"), json.Number("-1.50"), json.Number("-1.5"),
		json.Number("0.00"), json.Number("10"), json.Number("9.99"), "", "a", "ab", "\"", "\\", "\n", "a\x01", "é", "[1,", "}"}
	n := r.IntN(4)
	switch k := r.IntN(8); {
	case depth == 0 || k < 4:
		return atoms[r.IntN(len(atoms))]
	case k < 6:
		list := make([]any, n)
		for i := range list {
			list[i] = randomJSON(r, depth-1)
		}
		return list
	default:
		object := map[string]any{}
		for range n {
			object[[]string{"a", "b", "bb", "\"", ",", "{"}[r.IntN(6)]] = randomJSON(r, depth-1)
		}
		return object
	}
}

// TestJSONBOrder holds the collation against the comparison of parsed trees.
func TestJSONBOrder(t *testing.T) {
	c := open(t)
	st, err := c.StoreStmt("SELECT CASE WHEN ?1 < ?2 COLLATE LCJSON THEN -1 ELSE ?1 > ?2 COLLATE LCJSON END, " +
		"lc_jsonb_cmp(?1, ?2)")
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	var list []catalog.Value
	for range 150 {
		b, err := json.Marshal(randomJSON(r, 3))
		if err != nil {
			t.Fatal(err)
		}
		v, err := catalog.CanonicalJSONB(b)
		if err != nil {
			t.Fatal(string(b), err)
		}
		list = append(list, catalog.TextBytes(v))
	}
	deep := func(n int, inner string) catalog.Value {
		var b []byte
		for range n {
			b = append(b, '[')
		}
		b = append(b, inner...)
		for i := range n {
			b = append(b, ", "+strconv.Itoa(i%2)+"]"...)
		}
		return catalog.TextBytes(b)
	}
	list = append(list, deep(2000, "1"), deep(2000, "1.0"), deep(2000, "2"), deep(1999, "1"))
	for _, a := range list {
		for _, b := range list {
			rows, err := st.Query([]catalog.Value{a, b})
			if err != nil || !rows.Next() {
				t.Fatal(err)
			}
			if v := rows.Values(); cmp.Compare(v[0].Int(), 0) != cmp.Compare(v[1].Int(), 0) {
				t.Fatalf("seed %d: %.200s and %.200s: got %d, want %d", seed, a.Bytes, b.Bytes, v[0].Int(), v[1].Int())
			}
			rows.Close()
		}
	}
}

package sqlfunc_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"layercake/catalog"
)

// TestJSONBContains: what is left of a jsonb when members and elements are taken away, and zeros put behind a point, is
// contained in it; and so are its keys.
func TestJSONBContains(t *testing.T) {
	c := open(t)
	ask := func(sql string, args ...string) bool {
		st, err := c.Stmt(sql)
		if err != nil {
			t.Fatal(err)
		}
		var vals []catalog.Value
		for _, a := range args {
			vals = append(vals, catalog.Str(a))
		}
		rows, err := st.Query(vals)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		return rows.Values()[0].Bool()
	}
	const contains, exists = "SELECT lc_jsonb_contains(lc_jsonb(?1), lc_jsonb(?2))", "SELECT lc_jsonb_exists(lc_jsonb(?1), ?2)"
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{`{"a": 1}`, `{"a": 1.00}`, true}, {`{"a": 1.00}`, `{"a": 1}`, true}, {`{"a": 10}`, `{"a": 1}`, false}, {`{"a": 1e2}`, `{"a": 100.0}`, true},
		{`{"a": 0.50}`, `{"a": 0.5}`, true}, {`{"a": -0}`, `{"a": 0}`, true}, {`[1, 2]`, `1`, true}, {`[1, [2]]`, `2`, false}, {`["a,]"]`, `["a,]"]`, true},
		{`{"a": {"b": "x"}}`, `{"a": {"b": "x"}}`, true}, {`{"a": {"b": "x"}}`, `{"b": "x"}`, false}, {`{"a\"": "\\"}`, `{"a\"": "\\"}`, true},
		{`{"a": null}`, `{"a": null}`, true}, {`{"a": {}}`, `{"a": {}}`, true}, {`{"a": []}`, `{"a": [1]}`, false}, {`{"a": ["b: c"]}`, `{"a": ["b: c"]}`, true},
		{`{"\u00e9\n": true}`, `{"é\u000a": true}`, true}, {`{"a": 1}`, `{"b": 1}`, false}, {`{"a": "1"}`, `{"a": 1}`, false}, {`{}`, `{}`, true}, {`{"": ""}`, `{"": ""}`, true},
	} {
		if got := ask(contains, tt.a, tt.b); got != tt.want {
			t.Errorf("%s @> %s is %v", tt.a, tt.b, got)
		}
	}
	words := []string{"a", `b\"`, "c: d", "é", `\\`, `\n`, "", ", ", "x]"}
	raw := []string{"a", `b"`, "c: d", "é", `\`, "\n", "", ", ", "x]"}
	var value func(r *rapid.T, depth int) (whole, part string)
	value = func(r *rapid.T, depth int) (whole, part string) {
		switch kind := rapid.IntRange(0, 6).Draw(r, "kind"); {
		case kind == 0:
			s := `"` + rapid.SampledFrom(words).Draw(r, "string") + `"`
			return s, s
		case kind == 1:
			n := rapid.SampledFrom([]string{"0", "1", "-1.5", "100", "0.001", "12345678901234567890"}).Draw(r, "number")
			zeros := []string{n, n}
			for i := range zeros {
				if rapid.Bool().Draw(r, "zeros") {
					if !strings.Contains(n, ".") {
						zeros[i] += "."
					}
					zeros[i] += "00"
				}
			}
			return zeros[0], zeros[1]
		case kind == 2 || depth == 0:
			w := rapid.SampledFrom([]string{"true", "false", "null"}).Draw(r, "word")
			return w, w
		}
		object := rapid.Bool().Draw(r, "object")
		var wholes, parts []string
		for i := range rapid.IntRange(0, 4).Draw(r, "length") {
			w, p := value(r, depth-1)
			if object {
				key := fmt.Sprintf(`"%s%d": `, rapid.SampledFrom(words).Draw(r, "key"), i)
				w, p = key+w, key+p
			}
			wholes = append(wholes, w)
			if rapid.Bool().Draw(r, "kept") {
				parts = append(parts, p)
			}
		}
		if object {
			return "{" + strings.Join(wholes, ", ") + "}", "{" + strings.Join(parts, ", ") + "}"
		}
		return "[" + strings.Join(wholes, ", ") + "]", "[" + strings.Join(parts, ", ") + "]"
	}
	rapid.Check(t, func(r *rapid.T) {
		whole, part := value(r, 3)
		if !ask(contains, whole, part) {
			r.Fatalf("%s does not contain %s", whole, part)
		}
		k := rapid.IntRange(0, len(words)-1).Draw(r, "key")
		if !ask(exists, `{"`+words[k]+`": 1, "other": 2}`, raw[k]) || !ask(exists, `["x", "`+words[k]+`"]`, raw[k]) {
			r.Fatalf("the key %q is not found", raw[k])
		}
	})
}

package sqlfunc_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"layercake/catalog"
)

// TestPrefixBounds: whatever a pattern matches lies in the range that its beginning gives.
func TestPrefixBounds(t *testing.T) {
	c := open(t)
	st, err := c.Stmt("SELECT CASE ?3 WHEN 0 THEN lc_like(?1, ?2) WHEN 1 THEN lc_starts_with(?1, ?2) ELSE lc_regex(?1, ?2, '') END," +
		"CASE ?3 WHEN 0 THEN ?1 >= lc_like_from(?2) AND ?1 < lc_like_to(?2) WHEN 1 THEN ?1 >= lc_starts_from(?2) AND ?1 < lc_starts_to(?2) ELSE ?1 >= lc_regex_from(?2) AND ?1 < lc_regex_to(?2) END")
	if err != nil {
		t.Fatal(err)
	}
	// An error says that it is no pattern.
	in := func(kind int64, text, pattern string) (matches, ranged bool, err error) {
		rows, err := st.Query([]catalog.Value{catalog.Str(text), catalog.Str(pattern), catalog.Int(kind)})
		if err != nil {
			return false, false, err
		}
		defer rows.Close()
		if !rows.Next() {
			return false, false, rows.Err()
		}
		return rows.Values()[0].Bool(), rows.Values()[1].Bool(), nil
	}
	for _, tt := range []struct {
		kind          int64
		text, pattern string
		ranged        bool
	}{
		{0, "abc", "ab%", true}, {0, "ac", "ab%", false}, {0, "aa", "ab%", false}, {0, "x", "%", true}, {0, "a%c", `a\%%`, true}, {0, "ab", `a\%%`, false},
		{0, "a\U0010FFFFx", "a\U0010FFFF%", true}, {0, "b", "a\U0010FFFF%", false}, {0, "\U0010FFFF", "\U0010FFFF", true}, {0, "\uD7FFx", "\uD7FF%", true},
		{0, "\uE000", "\uD7FF%", false}, {0, "\u007Fx", "\u007F%", true}, {0, "\u0080", "\u007F%", false}, {0, "\uFFFFx", "\uFFFF%", true}, {0, "\U00010000", "\uFFFF%", false},
		{1, "ab", "a%", false}, {1, "a%b", "a%", true}, {1, "", "", true},
		{2, "abc", "^ab", true}, {2, "ac", "^ab*", true}, {2, "b", "^ab", false}, {2, "b", "^a|b", true}, {2, "xab", "ab", true}, {2, "äb", "^ä?b", true}, {2, "b", "^ä?b", true},
		{2, "ab", "^a{0}", true}, {2, "b", "^a+", false}, {2, "a.c", "^a.c", true},
	} {
		if matches, ranged, err := in(tt.kind, tt.text, tt.pattern); ranged != tt.ranged || matches && !ranged || err != nil {
			t.Errorf("kind %d, %q, pattern %q: matches %v, in the range %v, %v", tt.kind, tt.text, tt.pattern, matches, ranged, err)
		}
	}
	parts := []string{"a", "b", "%", "_", `\\`, "ä", "\u007F", "\u0080", "\uD7FF", "\uFFFF", "\U0010FFFF", "*", "?", "^", "(", ")", ".", "|", "+"}
	rapid.Check(t, func(r *rapid.T) {
		word := func(name string, of []string) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(of), 0, 5).Draw(r, name), "")
		}
		text := word("text", parts[:11])
		kind := rapid.Int64Range(0, 2).Draw(r, "kind")
		of := parts[:11]
		if kind == 2 {
			of = parts
		}
		pattern := word("pattern", of)
		if kind == 2 {
			pattern = "^" + pattern
		}
		if matches, ranged, err := in(kind, text, pattern); err == nil && matches && !ranged {
			r.Fatalf("kind %d, %q matches %q and is not in its range", kind, text, pattern)
		}
	})
}

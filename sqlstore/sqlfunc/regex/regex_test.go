package regex_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"layercake/sqlstore/sqlfunc/regex"
)

// The matches themselves are tested against PostgreSQL in package sqlfunc (testdata/regex.tsv).

func TestFindOptions(t *testing.T) {
	for _, test := range []struct {
		pattern, options, s string
		want                string
	}{
		{"^b", "", "a\nb", "[]"},
		{"^b", "n", "a\nb", "[2 3]"},
		{"a$", "w", "a\nb", "[0 1]"},
		{"a.b", "", "a\nb", "[0 3]"},
		{"a.b", "n", "a\nb", "[]"},
		{"a[^x]b", "p", "a\nb", "[]"},
		{"^b", "p", "a\nb", "[]"},
		{"A B", "x", "AB", "[0 2]"},
		{"a # comment\nb", "x", "ab", "[0 2]"},
		{"a.c", "q", "xa.c", "[1 4]"},
		{"(?i)É", "", "é", "[0 2]"},
		{"(a)(b)?", "", "ac", "[0 1 0 1 -1 -1]"},
		{"x*", "", "aaa", "[0 0]"},
		{"(a*)*", "", "aab", "[0 2 0 2]"},
		{"(a|ab)(bc|c)?", "", "abc", "[0 3 0 1 1 3]"},
	} {
		re, err := regex.Compile(test.pattern, test.options)
		if err != nil {
			t.Errorf("%q: %v", test.pattern, err)
			continue
		}
		loc, err := re.Find(test.s, 0)
		if got := fmt.Sprint(loc); err != nil || got != test.want {
			t.Errorf("%q (%s) in %q: got %s, %v, want %s", test.pattern, test.options, test.s, got, err, test.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"(": "parentheses () not balanced", ")": "parentheses () not balanced", "[a": "brackets [] not balanced",
		"a{2,1}": "invalid repetition count(s)", "a{300}": "invalid repetition count(s)", "*a": "quantifier operand invalid",
		"[b-a]": "invalid character range", "[[:x:]]": "invalid character class", `\`: `invalid escape \ sequence`,
		`a\1`: "invalid backreference number", "(?z)a": "invalid embedded option",
	} {
		_, err := regex.Compile(pattern, "")
		var bad *regex.Error
		if !errors.As(err, &bad) || bad.Text != want {
			t.Errorf("%q: got %v, want %q", pattern, err, want)
		}
	}
}

// TestLinear: what takes a naive matcher exponential time.
func TestLinear(t *testing.T) {
	start := time.Now()
	for _, pattern := range []string{"(a*)*$", "(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"} {
		re, err := regex.Compile(pattern, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{strings.Repeat("a", 2000) + "b", strings.Repeat("x", 2000)} {
			if _, err := re.Find(s, 0); err != nil {
				t.Error(err)
			}
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
}

// TestBackreferencesAreBounded: with back references the time is bounded by an error.
func TestBackreferencesAreBounded(t *testing.T) {
	re, err := regex.Compile(`(a*)*(a*)*\1b`, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := re.Find(strings.Repeat("a", 40), 0); err != nil && !errors.Is(err, regex.ErrTooComplex) {
		t.Errorf("got %v", err)
	}
}

func FuzzFind(f *testing.F) {
	for _, p := range []string{"(a|b)*c", `\m\w+\M`, "[^[:alpha:]]+?", "(?=a)(?<!b).{2,3}", `(.)\1`, "***=x", "(?n)^$"} {
		f.Add(p, "i", "aabbc x")
	}
	f.Fuzz(func(t *testing.T, pattern, options, s string) {
		if len(pattern) > 60 || len(s) > 60 {
			return
		}
		re, err := regex.Compile(pattern, options)
		if err != nil {
			return
		}
		loc, err := re.Find(s, 0)
		if err != nil {
			return
		}
		ok, err := re.Match(s)
		if err != nil {
			return
		}
		if ok != (loc != nil) {
			t.Fatalf("%q in %q: Match says %v, Find %v", pattern, s, ok, loc)
		}
		for i := 0; i+1 < len(loc); i += 2 {
			if (loc[i] < 0) != (loc[i+1] < 0) || loc[i] > loc[i+1] && loc[i+1] >= 0 || loc[i+1] > len(s) {
				t.Fatalf("%q in %q: bad span %v", pattern, s, loc)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	re, err := regex.Compile("^(pg_.*|foo)$", "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		re.Match("pg_attribute_relid")
	}
}

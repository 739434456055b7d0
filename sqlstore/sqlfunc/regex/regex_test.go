package regex_test

import (
	"testing"

	"layercake/sqlstore/sqlfunc/regex"
)

func BenchmarkMatch(b *testing.B) {
	re, err := regex.Compile("^(pg_.*|foo)$", "")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		re.Match("pg_attribute_relid")
	}
}

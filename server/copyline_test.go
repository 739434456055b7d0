package server

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"layercake/pgerror"
)

func TestCopyLines(t *testing.T) {
	where := func(l *copyLines, i int) string {
		return pgerror.From(l.at(pgerror.New(pgerror.UniqueViolation, "x"), i)).Where
	}
	l := &copyLines{table: "t"}
	var want []int64
	line := int64(2) // behind a header
	for range 5000 {
		want = append(want, line)
		l.note(line)
		line++
		if rand.IntN(10) == 0 {
			line += int64(rand.IntN(3))
		}
	}
	for i, w := range want {
		if got := where(l, i); got != fmt.Sprintf("COPY t, line %d", w) {
			t.Fatalf("row %d: %q, want line %d", i, got, w)
		}
	}
	if got := where(l, len(want)); got != "" {
		t.Errorf("a row that is not there: %q", got)
	}
	known := pgerror.New(pgerror.UniqueViolation, "x")
	known.Where = "elsewhere"
	if got := pgerror.From(l.at(known, 0)).Where; got != "elsewhere" {
		t.Errorf("a context is gone: %q", got)
	}
	if got := where(nil, 0); got != "" {
		t.Errorf("without lines: %q", got)
	}
	// Beyond its memory it knows what it knew.
	l = &copyLines{table: "t"}
	for i := range maxLineRuns + 10 {
		l.note(2 * int64(i))
	}
	if len(l.runs) != maxLineRuns || where(l, maxLineRuns-1) == "" || where(l, maxLineRuns) != "" {
		t.Errorf("%d runs; %q, %q", len(l.runs), where(l, maxLineRuns-1), where(l, maxLineRuns))
	}
}

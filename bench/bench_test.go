package main

import (
	"io"
	"testing"
	"time"

	"layercake/bench/internal/figures"
)

func TestParseCopy(t *testing.T) {
	rows, took, err := parseCopy("Timing is on.\nCOPY 34924\nTime: 1234.500 ms (00:01.235)\n")
	if want := 1234500 * time.Microsecond; err != nil || rows != 34924 || took != want {
		t.Errorf("copy: got %d, %v, %v, want 34924, %v", rows, took, err, want)
	}
	if _, _, err := parseCopy("COPY 1\n"); err == nil {
		t.Error("copy without a time was taken")
	}
}

func TestMarkdown(t *testing.T) {
	var r report
	r.facts = []string{"commit abc"}
	r.table("Empty", "what", "a")
	row := r.table("Speed", "workload", "base", "other").row("w, 8")
	row.values[0], row.values[1] = figures.Samples{100, 200, 300}, figures.Samples{400}
	r.check("held")
	want := "- commit abc\n\n### Speed\n\n| workload | base | other | ratio |\n|---|---|---|---|\n| w, 8 | 200 (100–300) | 400 | 2.00 |\n\nFailed transactions: 0.\n\n- held\n"
	if got := r.markdown(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestFlags(t *testing.T) {
	c, err := parseFlags([]string{"-clients", "1, 4", "-parts", "cluster"}, io.Discard)
	if err != nil || len(c.clients) != 2 || c.clients[1] != 4 || len(c.parts) != 1 || c.rounds != 3 || c.seconds != 5 {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, bad := range []string{"-clients=0", "-clients=x", "-parts=nothing", "-rounds=0"} {
		if _, err := parseFlags([]string{bad}, io.Discard); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

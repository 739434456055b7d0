package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"layercake/bench/internal/figures"
)

func TestParsePgbench(t *testing.T) {
	const report = `pgbench (15.18)
number of transactions actually processed: 5380
number of failed transactions: %s (0.1%%)
latency average = 10.435 ms
tps = 766.633052 (without initial connection time)
`
	tests := []struct {
		out  string
		want pgbenchRun
	}{
		{strings.Replace(report, "%s", "0", 1), pgbenchRun{766.633052, 5380, 0}},
		{strings.Replace(report, "%s", "7", 1), pgbenchRun{766.633052, 5380, 7}},
		{"pgbench: error: client 3 script 0 aborted in command 5 query 0: ERROR\n" + strings.Replace(report, "%s", "1", 1), pgbenchRun{766.633052, 5380, 2}},
		{"pgbench: error: client 3 aborted in command 5 (SQL) of script 0; perhaps the backend died\n" + strings.Replace(report, "%s", "0", 1), pgbenchRun{766.633052, 5380, 1}},
	}
	for _, tt := range tests {
		got, err := parsePgbench(tt.out)
		if err != nil || got != tt.want {
			t.Errorf("got %+v, %v, want %+v of\n%s", got, err, tt.want, tt.out)
		}
	}
	if _, err := parsePgbench("connection refused"); err == nil {
		t.Error("a report without tps was taken")
	}
}

func TestParseTimes(t *testing.T) {
	took, err := parseLoad("done in 3.85 s (drop tables 0.00 s, create tables 0.02 s, client-side generate 3.12 s, vacuum 0.00 s, primary keys 0.71 s).")
	if want := 3120 * time.Millisecond; err != nil || took != want {
		t.Errorf("load: got %v, %v, want %v", took, err, want)
	}
	if _, err := parseLoad("done"); err == nil {
		t.Error("load without a time was taken")
	}
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
	if got := cleanEnv([]string{"PATH=/bin", "PGHOST=x", "LANG=de", "LAYERCAKE_NAME=y"}); len(got) != 2 {
		t.Errorf("environment: got %q", got)
	}
}

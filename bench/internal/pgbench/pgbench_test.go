package pgbench

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	const report = `pgbench (15.18)
number of transactions actually processed: 5380
number of failed transactions: %s (0.1%%)
latency average = 10.435 ms
tps = 766.633052 (without initial connection time)
`
	tests := []struct {
		out  string
		want Result
	}{
		{strings.Replace(report, "%s", "0", 1), Result{766.633052, 5380, 0}},
		{strings.Replace(report, "%s", "7", 1), Result{766.633052, 5380, 7}},
		{"pgbench: error: client 3 script 0 aborted in command 5 query 0: ERROR\n" +
			strings.Replace(report, "%s", "1", 1), Result{766.633052, 5380, 2}},
		{"pgbench: error: client 3 aborted in command 5 (SQL) of script 0; perhaps the backend died\n" +
			strings.Replace(report, "%s", "0", 1), Result{766.633052, 5380, 1}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.out)
		if err != nil || got != tt.want {
			t.Errorf("got %+v, %v, want %+v of\n%s", got, err, tt.want, tt.out)
		}
	}
	if _, err := Parse("connection refused"); err == nil {
		t.Error("a report without tps was taken")
	}
}

func TestParseLoad(t *testing.T) {
	took, err := ParseLoad("done in 3.85 s (drop tables 0.00 s, create tables 0.02 s, " +
		"client-side generate 3.12 s, vacuum 0.00 s, primary keys 0.71 s).")
	if want := 3120 * time.Millisecond; err != nil || took != want {
		t.Errorf("load: got %v, %v, want %v", took, err, want)
	}
	if _, err := ParseLoad("done"); err == nil {
		t.Error("load without a time was taken")
	}
}

func TestCleanEnv(t *testing.T) {
	if got := CleanEnv([]string{"PATH=/bin", "PGHOST=x", "LANG=de", "LAYERCAKE_NAME=y"}); len(got) != 2 {
		t.Errorf("environment: got %q", got)
	}
}

// TestArgs: scripts of pgbench's own are named, ours are written to a file.
func TestArgs(t *testing.T) {
	if got, err := Selects.Args(""); err != nil || strings.Join(got, " ") != "-b select-only" {
		t.Errorf("got %q, %v", got, err)
	}
	got, err := Upserts.Args(t.TempDir())
	if err != nil || len(got) != 2 || got[0] != "-f" {
		t.Fatalf("got %q, %v", got, err)
	}
	if text, err := os.ReadFile(got[1]); err != nil || string(text) != Upserts.Script+"\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

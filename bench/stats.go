package main

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"fmt"
)

// samples are repeated measurements of one thing.
type samples []float64

func (s samples) sorted() samples {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}

// median is the middle value, the mean of the two middle ones where there is none; NaN without samples.
func (s samples) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	o := s.sorted()
	if n := len(o); n%2 == 0 {
		return (o[n/2-1] + o[n/2]) / 2
	}
	return o[len(o)/2]
}

// percentile is the least sample that at least p per cent of all do not exceed.
func (s samples) percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(p/100*float64(len(s)))) - 1
	return s.sorted()[min(max(i, 0), len(s)-1)]
}

// pgbenchRun is what pgbench says of one run.
type pgbenchRun struct {
	tps       float64
	processed int
	failed    int
}

var (
	tpsLine       = regexp.MustCompile(`(?m)^tps = ([0-9.]+) `)
	processedLine = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
	failedLine    = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+) `)
	abortedLine   = regexp.MustCompile(`client [0-9]+ (script [0-9]+ )?aborted`)
)

// parsePgbench reads pgbench's report. A client that gave up counts as a failed transaction.
func parsePgbench(out string) (pgbenchRun, error) {
	var r pgbenchRun
	m := tpsLine.FindStringSubmatch(out)
	if m == nil {
		return r, fmt.Errorf("pgbench printed no tps:\n%s", out)
	}
	var err error
	if r.tps, err = strconv.ParseFloat(m[1], 64); err != nil {
		return r, err
	}
	if m := processedLine.FindStringSubmatch(out); m != nil {
		r.processed, _ = strconv.Atoi(m[1])
	}
	if m := failedLine.FindStringSubmatch(out); m != nil {
		r.failed, _ = strconv.Atoi(m[1])
	}
	r.failed += len(abortedLine.FindAllString(out, -1))
	return r, nil
}

var generateTime = regexp.MustCompile(`client-side generate ([0-9.]+) s`)

// parseLoad reads how long pgbench -i took to COPY its rows.
func parseLoad(out string) (time.Duration, error) {
	m := generateTime.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench -i printed no time:\n%s", out)
	}
	s, err := strconv.ParseFloat(m[1], 64)
	return time.Duration(s * float64(time.Second)), err
}

var (
	copyLine = regexp.MustCompile(`(?m)^COPY ([0-9]+)$`)
	timeLine = regexp.MustCompile(`(?m)^Time: ([0-9.]+) ms`)
)

// parseCopy reads the rows and the time of a \copy under psql's \timing.
func parseCopy(out string) (rows int, took time.Duration, err error) {
	c, t := copyLine.FindStringSubmatch(out), timeLine.FindStringSubmatch(out)
	if c == nil || t == nil {
		return 0, 0, fmt.Errorf("psql printed no rows or no time:\n%s", out)
	}
	if rows, err = strconv.Atoi(c[1]); err != nil {
		return 0, 0, err
	}
	ms, err := strconv.ParseFloat(t[1], 64)
	return rows, time.Duration(ms * float64(time.Millisecond)), err
}

// number prints three significant digits or all of those before the point, with commas.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	var out []string
	for len(s) > 3 {
		out = append([]string{s[len(s)-3:]}, out...)
		s = s[:len(s)-3]
	}
	return strings.Join(append([]string{s}, out...), ",")
}

// spread prints the median with the least and the greatest sample.
func (s samples) spread() string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) == 1 {
		return number(s[0])
	}
	o := s.sorted()
	return fmt.Sprintf("%s (%s–%s)", number(s.median()), number(o[0]), number(o[len(o)-1]))
}

// ratio prints how many times as great as base's median s's median is.
func (s samples) ratio(base samples) string {
	r := s.median() / base.median()
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return "–"
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}

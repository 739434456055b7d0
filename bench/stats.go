package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

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

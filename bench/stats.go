package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

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

// Package figures holds what the benchmarks' reports have in common: samples, numbers for tables, and what was measured where.
package figures

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Samples are repeated measurements of one thing.
type Samples []float64

func (s Samples) sorted() Samples {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}

// Median is the middle value, the mean of the two middle ones where there is none; NaN without samples.
func (s Samples) Median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	o := s.sorted()
	if n := len(o); n%2 == 0 {
		return (o[n/2-1] + o[n/2]) / 2
	}
	return o[len(o)/2]
}

// Percentile is the least sample that at least p per cent of all do not exceed.
func (s Samples) Percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(p/100*float64(len(s)))) - 1
	return s.sorted()[min(max(i, 0), len(s)-1)]
}

// Number prints three significant digits or all of those before the point, with commas.
func Number(v float64) string {
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

// Spread prints the median with the least and the greatest sample.
func (s Samples) Spread() string {
	if len(s) == 0 {
		return "–"
	}
	if len(s) == 1 {
		return Number(s[0])
	}
	o := s.sorted()
	return fmt.Sprintf("%s (%s–%s)", Number(s.Median()), Number(o[0]), Number(o[len(o)-1]))
}

// Ratio prints how many times as great as base's median s's median is.
func (s Samples) Ratio(base Samples) string {
	r := s.Median() / base.Median()
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return "–"
	}
	return strconv.FormatFloat(r, 'f', 2, 64)
}

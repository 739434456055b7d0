package main

import (
	"bytes"
	"image/png"
	"math"
	"strings"
	"testing"
)

func points(xs, rates []float64) []point {
	var out []point
	for i, x := range xs {
		out = append(out, point{x, rates[i], 1000 / rates[i], 1e6 / rates[i]})
	}
	return out
}

func TestGrowth(t *testing.T) {
	rows := []float64{1e4, 1e5, 1e6, 1e7}
	tests := []struct {
		name    string
		xs      []float64
		rates   []float64
		factor  float64
		log     float64
		verdict string
	}{
		{"constant", rows, []float64{100, 100, 100, 100}, 1, 1.75, "yes"},
		{"just below the logarithm", rows, []float64{175, 141, 117.5, 101}, 175. / 101, 1.75, "yes"},
		{"root", rows, []float64{1000, 316, 100, 31.6}, 31.6, 1.75, "**no**"},
		{"cheaper", []float64{1, 2, 4}, []float64{1, 2, 3}, 1. / 3, 2.32, "yes"},
		{"a cliff after a descent", []float64{1, 10, 100}, []float64{1, 1000, 100}, 0.01, 6.66, "over all yes, **not from 10 to 100**: × 10.00, the logarithm × 1.92"},
		{"a cliff in the middle", []float64{1, 10, 100}, []float64{100, 1, 100}, 1, 6.66, "over all yes, **not from 1 to 10**: × 100.00, the logarithm × 3.46"},
	}
	for _, tt := range tests {
		whole, worst := grows(points(tt.xs, tt.rates), costs[0].value)
		if math.Abs(whole.factor/tt.factor-1) > 0.01 || math.Abs(whole.log/tt.log-1) > 0.01 {
			t.Errorf("%s: grows by %.3f, the logarithm by %.3f, want %.3f and %.3f", tt.name, whole.factor, whole.log, tt.factor, tt.log)
		}
		if got := verdict(whole, worst, plain); got != tt.verdict {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.verdict)
		}
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		low, high float64
		labels    string
	}{
		{1.5, 7, "1 2 5 10"},
		{1, 2, "1 2"},
		{0.03, 0.3, "0.02 0.05 0.1 0.2 0.5"},
		{900, 12_000, "500 1,000 2,000 5,000 10,000 20,000"},
		{0.1, 1000, "0.1   1   10   100   1,000"},
	}
	for _, tt := range tests {
		var labels []string
		for _, tick := range logTicks(tt.low, tt.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != tt.labels {
			t.Errorf("from %v to %v: %q, want %q", tt.low, tt.high, got, tt.labels)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[float64]string{10: "10 B", 100: "100 B", 1000: "1 kB", 100_000: "100 kB"} {
		if got := size(bytes); got != want {
			t.Errorf("%v bytes: %q, want %q", bytes, got, want)
		}
	}
}

// TestChart: a chart is drawn as a PNG of its panels' size, written as a table, and refused without a place on its axes.
func TestChart(t *testing.T) {
	xs := []float64{1, 10, 100}
	c := &chart{name: "clients", title: "Clients", quantity: "clients", step: plain, panels: []panel{rate, latency}, of: "an operation",
		series: []*series{{name: "SELECT", points: points(xs, []float64{100, 1000, 1200})}, {name: "INSERT", hue: 1, dashed: true, points: points(xs, []float64{10, 20, 15})}}}
	picture, err := c.png()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Dx(); got != 2*484 {
		t.Errorf("%d pixels wide, want two panels", got)
	}
	for _, want := range []string{"| 10 | 1,000 | 1.00 | 1,000 | 20.0 | 50.0 | 50,000 |", "| SELECT: processor time | × 0.0833 | × 6.66 | yes |", "![Clients](clients.png)"} {
		if got := c.markdown(); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	c.series[0].points[1].rate = 0
	if _, err := c.png(); err == nil {
		t.Error("a rate of 0 was drawn on a logarithmic axis")
	}
}

package figures

import (
	"math"
	"testing"
)

func TestSamples(t *testing.T) {
	tests := []struct {
		in     Samples
		median float64
		p99    float64
		spread string
	}{
		{Samples{5}, 5, 5, "5.00"},
		{Samples{3, 1, 2}, 2, 3, "2.00 (1.00–3.00)"},
		{Samples{4, 1, 3, 2}, 2.5, 4, "2.50 (1.00–4.00)"},
		{Samples{12345.6, 1234567, 99.94}, 12345.6, 1234567, "12,346 (99.9–1,234,567)"},
	}
	for _, tt := range tests {
		if got := tt.in.Median(); got != tt.median {
			t.Errorf("median of %v: got %v, want %v", tt.in, got, tt.median)
		}
		if got := tt.in.Percentile(99); got != tt.p99 {
			t.Errorf("p99 of %v: got %v, want %v", tt.in, got, tt.p99)
		}
		if got := tt.in.Spread(); got != tt.spread {
			t.Errorf("spread of %v: got %q, want %q", tt.in, got, tt.spread)
		}
	}
	var hundred Samples
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for p, want := range map[float64]float64{50: 50, 99: 99, 100: 100, 0: 1} {
		if got := hundred.Percentile(p); got != want {
			t.Errorf("p%v of 1 to 100: got %v, want %v", p, got, want)
		}
	}
	if got := (Samples{30}).Ratio(Samples{10, 20, 40}); got != "1.50" {
		t.Errorf("ratio: got %s, want 1.50", got)
	}
	if got := (Samples{30}).Ratio(nil); got != "–" {
		t.Errorf("ratio to nothing: got %s, want –", got)
	}
	if !math.IsNaN(Samples(nil).Median()) {
		t.Error("the median of nothing is a number")
	}
}

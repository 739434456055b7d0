package main

import (
	"testing"
	"time"
)

// TestPercentiles: a histogram's percentiles are within its buckets' width of the true ones.
func TestPercentiles(t *testing.T) {
	var a, b latencies
	for i := 1; i <= 1000; i++ { // 0.1 to 100 ms
		l := &a
		if i%2 == 0 {
			l = &b
		}
		l.add(time.Duration(i) * 100 * time.Microsecond)
	}
	a.merge(&b)
	if a.n != 1000 {
		t.Errorf("%d samples, want 1000", a.n)
	}
	for p, want := range map[float64]time.Duration{50: 50 * time.Millisecond, 95: 95 * time.Millisecond, 99: 99 * time.Millisecond, 100: 100 * time.Millisecond} {
		if got := a.percentile(p); got < want || got > want+want*21/1000 {
			t.Errorf("p%v is %v, want %v to 2%% more", p, got, want)
		}
	}
	var none latencies
	if got := none.percentile(99); got != 0 {
		t.Errorf("without samples: %v", got)
	}
}

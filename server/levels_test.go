package server

import (
	"testing"
	"time"
)

// TestLoads: what is written behind bulk loads has the time of all of them, and no more once it has passed.
func TestLoads(t *testing.T) {
	var l loads
	near := func(got, want time.Duration) {
		t.Helper()
		if got > want || got < want-5*time.Second {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if d := l.wait(0); d != 0 {
		t.Errorf("%v before any load", d)
	}
	near(l.wait(100*loadRate), 100*time.Second)
	near(l.wait(0), 100*time.Second)
	near(l.wait(50*loadRate), 150*time.Second)
	l.until.Store(int64(time.Since(loadsBegin) - time.Hour))
	near(l.wait(10*loadRate), 10*time.Second)
}

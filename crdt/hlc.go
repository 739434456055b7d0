package crdt

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultMaxOffset is how far ahead of this node's wall clock a stamp may be when nothing else is configured.
const DefaultMaxOffset = 500 * time.Millisecond

// counterBits is the width of an HLC's counter.
const counterBits = 16

// ErrAhead reports a stamp further ahead of the wall clock than the maximum offset.
var ErrAhead = errors.New("stamp is too far ahead of this node's clock")

// MakeHLC returns the first reading of the wall clock's millisecond t.
func MakeHLC(t time.Time) HLC {
	ms := t.UnixMilli()
	if ms < 0 {
		ms = 0
	}
	return HLC(uint64(ms) << counterBits)
}

// Time returns the wall clock's part of h, to the millisecond.
func (h HLC) Time() time.Time { return time.UnixMilli(int64(h >> counterBits)) }

// Clock is a node's hybrid logical clock. Its readings grow strictly, whatever the wall clock does. The zero Clock is
// ready for use. It may be used by several goroutines.
type Clock struct {
	// MaxOffset is how far ahead of the wall clock an observed stamp may be; 0 is DefaultMaxOffset. It must not change
	// while the clock is in use.
	MaxOffset time.Duration

	mu   sync.Mutex
	last HLC // protected by mu
}

// Tick returns a new reading: greater than every earlier one and than every stamp observed, not less than now.
func (c *Clock) Tick(now time.Time) HLC {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A counter that overflows runs into the milliseconds: the clock is then a little ahead, and stays monotonic.
	c.last = max(c.last+1, MakeHLC(now))
	return c.last
}

// Observe takes note of a stamp from elsewhere. A stamp too far ahead is not taken (it would drag this clock along) but
// reported, as an error that wraps ErrAhead.
func (c *Clock) Observe(h HLC, now time.Time) error {
	limit := c.MaxOffset
	if limit == 0 {
		limit = DefaultMaxOffset
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h <= c.last {
		return nil
	}
	if ahead := h.Time().Sub(now); ahead > limit {
		return fmt.Errorf("%w: by %v, at most %v is allowed", ErrAhead, ahead.Round(time.Millisecond), limit)
	}
	c.last = h
	return nil
}

// Resume makes every later reading greater than h, however far ahead h is: the greatest stamp known from before a
// restart (rule E4).
func (c *Clock) Resume(h HLC) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, h)
}

// Last returns the greatest reading given or observed.
func (c *Clock) Last() HLC {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

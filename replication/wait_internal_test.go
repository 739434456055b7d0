package replication

import (
	"context"
	"testing"
)

// TestFreshOnlyIfNothingMoved: what a statement read early, before those whose barrier it shares had asked the core, counts
// only if nothing has become durable in between.
func TestFreshOnlyIfNothingMoved(t *testing.T) {
	r := &Replicator{ctx: context.Background()}
	for _, test := range []struct {
		came, began uint64
		core        bool // what the core says of the time since it began
		want        bool
	}{{7, 7, true, true}, {6, 7, true, false}, {7, 7, false, false}} {
		c := &cohort{level: Quorum, size: 1, done: make(chan struct{}), moved: test.began, fresh: test.core}
		close(c.done)
		if fresh, err := (Barrier{r: r, cohort: c, moved: test.came}).Wait(context.Background()); err != nil || fresh != test.want {
			t.Errorf("%+v: %v, %v", test, fresh, err)
		}
	}
}

package server

import (
	"net/http"
	"runtime"
	"strconv"
	"sync"
)

// contention switches on what the runtime notes only when told to, for as long as somebody asks: mutexes that are waited
// for, and goroutines that block. The rates are the process's, which may run several nodes.
type contention struct {
	set func(on bool)

	mu    sync.Mutex
	users int
}

// Each wait for a mutex is noted, and of goroutines that block those of 10 µs and more, and of shorter ones a part, which is
// scaled to all: writing down where it was is little beside such a wait.
const (
	mutexFraction = 1
	blockNanos    = 10_000
)

var (
	mutexContention = contention{set: func(on bool) { runtime.SetMutexProfileFraction(rate(on, mutexFraction)) }}
	blockContention = contention{set: func(on bool) { runtime.SetBlockProfileRate(rate(on, blockNanos)) }}
)

func rate(on bool, r int) int {
	if on {
		return r
	}
	return 0
}

// during wraps the handler of a profile: with ?seconds=N it is switched on while the handler works, which waits so long and
// gives the difference. Without, it gives what earlier requests have left.
func (c *contention) during(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := strconv.Atoi(r.FormValue("seconds")); err == nil && n > 0 {
			c.use(1)
			defer c.use(-1)
		}
		h.ServeHTTP(w, r)
	})
}

// use counts who needs it: the first switches on, the last off.
func (c *contention) use(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.users
	c.users += n
	if on := c.users > 0; on != (before > 0) {
		c.set(on)
	}
}

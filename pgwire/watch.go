package pgwire

import (
	"time"
)

// watchPeriod is how often running statements' clients are looked at: one that has vanished is noticed within two.
const watchPeriod = 250 * time.Millisecond

// watch looks for clients that vanished while their statement runs, until stop is closed. Nobody reads from their
// sockets meanwhile, so the end of the stream would be seen only after the statement; asking the kernel now and then
// costs the statements themselves nothing. (An idle connection, or one in COPY FROM, is blocked in a read and notices.)
func (s *Server) watch(stop chan struct{}) {
	defer s.wg.Done()
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for _, c := range s.sessions {
			c.look()
		}
		s.mu.Unlock()
	}
}

// look cancels the running statement if it ran at the last look too and its client has closed the connection.
func (c *conn) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	busy := c.running && !c.reading && c.calls == c.seen
	c.seen = c.calls
	if busy && peerClosed(c.raw) {
		c.cancel(errGone)
	}
}

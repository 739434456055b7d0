package pgwire

import (
	"layercake/pgerror"
)

// notify is ConnInfo.Notify: it leaves a message for the connection's goroutine, and wakes it if it is idle.
func (c *conn) notify(m any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return
	}
	if p, ok := m.(ParameterStatus); ok {
		// Only the last value of a setting matters.
		for i := range c.pending {
			if q, ok := c.pending[i].(ParameterStatus); ok && q.Name == p.Name {
				c.pending[i] = m
				return
			}
		}
	}
	c.pending = append(c.pending, m)
	c.pendingBytes += messageSize(m)
	if c.pendingBytes > c.srv.cfg.MaxPending {
		c.log.Error("connection cut: the client does not read its notifications", "bytes", c.pendingBytes)
		c.pending, c.pendingBytes = nil, 0
		c.cut = true
		c.cancel(errShutdown)
		c.raw.Close()
		return
	}
	if c.readingAs == modeIdle {
		c.wake()
	}
}

// messageSize is about what m takes while it waits.
func messageSize(m any) int {
	const overhead = 64
	switch m := m.(type) {
	case Notification:
		return overhead + len(m.Channel) + len(m.Payload)
	case ParameterStatus:
		return overhead + len(m.Name) + len(m.Value)
	case *pgerror.Error:
		return overhead + len(m.Message) + len(m.Detail) + len(m.Hint) + len(m.Where)
	}
	return overhead
}

// deliverable says whether anything waits that may be sent now: within a transaction notifications stay (as PostgreSQL
// has it), notices and settings do not. The caller holds mu, and has asked the session (which might panic) before.
func (c *conn) deliverable(idle bool) bool {
	if len(c.pending) == 0 {
		return false
	}
	if idle {
		return true
	}
	for _, m := range c.pending {
		if _, held := m.(Notification); !held {
			return true
		}
	}
	return false
}

// takePending writes the deliverable messages into the buffer. The caller holds mu.
func (c *conn) takePending(idle bool) {
	if len(c.pending) == 0 {
		return
	}
	kept := c.pending[:0]
	c.pendingBytes = 0
	for _, m := range c.pending {
		switch m := m.(type) {
		case Notification:
			if !idle {
				kept = append(kept, m)
				c.pendingBytes += messageSize(m)
				continue
			}
			c.sendNotification(m)
		case ParameterStatus:
			c.sendParameterStatus(m)
		case *pgerror.Error:
			c.sendNotice(m)
		default:
			c.log.Error("unknown kind of message to notify", "type", m)
		}
	}
	clear(c.pending[len(kept):])
	if c.pending = kept; len(kept) == 0 {
		c.pending = nil
	}
}

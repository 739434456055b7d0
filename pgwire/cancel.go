package pgwire

import (
	"layercake/pgerror"

	"crypto/subtle"
	"encoding/binary"
)

// cancelRequest cancels the running statement of the session that the request names with its PID and secret key. As in
// PostgreSQL there is no answer, whether it hits or not.
func (c *conn) cancelRequest(body []byte) {
	if len(body) < 4+1 || len(body) > 4+cancelMax {
		c.log.Info("invalid cancel request", "length", len(body))
		return
	}
	pid, key := binary.BigEndian.Uint32(body), body[4:]
	c.srv.mu.Lock()
	target := c.srv.sessions[pid]
	hit := target != nil && subtle.ConstantTimeCompare(target.key, key) == 1
	c.srv.mu.Unlock()
	if !hit {
		c.log.Info("cancel request with a wrong key or PID", "pid", pid)
		return
	}
	target.interrupt(errCancelled)
}

// Signal does to the session with the given PID what pg_cancel_backend and pg_terminate_backend do: it cancels the running
// statement or, with terminate, ends the session (57P01). It says whether there is such a session.
func (s *Server) Signal(pid uint32, terminate bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.sessions[pid]
	if c == nil {
		return false
	}
	if terminate {
		c.drain(true)
	} else {
		c.interrupt(errCancelled)
	}
	return true
}

// End ends the session with the given PID, statement under way or not, and tells the client why (a FATAL error). It says
// whether there is such a session.
func (s *Server) End(pid uint32, why *pgerror.Error) bool {
	s.mu.Lock()
	c := s.sessions[pid]
	s.mu.Unlock()
	if c == nil {
		return false
	}
	c.mu.Lock()
	c.why = why
	c.mu.Unlock()
	c.drain(true)
	return true
}

package server

import (
	"sync"
	"time"

	"layercake/pgwire"
)

// sessions are the node's live sessions, for notifications and pg_stat_activity.
type sessions struct {
	mu       sync.Mutex // protects following fields
	all      map[*session]struct{}
	channels map[string]map[*session]struct{}
}

func newSessions() *sessions {
	return &sessions{all: map[*session]struct{}{}, channels: map[string]map[*session]struct{}{}}
}

// add adds s, unless its user has as many sessions on this node as limit allows; -1 is no limit.
func (ss *sessions) add(s *session, limit int) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if limit >= 0 {
		n := 0
		for other := range ss.all {
			if other.info.User == s.info.User {
				n++
			}
		}
		if n >= limit {
			return false
		}
	}
	ss.all[s] = struct{}{}
	return true
}

func (ss *sessions) remove(s *session) {
	ss.unlisten(s, "")
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.all, s)
}

func (ss *sessions) listen(s *session, channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	m := ss.channels[channel]
	if m == nil {
		m = map[*session]struct{}{}
		ss.channels[channel] = m
	}
	m[s] = struct{}{}
}

// unlisten takes s off one channel, or off all ("").
func (ss *sessions) unlisten(s *session, channel string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for c, m := range ss.channels {
		if channel == "" || c == channel {
			delete(m, s)
			if len(m) == 0 {
				delete(ss.channels, c)
			}
		}
	}
}

func (ss *sessions) deliver(list []pgwire.Notification) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, n := range list {
		for s := range ss.channels[n.Channel] {
			s.info.Notify(n)
		}
	}
}

// activity is what a session is doing, for pg_stat_activity.
type activity struct {
	mu    sync.Mutex // protects following fields
	state string
	query string
	since time.Time
	app   string // application_name
}

func (a *activity) begin(query string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.state, a.query, a.since = "active", query, now
}

func (a *activity) end(tx byte, app string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.app = app
	a.state = map[byte]string{'I': "idle", 'T': "idle in transaction", 'E': "idle in transaction (aborted)"}[tx]
}

func (a *activity) get() (state, query, app string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state, a.query, a.app, a.since
}

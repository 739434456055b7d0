package server

import (
	"context"
	"sync/atomic"
	"time"

	"layercake/crdt"
	"layercake/replication"
	"layercake/sqlstore"
)

// What a statement waits for.

// barrier makes a read catch up with as many members as the read level asks.
func (s *session) barrier(ctx context.Context, reads bool) error {
	if s.settings.read == replication.None || !reads {
		return nil
	}
	return s.node.repl.Barrier(ctx, s.settings.read, s.settings.timeout)
}

// writeBack makes sure that as many members as the read level asks have what the statement saw, before it is answered.
func (s *session) writeBack(ctx context.Context, seen crdt.Vector, reads bool) error {
	if s.settings.read == replication.None || !reads {
		return nil
	}
	return s.node.repl.WriteBack(ctx, s.settings.read, seen, s.settings.timeout+s.node.loads.wait(0))
}

// checkWrite refuses a write, before anything is written, when its level can't be met.
func (s *session) checkWrite() error {
	if s.settings.write == replication.None {
		return nil
	}
	return s.node.repl.Check(s.settings.write, replication.Write)
}

// confirm waits until a commit is durable on as many members as the write level asks.
func (s *session) confirm(ctx context.Context, c sqlstore.Commit) error {
	return s.confirmAt(ctx, c, s.settings.write, s.settings.timeout)
}

// confirmAt is confirm at the level and with the time-out of a transaction whose own settings are gone by now.
func (s *session) confirmAt(ctx context.Context, c sqlstore.Commit, level replication.Level, timeout time.Duration) error {
	if c.Empty || level == replication.None {
		return nil
	}
	return s.node.repl.Confirm(ctx, level, c.Origin, c.Seq, timeout+max(s.node.loads.wait(c.Bytes), loadTime(c.Group)))
}

// loads is what the others are granted, beyond consistency_timeout, for applying this node's bulk loads: they take as long
// as this node took, and what is written after a load waits behind it. The zero value is ready.
type loads struct {
	until atomic.Int64 // nanoseconds since loadsBegin
}

var loadsBegin = time.Now()

// loadRate is how many bytes of a transaction the others are granted a second for.
const loadRate = 8 << 20

func loadTime(bytes int) time.Duration { return time.Duration(bytes) * time.Second / loadRate }

// wait says how long the others may take from now on for a transaction of so many bytes, and all before it.
func (l *loads) wait(bytes int) time.Duration {
	work := loadTime(bytes)
	now := int64(time.Since(loadsBegin))
	for {
		until := l.until.Load()
		next := max(until, now) + int64(work)
		if work == 0 || l.until.CompareAndSwap(until, next) {
			return time.Duration(next - now)
		}
	}
}

package sqlstore

import (
	"context"
	"errors"
	"sync"
)

// hold keeps this node's own transactions out while somebody notes what the database is at a vector.
type hold struct {
	mu     sync.Mutex // protects the following fields
	inside int        // transactions that are waiting for the writer, or on it
	ended  chan struct{}
	empty  chan struct{} // closed when inside is 0; nil while nobody waits for that
}

// errHeld reports a Hold while there is one.
var errHeld = errors.New("sqlstore: it is held already")

// Hold keeps Write back until release is called, and returns when no Write is under way: from then on only Apply changes
// rows and the vector. Try, notes of this node alone (PutLocal) and readers go on. If ctx ends first nothing is held.
func (s *Store) Hold(ctx context.Context) (release func(), err error) {
	h := &s.hold
	h.mu.Lock()
	if h.ended != nil {
		h.mu.Unlock()
		return nil, errHeld
	}
	h.ended = make(chan struct{})
	empty := make(chan struct{})
	if h.inside > 0 {
		h.empty = empty
	} else {
		close(empty)
	}
	h.mu.Unlock()
	release = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(h.ended)
		h.ended, h.empty = nil, nil
	})
	select {
	case <-empty:
		return release, nil
	case <-ctx.Done():
		release()
		return nil, context.Cause(ctx)
	case <-s.closing:
		release()
		return nil, ErrClosed
	}
}

// enter is called before a Write is given to the writer; leave follows when it is done.
func (s *Store) enter(ctx context.Context) error {
	h := &s.hold
	for {
		h.mu.Lock()
		ended := h.ended
		if ended == nil {
			h.inside++
			h.mu.Unlock()
			return nil
		}
		h.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.closing:
			return ErrClosed
		}
	}
}

func (s *Store) leave() {
	h := &s.hold
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inside--
	if h.inside == 0 && h.empty != nil {
		close(h.empty)
		h.empty = nil
	}
}

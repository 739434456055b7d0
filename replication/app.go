package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// Requests between runtimes. Their answers begin with a byte: answerOK, then what was asked for, or answerError and why.
const (
	askHold   byte = 1 // hold what is applied back, and say at what vector
	askNote   byte = 2 // note something at the agreed vector, and go on
	askResume byte = 3 // go on: the members did not agree
	askLater  byte = 4 // for the Witness, at any time
	askReady  byte = 5 // whether a hold would come about at once
)

const (
	answerOK    byte = 0
	answerError byte = 1
)

// answerWithin bounds how long a request of a peer is worked on that brings no bound of its own.
const answerWithin = time.Minute

// maxHandlers bounds the requests of peers that are worked on at a time. One that comes on top is told so.
const maxHandlers = 8

var (
	errUnreachable = errors.New("replication: the member is not reachable")
	errBusy        = errors.New("busy")
)

// takeApp answers a request of a peer, or hands its answer to who asked.
func (r *Replicator) takeApp(l *link, a core.App) error {
	if a.Answer {
		r.mu.Lock()
		defer r.mu.Unlock()
		if ch := r.calls[a.ID]; ch != nil {
			delete(r.calls, a.ID)
			ch <- a // has room
		}
		return nil
	}
	select {
	case r.handlers <- struct{}{}:
	default:
		r.answer(l, a, nil, errBusy)
		return nil
	}
	l.loops.Go(func() {
		defer func() { <-r.handlers }()
		ctx, cancel := context.WithTimeout(l.ctx, answerWithin)
		defer cancel()
		body, err := r.handle(ctx, a)
		r.answer(l, a, body, err)
	})
	return nil
}

func (r *Replicator) answer(l *link, a core.App, body []byte, err error) {
	b := append([]byte{answerOK}, body...)
	if err != nil {
		b = append([]byte{answerError}, err.Error()...)
	}
	r.do(func(n *core.Node, now time.Time) {
		n.Post(now, l.peer, core.App{What: a.What, Answer: true, ID: a.ID, Body: b})
	})
}

// handle works a request out. Its body comes from outside.
func (r *Replicator) handle(ctx context.Context, a core.App) ([]byte, error) {
	if r.cfg.Witness == nil {
		return nil, errors.New("this node keeps no digests")
	}
	if a.What == askLater {
		return r.cfg.Witness.Answer(ctx, a.Body)
	}
	round, n := binary.Uvarint(a.Body)
	if n <= 0 {
		return nil, core.ErrMalformed
	}
	body := a.Body[n:]
	switch a.What {
	case askHold, askReady:
		limit, n := binary.Uvarint(body)
		if n <= 0 || limit > uint64(maxHold) {
			return nil, core.ErrMalformed
		}
		if a.What == askReady {
			return nil, r.ready(ctx, time.Duration(limit))
		}
		v, err := r.hold(ctx, round, time.Duration(limit))
		return crdt.AppendVector(nil, v), err
	case askNote:
		v, ask, err := crdt.DecodeVector(body)
		if err != nil {
			return nil, err
		}
		return r.note(ctx, round, v, ask)
	case askResume:
		r.resume(round)
		return nil, nil
	}
	return nil, core.ErrMalformed
}

// call asks a peer's runtime and waits for the answer.
func (r *Replicator) call(ctx context.Context, to crdt.NodeID, what byte, body []byte) ([]byte, error) {
	ch := make(chan core.App, 1)
	r.mu.Lock()
	r.lastID++
	id := r.lastID
	r.calls[id] = ch
	ok := r.core.Post(r.cfg.Now(), to, core.App{What: what, ID: id, Body: body})
	r.flush()
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.calls, id)
		r.mu.Unlock()
	}()
	if !ok {
		return nil, errUnreachable
	}
	select {
	case a := <-ch:
		switch {
		case len(a.Body) == 0:
			return nil, core.ErrMalformed
		case a.Body[0] != answerOK:
			if s := string(a.Body[1:]); s != errBusy.Error() {
				return nil, errors.New(s)
			}
			return nil, errBusy
		}
		return a.Body[1:], nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-r.ctx.Done():
		return nil, errStopping
	}
}

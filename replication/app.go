package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// Requests between runtimes.
const askDigests byte = 1

// answerWithin bounds how long a request of a peer is worked on.
const answerWithin = 10 * time.Second

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
	default: // busy: as if lost, the peer asks again
		return nil
	}
	l.loops.Go(func() {
		defer func() { <-r.handlers }()
		ctx, cancel := context.WithTimeout(l.ctx, answerWithin)
		defer cancel()
		answer := core.App{What: a.What, Answer: true, ID: a.ID}
		if a.What == askDigests && r.cfg.Digests != nil {
			if v, ds, err := r.cfg.Digests(ctx); err == nil {
				answer.Body = appendDigests(nil, v, ds)
			} else {
				r.cfg.Logger.Error("could not work out digests", "err", err)
			}
		}
		r.do(func(n *core.Node, now time.Time) { n.Post(now, l.peer, answer) })
	})
	return nil
}

// call asks a peer's runtime and waits for the answer.
func (r *Replicator) call(ctx context.Context, to crdt.NodeID, what byte) ([]byte, error) {
	ch := make(chan core.App, 1)
	r.mu.Lock()
	r.lastID++
	id := r.lastID
	r.calls[id] = ch
	ok := r.core.Post(r.cfg.Now(), to, core.App{What: what, ID: id})
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
		if len(a.Body) == 0 {
			return nil, errors.New("replication: it cannot answer")
		}
		return a.Body, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-r.ctx.Done():
		return nil, errStopping
	}
}

var errUnreachable = errors.New("replication: the member is not reachable")

// Digests collects the digests of all members, this one first. It asks again until all that answer are at one vector or
// ctx (or five seconds) is over; then the answers show what vector each belongs to.
func (r *Replicator) Digests(ctx context.Context) ([]NodeDigests, error) {
	if r.cfg.Digests == nil {
		return nil, errors.New("replication: Config.Digests is not set")
	}
	if !r.IsMember() {
		return nil, notRunning()
	}
	deadline, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		out, err := r.digestsOnce(ctx)
		if err != nil || equalVectors(out) {
			return out, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline.Done():
			return out, nil
		}
	}
}

func equalVectors(ds []NodeDigests) bool {
	for _, d := range ds[1:] {
		if d.Err == nil && !d.Vector.Equal(ds[0].Vector) {
			return false
		}
	}
	return true
}

// digestsOnce asks everybody once, all at a time.
func (r *Replicator) digestsOnce(ctx context.Context) ([]NodeDigests, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	r.mu.Lock()
	members := r.core.List().Members
	r.mu.Unlock()
	answers := make(chan NodeDigests, len(members))
	var self NodeDigests
	others := 0
	for _, m := range members {
		if m.ID == r.self {
			self = NodeDigests{Node: m.ID, Name: m.Name}
			continue
		}
		others++
		go func() { // joined below
			d := NodeDigests{Node: m.ID, Name: m.Name}
			body, err := r.call(ctx, m.ID, askDigests)
			if err == nil {
				d.Vector, d.Digests, err = decodeDigests(body)
			}
			d.Err = err
			answers <- d
		}()
	}
	var err error
	if self.Vector, self.Digests, err = r.cfg.Digests(ctx); err != nil {
		cancel()
	}
	out := []NodeDigests{self}
	byID := map[crdt.NodeID]NodeDigests{}
	for range others {
		d := <-answers
		byID[d.Node] = d
	}
	for _, m := range members {
		if d, ok := byID[m.ID]; ok {
			out = append(out, d)
		}
	}
	return out, err
}

func appendDigests(b []byte, v crdt.Vector, ds []Digest) []byte {
	b = crdt.AppendVector(b, v)
	for _, d := range ds {
		b = binary.AppendUvarint(b, uint64(len(d.Relation)))
		b = append(b, d.Relation...)
		b = binary.AppendVarint(b, d.Rows)
		b = binary.AppendUvarint(b, uint64(len(d.Digest)))
		b = append(b, d.Digest...)
	}
	return b
}

func decodeDigests(b []byte) (crdt.Vector, []Digest, error) {
	v, b, err := crdt.DecodeVector(b)
	if err != nil {
		return nil, nil, err
	}
	take := func() []byte {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			err = core.ErrMalformed
			b = nil
			return nil
		}
		s := b[k : k+int(n)]
		b = b[k+int(n):]
		return s
	}
	var ds []Digest
	for len(b) > 0 {
		d := Digest{Relation: string(take())}
		rows, k := binary.Varint(b)
		if k <= 0 {
			return nil, nil, core.ErrMalformed
		}
		d.Rows, b = rows, b[k:]
		d.Digest = take()
		if err != nil {
			return nil, nil, err
		}
		ds = append(ds, d)
	}
	return v, ds, nil
}

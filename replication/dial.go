package replication

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"layercake/cluster"
	"layercake/crdt"
	"layercake/replication/core"
)

// dialing is what is remembered of the attempts to reach a member.
type dialing struct {
	busy     bool
	next     time.Time // not before
	failures int
	said     string // the last failure logged
}

// Attempts to reach a member: the node with the smaller id dials at once, the other only when that does not come about
// (its address may have changed), so that usually one link is made and not two.
const (
	dialWithin  = 3 * time.Second
	dialPatient = 400 * time.Millisecond
	dialMaxWait = time.Second
)

// dial keeps trying to reach the members that have no link.
func (r *Replicator) dial() {
	for {
		select {
		case <-r.dialWake:
		case <-r.ctx.Done():
			return
		}
		seen := map[crdt.NodeID]cluster.Node{}
		for _, g := range r.gossiped() {
			if g.State == cluster.Alive {
				seen[crdt.NodeID(g.ID)] = g
			}
		}
		r.mu.Lock()
		now := r.cfg.Now()
		for _, m := range r.core.Targets() {
			d := r.dials[m.ID]
			if d == nil {
				d = &dialing{next: now}
				if m.ID < r.self {
					d.next = now.Add(dialPatient)
				}
				r.dials[m.ID] = d
			}
			if d.busy || now.Before(d.next) || r.closed {
				continue
			}
			d.busy = true
			// Where they differ, gossip is mostly newer than the member list, but not always: it keeps a node that has just
			// moved where it was until it has noticed.
			if g, ok := seen[m.ID]; ok && g.RPCAddr != "" && d.failures%2 == 0 {
				m.RPCAddr = g.RPCAddr
			}
			r.goDo(func() { r.dialOne(m, d) })
		}
		r.mu.Unlock()
	}
}

func (r *Replicator) gossiped() []cluster.Node {
	if r.gossip == nil {
		return nil
	}
	return r.gossip.Nodes()
}

// dialOne makes one attempt, and serves the link for as long as it lasts.
func (r *Replicator) dialOne(m core.Member, d *dialing) {
	err := r.dialLink(m)
	r.mu.Lock()
	defer r.mu.Unlock()
	d.busy = false
	d.next = r.cfg.Now()
	if m.ID < r.self {
		d.next = d.next.Add(dialPatient)
	}
	if err == nil { // the link was in force and ended
		d.said = ""
		return
	}
	d.failures++
	wait := min(dialMaxWait, 50*time.Millisecond<<min(d.failures, 6))
	d.next = d.next.Add(wait/2 + time.Duration(rand.Int64N(int64(wait))))
	if text := err.Error(); text != d.said && r.ctx.Err() == nil {
		d.said = text
		r.cfg.Logger.Warn("cannot reach a member", "peer", m.Name, "addr", m.RPCAddr, "err", err)
	}
}

// dialLink opens the stream, shakes hands and serves the link. An error means that none came about.
func (r *Replicator) dialLink(m core.Member) error {
	conn, err := r.connect(m.RPCAddr)
	if err != nil {
		return err
	}
	defer conn.Close()
	l := r.newLink(nil, true)
	defer l.close(errStopping)
	timeout := time.AfterFunc(dialWithin, func() { l.close(fmt.Errorf("no answer within %v", dialWithin)) })
	defer timeout.Stop()
	s, err := conn.NewStream(l.ctx, &linkDesc, linkMethod)
	if err != nil {
		return causeOf(l, err)
	}
	l.stream = s
	var said core.Hello
	r.do(func(n *core.Node, now time.Time) { said = r.hello(n, now) })
	if err := s.SendMsg(&frame{parts: [][]byte{{frameWhole}, core.Append(nil, said)}}); err != nil {
		return causeOf(l, err)
	}
	return r.shake(l, said, timeout, func(h core.Hello) error {
		if h.Member.ID != m.ID {
			return fmt.Errorf("%s answers there, not %s", h.Member.Name, m.Name)
		}
		return nil
	}, nil)
}

// hello is what this node says first, of all that is durable by now: it must never say less than it said before.
func (r *Replicator) hello(n *core.Node, now time.Time) core.Hello {
	n.Advance(now, r.cfg.Store.Vector())
	return n.Hello()
}

// causeOf prefers why this side ended a link to what gRPC says then.
func causeOf(l *link, err error) error {
	if cause := context.Cause(l.ctx); cause != nil {
		return cause
	}
	if text, ok := refused(err); ok {
		return fmt.Errorf("refused: %s", text)
	}
	return err
}

// shake waits for the peer's Hello, vets it, answers it (if answer is set: this side has not said Hello) and serves the
// link until it ends. An error means that the link never came into force.
func (r *Replicator) shake(l *link, said core.Hello, timeout *time.Timer, check func(core.Hello) error,
	answer func() (core.Hello, error)) error {
	hello := make(chan core.Hello, 1)
	attached := make(chan struct{})
	l.loops.Go(func() { l.close(r.receiveLoop(l, hello, attached)) })
	defer l.loops.Wait()
	var h core.Hello
	select {
	case h = <-hello:
	case <-l.ctx.Done():
		select {
		case h = <-hello: // it said Hello and hung up: perhaps to tell that this node was removed
		default:
			return causeOf(l, l.ctx.Err())
		}
	}
	err := r.vet(h)
	if err == nil && check != nil {
		err = check(h)
	}
	if answer != nil && (err == nil || r.isRetired(h.Member.ID)) { // one that was removed learns it from the list in Hello
		var failed error
		if said, failed = answer(); err == nil {
			err = failed
		}
	}
	if err != nil {
		l.close(err)
		return err
	}
	timeout.Stop()
	if !r.attach(l, h, said) {
		l.close(errDouble)
		return nil
	}
	close(attached)
	r.serve(l)
	return nil
}

var errDouble = fmt.Errorf("replication: the two nodes have another link")

// serveLink is the stream of a peer that dialed this node.
func (r *Replicator) serveLink(ss grpc.ServerStream) error {
	l := r.newLink(ss, false)
	defer l.close(errStopping)
	stop := context.AfterFunc(ss.Context(), func() { l.close(ss.Context().Err()) })
	defer stop()
	timeout := time.AfterFunc(handshakeWithin, func() { l.close(fmt.Errorf("no Hello within %v", handshakeWithin)) })
	defer timeout.Stop()
	// The loops read and write the stream; they can be waited for only after this handler has returned, which is what
	// ends their calls.
	result := make(chan error, 1)
	r.goDo(func() {
		result <- r.shake(l, core.Hello{}, timeout, nil, func() (core.Hello, error) {
			var said core.Hello
			r.do(func(n *core.Node, now time.Time) { said = r.hello(n, now) })
			return said, ss.SendMsg(&frame{parts: [][]byte{{frameWhole}, core.Append(nil, said)}})
		})
	})
	<-l.ctx.Done()
	cause := context.Cause(l.ctx)
	if _, ok := refused(cause); ok {
		return cause
	}
	return status.Error(codes.Unavailable, cause.Error())
}

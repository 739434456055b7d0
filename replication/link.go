package replication

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"layercake/crdt"
	"layercake/replication/core"
)

// stream is what gRPC's client and server streams have in common.
type stream interface {
	SendMsg(m any) error
	RecvMsg(m any) error
}

// link is the one stream between this node and a peer, dialed by either. Two loops serve it.
type link struct {
	peer     crdt.NodeID
	name     string
	instance uint64
	dialed   bool // by this node
	since    time.Time
	stream   stream
	wake     chan struct{}

	sending sync.Mutex   // held by whoever takes messages from the core and sends them: they keep their order
	held    []byte       // a message (see whole) that express took and left to the loop; protected by sending
	ready   ready        // protected by sending
	unheard atomic.Int32 // messages that express sent since the last sign of life

	ctx    context.Context
	cancel context.CancelCauseFunc
	loops  sync.WaitGroup
}

func (r *Replicator) newLink(s stream, dialed bool) *link {
	l := &link{stream: s, dialed: dialed, wake: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancelCause(r.ctx)
	return l
}

// close ends the link; its loops end by themselves.
func (l *link) close(err error) { l.cancel(err) }

// The first byte of a frame.
const (
	frameWhole = iota // a message
	frameFirst        // the length of a long message, 8 bytes, and its first part; whole messages may stand between the parts
	framePart         // the next part
	frameLast         // the last part
)

// handshakeWithin bounds how long a peer may take to say Hello.
const handshakeWithin = 3 * time.Second

// vet says whether a peer may be linked to.
func (r *Replicator) vet(h core.Hello) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.core.Vet(r.cfg.Now(), h)
	r.flush()
	if err == nil || errors.Is(err, core.ErrNotYet) {
		return err
	}
	return refusal("%v", err)
}

// attach puts a link in force. Of two links that both nodes dialed at the same time the one dialed by the smaller id
// stays; otherwise the newer one does, since its dialer had none.
func (r *Replicator) attach(l *link, h, said core.Hello) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	now := r.cfg.Now()
	l.peer, l.name, l.instance, l.since = h.Member.ID, h.Member.Name, h.Instance, now
	if old := r.links[l.peer]; old != nil {
		better := old.dialed == (r.self < l.peer) && l.dialed != old.dialed
		if better && old.instance == l.instance && now.Sub(old.since) < handshakeWithin && old.ctx.Err() == nil {
			return false
		}
		old.close(errors.New("replication: replaced by a newer link"))
		r.core.Down(now, l.peer)
	}
	r.links[l.peer] = l
	r.core.Advance(now, r.cfg.Store.Vector()) // else a peer may seem to know more of this node than it does itself
	r.core.Up(now, h, said)
	r.updateFence() // at once: this node may just have learned that it was rolled back
	r.announceLink()
	if d := r.dials[l.peer]; d != nil {
		d.failures = 0
	}
	r.flush()
	poke(l.wake)
	r.cfg.Logger.Debug("linked", "peer", l.name, "dialed", l.dialed)
	return true
}

// announceLink wakes who waits for links to come or go. r.mu is held.
func (r *Replicator) announceLink() {
	close(r.linked)
	r.linked = make(chan struct{})
}

// detach takes a link out of force, if it still is.
func (r *Replicator) detach(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links[l.peer] != l {
		return
	}
	delete(r.links, l.peer)
	r.announceLink()
	now := r.cfg.Now()
	r.core.Down(now, l.peer)
	if d := r.dials[l.peer]; d != nil {
		d.next = now
	}
	r.flush()
	poke(r.dialWake)
	if r.ctx.Err() == nil {
		r.cfg.Logger.Info("link lost", "peer", l.name, "err", context.Cause(l.ctx))
	}
}

// serve runs the loops of an attached link until it ends.
func (r *Replicator) serve(l *link) {
	l.loops.Go(func() {
		l.close(r.sendLoop(l))
		l.sending.Lock()
		defer l.sending.Unlock()
		l.ready.close()
	})
	<-l.ctx.Done()
	r.detach(l)
}

// sendLoop sends what the core has for the peer. Back-pressure is that it is busy: nothing is read from the log
// meanwhile.
func (r *Replicator) sendLoop(l *link) error {
	for {
		some, err := r.sendNext(l)
		if err != nil {
			return err
		}
		if some {
			continue
		}
		select {
		case <-l.wake:
		case <-l.ctx.Done():
			return l.ctx.Err()
		}
	}
}

// sendNext sends one message or one batch of entries, if there is any.
func (r *Replicator) sendNext(l *link) (some bool, err error) {
	l.sending.Lock()
	defer l.sending.Unlock()
	if b := l.held; b != nil {
		l.held = nil
		return true, r.sendMessage(l, b)
	}
	r.mu.Lock()
	if r.links[l.peer] != l {
		r.mu.Unlock()
		return false, errors.New("replication: replaced by a newer link")
	}
	m, some := r.core.NextMessage(l.peer)
	var read core.ReadLog
	reading := false
	if !some {
		read, reading = r.core.NextRead(l.peer)
	}
	r.mu.Unlock()
	switch {
	case some:
		return true, r.sendMessage(l, whole(m))
	case reading:
		return true, r.sendEntries(l, read)
	}
	return false, nil
}

const (
	maxExpress = 4 << 10 // bytes of a message that express sends
	maxUnheard = 8       // messages that it sends without a sign of life: far less than gRPC takes before it blocks
)

// express sends the small messages that wait for a peer, without its loop, which would have to be woken: a question and
// its answer are on their way a goroutine sooner. What it cannot send without having to wait is left to the loop.
func (r *Replicator) express(l *link) {
	if l.unheard.Load() >= maxUnheard || !l.sending.TryLock() {
		poke(l.wake)
		return
	}
	more := l.held != nil
	for !more {
		r.mu.Lock()
		m, some := r.nextMessage(l)
		more = !some && r.core.Readable(l.peer)
		r.mu.Unlock()
		if !some {
			break
		}
		b := whole(m)
		if more = len(b) > maxExpress || l.unheard.Add(1) > maxUnheard; more {
			l.held = b
			break
		}
		if err := r.sendMessage(l, b); err != nil {
			l.close(err)
			break
		}
	}
	l.sending.Unlock()
	if more {
		poke(l.wake)
	}
}

// whole encodes a message, after the first byte of a frame that holds all of it.
func whole(m core.Message) []byte {
	return core.Append(append(make([]byte, 0, 64), frameWhole), m)
}

// sendMessage sends what whole encoded.
func (r *Replicator) sendMessage(l *link, b []byte) error {
	if len(b) <= maxFrame {
		return l.stream.SendMsg(&frame{parts: [][]byte{b}})
	}
	return r.sendParts(l, &long{parts: [][]byte{b[1:]}})
}

// sendEntries reads entries from the log and sends them as they are stored.
func (r *Replicator) sendEntries(l *link, read core.ReadLog) error {
	entries, err := r.cfg.Store.Entries(l.ctx, read.Origin, read.From, read.MaxBytes)
	if errors.Is(err, crdt.ErrLong) {
		return r.sendLongEntry(l, read)
	}
	if err != nil {
		entries = nil
		r.unreadable(l, read, err)
	}
	sizes := make([]int, len(entries))
	total := 0
	for i := range entries {
		sizes[i] = len(entries[i].Bytes)
		total += sizes[i] + binary.MaxVarintLen32
	}
	head, wanted := r.sent(read, sizes)
	if !wanted || len(entries) == 0 {
		return nil
	}
	if total+len(head) < maxFrame { // a copy costs less than as many parts
		b := append(append(make([]byte, 0, 1+len(head)+total), frameWhole), head...)
		for i := range entries {
			b = append(binary.AppendUvarint(b, uint64(sizes[i])), entries[i].Bytes...)
		}
		return l.stream.SendMsg(&frame{parts: [][]byte{b}})
	}
	parts := append(make([][]byte, 0, 1+2*len(entries)), head)
	for i := range entries {
		parts = append(parts, binary.AppendUvarint(nil, uint64(sizes[i])), entries[i].Bytes)
	}
	return r.sendParts(l, &long{parts: parts})
}

// sendLongEntry is sendEntries for one that is not taken into memory. While it is read small messages pass; a peer that
// asks again meanwhile, since nothing comes, gets what was read for its first question.
func (r *Replicator) sendLongEntry(l *link, read core.ReadLog) error {
	if l.ready.file == nil || l.ready.origin != read.Origin || l.ready.seq != read.From {
		l.sending.Unlock()
		f, size, err := r.longEntry(l.ctx, read)
		l.sending.Lock()
		if err != nil {
			r.unreadable(l, read, err)
		}
		l.ready.close()
		l.ready = ready{read.Origin, read.From, f, size}
		if b := l.held; b != nil { // messages keep their order
			l.held = nil
			if err := r.sendMessage(l, b); err != nil {
				return err
			}
		}
	}
	var sizes []int
	if l.ready.file != nil {
		sizes = []int{int(l.ready.size)}
	}
	head, wanted := r.sent(read, sizes)
	if !wanted {
		return nil
	}
	defer func() { l.ready.close() }()
	head = binary.AppendUvarint(head, uint64(l.ready.size))
	return r.sendParts(l, &long{parts: [][]byte{head}, file: io.NewSectionReader(l.ready.file, 0, l.ready.size)})
}

// longEntry opens a long entry; the file is nil if it is not there.
func (r *Replicator) longEntry(ctx context.Context, read core.ReadLog) (*os.File, int64, error) {
	f, err := r.cfg.Store.LongEntry(ctx, read.Origin, read.From)
	if f == nil {
		return nil, 0, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

// ready is a long entry that has been read.
type ready struct {
	origin crdt.Origin
	seq    uint64
	file   *os.File
	size   int64
}

func (e *ready) close() {
	if e.file != nil {
		e.file.Close() // of a file without a name
		e.file = nil
	}
}

// sent tells the core what was read, and gives what stands before it in the message.
func (r *Replicator) sent(read core.ReadLog, sizes []int) (head []byte, wanted bool) {
	version := uint64(0)
	r.do(func(n *core.Node, now time.Time) {
		wanted = n.Sent(now, read, sizes)
		version = n.List().Version // as of after the reading: what is said of the entries holds under this list
	})
	return core.AppendEntriesHead(make([]byte, 0, 64), version, read.Origin, read.Sub, len(sizes)), wanted
}

func (r *Replicator) unreadable(l *link, read core.ReadLog, err error) {
	if l.ctx.Err() == nil {
		r.cfg.Logger.Error("could not read the log", "peer", l.name, "origin", TransactionID(read.Origin, read.From), "err", err)
	}
}

// nextMessage takes the next small message for a link that is in force. r.mu is held.
func (r *Replicator) nextMessage(l *link) (core.Message, bool) {
	if r.links[l.peer] != l {
		return nil, false
	}
	return r.core.NextMessage(l.peer)
}

func (r *Replicator) heard(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.peer != 0 && r.links[l.peer] == l {
		r.core.Heard(r.cfg.Now(), l.peer)
	}
}

// take gives a message of an attached link to the core, or answers it.
func (r *Replicator) take(l *link, m core.Message) error {
	if a, ok := m.(core.App); ok {
		return r.takeApp(l, a)
	}
	r.mu.Lock()
	if r.links[l.peer] != l {
		r.unlock()
		return errors.New("replication: replaced by a newer link")
	}
	r.core.Receive(r.cfg.Now(), l.peer, m)
	version := ^uint64(0) // of the list that a question or its answer was given under
	switch m := m.(type) {
	case core.Remember:
		r.updateFence()
	case core.Ask:
		version = m.Version
	case core.Reply:
		version = m.Version
	}
	if version == r.version {
		r.unlockRead()
	} else {
		r.unlock()
	}
	return nil
}

// receiveLoop reads the link: first Hello, which goes to hello, then everything else, once attached is closed.
func (r *Replicator) receiveLoop(l *link, hello chan<- core.Hello, attached <-chan struct{}) error {
	first := true
	return r.receive(l, func(m core.Message) error {
		if first {
			h, ok := m.(core.Hello)
			if !ok {
				return core.ErrMalformed
			}
			first = false
			hello <- h // has room
			select {
			case <-attached:
				return nil
			case <-l.ctx.Done():
				return l.ctx.Err()
			}
		}
		return r.take(l, m)
	})
}

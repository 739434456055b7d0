package core

import (
	"maps"
	"slices"
	"time"

	"layercake/crdt"
)

// send is an origin's entries on their way to one peer: unasked (sub 0) for this node's own newest epoch, else because
// the peer subscribed.
type send struct {
	origin   crdt.Origin
	sub      uint64
	sent     uint64  // the last entry handed to the link, or that the peer turned out to have
	carried  uint64  // the last entry handed to the link: receiving it tells the peer that it is durable here
	inflight []chunk // sent and not acknowledged
	bytes    int     // of inflight
	reading  bool    // its next entries are being read from the log
	pauseTil time.Time
}

type chunk struct {
	last  uint64
	bytes int
}

// acked frees the window of what the peer has durably applied.
func (s *send) acked(seq uint64) {
	for len(s.inflight) > 0 && s.inflight[0].last <= seq {
		s.bytes -= s.inflight[0].bytes
		s.inflight = s.inflight[1:]
	}
	if len(s.inflight) == 0 {
		s.inflight = nil
	}
	if s.sent < seq && !s.reading { // it has them from elsewhere
		s.sent = seq
	}
}

// pushOwn starts the stream of this node's newest epoch to p, if it is of this data centre, from what p has.
func (n *Node) pushOwn(p *peer) {
	epoch, ok := n.newest[n.self]
	if !ok {
		return
	}
	o := crdt.Origin{Node: n.self, Epoch: epoch}
	for old, s := range p.sends {
		if s.sub == 0 && old != o {
			delete(p.sends, old) // ended: the receiver takes the rest by subscription (rule E3)
		}
	}
	if !n.pushesTo(p) {
		if s := p.sends[o]; s != nil && s.sub == 0 {
			delete(p.sends, o)
		}
		return
	}
	if s := p.sends[o]; (s == nil || s.sub != 0) && !p.chains.split[o] && p.have[o] >= n.stab.trimmed[o] { // else it takes a snapshot, or subscribes elsewhere
		p.sends[o] = &send{origin: o, sent: p.have[o]}
	}
	n.rouse(p)
}

// subscribed starts, moves or ends a stream that p asked for.
func (n *Node) subscribed(p *peer, m Subscribe) {
	own := m.Origin == crdt.Origin{Node: n.self, Epoch: n.newest[n.self]}
	if m.From == 0 {
		if s := p.sends[m.Origin]; s != nil && s.sub != 0 {
			delete(p.sends, m.Origin)
			if own {
				n.pushOwn(p)
			}
		}
		return
	}
	if m.From <= n.stab.trimmed[m.Origin] || p.chains.split[m.Origin] {
		return // it has been told what is trimmed, and asks another
	}
	p.sends[m.Origin] = &send{origin: m.Origin, sub: m.Sub, sent: m.From - 1}
	n.rouse(p)
}

// ReadLog is a wish to read entries from the log and send them to a peer.
type ReadLog struct {
	Peer     crdt.NodeID
	Origin   crdt.Origin
	Sub      uint64
	From     uint64
	MaxBytes int

	link uint64
}

// mayRead says whether there are entries to read for s, and room for them.
func (n *Node) mayRead(s *send) bool {
	return !s.reading && s.sent < n.vec[s.origin] && s.sent >= n.stab.trimmed[s.origin] && s.bytes < n.cfg.Window && !n.now.Before(s.pauseTil)
}

// NextRead returns what to read from the log and send to a peer next, if anything may be sent: back-pressure is that
// this is not called while the link is busy, and that it says no while too much is unacknowledged. Sent must follow.
func (n *Node) NextRead(id crdt.NodeID) (ReadLog, bool) {
	p := n.peers[id]
	if p == nil || !p.linked {
		return ReadLog{}, false
	}
	var best *send
	for _, s := range p.sends {
		if !n.mayRead(s) {
			continue
		}
		// The next origin in order after the one whose turn was last: none starves.
		if best == nil || later(s.origin, best.origin, p.turn) {
			best = s
		}
	}
	if best == nil {
		return ReadLog{}, false
	}
	p.turn = best.origin
	best.reading = true
	return ReadLog{Peer: id, Origin: best.origin, Sub: best.sub, From: best.sent + 1,
		MaxBytes: min(n.cfg.MaxRead, n.cfg.Window-best.bytes), link: p.link}, true
}

// Readable says whether NextRead has something to read for a peer.
func (n *Node) Readable(id crdt.NodeID) bool {
	p := n.peers[id]
	if p == nil || !p.linked {
		return false
	}
	for _, s := range p.sends {
		if n.mayRead(s) {
			return true
		}
	}
	return false
}

// later says whether a comes before b when going round from turn.
func later(a, b, turn crdt.Origin) bool {
	ca, cb := a.Compare(turn) > 0, b.Compare(turn) > 0
	if ca != cb {
		return ca
	}
	return a.Compare(b) < 0
}

// Sent says what NextRead's wish yielded, before it goes on the link: sizes are the lengths of the entries read. It
// returns false if they are not wanted any more. Nothing read pauses the stream a little.
func (n *Node) Sent(now time.Time, r ReadLog, sizes []int) bool {
	n.now = now
	p := n.peers[r.Peer]
	if p == nil || !p.linked || p.link != r.link {
		return false
	}
	s := p.sends[r.Origin]
	if s == nil || s.sub != r.Sub || !s.reading || s.sent+1 != r.From {
		return false
	}
	s.reading = false
	if len(sizes) == 0 {
		s.pauseTil = now.Add(n.cfg.Retry)
		return false
	}
	total := 0
	for _, b := range sizes {
		total += b
	}
	s.sent += uint64(len(sizes))
	s.carried = s.sent
	if s.carried >= n.vec[r.Origin] {
		delete(p.owed, r.Origin)
	}
	s.bytes += total
	s.inflight = append(s.inflight, chunk{s.sent, total})
	s.acked(p.have[r.Origin])
	n.rouse(p)
	return true
}

// addMark notes when own entries became durable, no finer than a tenth of a second, for the lag that views show.
func (n *Node) addMark(o crdt.Origin, seq uint64) {
	if k := len(n.marks); k > 0 && n.marks[k-1].origin == o && n.now.Sub(n.marks[k-1].at) < 100*time.Millisecond {
		n.marks[k-1].seq = seq // at stays: the lag is never shown too small
		return
	}
	if len(n.marks) >= 1024 { // of two neighbours the later goes: what it covered falls to the next, a little younger
		kept := n.marks[:0]
		for i, m := range n.marks {
			if i%2 == 1 || i > len(n.marks)/2 {
				kept = append(kept, m)
			}
		}
		n.marks = kept
	}
	n.marks = append(n.marks, mark{o, seq, n.now})
}

// lagOf says how long the first entry of o after acked has been durable here.
func (n *Node) lagOf(o crdt.Origin, acked uint64) time.Duration {
	for _, m := range n.marks {
		if m.origin == o && m.seq > acked {
			return n.now.Sub(m.at)
		}
	}
	return 0
}

// StreamState is how far a peer is with an origin that this node sends it, or that it waits for.
type StreamState struct {
	Peer   crdt.NodeID
	Origin crdt.Origin
	Sent   uint64
	Acked  uint64
	Head   uint64 // what this node has
	Lag    time.Duration
	State  string
}

// Streams lists for each other member this node's own newest epoch, what it relays, and what lags of its own; then the
// origins that are held up here, and why, under the node that they come from.
func (n *Node) Streams(now time.Time) []StreamState {
	n.now = now
	var out []StreamState
	own := crdt.Origin{Node: n.self, Epoch: n.newest[n.self]}
	origins := slices.SortedFunc(maps.Keys(n.vec), crdt.Origin.Compare)
	for _, m := range n.list.Members {
		if m.ID == n.self {
			continue
		}
		p := n.peers[m.ID]
		for _, o := range origins {
			var s *send
			var acked uint64
			if p != nil {
				s, acked = p.sends[o], p.have[o]
			}
			head := n.vec[o]
			if s == nil && o != own && !(o.Node == n.self && acked < head) {
				continue
			}
			st := StreamState{Peer: m.ID, Origin: o, Acked: min(acked, head), Sent: acked, Head: head}
			if s != nil {
				st.Sent = max(s.sent, acked)
			}
			if acked < head {
				st.Lag = n.lagOf(o, acked)
			}
			switch {
			case p == nil || !p.linked:
				st.State = "unreachable"
			case s == nil && n.remote(m.ID):
				st.State = "relayed"
			case s == nil:
				st.State = "idle"
			case s.sub != 0 && o != own:
				st.State = "relaying"
			case s.bytes >= n.cfg.Window || head-st.Sent > 1000:
				st.State = "catching up"
			default:
				st.State = "streaming"
			}
			out = append(out, st)
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(n.errs), crdt.Origin.Compare) {
		b := n.errs[o]
		out = append(out, StreamState{Peer: o.Node, Origin: o, Sent: b.seq, Acked: n.vec[o], Head: n.vec[o], Lag: now.Sub(b.since),
			State: "waiting: " + b.why})
	}
	return out
}

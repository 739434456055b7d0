package core

import (
	"maps"
	"slices"
	"time"

	"layercake/crdt"
)

// Markers say, in each member's own stream, what that member had applied and under which member list. What all of them
// cover is stable: no member can still send anything that came before it. Purge of tombstones and trimming rest on that.

// stability is what is known of it.
type stability struct {
	markers map[crdt.NodeID]crdt.Marked // the last of each node that is durable here
	content crdt.Vector                 // the last entry of each origin that is not known to be a marker
	retired crdt.Vector                 // ended epochs that were retired, and their last entries
	marking bool                        // a marker of this node's own is being written
	markAt  time.Time                   // not before
	unheard []crdt.Marked               // markers that this process wrote and nobody is known to have: where they stand

	purging  bool
	purged   crdt.Vector // tombstones up to here are gone
	again    bool        // some were too young
	purgeAt  time.Time
	trimmed  crdt.Vector // of the log here
	trimming bool
	trimAt   time.Time
}

func (s *stability) init(st State) {
	s.markers = map[crdt.NodeID]crdt.Marked{}
	maps.Copy(s.markers, st.Markers)
	s.trimmed = st.Trimmed.Clone()
	if s.trimmed == nil {
		s.trimmed = crdt.Vector{}
	}
	s.rereadRetired(st)
	s.learn(st.Vector)
}

func (s *stability) rereadRetired(st State) {
	s.retired = crdt.Vector{}
	s.retired.Merge(st.Retired)
}

// learn takes note of entries that came otherwise than one by one: of which of them are markers only the last ones are
// known.
func (s *stability) learn(v crdt.Vector) {
	if s.content == nil {
		s.content = crdt.Vector{}
	}
	for o, seq := range v {
		if m, ok := s.markers[o.Node]; ok && m.Origin == o && m.Seq == seq {
			seq--
		}
		s.content[o] = max(s.content[o], seq)
	}
}

// appliedMarkers notes what a batch said.
func (n *Node) appliedMarkers(batch []crdt.Entry, v crdt.Vector) {
	for i := range batch {
		e := &batch[i]
		if e.Seq > v[e.Origin] {
			continue // it has been moved to another origin since
		}
		if !e.Marker {
			n.stab.content[e.Origin] = max(n.stab.content[e.Origin], e.Seq)
			continue
		}
		if m, err := e.MarkerBody(); err == nil { // the store has looked
			n.keepMarker(crdt.Marked{Marker: m, Origin: e.Origin, Seq: e.Seq})
			n.stab.retired.Merge(m.Retired)
		}
	}
}

// Reread takes markers, and what they have retired, from the store: of a batch that failed it is not known which entries
// are there, and those that are need not be the ones in it (rule E5).
func (n *Node) Reread(now time.Time, st State) {
	n.now = now
	for _, m := range st.Markers {
		n.keepMarker(m)
	}
	n.stab.rereadRetired(st)
	n.stab.learn(st.Vector)
}

func (n *Node) keepMarker(m crdt.Marked) {
	if old, ok := n.stab.markers[m.Origin.Node]; !ok || m.After(old) {
		n.stab.markers[m.Origin.Node] = m
	}
}

// maxUnmarked is how many markers of one origin may stay without an answer: else those that gathered while a member was
// away would stay in every log until somebody writes.
const maxUnmarked = 3

// MarkerDue returns the marker that this node is to write, if one is due: something that is no marker has come since its
// last one, or many markers, or the member list or somebody's epoch is another. A quiet cluster writes none: they do not
// answer each other one for one. Marked must follow.
func (n *Node) MarkerDue(now time.Time) (crdt.Marker, bool) {
	n.now = now
	s := &n.stab
	if s.marking || now.Before(s.markAt) || !n.IsMember() || n.joining || n.back.on {
		return crdt.Marker{}, false
	}
	retire := n.retireDue()
	if len(retire) == 0 && !n.unmarked() {
		return crdt.Marker{}, false
	}
	s.marking, s.markAt = true, now.Add(n.cfg.MarkEvery)
	return crdt.Marker{List: n.list.Version, Vector: n.vec.Without(s.retired), Retired: retire}, true
}

// unmarked says whether this node's last marker leaves something unsaid.
func (n *Node) unmarked() bool {
	last, ok := n.stab.markers[n.self]
	if !ok || last.List != n.list.Version {
		return true
	}
	for o, seq := range n.vec {
		if n.left(o) {
			continue
		}
		if o.Node != n.self {
			seq = max(n.stab.content[o], seq-min(seq, maxUnmarked))
		}
		if seq > last.At(o) {
			return true
		}
		if last.At(o) == 0 && n.newest[o.Node] == o.Epoch && n.list.Has(o.Node) {
			return true
		}
	}
	return false
}

// Marked says that the marker that was due is durable as (o, seq), or could not be written.
func (n *Node) Marked(now time.Time, m crdt.Marker, o crdt.Origin, seq uint64, err error) {
	n.now = now
	n.stab.marking = false
	if err == nil {
		if last := n.stab.markers[n.self]; last.Origin != o || last.Seq != seq-1 {
			n.stab.content[o] = seq - 1
		}
		n.keepMarker(crdt.Marked{Marker: m, Origin: o, Seq: seq})
		n.stab.retired.Merge(m.Retired)
		n.stab.unheard = append(slices.DeleteFunc(n.stab.unheard, func(k crdt.Marked) bool { return k.Seq <= n.heardOf(o) }),
			crdt.Marked{Origin: o, Seq: seq})
	}
}

// stable returns what every member has said to have, under the list that is in force here; nil if one has not spoken
// under it. epochs says whether all of them know each member's newest epoch: entries of older ones then come only from
// members' logs, and these are covered (rules S1, E3).
func (n *Node) stable() (v crdt.Vector, epochs bool) {
	marks := n.memberMarkers()
	if marks == nil {
		return nil, false
	}
	v = crdt.Vector{}
	for o, seq := range n.vec {
		for _, k := range marks {
			seq = min(seq, n.saysOf(k, o))
		}
		seq = min(seq, n.agreed(o, func(*peer) bool { return true }))
		if seq > 0 {
			v[o] = seq
		}
	}
	for _, m := range n.list.Members {
		epoch, ok := n.newest[m.ID]
		if !ok {
			continue
		}
		o := crdt.Origin{Node: m.ID, Epoch: epoch}
		if n.stab.markers[m.ID].Origin != o || slices.ContainsFunc(marks, func(k crdt.Marked) bool { return k.At(o) == 0 }) {
			return v, n.cfg.Knobs.AnyEpoch
		}
	}
	return v, true
}

// memberMarkers are the last markers of all members, nil unless each has written one under the list in force.
func (n *Node) memberMarkers() []crdt.Marked {
	marks := make([]crdt.Marked, 0, len(n.list.Members))
	for _, m := range n.list.Members {
		k, ok := n.stab.markers[m.ID]
		if !ok || k.List != n.list.Version && !n.cfg.Knobs.AnyMarker {
			return nil
		}
		marks = append(marks, k)
	}
	return marks
}

// PurgeDue returns up to where tombstones are to be forgotten, and the clock below which they must lie (rule S1), if
// there may be any to forget. Purged must follow.
func (n *Node) PurgeDue(now time.Time) (v crdt.Vector, before crdt.HLC, ok bool) {
	n.now = now
	s := &n.stab
	if s.purging || n.mending() || now.Before(s.purgeAt) || !n.IsMember() {
		return nil, 0, false
	}
	v, epochs := n.stable()
	if !epochs || !s.again && s.purged.Covers(v) {
		return nil, 0, false
	}
	s.purging, s.purgeAt = true, now.Add(n.cfg.MarkEvery)
	s.purged = v
	return v.Clone(), crdt.MakeHLC(now.Add(-n.cfg.MaxClockOffset)), true
}

// Purged says that it is done; again, that some tombstones were too young, or that it failed.
func (n *Node) Purged(now time.Time, again bool) {
	n.now = now
	n.stab.purging, n.stab.again = false, again
}

// TrimDue returns up to where the log is to be forgotten, if there is something: what every member has, by its markers.
// With full set the log has outgrown its cap: then what all linked members have acknowledged goes too, though others are
// absent, but only while a majority is heard (rule S3). Trimmed must follow.
func (n *Node) TrimDue(now time.Time, full bool) (crdt.Vector, bool) {
	n.now = now
	s := &n.stab
	if s.trimming || n.mending() || now.Before(s.trimAt) || !n.IsMember() {
		return nil, false
	}
	v, _ := n.stable()
	if v == nil {
		v = crdt.Vector{}
	}
	if full && (n.Met(Quorum) || n.cfg.Knobs.TrimAlone) {
		for o, seq := range n.vec {
			// Not the markers at its end: no marker of others need ever cover them, and of an entry that is gone the store does
			// not know the clock by which it purges.
			seq = min(seq, n.lastContent(o))
			for _, p := range n.linked() {
				if n.list.Has(p.id) {
					seq = min(seq, p.have[o])
				}
			}
			seq = min(seq, n.agreed(o, func(p *peer) bool { return p != nil && p.linked }))
			v[o] = max(v[o], seq)
		}
	}
	if s.trimmed.Covers(v) {
		return nil, false
	}
	s.trimming, s.trimAt = true, now.Add(n.cfg.MarkEvery)
	return v, true
}

// lastContent is the last entry of o here that is not known to be a marker.
func (n *Node) lastContent(o crdt.Origin) uint64 {
	if m := n.stab.markers[n.self]; o == n.own && (m.Origin != o || m.Seq < n.vec[o]) {
		return n.vec[o] // this process has written it since
	}
	return n.stab.content[o]
}

// Trimmed says what the store has trimmed by now; peers are told, so that they do not ask for it.
func (n *Node) Trimmed(now time.Time, trimmed crdt.Vector) {
	n.now = now
	n.stab.trimming = false
	delta := crdt.Vector{}
	for o, seq := range trimmed {
		if n.stab.trimmed[o] < seq {
			delta[o] = seq
		}
	}
	if len(delta) == 0 {
		return
	}
	n.stab.trimmed.Merge(delta)
	for _, p := range n.linked() {
		n.send(p.id, Cut{delta})
	}
}

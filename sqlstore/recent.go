package sqlstore

import "layercake/crdt"

// Replication reads each group of commits once for each peer, a moment after it was written: from the log that is a query
// by a reader whose page cache the commit has just made worthless. So the last entries that this process wrote are kept in
// memory, as long as somebody asks for any. A node alone, or one that has never written, keeps nothing.

const (
	recentEntries = 256
	recentBytes   = 128 << 10         // of all entries kept
	recentEntry   = 8 << 10           // an entry that is longer is not kept, nor are those before it
	recentUnasked = 4 * recentEntries // after so many that nobody has asked for, nothing is kept any more
)

// recent is the end of an origin's log, each entry the next of the one before. Nobody tells it of what else becomes of the
// log, by a fork or a snapshot: what is kept holds only while its last entry is the origin's head.
type recent struct {
	ring       []crdt.Entry // entry n is at n modulo recentEntries; nil: nobody asks
	first, end uint64       // those from first to end-1 are kept
	size       int          // of their Bytes
	unasked    int          // entries that came since anybody asked
}

func (r *recent) at(seq uint64) *crdt.Entry { return &r.ring[seq%recentEntries] }

// add keeps one more entry, which is durable, in the place of the oldest if need be.
func (r *recent) add(e crdt.Entry) {
	// One that does not follow begins anew: the epoch is another, or the last one's transaction failed in the end.
	if r.first < r.end && e.Prev != r.at(r.end-1).Hash {
		r.forget()
	}
	if e.Bytes == nil {
		r.forget()
		return
	}
	if r.first == r.end {
		r.first, r.end = e.Seq, e.Seq
	}
	for r.end-r.first == recentEntries || r.size+len(e.Bytes) > recentBytes {
		oldest := r.at(r.first)
		r.size -= len(oldest.Bytes)
		*oldest = crdt.Entry{}
		r.first++
	}
	*r.at(e.Seq) = e
	r.end++
	r.size += len(e.Bytes)
}

func (r *recent) forget() {
	clear(r.ring)
	r.first, r.end, r.size = 0, 0, 0
}

// read is Entries for an origin whose log ends there: nil if the first that is asked for is not kept. A log is a chain of
// hashes: if the last entry is the same, all are. The origin must be too, since a fork's branch keeps its entries' hashes.
func (r *recent) read(o crdt.Origin, end head, from uint64, maxBytes int) []crdt.Entry {
	if from < r.first || from >= r.end {
		return nil
	}
	if last := r.at(r.end - 1); last.Origin != o || (head{last.Seq, last.Hash}) != end {
		return nil
	}
	n, size := uint64(0), 0
	for ; from+n < r.end && (n == 0 || size < maxBytes); n++ {
		size += len(r.at(from + n).Bytes)
	}
	out := make([]crdt.Entry, n)
	for i := range out {
		out[i] = *r.at(from + uint64(i))
	}
	return out
}

// recentOf is Entries from memory: nil if the log must be read.
func (s *Store) recentOf(o crdt.Origin, from uint64, maxBytes int) []crdt.Entry {
	if !s.asked.Load() {
		s.asked.Store(true)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if from <= s.trimmed[o] {
		return nil
	}
	return s.recent.read(o, s.heads[o], from, maxBytes)
}

// wrote notes an entry that the group under way has written, of the given size with the groups at its end.
func (w *writer) wrote(e *crdt.Entry, size int) {
	if !w.keeping {
		return
	}
	w.written = append(w.written, *e)
	if size > recentEntry {
		w.written[len(w.written)-1].Bytes = nil
	}
}

// keepWritten keeps what the group has written, once that is durable. Store.mu is held.
func (w *writer) keepWritten() {
	r := &w.s.recent
	for i := range w.written {
		r.add(w.written[i])
	}
	r.unasked += len(w.written)
	w.forgetWritten()
	switch {
	case w.s.asked.Load():
		w.s.asked.Store(false)
		w.keeping, r.unasked = true, 0
		if r.ring == nil {
			r.ring = make([]crdt.Entry, recentEntries)
		}
	case r.unasked >= recentUnasked:
		w.keeping, w.written, *r = false, nil, recent{}
	}
}

func (w *writer) forgetWritten() {
	clear(w.written)
	w.written = w.written[:0]
}

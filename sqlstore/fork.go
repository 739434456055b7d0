package sqlstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Forks: see crdt.Fork. The branch that is moved gets an origin of its own, under which its entries are written anew; the
// rows stay as they are, since the entries keep their stamps.

// maxOld is how many short hashes of trimmed entries are kept of an origin: so far behind the log a fork is found.
const maxOld = 1024

func loadForks(c *sqlite.Conn) (crdt.Forks, error) {
	var forks crdt.Forks
	err := each(c, "SELECT fork FROM lc_forks", nil, func(v []catalog.Value) error {
		f, _, err := crdt.DecodeFork(v[0].Bytes)
		if err == nil && !forks.Has(f) {
			forks = forks.With(f)
		}
		return err
	})
	return forks, err
}

// Forks returns all forks that are known.
func (s *Store) Forks() (crdt.Forks, error) {
	var forks crdt.Forks
	err := s.readLog(context.Background(), func(r *Reader) (err error) {
		forks, err = loadForks(r.conn)
		return err
	})
	return forks, err
}

// headBytes is how much of an entry is read for its head; of one with a longer head entryHead is.
const headBytes = 4 << 10

// logHashes gives the short hashes of the entries from from to to of which the next one is in the log too: it tells.
func logHashes(c *sqlite.Conn, num int64, from, to uint64) ([]uint64, error) {
	if from > to {
		return nil, nil
	}
	out := make([]uint64, 0, to-from+1)
	err := each(c, "SELECT id,substr(entry,1,?3) FROM lc_log WHERE id>?1 AND id<=?2+1 ORDER BY id",
		[]catalog.Value{catalog.Int(num<<seqBits | int64(from)), catalog.Int(num<<seqBits | int64(to)), catalog.Int(headBytes)},
		func(v []catalog.Value) error {
			e, err := crdt.HeadOf(v[1].Bytes)
			if err != nil {
				b, err := one(c, "SELECT "+entryHead+" FROM lc_log WHERE id=?", v[0])
				if err != nil {
					return err
				}
				if e, err = crdt.HeadOf(b.Bytes); err != nil {
					return err
				}
			}
			if e.Seq != from+uint64(len(out))+1 {
				return errStop // it was trimmed meanwhile
			}
			out = append(out, crdt.Short(e.Prev))
			return nil
		})
	return out, err
}

func appendHashes(dst []byte, hashes []uint64) []byte {
	for _, h := range hashes {
		dst = binary.BigEndian.AppendUint64(dst, h)
	}
	return dst
}

// chain is what is known of the hashes of an origin's entries.
type chain struct {
	num      int64
	base     uint64   // the last entry that was trimmed
	old      []uint64 // the short hashes of the last ones that were; of the last one alone 0 if it is not known
	head     head
	conn     *sqlite.Conn
	baseHash [32]byte
}

func (c *chain) low() uint64 { return c.base + 1 - uint64(len(c.old)) }

// loadChain reads it; num is 0 if the origin is not known here.
func loadChain(conn *sqlite.Conn, o crdt.Origin) (c chain, err error) {
	c.conn = conn
	err = each(conn, "SELECT num,seq,hash,old FROM lc_origins WHERE origin=?", []catalog.Value{catalog.BlobBytes(crdt.AppendOrigin(nil, o))},
		func(v []catalog.Value) error {
			c.num, c.base = v[0].Int(), uint64(v[1].Int())
			copy(c.baseHash[:], v[2].Bytes)
			c.head = head{c.base, c.baseHash}
			for b := v[3].Bytes; len(b) >= 8; b = b[8:] {
				c.old = append(c.old, binary.BigEndian.Uint64(b))
			}
			return nil
		})
	if err != nil || c.num == 0 {
		return c, err
	}
	if c.base > 0 && len(c.old) == 0 {
		c.old = []uint64{0}
		if !c.head.unknown() {
			c.old[0] = crdt.Short(c.head.hash)
		}
	}
	err = each(conn, "SELECT id,"+shortEntry+" FROM lc_log WHERE id>=?1 AND id<?2 ORDER BY id DESC LIMIT 1",
		[]catalog.Value{catalog.Int(c.num << seqBits), catalog.Int((c.num + 1) << seqBits)}, func(v []catalog.Value) error {
			e, err := getHead(conn, v[0].Int(), v[1])
			c.head = head{e.Seq, e.Hash}
			return err
		})
	return c, err
}

// hashes gives the short hashes from from to to, as far as they are known: first is that of the first.
func (c *chain) hashes(from, to uint64) (first uint64, out []uint64, err error) {
	from, to = max(from, c.low()), min(to, c.head.seq)
	if c.num == 0 || from > to {
		return 0, nil, nil
	}
	for seq := from; seq <= min(to, c.base); seq++ {
		out = append(out, c.old[seq-c.low()])
	}
	if to > c.base {
		start := max(from, c.base+1)
		logged, err := logHashes(c.conn, c.num, start, min(to, c.head.seq-1))
		if err != nil {
			return 0, nil, err
		}
		if out = append(out, logged...); to == c.head.seq {
			out = append(out, crdt.Short(c.head.hash))
		}
	}
	if uint64(len(out)) != to-from+1 {
		return 0, nil, fmt.Errorf("sqlstore: the log of node local number %d has a gap", c.num)
	}
	return from, out, nil
}

// Chain gives the short hashes of o's durable entries from from to to, as far as they are known here, 0 for one that is
// not: first is the first of them, 0 if there are none, and low as far back as any is known. Of the last entry alone low is
// itself.
func (s *Store) Chain(ctx context.Context, o crdt.Origin, from, to uint64) (low, first uint64, hashes []uint64, err error) {
	s.mu.RLock()
	h := s.heads[o]
	s.mu.RUnlock()
	if from == to && from == h.seq && h.seq > 0 && !h.unknown() { // most often it is the last one that is asked for
		return from, from, []uint64{crdt.Short(h.hash)}, nil
	}
	err = s.readLog(ctx, func(r *Reader) error {
		c, err := loadChain(r.conn, o)
		if err != nil {
			return err
		}
		low = c.low()
		first, hashes, err = c.hashes(from, to)
		return err
	})
	return low, first, hashes, err
}

// Refile notes a fork, and with move, if the branch that it names is here, moves it: all in one transaction. It returns
// when that is durable. What this process writes stands under a new epoch from then on, if it was that origin that forked.
func (s *Store) Refile(ctx context.Context, f crdt.Fork, move bool) (moved bool, err error) {
	var trimmed crdt.Vector
	_, err = s.submit(&request{ctx: ctx, fn: func(tx *Tx) (err error) {
		if moved, err = tx.refile(f, move); err != nil || !moved {
			return err
		}
		trimmed, err = trimmedOf(tx.w.conn)
		return err
	}})
	if err != nil {
		return false, err
	}
	if moved {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, o := range []crdt.Origin{f.Origin, f.Branch()} {
			if s.trimmed[o] = trimmed[o]; trimmed[o] == 0 {
				delete(s.trimmed, o)
			}
		}
	}
	return moved, nil
}

// trimmedOf reads how much of each log is gone.
func trimmedOf(c *sqlite.Conn) (crdt.Vector, error) {
	trimmed := crdt.Vector{}
	return trimmed, each(c, "SELECT origin,seq FROM lc_origins WHERE seq>0", nil, func(v []catalog.Value) error {
		o, _, err := crdt.DecodeOrigin(v[0].Bytes)
		trimmed[o] = uint64(v[1].Int())
		return err
	})
}

// refile is Refile within a transaction.
func (tx *Tx) refile(f crdt.Fork, move bool) (moved bool, err error) {
	w := tx.w
	tx.remote, tx.dirty = true, true
	if !w.forks.Has(f) {
		if err := run(w.conn, "INSERT OR REPLACE INTO lc_forks VALUES(?)", catalog.BlobBytes(crdt.AppendFork(nil, f))); err != nil {
			return false, err
		}
		w.forks = w.forks.With(f)
	}
	if f.Origin == w.self {
		w.self = crdt.Origin{}
	}
	if !move {
		return false, nil
	}
	c, err := loadChain(w.conn, f.Origin)
	if err != nil {
		return false, err
	}
	if first, h, err := c.hashes(f.After+1, f.After+1); err != nil || first == 0 || h[0] != f.Hash {
		return false, err
	}
	if _, err := w.number(f.Branch()); err != nil {
		return false, err
	}
	to, err := loadChain(w.conn, f.Branch())
	if err != nil {
		return false, err
	}
	if same, err := to.sameAs(&c, f.After); err != nil || !same {
		return false, err // the branch is here already, and forked itself
	}
	left, err := tx.moveBranch(f, &c, &to)
	if err != nil {
		return false, err
	}
	if err := deleteLog(w.conn, c.num<<seqBits|int64(f.After), (c.num+1)<<seqBits-1); err != nil {
		return false, err
	}
	if tx.heads == nil {
		tx.heads = make(map[crdt.Origin]head)
	}
	tx.heads[f.Origin], tx.heads[f.Branch()] = left, to.head
	w.lastDeps, w.depsNew = make(crdt.Vector), true
	return true, nil
}

// moveBranch puts under the branch's name what is not there yet: of what was trimmed the hashes, since it cannot be written
// anew, and the entries after that. It gives the end of what keeps the old name.
func (tx *Tx) moveBranch(f crdt.Fork, c, to *chain) (left head, err error) {
	w := tx.w
	if base := max(c.base, f.After) - f.After; base > to.head.seq {
		if err := deleteLog(w.conn, to.num<<seqBits, (to.num+1)<<seqBits-1); err != nil {
			return left, err
		}
		err := run(w.conn, "UPDATE lc_origins SET (seq,hash,hlc,old)=(SELECT ?1,hash,hlc,?2 FROM lc_origins WHERE num=?3) WHERE num=?4",
			catalog.Int(int64(base)), catalog.BlobBytes(appendHashes(nil, c.old[f.After+1-c.low():])), catalog.Int(c.num), catalog.Int(to.num))
		if err != nil {
			return left, err
		}
		to.head = head{base, c.baseHash}
	}
	for seq := f.After + to.head.seq + 1; seq <= c.head.seq; seq++ {
		e, err := getEntry(w.conn, c.num<<seqBits|int64(seq), catalog.Value{})
		if err != nil {
			return left, err
		}
		if e, err = f.Refile(e); err != nil {
			return left, err
		}
		if err := putLog(w.conn, to.num<<seqBits|int64(e.Seq), &e, nil); err != nil {
			return left, err
		}
		to.head = head{e.Seq, e.Hash}
	}
	switch left.seq = f.After; {
	case f.After < c.base:
		old, hash := c.old[:f.After+1-c.low()], catalog.Value{}
		if n := len(old); n > 0 && f.After > 0 {
			binary.BigEndian.PutUint64(left.hash[:], old[n-1])
			hash = catalog.BlobBytes(left.hash[:])
		}
		return left, run(w.conn, "UPDATE lc_origins SET seq=?,hash=?,hlc=0,old=? WHERE num=?", catalog.Int(int64(f.After)), hash,
			catalog.BlobBytes(appendHashes(nil, old)), catalog.Int(c.num))
	case f.After == c.base:
		left.hash = c.baseHash
	default:
		e, err := getHead(w.conn, c.num<<seqBits|int64(f.After), catalog.Value{})
		if err != nil {
			return left, err
		}
		left.hash = e.Hash
	}
	return left, nil
}

// sameAs says whether what is here of a branch is what d has after entry after.
func (c *chain) sameAs(d *chain, after uint64) (bool, error) {
	at := min(c.head.seq, d.head.seq-after)
	first, mine, err := c.hashes(at, at)
	if at == 0 || first == 0 || err != nil {
		return true, err
	}
	first, theirs, err := d.hashes(after+at, after+at)
	return first == 0 || theirs[0] == mine[0] || theirs[0] == 0 || mine[0] == 0, err
}

// Renew makes the next entry that this process writes the first of a new epoch, later than after.
func (s *Store) Renew(ctx context.Context, after crdt.HLC) error {
	_, err := s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		tx.remote, tx.dirty = true, true
		tx.w.self = crdt.Origin{}
		tx.w.s.clock.Resume(after)
		return nil
	}})
	return err
}

// sameBranches makes sure that a snapshot is of the same branches as the log here.
func (s *Store) sameBranches(ctx context.Context, stage *Store) error {
	mine, err := s.Forks()
	if err != nil {
		return err
	}
	theirs, err := stage.Forks()
	if err != nil {
		return err
	}
	if !mine.Equal(theirs) {
		return ErrUnmended
	}
	have := stage.Vector()
	for o, seq := range s.Vector() {
		at := min(seq, have[o])
		if at == 0 {
			continue
		}
		_, first, a, err := s.Chain(ctx, o, at, at)
		if err != nil {
			return err
		}
		_, other, b, err := stage.Chain(ctx, o, at, at)
		if err != nil {
			return err
		}
		if first > 0 && other > 0 && a[0] != b[0] && a[0] != 0 && b[0] != 0 {
			return fmt.Errorf("%w: entry %d of node %016x", ErrUnmended, at, uint64(o.Node))
		}
	}
	return nil
}

// ripe gives those of entries that may be applied to a snapshot: what they depend on of an origin that was forked is there
// in each branch, as far as it is here, since either may be meant. The error is ErrDeps if some may not.
func (s *Store) ripe(stage *Store, entries []crdt.Entry) ([]crdt.Entry, error) {
	forks, err := stage.Forks()
	if err != nil || len(forks) == 0 {
		return entries, err
	}
	have, all := stage.Vector(), s.Vector()
	for i := range entries {
		have[entries[i].Origin] = max(have[entries[i].Origin], entries[i].Seq)
		for o, n := range entries[i].Deps {
			if forks.Forked(o) && !forks.MetAll(o, n, func(o crdt.Origin) uint64 { return have[o] }, func(o crdt.Origin) uint64 { return all[o] }) {
				return entries[:i], errors.Join(ErrDeps)
			}
		}
	}
	return entries, nil
}

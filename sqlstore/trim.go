package sqlstore

import (
	"context"
	"errors"
	"fmt"

	"layercake/catalog"
	"layercake/crdt"
)

// What one turn on the writer takes off the log.
const (
	trimEntries = 2000
	trimBytes   = 32 << 20
)

// Trimmed says how much of each origin's log is gone. The caller owns the result.
func (s *Store) Trimmed() crdt.Vector {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.trimmed.Clone()
}

// Trim forgets the entries up to v, as far as they are here. The caller must know that no member needs them (rule S3).
// Freed pages are used again: the file does not shrink, and does not grow either. The writer is taken for a moment at a
// time.
func (s *Store) Trim(ctx context.Context, v crdt.Vector) error {
	s.mu.RLock()
	origins := s.origins.byNum
	s.mu.RUnlock()
	for i, o := range origins {
		if i == 0 {
			continue
		}
		for {
			s.mu.RLock()
			from, to := s.trimmed[o], min(v[o], s.heads[o].seq)
			s.mu.RUnlock()
			if from >= to {
				break
			}
			if err := s.trimStep(ctx, o, int64(i), from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimStep forgets some entries of one origin after from, up to to at the most.
func (s *Store) trimStep(ctx context.Context, o crdt.Origin, num int64, from, to uint64) error {
	var last crdt.Entry
	var old []byte
	err := s.readLog(ctx, func(r *Reader) error {
		n, bytes, end := 0, int64(0), int64(0)
		err := each(r.conn, "SELECT id,length(entry) FROM lc_log WHERE id>?1 AND id<=?2 ORDER BY id",
			[]catalog.Value{catalog.Int(num<<seqBits | int64(from)), catalog.Int(num<<seqBits | int64(to))},
			func(v []catalog.Value) error {
				end = v[0].Int()
				n++
				if bytes += v[1].Int(); n == trimEntries || bytes >= trimBytes || v[1].Int() >= longEntry {
					return errStop
				}
				return ctx.Err()
			})
		if err != nil {
			return err
		}
		err = each(r.conn, "SELECT "+shortEntry+" FROM lc_log WHERE id=?", []catalog.Value{catalog.Int(end)}, func(v []catalog.Value) (err error) {
			last, err = getHead(r.conn, end, v[0])
			return err
		})
		if err != nil || last.Seq == 0 {
			return err
		}
		hashes, err := logHashes(r.conn, num, from+1, last.Seq-1)
		old = appendHashes(nil, append(hashes, crdt.Short(last.Hash)))
		return err
	})
	if err == nil && last.Seq == 0 {
		err = fmt.Errorf("sqlstore: the log of node %016x has no entry after %d", uint64(o.Node), from)
	}
	if err != nil {
		return err
	}
	_, err = s.submit(&request{ctx: ctx, fn: func(tx *Tx) error {
		if tx.w.origins.num[o] != num {
			return errors.New("sqlstore: the database was replaced") // by a snapshot: its log is another
		}
		tx.remote, tx.dirty = true, true
		if err := deleteLog(tx.w.conn, num<<seqBits|int64(from), num<<seqBits|int64(last.Seq)); err != nil {
			return err
		}
		had, err := one(tx.w.conn, "SELECT old FROM lc_origins WHERE num=? AND seq=?", catalog.Int(num), catalog.Int(int64(from)))
		if err != nil {
			return err
		}
		old = append(had.Bytes[:len(had.Bytes):len(had.Bytes)], old...)
		old = old[max(0, len(old)-8*maxOld):]
		return run(tx.w.conn, "UPDATE lc_origins SET seq=?1,hash=?2,hlc=max(hlc,?3),old=?4 WHERE num=?5 AND seq<?1",
			catalog.Int(int64(last.Seq)), catalog.BlobBytes(last.Hash[:]), catalog.Int(int64(last.HLC)), catalog.BlobBytes(old), catalog.Int(num))
	}})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trimmed[o] = max(s.trimmed[o], last.Seq)
	return nil
}

// LogSpan tells how many bytes of entries the log holds and the clock of the oldest; 0 of an empty log. It reads through
// the log: not for often.
func (s *Store) LogSpan(ctx context.Context) (bytes int64, oldest crdt.HLC, err error) {
	s.mu.RLock()
	origins := s.origins.byNum
	s.mu.RUnlock()
	err = s.readLog(ctx, func(r *Reader) error {
		oldest = 0
		size, err := one(r.conn, "SELECT (SELECT coalesce(sum(length(entry)),0) FROM lc_log)+(SELECT coalesce(sum(length(piece)),0) FROM lc_pieces)")
		if err != nil {
			return err
		}
		bytes = size.Int()
		for num := range origins {
			err := each(r.conn, "SELECT "+entryHead+" FROM lc_log WHERE id>=?1 AND id<?2 ORDER BY id LIMIT 1",
				[]catalog.Value{catalog.Int(int64(num) << seqBits), catalog.Int(int64(num+1) << seqBits)}, func(v []catalog.Value) error {
					e, err := crdt.HeadOf(v[0].Bytes)
					if oldest == 0 || e.HLC < oldest {
						oldest = e.HLC
					}
					return err
				})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return bytes, oldest, err
}

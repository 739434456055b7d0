package sqlstore

import (
	"context"

	"layercake/catalog"
	"layercake/crdt"
)

// Entries returns an origin's durable entries from a sequence number on, in order, until they add up to maxBytes (at
// least one, if there is one). An origin that is not known here has none.
func (s *Store) Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	s.mu.RLock()
	last := s.heads[o].seq
	num := int64(0)
	for i, p := range s.origins.byNum {
		if p == o && i > 0 {
			num = int64(i)
		}
	}
	s.mu.RUnlock()
	if from == 0 {
		from = 1
	}
	if from > last || num == 0 {
		return nil, nil
	}
	var out []crdt.Entry
	err := s.readLog(ctx, func(r *Reader) error {
		out = nil
		size := 0
		return each(r.conn, "SELECT entry FROM lc_log WHERE id>=?1 AND id<=?2 ORDER BY id",
			[]catalog.Value{catalog.Int(num<<seqBits | int64(from)), catalog.Int(num<<seqBits | int64(last))},
			func(v []catalog.Value) error {
				e, err := crdt.DecodeHead(v[0].Bytes)
				if err != nil {
					return err
				}
				out = append(out, e)
				if size += len(e.Bytes); size >= maxBytes {
					return errStop
				}
				return ctx.Err()
			})
	})
	return out, err
}

// readLog is Read for the store's own tables, whatever the schema is.
func (s *Store) readLog(ctx context.Context, fn func(*Reader) error) error {
	return s.Read(ctx, func(r *Reader) error {
		r.pinned = true
		return fn(r)
	})
}

// GetLocal reads one of this node's own notes; nil if there is none.
func (s *Store) GetLocal(key string) ([]byte, error) {
	var out []byte
	err := s.readLog(context.Background(), func(r *Reader) error {
		v, err := one(r.conn, "SELECT val FROM lc_local WHERE key=?", catalog.Str(key))
		out = v.Bytes
		if !v.IsNull() && out == nil {
			out = []byte{}
		}
		return err
	})
	return out, err
}

// PutLocal sets one of this node's own notes, which are not replicated, and returns when that is durable. nil deletes
// it.
func (s *Store) PutLocal(key string, val []byte) error {
	_, err := s.submit(&request{ctx: context.Background(), fn: func(tx *Tx) error { return tx.PutLocal(key, val) }})
	return err
}

package sqlstore

import (
	"context"
	"errors"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Entries returns an origin's durable entries from a sequence number on, in order, until they add up to maxBytes (at
// least one, if there is one). An origin that is not known here has none, and neither has one whose log is trimmed there.
func (s *Store) Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	s.mu.RLock()
	last, trimmed := s.heads[o].seq, s.trimmed[o]
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
	if from > last || from <= trimmed || num == 0 {
		return nil, nil
	}
	var out []crdt.Entry
	err := s.readLog(ctx, func(r *Reader) error {
		out = nil
		size := 0
		return each(r.conn, "SELECT id,"+shortEntry+" FROM lc_log WHERE id>=?1 AND id<=?2 ORDER BY id",
			[]catalog.Value{catalog.Int(num<<seqBits | int64(from)), catalog.Int(num<<seqBits | int64(last))},
			func(v []catalog.Value) error {
				b, err := getLog(r.conn, v[0].Int(), v[1])
				if err != nil {
					return err
				}
				e, err := crdt.DecodeHead(b)
				if err != nil {
					return err
				}
				if e.Seq != from+uint64(len(out)) {
					return errStop // it was trimmed meanwhile
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

// longEntry is the length from which on entries are read and written in pieces: SQLite's statements would hold each
// several times in memory.
const longEntry = 16 << 20

// shortEntry is a SELECT's term for an entry that is not long; for a long one it is NULL, and getLog reads it.
const shortEntry = "CASE WHEN length(entry)<16777216 THEN entry END"

func getLog(c *sqlite.Conn, id int64, short catalog.Value) (_ []byte, err error) {
	if !short.IsNull() {
		return short.Bytes, nil
	}
	b, err := c.OpenBlob("lc_log", "entry", id, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	out := make([]byte, b.Size())
	return out, b.ReadAt(out, 0)
}

// putLog writes an entry into the log.
func putLog(c *sqlite.Conn, id int64, entry []byte) (err error) {
	if len(entry) < longEntry {
		return run(c, "INSERT INTO lc_log VALUES(?,?)", catalog.Int(id), catalog.BlobBytes(entry))
	}
	if err := run(c, "INSERT INTO lc_log VALUES(?,zeroblob(?))", catalog.Int(id), catalog.Int(int64(len(entry)))); err != nil {
		return err
	}
	b, err := c.OpenBlob("lc_log", "entry", id, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return b.WriteAt(entry, 0)
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

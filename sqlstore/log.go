package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Entries returns an origin's durable entries from a sequence number on, in order, until they add up to maxBytes (at
// least one, if there is one). An origin that is not known here has none, and neither has one whose log is trimmed there.
// An entry of 4 MiB and more is not among them: those before it are returned, or, if there are none, crdt.ErrLong
// (LongEntry has it). The entries' Bytes and Deps may be others' too: they must not be changed.
func (s *Store) Entries(ctx context.Context, o crdt.Origin, from uint64, maxBytes int) ([]crdt.Entry, error) {
	from = max(from, 1)
	out := s.recentOf(o, from, maxBytes)
	if out != nil {
		return out, nil
	}
	num, last := s.logged(o, from)
	if num == 0 {
		return nil, nil
	}
	err := s.readLog(ctx, func(r *Reader) error {
		out = nil
		size := 0
		return each(r.conn, "SELECT "+shortEntry+" FROM lc_log WHERE id>=?1 AND id<=?2 ORDER BY id",
			[]catalog.Value{catalog.Int(num<<seqBits | int64(from)), catalog.Int(num<<seqBits | int64(last))},
			func(v []catalog.Value) error {
				if v[0].IsNull() {
					if len(out) == 0 {
						return crdt.ErrLong
					}
					return errStop
				}
				e, err := crdt.DecodeHead(v[0].Bytes)
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

// logged says what an origin's local number is and which is its last entry, if it has one with a sequence number that is
// not trimmed; otherwise the number is 0.
func (s *Store) logged(o crdt.Origin, seq uint64) (num int64, last uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	last = s.heads[o].seq
	if i := slices.Index(s.origins.byNum, o); i > 0 && seq <= last && seq > s.trimmed[o] {
		num = int64(i)
	}
	return num, last
}

// LongEntry returns a copy of a durable entry for which Entries says crdt.ErrLong, in a temporary file that is unlinked
// already: the caller must close it. Nothing of the database is held meanwhile, so the reader may be slow. nil means that
// the entry is not there (any more).
func (s *Store) LongEntry(ctx context.Context, o crdt.Origin, seq uint64) (_ *os.File, err error) {
	num, _ := s.logged(o, seq)
	if num == 0 {
		return nil, nil
	}
	f, err := s.TempFile()
	if err != nil {
		return nil, err
	}
	there := false
	err = s.readLog(ctx, func(r *Reader) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		there = false
		return readPieces(r.conn, num<<seqBits|int64(seq), func(piece []byte) error {
			there = piece != nil
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			_, err := f.Write(piece)
			return err
		})
	})
	if err != nil || !there {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// TempFile makes a temporary file beside the database, which goes with its last reference.
func (s *Store) TempFile() (*os.File, error) { return tempFile(s.config.Dir, "layercake-") }

// longEntry is the length from which on entries are kept in pieces of that length: SQLite holds a value several times in
// memory, and none may be longer than 10^9 bytes.
const longEntry = 4 << 20

// shortEntry is a SELECT's term for an entry that is not long; for a long one it is NULL, and readPieces reads it.
const shortEntry = "CASE WHEN length(entry)<4194304 THEN entry END"

// entryHead is a SELECT's term for the bytes that crdt.HeadOf needs.
const entryHead = "substr(entry,1,1048576)"

// readPieces hands the pieces of an entry to fn, in order. fn must not keep them.
func readPieces(c *sqlite.Conn, id int64, fn func(piece []byte) error) error {
	v, err := one(c, "SELECT entry FROM lc_log WHERE id=?", catalog.Int(id))
	if err == nil {
		err = fn(v.Bytes)
	}
	for n := int64(1); err == nil; n++ {
		if v, err = one(c, "SELECT piece FROM lc_pieces WHERE id=? AND n=?", catalog.Int(id), catalog.Int(n)); err != nil || v.IsNull() {
			break
		}
		err = fn(v.Bytes)
	}
	return err
}

// getEntry reads an entry whole, however long it is.
func getEntry(c *sqlite.Conn, id int64, short catalog.Value) (crdt.Entry, error) {
	if !short.IsNull() {
		return crdt.DecodeHead(short.Bytes)
	}
	var b []byte
	if err := readPieces(c, id, func(piece []byte) error { b = append(b, piece...); return nil }); err != nil {
		return crdt.Entry{}, err
	}
	return crdt.DecodeHead(b)
}

// getHead reads an entry's head and its hash, but not its bytes. A long one that was moved is not held against its checksum:
// whoever reads it whole does that.
func getHead(c *sqlite.Conn, id int64, short catalog.Value) (e crdt.Entry, err error) {
	if !short.IsNull() {
		e, err = crdt.DecodeHead(short.Bytes)
		e.Bytes = nil
		return e, err
	}
	hash := sha256.New()
	err = readPieces(c, id, func(piece []byte) (err error) {
		if e.Seq == 0 {
			if e, err = crdt.HeadOf(piece); err == nil && e.WasSeq > 0 {
				err = errStop
			}
		}
		hash.Write(piece)
		return err
	})
	if err == errStop {
		return e, nil
	}
	hash.Sum(e.Hash[:0])
	return e, err
}

// putLog writes an entry into the log, with groups at its end. A long one is never in memory with its groups.
func putLog(c *sqlite.Conn, id int64, e *crdt.Entry, groups []*spool) (err error) {
	size := len(e.Bytes)
	for _, g := range groups {
		size += g.size()
	}
	if size < longEntry {
		for _, g := range groups {
			if e.Bytes, err = g.appendTo(e.Bytes); err != nil {
				return err
			}
		}
		if groups != nil {
			e.Seal()
		}
		return run(c, "INSERT INTO lc_log VALUES(?,?)", catalog.Int(id), catalog.BlobBytes(e.Bytes))
	}
	from := []io.Reader{bytes.NewReader(e.Bytes)}
	for _, g := range groups {
		from = append(from, g.reader())
	}
	r, hash, piece := io.MultiReader(from...), sha256.New(), make([]byte, longEntry)
	for n, left := int64(0), size; left > 0; n, left = n+1, left-len(piece) {
		piece = piece[:min(len(piece), left)]
		if _, err := io.ReadFull(r, piece); err != nil {
			return fmt.Errorf("temporary file: %w", err)
		}
		if groups != nil {
			hash.Write(piece)
		}
		if n == 0 {
			err = run(c, "INSERT INTO lc_log VALUES(?,?)", catalog.Int(id), catalog.BlobBytes(piece))
		} else {
			err = run(c, "INSERT INTO lc_pieces VALUES(?,?,?)", catalog.Int(id), catalog.Int(n), catalog.BlobBytes(piece))
		}
		if err != nil {
			return err
		}
	}
	if groups != nil {
		hash.Sum(e.Hash[:0])
	}
	return nil
}

// deleteLog forgets the entries with from < id <= to.
func deleteLog(c *sqlite.Conn, from, to int64) error {
	err := run(c, "DELETE FROM lc_log WHERE id>?1 AND id<=?2", catalog.Int(from), catalog.Int(to))
	if err == nil {
		err = run(c, "DELETE FROM lc_pieces WHERE id>?1 AND id<=?2", catalog.Int(from), catalog.Int(to))
	}
	return err
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

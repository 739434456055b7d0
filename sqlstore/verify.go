package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// Verify works out every keyspace's digest from its rows and compares it with the one that is kept beside them, on one
// snapshot; then it has SQLite check the file. The error tells what differs.
func (s *Store) Verify(ctx context.Context) error {
	r, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	var errs []error
	for _, id := range r.Keyspaces() {
		sc, err := r.Scan(ctx, id, 1)
		if err != nil {
			return err
		}
		if sc.Wrong() {
			errs = append(errs, fmt.Errorf("%s: the rows have the digest %v (%d rows), recorded is %v (%d rows)",
				r.layout.spaces[crdt.ID(id)].table.Name, sc.Digest, sc.Rows, sc.Kept, sc.KeptRows))
		}
	}
	return errors.Join(append(errs, r.integrity(ctx))...)
}

// Scan is what a keyspace's rows themselves say, beside what is kept with the writes.
type Scan struct {
	Digest   crdt.Digest
	Rows     int64
	Kept     crdt.Digest
	KeptRows int64
	// Buckets are the digest in parts: a row belongs to the one that its key hashes to, on every node alike.
	Buckets []crdt.Digest
	Damaged int64 // rows whose hidden columns make no sense
}

// Wrong says whether the rows changed without a write.
func (s *Scan) Wrong() bool { return s.Digest != s.Kept || s.Rows != s.KeptRows }

// RowHash is one row as a comparison sees it.
type RowHash struct {
	Key    []byte // the row's identity (see losers.go), the same on every node
	Hash   crdt.Digest
	Values []catalog.Value // of the table's columns
}

// SnapshotAt is a Snapshot of the state that v names. It fails with ErrMoved if the store is at another vector.
func (s *Store) SnapshotAt(ctx context.Context, v crdt.Vector) (*Reader, error) {
	for range 16 {
		r, err := s.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		index, err := r.Index()
		if err == nil {
			err = r.awaitPublished()
		}
		if err != nil {
			r.Close()
			return nil, err
		}
		s.mu.RLock()
		at := s.index
		s.mu.RUnlock()
		if have := s.Vector(); at == index && s.Index() == index {
			if have.Equal(v) {
				return r, nil
			}
			r.Close()
			return nil, ErrMoved
		}
		r.Close() // a commit came between: of a note of this node's own, perhaps
	}
	return nil, ErrMoved
}

// ErrMoved reports a store that is not at the vector that was asked for.
var ErrMoved = errors.New("the store is at another vector")

// Keyspaces lists the keyspaces that the snapshot has, by ID.
func (r *Reader) Keyspaces() []catalog.ID { return r.layout.keyspaces() }

// Keyspaces lists the keyspaces that there are, by ID.
func (s *Store) Keyspaces() []catalog.ID { return s.layout.Load().keyspaces() }

func (l *layout) keyspaces() (out []catalog.ID) {
	for _, sp := range l.sortedSpaces() {
		out = append(out, catalog.ID(sp.id))
	}
	return out
}

// Scan reads all rows of a keyspace, and divides their digest among so many buckets.
func (r *Reader) Scan(ctx context.Context, table catalog.ID, buckets int) (out Scan, err error) {
	sp, err := r.space(table)
	if err != nil {
		return out, err
	}
	err = each(r.conn, "SELECT digest,rows FROM lc_spaces WHERE id=?", []catalog.Value{table.Value()}, func(v []catalog.Value) error {
		out.Kept, _ = crdt.DigestFromBytes(v[0].Bytes)
		out.KeptRows = v[1].Int()
		return nil
	})
	if err != nil {
		return out, err
	}
	out.Buckets = make([]crdt.Digest, buckets)
	return out, r.eachRow(ctx, sp, func(row *row, key []byte, h crdt.Digest, damaged, shown bool) error {
		out.Digest.Add(h)
		out.Buckets[bucketOf(key, buckets)].Add(h)
		if shown {
			out.Rows++
		}
		if damaged {
			out.Damaged++
		}
		return nil
	})
}

// RowsOf lists the rows of some of so many buckets, at most limit of them; more says that there are others.
func (r *Reader) RowsOf(ctx context.Context, table catalog.ID, buckets int, wanted []int, limit int) (out []RowHash, more bool, err error) {
	sp, err := r.space(table)
	if err != nil {
		return nil, false, err
	}
	in := make([]bool, buckets)
	for _, b := range wanted {
		if b < 0 || b >= buckets {
			return nil, false, fmt.Errorf("sqlstore: no bucket %d of %d", b, buckets)
		}
		in[b] = true
	}
	err = r.eachRow(ctx, sp, func(row *row, key []byte, h crdt.Digest, _, _ bool) error {
		if !in[bucketOf(key, buckets)] {
			return nil
		}
		if len(out) == limit {
			more = true
			return errStop
		}
		out = append(out, RowHash{Key: slices.Clone(key), Hash: h, Values: cloneValues(row.vals[:sp.live])})
		return nil
	})
	return out, more, err
}

func cloneValues(vals []catalog.Value) []catalog.Value {
	out := slices.Clone(vals)
	for i := range out {
		out[i].Bytes = slices.Clone(out[i].Bytes)
	}
	return out
}

func (r *Reader) space(table catalog.ID) (*space, error) {
	if err := r.pin(); err != nil {
		return nil, err
	}
	sp := r.layout.spaces[crdt.ID(table)]
	if sp == nil {
		return nil, errors.New("sqlstore: no such table")
	}
	return sp, r.awaitPublished()
}

// eachRow hands every row of a space to fn, the hidden ones (losers) last. What fn is given is valid until it returns.
func (r *Reader) eachRow(ctx context.Context, sp *space, fn func(row *row, key []byte, h crdt.Digest, damaged, shown bool) error) error {
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	var hs crdt.RowHasher
	var key []byte
	var n int
	stopped := false
	give := func(row *row, shown bool) error {
		if n++; n%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
		}
		h, damaged := sp.hashAny(&hs, &org, row)
		key = sp.identity(key[:0], row)
		err := fn(row, key, h, damaged, shown)
		stopped = err == errStop
		return err
	}
	var one row
	err := each(r.conn, sp.scanSQL(), nil, func(v []catalog.Value) error {
		scanRow(&one, v)
		return give(&one, true)
	})
	if err != nil || stopped {
		return err
	}
	losers, err := sp.losers(r.conn, "")
	if err != nil {
		return err
	}
	for i := range losers {
		if err := give(&losers[i], false); err != nil {
			if err == errStop {
				return nil
			}
			return err
		}
	}
	return nil
}

// hashAny is hash for a row that may have been written behind the store's back: one whose clocks make no sense has a
// hash too, which no sound row has.
func (sp *space) hashAny(hs *crdt.RowHasher, org *origins, r *row) (h crdt.Digest, damaged bool) {
	h, err := sp.hash(hs, org, r)
	if err == nil {
		return h, false
	}
	b := []byte("damaged")
	b = binary.BigEndian.AppendUint64(b, uint64(r.h))
	b = binary.BigEndian.AppendUint64(b, uint64(r.o))
	b = binary.AppendUvarint(b, uint64(len(r.clocks)))
	b = append(b, r.clocks...)
	b = binary.AppendUvarint(b, uint64(len(r.hidden)))
	b = append(b, r.hidden...)
	for _, i := range sp.order {
		b = catalog.AppendValue(b, r.vals[i])
	}
	sum := sha256.Sum256(b)
	h, _ = crdt.DigestFromBytes(sum[:16])
	return h, true
}

// bucketOf is the bucket that a key belongs to.
func bucketOf(key []byte, buckets int) int {
	h := fnv.New64a()
	h.Write(key)
	return int(h.Sum64() % uint64(buckets))
}

func (l *layout) sortedSpaces() []*space {
	out := make([]*space, 0, len(l.spaces))
	for _, sp := range l.spaces {
		out = append(out, sp)
	}
	slices.SortFunc(out, func(a, b *space) int { return a.id.Compare(b.id) })
	return out
}

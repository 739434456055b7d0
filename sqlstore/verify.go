package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// Verify works out every keyspace's digest from its rows and compares it with the one that is kept beside them, on one
// snapshot. The error tells what differs.
func (s *Store) Verify(ctx context.Context) error {
	r, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	var errs []error
	for _, sp := range r.layout.sortedSpaces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, kept, err := r.scan(sp)
		if err != nil {
			return err
		}
		if got.Digest != kept.Digest || got.Rows != kept.Rows {
			errs = append(errs, fmt.Errorf("%s: the rows have the digest %v (%d rows), recorded is %v (%d rows)",
				sp.table.Name, got.Digest, got.Rows, kept.Digest, kept.Rows))
		}
	}
	return errors.Join(errs...)
}

// Scan works out a keyspace's digest from its rows, and returns beside it the one that is kept.
func (r *Reader) Scan(table catalog.ID) (got, kept KeyspaceDigest, err error) {
	if err := r.pin(); err != nil {
		return got, kept, err
	}
	sp := r.layout.spaces[crdt.ID(table)]
	if sp == nil {
		return got, kept, fmt.Errorf("sqlstore: no such table")
	}
	return r.scan(sp)
}

func (r *Reader) scan(sp *space) (got, kept KeyspaceDigest, err error) {
	id := catalog.ID(sp.id)
	got.Table, kept.Table = id, id
	err = each(r.conn, "SELECT digest,rows,tombs FROM lc_spaces WHERE id=?", []catalog.Value{id.Value()}, func(v []catalog.Value) error {
		kept.Digest, _ = crdt.DigestFromBytes(v[0].Bytes)
		kept.Rows, kept.Tombstones = v[1].Int(), v[2].Int()
		return nil
	})
	if err != nil {
		return got, kept, err
	}
	if err := r.awaitPublished(); err != nil {
		return got, kept, err
	}
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	if got.Digest, got.Rows, err = sp.scan(r.conn, &org); err != nil {
		return got, kept, err
	}
	n, err := one(r.conn, "SELECT count(*) FROM lc_tombstones WHERE t=?", catalog.Int(sp.num))
	got.Tombstones = n.Int()
	return got, kept, err
}

func (l *layout) sortedSpaces() []*space {
	out := make([]*space, 0, len(l.spaces))
	for _, sp := range l.spaces {
		out = append(out, sp)
	}
	slices.SortFunc(out, func(a, b *space) int { return a.id.Compare(b.id) })
	return out
}

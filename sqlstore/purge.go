package sqlstore

import (
	"context"
	"math"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
)

// purgeStep is how many tombstones are looked at for one turn on the writer.
const purgeStep = 4096

// Purge forgets the tombstones of entries up to covered whose clock is below before, and returns how many there were;
// young says whether some were covered but too young. The caller must know that no entry that has a lesser stamp can
// still arrive (rule S1): an older INSERT that did would live again. The writer is taken for a moment at a time.
func (s *Store) Purge(ctx context.Context, covered crdt.Vector, before crdt.HLC) (purged int64, young bool, err error) {
	if s.noTombstones() {
		return 0, false, nil
	}
	bounds, err := s.purgeBounds(ctx, covered)
	if err != nil {
		return 0, false, err
	}
	p := purge{bounds: bounds, before: int64(before), t: -1}
	for more := true; more && err == nil; {
		if more, err = p.find(ctx, s); err == nil && len(p.found) > 0 {
			if _, err = s.submit(&request{ctx: ctx, fn: p.forget}); err == nil {
				purged += p.gone
			}
		}
	}
	return purged, p.young, err
}

func (s *Store) noTombstones() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, st := range s.states {
		if st.tombs > 0 {
			return false
		}
	}
	return true
}

// purgeBounds gives for each origin, by its local number, the clock of its last covered entry. An origin whose log is
// trimmed beyond what is covered is left out: that clock is not known any more.
func (s *Store) purgeBounds(ctx context.Context, covered crdt.Vector) (map[int64]int64, error) {
	bounds := make(map[int64]int64, len(covered))
	s.mu.RLock()
	origins := s.origins.byNum
	s.mu.RUnlock()
	err := s.readLog(ctx, func(r *Reader) error {
		clear(bounds)
		for i, o := range origins {
			seq, num := covered[o], int64(i)
			if seq == 0 || i == 0 {
				continue
			}
			err := each(r.conn, "SELECT "+entryHead+" FROM lc_log WHERE id=?", []catalog.Value{catalog.Int(num<<seqBits | int64(seq))},
				func(v []catalog.Value) error {
					e, err := crdt.HeadOf(v[0].Bytes)
					bounds[num] = int64(e.HLC)
					return err
				})
			if err != nil {
				return err
			}
			err = each(r.conn, "SELECT hlc FROM lc_origins WHERE num=? AND seq=?", []catalog.Value{catalog.Int(num), catalog.Int(int64(seq))},
				func(v []catalog.Value) error {
					bounds[num] = v[0].Int()
					return nil
				})
			if err != nil {
				return err
			}
		}
		forks, err := loadForks(r.conn)
		if err != nil {
			return err
		}
		s.boundForks(forks, covered, origins, bounds)
		return nil
	})
	return bounds, err
}

// boundForks works out the bounds of origins that have forked: what stands in any of the branches bears the old name in its
// stamps.
func (s *Store) boundForks(forks crdt.Forks, covered crdt.Vector, origins []crdt.Origin, bounds map[int64]int64) {
	if len(forks) == 0 {
		return
	}
	num := make(map[crdt.Origin]int64, len(origins))
	for i, o := range origins {
		num[o] = int64(i)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, root := range forks {
		if forks.IsBranch(root.Origin) {
			continue
		}
		family := []crdt.Origin{root.Origin}
		for i := 0; i < len(family); i++ {
			for _, f := range forks {
				if f.Origin == family[i] && !slices.Contains(family, f.Branch()) {
					family = append(family, f.Branch())
				}
			}
		}
		all, least, most := true, int64(math.MaxInt64), int64(0)
		for _, o := range family {
			if s.heads[o].seq == 0 {
				continue
			}
			all = all && covered[o] >= s.heads[o].seq
			b := bounds[num[o]]
			least, most = min(least, b), max(most, b)
		}
		if bounds[num[root.Origin]] = least; all {
			bounds[num[root.Origin]] = most
		}
	}
}

// purge goes through the tombstones in the order of their key.
type purge struct {
	bounds map[int64]int64
	before int64
	young  bool
	gone   int64

	t     int64 // the last one looked at
	k     []byte
	found []tombstone
}

type tombstone struct {
	t    int64
	k    []byte
	h, o int64
}

// find looks at the next tombstones; more says whether others follow.
func (p *purge) find(ctx context.Context, s *Store) (more bool, err error) {
	t0, k0, young0 := p.t, p.k, p.young
	err = s.readLog(ctx, func(r *Reader) error {
		p.found, p.t, p.k, p.young = p.found[:0], t0, k0, young0
		n := 0
		err := each(r.conn, "SELECT t,k,h,o FROM lc_tombstones WHERE (t,k)>(?1,?2) ORDER BY t,k LIMIT ?3",
			[]catalog.Value{catalog.Int(t0), catalog.BlobBytes(k0), catalog.Int(purgeStep)}, func(v []catalog.Value) error {
				n++
				p.t, p.k = v[0].Int(), slices.Clone(v[1].Bytes)
				switch h, o := v[2].Int(), v[3].Int(); {
				case h > p.bounds[o]:
				case h >= p.before:
					p.young = true
				default:
					p.found = append(p.found, tombstone{p.t, p.k, h, o})
				}
				return ctx.Err()
			})
		more = n == purgeStep
		return err
	})
	return more, err
}

// forget deletes what was found, unless it has changed since.
func (p *purge) forget(tx *Tx) error {
	tx.remote, tx.unseen = true, true // it is this node's own business, and not logged
	p.gone = 0
	spaces := make(map[int64]*space, len(tx.w.layout.spaces))
	for _, sp := range tx.w.layout.spaces {
		spaces[sp.num] = sp
	}
	st, err := tx.w.conn.StoreStmt("DELETE FROM lc_tombstones WHERE t=? AND k=? AND h=? AND o=?")
	if err != nil {
		return err
	}
	for _, d := range p.found {
		n, err := st.Exec([]catalog.Value{catalog.Int(d.t), catalog.BlobBytes(d.k), catalog.Int(d.h), catalog.Int(d.o)})
		if err != nil {
			return err
		}
		if sp := spaces[d.t]; n > 0 && sp != nil {
			tx.touch(sp).st.tombs -= n
		}
		p.gone += n
	}
	tx.dirty = p.gone > 0
	return nil
}

// TombstoneCount is how many deleted rows a keyspace remembers.
type TombstoneCount struct {
	Table  catalog.ID
	Count  int64
	Oldest crdt.HLC
}

// Tombstones counts the tombstones of the keyspaces that have some.
func (s *Store) Tombstones() (out []TombstoneCount) {
	err := s.Read(context.Background(), func(r *Reader) error {
		out = nil
		if err := r.pin(); err != nil {
			return err
		}
		table := make(map[int64]catalog.ID, len(r.layout.spaces))
		for id, sp := range r.layout.spaces {
			table[sp.num] = catalog.ID(id)
		}
		return each(r.conn, "SELECT t,count(*),min(h) FROM lc_tombstones GROUP BY t", nil, func(v []catalog.Value) error {
			out = append(out, TombstoneCount{table[v[0].Int()], v[1].Int(), crdt.HLC(v[2].Int())})
			return nil
		})
	})
	if err != nil {
		s.config.Logger.Error("tombstones cannot be counted", "err", err)
	}
	return out
}

package sqlstore

import (
	"context"
	"slices"
	"strconv"

	"layercake/catalog"
	"layercake/crdt"
)

// Collision is a row that a merge found to have a unique key that another row holds. Both rows stay until the
// application settles it.
type Collision struct {
	Table *catalog.Table
	Index *catalog.Index
	Row   []catalog.Value // values of Table.Columns of the row that does not hold the key
	Stamp crdt.Stamp      // of its INSERT
	Other []catalog.Value // the row that holds it
	Held  crdt.Stamp      // of Other's INSERT
}

// Collisions lists the unique keys that more than one row has.
func (s *Store) Collisions(ctx context.Context) (out []Collision, err error) {
	err = s.Read(ctx, func(r *Reader) error {
		out = nil
		if err := r.pin(); err != nil {
			return err
		}
		if err := r.awaitPublished(); err != nil {
			return err
		}
		byNum := make(map[int64]*space, len(r.layout.spaces))
		for _, sp := range r.layout.spaces {
			byNum[sp.num] = sp
		}
		var list [][]catalog.Value
		err := each(r.conn, "SELECT t,i,r FROM lc_collisions ORDER BY t,i,r", nil, func(v []catalog.Value) error {
			list = append(list, slices.Clone(v))
			return nil
		})
		if err != nil {
			return err
		}
		for _, v := range list {
			c, err := r.collision(byNum[v[0].Int()], v[1].Int(), v[2].Int())
			if err != nil {
				return err
			}
			if c != nil {
				out = append(out, *c)
			}
		}
		return nil
	})
	return out, err
}

func (r *Reader) collision(sp *space, index, rowid int64) (*Collision, error) {
	if sp == nil {
		return nil, nil
	}
	i := slices.IndexFunc(sp.uniques, func(u uniqueIndex) bool { return u.num == index })
	if i < 0 {
		return nil, nil
	}
	var mine, other row
	found, err := readRow(r.conn, sp.selectSQL, []catalog.Value{catalog.Int(rowid)}, &mine)
	if err != nil || !found {
		return nil, err
	}
	holder, err := sp.match(r.conn, i, mine.vals, "rowid", "=0 AND rowid<>"+strconv.FormatInt(rowid, 10))
	if err != nil || len(holder) == 0 {
		return nil, err
	}
	if found, err = readRow(r.conn, sp.selectSQL, holder[0][:1], &other); err != nil || !found {
		return nil, err
	}
	c := &Collision{Table: sp.table, Index: sp.uniques[i].index, Row: mine.vals[:sp.live], Other: other.vals[:sp.live]}
	r.s.mu.RLock()
	org := origins{byNum: r.s.origins.byNum}
	r.s.mu.RUnlock()
	if c.Stamp, err = org.stamp(crdt.HLC(mine.h), mine.o); err != nil {
		return nil, err
	}
	c.Held, err = org.stamp(crdt.HLC(other.h), other.o)
	return c, err
}

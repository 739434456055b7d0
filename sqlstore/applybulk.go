package sqlstore

import (
	"encoding/binary"
	"slices"

	"layercake/crdt"
)

const (
	// bulkFrom is how many rows of a group are worth a goroutine.
	bulkFrom = 64
	// bulkCall is how many rows SQLite gets in one call: enough to forget the call, and few enough for the rows to be
	// hashed meanwhile.
	bulkCall = 1024
)

// bulkColumns returns what the values of the group's rows are, if the rows can go into the table as they are: it has the
// group's form, and most rows will be new (SQLite finds out which are not). Otherwise it returns nil.
func (m *merger) bulkColumns() []int {
	g, sp, ts := m.g, m.sp, m.ts
	if g.Op != crdt.Insert || g.Rows < bulkFrom || m.foreign || m.tx.w.hasLosers || ts.st.tombs > 0 ||
		ts.st.trunc.Compare(m.tx.stamp) > 0 || len(g.Key) == 0 && len(g.First) != hiddenKeySize {
		return nil
	}
	cols := slices.Clone(m.colAt)
	if len(g.Key) > 0 {
		cols = append(slices.Clone(m.keyAt), cols...)
	}
	if len(cols) != sp.live || len(cols) == 0 {
		return nil
	}
	for _, c := range cols {
		if c < 0 || c >= sp.live {
			return nil
		}
	}
	return cols
}

// insertBulk inserts the group's rows. One that is refused, because its key is taken, is merged by itself.
func (m *merger) insertBulk(cols []int) (err error) {
	tx, g := m.tx, m.g
	if g.First != nil && !tx.freshKey(g.First) {
		if err := tx.indexHidden(m.sp); err != nil {
			return err
		}
	}
	rows, err := g.Encoded(tx.room)
	if err != nil {
		return err
	}
	if cap(rows) > cap(tx.room) && g.Packed() {
		tx.room = rows
	}
	b := tx.newBulk(m.ts, cols, g.First != nil, false)
	defer func() {
		if e := b.finish(); err == nil {
			err = e
		}
	}()
	for i := 0; i < g.Rows; {
		if !tx.w.hasLosers { // else, with a row that was refused, what may stay behind a row has to be looked for
			done, used, err := b.insert(rows, min(bulkCall, g.Rows-i), numbered(g.First, i))
			i, rows = i+done, rows[used:]
			if err == nil {
				continue
			}
			if _, taken := isUnique(err); !taken {
				return err
			}
		}
		r, rest, err := g.Row(i, rows)
		if err != nil {
			return err
		}
		if err := m.decode(r); err != nil {
			return err
		}
		if err := m.insert(); err != nil {
			return err
		}
		i, rows = i+1, rest
	}
	return nil
}

// numbered is the hidden key of row i of a group whose keys are numbered from first; nil if they are not.
func numbered(first []byte, i int) []byte {
	if first == nil {
		return nil
	}
	key := slices.Clone(first)
	number := key[len(key)-4:]
	binary.BigEndian.PutUint32(number, binary.BigEndian.Uint32(number)+uint32(i))
	return key
}

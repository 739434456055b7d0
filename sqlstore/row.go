package sqlstore

import (
	"encoding/binary"
	"fmt"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore/sqlite"
)

// Version is a row's version: what its hidden columns hold. Two reads of a row saw the same if their Versions are
// equal. O is a number of this node alone.
type Version struct {
	H int64  // clock of the INSERT
	O int64  // local number of the INSERT's origin
	C []byte // clocks of the cells that were updated since
}

// Equal says whether v and w are the same version.
func (v Version) Equal(w Version) bool { return v.H == w.H && v.O == w.O && string(v.C) == string(w.C) }

// row is a row as it stands in its table.
type row struct {
	rowid  int64
	h, o   int64
	clocks []byte
	hidden []byte
	vals   []catalog.Value // all of space.cols
}

// scanRow takes the columns of space.selectSQL.
func scanRow(r *row, v []catalog.Value) {
	r.rowid, r.h, r.o = v[0].Int(), v[1].Int(), v[2].Int()
	r.clocks, r.hidden = v[3].Bytes, v[4].Bytes
	r.vals = append(r.vals[:0], v[5:]...)
}

// readRow runs one of a space's SELECTs and takes its first row.
func readRow(c *sqlite.Conn, sql string, args []catalog.Value, r *row) (found bool, err error) {
	st, err := c.StoreStmt(sql)
	if err != nil {
		return false, err
	}
	rows, err := st.Query(args)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if !rows.Next() {
		return false, rows.Err()
	}
	scanRow(r, rows.Values())
	return true, nil
}

// origins maps between origins and their local numbers (from 1). Both directions only grow, except when a transaction
// that added one is rolled back.
type origins struct {
	byNum []crdt.Origin // [0] is unused
	num   map[crdt.Origin]int64
}

func (o *origins) origin(num int64) (crdt.Origin, error) {
	if num <= 0 || num >= int64(len(o.byNum)) {
		return crdt.Origin{}, fmt.Errorf("sqlstore: unknown origin number %d", num)
	}
	return o.byNum[num], nil
}

func (o *origins) stamp(h crdt.HLC, num int64) (crdt.Stamp, error) {
	origin, err := o.origin(num)
	return crdt.Stamp{HLC: h, Origin: origin}, err
}

// merged is stamp for a merge, which never fails: of a row that somebody wrote behind the store's back, and that names no
// origin, it is less than any.
func (o *origins) merged(h crdt.HLC, num int64) crdt.Stamp {
	s, err := o.stamp(h, num)
	if err != nil {
		return crdt.Stamp{}
	}
	return s
}

// hash works out a row's hash. The hasher is used again from row to row.
func (sp *space) hash(hs *crdt.RowHasher, org *origins, r *row) (crdt.Digest, error) {
	ins, err := org.stamp(crdt.HLC(r.h), r.o)
	if err != nil {
		return crdt.Digest{}, err
	}
	hs.Begin(ins, r.hidden)
	if len(r.clocks) == 0 {
		sp.hashPlain(hs, r.vals)
		return hs.Sum(), nil
	}
	clocks, err := decodeClocks(r.clocks)
	if err != nil {
		return crdt.Digest{}, err
	}
	var buf []byte
	for _, i := range sp.order {
		c := &sp.cols[i]
		buf = catalog.AppendValue(buf[:0], r.vals[i])
		if cl, own := clockOf(clocks, c.num); own {
			s, err := org.stamp(cl.hlc, cl.origin)
			if err != nil {
				return crdt.Digest{}, err
			}
			hs.Cell(c.id, buf, &s)
		} else if string(buf) != string(c.tag) {
			hs.Cell(c.id, buf, nil)
		}
	}
	return hs.Sum(), nil
}

// hashPlain adds the cells of a row that has no cell clocks. It is hash's loop without the checks.
func (sp *space) hashPlain(hs *crdt.RowHasher, vals []catalog.Value) {
	b := hs.Buffer()
	for _, i := range sp.order {
		c := &sp.cols[i]
		start := len(b)
		b = binary.BigEndian.AppendUint64(b, c.id.HLC)
		b = binary.BigEndian.AppendUint64(b, c.id.Node)
		b = append(b, 0)
		at := len(b)
		b = catalog.AppendValue(b, vals[i])
		if string(b[at:]) == string(c.tag) {
			b = b[:start]
		}
	}
	hs.SetBuffer(b)
}

// scan reads every row of a space and returns their digest and number.
func (sp *space) scan(c *sqlite.Conn, org *origins) (d crdt.Digest, rows int64, err error) {
	var hs crdt.RowHasher
	var r row
	sel := sp.scanSQL()
	err = each(c, sel, nil, func(v []catalog.Value) error {
		scanRow(&r, v)
		h, err := sp.hash(&hs, org, &r)
		if err != nil {
			return err
		}
		d.Add(h)
		rows++
		return nil
	})
	if err != nil {
		return d, rows, err
	}
	losers, err := sp.losers(c, "")
	for i := range losers {
		h, err := sp.hash(&hs, org, &losers[i])
		if err != nil {
			return d, rows, err
		}
		d.Add(h)
	}
	return d, rows, err
}

// scanSQL selects every row, in the columns of selectSQL.
func (sp *space) scanSQL() string { return sp.selectSQL[:len(sp.selectSQL)-len(" WHERE rowid=?1")] }

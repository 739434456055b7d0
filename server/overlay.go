package server

import (
	"encoding/binary"
	"slices"

	"layercake/catalog"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// overlay is what an open transaction has made of one table: the committed rows that a reader must not show any more,
// and the transaction's own rows, as they are now. Laid over a snapshot (pgsql.Query.Overlaid), it gives the table as the
// transaction sees it without the writer.
//
// A changed row is kept whole, as the statement that changed it saw it. Nobody here can change it meanwhile, since it is
// reserved; if another node does, COMMIT finds out, whatever was read before.
type overlay struct {
	ops   int  // how many of the transaction's ops it shows
	heavy bool // too much for statements to carry, or the table was emptied: it is to be read on the writer

	rows      []overlayRow
	committed map[int64]int  // rowid → place in rows
	inserted  map[ownRow]int // … of a row that the transaction inserted
	hidden    []int64        // rowids of committed rows, ascending
	size      int            // bytes of the rows' data

	own    []byte // the rows that are there, each after its version
	packed bool   // own is up to date
}

// overlayRow is one row that the transaction changed or inserted.
type overlayRow struct {
	rowid int64
	seen  sqlstore.Version
	own   *ownRow // inserted by the transaction: rowid and seen do not count
	gone  bool
	data  []byte // the values, encoded
}

// maxOverlay bounds the bytes of an overlay's rows: each statement that reads them goes through them all.
const maxOverlay = 4 << 20

// ownOrigin marks a row that the transaction inserted, in the place of the local number of its origin; _h is then the
// row's place in the overlay.
const ownOrigin = -1

// over is the overlay of a table as a plan knows it.
func (t *transaction) over(table *catalog.Table) (*overlay, error) {
	ov := t.overlays[table.ID]
	if ov == nil {
		ov = new(overlay)
		if t.overlays == nil {
			t.overlays = map[catalog.ID]*overlay{}
		}
		t.overlays[table.ID] = ov
	}
	for ; ov.ops < len(t.ops); ov.ops++ {
		o := &t.ops[ov.ops]
		if o.table == nil || o.table.ID != table.ID {
			continue
		}
		if !sameShape(o.table, table) {
			return nil, errSchemaChanged()
		}
		if err := ov.add(ov.ops, o); err != nil {
			return nil, err
		}
	}
	if ov.heavy {
		return nil, errNeedsWriter
	}
	return ov, nil
}

// add takes in the transaction's op number i.
func (ov *overlay) add(i int, o *op) error {
	if ov.heavy {
		return nil
	}
	switch o.kind {
	case opInsert:
		if o.rows != nil && o.rows.bytes() > maxOverlay {
			ov.drop()
			break
		}
		err := o.each(func(j int, row []catalog.Value) error {
			own := &ownRow{i, j}
			if ov.inserted == nil {
				ov.inserted = map[ownRow]int{}
			}
			ov.inserted[*own] = len(ov.rows)
			ov.put(overlayRow{own: own}, row)
			return nil
		})
		if err != nil {
			return err
		}
	case opUpdate, opDelete:
		at, known := ov.find(o)
		if !known {
			at = len(ov.rows)
			if ov.committed == nil {
				ov.committed = map[int64]int{}
			}
			ov.committed[o.rowid] = at
			k, _ := slices.BinarySearch(ov.hidden, o.rowid)
			ov.hidden = slices.Insert(ov.hidden, k, o.rowid)
			r := overlayRow{rowid: o.rowid, seen: o.seen}
			if o.kind == opUpdate {
				ov.put(r, o.new)
				break
			}
			ov.rows = append(ov.rows, r)
		}
		ov.set(at, o.kind == opDelete, o.new)
	default:
		ov.drop()
	}
	if ov.size > maxOverlay {
		ov.drop()
	}
	return nil
}

// drop gives up: the table is to be read on the writer from now on.
func (ov *overlay) drop() { *ov = overlay{ops: ov.ops, heavy: true} }

// find is the place of the row that an op changes.
func (ov *overlay) find(o *op) (at int, ok bool) {
	if o.own != nil {
		at, ok = ov.inserted[*o.own]
		return at, ok
	}
	at, ok = ov.committed[o.rowid]
	return at, ok
}

// put adds a row.
func (ov *overlay) put(r overlayRow, row []catalog.Value) {
	r.data = catalog.AppendRow(make([]byte, 0, catalog.RowSize(row)), row)
	ov.rows = append(ov.rows, r)
	ov.size += len(r.data)
	if ov.packed {
		ov.pack(len(ov.rows) - 1)
	}
}

// set gives a row its new values, or takes it away.
func (ov *overlay) set(at int, gone bool, row []catalog.Value) {
	r := &ov.rows[at]
	ov.size -= len(r.data)
	if r.data, r.gone = nil, gone; !gone {
		r.data = catalog.AppendRow(nil, row)
	}
	ov.size += len(r.data)
	ov.packed = false
}

// pack adds a row to own.
func (ov *overlay) pack(at int) {
	r := &ov.rows[at]
	version := [4]catalog.Value{catalog.Int(r.rowid), catalog.Int(r.seen.H), catalog.Int(r.seen.O)}
	switch {
	case r.own != nil:
		version = [4]catalog.Value{catalog.Int(0), catalog.Int(int64(at)), catalog.Int(ownOrigin)}
	case r.seen.C != nil:
		version[3] = catalog.BlobBytes(r.seen.C)
	}
	ov.own = append(catalog.AppendRow(ov.own, version[:]), r.data...)
}

// ownRows gives the transaction's rows as a row set.
func (ov *overlay) ownRows() catalog.Value {
	if !ov.packed {
		ov.own, ov.packed = make([]byte, 0, ov.size+48*len(ov.rows)), true
		for i := range ov.rows {
			if !ov.rows[i].gone {
				ov.pack(i)
			}
		}
	}
	return catalog.BlobBytes(ov.own)
}

// hiddenRows gives the rowids that a reader must not show, as lc_holds takes them.
func (ov *overlay) hiddenRows() catalog.Value {
	b := make([]byte, 0, 8*len(ov.hidden))
	for _, id := range ov.hidden {
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	return catalog.BlobBytes(b)
}

// ownAt names the row that a query over the overlay returned with version v; nil if the transaction did not insert it.
func (t *transaction) ownAt(table catalog.ID, v sqlstore.Version) *ownRow {
	if v.O != ownOrigin {
		return nil
	}
	return t.overlays[table].rows[v.H].own
}

// sees says whether a query may run on a reader: it reads no table that the transaction has changed, or just one that
// can be overlaid.
func (t *transaction) sees(q *pgsql.Query) bool {
	if t.schema != nil {
		return false
	}
	for _, id := range q.Reads {
		if t.written.has(id) && (id != q.Overlay || t.overlays[id] != nil && t.overlays[id].heavy) {
			return false
		}
	}
	return true
}

// overlaid is a query as it has to be run on a reader: over the transaction's own changes.
func (t *transaction) overlaid(q *pgsql.Query, schema *catalog.Schema) (*pgsql.Query, error) {
	if t.written.len() == 0 {
		return q, nil
	}
	if !t.sees(q) {
		return nil, errNeedsWriter
	}
	for _, id := range q.Reads {
		if !t.written.has(id) {
			continue
		}
		table := schema.RelationByID(id)
		if table == nil {
			return nil, errSchemaChanged()
		}
		if _, err := t.over(table); err != nil {
			return nil, err
		}
		over, ok := q.Overlaid(table)
		if !ok {
			return nil, errNeedsWriter
		}
		q = over
	}
	return q, nil
}

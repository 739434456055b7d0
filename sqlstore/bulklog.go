package sqlstore

import "layercake/crdt"

// bulkLog is what a transaction's entry is to say of rows that it inserted in bulk: groups that are encoded already, at the
// entry's end. Only when one of the rows is touched again, or the table gets another form, are the rows read again (txLog.readAgain).
type bulkLog struct {
	groups spool
	raw    int // of the groups, unpacked
	ids    RowIDs
	gone   map[int64]bool // rows that were deleted again
}

func (l *bulkLog) add(dir string, sp *space, first []byte, n int, rows []byte) error {
	cols := make([]crdt.ID, len(sp.rest))
	for i, c := range sp.rest {
		cols[i] = sp.cols[c].id
	}
	g := crdt.EncodeInserts(sp.id, sp.keyID, sp.keyIDs, cols, first, n, rows)
	l.raw += max(len(g), len(rows))
	return l.groups.add(dir, g)
}

// bulks are the bulk loads that the transaction's entry has: body reserved room for them.
func (tx *Tx) bulks() (out []*bulkLog) {
	for _, ts := range tx.order {
		if tx.w.layout.spaces[ts.sp.id] != nil && ts.log.bulk.groups.size() > 0 {
			out = append(out, &ts.log.bulk)
		}
	}
	return out
}

// appendBulks appends them to the encoded entry.
func (tx *Tx) appendBulks(e *crdt.Entry) (err error) {
	bulks := tx.bulks()
	for _, l := range bulks {
		if e.Bytes, err = l.groups.appendTo(e.Bytes); err != nil {
			return err
		}
		l.groups = spool{} // the entry has them now
	}
	if bulks != nil {
		e.Seal()
	}
	return nil
}

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

// bulks are the groups that follow at the end of the transaction's entry, and how much longer they are unpacked.
func (tx *Tx) bulks() (groups []*spool, more int) {
	for _, ts := range tx.order {
		if l := &ts.log.bulk; tx.w.layout.spaces[ts.sp.id] != nil && l.groups.size() > 0 {
			groups = append(groups, &l.groups)
			more += l.raw - l.groups.size()
		}
	}
	return groups, more
}

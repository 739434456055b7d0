package sqlstore

import (
	"bytes"
	"maps"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// The hidden key of a table without a primary key gets its index when an entry first asks for a row by it: an UPDATE or
// DELETE from another node, or an INSERT that may name a row which is here already. Statements know rows by rowid. A
// table that is only added to, or only changed by this node, or loaded before it gets its primary key, never pays for
// the index, which costs as much as the row itself. While it is not there, no two rows have one hidden key all the same:
// an INSERT is let in without a look only if its key bears the very stamp that it is made with.

// freshKey says whether a hidden key is one that the entry, or transaction, at hand has made: no row has it yet. An entry
// is applied once; what was logged again under another stamp keeps its old key, and is not fresh.
func (tx *Tx) freshKey(hidden []byte) bool {
	var own [hiddenKeySize]byte
	newHiddenKey(own[:0], tx.stamp, 0)
	return len(hidden) == hiddenKeySize && bytes.Equal(hidden[:hiddenKeySize-4], own[:hiddenKeySize-4])
}

func (sp *space) hiddenIndex() string { return "k" + strconv.FormatInt(sp.num, 10) }

// indexHidden makes the index of a table's hidden key, if it is not there.
func (tx *Tx) indexHidden(sp *space) error {
	if tx.w.hiddenIndexes[sp.num] || !sp.hidden {
		return nil
	}
	if err := tx.w.conn.StoreExec("CREATE UNIQUE INDEX " + sp.hiddenIndex() + " ON " + sp.phys + "(_k)"); err != nil {
		return err
	}
	next := maps.Clone(tx.w.hiddenIndexes)
	next[sp.num] = true
	tx.w.hiddenIndexes, tx.dirty = next, true
	return nil
}

// dropHiddenIndex drops the index of a table that is about to be emptied: what is loaded next need not pay for it.
func (tx *Tx) dropHiddenIndex(sp *space) error {
	if !tx.w.hiddenIndexes[sp.num] {
		return nil
	}
	tx.forgetHiddenIndex(sp)
	return tx.w.conn.StoreExec("DROP INDEX " + sp.hiddenIndex())
}

// forgetHiddenIndex notes that the index goes with its table.
func (tx *Tx) forgetHiddenIndex(sp *space) {
	if tx.w.hiddenIndexes[sp.num] {
		next := maps.Clone(tx.w.hiddenIndexes)
		delete(next, sp.num)
		tx.w.hiddenIndexes = next
	}
}

// loadHiddenIndexes finds the indexes that there are.
func loadHiddenIndexes(c *sqlite.Conn) (map[int64]bool, error) {
	out := make(map[int64]bool)
	err := each(c, "SELECT name FROM sqlite_schema WHERE type='index' AND name GLOB 'k[0-9]*'", nil, func(v []catalog.Value) error {
		if num, err := strconv.ParseInt(strings.TrimPrefix(string(v[0].Bytes), "k"), 10, 64); err == nil {
			out[num] = true
		}
		return nil
	})
	return out, err
}

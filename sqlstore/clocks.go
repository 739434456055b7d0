package sqlstore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"layercake/crdt"
)

// A row's hidden column _c lists the cells that do not bear the INSERT's stamp, ascending by column number: column
// number (uvarint), clock (8 bytes, big-endian), local number of the origin (uvarint).

type cellClock struct {
	col    int64 // the N of cN
	hlc    crdt.HLC
	origin int64
}

func decodeClocks(b []byte) ([]cellClock, error) {
	if len(b) == 0 {
		return nil, nil
	}
	clocks := make([]cellClock, 0, len(b)/10+1)
	for len(b) > 0 {
		col, n := binary.Uvarint(b)
		if n <= 0 || len(b) < n+9 {
			return nil, fmt.Errorf("sqlstore: damaged cell clocks")
		}
		h := binary.BigEndian.Uint64(b[n:])
		b = b[n+8:]
		o, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("sqlstore: damaged cell clocks")
		}
		b = b[n:]
		clocks = append(clocks, cellClock{int64(col), crdt.HLC(h), int64(o)})
	}
	return clocks, nil
}

func encodeClocks(clocks []cellClock) []byte {
	if len(clocks) == 0 {
		return nil
	}
	b := make([]byte, 0, 11*len(clocks))
	for _, c := range clocks {
		b = binary.AppendUvarint(b, uint64(c.col))
		b = binary.BigEndian.AppendUint64(b, uint64(c.hlc))
		b = binary.AppendUvarint(b, uint64(c.origin))
	}
	return b
}

// setClock sets the clock of a column in the ascending list.
func setClock(clocks []cellClock, c cellClock) []cellClock {
	i, found := slices.BinarySearchFunc(clocks, c.col, func(e cellClock, col int64) int { return int(e.col - col) })
	if found {
		clocks[i] = c
		return clocks
	}
	return slices.Insert(clocks, i, c)
}

// clockOf finds a column's own clock.
func clockOf(clocks []cellClock, col int64) (cellClock, bool) {
	for _, c := range clocks {
		if c.col == col {
			return c, true
		}
	}
	return cellClock{}, false
}

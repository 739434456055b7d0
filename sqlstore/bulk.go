package sqlstore

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
)

// bulk inserts encoded rows into a table: SQLite gets many in one call, straight from their bytes, and what the digest and
// the log need of them is worked out beside that on a goroutine. A bulk load keeps two processors busy.
type bulk struct {
	tx   *Tx
	ts   *txSpace
	sql  string
	cols []int // indexes into space.cols: what a row's values are, all live columns in some order
	at   []int // for each of space.order, its place among a row's values; -1: dropped, rows hold what it was by default
	log  []int // places of a row's values in the order in which the entry has them; nil: the entry has the rows already

	ids  []int64 // of the rows that the last insert inserted
	head []catalog.Value

	work   chan bulkRows
	done   chan error
	digest crdt.Digest // of the rows noted
	rows   int64
}

// bulkRows are rows that SQLite has, and the digest and the log have not yet.
type bulkRows struct {
	rows  []byte
	n     int
	first []byte // numbered hidden keys: that of the first row
}

// newBulk prepares for rows with the given columns. numbered says that they get hidden keys; own, that they are the
// transaction's own and go into its entry. The caller must finish it.
func (tx *Tx) newBulk(ts *txSpace, cols []int, numbered, own bool) *bulk {
	sp := ts.sp
	b := &bulk{tx: tx, ts: ts, cols: cols, work: make(chan bulkRows, 2), done: make(chan error, 1),
		head: []catalog.Value{catalog.Int(int64(tx.stamp.HLC)), catalog.Int(tx.num)}}
	names := []string{"_h", "_o"}
	if numbered {
		names = append(names, "_k")
	}
	for _, c := range cols {
		names = append(names, sp.cols[c].phys)
	}
	b.sql = "INSERT INTO " + sp.phys + "(" + strings.Join(names, ",") + ") VALUES(" + params(len(names)) + ")"
	for _, c := range sp.order {
		b.at = append(b.at, slices.Index(cols, c))
	}
	if own {
		b.log = make([]int, 0, len(cols))
		for _, list := range [][]int{sp.key, sp.rest} {
			for _, c := range list {
				b.log = append(b.log, slices.Index(cols, c))
			}
		}
	}
	go func() { b.done <- b.note() }()
	return b
}

// insert inserts n rows, or as many as there are before one that SQLite refuses, and says how many and how many bytes they
// take. The rows must not change before finish.
func (b *bulk) insert(rows []byte, n int, first []byte) (done, used int, err error) {
	st, err := b.tx.w.conn.StoreStmt(b.sql)
	if err != nil {
		return 0, 0, err
	}
	b.ids = slices.Grow(b.ids[:0], n)[:n]
	done, used, err = st.ExecRows(b.head, first, rows, b.ids)
	b.ids = b.ids[:done]
	if done > 0 {
		b.work <- bulkRows{rows[:used], done, first}
	}
	return done, used, err
}

// finish waits until all rows are noted.
func (b *bulk) finish() error {
	close(b.work)
	err := <-b.done
	b.ts.st.digest.Add(b.digest)
	b.ts.st.rows += b.rows
	return err
}

// note adds inserted rows to the digest and the log. It takes all there are even after a failure, so that who sends them
// need not ask.
func (b *bulk) note() (err error) {
	var hasher crdt.RowHasher
	vals := make([][]byte, len(b.cols))
	for w := range b.work {
		if err == nil {
			err = b.noteRows(&hasher, vals, w)
		}
	}
	return err
}

func (b *bulk) noteRows(hs *crdt.RowHasher, vals [][]byte, w bulkRows) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sqlstore: panic in a bulk load: %v", p)
		}
	}()
	sp := b.ts.sp
	hidden := slices.Clone(w.first)
	logged := w.rows
	moved := b.log != nil && !slices.IsSorted(b.log)
	if moved {
		logged = make([]byte, 0, len(w.rows))
	}
	rest := w.rows
	for range w.n {
		for i := range vals {
			n, err := crdt.ValueSize(rest)
			if err != nil {
				return err
			}
			vals[i], rest = rest[:n], rest[n:]
		}
		hs.Begin(b.tx.stamp, hidden)
		b.hash(hs, vals)
		b.digest.Add(hs.Sum())
		if hidden != nil {
			number := hidden[len(hidden)-4:]
			binary.BigEndian.PutUint32(number, binary.BigEndian.Uint32(number)+1)
		}
		if moved {
			for _, i := range b.log {
				logged = append(logged, vals[i]...)
			}
		}
	}
	b.rows += int64(w.n)
	if b.log == nil {
		return nil
	}
	return b.ts.log.bulk.add(b.tx.w.s.config.Dir, sp, w.first, w.n, logged)
}

// hash is space.hashPlain for encoded values.
func (b *bulk) hash(hs *crdt.RowHasher, vals [][]byte) {
	sp := b.ts.sp
	buf := hs.Buffer()
	for i, c := range sp.order {
		if b.at[i] < 0 {
			continue
		}
		v, col := vals[b.at[i]], &sp.cols[c]
		if v[0] == byte(catalog.Real) && math.IsNaN(math.Float64frombits(binary.LittleEndian.Uint64(v[1:]))) {
			v = catalog.AppendValue(nil, catalog.Str("NaN")) // which is what SQLite stores
		}
		if string(v) == string(col.tag) {
			continue
		}
		buf = binary.BigEndian.AppendUint64(buf, col.id.HLC)
		buf = binary.BigEndian.AppendUint64(buf, col.id.Node)
		buf = append(append(buf, 0), v...)
	}
	hs.SetBuffer(buf)
}

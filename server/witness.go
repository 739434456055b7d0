package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
)

// witness is what the node says of its database to the members that compare theirs (replication.Witness). What has been
// agreed on is noted at once: the digests that are kept with the writes, or a snapshot, whose rows are then read while
// everybody writes on.
type witness struct {
	n *Node

	mu     sync.Mutex // protects the following fields
	pins   map[uint64]*pin
	mends  map[catalog.ID]int // repairs of each table since the start
	closed bool
}

// pin is a snapshot that an agreement is about.
type pin struct {
	mu     sync.Mutex // held by the question that is being answered
	r      *sqlstore.Reader
	timer  *time.Timer
	mends  map[catalog.ID]int // as when it was taken, and as it has changed through this pin
	scans  map[catalog.ID]sqlstore.Scan
	closed bool

	corrected map[catalog.ID]bool // the kept digest has been put right
}

// pinTime is how long a snapshot is kept for a member that asks nothing. It keeps the WAL from shrinking.
const pinTime = time.Minute

// What members are asked to note at an agreed vector.
const (
	noteDigests  = "digests"
	noteSnapshot = "snapshot"
)

// noted is a keyspace's digest at the agreed vector.
type noted struct {
	Table  catalog.ID
	Name   string
	Rows   int64
	Digest crdt.Digest
}

// The questions about a snapshot.
const (
	askScan   = "scan"   // sqlstore.Scan
	askRows   = "rows"   // shownRows of some buckets
	askCopies = "copies" // copies of some keys
	askLogged = "logged" // what the log says of a row
	askMend   = "mend"   // put rows right
	askClose  = "close"
)

type question struct {
	What    string
	Round   uint64
	Table   catalog.ID
	Buckets []int             `json:",omitempty"`
	Keys    [][]byte          `json:",omitempty"`
	Row     *sqlstore.RowCopy `json:",omitempty"`
	End     crdt.Stamp        `json:",omitzero"`
	Fixes   []sqlstore.Fix    `json:",omitempty"`
}

type shownRow struct {
	Key  []byte
	Hash crdt.Digest
	Show string // "(id)=(5)"
}

type shownRows struct {
	Rows []shownRow
	More bool
}

type copies struct {
	Rows    []sqlstore.RowCopy
	Graves  []sqlstore.Grave
	Cleared crdt.Stamp // when the table was last truncated
}

// scanBuckets is how many parts a table's digest is compared in, someRows about how many rows are told apart at a time,
// and maxShown how many rows one answer lists at most.
const (
	scanBuckets = 1024
	someRows    = 20_000
	maxShown    = 200_000
)

func newWitness(n *Node) *witness {
	return &witness{n: n, pins: map[uint64]*pin{}, mends: map[catalog.ID]int{}}
}

// Hold implements replication.Witness.
func (w *witness) Hold(ctx context.Context) (func(), error) { return w.n.store.Hold(ctx) }

// Note implements replication.Witness.
func (w *witness) Note(ctx context.Context, round uint64, v crdt.Vector, ask []byte) ([]byte, error) {
	have, list := w.n.store.Digests()
	if !have.Equal(v) {
		return nil, sqlstore.ErrMoved
	}
	switch string(ask) {
	case noteDigests:
	case noteSnapshot:
		if err := w.pin(ctx, round, v); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("it knows no %q", ask)
	}
	sch := w.n.store.Schema()
	out := make([]noted, 0, len(list))
	for _, d := range list {
		out = append(out, noted{Table: d.Table, Name: relationName(sch, d.Table), Rows: d.Rows, Digest: d.Digest})
	}
	return json.Marshal(out)
}

func (w *witness) pin(ctx context.Context, round uint64, v crdt.Vector) error {
	w.mu.Lock()
	mends := maps.Clone(w.mends)
	w.mu.Unlock()
	r, err := w.n.store.SnapshotAt(ctx, v)
	if err != nil {
		return err
	}
	p := &pin{r: r, mends: mends, scans: map[catalog.ID]sqlstore.Scan{}, corrected: map[catalog.ID]bool{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.pins[round] != nil {
		r.Close()
		return errors.New("it is stopping")
	}
	w.pins[round] = p
	p.timer = time.AfterFunc(pinTime, func() { w.drop(round) })
	return nil
}

// drop closes a snapshot, once no question about it is being answered.
func (w *witness) drop(round uint64) {
	w.mu.Lock()
	p := w.pins[round]
	delete(w.pins, round)
	w.mu.Unlock()
	if p != nil {
		p.close()
	}
}

func (p *pin) close() {
	p.timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	_ = p.r.Close() // of a reader: nothing depends on it
}

// close drops every snapshot. Nobody asks any more.
func (w *witness) close() {
	w.mu.Lock()
	w.closed = true
	pins := w.pins
	w.pins = map[uint64]*pin{}
	w.mu.Unlock()
	for _, p := range pins {
		p.close()
	}
}

// Answer implements replication.Witness.
func (w *witness) Answer(ctx context.Context, ask []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(ask, &q); err != nil {
		return nil, fmt.Errorf("malformed question: %w", err)
	}
	if q.What == askClose {
		w.drop(q.Round)
		return nil, nil
	}
	w.mu.Lock()
	p := w.pins[q.Round]
	if p != nil {
		p.timer.Reset(pinTime)
	}
	w.mu.Unlock()
	if p == nil {
		return nil, errors.New("its snapshot is gone")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.New("its snapshot is gone")
	}
	out, err := w.answer(ctx, p, &q)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

func (w *witness) answer(ctx context.Context, p *pin, q *question) (any, error) {
	switch q.What {
	case askScan:
		return p.scan(ctx, q.Table)
	case askRows:
		rows, more, err := p.r.RowsOf(ctx, q.Table, scanBuckets, q.Buckets, maxShown)
		if err != nil {
			return nil, err
		}
		out := shownRows{More: more, Rows: make([]shownRow, len(rows))}
		t := p.r.Schema().RelationByID(q.Table)
		for i, r := range rows {
			out.Rows[i] = shownRow{Key: r.Key, Hash: r.Hash, Show: fmt.Sprintf("%x", r.Key)}
			if t != nil {
				out.Rows[i].Show = describeKey(t, r.Values)
			}
		}
		return out, nil
	case askCopies:
		var c copies
		var err error
		if c.Rows, c.Graves, err = p.r.Copies(ctx, q.Table, q.Keys); err == nil {
			c.Cleared, err = p.r.Truncated(q.Table)
		}
		return c, err
	case askLogged:
		if q.Row == nil {
			return nil, errors.New("malformed question")
		}
		return p.r.Logged(ctx, q.Table, q.Row, q.End)
	case askMend:
		return w.mend(ctx, p, q)
	}
	return nil, fmt.Errorf("it knows no %q", q.What)
}

func (p *pin) scan(ctx context.Context, table catalog.ID) (sqlstore.Scan, error) {
	if s, ok := p.scans[table]; ok {
		return s, nil
	}
	s, err := p.r.Scan(ctx, table, scanBuckets)
	if err == nil {
		p.scans[table] = s
	}
	return s, err
}

// mend puts rows of this node right, and with the first of them the digest and the number of rows that are kept with the
// writes: what they are wrong by was found on the snapshot, and does not change by writes.
func (w *witness) mend(ctx context.Context, p *pin, q *question) (int, error) {
	s, err := p.scan(ctx, q.Table)
	if err != nil {
		return 0, err
	}
	digest, rows := s.Digest, s.Rows-s.KeptRows
	digest.Sub(s.Kept)
	w.mu.Lock()
	if w.mends[q.Table] != p.mends[q.Table] {
		w.mu.Unlock()
		return 0, errors.New("the table was repaired meanwhile")
	}
	if p.corrected[q.Table] {
		digest, rows = crdt.Digest{}, 0
	} else {
		w.mends[q.Table]++
		p.mends[q.Table], p.corrected[q.Table] = w.mends[q.Table], true
	}
	w.mu.Unlock()
	return w.n.store.Mend(ctx, q.Table, digest, rows, q.Fixes)
}

// describeKey shows which row it is: by its primary key, or by all its columns.
func describeKey(t *catalog.Table, row []catalog.Value) string {
	key := keyColumns(t)
	return "(" + columnNames(t, key) + ")=(" + columnsText(nil, t, key, row) + ")"
}

// keyColumns are the columns of a table's primary key, or all of them.
func keyColumns(t *catalog.Table) []int {
	var key []int
	pk := t.PrimaryKey()
	for i, col := range t.Columns {
		if pk == nil || slices.Contains(pk.Columns, col.ID) {
			key = append(key, i)
		}
	}
	return key
}

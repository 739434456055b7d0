package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// sequences hands out sequence values from blocks that a majority of the members granted to this node. A block's rest
// is lost when the node stops: gaps are allowed, equal values are not.
type sequences struct {
	node   *Node
	mu     sync.Mutex // protects following fields
	blocks map[catalog.ID]*block
}

// block is a granted run of values. Registers count values upwards; for a descending sequence they count the negated
// values.
type block struct {
	next, end int64 // register values: next … end-1, in steps of |increment|
	first     int64 // what next was at first
	step      int64 // by which next is beyond the last value taken, 0: none was
	size      int64 // values asked for last
	asked     time.Time
}

// taken is what a statement has taken of a sequence since it was begun.
type taken struct {
	sequence     *catalog.Table
	from         *block // the last value's
	first, count int64
}

const (
	firstBlock = 32
	lastBlock  = 8192
)

func registerName(id catalog.ID) string { return fmt.Sprintf("sequence/%016x%016x", id.HLC, id.Node) }

// nextVal takes the next value, of the block from; nil says that the block is used up and refill must be called first.
func (q *sequences) nextVal(t *catalog.Table) (v int64, from *block, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.blocks[t.ID]
	if b == nil || b.next >= b.end {
		return 0, nil, nil
	}
	d := &t.Sequence
	step, sign := d.Increment, int64(1)
	if step < 0 {
		step, sign = -step, -1
	}
	if b.step != 0 && b.step != step { // ALTER SEQUENCE … INCREMENT counts from the last value on
		if b.next = max(b.next+step-b.step, b.first); b.next >= b.end {
			return 0, nil, nil
		}
	}
	v = sign * b.next
	b.next += step
	b.step = step
	if v > d.Max || v < d.Min {
		if d.Cycle {
			b.next = b.end
			return 0, nil, pgerror.New(pgerror.FeatureNotSupported,
				"sequence \"%s\" has reached its end: CYCLE is not supported across nodes", t.Name).
				WithHint("Use ALTER SEQUENCE … RESTART.")
		}
		limit, name := d.Max, "maximum"
		if sign < 0 {
			limit, name = d.Min, "minimum"
		}
		return 0, nil, pgerror.New("2200H", "nextval: reached %s value of sequence \"%s\" (%d)", name, t.Name, limit)
	}
	return v, b, nil
}

// refill asks a majority for a new block, for a statement that will run anew: with room for twice what it had taken. A
// sequence in steady use gets greater blocks. If the new block goes on where the old one ended, and the statement alone had
// taken the old one's last values, these come first again: nobody has seen them.
func (q *sequences) refill(ctx context.Context, t *catalog.Table, had taken, timeout time.Duration) error {
	id, d := t.ID, &t.Sequence
	q.mu.Lock()
	size := int64(firstBlock)
	now := q.node.now()
	old := q.blocks[id]
	if b := old; b != nil {
		size = b.size
		if now.Sub(b.asked) < 2*time.Second && size < lastBlock {
			size *= 2
		}
	}
	q.mu.Unlock()
	size = max(size, 2*had.count)
	step, first := d.Increment, d.Start
	if step < 0 {
		step, first = -step, -first
	}
	if step == 0 {
		step = 1
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start, err := q.node.repl.Grant(ctx, registerName(id), first, size*step)
	if err != nil {
		e := *pgerror.From(err)
		if e.Hint == "" {
			e.Hint = "layercake.unique_id() gives unique numbers without asking other nodes."
		}
		return &e
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if b := q.blocks[id]; b != nil && b.next < b.end {
		return nil // somebody else was quicker; this block becomes a gap
	}
	next := start
	if register := had.first * (d.Increment / step); had.count > 0 && old != nil && old == q.blocks[id] && old.end == start &&
		register+had.count*step == old.end {
		next = register
	}
	q.blocks[id] = &block{next: next, first: next, end: start + size*step, size: min(size, lastBlock), asked: now}
	return nil
}

// giveBack undoes what a statement has taken that will run anew, so that the values come first again: nobody has seen them.
// If somebody else has taken of the sequence meanwhile they become a gap.
func (q *sequences) giveBack(had taken) {
	d := &had.sequence.Sequence
	sign := int64(1)
	if d.Increment < 0 {
		sign = -1
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.blocks[had.sequence.ID]
	if b != nil && b == had.from && b.next == sign*(had.first+had.count*d.Increment) {
		b.next = sign * had.first
	}
}

// restart makes value the next one (setval, ALTER SEQUENCE … RESTART). Blocks that other nodes hold stay theirs.
func (q *sequences) restart(ctx context.Context, t *catalog.Table, value int64) error {
	if t.Sequence.Increment < 0 {
		value = -value
	}
	if err := q.node.repl.ResetRegister(ctx, registerName(t.ID), value); err != nil {
		return err
	}
	q.mu.Lock()
	delete(q.blocks, t.ID)
	q.mu.Unlock()
	return nil
}

// restartSequences carries out the restarts of a DDL statement, once it is committed.
func (s *session) restartSequences(ctx context.Context, list []pgsql.SequenceRestart) error {
	for _, r := range list {
		t := s.node.store.Schema().RelationByID(r.Sequence)
		if t == nil {
			continue
		}
		if err := s.node.sequences.restart(ctx, t, r.Value); err != nil {
			return err
		}
	}
	return nil
}

package server

import (
	"context"
	"math"
	"strconv"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// declare runs a cursor's query whole and keeps its rows: no cursor holds a snapshot.
func (s *session) declare(ctx context.Context, p *pgsql.DeclareCursor, st *pgsql.Statement) error {
	if !p.Hold && (s.tran == nil || !s.tran.explicit) {
		return pgerror.New(pgerror.NoActiveSQLTransaction, "DECLARE CURSOR can only be used in transaction blocks")
	}
	if s.portals[p.Name] != nil {
		return pgerror.New(pgerror.DuplicateCursor, "cursor \"%s\" already exists", p.Name)
	}
	q, ok := p.Query.(*pgsql.Query)
	if !ok {
		return pgerror.New(pgerror.InvalidCursorState, "cannot open cursor on a statement that returns no rows")
	}
	c := &compiled{plan: q, cols: q.Columns, schema: s.schema()}
	out := &bufferSink{buf: &rowBuffer{cols: len(q.Columns)}}
	if _, err := s.runQuery(ctx, c, q, nil, out); err != nil {
		return err
	}
	po := &portal{name: p.Name, plan: c, hold: p.Hold, scroll: p.Scroll, cursor: true, done: true, result: out.buf,
		at: out.buf.cursor(), tag: "SELECT", created: s.node.now()}
	if p.Binary {
		po.formats = []int16{1}
	}
	s.portals[p.Name] = po
	return nil
}

func (s *session) cursor(name string) (*portal, error) {
	p := s.portals[name]
	if p == nil || p.result == nil {
		return nil, pgerror.New(pgerror.InvalidCursorName, "cursor \"%s\" does not exist", name)
	}
	return p, nil
}

// fetch is FETCH and MOVE.
func (s *session) fetch(f *pgsql.Fetch, c *compiled, out sink) (string, error) {
	p, err := s.cursor(f.Name)
	if err != nil {
		return "", err
	}
	rows, err := p.window(f)
	if err != nil {
		return "", err
	}
	if f.Move {
		return "MOVE " + strconv.Itoa(len(rows)), nil
	}
	if o, ok := out.(*wireSink); ok {
		o.binary = p.cursor && format(p.formats, 0) == 1
	}
	if err := out.columns(p.columns()); err != nil {
		return "", err
	}
	for _, r := range rows {
		if err := out.row(r); err != nil {
			return "", err
		}
	}
	return "FETCH " + strconv.Itoa(len(rows)), nil
}

// window moves the cursor as f says and returns the rows passed. pos is 0 before the first row, n+1 after the last.
func (p *portal) window(f *pgsql.Fetch) ([][]catalog.Value, error) {
	n := p.result.n
	var from, to int // 1-based, inclusive; from > to: backward
	count := f.Count
	clamp := func(i int64) int { return int(max(0, min(i, int64(n)+1))) }
	pos := int64(p.pos)
	one := func(at int64) ([][]catalog.Value, error) {
		p.pos = clamp(at)
		if p.pos < 1 || p.pos > n {
			return nil, nil
		}
		return p.rows(p.pos, p.pos)
	}
	switch f.Direction {
	case "absolute":
		if count < 0 {
			return one(int64(n) + 1 + count)
		}
		return one(count)
	case "relative":
		return one(pos + count)
	case "backward":
		if count == math.MaxInt64 {
			count = pos
		}
		count = -count
	default:
		if count == math.MaxInt64 {
			count = int64(n) + 1
		}
	}
	if count == 0 {
		return one(pos)
	}
	if count > 0 {
		from, to = p.pos+1, clamp(pos+count)
		p.pos = to
		if to > n {
			to = n
		}
		if from > to {
			return nil, nil
		}
		return p.rows(from, to)
	}
	from, to = p.pos-1, clamp(pos+count)
	p.pos = to
	if to < 1 {
		to = 1
	}
	if from < to {
		return nil, nil
	}
	rows, err := p.rows(to, from)
	for i, j := 0, len(rows)-1; i < j; i, j = i+1, j-1 {
		rows[i], rows[j] = rows[j], rows[i]
	}
	return rows, err
}

// rows returns copies of rows from to to, 1-based and inclusive. Reading on from where the last call ended is quick.
func (p *portal) rows(from, to int) ([][]catalog.Value, error) {
	if p.at.at >= from {
		p.at = p.result.cursor()
	}
	var out [][]catalog.Value
	for p.at.at < to {
		row, ok, err := p.at.next()
		if err != nil || !ok {
			return out, err
		}
		if p.at.at >= from {
			out = append(out, append([]catalog.Value{}, row...))
		}
	}
	return out, nil
}

func (s *session) closeCursor(c *pgsql.CloseCursor) (string, error) {
	if c.Name == "" {
		clear(s.portals)
		return "CLOSE CURSOR ALL", nil
	}
	if _, err := s.cursor(c.Name); err != nil {
		return "", err
	}
	delete(s.portals, c.Name)
	return "CLOSE CURSOR", nil
}

package server

import (
	"bytes"
	"slices"

	"layercake/catalog"
	"layercake/pgsql"
)

// command is a statement with data-modifying WITH queries being worked out. All its parts, the main query among them, see
// the rows as they were before it. A row that one part has changed is left alone by the others, as PostgreSQL's
// TM_SelfModified has it, so the order counts: the main query comes first, after the WITH queries that it reads (and those
// that these read); what nobody has read runs at the end.
type command struct {
	*worker
	with []*pgsql.Modify
	in   rowArgs // ctes: RETURNING's rows of the WITH queries; nil where one has not run yet
	ops  []op

	shared map[catalog.ID]*sharedTable
}

// sharedTable is a table that more than one part of a command changes.
type sharedTable struct {
	rows map[int64][]catalog.Value // rows changed so far, as they are now; nil: deleted
	keys *smallSet[string]         // unique keys given to rows so far; nil if no part asks for them (ON CONFLICT)
}

// command prepares a statement; main is nil for a SELECT.
func (w *worker) command(with []*pgsql.Modify, main *pgsql.Modify, ra *rowArgs) *command {
	c := &command{worker: w, with: with}
	if ra != nil {
		c.in = *ra
	}
	c.in.ctes = make([]*rowBuffer, len(with))
	parts, conflicts := map[catalog.ID]int{}, map[catalog.ID]bool{}
	note := func(m *pgsql.Modify) {
		parts[m.Table.ID]++
		conflicts[m.Table.ID] = conflicts[m.Table.ID] || m.OnConflict != nil
	}
	for _, m := range with {
		note(m)
	}
	if main != nil {
		note(main)
	}
	c.shared = map[catalog.ID]*sharedTable{}
	for id, n := range parts {
		if n > 1 {
			c.shared[id] = &sharedTable{rows: map[int64][]catalog.Value{}}
			if conflicts[id] {
				c.shared[id].keys = new(smallSet[string])
			}
		}
	}
	return c
}

// reads runs the WITH queries whose rows a query takes.
func (c *command) reads(q *pgsql.Query) error {
	for _, i := range q.Asked {
		if err := c.run(i); err != nil {
			return err
		}
	}
	return c.binds(q.Args)
}

// binds runs those that only the arguments tell of.
func (c *command) binds(args []pgsql.Arg) error {
	for i := range args {
		switch a := &args[i]; a.Kind {
		case pgsql.ArgCTE:
			if err := c.run(a.Index); err != nil {
				return err
			}
		case pgsql.ArgPack:
			if err := c.binds(a.Pack); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs a WITH query unless it has been run.
func (c *command) run(i int) error {
	if c.in.ctes[i] != nil {
		return nil
	}
	out, err := c.part(c.with[i])
	if err != nil {
		return err
	}
	if c.in.ctes[i] = out.returned; out.returned == nil {
		c.in.ctes[i] = &rowBuffer{}
	}
	return nil
}

// part works out one part that changes rows.
func (c *command) part(m *pgsql.Modify) (*outcome, error) {
	queries := []*pgsql.Query{m.Source, m.ReturnQuery}
	if m.OnConflict != nil {
		queries = append(queries, m.OnConflict.Action)
	}
	for _, q := range queries {
		if q == nil {
			continue
		}
		if err := c.reads(q); err != nil {
			return nil, err
		}
	}
	in := c.in
	ops, out, err := c.workOut(m, &in, c.shared[m.Table.ID])
	c.ops = append(c.ops, ops...)
	return out, err
}

// rest runs the WITH queries that nobody has read, the last one first (PostgreSQL's es_auxmodifytables).
func (c *command) rest() error {
	for i := range slices.Backward(c.with) {
		if err := c.run(i); err != nil {
			return err
		}
	}
	return nil
}

// change notes what a part makes of a row.
func (t *sharedTable) change(rowid int64, row []catalog.Value) {
	if t != nil {
		t.rows[rowid] = row
	}
}

// changed says whether a part has changed a row.
func (t *sharedTable) changed(rowid int64) bool {
	if t == nil {
		return false
	}
	_, ok := t.rows[rowid]
	return ok
}

// keeps says whether a row that a part has changed still has the key in u's index.
func (s *statement) keeps(u *pgsql.UniqueCheck, key []byte, rowid int64) (bool, error) {
	row := s.shared.rows[rowid]
	if row == nil {
		return false, nil
	}
	var buf keyBytes
	now, err := s.uniqueKeyOf(buf[:], u, row)
	return now != nil && bytes.Equal(now, key), err
}

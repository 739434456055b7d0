package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore"
)

// Repair gives every member the same state of each row that they hold differently at one vector. The right state is the
// one that most members agree on; but no state with a greater stamp is lost, if the log of its member vouches for it: an
// entry with that stamp is there, and writes just that. So a value that was flipped, a row that was removed and one that
// was made up go back to what was written, and a member that alone applied an entry rightly gives it to the others.
// Between states that equally many agree on, the one that the log vouches for is right, then the one with the greater
// stamp.

// repairRounds is how often a table is looked at: rows that change while they are being put right are left to the next.
const repairRounds = 10

// repair puts a table right on all members, and returns how many rows it put right, each on each member counted.
func (n *Node) repair(ctx context.Context, id catalog.ID) (mended int64, err error) {
	var last error
	for range repairRounds {
		c, err := n.compare(ctx, noteSnapshot)
		if err != nil {
			return mended, err
		}
		k, equal, err := c.repair(ctx, id)
		c.close()
		mended += k
		switch {
		case equal:
			return mended, nil
		case ctx.Err() != nil:
			return mended, context.Cause(ctx)
		case err != nil && pgerror.Code(err) != pgerror.InternalError:
			return mended, err
		}
		last = err // somebody else repairs it, or a snapshot is gone
	}
	e := pgerror.New(pgerror.ObjectInUse, "%s could not be repaired wholly: %d rows were put right", relationName(n.store.Schema(), id), mended)
	if last != nil {
		return mended, e.WithDetail("The last error was: %v.", last)
	}
	return mended, e.WithHint("Its rows keep changing: call layercake.repair() again when fewer of them are written.")
}

// repair puts right what differs; equal says that there was nothing.
func (c *comparison) repair(ctx context.Context, id catalog.ID) (mended int64, equal bool, err error) {
	for _, t := range c.members {
		if t.Err != nil {
			return 0, false, pgerror.New(pgerror.InsufficientResources, "a repair needs every member, and %s does not take part: %v; nothing was changed",
				t.Name, t.Err)
		}
	}
	scans, err := askAll[sqlstore.Scan](ctx, c, question{What: askScan, Table: id})
	if err != nil {
		return 0, false, err
	}
	if len(scans) == 1 && scans[0].Wrong() {
		return 0, false, pgerror.New(pgerror.ObjectNotInPrerequisiteState, "%s has changed without a write, and there is no other member that could tell what was written", c.names[id])
	}
	rows, _, err := c.differing(ctx, id, scans)
	if err != nil {
		return 0, false, err
	}
	fixes := make([][]sqlstore.Fix, len(c.members))
	for len(rows) > 0 {
		part := rows[:min(len(rows), repairBatch)]
		rows = rows[len(part):]
		if err := c.decide(ctx, id, part, fixes); err != nil {
			return 0, false, err
		}
	}
	equal = true
	for i := range c.members {
		if len(fixes[i]) == 0 && !scans[i].Wrong() {
			continue
		}
		equal = false
		k, err := c.mend(ctx, i, id, fixes[i])
		mended += k
		if err != nil {
			return mended, false, err
		}
		c.n.log.Warn("a replica was repaired", "relation", c.names[id], "peer", c.members[i].Name, "rows", k)
	}
	return mended, equal, nil
}

// repairBatch is how many rows are asked about, or put right in one transaction.
const repairBatch = 1000

// mend has a member put rows right, or at least the digest that it keeps.
func (c *comparison) mend(ctx context.Context, member int, id catalog.ID, fixes []sqlstore.Fix) (mended int64, err error) {
	for first := true; first || len(fixes) > 0; first = false {
		part := fixes[:min(len(fixes), repairBatch)]
		fixes = fixes[len(part):]
		var k int64
		if err := c.ask(ctx, member, question{What: askMend, Table: id, Fixes: part}, &k); err != nil {
			return mended, err
		}
		mended += k
	}
	return mended, nil
}

// decide works out what is to be done where for some rows.
func (c *comparison) decide(ctx context.Context, id catalog.ID, rows []differing, fixes [][]sqlstore.Fix) error {
	keys := make([][]byte, len(rows))
	for i := range rows {
		keys[i] = rows[i].key
	}
	answers, err := askAll[copies](ctx, c, question{What: askCopies, Table: id, Keys: keys})
	if err != nil {
		return err
	}
	held := make([]map[string]*heldRow, len(answers))
	for i := range answers {
		held[i] = map[string]*heldRow{}
		at := func(key []byte) *heldRow {
			h := held[i][string(key)]
			if h == nil {
				h = &heldRow{}
				held[i][string(key)] = h
			}
			return h
		}
		for _, r := range answers[i].Rows {
			h := at(r.Key)
			h.rows = append(h.rows, r)
		}
		for _, g := range answers[i].Graves {
			at(g.Key).grave = g.Stamp
		}
		for _, key := range keys {
			at(key).cleared = answers[i].Cleared
		}
	}
	for _, key := range keys {
		states := make([]heldRow, len(held))
		for i := range held {
			states[i] = *held[i][string(key)]
		}
		right, err := choose(states, func(member int) (sqlstore.Logged, error) {
			var l sqlstore.Logged
			row := states[member].row()
			if row == nil {
				row = &sqlstore.RowCopy{Key: key}
			}
			err := c.ask(ctx, member, question{What: askLogged, Table: id, Row: row, End: states[member].end()}, &l)
			if err == nil && len(l.Cells) != len(row.Cells) {
				err = fmt.Errorf("%s: malformed answer", c.members[member].Name)
			}
			return l, err
		})
		if err != nil {
			return err
		}
		for i := range states {
			if states[i].is(&right) {
				continue
			}
			fixes[i] = append(fixes[i], sqlstore.Fix{Key: key, Was: states[i].rows, Dead: states[i].grave, Row: right.row(), Bury: right.grave})
		}
	}
	return nil
}

// heldRow is what a member holds under one identity: no row, one, or several if somebody wrote behind its back; and a
// tombstone or none.
type heldRow struct {
	rows    []sqlstore.RowCopy
	grave   crdt.Stamp
	cleared crdt.Stamp // of the table's last TRUNCATE
}

// end is the stamp of what ended the row last, zero if that is not known any more.
func (h *heldRow) end() crdt.Stamp {
	if h.grave.Compare(h.cleared) < 0 {
		return h.cleared
	}
	return h.grave
}

// row is the row, nil if there is none or what is there says nothing.
func (h *heldRow) row() *sqlstore.RowCopy {
	if len(h.rows) != 1 || h.rows[0].Damaged {
		return nil
	}
	return &h.rows[0]
}

// gone says whether the member holds no row at all.
func (h *heldRow) gone() bool { return len(h.rows) == 0 }

// is says whether h shows what right does. Of a row that is gone it does not matter who still has a tombstone.
func (h *heldRow) is(right *heldRow) bool {
	if r := right.row(); r != nil {
		mine := h.row()
		return mine != nil && mine.Hash == r.Hash && sameCells(mine, r)
	}
	return h.gone()
}

func sameCells(a, b *sqlstore.RowCopy) bool {
	return slices.EqualFunc(a.Cells, b.Cells, func(x, y sqlstore.CellCopy) bool {
		return x.Column == y.Column && bytes.Equal(x.Value, y.Value) && (x.Own == nil) == (y.Own == nil) && (x.Own == nil || *x.Own == *y.Own)
	})
}

// since is the stamp that decides whether there is a row: of its INSERT or of the tombstone.
func (h *heldRow) since() crdt.Stamp {
	if r := h.row(); r != nil {
		return r.Insert
	}
	return h.end()
}

// choose picks the right state of a row from what the members hold. vouch asks what a member's log says of its own.
func choose(states []heldRow, vouch func(member int) (sqlstore.Logged, error)) (heldRow, error) {
	said := map[int]*sqlstore.Logged{}
	ask := func(i int) (*sqlstore.Logged, error) {
		if said[i] == nil {
			l, err := vouch(i)
			if err != nil {
				return nil, err
			}
			said[i] = &l
		}
		return said[i], nil
	}
	// Those that hold the same are one vote; what says nothing has none.
	type side struct{ member, votes int }
	var sides []side
	for i := range states {
		if states[i].row() == nil && !states[i].gone() {
			continue
		}
		k := slices.IndexFunc(sides, func(s side) bool { return states[i].is(&states[s.member]) })
		if k < 0 {
			sides = append(sides, side{i, 1})
			continue
		}
		sides[k].votes++
		if states[i].gone() && states[i].end().Compare(states[sides[k].member].end()) > 0 {
			sides[k].member = i // of those where it is gone the one that knows best since when
		}
	}
	if len(sides) == 0 {
		return heldRow{}, errors.New("no member holds a sound copy of the row")
	}
	// What the log refutes was not written, however many hold it.
	if len(sides) > 1 {
		var sound []side
		for _, s := range sides {
			l, err := ask(s.member)
			if err != nil {
				return heldRow{}, err
			}
			if states[s.member].gone() || !l.Refuted {
				sound = append(sound, s)
			}
		}
		if len(sound) > 0 {
			sides = sound
		}
	}
	whole := func(i int) (bool, error) {
		l, err := ask(i)
		if err != nil {
			return false, err
		}
		if states[i].gone() {
			return l.Deleted, nil
		}
		return l.Insert && !slices.Contains(l.Cells, false), nil
	}
	best := sides[0]
	for _, s := range sides[1:] {
		better := s.votes > best.votes
		if s.votes == best.votes {
			a, err := whole(s.member)
			if err != nil {
				return heldRow{}, err
			}
			b, err := whole(best.member)
			if err != nil {
				return heldRow{}, err
			}
			better = a && !b || a == b && greater(&states[s.member], &states[best.member])
		}
		if better {
			best = s
		}
	}
	right := states[best.member]
	for _, s := range sides {
		if s == best {
			continue
		}
		other := &states[s.member]
		switch {
		case other.since().Compare(right.since()) > 0:
			// Who of two that are gone is right does not matter; a row, or its end, must be vouched for.
			ok, err := whole(s.member)
			if err != nil {
				return heldRow{}, err
			}
			if ok {
				right = *other
			}
		case other.row() != nil && right.row() != nil && other.row().Insert == right.row().Insert:
			l, err := ask(s.member)
			if err != nil {
				return heldRow{}, err
			}
			right = withCells(right, other.row(), l.Cells)
		}
	}
	return right, nil
}

// greater says whether a state has the greater stamp.
func greater(a, b *heldRow) bool {
	if c := a.since().Compare(b.since()); c != 0 {
		return c > 0
	}
	x, y := a.row(), b.row()
	if x == nil || y == nil {
		return x != nil
	}
	last := func(r *sqlstore.RowCopy) (s crdt.Stamp) {
		for i := range r.Cells {
			if o := r.Cells[i].Own; o != nil && o.Compare(s) > 0 {
				s = *o
			}
		}
		return s
	}
	return cmp.Or(last(x).Compare(last(y)), cmp.Compare(x.Hash.Hi, y.Hash.Hi), cmp.Compare(x.Hash.Lo, y.Hash.Lo)) > 0
}

// withCells is right with the cells of another copy of the row that have a greater stamp and are vouched for.
func withCells(right heldRow, other *sqlstore.RowCopy, vouched []bool) heldRow {
	row := right.rows[0]
	row.Cells = slices.Clone(row.Cells)
	for i := range other.Cells {
		theirs := &other.Cells[i]
		k := slices.IndexFunc(row.Cells, func(c sqlstore.CellCopy) bool { return c.Column == theirs.Column })
		if vouched[i] && k >= 0 && other.StampOf(i).Compare(row.StampOf(k)) > 0 {
			row.Cells[k] = *theirs
		}
	}
	right.rows = []sqlstore.RowCopy{row}
	return right
}

package sqlstore

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
)

// ALTER COLUMN TYPE that rewrites puts a new column in the place of the old one, and fills it from the rows that its node
// has. What this node had written into the old column, and that one had not heard of, would be NULL in the new one, or what
// was there before: each node carries over what it has written itself, once it hears of the change, by an UPDATE of its own.
//
// When the change comes, the clock is noted: what this node has written up to then it wrote into the old column. The entry
// that brings the change names all that it has seen (rule C1), so what this node has then is no older than what the column
// was filled from. A cell of the old column that this node has set is hence new to the other one if its value in the new
// column is another than the one that the new column was filled with. What somebody has set in the new column itself stays.

// carryPrefix begins the names of the notes: then follows the column.
const carryPrefix = "carry/"

// carryBatch is how many rows are looked at in one transaction.
const carryBatch = 5000

// carryNote is what is known of a column that has come in the place of another.
type carryNote struct {
	Until  crdt.HLC   // this node's clock when the change came
	Filled crdt.Stamp // of the entry that has filled it; zero: not known
}

func carryKey(id catalog.ID) string { return carryPrefix + hex.EncodeToString(id.Bytes()) }

func (n *carryNote) encode() []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic("sqlstore: a note that JSON cannot hold: " + err.Error()) // never
	}
	return b
}

// retypedColumns are the columns of schema that have come in the place of others which old knows, and that old does not have
// yet.
func retypedColumns(old *layout, schema *catalog.Schema) (out []*catalog.Column) {
	for _, t := range schema.Relations {
		if t.System || t.Kind != catalog.KindTable {
			continue
		}
		for _, c := range t.Columns {
			if !slices.ContainsFunc(c.Retyped, func(r catalog.Retype) bool { _, known := old.objects[crdt.ID(r.From)]; return known }) {
				continue
			}
			if was := old.schema.RelationByID(t.ID); was != nil {
				if had := was.ColumnByID(c.ID); had != nil && len(had.Retyped) > 0 {
					continue
				}
			}
			out = append(out, c)
		}
	}
	return out
}

// noteCarries notes, within a watched change, the columns that an entry has brought in the place of others. A change of this
// node's own has filled the new column with all that is here, but for what was to be carried over to the one before it.
func (tx *Tx) noteCarries(old *layout, schema *catalog.Schema) error {
	for _, c := range retypedColumns(old, schema) {
		note := carryNote{Until: tx.w.s.clock.Last(), Filled: tx.stamp}
		if !tx.remote {
			note.Until = tx.stamp.HLC - 1
			due := false
			for _, r := range c.Retyped {
				b, err := tx.GetLocal(carryKey(r.From))
				if err != nil {
					return err
				}
				due = due || b != nil
			}
			if !due {
				continue
			}
		}
		if err := tx.putLocal(carryKey(c.ID), note.encode()); err != nil {
			return err
		}
	}
	return nil
}

// watchCarries has what a change of the schema has left to be carried over looked for, once it is committed.
func (w *writer) watchCarries() {
	if w.ddl {
		w.s.wakeCarry()
	}
}

func (s *Store) wakeCarry() {
	select {
	case s.carries <- struct{}{}:
	default:
	}
}

// Carries yields a value when there may be something for Carry to do.
func (s *Store) Carries() <-chan struct{} { return s.carries }

// Carry gives columns whose type other nodes have changed what this node had written into the columns that there were, and
// those nodes had not heard of. It returns when that is durable; what it changed goes to the other nodes like all else.
func (s *Store) Carry(ctx context.Context) error {
	notes, schema, err := s.carryNotes(ctx)
	if err != nil || len(notes) == 0 || s.config.CompileCarry == nil {
		return err
	}
	settled := map[catalog.ID]bool{}
	for _, t := range schema.Relations {
		for _, c := range t.Columns {
			var of []catalog.ID // the columns that c has been, itself the last
			for _, r := range c.Retyped {
				of = append(of, r.From)
			}
			of = append(of, c.ID)
			if !slices.ContainsFunc(of, func(id catalog.ID) bool { _, noted := notes[id]; return noted }) {
				continue
			}
			there, err := s.carryColumn(ctx, t.ID, c.ID, notes)
			if err != nil {
				return fmt.Errorf("carry over column %s of table %s: %w", c.Name, t.Name, err)
			}
			for _, id := range of {
				settled[id] = there
			}
		}
	}
	// What is noted of a column that has been dropped since, with all that came after it, is of no use.
	_, err = s.Write(ctx, func(tx *Tx) error {
		for id := range notes {
			if settled[id] || !tx.live(id) {
				if err := tx.PutLocal(carryKey(id), nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return err
}

// live says whether a column is in the schema, or one that has come from it.
func (tx *Tx) live(id catalog.ID) bool {
	return slices.ContainsFunc(tx.Schema().Relations, func(t *catalog.Table) bool {
		return slices.ContainsFunc(t.Columns, func(c *catalog.Column) bool {
			return c.ID == id || slices.ContainsFunc(c.Retyped, func(r catalog.Retype) bool { return r.From == id })
		})
	})
}

// carryNotes reads the notes, and the schema that they belong to.
func (s *Store) carryNotes(ctx context.Context) (notes map[catalog.ID]carryNote, schema *catalog.Schema, err error) {
	err = s.Read(ctx, func(r *Reader) error {
		notes = map[catalog.ID]carryNote{}
		if err := r.pin(); err != nil {
			return err
		}
		schema = r.Schema()
		return each(r.conn, "SELECT key,val FROM lc_local WHERE key>=?1 AND key<?1||'~'", []catalog.Value{catalog.Str(carryPrefix)}, func(v []catalog.Value) error {
			b, err := hex.DecodeString(strings.TrimPrefix(string(v[0].Bytes), carryPrefix))
			if err != nil {
				return err
			}
			id, ok := catalog.IDFromBytes(b)
			if !ok {
				return errors.New("sqlstore: damaged note of a changed column")
			}
			var n carryNote
			err = json.Unmarshal(v[1].Bytes, &n)
			notes[id] = n
			return err
		})
	})
	return notes, schema, err
}

// carryColumn goes through a table's rows, some in each transaction. It says whether the column was there to the end.
func (s *Store) carryColumn(ctx context.Context, table, column catalog.ID, notes map[catalog.ID]carryNote) (there bool, err error) {
	after, more := int64(math.MinInt64), true
	for more {
		last := after
		_, err := s.Write(ctx, func(tx *Tx) (err error) {
			last, more, err = tx.carry(table, column, notes, after)
			return err
		})
		if errors.Is(err, ErrSchemaChanged) {
			return false, nil // the change that came is noted, too
		}
		if err != nil {
			return false, err
		}
		after = last
	}
	return true, nil
}

// carry carries over the cells of the first rows beyond a rowid. It gives ErrSchemaChanged when the column is gone.
func (tx *Tx) carry(table, column catalog.ID, notes map[catalog.ID]carryNote, after int64) (last int64, more bool, err error) {
	sp := tx.w.layout.spaces[crdt.ID(table)]
	if sp == nil || sp.table == nil {
		return 0, false, ErrSchemaChanged
	}
	at := slices.IndexFunc(sp.table.Columns, func(c *catalog.Column) bool { return c.ID == column })
	if at < 0 {
		return 0, false, ErrSchemaChanged
	}
	col := sp.table.Columns[at]
	c := carrier{tx: tx}
	for _, r := range col.Retyped {
		c.add(r.From, notes)
	}
	c.add(column, notes)

	type found struct {
		rowid int64
		step  int
	}
	var rows []found
	n := 0
	err = each(tx.w.conn, "SELECT rowid,_h,_o,_c FROM "+sp.phys+" WHERE rowid>? ORDER BY rowid LIMIT ?", []catalog.Value{catalog.Int(after), catalog.Int(carryBatch)},
		func(v []catalog.Value) error {
			n, last = n+1, v[0].Int()
			if step := c.source(crdt.HLC(v[1].Int()), v[2].Int(), v[3].Bytes); step >= 0 {
				rows = append(rows, found{last, step})
			}
			return nil
		})
	if err != nil || len(rows) == 0 {
		return last, n == carryBatch, err
	}
	exprs, err := tx.w.s.config.CompileCarry(tx.Schema(), sp.table, col, func(id catalog.ID) string { return physColumn(tx.w.layout.objects[crdt.ID(id)].num) })
	if err != nil {
		tx.w.s.config.Logger.Warn("a column's type was changed by another node, and what this node had written into it cannot be converted",
			"table", sp.table.Name, "column", col.Name, "err", err)
		return 0, false, nil
	}
	for _, f := range rows {
		v, differs, err := tx.converted(sp, at, f.rowid, exprs[f.step])
		if pgerror.OfStatement(err) {
			tx.w.s.config.Logger.Warn("a column's type was changed by another node, and a value that this node had written into it cannot be converted",
				"table", sp.table.Name, "column", col.Name, "row", f.rowid, "err", err)
			continue
		}
		if err == nil && differs {
			err = tx.setMerged(sp, f.rowid, at, v)
		}
		if err != nil {
			return 0, false, err
		}
	}
	return last, n == carryBatch, nil
}

// converted works out the value that a cell is to have, and says whether it has another one.
func (tx *Tx) converted(sp *space, col int, rowid int64, expr string) (v catalog.Value, differs bool, err error) {
	st, err := tx.w.conn.Stmt("SELECT " + expr + "," + sp.cols[col].phys + " FROM " + sp.phys + " WHERE rowid=?")
	if err != nil {
		return v, false, err
	}
	rows, err := st.Query([]catalog.Value{catalog.Int(rowid)})
	if err != nil {
		return v, false, err
	}
	defer rows.Close()
	if rows.Next() {
		got := rows.Values()
		v = got[0].Clone()
		differs = !bytes.Equal(catalog.AppendValue(nil, got[0]), catalog.AppendValue(nil, got[1]))
	}
	return v, differs, rows.Err()
}

// setMerged sets a cell as a merge does: that another row has a unique key is a collision, and no error.
func (tx *Tx) setMerged(sp *space, rowid int64, col int, v catalog.Value) error {
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	ts, err := tx.open(sp.table)
	if err != nil {
		return err
	}
	m := merger{tx: tx, ts: ts, sp: ts.sp}
	there, err := readRow(tx.w.conn, m.sp.selectSQL, []catalog.Value{catalog.Int(rowid)}, &m.found)
	if err != nil || !there {
		return err
	}
	clocks, err := decodeClocks(m.found.clocks)
	if err != nil {
		return err
	}
	next := m.found
	next.vals = slices.Clone(m.found.vals)
	next.vals[col] = v
	next.clocks = encodeClocks(setClock(clocks, cellClock{m.sp.cols[col].num, tx.stamp.HLC, tx.num}))
	if err := m.replace(&next, []int{col}); err != nil {
		return err
	}
	return ts.log.updated(tx, m.sp, &next, []int{col})
}

// carrier finds the cells that are to be carried over to a column. Its steps are the columns that this one has been, itself
// the last.
type carrier struct {
	tx    *Tx
	steps []carryStep
	first int // steps before it were carried over earlier
}

type carryStep struct {
	num    int64 // the column's
	noted  bool
	until  crdt.HLC // what this node wrote up to then, it did not write into this column
	filled crdt.Stamp
}

func (c *carrier) add(id catalog.ID, notes map[catalog.ID]carryNote) {
	note, noted := notes[id]
	if !noted && len(c.steps) > 0 {
		c.first = len(c.steps)
	}
	o, known := c.tx.w.layout.objects[crdt.ID(id)]
	c.steps = append(c.steps, carryStep{o.num, noted, note.Until, note.Filled})
	if !known { // this node has never heard of it
		c.first = len(c.steps)
	}
}

// source is the step whose cell of a row was the last to be set, if this node did so before it heard of the next step; -1 if
// not, or if that cell is not this node's.
func (c *carrier) source(h crdt.HLC, o int64, clocks []byte) int {
	list, err := decodeClocks(clocks)
	if err != nil {
		return -1 // for a repair
	}
	for k := len(c.steps) - 1; k >= c.first; k-- {
		s := &c.steps[k]
		cl, own := clockOf(list, s.num)
		if !own {
			// The cell is as the INSERT left it, which did not set it if this node had not heard of the column then.
			if !c.mine(o) || k > 0 && s.noted && h <= s.until {
				continue
			}
			cl = cellClock{s.num, h, o}
		} else if s.noted && c.tx.w.origins.merged(cl.hlc, cl.origin) == s.filled {
			continue
		}
		if k == len(c.steps)-1 || !c.mine(cl.origin) || cl.hlc > c.steps[k+1].until {
			return -1
		}
		return k
	}
	return -1
}

// mine says whether an origin, by its local number, is this node, whatever its epoch.
func (c *carrier) mine(origin int64) bool {
	o, err := c.tx.w.origins.origin(origin)
	return err == nil && o.Node == c.tx.w.s.node
}

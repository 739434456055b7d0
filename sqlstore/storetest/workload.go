package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore"
)

// Workload makes random changes on several nodes, DDL included, and exchanges entries among them at random.
type Workload struct {
	Nodes []*Node
	t     testing.TB
	rnd   *rand.Rand

	keyed, hidden, late catalog.ID
}

// NewWorkload makes the tables on the first node and gives them to all.
func NewWorkload(t testing.TB, rnd *rand.Rand, nodes ...*Node) *Workload {
	t.Helper()
	w := &Workload{Nodes: nodes, t: t, rnd: rnd}
	n := nodes[0]
	cols := []Column{{Name: "k", Type: catalog.Int4OID}, {Name: "a", Type: catalog.TextOID}, {Name: "b", Type: catalog.TextOID}}
	w.keyed = n.MustCreate(TableSpec{Name: "keyed", Columns: cols, Key: []string{"k"}, Unique: [][]string{{"a"}, {"b", "a"}}})
	w.hidden = n.MustCreate(TableSpec{Name: "hidden", Columns: cols, Unique: [][]string{{"b"}}})
	w.late = n.MustCreate(TableSpec{Name: "late", Columns: cols})
	for _, m := range nodes[1:] {
		m.Pull(n)
	}
	return w
}

func (w *Workload) value() catalog.Value {
	switch i := w.rnd.IntN(8); i {
	case 0:
		return none
	case 1:
		return str("")
	default:
		return str(fmt.Sprint("v", i))
	}
}

// Step does one random thing.
func (w *Workload) Step() {
	w.t.Helper()
	n := w.Nodes[w.rnd.IntN(len(w.Nodes))]
	switch r := w.rnd.IntN(100); {
	case r < 20:
		w.exchange(n)
	case r < 24:
		w.alter(n)
	default:
		table := []catalog.ID{w.keyed, w.hidden, w.late}[w.rnd.IntN(3)]
		if Table(n.Schema(), table) == nil {
			return
		}
		n.tick()
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			for range 1 + w.rnd.IntN(4) {
				if err := w.change(tx, Table(tx.Schema(), table)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatalf("write: %v", err)
		}
	}
}

// change makes a random change of one row. A unique key that is taken is passed over, as ON CONFLICT DO NOTHING does.
func (w *Workload) change(tx *sqlstore.Tx, t *catalog.Table) error {
	var u *sqlstore.UniqueError
	ignore := func(err error) error {
		if errors.As(err, &u) {
			return nil
		}
		return err
	}
	if w.rnd.IntN(60) == 0 {
		return tx.Truncate(t)
	}
	key := num(int64(w.rnd.IntN(12)))
	row, err := Find(tx, t, 0, key)
	if err != nil {
		return err
	}
	keyed := false
	inKey := make(map[int]bool)
	for _, ix := range t.Indexes {
		if ix.Primary {
			keyed = true
			for c, col := range t.Columns {
				inKey[c] = inKey[c] || col.ID == ix.Keys[0].Column
			}
		}
	}
	switch {
	case row < 0 || !keyed && w.rnd.IntN(4) == 0:
		vals := make([]catalog.Value, len(t.Columns))
		vals[0] = key
		for i := range vals[1:] {
			vals[1+i] = w.value()
			if inKey[1+i] && vals[1+i].IsNull() {
				vals[1+i] = str("not null")
			}
		}
		_, err := tx.Insert(t, vals)
		return ignore(err)
	case w.rnd.IntN(4) == 0:
		return tx.Delete(t, row)
	default:
		var cols []int
		var vals []catalog.Value
		for c := range t.Columns {
			if !inKey[c] && w.rnd.IntN(2) == 0 {
				cols = append(cols, c)
				if c == 0 {
					vals = append(vals, num(int64(w.rnd.IntN(12))))
				} else {
					vals = append(vals, w.value())
				}
			}
		}
		if len(cols) == 0 {
			return nil
		}
		return ignore(tx.Update(t, row, cols, vals))
	}
}

// alter makes a random change of the schema. Nodes do so without knowing of each other.
func (w *Workload) alter(n *Node) {
	w.t.Helper()
	id := []catalog.ID{w.keyed, w.hidden}[w.rnd.IntN(2)]
	t := Table(n.Schema(), id)
	name := fmt.Sprint("added", w.rnd.IntN(4)) // two nodes may choose one name
	switch w.rnd.IntN(6) {
	case 0: // a unique index over rows that may collide elsewhere
		var u *pgerror.Error
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			c := t.Columns[1+w.rnd.IntN(len(t.Columns)-1)]
			return tx.Alter(AddIndex(n.NewID, id, name+"_key", false, c.ID))
		})
		if err != nil && (!errors.As(err, &u) || u.Code != pgerror.UniqueViolation) {
			w.t.Fatalf("create index: %v", err)
		}
	case 1: // a primary key, on more than one node perhaps
		t := Table(n.Schema(), w.late)
		col := t.Columns[w.rnd.IntN(2)].ID
		for _, c := range t.Constraints {
			if c.Kind == catalog.PrimaryKey {
				drop := []catalog.Change{{Op: catalog.Drop, ID: c.ID}, {Op: catalog.Drop, ID: c.Index.ID}}
				// It may not be possible: another primary key that waited, with equal keys meanwhile, would have its turn.
				_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error { return tx.Alter(drop) })
				if err != nil && pgerror.Code(err) != pgerror.UniqueViolation {
					w.t.Fatalf("drop primary key: %v", err)
				}
				return
			}
		}
		var u *pgerror.Error
		_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
			return tx.Alter(AddIndex(n.NewID, w.late, "late_pkey", true, col))
		})
		if err != nil && (!errors.As(err, &u) || u.Code != pgerror.UniqueViolation) {
			w.t.Fatalf("add primary key: %v", err)
		}
	case 2: // a table, of a name that another may take as well, with a row
		spec := pair
		spec.Name = name
		table := n.MustCreate(spec)
		n.Insert(table, num(1), w.value())
	case 3:
		if len(t.Columns) > 4 {
			n.MustAlter(catalog.Change{Op: catalog.Drop, ID: t.Columns[len(t.Columns)-1].ID})
		}
	case 4: // drop one of the tables made meanwhile
		for _, rel := range n.Schema().Relations {
			if !rel.System && rel.Kind == catalog.KindTable && rel.ID != w.keyed && rel.ID != w.hidden && rel.ID != w.late {
				n.MustAlter(catalog.Change{Op: catalog.Drop, ID: rel.ID})
				return
			}
		}
	default:
		missing := catalog.Value{}
		if w.rnd.IntN(2) == 0 {
			missing = str("default")
		}
		n.MustAlter(AddColumn(n.NewID(), id, len(t.Columns)+1, Column{Name: name, Type: catalog.TextOID, Missing: missing}))
	}
}

// exchange gives n some of what another node has and it lacks: a prefix of each origin's log.
func (w *Workload) exchange(n *Node) {
	w.t.Helper()
	from := w.Nodes[w.rnd.IntN(len(w.Nodes))]
	log := Log(w.t, from.Store)
	if w.rnd.IntN(2) == 0 {
		log = log[:w.rnd.IntN(len(log)+1)]
	}
	if from.Clock.T.After(n.Clock.T) {
		n.Clock.T = from.Clock.T
	}
	if err := n.Apply(context.Background(), log); err != nil {
		w.t.Fatalf("apply: %v", err)
	}
}

// Converge gives everything to everybody and checks that they agree.
func (w *Workload) Converge() {
	w.t.Helper()
	for range 2 {
		for _, n := range w.Nodes {
			for _, m := range w.Nodes {
				if n != m {
					n.Pull(m)
				}
			}
		}
	}
	Same(w.t, w.Nodes...)
}

// Replay gives every entry to a fresh node, in a random order that its dependencies allow.
func (w *Workload) Replay(n *Node) {
	w.t.Helper()
	byOrigin := make(map[crdt.Origin][]crdt.Entry)
	var origins []crdt.Origin
	for _, e := range Log(w.t, w.Nodes[0].Store) {
		if byOrigin[e.Origin] == nil {
			origins = append(origins, e.Origin)
		}
		byOrigin[e.Origin] = append(byOrigin[e.Origin], e)
	}
	for _, m := range w.Nodes {
		if m.Clock.T.After(n.Clock.T) {
			n.Clock.T = m.Clock.T
		}
	}
	for len(origins) > 0 {
		i := w.rnd.IntN(len(origins))
		es := byOrigin[origins[i]]
		err := n.Apply(context.Background(), es[:1])
		switch {
		case errors.Is(err, sqlstore.ErrDeps):
			continue
		case err != nil:
			w.t.Fatalf("apply: %v", err)
		}
		if byOrigin[origins[i]] = es[1:]; len(es) == 1 {
			origins = append(origins[:i], origins[i+1:]...)
		}
	}
}

package core_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// sqlModel knows what each entry of a run says, and by rule M1 what a node with a given vector must show: it is told of
// statements, and knows nothing of how a store keeps or merges them.
type sqlModel struct {
	s      *sim
	breaks sqlBreaks
	opened uint64

	ddlShare  int // of all transactions, percent
	maxTables int // beside the bank

	tables map[catalog.ID]bool // whose rows it knows: those that keep the primary key that they were made with
	banks  map[catalog.ID]bool
	keys   map[catalog.ID][]int64 // that ever were in a table
	said   map[rowKey][]*sqlMut
	truncs map[catalog.ID][]*sqlMut
	causes map[entryID]crdt.Vector // what whoever wrote an entry had seen
	ddl    map[string]int          // how often each kind of statement was run
	looks  int
	left   map[string]int // conflicts and collisions that nodes had at the end
	groups int            // of more than one request
}

type rowKey struct {
	table catalog.ID
	key   int64
}

// sqlMut is what an entry says of a row, or with truncate of a table.
type sqlMut struct {
	op    crdt.Op
	row   rowKey
	cells map[catalog.ID]string
	seen  crdt.Stamp // of an UPDATE: the row's INSERT
	id    entryID
	stamp crdt.Stamp
}

func newSQLModel(s *sim, b sqlBreaks) *sqlModel {
	return &sqlModel{s: s, breaks: b, ddlShare: []int{4, 8, 25}[s.rng.IntN(3)], maxTables: []int{1, 3, 6}[s.rng.IntN(3)],
		tables: map[catalog.ID]bool{}, banks: map[catalog.ID]bool{}, keys: map[catalog.ID][]int64{},
		said: map[rowKey][]*sqlMut{}, truncs: map[catalog.ID][]*sqlMut{}, causes: map[entryID]crdt.Vector{}, ddl: map[string]int{}, left: map[string]int{}}
}

// note takes down what a transaction did.
func (m *sqlModel) note(id entryID, stamp crdt.Stamp, t *sqlTx) {
	m.causes[id] = t.at
	for _, mut := range t.muts {
		mut.id, mut.stamp = id, stamp
		if mut.op == crdt.Truncate {
			m.truncs[mut.row.table] = append(m.truncs[mut.row.table], mut)
			continue
		}
		if m.said[mut.row] == nil {
			m.keys[mut.row.table] = append(m.keys[mut.row.table], mut.row.key)
		}
		m.said[mut.row] = append(m.said[mut.row], mut)
	}
	for _, id := range t.made {
		m.tables[id] = true
	}
	for _, what := range strings.Split(t.what, ", ") {
		what, _, _ = strings.Cut(what, ":")
		m.ddl[what]++
	}
}

func (mut *sqlMut) in(v crdt.Vector) bool { return v[mut.id.origin] >= mut.id.seq }

// insert is the INSERT that a row goes by at a node with this vector; nil if the row must not be there.
func (m *sqlModel) insert(v crdt.Vector, row rowKey) *sqlMut {
	var last *sqlMut
	for _, list := range [][]*sqlMut{m.said[row], m.truncs[row.table]} {
		for _, mut := range list {
			if mut.op == crdt.Update || !mut.in(v) {
				continue
			}
			// In one transaction the last word on a row counts, and a row that it inserts outlives its TRUNCATE.
			if last == nil || last.stamp.Compare(mut.stamp) < 0 || last.id == mut.id && mut.op != crdt.Truncate {
				last = mut
			}
		}
	}
	if last == nil || last.op != crdt.Insert {
		return nil
	}
	return last
}

// cell is what a column of such a row must hold.
func (m *sqlModel) cell(v crdt.Vector, ins *sqlMut, c *catalog.Column) string {
	var last *sqlMut
	for _, mut := range m.said[ins.row] {
		if _, sets := mut.cells[c.ID]; sets && mut.op == crdt.Update && mut.seen == ins.stamp && mut.in(v) && (last == nil || last.stamp.Compare(mut.stamp) < 0) {
			last = mut
		}
	}
	if last == nil {
		last = ins
	}
	if text, says := last.cells[c.ID]; says {
		return text
	}
	return storetest.Show(c.Missing) // its writer did not know the column
}

// rows is what a table must show, a line a row.
func (m *sqlModel) rows(v crdt.Vector, t *catalog.Table) []string {
	var out []string
	for _, key := range m.keys[t.ID] {
		if ins := m.insert(v, rowKey{t.ID, key}); ins != nil {
			var f []string
			for _, c := range t.Columns {
				f = append(f, m.cell(v, ins, c))
			}
			out = append(out, strings.Join(f, " "))
		}
	}
	slices.Sort(out)
	return out
}

func sortByID(list []*catalog.Table) {
	slices.SortFunc(list, func(a, b *catalog.Table) int { return compareID(a.ID, b.ID) })
}

func compareID(a, b catalog.ID) int {
	return cmp.Or(cmp.Compare(a.HLC, b.HLC), cmp.Compare(a.Node, b.Node))
}

// read runs fn on a snapshot.
func (st *sqlStore) read(fn func(*sqlstore.Reader) error) {
	if err := st.db().Read(context.Background(), fn); err != nil {
		st.n.s.violated("%s cannot be read: %v", st.n.member.Name, err)
	}
}

// glance is what is looked at after each batch: that no entry came before those that its writer had seen, and that no
// transaction is half there.
func (st *sqlStore) glance() {
	s, v := st.n.s, st.Vector()
	for o, seq := range v {
		if cause := s.sql.causes[entryID{o, seq}]; !v.Covers(cause) {
			s.violated("an effect before its cause: %s has entry %d of n%d, whose writer had seen %v, and has itself %v",
				st.n.member.Name, seq, o.Node, cause, v)
		}
	}
	st.checkBanks()
}

// bankTotal is what the two rows of a pair always hold together. Transfers that do not know of each other are not added
// up, the greater stamp wins in both rows: so the total holds for each pair, whatever the nodes do at once.
const bankTotal = 1000

// checkBanks holds that each pair of accounts is there wholly, with its total, or not at all.
func (st *sqlStore) checkBanks() {
	s := st.n.s
	st.read(func(r *sqlstore.Reader) error {
		for _, t := range userTables(r.Schema()) {
			if !s.sql.banks[t.ID] {
				continue
			}
			id, amount := t.Columns[0].Phys, t.Columns[1].Phys
			rows, err := r.Query(context.Background(), "SELECT "+id+"/2,count(*),sum("+amount+") FROM "+t.Phys+" GROUP BY 1", nil)
			if err != nil {
				return err
			}
			for rows.Next() {
				if f := rows.Values(); f[1].Int() != 2 || f[2].Int() != bankTotal {
					s.violated("half a transaction: %s shows of pair %d %d rows with %d in all", st.n.member.Name, f[0].Int(), f[1].Int(), f[2].Int())
				}
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkRows holds all rows against the model.
func (st *sqlStore) checkRows() {
	s, v := st.n.s, st.Vector()
	s.sql.looks++
	st.read(func(r *sqlstore.Reader) error {
		if _, err := r.Index(); err != nil {
			return err
		}
		for _, t := range userTables(r.Schema()) {
			if !s.sql.tables[t.ID] {
				continue
			}
			got, err := storetest.Select(r, t)
			if err != nil {
				return err
			}
			if want := s.sql.rows(v, t); !slices.Equal(got, want) {
				extra, missing := without(got, want), without(want, got)
				s.violated("%s shows in %s %q, and not %q", st.n.member.Name, t.Name, extra, missing)
			}
		}
		return nil
	})
	st.checkBanks()
}

func without(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// check is what holds at the end: rows, a log without gaps or two contents, digests that are those of the rows.
func (st *sqlStore) check() {
	s := st.n.s
	st.checkRows()
	var heads []string
	trimmed := st.Trimmed()
	for o, seq := range st.Vector() {
		_, hash := st.db().Head(o)
		heads = append(heads, fmt.Sprintf("%v %d %x", o, seq, hash))
		for from := trimmed[o] + 1; from <= seq; {
			list, err := st.Entries(nil, o, from, 1<<20)
			if err != nil || len(list) == 0 {
				s.violated("%s has a gap in the log of n%d at %d: %v", st.n.member.Name, o.Node, from, err)
				return
			}
			for i := range list {
				st.n.checkHash(&list[i])
			}
			from += uint64(len(list))
		}
	}
	if err := st.db().Verify(context.Background()); err != nil {
		s.violated("%s: %v", st.n.member.Name, err)
	}
	for _, line := range describe(st.db()) {
		if what, _, _ := strings.Cut(line, " "); what == "conflict" || what == "collision" {
			s.sql.left[what]++
		}
	}
	digest, rows := st.digests()
	h := fnv.New64a()
	slices.Sort(heads)
	fmt.Fprintln(h, heads, digest, rows, describe(st.db()))
	s.log("%s has all, its state is %x", st.n.member.Name, h.Sum64())
}

// digests tells the digest of each table, and its rows.
func (st *sqlStore) digests() (string, []string) {
	var lines, rows []string
	st.read(func(r *sqlstore.Reader) error {
		lines, rows = nil, nil
		if _, err := r.Index(); err != nil {
			return err
		}
		d := st.db().Digest(catalog.ObjectKeyspace)
		lines = append(lines, fmt.Sprintf("objects %d %v", d.Rows, d.Digest))
		for _, t := range userTables(r.Schema()) {
			d := st.db().Digest(t.ID)
			lines = append(lines, fmt.Sprintf("%s %d %v", t.Name, d.Rows, d.Digest))
			list, err := storetest.Select(r, t)
			if err != nil {
				return err
			}
			for _, row := range list {
				rows = append(rows, t.Name+": "+row)
			}
		}
		return nil
	})
	return strings.Join(lines, ", "), rows
}

// describe tells a schema, but for what is each node's own, and what could not be as it was to be.
func describe(s *sqlstore.Store) (out []string) {
	for _, t := range userTables(s.Schema()) {
		out = append(out, fmt.Sprintf("table %v %s %s", t.ID, t.Schema, t.Name))
		for _, c := range t.Columns {
			out = append(out, fmt.Sprintf("  column %v %d %s %d %v %q %s", c.ID, c.Num, c.Name, c.Type, c.NotNull, c.Default, storetest.Show(c.Missing)))
		}
		for _, ix := range t.Indexes {
			out = append(out, fmt.Sprintf("  index %v %s unique %v primary %v keys %v", ix.ID, ix.Name, ix.Unique, ix.Primary, ix.Keys))
		}
		for _, c := range t.Constraints {
			line := fmt.Sprintf("  constraint %v %s %c %v %s %v", c.ID, c.Name, c.Kind, c.Columns, c.Expr, c.RefTable)
			if c.Index != nil {
				line += " " + c.Index.Name
			}
			out = append(out, line)
		}
	}
	for _, c := range s.Conflicts() {
		out = append(out, fmt.Sprintf("conflict %+v", c))
	}
	list, err := s.Collisions(context.Background())
	if err != nil {
		return append(out, err.Error())
	}
	var said []string
	for _, c := range list {
		said = append(said, fmt.Sprintf("collision %s %v and %v", c.Index.Name, c.Stamp, c.Held))
	}
	slices.Sort(said)
	return append(out, said...)
}

func (st *sqlStore) differs(other simStore) error {
	o := other.(*sqlStore)
	a, rows := st.digests()
	b, others := o.digests()
	if x, y := describe(st.db()), describe(o.db()); !slices.Equal(x, y) {
		return fmt.Errorf("their schemas differ: the one has %q, the other %q", without(x, y), without(y, x))
	}
	if a != b {
		return fmt.Errorf("their digests differ: %s and %s; of rows the one has %q, the other %q", a, b, without(rows, others), without(others, rows))
	}
	if !slices.Equal(rows, others) {
		return fmt.Errorf("their rows differ, at equal digests: the one has %q, the other %q", without(rows, others), without(others, rows))
	}
	return nil
}

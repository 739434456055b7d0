package core_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

// sqlTx is a transaction that is being made up, and what it says.
type sqlTx struct {
	*sqlstore.Tx
	st    *sqlStore
	model *sqlModel
	at    crdt.Vector // what the node had before
	muts  []*sqlMut
	made  []catalog.ID // tables whose rows the model knows
	fresh map[catalog.ID]bool
	once  map[rowKey]bool     // rows that it has changed: one state of a row is enough for the model
	empty map[catalog.ID]bool // tables that it has truncated
	what  string

	changed bool // it has something to say
}

func (t *sqlTx) Alter(changes []catalog.Change) error {
	t.changed = t.changed || len(changes) > 0
	return t.Tx.Alter(changes)
}

func (t *sqlTx) Insert(u *catalog.Table, vals []catalog.Value) error {
	_, err := t.Tx.Insert(u, vals)
	t.changed = t.changed || err == nil
	return err
}

func (t *sqlTx) Update(u *catalog.Table, rowid int64, cols []int, vals []catalog.Value) error {
	err := t.Tx.Update(u, rowid, cols, vals)
	t.changed = t.changed || err == nil
	return err
}

func (t *sqlTx) Delete(u *catalog.Table, rowid int64) error {
	t.changed = true
	return t.Tx.Delete(u, rowid)
}

func (t *sqlTx) Truncate(u *catalog.Table) error {
	t.changed = true
	return t.Tx.Truncate(u)
}

const (
	sqlKeys    = 12 // keys that statements choose from
	sqlColumns = 6
	bankPairs  = 4
)

func (t *sqlTx) n(below int) int { return t.model.s.rng.IntN(below) }

func (t *sqlTx) chance(percent int) bool { return t.model.s.chance(percent) }

// says notes what kind of statement it is.
func (t *sqlTx) says(format string, args ...any) {
	if t.what != "" {
		t.what += ", "
	}
	t.what += fmt.Sprintf(format, args...)
}

// transaction makes up what a client does next: mostly one transaction.
func (m *sqlModel) transaction(st *sqlStore) []func(*sqlTx) error {
	switch k := m.s.rng.IntN(100); {
	case k < 30:
		pair, x := int64(m.s.rng.IntN(bankPairs)), int64(m.s.rng.IntN(bankTotal))
		how := m.s.rng.IntN(100)
		transfer := func(rows ...int64) func(*sqlTx) error {
			return func(t *sqlTx) error { return t.transfer(pair, x, how, rows) }
		}
		if m.breaks.halve {
			return []func(*sqlTx) error{transfer(0), transfer(1)}
		}
		return []func(*sqlTx) error{transfer(0, 1)}
	case k < 30+m.ddlShare:
		return []func(*sqlTx) error{(*sqlTx).alterAll}
	default:
		return []func(*sqlTx) error{(*sqlTx).change}
	}
}

// transfer moves an amount between the two rows of a pair of accounts, opens such a pair or closes it.
func (t *sqlTx) transfer(pair, x int64, how int, rows []int64) error {
	var bank *catalog.Table
	for _, u := range userTables(t.Schema()) {
		if t.model.banks[u.ID] {
			bank = u
			break
		}
	}
	if bank == nil {
		id, changes := storetest.CreateTable(t.st.db().NewID, storetest.TableSpec{Name: "bank", Key: []string{"id"},
			Columns: []storetest.Column{{Name: "id", Type: catalog.Int8OID}, {Name: "amount", Type: catalog.Int8OID}}})
		if err := t.Alter(changes); err != nil {
			return err
		}
		t.says("create bank")
		t.model.banks[id] = true
		bank = t.created(id)
	}
	amounts := [2]int64{x, bankTotal - x}
	there, err := storetest.Find(t.Tx, bank, 0, catalog.Int(2*pair))
	if err != nil {
		return err
	}
	if len(rows) == 1 { // the first half may have made it, or taken it away
		if there, err = storetest.Find(t.Tx, bank, 0, catalog.Int(2*pair+rows[0])); err != nil {
			return err
		}
	}
	for _, i := range rows {
		key := 2*pair + i
		switch {
		case there < 0:
			t.says("open account")
			err = t.insert(bank, key, []catalog.Value{catalog.Int(key), catalog.Int(amounts[i])})
		case how < 20:
			t.says("close account")
			err = t.delete(bank, key)
		default:
			t.says("transfer")
			err = t.update(bank, key, []int{1}, []catalog.Value{catalog.Int(amounts[i])})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// created is a table that this transaction has made.
func (t *sqlTx) created(id catalog.ID) *catalog.Table {
	if t.fresh == nil {
		t.fresh = map[catalog.ID]bool{}
	}
	t.fresh[id] = true
	t.made = append(t.made, id)
	return storetest.Table(t.Schema(), id)
}

// known says whether the model knows the rows of a table.
func (t *sqlTx) known(u *catalog.Table) bool { return t.model.tables[u.ID] || t.fresh[u.ID] }

// rowAt finds the row of a key, and holds what is there against the model.
func (t *sqlTx) rowAt(u *catalog.Table, key int64) (rowid int64, ins *sqlMut, err error) {
	rowid, err = t.find(u, key)
	if err != nil || !t.known(u) {
		return rowid, nil, err
	}
	if t.once[rowKey{u.ID, key}] || t.empty[u.ID] {
		return rowid, nil, nil
	}
	ins = t.model.insert(t.at, rowKey{u.ID, key})
	if (ins != nil) != (rowid >= 0) {
		t.model.s.violated("%s has a row %d in %s: %v, and should: %v", t.st.n.member.Name, key, u.Name, rowid >= 0, ins != nil)
	}
	return rowid, ins, nil
}

// keyOf is a key as it is given: of the types whose equal values may be shown in more than one way, in any of these.
func (t *sqlTx) keyOf(u *catalog.Table, key int64) catalog.Value {
	switch u.Columns[0].Type {
	case catalog.NumericOID: // blanks at the end are its scale
		return catalog.Str(fmt.Sprintf("n%03d%.*s", key, t.n(3), "  "))
	case catalog.IntervalOID: // what is compared, and what is shown
		return catalog.Str(fmt.Sprintf("%03d|%d", key, t.n(3)))
	}
	return catalog.Int(key)
}

// find looks a row up by its key.
func (t *sqlTx) find(u *catalog.Table, key int64) (int64, error) {
	c := u.Columns[0]
	sql := "SELECT rowid FROM " + u.Phys + " WHERE " + c.Phys + "=?1"
	if collation := catalog.Collation(c.Type); collation != "" {
		sql += " COLLATE " + collation
	}
	rows, err := t.Query(context.Background(), sql+" ORDER BY rowid", []catalog.Value{t.keyOf(u, key)})
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	if !rows.Next() {
		return -1, rows.Err()
	}
	return rows.Values()[0].Int(), nil
}

// taken passes over a unique key that is taken, as ON CONFLICT DO NOTHING does.
func taken(err error) (bool, error) {
	var u *sqlstore.UniqueError
	if errors.As(err, &u) {
		return true, nil
	}
	return false, err
}

func (t *sqlTx) note(u *catalog.Table, op crdt.Op, key int64, ins *sqlMut, cols []int, vals []catalog.Value) {
	if t.once == nil {
		t.once = map[rowKey]bool{}
	}
	t.once[rowKey{u.ID, key}] = true
	if !t.known(u) {
		return
	}
	m := &sqlMut{op: op, row: rowKey{u.ID, key}, cells: map[catalog.ID]string{}}
	if ins != nil {
		m.seen = ins.stamp
	}
	for i, c := range cols {
		m.cells[u.Columns[c].ID] = storetest.Show(vals[i])
	}
	t.muts = append(t.muts, m)
}

func (t *sqlTx) insert(u *catalog.Table, key int64, vals []catalog.Value) error {
	cols := make([]int, len(vals))
	for i := range cols {
		cols[i] = i
	}
	if err := t.Insert(u, vals); err != nil {
		_, err = taken(err)
		return err
	}
	t.note(u, crdt.Insert, key, nil, cols, vals)
	return nil
}

func (t *sqlTx) update(u *catalog.Table, key int64, cols []int, vals []catalog.Value) error {
	rowid, ins, err := t.rowAt(u, key)
	if err != nil || rowid < 0 {
		return err
	}
	if err := t.Update(u, rowid, cols, vals); err != nil {
		_, err = taken(err)
		return err
	}
	t.note(u, crdt.Update, key, ins, cols, vals)
	return nil
}

func (t *sqlTx) delete(u *catalog.Table, key int64) error {
	rowid, _, err := t.rowAt(u, key)
	if err != nil || rowid < 0 {
		return err
	}
	if err := t.Delete(u, rowid); err != nil {
		return err
	}
	t.note(u, crdt.Delete, key, nil, nil, nil)
	return nil
}

// value is one that a column may hold; few, so that unique keys collide.
func (t *sqlTx) value(typ uint32) catalog.Value {
	if t.chance(12) {
		return catalog.Value{}
	}
	switch typ {
	case catalog.Int4OID:
		return catalog.Int(int64(t.n(6)))
	case catalog.NumericOID:
		return catalog.Str([]string{"a", "a ", "b", "b ", "b  ", "c"}[t.n(6)])
	case catalog.IntervalOID:
		return catalog.Str([]string{"a|1", "a|2", "b|1", "b|2", "c|1", "d|1"}[t.n(6)])
	}
	return catalog.Str([]string{"", "a", "b", "c", "d", "e"}[t.n(6)])
}

func (t *sqlTx) values(u *catalog.Table, key int64) []catalog.Value {
	vals := []catalog.Value{t.keyOf(u, key)}
	for i, c := range u.Columns[1:] {
		v := t.value(c.Type)
		for v.IsNull() && keyed(u)[i+1] {
			v = t.value(c.Type)
		}
		vals = append(vals, v)
	}
	return vals
}

// change inserts, updates and deletes rows of a table or two.
func (t *sqlTx) change() error {
	tables := userTables(t.Schema())
	tables = slices.DeleteFunc(tables, func(u *catalog.Table) bool { return t.model.banks[u.ID] })
	if len(tables) == 0 {
		return t.createTable()
	}
	for {
		if err := t.changeRows(tables[t.n(len(tables))]); err != nil || t.chance(80) {
			return err
		}
	}
}

func (t *sqlTx) changeRows(u *catalog.Table) error {
	if t.chance(2) && !t.touched(u) {
		t.says("truncate: %s", u.Name)
		if t.known(u) {
			t.muts = append(t.muts, &sqlMut{op: crdt.Truncate, row: rowKey{table: u.ID}})
		}
		t.empty = map[catalog.ID]bool{u.ID: true}
		if err := t.Truncate(u); err != nil || t.chance(60) {
			return err
		}
	}
	if t.chance(3) {
		return t.load(u)
	}
	keys := t.model.s.rng.Perm(sqlKeys)[:1+t.n(4)]
	for _, k := range keys {
		if err := t.changeRow(u, int64(k)); err != nil {
			return err
		}
	}
	return nil
}

// touched says whether the transaction has changed rows of a table.
func (t *sqlTx) touched(u *catalog.Table) bool {
	for row := range t.once {
		if row.table == u.ID {
			return true
		}
	}
	return false
}

// keyed tells the columns of a table's primary key.
func keyed(u *catalog.Table) map[int]bool {
	in := map[int]bool{}
	for _, ix := range u.Indexes {
		for _, k := range ix.Keys {
			if ix.Primary {
				in[u.ColumnIndexByID(k.Column)] = true
			}
		}
	}
	return in
}

func (t *sqlTx) changeRow(u *catalog.Table, key int64) error {
	if t.once[rowKey{u.ID, key}] {
		return nil
	}
	rowid, _, err := t.rowAt(u, key)
	if err != nil {
		return err
	}
	inKey := keyed(u)
	switch {
	case rowid < 0 || len(inKey) == 0 && t.chance(20):
		t.says("insert: %s %d", u.Name, key)
		return t.insert(u, key, t.values(u, key))
	case t.chance(30):
		t.says("delete: %s %d", u.Name, key)
		if err := t.delete(u, key); err != nil || t.chance(80) {
			return err
		}
		t.says("insert again: %s %d", u.Name, key)
		return t.insert(u, key, t.values(u, key))
	}
	var cols []int
	var vals []catalog.Value
	for i, c := range u.Columns {
		if !inKey[i] && i > 0 && t.chance(50) {
			cols, vals = append(cols, i), append(vals, t.value(c.Type))
		}
	}
	if len(cols) == 0 {
		return nil
	}
	t.says("update: %s %d %v", u.Name, key, cols)
	return t.update(u, key, cols, vals)
}

// load inserts many rows at once, where they are not.
func (t *sqlTx) load(u *catalog.Table) error {
	var rows []byte
	var all [][]catalog.Value
	var cols []int
	var keys []int64
	for i := range u.Columns {
		cols = append(cols, i)
	}
	from := int64(100 + 20*t.n(5))
	for key := from; key < from+20; key++ {
		rowid, _, err := t.rowAt(u, key)
		if err != nil {
			return err
		}
		if rowid >= 0 || t.once[rowKey{u.ID, key}] {
			continue
		}
		vals := []catalog.Value{t.keyOf(u, key)}
		for range u.Columns[1:] {
			vals = append(vals, catalog.Value{}) // no unique key is taken
		}
		rows = catalog.AppendRow(rows, vals)
		all, keys = append(all, vals), append(keys, key)
	}
	if in := keyed(u); len(all) == 0 || len(in) > 0 && (len(in) > 1 || !in[0]) {
		return nil
	}
	t.says("load: %s", u.Name)
	t.changed = true
	n := len(all)
	_, err := t.InsertMany(u, func() ([]byte, int, error) {
		k := n
		n = 0
		return rows, k, nil
	})
	if err != nil {
		return err
	}
	for i, vals := range all {
		t.note(u, crdt.Insert, keys[i], nil, cols, vals)
	}
	return nil
}

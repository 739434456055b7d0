package sqlstore

import (
	"fmt"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
)

// Alter changes object rows and brings the tables into line. tx.Schema() is the new schema afterwards.
func (tx *Tx) Alter(changes []catalog.Change) error {
	if len(changes) == 0 {
		return nil
	}
	sp := tx.w.layout.spaces[crdt.ID(catalog.ObjectKeyspace)]
	for _, c := range changes {
		if err := tx.change(sp, c); err != nil {
			return err
		}
	}
	if err := tx.watch.enter(); err != nil {
		return err
	}
	defer tx.watch.leave()
	return tx.reconcile(true)
}

func (tx *Tx) change(sp *space, c catalog.Change) error {
	if c.Op == catalog.Create {
		vals := make([]catalog.Value, len(sp.cols))
		vals[0] = c.ID.Value()
		for a, v := range c.Attrs {
			vals[1+a] = v
		}
		_, err := tx.Insert(sp.table, vals)
		return err
	}
	id, err := one(tx.w.conn, "SELECT rowid FROM lc_schema WHERE c0=?", c.ID.Value())
	if err != nil {
		return err
	}
	if id.IsNull() {
		return fmt.Errorf("an object is gone: %w", ErrSchemaChanged)
	}
	if c.Op == catalog.Drop {
		return tx.Delete(sp.table, id.Int())
	}
	var cols []int
	for a := range c.Attrs {
		cols = append(cols, 1+int(a))
	}
	if len(cols) == 0 {
		return nil
	}
	slices.Sort(cols)
	vals := make([]catalog.Value, len(cols))
	for i, col := range cols {
		vals[i] = c.Attrs[catalog.Attr(col-1)]
	}
	return tx.Update(sp.table, id.Int(), cols, vals)
}

// reconcile makes the schema of the object rows and brings SQLite's tables into line with it. local says that a
// statement of this node asks for it, and may be refused; a remote entry never is.
func (tx *Tx) reconcile(local bool) error {
	w := tx.w
	objs, err := readObjects(w.conn)
	if err != nil {
		return err
	}
	l := w.layout.clone()
	if err := tx.allot(l, objs); err != nil {
		return err
	}
	schema, conflicts, failed := w.s.buildSchema(objs, l)
	for id, err := range failed {
		_, known := w.layout.objects[id]
		_, worked := w.layout.compiled[id]
		switch {
		case known && !worked: // it did not work before either
		case local:
			return err
		default:
			w.s.config.Logger.Warn("an index cannot be used", "err", err)
		}
	}
	l.schema, l.conflicts = schema, conflicts
	tx.ddl, tx.dirty = true, true
	if err := tx.noteCarries(w.layout, schema); err != nil {
		return err
	}

	shown := make(map[crdt.ID]bool)
	for _, t := range schema.Relations {
		if t.System || t.Kind != catalog.KindTable {
			continue
		}
		id := crdt.ID(t.ID)
		shown[id] = true
		if err := tx.shape(l, t, l.spaces[id], local); err != nil {
			return err
		}
	}
	var gone []crdt.ID
	for id := range l.spaces {
		if !shown[id] && id != crdt.ID(catalog.ObjectKeyspace) {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, crdt.ID.Compare)
	for _, id := range gone {
		if err := tx.drop(l, l.spaces[id]); err != nil {
			return err
		}
	}
	w.layout, w.systemStale = l, true
	return nil
}

// allot gives local numbers to the tables, columns and indexes that have none, in the order of their IDs: the same
// changes made to the same state always give the same numbers.
func (tx *Tx) allot(l *layout, objs []catalog.Object) error {
	var tables, indexes int64
	columns := make(map[crdt.ID]int64)
	for _, o := range l.objects {
		switch o.kind {
		case catalog.ObjectTable:
			tables = max(tables, o.num)
		case catalog.ObjectIndex:
			indexes = max(indexes, o.num)
		case catalog.ObjectColumn:
			columns[o.parent] = max(columns[o.parent], o.num)
		}
	}
	isTable := make(map[crdt.ID]bool)
	for _, o := range objs {
		if objectKind(o) == catalog.ObjectTable {
			isTable[crdt.ID(o.ID)] = true
		}
	}
	for _, o := range objs {
		id, kind := crdt.ID(o.ID), objectKind(o)
		if _, known := l.objects[id]; known {
			continue
		}
		n := object{kind: kind}
		parent, _ := catalog.IDFromBytes(o.Attrs[catalog.AttrParent].Bytes)
		switch kind {
		case catalog.ObjectTable:
			tables++
			n.num = tables
		case catalog.ObjectIndex:
			indexes++
			n.num, n.parent = indexes, crdt.ID(parent)
		case catalog.ObjectColumn:
			n.parent = crdt.ID(parent)
			if !isTable[n.parent] || l.objects[n.parent].gone {
				continue
			}
			columns[n.parent]++
			n.num = columns[n.parent]
			typ := uint32(o.Attrs[catalog.AttrType].Int())
			n.info.Comparison, n.info.Integer = catalog.Comparison(typ), integerType(typ)
			var def catalog.ColumnDef
			if err := catalog.DecodeDef(o.Attrs[catalog.AttrDef], &def); err == nil {
				n.info.Missing = def.Missing
			}
		default:
			continue
		}
		if err := tx.save(l, id, n); err != nil {
			return err
		}
	}
	return nil
}

func objectKind(o catalog.Object) catalog.ObjectKind {
	return catalog.ObjectKind(o.Attrs[catalog.AttrKind].Bytes)
}

func (tx *Tx) save(l *layout, id crdt.ID, o object) error {
	l.objects[id] = o
	return saveObject(tx.w.conn, id, o)
}

// primaryKey is a table's primary key.
func primaryKey(t *catalog.Table) (ix *catalog.Index, id catalog.ID, cols []catalog.ID) {
	for _, ix := range t.Indexes {
		if !ix.Primary {
			continue
		}
		for _, k := range ix.Keys {
			cols = append(cols, k.Column)
		}
		return ix, ix.ID, cols
	}
	return nil, catalog.ID{}, nil
}

// shape brings one table into the form that the schema gives it. old is its form so far, nil for a new table.
func (tx *Tx) shape(l *layout, t *catalog.Table, old *space, local bool) error {
	id := crdt.ID(t.ID)
	o, known := l.objects[id]
	if !known {
		return fmt.Errorf("sqlstore: table %s has no number", t.Name)
	}
	_, keyID, key := primaryKey(t)
	if old == nil {
		o.info.KeyID, o.info.Key, o.info.Hidden = keyID, key, len(key) == 0
		if len(key) == 1 && isInteger(t, key[0]) {
			o.info.Alias = &key[0]
		}
		if err := tx.save(l, id, o); err != nil {
			return err
		}
		sp := l.space(t, o)
		if err := tx.w.conn.StoreExec(sp.createSQL()); err != nil {
			return err
		}
		tx.markFlags(l, sp)
		l.spaces[id] = sp
		return tx.buildIndexes(l, sp, nil, local)
	}
	if err := tx.retype(l, t, old); err != nil {
		return err
	}
	o = l.objects[id]
	sp := l.space(t, o)
	for i := range sp.cols {
		c := &sp.cols[i]
		if _, there := old.byID[c.id]; there {
			continue
		}
		if err := tx.w.conn.StoreExec("ALTER TABLE " + sp.phys + " ADD COLUMN " + c.declaration()); err != nil {
			return err
		}
	}
	if err := tx.addFlags(l, sp); err != nil {
		return err
	}
	if o.info.KeyID != keyID {
		var err error
		if sp, err = tx.rekey(l, t, old, sp, local); err != nil {
			return err
		}
	}
	if ts := tx.spaces[id]; ts != nil {
		ts.sp = sp
		if sp.live != old.live || !slices.EqualFunc(sp.cols, old.cols, func(a, b column) bool { return a.id == b.id }) || sp.keyID != old.keyID {
			ts.log.changed()
		}
	}
	l.spaces[id] = sp
	return tx.buildIndexes(l, sp, old, local)
}

func isInteger(t *catalog.Table, id catalog.ID) bool {
	for _, c := range t.Columns {
		if c.ID == id {
			return integerType(c.Type)
		}
	}
	return false
}

func integerType(oid uint32) bool {
	return oid == catalog.Int2OID || oid == catalog.Int4OID || oid == catalog.Int8OID
}

// retype follows ALTER COLUMN TYPE: of the collation, and from a column declared INTEGER, which would make numbers of
// texts, to one without a type. The values themselves are the statement's to change.
func (tx *Tx) retype(l *layout, t *catalog.Table, old *space) error {
	rebuild := false
	for _, c := range t.Columns {
		id := crdt.ID(c.ID)
		o := l.objects[id]
		want := o
		want.info.Comparison = catalog.Comparison(c.Type)
		want.info.Integer = o.info.Integer && integerType(c.Type)
		if _, there := old.byID[id]; there && want.info.Integer != o.info.Integer {
			rebuild = true
		}
		if want.info.Comparison == o.info.Comparison && want.info.Integer == o.info.Integer {
			continue
		}
		if err := tx.save(l, id, want); err != nil {
			return err
		}
	}
	if !rebuild {
		return nil
	}
	o := l.objects[old.id]
	if a := o.info.Alias; a != nil && !isInteger(t, *a) {
		o.info.Alias = nil
	}
	if err := tx.save(l, old.id, o); err != nil {
		return err
	}
	next := *old
	next.cols = slices.Clone(old.cols)
	for i := range next.cols {
		next.cols[i].integer = l.objects[next.cols[i].id].info.Integer
	}
	if o.info.Alias == nil {
		next.alias = -1
	}
	return tx.rebuild(l, old, &next)
}

// rebuild copies a table into one that is declared as next is; old has the indexes so far. They are gone then, and
// buildIndexes makes them again.
func (tx *Tx) rebuild(l *layout, old, next *space) error {
	tx.w.s.statistics.forget(old.id)
	for name := range old.indexes {
		if err := tx.w.conn.StoreExec("DROP INDEX IF EXISTS " + name); err != nil {
			return err
		}
		if err := tx.forgetIndex(l, old, name); err != nil {
			return err
		}
	}
	into := *next
	into.phys += "_new"
	into.uniques = nil
	cols, order := "rowid,_h,_o,_c", ""
	if into.alias >= 0 {
		cols, order = "_h,_o,_c", " ORDER BY "+into.cols[into.alias].phys
	}
	if old.hidden {
		cols += ",_k"
	}
	for _, o := range l.objects {
		if o.kind == catalog.ObjectIndex && o.parent == next.id && o.info.Flag {
			u := uniqueIndex{num: o.num, flag: "_u" + physIndex(o.num)}
			into.uniques = append(into.uniques, u)
			cols += "," + u.flag
		}
	}
	for _, c := range into.cols {
		cols += "," + c.phys
	}
	tx.forgetHiddenIndex(old)
	create, _, _ := strings.Cut(into.createSQL(), ";")
	sql := create + ";INSERT INTO " + into.phys + "(" + cols + ") SELECT " + cols + " FROM " + next.phys + order +
		";DROP TABLE " + next.phys + ";ALTER TABLE " + into.phys + " RENAME TO " + next.phys
	return tx.w.conn.StoreExec(sql)
}

// markFlags notes that a new table has the flag columns of its unique indexes.
func (tx *Tx) markFlags(l *layout, sp *space) {
	for _, u := range sp.uniques {
		id := crdt.ID(u.index.ID)
		o := l.objects[id]
		o.info.Flag = true
		l.objects[id] = o // saved with the index's SQL
	}
}

// addFlags adds the flag columns that a table's unique indexes still lack.
func (tx *Tx) addFlags(l *layout, sp *space) error {
	for _, u := range sp.uniques {
		id := crdt.ID(u.index.ID)
		o := l.objects[id]
		if o.info.Flag {
			continue
		}
		if err := tx.w.conn.StoreExec("ALTER TABLE " + sp.phys + " ADD COLUMN " + u.flag + " INTEGER NOT NULL DEFAULT 0"); err != nil {
			return err
		}
		o.info.Flag = true
		if err := tx.save(l, id, o); err != nil {
			return err
		}
	}
	return nil
}

// buildIndexes makes the indexes that are new or other than they were, and drops those that are gone.
func (tx *Tx) buildIndexes(l *layout, sp, old *space, local bool) error {
	if old != nil {
		if err := tx.dropIndexes(l, sp, old); err != nil {
			return err
		}
	}
	for _, ix := range sp.table.Indexes {
		id := crdt.ID(ix.ID)
		o, known := l.objects[id]
		sql, wanted := sp.indexes[physIndex(o.num)]
		if !known || !wanted || o.info.SQL == sql {
			continue
		}
		if err := tx.buildIndex(sp, ix, o, sql, local); err != nil {
			return err
		}
		o.info.SQL = sql
		if err := tx.save(l, id, o); err != nil {
			return err
		}
	}
	return nil
}

// dropIndexes drops the indexes that the new form of a table has not, or has otherwise.
func (tx *Tx) dropIndexes(l *layout, sp, old *space) error {
	for name, sql := range old.indexes {
		if sp.indexes[name] == sql {
			continue
		}
		if err := tx.w.conn.StoreExec("DROP INDEX IF EXISTS " + name); err != nil {
			return err
		}
		if err := tx.forgetIndex(l, sp, name); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) forgetIndex(l *layout, sp *space, name string) error {
	for id, o := range l.objects {
		if o.kind != catalog.ObjectIndex || o.parent != sp.id || physIndex(o.num) != name {
			continue
		}
		if tx.w.hasFlags {
			if err := run(tx.w.conn, "DELETE FROM lc_collisions WHERE i=?", catalog.Int(o.num)); err != nil {
				return err
			}
			if flag := "_u" + name; o.info.Flag {
				if err := run(tx.w.conn, "UPDATE "+sp.phys+" SET "+flag+"=0 WHERE "+flag+"<>0"); err != nil {
					return err
				}
			}
		}
		o.info.SQL = ""
		return tx.save(l, id, o)
	}
	return nil
}

// buildIndex makes one index. Rows that already collide are an error of the statement that wants a unique index; when a
// remote entry brings it, all rows but one get a flag.
func (tx *Tx) buildIndex(sp *space, ix *catalog.Index, o object, sql string, local bool) error {
	build := tx.w.conn.StoreExec
	if local {
		build = tx.w.conn.StoreExecStrict // an expression that fails for a row is an error
	}
	err := build(sql)
	if err == nil {
		return nil
	}
	if _, ok := isUnique(err); !ok || !ix.Unique {
		if local {
			return err
		}
		// The index only makes things faster, or refuses what this node's own statements would do: the data is complete
		// without it.
		tx.w.s.config.Logger.Error("an index cannot be built", "index", ix.Name, "err", err)
		return nil
	}
	if local {
		return notUnique(ix)
	}
	if ix.Primary {
		return fmt.Errorf("sqlstore: rows with one primary key in %s: %w", sp.phys, err)
	}
	if err := tx.flagAll(sp, o.num); err != nil {
		return err
	}
	return tx.w.conn.StoreExec(sql)
}

func notUnique(ix *catalog.Index) error {
	return pgerror.New(pgerror.UniqueViolation, "could not create unique index %q", ix.Name).
		WithDetail("The table contains rows with the same key.").WithConstraint(ix.Name)
}

// drop drops a table, physically and for ever.
func (tx *Tx) drop(l *layout, sp *space) error {
	ts := tx.touch(sp)
	tx.forgetHiddenIndex(sp)
	if err := tx.w.conn.StoreExec("DROP TABLE " + sp.phys); err != nil {
		return err
	}
	if ts.st.tombs > 0 {
		if err := run(tx.w.conn, "DELETE FROM lc_tombstones WHERE t=?", catalog.Int(sp.num)); err != nil {
			return err
		}
	}
	if tx.w.hasFlags {
		if err := run(tx.w.conn, "DELETE FROM lc_collisions WHERE t=?", catalog.Int(sp.num)); err != nil {
			return err
		}
	}
	if tx.w.hasLosers {
		if err := run(tx.w.conn, "DELETE FROM lc_losers WHERE t=?", catalog.Int(sp.num)); err != nil {
			return err
		}
	}
	delete(l.spaces, sp.id)
	o := l.objects[sp.id]
	o.gone = true
	if err := tx.save(l, sp.id, o); err != nil {
		return err
	}
	for id, c := range l.objects {
		if c.parent == sp.id && !c.gone {
			c.gone = true
			if err := tx.save(l, id, c); err != nil {
				return err
			}
		}
	}
	return nil
}

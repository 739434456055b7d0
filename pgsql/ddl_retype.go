package pgsql

import (
	"slices"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// rewriteType changes a column's type where the stored values have to change: a new column is filled by an UPDATE, and
// then takes the old one's name, place, constraints and indexes.
func (x *command) rewriteType(t *catalog.Table, col *catalog.Column, typ uint32, typmod int32, using *pg.Node) {
	if pk := primaryKey(t); pk != nil && slices.Contains(pk.Columns, col.ID) {
		x.unsupported(-1, "ALTER COLUMN TYPE of a primary key column (from %s to %s)", catalog.FormatType(col.Type, col.Typmod), catalog.FormatType(typ, typmod))
	}
	x.refuseForeignKeys(t, col)
	value := &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: &pg.ColumnRef{Fields: []*pg.Node{pg.MakeStrNode(col.Name)}, Location: -1}}}
	c := x.sub()
	if using != nil {
		value = using
		e := c.exprIn(ctxUpdate, value, x.tableScope(t))
		if c.coerce(e, typ, typmod, 'a') == nil {
			x.fail(pgerror.New(pgerror.DatatypeMismatch, "result of USING clause for column \"%s\" cannot be cast automatically to type %s", col.Name, catalog.FormatTypeName(typ)).
				WithHint("You might need to add an explicit cast."))
		}
	} else if c.coerce(c.expr(value, x.tableScope(t)), typ, typmod, 'a') == nil {
		x.fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" cannot be cast automatically to type %s", col.Name, catalog.FormatTypeName(typ)).
			WithHint("You might need to specify \"USING %s::%s\".", catalog.QuoteIdent(col.Name), catalog.FormatType(typ, typmod)))
	}
	x.checkDefaultType(col, typ, typmod)
	text, err := deparseExpr(value)
	if err != nil {
		x.unsupported(-1, "this USING expression")
	}
	// The new column stands under a name that nobody uses until the old one is gone.
	fresh := &catalog.Column{ID: x.env.NewID(), Num: nextNum(t), Name: "........new." + clip(col.Name, 40), Type: typ, Typmod: typmod, Phys: "new"}
	x.createColumnRow(t, fresh, catalog.Value{})
	x.plan.Then = append(x.plan.Then, "UPDATE "+qualified(t)+" SET "+catalog.QuoteIdent(fresh.Name)+" = "+text)
	old, oldID := *col, col.ID
	moved := old
	moved.ID, moved.Type, moved.Typmod = fresh.ID, typ, typmod
	moved.Retyped = x.retype(t, &old, typ, typmod, value)
	*col = moved
	x.noteRetyped(col, true)
	tid := t.ID
	before := x.plan.Finish
	x.plan.Finish = func(s *catalog.Schema) []catalog.Change {
		d := newDraft(s)
		if before != nil {
			d.resume(before(s))
		}
		d.replaceColumn(tid, oldID, &moved)
		return d.changes
	}
}

// retyped is a column whose type the statement has changed.
type retyped struct {
	rewritten bool // by rewriteType: its rows are new
}

func (x *command) noteRetyped(col *catalog.Column, rewritten bool) {
	if x.retyped == nil {
		x.retyped = map[catalog.ID]*retyped{}
	}
	x.retyped[col.ID] = &retyped{rewritten: rewritten}
}

// finishRetyped puts off what the statement does after ALTER TYPE until the new columns are filled and have their names:
// a default, NOT NULL or constraint is for the column as it then is.
func (x *command) finishRetyped() {
	if x.plan.Finish == nil {
		return
	}
	x.first, x.changes, x.at = x.changes, nil, map[catalog.ID]int{}
}

// resume takes over changes that were made before.
func (d *draft) resume(changes []catalog.Change) {
	d.changes = changes
	for i, ch := range d.changes {
		d.at[ch.ID] = i
	}
}

// mergeChanges lets changes follow others; of one object they become one.
func mergeChanges(s *catalog.Schema, changes, more []catalog.Change) []catalog.Change {
	d := newDraft(s)
	d.resume(changes)
	for _, ch := range more {
		if ch.Op == catalog.Alter {
			d.set(ch.ID, ch.Attrs)
		} else {
			d.changes = append(d.changes, ch)
		}
	}
	return d.changes
}

// recompile compiles again, with the new types, what is computed from the columns whose types were changed: CHECKs, and
// the expressions and predicates of indexes. The rows are held against a CHECK again where their values are new.
func (x *command) recompile(t *catalog.Table) {
	uses := func(expr string) (any, rewritten bool) {
		for _, col := range t.Columns {
			if r := x.retyped[col.ID]; r != nil && namesColumn(expr, col.Name) {
				any, rewritten = true, rewritten || r.rewritten
			}
		}
		return any, rewritten
	}
	again := func(expr string, ctx exprContext) bool {
		if expr == "" {
			return false
		}
		any, rewritten := uses(expr)
		if any {
			c := x.sub()
			e := c.storedExpr(expr, ctx, x.tableScope(t))
			if what := map[exprContext]string{ctxCheck: "CHECK", ctxIndexPredicate: "WHERE"}[ctx]; what != "" {
				c.coerceBool(e, what)
			}
		}
		return rewritten
	}
	for _, i := range t.Indexes {
		for _, k := range i.Keys {
			again(k.Expr, ctxIndexExpr)
		}
		again(i.Where, ctxIndexPredicate)
	}
	for _, c := range t.Constraints {
		if c.Kind == catalog.Check && again(c.Expr, ctxCheck) && !c.NotValid {
			x.validateCheck(t, c)
		}
	}
}

// refuseForeignKeys: a foreign key's columns keep their types, or are changed with the key dropped.
func (x *command) refuseForeignKeys(t *catalog.Table, col *catalog.Column) {
	for _, o := range x.all() {
		for _, c := range o.Constraints {
			if c.Kind == catalog.ForeignKey && (o.ID == t.ID && slices.Contains(c.Columns, col.ID) || c.RefTable == t.ID && slices.Contains(c.RefColumns, col.ID)) {
				x.unsupported(-1, "ALTER COLUMN TYPE of a column of foreign key \"%s\"", c.Name)
			}
		}
	}
}

// replaceColumn drops a column and puts another, which exists under a name of its own, in its place.
func (d *draft) replaceColumn(table, old catalog.ID, col *catalog.Column) {
	t := tableIn(d.schema, table)
	if t == nil {
		return
	}
	d.drop(old)
	d.set(col.ID, map[catalog.Attr]catalog.Value{
		catalog.AttrName: catalog.Str(col.Name), catalog.AttrOrder: catalog.Int(int64(col.Num)), catalog.AttrNotNull: catalog.Bool(col.NotNull),
		catalog.AttrDefault: textOrNull(col.Default), catalog.AttrDef: columnDef(&catalog.Column{Identity: col.Identity, Sequence: col.Sequence, Retyped: col.Retyped}),
		catalog.AttrComment: textOrNull(col.Comment),
	})
	swap := func(ids []catalog.ID) ([]catalog.ID, bool) {
		i := slices.Index(ids, old)
		if i < 0 {
			return ids, false
		}
		ids = slices.Clone(ids)
		ids[i] = col.ID
		return ids, true
	}
	for _, c := range t.Constraints {
		cc := *c
		var ok bool
		if cc.Columns, ok = swap(c.Columns); ok {
			d.set(c.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: constraintDef(&cc)})
		}
	}
	for _, i := range t.Indexes {
		ii := *i
		var ok bool
		ii.Include, ok = swap(i.Include)
		ii.Keys = slices.Clone(i.Keys)
		for k := range ii.Keys {
			if ii.Keys[k].Column == old {
				ii.Keys[k].Column, ok = col.ID, true
			}
		}
		if ok || i.Where != "" || slices.ContainsFunc(i.Keys, func(k catalog.IndexKey) bool { return k.Expr != "" }) {
			d.set(i.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: indexDef(&ii)})
		}
	}
	for _, s := range d.schema.Relations {
		if s.Kind == catalog.KindSequence && s.Sequence.OwnerColumn == old {
			def := s.Sequence
			def.OwnerColumn = col.ID
			d.set(s.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: sequenceDef(def)})
		}
	}
}

package server

import (
	"sync"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// recheck looks at the FOREIGN KEYs of everything the transaction did once more, on the state that it commits to.
func (s *session) recheck(w *worker, ops []op, r *replayState) error {
	last := sync.OnceValue(func() finals { return lastChanges(ops, w.ops) })
	for i := range ops {
		o := &ops[i]
		if o.plan == nil {
			continue
		}
		switch o.kind {
		case opInsert:
			if len(o.plan.References) == 0 {
				continue
			}
			err := o.each(func(j int, row []catalog.Value) error {
				if ids := r.insertedBy(i); j >= ids.Len() {
					return nil
				}
				if row = last().row(i, o, &ownRow{i, j}, row); row == nil {
					return nil // with another key it is still there
				}
				return w.checkParents(o.plan, row, nil)
			})
			if err != nil {
				return err
			}
		case opUpdate:
			if len(o.plan.References) > 0 {
				if row := last().row(i, o, o.own, o.new); row != nil {
					if err := w.checkParents(o.plan, row, o.cols); err != nil {
						return err
					}
				}
			}
			if err := w.recheckChildren(o); err != nil {
				return err
			}
		case opDelete:
			if err := w.recheckChildren(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// finals tells what became of the rows that a transaction has changed: what it wrote to a row at first need not hold.
type finals struct {
	changes map[finalRef]*op   // the last UPDATE or DELETE of a row
	emptied map[catalog.ID]int // the last TRUNCATE of a table
}

// finalRef is a row of a transaction's ops, by the op that inserted it or by the rowid of a committed one.
type finalRef struct {
	table catalog.ID
	own   ownRow
	rowid int64
}

func refOf(table catalog.ID, own *ownRow, rowid int64) finalRef {
	if own != nil {
		return finalRef{table: table, own: *own, rowid: -1}
	}
	return finalRef{table: table, rowid: rowid}
}

// lastChanges goes through a transaction's ops, those that were worked out anew at last.
func lastChanges(ops, anew []op) finals {
	f := finals{map[finalRef]*op{}, map[catalog.ID]int{}}
	for k, list := range [][]op{ops, anew} {
		for i := range list {
			switch o := &list[i]; o.kind {
			case opUpdate, opDelete:
				f.changes[refOf(o.table.ID, o.own, o.rowid)] = o
			case opTruncate:
				f.emptied[o.table.ID] = k*len(ops) + i
			}
		}
	}
	return f
}

// row is what became of a row that op number i, o, has left as given; nil: it is gone.
func (f finals) row(i int, o *op, own *ownRow, row []catalog.Value) []catalog.Value {
	if at, ok := f.emptied[o.table.ID]; ok && at > i {
		return nil
	}
	c := f.changes[refOf(o.table.ID, own, o.rowid)]
	switch {
	case c == nil || c == o:
		return row
	case c.kind == opDelete:
		return nil
	case !sameShape(c.table, o.table):
		return row
	}
	return c.new
}

// recheckChildren makes sure that no child has come, from elsewhere, for a row that the transaction removed. A child
// that only the removal's own CASCADE would have met is told to retry.
func (w *worker) recheckChildren(o *op) error {
	if o.old == nil {
		return nil
	}
	for _, r := range o.plan.Referenced {
		acts := o.action(&r) != nil
		if acts && w.settles { // it was carried out at once
			continue
		}
		r.OnDelete, r.OnUpdate = nil, nil
		again, plan := *o, *o.plan
		plan.Referenced = []pgsql.ReferencedCheck{r}
		again.plan = &plan
		err := w.checkChildren(&again)
		if acts && pgerror.Code(err) == pgerror.ForeignKeyViolation {
			return errSerialization()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

package server

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// conflictRows lists what concurrent writers left for the application to settle: rows that share a unique key, rows
// whose FOREIGN KEY refers to a row that was deleted meanwhile, and schema objects that could not be made as they were
// defined. It is worked out from the rows, so that all nodes list the same, and nothing that has been settled.
func (s *session) conflictRows() ([]providedRow, error) {
	collisions, err := fetch(&s.funcs, "collisions", s.node.store.Collisions)
	if err != nil {
		return nil, err
	}
	orphans, err := fetch(&s.funcs, "orphans", s.orphans)
	if err != nil {
		return nil, err
	}
	names := map[crdt.NodeID]string{}
	for _, m := range s.node.repl.Members() {
		names[m.ID] = m.Name
	}
	origin := func(id crdt.NodeID) catalog.Value {
		if n := names[id]; n != "" {
			return catalog.Str(n)
		}
		return catalog.Str(fmt.Sprintf("%016x", uint64(id)))
	}
	stamp := func(h crdt.HLC) catalog.Value {
		if h == 0 {
			return catalog.Value{}
		}
		return catalog.Int(micros(hlcTime(h)))
	}
	var out []providedRow
	for _, c := range collisions {
		out = append(out, providedRow{"relation": catalog.Str(relationName(s.schema(), c.Table.ID)), "constraint_name": catalog.Str(c.Index.Name),
			"kind": catalog.Str("unique"), "key": catalog.Str(describeKey(c.Table, c.Row)), "other_key": catalog.Str(describeKey(c.Table, c.Other)),
			"stamp": stamp(c.Stamp.HLC), "origin": origin(c.Stamp.Origin.Node), "other_stamp": stamp(c.Held.HLC), "other_origin": origin(c.Held.Origin.Node)})
	}
	for _, o := range orphans {
		r := providedRow{"relation": catalog.Str(relationName(s.schema(), o.table.ID)), "constraint_name": catalog.Str(o.constraint.Name),
			"kind": catalog.Str("foreign key"), "key": catalog.Str(describeKey(o.table, o.Row)), "other_key": catalog.Str(o.parentKey()),
			"stamp": stamp(o.Stamp.HLC), "origin": origin(o.Stamp.Origin.Node)}
		if !o.Gone.IsZero() {
			r["other_stamp"], r["other_origin"] = stamp(o.Gone.HLC), origin(o.Gone.Origin.Node)
		}
		out = append(out, r)
	}
	for _, c := range s.node.store.Conflicts() {
		if c.Moot {
			continue
		}
		id := func(i catalog.ID) catalog.Value { return catalog.Str(fmt.Sprintf("%016x%016x", i.HLC, i.Node)) }
		out = append(out, providedRow{"relation": catalog.Str(c.Name), "kind": catalog.Str("schema: " + c.Message), "key": id(c.ID), "other_key": id(c.Other),
			"stamp": stamp(crdt.HLC(c.ID.HLC)), "origin": origin(crdt.NodeID(c.ID.Node)),
			"other_stamp": stamp(crdt.HLC(c.Other.HLC)), "other_origin": origin(crdt.NodeID(c.Other.Node))})
	}
	return out, nil
}

// orphan is a row whose FOREIGN KEY refers to a row that there is not.
type orphan struct {
	sqlstore.Orphan
	table      *catalog.Table
	constraint *catalog.Constraint
	parent     *catalog.Table
}

// parentKey shows the key of the row that is missing: "(id)=(5)".
func (o *orphan) parentKey() string {
	var names, vals []string
	for i, id := range o.constraint.Columns {
		at := slices.IndexFunc(o.table.Columns, func(c *catalog.Column) bool { return c.ID == id })
		of := o.parent.ColumnByID(o.constraint.RefColumns[i])
		if at < 0 || of == nil {
			continue
		}
		names = append(names, of.Name)
		vals = append(vals, valueText(nil, o.table.Columns[at].Type, o.table.Columns[at].Typmod, o.Row[at]))
	}
	return "(" + strings.Join(names, ", ") + ")=(" + strings.Join(vals, ", ") + ")"
}

// orphans finds the rows whose parents are missing. It reads every table that has a FOREIGN KEY: a merge looks for none,
// so that it stays as fast as it is.
func (s *session) orphans(ctx context.Context) (out []orphan, err error) {
	err = s.node.store.Read(ctx, func(r *sqlstore.Reader) error {
		out = nil
		env := s.env()
		env.Schema = r.Schema()
		w := &worker{ctx: ctx, s: s, q: r}
		for _, t := range r.Schema().Relations {
			if t.System || t.Kind != catalog.KindTable {
				continue
			}
			for _, con := range t.Constraints {
				if con.Kind != catalog.ForeignKey || con.NotValid {
					continue // NOT VALID: it lets rows be that have no parent
				}
				found, err := w.orphansBy(env, r, t, con)
				if err != nil {
					return err
				}
				out = append(out, found...)
			}
		}
		return nil
	})
	return out, err
}

// orphansBy finds the rows of t whose parents by one FOREIGN KEY are missing.
func (w *worker) orphansBy(env *pgsql.Env, r *sqlstore.Reader, t *catalog.Table, con *catalog.Constraint) (out []orphan, err error) {
	q, err := pgsql.Orphans(env, t, con)
	parent := env.Schema.RelationByID(con.RefTable)
	if err != nil || q == nil || parent == nil {
		return nil, err
	}
	rows, err := w.collect(q, nil)
	if err != nil {
		return nil, err
	}
	err = rows.each(func(_ int, row []catalog.Value) error {
		o, found, err := r.Orphan(t, row[0].Int(), con.Columns, parent, con.RefColumns)
		if err == nil && found {
			out = append(out, orphan{o, t, con, parent})
		}
		return err
	})
	return out, err
}

package server

import (
	"context"
	"slices"
	"strconv"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore"
)

// ddlRun is one DDL statement being run on the writer.
type ddlRun struct {
	plan  *pgsql.DDL
	count int64 // rows of CREATE TABLE AS
}

func (r *ddlRun) tag() string {
	if len(r.plan.Then) > 0 && (r.plan.Tag == "CREATE TABLE AS" || r.plan.Tag == "SELECT INTO") {
		return "SELECT " + strconv.FormatInt(r.count, 10)
	}
	return r.plan.Tag
}

// runDDL runs a statement that changes the schema. It is compiled on the writer, against exactly the schema that it
// changes.
func (s *session) runDDL(ctx context.Context, st *pgsql.Statement) (string, error) {
	if s.readOnly() {
		return "", pgerror.New(pgerror.ReadOnlySQLTransaction, "cannot execute %s in a read-only transaction", st.Tag)
	}
	if err := s.barrier(ctx, true); err != nil {
		return "", err
	}
	var run *ddlRun
	ids := &idList{next: s.node.store.NewID}
	if t := s.tran; t != nil {
		var schema *catalog.Schema
		var base uint64
		w, err := s.try(ctx, t, nil, nil, func(w *worker) (err error) {
			base = s.node.store.Schema().Version
			if run, err = w.ddl(st, ids); err != nil {
				return err
			}
			schema = w.tx.Schema()
			return nil
		})
		if err != nil {
			return "", err
		}
		if t.schema == nil {
			t.base = base
		}
		t.add(nil, nil, w.ops, w.reserved, true)
		if slices.ContainsFunc(w.ops, func(o op) bool { return o.kind == opDDL && len(o.ddl.Changes) > 0 }) {
			t.schema = schema
		}
		s.sendNotices(run.plan)
		return run.tag(), nil
	}
	if err := s.checkWrite(); err != nil {
		return "", err
	}
	for {
		commit, err := s.node.store.Write(ctx, func(tx *sqlstore.Tx) (err error) {
			w := &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: &replayState{s: s}}
			defer s.attach(tx.Conn(), w)()
			run, err = w.ddl(st, ids)
			return err
		})
		again, err := s.waitAndRetry(ctx, err)
		if !again {
			s.node.locks.releaseFrom(s.owner, 0)
		}
		if err != nil {
			return "", err
		}
		if again {
			continue
		}
		s.sendNotices(run.plan)
		if err := s.restartSequences(ctx, run.plan.Restart); err != nil {
			return "", err
		}
		return run.tag(), s.confirm(ctx, commit)
	}
}

func (s *session) sendNotices(d *pgsql.DDL) {
	for _, n := range d.Notices {
		s.notice(n)
	}
}

// idList gives a statement that is run again the IDs that it had before: a sequence that it made, and has to wait for,
// must be the same one then.
type idList struct {
	next func() catalog.ID
	ids  []catalog.ID
	at   int
}

func (l *idList) take() catalog.ID {
	if l.at == len(l.ids) {
		l.ids = append(l.ids, l.next())
	}
	l.at++
	return l.ids[l.at-1]
}

// ddl compiles and runs one DDL statement on the writer.
func (w *worker) ddl(st *pgsql.Statement, ids *idList) (*ddlRun, error) {
	ids.at = 0
	env := w.s.env()
	env.Schema, env.NewID = w.tx.Schema(), ids.take
	if st.Tag == "DROP ROLE" && !w.s.managesRoles() {
		return nil, pgerror.New(pgerror.InsufficientPrivilege, "permission denied to drop role")
	}
	plan, err := pgsql.Compile(st, env, nil)
	if err != nil {
		return nil, err
	}
	d, ok := plan.(*pgsql.DDL)
	if !ok {
		return nil, errStale
	}
	if t := w.s.tran; d.Alone != "" && t != nil && t.explicit {
		return nil, pgerror.New(pgerror.ActiveSQLTransaction, "%s cannot run inside a transaction block", d.Alone)
	}
	if err := w.s.mayRunDDL(d, env.Schema); err != nil {
		return nil, err
	}
	if err := sameDirection(d, env.Schema); err != nil {
		return nil, err
	}
	run := &ddlRun{plan: d}
	if d.Setting != nil {
		if err := checkSetting(d.Setting); err != nil {
			return nil, err
		}
	}
	if w.s.tran != nil {
		w.wantTables(d.Changes)
	}
	var ops []op
	for _, t := range d.Truncate {
		w.want = append(w.want, tableKey(t.ID))
		ops = append(ops, op{kind: opTruncate, table: t})
	}
	if len(d.Changes) > 0 || len(d.Restart) > 0 {
		ops = append(ops, op{kind: opDDL, ddl: d})
	}
	if err := w.effect(ops); err != nil {
		return nil, w.refused(d, err)
	}
	for _, text := range d.Then {
		batch, err := pgsql.Parse(text)
		if err != nil {
			return nil, err
		}
		for _, st := range batch {
			env.Schema = w.tx.Schema()
			p, err := pgsql.Compile(st, env, nil)
			if err != nil {
				return nil, err
			}
			switch p := p.(type) {
			case *pgsql.Modify:
				o, err := w.modify(p, nil)
				if err != nil {
					return nil, err
				}
				run.count += o.count
			case *pgsql.DDL:
				if err := w.effect([]op{{kind: opDDL, ddl: p}}); err != nil {
					return nil, w.refused(p, err)
				}
				if err := w.validate(p, false); err != nil {
					return nil, err
				}
			}
		}
	}
	if d.Finish != nil {
		if changes := d.Finish(w.tx.Schema()); len(changes) > 0 {
			if err := w.effect([]op{{kind: opDDL, ddl: &pgsql.DDL{Tag: d.Tag, Changes: changes}}}); err != nil {
				return nil, w.refused(d, err)
			}
		}
	}
	return run, w.validate(d, false)
}

// wantTables asks for the tables that changes are of: what was found of their rows must hold at COMMIT too, and rows that
// others write meanwhile could not be what the changes make of them.
func (w *worker) wantTables(changes []catalog.Change) {
	sch := w.tx.Schema()
	want := func(id catalog.ID) {
		if t := sch.RelationByID(id); t != nil && t.Kind == catalog.KindTable && !slices.Contains(w.want, tableKey(id)) {
			w.want = append(w.want, tableKey(id))
		}
	}
	for i := range changes {
		c := &changes[i]
		if !ofRows(c) {
			continue
		}
		want(c.ID)
		if c.Op == catalog.Create {
			parent, _ := catalog.IDFromBytes(c.Attrs[catalog.AttrParent].Bytes)
			want(parent)
			if string(c.Attrs[catalog.AttrKind].Bytes) == string(catalog.ObjectConstraint) {
				var def catalog.ConstraintDef
				if catalog.DecodeDef(c.Attrs[catalog.AttrDef], &def) == nil {
					want(def.RefTable)
				}
			}
			continue
		}
		for _, t := range sch.Relations {
			if slices.ContainsFunc(t.Columns, func(x *catalog.Column) bool { return x.ID == c.ID }) ||
				slices.ContainsFunc(t.Constraints, func(x *catalog.Constraint) bool { return x.ID == c.ID }) ||
				slices.ContainsFunc(t.Indexes, func(x *catalog.Index) bool { return x.ID == c.ID }) {
				want(t.ID)
			}
		}
	}
}

// ofRows says whether a change is of what rows may hold, not of a comment, an owner or a grant.
func ofRows(c *catalog.Change) bool {
	if c.Op == catalog.Create {
		return string(c.Attrs[catalog.AttrKind].Bytes) != string(catalog.ObjectGrant)
	}
	for a := range c.Attrs {
		if a != catalog.AttrComment && a != catalog.AttrOwner {
			return true
		}
	}
	return c.Op == catalog.Drop
}

// sameDirection refuses to turn a sequence round: the register that grants its blocks counts one way.
func sameDirection(d *pgsql.DDL, sch *catalog.Schema) error {
	for i := range d.Changes {
		c := &d.Changes[i]
		t := sch.RelationByID(c.ID)
		if c.Op != catalog.Alter || t == nil || t.Kind != catalog.KindSequence || c.Attrs[catalog.AttrDef].IsNull() {
			continue
		}
		var def catalog.SequenceDef
		if err := catalog.DecodeDef(c.Attrs[catalog.AttrDef], &def); err != nil {
			return err
		}
		if def.Increment < 0 != (t.Sequence.Increment < 0) {
			return pgerror.New(pgerror.FeatureNotSupported, "changing the direction of a sequence is not supported").
				WithHint("Drop sequence \"%s\" and create it anew.", t.Name)
		}
	}
	return nil
}

// refused is the error of changes that the store has refused: where it can be found, with the rows at fault.
func (w *worker) refused(d *pgsql.DDL, err error) error {
	if pgerror.Code(err) != pgerror.UniqueViolation {
		return err
	}
	if why := w.validate(d, true); why != nil {
		return why
	}
	return err
}

// validate runs the queries that must find nothing after a DDL statement (rows against a new constraint), or those that say
// why the store has refused it.
func (w *worker) validate(d *pgsql.DDL, why bool) error {
	for _, v := range d.Validate {
		if v.Why != why {
			continue
		}
		q, err := v.Compile(w.tx.Schema())
		if err != nil {
			return err
		}
		row, err := w.first(q, nil)
		if err != nil {
			return err
		}
		if row != nil {
			return v.Error(row)
		}
	}
	return nil
}

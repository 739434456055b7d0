package server

import (
	"layercake/catalog"
	"layercake/pgerror"
)

type savedSettings struct{ values, local map[string]string }

type savepoint struct {
	name     string
	ops      int
	locks    int
	schema   *catalog.Schema
	settings savedSettings
	deferAll *bool
	deferOne map[catalog.ID]bool
	notified int
}

func (s *session) savepoint(name string) {
	t := s.tran
	sp := savepoint{name: name, ops: len(t.ops), locks: len(s.owner.order), schema: t.schema,
		deferAll: t.deferAll, deferOne: t.deferOne, notified: len(s.pendingNotify)}
	sp.settings.values, sp.settings.local = s.settings.snapshot()
	t.savepoints = append(t.savepoints, sp)
}

func (t *transaction) find(name string) (int, error) {
	for i := len(t.savepoints) - 1; i >= 0; i-- {
		if t.savepoints[i].name == name {
			return i, nil
		}
	}
	return 0, pgerror.New(pgerror.InvalidSavepointSpecification, "savepoint \"%s\" does not exist", name)
}

func (s *session) rollbackTo(name string) error {
	t := s.tran
	i, err := t.find(name)
	if err != nil {
		return err
	}
	sp := t.savepoints[i]
	t.ops = t.ops[:sp.ops]
	for len(t.statements) > 0 && t.statements[len(t.statements)-1].from >= sp.ops {
		t.statements = t.statements[:len(t.statements)-1]
	}
	t.shown = min(t.shown, sp.ops)
	keys, whole := t.keys, t.whole
	t.index()
	s.node.locks.releaseFrom(s.owner, sp.locks)
	for k := range keys.each() {
		if s.owner.holds(k) || s.owner.holds(tableKey(k.object)) {
			t.keys.add(k)
		}
	}
	for id := range whole.each() {
		if s.owner.holds(tableKey(id)) {
			t.whole.add(id)
		}
	}
	t.schema, t.deferAll, t.deferOne = sp.schema, sp.deferAll, sp.deferOne
	s.pendingNotify = s.pendingNotify[:min(sp.notified, len(s.pendingNotify))]
	t.savepoints = t.savepoints[:i+1]
	t.failed = false
	s.settings.restore(sp.settings.values, sp.settings.local)
	s.reportSettings()
	return nil
}

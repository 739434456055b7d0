package server

import (
	"sync/atomic"

	"layercake/catalog"
	"layercake/pgsql"
)

// shape is what the plan cache keeps for texts that differ only in literals.
type shape struct {
	*pgsql.Shape                                // nil: each text has to be compiled for itself
	plain        atomic.Pointer[catalog.Schema] // with this schema it can't be used
}

// shared finds the plan of a query that differs from an earlier one only in literals, and the literals' values. ok is
// false if there is none: then the query is to be parsed and compiled for itself, which also gives errors their
// positions.
func (s *session) shared(query string) (_ *compiled, _ *pgsql.Statement, _ []catalog.Value, ok bool) {
	pc := s.node.plans
	if len(query) > pc.maxText || s.tran != nil && (s.tran.failed || s.tran.schema != nil) {
		return nil, nil, nil, false
	}
	key, literals, ok := pgsql.Literals(query, s.literals.key[:0], s.literals.list[:0])
	s.literals.key, s.literals.list = key, literals
	if !ok || len(literals) == 0 {
		return nil, nil, nil, false
	}
	sh := pc.shape(key)
	if sh == nil {
		sh = pc.makeShape(key, query, literals)
	}
	if sh.Shape != nil && !sh.Whole() {
		key = sh.Kept(key, query, literals)
		s.literals.key = key
		if sh = pc.shape(key); sh == nil {
			sh = pc.makeShape(key, query, literals)
		}
	}
	schema := s.schema()
	if sh.Shape == nil || sh.plain.Load() == schema {
		return nil, nil, nil, false
	}
	c, err := s.compile(sh.Statement, sh.Types)
	if err != nil || !sh.Suits(c.params) {
		sh.plain.Store(schema)
		return nil, nil, nil, false
	}
	values, ok := sh.Values(query, literals, c.params, &s.settings.output)
	if !ok {
		return nil, nil, nil, false
	}
	return c, sh.Statement, values, true
}

// shape finds a shape by its key.
func (pc *planCache) shape(key []byte) *shape {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if e := pc.shapes.items[string(key)]; e != nil {
		pc.shapes.order.MoveToFront(e)
		return e.Value.(*lruItem[*shape]).value
	}
	return nil
}

// makeShape finds out what texts with a key have in common.
func (pc *planCache) makeShape(key []byte, query string, literals []pgsql.Literal) *shape {
	sh := &shape{}
	if list, err := pc.parse(query); err == nil {
		sh.Shape = pgsql.Parameterize(query, literals, list)
	}
	pc.mu.Lock()
	pc.shapes.put(string(key), sh)
	pc.mu.Unlock()
	return sh
}

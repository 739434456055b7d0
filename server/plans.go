package server

import (
	"container/list"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/pgwire"
	"layercake/replication"
)

// compiled is a plan and what it holds for.
type compiled struct {
	plan   pgsql.Plan
	schema *catalog.Schema
	params []uint32
	cols   []pgsql.Column // nil: returns no rows
	key    string         // the environment that it was compiled in

	wire [2]atomic.Pointer[[]pgwire.Column] // cols as text and as binary, once somebody has asked

	quick atomic.Bool // a SELECT that took less than quickWithin when it last ran
}

// quickWithin is how long a SELECT may take that is run before it is known whether it will have to be run again.
const quickWithin = time.Millisecond

// planCache keeps parsed statements by query text, plans by text and environment, and what query texts that differ only
// in literals have in common.
type planCache struct {
	mu      sync.Mutex
	parsed  lru[[]*pgsql.Statement]
	plans   lru[*compiled]
	shapes  lru[*shape]
	maxText int
}

func newPlanCache(entries int) *planCache {
	return &planCache{parsed: newLRU[[]*pgsql.Statement](entries), plans: newLRU[*compiled](entries),
		shapes: newLRU[*shape](entries), maxText: 16 << 10}
}

// lru is a map with a bound that forgets what was not asked for the longest.
type lru[T any] struct {
	max   int
	items map[string]*list.Element
	order *list.List
}

type lruItem[T any] struct {
	key   string
	value T
}

func newLRU[T any](n int) lru[T] {
	return lru[T]{max: n, items: map[string]*list.Element{}, order: list.New()}
}

func (l *lru[T]) get(k string) (v T, ok bool) {
	e := l.items[k]
	if e == nil {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruItem[T]).value, true
}

func (l *lru[T]) put(k string, v T) {
	if e := l.items[k]; e != nil {
		e.Value.(*lruItem[T]).value = v
		l.order.MoveToFront(e)
		return
	}
	l.items[k] = l.order.PushFront(&lruItem[T]{k, v})
	for len(l.items) > l.max {
		last := l.order.Back()
		delete(l.items, last.Value.(*lruItem[T]).key)
		l.order.Remove(last)
	}
}

// parse splits and parses a query string.
func (pc *planCache) parse(query string) ([]*pgsql.Statement, error) {
	keep := len(query) <= pc.maxText
	if keep {
		pc.mu.Lock()
		b, ok := pc.parsed.get(query)
		pc.mu.Unlock()
		if ok {
			return b, nil
		}
	}
	b, err := pgsql.Parse(query)
	if err == nil && keep {
		pc.mu.Lock()
		pc.parsed.put(query, b)
		pc.mu.Unlock()
	}
	return b, err
}

// environment is what a plan depends on besides the schema and the parameters' types.
func (s *session) environment() string {
	e := &s.lastEnv
	if e.text == "" || e.user != s.user || e.settings != s.settings.env || !slices.Equal(e.path, s.settings.searchPath) {
		*e = environment{user: s.user, settings: s.settings.env, path: slices.Clone(s.settings.searchPath),
			text: s.user + "\x00" + s.database + "\x00" + strings.Join(s.searchPath(), "\x01") + "\x00" + s.settings.env}
	}
	return e.text
}

// environment is the environment's text and what it was made of.
type environment struct {
	user, settings string
	path           []string
	text           string
}

// compile makes the plan of a statement for the session as it is and the schema that this node has now, or finds it in the
// cache.
func (s *session) compile(st *pgsql.Statement, types []uint32) (*compiled, error) {
	schema, env := s.schema(), s.environment()
	shared := len(st.Text) <= s.node.plans.maxText && (s.tran == nil || s.tran.schema == nil)
	var key string
	if shared {
		b := make([]byte, 0, len(env)+len(st.Text)+16+4*len(types))
		b = binary.AppendUvarint(b, uint64(st.Pos))
		for _, t := range types {
			b = binary.LittleEndian.AppendUint32(b, t)
		}
		key = string(b) + "\x00" + env + "\x00" + st.Text
		s.node.plans.mu.Lock()
		c, ok := s.node.plans.plans.get(key)
		s.node.plans.mu.Unlock()
		if ok && c.schema == schema {
			return c, nil
		}
	}
	e := s.env()
	e.Schema = schema
	plan, err := pgsql.Compile(st, e, append([]uint32(nil), types...))
	if err != nil {
		return nil, err
	}
	c := &compiled{plan: plan, schema: schema, key: env}
	if err := s.describe(c); err != nil {
		return nil, err
	}
	switch plan.(type) {
	case *pgsql.Query, *pgsql.Modify:
		if shared {
			s.node.plans.mu.Lock()
			s.node.plans.plans.put(key, c)
			s.node.plans.mu.Unlock()
		}
	}
	return c, nil
}

// compileNow is compile, but what is missing or forbidden here may be there or allowed on the members that the read level
// asks: it says so only after a barrier.
func (s *session) compileNow(ctx context.Context, st *pgsql.Statement, types []uint32) (*compiled, error) {
	before := s.schema()
	c, err := s.compile(st, types)
	if err == nil || s.settings.read == replication.None {
		return c, err
	}
	if err := s.barrier(ctx, true); err != nil {
		return nil, err
	}
	if s.schema() == before {
		return nil, err
	}
	return s.compile(st, types)
}

// describe finds out what a plan takes and returns.
func (s *session) describe(c *compiled) error {
	text := func(names ...string) []pgsql.Column {
		cols := make([]pgsql.Column, len(names))
		for i, n := range names {
			cols[i] = pgsql.Column{Name: n, Type: catalog.TextOID, Typmod: -1}
		}
		return cols
	}
	switch p := c.plan.(type) {
	case *pgsql.Query:
		c.params, c.cols = p.Params, p.Columns
		if c.cols == nil {
			c.cols = []pgsql.Column{}
		}
	case *pgsql.Modify:
		c.params, c.cols = p.Params, p.Returning
	case *pgsql.Show:
		if strings.EqualFold(p.Name, "all") {
			c.cols = text("name", "setting", "description")
			return nil
		}
		name := p.Name
		if d := settingByName[strings.ToLower(p.Name)]; d != nil {
			name = d.name
		} else if !isCustom(p.Name) {
			return pgerror.New(pgerror.UndefinedObject, "unrecognized configuration parameter \"%s\"", p.Name)
		}
		c.cols = text(name)
	case *pgsql.Explain:
		c.cols = text("QUERY PLAN")
		switch of := p.Of.(type) {
		case *pgsql.Query:
			c.params = of.Params
		case *pgsql.Modify:
			c.params = of.Params
		}
	case *pgsql.Fetch:
		if po := s.portals[p.Name]; po != nil && !p.Move {
			c.cols = po.columns()
		}
	case *pgsql.Execute:
		if ps := s.statements[p.Name]; ps != nil && ps.plan != nil {
			c.cols = ps.plan.cols
		}
	}
	return nil
}

// refresh compiles a prepared statement anew if what its plan was made for has changed.
func (s *session) refresh(ctx context.Context, p *prepared) error {
	switch p.plan.plan.(type) {
	case *pgsql.Query, *pgsql.Modify:
	default:
		return s.describe(p.plan)
	}
	if p.plan.schema == s.schema() && p.plan.key == s.environment() {
		return nil
	}
	// Parameter types, once told to the client, stay.
	c, err := s.compileNow(ctx, p.stmt, p.plan.params)
	if err != nil {
		return err
	}
	if !sameColumns(p.plan.cols, c.cols) {
		return pgerror.New(pgerror.FeatureNotSupported, "cached plan must not change result type")
	}
	p.plan = c
	return nil
}

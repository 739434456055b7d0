package pgsql

import (
	"hash/maphash"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Whether GROUP BY, DISTINCT and ORDER BY mean one expression is seen by its SQL. An expression with a query inside has
// names of its own in it each time that it is compiled; so it is compiled once, and found again by its syntax.

// made is an expression that was compiled with names of its own.
type made struct {
	n   *pg.Node
	sum uint64 // of its syntax
	e   *expr
	agg *aggArgs // the aggregate whose arguments it is in
}

// findsAgain says whether expressions of this context are looked for among others of it.
func (s *scope) findsAgain() bool {
	switch s.ctx {
	case ctxGroup, ctxSelect, ctxHaving, ctxOrder, ctxDistinctOn, ctxAggArg:
		return true
	}
	return false
}

// madeBefore finds an expression of the same syntax, nil if there is none.
func (c *compiler) madeBefore(n *pg.Node, s *scope) *expr {
	if len(s.made) == 0 || !s.findsAgain() {
		return nil
	}
	sum := c.syntaxSum(n)
	for i := range s.made {
		if m := &s.made[i]; m.agg == c.agg && m.sum == sum && sameSyntax(m.n.ProtoReflect(), n.ProtoReflect()) {
			return m.e
		}
	}
	return nil
}

// syntaxSum is a checksum of a node that does not depend on where it stands.
func (c *compiler) syntaxSum(n *pg.Node) uint64 {
	sum, ok := c.sums[n]
	if !ok {
		sum = c.messageSum(n.ProtoReflect())
		if c.sums == nil {
			c.sums = map[*pg.Node]uint64{}
		}
		c.sums[n] = sum
	}
	return sum
}

func (c *compiler) messageSum(m protoreflect.Message) uint64 {
	sum := uint64(0)
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Name() == "location" {
			return true
		}
		part := uint64(f.Number())
		add := func(v protoreflect.Value) {
			x := uint64(0)
			switch {
			case f.Message() == nil:
				x = maphash.String(textSeed, v.String())
			default:
				if n, ok := v.Message().Interface().(*pg.Node); ok {
					x = c.syntaxSum(n)
				} else {
					x = c.messageSum(v.Message())
				}
			}
			part = (part ^ x) * 0x9e3779b97f4a7c15
			part ^= part >> 29
		}
		if f.IsList() {
			for i := range v.List().Len() {
				add(v.List().Get(i))
			}
		} else {
			add(v)
		}
		sum += part // fields come in any order
		return true
	})
	return sum
}

var textSeed = maphash.MakeSeed()

// sameSyntax says whether two nodes are the same but for where they stand.
func sameSyntax(a, b protoreflect.Message) bool {
	if a.Descriptor() != b.Descriptor() {
		return false
	}
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Name() == "location" {
			continue
		}
		if a.Has(f) != b.Has(f) {
			return false
		}
		if !a.Has(f) {
			continue
		}
		if !f.IsList() {
			if !sameValue(f, a.Get(f), b.Get(f)) {
				return false
			}
			continue
		}
		x, y := a.Get(f).List(), b.Get(f).List()
		if x.Len() != y.Len() {
			return false
		}
		for k := range x.Len() {
			if !sameValue(f, x.Get(k), y.Get(k)) {
				return false
			}
		}
	}
	return true
}

func sameValue(f protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	if f.Message() != nil {
		return sameSyntax(a.Message(), b.Message())
	}
	return a.Equal(b)
}

package pgsql

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// Compile makes the plan of one statement. paramTypes are the types that the client gave for $1, $2 … (0: to be worked
// out); the plan's Params tell all of them. Errors are *pgerror.Error with positions in the statement's query string.
func Compile(st *Statement, env *Env, paramTypes []uint32) (plan Plan, err error) {
	t, ok := st.tree.(*tree)
	if !ok {
		return nil, pgerror.New(pgerror.InternalError, "statement was not parsed")
	}
	c := newCompiler(env, t.src, paramTypes)
	defer c.rescue(&err)
	plan = c.statement(t.node)
	if d, ok := plan.(*DDL); !ok || d.Tag != "CREATE VIEW" { // a view may be made over what its owner may not read
		c.checkAccess()
	}
	return plan, nil
}

// compiler compiles one statement. Its methods report errors by panicking with a failure, which rescue turns into the
// error of the exported function (as encoding/json and go/parser do): nothing else is ever recovered.
//
// A statement may become several SQLite statements (a query, look-ups of its keys …): each has Args of its own, numbered
// by a compiler of its own that sub returns; they share what is in shared.
type compiler struct {
	*shared
	args    []Arg
	argNums map[argKey]int // args that may be used twice
	rels    int            // aliases handed out

	reads    []catalog.ID
	ranges   []Range
	system   bool
	volatile bool
	unstable bool // depends on tables or the session
	with     []*Modify
	asked    []int // data-modifying WITH queries that are read, in the order in which PostgreSQL would ask for their rows
}

// shared is what all parts of a statement have in common.
type shared struct {
	env        *Env
	src        string // locations are byte offsets into it; "" while a view or a stored expression is compiled
	params     []uint32
	fixed      int // params[:fixed] were given by the client
	doubled    int // FULL JOINs within each other, as deep as in what has been compiled: see maxDoubled
	volatiles  int // calls of volatile functions compiled so far
	deepest    int // depth of the deepest expression of the query at hand
	recursions []recursion
	looped     int                 // loops made
	queries    int                 // how deep queries are nested in the expression at hand
	flats      []flat              // see flatten
	sums       map[*pg.Node]uint64 // see syntaxSum
	views      []uint32            // that are being expanded, each within the one before
	as         string              // the owner of the view being expanded, "" outside of views
	access     []access            // privileges needed
	innerLocks bool                // FOR UPDATE in a subquery is accepted: the statement changes rows
	within     bool                // a data-modifying WITH query is compiled: what it returns goes to other queries
	agg        *aggArgs            // the aggregate whose arguments are being compiled
	uses       *uses               // the query of an EXISTS whose conditions are being compiled
	macro      [][]*expr           // arguments of the SQL-bodied functions being expanded
}

type argKey struct {
	kind  ArgKind
	index int
	name  string
	vkind catalog.Kind
	text  string
	bits  uint64
}

func newCompiler(env *Env, src string, paramTypes []uint32) *compiler {
	sh := &shared{env: env, src: src, params: append([]uint32(nil), paramTypes...), fixed: len(paramTypes)}
	for i, t := range sh.params {
		if t == catalog.UnknownOID {
			sh.params[i] = 0
		}
	}
	return &compiler{shared: sh}
}

// sub returns a compiler for another SQLite statement of the same plan.
func (c *compiler) sub() *compiler { return &compiler{shared: c.shared} }

// beside returns a compiler for another SQLite statement of the same plan, in which the text of s's WITH queries may stand:
// that is numbered with the arguments of c.
func (c *compiler) beside(s *scope) *compiler {
	if len(s.ctes) > 0 {
		return c
	}
	return c.sub()
}

// statement dispatches on the statement's node.
func (c *compiler) statement(n *pg.Node) Plan {
	switch n.Node.(type) {
	case *pg.Node_SelectStmt:
		if sel := n.GetSelectStmt(); !selectHasInto(sel) {
			return c.selectStatement(sel)
		}
	}
	c.innerLocks = true
	return c.otherStatement(n)
}

// selectHasInto says whether the query is SELECT … INTO, which is CREATE TABLE AS.
func selectHasInto(sel *pg.SelectStmt) bool {
	for sel.Op != pg.SetOperation_SETOP_NONE && sel.Larg != nil {
		sel = sel.Larg
	}
	return sel.IntoClause != nil
}

// failure is the panic value of fail.
type failure struct{ err *pgerror.Error }

// fail ends the compilation.
func (c *compiler) fail(err *pgerror.Error) { panic(failure{err}) }

// failAt ends the compilation with an error at a node's location (a byte offset, -1: none).
func (c *compiler) failAt(loc int32, code, format string, args ...any) {
	panic(failure{pgerror.New(code, format, args...).At(c.position(loc))})
}

// unsupported ends the compilation with 0A000.
func (c *compiler) unsupported(loc int32, format string, args ...any) {
	c.failAt(loc, pgerror.FeatureNotSupported, "%s is not supported", fmt.Sprintf(format, args...))
}

// check ends the compilation when err is not nil, placing an error without a position at loc.
func (c *compiler) check(err error, loc int32) {
	if err == nil {
		return
	}
	e := *pgerror.From(err)
	if e.Position == 0 {
		e.Position = c.position(loc)
	}
	panic(failure{&e})
}

// rescue is to be deferred by whatever calls compiler methods from outside.
func (c *compiler) rescue(err *error) {
	switch r := recover().(type) {
	case nil:
	case failure:
		*err = r.err
	default:
		panic(r)
	}
}

// position turns a location into an error position: 1-based, in characters.
func (c *compiler) position(loc int32) int {
	if loc < 0 || int(loc) > len(c.src) || c.src == "" {
		return 0
	}
	return utf8.RuneCountInString(c.src[:loc]) + 1
}

// arg places an argument and returns its SQL, "?n". Equal arguments share a number, so that equal expressions have equal
// SQL.
func (c *compiler) arg(a Arg) string {
	k := argKey{kind: a.Kind, index: a.Index, name: a.Name}
	if a.Kind == ArgConst {
		k.vkind, k.text = a.Value.Kind, string(a.Value.Bytes)
		switch a.Value.Kind {
		case catalog.Integer:
			k.bits = uint64(a.Value.Int())
		case catalog.Real:
			k.bits = math.Float64bits(a.Value.Float())
		}
	}
	n, ok := c.argNums[k]
	if !ok {
		if c.argNums == nil {
			c.argNums = make(map[argKey]int, 8)
		}
		c.args = append(c.args, a)
		n = len(c.args)
		c.argNums[k] = n
	}
	return "?" + strconv.Itoa(n)
}

// konst places a constant.
func (c *compiler) konst(v catalog.Value) string {
	if v.IsNull() {
		return "NULL"
	}
	return c.arg(Arg{Kind: ArgConst, Value: v})
}

// session places a value of the session.
func (c *compiler) session(name string) string {
	c.unstable = true
	return c.arg(Arg{Kind: ArgSession, Name: name})
}

// alias returns a new table alias.
func (c *compiler) alias() string {
	c.rels++
	return "t" + strconv.Itoa(c.rels)
}

// finish makes the Query of the SQL text: it keeps the arguments that the text uses, renumbered in order of appearance.
func (c *compiler) finish(sql string, cols []Column, tag string) *Query {
	q := &Query{Columns: cols, Tag: tag}
	q.SQL, q.Args = c.renumber(sql, c.indexed())
	q.Reads, q.System, q.Volatile = c.reads, c.system, c.volatile
	q.Stable = len(c.reads) == 0 && !c.system && !c.volatile && !c.unstable
	q.With, q.Asked, q.Ranges = c.with, c.asked, c.ranges
	q.Params = c.params
	return q
}

// indexed returns the SQL of the indexes on expressions, and of the predicates of partial ones, of the tables that are read.
func (c *compiler) indexed() (sql []string) {
	for _, id := range c.reads {
		t := c.env.Schema.RelationByID(id)
		if t == nil {
			continue
		}
		for _, i := range t.Indexes {
			if i.PhysWhere != "" {
				sql = append(sql, i.PhysWhere)
			}
			for k, key := range i.Keys {
				if key.Expr != "" && k < len(i.PhysKeys) {
					sql = append(sql, i.PhysKeys[k])
				}
			}
		}
	}
	return sql
}

// renumber keeps the arguments that the text uses, in order of appearance. SQLite refuses more than 32,766 parameters:
// the rest is packed into rows of 100 values, which lc_item takes apart.
//
// Constants that occur in indexed, the SQL of indexes, are written into the text: SQLite would not see that an expression
// with a parameter in it is an index's.
func (c *compiler) renumber(sql string, indexed []string) (string, []Arg) {
	if len(c.args) == 0 {
		return sql, nil
	}
	const direct, pack = 32000, 100
	nums := make([]int, len(c.args)+1)
	var used []Arg
	var b strings.Builder
	b.Grow(len(sql) + 8)
	start := 0
	for i := 0; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"':
			j := strings.IndexByte(sql[i+1:], sql[i])
			if j < 0 {
				i = len(sql)
			} else {
				i += j + 1
			}
		case '?':
			j, n := i+1, 0
			for j < len(sql) && sql[j] >= '0' && sql[j] <= '9' {
				n = n*10 + int(sql[j]-'0')
				j++
			}
			if n == 0 || n > len(c.args) {
				continue
			}
			if a := &c.args[n-1]; a.Kind == ArgConst && len(indexed) > 0 {
				lit := literal(a.Value)
				if slices.ContainsFunc(indexed, func(in string) bool { return strings.Contains(in, lit) }) {
					b.WriteString(sql[start:i] + lit)
					start, i = j, j-1
					continue
				}
			}
			if nums[n] == 0 {
				used = append(used, c.args[n-1])
				nums[n] = len(used)
			}
			b.WriteString(sql[start:i])
			if m := nums[n]; m <= direct {
				b.WriteByte('?')
				b.WriteString(strconv.Itoa(m))
			} else {
				m -= direct + 1
				fmt.Fprintf(&b, "lc_item(?%d,%d)", direct+1+m/pack, m%pack)
			}
			start, i = j, j-1
		}
	}
	b.WriteString(sql[start:])
	if len(used) > direct {
		rest := used[direct:]
		used = used[:direct:direct]
		for len(rest) > 0 {
			n := min(pack, len(rest))
			used = append(used, Arg{Kind: ArgPack, Pack: rest[:n:n]})
			rest = rest[n:]
		}
	}
	return b.String(), used
}

// paramType is the type of $n (from 0), 0 while it is not known.
func (c *compiler) paramType(n int) uint32 {
	if n < len(c.params) {
		return c.params[n]
	}
	return 0
}

// setParam gives $n (from 0) its type.
func (c *compiler) setParam(n int, typ uint32) {
	for len(c.params) <= n {
		c.params = append(c.params, 0)
	}
	c.params[n] = typ
}

// checkParams ends the compilation when the type of a parameter could not be told.
func (c *compiler) checkParams() {
	for i, t := range c.params {
		if t == 0 {
			c.fail(pgerror.New(pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", i+1))
		}
	}
}

// quoteIdent quotes an SQLite identifier.
func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteText quotes an SQLite string.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// call is a function call whose arguments are compiled.
type call struct {
	name  string // of a special Impl, without "@"
	fn    *catalog.Function
	args  []*expr
	ret   uint32
	loc   int32
	scope *scope
	node  *pg.FuncCall

	array bool // the last argument is the array of a VARIADIC parameter
}

// funcName takes a function's name apart.
func (c *compiler) funcName(names []*pg.Node, loc int32) (schema, name string) {
	switch len(names) {
	case 1:
		return "", names[0].GetString_().GetSval()
	case 2:
		return names[0].GetString_().GetSval(), names[1].GetString_().GetSval()
	case 3:
		return names[1].GetString_().GetSval(), names[2].GetString_().GetSval()
	}
	c.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names)")
	return "", ""
}

// funcCall compiles a call of any kind of function.
func (c *compiler) funcCall(n *pg.FuncCall, s *scope) *expr {
	schema, name := c.funcName(n.Funcname, n.Location)
	if n.AggOrder != nil || n.AggFilter != nil || n.Over != nil || n.AggDistinct || n.AggStar || c.isAggregate(schema, name) {
		return c.aggregateCall(n, schema, name, s)
	}
	if e := c.syntaxCall(n, schema, name, s); e != nil {
		return e
	}
	x := c.resolveCall(n, schema, name, c.callArgs(n, s), s)
	if x.fn == nil {
		return x.args[0] // a cast in the guise of a call
	}
	return c.applyCall(x)
}

// callArgs compiles the arguments. A parameter that the client has given the type void is none: it is how JDBC hands
// over the OUT parameters of a CallableStatement, and PostgreSQL drops them likewise.
func (c *compiler) callArgs(n *pg.FuncCall, s *scope) []*expr {
	args := make([]*expr, 0, len(n.Args))
	for _, a := range n.Args {
		if na := a.GetNamedArgExpr(); na != nil {
			args = append(args, c.expr(na.Arg, s))
			continue
		}
		if p := a.GetParamRef(); p != nil && p.Number > 0 && int(p.Number) <= c.fixed && c.params[p.Number-1] == catalog.VoidOID && !hasNamedArg(n) {
			continue
		}
		args = append(args, c.expr(a, s))
	}
	return args
}

func hasNamedArg(n *pg.FuncCall) bool {
	return slices.ContainsFunc(n.Args, func(a *pg.Node) bool { return a.GetNamedArgExpr() != nil })
}

// argNames lists the names of the arguments of a call in named notation; nil: there are none.
func (c *compiler) argNames(n *pg.FuncCall) []string {
	var names []string
	for i, a := range n.Args {
		na := a.GetNamedArgExpr()
		if na == nil {
			if names != nil {
				c.failAt(n.Location, pgerror.SyntaxError, "positional argument cannot follow named argument")
			}
			continue
		}
		if names == nil {
			names = make([]string, len(n.Args))
		}
		names[i] = na.Name
	}
	return names
}

// byName puts the arguments of a call in named notation into the order of the function's parameters, with nil where a
// default stands. found is false when no function has such parameters.
func (c *compiler) byName(schema, name string, names []string, args []*expr) (fn *catalog.Function, ordered []*expr, found bool) {
next:
	for _, f := range catalog.FunctionsNamed(name) {
		if !c.visible(f, schema) || len(f.Args) < len(args) {
			continue
		}
		ordered = make([]*expr, len(f.Args))
		for i, a := range args {
			at := i
			if names[i] != "" {
				at = slices.Index(f.ArgNames, names[i])
			}
			if at < 0 || ordered[at] != nil || !canCoerce(argType(a), f.Args[at], implicitCast) {
				continue next
			}
			ordered[at] = a
		}
		for i, a := range ordered {
			if a == nil && i < len(f.Args)-len(f.ArgDefaults) {
				continue next
			}
		}
		return f, ordered, true
	}
	return nil, nil, false
}

// fillDefaults compiles the defaults of the arguments that a call leaves out.
func (c *compiler) fillDefaults(f *catalog.Function, args []*expr) []*expr {
	first := len(f.Args) - len(f.ArgDefaults)
	for i := first; i < len(f.Args); i++ {
		if i < len(args) && args[i] != nil {
			continue
		}
		n, err := parseExpr(f.ArgDefaults[i-first])
		c.check(err, -1)
		src := c.src
		c.src = ""
		e := c.expr(n, &scope{})
		c.src = src
		if e.isUnknown() {
			e = c.coerceType(e, f.Args[i], explicitCast)
		}
		if i < len(args) {
			args[i] = e
		} else {
			args = append(args, e)
		}
	}
	return args
}

// visible says whether a function may be called under a schema name ("": by the search path).
func (c *compiler) visible(f *catalog.Function, schema string) bool {
	if schema != "" {
		return f.Schema == schema
	}
	return f.Schema == "pg_catalog" || slices.Contains(c.env.SearchPath, f.Schema)
}

// candidates lists the functions that take n arguments.
func (c *compiler) candidates(schema, name string, n int, array bool) []candidate {
	var list []candidate
	for _, f := range catalog.FunctionsNamed(name) {
		if !c.visible(f, schema) {
			continue
		}
		k := len(f.Args)
		if f.Variadic && !array && n >= k-1 && k > 0 {
			elem := f.Args[k-1]
			switch elem {
			case catalog.AnyOID:
			case catalog.AnyarrayOID:
				elem = catalog.AnyelementOID
			case catalog.AnycompatiblearrayOID:
				elem = catalog.AnycompatibleOID
			default:
				elem = catalog.ElemOf(elem)
			}
			args := append(make([]uint32, 0, n), f.Args[:k-1]...)
			for len(args) < n {
				args = append(args, elem)
			}
			if n >= k {
				list = append(list, candidate{args: args, fn: f, variadic: true})
			}
			continue
		}
		if n == k || n < k && n >= k-f.Defaults {
			list = append(list, candidate{args: f.Args[:n:n], fn: f, defaults: k - n})
		}
	}
	return list
}

// resolveCall finds the function of a call. A call that is a cast in disguise ("date('…')") has fn nil and the
// converted value as its only argument.
func (c *compiler) resolveCall(n *pg.FuncCall, schema, name string, args []*expr, s *scope) *call {
	types := make([]uint32, len(args))
	for i, a := range args {
		types[i] = argType(a)
	}
	list := c.candidates(schema, name, len(args), n.FuncVariadic)
	var best candidate
	found := false
	if names := c.argNames(n); names != nil {
		list = nil
		if f, ordered, ok := c.byName(schema, name, names, args); ok {
			args = c.fillDefaults(f, ordered)
			best, found = candidate{args: f.Args, fn: f}, true
		}
	}
	for i := range list {
		if slices.Equal(list[i].args, types) && !(found && best.variadic != list[i].variadic && list[i].variadic) {
			best, found = list[i], true
		}
	}
	if !found && len(args) == 1 {
		if oid := c.typeByName(schema, name); oid != 0 && (schema == "" || schema == "pg_catalog") {
			if f := c.castCall(args[0], oid, n.Location); f != nil {
				return &call{args: []*expr{f}, ret: oid, loc: n.Location}
			}
		}
	}
	if !found {
		kept := matching(list, types)
		switch len(kept) {
		case 0:
		case 1:
			best, found = kept[0], true
		default:
			if best, found = choose(kept, types); !found {
				e := pgerror.New(pgerror.AmbiguousFunction, "function %s is not unique", c.signature(schema, name, types))
				c.fail(e.WithHint("Could not choose a best candidate function. You might need to add explicit type casts.").At(c.position(n.Location)))
			}
		}
	}
	if !found {
		c.unknownFunction(schema, name, n.Location)
		e := pgerror.New(pgerror.UndefinedFunction, "function %s does not exist", c.signature(schema, name, types))
		c.fail(e.WithHint("No function matches the given name and argument types. You might need to add explicit type casts.").At(c.position(n.Location)))
	}
	if best.defaults > 0 {
		args = c.fillDefaults(best.fn, args)
		best.args = best.fn.Args
	}
	if strings.Contains(name, "json") {
		for i, a := range args { // only here are the names of a row's fields known
			if a.kind == exprRow {
				f := *c.rowToJSON(a, strings.HasPrefix(name, "jsonb"), a.loc)
				f.typ = catalog.RecordOID // with ready JSON as its value, which the json functions know
				args[i] = &f
			}
		}
	}
	actual, ret := c.settle(best.args, args, best.fn.Ret)
	for i := range args {
		a := c.coerceType(args[i], actual[i], implicitCast)
		if a == nil {
			c.failAt(n.Location, pgerror.UndefinedFunction, "function %s does not exist", c.signature(schema, name, types))
		}
		if a.isUnknown() && actual[i] == catalog.AnyOID {
			if best.fn.Variadic || a.kind == exprParam {
				if a.kind == exprParam {
					c.failAt(a.loc, pgerror.IndeterminateDatatype, "could not determine data type of parameter $%d", a.num+1)
				}
				a = c.resolveUnknown(a)
			}
		}
		if catalog.IsReg(a.typ) && strings.Contains(best.fn.Impl, "$env") {
			a = c.regOut(a) // it shows its argument as text
		}
		args[i] = a
	}
	x := &call{fn: best.fn, args: args, ret: ret, loc: n.Location, scope: s, node: n, array: n.FuncVariadic}
	if best.variadic {
		c.foldVariadic(x, &best)
	}
	return x
}

// castCall is a call of a type's name with one argument, where PostgreSQL takes it for a cast.
func (c *compiler) castCall(a *expr, typ uint32, loc int32) *expr {
	if a.isUnknown() {
		return c.coerceType(a, typ, explicitCast)
	}
	cast, ok := catalog.FindCast(a.typ, typ)
	if !ok {
		return nil
	}
	if cast.Impl == "" || (category(a.typ) == 'S') != (category(typ) == 'S') {
		return c.coerceType(a, typ, explicitCast)
	}
	return nil
}

func (c *compiler) signature(schema, name string, types []uint32) string {
	var b strings.Builder
	if schema != "" {
		b.WriteString(schema)
		b.WriteByte('.')
	}
	b.WriteString(name)
	b.WriteByte('(')
	for i, t := range types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(typeDisplay(t))
	}
	b.WriteByte(')')
	return b.String()
}

// foldVariadic makes an array of the variadic arguments where the Impl wants one (see catalog.Function).
func (c *compiler) foldVariadic(x *call, best *candidate) {
	f := x.fn
	k := len(f.Args)
	if strings.HasPrefix(f.Impl, "@") || !strings.Contains(f.Impl, "$") || strings.Contains(f.Impl, "args") {
		return
	}
	elem := best.args[k-1]
	if k-1 < len(x.args) {
		elem = x.args[k-1].typ
	}
	arr := c.arrayOf(x.args[k-1:], elem, x.loc)
	x.args = append(x.args[:k-1:k-1], arr)
	x.array = true
}

// arrayOf makes an array value of elements of one type.
func (c *compiler) arrayOf(elems []*expr, elem uint32, loc int32) *expr {
	if len(elems) > maxArgs {
		l, r := c.arrayOf(elems[:len(elems)/2], elem, loc), c.arrayOf(elems[len(elems)/2:], elem, loc)
		return c.emit(&template{impl: "lc_array_cat($1, $2, $t1)", args: []*expr{l, r}, ret: l.typ, typmod: -1}, loc)
	}
	t := template{impl: "lc_array($rt, $args)", args: elems, ret: elem, typmod: -1}
	if len(elems) == 0 {
		t.impl = "lc_array($rt)"
	}
	e := c.emit(&t, loc)
	e.typ = catalog.ArrayOf(elem)
	return e
}

// applyCall emits a resolved call.
func (c *compiler) applyCall(x *call) *expr {
	f := x.fn
	if f.Volatility == 'v' {
		c.markVolatile(x)
	} else if f.Volatility == 's' {
		c.unstable = true
	}
	if x.ret == catalog.VoidOID && f.Impl == "" {
		return null(catalog.VoidOID, x.loc)
	}
	if f.Impl == "" {
		c.unsupported(x.loc, "function %s", f.Name)
	}
	if f.RetSet {
		return c.setReturning(x)
	}
	if f.Impl == "@cast" {
		return c.cast(x.args[0], x.ret, -1, x.loc)
	}
	if strings.HasPrefix(f.Impl, "@") {
		x.name = f.Impl[1:]
		return c.special(x)
	}
	return c.emitCall(x)
}

// emitCall emits a plain call.
func (c *compiler) emitCall(x *call) *expr {
	impl := x.fn.Impl
	for _, a := range x.args {
		c.searchable(impl, a.typ, x.loc)
	}
	t := template{impl: impl, args: x.args, ret: x.ret, typmod: -1}
	if isComparison(impl) {
		t.impl, t.collate = bareImpl(impl), true
	}
	return c.emit(&t, x.loc)
}

// markVolatile notes a call that must not run twice unseen.
func (c *compiler) markVolatile(x *call) {
	c.volatiles++
	switch x.fn.Name {
	case "random", "gen_random_uuid", "clock_timestamp", "timeofday":
		c.unstable = true
	default:
		c.volatile = true
	}
}

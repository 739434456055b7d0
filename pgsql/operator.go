package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// operatorName takes a possibly qualified operator name apart.
func (c *compiler) operatorName(names []*pg.Node, loc int32) string {
	switch len(names) {
	case 1:
		return names[0].GetString_().GetSval()
	case 2:
		if s := names[0].GetString_().GetSval(); s != "pg_catalog" {
			c.failAt(loc, pgerror.UndefinedFunction, "operator does not exist: %s.%s", s, names[1].GetString_().GetSval())
		}
		return names[1].GetString_().GetSval()
	}
	c.failAt(loc, pgerror.SyntaxError, "improper qualified name (too many dotted names)")
	return ""
}

// findOperator resolves an operator by the types of its operands (0 as left: a prefix operator). nil, ambiguous when
// there is none or no best one.
func findOperator(name string, left, right uint32) (op *catalog.Operator, ambiguous bool) {
	all := catalog.OperatorsNamed(name)
	el, er := left, right
	if left != 0 {
		if el == catalog.UnknownOID {
			el = right
		} else if er == catalog.UnknownOID {
			er = left
		}
	}
	for _, o := range all {
		if o.Left == el && o.Right == er {
			return o, false
		}
	}
	args := []uint32{left, right}
	if left == 0 {
		args = args[1:]
	}
	var list []candidate
	for _, o := range all {
		if (o.Left == 0) != (left == 0) {
			continue
		}
		params := []uint32{o.Left, o.Right}
		if left == 0 {
			params = params[1:]
		}
		list = append(list, candidate{args: params, op: o})
	}
	list = matching(list, args)
	switch len(list) {
	case 0:
		return nil, false
	case 1:
		return list[0].op, false
	}
	best, ok := choose(list, args)
	if !ok {
		return nil, true
	}
	return best.op, false
}

// isComparison tells the operators whose Impl is SQLite's own comparison.
func isComparison(impl string) bool {
	switch bareImpl(impl) {
	case "$1 = $2", "$1 <> $2", "$1 < $2", "$1 <= $2", "$1 > $2", "$1 >= $2":
		return true
	}
	return false
}

// bareImpl is an Impl without the collation that it names: comparisons put it on both sides themselves.
func bareImpl(impl string) string {
	if i := strings.Index(impl, " COLLATE "); i >= 0 && strings.HasPrefix(impl, "$1 ") && !strings.Contains(impl[i+9:], " ") {
		return impl[:i]
	}
	return impl
}

// keyedImpl is the Impl of a comparison of arrays with the function that keys those of type typ.
func keyedImpl(impl string, typ uint32) string {
	if fn := catalog.KeyFunction(typ); fn != "" && fn != "lc_array_key" && catalog.ElemOf(typ) != 0 {
		return strings.ReplaceAll(impl, "lc_array_key(", fn+"(")
	}
	return impl
}

// searchable refuses to look for rows in an array of rows by the functions that compare elements as they are stored.
func (c *compiler) searchable(impl string, typ uint32, loc int32) {
	if typ != catalog.RecordArrayOID {
		return
	}
	for _, fn := range []string{"contains", "overlap", "position", "remove", "replace"} {
		if strings.HasPrefix(impl, "lc_array_"+fn) {
			c.unsupported(loc, "a search for rows in an array")
		}
	}
}

// binary applies an operator (l nil: prefix).
func (c *compiler) binary(name string, l, r *expr, loc int32) *expr {
	lt, rt := uint32(0), argType(r)
	if l != nil {
		if l.kind == exprRow && r.kind == exprRow {
			return c.rowComparison(name, l, r, loc)
		}
		lt = argType(l)
		if lt == catalog.RecordOID && rt == catalog.RecordOID {
			c.unsupported(loc, "comparison of values of type record")
		}
	}
	op, ambiguous := findOperator(name, lt, rt)
	if op == nil {
		c.operatorError(name, lt, rt, ambiguous, loc)
	}
	e := c.applyOperator(op, l, r, loc)
	if l != nil {
		e.loc = startOf(loc, l.loc)
	}
	return e
}

// startOf is where an expression begins, as errors show it.
func startOf(a, b int32) int32 {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

func (c *compiler) operatorError(name string, lt, rt uint32, ambiguous bool, loc int32) {
	if (name == "@?" || name == "@@") && lt == catalog.JSONBOID && rt == catalog.UnknownOID {
		c.unsupported(loc, "jsonb %s jsonpath", name)
	}
	shown := name + " " + typeDisplay(rt)
	if lt != 0 {
		shown = typeDisplay(lt) + " " + shown
	}
	e := pgerror.New(pgerror.UndefinedFunction, "operator does not exist: %s", shown)
	if ambiguous {
		e = pgerror.New(pgerror.AmbiguousFunction, "operator is not unique: %s", shown)
		e.Hint = "Could not choose a best candidate operator. You might need to add explicit type casts."
	} else if lt == 0 {
		e.Hint = "No operator matches the given name and argument type. You might need to add an explicit type cast."
	} else {
		e.Hint = "No operator matches the given name and argument types. You might need to add explicit type casts."
	}
	c.fail(e.At(c.position(loc)))
}

// text || anynonarray and anynonarray || text.
const opTextAny, opAnyText = 2779, 2780

// applyOperator converts the operands and emits the call.
func (c *compiler) applyOperator(op *catalog.Operator, l, r *expr, loc int32) *expr {
	params, args := []uint32{op.Left, op.Right}, []*expr{l, r}
	if l == nil {
		params, args = params[1:], args[1:]
	}
	actual, ret := c.settle(params, args, op.Ret)
	for i := range args {
		a := c.coerceType(args[i], actual[i], implicitCast)
		if a == nil {
			c.operatorError(op.Name, argTypeOr(l), argType(r), false, loc)
		}
		args[i] = a
	}
	if op.OID == opTextAny || op.OID == opAnyText { // defined as a cast and ||
		for i, a := range args {
			args[i] = c.cast(a, catalog.TextOID, -1, loc)
		}
		l, r = args[0], args[1]
		return c.concat(c.emit(&template{impl: "$1 || $2", args: args, ret: ret, typmod: -1}, loc), l, r)
	}
	if op.Impl == "" {
		c.unsupported(loc, "operator %s", op.Name)
	}
	if strings.HasPrefix(op.Impl, "@") {
		return c.special(&call{name: op.Impl[1:], args: args, ret: ret, loc: loc})
	}
	c.searchable(op.Impl, actual[0], loc)
	impl := op.Impl
	if l != nil {
		impl = comparisonImpl(op, args[0], args[1])
	}
	t := template{impl: keyedImpl(impl, actual[0]), args: args, ret: ret, typmod: -1}
	if isComparison(impl) {
		t.impl, t.collate = bareImpl(impl), true
	}
	e := c.emit(&t, loc)
	if l != nil {
		e = c.narrowed(op, e, args[0], args[1])
	}
	if op.Impl == "$1 || $2" {
		return c.concat(e, args[0], args[1])
	}
	return c.prefixed(e, op.Impl, args[0], args[len(args)-1], loc)
}

func argTypeOr(e *expr) uint32 {
	if e == nil {
		return 0
	}
	return argType(e)
}

// concat balances long chains of ||, which associates.
func (c *compiler) concat(e, l, r *expr) *expr {
	parts := append(append([]string(nil), l.concat...), r.concat...)
	if l.concat == nil {
		parts = []string{c.operand(l)}
		if r.concat != nil {
			parts = append(parts, r.concat...)
		} else {
			parts = append(parts, c.operand(r))
		}
	} else if r.concat == nil {
		parts = append(parts, c.operand(r))
	}
	if len(parts) < 100 {
		e.concat = parts
		return e
	}
	e.sql = "(" + balance(parts, " || ") + ")"
	e.atomic, e.depth, e.nest, e.concat = true, 12+max(l.depth%100, r.depth%100), 12+max(l.nest%100, r.nest%100), []string{e.sql}
	return e
}

// balance joins operands of an associative operator as a tree of logarithmic depth.
func balance(parts []string, op string) string {
	if len(parts) <= 8 {
		return strings.Join(parts, op)
	}
	m := len(parts) / 2
	return "(" + balance(parts[:m], op) + ")" + op + "(" + balance(parts[m:], op) + ")"
}

// comparisonOf compares two expressions by an operator's name, as = in NULLIF, IN, USING.
func (c *compiler) comparisonOf(name string, l, r *expr, loc int32) *expr {
	return c.binary(name, l, r, loc)
}

// rowComparison compares two rows element by element, as row values of SQLite.
func (c *compiler) rowComparison(name string, l, r *expr, loc int32) *expr {
	if len(l.row) != len(r.row) {
		c.failAt(loc, pgerror.SyntaxError, "unequal number of entries in row expressions")
	}
	if len(l.row) == 0 {
		c.failAt(loc, pgerror.FeatureNotSupported, "cannot compare rows of zero length")
	}
	switch name {
	case "=", "<>", "<", "<=", ">", ">=":
	default:
		e := pgerror.New(pgerror.FeatureNotSupported, "could not determine interpretation of row comparison operator %s", name)
		c.fail(e.WithHint("Row comparison operators must be associated with btree operator families.").At(c.position(loc)))
	}
	ls, rs := make([]string, len(l.row)), make([]string, len(r.row))
	depth := 0
	for i := range l.row {
		a, b := c.comparable(name, l.row[i], r.row[i], loc)
		ls[i], rs[i] = c.collated(a), c.collated(b)
		depth = max(depth, a.depth, b.depth)
	}
	if len(ls) == 1 {
		return &expr{sql: ls[0] + " " + name + " " + rs[0], typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 1}
	}
	return &expr{
		sql: "(" + strings.Join(ls, ", ") + ") " + name + " (" + strings.Join(rs, ", ") + ")",
		typ: catalog.BoolOID, typmod: -1, loc: loc, depth: depth + 2,
	}
}

// leftOperand is l as the operator that is chosen for l and r takes it, which is what NULLIF returns.
func (c *compiler) leftOperand(name string, l, r *expr) *expr {
	op, _ := findOperator(name, argType(l), argType(r))
	actual, _ := c.settle([]uint32{op.Left, op.Right}, []*expr{l, r}, op.Ret)
	if e := c.coerceType(l, actual[0], implicitCast); e != nil {
		return e
	}
	return l
}

// splits says whether comparable takes the operands.
func (c *compiler) splits(name string, l, r *expr) bool {
	if l.kind == exprRow || r.kind == exprRow {
		return false
	}
	op, _ := findOperator(name, argType(l), argType(r))
	return op != nil && op.Left != catalog.RecordOID && (isComparison(op.Impl) || strings.Contains(op.Impl, " "+op.Name+" "))
}

// comparable converts two operands for a comparison that SQLite makes itself: their stored forms then compare as the
// operator does.
func (c *compiler) comparable(name string, l, r *expr, loc int32) (*expr, *expr) {
	op, ambiguous := findOperator(name, argType(l), argType(r))
	if op == nil {
		c.operatorError(name, argType(l), argType(r), ambiguous, loc)
	}
	args := []*expr{l, r}
	actual, _ := c.settle([]uint32{op.Left, op.Right}, args, op.Ret)
	for i := range args {
		if args[i] = c.coerceType(args[i], actual[i], implicitCast); args[i] == nil {
			c.operatorError(name, argType(l), argType(r), false, loc)
		}
	}
	if isComparison(op.Impl) {
		return args[0], args[1]
	}
	// "f($1) < g($2)": take the sides apart
	sides := strings.SplitN(keyedImpl(comparisonImpl(op, args[0], args[1]), actual[0]), " "+op.Name+" ", 2)
	if len(sides) != 2 || op.Left == catalog.RecordOID {
		c.unsupported(loc, "comparison of %s and %s here", typeDisplay(op.Left), typeDisplay(op.Right))
	}
	for i, side := range sides {
		if side != "$1" && side != "$2" {
			t := template{impl: side, args: []*expr{args[0], args[1]}, ret: actual[1-i], typmod: -1}
			args[i] = c.emit(&t, args[i].loc)
		}
	}
	return args[0], args[1]
}

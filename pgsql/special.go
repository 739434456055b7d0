package pgsql

import (
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// special compiles a call of a function whose Impl is "@name".
func (c *compiler) special(x *call) *expr {
	if text, ok := macros[x.name]; ok {
		return c.expandMacro(text, x)
	}
	if f, ok := specials[x.name]; ok {
		return f(c, x)
	}
	name := x.name
	if x.fn != nil {
		name = x.fn.Name
	}
	c.unsupported(x.loc, "function %s", name)
	return nil
}

// specialCast compiles a cast whose Impl is "@name".
func (c *compiler) specialCast(name string, e *expr, typ uint32) *expr {
	switch name {
	case "reg_in":
		return c.regIn(e, typ)
	case "reg_out":
		f := *c.regOut(e)
		f.typ = typ
		return &f
	}
	c.unsupported(e.loc, "cast from %s to %s", typeDisplay(e.typ), typeDisplay(typ))
	return nil
}

// syntaxCall compiles the calls that are not resolved by name and types. nil: it is none of them.
func (c *compiler) syntaxCall(n *pg.FuncCall, schema, name string, s *scope) *expr {
	if schema == "information_schema" && name == "_pg_expandarray" && len(n.Args) == 1 {
		e := c.expr(n.Args[0], s)
		elem := catalog.ElemOf(e.typ)
		if elem == 0 {
			return nil
		}
		fn := &catalog.Function{Name: name, RetSet: true, Impl: "@expandarray", Kind: 'f', Volatility: 'i',
			OutNames: []string{"x", "n"}, OutTypes: []uint32{elem, catalog.Int4OID}}
		return c.setReturning(&call{fn: fn, args: []*expr{e}, ret: catalog.RecordOID, loc: n.Location, scope: s})
	}
	if schema != "" && schema != "pg_catalog" {
		return nil
	}
	switch name {
	case "row_to_json", "to_json", "to_jsonb":
		if len(n.Args) >= 1 && len(n.Args) <= 2 {
			e := c.expr(n.Args[0], s)
			if e.kind == exprRow {
				return c.rowToJSON(e, name == "to_jsonb", n.Location)
			}
		}
	}
	return nil
}

// rowToJSON writes a row as a JSON object.
func (c *compiler) rowToJSON(e *expr, jsonb bool, loc int32) *expr {
	typ, fn, sep, colon := catalog.JSONOID, "lc_to_json_null", ",", ":"
	if jsonb {
		typ, fn, sep, colon = catalog.JSONBOID, "lc_to_jsonb_null", ", ", ": "
	}
	parts := []string{"'{'"}
	for i, x := range e.row {
		var f *expr
		if x.kind == exprRow {
			f = c.rowToJSON(x, jsonb, loc)
		} else {
			if x = c.resolveUnknown(x); catalog.IsReg(x.typ) {
				x = c.regOut(x)
			}
			f = c.emit(&template{impl: fn + "($1, $t1, $m1, $env)", args: []*expr{x}, ret: typ, typmod: -1}, loc)
		}
		key := jsonString(e.rowNames[i]) + colon
		if i > 0 {
			key = sep + key
		}
		parts = append(parts, quoteText(key), c.operand(f))
	}
	parts = append(parts, "'}'")
	sql := balance(parts, " || ")
	if jsonb {
		sql = "lc_jsonb(" + sql + ")"
	}
	if e.presence != "" {
		sql = "CASE WHEN " + e.presence + " THEN " + sql + " END"
	}
	f := plain("("+sql+")", typ, true, loc)
	f.depth = 12
	return f
}

// jsonString quotes a JSON string.
func jsonString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20:
			b.WriteString(`\u00` + string("0123456789abcdef"[r>>4]) + string("0123456789abcdef"[r&15]))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// macroNodes keeps the parsed bodies of macros.
var macroNodes sync.Map // text → *pg.Node

// expandMacro compiles a function that has a body of PostgreSQL text, in which $1 … are its arguments.
func (c *compiler) expandMacro(text string, x *call) *expr {
	v, ok := macroNodes.Load(text)
	if !ok {
		n, err := parseExpr(text)
		c.check(err, x.loc)
		v, _ = macroNodes.LoadOrStore(text, n)
	}
	src, as := c.src, c.as
	c.src, c.as = "", systemOwner // the arguments are compiled already
	c.macro = append(c.macro, x.args)
	e := c.expr(v.(*pg.Node), &scope{ctx: ctxNone})
	c.macro = c.macro[:len(c.macro)-1]
	c.src, c.as = src, as
	f := *c.resolveUnknown(e)
	f.loc = x.loc
	if f.typ != x.ret && x.ret != 0 {
		if g := c.coerceType(&f, x.ret, explicitCast); g != nil {
			return g
		}
	}
	return &f
}

// macroArg is $n within a macro's body.
func (c *compiler) macroArg(n *pg.ParamRef) *expr {
	args := c.macro[len(c.macro)-1]
	if int(n.Number) > len(args) {
		c.fail(pgerror.New(pgerror.InternalError, "function body has no argument $%d", n.Number))
	}
	return args[n.Number-1]
}

func (c *compiler) currentSchema(loc int32) *expr {
	arr := plain(c.session("search_path"), catalog.NameArrayOID, true, loc)
	return plain("lc_array_get("+c.text(arr)+", 1)", catalog.NameOID, true, loc)
}

package pgsql

import (
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
)

// The contexts of a conversion, as pg_cast.castcontext has them.
const (
	implicitCast   byte = 'i'
	assignmentCast byte = 'a'
	explicitCast   byte = 'e'
)

// allows says whether a conversion of kind have may be used where want is asked for.
func allows(have, want byte) bool {
	switch want {
	case explicitCast:
		return true
	case assignmentCast:
		return have != 'e'
	}
	return have == 'i'
}

// canCoerce says whether a value of type src may become dst in a context.
func canCoerce(src, dst uint32, context byte) bool {
	if src == dst || src == catalog.UnknownOID || src == 0 {
		return true
	}
	switch dst {
	case catalog.AnyOID, catalog.AnyelementOID, catalog.AnycompatibleOID:
		return true
	case catalog.AnynonarrayOID, catalog.AnycompatiblenonarrayOID:
		return catalog.ElemOf(src) == 0
	case catalog.AnyarrayOID, catalog.AnycompatiblearrayOID:
		return catalog.ElemOf(src) != 0
	case catalog.AnyenumOID, catalog.AnyrangeOID:
		return false
	case catalog.RecordOID:
		return false
	}
	f, ok := catalog.FindCast(src, dst)
	return ok && allows(f.Context, context)
}

// coerce converts e to a type and typmod: context 'i' implicit, 'a' assignment, 'e' explicit. nil if there is no such
// conversion.
func (c *compiler) coerce(e *expr, typ uint32, typmod int32, context byte) *expr {
	if e.kind == exprUnknown && typ == catalog.IntervalOID && typmod >= 0 && !e.val.IsNull() {
		// interval '1' day: the typmod says what the text means.
		v, err := catalog.DecodeText(typ, typmod, e.val.Bytes, c.env.Output)
		c.check(err, e.loc)
		return &expr{kind: exprConst, typ: typ, typmod: typmod, loc: e.loc, val: v, atomic: true}
	}
	t := c.coerceType(e, typ, context)
	if t == nil {
		return nil
	}
	return c.coerceTypmod(t, typmod, context)
}

// coerceType is coerce without the typmod.
func (c *compiler) coerceType(e *expr, typ uint32, context byte) *expr {
	switch e.kind {
	case exprUnknown:
		if catalog.IsPseudo(typ) && typ != catalog.UnknownOID {
			if typ == catalog.AnyOID || isPolymorphic(typ) {
				return e
			}
			if typ == catalog.CstringOID {
				typ = catalog.TextOID
			}
		}
		return c.literal(e, typ)
	case exprParam:
		if isPolymorphic(typ) || typ == catalog.AnyOID {
			return e
		}
		return c.typeParam(e, typ, context)
	}
	if e.typ == typ || typ == catalog.AnyOID || isPolymorphic(typ) && canCoerce(e.typ, typ, context) {
		return e
	}
	if e.typ == catalog.UnknownOID {
		f := *e
		f.typ = catalog.TextOID
		e = &f
		if typ == catalog.TextOID {
			return e
		}
		context = explicitCast
	}
	if e.kind == exprRow && typ != catalog.RecordOID {
		if category(typ) == 'S' && context != implicitCast {
			return plain("lc_record_out("+c.text(e)+")", typ, true, e.loc, e)
		}
		return nil
	}
	cast, ok := catalog.FindCast(e.typ, typ)
	if !ok || !allows(cast.Context, context) {
		return nil
	}
	if f := foldConst(e, typ); f != nil {
		return f
	}
	if cast.Impl == "" {
		f := *e
		f.typ, f.typmod, f.lit = typ, -1, ""
		if f.kind == exprColumn {
			f.kind = exprPlain
			f.atomic = true
		}
		return &f
	}
	if e.isNullConst() {
		return null(typ, e.loc)
	}
	return c.applyCast(cast, e, typ, -1, context)
}

// applyCast emits a cast's Impl.
func (c *compiler) applyCast(cast *catalog.Cast, e *expr, typ uint32, typmod int32, context byte) *expr {
	if strings.HasPrefix(cast.Impl, "@") {
		return c.specialCast(cast.Impl[1:], e, typ)
	}
	t := template{impl: cast.Impl, args: []*expr{e}, ret: typ, typmod: typmod, explicit: context == explicitCast}
	return c.emit(&t, e.loc)
}

// foldConst converts a typed constant at once where that is simple, else returns nil.
func foldConst(e *expr, typ uint32) *expr {
	if e.kind != exprConst || e.val.IsNull() {
		return nil
	}
	digits := e.lit
	switch e.typ {
	case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
		i := e.val.Int()
		switch typ {
		case catalog.Int2OID:
			if i != int64(int16(i)) {
				return nil
			}
		case catalog.Int4OID:
			if i != int64(int32(i)) {
				return nil
			}
		case catalog.OidOID:
			if i != int64(uint32(i)) {
				return nil
			}
		case catalog.Int8OID:
		case catalog.Float8OID:
			f := *e
			f.typ, f.val = typ, catalog.Float(float64(i))
			return &f
		case catalog.NumericOID:
			digits = strconv.FormatInt(i, 10)
		default:
			return nil
		}
		if typ != catalog.NumericOID {
			f := *e
			f.typ, f.typmod = typ, -1
			return &f
		}
	case catalog.NumericOID:
		if typ != catalog.Float8OID && typ != catalog.Float4OID || digits == "" {
			return nil
		}
	default:
		return nil
	}
	v, err := catalog.DecodeText(typ, -1, []byte(digits), nil)
	if err != nil {
		return nil
	}
	f := *e
	f.typ, f.typmod, f.val, f.lit = typ, -1, v, ""
	if typ == catalog.NumericOID {
		f.lit = digits
	}
	return &f
}

// literal gives an unknown literal a type: 22P02 and its kin, at its position, if the text is not the type's.
func (c *compiler) literal(e *expr, typ uint32) *expr {
	if e.val.IsNull() {
		return null(typ, e.loc)
	}
	if typ == catalog.UnknownOID {
		typ = catalog.TextOID
	}
	if catalog.IsReg(typ) {
		return c.regLiteral(string(e.val.Bytes), typ, e.loc)
	}
	switch typ {
	case catalog.TextOID, catalog.VarcharOID:
		return &expr{kind: exprConst, typ: typ, typmod: -1, loc: e.loc, val: e.val, atomic: true}
	case catalog.DateOID, catalog.TimestampOID, catalog.TimestamptzOID, catalog.TimeOID, catalog.TimetzOID:
		if f := c.relativeTime(e, typ); f != nil {
			return f
		}
		c.unstable = c.unstable || typ == catalog.TimestamptzOID
	}
	if catalog.IsPseudo(typ) {
		return nil
	}
	c.check(catalog.CheckSupported(typ), e.loc)
	v, err := catalog.DecodeText(typ, -1, e.val.Bytes, c.env.Output)
	c.check(err, e.loc)
	return &expr{kind: exprConst, typ: typ, typmod: -1, loc: e.loc, val: v, atomic: true}
}

// relativeTime handles the literals that stand for the time at hand: they become expressions, since a plan is kept.
func (c *compiler) relativeTime(e *expr, typ uint32) *expr {
	word := strings.ToLower(strings.TrimSpace(string(e.val.Bytes)))
	days := 0
	switch word {
	case "now":
		return c.coerceType(c.now(e.loc), typ, explicitCast)
	case "today":
	case "tomorrow":
		days = 1
	case "yesterday":
		days = -1
	default:
		return nil
	}
	d := c.coerceType(c.now(e.loc), catalog.DateOID, explicitCast)
	if days != 0 {
		d = plain("("+c.text(d)+" + "+strconv.Itoa(days)+")", catalog.DateOID, true, e.loc, d)
	}
	return c.coerceType(d, typ, explicitCast)
}

// now is the transaction's start.
func (c *compiler) now(loc int32) *expr {
	return plain(c.session("now"), catalog.TimestamptzOID, true, loc)
}

// typeParam gives a parameter of unknown type its type.
func (c *compiler) typeParam(e *expr, typ uint32, context byte) *expr {
	if typ == catalog.UnknownOID {
		typ = catalog.TextOID
	}
	if have := c.paramType(e.num); have != 0 {
		if have == typ {
			return c.param(e.num, e.loc)
		}
		if context != explicitCast {
			c.fail(pgerror.New(pgerror.AmbiguousParameter, "inconsistent types deduced for parameter $%d", e.num+1).
				WithDetail("%s versus %s", typeDisplay(have), typeDisplay(typ)).At(c.position(e.loc)))
		}
		return c.coerceType(c.param(e.num, e.loc), typ, context)
	}
	if typ == catalog.RecordOID || typ == catalog.CstringOID {
		return nil
	}
	c.setParam(e.num, typ)
	return c.param(e.num, e.loc)
}

// param is $n+1 as an expression.
func (c *compiler) param(n int, loc int32) *expr {
	t := c.paramType(n)
	if t == 0 {
		return &expr{kind: exprParam, num: n, typ: catalog.UnknownOID, typmod: -1, loc: loc, atomic: true}
	}
	e := &expr{sql: c.arg(Arg{Kind: ArgParam, Index: n}), typ: t, typmod: -1, loc: loc, atomic: true, isParam: true}
	if catalog.IsReg(t) { // its value may come as a name
		e.isParam, e.typ = false, catalog.TextOID
		e = c.regIn(e, t)
	}
	return e
}

// coerceTypmod applies the typmod of e's type.
func (c *compiler) coerceTypmod(e *expr, typmod int32, context byte) *expr {
	if typmod < 0 || e.typmod == typmod {
		return e
	}
	if e.isNullConst() {
		f := *e
		f.typmod = typmod
		return &f
	}
	typ := e.typ
	cast, ok := catalog.FindCast(typ, typ)
	if elem := catalog.ElemOf(typ); !ok && elem != 0 {
		if cast, ok = catalog.FindCast(elem, elem); ok {
			x := "0"
			if context == explicitCast {
				x = "1"
			}
			f := plain("lc_array_typmod("+c.text(e)+", "+strconv.Itoa(int(elem))+", "+strconv.Itoa(int(typmod))+", "+x+")", typ, true, e.loc, e)
			f.typmod = typmod
			return f
		}
	}
	if !ok || cast.Impl == "" {
		f := *e
		f.typmod = typmod
		return &f
	}
	if e.kind == exprConst && context != explicitCast || e.kind == exprConst && typ == catalog.NumericOID && e.lit != "" {
		if src := constText(e); src != nil {
			v, err := catalog.DecodeText(typ, typmod, src, c.env.Output)
			c.check(err, -1)
			f := *e
			f.val, f.typmod, f.lit = v, typmod, ""
			return &f
		}
	}
	f := c.applyCast(cast, e, typ, typmod, context)
	f.typmod = typmod
	return f
}

// constText is the text of a constant that DecodeText may read again, nil where that is not plain.
func constText(e *expr) []byte {
	switch e.typ {
	case catalog.VarcharOID, catalog.BpcharOID:
		return e.val.Bytes
	case catalog.NumericOID:
		if e.lit != "" {
			return []byte(e.lit)
		}
	}
	return nil
}

// coerceAssign converts e for the column col (42804 if it cannot).
func (c *compiler) coerceAssign(e *expr, typ uint32, typmod int32, col string) *expr {
	f := c.coerce(e, typ, typmod, assignmentCast)
	if f == nil {
		c.fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but expression is of type %s", col, typeDisplay(typ), typeDisplay(e.typ)).
			WithHint("You will need to rewrite or cast the expression.").At(c.position(e.loc)))
	}
	return f
}

// coerceBool converts a condition; what names it in the error ("WHERE").
func (c *compiler) coerceBool(e *expr, what string) *expr {
	f := c.coerce(e, catalog.BoolOID, -1, assignmentCast)
	if f == nil {
		c.failAt(e.loc, pgerror.DatatypeMismatch, "argument of %s must be type boolean, not type %s", what, typeDisplay(e.typ))
	}
	return f
}

// coerceTo converts e to the type that a construct asks for (LIMIT …).
func (c *compiler) coerceTo(e *expr, typ uint32, what string) *expr {
	f := c.coerce(e, typ, -1, assignmentCast)
	if f == nil {
		c.failAt(e.loc, pgerror.DatatypeMismatch, "argument of %s must be type %s, not type %s", what, typeDisplay(typ), typeDisplay(e.typ))
	}
	return f
}

// cast converts e as CAST does.
func (c *compiler) cast(e *expr, typ uint32, typmod int32, loc int32) *expr {
	f := c.coerce(e, typ, typmod, explicitCast)
	if f == nil {
		c.failAt(loc, pgerror.CannotCoerce, "cannot cast type %s to %s", typeDisplay(e.typ), typeDisplay(typ))
	}
	return f
}

// resolveUnknown makes text of an expression whose type no context chose.
func (c *compiler) resolveUnknown(e *expr) *expr {
	if e.isUnknown() || e.typ == catalog.UnknownOID {
		return c.coerceType(e, catalog.TextOID, implicitCast)
	}
	return e
}

// commonType finds the type that several expressions can be converted to (UNION, CASE …, PostgreSQL's
// select_common_type); what names the construct in the error.
func (c *compiler) commonType(what string, list []*expr) uint32 {
	t := uint32(0)
	for _, e := range list {
		typ := e.typ
		if e.isUnknown() || typ == catalog.UnknownOID || typ == t {
			continue
		}
		switch {
		case t == 0:
			t = typ
		case category(typ) != category(t):
			c.failAt(e.loc, pgerror.DatatypeMismatch, "%s types %s and %s cannot be matched", what, typeDisplay(t), typeDisplay(typ))
		case !preferred(t) && canCoerce(t, typ, implicitCast) && !canCoerce(typ, t, implicitCast):
			t = typ
		}
	}
	if t == 0 {
		return catalog.TextOID
	}
	return t
}

// coerceCommon converts e to a common type.
func (c *compiler) coerceCommon(what string, e *expr, typ uint32) *expr {
	f := c.coerceType(e, typ, implicitCast)
	if f == nil {
		c.failAt(e.loc, pgerror.CannotCoerce, "%s could not convert type %s to %s", what, typeDisplay(e.typ), typeDisplay(typ))
	}
	return f
}

// unify converts several expressions to their common type, in place, and returns it with the typmod that they share.
func (c *compiler) unify(what string, list []*expr) (uint32, int32) {
	t := c.commonType(what, list)
	typmod := int32(-1)
	for i, e := range list {
		list[i] = c.coerceCommon(what, e, t)
		if i == 0 {
			typmod = list[0].typmod
		} else if list[i].typmod != typmod {
			typmod = -1
		}
	}
	return t, typmod
}

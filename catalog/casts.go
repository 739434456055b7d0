package catalog

import (
	"strings"
	"sync"
)

type castKey struct{ src, dst uint32 }

type castTables struct {
	all   []*Cast
	byKey map[castKey]*Cast
}

var castIndex = sync.OnceValue(func() *castTables {
	x := &castTables{byKey: map[castKey]*Cast{}}
	for line := range strings.Lines(builtinCasts) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		f := strings.SplitN(line, " ", 4)
		if len(f) < 3 || len(f[2]) != 1 {
			panic("catalog: malformed cast: " + line)
		}
		c := &Cast{Source: tableType(f[0]), Target: tableType(f[1]), Context: f[2][0]}
		if len(f) == 4 {
			c.Impl = f[3]
		}
		x.all = append(x.all, c)
		x.byKey[castKey{c.Source, c.Target}] = c
	}
	return x
})

// Casts returns the rows of pg_cast between supported types. The slice is shared and read-only.
func Casts() []*Cast { return castIndex().all }

// The casts that pg_cast has no row for.
const (
	implIn       = "lc_in($1, $rt, $m, $env)"
	implOut      = "lc_out($1, $t1, $m1, $env)"
	implInFixed  = "lc_in($1, $rt, $m, NULL)" // of types whose input no setting decides
	implOutFixed = "lc_out($1, $t1, $m1, NULL)"
	implArray    = "lc_array_cast($1, $t1, $rt, $env)"
	implRegIn    = "@reg_in"
	implRegOut   = "@reg_out"
	implIntToStr = "CAST($1 AS TEXT)"
)

// FindCast returns the cast from src to dst: pg_cast's, or one that PostgreSQL makes up: the input and output
// functions between any type and a string type, and element by element between arrays
// (https://www.postgresql.org/docs/15/sql-createcast.html, notes). It does not know that a type may be relabelled as
// itself; FindCast(t, t) is the length coercion of t, if it has one.
//
// As everywhere, $rt in its Impl is the OID of the result's type: dst.
func FindCast(src, dst uint32) (*Cast, bool) {
	if c := castIndex().byKey[castKey{src, dst}]; c != nil {
		return c, true
	}
	if src == dst {
		return nil, false
	}
	s, d := TypeByOID(src), TypeByOID(dst)
	if s == nil || d == nil || !s.Supported && src != UnknownOID || !d.Supported {
		return nil, false
	}
	sArr, dArr := ElemOf(src), ElemOf(dst)
	switch {
	case src == Int2vectorOID && dst == Int2ArrayOID, src == OidvectorOID && dst == OidArrayOID:
		return &Cast{src, dst, 'i', ""}, true
	case dst == Int2vectorOID || dst == OidvectorOID:
		// only from text, below
	case sArr != 0 && dArr != 0:
		if sArr == dArr {
			return &Cast{src, dst, 'i', ""}, true
		}
		e, ok := FindCast(sArr, dArr)
		if !ok {
			return nil, false
		}
		return arrayCast(src, dst, e), true
	}
	switch {
	case d.Category == 'S':
		return &Cast{src, dst, 'a', outImpl(src, dst)}, true
	case s.Category == 'S' || src == UnknownOID:
		impl := implIn
		switch {
		case IsReg(dst):
			impl = implRegIn
		case immutableIn(dst):
			impl = implInFixed
		}
		return &Cast{src, dst, 'e', impl}, true
	}
	return nil, false
}

// arrayCast is the cast between arrays whose elements are cast by e. Where the elements' stored forms are the same and
// sort the same, so are the arrays'.
func arrayCast(src, dst uint32, e *Cast) *Cast {
	c := &Cast{Source: src, Target: dst, Context: e.Context, Impl: implArray}
	if e.Impl == "" {
		c.Impl = ""
	}
	return c
}

// immutableIn says whether a type's input function is IMMUTABLE, as in PostgreSQL.
func immutableIn(typ uint32) bool {
	switch typ {
	case Float4OID, Float8OID, ByteaOID, JSONOID, JSONBOID:
		return true
	}
	return immutableOut(typ)
}

// immutableOut says whether no setting decides what a type's output function gives.
func immutableOut(typ uint32) bool {
	switch typ {
	case BoolOID, Int2OID, Int4OID, Int8OID, OidOID, NumericOID, UUIDOID, TextOID, VarcharOID, BpcharOID, NameOID, CharOID:
		return true
	}
	return false
}

// outImpl says how a value of type src becomes text.
func outImpl(src, dst uint32) string {
	switch src {
	case Int2OID, Int4OID, Int8OID, OidOID:
		return implIntToStr
	case JSONOID, JSONBOID, UnknownOID:
		return ""
	}
	if IsReg(src) {
		return implRegOut
	}
	impl := implOut
	if immutableOut(src) {
		impl = implOutFixed
	}
	if dst == BpcharOID {
		return "rtrim(" + impl + ", ' ')"
	}
	return impl
}

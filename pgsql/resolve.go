package pgsql

import (
	"layercake/catalog"
)

// This file is PostgreSQL's choice among functions or operators of one name
// (https://www.postgresql.org/docs/15/typeconv-func.html, func_select_candidate in parse_func.c).

// candidate is something that may be called: its parameter types for the call at hand.
type candidate struct {
	args []uint32
	fn   *catalog.Function
	op   *catalog.Operator

	variadic bool // args are of the expanded form
	defaults int  // arguments left out
}

// argType is the type of an argument for resolution: 705 when the context may choose it.
func argType(e *expr) uint32 {
	if e.isUnknown() || e.typ == 0 {
		return catalog.UnknownOID
	}
	return e.typ
}

// matching keeps the candidates whose parameters the arguments can be converted to implicitly.
func matching(list []candidate, args []uint32) []candidate {
	var out []candidate
next:
	for i := range list {
		for j, a := range args {
			if !canCoerce(a, list[i].args[j], implicitCast) {
				continue next
			}
		}
		if !polymorphicFit(list[i].args, args) {
			continue
		}
		out = append(out, list[i])
	}
	return out
}

// polymorphicFit says whether the anyelement-like parameters can agree.
func polymorphicFit(params, args []uint32) bool {
	elem := uint32(0)
	for i, p := range params {
		a := args[i]
		if a == catalog.UnknownOID {
			continue
		}
		switch p {
		case catalog.AnyelementOID, catalog.AnynonarrayOID:
		case catalog.AnyarrayOID:
			a = catalog.ElemOf(a)
		default:
			continue
		}
		if a == 0 || elem != 0 && elem != a {
			return false
		}
		elem = a
	}
	var compat []uint32
	for i, p := range params {
		a := args[i]
		if a == catalog.UnknownOID {
			continue
		}
		switch p {
		case catalog.AnycompatibleOID, catalog.AnycompatiblenonarrayOID:
		case catalog.AnycompatiblearrayOID:
			a = catalog.ElemOf(a)
		default:
			continue
		}
		if a == 0 {
			return false
		}
		compat = append(compat, a)
	}
	return len(compat) < 2 || compatibleType(compat) != 0
}

// compatibleType is the common type of anycompatible arguments, 0 if there is none.
func compatibleType(types []uint32) uint32 {
	t := uint32(0)
	for _, a := range types {
		switch {
		case a == catalog.UnknownOID || a == t:
		case t == 0:
			t = a
		case category(a) != category(t):
			return 0
		case !preferred(t) && canCoerce(t, a, implicitCast) && !canCoerce(a, t, implicitCast):
			t = a
		}
	}
	for _, a := range types {
		if !canCoerce(a, t, implicitCast) {
			return 0
		}
	}
	return t
}

// choose picks the best of several candidates; ok is false when none is best.
func choose(list []candidate, args []uint32) (best candidate, ok bool) {
	unknowns := 0
	for _, a := range args {
		if a == catalog.UnknownOID {
			unknowns++
		}
	}
	// the most exact matches
	list = mostBy(list, func(x *candidate) int {
		n := 0
		for i, a := range args {
			if a != catalog.UnknownOID && x.args[i] == a {
				n++
			}
		}
		return n
	})
	if len(list) == 1 {
		return list[0], true
	}
	// the most exact or preferred
	list = mostBy(list, func(x *candidate) int {
		n := 0
		for i, a := range args {
			if a != catalog.UnknownOID && (x.args[i] == a || preferred(x.args[i]) && category(x.args[i]) == category(a)) {
				n++
			}
		}
		return n
	})
	if len(list) == 1 {
		return list[0], true
	}
	if unknowns == 0 {
		return candidate{}, false
	}
	if kept, resolved := byUnknowns(list, args); resolved {
		list = kept
		if len(list) == 1 {
			return list[0], true
		}
	}
	// all known arguments of one type: suppose that the unknown ones are, too
	known := uint32(0)
	for _, a := range args {
		if a == catalog.UnknownOID {
			continue
		}
		if known != 0 && a != known {
			return candidate{}, false
		}
		known = a
	}
	if known == 0 || unknowns == len(args) {
		return candidate{}, false
	}
	same := make([]uint32, len(args))
	for i := range same {
		same[i] = known
	}
	found := 0
	for i := range list {
		fits := true
		for j := range args {
			fits = fits && canCoerce(known, list[i].args[j], implicitCast)
		}
		if fits && polymorphicFit(list[i].args, same) {
			best = list[i]
			found++
		}
	}
	return best, found == 1
}

// byUnknowns narrows the candidates by the type categories that they accept at the unknown arguments.
func byUnknowns(list []candidate, args []uint32) ([]candidate, bool) {
	cats := make([]byte, len(args))
	prefs := make([]bool, len(args))
	for i, a := range args {
		if a != catalog.UnknownOID {
			continue
		}
		cat, conflict, pref := byte(0), false, false
		for j := range list {
			p := list[j].args[i]
			pc := category(p)
			switch {
			case cat == 0:
				cat, pref = pc, preferred(p)
			case pc == cat:
				pref = pref || preferred(p)
			case pc == 'S':
				cat, pref = pc, preferred(p)
			default:
				conflict = true
			}
		}
		if conflict && cat != 'S' {
			return list, false
		}
		cats[i], prefs[i] = cat, pref
	}
	var kept []candidate
	for j := range list {
		keep := true
		for i, a := range args {
			if a != catalog.UnknownOID {
				continue
			}
			p := list[j].args[i]
			if category(p) != cats[i] || prefs[i] && !preferred(p) {
				keep = false
				break
			}
		}
		if keep {
			kept = append(kept, list[j])
		}
	}
	if len(kept) == 0 {
		return list, true
	}
	return kept, true
}

func mostBy(list []candidate, score func(*candidate) int) []candidate {
	best := -1
	var out []candidate
	for i := range list {
		switch n := score(&list[i]); {
		case n > best:
			best = n
			out = append(out[:0:0], list[i])
		case n == best:
			out = append(out, list[i])
		}
	}
	return out
}

// settle works out the actual types of polymorphic parameters and result from the arguments. elem is the type that
// anyelement stands for.
func (c *compiler) settle(params []uint32, args []*expr, ret uint32) (actual []uint32, result uint32) {
	actual = params
	elem, compat := uint32(0), []uint32(nil)
	poly := false
	for i, p := range params {
		if !isPolymorphic(p) {
			continue
		}
		poly = true
		a := argType(args[i])
		if a == catalog.UnknownOID {
			continue
		}
		switch p {
		case catalog.AnyelementOID, catalog.AnynonarrayOID:
			elem = a
		case catalog.AnyarrayOID:
			elem = catalog.ElemOf(a)
		case catalog.AnycompatibleOID, catalog.AnycompatiblenonarrayOID:
			compat = append(compat, a)
		case catalog.AnycompatiblearrayOID:
			compat = append(compat, catalog.ElemOf(a))
		}
	}
	if !poly {
		return params, ret
	}
	comp := compatibleType(compat)
	if comp == 0 {
		comp = catalog.TextOID
	}
	if elem == 0 {
		elem = catalog.TextOID
	}
	actual = make([]uint32, len(params))
	for i, p := range params {
		actual[i] = settled(p, elem, comp)
	}
	return actual, settled(ret, elem, comp)
}

func settled(p, elem, comp uint32) uint32 {
	switch p {
	case catalog.AnyelementOID, catalog.AnynonarrayOID:
		return elem
	case catalog.AnyarrayOID:
		return catalog.ArrayOf(elem)
	case catalog.AnycompatibleOID, catalog.AnycompatiblenonarrayOID:
		return comp
	case catalog.AnycompatiblearrayOID:
		return catalog.ArrayOf(comp)
	}
	return p
}

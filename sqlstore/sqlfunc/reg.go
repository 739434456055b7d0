package sqlfunc

import (
	"bytes"
	"strconv"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

// The first argument of these functions is what OIDs are called: OID and name in turn, as catalog.AppendValue has them.
var regFuncs = []def{
	strict("lc_reg_name", 2, regName),
	strict("lc_reg_result", 2, regResult),
	strict("lc_reg_results", 3, regResults),
}

// nameOf is what an OID is called.
func nameOf(names []byte, oid int64) ([]byte, error) {
	for len(names) > 0 {
		id, rest, err := catalog.DecodeValue(names)
		if err != nil {
			return nil, err
		}
		name, rest, err := catalog.DecodeValue(rest)
		if err != nil {
			return nil, err
		}
		if id.Int() == oid {
			return name.Bytes, nil
		}
		names = rest
	}
	return strconv.AppendInt(nil, oid, 10), nil
}

// oidOf finds the OID that has a name.
func oidOf(names, name []byte) (oid int64, ok bool) {
	for len(names) > 0 {
		id, rest, err := catalog.DecodeValue(names)
		if err != nil {
			return 0, false
		}
		have, rest, err := catalog.DecodeValue(rest)
		if err != nil {
			return 0, false
		}
		if bytes.Equal(have.Bytes, name) {
			return id.Int(), true
		}
		names = rest
	}
	return 0, false
}

// regName is a reg… value as text.
func regName(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[1].Kind != catalog.Integer {
		return args[1], nil // a name that nobody has looked up
	}
	name, err := nameOf(args[0].Bytes, args[1].Int())
	if err != nil {
		return null, badArgs("lc_reg_name", err)
	}
	return catalog.TextBytes(name), nil
}

// regResult is a reg… value with its name.
func regResult(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	v := args[1]
	if v.Kind == catalog.Text {
		oid, ok := oidOf(args[0].Bytes, v.Bytes)
		if !ok {
			return v, nil
		}
		return catalog.NamedOID(uint32(oid), v.Bytes), nil
	}
	if v.Kind != catalog.Integer {
		return v, nil
	}
	name, err := nameOf(args[0].Bytes, v.Int())
	if err != nil {
		return null, badArgs("lc_reg_result", err)
	}
	return catalog.NamedOID(uint32(v.Int()), name), nil
}

// regResults is regResult for the elements of an array, whose type is the third argument.
func regResults(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	dims, elems, err := catalog.DecodeArray(args[1].Bytes)
	if err != nil {
		return null, badArgs("lc_reg_results", err)
	}
	for i, e := range elems {
		if e.IsNull() {
			continue
		}
		if elems[i], err = regResult(ctx, []catalog.Value{args[0], e}); err != nil {
			return null, err
		}
	}
	return catalog.EncodeArray(uint32(args[2].Int()), dims, elems), nil
}

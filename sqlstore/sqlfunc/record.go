package sqlfunc

import (
	"bytes"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var recordFuncs = []def{
	pure("lc_record", -1, makeRecord),
	pure("lc_named_record", -1, makeNamedRecord),
	strict("lc_record_out", 1, recordOut),
	strict("lc_record_cmp", 2, compareRecords),
	pure("lc_format_type", 2, formatType),
	strict("lc_array_typmod", 4, arrayTypmod),
}

// makeRecord is ROW(…): type and value of each column.
func makeRecord(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return record("lc_record", args)
}

// makeNamedRecord is a row whose columns have names: these in the row encoding, then type and value of each column.
func makeNamedRecord(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args) == 0 {
		return null, badArgs("lc_named_record", errCount)
	}
	r, err := record("lc_named_record", args[1:])
	if err == nil {
		r.Bytes = append(r.Bytes, args[0].Bytes...)
	}
	return r, err
}

func record(name string, args []catalog.Value) (catalog.Value, error) {
	n := len(args) / 2
	if len(args)%2 != 0 {
		return null, badArgs(name, errCount)
	}
	if n > 255 {
		return null, errf("54011", "ROW expressions can have at most 255 entries")
	}
	oids, values := make([]uint32, n), make([]catalog.Value, n)
	for i := range n {
		oids[i], values[i] = uint32(args[2*i].Int()), args[2*i+1]
	}
	return catalog.EncodeRecord(oids, values), nil
}

func recordOut(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.TextBytes(catalog.AppendText(nil, catalog.RecordOID, -1, args[0], nil)), nil
}

// formatType is format_type: type and typmod, which may be NULL.
func formatType(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	oid := uint32(args[0].Int())
	if args[1].IsNull() {
		return catalog.Str(catalog.FormatTypeName(oid)), nil
	}
	return catalog.Str(catalog.FormatType(oid, int32(args[1].Int()))), nil
}

// arrayTypmod applies a typmod to each element: array, element type, typmod, whether the cast is explicit.
func arrayTypmod(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	elem, typmod, explicit := elemType(uint32(args[1].Int())), int32(args[2].Int()), args[3].Bool()
	if typmod < 0 {
		return args[0], nil
	}
	dims, elems, err := catalog.DecodeArray(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_array_typmod", err)
	}
	for i := range elems {
		if !elems[i].IsNull() {
			if elems[i], err = applyTypmod(elem, typmod, explicit, elems[i]); err != nil {
				return null, err
			}
		}
	}
	return catalog.EncodeArray(elem, dims, elems), nil
}

// applyTypmod is a type's length coercion.
func applyTypmod(typ uint32, typmod int32, explicit bool, v catalog.Value) (catalog.Value, error) {
	switch typ {
	case catalog.VarcharOID, catalog.BpcharOID:
		if n := catalog.CharTypmod(typmod); explicit && n > 0 {
			return catalog.Str(firstRunes(text(v), n)), nil
		}
		return catalog.DecodeText(typ, typmod, v.Bytes, nil)
	case catalog.NumericOID:
		n, err := catalog.DecodeNumeric(v.Bytes)
		if err == nil {
			err = n.ApplyTypmod(typmod)
		}
		if err != nil {
			return null, err
		}
		return n.Value(), nil
	case catalog.TimeOID, catalog.TimestampOID, catalog.TimestamptzOID:
		return catalog.Int(catalog.RoundMicros(v.Int(), typmod)), nil
	case catalog.TimetzOID:
		return timetzTypmod(nil, []catalog.Value{v, catalog.Int(int64(typmod))})
	case catalog.IntervalOID:
		return intervalTypmod(nil, []catalog.Value{v, catalog.Int(int64(typmod))})
	}
	return v, nil
}

// compareRecords orders rows column by column, NULL last.
func compareRecords(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	at, av, err := catalog.DecodeRecord(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_record_cmp", err)
	}
	bt, bv, err := catalog.DecodeRecord(args[1].Bytes)
	if err != nil {
		return null, badArgs("lc_record_cmp", err)
	}
	if len(av) != len(bv) {
		return null, errf("42804", "cannot compare record types with different numbers of columns")
	}
	for i := range av {
		if at[i] != bt[i] {
			return null, errf("42804", "cannot compare dissimilar column types %s and %s at record column %d",
				catalog.FormatTypeName(at[i]), catalog.FormatTypeName(bt[i]), i+1)
		}
		if c := compareStored(at[i], av[i], bv[i]); c != 0 {
			return catalog.Int(int64(c)), nil
		}
	}
	return catalog.Int(0), nil
}

// compareStored orders two stored values of one type as PostgreSQL's btree does, NULL last.
func compareStored(typ uint32, a, b catalog.Value) int {
	switch {
	case a.IsNull() && b.IsNull():
		return 0
	case a.IsNull():
		return 1
	case b.IsNull():
		return -1
	}
	switch typ {
	case catalog.JSONBOID:
		return compareJSONBText(a.Bytes, b.Bytes)
	case catalog.NumericOID:
		return catalog.CompareNumeric(a.Bytes, b.Bytes)
	case catalog.IntervalOID, catalog.TimetzOID:
		return compareKeyed(a.Bytes, b.Bytes)
	case catalog.Float4OID, catalog.Float8OID:
		return compareFloats(a.Float(), b.Float())
	}
	if a.Kind == catalog.Integer {
		return compareTimes(a, b)
	}
	return bytes.Compare(a.Bytes, b.Bytes)
}

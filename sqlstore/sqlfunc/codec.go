package sqlfunc

import (
	"runtime"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

const platform = runtime.GOARCH + "-" + runtime.GOOS

var codecFuncs = []def{
	pure("lc_in", 4, input),
	pure("lc_out", 4, output),
	pure("lc_text", 3, toText),
	strict("lc_array_key", 1, key("lc_array_key", catalog.ArrayKey)),
	strict("lc_jsonb_array_key", 1, key("lc_jsonb_array_key", catalog.JSONBArrayKey)),
	strict("lc_record_array_key", 1, key("lc_record_array_key", catalog.RecordArrayKey)),
	strict("lc_record_key", 1, key("lc_record_key", catalog.RecordKey)),
	strict("lc_array_cast", 4, arrayCast),
	pure("lc_concat", -1, concat),
	pure("lc_concat_ws", -1, concatWS),
	pure("lc_format", -1, format),
	pure("lc_array_to_string", 5, arrayToString),
	pure("lc_string_to_array", 2, stringToArray),
	pure("lc_string_to_array", 3, stringToArray),
}

// settings reads $env; NULL stands for a new session's settings.
func settings(v catalog.Value) (*catalog.OutputSettings, error) {
	if v.IsNull() {
		return catalog.DefaultOutput(), nil
	}
	s, err := catalog.ParseOutputSettings(string(v.Bytes))
	if err != nil {
		return nil, badArgs("settings", err)
	}
	return s, nil
}

// input is the cast from text by a type's input function: value, type, typmod, $env.
func input(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	s, err := settings(args[3])
	if err != nil {
		return null, err
	}
	return catalog.DecodeText(uint32(args[1].Int()), int32(args[2].Int()), args[0].Bytes, s)
}

// output is the cast to text by a type's output function: value, type, typmod, $env.
func output(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	s, err := settings(args[3])
	if err != nil {
		return null, err
	}
	typmod := int32(-1)
	if !args[2].IsNull() {
		typmod = int32(args[2].Int())
	}
	return catalog.TextBytes(appendOut(nil, uint32(args[1].Int()), typmod, args[0], s)), nil
}

// appendOut writes a value as its output function does. A value of type unknown is text; a reg* value may be a name
// already.
func appendOut(dst []byte, typ uint32, typmod int32, v catalog.Value, s *catalog.OutputSettings) []byte {
	return catalog.AppendText(dst, typ, typmod, v, s)
}

// toText is the cast to text: value, type, $env. It differs from the output function for bool and char(n).
func toText(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	typ := uint32(args[1].Int())
	switch typ {
	case catalog.BoolOID:
		return catalog.Str(strconv.FormatBool(args[0].Bool())), nil
	case catalog.TextOID, catalog.VarcharOID, catalog.BpcharOID, catalog.UnknownOID:
		return args[0], nil
	}
	s, err := settings(args[2])
	if err != nil {
		return null, err
	}
	return catalog.TextBytes(appendOut(nil, typ, -1, args[0], s)), nil
}

// typed is an argument with its type, as $targs gives it.
type typed struct {
	typ    uint32
	typmod int32
	v      catalog.Value
}

// expandArray is the typmod that marks an argument after VARIADIC: an array whose elements are the arguments.
const expandArray = -2

// typedArgs reads $targs.
func typedArgs(args []catalog.Value) ([]typed, error) {
	if len(args)%3 != 0 {
		return nil, badArgs("typed arguments", errCount)
	}
	out := make([]typed, 0, len(args)/3)
	for ; len(args) > 0; args = args[3:] {
		t := typed{uint32(args[0].Int()), int32(args[1].Int()), args[2]}
		if elem := catalog.ElemOf(t.typ); t.typmod == expandArray && elem != 0 {
			if t.v.IsNull() {
				continue
			}
			_, elems, err := catalog.DecodeArray(t.v.Bytes)
			if err != nil {
				return nil, badArgs("VARIADIC array", err)
			}
			for _, e := range elems {
				out = append(out, typed{elem, -1, e})
			}
			continue
		}
		out = append(out, t)
	}
	return out, nil
}

func (t typed) appendText(dst []byte, s *catalog.OutputSettings) []byte {
	return appendOut(dst, t.typ, t.typmod, t.v, s)
}

func concat(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args) < 1 {
		return null, badArgs("lc_concat", errCount)
	}
	s, err := settings(args[0])
	if err != nil {
		return null, err
	}
	list, err := typedArgs(args[1:])
	if err != nil {
		return null, err
	}
	out := []byte{}
	for _, a := range list {
		out = a.appendText(out, s)
	}
	return catalog.TextBytes(out), nil
}

func concatWS(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args) < 2 {
		return null, badArgs("lc_concat_ws", errCount)
	}
	s, err := settings(args[0])
	if err != nil {
		return null, err
	}
	list, err := typedArgs(args[2:])
	if err != nil || args[1].IsNull() {
		return null, err
	}
	out, first := []byte{}, true
	for _, a := range list {
		if a.v.IsNull() {
			continue
		}
		if !first {
			out = append(out, args[1].Bytes...)
		}
		first = false
		out = a.appendText(out, s)
	}
	return catalog.TextBytes(out), nil
}

// textArray makes a text[].
func textArray(list []string) catalog.Value {
	elems := make([]catalog.Value, len(list))
	for i, s := range list {
		elems[i] = catalog.Str(s)
	}
	return catalog.EncodeArray(catalog.TextOID, catalog.Vector(len(elems)), elems)
}

// elemType gives the element type where typ is an array type, else typ.
func elemType(typ uint32) uint32 {
	if e := catalog.ElemOf(typ); e != 0 {
		return e
	}
	return typ
}

// key makes a function of one that gives the key of a stored value.
func key(name string, of func([]byte) ([]byte, error)) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		if args[0].Kind == catalog.Text { // a row that pgsql has written as JSON already
			return args[0], nil
		}
		k, err := of(args[0].Bytes)
		if err != nil {
			return null, badArgs(name, err)
		}
		return catalog.BlobBytes(k), nil
	}
}

// arrayCast casts an array element by element: value, source type, target type, $env.
func arrayCast(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	from, to := elemType(uint32(args[1].Int())), elemType(uint32(args[2].Int()))
	s, err := settings(args[3])
	if err != nil {
		return null, err
	}
	dims, elems, err := catalog.DecodeArray(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_array_cast", err)
	}
	for i := range elems {
		if elems[i].IsNull() {
			continue
		}
		if elems[i], err = castElement(elems[i], from, to, s); err != nil {
			return null, err
		}
	}
	return catalog.EncodeArray(to, dims, elems), nil
}

// castElement casts one value. Casts that are not those of the input and output functions are those between numbers,
// which round, and between dates and times.
func castElement(v catalog.Value, from, to uint32, s *catalog.OutputSettings) (catalog.Value, error) {
	switch from {
	case catalog.NumericOID, catalog.Float4OID, catalog.Float8OID:
		switch to {
		case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
			return roundToInt(v, from, to)
		}
	case catalog.BoolOID:
		if to == catalog.Int4OID {
			return v, nil
		}
		if v.Bool() {
			return catalog.DecodeText(to, -1, []byte("true"), s)
		}
		return catalog.DecodeText(to, -1, []byte("false"), s)
	case catalog.Int4OID:
		if to == catalog.BoolOID {
			return catalog.Bool(v.Int() != 0), nil
		}
	case catalog.JSONBOID:
		if to != catalog.JSONOID && catalog.TypeByOID(to).Category != 'S' {
			return jsonbScalar(v, to)
		}
	case catalog.TimestamptzOID:
		wall := catalog.TimestampToLocal(v.Int(), s.TimeZone)
		if to == catalog.TimestampOID {
			return catalog.Int(wall), nil
		}
		if to == catalog.DateOID {
			return timestampToDate(nil, []catalog.Value{catalog.Int(wall)})
		}
	case catalog.TimestampOID:
		if to == catalog.DateOID {
			return timestampToDate(nil, []catalog.Value{v})
		}
	}
	return catalog.DecodeText(to, -1, appendOut(nil, from, -1, v, s), s)
}

// arrayToString has the array, the delimiter, what stands for NULL (NULL: leave out), the array's type and $env.
func arrayToString(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() || args[1].IsNull() {
		return null, nil
	}
	s, err := settings(args[4])
	if err != nil {
		return null, err
	}
	_, elems, err := catalog.DecodeArray(args[0].Bytes)
	if err != nil {
		return null, badArgs("lc_array_to_string", err)
	}
	elem := elemType(uint32(args[3].Int()))
	out, first := []byte{}, true
	for _, e := range elems {
		if e.IsNull() && args[2].IsNull() {
			continue
		}
		if !first {
			out = append(out, args[1].Bytes...)
		}
		first = false
		if e.IsNull() {
			out = append(out, args[2].Bytes...)
		} else {
			out = appendOut(out, elem, -1, e, s)
		}
	}
	return catalog.TextBytes(out), nil
}

// stringToArray has the text, the delimiter (NULL: every character is an element) and the text that stands for NULL.
func stringToArray(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	s := text(args[0])
	var parts []string
	switch {
	case s == "":
	case args[1].IsNull():
		parts = strings.Split(s, "")
	case len(args[1].Bytes) == 0:
		parts = []string{s}
	default:
		parts = strings.Split(s, text(args[1]))
	}
	elems := make([]catalog.Value, len(parts))
	for i, p := range parts {
		if len(args) < 3 || args[2].IsNull() || p != text(args[2]) {
			elems[i] = catalog.Str(p)
		}
	}
	return catalog.EncodeArray(catalog.TextOID, catalog.Vector(len(elems)), elems), nil
}

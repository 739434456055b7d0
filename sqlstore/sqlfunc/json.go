package sqlfunc

import (
	"bytes"
	"strconv"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var jsonFuncs = []def{
	pure("lc_to_json", 4, toJSON),
	pure("lc_to_jsonb", 4, toJSONB),
	pure("lc_to_json_null", 4, toJSONNull),
	pure("lc_json_item", 4, jsonItem),
	pure("lc_to_jsonb_null", 4, toJSONBNull),
	pure("lc_row_to_json", 5, prettyJSON),
	pure("lc_array_to_json", 5, prettyJSON),
	pure("lc_json_row", -1, jsonRow),
	pure("lc_json_build_array", -1, jsonBuildArray(false)),
	pure("lc_jsonb_build_array", -1, jsonBuildArray(true)),
	pure("lc_json_build_object", -1, jsonBuildObject(false)),
	pure("lc_jsonb_build_object", -1, jsonBuildObject(true)),
	pure("lc_json_pair", 7, jsonPair),
	strict("lc_json_object", 1, jsonObject(false)),
	strict("lc_json_object", 2, jsonObject(false)),
	strict("lc_jsonb_object", 1, jsonObject(true)),
	strict("lc_jsonb_object", 2, jsonObject(true)),
	strict("lc_jsonb", 1, toCanonical),
	strict("lc_jsonb_bool", 1, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		return jsonbScalar(args[0], catalog.BoolOID)
	}),
	strict("lc_jsonb_number", 2, func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		t := catalog.TypeByName(text(args[1]))
		if t == nil {
			return null, badArgs("lc_jsonb_number", errCount)
		}
		return jsonbScalar(args[0], t.OID)
	}),
}

// jsonWriter writes SQL values as JSON (datum_to_json in adt/json.c).
type jsonWriter struct {
	settings *catalog.OutputSettings
	iso      *catalog.OutputSettings // the same with ISO dates, whatever DateStyle says
	breaks   bool                    // a line feed between the parts of the outermost row or array
	depth    int
}

func newJSONWriter(env catalog.Value) (*jsonWriter, error) {
	s, err := settings(env)
	if err != nil {
		return nil, err
	}
	iso := *s
	iso.DateStyle = "ISO"
	return &jsonWriter{settings: s, iso: &iso}, nil
}

func (w *jsonWriter) append(dst []byte, typ uint32, typmod int32, v catalog.Value) ([]byte, error) {
	if v.IsNull() {
		return append(dst, "null"...), nil
	}
	switch typ {
	case catalog.BoolOID:
		if v.Bool() {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
		return appendOut(dst, typ, typmod, v, w.settings), nil
	case catalog.NumericOID, catalog.Float4OID, catalog.Float8OID:
		at := len(dst)
		dst = appendOut(dst, typ, typmod, v, w.settings)
		if c := dst[len(dst)-1]; c == 'N' || c == 'y' { // NaN, Infinity
			return append(append(append(dst[:at:at], '"'), dst[at:]...), '"'), nil
		}
		return dst, nil
	case catalog.JSONOID, catalog.JSONBOID:
		return append(dst, v.Bytes...), nil
	case catalog.DateOID:
		return catalog.AppendJSONString(dst, appendOut(nil, typ, typmod, v, w.iso)), nil
	case catalog.TimestampOID, catalog.TimestamptzOID:
		text := appendOut(nil, typ, typmod, v, w.iso)
		if i := bytes.IndexByte(text, ' '); i > 0 && tsFinite(v.Int()) {
			text[i] = 'T'
		}
		if typ == catalog.TimestamptzOID && tsFinite(v.Int()) {
			text = fullOffset(text)
		}
		return catalog.AppendJSONString(dst, text), nil
	case catalog.RecordOID:
		if v.Kind == catalog.Text { // a row with column names, which pgsql has written already
			return append(dst, v.Bytes...), nil
		}
		return w.record(dst, v)
	}
	if catalog.ElemOf(typ) != 0 && typ != catalog.Int2vectorOID && typ != catalog.OidvectorOID {
		return w.array(dst, catalog.ElemOf(typ), v)
	}
	return catalog.AppendJSONString(dst, appendOut(nil, typ, typmod, v, w.settings)), nil
}

// fullOffset writes +02 as +02:00, before BC if that follows.
func fullOffset(text []byte) []byte {
	body, bc := bytes.CutSuffix(text, []byte(" BC"))
	if n := len(body); n >= 3 && (body[n-3] == '+' || body[n-3] == '-') {
		body = append(body[:n:n], ":00"...)
	}
	if bc {
		body = append(body, " BC"...)
	}
	return body
}

func (w *jsonWriter) record(dst []byte, v catalog.Value) ([]byte, error) {
	oids, values, names, err := catalog.DecodeNamedRecord(v.Bytes)
	if err != nil {
		return nil, badArgs("json", err)
	}
	sep := w.separator()
	dst = append(dst, '{')
	for i := range values {
		if i > 0 {
			dst = append(dst, sep...)
		}
		if names != nil {
			dst = append(catalog.AppendJSONString(dst, names[i].Bytes), ':')
		} else {
			dst = append(dst, `"f`...)
			dst = strconv.AppendInt(dst, int64(i+1), 10)
			dst = append(dst, `":`...)
		}
		if dst, err = w.append(dst, oids[i], -1, values[i]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// separator stands between the parts of a row or array.
func (w *jsonWriter) separator() string {
	if w.breaks {
		w.breaks = false
		return ",\n "
	}
	return ","
}

func (w *jsonWriter) array(dst []byte, elem uint32, v catalog.Value) ([]byte, error) {
	dims, elems, err := catalog.DecodeArray(v.Bytes)
	if err != nil {
		return nil, badArgs("json", err)
	}
	if len(dims) == 0 {
		return append(dst, "[]"...), nil
	}
	dst, _, err = w.dimension(dst, elem, dims, elems)
	return dst, err
}

// dimension writes one dimension and returns the elements behind it.
func (w *jsonWriter) dimension(dst []byte, elem uint32, dims []catalog.ArrayDim, elems []catalog.Value) ([]byte, []catalog.Value, error) {
	var err error
	sep := w.separator()
	dst = append(dst, '[')
	for i := range dims[0].Len {
		if i > 0 {
			dst = append(dst, sep...)
		}
		if len(dims) > 1 {
			dst, elems, err = w.dimension(dst, elem, dims[1:], elems)
		} else {
			dst, err = w.append(dst, elem, -1, elems[0])
			elems = elems[1:]
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return append(dst, ']'), elems, nil
}

// toJSON has value, type, typmod and $env.
func toJSON(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	return toJSONNull(ctx, args)
}

// toJSONNull is toJSON with 'null' for NULL.
func toJSONNull(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	w, err := newJSONWriter(args[3])
	if err != nil {
		return null, err
	}
	b, err := w.append(nil, uint32(args[1].Int()), int32(args[2].Int()), args[0])
	return catalog.TextBytes(b), err
}

// jsonItem is an element for json_agg, which begins a new line for each row or array.
func jsonItem(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	v, err := toJSONNull(ctx, args)
	if t := uint32(args[1].Int()); err == nil && !args[0].IsNull() && (t == catalog.RecordOID || catalog.ElemOf(t) != 0) {
		v.Bytes = append([]byte("\n "), v.Bytes...)
	}
	return v, err
}

func toJSONB(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() {
		return null, nil
	}
	return toJSONBNull(ctx, args)
}

func toJSONBNull(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	v, err := toJSONNull(ctx, args)
	if err != nil {
		return null, err
	}
	return canonical(v.Bytes)
}

// canonical makes a jsonb of JSON text.
func canonical(b []byte) (catalog.Value, error) {
	out, err := catalog.CanonicalJSONB(b)
	return catalog.TextBytes(out), err
}

func toCanonical(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return canonical(args[0].Bytes)
}

// prettyJSON is row_to_json and array_to_json with their second argument: line feeds between the parts.
func prettyJSON(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() || args[4].IsNull() {
		return null, nil
	}
	w, err := newJSONWriter(args[3])
	if err != nil {
		return null, err
	}
	w.breaks = args[4].Bool()
	b, err := w.append(nil, uint32(args[1].Int()), int32(args[2].Int()), args[0])
	return catalog.TextBytes(b), err
}

// jsonRow is a row with column names: $env, then name, type, typmod and value of each column.
func jsonRow(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if len(args)%4 != 1 {
		return null, badArgs("lc_json_row", errCount)
	}
	w, err := newJSONWriter(args[0])
	if err != nil {
		return null, err
	}
	args = args[1:]
	b := []byte{'{'}
	for i := 0; i < len(args); i += 4 {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(catalog.AppendJSONString(b, args[i].Bytes), ':')
		if b, err = w.append(b, uint32(args[i+1].Int()), int32(args[i+2].Int()), args[i+3]); err != nil {
			return null, err
		}
	}
	return catalog.TextBytes(append(b, '}')), nil
}

// jsonArgs reads $env and $targs.
func jsonArgs(args []catalog.Value) (*jsonWriter, []typed, error) {
	if len(args) < 1 {
		return nil, nil, badArgs("json", errCount)
	}
	w, err := newJSONWriter(args[0])
	if err != nil {
		return nil, nil, err
	}
	list, err := typedArgs(args[1:])
	return w, list, err
}

// finish gives b as json, or as jsonb.
func finish(b []byte, jsonb bool) (catalog.Value, error) {
	if jsonb {
		return canonical(b)
	}
	return catalog.TextBytes(b), nil
}

func jsonBuildArray(jsonb bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		w, list, err := jsonArgs(args)
		if err != nil {
			return null, err
		}
		b := []byte{'['}
		for i, a := range list {
			if i > 0 {
				b = append(b, ", "...)
			}
			if b, err = w.append(b, a.typ, a.typmod, a.v); err != nil {
				return null, err
			}
		}
		return finish(append(b, ']'), jsonb)
	}
}

func jsonBuildObject(jsonb bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		w, list, err := jsonArgs(args)
		if err != nil {
			return null, err
		}
		if len(list)%2 != 0 {
			name := "json_build_object()"
			if jsonb {
				name = "jsonb_build_object()"
			}
			return null, withHint(errf("22023", "argument list must have even number of elements"),
				"The arguments of "+name+" must consist of alternating keys and values.")
		}
		b := []byte{'{'}
		for i := 0; i < len(list); i += 2 {
			if i > 0 {
				b = append(b, ", "...)
			}
			if list[i].v.IsNull() {
				if jsonb {
					return null, errf("22023", "argument %d: key must not be null", i+1)
				}
				return null, withHint(errf("22023", "argument %d cannot be null", i+1), "Object keys should be text.")
			}
			if b, err = w.key(b, list[i]); err != nil {
				return null, err
			}
			b = append(b, " : "...)
			if b, err = w.append(b, list[i+1].typ, list[i+1].typmod, list[i+1].v); err != nil {
				return null, err
			}
		}
		return finish(append(b, '}'), jsonb)
	}
}

// key writes a value as an object's key: always a string, and of a scalar.
func (w *jsonWriter) key(dst []byte, k typed) ([]byte, error) {
	if k.typ == catalog.RecordOID || k.typ == catalog.JSONOID || k.typ == catalog.JSONBOID ||
		catalog.ElemOf(k.typ) != 0 && k.typ != catalog.Int2vectorOID && k.typ != catalog.OidvectorOID {
		return nil, errf("22023", "key value must be scalar, not array, composite, or json")
	}
	b, err := w.append(nil, k.typ, k.typmod, k.v)
	if err != nil {
		return nil, err
	}
	if len(b) > 0 && b[0] == '"' {
		return append(dst, b...), nil
	}
	return append(append(append(dst, '"'), b...), '"'), nil
}

// jsonPair is one member for json_object_agg: key, type, typmod, value, type, typmod, $env.
func jsonPair(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	w, err := newJSONWriter(args[6])
	if err != nil {
		return null, err
	}
	if args[0].IsNull() {
		return null, errf("22023", "field name must not be null")
	}
	b, err := w.key(nil, typed{uint32(args[1].Int()), int32(args[2].Int()), args[0]})
	if err != nil {
		return null, err
	}
	b = append(b, " : "...)
	b, err = w.append(b, uint32(args[4].Int()), int32(args[5].Int()), args[3])
	return catalog.TextBytes(b), err
}

// jsonObject makes an object of text arrays: one of keys and values in turn (or of pairs), or two.
func jsonObject(jsonb bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		dims, keys, err := catalog.DecodeArray(args[0].Bytes)
		if err != nil {
			return null, badArgs("json_object", err)
		}
		var values []catalog.Value
		if len(args) == 2 {
			vdims, v, err := catalog.DecodeArray(args[1].Bytes)
			if err != nil {
				return null, badArgs("json_object", err)
			}
			switch {
			case len(dims) > 1 || len(vdims) > 1:
				return null, errf("2202E", "wrong number of array subscripts")
			case len(keys) != len(v):
				return null, errf("2202E", "mismatched array dimensions")
			}
			values = v
		} else {
			switch {
			case len(dims) == 1 && dims[0].Len%2 != 0:
				return null, errf("2202E", "array must have even number of elements")
			case len(dims) == 2 && dims[1].Len != 2:
				return null, errf("2202E", "array must have two columns")
			case len(dims) > 2:
				return null, errf("2202E", "wrong number of array subscripts")
			}
			pairs := keys
			keys = nil
			for i := 0; i+1 < len(pairs); i += 2 {
				keys, values = append(keys, pairs[i]), append(values, pairs[i+1])
			}
		}
		b := []byte{'{'}
		for i := range keys {
			if i > 0 {
				b = append(b, ", "...)
			}
			if keys[i].IsNull() {
				return null, errf("22004", "null value not allowed for object key")
			}
			b = append(catalog.AppendJSONString(b, keys[i].Bytes), " : "...)
			if values[i].IsNull() {
				b = append(b, "null"...)
			} else {
				b = catalog.AppendJSONString(b, values[i].Bytes)
			}
		}
		return finish(append(b, '}'), jsonb)
	}
}

// jsonbScalar casts a jsonb number or boolean.
func jsonbScalar(v catalog.Value, to uint32) (catalog.Value, error) {
	j, err := catalog.ParseJSONB(v.Bytes)
	if err != nil {
		return null, badArgs("jsonb", err)
	}
	target := catalog.FormatTypeName(to)
	kinds := map[catalog.JSONKind]string{catalog.JSONNull: "null", catalog.JSONTrue: "boolean", catalog.JSONFalse: "boolean",
		catalog.JSONNumber: "numeric", catalog.JSONString: "string", catalog.JSONArray: "array", catalog.JSONObject: "object"}
	if to == catalog.BoolOID && (j.Kind == catalog.JSONTrue || j.Kind == catalog.JSONFalse) {
		return catalog.Bool(j.Kind == catalog.JSONTrue), nil
	}
	if to == catalog.BoolOID || j.Kind != catalog.JSONNumber {
		return null, errf("22023", "cannot cast jsonb %s to type %s", kinds[j.Kind], target)
	}
	n, err := catalog.ParseNumeric(j.Text)
	if err != nil {
		return null, err
	}
	switch to {
	case catalog.NumericOID:
		return n.Value(), nil
	case catalog.Float4OID, catalog.Float8OID:
		return catalog.DecodeText(to, -1, j.Text, nil)
	}
	return roundToInt(n.Value(), catalog.NumericOID, to)
}

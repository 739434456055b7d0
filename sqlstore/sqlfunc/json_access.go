package sqlfunc

import (
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

var jsonAccessFuncs = []def{
	strict("lc_json_get", 2, jsonGet(false, false)),
	strict("lc_json_get_text", 2, jsonGet(false, true)),
	strict("lc_jsonb_get", 2, jsonGet(true, false)),
	strict("lc_jsonb_get_text", 2, jsonGet(true, true)),
	strict("lc_json_path", 2, jsonPath(false, false)),
	strict("lc_json_path_text", 2, jsonPath(false, true)),
	strict("lc_jsonb_path", 2, jsonPath(true, false)),
	strict("lc_jsonb_path_text", 2, jsonPath(true, true)),
	strict("lc_json_typeof", 1, jsonTypeof),
	strict("lc_json_array_text", 2, jsonArrayText),
	strict("lc_json_array_length", 1, jsonArrayLength),
	strict("lc_json_object_keys", 1, jsonObjectKeys),
	strict("lc_json_each", 1, jsonEach(false, false)),
	strict("lc_jsonb_each", 1, jsonEach(true, false)),
	strict("lc_json_each_text", 1, jsonEach(false, true)),
	strict("lc_jsonb_each_text", 1, jsonEach(true, true)),
	strict("lc_json_array_elements", 1, jsonElements(false, false)),
	strict("lc_jsonb_array_elements", 1, jsonElements(true, false)),
	strict("lc_json_array_elements_text", 1, jsonElements(false, true)),
	strict("lc_jsonb_array_elements_text", 1, jsonElements(true, true)),
}

// rawJSON is a piece of JSON text that is known to be valid: json keeps the text as it was written, so it is looked
// through as text. Of equal keys the last counts.
type rawJSON string

func (j rawJSON) trim() rawJSON { return rawJSON(strings.Trim(string(j), " \t\r\n")) }

// kind is the value's first byte: { [ " t f n, or 0 for a number.
func (j rawJSON) kind() byte {
	if j == "" {
		return 0
	}
	switch c := j[0]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	}
	return 0
}

// value splits the value at the front from what follows it.
func (j rawJSON) value() (v, rest rawJSON) {
	j = rawJSON(strings.TrimLeft(string(j), " \t\r\n"))
	depth := 0
	for i := 0; i < len(j); i++ {
		switch j[i] {
		case '"':
			for i++; i < len(j) && j[i] != '"'; i++ {
				if j[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			if depth == 0 { // the end of what is around a number
				return j[:i].trim(), j[i:]
			}
			depth--
		case ',', ':':
			if depth == 0 {
				return j[:i].trim(), j[i:]
			}
			continue
		default:
			continue
		}
		if depth == 0 {
			return j[:min(i+1, len(j))].trim(), j[min(i+1, len(j)):]
		}
	}
	return j.trim(), ""
}

// elements calls f for the elements of an array.
func (j rawJSON) elements(f func(v rawJSON) bool) {
	rest := j[1:]
	for {
		rest = rawJSON(strings.TrimLeft(string(rest), " \t\r\n,"))
		if rest == "" || rest[0] == ']' {
			return
		}
		var v rawJSON
		if v, rest = rest.value(); !f(v) {
			return
		}
	}
}

// members calls f for the members of an object.
func (j rawJSON) members(f func(key string, v rawJSON)) {
	rest := j[1:]
	for {
		rest = rawJSON(strings.TrimLeft(string(rest), " \t\r\n,"))
		if rest == "" || rest[0] == '}' {
			return
		}
		var k, v rawJSON
		k, rest = rest.value()
		rest = rawJSON(strings.TrimLeft(string(rest), " \t\r\n:"))
		v, rest = rest.value()
		f(k.unquote(), v)
	}
}

// unquote gives a string's text; any other value is its own.
func (j rawJSON) unquote() string {
	if len(j) < 2 || j[0] != '"' {
		return string(j)
	}
	body := string(j[1 : len(j)-1])
	if strings.IndexByte(body, '\\') < 0 {
		return body
	}
	v, err := catalog.ParseJSONB([]byte(j))
	if err != nil { // \u0000 and the like, which json may hold and text may not
		return body
	}
	return string(v.Text)
}

// field gives a member of an object, ok false if there is none.
func (j rawJSON) field(key string) (found rawJSON, ok bool) {
	if j.kind() != '{' {
		return "", false
	}
	j.members(func(k string, v rawJSON) {
		if k == key {
			found, ok = v, true
		}
	})
	return found, ok
}

// index gives an element of an array, from the end for a negative i.
func (j rawJSON) index(i int64) (found rawJSON, ok bool) {
	if j.kind() != '[' {
		return "", false
	}
	if i < 0 {
		n := int64(0)
		j.elements(func(rawJSON) bool { n++; return true })
		if i += n; i < 0 {
			return "", false
		}
	}
	j.elements(func(v rawJSON) bool {
		if i == 0 {
			found, ok = v, true
		}
		i--
		return i >= 0
	})
	return found, ok
}

// asText is what ->> gives: a string's text, NULL for null.
func (j rawJSON) asText() catalog.Value {
	switch j.kind() {
	case '"':
		return catalog.Str(j.unquote())
	case 'n':
		return null
	}
	return catalog.Str(string(j))
}

func (j rawJSON) result(asText bool) catalog.Value {
	if asText {
		return j.asText()
	}
	return catalog.Str(string(j))
}

func jsonArg(v catalog.Value) rawJSON { return rawJSON(v.Bytes).trim() }

func jsonGet(jsonb, asText bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		j := jsonArg(args[0])
		var v rawJSON
		var ok bool
		if args[1].Kind == catalog.Integer {
			n := args[1].Int()
			if k := j.kind(); jsonb && k != '[' && k != '{' {
				v, ok = j, n == 0 || n == -1 // jsonb keeps a scalar as an array of one
			} else {
				v, ok = j.index(n)
			}
		} else {
			v, ok = j.field(text(args[1]))
		}
		if !ok {
			return null, nil
		}
		return v.result(asText), nil
	}
}

// textElements gives the elements of a text[].
func textElements(v catalog.Value) ([]catalog.Value, error) {
	_, elems, err := catalog.DecodeArray(v.Bytes)
	if err != nil {
		return nil, badArgs("text[]", err)
	}
	return elems, nil
}

func jsonPath(_, asText bool) call {
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		path, err := textElements(args[1])
		if err != nil {
			return null, err
		}
		j := jsonArg(args[0])
		for _, p := range path {
			if p.IsNull() {
				return null, nil
			}
			ok := false
			switch j.kind() {
			case '{':
				j, ok = j.field(text(p))
			case '[':
				if i, err := pathIndex(text(p)); err == nil {
					j, ok = j.index(i)
				}
			}
			if !ok {
				return null, nil
			}
		}
		return j.result(asText), nil
	}
}

// pathIndex reads a path's step as an array index, as strtol does.
func pathIndex(s string) (int64, error) {
	return strconv.ParseInt(strings.TrimLeft(s, " \t\n\v\f\r"), 10, 32)
}

func jsonTypeof(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	names := map[byte]string{'{': "object", '[': "array", '"': "string", 't': "boolean", 'f': "boolean", 'n': "null", 0: "number"}
	return catalog.Str(names[jsonArg(args[0]).kind()]), nil
}

func jsonArrayLength(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j := jsonArg(args[0])
	switch j.kind() {
	case '{':
		return null, errf("22023", "cannot get array length of a non-array")
	case '[':
		n := int64(0)
		j.elements(func(rawJSON) bool { n++; return true })
		return catalog.Int(n), nil
	}
	return null, errf("22023", "cannot get array length of a scalar")
}

func jsonObjectKeys(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j := jsonArg(args[0])
	switch j.kind() {
	case '{':
	case '[':
		return null, errf("22023", "cannot call json_object_keys on an array")
	default:
		return null, errf("22023", "cannot call json_object_keys on a scalar")
	}
	var keys []string
	j.members(func(k string, _ rawJSON) { keys = append(keys, k) })
	return textArray(keys), nil
}

// jsonEach gives a row set of keys and values.
func jsonEach(jsonb, asText bool) call {
	name := "json_each"
	if jsonb {
		name = "jsonb_each"
	}
	if asText {
		name += "_text"
	}
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		j := jsonArg(args[0])
		switch {
		case j.kind() == '{':
		case jsonb:
			return null, errf("22023", "cannot call %s on a non-object", name)
		case j.kind() == '[':
			return null, errf("22023", "cannot deconstruct an array as an object")
		default:
			return null, errf("22023", "cannot deconstruct a scalar")
		}
		var rows []byte
		j.members(func(k string, v rawJSON) {
			rows = catalog.AppendValue(rows, catalog.Str(k))
			rows = catalog.AppendValue(rows, v.result(asText))
		})
		return catalog.BlobBytes(rows), nil
	}
}

// jsonElements gives an array's elements as an array.
func jsonElements(jsonb, asText bool) call {
	elem := catalog.JSONOID
	if jsonb {
		elem = catalog.JSONBOID
	}
	if asText {
		elem = catalog.TextOID
	}
	return func(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		j := jsonArg(args[0])
		switch j.kind() {
		case '[':
		case '{':
			if jsonb {
				return null, errf("22023", "cannot extract elements from an object")
			}
			return null, errf("22023", "cannot call json_array_elements on a non-array")
		default:
			if jsonb {
				return null, errf("22023", "cannot extract elements from a scalar")
			}
			return null, errf("22023", "cannot call json_array_elements on a scalar")
		}
		var elems []catalog.Value
		j.elements(func(v rawJSON) bool {
			elems = append(elems, v.result(asText))
			return true
		})
		return catalog.EncodeArray(elem, catalog.Vector(len(elems)), elems), nil
	}
}

// jsonArrayText is the input text of the SQL array that a JSON array stands for, as json_to_record reads one: arrays in
// it are further dimensions, objects elements. A JSON string is the text itself. The second argument is the key, for the
// error.
func jsonArrayText(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, err := catalog.ParseJSONB(args[0].Bytes)
	if err != nil {
		return null, err
	}
	switch j.Kind {
	case catalog.JSONNull:
		return null, nil
	case catalog.JSONString:
		return catalog.TextBytes(j.Text), nil
	case catalog.JSONArray:
		return catalog.TextBytes(appendJSONArray(nil, &j)), nil
	}
	return null, pgerror.New(pgerror.InvalidTextRepresentation, "expected JSON array").WithHint("See the value of key \"%s\".", text(args[1]))
}

func appendJSONArray(dst []byte, j *catalog.JSONValue) []byte {
	dst = append(dst, '{')
	for i := range j.Elems {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch e := &j.Elems[i]; e.Kind {
		case catalog.JSONArray:
			dst = appendJSONArray(dst, e)
		case catalog.JSONNull:
			dst = append(dst, "NULL"...)
		case catalog.JSONString:
			dst = appendArrayElement(dst, e.Text)
		default:
			dst = appendArrayElement(dst, e.Append(nil))
		}
	}
	return append(dst, '}')
}

// appendArrayElement writes an element of an array's text in quotes.
func appendArrayElement(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

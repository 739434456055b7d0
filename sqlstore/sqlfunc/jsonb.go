package sqlfunc

import (
	"bytes"
	"cmp"
	"slices"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var jsonbFuncs = []def{
	strict("lc_jsonb_cmp", 2, compareJSONB), // in indexes of folders of format 4; see the collation LCJSON
	strict("lc_jsonb_contains", 2, jsonbContains),
	strict("lc_jsonb_exists", 2, jsonbExists),
	strict("lc_jsonb_exists_any", 2, jsonbExistsAny),
	strict("lc_jsonb_exists_all", 2, jsonbExistsAll),
	strict("lc_jsonb_concat", 2, jsonbConcat),
	strict("lc_jsonb_delete", 2, jsonbDelete),
	strict("lc_jsonb_delete_keys", 2, jsonbDeleteKeys),
	strict("lc_jsonb_delete_path", 2, jsonbDeletePath),
	strict("lc_jsonb_set", 4, jsonbSet),
	pure("lc_jsonb_set_lax", 5, jsonbSetLax),
	strict("lc_jsonb_insert", 4, jsonbInsert),
	strict("lc_jsonb_pretty", 1, jsonbPretty),
	strict("lc_jsonb_strip_nulls", 1, jsonbStripNulls),
	strict("lc_json_strip_nulls", 1, jsonStripNulls),
}

type jsonValue = catalog.JSONValue

// tree reads a stored jsonb.
func tree(v catalog.Value) (jsonValue, error) {
	j, err := catalog.ParseJSONB(v.Bytes)
	if err != nil {
		return j, badArgs("jsonb", err)
	}
	return j, nil
}

func stored(j jsonValue) (catalog.Value, error) { return catalog.TextBytes(j.Append(nil)), nil }

func isScalar(j *jsonValue) bool { return j.Kind != catalog.JSONArray && j.Kind != catalog.JSONObject }

// memberOf returns an object's member, nil if there is none.
func memberOf(j *jsonValue, key []byte) *jsonValue {
	if j.Kind == catalog.JSONObject {
		for i := range j.Keys {
			if bytes.Equal(j.Keys[i], key) {
				return &j.Elems[i]
			}
		}
	}
	return nil
}

// jsonRank orders kinds of jsonb: Null, String, Number, Boolean, Array, Object.
func jsonRank(k catalog.JSONKind) int {
	switch k {
	case catalog.JSONNull:
		return 0
	case catalog.JSONString:
		return 1
	case catalog.JSONNumber:
		return 2
	case catalog.JSONFalse, catalog.JSONTrue:
		return 3
	case catalog.JSONArray:
		return 4
	}
	return 5
}

func compareJSONB(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.Int(int64(compareJSONBText(args[0].Bytes, args[1].Bytes))), nil
}

// compareJSONBText orders two stored jsonb values (compareJsonbContainers).
func compareJSONBText(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	x, err1 := catalog.ParseJSONB(a)
	y, err2 := catalog.ParseJSONB(b)
	if err1 != nil || err2 != nil {
		return bytes.Compare(a, b)
	}
	// A scalar at the top is kept as an array of one, but sorts before true arrays of one.
	sx, sy := isScalar(&x), isScalar(&y)
	if sx != sy {
		other, sign := &x, 1
		if sx {
			other, sign = &y, -1
		}
		if other.Kind == catalog.JSONArray && len(other.Elems) == 0 {
			return -sign
		}
		return sign
	}
	return compareTrees(&x, &y)
}

func compareTrees(x, y *jsonValue) int {
	if c := cmp.Compare(jsonRank(x.Kind), jsonRank(y.Kind)); c != 0 {
		return c
	}
	switch x.Kind {
	case catalog.JSONFalse, catalog.JSONTrue:
		return cmp.Compare(x.Kind, y.Kind) // 'f' < 't'
	case catalog.JSONString:
		return bytes.Compare(x.Text, y.Text)
	case catalog.JSONNumber:
		return compareNumbers(x.Text, y.Text)
	case catalog.JSONArray, catalog.JSONObject:
		if c := cmp.Compare(len(x.Elems), len(y.Elems)); c != 0 {
			return c
		}
		for i := range x.Elems {
			if x.Kind == catalog.JSONObject {
				if c := bytes.Compare(x.Keys[i], y.Keys[i]); c != 0 {
					return c
				}
			}
			if c := compareTrees(&x.Elems[i], &y.Elems[i]); c != 0 {
				return c
			}
		}
	}
	return 0
}

func compareNumbers(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	x, err1 := catalog.ParseNumeric(a)
	y, err2 := catalog.ParseNumeric(b)
	if err1 != nil || err2 != nil {
		return bytes.Compare(a, b)
	}
	return catalog.CompareNumeric(x.AppendStored(nil), y.AppendStored(nil))
}

func jsonbContains(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	a, err := tree(args[0])
	if err != nil {
		return null, err
	}
	b, err := tree(args[1])
	if err != nil {
		return null, err
	}
	// An array may contain a scalar, and that only at the top.
	if a.Kind == catalog.JSONArray && isScalar(&b) {
		return catalog.Bool(hasElement(&a, &b)), nil
	}
	return catalog.Bool(contains(&a, &b)), nil
}

func hasElement(a, e *jsonValue) bool {
	for i := range a.Elems {
		if isScalar(e) && isScalar(&a.Elems[i]) && compareTrees(&a.Elems[i], e) == 0 {
			return true
		}
	}
	return false
}

func contains(a, b *jsonValue) bool {
	if isScalar(a) && isScalar(b) {
		return compareTrees(a, b) == 0
	}
	if a.Kind != b.Kind {
		return false
	}
	for i := range b.Elems {
		want := &b.Elems[i]
		switch {
		case b.Kind == catalog.JSONObject:
			have := memberOf(a, b.Keys[i])
			if have == nil || !contains(have, want) {
				return false
			}
		case isScalar(want):
			if !hasElement(a, want) {
				return false
			}
		case !slices.ContainsFunc(a.Elems, func(e jsonValue) bool { return !isScalar(&e) && contains(&e, want) }):
			return false
		}
	}
	return true
}

// exists says whether key is a member's name, a string element, or the string itself.
func exists(j *jsonValue, key []byte) bool {
	switch j.Kind {
	case catalog.JSONObject:
		return memberOf(j, key) != nil
	case catalog.JSONArray:
		return slices.ContainsFunc(j.Elems, func(e jsonValue) bool { return e.Kind == catalog.JSONString && bytes.Equal(e.Text, key) })
	case catalog.JSONString:
		return bytes.Equal(j.Text, key)
	}
	return false
}

func jsonbExists(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, err := tree(args[0])
	return catalog.Bool(exists(&j, args[1].Bytes)), err
}

func jsonbExistsAny(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, keys, err := treeAndPath(args)
	if err != nil {
		return null, err
	}
	return catalog.Bool(slices.ContainsFunc(keys, func(k catalog.Value) bool { return !k.IsNull() && exists(&j, k.Bytes) })), nil
}

func jsonbExistsAll(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, keys, err := treeAndPath(args)
	if err != nil {
		return null, err
	}
	return catalog.Bool(!slices.ContainsFunc(keys, func(k catalog.Value) bool { return !k.IsNull() && !exists(&j, k.Bytes) })), nil
}

// treeAndPath reads a jsonb and a text[].
func treeAndPath(args []catalog.Value) (jsonValue, []catalog.Value, error) {
	j, err := tree(args[0])
	if err != nil {
		return j, nil, err
	}
	path, err := textElements(args[1])
	return j, path, err
}

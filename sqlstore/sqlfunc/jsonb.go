package sqlfunc

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

var jsonbFuncs = []def{
	strict("lc_jsonb_cmp", 2, compareJSONB),
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

func jsonbConcat(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	a, err := tree(args[0])
	if err != nil {
		return null, err
	}
	b, err := tree(args[1])
	if err != nil {
		return null, err
	}
	if a.Kind == catalog.JSONObject && b.Kind == catalog.JSONObject {
		a.Keys, a.Elems = append(a.Keys, b.Keys...), append(a.Elems, b.Elems...)
		a.SortKeys()
		return stored(a)
	}
	return stored(jsonValue{Kind: catalog.JSONArray, Elems: append(asElements(a), asElements(b)...)})
}

// asElements gives an array's elements, or the value as the only one.
func asElements(j jsonValue) []jsonValue {
	if j.Kind == catalog.JSONArray {
		return j.Elems
	}
	return []jsonValue{j}
}

// jsonbDelete deletes a key (or string element), or the element at an index.
func jsonbDelete(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, err := tree(args[0])
	if err != nil {
		return null, err
	}
	if isScalar(&j) {
		return null, errf("22023", "cannot delete from scalar")
	}
	if args[1].Kind == catalog.Integer {
		if j.Kind == catalog.JSONObject {
			return null, errf("22023", "cannot delete from object using integer index")
		}
		i := args[1].Int()
		if i < 0 {
			i += int64(len(j.Elems))
		}
		if i >= 0 && i < int64(len(j.Elems)) {
			j.Elems = slices.Delete(j.Elems, int(i), int(i)+1)
		}
		return stored(j)
	}
	deleteKey(&j, args[1].Bytes)
	return stored(j)
}

func deleteKey(j *jsonValue, key []byte) {
	if j.Kind == catalog.JSONArray {
		j.Elems = slices.DeleteFunc(j.Elems, func(e jsonValue) bool { return e.Kind == catalog.JSONString && bytes.Equal(e.Text, key) })
		return
	}
	if i := slices.IndexFunc(j.Keys, func(k []byte) bool { return bytes.Equal(k, key) }); i >= 0 {
		j.Keys, j.Elems = slices.Delete(j.Keys, i, i+1), slices.Delete(j.Elems, i, i+1)
	}
}

func jsonbDeleteKeys(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, keys, err := treeAndPath(args)
	if err != nil {
		return null, err
	}
	if isScalar(&j) {
		return null, errf("22023", "cannot delete from scalar")
	}
	for _, k := range keys {
		if !k.IsNull() {
			deleteKey(&j, k.Bytes)
		}
	}
	return stored(j)
}

func jsonbDeletePath(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, path, err := treeAndPath(args)
	if err != nil {
		return null, err
	}
	if isScalar(&j) {
		return null, errf("22023", "cannot delete path in scalar")
	}
	if err := setPath(&j, path, nil, opDelete, 0); err != nil {
		return null, err
	}
	return stored(j)
}

// pathOp is what setPath does at the end of the path.
type pathOp uint8

const (
	opDelete pathOp = iota
	opReplace
	opCreate // or replace
	opInsertBefore
	opInsertAfter
)

// setPath changes what path leads to (setPath in adt/jsonfuncs.c). level counts the steps taken.
func setPath(j *jsonValue, path []catalog.Value, value *jsonValue, op pathOp, level int) error {
	if len(path) == 0 {
		return nil
	}
	if path[0].IsNull() {
		return errf("22004", "path element at position %d is null", level+1)
	}
	switch j.Kind {
	case catalog.JSONObject:
		return setMember(j, path, value, op, level)
	case catalog.JSONArray:
		return setElement(j, path, value, op, level)
	}
	return nil
}

func setMember(j *jsonValue, path []catalog.Value, value *jsonValue, op pathOp, level int) error {
	key := path[0].Bytes
	have := memberOf(j, key)
	if len(path) > 1 {
		if have == nil {
			return nil
		}
		return setPath(have, path[1:], value, op, level+1)
	}
	switch {
	case have == nil:
		if op >= opCreate {
			j.Keys, j.Elems = append(j.Keys, key), append(j.Elems, *value)
			j.SortKeys()
		}
	case op == opDelete:
		deleteKey(j, key)
	case op == opInsertBefore || op == opInsertAfter:
		return withHint(errf("22023", "cannot replace existing key"), "Try using the function jsonb_set to replace key value.")
	default:
		*have = *value
	}
	return nil
}

func setElement(j *jsonValue, path []catalog.Value, value *jsonValue, op pathOp, level int) error {
	i, err := pathIndex(text(path[0]))
	if err != nil {
		return errf("22P02", "path element at position %d is not an integer: \"%s\"", level+1, path[0].Bytes)
	}
	n := int64(len(j.Elems))
	before := false // beyond the front: there is nothing, but something may be put there
	if i < 0 {
		if i += n; i < 0 {
			before, i = true, 0
		}
	}
	i = min(i, n)
	if len(path) > 1 {
		if before || i >= n {
			return nil
		}
		return setPath(&j.Elems[i], path[1:], value, op, level+1)
	}
	exists := !before && i < n
	switch {
	case op == opDelete:
		if exists {
			j.Elems = slices.Delete(j.Elems, int(i), int(i)+1)
		}
	case !exists:
		if op >= opCreate {
			j.Elems = slices.Insert(j.Elems, int(i), *value)
		}
	case op == opInsertBefore:
		j.Elems = slices.Insert(j.Elems, int(i), *value)
	case op == opInsertAfter:
		j.Elems = slices.Insert(j.Elems, int(i)+1, *value)
	default:
		j.Elems[i] = *value
	}
	return nil
}

func jsonbSet(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	op := opReplace
	if args[3].Bool() {
		op = opCreate
	}
	return jsonbChange(args, op, "cannot set path in scalar")
}

func jsonbInsert(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	op := opInsertBefore
	if args[3].Bool() {
		op = opInsertAfter
	}
	return jsonbChange(args, op, "cannot set path in scalar")
}

func jsonbChange(args []catalog.Value, op pathOp, scalar string) (catalog.Value, error) {
	j, path, err := treeAndPath(args)
	if err != nil {
		return null, err
	}
	value, err := tree(args[2])
	if err != nil {
		return null, err
	}
	if isScalar(&j) {
		return null, errf("22023", "%s", scalar)
	}
	if err := setPath(&j, path, &value, op, 0); err != nil {
		return null, err
	}
	return stored(j)
}

// jsonbSetLax is jsonb_set with a say in what a NULL value means.
func jsonbSetLax(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	if args[0].IsNull() || args[1].IsNull() || args[3].IsNull() {
		return null, nil
	}
	if args[4].IsNull() {
		return null, errf("22023", "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
	}
	if !args[2].IsNull() {
		return jsonbSet(ctx, args[:4])
	}
	switch text(args[4]) {
	case "raise_exception":
		return null, withHint(withDetail(errf("22004", "JSON value must not be null"),
			"Exception was raised because null_value_treatment is \"raise_exception\"."),
			"To avoid, either change the null_value_treatment argument or ensure that an SQL NULL is not passed.")
	case "use_json_null":
		return jsonbSet(ctx, []catalog.Value{args[0], args[1], catalog.Str("null"), args[3]})
	case "delete_key":
		return jsonbDeletePath(ctx, args[:2])
	case "return_target":
		return args[0], nil
	}
	return null, errf("22023", "null_value_treatment must be \"delete_key\", \"return_target\", \"use_json_null\", or \"raise_exception\"")
}

func jsonbPretty(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, err := tree(args[0])
	if err != nil {
		return null, err
	}
	return catalog.TextBytes(pretty(nil, &j, 0)), nil
}

func pretty(dst []byte, j *jsonValue, level int) []byte {
	if isScalar(j) {
		return j.Append(dst)
	}
	brackets := "[]"
	if j.Kind == catalog.JSONObject {
		brackets = "{}"
	}
	dst = append(dst, brackets[0], '\n')
	for i := range j.Elems {
		if i > 0 {
			dst = append(dst, ",\n"...)
		}
		dst = append(dst, strings.Repeat(" ", 4*(level+1))...)
		if j.Kind == catalog.JSONObject {
			dst = append(catalog.AppendJSONString(dst, j.Keys[i]), ": "...)
		}
		dst = pretty(dst, &j.Elems[i], level+1)
	}
	if len(j.Elems) > 0 {
		dst = append(dst, '\n')
	}
	return append(append(dst, strings.Repeat(" ", 4*level)...), brackets[1])
}

func stripNulls(j *jsonValue) {
	if j.Kind == catalog.JSONObject {
		n := 0
		for i := range j.Elems {
			if j.Elems[i].Kind != catalog.JSONNull {
				j.Keys[n], j.Elems[n] = j.Keys[i], j.Elems[i]
				n++
			}
		}
		j.Keys, j.Elems = j.Keys[:n], j.Elems[:n]
	}
	for i := range j.Elems {
		stripNulls(&j.Elems[i])
	}
}

func jsonbStripNulls(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	j, err := tree(args[0])
	if err != nil {
		return null, err
	}
	stripNulls(&j)
	return stored(j)
}

// jsonStripNulls works on the text: json keeps its keys in order, and equal ones too.
func jsonStripNulls(_ *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
	return catalog.TextBytes(stripRaw(nil, jsonArg(args[0]))), nil
}

func stripRaw(dst []byte, j rawJSON) []byte {
	first := true
	sep := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
	}
	switch j.kind() {
	case '{':
		dst = append(dst, '{')
		j.members(func(k string, v rawJSON) {
			if v.kind() != 'n' {
				sep()
				dst = stripRaw(append(catalog.AppendJSONString(dst, []byte(k)), ':'), v)
			}
		})
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		j.elements(func(v rawJSON) bool {
			sep()
			dst = stripRaw(dst, v)
			return true
		})
		return append(dst, ']')
	case '"':
		return catalog.AppendJSONString(dst, []byte(j.unquote()))
	}
	return append(dst, j...)
}

package sqlfunc

import (
	"bytes"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/sqlstore/sqlite"
)

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

package catalog

import (
	"bytes"
	"sort"
)

// Append writes v as jsonb_out does.
func (v *JSONValue) Append(dst []byte) []byte {
	switch v.Kind {
	case JSONNull:
		return append(dst, "null"...)
	case JSONTrue:
		return append(dst, "true"...)
	case JSONFalse:
		return append(dst, "false"...)
	case JSONNumber:
		return append(dst, v.Text...)
	case JSONString:
		return AppendJSONString(dst, v.Text)
	case JSONArray:
		dst = append(dst, '[')
		for i := range v.Elems {
			if i > 0 {
				dst = append(dst, ',', ' ')
			}
			dst = v.Elems[i].Append(dst)
		}
		return append(dst, ']')
	}
	dst = append(dst, '{')
	for i := range v.Elems {
		if i > 0 {
			dst = append(dst, ',', ' ')
		}
		dst = append(AppendJSONString(dst, v.Keys[i]), ':', ' ')
		dst = v.Elems[i].Append(dst)
	}
	return append(dst, '}')
}

// AppendJSONString writes s as a JSON string, as escape_json does.
func AppendJSONString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		switch c {
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		case '"', '\\':
			dst = append(dst, '\\', c)
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// SortKeys brings an object's keys into jsonb's order and drops all but the last of equal ones.
func (v *JSONValue) SortKeys() {
	sorted := sort.IsSorted((*jsonKeys)(v))
	if !sorted {
		sort.Stable((*jsonKeys)(v))
	}
	n := 0
	for i := range v.Keys {
		if i+1 < len(v.Keys) && bytes.Equal(v.Keys[i], v.Keys[i+1]) {
			continue
		}
		v.Keys[n], v.Elems[n] = v.Keys[i], v.Elems[i]
		n++
	}
	v.Keys, v.Elems = v.Keys[:n], v.Elems[:n]
}

// jsonKeys sorts an object by key.
type jsonKeys JSONValue

func (k *jsonKeys) Len() int { return len(k.Keys) }
func (k *jsonKeys) Less(i, j int) bool {
	a, b := k.Keys[i], k.Keys[j]
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return bytes.Compare(a, b) < 0
}
func (k *jsonKeys) Swap(i, j int) {
	k.Keys[i], k.Keys[j] = k.Keys[j], k.Keys[i]
	k.Elems[i], k.Elems[j] = k.Elems[j], k.Elems[i]
}

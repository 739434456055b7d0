package catalog

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Comparison names what SQLite needs to compare values of type oid as PostgreSQL does: a collation (see Collation), or a
// function that gives a key which compares bytewise, or "" where stored forms compare as they are. Compared puts it into
// SQL.
func Comparison(oid uint32) string {
	if c := Collation(oid); c != "" {
		return c
	}
	return KeyFunction(oid)
}

// KeyFunction returns the SQL function that gives a value's key, "" for none: of rows, and of arrays whose elements may be
// equal though they are stored differently.
func KeyFunction(oid uint32) string {
	if oid == RecordOID {
		return "lc_record_key"
	}
	switch ElemOf(oid) {
	case NumericOID, IntervalOID, TimetzOID, Float4OID, Float8OID:
		return "lc_array_key"
	case JSONBOID:
		return "lc_jsonb_array_key"
	case RecordOID:
		return "lc_record_array_key"
	}
	return ""
}

// Compared returns the SQL of an operand, or of a term of ORDER BY, GROUP BY or an index, under a Comparison.
func Compared(sql, comparison string) string {
	switch {
	case comparison == "":
		return sql
	case strings.HasPrefix(comparison, "lc_"):
		return comparison + "(" + sql + ")"
	}
	return sql + " COLLATE " + comparison
}

// Canonical returns a value that is the same for all values that are equal under a Comparison. It may share v's bytes.
func Canonical(v Value, comparison string) Value {
	switch {
	case v.Kind == Text:
		switch comparison {
		case "RTRIM":
			v.Bytes = bytes.TrimRight(v.Bytes, " ")
		case "LCKEY":
			if i := bytes.IndexByte(v.Bytes, '|'); i >= 0 {
				v.Bytes = v.Bytes[:i]
			}
		case "LCJSON":
			v.Bytes = canonicalNumbers(v.Bytes)
		}
	case v.Kind == Blob && strings.HasPrefix(comparison, "lc_"):
		key, err := v.Bytes, error(nil)
		switch comparison {
		case "lc_array_key":
			key, err = ArrayKey(v.Bytes)
		case "lc_jsonb_array_key":
			key, err = JSONBArrayKey(v.Bytes)
		case "lc_record_array_key":
			key, err = RecordArrayKey(v.Bytes)
		case "lc_record_key":
			key, err = RecordKey(v.Bytes)
		}
		if err == nil {
			v.Bytes = key
		}
	}
	return v
}

// canonicalNumbers returns a jsonb's text with its numbers' last zeros behind the point left out: all else that is equal is
// also written alike.
func canonicalNumbers(text []byte) []byte {
	var out []byte
	done, inString := 0, false // text[:done] is in out
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++
		case !inString && c == '.':
			end := i + 1
			for end < len(text) && '0' <= text[end] && text[end] <= '9' {
				end++
			}
			keep := end
			for keep > i && (text[keep-1] == '0' || keep == i+1) {
				keep--
			}
			if keep < end {
				out, done = append(out, text[done:keep]...), end
			}
			i = end - 1
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}

// ArrayKey returns the part of a stored array that comparisons count: the keys of its elements, then its dimensions.
func ArrayKey(b []byte) ([]byte, error) {
	dims, _, err := DecodeArray(b)
	if err != nil {
		return nil, err
	}
	at := binary.LittleEndian.Uint32(b[len(b)-4:])
	return appendDims(append(make([]byte, 0, int(at)+1+8*len(dims)), b[:at]...), dims), nil
}

// JSONBArrayKey is ArrayKey of an array of jsonb, whose stored keys are the elements' texts.
func JSONBArrayKey(b []byte) ([]byte, error) { return elementsKey(JSONBOID, b) }

// RecordArrayKey is ArrayKey of an array of rows, whose stored keys are the rows as they are stored.
func RecordArrayKey(b []byte) ([]byte, error) { return elementsKey(RecordOID, b) }

func elementsKey(elem uint32, b []byte) ([]byte, error) {
	dims, elems, err := DecodeArray(b)
	if err != nil {
		return nil, err
	}
	var key []byte
	for _, e := range elems {
		key = appendKey(key, elem, e)
	}
	return appendDims(append(key, 1), dims), nil
}

// appendDims writes what decides after the elements: the number of dimensions, their lengths, their lower bounds.
func appendDims(key []byte, dims []ArrayDim) []byte {
	key = append(key, byte(len(dims)))
	for _, d := range dims {
		key = binary.BigEndian.AppendUint32(key, uint32(d.Len))
	}
	for _, d := range dims {
		key = binary.BigEndian.AppendUint32(key, uint32(d.Lower)^1<<31)
	}
	return key
}

// RecordKey returns bytes that sort as rows of the same types do: column by column, NULL last.
func RecordKey(b []byte) ([]byte, error) {
	oids, values, err := DecodeRecord(b)
	if err != nil {
		return nil, err
	}
	var key []byte
	for i, v := range values {
		key = appendKey(key, oids[i], v)
	}
	return append(key, 1), nil
}

// appendKey writes a value's key as appendElementKey does, of values too whose stored form does not sort.
func appendKey(b []byte, typ uint32, v Value) []byte {
	switch {
	case typ == JSONBOID && v.Kind == Text:
		v = BlobBytes(appendJSONBKey(nil, v.Bytes))
	case v.Kind == Blob && (typ == RecordOID || ElemOf(typ) != 0):
		comparison := KeyFunction(typ)
		if comparison == "" {
			comparison = "lc_array_key"
		}
		v = Canonical(v, comparison)
	}
	return appendElementKey(b, typ, v)
}

// appendJSONBKey writes bytes that sort as the collation LCJSON does.
func appendJSONBKey(b, text []byte) []byte {
	j, err := ParseJSONB(text)
	if err != nil {
		return append(b, text...)
	}
	switch { // a scalar at the top comes before arrays and objects, but for the empty array
	case j.Kind == JSONArray && len(j.Elems) == 0:
		b = append(b, 1)
	case j.Kind != JSONArray && j.Kind != JSONObject:
		b = append(b, 2)
	default:
		b = append(b, 3)
	}
	return appendTreeKey(b, &j)
}

func appendTreeKey(b []byte, j *JSONValue) []byte {
	switch j.Kind {
	case JSONNull:
		return append(b, 1)
	case JSONString:
		return append(append(append(b, 2), j.Text...), 0) // no string of a jsonb has a zero byte
	case JSONNumber:
		b = append(b, 3)
		if n, err := ParseNumeric(j.Text); err == nil {
			b = append(b, bytes.TrimRight(n.AppendStored(nil), " ")...)
		}
		return append(b, 0)
	case JSONFalse:
		return append(b, 4)
	case JSONTrue:
		return append(b, 5)
	case JSONArray:
		b = append(b, 6)
	default:
		b = append(b, 7)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(j.Elems)))
	for i := range j.Elems {
		if j.Kind == JSONObject {
			b = append(append(b, j.Keys[i]...), 0)
		}
		b = appendTreeKey(b, &j.Elems[i])
	}
	return b
}

package catalog

import (
	"strings"

	"layercake/pgerror"
)

// arrayReader reads an array literal: {a,"b c",{…}}, with bounds in front where they are not from 1.
type arrayReader struct {
	src []byte
	at  int
	t   *Type

	lens  [maxArrayDims]int // length of each dimension, -1: not known yet
	depth int               // dimensions seen, 0: not known yet
	body  int               // where the braces begin
	texts [][]byte          // of the elements, nil for NULL
}

// malformed complains of the literal; within the braces, PostgreSQL shows it from them on.
func (r *arrayReader) malformed(detail string, args ...any) error {
	return pgerror.New(pgerror.InvalidTextRepresentation, "malformed array literal: \"%s\"", r.src[r.body:]).WithDetail(detail, args...)
}

func (r *arrayReader) space() {
	for r.at < len(r.src) && isSpace(r.src[r.at]) {
		r.at++
	}
}

func (r *arrayReader) peek() byte {
	if r.at < len(r.src) {
		return r.src[r.at]
	}
	return 0
}

func decodeArrayText(t *Type, typmod int32, src []byte, s *OutputSettings) (Value, error) {
	if err := CheckUTF8(src); err != nil {
		return Value{}, err
	}
	r := arrayReader{src: src, t: t}
	for i := range r.lens {
		r.lens[i] = -1
	}
	bounds, err := r.bounds()
	if err != nil {
		return Value{}, err
	}
	if r.peek() != '{' {
		if bounds != nil {
			return Value{}, r.malformed("Array contents must start with \"{\".")
		}
		return Value{}, r.malformed("Array value must start with \"{\" or dimension information.")
	}
	r.body = r.at
	if err := r.level(0); err != nil {
		return Value{}, err
	}
	if r.space(); r.at < len(r.src) {
		return Value{}, r.malformed("Junk after closing right brace.")
	}
	r.body = 0
	var dims []ArrayDim
	if len(r.texts) > 0 {
		for i := range r.depth {
			dims = append(dims, ArrayDim{Len: int32(r.lens[i]), Lower: 1})
		}
	}
	if bounds != nil {
		if len(bounds) != len(dims) {
			return Value{}, r.malformed("Specified array dimensions do not match array contents.")
		}
		for i := range dims {
			if bounds[i].Len != dims[i].Len {
				return Value{}, r.malformed("Specified array dimensions do not match array contents.")
			}
		}
		dims = bounds
	}
	if err := checkArrayBounds(dims); err != nil {
		return Value{}, err
	}
	elems := make([]Value, len(r.texts))
	for i, text := range r.texts {
		if text == nil {
			continue
		}
		if elems[i], err = DecodeText(t.Elem, typmod, text, s); err != nil {
			return Value{}, err
		}
	}
	return EncodeArray(t.Elem, dims, elems), nil
}

// bounds reads [l:u][l:u]…= in front; nil if there is none.
func (r *arrayReader) bounds() ([]ArrayDim, error) {
	var dims []ArrayDim
	for {
		r.space()
		if r.peek() != '[' {
			break
		}
		r.at++
		if len(dims) >= maxArrayDims {
			return nil, pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", len(dims)+1, maxArrayDims)
		}
		lower, upper := 1, 0
		var ok bool
		if upper, ok = r.bound(); !ok {
			return nil, r.malformed("\"[\" must introduce explicitly-specified array dimensions.")
		}
		if r.peek() == ':' {
			r.at++
			lower = upper
			if upper, ok = r.bound(); !ok {
				return nil, r.malformed("Missing array dimension value.")
			}
		}
		if r.peek() != ']' {
			return nil, r.malformed("Missing \"%s\" after array dimensions.", "]")
		}
		r.at++
		if upper < lower {
			return nil, pgerror.New(pgerror.ArraySubscriptError, "upper bound cannot be less than lower bound")
		}
		if upper-lower >= maxArrayLen {
			return nil, pgerror.New(pgerror.ProgramLimitExceeded, "array size exceeds the maximum allowed (%d)", maxArrayLen)
		}
		dims = append(dims, ArrayDim{Len: int32(upper - lower + 1), Lower: int32(lower)})
	}
	if dims == nil {
		return nil, nil
	}
	if r.peek() != '=' {
		return nil, r.malformed("Missing \"%s\" after array dimensions.", "=")
	}
	r.at++
	r.space()
	return dims, nil
}

func (r *arrayReader) bound() (int, bool) {
	start := r.at
	for r.at < len(r.src) && (isDigit(r.src[r.at]) || r.at == start && (r.src[r.at] == '-' || r.src[r.at] == '+')) {
		r.at++
	}
	v, rest, over := leadingInt(string(r.src[start:r.at]))
	return v, r.at > start && rest == "" && !over
}

// level reads one pair of braces; depth counts those around it.
func (r *arrayReader) level(depth int) error {
	if depth >= maxArrayDims {
		return pgerror.New(pgerror.ProgramLimitExceeded, "number of array dimensions (%d) exceeds the maximum allowed (%d)", depth+1, maxArrayDims)
	}
	r.at++ // the brace
	n, arrays := 0, false
	for {
		r.space()
		if r.at >= len(r.src) {
			return r.malformed("Unexpected end of input.")
		}
		switch c := r.src[r.at]; {
		case c == '}' && n == 0 && depth == 0:
			r.at++
			r.depth = 0
			return nil
		case c == '}' || c == r.t.Delim:
			return r.malformed("Unexpected \"%c\" character.", c)
		case c == '{':
			if n > 0 && !arrays {
				return r.malformed("Unexpected \"%c\" character.", c)
			}
			if r.depth != 0 && depth+1 >= r.depth {
				return r.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			arrays = true
			if err := r.level(depth + 1); err != nil {
				return err
			}
		default:
			if arrays {
				return r.malformed("Unexpected array element.")
			}
			if r.depth == 0 {
				r.depth = depth + 1
			} else if r.depth != depth+1 {
				return r.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			if err := r.element(); err != nil {
				return err
			}
		}
		n++
		r.space()
		switch c := r.peek(); {
		case r.at >= len(r.src):
			return r.malformed("Unexpected end of input.")
		case c == r.t.Delim:
			r.at++
			continue
		case c == '}':
			r.at++
			if r.lens[depth] >= 0 && r.lens[depth] != n {
				return r.malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
			}
			r.lens[depth] = n
			return nil
		case c == '{':
			return r.malformed("Unexpected \"%c\" character.", c)
		}
		return r.malformed("Unexpected array element.")
	}
}

// element reads one element, quoted or not.
func (r *arrayReader) element() error {
	text := []byte{}
	quoted := r.peek() == '"'
	if quoted {
		for r.at++; ; r.at++ {
			if r.at >= len(r.src) {
				return r.malformed("Unexpected end of input.")
			}
			c := r.src[r.at]
			if c == '"' {
				r.at++
				break
			}
			if c == '\\' {
				if r.at++; r.at >= len(r.src) {
					return r.malformed("Unexpected end of input.")
				}
				c = r.src[r.at]
			}
			text = append(text, c)
		}
	} else {
		keep, escaped := 0, false // text up to keep is not trailing blanks
		for ; r.at < len(r.src); r.at++ {
			c := r.src[r.at]
			if c == r.t.Delim || c == '}' || c == '{' {
				break
			}
			if c == '"' {
				return r.malformed("Unexpected array element.")
			}
			if c == '\\' {
				if r.at++; r.at >= len(r.src) {
					return r.malformed("Unexpected end of input.")
				}
				text = append(text, r.src[r.at])
				keep, escaped = len(text), true
				continue
			}
			if text = append(text, c); !isSpace(c) {
				keep = len(text)
			}
		}
		text = text[:keep]
		if !escaped && strings.EqualFold(string(text), "null") {
			r.texts = append(r.texts, nil)
			return nil
		}
	}
	r.texts = append(r.texts, text)
	return nil
}

// appendArrayText writes an array as array_out does.
func appendArrayText(dst []byte, t *Type, typmod int32, stored []byte, s *OutputSettings) []byte {
	dims, elems, err := DecodeArray(stored)
	if err != nil {
		return append(dst, "{}"...)
	}
	if len(elems) == 0 {
		return append(dst, "{}"...)
	}
	for _, d := range dims {
		if d.Lower != 1 {
			for _, d := range dims {
				dst = appendInt(append(dst, '['), int64(d.Lower))
				dst = appendInt(append(dst, ':'), int64(d.Lower)+int64(d.Len)-1)
				dst = append(dst, ']')
			}
			dst = append(dst, '=')
			break
		}
	}
	dst, _ = appendArrayLevel(dst, t, typmod, dims, elems, s)
	return dst
}

func appendArrayLevel(dst []byte, t *Type, typmod int32, dims []ArrayDim, elems []Value, s *OutputSettings) ([]byte, []Value) {
	dst = append(dst, '{')
	for i := range dims[0].Len {
		if i > 0 {
			dst = append(dst, t.Delim)
		}
		if len(dims) > 1 {
			dst, elems = appendArrayLevel(dst, t, typmod, dims[1:], elems, s)
			continue
		}
		dst = appendArrayElement(dst, t, typmod, elems[0], s)
		elems = elems[1:]
	}
	return append(dst, '}'), elems
}

func appendArrayElement(dst []byte, t *Type, typmod int32, v Value, s *OutputSettings) []byte {
	if v.Kind == Null {
		return append(dst, "NULL"...)
	}
	at := len(dst)
	dst = AppendText(dst, t.Elem, typmod, v, s)
	text := dst[at:]
	quote := len(text) == 0 || len(text) == 4 && strings.EqualFold(string(text), "null")
	escapes := 0
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			escapes++
			quote = true
		case c == '{' || c == '}' || c == t.Delim || isSpace(c):
			quote = true
		}
	}
	if !quote {
		return dst
	}
	plain := append([]byte(nil), text...)
	dst = append(dst[:at], '"')
	for _, c := range plain {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// decodeVector reads int2vector and oidvector: numbers with blanks between. It is an array whose subscripts begin at 0.
func decodeVector(oid uint32, src []byte) (Value, error) {
	elem := typesByOID[oid].Elem
	var elems []Value
	for _, f := range strings.Fields(string(src)) {
		v, err := decodeText(elem, -1, []byte(f), defaultOutput)
		if err != nil {
			return Value{}, err
		}
		elems = append(elems, v)
	}
	return VectorValue(elem, elems), nil
}

// VectorValue returns elems as an int2vector or oidvector.
func VectorValue(elem uint32, elems []Value) Value {
	return EncodeArray(elem, []ArrayDim{{Len: int32(len(elems)), Lower: 0}}, elems)
}

func appendVector(dst, stored []byte) []byte {
	_, elems, err := DecodeArray(stored)
	if err != nil {
		return dst
	}
	for i, v := range elems {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendInt(dst, v.Int())
	}
	return dst
}

package catalog

import "math"

// Kind is the storage class of a Value: SQLite's five.
type Kind uint8

// The storage classes.
const (
	Null Kind = iota
	Integer
	Real
	Text
	Blob
)

// Value is one value in its stored form (see STORAGE in DESIGN.md for each type's form). The zero Value is NULL.
// Bytes is owned by whoever made the Value; a Value read from a result is valid until the next row is asked for,
// unless cloned.
type Value struct {
	Kind  Kind
	bits  uint64 // Integer: int64; Real: math.Float64bits
	Bytes []byte // Text (UTF-8) and Blob
}

// Int returns an INTEGER value.
func Int(i int64) Value { return Value{Kind: Integer, bits: uint64(i)} }

// Float returns a REAL value. A NaN is stored as the TEXT 'NaN', since SQLite would make it NULL.
func Float(f float64) Value {
	if math.IsNaN(f) {
		return Str("NaN")
	}
	return Value{Kind: Real, bits: math.Float64bits(f)}
}

// Bool returns INTEGER 1 or 0.
func Bool(b bool) Value {
	if b {
		return Int(1)
	}
	return Int(0)
}

// Str returns a TEXT value.
func Str(s string) Value { return Value{Kind: Text, Bytes: []byte(s)} }

// TextBytes returns a TEXT value over b, which it keeps.
func TextBytes(b []byte) Value { return Value{Kind: Text, Bytes: b} }

// BlobBytes returns a BLOB value over b, which it keeps.
func BlobBytes(b []byte) Value { return Value{Kind: Blob, Bytes: b} }

// IsNull says whether v is NULL.
func (v Value) IsNull() bool { return v.Kind == Null }

// Int returns the integer of an INTEGER value, the truncated number of a REAL one, else 0.
func (v Value) Int() int64 {
	switch v.Kind {
	case Integer:
		return int64(v.bits)
	case Real:
		return int64(math.Float64frombits(v.bits))
	}
	return 0
}

// Float returns the number of a REAL or INTEGER value, NaN for the TEXT 'NaN', else 0.
func (v Value) Float() float64 {
	switch v.Kind {
	case Integer:
		return float64(int64(v.bits))
	case Real:
		return math.Float64frombits(v.bits)
	case Text:
		if string(v.Bytes) == "NaN" {
			return math.NaN()
		}
	}
	return 0
}

// Bool says whether v is a nonzero INTEGER.
func (v Value) Bool() bool { return v.Kind == Integer && v.bits != 0 }

// Clone returns v with bytes of its own.
func (v Value) Clone() Value {
	if v.Bytes != nil {
		v.Bytes = append(make([]byte, 0, len(v.Bytes)), v.Bytes...)
	}
	return v
}

// Equal says whether v and w have the same storage class and content.
func (v Value) Equal(w Value) bool {
	return v.Kind == w.Kind && v.bits == w.bits && string(v.Bytes) == string(w.Bytes)
}

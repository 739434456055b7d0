package core

// NextNumber is the Change of a register of numbers: it takes a block of k and gives its first number, as Number reads
// it. A register never set begins at first.
func NextNumber(first, k int64) Change {
	return func(cur []byte) ([]byte, []byte, error) {
		start := first
		if cur != nil {
			start = Number(cur)
		}
		return AppendNumber(start + k), AppendNumber(start), nil
	}
}

// SetNumber is the Change that makes v the next number.
func SetNumber(v int64) Change {
	return func([]byte) ([]byte, []byte, error) { return AppendNumber(v), AppendNumber(v), nil }
}

// Number reads a register of numbers.
func Number(b []byte) int64 {
	r := reader{b: b}
	return int64(r.uint())
}

// AppendNumber encodes a number as a register holds it.
func AppendNumber(v int64) []byte {
	var w writer
	w.uint(uint64(v))
	return w.b
}

package copyformat_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"layercake/pgerror"
	"layercake/pgwire/copyformat"
)

func fuzzOptions(kind byte) copyformat.Options {
	o := copyformat.Options{Format: copyformat.Text, Null: `\N`, Table: "t", Columns: abc}
	switch kind % 6 {
	case 1:
		o.Delimiter, o.Null, o.Header = '|', "", true
	case 2:
		o.Format, o.Null = copyformat.CSV, ""
	case 3:
		o.Format, o.Null, o.Escape, o.ForceNull, o.ForceNotNull = copyformat.CSV, "n", '\\', []int{0}, []int{1}
	case 4:
		o.Format, o.HeaderMatch, o.Null = copyformat.CSV, true, ""
	case 5:
		o.Format = copyformat.Binary
	}
	return o
}

// FuzzReader checks that no input makes a Reader fail otherwise than with an error of its own, that how the bytes arrive
// makes no difference, and that what was read is read again after it was written.
func FuzzReader(f *testing.F) {
	for _, s := range []string{
		"1\tx\n2\t\\N\n\\.\nrest", "a\\\tb\\\n\tc\r\n", "\\x41\\101\\\\\t\\\n\n", "1,\"a\"\"b\"\r\n\"c\nd\",\r\n", "a,b\n\\.\n", "\"open\n", "n,\"n\\\"\"\n",
		"h\n1|2\n", signature + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff" + "\xff\xff",
	} {
		for kind := range byte(6) {
			f.Add(kind, []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, in []byte) {
		o := fuzzOptions(kind)
		rows, err := read(bytes.NewReader(in), o)
		var e *pgerror.Error
		if err != io.EOF && !errors.As(err, &e) {
			t.Fatalf("got error %v", err)
		}
		rows2, err2 := read(iotest.OneByteReader(bytes.NewReader(in)), o)
		if fmt.Sprint(rows, err) != fmt.Sprint(rows2, err2) {
			t.Fatalf("whole: %q, %v\nby bytes: %q, %v", rows, err, rows2, err2)
		}
		rewrite(t, in, o)
	})
}

func rewrite(t *testing.T, in []byte, o copyformat.Options) {
	plain := o
	plain.ForceNull, plain.ForceNotNull = nil, nil
	var out bytes.Buffer
	w := copyformat.NewWriter(&out, plain)
	if o.HeaderMatch {
		plain.Header, o.Header = true, true
		w = copyformat.NewWriter(&out, plain)
	}
	w.Begin()
	var want [][][]byte
	d := copyformat.NewReader(bytes.NewReader(in), o)
	for {
		row, err := d.Next()
		if err != nil {
			break
		}
		for _, v := range row {
			if o.Format != copyformat.CSV && v != nil && string(v) == o.Null {
				return // written unescaped where it has no byte to escape
			}
		}
		w.Row(row)
		want = append(want, [][]byte{bytes.Clone(row[0]), bytes.Clone(row[1])})
	}
	w.Close()
	d = copyformat.NewReader(&out, plain)
	for _, row := range want {
		got, err := d.Next()
		if err != nil {
			t.Fatalf("own output: %v", err)
		}
		for i := range row {
			if !bytes.Equal(got[i], row[i]) || (got[i] == nil) != (row[i] == nil) {
				t.Fatalf("got %q, want %q", got[i], row[i])
			}
		}
	}
	if _, err := d.Next(); err != io.EOF {
		t.Fatalf("own output: %v, want EOF", err)
	}
}

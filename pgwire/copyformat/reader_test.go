package copyformat_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"layercake/pgerror"
	"layercake/pgwire/copyformat"
)

// read returns the rows as text, one a line, NULL as <>, and how the stream ended.
func read(r io.Reader, o copyformat.Options) (rows []string, err error) {
	d := copyformat.NewReader(r, o)
	for {
		fields, err := d.Next()
		if err != nil {
			if again, err2 := d.Next(); again != nil || err2 != err {
				return rows, fmt.Errorf("a second Next gave %v, %v after %w", again, err2, err)
			}
			return rows, err
		}
		if len(fields) != len(o.Columns) {
			return rows, fmt.Errorf("%d fields for %d columns", len(fields), len(o.Columns))
		}
		var row []string
		for _, f := range fields {
			if f == nil {
				row = append(row, "<>")
			} else {
				row = append(row, string(f))
			}
		}
		rows = append(rows, strings.Join(row, "|"))
	}
}

var abc = []string{"a", "b"}

func text(columns ...string) copyformat.Options {
	return copyformat.Options{Null: `\N`, Table: "t", Columns: columns}
}

func csv(columns ...string) copyformat.Options {
	return copyformat.Options{Format: copyformat.CSV, Table: "t", Columns: columns}
}

func with(o copyformat.Options, change func(*copyformat.Options)) copyformat.Options {
	change(&o)
	return o
}

func TestReader(t *testing.T) {
	for _, tc := range []struct {
		name string
		o    copyformat.Options
		in   string
		want []string
		code string // of the error, "" for io.EOF
		msg  string
		at   string // Where
	}{
		{"empty", text(abc...), "", nil, "", "", ""},
		{"rows", text(abc...), "1\tx\n2\ty\n", []string{"1|x", "2|y"}, "", "", ""},
		{"last line without ending", text(abc...), "1\tx\n2\ty", []string{"1|x", "2|y"}, "", "", ""},
		{"null and empty", text(abc...), "\\N\t\n", []string{"<>|"}, "", "", ""},
		{"escapes", text("a"), `\b\f\n\r\t\v\\\q\101\x41\x4g\0601` + "\n", []string{"\b\f\n\r\t\v\\qAA\x04g01"}, "", "", ""},
		{"escaped null is text", text("a"), `\\N` + "\n", []string{`\N`}, "", "", ""},
		{"escaped delimiter and newline", text(abc...), "a\\\tb\tc\\\nd\n", []string{"a\tb|c\nd"}, "", "", ""},
		{"escaped carriage return", text("a"), "a\\\r\nb\n", []string{"a\r", "b"}, "", "", ""},
		{"crlf", text(abc...), "1\tx\r\n2\ty\r\n", []string{"1|x", "2|y"}, "", "", ""},
		{"cr", text(abc...), "1\tx\r2\ty\r", []string{"1|x", "2|y"}, "", "", ""},
		{"trailing backslash", text("a"), `x\`, []string{"x"}, "", "", ""},
		{"backslash in a header", with(text("a"), func(o *copyformat.Options) { o.Header = true }), "\\xff\nx\n", []string{"x"}, "", "", ""},
		{"null and trailing backslash", text("a"), `\N\`, []string{"<>"}, "", "", ""},
		{"end marker", text(abc...), "1\tx\n\\.\ngarbage\n", []string{"1|x"}, "", "", ""},
		{"end marker at the end", text(abc...), "1\tx\n\\.", []string{"1|x"}, "", "", ""},
		{"end marker with crlf", text(abc...), "1\tx\r\n\\.\r\n", []string{"1|x"}, "", "", ""},
		{"own delimiter and null", with(text(abc...), func(o *copyformat.Options) { o.Delimiter, o.Null = '|', "nil" }), "nil|a\\|b\n", []string{"<>|a|b"}, "", "", ""},
		{"no columns", text(), "\n\n", []string{"", ""}, "", "", ""},
		{"header", with(text(abc...), func(o *copyformat.Options) { o.Header = true }), "what\never\n1\t2\n", nil, "22P04", `missing data for column "b"`, `COPY t, line 2: "ever"`},
		{"extra", text(abc...), "1\t2\n1\t2\t3\n", []string{"1|2"}, "22P04", "extra data after last expected column", "COPY t, line 2: \"1\t2\t3\""},
		{"missing", text(abc...), "1\n", nil, "22P04", `missing data for column "b"`, `COPY t, line 1: "1"`},
		{"newline after crlf", text("a"), "1\r\n2\n", []string{"1"}, "22P04", "literal newline found in data", "COPY t, line 2"},
		{"carriage return after newline", text("a"), "1\n2\r3\n", []string{"1"}, "22P04", "literal carriage return found in data", "COPY t, line 2"},
		{"corrupt marker", text("a"), "\\.x\n", nil, "22P04", "end-of-copy marker corrupt", "COPY t, line 1"},
		{"marker behind data", text("a"), "x\\.\n", nil, "22P04", "end-of-copy marker is not alone on its line", "COPY t, line 1"},
		{"cut rune", text("a"), "\xe6\xbc\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0xe6 0xbc`, "COPY t, line 1"},
		{"not UTF-8", text("a"), "ok\n\xff\xfe\n", []string{"ok"}, "22021", `invalid byte sequence for encoding "UTF8": 0xff`, "COPY t, line 2"},
		{"escaped to no UTF-8", text("a"), "\\xff\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0xff`, `COPY t, line 1: "\xff"`},
		{"escaped NUL", text("a"), "\\0\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0x00`, `COPY t, line 1: "\0"`},
		{"NUL", text("a"), "a\x00b\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0x00`, "COPY t, line 1"},
		{"csv NUL", csv("a"), "\"a\x00b\"\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0x00`, "COPY t, line 1"},

		{"csv", csv(abc...), "1,x\n2,\"y,z\"\n", []string{"1|x", "2|y,z"}, "", "", ""},
		{"csv null and empty", csv(abc...), ",\"\"\n", []string{"<>|"}, "", "", ""},
		{"csv quotes", csv("a"), "\"a\"\"b\"\nx\"y\"z\n", []string{`a"b`, "xyz"}, "", "", ""},
		{"csv newline in quotes", csv(abc...), "\"a\nb\",2\n3,4\n", []string{"a\nb|2", "3|4"}, "", "", ""},
		{"csv escape", with(csv("a"), func(o *copyformat.Options) { o.Escape = '\\' }), "\"a\\\"b\\\\c\\d\"\n", []string{`a"b\c\d`}, "", "", ""},
		{"csv escape outside quotes", with(csv("a"), func(o *copyformat.Options) { o.Escape = '\\' }), "a\\b\n", []string{`a\b`}, "", "", ""},
		{"csv backslashes", csv("a"), "\\.x\n\\N\na\\.\n", []string{`\.x`, `\N`, `a\.`}, "", "", ""},
		{"csv end marker", csv("a"), "1\n\\.\nx,y\n", []string{"1"}, "", "", ""},
		{"csv quoted end marker", csv("a"), "\"\\.\"\n", []string{`\.`}, "", "", ""},
		{"csv header match", with(csv(abc...), func(o *copyformat.Options) { o.HeaderMatch = true }), "a,b\n1,2\n", []string{"1|2"}, "", "", ""},
		{"csv header mismatch", with(csv(abc...), func(o *copyformat.Options) { o.HeaderMatch = true }), "a,c\n1,2\n", nil, "22P04", `column name mismatch in header line field 2: got "c", expected "b"`, `COPY t, line 1: "a,c"`},
		{"csv header short", with(csv(abc...), func(o *copyformat.Options) { o.HeaderMatch = true }), "a\n", nil, "22P04", "wrong number of fields in header line: got 1, expected 2", `COPY t, line 1: "a"`},
		{"csv header missing", with(csv(abc...), func(o *copyformat.Options) { o.HeaderMatch = true }), "", nil, "22P04", "wrong number of fields in header line: got 1, expected 2", "COPY t, line 1"},
		{"header not UTF-8", with(text("a"), func(o *copyformat.Options) { o.Header = true }), "\xff\nx\n", nil, "22021", `invalid byte sequence for encoding "UTF8": 0xff`, "COPY t, line 1"},
		{"csv force null", with(csv(abc...), func(o *copyformat.Options) { o.ForceNull = []int{0} }), "\"\",\"\"\n", []string{"<>|"}, "", "", ""},
		{"csv force not null", with(csv(abc...), func(o *copyformat.Options) { o.ForceNotNull = []int{0} }), ",\n", []string{"|<>"}, "", "", ""},
		{"csv own null", with(csv(abc...), func(o *copyformat.Options) { o.Null = "nil" }), "nil,\"nil\"\n", []string{"<>|nil"}, "", "", ""},
		{"csv unterminated", csv("a"), "x\n\"abc\ndef\n", []string{"x"}, "22P04", "unterminated CSV quoted field", "COPY t, line 4: \"\"abc\ndef\n\""},
		{"csv extra", csv("a"), "1,2\n", nil, "22P04", "extra data after last expected column", `COPY t, line 1: "1,2"`},
		{"csv lone cr", csv("a"), "1\n2\r\n", []string{"1"}, "22P04", "unquoted carriage return found in data", "COPY t, line 2"},
		{"csv lone newline", csv("a"), "1\r\n2\n", []string{"1"}, "22P04", "unquoted newline found in data", "COPY t, line 2"},
		{"csv line numbers", csv(abc...), "\"a\n\n\",1\nx\n", []string{"a\n\n|1"}, "22P04", `missing data for column "b"`, `COPY t, line 4: "x"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"whole":   strings.NewReader(tc.in),
				"bytes":   iotest.OneByteReader(strings.NewReader(tc.in)),
				"dataerr": iotest.DataErrReader(strings.NewReader(tc.in)),
			} {
				rows, err := read(r, tc.o)
				if got, want := fmt.Sprintf("%q", rows), fmt.Sprintf("%q", tc.want); got != want {
					t.Errorf("%s: got rows %s, want %s", how, got, want)
				}
				if tc.code == "" {
					if err != io.EOF {
						t.Errorf("%s: got error %v, want EOF", how, err)
					}
					continue
				}
				var e *pgerror.Error
				if !errors.As(err, &e) || e.Code != tc.code || e.Message != tc.msg || e.Where != tc.at {
					t.Errorf("%s: got %#v,\nwant %s %s at %s", how, err, tc.code, tc.msg, tc.at)
				}
			}
		})
	}
}

const signature = "PGCOPY\n\xff\r\n\x00"

func TestBinaryReader(t *testing.T) {
	o := copyformat.Options{Format: copyformat.Binary, Table: "t", Columns: abc}
	head := signature + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"
	row := "\x00\x02" + "\x00\x00\x00\x01x" + "\xff\xff\xff\xff"
	for _, tc := range []struct {
		name, in string
		want     []string
		msg      string
	}{
		{"rows", head + row + row + "\xff\xff", []string{"x|<>", "x|<>"}, ""},
		{"no trailer", head + row, []string{"x|<>"}, ""},
		{"extension", signature + "\x00\x00\x00\x00" + "\x00\x00\x00\x03abc" + row + "\xff\xff", []string{"x|<>"}, ""},
		{"empty value", head + "\x00\x02" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\xff\xff", []string{"|"}, ""},
		{"nothing", "", nil, "COPY file signature not recognized"},
		{"text", "1\t2\n", nil, "COPY file signature not recognized"},
		{"flags cut", signature + "\x00", nil, "invalid COPY file header (missing flags)"},
		{"oids", signature + "\x00\x01\x00\x00" + "\x00\x00\x00\x00", nil, "invalid COPY file header (WITH OIDS)"},
		{"critical", signature + "\x80\x00\x00\x00" + "\x00\x00\x00\x00", nil, "unrecognized critical flags in COPY file header"},
		{"no length", signature + "\x00\x00\x00\x00", nil, "invalid COPY file header (missing length)"},
		{"negative length", signature + "\x00\x00\x00\x00\xff\xff\xff\xff", nil, "invalid COPY file header (missing length)"},
		{"short extension", signature + "\x00\x00\x00\x00\x00\x00\x00\x09abc", nil, "invalid COPY file header (wrong length)"},
		{"count", head + "\x00\x03", nil, "row field count is 3, expected 2"},
		{"size", head + "\x00\x02\xff\xff\xff\xfe", nil, "invalid field size"},
		{"cut in count", head + "\x00", nil, "unexpected EOF in COPY data"},
		{"cut in size", head + "\x00\x02\x00", nil, "unexpected EOF in COPY data"},
		{"cut in value", head + "\x00\x02\x7f\xff\xff\xffabc", nil, "unexpected EOF in COPY data"},
		{"after the trailer", head + row + "\xff\xff\x00", []string{"x|<>"}, "received copy data after EOF marker"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{"whole": strings.NewReader(tc.in), "bytes": iotest.OneByteReader(strings.NewReader(tc.in))} {
				rows, err := read(r, o)
				if got, want := fmt.Sprintf("%q", rows), fmt.Sprintf("%q", tc.want); got != want {
					t.Errorf("%s: got rows %s, want %s", how, got, want)
				}
				if tc.msg == "" {
					if err != io.EOF {
						t.Errorf("%s: got %v, want EOF", how, err)
					}
					continue
				}
				var e *pgerror.Error
				if !errors.As(err, &e) || e.Code != pgerror.BadCopyFileFormat || e.Message != tc.msg {
					t.Errorf("%s: got %v, want %s", how, err, tc.msg)
				}
			}
		})
	}
}

// A stream's own error comes through as it is, in all formats, and not as bad data.
func TestStreamError(t *testing.T) {
	fail := pgerror.New(pgerror.QueryCanceled, "COPY from stdin failed: no more")
	for _, tc := range []struct{ format, in string }{
		{copyformat.Text, "1\t2\nhalf a li"},
		{copyformat.CSV, "1,2\n\"half a fie"},
		{copyformat.Text, "1\t2\n\\.\nto be thrown away"},
		{copyformat.Binary, signature + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x02\x00\x00\x00\x01x\xff\xff\xff\xff\x00\x02\x00"},
	} {
		o := copyformat.Options{Format: tc.format, Null: `\N`, Table: "t", Columns: abc}
		rows, err := read(io.MultiReader(strings.NewReader(tc.in), iotest.ErrReader(fail)), o)
		if len(rows) != 1 || err != error(fail) {
			t.Errorf("%s: got %q, %v, want one row and %v", tc.format, rows, err, fail)
		}
	}
}

func TestAt(t *testing.T) {
	d := copyformat.NewReader(strings.NewReader("1\tx\n\\N\t"+strings.Repeat("é", 80)+"\n"), text(abc...))
	bad := pgerror.New(pgerror.InvalidTextRepresentation, "bad")
	where := func(column int) string {
		var e *pgerror.Error
		errors.As(d.At(bad, column), &e)
		return e.Where
	}
	d.Next()
	if got, want := where(1), `COPY t, line 1, column b: "x"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.Next()
	if got, want := where(0), `COPY t, line 2, column a: null input`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := where(1), `COPY t, line 2, column b: "`+strings.Repeat("é", 50)+`..."`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if bad.Where != "" {
		t.Error("the given error was changed")
	}
}

func TestWriter(t *testing.T) {
	fields := [][]byte{[]byte("a\tb\\\n"), nil, {}, []byte(`\.`), []byte(`say "x",y`), {1}}
	names := []string{"a", "b,", "c", "d", "e", "f"}
	for _, tc := range []struct {
		o    copyformat.Options
		want string
	}{
		{text(names...), "a\\tb\\\\\\n\t\\N\t\t\\\\.\tsay \"x\",y\t\x01\n"},
		{with(text(names...), func(o *copyformat.Options) { o.Header = true; o.Delimiter = ',' }), "a,b\\,,c,d,e,f\na\\tb\\\\\\n,\\N,,\\\\.,say \"x\"\\,y,\x01\n"},
		{with(csv(names...), func(o *copyformat.Options) { o.Header = true }), "a,\"b,\",c,d,e,f\n\"a\tb\\\n\",,\"\",\\.,\"say \"\"x\"\",y\",\x01\n"},
		{with(csv(names...), func(o *copyformat.Options) { o.ForceQuoteAll = true; o.Escape = '\\'; o.Quote = '\''; o.Null = "NULL" }), "'a\tb\\\\\n',NULL,'','\\\\.','say \"x\",y','\x01'\n"},
		{with(csv(names...), func(o *copyformat.Options) { o.ForceQuote = []int{5} }), "\"a\tb\\\n\",,\"\",\\.,\"say \"\"x\"\",y\",\"\x01\"\n"},
	} {
		var out bytes.Buffer
		w := copyformat.NewWriter(&out, tc.o)
		for _, err := range []error{w.Begin(), w.Row(fields), w.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := out.String(); got != tc.want {
			t.Errorf("%s: got  %q\nwant %q", tc.o.Format, got, tc.want)
		}
	}
}

// The end-of-data marker's look-alike is quoted where it would be one.
func TestWriterMarker(t *testing.T) {
	var out bytes.Buffer
	copyformat.NewWriter(&out, csv("a")).Row([][]byte{[]byte(`\.`)})
	if got, want := out.String(), "\"\\.\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestRoundTrip writes every kind of value and reads it back, in every format.
func TestRoundTrip(t *testing.T) {
	values := [][]byte{nil, {}, []byte("x"), []byte(`\N`), []byte(`\.`), []byte("\\"), []byte(`"`), []byte(`""`), []byte(","), []byte("a\nb"), []byte("a\r\nb"), []byte("\t"), []byte("\b\f\v\x01\x7f"), []byte("é漢🙂"), []byte("NULL"), bytes.Repeat([]byte("long\\\n\""), 10000)}
	for _, o := range []copyformat.Options{text("a", "b"), csv("a", "b"), {Format: copyformat.Binary, Columns: abc},
		with(csv(abc...), func(o *copyformat.Options) { o.Escape, o.Null = '\\', "NULL" }),
		with(text(abc...), func(o *copyformat.Options) { o.Delimiter, o.Null = ',', "" })} {
		var out bytes.Buffer
		w := copyformat.NewWriter(&out, o)
		w.Begin()
		for _, a := range values {
			for _, b := range values {
				if o.Null == "" && o.Format == "" && (a != nil && len(a) == 0 || b != nil && len(b) == 0) {
					continue // not to be told apart, in PostgreSQL neither
				}
				w.Row([][]byte{a, b})
			}
		}
		w.Close()
		d := copyformat.NewReader(&out, o)
		for _, a := range values {
			for _, b := range values {
				if o.Null == "" && o.Format == "" && (a != nil && len(a) == 0 || b != nil && len(b) == 0) {
					continue
				}
				got, err := d.Next()
				if err != nil {
					t.Fatalf("%s: %v", o.Format, err)
				}
				for i, want := range [][]byte{a, b} {
					if !bytes.Equal(got[i], want) || (got[i] == nil) != (want == nil) {
						t.Fatalf("%+v: got %.40q (nil %v), want %.40q (nil %v) in %.40q, %.40q", o, got[i], got[i] == nil, want, want == nil, a, b)
					}
				}
			}
		}
		if _, err := d.Next(); err != io.EOF {
			t.Fatalf("%s: got %v, want EOF", o.Format, err)
		}
	}
}

func BenchmarkReadText(b *testing.B) {
	in := bytes.Repeat([]byte("12345\t678\t0\tsome filler text of usual length\n"), 10000)
	for b.Loop() {
		d := copyformat.NewReader(bytes.NewReader(in), text("a", "b", "c", "d"))
		for {
			if _, err := d.Next(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkReadCSV(b *testing.B) {
	in := bytes.Repeat([]byte("12345,678,0,\"some filler text, of usual length\"\n"), 10000)
	for b.Loop() {
		d := copyformat.NewReader(bytes.NewReader(in), csv("a", "b", "c", "d"))
		for {
			if _, err := d.Next(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkWriteText(b *testing.B) {
	row := [][]byte{[]byte("12345"), []byte("678"), []byte("0"), []byte("some filler text of usual length")}
	w := copyformat.NewWriter(io.Discard, text("a", "b", "c", "d"))
	for b.Loop() {
		w.Row(row)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

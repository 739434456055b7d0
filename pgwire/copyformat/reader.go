package copyformat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"layercake/pgerror"
)

// Reader splits COPY FROM's data into rows.
type Reader struct {
	o   Options
	src source

	forceNotNull, forceNull []bool

	line    int64  // number of the current line, from 1, as PostgreSQL counts
	current []byte // the current line, while it may be shown
	fields  [][]byte
	scratch []byte // unescaped fields
	special [256]bool
	eol     eolType
	started bool
	ended   bool
	failed  error
}

// NewReader returns a Reader of r. It reads ahead.
func NewReader(r io.Reader, o Options) *Reader {
	o.setDefaults()
	d := &Reader{o: o, src: source{r: r}, forceNotNull: o.flags(o.ForceNotNull), forceNull: o.flags(o.ForceNull)}
	d.fields = make([][]byte, 0, len(o.Columns)+1)
	d.special['\n'], d.special['\r'] = true, true
	if o.Format == CSV {
		d.special[o.Quote], d.special[o.Escape] = true, true
	} else {
		d.special['\\'] = true
	}
	return d
}

// Next returns the next row's fields, nil for NULL, as many as Options.Columns; they are valid until the next call. At the
// end it returns io.EOF, having read the stream to its end: what follows an end-of-data marker is thrown away. An error
// of the data is a *pgerror.Error with its line in Where; an error of the stream is returned as it came. After an error
// every call returns it again.
func (d *Reader) Next() ([][]byte, error) {
	if d.failed != nil {
		return nil, d.failed
	}
	var row [][]byte
	var err error
	if d.o.Format == Binary {
		row, err = d.nextBinary()
	} else {
		row, err = d.nextLine()
	}
	if err != nil {
		d.failed = d.locate(err)
		return nil, d.failed
	}
	return row, nil
}

// Line returns the number of the current line or, for binary, row, from 1.
func (d *Reader) Line() int64 { return d.line }

// At returns err, made a *pgerror.Error, with the place of a field of the current row in Where: to be called when the
// field's bytes are not what its column takes. A column below 0 means the row as a whole.
func (d *Reader) At(err error, column int) error {
	var e *pgerror.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Where != "" {
		return err
	}
	located := *e
	switch {
	case column < 0 || column >= len(d.fields) || column >= len(d.o.Columns):
		located.Where = d.o.where(d.line, d.showLine())
	case d.o.Format == Binary:
		located.Where = d.o.where(d.line, ", column "+d.o.Columns[column])
	case d.fields[column] == nil:
		located.Where = d.o.where(d.line, ", column "+d.o.Columns[column]+": null input")
	default:
		located.Where = d.o.where(d.line, fmt.Sprintf(`, column %s: "%s"`, d.o.Columns[column], shown(d.fields[column])))
	}
	return &located
}

func (d *Reader) showLine() string {
	if d.current == nil {
		return ""
	}
	return `: "` + shown(d.current) + `"`
}

// locate adds the place to an error of the data.
func (d *Reader) locate(err error) error {
	if err == io.EOF || err == d.src.err {
		return err
	}
	return d.At(err, -1)
}

// nextLine returns the next row of text or csv.
func (d *Reader) nextLine() ([][]byte, error) {
	if !d.started {
		d.started = true
		if d.o.Header || d.o.HeaderMatch {
			line, err := d.readLine()
			if err != nil && (err != io.EOF || !d.o.HeaderMatch) {
				return nil, err
			}
			if err := d.checkHeader(line); err != nil {
				return nil, err // of an empty stream too: its header is missing
			}
		}
	}
	line, err := d.readLine()
	if err != nil {
		return nil, err
	}
	if err := d.split(line); err != nil {
		return nil, err
	}
	n := len(d.o.Columns)
	if len(d.fields) > n {
		if n == 0 && len(line) == 0 {
			d.fields = d.fields[:0] // a row of a table without columns is an empty line
			return d.fields, nil
		}
		return nil, bad("extra data after last expected column")
	}
	if len(d.fields) < n {
		return nil, bad("missing data for column \"%s\"", d.o.Columns[len(d.fields)])
	}
	return d.fields, nil
}

// split makes fields of a line.
func (d *Reader) split(line []byte) error {
	d.fields, d.scratch = d.fields[:0], d.scratch[:0]
	if err := d.checkText(line); err != nil {
		return err
	}
	if d.o.Format == CSV {
		return d.splitCSV(line)
	}
	return d.splitText(line)
}

// checkText checks that a line is UTF-8 without NUL.
func (d *Reader) checkText(line []byte) error {
	if utf8.Valid(line) && bytes.IndexByte(line, 0) < 0 {
		return nil
	}
	d.current = nil // it cannot be shown
	return invalidUTF8(line)
}

// checkHeader checks the first line, and against the columns' names if that is asked for.
func (d *Reader) checkHeader(line []byte) error {
	if !d.o.HeaderMatch {
		return d.checkText(line)
	}
	if err := d.split(line); err != nil {
		return err
	}
	if len(d.fields) != len(d.o.Columns) {
		return bad("wrong number of fields in header line: got %d, expected %d", len(d.fields), len(d.o.Columns))
	}
	for i, name := range d.o.Columns {
		if d.fields[i] == nil {
			return bad("column name mismatch in header line field %d: got null value (\"%s\"), expected \"%s\"", i+1, d.o.Null, name)
		}
		if string(d.fields[i]) != name {
			return bad("column name mismatch in header line field %d: got \"%s\", expected \"%s\"", i+1, d.fields[i], name)
		}
	}
	return nil
}

// invalidUTF8 is 22021 for the first bytes of b that are not UTF-8.
func invalidUTF8(b []byte) error {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			width := 1
			switch {
			case b[i]&0xf8 == 0xf0:
				width = 4
			case b[i]&0xf0 == 0xe0:
				width = 3
			case b[i]&0xe0 == 0xc0:
				width = 2
			}
			text := ""
			for _, c := range b[i:min(i+width, len(b))] {
				text += fmt.Sprintf(" 0x%02x", c)
			}
			return pgerror.New(pgerror.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8":%s`, text)
		}
		i += n
	}
	return nil
}

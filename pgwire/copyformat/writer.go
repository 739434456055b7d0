package copyformat

import (
	"encoding/binary"
	"io"
	"math"

	"layercake/pgerror"
)

// Writer joins rows to COPY TO's data. Each row is one Write to the stream beneath, as clients of the protocol expect.
type Writer struct {
	o          Options
	w          io.Writer
	buf        []byte
	head       []byte // binary: the signature, until it is written
	forceQuote []bool
}

// NewWriter returns a Writer to w. Begin comes first, Close last.
func NewWriter(w io.Writer, o Options) *Writer {
	o.setDefaults()
	e := &Writer{o: o, w: w, forceQuote: o.flags(o.ForceQuote)}
	if o.ForceQuoteAll {
		e.forceQuote = make([]bool, len(o.Columns))
		for i := range e.forceQuote {
			e.forceQuote[i] = true
		}
	}
	return e
}

// Begin writes what precedes the rows: the header line if Options.Header asks for it. Binary's signature goes out in one
// piece with the first row (or the trailer), as PostgreSQL sends it: drivers take the first piece apart by that.
func (e *Writer) Begin() error {
	e.buf = e.buf[:0]
	switch {
	case e.o.Format == Binary:
		e.head = append([]byte(binarySignature), make([]byte, 8)...) // no flags, no extension
		return nil
	case e.o.Header:
		for i, name := range e.o.Columns {
			if i > 0 {
				e.buf = append(e.buf, e.o.Delimiter)
			}
			if e.o.Format == CSV {
				e.csv([]byte(name), false)
			} else {
				e.text([]byte(name))
			}
		}
		e.buf = append(e.buf, '\n')
	default:
		return nil
	}
	return e.write()
}

// Row writes a row; a nil field is NULL.
func (e *Writer) Row(fields [][]byte) error {
	e.buf = e.buf[:0]
	if e.o.Format == Binary {
		e.signature()
		e.buf = binary.BigEndian.AppendUint16(e.buf, uint16(len(fields)))
		for _, f := range fields {
			if f == nil {
				e.buf = append(e.buf, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			if len(f) > math.MaxInt32 {
				return pgerror.New(pgerror.ProgramLimitExceeded, "a value of %d bytes is too long for COPY", len(f))
			}
			e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(len(f)))
			e.buf = append(e.buf, f...)
		}
		return e.write()
	}
	for i, f := range fields {
		if i > 0 {
			e.buf = append(e.buf, e.o.Delimiter)
		}
		switch {
		case f == nil:
			e.buf = append(e.buf, e.o.Null...)
		case e.o.Format == CSV:
			e.csv(f, i < len(e.forceQuote) && e.forceQuote[i])
		default:
			e.text(f)
		}
	}
	e.buf = append(e.buf, '\n')
	return e.write()
}

// Close writes what follows the rows: binary's trailer. It does not close the stream.
func (e *Writer) Close() error {
	if e.o.Format != Binary {
		return nil
	}
	e.buf = e.buf[:0]
	e.signature()
	e.buf = append(e.buf, 0xff, 0xff)
	return e.write()
}

// signature puts binary's signature before what is written first.
func (e *Writer) signature() {
	e.buf = append(e.buf, e.head...)
	e.head = nil
}

func (e *Writer) write() error {
	_, err := e.w.Write(e.buf)
	if cap(e.buf) > 16*sourceSize {
		e.buf = nil
	}
	return err
}

// text appends a value of the text format.
func (e *Writer) text(f []byte) {
	start := 0
	for i, c := range f {
		if c >= 0x20 && c != '\\' && c != e.o.Delimiter {
			continue
		}
		letter := c
		switch c {
		case '\b':
			letter = 'b'
		case '\f':
			letter = 'f'
		case '\n':
			letter = 'n'
		case '\r':
			letter = 'r'
		case '\t':
			letter = 't'
		case '\v':
			letter = 'v'
		case '\\', e.o.Delimiter:
		default:
			continue // other control characters stand for themselves
		}
		e.buf = append(e.buf, f[start:i]...)
		e.buf = append(e.buf, '\\', letter)
		start = i + 1
	}
	e.buf = append(e.buf, f[start:]...)
}

// csv appends a value of the csv format, quoted where it must be.
func (e *Writer) csv(f []byte, force bool) {
	// Alone on its line it would be the end-of-data marker.
	quote := force || string(f) == e.o.Null || len(e.o.Columns) == 1 && string(f) == `\.`
	if !quote {
		for _, c := range f {
			if c == e.o.Delimiter || c == e.o.Quote || c == '\n' || c == '\r' {
				quote = true
				break
			}
		}
	}
	if !quote {
		e.buf = append(e.buf, f...)
		return
	}
	e.buf = append(e.buf, e.o.Quote)
	for _, c := range f {
		if c == e.o.Quote || c == e.o.Escape {
			e.buf = append(e.buf, e.o.Escape)
		}
		e.buf = append(e.buf, c)
	}
	e.buf = append(e.buf, e.o.Quote)
}

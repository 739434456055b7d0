package copyformat

import (
	"bytes"
	"io"

	"layercake/pgerror"
)

// eolType is the line ending of the data. The first line decides, as in PostgreSQL; other line endings must then be
// written as data.
type eolType uint8

const (
	eolUnknown eolType = iota
	eolNL
	eolCR
	eolCRNL
)

// readLine returns the next line without its ending, io.EOF after the last. The line lies in the buffer.
func (d *Reader) readLine() ([]byte, error) {
	d.current = nil
	if d.ended {
		return nil, io.EOF
	}
	d.src.release()
	d.line++
	csv := d.o.Format == CSV
	var (
		at       int // of the byte looked at, from the line's start
		inQuote  bool
		escaping bool // the byte before was the escape, and takes the next one's meaning away
	)
	// peek returns the byte at offset i, or ok false at the end of the stream.
	peek := func(i int) (b byte, ok bool, err error) {
		if ok, err := d.src.need(i + 1); !ok || err != nil {
			return 0, false, err
		}
		return d.src.buf[d.src.pos+i], true, nil
	}
	for {
		// Skip what has no meaning for where the line ends.
		unread := d.src.buf[d.src.pos:d.src.end]
		for at < len(unread) && !d.special[unread[at]] && (at > 0 || unread[0] != '\\') {
			at++
			escaping = false
		}
		if at == len(unread) {
			ok, err := d.src.more()
			if err != nil {
				return nil, err
			}
			if ok {
				continue
			}
			if err := d.src.fault(); err != nil {
				return nil, err
			}
			d.ended = true
			if at == 0 {
				return nil, io.EOF
			}
			return d.take(at, at), nil // the last line may lack its ending
		}
		b := unread[at]
		if csv {
			// A quote toggles; an escape that is another character takes that from the next byte, within quotes only.
			if inQuote && b == d.o.Escape && d.o.Escape != d.o.Quote {
				escaping = !escaping
			}
			if b == d.o.Quote && !escaping {
				inQuote = !inQuote
			}
			if b != d.o.Escape || d.o.Escape == d.o.Quote {
				escaping = false
			}
			if inQuote {
				// A line is a physical one. (PostgreSQL counts so too, but not yet in the first row, of whose ending it
				// does not know which it is.)
				if b == '\n' && d.eol != eolCR && d.eol != eolCRNL || b == '\r' && (d.eol == eolCR || d.eol == eolCRNL) {
					d.line++
				}
				at++
				continue
			}
		}
		switch {
		case b == '\r':
			after := at + 1
			if d.eol == eolNL {
				return nil, d.stray("carriage return", `\r`)
			}
			if d.eol != eolCR {
				next, ok, err := peek(after)
				switch {
				case err != nil:
					return nil, err
				case ok && next == '\n':
					d.eol = eolCRNL
					after++
				case d.eol == eolCRNL:
					return nil, d.stray("carriage return", `\r`)
				default:
					d.eol = eolCR
				}
			}
			return d.take(at, after), nil
		case b == '\n':
			if d.eol == eolCR || d.eol == eolCRNL {
				return nil, d.stray("newline", `\n`)
			}
			d.eol = eolNL
			return d.take(at, at+1), nil
		case b == '\\' && (!csv || at == 0):
			next, ok, err := peek(at + 1)
			if err != nil {
				return nil, err
			}
			if ok && next == '.' {
				end, err := d.endMarker(at)
				if err != nil {
					return nil, err
				}
				if end {
					d.ended = true
					if err := d.src.drain(); err != nil {
						return nil, err
					}
					return nil, io.EOF
				}
			}
			at++
			if ok && !csv {
				at++ // in text the next byte is data whatever it is, a line ending too
			}
		default:
			at++
		}
	}
}

// endMarker says whether the backslash and dot at offset at are the end-of-data marker: alone on their line. In csv they
// are data otherwise, in text an error (as since PostgreSQL 18; before, they ended the data wherever they stood).
func (d *Reader) endMarker(at int) (bool, error) {
	csv := d.o.Format == CSV
	if ok, err := d.src.need(at + 3); err != nil {
		return false, err
	} else if !ok && at == 0 {
		return true, d.src.fault() // the stream ends with the marker
	} else if !ok {
		return false, bad("end-of-copy marker is not alone on its line")
	}
	tail := func() []byte { return d.src.buf[d.src.pos+at+2 : d.src.end] }
	switch b := tail()[0]; {
	case b != '\r' && b != '\n':
		if csv {
			return false, nil
		}
		return false, bad("end-of-copy marker corrupt")
	case at > 0:
		if csv {
			return false, nil
		}
		return false, bad("end-of-copy marker is not alone on its line")
	case d.eol == eolNL && b != '\n', d.eol == eolCR && b != '\r':
		if csv {
			return false, nil
		}
		return false, bad("end-of-copy marker does not match previous newline style")
	case d.eol == eolCRNL:
		ok, err := d.src.need(at + 4)
		if err != nil {
			return false, err
		}
		if !ok || !bytes.HasPrefix(tail(), []byte("\r\n")) {
			if csv {
				return false, nil
			}
			return false, bad("end-of-copy marker does not match previous newline style")
		}
	}
	return true, nil
}

// take returns the first n bytes and goes on behind the first next ones.
func (d *Reader) take(n, next int) []byte {
	line := d.src.buf[d.src.pos : d.src.pos+n : d.src.pos+n]
	d.src.pos += next
	d.current = line
	return line
}

// stray is the error for a line ending of another kind than the first line's.
func (d *Reader) stray(what, escape string) *pgerror.Error {
	if d.o.Format == CSV {
		return bad("unquoted %s found in data", what).WithHint("Use quoted CSV field to represent %s.", what)
	}
	return bad("literal %s found in data", what).WithHint("Use \"%s\" to represent %s.", escape, what)
}

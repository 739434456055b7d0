package copyformat

import (
	"encoding/binary"
	"io"
)

const (
	binarySignature = "PGCOPY\n\xff\r\n\x00"
	flagOIDs        = 1 << 16
	criticalFlags   = 0xffff0000
)

// uint reads a number of n bytes.
func (d *Reader) uint(n int) (v uint32, ok bool, err error) {
	if ok, err := d.src.need(n); !ok || err != nil {
		return 0, false, err
	}
	b := d.src.buf[d.src.pos:]
	d.src.pos += n
	if n == 2 {
		return uint32(binary.BigEndian.Uint16(b)), true, nil
	}
	return binary.BigEndian.Uint32(b), true, nil
}

// short is the error for a stream that ends too early: the stream's own, if it did not end properly.
func (d *Reader) short(message string) error {
	if err := d.src.fault(); err != nil {
		return err
	}
	return bad("%s", message)
}

func (d *Reader) binaryHeader() error {
	ok, err := d.src.need(len(binarySignature))
	if err != nil {
		return err
	}
	if !ok || string(d.src.buf[d.src.pos:d.src.pos+len(binarySignature)]) != binarySignature {
		return d.short("COPY file signature not recognized")
	}
	d.src.pos += len(binarySignature)
	flags, ok, err := d.uint(4)
	switch {
	case err != nil:
		return err
	case !ok:
		return d.short("invalid COPY file header (missing flags)")
	case flags&flagOIDs != 0:
		return bad("invalid COPY file header (WITH OIDS)")
	case flags&criticalFlags != 0:
		return bad("unrecognized critical flags in COPY file header")
	}
	length, ok, err := d.uint(4)
	switch {
	case err != nil:
		return err
	case !ok || int32(length) < 0:
		return d.short("invalid COPY file header (missing length)")
	}
	for left := int(length); left > 0; {
		ok, err := d.src.need(1)
		if err != nil {
			return err
		}
		if !ok {
			return d.short("invalid COPY file header (wrong length)")
		}
		n := min(left, d.src.end-d.src.pos)
		d.src.pos += n
		left -= n
	}
	return nil
}

// nextBinary returns the next row of the binary format.
func (d *Reader) nextBinary() ([][]byte, error) {
	if !d.started {
		d.started = true
		if err := d.binaryHeader(); err != nil {
			return nil, err
		}
	}
	d.line++
	d.src.release()
	// Offsets are counted from the row's start, for the buffer may move while the row is read.
	if ok, err := d.src.need(2); err != nil {
		return nil, err
	} else if !ok {
		if d.src.end == d.src.pos && d.src.fault() == nil {
			return nil, io.EOF // without a trailer, as PostgreSQL takes it
		}
		return nil, d.short("unexpected EOF in COPY data")
	}
	count := int(int16(binary.BigEndian.Uint16(d.src.buf[d.src.pos:])))
	if count == -1 {
		d.src.pos += 2
		if ok, err := d.src.need(1); err != nil {
			return nil, err
		} else if ok {
			return nil, bad("received copy data after EOF marker")
		}
		if err := d.src.fault(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	if count != len(d.o.Columns) {
		return nil, bad("row field count is %d, expected %d", count, len(d.o.Columns))
	}
	at := 2
	for range count {
		ok, err := d.src.need(at + 4)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, d.short("unexpected EOF in COPY data")
		}
		size := int(int32(binary.BigEndian.Uint32(d.src.buf[d.src.pos+at:])))
		at += 4
		if size == -1 {
			continue
		}
		if size < 0 {
			return nil, bad("invalid field size")
		}
		if ok, err = d.src.need(at + size); err != nil {
			return nil, err
		} else if !ok {
			return nil, d.short("unexpected EOF in COPY data")
		}
		at += size
	}
	row := d.src.buf[d.src.pos : d.src.pos+at : d.src.pos+at]
	d.src.pos += at
	d.fields = d.fields[:0]
	for i, rest := 0, row[2:]; i < count; i++ {
		size := int(int32(binary.BigEndian.Uint32(rest)))
		rest = rest[4:]
		if size == -1 {
			d.fields = append(d.fields, nil)
			continue
		}
		d.fields = append(d.fields, rest[:size:size])
		rest = rest[size:]
	}
	return d.fields, nil
}

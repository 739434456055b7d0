package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"layercake/catalog"
)

// memoryRows is how many bytes of rows a rowBuffer keeps in memory before it goes to a file.
const memoryRows = 16 << 20

// rowBuffer is a list of rows in catalog's row encoding: in memory while it is small, else in an unlinked temporary file
// that goes with the last reference to it. A read position belongs to each reader.
type rowBuffer struct {
	cols int
	n    int
	data []byte // the rows that are not in the file

	file *os.File // chunks of whole rows, each after its length (4 bytes, little-endian)
	size int64    // bytes in the file
	err  error    // the first failure to write; told by whoever reads
}

func (b *rowBuffer) add(row []catalog.Value) {
	b.data = catalog.AppendRow(b.data, row)
	b.n++
	if len(b.data) >= memoryRows {
		b.spill()
	}
}

// bytes is how many bytes the rows take.
func (b *rowBuffer) bytes() int64 { return b.size + int64(len(b.data)) }

func (b *rowBuffer) spill() {
	if b.err != nil {
		b.data = b.data[:0]
		return
	}
	if b.file == nil {
		f, err := os.CreateTemp("", "layercake-rows-")
		if err == nil {
			err = os.Remove(f.Name())
		}
		if err != nil {
			b.err = fmt.Errorf("temporary file for rows: %w", err)
			return
		}
		b.file = f
	}
	var head [4]byte
	binary.LittleEndian.PutUint32(head[:], uint32(len(b.data)))
	for _, p := range [][]byte{head[:], b.data} {
		n, err := b.file.WriteAt(p, b.size)
		b.size += int64(n)
		if err != nil {
			b.err = fmt.Errorf("temporary file for rows: %w", err)
			return
		}
	}
	b.data = b.data[:0]
}

// whole returns all rows as one piece, for a row set that SQLite reads.
func (b *rowBuffer) whole() ([]byte, error) {
	if b.file == nil {
		if b.data == nil {
			return []byte{}, b.err
		}
		return b.data, b.err
	}
	out := make([]byte, 0, b.bytes())
	for c := b.cursor(); ; {
		row, ok, err := c.next()
		if err != nil || !ok {
			return out, err
		}
		out = catalog.AppendRow(out, row)
	}
}

// each calls fn for every row; the values are valid during the call only.
func (b *rowBuffer) each(fn func(i int, row []catalog.Value) error) error {
	c := b.cursor()
	for i := 0; ; i++ {
		row, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if err := fn(i, row); err != nil {
			return err
		}
	}
}

// cursor reads a rowBuffer step by step.
type cursor struct {
	buf  *rowBuffer
	row  []catalog.Value
	rest []byte // of the chunk at hand
	at   int    // rows read
	off  int64  // where the next chunk begins in the file
	last bool   // the chunk at hand is the one in memory
}

func (b *rowBuffer) cursor() *cursor {
	return &cursor{buf: b, row: make([]catalog.Value, b.cols)}
}

// next returns the next row, valid until the call after; ok false at the end.
func (c *cursor) next() (row []catalog.Value, ok bool, err error) {
	if c.buf.err != nil {
		return nil, false, c.buf.err
	}
	if c.at >= c.buf.n {
		return nil, false, nil
	}
	if c.buf.cols == 0 {
		c.at++
		return c.row, true, nil
	}
	for len(c.rest) == 0 {
		if err := c.chunk(); err != nil {
			return nil, false, err
		}
	}
	if c.rest, err = catalog.DecodeRow(c.row, c.rest); err != nil {
		return nil, false, err
	}
	c.at++
	return c.row, true, nil
}

func (c *cursor) chunk() error {
	if c.off >= c.buf.size {
		if c.last {
			return io.ErrUnexpectedEOF
		}
		c.last, c.rest = true, c.buf.data
		return nil
	}
	var head [4]byte
	if _, err := c.buf.file.ReadAt(head[:], c.off); err != nil {
		return errors.Join(errors.New("temporary file for rows"), err)
	}
	// Rows point into their chunk: each has one of its own.
	chunk := make([]byte, binary.LittleEndian.Uint32(head[:]))
	if _, err := c.buf.file.ReadAt(chunk, c.off+4); err != nil {
		return errors.Join(errors.New("temporary file for rows"), err)
	}
	c.off += int64(4 + len(chunk))
	c.rest = chunk
	return nil
}

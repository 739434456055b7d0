package server

import (
	"fmt"
	"os"

	"layercake/catalog"
)

// memoryRows is how many bytes of rows a rowBuffer keeps in memory before it goes to a file; chunkRows is how many it reads
// and writes at once.
const (
	memoryRows = 16 << 20
	chunkRows  = 1 << 20
)

// rowBuffer is a list of rows in catalog's row encoding: in memory while it is small, else for the greater part in an
// unlinked temporary file that goes with the last reference to it. A read position belongs to each reader.
type rowBuffer struct {
	cols int
	n    int

	chunks []rowChunk // full ones
	data   []byte     // the rows after them
	last   int        // how many these are

	size   int64  // bytes in chunks
	memory int64  // bytes in chunks that are in memory
	dir    string // where the file is made; "" is the system's folder for temporary files
	file   *os.File
	end    int64 // of the file
	err    error // the first failure to write; told by whoever reads
}

// rowChunk is some whole rows.
type rowChunk struct {
	n    int
	mem  []byte // nil: they are in the file
	off  int64
	size int
}

func (b *rowBuffer) add(row []catalog.Value) {
	if b.data == nil {
		b.data = make([]byte, 0, catalog.RowSize(row))
	}
	b.data = catalog.AppendRow(b.data, row)
	b.added()
}

// added notes that a row was appended to data.
func (b *rowBuffer) added() {
	b.n++
	b.last++
	if len(b.data) >= chunkRows {
		b.seal()
	}
}

// bytes is how many bytes the rows take.
func (b *rowBuffer) bytes() int64 { return b.size + int64(len(b.data)) }

// seal makes a chunk of data.
func (b *rowBuffer) seal() {
	c := rowChunk{n: b.last, size: len(b.data)}
	if b.memory+int64(c.size) <= memoryRows {
		c.mem = b.data
		b.memory += int64(c.size)
		b.data = make([]byte, 0, chunkRows+chunkRows/8)
	} else {
		c.off = b.end
		b.write(b.data)
		b.data = b.data[:0]
		if cap(b.data) > 4*chunkRows {
			b.data = nil // there was a very long row
		}
	}
	b.size += int64(c.size)
	b.chunks, b.last = append(b.chunks, c), 0
}

func (b *rowBuffer) write(p []byte) {
	if b.err != nil {
		return
	}
	if b.file == nil {
		f, err := os.CreateTemp(b.dir, "layercake-rows-")
		if err == nil {
			err = os.Remove(f.Name())
		}
		if err != nil {
			b.err = fmt.Errorf("temporary file for rows: %w", err)
			return
		}
		b.file = f
	}
	n, err := b.file.WriteAt(p, b.end)
	b.end += int64(n)
	if err != nil {
		b.err = fmt.Errorf("temporary file for rows: %w", err)
	}
}

// chunk returns the rows of chunk i, which the caller may keep and must not change; those after the last chunk are one
// more. n is 0 when there are no more.
func (b *rowBuffer) chunk(i int) (rows []byte, n int, err error) {
	switch {
	case b.err != nil:
		return nil, 0, b.err
	case i == len(b.chunks):
		return b.data, b.last, nil
	case i > len(b.chunks):
		return nil, 0, nil
	}
	c := &b.chunks[i]
	if c.mem != nil {
		return c.mem, c.n, nil
	}
	rows = make([]byte, c.size)
	if _, err := b.file.ReadAt(rows, c.off); err != nil {
		return nil, 0, fmt.Errorf("temporary file for rows: %w", err)
	}
	return rows, c.n, nil
}

// whole returns all rows as one piece, for a row set that SQLite reads.
func (b *rowBuffer) whole() ([]byte, error) {
	if len(b.chunks) == 0 && b.data != nil {
		return b.data, nil
	}
	out := make([]byte, 0, b.bytes())
	for i := range len(b.chunks) + 1 {
		rows, _, err := b.chunk(i)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// each calls fn for every row; the values are valid during the call only, but those of an only row for as long as nothing is
// added.
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
	buf   *rowBuffer
	row   []catalog.Value
	rest  []byte // of the chunk at hand
	left  int    // rows in rest
	at    int    // rows read
	chunk int    // the next one
}

func (b *rowBuffer) cursor() *cursor {
	return &cursor{buf: b, row: make([]catalog.Value, b.cols)}
}

// next returns the next row, valid until the call after; ok false at the end.
func (c *cursor) next() (row []catalog.Value, ok bool, err error) {
	if c.left == 0 {
		c.rest, c.left, err = c.buf.chunk(c.chunk)
		if err != nil || c.left == 0 {
			return nil, false, err
		}
		c.chunk++
	}
	if c.rest, err = catalog.DecodeRow(c.row, c.rest); err != nil {
		return nil, false, err
	}
	c.left--
	c.at++
	return c.row, true, nil
}

package sqlite

/*
#include "lc.h"
*/
import "C"

import (
	"unsafe"

	"layercake/catalog"
)

// A batch ends at either bound. The first one is small, since most statements want few rows.
const (
	firstRows  = 128
	firstBytes = 64 << 10
	batchRows  = 512
	batchBytes = 256 << 10
)

// Rows are the rows of a running statement.
type Rows struct {
	stmt *Stmt
	p    *C.lc_stmt // nil once there is nothing more to fetch
	vals []catalog.Value
	buf  []byte // what is left of the batch
	left int    // rows in buf
	err  error  // reported once the rows before it have been handed out

	changes int64
}

// take copies a batch out of the statement. The copy belongs to Go and is not written again, so that the bytes of a
// value stay valid however long they are kept.
func (r *Rows) take(p *C.lc_stmt, rc C.int) {
	r.left = int(p.rows)
	r.buf = nil
	if n := int(p.out.len); n > 0 {
		r.buf = append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(p.out.p)), n)...)
	}
	if len(r.vals) != int(p.ncol) {
		r.vals = make([]catalog.Value, int(p.ncol))
	}
	r.changes = int64(p.changes)
	if rc == C.SQLITE_OK {
		r.p = p
		return
	}
	if rc != C.SQLITE_DONE {
		r.err = r.stmt.conn.stmtError(p)
	}
	r.p = nil
	r.stmt.give(p)
}

// Next goes to the next row. It returns false at the end and on an error, which Err tells.
func (r *Rows) Next() bool {
	for r.left == 0 {
		if r.p == nil {
			return false
		}
		if r.stmt.conn.c == nil {
			r.p, r.err = nil, errClosed
			return false
		}
		r.take(r.p, C.lc_stmt_fetch(r.p, batchRows, batchBytes))
	}
	r.left--
	rest, err := catalog.DecodeRow(r.vals, r.buf)
	if err != nil {
		r.err = err
		r.left = 0
		r.Close()
		return false
	}
	r.buf = rest
	return true
}

// Values returns the current row. The slice is overwritten by Next; the Bytes of its values stay valid and must not be
// changed.
func (r *Rows) Values() []catalog.Value { return r.vals }

// ColumnCount returns how many columns a row has.
func (r *Rows) ColumnCount() int { return len(r.vals) }

// Changes returns how many rows the statement has changed: the number is final once the first row has been read, since
// SQLite makes all changes of a statement with RETURNING before it returns a row.
func (r *Rows) Changes() int64 { return r.changes }

// Err returns the error that ended the rows, once Next has returned false.
func (r *Rows) Err() error {
	if r.left > 0 {
		return nil
	}
	return r.err
}

// Close ends the statement, read to its end or not. A second Close is harmless.
func (r *Rows) Close() error {
	if p := r.p; p != nil {
		r.p = nil
		if r.stmt.conn.c != nil {
			C.lc_stmt_reset(p)
			r.stmt.give(p)
		}
	}
	r.left, r.buf = 0, nil
	return nil
}

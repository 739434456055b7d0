package sqlite

/*
#include "lc.h"

#cgo noescape lc_stmt_rows
*/
import "C"

import (
	"unsafe"

	"layercake/catalog"
)

// ExecRows runs an INSERT once for each of len(rowids) encoded rows, which stand in rows one after the other. Its first
// parameters take the values of head, the same for all rows; then comes, if key is not nil, a hidden key, which is key for
// the first row and whose last four bytes, a big-endian number, count up from row to row; then the values of the row. It
// stops at the first row that fails, and says how many were inserted, how many bytes of rows they take, and in rowids
// which rowids they got. The caller keeps everything it passes.
func (s *Stmt) ExecRows(head []catalog.Value, key, rows []byte, rowids []int64) (done, used int, err error) {
	if len(rowids) == 0 {
		return 0, 0, nil
	}
	p, err := s.take()
	if err != nil {
		return 0, 0, err
	}
	arena := s.conn.encode(head)
	var n C.int64_t
	rc := C.lc_stmt_rows(p, bytesPtr(arena), C.int64_t(len(arena)), C.int(len(head)), bytesPtr(key), C.int(len(key)),
		bytesPtr(rows), C.int64_t(len(rows)), C.int(len(rowids)), (*C.int64_t)(unsafe.Pointer(unsafe.SliceData(rowids))), &n)
	s.conn.release(arena)
	if rc != C.SQLITE_DONE {
		err = s.conn.stmtError(p)
	}
	done = int(p.rows)
	s.give(p)
	return done, int(n), err
}

package sqlite

/*
#include <stdlib.h>
#include "lc.h"

#cgo noescape sqlite3_blob_read
#cgo noescape sqlite3_blob_write
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// A Blob reads or writes one BLOB in pieces: through a statement, a long one would be copied two or three times over. It
// keeps its length. The caller must Close it before the transaction ends.
type Blob struct {
	conn *Conn
	b    *C.sqlite3_blob
}

// OpenBlob opens the BLOB in a column of the row with a rowid.
func (c *Conn) OpenBlob(table, column string, rowid int64, write bool) (*Blob, error) {
	if c.c == nil {
		return nil, errClosed
	}
	names := []*C.char{C.CString("main"), C.CString(table), C.CString(column)}
	defer func() {
		for _, n := range names {
			C.free(unsafe.Pointer(n))
		}
	}()
	b := &Blob{conn: c}
	if rc := C.sqlite3_blob_open(c.c.db, names[0], names[1], names[2], C.sqlite3_int64(rowid), boolInt(write), &b.b); rc != C.SQLITE_OK {
		return nil, b.fail("open", rc)
	}
	return b, nil
}

// Size is the BLOB's length.
func (b *Blob) Size() int { return int(C.sqlite3_blob_bytes(b.b)) }

// ReadAt fills p from an offset on.
func (b *Blob) ReadAt(p []byte, off int) error {
	return b.fail("read", C.sqlite3_blob_read(b.b, unsafe.Pointer(unsafe.SliceData(p)), C.int(len(p)), C.int(off)))
}

// WriteAt writes p at an offset.
func (b *Blob) WriteAt(p []byte, off int) error {
	return b.fail("write", C.sqlite3_blob_write(b.b, unsafe.Pointer(unsafe.SliceData(p)), C.int(len(p)), C.int(off)))
}

// Close ends the access.
func (b *Blob) Close() error { return b.fail("close", C.sqlite3_blob_close(b.b)) }

func (b *Blob) fail(what string, rc C.int) error {
	if rc == C.SQLITE_OK {
		return nil
	}
	return &Error{Code: int(rc) & 0xff, Extended: int(rc), Message: fmt.Sprintf("%s a BLOB: %s", what, C.GoString(C.sqlite3_errstr(rc)))}
}

package sqlite

// #include "lc.h"
import "C"

import "context"

// Backup makes this connection's database a copy of from's, page by page, in one transaction of this one
// (https://www.sqlite.org/c3ref/backup_finish.html). from should be in a transaction that has read: the copy is of that
// snapshot then, and changes that others make meanwhile do not start it anew. Neither connection may be used until it
// returns; this one must not be in a transaction.
func (c *Conn) Backup(ctx context.Context, from *Conn) (err error) {
	if c.c == nil || from.c == nil {
		return errClosed
	}
	b := C.lc_backup_open(c.c, from.c)
	if b == nil {
		return c.connError()
	}
	const pages = 1000 // between looks at ctx
	for rc := C.int(C.SQLITE_OK); rc == C.SQLITE_OK; {
		if err = ctx.Err(); err != nil {
			break
		}
		if rc = C.lc_backup_step(c.c, b, pages); rc != C.SQLITE_OK && rc != C.SQLITE_DONE {
			err = c.connError()
		}
	}
	if rc := C.lc_backup_close(c.c, b); rc != C.SQLITE_OK && err == nil {
		err = c.connError()
	}
	return err
}

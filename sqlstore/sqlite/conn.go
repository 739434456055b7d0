package sqlite

/*
#include <stdlib.h>
#include "lc.h"

// Arguments point into Go memory only for the length of a call.
#cgo noescape lc_stmt_exec
#cgo noescape lc_stmt_query
#cgo noescape lc_prepare
#cgo noescape lc_exec
*/
import "C"

import (
	"runtime/cgo"
	"sync"
	"time"
	"unsafe"

	"layercake/catalog"
)

// Options say how Open opens a database.
type Options struct {
	// ReadOnly refuses every change (PRAGMA query_only). The file must exist.
	ReadOnly bool
	// Memory makes path the name of a database in memory. Connections of this process that name the same one share it;
	// it is gone when the last of them closes. It has no WAL: a reader in a transaction keeps a writer from committing.
	Memory bool
	// Exclusive keeps other processes from using the file while a connection is open. Locks of its WAL are then taken
	// without a system call, and the WAL's index is in memory instead of a file. All connections of this process share both.
	Exclusive bool
	// Authorizer makes the connection one for client SQL: Stmt and Exec refuse ATTACH, PRAGMA, DDL, transaction
	// control, load_extension, internal tables, and virtual tables other than lc_rows, lc_unnest, lc_series and
	// json_each. StoreStmt and StoreExec are free of it.
	Authorizer bool
	// BusyTimeout is how long a statement waits for a lock that another connection holds. Zero: not at all.
	BusyTimeout time.Duration
	// StmtCache is how many prepared statements are kept; zero means DefaultStmtCache.
	StmtCache int
}

// DefaultStmtCache is the number of prepared statements a connection keeps when Options does not say.
const DefaultStmtCache = 256

// Conn is one connection. It may be used by one goroutine at a time, Interrupt excepted.
type Conn struct {
	// Session is handed to Go functions (Context.Session). The package does not look at it.
	Session any

	c      *C.lc_conn
	path   string
	handle cgo.Handle
	guard  bool
	cache  stmtCache
	arena  []byte // encoded arguments, reused from call to call
	goErr  error  // error of the Go function that made the running statement fail

	mu     sync.Mutex // guards closed against Interrupt
	closed bool
}

// Open opens a database and registers the C functions, and the Go functions registered so far, on the connection.
func Open(path string, o Options) (*Conn, error) {
	name, flags := path, C.int(C.SQLITE_OPEN_READWRITE)
	if o.Memory {
		name, flags = "file:/"+uriEscape(path)+"?vfs=memdb", flags|C.SQLITE_OPEN_URI
	}
	if !o.ReadOnly || o.Memory {
		flags |= C.SQLITE_OPEN_CREATE
	}
	c := &Conn{path: path, guard: o.Authorizer}
	c.cache.init(o.StmtCache)
	c.handle = cgo.NewHandle(c)
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var vfs *C.char // the default
	if o.Exclusive && !o.Memory {
		vfs = C.lc_vfs()
	}
	c.c = C.lc_open(cname, vfs, flags, C.uintptr_t(c.handle), C.int(o.BusyTimeout.Milliseconds()))
	if c.c == nil {
		c.handle.Delete()
		return nil, &Error{Code: int(C.SQLITE_NOMEM), Extended: int(C.SQLITE_NOMEM), Message: "out of memory"}
	}
	err := error(nil)
	if c.c.rc != C.SQLITE_OK {
		err = c.connError()
	}
	if err == nil {
		err = c.registerGo()
	}
	if err == nil && o.ReadOnly {
		err = c.StoreExec("PRAGMA query_only=1")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func uriEscape(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '%' || ch == '?' || ch == '#' || ch < ' ' || ch >= 0x7f:
			b = append(b, '%', hex[ch>>4], hex[ch&15])
		default:
			b = append(b, ch)
		}
	}
	return string(b)
}

// Close finalizes all statements and closes the connection. A second Close is harmless. Open Rows become invalid.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.cache.drop()
	C.lc_close(c.c)
	c.c = nil
	c.handle.Delete()
	return nil
}

// Interrupt makes the running statement, if any, fail with SQLITE_INTERRUPT (57014). It may be called from any
// goroutine at any time, after Close too.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		C.sqlite3_interrupt(c.c.db)
	}
}

// Exec runs the statements of a script, which takes no arguments.
func (c *Conn) Exec(sql string) error { return c.exec(sql, c.guard, false) }

// StoreExec is Exec for the store's own statements, as StoreStmt.
func (c *Conn) StoreExec(sql string) error { return c.exec(sql, false, true) }

// StoreExecStrict is StoreExec, but functions that fail are errors.
func (c *Conn) StoreExecStrict(sql string) error { return c.exec(sql, false, false) }

func (c *Conn) exec(sql string, guard, lenient bool) error {
	if c.c == nil {
		return errClosed
	}
	if sql == "" {
		return nil
	}
	rc := C.lc_exec(c.c, (*C.char)(unsafe.Pointer(unsafe.StringData(sql))), C.int64_t(len(sql)), boolInt(guard), boolInt(lenient))
	if rc != C.SQLITE_OK {
		return c.connError()
	}
	return nil
}

// Stmt returns the prepared form of one statement, cached on the connection. It needs no closing.
func (c *Conn) Stmt(sql string) (*Stmt, error) { return c.stmt(stmtKey{sql, c.guard, false}) }

// StoreStmt is Stmt for the store's own statements: the authorizer does not look at them, and a function that fails for
// its arguments (pgerror.OfStatement) gives NULL. What the store writes was settled elsewhere, perhaps
// by a node that had not heard of an index over an expression yet: it must not be refused for a row that the expression
// fails for, and rows like it must be found and deleted.
func (c *Conn) StoreStmt(sql string) (*Stmt, error) { return c.stmt(stmtKey{sql, false, true}) }

// InTransaction says whether a transaction is open (autocommit is off).
func (c *Conn) InTransaction() bool { return C.sqlite3_get_autocommit(c.c.db) == 0 }

// LastInsertRowID returns the rowid of the last successful INSERT on the connection.
func (c *Conn) LastInsertRowID() int64 { return int64(C.sqlite3_last_insert_rowid(c.c.db)) }

// Changes returns how many rows the last finished INSERT, UPDATE or DELETE changed.
func (c *Conn) Changes() int64 { return int64(C.sqlite3_changes64(c.c.db)) }

// TotalChanges returns how many rows have been changed since the connection was opened.
func (c *Conn) TotalChanges() int64 { return int64(C.sqlite3_total_changes64(c.c.db)) }

// SetBusyTimeout sets how long a statement waits for a lock that another connection holds.
func (c *Conn) SetBusyTimeout(d time.Duration) {
	C.sqlite3_busy_timeout(c.c.db, C.int(d.Milliseconds()))
}

// CheckpointMode is how far a checkpoint goes (https://www.sqlite.org/c3ref/wal_checkpoint_v2.html).
type CheckpointMode int

// The checkpoint modes. Passive never waits and never blocks anyone; Truncate waits for readers and empties the file.
const (
	CheckpointPassive  CheckpointMode = 0
	CheckpointFull     CheckpointMode = 1
	CheckpointRestart  CheckpointMode = 2
	CheckpointTruncate CheckpointMode = 3
)

// Checkpoint copies pages from the WAL to the database and returns the WAL's size in frames and how many of them have
// been copied (both -1 when the database is not in WAL mode). No connection of this package checkpoints by itself,
// except that the last one to close a database does.
func (c *Conn) Checkpoint(mode CheckpointMode) (wal, done int, err error) {
	if c.c == nil {
		return 0, 0, errClosed
	}
	var w, d C.int
	if rc := C.lc_checkpoint(c.c, C.int(mode), &w, &d); rc != C.SQLITE_OK {
		return int(w), int(d), c.connError()
	}
	return int(w), int(d), nil
}

// WALPages returns the WAL's size in pages after this connection's last commit.
func (c *Conn) WALPages() int { return int(c.c.wal_pages) }

// ReleaseMemory gives back what the connection's page cache holds and does not need just now.
func (c *Conn) ReleaseMemory() { C.sqlite3_db_release_memory(c.c.db) }

// TrimMemory gives freed memory, of all connections, back to the system.
func TrimMemory() { C.lc_trim() }

// CacheSearches returns how often a page cache, of all connections, was searched for pages to drop: when it is emptied
// since another connection has committed, and when the database gets smaller.
func CacheSearches() int64 { return int64(C.lc_cache_searches()) }

// Version returns SQLite's version.
func Version() string { return C.GoString(C.sqlite3_libversion()) }

// encode puts the arguments into the connection's arena. The arena is taken off the connection until the call is over,
// since a Go function that the statement calls may run statements too; a very large one is not kept.
func (c *Conn) encode(args []catalog.Value) []byte {
	b := catalog.AppendRow(c.arena[:0], args)
	c.arena = nil
	return b
}

func (c *Conn) release(arena []byte) {
	if cap(arena) <= 1<<20 {
		c.arena = arena
	}
}

func bytesPtr(b []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }

func boolInt(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

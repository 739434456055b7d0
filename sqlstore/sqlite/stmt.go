package sqlite

/*
#include "lc.h"
*/
import "C"

import (
	"container/list"
	"unsafe"

	"layercake/catalog"
)

// Stmt is a prepared statement of a connection. It stays usable for as long as the connection is open: when the cache
// has dropped its compiled form, or rows of it are still being read, it is compiled once more.
type Stmt struct {
	conn  *Conn
	key   stmtKey
	idle  *C.lc_stmt // compiled and free, or nil
	ncol  int
	nargs int
	elem  *list.Element // place in the cache, nil once dropped
}

type stmtKey struct {
	sql     string
	guard   bool
	lenient bool
}

// stmtCache keeps the statements used last.
type stmtCache struct {
	max   int
	byKey map[stmtKey]*Stmt
	lru   list.List // of *Stmt, the last used first
}

func (k *stmtCache) init(max int) {
	if max <= 0 {
		max = DefaultStmtCache
	}
	k.max = max
	k.byKey = make(map[stmtKey]*Stmt)
	k.lru.Init()
}

func (k *stmtCache) drop() {
	for _, s := range k.byKey {
		s.forget()
	}
	clear(k.byKey)
	k.lru.Init()
}

func (s *Stmt) forget() {
	s.elem = nil
	if s.idle != nil {
		C.lc_finalize(s.idle)
		s.idle = nil
	}
}

func (c *Conn) stmt(key stmtKey) (*Stmt, error) {
	if c.c == nil {
		return nil, errClosed
	}
	if s := c.cache.byKey[key]; s != nil {
		c.cache.lru.MoveToFront(s.elem)
		return s, nil
	}
	s := &Stmt{conn: c, key: key}
	p, err := s.prepare()
	if err != nil {
		return nil, err
	}
	s.idle, s.ncol, s.nargs = p, int(p.ncol), int(p.nparam)
	s.elem = c.cache.lru.PushFront(s)
	c.cache.byKey[key] = s
	for c.cache.lru.Len() > c.cache.max {
		old := c.cache.lru.Remove(c.cache.lru.Back()).(*Stmt)
		delete(c.cache.byKey, old.key)
		old.forget()
	}
	return s, nil
}

func (s *Stmt) prepare() (*C.lc_stmt, error) {
	sql := s.key.sql
	p := C.lc_prepare(s.conn.c, (*C.char)(unsafe.Pointer(unsafe.StringData(sql))), C.int64_t(len(sql)), boolInt(s.key.guard), boolInt(s.key.lenient))
	if p == nil {
		return nil, s.conn.connError()
	}
	return p, nil
}

// take returns a compiled form that nobody is using.
func (s *Stmt) take() (*C.lc_stmt, error) {
	if p := s.idle; p != nil {
		s.idle = nil
		return p, nil
	}
	if s.conn.c == nil {
		return nil, errClosed
	}
	return s.prepare()
}

// give puts a compiled form back, or ends it when it is not wanted any more.
func (s *Stmt) give(p *C.lc_stmt) {
	if s.idle == nil && s.elem != nil {
		s.idle = p
		return
	}
	C.lc_finalize(p)
}

// Explain returns the rows of EXPLAIN QUERY PLAN (https://www.sqlite.org/eqp.html) for a statement. It does not find out
// whether another connection has changed the schema, which SQLite does only where a statement runs: one of the same
// transaction has to go first.
func (c *Conn) Explain(sql string, args []catalog.Value) (*Rows, error) {
	if c.c == nil {
		return nil, errClosed
	}
	s := &Stmt{conn: c, key: stmtKey{"EXPLAIN QUERY PLAN " + sql, c.guard, false}} // not cached: it would stay as it is
	p, err := s.prepare()
	if err != nil {
		return nil, err
	}
	s.ncol, s.nargs = int(p.ncol), int(p.nparam)
	s.idle = p
	return s.Query(args)
}

// SQL returns the statement's text.
func (s *Stmt) SQL() string { return s.key.sql }

// ColumnCount returns how many columns the statement's rows have, 0 for a statement without a result.
func (s *Stmt) ColumnCount() int { return s.ncol }

// ParamCount returns how many arguments the statement takes.
func (s *Stmt) ParamCount() int { return s.nargs }

// Exec runs the statement to its end, whatever rows it returns, and says how many rows it inserted, updated or deleted.
// The caller keeps args.
func (s *Stmt) Exec(args []catalog.Value) (changes int64, err error) {
	p, err := s.take()
	if err != nil {
		return 0, err
	}
	arena := s.conn.encode(args)
	rc := C.lc_stmt_exec(p, bytesPtr(arena), C.int64_t(len(arena)), C.int(len(args)))
	s.conn.release(arena)
	if rc != C.SQLITE_DONE {
		err = s.conn.stmtError(p)
	}
	changes = int64(p.changes)
	s.give(p)
	return changes, err
}

// Query runs the statement and returns its rows, the first batch of them already read. The caller must Close the Rows;
// keeps args; and may run the same statement again meanwhile.
func (s *Stmt) Query(args []catalog.Value) (*Rows, error) {
	p, err := s.take()
	if err != nil {
		return nil, err
	}
	arena := s.conn.encode(args)
	rc := C.lc_stmt_query(p, bytesPtr(arena), C.int64_t(len(arena)), C.int(len(args)), firstRows, firstBytes)
	s.conn.release(arena)
	if rc != C.SQLITE_DONE && rc != C.SQLITE_OK && p.rows == 0 {
		err = s.conn.stmtError(p)
		s.give(p)
		return nil, err
	}
	r := &Rows{stmt: s}
	r.take(p, rc)
	return r, nil
}

package sqlite

/*
#include "lc.h"
*/
import "C"

import (
	"strings"

	"layercake/pgerror"
)

// Error is an error of SQLite's own. Code is the primary result code (https://www.sqlite.org/rescode.html), Extended
// the extended one. An error that a function of ours raised is a *pgerror.Error instead.
type Error struct {
	Code, Extended int
	Message        string
	Offset         int    // byte offset in the SQL text where the error is, -1 when unknown
	Path           string // of the database
}

// Primary and extended result codes that callers look for.
const (
	CodeBusy       = 5
	CodeReadOnly   = 8
	CodeInterrupt  = 9
	CodeIOErr      = 10
	CodeCorrupt    = 11
	CodeFull       = 13
	CodeTooBig     = 18
	CodeConstraint = 19
	CodeAuth       = 23
	CodeNotADB     = 26

	ConstraintUnique     = CodeConstraint | 8<<8
	ConstraintPrimaryKey = CodeConstraint | 6<<8
	ConstraintRowID      = CodeConstraint | 10<<8
	IOErrFsync           = CodeIOErr | 4<<8
	BusySnapshot         = CodeBusy | 2<<8
)

func (e *Error) Error() string { return "sqlite: " + e.Message }

// Unwrap gives the SQLSTATE of the errors that a client may well cause, and of those of the disk, which name the file:
// errors.As finds a *pgerror.Error then.
func (e *Error) Unwrap() error {
	switch e.Code {
	case CodeInterrupt:
		return pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
	case CodeFull:
		return pgerror.New(pgerror.DiskFull, "could not extend the database: no space left on device")
	case int(C.SQLITE_NOMEM):
		return pgerror.New(pgerror.OutOfMemory, "out of memory")
	case CodeTooBig:
		return pgerror.New(pgerror.ProgramLimitExceeded, "value or statement too large")
	case CodeIOErr:
		return pgerror.New(pgerror.IOError, "could not read or write the database file \"%s\": %s", e.Path, e.Message)
	case CodeCorrupt, CodeNotADB:
		return pgerror.New(pgerror.DataCorrupted, "the database file \"%s\" is damaged: %s", e.Path, e.Message).
			WithHint("Other members hold the data: stop this node, and let a new one take its place.")
	}
	if e.Message == "Recursion limit" || strings.HasPrefix(e.Message, "Expression tree is too large") {
		return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded").
			WithDetail("An expression or its subqueries are nested too deep.")
	}
	if bound, rest, ok := strings.Cut(strings.TrimPrefix(e.Message, "frame "), " offset must be a non-negative "); ok && rest != "" {
		return pgerror.New(pgerror.InvalidPrecedingOrFollowingSize, "frame %s offset must not be negative", bound)
	}
	return nil
}

var errClosed = &Error{Code: int(C.SQLITE_MISUSE), Extended: int(C.SQLITE_MISUSE), Message: "connection is closed", Offset: -1}

func (c *Conn) connError() error {
	return c.makeError(int(c.c.rc), C.GoString(c.c.err), int(c.c.offset))
}

func (c *Conn) stmtError(p *C.lc_stmt) error {
	return c.makeError(int(p.rc), C.GoString(p.err), -1)
}

func (c *Conn) makeError(rc int, msg string, offset int) error {
	if err := c.goErr; err != nil {
		c.goErr = nil
		if strings.HasPrefix(msg, "LCGO:") {
			return err
		}
	}
	if e := parseError(msg); e != nil {
		return e
	}
	return &Error{Code: rc & 0xff, Extended: rc, Message: msg, Offset: offset, Path: c.path}
}

// parseError reads a message of the form "LCsssss:text", as C functions of ours write it. A detail may follow after a
// byte 1, a hint after a byte 2.
func parseError(msg string) *pgerror.Error {
	if len(msg) < 8 || msg[:2] != "LC" || msg[7] != ':' {
		return nil
	}
	for _, ch := range []byte(msg[2:7]) {
		if (ch < '0' || ch > '9') && (ch < 'A' || ch > 'Z') {
			return nil
		}
	}
	e := &pgerror.Error{Code: msg[2:7], Message: msg[8:]}
	e.Message, e.Hint, _ = strings.Cut(e.Message, "\x02")
	e.Message, e.Detail, _ = strings.Cut(e.Message, "\x01")
	return e
}

// Package pgerror holds the one error type that a client may see: SQLSTATE, message, detail, hint and position, as
// PostgreSQL's ErrorResponse and NoticeResponse carry them
// (https://www.postgresql.org/docs/15/protocol-error-fields.html). Any other error that reaches a connection is shown
// as XX000 with a plain message and logged in full.
package pgerror

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Error is an error (or a notice) for the client.
type Error struct {
	Severity string // "ERROR" when empty; "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DEBUG", "LOG"
	Code     string // SQLSTATE, five characters
	Message  string
	Detail   string
	Hint     string
	Position int // 1-based, in characters (not bytes) of the query text the client sent; 0: none

	InternalPosition int
	InternalQuery    string
	Where            string

	Schema, Table, Column, DataType, Constraint string
}

// New returns an ERROR with the SQLSTATE code and a formatted message.
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Fatal returns a FATAL error: the connection ends after it is sent.
func Fatal(code, format string, args ...any) *Error {
	return &Error{Severity: "FATAL", Code: code, Message: fmt.Sprintf(format, args...)}
}

// Notice returns a NOTICE with SQLSTATE 00000.
func Notice(format string, args ...any) *Error {
	return &Error{Severity: "NOTICE", Code: SuccessfulCompletion, Message: fmt.Sprintf(format, args...)}
}

// Warning returns a WARNING with the given SQLSTATE.
func Warning(code, format string, args ...any) *Error {
	return &Error{Severity: "WARNING", Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error gives the message with its SQLSTATE.
func (e *Error) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// WithDetail sets the detail and returns e.
func (e *Error) WithDetail(format string, args ...any) *Error {
	e.Detail = fmt.Sprintf(format, args...)
	return e
}

// WithHint sets the hint and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// At sets the position (1-based, in characters) and returns e.
func (e *Error) At(position int) *Error {
	e.Position = position
	return e
}

// WithTable names the relation that the error is about and returns e.
func (e *Error) WithTable(schema, table string) *Error {
	e.Schema, e.Table = schema, table
	return e
}

// WithColumn names the column that the error is about and returns e.
func (e *Error) WithColumn(column string) *Error {
	e.Column = column
	return e
}

// WithConstraint names the constraint that the error is about and returns e.
func (e *Error) WithConstraint(name string) *Error {
	e.Constraint = name
	return e
}

// IsFatal says whether the connection must end after e.
func (e *Error) IsFatal() bool { return e.Severity == "FATAL" || e.Severity == "PANIC" }

// From returns the *Error that err is or wraps; a cancelled context becomes 57014; anything else becomes XX000 with a
// plain message that tells nothing of the inside. nil gives nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return New(QueryCanceled, "canceling statement due to user request")
	}
	return New(InternalError, "internal error; the server's log has the details")
}

// Code returns the SQLSTATE of err: "" for nil, XX000 for an error that is not an *Error.
func Code(err error) string {
	if err == nil {
		return ""
	}
	return From(err).Code
}

// OfStatement says whether err is a fault of what a statement asked for, as a division by zero: not one of resources, of an
// operator's intervention, of concurrency, or internal (classes 53, 57, 40 and XX).
func OfStatement(err error) bool {
	code := Code(err)
	return code != "" && !slices.Contains([]string{"53", "57", "40", "XX"}, code[:2])
}

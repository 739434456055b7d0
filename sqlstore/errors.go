package sqlstore

import (
	"errors"
	"fmt"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

// Errors of Apply. The entries before the one that met the error have been applied.
var (
	// ErrGap: an entry of the origin is missing before this one.
	ErrGap = errors.New("an earlier entry of this origin is missing")
	// ErrDeps: the entry depends on entries that have not been applied here.
	ErrDeps = errors.New("the entry depends on entries that are not here yet")
	// ErrFork: the origin has two different entries of one number, or an entry does not continue the chain.
	ErrFork = errors.New("the origin's log has forked")
	// ErrSelf: an entry of this process's own origin that it did not write.
	ErrSelf = errors.New("the entry claims to be of this process, which did not write it")
)

// Errors of a store.
var (
	// ErrClosed reports a store that is closed.
	ErrClosed = errors.New("the store is closed")
	// ErrSchemaChanged reports a *catalog.Table that is not the table's present form: the statement must be compiled
	// again.
	ErrSchemaChanged = errors.New("the table has changed since the statement was compiled")
)

// UniqueError reports a row that holds a unique key already.
type UniqueError struct {
	Index *catalog.Index
	RowID int64 // of the row that holds the key
}

func (e *UniqueError) Error() string {
	return fmt.Sprintf("duplicate key value violates unique constraint %q", e.Index.Name)
}

// Unwrap gives the error that a client sees if nobody says it better.
func (e *UniqueError) Unwrap() error {
	return pgerror.New(pgerror.UniqueViolation, "duplicate key value violates unique constraint %q", e.Index.Name).
		WithConstraint(e.Index.Name)
}

// isUnique says whether err is SQLite's for a key that is taken.
func isUnique(err error) (*sqlite.Error, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil, false
	}
	switch e.Extended {
	case sqlite.ConstraintUnique, sqlite.ConstraintPrimaryKey, sqlite.ConstraintRowID:
		return e, true
	}
	return nil, false
}

// isFsync says whether err means that what is on disk is unknown.
func isFsync(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Extended == sqlite.IOErrFsync || e.Extended == ioErrDirFsync)
}

const ioErrDirFsync = sqlite.CodeIOErr | 5<<8

func entryError(err error, e *crdt.Entry) error {
	return fmt.Errorf("entry %d of node %016x, epoch %x.%x: %w", e.Seq, uint64(e.Origin.Node),
		uint64(e.Origin.Epoch.First), e.Origin.Epoch.Random, err)
}

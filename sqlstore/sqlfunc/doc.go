// Package sqlfunc holds the SQL functions that are written in Go: those that catalog's tables name and that need
// PostgreSQL's parsers and printers more than speed. Register makes them known to package sqlite; what they need of
// the session they ask of the interfaces in session.go, which the server implements. The functions keep no state and
// start no goroutine.
package sqlfunc

import (
	"fmt"
	"sync"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/sqlstore/sqlite"
)

// call is a function's body.
type call func(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error)

// def is a function: its SQL name, its number of arguments (-1: any), and whether equal arguments give equal results.
type def struct {
	name          string
	nargs         int
	deterministic bool
	call          call
}

// pure is a deterministic function.
func pure(name string, nargs int, c call) def { return def{name, nargs, true, c} }

// strict is a deterministic function that gives NULL for any NULL argument.
func strict(name string, nargs int, c call) def { return def{name, nargs, true, nullIn(c)} }

// strictUpTo is strict, for every number of arguments from least to most.
func strictUpTo(name string, least, most int, c call) []def {
	var out []def
	for n := least; n <= most; n++ {
		out = append(out, strict(name, n, c))
	}
	return out
}

// volatile is a function whose result is not decided by its arguments.
func volatile(name string, nargs int, c call) def { return def{name, nargs, false, c} }

// nullIn wraps c to give NULL for any NULL argument.
func nullIn(c call) call {
	return func(ctx *sqlite.Context, args []catalog.Value) (catalog.Value, error) {
		for _, a := range args {
			if a.IsNull() {
				return catalog.Value{}, nil
			}
		}
		return c(ctx, args)
	}
}

// tables returns every table of functions.
func tables() [][]def {
	return [][]def{codecFuncs, sessionFuncs, textFuncs, bytesFuncs, regexpFuncs, datetimeFuncs, momentFuncs, intervalFuncs, extractFuncs, truncFuncs,
		numberFuncs, seriesFuncs, toCharFuncs, recordFuncs, regFuncs, jsonFuncs, jsonAccessFuncs, jsonbFuncs}
}

// Register makes the functions known to package sqlite, for connections opened afterwards. A second call does nothing.
func Register() { register() }

var register = sync.OnceFunc(func() {
	for _, t := range tables() {
		for _, d := range t {
			sqlite.RegisterFunc(d.name, d.nargs, d.deterministic, d.call)
		}
	}
})

// Names returns the names of the functions.
func Names() []string {
	var out []string
	for _, t := range tables() {
		for _, d := range t {
			out = append(out, d.name)
		}
	}
	return out
}

var null catalog.Value

// badArgs is what a function answers that was emitted with arguments of the wrong storage class: a fault of ours.
func badArgs(name string, err error) error {
	return fmt.Errorf("sqlfunc: %s: %w", name, err)
}

func errf(code, format string, args ...any) error { return pgerror.New(code, format, args...) }

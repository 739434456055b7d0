package sqlite

/*
#include <stdlib.h>
#include "lc.h"
*/
import "C"

import (
	"bytes"
	"fmt"
	"runtime/cgo"
	"sync"
	"unsafe"

	"layercake/catalog"
	"layercake/pgerror"
)

// Func is a SQL function written in Go. The arguments are valid during the call only; the result is copied.
type Func func(ctx *Context, args []catalog.Value) (catalog.Value, error)

// Context tells a Go function where it runs.
type Context struct{ conn *Conn }

// Session returns the Session of the connection that runs the statement.
func (c *Context) Session() any { return c.conn.Session }

// Conn returns the connection that runs the statement. The function may run further statements on it that read.
func (c *Context) Conn() *Conn { return c.conn }

type goFunc struct {
	name          string
	nargs         int
	deterministic bool
	fn            Func
}

var (
	funcsMu sync.RWMutex
	funcs   []goFunc // by id; only grows
)

// RegisterFunc makes fn callable as name on every connection opened afterwards. nargs -1: any number. A deterministic
// function may be used in an index. It is meant for init functions: a name and nargs pair registered a second time
// replaces the first.
func RegisterFunc(name string, nargs int, deterministic bool, fn func(*Context, []catalog.Value) (catalog.Value, error)) {
	funcsMu.Lock()
	defer funcsMu.Unlock()
	funcs = append(funcs, goFunc{name, nargs, deterministic, fn})
}

func (c *Conn) registerGo() error {
	funcsMu.RLock()
	defer funcsMu.RUnlock()
	for id, f := range funcs {
		flags := C.int(C.SQLITE_DIRECTONLY)
		if f.deterministic {
			flags = C.SQLITE_DETERMINISTIC | C.SQLITE_INNOCUOUS
		}
		name := C.CString(f.name)
		rc := C.lc_register_go(c.c, name, C.int(f.nargs), flags, C.int(id))
		C.free(unsafe.Pointer(name))
		if rc != C.SQLITE_OK {
			return fmt.Errorf("sqlite: register function %s: result code %d", f.name, int(rc))
		}
	}
	return nil
}

// foldUpper and foldLower are what the C functions lc_upper, lc_lower and lc_ilike do with text that is not ASCII.
var (
	foldUpper = goFunc{name: "upper", fn: func(_ *Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.TextBytes(bytes.ToUpper(args[0].Bytes)), nil
	}}
	foldLower = goFunc{name: "lower", fn: func(_ *Context, args []catalog.Value) (catalog.Value, error) {
		return catalog.TextBytes(bytes.ToLower(args[0].Bytes)), nil
	}}
)

func functionByID(id int) goFunc {
	switch id {
	case C.LC_GO_UPPER:
		return foldUpper
	case C.LC_GO_LOWER:
		return foldLower
	}
	funcsMu.RLock()
	defer funcsMu.RUnlock()
	return funcs[id]
}

//export lcGoCall
func lcGoCall(call *C.lc_gocall) {
	conn := cgo.Handle(call.conn).Value().(*Conn)
	defer func() {
		if p := recover(); p != nil {
			conn.goErr = fmt.Errorf("sqlite: function panicked: %v", p)
			call.failed = 1
		}
	}()
	f := functionByID(int(call.id))

	var few [8]catalog.Value
	args := few[:0]
	if int(call.nargs) <= len(few) {
		args = few[:call.nargs]
	} else {
		args = make([]catalog.Value, call.nargs)
	}
	if _, err := catalog.DecodeRow(args, unsafe.Slice((*byte)(unsafe.Pointer(call.args)), int(call.len))); err != nil {
		conn.goErr, call.failed = err, 1
		return
	}
	v, err := f.fn(&Context{conn}, args)
	if err == nil && v.Kind > catalog.Blob {
		err = pgerror.New(pgerror.InternalError, "function %s returned a value of unknown kind", f.name)
	}
	if call.lenient != 0 && pgerror.OfStatement(err) {
		v, err = catalog.Value{}, nil
	}
	if err != nil {
		conn.goErr, call.failed = err, 1
		return
	}
	out := unsafe.Slice((*byte)(unsafe.Pointer(call.out)), int(call.outcap))
	enc := catalog.AppendValue(out[:0], v)
	call.outlen = C.int64_t(len(enc))
	if len(enc) > len(out) {
		call.out = (*C.uint8_t)(C.CBytes(enc)) // C frees it
	}
}

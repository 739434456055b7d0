package pgwire

import (
	"encoding/binary"
	"io"

	"layercake/catalog"
	"layercake/pgerror"
)

// resultWriter is the ResultWriter of a connection. It is valid between start and stop: a session that keeps it and
// writes later gets an error instead of garbling the stream.
type resultWriter struct {
	c        *conn
	live     bool
	extended bool // within Execute
	cols     []Column
	output   *catalog.OutputSettings
	copying  bool  // between CopyOut and its Close
	broken   error // what the client sent has left the protocol: the connection ends after the statement
}

var errNotLive = pgerror.New(pgerror.InternalError, "a result was written outside its statement")

func (w *resultWriter) start(cols []Column, extended bool) {
	*w = resultWriter{c: w.c, live: true, extended: extended, cols: cols}
	if cols != nil {
		w.output = w.c.sess.Output()
	}
}

func (w *resultWriter) stop() {
	w.live, w.cols = false, nil
}

// Columns begins a result set of a simple query.
func (w *resultWriter) Columns(cols []Column) error {
	if !w.live {
		return errNotLive
	}
	if w.extended {
		return pgerror.New(pgerror.InternalError, "columns given within Execute")
	}
	if cols == nil {
		cols = []Column{}
	}
	w.cols, w.output = cols, w.c.sess.Output()
	w.c.sendRowDescription(cols)
	return w.c.flushFull()
}

// Row writes a DataRow.
func (w *resultWriter) Row(values []catalog.Value) error {
	if !w.live {
		return errNotLive
	}
	if err := w.c.sendRow(w.cols, values, w.output); err != nil {
		return err
	}
	return w.c.flushFull()
}

// Complete ends a statement.
func (w *resultWriter) Complete(tag string) error {
	if !w.live {
		return errNotLive
	}
	b, start := beginMessage(w.c.out, 'C')
	w.c.out = finishMessage(appendCString(b, tag), start)
	if !w.extended {
		w.cols = nil
	}
	return w.c.flushFull()
}

// Suspended ends an Execute that reached its row limit.
func (w *resultWriter) Suspended() error {
	if !w.live {
		return errNotLive
	}
	w.c.emptyMessage('s')
	return w.c.flushFull()
}

// Empty answers an empty query string.
func (w *resultWriter) Empty() error {
	if !w.live {
		return errNotLive
	}
	w.c.emptyMessage('I')
	return w.c.flushFull()
}

// Notice sends a NoticeResponse, at once: it may be about a statement that takes long.
func (w *resultWriter) Notice(n *pgerror.Error) error {
	if !w.live {
		return errNotLive
	}
	w.c.sendNotice(n)
	return w.c.flush()
}

// SyncFollows says whether Sync has already been received behind the Execute at hand.
func (w *resultWriter) SyncFollows() bool {
	return w.live && w.extended && w.c.in.left == 0 && w.c.in.syncFollows()
}

// sendCopyResponse appends CopyInResponse or CopyOutResponse.
func (c *conn) sendCopyResponse(typ byte, bin bool, columns int) {
	var format byte
	if bin {
		format = 1
	}
	b, start := beginMessage(c.out, typ)
	b = append(b, format)
	b = binary.BigEndian.AppendUint16(b, uint16(columns))
	for range columns {
		b = append(b, 0, format)
	}
	c.out = finishMessage(b, start)
}

// CopyIn starts COPY FROM STDIN.
func (w *resultWriter) CopyIn(bin bool, columns int) (io.Reader, error) {
	if !w.live {
		return nil, errNotLive
	}
	w.c.sendCopyResponse('G', bin, columns)
	if err := w.c.flush(); err != nil {
		return nil, err
	}
	return &copyReader{w: w}, nil
}

// CopyOut starts COPY TO STDOUT.
func (w *resultWriter) CopyOut(bin bool, columns int) (io.WriteCloser, error) {
	if !w.live {
		return nil, errNotLive
	}
	w.c.sendCopyResponse('H', bin, columns)
	w.copying = true
	return &copyWriter{w: w}, w.c.flushFull()
}

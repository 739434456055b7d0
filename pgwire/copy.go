package pgwire

import (
	"errors"
	"io"

	"layercake/pgerror"
)

// copyReader is the data of COPY FROM STDIN as a stream. A CopyData message is handed out as it arrives, whatever its
// length, straight from the connection's buffer.
type copyReader struct {
	w   *resultWriter
	err error // how the stream ended
}

// Read returns the next bytes of the data.
func (r *copyReader) Read(p []byte) (int, error) {
	if !r.w.live {
		return 0, errNotLive
	}
	if r.err != nil {
		return 0, r.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	c := r.w.c
	for c.in.left == 0 {
		if err := r.message(); err != nil {
			r.err = err
			return 0, err
		}
	}
	c.mode = modeCopy
	defer func() { c.mode = modeBatch }()
	if c.in.buffered() == 0 {
		c.in.r, c.in.w = 0, 0
		if err := c.ensure(1); err != nil {
			r.err = r.ended(err)
			return 0, r.err
		}
	}
	n := copy(p, c.in.buf[c.in.r:c.in.r+min(c.in.left, c.in.buffered())])
	c.in.r += n
	c.in.left -= n
	return n, nil
}

// message reads the next message's header: CopyData leaves its body to be read, all else is dealt with here.
func (r *copyReader) message() error {
	c := r.w.c
	c.mode = modeCopy
	defer func() { c.mode = modeBatch }()
	typ, n, err := c.header()
	if err != nil {
		return r.ended(err)
	}
	if typ == 'd' {
		c.in.left = n
		return nil
	}
	body, err := c.body(n)
	if err != nil {
		return r.ended(err)
	}
	switch typ {
	case 'c':
		return io.EOF
	case 'f':
		f := fields{b: body}
		reason := f.cstring()
		if err := f.end(); err != nil {
			return err
		}
		return pgerror.New(pgerror.QueryCanceled, "COPY from stdin failed: %s", reason)
	case 'H', 'S':
		return nil // a client library may send them without knowing that its command was a COPY
	case 'X':
		return r.ended(errGone)
	}
	err = pgerror.Fatal(pgerror.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ)
	r.w.broken = err
	return pgerror.New(pgerror.ProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", typ)
}

// ended makes of the end of the connection what the session should see, and lets nothing more be answered.
func (r *copyReader) ended(err error) error {
	switch {
	case errors.Is(err, errGone):
		r.w.broken = err
		return io.ErrUnexpectedEOF
	case errors.Is(err, errShutdown):
		return pgerror.New(pgerror.QueryCanceled, "canceling statement due to administrator command")
	}
	var e *pgerror.Error
	if errors.As(err, &e) && e.IsFatal() { // an oversized or unknown message: where the next one begins is not known
		r.w.broken = err
		return pgerror.New(e.Code, "%s", e.Message)
	}
	return err
}

// copyWriter makes CopyData messages of what is written to it.
type copyWriter struct {
	w *resultWriter
}

// Write sends p as one message.
func (w *copyWriter) Write(p []byte) (int, error) {
	if !w.w.live || !w.w.copying {
		return 0, errNotLive
	}
	c := w.w.c
	b, start := beginMessage(c.out, 'd')
	c.out = finishMessage(append(b, p...), start)
	if err := c.flushFull(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close ends the data with CopyDone. A statement that fails does not call it.
func (w *copyWriter) Close() error {
	if !w.w.live || !w.w.copying {
		return errNotLive
	}
	w.w.copying = false
	w.w.c.emptyMessage('c')
	return w.w.c.flushFull()
}

package pgwire

import (
	"errors"

	"layercake/pgerror"
)

// loop takes messages until the connection ends, and returns why it did.
func (c *conn) loop() error {
	c.mode = modeIdle
	for {
		typ, body, err := c.next()
		if err != nil {
			return err
		}
		c.mode = modeBatch
		if c.failed && typ != 'S' && typ != 'X' {
			continue // after an error all is skipped up to Sync
		}
		if err := c.message(typ, body); err != nil {
			return err
		}
	}
}

// message handles one message. An error ends the connection; one that the client is to see was sent already.
func (c *conn) message(typ byte, body []byte) error {
	switch typ {
	case 'Q':
		return c.query(body)
	case 'P':
		return c.extended(c.parse(body))
	case 'B':
		return c.extended(c.bindPortal(body))
	case 'D':
		return c.extended(c.describe(body))
	case 'E':
		return c.extended(c.execute(body))
	case 'C':
		return c.extended(c.close(body))
	case 'H':
		return c.flush()
	case 'S':
		return c.sync(body)
	case 'X':
		return errTerminate
	case 'F':
		// Like a simple query, a function call is over with its ReadyForQuery.
		return c.simpleDone(c.refuse(pgerror.New(pgerror.FeatureNotSupported, "the FunctionCall message is not supported")))
	case 'd', 'c', 'f':
		// What a client still sends after its COPY has failed, or after the end-of-data marker.
		return nil
	}
	return pgerror.Fatal(pgerror.ProtocolViolation, "unexpected message type 0x%02X", typ) // 'p' after login
}

// query runs a Query message.
func (c *conn) query(body []byte) error {
	f := fields{b: body}
	text := f.cstring()
	err := f.end()
	if err == nil {
		err = checkUTF8(text)
	}
	if err != nil {
		return c.simpleDone(c.refuse(err))
	}
	ctx := c.begin()
	c.w.start(nil, false)
	err = c.sess.SimpleQuery(ctx, string(text), &c.w)
	c.w.stop()
	return c.simpleDone(c.done(err))
}

// refuse lets the session's transaction fail for an error that pgwire found itself, as PostgreSQL's does.
func (c *conn) refuse(err error) error {
	serr := c.done(c.sess.Sync(c.begin(), true))
	if errors.Is(serr, errShutdown) || errors.Is(serr, errGone) {
		return serr
	}
	return err
}

// simpleDone answers the end of a simple query.
func (c *conn) simpleDone(err error) error {
	if err := c.report(err); err != nil {
		return err
	}
	// A simple query is a Sync of its own: it ends what a batch without one has left.
	c.failed = false
	return c.readyNext()
}

// readyNext sends ReadyForQuery and waits for what comes.
func (c *conn) readyNext() error {
	if err := c.ready(); err != nil {
		return err
	}
	c.mode = modeIdle
	return nil
}

// report sends err, if it is one, to the client; what it returns ends the connection.
func (c *conn) report(err error) error {
	switch {
	case c.w.broken != nil:
		return c.w.broken
	case err == nil:
		return c.writeError()
	case errors.Is(err, errGone), errors.Is(err, errShutdown), c.writeErr != nil:
		return err
	}
	e := c.visible(err)
	if e.IsFatal() {
		return e // sent by end
	}
	c.sendError(e)
	return nil
}

// extended takes the outcome of an extended-protocol message.
func (c *conn) extended(err error) error {
	if err != nil {
		c.failed = true
		if err := c.report(err); err != nil {
			return err
		}
		// The client may be waiting for it before it sends Sync, which it is free to do late.
		return c.flush()
	}
	return c.flushFull()
}

// sync ends a batch of the extended protocol.
func (c *conn) sync(body []byte) error {
	if len(body) != 0 && !c.failed {
		c.failed = true
		c.sendError(pgerror.New(pgerror.ProtocolViolation, "invalid message format"))
	}
	failed := c.failed
	c.failed = false
	if err := c.report(c.done(c.sess.Sync(c.begin(), failed))); err != nil {
		return err
	}
	return c.readyNext()
}

package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"layercake/pgerror"
)

// Reasons for a connection's end, as returned by the functions that read, and causes of a statement's cancellation.
var (
	errGone         = errors.New("client has gone")
	errTerminate    = errors.New("client said goodbye")
	errShutdown     = errors.New("server is shutting down")
	errLoginTimeout = errors.New("login took too long")
	errCancelled    = errors.New("cancelled by a CancelRequest")
)

const (
	lingerTime  = 500 * time.Millisecond // for a client to read the error that ended its connection
	lingerBytes = 1 << 20
	cutGrace    = time.Second // for the last bytes to a client when the connection is cut
)

// readMode says what a connection waits for while it reads, and so what may interrupt it.
type readMode uint8

const (
	modeLogin readMode = iota // before the session is open: interrupted by shutdown and the time limit
	modeIdle                  // after ReadyForQuery: interrupted by pending messages and shutdown
	modeBatch                 // within a message or a batch of the extended protocol: interrupted by shutdown
	modeCopy                  // COPY FROM STDIN's data: interrupted by all that cancels a statement
)

// conn is one client connection. Its fields belong to its goroutine, save those that mu protects.
type conn struct {
	srv  *Server
	base context.Context // Serve's
	log  *slog.Logger
	raw  net.Conn
	cert *tls.Certificate // what this server showed in the TLS handshake

	proto    uint32 // agreed protocol version, protocol30 to protocol32
	pid      uint32 // written under the server's mutex, with key
	key      []byte
	user     string
	database string
	tls      bool
	sess     Session

	in   inbox
	mode readMode
	spin spinner

	out      []byte // messages to send
	writeErr error  // the first error of a write; nothing is written after it

	failed bool // an extended-protocol message failed: skip to Sync
	bind   bindMessage
	w      resultWriter
	described
	names [2]string // the last names of a statement and a portal, to save making them again

	mu           sync.Mutex // protects the following fields
	nc           net.Conn   // raw, or TLS over it
	ctx          context.Context
	cancel       context.CancelCauseFunc
	login        bool   // until the session is open
	running      bool   // a Session call is under way
	calls        uint64 // counts them, for the watcher
	seen         uint64 // calls at the watcher's last look
	reading      bool   // blocked in a read
	readingAs    readMode
	woken        bool           // the read's deadline was moved to the past, to wake it
	draining     bool           // end as soon as no statement is under way
	cut          bool           // end now
	why          *pgerror.Error // what the client is told then; nil: 57P01
	pending      []any          // messages from Notify
	pendingBytes int
}

func newConn(s *Server, ctx context.Context, nc net.Conn) *conn {
	c := &conn{srv: s, base: ctx, raw: nc, nc: nc, login: true}
	c.log = s.cfg.Logger.With("conn", nc.RemoteAddr().String())
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.in.max = s.cfg.MaxLoginMessage
	c.w.c = c
	return c
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer func() { c.cancel(nil) }() // the last of several
	defer c.raw.Close()
	linger := c.end(c.guarded(c.run))
	if c.sess != nil {
		// The client sees the end of the connection only after its transaction is rolled back.
		c.guarded(func() error { c.sess.Close(); return nil })
	}
	if linger {
		c.linger()
	}
}

// guarded calls f and makes a panic of it an error, so that it ends this connection alone.
func (c *conn) guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("panic", "err", p, "stack", string(debug.Stack()))
			err = pgerror.Fatal(pgerror.InternalError, "internal error; the server's log has the details")
		}
	}()
	return f()
}

// end tells the client why its connection ends, if there is something to tell and somebody to tell it to. It says whether
// the client needs time to hear it.
func (c *conn) end(err error) (linger bool) {
	linger = true
	switch {
	case err == nil, errors.Is(err, errTerminate), errors.Is(err, errGone):
		c.log.Debug("connection closed", "err", err)
		return false
	case errors.Is(err, errShutdown):
		c.mu.Lock()
		why := c.why
		c.mu.Unlock()
		if why == nil {
			why = pgerror.Fatal(pgerror.AdminShutdown, "terminating connection due to administrator command")
		}
		err = why
		linger = false
	case errors.Is(err, errLoginTimeout):
		err = pgerror.Fatal(pgerror.QueryCanceled, "canceling authentication due to timeout")
	}
	e := c.visible(err)
	if !e.IsFatal() {
		fatal := *e
		fatal.Severity = "FATAL"
		e = &fatal
	}
	c.log.Info("connection ended", "err", e)
	c.mu.Lock()
	c.nc.SetWriteDeadline(time.Now().Add(cutGrace))
	c.mu.Unlock()
	c.sendError(e)
	return c.flush() == nil && linger
}

// linger reads what the client has sent meanwhile: closing a socket with unread input makes TCP reset it, which could
// lose the error on its way.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		c.nc.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c.nc, lingerBytes)
	}
}

// visible returns err as the client may see it, and logs what it must not see.
func (c *conn) visible(err error) *pgerror.Error {
	var e *pgerror.Error
	if !errors.As(err, &e) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		c.log.Error("unexpected error", "err", err)
	}
	return pgerror.From(err)
}

// run is the connection's life: start-up, login, session, messages.
func (c *conn) run() error {
	ctx, stop := context.WithTimeout(c.ctx, c.srv.cfg.LoginTimeout)
	defer stop()
	c.raw.SetDeadline(time.Now().Add(c.srv.cfg.LoginTimeout))
	startup, err := c.startup(ctx)
	if err != nil || startup == nil {
		return err
	}
	if err := c.authenticate(ctx); err != nil {
		return err
	}
	if err := c.open(ctx, startup); err != nil {
		return err
	}
	stop()
	return c.loop()
}

// open makes the session and greets the client.
func (c *conn) open(ctx context.Context, startup map[string]string) error {
	info := ConnInfo{User: c.user, Database: c.database, RemoteAddr: c.raw.RemoteAddr().String(), TLS: c.tls, PID: c.pid, Notify: c.notify}
	sess, err := c.srv.cfg.Backend.Open(ctx, info, startup)
	if err != nil {
		return c.loginError(err)
	}
	c.sess = sess
	c.in.max = c.srv.cfg.MaxMessage
	c.spin.init(c.nc)

	c.mu.Lock()
	c.login = false
	if c.woken = false; !c.cut {
		c.nc.SetDeadline(time.Time{})
	}
	c.mu.Unlock()

	for _, p := range sess.Parameters() {
		c.sendParameterStatus(p)
	}
	c.sendBackendKeyData()
	return c.ready()
}

// loginError makes of an error during login what the client should hear: shutdown and the time limit cancel the
// context, and whatever was under way says only that.
func (c *conn) loginError(err error) error {
	c.mu.Lock()
	draining := c.draining
	c.mu.Unlock()
	switch {
	case draining:
		return errShutdown
	case errors.Is(err, context.DeadlineExceeded):
		return errLoginTimeout
	}
	return err
}

// begin marks the start of a Session call and returns its context. A context is used for many calls until something
// cancels it: making one a call costs more than a constant answer.
func (c *conn) begin() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil && !c.cut {
		c.ctx, c.cancel = context.WithCancelCause(c.base)
	}
	c.running = true
	c.calls++
	return c.ctx
}

// done marks the end of a Session call and returns the error to show for err: a statement that ended because the
// connection must end says so.
func (c *conn) done(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	if err == nil {
		return nil
	}
	if c.cut || c.base.Err() != nil {
		return errShutdown
	}
	if c.ctx.Err() != nil && errors.Is(context.Cause(c.ctx), errGone) {
		return errGone
	}
	return err
}

// interrupt cancels the running statement, if there is one.
func (c *conn) interrupt(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.cancel(cause)
		c.wake()
	}
}

// drain tells the connection to end: as soon as no statement is under way, or now if cut is set.
func (c *conn) drain(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if cut && !c.cut {
		c.cut = true
		c.nc.SetWriteDeadline(time.Now().Add(cutGrace)) // a client that does not read holds nobody up
	}
	if cut || c.login {
		c.cancel(errShutdown)
	}
	c.wake()
}

// wake makes a blocked read return. The caller holds mu.
func (c *conn) wake() {
	if c.reading && !c.woken {
		c.woken = true
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// beforeRead does what is due before the connection blocks in a read, or returns why it should not.
func (c *conn) beforeRead() error {
	idle := c.mode == modeIdle && c.sess.TxStatus() == 'I'
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.cut:
		return errShutdown
	case c.mode == modeCopy:
		if c.ctx.Err() != nil {
			return pgerror.New(pgerror.QueryCanceled, "canceling statement due to user request")
		}
	case c.draining:
		return errShutdown
	}
	for c.mode == modeIdle && c.deliverable(idle) {
		c.takePending(idle)
		c.mu.Unlock()
		err := c.flush()
		c.mu.Lock()
		if err != nil {
			return err
		}
		if c.draining {
			return errShutdown
		}
	}
	c.reading, c.readingAs = true, c.mode
	return nil
}

// afterRead takes back what wake did.
func (c *conn) afterRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if c.woken {
		c.woken = false
		c.nc.SetReadDeadline(time.Time{})
	}
}

// read is one read from the client. It blocks, may be woken, and returns at least one byte or an error.
func (c *conn) read(p []byte) (int, error) {
	for {
		if err := c.beforeRead(); err != nil {
			return 0, err
		}
		n, err := 0, error(nil)
		if c.mode == modeIdle {
			n = c.spin.read(p)
		}
		if n == 0 {
			n, err = c.nc.Read(p)
		}
		c.afterRead()
		if n > 0 {
			if c.mode == modeIdle {
				c.spin.turn(c.srv.lastUsed.Swap(c.pid) == c.pid)
			}
			return n, nil
		}
		var ne net.Error
		switch {
		case err == nil:
		case errors.As(err, &ne) && ne.Timeout():
			if c.mode == modeLogin {
				return 0, c.loginError(context.DeadlineExceeded)
			}
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed):
			return 0, errGone
		default:
			c.log.Debug("read failed", "err", err)
			return 0, errGone
		}
	}
}

package pgwire

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"layercake/pgerror"
)

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("pgwire: server closed")

// Defaults of Config.
const (
	DefaultMaxConnections  = 1000
	DefaultLoginTimeout    = time.Minute
	DefaultMaxLoginMessage = 10_000
	DefaultMaxMessage      = 1<<30 - 1
	DefaultMaxPending      = 16 << 20
)

// Config says how a Server behaves. Only Backend is required.
type Config struct {
	// Backend makes the sessions.
	Backend Backend

	// TLS, when set, is offered to clients that ask for it (SSLRequest); its certificates also bind SCRAM-SHA-256-PLUS.
	// Session tickets are always off, as in PostgreSQL.
	TLS *tls.Config
	// RequireTLS refuses clients that do not ask for TLS.
	RequireTLS bool
	// Insecure trusts every client to be the user that it names.
	Insecure bool

	// MaxConnections bounds the sessions, those still logging in counted; a client beyond it is told 53300. CancelRequests
	// do not count. Default: DefaultMaxConnections.
	MaxConnections int
	// LoginTimeout bounds the time from accept to the end of authentication. Default: DefaultLoginTimeout.
	LoginTimeout time.Duration
	// MaxLoginMessage and MaxMessage bound a message's length in bytes before and after login. A longer one ends the
	// connection (08P01). Memory is taken as bytes arrive, not as lengths claim. Defaults: PostgreSQL's limits.
	MaxLoginMessage, MaxMessage int
	// MaxPending bounds the bytes of notices and notifications that wait for a client to take them; a client that
	// leaves more unread loses its connection. Default: DefaultMaxPending.
	MaxPending int

	// Logger takes what an operator wants to know. Default: discards all. Parameters and passwords are never logged.
	Logger *slog.Logger
	// Random is the source of cancel keys, nonces and salts. Default: crypto/rand.
	Random io.Reader
}

func (c *Config) validate() error {
	if c.Backend == nil {
		return errors.New("pgwire: Config.Backend is nil")
	}
	if c.RequireTLS && c.TLS == nil {
		return errors.New("pgwire: Config.RequireTLS without Config.TLS")
	}
	if c.MaxConnections <= 0 {
		c.MaxConnections = DefaultMaxConnections
	}
	if c.LoginTimeout <= 0 {
		c.LoginTimeout = DefaultLoginTimeout
	}
	if c.MaxLoginMessage <= 0 {
		c.MaxLoginMessage = DefaultMaxLoginMessage
	}
	if c.MaxMessage <= 0 || c.MaxMessage > DefaultMaxMessage {
		c.MaxMessage = DefaultMaxMessage
	}
	if c.MaxPending <= 0 {
		c.MaxPending = DefaultMaxPending
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return nil
}

// loginReserve is how many connections beyond MaxConnections may be open before their start-up packet has said whether
// they are sessions or cancel requests.
const loginReserve = 128

// refuseTime bounds what the accept loop spends on telling a client why it is not served.
const refuseTime = 100 * time.Millisecond

// Server serves PostgreSQL clients on any number of listeners.
type Server struct {
	cfg  Config
	mock mockSecret // makes verifiers for users that do not exist

	wg sync.WaitGroup // connections and the watcher

	lastUsed atomic.Uint32 // PID of the session that got a message last

	mu        sync.Mutex // protects the following fields
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{} // every accepted connection
	sessions  map[uint32]*conn   // those past their start-up packet, by PID
	lastPID   uint32
	draining  bool          // Shutdown or Close was called
	cut       bool          // nothing waits for a statement's end any more
	changed   chan struct{} // closed and replaced when a connection ends
	stopWatch chan struct{} // closed by Close; nil until the watcher runs
}

// New returns a Server that is not yet serving.
func New(cfg Config) (*Server, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:       cfg,
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
		sessions:  map[uint32]*conn{},
		changed:   make(chan struct{}),
	}
	if err := s.mock.init(cfg.Random); err != nil {
		return nil, err
	}
	return s, nil
}

// Serve accepts connections from l until Shutdown, Close, the end of ctx or an error of l, and closes l. Statements run
// under contexts derived from ctx; when it ends, every connection is cut. It returns ErrServerClosed after Shutdown or
// Close, ctx's error after the end of ctx.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	if s.stopWatch == nil {
		s.stopWatch = make(chan struct{})
		s.wg.Add(1)
		go s.watch(s.stopWatch)
	}
	s.mu.Unlock()

	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	defer func() {
		l.Close()
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()

	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.mu.Lock()
			draining := s.draining
			s.mu.Unlock()
			if draining {
				return ErrServerClosed
			}
			// Out of file descriptors and the like pass: wait a little, as net/http does, instead of ending the node.
			var ne net.Error
			if errors.As(err, &ne) && ne.Temporary() { //nolint:staticcheck // the only test there is
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				s.cfg.Logger.Warn("accept failed", "err", err, "retry", pause)
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
				continue
			}
			return err
		}
		pause = 0
		s.start(ctx, nc)
	}
}

// start gives nc a goroutine, or closes it when the server is at its end or full.
func (s *Server) start(ctx context.Context, nc net.Conn) {
	c := newConn(s, ctx, nc)
	s.mu.Lock()
	full := len(s.conns) >= s.cfg.MaxConnections+loginReserve
	if s.draining || full {
		why := tooMany()
		if s.draining {
			why = shuttingDown()
		}
		s.mu.Unlock()
		c.cancel(nil)
		c.log.Warn("connection refused", "err", why)
		nc.SetWriteDeadline(time.Now().Add(refuseTime))
		c.sendError(why)
		c.flush()
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		defer s.forget(c)
		c.serve()
	}()
}

func tooMany() *pgerror.Error {
	return pgerror.Fatal(pgerror.TooManyConnections, "sorry, too many clients already")
}

func shuttingDown() *pgerror.Error {
	return pgerror.Fatal(pgerror.CannotConnectNow, "the database system is shutting down")
}

// forget takes c off the books and wakes whoever waits for connections to end.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.pid != 0 {
		delete(s.sessions, c.pid)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// admit makes c a session: it gets a PID and a cancel key of n bytes, or 53300.
func (s *Server) admit(c *conn, n int) error {
	key := make([]byte, n)
	if _, err := io.ReadFull(s.cfg.Random, key); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining {
		return shuttingDown()
	}
	if len(s.sessions) >= s.cfg.MaxConnections {
		return tooMany()
	}
	for {
		s.lastPID = (s.lastPID + 1) & 0x7fffffff // pg_backend_pid() is an int4
		if _, taken := s.sessions[s.lastPID]; s.lastPID != 0 && !taken {
			break
		}
	}
	c.pid, c.key = s.lastPID, key
	s.sessions[c.pid] = c
	return nil
}

// Connections returns the number of open connections, those logging in counted.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown stops accepting and ends every session with 57P01: idle ones at once, those in the middle of a statement when
// it has ended. When ctx ends first, statements are cancelled and the rest is cut. It returns when no connection is left:
// nil, or ctx's error if something had to be cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.drain(false)
	for {
		s.mu.Lock()
		n, changed := len(s.conns), s.changed
		s.mu.Unlock()
		if n == 0 {
			return s.Close()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			s.Close()
			return ctx.Err()
		}
	}
}

// Close cuts every connection, statements in the middle, and returns when nothing of the server runs any more. A second
// Close is harmless.
func (s *Server) Close() error {
	s.drain(true)
	s.mu.Lock()
	if s.stopWatch != nil {
		select {
		case <-s.stopWatch:
		default:
			close(s.stopWatch)
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
	return nil
}

// drain closes the listeners and tells every connection to end: after its statement, or at once when cut is set.
func (s *Server) drain(cut bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	s.cut = s.cut || cut
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		c.drain(cut)
	}
}

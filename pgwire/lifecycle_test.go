package pgwire_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgerror"
	"layercake/pgwire"
)

// key logs in with a protocol version and returns the cancel key.
func (c *client) key(version uint32) (pid uint32, key []byte) {
	c.t.Helper()
	c.raw(packet(version, "user\x00joe\x00\x00"))
	for {
		m, err := c.Receive()
		if err != nil {
			c.t.Fatal(err)
		}
		switch m := m.(type) {
		case *pgproto3.BackendKeyData:
			pid, key = m.ProcessID, append([]byte(nil), m.SecretKey...)
		case *pgproto3.ReadyForQuery:
			return pid, key
		}
	}
}

// cancel sends a CancelRequest and waits until the server has closed the connection.
func cancel(t *testing.T, addr string, pid uint32, key []byte) {
	t.Helper()
	c := dial(t, addr)
	c.raw(packet(80877102, string(binary.BigEndian.AppendUint32(nil, pid))+string(key)))
	if b, _ := io.ReadAll(c.nc); len(b) != 0 {
		t.Errorf("a cancel request was answered %q", b)
	}
}

func TestCancelRequest(t *testing.T) {
	for name, version := range map[string]uint32{"3.0": v30, "3.2": v32} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			_, addr := serve(t, b, nil)
			c, other := dial(t, addr), dial(t, addr)
			pid, key := c.key(version)
			s := <-b.opened
			otherPID, _ := other.key(version)
			<-b.opened
			if pid == otherPID || s.info.PID != pid {
				t.Fatalf("PIDs %d, %d, session's %d", pid, otherPID, s.info.PID)
			}
			cancel(t, addr, pid, key) // nothing runs: nothing happens
			c.query("wait")
			<-s.entered
			wrong := append([]byte(nil), key...)
			wrong[0] ^= 1
			cancel(t, addr, pid, wrong)
			cancel(t, addr, otherPID, key)
			cancel(t, addr, pid, key[:len(key)-1])
			cancel(t, addr, pid, nil)
			cancel(t, addr, 0, key)
			select {
			case err := <-s.cancelled:
				t.Fatalf("cancelled by a wrong request: %v", err)
			default:
			}
			cancel(t, addr, pid, key)
			c.want("Error ERROR 57014", "ReadyForQuery I")
			// The session goes on, and can be cancelled again, in the extended protocol and in COPY.
			c.query("select 1")
			c.want("RowDescription", "DataRow 1", "CommandComplete SELECT 1", "ReadyForQuery I")
			c.send(parse("", "wait"), bind("", ""), execute("", 0), sync_)
			<-s.entered
			cancel(t, addr, pid, key)
			c.want("ParseComplete", "BindComplete", "Error ERROR 57014", "ReadyForQuery I")
			c.query("copyin")
			c.want("CopyInResponse")
			<-s.entered
			cancel(t, addr, pid, key)
			c.want("Error ERROR 57014", "ReadyForQuery I")
		})
	}
}

func TestSignal(t *testing.T) {
	b := newBackend()
	srv, addr := serve(t, b, nil)
	c, other := connect(t, addr), connect(t, addr)
	s, s2 := <-b.opened, <-b.opened
	if srv.Signal(4711, false) || srv.Signal(0, true) {
		t.Error("a session that does not exist was found")
	}
	c.query("wait")
	<-s.entered
	if !srv.Signal(s.info.PID, false) {
		t.Error("a session was not found")
	}
	c.want("Error ERROR 57014", "ReadyForQuery I")
	c.query("wait")
	<-s.entered
	srv.Signal(s.info.PID, true)
	c.want("Error FATAL 57P01", "EOF")
	srv.Signal(s2.info.PID, true) // idle
	other.want("Error FATAL 57P01", "EOF")
	<-s2.closed
}

// A client that vanishes while its statement runs is noticed, though nobody reads from it, even if it left bytes behind.
func TestClientVanishesMidStatement(t *testing.T) {
	for name, leave := range map[string]func(c *client){
		"close":               func(c *client) { c.nc.Close() },
		"reset":               func(c *client) { c.nc.(*net.TCPConn).SetLinger(0); c.nc.Close() },
		"after more messages": func(c *client) { c.raw(strings.Repeat(message('Q', "select 1\x00"), 1000)); c.nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			_, addr := serve(t, b, nil)
			c, other := connect(t, addr), connect(t, addr)
			s, s2 := <-b.opened, <-b.opened
			other.query("wait")
			<-s2.entered
			c.query("begin")
			c.until("ReadyForQuery")
			c.query("wait")
			<-s.entered
			leave(c)
			<-s.cancelled
			<-s.closed
			select {
			case <-s2.cancelled:
				t.Error("another session was cancelled too")
			default:
			}
		})
	}
}

func TestClientVanishesIdle(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened
	c.query("begin")
	c.until("ReadyForQuery T")
	c.raw("Q\x00\x00\x00\x20sel") // in the middle of a message
	c.nc.Close()
	<-s.closed
}

// A panic ends its connection only.
func TestPanic(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c, other := connect(t, addr), connect(t, addr)
	s := <-b.opened
	c.send(parse("", "panic"), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "Error FATAL XX000", "EOF")
	<-s.closed
	other.query("select 1")
	other.until("ReadyForQuery I")
}

func TestNotify(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened
	// Idle: at once.
	s.info.Notify(pgwire.Notification{PID: 7, Channel: "ch", Payload: "hello"})
	c.want("Notification ch hello")
	s.info.Notify(pgerror.Notice("look out"))
	c.want("Notice look out")
	s.info.Notify(pgwire.ParameterStatus{Name: "TimeZone", Value: "UTC"})
	c.want("ParameterStatus TimeZone=UTC")
	// In the middle of a batch: before ReadyForQuery.
	c.send(parse("", "select 1"), &pgproto3.Flush{})
	c.want("ParseComplete")
	s.info.Notify(pgwire.Notification{Channel: "ch", Payload: "2"})
	c.send(bind("", ""), execute("", 0), sync_)
	c.want("BindComplete", "DataRow 1", "CommandComplete SELECT 1", "Notification ch 2", "ReadyForQuery I")
	// In a transaction: after it; a notice is not held.
	c.query("begin")
	c.want("CommandComplete BEGIN", "ReadyForQuery T")
	s.info.Notify(pgwire.Notification{Channel: "ch", Payload: "3"})
	s.info.Notify(pgerror.Notice("now"))
	c.want("Notice now")
	c.query("commit")
	c.want("CommandComplete COMMIT", "Notification ch 3", "ReadyForQuery I")
	// The last value of a setting counts.
	c.query("begin")
	c.until("ReadyForQuery")
	c.query("set a; set b")
	c.want("CommandComplete SET", "CommandComplete SET", "ParameterStatus application_name=b", "ReadyForQuery T")
}

// A client that does not read loses its connection instead of the server its memory.
func TestNotifyUnread(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, func(cfg *pgwire.Config) { cfg.MaxPending = 1 << 20 })
	connect(t, addr)
	s := <-b.opened
	payload := strings.Repeat("x", 8000)
	for {
		s.info.Notify(pgwire.Notification{Channel: "ch", Payload: payload})
		select {
		case <-s.closed:
			return
		default:
		}
	}
}

func TestShutdown(t *testing.T) {
	b := newBackend()
	srv, addr := serve(t, b, nil)
	idle, busy, login := connect(t, addr), connect(t, addr), dial(t, addr)
	<-b.opened
	s := <-b.opened
	login.raw("\x00\x00")       // has begun to log in
	for srv.Connections() < 3 { // the kernel connects a client before the server accepts it
		time.Sleep(time.Millisecond)
	}
	busy.query("copyin")
	busy.want("CopyInResponse")
	<-s.entered

	done := make(chan error, 1)
	go func() { done <- srv.Shutdown(context.Background()) }()
	idle.want("Error FATAL 57P01", "EOF")
	login.want("Error FATAL 57P01", "EOF")
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("a new connection was accepted")
	}
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned %v before the statement had ended", err)
	default:
	}
	// The statement may finish.
	busy.send(data("ab"), &pgproto3.CopyDone{})
	busy.want("CommandComplete COPY 2", "ReadyForQuery I", "Error FATAL 57P01", "EOF")
	if err := <-done; err != nil {
		t.Errorf("Shutdown returned %v", err)
	}
}

// lateListener hands its connection over when the server has closed it.
type lateListener struct {
	net.Listener
	accepted, closed chan struct{}
	once             sync.Once
}

func (l *lateListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	l.accepted <- struct{}{}
	<-l.closed
	return nc, err
}

func (l *lateListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// A client whose connection the server takes up only after it began to stop hears why it is not served.
func TestShutdownRefuses(t *testing.T) {
	srv, _ := serve(t, newBackend(), nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	late := &lateListener{Listener: l, accepted: make(chan struct{}, 2), closed: make(chan struct{})}
	accepting := make(chan error, 1)
	go func() { accepting <- srv.Serve(context.Background(), late) }()
	c := dial(t, l.Addr().String())
	<-late.accepted
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	c.want("Error FATAL 57P03", "EOF")
	if err := <-accepting; err != pgwire.ErrServerClosed {
		t.Errorf("Serve returned %v, want ErrServerClosed", err)
	}
}

func TestShutdownCuts(t *testing.T) {
	b := newBackend()
	srv, addr := serve(t, b, nil)
	wait, copying, deaf := connect(t, addr), connect(t, addr), connect(t, addr)
	s1, s2, _ := <-b.opened, <-b.opened, <-b.opened
	wait.query("wait")
	<-s1.entered
	copying.query("copyin")
	<-s2.entered
	deaf.query("rows 1000000") // nobody reads what it sends
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer stop()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	wait.want("Error FATAL 57P01", "EOF")
	copying.want("CopyInResponse", "Error FATAL 57P01", "EOF")
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Errorf("a second Shutdown returned %v", err)
	}
}

func TestServeEndsWithContext(t *testing.T) {
	b := newBackend()
	srv, err := pgwire.New(pgwire.Config{Backend: b, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, l) }()
	c := connect(t, l.Addr().String())
	s := <-b.opened
	c.query("wait")
	<-s.entered
	stop()
	c.want("Error FATAL 57P01", "EOF")
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("Serve returned %v", err)
	}
	srv.Close()
	if err := srv.Serve(context.Background(), l); err != pgwire.ErrServerClosed {
		t.Errorf("Serve after Close returned %v", err)
	}
}

// A real driver cancels by the longer key of protocol 3.2, and by the old one.
func TestCancelPgx(t *testing.T) {
	for _, version := range []string{"3.0", "3.2"} {
		b := newBackend()
		_, addr := serve(t, b, nil)
		c := pgxConnect(t, connString(addr, "&max_protocol_version="+version)).PgConn()
		s := <-b.opened
		go func() {
			<-s.entered
			if err := c.CancelRequest(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		_, err := c.Exec(context.Background(), "wait").ReadAll()
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "57014" {
			t.Errorf("%s: got %v, want 57014", version, err)
		}
	}
}

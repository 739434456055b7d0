package pgwire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgwire"
)

// backend makes fake sessions.
type backend struct {
	verifiers map[string]string

	mu       sync.Mutex
	sessions []*session
	opened   chan *session
}

func newBackend() *backend {
	return &backend{verifiers: map[string]string{}, opened: make(chan *session, 10000)}
}

func (b *backend) Verifier(_ context.Context, user string) (string, bool, error) {
	v, ok := b.verifiers[user]
	return v, ok, nil
}

func (b *backend) Open(_ context.Context, info pgwire.ConnInfo, startup map[string]string) (pgwire.Session, error) {
	if startup["database"] == "nosuch" {
		return nil, pgerror.Fatal(pgerror.InvalidCatalogName, `database "nosuch" does not exist`)
	}
	s := &session{info: info, startup: startup, status: 'I', statements: map[string]*statement{}, portals: map[string]*portal{}, closed: make(chan struct{}), entered: make(chan string, 100), cancelled: make(chan error, 100)}
	b.mu.Lock()
	b.sessions = append(b.sessions, s)
	b.mu.Unlock()
	select {
	case b.opened <- s:
	default:
	}
	return s, nil
}

// session understands a few made-up statements, the same in both protocols:
//
//	select N…      a row of int4 values
//	rows N         N rows of (int4, text)
//	error CODE     fails
//	begin, commit  set the transaction status
//	wait           blocks until its context ends
//	panic, notice, copyin, copyout N, text (one text parameter back)
type session struct {
	info       pgwire.ConnInfo
	startup    map[string]string
	status     byte
	statements map[string]*statement
	portals    map[string]*portal
	syncs      []bool
	copied     []byte
	copyErr    error
	syncSeen   []bool
	closed     chan struct{}
	entered    chan string // statements that block
	cancelled  chan error  // causes of their end
	params     [][]byte
}

type statement struct {
	query string
	types []uint32
}

type portal struct {
	query   string
	formats []int16
	params  [][]byte
	next    int
}

func (s *session) Parameters() []pgwire.ParameterStatus {
	return []pgwire.ParameterStatus{{Name: "server_version", Value: "15.0"}, {Name: "client_encoding", Value: "UTF8"}, {Name: "standard_conforming_strings", Value: "on"}}
}

var (
	intColumn  = pgwire.Column{Name: "n", Type: catalog.Int4OID, Typmod: -1}
	textColumn = pgwire.Column{Name: "t", Type: catalog.TextOID, Typmod: -1}
)

func columns(query string) []pgwire.Column {
	word, rest, _ := strings.Cut(query, " ")
	switch word {
	case "select":
		cols := make([]pgwire.Column, len(strings.Fields(rest)))
		for i := range cols {
			cols[i] = intColumn
		}
		return cols
	case "rows":
		return []pgwire.Column{intColumn, textColumn}
	case "text":
		return []pgwire.Column{textColumn}
	}
	return nil
}

func (s *session) SimpleQuery(ctx context.Context, query string, w pgwire.ResultWriter) error {
	if strings.TrimSpace(query) == "" {
		return w.Empty()
	}
	for _, q := range strings.Split(strings.TrimSuffix(query, ";"), ";") {
		q = strings.TrimSpace(q)
		if cols := columns(q); cols != nil {
			if err := w.Columns(cols); err != nil {
				return err
			}
		}
		if err := s.run(ctx, &portal{query: q}, 0, w); err != nil {
			return s.fail(err)
		}
	}
	return nil
}

func (s *session) fail(err error) error {
	if s.status == 'T' {
		s.status = 'E'
	}
	return err
}

func (s *session) run(ctx context.Context, p *portal, maxRows int, w pgwire.ResultWriter) error {
	word, rest, _ := strings.Cut(p.query, " ")
	switch word {
	case "select":
		if err := ctx.Err(); err != nil {
			return err
		}
		var row []catalog.Value
		for _, f := range strings.Fields(rest) {
			n, _ := strconv.Atoi(f)
			row = append(row, catalog.Int(int64(n)))
		}
		if err := w.Row(row); err != nil {
			return err
		}
		return w.Complete("SELECT 1")
	case "rows":
		n, _ := strconv.Atoi(rest)
		for i := 0; p.next < n; i++ {
			if maxRows > 0 && i == maxRows {
				return w.Suspended()
			}
			p.next++
			if err := w.Row([]catalog.Value{catalog.Int(int64(p.next)), catalog.Str("row " + strconv.Itoa(p.next))}); err != nil {
				return err
			}
		}
		return w.Complete("SELECT " + rest)
	case "text":
		if err := w.Row([]catalog.Value{catalog.TextBytes(p.params[0])}); err != nil {
			return err
		}
		return w.Complete("SELECT 1")
	case "error":
		return pgerror.New(rest, "made to fail")
	case "inner":
		return fmt.Errorf("a secret of the inside")
	case "begin":
		s.status = 'T'
		return w.Complete("BEGIN")
	case "commit":
		s.status = 'I'
		return w.Complete("COMMIT")
	case "wait":
		s.entered <- p.query
		<-ctx.Done()
		s.cancelled <- context.Cause(ctx)
		return ctx.Err()
	case "syncfollows":
		s.syncSeen = append(s.syncSeen, w.SyncFollows())
		return w.Complete("OK")
	case "panic":
		panic("made to panic")
	case "notice":
		if err := w.Notice(pgerror.Notice("%s", rest)); err != nil {
			return err
		}
		return w.Complete("NOTICE")
	case "set":
		s.info.Notify(pgwire.ParameterStatus{Name: "application_name", Value: rest})
		return w.Complete("SET")
	case "copyin", "copyfail", "copyquit":
		r, err := w.CopyIn(false, 2)
		if err != nil {
			return err
		}
		if word == "copyfail" {
			io.ReadFull(r, make([]byte, 4))
			return pgerror.New(pgerror.BadCopyFileFormat, "bad data")
		}
		if word == "copyquit" {
			io.ReadFull(r, make([]byte, 4))
			return w.Complete("COPY 0")
		}
		s.entered <- p.query
		s.copied, s.copyErr = io.ReadAll(r)
		if s.copyErr != nil {
			s.cancelled <- s.copyErr
			return s.copyErr
		}
		return w.Complete(fmt.Sprintf("COPY %d", len(s.copied)))
	case "copyout", "copyouterror":
		n, _ := strconv.Atoi(rest)
		out, err := w.CopyOut(false, 1)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := fmt.Fprintf(out, "%d\n", i); err != nil {
				return err
			}
		}
		if word == "copyouterror" {
			return pgerror.New(pgerror.DivisionByZero, "division by zero")
		}
		if err := out.Close(); err != nil {
			return err
		}
		return w.Complete("COPY " + rest)
	}
	return pgerror.New(pgerror.SyntaxError, "syntax error at or near %q", word)
}

func (s *session) Parse(_ context.Context, name, query string, types []uint32) error {
	if strings.HasPrefix(query, "syntax") {
		return s.fail(pgerror.New(pgerror.SyntaxError, "syntax error").At(1))
	}
	s.statements[name] = &statement{query: query, types: append([]uint32(nil), types...)}
	return nil
}

func (s *session) Bind(_ context.Context, name, stmt string, formats []int16, params [][]byte, results []int16) error {
	st := s.statements[stmt]
	if st == nil {
		return s.fail(pgerror.New(pgerror.InvalidSQLStatementName, "prepared statement %q does not exist", stmt))
	}
	p := &portal{query: st.query, formats: append([]int16(nil), results...)}
	for _, v := range params {
		if v == nil {
			p.params = append(p.params, nil)
			continue
		}
		p.params = append(p.params, append([]byte{}, v...))
	}
	s.portals[name] = p
	return nil
}

func (s *session) DescribeStatement(_ context.Context, name string) ([]uint32, []pgwire.Column, error) {
	st := s.statements[name]
	if st == nil {
		return nil, nil, s.fail(pgerror.New(pgerror.InvalidSQLStatementName, "prepared statement %q does not exist", name))
	}
	types := st.types
	if types == nil && strings.HasPrefix(st.query, "text") {
		types = []uint32{catalog.TextOID}
	}
	return types, columns(st.query), nil
}

func (s *session) DescribePortal(_ context.Context, name string) ([]pgwire.Column, error) {
	p := s.portals[name]
	if p == nil {
		return nil, s.fail(pgerror.New(pgerror.InvalidCursorName, "portal %q does not exist", name))
	}
	cols := columns(p.query)
	for i := range cols {
		switch len(p.formats) {
		case 0:
		case 1:
			cols[i].Format = p.formats[0]
		default:
			cols[i].Format = p.formats[i]
		}
	}
	return cols, nil
}

func (s *session) Execute(ctx context.Context, name string, maxRows int, w pgwire.ResultWriter) error {
	p := s.portals[name]
	if p == nil {
		return s.fail(pgerror.New(pgerror.InvalidCursorName, "portal %q does not exist", name))
	}
	if p.query == "" {
		return w.Empty()
	}
	if err := s.run(ctx, p, maxRows, w); err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *session) CloseStatement(_ context.Context, name string) error {
	delete(s.statements, name)
	return nil
}

func (s *session) ClosePortal(_ context.Context, name string) error {
	delete(s.portals, name)
	return nil
}

func (s *session) Sync(_ context.Context, failed bool) error {
	s.syncs = append(s.syncs, failed)
	if failed && s.status == 'T' {
		s.status = 'E'
	}
	return nil
}

func (s *session) TxStatus() byte                  { return s.status }
func (s *session) Output() *catalog.OutputSettings { return &catalog.OutputSettings{} }
func (s *session) Close()                          { close(s.closed) }

// serve starts a server on a loopback port, and at the test's end checks that it leaves no goroutine.
func serve(t testing.TB, b *backend, change func(*pgwire.Config)) (*pgwire.Server, string) {
	t.Helper()
	before := runtime.NumGoroutine()
	cfg := pgwire.Config{Backend: b, Insecure: true}
	if change != nil {
		change(&cfg)
	}
	srv, err := pgwire.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; err != pgwire.ErrServerClosed {
			t.Errorf("Serve returned %v, want ErrServerClosed", err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, s := range b.sessions {
			select {
			case <-s.closed:
			default:
				t.Errorf("session %d was not closed", i)
			}
		}
		// Goroutines that have done all but return are given the time to.
		deadline := time.Now().Add(5 * time.Second)
		for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if n := runtime.NumGoroutine(); n > before {
			buf := make([]byte, 1<<20)
			t.Errorf("%d goroutines, %d before:\n%s", n, before, buf[:runtime.Stack(buf, true)])
		}
	})
	return srv, l.Addr().String()
}

// client is a raw protocol client.
type client struct {
	t  testing.TB
	nc net.Conn
	*pgproto3.Frontend
}

// dial connects without a word.
func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: t, nc: nc, Frontend: pgproto3.NewFrontend(nc, nc)}
}

// connect logs in by trust.
func connect(t testing.TB, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "joe"}})
	c.flush()
	c.until("ReadyForQuery")
	return c
}

func (c *client) flush() {
	c.t.Helper()
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) raw(b string) {
	c.t.Helper()
	if _, err := c.nc.Write([]byte(b)); err != nil {
		c.t.Fatal(err)
	}
}

// name is a message's type with what the tests compare.
func name(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.ErrorResponse:
		return "Error " + m.Severity + " " + m.Code
	case *pgproto3.ReadyForQuery:
		return "ReadyForQuery " + string(m.TxStatus)
	case *pgproto3.DataRow:
		var vals []string
		for _, v := range m.Values {
			if v == nil {
				vals = append(vals, "NULL")
			} else {
				vals = append(vals, string(v))
			}
		}
		return "DataRow " + strings.Join(vals, ",")
	case *pgproto3.CommandComplete:
		return "CommandComplete " + string(m.CommandTag)
	case *pgproto3.NoticeResponse:
		return "Notice " + m.Message
	case *pgproto3.ParameterStatus:
		return "ParameterStatus " + m.Name + "=" + m.Value
	case *pgproto3.NotificationResponse:
		return "Notification " + m.Channel + " " + m.Payload
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
}

// until receives up to a message whose name begins with last, and returns all names. The end of the connection is "EOF".
func (c *client) until(last string) []string {
	c.t.Helper()
	var got []string
	for {
		m, err := c.Receive()
		if err != nil {
			got = append(got, "EOF")
			if last != "EOF" {
				c.t.Fatalf("connection ended (%v) after %q, waiting for %q", err, got, last)
			}
			return got
		}
		n := name(m)
		got = append(got, n)
		if strings.HasPrefix(n, last) {
			return got
		}
	}
}

// want checks that the next messages are these.
func (c *client) want(names ...string) {
	c.t.Helper()
	var got []string
	for range names {
		m, err := c.Receive()
		if err != nil {
			got = append(got, "EOF")
			break
		}
		got = append(got, name(m))
	}
	if strings.Join(got, "; ") != strings.Join(names, "; ") {
		c.t.Fatalf("got  %q\nwant %q", got, names)
	}
}

func (c *client) query(q string) {
	c.t.Helper()
	c.Send(&pgproto3.Query{String: q})
	c.flush()
}

func connString(addr, more string) string {
	return "postgres://joe@" + addr + "/db?sslmode=disable" + more
}

func pgxConnect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

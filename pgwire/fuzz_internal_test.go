package pgwire

import (
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"layercake/catalog"
)

// byteConn is a client that sends fixed bytes, a few at a time, then closes, and takes all answers.
type byteConn struct {
	in    []byte
	step  int
	wrote int
}

func (c *byteConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.step)], c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *byteConn) Write(p []byte) (int, error)      { c.wrote += len(p); return len(p), nil }
func (c *byteConn) Close() error                     { return nil }
func (c *byteConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *byteConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *byteConn) SetDeadline(time.Time) error      { return nil }
func (c *byteConn) SetReadDeadline(time.Time) error  { return nil }
func (c *byteConn) SetWriteDeadline(time.Time) error { return nil }

// nullSession answers everything with nothing; the copy statement reads data.
type nullSession struct{ closed *int }

func (nullSession) Parameters() []ParameterStatus { return nil }
func (nullSession) SimpleQuery(_ context.Context, q string, w ResultWriter) error {
	if q == "copy" {
		r, err := w.CopyIn(false, 1)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	return w.Complete("OK")
}
func (nullSession) Parse(context.Context, string, string, []uint32) error { return nil }
func (nullSession) Bind(_ context.Context, _, _ string, formats []int16, params [][]byte, _ []int16) error {
	if len(formats) > 1 && len(formats) != len(params) {
		panic("formats and parameters do not match")
	}
	return nil
}
func (nullSession) DescribeStatement(context.Context, string) ([]uint32, []Column, error) {
	return []uint32{23}, nil, nil
}
func (nullSession) DescribePortal(context.Context, string) ([]Column, error) {
	return []Column{{Name: "a", Type: catalog.Int4OID}}, nil
}
func (nullSession) Execute(_ context.Context, _ string, n int, w ResultWriter) error {
	if n < 0 {
		panic("a negative row limit")
	}
	if err := w.Row([]catalog.Value{catalog.Int(1)}); err != nil {
		return err
	}
	return w.Complete("SELECT 1")
}
func (nullSession) CloseStatement(context.Context, string) error { return nil }
func (nullSession) ClosePortal(context.Context, string) error    { return nil }
func (nullSession) Sync(context.Context, bool) error             { return nil }
func (nullSession) TxStatus() byte                               { return 'I' }
func (nullSession) Output() *catalog.OutputSettings              { return &catalog.OutputSettings{} }
func (s nullSession) Close()                                     { *s.closed++ }

type nullBackend struct{ opened, closed int }

func (b *nullBackend) Verifier(context.Context, string) (string, bool, error) {
	v, err := MakeVerifier("x", []byte("salt"), 1)
	return v, true, err
}

func (b *nullBackend) Open(context.Context, ConnInfo, map[string]string) (Session, error) {
	b.opened++
	return nullSession{&b.closed}, nil
}

// panicked notes that a panic was caught: the server survives one, the test does not.
type panicked struct {
	slog.Handler
	t *testing.T
}

func (h panicked) Enabled(context.Context, slog.Level) bool { return true }
func (h panicked) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h panicked) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "panic" {
		r.Attrs(func(a slog.Attr) bool { h.t.Log(a.Key, a.Value); return true })
		h.t.Fail()
	}
	return nil
}

// runBytes runs a connection over in to its end, and returns how many bytes it answered.
func runBytes(t *testing.T, in []byte, step int, insecure bool) int {
	b := &nullBackend{}
	srv, err := New(Config{Backend: b, Insecure: insecure, Logger: slog.New(panicked{t: t}), MaxMessage: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	nc := &byteConn{in: append([]byte(nil), in...), step: step}
	c := newConn(srv, context.Background(), nc)
	c.serve()
	srv.forget(c)
	if b.opened != b.closed || len(srv.sessions) != 0 {
		t.Errorf("%d sessions opened, %d closed, %d left", b.opened, b.closed, len(srv.sessions))
	}
	return nc.wrote
}

const login = "\x00\x00\x00\x12\x00\x03\x00\x00user\x00joe\x00\x00"

// FuzzStartup sends bytes to a server that asks for a password.
func FuzzStartup(f *testing.F) {
	for _, s := range []string{
		"", "GET / HTTP/1.1\r\n\r\n", login, "\x00\x00\x00\x08\x04\xd2\x16\x2f" + login, "\x00\x00\x00\x08\x04\xd2\x16\x30" + login,
		"\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01abcd", "\x00\x00\x00\x1f\x00\x03\x27\x0fuser\x00joe\x00_pq_.g\x00x\x00\x00",
		login + "p\x00\x00\x00\x21SCRAM-SHA-256\x00\x00\x00\x00\x0bn,,n=,r=abc" + "p\x00\x00\x00\x10c=biws,r=abc,",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		runBytes(t, in, max(step, 1), false)
	})
}

// FuzzMessages sends bytes to a session. How they are cut into pieces must make no difference to the answer.
func FuzzMessages(f *testing.F) {
	frame := func(typ byte, body string) string {
		b, start := beginMessage(nil, typ)
		return string(finishMessage(append(b, body...), start))
	}
	for _, s := range []string{
		frame('Q', "select 1\x00") + frame('X', ""),
		frame('P', "s\x00select $1\x00\x00\x01\x00\x00\x00\x17") + frame('D', "Ss\x00") + frame('B', "p\x00s\x00\x00\x01\x00\x01\x00\x01\x00\x00\x00\x04\x00\x00\x00\x07\x00\x01\x00\x01") + frame('D', "Pp\x00") + frame('E', "p\x00\x00\x00\x00\x05") + frame('C', "Sp\x00") + frame('H', "") + frame('S', ""),
		frame('B', "\x00\x00\x00\x00\x00\x01\xff\xff\xff\xfe\x00\x00") + frame('S', ""),
		frame('Q', "copy\x00") + frame('d', "some data") + frame('H', "") + frame('d', "") + frame('c', ""),
		frame('Q', "copy\x00") + frame('f', "no\x00") + frame('Q', "copy\x00") + frame('Q', "x\x00"),
		frame('F', "\x00\x00\x00\x01") + frame('!', ""), "Q\x00\x00\x00\x03", "Q\x7f\xff\xff\xff",
	} {
		f.Add([]byte(s), 5)
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		all := append([]byte(login), in...)
		whole, pieces := runBytes(t, all, len(all), true), runBytes(t, all, max(step, 1), true)
		if whole != pieces {
			t.Errorf("%d bytes of answers to the whole, %d to pieces", whole, pieces)
		}
	})
}

// FuzzVerifier parses what may be in the users' table.
func FuzzVerifier(f *testing.F) {
	v, _ := MakeVerifier("x", []byte("salt"), 4096)
	f.Add(v)
	f.Add("SCRAM-SHA-256$4096:$:")
	f.Fuzz(func(t *testing.T, s string) {
		if v, ok := parseVerifier(s); ok && (len(v.storedKey) != 32 || len(v.serverKey) != 32 || v.iterations < 1 || v.salt == "") {
			t.Errorf("took %q", s)
		}
	})
}

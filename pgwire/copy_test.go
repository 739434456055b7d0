package pgwire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

func data(s string) *pgproto3.CopyData { return &pgproto3.CopyData{Data: []byte(s)} }

func TestCopyIn(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened

	c.query("copyin; select 1")
	c.want("CopyInResponse")
	c.send(data("ab"), data(""), &pgproto3.Flush{}, sync_, data(strings.Repeat("x", 100_000)), &pgproto3.CopyDone{})
	c.want("CommandComplete COPY 100002", "RowDescription", "DataRow 1", "CommandComplete SELECT 1", "ReadyForQuery I")
	if want := "ab" + strings.Repeat("x", 100_000); string(s.copied) != want {
		t.Errorf("the session got %d bytes, want %d", len(s.copied), len(want))
	}

	// The client gives up.
	c.query("copyin")
	c.want("CopyInResponse")
	c.send(data("ab"), &pgproto3.CopyFail{Message: "changed my mind"})
	m, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := m.(*pgproto3.ErrorResponse); !ok || e.Code != "57014" || e.Message != "COPY from stdin failed: changed my mind" {
		t.Fatalf("got %#v", m)
	}
	c.want("ReadyForQuery I")

	// The session gives up: the error comes at once, what the client still sends is thrown away.
	c.query("copyfail")
	c.want("CopyInResponse")
	c.send(data("abcdef"), data(strings.Repeat("x", 300_000)))
	c.want("Error ERROR 22P04", "ReadyForQuery I")
	c.send(data("more"), &pgproto3.CopyDone{}, &pgproto3.Query{String: "select 2"})
	c.want("RowDescription", "DataRow 2", "CommandComplete SELECT 1", "ReadyForQuery I")

	// The session ends the statement without having read everything.
	c.query("copyquit")
	c.want("CopyInResponse")
	c.send(data("abcdef"), data("ghi"), &pgproto3.CopyDone{}, &pgproto3.Query{String: "select 2"})
	c.want("CommandComplete COPY 0", "ReadyForQuery I", "RowDescription", "DataRow 2", "CommandComplete SELECT 1", "ReadyForQuery I")
}

func TestCopyInExtended(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := connect(t, addr)
	s := <-b.opened
	// The Sync that follows Execute is within the COPY, and ignored; the one after CopyDone ends it.
	c.send(parse("", "copyin"), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "CopyInResponse")
	c.send(data("ab"), &pgproto3.CopyDone{}, sync_)
	c.want("CommandComplete COPY 2", "ReadyForQuery I")
	// After an error, all is skipped to Sync, the data too.
	c.send(parse("", "copyfail"), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "CopyInResponse")
	c.send(data("abcdef"), data("ghi"), &pgproto3.CopyDone{}, sync_)
	c.want("Error ERROR 22P04", "ReadyForQuery I")
	if len(s.syncs) != 2 {
		t.Errorf("the session saw %d Syncs, want 2", len(s.syncs))
	}
}

func TestCopyInProtocolViolation(t *testing.T) {
	for name, raw := range map[string]string{
		"query":          message('Q', "select 1\x00"),
		"parse":          message('P', "\x00select 1\x00\x00\x00"),
		"unknown type":   message('!', ""),
		"bad length":     "d\x00\x00\x00\x01",
		"oversized done": "c\x00\x00\x40\x00",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			_, addr := serve(t, b, nil)
			c := connect(t, addr)
			s := <-b.opened
			c.query("copyin")
			c.want("CopyInResponse")
			c.send(data("ab"))
			c.raw(raw)
			c.want("Error FATAL 08P01", "EOF")
			<-s.closed
			if s.copyErr == nil {
				t.Error("the session took the data for complete")
			}
		})
	}
}

// Truncated data: the client goes away in the middle of COPY, in a message or between two.
func TestCopyInClientGone(t *testing.T) {
	for name, raw := range map[string]string{
		"between messages": message('d', "ab"),
		"in a header":      message('d', "ab") + "d\x00\x00",
		"in a body":        message('d', "ab") + "d\x00\x00\x10\x00cdef",
		"after terminate":  message('d', "ab") + message('X', ""),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend()
			_, addr := serve(t, b, nil)
			c := connect(t, addr)
			s := <-b.opened
			c.query("copyin")
			c.want("CopyInResponse")
			c.raw(raw)
			c.nc.Close()
			<-s.closed
			if !errors.Is(s.copyErr, io.ErrUnexpectedEOF) {
				t.Errorf("the session got %v, want io.ErrUnexpectedEOF", s.copyErr)
			}
		})
	}
}

func TestCopyOut(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	c.query("copyout 2")
	c.want("CopyOutResponse", "CopyData", "CopyData", "CopyDone", "CommandComplete COPY 2", "ReadyForQuery I")
	c.query("copyouterror 1")
	c.want("CopyOutResponse", "CopyData", "Error ERROR 22012", "ReadyForQuery I")
	c.send(parse("", "copyout 1"), bind("", ""), execute("", 0), sync_)
	c.want("ParseComplete", "BindComplete", "CopyOutResponse", "CopyData", "CopyDone", "CommandComplete COPY 1", "ReadyForQuery I")
}

func TestCopyPgx(t *testing.T) {
	b := newBackend()
	_, addr := serve(t, b, nil)
	c := pgxConnect(t, connString(addr, "")).PgConn()
	in := bytes.Repeat([]byte("some line\tof data\n"), 100_000)
	if _, err := c.CopyFrom(context.Background(), bytes.NewReader(in), "copyin"); err != nil {
		t.Fatal(err)
	}
	if s := <-b.opened; !bytes.Equal(s.copied, in) {
		t.Fatalf("got %d bytes, want %d", len(s.copied), len(in))
	}
	var out bytes.Buffer
	if _, err := c.CopyTo(context.Background(), &out, "copyout 100000"); err != nil || bytes.Count(out.Bytes(), []byte("\n")) != 100000 {
		t.Fatalf("got %d bytes, %v", out.Len(), err)
	}
	// A failure while the client is still busy sending.
	_, err := c.CopyFrom(context.Background(), bytes.NewReader(in), "copyfail")
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != "22P04" {
		t.Fatalf("got %v, want 22P04", err)
	}
}

func TestCopyPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	_, addr := serve(t, newBackend(), nil)
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(psql, "-X", "-At", "-h", host, "-p", port, "-U", "joe", "-d", "db", "-c", "copyin", "-c", "select 1")
	cmd.Stdin = strings.NewReader("a\tb\n")
	out, err := cmd.CombinedOutput()
	if got, want := string(out), "COPY 4\n1\n"; err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

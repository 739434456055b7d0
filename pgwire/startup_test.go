package pgwire_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/binary"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgwire"
)

// packet is a start-up packet of a version and raw parameters.
func packet(version uint32, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	b = binary.BigEndian.AppendUint32(b, version)
	return string(b) + body
}

const (
	v30 = 3 << 16
	v32 = 3<<16 | 2

	sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	gssRequest = "\x00\x00\x00\x08\x04\xd2\x16\x30"
)

func TestStartupGarbage(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	for name, tc := range map[string]struct{ raw, want string }{
		"HTTP":            {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Error FATAL 08P01"},
		"TLS hello":       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "Error FATAL 08P01"},
		"zeroes":          {strings.Repeat("\x00", 100), "Error FATAL 08P01"},
		"negative length": {"\xff\xff\xff\xff\x00\x03\x00\x00", "Error FATAL 08P01"},
		"too long":        {"\x00\x01\x00\x00\x00\x03\x00\x00", "Error FATAL 08P01"},
		"protocol 2":      {packet(2<<16, "user\x00joe\x00\x00"), "Error FATAL 0A000"},
		"protocol 4":      {packet(4<<16, "user\x00joe\x00\x00"), "Error FATAL 0A000"},
		"no user":         {packet(v30, "database\x00x\x00\x00"), "Error FATAL 28000"},
		"no parameters":   {packet(v30, "\x00"), "Error FATAL 28000"},
		"empty body":      {packet(v30, ""), "Error FATAL 08P01"},
		"not terminated":  {packet(v30, "user\x00joe\x00"), "Error FATAL 08P01"},
		"value missing":   {packet(v30, "user\x00joe"), "Error FATAL 08P01"},
		"trailing bytes":  {packet(v30, "user\x00joe\x00\x00x"), "Error FATAL 08P01"},
		"not UTF-8":       {packet(v30, "user\x00jo\xff\x00\x00"), "Error FATAL 22021"},
		"replication":     {packet(v30, "user\x00joe\x00replication\x00database\x00\x00"), "Error FATAL 0A000"},
		"database":        {packet(v30, "user\x00joe\x00database\x00nosuch\x00\x00"), "Error FATAL 3D000"},
		"SSL with body":   {packet(80877103, "x"), "Error FATAL 08P01"},
		"unknown code":    {packet(80877199, ""), "Error FATAL 0A000"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			c.raw(tc.raw)
			got := c.until("EOF")
			if n := len(got); n < 2 || got[n-2] != tc.want {
				t.Fatalf("got %q, want %q before the end", got, tc.want)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) { dial(t, addr).nc.Close() })
	t.Run("cut short", func(t *testing.T) {
		c := dial(t, addr)
		c.raw("\x00\x00\x00\x20\x00\x03")
		c.nc.Close()
	})
	connect(t, addr) // and others are served
}

func TestEncryptionRefused(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := dial(t, addr)
	for _, req := range []string{gssRequest, sslRequest} {
		c.raw(req)
		b := make([]byte, 1)
		if _, err := io.ReadFull(c.nc, b); err != nil || b[0] != 'N' {
			t.Fatalf("got %q, %v, want N", b, err)
		}
	}
	c.raw(packet(v30, "user\x00joe\x00\x00"))
	c.until("ReadyForQuery I")
}

func TestUnencryptedDataAfterSSLRequest(t *testing.T) {
	_, addr := serve(t, newBackend(), func(cfg *pgwire.Config) {
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, elliptic.P256())}}
	})
	c := dial(t, addr)
	c.raw(sslRequest + packet(v30, "user\x00joe\x00\x00"))
	c.want("Error FATAL 08P01", "EOF")
	// A handshake that is none ends the connection.
	c = dial(t, addr)
	c.raw(sslRequest)
	io.ReadFull(c.nc, make([]byte, 1))
	c.raw("this is no TLS at all, not in the least")
	io.Copy(io.Discard, c.nc)
}

func TestProtocolNegotiation(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	for _, tc := range []struct {
		name      string
		version   uint32
		body      string
		negotiate bool
		agreed    uint32
		options   string
		key       int
	}{
		{"3.0", v30, "user\x00joe\x00\x00", false, 0, "", 4},
		{"3.2", v32, "user\x00joe\x00\x00", false, 0, "", 32},
		{"3.9999", 3<<16 | 9999, "user\x00joe\x00_pq_.grease\x00x\x00\x00", true, v32, "_pq_.grease", 32},
		{"3.0 with options", v30, "user\x00joe\x00_pq_.a\x00x\x00_pq_.b\x00y\x00\x00", true, v30, "_pq_.a _pq_.b", 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := dial(t, addr)
			c.raw(packet(tc.version, tc.body))
			negotiated, key := false, 0
			for {
				m, err := c.Receive()
				if err != nil {
					t.Fatal(err)
				}
				switch m := m.(type) {
				case *pgproto3.NegotiateProtocolVersion:
					negotiated = true
					if got := strings.Join(m.UnrecognizedOptions, " "); m.NewestMinorProtocol != tc.agreed || got != tc.options {
						t.Errorf("got %#x, %q, want %#x, %q", m.NewestMinorProtocol, got, tc.agreed, tc.options)
					}
				case *pgproto3.BackendKeyData:
					key = len(m.SecretKey)
				case *pgproto3.ReadyForQuery:
					if negotiated != tc.negotiate || key != tc.key {
						t.Errorf("negotiated %v, key of %d bytes, want %v, %d", negotiated, key, tc.negotiate, tc.key)
					}
					return
				}
			}
		})
	}
}

func TestTooManyConnections(t *testing.T) {
	srv, addr := serve(t, newBackend(), func(cfg *pgwire.Config) { cfg.MaxConnections = 2 })
	one, _ := connect(t, addr), connect(t, addr)
	c := dial(t, addr)
	c.raw(packet(v30, "user\x00joe\x00\x00"))
	c.want("Error FATAL 53300", "EOF")
	if n := srv.Connections(); n > 3 {
		t.Errorf("%d connections", n)
	}
	// One that leaves makes room.
	one.Send(&pgproto3.Terminate{})
	one.flush()
	one.until("EOF")
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); srv.Connections() > 1; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d connections are left", srv.Connections())
		}
	}
	connect(t, addr)
}

// Connections that never say what they want are bounded too; the one too many is told so without being asked.
func TestTooManySilentConnections(t *testing.T) {
	_, addr := serve(t, newBackend(), func(cfg *pgwire.Config) { cfg.MaxConnections = 1 })
	for range 1 + 128 {
		dial(t, addr)
	}
	dial(t, addr).want("Error FATAL 53300", "EOF")
}

func TestLoginTimeout(t *testing.T) {
	_, addr := serve(t, newBackend(), func(cfg *pgwire.Config) { cfg.LoginTimeout = 50 * time.Millisecond; cfg.Insecure = false })
	dial(t, addr).want("Error FATAL 57014", "EOF")
	c := dial(t, addr)
	c.raw(packet(v30, "user\x00joe\x00\x00"))
	c.want("AuthenticationSASL", "Error FATAL 57014", "EOF")
}

// What a client sends for secret is in no log.
func TestLogsNoSecrets(t *testing.T) {
	var log bytes.Buffer
	srv, addr := serve(t, withPassword(t, "joe", "secret"), func(cfg *pgwire.Config) {
		cfg.Insecure = false
		cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	c := pgxConnect(t, "postgres://joe:secret@"+addr+"/db?sslmode=disable")
	c.Exec(t.Context(), "text $1", "hush-hush")
	c.Exec(t.Context(), "inner")
	c.Close(t.Context())
	srv.Close()
	if s := log.String(); strings.Contains(s, "hush-hush") || strings.Contains(s, "secret@") || !strings.Contains(s, "a secret of the inside") {
		t.Fatalf("the log is %s", s)
	}
}

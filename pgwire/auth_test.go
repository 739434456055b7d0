package pgwire_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgwire"
)

// certificate makes a self-signed certificate for 127.0.0.1, signed by means of curve's usual hash function.
func certificate(t testing.TB, curve elliptic.Curve) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "layercake"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func withPassword(t testing.TB, user, password string) *backend {
	t.Helper()
	v, err := pgwire.MakeVerifier(password, []byte("sixteen bytes of"), 4096)
	if err != nil {
		t.Fatal(err)
	}
	b := newBackend()
	b.verifiers[user] = v
	b.verifiers["damaged"] = "md5 of something"
	return b
}

func secure(cfg *pgwire.Config) { cfg.Insecure = false }

func TestPasswordPgx(t *testing.T) {
	_, addr := serve(t, withPassword(t, "joe", "pass wörd"), secure)
	connectAs := func(user, password string) error {
		cfg, err := pgx.ParseConfig(connString(addr, ""))
		if err != nil {
			t.Fatal(err)
		}
		cfg.User, cfg.Password = user, password
		c, err := pgx.ConnectConfig(context.Background(), cfg)
		if err == nil {
			c.Close(context.Background())
		}
		return err
	}
	if err := connectAs("joe", "pass wörd"); err != nil {
		t.Fatal(err)
	}
	// A wrong password, an unknown user and one whose password is damaged are told the same.
	for _, user := range []string{"joe", "nobody", "damaged"} {
		err := connectAs(user, "wrong")
		var e *pgconn.PgError
		if !errors.As(err, &e) || e.Code != "28P01" || e.Message != `password authentication failed for user "`+user+`"` || e.Severity != "FATAL" {
			t.Errorf("%s: got %v, want 28P01", user, err)
		}
	}
}

// An unknown user is offered the same mechanisms, a salt of its own that stays the same, and as many iterations.
func TestMockVerifier(t *testing.T) {
	_, addr := serve(t, withPassword(t, "joe", "x"), secure)
	challenge := func(user string) (salt, iterations string) {
		c := dial(t, addr)
		c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user}})
		c.flush()
		c.want("AuthenticationSASL")
		c.Send(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=abc")})
		c.flush()
		m, err := c.Receive()
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(string(m.(*pgproto3.AuthenticationSASLContinue).Data), ",")
		return parts[1], parts[2]
	}
	real, rounds := challenge("joe")
	first, r1 := challenge("ann")
	again, r2 := challenge("ann")
	other, _ := challenge("bob")
	if first != again || first == other || len(first) != len(real) || r1 != rounds || r2 != rounds {
		t.Fatalf("salts %s, %s, %s against a real %s; iterations %s, %s against %s", first, again, other, real, r1, r2, rounds)
	}
}

func TestPasswordPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	// P-384 signs with SHA-384: channel binding hashes by the certificate's signature.
	for name, curve := range map[string]elliptic.Curve{"sha256": elliptic.P256(), "sha384": elliptic.P384(), "sha512": elliptic.P521()} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, withPassword(t, "joe", "secret"), func(cfg *pgwire.Config) {
				secure(cfg)
				cfg.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, curve)}}
			})
			host, port, _ := net.SplitHostPort(addr)
			for _, tc := range []struct {
				mode, binding, password, want string
			}{
				{"disable", "disable", "secret", "5\n"},
				{"require", "disable", "secret", "5\n"},
				{"require", "require", "secret", "5\n"},
				{"require", "require", "wrong", `FATAL:  password authentication failed for user "joe"`},
			} {
				cmd := exec.Command(psql, "-X", "-At", "-h", host, "-p", port, "-U", "joe", "-d", "db", "-c", "select 5")
				cmd.Env = append(os.Environ(), "PGPASSWORD="+tc.password, "PGSSLMODE="+tc.mode, "PGCHANNELBINDING="+tc.binding)
				out, _ := cmd.CombinedOutput()
				if !strings.Contains(string(out), tc.want) {
					t.Errorf("sslmode %s, channel_binding %s: got %q, want %q", tc.mode, tc.binding, out, tc.want)
				}
			}
		})
	}
}

func TestTLSPgx(t *testing.T) {
	cert := certificate(t, elliptic.P256())
	for name, cfg := range map[string]*tls.Config{
		"certificates": {Certificates: []tls.Certificate{cert}},
		"callback":     {GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }},
		"config callback": {GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{cert}}, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := withPassword(t, "joe", "secret")
			_, addr := serve(t, b, func(c *pgwire.Config) { secure(c); c.TLS, c.RequireTLS = cfg, true })
			c := pgxConnect(t, "postgres://joe:secret@"+addr+"/db?sslmode=require&channel_binding=require")
			var n int
			if err := c.QueryRow(context.Background(), "select 42").Scan(&n); err != nil || n != 42 {
				t.Fatalf("got %d, %v, want 42", n, err)
			}
			if s := <-b.opened; !s.info.TLS {
				t.Error("the session was not told of TLS")
			}
			var e *pgconn.PgError
			if _, err := pgx.Connect(context.Background(), "postgres://joe:secret@"+addr+"/db?sslmode=disable"); !errors.As(err, &e) || e.Code != "28000" {
				t.Errorf("without TLS: got %v, want 28000", err)
			}
		})
	}
}

func TestBadSASL(t *testing.T) {
	_, addr := serve(t, withPassword(t, "joe", "x"), secure)
	start := func() *client {
		c := dial(t, addr)
		c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": "joe"}})
		c.flush()
		c.want("AuthenticationSASL")
		return c
	}
	for name, tc := range map[string]struct{ raw, want string }{
		"not a password": {"Q\x00\x00\x00\x0dselect 1\x00", "Error FATAL 08P01"},
		"unknown type":   {"\x01\x00\x00\x00\x04", "Error FATAL 08P01"},
		"mechanism":      {"p\x00\x00\x00\x10GSSAPI\x00\x00\x00\x00\x01x", "Error FATAL 08P01"},
		"plus, no TLS":   {"p\x00\x00\x00\x1fSCRAM-SHA-256-PLUS\x00\x00\x00\x00\x04n,,x", "Error FATAL 08P01"},
		"not terminated": {"p\x00\x00\x00\x08SCRA", "Error FATAL 08P01"},
		"length":         {"p\x00\x00\x00\x16SCRAM-SHA-256\x00\x7f\xff\xff\xff", "Error FATAL 08P01"},
		"too long":       {"p\x00\x00\x7f\xff", "Error FATAL 08P01"},
		"no data":        {"p\x00\x00\x00\x16SCRAM-SHA-256\x00\xff\xff\xff\xff", "Error FATAL 0A000"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start()
			c.raw(tc.raw)
			c.want(tc.want, "EOF")
		})
	}
	start().nc.Close() // no answer at all
}

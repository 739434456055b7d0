package pgwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgerror"
)

const (
	protocolMajor = 3
	protocol30    = 3<<16 | 0
	protocol32    = 3<<16 | 2

	codeCancel = 1234<<16 | 5678
	codeSSL    = 1234<<16 | 5679
	codeGSSENC = 1234<<16 | 5680

	cancelKey30 = 4  // a cancel key's bytes before protocol 3.2
	cancelKey32 = 32 // and since
	cancelMax   = 256

	handshakeByte = 0x16 // a TLS record of type handshake: direct TLS, without SSLRequest
)

// startupMessage is a decoded start-up packet.
type startupMessage struct {
	version  uint32
	params   map[string]string
	unknown  []string // protocol options (_pq_.…), none of which is known
	hasUTF8s error    // 22021 if a value is not UTF-8
}

// decodeStartup decodes a start-up packet after its version.
func decodeStartup(version uint32, body []byte) (*startupMessage, error) {
	m := &startupMessage{version: version, params: map[string]string{}}
	f := fields{b: body}
	for {
		name := f.cstring()
		if f.err != nil {
			return nil, invalidStartup()
		}
		if len(name) == 0 {
			break
		}
		value := f.cstring()
		if f.err != nil {
			return nil, invalidStartup()
		}
		for _, s := range [][]byte{name, value} {
			if err := checkUTF8(s); err != nil && m.hasUTF8s == nil {
				m.hasUTF8s = err
			}
		}
		if strings.HasPrefix(string(name), "_pq_.") {
			m.unknown = append(m.unknown, string(name))
			continue
		}
		m.params[string(name)] = string(value)
	}
	if len(f.b) != 0 {
		return nil, invalidStartup()
	}
	return m, nil
}

func invalidStartup() error {
	return pgerror.Fatal(pgerror.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
}

// startup reads packets until a start-up packet has come, and answers what comes before it. It returns nil parameters
// when there is no session to be made (a cancel request).
func (c *conn) startup(ctx context.Context) (map[string]string, error) {
	var askedTLS, askedGSS bool
	for {
		code, body, err := c.startupPacket()
		if err != nil {
			return nil, err
		}
		switch {
		case code == codeCancel:
			c.cancelRequest(body)
			return nil, nil
		case (code == codeSSL || code == codeGSSENC) && len(body) != 0:
			return nil, pgerror.Fatal(pgerror.ProtocolViolation, "invalid length of startup packet")
		case code == codeSSL && !askedTLS && !c.tls:
			askedTLS = true
			if err := c.answerTLS(ctx); err != nil {
				return nil, err
			}
		case code == codeGSSENC && !askedGSS && !c.tls:
			askedGSS = true
			c.out = append(c.out, 'N')
			if err := c.flush(); err != nil {
				return nil, err
			}
		default:
			return c.acceptStartup(code, body)
		}
	}
}

// startupPacket reads a packet without a type byte: length, code, body. The body is copied, since it is small and the
// buffer goes on.
func (c *conn) startupPacket() (code uint32, body []byte, err error) {
	if err := c.ensure(4); err != nil {
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(c.in.buf[c.in.r:])
	if length < 8 || uint64(length) > uint64(c.in.max) {
		return 0, nil, pgerror.Fatal(pgerror.ProtocolViolation, "invalid length of startup packet")
	}
	c.in.r += 4
	packet, err := c.body(int(length) - 4)
	if err != nil {
		return 0, nil, err
	}
	return binary.BigEndian.Uint32(packet), bytes.Clone(packet[4:]), nil
}

// answerTLS answers SSLRequest, and shakes hands if TLS is configured.
func (c *conn) answerTLS(ctx context.Context) error {
	if c.srv.cfg.TLS == nil {
		c.out = append(c.out, 'N')
		return c.flush()
	}
	if c.in.buffered() > 0 {
		// Bytes sent in the clear must never be taken for the first of the encrypted ones (CVE-2021-23214).
		return pgerror.Fatal(pgerror.ProtocolViolation, "received unencrypted data after SSL request").
			WithDetail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.")
	}
	c.out = append(c.out, 'S')
	if err := c.flush(); err != nil {
		return err
	}
	tc := tls.Server(c.raw, c.tlsConfig())
	if err := tc.HandshakeContext(ctx); err != nil {
		c.log.Info("TLS handshake failed", "err", err)
		return errGone
	}
	c.mu.Lock()
	c.nc = tc
	if c.draining {
		c.nc.SetReadDeadline(time.Unix(1, 0))
	}
	c.mu.Unlock()
	c.tls = true
	return nil
}

// tlsConfig returns the configured TLS with its choice of certificate observed, which channel binding needs.
func (c *conn) tlsConfig() *tls.Config {
	cfg := c.observe(c.srv.cfg.TLS)
	if choose := c.srv.cfg.TLS.GetConfigForClient; choose != nil {
		cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			return c.observe(chosen), nil
		}
	}
	return cfg
}

// observe returns a copy of cfg that notes the certificate it chooses.
func (c *conn) observe(cfg *tls.Config) *tls.Config {
	given := cfg.Clone()
	observed := cfg.Clone()
	observed.SessionTicketsDisabled = true // a resumed session shows no certificate
	observed.Certificates = nil            // else GetCertificate is asked only by clients that name a server
	observed.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := chooseCertificate(given, hello)
		c.cert = cert
		return cert, err
	}
	return observed
}

// chooseCertificate does as crypto/tls does.
func chooseCertificate(cfg *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil {
		if cert, err := cfg.GetCertificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	for i := range cfg.Certificates {
		if hello.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	if len(cfg.Certificates) > 0 {
		return &cfg.Certificates[0], nil
	}
	return nil, pgerror.New(pgerror.InternalError, "no TLS certificate is configured")
}

// acceptStartup settles the protocol version and checks what the client asks for.
func (c *conn) acceptStartup(version uint32, body []byte) (map[string]string, error) {
	major, minor := version>>16, version&0xffff
	if major != protocolMajor {
		c.proto = protocol30
		return nil, pgerror.Fatal(pgerror.FeatureNotSupported, "unsupported frontend protocol %d.%d: server supports %d.0 to %d.%d",
			major, minor, protocolMajor, protocolMajor, protocol32&0xffff)
	}
	c.proto = min(version, protocol32)
	m, err := decodeStartup(version, body)
	if err != nil {
		return nil, err
	}
	if version > protocol32 || len(m.unknown) > 0 {
		// PostgreSQL sends the whole version here, and libpq reads it so, whatever the word "minor" in its description.
		c.send(&pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: c.proto, UnrecognizedOptions: m.unknown})
	}
	if m.hasUTF8s != nil {
		return nil, m.hasUTF8s
	}
	if c.user = m.params["user"]; c.user == "" {
		return nil, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "no PostgreSQL user name specified in startup packet")
	}
	if c.database = m.params["database"]; c.database == "" {
		c.database = c.user
		m.params["database"] = c.user
	}
	switch strings.ToLower(m.params["replication"]) {
	case "", "false", "off", "no", "0":
		delete(m.params, "replication")
	default:
		return nil, pgerror.Fatal(pgerror.FeatureNotSupported, "replication connections are not supported")
	}
	n := cancelKey30
	if c.proto >= protocol32 {
		n = cancelKey32
	}
	if err := c.srv.admit(c, n); err != nil {
		return nil, err
	}
	c.log = c.log.With("pid", c.pid)
	if c.srv.cfg.RequireTLS && !c.tls {
		return nil, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "connection requires TLS").
			WithHint("Connect with sslmode=require.")
	}
	return m.params, nil
}

package pgwire

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgproto3"

	"layercake/pgerror"
)

const (
	mechanismSCRAM     = "SCRAM-SHA-256"
	mechanismSCRAMPlus = "SCRAM-SHA-256-PLUS"
)

// authenticate lets the client prove who it is, and tells it that it has.
func (c *conn) authenticate(ctx context.Context) error {
	if !c.srv.cfg.Insecure {
		if err := c.sasl(ctx); err != nil {
			return err
		}
	}
	c.send(&pgproto3.AuthenticationOk{})
	return nil
}

// sasl runs the SCRAM exchange (RFC 5802, 7677). A user that cannot log in goes the same way with a made-up verifier, at
// the same cost, to the same error.
func (c *conn) sasl(ctx context.Context) error {
	text, ok, err := c.srv.cfg.Backend.Verifier(ctx, c.user)
	if err != nil {
		return c.loginError(err)
	}
	secret, valid := parseVerifier(text)
	if ok && !valid {
		c.log.Error("a user's stored password is not a SCRAM-SHA-256 verifier", "user", c.user)
	}
	if !ok || !valid {
		secret = c.srv.mock.verifier(c.user)
	}
	ex := &scramServer{verifier: secret, known: ok && valid}
	if ex.binding, err = certificateHash(c.cert); err != nil {
		c.log.Warn("no channel binding for this certificate", "err", err)
	}
	if ex.nonce, err = newNonce(c.srv.cfg.Random); err != nil {
		return err
	}

	mechanisms := []string{mechanismSCRAM}
	if ex.binding != nil {
		mechanisms = []string{mechanismSCRAMPlus, mechanismSCRAM}
	}
	c.send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	mechanism, first, err := c.saslInitial()
	if err != nil {
		return err
	}
	if mechanism != mechanismSCRAM && (mechanism != mechanismSCRAMPlus || ex.binding == nil) {
		return pgerror.Fatal(pgerror.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	ex.plus, ex.tls = mechanism == mechanismSCRAMPlus, ex.binding != nil
	challenge, err := ex.first(first)
	if err != nil {
		return err
	}
	c.send(&pgproto3.AuthenticationSASLContinue{Data: challenge})
	final, err := c.saslResponse()
	if err != nil {
		return err
	}
	answer, proved, err := ex.final(final)
	if err != nil {
		return err
	}
	if !proved {
		return pgerror.Fatal(pgerror.InvalidPassword, "password authentication failed for user \"%s\"", c.user)
	}
	c.send(&pgproto3.AuthenticationSASLFinal{Data: answer})
	return nil
}

// saslMessage sends what is waiting and reads the client's answer. The body is valid until the next read.
func (c *conn) saslMessage() ([]byte, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	typ, body, err := c.next()
	if err != nil {
		return nil, err
	}
	if typ == 'X' {
		return nil, errTerminate
	}
	if typ != 'p' {
		return nil, pgerror.Fatal(pgerror.ProtocolViolation, "expected SASL response, got message type %d", typ)
	}
	return body, nil
}

// saslInitial reads SASLInitialResponse.
func (c *conn) saslInitial() (mechanism string, data []byte, err error) {
	body, err := c.saslMessage()
	if err != nil {
		return "", nil, err
	}
	f := fields{b: body}
	mechanism = string(f.cstring())
	if f.err == nil && len(f.b) >= 4 && int32(binary.BigEndian.Uint32(f.b)) == -1 {
		return mechanism, nil, fatal(pgerror.New(pgerror.FeatureNotSupported, "a SASL response without data is not supported"))
	}
	data = f.bytes(int(int32(f.uint32())))
	if err := f.end(); err != nil {
		return "", nil, err
	}
	return mechanism, bytes.Clone(data), nil
}

// saslResponse reads SASLResponse.
func (c *conn) saslResponse() ([]byte, error) {
	body, err := c.saslMessage()
	return bytes.Clone(body), err
}

func fatal(e *pgerror.Error) *pgerror.Error {
	e.Severity = "FATAL"
	return e
}

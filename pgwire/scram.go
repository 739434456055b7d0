package pgwire

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"github.com/xdg-go/stringprep"

	"layercake/pgerror"
)

const (
	// ScramIterations is how often a new verifier's password is hashed, PostgreSQL's default.
	ScramIterations = 4096
	// ScramSaltLen is the length in bytes of a new verifier's salt, PostgreSQL's.
	ScramSaltLen = 16

	nonceLen       = 18
	scramMaxRounds = 1 << 24 // a verifier with more is damaged
)

// MakeVerifier returns the SCRAM-SHA-256 verifier of a password, in the form that PostgreSQL keeps in pg_authid:
// SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>.
func MakeVerifier(password string, salt []byte, iterations int) (string, error) {
	if iterations < 1 || iterations > scramMaxRounds {
		return "", fmt.Errorf("pgwire: %d iterations for a SCRAM verifier", iterations)
	}
	salted, err := pbkdf2.Key(sha256.New, saslPrep(password), salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	stored := sha256.Sum256(hmacSHA256(salted, []byte("Client Key")))
	server := hmacSHA256(salted, []byte("Server Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(server)), nil
}

// saslPrep normalizes a password; like PostgreSQL it takes one as it is that the rules refuse.
func saslPrep(password string) string {
	if s, err := stringprep.SASLprep.Prepare(password); err == nil && s != "" {
		return s
	}
	return password
}

func hmacSHA256(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}

// verifier is a parsed SCRAM-SHA-256 verifier.
type verifier struct {
	iterations           int
	salt                 string // base64
	storedKey, serverKey []byte
}

func parseVerifier(s string) (verifier, bool) {
	var v verifier
	rest, ok := strings.CutPrefix(s, "SCRAM-SHA-256$")
	if !ok {
		return v, false
	}
	params, keys, ok1 := strings.Cut(rest, "$")
	iterations, salt, ok2 := strings.Cut(params, ":")
	stored, server, ok3 := strings.Cut(keys, ":")
	if !ok1 || !ok2 || !ok3 {
		return v, false
	}
	var err error
	if v.iterations, err = strconv.Atoi(iterations); err != nil || v.iterations < 1 || v.iterations > scramMaxRounds {
		return v, false
	}
	if raw, err := base64.StdEncoding.DecodeString(salt); err != nil || len(raw) == 0 {
		return v, false
	}
	v.salt = salt
	if v.storedKey, err = base64.StdEncoding.DecodeString(stored); err != nil || len(v.storedKey) != sha256.Size {
		return v, false
	}
	if v.serverKey, err = base64.StdEncoding.DecodeString(server); err != nil || len(v.serverKey) != sha256.Size {
		return v, false
	}
	return v, true
}

// mockSecret makes verifiers for users that have none. A user's salt is always the same, as a real one's would be.
type mockSecret struct{ key [32]byte }

func (m *mockSecret) init(random io.Reader) error {
	_, err := io.ReadFull(random, m.key[:])
	return err
}

func (m *mockSecret) verifier(user string) verifier {
	salt := hmacSHA256(m.key[:], []byte("salt "+user))[:ScramSaltLen]
	return verifier{
		iterations: ScramIterations,
		salt:       base64.StdEncoding.EncodeToString(salt),
		storedKey:  hmacSHA256(m.key[:], []byte("stored "+user)),
		serverKey:  hmacSHA256(m.key[:], []byte("server "+user)),
	}
}

func newNonce(random io.Reader) (string, error) {
	raw := make([]byte, nonceLen)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// certificateHash is the tls-server-end-point channel binding of a certificate (RFC 5929 §4.1): its hash by the function
// of its signature, SHA-256 in place of MD5 and SHA-1. nil without a certificate.
func certificateHash(cert *tls.Certificate) ([]byte, error) {
	if cert == nil || len(cert.Certificate) == 0 {
		return nil, nil
	}
	leaf := cert.Leaf
	if leaf == nil {
		var err error
		if leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	var h hash.Hash
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.DSAWithSHA256, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		h = sha256.New()
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		h = sha512.New384()
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		h = sha512.New()
	default: // Ed25519 and others have no single hash function: the binding is undefined
		return nil, errors.New("no hash function for signature algorithm " + leaf.SignatureAlgorithm.String())
	}
	h.Write(leaf.Raw)
	return h.Sum(nil), nil
}

// scramServer is the server's side of one SCRAM exchange.
type scramServer struct {
	verifier verifier
	known    bool   // else every proof is wrong
	nonce    string // the server's part
	binding  []byte // tls-server-end-point, nil without
	plus     bool   // the client chose SCRAM-SHA-256-PLUS
	tls      bool   // channel binding was on offer

	gs2         []byte // the client's header, to be found again in its last message
	firstBare   []byte
	serverFirst []byte
	fullNonce   []byte
}

func malformed(detail string) error {
	return pgerror.Fatal(pgerror.ProtocolViolation, "malformed SCRAM message").WithDetail("%s", detail)
}

// first takes client-first-message and returns server-first-message.
func (x *scramServer) first(msg []byte) ([]byte, error) {
	flag, rest, ok := bytes.Cut(msg, []byte(","))
	authz, bare, ok2 := bytes.Cut(rest, []byte(","))
	if !ok || !ok2 {
		return nil, malformed("The message is cut short.")
	}
	switch {
	case string(flag) == "n":
		if x.plus {
			return nil, malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.")
		}
	case string(flag) == "y":
		if x.plus {
			return nil, malformed("The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.")
		}
		if x.tls {
			// The client thinks that the server offers no channel binding: somebody in between took the offer away.
			return nil, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "SCRAM channel binding negotiation error").
				WithDetail("The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.")
		}
	case string(flag) == "p=tls-server-end-point":
		if !x.plus {
			return nil, malformed("The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.")
		}
	case bytes.HasPrefix(flag, []byte("p=")):
		return nil, pgerror.Fatal(pgerror.ProtocolViolation, "unsupported SCRAM channel-binding type")
	default:
		return nil, malformed("Unexpected channel-binding flag.")
	}
	if len(authz) != 0 {
		return nil, pgerror.Fatal(pgerror.FeatureNotSupported, "client uses authorization identity, but it is not supported")
	}
	x.gs2 = msg[:len(msg)-len(bare)]
	x.firstBare = bare
	if bytes.HasPrefix(bare, []byte("m=")) {
		return nil, pgerror.Fatal(pgerror.FeatureNotSupported, "client requires an unsupported SCRAM extension")
	}
	attrs := bytes.Split(bare, []byte(","))
	// n= is the user's name again. PostgreSQL ignores it in favour of the start-up packet's.
	if len(attrs) < 2 || !bytes.HasPrefix(attrs[0], []byte("n=")) || !bytes.HasPrefix(attrs[1], []byte("r=")) {
		return nil, malformed("Expected the user name and a nonce.")
	}
	clientNonce := attrs[1][2:]
	if len(clientNonce) == 0 {
		return nil, malformed("The nonce is empty.")
	}
	for _, b := range clientNonce {
		if b < 0x21 || b > 0x7e {
			return nil, pgerror.Fatal(pgerror.ProtocolViolation, "non-printable characters in SCRAM nonce")
		}
	}
	x.fullNonce = append(bytes.Clone(clientNonce), x.nonce...)
	x.serverFirst = fmt.Appendf(nil, "r=%s,s=%s,i=%d", x.fullNonce, x.verifier.salt, x.verifier.iterations)
	return x.serverFirst, nil
}

// final takes client-final-message and returns server-final-message, if the client has proved that it knows the
// password.
func (x *scramServer) final(msg []byte) (answer []byte, proved bool, err error) {
	i := bytes.LastIndex(msg, []byte(",p="))
	if i < 0 || !bytes.HasPrefix(msg, []byte("c=")) {
		return nil, false, malformed("Expected channel binding, nonce and proof.")
	}
	withoutProof, proofText := msg[:i], msg[i+3:]
	attrs := bytes.Split(withoutProof, []byte(","))
	if len(attrs) < 2 || !bytes.HasPrefix(attrs[1], []byte("r=")) {
		return nil, false, malformed("Expected a nonce.")
	}
	cbind := bytes.Clone(x.gs2)
	if x.plus {
		cbind = append(cbind, x.binding...)
	}
	if base64.StdEncoding.EncodeToString(cbind) != string(attrs[0][2:]) {
		if x.plus {
			return nil, false, pgerror.Fatal(pgerror.InvalidAuthorizationSpecification, "SCRAM channel binding check failed")
		}
		return nil, false, pgerror.Fatal(pgerror.ProtocolViolation, "unexpected SCRAM channel-binding attribute in client-final-message")
	}
	if subtle.ConstantTimeCompare(attrs[1][2:], x.fullNonce) != 1 {
		return nil, false, pgerror.Fatal(pgerror.ProtocolViolation, "invalid SCRAM response").WithDetail("Nonce does not match.")
	}
	proof, err := base64.StdEncoding.DecodeString(string(proofText))
	if err != nil || len(proof) != sha256.Size {
		return nil, false, malformed("Malformed proof in client-final-message.")
	}

	auth := bytes.Join([][]byte{x.firstBare, x.serverFirst, withoutProof}, []byte(","))
	signature := hmacSHA256(x.verifier.storedKey, auth)
	clientKey := make([]byte, sha256.Size)
	subtle.XORBytes(clientKey, proof, signature)
	stored := sha256.Sum256(clientKey)
	equal := subtle.ConstantTimeCompare(stored[:], x.verifier.storedKey) == 1
	answer = []byte("v=" + base64.StdEncoding.EncodeToString(hmacSHA256(x.verifier.serverKey, auth)))
	return answer, equal && x.known, nil
}

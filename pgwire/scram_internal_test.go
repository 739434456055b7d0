package pgwire

import (
	"encoding/base64"
	"testing"
)

// TestScramRFC7677 replays the exchange of RFC 7677 §3.
func TestScramRFC7677(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	text, err := MakeVerifier("pencil", salt, 4096)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := parseVerifier(text)
	if !ok {
		t.Fatalf("cannot parse %q", text)
	}
	x := &scramServer{verifier: v, known: true, nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"}
	first, err := x.first([]byte("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))
	if want := "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"; err != nil || string(first) != want {
		t.Fatalf("got %q, %v, want %q", first, err, want)
	}
	final, proved, err := x.final([]byte("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
	if want := "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="; err != nil || !proved || string(final) != want {
		t.Fatalf("got %q, %v, %v, want %q", final, proved, err, want)
	}
	x.known = false
	if _, proved, _ := x.final([]byte("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")); proved {
		t.Fatal("a right proof was taken for a user that may not log in")
	}
}

func TestParseVerifier(t *testing.T) {
	good, _ := MakeVerifier("x", []byte("0123456789abcdef"), 4096)
	if _, ok := parseVerifier(good); !ok {
		t.Fatalf("refused %q", good)
	}
	for _, bad := range []string{"", "md5abc", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096:c2FsdA==$x", "SCRAM-SHA-256$0:c2FsdA==$" + good[len(good)-89:], "SCRAM-SHA-256$4096:$" + good[len(good)-89:], good + "x", good[:len(good)-4]} {
		if _, ok := parseVerifier(bad); ok {
			t.Errorf("took %q", bad)
		}
	}
}

// TestSaslPrep has the examples of RFC 4013 §3; what it prohibits is taken as it is, as in PostgreSQL.
func TestSaslPrep(t *testing.T) {
	for in, want := range map[string]string{"I\u00adX": "IX", "user": "user", "\u00aa": "a", "\u2168": "IX", "\u0007": "\u0007", "\xff": "\xff", "": ""} {
		if got := saslPrep(in); got != want {
			t.Errorf("saslPrep(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestScramMalformed(t *testing.T) {
	v := (&mockSecret{}).verifier("x")
	for _, first := range []string{"", "n", "n,", "n,,", "n,,n=,r=", "n,,n=", "q,,n=,r=abc", "n,a=joe,n=,r=abc", "n,,m=x,n=,r=abc", "n,,n=,r=a\x01", "p=tls-unique,,n=,r=abc", "p=tls-server-end-point,,n=,r=abc"} {
		x := &scramServer{verifier: v, nonce: "server"}
		if _, err := x.first([]byte(first)); err == nil {
			t.Errorf("took %q for client-first-message", first)
		}
	}
	for _, final := range []string{"", "c=biws", "c=biws,r=abcserver", "c=biws,r=abcserver,p=", "c=biws,r=abcserver,p=!!", "c=eSws,r=abcserver,p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "c=biws,r=abcother,p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)), ",p=", "c=biws,p=", "c=,,p=AAAA"} {
		x := &scramServer{verifier: v, nonce: "server"}
		if _, err := x.first([]byte("n,,n=,r=abc")); err != nil {
			t.Fatal(err)
		}
		if _, proved, err := x.final([]byte(final)); err == nil || proved {
			t.Errorf("took %q for client-final-message", final)
		}
	}
}

// A client that has been told of no channel binding, though it was offered, has somebody in between.
func TestScramDowngrade(t *testing.T) {
	x := &scramServer{verifier: (&mockSecret{}).verifier("x"), nonce: "server", tls: true}
	if _, err := x.first([]byte("y,,n=,r=abc")); err == nil {
		t.Fatal("a downgrade went unnoticed")
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const certUsage = "usage: layercake cert ca [--dir DIR]\n       layercake cert node NAME --host HOST… [--dir DIR]"

var caOptions = []option{
	{name: "dir", def: "certs", help: "folder for ca.crt and ca.key, made if need be"},
	{name: "days", def: "3650", help: "how long the authority's certificate is good for"},
}

var certOptions = []option{
	{name: "dir", def: "certs", help: "folder with ca.crt and ca.key, where NAME.crt and NAME.key are written"},
	{name: "host", many: true, help: "name or address by which others reach the node; may be given more than once"},
	{name: "days", def: "730", help: "how long the certificate is good for"},
}

// runCert makes the files for TLS: cert ca a certificate authority, cert node NAME a certificate for one node, towards
// clients and other nodes alike. Files that are there are never replaced.
func runCert(args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) == 0 {
		return usageError(certUsage)
	}
	switch what, args := args[0], args[1:]; what {
	case "ca":
		o, err := parseOptions("cert ca", caOptions, args, getenv, stdout)
		if err != nil {
			return err
		}
		return makeAuthority(o, stdout)
	case "node":
		name, args, err := takeOperand("cert node", "NAME", args)
		if err != nil {
			return err
		}
		o, err := parseOptions("cert node NAME", certOptions, args, getenv, stdout)
		if err != nil {
			return err
		}
		return makeNodeCertificate(o, name, stdout)
	}
	return usageError(certUsage)
}

func makeAuthority(o *options, stdout io.Writer) error {
	template, err := certificateOf("layercake CA", o)
	if err != nil {
		return err
	}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.get("dir"), 0o700); err != nil {
		return err
	}
	return writePair(filepath.Join(o.get("dir"), "ca"), der, key, stdout)
}

func makeNodeCertificate(o *options, name string, stdout io.Writer) error {
	if name == "ca" || strings.ContainsAny(name, "/\\") {
		return usageError(fmt.Sprintf("%q can't be the name of a node's files", name))
	}
	if len(o.list("host")) == 0 {
		return usageError("--host is needed: the names or addresses by which clients and other nodes reach " + name)
	}
	template, err := certificateOf(name, o)
	if err != nil {
		return err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} // a node is both
	for _, h := range o.list("host") {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else if h == "" || strings.ContainsAny(h, ":/ ") {
			return usageError(fmt.Sprintf("--host: %q is not a host's name or address, without a port", h))
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	ca, caKey, err := readAuthority(filepath.Join(o.get("dir"), "ca"))
	if err != nil {
		return err
	}
	if template.NotAfter.After(ca.NotAfter) {
		return fmt.Errorf("the authority's certificate ends on %s, before that of %s would: fewer --days, or a new authority",
			ca.NotAfter.Format(time.DateOnly), name)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	return writePair(filepath.Join(o.get("dir"), name), der, key, stdout)
}

// certificateOf begins a certificate. It is good from an hour ago on, for the sake of clocks that are behind.
func certificateOf(name string, o *options) (*x509.Certificate, error) {
	days, err := strconv.Atoi(o.get("days"))
	if err != nil || days < 1 || days > 36500 {
		return nil, usageError(fmt.Sprintf("--days: %q is not a number of days from 1 to 36500", o.get("days")))
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{Organization: []string{"layercake"}, CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, days)}, nil
}

func readAuthority(base string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	der, err := readPEM(base+".crt", "CERTIFICATE")
	if err != nil {
		return nil, nil, fmt.Errorf("%w (layercake cert ca makes an authority)", err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%s.crt: %w", base, err)
	}
	if der, err = readPEM(base+".key", "PRIVATE KEY"); err != nil {
		return nil, nil, err
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, nil, fmt.Errorf("%s.key: %w", base, err)
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(ca.PublicKey) {
		return nil, nil, fmt.Errorf("%s.key is not the key of %[1]s.crt", base)
	}
	return ca, key, nil
}

func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s has no %s in PEM", path, strings.ToLower(kind))
	}
	return block.Bytes, nil
}

// writePair writes base.key, which only its owner may read, and base.crt.
func writePair(base string, der []byte, key *ecdsa.PrivateKey, stdout io.Writer) error {
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(base + ".crt"); err == nil {
		return fmt.Errorf("%s.crt exists; it is not replaced", base)
	}
	for _, f := range []struct {
		path string
		mode os.FileMode
		kind string
		data []byte
	}{{base + ".key", 0o600, "PRIVATE KEY", secret}, {base + ".crt", 0o644, "CERTIFICATE", der}} {
		w, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, f.mode)
		if err != nil {
			return err
		}
		if err := errors.Join(pem.Encode(w, &pem.Block{Type: f.kind, Bytes: f.data}), w.Sync(), w.Close()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(stdout, "%s.crt\n%[1]s.key\n", base)
	return err
}

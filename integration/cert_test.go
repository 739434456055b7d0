package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// certificates makes an authority and certificates of nodes by the command, and returns their folder.
func certificates(t *testing.T, nodes ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "certs")
	if out, code := run(t, nil, "cert", "ca", "--dir", dir); code != 0 {
		t.Fatalf("cert ca: exit code %d:\n%s", code, out)
	}
	for _, name := range nodes {
		if out, code := run(t, nil, "cert", "node", name, "--host", "127.0.0.1", "--host", name+".example", "--dir", dir); code != 0 {
			t.Fatalf("cert node: exit code %d:\n%s", code, out)
		}
	}
	return dir
}

// secured are a node's flags for TLS with the files of a folder.
func secured(dir, name string) []string {
	crt, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	return []string{"--tls-cert", crt, "--tls-key", key, "--cluster-ca", filepath.Join(dir, "ca.crt"), "--cluster-cert", crt, "--cluster-key", key}
}

// TestCertificates: nodes with certificates of one authority form a cluster, clients verify them, and a node without one,
// or with one of another authority, gets in nowhere.
func TestCertificates(t *testing.T) {
	dir := certificates(t, "n1", "n2", "n3")
	data := t.TempDir()
	var nodes []*node
	add := func(name string, flags []string) *node {
		n := &node{args: append([]string{"--name", name, "--data", filepath.Join(data, name), "--insecure"}, flags...)}
		if len(nodes) > 0 {
			n.args = append(n.args, "--join", nodes[0].gossip)
		}
		return n
	}
	for _, name := range []string{"n1", "n2", "n3"} {
		n := add(name, secured(dir, name))
		n.boot(t)
		nodes = append(nodes, n)
	}
	all := dialNode(t, nodes[0], "consistency=all")
	eventually(t, all, "3", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
	exec(t, all, "CREATE TABLE t (id int PRIMARY KEY)")
	exec(t, dialNode(t, nodes[2], "consistency=all"), "INSERT INTO t VALUES (1)")

	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	verified := func(ca string) error {
		conn, err := pgx.Connect(ctx, "postgres://postgres@"+nodes[1].pg+"/postgres?sslmode=verify-full&sslrootcert="+ca)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	}
	if err := verified(filepath.Join(dir, "ca.crt")); err != nil {
		t.Errorf("a client that verifies the node: %v", err)
	}
	stranger := certificates(t, "n4")
	if err := verified(filepath.Join(stranger, "ca.crt")); err == nil {
		t.Error("a client that trusts another authority takes the node's certificate")
	}

	for name, flags := range map[string][]string{"n4": secured(stranger, "n4"), "n5": nil,
		"n6": append(secured(dir, "n1")[:6], "--cluster-cert", filepath.Join(stranger, "n4.crt"), "--cluster-key", filepath.Join(stranger, "n4.key"))} {
		n := add(name, flags)
		n.spawn(t)
		n.out.find(t, n.process, `"msg":"waiting to join".*"err":"(.+)"`)
		n.kill()
	}
	if got := one(t, all, "SELECT string_agg(name, ',' ORDER BY name) FROM layercake.nodes"); got != "n1,n2,n3" {
		t.Errorf("the members are %s", got)
	}
	exec(t, all, "INSERT INTO t VALUES (2)")
}

// TestCertRefuses: bad command lines and files are named, and nothing that is there is replaced.
func TestCertRefuses(t *testing.T) {
	dir := certificates(t, "n1")
	before, err := os.ReadFile(filepath.Join(dir, "n1.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "n1.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	other := certificates(t)
	mixed := t.TempDir()
	for _, f := range [][2]string{{dir, "ca.crt"}, {other, "ca.key"}} {
		b, err := os.ReadFile(filepath.Join(f[0], f[1]))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mixed, f[1]), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		args string
		want string
	}{
		{"", "usage"},
		{"client", "usage"},
		{"node", "usage"},
		{"node n2 --dir " + dir, "--host"},
		{"node n2 --host a:5432 --dir " + dir, "a:5432"},
		{"node n2 --host a --days 0 --dir " + dir, "--days"},
		{"node n2 --host a --days 9999 --dir " + dir, "--days"},
		{"node n2 --host a --dir " + t.TempDir(), "cert ca"},
		{"node n2 --host a --dir " + mixed, "ca.key"},
		{"node ca --host a --dir " + dir, "ca"},
		{"node ../n2 --host a --dir " + dir, "../n2"},
		{"node n1 --host a --dir " + dir, "exists"},
		{"ca --dir " + dir, "exists"},
	} {
		out, code := run(t, nil, append([]string{"cert"}, strings.Fields(tc.args)...)...)
		if code != 2 || !strings.Contains(out, tc.want) {
			t.Errorf("cert %s: exit code %d, want 2 and %q:\n%s", tc.args, code, tc.want, out)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, "n1.key")); err != nil || string(after) != string(before) {
		t.Errorf("the key has changed: %v", err)
	}
}

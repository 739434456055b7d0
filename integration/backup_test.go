package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// backup takes a backup of a node by the command.
func backup(t *testing.T, n *node, path string, flags ...string) {
	t.Helper()
	if out, code := run(t, nil, append([]string{"backup", path, "--url", n.url()}, flags...)...); code != 0 || !strings.Contains(out, path) {
		t.Fatalf("backup: exit code %d:\n%s", code, out)
	}
}

// restore makes a folder of a backup by the command.
func restore(t *testing.T, path, dir string, flags ...string) {
	t.Helper()
	if out, code := run(t, nil, append([]string{"restore", path, "--data", dir}, flags...)...); code != 0 {
		t.Fatalf("restore: exit code %d:\n%s", code, out)
	}
}

// serves waits until a node takes connections: one put back from an old copy does so when it has caught up.
func serves(t *testing.T, n *node) {
	t.Helper()
	until(t, n.name()+" serves again", func() error {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		conn, err := pgx.Connect(ctx, n.url())
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
}

// TestBackupWhileWriting takes a backup of a node under load. Put back as that node's folder, it catches up with what the
// others have, and brings nothing back; as a new cluster, it has what was acknowledged before it was taken.
func TestBackupWhileWriting(t *testing.T) {
	nodes := processes(t, 3)
	loadTables(t, nodes[0])
	conn := dialNode(t, nodes[1], "consistency=all")
	exec(t, conn, "CREATE TABLE numbered (id serial PRIMARY KEY, v text)")
	exec(t, conn, "CREATE ROLE app LOGIN")
	exec(t, conn, "INSERT INTO numbered (v) SELECT 'row ' || g FROM generate_series(1, 100) g")
	greatest := one(t, conn, "SELECT max(id) FROM numbered")

	l := newLoad(t)
	l.everywhere(nodes, 1, "quorum")
	l.start()
	l.more(at(nil, ""), 200)
	before := l.count(at(nil, ""))
	path := filepath.Join(t.TempDir(), "backup")
	backup(t, nodes[0], path, "--consistency", "quorum")
	l.more(at(nil, ""), 200)
	exec(t, conn, "DELETE FROM numbered WHERE id <= 50")
	for _, n := range nodes {
		eventually(t, dialNode(t, n, ""), "0", "SELECT coalesce(sum(count), 0) FROM layercake.tombstones WHERE relation LIKE '%numbered'")
	}

	// As a new cluster, while the old one runs on.
	alone := &node{args: []string{"--name", "solo", "--data", filepath.Join(t.TempDir(), "solo"), "--insecure"}}
	restore(t, path, alone.folder(), "--new-cluster", "solo")
	alone.boot(t)
	other := dialNode(t, alone, "consistency=quorum")
	if got := one(t, other, "SELECT count(*) >= $1 FROM kv", before); got != "t" {
		t.Errorf("the new cluster lacks rows that were acknowledged before the backup: it has %s", one(t, other, "SELECT count(*) FROM kv"))
	}
	if got := one(t, other, "SELECT string_agg(name, ',') FROM layercake.nodes"); got != "solo" {
		t.Errorf("the new cluster's members are %s", got)
	}
	if got := one(t, other, "INSERT INTO numbered (v) VALUES ('new') RETURNING id > $1", greatest); got != "t" {
		t.Error("the new cluster's sequence gives a number that a row has")
	}
	if got := one(t, other, "SELECT layercake.unique_id() > 0"); got != "t" {
		t.Error("the new cluster's node has no number")
	}
	second := &node{args: []string{"--name", "second", "--data", filepath.Join(t.TempDir(), "second"), "--insecure", "--join", alone.gossip}}
	second.boot(t)
	exec(t, dialNode(t, second, "consistency=all"), "DELETE FROM numbered")
	for _, n := range []*node{alone, second} {
		eventually(t, dialNode(t, n, ""), "0", "SELECT coalesce(sum(count), 0) FROM layercake.tombstones")
	}
	if out, code := run(t, nil, "verify", "--url", second.url()); code != 0 {
		t.Errorf("verify of the new cluster: exit code %d:\n%s", code, out)
	}

	// As the node's own folder, once it is gone.
	sigkill(nodes[0])
	if err := os.RemoveAll(nodes[0].folder()); err != nil {
		t.Fatal(err)
	}
	restore(t, path, nodes[0].folder())
	reboot(t, nodes[0])
	serves(t, nodes[0])
	l.settled(nodes...)
	for _, n := range nodes {
		if got := one(t, dialNode(t, n, "consistency=quorum"), "SELECT count(*) FROM numbered"); got != "50" {
			t.Errorf("%s has %s rows, want the 50 that were not deleted", n.name(), got)
		}
	}
	for _, n := range append(nodes, alone, second) {
		n.stop(syscall.SIGTERM)
	}
}

// TestBackupRefuses: what goes wrong is said in a sentence, leaves nothing behind, and has an exit code of its own.
func TestBackupRefuses(t *testing.T) {
	n := processes(t, 1)[0]
	conn := dialNode(t, n, "")
	exec(t, conn, "CREATE ROLE nobody LOGIN")
	exec(t, conn, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	exec(t, conn, "INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g")
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	backup(t, n, good)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	// A database that was damaged before its checksum was made: whole pages of it are gone.
	broken := bytes.Clone(whole[:len(whole)-sha256.Size])
	clear(broken[len(broken)/2 : len(broken)/2+8192])
	sum := sha256.Sum256(broken)
	broken = append(broken, sum[:]...)
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "something"), 0o700); err != nil {
		t.Fatal(err)
	}
	nobody := strings.Replace(n.url(), "postgres@", "nobody@", 1)
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"backup"}, 2, "usage"},
		{[]string{"backup", good, "--url", n.url()}, 2, "--force"},
		{[]string{"backup", dir + "/new", "--url", nobody}, 2, "permission denied"},
		{[]string{"backup", dir + "/new", "--url", "postgres://postgres@127.0.0.1:1/postgres"}, 2, "127.0.0.1"},
		{[]string{"backup", dir + "/new", "--url", n.url(), "--consistency", "most"}, 2, "most"},
		{[]string{"backup", dir + "/new", "--url", n.url(), "--timeout", "soon"}, 2, "--timeout"},
		{[]string{"backup", dir + "/no/such/folder", "--url", n.url()}, 2, "no such"},
		{[]string{"restore", good}, 2, "--data"},
		{[]string{"restore", dir + "/nowhere", "--data", dir + "/new"}, 2, "nowhere"},
		{[]string{"restore", good, "--data", full}, 2, "not empty"},
		{[]string{"restore", good, "--data", dir + "/new", "--new-cluster", "a b"}, 2, "a b"},
		{[]string{"restore", file("empty", nil), "--data", dir + "/new"}, 1, "damaged"},
		{[]string{"restore", file("other", []byte("something else\n")), "--data", dir + "/new"}, 1, "damaged"},
		{[]string{"restore", file("cut", whole[:len(whole)/2]), "--data", dir + "/new"}, 1, "ends too early"},
		{[]string{"restore", file("short", whole[:len(whole)-1]), "--data", dir + "/new"}, 1, "ends too early"},
		{[]string{"restore", file("flipped", flipped), "--data", dir + "/new"}, 1, "checksum"},
		{[]string{"restore", file("broken", broken), "--data", dir + "/new"}, 1, "damaged"},
	} {
		out, code := run(t, nil, tc.args...)
		if code != tc.code || !strings.Contains(out, tc.want) || strings.Contains(out, "goroutine ") {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s", tc.args, code, tc.code, tc.want, out)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*new*")); len(left) > 0 {
			t.Fatalf("%v leaves %v", tc.args, left)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Fatalf("%v leaves %v", tc.args, left)
		}
	}
	if out, code := run(t, nil, "backup", good, "--force", "--url", n.url()); code != 0 {
		t.Errorf("--force: exit code %d:\n%s", code, out)
	}

	// By SQL, it is a superuser's COPY alone.
	fails(t, conn, "0A000", "SELECT * FROM layercake.backup")
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	var text bytes.Buffer
	if _, err := conn.PgConn().CopyTo(ctx, &text, "COPY layercake.backup TO STDOUT"); err != nil || !strings.HasPrefix(text.String(), fmt.Sprintf(`\\x%x`, "layercake backup 1\n")) {
		t.Errorf("COPY in text: %.60q, %v", text.String(), err)
	}
	exec(t, conn, "SET ROLE nobody")
	if _, err := conn.PgConn().CopyTo(ctx, &text, "COPY layercake.backup TO STDOUT"); sqlstate(err) != "42501" {
		t.Errorf("COPY by another role: %v, want 42501", err)
	}
}

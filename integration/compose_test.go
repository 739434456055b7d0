package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// compose is a cluster in containers, by the repository's docker-compose.yml.
type compose struct {
	t       *testing.T
	root    string
	project string
	command []string // docker compose, or docker-compose
	env     []string
	ports   [3]string
}

// dockerCompose finds an engine that answers, and a compose command. It skips the test, saying why, where there is none.
func dockerCompose(t *testing.T) []string {
	t.Helper()
	if out, err := osexec.Command("docker", "version", "--format", "{{.Server.Version}}").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine answers: %v: %s", err, bytes.TrimSpace(out))
	}
	if osexec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	if _, err := osexec.LookPath("docker-compose"); err == nil {
		return []string{"docker-compose"}
	}
	t.Skip("Docker answers, but there is neither `docker compose` nor `docker-compose`")
	return nil
}

func (c *compose) run(args ...string) (string, error) {
	cmd := osexec.Command(c.command[0], append(append(c.command[1:len(c.command):len(c.command)], "-p", c.project), args...)...)
	cmd.Dir, cmd.Env = c.root, c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *compose) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	if err != nil {
		c.t.Fatalf("compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (c *compose) docker(args ...string) string {
	c.t.Helper()
	out, err := osexec.Command("docker", args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// container is the name of a service's container.
func (c *compose) container(service string) string {
	c.t.Helper()
	return strings.TrimSpace(c.must("ps", "-q", service))
}

func (c *compose) connect(i int, settings map[string]string) *pgx.Conn {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cfg, err := pgx.ParseConfig("postgres://postgres:layercake@127.0.0.1:" + c.ports[i] + "/postgres?sslmode=disable")
	if err != nil {
		c.t.Fatal(err)
	}
	for k, v := range settings {
		cfg.RuntimeParams[k] = v
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.ConnectConfig(ctx, cfg)
		if err == nil {
			c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
			return conn
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			logs, _ := c.run("logs", "--tail", "50")
			c.t.Fatalf("connect to n%d: %v\n%s", i+1, err, logs)
		}
	}
}

func TestCompose(t *testing.T) {
	command := dockerCompose(t)
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := runIn(root, "make", "image"); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	c := &compose{t: t, root: root, project: fmt.Sprintf("layercaketest%d", os.Getpid()), command: command, env: os.Environ()}
	for i := range c.ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, c.ports[i], _ = net.SplitHostPort(l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		c.env = append(c.env, fmt.Sprintf("LAYERCAKE_PORT_%d=%s", i+1, c.ports[i]))
	}
	t.Cleanup(func() {
		if out, err := c.run("down", "-v", "--remove-orphans"); err != nil {
			t.Errorf("compose down: %v\n%s", err, out)
		}
	})
	c.must("up", "-d", "--no-build")

	n1 := c.connect(0, nil)
	c.connect(1, nil)
	n3 := c.connect(2, nil)
	eventually(t, n1, "3", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
	exec(t, n1, "SET consistency = 'quorum'")
	exec(t, n1, "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	exec(t, n1, "INSERT INTO kv SELECT i, 'v' || i FROM generate_series(1, 1000) i")
	exec(t, n3, "SET consistency = 'quorum'")
	if got := one(t, n3, "SELECT count(*) FROM kv"); got != "1000" {
		t.Errorf("n3 shows %s rows at quorum, want 1000", got)
	}

	// The container's own health check says that it is well.
	healthy(t, c, "n1")

	network := c.project + "_cluster"
	id := c.container("n3")
	c.docker("network", "disconnect", network, id)
	eventually(t, n1, "1", "SELECT count(*) FROM layercake.nodes WHERE state <> 'alive'")
	exec(t, n1, "INSERT INTO kv VALUES (1001, 'while n3 is cut off')")
	exec(t, n1, "SET consistency = 'all'")
	fails(t, n1, "53000", "INSERT INTO kv VALUES (1002, 'refused')")
	exec(t, n1, "SET consistency = 'quorum'")

	c.docker("network", "connect", "--alias", "n3", network, id)
	n3 = c.connect(2, nil)
	eventually(t, n3, "1001", "SELECT count(*) FROM kv")
	eventually(t, n1, "0", `SELECT count(*) FROM (SELECT relation FROM layercake.digests GROUP BY relation
		HAVING count(DISTINCT digest) > 1 OR relation = '' OR count(*) <> 3) d`)
}

func runIn(dir, name string, args ...string) (string, error) {
	cmd := osexec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func healthy(t *testing.T, c *compose, service string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	id := c.container(service)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		state := c.docker("inspect", "--format", "{{.State.Health.Status}}", id)
		if state == "healthy" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s is %q: %v", service, state, errors.New(c.docker("inspect", "--format", "{{json .State.Health}}", id)))
		}
	}
}

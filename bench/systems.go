package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// system is a database under test: one or more servers.
type system struct {
	name      string
	servers   []*server
	layercake bool
}

// server is one process of a system.
type server struct {
	*process
	name string
	dir  string
	port int
	sig  syscall.Signal // asks it to stop
	ran  time.Duration  // from its start to the first answer
}

func (s *system) port() int { return s.servers[0].port }

func (s *system) stop() error {
	var err error
	// A standby goes before its primary, a later node before the one it joined.
	for i := len(s.servers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.servers[i].stop(s.servers[i].sig))
	}
	return err
}

// started waits for the first answer.
func (b *bench) started(s *server, at time.Time) error {
	if err := firstQuery(b.ctx, s.process, s.port); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.ran = time.Since(at)
	return nil
}

// as runs one of PostgreSQL's programs to its end, as PostgreSQL's user.
func (b *bench) as(cred *syscall.Credential, name string, args ...string) error {
	cmd := exec.CommandContext(b.ctx, filepath.Join(b.pgbin, name), args...)
	cmd.Env, cmd.Dir = b.env, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// postgres starts a PostgreSQL server on a folder that initdb or pg_basebackup has made.
func (b *bench) postgres(name, dir string, cred *syscall.Credential, settings ...string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-D", dir}
	for _, s := range append([]string{"port=" + strconv.Itoa(port), "listen_addresses=127.0.0.1", "unix_socket_directories=",
		"fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_senders=10", "cluster_name=" + name}, settings...) {
		args = append(args, "-c", s)
	}
	at := time.Now()
	p, err := spawn(b.env, cred, filepath.Join(b.tmp, name+".log"), filepath.Join(b.pgbin, "postgres"), args...)
	if err != nil {
		return nil, err
	}
	s := &server{process: p, name: name, dir: dir, port: port, sig: syscall.SIGINT}
	if err := b.started(s, at); err != nil {
		return nil, errors.Join(err, s.stop(s.sig))
	}
	return s, nil
}

// pgFolder makes an empty folder that belongs to PostgreSQL's user.
func (b *bench) pgFolder(name string, cred *syscall.Credential) (string, error) {
	dir := filepath.Join(b.tmp, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if cred != nil {
		return dir, os.Chown(dir, int(cred.Uid), int(cred.Gid))
	}
	return dir, nil
}

// startPostgres starts one PostgreSQL with as many synchronous standbys; a commit waits for any one of them.
func (b *bench) startPostgres(name string, standbys int) (sys *system, err error) {
	b.say("starting %s", name)
	cred, err := postgresUser()
	if err != nil {
		return nil, err
	}
	base := strings.ReplaceAll(name, " ", "-")
	dir, err := b.pgFolder(base, cred)
	if err != nil {
		return nil, err
	}
	if err := b.as(cred, "initdb", "-D", dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	var settings, names []string
	for i := range standbys {
		names = append(names, fmt.Sprintf("s%d", i+1))
	}
	sys = &system{name: name}
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.stop())
		}
	}()
	primary, err := b.postgres(base, dir, cred, settings...)
	if err != nil {
		return nil, err
	}
	sys.servers = append(sys.servers, primary)
	for _, n := range names {
		dir, err := b.pgFolder(base+"-"+n, cred)
		if err != nil {
			return nil, err
		}
		from := fmt.Sprintf("host=127.0.0.1 port=%d user=postgres application_name=%s", primary.port, n)
		if err := b.as(cred, "pg_basebackup", "-D", dir, "-d", from, "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
			return nil, err
		}
		s, err := b.postgres(n, dir, cred, "hot_standby=on")
		if err != nil {
			return nil, err
		}
		sys.servers = append(sys.servers, s)
	}
	if standbys == 0 {
		return sys, nil
	}
	conn, err := pgx.Connect(b.ctx, url(primary.port, ""))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	for _, q := range []string{fmt.Sprintf("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (%s)'", strings.Join(names, ", ")), "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(b.ctx, q, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	return sys, b.until(30*time.Second, "both standbys are synchronous", func() (bool, error) {
		var n int
		err := conn.QueryRow(b.ctx, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'").Scan(&n)
		return n == standbys, err
	})
}

// until polls for something that comes true by itself.
func (b *bench) until(limit time.Duration, what string, ok func() (bool, error)) error {
	end := time.Now().Add(limit)
	for {
		done, err := ok()
		if done && err == nil {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("waited %s until %s", limit, what), err)
		}
		select {
		case <-b.ctx.Done():
			return context.Cause(b.ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// startNode starts one layercake node, which joins the given one.
func (b *bench) startNode(name, dir, join string) (*server, string, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, "", err
	}
	addr := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	args := []string{"start", "--insecure", "--name", name, "--data", dir, "--pg-addr", addr(0), "--rpc-addr", addr(1),
		"--gossip-addr", addr(2), "--http-addr", "none", "--log-level", "warn"}
	if join != "" {
		args = append(args, "--join", join)
	}
	at := time.Now()
	p, err := spawn(b.env, nil, filepath.Join(b.tmp, filepath.Base(dir)+".log"), b.binary, args...)
	if err != nil {
		return nil, "", err
	}
	s := &server{process: p, name: name, dir: dir, port: ports[0], sig: syscall.SIGTERM}
	if err := b.started(s, at); err != nil {
		return nil, "", errors.Join(err, s.stop(s.sig))
	}
	return s, addr(2), nil
}

// startLayercake starts a cluster of n nodes, each a process of its own.
func (b *bench) startLayercake(name string, n int) (sys *system, err error) {
	b.say("starting %s", name)
	sys = &system{name: name, layercake: true}
	defer func() {
		if err != nil {
			err = errors.Join(err, sys.stop())
		}
	}()
	join := ""
	for i := 1; i <= n; i++ {
		s, gossip, err := b.startNode(fmt.Sprintf("n%d", i), filepath.Join(b.tmp, fmt.Sprintf("%s-n%d", strings.ReplaceAll(name, " ", "-"), i)), join)
		if err != nil {
			return nil, err
		}
		sys.servers = append(sys.servers, s)
		if join == "" {
			join = gossip
		}
	}
	conn, err := pgx.Connect(b.ctx, url(sys.port(), ""))
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.Background())
	return sys, b.until(30*time.Second, "every node is alive", func() (bool, error) {
		var alive int
		err := conn.QueryRow(b.ctx, "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'").Scan(&alive)
		return alive == n, err
	})
}

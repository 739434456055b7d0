package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"layercake/bench/internal/figures"
)

// process is a program that the benchmark started and will end.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// spawn starts a program in a process group of its own, so that Ctrl-C in the terminal does not reach it before its
// clients have ended. Its output goes to the file log.
func spawn(env []string, cred *syscall.Credential, log, name string, args ...string) (*process, error) {
	return spawnIn("/", env, cred, log, name, args...)
}

// spawnIn is spawn in a working folder.
func spawnIn(dir string, env []string, cred *syscall.Credential, log, name string, args ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = env, f, f
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: cred}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop ends the program with sig, and its whole group by force when that takes too long.
func (p *process) stop(sig syscall.Signal) error { return p.end(p.pid(), sig) }

// stopGroup ends the program and all that it started.
func (p *process) stopGroup(sig syscall.Signal) error { return p.end(-p.pid(), sig) }

func (p *process) end(id int, sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = syscall.Kill(id, sig)
	select {
	case <-p.done:
		return nil
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("process %d did not stop on %s and was killed", p.pid(), sig)
	}
}

// failure is what the program's log ends with, for an error's text.
func (p *process) failure() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(data) > 2000 {
		data = data[len(data)-2000:]
	}
	return string(data)
}

// freePort finds a port that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// freeRow finds the first of n free ports in a row.
func freeRow(n int) (int, error) {
next:
	for range 100 {
		port, err := freePort()
		if err != nil {
			return 0, err
		}
		for i := 1; i < n; i++ {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if err != nil {
				continue next
			}
			_ = l.Close()
		}
		return port, nil
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}

// freePorts finds n different ones.
func freePorts(n int) ([]int, error) {
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}

func url(port int, options string) string {
	u := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	if options != "" {
		u += "&options=" + strings.ReplaceAll(strings.ReplaceAll(options, " ", "%20"), "=", "%3D")
	}
	return u
}

// firstQuery waits until a server answers a query, and fails when its process ends before.
func firstQuery(ctx context.Context, p *process, port int) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for {
		err := func() error {
			conn, err := pgx.Connect(ctx, url(port, ""))
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			var one int
			return conn.QueryRow(ctx, "SELECT 1").Scan(&one)
		}()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("the server ended: %s", p.failure())
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("no answer: %s", p.failure()))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// postgresUser is whom PostgreSQL runs as: it refuses to be root.
func postgresUser() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

// memory is the resident memory of a process and its children in bytes, pages that they share counted once.
func memory(pid int) (int64, error) {
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, f := range stats {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			continue
		}
		// The name, in parentheses, may hold anything.
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(fields) > 1 {
			parents[id], _ = strconv.Atoi(fields[1])
		}
	}
	total := int64(0)
	for id := range parents {
		at := id
		for at > 1 && at != pid {
			at = parents[at]
		}
		if at != pid {
			continue
		}
		n, err := figures.ProcField(fmt.Sprintf("/proc/%d/smaps_rollup", id), "Pss:")
		if err != nil {
			if id == pid {
				return 0, err
			}
			continue
		}
		total += n
	}
	return total, nil
}

// peakMemory is the most resident memory that one process ever had.
func peakMemory(pid int) (int64, error) {
	return figures.ProcField(fmt.Sprintf("/proc/%d/status", pid), "VmHWM:")
}

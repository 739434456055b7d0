// Command layercake runs a node, a demonstration cluster, and the client commands around them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set at link time by the release build.
var version = "0.1.0"

const usage = `layercake: a leaderless SQL database that speaks PostgreSQL's protocol

usage: layercake COMMAND [flags]

  start       run a node                        layercake start --help
  demo        run a cluster in one process, in a temporary folder
  status      show the node and its cluster
  node list   list the cluster's members
  node remove NAME
              take a member that will not return out of the cluster, for good
  leave       hand over what only this node has, and leave the cluster, for good
  verify      read every table on all members, compare them, and name the rows that differ
  backup FILE copy a running node's data to a file, as of one moment
  restore FILE
              make a data folder of a backup: an old copy of the node's, or a new cluster
  repair      put right the rows of a table that members hold differently: layercake repair TABLE
  bench       measure reads and writes a second, and how long each takes, on a table of its own
  cert        make a certificate authority and nodes' certificates: cert ca, cert node NAME --host HOST
  health      exit 0 when the node takes statements, by its HTTP address (for health checks)
  version     print the version

status, node, leave, verify, repair, backup and bench take --url postgres://user@host:port/db, else LAYERCAKE_URL,
else libpq's PG… variables. They exit 0 when all is well, 1 when something is not, 2 when it could not be told.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(Main(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// Main runs one command and returns its exit code. Tests run it in their own process.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	cmd, rest := args[0], args[1:]
	var err error
	switch cmd {
	case "start":
		err = runStart(ctx, rest, getenv, stderr)
	case "demo":
		err = runDemo(ctx, rest, getenv, stdout, stderr)
	case "backup":
		err = runBackup(ctx, rest, getenv, stdout, stderr)
	case "restore":
		err = runRestore(ctx, rest, getenv, stdout, stderr)
	case "bench":
		err = runBench(ctx, rest, getenv, stdout)
	case "cert":
		err = runCert(rest, getenv, stdout)
	case "health":
		err = runHealth(ctx, rest, getenv, stdout)
	case "status", "verify", "repair", "leave":
		err = runClient(ctx, cmd, rest, getenv, stdout)
	case "node":
		if len(rest) == 0 || rest[0] != "list" && rest[0] != "remove" {
			err = usageError("usage: layercake node list [--url URL]\n       layercake node remove NAME [--url URL]")
			break
		}
		err = runClient(ctx, "node "+rest[0], rest[1:], getenv, stdout)
	case "version", "--version":
		fmt.Fprintf(stdout, "layercake %s%s\n", version, revision())
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
	default:
		err = usageError(fmt.Sprintf("unknown command %q\n\n%s", cmd, usage))
	}
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.Is(err, errHelp):
		return 0
	}
	fmt.Fprintln(stderr, "layercake:", err)
	var u usageError
	if errors.As(err, &u) {
		return 2
	}
	if cmd == "start" || cmd == "demo" {
		return 1
	}
	return 2
}

// exitCode ends a command that has already said what there is to say.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// usageError is a command line that makes no sense.
type usageError string

func (e usageError) Error() string { return string(e) }

var errHelp = errors.New("help was asked for")

// revision is the commit that the binary was built from, if the build knows.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return " (" + s.Value[:12] + ")"
			}
		}
	}
	return ""
}

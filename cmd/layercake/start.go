package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"layercake/server"
)

var startOptions = []option{
	{name: "name", help: "name of this node, unique in the cluster"},
	{name: "data", help: "data folder, made if need be"},
	{name: "dc", def: server.DefaultDC, help: "data centre"},
	{name: "pg-addr", def: server.DefaultPGAddr, help: "where clients connect, host:port"},
	{name: "rpc-addr", def: server.DefaultRPCAddr, help: "replication between nodes, host:port"},
	{name: "gossip-addr", def: server.DefaultGossipAddr, help: "membership, host:port (TCP and UDP)"},
	{name: "http-addr", def: "127.0.0.1:8080", help: "health, metrics and profiles, host:port; none to do without"},
	{name: "advertise", help: "host that other nodes reach this one by"},
	{name: "join", many: true, help: "gossip host:port of a member; may be given more than once"},
	{name: "insecure", flag: true, help: "let every client in without a password"},
	{name: "password-file", help: "file with the password of the superuser postgres, for the node that creates a cluster; the variable LAYERCAKE_PASSWORD may hold the password itself"},
	{name: "consistency", help: "default of the setting consistency on this node"},
	{name: "tls-cert", help: "certificate offered to clients, PEM"},
	{name: "tls-key", help: "its key, PEM"},
	{name: "cluster-ca", help: "certificate authority of the nodes, PEM"},
	{name: "cluster-cert", help: "this node's certificate towards other nodes, PEM"},
	{name: "cluster-key", help: "its key, PEM"},
	{name: "gossip-key-file", help: "file with 16, 24 or 32 bytes that encrypt gossip"},
	{name: "max-connections", def: "1000", help: "client connections at most"},
	{name: "max-clock-offset", def: "500ms", help: "an entry stamped further ahead waits"},
	{name: "verify-interval", def: "1m", help: "how often the members' digests are compared; 0 for never"},
	{name: "max-wal", def: "1024", help: "MiB that the write-ahead log may grow to before queries and transactions that keep it from being reused are ended"},
	{name: "max-transaction", def: "1024", help: "MiB that one transaction may write, at most 1024; more is refused with 54000"},
	{name: "log-cap-mb", def: "4096", help: "a replication log that is greater does not wait for absent members: they take a snapshot when they come back"},
	{name: "log-cap-age", def: "24h", help: "the same for one that reaches further back"},
	{name: "log-level", def: "info", help: "debug, info, warn or error"},
	{name: "config", help: "config file, TOML: these names as keys, and a table [settings] of session defaults"},
}

// newLogger logs as text on a terminal and as JSON elsewhere.
func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError(fmt.Sprintf("--log-level: %q is not debug, info, warn or error", level))
	}
	o := &slog.HandlerOptions{Level: l}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
	return slog.New(slog.NewJSONHandler(w, o)), nil
}

// widen lets more threads run Go code than there are processors, unless the environment says how many. A thread that is
// in SQLite, or waits for its fsync, keeps its share of the processors until the runtime notices.
func widen(getenv func(string) string) {
	if getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0))
	}
}

// stopLimit is how long the node may take to stop. A statement that SQLite does not let go of would keep it for ever.
const stopLimit = 15 * time.Second

func runStart(ctx context.Context, args []string, getenv func(string) string, stderr io.Writer) error {
	o, err := parseOptions("start", startOptions, args, getenv, stderr)
	if err != nil {
		return err
	}
	cfg, err := serverConfig(o, getenv)
	if err != nil {
		return err
	}
	if cfg.Logger, err = newLogger(stderr, o.get("log-level")); err != nil {
		return err
	}
	cfg.Fatal = func(err error) {
		cfg.Logger.Error("the disk failed: what is on it is unknown; stopping at once", "err", err)
		os.Exit(3)
	}
	context.AfterFunc(ctx, func() {
		time.Sleep(stopLimit)
		cfg.Logger.Error("the node does not stop: leaving as a crash would, which loses nothing acknowledged", "after", stopLimit)
		os.Exit(3)
	})
	widen(getenv)
	n, err := server.New(cfg)
	if err != nil {
		return err
	}
	cfg.Logger.Info("starting", "node", cfg.Name, "version", version, "pg", n.PGAddr(), "rpc", n.RPCAddr(), "gossip", cfg.GossipAddr, "http", n.HTTPAddr(), "data", cfg.Dir)
	return n.Run(ctx)
}

func serverConfig(o *options, getenv func(string) string) (server.Config, error) {
	cfg := server.Config{Name: o.get("name"), Dir: o.get("data"), DC: o.get("dc"), PGAddr: o.get("pg-addr"), RPCAddr: o.get("rpc-addr"),
		GossipAddr: o.get("gossip-addr"), HTTPAddr: o.get("http-addr"), Advertise: o.get("advertise"), Join: o.list("join"),
		Insecure: o.is("insecure"), Settings: o.settings}
	if cfg.Name == "" {
		return cfg, usageError("--name is needed: the node's name, unique in the cluster")
	}
	if cfg.Dir == "" {
		return cfg, usageError("--data is needed: the folder for this node's data")
	}
	if cfg.HTTPAddr == "none" {
		cfg.HTTPAddr = ""
	}
	var err error
	if cfg.MaxConnections, err = strconv.Atoi(o.get("max-connections")); err != nil || cfg.MaxConnections < 1 {
		return cfg, usageError(fmt.Sprintf("--max-connections: %q is not a number above 0", o.get("max-connections")))
	}
	wal, err := strconv.Atoi(o.get("max-wal"))
	if err != nil || wal < 1 || wal > 1<<20 {
		return cfg, usageError(fmt.Sprintf("--max-wal: %q is not a number of MiB from 1 to 1048576", o.get("max-wal")))
	}
	cfg.MaxWAL = int64(wal) << 20
	largest, err := strconv.Atoi(o.get("max-transaction"))
	if err != nil || largest < 1 || largest > server.MostTransaction>>20 {
		return cfg, usageError(fmt.Sprintf("--max-transaction: %q is not a number of MiB from 1 to %d", o.get("max-transaction"), server.MostTransaction>>20))
	}
	cfg.MaxTransaction = largest << 20
	d, err := time.ParseDuration(o.get("max-clock-offset"))
	if err != nil || d <= 0 {
		return cfg, usageError(fmt.Sprintf("--max-clock-offset: %q is not a duration such as 500ms", o.get("max-clock-offset")))
	}
	cfg.MaxClockOffset = d
	if d, err = time.ParseDuration(o.get("verify-interval")); err != nil || d < 0 {
		return cfg, usageError(fmt.Sprintf("--verify-interval: %q is not a duration such as 1m", o.get("verify-interval")))
	}
	if cfg.VerifyInterval = d; d == 0 {
		cfg.VerifyInterval = -1
	}
	mb, err := strconv.ParseInt(o.get("log-cap-mb"), 10, 64)
	if err != nil || mb < 1 || mb > 1<<40 {
		return cfg, usageError(fmt.Sprintf("--log-cap-mb: %q is not a number of megabytes", o.get("log-cap-mb")))
	}
	cfg.LogCapBytes = mb << 20
	if cfg.LogCapAge, err = time.ParseDuration(o.get("log-cap-age")); err != nil || cfg.LogCapAge <= 0 {
		return cfg, usageError(fmt.Sprintf("--log-cap-age: %q is not a duration such as 24h", o.get("log-cap-age")))
	}
	if v := o.get("consistency"); v != "" {
		if cfg.Settings == nil {
			cfg.Settings = map[string]string{}
		}
		cfg.Settings["consistency"] = v
	}
	if f := o.get("password-file"); f != "" {
		b, err := os.ReadFile(f)
		if err != nil {
			return cfg, fmt.Errorf("--password-file: %w", err)
		}
		cfg.Password = strings.TrimRight(string(b), "\r\n")
		if cfg.Password == "" {
			return cfg, fmt.Errorf("--password-file: %s is empty", f)
		}
	} else {
		cfg.Password = getenv("LAYERCAKE_PASSWORD")
	}
	if f := o.get("gossip-key-file"); f != "" {
		if cfg.GossipKey, err = os.ReadFile(f); err != nil {
			return cfg, fmt.Errorf("--gossip-key-file: %w", err)
		}
	}
	if cfg.TLS, err = clientTLS(o); err != nil {
		return cfg, err
	}
	cfg.ClusterTLS, err = clusterTLS(o)
	return cfg, err
}

func clientTLS(o *options) (*tls.Config, error) {
	cert, key := o.get("tls-cert"), o.get("tls-key")
	if cert == "" && key == "" {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}, nil
}

func clusterTLS(o *options) (*tls.Config, error) {
	ca, cert, key := o.get("cluster-ca"), o.get("cluster-cert"), o.get("cluster-key")
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	if ca == "" || cert == "" || key == "" {
		return nil, usageError("--cluster-ca, --cluster-cert and --cluster-key go together")
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--cluster-cert and --cluster-key: %w", err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--cluster-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("--cluster-ca: no certificate in the file")
	}
	return &tls.Config{Certificates: []tls.Certificate{c}, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}, nil
}

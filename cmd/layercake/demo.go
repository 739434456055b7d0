package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"layercake/server"
)

var demoOptions = []option{
	{name: "nodes", def: "3", help: "number of nodes, 1 to 9"},
	{name: "pg-port", def: "5432", help: "port of the first node; each further one takes the next free"},
	{name: "log-level", def: "error", help: "debug, info, warn or error"},
}

// runDemo runs a whole cluster in this process, over two data centres, until ctx ends.
func runDemo(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	o, err := parseOptions("demo", demoOptions, args, getenv, stderr)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(o.get("nodes"))
	if err != nil || count < 1 || count > 9 {
		return usageError(fmt.Sprintf("--nodes: %q is not a number from 1 to 9", o.get("nodes")))
	}
	port, err := strconv.Atoi(o.get("pg-port"))
	if err != nil || port < 1 || port > 65535 {
		return usageError(fmt.Sprintf("--pg-port: %q is not a port", o.get("pg-port")))
	}
	log, err := newLogger(stderr, o.get("log-level"))
	if err != nil {
		return err
	}
	widen(getenv)
	dir, err := os.MkdirTemp("", "layercake-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	var nodes []*server.Node
	defer func() {
		stop, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		for i := len(nodes) - 1; i >= 0; i-- {
			err = errors.Join(err, nodes[i].Close(stop))
		}
	}()
	want := port
	for i := 1; i <= count; i++ {
		if port, err = freePort(port); err != nil {
			return err
		}
		if port != want {
			fmt.Fprintf(stdout, "Port %d is in use; node n%d takes port %d.\n", want, i, port)
		}
		cfg := server.Config{Name: fmt.Sprintf("n%d", i), DC: "dc1", Dir: filepath.Join(dir, fmt.Sprintf("n%d", i)),
			PGAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), RPCAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
			Insecure: true, FastGossip: true, Logger: log}
		if i > (count+1)/2 {
			cfg.DC = "dc2"
		}
		if len(nodes) > 0 {
			cfg.Join = []string{nodes[0].GossipAddr()}
		}
		n, err := server.New(cfg)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
		if err := n.Start(ctx); err != nil {
			if ctx.Err() != nil {
				return nil // Ctrl-C while starting
			}
			return err
		}
		port++
		want = port
	}
	fmt.Fprintf(stdout, "\nA layercake cluster of %d node(s) is running. Every node takes reads and writes:\n\n", count)
	var lines []string
	for i, n := range nodes {
		_, p, _ := net.SplitHostPort(n.PGAddr())
		dc := "dc1"
		if i+1 > (count+1)/2 {
			dc = "dc2"
		}
		line := fmt.Sprintf("psql -h 127.0.0.1 -p %s -U postgres", p)
		lines = append(lines, line)
		fmt.Fprintf(stdout, "  n%d (%s)   %s\n", i+1, dc, line)
	}
	fmt.Fprintf(stdout, "\nTry it, with a write on the first node and a read on the last:\n\n")
	fmt.Fprintf(stdout, "  %s -c \"CREATE TABLE cakes (id int PRIMARY KEY, name text)\"\n", lines[0])
	fmt.Fprintf(stdout, "  %s -c \"INSERT INTO cakes VALUES (1, 'opera'), (2, 'mille-feuille')\"\n", lines[0])
	fmt.Fprintf(stdout, "  %s -c \"SET consistency = 'quorum'\" -c \"SELECT * FROM cakes\"\n", lines[len(lines)-1])
	fmt.Fprintf(stdout, "  %s -c \"SELECT name, dc, state, rtt_ms FROM layercake.nodes\"\n", lines[0])
	fmt.Fprintf(stdout, "\nThe data is in %s and goes when you press Ctrl-C.\n", dir)
	<-ctx.Done()
	fmt.Fprintln(stdout, "\nStopping.")
	return nil
}

// freePort finds the first port from p on that nobody listens on.
func freePort(p int) (int, error) {
	for ; p <= 65535; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			return p, l.Close()
		}
	}
	return 0, errors.New("no free port for clients")
}

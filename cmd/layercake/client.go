package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var clientOptions = []option{
	{name: "url", help: "postgres://user@host:port/database of the node to ask"},
	{name: "timeout", def: "30s", help: "how long to wait for answers"},
}

// operands are the commands that take one name before their flags, and what it names.
var operands = map[string]string{"node remove": "NAME", "repair": "TABLE"}

// runClient runs a command that asks a node: status, node list, node remove, leave, verify, repair TABLE.
func runClient(ctx context.Context, cmd string, args []string, getenv func(string) string, stdout io.Writer) error {
	operand := ""
	if what := operands[cmd]; what != "" {
		if len(args) == 0 || strings.HasPrefix(args[0], "-") {
			return usageError("usage: layercake " + cmd + " " + what + " [--url URL]")
		}
		operand, args = args[0], args[1:]
	}
	o, err := parseOptions(cmd, clientOptions, args, getenv, stdout)
	if err != nil {
		return err
	}
	ctx, cancel, err := bounded(ctx, o.get("timeout"))
	if err != nil {
		return err
	}
	defer cancel()
	conn, err := connect(ctx, o.get("url"), nil)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if cmd == "status" {
		if err := levels(ctx, conn, stdout); err != nil {
			return err
		}
	}
	// What is asked is how this node sees the cluster, all the more when a default level can't be met.
	if _, err := conn.query(ctx, "SET read_consistency = 'none'"); err != nil {
		return err
	}
	switch cmd {
	case "status":
		return status(ctx, conn, stdout)
	case "node list":
		return nodeList(ctx, conn, stdout)
	case "repair":
		return repair(ctx, conn, operand, stdout)
	case "node remove":
		return changeMembers(ctx, conn, stdout, "SELECT layercake.remove_node($1)", operand)
	case "leave":
		return changeMembers(ctx, conn, stdout, "SELECT layercake.leave()")
	}
	return verify(ctx, conn, stdout)
}

// bounded bounds ctx by what --timeout says; 0 is no bound.
func bounded(ctx context.Context, timeout string) (context.Context, context.CancelFunc, error) {
	d, err := time.ParseDuration(timeout)
	if err != nil || d < 0 {
		return nil, nil, usageError(fmt.Sprintf("--timeout: %q is not a duration", timeout))
	}
	if d == 0 {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel, nil
}

// connect connects to the node that --url or libpq's variables name. change, unless it is nil, changes the
// configuration before. A node that does not answer within ten seconds is given up, unless connect_timeout says else.
func connect(ctx context.Context, url string, change func(*pgconn.Config)) (*client, error) {
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, usageError(fmt.Sprintf("--url: %v", err))
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	if change != nil {
		change(cfg)
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &client{conn}, nil
}

// client is a connection to a node. pgconn alone is less than half of pgx, and all of the binary that is read stays in the
// memory of a node, too.
type client struct{ *pgconn.PgConn }

// query runs a statement with parameters of text, and returns its rows as text, NULL as nil.
func (c *client) query(ctx context.Context, sql string, args ...string) ([][][]byte, error) {
	params := make([][]byte, len(args))
	for i, a := range args {
		params[i] = []byte(a)
	}
	r := c.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	return r.Rows, r.Err
}

// one runs a statement that gives one row.
func (c *client) one(ctx context.Context, sql string, args ...string) ([][]byte, error) {
	rows, err := c.query(ctx, sql, args...)
	if err == nil && len(rows) != 1 {
		err = fmt.Errorf("the node answers with %d rows", len(rows))
	}
	if err != nil {
		return nil, err
	}
	return rows[0], nil
}

// notices prints what a node says besides its answers.
func notices(to io.Writer) func(*pgconn.PgConn, *pgconn.Notice) {
	return func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Fprintf(to, "%s: %s\n", n.Severity, n.Message) }
}

var healthOptions = []option{
	{name: "http-addr", def: "127.0.0.1:8080", help: "the node's HTTP address"},
	{name: "timeout", def: "3s", help: "how long to wait for the answer"},
}

// runHealth asks a node's /readyz, which needs no password.
func runHealth(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	o, err := parseOptions("health", healthOptions, args, getenv, stdout)
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(o.get("timeout"))
	if err != nil {
		return usageError(fmt.Sprintf("--timeout: %q is not a duration", o.get("timeout")))
	}
	host, port, err := net.SplitHostPort(o.get("http-addr"))
	if err != nil {
		return usageError(fmt.Sprintf("--http-addr: %q is not host:port", o.get("http-addr")))
	}
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Fprintln(stdout, err)
		return exitCode(1)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	fmt.Fprintf(stdout, "%s", body)
	if resp.StatusCode != http.StatusOK {
		return exitCode(1)
	}
	return nil
}

func nodeList(ctx context.Context, conn *client, stdout io.Writer) error {
	rows, err := conn.query(ctx, `SELECT name, id, dc, state, is_self, pg_addr, rpc_addr, rtt_ms, applied FROM layercake.nodes ORDER BY name`)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tID\tDC\tSTATE\tCLIENTS\tREPLICATION\tRTT\tAPPLIED")
	down := 0
	for _, row := range rows {
		name, state, rtt, applied := string(row[0]), string(row[3]), "-", "-"
		if state != "alive" {
			down++
		}
		if string(row[4]) == "t" {
			name += " *"
		}
		if row[7] != nil {
			ms, err := strconv.ParseFloat(string(row[7]), 64)
			if err != nil {
				return err
			}
			rtt = fmt.Sprintf("%.2f ms", ms)
		}
		if row[8] != nil {
			applied = string(row[8])
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, row[1], row[2], state, row[5], row[6], rtt, applied)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if down > 0 {
		fmt.Fprintf(stdout, "%d member(s) not alive\n", down)
		return exitCode(1)
	}
	return nil
}

// changeMembers removes a member or has the node asked leave, and prints what came of it.
func changeMembers(ctx context.Context, conn *client, stdout io.Writer, sql string, args ...string) error {
	said, err := conn.one(ctx, sql, args...)
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		fmt.Fprintln(stdout, refused.Message)
		for _, more := range []string{refused.Detail, refused.Hint} {
			if more != "" {
				fmt.Fprintln(stdout, more)
			}
		}
		return exitCode(1)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n", said[0])
	return err
}

// levels prints the levels that sessions start with.
func levels(ctx context.Context, conn *client, stdout io.Writer) error {
	row, err := conn.one(ctx, `SELECT current_setting('server_version'), current_setting('read_consistency'), current_setting('write_consistency')`)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "speaks PostgreSQL %s; default levels here: read %s, write %s\n\n", row[0], row[1], row[2])
	return err
}

func status(ctx context.Context, conn *client, stdout io.Writer) error {
	members := nodeList(ctx, conn, stdout)
	rows, err := conn.query(ctx, `SELECT peer, origin, sent, acked, lag_entries, lag_ms, state FROM layercake.replication ORDER BY peer, origin`)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "\nPEER\tORIGIN\tSENT\tACKED\tLAG\tLAG TIME\tSTATE")
	for _, row := range rows {
		ms, err := strconv.ParseFloat(string(row[5]), 64)
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%.1f ms\t%s\n", row[0], row[1], row[2], row[3], row[4], ms, row[6])
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return members
}

// verify has every member read its rows, prints their digests, and says whether they agree and what differs.
func verify(ctx context.Context, conn *client, stdout io.Writer) error {
	rows, err := conn.query(ctx, `SELECT node, relation, rows, digest, ok, detail FROM layercake.verify()`)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "RELATION\tNODE\tROWS\tDIGEST")
	relations, nodes := map[string]bool{}, map[string]bool{}
	var different, silent, found []string
	for _, row := range rows {
		node, relation, n, digest, ok, detail := string(row[0]), string(row[1]), row[2], row[3], string(row[4]) == "t", string(row[5])
		if relation == "" {
			silent = append(silent, fmt.Sprintf("%s: %s", node, detail))
			continue
		}
		relations[relation], nodes[node] = true, true
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", relation, node, n, digest)
		if !ok && !slices.Contains(different, relation) {
			different = append(different, relation)
		}
		if detail != "" {
			found = append(found, fmt.Sprintf("  %s on %s: %s", relation, node, detail))
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, s := range silent {
		fmt.Fprintln(stdout, s)
	}
	switch {
	case len(different) > 0:
		for _, r := range different {
			fmt.Fprintf(stdout, "DIFFERENT: %s\n", r)
		}
		for _, f := range found {
			fmt.Fprintln(stdout, f)
		}
		return exitCode(1)
	case len(silent) > 0:
		fmt.Fprintf(stdout, "%d member(s) gave no answer: equality could not be told\n", len(silent))
		return exitCode(2)
	}
	fmt.Fprintf(stdout, "equal: %d relation(s) on %d node(s)\n", len(relations), len(nodes))
	return nil
}

// repair puts right what the members hold differently of a table.
func repair(ctx context.Context, conn *client, table string, stdout io.Writer) error {
	row, err := conn.one(ctx, `SELECT layercake.repair($1::text::regclass)`, table)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s row(s) put right; the replicas of %s are equal\n", row[0], table)
	return err
}

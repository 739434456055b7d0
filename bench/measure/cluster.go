package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"

	"layercake/bench/internal/nodes"
)

// count is what a query gives, a number.
func (r *run) count(conn *pgx.Conn, sql string, args ...any) (n int64, err error) {
	err = conn.QueryRow(r.Ctx, sql, args...).Scan(&n)
	return n, err
}

// sent is how many bytes the nodes have sent to each other over TCP connections of replication that are still open.
func (r *run) sent(c nodes.Cluster) (int64, error) {
	out, err := exec.CommandContext(r.Ctx, "ss", "-tnipH", "state", "established").Output()
	if err != nil {
		return 0, fmt.Errorf("ss (of iproute2): %w", err)
	}
	var sum int64
	lines := bytes.Split(out, []byte("\n"))
	for i, l := range lines {
		for _, n := range c {
			if i+1 < len(lines) && bytes.Contains(l, []byte(n.RPC+" ")) {
				if m := bytesSent.FindSubmatch(lines[i+1]); m != nil {
					k, err := strconv.ParseInt(string(m[1]), 10, 64)
					if err != nil {
						return 0, err
					}
					sum += k
				}
				break
			}
		}
	}
	return sum, nil
}

var bytesSent = regexp.MustCompile(`bytes_sent:([0-9]+)`)

// client is a connection that loads.
type client struct {
	run *run
	*pgx.Conn
}

// load copies rows into a table, in transactions of each rows.
func (c *client) load(table string, from, rows, each int) error {
	return c.run.Load(c.Conn, table, &nodes.Rows{Next: from, Count: rows}, each)
}

// reaches waits until a node has what this connection has seen.
func (c *client) reaches(n *nodes.Node) error {
	var token string
	if err := c.QueryRow(c.run.Ctx, "SELECT layercake.session_token()").Scan(&token); err != nil {
		return err
	}
	there, err := c.run.Connect(n, "consistency_timeout=5min")
	if err != nil {
		return err
	}
	defer there.Close(context.Background())
	_, err = there.Exec(c.run.Ctx, "SELECT layercake.wait_for($1)", token)
	return err
}

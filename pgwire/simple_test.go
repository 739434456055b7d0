package pgwire_test

import (
	"context"
	"net"
	"os/exec"
	"testing"
)

func TestSimpleQuery(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	c := connect(t, addr)
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"select 1", []string{"RowDescription", "DataRow 1", "CommandComplete SELECT 1", "ReadyForQuery I"}},
		{"select 1; select 2 3", []string{"RowDescription", "DataRow 1", "CommandComplete SELECT 1", "RowDescription", "DataRow 2,3", "CommandComplete SELECT 1", "ReadyForQuery I"}},
		{"", []string{"EmptyQueryResponse", "ReadyForQuery I"}},
		{"begin", []string{"CommandComplete BEGIN", "ReadyForQuery T"}},
		{"select 1; error 22012; select 3", []string{"RowDescription", "DataRow 1", "CommandComplete SELECT 1", "Error ERROR 22012", "ReadyForQuery E"}},
		{"commit", []string{"CommandComplete COMMIT", "ReadyForQuery I"}},
		{"inner", []string{"Error ERROR XX000", "ReadyForQuery I"}},
		{"notice hear", []string{"Notice hear", "CommandComplete NOTICE", "ReadyForQuery I"}},
		{"set app", []string{"CommandComplete SET", "ParameterStatus application_name=app", "ReadyForQuery I"}},
		{"rows 2", []string{"RowDescription", "DataRow 1,row 1", "DataRow 2,row 2", "CommandComplete SELECT 2", "ReadyForQuery I"}},
	} {
		c.query(tc.query)
		c.want(tc.want...)
	}
}

func TestPgx(t *testing.T) {
	_, addr := serve(t, newBackend(), nil)
	for _, mode := range []string{"simple_protocol", "exec", "describe_exec", "cache_describe", "cache_statement"} {
		t.Run(mode, func(t *testing.T) {
			c := pgxConnect(t, connString(addr, "&default_query_exec_mode="+mode))
			for range 2 {
				var n int
				if err := c.QueryRow(context.Background(), "select 42").Scan(&n); err != nil || n != 42 {
					t.Fatalf("got %d, %v, want 42", n, err)
				}
			}
		})
	}
}

func TestPsql(t *testing.T) {
	psql, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("psql is not installed")
	}
	_, addr := serve(t, newBackend(), nil)
	host, port, _ := net.SplitHostPort(addr)
	cmd := exec.Command(psql, "-X", "-At", "-h", host, "-p", port, "-U", "joe", "-d", "db", "-c", "select 7 8", "-c", "copyout 3")
	out, err := cmd.CombinedOutput()
	if got, want := string(out), "7|8\n0\n1\n2\n"; err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

package integration

import (
	"context"
	"net"
	"os"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const superuserPassword = "käse/&? secret"

// guarded starts nodes that ask for passwords.
func guarded(t *testing.T, dcs ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir(), net: newNetwork(), password: superuserPassword}
	t.Cleanup(c.close)
	for _, dc := range dcs {
		c.add(dc)
	}
	return c
}

// login tries to open a session on a node as a user.
func (c *cluster) login(i int, user, password string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(c.url(i))
	if err != nil {
		c.t.Fatal(err)
	}
	cfg.User, cfg.Password = user, password
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err == nil {
		c.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	return conn, err
}

func (c *cluster) mustLogin(i int, user, password string) *pgx.Conn {
	c.t.Helper()
	conn, err := c.login(i, user, password)
	if err != nil {
		c.t.Fatalf("%s on node %d: %v", user, i+1, err)
	}
	return conn
}

func (c *cluster) refuses(i int, user, password, code string) {
	c.t.Helper()
	if _, err := c.login(i, user, password); sqlstate(err) != code {
		c.t.Errorf("%s on node %d: got %v, want SQLSTATE %s", user, i+1, err, code)
	}
}

// eventuallyLogin waits until a login ends with a SQLSTATE, "" for success.
func (c *cluster) eventuallyLogin(i int, user, password, want string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := c.login(i, user, password)
		if err == nil {
			_ = conn.Close(ctx)
		}
		if sqlstate(err) == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%s on node %d: got %v, want SQLSTATE %q", user, i+1, err, want)
		}
	}
}

// TestPasswords: SCRAM-SHA-256 with pgx; a wrong password and an unknown user look alike.
func TestPasswords(t *testing.T) {
	c := guarded(t, "dc1")
	conn := c.mustLogin(0, "postgres", superuserPassword)
	wantOne(t, conn, "postgres", "SELECT current_user::text")
	for _, user := range []string{"postgres", "nobody"} {
		for _, password := range []string{"wrong", "", superuserPassword + "x"} {
			c.refuses(0, user, password, "28P01")
		}
	}
	// The server never asks for the password itself, or for its MD5.
	cfg, err := pgconn.ParseConfig(c.url(0))
	if err != nil {
		t.Fatal(err)
	}
	cfg.User, cfg.Password = "postgres", superuserPassword
	methods := ""
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		nc, err := d.DialContext(ctx, network, addr)
		return &sniffer{Conn: nc, seen: &methods}, err
	}
	pc, err := pgconn.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(methods, "SCRAM-SHA-256\x00") {
		t.Errorf("the server offers no SCRAM-SHA-256: %q", methods)
	}
	if strings.Contains(methods, superuserPassword) {
		t.Error("the password came back")
	}
	// What a password is checked with shows nowhere: whoever has it can guess at leisure.
	wantOne(t, conn, "********", "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
	wantOne(t, conn, "********", "SELECT rolpassword FROM pg_roles WHERE rolname = 'postgres'")
}

// sniffer keeps the first bytes that a server sent.
type sniffer struct {
	net.Conn
	seen *string
}

func (s *sniffer) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	if len(*s.seen) < 4096 {
		*s.seen += string(b[:n])
	}
	return n, err
}

// TestPsqlPassword logs psql in with a password, and with a wrong one.
func TestPsqlPassword(t *testing.T) {
	psql, err := osexec.LookPath("psql")
	if err != nil {
		t.Skipf("psql is not installed: %v", err)
	}
	c := guarded(t, "dc1")
	run := func(user, password string) (string, error) {
		host, port, _ := net.SplitHostPort(c.nodes[0].PGAddr())
		cmd := osexec.Command(psql, "-X", "-w", "-A", "-t", "-h", host, "-p", port, "-U", user, "-d", "postgres", "-c", "SELECT current_user")
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "PGCONNECT_TIMEOUT=10")
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	if got, err := run("postgres", superuserPassword); err != nil || got != "postgres" {
		t.Errorf("psql: %q, %v", got, err)
	}
	exec(t, c.mustLogin(0, "postgres", superuserPassword), `CREATE ROLE "Ärger" LOGIN PASSWORD 'pä$$'`)
	if got, err := run("Ärger", "pä$$"); err != nil || got != "Ärger" {
		t.Errorf("psql as a new role: %q, %v", got, err)
	}
	got, err := run("postgres", "wrong")
	if err == nil || !strings.Contains(got, `password authentication failed for user "postgres"`) {
		t.Errorf("psql with a wrong password: %q, %v", got, err)
	}
}

// TestRolesAreReplicated: what one node learns of roles holds on the other.
func TestRolesAreReplicated(t *testing.T) {
	c := guarded(t, "dc1", "dc2")
	admin := c.mustLogin(0, "postgres", superuserPassword)
	c.mustLogin(1, "postgres", superuserPassword) // the second node made no password of its own
	exec(t, admin, "SET consistency = 'all'")

	exec(t, admin, "CREATE ROLE app LOGIN PASSWORD 'first'")
	c.mustLogin(1, "app", "first")
	c.refuses(1, "app", "second", "28P01")

	exec(t, admin, "ALTER ROLE app PASSWORD 'second'")
	c.mustLogin(1, "app", "second")
	c.refuses(1, "app", "first", "28P01")
	c.refuses(0, "app", "first", "28P01")

	exec(t, admin, "ALTER ROLE app NOLOGIN")
	c.refuses(0, "app", "second", "28000")
	c.refuses(1, "app", "second", "28000")
	exec(t, admin, "ALTER ROLE app LOGIN")
	app := c.mustLogin(1, "app", "second")

	// Not for everybody.
	exec(t, admin, "CREATE ROLE staff NOLOGIN PASSWORD 'x'")
	fails(t, app, "42501", "CREATE ROLE other LOGIN")
	fails(t, app, "42501", "ALTER ROLE postgres PASSWORD 'mine'")
	fails(t, app, "42501", "DROP ROLE staff")
	fails(t, app, "42501", "ALTER ROLE app SUPERUSER")
	fails(t, app, "42501", "GRANT postgres TO app")
	fails(t, app, "42501", "ALTER ROLE postgres SET consistency = 'none'")
	fails(t, app, "42501", "ALTER DATABASE postgres SET consistency = 'none'")
	fails(t, app, "42501", "SET ROLE postgres")
	exec(t, app, "ALTER ROLE app SET search_path = 'public'")
	exec(t, app, "SET write_consistency = 'all'")
	exec(t, app, "ALTER ROLE app PASSWORD 'third'")
	c.mustLogin(0, "app", "third")
	exec(t, admin, "CREATE ROLE clerk LOGIN CREATEROLE PASSWORD 'x'")
	clerk := c.mustLogin(0, "clerk", "x")
	exec(t, clerk, "CREATE ROLE hire LOGIN")
	exec(t, clerk, "ALTER ROLE hire PASSWORD 'y'")
	fails(t, clerk, "42501", "CREATE ROLE boss SUPERUSER")
	fails(t, clerk, "42501", "ALTER ROLE postgres PASSWORD 'mine'")
	fails(t, clerk, "42501", "GRANT postgres TO hire")
	exec(t, clerk, "DROP ROLE hire")
	exec(t, admin, "ALTER ROLE app PASSWORD 'second'")
	fails(t, admin, "42710", "CREATE ROLE app")
	fails(t, admin, "42704", "DROP ROLE nobody")

	// Passwords that are no longer valid, and a node's sessions of one role.
	exec(t, admin, "CREATE ROLE expired LOGIN PASSWORD 'x' VALID UNTIL '2020-01-01'")
	c.refuses(1, "expired", "x", "28P01")
	fails(t, admin, "22007", "ALTER ROLE expired VALID UNTIL 'garbage'")
	fails(t, admin, "22007", "ALTER ROLE expired VALID UNTIL ''")
	exec(t, admin, "SET TimeZone = 'America/New_York'")
	exec(t, admin, "ALTER ROLE expired VALID UNTIL '2020-01-01'")
	wantOne(t, admin, "2020-01-01 05:00:00", "SELECT rolvaliduntil AT TIME ZONE 'UTC' FROM pg_authid WHERE rolname = 'expired'")
	exec(t, admin, "RESET TimeZone")
	c.refuses(1, "expired", "x", "28P01")
	exec(t, admin, "ALTER ROLE expired VALID UNTIL 'infinity'")
	c.mustLogin(1, "expired", "x")
	exec(t, admin, "CREATE ROLE few LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
	few := c.mustLogin(0, "few", "x")
	c.refuses(0, "few", "x", "53300")
	if err := few.Close(context.Background()); err != nil {
		t.Error(err)
	}
	eventually(t, admin, "0", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'few'")
	c.mustLogin(0, "few", "x")

	// No password, no login.
	exec(t, admin, "CREATE ROLE bare LOGIN")
	c.refuses(0, "bare", "", "28P01")
	c.refuses(0, "staff", "x", "28000")

	exec(t, admin, "ALTER ROLE app RENAME TO service")
	c.refuses(1, "app", "second", "28P01")
	c.mustLogin(1, "service", "second")
	exec(t, admin, "DROP ROLE service")
	c.refuses(0, "service", "second", "28P01")
	c.refuses(1, "service", "second", "28P01")

	// A role made on the other node while the nodes are apart comes over.
	c.net.split([]int{0}, []int{1})
	other := c.mustLogin(1, "postgres", superuserPassword)
	exec(t, other, "SET consistency = 'none'")
	exec(t, other, "CREATE ROLE late LOGIN PASSWORD 'x'")
	c.refuses(0, "late", "x", "28P01")
	c.net.heal()
	c.eventuallyLogin(0, "late", "x", "")
}

// TestRoleSettings: ALTER ROLE … SET and ALTER DATABASE … SET take effect at the next login, on every node.
func TestRoleSettings(t *testing.T) {
	c := guarded(t, "dc1", "dc1")
	admin := c.mustLogin(0, "postgres", superuserPassword)
	exec(t, admin, "SET consistency = 'all'")
	exec(t, admin, "CREATE ROLE app LOGIN PASSWORD 'x'")
	before := c.mustLogin(1, "app", "x")
	wantOne(t, before, "quorum/none", "SELECT current_setting('write_consistency') || '/' || current_setting('read_consistency')")
	exec(t, admin, "ALTER ROLE app SET consistency = 'two'")
	fails(t, admin, "22023", "ALTER ROLE app SET consistency = 'most'")
	const show = "SELECT current_setting('write_consistency') || '/' || current_setting('read_consistency')"
	wantOne(t, before, "quorum/none", show)
	for n := range c.nodes {
		wantOne(t, c.mustLogin(n, "app", "x"), "two/two", show)
		wantOne(t, c.mustLogin(n, "postgres", superuserPassword), "quorum/none", show)
	}
	// Two nodes can't give two others: the level is in force.
	fails(t, c.mustLogin(1, "app", "x"), "53000", "CREATE TABLE t (id int)")
	exec(t, admin, "ALTER DATABASE postgres SET read_consistency = 'one'")
	wantOne(t, c.mustLogin(1, "postgres", superuserPassword), "quorum/one", show)
	wantOne(t, c.mustLogin(1, "app", "x"), "two/two", show) // the role's goes first
	exec(t, admin, "ALTER ROLE app RESET consistency")
	wantOne(t, c.mustLogin(1, "app", "x"), "quorum/one", show)
	exec(t, admin, "ALTER DATABASE postgres RESET ALL")
	wantOne(t, c.mustLogin(1, "app", "x"), "quorum/none", show)
}

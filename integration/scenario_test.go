package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestSingleNode(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE kv (k text PRIMARY KEY, v text)")
	if tag := exec(t, conn, "INSERT INTO kv VALUES ('a', '1')"); tag.String() != "INSERT 0 1" {
		t.Errorf("tag: got %q, want INSERT 0 1", tag)
	}
	if got := one(t, conn, "SELECT v FROM kv WHERE k = 'a'"); got != "1" {
		t.Errorf("got %q, want 1", got)
	}
	exec(t, conn, "UPDATE kv SET v = '2' WHERE k = $1", "a")
	if got := one(t, conn, "SELECT v FROM kv WHERE k = $1", "a"); got != "2" {
		t.Errorf("after UPDATE: got %q, want 2", got)
	}
	exec(t, conn, "INSERT INTO kv SELECT 'k' || i, i::text FROM generate_series(1, 1000) i")
	if got := one(t, conn, "SELECT count(*) FROM kv"); got != "1001" {
		t.Errorf("after a bulk INSERT: got %s rows, want 1001", got)
	}
	if tag := exec(t, conn, "DELETE FROM kv WHERE k = 'nobody'"); tag.RowsAffected() != 0 {
		t.Errorf("DELETE of a missing key: %s", tag)
	}
	if tag := exec(t, conn, "DELETE FROM kv WHERE k LIKE 'k%'"); tag.RowsAffected() != 1000 {
		t.Errorf("bulk DELETE: %s, want 1000 rows", tag)
	}
	fails(t, conn, "23505", "INSERT INTO kv VALUES ('a', 'again')")
	// An empty value is a value.
	exec(t, conn, "UPDATE kv SET v = '' WHERE k = 'a'")
	if got := query(t, conn, "SELECT v FROM kv"); len(got) != 1 || got[0][0] != "" {
		t.Errorf("empty value: got %v", got)
	}
}

func TestTablesAreIsolated(t *testing.T) {
	for _, dcs := range [][]string{{"dc1"}, {"dc1", "dc1", "dc2"}} {
		t.Run(fmt.Sprintf("%d nodes", len(dcs)), func(t *testing.T) {
			c := start(t, dcs...)
			conn := c.conn(0, "consistency=all")
			for _, table := range []string{"a", "b", "s.c"} {
				if strings.HasPrefix(table, "s.") {
					exec(t, conn, "CREATE SCHEMA s")
				}
				exec(t, conn, "CREATE TABLE "+table+" (id int PRIMARY KEY, v text)")
				exec(t, conn, "INSERT INTO "+table+" VALUES (1, $1)", table)
			}
			exec(t, conn, "DELETE FROM a WHERE id = 1")
			last := c.conn(len(dcs) - 1)
			for table, want := range map[string]string{"a": "0", "b": "1", "s.c": "1"} {
				if got := one(t, last, "SELECT count(*) FROM "+table); got != want {
					t.Errorf("%s has %s rows, want %s", table, got, want)
				}
			}
		})
	}
}

func TestAllIsReadableEverywhereAtOnce(t *testing.T) {
	c := three(t)
	w := c.conn(0, "consistency=all")
	exec(t, w, "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	readers := []int{0, 1, 2}
	for i := 0; i < 20; i++ {
		exec(t, w, "INSERT INTO kv VALUES ($1, 'x')", i)
		for _, r := range readers {
			if got := one(t, c.conn(r), "SELECT count(*) FROM kv WHERE k = $1", i); got != "1" {
				t.Fatalf("row %d is not on node %d right after an INSERT at all", i, r+1)
			}
		}
	}
	c.verify()
}

func TestNoneArrivesLater(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY)")
	other := c.conn(1)
	c.net.split([]int{0}, []int{1, 2})
	exec(t, c.conn(0, "consistency=none"), "INSERT INTO kv VALUES (1)")
	if got := one(t, other, "SELECT count(*) FROM kv"); got != "0" {
		t.Errorf("a write at none crossed a cut link: %s rows", got)
	}
	c.net.heal()
	eventually(t, other, "1", "SELECT count(*) FROM kv")

	// Without a fault it is there within a second.
	exec(t, c.conn(0, "consistency=none"), "INSERT INTO kv VALUES (2)")
	began := time.Now()
	eventually(t, other, "2", "SELECT count(*) FROM kv")
	if d := time.Since(began); d > time.Second {
		t.Errorf("a write at none took %v to arrive", d)
	}
	c.verify()
}

func TestConcurrentWritersConverge(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY, n1 int, n2 int, n3 int, last text)")
	exec(t, c.conn(0, "consistency=all"), "INSERT INTO kv SELECT i, 0, 0, 0, '' FROM generate_series(1, 20) i")
	var wg sync.WaitGroup
	for n := 0; n < 3; n++ {
		conn := c.conn(n, "consistency=one")
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			for i := 1; i <= 100; i++ {
				sql := fmt.Sprintf("UPDATE kv SET n%d = $1, last = $2 WHERE k = $3", n+1)
				if _, err := conn.Exec(ctx, sql, i, fmt.Sprintf("n%d", n+1), i%20+1); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	c.verify()
	// Each node wrote a column of its own: nothing of that may be lost.
	for n := 0; n < 3; n++ {
		conn := c.conn(n)
		if got := one(t, conn, "SELECT sum(n1) || '/' || sum(n2) || '/' || sum(n3) FROM kv"); got != "1810/1810/1810" {
			t.Errorf("node %d: sums %s, want 1810/1810/1810", n+1, got)
		}
	}
}

func TestPutAgainstDelete(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	exec(t, c.conn(0, "consistency=all"), "INSERT INTO kv VALUES (1, 'a'), (2, 'b')")
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "DELETE FROM kv WHERE k = 1")
	exec(t, b, "UPDATE kv SET v = 'kept?' WHERE k = 1")
	exec(t, a, "DELETE FROM kv WHERE k = 2")
	exec(t, a, "INSERT INTO kv VALUES (2, 'again')")
	exec(t, b, "UPDATE kv SET v = 'of the old row' WHERE k = 2")
	c.net.heal()
	c.verify()
	for n := 0; n < 3; n++ {
		got := query(t, c.conn(n), "SELECT k, v FROM kv ORDER BY k")
		if len(got) != 1 || got[0][0] != "2" || got[0][1] != "again" {
			t.Errorf("node %d: got %v, want only [2 again]: DELETE wins over an UPDATE of the old row", n+1, got)
		}
	}
}

func TestLateJoinerBackfills(t *testing.T) {
	c := start(t, "dc1", "dc1")
	conn := c.conn(0, "consistency=quorum")
	exec(t, conn, "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	exec(t, conn, "INSERT INTO kv SELECT i, 'v' || i FROM generate_series(1, 5000) i")
	exec(t, conn, "DELETE FROM kv WHERE k <= 1000")
	i := c.add("dc2")
	if got := one(t, c.conn(i, "consistency=quorum"), "SELECT count(*) FROM kv"); got != "4000" {
		t.Errorf("the new node shows %s rows at quorum, want 4000", got)
	}
	c.verify()
	exec(t, c.conn(i, "consistency=all"), "INSERT INTO kv VALUES (1, 'from the new node')")
	if got := one(t, conn, "SELECT v FROM kv WHERE k = 1"); got != "from the new node" {
		t.Errorf("got %q", got)
	}
}

// TestQuorumSeesSchemas: what was created or granted at quorum on one node is there at once for statements at quorum on
// another, when they are compiled too.
func TestQuorumSeesSchemas(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE ROLE joe LOGIN")
	one, other := c.conn(0, "consistency=quorum"), []*pgx.Conn{c.connAs(1, "joe", "consistency=quorum"), c.connAs(2, "joe", "consistency=quorum")}
	for i := range 50 {
		exec(t, one, fmt.Sprintf("CREATE TABLE t%d (id int)", i))
		exec(t, one, fmt.Sprintf("GRANT SELECT ON t%d TO joe", i))
		for _, conn := range other {
			exec(t, conn, fmt.Sprintf("SELECT * FROM t%d", i))
		}
	}
	for _, conn := range other {
		exec(t, conn, "PREPARE q AS SELECT * FROM t0")
	}
	for range 20 { // made anew: with the rights gone, and given again
		exec(t, one, "DROP TABLE t0")
		exec(t, one, "CREATE TABLE t0 (id int)")
		exec(t, one, "GRANT SELECT ON t0 TO joe")
		for _, conn := range other {
			exec(t, conn, "EXECUTE q")
		}
	}
}

func TestLevelsThatCannotBeMet(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY)")
	c.stop(2)
	conn := c.conn(0)
	// The peers notice within a few seconds that a node is gone.
	eventually(t, conn, "1", "SELECT count(*) FROM layercake.nodes WHERE state <> 'alive'")
	for _, level := range []string{"all", "three", "each_quorum"} {
		exec(t, conn, "SET write_consistency = '"+level+"'")
		e := fails(t, conn, "53000", "INSERT INTO kv VALUES (1)")
		if !strings.Contains(e.Message+e.Detail, level) || !strings.Contains(e.Message+e.Detail+e.Hint, "n3") {
			t.Errorf("%s: the error names neither level nor member: %s / %s / %s", level, e.Message, e.Detail, e.Hint)
		}
	}
	exec(t, conn, "SET write_consistency = 'quorum'")
	exec(t, conn, "INSERT INTO kv VALUES (1)") // nothing was written before
	exec(t, conn, "SET write_consistency = 'local_quorum'")
	exec(t, conn, "INSERT INTO kv VALUES (2)")
	exec(t, conn, "SET read_consistency = 'all'")
	fails(t, conn, "53000", "SELECT * FROM kv")
	exec(t, conn, "SET read_consistency = 'quorum'")
	if got := one(t, conn, "SELECT count(*) FROM kv"); got != "2" {
		t.Errorf("got %s rows, want 2", got)
	}
	fails(t, conn, "22023", "SET consistency = 'most'")
}

func TestPartitionAndHeal(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY, v text)")
	minority, majority := c.conn(2), c.conn(0)
	c.net.split([]int{0, 1}, []int{2})
	eventually(t, minority, "2", "SELECT count(*) FROM layercake.nodes WHERE state <> 'alive'")
	fails(t, minority, "53000", "INSERT INTO kv VALUES (1, 'refused')")
	exec(t, minority, "SET consistency = 'none'")
	exec(t, minority, "INSERT INTO kv VALUES (2, 'minority')")
	exec(t, majority, "INSERT INTO kv VALUES (3, 'majority')")
	c.net.heal()
	c.verify()
	for n := 0; n < 3; n++ {
		if got := one(t, c.conn(n), "SELECT string_agg(v, ',' ORDER BY k) FROM kv"); got != "minority,majority" {
			t.Errorf("node %d: got %q", n+1, got)
		}
	}
}

func TestRestartOfOne(t *testing.T) {
	c := three(t)
	conn := c.conn(0, "consistency=quorum")
	exec(t, conn, "CREATE TABLE kv (k int PRIMARY KEY)")
	exec(t, conn, "INSERT INTO kv VALUES (1)")
	c.stop(2)
	exec(t, conn, "INSERT INTO kv VALUES (2)")
	c.boot(2)
	eventually(t, c.conn(2), "2", "SELECT count(*) FROM kv")
	exec(t, c.conn(2, "consistency=quorum"), "INSERT INTO kv VALUES (3)")
	c.verify()
}

func TestRestartOfAll(t *testing.T) {
	c := three(t)
	conn := c.conn(0, "consistency=quorum")
	exec(t, conn, "CREATE TABLE kv (k int PRIMARY KEY, v numeric DEFAULT 1.50)")
	exec(t, conn, "INSERT INTO kv SELECT i FROM generate_series(1, 100) i")
	for i := range c.nodes {
		c.stop(i)
	}
	for i := range c.nodes {
		c.boot(i)
	}
	if got := one(t, c.conn(1, "consistency=quorum"), "SELECT count(*) || ' ' || sum(v) FROM kv"); got != "100 150.00" {
		t.Errorf("after the restart: got %q", got)
	}
	exec(t, c.conn(2, "consistency=quorum"), "INSERT INTO kv VALUES (101)")
	c.verify()
}

// TestUniqueCollisionIsKept: two nodes, cut off from each other, give one unique value to two rows. Both rows stay, the
// collision is listed on every node alike, and is gone when the application has settled it.
func TestUniqueCollisionIsKept(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE u (id int PRIMARY KEY, email text UNIQUE)")
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "INSERT INTO u VALUES (1, 'x@example.org')")
	exec(t, b, "INSERT INTO u VALUES (2, 'x@example.org')")
	c.net.heal()
	c.verify()
	for n := range c.nodes {
		conn := c.conn(n)
		if got := one(t, conn, "SELECT count(*) FROM u WHERE email = 'x@example.org'"); got != "2" {
			t.Errorf("node %d shows %s of the 2 rows", n+1, got)
		}
		got := query(t, conn, "SELECT relation, constraint_name, kind, key, other_key, origin, other_origin FROM layercake.conflicts")
		if want := "[[public.u u_email_key unique (id)=(2) (id)=(1) n3 n1]]"; fmt.Sprint(got) != want {
			t.Errorf("node %d lists the conflict as %v, want %s", n+1, got, want)
		}
	}
	eventually(t, c.conn(1), "3", "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'") // its links are healed too
	fails(t, c.conn(1), "23505", "INSERT INTO u VALUES (3, 'x@example.org')")
	exec(t, c.conn(1, "consistency=all"), "UPDATE u SET email = 'y@example.org' WHERE id = 2")
	for n := range c.nodes {
		if got := one(t, c.conn(n), "SELECT count(*) FROM layercake.conflicts"); got != "0" {
			t.Errorf("node %d still lists %s conflicts", n+1, got)
		}
	}
	c.verify()
}

// TestCausalToken: a session that moves to another node waits for what it has seen.
func TestCausalToken(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY)")
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "INSERT INTO kv VALUES (1)")
	token := one(t, a, "SELECT layercake.session_token()")
	exec(t, b, "SET consistency_timeout = '200ms'")
	fails(t, b, "53000", "SELECT layercake.wait_for($1)", token)
	c.net.heal()
	exec(t, b, "SET consistency_timeout = '20s'")
	exec(t, b, "SELECT layercake.wait_for($1)", token)
	if got := one(t, b, "SELECT count(*) FROM kv"); got != "1" {
		t.Errorf("after wait_for the node shows %s rows, want 1", got)
	}
	fails(t, b, "22P02", "SELECT layercake.wait_for('nonsense')")
}

// TestCausalTokenSetting: the token can be set, in a connection string too.
func TestCausalTokenSetting(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY)")
	a, b := c.conn(0, "consistency=none"), c.conn(2, "consistency=none")
	c.net.split([]int{0, 1}, []int{2})
	exec(t, a, "CREATE TABLE later (k int)")
	exec(t, a, "INSERT INTO kv VALUES (1)")
	token := one(t, a, "SELECT layercake.session_token()")
	exec(t, b, "SET consistency_timeout = '200ms'")
	fails(t, b, "53000", "SET layercake.causal_token = '"+token+"'")
	fails(t, b, "53000", "SELECT set_config('layercake.causal_token', $1, false)", token)
	if got := one(t, b, "SHOW layercake.causal_token"); got != "" {
		t.Errorf("a token that was not reached is set: %s", got)
	}
	cfg, err := pgx.ParseConfig(c.url(2))
	if err != nil {
		t.Fatal(err)
	}
	cfg.RuntimeParams["options"] = "-c consistency_timeout=100ms -c layercake.causal_token=" + token
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	var e *pgconn.PgError
	if conn, err := pgx.ConnectConfig(ctx, cfg); !errors.As(err, &e) || e.Code != "53000" {
		t.Errorf("connecting behind the token: %v, %v, want 53000", conn, err)
	}
	c.net.heal()
	moved := c.conn(2, "consistency_timeout=20s", "layercake.causal_token="+token)
	if got := one(t, moved, "SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM later)"); got != "1" {
		t.Errorf("the session that moved sees %s rows, want 1", got)
	}
	exec(t, b, "SET consistency_timeout = '20s'")
	exec(t, b, "SET layercake.causal_token = '"+token+"'")
	if got := one(t, b, "SHOW layercake.causal_token"); got != token {
		t.Errorf("the token is %q", got)
	}
	exec(t, b, "RESET layercake.causal_token")
	fails(t, b, "22P02", "SET layercake.causal_token = 'nonsense'")
}

// Sequences give numbers from blocks that a majority granted: three nodes that insert at once never meet.
func TestSequencesNeverGiveAValueTwice(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE s (id bigserial PRIMARY KEY, node int)")
	var wg sync.WaitGroup
	for n := range c.nodes {
		conn := c.conn(n, "consistency=one")
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			for i := 0; i < 100; i++ {
				if _, err := conn.Exec(ctx, "INSERT INTO s (node) VALUES ($1)", n); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	c.verify()
	if got := one(t, c.conn(1), "SELECT count(*) || ' ' || count(DISTINCT id) FROM s"); got != "300 300" {
		t.Errorf("rows and distinct ids: %s, want 300 300", got)
	}
}

// TestIdleTimeouts: a client that sits in a transaction for longer than it may loses it, and is told why.
func TestIdleTimeouts(t *testing.T) {
	c := start(t, "dc1")
	for setting, code := range map[string]string{"idle_in_transaction_session_timeout": "25P03", "idle_session_timeout": "57P05"} {
		conn := c.conn(0)
		exec(t, conn, "SET "+setting+" = '50ms'")
		if code == "25P03" {
			exec(t, conn, "BEGIN")
		}
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		_, err := conn.WaitForNotification(ctx) // reads until the server says something
		cancel()
		if err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: got %v, want %s", setting, err, code)
		}
	}
}

// TestSetLocalLevel: the level of SET LOCAL counts for the transaction's own COMMIT, wait included.
func TestSetLocalLevel(t *testing.T) {
	c := three(t)
	exec(t, c.conn(0, "consistency=all"), "CREATE TABLE kv (k int PRIMARY KEY)")
	conn := c.conn(0, "write_consistency=none", "consistency_timeout=300ms")
	other := c.conn(0, "write_consistency=quorum", "consistency_timeout=20s")
	// The links are cut, and not yet noticed: the check passes, the wait does not.
	c.net.split([]int{0}, []int{1}, []int{2})
	exec(t, conn, "BEGIN")
	exec(t, conn, "SET LOCAL write_consistency = 'quorum'")
	exec(t, conn, "INSERT INTO kv VALUES (1)")
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if _, err := conn.Exec(ctx, "COMMIT"); err == nil {
		t.Error("COMMIT at SET LOCAL quorum succeeded without the other nodes")
	}
	exec(t, other, "BEGIN")
	exec(t, other, "SET LOCAL write_consistency = 'none'")
	exec(t, other, "INSERT INTO kv VALUES (2)")
	exec(t, other, "COMMIT")
	if got := one(t, other, "SHOW write_consistency"); got != "quorum" {
		t.Errorf("after the transaction the level is %s", got)
	}
	c.net.heal()
	c.verify()
}

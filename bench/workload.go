package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"layercake/bench/internal/figures"
)

// workload is one of pgbench's scripts, or one of our own (script is its text then, and has a semicolon), in one mode of the
// protocol.
type workload struct{ name, script, mode string }

var (
	selects       = workload{"SELECT by key, prepared (`-S`)", "select-only", "prepared"}
	selectsSimple = workload{"SELECT by key, simple (`-S -M simple`)", "select-only", "simple"}
	tpcb          = workload{"TPC-B, prepared", "tpcb-like", "prepared"}
	updates       = workload{"simple update, prepared (`-N`)", "simple-update", "prepared"}
	inserts       = workload{"INSERT of one row, prepared", "INSERT INTO bench_insert (note) VALUES ('one row of some length');", "prepared"}
	upserts       = workload{"UPSERT of one row among 100,000, prepared", "\\set id random(1, 100000)\n" +
		"INSERT INTO bench_upsert VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET n = bench_upsert.n + 1;", "prepared"}

	analytic = []workload{
		{"aggregate over the whole table", "SELECT count(*), sum(abalance), max(aid) FROM pgbench_accounts;", "prepared"},
		{"scan with a filter", "SELECT count(*) FROM pgbench_accounts WHERE filler LIKE '%x%';", "prepared"},
		{"join and GROUP BY", "SELECT b.bid, count(*), avg(a.aid) FROM pgbench_accounts a JOIN pgbench_branches b USING (bid) GROUP BY b.bid ORDER BY b.bid;", "prepared"},
		{"ten greatest of all", "SELECT aid, abalance FROM pgbench_accounts ORDER BY abalance DESC, filler, aid LIMIT 10;", "prepared"},
	}
)

// writeTables are those of inserts and upserts.
var writeTables = []string{"DROP TABLE IF EXISTS bench_insert, bench_upsert", "CREATE TABLE bench_insert (id bigserial PRIMARY KEY, note text)",
	"CREATE TABLE bench_upsert (id bigint PRIMARY KEY, n bigint)"}

// from is how pgbench is told of the script.
func (b *bench) from(w workload) ([]string, error) {
	if !strings.Contains(w.script, ";") {
		return []string{"-b", w.script}, nil
	}
	file := filepath.Join(b.tmp, "script.sql")
	return []string{"-f", file}, os.WriteFile(file, []byte(w.script+"\n"), 0o644)
}

// writes runs single-row writes against each target in turn.
func (b *bench) writes(tab *table, targets []target) error {
	made := map[*system]bool{}
	for _, t := range targets {
		if made[t.system] {
			continue
		}
		made[t.system] = true
		for _, sql := range writeTables {
			if _, err := b.program(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql); err != nil {
				return err
			}
		}
	}
	for _, w := range []workload{inserts, upserts} {
		if err := b.turns(tab, w, b.clients, targets); err != nil {
			return err
		}
	}
	return nil
}

// target is a system as one column of a table sees it: with settings of its sessions.
type target struct {
	*system
	column  string
	options string // PGOPTIONS
}

// program runs one of PostgreSQL's client programs against a target.
func (b *bench) program(t target, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.ctx, filepath.Join(b.pgbin, name), args...)
	cmd.Env = append(append([]string{}, b.env...), "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(t.port()), "PGUSER=postgres",
		"PGDATABASE=postgres", "PGSSLMODE=disable", "PGOPTIONS="+t.options)
	cmd.Dir = b.tmp
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s against %s: %w\n%s", name, strings.Join(args, " "), t.name, err, out)
	}
	return string(out), err
}

// turns runs a workload against each target in turn, for each number of clients.
func (b *bench) turns(tab *table, w workload, clients []int, targets []target) error {
	from, err := b.from(w)
	if err != nil {
		return err
	}
	for _, c := range clients {
		row := tab.row(fmt.Sprintf("%s, %d", w.name, c))
		for range b.rounds {
			for i, t := range targets {
				out, err := b.program(t, "pgbench", append(slices.Clone(from), "-n", "-M", w.mode, "-c", strconv.Itoa(c),
					"-j", strconv.Itoa(min(c, 2)), "-T", strconv.Itoa(b.seconds))...)
				if err != nil && b.ctx.Err() != nil {
					return err
				}
				r, perr := parsePgbench(out)
				if perr != nil {
					return errors.Join(err, perr)
				}
				if err != nil || r.failed > 0 {
					b.report.failed += max(r.failed, 1)
					b.report.check("FAILED on %s: %s, %d clients:\n\n```\n%s\n```", t.column, w.name, c, out)
				}
				b.say("%-60s %-32s %10.0f tps", row.what, t.column, r.tps)
				row.values[i] = append(row.values[i], r.tps)
			}
		}
	}
	return nil
}

// load runs pgbench -i against each target in turn; after, if not nil, runs after each load. Rows a second go to tab.
func (b *bench) load(tab *table, targets []target, after func(round, i int, began time.Time) error) error {
	row := tab.row(fmt.Sprintf("`pgbench -i`: COPY of %s rows in one transaction", figures.Number(float64(b.scale)*100000)))
	for round := range b.loads {
		for i, t := range targets {
			began := time.Now()
			out, err := b.program(t, "pgbench", "-i", "-q", "-s", strconv.Itoa(b.scale))
			if err != nil {
				return err
			}
			took, err := parseLoad(out)
			if err != nil {
				return err
			}
			rate := float64(b.scale) * 100000 / took.Seconds()
			b.say("load %-55s %-32s %10.0f rows/s", "", t.column, rate)
			row.values[i] = append(row.values[i], rate)
			if after != nil {
				if err := after(round, i, began); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

const (
	unicodeData  = "/usr/share/unicode/UnicodeData.txt"
	unicodeTable = "CREATE TABLE unicode (code text PRIMARY KEY, name text, category text, class int, bidi text, decomposition text, " +
		"decimal text, digit text, numeric text, mirrored text, old_name text, comment text, upper text, lower text, title text)"
)

// copyFile loads a real file of 15 columns through psql's \copy.
func (b *bench) copyFile(tab *table, targets []target) error {
	if _, err := os.Stat(unicodeData); err != nil {
		b.report.check("`\\copy` was not measured: the package unicode-data is not installed.")
		return nil
	}
	row := tab.row("`\\copy` of UnicodeData.txt, 15 columns")
	for _, t := range targets {
		if _, err := b.program(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "DROP TABLE IF EXISTS unicode", "-c", unicodeTable); err != nil {
			return err
		}
	}
	for range b.loads {
		for i, t := range targets {
			if _, err := b.program(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", "TRUNCATE unicode"); err != nil {
				return err
			}
			out, err := b.program(t, "psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", `\timing on`,
				"-c", `\copy unicode FROM '`+unicodeData+`' WITH (FORMAT csv, DELIMITER ';', QUOTE E'\x01')`)
			if err != nil {
				return err
			}
			n, took, err := parseCopy(out)
			if err != nil {
				return err
			}
			b.say("copy %-55s %-32s %10.0f rows/s", "", t.column, float64(n)/took.Seconds())
			row.values[i] = append(row.values[i], float64(n)/took.Seconds())
		}
	}
	return nil
}

// books checks pgbench's sums on every server of a system, after TPC-B alone or, with updated, after -N too: that
// script moves no teller and no branch.
func (b *bench) books(sys *system, updated bool) error {
	for _, s := range sys.servers {
		if !sys.layercake && s != sys.servers[0] {
			continue // a standby
		}
		options := ""
		if sys.layercake {
			options = "-c consistency=quorum"
		}
		conn, err := pgx.Connect(b.ctx, url(s.port, options))
		if err != nil {
			return err
		}
		var a, t, br, h int64
		err = conn.QueryRow(b.ctx, `SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
			(SELECT sum(bbalance) FROM pgbench_branches), (SELECT coalesce(sum(delta), 0) FROM pgbench_history)`).Scan(&a, &t, &br, &h)
		_ = conn.Close(b.ctx)
		if err != nil {
			return fmt.Errorf("sums on %s: %w", s.name, err)
		}
		if a != h || t != br || !updated && a != t {
			return fmt.Errorf("the sums on %s disagree: accounts %d, tellers %d, branches %d, history %d", s.name, a, t, br, h)
		}
	}
	if updated {
		b.report.check("After `-N` sum(abalance) = sum(delta) and sum(tbalance) = sum(bbalance) on every server of %s.", sys.name)
	} else {
		b.report.check("After TPC-B the sums of accounts, tellers, branches and history are equal on every server of %s.", sys.name)
	}
	return nil
}

// verify asks layercake itself whether its replicas are equal.
func (b *bench) verify(sys *system) error {
	out, err := exec.CommandContext(b.ctx, b.binary, "verify", "--url", url(sys.port(), "")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("layercake verify: %w\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	b.report.check("`layercake verify` on %s: %s.", sys.name, lines[len(lines)-1])
	return nil
}

// everywhere waits until every node has the rows of pgbench_accounts.
func (b *bench) everywhere(sys *system) error {
	for _, s := range sys.servers {
		conn, err := pgx.Connect(b.ctx, url(s.port, ""))
		if err != nil {
			return err
		}
		err = b.until(5*time.Minute, s.name+" has every row", func() (bool, error) {
			var n int
			err := conn.QueryRow(b.ctx, "SELECT count(*) FROM pgbench_accounts", pgx.QueryExecModeSimpleProtocol).Scan(&n)
			return n == b.scale*100000, err
		})
		_ = conn.Close(context.Background())
		if err != nil {
			return err
		}
	}
	return nil
}

// lag measures how long after a commit on one node its row is readable on another: milliseconds, one sample a row.
func (b *bench) lag(sys *system) (figures.Samples, error) {
	from, err := pgx.Connect(b.ctx, url(sys.servers[0].port, "-c write_consistency=none"))
	if err != nil {
		return nil, err
	}
	defer from.Close(context.Background())
	to, err := pgx.Connect(b.ctx, url(sys.servers[1].port, ""))
	if err != nil {
		return nil, err
	}
	defer to.Close(context.Background())
	for _, q := range []string{"SET write_consistency = 'all'", "CREATE TABLE lag (id int PRIMARY KEY, v text)", "SET write_consistency = 'none'"} {
		if _, err := from.Exec(b.ctx, q, pgx.QueryExecModeSimpleProtocol); err != nil {
			return nil, err
		}
	}
	var out figures.Samples
	for i := range b.samples + 50 {
		if _, err := from.Exec(b.ctx, "INSERT INTO lag VALUES ($1, 'x')", i); err != nil {
			return nil, err
		}
		began := time.Now()
		for {
			var v string
			err := to.QueryRow(b.ctx, "SELECT v FROM lag WHERE id = $1", i).Scan(&v)
			if err == nil {
				break
			}
			if !errors.Is(err, pgx.ErrNoRows) {
				return nil, err
			}
			if time.Since(began) > 30*time.Second {
				return nil, fmt.Errorf("row %d did not arrive in 30 s", i)
			}
		}
		if i >= 50 { // the first ones compile the statements
			out = append(out, time.Since(began).Seconds()*1000)
		}
	}
	return out, nil
}

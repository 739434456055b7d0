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
	"layercake/bench/internal/pgbench"
)

// writes runs single-row writes against each target in turn.
func (b *bench) writes(tab *table, targets []target) error {
	made := map[*system]bool{}
	for _, t := range targets {
		if made[t.system] {
			continue
		}
		made[t.system] = true
		for _, sql := range pgbench.WriteTables {
			if _, err := b.program(t, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql); err != nil {
				return err
			}
		}
	}
	for _, w := range []pgbench.Workload{pgbench.Inserts, pgbench.Upserts} {
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
	cmd.Env = slices.Concat(b.env, pgbench.Session(strconv.Itoa(t.port()), t.options))
	cmd.Dir = b.tmp
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %s against %s: %w\n%s", name, strings.Join(args, " "), t.name, err, out)
	}
	return string(out), err
}

// turns runs a workload against each target in turn, for each number of clients.
func (b *bench) turns(tab *table, w pgbench.Workload, clients []int, targets []target) error {
	from, err := w.Args(b.tmp)
	if err != nil {
		return err
	}
	for _, c := range clients {
		row := tab.row(fmt.Sprintf("%s, %d", w.Name, c))
		for range b.rounds {
			for i, t := range targets {
				out, err := b.program(t, "pgbench", append(slices.Clone(from), "-n", "-M", w.Mode, "-c", strconv.Itoa(c),
					"-j", strconv.Itoa(min(c, 2)), "-T", strconv.Itoa(b.seconds))...)
				if err != nil && b.ctx.Err() != nil {
					return err
				}
				r, perr := pgbench.Parse(out)
				if perr != nil {
					return errors.Join(err, perr)
				}
				if err != nil || r.Failed > 0 {
					b.report.failed += max(r.Failed, 1)
					b.report.check("FAILED on %s: %s, %d clients:\n\n```\n%s\n```", t.column, w.Name, c, out)
				}
				b.say("%-60s %-32s %10.0f tps", row.what, t.column, r.TPS)
				row.values[i] = append(row.values[i], r.TPS)
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
			took, err := pgbench.ParseLoad(out)
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

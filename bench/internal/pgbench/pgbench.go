// Package pgbench holds what the benchmarks that drive servers with PostgreSQL's pgbench have in common: the workloads, how
// the program is told of them and of a server, and what it reports. It starts nothing.
package pgbench

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Workload is one of pgbench's scripts, or one of our own (Script is its text then, and has a semicolon), in one mode of the
// protocol.
type Workload struct{ Name, Script, Mode string }

// The workloads that are measured with several numbers of clients. Inserts and Upserts need WriteTables.
var (
	Selects       = Workload{"SELECT by key, prepared (`-S`)", "select-only", "prepared"}
	SelectsSimple = Workload{"SELECT by key, simple (`-S -M simple`)", "select-only", "simple"}
	TPCB          = Workload{"TPC-B, prepared", "tpcb-like", "prepared"}
	Updates       = Workload{"simple update, prepared (`-N`)", "simple-update", "prepared"}
	Inserts       = Workload{"INSERT of one row, prepared",
		"INSERT INTO bench_insert (note) VALUES ('one row of some length');", "prepared"}
	Upserts = Workload{"UPSERT of one row among 100,000, prepared", "\\set id random(1, 100000)\n" +
		"INSERT INTO bench_upsert VALUES (:id, 1) ON CONFLICT (id) DO UPDATE SET n = bench_upsert.n + 1;", "prepared"}
)

// Analytic are SELECTs over all rows, for one client.
var Analytic = []Workload{
	{"aggregate over the whole table", "SELECT count(*), sum(abalance), max(aid) FROM pgbench_accounts;", "prepared"},
	{"scan with a filter", "SELECT count(*) FROM pgbench_accounts WHERE filler LIKE '%x%';", "prepared"},
	{"join and GROUP BY", "SELECT b.bid, count(*), avg(a.aid) FROM pgbench_accounts a JOIN pgbench_branches b USING (bid) " +
		"GROUP BY b.bid ORDER BY b.bid;", "prepared"},
	{"ten greatest of all", "SELECT aid, abalance FROM pgbench_accounts ORDER BY abalance DESC, filler, aid LIMIT 10;",
		"prepared"},
}

// WriteTables makes the tables of Inserts and Upserts, empty.
var WriteTables = []string{"DROP TABLE IF EXISTS bench_insert, bench_upsert",
	"CREATE TABLE bench_insert (id bigserial PRIMARY KEY, note text)",
	"CREATE TABLE bench_upsert (id bigint PRIMARY KEY, n bigint)"}

// Args are the program's arguments that name the script; one of our own is written to a file in dir.
func (w Workload) Args(dir string) ([]string, error) {
	if !strings.Contains(w.Script, ";") {
		return []string{"-b", w.Script}, nil
	}
	file := filepath.Join(dir, "script.sql")
	return []string{"-f", file}, os.WriteFile(file, []byte(w.Script+"\n"), 0o644)
}

// CleanEnv takes out of an environment what PostgreSQL's programs and layercake would read.
func CleanEnv(env []string) []string {
	out := []string{"LC_ALL=C"}
	for _, e := range env {
		if !strings.HasPrefix(e, "PG") && !strings.HasPrefix(e, "LC_") && !strings.HasPrefix(e, "LANG") &&
			!strings.HasPrefix(e, "LAYERCAKE_") {
			out = append(out, e)
		}
	}
	return out
}

// Session is the environment that leads PostgreSQL's programs to a server of this host, with settings of the session
// (PGOPTIONS).
func Session(port, options string) []string {
	return []string{"PGHOST=127.0.0.1", "PGPORT=" + port, "PGUSER=postgres", "PGDATABASE=postgres", "PGSSLMODE=disable",
		"PGOPTIONS=" + options}
}

// Result is what pgbench says of one run.
type Result struct {
	TPS       float64
	Processed int
	Failed    int
}

var (
	tpsLine       = regexp.MustCompile(`(?m)^tps = ([0-9.]+) `)
	processedLine = regexp.MustCompile(`(?m)^number of transactions actually processed: ([0-9]+)`)
	failedLine    = regexp.MustCompile(`(?m)^number of failed transactions: ([0-9]+) `)
	abortedLine   = regexp.MustCompile(`client [0-9]+ (script [0-9]+ )?aborted`)
)

// Parse reads pgbench's report. A client that gave up counts as a failed transaction.
func Parse(out string) (Result, error) {
	var r Result
	m := tpsLine.FindStringSubmatch(out)
	if m == nil {
		return r, fmt.Errorf("pgbench printed no tps:\n%s", out)
	}
	var err error
	if r.TPS, err = strconv.ParseFloat(m[1], 64); err != nil {
		return r, err
	}
	if m := processedLine.FindStringSubmatch(out); m != nil {
		r.Processed, _ = strconv.Atoi(m[1])
	}
	if m := failedLine.FindStringSubmatch(out); m != nil {
		r.Failed, _ = strconv.Atoi(m[1])
	}
	r.Failed += len(abortedLine.FindAllString(out, -1))
	return r, nil
}

var generateTime = regexp.MustCompile(`client-side generate ([0-9.]+) s`)

// ParseLoad reads how long pgbench -i took to COPY its rows.
func ParseLoad(out string) (time.Duration, error) {
	m := generateTime.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("pgbench -i printed no time:\n%s", out)
	}
	s, err := strconv.ParseFloat(m[1], 64)
	return time.Duration(s * float64(time.Second)), err
}

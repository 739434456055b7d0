package pgsql_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/tools/txtar"
)

// TestResults runs the queries of testdata/results/*.txtar and compares columns, types, rows and errors with those that
// PostgreSQL 15 gave: with -update and LAYERCAKE_TEST_PG (psql's arguments for a scratch server, in UTC and the C
// locale), the expectations are taken from there anew.
//
// A file begins with a script that makes tables; each section after it is a query and, after a line "----", what it
// gives.
func TestResults(t *testing.T) {
	files, err := filepath.Glob("testdata/results/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if *update && os.Getenv("LAYERCAKE_TEST_PG") != "" {
				fromPostgres(t, ar)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d := newDB(t)
			d.run(string(ar.Comment))
			for _, f := range ar.Files {
				sql, want, _ := strings.Cut(string(f.Data), "----\n")
				t.Run(f.Name, func(t *testing.T) {
					d.t = t
					got := d.show(sql)
					if want, _, cut := strings.Cut(want, "differs: "); cut && !strings.Contains(got, "FAULT") {
						_ = want
						return
					}
					if got != want {
						t.Errorf("%s\ngot:\n%s\nwant:\n%s\nSQL: %s", sql, got, want, d.sqlOf(sql))
					}
				})
			}
		})
	}
}

// sqlOf is the SQLite SQL of a query, for messages.
func (d *db) sqlOf(sql string) string {
	plan, err := d.compile(sql)
	if err != nil {
		return err.Error()
	}
	return querySQL(plan)
}

// fromPostgres fills in what PostgreSQL gives for each query.
func fromPostgres(t *testing.T, ar *txtar.Archive) {
	psql := func(script string) string {
		args := append([]string{"-X", "-q", "-A", "-t", "-F|", "-P", "null=NULL", "-v", "VERBOSITY=verbose"}, strings.Fields(os.Getenv("LAYERCAKE_TEST_PG"))...)
		cmd := exec.Command("psql", args...)
		cmd.Stdin = strings.NewReader(script)
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
	if out := psql("DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n" + string(ar.Comment)); strings.Contains(out, "ERROR") {
		t.Fatal(out)
	}
	for i := range ar.Files {
		f := &ar.Files[i]
		sql, old, _ := strings.Cut(string(f.Data), "----\n")
		if strings.Contains(old, "differs: ") {
			continue
		}
		query := strings.TrimRight(strings.TrimSpace(sql), ";")
		out := psql(query + "\n;\n")
		var b bytes.Buffer
		b.WriteString(strings.TrimSpace(sql) + "\n----\n")
		if m := errorLine.FindStringSubmatch(out); m != nil {
			b.WriteString("ERROR: " + m[1] + " " + m[2])
			if p := psqlPosition(query, out); p > 0 {
				b.WriteString(" at " + itoa(p))
			}
			b.WriteString("\n")
			if h := hintLine.FindStringSubmatch(out); h != nil {
				b.WriteString("HINT: " + h[1] + "\n")
			}
		} else {
			cols := strings.Split(strings.TrimRight(psql(query+" \\gdesc\n"), "\n"), "\n")
			for j, c := range cols {
				if j > 0 {
					b.WriteString("|")
				}
				k := strings.LastIndex(c, "|")
				if k < 0 {
					continue
				}
				b.WriteString(c[:k] + ":" + c[k+1:])
			}
			b.WriteString("\n" + out)
		}
		f.Data = b.Bytes()
	}
}

var (
	errorLine = regexp.MustCompile(`(?m)^(?:psql:[^ ]* )?ERROR:  (\w{5}): (.*)$`)
	hintLine  = regexp.MustCompile(`(?m)^HINT:  (.*)$`)
	caretLine = regexp.MustCompile(`(?m)^LINE (\d+): (.*)\n( *)\^`)
)

// psqlPosition works out the error position from psql's caret. Only the first line of a query may err, in less than
// 60 characters, or else psql cuts it.
func psqlPosition(query, out string) int {
	m := caretLine.FindStringSubmatch(out)
	if m == nil {
		return 0
	}
	line := 0
	for _, d := range m[1] {
		line = line*10 + int(d-'0')
	}
	before := 0
	lines := strings.Split(query, "\n")
	for _, l := range lines[:line-1] {
		before += utf8.RuneCountInString(l) + 1
	}
	shown := m[2]
	col := len(m[3]) - len("LINE "+m[1]+": ")
	full := lines[line-1]
	if strings.HasPrefix(shown, "...") {
		col -= 3
		shown = shown[3:]
	}
	shown = strings.TrimSuffix(shown, "...")
	return before + strings.Index(full, shown) + col + 1
}

package pgsql_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/tools/txtar"

	"layercake/pgerror"
	"layercake/pgsql"
)

// TestDML runs scripts against SQLite and compares every answer with golden files that a PostgreSQL 15 wrote
// (-postgres URL). Messages are compared by their first lines.
func TestDML(t *testing.T) {
	files, err := filepath.Glob("testdata/dml/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if *goldenURL != "" {
			answerFromPostgres(t, ar)
			if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i+1 < len(ar.Files); i += 2 {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+ar.Files[i].Name, func(t *testing.T) {
				x := newExecutor(newDB(t))
				list, err := pgsql.Parse(string(ar.Files[i].Data))
				if err != nil {
					t.Fatal(err)
				}
				want := strings.Split("\n"+string(ar.Files[i+1].Data), "\n> ")[1:]
				for k, st := range list {
					got := echo(st.Text) + x.statement(st)
					if k >= len(want) || strings.TrimSpace(got) != strings.TrimSpace(want[k]) {
						t.Errorf("--- got\n%s--- want\n%s", got, want[min(k, len(want)-1)])
					}
				}
			})
		}
	}
}

func echo(text string) string { return strings.Join(strings.Fields(text), " ") + "\n" }

// answerFromPostgres replaces the expected answers by PostgreSQL's.
func answerFromPostgres(t *testing.T, ar *txtar.Archive) {
	ctx := context.Background()
	for i := 0; i+1 < len(ar.Files); i += 2 {
		if strings.Contains(ar.Files[i+1].Name, "ours") {
			continue
		}
		conn, err := pgx.Connect(ctx, *goldenURL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(ctx, "SET client_min_messages=error; DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public", pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		list, err := pgsql.Parse(string(ar.Files[i].Data))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, st := range list {
			b.WriteString("> " + echo(st.Text))
			b.WriteString(psql(t, conn.PgConn(), st.Text))
		}
		conn.Close(ctx)
		ar.Files[i+1].Data = []byte(b.String())
	}
}

// psql runs a statement and shows its answer as executor.statement does.
func psql(t *testing.T, conn *pgconn.PgConn, sql string) string {
	mrr := conn.Exec(context.Background(), sql)
	var fields []string
	var rows [][]string
	tag := ""
	for mrr.NextResult() {
		r := mrr.ResultReader()
		for _, f := range r.FieldDescriptions() {
			fields = append(fields, f.Name)
		}
		for r.NextRow() {
			var row []string
			for _, v := range r.Values() {
				if v == nil {
					row = append(row, "NULL")
				} else {
					row = append(row, string(v))
				}
			}
			rows = append(rows, row)
		}
		t, _ := r.Close()
		tag = t.String()
	}
	err := mrr.Close()
	var e *pgconn.PgError
	if errors.As(err, &e) {
		detail := e.Detail
		switch e.Code {
		case pgerror.NotNullViolation, pgerror.CheckViolation, pgerror.ForeignKeyViolation:
			detail = "" // whoever runs the plan writes these
		}
		return errorLines("ERROR", &pgerror.Error{Code: e.Code, Message: e.Message, Detail: detail, Hint: e.Hint, Position: int(e.Position)}, &pgsql.Statement{})
	}
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	if fields != nil {
		lines := make([]string, len(rows))
		for i, row := range rows {
			lines[i] = strings.Join(row, "|") + "\n"
		}
		slices.Sort(lines)
		text = strings.Join(fields, "|") + "\n" + strings.Join(lines, "")
	}
	switch {
	case strings.HasPrefix(tag, "INSERT"), strings.HasPrefix(tag, "UPDATE"), strings.HasPrefix(tag, "DELETE"):
		text += tag + "\n"
	}
	return text
}

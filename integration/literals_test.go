package integration

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestLiteralsInSimpleQueries: statements that differ only in literals share a plan; nobody must notice. Each is run
// with several values, in the simple protocol and with the values as parameters, in and outside of a transaction, before
// and after the columns' types change.
func TestLiteralsInSimpleQueries(t *testing.T) {
	c := start(t, "dc1")
	conn, plain := c.conn(0), c.conn(0)
	exec(t, conn, "CREATE TABLE v (id int PRIMARY KEY, n numeric(10,2), s varchar(5), at date)")
	simple := func(sql string) string {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		var e *pgconn.PgError
		if errors.As(err, &e) {
			return fmt.Sprint(e.Code, " ", e.Position, " ", e.Message)
		}
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		out := ""
		for _, r := range results {
			out += r.CommandTag.String()
			for _, row := range r.Rows {
				for _, v := range row {
					out += " " + string(v)
				}
			}
		}
		return out
	}
	idType := "integer"
	for round := range 3 {
		for i := range 5 {
			k := round*10 + i
			for _, x := range []struct{ sql, want string }{
				{fmt.Sprintf("INSERT INTO v VALUES (%d, %d.25, 'it''%d', '2024-01-0%d')", k, i, i, i+1), "INSERT 0 1"},
				{fmt.Sprintf("INSERT INTO v (id, n) VALUES (%d, -%d), (%d, NULL)", k+100, i, k+200), "INSERT 0 2"},
				{fmt.Sprintf("UPDATE v SET n = n - %d, s = 'x%d' WHERE id = %d", i, i, k+100), "UPDATE 1"},
				{fmt.Sprintf("SELECT n, %d FROM v WHERE id = %d AND s = 'x%d'", i, k+100, i), fmt.Sprintf("SELECT 1 %d.00 %d", -2*i, i)},
				{fmt.Sprintf("SELECT id FROM v WHERE id BETWEEN %d AND %d AND at >= '2024-01-0%d' ORDER BY 1 LIMIT %d", k, k, i+1, 1), fmt.Sprint("SELECT 1 ", k)},
				{fmt.Sprintf("SELECT s FROM v WHERE s = 'it''%d' AND id = '%d'", i, k), fmt.Sprintf("SELECT 1 it'%d", i)},
				{fmt.Sprintf("DELETE FROM v WHERE id = -%d", k+1), "DELETE 0"},
				{fmt.Sprintf("SELECT id FROM v WHERE id = 'x%d'", i), fmt.Sprintf("22P02 29 invalid input syntax for type %s: \"x%d\"", idType, i)},
				{fmt.Sprintf("SELECT id FROM v  WHERE idd = %d", i), "42703 25 column \"idd\" does not exist"},
				{fmt.Sprintf("UPDATE v SET s = 'too long %d' WHERE id = %d", i, k), "22001 0 value too long for type character varying(5)"},
				{fmt.Sprintf("INSERT INTO v VALUES (%d)", k), "23505 0 duplicate key value violates unique constraint \"v_pkey\""},
			} {
				if i == 3 {
					exec(t, plain, "SELECT 1") // another session fills the cache, too
				}
				if got := simple(x.sql); got != x.want {
					t.Errorf("%s\n got  %s\n want %s", x.sql, got, x.want)
				}
			}
		}
		switch round {
		case 0:
			exec(t, conn, "ALTER TABLE v ALTER COLUMN id TYPE bigint")
			idType = "bigint"
		case 1:
			exec(t, conn, "ALTER TABLE v ADD COLUMN more int DEFAULT 7")
		}
	}
	// In a failed transaction nothing is run, and after DDL in it the transaction's own schema counts.
	for _, sql := range []string{"BEGIN", "CREATE TABLE w (id text)", "INSERT INTO w VALUES ('a'), ('b')"} {
		simple(sql)
	}
	if got := simple("SELECT id FROM w WHERE id = 'a'"); got != "SELECT 1 a" {
		t.Error(got)
	}
	simple("SELECT id FROM nowhere WHERE id = 1")
	if got := simple("SELECT id FROM v WHERE id = 1"); got[:5] != "25P02" {
		t.Error(got)
	}
	simple("ROLLBACK")
	if got := simple("SELECT id FROM w WHERE id = 'b'"); got[:5] != "42P01" {
		t.Error(got)
	}
	if _, err := conn.Exec(context.Background(), "SELECT id FROM v WHERE id = 1", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Error(err)
	}
}

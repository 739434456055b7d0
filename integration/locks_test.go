package integration

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestDeadlock(t *testing.T) {
	s := bank(t, 3)
	a, b, see := s[0], s[1], s[2]
	exec(t, a, "BEGIN")
	exec(t, b, "BEGIN")
	exec(t, a, "UPDATE acct SET n = n + 1 WHERE id = 1")
	exec(t, b, "UPDATE acct SET n = n + 10 WHERE id = 2")
	done := later(a, "UPDATE acct SET n = n + 1 WHERE id = 2")
	blocked(t, see, a)
	fails(t, b, "40P01", "UPDATE acct SET n = n + 10 WHERE id = 1")
	fails(t, b, "25P02", "SELECT 1")
	exec(t, b, "ROLLBACK")
	if err := result(t, done); err != nil {
		t.Fatalf("the other of the two goes on: %v", err)
	}
	exec(t, a, "COMMIT")
	wantOne(t, see, "101/101", "SELECT string_agg(n::text, '/' ORDER BY id) FROM acct")
}

func TestLockTimeout(t *testing.T) {
	s := bank(t, 2)
	a, b := s[0], s[1]
	exec(t, a, "BEGIN")
	exec(t, a, "UPDATE acct SET n = n + 1 WHERE id = 1")
	exec(t, b, "SET lock_timeout = '20ms'")
	fails(t, b, "55P03", "UPDATE acct SET n = 0 WHERE id = 1")
	fails(t, b, "55P03", "DELETE FROM acct WHERE id = 1")
	fails(t, b, "55P03", "SELECT * FROM acct WHERE id = 1 FOR UPDATE")
	exec(t, b, "BEGIN")
	fails(t, b, "55P03", "UPDATE acct SET n = 0 WHERE id = 1")
	exec(t, b, "ROLLBACK")
	exec(t, b, "UPDATE acct SET n = 5 WHERE id = 2")
	exec(t, a, "COMMIT")
	wantOne(t, b, "101/5", "SELECT string_agg(n::text, '/' ORDER BY id) FROM acct")
	// statement_timeout and a cancelled request end a wait too.
	exec(t, a, "BEGIN")
	exec(t, a, "UPDATE acct SET n = n + 1 WHERE id = 1")
	exec(t, b, "SET lock_timeout = 0")
	exec(t, b, "SET statement_timeout = '20ms'")
	fails(t, b, "57014", "UPDATE acct SET n = 0 WHERE id = 1")
	exec(t, b, "SET statement_timeout = 0")
	done := later(b, "UPDATE acct SET n = 0 WHERE id = 1")
	blocked(t, a, b)
	if err := b.PgConn().CancelRequest(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := sqlstate(result(t, done)); got != "57014" {
		t.Errorf("a cancelled wait: got %s, want 57014", got)
	}
	exec(t, a, "ROLLBACK")
	exec(t, b, "UPDATE acct SET n = 6 WHERE id = 1") // nothing is left reserved
}

func TestForUpdate(t *testing.T) {
	s := bank(t, 3)
	a, b, see := s[0], s[1], s[2]
	exec(t, a, "BEGIN")
	wantOne(t, a, "100", "SELECT n FROM acct WHERE id = 1 FOR UPDATE")
	exec(t, b, "BEGIN")
	fails(t, b, "55P03", "SELECT n FROM acct WHERE id = 1 FOR UPDATE NOWAIT")
	exec(t, b, "ROLLBACK")
	wantOne(t, b, "2", "SELECT id FROM acct ORDER BY id FOR UPDATE SKIP LOCKED")
	wantOne(t, b, "2", "SELECT count(*) FROM acct")
	// A waiting FOR UPDATE sees what the other left.
	exec(t, b, "BEGIN")
	done := later(b, "SELECT n FROM acct WHERE id = 1 FOR UPDATE")
	blocked(t, see, b)
	exec(t, a, "UPDATE acct SET n = 7 WHERE id = 1")
	exec(t, a, "COMMIT")
	if err := result(t, done); err != nil {
		t.Fatal(err)
	}
	wantOne(t, b, "7", "SELECT n FROM acct WHERE id = 1 FOR UPDATE")
	exec(t, b, "COMMIT")
	// FOR SHARE goes with FOR SHARE, not with an UPDATE.
	exec(t, a, "BEGIN")
	exec(t, a, "SELECT n FROM acct WHERE id = 1 FOR SHARE")
	wantOne(t, b, "7", "SELECT n FROM acct WHERE id = 1 FOR SHARE NOWAIT")
	exec(t, b, "SET lock_timeout = '20ms'")
	fails(t, b, "55P03", "UPDATE acct SET n = 0 WHERE id = 1")
	exec(t, a, "COMMIT")
}

// TestJobQueue: workers that take jobs with SKIP LOCKED never get one twice, and never find none while there are some
// that nobody works on.
func TestJobQueue(t *testing.T) {
	c := start(t, "dc1")
	conn := c.conn(0)
	exec(t, conn, "CREATE TABLE job (id int PRIMARY KEY, state text NOT NULL DEFAULT 'new', runs int NOT NULL DEFAULT 0)")
	exec(t, conn, "INSERT INTO job SELECT i FROM generate_series(1, 400) i")
	first := c.conn(0)
	exec(t, first, "BEGIN")
	wantOne(t, first, "1", "SELECT id FROM job WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
	wantOne(t, conn, "2", "SELECT id FROM job WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
	exec(t, first, "ROLLBACK")
	var wg sync.WaitGroup
	for range 8 {
		conn := c.conn(0)
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), wait)
			defer cancel()
			for {
				err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
					var id int
					if err := tx.QueryRow(ctx, "SELECT id FROM job WHERE state = 'new' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED").Scan(&id); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "UPDATE job SET state = 'done', runs = runs + 1 WHERE id = $1", id)
					return err
				})
				if errors.Is(err, pgx.ErrNoRows) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	wantOne(t, conn, "400 400 1", "SELECT count(*) || ' ' || sum(runs) || ' ' || max(runs) FROM job WHERE state = 'done'")
}

// TestAFailedTransactionHoldsNothing: once a transaction can only be rolled back others do not wait for its client to do so,
// but for what it locked before a savepoint that it can still go back to.
func TestAFailedTransactionHoldsNothing(t *testing.T) {
	s := bank(t, 2)
	a, b := s[0], s[1]
	exec(t, b, "SET lock_timeout = '20ms'")
	update := "UPDATE acct SET n = n + 1 WHERE id = "
	for _, isolation := range []string{"READ COMMITTED", "REPEATABLE READ"} {
		exec(t, a, "BEGIN ISOLATION LEVEL "+isolation)
		exec(t, a, update+"1")
		exec(t, a, "INSERT INTO acct VALUES (7, 0)")
		exec(t, a, "SELECT pg_advisory_xact_lock(5)")
		fails(t, b, "55P03", update+"1")
		fails(t, a, "22012", "SELECT 1/0")
		exec(t, b, update+"1")
		exec(t, b, "INSERT INTO acct VALUES (7, 0)")
		exec(t, b, "DELETE FROM acct WHERE id = 7")
		wantOne(t, b, "t", "SELECT pg_try_advisory_xact_lock(5)")
		fails(t, a, "25P02", "SELECT 1")
		exec(t, a, "COMMIT")
	}
	// What comes before the savepoint stays locked.
	exec(t, a, "BEGIN")
	exec(t, a, update+"1")
	exec(t, a, "SAVEPOINT s")
	exec(t, a, update+"2")
	fails(t, a, "22012", "SELECT 1/0")
	fails(t, b, "55P03", update+"1")
	exec(t, b, update+"2")
	exec(t, a, "ROLLBACK TO s")
	exec(t, a, update+"2")
	fails(t, b, "55P03", update+"2")
	exec(t, a, "COMMIT")
	wantOne(t, b, "103/102", "SELECT string_agg(n::text, '/' ORDER BY id) FROM acct")
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestTransfersAreAtomicEverywhere: every node moves money among its own accounts, in transactions of many rows of
// two tables. The total is the same at every read on every node, at every isolation level, while it goes on: no reader
// sees half of a transaction, of its own node or of another.
func TestTransfersAreAtomicEverywhere(t *testing.T) {
	c := three(t)
	setup := c.conn(0, "consistency=all")
	const accounts, each = 20, 100 // of each node; its money
	exec(t, setup, "CREATE TABLE account (node int, id int, balance int NOT NULL, PRIMARY KEY (node, id))")
	exec(t, setup, "CREATE TABLE entry (id bigint PRIMARY KEY, amount int NOT NULL)") // money that has left the accounts
	exec(t, setup, "CREATE INDEX ON account (balance)")
	exec(t, setup, fmt.Sprintf("INSERT INTO account SELECT n, i, %d FROM generate_series(0, 2) n, generate_series(1, %d) i", each, accounts))
	want := fmt.Sprint(3 * accounts * each)

	const transfers = 60
	var writers, readers sync.WaitGroup
	var moved, read atomic.Int64
	writing, stop := context.WithCancel(context.Background())
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 3*wait)
	defer cancel()
	for n := range c.nodes {
		for w := range 2 {
			conn := c.conn(n, "write_consistency=one")
			random := rand.New(rand.NewSource(int64(10*n + w)))
			writers.Add(1)
			go func() {
				defer writers.Done()
				for i := 0; i < transfers; i++ {
					from, amount := 1+random.Intn(accounts), 1+random.Intn(10)
					id := int64(n*1_000_000 + w*100_000 + 2*i)
					err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
						// One statement over many rows, then a row at a time.
						if _, err := tx.Exec(ctx, "UPDATE account SET balance = balance + $1 WHERE node = $2 AND id <> $3", amount, n, from); err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, "INSERT INTO entry VALUES ($1, $2)", id, amount); err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, "UPDATE account SET balance = balance - $1 WHERE node = $2 AND id = $3", amount*(accounts-1)+2*amount, n, from); err != nil {
							return err
						}
						if _, err := tx.Exec(ctx, "INSERT INTO entry VALUES ($1, $2)", id+1, amount); err != nil {
							return err
						}
						if i%7 == 6 {
							return errGiveUp
						}
						return nil
					})
					switch code := sqlstate(err); {
					case err == nil:
						moved.Add(1)
					case errors.Is(err, errGiveUp) || code == "40P01":
					default:
						t.Errorf("node %d: %v", n+1, err)
						return
					}
				}
			}()
		}
		for _, begin := range []string{"", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"} {
			conn := c.conn(n)
			readers.Add(1)
			go func() {
				defer readers.Done()
				total := func() bool {
					rows, err := tryQuery(ctx, conn, `SELECT (SELECT sum(balance) FROM account) + (SELECT coalesce(sum(amount), 0) FROM entry), (SELECT count(*) % 2 FROM entry)`)
					if err != nil {
						t.Errorf("node %d: %v", n+1, err)
						return false
					}
					if got := strings.Join(rows[0], " "); got != want+" 0" {
						t.Errorf("node %d, %q: a read saw %s, want %s 0", n+1, begin, got, want)
						return false
					}
					read.Add(1)
					return true
				}
				for writing.Err() == nil {
					if begin == "" {
						if !total() {
							return
						}
						continue
					}
					if _, err := conn.Exec(ctx, begin); err != nil {
						t.Error(err)
						return
					}
					if !total() || !total() {
						return
					}
					if begin != "BEGIN" {
						// Statements of one snapshot add up, too.
						sum := 0
						// Money moves between these parts.
						for _, sql := range []string{"SELECT sum(balance) FROM account WHERE id % 2 = 0", "SELECT sum(balance) FROM account WHERE id % 2 = 1", "SELECT coalesce(sum(amount), 0) FROM entry"} {
							var part int
							if err := conn.QueryRow(ctx, sql).Scan(&part); err != nil {
								t.Error(err)
								return
							}
							sum += part
						}
						if fmt.Sprint(sum) != want {
							t.Errorf("node %d: three reads of one snapshot add up to %d, want %s", n+1, sum, want)
							return
						}
					}
					if _, err := conn.Exec(ctx, "COMMIT"); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
	}
	writers.Wait()
	stop()
	readers.Wait()
	c.verify()
	for n := range c.nodes {
		conn := c.conn(n)
		wantOne(t, conn, want, "SELECT (SELECT sum(balance) FROM account) + (SELECT sum(amount) FROM entry)")
		wantOne(t, conn, fmt.Sprint(2*moved.Load()), "SELECT count(*) FROM entry")
	}
	if moved.Load() < 3*transfers || read.Load() < 100 {
		t.Errorf("only %d transfers and %d reads were made", moved.Load(), read.Load())
	}
	t.Logf("%d transfers, %d reads", moved.Load(), read.Load())
}

var errGiveUp = errors.New("the client gives the transaction up")

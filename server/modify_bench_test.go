package server

import (
	"context"
	"io"
	"log/slog"
	"math"
	"testing"

	"layercake/catalog"
	"layercake/pgsql"
	"layercake/pgwire"
	"layercake/sqlstore"
)

// discard is where results go that nobody reads.
type discard struct{ pgwire.ResultWriter }

func (discard) Complete(string) error     { return nil }
func (discard) Row([]catalog.Value) error { return nil }

// BenchmarkInsert is what an INSERT of one row costs on the writer, without the fsync.
func BenchmarkInsert(b *testing.B) {
	for _, c := range []struct{ name, table, sql string }{
		{"given", "t (id bigint PRIMARY KEY, note text)", "INSERT INTO t VALUES ($2, $1)"},
		{"bigserial", "t (id bigserial PRIMARY KEY, note text)", "INSERT INTO t (note) VALUES ($1)"},
		{"serial", "t (id serial PRIMARY KEY, note text)", "INSERT INTO t (note) VALUES ($1)"},
		{"uuid", "t (id uuid DEFAULT gen_random_uuid(), note text)", "INSERT INTO t (note) VALUES ($1)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchSession(b)
			benchExec(b, s, "CREATE TABLE "+c.table)
			m := benchPlan(b, s, c.sql).plan.(*pgsql.Modify)
			if id := m.Table.Columns[0].Sequence; !id.IsZero() {
				s.node.sequences.blocks[id] = &block{next: 1, end: math.MaxInt32}
			}
			params := []catalog.Value{catalog.Str("a note of some length"), {}}
			benchWriter(b, s, func(n int, w *worker) error {
				params[1] = catalog.Int(int64(n))
				w.params = params
				_, err := w.modify(m, nil)
				return err
			})
		})
	}
}

// BenchmarkChange is what an UPSERT and an UPDATE of one row that is there cost on the writer, without the fsync.
func BenchmarkChange(b *testing.B) {
	for _, c := range []struct{ name, sql string }{
		{"upsert", "INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET note = excluded.note"},
		{"update", "UPDATE t SET note = $2 WHERE id = $1"},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := benchSession(b)
			benchExec(b, s, "CREATE TABLE t (id bigint PRIMARY KEY, note text)",
				"INSERT INTO t SELECT i, 'a note' FROM generate_series(1, 1000) i")
			m := benchPlan(b, s, c.sql).plan.(*pgsql.Modify)
			params := []catalog.Value{{}, catalog.Str("a note of some length")}
			benchWriter(b, s, func(n int, w *worker) error {
				params[0] = catalog.Int(int64(n%1000 + 1))
				w.params = params
				_, err := w.modify(m, nil)
				return err
			})
		})
	}
}

// BenchmarkTransaction is what an explicit transaction of single-row statements costs, its COMMIT on the writer included, but
// neither the entry nor the fsync.
func BenchmarkTransaction(b *testing.B) {
	s := benchSession(b)
	ctx := context.Background()
	benchExec(b, s, "CREATE TABLE a (id int PRIMARY KEY, balance int, filler char(84))", "CREATE TABLE t (id int PRIMARY KEY, balance int)",
		"CREATE TABLE h (tid int, aid int, delta int, mtime timestamp)",
		"INSERT INTO a SELECT i, 0, '' FROM generate_series(1, 1000) i", "INSERT INTO t SELECT i, 0 FROM generate_series(1, 10) i")
	var plans []*compiled
	for _, sql := range []string{"UPDATE a SET balance = balance + $1 WHERE id = $2", "SELECT balance FROM a WHERE id = $2 AND $1::int = 1",
		"UPDATE t SET balance = balance + $1 WHERE id = $2 % 10 + 1", "INSERT INTO h VALUES ($2 % 10 + 1, $2, $1, CURRENT_TIMESTAMP)"} {
		plans = append(plans, benchPlan(b, s, sql))
	}
	out := &wireSink{w: discard{}}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		if err := s.begin(&pgsql.Transaction{Kind: pgsql.Begin}); err != nil {
			b.Fatal(err)
		}
		for _, c := range plans {
			params := []catalog.Value{catalog.Int(1), catalog.Int(int64(n%1000 + 1))}
			if _, err := s.execute(ctx, c, nil, params, out); err != nil {
				b.Fatal(err)
			}
		}
		t := s.tran
		t.rerun = len(t.statements)
		if err := s.node.store.Try(ctx, func(tx *sqlstore.Tx) error { return s.commitOn(ctx, tx, t) }); err != nil {
			b.Fatal(err)
		}
		s.tran = nil
		s.endTransaction(t)
	}
}

// benchWriter runs fn b.N times on the writer, each time as a statement of its own.
func benchWriter(b *testing.B, s *session, fn func(n int, w *worker) error) {
	ctx := context.Background()
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		_, err := s.node.store.Write(ctx, func(tx *sqlstore.Tx) error {
			for range min(b.N-n, 1000) {
				n++
				w := &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: &replayState{s: s}}
				detach := s.attach(tx.Conn(), w)
				err := fn(n, w)
				detach()
				s.node.locks.releaseFrom(s.owner, 0)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func benchExec(b *testing.B, s *session, list ...string) {
	for _, sql := range list {
		if err := s.SimpleQuery(context.Background(), sql, discard{}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchPlan(b *testing.B, s *session, sql string) *compiled {
	list, err := pgsql.Parse(sql)
	if err != nil {
		b.Fatal(err)
	}
	c, err := s.compile(list[0], nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// benchSession is a session on a node of its own.
func benchSession(b *testing.B) *session {
	ctx := context.Background()
	n, err := New(Config{Name: "n1", Dir: b.TempDir(), PGAddr: "127.0.0.1:0", RPCAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0", Insecure: true,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := n.Close(ctx); err != nil {
			b.Error(err)
		}
	})
	if err := n.Start(ctx); err != nil {
		b.Fatal(err)
	}
	s, err := (*backend)(n).Open(ctx, pgwire.ConnInfo{User: "postgres", Database: DefaultDatabase, PID: 1, Notify: func(any) {}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s.(*session)
}

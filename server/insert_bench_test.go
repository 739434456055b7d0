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

func (discard) Complete(string) error { return nil }

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
			ctx := context.Background()
			if err := s.SimpleQuery(ctx, "CREATE TABLE "+c.table, discard{}); err != nil {
				b.Fatal(err)
			}
			list, err := pgsql.Parse(c.sql)
			if err != nil {
				b.Fatal(err)
			}
			plan, err := s.compile(list[0], nil)
			if err != nil {
				b.Fatal(err)
			}
			m := plan.plan.(*pgsql.Modify)
			if id := m.Table.Columns[0].Sequence; !id.IsZero() {
				s.node.sequences.blocks[id] = &block{next: 1, end: math.MaxInt32}
			}
			params := []catalog.Value{catalog.Str("a note of some length"), {}}
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				_, err := s.node.store.Write(ctx, func(tx *sqlstore.Tx) error {
					for range min(b.N-n, 1000) {
						n++
						params[1] = catalog.Int(int64(n))
						w := &worker{ctx: ctx, s: s, q: tx, tx: tx, replay: newReplay(), params: params}
						detach := s.attach(tx.Conn(), w)
						_, err := w.modify(m, nil)
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
		})
	}
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

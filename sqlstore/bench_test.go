package sqlstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/crdt"
	"layercake/sqlstore"
	"layercake/sqlstore/storetest"
)

var accounts = storetest.TableSpec{
	Name: "accounts",
	Columns: []storetest.Column{{Name: "aid", Type: catalog.Int4OID}, {Name: "bid", Type: catalog.Int4OID},
		{Name: "abalance", Type: catalog.Int4OID}, {Name: "filler", Type: catalog.TextOID}},
	Key: []string{"aid"},
}

var filler = catalog.Str(strings.Repeat("x", 84))

func load(b testing.TB, n *storetest.Node, table catalog.ID, rows int) {
	n.MustWrite(func(tx *sqlstore.Tx) error {
		t := storetest.Table(tx.Schema(), table)
		for i := range rows {
			if _, err := tx.Insert(t, []catalog.Value{integer(int64(i)), integer(1), integer(0), filler}); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkBulkLoad loads 100,000 rows of about 100 bytes in one transaction.
func BenchmarkBulkLoad(b *testing.B) {
	for _, keyed := range []bool{true, false} {
		b.Run(fmt.Sprint("keyed=", keyed), func(b *testing.B) {
			const rows = 100_000
			for b.Loop() {
				b.StopTimer()
				n := open(b)
				spec := accounts
				if !keyed {
					spec.Key = nil
				}
				table := n.MustCreate(spec)
				b.StartTimer()
				load(b, n, table, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*rows), "µs/row")
		})
	}
}

// BenchmarkApplyBulk applies the entry of BenchmarkBulkLoad on another node.
func BenchmarkApplyBulk(b *testing.B) {
	const rows = 100_000
	n := open(b)
	table := n.MustCreate(accounts)
	load(b, n, table, rows)
	log := storetest.Log(b, n.Store)
	for b.Loop() {
		b.StopTimer()
		m := open(b)
		m.Clock.T = n.Clock.T
		b.StartTimer()
		if err := m.Apply(context.Background(), log); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*rows), "µs/row")
}

// BenchmarkApply applies entries of one row each, as they come from another node.
func BenchmarkApply(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			n, m := open(b), open(b)
			table := n.MustCreate(accounts)
			t := storetest.Table(n.Schema(), table)
			if err := m.Apply(context.Background(), storetest.Log(b, n.Store)); err != nil {
				b.Fatal(err)
			}
			id := int64(0)
			for b.Loop() {
				b.StopTimer()
				entries := make([]crdt.Entry, batch)
				for i := range entries {
					c := n.MustWrite(func(tx *sqlstore.Tx) error {
						id++
						_, err := tx.Insert(t, []catalog.Value{integer(id), integer(1), integer(0), filler})
						return err
					})
					es, err := n.Entries(context.Background(), c.Origin, c.Seq, 1)
					if err != nil {
						b.Fatal(err)
					}
					entries[i] = es[0]
				}
				m.Clock.T = n.Clock.T
				b.StartTimer()
				if err := m.Apply(context.Background(), entries); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCommit commits transactions of one row each, from several clients at once.
func BenchmarkCommit(b *testing.B) {
	for _, clients := range []int{1, 8, 32} {
		for _, op := range []string{"insert", "update"} {
			b.Run(fmt.Sprintf("%s/clients=%d", op, clients), func(b *testing.B) {
				n := open(b)
				table := n.MustCreate(accounts)
				if op == "update" {
					load(b, n, table, 10_000)
				}
				t := storetest.Table(n.Schema(), table)
				next := make(chan int64, clients)
				done := make(chan error, clients)
				for range clients {
					go func() {
						for i := range next {
							_, err := n.Write(context.Background(), func(tx *sqlstore.Tx) error {
								if op == "update" {
									return tx.Update(t, i%10_000, []int{2}, []catalog.Value{integer(i)})
								}
								_, err := tx.Insert(t, []catalog.Value{integer(i), integer(1), integer(0), filler})
								return err
							})
							if err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				b.ResetTimer()
				for i := range b.N {
					next <- int64(i)
				}
				close(next)
				for range clients {
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkInsertInGroup is what a row costs on the writer, without the fsync.
func BenchmarkInsertInGroup(b *testing.B) {
	n := open(b)
	table := n.MustCreate(accounts)
	t := storetest.Table(n.Schema(), table)
	b.ResetTimer()
	n.MustWrite(func(tx *sqlstore.Tx) error {
		for i := range b.N {
			if _, err := tx.Insert(t, []catalog.Value{integer(int64(i)), integer(1), integer(0), filler}); err != nil {
				return err
			}
		}
		return nil
	})
}

// BenchmarkRead is a point read with its snapshot.
func BenchmarkRead(b *testing.B) {
	n := open(b)
	table := n.MustCreate(accounts)
	load(b, n, table, 10_000)
	t := storetest.Table(n.Schema(), table)
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s=?1", t.Columns[2].Phys, t.Phys, t.Columns[0].Phys)
	args := []catalog.Value{integer(0)}
	i := int64(0)
	for b.Loop() {
		i++
		args[0] = integer(i % 10_000)
		err := n.Read(context.Background(), func(r *sqlstore.Reader) error {
			rows, err := r.Query(context.Background(), sql, args)
			if err != nil {
				return err
			}
			defer rows.Close()
			if !rows.Next() {
				return fmt.Errorf("no row: %w", rows.Err())
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEntries reads a group's entries, which were written a moment ago, as each peer's link does.
func BenchmarkEntries(b *testing.B) {
	for _, group := range []int{1, 32} {
		b.Run(fmt.Sprint("group=", group), func(b *testing.B) {
			n := open(b)
			table := n.MustCreate(accounts)
			t := storetest.Table(n.Schema(), table)
			id := int64(0)
			for b.Loop() {
				b.StopTimer()
				var first sqlstore.Commit
				for i := range group {
					c := n.MustWrite(func(tx *sqlstore.Tx) error {
						id++
						_, err := tx.Insert(t, []catalog.Value{integer(id), integer(1), integer(0), filler})
						return err
					})
					if i == 0 {
						first = c
					}
				}
				b.StartTimer()
				if es, err := n.Entries(context.Background(), first.Origin, first.Seq, 1<<20); err != nil || len(es) != group {
					b.Fatal(len(es), err)
				}
			}
		})
	}
}

// BenchmarkRowHash is the digest's share of a row.
func BenchmarkRowHash(b *testing.B) {
	var h crdt.RowHasher
	v := catalog.AppendValue(nil, filler)
	for b.Loop() {
		h.Begin(crdt.Stamp{HLC: 1}, nil)
		h.Cell(crdt.ID{HLC: 1}, v, nil)
		h.Cell(crdt.ID{HLC: 2}, v[:9], nil)
		h.Cell(crdt.ID{HLC: 3}, v[:9], nil)
		h.Sum()
	}
}

// BenchmarkOpen makes a store in memory: most of it is filling the system tables.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		s, err := sqlstore.Open(context.Background(), sqlstore.Config{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// BenchmarkCreateTable is one small CREATE TABLE.
func BenchmarkCreateTable(b *testing.B) {
	n := open(b)
	for i := 0; b.Loop(); i++ {
		spec := people
		spec.Name = fmt.Sprint("people", i)
		n.MustCreate(spec)
	}
}

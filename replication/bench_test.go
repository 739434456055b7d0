package replication_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication"
)

// benchCluster is three nodes on loopback over stores that sync for nothing: what is measured is replication alone.
func benchCluster(b *testing.B) []*node {
	b.Helper()
	nw := newNetwork()
	var ns []*node
	for i, name := range []string{"n1", "n2", "n3"} {
		n := newNode(b, nw, name, "dc1", crdt.NodeID(i+1))
		n.start()
		var err error
		if i == 0 {
			err = n.Bootstrap(context.Background())
		} else {
			err = n.Join(context.Background(), []string{ns[0].Addr()})
		}
		if err != nil {
			b.Fatal(err)
		}
		ns = append(ns, n)
	}
	for _, n := range ns {
		linked(b, n, replication.All)
	}
	return ns
}

func BenchmarkConfirmQuorum(b *testing.B) {
	for _, clients := range []int{1, 8, 32} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			ns := benchCluster(b)
			eachClient(b, clients, func(i int) error { return ns[0].put(strconv.Itoa(i%1000), "v", replication.Quorum) })
		})
	}
}

func BenchmarkBarrierQuorum(b *testing.B) {
	for _, clients := range []int{1, 8, 32} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			ns := benchCluster(b)
			eachClient(b, clients, func(int) error { return ns[0].Barrier(context.Background(), replication.Quorum, time.Minute) })
		})
	}
}

// BenchmarkCatchUp is a node that joins 100,000 entries late.
func BenchmarkCatchUp(b *testing.B) {
	for range b.N {
		b.StopTimer()
		nw := newNetwork()
		a := newNode(b, nw, "n1", "dc1", 1)
		a.start()
		if err := a.Bootstrap(context.Background()); err != nil {
			b.Fatal(err)
		}
		for i := range 100_000 {
			a.store.Write(strconv.Itoa(i%1000), "a value of some forty bytes, as rows have them")
		}
		a.store.Sync()
		late := newNode(b, nw, "n2", "dc1", 2)
		late.start()
		b.StartTimer()
		if err := late.Join(context.Background(), []string{a.Addr()}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		a.Close()
		late.Close()
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "entries/s")
}

func eachClient(b *testing.B, clients int, f func(int) error) {
	b.Helper()
	b.ResetTimer()
	var wg sync.WaitGroup
	work := make(chan int)
	for range clients {
		wg.Go(func() {
			for i := range work {
				if err := f(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for i := range b.N {
		work <- i
	}
	close(work)
	wg.Wait()
}

// BenchmarkLag is from a commit on one node to the value being readable on another.
func BenchmarkLag(b *testing.B) {
	ns := benchCluster(b)
	b.ResetTimer()
	for i := range b.N {
		want := strconv.Itoa(i)
		ns[0].store.Commit("k", want)
		for {
			changed := ns[1].store.Changed()
			if ns[1].get("k") == want {
				break
			}
			<-changed
		}
	}
}

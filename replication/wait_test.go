package replication_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
)

// TestReadersShareABarrier: each of many readers sees at least what was acknowledged when it came, though it reads while
// the barrier that it shares with others is under way, and though some of these give up.
func TestReadersShareABarrier(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc1")
	ns[0].mustPut("k", "0", replication.Quorum)
	var acked, early atomic.Int64
	var readers sync.WaitGroup
	stop := make(chan struct{})
	errs := make(chan error, 64)
	for i := range 16 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				quits := i%4 == 0 && n%3 == 0
				if quits {
					cancel()
				}
				want := acked.Load()
				b, err := ns[1].BeginBarrier(replication.Quorum, time.Minute)
				if err == nil {
					got := ns[1].get("k")
					var fresh bool
					if fresh, err = b.Wait(ctx); err == nil {
						if fresh {
							early.Add(1)
						} else {
							got = ns[1].get("k")
						}
						if v, bad := strconv.ParseInt(got, 10, 64); bad != nil || v < want {
							err = fmt.Errorf("read %q, %d was acknowledged before (fresh: %v)", got, want, fresh)
						}
					} else if quits && pgerror.Code(err) == pgerror.QueryCanceled {
						err = nil
					}
				}
				cancel()
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := int64(1); i <= 300; i++ {
		ns[0].mustPut("k", strconv.FormatInt(i, 10), replication.Quorum)
		acked.Store(i)
		if i%10 == 0 {
			time.Sleep(2 * time.Millisecond) // some read while nothing changes
		}
	}
	close(stop)
	readers.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if early.Load() == 0 {
		t.Error("no reader could use what it had read while its barrier was under way")
	}
}

// TestASharedBarrierIsRefusedToAll: who came to a barrier that cannot be begun is told why, like who begins it.
func TestASharedBarrierIsRefusedToAll(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	nw.Cut("n1", "n2", "n3")
	eventually(t, "n1 knows that it is alone", func() bool { return ns[0].Check(replication.Quorum, replication.Read) != nil })
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				err := ns[0].Barrier(context.Background(), replication.Quorum, time.Minute)
				if pgerror.Code(err) != pgerror.InsufficientResources {
					t.Errorf("a barrier of one of three: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestWriteBackKnowsNoMoreThanIsTrue: that a vector is on enough members is remembered, and holds neither for a longer one
// nor after the end.
func TestWriteBackKnowsNoMoreThanIsTrue(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	ns[0].mustPut("k", "v", replication.All)
	back := func(level replication.Level, d time.Duration) error {
		return ns[0].WriteBack(context.Background(), level, ns[0].store.Vector(), d)
	}
	for range 3 {
		if err := back(replication.All, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	nw.Cut("n3", "n1", "n2")
	o, seq, err := ns[0].store.Commit("k", "w")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns[0].Confirm(context.Background(), replication.Quorum, o, seq, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := back(replication.Quorum, time.Minute); err != nil {
		t.Error(err)
	}
	wantCode(t, back(replication.All, 200*time.Millisecond), pgerror.InsufficientResources)
	if err := ns[0].Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, back(replication.Quorum, time.Minute), pgerror.CannotConnectNow)
}

// TestWriteBackIsAskedAgain for a vector that has more, though nothing else has happened, and under another list: a member
// that has joined since counts, too.
func TestWriteBackIsAskedAgain(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1")
	ns[0].mustPut("k", "v", replication.All)
	v := ns[0].store.Vector()
	more := v.Clone()
	for o := range more {
		more[o] += 1000 // markers will come
	}
	back := func(v crdt.Vector, d time.Duration) error {
		return ns[0].WriteBack(context.Background(), replication.All, v, d)
	}
	for range 3 {
		if err := back(v, time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCode(t, back(more, 100*time.Millisecond), pgerror.InsufficientResources)
	}
	n := newNode(t, nw, "n3", "dc1", 3)
	n.store.Fail(errors.New("the disk is full"))
	n.start()
	var joins sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	joins.Go(func() { _ = n.Join(ctx, []string{ns[0].Addr()}) }) // it never catches up
	defer joins.Wait()
	defer cancel()
	for len(ns[0].Members()) < 3 {
		_ = back(v, 20*time.Millisecond) // so that it is remembered up to the change
	}
	wantCode(t, back(v, 200*time.Millisecond), pgerror.InsufficientResources)
}

// TestAStatementsTimeIsOver: a read that waits for others when its statement_timeout has passed says so, and not that the
// level was not reached.
func TestAStatementsTimeIsOver(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1")
	ns[0].mustPut("k", "0", replication.Quorum)
	why := pgerror.New(pgerror.QueryCanceled, "canceling statement due to statement timeout")
	ctx, cancel := context.WithTimeoutCause(context.Background(), time.Nanosecond, why)
	defer cancel()
	<-ctx.Done()
	if err := ns[0].Barrier(ctx, replication.Quorum, time.Minute); err != error(why) {
		t.Errorf("a barrier: %v", err)
	}
}

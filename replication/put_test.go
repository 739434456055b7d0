package replication_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"layercake/replication"
)

// forgetful is a store that makes no note durable as long as fails is set.
type forgetful struct {
	replication.Store
	fails  *atomic.Bool
	failed *atomic.Int64 // how often
}

func (f forgetful) PutLocal(key string, val []byte) error {
	if f.fails.Load() {
		f.failed.Add(1)
		return errors.New("the disk is full")
	}
	return f.Store.PutLocal(key, val)
}

// TestAListIsDurableBeforeItIsInForce (rule C2), and what waits for it goes on once the disk takes it.
func TestAListIsDurableBeforeItIsInForce(t *testing.T) {
	var fails atomic.Bool
	var failed atomic.Int64
	n := newNode(t, newNetwork(), "n1", "dc1", 1)
	n.tweak = func(c *replication.Config) { c.Store = forgetful{c.Store, &fails, &failed} }
	n.start()
	fails.Store(true)
	if err := n.Bootstrap(within(t, 200*time.Millisecond)); err == nil || n.IsMember() {
		t.Fatalf("a list that is not durable is in force: %v, a member: %v", err, n.IsMember())
	}
	fails.Store(false)
	eventually(t, "it is a member", n.IsMember)
}

// TestAListThatCouldNotBeKept is put in force later: a member whose disk does not take a new list, for a moment, is not left
// with the old one, under which no other member answers it.
func TestAListThatCouldNotBeKept(t *testing.T) {
	var fails atomic.Bool
	var failed atomic.Int64
	_, ns := keeping(t, func(c *replication.Config) {
		if c.Name == "n4" {
			c.Store = forgetful{c.Store, &fails, &failed}
		}
	}, "dc1", "dc1", "dc1", "dc1")
	fails.Store(true)
	if _, err := ns[0].Remove(within(t, 20*time.Second), "n3"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "n4's disk has not taken the list", func() bool { return failed.Load() > 1 })
	fails.Store(false)
	eventually(t, "n4 has the list without n3", func() bool { return len(ns[3].Members()) == 3 })
}

// TestARegisterThatCouldNotBeKept: a member whose disk does not take what it promises, for a moment, has not forgotten after
// a restart what it promised later.
func TestARegisterThatCouldNotBeKept(t *testing.T) {
	var fails atomic.Bool
	var failed atomic.Int64
	n := newNode(t, newNetwork(), "n1", "dc1", 1)
	n.tweak = func(c *replication.Config) { c.Store = forgetful{c.Store, &fails, &failed} }
	n.start()
	if err := n.Bootstrap(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	fails.Store(true)
	first := make(chan int64)
	go func() {
		start, err := n.Grant(within(t, 20*time.Second), "seq", 1, 10)
		if err != nil {
			t.Error(err)
		}
		first <- start
	}()
	eventually(t, "its disk has not taken it", func() bool { return failed.Load() > 1 })
	fails.Store(false)
	was := <-first
	n.Close()
	n.store = n.store.Crash()
	n.start()
	if start, err := n.Grant(within(t, 20*time.Second), "seq", 1, 10); err != nil || start == was {
		t.Errorf("block %d was granted, and after a restart block %d, %v", was, start, err)
	}
}

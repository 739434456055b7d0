package replication_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"layercake/pgerror"
	"layercake/replication"
)

// TestRemove: a member that is cut off is removed, learns of it when it can, and what only it wrote is lost, and said.
func TestRemove(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	ns[2].mustPut("shared", "v", replication.All)
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is alone", func() bool { return ns[2].Check(replication.Quorum, replication.Read) != nil })
	eventually(t, "n1 sees it", func() bool { return ns[0].Check(replication.All, replication.Read) != nil })
	ns[2].mustPut("alone", "x", replication.None)
	ns[2].mustPut("alone", "y", replication.None)

	_, err := ns[0].Remove(context.Background(), "nobody")
	wantCode(t, err, pgerror.UndefinedObject, "nobody")
	_, err = ns[0].Remove(context.Background(), "n1")
	wantCode(t, err, pgerror.ObjectNotInPrerequisiteState, "itself")
	_, err = ns[2].Remove(context.Background(), "n1")
	wantCode(t, err, pgerror.InsufficientResources)
	if wasUp, err := ns[0].Remove(within(t, 20*time.Second), "n3"); err != nil || wasUp {
		t.Fatalf("remove n3: %v, it was up: %v", err, wasUp)
	}
	linked(t, ns[0], replication.All) // of two now
	ns[0].mustPut("after", "v", replication.All)
	if ns[2].Fenced() != nil {
		t.Fatal("n3 cannot know yet")
	}
	nw.Heal("n3", "n1", "n2")
	eventually(t, "n3 learns of it", ns[2].Removed)
	eventually(t, "n3 is fenced", func() bool { return ns[2].Fenced() != nil })
	wantCode(t, ns[2].Fenced(), pgerror.CannotConnectNow, "removed", "2 of its own transactions")
	if ns[0].get("alone") != "" || len(ns[0].Members()) != 2 {
		t.Errorf("n1 has %q, %d members", ns[0].get("alone"), len(ns[0].Members()))
	}

	// It stays out, whatever it tries; another one may have its name.
	if err := ns[2].Join(within(t, 5*time.Second), []string{ns[0].Addr()}); !errors.Is(err, replication.ErrRemoved) {
		t.Errorf("it joins again: %v", err)
	}
	ns[2].Close()
	ns[2].store = ns[2].store.Crash()
	ns[2].start()
	if err := ns[2].Bootstrap(within(t, 5*time.Second)); !errors.Is(err, replication.ErrRemoved) {
		t.Errorf("it begins a cluster of its own: %v", err)
	}
	again := newNode(t, nw, "n3", "dc1", 33)
	again.start()
	if err := again.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); err != nil {
		t.Fatal(err)
	}
	linked(t, again, replication.All)
	for key, want := range map[string]string{"shared": "v", "after": "v", "alone": ""} {
		if got := again.get(key); got != want {
			t.Errorf("the new n3 has %q of %s, want %q", got, key, want)
		}
	}
	id := newNode(t, nw, "n4", "dc1", 3) // an id made up to be that of the removed one
	id.start()
	if err := id.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); pgerror.Code(err) != pgerror.InvalidParameterValue {
		t.Errorf("a retired id joins: %v", err)
	}
}

// TestLeave: what only the leaving node has is handed over before it goes.
func TestLeave(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc1", "dc1")
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is alone", func() bool { return ns[2].Check(replication.One, replication.Read) != nil })
	ns[2].mustPut("k", "v", replication.None)
	if err := ns[2].Leave(within(t, 300*time.Millisecond)); err == nil {
		t.Fatal("it left without a majority")
	}
	if err := ns[2].Fenced(); err != nil {
		t.Fatalf("it stays, and serves: %v", err)
	}
	nw.Heal("n3", "n1", "n2")
	linked(t, ns[2], replication.All)
	for i := range 20 {
		ns[2].mustPut("k", string(rune('a'+i)), replication.None)
	}
	if err := ns[2].Leave(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	err := ns[2].Fenced()
	wantCode(t, err, pgerror.CannotConnectNow, "removed")
	for _, n := range ns[:2] {
		eventually(t, n.name+" knows", func() bool { return len(n.Members()) == 2 })
		if got := n.get("k"); got != "t" {
			t.Errorf("%s has %q of what was handed over", n.name, got)
		}
		linked(t, n, replication.All)
	}
	ns[0].mustPut("k", "z", replication.All)
	if err := ns[1].Leave(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	wantCode(t, ns[0].Leave(within(t, 20*time.Second)), pgerror.ObjectNotInPrerequisiteState, "last member")
	late := newNode(t, nw, "late", "dc1", 9)
	late.start()
	if err := late.Join(within(t, 20*time.Second), []string{ns[0].Addr()}); err != nil || late.get("k") != "z" {
		t.Errorf("a joiner after all the others left: %v, %q", err, late.get("k"))
	}
}

// TestLeaveHandsOver: a node does not leave while what it has is not on the disks of a majority of the others, though they
// would decide on it: it would go with the node (rule C4).
func TestLeaveHandsOver(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1", "dc1")
	ns[1].store.Fail(errors.New("the disk is full"))
	ns[2].mustPut("k", "v", replication.None)
	if err := ns[2].Leave(within(t, 500*time.Millisecond)); err == nil || ns[2].Removed() {
		t.Fatalf("it left, and n2 has %q: %v", ns[1].get("k"), err)
	}
	ns[1].store.Fail(nil)
	if err := ns[2].Leave(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, n := range ns[:2] {
		if got := n.get("k"); got != "v" {
			t.Errorf("%s has %q of what was handed over", n.name, got)
		}
	}
}

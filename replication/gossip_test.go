package replication_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication"
)

// TestJoinByGossip starts three nodes at once that know only the first one's gossip address, as a demo does, and then
// restarts all of them at other addresses.
func TestJoinByGossip(t *testing.T) {
	nw := newNetwork()
	var ns []*node
	joined := make(chan error, 2)
	for i := range 3 {
		n := newNode(t, nw, fmt.Sprintf("n%d", i+1), "dc1", crdt.NodeID(i+1))
		n.gossip = true
		n.start()
		ns = append(ns, n)
	}
	for _, n := range ns[1:] {
		go func() { joined <- n.Join(within(t, 30*time.Second), []string{ns[0].GossipAddr()}) }()
	}
	if err := ns[0].Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range ns {
		linked(t, n, replication.All)
	}
	ns[1].mustPut("k", "v", replication.All)

	stranger := newNode(t, nw, "stranger", "dc1", 9)
	stranger.gossip = true
	stranger.start()
	if err := stranger.Bootstrap(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}

	for _, n := range ns {
		n.Close()
	}
	for _, n := range ns {
		n.store = n.store.Crash()
		n.start()
	}
	// Nobody is at an address that the others know: only new seeds help, as --join gives them.
	for _, n := range ns[1:] {
		if err := n.Join(within(t, 30*time.Second), []string{ns[0].GossipAddr()}); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range ns {
		linked(t, n, replication.All)
		if got := n.get("k"); got != "v" {
			t.Errorf("%s has %q after a restart", n.name, got)
		}
	}
	ns[2].mustPut("k", "w", replication.All)
	if err := ns[0].Barrier(context.Background(), replication.All, time.Minute); err != nil {
		t.Fatal(err)
	}
}

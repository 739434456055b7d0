package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"layercake/cluster"
)

func open(t *testing.T, cfg cluster.Config) *cluster.Gossip {
	t.Helper()
	cfg.Bind, cfg.Fast = "127.0.0.1:0", true
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	g, err := cluster.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func node(id uint64, clusterID uint64) cluster.Node {
	return cluster.Node{ID: id, Name: fmt.Sprintf("n%d", id), DC: "dc1", Cluster: clusterID,
		RPCAddr: fmt.Sprintf("10.0.0.%d:7400", id), PGAddr: fmt.Sprintf("10.0.0.%d:5432", id)}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond) // a poll: memberlist's timers cannot be driven
	}
}

func state(g *cluster.Gossip, id uint64) string {
	for _, n := range g.Nodes() {
		if n.ID == id {
			return n.State.String()
		}
	}
	return "unknown"
}

func TestNodesSeeEachOther(t *testing.T) {
	changes := make(chan struct{}, 1000)
	a := open(t, cluster.Config{Self: node(1, 7), OnChange: func() { changes <- struct{}{} }})
	b, c := open(t, cluster.Config{Self: node(2, 7)}), open(t, cluster.Config{Self: node(3, 0)})
	for _, g := range []*cluster.Gossip{b, c} {
		if n, err := g.Join(context.Background(), []string{a.Self().Addr}); n != 1 || err != nil {
			t.Fatalf("Join: %d, %v", n, err)
		}
	}
	eventually(t, "all see three", func() bool {
		return len(a.Nodes()) == 3 && len(b.Nodes()) == 3 && len(c.Nodes()) == 3
	})
	<-changes
	got := a.Nodes()
	if got[0].ID != 1 || got[1].Name != "n2" || got[1].RPCAddr != "10.0.0.2:7400" || got[1].PGAddr != "10.0.0.2:5432" ||
		got[1].Addr != b.Self().Addr || got[1].Cluster != 7 || got[2].Cluster != 0 || got[2].State != cluster.Alive {
		t.Errorf("a sees %+v", got)
	}
	// What a node says anew spreads.
	if err := c.Announce(func(n *cluster.Node) { n.Cluster, n.RPCAddr = 7, "10.9.9.9:1" }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "c's new address is known", func() bool { return a.Nodes()[2].RPCAddr == "10.9.9.9:1" && b.Nodes()[2].Cluster == 7 })
	// One leaves, one dies.
	if err := b.Leave(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	eventually(t, "b has left", func() bool { return state(a, 2) == "left" })
	c.Close()
	eventually(t, "c is dead", func() bool { return state(a, 3) == "dead" })
}

func TestAnotherClusterIsRefused(t *testing.T) {
	a, b := open(t, cluster.Config{Self: node(1, 7)}), open(t, cluster.Config{Self: node(2, 8)})
	if _, err := b.Join(context.Background(), []string{a.Self().Addr}); !errors.Is(err, cluster.ErrOtherCluster) {
		t.Errorf("got %v, want ErrOtherCluster", err)
	}
	if len(a.Nodes()) != 1 || len(b.Nodes()) != 1 {
		t.Errorf("they see each other: %v, %v", a.Nodes(), b.Nodes())
	}
}

func TestTheKeyIsNeeded(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	a := open(t, cluster.Config{Self: node(1, 7), Key: key})
	b := open(t, cluster.Config{Self: node(2, 7)})
	if _, err := b.Join(context.Background(), []string{a.Self().Addr}); err == nil {
		t.Error("joined without the key")
	}
	c := open(t, cluster.Config{Self: node(3, 7), Key: key})
	if _, err := c.Join(context.Background(), []string{a.Self().Addr}); err != nil {
		t.Errorf("with the key: %v", err)
	}
}

func TestNoSeedAnswers(t *testing.T) {
	a := open(t, cluster.Config{Self: node(1, 7)})
	if n, err := a.Join(context.Background(), []string{"127.0.0.1:1"}); n != 0 || err == nil {
		t.Errorf("Join: %d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.Join(ctx, []string{"127.0.0.1:1"}); !errors.Is(err, context.Canceled) && err == nil {
		t.Errorf("cancelled: %v", err)
	}
}

func TestBadConfig(t *testing.T) {
	for name, cfg := range map[string]cluster.Config{
		"no id":       {Self: cluster.Node{Name: "n"}, Bind: "127.0.0.1:0"},
		"no port":     {Self: node(1, 0), Bind: "127.0.0.1"},
		"wild port":   {Self: node(1, 0), Bind: "127.0.0.1:99999"},
		"short key":   {Self: node(1, 0), Bind: "127.0.0.1:0", Key: []byte{1}},
		"no such":     {Self: node(1, 0), Bind: "203.0.113.1:0"},
		"taken twice": {Self: node(1, 0), Bind: "256.256.256.256:0"},
	} {
		if g, err := cluster.Open(cfg); err == nil {
			g.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	settle := func() int {
		n := 0
		for range 200 {
			if m := runtime.NumGoroutine(); m == n {
				return n
			} else {
				n = m
			}
			time.Sleep(20 * time.Millisecond)
		}
		return n
	}
	before := settle()
	a, b := open(t, cluster.Config{Self: node(1, 7)}), open(t, cluster.Config{Self: node(2, 7)})
	if _, err := b.Join(context.Background(), []string{a.Self().Addr}); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*cluster.Gossip{a, b, a} {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := a.Join(context.Background(), []string{b.Self().Addr}); err == nil {
		t.Error("a closed one joins")
	}
	eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}

package replication_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"layercake/crdt"
	"layercake/pgerror"
	"layercake/replication"
	"layercake/replication/core"
)

// rawCodec sends and receives bytes, as a stranger would.
type rawCodec struct{}

func (rawCodec) Name() string { return "layercake" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}
func (rawCodec) Unmarshal(d mem.BufferSlice, v any) error {
	*v.(*[]byte) = d.Materialize()
	return nil
}

// TestFramesFromOutside: whatever a stranger sends on a link or as a join, only that call ends.
func TestFramesFromOutside(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1")
	conn, err := grpc.NewClient("passthrough:///"+ns[0].Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := func(cluster core.ClusterID, id crdt.NodeID, name string) []byte {
		return core.Append([]byte{0}, core.Hello{Cluster: cluster, Member: core.Member{ID: id, Name: name}, Instance: 1})
	}
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 500)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	own := ns[0].Cluster()
	for name, frames := range map[string][][]byte{
		"an empty frame":                  {{}},
		"an unknown frame":                {{9, 1, 2}},
		"noise":                           {append([]byte{0}, noise...)},
		"no Hello":                        {core.Append([]byte{0}, core.Ping{ID: 1})},
		"another cluster":                 {hello(own+1, 2, "n2")},
		"a stranger":                      {hello(own, 3, "n3")},
		"itself":                          {hello(own, 1, "n1")},
		"a member, then noise":            {hello(own, 2, "n2"), append([]byte{0}, noise...)},
		"a part without a start":          {hello(own, 2, "n2"), {2, 1, 1}},
		"a last part alone":               {hello(own, 2, "n2"), {3, 1, 1}},
		"two first parts":                 {hello(own, 2, "n2"), {1, 0, 0, 0, 0, 0, 0, 0, 9, 1}, {1, 0, 0, 0, 0, 0, 0, 0, 9, 1}},
		"a first part without its length": {hello(own, 2, "n2"), {1, 0, 0}},
		"a message without end":           {hello(own, 2, "n2"), {1, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
		"more than was said":              {hello(own, 2, "n2"), {1, 0, 0, 0, 0, 0, 0, 0, 2, 1}, {3, 1, 1}},
		"less than was said":              {hello(own, 2, "n2"), {1, 0, 0, 0, 0, 0, 0, 0, 9, 1}, {3, 1, 1}},
		"a long first message":            {{1, 0, 0, 0, 0, 16, 0, 0, 0, 1}},
	} {
		ctx := within(t, 20*time.Second)
		s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/layercake.v3.Replication/Link")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range frames {
			if err := s.SendMsg(&f); err != nil {
				break
			}
		}
		for err = nil; err == nil; {
			var b []byte
			err = s.RecvMsg(&b)
		}
		if ctx.Err() != nil {
			t.Errorf("%s: the link is still open", name)
		}
	}
	for i := range 50 {
		var answer []byte
		ask := noise[:i*3]
		if err := conn.Invoke(within(t, 20*time.Second), "/layercake.v3.Replication/Join", &ask, &answer); err == nil {
			t.Errorf("%d bytes of noise joined", len(ask))
		}
	}
	for _, n := range ns {
		linked(t, n, replication.All)
	}
	ns[0].mustPut("k", "v", replication.All)
	if len(ns[0].Members()) != 2 {
		t.Errorf("%d members", len(ns[0].Members()))
	}
}

// TestABarrierThatCannotCatchUp: the node is linked and yet cannot apply what the others have.
func TestABarrierThatCannotCatchUp(t *testing.T) {
	_, ns := newCluster(t, "dc1", "dc1")
	ns[1].store.Fail(errors.New("the disk is full"))
	ns[0].mustPut("k", "v", replication.None)
	// A write at none returns before its node's core has heard of it: until then a barrier may pass without it.
	var err error
	for end := time.Now().Add(20 * time.Second); err == nil && time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err = ns[1].Barrier(ctx, replication.Quorum, time.Minute)
		cancel()
	}
	wantCode(t, err, pgerror.InsufficientResources, "did not catch up", "nothing was written", "1 have entries")
	ns[1].store.Fail(nil)
	if err := ns[1].Barrier(within(t, time.Minute), replication.Quorum, time.Minute); err != nil || ns[1].get("k") != "v" {
		t.Errorf("after the disk has room: %v, %q", err, ns[1].get("k"))
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	ns[1].store.Fail(errors.New("full again"))
	ns[0].mustPut("k", "w", replication.None)
	if err := ns[1].Barrier(cancelled, replication.Quorum, time.Minute); err != nil && pgerror.Code(err) != pgerror.QueryCanceled {
		t.Errorf("cancelled: %v", err)
	}
	o, seq, _ := ns[0].store.Commit("k", "x")
	wantCode(t, ns[0].Confirm(cancelled, replication.All, o, seq, time.Minute), pgerror.StatementCompletionUnknown, "cancelled", "1 of 2 acks")
	ns[1].store.Fail(nil)
}

// TestAJoinerThatStoppedHalfWay catches up by itself when it comes back, and serves nobody before.
func TestAJoinerThatStoppedHalfWay(t *testing.T) {
	nw, ns := newCluster(t, "dc1")
	ns[0].mustPut("k", "v", replication.Quorum)
	late := newNode(t, nw, "late", "dc2", 2)
	late.store.Fail(errors.New("no room"))
	late.start()
	if err := late.Join(within(t, 300*time.Millisecond), []string{ns[0].Addr()}); err == nil {
		t.Fatal("joined without applying anything")
	}
	eventually(t, "it is a member", late.IsMember)
	late.Close()
	late.store = late.store.Crash()
	late.store.Fail(errors.New("still no room"))
	late.start()
	wantCode(t, late.Fenced(), pgerror.CannotConnectNow, "not caught up")
	eventually(t, "others see it joining", func() bool { return ns[0].Members()[1].State == "joining" })
	late.store.Fail(nil)
	eventually(t, "it serves", func() bool { return late.Fenced() == nil })
	if got := late.get("k"); got != "v" {
		t.Errorf("it serves with %q", got)
	}
}

// TestAnotherVersion: programs that say other things to each other do not link, and a joiner is told why.
func TestAnotherVersion(t *testing.T) {
	_, ns := newCluster(t, "dc1")
	conn, err := grpc.NewClient("passthrough:///"+ns[0].Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var ask, answer []byte
	for _, name := range []string{"Link", "Join", "Snapshot"} {
		if err := conn.Invoke(within(t, 20*time.Second), "/layercake.Replication/"+name, &ask, &answer); status.Code(err) != codes.Unimplemented {
			t.Errorf("the first version's %s: %v", name, err)
		}
	}
	other := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go other.Serve(l)
	defer other.Stop()
	n := newNode(t, newNetwork(), "n9", "dc1", 9)
	n.start()
	if err := n.Join(within(t, 20*time.Second), []string{l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "runs a version of layercake") {
		t.Errorf("a joiner: %v", err)
	}
}

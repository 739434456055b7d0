package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// levels are those that the kill tests write at. With three members, two and three are all.
var levels = []string{"none", "one", "quorum", "all"}

// sigkill ends nodes at one moment.
func sigkill(nodes ...*node) {
	for _, n := range nodes {
		_ = n.cmd.Process.Kill()
	}
	for _, n := range nodes {
		<-n.done
	}
}

// reboot starts nodes again together.
func reboot(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		n.spawn(t)
	}
	for _, n := range nodes {
		n.ready(t)
	}
}

// TestFaultKill kills nodes at random moments while clients write at every level through every node. While nodes are
// gone, the others have what the level of each write promises; once they are back, everybody has everything.
func TestFaultKill(t *testing.T) {
	t.Parallel()
	nodes := processes(t, 3)
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.everywhere(nodes, either(1, 4), levels...)
	l.watch(nodes...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	moment := func() { l.more(at(nil, ""), either(100, 10000)+rnd.IntN(either(100, 10000))) }
	rounds, writes := 0, either(1, 1_000_000)
	for l.count(at(nil, "")) < writes {
		rounds++
		// One of three, for good as far as the others can tell: they have all that was acknowledged at one and more.
		// The clients of the others go on.
		lost := nodes[rnd.IntN(3)]
		others := without(nodes, lost)
		l.start()
		moment()
		sigkill(lost)
		l.more(at(nil, "quorum"), 50)
		l.stop()
		equal(t, others...)
		for _, n := range others {
			l.check(n, survives(lost))
		}
		reboot(t, lost)

		// Two at once: the third has, without waiting for anything, all that was acknowledged at all, and its own.
		left := nodes[rnd.IntN(3)]
		others = without(nodes, left)
		well(t, nodes...)
		equal(t, nodes...) // what the last round's writes at lower levels had not reached is not what is looked for
		l.start()
		moment()
		sigkill(others...)
		l.stop()
		l.check(left, func(c *loader, f fate) bool { return c.nodes[0] == left || f == acked && c.level == "all" })
		reboot(t, others...)

		// All at once: not even a write at none is lost, since it was on one disk.
		well(t, nodes...)
		l.start()
		moment()
		sigkill(nodes...)
		l.stop()
		reboot(t, nodes...)
		l.settled(nodes...)
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d writes acknowledged in %d rounds of 6 kills", l.count(at(nil, "")), rounds)
	for _, level := range levels {
		t.Logf("%s: %d acknowledged, none lost", level, l.count(at(nil, level)))
	}
}

// without is nodes but one.
func without(nodes []*node, but *node) []*node {
	var out []*node
	for _, n := range nodes {
		if n != but {
			out = append(out, n)
		}
	}
	return out
}

// detected waits until a node knows that another is not there, and returns how long that took.
func detected(t *testing.T, at, gone *node) time.Duration {
	t.Helper()
	conn := dialNode(t, at, "consistency=none")
	defer conn.Close(context.Background())
	took := until(t, at.name()+" notices that "+gone.name()+" is gone", func() error {
		if s := one(t, conn, "SELECT state FROM layercake.nodes WHERE name = $1", gone.name()); s == "alive" {
			return fmt.Errorf("its state is %s", s)
		}
		return nil
	})
	// It should take 2.5 s at most. Without pings of ours gossip and gRPC notice after 7 s and more; between the two there
	// is room for a machine that is busy.
	if took > 6*time.Second {
		t.Errorf("%s noticed only after %v that %s is gone", at.name(), took, gone.name())
	}
	return took
}

// TestFaultUnavailable measures for how long clients at quorum get no acknowledgement when one of three is killed: one
// that is connected to another node, and one that was connected to the killed one and goes to the next.
func TestFaultUnavailable(t *testing.T) {
	nodes := processes(t, 3)
	loadTables(t, nodes[0])
	l := newLoad(t)
	stays := l.client("quorum", nodes[0])
	moves := l.client("quorum", nodes[2], nodes[1])
	for range either(1, 10) {
		l.start()
		l.more(at(nil, ""), 100)
		stays.resetGap()
		moves.resetGap()
		began := time.Now()
		sigkill(nodes[2])
		dead := detected(t, nodes[0], nodes[2])
		l.more(at(nil, ""), 100)
		until(t, "both clients write again", func() error {
			for _, c := range []*loader{stays, moves} {
				c.mu.Lock()
				last := c.lastAck
				c.mu.Unlock()
				if last.Before(began) {
					return fmt.Errorf("client %d has no acknowledgement since the kill", c.id)
				}
			}
			return nil
		})
		t.Logf("one of three killed: %v without an acknowledgement for a client of another node, %v for one that moves; noticed after %v",
			stays.longestGap().Round(time.Millisecond), moves.longestGap().Round(time.Millisecond), dead.Round(time.Millisecond))
		l.stop()
		reboot(t, nodes[2])
		moves.at = 0
	}
	l.settled(nodes...)
}

// TestFaultStop freezes a node with SIGSTOP: its connections stay open and nothing comes. The others go on at quorum
// once they have noticed, say 53000 or 40003 at all, and when it wakes up it catches up and loses nothing.
func TestFaultStop(t *testing.T) {
	t.Parallel()
	nodes := processes(t, 3)
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.everywhere(nodes, 1, levels...)
	l.watch(nodes...)
	l.start()
	l.more(at(nil, "all"), 20)
	frozen := nodes[2]
	freeze(t, frozen)
	began := time.Now()
	noticed := detected(t, nodes[0], frozen)
	l.codes(at(nil, "all"), "53000", 1)
	l.more(at(nil, "quorum"), 100)
	passes(t, either(3*time.Second, 30*time.Second)-time.Since(began))
	acks := l.count(at(nil, "quorum"))
	if err := frozen.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	l.more(at(nil, "all"), 20)
	took := time.Since(began)
	if long { // two of three: nobody has a quorum until they wake up
		freeze(t, nodes[1])
		freeze(t, nodes[2])
		l.codes(at(nodes[0], "quorum"), "53000", 1)
		l.more(at(nodes[0], "none"), 100)
		for _, n := range nodes[1:] {
			if err := n.cmd.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
		}
		l.more(at(nil, "all"), 20)
	}
	l.settled(nodes...)
	t.Logf("frozen for %v, noticed after %v; %d writes at quorum by then; at all again after %v", either(3*time.Second, 30*time.Second),
		noticed.Round(time.Millisecond), acks, took.Round(time.Millisecond))
}

// freeze stops a node's process, and sees to it that it goes on before the test ends: else it could not be waited for.
func freeze(t *testing.T, n *node) {
	t.Helper()
	p := n.cmd.Process
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Signal(syscall.SIGCONT) })
	until(t, n.name()+" stands still", func() error {
		state, err := processState(p.Pid)
		if err == nil && state != "T" {
			err = fmt.Errorf("its state is %s", strconv.Quote(state))
		}
		return err
	})
}

package integration

import (
	"fmt"
	"testing"
	"time"
)

// TestFaultNetwork cuts and spoils the network between three nodes in namespaces of their own while clients write at
// every level through each of them.
func TestFaultNetwork(t *testing.T) {
	t.Parallel()
	net := newLAN(t, 3)
	nodes := net.processes()
	loadTables(t, nodes[0])
	l := newLoad(t)
	l.everywhere(nodes, either(1, 2), levels...)
	l.watch(nodes...)
	hold := either(300*time.Millisecond, 30*time.Second) // how long a fault lasts once everybody has noticed it
	healed := func(name string) {
		t.Helper()
		dropped := net.dropped()
		if dropped == 0 {
			t.Errorf("%s: no packet was dropped", name)
		}
		began := time.Now()
		net.heal()
		l.stop()
		took := until(t, "all links are up again", func() error {
			for _, n := range nodes {
				conn := dialNode(t, n, "consistency=none")
				alive := one(t, conn, "SELECT count(*) FROM layercake.nodes WHERE state = 'alive'")
				_ = conn.Close(t.Context())
				if alive != "3" {
					return fmt.Errorf("%s sees %s", n.name(), alive)
				}
			}
			return nil
		})
		equal(t, nodes...)
		all := time.Since(began)
		l.settled(nodes...)
		t.Logf("%s: %d packets dropped; links up %v after healing, digests equal after %v", name, dropped, took.Round(time.Millisecond), all.Round(time.Millisecond))
		if t.Failed() {
			t.FailNow()
		}
	}
	l.start()
	l.more(at(nodes[2], "all"), 5)

	// Cut off, and killed at once, before anybody has noticed: what its clients were told meanwhile is on no other disk.
	// Nothing that was acknowledged above none is lost with it; what was at none is not with the others, as it says.
	net.part([]int{0, 1}, []int{2})
	l.more(at(nodes[2], "none"), 30) // some of the first may have left before
	sigkill(nodes[2])
	detected(t, nodes[0], nodes[2]) // until then the kernel would deliver, once it can, what the dead process has sent
	detected(t, nodes[1], nodes[2])
	net.heal()
	l.stop()
	equal(t, nodes[:2]...)
	for _, n := range nodes[:2] {
		if absent := l.check(n, survives(nodes[2])); absent < 20 {
			t.Errorf("%s has all but %d of the writes at none: the network was not cut", n.name(), absent)
		}
	}
	reboot(t, nodes[2])
	l.settled(nodes...)
	l.start()
	l.more(at(nodes[2], "all"), 5)

	// Two against one. Everything is dropped without a word, so that connections are half-open. The two go on, the one
	// refuses what it can't do and takes what needs nobody.
	net.part([]int{0, 1}, []int{2})
	began := time.Now()
	noticed := detected(t, nodes[0], nodes[2])
	detected(t, nodes[2], nodes[0])
	detected(t, nodes[2], nodes[1])
	t.Logf("half-open: noticed after %v by one of the two, after %v by the one", noticed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	l.more(at(nodes[0], "quorum"), 20)
	l.more(at(nodes[1], "one"), 20)
	l.more(at(nodes[2], "none"), 20)
	l.codes(at(nodes[2], "quorum"), "53000", 1)
	l.codes(at(nodes[2], "one"), "53000", 1)
	cut := l.count(at(nodes[2], "quorum")) + l.count(at(nodes[2], "one"))
	passes(t, hold)
	if now := l.count(at(nodes[2], "quorum")) + l.count(at(nodes[2], "one")); now != cut {
		t.Errorf("%d writes at one and quorum were acknowledged through a node that is cut off", now-cut)
	}
	healed("two against one")

	// One way: n3 hears the others, and they do not hear it.
	l.start()
	net.drop(2, 0)
	net.drop(2, 1)
	detected(t, nodes[0], nodes[2])
	detected(t, nodes[2], nodes[0])
	l.more(at(nodes[0], "quorum"), 20)
	l.more(at(nodes[2], "none"), 20)
	passes(t, hold)
	healed("one way, to the others")

	// The other way: the others hear n3, and it does not hear them.
	if long {
		l.start()
		net.drop(0, 2)
		net.drop(1, 2)
		detected(t, nodes[0], nodes[2])
		detected(t, nodes[2], nodes[0])
		l.more(at(nodes[1], "quorum"), 20)
		passes(t, hold)
		healed("one way, from the others")
	}

	// A bridge: n1 and n3 do not hear each other, n2 hears both. What one writes reaches the other through n2, and a
	// quorum is to be had everywhere.
	l.start()
	net.part([]int{0}, []int{2})
	detected(t, nodes[0], nodes[2])
	detected(t, nodes[2], nodes[0])
	l.more(at(nodes[0], "quorum"), 20)
	l.more(at(nodes[2], "quorum"), 20)
	n1, n3 := dialNode(t, nodes[0], "write_consistency=quorum"), dialNode(t, nodes[2], "consistency=none")
	exec(t, n1, "INSERT INTO kv VALUES (-2, 'over n2')")
	eventually(t, n3, "over n2", "SELECT v FROM kv WHERE k = -2")
	exec(t, n1, "DELETE FROM kv WHERE k = -2")
	passes(t, hold)
	healed("a bridge of one")

	// A fifth of all packets is lost, in both directions of every link. It is slow, and it works.
	l.start()
	net.lose(0.2)
	l.more(at(nil, "quorum"), either(20, 200))
	l.more(at(nil, "all"), either(10, 100))
	passes(t, hold)
	healed("20% loss")
}

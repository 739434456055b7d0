package replication_test

import (
	"testing"
	"time"

	"layercake/crdt"
	"layercake/replication"
)

func TestTheViews(t *testing.T) {
	nw, ns := newCluster(t, "dc1", "dc2", "dc2")
	ns[0].mustPut("k", "v", replication.All)
	eventually(t, "round trips are measured", func() bool {
		ms := ns[0].Members()
		return ms[1].RTT > 0 && ms[2].RTT > 0
	})
	eventually(t, "the markers after the write are everywhere", func() bool {
		for _, m := range ns[0].Members() {
			if !m.Applied.Equal(ns[0].store.Vector()) || len(m.Applied) < 3 {
				return false
			}
		}
		return true
	})
	for i, m := range ns[0].Members() {
		if m.State != "alive" || m.Self != (i == 0) || m.Name != ns[i].name || m.DC != ns[i].dc || m.PGAddr == "" || m.RPCAddr != ns[i].Addr() {
			t.Errorf("member %d: %+v", i, m)
		}
		if !m.Applied.Equal(ns[0].store.Vector()) {
			t.Errorf("%s has applied %v, want %v", m.Name, m.Applied, ns[0].store.Vector())
		}
		if m.ClockOffset > 100*time.Millisecond || m.ClockOffset < -100*time.Millisecond {
			t.Errorf("%s: clock offset %v in one process", m.Name, m.ClockOffset)
		}
	}
	states := map[string]string{"n2": "streaming", "n3": "relayed"} // n2 takes n1's entries into dc2
	eventually(t, "the streams are as the data centres have them", func() bool {
		for _, s := range ns[0].Streams() {
			if s.Origin.Node != 1 { // what others wrote, relayed to n1's data centre
				continue
			}
			if want := ns[0].store.Vector()[s.Origin]; s.Sent != want || s.Acked != want || s.LagEntries != 0 || s.Lag != 0 || s.State != states[s.PeerName] {
				return false
			}
		}
		return true
	})
	nw.Cut("n3", "n1", "n2")
	eventually(t, "n3 is missed", func() bool { return ns[0].Members()[2].State == "dead" })
	for range 3 {
		ns[0].mustPut("k", "w", replication.Quorum)
	}
	eventually(t, "the lag of n3 shows", func() bool {
		for _, s := range ns[0].Streams() {
			if s.PeerName == "n3" {
				return s.LagEntries >= 3 && s.Lag > 0 && s.State == "unreachable"
			}
		}
		return false
	})
}

func TestTransactionIDs(t *testing.T) {
	o := crdt.Origin{Node: 0xfeed, Epoch: crdt.Epoch{First: 0x123456789, Random: 7}}
	id := replication.TransactionID(o, 42)
	if id != "feed-123456789.7-42" {
		t.Errorf("got %s", id)
	}
	got, seq, err := replication.ParseTransactionID(id)
	if err != nil || got != o || seq != 42 {
		t.Errorf("read back %v %d %v", got, seq, err)
	}
	for _, bad := range []string{"", "x", "feed-1.7", id + "x", " " + id} {
		if _, _, err := replication.ParseTransactionID(bad); err == nil {
			t.Errorf("%q passes for a transaction id", bad)
		}
	}
}

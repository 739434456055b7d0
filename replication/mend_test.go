package replication_test

import (
	"testing"

	"layercake/replication"
)

// TestAStoreGoesBackAndWritesOn: n1's store goes back to what it was and writes on under the epoch that it had, as when a
// machine is rolled back, while others hold what it wrote since (rule E5).
func TestAStoreGoesBackAndWritesOn(t *testing.T) {
	nw, ns := keeping(t, nil, "dc1", "dc1", "dc1")
	a := ns[0]
	a.mustPut("before", "1", replication.All)
	o := a.store.Own()
	then := a.store.Rewind()
	a.mustPut("first life", "2", replication.All)
	nw.Cut("n1", "n2", "n3")
	a.Close()
	a.store = then
	if _, _, err := a.store.Commit("second life", "3"); err != nil || a.store.Own() != o {
		t.Fatalf("it does not write on: %v", err)
	}
	nw.Heal("n1", "n2", "n3")
	a.start()
	all := func(keys ...string) func() bool {
		return func() bool {
			for _, n := range ns {
				for _, key := range keys {
					if n.get(key) == "" {
						return false
					}
				}
				if !n.store.Vector().Equal(a.store.Vector()) {
					return false
				}
			}
			return true
		}
	}
	eventually(t, "all have both branches", all("before", "first life", "second life"))
	eventually(t, "n1 serves again", func() bool { return a.Fenced() == nil })
	if a.store.Own() == o {
		t.Error("it still writes under the old epoch")
	}
	a.mustPut("after", "4", replication.All)
	eventually(t, "all have what came after", all("after"))
	for _, n := range ns {
		n.tidy(12)
	}
}

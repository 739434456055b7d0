package core_test

import (
	"flag"
	"testing"
	"time"
)

var sqlSeeds = flag.Int("sqlseeds", 20, "how many seeds the simulator runs over the real store")

// simulateSQL runs one seed over the real store, in memory.
func simulateSQL(seed uint64, b sqlBreaks) *sim {
	s := newSQLSim(seed, b)
	defer s.close()
	return s.whole()
}

// TestSimulationSQL does to clusters of real stores, with tables and DDL on all nodes at once, what TestSimulation does to
// those of a map.
func TestSimulationSQL(t *testing.T) {
	from, n := uint64(1), *sqlSeeds
	if *seed != 0 {
		from, n = *seed, 1
	} else if testing.Short() {
		n = min(n, 3)
	}
	began := time.Now()
	did := map[string]int{}
	looks, snapshots, restores, removed, purges, trims := 0, 0, 0, 0, 0, 0
	for i := range uint64(n) {
		s := simulateSQL(from+i, sqlBreaks{})
		if len(s.faults) > 0 {
			t.Fatal(s.history())
		}
		for what, k := range s.sql.ddl {
			did[what] += k
		}
		looks, snapshots, restores, purges, trims = looks+s.sql.looks, snapshots+s.snapshots, restores+s.restores, purges+s.purges, trims+s.trims
		removed += len(s.latest().Retired)
	}
	t.Logf("%d seeds over sqlstore in %v: %v", n, time.Since(began).Round(time.Second), did)
	t.Logf("%d times all rows of a node were looked at; %d tombstones purged, %d entries trimmed, %d snapshots, %d old copies restored, %d members removed",
		looks, purges, trims, snapshots, restores, removed)
}

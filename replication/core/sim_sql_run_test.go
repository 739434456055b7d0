package core_test

import (
	"flag"
	"testing"
	"testing/synctest"
	"time"
)

var (
	sqlSeeds = flag.Int("sqlseeds", 25, "how many seeds the simulator runs over the real store")
	sqlFrom  = flag.Uint64("sqlfrom", 1, "the first of them")
)

// simulateSQL runs one seed over the real store, in memory.
func simulateSQL(t *testing.T, seed uint64, b sqlBreaks) (s *sim) {
	emptyImage()
	synctest.Test(t, func(*testing.T) {
		s = newSQLSim(seed, b)
		defer s.close()
		s.whole()
	})
	return s
}

// splitter cuts the cluster in two now and then, for longer than single links fail.
func (s *sim) splitter() {
	var split func()
	split = func() {
		if s.quiet {
			return
		}
		if s.restored == nil {
			side := make([]bool, len(s.nodes))
			for i := range side {
				side[i] = s.chance(50)
			}
			s.log("the cluster is split: %v", side)
			heal := s.between(300*time.Millisecond, 2500*time.Millisecond)
			for i := range side {
				for j := range i {
					if side[i] == side[j] {
						continue
					}
					l := s.link(i, j)
					l.cut = true
					if l.up {
						s.break_(s.nodes[i], s.nodes[j])
					}
					s.after(heal, func() { l.cut = false })
				}
			}
		}
		s.after(s.between(500*time.Millisecond, 5*time.Second), split)
	}
	s.after(s.between(500*time.Millisecond, 4*time.Second), split)
}

// TestSimulationSQL does to clusters of real stores, with tables and DDL on all nodes at once, what TestSimulation does to
// those of a map.
func TestSimulationSQL(t *testing.T) {
	from, n := *sqlFrom, *sqlSeeds
	if *seed != 0 {
		from, n = *seed, 1
	} else if testing.Short() {
		n = min(n, 3)
	}
	began := time.Now()
	did := map[string]int{}
	groups, looks, snapshots, restores, removed, purges, trims := 0, 0, 0, 0, 0, 0, 0
	writes, acked := 0, 0
	for i := range uint64(n) {
		s := simulateSQL(t, from+i, sqlBreaks{})
		if len(s.faults) > 0 {
			t.Fatal(s.history())
		}
		for what, k := range s.sql.ddl {
			did[what] += k
		}
		looks, snapshots, restores, purges, trims = looks+s.sql.looks, snapshots+s.snapshots, restores+s.restores, purges+s.purges, trims+s.trims
		removed += len(s.latest().Retired)
		groups += s.sql.groups
		for what, k := range s.sql.left {
			did["left: "+what] += k
		}
		for _, w := range s.writes {
			if writes++; w.end > 0 {
				acked++
			}
		}
	}
	t.Logf("%d seeds over sqlstore in %v: %d writes, %d acknowledged; %d groups of several", n, time.Since(began).Round(time.Second), writes, acked, groups)
	t.Logf("statements: %v", did)
	if n >= 10 && (did["add column"] < 3*n || did["drop column"] < n || did["drop table"] < n || did["create index"] < n || restores == 0) {
		t.Errorf("the simulation hardly does anything")
	}
	t.Logf("%d times all rows of a node were looked at; %d tombstones purged, %d entries trimmed, %d snapshots, %d old copies restored, %d members removed",
		looks, purges, trims, snapshots, restores, removed)
}

// TestASQLSeedReplays: the stores' own goroutines and random numbers play no part.
func TestASQLSeedReplays(t *testing.T) {
	for i := range uint64(2) {
		a, b := simulateSQL(t, 1000+i, sqlBreaks{}), simulateSQL(t, 1000+i, sqlBreaks{})
		if a.sum != b.sum || len(a.faults)+len(b.faults) > 0 {
			t.Fatalf("seed %d ran differently the second time: %v %v", 1000+i, a.faults, b.faults)
		}
	}
}

// TestSQLRulesAreNeeded breaks one promise of the store at a time: the simulator must see it.
func TestSQLRulesAreNeeded(t *testing.T) {
	for name, b := range map[string]sqlBreaks{
		"DROPs are merged":            {forgetDrops: true},
		"dependencies are waited for": {ignoreDeps: true},
		"a transaction is atomic":     {halve: true},
		"tombstones wait for markers": {purgeEarly: true},
		"what is synced survives":     {loseSynced: true},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range uint64(40) {
				if s := simulateSQL(t, 1+i, b); len(s.faults) > 0 {
					t.Logf("seed %d: %.300s", 1+i, s.faults[0])
					return
				}
			}
			t.Errorf("40 seeds without it broke nothing")
		})
	}
}

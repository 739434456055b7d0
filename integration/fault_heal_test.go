package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaultHeal measures how long it takes from healing until digests are equal, when a node that was cut off is many
// rows behind.
func TestFaultHeal(t *testing.T) {
	if !long {
		t.Skip("a measurement: make faults")
	}
	net := newLAN(t, 3)
	nodes := net.processes()
	loadTables(t, nodes[0])
	const entries, rows = 1000, 100
	conn := dialNode(t, nodes[0], "write_consistency=quorum")
	var took []time.Duration
	for round := range 20 {
		net.part([]int{0, 1}, []int{2})
		detected(t, nodes[0], nodes[2])
		for i := range entries {
			exec(t, conn, "INSERT INTO kv SELECT $1 + g, $2 FROM generate_series(1, $3) g", int64(round*entries+i)*rows, strings.Repeat("x", 100), rows)
		}
		began := time.Now()
		net.heal()
		behind := dialNode(t, nodes[2], "consistency=none")
		// One node wrote them, so that the last one is the last to come.
		last := int64((round+1)*entries) * rows
		until(t, "the rows are there", func() error {
			if one(t, behind, "SELECT count(*) FROM kv WHERE k = $1", last) != "1" {
				return fmt.Errorf("row %d is not", last)
			}
			return nil
		})
		_ = behind.Close(t.Context())
		equal(t, nodes...)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("%d rows in %d entries behind: equal digests after p50 %v, p99 %v (%d times)", entries*rows, entries,
		took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took))
}

package core_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"layercake/replication/core"
)

// register is a statement on one key: a write, or a deletion, which writes "", or a read.
type register struct {
	write bool
	key   string
	value string
}

// registers is porcupine's model of independent keys.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		keys := map[string][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(register).key
			keys[key] = append(keys[key], op)
		}
		var parts [][]porcupine.Operation
		for _, part := range keys {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(register); in.write {
			return true, in.value
		}
		return output == state, state
	},
	DescribeOperation: func(input, output any) string {
		if in := input.(register); in.write {
			return fmt.Sprintf("%s = %q", in.key, in.value)
		}
		return fmt.Sprintf("%s is %q", input.(register).key, output)
	},
}

// linearKey is a key of a run whose statements porcupine judges: many, since it takes long over many statements on one.
func linearKey(s *sim) string { return fmt.Sprintf("k%d", s.rng.IntN(32)) }

// operations is what porcupine is to check of a run with one level. A write without an acknowledgement may take effect at
// any time, or never: it is there only if a read may have seen it, since otherwise it can come last.
func (s *sim) operations() []porcupine.Operation {
	seen := map[string]bool{"": true}
	var ops []porcupine.Operation
	for _, op := range s.statements {
		if op.read {
			seen[op.value] = true
		}
	}
	for _, op := range s.statements {
		end := int64(op.end)
		if op.read {
			ops = append(ops, porcupine.Operation{Input: register{key: op.key}, Call: int64(op.start), Output: op.value, Return: end})
			continue
		}
		if end == 0 {
			if !seen[op.value] {
				continue
			}
			end = math.MaxInt64
		}
		ops = append(ops, porcupine.Operation{Input: register{true, op.key, op.value}, Call: int64(op.start), Return: end})
	}
	return ops
}

// checkLinear runs a seed with all statements at one level, and has porcupine judge the reads and writes.
func checkLinear(seed uint64, level core.Level, knobs core.Knobs) (s *sim, ops int, result porcupine.CheckResult) {
	s = newSim(seed, knobs)
	s.only = &level
	s.whole()
	history := s.operations()
	return s, len(history), porcupine.CheckOperationsTimeout(registers, history, 10*time.Second)
}

// TestLinearizable has porcupine judge reads of single keys and blind writes at quorum, through everything that
// TestSimulation does to a cluster: crashes, cuts, joins, removals, folders put back from old copies.
func TestLinearizable(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	checked, undecided, removals, restores := 0, 0, 0, 0
	for i := range n {
		s, ops, result := checkLinear(uint64(i+1), core.Quorum, core.Knobs{})
		checked, removals, restores = checked+ops, removals+s.removals, restores+s.restores
		switch {
		case len(s.faults) > 0:
			t.Fatal(s.history())
		case result == porcupine.Illegal:
			t.Fatalf("seed %d at quorum is not linearizable", i+1)
		case result == porcupine.Unknown:
			undecided++
		}
	}
	t.Logf("%d seeds: %d statements are linearizable, through %d removals and %d restores; %d seeds undecided in 10 s",
		n-undecided, checked, removals, restores, undecided)
	if checked == 0 || undecided > n/50 {
		t.Errorf("%d statements checked, %d of %d seeds undecided", checked, undecided, n)
	}
}

// TestNotLinearizable shows that the check can fail: at none, and at quorum without the rules that it rests on.
func TestNotLinearizable(t *testing.T) {
	for name, c := range map[string]struct {
		level core.Level
		knobs core.Knobs
	}{
		"none":        {core.None, core.Knobs{}},
		"without Q1":  {core.Quorum, core.Knobs{JoinRunningBarrier: true}},
		"AlwaysFresh": {core.Quorum, core.Knobs{AlwaysFresh: true}},
	} {
		t.Run(name, func(t *testing.T) {
			for i := range uint64(100) {
				if _, ops, result := checkLinear(i+1, c.level, c.knobs); result == porcupine.Illegal {
					t.Logf("seed %d: %d statements are not linearizable", i+1, ops)
					return
				}
			}
			t.Error("100 seeds were linearizable")
		})
	}
}

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

// rowOfTwo is porcupine's model of a row of two columns, as if whole rows were registers.
var rowOfTwo = porcupine.Model{
	Init: func() any { return [2]string{"old", "old"} },
	Step: func(state, input, output any) (bool, any) {
		row := state.([2]string)
		if in := input.(register); in.write {
			row[map[string]int{"a": 0, "b": 1}[in.key]] = in.value
			return true, row
		}
		return output == row, row
	},
}

// TestQ4: n1 sets column a, n2 sets b, and meanwhile a reader at each sees only the one: each column is linearizable, the
// row is not. That is all that is promised (rule Q4).
func TestQ4(t *testing.T) {
	s := scripted(t, core.Knobs{})
	set := func(n *simNode, column, value string, done *int) {
		n.put(column, value)
		o := n.origin()
		if ticket, ok := n.core.Confirm(n.time(), core.Quorum, o, n.store.Vector()[o]); ok {
			*done++
		} else {
			n.wait(ticket, time.Minute, func(core.Done) { *done++ }, func() {})
		}
	}
	before, done := 0, 0
	set(s.nodes[0], "a", "old", &before)
	set(s.nodes[0], "b", "old", &before)
	s.until(t, "both columns are there", func() bool { return before == 2 && s.level() })
	call := int64(s.now)
	s.cut(0, 1, true)
	passed := 0
	for _, n := range s.nodes[:2] {
		n.barrier(core.Quorum, func(core.Done) { passed++ })
	}
	s.until(t, "both readers' barriers have passed", func() bool { return passed == 2 })
	s.cut(0, 2, true)
	s.cut(1, 2, true)
	set(s.nodes[0], "a", "new", &done)
	set(s.nodes[1], "b", "new", &done)
	saw := [2][2]string{}
	for i, n := range s.nodes[:2] {
		saw[i] = [2]string{n.store.show("a"), n.store.show("b")}
		ticket, _ := n.core.WriteBack(n.time(), core.Quorum, n.store.Vector())
		n.wait(ticket, time.Minute, func(core.Done) { done++ }, func() {})
	}
	for _, l := range s.links {
		l.cut = false
	}
	s.until(t, "all four statements are answered", func() bool { return done == 4 })
	var columns, rows []porcupine.Operation
	during := func(in register, out any) porcupine.Operation {
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: int64(s.now)}
	}
	for i, column := range []string{"a", "b"} {
		columns = append(columns, porcupine.Operation{Input: register{true, column, "old"}, Return: call - 1},
			during(register{true, column, "new"}, nil))
		rows = append(rows, during(register{true, column, "new"}, nil), during(register{}, saw[i]))
		for _, row := range saw {
			columns = append(columns, during(register{key: column}, row[i]))
		}
	}
	byColumn, byRow := porcupine.CheckOperations(registers, columns), porcupine.CheckOperations(rowOfTwo, rows)
	if !byColumn || byRow {
		t.Errorf("the readers saw %v: linearizable by column %v, by row %v", saw, byColumn, byRow)
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

package main

import (
	"maps"
	"strings"

	"github.com/google/pprof/profile"
)

// busy are functions that goroutines are in while they have something to do: serving a statement, bringing a transaction, or
// entries of other nodes, to the writer, and the writer with a group of them. Who waits anywhere else waits for work.
var busy = []string{"layercake/pgwire.(*conn).message", "layercake/sqlstore.(*Store).submit",
	"layercake/sqlstore.(*writer).runGroup"}

// kinds are what can be waited for, by the runtime's function.
var kinds = []struct {
	name  string
	funcs []string
}{
	{"mutex", []string{"sync.(*Mutex).", "sync.(*RWMutex).", "internal/sync.(*Mutex)."}},
	{"condition", []string{"sync.(*Cond).Wait"}},
	{"select", []string{"runtime.selectgo"}},
	{"channel", []string{"runtime.chan"}},
}

// waitOf names what a goroutine that has something to do waits for, and where; "" for any other.
func waitOf(stack []string) string {
	if !within(stack, busy) {
		return ""
	}
	for _, k := range kinds {
		if within(stack, k.funcs) {
			return k.name + " in " + code(ours(stack))
		}
	}
	return "wait in " + code(ours(stack))
}

// waitsExplained are waits that are part of what the program does.
var waitsExplained = []struct{ name, what string }{
	{"channel in `sqlstore.(*Store).submit`", "for the writer: the group before, the group's work, its fsync"},
	{"select in `replication.(*Replicator).await`", "for other members: a write on their disks, or numbers of a sequence"},
	{"select in `replication.Barrier.Wait`", "for other members, before a read at a level"},
	{"select in `server.(*lockTable).acquire`", "for a row that another client's transaction has reserved"},
	{"mutex in `sqlstore.(*writer).restartWAL`", "the writer, for the checkpointer, when the write-ahead log is long"},
	{"channel in `sqlstore.(*bulk).…`", "the writer, for the digest and the entry of a great load, made beside it"},
	{"mutexes held by …", "who made others wait for a mutex, busy or not; told where a wait above is for one"},
}

// heldBy names who let others wait for a mutex: the stack is of who unlocked it. The runtime's own locks are nobody's.
func heldBy(stack []string) string {
	for _, name := range stack {
		switch {
		case strings.HasPrefix(name, "runtime."):
			return ""
		case !strings.HasPrefix(name, "sync.") && !strings.HasPrefix(name, "internal/sync."):
			return "mutexes held by " + code(strings.TrimPrefix(name, "layercake/"))
		}
	}
	return ""
}

// leastWait is the fraction of the time from which a wait is worth telling.
const leastWait = 0.01

// waits are the fractions of so many nanoseconds that were waited, the greatest first. Who holds mutexes is told after them,
// if any of them is one: others are waited for by goroutines that nobody waits for.
func waits(block, mutex *profile.Profile, of float64) []share {
	told := worthTelling(sum(block, "delay", waitOf), of)
	for _, w := range told {
		if strings.HasPrefix(w.name, kinds[0].name) {
			return append(told, worthTelling(sum(mutex, "delay", heldBy), of)...)
		}
	}
	return told
}

func worthTelling(sums map[string]float64, of float64) []share {
	maps.DeleteFunc(sums, func(_ string, v float64) bool { return v < leastWait*of })
	for name := range sums {
		sums[name] /= of
	}
	return descending(sums)
}

func code(name string) string { return "`" + name + "`" }

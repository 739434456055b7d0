package main

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// rule names a part of the program. A sample is of the rule that knows the innermost of its functions that any rule knows;
// of two that know one function, of the first.
type rule struct {
	cost  string
	what  string   // what the reader is told of it
	funcs []string // beginnings of functions' names
	under []string // of these, one must have called it, however far out; none need when empty
}

const sqlite = "layercake/sqlstore/sqlite."

// rules are of Go's functions: of what C does, the profiler sees the call. Packages that serve many, such as catalog, have
// no rule: they are of who calls them.
var rules = []rule{
	{cost: "garbage collector", what: "marking, sweeping, and what goroutines do for it when they allocate",
		funcs: []string{"runtime.gc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.deductSweepCredit", "runtime.sweepone",
			"runtime.(*sweepLocked).", "runtime.wbBufFlush"}},
	{cost: "profiling", what: "noting who waits: it is not there otherwise",
		funcs: []string{"runtime.blockevent", "runtime.saveblockevent", "runtime.mutexevent", "runtime.(*mLockProfile)."}},
	{cost: "allocating memory", what: "the Go runtime's allocator, for whomever",
		funcs: []string{"runtime.mallocgc", "runtime.newobject", "runtime.makeslice"}},
	{cost: "scheduler", what: "waiting for the network, looking for goroutines that can run, waking threads, channels",
		funcs: []string{"runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.mstart", "runtime.sysmon",
			"runtime.netpoll", "runtime.ready", "runtime.goready", "runtime.wakep", "runtime.startm", "runtime.notewakeup",
			"runtime.notetsleep", "runtime.futex", "runtime.chan", "runtime.closechan", "runtime.selectgo", "runtime.gopark",
			"runtime.newproc", "runtime.goexit0"}},
	{cost: "socket writes to clients", what: "the system call, with the kernel's sending over loopback",
		funcs: []string{"layercake/pgwire.(*conn).flush"}},
	{cost: "socket reads from clients", what: "the system call; waiting for the client is not in it",
		funcs: []string{"layercake/pgwire.(*conn).read"}},
	{cost: "SQLite: COMMIT of the group", what: "with the processor time of the fsync",
		funcs: []string{sqlite}, under: []string{"layercake/sqlstore.(*writer).commit"}},
	{cost: "SQLite: checkpoints", what: "pages from the write-ahead log into the file",
		funcs: []string{sqlite},
		under: []string{"layercake/sqlstore.(*Store).checkpoint", "layercake/sqlstore.(*writer).restartWAL"}},
	{cost: "SQLite: changes on the writer", what: "rows, clocks, tombstones, digests and the log, and savepoints",
		funcs: []string{sqlite}, under: []string{"layercake/sqlstore.(*writer).loop"}},
	{cost: "SQLite: queries of readers", what: "those of SELECTs, and of the rows that an UPDATE works on",
		funcs: []string{sqlite}},
	{cost: "gRPC", what: "links between nodes, with their system calls",
		funcs: []string{"google.golang.org/grpc", "golang.org/x/net/http2", "google.golang.org/genproto"}},
	{cost: "replication", what: "its core, and what carries entries and acknowledgements between it, the links and the store",
		funcs: []string{"layercake/replication"}},
	{cost: "gossip", what: "memberlist",
		funcs: []string{"github.com/hashicorp/memberlist", "layercake/cluster."}},
	{cost: "log entry and digest", what: "what a transaction did, encoded, packed and hashed",
		funcs: []string{"layercake/crdt.", "github.com/klauspost/compress", "layercake/sqlstore.(*txLog).",
			"layercake/sqlstore.(*updRow).", "layercake/sqlstore.(*Tx).body", "layercake/sqlstore.(*Tx).nextEntry"}},
	{cost: "parse, resolve and plan", what: "with looking up a kept plan",
		funcs: []string{"layercake/pgsql.", "github.com/pganalyze/pg_query_go", "layercake/server.(*planCache).",
			"layercake/server.(*lru[", "layercake/server.(*session).shared", "layercake/server.(*session).compile",
			"layercake/server.(*session).environment", "layercake/server.(*session).refresh"}},
	{cost: "wire protocol", what: "decoding and encoding messages",
		funcs: []string{"layercake/pgwire.", "layercake/pgwire/", "github.com/jackc/pgx/v5/pgproto3"}},
	{cost: "store, around SQLite", what: "taking readers and turns, encoding rows, bookkeeping of a group",
		funcs: []string{"layercake/sqlstore."}},
	{cost: "session and execution", what: "portals, transactions, row locks, constraints; the rows of a COPY",
		funcs: []string{"layercake/server."}},
}

// unknown is the cost of samples that no rule knows.
const unknown = "other"

// hasAny says whether a name begins like one of some.
func hasAny(name string, beginnings []string) bool {
	return slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(name, b) })
}

// within says whether a stack has a function that begins like one of some.
func within(stack, beginnings []string) bool {
	return slices.ContainsFunc(stack, func(name string) bool { return hasAny(name, beginnings) })
}

// costOf finds the cost of a stack, innermost function first.
func costOf(stack []string) string {
	for i, name := range stack {
		for _, r := range rules {
			if hasAny(name, r.funcs) && (len(r.under) == 0 || within(stack[i+1:], r.under)) {
				return r.cost
			}
		}
	}
	return unknown
}

// profiler are functions that answer us: what they cost is not the workload's, and is left out everywhere.
var profiler = []string{"net/http/pprof.", "runtime/pprof."}

// stackOf is the functions of a sample, innermost first, those that the compiler inlined too.
func stackOf(s *profile.Sample) []string {
	var out []string
	for _, loc := range s.Location {
		for _, l := range loc.Line {
			if l.Function != nil {
				out = append(out, l.Function.Name)
			}
		}
	}
	return out
}

// share is a part of a whole.
type share struct {
	name  string
	value float64
}

// descending sorts what was added up by name, the greatest first, without what is nothing.
func descending(sums map[string]float64) []share {
	var out []share
	for name, v := range sums {
		if v > 0 {
			out = append(out, share{name, v})
		}
	}
	slices.SortFunc(out, func(a, b share) int { return cmp.Or(cmp.Compare(b.value, a.value), strings.Compare(a.name, b.name)) })
	return out
}

// valueIndex is where samples have a value.
func valueIndex(p *profile.Profile, name string) int {
	return slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == name })
}

// sum adds up a value of a profile's samples by the name that of gives them; those without a name are left out.
func sum(p *profile.Profile, value string, of func(stack []string) string) map[string]float64 {
	sums := map[string]float64{}
	i := valueIndex(p, value)
	if i < 0 {
		return sums
	}
	for _, s := range p.Sample {
		stack := stackOf(s)
		if within(stack, profiler) {
			continue
		}
		if name := of(stack); name != "" {
			sums[name] += float64(s.Value[i])
		}
	}
	return sums
}

// costs are the parts of a CPU profile, the greatest first, as fractions, and the nanoseconds that they are of.
func costs(p *profile.Profile) (parts []share, total float64) {
	sums := sum(p, "cpu", costOf)
	for _, v := range sums {
		total += v
	}
	for name := range sums {
		sums[name] /= total
	}
	return descending(sums), total
}

// ours is the innermost function of the program itself, without its module; "" if there is none.
func ours(stack []string) string {
	for _, name := range stack {
		if f, ok := strings.CutPrefix(name, "layercake/"); ok {
			return f
		}
	}
	return ""
}

// leastAllocated is how many bytes a function must have been seen to allocate to be told: with fewer it is chance.
const leastAllocated = 256 << 10

// allocations are bytes that the program's functions allocated, the most first, whatever library they called for it.
func allocations(p *profile.Profile) []share {
	sums := sum(p, "alloc_space", ours)
	maps.DeleteFunc(sums, func(_ string, v float64) bool { return v < leastAllocated })
	return descending(sums)
}

package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"layercake/bench/internal/pgbench"
)

// synthetic makes a profile with one value for each stack, whose functions are listed innermost first, separated by spaces.
func synthetic(value string, samples map[string]int64) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "samples", Unit: "count"}, {Type: value, Unit: "x"}},
		PeriodType: &profile.ValueType{}}
	for stack, v := range samples {
		s := &profile.Sample{Value: []int64{1, v}}
		for _, name := range strings.Fields(stack) {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
			l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
			p.Function, p.Location = append(p.Function, f), append(p.Location, l)
			s.Location = append(s.Location, l)
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

const (
	step    = "runtime.cgocall layercake/sqlstore/sqlite._Cfunc_lc_stmt_exec layercake/sqlstore/sqlite.(*Stmt).Exec "
	execute = " layercake/server.(*session).Execute layercake/pgwire.(*conn).message layercake/pgwire.(*conn).loop"
	group   = " layercake/sqlstore.(*writer).runGroup layercake/sqlstore.(*writer).loop"
)

func TestCostOf(t *testing.T) {
	tests := []struct{ stack, want string }{
		{step + "layercake/sqlstore.run layercake/sqlstore.(*writer).commit" + group, "SQLite: COMMIT of the group"},
		{step + "layercake/sqlstore.(*Tx).Update" + group, "SQLite: changes on the writer"},
		{step + "layercake/sqlstore.(*Store).checkpoint layercake/sqlstore.(*Store).checkpointLoop", "SQLite: checkpoints"},
		{step + "layercake/sqlstore.(*writer).restartWAL" + group, "SQLite: checkpoints"},
		{step + "layercake/sqlstore.(*Reader).Query" + execute, "SQLite: queries of readers"},
		// What C calls back is SQLite's, whatever it calls.
		{"layercake/catalog.AppendRow layercake/sqlstore/sqlite.lcGoCall " + step + execute, "SQLite: queries of readers"},
		{"layercake/catalog.DecodeRow layercake/server.(*cursor).next" + execute, "session and execution"},
		{"runtime.memmove layercake/catalog.AppendRow layercake/sqlstore.(*Tx).insertRow" + group, "store, around SQLite"},
		{"syscall.write net.(*conn).Write layercake/pgwire.(*conn).flush" + execute, "socket writes to clients"},
		{"syscall.read net.(*conn).Read layercake/pgwire.(*conn).read layercake/pgwire.(*conn).loop", "socket reads from clients"},
		{"layercake/pgwire.(*conn).bindPortal layercake/pgwire.(*conn).message", "wire protocol"},
		{"layercake/pgwire/copyformat.(*Reader).Row layercake/server.(*session).readCopy" + execute, "wire protocol"},
		{"runtime.futex runtime.futexwakeup runtime.wakep runtime.ready runtime.chansend" + execute, "scheduler"},
		{"runtime.epollwait runtime.netpoll runtime.findRunnable runtime.schedule runtime.mcall", "scheduler"},
		{"runtime.mallocgcSmallNoscan runtime.mallocgc runtime.growslice" + execute, "allocating memory"},
		{"runtime.scanObject runtime.gcDrainN runtime.gcAssistAlloc runtime.mallocgc" + execute, "garbage collector"},
		{"runtime.lock2 runtime.bgsweep", "garbage collector"},
		{"syscall.write google.golang.org/grpc/internal/transport.(*loopyWriter).run", "gRPC"},
		// A message is taken under a handler of gRPC's, and sent through it.
		{"layercake/replication/core.(*Node).Receive layercake/replication.(*Replicator).take " +
			"google.golang.org/grpc.(*Server).handleStream", "replication"},
		{"google.golang.org/grpc.(*serverStream).SendMsg layercake/replication.(*Replicator).sendMessage", "gRPC"},
		{"github.com/hashicorp/memberlist.(*Memberlist).gossip", "gossip"},
		{"crypto/sha256.block layercake/crdt.(*RowHasher).Sum layercake/sqlstore.(*Tx).Insert" + group, "log entry and digest"},
		{"google.golang.org/protobuf/proto.Unmarshal github.com/pganalyze/pg_query_go/v6.Parse layercake/pgsql.Parse" + execute,
			"parse, resolve and plan"},
		{"layercake/server.(*lru[go.shape.*uint8]).get layercake/server.(*session).compile" + execute, "parse, resolve and plan"},
		{"runtime.saveblockevent runtime.blockevent runtime.selectgo" + execute, "profiling"},
		{"main.main runtime.main", unknown},
		{"", unknown},
	}
	tried := map[string]bool{unknown: true}
	for _, tt := range tests {
		if got := costOf(strings.Fields(tt.stack)); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.stack, got, tt.want)
		}
		tried[tt.want] = true
	}
	for _, r := range rules {
		if !tried[r.cost] {
			t.Errorf("no stack for %q", r.cost)
		}
	}
}

func TestCosts(t *testing.T) {
	got, total := costs(synthetic("cpu", map[string]int64{
		step + execute:                            50,
		step + "main.second" + execute:            10,
		"runtime.lock2 runtime.bgsweep":           30,
		"main.main runtime.main":                  10,
		"compress/flate.x net/http/pprof.Handler": 900, // ours
	}))
	want := []share{{"SQLite: queries of readers", 0.6}, {"garbage collector", 0.3}, {unknown, 0.1}}
	if total != 100 || !slices.Equal(got, want) {
		t.Errorf("got %v of %v, want %v of 100", got, total, want)
	}
	if got, _ := costs(synthetic("cpu", nil)); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestAllocations: a library's are of the function that called it, what is in both profiles of a difference is nothing.
func TestAllocations(t *testing.T) {
	const kb = 1 << 10
	before := synthetic("alloc_space", map[string]int64{"bytes.grow layercake/server.a": 100 * kb,
		"layercake/server.b": 900 * kb})
	after := synthetic("alloc_space", map[string]int64{"bytes.grow layercake/server.a": 400 * kb,
		"layercake/server.b": 900 * kb,
		"fmt.Sprint layercake/sqlstore/sqlite.c layercake/server.a": 500 * kb, "main.main": 1000 * kb,
		"layercake/server.few": 200 * kb})
	before.Scale(-1)
	p, err := profile.Merge([]*profile.Profile{before, after})
	if err != nil {
		t.Fatal(err)
	}
	want := []share{{"sqlstore/sqlite.c", 500 * kb}, {"server.a", 300 * kb}}
	if got := allocations(p); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWaits(t *testing.T) {
	block := map[string]int64{
		"runtime.selectgo layercake/server.(*lockTable).acquire" + execute:                          300,
		"runtime.chanrecv1 layercake/sqlstore.(*Store).submit layercake/sqlstore.(*Store).Apply":    200,
		"runtime.chanrecv1 layercake/sqlstore.(*Store).submit" + execute:                            200,
		"sync.(*Cond).Wait layercake/pgwire.(*conn).done" + execute:                                 9,
		"runtime.selectgo layercake/sqlstore.(*writer).loop":                                        5000, // idle
		"sync.(*Mutex).Lock layercake/replication.(*Replicator).tick":                               5000, // nobody waits for it
		"runtime.chanrecv1 net/http/pprof.Handler" + execute:                                        5000, // ours
		"sync.(*RWMutex).RLock layercake/sqlstore.(*readers).take layercake/sqlstore.(*Store).Read": 5000, // not in a statement
	}
	mutex := synthetic("delay", map[string]int64{
		"sync.(*Mutex).Unlock layercake/sqlstore.(*Store).checkpointLoop": 50,
		"runtime.unlock runtime.findRunnable":                             700,
	})
	want := []share{{"channel in `sqlstore.(*Store).submit`", 0.4}, {"select in `server.(*lockTable).acquire`", 0.3}}
	if got := waits(synthetic("delay", block), mutex, 1000); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	block["internal/sync.(*Mutex).lockSlow sync.(*Mutex).Lock layercake/sqlstore.(*writer).restartWAL"+group] = 40
	want = append(want, share{"mutex in `sqlstore.(*writer).restartWAL`", 0.04},
		share{"mutexes held by `sqlstore.(*Store).checkpointLoop`", 0.05})
	if got := waits(synthetic("delay", block), mutex, 1000); !slices.Equal(got, want) {
		t.Errorf("with a mutex: got %v, want %v", got, want)
	}
}

func TestPage(t *testing.T) {
	all := []outcome{{workload: workload{Workload: pgbench.Workload{Name: "SELECT 1"}, clients: 8, unit: "transaction"}, of: 1,
		rate: 1234.4, processor: 200, nodes: []nodeOutcome{{name: "n1", processor: 200, seen: 0.9, allocated: 300,
			costs:  []share{{"a", 0.4}, {"b", 0.2}, {"c", 0.1}, {"d", 0.09}, {unknown, 0.05}, {"e", 0.06}, {"f", 0.1}},
			allocs: []share{{"server.x", 200}, {"server.y", 100}}}}},
		{workload: workload{Workload: pgbench.Workload{Name: "INSERT"}, clients: 1, unit: "row"}, of: 3, rate: 2, processor: 30,
			nodes: []nodeOutcome{{name: "n1", processor: 15, seen: 1, costs: []share{{"a", 1}}, waits: []share{{"a lock", 0.25}}},
				{name: "n3", processor: 10, seen: 0.5}}}}
	text := page([]string{"commit abc", "2 × a processor"}, all)
	for _, want := range []string{
		"# Where the time goes\n\n- commit abc\n- 2 × a processor\n\nRepeat it",
		"| SELECT 1, one node | 8 | 1,234 | 200 | a, 40% |\n| INSERT, 3 nodes | 1 | 2.00 | 30.0 | a, 100% |\n",
		`
## SELECT 1, one node, 8 clients

1,234 transactions/s, 200 µs of processor time each.

| processor time | share | µs a transaction | allocated by | bytes a transaction |
|---|---|---|---|---|
| a | 40% | 80.0 | ` + "`server.x`" + ` | 200 |
| b | 20% | 40.0 | ` + "`server.y`" + ` | 100 |
| c | 10% | 20.0 |  |  |
| d | 9.0% | 18.0 |  |  |
| e | 6.0% | 12.0 |  |  |

Other costs of the list 10% (f 10%), in none of it 5.0%; the profiler saw 90% of the processor time. ` +
			`Allocated in all: 300 bytes a transaction. Waits: none.
`,
		`
## INSERT, 3 nodes, one client

2.00 rows/s, 30.0 µs of processor time each of all nodes together (n1 15.0, n3 10.0).

Node n1, where the clients are:
`,
		"; the profiler saw 100% of the processor time. Waits: a lock 25%.\n\nNode n3, of the others that which does most:\n",
		"| gossip | memberlist |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no\n%s\nin\n%s", want, text)
		}
	}
}

// TestEvaluate: figures are by what was done in the time of each profile.
func TestEvaluate(t *testing.T) {
	n := evaluate(profiles{
		cpu:       synthetic("cpu", map[string]int64{step + execute: int64(2 * time.Second)}),
		processor: 4 * time.Second,
		allocs:    synthetic("alloc_space", map[string]int64{"layercake/server.a": 300_000, "main.main": 200_000}),
		over:      5 * time.Second,
		block:     synthetic("delay", map[string]int64{"runtime.chanrecv1 layercake/server.a" + execute: int64(10 * time.Second)}),
		mutex:     synthetic("delay", nil),
	}, 100, 40*time.Second)
	if n.seen != 0.5 || n.allocated != 1000 || !slices.Equal(n.allocs, []share{{"server.a", 600}}) ||
		!slices.Equal(n.waits, []share{{"channel in `server.a`", 0.25}}) || math.Abs(n.costs[0].value-1) > 1e-9 {
		t.Errorf("got %+v", n)
	}
}

func TestPercent(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0%", 0.004: "0.4%", 0.0994: "9.9%", 0.0996: "10%", 0.256: "26%", 1: "100%"} {
		if got := percent(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/pprof"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler serves /healthz (the process lives), /readyz (it takes statements, and another node may be restarted), /metrics
// and /debug/pprof, where mutex and block profiles are taken only while somebody asks for one with ?seconds=N.
func (n *Node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := n.ready()
		if err == nil && !n.settled.Load() {
			err = errors.New("the node is starting: it takes statements, and is making its links to the other members")
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(map[string]string{"status": err.Error()})
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &metrics{n})
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.Handle("/debug/pprof/mutex", mutexContention.during(pprof.Handler("mutex")))
	mux.Handle("/debug/pprof/block", blockContention.during(pprof.Handler("block")))
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// counters are what the node counts.
type counters struct {
	statements, errors atomic.Int64
	tried              atomic.Int64 // statements of open transactions that were worked out on the writer and taken back
}

// metrics reads the node's figures when Prometheus asks.
type metrics struct{ n *Node }

var (
	descSessions   = prometheus.NewDesc("layercake_sessions", "Client connections.", nil, nil)
	descCommits    = prometheus.NewDesc("layercake_commits_total", "Transactions committed here, of this node and of others.", nil, nil)
	descMembers    = prometheus.NewDesc("layercake_members", "Members by state.", []string{"state"}, nil)
	descLag        = prometheus.NewDesc("layercake_replication_lag_entries", "Entries that a peer has not acknowledged.", []string{"peer"}, nil)
	descStatements = prometheus.NewDesc("layercake_statements_total", "Statements run for clients.", nil, nil)
	descDiffering  = prometheus.NewDesc("layercake_differing_relations", "Relations whose digests differed among the members when they were last compared here.", nil, nil)
	descCompared   = prometheus.NewDesc("layercake_digest_comparisons_total", "Comparisons of the members' digests made here.", nil, nil)
	descChanged    = prometheus.NewDesc("layercake_changed_relations", "Relations whose rows here changed without a write.", nil, nil)
	descPasses     = prometheus.NewDesc("layercake_scan_passes_total", "Times that all rows here were read and compared with their digests.", nil, nil)
	descTried      = prometheus.NewDesc("layercake_statements_tried_total", "Statements of open transactions that had to be worked out on the writer.", nil, nil)
	descErrors     = prometheus.NewDesc("layercake_statement_errors_total", "Statements that ended in an error.", nil, nil)
)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descSessions, descCommits, descMembers, descLag, descStatements, descTried, descErrors, descDiffering, descCompared, descChanged, descPasses} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(descSessions, float64(m.n.wire.Connections()))
	counter(descCommits, float64(m.n.store.Index()))
	counter(descStatements, float64(m.n.count.statements.Load()))
	counter(descTried, float64(m.n.count.tried.Load()))
	counter(descErrors, float64(m.n.count.errors.Load()))
	differing, changed, compared, passes := m.n.watch.figures()
	gauge(descDiffering, float64(differing))
	gauge(descChanged, float64(changed))
	counter(descCompared, float64(compared))
	counter(descPasses, float64(passes))
	states := map[string]int{}
	for _, mem := range m.n.repl.Members() {
		states[mem.State]++
	}
	for s, c := range states {
		gauge(descMembers, float64(c), s)
	}
	lag := map[string]uint64{}
	for _, st := range m.n.repl.Streams() {
		lag[st.PeerName] += st.LagEntries
	}
	for p, l := range lag {
		gauge(descLag, float64(l), p)
	}
}

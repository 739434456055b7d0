package main

import (
	"fmt"
	"strings"
	"time"

	"layercake/bench/internal/figures"
)

// outcome is what came out for one workload.
type outcome struct {
	workload
	of        int     // nodes
	rate      float64 // units a second
	processor float64 // µs of all nodes a unit
	nodes     []nodeOutcome
}

// nodeOutcome is what one node's profiles say.
type nodeOutcome struct {
	name      string
	processor float64 // µs a unit
	seen      float64 // the part of the node's processor time that the profiler saw
	costs     []share // fractions of that
	allocated float64 // bytes a unit
	allocs    []share // bytes a unit
	waits     []share // fractions of the time that could be waited
}

// unknown is the fraction that no rule knows.
func (n *nodeOutcome) unknown() float64 {
	for _, c := range n.costs {
		if c.name == unknown {
			return c.value
		}
	}
	return 0
}

// evaluate makes figures of a node's profiles, with so many units a second; waits are held against some time.
func evaluate(p profiles, rate float64, waiting time.Duration) nodeOutcome {
	var n nodeOutcome
	var total float64
	n.costs, total = costs(p.cpu)
	n.seen = total / float64(p.processor)
	n.allocs = allocations(p.allocs)
	units := rate * p.over.Seconds()
	for _, v := range sum(p.allocs, "alloc_space", func([]string) string { return "all" }) {
		n.allocated = v / units
	}
	for i := range n.allocs {
		n.allocs[i].value /= units
	}
	n.waits = waits(p.block, p.mutex, float64(waiting))
	return n
}

// most is how many costs, and functions that allocate, are told; others are named in passing, from a fraction on.
const (
	most        = 5
	worthNaming = 0.03
)

// page is the whole report.
func page(facts []string, all []outcome) string {
	var b strings.Builder
	b.WriteString("# Where the time goes\n\n- " + strings.Join(facts, "\n- ") + heading)
	b.WriteString("\n| workload | clients | a second | processor µs each | dearest |\n|---|---|---|---|---|\n")
	for i := range all {
		o := &all[i]
		dearest := "–"
		if c := known(o.nodes[0].costs); len(c) > 0 {
			dearest = fmt.Sprintf("%s, %s", c[0].name, percent(c[0].value))
		}
		fmt.Fprintf(&b, "| %s, %s | %d | %s | %s | %s |\n", o.Name, nodeCount(o.of), o.clients, figures.Number(o.rate),
			figures.Number(o.processor), dearest)
	}
	for i := range all {
		b.WriteString(all[i].markdown())
	}
	b.WriteString("\n## The costs\n\n| cost | what it is |\n|---|---|\n")
	for _, r := range rules {
		fmt.Fprintf(&b, "| %s | %s |\n", r.cost, r.what)
	}
	b.WriteString("\n## The waits\n\n| wait | what it is |\n|---|---|\n")
	for _, w := range waitsExplained {
		fmt.Fprintf(&b, "| %s | %s |\n", w.name, w.what)
	}
	return b.String()
}

const heading = `

Repeat it with ` + "`make profiles`" + ` (some two minutes; ` + "`PROFILES=\"-seconds 10 -clients 32\"`" + `
for others, ` + "`PROFILES=-help`" + ` lists the flags). It starts nodes of its own on one disk, each with its defaults,
drives the first with the workloads of [benchmarks.md](benchmarks.md), and takes from Go's profiler in them, over the same
seconds, where the processor time goes, what is allocated, and what is waited for. Rates and processor times are with the
profiler at work. pgbench and all nodes share the machine's processors.

A cost is a named part of the program, see [below](#the-costs). Shares are of the processor time that the profiler saw in
the node; its timers miss some, most where threads run for moments. Bytes are those that Go allocated, one in 64 KiB looked
at; C's are not counted. [Waits](#the-waits) are those of statements, of what brings entries to the store's writer, and of
the writer with a group (within those for it), from 1% of the clients' time on (that of 8 clients in 5 s is 40 s); on a node
without clients, of the seconds. Waiting for the client, and that of idle goroutines for work, is none.
`

// markdown is the section of one workload.
func (o *outcome) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s, %s, %s\n\n", o.Name, nodeCount(o.of), plural(o.clients, "client"))
	fmt.Fprintf(&b, "%s %ss/s, %s µs of processor time each%s.\n", figures.Number(o.rate), o.unit, figures.Number(o.processor),
		o.split())
	for i := range o.nodes {
		n := &o.nodes[i]
		if len(o.nodes) > 1 {
			where := "where the clients are"
			if i > 0 {
				where = "of the others that which does most"
			}
			fmt.Fprintf(&b, "\nNode %s, %s:\n", n.name, where)
		}
		b.WriteString(n.markdown(o.unit))
	}
	return b.String()
}

// split says which node took how much, where several were looked at.
func (o *outcome) split() string {
	if len(o.nodes) < 2 {
		return ""
	}
	var each []string
	for _, n := range o.nodes {
		each = append(each, fmt.Sprintf("%s %s", n.name, figures.Number(n.processor)))
	}
	return " of all nodes together (" + strings.Join(each, ", ") + ")"
}

// markdown is a node's table: what is dearest beside what allocates most.
func (n *nodeOutcome) markdown(unit string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| processor time | share | µs a %s | allocated by | bytes a %s |\n", unit, unit)
	b.WriteString("|---|---|---|---|---|\n")
	dear := known(n.costs)
	dear, rest := dear[:min(most, len(dear))], dear[min(most, len(dear)):]
	others := ""
	for _, c := range rest {
		if c.value >= worthNaming {
			others += ", " + c.name + " " + percent(c.value)
		}
	}
	if others != "" {
		others = " (" + others[len(", "):] + ")"
	}
	allocs := n.allocs[:min(most, len(n.allocs))]
	told := n.unknown()
	for i := range max(len(dear), len(allocs)) {
		cost, alloc := [3]string{}, [2]string{}
		if i < len(dear) {
			told += dear[i].value
			cost = [3]string{dear[i].name, percent(dear[i].value), figures.Number(dear[i].value * n.processor)}
		}
		if i < len(allocs) {
			alloc = [2]string{code(allocs[i].name), figures.Number(allocs[i].value)}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cost[0], cost[1], cost[2], alloc[0], alloc[1])
	}
	fmt.Fprintf(&b, "\nOther costs of the list %s%s, in none of it %s; the profiler saw %s of the processor time. ",
		percent(max(0, 1-told)), others, percent(n.unknown()), percent(n.seen))
	if n.allocated > 0 {
		fmt.Fprintf(&b, "Allocated in all: %s bytes a %s. ", figures.Number(n.allocated), unit)
	}
	b.WriteString("Waits: ")
	var waits []string
	for _, w := range n.waits {
		waits = append(waits, w.name+" "+percent(w.value))
	}
	if len(waits) == 0 {
		waits = []string{"none"}
	}
	b.WriteString(strings.Join(waits, ", ") + ".\n")
	return b.String()
}

// known are the costs without what no rule knows.
func known(all []share) []share {
	var out []share
	for _, c := range all {
		if c.name != unknown {
			out = append(out, c)
		}
	}
	return out
}

// percent prints a fraction, with a decimal below ten.
func percent(v float64) string {
	if v < 0.0995 {
		return fmt.Sprintf("%.1f%%", 100*v)
	}
	return fmt.Sprintf("%.0f%%", 100*v)
}

func nodeCount(n int) string {
	if n == 1 {
		return "one node"
	}
	return plural(n, "node")
}

func plural(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

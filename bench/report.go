package main

import (
	"fmt"
	"strings"

	"layercake/bench/internal/figures"
)

// report collects tables in the order they were measured.
type report struct {
	facts  []string
	tables []*table
	checks []string
	failed int // transactions
}

// table is one table of figures. Columns after the first system's are compared with it.
type table struct {
	title   string
	what    string   // heading of the first column
	systems []string // the first is what the others are compared with
	lesser  bool     // less is better: said in the heading
	rows    []*tableRow
}

type tableRow struct {
	what   string
	values []figures.Samples
}

func (r *report) table(title, what string, systems ...string) *table {
	t := &table{title: title, what: what, systems: systems}
	r.tables = append(r.tables, t)
	return t
}

func (t *table) row(what string) *tableRow {
	r := &tableRow{what: what, values: make([]figures.Samples, len(t.systems))}
	t.rows = append(t.rows, r)
	return r
}

// check notes something that held.
func (r *report) check(format string, args ...any) {
	r.checks = append(r.checks, fmt.Sprintf(format, args...))
}

func (r *report) markdown() string {
	var b strings.Builder
	for _, f := range r.facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	for _, t := range r.tables {
		if len(t.rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n| %s |", t.title, t.what)
		for i, s := range t.systems {
			fmt.Fprintf(&b, " %s |", s)
			if i > 0 {
				b.WriteString(" ratio |")
			}
		}
		b.WriteString("\n|---|")
		for i := range t.systems {
			b.WriteString("---|")
			if i > 0 {
				b.WriteString("---|")
			}
		}
		b.WriteString("\n")
		for _, row := range t.rows {
			fmt.Fprintf(&b, "| %s |", row.what)
			for i, v := range row.values {
				fmt.Fprintf(&b, " %s |", v.Spread())
				if i > 0 {
					fmt.Fprintf(&b, " %s |", v.Ratio(row.values[0]))
				}
			}
			b.WriteString("\n")
		}
	}
	fmt.Fprintf(&b, "\nFailed transactions: %d.\n", r.failed)
	for _, c := range r.checks {
		fmt.Fprintf(&b, "\n- %s", c)
	}
	if len(r.checks) > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

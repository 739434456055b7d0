package server

import (
	"errors"
	"fmt"
	"sort"

	"layercake/pgerror"
)

// copyLines knows the line of COPY's data that each of its rows came from, as far as its memory goes: errors are found only
// once all rows are there.
type copyLines struct {
	table string
	runs  []lineRun
	rows  int // how many are noted
}

// lineRun is some rows, each on the line after the one before's last: row i on line i+add.
type lineRun struct {
	first int
	add   int64
}

// maxLineRuns limits the memory for data of which many rows have several lines: 16 MiB. Rows beyond it have no line.
const maxLineRuns = 1 << 20

// note notes the next row's line.
func (l *copyLines) note(line int64) {
	add := line - int64(l.rows)
	if n := len(l.runs); n == 0 || l.runs[n-1].add != add {
		if n == maxLineRuns {
			return
		}
		l.runs = append(l.runs, lineRun{l.rows, add})
	}
	l.rows++
}

// at returns err with the line of row i for its context, if it has none. A nil copyLines knows nothing.
func (l *copyLines) at(err error, i int) error {
	var e *pgerror.Error
	if l == nil || i >= l.rows || !errors.As(err, &e) || e.Where != "" {
		return err
	}
	run := l.runs[sort.Search(len(l.runs), func(k int) bool { return l.runs[k].first > i })-1]
	located := *e
	located.Where = fmt.Sprintf("COPY %s, line %d", l.table, int64(i)+run.add)
	return &located
}

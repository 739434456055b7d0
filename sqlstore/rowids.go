package sqlstore

import "slices"

// RowIDs are the rowids that the rows of a load got, in the order of the rows. Mostly they count up, and take no memory.
type RowIDs struct {
	runs []rowRun
	n    int
}

// rowRun: row number at has the rowid id, the next one id+1, and so on until the next run.
type rowRun struct {
	at int
	id int64
}

// Add adds the rowid of one more row.
func (r *RowIDs) Add(id int64) {
	if k := len(r.runs) - 1; k < 0 || id != r.runs[k].id+int64(r.n-r.runs[k].at) {
		r.runs = append(r.runs, rowRun{r.n, id})
	}
	r.n++
}

// Len is the number of rows.
func (r *RowIDs) Len() int { return r.n }

// At is the rowid of row i.
func (r *RowIDs) At(i int) int64 {
	k, found := slices.BinarySearchFunc(r.runs, i, func(run rowRun, i int) int { return run.at - i })
	if !found {
		k--
	}
	return r.runs[k].id + int64(i-r.runs[k].at)
}

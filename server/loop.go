package server

import (
	"context"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
)

// largestLoop bounds the rows of a recursive query that is run in steps, in bytes: they are one SQLite value, which is
// built at most at this size more than twice.
const largestLoop = 256 << 20

// loops works out the loops among args, and returns ra with their rows.
func (w *worker) loops(args []pgsql.Arg, ra *rowArgs) (*rowArgs, error) {
	for i := range args {
		a := &args[i]
		switch {
		case a.Kind == pgsql.ArgPack:
			var err error
			if ra, err = w.loops(a.Pack, ra); err != nil {
				return nil, err
			}
		case a.Kind == pgsql.ArgLoop:
			rows, err := w.loop(a.Loop, ra)
			if err != nil {
				return nil, err
			}
			in := rowArgs{}
			if ra != nil {
				in = *ra
			}
			have := in.loops
			in.loops = map[*pgsql.Loop]catalog.Value{a.Loop: catalog.BlobBytes(rows)}
			for l, v := range have {
				in.loops[l] = v
			}
			ra = &in
		case a.Kind == pgsql.ArgWork && ra == nil:
			ra = &rowArgs{}
		}
	}
	return ra, nil
}

// loop works out one recursive query as PostgreSQL does (its WITH Queries, Recursive Query Evaluation): the rows of each
// step are what the next one reads.
func (w *worker) loop(l *pgsql.Loop, ra *rowArgs) ([]byte, error) {
	in := rowArgs{}
	if ra != nil {
		in = *ra
	}
	all, seen := []byte{}, map[string]bool{}
	q := l.First
	for {
		buf, err := w.collect(q, &in)
		if err != nil {
			return nil, err
		}
		fresh := []byte{}
		err = buf.each(func(_ int, row []catalog.Value) error {
			row = row[:len(l.Types)]
			if !l.All {
				var key []byte
				for i, v := range row {
					key = appendComparable(key, l.Types[i], v)
				}
				if seen[string(key)] {
					return nil
				}
				seen[string(key)] = true
			}
			fresh = catalog.AppendRow(fresh, row)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(fresh) == 0 {
			return all, nil
		}
		if all = append(all, fresh...); len(all) > largestLoop {
			return nil, pgerror.New(pgerror.OutOfMemory, "the rows of a recursive query take more than %d MiB", largestLoop>>20).
				WithHint("A term with window functions, GROUP BY, set operations or the recursive reference in a subquery is worked out whole, whatever LIMIT is around it.")
		}
		if w.ctx.Err() != nil {
			return nil, context.Cause(w.ctx)
		}
		in.work, q = catalog.BlobBytes(fresh), l.Step
	}
}

package pgsql

import (
	"regexp"
	"slices"
	"strings"

	"layercake/catalog"
)

// Comparisons between date, timestamp and timestamptz. PostgreSQL converts the lower type. Here a column of a table stays as
// it is, so that an index on it is used and no row costs a call, and the other side becomes what compares with it alike.

// stored says whether e is a column of a table.
func stored(e *expr) bool { return e.kind == exprColumn && e.tableOID != 0 }

// comparisonImpl is the Impl of an operator for its operands.
func comparisonImpl(op *catalog.Operator, l, r *expr) string {
	if op.Left == op.Right || flipped[op.Name] == "" {
		return op.Impl
	}
	date, other := l, r
	if op.Right == catalog.DateOID {
		date, other = r, l
	}
	types := [2]uint32{op.Left, op.Right}
	switch {
	case !stored(date) || stored(other):
	case types == [2]uint32{catalog.DateOID, catalog.TimestampOID}:
		return "$1 " + op.Name + " lc_ts_days($2)"
	case types == [2]uint32{catalog.TimestampOID, catalog.DateOID}:
		return "lc_ts_days($1) " + op.Name + " $2"
	case op.Name == "=" || op.Name == "<>": // of several dates, in zones that skip a day
	case types == [2]uint32{catalog.DateOID, catalog.TimestamptzOID}:
		return "$1 " + op.Name + map[string]string{"<": " lc_tstz_first", ">=": " lc_tstz_first", "<=": " lc_tstz_last", ">": " lc_tstz_last"}[op.Name] + "($2, $tz)"
	case types == [2]uint32{catalog.TimestamptzOID, catalog.DateOID}:
		return map[string]string{">": "lc_tstz_first", "<=": "lc_tstz_first", ">=": "lc_tstz_last", "<": "lc_tstz_last"}[op.Name] + "($1, $tz) " + op.Name + " $2"
	}
	return op.Impl
}

// flipped is a comparison with its sides exchanged.
var flipped = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}

// narrows says whether narrowed has something to add to a comparison.
func (c *compiler) narrows(l, r *expr) bool {
	switch {
	case l.typ == catalog.TimestampOID && r.typ == catalog.TimestamptzOID:
		return stored(l) && c.repeatable(r)
	case l.typ == catalog.TimestamptzOID && r.typ == catalog.TimestampOID:
		return stored(r) && c.repeatable(l)
	}
	return false
}

// narrowed adds to a comparison of a timestamp column with a timestamptz what an index on the column can be used for. The
// order of local times is not that of the moments that they mean, where clocks are changed; but days apart it is, and only
// in between the comparison itself, exact, is asked.
func (c *compiler) narrowed(op *catalog.Operator, e, l, r *expr) *expr {
	name := flipped[op.Name]
	if name == "" || name == "<>" || !c.narrows(l, r) {
		return e
	}
	col, x := r, l
	if stored(l) {
		name, col, x = op.Name, l, r
	}
	t := template{impl: map[string]string{
		">": "($1 > lc_tstz_near($2, $tz, -1) AND ($1 > lc_tstz_near($2, $tz, 1) OR $3))",
		"<": "($1 < lc_tstz_near($2, $tz, 1) AND ($1 < lc_tstz_near($2, $tz, -1) OR $3))",
		"=": "($1 > lc_tstz_near($2, $tz, -1) AND $1 < lc_tstz_near($2, $tz, 1) AND $3)",
	}[name[:1]], args: []*expr{col, x, e}, ret: e.typ, typmod: -1}
	f := c.emit(&t, e.loc)
	f.atomic = true
	return f
}

// repeatable says whether e may be worked out more than once: it is cheap and gives the same each time.
func (c *compiler) repeatable(e *expr) bool {
	text := c.text(e)
	return !stored(e) && !strings.Contains(text, "SELECT") && !slices.ContainsFunc(called.FindAllStringSubmatch(text, -1), func(m []string) bool {
		switch m[1] {
		case "lc_tstz_add", "lc_ts_add", "lc_ts_tstz", "lc_tstz_ts", "lc_date_ts", "lc_ts_date", "lc_date_trunc", "lc_date_trunc_tz", "coalesce":
			return false
		}
		return true
	})
}

// called matches calls in SQL.
var called = regexp.MustCompile(`(\w+)\(`)

package pgsql

import (
	"regexp"
	"slices"
	"strings"
)

// fullJoin is a FULL JOIN under way. For a LEFT JOIN, SQLite looks the rows of the right side up by an index, which it makes
// itself if there is none; for a FULL JOIN it would compare each row with each. So a FULL JOIN becomes the LEFT JOIN, and
// beside it the rows of the right side for which a LEFT JOIN the other way finds nothing.
type fullJoin struct{ l, r *fullSide }

// fullSide is an operand of a FULL JOIN, which is read twice: all but tables are worked out before.
type fullSide struct {
	from  string
	item  *rangeItem
	alias string
	table bool
	with  string   // the name of what is worked out before
	keys  []string // expressions that are joined by, worked out with it: SQLite makes indexes of columns only
}

// maxDoubled is how deep FULL JOINs within each other are taken apart. Operands are read twice, and SQLite reads the text of
// a common table expression for each use.
const maxDoubled = 5

// fullOperand makes f ready to be an operand.
func (c *compiler) fullOperand(f *fromItem) *fullSide {
	if f.join {
		c.enclose(f)
	}
	side := &fullSide{from: f.sql, item: f.top, alias: f.alias, with: "w" + c.alias()}
	if side.alias == "" {
		side.alias, side.table = f.top.alias, f.top.stored()
	}
	c.ranges = append(c.ranges, Range{side.with, f.top.name, nil})
	return side
}

// ref is what stands in FROM for the side, and a column of it that is never NULL.
func (side *fullSide) ref() (sql, marker string) {
	if side.table && len(side.keys) == 0 {
		return side.from, side.alias + ".rowid"
	}
	return side.with + " AS " + side.alias, side.alias + ".m"
}

// withPart is the common table expression that ref reads, "" for none.
func (side *fullSide) withPart() string {
	if side.table && len(side.keys) == 0 {
		return ""
	}
	list := "*, 1 AS m"
	if side.table {
		list += ", " + side.alias + ".rowid AS rowid"
	}
	for i, key := range side.keys {
		list += ", " + key + " AS k" + itoa(i)
	}
	return side.with + " AS MATERIALIZED (SELECT " + list + " FROM " + side.from + ")"
}

// names says whether sql names columns of the side.
func (side *fullSide) names(sql string) bool { return strings.Contains(sql, side.alias+".") }

var plainColumn = regexp.MustCompile(`^t[0-9]+\.("[^"]*"|\w+)$`)

// column makes a column of one side of an equality.
func (side *fullSide) column(sql string) string {
	sql, coll, collated := strings.Cut(sql, " COLLATE ")
	if strings.ContainsAny(coll, " ()") {
		return sql + " COLLATE " + coll // within an expression
	}
	if !plainColumn.MatchString(sql) {
		i := slices.Index(side.keys, sql)
		if i < 0 {
			i = len(side.keys)
			side.keys = append(side.keys, sql)
		}
		sql = side.alias + ".k" + itoa(i)
	}
	if collated {
		sql += " COLLATE " + coll
	}
	return sql
}

// uniteFull makes f, a FULL JOIN on conds, a subquery.
func (c *compiler) uniteFull(f *fromItem, full *fullJoin, conds []string) {
	f.alias = c.alias()
	c.doubled++
	l, r := full.l, full.r
	var there, back []string // the conditions of the LEFT JOIN, and of the one the other way
	for _, cond := range equalities(conds) {
		a, b, ok := cutEquality(cond)
		if ok && r.names(a) && l.names(b) {
			a, b = b, a
		}
		if !ok || !l.names(a) || r.names(a) || !r.names(b) || l.names(b) {
			there, back = append(there, "("+cond+")"), append(back, "("+cond+")")
			continue
		}
		a, b = l.column(a), r.column(b)
		// + takes its affinity from the one that is looked up with: both have values of one kind, but SQLite makes an index of
		// a column without affinity only for one like it
		there, back = append(there, "+"+a+" = "+b), append(back, a+" = +"+b)
	}
	if len(conds) == 0 {
		there, back = []string{"1"}, []string{"1"}
	}
	var with []string
	for _, side := range []*fullSide{l, r} {
		if part := side.withPart(); part != "" {
			with = append(with, part)
			if side.item.parts == nil {
				side.item.key = side.alias + ".m"
			}
		}
	}
	sql := "("
	if len(with) > 0 {
		sql += "WITH " + strings.Join(with, ", ") + " "
	}
	list := c.project(f.items, f.alias)
	lsql, marker := l.ref()
	rsql, _ := r.ref()
	f.sql = sql + "SELECT " + list + " FROM " + lsql + " LEFT JOIN " + rsql + " ON " + balance(there, " AND ") +
		" UNION ALL SELECT " + list + " FROM " + rsql + " LEFT JOIN " + lsql + " ON " + balance(back, " AND ") +
		" WHERE " + marker + " IS NULL) AS " + f.alias
	f.join, f.outer = false, false
}

// equalities takes equalities of rows apart into those of their parts.
func equalities(conds []string) (out []string) {
	for _, cond := range conds {
		a, b, ok := cutEquality(cond)
		as, bs := rowParts(a), rowParts(b)
		if !ok || len(as) < 2 || len(as) != len(bs) {
			out = append(out, cond)
			continue
		}
		for i := range as {
			out = append(out, as[i]+" = "+bs[i])
		}
	}
	return out
}

// rowParts are the parts of "(a, b)", nil of what is no row.
func rowParts(sql string) (parts []string) {
	if !strings.HasPrefix(sql, "(") {
		return nil
	}
	depth, begin := 0, 1
	for i := 0; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"':
			n := strings.IndexByte(sql[i+1:], sql[i])
			if n < 0 {
				return nil
			}
			i += n + 1
		case '(':
			depth++
		case ',':
			if depth == 1 {
				parts = append(parts, strings.TrimSpace(sql[begin:i]))
				begin = i + 1
			}
		case ')':
			if depth--; depth > 0 {
				break
			}
			if i < len(sql)-1 || parts == nil {
				return nil
			}
			return append(parts, strings.TrimSpace(sql[begin:i]))
		}
	}
	return nil
}

// cutEquality takes "a = b" apart.
func cutEquality(sql string) (a, b string, ok bool) {
	depth, at := 0, 0
	for i := 0; i < len(sql); i++ {
		switch sql[i] {
		case '\'', '"':
			n := strings.IndexByte(sql[i+1:], sql[i])
			if n < 0 {
				return "", "", false
			}
			i += n + 1
		case '(':
			depth++
		case ')':
			depth--
		case ' ':
			switch rest := sql[i+1:]; {
			case depth > 0:
			case strings.HasPrefix(rest, "COLLATE "):
				i += len("COLLATE ")
			case strings.HasPrefix(rest, "= ") && at == 0:
				at = i
				i += len("= ")
			default: // another operator
				return "", "", false
			}
		}
	}
	if at == 0 {
		return "", "", false
	}
	return sql[:at], sql[at+len(" = "):], true
}

// mentions says whether sql names columns of items, which stand to its left.
func mentions(sql string, items []*rangeItem) bool {
	return slices.ContainsFunc(items, func(it *rangeItem) bool {
		return slices.ContainsFunc(it.cols, func(col rangeCol) bool {
			alias, _, ok := strings.Cut(col.sql, ".")
			return ok && strings.Contains(sql, alias+".")
		})
	})
}

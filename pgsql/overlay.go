package pgsql

import (
	"strconv"
	"strings"

	"layercake/catalog"
)

// maxOverlaid is the most columns that a table to be overlaid may have: lc_rows has 128, the version is four of them.
const maxOverlaid = 128 - versionColumns

// versionColumns is how many columns a row's version has: rowid, _h, _o, _c.
const versionColumns = 4

// Overlaid returns the query over one of its tables as an open transaction sees it: without the rows that it has changed
// (ArgHidden), but with its own states of them and with the rows that it inserted (ArgOwn). The rest of the text stays as
// it is, so the query means what it meant. ok is false where SQLite would no longer use the table's indexes (see
// Query.Overlay), or the table is too wide.
//
// The transaction's rows have rowid, _h, _o and _c like others, but not what keeps unique keys apart (_u…):
// UniqueCheck.Lookup can't be overlaid.
func (q *Query) Overlaid(t *catalog.Table) (_ *Query, ok bool) {
	if q.Overlay != t.ID || len(t.Columns) > maxOverlaid {
		return nil, false
	}
	at, end, ok := findTable(q.SQL, quoteIdent(t.Phys))
	if !ok {
		return nil, false
	}
	out := *q
	n := len(q.Args)
	out.Args = append(q.Args[:n:n], Arg{Kind: ArgHidden, Table: t.ID}, Arg{Kind: ArgOwn, Table: t.ID})
	out.SQL = overlay(q.SQL[:at], q.SQL[end:], t, "?"+strconv.Itoa(n+1), "?"+strconv.Itoa(n+2))
	return &out, true
}

// overlay writes the table between what stands before and after it. Both SELECTs give their columns the same affinity:
// only then does SQLite take the union apart.
func overlay(before, after string, t *catalog.Table, hidden, own string) string {
	var b strings.Builder
	b.Grow(len(before) + len(after) + 200 + 40*len(t.Columns))
	b.WriteString(before)
	b.WriteString("(SELECT rowid,_h,_o,_c")
	for _, col := range t.Columns {
		b.WriteByte(',')
		b.WriteString(quoteIdent(col.Phys))
	}
	b.WriteString(" FROM " + quoteIdent(t.Phys) + " WHERE NOT lc_holds(" + hidden + ",rowid)" +
		" UNION ALL SELECT CAST(c0 AS INTEGER),CAST(c1 AS INTEGER),CAST(c2 AS INTEGER),c3")
	for i, col := range t.Columns {
		switch col.Type {
		case catalog.Int2OID, catalog.Int4OID, catalog.Int8OID:
			b.WriteString(",CAST(" + rowsColumn(versionColumns+i) + " AS INTEGER)")
		default:
			b.WriteString("," + rowsColumn(versionColumns+i))
		}
	}
	b.WriteString(" FROM lc_rows(" + own + "," + strconv.Itoa(versionColumns+len(t.Columns)) + "))")
	b.WriteString(after)
	return b.String()
}

// findTable finds the one place where a text names a table. Physical names of tables are like no other quoted name.
func findTable(sql, name string) (at, end int, ok bool) {
	for i := 0; i < len(sql); i++ {
		if sql[i] != '\'' && sql[i] != '"' {
			continue
		}
		n := strings.IndexByte(sql[i+1:], sql[i])
		if n < 0 {
			return 0, 0, false
		}
		if sql[i:i+n+2] == name {
			if ok {
				return 0, 0, false
			}
			at, end, ok = i, i+n+2, true
		}
		i += n + 1
	}
	return at, end, ok
}

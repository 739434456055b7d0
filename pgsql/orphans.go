package pgsql

import (
	"strings"

	"layercake/catalog"
)

// Orphans makes the query for the rows of a table that refer by a FOREIGN KEY to a row that there is not, which only a
// merge can leave behind. Its one column is their row number. It is nil if what the FOREIGN KEY needs is gone.
func Orphans(env *Env, t *catalog.Table, con *catalog.Constraint) (q *Query, err error) {
	c := newCompiler(env, "", nil)
	defer c.rescue(&err)
	parent := tableIn(env.Schema, con.RefTable)
	if parent == nil {
		return nil, nil
	}
	s := newScope(nil)
	child, of := c.addTable(s, t, ""), c.addTable(s, parent, "")
	left, right := c.columnExprs(child), c.columnExprs(of)
	var refers, equal []string
	for k := range con.Columns {
		i, j := columnIndexByID(t, con.Columns[k]), columnIndexByID(parent, con.RefColumns[k])
		if i < 0 || j < 0 {
			return nil, nil
		}
		refers = append(refers, c.text(left[i])+" IS NOT NULL")
		equal = append(equal, c.text(c.binary("=", right[j], left[i], -1)))
	}
	sep := " AND "
	if con.Match == 'f' {
		sep = " OR "
	}
	q = c.finish("SELECT "+child.alias+".rowid FROM "+quoteIdent(t.Phys)+" AS "+child.alias+" WHERE ("+strings.Join(refers, sep)+
		") AND NOT EXISTS (SELECT 1 FROM "+quoteIdent(parent.Phys)+" AS "+of.alias+" WHERE "+strings.Join(equal, " AND ")+")",
		[]Column{{Name: "rowid", Type: catalog.Int8OID, Typmod: -1}}, "")
	return q, nil
}

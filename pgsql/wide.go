package pgsql

import "strings"

// maxTables is how many tables go into one join; SQLite refuses 65.
const maxTables = 60

// maxArgs is how many arguments a call gets; SQLite refuses more than 1,000, lc_array has one of its own.
const maxArgs = 900

// maxViews is how deep views may stand in views.
const maxViews = 300

// enclose makes a subquery of a join that has grown too wide for SQLite. LIMIT keeps SQLite from taking it apart again.
func (c *compiler) enclose(f *fromItem) {
	alias := c.alias()
	var list []string
	names := map[string]string{}
	for _, it := range f.items {
		for i := range it.cols {
			sql := c.colSQL(it, i)
			if it.cols[i].lit != nil {
				sql = c.text(it.cols[i].lit)
				it.cols[i].lit = nil
			}
			name, ok := names[sql]
			if !ok {
				name = "x" + itoa(len(names)+1)
				names[sql] = name
				list = append(list, sql+" AS "+name)
			}
			it.cols[i].sql, it.cols[i].arg = alias+"."+name, nil
		}
		it.physical = false
		it.alias = ""
	}
	if len(list) == 0 {
		list = []string{"1"}
	}
	f.sql = "(SELECT " + strings.Join(list, ", ") + " FROM " + f.sql + " LIMIT -1) AS " + alias
	f.join, f.outer, f.count = false, false, 1
}

package server

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"layercake/catalog"
	"layercake/pgsql"
)

// planNode is a node of EXPLAIN's answer. The names of its fields in JSON are PostgreSQL's.
type planNode struct {
	Type      string      `json:"Node Type"`
	Operation string      `json:"Operation,omitempty"` // of ModifyTable: Insert, Update, Delete
	Label     string      `json:"Subplan Name,omitempty"`
	Relation  string      `json:"Relation Name,omitempty"`
	Alias     string      `json:"Alias,omitempty"`
	Index     string      `json:"Index Name,omitempty"`
	Cond      string      `json:"Index Cond,omitempty"`
	Rows      *int64      `json:"Actual Rows,omitempty"` // with ANALYZE, of the top node
	Plans     []*planNode `json:"Plans,omitempty"`
}

// text shows the tree as PostgreSQL's text format does.
func (n *planNode) text() []string {
	return n.under([]string{n.head()}, "  ")
}

// head is the line that names the node.
func (n *planNode) head() string {
	head := cmp.Or(n.Operation, n.Type)
	if n.Index != "" {
		head += " using " + catalog.QuoteIdent(n.Index)
	}
	if n.Alias != "" {
		head += " on " + catalog.QuoteIdent(cmp.Or(n.Relation, n.Alias))
		if n.Relation != "" && n.Alias != n.Relation {
			head += " " + catalog.QuoteIdent(n.Alias)
		}
	}
	if n.Rows != nil {
		head += fmt.Sprintf(" (actual rows=%d loops=1)", *n.Rows)
	}
	return head
}

// under adds what stands below the node's line.
func (n *planNode) under(out []string, indent string) []string {
	if n.Cond != "" {
		out = append(out, indent+"Index Cond: "+n.Cond)
	}
	for _, k := range n.Plans {
		at := indent
		if k.Label != "" {
			out = append(out, indent+k.Label)
			at += "  "
		}
		out = k.under(append(out, at+"->  "+k.head()), at+"      ")
	}
	return out
}

// planTree makes planNodes of the rows of SQLite's EXPLAIN QUERY PLAN.
type planTree struct {
	ranges map[string]pgsql.Range
	below  map[int64][]planRow
}

type planRow struct {
	id   int64
	line string
}

func newPlanTree(q *pgsql.Query) *planTree {
	t := &planTree{ranges: map[string]pgsql.Range{}, below: map[int64][]planRow{}}
	for _, r := range q.Ranges {
		t.ranges[r.Alias] = r
	}
	return t
}

func (t *planTree) add(id, parent int64, line string) {
	t.below[parent] = append(t.below[parent], planRow{id, line})
}

// node is what stands below a row of SQLite's plan: its scans, one after the other a nested loop; then what is done to
// their result; beside them the subqueries.
func (t *planTree) node(id int64) *planNode {
	var scans, subs []*planNode
	var after []string
	for _, r := range t.below[id] {
		switch {
		case strings.HasPrefix(r.line, "USE TEMP B-TREE FOR "):
			after = append(after, strings.TrimPrefix(r.line, "USE TEMP B-TREE FOR "))
		case strings.HasPrefix(r.line, "CO-ROUTINE ") || strings.HasPrefix(r.line, "MATERIALIZE "):
			_, name, _ := strings.Cut(r.line, " ")
			sub := t.node(r.id)
			if called := t.ranges[name].Name; called != "" {
				sub.Label = "CTE " + called
			} else {
				sub.Label = "Subquery"
			}
			subs = append(subs, sub)
		case subqueryLine.MatchString(r.line):
			m := subqueryLine.FindStringSubmatch(r.line)
			sub := t.node(r.id)
			sub.Label = "InitPlan " + m[2]
			if m[1] != "" || strings.Contains(r.line, "LIST") {
				sub.Label = "SubPlan " + m[2]
			}
			subs = append(subs, sub)
		case strings.HasPrefix(r.line, "BLOOM FILTER"):
		default:
			scans = append(scans, t.scan(r))
		}
	}
	n := &planNode{Type: "Nested Loop", Plans: scans}
	switch len(scans) {
	case 0:
		n = &planNode{Type: "Result"}
	case 1:
		n = scans[0]
	}
	n.Plans = append(n.Plans, subs...)
	for _, what := range after {
		kind := "Sort"
		switch {
		case strings.HasPrefix(what, "GROUP BY"), strings.Contains(what, "(DISTINCT)"):
			kind = "Aggregate"
		case strings.HasPrefix(what, "DISTINCT"):
			kind = "Unique"
		}
		n = &planNode{Type: kind, Plans: []*planNode{n}}
	}
	return n
}

var (
	subqueryLine = regexp.MustCompile(`^(CORRELATED )?(?:SCALAR|LIST) SUBQUERY (\d+)$`)
	scanLine     = regexp.MustCompile(`^(SCAN|SEARCH) (\S+)(?: USING (AUTOMATIC )?(?:PARTIAL )?(COVERING )?(?:INDEX|(INTEGER PRIMARY KEY)))?(?: (\S+))??(?: \((.*)\))?(?: (?:LEFT|RIGHT)-JOIN)?$`)
	operators    = strings.NewReplacer("<?", " < ?", ">?", " > ?", "=?", " = ?")
	columnName   = regexp.MustCompile(`^(\w+)(.*)$`)
)

// compoundTypes are PostgreSQL's words for what combines several queries.
var compoundTypes = map[string]string{
	"COMPOUND QUERY": "Append", "MERGE (UNION)": "Merge Append", "MERGE (UNION ALL)": "Merge Append", "UNION USING TEMP B-TREE": "Unique",
	"MERGE (EXCEPT)": "SetOp Except", "MERGE (INTERSECT)": "SetOp Intersect", "EXCEPT USING TEMP B-TREE": "SetOp Except", "INTERSECT USING TEMP B-TREE": "SetOp Intersect",
	"MULTI-INDEX OR": "BitmapOr", "RECURSIVE STEP": "Recursive Union", "SCAN CONSTANT ROW": "Result",
}

// scan is one row of SQLite's plan that is no subquery.
func (t *planTree) scan(r planRow) *planNode {
	if kind := compoundTypes[r.line]; kind != "" || len(t.below[r.id]) > 0 {
		n := t.node(r.id)
		if kind == "" || kind == "Result" {
			if len(t.below[r.id]) > 0 {
				return n // a part of a compound: SETUP, LEFT, RIGHT, INDEX 1 …
			}
			return &planNode{Type: "Result"}
		}
		if n.Type == "Nested Loop" {
			n.Type = kind
			return n
		}
		return &planNode{Type: kind, Plans: []*planNode{n}}
	}
	if _, rest, ok := strings.Cut(r.line, "SCAN "); ok && strings.Contains(rest, " VIRTUAL TABLE ") {
		alias, _, _ := strings.Cut(rest, " ")
		return &planNode{Type: "Function Scan", Alias: t.ranges[alias].Name}
	}
	m := scanLine.FindStringSubmatch(strings.Replace(r.line, " EXISTS ", " ", 1)) // the table of an EXISTS that was made a join
	if m == nil {
		return &planNode{Type: r.line}
	}
	of, known := t.ranges[m[2]]
	n := &planNode{Type: "Seq Scan", Alias: of.Name}
	switch {
	case !known:
		n.Type, n.Alias = "Subquery Scan", ""
	case of.Table == nil:
		n.Type = "Subquery Scan"
	default:
		n.Relation = of.Table.Name
		n.Alias = cmp.Or(n.Alias, n.Relation)
	}
	if of.Table == nil {
		return n
	}
	index := m[6]
	var keys []catalog.IndexKey
	if m[5] != "" {
		if pk := of.Table.PrimaryKey(); pk != nil {
			n.Type, n.Index = "Index Scan", pk.Name
		}
	} else if strings.Contains(r.line, " INDEX ") && m[3] == "" {
		n.Type, n.Index = "Index Scan", index
		if m[4] != "" {
			n.Type = "Index Only Scan"
		}
		for _, x := range of.Table.Indexes {
			if x.Phys == index {
				n.Index, keys = x.Name, x.Keys
			}
		}
	}
	if m[3] == "" { // an automatic index is made for this one query
		n.Cond = t.condition(of.Table, keys, m[7])
	}
	return n
}

// condition puts the names of columns and the expressions of an index into what SQLite says of the index's terms:
// "c2=? AND <expr>>?". They come in the order of its keys, and a range of the last one may have two.
func (t *planTree) condition(table *catalog.Table, keys []catalog.IndexKey, text string) string {
	if text == "" {
		return ""
	}
	terms := strings.Split(text, " AND ")
	key := -1
	last := ""
	for i, term := range terms {
		if !strings.HasSuffix(last, ">?") {
			key++
		}
		last = term
		if op, ok := strings.CutPrefix(term, "<expr>"); ok {
			if key < len(keys) {
				terms[i] = catalog.KeyText(table, &keys[key], true) + operators.Replace(op)
			}
			continue
		}
		m := columnName.FindStringSubmatch(term)
		if m == nil {
			continue
		}
		name := m[1]
		if name == "rowid" {
			if pk := table.PrimaryKey(); pk != nil && len(pk.Columns) == 1 {
				for _, c := range table.Columns {
					if c.ID == pk.Columns[0] {
						name = c.Name
					}
				}
			}
		}
		if k := slices.IndexFunc(table.Columns, func(c *catalog.Column) bool { return c.Phys == m[1] }); k >= 0 {
			name = table.Columns[k].Name
		}
		terms[i] = catalog.QuoteIdent(name) + operators.Replace(m[2])
	}
	return "(" + strings.Join(terms, " AND ") + ")"
}

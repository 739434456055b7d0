package server

import (
	"strings"
	"testing"

	"layercake/catalog"
	"layercake/pgsql"
)

// TestPlanTree: EXPLAIN names tables, indexes and columns as the user does, whatever SQLite's aliases look like.
func TestPlanTree(t *testing.T) {
	users := &catalog.Table{Name: "users", Phys: "t1",
		Columns:     []*catalog.Column{{ID: catalog.ID{HLC: 1}, Name: "id", Phys: "c1"}, {ID: catalog.ID{HLC: 2}, Name: "name", Phys: "c2"}},
		Constraints: []*catalog.Constraint{{Name: "users_pkey", Kind: catalog.PrimaryKey, Columns: []catalog.ID{{HLC: 1}}}},
		Indexes:     []*catalog.Index{{Name: "users_name_key", Phys: "i1"}}}
	posts := &catalog.Table{Name: "posts", Phys: "t2"}
	q := &pgsql.Query{Ranges: []pgsql.Range{{Alias: "t1", Name: "p", Table: posts}, {Alias: "t2", Name: "users", Table: users}, {Alias: "wt3", Name: "x"}, {Alias: "t4", Name: "g"}}}
	type row struct {
		id, parent int64
		line       string
	}
	for name, tc := range map[string]struct {
		rows []row
		want string
	}{
		"join": {[]row{{1, 0, "SCAN t1"}, {2, 0, "SEARCH t2 USING INTEGER PRIMARY KEY (rowid=?)"}, {3, 0, "USE TEMP B-TREE FOR ORDER BY"}}, `
Sort
  ->  Nested Loop
        ->  Seq Scan on posts p
        ->  Index Scan using users_pkey on users
              Index Cond: (id = ?)`},
		"index": {[]row{{1, 0, "SEARCH t2 USING COVERING INDEX i1 (c2=? AND rowid>?) LEFT-JOIN"}}, `
Index Only Scan using users_name_key on users
  Index Cond: (name = ? AND id > ?)`},
		"exists": {[]row{{1, 0, "SCAN t1"}, {2, 0, "SEARCH t2 EXISTS USING INDEX i1 (c2=?)"}}, `
Nested Loop
  ->  Seq Scan on posts p
  ->  Index Scan using users_name_key on users
        Index Cond: (name = ?)`},
		"automatic": {[]row{{1, 0, "SEARCH t1 USING AUTOMATIC COVERING INDEX (c2=?)"}}, `
Seq Scan on posts p`},
		"subqueries": {[]row{{1, 0, "SCAN t2"}, {2, 0, "CORRELATED SCALAR SUBQUERY 1"}, {3, 2, "SCAN t1"}, {4, 0, "SCALAR SUBQUERY 2"}, {5, 4, "SCAN CONSTANT ROW"}}, `
Seq Scan on users
  SubPlan 1
    ->  Seq Scan on posts p
  InitPlan 2
    ->  Result`},
		"with": {[]row{{1, 0, "MATERIALIZE wt3"}, {2, 1, "SCAN t4 VIRTUAL TABLE INDEX 3:"}, {3, 0, "SCAN wt3"}}, `
Subquery Scan on x
  CTE x
    ->  Function Scan on g`},
		"compound": {[]row{{1, 0, "COMPOUND QUERY"}, {2, 1, "LEFT-MOST SUBQUERY"}, {3, 2, "SCAN t1"}, {4, 1, "UNION ALL"}, {5, 4, "SCAN t2"}}, `
Append
  ->  Seq Scan on posts p
  ->  Seq Scan on users`},
	} {
		tree := newPlanTree(q)
		for _, r := range tc.rows {
			tree.add(r.id, r.parent, r.line)
		}
		if got := strings.Join(tree.node(0).text(), "\n"); got != tc.want[1:] {
			t.Errorf("%s: got\n%s\nwant%s", name, got, tc.want)
		}
	}
}

package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// exprContext says where an expression stands, for what is allowed there and how errors name it.
type exprContext uint8

const (
	ctxNone exprContext = iota
	ctxSelect
	ctxWhere
	ctxJoin
	ctxFrom
	ctxGroup
	ctxHaving
	ctxFilter
	ctxOrder
	ctxDistinctOn
	ctxWindowPartition
	ctxWindowOrder
	ctxWindowFrame
	ctxLimit
	ctxOffset
	ctxValues
	ctxInsert
	ctxUpdate
	ctxReturning
	ctxCheck
	ctxDefault
	ctxIndexExpr
	ctxIndexPredicate
	ctxGenerated
	ctxExecute
	ctxAggArg
)

var contextNames = [...]string{
	ctxNone: "this clause", ctxSelect: "SELECT", ctxWhere: "WHERE", ctxJoin: "JOIN conditions", ctxFrom: "functions in FROM",
	ctxGroup: "GROUP BY", ctxHaving: "HAVING", ctxFilter: "FILTER", ctxOrder: "ORDER BY", ctxDistinctOn: "DISTINCT ON",
	ctxWindowPartition: "window definitions", ctxWindowOrder: "window definitions", ctxWindowFrame: "window definitions",
	ctxLimit: "LIMIT", ctxOffset: "OFFSET", ctxValues: "VALUES", ctxInsert: "VALUES", ctxUpdate: "UPDATE",
	ctxReturning: "RETURNING", ctxCheck: "check constraints", ctxDefault: "DEFAULT expressions",
	ctxIndexExpr: "index expressions", ctxIndexPredicate: "index predicates", ctxGenerated: "column generation expressions",
	ctxExecute: "EXECUTE parameters", ctxAggArg: "aggregate function calls",
}

func (x exprContext) String() string { return contextNames[x] }

// scope is one query level: the relations whose columns expressions may name, and what its clauses turn out to hold.
type scope struct {
	outer *scope
	top   bool // of the statement itself

	sibling *scope // the query in whose FROM this stands, whose items it may not name; for errors
	items   []*rangeItem
	ctes    []*cte
	ctx     exprContext

	// aggregates and grouping
	hasAgg    bool
	folded    bool // an aggregate may have left no trace in the SQL
	hasWindow bool
	hasGroup  bool      // there is GROUP BY
	aggDepth  int       // > 0 within the arguments of an aggregate of this level
	bare      []bareUse // columns used outside of aggregates that are not (yet) known to be grouped
	groups    *grouping // set once GROUP BY is known and until the query is done
	made      []made    // expressions that are found again by their syntax
	windows   []*windowDef
	inWindow  bool       // a window definition is being compiled
	srfs      []*srfCall // set-returning functions of the SELECT list
	srfMany   string     // the alias that several of them share
	noSRF     bool       // set-returning functions may not stand here

	joins      int                          // tables that FROM joins
	bound      []string                     // the query's windows, and its aggregates that name no column: see flatten
	inFrom     bool                         // FROM is being compiled
	condition  *pg.Node                     // … and this is WHERE
	reduced    map[*pg.JoinExpr]pg.JoinType // … and these outer joins of it are to be others
	nullable   bool                         // … and what is compiled may be all NULL in it: WHERE must not narrow it
	lateralUse bool                         // … and something in it names what stands to its left

	filter bool // FALSE and NULL are the same here (WHERE, at its top)
}

// bareUse is a column's use that GROUP BY must account for.
type bareUse struct {
	item *rangeItem
	col  int
	loc  int32
	name string // as written for the error: "t.a"

	inner bool // in a subquery
}

func newScope(outer *scope) *scope { return &scope{outer: outer} }

// in compiles an expression in another context of the scope.
func (c *compiler) exprIn(ctx exprContext, n *pg.Node, s *scope) *expr {
	saved := s.ctx
	s.ctx = ctx
	e := c.expr(n, s)
	s.ctx = saved
	return e
}

// rangeItem is an entry of the namespace: a table, a subquery, a function, a join.
type rangeItem struct {
	name   string // alias, or the table's own name
	loc    int32
	schema string // of a table without alias, for schema.table.column
	alias  string // SQLite alias, "" for a join
	table  *catalog.Table
	cols   []rangeCol

	relHidden  bool // name.col does not find it (an unnamed join)
	colsHidden bool // col does not find it (it is part of a join that shows them)
	noSystem   bool // it has no system columns (excluded)
	lateral    bool // seen only from LATERAL items: it stands to the left in a FROM under construction
	illegal    bool // such a reference is an error (RIGHT or FULL JOIN above it)

	parts    []*rangeItem // of a join: the items joined
	nullable bool         // on the nullable side of an outer join
	derived  bool         // a subquery or view
	key      string       // of a subquery: a column that is never NULL in its rows, "" if none is known
	record   bool         // a function's scalar result: name alone means the column
	query    *rel         // of a subquery or CTE
	changed  bool         // the table that a statement changes: reading its columns takes SELECT
	physical bool         // has rowid, _h, _o, _c (a replicated table read directly)

	within map[string]string // of a table in a subquery made of a join: where its rowid, _h, _o and _c are found
}

// stored says whether the item is a table read directly, whose rows have a rowid.
func (it *rangeItem) stored() bool {
	return it.table != nil && !it.derived && it.table.Kind == catalog.KindTable && (it.alias != "" || it.within != nil)
}

// system is the SQL of a table's rowid, _h, _o or _c.
func (it *rangeItem) system(name string) string {
	if it.within != nil {
		return it.within[name]
	}
	return it.alias + "." + name
}

// rangeCol is a column of a range item.
type rangeCol struct {
	name    string // "" for a dropped or hidden one
	typ     uint32
	typmod  int32
	sql     string // "t1.c2"
	notNull bool

	tableOID uint32
	attNum   int16

	arg *Arg // instead of sql: the column is an argument (ArgNew, ArgOld)

	row      []*expr // of a record column: its fields
	rowNames []string

	lit *expr // the column is this expression (a merged column of a FULL JOIN)
}

// colSQL returns the SQL of a column.
func (c *compiler) colSQL(it *rangeItem, i int) string {
	col := &it.cols[i]
	if col.arg != nil {
		return c.arg(*col.arg)
	}
	return col.sql
}

// addTable puts a table into s under name ("" for its own) with a new SQLite alias, and returns the item. The caller
// writes "quoteIdent(t.Phys) AS item.alias" into FROM.
func (c *compiler) addTable(s *scope, t *catalog.Table, name string) *rangeItem {
	it := c.tableItem(t, name, c.alias())
	s.items = append(s.items, it)
	c.ranged(s.items[len(s.items)-1:])
	return it
}

// tableItem is the range item of a table read as the SQLite table alias.
func (c *compiler) tableItem(t *catalog.Table, name, alias string) *rangeItem {
	it := &rangeItem{name: name, alias: alias, table: t, physical: !t.System}
	if name == "" {
		it.name, it.schema = t.Name, t.Schema
	}
	it.cols = make([]rangeCol, len(t.Columns))
	for i, col := range t.Columns {
		it.cols[i] = rangeCol{
			name: col.Name, typ: col.Type, typmod: col.Typmod, notNull: col.NotNull,
			sql: alias + "." + quoteIdent(col.Phys), tableOID: t.OID, attNum: col.Num,
		}
	}
	return it
}

// argItem is a range item whose columns are arguments of a kind (ArgNew, ArgOld): the row at hand.
func (c *compiler) argItem(t *catalog.Table, name string, kind ArgKind) *rangeItem {
	it := c.tableItem(t, name, "")
	it.physical = false
	for i := range it.cols {
		it.cols[i].arg = &Arg{Kind: kind, Index: i}
		it.cols[i].sql = ""
		it.cols[i].notNull = false
	}
	return it
}

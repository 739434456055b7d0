package sqlstore

import (
	"slices"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/crdt"
)

// A space is the physical form of one keyspace: which SQLite table and columns hold it, and how its rows are known. It
// is immutable; DDL makes a new one.
type space struct {
	id    crdt.ID
	num   int64 // local number: t<num>
	phys  string
	table *catalog.Table // nil while the schema does not show the table

	cols  []column        // table.Columns in their order, then columns that were dropped (they stay, physically)
	live  int             // how many of cols are table.Columns
	byID  map[crdt.ID]int // column ID → index into cols
	order []int           // indexes into cols, ascending by ID: the order in which a row is hashed

	key    []int     // indexes into cols of the primary key's columns; nil: rows go by their hidden key
	keyIDs []crdt.ID // the same by ID
	keyID  crdt.ID   // the primary key itself: its index
	rest   []int     // the live columns that are not in key
	alias  int       // the column that is the rowid, -1: none
	hidden bool      // the table has _k

	uniques []uniqueIndex
	indexes map[string]string // physical indexes: name → CREATE INDEX statement

	insertSQL, selectSQL, deleteSQL, byKeySQL, byHiddenSQL string
	mergeSQL                                               string // INSERT of another node's row, without flags
	values                                                 int    // number of leading values in insertSQL before the columns
}

type column struct {
	id         crdt.ID
	num        int64 // c<num>
	phys       string
	comparison string        // catalog.Comparison of its type
	integer    bool          // declared INTEGER: SQLite uses an index for a join only where both sides have one affinity
	missing    catalog.Value // what a row that does not say holds
	tag        []byte        // encoded missing
}

// uniqueIndex is a unique index other than the primary key's.
type uniqueIndex struct {
	num     int64 // local number: i<num>, _ui<num>
	flag    string
	index   *catalog.Index
	terms   []string // its terms without direction
	where   string
	columns []crdt.ID // columns it depends on; nil: may depend on any
}

func physColumn(num int64) string { return "c" + strconv.FormatInt(num, 10) }
func physTable(num int64) string  { return "t" + strconv.FormatInt(num, 10) }
func physIndex(num int64) string  { return "i" + strconv.FormatInt(num, 10) }

// finish works out what follows from the fields above it.
func (sp *space) finish() {
	sp.byID = make(map[crdt.ID]int, len(sp.cols))
	sp.order = make([]int, len(sp.cols))
	for i := range sp.cols {
		c := &sp.cols[i]
		c.tag = catalog.AppendValue(nil, c.missing)
		sp.byID[c.id] = i
		sp.order[i] = i
	}
	slices.SortFunc(sp.order, func(a, b int) int { return sp.cols[a].id.Compare(sp.cols[b].id) })
	sp.keyIDs, sp.rest = nil, nil
	for _, i := range sp.key {
		sp.keyIDs = append(sp.keyIDs, sp.cols[i].id)
	}
	for i := range sp.live {
		if !slices.Contains(sp.key, i) {
			sp.rest = append(sp.rest, i)
		}
	}

	var cols strings.Builder
	for _, c := range sp.cols {
		cols.WriteString("," + c.phys)
	}
	k := "NULL"
	if sp.hidden {
		k = "_k"
	}
	sel := "SELECT rowid,_h,_o,_c," + k + cols.String() + " FROM " + sp.phys
	sp.selectSQL = sel + " WHERE rowid=?1"
	sp.deleteSQL = "DELETE FROM " + sp.phys + " WHERE rowid=?1"
	if sp.hidden {
		sp.byHiddenSQL = sel + " WHERE _k=?1"
	}
	if sp.key == nil {
		sp.byKeySQL = sp.byHiddenSQL
	} else {
		sp.byKeySQL = sel + " WHERE " + sp.keyCondition()
	}

	names := "_h,_o"
	sp.values = 2
	if sp.hidden {
		names += ",_k"
		sp.values = 3
	}
	for _, c := range sp.cols[:sp.live] {
		names += "," + c.phys
	}
	sp.insertSQL = "INSERT INTO " + sp.phys + "(" + names + ") VALUES(" + params(sp.values+sp.live) + ")"
	sp.mergeSQL = sp.mergedSQL(nil)
}

// mergedSQL is the INSERT of a whole row: clocks, hidden key, the given flags, and every column.
func (sp *space) mergedSQL(flags []string) string {
	names := []string{"_h", "_o", "_c"}
	if sp.hidden {
		names = append(names, "_k")
	}
	names = append(names, flags...)
	for _, c := range sp.cols {
		names = append(names, c.phys)
	}
	return "INSERT INTO " + sp.phys + "(" + strings.Join(names, ",") + ") VALUES(" + params(len(names)) + ")"
}

func (sp *space) keyCondition() string {
	terms := make([]string, len(sp.key))
	for i, k := range sp.key {
		terms[i] = sp.cols[k].term() + "=" + catalog.Compared("?"+strconv.Itoa(i+1), sp.cols[k].comparison)
	}
	return strings.Join(terms, " AND ")
}

// declaration is the column as CREATE TABLE and ADD COLUMN have it.
func (c *column) declaration() string {
	if c.integer {
		return c.phys + " INTEGER" + defaultSQL(c.missing)
	}
	return c.phys + defaultSQL(c.missing)
}

// term is the column as it is compared.
func (c *column) term() string { return catalog.Compared(c.phys, c.comparison) }

func params(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", n), ",")
}

// createSQL makes the table, and the index of the object rows' key. The other indexes come from indexes, that of the hidden
// key when it is needed.
func (sp *space) createSQL() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + sp.phys + "(_h INTEGER,_o INTEGER,_c BLOB")
	if sp.hidden {
		b.WriteString(",_k BLOB")
	}
	for _, u := range sp.uniques {
		b.WriteString("," + u.flag + " INTEGER NOT NULL DEFAULT 0")
	}
	for i, c := range sp.cols {
		b.WriteString("," + c.declaration())
		if i == sp.alias {
			b.WriteString(" PRIMARY KEY")
		}
	}
	b.WriteString(")")
	return b.String() + sp.objectKeySQL()
}

// objectKeySQL is the primary key's index of the object keyspace, which no object row describes.
func (sp *space) objectKeySQL() string {
	if sp.id != crdt.ID(catalog.ObjectKeyspace) {
		return ""
	}
	return ";CREATE UNIQUE INDEX lc_schema_key ON " + sp.phys + "(" + sp.cols[0].phys + ")"
}

func defaultSQL(v catalog.Value) string {
	if v.IsNull() {
		return ""
	}
	return " DEFAULT " + literal(v)
}

// literal writes a value as SQLite SQL.
func literal(v catalog.Value) string {
	switch v.Kind {
	case catalog.Integer:
		return strconv.FormatInt(v.Int(), 10)
	case catalog.Real:
		switch s := strconv.FormatFloat(v.Float(), 'g', -1, 64); {
		case s == "+Inf":
			return "9e999"
		case s == "-Inf":
			return "-9e999"
		case strings.ContainsAny(s, ".e"):
			return s
		default:
			return s + ".0"
		}
	case catalog.Text:
		return "'" + strings.ReplaceAll(string(v.Bytes), "'", "''") + "'"
	case catalog.Blob:
		const hex = "0123456789abcdef"
		b := make([]byte, 0, 3+2*len(v.Bytes))
		b = append(b, "x'"...)
		for _, c := range v.Bytes {
			b = append(b, hex[c>>4], hex[c&15])
		}
		return string(append(b, '\''))
	}
	return "NULL"
}

// objectSpace is the keyspace of the object rows: the same in every store.
func objectSpace() *space {
	id := func(n int) catalog.ID { return catalog.ID{HLC: 1, Node: uint64(n)} }
	t := &catalog.Table{ID: catalog.ObjectKeyspace, Name: "objects", Kind: catalog.KindTable, Phys: "lc_schema", System: true}
	sp := &space{id: crdt.ID(catalog.ObjectKeyspace), phys: "lc_schema", table: t, key: []int{0}, keyID: crdt.ID(catalog.ObjectKeyspace), alias: -1}
	for i := range 1 + int(catalog.AttrCount) {
		c := column{id: crdt.ID(id(1 + i)), num: int64(i), phys: physColumn(int64(i))}
		sp.cols = append(sp.cols, c)
		t.Columns = append(t.Columns, &catalog.Column{ID: catalog.ID(c.id), Num: int16(i + 1), Phys: c.phys, Typmod: -1})
	}
	sp.live = len(sp.cols)
	sp.finish()
	return sp
}

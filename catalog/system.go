package catalog

import (
	"strconv"
	"strings"
	"sync"
)

// The system relations: pg_catalog and information_schema with PostgreSQL 15's columns, and layercake. Tables
// (KindTable) have rows in SQLite, made by SystemFixedRows and SystemRows; views (KindView) are PostgreSQL text over the tables; provided
// relations (KindProvided) get their rows from the server when a query runs.

// The bootstrap superuser, who owns the system relations.
const (
	superuserName        = "postgres"
	superuserOID  uint32 = 10
)

// Definition is the table pg_catalog._definition, which PostgreSQL does not have: texts that its functions work out
// (pg_get_indexdef and their like) and that are looked up here. Its columns are objid oid, kind text, sub int4 and def
// text; the kinds are:
//
//	index, index_pretty            CREATE INDEX …; with sub n > 0: the index's n-th column
//	constraint, constraint_pretty  as pg_get_constraintdef
//	view                           as pg_get_viewdef
//	arguments, identity, result    of functions, as pg_get_function_arguments, …_identity_arguments, …_result
const definitionColumns = "12990 pg_catalog _definition r objid:oid! kind:text! sub:int4! def:text!\n"

const layercakeRelations = `13900 layercake nodes p name:text id:text dc:text state:text is_self:bool pg_addr:text rpc_addr:text rtt_ms:float8 clock_offset_ms:float8 applied:int8
13901 layercake replication p peer:text origin:text sent:int8 acked:int8 lag_entries:int8 lag_ms:float8 state:text
13902 layercake digests p node:text relation:text rows:int8 digest:text
13903 layercake conflicts p relation:text constraint_name:text kind:text key:text other_key:text stamp:timestamptz origin:text other_stamp:timestamptz other_origin:text
13904 layercake tombstones p relation:text count:int8 oldest:timestamptz
13905 layercake settings p name:text value:text source:text
13906 layercake backup p chunk:bytea
`

// providedNames are PostgreSQL's views whose rows the server makes up.
var providedNames = map[string]bool{
	"pg_settings": true, "pg_stat_activity": true, "pg_prepared_statements": true, "pg_cursors": true, "pg_locks": true,
	"pg_timezone_names": true, "pg_timezone_abbrevs": true,
}

// systemIndexes are look-ups that clients' queries make often; oid is understood.
var systemIndexes = map[string][]string{
	"pg_attribute":   {"attrelid"},
	"pg_attrdef":     {"adrelid"},
	"pg_class":       {"relname"},
	"pg_constraint":  {"conrelid"},
	"pg_depend":      {"objid", "refobjid"},
	"pg_description": {"objoid"},
	"pg_index":       {"indexrelid", "indrelid"},
	"pg_proc":        {"proname"},
	"pg_sequence":    {"seqrelid"},
	"pg_type":        {"typname"},
	"_definition":    {"objid"},
}

type systemTables struct {
	all    []*Table
	byName map[relName]*Table
	kinds  map[uint32]byte // relkind where it is shown as another than it is here
}

var system = sync.OnceValue(func() *systemTables {
	x := &systemTables{byName: make(map[relName]*Table), kinds: make(map[uint32]byte)}
	for line := range strings.Lines(systemRelations + definitionColumns + layercakeRelations) {
		if f := strings.Fields(line); len(f) > 0 {
			x.add(f)
		}
	}
	return x
})

// add reads one line of systemRelations.
func (x *systemTables) add(f []string) {
	oid, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil {
		panic("catalog: malformed system relation: " + f[0])
	}
	t := &Table{OID: uint32(oid), Schema: f[1], Name: f[2], Kind: RelKind(f[3][0]), Owner: superuserName, System: true}
	for i, def := range f[4:] {
		name, typ, ok := strings.Cut(def, ":")
		typ, notNull := strings.CutSuffix(typ, "!")
		pt := TypeByName(typ)
		if !ok || pt == nil {
			panic("catalog: malformed column of " + t.Name + ": " + def)
		}
		t.Columns = append(t.Columns, &Column{Num: int16(i + 1), Name: name, Type: pt.OID, Typmod: -1, NotNull: notNull, Phys: "c" + strconv.Itoa(i+1)})
	}
	if t.Kind == KindProvided || providedNames[t.Name] && t.Schema == "pg_catalog" {
		t.Kind = KindProvided
		x.kinds[t.OID] = 'v'
	}
	if text, ok := systemViews[t.Schema+"."+t.Name]; ok {
		if t.Kind != KindView {
			x.kinds[t.OID] = byte(t.Kind)
		}
		t.Kind, t.View = KindView, text
	} else if t.Kind == KindView {
		t.View = emptyView(t)
	}
	if t.Kind == KindTable {
		t.Phys = t.Name
		for _, c := range append([]string{"oid"}, systemIndexes[t.Name]...) {
			if col := t.Column(c); col != nil {
				t.Indexes = append(t.Indexes, &Index{Name: t.Name + "_" + c + "_index", Phys: t.Name + "_" + c + "_index", Method: "btree", PhysKeys: []string{col.Phys}})
			}
		}
	}
	x.all = append(x.all, t)
	x.byName[relName{t.Schema, t.Name}] = t
}

// emptyView is the text of a view that has no rows here, for there is nothing that it could show.
func emptyView(t *Table) string {
	var b strings.Builder
	for i, c := range t.Columns {
		if i == 0 {
			b.WriteString("SELECT ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString("NULL::" + FormatType(c.Type, -1) + " AS " + QuoteIdent(c.Name))
	}
	return b.String() + " WHERE false"
}

// SystemRelations returns the relations of pg_catalog, information_schema and layercake. The slice and the tables are
// shared and read-only. Their Indexes are no objects of the schema: they have Phys and PhysKeys alone.
func SystemRelations() []*Table { return system().all }

// SystemStatic says whether the rows of a system table are the same whatever the schema.
func SystemStatic(rel *Table) bool {
	_, dynamic := dynamicRows[rel.Name]
	return !dynamic
}

// SystemFixedRows returns the rows of a system table (KindTable) that show what is built in, whatever the schema, each with a
// value for every column. They are made for the caller: those of all tables have some 6 MB.
func SystemFixedRows(rel *Table) [][]Value {
	b := newRows(rel)
	if f, ok := staticRows[rel.Name]; ok {
		f(b)
	} else if text, ok := systemRows[rel.Name]; ok {
		b.copied(text)
	}
	return b.rows
}

// SystemRows returns the other rows of a system table: those that show the schema.
func SystemRows(s *Schema, rel *Table) [][]Value {
	b := newRows(rel)
	if f, ok := dynamicRows[rel.Name]; ok {
		f(s, b)
	}
	return b.rows
}

// rowsOf gathers the rows of one system table.
type rowsOf struct {
	rel   *Table
	index map[string]int
	rows  [][]Value
}

func newRows(rel *Table) *rowsOf {
	b := &rowsOf{rel: rel, index: make(map[string]int, len(rel.Columns))}
	for i, c := range rel.Columns {
		b.index[c.Name] = i
	}
	return b
}

// add adds a row of name, value, name, value …; columns not named are NULL, or false, 0 or "" if they are NOT NULL.
func (b *rowsOf) add(pairs ...any) {
	row := make([]Value, len(b.rel.Columns))
	for i := 0; i < len(pairs); i += 2 {
		at, ok := b.index[pairs[i].(string)]
		if !ok {
			panic("catalog: " + b.rel.Name + " has no column " + pairs[i].(string))
		}
		row[at] = toValue(pairs[i+1])
	}
	for i, c := range b.rel.Columns {
		if c.NotNull && row[i].Kind == Null {
			row[i] = zeroValue(c.Type)
		}
	}
	b.rows = append(b.rows, row)
}

func toValue(x any) Value {
	switch x := x.(type) {
	case Value:
		return x
	case string:
		return Str(x)
	case bool:
		return Bool(x)
	case byte:
		if x == 0 {
			return Str("")
		}
		return Str(string(rune(x)))
	case int:
		return Int(int64(x))
	case int16:
		return Int(int64(x))
	case int32:
		return Int(int64(x))
	case int64:
		return Int(x)
	case uint32:
		return Int(int64(x))
	}
	return Value{}
}

// orNull is s as a value, NULL for "".
func orNull(s string) Value {
	if s == "" {
		return Value{}
	}
	return Str(s)
}

func zeroValue(oid uint32) Value {
	switch oid {
	case TextOID, NameOID, CharOID, VarcharOID, PgNodeTreeOID:
		return Str("")
	case Int2vectorOID:
		return VectorValue(Int2OID, nil)
	case OidvectorOID:
		return VectorValue(OidOID, nil)
	case Float4OID, Float8OID:
		return Float(0)
	}
	if e := ElemOf(oid); e != 0 {
		return EncodeArray(e, nil, nil)
	}
	return Int(0)
}

// copied adds rows as COPY writes them.
func (b *rowsOf) copied(text string) {
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		row := make([]Value, len(b.rel.Columns))
		for i, f := range fields {
			if f == `\N` || i >= len(row) {
				continue
			}
			v, err := DecodeText(b.rel.Columns[i].Type, -1, []byte(f), nil)
			if err != nil {
				panic("catalog: malformed row of " + b.rel.Name + ": " + err.Error())
			}
			if b.rel.Columns[i].Type == RegprocOID && v.Kind == Text {
				v = Int(int64(FunctionOID(f)))
			}
			row[i] = v
		}
		b.rows = append(b.rows, row)
	}
}

// typeFunction is a row of typeFunctions.
type typeFunction struct {
	oid, ret uint32
	name     string
	args     []Value
	strict   bool
	volatile string
}

var typeFunctionIndex = sync.OnceValues(func() (list []typeFunction, byName map[string]uint32) {
	byName = make(map[string]uint32)
	for line := range strings.Lines(typeFunctions) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			continue
		}
		oid, _ := strconv.ParseUint(f[0], 10, 32)
		ret, _ := strconv.ParseUint(f[2], 10, 32)
		fn := typeFunction{oid: uint32(oid), ret: uint32(ret), name: f[1], strict: f[4] == "t", volatile: f[5]}
		for a := range strings.FieldsSeq(f[3]) {
			n, _ := strconv.ParseUint(a, 10, 32)
			fn.args = append(fn.args, Int(int64(n)))
		}
		list = append(list, fn)
		byName[fn.name] = fn.oid
	}
	return list, byName
})

// FunctionOID returns the OID of the function called name if there is just one, else 0.
func FunctionOID(name string) uint32 {
	if fs := FunctionsNamed(name); len(fs) == 1 {
		return fs[0].OID
	}
	_, byName := typeFunctionIndex()
	return byName[name]
}

// TypeFunctions calls yield for each function that types have for their input, output and the like: a reg… type knows
// them, though no statement may call them.
func TypeFunctions(yield func(oid uint32, name string, args []uint32)) {
	list, _ := typeFunctionIndex()
	for i := range list {
		f := &list[i]
		if FunctionByOID(f.oid) != nil {
			continue
		}
		args := make([]uint32, len(f.args))
		for j, a := range f.args {
			args[j] = uint32(a.Int())
		}
		yield(f.oid, f.name, args)
	}
}

// FunctionName returns the name of the function with the OID, "" if there is none.
func FunctionName(oid uint32) string {
	if f := FunctionByOID(oid); f != nil {
		if f.Schema != "pg_catalog" {
			return QuoteQualified(f.Schema, f.Name)
		}
		return QuoteIdent(f.Name)
	}
	list, _ := typeFunctionIndex()
	for i := range list {
		if list[i].oid == oid {
			return QuoteIdent(list[i].name)
		}
	}
	return ""
}

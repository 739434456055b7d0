package pgsql_test

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"layercake/catalog"
	"layercake/pgerror"
	"layercake/pgsql"
	"layercake/sqlstore/sqlfunc"
	"layercake/sqlstore/sqlite"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// db is a schema with its SQLite tables, enough to run what Compile makes: no clocks, no log.
type db struct {
	t       testing.TB
	conn    *sqlite.Conn
	objects []catalog.Object
	phys    map[catalog.ID]string
	last    uint64
	made    map[string]bool
	env     *pgsql.Env
}

func newDB(t testing.TB) *db {
	t.Helper()
	sqlfunc.Register()
	conn, err := sqlite.Open(":memory:", sqlite.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	d := &db{t: t, conn: conn, phys: map[catalog.ID]string{}, made: map[string]bool{}, last: 100}
	out := catalog.DefaultOutput()
	d.env = &pgsql.Env{
		SearchPath: []string{"public"}, User: "postgres", Database: "postgres", Output: out,
		NewID: func() catalog.ID { d.last++; return catalog.ID{HLC: d.last, Node: 1} },
	}
	d.rebuild()
	return d
}

// rebuild makes the schema of the objects, and the SQLite tables that are missing.
func (d *db) rebuild() {
	slices.SortFunc(d.objects, func(a, b catalog.Object) int { return int(int64(a.ID.HLC) - int64(b.ID.HLC)) })
	s, conflicts := catalog.BuildSchema(d.last, d.objects, catalog.BuildOptions{Phys: func(kind catalog.ObjectKind, id catalog.ID) string {
		if d.phys[id] == "" {
			d.phys[id] = fmt.Sprintf("%c%d", kind[0], len(d.phys)+1)
		}
		return d.phys[id]
	}})
	for _, x := range conflicts {
		d.t.Fatalf("conflict: %+v", x)
	}
	d.env.Schema = s
	for _, r := range s.Relations {
		if r.Kind != catalog.KindTable {
			continue
		}
		if !d.made[r.Phys] {
			d.made[r.Phys] = true
			cols := []string{"_h INTEGER", "_o INTEGER", "_c BLOB", "_k BLOB"}
			if r.System {
				cols = nil
			}
			for _, c := range r.Columns {
				decl := `"` + c.Phys + `"`
				switch {
				case isRowID(r, c):
					decl += " INTEGER PRIMARY KEY"
				case c.Type == catalog.Int2OID || c.Type == catalog.Int4OID || c.Type == catalog.Int8OID:
					decl += " INTEGER"
				}
				cols = append(cols, decl)
			}
			d.exec("CREATE TABLE \"" + r.Phys + "\" (" + strings.Join(cols, ", ") + ")")
		}
	}
}

// fillSystem stores the rows of a system table, which follow from the schema.
func (d *db) fillSystem(r *catalog.Table) {
	marks := make([]string, len(r.Columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("?%d", i+1)
	}
	st, err := d.conn.StoreStmt("INSERT INTO \"" + r.Phys + "\" VALUES (" + strings.Join(marks, ", ") + ")")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, row := range catalog.SystemRows(d.env.Schema, r) {
		if _, err := st.Exec(row); err != nil {
			d.t.Fatal(r.Name, err)
		}
	}
}

// refreshSystem stores the rows of all system tables anew.
func (d *db) refreshSystem() {
	for _, r := range d.env.Schema.Relations {
		if r.System && r.Kind == catalog.KindTable {
			d.exec("DELETE FROM \"" + r.Phys + "\"")
			d.fillSystem(r)
		}
	}
}

func isRowID(t *catalog.Table, c *catalog.Column) bool {
	if c.Type != catalog.Int4OID && c.Type != catalog.Int8OID && c.Type != catalog.Int2OID {
		return false
	}
	for _, con := range t.Constraints {
		if con.Kind == catalog.PrimaryKey {
			return len(con.Columns) == 1 && con.Columns[0] == c.ID
		}
	}
	return false
}

func (d *db) exec(sql string) {
	d.t.Helper()
	if err := d.conn.StoreExec(sql); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

// compile compiles the first statement of sql.
func (d *db) compile(sql string, types ...uint32) (pgsql.Plan, error) {
	list, err := pgsql.Parse(sql)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, nil
	}
	return pgsql.Compile(list[0], d.env, types)
}

// run runs a script of DDL and INSERTs.
func (d *db) run(script string) {
	d.t.Helper()
	list, err := pgsql.Parse(script)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, st := range list {
		if st.Tag == "INSERT" {
			d.values(st.Text)
			continue
		}
		plan, err := pgsql.Compile(st, d.env, nil)
		if err != nil {
			d.t.Fatalf("%s: %v", st.Text, err)
		}
		switch p := plan.(type) {
		case *pgsql.DDL:
			d.apply(p.Changes)
		case *pgsql.Modify:
			d.insert(p)
		default:
			d.t.Fatalf("%s: %T", st.Text, plan)
		}
	}
}

func (d *db) apply(changes []catalog.Change) {
	for _, ch := range changes {
		switch ch.Op {
		case catalog.Create:
			o := catalog.Object{ID: ch.ID}
			for a, v := range ch.Attrs {
				o.Attrs[a] = v
			}
			d.objects = append(d.objects, o)
		case catalog.Drop:
			d.objects = slices.DeleteFunc(d.objects, func(o catalog.Object) bool { return o.ID == ch.ID })
		case catalog.Alter:
			for i := range d.objects {
				if d.objects[i].ID == ch.ID {
					for a, v := range ch.Attrs {
						d.objects[i].Attrs[a] = v
					}
				}
			}
		}
	}
	d.rebuild()
}

// insert stores the rows that an INSERT's source gives, without any check.
func (d *db) insert(m *pgsql.Modify) {
	d.t.Helper()
	rows, err := d.query(m.Source, nil)
	if err != nil {
		d.t.Fatalf("%s: %v", m.Source.SQL, err)
	}
	var names, marks []string
	for i, c := range m.Table.Columns {
		names, marks = append(names, `"`+c.Phys+`"`), append(marks, fmt.Sprintf("?%d", i+1))
	}
	st, err := d.conn.StoreStmt("INSERT INTO \"" + m.Table.Phys + "\" (" + strings.Join(names, ", ") + ", _h, _o) VALUES (" + strings.Join(marks, ", ") + ", 1, 1)")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := st.Exec(row[:len(names)]); err != nil {
			d.t.Fatal(err)
		}
	}
}

// values runs INSERT INTO t VALUES …: as a SELECT with casts, so that it does not depend on INSERT.
func (d *db) values(sql string) {
	d.t.Helper()
	f := strings.SplitN(sql, " ", 4)
	t := d.env.Schema.Relation("public", f[2])
	var casts []string
	for i, c := range t.Columns {
		casts = append(casts, fmt.Sprintf("column%d::%s", i+1, catalog.FormatType(c.Type, -1)))
	}
	plan, err := d.compile("SELECT " + strings.Join(casts, ", ") + " FROM (" + f[3] + ") q")
	if err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
	d.insert(&pgsql.Modify{Table: t, Source: plan.(*pgsql.Query)})
}

// query runs a compiled query.
func (d *db) query(q *pgsql.Query, params []catalog.Value) ([][]catalog.Value, error) {
	args := make([]catalog.Value, len(q.Args))
	for i, a := range q.Args {
		args[i] = d.arg(a, params)
	}
	st, err := d.conn.Stmt(q.SQL)
	if err != nil {
		return nil, err
	}
	rows, err := st.Query(args)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]catalog.Value
	for rows.Next() {
		row := slices.Clone(rows.Values())
		for i := range row {
			row[i] = row[i].Clone()
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

func (d *db) arg(a pgsql.Arg, params []catalog.Value) catalog.Value {
	switch a.Kind {
	case pgsql.ArgConst:
		return a.Value
	case pgsql.ArgParam:
		if a.Index < len(params) {
			return params[a.Index]
		}
	case pgsql.ArgPack:
		var blob []byte
		for _, x := range a.Pack {
			blob = catalog.AppendValue(blob, d.arg(x, params))
		}
		return catalog.BlobBytes(blob)
	case pgsql.ArgSession:
		switch a.Name {
		case "now", "statement_now":
			return catalog.Int(time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds())
		case "TimeZone":
			return catalog.Str("UTC")
		case "env":
			return catalog.Str(d.env.Output.String())
		case "user", "session_user", "database":
			return catalog.Str("postgres")
		case "search_path":
			return catalog.EncodeArray(catalog.NameOID, []catalog.ArrayDim{{Len: 1, Lower: 1}}, []catalog.Value{catalog.Str("public")})
		case "search_path_implicit":
			return catalog.EncodeArray(catalog.NameOID, []catalog.ArrayDim{{Len: 2, Lower: 1}}, []catalog.Value{catalog.Str("pg_catalog"), catalog.Str("public")})
		}
	}
	return catalog.Value{}
}

// show runs a statement and shows its result as psql does: a line of names and types, then the rows; or the error.
func (d *db) show(sql string) string {
	plan, err := d.compile(sql)
	if err != nil {
		return showError(err)
	}
	q, ok := plan.(*pgsql.Query)
	if !ok {
		return fmt.Sprintf("%T\n", plan)
	}
	rows, err := d.query(q, nil)
	if err != nil {
		return showError(err)
	}
	var b strings.Builder
	for i, c := range q.Columns {
		if i > 0 {
			b.WriteString("|")
		}
		b.WriteString(c.Name + ":" + catalog.FormatType(c.Type, c.Typmod))
	}
	b.WriteString("\n")
	for _, row := range rows {
		for i, c := range q.Columns {
			if i > 0 {
				b.WriteString("|")
			}
			if row[i].IsNull() {
				b.WriteString("NULL")
				continue
			}
			b.Write(catalog.AppendText(nil, c.Type, c.Typmod, row[i], d.env.Output))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func showError(err error) string {
	var e *pgerror.Error
	if !errors.As(err, &e) {
		return "FAULT: " + err.Error() + "\n"
	}
	s := fmt.Sprintf("ERROR: %s %s", e.Code, e.Message)
	if e.Position > 0 {
		s += fmt.Sprintf(" at %d", e.Position)
	}
	s += "\n"
	if e.Hint != "" {
		s += "HINT: " + e.Hint + "\n"
	}
	return s
}

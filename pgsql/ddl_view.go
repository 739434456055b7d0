package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// createView is CREATE [OR REPLACE] VIEW.
func (x *command) createView(n *pg.ViewStmt) Plan {
	ns := x.creationSchema(n.GetView())
	name := truncateName(n.GetView().GetRelname())
	if n.GetWithCheckOption() > pg.ViewCheckOption_NO_CHECK_OPTION {
		x.unsupported(n.GetView().GetLocation(), "WITH CHECK OPTION")
	}
	sel := n.GetQuery().GetSelectStmt()
	if sel == nil {
		x.unsupported(-1, "a view over this statement")
	}
	if sel.GetIntoClause() != nil {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "views must not contain SELECT INTO"))
	}
	walk(sel, func(m proto.Message) bool {
		if p, ok := m.(*pg.ParamRef); ok {
			x.failAt(p.GetLocation(), pgerror.UndefinedParameter, "there is no parameter $%d", p.GetNumber())
		}
		return true
	})
	cols := x.viewColumns(sel, stringList(n.GetAliases()))
	if modifiesInWith(sel.GetWithClause()) {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "views must not contain data-modifying statements in WITH"))
	}
	query := x.storedQuery(sel, cols)
	options := x.viewOptions(n.GetOptions())
	def := catalog.EncodeDef(catalog.ViewDef{Query: query, Options: options})
	if x.nameTaken(ns.Name, name) {
		v := x.relationNamed(ns.Name, name)
		if !n.GetReplace() {
			x.fail(pgerror.New(pgerror.DuplicateTable, "relation \"%s\" already exists", name))
		}
		if v == nil || v.Kind != catalog.KindView {
			x.fail(pgerror.New(pgerror.WrongObjectType, "\"%s\" is not a view", name))
		}
		x.replaceView(v, cols)
		x.set(v.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: def})
		return x.ddlPlan("CREATE VIEW")
	}
	v := &catalog.Table{ID: x.env.NewID(), Schema: ns.Name, Name: name, Kind: catalog.KindView, Owner: x.env.User}
	x.create(v.ID, catalog.ObjectView, map[catalog.Attr]catalog.Value{
		catalog.AttrParent: ns.ID.Value(), catalog.AttrName: catalog.Str(name), catalog.AttrOwner: catalog.Str(v.Owner), catalog.AttrDef: def,
	})
	for _, c := range cols {
		v.Columns = append(v.Columns, c)
		x.createColumnRow(v, c, catalog.Value{})
	}
	return x.ddlPlan("CREATE VIEW")
}

func (x *command) viewOptions(list []*pg.Node) []string {
	var out []string
	for _, o := range list {
		d := o.GetDefElem()
		value, has := optionText(d.GetArg())
		if !has {
			value = "true"
		}
		switch d.GetDefname() {
		case "security_barrier", "security_invoker":
			out = append(out, d.GetDefname()+"="+value)
		case "check_option":
			x.unsupported(d.GetLocation(), "WITH CHECK OPTION")
		default:
			x.fail(pgerror.New(pgerror.InvalidParameterValue, "unrecognized parameter \"%s\"", d.GetDefname()))
		}
	}
	return out
}

// viewColumns compiles the query and returns the columns that a relation made of it has.
func (x *command) viewColumns(sel *pg.SelectStmt, aliases []string) []*catalog.Column {
	c := x.sub()
	r := c.selectQuery(proto.Clone(sel).(*pg.SelectStmt), nil)
	c.relSQL(r) // settles what is still unknown
	if len(aliases) > len(r.cols) {
		x.fail(pgerror.New(pgerror.SyntaxError, "CREATE VIEW specifies more column names than columns"))
	}
	var cols []*catalog.Column
	seen := map[string]bool{}
	for i, rc := range r.cols {
		col := &catalog.Column{ID: x.env.NewID(), Num: int16(i + 1), Name: rc.name, Type: rc.typ, Typmod: rc.typmod}
		if i < len(aliases) {
			col.Name = truncateName(aliases[i])
		}
		if col.Type == catalog.UnknownOID || col.Type == 0 {
			col.Type = catalog.TextOID
		}
		if catalog.IsPseudo(col.Type) {
			x.fail(pgerror.New(pgerror.InvalidTableDefinition, "column \"%s\" has pseudo-type %s", col.Name, catalog.FormatTypeName(col.Type)))
		}
		if seen[col.Name] {
			x.fail(pgerror.New(pgerror.DuplicateColumn, "column \"%s\" specified more than once", col.Name))
		}
		seen[col.Name] = true
		cols = append(cols, col)
	}
	return cols
}

// replaceView changes a view's columns: those that it has must stay, more may follow (checkViewTupleDesc).
func (x *command) replaceView(v *catalog.Table, cols []*catalog.Column) {
	if len(cols) < len(v.Columns) {
		x.fail(pgerror.New(pgerror.InvalidTableDefinition, "cannot drop columns from view"))
	}
	v = x.edit(v)
	for i, c := range cols {
		if i >= len(v.Columns) {
			c.Num = nextNum(v)
			v.Columns = append(v.Columns, c)
			x.createColumnRow(v, c, catalog.Value{})
			continue
		}
		old := v.Columns[i]
		if old.Name != c.Name {
			x.fail(pgerror.New(pgerror.InvalidTableDefinition, "cannot change name of view column \"%s\" to \"%s\"", old.Name, c.Name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."))
		}
		if old.Type != c.Type || old.Typmod != c.Typmod {
			x.fail(pgerror.New(pgerror.InvalidTableDefinition, "cannot change data type of view column \"%s\" from %s to %s", old.Name,
				catalog.FormatType(old.Type, old.Typmod), catalog.FormatType(c.Type, c.Typmod)))
		}
	}
}

// storedQuery is a view's query as it is kept: relations qualified, stars of its own SELECT list expanded, every column
// named.
func (x *command) storedQuery(sel *pg.SelectStmt, cols []*catalog.Column) string {
	out := proto.Clone(sel).(*pg.SelectStmt)
	x.expandStars(out)
	if first := leftmostSelect(out); len(first.GetValuesLists()) == 0 && len(first.GetTargetList()) == len(cols) {
		for i, t := range first.GetTargetList() {
			t.GetResTarget().Name = cols[i].Name
		}
	}
	x.qualifyTables(out, nil)
	text, err := deparseNode(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: out}})
	if err != nil {
		x.unsupported(-1, "this query in a view")
	}
	return text
}

func leftmostSelect(sel *pg.SelectStmt) *pg.SelectStmt {
	for sel.GetOp() > pg.SetOperation_SETOP_NONE && sel.GetLarg() != nil {
		sel = sel.GetLarg()
	}
	return sel
}

// expandStars replaces the stars of the SELECT list (of each part of a UNION) by the columns that they stand for now:
// a column added later is not in the view.
func (x *command) expandStars(sel *pg.SelectStmt) {
	if sel.GetOp() > pg.SetOperation_SETOP_NONE {
		if sel.GetWithClause() != nil {
			return // the parts may name its queries
		}
		x.expandStars(sel.GetLarg())
		x.expandStars(sel.GetRarg())
		return
	}
	has := false
	for _, t := range sel.GetTargetList() {
		f := t.GetResTarget().GetVal().GetColumnRef().GetFields()
		has = has || len(f) > 0 && f[len(f)-1].GetAStar() != nil
	}
	if !has {
		return
	}
	c := x.sub()
	s := newScope(nil)
	if sel.GetWithClause() != nil {
		c.withClause(proto.Clone(sel.GetWithClause()).(*pg.WithClause), s)
	}
	c.from(proto.Clone(&pg.SelectStmt{FromClause: sel.GetFromClause()}).(*pg.SelectStmt).GetFromClause(), s)
	var list []*pg.Node
	for _, t := range sel.GetTargetList() {
		f := t.GetResTarget().GetVal().GetColumnRef().GetFields()
		if len(f) == 0 || f[len(f)-1].GetAStar() == nil {
			list = append(list, t)
			continue
		}
		want := ""
		if len(f) > 1 {
			want = f[len(f)-2].GetString_().GetSval()
		}
		for _, it := range s.items {
			if want == "" && it.colsHidden || want != "" && (it.relHidden || it.name != want) {
				continue
			}
			for _, col := range it.cols {
				if col.name != "" {
					list = append(list, columnTarget(it, col.name))
				}
			}
		}
	}
	sel.TargetList = list
}

// columnTarget is "item.column" as an entry of a SELECT list.
func columnTarget(it *rangeItem, col string) *pg.Node {
	fields := []*pg.Node{pg.MakeStrNode(col)}
	if it.name != "" && !it.relHidden {
		fields = []*pg.Node{pg.MakeStrNode(it.name), pg.MakeStrNode(col)}
	}
	ref := &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: &pg.ColumnRef{Fields: fields, Location: -1}}}
	return &pg.Node{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Name: col, Val: ref, Location: -1}}}
}

// qualifyTables gives every relation named in a query its schema, except names of WITH queries, and regclass constants
// theirs.
func (x *command) qualifyTables(m proto.Message, ctes []string) {
	walk(m, func(m proto.Message) bool {
		switch n := m.(type) {
		case *pg.SelectStmt:
			if w := n.GetWithClause(); w != nil {
				names := append([]string{}, ctes...)
				for _, c := range w.GetCtes() {
					names = append(names, c.GetCommonTableExpr().GetCtename())
				}
				rest := proto.Clone(n).(*pg.SelectStmt)
				rest.WithClause = nil
				x.qualifyTables(w, names)
				x.qualifyTables(rest, names)
				proto.Reset(n)
				proto.Merge(n, rest)
				n.WithClause = w
				return false
			}
		case *pg.RangeVar:
			if n.GetSchemaname() != "" {
				return true
			}
			for _, c := range ctes {
				if c == n.GetRelname() {
					return true
				}
			}
			if t := x.find(n); t != nil {
				n.Schemaname = t.Schema
			}
		case *pg.TypeCast:
			names := stringList(n.GetTypeName().GetNames())
			if len(names) > 0 && names[len(names)-1] == "regclass" {
				x.qualifyConstant(n.GetArg())
			}
		}
		return true
	})
}

// qualifyConstant writes the name in a ::regclass constant as stored expressions need it.
func (x *command) qualifyConstant(n *pg.Node) {
	v, ok := n.GetAConst().GetVal().(*pg.A_Const_Sval)
	if !ok || strings.ContainsAny(v.Sval.GetSval(), `".`) {
		return
	}
	if t := x.find(&pg.RangeVar{Relname: strings.ToLower(v.Sval.GetSval())}); t != nil {
		v.Sval.Sval = catalog.StoredName(t.Schema, t.Name)
	}
}

// createTableAs is CREATE TABLE AS.
func (x *command) createTableAs(n *pg.CreateTableAsStmt) Plan {
	if n.GetObjtype() == pg.ObjectType_OBJECT_MATVIEW {
		x.unsupported(n.GetInto().GetRel().GetLocation(), "CREATE MATERIALIZED VIEW")
	}
	sel := n.GetQuery().GetSelectStmt()
	if sel == nil {
		x.unsupported(-1, "CREATE TABLE AS EXECUTE")
	}
	return x.tableFrom(sel, n.GetInto(), n.GetIfNotExists(), "CREATE TABLE AS")
}

// selectInto is SELECT … INTO.
func (x *command) selectInto(sel *pg.SelectStmt) Plan {
	out := proto.Clone(sel).(*pg.SelectStmt)
	first := leftmostSelect(out)
	into := first.GetIntoClause()
	first.IntoClause = nil
	return x.tableFrom(out, into, false, "SELECT INTO")
}

// tableFrom makes a table of a query's columns, to be filled by an INSERT.
func (x *command) tableFrom(sel *pg.SelectStmt, into *pg.IntoClause, ifNotExists bool, tag string) Plan {
	rv := into.GetRel()
	ns := x.creationSchema(rv)
	name := truncateName(rv.GetRelname())
	if x.nameTaken(ns.Name, name) {
		x.existing(ifNotExists, "relation \"%s\" already exists", name, pgerror.DuplicateTable)
		return x.ddlPlan("CREATE TABLE AS")
	}
	if len(x.params) > 0 || hasParams(sel) {
		x.unsupported(-1, "%s with parameters", tag)
	}
	aliases := stringList(into.GetColNames())
	c := x.sub()
	r := c.selectQuery(proto.Clone(sel).(*pg.SelectStmt), nil)
	if len(r.cols) == 0 {
		x.unsupported(-1, "a query without result columns")
	}
	if len(aliases) > len(r.cols) {
		x.fail(pgerror.New(pgerror.SyntaxError, "too many column names were specified"))
	}
	t := x.newTable(ns, name)
	t.Options = x.storageOptions(into.GetOptions())
	x.tables[t.ID] = t
	x.created = append(x.created, t)
	for _, col := range x.viewColumns(sel, aliases) {
		col.Num = nextNum(t)
		t.Columns = append(t.Columns, col)
		x.createColumnRow(t, col, catalog.Value{})
	}
	x.finishTable(&creation{t: t, isNew: true})
	if !into.GetSkipData() {
		text := x.storedQuery(sel, nil)
		x.plan.Then = append(x.plan.Then, "INSERT INTO "+qualified(t)+" "+text)
	}
	return x.ddlPlan(tag)
}

func hasParams(m proto.Message) bool {
	found := false
	walk(m, func(m proto.Message) bool {
		if _, ok := m.(*pg.ParamRef); ok {
			found = true
		}
		return !found
	})
	return found
}

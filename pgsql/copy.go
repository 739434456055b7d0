package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// copy compiles COPY.
func (x *command) copy(n *pg.CopyStmt) Plan {
	p := &Copy{Format: "text"}
	opts := x.copyOptions(p, n)
	here := n.GetFilename() == "" && !n.GetIsProgram()
	p.Stdin, p.Stdout = n.GetIsFrom() && here, !n.GetIsFrom() && here
	if n.GetQuery() != nil {
		x.copyQuery(p, n)
	} else {
		x.copyTable(p, n)
	}
	names := make([]string, 0, len(p.Columns))
	if p.Table != nil {
		for _, i := range p.Columns {
			names = append(names, p.Table.Columns[i].Name)
		}
	} else {
		for _, c := range p.Query.Columns {
			names = append(names, c.Name)
		}
	}
	p.ForceQuote = x.copyColumns(opts.forceQuote, names, "FORCE_QUOTE", p.Table)
	p.ForceNotNull = x.copyColumns(opts.forceNotNull, names, "FORCE_NOT_NULL", p.Table)
	p.ForceNull = x.copyColumns(opts.forceNull, names, "FORCE_NULL", p.Table)
	return p
}

// copyTable is COPY of a table, either way.
func (x *command) copyTable(p *Copy, n *pg.CopyStmt) {
	t := x.relation(n.GetRelation())
	from := n.GetIsFrom()
	if t.Kind != catalog.KindTable && !(t.System && !from) {
		verb := map[bool]string{true: "to", false: "from"}[from]
		e := pgerror.New(pgerror.WrongObjectType, "cannot copy %s %s \"%s\"", verb, kindNoun(t.Kind), t.Name)
		if !from && t.Kind == catalog.KindView {
			e.Hint = "Try the COPY (SELECT ...) TO variant."
		}
		if from && t.Kind == catalog.KindView {
			e.Hint = "To enable copying to a view, provide an INSTEAD OF INSERT trigger."
		}
		x.fail(e)
	}
	if from {
		x.modifiable(t)
		x.need(t, catalog.PrivInsert)
		if n.GetWhereClause() != nil {
			x.unsupported(-1, "COPY FROM with WHERE")
		}
	}
	p.Table = t
	p.Columns = x.copyList(t, stringList(n.GetAttlist()))
	if !from {
		p.Query = x.selectColumns(t, p.Columns)
		return
	}
	x.copyFrom(p)
}

// copyList resolves the column list; without one it is every column that is not generated.
func (x *command) copyList(t *catalog.Table, names []string) []int {
	var out []int
	if len(names) == 0 {
		for i, c := range t.Columns {
			if !c.Generated {
				out = append(out, i)
			}
		}
		return out
	}
	for _, name := range names {
		i := columnIndex(t, name)
		switch {
		case i < 0:
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, t.Name))
		case t.Columns[i].Generated:
			x.fail(pgerror.New(pgerror.InvalidColumnReference, "column \"%s\" is a generated column", name).
				WithDetail("Generated columns cannot be used in COPY."))
		case slices.Contains(out, i):
			x.fail(pgerror.New(pgerror.DuplicateColumn, "column \"%s\" specified more than once", name))
		}
		out = append(out, i)
	}
	return out
}

// selectColumns is the query that COPY table TO sends.
func (x *command) selectColumns(t *catalog.Table, cols []int) *Query {
	sel := &pg.SelectStmt{
		FromClause: []*pg.Node{{Node: &pg.Node_RangeVar{RangeVar: &pg.RangeVar{Schemaname: t.Schema, Relname: t.Name, Inh: true, Relpersistence: "p", Location: -1}}}},
		Op:         pg.SetOperation_SETOP_NONE, LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
	}
	for _, i := range cols {
		ref := &pg.ColumnRef{Fields: []*pg.Node{pg.MakeStrNode(t.Columns[i].Name)}, Location: -1}
		val := &pg.Node{Node: &pg.Node_ColumnRef{ColumnRef: ref}}
		sel.TargetList = append(sel.TargetList, &pg.Node{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: val, Location: -1}}})
	}
	q := x.selectStatement(sel).(*Query)
	q.Tag = "COPY"
	return q
}

// copyQuery is COPY (query) TO.
func (x *command) copyQuery(p *Copy, n *pg.CopyStmt) {
	sel := n.GetQuery().GetSelectStmt()
	if sel == nil {
		x.unsupported(-1, "COPY of an INSERT, UPDATE or DELETE")
	}
	if leftmostSelect(sel).GetIntoClause() != nil {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "COPY (SELECT INTO) is not supported"))
	}
	p.Query = x.selectStatement(sel).(*Query)
	p.Query.Tag = "COPY"
}

// copyFrom says how a row of the table is made of a row of data.
func (x *command) copyFrom(p *Copy) {
	t, c := p.Table, x.compiler
	p.Fill = make([]int, len(t.Columns))
	p.Defaults = make([]catalog.Value, len(t.Columns))
	sub := c.sub()
	row := sub.columnExprs(sub.argItem(t, "", ArgNew))
	computed := hasChecks(t)
	var once bool
	for i, col := range t.Columns {
		p.Fill[i] = slices.Index(p.Columns, i)
		if p.Fill[i] >= 0 {
			continue
		}
		if col.Generated {
			computed = true
			continue
		}
		var e *expr
		once = sub.watch(func() { e = sub.defaultValue(t, col) }) || once
		if e.kind == exprConst || e.kind == exprUnknown {
			p.Defaults[i] = e.val.Clone()
			continue
		}
		row[i], computed = e, true
	}
	m := &Modify{Op: Insert, Table: t, Tag: "COPY", NotNull: notNulls(t, nil), Uniques: c.uniques(t, nil), References: c.references(t, nil)}
	p.Insert = m
	if !computed {
		return
	}
	from := ""
	if once {
		alias := sub.alias()
		list := sub.rowText(row)
		for i, col := range t.Columns {
			name := "c" + itoa(i+1)
			list[i] += " AS " + name
			row[i] = &expr{kind: exprColumn, sql: alias + "." + name, typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true, depth: 1}
		}
		from = " FROM (SELECT " + strings.Join(list, ", ") + fence + ") AS " + alias
	}
	sub.generate(t, row)
	cons, checks := sub.checks(t, row, nil)
	m.Checks = cons
	p.Computed = sub.finish("SELECT "+strings.Join(append(sub.rowText(row), checks...), ", ")+from, nil, "")
}

// copyLists are the options that name columns.
type copyLists struct{ forceQuote, forceNotNull, forceNull []string }

// copyColumns resolves an option's columns among those copied.
func (x *command) copyColumns(list, names []string, option string, t *catalog.Table) []int {
	var out []int
	for _, name := range list {
		i := slices.Index(names, name)
		if i < 0 {
			if t != nil && findColumn(t, name) == nil {
				x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" of relation \"%s\" does not exist", name, t.Name))
			}
			x.fail(pgerror.New(pgerror.InvalidColumnReference, "%s column \"%s\" not referenced by COPY", option, name))
		}
		out = append(out, i)
	}
	return out
}

// copyOptions reads the options, in the words of ProcessCopyOptions.
func (x *command) copyOptions(p *Copy, n *pg.CopyStmt) (lists copyLists) {
	given := map[string]*pg.DefElem{}
	text := func(name string) string { s, _ := optionText(given[name].GetArg()); return s }
	for _, o := range n.GetOptions() {
		d := o.GetDefElem()
		name := d.GetDefname()
		if given[name] != nil {
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "conflicting or redundant options")
		}
		given[name] = d
		switch name {
		case "format":
			switch f := text(name); f {
			case "text", "csv", "binary":
				p.Format = f
			default:
				x.failAt(d.GetLocation(), pgerror.InvalidParameterValue, "COPY format \"%s\" not recognized", f)
			}
		case "freeze":
			value, has := optionText(d.GetArg())
			x.boolean(d, value, has)
		case "header":
			value, has := optionText(d.GetArg())
			if strings.EqualFold(value, "match") {
				if !n.GetIsFrom() {
					x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot use \"match\" with HEADER in COPY TO"))
				}
				p.Header, p.HeaderMatch = true, true
			} else {
				switch strings.ToLower(value) {
				case "", "true", "on", "1", "false", "off", "0":
				default:
					x.fail(pgerror.New(pgerror.SyntaxError, "header requires a Boolean value or \"match\""))
				}
				p.Header = x.boolean(d, value, has)
			}
		case "force_quote":
			if d.GetArg().GetAStar() != nil {
				p.ForceQuoteAll = true
			} else {
				lists.forceQuote = stringList(d.GetArg().GetList().GetItems())
			}
		case "force_not_null":
			lists.forceNotNull = stringList(d.GetArg().GetList().GetItems())
		case "force_null":
			lists.forceNull = stringList(d.GetArg().GetList().GetItems())
		case "encoding":
			p.Encoding = text(name)
			switch strings.ToLower(strings.ReplaceAll(p.Encoding, "-", "")) {
			case "utf8", "unicode", "sql_ascii":
			default:
				x.unsupported(d.GetLocation(), "COPY encoding \"%s\"", p.Encoding)
			}
		case "delimiter", "null", "quote", "escape":
		default:
			x.failAt(d.GetLocation(), pgerror.SyntaxError, "option \"%s\" not recognized", name)
		}
	}
	has := func(name string) bool { return given[name] != nil }
	x.copyBinary(p, has)
	x.copyCharacters(p, n, has, text)
	x.copyForce(p, n, has)
	return lists
}

// copyBinary refuses what means nothing in binary format.
func (x *command) copyBinary(p *Copy, has func(string) bool) {
	if p.Format != "binary" {
		return
	}
	for _, o := range []string{"delimiter", "null"} {
		if has(o) {
			x.fail(pgerror.New(pgerror.SyntaxError, "cannot specify %s in BINARY mode", strings.ToUpper(o)))
		}
	}
	if p.Header {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "cannot specify HEADER in BINARY mode"))
	}
}

// copyCharacters settles delimiter, null, quote and escape.
func (x *command) copyCharacters(p *Copy, n *pg.CopyStmt, has func(string) bool, text func(string) string) {
	csv := p.Format == "csv"
	bad := func(code, format string, args ...any) { x.fail(pgerror.New(code, format, args...)) }
	delim, null, quote := "\t", `\N`, ""
	if csv {
		delim, null, quote = ",", "", `"`
	}
	if has("delimiter") {
		delim = text("delimiter")
	}
	if has("null") {
		null = text("null")
	}
	if has("quote") {
		if !csv {
			bad(pgerror.FeatureNotSupported, "COPY quote available only in CSV mode")
		}
		quote = text("quote")
	}
	escape := quote
	if has("escape") {
		if !csv {
			bad(pgerror.FeatureNotSupported, "COPY escape available only in CSV mode")
		}
		escape = text("escape")
	}
	if len(delim) != 1 {
		bad(pgerror.FeatureNotSupported, "COPY delimiter must be a single one-byte character")
	}
	if strings.ContainsAny(delim, "\r\n") {
		bad(pgerror.InvalidParameterValue, "COPY delimiter cannot be newline or carriage return")
	}
	if strings.ContainsAny(null, "\r\n") {
		bad(pgerror.InvalidParameterValue, "COPY null representation cannot use newline or carriage return")
	}
	if p.Format == "text" && strings.Contains("\\.abcdefghijklmnopqrstuvwxyz0123456789", delim) {
		bad(pgerror.InvalidParameterValue, "COPY delimiter cannot be \"%s\"", delim)
	}
	if csv {
		if len(quote) != 1 {
			bad(pgerror.FeatureNotSupported, "COPY quote must be a single one-byte character")
		}
		if delim == quote {
			bad(pgerror.InvalidParameterValue, "COPY delimiter and quote must be different")
		}
		if len(escape) != 1 {
			bad(pgerror.FeatureNotSupported, "COPY escape must be a single one-byte character")
		}
		p.Quote, p.Escape = quote[0], escape[0]
	}
	if p.Format != "binary" && strings.Contains(null, delim) {
		bad(pgerror.FeatureNotSupported, "COPY delimiter must not appear in the NULL specification")
	}
	if csv && strings.Contains(null, quote) {
		bad(pgerror.FeatureNotSupported, "CSV quote character must not appear in the NULL specification")
	}
	p.Delimiter, p.Null = delim[0], null
}

// copyForce refuses FORCE_… where it means nothing.
func (x *command) copyForce(p *Copy, n *pg.CopyStmt, has func(string) bool) {
	bad := func(format string, args ...any) { x.fail(pgerror.New(pgerror.FeatureNotSupported, format, args...)) }
	for _, o := range []struct {
		option, words string
		from          bool
	}{{"force_quote", "force quote", false}, {"force_not_null", "force not null", true}, {"force_null", "force null", true}} {
		if !has(o.option) {
			continue
		}
		if p.Format != "csv" {
			bad("COPY %s available only in CSV mode", o.words)
		}
		if o.from != n.GetIsFrom() {
			bad("COPY %s only available using COPY %s", o.words, map[bool]string{true: "FROM", false: "TO"}[o.from])
		}
	}
	if has("freeze") && !n.GetIsFrom() {
		bad("COPY freeze only available using COPY FROM")
	}
}

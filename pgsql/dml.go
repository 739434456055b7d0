package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"

	"layercake/catalog"
	"layercake/pgerror"
)

// INSERT, UPDATE and DELETE compile to a Source that says, row by row, what is to become of the table (see Modify), and
// to the look-ups that constraints need. Source is one SELECT where it can be; where an expression would have to be
// worked out twice for one row (a generated column of a volatile value, say), an inner SELECT works it out once and an
// outer one uses it.

// generatedAlways is the SQLSTATE of values given to columns that generate their own.
const generatedAlways = "428C9"

func (c *compiler) insertStatement(n *pg.InsertStmt) Plan { return c.finishModify(c.insert(n, nil)) }
func (c *compiler) updateStatement(n *pg.UpdateStmt) Plan { return c.finishModify(c.update(n, nil)) }
func (c *compiler) deleteStatement(n *pg.DeleteStmt) Plan { return c.finishModify(c.delete(n, nil)) }

// finishModify settles the parameters once everything is compiled.
func (c *compiler) finishModify(m *Modify) Plan {
	c.checkParams()
	m.setParams(c.params)
	return m
}

// setParams gives the plan and its queries the parameter types, which are known only at the end.
func (m *Modify) setParams(params []uint32) {
	m.Params = params
	for _, q := range []*Query{m.Source, m.ReturnQuery} {
		if q != nil {
			q.Params = params
		}
	}
	if m.OnConflict != nil && m.OnConflict.Action != nil {
		m.OnConflict.Action.Params = params
	}
	if m.Source != nil {
		for _, w := range m.Source.With {
			w.setParams(params)
		}
	}
}

// modify compiles a data-modifying WITH query. It shares the numbering of arguments with the statement around it, so
// that the text of its sibling queries can stand in it; an ArgCTE in it means a sibling.
func (c *compiler) modify(n *pg.Node, outer *scope) *Modify {
	reads, system, volatile, unstable, with := c.reads, c.system, c.volatile, c.unstable, c.with
	asked := c.asked
	c.with, c.asked = nil, nil
	defer func(was bool) { c.within = was }(c.within)
	c.within = true
	var m *Modify
	switch s := n.GetNode().(type) {
	case *pg.Node_InsertStmt:
		m = c.insert(s.InsertStmt, outer)
	case *pg.Node_UpdateStmt:
		m = c.update(s.UpdateStmt, outer)
	case *pg.Node_DeleteStmt:
		m = c.delete(s.DeleteStmt, outer)
	case *pg.Node_MergeStmt:
		c.unsupported(-1, "MERGE")
	default:
		c.unsupported(-1, "this statement in WITH")
	}
	for _, id := range c.reads {
		if !slices.Contains(reads, id) {
			reads = append(reads, id)
		}
	}
	c.reads, c.with, c.asked = reads, with, asked
	c.system, c.volatile, c.unstable = c.system || system, c.volatile || volatile, c.unstable || unstable
	return m
}

// modifyScope is the scope of a data-modifying statement: outer's WITH queries can be named in it.
func (c *compiler) modifyScope(w *pg.WithClause, outer *scope) *scope {
	s := newScope(nil)
	if outer != nil {
		for _, q := range outer.ctes {
			s.ctes = append(s.ctes, q)
		}
		if w != nil {
			for _, n := range w.GetCtes() {
				if n.GetCommonTableExpr().GetCtequery().GetSelectStmt() == nil {
					c.failAt(n.GetCommonTableExpr().GetLocation(), pgerror.FeatureNotSupported,
						"WITH clause containing a data-modifying statement must be at the top level")
				}
			}
		}
	}
	c.withClause(w, s)
	return s
}

// modifiedTable finds the table that a statement is to change.
func (c *compiler) modifiedTable(rv *pg.RangeVar, verb string) *catalog.Table {
	t := c.lookupTable(rv)
	switch {
	case t.System:
		c.fail(pgerror.New(pgerror.InsufficientPrivilege, "permission denied for %s %s", kindNoun(t.Kind), t.Name))
	case t.Kind == catalog.KindView:
		c.unsupported(rv.GetLocation(), "%s a view", verb)
	case t.Kind == catalog.KindSequence:
		c.fail(pgerror.New(pgerror.WrongObjectType, "cannot change sequence \"%s\"", t.Name))
	}
	return t
}

// version is the four columns that tell which version of a row was seen.
func version(alias string) string {
	return alias + ".rowid, " + alias + "._h, " + alias + "._o, " + alias + "._c"
}

// fence ends a subquery that SQLite must not merge into the query around it, so that its expressions are worked out once
// a row.
const fence = " LIMIT -1 OFFSET 0"

// watch runs f and says whether what it compiled must not be worked out twice.
func (c *compiler) watch(f func()) (once bool) {
	volatile, unstable := c.volatile, c.unstable
	c.volatile, c.unstable = false, false
	f()
	once = c.volatile || c.unstable
	c.volatile, c.unstable = c.volatile || volatile, c.unstable || unstable
	return once
}

// asColumn makes an expression one that stands for a column: it may be used anywhere, and results describe it as the
// column.
func (c *compiler) asColumn(e *expr, t *catalog.Table, i int) *expr {
	col := t.Columns[i]
	f := &expr{kind: exprColumn, sql: c.operand(e), typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true, depth: e.depth + 1,
		tableOID: t.OID, attNum: col.Num, name: col.Name}
	if e.depth < 1 {
		f.depth = 1
	}
	return f
}

// columnExprs are the plain columns of a range item.
func (c *compiler) columnExprs(it *rangeItem) []*expr {
	out := make([]*expr, len(it.cols))
	for i := range it.cols {
		col := &it.cols[i]
		out[i] = &expr{kind: exprColumn, sql: c.colSQL(it, i), typ: col.typ, typmod: col.typmod, loc: -1, atomic: true, depth: 1,
			tableOID: col.tableOID, attNum: col.attNum, name: col.name}
	}
	return out
}

// rowItem is a range item over a row whose columns are the given expressions.
func (c *compiler) rowItem(t *catalog.Table, name string, row []*expr) *rangeItem {
	it := c.tableItem(t, name, "")
	it.physical = false
	for i := range it.cols {
		it.cols[i].notNull = false
		it.cols[i].lit = c.asColumn(row[i], t, i)
	}
	return it
}

// generate puts the expressions of generated columns into row. only, if not nil, says which columns' changes matter.
func (c *compiler) generate(t *catalog.Table, row []*expr) {
	if !slices.ContainsFunc(t.Columns, func(col *catalog.Column) bool { return col.Generated }) {
		return
	}
	s := newScope(nil)
	s.items = append(s.items, c.rowItem(t, "", row))
	for i, col := range t.Columns {
		if col.Generated {
			e := c.storedExpr(col.Default, ctxGenerated, s)
			row[i] = c.coerceStored(e, col)
		}
	}
}

// coerceStored converts a stored expression to its column's type, which was found possible when it was stored.
func (c *compiler) coerceStored(e *expr, col *catalog.Column) *expr {
	f := c.coerce(e, col.Type, col.Typmod, assignmentCast)
	if f == nil {
		c.fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but default expression is of type %s", col.Name,
			typeDisplay(col.Type), typeDisplay(e.typ)))
	}
	return f
}

// defaultValue is a column's default as an expression of its type.
func (c *compiler) defaultValue(t *catalog.Table, col *catalog.Column) *expr {
	if !col.Sequence.IsZero() && (col.Identity != 0 || strings.HasPrefix(col.Default, "nextval(")) {
		if seq := tableIn(c.env.Schema, col.Sequence); seq != nil {
			c.volatile = true
			e := plain("lc_nextval("+c.konst(catalog.Int(int64(seq.OID)))+")", catalog.Int8OID, true, -1)
			if holds(col.Type, seq.Sequence.Min) && holds(col.Type, seq.Sequence.Max) {
				e.typ = col.Type // no value of the sequence needs a check
			}
			return c.coerceStored(e, col)
		}
	}
	if col.Default == "" || col.Generated {
		return &expr{kind: exprConst, typ: col.Type, typmod: col.Typmod, loc: -1, atomic: true}
	}
	n, err := parseExpr(col.Default)
	if err != nil {
		c.fail(pgerror.New(pgerror.InternalError, "default of column \"%s\" cannot be read", col.Name))
	}
	return c.coerceStored(c.inStored(func() *expr { return c.exprIn(ctxDefault, n, newScope(nil)) }), col)
}

// holds says whether an integer is one of an integer type.
func holds(typ uint32, v int64) bool {
	switch typ {
	case catalog.Int2OID:
		return v == int64(int16(v))
	case catalog.Int4OID:
		return v == int64(int32(v))
	}
	return typ == catalog.Int8OID
}

// checks compiles the CHECK constraints of a table over a row that may have new values in the columns of set (nil: all),
// and returns those that have to be looked at with their SQL. With them come the indexes whose expressions may fail, so that
// they do: the store makes NULL of a key that fails. Their checks are never 0.
func (c *compiler) checks(t *catalog.Table, row []*expr, set []int) (cons []*catalog.Constraint, sql []string) {
	var s *scope
	for _, con := range t.Constraints {
		if con.Kind != catalog.Check || set != nil && len(con.Columns) > 0 && !touches(t, con.Columns, set) {
			continue
		}
		if s == nil {
			s = newScope(nil)
			s.items = append(s.items, c.rowItem(t, "", row))
		}
		e := c.coerceBool(c.storedExpr(con.Expr, ctxCheck, s), "CHECK")
		cons, sql = append(cons, con), append(sql, c.text(e))
	}
	for _, idx := range t.Indexes {
		if !mayFail(idx) || set != nil && !indexTouched(t, idx, set) || !c.usable(t, idx) {
			continue
		}
		if s == nil {
			s = newScope(nil)
			s.items = append(s.items, c.rowItem(t, "", row))
		}
		holds := ""
		if idx.Where != "" {
			holds = c.text(c.coerceBool(c.storedExpr(idx.Where, ctxIndexPredicate, s), "WHERE"))
			cons, sql = append(cons, &catalog.Constraint{Name: idx.Name}), append(sql, "nullif(("+holds+") IS NULL, 0)")
		}
		for _, k := range idx.Keys {
			if k.Expr == "" || !exprMayFail(k.Expr) {
				continue
			}
			key := "nullif((" + c.text(c.storedExpr(k.Expr, ctxIndexExpr, s)) + ") IS NULL, 0)"
			if holds != "" {
				key = "CASE WHEN " + holds + " THEN " + key + " END"
			}
			cons, sql = append(cons, &catalog.Constraint{Name: idx.Name}), append(sql, key)
		}
	}
	return cons, sql
}

// hasChecks says whether checks would find any.
func hasChecks(t *catalog.Table) bool {
	return slices.ContainsFunc(t.Constraints, func(con *catalog.Constraint) bool { return con.Kind == catalog.Check }) ||
		slices.ContainsFunc(t.Indexes, mayFail)
}

// mayFail says whether an expression of an index may fail for some row.
func mayFail(idx *catalog.Index) bool {
	return idx.Where != "" && exprMayFail(idx.Where) ||
		slices.ContainsFunc(idx.Keys, func(k catalog.IndexKey) bool { return k.Expr != "" && exprMayFail(k.Expr) })
}

// neverFail are the functions and operators, as often in indexes, that have a result for all arguments.
var neverFail = map[string]bool{"lower": true, "upper": true, "length": true, "char_length": true, "btrim": true, "ltrim": true,
	"rtrim": true, "md5": true, "reverse": true, "=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true, "->": true, "->>": true}

// exprMayFail says whether a stored expression may fail for some row, as far as its form tells.
func exprMayFail(text string) (may bool) {
	n, err := parseExpr(text)
	if err != nil {
		return true
	}
	walk(n, func(m proto.Message) bool {
		var name []*pg.Node
		switch m := m.(type) {
		case *pg.FuncCall:
			name = m.GetFuncname()
		case *pg.A_Expr:
			name = m.GetName()
		case *pg.TypeCast:
			if m.GetArg().GetAConst() != nil {
				return true
			}
			if name = m.GetTypeName().GetNames(); name[len(name)-1].GetString_().GetSval() == "text" {
				return true
			}
		default:
			return true
		}
		if len(name) == 0 || !neverFail[name[len(name)-1].GetString_().GetSval()] {
			may = true
		}
		return !may
	})
	return may
}

// touches says whether any of the columns is among those at the indexes of set.
func touches(t *catalog.Table, cols []catalog.ID, set []int) bool {
	return slices.ContainsFunc(set, func(i int) bool { return slices.Contains(cols, t.Columns[i].ID) })
}

// notNulls are the columns that must not be NULL, among those of set (nil: all).
func notNulls(t *catalog.Table, set []int) []int {
	var out []int
	for i, col := range t.Columns {
		if col.NotNull && (set == nil || slices.Contains(set, i)) {
			out = append(out, i)
		}
	}
	return out
}

// returning compiles a RETURNING list and describes its columns.
func (c *compiler) returning(list []*pg.Node, s *scope) (cols []Column, sql []string, targets []*target) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	cols = []Column{}
	targets = c.targets(list, s, ctxReturning)
	for _, t := range targets {
		cols = append(cols, c.resultColumn(t))
		sql = append(sql, c.resultSQL(t.e))
	}
	return cols, sql, targets
}

// texts is the SQL of a list of expressions, comma-separated.
func (c *compiler) rowText(row []*expr) []string {
	out := make([]string, len(row))
	for i, e := range row {
		out[i] = c.text(e)
	}
	return out
}

// executeArgs compiles the arguments of EXECUTE for parameters of the given types.
func (c *compiler) executeArgs(params []*pg.Node, types []uint32) *Query {
	s := newScope(nil)
	cols := make([]Column, len(params))
	list := make([]string, len(params))
	for i, p := range params {
		e := c.exprIn(ctxExecute, p, s)
		f := c.coerce(e, types[i], -1, assignmentCast)
		if f == nil {
			c.fail(pgerror.New(pgerror.DatatypeMismatch, "parameter $%d of type %s cannot be coerced to the expected type %s", i+1,
				typeDisplay(e.typ), typeDisplay(types[i])).
				WithHint("You will need to rewrite or cast the expression.").At(c.position(e.loc)))
		}
		list[i] = c.text(f)
		cols[i] = Column{Name: "?column?", Type: types[i], Typmod: -1}
	}
	c.checkParams()
	return c.finish("SELECT "+strings.Join(list, ", "), cols, "SELECT")
}

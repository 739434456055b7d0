package pgsql

import (
	"slices"
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

func (x *command) createIndex(n *pg.IndexStmt) Plan {
	if n.GetConcurrent() {
		x.plan.Alone = "CREATE INDEX CONCURRENTLY"
	}
	t := x.relation(n.GetRelation())
	if t.Kind != catalog.KindTable {
		x.fail(pgerror.New(pgerror.WrongObjectType, "cannot create index on relation \"%s\"", t.Name).
			WithDetail("This operation is not supported for %ss.", kindNoun(t.Kind)))
	}
	x.modifiable(t)
	t = x.edit(t)
	method := n.GetAccessMethod()
	if method == "" {
		method = "btree"
	}
	loc := n.GetRelation().GetLocation()
	switch {
	case n.GetNullsNotDistinct():
		x.unsupported(loc, "NULLS NOT DISTINCT")
	case catalog.AccessMethods[method] == 0:
		x.fail(pgerror.New(pgerror.UndefinedObject, "access method \"%s\" does not exist", method))
	case n.GetUnique() && method != "btree":
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "access method \"%s\" does not support unique indexes", method))
	case method == "hash" && len(n.GetIndexParams()) > 1:
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "access method \"hash\" does not support multicolumn indexes"))
	case len(n.GetExcludeOpNames()) > 0:
		x.unsupported(loc, "EXCLUDE")
	case n.GetTableSpace() != "" && n.GetTableSpace() != "pg_default":
		x.unsupported(loc, "TABLESPACE")
	case len(n.GetIndexParams()) > 32:
		x.fail(pgerror.New(pgerror.TooManyColumns, "cannot use more than 32 columns in an index"))
	}
	idx := &catalog.Index{ID: x.env.NewID(), Table: t.ID, Unique: n.GetUnique(), NullsNotDistinct: n.GetNullsNotDistinct(), Method: method}
	exprNames := make([]string, 0, len(n.GetIndexParams()))
	for _, p := range n.GetIndexParams() {
		key, exprName := x.indexKey(t, p.GetIndexElem(), method)
		idx.Keys = append(idx.Keys, key)
		exprNames = append(exprNames, exprName)
	}
	var include []string
	for _, p := range n.GetIndexIncludingParams() {
		e := p.GetIndexElem()
		if e.GetExpr() != nil {
			x.fail(pgerror.New(pgerror.FeatureNotSupported, "expressions are not supported in included columns"))
		}
		col := findColumn(t, e.GetName())
		if col == nil {
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" does not exist", e.GetName()))
		}
		idx.Include = append(idx.Include, col.ID)
		include = append(include, col.Name)
	}
	if w := n.GetWhereClause(); w != nil {
		x.immutable(t, w, ctxIndexPredicate, "functions in index predicate must be marked IMMUTABLE")
		idx.Where = x.storedCondition(t, w, ctxIndexPredicate, "index predicate")
	}
	x.storageOptions(n.GetOptions())
	idx.Name = truncateName(n.GetIdxname())
	if idx.Name == "" {
		names := append(indexColumnNames(t, idx.Keys, exprNames), include...)
		idx.Name = x.chooseRelationName(t.Schema, t.Name, joinedColumns(names), "idx", false)
	} else if x.nameTaken(t.Schema, idx.Name) {
		x.existing(n.GetIfNotExists(), "relation \"%s\" already exists", idx.Name, pgerror.DuplicateTable)
		return x.ddlPlan("CREATE INDEX")
	}
	if keys, where, err := CompileIndex(x.env.Schema, t, idx); err == nil && slices.ContainsFunc(append(keys, where), hasQuery) {
		x.unsupported(-1, "an index on an expression that takes a query to work out")
	}
	x.createIndexRow(t, idx)
	if idx.Unique {
		x.validateUnique(t, idx)
	}
	return x.ddlPlan("CREATE INDEX")
}

// hasQuery says whether SQL has a query in it, outside of strings.
func hasQuery(sql string) bool {
	for i, part := range strings.Split(sql, "'") {
		if i%2 == 0 && strings.Contains(part, "(SELECT ") {
			return true
		}
	}
	return false
}

// indexKey reads one key of CREATE INDEX; exprName is what the generated name calls an expression.
func (x *command) indexKey(t *catalog.Table, e *pg.IndexElem, method string) (key catalog.IndexKey, exprName string) {
	var typ uint32
	switch {
	case e.GetExpr() == nil:
		col := findColumn(t, e.GetName())
		if col == nil {
			if systemColumns[e.GetName()] {
				x.fail(pgerror.New(pgerror.FeatureNotSupported, "index creation on system columns is not supported"))
			}
			x.fail(pgerror.New(pgerror.UndefinedColumn, "column \"%s\" does not exist", e.GetName()))
		}
		key.Column, typ = col.ID, col.Type
	default:
		x.noSubquery(e.GetExpr(), "index expression")
		c := x.sub()
		ex := c.resolveUnknown(c.exprIn(ctxIndexExpr, e.GetExpr(), x.tableScope(t)))
		typ = ex.typ
		x.immutable(t, e.GetExpr(), ctxIndexExpr, "functions in index expression must be marked IMMUTABLE")
		key.Expr = x.showExpr(e.GetExpr(), t, true)
		exprName, _ = figure(e.GetExpr())
	}
	key.Desc = e.GetOrdering() == pg.SortByDir_SORTBY_DESC
	key.NullsFirst = key.Desc
	switch e.GetNullsOrdering() {
	case pg.SortByNulls_SORTBY_NULLS_FIRST:
		key.NullsFirst = true
	case pg.SortByNulls_SORTBY_NULLS_LAST:
		key.NullsFirst = false
	}
	if (e.GetOrdering() > pg.SortByDir_SORTBY_DEFAULT || e.GetNullsOrdering() > pg.SortByNulls_SORTBY_NULLS_DEFAULT) && method != "btree" {
		x.fail(pgerror.New(pgerror.FeatureNotSupported, "access method \"%s\" does not support ASC/DESC options", method))
	}
	if oc := stringList(e.GetOpclass()); len(oc) > 0 {
		key.OpClass = oc[len(oc)-1]
	}
	x.checkIndexable(typ, method, key.OpClass)
	if coll := stringList(e.GetCollation()); len(coll) > 0 {
		key.Collation = x.collationName(coll, -1)
	}
	return key, exprName
}

// checkIndexable refuses operator classes that do not exist, and types that the access method has none for.
func (x *command) checkIndexable(typ uint32, method, class string) {
	switch {
	case catalog.HasOperatorClass(method, class, typ):
	case class != "":
		x.fail(pgerror.New(pgerror.UndefinedObject, "operator class \"%s\" does not exist for access method \"%s\"", class, method))
	default:
		x.fail(pgerror.New(pgerror.UndefinedObject, "data type %s has no default operator class for access method \"%s\"", catalog.FormatTypeName(typ), method).
			WithHint("You must specify an operator class for the index or define a default operator class for the data type."))
	}
}

// immutable refuses expressions whose value is not settled by their columns.
func (x *command) immutable(t *catalog.Table, n *pg.Node, ctx exprContext, message string) {
	c := x.sub()
	c.exprIn(ctx, n, x.tableScope(t))
	if c.volatile || c.unstable {
		x.fail(pgerror.New(pgerror.InvalidObjectDefinition, "%s", message))
	}
	for _, a := range c.args {
		if a.Kind == ArgSession {
			x.fail(pgerror.New(pgerror.InvalidObjectDefinition, "%s", message))
		}
	}
}

// createIndexRow adds an index to the table and makes its object row.
func (x *command) createIndexRow(t *catalog.Table, idx *catalog.Index) {
	t.Indexes = append(t.Indexes, idx)
	x.create(idx.ID, catalog.ObjectIndex, map[catalog.Attr]catalog.Value{
		catalog.AttrParent: t.ID.Value(),
		catalog.AttrName:   catalog.Str(idx.Name),
		catalog.AttrDef:    indexDef(idx),
	})
}

func (x *command) setIndexDef(idx *catalog.Index) {
	x.set(idx.ID, map[catalog.Attr]catalog.Value{catalog.AttrDef: indexDef(idx)})
}

func indexDef(idx *catalog.Index) catalog.Value {
	def := catalog.IndexDef{Unique: idx.Unique, Primary: idx.Primary, NullsNotDistinct: idx.NullsNotDistinct,
		Include: idx.Include, Where: idx.Where}
	if idx.Method != "btree" {
		def.Method = idx.Method
	}
	for _, k := range idx.Keys {
		def.Keys = append(def.Keys, catalog.IndexKeyDef(k))
	}
	return catalog.EncodeDef(def)
}

// CompileIndex returns the SQLite SQL of an index: a term for each key, with COLLATE and DESC where they are needed, and
// the predicate of a partial index ("" for none).
func CompileIndex(s *catalog.Schema, t *catalog.Table, idx *catalog.Index) (keys []string, where string, err error) {
	env := storedEnv(&Env{}, s)
	c := newCompiler(env, "", nil)
	defer c.rescue(&err)
	sc := newScope(nil)
	sc.items = append(sc.items, c.bareItem(t))
	for _, k := range idx.Keys {
		var term string
		if col := columnByID(t, k.Column); col != nil {
			term = catalog.Compared(quoteIdent(col.Phys), catalog.Comparison(col.Type))
		} else if k.Expr == "" {
			c.fail(pgerror.New(pgerror.UndefinedColumn, "a column of index \"%s\" does not exist", idx.Name))
		} else {
			e := c.storedExpr(k.Expr, ctxIndexExpr, sc)
			term = c.keyed(e)
			if !strings.HasPrefix(term, "(") {
				term = "(" + term + ")"
			}
		}
		if k.Desc {
			term += " DESC"
		}
		keys = append(keys, term)
	}
	if idx.Where != "" {
		where = c.text(c.coerceBool(c.storedExpr(idx.Where, ctxIndexPredicate, sc), "WHERE"))
	}
	if len(c.args) > 0 {
		keys, where = c.inlineArgs(keys, where)
	}
	return keys, where, nil
}

// bareItem is a range item whose columns are named without a table, as SQLite wants them in an index.
func (c *compiler) bareItem(t *catalog.Table) *rangeItem {
	it := c.tableItem(t, "", "")
	for i, col := range t.Columns {
		it.cols[i].sql = quoteIdent(col.Phys)
	}
	return it
}

// storedExpr compiles an expression that was stored as text.
func (c *compiler) storedExpr(text string, ctx exprContext, s *scope) *expr {
	n, err := parseExpr(text)
	if err != nil {
		c.fail(pgerror.New(pgerror.InternalError, "stored expression \"%s\": %s", text, pgerror.From(err).Message))
	}
	return c.inStored(func() *expr { return c.resolveUnknown(c.exprIn(ctx, n, s)) })
}

// inStored runs f with the search path of stored expressions, and without positions: they would point into the
// statement's text.
func (c *compiler) inStored(f func() *expr) *expr {
	env, src := c.env, c.src
	c.env, c.src = storedEnv(env, env.Schema), ""
	defer func() { c.env, c.src = env, src }()
	return f()
}

// inlineArgs writes constants into the text, since an index cannot have parameters.
func (c *compiler) inlineArgs(keys []string, where string) ([]string, string) {
	put := func(sql string) string {
		out, args := c.renumber(sql, nil)
		for i := len(args) - 1; i >= 0; i-- {
			if args[i].Kind != ArgConst {
				c.fail(pgerror.New(pgerror.InvalidObjectDefinition, "functions in index expression must be marked IMMUTABLE"))
			}
		}
		return substituteArgs(out, args)
	}
	for i := range keys {
		keys[i] = put(keys[i])
	}
	if where != "" {
		where = put(where)
	}
	return keys, where
}

// substituteArgs replaces every ?n by a literal.
func substituteArgs(sql string, args []Arg) string { return substituteConsts(sql, args) }

// substituteConsts replaces ?n by a literal where the argument is a constant.
func substituteConsts(sql string, args []Arg) string {
	var b strings.Builder
	for i := 0; i < len(sql); {
		switch ch := sql[i]; ch {
		case '\'', '"':
			j := strings.IndexByte(sql[i+1:], ch)
			if j < 0 {
				b.WriteString(sql[i:])
				return b.String()
			}
			b.WriteString(sql[i : i+j+2])
			i += j + 2
		case '?':
			j, n := i+1, 0
			for j < len(sql) && sql[j] >= '0' && sql[j] <= '9' {
				n = n*10 + int(sql[j]-'0')
				j++
			}
			if n > 0 && n <= len(args) && args[n-1].Kind == ArgConst {
				b.WriteString(literal(args[n-1].Value))
			} else {
				b.WriteString(sql[i:j])
			}
			i = j
		default:
			b.WriteByte(ch)
			i++
		}
	}
	return b.String()
}

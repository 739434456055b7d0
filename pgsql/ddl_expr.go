package pgsql

import (
	"strings"
	"sync"

	pg "github.com/pganalyze/pg_query_go/v6"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"layercake/catalog"
	"layercake/pgerror"
)

// Expressions that are stored (defaults, CHECKs, generated columns, index keys and predicates) are kept as PostgreSQL
// text, written the way pg_get_expr shows them. They are read with the search path "public" wherever they are used, and
// name columns without their table, so that a renamed table leaves them as they are.

// storedPath is the search path that stored expressions are read with.
var storedPath = []string{"public"}

// storedEnv is the environment in which stored expressions are compiled against a schema.
func storedEnv(env *Env, s *catalog.Schema) *Env {
	e := *env
	e.Schema, e.SearchPath = s, storedPath
	return &e
}

// tableScope is a scope that has just the columns of t.
func (x *command) tableScope(t *catalog.Table) *scope {
	s := newScope(nil)
	s.noSRF = true
	s.items = append(s.items, x.tableItem(t, "", "t"))
	return s
}

// isNullConstant says whether the node is the constant NULL.
func isNullConstant(n *pg.Node) bool {
	return n.GetAConst() != nil && n.GetAConst().GetIsnull()
}

// defaultExpr checks a DEFAULT expression against its column and returns its text, and for ADD COLUMN the value that
// existing rows get, or fill when that takes an UPDATE.
func (x *command) defaultExpr(col *catalog.Column, n *pg.Node) (text string, missing catalog.Value, fill bool) {
	x.noSubquery(n, "DEFAULT expression")
	walk(n, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			x.failAt(ref.GetLocation(), pgerror.FeatureNotSupported, "cannot use column reference in DEFAULT expression")
		}
		if ref, ok := m.(*pg.ParamRef); ok {
			x.failAt(ref.GetLocation(), pgerror.UndefinedParameter, "there is no parameter $%d", ref.GetNumber())
		}
		return true
	})
	c := x.sub()
	e := c.exprIn(ctxDefault, n, newScope(nil))
	from := e.typ
	to := c.coerceDefault(e, col)
	if to == nil {
		x.fail(pgerror.New(pgerror.DatatypeMismatch, "column \"%s\" is of type %s but default expression is of type %s", col.Name,
			catalog.FormatTypeName(col.Type), catalog.FormatTypeName(from)).
			WithHint("You will need to rewrite or cast the expression."))
	}
	text = x.showDefault(n, col)
	if to.isNullConst() {
		return "", catalog.Value{}, false // as if there were none
	}
	switch {
	case to.kind == exprConst || to.kind == exprUnknown:
		missing = to.val.Clone()
	default:
		fill = true
	}
	return text, missing, fill
}

// coerceDefault converts a default as an assignment to its column; nil if that cannot be.
func (c *compiler) coerceDefault(e *expr, col *catalog.Column) *expr {
	return c.coerce(e, col.Type, col.Typmod, 'a')
}

// storedCondition checks a CHECK expression or an index predicate over t and returns its text.
func (x *command) storedCondition(t *catalog.Table, n *pg.Node, ctx exprContext, what string) string {
	x.noSubquery(n, what)
	c := x.sub()
	c.coerceBool(c.exprIn(ctx, n, x.tableScope(t)), map[exprContext]string{ctxCheck: "CHECK", ctxIndexPredicate: "WHERE"}[ctx])
	return x.showExpr(n, t, true)
}

// noSubquery refuses subqueries and parameters.
func (x *command) noSubquery(n *pg.Node, what string) {
	walk(n, func(m proto.Message) bool {
		if s, ok := m.(*pg.SubLink); ok {
			x.failAt(s.GetLocation(), pgerror.FeatureNotSupported, "cannot use subquery in %s", what)
		}
		return true
	})
}

// walk visits a node and all below it, until visit says false for a branch.
func walk(m proto.Message, visit func(proto.Message) bool) {
	if m == nil || !m.ProtoReflect().IsValid() || !visit(m) {
		return
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			l := v.List()
			for i := range l.Len() {
				walk(l.Get(i).Message().Interface(), visit)
			}
		default:
			walk(v.Message().Interface(), visit)
		}
		return true
	})
}

// columnsOf are the columns of t that an expression names, in the table's order.
func columnsOf(t *catalog.Table, n *pg.Node) []*catalog.Column {
	named := map[string]bool{}
	whole := false
	walk(n, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			f := ref.GetFields()
			last := f[len(f)-1]
			if last.GetAStar() != nil {
				whole = true
			} else {
				named[last.GetString_().GetSval()] = true
			}
		}
		return true
	})
	var out []*catalog.Column
	for _, c := range t.Columns {
		if whole || named[c.Name] {
			out = append(out, c)
		}
	}
	return out
}

// deparseExpr writes an expression with the parser's own deparser.
func deparseExpr(n *pg.Node) (string, error) {
	sel := &pg.SelectStmt{
		TargetList: []*pg.Node{{Node: &pg.Node_ResTarget{ResTarget: &pg.ResTarget{Val: n}}}},
		Op:         pg.SetOperation_SETOP_NONE, LimitOption: pg.LimitOption_LIMIT_OPTION_DEFAULT,
	}
	s, err := deparseNode(&pg.Node{Node: &pg.Node_SelectStmt{SelectStmt: sel}})
	return strings.TrimPrefix(s, "SELECT "), err
}

func deparseNode(n *pg.Node) (string, error) {
	return pg.Deparse(&pg.ParseResult{Version: parserVersion(), Stmts: []*pg.RawStmt{{Stmt: n}}})
}

// parserVersion is the version that the deparser wants a tree to bear: the parser's own.
var parserVersion = sync.OnceValue(func() int32 {
	res, err := pg.Parse("SELECT 1")
	if err != nil {
		return 0
	}
	return res.GetVersion()
})

// bareColumns returns a copy of an expression in which columns are named without their table.
func bareColumns(n *pg.Node) *pg.Node {
	out := proto.Clone(n).(*pg.Node)
	walk(out, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			if f := ref.GetFields(); len(f) > 1 {
				ref.Fields = f[len(f)-1:]
			}
		}
		return true
	})
	return out
}

// walkColumns visits the column references of an expression.
func walkColumns(n *pg.Node, visit func(*pg.ColumnRef)) {
	walk(n, func(m proto.Message) bool {
		if ref, ok := m.(*pg.ColumnRef); ok {
			visit(ref)
		}
		return true
	})
}

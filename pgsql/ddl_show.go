package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// showDefault is the text of a default, as pg_get_expr shows it: a literal bears its type.
func (x *command) showDefault(n *pg.Node, col *catalog.Column) string {
	return x.show(n, nil, col)
}

// showExpr is the text of an expression over t; outer parentheses are put around operators.
func (x *command) showExpr(n *pg.Node, t *catalog.Table, outer bool) string {
	return x.show(n, t, nil)
}

func (x *command) show(n *pg.Node, t *catalog.Table, col *catalog.Column) string {
	n = bareColumns(n)
	text, err := deparseExpr(n)
	if err != nil {
		x.fail(pgerror.New(pgerror.InternalError, "could not write the expression as text"))
	}
	if col != nil {
		if c := n.GetAConst(); c != nil && c.GetSval() != nil {
			return text + "::" + catalog.FormatTypeName(col.Type)
		}
	}
	switch n.GetNode().(type) {
	case *pg.Node_AExpr, *pg.Node_BoolExpr, *pg.Node_NullTest, *pg.Node_BooleanTest:
		if !strings.HasPrefix(text, "(") || !strings.HasSuffix(text, ")") {
			return "(" + text + ")"
		}
		return "(" + text + ")"
	}
	return text
}

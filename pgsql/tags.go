package pgsql

import (
	pg "github.com/pganalyze/pg_query_go/v6"
)

// commandTag is the command tag of a statement as its tree alone tells it, without counts.
func commandTag(n *pg.Node) string {
	switch x := n.Node.(type) {
	case *pg.Node_SelectStmt:
		if selectHasInto(x.SelectStmt) {
			return "SELECT INTO"
		}
		return "SELECT"
	case *pg.Node_InsertStmt:
		return "INSERT"
	case *pg.Node_UpdateStmt:
		return "UPDATE"
	case *pg.Node_DeleteStmt:
		return "DELETE"
	}
	return utilityTag(n)
}

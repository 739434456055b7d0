package pgsql

import (
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
)

// command compiles one statement that is not a plain query: DDL, utility statements, COPY. DDL builds up draft, a copy
// of the schema on which what the statement has done so far is visible to what follows in it, and the changes that lead
// there.
type command struct {
	*compiler
	*draft
}

// otherStatement compiles whatever is not a SELECT.
func (c *compiler) otherStatement(n *pg.Node) Plan {
	switch s := n.GetNode().(type) {
	case *pg.Node_InsertStmt:
		return c.insertStatement(s.InsertStmt)
	case *pg.Node_UpdateStmt:
		return c.updateStatement(s.UpdateStmt)
	case *pg.Node_DeleteStmt:
		return c.deleteStatement(s.DeleteStmt)
	case *pg.Node_MergeStmt:
		c.unsupported(-1, "MERGE")
	}
	x := &command{compiler: c, draft: newDraft(c.env.Schema)}
	if p, done := x.utility(n); done {
		return p
	}
	return x.ddl(n)
}

// truncateName cuts an identifier to PostgreSQL's 63 bytes, not within a character.
func truncateName(s string) string {
	const limit = 63
	if len(s) <= limit {
		return s
	}
	n := limit
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// stringList returns the texts of a list of String nodes.
func stringList(nodes []*pg.Node) []string {
	out := make([]string, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, n.GetString_().GetSval())
	}
	return out
}

// rangeVar makes a RangeVar of a qualified name given as a list of String nodes.
func rangeVar(names []string) *pg.RangeVar {
	rv := &pg.RangeVar{Inh: true, Relpersistence: "p", Location: -1}
	switch n := len(names); {
	case n == 0:
	case n == 1:
		rv.Relname = names[0]
	case n == 2:
		rv.Schemaname, rv.Relname = names[0], names[1]
	default:
		rv.Catalogname, rv.Schemaname, rv.Relname = names[n-3], names[n-2], names[n-1]
	}
	return rv
}

// relationName shows a RangeVar as PostgreSQL's messages do.
func relationName(rv *pg.RangeVar) string {
	s := rv.GetRelname()
	if rv.GetSchemaname() != "" {
		s = rv.GetSchemaname() + "." + s
	}
	if rv.GetCatalogname() != "" {
		s = rv.GetCatalogname() + "." + s
	}
	return s
}

// kindNoun names a relation's kind in messages.
func kindNoun(k catalog.RelKind) string {
	switch k {
	case catalog.KindView:
		return "view"
	case catalog.KindSequence:
		return "sequence"
	}
	return "table"
}

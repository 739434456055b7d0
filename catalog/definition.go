package catalog

import (
	"strings"
)

// addDefinition adds a row of _definition.
func addDefinition(b *rowsOf, oid uint32, kind string, sub int, def string) {
	b.add("objid", oid, "kind", kind, "sub", sub, "def", def)
}

// builtinDefinitions are the definitions of the system views, and the arguments and results of functions.
func builtinDefinitions(b *rowsOf) {
	for _, t := range system().all {
		if t.Kind == KindView {
			addDefinition(b, t.OID, "view", 0, ViewDefinition(t))
		}
	}
	for _, f := range Functions() {
		addDefinition(b, f.OID, "arguments", 0, argumentList(f, false))
		addDefinition(b, f.OID, "identity", 0, argumentList(f, true))
		addDefinition(b, f.OID, "result", 0, functionResult(f))
	}
}

// definitionRows are the texts that pg_get_indexdef, pg_get_constraintdef and pg_get_viewdef give.
func definitionRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if t.System {
			continue
		}
		if t.Kind == KindView {
			addDefinition(b, t.OID, "view", 0, ViewDefinition(t))
		}
		for _, ix := range t.Indexes {
			addDefinition(b, ix.OID, "index", 0, IndexDefinition(t, ix, false))
			addDefinition(b, ix.OID, "index_pretty", 0, IndexDefinition(t, ix, true))
			for i := range ix.Keys {
				addDefinition(b, ix.OID, "index", i+1, KeyText(t, &ix.Keys[i], false))
				addDefinition(b, ix.OID, "index_pretty", i+1, KeyText(t, &ix.Keys[i], true))
			}
			for i, id := range ix.Include {
				if c := t.ColumnByID(id); c != nil {
					addDefinition(b, ix.OID, "index", len(ix.Keys)+i+1, QuoteIdent(c.Name))
					addDefinition(b, ix.OID, "index_pretty", len(ix.Keys)+i+1, QuoteIdent(c.Name))
				}
			}
		}
		for _, c := range t.Constraints {
			addDefinition(b, c.OID, "constraint", 0, ConstraintDefinition(s, t, c, false))
			addDefinition(b, c.OID, "constraint_pretty", 0, ConstraintDefinition(s, t, c, true))
			addDefinition(b, c.OID, "constraint_qualified", 0, s.constraintDefinition(t, c, false, true))
		}
	}
}

// ViewDefinition returns a view's query as pg_get_viewdef shows it.
func ViewDefinition(t *Table) string { return " " + t.View + ";" }

// relationName is t's name, with its schema unless that is public: what the usual search path shows.
func relationName(t *Table) string {
	if t.Schema == "public" || t.Schema == "pg_catalog" {
		return QuoteIdent(t.Name)
	}
	return QuoteQualified(t.Schema, t.Name)
}

// isCall says whether an expression is one function call, which needs no parentheses as an index key.
func isCall(expr string) bool {
	open := strings.IndexByte(expr, '(')
	if open <= 0 {
		return false
	}
	for i := range open {
		if c := expr[i]; !isAlnum(c) && c != '_' && c != '.' && c != '"' {
			return false
		}
	}
	return closingParen(expr, open) == len(expr)-1
}

// closingParen finds the parenthesis that closes the one at open, -1 if there is none.
func closingParen(s string, open int) int {
	depth := 0
	for i := open; i < len(s); i++ {
		switch c := s[i]; c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		case '\'', '"':
			for i++; i < len(s) && s[i] != c; i++ {
			}
		}
	}
	return -1
}

// KeyText is an index key as pg_get_indexdef(oid, n, pretty) shows it.
func KeyText(t *Table, k *IndexKey, pretty bool) string {
	if k.Expr == "" {
		if c := t.ColumnByID(k.Column); c != nil {
			return QuoteIdent(c.Name)
		}
		return "?"
	}
	expr := k.Expr
	if pretty {
		expr = PrettyExpr(expr)
	}
	if isCall(k.Expr) {
		return expr
	}
	return "(" + expr + ")"
}

// IndexDefinition returns the CREATE INDEX statement of ix, as pg_get_indexdef shows it. pretty leaves out the
// schema that the usual search path finds, and needless parentheses.
func IndexDefinition(t *Table, ix *Index, pretty bool) string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if ix.Unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX " + QuoteIdent(ix.Name) + " ON ")
	if pretty {
		b.WriteString(relationName(t))
	} else {
		b.WriteString(QuoteQualified(t.Schema, t.Name))
	}
	b.WriteString(" USING " + QuoteIdent(ix.Method) + " (")
	for i := range ix.Keys {
		k := &ix.Keys[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(KeyText(t, k, pretty))
		typ := k.exprType()
		if c := t.ColumnByID(k.Column); c != nil && k.Expr == "" {
			typ = c.Type
		}
		if k.Collation != "" && k.Collation != "default" {
			b.WriteString(" COLLATE " + QuoteIdent(k.Collation))
		}
		if _, standard := classOf(k, typ); k.OpClass != "" && !standard {
			b.WriteString(" " + QuoteIdent(k.OpClass))
		}
		switch {
		case k.Desc && k.NullsFirst:
			b.WriteString(" DESC")
		case k.Desc:
			b.WriteString(" DESC NULLS LAST")
		case k.NullsFirst:
			b.WriteString(" NULLS FIRST")
		}
	}
	b.WriteByte(')')
	if len(ix.Include) > 0 {
		b.WriteString(" INCLUDE (" + t.columnList(ix.Include) + ")")
	}
	if ix.NullsNotDistinct {
		b.WriteString(" NULLS NOT DISTINCT")
	}
	if ix.Where != "" {
		where := ix.Where
		if pretty {
			where = PrettyExpr(where)
		}
		b.WriteString(" WHERE " + where)
	}
	return b.String()
}

func (t *Table) columnList(ids []ID) string {
	var names []string
	for _, id := range ids {
		if c := t.ColumnByID(id); c != nil {
			names = append(names, QuoteIdent(c.Name))
		}
	}
	return strings.Join(names, ", ")
}

// ConstraintDefinition returns c as pg_get_constraintdef shows it.
func ConstraintDefinition(s *Schema, t *Table, c *Constraint, pretty bool) string {
	return s.constraintDefinition(t, c, pretty, false)
}

// constraintDefinition is ConstraintDefinition; qualified: for a search path that does not have public.
func (s *Schema) constraintDefinition(t *Table, c *Constraint, pretty, qualified bool) string {
	var b strings.Builder
	switch c.Kind {
	case PrimaryKey, Unique:
		if c.Kind == PrimaryKey {
			b.WriteString("PRIMARY KEY ")
		} else {
			b.WriteString("UNIQUE ")
			if c.Index != nil && c.Index.NullsNotDistinct {
				b.WriteString("NULLS NOT DISTINCT ")
			}
		}
		b.WriteString("(" + t.columnList(c.Columns) + ")")
		if c.Index != nil && len(c.Index.Include) > 0 {
			b.WriteString(" INCLUDE (" + t.columnList(c.Index.Include) + ")")
		}
	case Check:
		expr := c.Expr
		if pretty {
			expr = PrettyExpr(expr)
		}
		b.WriteString("CHECK (" + expr + ")")
	case ForeignKey:
		b.WriteString("FOREIGN KEY (" + t.columnList(c.Columns) + ") REFERENCES ")
		if parent := s.relByID[c.RefTable]; parent != nil {
			name := relationName(parent)
			if qualified {
				name = QuoteQualified(parent.Schema, parent.Name)
			}
			b.WriteString(name + "(" + parent.columnList(c.RefColumns) + ")")
		}
		if c.Match == 'f' {
			b.WriteString(" MATCH FULL")
		}
		action := map[byte]string{'r': "RESTRICT", 'c': "CASCADE", 'n': "SET NULL", 'd': "SET DEFAULT"}
		if a := action[c.OnUpdate]; a != "" {
			b.WriteString(" ON UPDATE " + a)
		}
		if a := action[c.OnDelete]; a != "" {
			b.WriteString(" ON DELETE " + a)
		}
	}
	if c.Deferrable {
		b.WriteString(" DEFERRABLE")
	}
	if c.InitiallyDeferred {
		b.WriteString(" INITIALLY DEFERRED")
	}
	if c.NotValid {
		b.WriteString(" NOT VALID")
	}
	return b.String()
}

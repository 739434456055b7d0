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
				addDefinition(b, ix.OID, "index", i+1, keyText(t, &ix.Keys[i], false))
				addDefinition(b, ix.OID, "index_pretty", i+1, keyText(t, &ix.Keys[i], true))
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

// PrettyExpr takes needless parentheses out of a stored expression, as the pretty forms of pg_get_expr and
// pg_get_constraintdef do: (a > 0) becomes a > 0, ((a > 0) AND (b > 0)) a > 0 AND b > 0, (x)::text x::text.
func PrettyExpr(expr string) string {
	for enclosed(expr) {
		expr = expr[1 : len(expr)-1]
	}
	if parts, ops := splitLogical(expr); len(ops) > 0 {
		var b strings.Builder
		for i, p := range parts {
			if i > 0 {
				b.WriteString(" " + ops[i-1] + " ")
			}
			b.WriteString(prettyOperand(p, ops[0]))
		}
		return b.String()
	}
	if left, op, right, ok := splitBinary(expr); ok {
		return prettyArgument(left, op, true) + " " + op + " " + prettyArgument(right, op, false)
	}
	return bareCasts(expr)
}

// enclosed says whether one pair of parentheses is around all of expr.
func enclosed(expr string) bool {
	return len(expr) > 1 && expr[0] == '(' && closingParen(expr, 0) == len(expr)-1
}

// prettyOperand is an operand of AND or OR: only the other connective needs its parentheses, and AND below OR not even
// those.
func prettyOperand(p, op string) string {
	if !enclosed(p) {
		return PrettyExpr(p)
	}
	inner := p[1 : len(p)-1]
	if _, below := splitLogical(inner); len(below) == 0 || op == "OR" && below[0] == "AND" {
		return PrettyExpr(inner)
	}
	return "(" + PrettyExpr(inner) + ")"
}

// prettyArgument is an argument of a binary operator. Arithmetic below arithmetic drops its parentheses where
// precedence, or being on the left, says the same.
func prettyArgument(p, op string, left bool) string {
	if !enclosed(p) {
		return bareCasts(p)
	}
	inner := p[1 : len(p)-1]
	if _, below, _, ok := splitBinary(inner); ok {
		high := func(o string) bool { return strings.Contains("*/%", o) }
		low := func(o string) bool { return strings.Contains("+-", o) }
		if (high(op) || low(op)) && (high(below) && low(op) || left && (high(below) && high(op) || low(below) && low(op))) {
			return PrettyExpr(inner)
		}
	}
	return "(" + PrettyExpr(inner) + ")"
}

// splitBinary cuts "a op b", whose arguments are atoms or in parentheses, at its operator.
func splitBinary(s string) (left, op, right string, ok bool) {
	end := skipAtom(s)
	if end <= 0 || end+2 >= len(s) || s[end] != ' ' {
		return "", "", "", false
	}
	n := end + 1
	for n < len(s) && strings.IndexByte("+-*/<>=~!@#%^&|`?", s[n]) >= 0 {
		n++
	}
	if n == end+1 || n >= len(s) || s[n] != ' ' || skipAtom(s[n+1:]) != len(s)-n-1 {
		return "", "", "", false
	}
	return s[:end], s[end+1 : n], s[n+1:], true
}

// skipAtom returns how long the piece of s is that ends at its first blank outside of quotes and parentheses.
func skipAtom(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == '\'' || c == '"':
			for i++; i < len(s) && s[i] != c; i++ {
			}
		case c == ' ' && depth == 0:
			return i
		}
	}
	return len(s)
}

// bareCasts drops the parentheses of (name)::type and (123)::type.
func bareCasts(s string) string {
	if s == "" || s[0] != '(' {
		return s
	}
	end := closingParen(s, 0)
	if end < 2 || !strings.HasPrefix(s[end+1:], "::") {
		return s
	}
	for _, c := range []byte(s[1:end]) {
		if !isAlnum(c) && c != '_' && c != '.' && c != '"' {
			return s
		}
	}
	return s[1:end] + s[end+1:]
}

// splitLogical cuts an expression at its outermost AND or OR.
func splitLogical(s string) (parts, ops []string) {
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == '\'' || c == '"':
			for i++; i < len(s) && s[i] != c; i++ {
			}
		case depth == 0 && strings.HasPrefix(s[i:], " BETWEEN "), depth == 0 && strings.HasPrefix(s[i:], "CASE "):
			return []string{s}, nil // its AND is not a connective
		case depth == 0 && strings.HasPrefix(s[i:], " AND "):
			parts, ops = append(parts, s[from:i]), append(ops, "AND")
			from = i + 5
			i += 4
		case depth == 0 && strings.HasPrefix(s[i:], " OR "):
			parts, ops = append(parts, s[from:i]), append(ops, "OR")
			from = i + 4
			i += 3
		}
	}
	return append(parts, s[from:]), ops
}

// keyText is an index key as pg_get_indexdef(oid, n, …) shows it.
func keyText(t *Table, k *IndexKey, pretty bool) string {
	if k.Expr == "" {
		if c := t.ColumnByID(k.Column); c != nil {
			return QuoteIdent(c.Name)
		}
		return "?"
	}
	if isCall(k.Expr) {
		return k.Expr
	}
	if pretty {
		return "(" + PrettyExpr(k.Expr) + ")"
	}
	return "(" + k.Expr + ")"
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
		b.WriteString(keyText(t, k, pretty))
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

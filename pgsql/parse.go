package pgsql

import (
	"errors"
	"strings"
	"unicode/utf8"

	pg "github.com/pganalyze/pg_query_go/v6"
	"github.com/pganalyze/pg_query_go/v6/parser"

	"layercake/pgerror"
)

// tree is what Parse leaves in a Statement: the node, and the whole query string, which the nodes' locations are byte
// offsets into.
type tree struct {
	node *pg.Node
	src  string
}

// Parse splits a query string into its statements by PostgreSQL's own grammar. A syntax error is 42601, its position in
// characters; no statement is returned then. An empty string gives no statement.
func Parse(sql string) ([]*Statement, error) {
	if i := strings.IndexByte(sql, 0); i >= 0 {
		return nil, pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x00")
	}
	if !utf8.ValidString(sql) {
		return nil, invalidUTF8(sql)
	}
	res, err := pg.Parse(sql)
	if err != nil {
		return nil, syntaxError(err)
	}
	list := make([]*Statement, 0, len(res.Stmts))
	chars, at := 0, 0 // characters before byte offset at
	for _, raw := range res.Stmts {
		start, end := int(raw.StmtLocation), len(sql)
		if raw.StmtLen > 0 {
			end = start + int(raw.StmtLen)
		}
		for start < end && isSpace(sql[start]) {
			start++
		}
		chars += utf8.RuneCountInString(sql[at:start])
		at = start
		if raw.Stmt == nil {
			continue
		}
		list = append(list, &Statement{
			Text: sql[start:end],
			Pos:  chars,
			Tag:  commandTag(raw.Stmt),
			tree: &tree{node: raw.Stmt, src: sql},
		})
	}
	return list, nil
}

func isSpace(b byte) bool {
	return b == ' ' || b == '\t' || b == '\n' || b == '\r' || b == '\f' || b == '\v'
}

func invalidUTF8(s string) error {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\": 0x%02x", s[i])
		}
		i += n
	}
	return pgerror.New(pgerror.CharacterNotInRepertoire, "invalid byte sequence for encoding \"UTF8\"")
}

// syntaxError gives the parser's error PostgreSQL's code. The raw parser raises few codes; they are told by the message.
func syntaxError(err error) error {
	var pe *parser.Error
	if !errors.As(err, &pe) {
		if strings.Contains(err.Error(), "recursion depth") { // of the tree on its way from the parser
			return pgerror.New(pgerror.StatementTooComplex, "stack depth limit exceeded")
		}
		return pgerror.New(pgerror.SyntaxError, "%s", err.Error())
	}
	code, hint := pgerror.SyntaxError, ""
	switch m := pe.Message; {
	case m == "invalid Unicode escape":
		code, hint = pgerror.InvalidEscapeSequence, `Unicode escapes must be \uXXXX or \UXXXXXXXX.`
	case strings.HasPrefix(m, "precision for type float must be"):
		code = pgerror.InvalidParameterValue
	case strings.HasPrefix(m, "role name ") && strings.HasSuffix(m, " is reserved"):
		code = pgerror.ReservedName
	case strings.HasPrefix(m, "frame start"), strings.HasPrefix(m, "frame end"):
		code = pgerror.WindowingError
	case strings.HasSuffix(m, "not yet implemented"), strings.Contains(m, "is not implemented"), strings.Contains(m, "not supported"):
		code = pgerror.FeatureNotSupported
	case strings.HasPrefix(m, "invalid Unicode"), strings.HasPrefix(m, "invalid byte sequence"):
		code = pgerror.CharacterNotInRepertoire
	case strings.Contains(m, "stack depth limit"):
		code = pgerror.StatementTooComplex
	case strings.Contains(m, "identifier too long"):
		code = pgerror.NameTooLong
	}
	return pgerror.New(code, "%s", pe.Message).WithHint("%s", hint).At(pe.Cursorpos)
}

// parseExpr parses an expression of PostgreSQL text (a default, a CHECK, an index key).
func parseExpr(text string) (*pg.Node, error) {
	res, err := pg.Parse("SELECT " + text)
	if err != nil {
		return nil, syntaxError(err)
	}
	if len(res.Stmts) == 1 {
		if sel := res.Stmts[0].Stmt.GetSelectStmt(); sel != nil && len(sel.TargetList) == 1 && sel.FromClause == nil {
			return sel.TargetList[0].GetResTarget().GetVal(), nil
		}
	}
	return nil, pgerror.New(pgerror.SyntaxError, "syntax error in expression %q", text)
}

// parseQuery parses one SELECT of PostgreSQL text (a view's).
func parseQuery(text string) (*pg.SelectStmt, error) {
	res, err := pg.Parse(text)
	if err != nil {
		return nil, syntaxError(err)
	}
	if len(res.Stmts) == 1 {
		if sel := res.Stmts[0].Stmt.GetSelectStmt(); sel != nil {
			return sel, nil
		}
	}
	return nil, pgerror.New(pgerror.SyntaxError, "not a query: %q", text)
}

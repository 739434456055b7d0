package catalog

import "strings"

// QuoteIdent returns name as an SQL identifier, quoted where it must be, as quote_ident does.
func QuoteIdent(name string) string {
	safe := name != ""
	for i := 0; i < len(name) && safe; i++ {
		c := name[i]
		safe = c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9'
	}
	if safe {
		if _, key := quotedKeywords[name]; !key {
			return name
		}
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// QuoteQualified returns schema.name, each part quoted where it must be.
func QuoteQualified(schema, name string) string { return QuoteIdent(schema) + "." + QuoteIdent(name) }

// QuoteLiteral returns s as an SQL string literal, as quote_literal does: with a leading E where it has backslashes.
func QuoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return "E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// StoredName is a name as stored expressions have it: they are read with the search path "public".
func StoredName(schema, name string) string {
	if schema == "public" || schema == "pg_catalog" {
		return QuoteIdent(name)
	}
	return QuoteQualified(schema, name)
}

// SplitNames takes a qualified name apart: identifiers between dots, quoted or else folded to lower case. ok is false where
// it is none.
func SplitNames(s string) ([]string, bool) {
	var out []string
	for {
		s = strings.TrimLeft(s, " ")
		if s == "" {
			return nil, false
		}
		var name string
		if s[0] == '"' {
			i := 1
			var b strings.Builder
			for ; i < len(s); i++ {
				if s[i] == '"' {
					if i+1 < len(s) && s[i+1] == '"' {
						i++
					} else {
						break
					}
				}
				b.WriteByte(s[i])
			}
			if i >= len(s) || b.Len() == 0 {
				return nil, false
			}
			name, s = b.String(), s[i+1:]
		} else {
			i := strings.IndexAny(s, ". \"")
			if i < 0 {
				i = len(s)
			}
			name, s = asciiLower(s[:i]), s[i:]
			if name == "" {
				return nil, false
			}
		}
		out = append(out, name)
		s = strings.TrimLeft(s, " ")
		if s == "" {
			return out, true
		}
		if s[0] != '.' {
			return nil, false
		}
		s = s[1:]
	}
}

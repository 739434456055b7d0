package catalog

import "strings"

// extensionOID is that of the extension to which layercake's own schema belongs: like every OID that PostgreSQL assigns
// while it makes a database it tells pg_dump that its members are there already wherever the dump is read.
const extensionOID uint32 = 13998

const (
	pgProcRelOID      uint32 = 1255
	pgExtensionRelOID uint32 = 3079
)

func extensionRows(_ *Schema, b *rowsOf) {
	b.add("oid", extensionOID, "extname", "layercake", "extowner", superuserOID, "extnamespace", PgCatalogOID,
		"extrelocatable", false, "extversion", "1.0")
}

// extensionMembers calls add for what belongs to the extension.
func extensionMembers(s *Schema, add func(class, oid uint32)) {
	add(PgNamespaceRelOID, LayercakeOID)
	for _, t := range s.Relations {
		if t.System && t.Schema == "layercake" {
			add(PgClassRelOID, t.OID)
		}
	}
	for _, f := range Functions() {
		if f.Schema == "layercake" {
			add(pgProcRelOID, f.OID)
		}
	}
}

// viewSources calls add for the relations that a view's query may read: those whose qualified name stands in its text.
// Now and then that is one too many, which only makes pg_dump write the view after it.
func viewSources(s *Schema, view *Table, add func(*Table)) {
	for _, t := range s.Relations {
		if t == view || t.System {
			continue
		}
		name := QuoteIdent(t.Schema) + "." + QuoteIdent(t.Name)
		for text := view.View; ; {
			i := strings.Index(text, name)
			if i < 0 {
				break
			}
			if end := i + len(name); (i == 0 || !identByte(text[i-1])) && (end == len(text) || !identByte(text[end])) {
				add(t)
				break
			}
			text = text[i+1:]
		}
	}
}

// identByte says whether c may continue an identifier.
func identByte(c byte) bool {
	return c == '_' || c == '$' || c == '"' || c >= 0x80 || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// nextvalArgument is the name in a default that calls nextval, "" if it does not.
func nextvalArgument(expr string) string {
	_, rest, ok := strings.Cut(expr, "nextval('")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "'::regclass)")
	return strings.ReplaceAll(name, "''", "'")
}

package pgsql

import (
	"regexp"
	"slices"
	"strings"

	"layercake/catalog"
)

// prefixBounds are the operators whose matches begin alike if the pattern does, with the functions that give the range that
// they lie in.
var prefixBounds = map[string]string{
	"lc_like($1, $2)":        "lc_like",
	"lc_starts_with($1, $2)": "lc_starts",
	"lc_regex($1, $2, '')":   "lc_regex",
}

// prefixed adds to e, a match of l with a pattern by the operator with an Impl, the range that the pattern's fixed beginning
// gives, where l has an index that finds it. Text is in the order of its bytes, so that it is a range for any pattern; where
// that has none, it is of all texts.
func (c *compiler) prefixed(e *expr, impl string, l, pattern *expr, loc int32) *expr {
	bounds := prefixBounds[impl]
	if bounds == "" || l.isUnknown() || l.kind == exprConst || l.depth > 20 || !c.indexedText(l) {
		return e
	}
	if pattern.kind == exprConst && !hasPrefix(bounds, string(pattern.val.Bytes)) {
		return e
	}
	x, p := c.operand(l), c.text(pattern)
	return plain(x+" >= "+bounds+"_from("+p+") AND "+x+" < "+bounds+"_to("+p+") AND "+c.operand(e), catalog.BoolOID, false, loc, e, l, pattern)
}

// hasPrefix says whether a pattern may have a fixed beginning; false only where it has none.
func hasPrefix(bounds, pattern string) bool {
	switch bounds {
	case "lc_like":
		return !strings.HasPrefix(pattern, "%") && !strings.HasPrefix(pattern, "_")
	case "lc_regex":
		return strings.HasPrefix(pattern, "^") && !strings.Contains(pattern, "|")
	}
	return true
}

// indexedText says whether an expression is a key of an index of a table that is read.
func (c *compiler) indexedText(e *expr) bool {
	sql := unqualified(c.inlined(c.text(e)))
	for _, id := range c.reads {
		t := c.env.Schema.RelationByID(id)
		if t == nil || t.Kind != catalog.KindTable {
			continue
		}
		for _, i := range t.Indexes {
			if slices.ContainsFunc(i.PhysKeys, func(key string) bool { return unqualified(strings.TrimSuffix(key, " DESC")) == sql }) {
				return true
			}
		}
	}
	return false
}

var qualifier = regexp.MustCompile(`\bt[0-9]+\.`)

// unqualified is SQL of columns that are named without their tables.
func unqualified(sql string) string {
	sql = strings.ReplaceAll(qualifier.ReplaceAllString(sql, ""), `"`, "")
	if strings.HasPrefix(sql, "(") && strings.HasSuffix(sql, ")") {
		sql = sql[1 : len(sql)-1]
	}
	return sql
}

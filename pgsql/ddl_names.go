package pgsql

import (
	"strconv"
	"strings"

	"layercake/catalog"
)

// makeObjectName joins the parts of a generated name and cuts them to 63 bytes, the longer of the first two first
// (PostgreSQL's makeObjectName).
func makeObjectName(name1, name2, label string) string {
	over := 0
	if name2 != "" {
		over++
	}
	if label != "" {
		over += len(label) + 1
	}
	avail := 63 - over
	n1, n2 := len(name1), len(name2)
	for n1+n2 > avail {
		if n1 > n2 {
			n1--
		} else {
			n2--
		}
	}
	s := clip(name1, n1)
	if name2 != "" {
		s += "_" + clip(name2, n2)
	}
	if label != "" {
		s += "_" + label
	}
	return s
}

// clip cuts s to at most n bytes, not within a character.
func clip(s string, n int) string {
	if n >= len(s) {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// chooseRelationName returns a name that no relation or index of the schema has (and, for a constraint's index, no
// constraint).
func (d *draft) chooseRelationName(schema, name1, name2, label string, constraint bool) string {
	l := label
	for pass := 1; ; pass++ {
		name := makeObjectName(name1, name2, l)
		if !d.nameTaken(schema, name) && !(constraint && d.constraintTaken(schema, name)) {
			return name
		}
		l = label + strconv.Itoa(pass)
	}
}

// chooseConstraintName returns a name that no constraint of the schema has.
func (d *draft) chooseConstraintName(schema, name1, name2, label string, others map[string]bool) string {
	l := label
	for pass := 1; ; pass++ {
		name := makeObjectName(name1, name2, l)
		if !d.constraintTaken(schema, name) && !others[name] {
			return name
		}
		l = label + strconv.Itoa(pass)
	}
}

// joinedColumns is the middle of a generated name: the columns joined by "_", not much longer than a name may be.
func joinedColumns(cols []string) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteByte('_')
		}
		b.WriteString(c)
		if b.Len() >= 64 {
			break
		}
	}
	return b.String()
}

// indexColumnNames gives the names that ChooseIndexColumnNames would: expressions are "expr", "expr1" …
func indexColumnNames(t *catalog.Table, keys []catalog.IndexKey, exprNames []string) []string {
	var out []string
	seen := map[string]bool{}
	for i, k := range keys {
		base := "expr"
		if c := columnByID(t, k.Column); c != nil {
			base = c.Name
		} else if exprNames[i] != "" {
			base = exprNames[i]
		}
		name := base
		for n := 1; seen[name]; n++ {
			suffix := strconv.Itoa(n)
			name = clip(base, 63-len(suffix)) + suffix
		}
		seen[name] = true
		out = append(out, name)
	}
	return out
}

package catalog_test

import (
	"testing"

	"layercake/catalog"
)

// TestSystemRowsFitTheirColumns makes every row of every system table and checks each value's storage class against its
// column's type.
func TestSystemRowsFitTheirColumns(t *testing.T) {
	s, conflicts := catalog.BuildSchema(1, nil, catalog.BuildOptions{})
	if len(conflicts) != 0 {
		t.Errorf("conflicts of an empty schema: %v", conflicts)
	}
	total := 0
	for _, rel := range catalog.SystemRelations() {
		if s.Relation(rel.Schema, rel.Name) != rel {
			t.Errorf("%s.%s is not in the schema", rel.Schema, rel.Name)
		}
		if rel.Kind != catalog.KindTable {
			continue
		}
		rows := append(catalog.SystemFixedRows(rel), catalog.SystemRows(s, rel)...)
		total += len(rows)
		for _, row := range rows {
			if len(row) != len(rel.Columns) {
				t.Fatalf("%s: row of %d values for %d columns", rel.Name, len(row), len(rel.Columns))
			}
			for i, v := range row {
				c := rel.Columns[i]
				if v.IsNull() {
					if c.NotNull {
						t.Errorf("%s.%s is NULL", rel.Name, c.Name)
					}
					continue
				}
				text := catalog.AppendText(nil, c.Type, -1, v, nil)
				back, err := catalog.DecodeText(c.Type, -1, text, nil)
				if err != nil || back.Kind != v.Kind && !catalog.IsReg(c.Type) {
					t.Errorf("%s.%s: %v shown as %q reads back as %v, %v", rel.Name, c.Name, v, text, back, err)
				}
			}
		}
	}
	if total < 3000 {
		t.Errorf("only %d rows in all", total)
	}
}

// TestSystemStatic checks that tables which are said not to show the schema do not, and that the others do.
func TestSystemStatic(t *testing.T) {
	empty, _ := catalog.BuildSchema(1, nil, catalog.BuildOptions{})
	full, _ := sample().build()
	grown := 0
	for _, rel := range catalog.SystemRelations() {
		if rel.Kind != catalog.KindTable {
			continue
		}
		a, b := catalog.SystemRows(empty, rel), catalog.SystemRows(full, rel)
		if catalog.SystemStatic(rel) && len(a)+len(b) > 0 {
			t.Errorf("%s has %d and %d rows of the schema", rel.Name, len(a), len(b))
		}
		if len(b) > len(a) {
			grown++
		}
	}
	if grown < 10 {
		t.Errorf("objects showed in %d tables only", grown)
	}
}

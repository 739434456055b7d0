package catalog_test

import (
	"testing"

	"layercake/catalog"
)

// BenchmarkSystemRows makes all rows that depend on the schema, as each DDL statement does.
func BenchmarkSystemRows(b *testing.B) {
	o := sample()
	b.ReportAllocs()
	for b.Loop() {
		s, _ := o.build()
		for _, rel := range catalog.SystemRelations() {
			if rel.Kind == catalog.KindTable && !catalog.SystemStatic(rel) {
				catalog.SystemRows(s, rel)
			}
		}
	}
}

package catalog_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"layercake/catalog"
)

// TestBuildSchemaTakesAnything builds schemas of random rows, as no sane node writes them: it must not panic, must give
// every object a name and an OID of its own, and make the same of the same rows every time.
func TestBuildSchemaTakesAnything(t *testing.T) {
	kinds := []catalog.ObjectKind{
		catalog.ObjectNamespace, catalog.ObjectTable, catalog.ObjectView, catalog.ObjectSequence, catalog.ObjectColumn,
		catalog.ObjectColumn, catalog.ObjectConstraint, catalog.ObjectConstraint, catalog.ObjectIndex, catalog.ObjectIndex,
		catalog.ObjectRole, catalog.ObjectSetting, "teapot", "",
	}
	rapid.Check(t, func(t *rapid.T) {
		id := func(label string) catalog.ID {
			return catalog.ID{HLC: uint64(rapid.IntRange(0, 25).Draw(t, label)), Node: 1}
		}
		ids := func(label string) []catalog.ID {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) catalog.ID {
				return catalog.ID{HLC: uint64(rapid.IntRange(0, 25).Draw(t, "id")), Node: 1}
			}), 0, 3).Draw(t, label)
		}
		var rows []catalog.Object
		for n := range rapid.IntRange(0, 25).Draw(t, "objects") {
			o := catalog.Object{ID: catalog.ID{HLC: uint64(n + 1), Node: 1}}
			kind := rapid.SampledFrom(kinds).Draw(t, "kind")
			o.Attrs[catalog.AttrKind] = catalog.Str(string(kind))
			o.Attrs[catalog.AttrName] = catalog.Str(rapid.SampledFrom([]string{"a", "b", "public", "pg_catalog", ""}).Draw(t, "name"))
			o.Attrs[catalog.AttrParent] = id("parent").Value()
			o.Attrs[catalog.AttrOrder] = catalog.Int(rapid.Int64Range(-3, 5).Draw(t, "order"))
			o.Attrs[catalog.AttrType] = catalog.Int(rapid.SampledFrom([]int64{23, 25, 1009, 99999, -1}).Draw(t, "type"))
			switch rapid.IntRange(0, 7).Draw(t, "def") {
			case 0:
				o.Attrs[catalog.AttrDef] = catalog.Str("{")
			case 1, 2:
				o.Attrs[catalog.AttrDef] = catalog.EncodeDef(catalog.IndexDef{Unique: true, Primary: true, Keys: []catalog.IndexKeyDef{{Column: id("key")}, {Expr: "lower(x)"}}, Include: ids("include")})
			case 3, 4:
				kind := rapid.SampledFrom([]string{"p", "u", "c", "f", "x", ""}).Draw(t, "constraint")
				o.Attrs[catalog.AttrDef] = catalog.EncodeDef(catalog.ConstraintDef{Kind: kind, Columns: ids("columns"), Index: id("index"), RefTable: id("table"), RefColumns: ids("refs"), Expr: "(a > 0)"})
			case 5:
				o.Attrs[catalog.AttrDef] = catalog.EncodeDef(catalog.RoleDef{MemberOf: ids("roles"), ValidUntil: "never"})
			case 6:
				o.Attrs[catalog.AttrDef] = catalog.EncodeDef(catalog.ColumnDef{Identity: "zz", Missing: []byte{9}, Sequence: id("sequence")})
			}
			rows = append(rows, o)
		}
		s, conflicts := catalog.BuildSchema(1, slices.Clone(rows), catalog.BuildOptions{})
		again, _ := catalog.BuildSchema(2, slices.Clone(rows), catalog.BuildOptions{})
		names, oids := make(map[string]bool), make(map[uint32]bool)
		own := func(name string, oid uint32) {
			if names[name] || oids[oid] {
				t.Fatalf("%s (%d) is there twice; conflicts %v", name, oid, conflicts)
			}
			names[name], oids[oid] = true, true
		}
		for _, r := range s.Relations {
			own("relation "+r.Schema+"."+r.Name, r.OID)
			if same := again.RelationByOID(r.OID); same == nil || same.Name != r.Name {
				t.Fatalf("%s.%s is another the second time", r.Schema, r.Name)
			}
			nums := make(map[int16]bool)
			for _, c := range r.Columns {
				if nums[c.Num] || c.Num < 1 || r.Column(c.Name) != c {
					t.Fatalf("column %s of %s is there twice", c.Name, r.Name)
				}
				nums[c.Num] = true
			}
			if r.System {
				continue
			}
			for _, ix := range r.Indexes {
				own("relation "+r.Schema+"."+ix.Name, ix.OID)
			}
			primary := 0
			for _, c := range r.Constraints {
				own(fmt.Sprint("constraint ", r.OID, c.Name), c.OID)
				if c.Kind == catalog.PrimaryKey {
					primary++
				}
			}
			if primary > 1 {
				t.Fatalf("%d primary keys", primary)
			}
		}
		for _, n := range s.Namespaces {
			own("schema "+n.Name, n.OID)
		}
		for _, rel := range catalog.SystemRelations() {
			if rel.Kind == catalog.KindTable {
				catalog.SystemRows(s, rel)
			}
		}
	})
}

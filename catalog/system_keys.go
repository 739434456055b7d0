package catalog

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

var btreeClassesOnce = sync.OnceValue(btreeClasses)

// classOf is the operator class of an index key over a value of type oid.
func classOf(k *IndexKey, oid uint32) (class uint32, standard bool) {
	t := TypeByOID(oid)
	var byInput, anyArray uint32
	named := uint32(0)
	for _, c := range btreeClassesOnce() {
		if k.OpClass != "" && c.name == k.OpClass {
			named = c.oid
			if c.standard && (c.typ == oid || oid == VarcharOID && c.typ == TextOID) {
				return c.oid, true
			}
		}
		if c.standard && c.typ == oid {
			byInput = c.oid
		}
		if c.standard && c.typ == AnyarrayOID {
			anyArray = c.oid
		}
	}
	switch {
	case named != 0:
		return named, false
	case byInput != 0:
		return byInput, true
	case t != nil && t.IsArray():
		return anyArray, true
	case oid == VarcharOID:
		return classOf(k, TextOID)
	}
	return 0, true
}

// HasOperatorClass says whether an access method has an operator class: the one of that name, or with "" the default one
// of a type.
func HasOperatorClass(method, name string, oid uint32) bool {
	t := TypeByOID(oid)
	array := t != nil && t.IsArray()
	switch method {
	case "gin":
		if name == "" {
			return array || oid == JSONBOID
		}
		return name == "array_ops" || name == "jsonb_ops" || name == "jsonb_path_ops" || name == "tsvector_ops"
	case "gist", "spgist":
		if name == "" {
			return method == "spgist" && (oid == TextOID || oid == VarcharOID)
		}
		return slices.Contains([]string{"box_ops", "circle_ops", "inet_ops", "point_ops", "poly_ops", "range_ops", "text_ops",
			"tsquery_ops", "tsvector_ops", "kd_point_ops", "quad_point_ops"}, name)
	}
	inputs := []string{strconv.FormatUint(uint64(oid), 10)}
	if array {
		inputs = append(inputs, strconv.Itoa(int(AnyarrayOID)))
	} else if oid == VarcharOID {
		inputs = append(inputs, strconv.Itoa(int(TextOID)))
	}
	of, suffixes := "403", []string{""}
	switch method {
	case "hash":
		of = "405"
	case "brin":
		suffixes = []string{"_minmax", "_bloom", "_minmax_multi"}
	}
	for line := range strings.Lines(systemRows["pg_opclass"]) {
		f := strings.Split(line, "\t") // oid, method, name, namespace, owner, family, type, default
		if f[1] != of {
			continue
		}
		switch {
		case name != "":
			base := strings.TrimSuffix(f[2], "_ops")
			if slices.ContainsFunc(suffixes, func(x string) bool { return base+x+"_ops" == name }) {
				return true
			}
		case strings.TrimSpace(f[7]) == "t" && slices.Contains(inputs, f[6]):
			return true
		}
	}
	return false
}

// exprType is the type of a key over an expression.
func (k *IndexKey) exprType() uint32 {
	if TypeByOID(k.Type) != nil {
		return k.Type
	}
	return TextOID
}

func indexRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		if t.System {
			continue
		}
		for _, ix := range t.Indexes {
			var keys, options []Value
			var collations, classes []uint32
			var exprs []string
			for i := range ix.Keys {
				k := &ix.Keys[i]
				typ, num := k.exprType(), int16(0)
				if c := t.ColumnByID(k.Column); c != nil && k.Expr == "" {
					typ, num = c.Type, c.Num
				} else {
					exprs = append(exprs, k.Expr)
				}
				option := 0
				if k.Desc {
					option |= 1
				}
				if k.NullsFirst {
					option |= 2
				}
				class, _ := classOf(k, typ)
				collation := uint32(0)
				if ct := TypeByOID(typ); ct != nil {
					collation = ct.Collation
				}
				keys, options = append(keys, Int(int64(num))), append(options, Int(int64(option)))
				collations, classes = append(collations, collation), append(classes, class)
			}
			for _, id := range ix.Include {
				if c := t.ColumnByID(id); c != nil {
					keys = append(keys, Int(int64(c.Num)))
				}
			}
			immediate := true
			for _, c := range t.Constraints {
				if c.Index == ix && c.Deferrable {
					immediate = false
				}
			}
			b.add("indexrelid", ix.OID, "indrelid", t.OID, "indnatts", len(keys), "indnkeyatts", len(ix.Keys), "indisunique", ix.Unique,
				"indnullsnotdistinct", ix.NullsNotDistinct, "indisprimary", ix.Primary, "indimmediate", immediate, "indisvalid", true,
				"indisready", true, "indislive", true, "indkey", VectorValue(Int2OID, keys), "indcollation", oidVector(collations),
				"indclass", oidVector(classes), "indoption", VectorValue(Int2OID, options),
				"indexprs", orNull(strings.Join(exprs, ", ")), "indpred", orNull(ix.Where))
		}
	}
}

// nums are the attnums of columns, in their order.
func (t *Table) nums(ids []ID) Value {
	if len(ids) == 0 {
		return Value{}
	}
	vs := make([]Value, 0, len(ids))
	for _, id := range ids {
		if c := t.ColumnByID(id); c != nil {
			vs = append(vs, Int(int64(c.Num)))
		}
	}
	return EncodeArray(Int2OID, nil, vs)
}

// referencedIndex is the unique index that a foreign key's columns rest on, nil if there is none.
func referencedIndex(parent *Table, columns []ID) *Index {
	for _, c := range parent.Constraints {
		if c.Index == nil || len(c.Columns) != len(columns) {
			continue
		}
		if !slices.ContainsFunc(c.Columns, func(id ID) bool { return !slices.Contains(columns, id) }) {
			return c.Index
		}
	}
	return nil
}

func constraintRows(s *Schema, b *rowsOf) {
	for _, t := range s.Relations {
		for _, c := range t.Constraints {
			pairs := []any{"oid", c.OID, "conname", c.Name, "connamespace", s.namespaceOID(t.Schema), "contype", byte(c.Kind),
				"condeferrable", c.Deferrable, "condeferred", c.InitiallyDeferred, "convalidated", !c.NotValid, "conrelid", t.OID,
				"conislocal", true, "connoinherit", c.Kind != Check, "conkey", t.nums(c.Columns)}
			if c.Index != nil {
				pairs = append(pairs, "conindid", c.Index.OID)
			}
			if parent := s.relByID[c.RefTable]; c.Kind == ForeignKey && parent != nil {
				pairs = append(pairs, "confrelid", parent.OID, "confupdtype", c.OnUpdate, "confdeltype", c.OnDelete,
					"confmatchtype", c.Match, "confkey", parent.nums(c.RefColumns))
				if ix := referencedIndex(parent, c.RefColumns); ix != nil {
					pairs = append(pairs, "conindid", ix.OID)
				}
			} else {
				pairs = append(pairs, "confupdtype", " ", "confdeltype", " ", "confmatchtype", " ")
			}
			if c.Kind == Check {
				pairs = append(pairs, "conbin", c.Expr)
			}
			b.add(pairs...)
		}
	}
}

package catalog

import "strings"

// staticRows make the rows of the tables that show what is built in.
var staticRows = map[string]func(*rowsOf){
	"pg_type":      typeRows,
	"pg_proc":      functionRows,
	"pg_aggregate": aggregateRows,
	"pg_operator":  operatorRows,
	"pg_class":     func(b *rowsOf) { eachSystem(b, &Schema{}, classRow) },
	"pg_attribute": func(b *rowsOf) { eachSystem(b, &Schema{}, attributesOf) },
	"_definition":  builtinDefinitions,
	"pg_cast":      castRows,
	"pg_shdescription": func(b *rowsOf) {
		b.add("objoid", databaseOID, "classoid", PgDatabaseRelOID, "description", "default administrative connection database")
	},
}

// eachSystem calls f for every system relation. s is a Schema without objects, which knows the OIDs that are fixed.
func eachSystem(b *rowsOf, s *Schema, f func(*Schema, *rowsOf, *Table)) {
	s.Namespaces = fixedNamespaces()
	s.finish()
	for _, t := range system().all {
		f(s, b, t)
	}
}

// databaseOID is the one database's OID: PostgreSQL's "postgres" has it too.
const databaseOID uint32 = 5

func typeRows(b *rowsOf) {
	for i := range builtinTypes {
		t := &builtinTypes[i]
		subscript := uint32(0)
		if t.Elem != 0 && t.IsArray() {
			subscript = 6179 // array_subscript_handler
		}
		b.add("oid", t.OID, "typname", t.Name, "typnamespace", PgCatalogOID, "typowner", superuserOID, "typlen", t.Len,
			"typbyval", t.ByVal, "typtype", t.Kind, "typcategory", t.Category, "typispreferred", t.Preferred,
			"typisdefined", true, "typdelim", t.Delim, "typsubscript", subscript, "typelem", t.Elem, "typarray", t.Array,
			"typinput", FunctionOID(t.In), "typoutput", FunctionOID(t.Out), "typreceive", FunctionOID(t.Recv),
			"typsend", FunctionOID(t.Send), "typmodin", FunctionOID(t.ModIn), "typmodout", FunctionOID(t.ModOut),
			"typalign", t.Align, "typstorage", t.Storage, "typtypmod", -1, "typcollation", t.Collation)
	}
}

// argumentList shows a function's arguments as pg_get_function_arguments does; identity leaves the defaults out.
func argumentList(f *Function, identity bool) string {
	var parts []string
	for i, a := range f.Args {
		part := ""
		if f.Variadic && i == len(f.Args)-1 {
			part = "VARIADIC "
		}
		if i < len(f.ArgNames) && f.ArgNames[i] != "" {
			part += QuoteIdent(f.ArgNames[i]) + " "
		}
		part += FormatTypeName(a)
		if d := i - (len(f.Args) - len(f.ArgDefaults)); d >= 0 && !identity {
			part += " DEFAULT " + f.ArgDefaults[d]
		}
		parts = append(parts, part)
	}
	for i, t := range f.OutTypes {
		if len(f.OutTypes) > 1 && i < len(f.OutNames) && !identity {
			parts = append(parts, "OUT "+QuoteIdent(f.OutNames[i])+" "+FormatTypeName(t))
		}
	}
	return strings.Join(parts, ", ")
}

func functionResult(f *Function) string {
	if f.RetSet {
		return "SETOF " + FormatTypeName(f.Ret)
	}
	return FormatTypeName(f.Ret)
}

func oidVector(oids []uint32) Value {
	vs := make([]Value, len(oids))
	for i, o := range oids {
		vs[i] = Int(int64(o))
	}
	return VectorValue(OidOID, vs)
}

func textArray(elem uint32, texts []string) Value {
	vs := make([]Value, len(texts))
	for i, t := range texts {
		vs[i] = Str(t)
	}
	return EncodeArray(elem, nil, vs)
}

func functionRows(b *rowsOf) {
	for _, f := range Functions() {
		variadic := uint32(0)
		if f.Variadic && len(f.Args) > 0 {
			last := f.Args[len(f.Args)-1]
			if variadic = ElemOf(last); variadic == 0 {
				variadic = last
			}
		}
		namespace := PgCatalogOID
		if f.Schema == "layercake" {
			namespace = LayercakeOID
		}
		var allTypes, modes, names Value
		if len(f.OutTypes) > 1 {
			all := make([]Value, 0, len(f.Args)+len(f.OutTypes))
			var letters, labels []string
			for i, a := range f.Args {
				all, letters = append(all, Int(int64(a))), append(letters, "i")
				label := ""
				if i < len(f.ArgNames) {
					label = f.ArgNames[i]
				}
				labels = append(labels, label)
			}
			for i, a := range f.OutTypes {
				all, letters = append(all, Int(int64(a))), append(letters, "o")
				if i < len(f.OutNames) {
					labels = append(labels, f.OutNames[i])
				}
			}
			allTypes, modes, names = EncodeArray(OidOID, nil, all), textArray(CharOID, letters), textArray(TextOID, labels)
		} else if len(f.ArgNames) > 0 {
			names = textArray(TextOID, f.ArgNames)
		}
		b.add("oid", f.OID, "proname", f.Name, "pronamespace", namespace, "proowner", superuserOID, "prolang", 12,
			"procost", Float(1), "prorows", Float(map[bool]float64{true: 1000}[f.RetSet]), "provariadic", variadic, "prokind", f.Kind,
			"proisstrict", f.Strict, "proretset", f.RetSet, "provolatile", f.Volatility, "proparallel", "s",
			"pronargs", len(f.Args), "pronargdefaults", f.Defaults, "prorettype", f.Ret, "proargtypes", oidVector(f.Args),
			"proallargtypes", allTypes, "proargmodes", modes, "proargnames", names, "prosrc", f.Name)
	}
	list, _ := typeFunctionIndex()
	for i := range list {
		f := &list[i]
		if FunctionByOID(f.oid) != nil {
			continue
		}
		b.add("oid", f.oid, "proname", f.name, "pronamespace", PgCatalogOID, "proowner", superuserOID, "prolang", 12,
			"procost", Float(1), "prokind", "f", "proisstrict", f.strict, "provolatile", f.volatile, "proparallel", "s",
			"pronargs", len(f.args), "prorettype", f.ret, "proargtypes", VectorValue(OidOID, f.args), "prosrc", f.name)
	}
}

func aggregateRows(b *rowsOf) {
	for _, f := range Functions() {
		if f.Kind == 'a' {
			b.add("aggfnoid", f.OID, "aggkind", "n", "aggfinalmodify", "r", "aggmfinalmodify", "r")
		}
	}
}

func operatorRows(b *rowsOf) {
	type key struct {
		name        string
		left, right uint32
	}
	byKey := make(map[key]uint32)
	for _, o := range Operators() {
		byKey[key{o.Name, o.Left, o.Right}] = o.OID
	}
	for _, o := range Operators() {
		kind := "b"
		if o.Left == 0 {
			kind = "l"
		}
		b.add("oid", o.OID, "oprname", o.Name, "oprnamespace", PgCatalogOID, "oprowner", superuserOID, "oprkind", kind,
			"oprcanmerge", o.Name == "=", "oprcanhash", o.Name == "=", "oprleft", o.Left, "oprright", o.Right, "oprresult", o.Ret,
			"oprcom", byKey[key{o.Commutator, o.Right, o.Left}], "oprnegate", byKey[key{o.Negator, o.Left, o.Right}])
	}
}

func castRows(b *rowsOf) {
	for i, c := range Casts() {
		method := "f"
		if c.Impl == "" {
			method = "b"
		}
		b.add("oid", 10000+i, "castsource", c.Source, "casttarget", c.Target, "castcontext", c.Context, "castmethod", method)
	}
}

// operatorClasses are the default operator classes of btree by type, and all classes of btree by name and type.
type operatorClass struct {
	oid, typ uint32
	name     string
	standard bool
}

func btreeClasses() []operatorClass {
	b := newRows(system().byName[relName{"pg_catalog", "pg_opclass"}])
	b.copied(systemRows["pg_opclass"])
	var out []operatorClass
	for _, r := range b.rows {
		if r[1].Int() == 403 {
			out = append(out, operatorClass{oid: uint32(r[0].Int()), name: string(r[2].Bytes), typ: uint32(r[6].Int()), standard: r[7].Bool()})
		}
	}
	return out
}

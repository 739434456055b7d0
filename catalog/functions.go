package catalog

import (
	"strings"
	"sync"
)

// FunctionsNamed returns the functions called name in pg_catalog and layercake, by ascending OID. The slice is shared
// and read-only.
func FunctionsNamed(name string) []*Function { return functionIndex().byName[name] }

// FunctionByOID returns the function with the OID, nil if there is none.
func FunctionByOID(oid uint32) *Function { return functionIndex().byOID[oid] }

// Functions returns every function. The slice is shared and read-only.
func Functions() []*Function { return functionIndex().all }

type functionTables struct {
	all    []*Function
	byName map[string][]*Function
	byOID  map[uint32]*Function
}

var functionIndex = sync.OnceValue(func() *functionTables {
	x := &functionTables{byName: map[string][]*Function{}, byOID: map[uint32]*Function{}}
	for _, text := range functionTexts {
		x.all = parseFunctions(x.all, "pg_catalog", text)
	}
	x.all = parseFunctions(x.all, "layercake", layercakeFunctions)
	for _, f := range x.all {
		x.byName[f.Name] = append(x.byName[f.Name], f)
		x.byOID[f.OID] = f
	}
	return x
})

// parseFunctions appends the functions of a table. A line is: OID, name, arguments, result, flags, and the rest of the
// line is Impl.
//
//   - arguments: types as pg_type names them, comma-separated; "-" for none; "..." before the last one's type makes it
//     VARIADIC (the type is then the array's); ":name" and "=default" may follow the type.
//   - result: a type, "setof:" before it, "{key:text,value:jsonb}" after it for OUT columns.
//   - flags: kind (f, a, w), volatility (i, s, v), then "s" if strict.
//   - Impl: the form for DISTINCT calls may follow it after the word DISTINCT.
//
// The tables are part of the program: a malformed line is a programming error.
func parseFunctions(dst []*Function, schema, text string) []*Function {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		w := strings.SplitN(line, " ", 6)
		if len(w) != 6 || len(w[4]) < 2 {
			panic("catalog: malformed function: " + line)
		}
		f := &Function{OID: tableOID(w[0]), Schema: schema, Name: w[1], Impl: w[5],
			Kind: w[4][0], Volatility: w[4][1], Strict: strings.HasSuffix(w[4][2:], "s")}
		f.Impl, f.Distinct, _ = strings.Cut(f.Impl, " DISTINCT ")
		if w[2] != "-" {
			for a := range strings.SplitSeq(w[2], ",") {
				f.addArg(a)
			}
		}
		var ret string
		ret, f.RetSet = strings.CutPrefix(w[3], "setof:")
		ret, cols, ok := strings.Cut(ret, "{")
		f.Ret = tableType(ret)
		if ok {
			for c := range strings.SplitSeq(strings.TrimSuffix(cols, "}"), ",") {
				name, typ, _ := strings.Cut(c, ":")
				f.OutNames = append(f.OutNames, name)
				f.OutTypes = append(f.OutTypes, tableType(typ))
			}
		}
		dst = append(dst, f)
	}
	return dst
}

// addArg appends an argument of a table's line.
func (f *Function) addArg(a string) {
	a, def, hasDefault := strings.Cut(a, "=")
	a, name, named := strings.Cut(a, ":")
	a, f.Variadic = strings.CutPrefix(a, "...")
	f.Args = append(f.Args, tableType(a))
	if named {
		for len(f.ArgNames) < len(f.Args)-1 {
			f.ArgNames = append(f.ArgNames, "")
		}
		f.ArgNames = append(f.ArgNames, name)
	}
	if hasDefault {
		f.Defaults++
		f.ArgDefaults = append(f.ArgDefaults, def)
	}
}

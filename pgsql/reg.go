package pgsql

import (
	"slices"
	"strconv"
	"strings"

	"layercake/catalog"
	"layercake/pgerror"
)

// regLiteral reads a constant of a reg… type: a number, or a name that is looked up now.
func (c *compiler) regLiteral(text string, typ uint32, loc int32) *expr {
	oid, ok := c.lookupReg(text, typ, loc)
	if !ok {
		c.regMissing(text, typ, loc)
	}
	return &expr{kind: exprConst, typ: typ, typmod: -1, loc: loc, atomic: true, val: catalog.Int(int64(oid))}
}

// regMissing reports a name that a reg… type does not know.
func (c *compiler) regMissing(text string, typ uint32, loc int32) {
	switch typ {
	case catalog.RegclassOID:
		c.failAt(loc, pgerror.UndefinedTable, "relation \"%s\" does not exist", text)
	case catalog.RegtypeOID:
		c.failAt(loc, pgerror.UndefinedObject, "type \"%s\" does not exist", text)
	case catalog.RegnamespaceOID:
		c.failAt(loc, pgerror.InvalidSchemaName, "schema \"%s\" does not exist", text)
	case catalog.RegroleOID:
		c.failAt(loc, pgerror.UndefinedObject, "role \"%s\" does not exist", text)
	case catalog.RegprocOID, catalog.RegprocedureOID:
		c.failAt(loc, pgerror.UndefinedFunction, "function \"%s\" does not exist", text)
	case catalog.RegoperOID, catalog.RegoperatorOID:
		c.failAt(loc, pgerror.UndefinedFunction, "operator does not exist: %s", text)
	}
	c.failAt(loc, pgerror.UndefinedObject, "object \"%s\" does not exist", text)
}

// lookupReg finds the OID that a text means for a reg… type.
func (c *compiler) lookupReg(text string, typ uint32, loc int32) (uint32, bool) {
	t := strings.TrimSpace(text)
	if t == "-" {
		return 0, true
	}
	if n, err := strconv.ParseUint(t, 10, 32); err == nil {
		return uint32(n), true
	}
	switch typ {
	case catalog.RegtypeOID:
		oid, _, err := catalog.LookupType(t)
		return oid, err == nil
	case catalog.RegclassOID:
		names, ok := splitNames(t)
		if !ok {
			c.failAt(loc, pgerror.InvalidName, "invalid name syntax")
		}
		return c.relationOID(names)
	case catalog.RegnamespaceOID:
		names, _ := splitNames(t)
		for _, ns := range c.env.Schema.Namespaces {
			if len(names) == 1 && ns.Name == names[0] {
				return ns.OID, true
			}
		}
		return 0, false
	case catalog.RegroleOID:
		names, _ := splitNames(t)
		for _, r := range c.env.Schema.Roles {
			if len(names) == 1 && r.Name == names[0] {
				return r.OID, true
			}
		}
		return 0, false
	case catalog.RegprocOID, catalog.RegprocedureOID:
		if i := strings.IndexByte(t, '('); i >= 0 {
			return c.procedureOID(t[:i], strings.TrimSuffix(t[i+1:], ")"))
		}
		names, _ := splitNames(t)
		schema := ""
		if len(names) == 2 {
			schema = names[0]
		}
		found := uint32(0)
		if len(names) > 0 {
			for _, f := range catalog.FunctionsNamed(names[len(names)-1]) {
				if c.visible(f, schema) {
					if found != 0 && typ == catalog.RegprocOID {
						c.failAt(loc, pgerror.AmbiguousFunction, "more than one function named \"%s\"", t)
					}
					found = f.OID
				}
			}
			if found == 0 && (schema == "" || schema == "pg_catalog") {
				found = catalog.FunctionOID(names[len(names)-1]) // array_in and its like
			}
		}
		return found, found != 0
	case catalog.RegoperOID, catalog.RegoperatorOID:
		name := strings.TrimPrefix(t, "pg_catalog.")
		if i := strings.IndexByte(name, '('); i >= 0 {
			parts := strings.Split(strings.TrimSuffix(name[i+1:], ")"), ",")
			for _, o := range catalog.OperatorsNamed(name[:i]) {
				if len(parts) == 2 && typeIs(parts[0], o.Left) && typeIs(parts[1], o.Right) {
					return o.OID, true
				}
			}
			return 0, false
		}
		if list := catalog.OperatorsNamed(name); len(list) == 1 {
			return list[0].OID, true
		}
	case catalog.RegcollationOID:
		switch strings.Trim(strings.TrimPrefix(t, "pg_catalog."), `"`) {
		case "default":
			return 100, true
		case "C":
			return 950, true
		case "POSIX":
			return 951, true
		}
	}
	return 0, false
}

func typeIs(text string, oid uint32) bool {
	text = strings.TrimSpace(text)
	if text == "NONE" {
		return oid == 0
	}
	got, _, err := catalog.LookupType(text)
	return err == nil && got == oid
}

// procedureOID finds a function by name and argument types.
func (c *compiler) procedureOID(name, args string) (uint32, bool) {
	names, ok := splitNames(strings.TrimSpace(name))
	if !ok || len(names) == 0 {
		return 0, false
	}
	schema := ""
	if len(names) == 2 {
		schema = names[0]
	}
	var types []uint32
	for _, a := range strings.Split(args, ",") {
		if strings.TrimSpace(a) == "" {
			continue
		}
		oid, _, err := catalog.LookupType(a)
		if err != nil {
			return 0, false
		}
		types = append(types, oid)
	}
next:
	for _, f := range catalog.FunctionsNamed(names[len(names)-1]) {
		if !c.visible(f, schema) || len(f.Args) != len(types) {
			continue
		}
		for i := range types {
			if f.Args[i] != types[i] {
				continue next
			}
		}
		return f.OID, true
	}
	found := uint32(0)
	if schema == "" || schema == "pg_catalog" {
		catalog.TypeFunctions(func(oid uint32, of string, args []uint32) {
			if of == names[len(names)-1] && slices.Equal(args, types) {
				found = oid
			}
		})
	}
	return found, found != 0
}

// relationOID finds a relation or index by a possibly qualified name.
func (c *compiler) relationOID(names []string) (uint32, bool) {
	schema, name := "", ""
	switch len(names) {
	case 1:
		name = names[0]
	case 2:
		schema, name = names[0], names[1]
	case 3:
		schema, name = names[1], names[2]
	}
	if t := c.findTable(schema, name); t != nil {
		return t.OID, true
	}
	for _, t := range c.env.Schema.Relations {
		if schema != "" && t.Schema != schema || schema == "" && !c.inPath(t.Schema) {
			continue
		}
		for _, x := range t.Indexes {
			if x.Name == name {
				return x.OID, true
			}
		}
	}
	return 0, false
}

func (c *compiler) inPath(schema string) bool {
	if schema == "pg_catalog" {
		return true
	}
	for _, s := range c.env.SearchPath {
		if s == schema {
			return true
		}
	}
	return false
}

// splitNames takes a qualified name apart, as in a reg… literal.
func splitNames(s string) ([]string, bool) {
	names, ok := catalog.SplitNames(s)
	for i := range names {
		names[i] = truncateName(names[i])
	}
	return names, ok
}

// oidNames lists what OIDs of a reg… type are called, as the type's output shows them.
func (c *compiler) oidNames(typ uint32) []oidName {
	var out []oidName
	switch typ {
	case catalog.RegclassOID:
		for _, t := range c.env.Schema.Relations {
			out = append(out, oidName{t.OID, c.shownName(t.Schema, t.Name, c.findTable("", t.Name) == t)})
			for _, x := range t.Indexes {
				out = append(out, oidName{x.OID, c.shownName(t.Schema, x.Name, c.inPath(t.Schema))})
			}
		}
	case catalog.RegtypeOID:
		for i := range catalog.Types() {
			t := &catalog.Types()[i]
			out = append(out, oidName{t.OID, catalog.FormatTypeName(t.OID)})
		}
	case catalog.RegnamespaceOID:
		for _, ns := range c.env.Schema.Namespaces {
			out = append(out, oidName{ns.OID, catalog.QuoteIdent(ns.Name)})
		}
	case catalog.RegroleOID:
		for _, r := range c.env.Schema.Roles {
			out = append(out, oidName{r.OID, catalog.QuoteIdent(r.Name)})
		}
	case catalog.RegprocOID:
		for _, f := range catalog.Functions() {
			out = append(out, oidName{f.OID, c.shownName(f.Schema, f.Name, f.Schema == "pg_catalog")})
		}
		catalog.TypeFunctions(func(oid uint32, name string, _ []uint32) {
			out = append(out, oidName{oid, catalog.QuoteIdent(name)})
		})
	case catalog.RegprocedureOID:
		for _, f := range catalog.Functions() {
			args := make([]string, len(f.Args))
			for i, a := range f.Args {
				args[i] = catalog.FormatTypeName(a)
			}
			out = append(out, oidName{f.OID, c.shownName(f.Schema, f.Name, f.Schema == "pg_catalog") + "(" + strings.Join(args, ",") + ")"})
		}
		catalog.TypeFunctions(func(oid uint32, name string, types []uint32) {
			args := make([]string, len(types))
			for i, a := range types {
				args[i] = catalog.FormatTypeName(a)
			}
			out = append(out, oidName{oid, catalog.QuoteIdent(name) + "(" + strings.Join(args, ",") + ")"})
		})
	case catalog.RegoperOID:
		for _, o := range catalog.Operators() {
			out = append(out, oidName{o.OID, o.Name})
		}
	case catalog.RegoperatorOID:
		for _, o := range catalog.Operators() {
			l := "NONE"
			if o.Left != 0 {
				l = catalog.FormatTypeName(o.Left)
			}
			out = append(out, oidName{o.OID, o.Name + "(" + l + "," + catalog.FormatTypeName(o.Right) + ")"})
		}
	case catalog.RegcollationOID:
		out = []oidName{{100, `"default"`}, {950, `"C"`}, {951, `"POSIX"`}}
	}
	return out
}

type oidName struct {
	oid  uint32
	name string
}

func (c *compiler) shownName(schema, name string, visible bool) string {
	if visible {
		return catalog.QuoteIdent(name)
	}
	return catalog.QuoteQualified(schema, name)
}

// regOut is a reg… value as text: its name, found in a row set made of the schema that the plan is compiled against.
func (c *compiler) regOut(e *expr) *expr {
	if e.kind == exprConst {
		if e.val.IsNull() {
			return null(catalog.TextOID, e.loc)
		}
		return &expr{kind: exprConst, typ: catalog.TextOID, typmod: -1, loc: e.loc, atomic: true, val: catalog.Str(c.regName(uint32(e.val.Int()), e.typ))}
	}
	f := plain("lc_reg_name("+c.oidNameSet(e.typ)+", "+c.operand(e)+")", catalog.TextOID, true, e.loc, e)
	f.depth += 2
	return f
}

// oidNameSet places oidNames as an argument of lc_reg_name and its kin.
func (c *compiler) oidNameSet(typ uint32) string {
	c.system = true
	blob := catalog.AppendRow(nil, []catalog.Value{catalog.Int(0), catalog.Str("-")})
	for _, n := range c.oidNames(typ) {
		blob = catalog.AppendRow(blob, []catalog.Value{catalog.Int(int64(n.oid)), catalog.Str(n.name)})
	}
	return c.konst(catalog.BlobBytes(blob))
}

// regResult is a reg… value, or an array of them, as it goes to the client: with its name.
func (c *compiler) regResult(e *expr) string {
	elem := catalog.ElemOf(e.typ)
	switch {
	case elem != 0:
		return "lc_reg_results(" + c.oidNameSet(elem) + ", " + c.operand(e) + ", " + itoa(int(elem)) + ")"
	case e.kind != exprConst:
		return "lc_reg_result(" + c.oidNameSet(e.typ) + ", " + c.operand(e) + ")"
	case e.val.IsNull():
		return "NULL"
	}
	oid := uint32(e.val.Int())
	return c.konst(catalog.NamedOID(oid, []byte(c.regName(oid, e.typ))))
}

// regName shows one OID.
func (c *compiler) regName(oid, typ uint32) string {
	if oid == 0 {
		return "-"
	}
	for _, n := range c.oidNames(typ) {
		if n.oid == oid {
			return n.name
		}
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// regIn reads a text expression as a reg… type when the query runs: a number, or a name among those that this schema
// has.
func (c *compiler) regIn(e *expr, typ uint32) *expr {
	if e.kind == exprConst {
		if e.val.IsNull() {
			return null(typ, e.loc)
		}
		return c.regLiteral(string(e.val.Bytes), typ, e.loc)
	}
	f := c.regFind(e, typ, true)
	code, what := pgerror.UndefinedObject, "object"
	switch typ {
	case catalog.RegclassOID:
		code, what = pgerror.UndefinedTable, "relation"
	case catalog.RegtypeOID:
		what = "type"
	case catalog.RegnamespaceOID:
		code, what = pgerror.InvalidSchemaName, "schema"
	case catalog.RegroleOID:
		what = "role"
	case catalog.RegprocOID, catalog.RegprocedureOID:
		code, what = pgerror.UndefinedFunction, "function"
	}
	t := c.operand(e)
	g := plain("CASE WHEN "+t+" IS NOT NULL THEN coalesce("+f.sql+", lc_raise('"+code+"', '"+what+" \"' || "+t+" || '\" does not exist')) END", typ, true, e.loc, e)
	g.depth += 4
	return g
}

// regFind is regIn that gives NULL where there is no such name (to_regclass …, which know names alone and no numbers).
func (c *compiler) regFind(e *expr, typ uint32, numbers bool) *expr {
	var blob []byte
	add := func(name string, oid uint32) {
		blob = catalog.AppendValue(blob, catalog.Int(int64(oid)))
		blob = catalog.AppendValue(blob, catalog.Str(name))
	}
	for _, n := range c.oidNames(typ) {
		add(n.name, n.oid)
	}
	switch typ {
	case catalog.RegclassOID: // any name may be given qualified
		for _, t := range c.env.Schema.Relations {
			add(catalog.QuoteQualified(t.Schema, t.Name), t.OID)
			for _, x := range t.Indexes {
				add(catalog.QuoteQualified(t.Schema, x.Name), x.OID)
			}
		}
	case catalog.RegtypeOID:
		for i := range catalog.Types() {
			t := &catalog.Types()[i]
			add(t.Name, t.OID)
			add("pg_catalog."+t.Name, t.OID)
		}
	}
	c.system = true
	may := "0"
	if numbers {
		may = "1"
	}
	t := "lc_reg_text(" + c.text(e) + ", " + itoa(int(typ)) + ", " + may + ")"
	sql := "CASE WHEN " + t + " NOT GLOB '*[^0-9]*' THEN " + t + " + 0 ELSE (SELECT c0 FROM lc_rows(" + c.konst(catalog.BlobBytes(blob)) +
		", 2) WHERE c1 = " + t + " LIMIT 1) END"
	f := plain(sql, typ, true, e.loc, e)
	f.depth += 4
	return f
}

package pgsql

import (
	"strings"

	pg "github.com/pganalyze/pg_query_go/v6"

	"layercake/catalog"
	"layercake/pgerror"
)

// typeName resolves a type name to OID and typmod; 42704 if there is none.
func (c *compiler) typeName(t *pg.TypeName) (uint32, int32) {
	if t.GetSetof() {
		c.unsupported(t.GetLocation(), "SETOF type")
	}
	if t.GetPctType() {
		c.unsupported(t.GetLocation(), "%%TYPE")
	}
	names := t.GetNames()
	schema, name := "", ""
	switch len(names) {
	case 1:
		name = names[0].GetString_().GetSval()
	case 2:
		schema, name = names[0].GetString_().GetSval(), names[1].GetString_().GetSval()
	case 3:
		schema, name = names[1].GetString_().GetSval(), names[2].GetString_().GetSval()
	}
	oid := c.typeByName(schema, name)
	if oid == 0 {
		if schema != "" {
			name = schema + "." + name
		}
		c.failAt(t.GetLocation(), pgerror.UndefinedObject, "type \"%s\" does not exist", name)
	}
	c.check(catalog.CheckSupported(oid), t.GetLocation())
	typmod := int32(-1)
	if mods := t.GetTypmods(); len(mods) > 0 {
		list := make([]int64, len(mods))
		for i, m := range mods {
			list[i] = c.typmodConst(m, t.GetLocation())
		}
		var err error
		typmod, err = catalog.EncodeTypmod(oid, list)
		c.check(err, t.GetLocation())
	} else if t.GetTypemod() > 0 {
		typmod = t.GetTypemod()
	} else if oid == catalog.BpcharOID && len(names) == 2 && schema == "pg_catalog" && strings.HasPrefix(strings.ToLower(c.sourceAt(t.GetLocation())), "char") {
		typmod = 5 // CHARACTER without a length is character(1)
	}
	for range t.GetArrayBounds() {
		if arr := catalog.ArrayOf(oid); arr != 0 {
			oid = arr
		} else if catalog.ElemOf(oid) == 0 {
			c.failAt(t.GetLocation(), pgerror.UndefinedObject, "could not find array type for data type %s", catalog.FormatTypeName(oid))
		}
	}
	return oid, typmod
}

// sourceAt returns the query text from a location on.
func (c *compiler) sourceAt(loc int32) string {
	if loc < 0 || int(loc) >= len(c.src) {
		return ""
	}
	return c.src[loc:]
}

// typeByName finds a type in a schema ("": pg_catalog), 0 if there is none.
func (c *compiler) typeByName(schema, name string) uint32 {
	if schema != "" && schema != "pg_catalog" {
		if schema == "information_schema" {
			switch name {
			case "sql_identifier":
				return catalog.NameOID
			case "character_data", "yes_or_no":
				return catalog.VarcharOID
			case "cardinal_number":
				return catalog.Int4OID
			case "time_stamp":
				return catalog.TimestamptzOID
			}
		}
		return 0
	}
	if t := catalog.TypeByName(name); t != nil {
		return t.OID
	}
	return 0
}

// typmodConst reads one type modifier.
func (c *compiler) typmodConst(n *pg.Node, loc int32) int64 {
	switch x := n.GetNode().(type) {
	case *pg.Node_AConst:
		if x.AConst.GetIsnull() {
			break
		}
		switch v := x.AConst.GetVal().(type) {
		case *pg.A_Const_Ival:
			return int64(v.Ival.GetIval())
		case nil:
			return 0
		}
	case *pg.Node_AExpr:
		if x.AExpr.Lexpr == nil && len(x.AExpr.Name) == 1 && x.AExpr.Name[0].GetString_().GetSval() == "-" {
			return -c.typmodConst(x.AExpr.Rexpr, loc)
		}
	}
	c.failAt(loc, pgerror.SyntaxError, "type modifiers must be simple constants or identifiers")
	return 0
}

// category is a type's pg_type.typcategory.
func category(oid uint32) byte {
	if t := catalog.TypeByOID(oid); t != nil {
		return t.Category
	}
	return 0
}

func preferred(oid uint32) bool {
	t := catalog.TypeByOID(oid)
	return t != nil && t.Preferred
}

// isPolymorphic says whether oid is one of the any… types that a call's arguments decide.
func isPolymorphic(oid uint32) bool {
	switch oid {
	case catalog.AnyelementOID, catalog.AnyarrayOID, catalog.AnynonarrayOID, catalog.AnyenumOID, catalog.AnycompatibleOID,
		catalog.AnycompatiblearrayOID, catalog.AnycompatiblenonarrayOID, catalog.AnyrangeOID:
		return true
	}
	return false
}

func typeDisplay(oid uint32) string { return catalog.FormatTypeName(oid) }

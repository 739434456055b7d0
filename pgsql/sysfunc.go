package pgsql

import (
	"slices"
	"strings"

	"layercake/catalog"
)

// macros are functions with a body of PostgreSQL text, in which $1 … are the arguments; most look into the system
// tables.
var macros = map[string]string{
	"null":             "NULL",
	"current_database": "current_catalog",
	"current_user":     "current_user",
	"session_user":     "session_user",

	"col_description":   "(SELECT description FROM pg_catalog.pg_description WHERE objoid = $1 AND classoid = 1259 AND objsubid = $2)",
	"obj_description":   "(SELECT description FROM pg_catalog.pg_description WHERE objoid = $1 AND objsubid = 0 LIMIT 1)",
	"shobj_description": "(SELECT description FROM pg_catalog.pg_shdescription WHERE objoid = $1 LIMIT 1)",

	"pg_get_function_arguments":          "(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = 'arguments')",
	"pg_get_function_identity_arguments": "(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = 'identity')",
	"pg_get_function_result":             "(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = 'result')",
	"pg_get_userbyid":                    "coalesce((SELECT rolname FROM pg_catalog.pg_authid WHERE oid = $1)::text, 'unknown (OID=' || $1::text || ')')",

	"pg_relation_size":         "(SELECT relpages::int8 * 8192 FROM pg_catalog.pg_class WHERE oid = $1)",
	"pg_total_relation_size":   "(SELECT relpages::int8 * 8192 FROM pg_catalog.pg_class WHERE oid = $1)",
	"pg_indexes_size":          "(SELECT coalesce(sum(c.relpages), 0)::int8 * 8192 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1)",
	"pg_database_size":         "(SELECT sum(relpages)::int8 * 8192 FROM pg_catalog.pg_class)",
	"pg_column_size":           "octet_length($1::text)",
	"pg_collation_for":         "'\"default\"'",
	"pg_relation_is_updatable": "(SELECT CASE WHEN relkind = 'r' THEN 28 ELSE 0 END FROM pg_catalog.pg_class WHERE oid = $1)",

	"pg_index_column_has_property": `(SELECT CASE WHEN $2 > i.indnkeyatts THEN CASE $3 WHEN 'orderable' THEN false WHEN 'distance_orderable' THEN false WHEN 'returnable' THEN true END
		ELSE CASE $3
		WHEN 'asc' THEN c.relam = 403 AND i.indoption[$2 - 1] & 1 = 0
		WHEN 'desc' THEN c.relam = 403 AND i.indoption[$2 - 1] & 1 = 1
		WHEN 'nulls_first' THEN c.relam = 403 AND i.indoption[$2 - 1] & 2 = 2
		WHEN 'nulls_last' THEN c.relam = 403 AND i.indoption[$2 - 1] & 2 = 0
		WHEN 'orderable' THEN c.relam = 403 WHEN 'distance_orderable' THEN false WHEN 'returnable' THEN c.relam = 403
		WHEN 'search_array' THEN c.relam = 403 WHEN 'search_nulls' THEN c.relam IN (403, 783, 3580, 4000) END END
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indexrelid = $1 AND $2 BETWEEN 1 AND i.indnatts)`,
	"pg_index_has_property": `(SELECT CASE $2 WHEN 'clusterable' THEN relam IN (403, 783) WHEN 'index_scan' THEN relam NOT IN (2742, 3580)
		WHEN 'bitmap_scan' THEN true WHEN 'backward_scan' THEN relam IN (403, 405) END FROM pg_catalog.pg_class WHERE oid = $1 AND relkind = 'i')`,
	"pg_indexam_has_property": "CASE $2 WHEN 'can_order' THEN true WHEN 'can_unique' THEN true WHEN 'can_multi_col' THEN true WHEN 'can_exclude' THEN false WHEN 'can_include' THEN true END",
	"pg_function_is_visible":  "(SELECT pronamespace = 11 FROM pg_catalog.pg_proc WHERE oid = $1)",
	"pg_type_is_visible":      "(SELECT typnamespace = 11 OR EXISTS (SELECT 1 FROM pg_catalog.pg_namespace n WHERE n.oid = typnamespace AND n.nspname = ANY (current_schemas(true))) FROM pg_catalog.pg_type WHERE oid = $1)",
}

// specials are functions with code of their own.
var specials map[string]func(*compiler, *call) *expr

func init() {
	specials = map[string]func(*compiler, *call) *expr{
		"current_schema":  func(c *compiler, x *call) *expr { return c.currentSchema(x.loc) },
		"current_schemas": currentSchemas,
		"current_query": func(c *compiler, x *call) *expr {
			return plain(c.konst(catalog.Str(c.src)), catalog.TextOID, true, x.loc)
		},
		"pg_typeof":              pgTypeof,
		"format_type":            formatType,
		"pg_table_is_visible":    tableIsVisible,
		"pg_get_indexdef":        getIndexdef,
		"pg_get_constraintdef":   func(c *compiler, x *call) *expr { return definition(c, x, "constraint") },
		"pg_get_viewdef":         getViewdef,
		"pg_get_serial_sequence": serialSequence,
		"to_reg": func(c *compiler, x *call) *expr {
			e := x.args[0]
			if e.kind == exprConst && !e.val.IsNull() {
				if oid, ok := c.lookupReg(string(e.val.Bytes), x.ret, x.loc); ok {
					return &expr{kind: exprConst, typ: x.ret, typmod: -1, loc: x.loc, atomic: true, val: catalog.Int(int64(oid))}
				}
				return null(x.ret, x.loc)
			}
			return c.regFind(e, x.ret, false)
		},
		"has_privilege": hasPrivilege,
		"pg_has_role":   allowed,
		"pg_get_expr":   getExpr,
		"pg_options_to_table": func(c *compiler, x *call) *expr {
			at := "instr(value, '=')"
			return plain("(SELECT lc_pack(CASE WHEN "+at+" > 0 THEN substr(value, 1, "+at+" - 1) ELSE value END, CASE WHEN "+at+
				" > 0 THEN substr(value, "+at+" + 1) END) FROM lc_unnest("+c.text(x.args[0])+"))", x.ret, true, x.loc, x.args[0])
		},
		"expandarray": func(c *compiler, x *call) *expr {
			return plain("(SELECT lc_pack(value, ordinality) FROM lc_unnest("+c.text(x.args[0])+"))", x.ret, true, x.loc, x.args...)
		},
		"empty":           noRows,
		"pg_get_keywords": noRows,
	}
	for _, name := range []string{
		"pg_event_trigger_ddl_commands", "pg_prepared_statement", "pg_cursor", "pg_lock_status",
		"pg_available_extensions", "pg_available_extension_versions", "pg_show_all_settings",
	} {
		specials[name] = noRows
	}
}

// noRows is a set-returning function that has no rows here.
func noRows(c *compiler, x *call) *expr {
	if len(x.fn.OutTypes) > 1 {
		return plain("x''", x.ret, true, x.loc)
	}
	return plain("lc_array("+itoa(int(x.ret))+")", x.ret, true, x.loc)
}

// allowed is a privilege check of a superuser, or of what everybody may use.
func allowed(c *compiler, x *call) *expr {
	parts := make([]string, 0, len(x.args))
	for _, a := range x.args {
		if a.kind != exprConst || a.val.IsNull() {
			parts = append(parts, c.operand(a)+" IS NOT NULL")
		}
	}
	if len(parts) == 0 {
		return plain("1", catalog.BoolOID, true, x.loc)
	}
	return plain("CASE WHEN "+strings.Join(parts, " AND ")+" THEN 1 END", catalog.BoolOID, true, x.loc, x.args...)
}

func currentSchemas(c *compiler, x *call) *expr {
	implicit, explicit := c.session("search_path_implicit"), c.session("search_path")
	if a := x.args[0]; a.kind == exprConst {
		if a.val.Bool() {
			return plain(implicit, catalog.NameArrayOID, true, x.loc)
		}
		return plain(explicit, catalog.NameArrayOID, true, x.loc)
	}
	return plain("CASE WHEN "+c.operand(x.args[0])+" THEN "+implicit+" ELSE "+explicit+" END", catalog.NameArrayOID, true, x.loc)
}

func pgTypeof(c *compiler, x *call) *expr {
	typ := argType(x.args[0])
	if x.scope != nil {
		x.scope.folded = x.scope.folded || x.scope.hasAgg // the argument may be an aggregate, and the only one
	}
	return &expr{kind: exprConst, typ: catalog.RegtypeOID, typmod: -1, loc: x.loc, atomic: true, val: catalog.Int(int64(typ))}
}

func formatType(c *compiler, x *call) *expr {
	return c.emit(&template{impl: "lc_format_type($1, $2)", args: x.args, ret: catalog.TextOID, typmod: -1}, x.loc)
}

// tableIsVisible looks the relation up among those that the search path shows.
func tableIsVisible(c *compiler, x *call) *expr {
	var seen, hidden []byte
	add := func(schema, name string, oid uint32, t *catalog.Table) {
		visible := c.inPath(schema)
		if visible && t != nil {
			visible = c.findTable("", name) == t
		}
		if visible {
			seen = catalog.AppendValue(seen, catalog.Int(int64(oid)))
		} else {
			hidden = catalog.AppendValue(hidden, catalog.Int(int64(oid)))
		}
	}
	for _, t := range c.env.Schema.Relations {
		add(t.Schema, t.Name, t.OID, t)
		for _, ix := range t.Indexes {
			add(t.Schema, ix.Name, ix.OID, nil)
		}
	}
	c.system = true
	a := c.operand(x.args[0])
	return plain("CASE WHEN "+a+" IN (SELECT c0 FROM lc_rows("+c.konst(catalog.BlobBytes(seen))+", 1)) THEN 1 WHEN "+
		a+" IN (SELECT c0 FROM lc_rows("+c.konst(catalog.BlobBytes(hidden))+", 1)) THEN 0 END", catalog.BoolOID, true, x.loc, x.args[0])
}

// definition looks a text up that catalog works out (pg_catalog._definition).
func definition(c *compiler, x *call, kind string) *expr {
	if kind == "constraint" && !slices.Contains(c.env.SearchPath, "public") {
		kind = "constraint_qualified"
	}
	if len(x.args) > 1 && x.args[1].kind == exprConst && x.args[1].val.Bool() && kind == "constraint" {
		kind += "_pretty"
	}
	return c.expandMacro("(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = '"+kind+"')", x)
}

// getExpr shows a stored expression: it names sequences of schema public without the schema, which is only right where
// the search path has it.
func getExpr(c *compiler, x *call) *expr {
	if slices.Contains(c.env.SearchPath, "public") {
		return c.expandMacro("$1::text", x)
	}
	return c.expandMacro(`regexp_replace($1::text, $re$nextval\('("[^"']+"|[^."']+)'::regclass\)$re$, $re$nextval('public.\1'::regclass)$re$, 'g')`, x)
}

func getIndexdef(c *compiler, x *call) *expr {
	kind := "index"
	if len(x.args) == 3 {
		if x.args[2].kind == exprConst && x.args[2].val.Bool() {
			kind = "index_pretty"
		}
		return c.expandMacro("(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = '"+kind+"' AND coalesce(sub, 0) = $2)", x)
	}
	return c.expandMacro("(SELECT def FROM pg_catalog._definition WHERE objid = $1 AND kind = '"+kind+"' AND coalesce(sub, 0) = 0)", x)
}

func getViewdef(c *compiler, x *call) *expr {
	if x.args[0].typ == catalog.TextOID {
		x.args[0] = c.coerceType(c.regIn(x.args[0], catalog.RegclassOID), catalog.OidOID, implicitCast)
	}
	return definition(c, x, "view")
}

func serialSequence(c *compiler, x *call) *expr {
	x.args[0] = c.coerceType(c.regIn(x.args[0], catalog.RegclassOID), catalog.OidOID, implicitCast)
	var blob []byte
	for _, t := range c.env.Schema.Relations {
		for _, col := range t.Columns {
			if col.Sequence.IsZero() {
				continue
			}
			if seq := c.env.Schema.RelationByID(col.Sequence); seq != nil {
				blob = catalog.AppendValue(blob, catalog.Int(int64(t.OID)))
				blob = catalog.AppendValue(blob, catalog.Str(col.Name))
				blob = catalog.AppendValue(blob, catalog.Str(catalog.QuoteQualified(seq.Schema, seq.Name)))
			}
		}
	}
	c.system = true
	return plain("(SELECT c2 FROM lc_rows("+c.konst(catalog.BlobBytes(blob))+", 3) WHERE c0 = "+c.operand(x.args[0])+" AND c1 = "+c.operand(x.args[1])+")",
		catalog.TextOID, true, x.loc, x.args...)
}

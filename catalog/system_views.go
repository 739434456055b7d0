package catalog

import "strings"

// systemViews are the views of pg_catalog and information_schema as PostgreSQL text. information_schema shows every
// user what exists: there are no privileges by column that it could leave out.
var systemViews = map[string]string{
	"pg_catalog.pg_database": `SELECT 5::oid AS oid, current_database() AS datname, 10::oid AS datdba, 6 AS encoding,
		'c'::"char" AS datlocprovider, false AS datistemplate, true AS datallowconn, -1 AS datconnlimit,
		'0'::xid AS datfrozenxid, '1'::xid AS datminmxid, 1663::oid AS dattablespace, 'C'::text AS datcollate,
		'C'::text AS datctype, NULL::text AS daticulocale, NULL::text AS datcollversion, NULL::aclitem[] AS datacl`,

	"pg_catalog.pg_roles": `SELECT a.rolname, a.rolsuper, a.rolinherit, a.rolcreaterole, a.rolcreatedb, a.rolcanlogin, a.rolreplication,
		a.rolconnlimit, '********'::text AS rolpassword, a.rolvaliduntil, a.rolbypassrls, s.setconfig AS rolconfig,
		a.oid
		FROM pg_catalog.pg_authid a
		LEFT JOIN pg_catalog.pg_db_role_setting s ON a.oid = s.setrole AND s.setdatabase = 0::oid`,

	"pg_catalog.pg_shadow": `SELECT a.rolname AS usename, a.oid AS usesysid, a.rolcreatedb AS usecreatedb, a.rolsuper AS usesuper,
		a.rolreplication AS userepl, a.rolbypassrls AS usebypassrls, a.rolpassword AS passwd,
		a.rolvaliduntil AS valuntil, s.setconfig AS useconfig
		FROM pg_catalog.pg_authid a
		LEFT JOIN pg_catalog.pg_db_role_setting s ON a.oid = s.setrole AND s.setdatabase = 0::oid
		WHERE a.rolcanlogin`,

	"pg_catalog.pg_user": `SELECT a.rolname AS usename, a.oid AS usesysid, a.rolcreatedb AS usecreatedb, a.rolsuper AS usesuper,
		a.rolreplication AS userepl, a.rolbypassrls AS usebypassrls, '********'::text AS passwd,
		a.rolvaliduntil AS valuntil, s.setconfig AS useconfig
		FROM pg_catalog.pg_authid a
		LEFT JOIN pg_catalog.pg_db_role_setting s ON a.oid = s.setrole AND s.setdatabase = 0::oid
		WHERE a.rolcanlogin`,

	"pg_catalog.pg_group": `SELECT a.rolname AS groname, a.oid AS grosysid,
		ARRAY(SELECT m.member FROM pg_catalog.pg_auth_members m WHERE m.roleid = a.oid) AS grolist
		FROM pg_catalog.pg_authid a
		WHERE NOT a.rolcanlogin`,

	"pg_catalog.pg_tables": `SELECT n.nspname AS schemaname, c.relname AS tablename, a.rolname AS tableowner, t.spcname AS tablespace,
		c.relhasindex AS hasindexes, c.relhasrules AS hasrules, c.relhastriggers AS hastriggers,
		c.relrowsecurity AS rowsecurity
		FROM pg_catalog.pg_class c
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
		LEFT JOIN pg_catalog.pg_authid a ON a.oid = c.relowner
		WHERE c.relkind IN ('r', 'p')`,

	"pg_catalog.pg_views": `SELECT n.nspname AS schemaname, c.relname AS viewname, a.rolname AS viewowner, d.def AS definition
		FROM pg_catalog.pg_class c
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_authid a ON a.oid = c.relowner
		LEFT JOIN pg_catalog._definition d ON d.objid = c.oid AND d.kind = 'view'
		WHERE c.relkind = 'v'`,

	"pg_catalog.pg_indexes": `SELECT n.nspname AS schemaname, c.relname AS tablename, i.relname AS indexname, NULL::name AS tablespace,
		d.def AS indexdef
		FROM pg_catalog.pg_index x
		JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
		JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog._definition d ON d.objid = i.oid AND d.kind = 'index' AND d.sub = 0`,

	"pg_catalog.pg_sequences": `SELECT n.nspname AS schemaname, c.relname AS sequencename, a.rolname AS sequenceowner,
		s.seqtypid::regtype AS data_type, s.seqstart AS start_value, s.seqmin AS min_value, s.seqmax AS max_value,
		s.seqincrement AS increment_by, s.seqcycle AS cycle, s.seqcache AS cache_size,
		pg_sequence_last_value(c.oid::regclass) AS last_value
		FROM pg_catalog.pg_sequence s
		JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_authid a ON a.oid = c.relowner`,

	"information_schema.information_schema_catalog_name": `SELECT current_database() AS catalog_name`,

	"information_schema.enabled_roles": `SELECT a.rolname AS role_name
		FROM pg_catalog.pg_authid a`,

	"information_schema.schemata": `SELECT current_database() AS catalog_name, n.nspname AS schema_name, a.rolname AS schema_owner,
		NULL::name AS default_character_set_catalog, NULL::name AS default_character_set_schema,
		NULL::name AS default_character_set_name, NULL::character varying AS sql_path
		FROM pg_catalog.pg_namespace n
		LEFT JOIN pg_catalog.pg_authid a ON a.oid = n.nspowner`,

	"information_schema.tables": `SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
		CASE c.relkind WHEN 'r' THEN 'BASE TABLE' WHEN 'v' THEN 'VIEW' END::character varying AS table_type,
		NULL::name AS self_referencing_column_name, NULL::character varying AS reference_generation,
		NULL::name AS user_defined_type_catalog, NULL::name AS user_defined_type_schema,
		NULL::name AS user_defined_type_name,
		CASE WHEN c.relkind = 'r' THEN 'YES' ELSE 'NO' END::character varying AS is_insertable_into,
		'NO'::character varying AS is_typed, NULL::character varying AS commit_action
		FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_class c ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'v')`,

	"information_schema.columns": columnsView,

	"information_schema.views": `SELECT current_database() AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
		d.def::character varying AS view_definition, 'NONE'::character varying AS check_option,
		'NO'::character varying AS is_updatable, 'NO'::character varying AS is_insertable_into,
		'NO'::character varying AS is_trigger_updatable, 'NO'::character varying AS is_trigger_deletable,
		'NO'::character varying AS is_trigger_insertable_into
		FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
		LEFT JOIN pg_catalog._definition d ON d.objid = c.oid AND d.kind = 'view'
		WHERE c.relkind = 'v'`,

	"information_schema.sequences": `SELECT current_database() AS sequence_catalog, n.nspname AS sequence_schema, c.relname AS sequence_name,
		format_type(s.seqtypid, NULL)::character varying AS data_type,
		CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 ELSE 64 END AS numeric_precision, 2 AS numeric_precision_radix,
		0 AS numeric_scale, s.seqstart::character varying AS start_value, s.seqmin::character varying AS minimum_value,
		s.seqmax::character varying AS maximum_value, s.seqincrement::character varying AS increment,
		CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END::character varying AS cycle_option
		FROM pg_catalog.pg_namespace n
		JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
		JOIN pg_catalog.pg_sequence s ON c.oid = s.seqrelid
		WHERE c.relkind = 'S' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 1259 AND d.objid =
			c.oid AND d.deptype = 'i')`,

	"information_schema.table_constraints": `SELECT current_database() AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name,
		current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
		CASE c.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN
			'UNIQUE' END::character varying AS constraint_type,
		CASE WHEN c.condeferrable THEN 'YES' ELSE 'NO' END::character varying AS is_deferrable,
		CASE WHEN c.condeferred THEN 'YES' ELSE 'NO' END::character varying AS initially_deferred,
		'YES'::character varying AS enforced,
		CASE WHEN c.contype = 'u' THEN CASE WHEN (SELECT NOT x.indnullsnotdistinct FROM pg_catalog.pg_index x WHERE
			x.indexrelid = c.conindid) THEN 'YES' ELSE 'NO' END END::character varying AS nulls_distinct
		FROM pg_catalog.pg_constraint c
		JOIN pg_catalog.pg_class r ON c.conrelid = r.oid
		JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		UNION ALL SELECT current_database(), nr.nspname,
		((((nr.oid::text || '_') || r.oid::text) || '_') || a.attnum::text || '_not_null')::name, current_database(),
		nr.nspname, r.relname, 'CHECK'::character varying, 'NO'::character varying, 'NO'::character varying,
		'YES'::character varying, NULL::character varying
		FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind = 'r'`,

	"information_schema.check_constraints": `SELECT current_database() AS constraint_catalog, n.nspname AS constraint_schema, c.conname AS constraint_name,
		substring(d.def, 7)::character varying AS check_clause
		FROM pg_catalog.pg_constraint c
		LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
		LEFT JOIN pg_catalog._definition d ON d.objid = c.oid AND d.kind = 'constraint'
		WHERE c.contype = 'c'
		UNION ALL SELECT current_database(), nr.nspname,
		((((nr.oid::text || '_') || r.oid::text) || '_') || a.attnum::text || '_not_null')::name,
		(a.attname::text || ' IS NOT NULL')::character varying
		FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class r ON r.oid = a.attrelid
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped AND r.relkind = 'r'`,

	"information_schema.key_column_usage": `SELECT current_database() AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name,
		current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
		a.attname AS column_name, k.n::integer AS ordinal_position,
		CASE WHEN c.contype = 'f' THEN (SELECT array_position(u.conkey, c.confkey[k.n::integer]) FROM
			pg_catalog.pg_constraint u WHERE u.conindid = c.conindid AND u.conrelid = c.confrelid AND u.contype IN ('p',
			'u')) END AS position_in_unique_constraint
		FROM pg_catalog.pg_constraint c
		CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
		JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
		JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.attnum
		WHERE c.contype IN ('p', 'u', 'f')`,

	"information_schema.constraint_column_usage": `SELECT current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
		a.attname AS column_name, current_database() AS constraint_catalog, nc.nspname AS constraint_schema,
		c.conname AS constraint_name
		FROM pg_catalog.pg_constraint c
		CROSS JOIN LATERAL unnest(CASE WHEN c.contype = 'f' THEN c.confkey ELSE c.conkey END) AS k(attnum)
		JOIN pg_catalog.pg_class r ON r.oid = CASE WHEN c.contype = 'f' THEN c.confrelid ELSE c.conrelid END
		JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.attnum`,

	"information_schema.constraint_table_usage": `SELECT current_database() AS table_catalog, nr.nspname AS table_schema, r.relname AS table_name,
		current_database() AS constraint_catalog, nc.nspname AS constraint_schema, c.conname AS constraint_name
		FROM pg_catalog.pg_constraint c
		JOIN pg_catalog.pg_class r ON r.oid = CASE WHEN c.contype = 'f' THEN c.confrelid ELSE c.conrelid END
		JOIN pg_catalog.pg_namespace nc ON nc.oid = c.connamespace
		JOIN pg_catalog.pg_namespace nr ON nr.oid = r.relnamespace
		WHERE c.contype IN ('p', 'u', 'f')`,

	"information_schema.referential_constraints": `SELECT current_database() AS constraint_catalog, n.nspname AS constraint_schema, c.conname AS constraint_name,
		CASE WHEN u.oid IS NULL THEN NULL ELSE current_database() END AS unique_constraint_catalog,
		nu.nspname AS unique_constraint_schema, u.conname AS unique_constraint_name,
		CASE c.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' WHEN 's' THEN 'NONE' END::character varying
			AS match_option,
		CASE c.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN
			'RESTRICT' WHEN 'a' THEN 'NO ACTION' END::character varying AS update_rule,
		CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' WHEN 'r' THEN
			'RESTRICT' WHEN 'a' THEN 'NO ACTION' END::character varying AS delete_rule
		FROM pg_catalog.pg_constraint c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace
		LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = c.conindid AND u.conrelid = c.confrelid AND u.contype IN
			('p', 'u')
		LEFT JOIN pg_catalog.pg_namespace nu ON nu.oid = u.connamespace
		WHERE c.contype = 'f'`,

	"information_schema.table_privileges":  tablePrivilegesView,
	"information_schema.role_table_grants": tablePrivilegesView,

	"information_schema.character_sets": `SELECT NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
		'UTF8'::name AS character_set_name, 'UCS'::name AS character_repertoire, 'UTF8'::name AS form_of_use,
		current_database() AS default_collate_catalog, 'pg_catalog'::name AS default_collate_schema,
		'C'::name AS default_collate_name`,

	"information_schema.collations": `SELECT current_database() AS collation_catalog, n.nspname AS collation_schema, c.collname AS collation_name,
		'NO PAD'::character varying AS pad_attribute
		FROM pg_catalog.pg_collation c
		JOIN pg_catalog.pg_namespace n ON c.collnamespace = n.oid`,

	"pg_catalog.pg_stat_database": `SELECT 5::oid AS datid, current_database() AS datname, NULL::integer AS numbackends, 0::bigint AS xact_commit,
		0::bigint AS xact_rollback, 0::bigint AS blks_read, 0::bigint AS blks_hit, 0::bigint AS tup_returned,
		0::bigint AS tup_fetched, 0::bigint AS tup_inserted, 0::bigint AS tup_updated, 0::bigint AS tup_deleted,
		0::bigint AS conflicts, 0::bigint AS temp_files, 0::bigint AS temp_bytes, 0::bigint AS deadlocks,
		NULL::bigint AS checksum_failures, NULL::timestamp with time zone AS checksum_last_failure,
		0::double precision AS blk_read_time, 0::double precision AS blk_write_time,
		0::double precision AS session_time, 0::double precision AS active_time,
		0::double precision AS idle_in_transaction_time, 0::bigint AS sessions, 0::bigint AS sessions_abandoned,
		0::bigint AS sessions_fatal, 0::bigint AS sessions_killed, NULL::timestamp with time zone AS stats_reset`,

	"pg_catalog.pg_stat_all_tables":    statTablesView(""),
	"pg_catalog.pg_stat_sys_tables":    statTablesView(" AND n.nspname IN ('pg_catalog', 'information_schema')"),
	"pg_catalog.pg_stat_user_tables":   statTablesView(" AND n.nspname NOT IN ('pg_catalog', 'information_schema')"),
	"pg_catalog.pg_statio_all_tables":  statioTablesView(""),
	"pg_catalog.pg_statio_user_tables": statioTablesView(" AND n.nspname NOT IN ('pg_catalog', 'information_schema')"),
	"pg_catalog.pg_stat_all_indexes":   statIndexesView(""),
	"pg_catalog.pg_stat_user_indexes":  statIndexesView(" AND n.nspname NOT IN ('pg_catalog', 'information_schema')"),
}

const columnsView = `SELECT current_database() AS table_catalog, nc.nspname AS table_schema, c.relname AS table_name,
		a.attname AS column_name, a.attnum::integer AS ordinal_position,
		CASE WHEN a.attgenerated = '' THEN pg_get_expr(ad.adbin, ad.adrelid) END::character varying AS column_default,
		CASE WHEN a.attnotnull THEN 'NO' ELSE 'YES' END::character varying AS is_nullable,
		CASE WHEN t.typelem <> 0::oid AND t.typlen = -1 THEN 'ARRAY' ELSE format_type(a.atttypid, NULL) END::character
			varying AS data_type,
		CASE WHEN a.atttypmod = -1 THEN NULL WHEN a.atttypid IN (1042, 1043) THEN a.atttypmod - 4 WHEN a.atttypid IN
			(1560, 1562) THEN a.atttypmod END AS character_maximum_length,
		CASE WHEN a.atttypid IN (25, 1042, 1043) THEN CASE WHEN a.atttypmod = -1 THEN 1073741824 ELSE (a.atttypmod - 4)
			* 4 END END AS character_octet_length,
		CASE a.atttypid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53 WHEN 1700
			THEN CASE WHEN a.atttypmod = -1 THEN NULL ELSE ((a.atttypmod - 4) >> 16) & 65535 END END AS numeric_precision,
		CASE WHEN a.atttypid IN (21, 23, 20, 700, 701) THEN 2 WHEN a.atttypid = 1700 THEN 10 END AS numeric_precision_radix,
		CASE WHEN a.atttypid IN (21, 23, 20) THEN 0 WHEN a.atttypid = 1700 AND a.atttypmod <> -1 THEN (a.atttypmod - 4)
			& 2047 END AS numeric_scale,
		CASE WHEN a.atttypid = 1082 THEN 0 WHEN a.atttypid IN (1083, 1114, 1184, 1266) THEN CASE WHEN a.atttypmod < 0
			THEN 6 ELSE a.atttypmod END WHEN a.atttypid = 1186 THEN CASE WHEN a.atttypmod < 0 OR (a.atttypmod & 65535) =
			65535 THEN 6 ELSE a.atttypmod & 65535 END END AS datetime_precision,
		CASE WHEN a.atttypid = 1186 AND a.atttypmod >= 0 AND ((a.atttypmod >> 16) & 32767) <> 32767 THEN
			upper(substr(format_type(a.atttypid, a.atttypmod), 10)) END::character varying AS interval_type,
		NULL::integer AS interval_precision, NULL::name AS character_set_catalog, NULL::name AS character_set_schema,
		NULL::name AS character_set_name, CASE WHEN co.oid IS NOT NULL THEN current_database() END AS collation_catalog,
		CASE WHEN co.oid IS NOT NULL THEN 'pg_catalog'::name END AS collation_schema, co.collname AS collation_name,
		NULL::name AS domain_catalog, NULL::name AS domain_schema, NULL::name AS domain_name,
		current_database() AS udt_catalog, 'pg_catalog'::name AS udt_schema, t.typname AS udt_name,
		NULL::name AS scope_catalog, NULL::name AS scope_schema, NULL::name AS scope_name,
		NULL::integer AS maximum_cardinality, a.attnum::text::name AS dtd_identifier,
		'NO'::character varying AS is_self_referencing,
		CASE WHEN a.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END::character varying AS is_identity,
		CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END::character varying AS identity_generation,
		s.seqstart::character varying AS identity_start, s.seqincrement::character varying AS identity_increment,
		s.seqmax::character varying AS identity_maximum, s.seqmin::character varying AS identity_minimum,
		CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END::character varying AS identity_cycle,
		CASE WHEN a.attgenerated <> '' THEN 'ALWAYS' ELSE 'NEVER' END::character varying AS is_generated,
		CASE WHEN a.attgenerated <> '' THEN pg_get_expr(ad.adbin, ad.adrelid) END::character varying AS generation_expression,
		CASE WHEN c.relkind = 'r' THEN 'YES' ELSE 'NO' END::character varying AS is_updatable
		FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
		JOIN pg_catalog.pg_namespace nc ON c.relnamespace = nc.oid
		JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
		LEFT JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
		LEFT JOIN pg_catalog.pg_collation co ON a.attcollation = co.oid AND co.collname <> 'default'
		LEFT JOIN pg_catalog.pg_depend dep ON dep.refclassid = 1259 AND dep.refobjid = c.oid AND dep.refobjsubid =
			a.attnum AND dep.classid = 1259 AND dep.deptype = 'i'
		LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = dep.objid
		WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v')`

const tablePrivilegesView = `SELECT a.rolname AS grantor, a.rolname AS grantee, current_database() AS table_catalog,
		n.nspname AS table_schema, c.relname AS table_name, p.privilege_type::character varying AS privilege_type,
		'YES'::character varying AS is_grantable,
		CASE WHEN p.privilege_type = 'SELECT' THEN 'YES' ELSE 'NO' END::character varying AS with_hierarchy
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_catalog.pg_authid a ON a.oid = c.relowner
		CROSS JOIN (VALUES ('INSERT'), ('SELECT'), ('UPDATE'), ('DELETE'), ('TRUNCATE'), ('REFERENCES'), ('TRIGGER'))
			AS p(privilege_type)
		WHERE c.relkind IN ('r', 'v')`

// statTablesView shows the tables with counters of zero: nothing is counted.
func statTablesView(where string) string {
	counters := "seq_scan seq_tup_read idx_scan idx_tup_fetch n_tup_ins n_tup_upd n_tup_del n_tup_hot_upd n_live_tup n_dead_tup n_mod_since_analyze n_ins_since_vacuum"
	stamps := "last_vacuum last_autovacuum last_analyze last_autoanalyze"
	more := "vacuum_count autovacuum_count analyze_count autoanalyze_count"
	return "SELECT c.oid AS relid, n.nspname AS schemaname, c.relname" + each(counters, "0::bigint") +
		each(stamps, "NULL::timestamp with time zone") + each(more, "0::bigint") + statFrom + where
}

func statioTablesView(where string) string {
	counters := "heap_blks_read heap_blks_hit idx_blks_read idx_blks_hit toast_blks_read toast_blks_hit tidx_blks_read tidx_blks_hit"
	return "SELECT c.oid AS relid, n.nspname AS schemaname, c.relname" + each(counters, "0::bigint") + statFrom + where
}

const statFrom = " FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"

func statIndexesView(where string) string {
	return "SELECT c.oid AS relid, i.oid AS indexrelid, n.nspname AS schemaname, c.relname, i.relname AS indexrelname" +
		each("idx_scan idx_tup_read idx_tup_fetch", "0::bigint") +
		" FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indrelid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid" +
		" LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'" + where
}

// each lists value under every one of the names.
func each(names, value string) string {
	var b strings.Builder
	for name := range strings.FieldsSeq(names) {
		b.WriteString(", " + value + " AS " + name)
	}
	return b.String()
}

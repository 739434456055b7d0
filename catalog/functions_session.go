package catalog

// sessionFunctions are those that need the session, the schema or the server.
// The form of a line is described at parseFunctions.
const sessionFunctions = `
1574 nextval regclass int8 fvs lc_nextval
1575 currval regclass int8 fvs lc_currval
1576 setval regclass,int8 int8 fvs lc_setval($1, $2, 1)
1765 setval regclass,int8,bool int8 fvs lc_setval
2559 lastval - int8 fvs lc_lastval()
2077 current_setting text text fss lc_setting($1, 0)
3294 current_setting text,bool text fss lc_setting
2078 set_config text,text,bool text fv- lc_set_config
3036 pg_notify text,text void fv- lc_notify
3035 pg_listening_channels - setof:text fss lc_listening_channels()
2943 txid_current - int8 fss lc_txid_current()
5059 pg_current_xact_id - xid8 fss lc_txid_current()
3348 txid_current_if_assigned - int8 fss lc_txid_current_if_assigned()
5060 pg_current_xact_id_if_assigned - xid8 fss lc_txid_current_if_assigned()
2026 pg_backend_pid - int4 fss lc_backend_pid()
2171 pg_cancel_backend int4 bool fvs lc_cancel_backend
2096 pg_terminate_backend int4:pid,int8:timeout=0 bool fvs lc_terminate_backend
2880 pg_advisory_lock int8 void fvs lc_advisory_lock($1, NULL, 0, 0, 1)
2886 pg_advisory_lock int4,int4 void fvs lc_advisory_lock($1, $2, 0, 0, 1)
2881 pg_advisory_lock_shared int8 void fvs lc_advisory_lock($1, NULL, 1, 0, 1)
2887 pg_advisory_lock_shared int4,int4 void fvs lc_advisory_lock($1, $2, 1, 0, 1)
3089 pg_advisory_xact_lock int8 void fvs lc_advisory_lock($1, NULL, 0, 1, 1)
3093 pg_advisory_xact_lock int4,int4 void fvs lc_advisory_lock($1, $2, 0, 1, 1)
3090 pg_advisory_xact_lock_shared int8 void fvs lc_advisory_lock($1, NULL, 1, 1, 1)
3094 pg_advisory_xact_lock_shared int4,int4 void fvs lc_advisory_lock($1, $2, 1, 1, 1)
2882 pg_try_advisory_lock int8 bool fvs lc_advisory_lock($1, NULL, 0, 0, 0)
2888 pg_try_advisory_lock int4,int4 bool fvs lc_advisory_lock($1, $2, 0, 0, 0)
2883 pg_try_advisory_lock_shared int8 bool fvs lc_advisory_lock($1, NULL, 1, 0, 0)
2889 pg_try_advisory_lock_shared int4,int4 bool fvs lc_advisory_lock($1, $2, 1, 0, 0)
3091 pg_try_advisory_xact_lock int8 bool fvs lc_advisory_lock($1, NULL, 0, 1, 0)
3095 pg_try_advisory_xact_lock int4,int4 bool fvs lc_advisory_lock($1, $2, 0, 1, 0)
3092 pg_try_advisory_xact_lock_shared int8 bool fvs lc_advisory_lock($1, NULL, 1, 1, 0)
3096 pg_try_advisory_xact_lock_shared int4,int4 bool fvs lc_advisory_lock($1, $2, 1, 1, 0)
2884 pg_advisory_unlock int8 bool fvs lc_advisory_unlock($1, NULL, 0)
2890 pg_advisory_unlock int4,int4 bool fvs lc_advisory_unlock($1, $2, 0)
2885 pg_advisory_unlock_shared int8 bool fvs lc_advisory_unlock($1, NULL, 1)
2891 pg_advisory_unlock_shared int4,int4 bool fvs lc_advisory_unlock($1, $2, 1)
2892 pg_advisory_unlock_all - void fvs lc_advisory_unlock_all()
89 version - text fss lc_version()
861 current_database - name fss @current_database
1402 current_schema - name fss @current_schema
1403 current_schemas bool _name fss @current_schemas
745 current_user - name fss @current_user
746 session_user - name fss @session_user
710 getpgusername - name fss @current_user
817 current_query - text fv- @current_query
1619 pg_typeof any regtype fs- @pg_typeof
1081 format_type oid,int4 text fs- @format_type
1216 col_description oid,int4 text fss @col_description
1215 obj_description oid,name text fss @obj_description
1348 obj_description oid text fss @obj_description
1993 shobj_description oid,name text fss @shobj_description
1387 pg_get_constraintdef oid text fss @pg_get_constraintdef
2508 pg_get_constraintdef oid,bool text fss @pg_get_constraintdef
1716 pg_get_expr pg_node_tree,oid text fss @pg_get_expr
2509 pg_get_expr pg_node_tree,oid,bool text fss CASE WHEN $3 THEN lc_pretty_expr($1) ELSE $1 END
2162 pg_get_function_arguments oid text fss @pg_get_function_arguments
2232 pg_get_function_identity_arguments oid text fss @pg_get_function_identity_arguments
2165 pg_get_function_result oid text fss @pg_get_function_result
3808 pg_get_function_arg_default oid,int4 text fss @null
2098 pg_get_functiondef oid text fss @null
6197 pg_get_function_sqlbody oid text fss @null
1643 pg_get_indexdef oid text fss @pg_get_indexdef
2507 pg_get_indexdef oid,int4,bool text fss @pg_get_indexdef
3408 pg_get_partition_constraintdef oid text fss @null
3352 pg_get_partkeydef oid text fss @null
1573 pg_get_ruledef oid text fss @null
2504 pg_get_ruledef oid,bool text fss @null
1665 pg_get_serial_sequence text,text text fss @pg_get_serial_sequence
3415 pg_get_statisticsobjdef oid text fss @null
6174 pg_get_statisticsobjdef_columns oid text fss @null
6173 pg_get_statisticsobjdef_expressions oid _text fss @null
1662 pg_get_triggerdef oid text fss @null
2730 pg_get_triggerdef oid,bool text fss @null
1642 pg_get_userbyid oid name fss @pg_get_userbyid
1640 pg_get_viewdef text text fss @pg_get_viewdef
1641 pg_get_viewdef oid text fss @pg_get_viewdef
2505 pg_get_viewdef text,bool text fss @pg_get_viewdef
2506 pg_get_viewdef oid,bool text fss @pg_get_viewdef
3159 pg_get_viewdef oid,int4 text fss @pg_get_viewdef
1686 pg_get_keywords - setof:record{word:text,catcode:char,barelabel:bool,catdesc:text,baredesc:text} fss @pg_get_keywords
6120 pg_get_replica_identity_index regclass regclass fss @null
2289 pg_options_to_table _text:options_array setof:record{option_name:text,option_value:text} fss @pg_options_to_table
2079 pg_table_is_visible oid bool fss @pg_table_is_visible
2080 pg_type_is_visible oid bool fss @pg_type_is_visible
2081 pg_function_is_visible oid bool fss @pg_function_is_visible
2082 pg_operator_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
2083 pg_opclass_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3829 pg_opfamily_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3815 pg_collation_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
2093 pg_conversion_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3403 pg_statistics_obj_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3758 pg_ts_config_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3757 pg_ts_dict_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3756 pg_ts_parser_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3768 pg_ts_template_is_visible oid bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3495 to_regclass text regclass fss @to_reg
3493 to_regtype text regtype fss @to_reg
3494 to_regproc text regproc fss @to_reg
3479 to_regprocedure text regprocedure fss @to_reg
3492 to_regoper text regoper fss @to_reg
3476 to_regoperator text regoperator fss @to_reg
4086 to_regnamespace text regnamespace fss @to_reg
4093 to_regrole text regrole fss @to_reg
4195 to_regcollation text regcollation fss @to_reg
1922 has_table_privilege name,text,text bool fss @has_privilege
1923 has_table_privilege name,oid,text bool fss @has_privilege
1924 has_table_privilege oid,text,text bool fss @has_privilege
1925 has_table_privilege oid,oid,text bool fss @has_privilege
1926 has_table_privilege text,text bool fss @has_privilege
1927 has_table_privilege oid,text bool fss @has_privilege
3012 has_column_privilege name,text,text,text bool fss @has_privilege
3013 has_column_privilege name,text,int2,text bool fss @has_privilege
3014 has_column_privilege name,oid,text,text bool fss @has_privilege
3015 has_column_privilege name,oid,int2,text bool fss @has_privilege
3016 has_column_privilege oid,text,text,text bool fss @has_privilege
3017 has_column_privilege oid,text,int2,text bool fss @has_privilege
3018 has_column_privilege oid,oid,text,text bool fss @has_privilege
3019 has_column_privilege oid,oid,int2,text bool fss @has_privilege
3020 has_column_privilege text,text,text bool fss @has_privilege
3021 has_column_privilege text,int2,text bool fss @has_privilege
3022 has_column_privilege oid,text,text bool fss @has_privilege
3023 has_column_privilege oid,int2,text bool fss @has_privilege
3024 has_any_column_privilege name,text,text bool fss @has_privilege
3025 has_any_column_privilege name,oid,text bool fss @has_privilege
3026 has_any_column_privilege oid,text,text bool fss @has_privilege
3027 has_any_column_privilege oid,oid,text bool fss @has_privilege
3028 has_any_column_privilege text,text bool fss @has_privilege
3029 has_any_column_privilege oid,text bool fss @has_privilege
2250 has_database_privilege name,text,text bool fss @has_privilege
2251 has_database_privilege name,oid,text bool fss @has_privilege
2252 has_database_privilege oid,text,text bool fss @has_privilege
2253 has_database_privilege oid,oid,text bool fss @has_privilege
2254 has_database_privilege text,text bool fss @has_privilege
2255 has_database_privilege oid,text bool fss @has_privilege
2268 has_schema_privilege name,text,text bool fss @has_privilege
2269 has_schema_privilege name,oid,text bool fss @has_privilege
2270 has_schema_privilege oid,text,text bool fss @has_privilege
2271 has_schema_privilege oid,oid,text bool fss @has_privilege
2272 has_schema_privilege text,text bool fss @has_privilege
2273 has_schema_privilege oid,text bool fss @has_privilege
2181 has_sequence_privilege name,text,text bool fss @has_privilege
2182 has_sequence_privilege name,oid,text bool fss @has_privilege
2183 has_sequence_privilege oid,text,text bool fss @has_privilege
2184 has_sequence_privilege oid,oid,text bool fss @has_privilege
2185 has_sequence_privilege text,text bool fss @has_privilege
2186 has_sequence_privilege oid,text bool fss @has_privilege
2256 has_function_privilege name,text,text bool fss @has_privilege
2257 has_function_privilege name,oid,text bool fss @has_privilege
2258 has_function_privilege oid,text,text bool fss @has_privilege
2259 has_function_privilege oid,oid,text bool fss @has_privilege
2260 has_function_privilege text,text bool fss @has_privilege
2261 has_function_privilege oid,text bool fss @has_privilege
2262 has_language_privilege name,text,text bool fss @has_privilege
2263 has_language_privilege name,oid,text bool fss @has_privilege
2264 has_language_privilege oid,text,text bool fss @has_privilege
2265 has_language_privilege oid,oid,text bool fss @has_privilege
2266 has_language_privilege text,text bool fss @has_privilege
2267 has_language_privilege oid,text bool fss @has_privilege
3138 has_type_privilege name,text,text bool fss @has_privilege
3139 has_type_privilege name,oid,text bool fss @has_privilege
3140 has_type_privilege oid,text,text bool fss @has_privilege
3141 has_type_privilege oid,oid,text bool fss @has_privilege
3142 has_type_privilege text,text bool fss @has_privilege
3143 has_type_privilege oid,text bool fss @has_privilege
2390 has_tablespace_privilege name,text,text bool fss @has_privilege
2391 has_tablespace_privilege name,oid,text bool fss @has_privilege
2392 has_tablespace_privilege oid,text,text bool fss @has_privilege
2393 has_tablespace_privilege oid,oid,text bool fss @has_privilege
2394 has_tablespace_privilege text,text bool fss @has_privilege
2395 has_tablespace_privilege oid,text bool fss @has_privilege
3000 has_foreign_data_wrapper_privilege name,text,text bool fss @has_privilege
3001 has_foreign_data_wrapper_privilege name,oid,text bool fss @has_privilege
3002 has_foreign_data_wrapper_privilege oid,text,text bool fss @has_privilege
3003 has_foreign_data_wrapper_privilege oid,oid,text bool fss @has_privilege
3004 has_foreign_data_wrapper_privilege text,text bool fss @has_privilege
3005 has_foreign_data_wrapper_privilege oid,text bool fss @has_privilege
3006 has_server_privilege name,text,text bool fss @has_privilege
3007 has_server_privilege name,oid,text bool fss @has_privilege
3008 has_server_privilege oid,text,text bool fss @has_privilege
3009 has_server_privilege oid,oid,text bool fss @has_privilege
3010 has_server_privilege text,text bool fss @has_privilege
3011 has_server_privilege oid,text bool fss @has_privilege
6205 has_parameter_privilege name,text,text bool fss @has_privilege
6206 has_parameter_privilege oid,text,text bool fss @has_privilege
6207 has_parameter_privilege text,text bool fss @has_privilege
2705 pg_has_role name,name,text bool fss @pg_has_role
2706 pg_has_role name,oid,text bool fss @pg_has_role
2707 pg_has_role oid,name,text bool fss @pg_has_role
2708 pg_has_role oid,oid,text bool fss @pg_has_role
2709 pg_has_role name,text bool fss @pg_has_role
2710 pg_has_role oid,text bool fss @pg_has_role
3298 row_security_active oid bool fss (0)
3299 row_security_active text bool fss (0)
3943 acldefault char,oid _aclitem fis @null
1689 aclexplode _aclitem:acl setof:record{grantor:oid,grantee:oid,privilege_type:text,is_grantable:bool} fss @empty
1597 pg_encoding_to_char int4 name fss CASE $1 WHEN 6 THEN 'UTF8' WHEN 0 THEN 'SQL_ASCII' WHEN 8 THEN 'LATIN1' ELSE '' END
1264 pg_char_to_encoding name int4 fss CASE replace(lower($1), '-', '') WHEN 'utf8' THEN 6 WHEN 'unicode' THEN 6 WHEN 'sql_ascii' THEN 0 WHEN 'latin1' THEN 8 ELSE -1 END
2319 pg_encoding_max_length int4 int4 fis CASE $1 WHEN 6 THEN 4 WHEN 0 THEN 1 WHEN 8 THEN 1 END
810 pg_client_encoding - name fss ('UTF8')
1039 getdatabaseencoding - name fss ('UTF8')
3810 pg_is_in_recovery - bool fvs (0)
3073 pg_is_wal_replay_paused - bool fvs (0)
2855 pg_is_other_temp_schema oid bool fss (0)
2854 pg_my_temp_schema - oid fss (0)
315 pg_jit_available - bool fvs (0)
3163 pg_trigger_depth - int4 fss (0)
3778 pg_tablespace_location oid text fss CASE WHEN $1 IS NOT NULL THEN '' END
6121 pg_relation_is_publishable regclass bool fss CASE WHEN $1 IS NOT NULL THEN 1 END
3425 pg_partition_ancestors regclass:partitionid setof:regclass{relid:regclass} fvs @empty
3424 pg_partition_root regclass regclass fis @null
638 pg_index_column_has_property regclass,int4,text bool fss @pg_index_column_has_property
637 pg_index_has_property regclass,text bool fss @pg_index_has_property
636 pg_indexam_has_property oid,text bool fss @pg_indexam_has_property
3843 pg_column_is_updatable regclass,int2,bool bool fss (1)
3842 pg_relation_is_updatable regclass,bool int4 fss @pg_relation_is_updatable
2325 pg_relation_size regclass int8 fvs @pg_relation_size
2332 pg_relation_size regclass,text int8 fvs @pg_relation_size
2997 pg_table_size regclass int8 fvs @pg_relation_size
2998 pg_indexes_size regclass int8 fvs @pg_indexes_size
2286 pg_total_relation_size regclass int8 fvs @pg_total_relation_size
2168 pg_database_size name int8 fvs @pg_database_size
2324 pg_database_size oid int8 fvs @pg_database_size
2322 pg_tablespace_size oid int8 fvs @pg_database_size
2323 pg_tablespace_size name int8 fvs @pg_database_size
2999 pg_relation_filenode regclass oid fss $1
3034 pg_relation_filepath regclass text fss @null
1269 pg_column_size any int4 fss @pg_column_size
3162 pg_collation_for any text fs- @pg_collation_for
2288 pg_size_pretty int8 text fis lc_size_pretty($1)
3166 pg_size_pretty numeric text fis lc_size_pretty(lc_n2i8($1))
3334 pg_size_bytes text int8 fis lc_size_bytes
2560 pg_postmaster_start_time - timestamptz fss lc_start_time()
2034 pg_conf_load_time - timestamptz fss lc_start_time()
2561 pg_blocking_pids int4 _int4 fvs lc_blocking_pids
3376 pg_safe_snapshot_blocking_pids int4 _int4 fvs lc_in('{}', 1007, -1, NULL)
4032 pg_sequence_last_value regclass int8 fvs lc_sequence_last_value
3078 pg_sequence_parameters oid:sequence_oid record{start_value:int8,minimum_value:int8,maximum_value:int8,increment:int8,cycle_option:bool,cache_size:int8,data_type:oid} fss @pg_sequence_parameters
2621 pg_reload_conf - bool fvs (1)
1928 pg_stat_get_numscans oid int8 fss (0)
2230 pg_stat_clear_snapshot - void fv- (NULL)
5066 pg_xact_status xid8 text fvs lc_xact_status
3360 txid_status int8 text fvs lc_xact_status
2856 pg_timezone_names - setof:record{name:text,abbrev:text,utc_offset:interval,is_dst:bool} fss lc_timezone_names($now)
2599 pg_timezone_abbrevs - setof:record{abbrev:text,utc_offset:interval,is_dst:bool} fss lc_timezone_abbrevs()
2199 inet_server_port - int4 fs- lc_server_port()
2197 inet_client_port - int4 fs- lc_client_port()
3537 pg_describe_object oid,oid,int4 text fss @null
4568 pg_event_trigger_ddl_commands - setof:record{classid:oid,objid:oid,objsubid:int4,command_tag:text,object_type:text,schema_name:text,object_identity:text,in_extension:bool,command:pg_ddl_command} fss @empty
2510 pg_prepared_statement - setof:record{name:text,statement:text,prepare_time:timestamptz,parameter_types:_regtype,from_sql:bool,generic_plans:int8,custom_plans:int8} fss @pg_prepared_statement
2511 pg_cursor - setof:record{name:text,statement:text,is_holdable:bool,is_binary:bool,is_scrollable:bool,creation_time:timestamptz} fss @pg_cursor
2084 pg_show_all_settings - setof:record{name:text,setting:text,unit:text,category:text,short_desc:text,extra_desc:text,context:text,vartype:text,source:text,min_val:text,max_val:text,enumvals:_text,boot_val:text,reset_val:text,sourcefile:text,sourceline:int4,pending_restart:bool} fss @pg_show_all_settings
1371 pg_lock_status - setof:record{locktype:text,database:oid,relation:oid,page:int4,tuple:int2,virtualxid:text,transactionid:xid,classid:oid,objid:oid,objsubid:int2,virtualtransaction:text,pid:int4,mode:text,granted:bool,fastpath:bool,waitstart:timestamptz} fvs @pg_lock_status
3082 pg_available_extensions - setof:record{name:name,default_version:text,comment:text} fss @pg_available_extensions
3083 pg_available_extension_versions - setof:record{name:name,version:text,superuser:bool,trusted:bool,relocatable:bool,schema:name,requires:_name,comment:text} fss @empty
3084 pg_extension_update_paths name:name setof:record{source:text,target:text,path:text} fss @empty
3809 pg_export_snapshot - text fvs @unsupported
2622 pg_rotate_logfile - bool fvs (0)
275 pg_nextoid regclass,name,regclass oid fvs @unsupported
2274 pg_stat_reset - void fv- (NULL)
3830 pg_last_xact_replay_timestamp - timestamptz fvs (NULL)
3939 mxid_age xid int4 fss (0)
1181 age xid int4 fss (0)
`

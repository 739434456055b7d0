package catalog

// jsonFunctions are the functions on json and jsonb.
// The form of a line is described at parseFunctions.
const jsonFunctions = `
3176 to_json anyelement json fss lc_to_json($1, $t1, $m1, $env)
3787 to_jsonb anyelement jsonb fss lc_to_jsonb($1, $t1, $m1, $env)
3155 row_to_json record json fss lc_to_json($1, $t1, $m1, $env)
3156 row_to_json record,bool json fss lc_row_to_json($1, $t1, $m1, $env, $2)
3153 array_to_json anyarray json fss lc_to_json($1, $t1, $m1, $env)
3154 array_to_json anyarray,bool json fss lc_array_to_json($1, $t1, $m1, $env, $2)
3198 json_build_array ...any json fs- lc_json_build_array($env, $targs)
3199 json_build_array - json fs- lc_json_build_array($env)
3271 jsonb_build_array ...any jsonb fs- lc_jsonb_build_array($env, $targs)
3272 jsonb_build_array - jsonb fs- lc_jsonb_build_array($env)
3200 json_build_object ...any json fs- lc_json_build_object($env, $targs)
3201 json_build_object - json fs- lc_json_build_object($env)
3273 jsonb_build_object ...any jsonb fs- lc_jsonb_build_object($env, $targs)
3274 jsonb_build_object - jsonb fs- lc_jsonb_build_object($env)
3202 json_object _text json fis lc_json_object
3203 json_object _text,_text json fis lc_json_object
3263 jsonb_object _text jsonb fis lc_jsonb_object
3264 jsonb_object _text,_text jsonb fis lc_jsonb_object
3956 json_array_length json int4 fis lc_json_array_length
3207 jsonb_array_length jsonb int4 fis lc_json_array_length
3968 json_typeof json text fis lc_json_typeof
3210 jsonb_typeof jsonb text fis lc_json_typeof
3261 json_strip_nulls json json fis lc_json_strip_nulls
3262 jsonb_strip_nulls jsonb jsonb fis lc_jsonb_strip_nulls
3951 json_extract_path json:from_json,..._text:path_elems json fis lc_json_path($1, $2)
3953 json_extract_path_text json:from_json,..._text:path_elems text fis lc_json_path_text($1, $2)
3217 jsonb_extract_path jsonb:from_json,..._text:path_elems jsonb fis lc_jsonb_path($1, $2)
3940 jsonb_extract_path_text jsonb:from_json,..._text:path_elems text fis lc_jsonb_path_text($1, $2)
3947 json_object_field json:from_json,text:field_name json fis lc_json_get
3948 json_object_field_text json:from_json,text:field_name text fis lc_json_get_text
3949 json_array_element json:from_json,int4:element_index json fis lc_json_get
3950 json_array_element_text json:from_json,int4:element_index text fis lc_json_get_text
3478 jsonb_object_field jsonb:from_json,text:field_name jsonb fis lc_jsonb_get
3214 jsonb_object_field_text jsonb:from_json,text:field_name text fis lc_jsonb_get_text
3215 jsonb_array_element jsonb:from_json,int4:element_index jsonb fis lc_jsonb_get
3216 jsonb_array_element_text jsonb:from_json,int4:element_index text fis lc_jsonb_get_text
4046 jsonb_contains jsonb,jsonb bool fis lc_jsonb_contains
4050 jsonb_contained jsonb,jsonb bool fis lc_jsonb_contains($2, $1)
4047 jsonb_exists jsonb,text bool fis lc_jsonb_exists
4048 jsonb_exists_any jsonb,_text bool fis lc_jsonb_exists_any
4049 jsonb_exists_all jsonb,_text bool fis lc_jsonb_exists_all
3301 jsonb_concat jsonb,jsonb jsonb fis lc_jsonb_concat
3302 jsonb_delete jsonb,text jsonb fis lc_jsonb_delete
3303 jsonb_delete jsonb,int4 jsonb fis lc_jsonb_delete
3343 jsonb_delete jsonb:from_json,..._text:path_elems jsonb fis lc_jsonb_delete_keys
3304 jsonb_delete_path jsonb,_text jsonb fis lc_jsonb_delete_path
3305 jsonb_set jsonb:jsonb_in,_text:path,jsonb:replacement,bool:create_if_missing=true jsonb fis lc_jsonb_set
5054 jsonb_set_lax jsonb:jsonb_in,_text:path,jsonb:replacement,bool:create_if_missing=true,text:null_value_treatment='use_json_null' jsonb fi- lc_jsonb_set_lax
3579 jsonb_insert jsonb:jsonb_in,_text:path,jsonb:replacement,bool:insert_after=false jsonb fis lc_jsonb_insert
3306 jsonb_pretty jsonb text fis lc_jsonb_pretty
3957 json_object_keys json setof:text fis lc_json_object_keys
3931 jsonb_object_keys jsonb setof:text fis lc_json_object_keys
3958 json_each json:from_json setof:record{key:text,value:json} fis lc_json_each
3208 jsonb_each jsonb:from_json setof:record{key:text,value:jsonb} fis lc_jsonb_each
3959 json_each_text json:from_json setof:record{key:text,value:text} fis lc_json_each_text
3932 jsonb_each_text jsonb:from_json setof:record{key:text,value:text} fis lc_jsonb_each_text
3955 json_array_elements json:from_json setof:json{value:json} fis lc_json_array_elements
3219 jsonb_array_elements jsonb:from_json setof:jsonb{value:jsonb} fis lc_jsonb_array_elements
3969 json_array_elements_text json:from_json setof:text{value:text} fis lc_json_array_elements_text
3465 jsonb_array_elements_text jsonb:from_json setof:text{value:text} fis lc_jsonb_array_elements_text
`

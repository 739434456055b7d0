package catalog

// aggregateFunctions are the aggregates. The Impl of an aggregate may have a second part after " => ": a template of what
// is made of the aggregate's result, which is $1 there.
// The form of a line is described at parseFunctions.
const aggregateFunctions = `
2147 count any int8 ai- count
2803 count - int8 ai- count
2109 sum int2 int8 ai- lc_sumi
2108 sum int4 int8 ai- lc_sumi
2107 sum int8 numeric ai- lc_sum8
2110 sum float4 float4 ai- lc_sumf4
2111 sum float8 float8 ai- lc_sumf
2114 sum numeric numeric ai- lc_sumn
2113 sum interval interval ai- lc_pack($1) => lc_sum_packed_iv($1)
2102 avg int2 numeric ai- lc_avgi
2101 avg int4 numeric ai- lc_avgi
2100 avg int8 numeric ai- lc_avgi
2104 avg float4 float8 ai- lc_avgf
2105 avg float8 float8 ai- lc_avgf
2103 avg numeric numeric ai- lc_avgn
2106 avg interval interval ai- lc_pack($1) => lc_avg_packed_iv($1)
2133 min int2 int2 ai- min
2132 min int4 int4 ai- min
2131 min int8 int8 ai- min
2134 min oid oid ai- min
2135 min float4 float4 ai- min
2136 min float8 float8 ai- min
2145 min text text ai- min
2245 min bpchar bpchar ai- min
2138 min date date ai- min
2139 min time time ai- min
2142 min timestamp timestamp ai- min
2143 min timestamptz timestamptz ai- min
2051 min anyarray anyarray ai- min
2146 min numeric numeric ai- min($1 COLLATE RTRIM)
2144 min interval interval ai- min($1 COLLATE LCKEY)
2140 min timetz timetz ai- min($1 COLLATE LCKEY)
2117 max int2 int2 ai- max
2116 max int4 int4 ai- max
2115 max int8 int8 ai- max
2118 max oid oid ai- max
2119 max float4 float4 ai- max
2120 max float8 float8 ai- max
2129 max text text ai- max
2244 max bpchar bpchar ai- max
2122 max date date ai- max
2123 max time time ai- max
2126 max timestamp timestamp ai- max
2127 max timestamptz timestamptz ai- max
2050 max anyarray anyarray ai- max
2130 max numeric numeric ai- max($1 COLLATE RTRIM)
2128 max interval interval ai- max($1 COLLATE LCKEY)
2124 max timetz timetz ai- max($1 COLLATE LCKEY)
2517 bool_and bool bool ai- lc_bool_and
2518 bool_or bool bool ai- lc_bool_or
2519 every bool bool ai- lc_bool_and
2236 bit_and int2 int2 ai- lc_bit_and
2238 bit_and int4 int4 ai- lc_bit_and
2240 bit_and int8 int8 ai- lc_bit_and
2237 bit_or int2 int2 ai- lc_bit_or
2239 bit_or int4 int4 ai- lc_bit_or
2241 bit_or int8 int8 ai- lc_bit_or
6164 bit_xor int2 int2 ai- lc_bit_xor
6165 bit_xor int4 int4 ai- lc_bit_xor
6166 bit_xor int8 int8 ai- lc_bit_xor
3538 string_agg text,text text ai- lc_string_agg DISTINCT lc_pack($1) => lc_pack_join($1, $2)
3545 string_agg bytea,bytea bytea ai- lc_string_agg DISTINCT lc_pack($1) => lc_pack_join($1, $2)
2335 array_agg anynonarray anyarray ai- lc_array_agg($1, $t1) DISTINCT lc_pack($1) => lc_array_of($1, $t1)
4053 array_agg anyarray anyarray ai- lc_array_agga($1, $t1)
3175 json_agg anyelement json as- lc_string_agg(lc_json_item($1, $t1, $m1, $env), ', ') => '[' || ltrim($1, ' ' || char(10)) || ']' DISTINCT lc_pack(lc_json_item($1, $t1, $m1, $env)) => '[' || ltrim(lc_pack_join($1, ', '), ' ' || char(10)) || ']'
3267 jsonb_agg anyelement jsonb as- lc_string_agg(lc_to_jsonb_null($1, $t1, $m1, $env), ', ') => '[' || $1 || ']' DISTINCT lc_pack(lc_to_jsonb_null($1, $t1, $m1, $env)) => '[' || lc_pack_join($1, ', ') || ']'
3197 json_object_agg any,any json as- lc_string_agg(lc_json_pair($1, $t1, $m1, $2, $t2, $m2, $env), ', ') => '{ ' || $1 || ' }'
3270 jsonb_object_agg any,any jsonb ai- lc_string_agg(lc_json_pair($1, $t1, $m1, $2, $t2, $m2, $env), ', ') => lc_jsonb('{' || $1 || '}')
2156 stddev int2 numeric ai- lc_stddev_sampn
2155 stddev int4 numeric ai- lc_stddev_sampn
2154 stddev int8 numeric ai- lc_stddev_sampn
2159 stddev numeric numeric ai- lc_stddev_sampn
2157 stddev float4 float8 ai- lc_stddev_sampf
2158 stddev float8 float8 ai- lc_stddev_sampf
2714 stddev_samp int2 numeric ai- lc_stddev_sampn
2713 stddev_samp int4 numeric ai- lc_stddev_sampn
2712 stddev_samp int8 numeric ai- lc_stddev_sampn
2717 stddev_samp numeric numeric ai- lc_stddev_sampn
2715 stddev_samp float4 float8 ai- lc_stddev_sampf
2716 stddev_samp float8 float8 ai- lc_stddev_sampf
2726 stddev_pop int2 numeric ai- lc_stddev_popn
2725 stddev_pop int4 numeric ai- lc_stddev_popn
2724 stddev_pop int8 numeric ai- lc_stddev_popn
2729 stddev_pop numeric numeric ai- lc_stddev_popn
2727 stddev_pop float4 float8 ai- lc_stddev_popf
2728 stddev_pop float8 float8 ai- lc_stddev_popf
2150 variance int2 numeric ai- lc_var_sampn
2149 variance int4 numeric ai- lc_var_sampn
2148 variance int8 numeric ai- lc_var_sampn
2153 variance numeric numeric ai- lc_var_sampn
2151 variance float4 float8 ai- lc_var_sampf
2152 variance float8 float8 ai- lc_var_sampf
2643 var_samp int2 numeric ai- lc_var_sampn
2642 var_samp int4 numeric ai- lc_var_sampn
2641 var_samp int8 numeric ai- lc_var_sampn
2646 var_samp numeric numeric ai- lc_var_sampn
2644 var_samp float4 float8 ai- lc_var_sampf
2645 var_samp float8 float8 ai- lc_var_sampf
2720 var_pop int2 numeric ai- lc_var_popn
2719 var_pop int4 numeric ai- lc_var_popn
2718 var_pop int8 numeric ai- lc_var_popn
2723 var_pop numeric numeric ai- lc_var_popn
2721 var_pop float4 float8 ai- lc_var_popf
2722 var_pop float8 float8 ai- lc_var_popf
2829 corr float8,float8 float8 ai- lc_corr
2827 covar_pop float8,float8 float8 ai- lc_covar_pop
2828 covar_samp float8,float8 float8 ai- lc_covar_samp
2822 regr_avgx float8,float8 float8 ai- lc_regr_avgx
2823 regr_avgy float8,float8 float8 ai- lc_regr_avgy
2818 regr_count float8,float8 int8 ai- lc_regr_count
2826 regr_intercept float8,float8 float8 ai- lc_regr_intercept
2824 regr_r2 float8,float8 float8 ai- lc_regr_r2
2825 regr_slope float8,float8 float8 ai- lc_regr_slope
2819 regr_sxx float8,float8 float8 ai- lc_regr_sxx
2821 regr_sxy float8,float8 float8 ai- lc_regr_sxy
2820 regr_syy float8,float8 float8 ai- lc_regr_syy
3974 percentile_cont float8,float8 float8 ai- lc_percentile_cont($2, $1, $desc)
3972 percentile_disc float8,anyelement anyelement ai- lc_percentile_disc($2, $1, $t2, $desc)
3984 mode anyelement anyelement ai- lc_mode($1, $t1)
3100 row_number - int8 wi- row_number
3101 rank - int8 wi- rank
3102 dense_rank - int8 wi- dense_rank
3103 percent_rank - float8 wi- percent_rank
3104 cume_dist - float8 wi- cume_dist
3105 ntile int4 int4 wis ntile(CASE WHEN $1 < 1 THEN lc_raise('22014', 'argument of ntile must be greater than zero') ELSE coalesce($1, 1) END) => CASE WHEN $2 IS NOT NULL THEN $1 END
3106 lag anyelement anyelement wis lag
3107 lag anyelement,int4 anyelement wis lag
3108 lag anycompatible,int4,anycompatible anycompatible wis lag
3109 lead anyelement anyelement wis lead
3110 lead anyelement,int4 anyelement wis lead
3111 lead anycompatible,int4,anycompatible anycompatible wis lead
3112 first_value anyelement anyelement wis first_value
3113 last_value anyelement anyelement wis last_value
3114 nth_value anyelement,int4 anyelement wis nth_value($1, CASE WHEN $2 < 1 THEN lc_raise('22016', 'argument of nth_value must be greater than zero') ELSE coalesce($2, 1) END) => CASE WHEN $3 IS NOT NULL THEN $1 END
`

package catalog

// arrayFunctions are the functions on arrays, and those that make rows.
// The form of a line is described at parseFunctions.
const arrayFunctions = `
2176 array_length anyarray,int4 int4 fis lc_array_length
748 array_ndims anyarray int4 fis lc_array_ndims
747 array_dims anyarray text fis lc_array_dims
2091 array_lower anyarray,int4 int4 fis lc_array_lower
2092 array_upper anyarray,int4 int4 fis lc_array_upper
3179 cardinality anyarray int4 fis lc_cardinality
378 array_append anycompatiblearray,anycompatible anycompatiblearray fi- lc_array_append($1, $2, $t1)
379 array_prepend anycompatible,anycompatiblearray anycompatiblearray fi- lc_array_prepend($1, $2, $t2)
383 array_cat anycompatiblearray,anycompatiblearray anycompatiblearray fi- lc_array_cat($1, $2, $t1)
3167 array_remove anycompatiblearray,anycompatible anycompatiblearray fi- lc_array_remove($1, $2, $t1)
3168 array_replace anycompatiblearray,anycompatible,anycompatible anycompatiblearray fi- lc_array_replace($1, $2, $3, $t1)
3277 array_position anycompatiblearray,anycompatible int4 fi- lc_array_position($1, $2, $t1)
3278 array_position anycompatiblearray,anycompatible,int4 int4 fi- lc_array_position($1, $2, $t1, $3)
3279 array_positions anycompatiblearray,anycompatible _int4 fi- lc_array_positions($1, $2, $t1)
1193 array_fill anyelement,_int4 anyarray fi- lc_array_fill($1, $rt, $2, NULL)
1286 array_fill anyelement,_int4,_int4 anyarray fi- lc_array_fill($1, $rt, $2, $3)
6172 trim_array anyarray,int4 anyarray fis lc_trim_array
395 array_to_string anyarray,text text fss lc_array_to_string($1, $2, NULL, $t1, $env)
384 array_to_string anyarray,text,text text fs- lc_array_to_string($1, $2, $3, $t1, $env)
2748 arraycontains anyarray,anyarray bool fis lc_array_contains($1, $2, $t1)
2749 arraycontained anyarray,anyarray bool fis lc_array_contains($2, $1, $t1)
2747 arrayoverlap anyarray,anyarray bool fis lc_array_overlap($1, $2, $t1)
2331 unnest anyarray setof:anyelement fis lc_unnest($1)
1066 generate_series int4,int4,int4 setof:int4 fis lc_series($1, $2, $3)
1067 generate_series int4,int4 setof:int4 fis lc_series($1, $2, 1)
1068 generate_series int8,int8,int8 setof:int8 fis lc_series($1, $2, $3)
1069 generate_series int8,int8 setof:int8 fis lc_series($1, $2, 1)
3259 generate_series numeric,numeric,numeric setof:numeric fis lc_nseries($1, $2, $3)
3260 generate_series numeric,numeric setof:numeric fis lc_nseries($1, $2, lc_i2n(1))
938 generate_series timestamp,timestamp,interval setof:timestamp fis lc_ts_series($1, $2, $3)
939 generate_series timestamptz,timestamptz,interval setof:timestamptz fss lc_tstz_series($1, $2, $3, $tz)
1192 generate_subscripts anyarray,int4 setof:int4 fis lc_subscripts($1, $2, 0)
1191 generate_subscripts anyarray,int4,bool setof:int4 fis lc_subscripts($1, $2, $3)
515 array_larger anyarray,anyarray anyarray fis CASE WHEN $1 > $2 THEN $1 ELSE $2 END
516 array_smaller anyarray,anyarray anyarray fis CASE WHEN $1 < $2 THEN $1 ELSE $2 END
`

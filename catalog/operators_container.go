package catalog

// containerOperators are those of json, jsonb and arrays.
// The form of a line is described at parseOperators.
const containerOperators = `
3966 #> json _text json . . lc_json_path($1, $2)
3967 #>> json _text text . . lc_json_path_text($1, $2)
3287 #- jsonb _text jsonb . . lc_jsonb_delete_path($1, $2)
3213 #> jsonb _text jsonb . . lc_jsonb_path($1, $2)
3206 #>> jsonb _text text . . lc_jsonb_path_text($1, $2)
3398 - jsonb _text jsonb . . lc_jsonb_delete_keys($1, $2)
3249 ?& jsonb _text bool . . lc_jsonb_exists_all($1, $2)
3248 ?| jsonb _text bool . . lc_jsonb_exists_any($1, $2)
2750 && anyarray anyarray bool && . lc_array_overlap($1, $2, $t1)
2752 <@ anyarray anyarray bool @> . lc_array_contains($2, $1, $t1)
2751 @> anyarray anyarray bool <@ . lc_array_contains($1, $2, $t1)
349 || anycompatiblearray anycompatible anycompatiblearray . . lc_array_append($1, $2, $t1)
374 || anycompatible anycompatiblearray anycompatiblearray . . lc_array_prepend($1, $2, $t2)
375 || anycompatiblearray anycompatiblearray anycompatiblearray . . lc_array_cat($1, $2, $t1)
3964 -> json int4 json . . lc_json_get($1, $2)
3965 ->> json int4 text . . lc_json_get_text($1, $2)
3286 - jsonb int4 jsonb . . lc_jsonb_delete($1, $2)
3212 -> jsonb int4 jsonb . . lc_jsonb_get($1, $2)
3481 ->> jsonb int4 text . . lc_jsonb_get_text($1, $2)
3250 <@ jsonb jsonb bool @> . lc_jsonb_contains($2, $1)
3246 @> jsonb jsonb bool <@ . lc_jsonb_contains($1, $2)
3284 || jsonb jsonb jsonb . . lc_jsonb_concat($1, $2)
3962 -> json text json . . lc_json_get($1, $2)
3963 ->> json text text . . lc_json_get_text($1, $2)
3285 - jsonb text jsonb . . lc_jsonb_delete($1, $2)
3211 -> jsonb text jsonb . . lc_jsonb_get($1, $2)
3477 ->> jsonb text text . . lc_jsonb_get_text($1, $2)
3247 ? jsonb text bool . . lc_jsonb_exists($1, $2)
`

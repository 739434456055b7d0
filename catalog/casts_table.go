package catalog

// builtinCasts are the rows of pg_cast between types that are supported: source, target, context, then the
// conversion; nothing where the stored forms are the same. A cast of a type to itself applies the typmod $m.
const builtinCasts = `
bool int4 e
bool text a CASE $1 WHEN 1 THEN 'true' WHEN 0 THEN 'false' END
bool bpchar a CASE $1 WHEN 1 THEN 'true' WHEN 0 THEN 'false' END
bool varchar a CASE $1 WHEN 1 THEN 'true' WHEN 0 THEN 'false' END
char int4 e lc_char2i($1)
char text i
char bpchar a
char varchar a
name text i
name bpchar a rtrim($1, ' ')
name varchar a
int8 int2 a lc_to2($1)
int8 int4 a lc_to4($1)
int8 regproc i lc_i82oid($1)
int8 oid i lc_i82oid($1)
int8 float4 i lc_f2f4(CAST($1 AS REAL))
int8 float8 i CAST($1 AS REAL)
int8 numeric i lc_i2n($1)
int8 regprocedure i lc_i82oid($1)
int8 regoper i lc_i82oid($1)
int8 regoperator i lc_i82oid($1)
int8 regclass i lc_i82oid($1)
int8 regtype i lc_i82oid($1)
int8 regconfig i lc_i82oid($1)
int8 regdictionary i lc_i82oid($1)
int8 regnamespace i lc_i82oid($1)
int8 regrole i lc_i82oid($1)
int8 regcollation i lc_i82oid($1)
int2 int8 i
int2 int4 i
int2 regproc i lc_i2oid($1)
int2 oid i lc_i2oid($1)
int2 float4 i lc_f2f4(CAST($1 AS REAL))
int2 float8 i CAST($1 AS REAL)
int2 numeric i lc_i2n($1)
int2 regprocedure i lc_i2oid($1)
int2 regoper i lc_i2oid($1)
int2 regoperator i lc_i2oid($1)
int2 regclass i lc_i2oid($1)
int2 regtype i lc_i2oid($1)
int2 regconfig i lc_i2oid($1)
int2 regdictionary i lc_i2oid($1)
int2 regnamespace i lc_i2oid($1)
int2 regrole i lc_i2oid($1)
int2 regcollation i lc_i2oid($1)
int4 bool e $1 <> 0
int4 char e lc_i2char($1)
int4 int8 i
int4 int2 a lc_to2($1)
int4 regproc i lc_i2oid($1)
int4 oid i lc_i2oid($1)
int4 float4 i lc_f2f4(CAST($1 AS REAL))
int4 float8 i CAST($1 AS REAL)
int4 numeric i lc_i2n($1)
int4 regprocedure i lc_i2oid($1)
int4 regoper i lc_i2oid($1)
int4 regoperator i lc_i2oid($1)
int4 regclass i lc_i2oid($1)
int4 regtype i lc_i2oid($1)
int4 regconfig i lc_i2oid($1)
int4 regdictionary i lc_i2oid($1)
int4 regnamespace i lc_i2oid($1)
int4 regrole i lc_i2oid($1)
int4 regcollation i lc_i2oid($1)
regproc int8 a
regproc int4 a lc_oid2i($1)
regproc oid i
regproc regprocedure i
text char a lc_char($1)
text name i lc_name($1)
text bpchar i rtrim($1, ' ')
text varchar i
text regclass i @reg_in
oid int8 a
oid int4 a lc_oid2i($1)
oid regproc i
oid regprocedure i
oid regoper i
oid regoperator i
oid regclass i
oid regtype i
oid regconfig i
oid regdictionary i
oid regnamespace i
oid regrole i
oid regcollation i
json jsonb a lc_jsonb($1)
pg_node_tree text i
float4 int8 a lc_f2i8($1)
float4 int2 a lc_f2i2($1)
float4 int4 a lc_f2i4($1)
float4 float8 i
float4 numeric a lc_f42n($1)
float8 int8 a lc_f2i8($1)
float8 int2 a lc_f2i2($1)
float8 int4 a lc_f2i4($1)
float8 float4 a lc_f2f4($1)
float8 numeric a lc_f2n($1)
bpchar char a lc_char($1)
bpchar name i lc_name($1)
bpchar text i
bpchar bpchar i lc_bpchar_typmod($1, $m, $x)
bpchar varchar i
varchar char a lc_char($1)
varchar name i lc_name($1)
varchar text i
varchar bpchar i rtrim($1, ' ')
varchar varchar i lc_varchar_typmod($1, $m, $x)
varchar regclass i @reg_in
date timestamp i lc_date_ts($1)
date timestamptz i lc_ts_tstz(lc_date_ts($1), $tz)
time time i lc_time_typmod($1, $m)
time interval i lc_micros_iv($1)
time timetz i lc_time_timetz($1, $tz, $now)
timestamp date a lc_ts_date($1)
timestamp time a lc_ts_time($1)
timestamp timestamp i lc_ts_typmod($1, $m)
timestamp timestamptz i lc_ts_tstz($1, $tz)
timestamptz date a lc_ts_date(lc_tstz_ts($1, $tz))
timestamptz time a lc_ts_time(lc_tstz_ts($1, $tz))
timestamptz timestamp a lc_tstz_ts($1, $tz)
timestamptz timestamptz i lc_ts_typmod($1, $m)
timestamptz timetz a lc_tstz_timetz($1, $tz)
interval time a lc_iv_time($1)
interval interval i lc_iv_typmod($1, $m)
timetz time a lc_timetz_time($1)
timetz timetz i lc_timetz_typmod($1, $m)
numeric int8 a lc_n2i8($1)
numeric int2 a lc_n2i2($1)
numeric int4 a lc_n2i4($1)
numeric float4 i lc_n2f4($1)
numeric float8 i lc_n2f($1)
numeric numeric i lc_ntypmod($1, $m)
regprocedure int8 a
regprocedure int4 a lc_oid2i($1)
regprocedure regproc i
regprocedure oid i
regoper int8 a
regoper int4 a lc_oid2i($1)
regoper oid i
regoper regoperator i
regoperator int8 a
regoperator int4 a lc_oid2i($1)
regoperator oid i
regoperator regoper i
regclass int8 a
regclass int4 a lc_oid2i($1)
regclass oid i
regtype int8 a
regtype int4 a lc_oid2i($1)
regtype oid i
regconfig int8 a
regconfig int4 a lc_oid2i($1)
regconfig oid i
regdictionary int8 a
regdictionary int4 a lc_oid2i($1)
regdictionary oid i
jsonb bool e lc_jsonb_bool($1)
jsonb int8 e lc_jsonb_number($1, 'int8')
jsonb int2 e lc_jsonb_number($1, 'int2')
jsonb int4 e lc_jsonb_number($1, 'int4')
jsonb json a
jsonb float4 e lc_jsonb_number($1, 'float4')
jsonb float8 e lc_jsonb_number($1, 'float8')
jsonb numeric e lc_jsonb_number($1, 'numeric')
regnamespace int8 a
regnamespace int4 a lc_oid2i($1)
regnamespace oid i
regrole int8 a
regrole int4 a lc_oid2i($1)
regrole oid i
regcollation int8 a
regcollation int4 a lc_oid2i($1)
regcollation oid i
xid8 xid e $1 & 4294967295
`

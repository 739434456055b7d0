package catalog

// castFunctions are conversions that may be called as functions.
// The form of a line is described at parseFunctions.
const castFunctions = `
2971 text bool text fis @cast
946 text char text fis @cast
406 text name text fis @cast
401 text bpchar text fis @cast
860 bpchar char bpchar fis @cast
408 bpchar name bpchar fis @cast
1401 varchar name varchar fis @cast
407 name text name fis @cast
1400 name varchar name fis @cast
409 name bpchar name fis @cast
78 char int4 char fis @cast
944 char text char fis @cast
2557 bool int4 bool fis @cast
3556 bool jsonb bool fis @cast
314 int2 int4 int2 fis @cast
714 int2 int8 int2 fis @cast
238 int2 float4 int2 fis @cast
237 int2 float8 int2 fis @cast
1783 int2 numeric int2 fis @cast
3450 int2 jsonb int2 fis @cast
313 int4 int2 int4 fis @cast
480 int4 int8 int4 fis @cast
319 int4 float4 int4 fis @cast
317 int4 float8 int4 fis @cast
1744 int4 numeric int4 fis @cast
2558 int4 bool int4 fis @cast
77 int4 char int4 fis @cast
3451 int4 jsonb int4 fis @cast
754 int8 int2 int8 fis @cast
481 int8 int4 int8 fis @cast
653 int8 float4 int8 fis @cast
483 int8 float8 int8 fis @cast
1779 int8 numeric int8 fis @cast
1288 int8 oid int8 fis @cast
3452 int8 jsonb int8 fis @cast
1287 oid int8 oid fis @cast
236 float4 int2 float4 fis @cast
318 float4 int4 float4 fis @cast
652 float4 int8 float4 fis @cast
312 float4 float8 float4 fis @cast
1745 float4 numeric float4 fis @cast
3453 float4 jsonb float4 fis @cast
235 float8 int2 float8 fis @cast
316 float8 int4 float8 fis @cast
482 float8 int8 float8 fis @cast
311 float8 float4 float8 fis @cast
1746 float8 numeric float8 fis @cast
2580 float8 jsonb float8 fis @cast
1782 numeric int2 numeric fis @cast
1740 numeric int4 numeric fis @cast
1781 numeric int8 numeric fis @cast
1742 numeric float4 numeric fis @cast
1743 numeric float8 numeric fis @cast
3449 numeric jsonb numeric fis @cast
2029 date timestamp date fis @cast
1178 date timestamptz date fss @cast
1316 time timestamp time fis @cast
2019 time timestamptz time fss @cast
1419 time interval time fis @cast
2046 time timetz time fis @cast
1388 timetz timestamptz timetz fss @cast
2047 timetz time timetz fss @cast
2024 timestamp date timestamp fis @cast
2027 timestamp timestamptz timestamp fss @cast
1174 timestamptz date timestamptz fss @cast
2028 timestamptz timestamp timestamptz fss @cast
1370 interval time interval fis @cast
1079 regclass text regclass fss @cast
668 bpchar bpchar,int4,bool bpchar fis lc_bpchar_typmod($1, $2, $3)
669 varchar varchar,int4,bool varchar fis lc_varchar_typmod($1, $2, $3)
1703 numeric numeric,int4 numeric fis lc_ntypmod($1, $2)
1961 timestamp timestamp,int4 timestamp fis lc_ts_typmod($1, $2)
1967 timestamptz timestamptz,int4 timestamptz fis lc_ts_typmod($1, $2)
1968 time time,int4 time fis lc_time_typmod($1, $2)
1969 timetz timetz,int4 timetz fis lc_timetz_typmod($1, $2)
1200 interval interval,int4 interval fis lc_iv_typmod($1, $2)
2025 timestamp date,time timestamp fis lc_date_time($1, $2)
1176 timestamptz date,time timestamptz fss lc_ts_tstz(lc_date_time($1, $2), $tz)
1359 timestamptz date,timetz timestamptz fis lc_date_timetz($1, $2)
`
